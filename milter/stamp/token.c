/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <sodium.h>
#include <string.h>

#include "milter/stamp/token.h"

typedef enum { VERSION_PLAIN = 1, VERSION_TARGET = 2 } Version;

#define NONCE_BYTES crypto_aead_chacha20poly1305_IETF_NPUBBYTES
#define TAG_BYTES crypto_aead_chacha20poly1305_IETF_ABYTES
#define HEAD_BYTES 2
#define PLAIN_BYTES 35
#define SEALED_BYTES (HEAD_BYTES + NONCE_BYTES + PLAIN_BYTES + TAG_BYTES)
#define SEALED_BYTES_MAX (SEALED_BYTES + MRG_TARGET_MAX)
#define BASE64_VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING

G_STATIC_ASSERT(sodium_base64_ENCODED_LEN(SEALED_BYTES, BASE64_VARIANT) ==
                MRG_TOKEN_LENGTH + 1);
G_STATIC_ASSERT(sodium_base64_ENCODED_LEN(SEALED_BYTES_MAX, BASE64_VARIANT) ==
                MRG_TOKEN_LENGTH_MAX + 1);
G_STATIC_ASSERT(sizeof(((MrgSealer *) NULL)->nonce) == NONCE_BYTES);
G_STATIC_ASSERT(sizeof(((MrgTokenKeys *) NULL)->seal) ==
                crypto_aead_chacha20poly1305_IETF_KEYBYTES);
G_STATIC_ASSERT(MRG_KEY_BYTES == 16);

const char *
mrg_token_purpose_name(MrgTokenPurpose purpose)
{
    static const char *const names[MRG_TOKEN_PURPOSES] = {
        [MRG_TOKEN_INERT] = "inert",
        [MRG_TOKEN_OPEN] = "open",
        [MRG_TOKEN_CLICK] = "click",
        [MRG_TOKEN_UNSUBSCRIBE] = "unsubscribe",
        [MRG_TOKEN_PREFERENCES] = "preferences",
        [MRG_TOKEN_VIEW] = "view",
        [MRG_TOKEN_REPORT] = "report",
        [MRG_TOKEN_IDENTITY] = "identity"};
    return (guint) purpose < MRG_TOKEN_PURPOSES ? names[purpose] : NULL;
}

/* ---- the plain text ---- */

static guint8 *
put_number(guint8 *at, guint64 number, gsize bytes)
{
    for (gsize i = 0; i < bytes; i++)
        at[i] = (guint8) (number >> (8 * (bytes - 1 - i)));
    return at + bytes;
}

static guint64
take_number(const guint8 **at, gsize bytes)
{
    guint64 number = 0;
    for (gsize i = 0; i < bytes; i++)
        number = number << 8 | (*at)[i];
    *at += bytes;
    return number;
}

static void
write_plain(guint8 plain[PLAIN_BYTES], const MrgToken *token)
{
    guint8 *at = put_number(plain, token->purpose, 1);
    memcpy(at, token->person.bytes, MRG_KEY_BYTES);
    at = put_number(at + MRG_KEY_BYTES, token->campaign, 4);
    at = put_number(at, token->message, 8);
    at = put_number(at, token->link, 2);
    at = put_number(at, token->at_s, 4);
    g_assert(at == plain + PLAIN_BYTES);
}

static void
read_plain(MrgToken *token, const guint8 plain[PLAIN_BYTES])
{
    const guint8 *at = plain;
    token->purpose = (MrgTokenPurpose) take_number(&at, 1);
    memcpy(token->person.bytes, at, MRG_KEY_BYTES);
    at += MRG_KEY_BYTES;
    token->campaign = (guint32) take_number(&at, 4);
    token->message = take_number(&at, 8);
    token->link = (guint16) take_number(&at, 2);
    token->at_s = (guint32) take_number(&at, 4);
}

/* ---- sealing ---- */

/* The version says what was hashed, so that a copy and a token with a target have no nonce
 * in common. */
static void
make_nonce(guint8 nonce[NONCE_BYTES], const guint8 *key, Version version,
           const guint8 *plain, gsize length)
{
    guint8 hash[crypto_generichash_BYTES];
    guint8 text[1 + PLAIN_BYTES + MRG_TARGET_MAX];
    text[0] = (guint8) version;
    memcpy(text + 1, plain, length);
    crypto_generichash(hash, sizeof hash, text, length + 1, key, MRG_SECRET_BYTES);
    memcpy(nonce, hash, NONCE_BYTES);
}

void
mrg_sealer_init(MrgSealer *sealer, const MrgKeyring *keyring, const MrgToken *copy)
{
    *sealer = (MrgSealer){.key_id = mrg_keyring_sealing_id(keyring), .copy = *copy};
    sealer->keys = mrg_keyring_token_keys(keyring, sealer->key_id);
    g_assert(sealer->keys);
    sealer->copy.purpose = MRG_TOKEN_INERT;
    sealer->copy.link = 0;
    guint8 plain[PLAIN_BYTES];
    write_plain(plain, &sealer->copy);
    make_nonce(sealer->nonce, sealer->keys->nonce, VERSION_PLAIN, plain, sizeof plain);
}

/* sealed has the head, the nonce and room for the rest. */
static gsize
encrypt(const MrgSealer *sealer, guint8 *sealed, const guint8 *plain, gsize length,
        char *text, gsize room)
{
    const guint8 *nonce = sealed + HEAD_BYTES;
    guint8 *out = sealed + HEAD_BYTES + NONCE_BYTES;
    crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plain, length, sealed, HEAD_BYTES,
                                              NULL, nonce, sealer->keys->seal);
    gsize n = HEAD_BYTES + NONCE_BYTES + length + TAG_BYTES;
    sodium_bin2base64(text, room, sealed, n, BASE64_VARIANT);
    return sodium_base64_ENCODED_LEN(n, BASE64_VARIANT) - 1;
}

void
mrg_sealer_seal(const MrgSealer *sealer, MrgTokenPurpose purpose, guint16 link,
                char text[MRG_TOKEN_LENGTH + 1])
{
    guint8 plain[PLAIN_BYTES];
    guint8 sealed[SEALED_BYTES] = {VERSION_PLAIN, sealer->key_id};
    guint8 *nonce = sealed + HEAD_BYTES;
    MrgToken token = sealer->copy;
    token.purpose = purpose;
    token.link = link;
    write_plain(plain, &token);
    memcpy(nonce, sealer->nonce, NONCE_BYTES);
    nonce[NONCE_BYTES - 3] ^= (guint8) purpose;
    nonce[NONCE_BYTES - 2] ^= (guint8) (link >> 8);
    nonce[NONCE_BYTES - 1] ^= (guint8) link;
    encrypt(sealer, sealed, plain, sizeof plain, text, MRG_TOKEN_LENGTH + 1);
}

gsize
mrg_sealer_seal_target(const MrgSealer *sealer, MrgTokenPurpose purpose, const char *target,
                       gsize length, char text[MRG_TOKEN_LENGTH_MAX + 1])
{
    guint8 plain[PLAIN_BYTES + MRG_TARGET_MAX];
    guint8 sealed[SEALED_BYTES_MAX] = {VERSION_TARGET, sealer->key_id};
    MrgToken token = sealer->copy;
    g_assert(length > 0 && length <= MRG_TARGET_MAX);
    token.purpose = purpose;
    write_plain(plain, &token);
    memcpy(plain + PLAIN_BYTES, target, length);
    make_nonce(sealed + HEAD_BYTES, sealer->keys->nonce, VERSION_TARGET, plain,
               PLAIN_BYTES + length);
    return encrypt(sealer, sealed, plain, PLAIN_BYTES + length, text,
                   MRG_TOKEN_LENGTH_MAX + 1);
}

void
mrg_token_seal(const MrgKeyring *keyring, const MrgToken *token,
               char text[MRG_TOKEN_LENGTH + 1])
{
    MrgSealer sealer;
    mrg_sealer_init(&sealer, keyring, token);
    mrg_sealer_seal(&sealer, token->purpose, token->link, text);
}

/* ---- opening ---- */

/* 64 or more for what is no character of base64url; without branches, which would tell
 * good characters from bad ones by the time. */
static guint
value_of(guint c)
{
    guint upper = c - 'A', lower = c - 'a', digit = c - '0';
    return (upper < 26) * (upper + 1) + (lower < 26) * (lower + 27) +
           (digit < 10) * (digit + 53) + (c == '-') * 63u + (c == '_') * 64u - 1;
}

/* Reads all of it whatever it finds, which sodium_base642bin() does not; FALSE for a
 * character that is none, and for stray bits in the last one, so that no token has two
 * forms.  length is that of some number of bytes. */
static gboolean
decode(guint8 *bytes, const char *text, gsize length)
{
    guint bits = 0, seen = 0;
    gsize n_bits = 0;
    for (gsize i = 0; i < length; i++) {
        guint value = value_of((guchar) text[i]);
        seen |= value;
        bits = bits << 6 | (value & 63);
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            *bytes++ = (guint8) (bits >> n_bits);
        }
    }
    return seen < 64 && (bits & ((1u << n_bits) - 1)) == 0;
}

/* Whether a text of that length can be a token at all. */
static gboolean
is_possible(gsize length)
{
    return length == MRG_TOKEN_LENGTH ||
           (length > MRG_TOKEN_LENGTH && length <= MRG_TOKEN_LENGTH_MAX && length % 4 != 1);
}

static gboolean
is_right_version(Version version, gsize n_sealed)
{
    return version == (n_sealed == SEALED_BYTES ? VERSION_PLAIN : VERSION_TARGET);
}

/* What is no token is decrypted all the same, with the key at hand: the answer is no in any
 * case, and comes no sooner. */
static gboolean
open_sealed(const MrgKeyring *keyring, const char *text, gsize length, guint8 *plain,
            gsize *n_plain, guint8 *key_id)
{
    static const char decoy[MRG_TOKEN_LENGTH + 1] =
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    guint8 sealed[SEALED_BYTES_MAX];
    gboolean is_good = is_possible(length);
    if (!is_good) {
        text = decoy;
        length = MRG_TOKEN_LENGTH;
    }
    is_good &= decode(sealed, text, length);
    gsize n = length * 3 / 4;
    is_good &= is_right_version((Version) sealed[0], n);
    const MrgTokenKeys *keys = mrg_keyring_token_keys(keyring, sealed[1]);
    is_good &= keys != NULL;
    if (!keys)
        keys = mrg_keyring_token_keys(keyring, mrg_keyring_sealing_id(keyring));
    const guint8 *nonce = sealed + HEAD_BYTES;
    *n_plain = n - HEAD_BYTES - NONCE_BYTES - TAG_BYTES;
    *key_id = sealed[1];
    is_good &= crypto_aead_chacha20poly1305_ietf_decrypt(
                   plain, NULL, NULL, nonce + NONCE_BYTES, *n_plain + TAG_BYTES, sealed,
                   HEAD_BYTES, nonce, keys->seal) == 0;
    return is_good;
}

gboolean
mrg_token_read(const MrgKeyring *keyring, const char *text, gsize length, MrgToken *token,
               char target[MRG_TARGET_MAX + 1])
{
    guint8 plain[PLAIN_BYTES + MRG_TARGET_MAX];
    gsize n_plain;
    guint8 key_id;
    if (!open_sealed(keyring, text, length, plain, &n_plain, &key_id))
        return FALSE;
    *token = (MrgToken){.key_id = key_id};
    read_plain(token, plain);
    if (n_plain == PLAIN_BYTES)
        return TRUE;
    memcpy(target, plain + PLAIN_BYTES, n_plain - PLAIN_BYTES);
    target[n_plain - PLAIN_BYTES] = '\0';
    token->target = target;
    return TRUE;
}

gboolean
mrg_token_open(const MrgKeyring *keyring, const char *text, gsize length,
               MrgTokenPurpose purpose, MrgToken *token, char target[MRG_TARGET_MAX + 1])
{
    MrgToken opened;
    char address[MRG_TARGET_MAX + 1];
    if (!mrg_token_read(keyring, text, length, &opened, address) ||
        opened.purpose != purpose)
        return FALSE;
    *token = opened;
    if (opened.target) {
        memcpy(target, address, strlen(address) + 1);
        token->target = target;
    }
    return TRUE;
}
