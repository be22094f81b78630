/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cap report: how much mail people get a week, who is at a cap, and how complaints and
 * unsubscribes go with frequency.
 */
#include "config.h"

#include <string.h>

#include "ctl/replay.h"
#include "ctl/terminal.h"
#include "ctl/words.h"
#include "milter/clock.h"
#include "milter/policy/adaptive.h"
#include "milter/policy/cap.h"

#define BUCKETS 15 /* the last one is open */
#define BAR_CELLS 40
#define WEEK_US (7 * 86400 * MRG_SECOND_US)
#define STEP_EVENTS 8192
#define RESET_EVENTS 64

typedef struct Bucket {
    guint64 n_people, n_mails, n_complained, n_unsubscribed;
} Bucket;

typedef struct Report {
    MrgReplay replay;
    const MrgPolicy *policy;
    gint64 since_us, now_us;
    Bucket buckets[BUCKETS]; /* [n]: over n - 1 to n mails a week; [0]: none */
    guint64 *n_at_cap;       /* people at each cap now */
    guint64 n_events;
    guint64 n_strays;
    MrgArena *arena; /* of one event or person */
    MrgProgress progress;
} Report;

static gboolean
visit_event(const MrgPersonKey *key, const MrgEvent *event, gpointer context)
{
    Report *self = context;
    if (++self->n_events % STEP_EVENTS == 0)
        mrg_progress_step(&self->progress, self->n_events, 0);
    if (!mrg_replay_is_sent(event))
        return TRUE;
    MrgReplayPerson *person = mrg_replay_person(&self->replay, key);
    person->n_counted += event->at_us >= self->since_us;
    mrg_replay_add(&self->replay, person, event, 0, self->arena);
    if (self->n_events % RESET_EVENTS == 0)
        mrg_arena_reset(self->arena);
    return TRUE;
}

static Bucket *
bucket_of(Report *self, guint n_mails)
{
    double weeks = MAX((double) (self->now_us - self->since_us) / WEEK_US, 1);
    guint at = (guint) ((double) n_mails / weeks);
    at += (double) at < (double) n_mails / weeks;
    return &self->buckets[MIN(at, BUCKETS - 1)];
}

static gboolean
visit_suppression(const MrgPersonKey *key, const MrgSuppression *suppression,
                  gpointer context)
{
    Report *self = context;
    if (suppression->at_us < self->since_us)
        return TRUE;
    const MrgReplayPerson *person = g_hash_table_lookup(self->replay.people, key);
    Bucket *bucket = bucket_of(self, person ? person->n_counted : 0);
    bucket->n_complained += strcmp(suppression->reason, "complained") == 0;
    bucket->n_unsubscribed += strcmp(suppression->reason, "unsubscribed") == 0;
    return TRUE;
}

/* Without what is reserved: mail of every class is at the cap then. */
static guint
limit_of(const MrgCap *cap, const MrgStateView *view, gint64 now_us)
{
    return cap->is_adaptive ? mrg_adaptive_limit(cap, view, now_us) : cap->limit;
}

static void
sort_person(Report *self, MrgReplayPerson *person)
{
    static const MrgCandidate anyone = {.campaign = "", .class_name = ""};
    MrgState state;
    MrgStateView view;
    Bucket *bucket = bucket_of(self, person->n_counted);
    bucket->n_people++;
    bucket->n_mails += person->n_counted;
    self->n_strays += mrg_replay_is_stray(&self->replay, person);
    mrg_replay_view(person, self->now_us, &state, &view);
    for (gsize i = 0; i < self->policy->n_caps; i++) {
        const MrgCap *cap = &self->policy->caps[i];
        self->n_at_cap[i] += mrg_cap_used(cap, &view, &anyone, self->now_us) >=
                             limit_of(cap, &view, self->now_us);
    }
}

static void
sort_people(Report *self)
{
    GHashTableIter each;
    gpointer data;
    g_hash_table_iter_init(&each, self->replay.people);
    while (g_hash_table_iter_next(&each, NULL, &data)) {
        MrgReplayPerson *person = data;
        if (person->has_events)
            sort_person(self, person);
    }
}

/* ---- results ---- */

static double
share(guint64 part, guint64 whole)
{
    return whole ? 100.0 * (double) part / (double) whole : 0;
}

static void
print_bucket(const Bucket *bucket, guint at, guint64 n_most, guint64 n_people)
{
    char bar[BAR_CELLS + 1] = "";
    guint filled = n_most ? (guint) (bucket->n_people * BAR_CELLS / n_most) : 0;
    memset(bar, '#', MIN(filled, BAR_CELLS));
    g_autofree char *label = at + 1 == BUCKETS ? g_strdup_printf("over %u", at - 1)
                             : at              ? g_strdup_printf("up to %u", at)
                                               : g_strdup("none");
    g_print("%-8s %-40s %9" G_GUINT64_FORMAT " %5.1f%% %9.3f%% %9.3f%%\n", label, bar,
            bucket->n_people, share(bucket->n_people, n_people),
            share(bucket->n_complained, bucket->n_people),
            share(bucket->n_unsubscribed, bucket->n_people));
}

static void
print_table(const Report *self)
{
    guint64 n_people = self->replay.n_people, n_most = 0;
    for (guint i = 0; i < BUCKETS; i++)
        n_most = MAX(n_most, self->buckets[i].n_people);
    g_print("%-8s %-40s %9s %6s %10s %10s\n", "a week", "", "people", "share", "complain",
            "unsubscr.");
    for (guint i = 0; i < BUCKETS; i++)
        if (self->buckets[i].n_people || self->buckets[i].n_complained ||
            self->buckets[i].n_unsubscribed)
            print_bucket(&self->buckets[i], i, n_most, n_people);
    for (gsize i = 0; i < self->policy->n_caps; i++)
        g_print("at cap %-20s %9" G_GUINT64_FORMAT " people, %.1f%%\n",
                self->policy->caps[i].name, self->n_at_cap[i],
                share(self->n_at_cap[i], n_people));
    if (self->n_strays)
        g_print("%" G_GUINT64_FORMAT " people have no profile, so that their domain is not "
                "known: each counts alone\n",
                self->n_strays);
}

static void
print_json(const Report *self)
{
    json_t *buckets = json_array(), *caps = json_array();
    g_autofree char *since = mrg_time_exact(self->since_us);
    for (guint i = 0; i < BUCKETS; i++) {
        const Bucket *bucket = &self->buckets[i];
        json_t *most = i + 1 == BUCKETS ? json_null() : json_integer(i);
        json_array_append_new(buckets,
                              json_pack("{s:o,s:I,s:I,s:I,s:I}", "mails_a_week_at_most",
                                        most, "people", (json_int_t) bucket->n_people,
                                        "mails", (json_int_t) bucket->n_mails, "complained",
                                        (json_int_t) bucket->n_complained, "unsubscribed",
                                        (json_int_t) bucket->n_unsubscribed));
    }
    for (gsize i = 0; i < self->policy->n_caps; i++)
        json_array_append_new(caps,
                              json_pack("{s:s,s:I}", "cap", self->policy->caps[i].name,
                                        "people_at_it", (json_int_t) self->n_at_cap[i]));
    mrg_print_json(json_pack("{s:s,s:I,s:I,s:o,s:o}", "since", since, "people",
                             (json_int_t) self->replay.n_people, "people_of_unknown_domain",
                             (json_int_t) self->n_strays, "weeks", buckets, "caps", caps));
}

/* ---- the verb ---- */

static gboolean
read_all(Report *self, MrgPeople *people, GError **error)
{
    gint64 from_us = MIN(self->since_us, self->now_us - self->replay.horizon_us);
    return mrg_replay_read(&self->replay, people, self->now_us, error) &&
           mrg_store_events_since(people->store, from_us, visit_event, self, error) &&
           mrg_store_suppressions(people->store, NULL, self->now_us, G_MAXINT32,
                                  visit_suppression, self, error);
}

static int
report(MrgPeople *people, const MrgTool *tool, gint64 since_us, gint64 now_us)
{
    g_autoptr(GError) error = NULL;
    const MrgPolicy *policy = &people->conf->policy;
    Report self = {.policy = policy,
                   .since_us = since_us,
                   .now_us = now_us,
                   .n_at_cap = g_new0(guint64, policy->n_caps),
                   .arena = people->arena};
    mrg_replay_init(&self.replay, policy);
    mrg_progress_begin(&self.progress, "events", NULL);
    gboolean is_done = read_all(&self, people, &error);
    mrg_progress_end(&self.progress);
    if (is_done) {
        sort_people(&self);
        if (tool->is_json)
            print_json(&self);
        else
            print_table(&self);
    }
    mrg_replay_clear(&self.replay);
    g_free(self.n_at_cap);
    return is_done ? EX_OK : mrg_verb_fail(error);
}

int
mrg_verb_cap_report(MrgTool *tool, int argc, char **argv)
{
    g_autofree char *since = NULL;
    const GOptionEntry entries[] = {{"since", 0, 0, G_OPTION_ARG_STRING, &since,
                                     "mail from then on: how long ago, or a date (28d)",
                                     "TIME|DURATION"},
                                    {0}};
    g_auto(MrgPeople) people = {0};
    gint64 now_us = mrg_clock_now_us(), since_us;
    int code = mrg_verb_parse(tool, &argc, &argv, entries, 0);
    if (!code)
        code = mrg_since_read(since ? since : "28d", now_us, &since_us);
    if (!code)
        code = mrg_people_open(&people, tool);
    return code ? code : report(&people, tool, since_us, now_us);
}
