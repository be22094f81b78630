/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "render/lookup.h"

/* An index of at most this many digits fits 32 bits. */
#define INDEX_DIGITS 9
#define BYTES_PER_STEP 8
#define NAME_BYTES_PER_STEP 64
#define COUNT_DIGITS 10 /* of G_MAXUINT32 */

/* "0", "17", but not "007": what JavaScript takes as index. */
static guint32
list_index(const char *text, gsize length)
{
    guint32 index = 0;
    if (!length || length > INDEX_DIGITS || (text[0] == '0' && length > 1))
        return G_MAXUINT32;
    for (gsize i = 0; i < length; i++) {
        if (!g_ascii_isdigit(text[i]))
            return G_MAXUINT32;
        index = index * 10 + (guint32) g_ascii_digit_value(text[i]);
    }
    return index;
}

MrgName
mrg_lookup_name(const char *text, gsize length)
{
    return (MrgName){.text = text,
                     .length = (guint32) length,
                     .index = list_index(text, length),
                     .is_length = length == 6 && memcmp(text, "length", 6) == 0};
}

/* UTF-16 units of the character that byte begins: those beyond U+FFFF, four bytes of UTF-8,
 * are two; 0 inside a character. */
static guint32
utf16_units(char byte)
{
    guchar first = (guchar) byte;
    return ((first & 0xc0) != 0x80) + (first >= 0xf0);
}

static guint32
utf16_length(const MrgValue *string)
{
    guint32 n = 0;
    for (guint32 i = 0; i < string->length; i++)
        n += utf16_units(string->text[i]);
    return n;
}

/* name.[0] is an initial.  Never half a character, as JavaScript would give beyond U+FFFF.
 */
static MrgValue
character_at(const MrgValue *string, guint32 index)
{
    guint32 start = 0, n = 0;
    while (start < string->length && n + utf16_units(string->text[start]) <= index)
        n += utf16_units(string->text[start++]);
    if (start == string->length)
        return (MrgValue) MRG_VALUE_MISSING_INIT;
    guint32 end = start + 1;
    while (end < string->length && !utf16_units(string->text[end]))
        end++;
    return mrg_value_string(string->text + start, end - start);
}

static MrgValue
lookup_in_string(const MrgValue *value, const MrgName *name, gint64 *steps, MrgArena *arena)
{
    if (name->is_length) {
        *steps -= value->length / BYTES_PER_STEP;
        return mrg_lookup_count(utf16_length(value), arena);
    }
    if (name->index >= value->length)
        return (MrgValue) MRG_VALUE_MISSING_INIT;
    *steps -= name->index / BYTES_PER_STEP;
    return character_at(value, name->index);
}

MrgValue
mrg_lookup_count(guint32 count, MrgArena *arena)
{
    char *text = mrg_arena_alloc(arena, COUNT_DIGITS);
    guint32 rest = count;
    gsize start = COUNT_DIGITS;
    do {
        text[--start] = (char) ('0' + rest % 10);
        rest /= 10;
    } while (rest);
    return (MrgValue){.type = MRG_VALUE_NUMBER,
                      .length = (guint32) (COUNT_DIGITS - start),
                      .text = text + start,
                      .number = count};
}

const MrgValue *
mrg_lookup_member(const MrgValue *object, const char *name, gsize length, gint64 *steps)
{
    if (object->type == MRG_VALUE_OBJECT)
        *steps -= (gint64) (object->length / MRG_MEMBERS_PER_STEP +
                            object->length * (length / NAME_BYTES_PER_STEP));
    return mrg_value_member(object, name, length);
}

MrgValue
mrg_lookup(const MrgValue *value, const MrgName *name, gint64 *steps, MrgArena *arena)
{
    switch ((MrgValueType) value->type) {
    case MRG_VALUE_OBJECT:
        return *mrg_lookup_member(value, name->text, name->length, steps);
    case MRG_VALUE_LIST:
        if (name->index < value->length)
            return value->items[name->index];
        if (name->is_length)
            return mrg_lookup_count(value->length, arena);
        break;
    case MRG_VALUE_STRING:
        return lookup_in_string(value, name, steps, arena);
    default:
        break;
    }
    return (MrgValue) MRG_VALUE_MISSING_INIT;
}
