/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile export: all that is held on a person (GDPR article 15, CCPA 1798.110), or all
 * profiles in the form that profile import takes.
 */
#include "config.h"

#include <string.h>

#include "ctl/held.h"
#include "ctl/json-exact.h"
#include "ctl/terminal.h"
#include "ctl/words.h"
#include "milter/clock.h"

/* What stands in the answer to somebody who asks, said in their words. */
static const struct {
    const char *name, *text;
} explanations[] = {
    {"address", "your address, in the one form in which it is recognised"},
    {"key", "a keyed hash of your address; all but the profile is kept under it alone"},
    {"profile", "your data, each with what it is kept for"},
    {"consents", "what you agreed to or withdrew, when and where, and by which text"},
    {"suppressions", "what mail you get none of, why, and until when"},
    {"engagement", "when you opened or clicked a mail, or complained of one"},
    {"mails", "each mail that was meant for you: what became of it, and why"},
    {"rows", "all of this as it is stored; times are microseconds since 1970, state 1 is "
             "granted and 2 denied, verdict 0 to 4 is delivered, dropped, rejected, "
             "deferred, held"},
};

static json_t *
explanations_json(void)
{
    json_t *json = json_object();
    for (gsize i = 0; i < G_N_ELEMENTS(explanations); i++)
        json_object_set_new(json, explanations[i].name, json_string(explanations[i].text));
    return json;
}

/* ---- one person ---- */

static gboolean
add_event(const MrgPersonKey *person G_GNUC_UNUSED, const MrgEvent *event, gpointer context)
{
    g_autofree char *at = mrg_time_exact(event->at_us);
    json_array_append_new(
        context,
        json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "at", at, "campaign", event->campaign,
                  "class", event->class_name, "sender", event->sender ? event->sender : "",
                  "tags", event->tags ? event->tags : "", "verdict",
                  mrg_verdict_name(event->verdict), "reason", event->reason));
    return TRUE;
}

/* {NAME: {"value", "purpose", "used_for", "sensitive"}} */
static json_t *
profile_json(const MrgHeld *held, const MrgSchema *schema, MrgArena *arena)
{
    json_t *fields = mrg_held_fields(held), *profile = json_object(), *value;
    const char *name;
    json_object_foreach(fields, name, value)
    {
        const MrgSchemaField *declared = mrg_schema_field(schema, name);
        json_t *field = json_pack("{s:O}", "value", value);
        if (declared)
            json_object_update_new(field, json_pack("{s:s,s:s,s:b}", "purpose",
                                                    declared->purpose, "used_for",
                                                    mrg_schema_uses_text(declared, arena),
                                                    "sensitive", declared->is_sensitive));
        json_object_set_new(profile, name, field);
    }
    json_decref(fields);
    return profile;
}

static json_t *
engagement_json(const MrgHeld *held)
{
    return json_pack("{s:o,s:o,s:o}", "opens", mrg_held_engagement(held, "open"), "clicks",
                     mrg_held_engagement(held, "click"), "complaints",
                     mrg_held_engagement(held, "complaint"));
}

static int
export_person(MrgPeople *people, const char *address)
{
    g_auto(MrgHeld) held = {0};
    MrgPerson person;
    int code = mrg_people_find(people, address, &person);
    if (!code)
        code = mrg_held_read(&held, people, &person.key);
    if (code)
        return code;
    g_autoptr(GError) error = NULL;
    json_t *mails = json_array();
    if (!mrg_store_events(people->store, &person.key, G_MAXINT32, add_event, mails,
                          &error)) {
        json_decref(mails);
        return mrg_verb_fail(error);
    }
    char key[MRG_KEY_TEXT_BYTES];
    mrg_key_print(&person.key, key);
    g_autofree char *now = mrg_time_exact(mrg_clock_now_us());
    mrg_print_json(json_pack("{s:s,s:s,s:s,s:o,s:o,s:o,s:o,s:o,s:O,s:o}", "exported_at",
                             now, "address", person.address, "key", key, "profile",
                             profile_json(&held, people->conf->schema, people->arena),
                             "consents", mrg_held_consents(&held), "suppressions",
                             mrg_held_suppressions(&held), "engagement",
                             engagement_json(&held), "mails", mails, "rows", held.rows,
                             "explained", explanations_json()));
    return EX_OK;
}

/* ---- all profiles ---- */

static void
set_unless_empty(json_t *row, const char *name, json_t *list)
{
    if (json_array_size(list))
        json_object_set(row, name, list);
    json_decref(list);
}

/* {PURPOSE: [RECORD]} */
static json_t *
consents_by_purpose(const MrgHeld *held)
{
    json_t *all = mrg_held_consents(held), *by_purpose = json_object(), *record;
    gsize i;
    json_array_foreach(all, i, record)
    {
        const char *purpose = json_string_value(json_object_get(record, "purpose"));
        json_t *list = json_object_get(by_purpose, purpose);
        if (!list)
            json_object_set_new(by_purpose, purpose, list = json_array());
        json_array_append(list, record);
    }
    json_decref(all);
    return by_purpose;
}

/* The mark of an erased person is nothing that an import may give. */
static json_t *
importable_suppressions(const MrgHeld *held)
{
    json_t *all = mrg_held_suppressions(held);
    for (gsize i = json_array_size(all); i-- > 0;)
        if (!mrg_word_is_reason(
                json_string_value(json_object_get(json_array_get(all, i), "reason"))))
            json_array_remove(all, i);
    return all;
}

static json_t *
row_json(const MrgHeld *held, const char *address)
{
    json_t *row = mrg_held_fields(held), *consents = consents_by_purpose(held);
    json_object_set_new(row, "address", json_string(address));
    if (json_object_size(consents))
        json_object_set(row, "consent", consents);
    json_decref(consents);
    set_unless_empty(row, "suppressed", importable_suppressions(held));
    set_unless_empty(row, "opens", mrg_held_engagement(held, "open"));
    set_unless_empty(row, "clicks", mrg_held_engagement(held, "click"));
    set_unless_empty(row, "complaints", mrg_held_engagement(held, "complaint"));
    return row;
}

static int
print_row(MrgPeople *people, const char *address)
{
    g_auto(MrgHeld) held = {0};
    MrgPerson person;
    mrg_arena_reset(people->arena);
    int code = mrg_people_find(people, address, &person);
    if (!code)
        code = mrg_held_read(&held, people, &person.key);
    /* Erased since the list was made. */
    if (code || !mrg_held_has_profile(&held))
        return code;
    json_t *row = row_json(&held, person.address);
    g_autofree char *text = mrg_json_exact(row, JSON_COMPACT | JSON_SORT_KEYS);
    g_print("%s\n", text);
    json_decref(row);
    return EX_OK;
}

static gboolean
add_address(const char *address, gpointer context)
{
    g_ptr_array_add(context, g_strdup(address));
    return TRUE;
}

static int
export_all(MrgPeople *people)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) addresses = g_ptr_array_new_with_free_func(g_free);
    if (!mrg_store_list(people->store, G_MAXINT32, add_address, addresses, &error))
        return mrg_verb_fail(error);
    MrgProgress progress;
    mrg_progress_begin(&progress, "profiles", NULL);
    progress.total_bytes = addresses->len;
    int code = EX_OK;
    for (guint i = 0; !code && i < addresses->len; i++) {
        code = print_row(people, g_ptr_array_index(addresses, i));
        mrg_progress_step(&progress, i + 1, i + 1);
    }
    mrg_progress_end(&progress);
    return code;
}

int
mrg_verb_profile_export(MrgTool *tool, int argc, char **argv)
{
    gboolean is_all = FALSE;
    const GOptionEntry entries[] = {
        {"all", 0, 0, G_OPTION_ARG_NONE, &is_all,
         "all profiles, a line each, in the form that 'profile import' takes", NULL},
        {0}};
    g_auto(MrgPeople) people = {0};
    int code = mrg_verb_parse(tool, &argc, &argv, entries, -1);
    if (!code && argc != (is_all ? 1 : 2))
        return mrg_verb_usage("profile export takes an ADDRESS, or --all");
    if (!code)
        code = mrg_people_open(&people, tool);
    if (code)
        return code;
    return is_all ? export_all(&people) : export_person(&people, argv[1]);
}
