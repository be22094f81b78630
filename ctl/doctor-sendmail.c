/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a Sendmail passes mail to the milter: the instance that splits, the merging hop, and
 * what lies between them.  A host has one file for each, or both in one.
 */
#include "config.h"

#include <string.h>

#include "ctl/doctor.h"
#include "ctl/sendmail-cf.h"

#define FILE_MAX (4u << 20)
/* RFC 5321, 4.5.3.2.6: a sender waits ten minutes for what follows the final dot, and sends
 * again then. */
#define WAIT_MOST_S 600
#define WAIT_LEAST_S 30
#define AGAIN "make the file from its .mc anew, and restart Sendmail"

typedef struct Host {
    MrgDoctor *doctor;
    const char *path; /* of the file in question */
    const MrgSendmailCf *cf;
    GPtrArray *hops; /* ports of daemons that merge, in any file */
    GPtrArray *sent; /* "FILE", "PORT": where a split sends to */
} Host;

typedef enum { ROLE_NONE, ROLE_CHECK, ROLE_MERGE } Role;

static Role
role_of(const Host *host, const MrgCfDaemon *daemon)
{
    const MrgConf *conf = host->doctor->conf;
    return g_strv_contains(conf->trust_merge_daemons, daemon->name)   ? ROLE_MERGE
           : g_strv_contains(conf->trust_check_daemons, daemon->name) ? ROLE_CHECK
                                                                      : ROLE_NONE;
}

/* ---- the filter ---- */

static gboolean
is_ours(const Host *host, const MrgCfFilter *filter)
{
    g_auto(MrgPlace) place = {0};
    return filter && mrg_place_from_conf(&place, filter->socket) &&
           mrg_place_equal(&place, &host->doctor->place);
}

/* As Sendmail writes the socket of merganser.conf; the caller frees. */
static char *
our_socket(const Host *host)
{
    const MrgPlace *place = &host->doctor->place;
    return place->path ? g_strconcat("local:", place->path, NULL)
                       : g_strdup(host->doctor->conf->milter_socket);
}

static const MrgCfFilter *
find_ours(const Host *host)
{
    for (guint i = 0; i < host->cf->filters->len; i++)
        if (is_ours(host, host->cf->filters->pdata[i]))
            return host->cf->filters->pdata[i];
    return NULL;
}

static void
say_missing(const Host *host)
{
    g_autofree char *socket = our_socket(host);
    const MrgCfFilter *named = mrg_sendmail_cf_filter(host->cf, "merganser");
    g_autofree char *what =
        named ? g_strdup_printf("the filter merganser has S=%s", named->socket)
              : g_strdup("no filter reaches the milter");
    mrg_doctor_say(host->doctor, MRG_LEVEL_ERROR,
                   "%s: %s, and the daemon listens on %s — say MAIL_FILTER(`merganser', "
                   "`S=%s, F=T, T=C:10s;S:30s;R:5m;E:5m')dnl, " AGAIN,
                   host->path, what, host->doctor->conf->milter_socket, socket);
}

/* cf/README of 8.17, "MAIL_FILTER": T and 4 are temporary failures, R refuses for good, and
 * without any mail passes as if there were no filter. */
static void
check_flags(const Host *host, const MrgCfFilter *filter)
{
    gboolean is_waiting = strpbrk(filter->flags, "T4") != NULL;
    if (is_waiting && !strchr(filter->flags, 'R'))
        return;
    mrg_doctor_say(host->doctor, MRG_LEVEL_ERROR,
                   "%s: the filter %s has F=%s: while the milter is away, %s — say F=T in "
                   "its MAIL_FILTER, " AGAIN,
                   host->path, filter->name, filter->flags,
                   strchr(filter->flags, 'R') ? "mail is refused for good"
                                              : "templates leave as they are");
}

static void
check_wait(const Host *host, const MrgCfFilter *filter, char which, const char *what)
{
    guint64 wait_s = mrg_sendmail_cf_wait_s(filter, which);
    gint64 deadline_s = host->doctor->conf->store_deadline / G_USEC_PER_SEC;
    guint64 least_s = MAX(WAIT_LEAST_S, (guint64) (2 * deadline_s));
    if (wait_s >= least_s && wait_s <= WAIT_MOST_S)
        return;
    mrg_doctor_say(host->doctor, MRG_LEVEL_WARNING,
                   "%s: the filter %s is waited for %" G_GUINT64_FORMAT
                   " s for %s: %s — say T=C:10s;S:30s;R:5m;E:5m in its MAIL_FILTER, " AGAIN,
                   host->path, filter->name, wait_s, what,
                   wait_s < least_s ? "a busy store makes mail wait in the queue"
                                    : "a sender gives up before that, and sends again");
}

/* ---- daemons ---- */

static void
check_order(const Host *host, const MrgCfDaemon *daemon, GStrv filters)
{
    if (is_ours(host, mrg_sendmail_cf_filter(host->cf, filters[0])))
        return;
    const MrgCfFilter *ours = find_ours(host);
    mrg_doctor_say(host->doctor, MRG_LEVEL_ERROR,
                   "%s: mail to the daemon %s passes the filter %s before Merganser: what "
                   "that signs or reads is the template — say InputMailFilters=%s;%s in "
                   "its DAEMON_OPTIONS, " AGAIN,
                   host->path, daemon->name, filters[0], ours->name, filters[0]);
}

static void
check_filters(const Host *host, const MrgCfDaemon *daemon)
{
    GStrv filters = mrg_sendmail_cf_filters_of(host->cf, daemon);
    const MrgCfFilter *ours = find_ours(host);
    for (char **name = filters; ours && *name; name++)
        if (is_ours(host, mrg_sendmail_cf_filter(host->cf, *name))) {
            check_order(host, daemon, filters);
            return;
        }
    mrg_doctor_say(host->doctor, MRG_LEVEL_ERROR,
                   "%s: mail to the daemon %s does not pass the milter: templates leave as "
                   "they are — say InputMailFilters=%s in its DAEMON_OPTIONS, " AGAIN,
                   host->path, daemon->name, ours ? ours->name : "merganser");
}

static void
check_hop(const Host *host, const MrgCfDaemon *daemon)
{
    gboolean is_loopback = g_str_has_prefix(daemon->address, "127.") ||
                           g_str_equal(daemon->address, "localhost") ||
                           g_str_equal(daemon->address, "::1");
    g_ptr_array_add(host->hops, g_strdup(daemon->port));
    if (!is_loopback)
        mrg_doctor_say(
            host->doctor, MRG_LEVEL_WARNING,
            "%s: the daemon %s listens on %s, and whoever delivers mail there may "
            "send campaigns — say Addr=127.0.0.1 in its DAEMON_OPTIONS, " AGAIN,
            host->path, daemon->name, *daemon->address ? daemon->address : "every address");
}

/* ---- the split ---- */

/* The last word of "TCP $h 10026", or NULL where it is SMTP's own port. */
static const char *
port_of(const MrgCfMailer *mailer)
{
    const char *last = strrchr(mailer->arguments, ' ');
    return last && g_ascii_isdigit(last[1]) ? last + 1 : NULL;
}

static void
check_split(const Host *host)
{
    const char *smart = host->cf->smart_host;
    g_autofree char *name = g_strndup(smart, strcspn(smart, ":"));
    const MrgCfMailer *mailer = mrg_sendmail_cf_mailer(host->cf, name);
    if (!mailer) {
        mrg_doctor_say(host->doctor, MRG_LEVEL_ERROR,
                       "%s: mail of the door does not all go to the merging hop: the smart "
                       "host is '%s' — say define(`SMART_HOST', `esmtp:[127.0.0.1]')dnl, "
                       "and take the rest from " MRG_DATA_DIR "/sendmail/split.mc; " AGAIN,
                       host->path, smart);
        return;
    }
    if (mailer->n_recipients != 1)
        mrg_doctor_say(host->doctor, MRG_LEVEL_ERROR,
                       "%s: the mailer %s gives the hop messages for %u recipients (r=), "
                       "which are not merged — say define(`SMTP_MAILER_MAXRCPTS', `1')dnl "
                       "above MAILER(`smtp'), " AGAIN,
                       host->path, name, mailer->n_recipients);
    const char *port = port_of(mailer);
    g_ptr_array_add(host->sent, g_strdup(host->path));
    g_ptr_array_add(host->sent, g_strdup(port ? port : "25"));
}

/* Where no file has a hop, that is the finding. */
static void
check_way(const Host *host)
{
    for (guint i = 0; host->hops->len && i < host->sent->len; i += 2) {
        const char *port = host->sent->pdata[i + 1];
        if (g_ptr_array_find_with_equal_func(host->hops, port, g_str_equal, NULL))
            continue;
        mrg_doctor_say(host->doctor, MRG_LEVEL_ERROR,
                       "%s: the split sends to port %s, where no daemon merges — say "
                       "define(`ESMTP_MAILER_ARGS', `TCP $h %s')dnl, " AGAIN,
                       (const char *) host->sent->pdata[i], port,
                       (const char *) host->hops->pdata[0]);
    }
}

/* ---- a file ---- */

static void
check_daemons(const Host *host)
{
    gboolean is_split = FALSE, has_role = FALSE;
    for (guint i = 0; i < host->cf->daemons->len; i++) {
        const MrgCfDaemon *daemon = host->cf->daemons->pdata[i];
        Role role = role_of(host, daemon);
        if (role == ROLE_NONE)
            continue;
        has_role = TRUE;
        check_filters(host, daemon);
        if (role == ROLE_MERGE)
            check_hop(host, daemon);
        is_split = is_split || role == ROLE_CHECK;
    }
    if (is_split)
        check_split(host);
    if (has_role && !strstr(host->cf->connect_macros, "{daemon_name}"))
        mrg_doctor_say(host->doctor, MRG_LEVEL_ERROR,
                       "%s: filters are not told {daemon_name}, so that no campaign is "
                       "trusted — add {daemon_name} to define(`confMILTER_MACROS_CONNECT', "
                       "...), " AGAIN,
                       host->path);
}

static void
check_file(Host *host)
{
    g_autofree char *text = NULL;
    gsize length;
    g_autoptr(GError) error = NULL;
    if (!mrg_read_file(host->path, FILE_MAX, &text, &length, &error)) {
        mrg_doctor_say(host->doctor, MRG_LEVEL_ERROR,
                       "%s — name the files that Sendmail runs with, as in: merganser "
                       "doctor --sendmail /etc/mail/sendmail.cf --sendmail "
                       "/etc/mail/campaign.cf",
                       error->message);
        return;
    }
    g_autoptr(MrgSendmailCf) cf = mrg_sendmail_cf_parse(text);
    host->cf = cf;
    const MrgCfFilter *ours = find_ours(host);
    check_daemons(host);
    if (!ours) {
        say_missing(host);
        return;
    }
    check_flags(host, ours);
    check_wait(host, ours, 'R', "an answer");
    check_wait(host, ours, 'E', "the end of a message");
    mrg_doctor_say(host->doctor, MRG_LEVEL_OK, "%s: the filter %s reaches the milter",
                   host->path, ours->name);
}

void
mrg_doctor_sendmail(MrgDoctor *doctor, const char *const *paths)
{
    g_autoptr(GPtrArray) hops = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) sent = g_ptr_array_new_with_free_func(g_free);
    Host host = {.doctor = doctor, .hops = hops, .sent = sent};
    for (; *paths; paths++) {
        host.path = *paths;
        check_file(&host);
    }
    const char *name = doctor->conf->trust_merge_daemons[0];
    if (!hops->len)
        mrg_doctor_say(doctor, MRG_LEVEL_ERROR,
                       "no daemon of %s merges: none is called %s — put "
                       "DAEMON_OPTIONS(`Name=%s, Addr=127.0.0.1, Port=10026, Family=inet, "
                       "InputMailFilters=merganser')dnl into its .mc, as " MRG_DATA_DIR
                       "/sendmail/hop.mc does; " AGAIN,
                       host.path, name ? name : "as merge_daemons of merganser.conf says",
                       name ? name : "merganser");
    check_way(&host);
}
