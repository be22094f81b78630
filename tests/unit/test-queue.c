/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "ctl/queue.h"

static void
entries_are_found(void)
{
    g_autoptr(MrgQueue) queue = mrg_queue_parse(
        "{\"queue_name\": \"hold\", \"queue_id\": \"A1\", \"arrival_time\": 7, "
        "\"recipients\": [{\"address\": \"ann@example.com\"}]}\n"
        "{\"queue_name\": \"active\", \"queue_id\": \"B2\", \"arrival_time\": 8, "
        "\"recipients\": [{\"address\": \"a@b.c\"}, {\"address\": \"d@e.f\"}]}");
    const MrgQueued *held = mrg_queue_find(queue, "A1"),
                    *other = mrg_queue_find(queue, "B2");
    g_assert_true(held->is_held);
    g_assert_cmpint(held->arrived_us, ==, 7 * G_USEC_PER_SEC);
    g_assert_cmpstr(held->recipient, ==, "ann@example.com");
    g_assert_cmpuint(held->n_recipients, ==, 1);
    g_assert_false(other->is_held);
    g_assert_cmpuint(other->n_recipients, ==, 2);
    g_assert_null(mrg_queue_find(queue, "C3"));
    g_assert_cmpuint(mrg_queue_n_held(queue), ==, 1);
}

static void
what_makes_no_sense_is_left_out(void)
{
    static const char *const lines[] = {
        "",
        "\n\n",
        "queue is empty",
        "[]",
        "{\"queue_name\": \"hold\", \"queue_id\": \"A1\", \"arrival_time\": 7}",
        "{\"queue_name\": \"hold\", \"queue_id\": \"A1\", \"arrival_time\": 7, "
        "\"recipients\": []}",
        "{\"queue_name\": \"hold\", \"queue_id\": \"A1\", \"arrival_time\": -7, "
        "\"recipients\": [{\"address\": \"a@b.c\"}]}",
        "{\"queue_name\": 1, \"queue_id\": \"A1\", \"arrival_time\": 7, "
        "\"recipients\": [{\"address\": \"a@b.c\"}]}",
        "{\"queue_name\": \"hold\", \"queue_id\": \"A1\", \"arrival_time\": 7, "
        "\"recipients\": [{\"address\": \"a@b.c\"}]",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_autoptr(MrgQueue) queue = mrg_queue_parse(lines[i]);
        g_assert_null(mrg_queue_find(queue, "A1"));
        g_assert_cmpuint(mrg_queue_n_held(queue), ==, 0);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/queue/found", entries_are_found);
    g_test_add_func("/queue/left-out", what_makes_no_sense_is_left_out);
    return g_test_run();
}
