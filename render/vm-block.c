/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "render/vm.h"

/* What a block costs, since it asks for memory. */
#define STEPS_PER_BLOCK 10

MrgValue
mrg_call_context(const MrgHelperCall *call)
{
    return mrg_vm_context(call->vm, call->vm->frame);
}

MrgValue
mrg_call_data(const MrgHelperCall *call, const char *name)
{
    return mrg_vm_data(call->vm, name, strlen(name), 0);
}

/* The frame of the body that the helper chose. */
static void
open_body(MrgVm *vm, MrgBlockRun *run, const MrgBlockTurn *turn)
{
    MrgValue context = mrg_vm_context(vm, vm->frame);
    if (!turn->has_context || mrg_vm_is_same(&turn->context, &context))
        mrg_vm_open_same(vm);
    else
        mrg_vm_open(vm, &turn->context);
    MrgFrame *frame = vm->frame;
    frame->run = run;
    run->params = turn->params;
    run->n_params = turn->n_params;
    frame->values = NULL;
    if (turn->values) {
        frame->values = turn->values;
        frame->data = (guint16) (frame - vm->frames);
    }
}

/* The two instructions behind the one that enters say where the second body and the end
 * are. */
static const MrgInstruction *
take_turn(MrgVm *vm, MrgBlockRun *run)
{
    const MrgInstruction *at = run->at, *code = vm->program->code;
    MrgBlockTurn turn = {.turn = run->turn++, .n_block_params = at[1].a};
    MrgHelperCall call = mrg_vm_call(vm);
    call.n_args = mrg_call_positional(at);
    call.n_named = mrg_call_named(at);
    call.names = call.n_named ? &vm->program->names[at->c] : NULL;
    call.args = run->args;
    call.turn = &turn;
    MrgValue text = mrg_program_helper(vm->program, at->a)->function(&call);
    vm->failure = call.failure;
    vm->code = call.failure_code;
    vm->refused = at;
    vm->steps -= STEPS_PER_BLOCK;
    if (vm->failure)
        return NULL;
    mrg_vm_print(vm, &text, TRUE);
    if (turn.body == MRG_BODY_NONE)
        return code + at[2].c;
    open_body(vm, run, &turn);
    return turn.body == MRG_BODY_MAIN ? at + 3 : code + at[1].c;
}

const MrgInstruction *
mrg_vm_enter_helper(MrgVm *vm, const MrgInstruction *at)
{
    gsize n = mrg_call_positional(at) + mrg_call_named(at);
    MrgValue *args = mrg_arena_array(vm->input->arena, MrgValue, n);
    MrgBlockRun *run = mrg_arena_alloc(vm->input->arena, sizeof *run);
    vm->top -= n;
    if (n)
        memcpy(args, vm->top, n * sizeof *args);
    *run = (MrgBlockRun){.at = at, .args = args};
    return take_turn(vm, run);
}

const MrgInstruction *
mrg_vm_turn(MrgVm *vm)
{
    MrgBlockRun *run = vm->frame->run;
    vm->frame--;
    return take_turn(vm, run);
}
