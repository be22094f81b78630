/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/value.h"

/* Digits that a double always survives (IEEE 754: 17), and those that every decimal
 * survives as a normal double (15), which is where trying begins. */
#define DIGITS_ALWAYS 17
#define DIGITS_FIRST 15
/* ECMA-262, Number::toString: plain digits up to 21 places, down to 6 zeros behind the
 * point. */
#define PLAIN_POINT_MAX 21
#define PLAIN_POINT_MIN (-6)
/* Below this every whole number is a double of its own (2^53). */
#define EXACT_WHOLE_MAX 9007199254740992.0

MrgValue
mrg_value_null(void)
{
    return (MrgValue){.type = MRG_VALUE_NULL};
}

MrgValue
mrg_value_boolean(gboolean boolean)
{
    return (MrgValue){.type = MRG_VALUE_BOOLEAN, .boolean = !!boolean};
}

MrgValue
mrg_value_string(const char *text, gsize length)
{
    return (MrgValue){.type = MRG_VALUE_STRING, .length = (guint32) length, .text = text};
}

MrgValue
mrg_value_cstring(const char *text)
{
    return mrg_value_string(text, strlen(text));
}

MrgValue
mrg_value_list(const MrgValue *items, gsize n)
{
    return (MrgValue){.type = MRG_VALUE_LIST, .length = (guint32) n, .items = items};
}

MrgValue
mrg_value_object(const MrgMember *members, gsize n)
{
    return (MrgValue){.type = MRG_VALUE_OBJECT, .length = (guint32) n, .members = members};
}

/* The fewest digits that read back as the same number: "d.ddde[+-]xx". */
static void
shortest_exponent_form(double number, char *text, int size)
{
    char format[8];
    int first = number < DBL_MIN ? 1 : DIGITS_FIRST;
    for (int digits = first; digits <= DIGITS_ALWAYS; digits++) {
        g_snprintf(format, sizeof format, "%%.%de", digits - 1);
        g_ascii_formatd(text, size, format, number);
        if (g_ascii_strtod(text, NULL) == number)
            return;
    }
}

static void
append_zeros(GString *out, int n)
{
    for (int i = 0; i < n; i++)
        g_string_append_c(out, '0');
}

/* ECMA-262, Number::toString, for a finite number above zero. */
static void
append_positive(GString *out, double number)
{
    char form[G_ASCII_DTOSTR_BUF_SIZE], digits[DIGITS_ALWAYS + 1];
    shortest_exponent_form(number, form, sizeof form);
    int n = 0;
    char *e = strchr(form, 'e');
    for (char *c = form; c < e; c++)
        if (g_ascii_isdigit(*c))
            digits[n++] = *c;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    int point = (int) g_ascii_strtoll(e + 1, NULL, 10) + 1;

    if (point > PLAIN_POINT_MAX || point <= PLAIN_POINT_MIN) {
        g_string_append_c(out, digits[0]);
        if (n > 1)
            g_string_append_c(out, '.');
        g_string_append_len(out, digits + 1, n - 1);
        g_string_append_printf(out, "e%c%d", point > 0 ? '+' : '-', ABS(point - 1));
    } else if (point <= 0) {
        g_string_append(out, "0.");
        append_zeros(out, -point);
        g_string_append_len(out, digits, n);
    } else if (n <= point) {
        g_string_append_len(out, digits, n);
        append_zeros(out, point - n);
    } else {
        g_string_append_len(out, digits, point);
        g_string_append_c(out, '.');
        g_string_append_len(out, digits + point, n - point);
    }
}

/* Whole numbers are what most are: digits from the end, without a detour. */
static MrgValue
whole_number(double number, MrgArena *arena)
{
    char digits[24];
    char *end = digits + sizeof digits, *at = end;
    guint64 rest = (guint64) fabs(number);
    do
        *--at = (char) ('0' + rest % 10);
    while (rest /= 10);
    if (number < 0)
        *--at = '-';
    return (MrgValue){.type = MRG_VALUE_NUMBER,
                      .length = (guint32) (end - at),
                      .text = mrg_arena_dup(arena, at, (gsize) (end - at)),
                      .number = number};
}

MrgValue
mrg_value_number(double number, MrgArena *arena)
{
    if (fabs(number) < EXACT_WHOLE_MAX && number == trunc(number))
        return whole_number(number, arena);
    g_autoptr(GString) text = g_string_new(NULL);
    if (isnan(number)) {
        g_string_append(text, "NaN");
    } else {
        if (number < 0)
            g_string_append_c(text, '-');
        if (isinf(number))
            g_string_append(text, "Infinity");
        else
            append_positive(text, fabs(number));
    }
    return (MrgValue){.type = MRG_VALUE_NUMBER,
                      .length = (guint32) text->len,
                      .text = mrg_arena_dup(arena, text->str, text->len),
                      .number = number};
}

static gboolean
is_canonical_integer(const char *text, gsize length)
{
    gsize i = length && text[0] == '-';
    if (i == length || (text[i] == '0' && length > 1))
        return FALSE;
    for (; i < length; i++)
        if (!g_ascii_isdigit(text[i]))
            return FALSE;
    return TRUE;
}

MrgValue
mrg_value_number_text(const char *text, gsize length, MrgArena *arena)
{
    char *copy = mrg_arena_dup(arena, text, length);
    double number = g_ascii_strtod(copy, NULL);
    if (!is_canonical_integer(copy, length))
        return mrg_value_number(number, arena);
    return (MrgValue){.type = MRG_VALUE_NUMBER,
                      .length = (guint32) length,
                      .text = copy,
                      .number = number};
}

const MrgValue *
mrg_value_member(const MrgValue *object, const char *name, gsize length)
{
    static const MrgValue missing = MRG_VALUE_MISSING_INIT;
    if (object->type != MRG_VALUE_OBJECT)
        return &missing;
    for (guint32 i = 0; i < object->length; i++) {
        const MrgMember *member = &object->members[i];
        if (member->name_length == length && memcmp(member->name, name, length) == 0)
            return &member->value;
    }
    return &missing;
}

gboolean
mrg_value_is_true(const MrgValue *value)
{
    switch ((MrgValueType) value->type) {
    case MRG_VALUE_MISSING:
    case MRG_VALUE_NULL:
        return FALSE;
    case MRG_VALUE_BOOLEAN:
        return value->boolean;
    case MRG_VALUE_NUMBER:
        return value->number != 0 && !isnan(value->number);
    case MRG_VALUE_STRING:
    case MRG_VALUE_LIST:
        return value->length > 0;
    case MRG_VALUE_OBJECT:
        return TRUE;
    }
    return FALSE;
}
