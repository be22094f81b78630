/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/log-file.h"

static const MrgLogPlace start;

typedef struct Log {
    char *folder, *path;
    MrgLogFile *file;
    GString *read;
} Log;

static char *
sibling(const Log *log, const char *end)
{
    return g_strconcat(log->path, end, NULL);
}

/* As a daemon does that has it open: behind what is there. */
static void
write_to(const char *path, const char *text)
{
    FILE *file = fopen(path, "ae");
    g_assert_nonnull(file);
    g_assert_cmpint(fputs(text, file), >=, 0);
    g_assert_cmpint(fclose(file), ==, 0);
}

static void
move_to(const Log *log, const char *end)
{
    g_autofree char *to = sibling(log, end);
    g_assert_cmpint(g_rename(log->path, to), ==, 0);
}

static void
copy_to(const Log *log, const char *end)
{
    g_autofree char *to = sibling(log, end), *text = NULL;
    g_assert_true(g_file_get_contents(log->path, &text, NULL, NULL));
    write_to(to, text);
}

static void
empty(const Log *log)
{
    g_assert_cmpint(truncate(log->path, 0), ==, 0);
}

static void
set_up(Log *log, const char *text)
{
    log->folder = g_dir_make_tmp("log-file-XXXXXX", NULL);
    log->path = g_build_filename(log->folder, "mail.log", NULL);
    log->read = g_string_new(NULL);
    write_to(log->path, text);
    log->file = mrg_log_file_open(log->path, &start, NULL);
    g_assert_nonnull(log->file);
}

static void
tear_down(Log *log)
{
    const char *name;
    g_autoptr(GDir) list = g_dir_open(log->folder, 0, NULL);
    while ((name = g_dir_read_name(list))) {
        g_autofree char *path = g_build_filename(log->folder, name, NULL);
        g_unlink(path);
    }
    g_rmdir(log->folder);
    mrg_log_file_close(log->file);
    g_string_free(log->read, TRUE);
    g_free(log->folder);
    g_free(log->path);
}

/* All lines that there are now, with spaces between. */
static void
expect(Log *log, const char *lines)
{
    char *line;
    MrgLogPlace place;
    MrgLogRead read;
    g_string_truncate(log->read, 0);
    while ((read = mrg_log_file_read(log->file, &line, &place, NULL)) == MRG_LOG_READ_LINE)
        g_string_append_printf(log->read, "%s ", line);
    g_assert_cmpint(read, ==, MRG_LOG_READ_END);
    g_assert_cmpstr(g_strchomp(log->read->str), ==, lines);
}

/* As another process that begins where this one is. */
static void
begin_again(Log *log)
{
    MrgLogPlace place = mrg_log_file_place(log->file);
    mrg_log_file_close(log->file);
    log->file = mrg_log_file_open(log->path, &place, NULL);
    g_assert_nonnull(log->file);
}

static void
a_line_is_read_when_it_has_an_end(void)
{
    Log log;
    set_up(&log, "");
    expect(&log, "");
    write_to(log.path, "o");
    expect(&log, "");
    write_to(log.path, "ne\ntw");
    expect(&log, "one");
    begin_again(&log);
    write_to(log.path, "o\n");
    expect(&log, "two");
    tear_down(&log);
}

static void
a_renamed_file_is_read_to_its_end(void)
{
    Log log;
    set_up(&log, "one\n");
    expect(&log, "one");
    write_to(log.path, "two\n");
    move_to(&log, ".1");
    g_autofree char *old = sibling(&log, ".1");
    expect(&log, "two");
    write_to(old, "three\n"); /* by who has it open still */
    expect(&log, "three");
    write_to(log.path, ""); /* made by logrotate, and nobody's yet */
    write_to(old, "four\n");
    expect(&log, "four");
    write_to(old, "five\n");
    write_to(log.path, "six\n");
    expect(&log, "five six");
    write_to(log.path, "seven\n");
    expect(&log, "seven");
    g_assert_cmpuint(mrg_log_file_n_lost(log.file), ==, 0);
    tear_down(&log);
}

static void
a_truncated_file_is_read_on_in_its_copy(void)
{
    Log log;
    set_up(&log, "one\n");
    expect(&log, "one");
    write_to(log.path, "two\n");
    copy_to(&log, ".1");
    empty(&log);
    expect(&log, "two");
    write_to(log.path, "three\n");
    expect(&log, "three");
    /* Longer than before when it is looked at. */
    write_to(log.path, "four\n");
    copy_to(&log, "-20261127");
    empty(&log);
    write_to(log.path, "five, which is longer\nsix\n");
    expect(&log, "four five, which is longer six");
    g_assert_cmpuint(mrg_log_file_n_lost(log.file), ==, 0);
    tear_down(&log);
}

/* Read between the copy and its truncation: the copy has less. */
static void
what_was_read_before_it_was_truncated_is_not_lost(void)
{
    Log log;
    set_up(&log, "one\n");
    copy_to(&log, ".1");
    write_to(log.path, "two\n");
    expect(&log, "one two");
    empty(&log);
    write_to(log.path, "three\n");
    expect(&log, "three");
    g_assert_cmpuint(mrg_log_file_n_lost(log.file), ==, 0);
    tear_down(&log);
}

static void
what_is_gone_is_told(void)
{
    Log log;
    set_up(&log, "one\ntwo\n");
    expect(&log, "one two");
    empty(&log);
    write_to(log.path, "three\n");
    expect(&log, "three");
    g_assert_cmpuint(mrg_log_file_n_lost(log.file), ==, 1);
    MrgLogPlace place = mrg_log_file_place(log.file);
    move_to(&log, ".1.gz");
    write_to(log.path, "four\n");
    mrg_log_file_close(log.file);
    log.file = mrg_log_file_open(log.path, &place, NULL);
    expect(&log, "four");
    g_assert_cmpuint(mrg_log_file_n_lost(log.file), ==, 1);
    tear_down(&log);
}

/* Times of files must differ for their order to be known. */
static void
set_age(const Log *log, const char *end, time_t at_s)
{
    g_autofree char *path = sibling(log, end);
    const struct timespec times[] = {{at_s, 0}, {at_s, 0}};
    g_assert_cmpint(utimensat(AT_FDCWD, path, times, 0), ==, 0);
}

static void
one_that_was_away_goes_on_where_it_was(void)
{
    Log log;
    set_up(&log, "one\ntwo\n");
    expect(&log, "one two");
    MrgLogPlace place = mrg_log_file_place(log.file);
    mrg_log_file_close(log.file);
    write_to(log.path, "three\n");
    move_to(&log, ".3");
    write_to(log.path, "four\n");
    move_to(&log, ".2");
    write_to(log.path, "five\n");
    move_to(&log, ".1");
    write_to(log.path, "six\n");
    g_autofree char *other = sibling(&log, ".err"), *older = sibling(&log, ".4");
    write_to(other, "of another log\n");
    write_to(older, "of long ago\n");
    set_age(&log, ".4", 900);
    set_age(&log, ".3", 1000);
    set_age(&log, ".2", 2000);
    set_age(&log, ".1", 3000);
    log.file = mrg_log_file_open(log.path, &place, NULL);
    expect(&log, "three four five six");
    begin_again(&log);
    write_to(log.path, "seven\n");
    expect(&log, "seven");
    g_assert_cmpuint(mrg_log_file_n_lost(log.file), ==, 0);
    tear_down(&log);
}

static void
a_line_without_end_does_not_stop_it(void)
{
    Log log;
    g_autofree char *junk = g_strnfill(100000, 'x');
    set_up(&log, junk);
    char *line;
    MrgLogPlace place;
    g_assert_cmpint(mrg_log_file_read(log.file, &line, &place, NULL), ==,
                    MRG_LOG_READ_LINE);
    write_to(log.path, "\none\n");
    expect(&log, " one");
    begin_again(&log);
    write_to(log.path, "two\n");
    expect(&log, "two");
    tear_down(&log);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/log-file/end", a_line_is_read_when_it_has_an_end);
    g_test_add_func("/log-file/renamed", a_renamed_file_is_read_to_its_end);
    g_test_add_func("/log-file/truncated", a_truncated_file_is_read_on_in_its_copy);
    g_test_add_func("/log-file/copied", what_was_read_before_it_was_truncated_is_not_lost);
    g_test_add_func("/log-file/lost", what_is_gone_is_told);
    g_test_add_func("/log-file/away", one_that_was_away_goes_on_where_it_was);
    g_test_add_func("/log-file/endless", a_line_without_end_does_not_stop_it);
    return g_test_run();
}
