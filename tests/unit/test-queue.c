/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "ctl/queue.h"

static MrgQueue *
read_in_pieces(const char *text, gsize piece)
{
    static const char *const ids[] = {"A1", "B2", "D4"};
    MrgQueue *queue = mrg_queue_new();
    for (gsize i = 0; i < G_N_ELEMENTS(ids); i++)
        mrg_queue_want(queue, ids[i]);
    for (gsize length = strlen(text); length; text += piece, length -= piece) {
        piece = MIN(piece, length);
        mrg_queue_feed(text, piece, queue);
    }
    return queue;
}

static void
what_is_held_and_asked_for_is_found(void)
{
    static const char text[] =
        "{\"queue_name\": \"hold\", \"queue_id\": \"A1\", \"arrival_time\": 7, "
        "\"recipients\": [{\"address\": \"ann@example.com\"}]}\n"
        "{\"queue_name\": \"active\", \"queue_id\": \"B2\", \"arrival_time\": 8, "
        "\"recipients\": [{\"address\": \"a@b.c\"}]}\n"
        "{\"queue_name\": \"hold\", \"queue_id\": \"C3\", \"arrival_time\": 9, "
        "\"recipients\": [{\"address\": \"a@b.c\"}]}\n"
        "{\"queue_name\": \"hold\", \"queue_id\": \"D4\", \"arrival_time\": 9, "
        "\"recipients\": [{\"address\": \"a@b.c\"}, {\"address\": \"d@e.f\"}]}\n";
    for (gsize piece = 1; piece < sizeof text; piece++) {
        g_autoptr(MrgQueue) queue = read_in_pieces(text, piece);
        const MrgQueued *held = mrg_queue_find(queue, "A1");
        g_assert_nonnull(held);
        g_assert_cmpint(held->arrived_us, ==, 7 * G_USEC_PER_SEC);
        g_assert_cmpstr(held->recipient, ==, "ann@example.com");
        g_assert_null(mrg_queue_find(queue, "B2")); /* is on its way */
        g_assert_null(mrg_queue_find(queue, "C3")); /* nobody asked */
        g_assert_null(mrg_queue_find(queue, "D4")); /* two people's */
        g_assert_cmpuint(mrg_queue_n_held(queue), ==, 3);
    }
}

static void
what_makes_no_sense_is_left_out(void)
{
    static const char *const lines[] = {
        "\n",
        "\n\n",
        "queue is empty\n",
        "[]\n",
        "{\"queue_name\": \"active\", \"queue_id\": \"A1\", \"arrival_time\": 7, "
        "\"recipients\": [{\"address\": \"a@b.c\"}]}\n",
        "{\"queue_name\": \"hold\", \"queue_id\": \"A1\", \"arrival_time\": 7}\n",
        "{\"queue_name\": \"hold\", \"queue_id\": \"A1\", \"arrival_time\": 7, "
        "\"recipients\": []}\n",
        "{\"queue_name\": \"hold\", \"queue_id\": \"A1\", \"arrival_time\": -7, "
        "\"recipients\": [{\"address\": \"a@b.c\"}]}\n",
        "{\"queue_name\": 1, \"queue_id\": \"A1\", \"arrival_time\": 7, "
        "\"recipients\": [{\"address\": \"a@b.c\"}]}\n",
        "{\"queue_name\": \"hold\", \"queue_id\": \"A1\", \"arrival_time\": 7, "
        "\"recipients\": [{\"address\": \"a@b.c\"}]\n",
        /* without its end, which may have been cut off */
        "{\"queue_name\": \"hold\", \"queue_id\": \"A1\", \"arrival_time\": 7, "
        "\"recipients\": [{\"address\": \"a@b.c\"}]}",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_autoptr(MrgQueue) queue = read_in_pieces(lines[i], 5);
        g_assert_null(mrg_queue_find(queue, "A1"));
    }
}

static void
a_line_without_bounds_is_passed_over(void)
{
    static const char before[] =
        "{\"queue_name\": \"hold\", \"queue_id\": \"B2\", \"x\": \"";
    static const char after[] =
        "\"}\n{\"queue_name\": \"hold\", \"queue_id\": \"A1\", \"arrival_time\": 7, "
        "\"recipients\": [{\"address\": \"a@b.c\"}]}\n";
    static char filling[4096];
    g_autoptr(MrgQueue) queue = mrg_queue_new();
    mrg_queue_want(queue, "A1");
    memset(filling, 'x', sizeof filling);
    mrg_queue_feed(before, strlen(before), queue);
    for (gsize n = 0; n < 2 * MRG_QUEUE_LINE_MAX; n += sizeof filling)
        mrg_queue_feed(filling, sizeof filling, queue);
    mrg_queue_feed(after, strlen(after), queue);
    g_assert_nonnull(mrg_queue_find(queue, "A1"));
    g_assert_cmpuint(mrg_queue_n_held(queue), ==, 1);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/queue/found", what_is_held_and_asked_for_is_found);
    g_test_add_func("/queue/left-out", what_makes_no_sense_is_left_out);
    g_test_add_func("/queue/too-long", a_line_without_bounds_is_passed_over);
    return g_test_run();
}
