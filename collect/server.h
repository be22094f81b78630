/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server: reads requests, has them answered, and ends without dropping one.
 */
#ifndef MRG_SERVER_H
#define MRG_SERVER_H

#include "collect/collector.h"

typedef struct MrgServer MrgServer;

/* Listens. */
MrgServer *mrg_server_start(MrgCollector *collector, GError **error);
guint mrg_server_port(const MrgServer *server);

/* Requests that begin from now on are answered by this collector, made by
 * mrg_collector_renew(); what has begun, by the one before. */
void mrg_server_renew(MrgServer *server, MrgCollector *collector);

/* Once a second: ends connections that take too long over a request. */
void mrg_server_tick(MrgServer *server);

/* Takes no new connection, answers what has begun, and ends. */
void mrg_server_stop(MrgServer *server);

#endif
