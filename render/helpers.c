/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "render/helper.h"
#include "render/limits.h"
#include "render/program.h"
#include "render/source.h"

static const MrgHelper helpers[] = {
#define MRG_HELPER(name, function, subject, min, max, flags, arguments, help, template, \
                   data, output)                                                        \
    {#name,                                                                             \
     mrg_helper_##function,                                                             \
     MRG_SUBJECT_##subject,                                                             \
     min,                                                                               \
     max,                                                                               \
     MRG_HELPER_##flags,                                                                \
     arguments,                                                                         \
     help,                                                                              \
     template,                                                                          \
     data,                                                                              \
     output},
#include "render/helpers.def"
#undef MRG_HELPER
};
G_STATIC_ASSERT(G_N_ELEMENTS(helpers) <= G_MAXUINT8); /* CALL keeps the number in a byte */

static const char *const block_words[] = {"if", "unless", "each", "with"};

const MrgHelper *
mrg_helper_find(const char *name, gsize length)
{
    /* Every name in a template is looked up, and few are a helper's: most differ at once.
     */
    for (gsize i = 0; length && i < G_N_ELEMENTS(helpers); i++)
        if (helpers[i].name[0] == name[0] && strlen(helpers[i].name) == length &&
            memcmp(helpers[i].name, name, length) == 0)
            return &helpers[i];
    return NULL;
}

gboolean
mrg_helper_takes(const MrgHelper *helper, const char *name, gsize length)
{
    const char *at = helper->arguments;
    while ((at = strchr(at, '='))) {
        const char *start = at;
        while (start > helper->arguments && start[-1] != '[' && start[-1] != ' ')
            start--;
        if ((gsize) (at - start) == length && memcmp(start, name, length) == 0)
            return TRUE;
        at++;
    }
    return FALSE;
}

guint
mrg_helper_id(const MrgHelper *helper)
{
    return (guint) (helper - helpers);
}

const MrgHelper *
mrg_helper_by_id(guint id)
{
    return &helpers[id];
}

guint
mrg_helper_count(void)
{
    return G_N_ELEMENTS(helpers);
}

const char *
mrg_subject_name(MrgSubject subject)
{
    static const char *const names[] = {
        [MRG_SUBJECT_LOGIC] = "Logic",       [MRG_SUBJECT_FALLBACK] = "Fallbacks",
        [MRG_SUBJECT_TEXT] = "Texts",        [MRG_SUBJECT_NUMBER] = "Numbers",
        [MRG_SUBJECT_DATE] = "Dates",        [MRG_SUBJECT_LIST] = "Lists",
        [MRG_SUBJECT_ENCODING] = "Encoding", [MRG_SUBJECT_MAIL] = "Mail",
    };
    G_STATIC_ASSERT(G_N_ELEMENTS(names) == MRG_SUBJECT_COUNT);
    return names[subject];
}

/* Levenshtein's distance, case aside; only the first bytes of a long name count. */
static guint
distance(const char *a, gsize a_length, const char *b)
{
    guint row[32];
    gsize b_length = MIN(strlen(b), G_N_ELEMENTS(row) - 1);
    for (guint j = 0; j <= b_length; j++)
        row[j] = j;
    for (guint i = 1; i <= MIN(a_length, 2 * G_N_ELEMENTS(row)); i++) {
        guint diagonal = row[0];
        row[0] = i;
        for (guint j = 1; j <= b_length; j++) {
            guint change =
                diagonal + (g_ascii_tolower(a[i - 1]) != g_ascii_tolower(b[j - 1]));
            diagonal = row[j];
            row[j] = MIN(change, MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[b_length];
}

const char *
mrg_helper_nearest(const char *name, gsize length)
{
    const char *nearest = block_words[0];
    guint least = G_MAXUINT;
    guint n = G_N_ELEMENTS(helpers) + G_N_ELEMENTS(block_words);
    for (guint i = 0; i < n; i++) {
        const char *candidate = i < G_N_ELEMENTS(helpers)
                                    ? helpers[i].name
                                    : block_words[i - G_N_ELEMENTS(helpers)];
        guint d = distance(name, length, candidate);
        if (d < least) {
            least = d;
            nearest = candidate;
        }
    }
    return nearest;
}

/* ---- arguments and failures ---- */

MrgValue
mrg_call_fail_as(MrgHelperCall *call, MrgRenderError code, const char *failure)
{
    call->failure = failure;
    call->failure_code = code;
    return mrg_call_nothing();
}

MrgValue
mrg_call_fail(MrgHelperCall *call, const char *failure)
{
    return mrg_call_fail_as(call, MRG_RENDER_ERROR_VALUE, failure);
}

const MrgValue *
mrg_call_argument(const MrgHelperCall *call, const char *name, guint i)
{
    for (guint n = 0; name && n < call->n_named; n++)
        if (call->names[n].length == strlen(name) &&
            memcmp(call->names[n].text, name, call->names[n].length) == 0)
            return &call->args[call->n_args + n];
    return i < call->n_args ? &call->args[i] : NULL;
}

/* ---- values as text ---- */

#define OBJECT_TEXT "[object Object]"

typedef struct Walk {
    struct {
        const MrgValue *items;
        guint32 n, at;
    } lists[MRG_LIMIT_LIST_DEPTH];
    guint depth;
} Walk;

static MrgSlice
scalar_text(const MrgValue *value)
{
    switch ((MrgValueType) value->type) {
    case MRG_VALUE_STRING:
    case MRG_VALUE_NUMBER:
        return (MrgSlice){value->text, value->length};
    case MRG_VALUE_BOOLEAN:
        return value->boolean ? (MrgSlice){"true", 4} : (MrgSlice){"false", 5};
    case MRG_VALUE_OBJECT:
        return (MrgSlice){OBJECT_TEXT, strlen(OBJECT_TEXT)};
    case MRG_VALUE_MISSING:
    case MRG_VALUE_NULL:
    case MRG_VALUE_LIST:
        break;
    }
    return (MrgSlice){"", 0};
}

static void
walk_into(Walk *walk, const MrgValue *list)
{
    if (walk->depth == MRG_LIMIT_LIST_DEPTH)
        return;
    walk->lists[walk->depth].items = list->items;
    walk->lists[walk->depth].n = list->length;
    walk->lists[walk->depth++].at = 0;
}

/* The next piece of Array.prototype.toString: an item, or a comma; FALSE at the end.  Lists
 * inside lists melt into them. */
static gboolean
walk_next(Walk *walk, MrgSlice *piece, gboolean *is_comma)
{
    while (walk->depth) {
        guint top = walk->depth - 1;
        if (walk->lists[top].at == walk->lists[top].n) {
            walk->depth--;
            continue;
        }
        *is_comma = walk->lists[top].at > 0;
        const MrgValue *item = &walk->lists[top].items[walk->lists[top].at++];
        *piece = scalar_text(item);
        if (item->type == MRG_VALUE_LIST)
            walk_into(walk, item);
        return TRUE;
    }
    return FALSE;
}

static MrgValue
join_list(MrgHelperCall *call, const MrgValue *list)
{
    Walk walk = {.depth = 0};
    MrgSlice piece;
    gboolean is_comma;
    gsize length = 0, at = 0;
    walk_into(&walk, list);
    while (*call->steps >= 0 && walk_next(&walk, &piece, &is_comma)) {
        length += piece.length + is_comma;
        mrg_call_charge(call, 1 + piece.length / 8);
    }
    if (*call->steps < 0 || length > G_MAXUINT32)
        return (MrgValue) MRG_VALUE_MISSING_INIT;
    char *text = mrg_arena_alloc(call->arena, length + 1);
    walk.depth = 0;
    walk_into(&walk, list);
    while (walk_next(&walk, &piece, &is_comma)) {
        if (is_comma)
            text[at++] = ',';
        memcpy(text + at, piece.text, piece.length);
        at += piece.length;
    }
    return mrg_value_string(text, length);
}

MrgValue
mrg_call_text(MrgHelperCall *call, const MrgValue *value)
{
    if (value->type == MRG_VALUE_STRING)
        return *value;
    if (value->type == MRG_VALUE_LIST)
        return join_list(call, value);
    MrgSlice text = scalar_text(value);
    return mrg_value_string(text.text, text.length);
}
