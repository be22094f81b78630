/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a merge that has run: the MTA hears its verdict, and the witnesses. */
#include "config.h"

#include "milter/clock.h"
#include "milter/counters.h"
#include "milter/pipeline.h"
#include "milter/verdict/apply.h"
#include "milter/witness/logline.h"

MrgRecord
mrg_merge_record(const MrgMerge *merge, gint64 took_us)
{
    static const MrgRecordKind kinds[] = {MRG_RECORD_MERGED, MRG_RECORD_CHECKED,
                                          MRG_RECORD_MERGED, MRG_RECORD_STAGED};
    return (MrgRecord){
        .queue_id = merge->envelope->queue_id,
        .campaign = merge->campaign.id,
        .class_name = merge->campaign.class_name,
        .pseudonym = merge->person.address ? merge->person.pseudonym : NULL,
        .person = merge->person.key,
        .copy = merge->person.address ? &merge->key : NULL,
        .verdict = merge->disposition->verdict,
        .reason = merge->reason,
        .stamps = merge->stamps,
        .n_unsigned = mrg_merge_is_going_out(merge) && merge->mode != MRG_MODE_CHECK
                          ? mrg_copy_signatures(merge->envelope)
                          : 0,
        .is_repeat = merge->state.is_repeat,
        .kind = kinds[merge->mode],
        .at_us = merge->now_us,
        .took_us = took_us,
    };
}

static void
witness(const MrgMerge *merge, gint64 took_us)
{
    static const MrgCounter counters[] = {MRG_COUNTER_deliver, MRG_COUNTER_drop,
                                          MRG_COUNTER_reject, MRG_COUNTER_defer,
                                          MRG_COUNTER_hold};
    MrgRecord record = mrg_merge_record(merge, took_us);
    g_autofree char *line = mrg_logline_format(&record);
    g_message("%s", line);
    mrg_count(record.kind == MRG_RECORD_MERGED    ? counters[record.verdict]
              : record.kind == MRG_RECORD_CHECKED ? MRG_COUNTER_check
                                                  : MRG_COUNTER_stage);
    if (record.is_repeat)
        mrg_count(MRG_COUNTER_repeat);
    if (record.kind == MRG_RECORD_MERGED)
        mrg_outbox_post(mrg_pipeline_outbox(merge->pipeline), &record);
}

/* A copy that would go out goes to the stage, or nowhere. */
static MrgAnswer
apply_staged(MrgMerge *merge, const MrgMta *mta)
{
    const char *to = mrg_pipeline_conf(merge->pipeline)->milter_stage_address;
    const char *recipient = g_ptr_array_index(merge->envelope->recipients, 0);
    if (!*to)
        return MRG_ANSWER_DISCARD;
    mrg_copy_set_header(&merge->copy, merge->envelope->arena, "X-Merganser-Stage",
                        mrg_arena_printf(merge->envelope->arena, "%s, %s",
                                         mrg_verdict_name(merge->disposition->verdict),
                                         merge->reason));
    if (!mta->api->redirect(mta->context, recipient, to))
        return MRG_ANSWER_TEMPFAIL;
    return mrg_apply(mta, mrg_disposition_of_verdict(MRG_VERDICT_DELIVER), merge->reply,
                     merge->envelope, &merge->copy);
}

static MrgAnswer
apply(MrgMerge *merge, const MrgMta *mta)
{
    if (merge->mode == MRG_MODE_CHECK && merge->disposition->verdict == MRG_VERDICT_DELIVER)
        return MRG_ANSWER_ACCEPT;
    if (merge->mode == MRG_MODE_STAGE && mrg_merge_is_going_out(merge))
        return apply_staged(merge, mta);
    return mrg_apply(mta, merge->disposition, merge->reply, merge->envelope, &merge->copy);
}

MrgAnswer
mrg_pipeline_serve(MrgPipeline *pipeline, MrgEnvelope *envelope, const MrgMta *mta)
{
    MrgMerge merge;
    gint64 began_us = g_get_monotonic_time();
    MrgMode mode = envelope->role == MRG_ROLE_CHECK ? MRG_MODE_CHECK
                   : mrg_pipeline_conf(pipeline)->milter_mode == MRG_STAGE_ON
                       ? MRG_MODE_STAGE
                       : MRG_MODE_MERGE;
    mrg_merge_init(&merge, pipeline, envelope, mode, mrg_clock_now_us());
    mrg_merge_run(&merge);
    MrgAnswer answer = apply(&merge, mta);
    if (answer == MRG_ANSWER_TEMPFAIL && mrg_merge_is_going_out(&merge))
        mrg_merge_decide(&merge, MRG_VERDICT_DEFER, "mta: it did not take the edits");
    witness(&merge, g_get_monotonic_time() - began_us);
    mrg_merge_clear(&merge);
    return answer;
}
