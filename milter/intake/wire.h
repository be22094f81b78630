/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire: what libmilter calls in place of accept(), poll(), read(), writev() and close().
 *
 * libmilter 8.17 asks the kernel three times and reads twice for each packet, of which an
 * MTA sends some thirty for a message; and each of its answers is a write that wakes the
 * MTA. Here what has come is read at once, and what is answered goes out when libmilter
 * next looks for input, that is before it can wait, so that an MTA sees all of the edits of
 * a message and the verdict on it in one piece.  The order of bytes stays as it is, nothing
 * is held back while anybody waits, and libmilter is none the wiser.
 *
 * The functions are called by libmilter alone: the build gives a copy of libmilter.a these
 * names for those (milter/intake/Makefile.inc).  Without that archive, or configured with
 * --disable-wire, libmilter is linked as it is.
 *
 * OWNERSHIP  a connection's buffers live from accept to close.
 * THREADS    one thread at a time for a connection, as libmilter does it.
 * ERRORS     those of the system calls; one of a write shows at the next call.
 */
#ifndef MRG_WIRE_H
#define MRG_WIRE_H

#include <poll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Descriptors from this one on, and those that accept did not give, go to the system as
 * they are. */
#define MRG_WIRE_DESCRIPTORS 4096

int mrg_wire_accept(int listener, struct sockaddr *address, socklen_t *length);

/* Sends what is to be sent, where input is asked for; that there is room for output is
 * always so.  Waits for input as long as it is told, and at least 50 ms; timeout_ms -1: for
 * ever.  Over TCP what came is acknowledged before the wait. */
int mrg_wire_poll(struct pollfd *set, nfds_t n, int timeout_ms);

ssize_t mrg_wire_read(int fd, void *bytes, size_t n);
ssize_t mrg_wire_writev(int fd, const struct iovec *parts, int n);
int mrg_wire_close(int fd);

#endif
