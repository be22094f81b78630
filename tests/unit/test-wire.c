/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/un.h>
#include <unistd.h>

#include <glib.h>

#include "milter/intake/wire.h"

/* An MTA on one end, what libmilter holds on the other. */
typedef struct Pair {
    int mta, milter;
} Pair;

static void
set_up(Pair *pair, gconstpointer unused G_GNUC_UNUSED)
{
    /* An abstract name that the kernel picks: unix(7), autobind. */
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = sizeof address;
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    g_assert_cmpint(bind(listener, (void *) &address, sizeof address.sun_family), ==, 0);
    g_assert_cmpint(listen(listener, 1), ==, 0);
    g_assert_cmpint(getsockname(listener, (void *) &address, &length), ==, 0);
    pair->mta = socket(AF_UNIX, SOCK_STREAM, 0);
    g_assert_cmpint(connect(pair->mta, (void *) &address, length), ==, 0);
    pair->milter = mrg_wire_accept(listener, NULL, NULL);
    g_assert_cmpint(pair->milter, >=, 0);
    close(listener);
}

static void
tear_down(Pair *pair, gconstpointer unused G_GNUC_UNUSED)
{
    if (pair->mta >= 0)
        close(pair->mta);
    if (pair->milter >= 0)
        mrg_wire_close(pair->milter);
}

static void
tell(const Pair *pair, const char *text)
{
    g_assert_cmpint(write(pair->mta, text, strlen(text)), ==, (gssize) strlen(text));
}

static void
answer(const Pair *pair, const char *head, const char *tail)
{
    struct iovec parts[] = {{(char *) head, strlen(head)}, {(char *) tail, strlen(tail)}};
    gssize length = (gssize) (strlen(head) + strlen(tail));
    g_assert_cmpint(mrg_wire_writev(pair->milter, parts, 2), ==, length);
}

static int
look(const Pair *pair, short events)
{
    struct pollfd set = {.fd = pair->milter, .events = events};
    int n = mrg_wire_poll(&set, 1, -1);
    g_assert_true(n <= 0 || set.revents & events);
    return n;
}

static void
assert_reads(const Pair *pair, gsize n, const char *expected)
{
    char text[64] = "";
    g_assert_cmpint(mrg_wire_read(pair->milter, text, n), ==, (gssize) strlen(expected));
    g_assert_cmpstr(text, ==, expected);
}

static void
assert_hears(const Pair *pair, const char *expected)
{
    char text[64] = "";
    gssize n = recv(pair->mta, text, sizeof text - 1, MSG_DONTWAIT);
    g_assert_cmpint(n, ==, *expected ? (gssize) strlen(expected) : -1);
    g_assert_cmpstr(text, ==, expected);
}

static int
left_in_kernel(const Pair *pair)
{
    int n = -1;
    g_assert_cmpint(ioctl(pair->milter, FIONREAD, &n), ==, 0);
    return n;
}

static void
input_is_taken_at_once(Pair *pair, gconstpointer unused G_GNUC_UNUSED)
{
    tell(pair, "onetwothree");
    g_assert_cmpint(look(pair, POLLIN), ==, 1);
    g_assert_cmpint(left_in_kernel(pair), ==, 0);
    assert_reads(pair, 3, "one");
    g_assert_cmpint(look(pair, POLLIN), ==, 1);
    assert_reads(pair, 3, "two");
    g_assert_cmpint(look(pair, POLLIN), ==, 1);
    assert_reads(pair, 40, "three");
}

/* A body goes where libmilter wants it, and what came behind it is kept. */
static void
what_follows_a_read_is_kept(Pair *pair, gconstpointer unused G_GNUC_UNUSED)
{
    tell(pair, "body|end");
    assert_reads(pair, 4, "body");
    g_assert_cmpint(left_in_kernel(pair), ==, 0);
    assert_reads(pair, 1, "|");
    g_assert_cmpint(look(pair, POLLIN), ==, 1);
    assert_reads(pair, 40, "end");
}

static void
answers_leave_together_before_a_wait(Pair *pair, gconstpointer unused G_GNUC_UNUSED)
{
    g_assert_cmpint(look(pair, POLLOUT), ==, 1);
    answer(pair, "edit", " one,");
    g_assert_cmpint(look(pair, POLLOUT), ==, 1);
    answer(pair, "", "verdict");
    assert_hears(pair, "");
    tell(pair, "next");
    g_assert_cmpint(look(pair, POLLIN), ==, 1);
    assert_hears(pair, "edit one,verdict");
}

/* The MTA does not wait for an answer while it still talks. */
static void
answers_wait_for_the_end_of_input(Pair *pair, gconstpointer unused G_GNUC_UNUSED)
{
    tell(pair, "ab");
    g_assert_cmpint(look(pair, POLLIN), ==, 1);
    assert_reads(pair, 1, "a");
    answer(pair, "A", "");
    g_assert_cmpint(look(pair, POLLIN), ==, 1);
    assert_hears(pair, "");
    assert_reads(pair, 1, "b");
    answer(pair, "B", "");
    tell(pair, "c");
    g_assert_cmpint(look(pair, POLLIN), ==, 1);
    assert_hears(pair, "AB");
}

#define LARGE (1000 * 1000)

static gpointer
read_large(gpointer data)
{
    char *text = g_malloc(LARGE);
    gsize n = 0;
    gssize got;
    while (n < LARGE && (got = read(GPOINTER_TO_INT(data), text + n, LARGE - n)) > 0)
        n += (gsize) got;
    g_assert_cmpuint(n, ==, LARGE);
    return text;
}

/* More than the kernel holds, to an MTA that reads it bit by bit. */
static void
a_large_answer_is_whole(Pair *pair, gconstpointer unused G_GNUC_UNUSED)
{
    g_autofree char *sent = g_malloc(LARGE);
    for (gsize i = 0; i < LARGE; i++)
        sent[i] = (char) (i * 31 >> 3);
    pthread_t mta;
    g_assert_cmpint(pthread_create(&mta, NULL, read_large, GINT_TO_POINTER(pair->mta)), ==,
                    0);
    for (gsize at = 0; at < LARGE; at += LARGE / 8) {
        struct iovec part = {sent + at, LARGE / 8};
        g_assert_cmpint(mrg_wire_writev(pair->milter, &part, 1), ==, LARGE / 8);
    }
    tell(pair, "next");
    g_assert_cmpint(look(pair, POLLIN), ==, 1);
    void *got;
    pthread_join(mta, &got);
    g_assert_cmpint(memcmp(sent, got, LARGE), ==, 0);
    g_free(got);
}

static void
the_last_answer_leaves_at_close(Pair *pair, gconstpointer unused G_GNUC_UNUSED)
{
    answer(pair, "last", "");
    mrg_wire_close(pair->milter);
    pair->milter = -1;
    assert_hears(pair, "last");
}

static void
an_mta_that_hangs_up(Pair *pair, gconstpointer unused G_GNUC_UNUSED)
{
    tell(pair, "end");
    close(pair->mta);
    pair->mta = -1;
    g_assert_cmpint(look(pair, POLLIN), ==, 1);
    assert_reads(pair, 40, "end");
    g_assert_cmpint(look(pair, POLLIN), ==, 1);
    assert_reads(pair, 40, "");
    struct iovec part = {(char *) "x", 1};
    g_assert_cmpint(mrg_wire_writev(pair->milter, &part, 1), ==, -1);
    g_assert_cmpint(errno, ==, EPIPE);
}

/* An answer that could not be sent shows at the next look. */
static void
an_answer_to_nobody(Pair *pair, gconstpointer unused G_GNUC_UNUSED)
{
    answer(pair, "edit", "");
    close(pair->mta);
    pair->mta = -1;
    g_assert_cmpint(look(pair, POLLIN), ==, 1);
    assert_reads(pair, 40, "");
}

/* libmilter's pipe, say. */
static void
other_descriptors_are_left_alone(void)
{
    int ends[2];
    char text[8] = "";
    g_assert_cmpint(pipe(ends), ==, 0);
    struct iovec part = {(char *) "pipe", 4};
    g_assert_cmpint(mrg_wire_writev(ends[1], &part, 1), ==, 4);
    struct pollfd set = {.fd = ends[0], .events = POLLIN};
    g_assert_cmpint(mrg_wire_poll(&set, 1, 0), ==, 1);
    g_assert_cmpint(mrg_wire_read(ends[0], text, sizeof text), ==, 4);
    g_assert_cmpstr(text, ==, "pipe");
    g_assert_cmpint(mrg_wire_poll(&set, 1, 0), ==, 0);
    g_assert_cmpint(mrg_wire_close(ends[0]), ==, 0);
    g_assert_cmpint(mrg_wire_close(ends[1]), ==, 0);
    g_assert_cmpint(mrg_wire_read(-1, text, 1), ==, -1);
    g_assert_cmpint(errno, ==, EBADF);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) \
    g_test_add("/wire/" name, Pair, NULL, set_up, function, tear_down)
    ADD("input-is-taken-at-once", input_is_taken_at_once);
    ADD("what-follows-a-read-is-kept", what_follows_a_read_is_kept);
    ADD("answers-leave-together-before-a-wait", answers_leave_together_before_a_wait);
    ADD("answers-wait-for-the-end-of-input", answers_wait_for_the_end_of_input);
    ADD("a-large-answer-is-whole", a_large_answer_is_whole);
    ADD("the-last-answer-leaves-at-close", the_last_answer_leaves_at_close);
    ADD("an-mta-that-hangs-up", an_mta_that_hangs_up);
    ADD("an-answer-to-nobody", an_answer_to_nobody);
#undef ADD
    g_test_add_func("/wire/other-descriptors-are-left-alone",
                    other_descriptors_are_left_alone);
    return g_test_run();
}
