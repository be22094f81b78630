/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/clock.h"
#include "milter/conf.h"
#include "milter/duration.h"
#include "milter/error.h"
#include "milter/ini.h"
#include "milter/nearest.h"
#include "milter/policy/cap.h"

/* An MTA gives up on a copy after five days as a rule (RFC 5321, 4.5.4.1). */
#define RETENTION_MIN_US (7 * 86400 * MRG_SECOND_US)

typedef enum {
    KIND_TEXT,
    KIND_LIST,
    KIND_COUNT,
    KIND_BYTES,
    KIND_DURATION,
    KIND_MODE,
    KIND_CHOICE
} Kind;

typedef struct Info {
    const char *section, *key;
    Kind kind;
    const char *fallback; /* NULL: must be given */
    const char *choices;  /* "a|b" */
    const char *help;
    gsize offset; /* into MrgConf, CapSettings or QuietSettings */
} Info;

/* A [cap NAME] section as it is written. */
typedef struct CapSettings {
#define CAP_SETTING(key, kind, fallback, choices, help) MrgConf##kind key;
#include "conf/settings.def"
} CapSettings;

/* A [quiet NAME] section, the same. */
typedef struct QuietSettings {
#define QUIET_SETTING(key, kind, fallback, choices, help) MrgConf##kind key;
#include "conf/settings.def"
} QuietSettings;

/* A [site NAME] section, the same. */
typedef struct SiteSettings {
#define SITE_SETTING(key, kind, fallback, choices, help) MrgConf##kind key;
#include "conf/settings.def"
} SiteSettings;

static const Info settings[] = {
#define SETTING(section, key, kind, fallback, choices, help) \
    {#section,                                               \
     #key,                                                   \
     KIND_##kind,                                            \
     fallback,                                               \
     choices,                                                \
     help,                                                   \
     G_STRUCT_OFFSET(MrgConf, section##_##key)},
#include "conf/settings.def"
};

static const Info cap_settings[] = {
#define CAP_SETTING(key, kind, fallback, choices, help) \
    {"cap", #key, KIND_##kind, fallback, choices, help, G_STRUCT_OFFSET(CapSettings, key)},
#include "conf/settings.def"
};

static const Info quiet_settings[] = {
#define QUIET_SETTING(key, kind, fallback, choices, help) \
    {"quiet",                                             \
     #key,                                                \
     KIND_##kind,                                         \
     fallback,                                            \
     choices,                                             \
     help,                                                \
     G_STRUCT_OFFSET(QuietSettings, key)},
#include "conf/settings.def"
};

static const Info site_settings[] = {
#define SITE_SETTING(key, kind, fallback, choices, help) \
    {"site",                                             \
     #key,                                               \
     KIND_##kind,                                        \
     fallback,                                           \
     choices,                                            \
     help,                                               \
     G_STRUCT_OFFSET(SiteSettings, key)},
#include "conf/settings.def"
};

/* The sections of which there may be several, each with a name. */
static const struct {
    const char *section;
    const char *name; /* an example */
    const Info *table;
    gsize n;
    const char *help;
} rules[] = {
    {"cap", "daily", cap_settings, G_N_ELEMENTS(cap_settings),
     "A frequency cap over all senders; any number of such sections, all must pass."},
    {"quiet", "night", quiet_settings, G_N_ELEMENTS(quiet_settings),
     "Hours of the person's clock in which no mail goes out; any number of such sections."},
    {"site", "shop", site_settings, G_N_ELEMENTS(site_settings),
     "A web site whose pages send events to the collector; any number of such sections."},
};

static const char *const section_names[] = {
#define SECTION(name, help) #name,
#include "conf/settings.def"
    "cap", "quiet", "site", "plugin"};

/* The verdicts in the order of on_exceed's choices. */
static const MrgVerdict exceed_verdicts[] = {MRG_VERDICT_DROP, MRG_VERDICT_REJECT,
                                             MRG_VERDICT_DEFER, MRG_VERDICT_HOLD};

static gboolean
parse_unsigned(const char *text, guint base, guint64 max, guint64 *number, char **end)
{
    *number = g_ascii_strtoull(text, end, base);
    return g_ascii_isdigit(*text) && *number <= max;
}

static gboolean
parse_bytes(const char *text, gsize *bytes)
{
    char *end;
    guint64 n;
    if (!parse_unsigned(text, 10, G_MAXUINT32, &n, &end))
        return FALSE;
    guint shift = *end == 'K' ? 10 : *end == 'M' ? 20 : 0;
    *bytes = (gsize) n << shift;
    return *bytes <= G_MAXINT32 && !end[shift ? 1 : 0];
}

static const char *const *
split_words(const char *text, MrgArena *arena)
{
    g_auto(GStrv) words = g_strsplit_set(text, " \t,", -1);
    const char **list = mrg_arena_array(arena, const char *, g_strv_length(words) + 1);
    gsize n = 0;
    for (char **word = words; *word; word++)
        if (**word)
            list[n++] = mrg_arena_strdup(arena, *word);
    return list;
}

static gboolean
parse_choice(const char *text, const char *choices, guint *choice)
{
    g_auto(GStrv) words = g_strsplit(choices, "|", -1);
    for (guint i = 0; words[i]; i++) {
        if (g_str_equal(words[i], text)) {
            *choice = i;
            return TRUE;
        }
    }
    return FALSE;
}

/* Writes the value to its place in base; what it must look like, or NULL when it does. */
static const char *
store_value(const Info *info, const char *text, gpointer base, MrgArena *arena)
{
    gpointer place = (char *) base + info->offset;
    guint64 n;
    char *end;
    switch (info->kind) {
    case KIND_TEXT:
        *(const char **) place = mrg_arena_strdup(arena, text);
        return NULL;
    case KIND_LIST:
        *(const char *const **) place = split_words(text, arena);
        return NULL;
    case KIND_COUNT:
    case KIND_MODE:
        if (!parse_unsigned(text, info->kind == KIND_MODE ? 8 : 10,
                            info->kind == KIND_MODE ? 0777 : G_MAXINT32, &n, &end) ||
            *end)
            return info->kind == KIND_MODE ? "an octal mode such as 0660"
                                           : "a whole number";
        *(guint *) place = (guint) n;
        return NULL;
    case KIND_BYTES:
        return parse_bytes(text, place) ? NULL : "a size such as 256K or 25M, under 2G";
    case KIND_DURATION:
        return mrg_duration_parse(text, place) ? NULL : "a duration such as 30s, 24h or 7d";
    case KIND_CHOICE:
        return parse_choice(text, info->choices, place) ? NULL : info->choices;
    }
    return NULL;
}

static const char *
suggestion(const char *word, const char *const *words, gsize n, MrgArena *arena)
{
    const char *nearest = mrg_nearest(word, words, n);
    return nearest ? mrg_arena_printf(arena, "; did you mean '%s'?", nearest) : "";
}

static const Info *
table_of(const char *section, gsize *n)
{
    for (gsize i = 0; i < G_N_ELEMENTS(rules); i++) {
        if (!g_str_equal(rules[i].section, section))
            continue;
        *n = rules[i].n;
        return rules[i].table;
    }
    *n = G_N_ELEMENTS(settings);
    return settings;
}

static const char *
example_of(const char *section)
{
    for (gsize i = 0; i < G_N_ELEMENTS(rules); i++)
        if (g_str_equal(rules[i].section, section))
            return rules[i].name;
    return "";
}

static const Info *
find_info(const MrgIni *ini, const MrgIniEntry *entry, MrgArena *arena, GError **error)
{
    gsize n, n_keys = 0;
    const Info *table = table_of(entry->section, &n);
    const char *keys[G_N_ELEMENTS(settings) + G_N_ELEMENTS(cap_settings)];
    for (gsize i = 0; i < n; i++) {
        if (!g_str_equal(table[i].section, entry->section))
            continue;
        if (g_str_equal(table[i].key, entry->key))
            return &table[i];
        keys[n_keys++] = table[i].key;
    }
    mrg_ini_fail(ini, entry->line, error, "unknown setting '%s' in [%s]%s", entry->key,
                 entry->section, suggestion(entry->key, keys, n_keys, arena));
    return NULL;
}

static gboolean
store_entry(const MrgIni *ini, const MrgIniEntry *entry, gpointer base, MrgArena *arena,
            GError **error)
{
    const Info *info = find_info(ini, entry, arena, error);
    if (!info)
        return FALSE;
    const char *wanted = store_value(info, entry->value, base, arena);
    return !wanted || mrg_ini_fail(ini, entry->line, error, "'%s' in [%s] must be %s",
                                   entry->key, entry->section, wanted);
}

static void
store_fallbacks(const Info *table, gsize n, gpointer base, MrgArena *arena)
{
    for (gsize i = 0; i < n; i++)
        if (table[i].fallback)
            g_assert(!store_value(&table[i], table[i].fallback, base, arena));
}

/* Entries behind the section line at i, up to the next section; returns their end. */
static guint
section_end(const MrgIni *ini, guint i)
{
    for (i++; i < ini->entries->len; i++)
        if (!g_array_index(ini->entries, MrgIniEntry, i).key)
            break;
    return i;
}

static gboolean
has_key(const MrgIni *ini, guint from, guint to, const char *key)
{
    for (guint i = from; i < to; i++)
        if (g_str_equal(g_array_index(ini->entries, MrgIniEntry, i).key, key))
            return TRUE;
    return FALSE;
}

/* A named section of rules into what it says, fallbacks first. */
static gboolean
read_rule(MrgConf *conf, const MrgIni *ini, guint at, gpointer written, GError **error)
{
    const MrgIniEntry *head = &g_array_index(ini->entries, MrgIniEntry, at);
    guint end = section_end(ini, at);
    gsize n;
    const Info *table = table_of(head->section, &n);
    if (!*head->name)
        return mrg_ini_fail(ini, head->line, error, "a %s needs a name: [%s %s]",
                            head->section, head->section, example_of(head->section));
    store_fallbacks(table, n, written, conf->arena);
    for (guint i = at + 1; i < end; i++)
        if (!store_entry(ini, &g_array_index(ini->entries, MrgIniEntry, i), written,
                         conf->arena, error))
            return FALSE;
    for (gsize i = 0; i < n; i++)
        if (!table[i].fallback && !has_key(ini, at + 1, end, table[i].key))
            return mrg_ini_fail(ini, head->line, error, "[%s %s] needs '%s'", head->section,
                                head->name, table[i].key);
    return TRUE;
}

static MrgPatterns
patterns(MrgConfLIST list)
{
    return *list ? list : NULL;
}

static gboolean
read_limit(const char *text, guint *limit)
{
    guint64 n;
    char *end;
    *limit = MRG_UNLIMITED;
    if (g_str_equal(text, "unlimited"))
        return TRUE;
    if (!parse_unsigned(text, 10, MRG_HISTORY_MAX, &n, &end) || *end)
        return FALSE;
    *limit = (guint) n;
    return TRUE;
}

/* What is wrong with the limits, or NULL. */
static const char *
read_limits(const CapSettings *written, MrgCap *cap)
{
    cap->is_adaptive = *written->limit_min || *written->limit_max;
    cap->adaptive_window_us = cap->is_adaptive ? written->adaptive_window : 0;
    if (!read_limit(written->limit, &cap->limit))
        return "'limit' must be a whole number up to " G_STRINGIFY(
            MRG_HISTORY_MAX) " (so many copies are remembered), or unlimited";
    if (cap->limit != MRG_UNLIMITED && !*written->per)
        return "it needs 'per'";
    if (*written->per && !mrg_cap_read_window(cap, written->per))
        return "'per' must be a duration above zero such as 24h or 7d, or "
               "calendar-day|calendar-week|calendar-month";
    if (cap->is_adaptive && (!read_limit(written->limit_min, &cap->limit_min) ||
                             !read_limit(written->limit_max, &cap->limit_max) ||
                             cap->limit_min > cap->limit || cap->limit > cap->limit_max))
        return "an adaptive limit needs limit_min, limit and limit_max, in this order of "
               "size, up to " G_STRINGIFY(MRG_HISTORY_MAX);
    if (cap->is_adaptive && cap->adaptive_window_us < MRG_SECOND_US)
        return "'adaptive_window' must be above zero";
    return NULL;
}

static gboolean
read_cap(MrgConf *conf, const MrgIni *ini, guint at, MrgCap *cap, GError **error)
{
    const MrgIniEntry *head = &g_array_index(ini->entries, MrgIniEntry, at);
    CapSettings written = {0};
    if (!read_rule(conf, ini, at, &written, error))
        return FALSE;
    *cap = (MrgCap){.name = mrg_arena_strdup(conf->arena, head->name),
                    .min_gap_us = written.min_gap,
                    .classes = patterns(written.class),
                    .campaigns = patterns(written.campaign),
                    .senders = patterns(written.sender),
                    .tags = patterns(written.tag),
                    .exempt = patterns(written.exempt),
                    .counts = patterns(written.counts),
                    .counts_attempts = written.count == MRG_COUNT_ATTEMPTED,
                    .scope = (MrgScope) written.scope,
                    .reserve = written.reserve,
                    .reserve_for = patterns(written.reserve_for),
                    .on_exceed = exceed_verdicts[written.on_exceed]};
    const char *problem = read_limits(&written, cap);
    if (!problem && cap->reserve && !cap->reserve_for)
        problem = "'reserve' needs 'reserve_for'";
    return !problem ||
           mrg_ini_fail(ini, head->line, error, "[cap %s]: %s", head->name, problem);
}

static gboolean
read_days(MrgConfLIST words, guint *days)
{
    static const char *const names[] = {"mon", "tue", "wed", "thu",
                                        "fri", "sat", "sun", NULL};
    *days = 0;
    for (; *words; words++) {
        guint day = 0;
        while (names[day] && !g_str_equal(names[day], *words))
            day++;
        if (!names[day])
            return FALSE;
        *days |= 1u << day;
    }
    return TRUE;
}

static gboolean
read_quiet(MrgConf *conf, const MrgIni *ini, guint at, MrgQuiet *quiet, GError **error)
{
    const MrgIniEntry *head = &g_array_index(ini->entries, MrgIniEntry, at);
    QuietSettings written = {0};
    if (!read_rule(conf, ini, at, &written, error))
        return FALSE;
    *quiet = (MrgQuiet){.name = mrg_arena_strdup(conf->arena, head->name),
                        .classes = patterns(written.class)};
    if (!mrg_clock_time_parse(written.from, &quiet->from_s) ||
        !mrg_clock_time_parse(written.to, &quiet->to_s))
        return mrg_ini_fail(ini, head->line, error,
                            "'from' and 'to' in [quiet %s] must be times such as 21:00",
                            head->name);
    return read_days(written.days, &quiet->days) ||
           mrg_ini_fail(ini, head->line, error,
                        "'days' in [quiet %s] must be some of mon tue wed thu fri sat sun",
                        head->name);
}

static gboolean
read_site(MrgConf *conf, const MrgIni *ini, guint at, MrgSiteConf *site, GError **error)
{
    const MrgIniEntry *head = &g_array_index(ini->entries, MrgIniEntry, at);
    SiteSettings written = {0};
    if (!read_rule(conf, ini, at, &written, error))
        return FALSE;
    *site = (MrgSiteConf){.name = mrg_arena_strdup(conf->arena, head->name),
                          .key = written.key,
                          .origins = written.origins};
    for (MrgConfLIST origin = written.origins; *origin; origin++)
        if ((!g_str_has_prefix(*origin, "https://") &&
             !g_str_has_prefix(*origin, "http://")) ||
            strchr(strstr(*origin, "//") + 2, '/'))
            return mrg_ini_fail(ini, head->line, error,
                                "'origins' in [site %s] must be such as "
                                "https://shop.example.com, without a path",
                                head->name);
    return *written.key || mrg_ini_fail(ini, head->line, error,
                                        "'key' in [site %s] must not be empty", head->name);
}

static gboolean
read_plugin(MrgConf *conf, const MrgIni *ini, guint at, MrgPluginConf *plugin,
            GError **error)
{
    const MrgIniEntry *head = &g_array_index(ini->entries, MrgIniEntry, at);
    guint end = section_end(ini, at);
    if (!*head->name)
        return mrg_ini_fail(ini, head->line, error, "which plugin? [plugin sqlite]");
    MrgSetting *list = mrg_arena_array(conf->arena, MrgSetting, end - at);
    plugin->name = mrg_arena_strdup(conf->arena, head->name);
    plugin->settings = list;
    for (guint i = at + 1; i < end; i++) {
        const MrgIniEntry *entry = &g_array_index(ini->entries, MrgIniEntry, i);
        list[plugin->n_settings].name = mrg_arena_strdup(conf->arena, entry->key);
        list[plugin->n_settings++].value = mrg_arena_strdup(conf->arena, entry->value);
    }
    return TRUE;
}

static gboolean
read_plain(MrgConf *conf, const MrgIni *ini, guint at, GError **error)
{
    const MrgIniEntry *head = &g_array_index(ini->entries, MrgIniEntry, at);
    gsize n = G_N_ELEMENTS(section_names);
    gboolean is_known = FALSE;
    for (gsize i = 0; i < n; i++)
        is_known |= g_str_equal(section_names[i], head->section);
    if (!is_known)
        return mrg_ini_fail(ini, head->line, error, "unknown section [%s]%s", head->section,
                            suggestion(head->section, section_names, n, conf->arena));
    if (*head->name)
        return mrg_ini_fail(ini, head->line, error, "section [%s] takes no name",
                            head->section);
    for (guint i = at + 1, end = section_end(ini, at); i < end; i++)
        if (!store_entry(ini, &g_array_index(ini->entries, MrgIniEntry, i), conf,
                         conf->arena, error))
            return FALSE;
    return TRUE;
}

static gboolean
read_sections(MrgConf *conf, const MrgIni *ini, GError **error)
{
    MrgCap *caps = mrg_arena_array(conf->arena, MrgCap, ini->entries->len);
    MrgQuiet *quiets = mrg_arena_array(conf->arena, MrgQuiet, ini->entries->len);
    MrgPluginConf *plugins = mrg_arena_array(conf->arena, MrgPluginConf, ini->entries->len);
    MrgSiteConf *sites = mrg_arena_array(conf->arena, MrgSiteConf, ini->entries->len);
    for (guint i = 0; i < ini->entries->len; i = section_end(ini, i)) {
        const MrgIniEntry *head = &g_array_index(ini->entries, MrgIniEntry, i);
        gboolean is_read;
        if (g_str_equal(head->section, "cap"))
            is_read = read_cap(conf, ini, i, &caps[conf->policy.n_caps++], error);
        else if (g_str_equal(head->section, "quiet"))
            is_read = read_quiet(conf, ini, i, &quiets[conf->policy.n_quiets++], error);
        else if (g_str_equal(head->section, "site"))
            is_read = read_site(conf, ini, i, &sites[conf->n_sites++], error);
        else if (g_str_equal(head->section, "plugin"))
            is_read = read_plugin(conf, ini, i, &plugins[conf->n_plugins++], error);
        else
            is_read = read_plain(conf, ini, i, error);
        if (!is_read)
            return FALSE;
    }
    conf->policy.caps = caps;
    conf->policy.quiets = quiets;
    conf->policy.pause_complaint_us = conf->pause_on_complaint;
    conf->policy.pause_unsubscribe_us = conf->pause_on_unsubscribe;
    conf->policy.has_wishes = *conf->policy_frequency_field != '\0';
    conf->plugins = plugins;
    conf->sites = sites;
    conf->policy.consent_default = conf->policy_consent_default == MRG_DEFAULT_GRANTED
                                       ? MRG_CONSENT_GRANTED
                                       : MRG_CONSENT_DENIED;
    return TRUE;
}

static gboolean
check_stamp(const MrgConf *conf, GError **error)
{
    static const char *const kinds[] = {"opens", "clicks", "text", NULL};
    if (*conf->stamp_base_url && !g_str_has_prefix(conf->stamp_base_url, "https://") &&
        !g_str_has_prefix(conf->stamp_base_url, "http://")) {
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG,
                    "%s:1:1: 'base_url' in [stamp] must begin with https://", conf->path);
        return FALSE;
    }
    for (const char *const *word = conf->stamp_track; *word; word++)
        if (!g_strv_contains(kinds, *word)) {
            g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG,
                        "%s:1:1: 'track' in [stamp] knows opens, clicks and text, not '%s'",
                        conf->path, *word);
            return FALSE;
        }
    return TRUE;
}

static MrgConf *
read_conf(const MrgIni *ini, GError **error)
{
    g_autoptr(MrgConf) conf = g_new0(MrgConf, 1);
    g_atomic_int_set(&conf->references, 1);
    conf->arena = mrg_arena_new();
    conf->path = mrg_arena_strdup(conf->arena, ini->path);
    store_fallbacks(settings, G_N_ELEMENTS(settings), conf, conf->arena);
    if (!read_sections(conf, ini, error))
        return NULL;
    if (!check_stamp(conf, error))
        return NULL;
    if (conf->retention_events && conf->retention_events < RETENTION_MIN_US) {
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG,
                    "%s:1:1: 'events' in [retention] must be 7d at least, or 0s",
                    conf->path);
        return NULL;
    }
    if (!*conf->policy_host)
        conf->policy_host = mrg_arena_strdup(conf->arena, g_get_host_name());
    conf->schema = mrg_schema_load(conf->schema_file, conf->arena, error);
    return conf->schema ? g_steal_pointer(&conf) : NULL;
}

MrgConf *
mrg_conf_parse(const char *path, const char *text, GError **error)
{
    g_autoptr(MrgIni) ini = mrg_ini_parse(path, text, error);
    return ini ? read_conf(ini, error) : NULL;
}

MrgConf *
mrg_conf_load(const char *path, GError **error)
{
    g_autoptr(MrgIni) ini = mrg_ini_load(path, error);
    return ini ? read_conf(ini, error) : NULL;
}

MrgConf *
mrg_conf_ref(MrgConf *conf)
{
    g_atomic_int_inc(&conf->references);
    return conf;
}

void
mrg_conf_unref(MrgConf *conf)
{
    if (conf && g_atomic_int_dec_and_test(&conf->references)) {
        mrg_arena_free(conf->arena);
        g_free(conf);
    }
}

const MrgPluginConf *
mrg_conf_plugin(const MrgConf *conf, const char *name)
{
    static const MrgPluginConf none = {"", NULL, 0};
    for (gsize i = 0; i < conf->n_plugins; i++)
        if (g_str_equal(conf->plugins[i].name, name))
            return &conf->plugins[i];
    return &none;
}

MrgStore *
mrg_conf_open_store(const MrgConf *conf, GError **error)
{
    const MrgPluginConf *plugin = mrg_conf_plugin(conf, conf->store_plugin);
    return mrg_store_open(conf->milter_plugin_dir, conf->store_plugin, plugin->settings,
                          plugin->n_settings, error);
}

void
mrg_conf_describe(MrgConfVisit visit, gpointer context)
{
    static const struct {
        const char *name, *help;
    } sections[] = {
#define SECTION(name, help) {#name, help},
#include "conf/settings.def"
    };
    for (gsize s = 0; s < G_N_ELEMENTS(sections); s++) {
        visit(sections[s].name, NULL, NULL, sections[s].help, context);
        for (gsize i = 0; i < G_N_ELEMENTS(settings); i++)
            if (g_str_equal(settings[i].section, sections[s].name))
                visit(sections[s].name, settings[i].key, settings[i].fallback,
                      settings[i].help, context);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(rules); i++) {
        g_autofree char *name = g_strconcat(rules[i].section, " NAME", NULL);
        visit(name, NULL, NULL, rules[i].help, context);
        for (gsize j = 0; j < rules[i].n; j++)
            visit(name, rules[i].table[j].key, rules[i].table[j].fallback,
                  rules[i].table[j].help, context);
    }
}
