/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store: what the mail path asks of a store, timed: fetch and load, then commit.
 *
 *   store PLUGIN PEOPLE THREADS SECONDS [SETTING=VALUE]...
 *
 * The store holds people 1 to PEOPLE, whose keys are the MD5 of their numbers in decimal
 * (store.py fills one); they are asked for evenly over all.  Each gets a history of up to
 * HISTORY_LINES copies.  $MRG_PLUGIN_DIR says where the plugins are.  Prints one JSON
 * object, times in microseconds.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "milter/registry.h"

#define HISTORY_LINES 8
#define ASK_US (10 * G_USEC_PER_SEC)

typedef struct Work {
    MrgStore *store;
    guint n, people;
    gint64 until_us;
    GArray *asks, *commits; /* gint64 */
} Work;

static const char *const names[] = {"FirstName", "Interest", "zone"};

static void
make_key(guint8 *bytes, const char *prefix, guint64 number)
{
    g_autofree char *text = g_strdup_printf("%s%" G_GUINT64_FORMAT, prefix, number);
    GChecksum *sum = g_checksum_new(G_CHECKSUM_MD5);
    gsize length = MRG_KEY_BYTES;
    g_checksum_update(sum, (const guchar *) text, -1);
    g_checksum_get_digest(sum, bytes, &length);
    g_checksum_free(sum);
}

/* The newest lines and one more. */
static char *
next_history(const MrgAccount *account)
{
    const char *start = account->history;
    guint n = 0;
    for (const char *at = account->history + account->history_length; at > start; at--)
        if (at[-1] == '\n' && n++ == HISTORY_LINES - 1)
            start = at;
    return g_strdup_printf("%s%" G_GINT64_FORMAT " promo spring\n", start,
                           g_get_real_time());
}

static MrgOutcome
outcome_of(const MrgState *state, const MrgMessageKey *message, const char *history)
{
    return (MrgOutcome){
        .person = state->own.key,
        .message = *message,
        .event = {.at_us = g_get_real_time(),
                  .campaign = "spring",
                  .class_name = "promo",
                  .sender = "shop.example",
                  .tags = "",
                  .verdict = MRG_VERDICT_DELIVER,
                  .reason = "ok: bench"},
        .version = state->own.version,
        .history = history,
        .history_length = strlen(history),
        .is_final = TRUE,
    };
}

static gboolean
ask_and_commit(Work *work, GRand *random, MrgArena *arena)
{
    g_autoptr(GError) error = NULL;
    MrgPersonKey person;
    MrgMessageKey message;
    MrgField fields[G_N_ELEMENTS(names)];
    MrgState state;
    make_key(person.bytes, "", 1 + g_rand_int(random) % work->people);
    make_key(message.bytes, "m", ((guint64) g_rand_int(random) << 32) + g_rand_int(random));
    gint64 start_us = g_get_monotonic_time(), by_us = start_us + ASK_US;
    if (mrg_store_fetch_and_load(work->store, &person, names, G_N_ELEMENTS(names), fields,
                                 &message, NULL, 0, &state, arena, by_us,
                                 &error) != MRG_FETCH_HIT)
        g_error("fetch: %s", error ? error->message : "nobody there");
    gint64 middle_us = g_get_monotonic_time();
    g_autofree char *history = next_history(&state.own);
    MrgOutcome outcome = outcome_of(&state, &message, history);
    MrgCommit result = mrg_store_commit(work->store, &outcome, by_us, &error);
    if (result == MRG_COMMIT_ERROR)
        g_error("commit: %s", error->message);
    gint64 end_us = g_get_monotonic_time();
    gint64 ask_us = middle_us - start_us, commit_us = end_us - middle_us;
    g_array_append_val(work->asks, ask_us);
    g_array_append_val(work->commits, commit_us);
    return end_us < work->until_us;
}

static gpointer
run(gpointer data)
{
    Work *work = data;
    GRand *random = g_rand_new_with_seed(work->n ^ (guint32) g_get_real_time());
    MrgArena *arena = mrg_arena_new();
    while (ask_and_commit(work, random, arena))
        mrg_arena_reset(arena);
    mrg_arena_free(arena);
    g_rand_free(random);
    return NULL;
}

/* ---- results ----------------------------------------------------------- */

static int
compare(gconstpointer a, gconstpointer b)
{
    gint64 one = *(const gint64 *) a, other = *(const gint64 *) b;
    return (one > other) - (one < other);
}

static gint64
quantile(GArray *times, double part)
{
    g_array_sort(times, compare);
    return g_array_index(times, gint64, (guint) ((times->len - 1) * part));
}

static double
mean(const GArray *times)
{
    double sum = 0;
    for (guint i = 0; i < times->len; i++)
        sum += (double) g_array_index(times, gint64, i);
    return sum / times->len;
}

static void
report(Work *works, guint n, double seconds)
{
    for (guint i = 1; i < n; i++) {
        g_array_append_vals(works->asks, works[i].asks->data, works[i].asks->len);
        g_array_append_vals(works->commits, works[i].commits->data, works[i].commits->len);
    }
    printf("{\"threads\": %u, \"per_second\": %.0f, \"ask_us\": %" G_GINT64_FORMAT
           ", \"ask_p99_us\": %" G_GINT64_FORMAT ", \"commit_us\": %" G_GINT64_FORMAT
           ", \"commit_p99_us\": %" G_GINT64_FORMAT
           ", \"ask_mean_us\": %.1f, \"commit_mean_us\": %.1f}\n",
           n, works->asks->len / seconds, quantile(works->asks, 0.5),
           quantile(works->asks, 0.99), quantile(works->commits, 0.5),
           quantile(works->commits, 0.99), mean(works->asks), mean(works->commits));
}

static void
run_all(MrgStore *store, guint people, guint n, double seconds)
{
    g_autofree Work *works = g_new0(Work, n);
    g_autofree GThread **threads = g_new0(GThread *, n);
    gint64 start_us = g_get_monotonic_time();
    for (guint i = 0; i < n; i++) {
        works[i] = (Work){store,
                          i,
                          people,
                          start_us + (gint64) (seconds * G_USEC_PER_SEC),
                          g_array_new(FALSE, FALSE, sizeof(gint64)),
                          g_array_new(FALSE, FALSE, sizeof(gint64))};
        threads[i] = g_thread_new("ask", run, &works[i]);
    }
    for (guint i = 0; i < n; i++)
        g_thread_join(threads[i]);
    double took = (double) (g_get_monotonic_time() - start_us) / G_USEC_PER_SEC;
    report(works, n, took);
    for (guint i = 0; i < n; i++) {
        g_array_free(works[i].asks, TRUE);
        g_array_free(works[i].commits, TRUE);
    }
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    if (argc < 5) {
        fprintf(stderr, "usage: store PLUGIN PEOPLE THREADS SECONDS [SETTING=VALUE]...\n");
        return 64;
    }
    gsize n = (gsize) argc - 5;
    g_autofree MrgSetting *settings = g_new0(MrgSetting, n + 1);
    for (gsize i = 0; i < n; i++) {
        char *equals = strchr(argv[5 + i], '=');
        if (!equals)
            g_error("%s: SETTING=VALUE", argv[5 + i]);
        *equals = '\0';
        settings[i] = (MrgSetting){argv[5 + i], equals + 1};
    }
    MrgStore *store =
        mrg_store_open(g_getenv("MRG_PLUGIN_DIR"), argv[1], settings, n, &error);
    if (!store)
        g_error("%s", error->message);
    guint people = MAX(1, (guint) g_ascii_strtoull(argv[2], NULL, 10));
    guint n_threads = CLAMP((guint) g_ascii_strtoull(argv[3], NULL, 10), 1, 256);
    run_all(store, people, n_threads, g_ascii_strtod(argv[4], NULL));
    mrg_store_close(store);
    return 0;
}
