/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outcome: the steps of a merge that look at the person's state and write what came of the
 * copy; the inside of the pipeline, for pipeline.c alone.
 *
 * OWNERSHIP  arena of the envelope.
 */
#ifndef MRG_OUTCOME_H
#define MRG_OUTCOME_H

#include "milter/contents.h"
#include "milter/pipeline.h"
#include "milter/turns.h"

struct MrgPipeline {
    gint references; /* atomic */
    MrgConf *conf;
    MrgKeyring *keyring;
    MrgStore *store;
    MrgOutbox *outbox;
    MrgContents *contents;
    MrgPlanCache *plans;
    MrgTurns *turns;
    MrgLibrary *library;
    MrgIntakeRules rules;
    gboolean counts_attempts;
    guint track; /* MrgTrack: what the configuration allows */
};

gboolean mrg_step_policy(MrgMerge *merge, GError **error);
gboolean mrg_step_commit(MrgMerge *merge, GError **error);

/* The way ends with this error; recorded, where that is possible. */
void mrg_merge_fail(MrgMerge *merge, const GError *error);

/* Before each call of the store. */
void mrg_merge_start_deadline(MrgMerge *merge);

/* Whether anything is counted, recorded and sealed for a person. */
gboolean mrg_merge_commits(const MrgMerge *merge);

/* When the copy goes out, as far as is known: what is held is made for its due time. */
gint64 mrg_merge_out_us(const MrgMerge *merge);

/* What the person's own profile says at the place in the names, or the setting. */
const char *mrg_merge_own_text(const MrgMerge *merge, gsize place, const char *setting);

#endif
