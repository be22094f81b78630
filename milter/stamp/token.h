/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token: what a pixel, a link or a header carries back to us, sealed.
 *
 *   version 1 | key id 1 | nonce 12 | ChaCha20 (RFC 8439, 2.4) of:
 *     recipient key 16 | campaign number 4 | message number 8 | seconds since 1970 4
 *     [| target] | purpose 1 | link number 2 | tag 16
 *
 * in base64url without padding: 87 characters, no address in it, nothing to guess.  Version
 * 2 has a target: the address that a link of this copy alone leads to; others have a number
 * in place of it.  Numbers are big-endian.  Purpose and link number are no secret: the path
 * and the order of the links tell them.
 *
 * Encrypt-then-MAC under keys of their own (Bellare, Namprempre 2000).  The tag is
 * SipHash-2-4 with 128 bits of the digest, purpose and link number; the digest is the same
 * function under another key of all that stands before these.  So it covers every byte:
 * a PRF of a keyed digest is a PRF as long as no two digests collide (as in NMAC: Bellare,
 * Canetti, Krawczyk 1996), and of 128 bits that nobody sees none are found.
 *
 * The nonce is keyed BLAKE2b of what is encrypted, so that sealing is deterministic, a
 * repeated nonce means the same text (the idea of RFC 5297), and all tokens of a copy share
 * one encryption and one digest: an AEAD of libsodium for each of twenty links costs more
 * than rendering the mail.
 *
 * THREADS    no state.
 */
#ifndef MRG_TOKEN_H
#define MRG_TOKEN_H

#include "milter/person/key.h"

#define MRG_TOKEN_LENGTH 87       /* of one without a target */
#define MRG_TOKEN_LENGTH_MAX 2000 /* of one with */
#define MRG_TARGET_MAX 1435       /* bytes that fit into it */

typedef enum {
    MRG_TOKEN_INERT = 0, /* previews: opens, means nothing */
    MRG_TOKEN_OPEN = 1,
    MRG_TOKEN_CLICK = 2,
    MRG_TOKEN_UNSUBSCRIBE = 3,
    MRG_TOKEN_PREFERENCES = 4,
    MRG_TOKEN_VIEW = 5,
    MRG_TOKEN_REPORT = 6,  /* in a header: whose copy a complaint or a bounce is about */
    MRG_TOKEN_IDENTITY = 7 /* what a click hands on to a site, for its events */
} MrgTokenPurpose;
#define MRG_TOKEN_PURPOSES 8

typedef struct MrgToken {
    MrgTokenPurpose purpose;
    MrgPersonKey person;
    guint32 campaign;
    guint64 message;
    guint16 link;       /* 0: none, or the target says it */
    guint32 at_s;       /* seconds since 1970-01-01 UTC */
    const char *target; /* or NULL; 1 to MRG_TARGET_MAX bytes */
    guint8 key_id;      /* of an opened one */
} MrgToken;

/* "open", "click", ...; NULL for a number that is none. */
const char *mrg_token_purpose_name(MrgTokenPurpose purpose);

/* ---- sealing, by the newest key that is not retired ---- */

/* One copy's tokens. */
typedef struct MrgSealer {
    const MrgTokenKeys *keys; /* borrowed from the ring */
    guint8 plain[32];
    guint8 sealed[46]; /* what its tokens have in common */
    guint8 digest[16]; /* of it */
    char text[61];     /* the first 45 bytes of it, as the tokens begin */
} MrgSealer;

void mrg_sealer_init(MrgSealer *sealer, const MrgKeyring *keyring, const MrgToken *copy);

/* text gets MRG_TOKEN_LENGTH characters and a NUL. */
void mrg_sealer_seal(const MrgSealer *sealer, MrgTokenPurpose purpose, guint16 link,
                     char text[MRG_TOKEN_LENGTH + 1]);

/* The same with a target of 1 to MRG_TARGET_MAX bytes, without a NUL in it.  Gives the
 * number of characters; a NUL is behind them, and nothing is written behind that. */
gsize mrg_sealer_seal_target(const MrgSealer *sealer, MrgTokenPurpose purpose,
                             const char *target, gsize length,
                             char text[MRG_TOKEN_LENGTH_MAX + 1]);

/* A single one; token->target is none. */
void mrg_token_seal(const MrgKeyring *keyring, const MrgToken *token,
                    char text[MRG_TOKEN_LENGTH + 1]);

/* ---- opening, by any key of the ring ---- */

/* FALSE for anything that this ring has not sealed for this purpose; says no more, and does
 * the same work for whatever is wrong with a text of one length.  target is where
 * token->target goes; both are untouched then. */
gboolean mrg_token_open(const MrgKeyring *keyring, const char *text, gsize length,
                        MrgTokenPurpose purpose, MrgToken *token,
                        char target[MRG_TARGET_MAX + 1]);

/* The same for any purpose: for support, not for what comes from outside. */
gboolean mrg_token_read(const MrgKeyring *keyring, const char *text, gsize length,
                        MrgToken *token, char target[MRG_TARGET_MAX + 1]);

#endif
