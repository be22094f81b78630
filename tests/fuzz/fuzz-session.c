/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-session: what an MTA says on its connection, from the first byte on.
 *
 * Whatever comes, the session ends, nothing is read behind a packet, and each message that
 * it hands on came by a trusted way and is a campaign.
 */
#include "config.h"

#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "milter/intake/session.h"

/* Fits into the buffer of a socket. */
#define SIZE_MAX_BYTES 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const MrgIntakeRules *
acquire(gpointer *hold)
{
    static const char *const merging[] = {"merganser", NULL};
    static const char *const checking[] = {"campaign-check", NULL};
    static const char *const senders[] = {"tool", NULL};
    static const MrgIntakeRules rules = {merging, checking, senders, {20, 2000, 3000, 3}};
    *hold = NULL;
    return &rules;
}

static void
release(gpointer hold G_GNUC_UNUSED)
{
}

static MrgAnswer
take_message(gpointer hold G_GNUC_UNUSED, MrgEnvelope *envelope, const MrgMta *mta)
{
    g_assert_true(envelope->is_campaign);
    g_assert_cmpint(envelope->role, !=, MRG_ROLE_NONE);
    g_assert_cmpuint(envelope->body->len, <=, 3000 + 1);
    (void) mta->api->add_header(mta->context, "X-Seen", " yes");
    (void) mta->api->replace_body(mta->context, (const char *) envelope->body->data,
                                  envelope->body->len);
    return envelope->body->len % 2 ? MRG_ANSWER_ACCEPT : MRG_ANSWER_REJECT;
}

static void
ignore_log(const char *domain G_GNUC_UNUSED, GLogLevelFlags level G_GNUC_UNUSED,
           const char *text G_GNUC_UNUSED, gpointer data G_GNUC_UNUSED)
{
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const MrgIntakeHandler handler = {acquire, release, take_message};
    int fds[2];
    if (size > SIZE_MAX_BYTES)
        return -1;
    g_log_set_always_fatal(G_LOG_FATAL_MASK);
    g_log_set_default_handler(ignore_log, NULL);
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
    g_assert_cmpint(write(fds[0], data, size), ==, (ssize_t) size);
    shutdown(fds[0], SHUT_WR);
    /* A buffer that runs full ends the session instead of the test. */
    const struct timeval at_once = {.tv_usec = 1};
    g_assert_cmpint(setsockopt(fds[1], SOL_SOCKET, SO_SNDTIMEO, &at_once, sizeof at_once),
                    ==, 0);
    mrg_session_run(fds[1], &handler);
    close(fds[0]);
    close(fds[1]);
    return 0;
}
