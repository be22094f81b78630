/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of stores: consents, suppressions, engagement, removal, search. */
#include "config.h"

#include <string.h>

#include "tests/unit/store-fixture.h"

#define KEY_1 "01000000000000000000000000000070"

/* ---- import --------------------------------------------------------------- */

static void
import_without_address_touches_the_ledger(Fixture *fixture,
                                          gconstpointer plugin G_GNUC_UNUSED)
{
    MrgSuppression gone = {"all", "bounced", 10, 0};
    MrgProfileField name = {"name", field(MRG_FIELD_STRING, "Ann")};
    MrgProfile ledger = {.person = person(1), .suppressions = &gone, .n_suppressions = 1};
    MrgProfile whole = {
        .person = person(1), .address = "a@b.c", .fields = &name, .n_fields = 1};
    const char *names[] = {"name"};
    MrgField out[1];
    import(fixture, &ledger, 1);
    g_assert_cmpint(fetch(fixture, 1, names, 1, out), ==, MRG_FETCH_MISS);
    g_assert_cmpuint(load(fixture, 1, 1).n_suppressions, ==, 1);
    import(fixture, &whole, 1);
    ledger.person = person(1);
    import(fixture, &ledger, 1);
    g_assert_cmpint(fetch(fixture, 1, names, 1, out), ==, MRG_FETCH_HIT);
    assert_field(&out[0], MRG_FIELD_STRING, "Ann");
    g_assert_cmpuint(load(fixture, 1, 1).n_suppressions, ==, 1);
}

static void
assert_import_refused(const Fixture *fixture, const MrgProfile *profile)
{
    Feed feed = {profile, 1, 0, FALSE};
    g_autoptr(GError) error = NULL;
    g_assert_false(mrg_store_import(fixture->store, next_profile, &feed, NULL, &error));
    g_assert_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_CORRUPT);
    g_assert_nonnull(strstr(error->message, KEY_1));
}

static void
import_refuses_what_the_ledger_cannot_hold(Fixture *fixture,
                                           gconstpointer plugin G_GNUC_UNUSED)
{
    g_autofree char *long_text = g_strnfill(300, 'x');
    MrgProfileField name = {"name", field(MRG_FIELD_STRING, "Ann")};
    MrgProfile no_address = {.person = person(1), .fields = &name, .n_fields = 1};
    MrgSuppression suppressions[] = {{"", "manual", 1, 0},
                                     {"all", "\xff", 1, 0},
                                     {long_text, "manual", 1, 0},
                                     {"all", long_text, 1, 0},
                                     {"all", "manual", -1, 0}};
    MrgEngagement engagements[] = {{"read", 1}, {"open\n1 click", 1}, {"open", -1}};
    assert_import_refused(fixture, &no_address);
    for (gsize i = 0; i < G_N_ELEMENTS(suppressions); i++) {
        MrgProfile profile = {
            .person = person(1), .suppressions = &suppressions[i], .n_suppressions = 1};
        assert_import_refused(fixture, &profile);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(engagements); i++) {
        MrgProfile profile = {
            .person = person(1), .engagements = &engagements[i], .n_engagements = 1};
        assert_import_refused(fixture, &profile);
    }
    g_assert_cmpuint(load(fixture, 1, 1).own.version, ==, 0);
}

static void
the_latest_consent_counts_in_any_order(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    import_consent(fixture, MRG_CONSENT_GRANTED, 10);
    import_consent(fixture, MRG_CONSENT_GRANTED, 50);
    guint64 version = load(fixture, 1, 1).own.version;
    import_consent(fixture, MRG_CONSENT_GRANTED, 50);
    g_assert_cmpuint(load(fixture, 1, 1).own.version, ==, version);
    import_consent(fixture, MRG_CONSENT_DENIED, 30);
    MrgState state = load(fixture, 1, 1);
    g_assert_cmpuint(state.n_consents, ==, 1);
    g_assert_cmpint(state.consents[0].state, ==, MRG_CONSENT_GRANTED);
    g_assert_cmpint(state.consents[0].at_us, ==, 50);
    import_consent(fixture, MRG_CONSENT_DENIED, 50);
    g_assert_cmpint(load(fixture, 1, 1).consents[0].state, ==, MRG_CONSENT_DENIED);
    import_consent(fixture, MRG_CONSENT_GRANTED, 50);
    g_assert_cmpint(load(fixture, 1, 1).consents[0].state, ==, MRG_CONSENT_DENIED);
}

/* ---- suppressions ---------------------------------------------------------- */

static gboolean
add_suppression(const MrgPersonKey *who, const MrgSuppression *suppression,
                gpointer context)
{
    GPtrArray *lines = context;
    g_ptr_array_add(lines,
                    g_strdup_printf("%u %s %s %" G_GINT64_FORMAT "-%" G_GINT64_FORMAT,
                                    who->bytes[0], suppression->scope, suppression->reason,
                                    suppression->at_us, suppression->until_us));
    return lines->len < 4;
}

static gint
compare_lines(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static void
assert_suppressions(const Fixture *fixture, const MrgPersonKey *who, gint64 now_us,
                    gsize limit, const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    mrg_store_suppressions(fixture->store, who, now_us, limit, add_suppression, lines,
                           &error);
    g_assert_no_error(error);
    g_ptr_array_sort(lines, compare_lines);
    g_ptr_array_add(lines, NULL);
    g_autofree char *is = g_strjoinv("; ", (char **) lines->pdata);
    g_assert_cmpstr(is, ==, expected);
}

static void
suppress(const Fixture *fixture, guint who, const char *scope, gint64 at_us,
         gint64 until_us)
{
    MrgSuppression row = {scope, "unsubscribed", at_us, until_us};
    MrgProfile profile = {.person = person(who), .suppressions = &row, .n_suppressions = 1};
    import(fixture, &profile, 1);
}

static void
suppressions_are_listed_as_of_a_time(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    MrgPersonKey key = person(1), absent = person(9);
    suppress(fixture, 1, "all", 10, 50);
    suppress(fixture, 1, "class:promo", 10, 0);
    suppress(fixture, 2, "list:news", 10, 60);
    const char *all =
        "1 all unsubscribed 10-50; 1 class:promo unsubscribed 10-0; 2 list:news "
        "unsubscribed 10-60";
    assert_suppressions(fixture, NULL, 49, 99, all);
    assert_suppressions(fixture, NULL, 50, 99,
                        "1 class:promo unsubscribed 10-0; 2 list:news unsubscribed 10-60");
    assert_suppressions(fixture, &key, 60, 99, "1 class:promo unsubscribed 10-0");
    assert_suppressions(fixture, &absent, 0, 99, "");
    assert_suppressions(fixture, NULL, 49, 0, "");
    g_assert_cmpuint(load(fixture, 1, 1).n_suppressions, ==, 2);
}

static guint64
end_suppression(const Fixture *fixture, guint who, const char *scope, const char *reason,
                gint64 at_us)
{
    g_autoptr(GError) error = NULL;
    MrgPersonKey key = person(who);
    guint64 n = 77;
    mrg_store_end_suppression(fixture->store, &key, scope, reason, at_us, &n, &error);
    g_assert_no_error(error);
    return n;
}

static void
an_ended_suppression_stays(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    MrgPersonKey key = person(1);
    suppress(fixture, 1, "all", 10, 0);
    suppress(fixture, 1, "class:promo", 10, 90);
    suppress(fixture, 1, "class:news", 10, 30);
    guint64 version = load(fixture, 1, 1).own.version;
    g_assert_cmpuint(end_suppression(fixture, 1, "list:x", NULL, 40), ==, 0);
    g_assert_cmpuint(end_suppression(fixture, 1, NULL, "manual", 40), ==, 0);
    g_assert_cmpuint(end_suppression(fixture, 9, NULL, NULL, 40), ==, 0);
    g_assert_cmpuint(load(fixture, 1, 1).own.version, ==, version);
    g_assert_cmpuint(end_suppression(fixture, 1, "all", "unsubscribed", 40), ==, 1);
    g_assert_cmpuint(load(fixture, 1, 1).own.version, >, version);
    assert_suppressions(fixture, &key, 39, 99,
                        "1 all unsubscribed 10-40; 1 class:promo unsubscribed 10-90");
    assert_suppressions(fixture, &key, 40, 99, "1 class:promo unsubscribed 10-90");
    g_assert_cmpuint(end_suppression(fixture, 1, NULL, NULL, 41), ==, 1);
    assert_suppressions(fixture, &key, 41, 99, "");
    assert_suppressions(fixture, &key, 0, 99,
                        "1 all unsubscribed 10-40; 1 class:news unsubscribed 10-30; "
                        "1 class:promo unsubscribed 10-41");
    g_assert_cmpuint(load(fixture, 1, 1).n_suppressions, ==, 3);
}

static void
a_suppression_begins_anew_or_grows(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    MrgPersonKey key = person(1);
    suppress(fixture, 1, "all", 10, 50);
    suppress(fixture, 1, "all", 20, 40);
    assert_suppressions(fixture, &key, 0, 99, "1 all unsubscribed 10-50");
    suppress(fixture, 1, "all", 20, 60);
    assert_suppressions(fixture, &key, 0, 99, "1 all unsubscribed 10-60");
    guint64 version = load(fixture, 1, 1).own.version;
    suppress(fixture, 1, "all", 60, 90);
    assert_suppressions(fixture, &key, 0, 99, "1 all unsubscribed 60-90");
    g_assert_cmpuint(load(fixture, 1, 1).own.version, >, version);
    suppress(fixture, 1, "all", 70, 0);
    suppress(fixture, 1, "all", 80, 99);
    assert_suppressions(fixture, &key, 0, 99, "1 all unsubscribed 60-0");
}

/* ---- everybody at once ---------------------------------------------------- */

static gboolean
note_home(const MrgPersonKey *who, const char *address, const MrgField *home,
          gpointer context)
{
    g_autofree char *line = home->type == MRG_FIELD_MISSING
                                ? g_strdup_printf("%s of nobody", address)
                                : g_strdup_printf("%s %d %.*s", address, home->type,
                                                  (int) home->length, home->text);
    g_assert_cmpuint(who->bytes[0], <, 5);
    g_ptr_array_index((GPtrArray *) context, who->bytes[0]) = g_steal_pointer(&line);
    return TRUE;
}

static void
assert_homes(const Fixture *fixture, const char *name, const char *const expected[5])
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_set_size(lines, 5);
    mrg_store_homes(fixture->store, name, note_home, lines, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < lines->len; i++)
        g_assert_cmpstr(g_ptr_array_index(lines, i), ==, expected[i]);
}

static void
homes_are_those_of_profiles(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    MrgProfileField fields[] = {{"home", field(MRG_FIELD_STRING, "h'1")},
                                {"home", field(MRG_FIELD_NUMBER, "12")},
                                {"name", field(MRG_FIELD_STRING, "Ann")}};
    MrgSuppression gone = {"all", "bounced", 10, 0};
    const MrgProfile profiles[] = {
        {.person = person(1), .address = "a@b.c", .fields = &fields[0], .n_fields = 1},
        {.person = person(2), .address = "b@b.c", .fields = &fields[1], .n_fields = 1},
        {.person = person(3), .address = "c@b.c", .fields = &fields[2], .n_fields = 1},
        {.person = person(4), .suppressions = &gone, .n_suppressions = 1}};
    import(fixture, profiles, G_N_ELEMENTS(profiles));
    assert_homes(
        fixture, "home",
        (const char *[]){NULL, "a@b.c 4 h'1", "b@b.c 3 12", "c@b.c of nobody", NULL});
    assert_homes(fixture, "",
                 (const char *[]){NULL, "a@b.c of nobody", "b@b.c of nobody",
                                  "c@b.c of nobody", NULL});
}

static gboolean
note_acts(const MrgPersonKey *who, const char *lines, gpointer context)
{
    g_string_append_printf(context, "%u: %s", who->bytes[0], lines);
    return TRUE;
}

static void
engagements_are_those_of_who_agreed(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    MrgEngagement acts[] = {{"open", 20}, {"click", 10}};
    MrgConsent is[] = {{"profile", MRG_CONSENT_GRANTED, 5, ""},
                       {"profile", MRG_CONSENT_DENIED, 6, ""},
                       {"predict", MRG_CONSENT_GRANTED, 7, ""}};
    const MrgProfile profiles[] = {{.person = person(1),
                                    .engagements = acts,
                                    .n_engagements = 2,
                                    .consents = is,
                                    .n_consents = 1},
                                   {.person = person(2),
                                    .engagements = acts,
                                    .n_engagements = 2,
                                    .consents = is,
                                    .n_consents = 2},
                                   {.person = person(3),
                                    .engagements = acts,
                                    .n_engagements = 2,
                                    .consents = &is[2],
                                    .n_consents = 1}};
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) found = g_string_new(NULL);
    import(fixture, profiles, G_N_ELEMENTS(profiles));
    mrg_store_engagements(fixture->store, note_acts, found, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(found->str, ==, "1: 10 click\n20 open\n");
    MrgProfile quiet = {.person = person(2), .consents = is, .n_consents = 1};
    is[0].at_us = 9;
    import(fixture, &quiet, 1);
    MrgConsent withdrawn = {"profile", MRG_CONSENT_DENIED, 10, ""};
    MrgProfile left = {.person = person(1), .consents = &withdrawn, .n_consents = 1};
    import(fixture, &left, 1);
    g_string_truncate(found, 0);
    mrg_store_engagements(fixture->store, note_acts, found, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(found->str, ==, "2: 10 click\n20 open\n");
}

/* ---- engagement ------------------------------------------------------------ */

static void
engage(const Fixture *fixture, const MrgEngagement *engagements, gsize n)
{
    MrgProfile profile = {
        .person = person(1), .engagements = engagements, .n_engagements = n};
    import(fixture, &profile, 1);
}

static void
assert_engagement(const Fixture *fixture, const char *expected)
{
    MrgState state = load(fixture, 1, 1);
    g_assert_cmpmem(state.engagement, state.engagement_length, expected, strlen(expected));
}

static void
engagement_is_sorted_and_raises_the_version(Fixture *fixture,
                                            gconstpointer plugin G_GNUC_UNUSED)
{
    MrgEngagement first[] = {{"open", 30}, {"click", 9}, {"open", 9}};
    MrgEngagement second[] = {{"complaint", 20}, {"click", 9}, {"open", 100}};
    assert_engagement(fixture, "");
    engage(fixture, first, 3);
    assert_engagement(fixture, "9 click\n9 open\n30 open\n");
    guint64 version = load(fixture, 1, 1).own.version;
    g_assert_cmpuint(version, >, 0);
    engage(fixture, first, 3);
    g_assert_cmpuint(load(fixture, 1, 1).own.version, ==, version);
    engage(fixture, second, 3);
    assert_engagement(fixture, "9 click\n9 open\n20 complaint\n30 open\n100 open\n");
    MrgOutcome stale = outcome(1, 1, version, "x");
    g_assert_cmpint(commit(fixture, &stale), ==, MRG_COMMIT_CONFLICT);
    g_assert_cmpint(fetch(fixture, 1, NULL, 0, NULL), ==, MRG_FETCH_MISS);
}

static void
the_newest_engagement_is_kept(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    MrgEngagement many[MRG_ENGAGEMENT_MAX + 2];
    g_autoptr(GString) expected = g_string_new(NULL);
    for (guint i = 0; i < G_N_ELEMENTS(many); i++) {
        many[i] = (MrgEngagement){"open", 1000 + i};
        if (i >= 2)
            g_string_append_printf(expected, "%u open\n", 1000 + i);
    }
    engage(fixture, many + 1, G_N_ELEMENTS(many) - 1);
    assert_engagement(fixture, expected->str);
    guint64 version = load(fixture, 1, 1).own.version;
    engage(fixture, many, 1);
    assert_engagement(fixture, expected->str);
    g_assert_cmpuint(load(fixture, 1, 1).own.version, ==, version);
}

/* ---- rows ------------------------------------------------------------------ */

/* Lines "TABLE|VALUE|VALUE...|". */
static gboolean
add_row(const char *table, const char *const *names, const char *const *values, gsize n,
        gpointer context)
{
    GString *text = g_string_new(table);
    g_string_append_c(text, '|');
    for (gsize i = 0; i < n; i++) {
        g_assert_cmpuint(strlen(names[i]), >, 0);
        g_string_append_printf(text, "%s|", values[i] ? values[i] : "NULL");
    }
    g_ptr_array_add(context, g_string_free(text, FALSE));
    return TRUE;
}

static GPtrArray *
search(const Fixture *fixture, const char *text)
{
    g_autoptr(GError) error = NULL;
    GPtrArray *rows = g_ptr_array_new_with_free_func(g_free);
    mrg_store_search(fixture->store, text, add_row, rows, &error);
    g_assert_no_error(error);
    return rows;
}

static guint
count_found(const Fixture *fixture, const char *text)
{
    g_autoptr(GPtrArray) rows = search(fixture, text);
    return rows->len;
}

/* Something of a person in every table. */
static void
fill(const Fixture *fixture, guint who)
{
    MrgProfileField fields[] = {{"name", field(MRG_FIELD_STRING, "100%_Ann")},
                                {"city", field(MRG_FIELD_STRING, "Z\xc3\xbcrich'")}};
    MrgConsent consent = {"track_open", MRG_CONSENT_GRANTED, 10, "form 7"};
    MrgSuppression gone = {"class:promo", "unsubscribed", 10, 20};
    MrgEngagement click = {"click", 123456};
    MrgProfile profile = {person(who), "Ann@b.example", fields, 2,      &consent,
                          1,           &gone,           1,      &click, 1};
    import(fixture, &profile, 1);
    MrgOutcome held =
        outcome(who, 100 + who, load(fixture, who, 1).own.version, "sent once");
    held.event.verdict = MRG_VERDICT_HOLD;
    held.host = "mx1.example";
    held.queue_id = "4ABCDEF";
    held.until_us = 500;
    held.event.tags = "tag-of-copy";
    g_assert_cmpint(commit(fixture, &held), ==, MRG_COMMIT_DONE);
}

static GPtrArray *
rows_of(const Fixture *fixture, guint who)
{
    g_autoptr(GError) error = NULL;
    MrgPersonKey key = person(who);
    GPtrArray *rows = g_ptr_array_new_with_free_func(g_free);
    mrg_store_rows_of(fixture->store, &key, add_row, rows, &error);
    g_assert_no_error(error);
    return rows;
}

static gboolean
has_row(const GPtrArray *rows, const char *table, const char *text)
{
    for (guint i = 0; i < rows->len; i++) {
        const char *row = g_ptr_array_index(rows, i);
        if (g_str_has_prefix(row, table) && strstr(row, text))
            return TRUE;
    }
    return FALSE;
}

static void
rows_come_from_every_table(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    fill(fixture, 1);
    fill(fixture, 2);
    g_autoptr(GPtrArray) rows = rows_of(fixture, 1);
    static const char *const expected[][2] = {
        {"profile|", "Ann@b.example"},
        {"field|", "100%_Ann"},
        {"field|", "Z\xc3\xbcrich'"},
        {"person|", "sent once"},
        {"consent_log|", "form 7"},
        {"suppression|", "class:promo"},
        {"event|", "tag-of-copy"},
        {"hold|", "4ABCDEF"},
        {"", "123456"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(expected); i++)
        if (!has_row(rows, expected[i][0], expected[i][1]))
            g_error("no row of %s has %s", expected[i][0], expected[i][1]);
    for (guint i = 0; i < rows->len; i++)
        g_assert_nonnull(strstr(g_ptr_array_index(rows, i), KEY_1));
    g_autoptr(GPtrArray) none = rows_of(fixture, 9);
    g_assert_cmpuint(none->len, ==, 0);
}

static void
search_takes_text_as_it_stands(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    guint32 number;
    const char *targets[] = {"https://x.example/ANN?b=1"};
    fill(fixture, 1);
    mrg_store_campaign_number(fixture->store, "autumn-2", &number, soon(), &error);
    g_assert_no_error(error);
    mrg_store_link_numbers(fixture->store, number, targets, 1, &number, soon(), &error);
    g_assert_no_error(error);
    g_assert_cmpuint(count_found(fixture, "0%_A"), ==, 1);
    g_assert_cmpuint(count_found(fixture, "0__A"), ==, 0);
    g_assert_cmpuint(count_found(fixture, "0%%A"), ==, 0);
    g_assert_cmpuint(count_found(fixture, "ann@b"), ==, 0);
    g_assert_cmpuint(count_found(fixture, "rich'"), ==, 1);
    g_assert_cmpuint(count_found(fixture, "\xc3\xbc"), ==, 1);
    g_assert_cmpuint(count_found(fixture, "autumn-2"), ==, 1);
    g_assert_cmpuint(count_found(fixture, "/ANN?"), ==, 1);
    g_assert_cmpuint(count_found(fixture, KEY_1), >=, 8);
    g_assert_false(mrg_store_search(fixture->store, "", add_row, NULL, &error));
    g_assert_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_CORRUPT);
}

/* ---- erasure --------------------------------------------------------------- */

static void
erase(const Fixture *fixture, guint who, gint64 at_us)
{
    g_autoptr(GError) error = NULL;
    MrgPersonKey key = person(who);
    mrg_store_erase(fixture->store, &key, at_us, &error);
    g_assert_no_error(error);
}

static void
assert_only_tombstone(const Fixture *fixture)
{
    static const char *const gone[] = {"Ann@b",  "100%_Ann",    "rich'",  "sent once",
                                       "form 7", "tag-of-copy", "123456", "4ABCDEF"};
    for (gsize i = 0; i < G_N_ELEMENTS(gone); i++)
        g_assert_cmpuint(count_found(fixture, gone[i]), ==, 0);
    g_autoptr(GPtrArray) rows = search(fixture, KEY_1);
    for (guint i = 0; i < rows->len; i++) {
        const char *row = g_ptr_array_index(rows, i);
        g_assert_true(g_str_has_prefix(row, "suppression|") ||
                      g_str_has_prefix(row, "person|"));
    }
    g_assert_true(has_row(rows, "suppression|", "erased"));
    g_assert_true(has_row(rows, "suppression|", "class:promo"));
}

static void
erasure_leaves_a_tombstone(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    MrgMessageKey copy = message(101);
    fill(fixture, 1);
    guint64 version = load(fixture, 1, 1).own.version;
    erase(fixture, 1, 777);
    g_autofree char *holds = holds_text(fixture, NULL, NULL, 0);
    g_assert_nonnull(strstr(holds, "101 of 1: mx1.example 4ABCDEF"));
    g_assert_nonnull(strstr(holds, "-drop\n"));
    g_assert_true(mrg_store_end_holds(fixture->store, &copy, 1, &error));
    assert_only_tombstone(fixture);

    MrgState state = load(fixture, 1, 101);
    g_assert_cmpuint(state.own.version, >, version);
    g_assert_cmpstr(state.own.history, ==, "");
    g_assert_cmpuint(state.n_consents + state.engagement_length, ==, 0);
    g_assert_false(state.is_repeat);
    g_assert_cmpint(fetch(fixture, 1, NULL, 0, NULL), ==, MRG_FETCH_MISS);
    erase(fixture, 1, 888);
    MrgPersonKey key = person(1);
    assert_suppressions(fixture, &key, 50, 9, "1 all erased 777-0");
}

static void
a_decision_in_flight_meets_the_erasure(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    for (guint i = 0; i < 3; i++) {
        MrgOutcome flying = outcome(1, 1, load(fixture, 1, 1).own.version, "x");
        erase(fixture, 1, 10 + i);
        g_assert_cmpint(commit(fixture, &flying), ==, MRG_COMMIT_CONFLICT);
    }
}

static void
erasure_leaves_others_alone(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    fill(fixture, 1);
    fill(fixture, 2);
    g_autoptr(GPtrArray) before = rows_of(fixture, 2);
    erase(fixture, 1, 777);
    g_autoptr(GPtrArray) after = rows_of(fixture, 2);
    g_assert_cmpuint(after->len, ==, before->len);
    g_assert_true(load(fixture, 2, 102).is_repeat);
}

/* ---- retention ------------------------------------------------------------- */

static guint64
retain(const Fixture *fixture, gint64 events_us, gint64 engagement_us)
{
    g_autoptr(GError) error = NULL;
    MrgRetention retention = {.events_us = events_us, .engagement_us = engagement_us};
    guint64 n = 77;
    mrg_store_retain(fixture->store, &retention, &n, &error);
    g_assert_no_error(error);
    return n;
}

static void
retention_counts_what_it_removes(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    gint64 month_us = 31 * 24 * 3600 * SECOND, start_us = 1700000000 * SECOND;
    for (guint i = 1; i <= 4; i++) {
        MrgOutcome made = outcome(1, i, load(fixture, 1, i).own.version, "kept");
        made.event.at_us = start_us + i * month_us + i;
        g_assert_cmpint(commit(fixture, &made), ==, MRG_COMMIT_DONE);
    }
    MrgEngagement some[] = {{"open", 10}, {"click", 10}, {"open", 20}};
    engage(fixture, some, 3);
    g_assert_cmpuint(retain(fixture, 0, 0), ==, 0);
    g_assert_cmpuint(retain(fixture, start_us + 3 * month_us + 3, 20), ==, 4);
    g_assert_cmpuint(retain(fixture, start_us + 3 * month_us + 3, 20), ==, 0);
    assert_engagement(fixture, "20 open\n");
    g_autofree char *events = events_text(fixture, 1, 9);
    g_assert_cmpstr(events, ==, "4 deliver spring\n3 deliver spring\n");
    g_assert_false(load(fixture, 1, 2).is_repeat);
    g_assert_true(load(fixture, 1, 3).is_repeat);
    g_assert_cmpstr(load(fixture, 1, 1).own.history, ==, "kept");
    MrgOutcome next = outcome(1, 9, load(fixture, 1, 9).own.version, NULL);
    g_assert_cmpint(commit(fixture, &next), ==, MRG_COMMIT_DONE);
}

static void
the_schema_is_what_is_needed(Fixture *fixture, gconstpointer plugin G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    guint is = 77, needed = 0;
    mrg_store_schema_version(fixture->store, &is, &needed, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(is, ==, needed);
    g_assert_cmpuint(needed, >, 0);
}

const Case store_people[] = {
    {"import/no-address", import_without_address_touches_the_ledger},
    {"import/ledger-refuses", import_refuses_what_the_ledger_cannot_hold},
    {"consent/order", the_latest_consent_counts_in_any_order},
    {"suppression/listed", suppressions_are_listed_as_of_a_time},
    {"suppression/ended", an_ended_suppression_stays},
    {"suppression/anew", a_suppression_begins_anew_or_grows},
    {"engagement/sorted", engagement_is_sorted_and_raises_the_version},
    {"engagement/newest", the_newest_engagement_is_kept},
    {"everybody/homes", homes_are_those_of_profiles},
    {"everybody/engagements", engagements_are_those_of_who_agreed},
    {"rows/of", rows_come_from_every_table},
    {"rows/search", search_takes_text_as_it_stands},
    {"erase/tombstone", erasure_leaves_a_tombstone},
    {"erase/in-flight", a_decision_in_flight_meets_the_erasure},
    {"erase/others", erasure_leaves_others_alone},
    {"retain", retention_counts_what_it_removes},
    {"schema-version", the_schema_is_what_is_needed},
    {NULL, NULL},
};
