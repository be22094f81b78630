/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is no number, and what has no result, is missing: it prints nothing, and `default`
 * gives it a text.
 */
#include "config.h"

#include <math.h>

#include "render/helper.h"
#include "render/lookup.h"

/* Digits behind the point that a double can mean anything for. */
#define ROUND_DIGITS_MAX 15
#define RANGE_MAX 10000
/* What writing a number costs, in steps. */
#define NUMBER_STEPS 8
/* From here on a double has no digits behind the point (2^53). */
#define WHOLE_FROM 9007199254740992.0

static const MrgValue missing = MRG_VALUE_MISSING_INIT;

static MrgValue
result(MrgHelperCall *call, double number)
{
    mrg_call_charge(call, NUMBER_STEPS);
    return isfinite(number) ? mrg_value_number(number, call->arena) : missing;
}

typedef double (*Operation)(double a, double b);

static double
plus(double a, double b)
{
    return a + b;
}

static double
minus(double a, double b)
{
    return a - b;
}

static double
times(double a, double b)
{
    return a * b;
}

static double
divided(double a, double b)
{
    return b == 0 ? NAN : a / b;
}

static double
modulo(double a, double b)
{
    return b == 0 ? NAN : a - b * floor(a / b);
}

static double
lesser(double a, double b)
{
    return a < b ? a : b;
}

static double
greater(double a, double b)
{
    return a > b ? a : b;
}

/* The values one after the other; missing when one of them is no number. */
static MrgValue
reduce(MrgHelperCall *call, const MrgValue *values, guint32 n, Operation operation)
{
    double all, next;
    if (!n || !mrg_call_number(call, &values[0], &all))
        return missing;
    mrg_call_charge(call, n);
    for (guint32 i = 1; i < n; i++) {
        if (!mrg_call_number(call, &values[i], &next))
            return missing;
        all = operation(all, next);
    }
    return result(call, all);
}

MrgValue
mrg_helper_add(MrgHelperCall *call)
{
    return reduce(call, call->args, call->n_args, plus);
}

MrgValue
mrg_helper_sub(MrgHelperCall *call)
{
    return reduce(call, call->args, call->n_args, minus);
}

MrgValue
mrg_helper_mul(MrgHelperCall *call)
{
    return reduce(call, call->args, call->n_args, times);
}

MrgValue
mrg_helper_div(MrgHelperCall *call)
{
    return reduce(call, call->args, call->n_args, divided);
}

MrgValue
mrg_helper_mod(MrgHelperCall *call)
{
    return reduce(call, call->args, call->n_args, modulo);
}

static MrgValue
extreme(MrgHelperCall *call, Operation operation)
{
    const MrgValue *first = &call->args[0];
    if (call->n_args == 1 && first->type == MRG_VALUE_LIST)
        return reduce(call, first->items, first->length, operation);
    return reduce(call, call->args, call->n_args, operation);
}

MrgValue
mrg_helper_min(MrgHelperCall *call)
{
    return extreme(call, lesser);
}

MrgValue
mrg_helper_max(MrgHelperCall *call)
{
    return extreme(call, greater);
}

/* pow() is exact for these; the number is scaled, rounded and scaled back. */
MrgValue
mrg_helper_round(MrgHelperCall *call)
{
    double number, digits = 0;
    if (!mrg_call_number(call, &call->args[0], &number) ||
        (call->n_args > 1 && !mrg_call_number(call, &call->args[1], &digits)))
        return missing;
    if (!(fabs(number) < WHOLE_FROM))
        return result(call, number);
    double scale = pow(10, CLAMP(trunc(digits), 0, ROUND_DIGITS_MAX));
    return result(call, round(number * scale) / scale);
}

static MrgValue
apply(MrgHelperCall *call, double (*operation)(double))
{
    double number;
    if (!mrg_call_number(call, &call->args[0], &number))
        return missing;
    return result(call, operation(number));
}

MrgValue
mrg_helper_floor(MrgHelperCall *call)
{
    return apply(call, floor);
}

MrgValue
mrg_helper_ceil(MrgHelperCall *call)
{
    return apply(call, ceil);
}

MrgValue
mrg_helper_abs(MrgHelperCall *call)
{
    return apply(call, fabs);
}

MrgValue
mrg_helper_sum(MrgHelperCall *call)
{
    const MrgValue *list = &call->args[0];
    if (list->type != MRG_VALUE_LIST)
        return missing;
    if (call->n_args == 1)
        return list->length ? reduce(call, list->items, list->length, plus)
                            : mrg_value_number(0, call->arena);
    MrgValue text = mrg_call_text(call, &call->args[1]);
    MrgName name = mrg_lookup_name(text.text, text.length);
    double sum = 0, next;
    for (guint32 i = 0; i < list->length && *call->steps >= 0; i++) {
        mrg_call_charge(call, 1);
        MrgValue member = mrg_lookup(&list->items[i], &name, call->steps, call->arena);
        if (!mrg_call_number(call, &member, &next))
            return missing;
        sum += next;
    }
    return result(call, sum);
}

MrgValue
mrg_helper_range(MrgHelperCall *call)
{
    double from, to;
    if (!mrg_call_number(call, &call->args[0], &from) ||
        !mrg_call_number(call, &call->args[1], &to))
        return missing;
    from = ceil(from);
    if (!(to - from <= RANGE_MAX))
        return mrg_call_fail(call, "a range has at most 10000 numbers");
    gsize n = to > from ? (gsize) ceil(to - from) : 0;
    mrg_call_charge(call, n * NUMBER_STEPS);
    if (*call->steps < 0)
        return missing;
    MrgValue *items = mrg_arena_array(call->arena, MrgValue, n);
    for (gsize i = 0; i < n; i++)
        items[i] = mrg_value_number(from + (double) i, call->arena);
    return mrg_value_list(items, n);
}
