/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <glib/gstdio.h>
#include <string.h>

#include "collect/hit.h"
#include "ctl/load.h"

#define SECOND G_GINT64_CONSTANT(1000000)
#define NOW (1764201600 * SECOND)
#define FIREFOX "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0"

typedef struct Fixture {
    char *folder;
    MrgStore *store;
    MrgJournal *journal;
    MrgJournalReader *reader;
    MrgSigns *signs;
    MrgArena *arena;
    MrgLoadOptions options;
} Fixture;

static MrgPersonKey
person(guint n)
{
    MrgPersonKey key = {{0}};
    memcpy(key.bytes, &n, sizeof n);
    key.bytes[15] = 'p';
    return key;
}

static void
set_up(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    const MrgJournalOptions options = {1 << 30, 4096, G_USEC_PER_SEC};
    fixture->folder = g_dir_make_tmp("merganser-load-XXXXXX", &error);
    fixture->store = mrg_store_open(g_getenv("MRG_PLUGIN_DIR"), "memory", NULL, 0, &error);
    g_assert_no_error(error);
    fixture->journal = mrg_journal_open(fixture->folder, &options, &error);
    g_assert_no_error(error);
    fixture->reader = mrg_journal_reader_open(fixture->folder, &error);
    fixture->signs = mrg_signs_load("", "", &error);
    g_assert_no_error(error);
    fixture->arena = mrg_arena_new();
    fixture->options = (MrgLoadOptions){.store = fixture->store,
                                        .reader = fixture->reader,
                                        .signs = fixture->signs,
                                        .trap = "",
                                        .store_deadline_us = 20 * SECOND};
}

static void
tear_down(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GDir) folder = g_dir_open(fixture->folder, 0, NULL);
    const char *name;
    mrg_journal_close(fixture->journal);
    while ((name = g_dir_read_name(folder))) {
        g_autofree char *path = g_build_filename(fixture->folder, name, NULL);
        g_unlink(path);
    }
    g_rmdir(fixture->folder);
    g_free(fixture->folder);
    mrg_journal_reader_close(fixture->reader);
    mrg_store_close(fixture->store);
    mrg_signs_free(fixture->signs);
    mrg_arena_free(fixture->arena);
}

/* ---- short forms ------------------------------------------------------- */

static MrgHit
hit(MrgHitKind kind, guint who, gint64 at_us)
{
    return (MrgHit){.kind = kind,
                    .at_us = at_us,
                    .has_token = TRUE,
                    .person = person(who),
                    .campaign = 1,
                    .message = 1000 + who,
                    .token_at_s = (guint32) (NOW / SECOND) - 600,
                    .agent = FIREFOX,
                    .network = {192, 0, 2},
                    .network_bytes = 3};
}

static void
append(const Fixture *fixture, const MrgHit *made)
{
    guint8 record[MRG_HIT_BYTES_MAX];
    gsize length = mrg_hit_encode(made, record);
    g_assert_cmpuint(length, >, 0);
    g_assert_cmpint(mrg_journal_append(fixture->journal, record, length), ==,
                    MRG_APPEND_DONE);
}

typedef struct Feed {
    const MrgProfile *next;
    gsize n;
} Feed;

static const MrgProfile *
next_profile(gpointer context, GError **error G_GNUC_UNUSED)
{
    Feed *feed = context;
    return feed->n ? (feed->n--, feed->next++) : NULL;
}

static void
consent(const Fixture *fixture, guint who, const char *purpose, MrgConsentState state)
{
    g_autoptr(GError) error = NULL;
    static gint64 at_us = 1;
    MrgConsent made = {purpose, state, at_us++, "test"};
    MrgProfile profile = {.person = person(who), .consents = &made, .n_consents = 1};
    Feed feed = {&profile, 1};
    mrg_store_import(fixture->store, next_profile, &feed, NULL, &error);
    g_assert_no_error(error);
}

static MrgLoadCounts
load_all(const Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgLoad) load = mrg_load_new(&fixture->options, &error);
    g_assert_no_error(error);
    MrgLoadResult result;
    do
        result = mrg_load_step(load, G_MAXINT64, &error);
    while (result == MRG_LOAD_MORE);
    g_assert_no_error(error);
    g_assert_cmpint(result, ==, MRG_LOAD_END);
    return *mrg_load_counts(load);
}

static gboolean
note(const MrgHitRow *row, gpointer context)
{
    g_string_append_printf(context, "%u by %u: %s%s%s%s\n", row->kind,
                           row->has_person ? row->person.bytes[0] : 0,
                           mrg_class_name(row->hit_class), row->message ? " copy" : "",
                           *row->agent ? " agent" : "",
                           row->network_bytes ? " network" : "");
    return TRUE;
}

static void
assert_hits(const Fixture *fixture, const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) text = g_string_new(NULL);
    const MrgHitFilter all = {0};
    mrg_store_hits(fixture->store, &all, note, text, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(text->str, ==, expected);
}

static MrgState
state_of(const Fixture *fixture, guint who)
{
    g_autoptr(GError) error = NULL;
    MrgPersonKey key = person(who);
    MrgState state;
    mrg_store_load(fixture->store, &key, NULL, NULL, 0, &state, fixture->arena,
                   g_get_monotonic_time() + SECOND, &error);
    g_assert_no_error(error);
    return state;
}

/* ---- consent ----------------------------------------------------------- */

static void
who_does_not_agree_is_nobody(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    MrgHit hits[] = {hit(MRG_HIT_OPEN, 1, NOW), hit(MRG_HIT_CLICK, 1, NOW),
                     hit(MRG_HIT_OPEN, 2, NOW), hit(MRG_HIT_CLICK, 3, NOW),
                     hit(MRG_HIT_UNSUBSCRIBE_VIEW, 1, NOW)};
    consent(fixture, 1, "track_open", MRG_CONSENT_GRANTED);
    consent(fixture, 3, "track_click", MRG_CONSENT_GRANTED);
    consent(fixture, 3, "track_click", MRG_CONSENT_DENIED);
    for (gsize i = 0; i < G_N_ELEMENTS(hits); i++)
        append(fixture, &hits[i]);
    MrgLoadCounts counts = load_all(fixture);
    assert_hits(fixture, "1 by 1: human copy agent network\n2 by 0: human\n1 by 0: human\n"
                         "2 by 0: human\n3 by 0: human\n");
    g_assert_cmpuint(counts.n_hits, ==, 5);
    g_assert_cmpuint(counts.n_nobody, ==, 4);
}

static void
who_was_erased_is_nobody(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    MrgPersonKey key = person(1);
    MrgHit open = hit(MRG_HIT_OPEN, 1, NOW);
    g_assert_true(mrg_store_erase(fixture->store, &key, 5, &error));
    consent(fixture, 1, "track_open", MRG_CONSENT_GRANTED);
    append(fixture, &open);
    load_all(fixture);
    assert_hits(fixture, "1 by 0: human\n");
    g_assert_cmpstr(state_of(fixture, 1).engagement, ==, "");
}

static void
for_deliverability_there_is_nobody(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    MrgHit open = hit(MRG_HIT_OPEN, 1, NOW), left = hit(MRG_HIT_ONE_CLICK, 1, NOW);
    left.scope = "all";
    fixture->options.is_anonymous = TRUE;
    consent(fixture, 1, "track_open", MRG_CONSENT_GRANTED);
    append(fixture, &open);
    append(fixture, &left);
    load_all(fixture);
    assert_hits(fixture, "1 by 0: human\n5 by 1: human copy\n");
    g_assert_cmpuint(state_of(fixture, 1).n_suppressions, ==, 1);
}

/* ---- what follows from a hit ------------------------------------------- */

static void
people_engage_and_machines_do_not(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    MrgHit open = hit(MRG_HIT_OPEN, 1, NOW), proxy = hit(MRG_HIT_OPEN, 1, NOW + 1);
    MrgHit ahead = hit(MRG_HIT_OPEN, 1, NOW + 2), click = hit(MRG_HIT_CLICK, 1, NOW + 3);
    MrgHit scan = hit(MRG_HIT_CLICK, 1, NOW + 4);
    proxy.agent = "(via ggpht.com GoogleImageProxy)";
    ahead.agent = "Mozilla/5.0";
    scan.agent = "BarracudaCentral";
    click.link = scan.link = 1;
    consent(fixture, 1, "track_open", MRG_CONSENT_GRANTED);
    consent(fixture, 1, "track_click", MRG_CONSENT_GRANTED);
    const MrgHit *hits[] = {&open, &proxy, &ahead, &click, &scan};
    for (gsize i = 0; i < G_N_ELEMENTS(hits); i++)
        append(fixture, hits[i]);
    load_all(fixture);
    g_assert_cmpstr(state_of(fixture, 1).engagement, ==,
                    "1764201600000000 open\n1764201600000001 open\n"
                    "1764201600000003 click\n");
}

static void
what_was_noted_counts_once(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    MrgHit noted = hit(MRG_HIT_UNSUBSCRIBE, 1, NOW),
           applied = hit(MRG_HIT_ONE_CLICK, 2, NOW);
    noted.scope = "class:promo";
    applied.scope = "all";
    applied.flags = MRG_HIT_APPLIED;
    append(fixture, &noted);
    append(fixture, &applied);
    g_assert_cmpuint(load_all(fixture).n_suppressed, ==, 1);
    MrgState state = state_of(fixture, 1);
    g_assert_cmpuint(state.n_suppressions, ==, 1);
    g_assert_cmpstr(state.suppressions[0].scope, ==, "class:promo");
    g_assert_cmpstr(state.suppressions[0].reason, ==, "unsubscribed");
    g_assert_cmpint(state.suppressions[0].at_us, ==, NOW);
    g_assert_cmpuint(state_of(fixture, 2).n_suppressions, ==, 0);
    assert_hits(fixture, "4 by 1: human copy\n5 by 2: human copy\n");
    load_all(fixture);
    assert_hits(fixture, "4 by 1: human copy\n5 by 2: human copy\n");
}

static gboolean
count_row(const char *table, const char *const *names, const char *const *values, gsize n,
          gpointer context)
{
    for (gsize i = 0; i < n; i++)
        if (strcmp(table, "web_event") == 0 && strcmp(names[i], "name") == 0)
            g_string_append_printf(context, "%s\n", values[i]);
    return TRUE;
}

static void
web_events_are_somebodys_by_a_sealed_id_alone(Fixture *fixture,
                                              gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) names = g_string_new(NULL);
    MrgPersonKey key = person(1);
    MrgHit seen = hit(MRG_HIT_TRACK, 1, NOW);
    seen.site = "shop";
    seen.anonymous_id = "anon";
    seen.name = "Product Viewed";
    seen.data = "{}";
    MrgHit refused = seen, later = seen, elsewhere = seen;
    refused.flags = MRG_HIT_OPT_OUT;
    refused.anonymous_id = "another";
    later.has_token = FALSE;
    later.name = "Product Added";
    elsewhere.has_token = FALSE;
    elsewhere.anonymous_id = "a third";
    consent(fixture, 1, "profile", MRG_CONSENT_GRANTED);
    const MrgHit *hits[] = {&seen, &refused, &later, &elsewhere};
    for (gsize i = 0; i < G_N_ELEMENTS(hits); i++)
        append(fixture, hits[i]);
    MrgLoadCounts counts = load_all(fixture);
    g_assert_cmpuint(counts.n_web_events, ==, 4);
    g_assert_cmpuint(counts.n_nobody, ==, 1);
    mrg_store_rows_of(fixture->store, &key, count_row, names, &error);
    g_assert_cmpstr(names->str, ==, "Product Viewed\nProduct Added\n");
}

/* ---- bursts ------------------------------------------------------------ */

static void
click_links(const Fixture *fixture, guint n, gint64 at_us, gint64 gap_us)
{
    for (guint i = 0; i < n; i++) {
        MrgHit click = hit(MRG_HIT_CLICK, 1, at_us + i * gap_us);
        click.link = i + 1;
        append(fixture, &click);
    }
}

static void
all_links_at_once_are_a_scanner(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    consent(fixture, 1, "track_click", MRG_CONSENT_GRANTED);
    click_links(fixture, 4, NOW, SECOND / 10);
    click_links(fixture, 3, NOW + 60 * SECOND, SECOND);
    MrgLoadCounts counts = load_all(fixture);
    g_assert_cmpuint(counts.n_of[MRG_CLASS_SCANNER], ==, 4);
    g_assert_cmpuint(counts.n_of[MRG_CLASS_HUMAN], ==, 3);
}

static void
a_trap_tells_the_rest_of_its_copy(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    const char *targets[] = {"https://shop.example/", "https://shop.example/trap"};
    guint32 campaign, numbers[2];
    fixture->options.trap = targets[1];
    mrg_store_campaign_number(fixture->store, "spring", &campaign, G_MAXINT64, &error);
    mrg_store_link_numbers(fixture->store, campaign, targets, 2, numbers, G_MAXINT64,
                           &error);
    g_assert_no_error(error);
    consent(fixture, 1, "track_click", MRG_CONSENT_GRANTED);
    click_links(fixture, 2, NOW, 5 * SECOND);
    g_assert_cmpuint(load_all(fixture).n_of[MRG_CLASS_SCANNER], ==, 2);
}

/* ---- once -------------------------------------------------------------- */

static void
what_is_younger_waits(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    MrgHit first = hit(MRG_HIT_OPEN, 1, NOW), second = hit(MRG_HIT_OPEN, 2, NOW + SECOND);
    append(fixture, &first);
    append(fixture, &second);
    g_autoptr(MrgLoad) load = mrg_load_new(&fixture->options, &error);
    for (guint i = 0; i < 2; i++) {
        g_assert_cmpint(mrg_load_step(load, NOW + SECOND, &error), ==, MRG_LOAD_END);
        assert_hits(fixture, "1 by 0: human\n");
    }
    g_assert_cmpint(mrg_load_step(load, NOW + SECOND + 1, &error), ==, MRG_LOAD_END);
    assert_hits(fixture, "1 by 0: human\n1 by 0: human\n");
}

/* Two that take turns: what one has loaded the other leaves. */
static void
two_loaders_load_once(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgJournalReader) reader = mrg_journal_reader_open(fixture->folder, &error);
    MrgLoadOptions options = fixture->options;
    options.reader = reader;
    g_autoptr(MrgLoad) one = mrg_load_new(&fixture->options, &error);
    g_autoptr(MrgLoad) other = mrg_load_new(&options, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < 20; i++) {
        MrgHit open = hit(MRG_HIT_OPEN, i, NOW + i);
        append(fixture, &open);
        MrgLoad *whose = i % 3 ? one : other;
        while (mrg_load_step(whose, G_MAXINT64, &error) == MRG_LOAD_MORE)
            ;
        g_assert_no_error(error);
    }
    g_assert_cmpuint(mrg_load_counts(one)->n_hits + mrg_load_counts(other)->n_hits, ==, 20);
    g_assert_cmpuint(load_all(fixture).n_hits, ==, 0);
}

static void
loaded_files_go_and_batches_follow_each_other(Fixture *fixture,
                                              gconstpointer data G_GNUC_UNUSED)
{
    MrgJournalState before, after;
    for (guint i = 0; i < MRG_LOAD_BATCH + 100; i++) {
        MrgHit open = hit(MRG_HIT_OPEN, i, NOW + i);
        append(fixture, &open);
    }
    mrg_journal_append(fixture->journal, "no hit", 6);
    mrg_journal_state(fixture->journal, &before);
    MrgLoadCounts counts = load_all(fixture);
    g_assert_cmpuint(counts.n_hits, ==, MRG_LOAD_BATCH + 100);
    g_assert_cmpuint(counts.n_unreadable, ==, 1);
    guint n = 0;
    g_autoptr(GDir) folder = g_dir_open(fixture->folder, 0, NULL);
    for (const char *name; (name = g_dir_read_name(folder));)
        n += g_str_has_suffix(name, ".journal");
    g_assert_cmpuint(n, ==, 1);
    mrg_journal_state(fixture->journal, &after);
    g_assert_cmpuint(after.n_records, ==, before.n_records);
}

/* ---- anew -------------------------------------------------------------- */

static void
classes_follow_the_lists_of_now(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    MrgReclassified counts;
    consent(fixture, 1, "track_click", MRG_CONSENT_GRANTED);
    click_links(fixture, 2, NOW, 5 * SECOND);
    load_all(fixture);
    assert_hits(fixture,
                "2 by 1: human copy agent network\n2 by 1: human copy agent network\n");
    mrg_signs_free(fixture->signs);
    fixture->signs =
        mrg_signs_parse("a", "human has Firefox", "n", "scanner 192.0.2.0/24 lab", &error);
    fixture->options.signs = fixture->signs;
    g_assert_true(mrg_reclassify(&fixture->options, NOW + 5 * SECOND, &counts, &error));
    g_assert_cmpuint(counts.n_changed, ==, 1);
    assert_hits(fixture,
                "2 by 1: human copy agent network\n2 by 1: scanner copy agent network\n");
    g_assert_true(mrg_reclassify(&fixture->options, 0, &counts, &error));
    g_assert_cmpuint(counts.n_seen, ==, 2);
    g_assert_cmpuint(counts.n_changed, ==, 1);
    g_assert_true(mrg_reclassify(&fixture->options, 0, &counts, &error));
    g_assert_cmpuint(counts.n_changed, ==, 0);
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*test)(Fixture *fixture, gconstpointer data);
    } tests[] = {
        {"/load/nobody", who_does_not_agree_is_nobody},
        {"/load/erased", who_was_erased_is_nobody},
        {"/load/deliverability", for_deliverability_there_is_nobody},
        {"/load/engagement", people_engage_and_machines_do_not},
        {"/load/noted", what_was_noted_counts_once},
        {"/load/web", web_events_are_somebodys_by_a_sealed_id_alone},
        {"/load/burst", all_links_at_once_are_a_scanner},
        {"/load/trap", a_trap_tells_the_rest_of_its_copy},
        {"/load/younger", what_is_younger_waits},
        {"/load/two", two_loaders_load_once},
        {"/load/batches", loaded_files_go_and_batches_follow_each_other},
        {"/load/reclassify", classes_follow_the_lists_of_now},
    };
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].name, Fixture, NULL, set_up, tests[i].test, tear_down);
    return g_test_run();
}
