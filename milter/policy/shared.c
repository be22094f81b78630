/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/policy/shared.h"

static void
add(MrgShared *shared, MrgScope scope, const MrgPersonKey *key)
{
    shared->keys[shared->n] = *key;
    shared->scopes[shared->n++] = scope;
}

void
mrg_shared_find(MrgShared *shared, const MrgPolicy *policy, const MrgKeyring *keyring,
                const char *address, const char *household)
{
    MrgPersonKey key;
    *shared = (MrgShared){.n = 0};
    if (address && mrg_policy_has_scope(policy, MRG_SCOPE_DOMAIN)) {
        /* "@example.com" is nobody's address, and a domain has one key however written. */
        mrg_person_key(keyring, strrchr(address, '@'), &key);
        add(shared, MRG_SCOPE_DOMAIN, &key);
    }
    if (household && *household && mrg_policy_has_scope(policy, MRG_SCOPE_HOUSEHOLD)) {
        const char *texts[] = {"household", household};
        const gsize lengths[] = {strlen(texts[0]), strlen(household)};
        MrgMessageKey hash;
        mrg_message_key(keyring, texts, lengths, G_N_ELEMENTS(texts), &hash);
        memcpy(key.bytes, hash.bytes, sizeof key.bytes);
        add(shared, MRG_SCOPE_HOUSEHOLD, &key);
    }
}
