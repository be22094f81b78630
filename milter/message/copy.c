/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/error.h"
#include "milter/message/copy.h"
#include "milter/message/encode.h"
#include "milter/message/mailbox.h"

#define HEADERS_USUAL 32 /* room from the start */

/* Who else got the message or would get an answer to all, what mail readers keep of the
 * Subject as it was written, and signatures of a text that is no more. */
static const char *const removed_names[] = {
    "Cc",
    "Bcc",
    "Resent-To",
    "Resent-Cc",
    "Resent-Bcc",
    "Apparently-To",
    "X-Apparently-To",
    "Delivered-To",
    "X-Original-To",
    "Original-Recipient",
    "Envelope-To",
    "X-Envelope-To",
    "X-Rcpt-To",
    "Mail-Followup-To",
    "Thread-Topic",
};

/* Of what the message was before: none would verify (RFC 6376, RFC 8617). */
static const char *const signature_names[] = {
    "DKIM-Signature",        "DomainKey-Signature",        "ARC-Seal",
    "ARC-Message-Signature", "ARC-Authentication-Results",
};

/* What described the body as it was (RFC 1864 and mailbox readers). */
static const char *const body_names[] = {"Content-MD5", "Content-Length", "Lines"};

/* Most names are told by their first letter. */
static gboolean
is_one_of(const char *name, const char *const *names, gsize n)
{
    for (gsize i = 0; i < n; i++)
        if (g_ascii_tolower(*name) == g_ascii_tolower(*names[i]) &&
            g_ascii_strcasecmp(name, names[i]) == 0)
            return TRUE;
    return FALSE;
}

gboolean
mrg_copy_removes(const char *name)
{
    return mrg_header_is_control(name) ||
           is_one_of(name, removed_names, G_N_ELEMENTS(removed_names)) ||
           is_one_of(name, signature_names, G_N_ELEMENTS(signature_names));
}

guint
mrg_copy_signatures(const MrgEnvelope *envelope)
{
    guint n = 0;
    for (guint i = 0; i < envelope->headers->len; i++)
        n += is_one_of(g_array_index(envelope->headers, MrgHeader, i).name, signature_names,
                       G_N_ELEMENTS(signature_names));
    return n;
}

void
mrg_copy_init(MrgCopy *copy, gsize body_limit)
{
    copy->headers = g_array_sized_new(FALSE, FALSE, sizeof(MrgCopyHeader), HEADERS_USUAL);
    mrg_buffer_init(&copy->body, body_limit);
    copy->is_body_changed = FALSE;
}

void
mrg_copy_clear(MrgCopy *copy)
{
    g_clear_pointer(&copy->headers, g_array_unref);
    mrg_buffer_clear(&copy->body);
    copy->is_body_changed = FALSE;
}

static MrgCopyHeader *
get_header(const MrgCopy *copy, guint i)
{
    return &g_array_index(copy->headers, MrgCopyHeader, i);
}

/* Of the first header of that name, or -1. */
static int
find_header(const MrgCopy *copy, const char *name)
{
    for (guint i = 0; i < copy->headers->len; i++)
        if (g_ascii_strcasecmp(get_header(copy, i)->name, name) == 0)
            return (int) i;
    return -1;
}

static void
remove_headers_from(MrgCopy *copy, guint from, const char *name)
{
    for (guint i = copy->headers->len; i-- > from;)
        if (g_ascii_strcasecmp(get_header(copy, i)->name, name) == 0)
            g_array_remove_index(copy->headers, i);
}

/* value is as it will be written. */
static void
put_header(MrgCopy *copy, const char *name, const char *value)
{
    int i = find_header(copy, name);
    if (i < 0) {
        MrgCopyHeader header = {name, value, -1, TRUE};
        g_array_append_val(copy->headers, header);
        return;
    }
    get_header(copy, (guint) i)->value = value;
    get_header(copy, (guint) i)->is_changed = TRUE;
    remove_headers_from(copy, (guint) i + 1, name);
}

/* The address as it may stand between angle brackets: nothing ends them, or the line. */
static const char *
clean_address(MrgArena *arena, const char *address)
{
    char *clean = mrg_arena_strdup(arena, address);
    gboolean is_quoted = FALSE;
    gsize n = 0;
    for (const char *at = address; *at; at++) {
        if ((guchar) *at < ' ' || *at == 127)
            continue;
        if (*at == '"')
            is_quoted = !is_quoted;
        if (!is_quoted && strchr("<> ", *at))
            continue;
        clean[n++] = *at;
        if (is_quoted && at[0] == '\\' && at[1] && (guchar) at[1] >= ' ' && at[1] != 127)
            clean[n++] = *++at;
    }
    clean[n] = '\0';
    return clean;
}

void
mrg_copy_address(MrgCopy *copy, const MrgEnvelope *envelope, const char *address,
                 const char *display)
{
    g_array_set_size(copy->headers, 0);
    for (guint i = 0; i < envelope->headers->len; i++) {
        const MrgHeader *header = &g_array_index(envelope->headers, MrgHeader, i);
        if (mrg_copy_removes(header->name))
            continue;
        MrgCopyHeader kept = {header->name, header->value, (int) i, FALSE};
        g_array_append_val(copy->headers, kept);
    }
    const char *brackets =
        mrg_arena_printf(envelope->arena, "<%s>", clean_address(envelope->arena, address));
    gsize length = display ? strlen(display) : 0;
    put_header(copy, "To",
               mrg_mailbox_value(envelope->arena, strlen("To"), display ? display : "",
                                 length, brackets));
}

void
mrg_copy_set_header(MrgCopy *copy, MrgArena *arena, const char *name, const char *value)
{
    put_header(copy, name, mrg_encode_header(arena, strlen(name), value, strlen(value)));
}

void
mrg_copy_set_subject(MrgCopy *copy, const MrgEnvelope *envelope, const MrgRendered *subject)
{
    if (!subject->is_changed)
        return;
    put_header(copy, "Subject",
               mrg_encode_header(envelope->arena, strlen("Subject"), subject->text,
                                 subject->length));
}

void
mrg_copy_set_field(MrgCopy *copy, const MrgEnvelope *envelope, const char *name, guint nth,
                   const char *address, const MrgRendered *field)
{
    gsize length = strlen(name);
    for (guint i = 0; field->is_changed && i < copy->headers->len; i++) {
        MrgCopyHeader *header = get_header(copy, i);
        if (g_ascii_strcasecmp(header->name, name) != 0 || nth-- > 0)
            continue;
        header->is_changed = TRUE;
        header->value = address ? mrg_mailbox_value(envelope->arena, length, field->text,
                                                    field->length, address)
                                : mrg_encode_header(envelope->arena, length, field->text,
                                                    field->length);
        return;
    }
}

/* LF line ends become CRLF. */
static void
append_lines(MrgBuffer *out, const char *text)
{
    for (const char *end; (end = strchr(text, '\n')); text = end + 1) {
        mrg_buffer_append(out, text, (gsize) (end - text));
        mrg_buffer_append(out, "\r\n", 2);
    }
    mrg_buffer_append(out, text, strlen(text));
}

static void
append_field(MrgBuffer *out, const char *name, const char *value)
{
    mrg_buffer_append(out, name, strlen(name));
    append_lines(out, value);
    mrg_buffer_append(out, "\r\n", 2);
}

/* A message ends with a line end.  A part has the boundary's, unless it was empty and the
 * line end before the boundary is that of the empty line behind its fields. */
static gboolean
needs_line_end(const MrgPart *part, const GByteArray *body)
{
    gsize end = part->content.end;
    return part->is_top ||
           (part->content.start == end && end < body->len && body->data[end] == '-');
}

static void
append_text(MrgBuffer *out, const MrgPart *part, const GByteArray *body,
            const MrgRendered *rendered)
{
    gsize before = out->length;
    if (strcmp(part->encoding_value, "base64") == 0)
        mrg_encode_base64(out, rendered->text, rendered->length);
    else
        mrg_encode_quoted_printable(out, rendered->text, rendered->length);
    if (out->length == before || !needs_line_end(part, body))
        return;
    if (!part->is_top || out->data[out->length - 1] != '\n')
        mrg_buffer_append(out, "\r\n", 2);
}

/* Splices run upwards through the body; what lies between them is copied. */
typedef struct Splicer {
    MrgBuffer *out;
    const GByteArray *body;
    gsize at; /* all before is written */
} Splicer;

static void
skip_to(Splicer *splicer, const MrgSpan *span)
{
    g_assert(splicer->at <= span->start && span->start <= span->end &&
             span->end <= splicer->body->len);
    if (span->start > splicer->at)
        mrg_buffer_append(splicer->out, (const char *) splicer->body->data + splicer->at,
                          span->start - splicer->at);
    splicer->at = span->end;
}

static void
splice_type(Splicer *splicer, const MrgPart *part)
{
    skip_to(splicer, &part->type_field);
    append_field(splicer->out, "Content-Type: ", part->type_value);
}

static void
splice_encoding(Splicer *splicer, const MrgPart *part)
{
    skip_to(splicer, &part->encoding_field);
    append_field(splicer->out, "Content-Transfer-Encoding: ", part->encoding_value);
}

/* An absent field is empty and stands before one that begins at the same place. */
static gboolean
is_before(const MrgSpan *a, const MrgSpan *b)
{
    return a->start < b->start || (a->start == b->start && a->end <= b->end);
}

static void
splice_part(Splicer *splicer, const MrgPart *part, const MrgRendered *rendered)
{
    if (!part->is_top && is_before(&part->type_field, &part->encoding_field)) {
        splice_type(splicer, part);
        splice_encoding(splicer, part);
    } else if (!part->is_top) {
        splice_encoding(splicer, part);
        splice_type(splicer, part);
    }
    skip_to(splicer, &part->content);
    append_text(splicer->out, part, splicer->body, rendered);
}

/* The fields of a message that is itself the text. */
static void
set_top_fields(MrgCopy *copy, MrgArena *arena, const MrgPart *part)
{
    put_header(copy, "Content-Type", mrg_arena_printf(arena, " %s", part->type_value));
    put_header(copy, "Content-Transfer-Encoding",
               mrg_arena_printf(arena, " %s", part->encoding_value));
    if (find_header(copy, "MIME-Version") < 0)
        put_header(copy, "MIME-Version", " 1.0");
}

/* A fourth more for what encoding and stamps add; with more than that it grows. */
static gsize
usual_length(const MrgEnvelope *envelope)
{
    return envelope->body->len + envelope->body->len / 4;
}

gboolean
mrg_copy_set_parts(MrgCopy *copy, const MrgEnvelope *envelope, const MrgLayout *layout,
                   const MrgRendered *rendered, GError **error)
{
    gsize n_parts = 0;
    const MrgPart *parts = mrg_layout_parts(layout, &n_parts);
    mrg_buffer_reset(&copy->body);
    (void) mrg_buffer_reserve(&copy->body, MIN(usual_length(envelope), copy->body.limit));
    copy->is_body_changed = FALSE;
    Splicer splicer = {&copy->body, envelope->body, 0};
    for (gsize i = 0; i < n_parts; i++) {
        if (!rendered[i].is_changed)
            continue;
        splice_part(&splicer, &parts[i], &rendered[i]);
        if (parts[i].is_top)
            set_top_fields(copy, envelope->arena, &parts[i]);
        copy->is_body_changed = TRUE;
    }
    if (!copy->is_body_changed)
        return TRUE;
    skip_to(&splicer, &(MrgSpan){envelope->body->len, envelope->body->len});
    for (gsize i = 0; i < G_N_ELEMENTS(body_names); i++)
        remove_headers_from(copy, 0, body_names[i]);
    if (copy->body.is_full)
        g_set_error(error, MRG_ERROR, MRG_ERROR_DEFECT,
                    "the copy is larger than %" G_GSIZE_FORMAT " bytes", copy->body.limit);
    return !copy->body.is_full;
}

void
mrg_copy_write(const MrgCopy *copy, const MrgEnvelope *envelope, MrgBuffer *out)
{
    for (guint i = 0; i < copy->headers->len; i++) {
        const MrgCopyHeader *header = get_header(copy, i);
        mrg_buffer_append(out, header->name, strlen(header->name));
        mrg_buffer_append(out, ":", 1);
        append_field(out, "", header->value);
    }
    mrg_buffer_append(out, "\r\n", 2);
    if (copy->is_body_changed && copy->body.length)
        mrg_buffer_append(out, copy->body.data, copy->body.length);
    else if (!copy->is_body_changed && envelope->body->len)
        mrg_buffer_append(out, (const char *) envelope->body->data, envelope->body->len);
}
