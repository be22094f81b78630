/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/intake/connection.h"
#include "milter/intake/protocol.h"
#include "milter/intake/session.h"
#include "milter/intake/wire.h"

#define ACTIONS_NEEDED                                                            \
    (MRG_ACTION_ADD_HEADER | MRG_ACTION_CHANGE_HEADER | MRG_ACTION_REPLACE_BODY | \
     MRG_ACTION_QUARANTINE)
/* For stage mode; without them redirect() fails. */
#define ACTIONS_FOR_STAGE (MRG_ACTION_ADD_RECIPIENT | MRG_ACTION_DELETE_RECIPIENT)
#define STEPS_WANTED                                                                      \
    (MRG_STEP_NO_HELO | MRG_STEP_NO_UNKNOWN | MRG_STEP_NO_DATA | MRG_STEP_SILENT_HEADER | \
     MRG_STEP_SILENT_BODY | MRG_STEP_EXACT_VALUE)
/* A reply line with code and enhanced code stays within RFC 5321's 512 bytes. */
#define REPLY_TEXT_MAX 400

/* How far the MTA has come; bits, so that a command can name all it may come in. */
typedef enum {
    STAGE_NEW = 1,
    STAGE_OPTIONS = 2,
    STAGE_CONNECTED = 4, /* between messages */
    STAGE_ENVELOPE = 8,
    STAGE_HEADERS = 16,
    STAGE_BODY = 32
} Stage;
#define STAGES_AFTER_OPTIONS (~(guint) STAGE_NEW)
#define STAGES_AFTER_CONNECT (STAGE_CONNECTED | STAGE_ENVELOPE | STAGE_HEADERS | STAGE_BODY)

typedef struct MrgSession {
    MrgWire wire;
    MrgConnection *connection;
    Stage stage;
    guint32 actions;
    gboolean is_mail_silent; /* negotiated: no reply to MAIL */
    char *daemon_name;       /* what macros told */
    char *login;
    char *queue_id;
    char *reply; /* chosen for the next refusal */
} MrgSession;

/* ---- the MTA as the verdict sees it ---- */

/* Our values are exact, " text"; an MTA of the old way puts the space there itself. */
static const char *
outgoing_value(const MrgSession *session, const char *value)
{
    return value + (!session->connection->is_value_exact && *value == ' ');
}

static gboolean
change_header(void *mta, const char *name, guint index, const char *value)
{
    MrgSession *session = mta;
    mrg_wire_begin(&session->wire, MRG_SAY_CHANGE_HEADER);
    mrg_wire_add_number(&session->wire, index);
    mrg_wire_add_text(&session->wire, name);
    mrg_wire_add_text(&session->wire, value ? outgoing_value(session, value) : "");
    return mrg_wire_end(&session->wire);
}

static gboolean
add_header(void *mta, const char *name, const char *value)
{
    MrgSession *session = mta;
    mrg_wire_begin(&session->wire, MRG_SAY_ADD_HEADER);
    mrg_wire_add_text(&session->wire, name);
    mrg_wire_add_text(&session->wire, outgoing_value(session, value));
    return mrg_wire_end(&session->wire);
}

/* An empty body is one empty piece. */
static gboolean
replace_body(void *mta, const char *body, gsize length)
{
    MrgSession *session = mta;
    gsize done = 0;
    do {
        gsize n = MIN(length - done, MRG_MILTER_DATA_MAX);
        mrg_wire_begin(&session->wire, MRG_SAY_REPLACE_BODY);
        mrg_wire_add(&session->wire, body + done, n);
        if (!mrg_wire_end(&session->wire))
            return FALSE;
        done += n;
    } while (done < length);
    return TRUE;
}

static gboolean
quarantine(void *mta, const char *reason)
{
    MrgSession *session = mta;
    mrg_wire_begin(&session->wire, MRG_SAY_QUARANTINE);
    mrg_wire_add_text(&session->wire, reason);
    return mrg_wire_end(&session->wire);
}

static gboolean
edit_recipient(MrgSession *session, char command, const char *address)
{
    g_autofree char *argument = g_strdup_printf("<%s>", address);
    mrg_wire_begin(&session->wire, command);
    mrg_wire_add_text(&session->wire, argument);
    return mrg_wire_end(&session->wire);
}

/* Added first: a message is never without a recipient. */
static gboolean
redirect(void *mta, const char *from, const char *to)
{
    MrgSession *session = mta;
    return (session->actions & ACTIONS_FOR_STAGE) == ACTIONS_FOR_STAGE &&
           edit_recipient(session, MRG_SAY_ADD_RECIPIENT, to) &&
           edit_recipient(session, MRG_SAY_DELETE_RECIPIENT, from);
}

static gboolean
set_reply(void *mta, const char *code, const char *enhanced, const char *text)
{
    MrgSession *session = mta;
    GString *reply = g_string_new(NULL);
    g_string_printf(reply, "%s %s ", code, enhanced);
    for (const char *c = text; *c && reply->len < REPLY_TEXT_MAX; c++) {
        if (*c == '%')
            g_string_append(reply, "%%"); /* the MTA takes a single one for a format */
        else
            g_string_append_c(reply, *c >= ' ' && *c <= '~' ? *c : '?');
    }
    g_free(session->reply);
    session->reply = g_string_free(reply, FALSE);
    return TRUE;
}

static const MrgMtaApi mta_api = {
    .change_header = change_header,
    .add_header = add_header,
    .replace_body = replace_body,
    .quarantine = quarantine,
    .redirect = redirect,
    .set_reply = set_reply,
};

/* ---- answers ---- */

static gboolean
say(MrgSession *session, MrgSay word)
{
    mrg_wire_begin(&session->wire, (char) word);
    return mrg_wire_end(&session->wire);
}

static gboolean
refuse(MrgSession *session, MrgSay word)
{
    g_autofree char *reply = g_steal_pointer(&session->reply);
    if (!reply)
        return say(session, word);
    mrg_wire_begin(&session->wire, MRG_SAY_REPLY);
    mrg_wire_add_text(&session->wire, reply);
    return mrg_wire_end(&session->wire);
}

static gboolean
answer(MrgSession *session, MrgAnswer what)
{
    switch (what) {
    case MRG_ANSWER_CONTINUE:
        return say(session, MRG_SAY_CONTINUE);
    case MRG_ANSWER_ACCEPT:
        return say(session, MRG_SAY_ACCEPT);
    case MRG_ANSWER_DISCARD:
        return say(session, MRG_SAY_DISCARD);
    case MRG_ANSWER_REJECT:
        return refuse(session, MRG_SAY_REJECT);
    case MRG_ANSWER_TEMPFAIL:
        break;
    }
    return refuse(session, MRG_SAY_TEMPFAIL);
}

static void
end_message(MrgSession *session)
{
    mrg_connection_end(session->connection);
    if (session->stage > STAGE_CONNECTED)
        session->stage = STAGE_CONNECTED;
}

/* The last word about a message. */
static gboolean
answer_finally(MrgSession *session, MrgAnswer what)
{
    end_message(session);
    return answer(session, what);
}

/* ---- commands ---- */

static void
ask_for_macros(MrgWire *wire, guint32 step, const char *names)
{
    mrg_wire_add_number(wire, step);
    mrg_wire_add_text(wire, names);
}

static gboolean
on_options(MrgSession *session, const MrgPacket *packet)
{
    gsize offset = 0;
    guint32 version, actions, steps;
    if (!mrg_packet_number(packet, &offset, &version) ||
        !mrg_packet_number(packet, &offset, &actions) ||
        !mrg_packet_number(packet, &offset, &steps))
        return FALSE;
    if ((actions & ACTIONS_NEEDED) != ACTIONS_NEEDED) {
        g_critical("the MTA does not offer all of the edits that merging needs "
                   "(headers, body, quarantine): nothing is filtered for it");
        return FALSE;
    }
    MrgConnection *connection = session->connection;
    /* Where nobody is trusted by login, MAIL leaves nothing to decide. */
    guint32 wanted = STEPS_WANTED;
    if (!mrg_connection_asks_login(connection))
        wanted |= MRG_STEP_SILENT_MAIL;
    steps &= wanted;
    session->actions =
        actions & (ACTIONS_NEEDED | ACTIONS_FOR_STAGE | MRG_ACTION_CHOOSE_MACROS);
    session->is_mail_silent = (steps & MRG_STEP_SILENT_MAIL) != 0;
    connection->is_header_silent = (steps & MRG_STEP_SILENT_HEADER) != 0;
    connection->is_body_silent = (steps & MRG_STEP_SILENT_BODY) != 0;
    connection->is_value_exact = (steps & MRG_STEP_EXACT_VALUE) != 0;
    session->stage = STAGE_OPTIONS;

    MrgWire *wire = &session->wire;
    mrg_wire_begin(wire, MRG_TOLD_OPTIONS);
    mrg_wire_add_number(wire, MIN(version, MRG_MILTER_VERSION));
    mrg_wire_add_number(wire, session->actions);
    mrg_wire_add_number(wire, steps);
    if (actions & MRG_ACTION_CHOOSE_MACROS) {
        ask_for_macros(wire, MRG_MACROS_CONNECT, "{daemon_name}");
        ask_for_macros(wire, MRG_MACROS_MAIL, "{auth_authen}");
        ask_for_macros(wire, MRG_MACROS_END, "i");
    }
    return mrg_wire_end(wire);
}

static void
set_text(char **place, const char *text)
{
    g_free(*place);
    *place = g_strdup(text);
}

/* Names of more than one letter stand in braces.  What one command was told does not hold
 * for the next of its kind: a login least of all. */
static gboolean
on_macros(MrgSession *session, const MrgPacket *packet)
{
    if (!packet->length)
        return FALSE;
    MrgTold command = (MrgTold) *packet->data;
    gsize offset = 1;
    if (command == MRG_TOLD_CONNECT)
        set_text(&session->daemon_name, NULL);
    if (command == MRG_TOLD_MAIL)
        set_text(&session->login, NULL);
    while (offset < packet->length) {
        const char *name = mrg_packet_text(packet, &offset);
        const char *value = mrg_packet_text(packet, &offset);
        if (!name || !value)
            return FALSE;
        if (command == MRG_TOLD_CONNECT && g_str_equal(name, "{daemon_name}"))
            set_text(&session->daemon_name, value);
        else if (command == MRG_TOLD_MAIL && g_str_equal(name, "{auth_authen}"))
            set_text(&session->login, value);
        else if (g_str_equal(name, "i") || g_str_equal(name, "{i}"))
            set_text(&session->queue_id, value);
    }
    return TRUE;
}

static gboolean
on_connect(MrgSession *session, const MrgPacket *packet G_GNUC_UNUSED)
{
    MrgConnection *connection = session->connection;
    session->stage = STAGE_CONNECTED;
    if (!mrg_connection_set_daemon(connection, session->daemon_name))
        return answer(session, MRG_ANSWER_TEMPFAIL);
    return answer(session,
                  connection->may_be_trusted ? MRG_ANSWER_CONTINUE : MRG_ANSWER_ACCEPT);
}

static gboolean
on_mail(MrgSession *session, const MrgPacket *packet)
{
    gsize offset = 0;
    const char *argument = mrg_packet_text(packet, &offset);
    if (!argument)
        return FALSE;
    /* "<ann@example.com>" over SMTP, without brackets from sendmail(1). */
    gsize length = strlen(argument);
    gboolean has_brackets =
        length >= 2 && argument[0] == '<' && argument[length - 1] == '>';
    g_autofree char *sender =
        has_brackets ? g_strndup(argument + 1, length - 2) : g_strdup(argument);
    g_autofree char *login = g_steal_pointer(&session->login);
    set_text(&session->queue_id, NULL);
    end_message(session);
    if (!mrg_connection_begin(session->connection, sender, login))
        return !session->is_mail_silent && answer(session, MRG_ANSWER_TEMPFAIL);
    session->stage = STAGE_ENVELOPE;
    if (session->is_mail_silent)
        return TRUE;
    return session->connection->envelope->role == MRG_ROLE_NONE
               ? answer_finally(session, MRG_ANSWER_ACCEPT)
               : answer(session, MRG_ANSWER_CONTINUE);
}

static gboolean
on_recipient(MrgSession *session, const MrgPacket *packet)
{
    MrgConnection *connection = session->connection;
    MrgEnvelope *envelope = connection->envelope;
    gsize offset = 0;
    const char *argument = mrg_packet_text(packet, &offset);
    if (!argument)
        return FALSE;
    /* A service of a listed merge daemon carries campaigns alone, so the client can be told
     * to split right here.  Never for sendmail(1): Postfix would try for ever. */
    if (envelope->recipients->len > 0 && connection->daemon_role == MRG_ROLE_MERGE &&
        *argument == '<') {
        set_reply(session, "452", "4.5.3",
                  "one recipient per message here; send the next one in "
                  "another transaction");
        return answer(session, MRG_ANSWER_TEMPFAIL);
    }
    mrg_envelope_add_recipient(envelope, &connection->rules->limits, argument);
    return answer(session, MRG_ANSWER_CONTINUE);
}

static gboolean
on_header(MrgSession *session, const MrgPacket *packet)
{
    MrgConnection *connection = session->connection;
    gsize offset = 0;
    const char *name = mrg_packet_text(packet, &offset);
    const char *value = mrg_packet_text(packet, &offset);
    if (!name || !value)
        return FALSE;
    g_autofree char *exact =
        connection->is_value_exact ? NULL : g_strconcat(" ", value, NULL);
    session->stage = STAGE_HEADERS;
    mrg_envelope_add_header(connection->envelope, &connection->rules->limits, name,
                            exact ? exact : value);
    return connection->is_header_silent || answer(session, MRG_ANSWER_CONTINUE);
}

static gboolean
on_headers_end(MrgSession *session, const MrgPacket *packet G_GNUC_UNUSED)
{
    const MrgEnvelope *envelope = session->connection->envelope;
    if (!envelope->is_campaign || envelope->role == MRG_ROLE_NONE)
        return answer_finally(session, MRG_ANSWER_ACCEPT);
    session->stage = STAGE_BODY;
    return answer(session, MRG_ANSWER_CONTINUE);
}

static void
add_body(MrgConnection *connection, const MrgPacket *packet)
{
    mrg_envelope_add_body(connection->envelope, &connection->rules->limits,
                          (const guint8 *) packet->data, packet->length);
}

static gboolean
on_body(MrgSession *session, const MrgPacket *packet)
{
    add_body(session->connection, packet);
    return session->connection->is_body_silent || answer(session, MRG_ANSWER_CONTINUE);
}

static gboolean
on_message_end(MrgSession *session, const MrgPacket *packet)
{
    MrgConnection *connection = session->connection;
    MrgEnvelope *envelope = connection->envelope;
    const MrgMta mta = {&mta_api, session};
    if (packet->length)
        add_body(connection, packet);
    mrg_envelope_end_body(envelope);
    envelope->queue_id = mrg_arena_strdup(envelope->arena, session->queue_id);
    MrgAnswer what = connection->handler->message(connection->hold, envelope, &mta);
    return answer_finally(session, what);
}

static gboolean
on_abort(MrgSession *session, const MrgPacket *packet G_GNUC_UNUSED)
{
    end_message(session);
    return TRUE;
}

static gboolean
on_unwanted(MrgSession *session, const MrgPacket *packet G_GNUC_UNUSED)
{
    return answer(session, MRG_ANSWER_CONTINUE);
}

static gboolean
on_quit_next(MrgSession *session, const MrgPacket *packet G_GNUC_UNUSED)
{
    end_message(session);
    set_text(&session->daemon_name, NULL);
    set_text(&session->login, NULL);
    session->stage = STAGE_OPTIONS;
    return TRUE;
}

/* ---- the way ---- */

typedef struct Event {
    MrgTold command;
    guint stages; /* in which it may come */
    gboolean (*run)(MrgSession *session, const MrgPacket *packet);
} Event;

static const Event events[] = {
    {MRG_TOLD_HEADER, STAGE_ENVELOPE | STAGE_HEADERS, on_header},
    {MRG_TOLD_MACROS, STAGES_AFTER_OPTIONS, on_macros},
    {MRG_TOLD_RECIPIENT, STAGE_ENVELOPE, on_recipient},
    {MRG_TOLD_MAIL, STAGES_AFTER_CONNECT, on_mail},
    {MRG_TOLD_HEADERS_END, STAGE_ENVELOPE | STAGE_HEADERS, on_headers_end},
    {MRG_TOLD_BODY, STAGE_BODY, on_body},
    {MRG_TOLD_END, STAGE_BODY, on_message_end},
    {MRG_TOLD_ABORT, STAGES_AFTER_OPTIONS, on_abort},
    {MRG_TOLD_CONNECT, STAGE_OPTIONS, on_connect},
    {MRG_TOLD_OPTIONS, STAGE_NEW, on_options},
    {MRG_TOLD_QUIT_NEXT, STAGES_AFTER_OPTIONS, on_quit_next},
    {MRG_TOLD_HELO, STAGES_AFTER_CONNECT, on_unwanted},
    {MRG_TOLD_DATA, STAGE_ENVELOPE, on_unwanted},
    {MRG_TOLD_UNKNOWN, STAGES_AFTER_CONNECT, on_unwanted},
};

/* FALSE for one that is not known, or that comes where it must not. */
static gboolean
take(MrgSession *session, const MrgPacket *packet)
{
    for (gsize i = 0; i < G_N_ELEMENTS(events); i++)
        if ((char) events[i].command == packet->command)
            return (events[i].stages & session->stage) && events[i].run(session, packet);
    return FALSE;
}

static void
session_clear(MrgSession *session)
{
    mrg_connection_free(session->connection);
    mrg_wire_clear(&session->wire);
    g_free(session->daemon_name);
    g_free(session->login);
    g_free(session->queue_id);
    g_free(session->reply);
}

void
mrg_session_run(int fd, const MrgIntakeHandler *handler)
{
    MrgSession session = {.stage = STAGE_NEW, .connection = mrg_connection_new(handler)};
    MrgPacket packet;
    mrg_wire_init(&session.wire, fd);
    while (mrg_wire_read(&session.wire, &packet) && packet.command != MRG_TOLD_QUIT)
        if (!take(&session, &packet)) {
            g_warning("an MTA said something that the milter protocol does not allow "
                      "there (%d at stage %d): the connection is closed",
                      packet.command, session.stage);
            break;
        }
    (void) mrg_wire_flush(&session.wire);
    session_clear(&session);
}
