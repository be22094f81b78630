/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token: whether a forged token is ever accepted, and whether its refusal tells by the time
 * what was wrong with it.
 *
 *   token [N]     N forged ones (10,000,000), then the median time of a refusal by kind
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "milter/stamp/token.h"

#define TIMED 20001

typedef enum {
    FORGED_RANDOM,
    FORGED_CHANGED,
    FORGED_SHORT,
    FORGED_VERSION,
    FORGED_KEY,
    FORGED_FOREIGN,
    FORGED_PURPOSE,
    FORGED_CHARACTER,
    FORGED_KINDS
} Forged;

static const char *const names[] = {"random characters",       "one character changed",
                                    "a character short",       "another version",
                                    "a key that is not there", "of another ring",
                                    "for another purpose",     "no base64"};
static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static MrgKeyring *ring, *foreign;
static double times_ns[FORGED_KINDS][TIMED];

static void
change(char *text, gsize at)
{
    char before = text[at];
    while (text[at] == before)
        text[at] = alphabet[g_random_int() & 63];
}

/* Gives its length. */
static gsize
forge(Forged kind, char *text)
{
    const MrgToken token = {.purpose = MRG_TOKEN_CLICK,
                            .campaign = g_random_int(),
                            .message = g_random_int(),
                            .link = (guint16) g_random_int()};
    mrg_token_seal(kind == FORGED_FOREIGN ? foreign : ring, &token, text);
    if (kind == FORGED_RANDOM)
        for (gsize i = 3; i < MRG_TOKEN_LENGTH; i++)
            text[i] = alphabet[g_random_int() & 63];
    else if (kind == FORGED_CHANGED)
        change(text, g_random_int() % MRG_TOKEN_LENGTH);
    else if (kind == FORGED_VERSION)
        text[0] = 'B';
    else if (kind == FORGED_KEY)
        text[1] = 'R';
    else if (kind == FORGED_CHARACTER)
        text[0] = '*';
    return MRG_TOKEN_LENGTH - (kind == FORGED_SHORT ? 1 : 0);
}

static gboolean
is_accepted(Forged kind, const char *text, gsize length)
{
    MrgToken token;
    char target[MRG_TARGET_MAX + 1];
    MrgTokenPurpose purpose = kind == FORGED_PURPOSE ? MRG_TOKEN_OPEN : MRG_TOKEN_CLICK;
    return mrg_token_open(ring, text, length, purpose, &token, target);
}

static void
try(guint64 n)
{
    char text[MRG_TOKEN_LENGTH + 1];
    guint64 n_accepted = 0;
    for (guint64 i = 0; i < n; i++) {
        Forged kind = (Forged) (i % FORGED_KINDS);
        gsize length = forge(kind, text);
        n_accepted += is_accepted(kind, text, length);
    }
    printf("%" G_GUINT64_FORMAT " forged, %" G_GUINT64_FORMAT " accepted\n", n, n_accepted);
}

static int
compare(const void *a, const void *b)
{
    double one = *(const double *) a, other = *(const double *) b;
    return one < other ? -1 : one > other;
}

/* Kinds take turns, so that whatever else the machine does meets all of them. */
static void
measure(void)
{
    char text[MRG_TOKEN_LENGTH + 1];
    struct timespec began, ended;
    for (gsize i = 0; i < TIMED; i++)
        for (int kind = 0; kind < FORGED_KINDS; kind++) {
            gsize length = forge((Forged) kind, text);
            clock_gettime(CLOCK_MONOTONIC, &began);
            is_accepted((Forged) kind, text, length);
            clock_gettime(CLOCK_MONOTONIC, &ended);
            times_ns[kind][i] = (double) (ended.tv_sec - began.tv_sec) * 1e9 +
                                (double) (ended.tv_nsec - began.tv_nsec);
        }
    for (gsize kind = 0; kind < FORGED_KINDS; kind++) {
        qsort(times_ns[kind], TIMED, sizeof(double), compare);
        printf("%-24s %5.0f ns\n", names[kind], times_ns[kind][TIMED / 2]);
    }
}

int
main(int argc, char **argv)
{
    ring = mrg_keyring_new_ephemeral(NULL);
    foreign = mrg_keyring_new_ephemeral(NULL);
    try(argc > 1 ? g_ascii_strtoull(argv[1], NULL, 10) : 10000000);
    measure();
    mrg_keyring_unref(ring);
    mrg_keyring_unref(foreign);
    return 0;
}
