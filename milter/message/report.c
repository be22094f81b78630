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
    gboolean is_behind_header; /* of the mail that is reported */
} Reading;

/* ---- texts ------------------------------------------------------------- */

/* Bounded, in UTF-8, without controls. */
static char *
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
    if (!g_utf8_validate(copy, -1, NULL))
        *copy = '\0';
    return copy;
}

/* The first word: behind it may stand comments and parameters. */
static const char *
take_word(const Reading *reading, const char *value)
{
    return take_text(reading, mrg_arena_printf(reading->arena, "%.*s",
                                               (int) strcspn(value, " \t\r;("), value));
}

/* A character of RFC 6533, 3, such as \x{E4}: how many bytes of text it takes; 0 where
 * there is none. */
static gsize
read_embedded(const char *text, gunichar *character)
{
    gsize n = 0;
    if (strncmp(text, "\\x{", 3) != 0)
        return 0;
    for (*character = 0; n < 6 && g_ascii_isxdigit(text[3 + n]); n++)
        *character = *character << 4 | (gunichar) g_ascii_xdigit_value(text[3 + n]);
    return n && text[3 + n] == '}' && *character && g_unichar_validate(*character) ? n + 4
                                                                                   : 0;
}

/* Some write the xtext of RFC 3461, 4, as it came, and others what it stands for (RFC 3464,
 * 2.3.1): in ann+20@example.com the plus is one.  So only those codes are read that xtext
 * needs in an address, of "+" and "=". */
static gsize
read_xtext(const char *text, gunichar *character)
{
    gboolean is_plus = strncmp(text, "+2B", 3) == 0;
    *character = is_plus ? '+' : '=';
    return is_plus || strncmp(text, "+3D", 3) == 0 ? 3 : 0;
}

/* In a complaint it stands between angle brackets (RFC 5965, 3.2). */
static const char *
strip_brackets(char *address)
{
    gsize length = strlen(address);
    gboolean has_brackets = length > 1 && address[0] == '<' && address[length - 1] == '>';
    if (has_brackets)
        address[length - 1] = '\0';
    return address + has_brackets;
}

/* "rfc822; ann@example.com" (RFC 3464, 2.3.1), or of the type utf-8 (RFC 6533, 3). */
static const char *
take_address(const Reading *reading, const char *value)
{
    const char *at = strchr(value, ';'), *from = at ? at + 1 : value;
    gboolean is_utf8 = at && g_ascii_strncasecmp(value, "utf-8", 5) == 0;
    char *text = mrg_arena_strdup(reading->arena, from), *to = text;
    while (*from) {
        gunichar character;
        gsize n = is_utf8 ? read_embedded(from, &character) : read_xtext(from, &character);
        if (n)
            to += g_unichar_to_utf8(character, to);
        else
            *to++ = *from;
        from += n ? n : 1;
    }
    *to = '\0';
    return strip_brackets(take_text(reading, text));
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
    static const char *const names[] = {"Original-Recipient", "Final-Recipient", "Action",
                                        "Status"};
    MrgReport *report = reading->report;
    gsize n = report->n_recipients, field = 0;
    MrgReportRecipient *last =
        n && !reading->is_new_group ? &report->recipients[n - 1] : NULL;
    if (!*name)
        reading->is_new_group = TRUE;
    while (field < G_N_ELEMENTS(names) && !is_field(name, names[field]))
        field++;
    if (field == G_N_ELEMENTS(names))
        return;
    last = last ? last : add_recipient(reading);
    reading->is_new_group = FALSE;
    if (!last)
        return;
    if (field == 0 || (field == 1 && !last->address[0]))
        last->address = take_address(reading, value);
    else if (field == 2)
        last->action = take_word(reading, value);
    else if (field == 3)
        last->status = take_status(reading, value);
}

static void
take_feedback(Reading *reading, const char *name, const char *value)
{
    if (is_field(name, "Feedback-Type")) {
        reading->report->feedback_type = take_word(reading, value);
    } else if (is_field(name, "Original-Rcpt-To")) {
        MrgReportRecipient *recipient = add_recipient(reading);
        if (recipient)
            recipient->address = take_address(reading, value);
    }
}

static void
take_header(Reading *reading, const char *name, const char *value)
{
    MrgReport *report = reading->report;
    if (!*name)
        reading->is_behind_header = TRUE;
    else if (reading->is_behind_header)
        return;
    else if (is_field(name, "X-Report-Ref") && !*report->reference)
        report->reference = take_text(reading, value);
    else if (is_field(name, "List-Unsubscribe") && !*report->list_unsubscribe)
        report->list_unsubscribe = take_text(reading, value);
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
    if (g_mime_content_type_is_type(type, "message", "delivery-status") ||
        g_mime_content_type_is_type(type, "message", "global-delivery-status")) {
        reading->report->kind = MRG_REPORT_DELIVERY;
        read_fields(reading, GMIME_PART(object), take_delivery);
    } else if (g_mime_content_type_is_type(type, "message", "feedback-report")) {
        reading->report->kind = MRG_REPORT_FEEDBACK;
        read_fields(reading, GMIME_PART(object), take_feedback);
    } else if (g_mime_content_type_is_type(type, "text", "rfc822-headers") ||
               g_mime_content_type_is_type(type, "message", "global-headers") ||
               g_mime_content_type_is_type(type, "message", "global")) {
        reading->is_behind_header = FALSE;
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
