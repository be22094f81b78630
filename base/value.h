/* SPDX-License-Identifier: Apache-2.0 */
/*
 * value: what a template can see: the JSON types, and "missing".
 *
 * A value is a small struct that is copied freely and points to bytes that it
 * does not own.  Strings and number texts are not NUL-terminated.
 *
 * OWNERSHIP  text, items and members are borrowed; whoever makes a value keeps
 *            them alive, as a rule by making them in the message's arena.
 * THREADS    immutable once made; shared freely.
 */
#ifndef MRG_VALUE_H
#define MRG_VALUE_H

#include <glib.h>

#include "base/arena.h"

typedef enum {
    MRG_VALUE_MISSING, /* no such name; must be 0 */
    MRG_VALUE_NULL,
    MRG_VALUE_BOOLEAN,
    MRG_VALUE_NUMBER,
    MRG_VALUE_STRING,
    MRG_VALUE_LIST,
    MRG_VALUE_OBJECT
} MrgValueType;

typedef struct MrgValue MrgValue;
typedef struct MrgMember MrgMember;

struct MrgValue {
    guint8 type;    /* MrgValueType */
    guint8 is_safe; /* a string that a helper has escaped itself */
    guint32 length; /* bytes of text, items of a list, members of an object */
    union {
        const char *text; /* STRING; NUMBER: as written, so that 64-bit ids survive */
        const MrgValue *items;
        const MrgMember *members; /* in the order written; names are unique */
    };
    union {
        double number;
        gboolean boolean;
    };
};

struct MrgMember {
    const char *name; /* compared by bytes */
    guint32 name_length;
    MrgValue value;
};

#define MRG_VALUE_MISSING_INIT           \
    {                                    \
        MRG_VALUE_MISSING, 0, 0, {NULL}, \
        {                                \
            0                            \
        }                                \
    }

MrgValue mrg_value_null(void);
MrgValue mrg_value_boolean(gboolean boolean);
MrgValue mrg_value_string(const char *text, gsize length);
MrgValue mrg_value_cstring(const char *text);

/* The text printed is the one JavaScript's Number.prototype.toString gives
 * (ECMA-262, Number::toString); made in the arena. */
MrgValue mrg_value_number(double number, MrgArena *arena);

/* A number as JSON writes it.  Where that text is canonical (an integer of any
 * length without leading zeros, sign + or exponent) it is what prints. */
MrgValue mrg_value_number_text(const char *text, gsize length, MrgArena *arena);

MrgValue mrg_value_list(const MrgValue *items, gsize n);
MrgValue mrg_value_object(const MrgMember *members, gsize n);

/* The member of that name; MISSING when there is none or object is no object. */
const MrgValue *mrg_value_member(const MrgValue *object, const char *name, gsize length);

/* Handlebars' truth: false, null, missing, "", 0, NaN and the empty list are false
 * (handlebars.js, Utils.isEmpty and the `if` helper). */
gboolean mrg_value_is_true(const MrgValue *value);

#endif
