/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listener: the socket, a thread for each connection that comes in, and the end.
 */
#include "config.h"

#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "milter/error.h"
#include "milter/intake/session.h"

/* Longer than any MTA leaves a milter alone in the middle of an SMTP session. */
#define SILENCE_MAX_S (2 * 60 * 60)
/* An MTA that takes nothing for so long is gone. */
#define SEND_MAX_S 60
/* Between two tries to accept where descriptors or memory are out. */
#define PAUSE_MS 100

typedef struct Client {
    int fd;
    struct Client *previous, *next;
} Client;

static struct {
    const MrgIntakeHandler *handler;
    int fd;
    char *path; /* of a unix socket, to be taken away at the end */
    gboolean is_tcp;

    pthread_mutex_t mutex;
    pthread_cond_t is_alone;
    Client *clients;
    gboolean is_stopping;
    int wake; /* readable when it is */
} listener = {.fd = -1,
              .wake = -1,
              .mutex = PTHREAD_MUTEX_INITIALIZER,
              .is_alone = PTHREAD_COND_INITIALIZER};

/* ---- opening ---- */

static gboolean
fail(const MrgIntakeSocket *where, const char *reason, GError **error)
{
    g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG, "socket '%s' cannot be opened: %s",
                where->address, reason);
    return FALSE;
}

static gboolean
fail_errno(const MrgIntakeSocket *where, GError **error)
{
    return fail(where, g_strerror(errno), error);
}

static gboolean
bind_and_listen(const struct sockaddr *address, socklen_t length)
{
    int yes = 1;
    listener.fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener.fd < 0)
        return FALSE;
    (void) setsockopt(listener.fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    return bind(listener.fd, address, length) == 0 && listen(listener.fd, SOMAXCONN) == 0;
}

/* A socket that a daemon left behind answers nobody. */
static gboolean
take_away_stale(const struct sockaddr_un *address)
{
    struct stat status;
    if (lstat(address->sun_path, &status) != 0)
        return errno == ENOENT;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    gboolean is_in_use =
        !S_ISSOCK(status.st_mode) || fd < 0 ||
        connect(fd, (const struct sockaddr *) address, sizeof *address) == 0;
    if (fd >= 0)
        close(fd);
    errno = EADDRINUSE;
    return !is_in_use && unlink(address->sun_path) == 0;
}

static gboolean
give_to_group(const MrgIntakeSocket *where, const char *path, GError **error)
{
    struct group *group = *where->group ? getgrnam(where->group) : NULL;
    if (*where->group && !group) {
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG, "there is no group '%s'",
                    where->group);
        return FALSE;
    }
    if ((group && chown(path, (uid_t) -1, group->gr_gid) != 0) ||
        chmod(path, (mode_t) where->mode) != 0)
        return fail_errno(where, error);
    return TRUE;
}

static gboolean
open_unix(const MrgIntakeSocket *where, const char *path, GError **error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (g_strlcpy(address.sun_path, path, sizeof address.sun_path) >=
        sizeof address.sun_path)
        return fail(where, "the path is too long for a socket", error);
    if (!take_away_stale(&address))
        return fail_errno(where, error);
    /* Born closed to others; opened for the group alone. */
    mode_t before = umask(0177);
    gboolean is_open = bind_and_listen((const struct sockaddr *) &address, sizeof address);
    umask(before);
    if (!is_open)
        return fail_errno(where, error);
    listener.path = g_strdup(path);
    return give_to_group(where, path, error);
}

/* PORT@HOST; without a host on all addresses. */
static gboolean
open_tcp(const MrgIntakeSocket *where, const char *text, int family, GError **error)
{
    const struct addrinfo hints = {.ai_family = family,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    g_auto(GStrv) parts = g_strsplit(text, "@", 2);
    struct addrinfo *found = NULL;
    if (!parts[0] || !*parts[0])
        return fail(where, "not unix:/PATH or inet:PORT@HOST", error);
    int rc = getaddrinfo(parts[1], parts[0], &hints, &found);
    if (rc != 0)
        return fail(where, gai_strerror(rc), error);
    listener.is_tcp = TRUE;
    gboolean is_open = bind_and_listen(found->ai_addr, found->ai_addrlen);
    int problem = errno;
    freeaddrinfo(found);
    errno = problem;
    return is_open || fail_errno(where, error);
}

gboolean
mrg_intake_open(const MrgIntakeSocket *where, const MrgIntakeHandler *handler,
                GError **error)
{
    const char *address = where->address;
    listener.handler = handler;
    if (g_str_has_prefix(address, "unix:") || g_str_has_prefix(address, "local:"))
        return open_unix(where, strchr(address, ':') + 1, error);
    if (g_str_has_prefix(address, "inet:"))
        return open_tcp(where, address + strlen("inet:"), AF_INET, error);
    if (g_str_has_prefix(address, "inet6:"))
        return open_tcp(where, address + strlen("inet6:"), AF_INET6, error);
    return fail(where, "not unix:/PATH or inet:PORT@HOST", error);
}

/* ---- connections ---- */

static void
add_client(Client *client)
{
    pthread_mutex_lock(&listener.mutex);
    client->next = listener.clients;
    if (client->next)
        client->next->previous = client;
    listener.clients = client;
    pthread_mutex_unlock(&listener.mutex);
}

/* Closed under the lock: its number must not be another's when all are shut down. */
static void
remove_client(Client *client)
{
    pthread_mutex_lock(&listener.mutex);
    if (client->previous)
        client->previous->next = client->next;
    else
        listener.clients = client->next;
    if (client->next)
        client->next->previous = client->previous;
    close(client->fd);
    if (!listener.clients)
        pthread_cond_signal(&listener.is_alone);
    pthread_mutex_unlock(&listener.mutex);
    g_free(client);
}

static void *
serve(void *data)
{
    Client *client = data;
    mrg_session_run(client->fd, listener.handler);
    remove_client(client);
    return NULL;
}

/* Without TCP_NODELAY each message waits 40 ms for an acknowledgement that the MTA's side
 * delays (RFC 1122, 4.2.3.2 and 4.2.3.4). */
static void
set_options(int fd)
{
    const struct timeval silence = {.tv_sec = SILENCE_MAX_S},
                         sending = {.tv_sec = SEND_MAX_S};
    int yes = 1;
    (void) setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof silence);
    (void) setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &sending, sizeof sending);
    if (listener.is_tcp)
        (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

/* The MTA of a connection that gets no thread is told nothing, and defers. */
static void
start_client(int fd)
{
    Client *client = g_new0(Client, 1);
    pthread_t thread;
    client->fd = fd;
    set_options(fd);
    add_client(client);
    int rc = pthread_create(&thread, NULL, serve, client);
    if (rc == 0) {
        pthread_detach(thread);
        return;
    }
    g_critical("no thread for a connection: %s", g_strerror(rc));
    remove_client(client);
}

/* FALSE when the socket itself is of no use any more. */
static gboolean
accept_one(void)
{
    int fd = accept4(listener.fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) {
        start_client(fd);
        return TRUE;
    }
    if (errno == EBADF || errno == EINVAL || errno == ENOTSOCK) {
        g_critical("connections can no longer be accepted: %s", g_strerror(errno));
        return FALSE;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        g_warning("a connection has to wait: %s", g_strerror(errno));
        (void) poll(NULL, 0, PAUSE_MS);
    }
    return TRUE;
}

static gboolean
accept_until_stopped(void)
{
    struct pollfd both[] = {{.fd = listener.fd, .events = POLLIN},
                            {.fd = listener.wake, .events = POLLIN}};
    for (;;) {
        if (poll(both, G_N_ELEMENTS(both), -1) < 0) {
            if (errno != EINTR)
                return FALSE;
            continue;
        }
        if (both[1].revents)
            return TRUE;
        if (both[0].revents && !accept_one())
            return FALSE;
    }
}

/* ---- the end ---- */

/* Nothing more is read: whoever waits for the MTA ends, and a message that is complete gets
 * its answer first. */
static void
end_clients(void)
{
    pthread_mutex_lock(&listener.mutex);
    for (const Client *client = listener.clients; client; client = client->next)
        (void) shutdown(client->fd, SHUT_RD);
    while (listener.clients)
        pthread_cond_wait(&listener.is_alone, &listener.mutex);
    pthread_mutex_unlock(&listener.mutex);
}

gboolean
mrg_intake_run(void)
{
    pthread_mutex_lock(&listener.mutex);
    listener.wake = eventfd(listener.is_stopping, EFD_CLOEXEC);
    pthread_mutex_unlock(&listener.mutex);
    gboolean is_done = listener.wake >= 0 && accept_until_stopped();
    if (listener.path)
        (void) unlink(listener.path);
    close(listener.fd);
    end_clients();
    g_clear_pointer(&listener.path, g_free);
    return is_done;
}

void
mrg_intake_stop(void)
{
    pthread_mutex_lock(&listener.mutex);
    listener.is_stopping = TRUE;
    if (listener.wake >= 0)
        (void) eventfd_write(listener.wake, 1);
    pthread_mutex_unlock(&listener.mutex);
}
