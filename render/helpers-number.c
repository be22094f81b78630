/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "render/helper.h"
#include "render/locale.h"
#include "render/lookup.h"

/* Whole numbers beyond 2^53 are no longer all there in a double. */
#define WHOLE_MAX 9007199254740992.0
/* A number of so many digits fits 64 bits. */
#define DIGITS_EXACT 18
/* Decimal digits that a double keeps; sums are cut to them, so that 0.1 + 0.2 is 0.3. */
#define DIGITS_KEPT "%.15g"
#define DIGITS_BEHIND_POINT 20

/* ---- reading and making numbers ---- */

gboolean
mrg_call_integer(MrgHelperCall *call, const MrgValue *value, gint64 *number)
{
    double found;
    if (!mrg_call_double(call, value, &found) || isnan(found))
        return FALSE;
    *number = (gint64) CLAMP(found, -WHOLE_MAX, WHOLE_MAX);
    return TRUE;
}

MrgValue
mrg_call_number(const MrgHelperCall *call, double number)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    if (!isfinite(number))
        return mrg_call_nothing();
    if (number == floor(number) && fabs(number) < WHOLE_MAX)
        return mrg_call_whole(call, (gint64) number);
    g_ascii_formatd(text, sizeof text, DIGITS_KEPT, number);
    return mrg_value_number(g_ascii_strtod(text, NULL), call->arena);
}

MrgValue
mrg_call_whole(const MrgHelperCall *call, gint64 number)
{
    char digits[20];
    gsize start = sizeof digits;
    guint64 rest = number < 0 ? -(guint64) number : (guint64) number;
    do {
        digits[--start] = (char) ('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (number < 0)
        digits[--start] = '-';
    gsize length = sizeof digits - start;
    return (MrgValue){.type = MRG_VALUE_NUMBER,
                      .length = (guint32) length,
                      .text = mrg_arena_dup(call->arena, digits + start, length),
                      .number = (double) number};
}

/* A whole number as it is written, digit by digit. */
static gboolean
read_exact(const MrgValue *value, gint64 *number)
{
    if (value->type != MRG_VALUE_NUMBER && value->type != MRG_VALUE_STRING)
        return FALSE;
    gsize i = value->length && value->text[0] == '-', start = i;
    gint64 found = 0;
    for (;
         i < value->length && i - start <= DIGITS_EXACT && g_ascii_isdigit(value->text[i]);
         i++)
        found = found * 10 + g_ascii_digit_value(value->text[i]);
    gsize n = i - start;
    if (i < value->length || !n || n > DIGITS_EXACT || (n > 1 && value->text[start] == '0'))
        return FALSE;
    *number = start ? -found : found;
    return TRUE;
}

/* ---- arithmetic ---- */

typedef struct Arithmetic {
    gboolean (*exact)(gint64 a, gint64 b, gint64 *result); /* FALSE: not possible */
    double (*real)(double a, double b);
} Arithmetic;

static gboolean
add_exact(gint64 a, gint64 b, gint64 *result)
{
    return !__builtin_add_overflow(a, b, result);
}

static double
add_real(double a, double b)
{
    return a + b;
}

static gboolean
sub_exact(gint64 a, gint64 b, gint64 *result)
{
    return !__builtin_sub_overflow(a, b, result);
}

static double
sub_real(double a, double b)
{
    return a - b;
}

static gboolean
mul_exact(gint64 a, gint64 b, gint64 *result)
{
    return !__builtin_mul_overflow(a, b, result);
}

static double
mul_real(double a, double b)
{
    return a * b;
}

static gboolean
div_exact(gint64 a, gint64 b, gint64 *result)
{
    if (!b || (a == G_MININT64 && b == -1) || a % b)
        return FALSE;
    *result = a / b;
    return TRUE;
}

static double
div_real(double a, double b)
{
    return b == 0 ? NAN : a / b;
}

static gboolean
mod_exact(gint64 a, gint64 b, gint64 *result)
{
    if (!b)
        return FALSE;
    *result = b == -1 ? 0 : a % b;
    return TRUE;
}

static double
mod_real(double a, double b)
{
    return b == 0 ? NAN : fmod(a, b);
}

static const Arithmetic adding = {add_exact, add_real};
static const Arithmetic subtracting = {sub_exact, sub_real};
static const Arithmetic multiplying = {mul_exact, mul_real};
static const Arithmetic dividing = {div_exact, div_real};
static const Arithmetic remaining = {mod_exact, mod_real};

static MrgValue
combine(MrgHelperCall *call, const Arithmetic *how, const MrgValue *a, const MrgValue *b)
{
    gint64 m, n, result;
    double x, y;
    if (read_exact(a, &m) && read_exact(b, &n) && how->exact(m, n, &result))
        return mrg_call_whole(call, result);
    if (!mrg_call_double(call, a, &x) || !mrg_call_double(call, b, &y))
        return mrg_call_nothing();
    return mrg_call_number(call, how->real(x, y));
}

static MrgValue
combine_all(MrgHelperCall *call, const Arithmetic *how)
{
    MrgValue result = call->args[0];
    for (guint i = 1; i < call->n_args; i++)
        result = combine(call, how, &result, &call->args[i]);
    return result;
}

MrgValue
mrg_helper_add(MrgHelperCall *call)
{
    return combine_all(call, &adding);
}

MrgValue
mrg_helper_sub(MrgHelperCall *call)
{
    return combine_all(call, &subtracting);
}

MrgValue
mrg_helper_mul(MrgHelperCall *call)
{
    return combine_all(call, &multiplying);
}

MrgValue
mrg_helper_div(MrgHelperCall *call)
{
    return combine_all(call, &dividing);
}

MrgValue
mrg_helper_mod(MrgHelperCall *call)
{
    return combine_all(call, &remaining);
}

MrgValue
mrg_helper_sum(MrgHelperCall *call)
{
    const MrgValue *list = &call->args[0];
    MrgValue total = mrg_call_whole(call, 0);
    if (list->type != MRG_VALUE_LIST)
        return mrg_call_nothing();
    MrgValue name =
        call->n_args > 1 ? mrg_call_text(call, &call->args[1]) : mrg_call_nothing();
    for (guint32 i = 0; i < list->length && !mrg_call_is_over(call); i++) {
        const MrgValue *item = &list->items[i];
        if (name.type == MRG_VALUE_STRING)
            item = mrg_lookup_member(item, name.text, name.length, call->steps);
        mrg_call_charge(call, 4);
        if (item->type > MRG_VALUE_NULL)
            total = combine(call, &adding, &total, item);
    }
    return total;
}

/* ---- least and greatest ---- */

static void
consider(MrgHelperCall *call, const MrgValue *value, int wanted, const MrgValue **best)
{
    double number;
    if (!mrg_call_double(call, value, &number) || isnan(number))
        return;
    if (!*best || mrg_call_order(call, value, *best) == wanted)
        *best = value;
}

static MrgValue
find_extreme(MrgHelperCall *call, int wanted)
{
    const MrgValue *best = NULL;
    for (guint i = 0; i < call->n_args; i++) {
        const MrgValue *value = &call->args[i];
        if (value->type != MRG_VALUE_LIST)
            consider(call, value, wanted, &best);
        for (guint32 n = 0;
             value->type == MRG_VALUE_LIST && n < value->length && !mrg_call_is_over(call);
             n++) {
            mrg_call_charge(call, 2);
            consider(call, &value->items[n], wanted, &best);
        }
    }
    return best ? *best : mrg_call_nothing();
}

MrgValue
mrg_helper_min(MrgHelperCall *call)
{
    return find_extreme(call, -1);
}

MrgValue
mrg_helper_max(MrgHelperCall *call)
{
    return find_extreme(call, 1);
}

/* ---- rounding ---- */

/* 1.005 is a little less in binary; two units in the last place bring it back over the
 * half that was written. */
static double
round_decimal(double number, int digits)
{
    double scale = pow(10, digits);
    double scaled = number * scale;
    if (fabs(scaled) >= WHOLE_MAX || !isfinite(scaled))
        return number;
    return round(scaled * (1 + 2 * DBL_EPSILON)) / scale;
}

static int
digits_of(MrgHelperCall *call, int fallback)
{
    const MrgValue *digits = mrg_call_argument(call, "digits", 1);
    gint64 n;
    if (!digits || !mrg_call_integer(call, digits, &n))
        return fallback;
    return (int) CLAMP(n, 0, DIGITS_BEHIND_POINT);
}

/* A whole number of any length, to which rounding has nothing to do. */
static gboolean
is_whole(const MrgValue *value)
{
    gsize i = value->type == MRG_VALUE_NUMBER && value->text[0] == '-';
    if (value->type != MRG_VALUE_NUMBER)
        return FALSE;
    while (i < value->length && g_ascii_isdigit(value->text[i]))
        i++;
    return i == value->length;
}

MrgValue
mrg_helper_round(MrgHelperCall *call)
{
    double number;
    if (is_whole(&call->args[0]))
        return call->args[0];
    if (!mrg_call_double(call, &call->args[0], &number))
        return mrg_call_nothing();
    return mrg_call_number(call, round_decimal(number, digits_of(call, 0)));
}

static MrgValue
round_by(MrgHelperCall *call, double (*way)(double))
{
    double number;
    if (is_whole(&call->args[0]))
        return call->args[0];
    if (!mrg_call_double(call, &call->args[0], &number))
        return mrg_call_nothing();
    return mrg_call_number(call, way(number));
}

MrgValue
mrg_helper_ceil(MrgHelperCall *call)
{
    return round_by(call, ceil);
}

MrgValue
mrg_helper_floor(MrgHelperCall *call)
{
    return round_by(call, floor);
}

MrgValue
mrg_helper_abs(MrgHelperCall *call)
{
    MrgValue value = call->args[0];
    double number;
    if (!mrg_call_double(call, &value, &number))
        return mrg_call_nothing();
    if (value.length && value.text[0] == '-')
        return mrg_value_number_text(value.text + 1, value.length - 1, call->arena);
    return value;
}

/* ---- as people write them ---- */

MrgValue
mrg_helper_number(MrgHelperCall *call)
{
    return mrg_locale_number(call, MRG_FORMAT_NUMBER, &call->args[0], digits_of(call, -1),
                             NULL);
}

MrgValue
mrg_helper_percent(MrgHelperCall *call)
{
    return mrg_locale_number(call, MRG_FORMAT_PERCENT, &call->args[0], digits_of(call, -1),
                             NULL);
}

MrgValue
mrg_helper_ordinal(MrgHelperCall *call)
{
    return mrg_locale_number(call, MRG_FORMAT_ORDINAL, &call->args[0], -1, NULL);
}

static const char *
currency_code(MrgHelperCall *call, const MrgValue *value)
{
    char code[4] = "";
    if (value->type == MRG_VALUE_STRING && value->length == 3)
        for (gsize i = 0; i < 3; i++)
            code[i] =
                g_ascii_isalpha(value->text[i]) ? g_ascii_toupper(value->text[i]) : '?';
    if (!*code || strchr(code, '?')) {
        mrg_call_fail(call, "a currency is three letters, as in \"EUR\"");
        return NULL;
    }
    return mrg_arena_strdup(call->arena, code);
}

MrgValue
mrg_helper_currency(MrgHelperCall *call)
{
    const MrgValue *named = mrg_call_argument(call, NULL, 1);
    const MrgValue *digits = mrg_call_argument(call, "digits", G_MAXUINT);
    const char *code =
        named && named->type > MRG_VALUE_NULL ? currency_code(call, named) : NULL;
    gint64 n = -1;
    if (call->failure)
        return mrg_call_nothing();
    if (!digits || !mrg_call_integer(call, digits, &n) || n < 0)
        n = -1;
    return mrg_locale_number(call, MRG_FORMAT_CURRENCY, &call->args[0],
                             (int) MIN(n, DIGITS_BEHIND_POINT), code);
}

/* ---- words that go with them ---- */

MrgValue
mrg_helper_plural(MrgHelperCall *call)
{
    const MrgValue *word = mrg_call_argument(call, "zero", G_MAXUINT);
    double number;
    if (!mrg_call_double(call, &call->args[0], &number))
        return mrg_call_nothing();
    if (number == 0 && word)
        return *word;
    const char *category = mrg_locale_plural(call, number);
    word = mrg_call_argument(call, category, strcmp(category, "one") == 0 ? 1 : 2);
    if (!word)
        word = mrg_call_argument(call, "other", 2);
    return word ? *word : mrg_call_nothing();
}
