/* SPDX-License-Identifier: Apache-2.0 */
/*
 * callbacks: libmilter's events, each a few lines, in the order the MTA sends them.
 *
 * Facts about libmilter: its documentation in sendmail's source, libmilter/docs.
 */
#include "config.h"

#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libmilter/mfapi.h>

#include "milter/error.h"
#include "milter/intake/connection.h"
#include "milter/intake/intake.h"

#define ACTIONS_NEEDED (SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_CHGBODY | SMFIF_QUARANTINE)
/* For stage mode; without them redirect() fails. */
#define ACTIONS_WANTED (SMFIF_ADDRCPT | SMFIF_DELRCPT)
/* Descriptors among which the listening socket is looked for. */
#define LISTENER_MAX 1024
/* libmilter is listening long before. */
#define START_US (2 * G_USEC_PER_SEC)
#define STEPS_SKIPPED (SMFIP_NOHELO | SMFIP_NOUNKNOWN | SMFIP_NODATA)
/* A sender without an answer has an MTA wait 40 ms over TCP, unless wire.c acknowledges. */
#ifdef HAVE_WIRE
#define STEPS_SILENT (SMFIP_NR_MAIL | SMFIP_NR_HDR | SMFIP_NR_BODY)
#else
#define STEPS_SILENT (SMFIP_NR_HDR | SMFIP_NR_BODY)
#endif
#define STEPS_SILENT_LATE (STEPS_SILENT | SMFIP_NR_MAIL | SMFIP_NR_RCPT | SMFIP_NR_EOH)
/* A reply line with code and enhanced code stays within RFC 5321's 512 bytes. */
#define REPLY_TEXT_MAX 400

static const MrgIntakeHandler *intake_handler;

static MrgConnection *
connection_of(SMFICTX *ctx)
{
    return smfi_getpriv(ctx);
}

/* ---- the MTA as the verdict sees it ---- */

/* Our values are exact, " text"; an MTA of the old way puts the space there itself. */
static char *
outgoing_value(SMFICTX *ctx, const char *value)
{
    return (char *) value + (!connection_of(ctx)->is_value_exact && *value == ' ');
}

static gboolean
change_header(void *mta, const char *name, guint index, const char *value)
{
    char *text = value ? outgoing_value(mta, value) : NULL;
    return smfi_chgheader(mta, (char *) name, (int) index, text) == MI_SUCCESS;
}

static gboolean
add_header(void *mta, const char *name, const char *value)
{
    return smfi_addheader(mta, (char *) name, outgoing_value(mta, value)) == MI_SUCCESS;
}

static gboolean
replace_body(void *mta, const char *body, gsize length)
{
    return smfi_replacebody(mta, (unsigned char *) body, (int) length) == MI_SUCCESS;
}

static gboolean
quarantine(void *mta, const char *reason)
{
    return smfi_quarantine(mta, (char *) reason) == MI_SUCCESS;
}

/* Added first: a message is never without a recipient. */
static gboolean
redirect(void *mta, const char *from, const char *to)
{
    g_autofree char *old = g_strdup_printf("<%s>", from);
    g_autofree char *new = g_strdup_printf("<%s>", to);
    return smfi_addrcpt(mta, new) == MI_SUCCESS && smfi_delrcpt(mta, old) == MI_SUCCESS;
}

static gboolean
set_reply(void *mta, const char *code, const char *enhanced, const char *text)
{
    g_autoptr(GString) safe = g_string_new(NULL);
    for (const char *c = text; *c && safe->len < REPLY_TEXT_MAX; c++) {
        if (*c == '%')
            g_string_append(safe, "%%"); /* the MTA takes a single one for a format */
        else
            g_string_append_c(safe, *c >= ' ' && *c <= '~' ? *c : '?');
    }
    return smfi_setreply(mta, (char *) code, (char *) enhanced, safe->str) == MI_SUCCESS;
}

static const MrgMtaApi mta_api = {
    .change_header = change_header,
    .add_header = add_header,
    .replace_body = replace_body,
    .quarantine = quarantine,
    .redirect = redirect,
    .set_reply = set_reply,
};

static sfsistat
to_milter(MrgAnswer answer)
{
    switch (answer) {
    case MRG_ANSWER_CONTINUE:
        return SMFIS_CONTINUE;
    case MRG_ANSWER_ACCEPT:
        return SMFIS_ACCEPT;
    case MRG_ANSWER_DISCARD:
        return SMFIS_DISCARD;
    case MRG_ANSWER_REJECT:
        return SMFIS_REJECT;
    case MRG_ANSWER_TEMPFAIL:
        break;
    }
    return SMFIS_TEMPFAIL;
}

/* ---- events ---- */

static unsigned long
steps_wanted(void)
{
    gpointer hold;
    const MrgIntakeRules *rules = intake_handler->acquire(&hold);
    unsigned long silent =
        rules && rules->is_answered_late ? STEPS_SILENT_LATE : STEPS_SILENT;
    intake_handler->release(hold);
    return STEPS_SKIPPED | SMFIP_HDR_LEADSPC | silent;
}

static sfsistat
on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps,
             unsigned long unused_2 G_GNUC_UNUSED, unsigned long unused_3 G_GNUC_UNUSED,
             unsigned long *my_actions, unsigned long *my_steps, unsigned long *my_2,
             unsigned long *my_3)
{
    if ((actions & ACTIONS_NEEDED) != ACTIONS_NEEDED) {
        g_critical("the MTA does not offer all of the edits that merging needs "
                   "(headers, body, quarantine): nothing is filtered for it");
        return SMFIS_REJECT;
    }
    *my_actions = ACTIONS_NEEDED | (actions & ACTIONS_WANTED);
    if (actions & SMFIF_SETSYMLIST) {
        *my_actions |= SMFIF_SETSYMLIST;
        smfi_setsymlist(ctx, SMFIM_CONNECT, (char *) "{daemon_name}");
        /* Sendmail tells its queue id here, and not at the end. */
        smfi_setsymlist(ctx, SMFIM_ENVFROM, (char *) "i {auth_authen}");
        smfi_setsymlist(ctx, SMFIM_EOM, (char *) "i");
    }
    *my_steps = steps & steps_wanted();
    *my_2 = 0;
    *my_3 = 0;

    mrg_connection_free(connection_of(ctx));
    MrgConnection *connection = mrg_connection_new(intake_handler);
    connection->is_sender_silent = (*my_steps & SMFIP_NR_MAIL) != 0;
    connection->is_recipient_silent = (*my_steps & SMFIP_NR_RCPT) != 0;
    connection->is_header_silent = (*my_steps & SMFIP_NR_HDR) != 0;
    connection->is_headers_end_silent = (*my_steps & SMFIP_NR_EOH) != 0;
    connection->is_body_silent = (*my_steps & SMFIP_NR_BODY) != 0;
    connection->is_value_exact = (*my_steps & SMFIP_HDR_LEADSPC) != 0;
    smfi_setpriv(ctx, connection);
    return SMFIS_CONTINUE;
}

static sfsistat
on_connect(SMFICTX *ctx, char *host G_GNUC_UNUSED, _SOCK_ADDR *address G_GNUC_UNUSED)
{
    MrgConnection *connection = connection_of(ctx);
    if (!mrg_connection_set_daemon(connection,
                                   smfi_getsymval(ctx, (char *) "{daemon_name}")))
        return SMFIS_TEMPFAIL;
    return connection->may_be_trusted ? SMFIS_CONTINUE : SMFIS_ACCEPT;
}

/* "<ann@example.com>" over SMTP, without brackets from sendmail(1). */
static char *
bare_address(const char *argument)
{
    gsize length = strlen(argument);
    if (length >= 2 && argument[0] == '<' && argument[length - 1] == '>')
        return g_strndup(argument + 1, length - 2);
    return g_strdup(argument);
}

/* Given at the first recipient where the sender gets none. */
static sfsistat
answer_sender(const MrgConnection *connection)
{
    if (!connection->envelope)
        return SMFIS_TEMPFAIL;
    return connection->envelope->role == MRG_ROLE_NONE ? SMFIS_ACCEPT : SMFIS_CONTINUE;
}

static sfsistat
on_mail(SMFICTX *ctx, char **arguments)
{
    MrgConnection *connection = connection_of(ctx);
    g_autofree char *sender = bare_address(arguments[0]);
    (void) mrg_connection_begin(connection, sender,
                                smfi_getsymval(ctx, (char *) "{auth_authen}"));
    return connection->is_sender_silent ? SMFIS_NOREPLY : answer_sender(connection);
}

static void
add_recipient(const MrgConnection *connection, const char *argument)
{
    g_autofree char *address = bare_address(argument);
    mrg_envelope_add_recipient(connection->envelope, &connection->rules->limits, address);
}

static sfsistat
on_recipient(SMFICTX *ctx, char **arguments)
{
    MrgConnection *connection = connection_of(ctx);
    MrgEnvelope *envelope = connection->envelope;
    sfsistat answer = answer_sender(connection);
    if (connection->is_recipient_silent) {
        if (answer == SMFIS_CONTINUE)
            add_recipient(connection, arguments[0]);
        return SMFIS_NOREPLY;
    }
    if (answer != SMFIS_CONTINUE)
        return answer;
    /* A service of a listed merge daemon carries campaigns alone, so the client can be told
     * to split right here.  Never for sendmail(1): Postfix would try for ever. */
    if (envelope->recipients->len > 0 && connection->daemon_role == MRG_ROLE_MERGE &&
        arguments[0][0] == '<') {
        set_reply(ctx, "452", "4.5.3",
                  "one recipient per message here; send the next one in "
                  "another transaction");
        return SMFIS_TEMPFAIL;
    }
    add_recipient(connection, arguments[0]);
    return SMFIS_CONTINUE;
}

static sfsistat
on_header(SMFICTX *ctx, char *name, char *value)
{
    MrgConnection *connection = connection_of(ctx);
    g_autofree char *exact =
        connection->is_value_exact ? NULL : g_strconcat(" ", value, NULL);
    if (answer_sender(connection) == SMFIS_CONTINUE)
        mrg_envelope_add_header(connection->envelope, &connection->rules->limits, name,
                                exact ? exact : value);
    return connection->is_header_silent ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

static sfsistat
on_headers_end(SMFICTX *ctx)
{
    MrgConnection *connection = connection_of(ctx);
    if (connection->is_headers_end_silent)
        return SMFIS_NOREPLY;
    if (!connection->envelope)
        return SMFIS_TEMPFAIL;
    if (connection->envelope->is_campaign)
        return SMFIS_CONTINUE;
    mrg_connection_end(connection);
    return SMFIS_ACCEPT;
}

static sfsistat
on_body(SMFICTX *ctx, unsigned char *chunk, size_t length)
{
    MrgConnection *connection = connection_of(ctx);
    if (connection->envelope && connection->envelope->is_campaign)
        mrg_envelope_add_body(connection->envelope, &connection->rules->limits, chunk,
                              length);
    return connection->is_body_silent ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

static sfsistat
on_message_end(SMFICTX *ctx)
{
    MrgConnection *connection = connection_of(ctx);
    MrgEnvelope *envelope = connection->envelope;
    const MrgMta mta = {&mta_api, ctx};
    if (!envelope)
        return SMFIS_TEMPFAIL;
    if (!envelope->is_campaign) {
        mrg_connection_end(connection);
        return SMFIS_ACCEPT;
    }
    mrg_envelope_end_body(envelope);
    envelope->queue_id =
        mrg_arena_strdup(envelope->arena, smfi_getsymval(ctx, (char *) "i"));
    MrgAnswer answer = connection->handler->message(connection->hold, envelope, &mta);
    mrg_connection_end(connection);
    return to_milter(answer);
}

static sfsistat
on_abort(SMFICTX *ctx)
{
    MrgConnection *connection = connection_of(ctx);
    if (connection)
        mrg_connection_end(connection);
    return SMFIS_CONTINUE;
}

static sfsistat
on_close(SMFICTX *ctx)
{
    mrg_connection_free(connection_of(ctx));
    smfi_setpriv(ctx, NULL);
    return SMFIS_CONTINUE;
}

/* ---- start ---- */

static gboolean
fail_socket(const MrgIntakeSocket *where, GError **error)
{
    g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG, "socket '%s' cannot be opened: %s",
                where->address,
                errno ? g_strerror(errno) : "not unix:/PATH or inet:PORT@HOST");
    return FALSE;
}

/* libmilter keeps its listening socket to itself, so it is looked for: the only one there
 * is.  -1 when there is none. */
static int
find_listener(void)
{
    long n = sysconf(_SC_OPEN_MAX);
    for (int fd = 3; fd < MIN(n, LISTENER_MAX); fd++) {
        int is_listening = 0;
        socklen_t size = sizeof is_listening;
        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &size) == 0 &&
            is_listening)
            return fd;
    }
    return -1;
}

/* Without this, each message waits 40 ms for an acknowledgement that the MTA's side
 * delays (RFC 1122, 4.2.3.2 and 4.2.3.4); accepted sockets inherit it. */
static void
send_without_delay(void)
{
    int yes = 1;
    (void) setsockopt(find_listener(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

static gboolean
open_socket(const MrgIntakeSocket *where, GError **error)
{
    const char *path =
        g_str_has_prefix(where->address, "unix:") ? where->address + 5 : NULL;
    errno = 0;
    /* Born closed to others; opened below for the group alone. */
    mode_t before = umask(0177);
    gboolean is_open = smfi_setconn((char *) where->address) == MI_SUCCESS &&
                       smfi_opensocket(TRUE) == MI_SUCCESS;
    umask(before);
    if (!is_open)
        return fail_socket(where, error);
    if (!path) {
        send_without_delay();
        return TRUE;
    }
    struct group *group = *where->group ? getgrnam(where->group) : NULL;
    if (*where->group && !group) {
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG, "there is no group '%s'",
                    where->group);
        return FALSE;
    }
    if ((group && chown(path, (uid_t) -1, group->gr_gid) != 0) ||
        chmod(path, (mode_t) where->mode) != 0)
        return fail_socket(where, error);
    return TRUE;
}

gboolean
mrg_intake_open(const MrgIntakeSocket *where, const MrgIntakeHandler *handler,
                GError **error)
{
    static const struct smfiDesc filter = {
        .xxfi_name = (char *) "merganser",
        .xxfi_version = SMFI_VERSION,
        .xxfi_flags = ACTIONS_NEEDED | ACTIONS_WANTED | SMFIF_SETSYMLIST,
        .xxfi_connect = on_connect,
        .xxfi_envfrom = on_mail,
        .xxfi_envrcpt = on_recipient,
        .xxfi_header = on_header,
        .xxfi_eoh = on_headers_end,
        .xxfi_body = on_body,
        .xxfi_eom = on_message_end,
        .xxfi_abort = on_abort,
        .xxfi_close = on_close,
        .xxfi_negotiate = on_negotiate,
    };
    intake_handler = handler;
    if (smfi_register(filter) != MI_SUCCESS) {
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG, "libmilter refused to start");
        return FALSE;
    }
    return open_socket(where, error);
}

/* A signal that comes while libmilter starts closes the socket before it listens, which it
 * reports as a failure.  Of the real ones, those of its threads leave the socket open, and
 * of accept() it takes many, with pauses. */
gboolean
mrg_intake_run(void)
{
    gint64 began_us = g_get_monotonic_time();
    if (smfi_main() == MI_SUCCESS)
        return TRUE;
    return find_listener() < 0 && g_get_monotonic_time() - began_us < START_US;
}
