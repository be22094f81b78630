/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "collect/client.h"

#define TEXT_MAX 64

typedef struct Network {
    MrgClient client;
    guint bits;
} Network;

struct MrgNetworks {
    Network *list;
    gsize n;
};

static void
set_bytes(MrgClient *client, const void *bytes, guint n)
{
    static const guint8 mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (n == 16 && memcmp(bytes, mapped, sizeof mapped) == 0) {
        bytes = (const guint8 *) bytes + sizeof mapped;
        n = 4;
    }
    memset(client->bytes, 0, sizeof client->bytes);
    memcpy(client->bytes, bytes, n);
    client->n = n;
}

static gboolean
parse_address(MrgClient *client, const char *text)
{
    guint8 bytes[16];
    gboolean is_4 = inet_pton(AF_INET, text, bytes) == 1;
    if (!is_4 && inet_pton(AF_INET6, text, bytes) != 1)
        return FALSE;
    set_bytes(client, bytes, is_4 ? 4 : 16);
    return TRUE;
}

void
mrg_client_from_socket(MrgClient *client, const struct sockaddr *address)
{
    client->n = 0;
    if (address && address->sa_family == AF_INET)
        set_bytes(client, &((const struct sockaddr_in *) (const void *) address)->sin_addr,
                  4);
    else if (address && address->sa_family == AF_INET6)
        set_bytes(client,
                  &((const struct sockaddr_in6 *) (const void *) address)->sin6_addr, 16);
}

/* ---- networks */

static gboolean
parse_network(Network *network, const char *word)
{
    char text[TEXT_MAX];
    const char *slash = strchr(word, '/');
    gsize length = slash ? (gsize) (slash - word) : strlen(word);
    if (length >= sizeof text)
        return FALSE;
    memcpy(text, word, length);
    text[length] = '\0';
    if (!parse_address(&network->client, text))
        return FALSE;
    network->bits = network->client.n * 8;
    guint64 bits = network->bits;
    if (slash && !g_ascii_string_to_unsigned(slash + 1, 10, 0, network->bits, &bits, NULL))
        return FALSE;
    network->bits = (guint) bits;
    return TRUE;
}

MrgNetworks *
mrg_networks_parse(const char *const *words, const char **wrong)
{
    MrgNetworks *networks = g_new0(MrgNetworks, 1);
    networks->list = g_new0(Network, g_strv_length((char **) words) + 1);
    for (; *words; words++) {
        if (!parse_network(&networks->list[networks->n++], *words)) {
            *wrong = *words;
            mrg_networks_free(networks);
            return NULL;
        }
    }
    return networks;
}

void
mrg_networks_free(MrgNetworks *networks)
{
    if (!networks)
        return;
    g_free(networks->list);
    g_free(networks);
}

static gboolean
is_within(const MrgClient *client, const Network *network)
{
    guint whole = network->bits / 8, rest = network->bits % 8;
    if (client->n != network->client.n ||
        memcmp(client->bytes, network->client.bytes, whole) != 0)
        return FALSE;
    guint8 mask = (guint8) (0xff00 >> rest);
    return rest == 0 || ((client->bytes[whole] ^ network->client.bytes[whole]) & mask) == 0;
}

gboolean
mrg_networks_have(const MrgNetworks *networks, const MrgClient *client)
{
    for (gsize i = 0; i < networks->n; i++)
        if (is_within(client, &networks->list[i]))
            return TRUE;
    return FALSE;
}

/* ---- X-Forwarded-For */

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]:80", with blanks around. */
static gboolean
parse_forwarded(MrgClient *client, const char *start, const char *end)
{
    char text[TEXT_MAX];
    while (start < end && g_ascii_isspace(*start))
        start++;
    while (end > start && g_ascii_isspace(end[-1]))
        end--;
    gboolean is_bracketed = start < end && *start == '[';
    start += is_bracketed;
    gsize length = (gsize) (end - start);
    if (length >= sizeof text)
        return FALSE;
    memcpy(text, start, length);
    text[length] = '\0';
    char *colon = strchr(text, ':');
    char *stop = is_bracketed                       ? strchr(text, ']')
                 : colon && !strchr(colon + 1, ':') ? colon
                                                    : NULL;
    if (stop)
        *stop = '\0';
    return parse_address(client, text);
}

void
mrg_client_forwarded(MrgClient *client, const char *forwarded, const MrgNetworks *trusted)
{
    if (!forwarded)
        return;
    const char *end = forwarded + strlen(forwarded);
    while (end > forwarded && mrg_networks_have(trusted, client)) {
        const char *start = end;
        while (start > forwarded && start[-1] != ',')
            start--;
        if (!parse_forwarded(client, start, end))
            return;
        end = start > forwarded ? start - 1 : start;
    }
}

guint64
mrg_client_key(const MrgClient *client)
{
    guint64 key;
    memcpy(&key, client->bytes, sizeof key);
    return key;
}

guint
mrg_client_prefix(const MrgClient *client, guint8 prefix[6])
{
    guint n = client->n == 4 ? 3 : client->n == 16 ? 6 : 0;
    memcpy(prefix, client->bytes, n);
    return n;
}
