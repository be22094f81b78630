/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cap simulate: what caps would have done to the mail of the last weeks.
 *
 * The recorded copies go, in their order, through the function that the milter asks
 * (policy/decide.h) under the rules in question; what those would have let through is what
 * the next one counts.  Copies that a suppression or a missing consent stopped stay away;
 * those that were deferred or held are counted when they went.  Each person's zone is the
 * configured one.  What is recorded no more is said beneath the result: of whom the domain
 * is not known, and how many copies an adaptive cap judged by fewer acts than it looks at.
 */
#include "config.h"

#include <string.h>

#include "ctl/replay.h"
#include "ctl/terminal.h"
#include "ctl/words.h"
#include "milter/clock.h"

#define STEP_EVENTS 8192
#define RESET_EVENTS 64 /* a long account takes some KiB for each */
#define CAP_GATE "cap: "

typedef struct Tally {
    guint64 n_mails, n_withheld, n_people;
} Tally;

typedef struct Simulation {
    MrgReplay replay;
    const MrgPolicy *policy;
    const MrgZone *zone;
    gint64 since_us, now_us;
    GHashTable *classes; /* Tally by name */
    GHashTable *caps;    /* the same, of those that withheld */
    Tally all;
    guint64 n_events;
    guint64 n_were_withheld; /* by the caps that were in force */
    guint64 n_strays;        /* people */
    guint64 n_lacking;       /* mails */
    MrgArena *arena;
    MrgProgress progress;
} Simulation;

static Tally *
tally_of(GHashTable *table, const char *name)
{
    Tally *tally = g_hash_table_lookup(table, name);
    if (!tally) {
        tally = g_new0(Tally, 1);
        g_hash_table_insert(table, g_strdup(name), tally);
    }
    return tally;
}

static gboolean
is_by_cap(const char *reason)
{
    return g_str_has_prefix(reason, CAP_GATE);
}

/* Whether a cap alone decided, and for good, or nothing did. */
static gboolean
is_counted(const MrgEvent *event)
{
    return mrg_replay_is_sent(event) ||
           ((event->verdict == MRG_VERDICT_DROP || event->verdict == MRG_VERDICT_REJECT) &&
            is_by_cap(event->reason));
}

/* That of "cap: NAME (...)". */
static Tally *
tally_of_cap(Simulation *self, const char *reason)
{
    const char *name = reason + strlen(CAP_GATE);
    g_autofree char *cap = g_strndup(name, strcspn(name, " "));
    return tally_of(self->caps, cap);
}

static void
count(Simulation *self, MrgReplayPerson *person, const MrgEvent *event,
      const MrgDecision *decision)
{
    Tally *tally = tally_of(self->classes, event->class_name);
    self->all.n_mails++;
    tally->n_mails++;
    self->n_were_withheld += is_by_cap(event->reason);
    self->n_lacking += mrg_replay_lacks_acts(&self->replay, person, event->at_us);
    if (!is_by_cap(decision->reason))
        return;
    tally->n_withheld++;
    tally_of_cap(self, decision->reason)->n_withheld++;
    self->all.n_withheld++;
    self->all.n_people += person->n_withheld++ == 0;
}

static void
step(Simulation *self)
{
    self->n_events++;
    if (self->n_events % RESET_EVENTS == 0)
        mrg_arena_reset(self->arena);
    if (self->n_events % STEP_EVENTS == 0)
        mrg_progress_step(&self->progress, self->n_events, 0);
}

static gboolean
visit(const MrgPersonKey *key, const MrgEvent *event, gpointer context)
{
    Simulation *self = context;
    step(self);
    if (!is_counted(event))
        return TRUE;
    guint64 n_before = self->replay.n_people;
    MrgReplayPerson *person = mrg_replay_person(&self->replay, key);
    if (self->replay.n_people > n_before)
        self->n_strays += mrg_replay_is_stray(&self->replay, person);
    const MrgCandidate candidate = {.campaign = event->campaign,
                                    .class_name = event->class_name,
                                    .sender = event->sender,
                                    .tags = event->tags,
                                    .zone = self->zone};
    MrgState state;
    MrgStateView view;
    MrgDecision decision;
    mrg_replay_view(person, event->at_us, &state, &view);
    mrg_decide(self->policy, &view, &candidate, event->at_us, self->arena, &decision);
    if (event->at_us >= self->since_us)
        count(self, person, event, &decision);
    if (decision.verdict == MRG_VERDICT_DELIVER || decision.verdict == MRG_VERDICT_HOLD)
        mrg_replay_add(&self->replay, person, event, decision.retry_at_us, self->arena);
    return TRUE;
}

/* ---- results ---- */

static double
share(guint64 part, guint64 whole)
{
    return whole ? 100.0 * (double) part / (double) whole : 0;
}

static json_t *
tallies_json(GHashTable *table, const char *name_of)
{
    json_t *list = json_array();
    g_autoptr(GList) names =
        g_list_sort(g_hash_table_get_keys(table), (GCompareFunc) strcmp);
    for (GList *name = names; name; name = name->next) {
        const Tally *tally = g_hash_table_lookup(table, name->data);
        json_array_append_new(list, json_pack("{s:s,s:I,s:I}", name_of, name->data, "mails",
                                              (json_int_t) tally->n_mails, "withheld",
                                              (json_int_t) tally->n_withheld));
    }
    return list;
}

static void
print_json(const Simulation *self)
{
    g_autofree char *since = mrg_time_exact(self->since_us);
    json_t *caps = tallies_json(self->caps, "cap"), *each;
    gsize i;
    json_array_foreach(caps, i, each) json_object_del(each, "mails");
    mrg_print_json(json_pack(
        "{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:o}", "since", since, "mails",
        (json_int_t) self->all.n_mails, "people", (json_int_t) self->replay.n_people,
        "withheld", (json_int_t) self->all.n_withheld, "people_affected",
        (json_int_t) self->all.n_people, "were_withheld",
        (json_int_t) self->n_were_withheld, "people_of_unknown_domain",
        (json_int_t) self->n_strays, "mails_without_all_acts", (json_int_t) self->n_lacking,
        "classes", tallies_json(self->classes, "class"), "caps", caps));
}

/* What the result does not know. */
static void
print_gaps(const Simulation *self)
{
    if (self->n_strays)
        g_print("%" G_GUINT64_FORMAT " of the people have no profile, so that their domain "
                "is not known: each counts alone\n",
                self->n_strays);
    if (self->replay.adaptive_us)
        g_print("adaptive caps go by the acts that are kept and by today's consents to a "
                "profile; for %" G_GUINT64_FORMAT " mails they look further back\n",
                self->n_lacking);
}

static void
print_table(const Simulation *self)
{
    g_autoptr(GList) classes =
        g_list_sort(g_hash_table_get_keys(self->classes), (GCompareFunc) strcmp);
    g_autoptr(GList) caps =
        g_list_sort(g_hash_table_get_keys(self->caps), (GCompareFunc) strcmp);
    g_print("%-24s %12s %12s %8s\n", "class", "mails", "withheld", "share");
    for (GList *name = classes; name; name = name->next) {
        const Tally *tally = g_hash_table_lookup(self->classes, name->data);
        g_print("%-24s %12" G_GUINT64_FORMAT " %12" G_GUINT64_FORMAT " %7.1f%%\n",
                (const char *) name->data, tally->n_mails, tally->n_withheld,
                share(tally->n_withheld, tally->n_mails));
    }
    g_print("%-24s %12" G_GUINT64_FORMAT " %12" G_GUINT64_FORMAT " %7.1f%%\n\n", "all",
            self->all.n_mails, self->all.n_withheld,
            share(self->all.n_withheld, self->all.n_mails));
    for (GList *name = caps; name; name = name->next)
        g_print("cap %-20s withholds %" G_GUINT64_FORMAT "\n", (const char *) name->data,
                ((const Tally *) g_hash_table_lookup(self->caps, name->data))->n_withheld);
    g_print("%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
            " people would get less; the caps that were in force withheld "
            "%" G_GUINT64_FORMAT "\n",
            self->all.n_people, self->replay.n_people, self->n_were_withheld);
    print_gaps(self);
}

/* ---- rules ---- */

/* "NAME limit=3 per=7d" as a section. */
static int
append_cap(GString *text, const char *cap)
{
    g_auto(GStrv) words = g_strsplit_set(cap, " \t,", -1);
    gboolean has_name = FALSE;
    for (char **word = words; *word; word++) {
        char *equals = strchr(*word, '=');
        if (!**word)
            continue;
        if (!has_name && equals)
            break;
        if (!has_name)
            g_string_append_printf(text, "[cap %s]\n", *word);
        else if (equals)
            g_string_append_printf(text, "%.*s = %s\n", (int) (equals - *word), *word,
                                   equals + 1);
        else
            return mrg_verb_usage("--cap is 'NAME limit=3 per=7d ...'");
        has_name = TRUE;
    }
    return has_name ? EX_OK : mrg_verb_usage("--cap is 'NAME limit=3 per=7d ...'");
}

/* The rules in question; *conf stays NULL for those in force. */
static int
read_rules(char **caps, const char *path, MrgConf **conf)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) text = g_string_new("[schema]\nfile =\n");
    int code = EX_OK;
    if (!caps && !path)
        return EX_OK;
    for (char **cap = caps; cap && *cap && !code; cap++)
        code = append_cap(text, *cap);
    if (code)
        return code;
    *conf = caps ? mrg_conf_parse("--cap", text->str, &error) : mrg_conf_load(path, &error);
    return *conf ? EX_OK : mrg_verb_fail(error);
}

/* ---- the verb ---- */

typedef struct Request {
    char **caps;
    char *conf_path, *since;
} Request;

static int
simulate(MrgPeople *people, const MrgTool *tool, const MrgPolicy *policy, gint64 since_us,
         gint64 now_us)
{
    g_autoptr(GError) error = NULL;
    Simulation self = {
        .policy = policy,
        .zone = mrg_zone_find(people->conf->render_timezone, NULL),
        .since_us = since_us,
        .now_us = now_us,
        .arena = people->arena,
        .classes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
        .caps = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free)};
    mrg_replay_init(&self.replay, policy);
    mrg_progress_begin(&self.progress, "events", NULL);
    gboolean is_done =
        mrg_replay_read(&self.replay, people, now_us, &error) &&
        mrg_store_events_since(people->store, since_us - self.replay.horizon_us, visit,
                               &self, &error);
    mrg_progress_end(&self.progress);
    if (is_done && tool->is_json)
        print_json(&self);
    else if (is_done)
        print_table(&self);
    mrg_replay_clear(&self.replay);
    g_hash_table_unref(self.classes);
    g_hash_table_unref(self.caps);
    return is_done ? EX_OK : mrg_verb_fail(error);
}

static int
run(const Request *request, const MrgTool *tool)
{
    g_auto(MrgPeople) people = {0};
    g_autoptr(MrgConf) rules = NULL;
    gint64 now_us = mrg_clock_now_us(), since_us;
    if (request->caps && request->conf_path)
        return mrg_verb_usage("--cap and --conf exclude each other");
    int code = mrg_since_read(request->since ? request->since : "30d", now_us, &since_us);
    if (!code)
        code = read_rules(request->caps, request->conf_path, &rules);
    if (!code)
        code = mrg_people_open(&people, tool);
    if (code)
        return code;
    MrgPolicy policy = rules ? rules->policy : people.conf->policy;
    /* Who agreed and who did not is no question of caps. */
    policy.consent_default = MRG_CONSENT_GRANTED;
    /* Nor is when a copy goes out. */
    policy.n_quiets = 0;
    return simulate(&people, tool, &policy, since_us, now_us);
}

int
mrg_verb_cap_simulate(MrgTool *tool, int argc, char **argv)
{
    Request request = {0};
    const GOptionEntry entries[] = {
        {"cap", 0, 0, G_OPTION_ARG_STRING_ARRAY, &request.caps,
         "a cap to try, 'NAME limit=3 per=7d ...'; may be repeated; only these count",
         "CAP"},
        {"conf", 0, 0, G_OPTION_ARG_FILENAME, &request.conf_path,
         "the caps of this configuration", "FILE"},
        {"since", 0, 0, G_OPTION_ARG_STRING, &request.since,
         "mail from then on: how long ago, or a date (30d)", "TIME|DURATION"},
        {0}};
    int code = mrg_verb_parse(tool, &argc, &argv, entries, 0);
    if (!code)
        code = run(&request, tool);
    g_strfreev(request.caps);
    g_free(request.conf_path);
    g_free(request.since);
    return code;
}
