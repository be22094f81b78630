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

/* In base64. */
static char *
nonce_of(const char *text)
{
    gsize n;
    g_autofree char *start = g_strndup(text, 20);
    g_strdelimit(start, "-", '+');
    g_strdelimit(start, "_", '/');
    g_autofree guchar *bytes = g_base64_decode(start, &n);
    g_assert_cmpuint(n, ==, 15);
    return g_base64_encode(bytes + 2, 12);
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
    g_autofree char *path = g_build_filename(g_get_tmp_dir(), "mrg-ring-XXXXXX", NULL);
    close(g_mkstemp_full(path, O_RDWR | O_CLOEXEC, 0600));
    char text[MRG_TOKEN_LENGTH + 1], target[MRG_TARGET_MAX + 1];
    MrgToken token;
    const struct {
        const char *word;
        guint8 seals;
    } rings[] = {{"token", 2}, {"retired", 1}};
    for (gsize i = 0; i < G_N_ELEMENTS(rings); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *ring_text = g_strconcat(with_one, rings[i].word, two, NULL);
        g_assert_true(g_file_set_contents_full(path, ring_text, -1, 0, 0600, NULL));
        g_autoptr(MrgKeyring) ring = mrg_keyring_load(path, &error);
        g_assert_no_error(error);
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
    g_unlink(path);
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
    return g_test_run();
}
