/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <sodium.h>
#include <string.h>

#include "milter/stamp/token.h"

typedef enum { VERSION_PLAIN = 1, VERSION_TARGET = 2 } Version;

#define NONCE_BYTES crypto_stream_chacha20_ietf_NONCEBYTES
#define BLOCK_BYTES 64 /* of ChaCha20 (RFC 8439, 2.3) */
#define TAG_BYTES 16
#define WINDOW_TAGS (sizeof(((MrgSealer *) NULL)->tags) / TAG_BYTES)
#define ID_BYTES 2 /* version and key id */
#define HEAD_BYTES (ID_BYTES + NONCE_BYTES)
#define COPY_BYTES 32
#define USE_BYTES 3
#define PLAIN_BYTES_MAX (ID_BYTES + COPY_BYTES + MRG_TARGET_MAX)
#define SHARED_BYTES 45 /* of the copy's, in whole groups of base64 */
#define SHARED_LENGTH 60
#define SEALED_BYTES (HEAD_BYTES + COPY_BYTES + USE_BYTES + TAG_BYTES)
#define SEALED_BYTES_MAX (SEALED_BYTES + MRG_TARGET_MAX)
#define TEXT_LENGTH(bytes) (((bytes) *4 + 2) / 3)

/* All that is made of what a token says but for its purpose and link. */
typedef struct Hash {
    guint8 nonce[NONCE_BYTES];
    guint8 tag_key[crypto_stream_chacha20_ietf_KEYBYTES];
} Hash;

G_STATIC_ASSERT(TEXT_LENGTH(SEALED_BYTES) == MRG_TOKEN_LENGTH);
G_STATIC_ASSERT(TEXT_LENGTH(SEALED_BYTES_MAX) == MRG_TOKEN_LENGTH_MAX);
G_STATIC_ASSERT(HEAD_BYTES + COPY_BYTES == SHARED_BYTES + 1);
G_STATIC_ASSERT(sizeof(((MrgSealer *) NULL)->plain) == ID_BYTES + COPY_BYTES);
G_STATIC_ASSERT(sizeof(((MrgSealer *) NULL)->text) == SHARED_LENGTH);
G_STATIC_ASSERT(sizeof(((MrgSealer *) NULL)->tag_key) == sizeof(((Hash *) NULL)->tag_key));
G_STATIC_ASSERT(sizeof(((MrgSealer *) NULL)->tags) % BLOCK_BYTES == 0);
G_STATIC_ASSERT(sizeof(Hash) == NONCE_BYTES + crypto_stream_chacha20_ietf_KEYBYTES);
G_STATIC_ASSERT(sizeof(Hash) <= crypto_generichash_BYTES_MAX);
G_STATIC_ASSERT(MRG_SECRET_BYTES == crypto_stream_chacha20_ietf_KEYBYTES);
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

/* The lower 48 bits. */
static inline void
put_six(char *out, guint64 bits)
{
    put_pair(out, bits >> 36);
    put_pair(out + 2, bits >> 24);
    put_pair(out + 4, bits >> 12);
    put_pair(out + 6, bits);
}

static inline guint64
read_eight(const guint8 *bytes)
{
    guint64 bits;
    memcpy(&bits, bytes, sizeof bits);
    return GUINT64_FROM_BE(bits);
}

/* libsodium's takes many times as long: it hides what it encodes from whoever can measure
 * caches, and a token goes out to be read. */
static gsize
encode(char *text, const guint8 *bytes, gsize n)
{
    char *out = text;
    for (; n >= sizeof(guint64); n -= 6, bytes += 6, out += 8)
        put_six(out, read_eight(bytes) >> 16);
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

/* ---- hash and tags ---- */

/* plain: version, key id, and the n bytes that are encrypted. */
static void
make_hash(const MrgTokenKeys *keys, const guint8 *plain, gsize n, Hash *hash)
{
    crypto_generichash((guint8 *) hash, sizeof *hash, plain, ID_BYTES + n, keys->hash,
                       sizeof keys->hash);
}

/* No two uses have one tag.  The eight without a link come first, next the links of clicks,
 * which so share a window with them, then those of each other purpose: 65,535 numbers from
 * 8 on, 65,536 further for each.  Only of purposes that there are: see open_sealed(). */
static guint32
slot_of(guint8 purpose, guint16 link)
{
    guint32 lane = (guint32) purpose ^ MRG_TOKEN_CLICK;
    return link ? (lane << 16) + MRG_TOKEN_PURPOSES - 1 + link : purpose;
}

/* Those of whole blocks; slot is the first one's. */
static void
make_tags(const guint8 *key, guint32 slot, guint8 *tags, gsize n_bytes)
{
    static const guint8 nonce[NONCE_BYTES];
    memset(tags, 0, n_bytes);
    crypto_stream_chacha20_ietf_xor_ic(tags, tags, n_bytes, nonce,
                                       slot / (BLOCK_BYTES / TAG_BYTES), key);
}

static void
make_tag(const guint8 *key, const guint8 use[USE_BYTES], guint8 tag[TAG_BYTES])
{
    guint8 block[BLOCK_BYTES];
    guint32 slot = slot_of(use[0], (guint16) (use[1] << 8 | use[2]));
    make_tags(key, slot, block, sizeof block);
    memcpy(tag, block + slot % (BLOCK_BYTES / TAG_BYTES) * TAG_BYTES, TAG_BYTES);
}

/* ---- sealing ---- */

/* All in front of the use; plain as for make_hash(). */
static void
seal(const MrgTokenKeys *keys, const guint8 *plain, gsize n, guint8 *sealed, Hash *hash)
{
    make_hash(keys, plain, n, hash);
    memcpy(sealed, plain, ID_BYTES);
    memcpy(sealed + ID_BYTES, hash->nonce, NONCE_BYTES);
    crypto_stream_chacha20_ietf_xor(sealed + HEAD_BYTES, plain + ID_BYTES, n, hash->nonce,
                                    keys->seal);
}

void
mrg_sealer_init(MrgSealer *sealer, const MrgKeyring *keyring, const MrgToken *copy)
{
    guint8 sealed[HEAD_BYTES + COPY_BYTES];
    guint8 key_id = mrg_keyring_sealing_id(keyring);
    Hash hash;
    sealer->keys = mrg_keyring_token_keys(keyring, key_id);
    g_assert(sealer->keys);
    sealer->plain[0] = VERSION_PLAIN;
    sealer->plain[1] = key_id;
    write_copy(sealer->plain + ID_BYTES, copy);
    seal(sealer->keys, sealer->plain, COPY_BYTES, sealed, &hash);
    encode(sealer->text, sealed, SHARED_BYTES);
    sealer->last = sealed[SHARED_BYTES];
    memcpy(sealer->tag_key, hash.tag_key, sizeof hash.tag_key);
    sealer->window = G_MAXUINT32;
}

static const guint8 *
tag_of(MrgSealer *sealer, guint8 purpose, guint16 link)
{
    guint32 slot = slot_of(purpose, link);
    if (slot / WINDOW_TAGS != sealer->window) {
        sealer->window = slot / WINDOW_TAGS;
        make_tags(sealer->tag_key, slot - slot % WINDOW_TAGS, sealer->tags,
                  sizeof sealer->tags);
    }
    return sealer->tags + slot % WINDOW_TAGS * TAG_BYTES;
}

/* Of the end, 20 bytes: the last one of the copy's, the use, and the tag. */
void
mrg_sealer_seal(MrgSealer *sealer, MrgTokenPurpose purpose, guint16 link,
                char text[MRG_TOKEN_LENGTH + 1])
{
    g_assert((guint) purpose < MRG_TOKEN_PURPOSES);
    const guint8 *tag = tag_of(sealer, (guint8) purpose, link);
    guint64 use = (guint64) purpose << 16 | link;
    guint64 front = read_eight(tag), back = read_eight(tag + 8);
    char *end = text + SHARED_LENGTH;
    memcpy(text, sealer->text, SHARED_LENGTH);
    put_six(end, (guint64) sealer->last << 40 | use << 16 | front >> 48);
    put_six(end + 8, front);
    put_six(end + 16, back >> 16);
    put_pair(end + 24, back >> 4);
    put_pair(end + 26, back << 8);
    text[MRG_TOKEN_LENGTH] = '\0';
}

gsize
mrg_sealer_seal_target(const MrgSealer *sealer, MrgTokenPurpose purpose, const char *target,
                       gsize length, char text[MRG_TOKEN_LENGTH_MAX + 1])
{
    guint8 plain[PLAIN_BYTES_MAX], sealed[SEALED_BYTES_MAX];
    Hash hash;
    g_assert((guint) purpose < MRG_TOKEN_PURPOSES);
    g_assert(length > 0 && length <= MRG_TARGET_MAX);
    memcpy(plain, sealer->plain, sizeof sealer->plain);
    plain[0] = VERSION_TARGET;
    memcpy(plain + sizeof sealer->plain, target, length);
    seal(sealer->keys, plain, COPY_BYTES + length, sealed, &hash);
    guint8 *use = sealed + HEAD_BYTES + COPY_BYTES + length;
    put_number(use, (guint64) purpose << 16, USE_BYTES);
    make_tag(hash.tag_key, use, use + USE_BYTES);
    return encode(text, sealed, (gsize) (use - sealed) + USE_BYTES + TAG_BYTES);
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
 * case, and comes no sooner.  Gives how many bytes were encrypted, 0 for no token; they are
 * in plain, behind version and key id, and their use is in sealed. */
static gsize
open_sealed(const MrgKeyring *keyring, const char *text, gsize length, guint8 *sealed,
            guint8 *plain)
{
    static const char decoy[MRG_TOKEN_LENGTH + 1] =
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    guint8 tag[TAG_BYTES];
    Hash hash;
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
    gsize n = n_sealed - HEAD_BYTES - USE_BYTES - TAG_BYTES;
    const guint8 *use = sealed + HEAD_BYTES + n;
    memcpy(plain, sealed, ID_BYTES);
    crypto_stream_chacha20_ietf_xor(plain + ID_BYTES, sealed + HEAD_BYTES, n,
                                    sealed + ID_BYTES, keys->seal);
    make_hash(keys, plain, n, &hash);
    make_tag(hash.tag_key, use, tag);
    is_good &= use[0] < MRG_TOKEN_PURPOSES;
    is_good &= sodium_memcmp(hash.nonce, sealed + ID_BYTES, sizeof hash.nonce) == 0;
    is_good &= sodium_memcmp(tag, use + USE_BYTES, sizeof tag) == 0;
    return is_good ? n : 0;
}

gboolean
mrg_token_read(const MrgKeyring *keyring, const char *text, gsize length, MrgToken *token,
               char target[MRG_TARGET_MAX + 1])
{
    guint8 sealed[SEALED_BYTES_MAX];
    guint8 plain[PLAIN_BYTES_MAX];
    gsize n = open_sealed(keyring, text, length, sealed, plain);
    if (!n)
        return FALSE;
    const guint8 *use = sealed + HEAD_BYTES + n;
    gsize n_target = n - COPY_BYTES;
    *token = (MrgToken){.key_id = sealed[1], .purpose = (MrgTokenPurpose) *use++};
    token->link = (guint16) take_number(&use, 2);
    read_copy(token, plain + ID_BYTES);
    if (!n_target)
        return TRUE;
    memcpy(target, plain + ID_BYTES + COPY_BYTES, n_target);
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
