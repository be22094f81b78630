/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl/keeper.h"
#include "milter/error.h"

/* Packets, in both directions: a byte that says what it is, and a text. */
#define PACKET_MAX 16384
enum { ASK_LIST = 'l', ASK_RUN = 'r', TELL_PIECE = 'p', TELL_DONE = 'k', TELL_FAULT = 'f' };

/* Postfix's ids are at least 5 digits of microseconds and one of an inode, and letters and
 * digits only; "ALL", which means every message, is too short to be one. */
#define ID_MIN 6
#define ID_MAX 64
#define BATCH 200 /* ids of one packet and one call */
G_STATIC_ASSERT(BATCH *(ID_MAX + 1) < PACKET_MAX);

struct MrgKeeper {
    pid_t pid;
    int fd;
};

static gboolean
check_id(const char *text, GError **error)
{
    gsize length = strlen(text);
    gboolean is_id = length >= ID_MIN && length <= ID_MAX;
    for (const char *c = text; is_id && *c; c++)
        is_id = g_ascii_isalnum(*c);
    if (!is_id)
        g_set_error_literal(error, MRG_ERROR, MRG_ERROR_CONFIG,
                            "an id that Postfix does not give is in the list of holds");
    return is_id;
}

static gboolean
send_packet(int fd, char kind, const char *text, gsize length)
{
    char packet[PACKET_MAX];
    ssize_t sent;
    g_assert(length < sizeof packet);
    packet[0] = kind;
    memcpy(packet + 1, text, length);
    while ((sent = send(fd, packet, length + 1, MSG_NOSIGNAL)) < 0 && errno == EINTR) {
    }
    return sent == (ssize_t) length + 1;
}

/* The text ends with a NUL; FALSE at the end. */
static gboolean
receive_packet(int fd, char packet[PACKET_MAX + 1], gsize *length)
{
    ssize_t got;
    while ((got = recv(fd, packet, PACKET_MAX, 0)) < 0 && errno == EINTR) {
    }
    if (got <= 0)
        return FALSE;
    packet[got] = '\0';
    *length = (gsize) got - 1;
    return TRUE;
}

/* ---- the keeper itself ------------------------------------------------- */

typedef struct Service {
    const char *directory;
    int fd;
} Service;

/* What runs hands out is shorter than a packet. */
static gboolean
tell_piece(const char *piece, gsize length, gpointer context)
{
    const Service *self = context;
    for (gsize n; length; piece += n, length -= n) {
        n = MIN(length, PACKET_MAX - 1);
        if (!send_packet(self->fd, TELL_PIECE, piece, n))
            return FALSE;
    }
    return TRUE;
}

static gboolean
list(Service *self, GError **error)
{
    static const char *const arguments[] = {"-j", NULL};
    return mrg_postfix_run_through("postqueue", self->directory, arguments, tell_piece,
                                   self, error);
}

/* A queue manager that is asked for "D" looks through the deferred queue as it does every
 * queue_run_delay (qmgr.c of Postfix: scan, and no flush). */
static gboolean
run_queue(const Service *self, GError **error)
{
    static const char *const arguments[] = {"public", "qmgr", "D", NULL};
    g_autofree char *said = mrg_postfix_run("postkick", self->directory, arguments, error);
    return said != NULL;
}

static gboolean
change(const Service *self, char kind, const char *text, GError **error)
{
    const char option[] = {'-', kind, '\0'};
    g_auto(GStrv) ids = g_strsplit(text, "\n", -1);
    if (!*ids)
        return check_id(text, error);
    g_autoptr(GPtrArray) arguments = g_ptr_array_new();
    for (char **id = ids; *id; id++) {
        if (!check_id(*id, error))
            return FALSE;
        g_ptr_array_add(arguments, (gpointer) option);
        g_ptr_array_add(arguments, *id);
    }
    g_ptr_array_add(arguments, (gpointer) "hold");
    g_ptr_array_add(arguments, NULL);
    g_autofree char *said = mrg_postfix_run("postsuper", self->directory,
                                            (const char *const *) arguments->pdata, error);
    return said != NULL;
}

static gboolean
obey(Service *self, char kind, const char *text, GError **error)
{
    switch (kind) {
    case ASK_LIST:
        return list(self, error);
    case ASK_RUN:
        return run_queue(self, error);
    case MRG_KEEPER_RELEASE:
    case MRG_KEEPER_DELETE:
        return change(self, kind, text, error);
    }
    g_set_error_literal(error, MRG_ERROR, MRG_ERROR_INTERNAL,
                        "the keeper was asked for "
                        "what it does not do");
    return FALSE;
}

static void
serve(Service *self)
{
    char packet[PACKET_MAX + 1];
    gsize length;
    while (receive_packet(self->fd, packet, &length)) {
        g_autoptr(GError) error = NULL;
        if (obey(self, packet[0], packet + 1, &error))
            send_packet(self->fd, TELL_DONE, "", 0);
        else
            send_packet(self->fd, TELL_FAULT, error->message,
                        MIN(strlen(error->message), PACKET_MAX - 1));
    }
}

/* ---- who asks it ------------------------------------------------------- */

MrgKeeper *
mrg_keeper_start(const char *directory, GError **error)
{
    int fds[2];
    pid_t pid = -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0 &&
        (pid = fork()) == 0) {
        close(fds[0]);
        serve(&(Service){directory, fds[1]});
        _exit(0);
    }
    if (pid < 0) {
        g_set_error(error, MRG_ERROR, MRG_ERROR_INTERNAL,
                    "a process for the hold queue cannot be made: %s", g_strerror(errno));
        return NULL;
    }
    close(fds[1]);
    MrgKeeper *keeper = g_new0(MrgKeeper, 1);
    *keeper = (MrgKeeper){pid, fds[0]};
    return keeper;
}

void
mrg_keeper_stop(MrgKeeper *keeper)
{
    if (!keeper)
        return;
    close(keeper->fd);
    while (waitpid(keeper->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    g_free(keeper);
}

static gboolean
ask(MrgKeeper *keeper, char kind, const char *text, gsize length, MrgOutputVisit visit,
    gpointer context, GError **error)
{
    char packet[PACKET_MAX + 1];
    gboolean is_there = send_packet(keeper->fd, kind, text, length);
    while (is_there && (is_there = receive_packet(keeper->fd, packet, &length))) {
        if (packet[0] == TELL_DONE)
            return TRUE;
        if (packet[0] == TELL_FAULT) {
            g_set_error_literal(error, MRG_ERROR, MRG_ERROR_CONFIG, packet + 1);
            return FALSE;
        }
        if (visit)
            visit(packet + 1, length, context);
    }
    g_set_error_literal(error, MRG_ERROR, MRG_ERROR_INTERNAL,
                        "the process that asks Postfix has died");
    return FALSE;
}

gboolean
mrg_keeper_list(MrgKeeper *keeper, MrgOutputVisit visit, gpointer context, GError **error)
{
    return ask(keeper, ASK_LIST, "", 0, visit, context, error);
}

gboolean
mrg_keeper_change(MrgKeeper *keeper, MrgKeeperChange kind, GPtrArray *ids, GError **error)
{
    for (guint first = 0; first < ids->len; first += BATCH) {
        g_autoptr(GString) text = g_string_new(NULL);
        for (guint i = first; i < MIN(ids->len, first + BATCH); i++) {
            const char *id = g_ptr_array_index(ids, i);
            if (!check_id(id, error))
                return FALSE;
            g_string_append_printf(text, "%s%s", i > first ? "\n" : "", id);
        }
        if (!ask(keeper, (char) kind, text->str, text->len, NULL, NULL, error))
            return FALSE;
    }
    return TRUE;
}

gboolean
mrg_keeper_run_queue(MrgKeeper *keeper, GError **error)
{
    return ask(keeper, ASK_RUN, "", 0, NULL, NULL, error);
}
