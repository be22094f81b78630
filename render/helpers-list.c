/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <math.h>

#include "render/helper.h"
#include "render/lookup.h"

static const MrgValue missing = MRG_VALUE_MISSING_INIT;

/* An argument as a place in a list of n: from its end where it is below zero. */
static guint32
place(MrgHelperCall *call, guint i, guint32 n, guint32 fallback)
{
    double number;
    if (i >= call->n_args || !mrg_call_number(call, &call->args[i], &number))
        return fallback;
    if (number < 0)
        number += n;
    return (guint32) CLAMP(trunc(number), 0, (double) n);
}

MrgValue
mrg_helper_length(MrgHelperCall *call)
{
    const MrgValue *value = &call->args[0];
    if (value->type >= MRG_VALUE_LIST)
        return mrg_lookup_count(value->length, call->arena);
    MrgValue text = mrg_call_text(call, value);
    guint32 n = 0;
    mrg_call_charge(call, text.length / 64);
    for (guint32 i = 0; i < text.length; i++)
        n += ((guchar) text.text[i] & 0xc0) != 0x80;
    return mrg_lookup_count(n, call->arena);
}

static MrgValue
items(const MrgValue *list, guint32 start, guint32 end)
{
    return mrg_value_list(list->items + start, start < end ? end - start : 0);
}

MrgValue
mrg_helper_first(MrgHelperCall *call)
{
    const MrgValue *list = &call->args[0];
    if (list->type != MRG_VALUE_LIST)
        return missing;
    if (call->n_args > 1)
        return items(list, 0, place(call, 1, list->length, 0));
    return list->length ? list->items[0] : missing;
}

MrgValue
mrg_helper_last(MrgHelperCall *call)
{
    const MrgValue *list = &call->args[0];
    if (list->type != MRG_VALUE_LIST)
        return missing;
    if (call->n_args > 1)
        return items(list, list->length - place(call, 1, list->length, 0), list->length);
    return list->length ? list->items[list->length - 1] : missing;
}

MrgValue
mrg_helper_slice(MrgHelperCall *call)
{
    const MrgValue *list = &call->args[0];
    if (list->type != MRG_VALUE_LIST)
        return missing;
    return items(list, place(call, 1, list->length, 0),
                 place(call, 2, list->length, list->length));
}

MrgValue
mrg_helper_uniq(MrgHelperCall *call)
{
    const MrgValue *list = &call->args[0];
    if (list->type != MRG_VALUE_LIST)
        return missing;
    MrgValue *kept = mrg_arena_array(call->arena, MrgValue, list->length);
    guint32 n = 0;
    for (guint32 i = 0; i < list->length && *call->steps >= 0; i++) {
        guint32 before = 0;
        mrg_call_charge(call, n + 1);
        while (before < n && !mrg_call_equal(call, &kept[before], &list->items[i]))
            before++;
        if (before == n)
            kept[n++] = list->items[i];
    }
    return mrg_value_list(kept, n);
}
