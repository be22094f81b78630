/* SPDX-License-Identifier: Apache-2.0 */
/* From the fragments and a snapshot to a list of changes. */
#include "config.h"

#include <string.h>

#include "ctl/join.h"
#include "milter/error.h"

/* ---- the texts ---- */

static void
replace(GString *text, const char *from, const char *to)
{
    if (!g_str_equal(from, to))
        g_string_replace(text, from, to, 0);
}

static gboolean fail(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static gboolean
fail(GError **error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error_literal(error, MRG_ERROR, MRG_ERROR_CONFIG, message);
    return FALSE;
}

static const char *
queue_directory(const MrgJoin *join)
{
    const char *queue =
        join->postfix ? mrg_postfix_effective(join->postfix, NULL, "queue_directory") : "";
    return *queue ? queue : "/var/spool/postfix";
}

static gboolean
fill(const MrgJoin *join, GString *text, GError **error)
{
    g_auto(MrgPlace) place = {0};
    if (!mrg_place_from_conf(&place, join->socket))
        return fail(error,
                    "socket = %s in [milter] is neither unix:/PATH nor inet:PORT@HOST",
                    join->socket);
    if (!join->merge_daemons[0])
        return fail(error,
                    "merge_daemons in [trust] is empty: say merge_daemons = merganser");
    if (!join->check_daemons[0] && join->shape == MRG_SHAPE_SPLIT)
        return fail(error, "check_daemons in [trust] is empty: say check_daemons = "
                           "campaign-check");
    g_autofree char *socket = mrg_place_print(&place, queue_directory(join));
    replace(text, "unix:merganser/milter", socket);
    g_autofree char *checks =
        g_build_filename(join->directory, "merganser_header_checks", NULL);
    replace(text, "/etc/postfix/merganser_header_checks", checks);
    if (join->port) {
        g_autofree char *port = g_strdup_printf(":%u", join->port);
        replace(text, join->shape == MRG_SHAPE_SPLIT ? ":10026" : ":2525", port);
    }
    g_autofree char *merge =
        g_strdup_printf("milter_macro_daemon_name=%s\n", join->merge_daemons[0]);
    replace(text, "milter_macro_daemon_name=merganser\n", merge);
    g_autofree char *check =
        g_strdup_printf("milter_macro_daemon_name=%s\n",
                        join->check_daemons[0] ? join->check_daemons[0] : "");
    replace(text, "milter_macro_daemon_name=campaign-check\n", check);
    return TRUE;
}

char *
mrg_join_text(const MrgJoin *join, MrgFragment which, GError **error)
{
    gboolean is_split = join->shape == MRG_SHAPE_SPLIT;
    const char *const *lines =
        which == MRG_FRAGMENT_CHECKS ? mrg_fragment_header_checks
        : which == MRG_FRAGMENT_MAIN
            ? (is_split ? mrg_fragment_main_cf_split : mrg_fragment_main_cf_direct)
            : (is_split ? mrg_fragment_master_cf_split : mrg_fragment_master_cf_direct);
    GString *text = g_string_new(NULL);
    for (; *lines; lines++)
        g_string_append_printf(text, "%s\n", *lines);
    gboolean is_filled = fill(join, text, error);
    return g_string_free(text, !is_filled);
}

/* ---- values ---- */

static const MrgChange *
record_of(const MrgJoin *join, const MrgService *service, const char *name)
{
    for (guint i = 0; join->records && i < join->records->len; i++) {
        const MrgChange *record = join->records->pdata[i];
        if (record->kind == MRG_CHANGE_OPTION &&
            g_str_equal(record->service, service->key) && g_str_equal(record->name, name))
            return record;
    }
    return NULL;
}

/* The milters that a service had without us: its own, else main.cf's. */
static const char *
milters_before(const MrgJoin *join, const MrgService *service)
{
    const char *now =
        service ? g_hash_table_lookup(service->options, "smtpd_milters") : NULL;
    const MrgChange *record =
        service && now ? record_of(join, service, "smtpd_milters") : NULL;
    if (record && g_strcmp0(record->after, now) == 0)
        now = record->before;
    return now ? now : mrg_postfix_own(join->postfix, "smtpd_milters");
}

static gboolean
is_ours(const MrgJoin *join, const char *milter)
{
    g_auto(MrgPlace) ours = {0};
    g_auto(MrgPlace) place = {0};
    const char *root = queue_directory(join);
    if (g_str_equal(milter, "$merganser_milter") ||
        g_str_equal(milter, "${merganser_milter}"))
        return TRUE;
    return mrg_place_from_conf(&ours, join->socket) &&
           mrg_place_from_milter(&place, milter, root, FALSE) &&
           mrg_place_equal(&ours, &place);
}

static void
append_others(const MrgJoin *join, GPtrArray *list, const char *milters)
{
    g_auto(GStrv) others = mrg_postfix_list(milters);
    for (char **other = others; *other; other++)
        if (!is_ours(join, *other) &&
            !g_ptr_array_find_with_equal_func(list, *other, g_str_equal, NULL))
            g_ptr_array_add(list, g_strdup(*other));
}

static gboolean
is_door_name(const char *name)
{
    static const char *const usual[] = {"submission", "submissions", "smtps",
                                        "587",        "465",         NULL};
    const char *colon = strrchr(name, ':');
    return g_strv_contains(usual, colon ? colon + 1 : name);
}

static gboolean
is_door(const MrgJoin *join, const MrgService *service)
{
    if (!g_str_equal(service->type, "inet") || !g_str_equal(service->command, "smtpd"))
        return FALSE;
    return join->doors ? g_strv_contains(join->doors, service->name)
                       : is_door_name(service->name);
}

/* We come first: what follows us, a DKIM signer above all, then sees the merged message. A
 * new hop has every milter that the doors have, since campaigns pass the signer there. */
static char *
milters_with_us(const MrgJoin *join, const MrgService *service, const char *ours)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(list, g_strdup(ours));
    append_others(join, list, milters_before(join, service));
    for (guint i = 0; !service && i < join->postfix->services->len; i++) {
        const MrgService *door = join->postfix->services->pdata[i];
        if (join->shape == MRG_SHAPE_SPLIT && is_door(join, door))
            append_others(join, list, milters_before(join, door));
    }
    g_ptr_array_add(list, NULL);
    return g_strjoinv(",", (char **) list->pdata);
}

/* The checks of mail as it passes now; those of MIME and attached headers are the message's
 * own unless somebody says otherwise (postconf(5)). */
static const char *
checks_now(const MrgJoin *join, const char *name)
{
    const MrgService *usual = mrg_postfix_service(join->postfix, "cleanup/unix");
    const char *value = usual ? g_hash_table_lookup(usual->options, name) : NULL;
    if (!value)
        value = mrg_postfix_own(join->postfix, name);
    gboolean is_same = !value || g_str_equal(value, "$header_checks");
    if (is_same && !g_str_equal(name, "header_checks"))
        return checks_now(join, "header_checks");
    return value ? value : "";
}

/* Header checks of the administrator's own go on for what passes our cleanup service; only
 * the message's own headers also meet ours. */
static char *
checks_with_ours(const MrgJoin *join, const char *name, const char *ours)
{
    const char *theirs = checks_now(join, name);
    gboolean has_theirs = *theirs && !strstr(theirs, "merganser_header_checks");
    if (!has_theirs)
        return g_strdup(ours);
    return *ours ? g_strconcat(ours, ",", theirs, NULL) : g_strdup(theirs);
}

static gboolean
is_listed(const char *const *names, const char *name)
{
    return name && g_strv_contains(names, name);
}

/* What an option is to be in a service that is there (NULL: will be new). */
static char *
wanted_value(const MrgJoin *join, const MrgService *there, const char *name,
             const char *value)
{
    const char *now = there ? g_hash_table_lookup(there->options, name) : NULL;
    if (g_str_equal(name, "smtpd_milters"))
        return milters_with_us(join, there, value);
    if (g_str_equal(name, "milter_macro_daemon_name")) {
        gboolean is_check = is_listed(join->check_daemons, value);
        if (is_listed(is_check ? join->check_daemons : join->merge_daemons, now))
            return g_strdup(now);
    }
    if (g_str_has_suffix(name, "header_checks") && !g_str_has_prefix(name, "smtp_"))
        return checks_with_ours(join, name, value);
    return g_strdup(value);
}

static gboolean
check_value(const char *key, const char *name, const char *value, GError **error)
{
    return mrg_postfix_is_closed(value) ||
           fail(error,
                "%s of %s would be %s, where a brace has no other half: mend it first",
                name, key, value);
}

/* ---- the plan ---- */

typedef struct Pair {
    char *name, *value;
} Pair;

/* The i-th -o of a service of a fragment, which has no other arguments. */
static Pair
fragment_option(const MrgService *service, guint i)
{
    const char *text = service->arguments->pdata[2 * i + 1], *equals = strchr(text, '=');
    return (Pair){g_strndup(text, (gsize) (equals - text)), g_strdup(equals + 1)};
}

static void note(const MrgJoin *join, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void
note(const MrgJoin *join, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_ptr_array_add(join->notes, g_strdup_vprintf(format, args));
    va_end(args);
}

static gboolean
plan_option(const MrgJoin *join, GPtrArray *plan, const MrgService *there,
            const Pair *option, GError **error)
{
    const char *now = g_hash_table_lookup(there->options, option->name);
    /* How the administrator's own service is logged is not ours to say. */
    if (g_str_equal(option->name, "syslog_name"))
        return TRUE;
    if (g_str_equal(option->name, "cleanup_service_name") && now &&
        !g_str_equal(now, option->value))
        return fail(
            error,
            "%s has cleanup_service_name=%s of its own: move what that service does "
            "to the settings of cleanup, and type: postconf -c %s -PX "
            "%s/cleanup_service_name",
            there->key, now, join->directory, there->key);
    g_autofree char *value = wanted_value(join, there, option->name, option->value);
    if (!check_value(there->key, option->name, value, error))
        return FALSE;
    if (g_str_equal(option->name, "milter_macro_daemon_name") && now &&
        !g_str_equal(now, value))
        note(join,
             "%s has milter_macro_daemon_name=%s: a signer that goes by that name needs %s "
             "too; or add %s to check_daemons in merganser.conf and apply again",
             there->key, now, value, now);
    mrg_changes_add(plan, MRG_CHANGE_OPTION, there->key, option->name, now, value);
    return TRUE;
}

/* The options that a service which is there needs. */
static gboolean
plan_options(const MrgJoin *join, GPtrArray *plan, const MrgService *there,
             const MrgService *wanted, GError **error)
{
    gboolean is_fine = TRUE;
    for (guint i = 0; is_fine && i < wanted->arguments->len / 2; i++) {
        Pair option = fragment_option(wanted, i);
        is_fine = plan_option(join, plan, there, &option, error);
        g_free(option.name);
        g_free(option.value);
    }
    return is_fine;
}

/* Chrooted where its like is: a Postfix that is not set up for it would not find its files.
 */
static gboolean
chroot_like_others(const MrgJoin *join, const MrgService *wanted)
{
    for (guint i = 0; i < join->postfix->services->len; i++) {
        const MrgService *other = join->postfix->services->pdata[i];
        if (g_str_equal(other->command, wanted->command))
            return mrg_postfix_is_chrooted(join->postfix, other);
    }
    return FALSE;
}

static gboolean
check_socket(const MrgJoin *join, const char *key, gboolean is_chrooted, GError **error)
{
    g_auto(MrgPlace) place = {0};
    const char *queue = queue_directory(join);
    if (!is_chrooted || !mrg_place_from_conf(&place, join->socket) || !place.path)
        return TRUE;
    g_autofree char *spelt = mrg_place_print(&place, queue);
    if (!g_str_has_prefix(spelt, "unix:/"))
        return TRUE;
    return fail(
        error,
        "%s is chrooted in %s and cannot see %s: say socket = unix:%s/merganser/milter "
        "in [milter] of merganser.conf and restart the daemon, or take the y out of "
        "the chroot column",
        key, queue, place.path, queue);
}

static gboolean
plan_new(const MrgJoin *join, GPtrArray *plan, const MrgService *wanted, GError **error)
{
    gboolean is_chrooted = chroot_like_others(join, wanted);
    if (g_hash_table_contains(wanted->options, "smtpd_milters") &&
        !check_socket(join, wanted->key, is_chrooted, error))
        return FALSE;
    g_auto(GStrv) columns = g_strsplit(wanted->head, " ", -1);
    g_free(columns[4]);
    columns[4] = g_strdup(is_chrooted ? "y" : "n");
    g_autofree char *head = g_strjoinv(" ", columns);
    g_autoptr(GString) line = g_string_new(head);
    gboolean is_fine = TRUE;
    for (guint i = 0; is_fine && i < wanted->arguments->len / 2; i++) {
        Pair option = fragment_option(wanted, i);
        g_autofree char *value = wanted_value(join, NULL, option.name, option.value);
        g_autofree char *argument = mrg_service_option(option.name, value);
        is_fine = check_value(wanted->key, option.name, value, error);
        g_string_append_printf(line, " %s", argument);
        g_free(option.name);
        g_free(option.value);
    }
    if (!is_fine)
        return FALSE;
    mrg_changes_add(plan, MRG_CHANGE_SERVICE, wanted->key, "", NULL, line->str);
    return TRUE;
}

static gboolean
has_record(const MrgJoin *join, MrgChangeKind kind, const char *service, const char *name)
{
    for (guint i = 0; join->records && i < join->records->len; i++) {
        const MrgChange *record = join->records->pdata[i];
        if (record->kind == kind && g_str_equal(record->service, service) &&
            g_str_equal(record->name, name))
            return TRUE;
    }
    return FALSE;
}

/* A service that the fragment brings and that is there: from an earlier run, or made by
 * hand from the same fragment, or somebody else's. */
static gboolean
plan_again(const MrgJoin *join, GPtrArray *plan, const MrgService *there,
           const MrgService *wanted, GError **error)
{
    const char *now = g_hash_table_lookup(there->options, "milter_macro_daemon_name");
    gboolean is_smtpd = g_str_equal(wanted->command, "smtpd");
    gboolean is_like_ours = g_str_equal(there->command, wanted->command) &&
                            (!is_smtpd || is_listed(join->merge_daemons, now));
    if (!has_record(join, MRG_CHANGE_SERVICE, there->key, "") && !is_like_ours)
        return fail(error, "%s is a service of another kind already%s", there->key,
                    is_smtpd ? ": name a free port, as in --port 10027" : "");
    if (is_smtpd && !check_socket(join, there->key,
                                  mrg_postfix_is_chrooted(join->postfix, there), error))
        return FALSE;
    /* A record: shared with the other shape, or to be kept. */
    mrg_changes_add(plan, MRG_CHANGE_SERVICE, there->key, "", "", "");
    return plan_options(join, plan, there, wanted, error);
}

static gboolean
plan_doors(const MrgJoin *join, GPtrArray *plan, const MrgService *wanted, GError **error)
{
    gboolean has_any = FALSE;
    for (guint i = 0; i < join->postfix->services->len; i++) {
        const MrgService *there = join->postfix->services->pdata[i];
        if (!is_door(join, there))
            continue;
        has_any = TRUE;
        if (!check_socket(join, there->key, mrg_postfix_is_chrooted(join->postfix, there),
                          error) ||
            !plan_options(join, plan, there, wanted, error))
            return FALSE;
    }
    for (const char *const *name = join->doors; name && *name; name++) {
        g_autofree char *key = g_strconcat(*name, "/inet", NULL);
        const MrgService *there = mrg_postfix_service(join->postfix, key);
        if (!there || !is_door(join, there))
            return fail(error,
                        "there is no smtpd service %s in %s/master.cf: type postconf -c "
                        "%s -M to see those that there are",
                        *name, join->directory, join->directory);
    }
    if (!has_any)
        note(join,
             "no submission service was found: campaigns come by sendmail(1) only; name "
             "the service that your senders use with --submission NAME");
    return TRUE;
}

static gboolean
plan_service(const MrgJoin *join, GPtrArray *plan, const MrgService *wanted, GError **error)
{
    const MrgService *there = mrg_postfix_service(join->postfix, wanted->key);
    if (g_str_equal(wanted->name, "submission"))
        return plan_doors(join, plan, wanted, error);
    if (g_str_equal(wanted->name, "pickup") && !there)
        return TRUE;
    if (g_str_equal(wanted->name, "pickup"))
        return plan_options(join, plan, there, wanted, error);
    return there ? plan_again(join, plan, there, wanted, error)
                 : plan_new(join, plan, wanted, error);
}

/* What an earlier run did not put there is somebody else's, even where nothing refers to it
 * now: a transport may. */
static gboolean
plan_setting(const MrgJoin *join, GPtrArray *plan, const char *name, const char *value,
             GError **error)
{
    const char *now = mrg_postfix_own(join->postfix, name);
    gboolean is_foreign =
        now && !g_str_equal(now, value) && !has_record(join, MRG_CHANGE_SETTING, "", name);
    if (is_foreign && g_str_equal(name, "merganser_milter") && is_ours(join, now))
        value = now;
    else if (is_foreign)
        return fail(error,
                    "main.cf has %s = %s of its own, and %s is needed: keep a note of it "
                    "if something uses it, type postconf -c %s -X %s, and apply again",
                    name, now, value, join->directory, name);
    mrg_changes_add(plan, MRG_CHANGE_SETTING, "", name, now, value);
    return TRUE;
}

static gboolean
plan_main(const MrgJoin *join, GPtrArray *plan, GError **error)
{
    g_autofree char *text = mrg_join_text(join, MRG_FRAGMENT_MAIN, error);
    if (!text)
        return FALSE;
    g_autoptr(GPtrArray) lines = mrg_postfix_lines(text);
    for (guint i = 0; i < lines->len; i++) {
        g_auto(GStrv) pair = g_strsplit(lines->pdata[i], "=", 2);
        if (!plan_setting(join, plan, g_strstrip(pair[0]), g_strstrip(pair[1]), error))
            return FALSE;
    }
    return TRUE;
}

static gboolean
plan_master(const MrgJoin *join, GPtrArray *plan, GError **error)
{
    g_autofree char *text = mrg_join_text(join, MRG_FRAGMENT_MASTER, error);
    g_autoptr(GPtrArray) lines = text ? mrg_postfix_lines(text) : NULL;
    gboolean is_fine = text != NULL;
    for (guint i = 0; is_fine && i < lines->len; i++) {
        g_autoptr(MrgService) wanted = mrg_service_parse(lines->pdata[i]);
        is_fine = plan_service(join, plan, wanted, error);
    }
    return is_fine;
}

static gboolean
plan_checks(const MrgJoin *join, GPtrArray *plan, GError **error)
{
    if (join->shape != MRG_SHAPE_SPLIT)
        return TRUE;
    g_autofree char *text = mrg_join_text(join, MRG_FRAGMENT_CHECKS, error);
    g_autofree char *path =
        g_build_filename(join->directory, "merganser_header_checks", NULL);
    g_autofree char *now = NULL;
    if (!text)
        return FALSE;
    g_file_get_contents(path, &now, NULL, NULL);
    mrg_changes_add(plan, MRG_CHANGE_FILE, "", path, now, text);
    return TRUE;
}

GPtrArray *
mrg_join_plan(const MrgJoin *join, GError **error)
{
    GPtrArray *plan = mrg_changes_new();
    if (plan_checks(join, plan, error) && plan_main(join, plan, error) &&
        plan_master(join, plan, error))
        return plan;
    g_ptr_array_unref(plan);
    return NULL;
}
