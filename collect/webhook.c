/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Profiles and consents from other systems: the lines that `merganser profile import`
 * takes, signed.
 *
 *   X-Signature: t=1795744061,v1=HEX
 *
 * HEX is HMAC-SHA256 (RFC 2104) of "T.BODY" by the secret; T, in seconds, may be five
 * minutes off.  What comes with the same Idempotency-Key, or else the same signature, is
 * done once.
 */
#include "config.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "collect/once.h"
#include "collect/request.h"
#include "collect/site.h"
#include "ctl/people-file.h"
#include "milter/clock.h"

#define WINDOW_S 300
#define SIGNATURE_BYTES_MAX 128
#define BODY_NAME "body"

typedef struct Import {
    MrgCollector *collector;
    MrgPeopleFile file;
    MrgProfile profile;
    gboolean is_ledger; /* consents and suppressions alone */
} Import;

/* ---- signature */

static char *
sign(const char *secret, gint64 at_s, const GByteArray *body)
{
    g_autofree char *stamp = g_strdup_printf("%" G_GINT64_FORMAT ".", at_s);
    GHmac *hmac = g_hmac_new(G_CHECKSUM_SHA256, (const guchar *) secret, strlen(secret));
    g_hmac_update(hmac, (const guchar *) stamp, -1);
    g_hmac_update(hmac, body->data, body->len);
    char *text = g_strdup(g_hmac_get_string(hmac));
    g_hmac_unref(hmac);
    return text;
}

static gboolean
is_signed(const MrgRequest *request)
{
    const char *signature = request->headers.signature;
    char *end;
    if (!signature || !g_str_has_prefix(signature, "t=") ||
        strlen(signature) > SIGNATURE_BYTES_MAX)
        return FALSE;
    gint64 at_s = g_ascii_strtoll(signature + 2, &end, 10);
    gint64 now_s = request->at_us / MRG_SECOND_US;
    if (!g_str_has_prefix(end, ",v1=") || at_s < now_s - WINDOW_S ||
        at_s > now_s + WINDOW_S)
        return FALSE;
    g_autofree char *right = sign(request->collector->webhook_secret, at_s, request->body);
    return mrg_equal_secrets(right, end + strlen(",v1="));
}

/* ---- rows */

static const MrgProfile *
next_row(gpointer context, GError **error)
{
    Import *import = context;
    MrgPeopleFile *file = &import->file;
    if (!mrg_people_file_next(file, error))
        return NULL;
    const char *address =
        file->address ? mrg_address_normalise(file->address, file->arena) : NULL;
    if (!address) {
        mrg_rows_fail(&file->rows, error, "the address is missing or malformed");
        return NULL;
    }
    if (import->is_ledger && file->fields->len) {
        mrg_rows_fail(&file->rows, error, "fields are for /v1/profiles");
        return NULL;
    }
    import->profile = (MrgProfile){
        .address = import->is_ledger ? NULL : address,
        .fields = (const MrgProfileField *) (gpointer) file->fields->data,
        .n_fields = file->fields->len,
        .consents = (const MrgConsent *) (gpointer) file->consents->data,
        .n_consents = file->consents->len,
        .suppressions = (const MrgSuppression *) (gpointer) file->suppressions->data,
        .n_suppressions = file->suppressions->len,
        .engagements = (const MrgEngagement *) (gpointer) file->engagements->data,
        .n_engagements = file->engagements->len,
    };
    mrg_person_key(import->collector->keyring, address, &import->profile.person);
    return &import->profile;
}

static gboolean
take_rows(MrgRequest *request, gboolean is_ledger, guint64 *n, GError **error)
{
    Import import = {.collector = request->collector, .is_ledger = is_ledger};
    const MrgPeopleRules rules = {.format = MRG_PEOPLE_JSONL,
                                  .schema = request->collector->conf->schema,
                                  .now_us = request->at_us};
    FILE *file = fmemopen(request->body->data, request->body->len, "rb");
    mrg_people_file_init(&import.file, file, BODY_NAME, &rules);
    gboolean is_done =
        mrg_store_import(request->collector->lasting->store, next_row, &import, n, error);
    mrg_people_file_clear(&import.file);
    fclose(file);
    return is_done;
}

/* ---- routes */

static MrgReply
answer_json(guint status, json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT);
    char *copy = g_strconcat(text, "\n", NULL);
    free(text);
    json_decref(object);
    return mrg_reply_text(status, "application/json", copy, strlen(copy));
}

static MrgReply
take(MrgRequest *request, gboolean is_ledger, gboolean *is_done)
{
    guint64 n = 0;
    g_autoptr(GError) error = NULL;
    *is_done = take_rows(request, is_ledger, &n, &error);
    if (*is_done) {
        mrg_collector_count(request->collector, MRG_COUNT_webhooks);
        return answer_json(200, json_pack("{s:I}", "taken", (json_int_t) n));
    }
    if (error->domain == MRG_STORE_ERROR)
        return mrg_reply_store_failed(request->collector, error);
    /* It names the line and what is wrong there, and no value. */
    return answer_json(400, json_pack("{s:s}", "error", error->message));
}

static MrgReply
take_once(MrgRequest *request, gboolean is_ledger, const char *key)
{
    MrgCollector *collector = request->collector;
    g_autofree char *content = g_compute_checksum_for_data(
        G_CHECKSUM_SHA256, request->body->data, request->body->len);
    gboolean is_done;
    switch (mrg_once_begin(collector->lasting->webhooks, key, content)) {
    case MRG_ONCE_NEW:
        break;
    case MRG_ONCE_BUSY:
        return mrg_reply_fixed(MRG_FIXED_UNAVAILABLE);
    case MRG_ONCE_DONE:
        return answer_json(200, json_pack("{s:b}", "repeated", 1));
    case MRG_ONCE_CONFLICT:
        return mrg_reply_fixed(MRG_FIXED_CONFLICT);
    }
    MrgReply reply = take(request, is_ledger, &is_done);
    mrg_once_end(collector->lasting->webhooks, key, is_done);
    return reply;
}

static MrgReply
serve(MrgRequest *request, gboolean is_ledger)
{
    const char *key = request->headers.idempotency_key;
    if (!request->collector->webhook_secret)
        return mrg_reply_fixed(MRG_FIXED_NOT_FOUND);
    if (!request->body)
        return mrg_reply_fixed(MRG_FIXED_BAD_REQUEST);
    if (!is_signed(request))
        return mrg_reply_fixed(MRG_FIXED_DENIED);
    return take_once(request, is_ledger, key && *key ? key : request->headers.signature);
}

MrgReply
mrg_serve_profiles(MrgRequest *request)
{
    return serve(request, FALSE);
}

MrgReply
mrg_serve_consent(MrgRequest *request)
{
    return serve(request, TRUE);
}
