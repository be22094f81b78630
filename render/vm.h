/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vm: the machine that runs a program.
 *
 * It runs one template over one input: a stack of values, and a stack of
 * frames, one for each block that may change the context and for each partial.
 * It calls itself never, and asks for memory from the input's arena only.
 *
 * A frame has four neighbours, since handlebars has four kinds of scope: up is
 * what ../ means, outer the block around it in the text (for block
 * parameters), data the block whose @values are in force, and scope what
 * partials see.
 */
#ifndef MRG_RENDER_VM_H
#define MRG_RENDER_VM_H

#include "render/program.h"
#include "render/source.h"

#define MRG_NO_FRAME G_MAXUINT16

/* A step pays for so many frames walked over. */
#define MRG_FRAMES_PER_STEP 8

typedef struct MrgScope MrgScope;

/* A partial that a block defines. */
typedef struct MrgDefinition MrgDefinition;
struct MrgDefinition {
    const MrgDefinition *before;
    guint32 name;
    guint32 body;  /* instruction */
    guint16 frame; /* it stands in */
};

/* The block of {{#> name}}. */
typedef struct MrgVmBlock {
    guint32 body;
    guint16 frame;
    const struct MrgVmBlock *before; /* what @partial-block means inside of it */
} MrgVmBlock;

/* Members that the hash of a call lays over the person. */
typedef struct MrgOverlay MrgOverlay;
struct MrgOverlay {
    const MrgOverlay *below;
    const guint32 *names;
    const MrgValue *values;
    guint32 n;
};

/* A block that a helper runs the bodies of. */
typedef struct MrgBlockRun {
    const MrgInstruction *at; /* ENTER_HELPER */
    const MrgValue *args;
    guint turn;
    const MrgValue *params; /* of this turn: as |a b| */
    guint n_params;
} MrgBlockRun;

/* What a call of a partial brings; immutable, since frames share it. */
struct MrgScope {
    const MrgScope *text; /* the scope that the text in hand was called with */
    const MrgDefinition *definitions;
    const MrgVmBlock *block;
    const MrgPartialCall *call;
    const MrgInstruction *back; /* the call */
    gsize start;                /* of what it prints, in out */
    guint32 depth;
    MrgSlice prefix;      /* mustache: at the start of each line */
    gboolean begins_line; /* the same: of its first line, too */
};

typedef struct MrgFrame {
    MrgValue context; /* not there when is_root */
    const MrgScope *scope;
    const MrgOverlay *overlay; /* when is_root */
    const MrgValue *values;    /* @values, an object, or NULL */
    const MrgValue *items;     /* of a loop over a list */
    const MrgMember *members;  /* of a loop over an object */
    MrgBlockRun *run;          /* of a helper's block */
    guint32 at, n;
    guint16 up, outer, data; /* each may be MRG_NO_FRAME */
    guint16 around;          /* ../ of what is defined here; the same */
    gboolean is_root;
    gboolean is_loop;
} MrgFrame;

typedef struct MrgVm {
    const MrgProgram *program;
    const MrgSection *section;
    const MrgRenderInput *input;
    MrgBuffer *out;
    MrgValue *top; /* the next free place of the value stack */
    MrgFrame *frames;
    MrgFrame *frame; /* the innermost */
    gsize n_frames;  /* that there is room for */
    MrgValue root;
    gboolean has_root;
    gint64 steps;
    MrgFormatters formatters;
    const MrgInstruction *refused; /* where a helper's block did */
    const char *failure;           /* of a helper, or of the machine */
    MrgRenderError code;           /* of that */
} MrgVm;

/* ---- vm.c ---- */

const MrgValue *mrg_vm_root(MrgVm *vm);
MrgValue mrg_vm_member(MrgVm *vm, const MrgValue *value, guint32 name);

MrgHelperCall mrg_vm_call(MrgVm *vm);
void mrg_vm_print(MrgVm *vm, const MrgValue *value, gboolean is_raw);

/* Here is the mark, if somebody wants to know. */
void mrg_vm_mark(MrgVm *vm, guint32 id);

/* Opens a frame: on the context that there is, or on another one. */
void mrg_vm_open_same(MrgVm *vm);
void mrg_vm_open(MrgVm *vm, const MrgValue *context);

/* The @value of that name, so many levels up; MISSING if there is none. */
MrgValue mrg_vm_data(MrgVm *vm, const char *name, gsize length, guint up);

/* Whether two values are one and the same list or object, as === has it. */
gboolean mrg_vm_is_same(const MrgValue *a, const MrgValue *b);

/* NULL above the root. */
const MrgFrame *mrg_vm_frame_up(MrgVm *vm, guint up);

static inline const MrgFrame *
mrg_vm_frame_outward(MrgVm *vm, guint outward)
{
    const MrgFrame *frame = vm->frame;
    vm->steps -= outward / MRG_FRAMES_PER_STEP;
    for (; outward; outward--)
        frame = &vm->frames[frame->outer];
    return frame;
}

/* ---- vm-partial.c ---- */

/* A name at the root: the hash of the call, else the slot. */
MrgValue mrg_vm_overlaid_member(MrgVm *vm, const MrgFrame *frame, guint32 name, guint slot);
MrgValue mrg_vm_overlaid_root(MrgVm *vm, const MrgFrame *frame);

void mrg_vm_define(MrgVm *vm, const MrgInstruction *at);

/* Fails, if so. */
gboolean mrg_vm_is_too_deep(MrgVm *vm, const MrgScope *scope);

/* Moves the frames where there is not room for those of one section more. */
void mrg_vm_grow(MrgVm *vm);

/* The partial of the name that an expression gave; MRG_NONE for none. */
guint32 mrg_vm_choice(MrgVm *vm, const MrgPartialCall *call, MrgSlice name);

/* Where the run goes on; NULL when it failed. */
const MrgInstruction *mrg_vm_partial(MrgVm *vm, const MrgInstruction *at);

/* The call, behind which the run goes on. */
const MrgInstruction *mrg_vm_return(MrgVm *vm);

/* ---- vm-mustache.c ---- */

/* The same for a partial, parent or block of that dialect. */
const MrgInstruction *mrg_vm_mustache(MrgVm *vm, const MrgInstruction *at);

/* ---- vm-block.c ---- */

/* Both give where the run goes on, or NULL when the helper refused; the second is for the
 * end of a body. */
const MrgInstruction *mrg_vm_enter_helper(MrgVm *vm, const MrgInstruction *at);
const MrgInstruction *mrg_vm_turn(MrgVm *vm);

/* Always FALSE. */
gboolean mrg_vm_fail(MrgVm *vm, MrgRenderError code, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static inline MrgValue
mrg_vm_root_member(MrgVm *vm, const MrgFrame *frame, guint32 name, guint slot)
{
    if (G_LIKELY(!frame->overlay))
        return vm->input->slots[slot];
    return mrg_vm_overlaid_member(vm, frame, name, slot);
}

static inline MrgValue
mrg_vm_context(MrgVm *vm, const MrgFrame *frame)
{
    if (!frame->is_root)
        return frame->context;
    return frame->overlay ? mrg_vm_overlaid_root(vm, frame) : *mrg_vm_root(vm);
}

#endif
