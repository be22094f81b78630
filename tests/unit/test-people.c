/* SPDX-License-Identifier: Apache-2.0 */
/* Files of people: what follows a fault is still read; words of the ledger; progress. */
#include "config.h"

#include <string.h>

#include "ctl/people-file.h"
#include "ctl/seen.h"
#include "ctl/terminal.h"
#include "ctl/words.h"
#include "milter/clock.h"

#define NOW_US (G_GINT64_CONSTANT(1764000000) * MRG_SECOND_US)

/* "1 a|b;!2;3 c" for what comes of a text: rows with their lines, faults with an "!". */
static char *
read_all(const char *text, gsize length)
{
    g_autofree char *copy = g_memdup2(text, length);
    FILE *file = fmemopen(copy, length, "rb");
    g_autoptr(GString) out = g_string_new(NULL);
    g_auto(MrgRows) rows = {0};
    mrg_rows_init(&rows, file, "x");
    while (!rows.is_over) {
        g_autoptr(GError) error = NULL;
        gboolean is_read = mrg_rows_csv(&rows, &error);
        if (is_read)
            g_ptr_array_add(rows.cells, NULL);
        g_autofree char *cells =
            is_read ? g_strjoinv("|", (char **) rows.cells->pdata) : g_strdup("");
        if (is_read || error)
            g_string_append_printf(out, "%s%s%d%s%s", out->len ? ";" : "", error ? "!" : "",
                                   (int) rows.line, *cells ? " " : "", cells);
    }
    fclose(file);
    return g_strdup(out->str);
}

static void
rows_are_read_behind_a_fault(void)
{
    static const struct {
        const char *text, *rows;
    } cases[] = {
        {"a,b\r\nc,d\r\n", "1 a|b;2 c|d"},
        {"a,\"b\nc\"\nd,e", "1 a|b\nc;3 d|e"},
        {"\xef\xbb\xbf\"a\"\n", "1 a"},
        {"a,\"\"\n", "1 a|"},
        {"\"a\"\"b\"\n", "1 a\"b"},
        {"a,\"b\nc,d\n", "!1;2 c|d"},
        {"a\"b,c\nd\n\"e\"\n", "!1;2 d;3 e"},
        {"\"a\"b\nc\n", "!1;2 c"},
        {"a\rb\nc\n", "!1;2 c"},
        {"\xff\nc\n", "!1;2 c"},
        {"a,\"b\nc\"d\ne\n", "!1;!2;3 e"},
        {"", ""},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        gsize length = strlen(cases[i].text);
        if (!length)
            continue; /* fmemopen takes none */
        g_autofree char *rows = read_all(cases[i].text, length);
        g_assert_cmpstr(rows, ==, cases[i].rows);
    }
}

static void
a_row_over_the_bound_hides_no_other(void)
{
    g_autofree char *big = g_strnfill(3 * MRG_ROW_BYTES_MAX, 'x');
    g_autofree char *line = g_strconcat("a\n", big, "\nb\n", NULL);
    g_autofree char *rows = read_all(line, strlen(line));
    g_assert_cmpstr(rows, ==, "1 a;!2;3 b");

    g_autoptr(GString) open = g_string_new("\"a\n");
    while (open->len < 2 * MRG_ROW_BYTES_MAX)
        g_string_append(open, "b,c,d\n");
    g_autofree char *after = read_all(open->str, open->len);
    g_assert_true(g_str_has_prefix(after, "!1;2 b|c|d;3 b|c|d;"));
    g_assert_null(strchr(after + 1, '!'));
}

/* FirstName and first_name are one field; which cell has it is the row's affair. */
static void
columns_of_one_field_are_told_apart_by_row(void)
{
    char text[] = "address,FirstName,age,first_name\na@b.c,Ann,7,\na@b.c,,7,Bob\n"
                  "a@b.c,Ann,7,Bob\na@b.c,Ann,x,\n";
    static const char *const names[] = {"Ann", "Bob"};
    MrgSchemaField fields[] = {{.name = "first_name", .type = MRG_TYPE_STRING},
                               {.name = "age", .type = MRG_TYPE_NUMBER}};
    MrgSchema schema = {.fields = fields, .n_fields = G_N_ELEMENTS(fields)};
    const MrgPeopleRules rules = {
        .format = MRG_PEOPLE_CSV, .schema = &schema, .now_us = NOW_US};
    FILE *file = fmemopen(text, sizeof text - 1, "rb");
    g_autoptr(GError) error = NULL;
    MrgPeopleFile people;
    mrg_people_file_init(&people, file, "x", &rules);
    for (guint i = 0; i < 2; i++) {
        g_assert_true(mrg_people_file_next(&people, &error));
        g_assert_cmpstr(people.address, ==, "a@b.c");
        g_assert_cmpuint(people.fields->len, ==, 2);
        const MrgProfileField *name = &g_array_index(people.fields, MrgProfileField, i);
        g_assert_cmpstr(name->name, ==, "first_name");
        g_assert_cmpstr(name->value.text, ==, names[i]);
    }
    g_assert_false(mrg_people_file_next(&people, &error));
    g_assert_cmpstr(error->message, ==, "x:4:1: the field 'first_name' is given twice");
    g_clear_error(&error);
    g_assert_false(mrg_people_file_next(&people, &error));
    g_assert_cmpstr(error->message, ==, "x:5:1: the value of 'age' must be a number");
    mrg_people_file_clear(&people);
    fclose(file);
}

static void
who_was_seen_is_known_by_line(void)
{
    g_autoptr(MrgSeen) seen = mrg_seen_new();
    /* Half of them with one beginning, as no keyed hash makes them. */
    for (guint round = 0; round < 2; round++)
        for (guint i = 0; i < 5000; i++) {
            MrgPersonKey key = {{0}};
            memcpy(key.bytes + (i % 2 ? 0 : 8), &i, sizeof i);
            g_assert_cmpuint(mrg_seen_add(seen, &key, i + 2), ==, round ? i + 2 : 0);
        }
}

static void
lines_skip_what_is_blank(void)
{
    char text[] = "\n  \t\r\nx\n\ny";
    FILE *file = fmemopen(text, sizeof text - 1, "rb");
    g_auto(MrgRows) rows = {0};
    g_autoptr(GError) error = NULL;
    mrg_rows_init(&rows, file, "x");
    g_assert_true(mrg_rows_line(&rows, &error));
    g_assert_cmpuint(rows.line, ==, 3);
    g_assert_cmpstr(rows.row->str, ==, "x\n");
    g_assert_true(mrg_rows_line(&rows, &error));
    g_assert_cmpuint(rows.line, ==, 5);
    g_assert_false(mrg_rows_line(&rows, &error));
    g_assert_no_error(error);
    fclose(file);
}

static void
texts_become_values_of_the_declared_type(void)
{
    static const struct {
        MrgSchemaType type;
        const char *text;
        MrgFieldType value;
        gboolean is_good;
    } cases[] = {
        {MRG_TYPE_STRING, "007", MRG_FIELD_STRING, TRUE},
        {MRG_TYPE_STRING, "true", MRG_FIELD_STRING, TRUE},
        {MRG_TYPE_NUMBER, "-1.5", MRG_FIELD_NUMBER, TRUE},
        {MRG_TYPE_NUMBER, "007", MRG_FIELD_STRING, FALSE},
        {MRG_TYPE_BOOLEAN, "false", MRG_FIELD_BOOLEAN, TRUE},
        {MRG_TYPE_BOOLEAN, "1", MRG_FIELD_NUMBER, FALSE},
        {MRG_TYPE_LIST, "[1]", MRG_FIELD_JSON, TRUE},
        {MRG_TYPE_LIST, "{}", MRG_FIELD_JSON, FALSE},
        {MRG_TYPE_OBJECT, "{\"a\": 1}", MRG_FIELD_JSON, TRUE},
        {MRG_TYPE_OBJECT, "a", MRG_FIELD_JSON, FALSE},
    };
    g_autoptr(MrgArena) arena = mrg_arena_new();
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const MrgSchemaField declared = {.name = "f", .type = cases[i].type};
        MrgField value;
        const char *fault = mrg_field_from_text(&declared, cases[i].text, arena, &value);
        g_assert_cmpint(value.type, ==, cases[i].value);
        g_assert_cmpint(fault == NULL, ==, cases[i].is_good);
    }
    MrgField value;
    g_assert_null(mrg_field_from_text(NULL, "12", arena, &value));
    g_assert_cmpint(value.type, ==, MRG_FIELD_NUMBER);
}

static void
words_of_the_ledger_are_known(void)
{
    g_assert_true(mrg_word_is_purpose("receive:promo"));
    g_assert_false(mrg_word_is_purpose("receive:"));
    g_assert_false(mrg_word_is_purpose("receive:a b"));
    g_assert_true(mrg_word_is_scope("list:spring"));
    g_assert_false(mrg_word_is_scope("list"));
    g_assert_false(mrg_word_is_reason("erased"));
    g_assert_false(mrg_word_is_source("a;b"));
    g_assert_false(mrg_word_is_source("a\nb"));
    g_assert_false(mrg_word_is_source(""));
}

static void
a_source_carries_the_version_of_the_text(void)
{
    static const char *const versions[] = {NULL, "2026-11"};
    for (gsize i = 0; i < G_N_ELEMENTS(versions); i++) {
        g_autofree char *joined = mrg_source_join("form", versions[i]);
        g_autofree char *source = NULL, *version = NULL;
        mrg_source_split(joined, &source, &version);
        g_assert_cmpstr(source, ==, "form");
        g_assert_cmpstr(version, ==, versions[i]);
    }
}

static void
times_are_read_and_written(void)
{
    gint64 at_us;
    g_assert_true(mrg_time_parse("2026-01-02T03:04:05.000006Z", &at_us));
    g_autofree char *text = mrg_time_exact(at_us);
    g_assert_cmpstr(text, ==, "2026-01-02T03:04:05.000006Z");
    g_assert_true(mrg_time_parse("2026-01-02", &at_us));
    g_autofree char *day = mrg_time_exact(at_us);
    g_assert_cmpstr(day, ==, "2026-01-02T00:00:00Z");
    g_assert_false(mrg_time_parse("tomorrow", &at_us));
    g_assert_true(mrg_until_parse("1d", NOW_US, &at_us));
    g_assert_cmpint(at_us - NOW_US, ==, 86400 * MRG_SECOND_US);
    g_assert_false(mrg_until_parse("2001-01-01", NOW_US, &at_us));
}

static void
progress_tells_rate_and_time_left(void)
{
    MrgProgress progress = {
        .noun = "profiles", .total_bytes = 400, .n = 50, .n_bytes = 100};
    g_autofree char *line = mrg_progress_line(&progress, 10 * MRG_SECOND_US);
    g_assert_cmpstr(line, ==, "[#####...............]  25%  50 profiles, 5/s, 0:30 left");
    progress.total_bytes = 0;
    g_autofree char *open = mrg_progress_line(&progress, 10 * MRG_SECOND_US);
    g_assert_cmpstr(open, ==, "50 profiles, 5/s");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/people/rows/faults", rows_are_read_behind_a_fault);
    g_test_add_func("/people/rows/bound", a_row_over_the_bound_hides_no_other);
    g_test_add_func("/people/columns", columns_of_one_field_are_told_apart_by_row);
    g_test_add_func("/people/seen", who_was_seen_is_known_by_line);
    g_test_add_func("/people/rows/lines", lines_skip_what_is_blank);
    g_test_add_func("/people/values", texts_become_values_of_the_declared_type);
    g_test_add_func("/people/words", words_of_the_ledger_are_known);
    g_test_add_func("/people/source", a_source_carries_the_version_of_the_text);
    g_test_add_func("/people/times", times_are_read_and_written);
    g_test_add_func("/people/progress", progress_tells_rate_and_time_left);
    return g_test_run();
}
