/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program: compiled templates: instructions, and the tables they point into.
 *
 * Only the builder makes programs, so that the VM can trust them: every index
 * is in range, every jump lands inside its template, and the stacks fit.
 *
 * OWNERSHIP  everything belongs to the program.
 * THREADS    immutable but for the hints; these and the count of references are atomic.
 */
#ifndef MRG_RENDER_PROGRAM_H
#define MRG_RENDER_PROGRAM_H

#include "render/helper.h"

typedef enum {
#define MRG_OPCODE(name, text, operands, documentation) MRG_OP_##name,
#include "render/opcodes.def"
#undef MRG_OPCODE
    MRG_OP_COUNT
} MrgOp;

typedef struct MrgInstruction {
    guint8 op; /* MrgOp; what a, b and c hold stands in opcodes.def */
    guint8 a;
    guint16 b;
    guint32 c;
} MrgInstruction;
G_STATIC_ASSERT(sizeof(MrgInstruction) == 8);

/* LITERAL keeps its length in a and b. */
#define MRG_LITERAL_MAX ((1u << 24) - 1)
#define mrg_literal_length(i) (((gsize) (i)->a << 16) | (i)->b)
/* CALL keeps its counts in b: arguments, and named ones behind them. */
#define mrg_call_positional(i) ((guint) (i)->b & 0xff)
#define mrg_call_named(i) ((guint) (i)->b >> 8)

typedef enum {
    MRG_LOOP_INDEX,
    MRG_LOOP_KEY,
    MRG_LOOP_FIRST,
    MRG_LOOP_LAST,
    MRG_LOOP_COUNT
} MrgLoopVariable;
extern const char *const mrg_loop_variable_names[MRG_LOOP_COUNT];

typedef struct MrgName {
    const char *text;
    guint32 length;
    guint32 index; /* the name as index into a list; G_MAXUINT32 when it is none */
    gboolean is_length;
} MrgName;

/* Where an instruction and those behind it, up to the next entry, come from. */
typedef struct MrgPosition {
    guint32 at; /* instruction */
    guint32 line, column;
} MrgPosition;

typedef struct MrgSection {
    const char *name;
    MrgEscape escape;
    guint32 start, end; /* instructions */
    guint32 max_stack;
    guint32 max_frames; /* the root's included */
    gboolean is_constant;
} MrgSection;

/* What LOAD_STACK does. */
typedef enum {
    MRG_STACK_SKIPS_NULL = 1,  /* looks further where a context has null */
    MRG_STACK_OBJECTS_ONLY = 2 /* lists and strings have no members */
} MrgStackFlags;

#define MRG_NONE G_MAXUINT32

/* What a partial is called on. */
typedef enum {
    MRG_ON_FRAME, /* the context, or one around it: up */
    MRG_ON_ROOT,
    MRG_ON_VALUE, /* of the stack */
    MRG_ON_NOTHING
} MrgPartialOn;

/* A partial that an expression may choose. */
typedef struct MrgChoice {
    const char *name;
    gsize length;
    guint32 section;
} MrgChoice;

/* Whether a call stands where a line begins. */
typedef enum {
    MRG_LINE_NO,
    MRG_LINE_YES,
    MRG_LINE_AS_CALLER /* if the partial that it stands in does */
} MrgLineStart;

/* What stands around the body that defines partials: these find their ../ there. */
typedef enum {
    MRG_AROUND_TEXT,      /* nothing, but what the text itself was called in */
    MRG_AROUND_HERE,      /* the frame at hand: the body has none of its own */
    MRG_AROUND_BLOCK,     /* the frame around the body's own */
    MRG_AROUND_DEFINITION /* what stands around the definition that the body is */
} MrgAround;

typedef struct MrgPartialCall {
    guint32 name;    /* MRG_NONE: it is on the stack */
    guint32 section; /* MRG_NONE: an inline partial, the block, or an error */
    guint32 block;   /* instruction: the block of {{#> name}}; MRG_NONE for none */
    MrgPartialOn on;
    guint32 up;
    const guint32 *named; /* names of the hash, whose values are on the stack */
    guint32 n_named;
    const MrgChoice *choices; /* by name */
    guint32 n_choices;
    const char *indent;
    guint32 indent_length;
    gboolean is_block;    /* {{> @partial-block}} */
    gboolean has_inlines; /* the block defines some: for what is called, not for its name */
    gboolean is_mustache; /* indents what it prints itself; may be missing */
    MrgLineStart line;    /* of the same */
    gboolean sees_callers; /* contexts around the call: compat, mustache */
} MrgPartialCall;

struct MrgProgram {
    gint references; /* atomic */
    MrgArena *arena; /* what the tables point to */
    MrgInstruction *code;
    char *pool; /* literal text */
    MrgValue *constants;
    MrgName *names;
    guint16 *hints; /* for each name: where an object had it last; a guess, atomic */
    MrgProgramField *fields;
    MrgPosition *positions; /* in the order of the instructions */
    MrgSection *sections;   /* the templates, and partials behind them */
    MrgPartialCall *calls;
    MrgHelper *helpers; /* further ones; their numbers follow those of helpers.def */
    gboolean reads_root;
    guint32 max_stack, max_frames; /* of any section */
    gsize n_code, n_pool, n_constants, n_names, n_fields, n_positions, n_sections;
    gsize n_templates, n_calls, n_helpers;
};

/* The entry for an instruction; NULL when there is none. */
const MrgPosition *mrg_program_position(const MrgProgram *program, gsize instruction);

const MrgHelper *mrg_program_helper(const MrgProgram *program, guint id);

/* The template or partial that an instruction belongs to. */
const MrgSection *mrg_program_section(const MrgProgram *program, gsize instruction);

#endif
