/* SPDX-License-Identifier: Apache-2.0 */
/*
 * helper: a function that templates call by name, {{upper city}}, (gt a 1).
 *
 * A helper is one row in helpers.def and one C function mrg_helper_NAME() in
 * the helpers-*.c of its subject.  It sees values only, and makes new ones in
 * the arena.
 *
 * One that needs no argument may be called by its name alone, {{now}}, where no field
 * has that name.
 *
 * A value that a helper can make no sense of (a price that is no number, a sum that
 * overflows) gives MISSING, which prints nothing and which default and required see.
 * What only the template's author can have done (a currency of two letters) is an error.
 *
 * THREADS    no state; any number of threads at once.
 * ERRORS     mrg_call_fail(); the text names no value.
 * BOUNDS     work on long texts is charged, so that the step limit bounds it.
 */
#ifndef MRG_RENDER_HELPER_H
#define MRG_RENDER_HELPER_H

#include "render/render.h"

typedef struct MrgName MrgName;

typedef enum { MRG_BODY_NONE, MRG_BODY_MAIN, MRG_BODY_INVERSE } MrgBlockBody;

/*
 * A block helper is called in turns, since the machine never calls itself: what it returns
 * is printed as it is, then the body that it chose is run, then it is called again; it ends
 * the block by choosing none.
 */
typedef struct MrgBlockTurn {
    guint turn;           /* from 0 */
    guint n_block_params; /* as |a b| in the template */
    /* What the helper chooses; nothing of it outlasts the turn. */
    MrgBlockBody body;
    gboolean has_context; /* else the body has the context of the block */
    MrgValue context;
    const MrgValue *values; /* @values: an object, or NULL for those around it */
    const MrgValue *params; /* as |a b| */
    guint n_params;
} MrgBlockTurn;
/* The locale's formatters that a run has asked for; zeroed at its beginning. */
typedef struct MrgFormatters {
    const char **keys; /* arena */
    guint n_keys;
} MrgFormatters;

typedef struct MrgHelperCall {
    const MrgValue *args; /* n_args, and n_named behind them */
    guint n_args;
    guint n_named;
    const MrgName *names; /* of the named ones, in their order */
    MrgArena *arena;
    const MrgRenderInput *input;
    MrgFormatters *formatters;
    MrgEscape escape;    /* where the text goes */
    gint64 *steps;       /* left; below 0 the run ends */
    const char *failure; /* static text, or in the arena */
    /* for helpers that a caller brings along */
    MrgBlockTurn *turn; /* of a block; NULL elsewhere */
    struct MrgVm *vm;
    MrgRenderError failure_code;
} MrgHelperCall;

typedef MrgValue (*MrgHelperFunction)(MrgHelperCall *call);

typedef enum {
    MRG_HELPER_NONE = 0,
    MRG_HELPER_PREDICATE = 1, /* may open a block: {{#eq a b}} */
    MRG_HELPER_GUARDS = 2,  /* the last of several arguments is a fallback for the first */
    MRG_HELPER_LITERAL = 8, /* no value may stand in its arguments */
    MRG_HELPER_LOCALE = 16, /* asks the input for locale or time zone */
    MRG_HELPER_URLS = 32    /* asks the input for its URLs */
} MrgHelperFlags;

typedef enum {
    MRG_SUBJECT_LOGIC,
    MRG_SUBJECT_FALLBACK,
    MRG_SUBJECT_TEXT,
    MRG_SUBJECT_NUMBER,
    MRG_SUBJECT_DATE,
    MRG_SUBJECT_LIST,
    MRG_SUBJECT_ENCODING,
    MRG_SUBJECT_MAIL
} MrgSubject;
#define MRG_SUBJECT_COUNT (MRG_SUBJECT_MAIL + 1)

typedef struct MrgHelper {
    const char *name;
    MrgHelperFunction function;
    MrgSubject subject;
    guint min_args, max_args;
    guint flags;           /* MrgHelperFlags */
    const char *arguments; /* "value [digits] [locale=]": a named one ends in =; or NULL */
    const char *help;
    const char *template, *data, *output; /* an example, which is a test */
} MrgHelper;

/* NULL when there is none of that name. */
const MrgHelper *mrg_helper_find(const char *name, gsize length);

/* Whether it knows a named argument of that name. */
gboolean mrg_helper_takes(const MrgHelper *helper, const char *name, gsize length);

/* The name of the helper or built-in block that is most like the given one. */
const char *mrg_helper_nearest(const char *name, gsize length);

guint mrg_helper_id(const MrgHelper *helper);
const MrgHelper *mrg_helper_by_id(guint id);
guint mrg_helper_count(void);

/* "Strings", for headings. */
const char *mrg_subject_name(MrgSubject subject);

/* ---- what helpers share ---- */

static inline void
mrg_call_charge(MrgHelperCall *call, gsize steps)
{
    *call->steps -= (gint64) MIN(steps, G_MAXINT32);
}

static inline gboolean
mrg_call_is_over(const MrgHelperCall *call)
{
    return *call->steps < 0;
}

/* Both give MISSING.  The first is MRG_RENDER_ERROR_VALUE. */
MrgValue mrg_call_fail(MrgHelperCall *call, const char *failure);
MrgValue mrg_call_fail_as(MrgHelperCall *call, MrgRenderError code, const char *failure);

static inline MrgValue
mrg_call_nothing(void)
{
    return (MrgValue) MRG_VALUE_MISSING_INIT;
}

/* The context that a helper is called in, and an @value that is in force there. */
MrgValue mrg_call_context(const MrgHelperCall *call);
MrgValue mrg_call_data(const MrgHelperCall *call, const char *name);
/* The argument of that name, else the i-th one, else NULL.  name may be NULL. */
const MrgValue *mrg_call_argument(const MrgHelperCall *call, const char *name, guint i);

/* A value as JavaScript would print it: a string. */
MrgValue mrg_call_text(MrgHelperCall *call, const MrgValue *value);

/* Missing, null, "" or the empty list: what takes a fallback. */
gboolean mrg_value_is_empty(const MrgValue *value);

/* A number, or a text that is one as JSON would write it: 12, -0.5, but not 007. */
gboolean mrg_call_double(MrgHelperCall *call, const MrgValue *value, double *number);

/* The same towards zero and within 2^53. */
gboolean mrg_call_integer(MrgHelperCall *call, const MrgValue *value, gint64 *number);

/* A finite number as value; else nothing. */
MrgValue mrg_call_number(const MrgHelperCall *call, double number);
MrgValue mrg_call_whole(const MrgHelperCall *call, gint64 number);

/* As eq and lt have it; the order is -1, 0, 1, or 2 where there is none. */
gboolean mrg_call_are_equal(MrgHelperCall *call, const MrgValue *a, const MrgValue *b);
int mrg_call_order(MrgHelperCall *call, const MrgValue *a, const MrgValue *b);

#define MRG_HELPER(name, function, subject, min, max, flags, arguments, help, template, \
                   data, output)                                                        \
    MrgValue mrg_helper_##function(MrgHelperCall *call);
#include "render/helpers.def"
#undef MRG_HELPER

#endif
