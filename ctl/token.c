/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token: what a token from a mail says, for whoever answers a complaint.
 */
#include "config.h"

#include <string.h>

#include "ctl/verb.h"
#include "milter/hits.h"
#include "milter/stamp/token.h"

#define DEADLINE_US (10 * G_TIME_SPAN_SECOND)

/* Of an address, what stands behind the last slash, without ".gif" and what follows. */
static char *
token_of(const char *argument)
{
    const char *slash = strrchr(argument, '/');
    const char *start = slash ? slash + 1 : argument;
    return g_strndup(start, strspn(start, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-_"));
}

/* Name and target of the numbers; NULL for what the store does not know. */
static int
look_up(MrgPeople *people, const MrgToken *token, const char **campaign,
        const char **target)
{
    g_autoptr(GError) error = NULL;
    gint64 deadline_us = g_get_monotonic_time() + DEADLINE_US;
    *campaign = NULL;
    *target = token->target;
    if (token->campaign &&
        mrg_store_campaign_name(people->store, token->campaign, campaign, people->arena,
                                deadline_us, &error) == MRG_FETCH_ERROR)
        return mrg_verb_fail(error);
    if (token->link &&
        mrg_store_link_target(people->store, token->campaign, token->link, target,
                              people->arena, deadline_us, &error) == MRG_FETCH_ERROR)
        return mrg_verb_fail(error);
    return EX_OK;
}

static void
print_token(const MrgTool *tool, const MrgToken *token, const char *campaign,
            const char *target)
{
    char pseudonym[MRG_PSEUDONYM_BYTES];
    const char *purpose = mrg_token_purpose_name(token->purpose);
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(token->at_s);
    g_autofree char *at = g_date_time_format_iso8601(time);
    mrg_person_pseudonym(&token->person, pseudonym);
    if (tool->is_json) {
        mrg_print_json(json_pack(
            "{s:s,s:s?,s:I,s:s,s:s?,s:i,s:s,s:i}", "purpose", purpose, "campaign", campaign,
            "campaign_number", (json_int_t) token->campaign, "person", pseudonym, "target",
            target, "link", (int) token->link, "time", at, "key", (int) token->key_id));
        return;
    }
    g_print("purpose   %s%s\n", purpose,
            token->purpose == MRG_TOKEN_INERT ? " (of a preview or a rehearsal)" : "");
    g_print("campaign  %s (number %u)\n", campaign ? campaign : "not known to the store",
            token->campaign);
    g_print("person    %s\n", pseudonym);
    if (token->link || target)
        g_print("target    %s%s\n", target ? target : "not known to the store",
                token->link ? "" : " (sealed in the token)");
    g_print("time      %s\nkey       %u\n", at, token->key_id);
}

int
mrg_verb_token_show(MrgTool *tool, int argc, char **argv)
{
    g_auto(MrgPeople) people = {0};
    MrgToken token;
    char sealed[MRG_TARGET_MAX + 1];
    const char *campaign, *target;
    int code = mrg_verb_parse(tool, &argc, &argv, NULL, 1);
    if (!code)
        code = mrg_people_open(&people, tool);
    if (code)
        return code;
    g_autofree char *text = token_of(argv[1]);
    if (!mrg_token_read(people.keyring, text, strlen(text), &token, sealed) ||
        !mrg_token_purpose_name(token.purpose)) {
        g_printerr(
            "merganser: no token of the keys in %s: cut off, changed, or sealed by a "
            "key that is not there\n",
            people.conf->keys_file);
        return EX_DATAERR;
    }
    code = look_up(&people, &token, &campaign, &target);
    if (!code)
        print_token(tool, &token, campaign, target);
    return code;
}
