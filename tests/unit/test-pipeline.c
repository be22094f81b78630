/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole way of a message, from envelope to what the MTA is told, with the SQLite store
 * and a fake MTA.
 */
#include "config.h"

#include <glib/gstdio.h>

#include "milter/counters.h"
#include "milter/outcome.h"
#include "milter/pipeline.h"
#include "tests/fake/mta.h"

#define HEAD                                                                         \
    "X-Campaign: spring\nFrom: shop@example.com\nTo: all@example.com\n"              \
    "Cc: boss@example.com\nMessage-ID: <%d@example.com>\nSubject: {{first_name}}!\n" \
    "MIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\n\n"
#define BODY \
    "<html><body>Hi {{first_name}}, {{#if vip}}gold{{else}}plain{{/if}}</body></html>\n"

#define MIXED "X-Campaign: a\nContent-Type: multipart/mixed; boundary=b\n\n"

typedef struct World {
    char *folder;
    MrgPipeline *pipeline;
    GString *conf_text;
} World;

typedef struct Person {
    const char *address;
    const char *name; /* NULL: no profile */
    gboolean may_track;
    const char *suppressed;
} Person;

static const Person people[] = {
    {"ann@example.com", "Ann", TRUE, NULL},
    {"bob@example.com", "Bob", FALSE, NULL},
    {"eve@example.com", "Eve", TRUE, "unsubscribed"},
};

typedef struct Import {
    MrgKeyring *keyring;
    gsize i;
    MrgProfile profile;
    MrgProfileField fields[3];
    MrgConsent consent;
    MrgSuppression suppression;
} Import;

static const MrgProfile *
next_profile(gpointer context, GError **error G_GNUC_UNUSED)
{
    Import *import = context;
    if (import->i == G_N_ELEMENTS(people))
        return NULL;
    const Person *person = &people[import->i++];
    import->fields[0] = (MrgProfileField){"first_name",
                                          { MRG_FIELD_STRING,
                                            person->name,
                                            strlen(person->name) }};
    import->fields[1] = (MrgProfileField){"lang", { MRG_FIELD_STRING, "de", 2 }};
    import->fields[2] = (MrgProfileField){"zone", { MRG_FIELD_STRING, "Europe/Oslo", 11 }};
    import->consent = (MrgConsent){"track_open", MRG_CONSENT_GRANTED, 1, "test"};
    import->suppression = (MrgSuppression){"all", person->suppressed, 1, 0};
    import->profile = (MrgProfile){.address = person->address,
                                   .fields = import->fields,
                                   .n_fields = G_N_ELEMENTS(import->fields),
                                   .consents = &import->consent,
                                   .n_consents = person->may_track ? 1 : 0,
                                   .suppressions = &import->suppression,
                                   .n_suppressions = person->suppressed ? 1 : 0};
    mrg_person_key(import->keyring, person->address, &import->profile.person);
    return &import->profile;
}

static const MrgProfile *
next_suppressed(gpointer context, GError **error G_GNUC_UNUSED)
{
    Import *import = context;
    return import->i++ ? NULL : &import->profile;
}

static void
suppress(World *world, const char *address)
{
    g_autoptr(GError) error = NULL;
    const MrgConf *conf = mrg_pipeline_conf(world->pipeline);
    g_autoptr(MrgKeyring) keyring = mrg_keyring_load(conf->keys_file, &error);
    g_autoptr(MrgStore) store = mrg_conf_open_store(conf, &error);
    MrgSuppression suppression = {"all", "unsubscribed", 1, 0};
    Import import = {
        .profile = {.address = address, .suppressions = &suppression, .n_suppressions = 1}};
    mrg_person_key(keyring, address, &import.profile.person);
    mrg_store_import(store, next_suppressed, &import, NULL, &error);
    g_assert_no_error(error);
}

static void
fill_store(const MrgConf *conf)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgKeyring) keyring = mrg_keyring_load(conf->keys_file, &error);
    g_assert_no_error(error);
    g_autoptr(MrgStore) store = mrg_conf_open_store(conf, &error);
    g_assert_no_error(error);
    Import import = {.keyring = keyring};
    mrg_store_create(store, &error);
    g_assert_no_error(error);
    mrg_store_import(store, next_profile, &import, NULL, &error);
    g_assert_no_error(error);
}

static MrgPipeline *
open_pipeline(const char *text, gboolean is_filled)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgConf) conf = mrg_conf_parse("t.conf", text, &error);
    g_assert_no_error(error);
    if (is_filled)
        fill_store(conf);
    MrgPipeline *pipeline = mrg_pipeline_new(conf, &error);
    g_assert_no_error(error);
    return pipeline;
}

/* more: further lines of configuration. */
static World *
world_new(const char *more, gboolean is_filled)
{
    g_autoptr(GError) error = NULL;
    World *world = g_new0(World, 1);
    world->folder = g_dir_make_tmp("pipeline-XXXXXX", &error);
    g_assert_no_error(error);
    g_autofree char *keys = g_build_filename(world->folder, "keys", NULL);
    g_autofree char *schema = g_build_filename(world->folder, "schema.conf", NULL);
    guint8 id;
    g_assert_true(mrg_keyring_create(keys, &id, &error));
    g_assert_true(g_file_set_contents(
        schema, "[field secret]\nsensitive = yes\n[field first_name]\n", -1, NULL));
    world->conf_text = g_string_new(NULL);
    g_string_printf(world->conf_text,
                    "[milter]\nplugin_dir = %s\n[keys]\nfile = %s\n[schema]\nfile = %s\n"
                    "[plugin sqlite]\nfile = %s/people.db\ndurability = normal\n"
                    "[stamp]\nbase_url = https://t.example.com\n%s",
                    g_getenv("MRG_PLUGIN_DIR"), keys, schema, world->folder, more);
    world->pipeline = open_pipeline(world->conf_text->str, is_filled);
    return world;
}

static void
world_free(World *world)
{
    static const char *const files[] = {"keys",          "schema.conf",   "people.db",
                                        "people.db-wal", "people.db-shm", NULL};
    mrg_pipeline_unref(world->pipeline);
    for (const char *const *file = files; *file; file++) {
        g_autofree char *path = g_build_filename(world->folder, *file, NULL);
        g_remove(path);
    }
    g_rmdir(world->folder);
    g_free(world->folder);
    g_string_free(world->conf_text, TRUE);
    g_free(world);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(World, world_free)

static MrgEnvelope *
make_envelope(World *world, const char *message, const char *to, MrgRole role)
{
    g_autoptr(GError) error = NULL;
    const MrgEnvelopeLimits *limits = &mrg_pipeline_rules(world->pipeline)->limits;
    MrgEnvelope *envelope = mrg_envelope_new(role, "shop@example.com");
    mrg_envelope_read(envelope, limits, message, strlen(message), &error);
    g_assert_no_error(error);
    mrg_envelope_add_recipient(envelope, limits, to);
    return envelope;
}

typedef struct Sent {
    MrgAnswer answer;
    char *reply, *headers, *body, *calls;
} Sent;

static void
sent_clear(Sent *sent)
{
    g_free(sent->reply);
    g_free(sent->headers);
    g_free(sent->body);
    g_free(sent->calls);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Sent, sent_clear)

static Sent
serve(World *world, MrgEnvelope *envelope)
{
    g_autoptr(FakeMta) fake = fake_mta_new(envelope);
    MrgMta mta = fake_mta_handle(fake);
    Sent sent = {.answer = mrg_pipeline_serve(world->pipeline, envelope, &mta)};
    sent.reply = g_strdup(fake->reply);
    sent.headers = fake_mta_headers(fake);
    sent.body = g_strndup((const char *) fake->body->data, fake->body->len);
    sent.calls = g_strdup(fake->calls->str);
    return sent;
}

static Sent
send_text(World *world, const char *message, const char *to)
{
    g_autoptr(MrgEnvelope) envelope = make_envelope(world, message, to, MRG_ROLE_MERGE);
    return serve(world, envelope);
}

/* The standard message; n tells messages apart. */
static Sent
send_standard(World *world, int n, const char *to)
{
    g_autofree char *message = g_strdup_printf(HEAD BODY, n);
    return send_text(world, message, to);
}

static long
count_of(const char *counters, const char *name)
{
    g_autofree char *pair = g_strconcat(name, "=", NULL);
    const char *found = strstr(counters, pair);
    return found ? strtol(found + strlen(pair), NULL, 10) : 0;
}

#define assert_contains(text, part) g_assert_nonnull(strstr((text), (part)))
#define assert_lacks(text, part) g_assert_null(strstr((text), (part)))

static void
a_copy_is_merged_for_its_recipient_alone(void)
{
    g_autoptr(World) world = world_new("", TRUE);
    g_auto(Sent) sent = send_standard(world, 1, "Ann@Example.com");
    g_assert_cmpint(sent.answer, ==, MRG_ANSWER_ACCEPT);
    assert_contains(sent.headers, "Subject: Ann!\n");
    assert_contains(sent.headers, "To: <ann@example.com>\n");
    assert_contains(sent.body, "Hi Ann, plain");
    assert_lacks(sent.headers, "X-Campaign");
    assert_lacks(sent.headers, "boss@");
    assert_lacks(sent.headers, "all@");
    assert_lacks(sent.body, "{{");
}

static void
a_pixel_needs_consent_and_a_profile(void)
{
    g_autoptr(World) world = world_new("", TRUE);
    g_auto(Sent) ann = send_standard(world, 1, "ann@example.com");
    g_auto(Sent) bob = send_standard(world, 1, "bob@example.com");
    g_auto(Sent) guest = send_standard(world, 1, "guest@example.com");
    assert_contains(ann.body, "https://t.example.com/o/");
    assert_lacks(bob.body, "t.example.com");
    assert_lacks(guest.body, "t.example.com");
    assert_contains(bob.headers, "List-Unsubscribe: <https://t.example.com/u/");
    assert_contains(bob.headers, "List-Unsubscribe-Post: List-Unsubscribe=One-Click");
}

static void
the_suppressed_get_nothing(void)
{
    g_autoptr(World) world = world_new("", TRUE);
    g_auto(Sent) sent = send_standard(world, 1, "eve@example.com");
    g_assert_cmpint(sent.answer, ==, MRG_ANSWER_DISCARD);
    g_assert_cmpstr(sent.calls, ==, "");
}

static void
a_cap_stops_the_second_and_a_retry_counts_once(void)
{
    g_autoptr(World) world = world_new("[cap daily]\nlimit = 2\nper = 24h\n", TRUE);
    static const struct {
        int n;
        MrgAnswer answer;
    } sends[] = {{1, MRG_ANSWER_ACCEPT},  {1, MRG_ANSWER_ACCEPT},  {1, MRG_ANSWER_ACCEPT},
                 {2, MRG_ANSWER_ACCEPT},  {3, MRG_ANSWER_DISCARD}, {1, MRG_ANSWER_ACCEPT},
                 {3, MRG_ANSWER_DISCARD}, {4, MRG_ANSWER_DISCARD}};
    for (gsize i = 0; i < G_N_ELEMENTS(sends); i++) {
        g_auto(Sent) sent = send_standard(world, sends[i].n, "bob@example.com");
        g_test_message("send %" G_GSIZE_FORMAT, i);
        g_assert_cmpint(sent.answer, ==, sends[i].answer);
    }
}

/* A copy may wait in the MTA's queue for days. */
static void
a_retry_after_an_unsubscription_is_dropped(void)
{
    g_autoptr(World) world = world_new("", TRUE);
    g_auto(Sent) first = send_standard(world, 1, "ann@example.com");
    g_assert_cmpint(first.answer, ==, MRG_ANSWER_ACCEPT);
    suppress(world, "ann@example.com");
    g_auto(Sent) again = send_standard(world, 1, "ann@example.com");
    g_assert_cmpint(again.answer, ==, MRG_ANSWER_DISCARD);
    g_assert_cmpstr(again.calls, ==, "");
}

/* What happens between the load and the commit of a copy. */
typedef struct Meanwhile {
    const MrgStoreApi *api; /* the store's own */
    MrgStoreApi changed;
    MrgConsent consent;
    MrgSuppression suppression;
    gboolean is_done;
} Meanwhile;

static Meanwhile meanwhile;

static MrgCommit
commit_later(gpointer store, const MrgOutcome *outcome, gint64 deadline_us, GError **error)
{
    Import import = {.profile = {.person = outcome->person,
                                 .consents = &meanwhile.consent,
                                 .n_consents = meanwhile.consent.purpose ? 1 : 0,
                                 .suppressions = &meanwhile.suppression,
                                 .n_suppressions = meanwhile.suppression.scope ? 1 : 0}};
    guint64 n;
    if (!meanwhile.is_done)
        g_assert_true(meanwhile.api->import(store, next_suppressed, &import, &n, error));
    meanwhile.is_done = TRUE;
    return meanwhile.api->commit(store, outcome, deadline_us, error);
}

static void
let_happen(World *world, MrgConsent consent, MrgSuppression suppression)
{
    MrgStore *store = world->pipeline->store;
    meanwhile = (Meanwhile){.api = store->api,
                            .changed = *store->api,
                            .consent = consent,
                            .suppression = suppression};
    meanwhile.changed.commit = commit_later;
    store->api = &meanwhile.changed;
}

/* The copy with the pixel is made when the consent goes. */
static void
a_consent_that_goes_while_a_copy_is_made_counts(void)
{
    g_autoptr(World) world = world_new("", TRUE);
    let_happen(world, (MrgConsent){"track_open", MRG_CONSENT_DENIED, 2, "test"},
               (MrgSuppression){0});
    g_auto(Sent) sent = send_standard(world, 1, "ann@example.com");
    g_assert_cmpint(sent.answer, ==, MRG_ANSWER_TEMPFAIL);
    g_assert_cmpstr(sent.calls, ==, "reply");
    g_auto(Sent) again = send_standard(world, 1, "ann@example.com");
    g_assert_cmpint(again.answer, ==, MRG_ANSWER_ACCEPT);
    assert_lacks(again.body, "/o/");
}

static void
an_unsubscription_while_a_copy_is_made_counts(void)
{
    g_autoptr(World) world = world_new("", TRUE);
    let_happen(world, (MrgConsent){0}, (MrgSuppression){"all", "unsubscribed", 2, 0});
    g_auto(Sent) sent = send_standard(world, 1, "ann@example.com");
    g_assert_cmpint(sent.answer, ==, MRG_ANSWER_DISCARD);
    g_assert_cmpstr(sent.calls, ==, "");
}

/* Another consent changes nothing about this copy. */
static void
a_change_that_does_not_matter_stops_no_copy(void)
{
    g_autoptr(World) world = world_new("", TRUE);
    let_happen(world, (MrgConsent){"profile", MRG_CONSENT_DENIED, 2, "test"},
               (MrgSuppression){0});
    g_auto(Sent) sent = send_standard(world, 1, "ann@example.com");
    g_assert_cmpint(sent.answer, ==, MRG_ANSWER_ACCEPT);
    assert_contains(sent.body, "/o/");
}

static void
a_reused_message_id_evades_no_cap(void)
{
    g_autoptr(World) world = world_new("[cap daily]\nlimit = 1\nper = 24h\n", TRUE);
    g_auto(Sent) first =
        send_text(world, "X-Campaign: a\nMessage-ID: <1@x>\n\none\n", "bob@example.com");
    g_auto(Sent) second =
        send_text(world, "X-Campaign: a\nMessage-ID: <1@x>\n\ntwo\n", "bob@example.com");
    g_assert_cmpint(first.answer, ==, MRG_ANSWER_ACCEPT);
    g_assert_cmpint(second.answer, ==, MRG_ANSWER_DISCARD);
}

/* A household or a wish that the campaign brings along is nobody's. */
static void
the_campaign_decides_nothing_about_people(void)
{
    static const char *const rules[] = {
        "[policy]\nhousehold_field = home\n"
        "[cap home]\nlimit = 1\nper = 24h\nscope = household\n",
        "[policy]\nfrequency_field = wish\n"};
    static const char message[] =
        "X-Campaign: a\nX-Campaign-Data: {\"home\":\"h\",\"wish\":0}\n\nx\n";
    for (gsize i = 0; i < G_N_ELEMENTS(rules); i++) {
        g_autoptr(World) world = world_new(rules[i], TRUE);
        g_auto(Sent) ann = send_text(world, message, "ann@example.com");
        g_auto(Sent) bob = send_text(world, message, "bob@example.com");
        g_test_message("%s", rules[i]);
        g_assert_cmpint(ann.answer, ==, MRG_ANSWER_ACCEPT);
        g_assert_cmpint(bob.answer, ==, MRG_ANSWER_ACCEPT);
    }
}

static void
people_without_a_profile_follow_the_policy(void)
{
    static const struct {
        const char *conf;
        MrgAnswer answer;
    } cases[] = {{"[policy]\nunknown_recipient = generic\n", MRG_ANSWER_ACCEPT},
                 {"[policy]\nunknown_recipient = drop\n", MRG_ANSWER_DISCARD},
                 {"[policy]\nunknown_recipient = reject\n", MRG_ANSWER_REJECT}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(World) world = world_new(cases[i].conf, TRUE);
        g_auto(Sent) sent = send_standard(world, 1, "guest@example.com");
        g_assert_cmpint(sent.answer, ==, cases[i].answer);
    }
}

#define ABORTING                                                          \
    "X-Campaign: a\nMessage-ID: <1@x>\nSubject: {{upper first_name}}\n\n" \
    "{{#eq first_name \"Bob\"}}{{abort \"nothing for Bob\"}}{{/eq}}x\n"

static void
a_template_may_leave_somebody_out(void)
{
    g_autoptr(World) world = world_new("[cap one]\nlimit = 1\nper = 24h\n", TRUE);
    g_auto(Sent) ann = send_text(world, ABORTING, "ann@example.com");
    g_auto(Sent) bob = send_text(world, ABORTING, "bob@example.com");
    g_auto(Sent) again = send_text(world, ABORTING, "bob@example.com");
    g_auto(Sent) other = send_standard(world, 1, "bob@example.com");
    g_assert_cmpint(ann.answer, ==, MRG_ANSWER_ACCEPT);
    g_assert_cmpint(bob.answer, ==, MRG_ANSWER_DISCARD);
    g_assert_cmpstr(bob.calls, ==, "");
    g_assert_cmpint(again.answer, ==, MRG_ANSWER_DISCARD);
    g_assert_cmpint(other.answer, ==, MRG_ANSWER_ACCEPT); /* it did not count */
}

/* What the merge of a message for Bob comes to. */
static void
assert_verdict(const char *conf, const char *message, MrgVerdict verdict,
               const char *reason)
{
    g_autoptr(World) world = world_new(conf, TRUE);
    for (int try = 0; try < 2; try++) {
        g_autoptr(MrgEnvelope) envelope =
            make_envelope(world, message, "bob@example.com", MRG_ROLE_MERGE);
        MrgMerge merge;
        mrg_merge_init(&merge, world->pipeline, envelope, MRG_MODE_MERGE, 1);
        mrg_merge_run(&merge);
        g_assert_cmpint(merge.disposition->verdict, ==, verdict);
        g_assert_cmpstr(merge.reason, ==, reason);
        gboolean is_final = verdict != MRG_VERDICT_REJECT;
        g_assert_cmpint(merge.state.is_repeat, ==, is_final && try == 1);
        mrg_merge_clear(&merge);
    }
}

static void
a_missing_value_follows_the_policy(void)
{
    static const char message[] = "X-Campaign: a\nMessage-ID: <1@x>\n\n{{required code}}\n";
    static const char reason[] =
        "required: part text/plain:1:3: helper 'required': this person lacks the value";
    assert_verdict("", message, MRG_VERDICT_REJECT, reason);
    assert_verdict("[policy]\nmissing_field = drop\n", message, MRG_VERDICT_DROP, reason);
    assert_verdict("[policy]\nmissing_field = hold\n", message, MRG_VERDICT_HOLD, reason);
    assert_verdict("[policy]\nmissing_field = hold\n",
                   "X-Campaign: a\n\n{{required code}}{{abort \"no\"}}\n", MRG_VERDICT_DROP,
                   "abort: part text/plain:1:20: no");
}

static void
helpers_know_the_person(void)
{
    static const char message[] =
        "X-Campaign: a\nX-Campaign-Data: {\"lang\":\"fr\",\"zone\":\"Asia/Tokyo\"}\n\n"
        "{{number 1234.5}} {{date \"2026-07-01T12:00:00Z\" \"HH:mm\"}} {{hash_pick "
        "\"x\"}}\n"
        "{{unsubscribe_url}}\n{{preferences_url}}\n{{view_url}}\n";
    g_autoptr(World) plain = world_new("", TRUE);
    g_autoptr(World) own =
        world_new("[render]\nlocale_field = lang\ntimezone_field = zone\n", TRUE);
    g_auto(Sent) first = send_text(plain, message, "bob@example.com");
    g_auto(Sent) second = send_text(own, message, "bob@example.com");
    g_auto(Sent) guest = send_text(own, message, "guest@example.com");
    assert_contains(first.body, "1,234.5 12:00 x");
    assert_contains(second.body, "1.234,5 14:00 x");
    assert_contains(guest.body, "1,234.5 12:00 x");
    assert_contains(first.body, "https://t.example.com/u/");
    assert_contains(first.body, "https://t.example.com/p/");
    assert_contains(first.body, "https://t.example.com/v/");
}

static void
what_cannot_be_merged_is_refused_with_its_place(void)
{
    static const struct {
        const char *message, *reply;
    } cases[] = {
        {"X-Campaign: a\nSubject: {{#if x}}\n\nx\n", "550 5.6.0 subject:1:1: "},
        {"X-Campaign: a\n\nline\n{{nosuch 1}}\n", "550 5.6.0 part text/plain:2:"},
        {"X-Campaign: a\nFrom: A <{{name}}@example.com>\n\nx\n",
         "550 5.6.0 header From:1:1: a template marker, but of an address"},
        {"X-Campaign: a\nFrom: {FirstName} <a@example.com>, b@example.com\n\nx\n",
         "550 5.6.0 header From:1:1: a template marker, but of an address"},
        {"X-Campaign: a\nFrom: {{#if x}} <a@example.com>\n\nx\n",
         "550 5.6.0 header From:1:1: {{#if}} is not closed"},
        {"X-Campaign: a\nSender: {first_name|x} <a@example.com>\n\nx\n",
         "550 5.6.0 header Sender:1:1: a template marker"},
        {"X-Campaign: a\nX-Note: =?utf-8?Q?=7B=7Bname}}?=\n\nx\n",
         "550 5.6.0 header X-Note:1:1: a template marker, but this header is not rendered"},
        {"X-Campaign: a\nComments: {{x}}\nList-Id: {{secret}}\n\nx\n",
         "550 5.6.0 header List-Id:1:3: field 'secret' is marked sensitive"},
        {"X-Campaign-Data: {}\n\nx\n", "550 5.6.0 there is no X-Campaign"},
        {MIXED "--b\nContent-Type: text/calendar\n\nSUMMARY:{FirstName}\n--b--\n",
         "550 5.6.0 part text/calendar:1:1: "},
        {MIXED "--b\nContent-Type: text/calendar\nContent-Transfer-Encoding: base64\n\n"
               "e3tmaXJzdF9uYW1lfX0K\n--b--\n",
         "550 5.6.0 part text/calendar:1:1: "},
        {MIXED "--b\nContent-Type: text/calendar; charset=utf-16be\n"
               "Content-Transfer-Encoding: base64\n\nAHsAewB4AH0AfQ==\n--b--\n",
         "550 5.6.0 part text/calendar:1:1: "},
        {MIXED "--b\nContent-Type: text/csv; charset=iso-8859-1\n"
               "Content-Transfer-Encoding: quoted-printable\n\n=7B=7Bx}}\n--b--\n",
         "550 5.6.0 part text/csv:1:1: "},
        {MIXED "--b\nContent-Type: message/rfc822\n\nSubject: x\n\n{{x}}\n--b--\n",
         "550 5.6.0 part message/rfc822:1:1: "},
        {MIXED "--b\nContent-Type: image/png; name=\"{{x}}.png\"\n\nx\n--b--\n",
         "550 5.6.0 fields of a part"},
        {MIXED "--b\nContent-Type: image/png\nContent-Description: "
               "=?utf-8?Q?=7BFirst=4Eame=7D?=\n\nx\n--b--\n",
         "550 5.6.0 fields of a part"},
        {MIXED "{{x}}\n--b\n\nx\n--b--\n", "550 5.6.0 fields of a part"},
        {MIXED "--b\n\nx\n--b--\n{{x}}\n", "550 5.6.0 fields of a part"},
        {"X-Campaign: a\nContent-Transfer-Encoding: base64\n\n{{Zm9v}}\n",
         "550 5.6.0 part text/plain:1:1: "},
        {"X-Campaign: a\n\n{{secret}}\n", "550 5.6.0 part text/plain:1:"},
        {"X-Campaign: a\n\n{{#each this}}{{@key}}{{/each}}\n",
         "550 5.6.0 a template reads"},
        {"X-Campaign: bad id\n\nx\n", "550 5.6.0 "},
        {"X-Campaign: a\nX-Campaign: b\n\nx\n", "550 5.6.0 "},
        {"X-Campaign: a\nX-Campaign-Syntax: none\n\nx\n", "550 5.6.0 "},
        {"X-Campaign: a\nX-Campaign-Data: {\n\nx\n", "550 5.6.0 "},
        {"X-Campaign: a\nX-Campaign-Colour: red\n\nx\n", "550 5.6.0 "},
        {"X-Campaign: a\nContent-Type: multipart/signed; boundary=b\n\n--b\n\nx\n--b--\n",
         "550 5.6.0 "},
        {"X-Campaign: a\nContent-Type: text/plain; charset=klingon\n\n{{a}}\n",
         "550 5.6.3 "},
    };
    g_autoptr(World) world = world_new("", TRUE);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(Sent) sent = send_text(world, cases[i].message, "bob@example.com");
        g_test_message("%s -> %s", cases[i].message, sent.reply);
        g_assert_cmpint(sent.answer, ==, MRG_ANSWER_REJECT);
        g_assert_cmpstr(sent.calls, ==, "reply");
        g_assert_true(g_str_has_prefix(sent.reply, cases[i].reply));
    }
}

static void
edits_that_were_refused_are_no_delivery(void)
{
    g_autoptr(World) world = world_new("", TRUE);
    g_autofree char *message = g_strdup_printf(HEAD BODY, 1);
    g_autoptr(MrgEnvelope) envelope =
        make_envelope(world, message, "bob@example.com", MRG_ROLE_MERGE);
    g_autoptr(FakeMta) fake = fake_mta_new(envelope);
    MrgMta mta = fake_mta_handle(fake);
    fake->fail_at = 1;
    g_autofree char *before = mrg_counters_print();
    g_assert_cmpint(mrg_pipeline_serve(world->pipeline, envelope, &mta), ==,
                    MRG_ANSWER_TEMPFAIL);
    g_autofree char *after = mrg_counters_print();
    g_assert_cmpint(count_of(after, "deliver"), ==, count_of(before, "deliver"));
    g_assert_cmpint(count_of(after, "defer"), ==, count_of(before, "defer") + 1);
}

/* libmilter could not send it, and the MTA would try for days. */
static void
a_subject_that_no_header_holds_is_refused(void)
{
    g_autoptr(World) world = world_new("", TRUE);
    g_autofree char *value = g_strnfill(20000, 'x');
    g_autofree char *message = g_strdup_printf("X-Campaign: a\nX-Campaign-Data: {\"v\":\"%s"
                                               "\"}\nSubject: {{v}}\n\nx\n",
                                               value);
    g_auto(Sent) sent = send_text(world, message, "bob@example.com");
    g_assert_cmpint(sent.answer, ==, MRG_ANSWER_REJECT);
    g_assert_true(g_str_has_prefix(sent.reply, "550 5.6.0 subject:1:1: "));
}

/* An attachment goes out as it is, but not where it is all that there is to read. */
static void
attachments_alone_stay_as_they_are(void)
{
    g_autoptr(World) world = world_new("", TRUE);
    g_auto(Sent) attached = send_text(
        world,
        MIXED "--b\n\nHi\n--b\nContent-Type: text/html\n"
              "Content-Disposition: attachment; filename=\"{A-1}.html\"\n\n{{x}}\n--b--\n",
        "bob@example.com");
    g_assert_cmpint(attached.answer, ==, MRG_ANSWER_ACCEPT);
    g_auto(Sent) alone = send_text(world,
                                   "X-Campaign: a\nContent-Disposition: attachment\n\n"
                                   "Hi {{first_name}}\n",
                                   "bob@example.com");
    g_assert_cmpint(alone.answer, ==, MRG_ANSWER_ACCEPT);
    g_assert_cmpstr(alone.body, ==, "Hi Bob\r\n");
}

static void
a_missing_store_defers_and_edits_nothing(void)
{
    g_autoptr(World) world = world_new("", FALSE);
    g_auto(Sent) sent = send_standard(world, 1, "bob@example.com");
    g_assert_cmpint(sent.answer, ==, MRG_ANSWER_TEMPFAIL);
    g_assert_cmpstr(sent.calls, ==, "reply");
    g_assert_true(g_str_has_prefix(sent.reply, "451 4.3."));
    assert_lacks(sent.reply, world->folder);
}

static void
several_recipients_are_refused(void)
{
    g_autoptr(World) world = world_new("", TRUE);
    g_autofree char *message = g_strdup_printf(HEAD BODY, 1);
    g_autoptr(MrgEnvelope) envelope =
        make_envelope(world, message, "ann@example.com", MRG_ROLE_MERGE);
    mrg_envelope_add_recipient(envelope, &mrg_pipeline_rules(world->pipeline)->limits,
                               "bob@example.com");
    g_auto(Sent) sent = serve(world, envelope);
    g_assert_cmpint(sent.answer, ==, MRG_ANSWER_REJECT);
    g_assert_true(g_str_has_prefix(sent.reply, "554 5.5.3 "));
}

static void
the_door_compiles_and_edits_nothing(void)
{
    g_autoptr(World) world = world_new("", FALSE); /* the door needs no store */
    g_autoptr(MrgEnvelope) good =
        make_envelope(world, "X-Campaign: a\n\n{{x}}\n", "ann@example.com", MRG_ROLE_CHECK);
    g_autoptr(MrgEnvelope) bad =
        make_envelope(world, "X-Campaign: a\n\n{{x\n", "ann@example.com", MRG_ROLE_CHECK);
    g_auto(Sent) passed = serve(world, good);
    g_assert_cmpint(passed.answer, ==, MRG_ANSWER_ACCEPT);
    g_assert_cmpstr(passed.calls, ==, "");
    g_auto(Sent) refused = serve(world, bad);
    g_assert_cmpint(refused.answer, ==, MRG_ANSWER_REJECT);
}

static void
preview_is_what_the_mta_ends_up_with(void)
{
    g_autoptr(World) world = world_new("", TRUE);
    g_autofree char *message = g_strdup_printf(HEAD BODY, 1);
    g_autoptr(MrgEnvelope) envelope =
        make_envelope(world, message, "ann@example.com", MRG_ROLE_MERGE);
    MrgMerge merge;
    g_auto(MrgBuffer) written;
    mrg_buffer_init(&written, 1 << 20);
    mrg_merge_init(&merge, world->pipeline, envelope, MRG_MODE_PREVIEW, 1);
    mrg_merge_run(&merge);
    g_assert_cmpint(merge.disposition->verdict, ==, MRG_VERDICT_DELIVER);
    mrg_copy_write(&merge.copy, envelope, &written);
    mrg_merge_clear(&merge);

    g_auto(Sent) sent = send_standard(world, 1, "ann@example.com");
    g_autoptr(GString) expected = g_string_new(sent.headers);
    g_string_replace(expected, "\n", "\r\n", 0);
    g_string_append(expected, "\r\n");
    g_string_append(expected, sent.body);
    /* Tokens are sealed, the preview's mean nothing; quoted-printable may break them. */
    g_autoptr(GRegex) token = g_regex_new("(/[ou]/)[A-Za-z0-9_=\r\n.-]{87,}|"
                                          "(X-Report-Ref: )[A-Za-z0-9_-]{87}",
                                          0, 0, NULL);
    g_autofree char *preview = mrg_buffer_dup(&written);
    g_autofree char *a = g_regex_replace(token, preview, -1, 0, "\\1\\2T", 0, NULL);
    g_autofree char *b = g_regex_replace(token, expected->str, -1, 0, "\\1\\2T", 0, NULL);
    g_assert_cmpstr(a, ==, b);
}

typedef struct Race {
    World *world;
    int first; /* number of the first message */
    int n_delivered;
} Race;

static gpointer
race(gpointer data)
{
    Race *racer = data;
    for (int i = 0; i < 10; i++) {
        g_auto(Sent) sent =
            send_standard(racer->world, racer->first + i, "bob@example.com");
        g_assert_cmpint(sent.answer, !=, MRG_ANSWER_REJECT);
        racer->n_delivered += sent.answer == MRG_ANSWER_ACCEPT;
    }
    return NULL;
}

static void
a_cap_holds_under_threads(void)
{
    g_autoptr(World) world = world_new("[cap three]\nlimit = 3\nper = 24h\n", TRUE);
    Race racers[4];
    GThread *threads[G_N_ELEMENTS(racers)];
    int n_delivered = 0;
    for (gsize i = 0; i < G_N_ELEMENTS(racers); i++) {
        racers[i] = (Race){world, (int) i * 100, 0};
        threads[i] = g_thread_new("racer", race, &racers[i]);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(racers); i++) {
        g_thread_join(threads[i]);
        n_delivered += racers[i].n_delivered;
    }
    g_assert_cmpint(n_delivered, ==, 3);
}

/* The log lines are tested elsewhere, and GLib's own writer is no friend of threads. */
static GLogWriterOutput
forget(GLogLevelFlags level, const GLogField *fields G_GNUC_UNUSED,
       gsize n_fields G_GNUC_UNUSED, gpointer data G_GNUC_UNUSED)
{
    g_assert_cmpint(level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL), ==, 0);
    return G_LOG_WRITER_HANDLED;
}

int
main(int argc, char **argv)
{
    mrg_mime_init();
    g_log_set_writer_func(forget, NULL, NULL);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pipeline/abort", a_template_may_leave_somebody_out);
    g_test_add_func("/pipeline/required", a_missing_value_follows_the_policy);
    g_test_add_func("/pipeline/helpers", helpers_know_the_person);
    g_test_add_func("/pipeline/merge", a_copy_is_merged_for_its_recipient_alone);
    g_test_add_func("/pipeline/pixel", a_pixel_needs_consent_and_a_profile);
    g_test_add_func("/pipeline/suppressed", the_suppressed_get_nothing);
    g_test_add_func("/pipeline/cap-and-retry",
                    a_cap_stops_the_second_and_a_retry_counts_once);
    g_test_add_func("/pipeline/retry-unsubscribed",
                    a_retry_after_an_unsubscription_is_dropped);
    g_test_add_func("/pipeline/meanwhile/consent",
                    a_consent_that_goes_while_a_copy_is_made_counts);
    g_test_add_func("/pipeline/meanwhile/unsubscription",
                    an_unsubscription_while_a_copy_is_made_counts);
    g_test_add_func("/pipeline/meanwhile/other",
                    a_change_that_does_not_matter_stops_no_copy);
    g_test_add_func("/pipeline/reused-message-id", a_reused_message_id_evades_no_cap);
    g_test_add_func("/pipeline/campaign-data", the_campaign_decides_nothing_about_people);
    g_test_add_func("/pipeline/unknown-people", people_without_a_profile_follow_the_policy);
    g_test_add_func("/pipeline/refusals", what_cannot_be_merged_is_refused_with_its_place);
    g_test_add_func("/pipeline/edits-refused", edits_that_were_refused_are_no_delivery);
    g_test_add_func("/pipeline/long-subject", a_subject_that_no_header_holds_is_refused);
    g_test_add_func("/pipeline/attachments", attachments_alone_stay_as_they_are);
    g_test_add_func("/pipeline/store-away", a_missing_store_defers_and_edits_nothing);
    g_test_add_func("/pipeline/recipients", several_recipients_are_refused);
    g_test_add_func("/pipeline/door", the_door_compiles_and_edits_nothing);
    g_test_add_func("/pipeline/preview", preview_is_what_the_mta_ends_up_with);
    g_test_add_func("/pipeline/threads", a_cap_holds_under_threads);
    return g_test_run();
}
