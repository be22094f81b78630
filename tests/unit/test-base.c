/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <math.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/utf8.h"
#include "base/value.h"

static void
arena_hands_out_aligned_memory(void)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    for (gsize size = 0; size < 40000; size = size * 3 + 1) {
        char *p = mrg_arena_alloc(arena, size);
        g_assert_cmpuint((guintptr) p % 16, ==, 0);
        if (size)
            p[size - 1] = 'x';
    }
    mrg_arena_reset(arena);
    g_assert_cmpuint(mrg_arena_used(arena), ==, 0);
    g_assert_cmpstr(mrg_arena_printf(arena, "%d-%s", 7, "x"), ==, "7-x");
}

static void
buffer_never_passes_its_limit(void)
{
    g_auto(MrgBuffer) buffer;
    mrg_buffer_init(&buffer, 10);
    mrg_buffer_append(&buffer, "12345", 5);
    mrg_buffer_append(&buffer, "67890", 5);
    g_assert_false(buffer.is_full);
    mrg_buffer_append(&buffer, "x", 1);
    g_assert_true(buffer.is_full);
    g_assert_cmpmem(buffer.data, buffer.length, "1234567890", 10);
}

static void
buffer_splices(void)
{
    g_auto(MrgBuffer) buffer;
    mrg_buffer_init(&buffer, 100);
    mrg_buffer_append(&buffer, "abcdef", 6);
    mrg_buffer_splice(&buffer, 2, 2, "XYZ", 3);
    g_assert_cmpmem(buffer.data, buffer.length, "abXYZef", 7);
    mrg_buffer_splice(&buffer, 7, 0, "!", 1);
    mrg_buffer_splice(&buffer, 0, 2, NULL, 0);
    g_assert_cmpmem(buffer.data, buffer.length, "XYZef!", 6);
}

/* Expected texts: what `node -p` prints for the same literals. */
static void
numbers_print_as_in_javascript(void)
{
    static const struct {
        double number;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0, "0"},
        {1, "1"},
        {-1.5, "-1.5"},
        {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1e21, "1e+21"},
        {1e20, "100000000000000000000"},
        {1e-6, "0.000001"},
        {1e-7, "1e-7"},
        {123456.789, "123456.789"},
        {5e-324, "5e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {NAN, "NaN"},
        {-INFINITY, "-Infinity"},
        {1.25e-9, "1.25e-9"},
    };
    g_autoptr(MrgArena) arena = mrg_arena_new();
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        MrgValue value = mrg_value_number(cases[i].number, arena);
        g_assert_cmpstr(value.text, ==, cases[i].text);
    }
}

static void
long_ids_keep_their_digits(void)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    MrgValue value = mrg_value_number_text("9007199254740993", 16, arena);
    g_assert_cmpstr(value.text, ==, "9007199254740993");
    value = mrg_value_number_text("1.50", 4, arena);
    g_assert_cmpstr(value.text, ==, "1.5");
}

static void
truth_is_that_of_handlebars(void)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    MrgValue truths[] = {mrg_value_boolean(TRUE), mrg_value_cstring("0"),
                         mrg_value_number(-1, arena), mrg_value_object(NULL, 0)};
    MrgValue lies[] = {MRG_VALUE_MISSING_INIT,      mrg_value_null(),
                       mrg_value_boolean(FALSE),    mrg_value_cstring(""),
                       mrg_value_number(0, arena),  mrg_value_list(NULL, 0),
                       mrg_value_number(NAN, arena)};
    for (gsize i = 0; i < G_N_ELEMENTS(truths); i++)
        g_assert_true(mrg_value_is_true(&truths[i]));
    for (gsize i = 0; i < G_N_ELEMENTS(lies); i++)
        g_assert_false(mrg_value_is_true(&lies[i]));
}

/* Every character at every place, so that it stands in and across the words of eight bytes.
 */
static void
utf8_is_what_glib_says(void)
{
    static const char *const odd[] = {"",
                                      "\x7f",
                                      "\xc3\xa9",
                                      "\xe2\x82\xac",
                                      "\xc3",
                                      "\x80",
                                      "\xf0\x9f\x98\x80",
                                      "\xff",
                                      "\xed\xa0\x80",
                                      "\xc0\x80"};
    for (gsize i = 0; i < G_N_ELEMENTS(odd); i++)
        for (gsize before = 0; before < 20; before++)
            for (gsize after = 0; after < 20; after++) {
                gsize length = strlen(odd[i]) + (i == 0); /* the first is a NUL */
                g_autoptr(GString) text = g_string_new(NULL);
                for (gsize n = 0; n < before; n++)
                    g_string_append_c(text, 'a');
                g_string_append_len(text, odd[i], (gssize) length);
                for (gsize n = 0; n < after; n++)
                    g_string_append_c(text, '~');
                g_assert_cmpint(mrg_utf8_is_valid(text->str, text->len), ==,
                                g_utf8_validate_len(text->str, text->len, NULL));
            }
    g_assert_true(mrg_utf8_is_valid("", 0));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/base/arena/aligned", arena_hands_out_aligned_memory);
    g_test_add_func("/base/buffer/limit", buffer_never_passes_its_limit);
    g_test_add_func("/base/buffer/splice", buffer_splices);
    g_test_add_func("/base/utf8", utf8_is_what_glib_says);
    g_test_add_func("/base/value/javascript-numbers", numbers_print_as_in_javascript);
    g_test_add_func("/base/value/long-ids", long_ids_keep_their_digits);
    g_test_add_func("/base/value/truth", truth_is_that_of_handlebars);
    return g_test_run();
}
