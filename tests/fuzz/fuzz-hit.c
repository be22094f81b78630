/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-hit: records of hits; whatever can be read is written again as the same bytes.
 */
#include "config.h"

#include <stdint.h>

#include "collect/hit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static guint8 record[MRG_HIT_BYTES_MAX];
    /* Exactly as long as it says: a byte read behind it is seen. */
    g_autofree guint8 *bytes = g_memdup2(data, size);
    MrgHit hit;
    if (mrg_hit_decode(&hit, bytes, size)) {
        gsize length = mrg_hit_encode(&hit, record);
        g_assert_cmpmem(record, length, data, size);
    }
    return 0;
}
