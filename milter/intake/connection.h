/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection: what is kept for one milter connection between its callbacks.
 *
 * OWNERSHIP  libmilter holds it by smfi_setpriv() from negotiation to close.
 */
#ifndef MRG_CONNECTION_H
#define MRG_CONNECTION_H

#include "milter/intake/intake.h"

typedef struct MrgConnection {
    const MrgIntakeHandler *handler;
    /* Negotiated: no reply to the sender, a recipient, a header, the end of the headers, a
     * chunk of the body. */
    gboolean is_sender_silent;
    gboolean is_recipient_silent;
    gboolean is_header_silent;
    gboolean is_headers_end_silent;
    gboolean is_body_silent;
    gboolean is_value_exact; /* negotiated: header values keep the space before them */
    MrgRole daemon_role;
    gboolean may_be_trusted; /* by its daemon, or by a login still to come */

    /* One message. */
    const MrgIntakeRules *rules;
    gpointer hold;
    MrgEnvelope *envelope;
} MrgConnection;

MrgConnection *mrg_connection_new(const MrgIntakeHandler *handler);
void mrg_connection_free(MrgConnection *connection);

/* FALSE, and no envelope, when the program is about to end: the MTA must come again. */
gboolean mrg_connection_begin(MrgConnection *connection, const char *sender,
                              const char *login);
/* Ends the message, whichever way; harmless when there is none. */
void mrg_connection_end(MrgConnection *connection);

/* The role of the daemon that this connection came by.  FALSE as above. */
gboolean mrg_connection_set_daemon(MrgConnection *connection, const char *daemon_name);

#endif
