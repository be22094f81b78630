/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service: the pipeline in force, exchanged whole by a reload.
 *
 * A reload that fails keeps the old one; messages in flight keep the one they began with.
 *
 * THREADS    any.
 */
#ifndef MRG_SERVICE_H
#define MRG_SERVICE_H

#include "milter/intake/intake.h"
#include "milter/pipeline.h"

/* Blocks the signals that threads of their own wait for: SIGUSR1 here, the others in
 * libmilter. Before any other thread begins, so that none of them can take one. */
void mrg_service_block_signals(void);

/* Takes the first pipeline; path is what a reload reads.  From now on SIGUSR1 reloads;
 * libmilter owns the other signals. */
void mrg_service_start(MrgPipeline *pipeline, const char *path);
void mrg_service_stop(void);

/* FALSE and the error: the old pipeline stays. */
gboolean mrg_service_reload(GError **error);

const MrgIntakeHandler *mrg_service_handler(void);

#endif
