/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-queue: what postqueue says; what is found has one id, a recipient and a time.
 */
#include "config.h"

#include <stdint.h>

#include "ctl/queue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *) data, size);
    g_autoptr(MrgQueue) queue = mrg_queue_parse(text);
    const MrgQueued *entry = mrg_queue_find(queue, "4FAKE1");
    if (!entry)
        return 0;
    g_assert_cmpstr(entry->id, ==, "4FAKE1");
    g_assert_cmpint(entry->arrived_us, >, 0);
    g_assert_cmpuint(entry->n_recipients, >=, 1);
    g_assert_nonnull(entry->recipient);
    g_assert_cmpuint(mrg_queue_n_held(queue), >=, entry->is_held ? 1 : 0);
    return 0;
}
