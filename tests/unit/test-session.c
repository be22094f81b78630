/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions with an MTA whose every word is written down; the answers are told as letters.
 */
#include "config.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "milter/intake/protocol.h"
#include "milter/intake/session.h"

#define ALL_ACTIONS 0x1ff
#define ALL_STEPS 0x1fffff

static const char *senders[] = {NULL, NULL};
static MrgAnswer next_answer;
static const char *next_body; /* what the body becomes, or NULL */
static GString *messages;     /* "ROLE SENDER QUEUE-ID N-RECIPIENTS BODY-BYTES;" */

static const MrgIntakeRules *
acquire(gpointer *hold)
{
    static const char *const merging[] = {"merganser", NULL};
    static const char *const checking[] = {"campaign-check", NULL};
    static MrgIntakeRules rules = {merging, checking, NULL, {100, 100000, 1000000, 10}};
    rules.senders = senders;
    *hold = &rules;
    return &rules;
}

static void
release(gpointer hold)
{
    g_assert_nonnull(hold);
}

static MrgAnswer
take_message(gpointer hold G_GNUC_UNUSED, MrgEnvelope *envelope, const MrgMta *mta)
{
    g_string_append_printf(messages, "%d %s %s %u %u;", envelope->role, envelope->sender,
                           envelope->queue_id, envelope->recipients->len,
                           envelope->body->len);
    if (next_body)
        g_assert_true(mta->api->replace_body(mta->context, next_body, strlen(next_body)));
    if (next_answer == MRG_ANSWER_REJECT)
        mta->api->set_reply(mta->context, "550", "5.6.0", "100% wrong\n");
    return next_answer;
}

/* ---- what the MTA says ---- */

static void
say(GByteArray *said, char command, const void *data, gsize length)
{
    guint32 number = GUINT32_TO_BE((guint32) length + 1);
    g_byte_array_append(said, (const guint8 *) &number, sizeof number);
    g_byte_array_append(said, (const guint8 *) &command, 1);
    g_byte_array_append(said, data, (guint) length);
}

static void
say_options(GByteArray *said, guint32 actions, guint32 steps)
{
    const guint32 numbers[] = {GUINT32_TO_BE(MRG_MILTER_VERSION), GUINT32_TO_BE(actions),
                               GUINT32_TO_BE(steps)};
    say(said, 'O', numbers, sizeof numbers);
}

/* With the NUL at its end. */
static void
say_text(GByteArray *said, char command, const char *text)
{
    say(said, command, text, strlen(text) + 1);
}

#define SAY_BYTES(said, command, bytes) say(said, command, bytes, sizeof(bytes))

static void
say_connect(GByteArray *said, const char *daemon)
{
    g_autofree char *macros = g_strdup_printf("C{daemon_name}|%s|", daemon);
    gsize length = strlen(macros);
    g_strdelimit(macros, "|", '\0');
    say(said, 'D', macros, length);
    SAY_BYTES(said, 'C', "localhost\0004\0\031127.0.0.1");
}

static void
say_message(GByteArray *said, const char *recipient, const char *body)
{
    say_text(said, 'M', "<news@example.com>");
    say_text(said, 'R', recipient);
    SAY_BYTES(said, 'L', "X-Campaign\0 spring");
    say(said, 'N', NULL, 0);
    say(said, 'B', body, strlen(body));
    SAY_BYTES(said, 'D', "Ei\0004ABC");
    say(said, 'E', NULL, 0);
}

static GByteArray *
new_mta(void)
{
    GByteArray *said = g_byte_array_new();
    say_options(said, ALL_ACTIONS, ALL_STEPS);
    next_answer = MRG_ANSWER_ACCEPT;
    next_body = NULL;
    senders[0] = NULL;
    g_string_truncate(messages, 0);
    return said;
}

/* ---- what it is answered ---- */

static GByteArray *
read_all(int fd)
{
    GByteArray *all = g_byte_array_new();
    guint8 bytes[4096];
    for (ssize_t n; (n = read(fd, bytes, sizeof bytes)) > 0;)
        g_byte_array_append(all, bytes, (guint) n);
    return all;
}

static GByteArray *
run(GByteArray *said)
{
    static const MrgIntakeHandler handler = {acquire, release, take_message};
    int fds[2];
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
    g_assert_cmpint(write(fds[0], said->data, said->len), ==, (ssize_t) said->len);
    shutdown(fds[0], SHUT_WR);
    mrg_session_run(fds[1], &handler);
    close(fds[1]);
    GByteArray *answers = read_all(fds[0]);
    close(fds[0]);
    g_byte_array_unref(said);
    return answers;
}

/* The first letter of each answer; texts of replies in brackets. */
static char *
letters(GByteArray *answers)
{
    GString *text = g_string_new(NULL);
    for (guint at = 0; at < answers->len;) {
        guint32 length;
        memcpy(&length, answers->data + at, sizeof length);
        length = GUINT32_FROM_BE(length);
        g_assert_cmpuint(at + sizeof length + length, <=, answers->len);
        char letter = (char) answers->data[at + sizeof length];
        g_string_append_c(text, letter);
        if (letter == 'y')
            g_string_append_printf(text, "(%s)", answers->data + at + sizeof length + 1);
        at += (guint) sizeof length + length;
    }
    g_byte_array_unref(answers);
    return g_string_free(text, FALSE);
}

static void
expect(GByteArray *said, const char *answers, const char *taken)
{
    g_autofree char *got = letters(run(said));
    g_assert_cmpstr(got, ==, answers);
    g_assert_cmpstr(messages->str, ==, taken);
}

/* ---- cases ---- */

static void
a_message_is_handed_on(void)
{
    GByteArray *said = new_mta();
    say_connect(said, "merganser");
    say_message(said, "<ann@example.com>", "text\r\n");
    say_message(said, "<bob@example.com>", "");
    say(said, 'Q', NULL, 0);
    /* Options, connection, then recipient, end of the header and of the message for each.
     */
    expect(said, "Occcacca", "2 news@example.com 4ABC 1 6;2 news@example.com 4ABC 1 0;");
}

static void
every_answer_has_its_word(void)
{
    static const struct {
        MrgAnswer answer;
        const char *letters;
    } cases[] = {
        {MRG_ANSWER_ACCEPT, "Occca"},
        {MRG_ANSWER_CONTINUE, "Occcc"},
        {MRG_ANSWER_DISCARD, "Occcd"},
        {MRG_ANSWER_TEMPFAIL, "Occct"},
        {MRG_ANSWER_REJECT, "Occcy(550 5.6.0 100%% wrong?)"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        GByteArray *said = new_mta();
        next_answer = cases[i].answer;
        say_connect(said, "merganser");
        say_message(said, "<ann@example.com>", "text\r\n");
        expect(said, cases[i].letters, "2 news@example.com 4ABC 1 6;");
    }
}

static void
an_mta_of_the_old_way_gets_an_answer_to_everything(void)
{
    GByteArray *said = g_byte_array_new();
    g_byte_array_unref(new_mta());
    say_options(said, 0x3f, 0);
    say_connect(said, "merganser");
    say_text(said, 'H', "localhost");
    say_text(said, 'M', "<news@example.com>");
    say_text(said, 'R', "<ann@example.com>");
    say(said, 'T', NULL, 0);
    SAY_BYTES(said, 'L', "X-Campaign\0spring");
    say(said, 'N', NULL, 0);
    say(said, 'B', "a\r\n", 3);
    SAY_BYTES(said, 'D', "Ei\0004ABC");
    /* A last piece of the body may come with the end. */
    say(said, 'E', "b\r\n", 3);
    expect(said, "Occcccccca", "2 news@example.com 4ABC 1 6;");
}

static void
a_large_body_goes_out_in_pieces(void)
{
    g_autofree char *body = g_strnfill(3 * MRG_MILTER_DATA_MAX - 10, 'x');
    GByteArray *said = new_mta();
    next_body = body;
    say_connect(said, "merganser");
    say_message(said, "<ann@example.com>", "text\r\n");
    expect(said, "Occcbbba", "2 news@example.com 4ABC 1 6;");
    said = new_mta();
    next_body = "";
    say_connect(said, "merganser");
    say_message(said, "<ann@example.com>", "text\r\n");
    expect(said, "Occcba", "2 news@example.com 4ABC 1 6;");
}

static void
a_second_recipient_has_to_wait(void)
{
    GByteArray *said = new_mta();
    say_connect(said, "merganser");
    say_text(said, 'M', "<news@example.com>");
    say_text(said, 'R', "<ann@example.com>");
    say_text(said, 'R', "<bob@example.com>");
    say(said, 'A', NULL, 0);
    expect(said,
           "Occy(452 4.5.3 one recipient per message here; send the next one in another "
           "transaction)",
           "");
}

/* A login holds for the one MAIL that it was told with. */
static void
a_login_does_not_outlive_its_message(void)
{
    GByteArray *said = new_mta();
    senders[0] = "tool";
    say_connect(said, "smtpd");
    SAY_BYTES(said, 'D', "M{auth_authen}\0tool");
    say_message(said, "<ann@example.com>", "text\r\n");
    say_text(said, 'M', "<news@example.com>");
    expect(said, "Occccaa", "2 news@example.com 4ABC 1 6;");
    said = new_mta();
    senders[0] = "tool";
    say_connect(said, "smtpd");
    SAY_BYTES(said, 'D', "R{auth_authen}\0tool");
    say_text(said, 'M', "<news@example.com>");
    expect(said, "Oca", "");
}

static void
a_name_of_a_daemon_holds_for_its_connection(void)
{
    GByteArray *said = new_mta();
    say_connect(said, "merganser");
    say(said, 'K', NULL, 0);
    SAY_BYTES(said, 'C', "localhost\0U");
    expect(said, "Oca", "");
}

/* MAIL had no answer, since nobody was trusted by login when the options were made. */
static void
untrusted_mail_is_let_go_at_its_header(void)
{
    GByteArray *said = new_mta();
    say_connect(said, "smtpd");
    say_message(said, "<ann@example.com>", "text\r\n");
    /* Behind the answer to the header's end nothing may come: the connection is closed. */
    expect(said, "Oaca", "");
}

static void
what_is_out_of_place_ends_the_connection(void)
{
    static const char *const orders[] = {"M",    "R",  "CR",    "CL",   "CN",
                                         "CB",   "CE", "CMRNN", "CMRE", "CMRB",
                                         "CMNL", "CC", "O",     "Z",    "CMRLR"};
    for (gsize i = 0; i < G_N_ELEMENTS(orders); i++) {
        GByteArray *said = new_mta();
        for (const char *order = orders[i]; *order; order++) {
            if (*order == 'C')
                say_connect(said, "merganser");
            else if (*order == 'L')
                SAY_BYTES(said, 'L', "X-Campaign\0 spring");
            else if (*order == 'O')
                say_options(said, ALL_ACTIONS, ALL_STEPS);
            else
                say_text(said, *order, "<ann@example.com>");
        }
        say(said, 'A', NULL, 0);
        say_text(said, 'M', "<ann@example.com>");
        say_text(said, 'R', "<late@example.com>");
        g_autofree char *got = letters(run(said));
        g_test_message("%s: %s", orders[i], got);
        /* As many answers as the order had events that were right, and none behind. */
        g_assert_cmpuint(strlen(got), <, strlen(orders[i]) + 1);
        g_assert_cmpstr(messages->str, ==, "");
    }
}

static void
malformed_packets_end_the_connection(void)
{
    static const struct {
        const char *bytes;
        gsize length;
    } packets[] = {
        {"\0\0\0\0", 4},    {"\0\0\0\1M", 5},    {"\0\0\0\2Mx", 6},
        {"\0\0\0\1L", 5},   {"\0\0\0\3La\0", 7}, {"\0\0\0\4La\0b", 8},
        {"\0\0\0\1D", 5},   {"\0\0\0\3DCx", 7},  {"\377\377\377\377M", 5},
        {"\0\020\0\1M", 5}, {"\0\0\0\5Dx", 6},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(packets); i++) {
        GByteArray *said = new_mta();
        say_connect(said, "merganser");
        g_byte_array_append(said, (const guint8 *) packets[i].bytes,
                            (guint) packets[i].length);
        expect(said, "Oc", "");
    }
    GByteArray *said = g_byte_array_new();
    say(said, 'O', "\0\0\0\6", 4);
    expect(said, "", "");
}

static void
an_mta_that_offers_too_little_is_left(void)
{
    GByteArray *said = g_byte_array_new();
    say_options(said, 0x0f, ALL_STEPS);
    say_connect(said, "merganser");
    expect(said, "", "");
}

/* Postfix tells headers of up to 100 KiB whole. */
static void
a_long_header_is_taken(void)
{
    g_autofree char *value = g_strnfill(90000, 'x');
    g_autofree char *header = g_strdup_printf("X-Long| %s", value);
    gsize length = strlen(header) + 1;
    g_strdelimit(header, "|", '\0');
    GByteArray *said = new_mta();
    say_connect(said, "merganser");
    say_text(said, 'M', "<news@example.com>");
    say_text(said, 'R', "<ann@example.com>");
    say(said, 'L', header, length);
    SAY_BYTES(said, 'L', "X-Campaign\0 spring");
    say(said, 'N', NULL, 0);
    SAY_BYTES(said, 'D', "Ei\0004ABC");
    say(said, 'E', NULL, 0);
    expect(said, "Occca", "2 news@example.com 4ABC 1 0;");
}

static void
ignore_log(const char *domain G_GNUC_UNUSED, GLogLevelFlags level G_GNUC_UNUSED,
           const char *text G_GNUC_UNUSED, gpointer data G_GNUC_UNUSED)
{
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_log_set_always_fatal(G_LOG_FATAL_MASK);
    g_log_set_handler("merganser", G_LOG_LEVEL_MASK, ignore_log, NULL);
    messages = g_string_new(NULL);
#define CASE(name) g_test_add_func("/session/" #name, name)
    CASE(a_message_is_handed_on);
    CASE(every_answer_has_its_word);
    CASE(an_mta_of_the_old_way_gets_an_answer_to_everything);
    CASE(a_large_body_goes_out_in_pieces);
    CASE(a_second_recipient_has_to_wait);
    CASE(a_login_does_not_outlive_its_message);
    CASE(a_name_of_a_daemon_holds_for_its_connection);
    CASE(untrusted_mail_is_let_go_at_its_header);
    CASE(what_is_out_of_place_ends_the_connection);
    CASE(malformed_packets_end_the_connection);
    CASE(an_mta_that_offers_too_little_is_left);
    CASE(a_long_header_is_taken);
    int rc = g_test_run();
    g_string_free(messages, TRUE);
    return rc;
}
