/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "milter/stamp/token.h"

static const MrgToken sample = {
    .purpose = MRG_TOKEN_CLICK,
    .person = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255}},
    .campaign = 0xfedcba98,
    .message = G_GUINT64_CONSTANT(0x8123456789abcdef),
    .link = 0xbeef,
    .at_s = 0xf0e1d2c3,
};

static MrgKeyring *
new_ring(void)
{
    GError *error = NULL;
    MrgKeyring *ring = mrg_keyring_new_ephemeral(&error);
    g_assert_no_error(error);
    return ring;
}

static void
a_token_opens_to_what_was_sealed(void)
{
    g_autoptr(MrgKeyring) ring = new_ring();
    char text[MRG_TOKEN_LENGTH + 1];
    char target[MRG_TARGET_MAX + 1];
    MrgToken token;
    mrg_token_seal(ring, &sample, text);
    g_assert_cmpuint(strlen(text), ==, MRG_TOKEN_LENGTH);
    g_assert_cmpuint(strspn(text, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-_"), ==,
                     MRG_TOKEN_LENGTH);
    g_assert_true(
        mrg_token_open(ring, text, MRG_TOKEN_LENGTH, MRG_TOKEN_CLICK, &token, target));
    g_assert_cmpint(token.purpose, ==, sample.purpose);
    g_assert_cmpmem(&token.person, sizeof token.person, &sample.person,
                    sizeof sample.person);
    g_assert_cmpuint(token.campaign, ==, sample.campaign);
    g_assert_cmpuint(token.message, ==, sample.message);
    g_assert_cmpuint(token.link, ==, sample.link);
    g_assert_cmpuint(token.at_s, ==, sample.at_s);
    g_assert_cmpuint(token.key_id, ==, 1);
    g_assert_null(token.target);
}

static void
a_target_comes_out_as_it_went_in(void)
{
    static const gsize lengths[] = {1, 2, 3, 100, MRG_TARGET_MAX - 1, MRG_TARGET_MAX};
    g_autoptr(MrgKeyring) ring = new_ring();
    char text[MRG_TOKEN_LENGTH_MAX + 1], again[MRG_TOKEN_LENGTH_MAX + 1];
    char in[MRG_TARGET_MAX + 1], out[MRG_TARGET_MAX + 1];
    MrgSealer sealer;
    MrgToken token;
    mrg_sealer_init(&sealer, ring, &sample);
    for (gsize i = 0; i < G_N_ELEMENTS(lengths); i++) {
        memset(in, '?', lengths[i]);
        in[lengths[i]] = '\0';
        memset(text, '~', sizeof text);
        gsize n = mrg_sealer_seal_target(&sealer, MRG_TOKEN_CLICK, in, lengths[i], text);
        g_assert_cmpuint(strlen(text), ==, n);
        for (gsize behind = n + 1; behind < sizeof text; behind++)
            g_assert_cmpint(text[behind], ==, '~');
        g_assert_true(mrg_token_open(ring, text, n, MRG_TOKEN_CLICK, &token, out));
        g_assert_true(token.target == out);
        g_assert_cmpstr(out, ==, in);
        g_assert_cmpuint(token.message, ==, sample.message);
        g_assert_cmpuint(token.link, ==, 0);
        g_assert_false(mrg_token_open(ring, text, n - 1, MRG_TOKEN_CLICK, &token, out));
        g_assert_false(mrg_token_open(ring, text, n, MRG_TOKEN_OPEN, &token, out));
        in[0] = '!';
        mrg_sealer_seal_target(&sealer, MRG_TOKEN_CLICK, in, lengths[i], again);
        g_assert_cmpint(memcmp(text + 4, again + 4, 12), !=, 0);
    }
}

/* ---- what a token is made of ---- */

#define NONCE_AT 2
#define COPY_AT 14
#define COPY_BYTES 32
#define TAG_BYTES 16

static guint8 *
bytes_of(const char *text, gsize *n)
{
    g_autofree char *base64 = g_strconcat(text, "==", NULL);
    base64[(strlen(text) + 3) / 4 * 4] = '\0';
    g_strdelimit(base64, "-", '+');
    g_strdelimit(base64, "_", '/');
    return g_base64_decode(base64, n);
}

static char *
text_of(const guint8 *bytes, gsize n)
{
    char *text = g_base64_encode(bytes, n);
    g_strdelimit(text, "+", '-');
    g_strdelimit(text, "/", '_');
    text[strcspn(text, "=")] = '\0';
    return text;
}

static char *
nonce_of(const char *text)
{
    gsize n;
    g_autofree guint8 *bytes = bytes_of(text, &n);
    return text_of(bytes + NONCE_AT, COPY_AT - NONCE_AT);
}

static gboolean
is_read(const MrgKeyring *ring, const guint8 *bytes, gsize n)
{
    MrgToken token;
    char target[MRG_TARGET_MAX + 1];
    g_autofree char *text = text_of(bytes, n);
    return mrg_token_read(ring, text, strlen(text), &token, target);
}

/* Of the sample's copy; NULL for no target. */
static char *
seal_use(const MrgKeyring *ring, MrgTokenPurpose purpose, guint16 link, const char *target)
{
    MrgSealer sealer;
    char text[MRG_TOKEN_LENGTH_MAX + 1];
    mrg_sealer_init(&sealer, ring, &sample);
    if (target)
        mrg_sealer_seal_target(&sealer, purpose, target, strlen(target), text);
    else
        mrg_sealer_seal(&sealer, purpose, link, text);
    return g_strdup(text);
}

static MrgKeyring *
load_ring(const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_build_filename(g_get_tmp_dir(), "mrg-ring-XXXXXX", NULL);
    close(g_mkstemp_full(path, O_RDWR | O_CLOEXEC, 0600));
    g_assert_true(g_file_set_contents_full(path, text, -1, 0, 0600, NULL));
    MrgKeyring *ring = mrg_keyring_load(path, &error);
    g_assert_no_error(error);
    g_unlink(path);
    return ring;
}

/* A nonce that came twice would give away what it encrypted. */
static void
no_two_texts_have_one_nonce(void)
{
    g_autoptr(MrgKeyring) ring = new_ring();
    g_autoptr(GHashTable) seen =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    char text[MRG_TOKEN_LENGTH_MAX + 1];
    for (guint i = 0; i < 200; i++) {
        MrgSealer sealer;
        MrgToken copy = sample;
        copy.message ^= i & 7;
        copy.at_s ^= i >> 3;
        mrg_sealer_init(&sealer, ring, &copy);
        mrg_sealer_seal(&sealer, MRG_TOKEN_OPEN, 0, text);
        g_assert_true(g_hash_table_add(seen, nonce_of(text)));
        /* A target of the very bytes that stand elsewhere in a token without one. */
        const char *targets[] = {"a", "aa", "b", "\x02\xbe\xef"};
        for (gsize t = 0; t < G_N_ELEMENTS(targets); t++) {
            mrg_sealer_seal_target(&sealer, MRG_TOKEN_CLICK, targets[t], strlen(targets[t]),
                                   text);
            g_assert_true(g_hash_table_add(seen, nonce_of(text)));
        }
    }
}

/* Key 2 retires, which leaves key 1 to seal. */
static void
a_retired_key_still_opens(void)
{
    static const char with_one[] = "person 1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
                                   "token 1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
    static const char two[] = " 2 BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA=\n";
    char text[MRG_TOKEN_LENGTH + 1], target[MRG_TARGET_MAX + 1];
    MrgToken token;
    const struct {
        const char *word;
        guint8 seals;
    } rings[] = {{"token", 2}, {"retired", 1}};
    for (gsize i = 0; i < G_N_ELEMENTS(rings); i++) {
        g_autofree char *ring_text = g_strconcat(with_one, rings[i].word, two, NULL);
        g_autoptr(MrgKeyring) ring = load_ring(ring_text);
        if (i == 0)
            mrg_token_seal(ring, &sample, text);
        g_assert_true(
            mrg_token_open(ring, text, MRG_TOKEN_LENGTH, MRG_TOKEN_CLICK, &token, target));
        g_assert_cmpuint(token.key_id, ==, 2);
        char new_text[MRG_TOKEN_LENGTH + 1];
        mrg_token_seal(ring, &sample, new_text);
        g_assert_true(mrg_token_open(ring, new_text, MRG_TOKEN_LENGTH, MRG_TOKEN_CLICK,
                                     &token, target));
        g_assert_cmpuint(token.key_id, ==, rings[i].seals);
    }
}

static void
sealing_is_deterministic_and_distinct(void)
{
    g_autoptr(MrgKeyring) ring = new_ring();
    char one[MRG_TOKEN_LENGTH + 1], again[MRG_TOKEN_LENGTH + 1],
        other[MRG_TOKEN_LENGTH + 1];
    MrgToken token = sample;
    token.message++;
    mrg_token_seal(ring, &sample, one);
    mrg_token_seal(ring, &sample, again);
    mrg_token_seal(ring, &token, other);
    g_assert_cmpstr(one, ==, again);
    /* Behind version and key id nothing may be alike: another nonce, another text. */
    g_assert_cmpint(memcmp(one + 4, other + 4, 8), !=, 0);
    g_assert_cmpint(memcmp(one + 20, other + 20, 8), !=, 0);
}

static void
every_changed_character_is_refused(void)
{
    g_autoptr(MrgKeyring) ring = new_ring();
    char text[MRG_TOKEN_LENGTH + 1];
    mrg_token_seal(ring, &sample, text);
    static const char alphabet[] = G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-_+/=. ";
    for (gsize i = 0; i < MRG_TOKEN_LENGTH; i++)
        for (const char *c = alphabet; *c; c++) {
            char target[MRG_TARGET_MAX + 1];
            MrgToken token;
            char before = text[i];
            text[i] = *c;
            g_assert_cmpint(*c == before, ==,
                            mrg_token_open(ring, text, MRG_TOKEN_LENGTH, MRG_TOKEN_CLICK,
                                           &token, target));
            text[i] = before;
        }
}

/* Copies differ in front, the tokens of one copy behind. */
static void
no_half_of_a_token_fits_another(void)
{
    g_autoptr(MrgKeyring) ring = new_ring();
    char one[MRG_TOKEN_LENGTH + 1], other[MRG_TOKEN_LENGTH + 1];
    char target[MRG_TARGET_MAX + 1];
    MrgToken token = sample;
    MrgToken opened;
    token.message++;
    mrg_token_seal(ring, &sample, one);
    mrg_token_seal(ring, &token, other);
    memcpy(one + 62, other + 62, MRG_TOKEN_LENGTH - 62);
    g_assert_false(mrg_token_read(ring, one, MRG_TOKEN_LENGTH, &opened, target));
    mrg_token_seal(ring, &sample, one);
    token = sample;
    token.link++;
    mrg_token_seal(ring, &token, other);
    g_assert_cmpint(memcmp(one, other, 61), ==, 0);
    memcpy(one + 66, other + 66, MRG_TOKEN_LENGTH - 66);
    g_assert_false(mrg_token_read(ring, one, MRG_TOKEN_LENGTH, &opened, target));
    g_assert_true(mrg_token_read(ring, other, MRG_TOKEN_LENGTH, &opened, target));
}

static void
length_purpose_and_ring_must_fit(void)
{
    g_autoptr(MrgKeyring) ring = new_ring();
    g_autoptr(MrgKeyring) foreign = new_ring();
    char text[MRG_TOKEN_LENGTH + 2];
    char target[MRG_TARGET_MAX + 1];
    MrgToken token = {.link = 7};
    mrg_token_seal(ring, &sample, text);
    text[MRG_TOKEN_LENGTH] = 'A';
    for (gsize length = 0; length < sizeof text; length++)
        g_assert_cmpint(
            length == MRG_TOKEN_LENGTH, ==,
            mrg_token_open(ring, text, length, MRG_TOKEN_CLICK, &token, target));
    for (int purpose = MRG_TOKEN_INERT; purpose < MRG_TOKEN_PURPOSES; purpose++)
        g_assert_cmpint(purpose == MRG_TOKEN_CLICK, ==,
                        mrg_token_open(ring, text, MRG_TOKEN_LENGTH,
                                       (MrgTokenPurpose) purpose, &token, target));
    token.link = 7;
    g_assert_false(
        mrg_token_open(foreign, text, MRG_TOKEN_LENGTH, MRG_TOKEN_CLICK, &token, target));
    g_assert_cmpuint(token.link, ==, 7);
}

/* They are from another implementation, by token.h: BLAKE2b of Python's hashlib, and
 * ChaCha20 written out after RFC 8439. */
static void
a_fixed_key_seals_to_known_tokens(void)
{
    static const struct {
        MrgTokenPurpose purpose;
        guint16 link;
        const char *target, *text;
    } cases[] = {
        {MRG_TOKEN_OPEN, 0, NULL,
         "AQnSEq9blexX7uYS63eIua0BUIRNLPHHcRUvr4S2gISZhhwFGI9sPLhRdMdQ"
         "XAEAAJMjtYuYtWdsgx81T6HAY5Q"},
        {MRG_TOKEN_IDENTITY, 0, NULL,
         "AQnSEq9blexX7uYS63eIua0BUIRNLPHHcRUvr4S2gISZhhwFGI9sPLhRdMdQ"
         "XAcAAE9ry4TEFxKtzglB8nFG2wg"},
        {MRG_TOKEN_CLICK, 1, NULL,
         "AQnSEq9blexX7uYS63eIua0BUIRNLPHHcRUvr4S2gISZhhwFGI9sPLhRdMdQ"
         "XAIAAVeWFUWmWX7f9m2K6U7TfRU"},
        {MRG_TOKEN_CLICK, 25, NULL,
         "AQnSEq9blexX7uYS63eIua0BUIRNLPHHcRUvr4S2gISZhhwFGI9sPLhRdMdQ"
         "XAIAGcX_9qoRcDfoHbReo4sUmxs"},
        {MRG_TOKEN_CLICK, 65535, NULL,
         "AQnSEq9blexX7uYS63eIua0BUIRNLPHHcRUvr4S2gISZhhwFGI9sPLhRdMdQ"
         "XAL__4BK7w7OaVu51Vm2edXf7fc"},
        {MRG_TOKEN_INERT, 7, NULL,
         "AQnSEq9blexX7uYS63eIua0BUIRNLPHHcRUvr4S2gISZhhwFGI9sPLhRdMdQ"
         "XAAAByysSYrDTXU1xwcLq5CF53M"},
        {MRG_TOKEN_CLICK, 0, "https://example.com/",
         "AgmnSfwuHRus6OYBZeCh9lGVRL18ID871Is-iro_4-QqKz4NcxdXaJxlMyKz"
         "pvbK-1kCkufolDxpWn4xg4nf7W4YAgAATqPAvT8x3q5VjWNBlLXcZA"},
    };
    g_autoptr(MrgKeyring) ring =
        load_ring("person 1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
                  "token 9 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n");
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text =
            seal_use(ring, cases[i].purpose, cases[i].link, cases[i].target);
        g_assert_cmpstr(text, ==, cases[i].text);
    }
}

static void
every_flipped_bit_is_refused(void)
{
    g_autoptr(MrgKeyring) ring = new_ring();
    const char *const targets[] = {NULL, "https://example.com/"};
    for (gsize i = 0; i < G_N_ELEMENTS(targets); i++) {
        gsize n;
        g_autofree char *text = seal_use(ring, MRG_TOKEN_CLICK, 25, targets[i]);
        g_autofree guint8 *bytes = bytes_of(text, &n);
        g_assert_true(is_read(ring, bytes, n));
        for (gsize bit = 0; bit < 8 * n; bit++) {
            bytes[bit / 8] ^= (guint8) (1 << bit % 8);
            g_assert_false(is_read(ring, bytes, n));
            bytes[bit / 8] ^= (guint8) (1 << bit % 8);
        }
    }
}

/* Whoever knows what two copies say can encrypt the one under the other's nonce, and its
 * tag is right. */
static void
no_copy_goes_under_the_nonce_of_another(void)
{
    g_autoptr(MrgKeyring) ring = new_ring();
    char text[MRG_TOKEN_LENGTH + 1];
    gsize n;
    MrgToken token = sample;
    mrg_token_seal(ring, &sample, text);
    g_autofree guint8 *one = bytes_of(text, &n);
    g_autofree guint8 *forged = bytes_of(text, &n);
    token.at_s ^= 1;
    mrg_token_seal(ring, &token, text);
    g_autofree guint8 *other = bytes_of(text, &n);
    memcpy(forged + NONCE_AT, other + NONCE_AT, COPY_AT + COPY_BYTES - NONCE_AT);
    g_assert_true(is_read(ring, one, n) && is_read(ring, other, n));
    forged[COPY_AT + COPY_BYTES - 1] ^= 1;
    g_assert_false(is_read(ring, forged, n));
}

/* The tag of one use with another use in front of it. */
static void
no_two_uses_have_one_tag(void)
{
    static const guint16 links[] = {0, 1, 2, 8, 24, 25, 256, 32768, 65534, 65535};
    g_autoptr(MrgKeyring) ring = new_ring();
    g_autoptr(GHashTable) seen =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (int purpose = 0; purpose < MRG_TOKEN_PURPOSES; purpose++)
        for (gsize i = 0; i < G_N_ELEMENTS(links); i++) {
            gsize n;
            g_autofree char *text =
                seal_use(ring, (MrgTokenPurpose) purpose, links[i], NULL);
            g_autofree guint8 *bytes = bytes_of(text, &n);
            g_assert_true(is_read(ring, bytes, n));
            g_assert_true(
                g_hash_table_add(seen, text_of(bytes + n - TAG_BYTES, TAG_BYTES)));
        }
}

/* Purpose 8 would have the tag of a click on link 1. */
static void
a_purpose_that_is_none_is_refused(void)
{
    g_autoptr(MrgKeyring) ring = new_ring();
    gsize n;
    for (guint link = 1; link < 256; link++) {
        g_autofree char *text = seal_use(ring, MRG_TOKEN_CLICK, (guint16) link, NULL);
        g_autofree guint8 *bytes = bytes_of(text, &n);
        guint8 *use = bytes + COPY_AT + COPY_BYTES;
        use[0] = (guint8) (link + MRG_TOKEN_PURPOSES - 1);
        use[1] = use[2] = 0;
        g_assert_false(is_read(ring, bytes, n));
    }
}

/* Whatever was asked of the sealer before. */
static void
the_order_of_sealing_changes_nothing(void)
{
    static const struct {
        MrgTokenPurpose purpose;
        guint16 link;
    } uses[] = {
        {MRG_TOKEN_CLICK, 24},      {MRG_TOKEN_CLICK, 25},  {MRG_TOKEN_CLICK, 24},
        {MRG_TOKEN_REPORT, 0},      {MRG_TOKEN_INERT, 300}, {MRG_TOKEN_OPEN, 0},
        {MRG_TOKEN_CLICK, 65535},   {MRG_TOKEN_CLICK, 1},   {MRG_TOKEN_CLICK, 57},
        {MRG_TOKEN_UNSUBSCRIBE, 0}, {MRG_TOKEN_CLICK, 56},  {MRG_TOKEN_IDENTITY, 8}};
    g_autoptr(MrgKeyring) ring = new_ring();
    MrgSealer sealer;
    mrg_sealer_init(&sealer, ring, &sample);
    for (gsize i = 0; i < G_N_ELEMENTS(uses); i++) {
        char text[MRG_TOKEN_LENGTH + 1];
        g_autofree char *alone = seal_use(ring, uses[i].purpose, uses[i].link, NULL);
        mrg_sealer_seal(&sealer, uses[i].purpose, uses[i].link, text);
        g_assert_cmpstr(text, ==, alone);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/token/round-trip", a_token_opens_to_what_was_sealed);
    g_test_add_func("/token/deterministic", sealing_is_deterministic_and_distinct);
    g_test_add_func("/token/target", a_target_comes_out_as_it_went_in);
    g_test_add_func("/token/nonces", no_two_texts_have_one_nonce);
    g_test_add_func("/token/retired", a_retired_key_still_opens);
    g_test_add_func("/token/tampered", every_changed_character_is_refused);
    g_test_add_func("/token/halves", no_half_of_a_token_fits_another);
    g_test_add_func("/token/must-fit", length_purpose_and_ring_must_fit);
    g_test_add_func("/token/known", a_fixed_key_seals_to_known_tokens);
    g_test_add_func("/token/bits", every_flipped_bit_is_refused);
    g_test_add_func("/token/nonce-of-another", no_copy_goes_under_the_nonce_of_another);
    g_test_add_func("/token/uses", no_two_uses_have_one_tag);
    g_test_add_func("/token/no-purpose", a_purpose_that_is_none_is_refused);
    g_test_add_func("/token/order", the_order_of_sealing_changes_nothing);
    return g_test_run();
}
