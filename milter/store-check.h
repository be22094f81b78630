/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store-check: looks at what goes into a store and what comes out of one.
 *
 * Every text is UTF-8 without NUL and bounded, every enum is one that there is, and an
 * account is the one that was asked for.  The bounds are wider than what the rest of
 * Merganser lets arise and narrower than what a database chokes on.
 *
 * ERRORS     MRG_STORE_ERROR_CORRUPT "person KEY: what", never with a value in it.
 */
#ifndef MRG_STORE_CHECK_H
#define MRG_STORE_CHECK_H

#include "plugins/merganser-plugin.h"

#define MRG_STORE_HISTORY_BYTES_MAX (1024 * 1024)
#define MRG_STORE_NAME_BYTES_MAX 255  /* campaign, class, host, sender, scope, purpose */
#define MRG_STORE_WORD_BYTES_MAX 64   /* queue id, reason of a suppression */
#define MRG_STORE_LINE_BYTES_MAX 8192 /* tags, reason of an event, source, link target */
#define MRG_STORE_AGENT_BYTES_MAX 512 /* user agent, reason of a class */
#define MRG_STORE_DATA_BYTES_MAX (64 * 1024)

/* FALSE, with MRG_STORE_ERROR_CORRUPT; what holds no value. */
gboolean mrg_store_fail(GError **error, const char *what);

/* UTF-8, from 1 to max bytes. */
gboolean mrg_store_is_word(const char *text, gsize max);
/* The same, or empty. */
gboolean mrg_store_is_text(const char *text, gsize max);

gboolean mrg_store_check_field(const MrgPersonKey *person, const char *name,
                               const MrgField *field, GError **error);

/* ---- what goes in -------------------------------------------------------- */

gboolean mrg_store_check_profile(const MrgProfile *profile, GError **error);
gboolean mrg_store_check_account(const MrgAccount *account, GError **error);
/* All but where a hold is: a commit has to say that, a settlement has not. */
gboolean mrg_store_check_outcome(const MrgOutcome *outcome, GError **error);
gboolean mrg_store_check_batch(const MrgHitBatch *batch, GError **error);
gboolean mrg_store_check_place(const MrgPersonKey *person, const char *host,
                               const char *queue_id, GError **error);

/* ---- what comes out ------------------------------------------------------ */

gboolean mrg_store_check_state(const MrgPersonKey *person, const MrgPersonKey *shared,
                               gsize n_shared, const MrgState *state, GError **error);
gboolean mrg_store_check_event(const MrgPersonKey *person, const MrgEvent *event,
                               GError **error);
gboolean mrg_store_check_engagement(const MrgPersonKey *person, const char *lines,
                                    GError **error);
gboolean mrg_store_check_suppression(const MrgPersonKey *person,
                                     const MrgSuppression *suppression, GError **error);
gboolean mrg_store_check_hit(const MrgHitRow *hit, GError **error);
gboolean mrg_store_check_delivery(const MrgDelivery *delivery, GError **error);
gboolean mrg_store_check_hold(const MrgHold *hold, GError **error);

#endif
