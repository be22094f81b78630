/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-maillog: a line of a log; what is read of it is bounded, and a copy or a delivery
 * has all that names it.
 */
#include "config.h"

#include <stdint.h>
#include <string.h>

#include "ctl/mail-log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    MrgLogLine read;
    g_autofree char *line = g_strndup((const char *) data, size);
    mrg_log_line_read(&read, line, G_GINT64_CONSTANT(1764201600000000));
    if (read.kind == MRG_LOG_OTHER)
        return 0;
    g_assert_cmpuint(strlen(read.queue_id), >=, 5);
    g_assert_cmpint(read.at_us, >=, 0);
    if (read.kind == MRG_LOG_COPY)
        g_assert_cmpuint(strlen(read.campaign), >, 0);
    else
        g_assert_cmpint(read.state, <=, MRG_DELIVERY_HARD_BOUNCE);
    return 0;
}
