/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session: one connection of an MTA, from its options to its end.
 *
 * An MTA that breaks the protocol loses the connection, and does with the message what its
 * milter_default_action says.
 *
 * THREADS    one at a time.
 */
#ifndef MRG_SESSION_H
#define MRG_SESSION_H

#include "milter/intake/intake.h"

/* Serves until the MTA ends it, or the socket's time limit does.  The socket is borrowed.
 */
void mrg_session_run(int fd, const MrgIntakeHandler *handler);

#endif
