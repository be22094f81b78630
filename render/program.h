/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program: compiled templates: instructions, and the tables they point into.
 *
 * Only the builder makes programs, so that the VM can trust them: every index
 * is in range, every jump lands inside its template, and the stacks fit.
 *
 * OWNERSHIP  everything belongs to the program.
 * THREADS    immutable; the count of references is atomic.
 */
#ifndef MRG_RENDER_PROGRAM_H
#define MRG_RENDER_PROGRAM_H

#include "render/render.h"

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

struct MrgProgram {
    gatomicrefcount references;
    MrgArena *arena; /* what the tables point to */
    MrgInstruction *code;
    char *pool; /* literal text */
    MrgValue *constants;
    MrgName *names;
    MrgProgramField *fields;
    MrgPosition *positions; /* in the order of the instructions */
    MrgSection *sections;
    gboolean reads_root;
    gsize n_code, n_pool, n_constants, n_names, n_fields, n_positions, n_sections;
};

/* The entry for an instruction; NULL when there is none. */
const MrgPosition *mrg_program_position(const MrgProgram *program, gsize instruction);

/* The template that an instruction belongs to. */
const MrgSection *mrg_program_section(const MrgProgram *program, gsize instruction);

#endif
