/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collect/request.h"
#include "collect/server.h"
#include "milter/error.h"

#define HEADER_BYTES_MAX 16384
#define DRAIN_STEP_US 5000
#define DRAIN_US (10 * G_USEC_PER_SEC)

/* One connection, as long as it is open. */
typedef struct Peer {
    struct Peer *next, *previous;
    int socket;
    gint64 since_us; /* atomic: when it was opened, or its last request was answered */
} Peer;

struct MrgServer {
    struct MHD_Daemon *daemon;
    guint n_open;          /* atomic: requests that are read and not answered */
    pthread_mutex_t mutex; /* for all below */
    MrgCollector *collector;
    Peer *peers;
};

/* ---- answering */

static const char *
method_name(MrgMethod method)
{
    return method == MRG_METHOD_GET       ? "GET"
           : method == MRG_METHOD_HEAD    ? "HEAD"
           : method == MRG_METHOD_POST    ? "POST"
           : method == MRG_METHOD_OPTIONS ? "OPTIONS"
                                          : "other";
}

static enum MHD_Result
answer(const MrgRequest *request, MrgReply *reply)
{
    MrgCollector *collector = request->collector;
    enum MHD_Result result =
        MHD_queue_response(request->connection, reply->status, reply->response);
    gsize route = request->route ? (gsize) request->route->id : MRG_N_ROUTES;
    __atomic_fetch_add(&collector->lasting->answers[route][reply->status / 100], 1,
                       __ATOMIC_RELAXED);
    mrg_access_log_add(collector->access_log,
                       request->route ? request->route->name : "none",
                       method_name(request->method), reply->status, request->at_us,
                       g_get_monotonic_time() - request->begun_us);
    mrg_reply_clear(reply);
    return result;
}

/* ---- what has to wait */

static void
run_job(gpointer data)
{
    MrgRequest *request = data;
    request->reply = request->handler(request);
    request->is_done = TRUE;
    MHD_resume_connection(request->connection);
}

static enum MHD_Result
put_off(MrgRequest *request, MrgHandler handler)
{
    request->handler = handler;
    /* Before it is given away: the job may be done before this returns. */
    MHD_suspend_connection(request->connection);
    if (mrg_jobs_add(request->collector->lasting->jobs, run_job, request))
        return MHD_YES;
    request->reply = mrg_reply_fixed(MRG_FIXED_UNAVAILABLE);
    request->is_done = TRUE;
    MHD_resume_connection(request->connection);
    return MHD_YES;
}

static MrgRequest *
keep(MrgServer *server, const MrgRequest *request)
{
    __atomic_fetch_add(&server->n_open, 1, __ATOMIC_RELAXED);
    mrg_collector_ref(request->collector);
    return g_memdup2(request, sizeof *request);
}

/* ---- reading */

static enum MHD_Result
serve(MrgRequest *request)
{
    MrgReply reply = request->is_body_too_large ? mrg_reply_fixed(MRG_FIXED_TOO_LARGE)
                     : request->route->kind == MRG_KIND_SLOW
                         ? mrg_reply_later(request->route->handler)
                         : request->route->handler(request);
    return reply.later ? put_off(request, reply.later) : answer(request, &reply);
}

/* What is answered without looking at the body. */
static gboolean
refuse(const MrgRequest *request, MrgReply *reply)
{
    MrgCollector *collector = request->collector;
    const MrgRoute *route = request->route;
    gboolean is_quick = route && route->kind == MRG_KIND_QUICK;
    MrgFixed fixed = MRG_N_FIXED;
    if (!is_quick && !mrg_limit_take(collector->lasting->by_address,
                                     collector->conf->collector_rate_address,
                                     mrg_client_key(&request->client), request->at_us)) {
        mrg_collector_count(collector, MRG_COUNT_requests_over_rate);
        fixed = MRG_FIXED_TOO_MANY;
    } else if (!route) {
        fixed = MRG_FIXED_NOT_FOUND;
    } else if (!mrg_route_takes(route, request->method)) {
        fixed = MRG_FIXED_METHOD;
    } else if (request->headers.content_length > route->body_max) {
        fixed = MRG_FIXED_TOO_LARGE;
    }
    if (fixed == MRG_N_FIXED)
        return FALSE;
    *reply = mrg_reply_fixed(fixed);
    return TRUE;
}

/* New reference to what is in force now. */
static MrgCollector *
acquire(MrgServer *server)
{
    pthread_mutex_lock(&server->mutex);
    MrgCollector *collector = mrg_collector_ref(server->collector);
    pthread_mutex_unlock(&server->mutex);
    return collector;
}

/* The context of a request of which there is nothing to keep yet. */
static char fresh;

static enum MHD_Result
begin(MrgServer *server, struct MHD_Connection *connection, const char *url,
      const char *method, gpointer *context)
{
    g_autoptr(MrgCollector) collector = acquire(server);
    MrgRequest request = {.collector = collector, .connection = connection};
    if (strncmp(url, collector->conf->collector_base_path, collector->base_length) == 0)
        request.route = mrg_route_find(url + collector->base_length, &request.tail);
    mrg_request_read(&request, method);
    MrgReply reply;
    if (refuse(&request, &reply))
        return answer(&request, &reply);
    if (request.method == MRG_METHOD_POST) {
        *context = keep(server, &request);
        return MHD_YES;
    }
    reply = request.route->kind == MRG_KIND_SLOW ? mrg_reply_later(request.route->handler)
                                                 : request.route->handler(&request);
    if (!reply.later)
        return answer(&request, &reply);
    *context = keep(server, &request);
    return put_off(*context, reply.later);
}

static void
take_body(MrgRequest *request, const char *bytes, gsize n)
{
    if (!request->body)
        request->body = g_byte_array_new();
    request->is_body_too_large |= request->body->len + n > request->route->body_max;
    if (!request->is_body_too_large)
        g_byte_array_append(request->body, (const guint8 *) bytes, (guint) n);
}

static enum MHD_Result
handle(gpointer data, struct MHD_Connection *connection, const char *url,
       const char *method, const char *version G_GNUC_UNUSED, const char *upload,
       size_t *upload_bytes, gpointer *context)
{
    MrgServer *server = data;
    MrgRequest *request = *context;
    /* What is answered at the first call ends the connection: right for a body that is not
     * wanted, and nothing else. */
    if (!request && g_str_equal(method, MHD_HTTP_METHOD_POST))
        return begin(server, connection, url, method, context);
    if (!request) {
        *context = &fresh;
        return MHD_YES;
    }
    if (*context == &fresh && *upload_bytes == 0)
        return begin(server, connection, url, method, context);
    if (*context == &fresh) {
        *upload_bytes = 0;
        return MHD_YES;
    }
    if (request->is_done)
        return answer(request, &request->reply);
    if (*upload_bytes) {
        take_body(request, upload, *upload_bytes);
        *upload_bytes = 0;
        return MHD_YES;
    }
    return serve(request);
}

/* ---- connections */

static Peer *
peer_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static void
complete(gpointer data, struct MHD_Connection *connection, gpointer *context,
         enum MHD_RequestTerminationCode code G_GNUC_UNUSED)
{
    MrgServer *server = data;
    MrgRequest *request = *context;
    Peer *peer = peer_of(connection);
    if (peer)
        __atomic_store_n(&peer->since_us, g_get_monotonic_time(), __ATOMIC_RELAXED);
    if (!request || *context == &fresh)
        return;
    mrg_reply_clear(&request->reply);
    if (request->body)
        g_byte_array_unref(request->body);
    mrg_collector_unref(request->collector);
    g_free(request);
    *context = NULL;
    __atomic_fetch_sub(&server->n_open, 1, __ATOMIC_RELEASE);
}

static void
add_peer(MrgServer *server, Peer *peer)
{
    pthread_mutex_lock(&server->mutex);
    peer->next = server->peers;
    if (peer->next)
        peer->next->previous = peer;
    server->peers = peer;
    pthread_mutex_unlock(&server->mutex);
}

static void
remove_peer(MrgServer *server, Peer *peer)
{
    pthread_mutex_lock(&server->mutex);
    if (peer->next)
        peer->next->previous = peer->previous;
    if (peer->previous)
        peer->previous->next = peer->next;
    else
        server->peers = peer->next;
    pthread_mutex_unlock(&server->mutex);
}

static void
notice_connection(gpointer data, struct MHD_Connection *connection, gpointer *context,
                  enum MHD_ConnectionNotificationCode code)
{
    MrgServer *server = data;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        Peer *peer = g_new0(Peer, 1);
        peer->socket = info->connect_fd;
        peer->since_us = g_get_monotonic_time();
        add_peer(server, peer);
        *context = peer;
        return;
    }
    remove_peer(server, *context);
    g_clear_pointer(context, g_free);
}

void
mrg_server_tick(MrgServer *server)
{
    pthread_mutex_lock(&server->mutex);
    gint64 oldest_us =
        g_get_monotonic_time() - 2 * server->collector->conf->collector_timeout;
    /* A socket is closed only after its peer is removed, which waits for this lock. */
    for (Peer *peer = server->peers; peer; peer = peer->next)
        if (__atomic_load_n(&peer->since_us, __ATOMIC_RELAXED) < oldest_us)
            shutdown(peer->socket, SHUT_RDWR);
    pthread_mutex_unlock(&server->mutex);
}

/* ---- start and end */

/* Paths and queries are looked at as they are: what is escaped is no path of ours. */
static size_t
leave_escaped(gpointer data G_GNUC_UNUSED, struct MHD_Connection *connection G_GNUC_UNUSED,
              char *text)
{
    return strlen(text);
}

static void
ignore_log(gpointer data G_GNUC_UNUSED, const char *format G_GNUC_UNUSED,
           va_list arguments G_GNUC_UNUSED)
{
}

typedef union Address {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
} Address;

static gboolean
parse_listen(const char *text, Address *address)
{
    const char *colon = strrchr(text, ':');
    guint64 port;
    if (!colon || !g_ascii_string_to_unsigned(colon + 1, 10, 0, 65535, &port, NULL))
        return FALSE;
    gboolean is_six = text[0] == '[' && colon > text + 1 && colon[-1] == ']';
    g_autofree char *host = is_six ? g_strndup(text + 1, (gsize) (colon - text - 2))
                                   : g_strndup(text, (gsize) (colon - text));
    memset(address, 0, sizeof *address);
    address->any.sa_family = is_six ? AF_INET6 : AF_INET;
    if (is_six) {
        address->six.sin6_port = htons((guint16) port);
        return inet_pton(AF_INET6, host, &address->six.sin6_addr) == 1;
    }
    address->four.sin_port = htons((guint16) port);
    return inet_pton(AF_INET, host, &address->four.sin_addr) == 1;
}

static struct MHD_Daemon *
start_daemon(MrgServer *server, const Address *address)
{
    const MrgConf *conf = server->collector->conf;
    guint flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO |
                  MHD_USE_ERROR_LOG;
    if (address->any.sa_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    const struct MHD_OptionItem pool[] = {
        {MHD_OPTION_THREAD_POOL_SIZE, (intptr_t) conf->collector_threads, NULL},
        {MHD_OPTION_END, 0, NULL}};
    return MHD_start_daemon(
        flags, 0, NULL, NULL, handle, server, MHD_OPTION_EXTERNAL_LOGGER, ignore_log, NULL,
        MHD_OPTION_SOCK_ADDR, &address->any, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t) HEADER_BYTES_MAX, MHD_OPTION_CONNECTION_LIMIT,
        MAX(conf->collector_connections, conf->collector_threads),
        MHD_OPTION_CONNECTION_TIMEOUT, (guint) (conf->collector_timeout / G_USEC_PER_SEC),
        MHD_OPTION_NOTIFY_COMPLETED, complete, server, MHD_OPTION_NOTIFY_CONNECTION,
        notice_connection, server, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u,
        MHD_OPTION_ARRAY, conf->collector_threads > 1 ? pool : &pool[1], MHD_OPTION_END);
}

static void
free_server(MrgServer *server)
{
    mrg_collector_unref(server->collector);
    pthread_mutex_destroy(&server->mutex);
    g_free(server);
}

MrgServer *
mrg_server_start(MrgCollector *collector, GError **error)
{
    Address address;
    const char *listen = collector->conf->collector_listen;
    if (!parse_listen(listen, &address)) {
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG,
                    "%s:1:1: 'listen' in [collector] must be as 127.0.0.1:8025 or "
                    "[::1]:8025",
                    collector->conf->path);
        return NULL;
    }
    MrgServer *server = g_new0(MrgServer, 1);
    server->collector = mrg_collector_ref(collector);
    pthread_mutex_init(&server->mutex, NULL);
    errno = 0;
    server->daemon = start_daemon(server, &address);
    if (server->daemon)
        return server;
    g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG, "cannot listen on %s: %s", listen,
                g_strerror(errno));
    free_server(server);
    return NULL;
}

void
mrg_server_renew(MrgServer *server, MrgCollector *collector)
{
    MrgCollector *taken = mrg_collector_ref(collector);
    pthread_mutex_lock(&server->mutex);
    MrgCollector *before = server->collector;
    server->collector = taken;
    pthread_mutex_unlock(&server->mutex);
    mrg_collector_unref(before);
}

guint
mrg_server_port(const MrgServer *server)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info ? info->port : 0;
}

void
mrg_server_stop(MrgServer *server)
{
    int listening = MHD_quiesce_daemon(server->daemon);
    /* What waits for the store is let through; then nothing is suspended any more. */
    mrg_jobs_end(server->collector->lasting->jobs);
    gint64 until_us = g_get_monotonic_time() + DRAIN_US;
    while (__atomic_load_n(&server->n_open, __ATOMIC_ACQUIRE) > 0 &&
           g_get_monotonic_time() < until_us)
        g_usleep(DRAIN_STEP_US);
    MHD_stop_daemon(server->daemon);
    if (listening != MHD_INVALID_SOCKET)
        close(listening);
    free_server(server);
}
