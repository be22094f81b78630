/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jobs: threads for what has to wait for the store, so that nobody else waits with it.
 *
 * THREADS    any; every job that was taken is done before mrg_jobs_end() returns, and none
 *            is taken after.
 */
#ifndef MRG_JOBS_H
#define MRG_JOBS_H

#include <glib.h>

typedef struct MrgJobs MrgJobs;

MrgJobs *mrg_jobs_new(guint n_threads, guint max_waiting);
void mrg_jobs_end(MrgJobs *jobs);
/* Ends them where that is not done. */
void mrg_jobs_free(MrgJobs *jobs);

/* FALSE where too many wait already. */
gboolean mrg_jobs_add(MrgJobs *jobs, void (*run)(gpointer), gpointer data);

#endif
