/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shared: the accounts that a person's copies count on beside their own.
 *
 * OWNERSHIP  arguments are borrowed for the call.
 */
#ifndef MRG_SHARED_H
#define MRG_SHARED_H

#include "milter/person/key.h"
#include "milter/policy/decide.h"

typedef struct MrgShared {
    MrgPersonKey keys[MRG_SHARED_MAX];
    MrgScope scopes[MRG_SHARED_MAX];
    gsize n;
} MrgShared;

/* Those that the policy has caps for.  address must be normalised, and may be NULL: then
 * the domain is not among them; household may be NULL: then the person is a household of
 * one. */
void mrg_shared_find(MrgShared *shared, const MrgPolicy *policy, const MrgKeyring *keyring,
                     const char *address, const char *household);

#endif
