/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "ctl/mail-log.h"

#define NOW (G_GINT64_CONSTANT(1764201600) * 1000000) /* 2025-11-27T00:00:00Z */
#define AGENT "Nov 26 23:15:31 mx postfix/smtp[8]: "
#define OURS "Nov 26 23:15:31 mx merganser-milter[7]: "
#define COPY "00112233445566778899aabbccddeeff"

static void
copies_and_deliveries_are_read(void)
{
    static const struct {
        const char *line;
        MrgLogKind kind;
        MrgDeliveryState state;
        const char *queue_id, *word; /* campaign, or code */
    } lines[] = {
        {OURS "4ABCDE: verdict=deliver, campaign=spring, copy=" COPY ", us=9", MRG_LOG_COPY,
         0, "4ABCDE", "spring"},
        {AGENT "4ABCDE: to=<a@b.c>, relay=x, dsn=2.0.0, status=sent (250 ok)",
         MRG_LOG_DELIVERY, MRG_DELIVERY_SENT, "4ABCDE", "2.0.0"},
        {AGENT "4ABCDE: to=<a@b.c>, dsn=4.2.2, status=deferred (full)", MRG_LOG_DELIVERY,
         MRG_DELIVERY_DEFERRED, "4ABCDE", "4.2.2"},
        {AGENT "4ABCDE: to=<a@b.c>, dsn=5.1.1, status=bounced (none)", MRG_LOG_DELIVERY,
         MRG_DELIVERY_HARD_BOUNCE, "4ABCDE", "5.1.1"},
        {AGENT "4ABCDE: to=<a@b.c>, dsn=5.7.1, status=bounced (policy)", MRG_LOG_DELIVERY,
         MRG_DELIVERY_SOFT_BOUNCE, "4ABCDE", "5.7.1"},
        /* what a remote server says is no word of ours */
        {AGENT "4ABCDE: to=<a@b.c>, dsn=2.0.0, status=sent (250 , status=bounced)",
         MRG_LOG_DELIVERY, MRG_DELIVERY_SENT, "4ABCDE", "2.0.0"},
        {AGENT "4ABCDE: to=<a@b.c>, dsn=4.0.0 (status=sent)", MRG_LOG_OTHER, 0, "", ""},
        {AGENT "4ABCDE: host said: 4XYZAB: to=<a@b.c>, status=sent", MRG_LOG_OTHER, 0, "",
         ""},
        {OURS "4ABCDE: check=deliver, campaign=spring, copy=" COPY, MRG_LOG_OTHER, 0, "",
         ""},
        {OURS "4ABCDE: verdict=deliver, campaign=spring, copy=00", MRG_LOG_OTHER, 0, "",
         ""},
        {OURS "NOQUEUE: verdict=reject, campaign=x, reason=copy=" COPY, MRG_LOG_OTHER, 0,
         "", ""},
        {"Nov 26 23:15:31 mx postfix/qmgr[1]: 4ABCDE: removed", MRG_LOG_GONE, 0, "4ABCDE",
         ""},
        {"Nov 26 23:15:31 mx postfix/qmgr[1]: 4ABCDE: removed twice", MRG_LOG_OTHER, 0, "",
         ""},
        {"Nov 26 23:15:31 mx evil[1]: 4ABCDE: removed", MRG_LOG_OTHER, 0, "", ""},
        {"Nov 26 23:15:31 mx evil[1]: 4ABCDE: to=<a@b.c>, status=sent", MRG_LOG_OTHER, 0,
         "", ""},
        {"]: 4ABCDE: to=<a@b.c>, status=sent", MRG_LOG_OTHER, 0, "", ""},
        {"", MRG_LOG_OTHER, 0, "", ""},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
        MrgLogLine read;
        mrg_log_line_read(&read, lines[i].line, NOW);
        g_test_message("%s", lines[i].line);
        g_assert_cmpint(read.kind, ==, lines[i].kind);
        if (read.kind == MRG_LOG_OTHER)
            continue;
        g_assert_cmpstr(read.queue_id, ==, lines[i].queue_id);
        g_assert_cmpstr(read.kind == MRG_LOG_COPY ? read.campaign : read.code, ==,
                        lines[i].word);
        g_assert_cmpint(read.state, ==, lines[i].state);
        if (read.kind == MRG_LOG_COPY)
            g_assert_cmpuint(read.copy.bytes[15], ==, 0xff);
        else if (read.kind == MRG_LOG_DELIVERY)
            g_assert_cmpstr(read.address, ==, "a@b.c");
    }
}

static void
times_are_those_of_syslog(void)
{
    static const struct {
        const char *time;
        gint64 at_s;
    } times[] = {{"2025-11-26T23:15:31.123+01:00", 1764195331},
                 {"2025-11-26T23:15:31Z", 1764198931},
                 {"Nov 26 23:15:31", 1764198931},
                 {"Dec 31 00:00:00", 1735603200}, /* of the year before */
                 {"Nov  1 00:00:00", 1761955200}};
    for (gsize i = 0; i < G_N_ELEMENTS(times); i++) {
        MrgLogLine read;
        g_autofree char *line =
            g_strconcat(times[i].time,
                        " mx postfix/smtp[8]: 4ABCDE: to=<a@b.c>, status=sent (x)", NULL);
        mrg_log_line_read(&read, line, NOW);
        g_assert_cmpint(read.kind, ==, MRG_LOG_DELIVERY);
        g_assert_cmpint(read.at_us / 1000000, ==, times[i].at_s);
    }
}

int
main(int argc, char **argv)
{
    g_setenv("TZ", "UTC", TRUE);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/mail-log/lines", copies_and_deliveries_are_read);
    g_test_add_func("/mail-log/times", times_are_those_of_syslog);
    return g_test_run();
}
