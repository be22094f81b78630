/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client: whose request it is, when a server in front says so.
 */
#ifndef MRG_CLIENT_H
#define MRG_CLIENT_H

#include <glib.h>
#include <sys/socket.h>

typedef struct MrgClient {
    guint8 bytes[16]; /* in network order */
    guint n;          /* 4, 16, or 0: not known */
} MrgClient;

typedef struct MrgNetworks MrgNetworks;

/* "192.0.2.0/24", "::1", ...; NULL and the word that is none (borrowed). */
MrgNetworks *mrg_networks_parse(const char *const *words, const char **wrong);
void mrg_networks_free(MrgNetworks *networks);
gboolean mrg_networks_have(const MrgNetworks *networks, const MrgClient *client);

/* IPv4 in IPv6 (RFC 4291, 2.5.5.2) counts as IPv4. */
void mrg_client_from_socket(MrgClient *client, const struct sockaddr *address);

/* The last address of X-Forwarded-For (NULL: none) that is not trusted, where the peer is;
 * what is no address ends the search. */
void mrg_client_forwarded(MrgClient *client, const char *forwarded,
                          const MrgNetworks *trusted);

/* What a limit counts together: an IPv4 address, an IPv6 /64. */
guint64 mrg_client_key(const MrgClient *client);

/* The first 3 or 6 bytes (/24, /48); how many. */
guint mrg_client_prefix(const MrgClient *client, guint8 prefix[6]);

#endif
