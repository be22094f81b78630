/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key: the key ring, and who a recipient is without saying the address.
 *
 * A person's key is keyed BLAKE2b (RFC 7693, by libsodium's crypto_generichash) of the
 * normalised address, 16 bytes.  The key for it must never change: with another, nobody
 * is recognised any more.  Token keys may be added; old ones still open.
 *
 * The ring is a text file with a line per key, "PURPOSE ID BASE64", purposes "person"
 * (one, id 1), "token" (ids 1 to 255, the last line seals) and "retired" (a token key that
 * opens and will never seal again); '#' begins a comment.
 *
 * OWNERSHIP  reference-counted; key bytes lie in guarded memory and are wiped at the end.
 * THREADS    immutable.
 * ERRORS     MRG_ERROR_CONFIG ("FILE:LINE:1: ..."); a file that others than its owner can
 *            read is refused, and so is one that is owned by neither root nor this user.
 */
#ifndef MRG_PERSON_KEY_H
#define MRG_PERSON_KEY_H

#include "base/arena.h"
#include "plugins/merganser-plugin.h"

#define MRG_SECRET_BYTES 32

typedef struct MrgKeyring MrgKeyring;

typedef enum {
    MRG_KEY_ABSENT,
    MRG_KEY_OPENS, /* an older one, which would seal if all newer ones retired */
    MRG_KEY_SEALS,
    MRG_KEY_RETIRED /* opens */
} MrgKeyState;

/* What tokens are sealed with; derived from one secret by crypto_kdf. */
typedef struct MrgTokenKeys {
    guint8 seal[MRG_SECRET_BYTES];
    guint8 hash[MRG_SECRET_BYTES];
} MrgTokenKeys;

MrgKeyring *mrg_keyring_load(const char *path, GError **error);
/* A ring of fresh keys that is nowhere stored: for previews and tests. */
MrgKeyring *mrg_keyring_new_ephemeral(GError **error);
MrgKeyring *mrg_keyring_ref(MrgKeyring *keyring);
void mrg_keyring_unref(MrgKeyring *keyring);

/* Makes the file with a person and a token key (mode 0600), or adds a token key to the
 * one that is there.  *token_id is the id of the new token key. */
gboolean mrg_keyring_create(const char *path, guint8 *token_id, GError **error);

/* The token key opens from then on, and seals no more: the newest of the others does, and
 * there must be one. */
gboolean mrg_keyring_retire(const char *path, guint8 id, GError **error);

/* NULL for an unknown id. */
const MrgTokenKeys *mrg_keyring_token_keys(const MrgKeyring *keyring, guint8 id);
MrgKeyState mrg_keyring_token_state(const MrgKeyring *keyring, guint8 id);
/* Every ring has one. */
guint8 mrg_keyring_sealing_id(const MrgKeyring *keyring);

/* The normalised form of an address, in the arena: angle brackets and white space off,
 * ASCII letters lower case in both halves; NULL unless there is exactly one unquoted '@'
 * with something on both sides, 3 to 254 bytes (RFC 5321, 4.5.3.1.3), UTF-8 without
 * controls. Plus tags and dots stay: they are part of the address. Quotes stay where they
 * are needed, and a dot at the end goes: with and without, it is one mailbox. */
const char *mrg_address_normalise(const char *address, MrgArena *arena);

/* address must be normalised.  A domain has one key, in Unicode and as xn--. */
void mrg_person_key(const MrgKeyring *keyring, const char *address, MrgPersonKey *key);

/* Several texts, length-prefixed, hashed under the person key. */
void mrg_message_key(const MrgKeyring *keyring, const char *const *texts,
                     const gsize *lengths, gsize n, MrgMessageKey *key);

/* For hash tables keyed by either kind of key, which both are 16 random bytes. */
guint mrg_key_hash(gconstpointer key);
gboolean mrg_key_equal(gconstpointer a, gconstpointer b);

/* The whole of either kind of key in hex. */
#define MRG_KEY_TEXT_BYTES (2 * MRG_KEY_BYTES + 1)
void mrg_key_print(gconstpointer key, char text[MRG_KEY_TEXT_BYTES]);

/* The first 8 bytes in hex, for logs: enough to find a person, not to be one. */
#define MRG_PSEUDONYM_BYTES 17
void mrg_person_pseudonym(const MrgPersonKey *key, char pseudonym[MRG_PSEUDONYM_BYTES]);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgKeyring, mrg_keyring_unref)

#endif
