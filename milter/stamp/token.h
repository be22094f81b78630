/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token: what a pixel, a link or a header carries back to us, sealed.
 *
 *   version 1 | key id 1 | nonce 12
 *   | recipient key 16 | campaign number 4 | message number 8 | seconds since 1970 4
 *     [| target], all of it encrypted
 *   | purpose 1 | link number 2 | tag 16
 *
 * in base64url without padding: 87 characters, no address in it, nothing to guess.  Version
 * 2 has a target: the address that a link of this copy alone leads to; others have a number
 * in place of it.  Numbers are big-endian.  Purpose and link number are no secret: the path
 * and the order of the links tell them.
 *
 * It is sealed by a synthetic IV (SIV: Rogaway, Shrimpton 2006; RFC 5297).  Keyed BLAKE2b
 * of version, key id and all that is encrypted gives the nonce and, in other bytes, a tag
 * key.  The nonce is that of ChaCha20 (RFC 8439, 2.4) under a key of its own; the tag is a
 * piece of ChaCha20's stream under the tag key, with a nonce of zeros, from a place that
 * this purpose and link have to themselves.  Opening decrypts, hashes what comes out, and
 * compares both the nonce and the tag, without telling by the time which was wrong.
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

/* ---- what that is worth ----
 *
 * Every byte is covered: it is hashed or compared, or says which tag it must be.  A tag is
 * the output of one PRF under a key that is another's, of all else that the token says.  So
 * who knows some of a copy's tokens and wants one for another purpose or link has to guess
 * 128 bits that nobody saw, 2^-128 for each try, and who changes anything else has to hit
 * the nonce besides.
 *
 * Sealing is deterministic: the same copy has the same tokens.  Of q copies (and targets)
 * under one key two have the same nonce with a chance of q^2 / 2^97: 2^-33 for 2^32 of
 * them, an even one near 2^48.  The XOR of these two's data would show then, and nothing
 * could be forged: a tag key has 256 other bits, so theirs differ.
 *
 * An AEAD of libsodium for each token takes some 3,300 instructions, and twenty links more
 * than rendering the mail.  Here a copy has one hash and one encryption, and one call gives
 * 32 of its tags.
 */

/* ---- sealing, by the newest key that is not retired ---- */

/* One copy's tokens. */
typedef struct MrgSealer {
    const MrgTokenKeys *keys; /* borrowed from the ring */
    guint8 plain[34];         /* version, key id, and what is encrypted */
    guint8 tag_key[32];
    char text[60];    /* as its tokens begin: 45 bytes */
    guint8 last;      /* behind these, the last one that they have in common */
    guint32 window;   /* which tags are at hand; G_MAXUINT32: none */
    guint8 tags[512]; /* these */
} MrgSealer;

void mrg_sealer_init(MrgSealer *sealer, const MrgKeyring *keyring, const MrgToken *copy);

/* text gets MRG_TOKEN_LENGTH characters and a NUL. */
void mrg_sealer_seal(MrgSealer *sealer, MrgTokenPurpose purpose, guint16 link,
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
