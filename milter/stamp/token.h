/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token: what a pixel or a link carries back to us, sealed.
 *
 *   version 1 | key id 1 | nonce 12 | ChaCha20-Poly1305 (RFC 8439) of:
 *     purpose 1 | recipient key 16 | campaign number 4 | message number 8 |
 *     link number 2 | seconds since 1970 4                              + tag 16
 *
 * in base64url without padding: 87 characters, no address in it, nothing to guess.
 * The nonce is keyed BLAKE2b of the plaintext, so that sealing is deterministic (the same
 * token at the same second is the same text) and a repeated nonce means the same text.
 * Both keys are derived from the ring's (crypto_kdf, context "mrgtoken").  Numbers are
 * big-endian; version and key id are authenticated too.
 *
 * THREADS    no state.
 */
#ifndef MRG_TOKEN_H
#define MRG_TOKEN_H

#include "milter/person/key.h"

#define MRG_TOKEN_LENGTH 87

typedef enum {
    MRG_TOKEN_INERT = 0, /* previews: opens, means nothing */
    MRG_TOKEN_OPEN = 1,
    MRG_TOKEN_CLICK = 2,
    MRG_TOKEN_UNSUBSCRIBE = 3,
    MRG_TOKEN_PREFERENCES = 4,
    MRG_TOKEN_VIEW = 5
} MrgTokenPurpose;

typedef struct MrgToken {
    MrgTokenPurpose purpose;
    MrgPersonKey person;
    guint32 campaign;
    guint64 message;
    guint16 link;
    guint32 at_s; /* seconds since 1970-01-01 UTC */
} MrgToken;

/* text gets MRG_TOKEN_LENGTH characters and a NUL. */
void mrg_token_seal(const MrgKeyring *keyring, const MrgToken *token,
                    char text[MRG_TOKEN_LENGTH + 1]);

/* FALSE for anything that this ring has not sealed for this purpose; says no more. */
gboolean mrg_token_open(const MrgKeyring *keyring, const char *text, gsize length,
                        MrgTokenPurpose purpose, MrgToken *token);

#endif
