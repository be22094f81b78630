/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipeline: the way of a campaign message, stage by stage, to its verdict.
 *
 * A pipeline is one configuration in force with what belongs to it: key ring, store,
 * sinks, compiled plans.  A merge is one message on its way.
 *
 * OWNERSHIP  a pipeline is reference-counted; a merge borrows pipeline and envelope.
 * THREADS    a pipeline serves any number of threads, a merge one.
 * ERRORS     mrg_pipeline_new(): MRG_ERROR_CONFIG and the store's.  A merge has no error:
 * every failure becomes a verdict (verdict/disposition.h).
 */
#ifndef MRG_PIPELINE_H
#define MRG_PIPELINE_H

#include "milter/intake/intake.h"
#include "milter/message/copy.h"
#include "milter/person/lookup.h"
#include "milter/plan.h"
#include "milter/policy/shared.h"
#include "milter/verdict/disposition.h"
#include "milter/witness/outbox.h"
#include "milter/witness/record.h"

typedef struct MrgPipeline MrgPipeline;

typedef enum {
    MRG_MODE_MERGE,
    MRG_MODE_CHECK,   /* compiles the template, edits nothing */
    MRG_MODE_PREVIEW, /* as merge, but commits nothing and seals inert tokens */
    MRG_MODE_STAGE    /* the same, for an MTA: the copy goes to the stage */
} MrgMode;

MrgPipeline *mrg_pipeline_new(MrgConf *conf, GError **error);
/* The same with this key ring and store, of which it takes a new reference and the handle
 * (on failure, too), and without sinks: for rehearsals.  NULL where store is. */
MrgPipeline *mrg_pipeline_new_with(MrgConf *conf, MrgKeyring *keyring, MrgStore *store,
                                   GError **error);
MrgPipeline *mrg_pipeline_ref(MrgPipeline *pipeline);
void mrg_pipeline_unref(MrgPipeline *pipeline);
const MrgIntakeRules *mrg_pipeline_rules(const MrgPipeline *pipeline);
MrgConf *mrg_pipeline_conf(const MrgPipeline *pipeline);
MrgOutbox *mrg_pipeline_outbox(const MrgPipeline *pipeline);

#define MRG_STEPS_MAX 8

typedef struct MrgMerge {
    MrgPipeline *pipeline;
    MrgEnvelope *envelope;
    MrgMode mode;
    gint64 now_us;      /* since 1970 */
    gint64 deadline_us; /* monotonic, of the store call under way */

    /* message */
    MrgCampaign campaign;
    MrgPlan *plan;
    MrgMessageKey key;

    /* person */
    MrgPerson person;
    MrgValue *slots;

    /* policy */
    MrgState state;
    MrgStateView view;
    MrgShared shared;
    MrgCandidate candidate;
    gboolean has_state;
    MrgDecision decision;

    /* render, stamp */
    const MrgDisposition *withheld; /* by the template: {{abort}}, {{required}} */
    const char *withheld_reason;
    MrgBuffer texts;
    MrgRendered *fields; /* as the plan has them */
    MrgRendered *parts;
    MrgLandmarks marks;
    MrgStampPlaces *places; /* of the parts */
    const char *stamps;
    guint tracked; /* MrgTracked */
    MrgCopy copy;

    /* verdict */
    const MrgDisposition *disposition; /* set: the way ends here */
    const char *reason;                /* "GATE: DETAIL" */
    const char *reply;                 /* what the sender hears of a refusal */
    gint64 took_us[MRG_STEPS_MAX];     /* per step, in the order of mrg_step_name() */
    gsize n_steps;                     /* that were begun */
} MrgMerge;

void mrg_merge_init(MrgMerge *merge, MrgPipeline *pipeline, MrgEnvelope *envelope,
                    MrgMode mode, gint64 now_us);
void mrg_merge_clear(MrgMerge *merge);

/* Takes the message to its verdict: disposition, reason, reply and, for deliver and hold,
 * copy. */
void mrg_merge_run(MrgMerge *merge);

/* The way ends with this verdict. */
void mrg_merge_decide(MrgMerge *merge, MrgVerdict verdict, const char *reason);

/* Whether the copy will be needed; a merge that has come to the policy. */
gboolean mrg_merge_is_going_out(const MrgMerge *merge);

/* What may be told of it; borrows from the merge. */
MrgRecord mrg_merge_record(const MrgMerge *merge, gint64 took_us);

/* Name of the i-th step, or NULL behind the last. */
const char *mrg_step_name(gsize i);

/* One message of the MTA: run, answer, log, count (serve.c). */
MrgAnswer mrg_pipeline_serve(MrgPipeline *pipeline, MrgEnvelope *envelope,
                             const MrgMta *mta);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgPipeline, mrg_pipeline_unref)

#endif
