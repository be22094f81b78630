/* SPDX-License-Identifier: Apache-2.0 */
/*
 * helper: a function that templates call by name, {{upper city}}, (gt a 1).
 *
 * A helper is one line in helpers.def and one C function mrg_helper_NAME() in
 * the helpers-*.c of its subject.  It sees values only, and makes new ones in
 * the arena.
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

typedef struct MrgHelperCall {
    const MrgValue *args; /* n_args, and n_named behind them */
    guint n_args;
    guint n_named;
    const MrgName *names; /* of the named ones, in their order */
    MrgArena *arena;
    gint64 now_us;
    gint64 *steps;       /* left; below 0 the run ends */
    const char *failure; /* static text, or in the arena */
    /* for helpers that a caller brings along */
    MrgBlockTurn *turn; /* of a block; NULL elsewhere */
    struct MrgVm *vm;
} MrgHelperCall;

typedef MrgValue (*MrgHelperFunction)(MrgHelperCall *call);

typedef enum {
    MRG_HELPER_NONE = 0,
    MRG_HELPER_PREDICATE = 1, /* may open a block: {{#eq a b}} */
    MRG_HELPER_GUARDS = 2,    /* brings a fallback for its arguments */
    MRG_HELPER_NAMED = 4      /* takes named arguments */
} MrgHelperFlags;

typedef struct MrgHelper {
    const char *name;
    MrgHelperFunction function;
    guint min_args, max_args;
    guint flags; /* MrgHelperFlags */
    const char *help;
    /* What the manual shows and a test runs. */
    const char *example, *data, *output;
} MrgHelper;

/* NULL when there is none of that name. */
const MrgHelper *mrg_helper_find(const char *name, gsize length);

/* The name of the helper or built-in block that is most like the given one. */
const char *mrg_helper_nearest(const char *name, gsize length);

guint mrg_helper_id(const MrgHelper *helper);
const MrgHelper *mrg_helper_by_id(guint id);
guint mrg_helper_count(void);

static inline void
mrg_call_charge(MrgHelperCall *call, gsize steps)
{
    *call->steps -= (gint64) steps;
}

static inline MrgValue
mrg_call_fail(MrgHelperCall *call, const char *failure)
{
    call->failure = failure;
    return (MrgValue) MRG_VALUE_MISSING_INIT;
}

/* The context that a helper is called in, and an @value that is in force there. */
MrgValue mrg_call_context(const MrgHelperCall *call);
MrgValue mrg_call_data(const MrgHelperCall *call, const char *name);

/* A value as JavaScript would print it: a string. */
MrgValue mrg_call_text(MrgHelperCall *call, const MrgValue *value);

/* Whether a value is a number, or a text that reads as one (1, -2.50; not 007 or 1e3). */
gboolean mrg_call_number(MrgHelperCall *call, const MrgValue *value, double *number);

/* As the helper eq has it: as numbers where both are. */
gboolean mrg_call_equal(MrgHelperCall *call, const MrgValue *a, const MrgValue *b);

#define MRG_HELPER(name, min_args, max_args, flags, help, example, data, output) \
    MrgValue mrg_helper_##name(MrgHelperCall *call);
#include "render/helpers.def"
#undef MRG_HELPER

#endif
