/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-token: as a token to open, which must fail, and as the content of one to seal,
 * which must open to the same.
 */
#include "config.h"

#include <stdint.h>
#include <string.h>

#include "milter/stamp/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static MrgKeyring *
get_ring(void)
{
    static gsize ring;
    if (g_once_init_enter(&ring))
        g_once_init_leave(&ring, (gsize) mrg_keyring_new_ephemeral(NULL));
    return (MrgKeyring *) ring;
}

static void
assert_same(const MrgToken *token, const MrgToken *opened)
{
    g_assert_cmpuint(opened->message, ==, token->message);
    g_assert_cmpuint(opened->link, ==, token->link);
    g_assert_cmpmem(&opened->person, sizeof opened->person, &token->person,
                    sizeof token->person);
}

/* Sealed, it opens; with one bit of one character changed it does not. */
static void
check_text(char *text, gsize length, const MrgToken *token, guint where)
{
    MrgToken opened;
    char target[MRG_TARGET_MAX + 1];
    g_assert_true(
        mrg_token_open(get_ring(), text, length, MRG_TOKEN_OPEN, &opened, target));
    assert_same(token, &opened);
    g_assert_cmpstr(opened.target, ==, token->target);
    g_assert_false(
        mrg_token_open(get_ring(), text, length, MRG_TOKEN_CLICK, &opened, target));
    text[where % length] ^= (char) (1 << where % 7);
    g_assert_false(mrg_token_read(get_ring(), text, length, &opened, target));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    MrgToken token = {.purpose = MRG_TOKEN_OPEN};
    MrgToken opened;
    MrgSealer sealer;
    char text[MRG_TOKEN_LENGTH_MAX + 1], target[MRG_TARGET_MAX + 1];
    g_assert_false(mrg_token_read(get_ring(), (const char *) data, size, &opened, target));
    if (size < sizeof token.person + sizeof token.message + 1)
        return 0;
    memcpy(&token.person, data, sizeof token.person);
    memcpy(&token.message, data + sizeof token.person, sizeof token.message);
    token.link = data[size - 1];
    mrg_token_seal(get_ring(), &token, text);
    check_text(text, strlen(text), &token, data[0]);

    gsize length = MIN(size, MRG_TARGET_MAX);
    g_autofree char *in = g_strndup((const char *) data, length);
    if (!*in)
        return 0;
    token.target = in;
    token.link = 0;
    mrg_sealer_init(&sealer, get_ring(), &token);
    length = mrg_sealer_seal_target(&sealer, MRG_TOKEN_OPEN, in, strlen(in), text);
    check_text(text, length, &token, data[0] * 256u + data[1]);
    return 0;
}
