/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "render/dialect.h"
#include "render/limits.h"
#include "render/slots.h"

#define COLUMNS 5

struct MrgSlots {
    MrgArena *arena;
    MrgSlotRule *rules;
    gsize n_rules;
};

typedef struct Reader {
    MrgSource *source;
    GArray *rules;
    guint line;
} Reader;

static gboolean
fail(Reader *reader, const char *at, const char *message)
{
    return mrg_source_fail(reader->source, (gsize) (at - reader->source->text),
                           MRG_RENDER_ERROR_SYNTAX, "%s", message);
}

/* Takes a column off the line; a "|" in quotes ends none. */
static MrgSlice
take_column(MrgSlice *line)
{
    char quote = '\0';
    gsize at = 0;
    for (; at < line->length && (quote || line->text[at] != '|'); at++) {
        if (quote)
            quote = line->text[at] == quote ? '\0' : quote;
        else if (line->text[at] == '"' || line->text[at] == '\'')
            quote = line->text[at];
    }
    MrgSlice column = {line->text, at};
    gsize taken = MIN(at + 1, line->length);
    *line = (MrgSlice){line->text + taken, line->length - taken};
    return mrg_slice_trim(column);
}

static gboolean
is_quoted(MrgSlice text)
{
    return text.length >= 2 && (text.text[0] == '"' || text.text[0] == '\'') &&
           text.text[text.length - 1] == text.text[0];
}

static gboolean
read_target(Reader *reader, MrgSlotRule *rule, MrgSlice column)
{
    rule->is_text = is_quoted(column);
    rule->target = column;
    if (rule->is_text)
        rule->target = (MrgSlice){column.text + 1, column.length - 2};
    else if (!column.length)
        return fail(reader, column.text,
                    "the third column is missing: the name of a block, or a \"text\"");
    return TRUE;
}

static gboolean
read_priority(Reader *reader, MrgSlotRule *rule, MrgSlice column)
{
    g_autofree char *text = g_strndup(column.text, column.length);
    if (!column.length ||
        g_ascii_string_to_signed(text, 10, -1000000, 1000000, &rule->priority, NULL))
        return TRUE;
    return fail(reader, column.text, "the priority is a whole number up to 1000000");
}

static gboolean
read_fallback(Reader *reader, MrgSlotRule *rule, MrgSlice column)
{
    rule->is_fallback = column.length == 3 && memcmp(column.text, "yes", 3) == 0;
    if (column.length && !rule->is_fallback &&
        !(column.length == 2 && memcmp(column.text, "no", 2) == 0))
        return fail(reader, column.text, "the column fallback says yes, no or nothing");
    if (rule->is_fallback && rule->condition.length)
        return fail(reader, rule->condition.text, "a fallback has no condition");
    return TRUE;
}

static gboolean
read_rule(Reader *reader, MrgSlice line)
{
    MrgSlice columns[COLUMNS], rest = line;
    for (guint i = 0; i < COLUMNS; i++)
        columns[i] = take_column(&rest);
    MrgSlotRule rule = {.condition = columns[0], .slot = columns[1], .line = reader->line};
    if (rest.length)
        return fail(reader, rest.text,
                    "a rule has five columns: condition | slot | block | priority | "
                    "fallback");
    if (!rule.slot.length || rule.slot.length > MRG_LIMIT_NAME_BYTES)
        return fail(reader, rule.slot.text, "the second column is the name of the slot");
    if (!read_target(reader, &rule, columns[2]) ||
        !read_priority(reader, &rule, columns[3]) ||
        !read_fallback(reader, &rule, columns[4]))
        return FALSE;
    if (reader->rules->len == MRG_LIMIT_SLOT_RULES)
        return mrg_source_fail(reader->source, 0, MRG_RENDER_ERROR_LIMIT,
                               "there are more rules than %u", MRG_LIMIT_SLOT_RULES);
    g_array_append_val(reader->rules, rule);
    return TRUE;
}

static gboolean
read_lines(Reader *reader)
{
    const MrgSource *source = reader->source;
    for (gsize at = 0, end; at < source->length; at = end + 1) {
        const char *newline = memchr(source->text + at, '\n', source->length - at);
        end = newline ? (gsize) (newline - source->text) : source->length;
        reader->line++;
        MrgSlice line = mrg_slice_trim((MrgSlice){source->text + at, end - at});
        if (line.length && line.text[0] != '#' &&
            !read_rule(reader, (MrgSlice){source->text + at, end - at}))
            return FALSE;
    }
    return TRUE;
}

static int
compare_slices(MrgSlice a, MrgSlice b)
{
    int order = memcmp(a.text, b.text, MIN(a.length, b.length));
    return order ? order : (a.length > b.length) - (a.length < b.length);
}

static gint
compare_rules(gconstpointer first, gconstpointer second)
{
    const MrgSlotRule *a = first, *b = second;
    int order = compare_slices(a->slot, b->slot);
    if (order)
        return order;
    if (a->is_fallback != b->is_fallback)
        return a->is_fallback ? 1 : -1;
    if (a->priority != b->priority)
        return a->priority > b->priority ? -1 : 1;
    return a->line < b->line ? -1 : 1;
}

/* The last rule of each slot is its fallback, and the only one. */
static gboolean
check_fallbacks(Reader *reader)
{
    const MrgSlotRule *rules = (gpointer) reader->rules->data;
    for (guint i = 0; i < reader->rules->len; i++) {
        gboolean is_last = i + 1 == reader->rules->len ||
                           compare_slices(rules[i].slot, rules[i + 1].slot) != 0;
        if (is_last == rules[i].is_fallback)
            continue;
        return fail(reader, rules[i].slot.text,
                    is_last ? "the slot has no fallback: a rule without condition whose "
                              "last column says yes"
                            : "the slot has more than one fallback");
    }
    return TRUE;
}

/* Each condition on its own, so that what is wrong with it is said with its place. */
static gboolean
check_conditions(Reader *reader)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    for (guint i = 0; i < reader->rules->len; i++) {
        const MrgSlotRule *rule = &g_array_index(reader->rules, MrgSlotRule, i);
        if (rule->condition.length &&
            !mrg_handlebars_check_condition(reader->source, rule->condition, arena))
            return FALSE;
    }
    return TRUE;
}

static MrgSlice
moved(MrgSlice slice, const char *from, const char *to)
{
    return (MrgSlice){to + (slice.text - from), slice.length};
}

MrgSlots *
mrg_slots_parse(const char *name, const char *text, gsize length, GError **error)
{
    const MrgTemplate template = {.name = name, .text = text, .length = length};
    g_auto(MrgSource) source = {0};
    g_autoptr(GArray) rules = g_array_new(FALSE, FALSE, sizeof(MrgSlotRule));
    Reader reader = {.source = &source, .rules = rules};
    if (!mrg_source_init(&source, &template, error) || !read_lines(&reader))
        return NULL;
    g_array_sort(rules, compare_rules);
    if (!check_fallbacks(&reader) || !check_conditions(&reader))
        return NULL;
    MrgSlots *slots = g_new0(MrgSlots, 1);
    slots->arena = mrg_arena_new();
    slots->rules = mrg_arena_array(slots->arena, MrgSlotRule, rules->len);
    slots->n_rules = rules->len;
    const char *copy = mrg_arena_dup(slots->arena, text, length);
    for (guint i = 0; i < rules->len; i++) {
        MrgSlotRule *rule = &slots->rules[i];
        *rule = g_array_index(rules, MrgSlotRule, i);
        rule->slot = moved(rule->slot, text, copy);
        rule->condition = moved(rule->condition, text, copy);
        rule->target = moved(rule->target, text, copy);
    }
    return slots;
}

void
mrg_slots_free(MrgSlots *slots)
{
    if (!slots)
        return;
    mrg_arena_free(slots->arena);
    g_free(slots);
}

const MrgSlotRule *
mrg_slots_rules(const MrgSlots *slots, gsize *n_rules)
{
    *n_rules = slots->n_rules;
    return slots->rules;
}
