/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <glib/gstdio.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "milter/error.h"
#include "milter/nearest.h"
#include "milter/plugin.h"
#include "milter/registry.h"

typedef struct Fixture {
    char *folder;
    char *file; /* a copy of store-memory.so */
} Fixture;

static const char *
plugin_dir(void)
{
    return g_getenv("MRG_PLUGIN_DIR");
}

static void
set_up(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autofree char *from = g_build_filename(plugin_dir(), "store-memory.so", NULL);
    g_autofree char *bytes = NULL;
    gsize length;
    g_autoptr(GError) error = NULL;
    fixture->folder = g_dir_make_tmp("merganser-registry-XXXXXX", &error);
    g_assert_no_error(error);
    fixture->file = g_build_filename(fixture->folder, "store-memory.so", NULL);
    g_file_get_contents(from, &bytes, &length, &error);
    g_assert_no_error(error);
    g_assert_true(g_file_set_contents(fixture->file, bytes, (gssize) length, NULL));
    g_assert_cmpint(g_chmod(fixture->file, 0755), ==, 0);
}

static void
tear_down(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GDir) folder = g_dir_open(fixture->folder, 0, NULL);
    const char *name;
    while ((name = g_dir_read_name(folder))) {
        g_autofree char *path = g_build_filename(fixture->folder, name, NULL);
        g_unlink(path);
        g_rmdir(path);
    }
    g_assert_cmpint(g_rmdir(fixture->folder), ==, 0);
    g_free(fixture->file);
    g_free(fixture->folder);
}

static void
assert_refused(const char *folder, const char *name, const char *why)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(mrg_plugin_load(folder, name, &error));
    g_assert_error(error, MRG_ERROR, MRG_ERROR_CONFIG);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, why));
}

/* ---- the loader --------------------------------------------------------- */

static void
a_safe_file_is_loaded(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    const MrgPlugin *plugin = mrg_plugin_load(fixture->folder, "store-memory", &error);
    g_assert_no_error(error);
    g_assert_cmpstr(plugin->name, ==, "store-memory");
    g_assert_true(mrg_plugin_load(fixture->folder, "store-memory", &error) == plugin);
}

static void
an_unsafe_file_is_refused(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_chmod(fixture->file, 0775);
    assert_refused(fixture->folder, "store-memory", "unsafe");
    g_chmod(fixture->file, 0757);
    assert_refused(fixture->folder, "store-memory", "unsafe");
    g_chmod(fixture->file, 0755);
    g_chmod(fixture->folder, 0777);
    assert_refused(fixture->folder, "store-memory", "unsafe");
    g_chmod(fixture->folder, 0700);
    if (geteuid() == 0) {
        g_assert_cmpint(chown(fixture->file, 65534, 65534), ==, 0);
        assert_refused(fixture->folder, "store-memory", "unsafe");
    }
}

static void
a_link_is_as_safe_as_its_target(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autofree char *folder = g_build_filename(fixture->folder, "links", NULL);
    g_autofree char *link_path = g_build_filename(folder, "store-memory.so", NULL);
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(g_mkdir(folder, 0700), ==, 0);
    g_assert_cmpint(symlink(fixture->file, link_path), ==, 0);
    g_assert_nonnull(mrg_plugin_load(folder, "store-memory", &error));
    g_chmod(fixture->folder, 0777);
    assert_refused(folder, "store-memory", "unsafe");
    g_chmod(fixture->folder, 0700);
    g_unlink(link_path);
}

static void
what_is_no_plugin_is_refused(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autofree char *text = g_build_filename(fixture->folder, "store-text.so", NULL);
    g_autofree char *other = g_build_filename(fixture->folder, "store-other.so", NULL);
    g_autofree char *folder = g_build_filename(fixture->folder, "store-folder.so", NULL);
    g_assert_true(g_file_set_contents_full(text, "#!/bin/sh\n", -1, 0, 0600, NULL));
    g_assert_cmpint(g_rename(fixture->file, other), ==, 0);
    g_assert_cmpint(g_mkdir(folder, 0700), ==, 0);
    assert_refused(fixture->folder, "store-text", "store-text.so");
    assert_refused(fixture->folder, "store-other", "another name");
    assert_refused(fixture->folder, "store-folder", "not a regular file");
    assert_refused(fixture->folder, "store-absent", "No such file");
    assert_refused(fixture->folder, "../store-memory", "is no name");
    assert_refused(fixture->folder, "", "is no name");
}

static void
another_abi_is_refused(Fixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
    g_autofree char *folder = g_test_build_filename(G_TEST_BUILT, "plugins", ".libs", NULL);
    assert_refused(folder, "store-abi", "ABI");
    assert_refused(folder, "store-no", "does not work with this version");
}

static void
assert_store_refused(const char *name, const char *why)
{
    g_autofree char *folder = g_test_build_filename(G_TEST_BUILT, "plugins", ".libs", NULL);
    g_autoptr(GError) error = NULL;
    g_assert_null(mrg_store_open(folder, name, NULL, 0, &error));
    g_assert_error(error, MRG_ERROR, MRG_ERROR_CONFIG);
    g_assert_cmpstr(error->message, ==, why);
}

static void
a_store_that_lacks_something_is_refused(void)
{
    assert_store_refused("bare", "store-bare: lacks load(), which every store must have; "
                                 "install the plugin of this version of Merganser");
    assert_store_refused("short",
                         "store-short: lacks fetch(), which every store must have; "
                         "install the plugin of this version of Merganser");
}

/* ---- settings ----------------------------------------------------------- */

static void
assert_setting_refused(const char *name, const MrgSetting *settings, gsize n,
                       const char *why)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(mrg_store_open(plugin_dir(), name, settings, n, &error));
    g_assert_error(error, MRG_ERROR, MRG_ERROR_CONFIG);
    g_assert_cmpstr(error->message, ==, why);
}

static void
settings_are_checked(Fixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
    MrgSetting typo[] = {{"file", "/x"}, {"durabilty", "full"}};
    MrgSetting strange[] = {{"colour", "red"}};
    MrgSetting twice[] = {{"file", "/x"}, {"file", "/y"}};
    MrgSetting relative[] = {{"file", "x"}};
    MrgSetting value[] = {{"file", "/x"}, {"durability", "some"}};
    MrgSetting number[] = {{"file", "/x"}, {"readers", "0"}};
    assert_setting_refused("sqlite", typo, 2,
                           "store-sqlite: setting 'durabilty' is unknown; did you mean "
                           "'durability'?");
    assert_setting_refused("sqlite", strange, 1,
                           "store-sqlite: setting 'colour' is unknown");
    assert_setting_refused("sqlite", twice, 2,
                           "store-sqlite: setting 'file' is given twice");
    assert_setting_refused("sqlite", NULL, 0, "store-sqlite: setting 'file' is missing");
    assert_setting_refused("sqlite", relative, 1,
                           "store-sqlite: setting 'file' must be an absolute path");
    assert_setting_refused("sqlite", value, 2,
                           "store-sqlite: setting 'durability' must be full or normal");
    assert_setting_refused("sqlite", number, 2,
                           "store-sqlite: setting 'readers' must be a number from 1 to 64");
    assert_setting_refused("memory", typo, 1, "store-memory: setting 'file' is unknown");
}

static void
nearest_suggests_what_is_near(void)
{
    static const char *const words[] = {"limit",     NULL,    "limits",
                                        "on_exceed", "class", "per"};
    static const struct {
        const char *word, *nearest;
    } cases[] = {
        {"limit", "limit"}, {"limt", "limit"},     {"LIMIT", "limit"},
        {"ilmit", "limit"}, {"limitss", "limits"}, {"onexceed", "on_exceed"},
        {"clas", "class"},  {"pre", "per"},        {"colour", NULL},
        {"", NULL},         {"p", NULL},           {"xx", NULL},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        g_assert_cmpstr(mrg_nearest(cases[i].word, words, G_N_ELEMENTS(words)), ==,
                        cases[i].nearest);
    g_autofree char *long_word = g_strnfill(1000, 'l');
    g_assert_null(mrg_nearest(long_word, words, G_N_ELEMENTS(words)));
    g_assert_null(mrg_nearest("limit", NULL, 0));
}

/* ---- a store that answers wrongly ---------------------------------------- */

typedef struct Wrong {
    MrgState state;
    MrgEvent event;
    MrgHold hold;
    MrgSuppression suppression;
} Wrong;

static gboolean
wrong_load(gpointer store, const MrgPersonKey *person G_GNUC_UNUSED,
           const MrgMessageKey *message G_GNUC_UNUSED,
           const MrgPersonKey *shared G_GNUC_UNUSED, gsize n_shared G_GNUC_UNUSED,
           MrgState *state, const MrgMemory *memory G_GNUC_UNUSED,
           gint64 deadline_us G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
    *state = ((Wrong *) store)->state;
    return TRUE;
}

static gboolean
wrong_events(gpointer store, const MrgPersonKey *person, gsize limit G_GNUC_UNUSED,
             MrgEventVisit visit, gpointer context, GError **error G_GNUC_UNUSED)
{
    visit(person, &((Wrong *) store)->event, context);
    return TRUE;
}

static gboolean
wrong_holds(gpointer store, const MrgHoldFilter *filter G_GNUC_UNUSED, MrgHoldVisit visit,
            gpointer context, GError **error G_GNUC_UNUSED)
{
    visit(&((Wrong *) store)->hold, context);
    return TRUE;
}

static gboolean
wrong_suppressions(gpointer store, const MrgPersonKey *person, gint64 now_us G_GNUC_UNUSED,
                   gsize limit G_GNUC_UNUSED, MrgSuppressionVisit visit, gpointer context,
                   GError **error G_GNUC_UNUSED)
{
    visit(person, &((Wrong *) store)->suppression, context);
    return TRUE;
}

static const MrgStoreApi wrong_api = {
    .size = sizeof(MrgStoreApi),
    .load = wrong_load,
    .events = wrong_events,
    .suppressions = wrong_suppressions,
    .holds = wrong_holds,
};

static const MrgPersonKey ann = {{1}};

static gboolean
loads(Wrong *wrong, const MrgPersonKey *shared, gsize n_shared)
{
    MrgStore store = {&wrong_api, wrong, NULL};
    MrgState state;
    g_autoptr(MrgArena) arena = mrg_arena_new();
    g_autoptr(GError) error = NULL;
    if (mrg_store_load(&store, &ann, NULL, shared, n_shared, &state, arena, 0, &error))
        return TRUE;
    g_assert_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_CORRUPT);
    g_assert_nonnull(strstr(error->message, "person 01000000000000000000000000000000: "));
    return FALSE;
}

static gboolean
reads_engagement(const char *text)
{
    Wrong wrong = {.state.engagement = text, .state.engagement_length = strlen(text)};
    return loads(&wrong, NULL, 0);
}

static void
engagement_that_cannot_be_is_refused(void)
{
    g_autoptr(GString) many = g_string_new(NULL);
    for (guint i = 0; i < MRG_ENGAGEMENT_MAX; i++)
        g_string_append(many, "1 open\n");
    g_assert_true(reads_engagement(""));
    g_assert_true(reads_engagement("1 open\n1 click\n9223372036854775799 complaint\n"));
    g_assert_true(reads_engagement(many->str));
    g_string_append(many, "1 open\n");
    g_assert_false(reads_engagement(many->str));
    static const char *const faults[] = {"\n",
                                         "1 open",
                                         "1 read\n",
                                         " open\n",
                                         "-1 open\n",
                                         "1  open\n",
                                         "1\n",
                                         "1 ",
                                         "2 open\n1 open\n",
                                         "1 open\n\n",
                                         "x",
                                         "1 open\r\n",
                                         "99999999999999999999 open\n"};
    for (gsize i = 0; i < G_N_ELEMENTS(faults); i++)
        if (reads_engagement(faults[i]))
            g_error("engagement %s", faults[i]);
}

static void
states_that_cannot_be_are_refused(void)
{
    MrgPersonKey home = {{2}}, other = {{3}};
    MrgConsent consent = {"receive", MRG_CONSENT_GRANTED, 1, "\xff"};
    MrgSuppression suppression = {"", "manual", 1, 0};
    Wrong faults[] = {
        {.state = {.own = {.history = "\xff", .history_length = 1}}},
        {.state = {.own = {.history = "a\0b", .history_length = 3}}},
        {.state = {.own = {.history = NULL, .history_length = 1}}},
        {.state = {.own = {.history = "", .history_length = G_MAXSIZE}}},
        {.state = {.consents = &consent, .n_consents = 1}},
        {.state = {.suppressions = &suppression, .n_suppressions = 1}},
        {.state = {.is_repeat = TRUE, .repeat_reason = "\xff"}},
        {.state = {.is_repeat = TRUE,
                   .repeat_verdict = (MrgVerdict) 5,
                   .repeat_reason = ""}},
        {.state = {.n_shared = 1}},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(faults); i++)
        g_assert_false(loads(&faults[i], NULL, 0));
    Wrong shared = {.state = {.shared = {{.key = home, .history = ""}}, .n_shared = 1}};
    g_assert_true(loads(&shared, &home, 1));
    g_assert_false(loads(&shared, &other, 1));
    shared.state.n_shared = 0;
    g_assert_false(loads(&shared, &home, 1));
}

static gboolean
never_event(const MrgPersonKey *who G_GNUC_UNUSED, const MrgEvent *event G_GNUC_UNUSED,
            gpointer context G_GNUC_UNUSED)
{
    g_assert_not_reached();
}

static gboolean
never_hold(const MrgHold *hold G_GNUC_UNUSED, gpointer context G_GNUC_UNUSED)
{
    g_assert_not_reached();
}

static gboolean
never_suppression(const MrgPersonKey *who G_GNUC_UNUSED,
                  const MrgSuppression *suppression G_GNUC_UNUSED,
                  gpointer context G_GNUC_UNUSED)
{
    g_assert_not_reached();
}

static void
assert_corrupt(gboolean is_done, GError *error)
{
    g_assert_false(is_done);
    g_assert_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_CORRUPT);
    g_error_free(error);
}

static void
rows_that_cannot_be_are_refused(void)
{
    g_autofree char *long_id = g_strnfill(65, 'x');
    Wrong wrong = {
        .event = {.at_us = 1,
                  .campaign = "spring",
                  .class_name = "promo",
                  .tags = "",
                  .verdict = MRG_VERDICT_DELIVER,
                  .reason = "ok"},
        .suppression = {"all", "\xff", 1, 0},
        .hold = {.host = "mx1", .queue_id = long_id, .campaign = "s", .class_name = ""},
    };
    MrgStore store = {&wrong_api, &wrong, NULL};
    MrgHoldFilter filter = {NULL, NULL, G_MAXINT64};
    GError *error = NULL;
    gboolean is_done = mrg_store_events(&store, &ann, 9, never_event, NULL, &error);
    assert_corrupt(is_done, g_steal_pointer(&error));
    is_done = mrg_store_suppressions(&store, &ann, 0, 9, never_suppression, NULL, &error);
    assert_corrupt(is_done, g_steal_pointer(&error));
    is_done = mrg_store_holds(&store, &filter, never_hold, NULL, &error);
    assert_corrupt(is_done, g_steal_pointer(&error));
    wrong.hold.queue_id = "4ABC";
    wrong.hold.is_settled = TRUE;
    wrong.hold.settlement = MRG_VERDICT_REJECT;
    is_done = mrg_store_holds(&store, &filter, never_hold, NULL, &error);
    assert_corrupt(is_done, g_steal_pointer(&error));
}

/* ---- the sink ------------------------------------------------------------ */

static void
write_events(const MrgSink *sink, const MrgSinkEvent *events, gsize n)
{
    g_autoptr(GError) error = NULL;
    mrg_sink_write(sink, events, n, &error);
    g_assert_no_error(error);
}

static void
assert_lines(const char *file, guint n)
{
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(file, &text, NULL, NULL));
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_assert_cmpuint(g_strv_length(lines), ==, n + 1);
    g_assert_cmpstr(lines[n], ==, "");
    for (guint i = 0; i < n; i++) {
        json_t *json = json_loads(lines[i], 0, NULL);
        g_assert_cmpstr(json_string_value(json_object_get(json, "person")), ==,
                        "01000000000000000000000000000000");
        g_assert_cmpstr(json_string_value(json_object_get(json, "copy")), ==,
                        "00000000000000000000000000000002");
        g_assert_cmpstr(json_string_value(json_object_get(json, "at")), ==,
                        "2023-11-14T22:13:20.000007Z");
        g_assert_cmpstr(json_string_value(json_object_get(json, "verdict")), ==, "hold");
        g_assert_cmpstr(json_string_value(json_object_get(json, "reason")), ==,
                        "cap: \"daily\"\n(1 of 1)");
        json_decref(json);
    }
}

static void
events_become_lines(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autofree char *file = g_build_filename(fixture->folder, "events.jsonl", NULL);
    g_autofree char *moved = g_build_filename(fixture->folder, "events.jsonl.1", NULL);
    MrgSetting settings[] = {{"file", file}};
    MrgSinkEvent event = {
        .person = {{1}},
        .event = {G_GINT64_CONSTANT(1700000000000007), "spring", "promo", "", "",
                  MRG_VERDICT_HOLD, "cap: \"daily\"\n(1 of 1)", .message = {{[15] = 2}}},
        .queue_id = "4ABCDEF",
    };
    MrgSinkEvent events[] = {event, event, event};
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgSink) sink = mrg_sink_open(plugin_dir(), "jsonl", settings, 1, &error);
    g_assert_no_error(error);
    write_events(sink, events, 3);
    write_events(sink, events, 0);
    write_events(sink, events, 2);
    assert_lines(file, 5);
    GStatBuf status;
    g_assert_cmpint(g_stat(file, &status), ==, 0);
    g_assert_cmpint(status.st_mode & 0137, ==, 0);

    g_assert_cmpint(g_rename(file, moved), ==, 0);
    write_events(sink, events, 1);
    assert_lines(file, 1);
    assert_lines(moved, 5);

    events[1].event.reason = "\xff";
    g_assert_false(mrg_sink_write(sink, events, 3, &error));
    g_assert_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_CORRUPT);
    assert_lines(file, 1);
}

static void
kinds_are_not_mixed(Fixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(mrg_sink_open(plugin_dir(), "memory", NULL, 0, &error));
    g_assert_error(error, MRG_ERROR, MRG_ERROR_CONFIG);
    g_clear_error(&error);
    g_assert_null(mrg_store_open(plugin_dir(), "jsonl", NULL, 0, &error));
    g_assert_error(error, MRG_ERROR, MRG_ERROR_CONFIG);
    mrg_store_close(NULL);
    mrg_sink_close(NULL);
}

static void
add(const char *path, void (*test)(Fixture *fixture, gconstpointer data))
{
    g_test_add(path, Fixture, NULL, set_up, test, tear_down);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add("/plugin/safe", a_safe_file_is_loaded);
    add("/plugin/unsafe", an_unsafe_file_is_refused);
    add("/plugin/link", a_link_is_as_safe_as_its_target);
    add("/plugin/not-one", what_is_no_plugin_is_refused);
    add("/plugin/abi", another_abi_is_refused);
    add("/registry/settings", settings_are_checked);
    add("/registry/kinds", kinds_are_not_mixed);
    add("/sink/jsonl", events_become_lines);
    g_test_add_func("/registry/incomplete", a_store_that_lacks_something_is_refused);
    g_test_add_func("/answer/engagement", engagement_that_cannot_be_is_refused);
    g_test_add_func("/answer/state", states_that_cannot_be_are_refused);
    g_test_add_func("/answer/rows", rows_that_cannot_be_are_refused);
    g_test_add_func("/nearest", nearest_suggests_what_is_near);
    return g_test_run();
}
