/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include <glib.h>

#include "milter/intake/wire.h"

#define IN_BYTES (64 * 1024)
#define OUT_BYTES (64 * 1024)
/* As long as libmilter waits for an MTA (MI_TIMEOUT in libmilter/libmilter.h). */
#define SEND_WAIT_MS (7210 * 1000)
/* libmilter waits 1 ms for the next packet before it has another thread wait for it
 * (MI_RD_CMD_TO in libmilter/engine.c), which costs more than to sleep for longer. */
#define READY_WAIT_US 50000

typedef struct Wire {
    gboolean is_over; /* nothing more comes, or can be sent */
    gboolean is_tcp;
    gsize in_start, in_end;
    gsize out_length;
    char in[IN_BYTES];
    char out[OUT_BYTES];
} Wire;

static Wire *wires[MRG_WIRE_DESCRIPTORS];

static Wire *
wire_of(int fd)
{
    return fd >= 0 && fd < MRG_WIRE_DESCRIPTORS ? g_atomic_pointer_get(&wires[fd]) : NULL;
}

/* An MTA whose socket has Nagle's algorithm sends a packet that gets no answer, and holds
 * the next one back until we acknowledge that, for which we would take 40 ms (RFC 1122,
 * 4.2.3.2 and 4.2.3.4).  The kernel forgets it again: tcp(7), TCP_QUICKACK.  FALSE where it
 * is no TCP. */
static gboolean
acknowledge_at_once(int fd)
{
#ifdef TCP_QUICKACK
    static const int yes = 1;
    return setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &yes, sizeof yes) == 0;
#else
    (void) fd;
    return FALSE;
#endif
}

int
mrg_wire_accept(int listener, struct sockaddr *address, socklen_t *length)
{
    static const struct timeval wait = {.tv_usec = READY_WAIT_US};
    int fd = accept(listener, address, length);
    if (fd >= 0 && fd < MRG_WIRE_DESCRIPTORS &&
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) == 0) {
        Wire *wire = g_new(Wire, 1);
        wire->is_over = FALSE;
        wire->is_tcp = acknowledge_at_once(fd);
        wire->in_start = wire->in_end = wire->out_length = 0;
        g_atomic_pointer_set(&wires[fd], wire);
    }
    return fd;
}

/* ---- output ---- */

static gboolean
wait_for_room(int fd)
{
    struct pollfd set = {.fd = fd, .events = POLLOUT};
    int n;
    do
        n = poll(&set, 1, SEND_WAIT_MS);
    while (n < 0 && errno == EINTR);
    return n > 0;
}

static gboolean
send_all(int fd, const char *bytes, gsize n)
{
    while (n) {
        ssize_t sent = send(fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent >= 0) {
            bytes += sent;
            n -= (gsize) sent;
        } else if (errno == EAGAIN) {
            if (!wait_for_room(fd))
                return FALSE;
        } else if (errno != EINTR) {
            return FALSE;
        }
    }
    return TRUE;
}

static void
flush(int fd, Wire *wire)
{
    wire->is_over |= wire->out_length && !send_all(fd, wire->out, wire->out_length);
    wire->out_length = 0;
}

static void
put(int fd, Wire *wire, const char *bytes, gsize n)
{
    while (n) {
        if (wire->out_length == sizeof wire->out)
            flush(fd, wire);
        gsize taken = MIN(n, sizeof wire->out - wire->out_length);
        memcpy(wire->out + wire->out_length, bytes, taken);
        wire->out_length += taken;
        bytes += taken;
        n -= taken;
    }
}

ssize_t
mrg_wire_writev(int fd, const struct iovec *parts, int n)
{
    Wire *wire = wire_of(fd);
    if (!wire)
        return writev(fd, parts, n);
    gsize total = 0;
    for (int i = 0; i < n; i++) {
        put(fd, wire, parts[i].iov_base, parts[i].iov_len);
        total += parts[i].iov_len;
    }
    if (!wire->is_over)
        return (ssize_t) total;
    errno = EPIPE;
    return -1;
}

/* ---- input ---- */

/* Whether there is something for read(): bytes, or that no more come.  Waits a while for
 * it, in the call that gets it. */
static gboolean
fill(int fd, Wire *wire)
{
    if (wire->in_start < wire->in_end || wire->is_over)
        return TRUE;
    if (wire->is_tcp)
        acknowledge_at_once(fd);
    ssize_t n = recv(fd, wire->in, sizeof wire->in, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return FALSE;
    wire->in_start = 0;
    wire->in_end = (gsize) MAX(n, 0);
    wire->is_over = n <= 0;
    return TRUE;
}

int
mrg_wire_poll(struct pollfd *set, nfds_t n, int timeout_ms)
{
    /* Where libmilter waits for many, none of them has anything here: it gives one there
     * only when this function has found nothing for it. */
    Wire *wire = n == 1 ? wire_of(set->fd) : NULL;
    if (!wire)
        return poll(set, n, timeout_ms);
    set->revents = set->events & (POLLIN | POLLOUT);
    if (set->events & POLLOUT || wire->in_start < wire->in_end)
        return 1;
    flush(set->fd, wire);
    if (fill(set->fd, wire))
        return 1;
    set->revents = 0;
    return timeout_ms >= 0 && timeout_ms <= READY_WAIT_US / 1000 ? 0
                                                                 : poll(set, n, timeout_ms);
}

/* What is asked for goes to its place, what came with it is kept. */
static ssize_t
read_on(int fd, Wire *wire, void *bytes, gsize n)
{
    struct iovec parts[] = {{bytes, n}, {wire->in, sizeof wire->in}};
    ssize_t got = readv(fd, parts, G_N_ELEMENTS(parts));
    if (got <= (ssize_t) n)
        return got;
    wire->in_start = 0;
    wire->in_end = (gsize) got - n;
    return (ssize_t) n;
}

ssize_t
mrg_wire_read(int fd, void *bytes, size_t n)
{
    Wire *wire = wire_of(fd);
    if (!wire)
        return read(fd, bytes, n);
    gsize taken = MIN(n, wire->in_end - wire->in_start);
    if (!taken)
        return wire->is_over ? 0 : read_on(fd, wire, bytes, n);
    memcpy(bytes, wire->in + wire->in_start, taken);
    wire->in_start += taken;
    return (ssize_t) taken;
}

int
mrg_wire_close(int fd)
{
    Wire *wire = wire_of(fd);
    if (wire) {
        /* Before another thread can be given the same number. */
        g_atomic_pointer_set(&wires[fd], NULL);
        if (wire->out_length)
            (void) send(fd, wire->out, wire->out_length, MSG_DONTWAIT | MSG_NOSIGNAL);
        g_free(wire);
    }
    return close(fd);
}
