/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of stores: accounts, histories, events, numbers. */
#include "config.h"

#include <string.h>

#include "tests/unit/store-fixture.h"

#define N_THREADS 8
#define CAP 3
#define COPIES_EACH 6

static MrgState
load_shared(MrgStore *store, MrgArena *arena, guint who, guint what, guint domain,
            guint household)
{
    g_autoptr(GError) error = NULL;
    MrgPersonKey key = person(who), shared[] = {person(domain), person(household)};
    MrgMessageKey copy = message(what);
    MrgState state;
    memset(&state, 0xff, sizeof state);
    mrg_store_load(store, &key, &copy, shared, 2, &state, arena, soon(), &error);
    g_assert_no_error(error);
    g_assert_cmpuint(state.n_shared, ==, 2);
    for (gsize i = 0; i < 2; i++)
        g_assert_cmpmem(&state.shared[i].key, sizeof shared[i], &shared[i],
                        sizeof shared[i]);
    return state;
}

static MrgOutcome
outcome_of(guint who, guint what, const MrgState *state, const char *history)
{
    MrgOutcome made = outcome(who, what, state->own.version, history);
    made.n_shared = state->n_shared;
    for (gsize i = 0; i < state->n_shared; i++) {
        made.shared[i] = state->shared[i];
        made.shared[i].history = history;
        made.shared[i].history_length = history ? strlen(history) : 0;
    }
    return made;
}

static void
assert_histories(const MrgState *state, const char *own, const char *domain,
                 const char *household)
{
    g_assert_cmpmem(state->own.history, state->own.history_length, own, strlen(own));
    g_assert_cmpmem(state->shared[0].history, state->shared[0].history_length, domain,
                    strlen(domain));
    g_assert_cmpmem(state->shared[1].history, state->shared[1].history_length, household,
                    strlen(household));
}

/* ---- shared accounts ---------------------------------------------------- */

static void
shared_accounts_are_written_with_ones_own(Fixture *fixture,
                                          gconstpointer plugin G_GNUC_UNUSED)
{
    MrgState empty = load_shared(fixture->store, fixture->arena, 1, 1, 50, 60);
    g_assert_cmpuint(empty.shared[0].version + empty.shared[1].version, ==, 0);
    assert_histories(&empty, "", "", "");

    MrgOutcome what = outcome_of(1, 1, &empty, "first");
    what.shared[1].history = "home";
    what.shared[1].history_length = 4;
    g_assert_cmpint(commit(fixture, &what), ==, MRG_COMMIT_DONE);
    MrgState state = load_shared(fixture->store, fixture->arena, 1, 2, 50, 60);
    assert_histories(&state, "first", "first", "home");
    g_assert_cmpuint(state.shared[0].version, >, 0);

    MrgState swapped = load_shared(fixture->store, fixture->arena, 2, 2, 60, 50);
    g_assert_cmpuint(swapped.own.version, ==, 0);
    assert_histories(&swapped, "", "home", "first");

    what = outcome_of(1, 2, &state, NULL);
    g_assert_cmpint(commit(fixture, &what), ==, MRG_COMMIT_DONE);
    MrgState after = load_shared(fixture->store, fixture->arena, 1, 2, 50, 60);
    assert_histories(&after, "first", "first", "home");
    g_assert_cmpuint(after.shared[0].version, >, state.shared[0].version);
    g_assert_cmpint(fetch(fixture, 50, NULL, 0, NULL), ==, MRG_FETCH_MISS);
}

static void
one_stale_account_stops_all(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    MrgState state = load_shared(fixture->store, fixture->arena, 1, 1, 50, 60);
    MrgOutcome what = outcome_of(1, 1, &state, "first");
    g_assert_cmpint(commit(fixture, &what), ==, MRG_COMMIT_DONE);
    state = load_shared(fixture->store, fixture->arena, 1, 2, 50, 60);
    for (guint stale = 0; stale < 3; stale++) {
        what = outcome_of(1, 2, &state, "lost");
        what.event.verdict = MRG_VERDICT_HOLD;
        what.host = "mx1";
        what.queue_id = "4ABC";
        *(stale == 2 ? &what.version : &what.shared[stale].version) += 1;
        g_assert_cmpint(commit(fixture, &what), ==, MRG_COMMIT_CONFLICT);
        *(stale == 2 ? &what.version : &what.shared[stale].version) = 0;
        g_assert_cmpint(commit(fixture, &what), ==, MRG_COMMIT_CONFLICT);
    }
    MrgState after = load_shared(fixture->store, fixture->arena, 1, 2, 50, 60);
    assert_histories(&after, "first", "first", "first");
    g_assert_false(after.is_repeat);
    g_assert_cmpuint(after.own.version, ==, state.own.version);
    g_assert_cmpuint(after.shared[0].version, ==, state.shared[0].version);
    g_autofree char *events = events_text(fixture, 1, 9);
    g_autofree char *holds = holds_text(fixture, NULL, NULL, G_MAXINT64);
    g_assert_cmpstr(events, ==, "1 deliver spring\n");
    g_assert_cmpstr(holds, ==, "");
}

static void
an_outcome_that_cannot_be_stored_is_refused(Fixture *fixture,
                                            gconstpointer plugin G_GNUC_UNUSED)
{
    MrgOutcome faults[8];
    for (gsize i = 0; i < G_N_ELEMENTS(faults); i++)
        faults[i] = outcome(1, 1, 0, "x");
    g_autofree char *long_text = g_strnfill(9000, 'x');
    faults[0].event.reason = "\xff";
    faults[1].event.reason = long_text;
    faults[2].history = "\xff";
    faults[3].n_shared = MRG_SHARED_MAX + 1;
    faults[4].n_shared = 1;
    faults[4].shared[0].key = person(1);
    faults[5].event.verdict = (MrgVerdict) 9;
    faults[6].event.verdict = MRG_VERDICT_HOLD;
    faults[6].host = "mx1";
    faults[6].queue_id = "";
    faults[7].event.at_us = -1;
    for (gsize i = 0; i < G_N_ELEMENTS(faults); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_cmpint(mrg_store_commit(fixture->store, &faults[i], soon(), &error), ==,
                        MRG_COMMIT_ERROR);
        g_assert_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_CORRUPT);
    }
    g_assert_cmpuint(load(fixture, 1, 1).own.version, ==, 0);
}

/* ---- fetch and load ------------------------------------------------------ */

static void
assert_loads_both(const Fixture *fixture, guint who, MrgFetch found)
{
    const char *names[] = {"name", "no name", "absent"};
    MrgField one[3], both[3];
    MrgPersonKey key = person(who), shared = person(50);
    MrgMessageKey copy = message(1);
    MrgState apart, state;
    g_autoptr(GError) error = NULL;
    mrg_store_load(fixture->store, &key, &copy, &shared, 1, &apart, fixture->arena, soon(),
                   &error);
    g_assert_no_error(error);
    memset(both, 0xff, sizeof both);
    MrgFetch is =
        mrg_store_fetch_and_load(fixture->store, &key, names, 3, both, &copy, &shared, 1,
                                 &state, fixture->arena, soon(), &error);
    g_assert_no_error(error);
    g_assert_cmpint(is, ==, found);
    g_assert_cmpint(fetch(fixture, who, names, 3, one), ==, found);
    for (gsize i = 0; found == MRG_FETCH_HIT && i < 3; i++) {
        g_assert_cmpint(both[i].type, ==, one[i].type);
        g_assert_cmpmem(both[i].text, both[i].length, one[i].text, one[i].length);
    }
    g_assert_cmpuint(state.own.version, ==, apart.own.version);
    g_assert_cmpstr(state.own.history, ==, apart.own.history);
    g_assert_cmpuint(state.shared[0].version, ==, apart.shared[0].version);
    g_assert_cmpstr(state.shared[0].history, ==, apart.shared[0].history);
    g_assert_cmpuint(state.n_consents, ==, apart.n_consents);
    g_assert_cmpuint(state.n_suppressions, ==, apart.n_suppressions);
    g_assert_cmpstr(state.engagement, ==, apart.engagement);
    g_assert_cmpint(state.is_repeat, ==, apart.is_repeat);
}

static void
fetch_and_load_is_fetch_and_load(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    assert_loads_both(fixture, 1, MRG_FETCH_MISS);
    MrgProfileField name = {"name", field(MRG_FIELD_STRING, "J\xc3\xb6rg")};
    MrgEngagement click = {"click", 7};
    MrgProfile profile = {.person = person(1),
                          .address = "a@b.c",
                          .fields = &name,
                          .n_fields = 1,
                          .engagements = &click,
                          .n_engagements = 1};
    import(fixture, &profile, 1);
    import_consent(fixture, MRG_CONSENT_DENIED, 5);
    import_suppression(fixture, "all", "manual", 50);
    MrgState state = load_shared(fixture->store, fixture->arena, 1, 1, 50, 60);
    MrgOutcome what = outcome_of(1, 1, &state, "sent");
    g_assert_cmpint(commit(fixture, &what), ==, MRG_COMMIT_DONE);
    assert_loads_both(fixture, 1, MRG_FETCH_HIT);
    assert_loads_both(fixture, 2, MRG_FETCH_MISS);
}

/* ---- histories ----------------------------------------------------------- */

static MrgCommit
put_history(const Fixture *fixture, guint who, guint64 version, const char *history)
{
    MrgAccount account = {person(who), version, history, history ? strlen(history) : 0};
    g_autoptr(GError) error = NULL;
    MrgCommit result = mrg_store_put_history(fixture->store, &account, &error);
    g_assert_no_error(error);
    return result;
}

static void
a_history_is_put_by_compare_and_swap(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    g_assert_cmpint(put_history(fixture, 1, 7, "x"), ==, MRG_COMMIT_CONFLICT);
    g_assert_cmpint(put_history(fixture, 1, 0, "new"), ==, MRG_COMMIT_DONE);
    g_assert_cmpint(put_history(fixture, 1, 0, "lost"), ==, MRG_COMMIT_CONFLICT);
    MrgState state = load(fixture, 1, 1);
    g_assert_cmpstr(state.own.history, ==, "new");
    g_assert_cmpint(put_history(fixture, 1, state.own.version, NULL), ==, MRG_COMMIT_DONE);
    MrgState after = load(fixture, 1, 1);
    g_assert_cmpstr(after.own.history, ==, "");
    g_assert_cmpuint(after.own.version, >, state.own.version);
    MrgOutcome stale = outcome(1, 1, state.own.version, "x");
    g_assert_cmpint(commit(fixture, &stale), ==, MRG_COMMIT_CONFLICT);
    g_autofree char *events = events_text(fixture, 1, 9);
    g_assert_cmpstr(events, ==, "");
}

/* ---- events -------------------------------------------------------------- */

static void
record_at(const Fixture *fixture, guint who, guint what, gint64 at_us, const char *campaign)
{
    MrgOutcome made = outcome(who, what, load(fixture, who, what).own.version, NULL);
    made.event.at_us = at_us;
    made.event.campaign = campaign;
    made.event.sender = "shop.example";
    made.event.tags = "spring \xc3\xa9t\xc3\xa9";
    g_assert_cmpint(commit(fixture, &made), ==, MRG_COMMIT_DONE);
}

static gboolean
note_event(const MrgPersonKey *who, const MrgEvent *event, gpointer context)
{
    GString **texts = context;
    g_assert_cmpstr(event->sender, ==, "shop.example");
    g_assert_cmpstr(event->tags, ==, "spring \xc3\xa9t\xc3\xa9");
    g_assert_cmpuint(who->bytes[0], <, 3);
    g_string_append_printf(texts[who->bytes[0]], "%s ", event->campaign);
    g_string_append_printf(texts[0], "%s ", event->campaign);
    return TRUE;
}

static void
an_event_says_what_its_copy_carries(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    MrgOutcome refused = outcome(1, 6, 0, NULL);
    refused.event.verdict = MRG_VERDICT_REJECT;
    refused.event.tracked = MRG_TRACKED_OPENS;
    refused.is_final = FALSE; /* and so no copy */
    MrgOutcome sent = outcome(1, 7, 1, NULL);
    sent.event.tracked = MRG_TRACKED_OPENS | MRG_TRACKED_CLICKS;
    g_assert_cmpint(commit(fixture, &refused), ==, MRG_COMMIT_DONE);
    g_assert_cmpint(commit(fixture, &sent), ==, MRG_COMMIT_DONE);
    g_autofree char *events = events_text(fixture, 1, 9);
    g_assert_cmpstr(events, ==,
                    "7 deliver spring tracked 3 of 7\n6 reject spring tracked 1 of 0\n");
}

static void
events_are_in_the_order_of_their_times(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    record_at(fixture, 1, 1, 30, "late");
    record_at(fixture, 2, 2, 10, "other");
    record_at(fixture, 1, 3, 10, "early"); /* by a clock that jumped back */
    record_at(fixture, 1, 4, 20, "first");
    record_at(fixture, 1, 5, 20, "second");
    g_autofree char *newest = events_text(fixture, 1, 3);
    g_assert_cmpstr(newest, ==, "30 deliver late\n20 deliver second\n20 deliver first\n");
    g_autofree char *none = events_text(fixture, 1, 0);
    g_assert_cmpstr(none, ==, "");

    g_autoptr(GError) error = NULL;
    GString *texts[3] = {g_string_new(NULL), g_string_new(NULL), g_string_new(NULL)};
    mrg_store_events_since(fixture->store, 10, note_event, texts, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(texts[1]->str, ==, "early first second late ");
    g_assert_cmpstr(texts[2]->str, ==, "other ");
    g_assert_cmpstr(texts[0]->str, ==, "other early first second late ");
    for (gsize i = 0; i < 3; i++)
        g_string_truncate(texts[i], 0);
    mrg_store_events_since(fixture->store, 20, note_event, texts, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(texts[1]->str, ==, "first second late ");
    g_assert_cmpstr(texts[2]->str, ==, "");
    for (gsize i = 0; i < 3; i++)
        g_string_free(texts[i], TRUE);
}

/* ---- numbers ------------------------------------------------------------- */

static void
link_numbers(MrgStore *store, guint32 campaign, const char *const *targets, gsize n,
             guint32 *numbers)
{
    g_autoptr(GError) error = NULL;
    mrg_store_link_numbers(store, campaign, targets, n, numbers, soon(), &error);
    g_assert_no_error(error);
}

static guint32
campaign_number(MrgStore *store, const char *name)
{
    guint32 number = 0;
    g_autoptr(GError) error = NULL;
    mrg_store_campaign_number(store, name, &number, soon(), &error);
    g_assert_no_error(error);
    return number;
}

/* Text that does not compress: an index must not hold it whole. */
static char *
long_target(guint n)
{
    GString *text = g_string_new("https://shop.example/");
    GRand *random = g_rand_new_with_seed(n);
    while (text->len < 8192)
        g_string_append_c(text, (char) g_rand_int_range(random, 'a', 'z' + 1));
    g_rand_free(random);
    return g_string_free(text, FALSE);
}

static void
links_keep_their_numbers(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    g_autofree char *one = long_target(1), *other = long_target(2);
    const char *targets[] = {"https://a.example/?x=%41&y='\"", one, other,
                             "https://a.example/?x=%41&y='\"", "HTTPS://a.example/"};
    guint32 spring = campaign_number(fixture->store, "spring");
    guint32 autumn = campaign_number(fixture->store, "autumn");
    guint32 first[5], again[5], elsewhere[5];
    link_numbers(fixture->store, spring, targets, 5, first);
    link_numbers(fixture->store, autumn, targets + 1, 1, elsewhere);
    link_numbers(fixture->store, spring, targets, 5, again);
    g_assert_cmpmem(first, sizeof first, again, sizeof again);
    g_assert_cmpuint(first[0], ==, first[3]);
    g_assert_cmpuint(first[0], !=, first[4]);
    g_assert_cmpuint(first[1], !=, first[2]);
    link_numbers(fixture->store, spring, NULL, 0, NULL);
    g_assert_cmpuint(campaign_number(fixture->store, "spring"), ==, spring);
    g_assert_cmpuint(spring, !=, autumn);
}

typedef struct Worker {
    MrgStore *store;
    guint n, n_delivered;
    guint32 numbers[10];
} Worker;

static gpointer
number_links(gpointer data)
{
    Worker *worker = data;
    for (guint i = 0; i < 10; i++) {
        guint which = (i + worker->n) % 10;
        g_autofree char *target = g_strdup_printf("https://shop.example/%u", which);
        const char *targets[] = {target};
        link_numbers(worker->store, 1, targets, 1, &worker->numbers[which]);
    }
    return NULL;
}

static void
run_workers(const Fixture *fixture, Worker *workers, GThreadFunc work)
{
    GThread *threads[N_THREADS];
    for (guint i = 0; i < N_THREADS; i++) {
        workers[i] = (Worker){.store = fixture->store, .n = i};
        threads[i] = g_thread_new("worker", work, &workers[i]);
    }
    for (guint i = 0; i < N_THREADS; i++)
        g_thread_join(threads[i]);
}

static void
link_numbers_are_unique_under_threads(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    Worker workers[N_THREADS];
    g_assert_cmpuint(campaign_number(fixture->store, "spring"), ==, 1);
    run_workers(fixture, workers, number_links);
    for (gsize i = 0; i < 10; i++) {
        g_assert_cmpuint(workers[0].numbers[i], >=, 1);
        for (gsize j = 0; j < i; j++)
            g_assert_cmpuint(workers[0].numbers[i], !=, workers[0].numbers[j]);
        for (guint w = 1; w < N_THREADS; w++)
            g_assert_cmpuint(workers[w].numbers[i], ==, workers[0].numbers[i]);
    }
}

/* ---- threads ------------------------------------------------------------- */

/* A cap on the household, whose members are sent to by all threads; they name the two
 * accounts in different orders, which must not lock a store up. */
static void
send_to_household(Worker *worker, guint who, guint what)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    gsize home = worker->n % 2;
    MrgCommit result;
    gboolean may;
    do {
        MrgState state =
            load_shared(worker->store, arena, who, what, home ? 50 : 60, home ? 60 : 50);
        may = state.shared[home].history_length < CAP;
        char *history = mrg_arena_printf(arena, "%sx", state.shared[home].history);
        MrgOutcome made = outcome_of(who, what, &state, NULL);
        if (may) {
            made.shared[home].history = history;
            made.shared[home].history_length = strlen(history);
        }
        g_autoptr(GError) error = NULL;
        result = mrg_store_commit(worker->store, &made, soon(), &error);
        g_assert_no_error(error);
    } while (result == MRG_COMMIT_CONFLICT);
    g_assert_cmpint(result, ==, MRG_COMMIT_DONE);
    worker->n_delivered += may;
}

static gpointer
send_copies(gpointer data)
{
    Worker *worker = data;
    for (guint i = 0; i < COPIES_EACH; i++)
        send_to_household(worker, i % 4, 1000 + worker->n * COPIES_EACH + i);
    return NULL;
}

static void
a_shared_cap_is_exact_under_threads(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    Worker workers[N_THREADS];
    run_workers(fixture, workers, send_copies);
    guint n_delivered = 0;
    for (guint i = 0; i < N_THREADS; i++)
        n_delivered += workers[i].n_delivered;
    g_assert_cmpuint(n_delivered, ==, CAP);
    MrgState state = load_shared(fixture->store, fixture->arena, 1, 1, 50, 60);
    assert_histories(&state, "", "", "xxx");
}

const Case store_ledger[] = {
    {"shared/written", shared_accounts_are_written_with_ones_own},
    {"shared/stale", one_stale_account_stops_all},
    {"shared/threads", a_shared_cap_is_exact_under_threads},
    {"commit/refused", an_outcome_that_cannot_be_stored_is_refused},
    {"fetch-and-load", fetch_and_load_is_fetch_and_load},
    {"history/put", a_history_is_put_by_compare_and_swap},
    {"events/tracked", an_event_says_what_its_copy_carries},
    {"events/order", events_are_in_the_order_of_their_times},
    {"links/stable", links_keep_their_numbers},
    {"links/threads", link_numbers_are_unique_under_threads},
    {NULL, NULL},
};
