/* SPDX-License-Identifier: Apache-2.0 */
/*
 * builder: the only way to make a program.
 *
 * A dialect calls it in the order of the text.  Values go over a stack: "load"
 * pushes one, "print", "jump" and "enter" take it.  The builder joins literals,
 * fuses instructions, counts the stacks, and records fields and positions.
 *
 * OWNERSHIP  names and texts are copied.
 * ERRORS     a limit hit fails the source; the builder goes on harmlessly, and
 *            mrg_builder_end() is FALSE.
 */
#ifndef MRG_RENDER_BUILDER_H
#define MRG_RENDER_BUILDER_H

#include "render/helper.h"
#include "render/program.h"
#include "render/source.h"

typedef struct MrgBuilder MrgBuilder;

/* The helpers that the program has beside those of helpers.def are copied. */
MrgBuilder *mrg_builder_new(const MrgHelper *helpers, gsize n_helpers);
/* Before the first template; borrowed. */
void mrg_builder_set_marker(MrgBuilder *builder, const MrgMarker *marker);
const MrgHelper *mrg_builder_helper(const MrgBuilder *builder, gsize i);
void mrg_builder_free(MrgBuilder *builder);

/* The program of all templates built; the builder is empty afterwards. */
MrgProgram *mrg_builder_steal(MrgBuilder *builder);

/* What lives as long as the program. */
MrgArena *mrg_builder_arena(const MrgBuilder *builder);

void mrg_builder_begin(MrgBuilder *builder, MrgSource *source);
gboolean mrg_builder_end(MrgBuilder *builder);

/* The same for a partial, all of them behind the templates. */
void mrg_builder_begin_partial(MrgBuilder *builder, MrgSource *source);
gboolean mrg_builder_end_partial(MrgBuilder *builder);

/* Counts work that gives no instructions, such as bytes read once more, towards
 * MRG_LIMIT_CODE. */
void mrg_builder_work(MrgBuilder *builder, gsize bytes);

/* What follows comes from this place of the source. */
void mrg_builder_at(MrgBuilder *builder, gsize offset);

void mrg_builder_literal(MrgBuilder *builder, const char *text, gsize length);
void mrg_builder_print(MrgBuilder *builder, gboolean is_raw);

/* The slot of a field, a new one for a new name.  A read is guarded where nothing goes
 * wrong for a person who lacks the field. */
guint mrg_builder_field(MrgBuilder *builder, MrgSlice name, gboolean is_guarded);

/* Between these two, reads of the field are guarded: inside {{#if field}}. */
void mrg_builder_guard(MrgBuilder *builder, guint slot);
void mrg_builder_unguard(MrgBuilder *builder, guint slot);

void mrg_builder_load_slot(MrgBuilder *builder, guint slot);
void mrg_builder_load_member(MrgBuilder *builder, MrgSlice name, guint up);
void mrg_builder_load_either(MrgBuilder *builder, MrgSlice name, guint up, guint slot);
void mrg_builder_load_stack(MrgBuilder *builder, MrgSlice name, guint slot, guint flags);
void mrg_builder_load_this(MrgBuilder *builder, guint up, gboolean may_be_root);
void mrg_builder_load_root(MrgBuilder *builder);
void mrg_builder_load_loop(MrgBuilder *builder, MrgLoopVariable variable, guint up);
void mrg_builder_load_data(MrgBuilder *builder, MrgSlice name, guint up);
void mrg_builder_load_block(MrgBuilder *builder);
/* Of the frame that was opened so many before the innermost one. */
void mrg_builder_load_frame(MrgBuilder *builder, guint outward, gboolean may_be_root);
void mrg_builder_load_param(MrgBuilder *builder, guint outward, guint index);
void mrg_builder_load_key(MrgBuilder *builder, guint outward);
void mrg_builder_load_constant(MrgBuilder *builder, const MrgValue *value);
/* The value loaded last is there in one of several branches: forgotten at the end of each,
 * remembered where they meet. */
void mrg_builder_forget(MrgBuilder *builder);
void mrg_builder_remember(MrgBuilder *builder);
void mrg_builder_member(MrgBuilder *builder, MrgSlice name);
void mrg_builder_include_zero(MrgBuilder *builder);
void mrg_builder_require(MrgBuilder *builder, MrgSlice name);
void mrg_builder_require_object(MrgBuilder *builder, MrgSlice name);
void mrg_builder_require_context(MrgBuilder *builder, MrgSlice name, guint up);
void mrg_builder_call(MrgBuilder *builder, const MrgHelper *helper, guint n_args,
                      const MrgSlice *names, guint n_named);

/* Jumps forward, by MRG_OP_JUMP, _FALSE, _TRUE, _PRESENT, _FOUND, ENTER_EACH, _WITH or
 * _SECTION; gives what mrg_builder_land() wants, to say where it goes. */
typedef guint MrgJump;
MrgJump mrg_builder_jump(MrgBuilder *builder, MrgOp op);
MrgJump mrg_builder_enter(MrgBuilder *builder, MrgOp op, gboolean is_same_context);
void mrg_builder_land(MrgBuilder *builder, MrgJump jump);

/* A block whose bodies the helper runs; the arguments have been loaded.  Its first body
 * begins right behind.  Gives the jump to the second body; the number behind it is that of
 * the jump to the end.  Each body is closed by mrg_builder_turn(). */
MrgJump mrg_builder_enter_helper(MrgBuilder *builder, const MrgHelper *helper, guint n_args,
                                 const MrgSlice *names, guint n_named, guint n_params);
void mrg_builder_open_body(MrgBuilder *builder);
void mrg_builder_turn(MrgBuilder *builder);

/* The end of what an enter opened. */
void mrg_builder_next(MrgBuilder *builder, MrgJump enter);

/* ---- partials ---- */

/* A frame that definitions belong to; closed by mrg_builder_next(). */
MrgJump mrg_builder_enter_scope(MrgBuilder *builder, MrgAround around);

/* Between these two stands what is called: the block of a partial, an inline partial. begin
 * gives where it starts. */
guint mrg_builder_begin_body(MrgBuilder *builder, MrgJump *jump);
void mrg_builder_end_body(MrgBuilder *builder, MrgJump jump);

/* In the innermost scope the name means the body that begins right behind. */
/* Where a line of a mustache partial begins: its first one, or another. */
void mrg_builder_line(MrgBuilder *builder, gboolean is_first);

void mrg_builder_define(MrgBuilder *builder, MrgSlice name);

/* The named values have been loaded last, in front of them the name of a dynamic call, in
 * front of that the context of an MRG_ON_VALUE.  name is ignored when call->name is
 * MRG_NONE; indent is copied. */
void mrg_builder_partial(MrgBuilder *builder, MrgPartialCall call, MrgSlice name,
                         const MrgSlice *named, MrgSlice indent);

/* Frames open now, the root's included. */
guint mrg_builder_frames(const MrgBuilder *builder);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgBuilder, mrg_builder_free)

#endif
