/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <sodium.h>
#include <string.h>

#include "milter/stamp/token.h"

#define TOKEN_VERSION 1
#define NONCE_BYTES crypto_aead_chacha20poly1305_IETF_NPUBBYTES
#define TAG_BYTES crypto_aead_chacha20poly1305_IETF_ABYTES
#define HEAD_BYTES 2
#define PLAIN_BYTES 35
#define SEALED_BYTES (HEAD_BYTES + NONCE_BYTES + PLAIN_BYTES + TAG_BYTES)
#define BASE64_VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING

G_STATIC_ASSERT(sodium_base64_ENCODED_LEN(SEALED_BYTES, BASE64_VARIANT) ==
                MRG_TOKEN_LENGTH + 1);
G_STATIC_ASSERT(MRG_SECRET_BYTES == crypto_kdf_KEYBYTES);
G_STATIC_ASSERT(sizeof(((MrgPersonKey *) NULL)->bytes) == 16);

typedef enum { KEY_SEAL = 1, KEY_NONCE = 2 } KeyUse;

/* One secret serves two algorithms, each by a key of its own (crypto_kdf). */
static void
derive(guint8 key[MRG_SECRET_BYTES], const guint8 *secret, KeyUse use)
{
    crypto_kdf_derive_from_key(key, MRG_SECRET_BYTES, use, "mrgtoken", secret);
}

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
    memcpy(at, token->person.bytes, sizeof token->person.bytes);
    at += sizeof token->person.bytes;
    at = put_number(at, token->campaign, 4);
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
    memcpy(token->person.bytes, at, sizeof token->person.bytes);
    at += sizeof token->person.bytes;
    token->campaign = (guint32) take_number(&at, 4);
    token->message = take_number(&at, 8);
    token->link = (guint16) take_number(&at, 2);
    token->at_s = (guint32) take_number(&at, 4);
}

static void
make_nonce(guint8 *nonce, const guint8 *secret, const guint8 *head, const guint8 *plain)
{
    guint8 key[MRG_SECRET_BYTES];
    guint8 hash[crypto_generichash_BYTES];
    crypto_generichash_state state;
    derive(key, secret, KEY_NONCE);
    crypto_generichash_init(&state, key, sizeof key, sizeof hash);
    crypto_generichash_update(&state, head, HEAD_BYTES);
    crypto_generichash_update(&state, plain, PLAIN_BYTES);
    crypto_generichash_final(&state, hash, sizeof hash);
    memcpy(nonce, hash, NONCE_BYTES);
    sodium_memzero(key, sizeof key);
}

void
mrg_token_seal(const MrgKeyring *keyring, const MrgToken *token,
               char text[MRG_TOKEN_LENGTH + 1])
{
    const guint8 *secret = mrg_keyring_token_secret(keyring, 0);
    g_assert(secret);
    guint8 plain[PLAIN_BYTES];
    write_plain(plain, token);

    guint8 sealed[SEALED_BYTES] = {TOKEN_VERSION, mrg_keyring_sealing_id(keyring)};
    guint8 *nonce = sealed + HEAD_BYTES;
    make_nonce(nonce, secret, sealed, plain);
    guint8 key[MRG_SECRET_BYTES];
    derive(key, secret, KEY_SEAL);
    crypto_aead_chacha20poly1305_ietf_encrypt(nonce + NONCE_BYTES, NULL, plain,
                                              sizeof plain, sealed, HEAD_BYTES, NULL, nonce,
                                              key);
    sodium_memzero(key, sizeof key);
    sodium_bin2base64(text, MRG_TOKEN_LENGTH + 1, sealed, sizeof sealed, BASE64_VARIANT);
}

static gboolean
open_sealed(guint8 plain[PLAIN_BYTES], const guint8 sealed[SEALED_BYTES],
            const guint8 *secret)
{
    guint8 key[MRG_SECRET_BYTES];
    const guint8 *nonce = sealed + HEAD_BYTES;
    derive(key, secret, KEY_SEAL);
    int failed = crypto_aead_chacha20poly1305_ietf_decrypt(
        plain, NULL, NULL, nonce + NONCE_BYTES, PLAIN_BYTES + TAG_BYTES, sealed, HEAD_BYTES,
        nonce, key);
    sodium_memzero(key, sizeof key);
    return failed == 0;
}

gboolean
mrg_token_open(const MrgKeyring *keyring, const char *text, gsize length,
               MrgTokenPurpose purpose, MrgToken *token)
{
    guint8 sealed[SEALED_BYTES];
    gsize n = 0;
    /* libsodium refuses a last character with stray bits, so no token has two forms. */
    if (length != MRG_TOKEN_LENGTH ||
        sodium_base642bin(sealed, sizeof sealed, text, length, NULL, &n, NULL,
                          BASE64_VARIANT) != 0 ||
        n != sizeof sealed || sealed[0] != TOKEN_VERSION || sealed[1] == 0)
        return FALSE;
    const guint8 *secret = mrg_keyring_token_secret(keyring, sealed[1]);
    guint8 plain[PLAIN_BYTES];
    if (!secret || !open_sealed(plain, sealed, secret) || plain[0] != purpose)
        return FALSE;
    read_plain(token, plain);
    return TRUE;
}
