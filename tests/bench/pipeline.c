/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipeline: what one message costs between intake and the edits, without a database.
 *
 *   pipeline MODE N SCHEMA
 *
 * Takes a message of 20 KB (text and HTML in quoted-printable, personal in both) N times
 *
 *   gmime   through GMime's parser, and writes it out again
 *   intake  from the MTA's callbacks into an envelope
 *   merge   the same, and from the envelope to the edits, for N people; the plan is made
 *           for the first one
 *
 * The store is a table in memory, the MTA takes every edit, the log line is made and thrown
 * away.  pipeline.py counts the instructions.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gmime/gmime.h>

#include "milter/message/encode.h"
#include "milter/pipeline.h"

#define TEXT_BYTES 4000
#define HTML_BYTES 14000
#define CHUNK_BYTES 65535 /* MILTER_CHUNK_SIZE of libmilter */

/* ---- the message ------------------------------------------------------- */

static const char head[] =
    "Received: from app.shop.example (app.shop.example [192.0.2.7])\r\n"
    "\tby mx.shop.example (Postfix) with ESMTPS id 4T2x0k3F9Cz1tB7\r\n"
    "\tfor <list@shop.example>; Mon,  1 Jun 2026 10:00:00 +0000 (UTC)\r\n"
    "From: \"Shop\" <news@shop.example>\r\n"
    "To: Everybody <list@shop.example>\r\n"
    "Subject: =?utf-8?Q?=7BFirstName=7D=2C_deine_Auswahl_f=C3=BCr?=\r\n"
    " =?utf-8?Q?_den_Sommer?=\r\n"
    "Date: Mon, 01 Jun 2026 10:00:00 +0000\r\n"
    "Message-ID: <20260601100000.4711@shop.example>\r\n"
    "X-Campaign: summer-2026\r\n"
    "X-Campaign-Class: promo\r\n"
    "X-Campaign-Data: {\"season\": \"summer\", \"rebate\": 15}\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: multipart/alternative; boundary=\"=_b1_4711\"\r\n";
static const char text_start[] =
    "Hallo {FirstName|du},\n\n{{rebate}} % auf {Interest}.\n\n";
static const char text_line[] =
    "Ein Zelt f\303\274r zwei, leicht und schnell gebaut: https://shop.example/p/4711\n";
static const char html_start[] =
    "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>Sommer</title>\n"
    "<style>td { padding: 8px; font: 15px sans-serif }</style></head>\n<body>\n"
    "<p>Hallo {FirstName|du},</p>\n"
    "{{#if (gt user_points 1000)}}<p><b>Gold</b></p>{{else}}<p>Silber</p>{{/if}}\n"
    "<p>{{rebate}} % auf {{Interest}}.</p>\n<table role=\"presentation\">\n";
static const char html_row[] =
    "<tr><td style=\"border-top: 1px solid #ccc\"><img "
    "src=\"https://img.shop.example/4711.jpg\" "
    "width=\"120\" alt=\"Zelt\"></td>\n<td>Ein Zelt f\303\274r zwei, leicht und schnell "
    "gebaut: "
    "was man braucht, wenn es regnet &amp; st\303\274rmt.</td></tr>\n";
static const char html_link[] =
    "<tr><td colspan=\"2\"><a href=\"https://shop.example/p/4711\">Ansehen</a></td></tr>\n";
static const char html_end[] = "</table>\n<p>Shop GmbH</p>\n</body></html>\n";

static void
add_part(GString *message, const char *type, const GString *text)
{
    g_auto(MrgBuffer) encoded;
    mrg_buffer_init(&encoded, 1 << 20);
    mrg_encode_quoted_printable(&encoded, text->str, text->len);
    g_string_append_printf(message,
                           "--=_b1_4711\r\nContent-Type: %s; charset=utf-8\r\n"
                           "Content-Transfer-Encoding: quoted-printable\r\n\r\n",
                           type);
    g_string_append_len(message, encoded.data, (gssize) encoded.length);
    g_string_append(message, "\r\n");
}

/* Header, empty line and body, with CRLF. */
static GString *
make_message(void)
{
    g_autoptr(GString) text = g_string_new(text_start);
    g_autoptr(GString) html = g_string_new(html_start);
    GString *message = g_string_new(head);
    while (text->len < TEXT_BYTES)
        g_string_append(text, text_line);
    for (guint i = 0; html->len < HTML_BYTES; i++)
        g_string_append(html, i % 4 == 3 ? html_link : html_row);
    g_string_append(html, html_end);
    g_string_append(message, "\r\n");
    add_part(message, "text/plain", text);
    add_part(message, "text/html", html);
    g_string_append(message, "--=_b1_4711--\r\n");
    return message;
}

/* ---- GMime --------------------------------------------------------------- */

static void
run_gmime(const GString *message)
{
    GMimeStream *in = g_mime_stream_mem_new_with_buffer(message->str, message->len);
    GMimeStream *out = g_mime_stream_mem_new();
    GMimeParser *parser = g_mime_parser_new_with_stream(in);
    GMimeMessage *parsed = g_mime_parser_construct_message(parser, NULL);
    if (g_mime_object_write_to_stream(GMIME_OBJECT(parsed), NULL, out) < TEXT_BYTES)
        g_error("GMime did not write the message");
    g_object_unref(parsed);
    g_object_unref(parser);
    g_object_unref(out);
    g_object_unref(in);
}

/* ---- a store in memory --------------------------------------------------- */

static MrgFetch
fetch(gpointer store G_GNUC_UNUSED, const MrgPersonKey *person G_GNUC_UNUSED,
      const char *const *names, gsize n_names, MrgField *fields,
      const MrgMemory *memory G_GNUC_UNUSED, gint64 deadline_us G_GNUC_UNUSED,
      GError **error G_GNUC_UNUSED)
{
    static const struct {
        const char *name;
        MrgField field;
    } profile[] = {{"FirstName", {MRG_FIELD_STRING, "J\303\266rg", 5}},
                   {"first_name", {MRG_FIELD_STRING, "J\303\266rg", 5}},
                   {"Interest", {MRG_FIELD_STRING, "Wandern", 7}},
                   {"interest", {MRG_FIELD_STRING, "Wandern", 7}},
                   {"user_points", {MRG_FIELD_NUMBER, "1500", 4}}};
    for (gsize i = 0; i < n_names; i++)
        for (gsize j = 0; j < G_N_ELEMENTS(profile); j++)
            if (strcmp(names[i], profile[j].name) == 0)
                fields[i] = profile[j].field;
    return MRG_FETCH_HIT;
}

static gboolean
load(gpointer store G_GNUC_UNUSED, const MrgPersonKey *person,
     const MrgMessageKey *message G_GNUC_UNUSED, const MrgPersonKey *shared G_GNUC_UNUSED,
     gsize n_shared G_GNUC_UNUSED, MrgState *state, const MrgMemory *memory G_GNUC_UNUSED,
     gint64 deadline_us G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
    static const MrgConsent consents[] = {
        {"receive", MRG_CONSENT_GRANTED, 1, "bench"},
        {"track_open", MRG_CONSENT_GRANTED, 1, "bench"},
        {"track_click", MRG_CONSENT_GRANTED, 1, "bench"},
    };
    *state = (MrgState){.own = {.key = *person, .history = ""},
                        .consents = consents,
                        .n_consents = G_N_ELEMENTS(consents),
                        .engagement = ""};
    return TRUE;
}

static MrgCommit
commit(gpointer store G_GNUC_UNUSED, const MrgOutcome *outcome G_GNUC_UNUSED,
       gint64 deadline_us G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
    return MRG_COMMIT_DONE;
}

static gboolean
campaign_number(gpointer store G_GNUC_UNUSED, const char *campaign G_GNUC_UNUSED,
                guint32 *number, gint64 deadline_us G_GNUC_UNUSED,
                GError **error G_GNUC_UNUSED)
{
    *number = 1;
    return TRUE;
}

static gboolean
link_numbers(gpointer store G_GNUC_UNUSED, guint32 campaign G_GNUC_UNUSED,
             const char *const *targets G_GNUC_UNUSED, gsize n, guint32 *numbers,
             gint64 deadline_us G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
    for (gsize i = 0; i < n; i++)
        numbers[i] = (guint32) i + 1;
    return TRUE;
}

static void
close_store(gpointer store G_GNUC_UNUSED)
{
}

static MrgStore *
open_store(void)
{
    static const MrgStoreApi api = {.size = sizeof api,
                                    .fetch = fetch,
                                    .load = load,
                                    .commit = commit,
                                    .campaign_number = campaign_number,
                                    .link_numbers = link_numbers};
    static const MrgPlugin plugin = {.size = sizeof plugin, .close = close_store};
    MrgStore *store = g_new(MrgStore, 1);
    *store = (MrgStore){&api, NULL, &plugin};
    return store;
}

/* ---- an MTA that takes everything ---------------------------------------- */

static gboolean
change_header(void *mta G_GNUC_UNUSED, const char *name G_GNUC_UNUSED,
              guint index G_GNUC_UNUSED, const char *value G_GNUC_UNUSED)
{
    return TRUE;
}

static gboolean
add_header(void *mta G_GNUC_UNUSED, const char *name G_GNUC_UNUSED,
           const char *value G_GNUC_UNUSED)
{
    return TRUE;
}

static gboolean
replace_body(void *mta, const char *body G_GNUC_UNUSED, gsize length)
{
    *(gsize *) mta = length;
    return TRUE;
}

static GLogWriterOutput
forget(GLogLevelFlags level, const GLogField *fields, gsize n_fields G_GNUC_UNUSED,
       gpointer data G_GNUC_UNUSED)
{
    if (level & G_LOG_FLAG_FATAL)
        fprintf(stderr, "%s\n", (const char *) fields[0].value);
    return G_LOG_WRITER_HANDLED;
}

/* ---- merge --------------------------------------------------------------- */

static MrgPipeline *
open_pipeline(const char *schema)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = g_strdup_printf("[schema]\nfile = %s\n"
                                            "[stamp]\nbase_url = https://t.shop.example\n"
                                            "list_domain = shop.example\n"
                                            "[cap daily]\nlimit = 3\nper = 24h\n",
                                            schema);
    g_autoptr(MrgConf) conf = mrg_conf_parse("bench.conf", text, &error);
    g_autoptr(MrgKeyring) keyring = mrg_keyring_new_ephemeral(&error);
    MrgPipeline *pipeline =
        conf && keyring ? mrg_pipeline_new_with(conf, keyring, open_store(), &error) : NULL;
    if (!pipeline) {
        fprintf(stderr, "%s\n", error->message);
        exit(78);
    }
    return pipeline;
}

/* As the MTA's callbacks make it: fields one by one, their folds with LF, then the body. */
static MrgEnvelope *
take_in(char **fields, const char *body, gsize length, const char *recipient,
        const MrgEnvelopeLimits *limits)
{
    MrgEnvelope *envelope = mrg_envelope_new(MRG_ROLE_MERGE, "news@shop.example");
    mrg_envelope_add_recipient(envelope, limits, recipient);
    for (char **field = fields; *field; field += 2)
        mrg_envelope_add_header(envelope, limits, field[0], field[1]);
    for (gsize at = 0; at < length; at += CHUNK_BYTES)
        mrg_envelope_add_body(envelope, limits, (const guint8 *) body + at,
                              MIN(length - at, CHUNK_BYTES));
    mrg_envelope_end_body(envelope);
    envelope->queue_id = "4T2x0k3F9Cz1tB8";
    return envelope;
}

static void
merge(MrgPipeline *pipeline, MrgEnvelope *envelope)
{
    static const MrgMtaApi api = {.change_header = change_header,
                                  .add_header = add_header,
                                  .replace_body = replace_body};
    gsize written = 0;
    const MrgMta mta = {&api, &written};
    if (mrg_pipeline_serve(pipeline, envelope, &mta) != MRG_ANSWER_ACCEPT ||
        written < TEXT_BYTES) {
        fprintf(stderr, "the message was not merged\n");
        exit(1);
    }
}

/* Names and values in turn. */
static char **
split_head(const GString *message)
{
    GPtrArray *fields = g_ptr_array_new();
    g_autofree char *text = g_strndup(message->str, sizeof head - 1);
    g_auto(GStrv) lines = g_strsplit(text, "\r\n", -1);
    for (char **line = lines; **line; line++) {
        if (**line == ' ' || **line == '\t') {
            char **last = (char **) &fields->pdata[fields->len - 1];
            g_autofree char *start = *last;
            *last = g_strconcat(start, "\n", *line, NULL);
            continue;
        }
        char *colon = strchr(*line, ':');
        g_ptr_array_add(fields, g_strndup(*line, (gsize) (colon - *line)));
        g_ptr_array_add(fields, g_strdup(colon + 1));
    }
    g_ptr_array_add(fields, NULL);
    return (char **) g_ptr_array_free(fields, FALSE);
}

static void
run_merge(const GString *message, guint64 n, const char *schema, gboolean is_merged)
{
    MrgPipeline *pipeline = open_pipeline(schema);
    const MrgEnvelopeLimits *limits = &mrg_pipeline_rules(pipeline)->limits;
    g_auto(GStrv) fields = split_head(message);
    const char *body = message->str + sizeof head - 1 + 2;
    gsize length = message->len - (gsize) (body - message->str);
    for (guint64 i = 0; i < n; i++) {
        char recipient[64];
        g_snprintf(recipient, sizeof recipient, "person%06" G_GUINT64_FORMAT "@example.com",
                   i);
        g_autoptr(MrgEnvelope) envelope = take_in(fields, body, length, recipient, limits);
        if (is_merged)
            merge(pipeline, envelope);
    }
    mrg_pipeline_unref(pipeline);
}

int
main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: pipeline gmime|intake|merge N SCHEMA\n");
        return 64;
    }
    guint64 n = g_ascii_strtoull(argv[2], NULL, 10);
    g_log_set_writer_func(forget, NULL, NULL);
    mrg_mime_init();
    GString *message = make_message();
    if (strcmp(argv[1], "gmime") == 0)
        for (guint64 i = 0; i < n; i++)
            run_gmime(message);
    else
        run_merge(message, n, argv[3], strcmp(argv[1], "merge") == 0);
    printf("%" G_GSIZE_FORMAT " bytes, %" G_GUINT64_FORMAT " times\n", message->len, n);
    g_string_free(message, TRUE);
    return 0;
}
