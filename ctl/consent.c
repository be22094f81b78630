/* SPDX-License-Identifier: Apache-2.0 */
/* consent grant, withdraw and log: one person's record, to which lines are only added. */
#include "config.h"

#include <string.h>

#include "ctl/held.h"
#include "ctl/words.h"
#include "milter/clock.h"

typedef struct Request {
    char *source, *text_version;
} Request;

static int
check_request(const Request *request, char **purposes)
{
    if (!purposes[0])
        return mrg_verb_usage("which purpose? There are " MRG_PURPOSES_TEXT);
    for (char **purpose = purposes; *purpose; purpose++)
        if (!mrg_word_is_purpose(*purpose))
            return mrg_verb_usage("unknown purpose; there are " MRG_PURPOSES_TEXT);
    if ((request->source && !mrg_word_is_source(request->source)) ||
        (request->text_version && !mrg_word_is_source(request->text_version)))
        return mrg_verb_usage("--source and --text-version are 1 to %d printable bytes "
                              "without ;",
                              MRG_SOURCE_BYTES_MAX);
    return EX_OK;
}

static int
record(MrgPeople *people, const MrgTool *tool, char **words, MrgConsentState state,
       const Request *request)
{
    MrgPerson person;
    int code = mrg_people_find(people, words[0], &person);
    if (code)
        return code;
    g_autofree char *source = mrg_source_join(request->source ? request->source : "manual",
                                              request->text_version);
    gsize n = g_strv_length(words + 1);
    gint64 now_us = mrg_clock_now_us();
    MrgConsent *consents = mrg_arena_array(people->arena, MrgConsent, n);
    for (gsize i = 0; i < n; i++)
        consents[i] = (MrgConsent){words[1 + i], state, now_us, source};
    const MrgProfile profile = {
        .person = person.key, .consents = consents, .n_consents = n};
    code = mrg_people_write(people, &profile);
    if (code)
        return code;
    if (tool->is_json)
        mrg_print_json(json_pack("{s:s,s:s,s:I}", "person", person.pseudonym, "state",
                                 mrg_consent_word(state), "recorded", (json_int_t) n));
    else
        g_print("%" G_GSIZE_FORMAT " purposes %s; 'merganser consent %s' takes it back\n",
                n, mrg_consent_word(state),
                state == MRG_CONSENT_GRANTED ? "withdraw" : "grant");
    return EX_OK;
}

static int
run_record(MrgTool *tool, int argc, char **argv, MrgConsentState state)
{
    Request request = {0};
    const GOptionEntry entries[] = {
        {"source", 0, 0, G_OPTION_ARG_STRING, &request.source,
         "where the person said so, such as a form's address (manual)", "TEXT"},
        {"text-version", 0, 0, G_OPTION_ARG_STRING, &request.text_version,
         "which text the person saw", "TEXT"},
        {0}};
    g_auto(MrgPeople) people = {0};
    int code = mrg_verb_parse(tool, &argc, &argv, entries, -1);
    if (!code)
        code = argc < 2 ? mrg_verb_usage("whose consent? Give an ADDRESS")
                        : check_request(&request, argv + 2);
    if (!code)
        code = mrg_people_open(&people, tool);
    if (!code)
        code = record(&people, tool, argv + 1, state, &request);
    g_free(request.source);
    g_free(request.text_version);
    return code;
}

int
mrg_verb_consent_grant(MrgTool *tool, int argc, char **argv)
{
    return run_record(tool, argc, argv, MRG_CONSENT_GRANTED);
}

int
mrg_verb_consent_withdraw(MrgTool *tool, int argc, char **argv)
{
    return run_record(tool, argc, argv, MRG_CONSENT_DENIED);
}

/* ---- log ---- */

static const char *
text_of(json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static void
print_log(json_t *records)
{
    gsize i;
    json_t *each;
    json_array_foreach(records, i, each)
    {
        const char *text = text_of(each, "text_version");
        const char *at = text_of(each, "at");
        g_print("%-27s  %-16s %-8s %s%s%s%s\n", *at ? at : "at an unknown time",
                text_of(each, "purpose"),
                json_is_true(json_object_get(each, "granted")) ? "granted" : "denied",
                text_of(each, "source"), *text ? " (text " : "", text, *text ? ")" : "");
    }
    if (!json_array_size(records))
        g_print("nothing is recorded for this person\n");
}

/* Only those of the purposes, where any are named. */
static void
filter(json_t *records, char **purposes)
{
    for (gsize i = json_array_size(records); *purposes && i-- > 0;)
        if (!g_strv_contains((const char *const *) purposes,
                             text_of(json_array_get(records, i), "purpose")))
            json_array_remove(records, i);
}

int
mrg_verb_consent_log(MrgTool *tool, int argc, char **argv)
{
    g_auto(MrgPeople) people = {0};
    g_auto(MrgHeld) held = {0};
    MrgPersonKey key;
    int code = mrg_verb_parse(tool, &argc, &argv, NULL, -1);
    if (!code && argc < 2)
        return mrg_verb_usage("whose consents? Give an ADDRESS");
    if (!code)
        code = mrg_people_open(&people, tool);
    if (!code)
        code = mrg_people_find_key(&people, argv[1], &key);
    if (!code)
        code = mrg_held_read(&held, &people, &key);
    if (code)
        return code;
    json_t *records = mrg_held_consents(&held);
    filter(records, argv + 2);
    if (tool->is_json) {
        mrg_print_json(records);
        return EX_OK;
    }
    print_log(records);
    json_decref(records);
    return EX_OK;
}
