/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of stores: what the world answers. */
#include "config.h"

#include <string.h>

#include "milter/hits.h"
#include "tests/unit/store-fixture.h"

#define JOURNAL "00112233445566778899aabbccddeeff"

static MrgHitRow
hit(gint64 at_us, guint32 campaign, guint who)
{
    return (MrgHitRow){.at_us = at_us,
                       .campaign = campaign,
                       .message = who ? G_GUINT64_CONSTANT(0xfedcba9876543210) + who : 0,
                       .person = person(who),
                       .has_person = who != 0,
                       .kind = 1,
                       .since_s = 60,
                       .agent = "Agent \xc3\xa9 'x' \\ 1.0",
                       .reason = "agent: browser",
                       .hit_class = MRG_CLASS_HUMAN};
}

static MrgCommit
record(const Fixture *fixture, const MrgHitBatch *batch)
{
    g_autoptr(GError) error = NULL;
    MrgCommit result = mrg_store_record_hits(fixture->store, batch, &error);
    g_assert_no_error(error);
    return result;
}

static MrgCommit
record_hits(const Fixture *fixture, const MrgHitRow *hits, gsize n)
{
    MrgHitBatch batch = {.hits = hits, .n_hits = n};
    return record(fixture, &batch);
}

static gboolean
note_hit(const MrgHitRow *row, gpointer context)
{
    GString *text = context;
    g_string_append_printf(text, "%" G_GINT64_FORMAT " campaign %u of %u: ", row->at_us,
                           row->campaign, row->has_person ? row->person.bytes[0] : 0);
    g_string_append_printf(text, "class %u (%s)\n", row->hit_class, row->reason);
    return TRUE;
}

static void
assert_hits(const Fixture *fixture, const MrgHitFilter *filter, const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) text = g_string_new(NULL);
    mrg_store_hits(fixture->store, filter, note_hit, text, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(text->str, ==, expected);
}

static void
assert_position(const Fixture *fixture, guint64 segment, guint64 offset)
{
    g_autoptr(GError) error = NULL;
    guint64 is_segment = 1, is_offset = 1;
    mrg_store_journal_position(fixture->store, JOURNAL, &is_segment, &is_offset, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(is_segment, ==, segment);
    g_assert_cmpuint(is_offset, ==, offset);
}

/* ---- once ---------------------------------------------------------------- */

static void
a_batch_is_recorded_once(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    const MrgHitFilter all = {0};
    MrgHitRow row = hit(5, 1, 1);
    MrgHitBatch first = {.journal = JOURNAL, .to_segment = 7, .to_offset = 9};
    MrgHitBatch second = {
        .journal = JOURNAL, .from_segment = 7, .from_offset = 9, .to_segment = 8};
    first.hits = second.hits = &row;
    first.n_hits = second.n_hits = 1;
    assert_position(fixture, 0, 0);
    g_assert_cmpint(record(fixture, &second), ==, MRG_COMMIT_CONFLICT);
    assert_hits(fixture, &all, "");
    g_assert_cmpint(record(fixture, &first), ==, MRG_COMMIT_DONE);
    assert_position(fixture, 7, 9);
    g_assert_cmpint(record(fixture, &first), ==, MRG_COMMIT_CONFLICT);
    assert_hits(fixture, &all, "5 campaign 1 of 1: class 1 (agent: browser)\n");
    row.at_us = 6;
    g_assert_cmpint(record(fixture, &second), ==, MRG_COMMIT_DONE);
    assert_position(fixture, 8, 0);
    assert_hits(fixture, &all,
                "5 campaign 1 of 1: class 1 (agent: browser)\n"
                "6 campaign 1 of 1: class 1 (agent: browser)\n");
}

#define N_STEPS 20

/* Each goes through the same journal, as two loaders would that know nothing of each other.
 */
static gpointer
load_journal(gpointer data)
{
    const Fixture *fixture = data;
    for (guint64 step = 0; step < N_STEPS;) {
        MrgHitRow row = hit((gint64) step, 1, 1);
        MrgHitBatch batch = {.journal = JOURNAL,
                             .from_segment = step ? 1 : 0,
                             .from_offset = step,
                             .to_segment = 1,
                             .to_offset = step + 1,
                             .hits = &row,
                             .n_hits = 1};
        g_autoptr(GError) error = NULL;
        guint64 segment;
        g_assert_cmpint(mrg_store_record_hits(fixture->store, &batch, &error), !=,
                        MRG_COMMIT_ERROR);
        g_assert_no_error(error);
        mrg_store_journal_position(fixture->store, JOURNAL, &segment, &step, &error);
        g_assert_no_error(error);
    }
    return NULL;
}

static gboolean
count_hit(const MrgHitRow *row, gpointer context)
{
    guint *n = context;
    g_assert_cmpint(row->at_us, ==, (gint64) (*n)++);
    return TRUE;
}

static void
two_loaders_record_a_journal_once(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    const MrgHitFilter all = {0};
    GThread *threads[4];
    guint n = 0;
    for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
        threads[i] = g_thread_new("loader", load_journal, fixture);
    for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
        g_thread_join(threads[i]);
    mrg_store_hits(fixture->store, &all, count_hit, &n, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(n, ==, N_STEPS);
}

/* ---- hits ---------------------------------------------------------------- */

static gboolean
keep_hit(const MrgHitRow *row, gpointer context)
{
    MrgHitRow *kept = context;
    *kept = *row;
    kept->agent = g_strdup(row->agent);
    kept->reason = g_strdup(row->reason);
    return FALSE;
}

static void
a_hit_comes_out_as_it_went_in(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    const MrgHitFilter all = {0};
    MrgHitRow out, in = hit(1700000000 * SECOND, G_MAXUINT32, 3);
    in.link = 9;
    in.kind = 2;
    in.flags = 255;
    in.network_bytes = 6;
    memcpy(in.network, "\x20\x01\x0d\xb8\x00\xff", 6);
    record_hits(fixture, &in, 1);
    g_assert_true(mrg_store_hits(fixture->store, &all, keep_hit, &out, &error));
    g_autofree char *agent = (char *) out.agent, *reason = (char *) out.reason;
    g_assert_cmpstr(agent, ==, in.agent);
    g_assert_cmpstr(reason, ==, in.reason);
    in.agent = out.agent = in.reason = out.reason = NULL;
    g_assert_cmpuint(out.id, >, 0);
    in.id = out.id;
    g_assert_cmpuint(out.message, ==, in.message);
    g_assert_cmpmem(&out.person, sizeof out.person, &in.person, sizeof in.person);
    g_assert_cmpmem(out.network, out.network_bytes, in.network, in.network_bytes);
    g_assert_cmpuint(out.campaign, ==, in.campaign);
    g_assert_cmpuint(out.link, ==, in.link);
    g_assert_cmpuint(out.kind << 8 | out.flags, ==, in.kind << 8 | in.flags);
    g_assert_cmpuint(out.since_s, ==, in.since_s);
    g_assert_cmpint(out.at_us, ==, in.at_us);
}

static void
hits_are_found_by_campaign_person_and_time(Fixture *fixture,
                                           gconstpointer plugin G_GNUC_UNUSED)
{
    const MrgPersonKey one = person(1);
    MrgHitRow rows[] = {hit(5, 1, 1), hit(6, 2, 1), hit(7, 1, 2), hit(8, 1, 0)};
    const MrgHitFilter by_campaign = {.campaign = 1}, by_person = {.person = &one},
                       by_both = {.campaign = 2, .person = &one}, by_time = {.since_us = 8};
    record_hits(fixture, rows, G_N_ELEMENTS(rows));
    assert_hits(fixture, &by_campaign,
                "5 campaign 1 of 1: class 1 (agent: browser)\n"
                "7 campaign 1 of 2: class 1 (agent: browser)\n"
                "8 campaign 1 of 0: class 1 (agent: browser)\n");
    assert_hits(fixture, &by_person,
                "5 campaign 1 of 1: class 1 (agent: browser)\n"
                "6 campaign 2 of 1: class 1 (agent: browser)\n");
    assert_hits(fixture, &by_both, "6 campaign 2 of 1: class 1 (agent: browser)\n");
    assert_hits(fixture, &by_time, "8 campaign 1 of 0: class 1 (agent: browser)\n");
}

static gboolean
keep_id(const MrgHitRow *row, gpointer context)
{
    g_array_append_val(context, *row);
    return TRUE;
}

static void
classes_can_be_given_anew(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(MrgHitRow));
    const MrgHitFilter all = {0};
    MrgHitRow in[] = {hit(1700000000 * SECOND, 1, 1), hit(5, 1, 2), hit(6, 1, 3)};
    record_hits(fixture, in, 3);
    g_assert_true(mrg_store_hits(fixture->store, &all, keep_id, rows, &error));
    for (guint i = 0; i < 2; i++) {
        MrgHitRow *row = &g_array_index(rows, MrgHitRow, i);
        row->hit_class = MRG_CLASS_SCANNER;
        row->reason = "network: a gateway";
        row->agent = "";
    }
    g_assert_true(mrg_store_put_classes(fixture->store, (gpointer) rows->data, 2, &error));
    g_assert_no_error(error);
    assert_hits(fixture, &all,
                "1700000000000000 campaign 1 of 1: class 4 (network: a gateway)\n"
                "5 campaign 1 of 2: class 4 (network: a gateway)\n"
                "6 campaign 1 of 3: class 1 (agent: browser)\n");
}

/* ---- the rest of a batch ------------------------------------------------- */

typedef struct Wanted {
    const char *table, *column;
    GString *text;
} Wanted;

static gboolean
note_row(const char *table, const char *const *names, const char *const *values, gsize n,
         gpointer context)
{
    const Wanted *wanted = context;
    for (gsize i = 0; i < n; i++)
        if (strcmp(table, wanted->table) == 0 && strcmp(names[i], wanted->column) == 0)
            g_string_append_printf(wanted->text, "%s\n", values[i] ? values[i] : "-");
    return TRUE;
}

/* The column of what is held on somebody in a table. */
static void
assert_rows(const Fixture *fixture, guint who, const char *table, const char *column,
            const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) text = g_string_new(NULL);
    Wanted wanted = {table, column, text};
    MrgPersonKey key = person(who);
    mrg_store_rows_of(fixture->store, &key, note_row, &wanted, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(text->str, ==, expected);
}

static MrgWebEvent
web_event(gint64 at_us, const char *event_id, const char *name, guint who)
{
    return (MrgWebEvent){.at_us = at_us,
                         .kind = 8,
                         .site = "shop",
                         .name = name,
                         .anonymous_id = "anon-1",
                         .event_id = event_id,
                         .data = "{\"sku\":\"\\u00e9'\"}",
                         .person = person(who),
                         .has_person = who != 0};
}

static void
web_events_are_linked_and_kept_once(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    MrgWebEvent events[] = {
        web_event(1, "a", "Before", 0),   web_event(2, "b", "Signed In", 1),
        web_event(3, "c", "Viewed", 0),   web_event(4, "c", "Viewed again", 0),
        web_event(5, "", "Nameless", 0),  web_event(6, "", "Nameless", 0),
        web_event(7, "d", "Elsewhere", 0)};
    events[1].identifies = TRUE;
    events[6].site = "blog";
    MrgHitBatch batch = {.web_events = events, .n_web_events = G_N_ELEMENTS(events)};
    g_assert_cmpint(record(fixture, &batch), ==, MRG_COMMIT_DONE);
    assert_rows(fixture, 1, "web_event", "name", "Signed In\nViewed\nNameless\nNameless\n");
    batch = (MrgHitBatch){.web_events = &events[2], .n_web_events = 1};
    g_assert_cmpint(record(fixture, &batch), ==, MRG_COMMIT_DONE);
    assert_rows(fixture, 1, "web_event", "at", "2\n3\n5\n6\n");
    assert_rows(fixture, 1, "web_identity", "anonymous", "anon-1\n");
}

static gboolean
note_delivery(const MrgDelivery *row, gpointer context)
{
    g_string_append_printf(
        context,
        "%" G_GINT64_FORMAT " campaign %u copy %" G_GUINT64_FORMAT " of %u: %u %s\n",
        row->at_us, row->campaign, row->message, row->has_person ? row->person.bytes[0] : 0,
        row->state, row->code);
    return TRUE;
}

static void
a_delivery_told_twice_is_one(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) text = g_string_new(NULL);
    const MrgHitFilter filter = {.campaign = 1};
    MrgDelivery sent = {.message = 77,
                        .state = MRG_DELIVERY_SENT,
                        .at_us = 9,
                        .campaign = 1,
                        .person = person(4),
                        .has_person = TRUE,
                        .code = "2.0.0"};
    MrgDelivery rows[] = {sent, sent, sent, sent};
    rows[0].state = MRG_DELIVERY_DEFERRED;
    rows[0].at_us = 5;
    rows[0].code = "4.2.1";
    rows[2].at_us = 8; /* told later, but older */
    rows[2].code = "2.1.5";
    rows[3].campaign = 2;
    rows[3].has_person = FALSE;
    MrgHitBatch batch = {.deliveries = rows, .n_deliveries = G_N_ELEMENTS(rows)};
    for (guint i = 0; i < 2; i++)
        g_assert_cmpint(record(fixture, &batch), ==, MRG_COMMIT_DONE);
    mrg_store_deliveries(fixture->store, &filter, note_delivery, text, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(text->str, ==,
                    "5 campaign 1 copy 77 of 4: 1 4.2.1\n"
                    "9 campaign 1 copy 77 of 4: 0 2.0.0\n");
}

static void
a_batch_changes_people_too(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    MrgEngagement click = {"click", 7};
    MrgSuppression left = {"class:promo", "unsubscribed", 8, 0};
    MrgConsent no = {"track_open", MRG_CONSENT_DENIED, 8, "preference centre"};
    MrgProfile people[] = {{.person = person(1), .engagements = &click, .n_engagements = 1},
                           {.person = person(2),
                            .suppressions = &left,
                            .n_suppressions = 1,
                            .consents = &no,
                            .n_consents = 1}};
    MrgHitRow row = hit(7, 1, 1);
    MrgHitBatch batch = {.journal = JOURNAL,
                         .from_segment = 3,
                         .hits = &row,
                         .n_hits = 1,
                         .people = people,
                         .n_people = 2};
    g_assert_cmpint(record(fixture, &batch), ==, MRG_COMMIT_CONFLICT);
    g_assert_cmpuint(load(fixture, 2, 1).n_suppressions, ==, 0);
    batch.from_segment = 0;
    batch.to_segment = 1;
    g_assert_cmpint(record(fixture, &batch), ==, MRG_COMMIT_DONE);
    g_assert_cmpstr(load(fixture, 1, 1).engagement, ==, "7 click\n");
    MrgState state = load(fixture, 2, 1);
    g_assert_cmpuint(state.n_suppressions, ==, 1);
    g_assert_cmpstr(state.suppressions[0].scope, ==, "class:promo");
    g_assert_cmpuint(state.n_consents, ==, 1);
    g_assert_cmpint(state.consents[0].state, ==, MRG_CONSENT_DENIED);
    g_assert_cmpint(fetch(fixture, 1, NULL, 0, NULL), ==, MRG_FETCH_MISS);
}

/* ---- removing ------------------------------------------------------------- */

static void
record_everything(const Fixture *fixture, guint who, gint64 at_us)
{
    MrgHitRow row = hit(at_us, 1, who);
    MrgWebEvent event = web_event(at_us, "", "Viewed", who);
    event.identifies = TRUE;
    MrgDelivery sent = {.message = who,
                        .at_us = at_us,
                        .campaign = 1,
                        .person = person(who),
                        .has_person = TRUE,
                        .code = "2.0.0"};
    MrgHitBatch batch = {.hits = &row,
                         .n_hits = 1,
                         .web_events = &event,
                         .n_web_events = 1,
                         .deliveries = &sent,
                         .n_deliveries = 1};
    g_assert_cmpint(record(fixture, &batch), ==, MRG_COMMIT_DONE);
}

static void
erasure_takes_what_was_answered(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    static const char *const tables[] = {"hit", "web_event", "web_identity", "delivery"};
    g_autoptr(GError) error = NULL;
    MrgPersonKey key = person(1);
    record_everything(fixture, 2, 5);
    record_everything(fixture, 1, 5);
    assert_rows(fixture, 1, "hit", "agent", "Agent \xc3\xa9 'x' \\ 1.0\n");
    g_assert_true(mrg_store_erase(fixture->store, &key, 777, &error));
    for (gsize i = 0; i < G_N_ELEMENTS(tables); i++)
        assert_rows(fixture, 1, tables[i], "key", "");
    assert_rows(fixture, 2, "hit", "reason", "agent: browser\n");
    assert_rows(fixture, 2, "delivery", "at", "5\n");
    MrgWebEvent later = web_event(9, "", "Later", 0);
    MrgHitBatch batch = {.web_events = &later, .n_web_events = 1};
    g_assert_cmpint(record(fixture, &batch), ==, MRG_COMMIT_DONE);
    assert_rows(fixture, 1, "web_event", "name", "");
}

static void
answers_go_with_age(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    const MrgHitFilter all = {0};
    MrgRetention retention = {.hits_us = 20 * SECOND};
    guint64 n = 0;
    record_everything(fixture, 1, 19 * SECOND);
    record_everything(fixture, 2, 20 * SECOND);
    g_assert_true(mrg_store_retain(fixture->store, &retention, &n, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(n, ==, 3);
    assert_hits(fixture, &all, "20000000 campaign 1 of 2: class 1 (agent: browser)\n");
    assert_rows(fixture, 1, "web_event", "at", "");
    assert_rows(fixture, 1, "delivery", "at", "");
    assert_rows(fixture, 2, "web_event", "at", "20000000\n");
    g_assert_true(mrg_store_retain(fixture->store, &retention, &n, &error));
    g_assert_cmpuint(n, ==, 0);
}

static gboolean
count_row(const char *table, const char *const *names G_GNUC_UNUSED,
          const char *const *values G_GNUC_UNUSED, gsize n G_GNUC_UNUSED, gpointer context)
{
    g_string_append_printf(context, "%s ", table);
    return TRUE;
}

static void
answers_are_searched(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    static const char *const texts[] = {"'x' \\ 1.0", "Viewed"};
    static const char *const found[] = {"hit ", "web_event "};
    record_everything(fixture, 1, 5);
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GString) tables = g_string_new(NULL);
        mrg_store_search(fixture->store, texts[i], count_row, tables, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(tables->str, ==, found[i]);
    }
}

/* ---- numbers -------------------------------------------------------------- */

static gboolean
note_link(guint32 number, const char *target, gpointer context)
{
    g_string_append_printf(context, "%u %s\n", number, target);
    return TRUE;
}

static void
numbers_have_their_names(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    const char *targets[] = {"https://a.example/?x='1'", "https://b.example/"};
    const char *name = NULL;
    guint32 spring, numbers[2];
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) links = g_string_new(NULL);
    MrgStore *store = fixture->store;
    MrgArena *arena = fixture->arena;
    g_assert_true(mrg_store_campaign_number(store, "spring", &spring, soon(), &error));
    g_assert_true(
        mrg_store_link_numbers(store, spring, targets, 2, numbers, soon(), &error));
    g_assert_cmpint(mrg_store_campaign_name(store, spring, &name, arena, soon(), &error),
                    ==, MRG_FETCH_HIT);
    g_assert_cmpstr(name, ==, "spring");
    g_assert_cmpint(
        mrg_store_campaign_name(store, spring + 1, &name, arena, soon(), &error), ==,
        MRG_FETCH_MISS);
    for (gsize i = 0; i < 2; i++) {
        g_assert_cmpint(
            mrg_store_link_target(store, spring, numbers[i], &name, arena, soon(), &error),
            ==, MRG_FETCH_HIT);
        g_assert_cmpstr(name, ==, targets[i]);
    }
    g_assert_cmpint(
        mrg_store_link_target(store, spring + 1, numbers[0], &name, arena, soon(), &error),
        ==, MRG_FETCH_MISS);
    g_assert_true(mrg_store_links(store, spring, note_link, links, &error));
    g_assert_cmpstr(links->str, ==, "1 https://a.example/?x='1'\n2 https://b.example/\n");
    g_assert_no_error(error);
}

static gboolean
note_event(const MrgPersonKey *who, const MrgEvent *event, gpointer context)
{
    g_string_append_printf(context, "%u: %" G_GINT64_FORMAT "\n", who->bytes[0],
                           event->at_us % SECOND);
    return TRUE;
}

static void
events_are_found_by_campaign(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) text = g_string_new(NULL);
    MrgOutcome rows[] = {outcome(2, 3, 0, NULL), outcome(1, 2, 0, NULL),
                         outcome(1, 4, 1, NULL), outcome(3, 5, 0, NULL)};
    rows[2].event.campaign = "spring'";
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
        g_assert_cmpint(commit(fixture, &rows[i]), ==, MRG_COMMIT_DONE);
    mrg_store_campaign_events(fixture->store, "spring", note_event, text, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(text->str, ==, "1: 2\n2: 3\n3: 5\n");
}

const Case store_hits[] = {
    {"hits/once", a_batch_is_recorded_once},
    {"hits/loaders", two_loaders_record_a_journal_once},
    {"hits/whole", a_hit_comes_out_as_it_went_in},
    {"hits/filter", hits_are_found_by_campaign_person_and_time},
    {"hits/classes", classes_can_be_given_anew},
    {"hits/web", web_events_are_linked_and_kept_once},
    {"hits/deliveries", a_delivery_told_twice_is_one},
    {"hits/people", a_batch_changes_people_too},
    {"hits/erase", erasure_takes_what_was_answered},
    {"hits/retain", answers_go_with_age},
    {"hits/search", answers_are_searched},
    {"hits/names", numbers_have_their_names},
    {"hits/events", events_are_found_by_campaign},
    {NULL, NULL},
};
