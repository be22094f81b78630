/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smtp-load: sends one message to many people, each in a transaction of its own.
 *
 *   smtp-load PORT SESSIONS MESSAGES FIRST FILE
 *
 * MESSAGES copies go to personFIRST@example.com and those that follow, over SESSIONS
 * connections at the same time; a session sends one message behind the other.  The envelope
 * goes in one piece (RFC 2920).  FILE has CRLF line ends and no line that begins with a
 * dot; each copy gets a To and a Message-ID of its own in front.  An answer other than the
 * one hoped for ends the program with 1.  Prints one JSON object.
 */
#include "config.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib.h>

#define LINE_MAX_BYTES 2048

static char *text;
static gsize text_length;
static guint16 port;
static gint next_person, end_person;

static G_NORETURN void
give_up(const char *what, const char *said)
{
    g_printerr("smtp-load: %s: %s\n", what, said);
    exit(1);
}

static void
write_all(int fd, const char *bytes, gsize length)
{
    while (length) {
        ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);
        if (n <= 0)
            give_up("send", g_strerror(errno));
        bytes += n;
        length -= (gsize) n;
    }
}

/* Reads one reply to its last line. */
static void
expect(FILE *replies, char code)
{
    char line[LINE_MAX_BYTES];
    do {
        if (!fgets(line, sizeof line, replies))
            give_up("receive", "the connection is closed");
    } while (strlen(line) > 3 && line[3] == '-');
    if (*line != code)
        give_up("refused", line);
}

static int
connect_to(void)
{
    const struct sockaddr_in where = {.sin_family = AF_INET,
                                      .sin_port = htons(port),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int yes = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *) &where, sizeof where) != 0)
        give_up("connect", g_strerror(errno));
    (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return fd;
}

static void
send_copy(int fd, FILE *replies, gint person, GString *out)
{
    g_string_printf(out,
                    "MAIL FROM:<news@sandbox.test>\r\nRCPT TO:<person%d@example.com>\r\n"
                    "DATA\r\n",
                    person);
    write_all(fd, out->str, out->len);
    expect(replies, '2');
    expect(replies, '2');
    expect(replies, '3');
    g_string_printf(out,
                    "To: <person%d@example.com>\r\nMessage-ID: <%d@load.sandbox.test>\r\n",
                    person, person);
    g_string_append_len(out, text, (gssize) text_length);
    g_string_append(out, ".\r\n");
    write_all(fd, out->str, out->len);
    expect(replies, '2');
}

static gpointer
run_session(gpointer data G_GNUC_UNUSED)
{
    int fd = connect_to();
    FILE *replies = fdopen(fd, "r");
    g_autoptr(GString) out = g_string_new(NULL);
    expect(replies, '2');
    write_all(fd, "EHLO load.sandbox.test\r\n", 24);
    expect(replies, '2');
    for (gint person; (person = g_atomic_int_add(&next_person, 1)) < end_person;)
        send_copy(fd, replies, person, out);
    write_all(fd, "QUIT\r\n", 6);
    expect(replies, '2');
    fclose(replies);
    return NULL;
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    if (argc != 6) {
        g_printerr("usage: smtp-load PORT SESSIONS MESSAGES FIRST FILE\n");
        return 64;
    }
    port = (guint16) strtoul(argv[1], NULL, 10);
    gsize n_sessions = strtoul(argv[2], NULL, 10);
    gint n_messages = (gint) strtol(argv[3], NULL, 10);
    next_person = (gint) strtol(argv[4], NULL, 10);
    end_person = next_person + n_messages;
    if (!g_file_get_contents(argv[5], &text, &text_length, &error))
        give_up("read", error->message);

    g_autofree GThread **threads = g_new0(GThread *, n_sessions);
    gint64 start_us = g_get_monotonic_time();
    for (gsize i = 0; i < n_sessions; i++)
        threads[i] = g_thread_new("session", run_session, NULL);
    for (gsize i = 0; i < n_sessions; i++)
        g_thread_join(threads[i]);
    printf("{\"messages\": %d, \"seconds\": %.6f}\n", n_messages,
           (double) (g_get_monotonic_time() - start_us) / G_USEC_PER_SEC);
    g_free(text);
    return 0;
}
