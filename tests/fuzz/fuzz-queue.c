/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-queue: what postqueue says, in pieces as long as its first byte; what is found was
 * asked for, and has a recipient and a time.
 */
#include "config.h"

#include <stdint.h>

#include "ctl/queue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(MrgQueue) queue = mrg_queue_new();
    size_t piece = size ? data[0] + 1u : 1;
    mrg_queue_want(queue, "4FAKE1");
    for (size_t at = 0; at < size; at += piece)
        mrg_queue_feed((const char *) data + at, MIN(piece, size - at), queue);
    const MrgQueued *entry = mrg_queue_find(queue, "4FAKE1");
    g_assert_null(mrg_queue_find(queue, "4FAKE2"));
    if (!entry)
        return 0;
    g_assert_cmpint(entry->arrived_us, >, 0);
    g_assert_nonnull(entry->recipient);
    g_assert_cmpuint(mrg_queue_n_held(queue), >=, 1);
    return 0;
}
