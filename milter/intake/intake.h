/* SPDX-License-Identifier: Apache-2.0 */
/*
 * intake: the milter side: callbacks, trust, envelopes.
 *
 * Only campaign messages that came by a trusted way are kept; everything else is
 * accepted as early as the protocol allows, its body never read.  Where nothing is answered
 * before the end, bodies of other mail come along and are thrown away chunk by chunk.
 *
 * THREADS    libmilter runs callbacks on a pool of threads, a connection may change
 *            threads between two of them: the handler is called from any.
 */
#ifndef MRG_INTAKE_H
#define MRG_INTAKE_H

#include "milter/intake/envelope.h"
#include "milter/intake/mta.h"

typedef struct MrgIntakeRules {
    const char *const *merge_daemons; /* NULL-terminated lists */
    const char *const *check_daemons;
    const char *const *senders;
    gboolean is_answered_late; /* of connections that begin now */
    MrgEnvelopeLimits limits;
} MrgIntakeRules;

/* What the rest of the program does for intake. */
typedef struct MrgIntakeHandler {
    /* The rules in force, and in hold a reference that keeps them for one message; NULL
     * when the program is about to end. */
    const MrgIntakeRules *(*acquire)(gpointer *hold);
    void (*release)(gpointer hold);
    /* A campaign message is complete. */
    MrgAnswer (*message)(gpointer hold, MrgEnvelope *envelope, const MrgMta *mta);
} MrgIntakeHandler;

typedef struct MrgIntakeSocket {
    const char *address; /* unix:/PATH or inet:PORT@HOST */
    const char *group;   /* "" leaves it */
    guint mode;
} MrgIntakeSocket;

/* Opens the socket: FALSE and MRG_ERROR_CONFIG when that cannot be done. */
gboolean mrg_intake_open(const MrgIntakeSocket *socket, const MrgIntakeHandler *handler,
                         GError **error);

/* Serves until SIGTERM, SIGINT or SIGHUP; FALSE when libmilter gave up. */
gboolean mrg_intake_run(void);

/* By the daemon name alone, then by the login. */
MrgRole mrg_trust_of_daemon(const MrgIntakeRules *rules, const char *daemon_name);
MrgRole mrg_trust_of_login(const MrgIntakeRules *rules, const char *login);

#endif
