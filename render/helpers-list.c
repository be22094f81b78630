/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <math.h>
#include <string.h>

#include "render/helper.h"
#include "render/lookup.h"
#include "render/text.h"

#define BYTES_PER_STEP 8
/* A number and its digits are made for each. */
#define STEPS_PER_NUMBER 4

/* Room for n values, charged; NULL when the steps are used up. */
static MrgValue *
make_items(MrgHelperCall *call, gsize n)
{
    mrg_call_charge(call, n);
    return mrg_call_is_over(call) ? NULL : mrg_arena_array(call->arena, MrgValue, n);
}

static gboolean
is_list(const MrgValue *value)
{
    return value->type == MRG_VALUE_LIST;
}

MrgValue
mrg_helper_length(MrgHelperCall *call)
{
    const MrgValue *value = &call->args[0];
    if (value->type >= MRG_VALUE_LIST)
        return mrg_lookup_count(value->length, call->arena);
    MrgValue text = mrg_text_argument(call, 0);
    return mrg_call_whole(call, (gint64) mrg_text_count(text.text, text.length));
}

/* ---- parts ---- */

/* From and to as JavaScript's slice() has them: below 0 they count from the end. */
static gsize
place_of(gint64 at, gsize n)
{
    gint64 length = (gint64) n;
    return (gsize) (at < 0 ? MAX(0, length + at) : MIN(at, length));
}

static MrgValue
slice_list(const MrgValue *list, gint64 from, gint64 to)
{
    gsize start = place_of(from, list->length), end = place_of(to, list->length);
    return start < end ? mrg_value_list(list->items + start, end - start)
                       : mrg_value_list(list->items, 0);
}

static MrgValue
slice_text(const MrgValue *text, gint64 from, gint64 to)
{
    gsize n = mrg_text_count(text->text, text->length);
    gsize start = place_of(from, n), end = place_of(to, n);
    gsize at = mrg_text_prefix(text->text, text->length, start);
    gsize length =
        start < end ? mrg_text_prefix(text->text + at, text->length - at, end - start) : 0;
    return mrg_value_string(text->text + at, length);
}

static MrgValue
slice(MrgHelperCall *call, gint64 from, gint64 to)
{
    if (is_list(&call->args[0]))
        return slice_list(&call->args[0], from, to);
    if (call->args[0].type != MRG_VALUE_STRING)
        return mrg_call_nothing();
    MrgValue text = mrg_text_argument(call, 0);
    return slice_text(&text, from, to);
}

MrgValue
mrg_helper_slice(MrgHelperCall *call)
{
    gint64 from, to = G_MAXINT32;
    if (!mrg_call_integer(call, &call->args[1], &from) ||
        (call->n_args > 2 && !mrg_call_integer(call, &call->args[2], &to)))
        return mrg_call_nothing();
    return slice(call, from, to);
}

MrgValue
mrg_helper_first(MrgHelperCall *call)
{
    const MrgValue *list = &call->args[0];
    gint64 n = 1;
    if (call->n_args == 1 && is_list(list))
        return list->length ? list->items[0] : mrg_call_nothing();
    if (call->n_args > 1 && !mrg_call_integer(call, &call->args[1], &n))
        return mrg_call_nothing();
    return slice(call, 0, MAX(n, 0));
}

MrgValue
mrg_helper_last(MrgHelperCall *call)
{
    const MrgValue *list = &call->args[0];
    gint64 n = 1;
    if (call->n_args == 1 && is_list(list))
        return list->length ? list->items[list->length - 1] : mrg_call_nothing();
    if (call->n_args > 1 && !mrg_call_integer(call, &call->args[1], &n))
        return mrg_call_nothing();
    return n > 0 ? slice(call, -n, G_MAXINT32) : slice(call, 0, 0);
}

/* ---- by a member ---- */

/* The member that the i-th argument names, or the item itself where there is no such
 * argument. */
static const MrgValue *
member_of(MrgHelperCall *call, const MrgValue *item, guint i)
{
    if (i >= call->n_args)
        return item;
    mrg_call_charge(call, 1);
    MrgValue name = mrg_call_text(call, &call->args[i]);
    return mrg_lookup_member(item, name.text, name.length, call->steps);
}

MrgValue
mrg_helper_map(MrgHelperCall *call)
{
    const MrgValue *list = &call->args[0];
    MrgValue *items = is_list(list) ? make_items(call, list->length) : NULL;
    if (!items)
        return mrg_call_nothing();
    for (guint32 i = 0; i < list->length && !mrg_call_is_over(call); i++)
        items[i] = *member_of(call, &list->items[i], 1);
    return mrg_value_list(items, list->length);
}

static gboolean
is_wanted(MrgHelperCall *call, const MrgValue *item)
{
    const MrgValue *member = member_of(call, item, 1);
    return call->n_args > 2 ? mrg_call_are_equal(call, member, &call->args[2])
                            : mrg_value_is_true(member);
}

MrgValue
mrg_helper_where(MrgHelperCall *call)
{
    const MrgValue *list = &call->args[0];
    MrgValue *items = is_list(list) ? make_items(call, list->length) : NULL;
    gsize n = 0;
    if (!items)
        return mrg_call_nothing();
    for (guint32 i = 0; i < list->length && !mrg_call_is_over(call); i++)
        if (is_wanted(call, &list->items[i]))
            items[n++] = list->items[i];
    return mrg_value_list(items, n);
}

static gboolean
is_among(MrgHelperCall *call, const MrgValue *items, gsize n, const MrgValue *item)
{
    const MrgValue *member = member_of(call, item, 1);
    for (gsize i = 0; i < n && !mrg_call_is_over(call); i++) {
        mrg_call_charge(call, 1);
        if (mrg_call_are_equal(call, member_of(call, &items[i], 1), member))
            return TRUE;
    }
    return FALSE;
}

MrgValue
mrg_helper_uniq(MrgHelperCall *call)
{
    const MrgValue *list = &call->args[0];
    MrgValue *items = is_list(list) ? make_items(call, list->length) : NULL;
    gsize n = 0;
    if (!items)
        return mrg_call_nothing();
    for (guint32 i = 0; i < list->length && !mrg_call_is_over(call); i++)
        if (!is_among(call, items, n, &list->items[i]))
            items[n++] = list->items[i];
    return mrg_value_list(items, n);
}

/* ---- sorting ---- */

typedef enum { RANK_NUMBER, RANK_TEXT, RANK_OTHER } Rank;

typedef struct Sortable {
    const MrgValue *item, *key;
    Rank rank;
} Sortable;

static Rank
rank_of(MrgHelperCall *call, const MrgValue *key)
{
    double number;
    if (mrg_call_double(call, key, &number))
        return isnan(number) ? RANK_OTHER : RANK_NUMBER;
    return key->type == MRG_VALUE_STRING ? RANK_TEXT : RANK_OTHER;
}

/* Whether b belongs before a. */
static gboolean
is_out_of_order(MrgHelperCall *call, const Sortable *a, const Sortable *b,
                gboolean is_descending)
{
    mrg_call_charge(call, 1);
    if (mrg_call_is_over(call))
        return FALSE;
    if (a->rank != b->rank || a->rank == RANK_OTHER)
        return a->rank > b->rank;
    return mrg_call_order(call, b->key, a->key) == (is_descending ? 1 : -1);
}

static void
merge(MrgHelperCall *call, const Sortable *from, Sortable *to, gsize middle, gsize n,
      gboolean is_descending)
{
    gsize left = 0, right = middle;
    for (gsize i = 0; i < n; i++) {
        gboolean is_right =
            left == middle ||
            (right < n && is_out_of_order(call, &from[left], &from[right], is_descending));
        to[i] = is_right ? from[right++] : from[left++];
    }
}

/* Merges runs of growing length, to and fro between two arrays; stable. */
static const Sortable *
merge_sort(MrgHelperCall *call, Sortable *from, Sortable *to, gsize n,
           gboolean is_descending)
{
    for (gsize run = 1; run < n; run *= 2) {
        for (gsize start = 0; start < n; start += 2 * run) {
            gsize length = MIN(2 * run, n - start);
            merge(call, from + start, to + start, MIN(run, length), length, is_descending);
        }
        Sortable *swap = from;
        from = to;
        to = swap;
    }
    return from;
}

static gboolean
is_descending(const MrgHelperCall *call)
{
    const MrgValue *order = mrg_call_argument(call, "order", G_MAXUINT);
    return order && order->type == MRG_VALUE_STRING && order->length == 4 &&
           g_ascii_strncasecmp(order->text, "desc", 4) == 0;
}

MrgValue
mrg_helper_sort(MrgHelperCall *call)
{
    const MrgValue *list = &call->args[0];
    if (!is_list(list))
        return mrg_call_nothing();
    mrg_call_charge(call, (gsize) list->length * 4);
    MrgValue *items = make_items(call, list->length);
    if (!items)
        return mrg_call_nothing();
    Sortable *from = mrg_arena_array(call->arena, Sortable, list->length);
    Sortable *to = mrg_arena_array(call->arena, Sortable, list->length);
    for (guint32 i = 0; i < list->length; i++) {
        const MrgValue *key = member_of(call, &list->items[i], 1);
        from[i] = (Sortable){&list->items[i], key, rank_of(call, key)};
    }
    const Sortable *sorted = merge_sort(call, from, to, list->length, is_descending(call));
    for (guint32 i = 0; i < list->length; i++)
        items[i] = *sorted[i].item;
    return mrg_value_list(items, list->length);
}

/* ---- making lists, and texts of them ---- */

MrgValue
mrg_helper_range(MrgHelperCall *call)
{
    gint64 from, to, step = 1;
    if (!mrg_call_integer(call, &call->args[0], &from) ||
        !mrg_call_integer(call, &call->args[1], &to) ||
        (call->n_args > 2 && !mrg_call_integer(call, &call->args[2], &step)) || !step)
        return mrg_call_nothing();
    gsize n =
        (step > 0) == (to >= from) || to == from ? (gsize) ((to - from) / step) + 1 : 0;
    mrg_call_charge(call, MIN(n, G_MAXINT32 / STEPS_PER_NUMBER) * STEPS_PER_NUMBER);
    MrgValue *items = make_items(call, n);
    if (!items)
        return mrg_call_nothing();
    for (gsize i = 0; i < n; i++)
        items[i] = mrg_call_whole(call, from + (gint64) i * step);
    return mrg_value_list(items, n);
}

/* Bytes up to the next separator, or all; an empty one parts characters. */
static gsize
piece_length(MrgHelperCall *call, const char *at, const char *end,
             const MrgValue *separator)
{
    gsize left = (gsize) (end - at);
    if (!separator->length)
        return mrg_text_prefix(at, left, 1);
    const char *found = mrg_text_find(call, at, left, separator->text, separator->length);
    return found ? (gsize) (found - at) : left;
}

static gsize
split_into(MrgHelperCall *call, const MrgValue *text, const MrgValue *separator,
           MrgValue *pieces)
{
    const char *at = text->text, *end = at + text->length;
    for (gsize n = 0;; n++) {
        gsize length = piece_length(call, at, end, separator);
        if (pieces)
            pieces[n] = mrg_value_string(at, length);
        gsize step = length + separator->length;
        gboolean is_last = separator->length ? at + length == end : at + step == end;
        if (is_last)
            return n + 1;
        at += step;
    }
}

MrgValue
mrg_helper_split(MrgHelperCall *call)
{
    MrgValue text = mrg_text_argument(call, 0);
    MrgValue separator =
        call->n_args > 1 ? mrg_text_argument(call, 1) : mrg_value_cstring(",");
    if (!text.length)
        return mrg_value_list(NULL, 0);
    gsize n = split_into(call, &text, &separator, NULL);
    mrg_call_charge(call, text.length / BYTES_PER_STEP);
    MrgValue *pieces = make_items(call, n);
    if (!pieces)
        return mrg_call_nothing();
    split_into(call, &text, &separator, pieces);
    return mrg_value_list(pieces, n);
}

MrgValue
mrg_helper_join(MrgHelperCall *call)
{
    const MrgValue *list = &call->args[0];
    MrgValue separator =
        call->n_args > 1 ? mrg_text_argument(call, 1) : mrg_value_cstring(", ");
    if (!is_list(list))
        return mrg_call_text(call, list);
    MrgText out = mrg_text_begin(call, 64);
    for (guint32 i = 0; i < list->length && !mrg_call_is_over(call); i++) {
        mrg_call_charge(call, 1);
        if (i)
            mrg_text_append(&out, separator.text, separator.length);
        mrg_text_append_value(&out, &list->items[i]);
    }
    return mrg_text_end(&out);
}
