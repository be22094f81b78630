/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/error.h"
#include "milter/intake/envelope.h"

#define CONTROL_NAME "X-Campaign"

MrgEnvelope *
mrg_envelope_new(MrgRole role, const char *sender)
{
    MrgEnvelope *envelope = g_new0(MrgEnvelope, 1);
    envelope->arena = mrg_arena_new();
    envelope->role = role;
    envelope->sender = mrg_arena_strdup(envelope->arena, sender);
    envelope->recipients = g_ptr_array_new();
    envelope->headers = g_array_new(FALSE, FALSE, sizeof(MrgHeader));
    envelope->body = g_byte_array_new();
    return envelope;
}

void
mrg_envelope_free(MrgEnvelope *envelope)
{
    if (!envelope)
        return;
    g_ptr_array_unref(envelope->recipients);
    g_array_unref(envelope->headers);
    g_byte_array_unref(envelope->body);
    mrg_arena_free(envelope->arena);
    g_free(envelope);
}

static void
note(MrgEnvelope *envelope, MrgDefect defect)
{
    if (envelope->defect == MRG_DEFECT_NONE)
        envelope->defect = defect;
}

const char *
mrg_defect_text(MrgDefect defect)
{
    switch (defect) {
    case MRG_DEFECT_NONE:
        return "no defect";
    case MRG_DEFECT_HEADER_COUNT:
        return "too many header fields";
    case MRG_DEFECT_HEADER_BYTES:
        return "the header is too large";
    case MRG_DEFECT_BODY_BYTES:
        return "the body is too large";
    case MRG_DEFECT_NUL:
        return "a NUL byte";
    case MRG_DEFECT_BARE_CR:
        return "a carriage return without a line feed";
    case MRG_DEFECT_RECIPIENTS:
        return "too many recipients";
    }
    return "unknown defect";
}

void
mrg_envelope_add_recipient(MrgEnvelope *envelope, const MrgEnvelopeLimits *limits,
                           const char *address)
{
    if (envelope->recipients->len >= limits->recipients) {
        note(envelope, MRG_DEFECT_RECIPIENTS);
        return;
    }
    /* In angle brackets over SMTP, without them from sendmail(1). */
    gsize length = strlen(address);
    if (length >= 2 && address[0] == '<' && address[length - 1] == '>') {
        address++;
        length -= 2;
    }
    g_ptr_array_add(envelope->recipients, mrg_arena_dup(envelope->arena, address, length));
}

/* Folds become LF + white space, whatever the MTA wrote; a line break that is not
 * followed by white space would end the field, so it gets some. */
static const char *
copy_value(MrgEnvelope *envelope, const char *value, gsize length)
{
    char *copy = mrg_arena_alloc(envelope->arena, length * 2 + 1);
    gsize n = 0;
    for (gsize i = 0; i < length; i++) {
        if (value[i] == '\r' && value[i + 1] == '\n')
            continue;
        if (value[i] == '\r')
            note(envelope, MRG_DEFECT_BARE_CR);
        copy[n++] = value[i];
        if (value[i] == '\n' && value[i + 1] != ' ' && value[i + 1] != '\t')
            copy[n++] = ' ';
    }
    copy[n] = '\0';
    return copy;
}

void
mrg_envelope_add_header(MrgEnvelope *envelope, const MrgEnvelopeLimits *limits,
                        const char *name, const char *value)
{
    /* Even past a defect: a campaign message must be refused, not let through. */
    if (g_ascii_strcasecmp(name, CONTROL_NAME) == 0)
        envelope->is_campaign = TRUE;
    if (envelope->defect != MRG_DEFECT_NONE)
        return;
    gsize name_length = strlen(name);
    gsize value_length = strlen(value);
    gsize bytes = name_length + value_length + strlen(":\r\n");
    if (envelope->headers->len >= limits->headers) {
        note(envelope, MRG_DEFECT_HEADER_COUNT);
    } else if (bytes > limits->header_bytes ||
               envelope->header_bytes > limits->header_bytes - bytes) {
        note(envelope, MRG_DEFECT_HEADER_BYTES);
    } else {
        MrgHeader header = {mrg_arena_dup(envelope->arena, name, name_length),
                            copy_value(envelope, value, value_length)};
        g_array_append_val(envelope->headers, header);
        envelope->header_bytes += bytes;
    }
}

/* FALSE when it is too much. */
static gboolean
add_bytes(GByteArray *body, gsize limit, const guint8 *bytes, gsize length)
{
    if (length > limit || body->len > limit - length)
        return FALSE;
    g_byte_array_append(body, bytes, (guint) length);
    return TRUE;
}

/* Every line ends with CRLF; most come that way, in long stretches. */
static gboolean
add_lines(GByteArray *body, gsize limit, const guint8 *chunk, const guint8 *end)
{
    gboolean has_cr = body->len && body->data[body->len - 1] == '\r';
    const guint8 *from = chunk;
    for (const guint8 *at = chunk; (at = memchr(at, '\n', (gsize) (end - at))); at++) {
        if (at > chunk ? at[-1] == '\r' : has_cr)
            continue;
        if (!add_bytes(body, limit, from, (gsize) (at - from)) ||
            !add_bytes(body, limit, (const guint8 *) "\r", 1))
            return FALSE;
        from = at;
    }
    return add_bytes(body, limit, from, (gsize) (end - from));
}

static gboolean
has_bare_cr(const GByteArray *body, gsize from)
{
    const guint8 *at = body->data + from;
    const guint8 *end = body->data + body->len;
    while ((at = memchr(at, '\r', (gsize) (end - at)))) {
        at++;
        /* One at the very end may get its LF with the next chunk. */
        if (at < end && *at != '\n')
            return TRUE;
    }
    return FALSE;
}

/* At once for the chunk, which as a rule is all there is, instead of line by line. */
static void
make_room(GByteArray *body, gsize limit, gsize length)
{
    guint before = body->len;
    if (length > limit || before > limit - length)
        return;
    g_byte_array_set_size(body, before + (guint) length);
    g_byte_array_set_size(body, before);
}

void
mrg_envelope_add_body(MrgEnvelope *envelope, const MrgEnvelopeLimits *limits,
                      const guint8 *chunk, gsize length)
{
    GByteArray *body = envelope->body;
    if (envelope->defect != MRG_DEFECT_NONE || length == 0)
        return;
    if (memchr(chunk, '\0', length)) {
        note(envelope, MRG_DEFECT_NUL);
        return;
    }
    gsize limit = MIN(limits->body_bytes, G_MAXUINT / 4);
    gsize from = body->len ? body->len - 1 : 0;
    make_room(body, limit, length);
    if (!add_lines(body, limit, chunk, chunk + length))
        note(envelope, MRG_DEFECT_BODY_BYTES);
    else if (has_bare_cr(body, from))
        note(envelope, MRG_DEFECT_BARE_CR);
}

void
mrg_envelope_end_body(MrgEnvelope *envelope)
{
    const GByteArray *body = envelope->body;
    if (body->len && body->data[body->len - 1] == '\r')
        note(envelope, MRG_DEFECT_BARE_CR);
}

const char *
mrg_envelope_header(const MrgEnvelope *envelope, const char *name)
{
    for (guint i = 0; i < envelope->headers->len; i++) {
        const MrgHeader *header = &g_array_index(envelope->headers, MrgHeader, i);
        if (g_ascii_strcasecmp(header->name, name) != 0)
            continue;
        const char *start = header->value + strspn(header->value, " \t\n");
        gsize length = strlen(start);
        while (length && strchr(" \t\n", start[length - 1]))
            length--;
        return mrg_arena_dup(envelope->arena, start, length);
    }
    return NULL;
}

guint
mrg_envelope_count(const MrgEnvelope *envelope, const char *name)
{
    guint count = 0;
    for (guint i = 0; i < envelope->headers->len; i++)
        if (g_ascii_strcasecmp(g_array_index(envelope->headers, MrgHeader, i).name, name) ==
            0)
            count++;
    return count;
}

gboolean
mrg_header_is_control(const char *name)
{
    gsize length = strlen(CONTROL_NAME);
    return g_ascii_strncasecmp(name, CONTROL_NAME, length) == 0 &&
           (name[length] == '\0' || name[length] == '-');
}

/* A line of a message file, without its end. */
typedef struct Line {
    const char *text;
    gsize length;
    guint number;
} Line;

static gboolean
next_line(Line *line, const char **at, const char *end)
{
    if (*at == end)
        return FALSE;
    const char *line_end = memchr(*at, '\n', (gsize) (end - *at));
    line->text = *at;
    line->length = (gsize) ((line_end ? line_end : end) - *at);
    line->number++;
    if (line_end && line->length && line->text[line->length - 1] == '\r')
        line->length--;
    *at = line_end ? line_end + 1 : end;
    return TRUE;
}

/* RFC 5322, 2.2: printable ASCII but the colon. */
static gsize
name_length(const Line *line)
{
    gsize n = 0;
    while (n < line->length && g_ascii_isgraph(line->text[n]) && line->text[n] != ':')
        n++;
    return n < line->length && line->text[n] == ':' ? n : 0;
}

static void
add_field(MrgEnvelope *envelope, const MrgEnvelopeLimits *limits, GString *field)
{
    char *colon = field->len ? strchr(field->str, ':') : NULL;
    if (colon) {
        *colon = '\0';
        mrg_envelope_add_header(envelope, limits, field->str, colon + 1);
    }
    g_string_truncate(field, 0);
}

static gboolean
is_mbox_line(const Line *line)
{
    return line->number == 1 && line->length > 5 && strncmp(line->text, "From ", 5) == 0;
}

/* Leaves *at behind the empty line. */
static gboolean
read_header(MrgEnvelope *envelope, const MrgEnvelopeLimits *limits, const char **at,
            const char *end, GError **error)
{
    Line line = {0};
    g_autoptr(GString) field = g_string_new(NULL);
    while (next_line(&line, at, end) && line.length) {
        if (memchr(line.text, '\0', line.length)) {
            note(envelope, MRG_DEFECT_NUL);
            break;
        }
        if (is_mbox_line(&line))
            continue;
        gboolean is_fold = (line.text[0] == ' ' || line.text[0] == '\t') && field->len;
        if (!is_fold && !name_length(&line)) {
            g_set_error(error, MRG_ERROR, MRG_ERROR_STRUCTURE, "%u:1: not a header field",
                        line.number);
            return FALSE;
        }
        if (is_fold)
            g_string_append_c(field, '\n');
        else
            add_field(envelope, limits, field);
        g_string_append_len(field, line.text, (gssize) line.length);
    }
    add_field(envelope, limits, field);
    return TRUE;
}

gboolean
mrg_envelope_read(MrgEnvelope *envelope, const MrgEnvelopeLimits *limits, const char *text,
                  gsize length, GError **error)
{
    const char *at = text;
    const char *end = text + length;
    if (length && !read_header(envelope, limits, &at, end, error))
        return FALSE;
    mrg_envelope_add_body(envelope, limits, (const guint8 *) at, (gsize) (end - at));
    mrg_envelope_end_body(envelope);
    if (envelope->defect == MRG_DEFECT_NONE)
        return TRUE;
    g_set_error(error, MRG_ERROR, MRG_ERROR_DEFECT, "the message cannot be taken in: %s",
                mrg_defect_text(envelope->defect));
    return FALSE;
}
