/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <gmime/gmime.h>
#include <string.h>

#include "milter/message/report.h"

#define PARTS_MAX 20
#define DEPTH_MAX 4

typedef struct Reading {
    MrgReport *report;
    MrgArena *arena;
    guint n_parts;
    gboolean is_new_group; /* the next field of a delivery report is of another recipient */
} Reading;

/* ---- texts ------------------------------------------------------------- */

/* Bounded, in UTF-8, without controls. */
static const char *
take_text(const Reading *reading, const char *text)
{
    gsize length = text ? strnlen(text, MRG_REPORT_TEXT_MAX) : 0;
    char *copy = mrg_arena_alloc(reading->arena, length + 1);
    gsize n = 0;
    for (gsize i = 0; i < length; i++)
        if (!g_ascii_iscntrl(text[i]))
            copy[n++] = text[i];
    copy[n] = '\0';
    g_strstrip(copy);
    return g_utf8_validate(copy, -1, NULL) ? copy : "";
}

/* "rfc822; ann@example.com" (RFC 3464, 2.3.1), where +2B may stand for a plus (xtext: RFC
 * 3461, 4). */
static const char *
take_address(const Reading *reading, const char *value)
{
    const char *at = strchr(value, ';');
    char *text = mrg_arena_strdup(reading->arena, at ? at + 1 : value), *to = text;
    for (const char *from = text; *from; from++) {
        gboolean is_code = from[0] == '+' && strchr("0123456789ABCDEF", from[1]) &&
                           from[1] && strchr("0123456789ABCDEF", from[2]) && from[2];
        *to++ = is_code ? (char) (g_ascii_xdigit_value(from[1]) << 4 |
                                  g_ascii_xdigit_value(from[2]))
                        : *from;
        from += is_code ? 2 : 0;
    }
    *to = '\0';
    return take_text(reading, text);
}

/* Three numbers (RFC 3463, 2) and what may follow as a comment. */
static const char *
take_status(const Reading *reading, const char *value)
{
    gsize n = strspn(value, "0123456789.");
    gboolean is_status = n >= 5 && n <= 9 && strchr("245", value[0]) && value[1] == '.';
    return is_status ? mrg_arena_printf(reading->arena, "%.*s", (int) n, value) : "";
}

/* ---- fields ------------------------------------------------------------ */

typedef void (*TakeField)(Reading *reading, const char *name, const char *value);

/* Calls for each field, unfolded; an empty line is a field without a name. */
static void
each_field(Reading *reading, char *text, TakeField take)
{
    while (*text) {
        char *line = text, *end;
        for (end = strchr(line, '\n'); end && (end[1] == ' ' || end[1] == '\t');
             end = strchr(end, '\n'))
            *end = ' ';
        text = end ? end + 1 : line + strlen(line);
        if (end)
            *end = '\0';
        g_strchomp(line);
        char *colon = strchr(line, ':');
        if (colon) {
            *colon = '\0';
            take(reading, g_strchomp(line), g_strstrip(colon + 1));
        } else if (!*line) {
            take(reading, "", "");
        }
    }
}

static MrgReportRecipient *
add_recipient(Reading *reading)
{
    MrgReport *report = reading->report;
    if (report->n_recipients == MRG_REPORT_RECIPIENTS_MAX)
        return NULL;
    MrgReportRecipient *recipient = &report->recipients[report->n_recipients++];
    *recipient = (MrgReportRecipient){"", "", ""};
    return recipient;
}

static gboolean
is_field(const char *name, const char *wanted)
{
    return g_ascii_strcasecmp(name, wanted) == 0;
}

/* A group of fields for each recipient, behind an empty line. */
static void
take_delivery(Reading *reading, const char *name, const char *value)
{
    MrgReport *report = reading->report;
    gsize n = report->n_recipients;
    MrgReportRecipient *last =
        n && !reading->is_new_group ? &report->recipients[n - 1] : NULL;
    gboolean is_original = is_field(name, "Original-Recipient");
    if (!*name) {
        reading->is_new_group = TRUE;
    } else if (is_original || is_field(name, "Final-Recipient")) {
        last = last ? last : add_recipient(reading);
        reading->is_new_group = FALSE;
        if (last && (is_original || !last->address[0]))
            last->address = take_address(reading, value);
    } else if (last && is_field(name, "Action")) {
        last->action = take_text(reading, value);
    } else if (last && is_field(name, "Status")) {
        last->status = take_status(reading, value);
    }
}

static void
take_feedback(Reading *reading, const char *name, const char *value)
{
    if (is_field(name, "Feedback-Type")) {
        reading->report->feedback_type = take_text(reading, value);
    } else if (is_field(name, "Original-Rcpt-To")) {
        MrgReportRecipient *recipient = add_recipient(reading);
        if (recipient)
            recipient->address = take_address(reading, value);
    }
}

static void
take_header(Reading *reading, const char *name, const char *value)
{
    if (is_field(name, "X-Report-Ref"))
        reading->report->reference = take_text(reading, value);
    else if (is_field(name, "List-Unsubscribe"))
        reading->report->list_unsubscribe = take_text(reading, value);
}

/* ---- parts ------------------------------------------------------------- */

static void
read_fields(Reading *reading, GMimePart *part, TakeField take)
{
    GMimeDataWrapper *content = g_mime_part_get_content(part);
    if (!content)
        return;
    GMimeStream *stream = g_mime_stream_mem_new();
    g_mime_data_wrapper_write_to_stream(content, stream);
    GByteArray *written = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(stream));
    g_autofree char *text =
        written->len ? g_strndup((const char *) written->data, written->len) : NULL;
    g_object_unref(stream);
    if (text)
        each_field(reading, text, take);
}

static void
read_reported(Reading *reading, GMimeObject *message)
{
    static const char *const names[] = {"X-Report-Ref", "List-Unsubscribe"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        const char *value = g_mime_object_get_header(message, names[i]);
        if (value)
            take_header(reading, names[i], value);
    }
}

static void
read_leaf(Reading *reading, GMimeObject *object)
{
    GMimeContentType *type = g_mime_object_get_content_type(object);
    if (GMIME_IS_MESSAGE_PART(object)) {
        GMimeMessage *message = g_mime_message_part_get_message(GMIME_MESSAGE_PART(object));
        if (message)
            read_reported(reading, GMIME_OBJECT(message));
        return;
    }
    if (!GMIME_IS_PART(object))
        return;
    if (g_mime_content_type_is_type(type, "message", "delivery-status")) {
        reading->report->kind = MRG_REPORT_DELIVERY;
        read_fields(reading, GMIME_PART(object), take_delivery);
    } else if (g_mime_content_type_is_type(type, "message", "feedback-report")) {
        reading->report->kind = MRG_REPORT_FEEDBACK;
        read_fields(reading, GMIME_PART(object), take_feedback);
    } else if (g_mime_content_type_is_type(type, "text", "rfc822-headers")) {
        read_fields(reading, GMIME_PART(object), take_header);
    }
}

static void
read_object(Reading *reading, GMimeObject *object, guint depth)
{
    if (!object || reading->n_parts++ >= PARTS_MAX || depth > DEPTH_MAX)
        return;
    if (!GMIME_IS_MULTIPART(object)) {
        read_leaf(reading, object);
        return;
    }
    int n = g_mime_multipart_get_count(GMIME_MULTIPART(object));
    for (int i = 0; i < MIN(n, PARTS_MAX); i++)
        read_object(reading, g_mime_multipart_get_part(GMIME_MULTIPART(object), i),
                    depth + 1);
}

void
mrg_report_read(MrgReport *report, const char *mail, gsize length, MrgArena *arena)
{
    Reading reading = {.report = report, .arena = arena};
    *report = (MrgReport){.feedback_type = "", .reference = "", .list_unsubscribe = ""};
    GMimeStream *stream = g_mime_stream_mem_new_with_buffer(mail, length);
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    GMimeMessage *message = g_mime_parser_construct_message(parser, NULL);
    g_object_unref(parser);
    g_object_unref(stream);
    if (!message)
        return;
    read_object(&reading, g_mime_message_get_mime_part(message), 0);
    g_object_unref(message);
}
