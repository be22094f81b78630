/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a Postfix passes mail to the milter.  An entrance is an smtpd service: one that
 * merges or checks, by its daemon name, or any other.
 */
#include "config.h"

#include <string.h>

#include "ctl/doctor.h"
#include "milter/plugin.h"

#define TABLE_MAX (1u << 20)
/* A store call takes milliseconds of a message's time: so many share a connection. */
#define MESSAGES_PER_CONNECTION 4

typedef enum { ROLE_NONE, ROLE_CHECK, ROLE_MERGE } Role;

/* Where campaigns are sent by the header check: "merganser", "127.0.0.1:10026". */
typedef struct Split {
    char *transport, *address;
} Split;

static const char *
folder(const MrgDoctor *doctor)
{
    return doctor->postfix->directory;
}

static const char *
effective(const MrgDoctor *doctor, const MrgService *service, const char *name)
{
    return mrg_postfix_effective(doctor->postfix, service, name);
}

static gboolean
is_entrance(const MrgService *service)
{
    return g_str_equal(service->command, "smtpd");
}

static Role
role_of(const MrgDoctor *doctor, const MrgService *service)
{
    const char *name = effective(doctor, service, "milter_macro_daemon_name");
    if (!is_entrance(service))
        return ROLE_NONE;
    return g_strv_contains(doctor->conf->trust_merge_daemons, name)   ? ROLE_MERGE
           : g_strv_contains(doctor->conf->trust_check_daemons, name) ? ROLE_CHECK
                                                                      : ROLE_NONE;
}

static gboolean
is_loopback(const MrgService *service)
{
    return g_str_has_prefix(service->name, "127.") ||
           g_str_has_prefix(service->name, "localhost:") ||
           g_str_has_prefix(service->name, "[::1]:");
}

/* Where other hosts deliver: port 25, or the smtpd that postscreen(8) passes them to. */
static gboolean
is_public(const MrgService *service)
{
    const char *colon = strrchr(service->name, ':');
    const char *port = colon ? colon + 1 : service->name;
    gboolean is_port = g_str_equal(port, "smtp") || g_str_equal(port, "25");
    return g_str_equal(service->type, "pass") || (is_port && !is_loopback(service));
}

/* ---- milters ---- */

static gboolean
is_ours(const MrgDoctor *doctor, const MrgService *service, const char *milter)
{
    g_auto(MrgPlace) place = {0};
    return mrg_place_from_milter(&place, milter, effective(doctor, NULL, "queue_directory"),
                                 mrg_postfix_is_chrooted(doctor->postfix, service)) &&
           mrg_place_equal(&place, &doctor->place);
}

static int
our_index(const MrgDoctor *doctor, const MrgService *service, char **milters)
{
    for (int i = 0; milters[i]; i++)
        if (is_ours(doctor, service, milters[i]))
            return i;
    return -1;
}

static void
say_unseen(MrgDoctor *doctor, const MrgService *service, const char *milters)
{
    g_autofree char *right =
        mrg_place_print(&doctor->place, effective(doctor, NULL, "queue_directory"));
    gboolean is_chrooted = mrg_postfix_is_chrooted(doctor->postfix, service);
    if (is_chrooted && g_str_has_prefix(right, "unix:/"))
        mrg_doctor_say(
            doctor, MRG_LEVEL_ERROR,
            "%s is chrooted in %s and cannot see %s — say socket = "
            "unix:%s/merganser/milter in [milter] of %s and restart the daemon, or: "
            "postconf -c %s -F %s/chroot=n",
            service->key, effective(doctor, NULL, "queue_directory"), doctor->place.path,
            effective(doctor, NULL, "queue_directory"), doctor->conf->path, folder(doctor),
            service->key);
    else
        mrg_doctor_say(
            doctor, MRG_LEVEL_ERROR,
            "%s (chroot %s) does not reach the milter at %s: smtpd_milters = %s — "
            "postconf -c %s -e merganser_milter=%s && postconf -c %s -P "
            "'%s/smtpd_milters=$merganser_milter'",
            service->key, is_chrooted ? "y" : "n", doctor->conf->milter_socket,
            *milters ? milters : "nothing", folder(doctor), right, folder(doctor),
            service->key);
}

static void
check_order(MrgDoctor *doctor, const MrgService *service, char **milters, int ours)
{
    static const char *const signers[] = {"dkim",  "rspamd", "amavis", ":8891",
                                          ":8892", ":11332", ":12301"};
    if (ours <= 0)
        return;
    g_autofree char *before = mrg_milter_address(milters[0]);
    g_autofree char *lower = g_ascii_strdown(before, -1);
    gboolean is_signer = FALSE;
    for (gsize i = 0; i < G_N_ELEMENTS(signers); i++)
        is_signer = is_signer || strstr(lower, signers[i]);
    mrg_doctor_say(doctor, is_signer ? MRG_LEVEL_ERROR : MRG_LEVEL_WARNING,
                   "%s has the milter %s before Merganser: what it signs or reads is the "
                   "template — postconf -c %s -P '%s/smtpd_milters=$merganser_milter,%s'",
                   service->key, before, folder(doctor), service->key, before);
}

static void
check_default_action(MrgDoctor *doctor, const MrgService *service, const char *ours)
{
    g_autofree char *own = mrg_milter_attribute(ours, "default_action");
    const char *action = own ? own : effective(doctor, service, "milter_default_action");
    if (g_str_equal(action, "tempfail") || g_str_equal(action, "shutdown"))
        return;
    gboolean is_leak = g_str_equal(action, "accept");
    mrg_doctor_say(
        doctor, is_leak ? MRG_LEVEL_ERROR : MRG_LEVEL_WARNING,
        "%s has milter_default_action = %s: when the milter is away, %s — postconf "
        "-c %s -P %s/milter_default_action=tempfail",
        service->key, action,
        is_leak ? "templates leave as they are" : "mail does not wait for it",
        folder(doctor), service->key);
}

/* answers = late: a second recipient is not told to wait, and other mail not let go before
 * its body. */
static void
check_late_answers(MrgDoctor *doctor, const MrgService *service)
{
    const char *limit = effective(doctor, service, "smtpd_recipient_limit");
    if (role_of(doctor, service) != ROLE_MERGE)
        mrg_doctor_say(
            doctor, MRG_LEVEL_WARNING,
            "%s passes the bodies of all its mail to the milter, since answers = "
            "late — say answers = early in [milter] of %s and restart the daemon",
            service->key, doctor->conf->path);
    else if (!g_str_equal(limit, "1"))
        mrg_doctor_say(
            doctor, MRG_LEVEL_ERROR,
            "%s has smtpd_recipient_limit = %s, and answers = late in [milter]: a "
            "campaign message with two recipients is refused to both — postconf "
            "-c %s -P %s/smtpd_recipient_limit=1",
            service->key, limit, folder(doctor), service->key);
}

static void
check_entrance(MrgDoctor *doctor, const MrgService *service)
{
    const char *text = effective(doctor, service, "smtpd_milters");
    const char *name = effective(doctor, service, "milter_macro_daemon_name");
    Role role = role_of(doctor, service);
    g_auto(GStrv) milters = mrg_postfix_list(text);
    int ours = our_index(doctor, service, milters);
    if (ours < 0 && role != ROLE_NONE)
        say_unseen(doctor, service, text);
    if (ours < 0)
        return;
    if (role == ROLE_NONE && !doctor->conf->trust_senders[0])
        mrg_doctor_say(
            doctor, MRG_LEVEL_ERROR,
            "%s has milter_macro_daemon_name = %s, which neither merge_daemons nor "
            "check_daemons in [trust] names: nothing there is a campaign — postconf "
            "-c %s -P %s/milter_macro_daemon_name=%s",
            service->key, name, folder(doctor), service->key,
            doctor->conf->trust_merge_daemons[0] ? doctor->conf->trust_merge_daemons[0]
                                                 : "merganser");
    if (role != ROLE_NONE && is_public(service))
        mrg_doctor_say(
            doctor, MRG_LEVEL_WARNING,
            "%s has milter_macro_daemon_name = %s, which [trust] names: whoever delivers "
            "mail there may send campaigns — postconf -c %s -P "
            "%s/milter_macro_daemon_name=outside",
            service->key, name, folder(doctor), service->key);
    check_order(doctor, service, milters, ours);
    check_default_action(doctor, service, milters[ours]);
    if (doctor->conf->milter_answers == MRG_ANSWERS_LATE)
        check_late_answers(doctor, service);
    if (role != ROLE_NONE)
        mrg_doctor_say(doctor, MRG_LEVEL_OK, "%s reaches the milter as %s, to %s",
                       service->key, name, role == ROLE_MERGE ? "merge" : "check");
}

/* ---- header checks ---- */

static void
split_clear(Split *split)
{
    g_clear_pointer(&split->transport, g_free);
    g_clear_pointer(&split->address, g_free);
}

/* A line such as: /^X-Campaign:/ FILTER merganser:[127.0.0.1]:10026 */
static gboolean
read_rule(const char *line, Split *split)
{
    g_autofree char *lower = g_ascii_strdown(line, -1);
    const char *filter = strstr(line, "FILTER");
    if (*g_strchug(lower) == '#' || !strstr(lower, "x-campaign") || !filter)
        return FALSE;
    g_autofree char *target = g_strstrip(g_strdup(filter + strlen("FILTER")));
    char *colon = strchr(target, ':');
    split_clear(split);
    split->transport = g_strndup(target, colon ? (gsize) (colon - target) : strlen(target));
    split->address = g_strdup(colon ? colon + 1 : "");
    char *to = split->address;
    for (const char *from = split->address; *from; from++)
        if (*from != '[' && *from != ']')
            *to++ = *from;
    *to = '\0';
    return TRUE;
}

static gboolean
read_table(MrgDoctor *doctor, const char *map, Split *split)
{
    const char *path = strchr(map, ':');
    gboolean is_text = g_str_has_prefix(map, "regexp:") || g_str_has_prefix(map, "pcre:");
    gboolean has_rule = FALSE;
    if (!is_text || path[1] != '/')
        return FALSE;
    g_autoptr(GMappedFile) file = g_mapped_file_new(path + 1, FALSE, NULL);
    if (!file) {
        if (strstr(path, "merganser"))
            mrg_doctor_say(
                doctor, MRG_LEVEL_ERROR,
                "the table %s cannot be read — merganser mta postfix --split --apply "
                "--config-dir %s",
                path + 1, folder(doctor));
        return FALSE;
    }
    gsize length = MIN(g_mapped_file_get_length(file), TABLE_MAX);
    g_autofree char *text =
        length ? g_strndup(g_mapped_file_get_contents(file), length) : NULL;
    g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
    for (char **line = lines; *line; line++)
        has_rule = read_rule(*line, split) || has_rule;
    return has_rule;
}

/* Whether a setting of a cleanup service, header_checks as a rule, sends campaigns away. */
static gboolean
diverts(MrgDoctor *doctor, const MrgService *cleanup, const char *name, Split *split)
{
    g_auto(GStrv) maps = mrg_postfix_list(effective(doctor, cleanup, name));
    gboolean has_rule = FALSE;
    for (char **map = maps; *map; map++)
        has_rule = read_table(doctor, *map, split) || has_rule;
    return has_rule;
}

/* MIME and attached headers meet the message's own checks unless a setting says otherwise;
 * postconf does not see that for a service's own header_checks. */
static gboolean
diverts_attached(MrgDoctor *doctor, const MrgService *cleanup, const char *name,
                 Split *split)
{
    const char *value = cleanup ? g_hash_table_lookup(cleanup->options, name) : NULL;
    if (!value)
        value = mrg_postfix_own(doctor->postfix, name);
    return !value || g_str_equal(value, "$header_checks") ||
           diverts(doctor, cleanup, name, split);
}

static const MrgService *
cleanup_of(const MrgDoctor *doctor, const MrgService *service)
{
    const char *name = effective(doctor, service, "cleanup_service_name");
    g_autofree char *key = g_strconcat(*name ? name : "cleanup", "/unix", NULL);
    return mrg_postfix_service(doctor->postfix, key);
}

static void
say_not_split(MrgDoctor *doctor, const MrgService *service, MrgLevel level)
{
    mrg_doctor_say(
        doctor, level,
        "campaigns that come by %s are not split: its cleanup service has no FILTER "
        "for X-Campaign in header_checks — postconf -c %s -P "
        "%s/cleanup_service_name=campaign-cleanup",
        service->key, folder(doctor), service->key);
}

static void
check_headers_of(MrgDoctor *doctor, const MrgService *service, Split *split)
{
    const MrgService *cleanup = cleanup_of(doctor, service);
    gboolean is_diverting = diverts(doctor, cleanup, "header_checks", split);
    Role role = role_of(doctor, service);
    gboolean is_pickup = g_str_equal(service->command, "pickup");
    if (is_diverting && role == ROLE_NONE && !is_pickup)
        mrg_doctor_say(
            doctor, MRG_LEVEL_ERROR,
            "%s passes a cleanup service that sends X-Campaign to the merge: "
            "strangers' mail would be trusted — take that table out of header_checks "
            "in main.cf and type: postconf -c %s -PX %s/cleanup_service_name",
            service->key, folder(doctor), service->key);
    if (!is_diverting && role == ROLE_CHECK)
        say_not_split(doctor, service, MRG_LEVEL_ERROR);
    if (!is_diverting && is_pickup)
        say_not_split(doctor, service, MRG_LEVEL_WARNING);
    if (is_diverting && (diverts_attached(doctor, cleanup, "mime_header_checks", split) ||
                         diverts_attached(doctor, cleanup, "nested_header_checks", split)))
        mrg_doctor_say(
            doctor, MRG_LEVEL_WARNING,
            "%s also diverts a campaign that is attached to other mail — postconf -c "
            "%s -P %s/mime_header_checks= %s/nested_header_checks=",
            cleanup ? cleanup->key : "cleanup", folder(doctor),
            cleanup ? cleanup->key : "cleanup/unix",
            cleanup ? cleanup->key : "cleanup/unix");
    if (is_diverting && role != ROLE_NONE)
        mrg_doctor_say(doctor, MRG_LEVEL_OK, "%s splits campaigns", service->key);
}

/* ---- the hop ---- */

static gboolean
has_word(const char *list, const char *word)
{
    g_auto(GStrv) words = mrg_postfix_list(list);
    return g_strv_contains((const char *const *) words, word);
}

static void
check_hop(MrgDoctor *doctor, const MrgService *hop)
{
    const char *overrides = effective(doctor, hop, "receive_override_options");
    const char *filter = effective(doctor, hop, "content_filter");
    gboolean has_headers = !has_word(overrides, "no_header_body_checks");
    if (has_headers || !has_word(overrides, "no_address_mappings"))
        mrg_doctor_say(
            doctor, has_headers ? MRG_LEVEL_ERROR : MRG_LEVEL_WARNING,
            "%s lacks %s in receive_override_options: %s — postconf -c %s -P "
            "%s/receive_override_options=no_header_body_checks,no_address_mappings",
            hop->key, has_headers ? "no_header_body_checks" : "no_address_mappings",
            has_headers ? "header checks would send campaigns round in a loop"
                        : "aliases are applied a second time",
            folder(doctor), hop->key);
    if (*filter)
        mrg_doctor_say(
            doctor, MRG_LEVEL_ERROR,
            "%s has content_filter = %s: merged mail would go round again — postconf "
            "-c %s -P %s/content_filter=",
            hop->key, filter, folder(doctor), hop->key);
    if (role_of(doctor, hop) != ROLE_MERGE)
        mrg_doctor_say(
            doctor, MRG_LEVEL_ERROR,
            "%s has milter_macro_daemon_name = %s, which is not in merge_daemons of "
            "[trust]: campaigns would leave as templates — postconf -c %s -P "
            "%s/milter_macro_daemon_name=%s",
            hop->key, effective(doctor, hop, "milter_macro_daemon_name"), folder(doctor),
            hop->key,
            doctor->conf->trust_merge_daemons[0] ? doctor->conf->trust_merge_daemons[0]
                                                 : "merganser");
    if (!is_loopback(hop))
        mrg_doctor_say(
            doctor, MRG_LEVEL_WARNING,
            "%s listens beyond 127.0.0.1, and whoever connects may send campaigns — "
            "name it 127.0.0.1:PORT in master.cf",
            hop->key);
}

static const MrgService *
find_hop(const MrgDoctor *doctor, const char *address)
{
    const char *port = strrchr(address, ':');
    for (guint i = 0; i < doctor->postfix->services->len; i++) {
        const MrgService *service = doctor->postfix->services->pdata[i];
        const char *colon = strrchr(service->name, ':');
        if (is_entrance(service) && g_str_equal(service->type, "inet") &&
            g_strcmp0(colon ? colon + 1 : service->name, port ? port + 1 : address) == 0)
            return service;
    }
    return NULL;
}

static void
check_transport(MrgDoctor *doctor, const Split *split)
{
    g_autofree char *key = g_strconcat(split->transport, "/unix", NULL);
    g_autofree char *limit =
        g_strconcat(split->transport, "_destination_recipient_limit", NULL);
    const char *value = effective(doctor, NULL, limit);
    const MrgService *hop = find_hop(doctor, split->address);
    if (!mrg_postfix_service(doctor->postfix, key))
        mrg_doctor_say(
            doctor, MRG_LEVEL_ERROR,
            "header_checks send campaigns to the service %s, which master.cf lacks — "
            "merganser mta postfix --split --apply --config-dir %s",
            split->transport, folder(doctor));
    else if (!g_str_equal(value, "1"))
        mrg_doctor_say(doctor, MRG_LEVEL_ERROR,
                       "%s = %s: a message keeps several recipients and cannot be merged — "
                       "postconf -c %s -e %s=1",
                       limit, *value ? value : "not set", folder(doctor), limit);
    else
        mrg_doctor_say(doctor, MRG_LEVEL_OK, "%s = 1", limit);
    if (hop)
        check_hop(doctor, hop);
    else
        mrg_doctor_say(
            doctor, MRG_LEVEL_ERROR,
            "header_checks send campaigns to %s, where no smtpd of master.cf listens "
            "— merganser mta postfix --split --apply --config-dir %s",
            split->address, folder(doctor));
}

/* ---- the load ---- */

/* Connections that the store keeps; 0 where it has no such setting. */
static guint
pool_size(const MrgDoctor *doctor)
{
    const MrgConf *conf = doctor->conf;
    const MrgPluginConf *section = mrg_conf_plugin(conf, conf->store_plugin);
    g_autofree char *name = g_strconcat("store-", conf->store_plugin, NULL);
    const MrgPlugin *plugin = mrg_plugin_load(conf->milter_plugin_dir, name, NULL);
    const char *value = NULL;
    for (const MrgSettingInfo *info = plugin ? plugin->settings : NULL; info && info->name;
         info++)
        if (g_str_equal(info->name, "pool"))
            value = info->fallback;
    for (gsize i = 0; value && i < section->n_settings; i++)
        if (g_str_equal(section->settings[i].name, "pool"))
            value = section->settings[i].value;
    return value ? (guint) g_ascii_strtoull(value, NULL, 10) : 0;
}

static void
check_load(MrgDoctor *doctor, const MrgService *service, const Split *split)
{
    guint pool = pool_size(doctor);
    guint n = mrg_postfix_process_limit(doctor->postfix, service);
    if (split->transport && service == find_hop(doctor, split->address)) {
        g_autofree char *key = g_strconcat(split->transport, "/unix", NULL);
        const MrgService *transport = mrg_postfix_service(doctor->postfix, key);
        if (transport)
            n = MIN(n, mrg_postfix_process_limit(doctor->postfix, transport));
    }
    if (pool && n / MESSAGES_PER_CONNECTION > pool)
        mrg_doctor_say(
            doctor, MRG_LEVEL_WARNING,
            "%s lets %u messages at a time share %u connections to the store: under "
            "load, mail is told to come again — say pool = %u in [plugin %s] of %s, "
            "or: postconf -c %s -F %s/process_limit=%u",
            service->key, n, pool, n / MESSAGES_PER_CONNECTION, doctor->conf->store_plugin,
            doctor->conf->path, folder(doctor), service->key,
            pool * MESSAGES_PER_CONNECTION);
}

/* ---- all of it ---- */

static gboolean
has_role(const MrgDoctor *doctor, Role role)
{
    for (guint i = 0; i < doctor->postfix->services->len; i++)
        if (role_of(doctor, doctor->postfix->services->pdata[i]) == role)
            return TRUE;
    return FALSE;
}

/* Split shape: a door, a table or the transport shows that it is meant. */
static gboolean
is_split(const MrgDoctor *doctor)
{
    return has_role(doctor, ROLE_CHECK) ||
           mrg_postfix_service(doctor->postfix, "campaign-cleanup/unix") ||
           mrg_postfix_service(doctor->postfix, "merganser/unix");
}

void
mrg_doctor_postfix(MrgDoctor *doctor)
{
    const GPtrArray *services = doctor->postfix->services;
    Split split = {0};
    gboolean is_meant = is_split(doctor);
    for (guint i = 0; i < services->len; i++) {
        const MrgService *service = services->pdata[i];
        if (is_entrance(service))
            check_entrance(doctor, service);
    }
    for (guint i = 0; i < services->len; i++) {
        const MrgService *service = services->pdata[i];
        gboolean is_pickup = g_str_equal(service->command, "pickup");
        if (is_entrance(service) || (is_meant && is_pickup))
            check_headers_of(doctor, service, &split);
    }
    if (split.transport)
        check_transport(doctor, &split);
    for (guint i = 0; i < services->len; i++)
        if (role_of(doctor, services->pdata[i]) == ROLE_MERGE)
            check_load(doctor, services->pdata[i], &split);
    if (!has_role(doctor, ROLE_MERGE) && !doctor->conf->trust_senders[0])
        mrg_doctor_say(doctor, MRG_LEVEL_ERROR,
                       "no smtpd service of %s/master.cf passes campaigns to be merged — "
                       "merganser mta postfix --split --apply --config-dir %s",
                       folder(doctor), folder(doctor));
    split_clear(&split);
}
