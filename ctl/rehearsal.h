/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rehearsal: a message taken through the pipeline for people, and nothing sent.
 *
 * What preview, explain and leak-check share: the message, the pipeline, and where people
 * come from: the configured store, a file, or nowhere.
 *
 * OWNERSHIP  a rehearsal owns its pipeline; a scene is one person's turn and borrows from
 *            the rehearsal.
 * THREADS    scenes may be made in any number of threads; a scene serves one.
 * ERRORS     opening prints what is wrong and returns the exit code.
 */
#ifndef MRG_REHEARSAL_H
#define MRG_REHEARSAL_H

#include "ctl/verb.h"

typedef enum {
    MRG_PEOPLE_STORED,  /* those of the configured store */
    MRG_PEOPLE_FILED,   /* in memory, under the configured keys: as the milter knows them */
    MRG_PEOPLE_INVENTED /* in memory, under keys that nobody keeps */
} MrgPeopleKind;

typedef struct MrgRehearsal {
    MrgConf *conf;
    MrgKeyring *keyring;
    MrgPipeline *pipeline;
    const MrgStore *store; /* the pipeline's */
    const char *path;      /* of the message; borrowed */
    char *text;
    gsize length;
    gint64 now_us;
} MrgRehearsal;

/* kind says where people are; those in memory are none yet. */
int mrg_rehearsal_open(MrgRehearsal *rehearsal, const MrgTool *tool, const char *path,
                       MrgPeopleKind kind);
void mrg_rehearsal_close(MrgRehearsal *rehearsal);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MrgRehearsal, mrg_rehearsal_close)

/* Rows of a people's file (JSON Lines or CSV) into a store, all or none. addresses may be
 * NULL; else it gets each row's, normalised.  Prints what is wrong; the exit code. */
int mrg_profiles_take(const MrgRehearsal *into, const char *path, GPtrArray *addresses);

typedef struct MrgScene {
    const char *address; /* as asked for; borrowed */
    MrgEnvelope *envelope;
    MrgMerge merge;    /* run */
    MrgBuffer message; /* the copy with CRLF, where there is one */
    gboolean is_out;   /* there is */
} MrgScene;

MrgScene *mrg_scene_new(const MrgRehearsal *rehearsal, const char *address, MrgMode mode);
void mrg_scene_free(MrgScene *scene);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgScene, mrg_scene_free)

/* "deliver" and the like. */
const char *mrg_scene_verdict(const MrgScene *scene);

/* The exit code for the verdict. */
int mrg_scene_code(const MrgScene *scene);

/* {"campaign": microseconds, ...} for the steps that were run. */
json_t *mrg_scene_times(const MrgScene *scene);

#endif
