/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <math.h>
#include <string.h>

#include "render/helper.h"
#include "render/lookup.h"
#include "render/text.h"

/* A step pays for so many bytes compared. */
#define BYTES_PER_STEP 64

typedef enum { LESS = -1, EQUAL = 0, GREATER = 1, UNRELATED = 2 } Order;

static Order
order_of(gint64 difference)
{
    return difference < 0 ? LESS : difference > 0 ? GREATER : EQUAL;
}

/* ---- decimal numbers, compared digit by digit, so that long ids never meet a double ----
 */

typedef struct Decimal {
    gboolean is_negative;
    MrgSlice whole, fraction;
} Decimal;

static gsize
count_digits(const char *text, gsize length)
{
    gsize n = 0;
    while (n < length && g_ascii_isdigit(text[n]))
        n++;
    return n;
}

/* -?(0|[1-9][0-9]*)(\.[0-9]+)?: so 007 and 01234 are texts, as a zip code should be. */
static gboolean
read_decimal(const MrgValue *value, Decimal *decimal)
{
    if ((value->type != MRG_VALUE_NUMBER && value->type != MRG_VALUE_STRING) ||
        !value->length)
        return FALSE;
    const char *text = value->text, *end = text + value->length;
    decimal->is_negative = text < end && *text == '-';
    text += decimal->is_negative;
    gsize whole = count_digits(text, (gsize) (end - text));
    if (!whole || (whole > 1 && *text == '0'))
        return FALSE;
    decimal->whole = (MrgSlice){text, whole};
    decimal->fraction = (MrgSlice){text, 0};
    text += whole;
    if (text == end)
        return TRUE;
    if (*text++ != '.')
        return FALSE;
    gsize fraction = count_digits(text, (gsize) (end - text));
    gboolean is_good = fraction && text + fraction == end;
    while (fraction && text[fraction - 1] == '0')
        fraction--;
    decimal->fraction = (MrgSlice){text, fraction};
    return is_good;
}

static Order
compare_bytes(MrgSlice a, MrgSlice b)
{
    gsize shared = MIN(a.length, b.length);
    int first = shared ? memcmp(a.text, b.text, shared) : 0;
    return order_of(first ? first : (gint64) a.length - (gint64) b.length);
}

static Order
compare_magnitude(const Decimal *a, const Decimal *b)
{
    if (a->whole.length != b->whole.length)
        return order_of((gint64) a->whole.length - (gint64) b->whole.length);
    Order order = compare_bytes(a->whole, b->whole);
    return order == EQUAL ? compare_bytes(a->fraction, b->fraction) : order;
}

static gboolean
is_zero(const Decimal *decimal)
{
    return decimal->whole.length == 1 && *decimal->whole.text == '0' &&
           decimal->fraction.length == 0;
}

static Order
compare_decimals(const Decimal *a, const Decimal *b)
{
    if (is_zero(a) && is_zero(b))
        return EQUAL;
    if (a->is_negative != b->is_negative)
        return a->is_negative ? LESS : GREATER;
    return a->is_negative ? compare_magnitude(b, a) : compare_magnitude(a, b);
}

/* ---- values ---- */

static gboolean
is_nothing(const MrgValue *value)
{
    return value->type == MRG_VALUE_MISSING || value->type == MRG_VALUE_NULL;
}

static Order
compare_doubles(double a, double b)
{
    if (isnan(a) || isnan(b))
        return UNRELATED;
    return a < b ? LESS : a > b ? GREATER : EQUAL;
}

gboolean
mrg_call_double(MrgHelperCall *call, const MrgValue *value, double *number)
{
    Decimal decimal;
    if (value->type == MRG_VALUE_NUMBER) {
        *number = value->number;
        return TRUE;
    }
    mrg_call_charge(call, value->type == MRG_VALUE_STRING ? value->length / 8 : 0);
    if (mrg_call_is_over(call) || !read_decimal(value, &decimal))
        return FALSE;
    *number = g_ascii_strtod(mrg_arena_dup(call->arena, value->text, value->length), NULL);
    return TRUE;
}

static Order
compare(MrgHelperCall *call, const MrgValue *a, const MrgValue *b)
{
    Decimal x, y;
    double m, n;
    mrg_call_charge(call, (a->type == MRG_VALUE_STRING ? a->length : 0) / BYTES_PER_STEP);
    if (read_decimal(a, &x) && read_decimal(b, &y))
        return compare_decimals(&x, &y);
    if (a->type == MRG_VALUE_STRING && b->type == MRG_VALUE_STRING)
        return compare_bytes((MrgSlice){a->text, a->length},
                             (MrgSlice){b->text, b->length});
    if (mrg_call_double(call, a, &m) && mrg_call_double(call, b, &n))
        return compare_doubles(m, n);
    return UNRELATED;
}

gboolean
mrg_call_are_equal(MrgHelperCall *call, const MrgValue *a, const MrgValue *b)
{
    if (is_nothing(a) || is_nothing(b))
        return is_nothing(a) && is_nothing(b);
    if (a->type != b->type)
        return compare(call, a, b) == EQUAL;
    switch ((MrgValueType) a->type) {
    case MRG_VALUE_BOOLEAN:
        return a->boolean == b->boolean;
    case MRG_VALUE_LIST:
    case MRG_VALUE_OBJECT:
        return a->items == b->items && a->length == b->length;
    default:
        return compare(call, a, b) == EQUAL;
    }
}

int
mrg_call_order(MrgHelperCall *call, const MrgValue *a, const MrgValue *b)
{
    return (int) compare(call, a, b);
}

MrgValue
mrg_helper_eq(MrgHelperCall *call)
{
    return mrg_value_boolean(mrg_call_are_equal(call, &call->args[0], &call->args[1]));
}

MrgValue
mrg_helper_ne(MrgHelperCall *call)
{
    return mrg_value_boolean(!mrg_call_are_equal(call, &call->args[0], &call->args[1]));
}

MrgValue
mrg_helper_gt(MrgHelperCall *call)
{
    return mrg_value_boolean(compare(call, &call->args[0], &call->args[1]) == GREATER);
}

MrgValue
mrg_helper_lt(MrgHelperCall *call)
{
    return mrg_value_boolean(compare(call, &call->args[0], &call->args[1]) == LESS);
}

MrgValue
mrg_helper_gte(MrgHelperCall *call)
{
    Order order = compare(call, &call->args[0], &call->args[1]);
    return mrg_value_boolean(order == GREATER || order == EQUAL);
}

MrgValue
mrg_helper_lte(MrgHelperCall *call)
{
    Order order = compare(call, &call->args[0], &call->args[1]);
    return mrg_value_boolean(order == LESS || order == EQUAL);
}

static MrgValue
first_with(const MrgHelperCall *call, gboolean truth)
{
    guint i = 0;
    while (i + 1 < call->n_args && mrg_value_is_true(&call->args[i]) != truth)
        i++;
    return call->args[i];
}

MrgValue
mrg_helper_and(MrgHelperCall *call)
{
    return first_with(call, FALSE);
}

MrgValue
mrg_helper_or(MrgHelperCall *call)
{
    return first_with(call, TRUE);
}

MrgValue
mrg_helper_not(MrgHelperCall *call)
{
    return mrg_value_boolean(!mrg_value_is_true(&call->args[0]));
}

static gboolean
has_item(MrgHelperCall *call, const MrgValue *list, const MrgValue *value)
{
    mrg_call_charge(call, list->length);
    for (guint32 i = 0; i < list->length && !mrg_call_is_over(call); i++)
        if (mrg_call_are_equal(call, &list->items[i], value))
            return TRUE;
    return FALSE;
}

MrgValue
mrg_helper_in(MrgHelperCall *call)
{
    for (guint i = 1; i < call->n_args; i++) {
        const MrgValue *choice = &call->args[i];
        if (choice->type == MRG_VALUE_LIST
                ? has_item(call, choice, &call->args[0])
                : mrg_call_are_equal(call, &call->args[0], choice))
            return mrg_value_boolean(TRUE);
    }
    return mrg_value_boolean(FALSE);
}

MrgValue
mrg_helper_contains(MrgHelperCall *call)
{
    const MrgValue *whole = &call->args[0];
    if (whole->type == MRG_VALUE_LIST)
        return mrg_value_boolean(has_item(call, whole, &call->args[1]));
    MrgValue part = mrg_call_text(call, &call->args[1]);
    if (whole->type == MRG_VALUE_OBJECT)
        return mrg_value_boolean(
            mrg_lookup_member(whole, part.text, part.length, call->steps)->type !=
            MRG_VALUE_MISSING);
    MrgValue text = mrg_call_text(call, whole);
    mrg_call_charge(call, text.length / BYTES_PER_STEP);
    return mrg_value_boolean(
        !is_nothing(whole) && !mrg_call_is_over(call) &&
        mrg_text_find(call, text.text, text.length, part.text, part.length));
}

MrgValue
mrg_helper_empty(MrgHelperCall *call)
{
    const MrgValue *value = &call->args[0];
    return mrg_value_boolean(mrg_value_is_empty(value) ||
                             (value->type == MRG_VALUE_OBJECT && !value->length));
}

MrgValue
mrg_helper_lookup(MrgHelperCall *call)
{
    if (!mrg_value_is_true(&call->args[0]))
        return call->args[0];
    MrgValue key = mrg_call_text(call, &call->args[1]);
    MrgName name = mrg_lookup_name(key.text, key.length);
    MrgValue result = MRG_VALUE_MISSING_INIT;
    if (key.type == MRG_VALUE_STRING)
        result = mrg_lookup(&call->args[0], &name, call->steps, call->arena);
    return result;
}

/* ---- fallbacks ---- */

/* 0 and false are answers; only what is not there, or empty, takes the fallback. */
gboolean
mrg_value_is_empty(const MrgValue *value)
{
    gboolean can_be_empty =
        value->type == MRG_VALUE_STRING || value->type == MRG_VALUE_LIST;
    return is_nothing(value) || (can_be_empty && value->length == 0);
}

MrgValue
mrg_helper_coalesce(MrgHelperCall *call)
{
    guint i = 0;
    while (i + 1 < call->n_args && mrg_value_is_empty(&call->args[i]))
        i++;
    return call->args[i];
}

MrgValue
mrg_helper_default(MrgHelperCall *call)
{
    return mrg_helper_coalesce(call);
}

/* SendGrid writes {{insert name "default=Customer"}}, the name of the argument inside of
 * the text. */
MrgValue
mrg_helper_insert(MrgHelperCall *call)
{
    static const char prefix[] = "default=";
    const MrgValue *fallback = mrg_call_argument(call, "default", 1);
    if (!mrg_value_is_empty(&call->args[0]) || !fallback)
        return call->args[0];
    gsize n = strlen(prefix);
    if (fallback->type == MRG_VALUE_STRING && fallback->length >= n &&
        memcmp(fallback->text, prefix, n) == 0)
        return mrg_value_string(fallback->text + n, fallback->length - n);
    return *fallback;
}

MrgValue
mrg_helper_required(MrgHelperCall *call)
{
    if (!mrg_value_is_empty(&call->args[0]) || call->input->may_lack_required)
        return call->args[0];
    return mrg_call_fail_as(call, MRG_RENDER_ERROR_REQUIRED, "this person lacks the value");
}

/* The reason is written in the template: the compiler sees to that. */
MrgValue
mrg_helper_abort(MrgHelperCall *call)
{
    if (!call->n_args)
        return mrg_call_fail_as(call, MRG_RENDER_ERROR_ABORT, "the template says so");
    MrgValue reason = mrg_call_text(call, &call->args[0]);
    return mrg_call_fail_as(call, MRG_RENDER_ERROR_ABORT,
                            mrg_arena_dup(call->arena, reason.text, reason.length));
}
