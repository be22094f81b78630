/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "milter/intake/protocol.h"
#include "milter/intake/wire.h"

#define LENGTH_BYTES 4
/* A header of Postfix may have 100 KiB (header_size_limit), and is told whole. */
#define PACKET_MAX (1024 * 1024)
#define IN_SIZE (32 * 1024)
/* Beyond this, what is said leaves before the answer is complete. */
#define OUT_SIZE (128 * 1024)

void
mrg_wire_init(MrgWire *wire, int fd)
{
    *wire = (MrgWire){
        .fd = fd, .in = g_malloc(IN_SIZE), .in_size = IN_SIZE, .out = g_byte_array_new()};
}

void
mrg_wire_clear(MrgWire *wire)
{
    g_free(wire->in);
    g_byte_array_unref(wire->out);
}

static guint32
get_number(const void *bytes)
{
    guint32 number;
    memcpy(&number, bytes, sizeof number);
    return GUINT32_FROM_BE(number);
}

/* ---- reading ---- */

/* Makes room for so many bytes from start on. */
static void
make_room(MrgWire *wire, gsize bytes)
{
    if (wire->start + bytes <= wire->in_size)
        return;
    memmove(wire->in, wire->in + wire->start, wire->end - wire->start);
    wire->end -= wire->start;
    wire->start = 0;
    if (bytes <= wire->in_size)
        return;
    wire->in = g_realloc(wire->in, bytes);
    wire->in_size = bytes;
}

/* Until so many bytes can be read from start on. */
static gboolean
fill(MrgWire *wire, gsize bytes)
{
    if (wire->end - wire->start >= bytes)
        return TRUE;
    if (!mrg_wire_flush(wire))
        return FALSE;
    if (wire->start == wire->end)
        wire->start = wire->end = 0;
    make_room(wire, bytes);
    while (wire->end - wire->start < bytes) {
        ssize_t n = recv(wire->fd, wire->in + wire->end, wire->in_size - wire->end, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return FALSE;
        wire->end += (gsize) n;
    }
    return TRUE;
}

gboolean
mrg_wire_read(MrgWire *wire, MrgPacket *packet)
{
    if (!fill(wire, LENGTH_BYTES))
        return FALSE;
    gsize length = get_number(wire->in + wire->start);
    if (length == 0 || length > PACKET_MAX)
        return FALSE;
    if (!fill(wire, LENGTH_BYTES + length))
        return FALSE;
    const char *bytes = (const char *) wire->in + wire->start + LENGTH_BYTES;
    *packet = (MrgPacket){*bytes, bytes + 1, length - 1};
    wire->start += LENGTH_BYTES + length;
    return TRUE;
}

const char *
mrg_packet_text(const MrgPacket *packet, gsize *offset)
{
    const char *text = packet->data + *offset;
    const char *end =
        *offset < packet->length ? memchr(text, '\0', packet->length - *offset) : NULL;
    if (!end)
        return NULL;
    *offset += (gsize) (end - text) + 1;
    return text;
}

gboolean
mrg_packet_number(const MrgPacket *packet, gsize *offset, guint32 *number)
{
    if (packet->length < *offset || packet->length - *offset < sizeof *number)
        return FALSE;
    *number = get_number(packet->data + *offset);
    *offset += sizeof *number;
    return TRUE;
}

/* ---- writing ---- */

void
mrg_wire_begin(MrgWire *wire, char command)
{
    wire->begun = wire->out->len;
    mrg_wire_add_number(wire, 0);
    mrg_wire_add(wire, &command, 1);
}

void
mrg_wire_add(MrgWire *wire, const void *bytes, gsize length)
{
    g_byte_array_append(wire->out, bytes, (guint) length);
}

void
mrg_wire_add_text(MrgWire *wire, const char *text)
{
    mrg_wire_add(wire, text, strlen(text) + 1);
}

void
mrg_wire_add_number(MrgWire *wire, guint32 number)
{
    guint32 bytes = GUINT32_TO_BE(number);
    mrg_wire_add(wire, &bytes, sizeof bytes);
}

gboolean
mrg_wire_end(MrgWire *wire)
{
    guint32 length = wire->out->len - wire->begun - LENGTH_BYTES;
    if (length - 1 > MRG_MILTER_DATA_MAX) {
        g_byte_array_set_size(wire->out, wire->begun);
        return FALSE;
    }
    guint32 bytes = GUINT32_TO_BE(length);
    memcpy(wire->out->data + wire->begun, &bytes, sizeof bytes);
    return wire->out->len < OUT_SIZE ? !wire->is_broken : mrg_wire_flush(wire);
}

gboolean
mrg_wire_flush(MrgWire *wire)
{
    for (gsize done = 0; !wire->is_broken && done < wire->out->len;) {
        ssize_t n =
            send(wire->fd, wire->out->data + done, wire->out->len - done, MSG_NOSIGNAL);
        if (n > 0)
            done += (gsize) n;
        else if (n == 0 || errno != EINTR)
            wire->is_broken = TRUE;
    }
    g_byte_array_set_size(wire->out, 0);
    return !wire->is_broken;
}
