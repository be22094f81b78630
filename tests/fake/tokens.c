/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens: seals tokens with a key ring, for tests and measurements of the collector.
 *
 * Reads lines "PURPOSE PERSON CAMPAIGN MESSAGE LINK AT [TARGET]" (purpose and numbers in
 * decimal, the person in hex) and prints a token for each.
 */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "milter/stamp/token.h"

static gboolean
read_person(MrgPersonKey *person, const char *text)
{
    if (strlen(text) != 2 * MRG_KEY_BYTES)
        return FALSE;
    for (gsize i = 0; i < MRG_KEY_BYTES; i++)
        person->bytes[i] = (guint8) (g_ascii_xdigit_value(text[2 * i]) * 16 +
                                     g_ascii_xdigit_value(text[2 * i + 1]));
    return TRUE;
}

static void
seal(const MrgKeyring *keyring, MrgToken *token, const char *target)
{
    char text[MRG_TOKEN_LENGTH_MAX + 1];
    if (*target) {
        MrgSealer sealer;
        mrg_sealer_init(&sealer, keyring, token);
        mrg_sealer_seal_target(&sealer, token->purpose, target, strlen(target), text);
    } else {
        mrg_token_seal(keyring, token, text);
    }
    puts(text);
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgKeyring) keyring = argc == 2 ? mrg_keyring_load(argv[1], &error) : NULL;
    if (!keyring) {
        g_printerr("tokens: %s\n", error ? error->message : "which key ring?");
        return 1;
    }
    char line[4096], person[64], target[2048];
    while (fgets(line, sizeof line, stdin)) {
        MrgToken token = {0};
        guint purpose;
        *target = '\0';
        if (sscanf(line, "%u %63s %" SCNu32 " %" SCNu64 " %" SCNu16 " %" SCNu32 " %2047s",
                   &purpose, person, &token.campaign, &token.message, &token.link,
                   &token.at_s, target) < 6 ||
            !read_person(&token.person, person))
            return 1;
        token.purpose = (MrgTokenPurpose) purpose;
        seal(keyring, &token, target);
    }
    return 0;
}
