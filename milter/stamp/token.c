/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <sodium.h>
#include <string.h>

#include "milter/stamp/token.h"

typedef enum { VERSION_PLAIN = 1, VERSION_TARGET = 2 } Version;

#define NONCE_BYTES crypto_stream_chacha20_ietf_NONCEBYTES
#define TAG_BYTES crypto_shorthash_siphashx24_BYTES
#define HEAD_BYTES (2 + NONCE_BYTES)
#define COPY_BYTES 32
#define USE_BYTES 3
#define DIGEST_BYTES crypto_shorthash_siphashx24_BYTES
#define SHARED_BYTES 45 /* of the copy's, in whole groups of base64 */
#define SHARED_LENGTH 60
#define SEALED_BYTES (HEAD_BYTES + COPY_BYTES + USE_BYTES + TAG_BYTES)
#define SEALED_BYTES_MAX (SEALED_BYTES + MRG_TARGET_MAX)
#define TEXT_LENGTH(bytes) (((bytes) *4 + 2) / 3)

G_STATIC_ASSERT(TEXT_LENGTH(SEALED_BYTES) == MRG_TOKEN_LENGTH);
G_STATIC_ASSERT(TEXT_LENGTH(SEALED_BYTES_MAX) == MRG_TOKEN_LENGTH_MAX);
G_STATIC_ASSERT(sizeof(((MrgSealer *) NULL)->sealed) == HEAD_BYTES + COPY_BYTES);
G_STATIC_ASSERT(HEAD_BYTES + COPY_BYTES == SHARED_BYTES + 1);
G_STATIC_ASSERT(sizeof(((MrgSealer *) NULL)->digest) == DIGEST_BYTES);
G_STATIC_ASSERT(sizeof(((MrgSealer *) NULL)->text) == SHARED_LENGTH + 1);
G_STATIC_ASSERT(MRG_SECRET_BYTES == crypto_stream_chacha20_ietf_KEYBYTES);
G_STATIC_ASSERT(sizeof(((MrgTokenKeys *) NULL)->digest) ==
                crypto_shorthash_siphashx24_KEYBYTES);
G_STATIC_ASSERT(sizeof(((MrgTokenKeys *) NULL)->tag) ==
                crypto_shorthash_siphashx24_KEYBYTES);
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

/* ---- what is encrypted ---- */

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
write_copy(guint8 plain[COPY_BYTES], const MrgToken *token)
{
    memcpy(plain, token->person.bytes, MRG_KEY_BYTES);
    guint8 *at = put_number(plain + MRG_KEY_BYTES, token->campaign, 4);
    at = put_number(at, token->message, 8);
    at = put_number(at, token->at_s, 4);
    g_assert(at == plain + COPY_BYTES);
}

static void
read_copy(MrgToken *token, const guint8 plain[COPY_BYTES])
{
    const guint8 *at = plain + MRG_KEY_BYTES;
    memcpy(token->person.bytes, plain, MRG_KEY_BYTES);
    token->campaign = (guint32) take_number(&at, 4);
    token->message = take_number(&at, 8);
    token->at_s = (guint32) take_number(&at, 4);
}

/* ---- base64url ---- */

/* Two characters for each 12 bits: half the steps of one for each 6. */
/* clang-format off */
#define ROW(c) \
    c "A" c "B" c "C" c "D" c "E" c "F" c "G" c "H" c "I" c "J" c "K" c "L" c "M" \
    c "N" c "O" c "P" c "Q" c "R" c "S" c "T" c "U" c "V" c "W" c "X" c "Y" c "Z" \
    c "a" c "b" c "c" c "d" c "e" c "f" c "g" c "h" c "i" c "j" c "k" c "l" c "m" \
    c "n" c "o" c "p" c "q" c "r" c "s" c "t" c "u" c "v" c "w" c "x" c "y" c "z" \
    c "0" c "1" c "2" c "3" c "4" c "5" c "6" c "7" c "8" c "9" c "-" c "_"
static const char pairs[] =
    ROW("A") ROW("B") ROW("C") ROW("D") ROW("E") ROW("F") ROW("G") ROW("H")
    ROW("I") ROW("J") ROW("K") ROW("L") ROW("M") ROW("N") ROW("O") ROW("P")
    ROW("Q") ROW("R") ROW("S") ROW("T") ROW("U") ROW("V") ROW("W") ROW("X")
    ROW("Y") ROW("Z") ROW("a") ROW("b") ROW("c") ROW("d") ROW("e") ROW("f")
    ROW("g") ROW("h") ROW("i") ROW("j") ROW("k") ROW("l") ROW("m") ROW("n")
    ROW("o") ROW("p") ROW("q") ROW("r") ROW("s") ROW("t") ROW("u") ROW("v")
    ROW("w") ROW("x") ROW("y") ROW("z") ROW("0") ROW("1") ROW("2") ROW("3")
    ROW("4") ROW("5") ROW("6") ROW("7") ROW("8") ROW("9") ROW("-") ROW("_");
#undef ROW
/* clang-format on */
G_STATIC_ASSERT(sizeof pairs == 2 * 4096 + 1);

static inline void
put_pair(char *out, guint64 bits)
{
    memcpy(out, pairs + 2 * (bits & 4095), 2);
}

/* libsodium's takes many times as long: it hides what it encodes from whoever can measure
 * caches, and a token goes out to be read. */
static gsize
encode(char *text, const guint8 *bytes, gsize n)
{
    char *out = text;
    for (; n >= sizeof(guint64); n -= 6, bytes += 6, out += 8) {
        guint64 bits;
        memcpy(&bits, bytes, sizeof bits);
        bits = GUINT64_FROM_BE(bits);
        put_pair(out, bits >> 52);
        put_pair(out + 2, bits >> 40);
        put_pair(out + 4, bits >> 28);
        put_pair(out + 6, bits >> 16);
    }
    for (; n >= 3; n -= 3, bytes += 3, out += 4) {
        guint bits = (guint) bytes[0] << 16 | (guint) bytes[1] << 8 | bytes[2];
        put_pair(out, bits >> 12);
        put_pair(out + 2, bits);
    }
    if (n) {
        guint bits = (guint) bytes[0] << 16 | (n == 2 ? (guint) bytes[1] << 8 : 0);
        put_pair(out, bits >> 12);
        /* Its second character is where the end goes. */
        if (n == 2)
            put_pair(out + 2, bits);
        out += n + 1;
    }
    *out = '\0';
    return (gsize) (out - text);
}

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

/* ---- sealing ---- */

/* The version and key id are hashed, too, so that no nonce serves two texts. */
static void
encrypt(const MrgTokenKeys *keys, guint8 *sealed, const guint8 *plain, gsize n)
{
    guint8 text[2 + COPY_BYTES + MRG_TARGET_MAX];
    guint8 hash[crypto_generichash_BYTES];
    memcpy(text, sealed, 2);
    memcpy(text + 2, plain, n);
    crypto_generichash(hash, sizeof hash, text, n + 2, keys->nonce, sizeof keys->nonce);
    memcpy(sealed + 2, hash, NONCE_BYTES);
    crypto_stream_chacha20_ietf_xor(sealed + HEAD_BYTES, plain, n, hash, keys->seal);
}

/* Of version, key id, nonce and what is encrypted. */
static void
make_digest(const MrgTokenKeys *keys, const guint8 *sealed, gsize n,
            guint8 digest[DIGEST_BYTES])
{
    crypto_shorthash_siphashx24(digest, sealed, n, keys->digest);
}

static void
make_tag(const MrgTokenKeys *keys, const guint8 digest[DIGEST_BYTES],
         const guint8 use[USE_BYTES], guint8 tag[TAG_BYTES])
{
    guint8 text[DIGEST_BYTES + USE_BYTES];
    memcpy(text, digest, DIGEST_BYTES);
    memcpy(text + DIGEST_BYTES, use, USE_BYTES);
    crypto_shorthash_siphashx24(tag, text, sizeof text, keys->tag);
}

/* Use and tag, which go behind what the digest is of. */
static void
finish(const MrgTokenKeys *keys, const guint8 digest[DIGEST_BYTES], MrgTokenPurpose purpose,
       guint16 link, guint8 *end)
{
    end[0] = (guint8) purpose;
    end[1] = (guint8) (link >> 8);
    end[2] = (guint8) link;
    make_tag(keys, digest, end, end + USE_BYTES);
}

void
mrg_sealer_init(MrgSealer *sealer, const MrgKeyring *keyring, const MrgToken *copy)
{
    guint8 key_id = mrg_keyring_sealing_id(keyring);
    *sealer = (MrgSealer){.keys = mrg_keyring_token_keys(keyring, key_id)};
    g_assert(sealer->keys);
    sealer->sealed[0] = VERSION_PLAIN;
    sealer->sealed[1] = key_id;
    write_copy(sealer->plain, copy);
    encrypt(sealer->keys, sealer->sealed, sealer->plain, COPY_BYTES);
    make_digest(sealer->keys, sealer->sealed, sizeof sealer->sealed, sealer->digest);
    encode(sealer->text, sealer->sealed, SHARED_BYTES);
}

void
mrg_sealer_seal(const MrgSealer *sealer, MrgTokenPurpose purpose, guint16 link,
                char text[MRG_TOKEN_LENGTH + 1])
{
    guint8 rest[SEALED_BYTES - SHARED_BYTES];
    rest[0] = sealer->sealed[SHARED_BYTES];
    finish(sealer->keys, sealer->digest, purpose, link, rest + 1);
    memcpy(text, sealer->text, SHARED_LENGTH);
    encode(text + SHARED_LENGTH, rest, sizeof rest);
}

gsize
mrg_sealer_seal_target(const MrgSealer *sealer, MrgTokenPurpose purpose, const char *target,
                       gsize length, char text[MRG_TOKEN_LENGTH_MAX + 1])
{
    guint8 plain[COPY_BYTES + MRG_TARGET_MAX];
    guint8 sealed[SEALED_BYTES_MAX], digest[DIGEST_BYTES];
    g_assert(length > 0 && length <= MRG_TARGET_MAX);
    sealed[0] = VERSION_TARGET;
    sealed[1] = sealer->sealed[1];
    memcpy(plain, sealer->plain, COPY_BYTES);
    memcpy(plain + COPY_BYTES, target, length);
    encrypt(sealer->keys, sealed, plain, COPY_BYTES + length);
    gsize n = HEAD_BYTES + COPY_BYTES + length;
    make_digest(sealer->keys, sealed, n, digest);
    finish(sealer->keys, digest, purpose, 0, sealed + n);
    return encode(text, sealed, n + USE_BYTES + TAG_BYTES);
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

/* Whether a text of that length can be a token at all. */
static gboolean
is_possible(gsize length)
{
    return length == MRG_TOKEN_LENGTH ||
           (length > MRG_TOKEN_LENGTH && length <= MRG_TOKEN_LENGTH_MAX && length % 4 != 1);
}

static gboolean
is_right_version(const guint8 *sealed, gsize n)
{
    return sealed[0] == (n == SEALED_BYTES ? VERSION_PLAIN : VERSION_TARGET);
}

/* What is no token is worked on all the same, with the key at hand: the answer is no in any
 * case, and comes no sooner.  n bytes of sealed, the tag not counted. */
static gboolean
open_sealed(const MrgKeyring *keyring, const char *text, gsize length, guint8 *sealed,
            guint8 *plain, gsize *n)
{
    static const char decoy[MRG_TOKEN_LENGTH + 1] =
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    guint8 digest[DIGEST_BYTES], tag[TAG_BYTES];
    gboolean is_good = is_possible(length);
    if (!is_good) {
        text = decoy;
        length = MRG_TOKEN_LENGTH;
    }
    is_good &= decode(sealed, text, length);
    gsize n_sealed = length * 3 / 4;
    is_good &= is_right_version(sealed, n_sealed);
    const MrgTokenKeys *keys = mrg_keyring_token_keys(keyring, sealed[1]);
    is_good &= keys != NULL;
    if (!keys)
        keys = mrg_keyring_token_keys(keyring, mrg_keyring_sealing_id(keyring));
    *n = n_sealed - TAG_BYTES;
    make_digest(keys, sealed, *n - USE_BYTES, digest);
    make_tag(keys, digest, sealed + *n - USE_BYTES, tag);
    is_good &= sodium_memcmp(tag, sealed + *n, sizeof tag) == 0;
    crypto_stream_chacha20_ietf_xor(plain, sealed + HEAD_BYTES, *n - HEAD_BYTES - USE_BYTES,
                                    sealed + 2, keys->seal);
    return is_good;
}

gboolean
mrg_token_read(const MrgKeyring *keyring, const char *text, gsize length, MrgToken *token,
               char target[MRG_TARGET_MAX + 1])
{
    guint8 sealed[SEALED_BYTES_MAX];
    guint8 plain[COPY_BYTES + MRG_TARGET_MAX];
    gsize n;
    if (!open_sealed(keyring, text, length, sealed, plain, &n))
        return FALSE;
    const guint8 *use = sealed + n - USE_BYTES;
    gsize n_target = n - HEAD_BYTES - COPY_BYTES - USE_BYTES;
    *token = (MrgToken){.key_id = sealed[1], .purpose = (MrgTokenPurpose) *use++};
    token->link = (guint16) take_number(&use, 2);
    read_copy(token, plain);
    if (!n_target)
        return TRUE;
    memcpy(target, plain + COPY_BYTES, n_target);
    target[n_target] = '\0';
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
