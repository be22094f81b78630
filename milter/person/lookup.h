/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lookup: who the recipient is, and the fields that the program reads.
 *
 * For templates, a name that the profile lacks falls back to the campaign's data, and the
 * name "data" is that as a whole.  What decides about a person looks at the profile alone
 * (values): a sender's data is no person's wish.
 *
 * OWNERSHIP  arena.
 * ERRORS     MRG_ERROR_ADDRESS; the store's own; MRG_STORE_ERROR_CORRUPT for a stored
 *            value that is no JSON.
 */
#ifndef MRG_LOOKUP_H
#define MRG_LOOKUP_H

#include "base/value.h"
#include "milter/person/key.h"
#include "milter/registry.h"

typedef struct MrgPerson {
    const char *address; /* normalised; for the To header alone */
    MrgPersonKey key;
    char pseudonym[MRG_PSEUDONYM_BYTES];
    gboolean has_profile;
    const MrgValue *values; /* by place in the names asked for: what the profile says */
} MrgPerson;

/* A field as a value; name stands in the error. */
gboolean mrg_field_value(MrgValue *value, const MrgField *field, const char *name,
                         MrgArena *arena, GError **error);

gboolean mrg_person_identify(MrgPerson *person, const MrgKeyring *keyring,
                             const char *address, MrgArena *arena, GError **error);

typedef struct MrgPersonAsked {
    const char *const *names; /* of fields */
    gsize n_names;
    const MrgValue *data; /* of the campaign, or NULL */
    const MrgMessageKey *message;
    const MrgPersonKey *shared; /* accounts, as for mrg_store_load() */
    gsize n_shared;
} MrgPersonAsked;

/* Fields and state at once, in one round trip where the store can: slots gets a value for
 * each of the names. */
gboolean mrg_person_fetch(MrgPerson *person, const MrgStore *store,
                          const MrgPersonAsked *asked, MrgValue *slots, MrgState *state,
                          MrgArena *arena, gint64 deadline_us, GError **error);

#endif
