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

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    MrgToken token = {.purpose = MRG_TOKEN_OPEN};
    MrgToken opened;
    char text[MRG_TOKEN_LENGTH + 1];
    for (int purpose = MRG_TOKEN_INERT; purpose <= MRG_TOKEN_PREFERENCES; purpose++)
        g_assert_false(mrg_token_open(get_ring(), (const char *) data, size,
                                      (MrgTokenPurpose) purpose, &opened));
    if (size < sizeof token.person + sizeof token.message)
        return 0;
    memcpy(&token.person, data, sizeof token.person);
    memcpy(&token.message, data + sizeof token.person, sizeof token.message);
    mrg_token_seal(get_ring(), &token, text);
    g_assert_true(mrg_token_open(get_ring(), text, strlen(text), MRG_TOKEN_OPEN, &opened));
    g_assert_cmpuint(opened.message, ==, token.message);
    g_assert_cmpmem(&opened.person, sizeof opened.person, &token.person,
                    sizeof token.person);
    return 0;
}
