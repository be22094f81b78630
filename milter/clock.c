/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "milter/clock.h"

static gint64 fixed_now_us;

void
mrg_clock_init(void)
{
    const char *fixed = g_getenv("MERGANSER_NOW");
    fixed_now_us = fixed ? g_ascii_strtoll(fixed, NULL, 10) : 0;
}

gint64
mrg_clock_now_us(void)
{
    return fixed_now_us ? fixed_now_us : g_get_real_time();
}
