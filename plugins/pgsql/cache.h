/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache: fields of profiles, for each person and set of names, bounded in bytes.
 *
 * It holds only what somebody would take back: open() says that changes are told from now
 * on and close() that they no longer are, which empties it.  A change that is told while an
 * answer is on its way may have come after the answer was made or before, so such an answer
 * is not kept: take the ticket before asking.
 *
 * THREADS    any.
 */
#ifndef MRG_PGSQL_CACHE_H
#define MRG_PGSQL_CACHE_H

#include "plugins/merganser-plugin.h"

typedef struct MrgPgsqlCache MrgPgsqlCache;

/* Closed; max_bytes counts names, values and what they are kept in. */
MrgPgsqlCache *mrg_pgsql_cache_new(gsize max_bytes);
void mrg_pgsql_cache_free(MrgPgsqlCache *self);

void mrg_pgsql_cache_open(MrgPgsqlCache *self);
void mrg_pgsql_cache_close(MrgPgsqlCache *self);
/* Something about the person changed; NULL: about anybody. */
void mrg_pgsql_cache_forget(MrgPgsqlCache *self, const MrgPersonKey *person);

guint64 mrg_pgsql_cache_ticket(MrgPgsqlCache *self);
/* FALSE: not there. */
gboolean mrg_pgsql_cache_get(MrgPgsqlCache *self, const MrgPersonKey *person,
                             const char *const *names, gsize n_names, MrgField *fields,
                             const MrgMemory *memory);
void mrg_pgsql_cache_put(MrgPgsqlCache *self, guint64 ticket, const MrgPersonKey *person,
                         const char *const *names, gsize n_names, const MrgField *fields);

#endif
