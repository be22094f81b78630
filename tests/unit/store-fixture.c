/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <glib/gstdio.h>
#include <string.h>

#include "tests/unit/store-fixture.h"

gint64
soon(void)
{
    return g_get_monotonic_time() + 20 * SECOND;
}

MrgPersonKey
person(guint n)
{
    MrgPersonKey key = {{0}};
    memcpy(key.bytes, &n, sizeof n);
    key.bytes[15] = 'p';
    return key;
}

MrgMessageKey
message(guint n)
{
    MrgMessageKey key = {{0}};
    memcpy(key.bytes, &n, sizeof n);
    key.bytes[15] = 'm';
    return key;
}

/* ---- set up ------------------------------------------------------------ */

static MrgStore *
open_store(const Fixture *fixture)
{
    MrgSetting sqlite[] = {{"file", fixture->file}, {"durability", "normal"}};
    const char *prepare = g_getenv("MRG_TEST_PGSQL_PREPARE");
    MrgSetting pgsql[] = {{"conninfo", g_getenv("MRG_TEST_PGSQL")},
                          {"prepare", prepare ? prepare : "yes"}};
    const char *directory = g_getenv("MRG_PLUGIN_DIR");
    g_autoptr(GError) error = NULL;
    MrgStore *store;
    if (strcmp(fixture->plugin, "sqlite") == 0)
        store = mrg_store_open(directory, "sqlite", sqlite, G_N_ELEMENTS(sqlite), &error);
    else if (strcmp(fixture->plugin, "pgsql") == 0)
        store = mrg_store_open(directory, "pgsql", pgsql, G_N_ELEMENTS(pgsql), &error);
    else
        store = mrg_store_open(directory, fixture->plugin, NULL, 0, &error);
    g_assert_no_error(error);
    return store;
}

void
set_up_empty(Fixture *fixture, gconstpointer plugin)
{
    g_autoptr(GError) error = NULL;
    fixture->plugin = plugin;
    fixture->arena = mrg_arena_new();
    fixture->folder = g_dir_make_tmp("merganser-store-XXXXXX", &error);
    g_assert_no_error(error);
    fixture->file = g_build_filename(fixture->folder, "people.db", NULL);
    if (strcmp(fixture->plugin, "pgsql") == 0)
        pgsql_reset();
    fixture->store = open_store(fixture);
}

void
set_up(Fixture *fixture, gconstpointer plugin)
{
    g_autoptr(GError) error = NULL;
    set_up_empty(fixture, plugin);
    mrg_store_create(fixture->store, &error);
    g_assert_no_error(error);
}

void
tear_down(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    static const char *const tails[] = {"", "-wal", "-shm", "-journal", ".old"};
    mrg_store_close(fixture->store);
    for (gsize i = 0; i < G_N_ELEMENTS(tails); i++) {
        g_autofree char *file = g_strconcat(fixture->file, tails[i], NULL);
        g_unlink(file);
    }
    g_rmdir(fixture->folder);
    mrg_arena_free(fixture->arena);
    g_free(fixture->file);
    g_free(fixture->folder);
}

/* ---- short forms ------------------------------------------------------- */

const MrgProfile *
next_profile(gpointer context, GError **error)
{
    Feed *feed = context;
    if (feed->next < feed->n)
        return &feed->profiles[feed->next++];
    if (feed->fails)
        g_set_error_literal(error, MRG_STORE_ERROR, MRG_STORE_ERROR_CORRUPT, "line 3");
    return NULL;
}

void
import(const Fixture *fixture, const MrgProfile *profiles, gsize n)
{
    g_autoptr(GError) error = NULL;
    Feed feed = {profiles, n, 0, FALSE};
    guint64 n_imported = 0;
    mrg_store_import(fixture->store, next_profile, &feed, &n_imported, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(n_imported, ==, n);
}

MrgFetch
fetch(const Fixture *fixture, guint who, const char *const *names, gsize n,
      MrgField *fields)
{
    g_autoptr(GError) error = NULL;
    MrgPersonKey key = person(who);
    MrgFetch found = mrg_store_fetch(fixture->store, &key, names, n, fields, fixture->arena,
                                     soon(), &error);
    g_assert_no_error(error);
    return found;
}

MrgState
load_by(MrgStore *store, MrgArena *arena, guint who, guint what)
{
    g_autoptr(GError) error = NULL;
    MrgPersonKey key = person(who);
    MrgMessageKey copy = message(what);
    MrgState state;
    memset(&state, 0xff, sizeof state);
    mrg_store_load(store, &key, &copy, NULL, 0, &state, arena, soon(), &error);
    g_assert_no_error(error);
    return state;
}

MrgState
load(const Fixture *fixture, guint who, guint what)
{
    return load_by(fixture->store, fixture->arena, who, what);
}

MrgOutcome
outcome(guint who, guint what, guint64 version, const char *history)
{
    return (MrgOutcome){
        .person = person(who),
        .message = message(what),
        .version = version,
        .history = history,
        .history_length = history ? strlen(history) : 0,
        .event = {.at_us = 1700000000 * SECOND + what,
                  .campaign = "spring",
                  .class_name = "promo",
                  .sender = "",
                  .tags = "",
                  .verdict = MRG_VERDICT_DELIVER,
                  .reason = "ok: test"},
        .is_final = TRUE,
    };
}

MrgCommit
commit(const Fixture *fixture, const MrgOutcome *what)
{
    g_autoptr(GError) error = NULL;
    MrgCommit result = mrg_store_commit(fixture->store, what, soon(), &error);
    g_assert_no_error(error);
    return result;
}

MrgField
field(MrgFieldType type, const char *text)
{
    return (MrgField){type, text, text ? strlen(text) : 0};
}

void
assert_field(const MrgField *is, MrgFieldType type, const char *text)
{
    g_assert_cmpint(is->type, ==, type);
    g_assert_cmpmem(is->text, is->length, text, strlen(text));
}

void
import_consent(const Fixture *fixture, MrgConsentState state, gint64 at_us)
{
    MrgConsent consent = {"track_open", state, at_us, "form \xc3\xa9"};
    MrgProfile profile = {
        .person = person(1), .address = "a@b.c", .consents = &consent, .n_consents = 1};
    import(fixture, &profile, 1);
}

void
import_suppression(const Fixture *fixture, const char *scope, const char *reason,
                   gint64 until_us)
{
    MrgSuppression suppression = {scope, reason, 10, until_us};
    MrgProfile profile = {.person = person(1),
                          .address = "a@b.c",
                          .suppressions = &suppression,
                          .n_suppressions = scope ? 1 : 0};
    import(fixture, &profile, 1);
}

/* ---- listings ----------------------------------------------------------- */

static const char *const verdicts[] = {"deliver", "drop", "reject", "defer", "hold"};

static gboolean
add_event(const MrgPersonKey *who G_GNUC_UNUSED, const MrgEvent *event, gpointer context)
{
    g_string_append_printf(context, "%" G_GINT64_FORMAT " %s %s", event->at_us % SECOND,
                           verdicts[event->verdict], event->campaign);
    if (event->tracked)
        g_string_append_printf(context, " tracked %u of %u", event->tracked,
                               event->message.bytes[0]);
    g_string_append_c(context, '\n');
    return TRUE;
}

char *
events_text(const Fixture *fixture, guint who, gsize limit)
{
    g_autoptr(GError) error = NULL;
    GString *text = g_string_new(NULL);
    MrgPersonKey key = person(who);
    mrg_store_events(fixture->store, &key, limit, add_event, text, &error);
    g_assert_no_error(error);
    return g_string_free(text, FALSE);
}

static gboolean
add_hold(const MrgHold *hold, gpointer context)
{
    GString *text = context;
    g_string_append_printf(text, "%u of %u: %s %s %s %s %" G_GINT64_FORMAT "-",
                           hold->message.bytes[0], hold->person.bytes[0], hold->host,
                           hold->queue_id, hold->campaign, hold->class_name, hold->at_us);
    if (hold->is_settled)
        g_string_append(text, verdicts[hold->settlement]);
    else
        g_string_append_printf(text, "%" G_GINT64_FORMAT, hold->until_us);
    g_string_append_printf(text, "%s%s\n", *hold->list ? " " : "", hold->list);
    return TRUE;
}

char *
holds_text(const Fixture *fixture, const char *host, const char *campaign, gint64 due_us)
{
    g_autoptr(GError) error = NULL;
    GString *text = g_string_new(NULL);
    MrgHoldFilter filter = {host, campaign, due_us};
    mrg_store_holds(fixture->store, &filter, add_hold, text, &error);
    g_assert_no_error(error);
    return g_string_free(text, FALSE);
}

/* ---- failures ------------------------------------------------------------ */

void
assert_all_fail(const Fixture *fixture, gint code)
{
    g_autoptr(GError) error = NULL;
    MrgPersonKey key = person(1);
    MrgState state;
    MrgOutcome what = outcome(1, 1, 0, NULL);
    guint32 number;
    Feed feed = {NULL, 0, 0, FALSE};
    g_assert_cmpint(mrg_store_fetch(fixture->store, &key, NULL, 0, NULL, fixture->arena,
                                    soon(), &error),
                    ==, MRG_FETCH_ERROR);
    g_assert_error(error, MRG_STORE_ERROR, code);
    g_clear_error(&error);
    g_assert_false(mrg_store_load(fixture->store, &key, NULL, NULL, 0, &state,
                                  fixture->arena, soon(), &error));
    g_assert_error(error, MRG_STORE_ERROR, code);
    g_clear_error(&error);
    g_assert_cmpint(mrg_store_commit(fixture->store, &what, soon(), &error), ==,
                    MRG_COMMIT_ERROR);
    g_assert_error(error, MRG_STORE_ERROR, code);
    g_clear_error(&error);
    g_assert_false(
        mrg_store_campaign_number(fixture->store, "spring", &number, soon(), &error));
    g_assert_error(error, MRG_STORE_ERROR, code);
    g_clear_error(&error);
    g_assert_false(mrg_store_import(fixture->store, next_profile, &feed, NULL, &error));
    g_assert_error(error, MRG_STORE_ERROR, code);
}

void
missing_tables_are_an_error_of_schema(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    if (strcmp(fixture->plugin, "sqlite") == 0)
        g_assert_true(g_file_set_contents(fixture->file, "", 0, NULL));
    assert_all_fail(fixture, MRG_STORE_ERROR_SCHEMA);
}
