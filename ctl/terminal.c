/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "ctl/terminal.h"
#include "milter/clock.h"

#define BAR_CELLS 20
#define STEP_US (MRG_SECOND_US / 5)
#define WIPE "\r\033[K" /* ECMA-48, 8.3.41: erase to the end of the line */

void
mrg_progress_begin(MrgProgress *progress, const char *noun, FILE *file)
{
    struct stat status;
    gboolean is_regular =
        file && fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode);
    *progress = (MrgProgress){.noun = noun,
                              .total_bytes = is_regular ? (guint64) status.st_size : 0,
                              .begun_us = g_get_monotonic_time(),
                              .is_shown = isatty(STDERR_FILENO) != 0};
}

static void
append_bar(GString *line, guint64 done, guint64 total)
{
    guint64 filled = done * BAR_CELLS / total;
    g_string_append_c(line, '[');
    for (guint64 i = 0; i < BAR_CELLS; i++)
        g_string_append_c(line, i < filled ? '#' : '.');
    g_string_append_printf(line, "] %3" G_GUINT64_FORMAT "%%  ", done * 100 / total);
}

char *
mrg_progress_line(const MrgProgress *progress, gint64 passed_us)
{
    g_autoptr(GString) line = g_string_new(NULL);
    double seconds = (double) MAX(passed_us, 1) / MRG_SECOND_US;
    guint64 total = progress->total_bytes, done = MIN(progress->n_bytes, total);
    if (total)
        append_bar(line, done, total);
    g_string_append_printf(line, "%" G_GUINT64_FORMAT " %s, %.0f/s", progress->n,
                           progress->noun, (double) progress->n / seconds);
    if (done) {
        guint left = (guint) (seconds * (double) (total - done) / (double) done);
        g_string_append_printf(line, ", %u:%02u left", left / 60, left % 60);
    }
    return g_strdup(line->str);
}

void
mrg_progress_step(MrgProgress *progress, guint64 n, guint64 n_bytes)
{
    progress->n = n;
    progress->n_bytes = n_bytes;
    if (!progress->is_shown)
        return;
    gint64 now_us = g_get_monotonic_time();
    if (now_us - progress->shown_us < STEP_US)
        return;
    progress->shown_us = now_us;
    g_autofree char *line = mrg_progress_line(progress, now_us - progress->begun_us);
    g_printerr(WIPE "%s", line);
}

void
mrg_progress_end(MrgProgress *progress)
{
    if (progress->shown_us)
        g_printerr(WIPE);
    progress->is_shown = FALSE;
}

int
mrg_confirm(gboolean is_yes, const char *format, ...)
{
    if (is_yes)
        return EX_OK;
    va_list args;
    va_start(args, format);
    g_autofree char *question = g_strdup_vprintf(format, args);
    va_end(args);
    if (!isatty(STDIN_FILENO)) {
        g_printerr("merganser: %s There is no terminal to ask on: add --yes\n", question);
        return EX_USAGE;
    }
    char answer[8];
    g_printerr("%s Type yes to go on: ", question);
    if (fgets(answer, sizeof answer, stdin) && strcmp(answer, "yes\n") == 0)
        return EX_OK;
    g_printerr("merganser: nothing is changed\n");
    return EX_USAGE;
}
