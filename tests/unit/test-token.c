/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

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
    MrgToken token;
    mrg_token_seal(ring, &sample, text);
    g_assert_cmpuint(strlen(text), ==, MRG_TOKEN_LENGTH);
    g_assert_cmpuint(strspn(text, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-_"), ==,
                     MRG_TOKEN_LENGTH);
    g_assert_true(mrg_token_open(ring, text, MRG_TOKEN_LENGTH, MRG_TOKEN_CLICK, &token));
    g_assert_cmpint(token.purpose, ==, sample.purpose);
    g_assert_cmpmem(&token.person, sizeof token.person, &sample.person,
                    sizeof sample.person);
    g_assert_cmpuint(token.campaign, ==, sample.campaign);
    g_assert_cmpuint(token.message, ==, sample.message);
    g_assert_cmpuint(token.link, ==, sample.link);
    g_assert_cmpuint(token.at_s, ==, sample.at_s);
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
            MrgToken token;
            char before = text[i];
            text[i] = *c;
            g_assert_cmpint(
                *c == before, ==,
                mrg_token_open(ring, text, MRG_TOKEN_LENGTH, MRG_TOKEN_CLICK, &token));
            text[i] = before;
        }
}

static void
length_purpose_and_ring_must_fit(void)
{
    g_autoptr(MrgKeyring) ring = new_ring();
    g_autoptr(MrgKeyring) foreign = new_ring();
    char text[MRG_TOKEN_LENGTH + 2];
    MrgToken token = {.link = 7};
    mrg_token_seal(ring, &sample, text);
    text[MRG_TOKEN_LENGTH] = 'A';
    for (gsize length = 0; length < sizeof text; length++)
        g_assert_cmpint(length == MRG_TOKEN_LENGTH, ==,
                        mrg_token_open(ring, text, length, MRG_TOKEN_CLICK, &token));
    for (int purpose = MRG_TOKEN_INERT; purpose <= MRG_TOKEN_PREFERENCES; purpose++)
        g_assert_cmpint(purpose == MRG_TOKEN_CLICK, ==,
                        mrg_token_open(ring, text, MRG_TOKEN_LENGTH,
                                       (MrgTokenPurpose) purpose, &token));
    token.link = 7;
    g_assert_false(
        mrg_token_open(foreign, text, MRG_TOKEN_LENGTH, MRG_TOKEN_CLICK, &token));
    g_assert_cmpuint(token.link, ==, 7);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/token/round-trip", a_token_opens_to_what_was_sealed);
    g_test_add_func("/token/deterministic", sealing_is_deterministic_and_distinct);
    g_test_add_func("/token/tampered", every_changed_character_is_refused);
    g_test_add_func("/token/must-fit", length_purpose_and_ring_must_fit);
    return g_test_run();
}
