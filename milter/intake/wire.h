/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire: packets of the milter protocol over a connected socket.
 *
 * Both directions are buffered: what is said goes out when nothing more has come in to be
 * read, so that all edits of a message and its answer are one write, and what the MTA sends
 * without waiting for an answer is one read.
 *
 * OWNERSHIP  the socket is borrowed.
 * ERRORS     once writing failed the wire is broken, and all that writes says so.
 */
#ifndef MRG_WIRE_H
#define MRG_WIRE_H

#include <glib.h>

typedef struct MrgWire {
    int fd;
    gboolean is_broken;
    guint8 *in; /* bytes start to end are not read yet */
    gsize in_size, start, end;
    GByteArray *out;
    guint begun; /* where the packet that is being made begins in out */
} MrgWire;

/* Valid until the next one is read. */
typedef struct MrgPacket {
    char command;
    const char *data;
    gsize length;
} MrgPacket;

void mrg_wire_init(MrgWire *wire, int fd);
void mrg_wire_clear(MrgWire *wire);

/* The next packet.  FALSE at the end of the connection, after an error, when the time limit
 * of the socket passed, and for a packet that is empty or longer than any MTA's: what was
 * said before is still to be flushed then. */
gboolean mrg_wire_read(MrgWire *wire, MrgPacket *packet);

/* Texts that stand one behind the other in a packet: takes the one at *offset and moves
 * behind its NUL; NULL when none is left, or its NUL is missing. */
const char *mrg_packet_text(const MrgPacket *packet, gsize *offset);
/* A number of four bytes; FALSE when there are fewer. */
gboolean mrg_packet_number(const MrgPacket *packet, gsize *offset, guint32 *number);

/* Begins a packet, adds to it, ends it.  mrg_wire_end() is FALSE when the packet became
 * longer than an MTA takes, and then nothing of it is said, or when the wire is broken. */
void mrg_wire_begin(MrgWire *wire, char command);
void mrg_wire_add(MrgWire *wire, const void *bytes, gsize length);
void mrg_wire_add_text(MrgWire *wire, const char *text);
void mrg_wire_add_number(MrgWire *wire, guint32 number);
gboolean mrg_wire_end(MrgWire *wire);

/* What was said leaves now; FALSE when the MTA is gone. */
gboolean mrg_wire_flush(MrgWire *wire);

#endif
