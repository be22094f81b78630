/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/error.h"
#include "milter/message/charset.h"
#include "milter/message/encode.h"
#include "milter/message/meta.h"
#include "milter/message/split.h"
#include "milter/message/words.h"

/* A parameter of a content type that is longer, or not ASCII, is not taken over. */
#define PARAMETER_MAX 200

struct MrgLayout {
    gint references;
    MrgArena *arena; /* texts and names */
    GArray *parts;   /* MrgPart */
    const char *subject;
};

static const char *const template_types[] = {"text/plain", "text/html", "text/x-amp-html"};
typedef enum { TYPE_PLAIN, TYPE_HTML, TYPE_AMP, TYPE_OTHER } TemplateType;

void
mrg_mime_init(void)
{
    g_mime_init();
}

G_GNUC_PRINTF(3, 4)
static gboolean
fail(GError **error, MrgError code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (error && !*error)
        *error = g_error_new_valist(MRG_ERROR, (gint) code, format, args);
    va_end(args);
    return FALSE;
}

static gboolean
refuse_signed(GError **error, const char *what)
{
    return fail(
        error, MRG_ERROR_SIGNED,
        "%s: a signed or encrypted message cannot be merged; signing comes after merging",
        what);
}

static gboolean
is_signed_type(GMimeContentType *type)
{
    static const char *const types[][2] = {
        {"multipart", "signed"},          {"multipart", "encrypted"},
        {"application", "pkcs7-mime"},    {"application", "x-pkcs7-mime"},
        {"application", "pgp-encrypted"}, {"application", "pgp"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(types); i++)
        if (g_mime_content_type_is_type(type, types[i][0], types[i][1]))
            return TRUE;
    return FALSE;
}

static TemplateType
template_type(const MrgPiece *piece)
{
    static const char *const subtypes[] = {"plain", "html", "x-amp-html"};
    for (int i = 0; i < TYPE_OTHER; i++)
        if (g_mime_content_type_is_type(piece->type, "text", subtypes[i]))
            return (TemplateType) i;
    return TYPE_OTHER;
}

static gboolean
is_attachment(const MrgPiece *piece)
{
    const char *value = piece->values[MRG_FIELD_DISPOSITION];
    gsize length = strlen("attachment");
    return value && g_ascii_strncasecmp(value, "attachment", length) == 0 &&
           (value[length] == '\0' || strchr("; \t(", value[length]));
}

/* "part text/html", then "part 2 text/html". */
static const char *
part_name(MrgLayout *layout, TemplateType type)
{
    guint n = 1;
    for (guint i = 0; i < layout->parts->len; i++) {
        const MrgPart *part = &g_array_index(layout->parts, MrgPart, i);
        n += g_str_has_suffix(part->name, template_types[type]);
    }
    return n == 1 ? mrg_arena_printf(layout->arena, "part %s", template_types[type])
                  : mrg_arena_printf(layout->arena, "part %u %s", n, template_types[type]);
}

static gboolean
read_encoding(const MrgPiece *piece, GMimeContentEncoding *encoding)
{
    static const struct {
        const char *name;
        GMimeContentEncoding encoding;
    } encodings[] = {
        {"7bit", GMIME_CONTENT_ENCODING_7BIT},
        {"8bit", GMIME_CONTENT_ENCODING_8BIT},
        {"quoted-printable", GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE},
        {"base64", GMIME_CONTENT_ENCODING_BASE64},
    };
    const char *value = piece->values[MRG_FIELD_ENCODING];
    for (gsize i = 0; i < G_N_ELEMENTS(encodings); i++) {
        if (value && g_ascii_strcasecmp(value, encodings[i].name) != 0)
            continue;
        *encoding = encodings[i].encoding;
        return TRUE;
    }
    return FALSE;
}

static gboolean
find_encoding(const MrgPiece *piece, const char *name, GMimeContentEncoding *encoding,
              GError **error)
{
    return read_encoding(piece, encoding) ||
           fail(error, MRG_ERROR_STRUCTURE,
                "%s: its transfer encoding is none of 7bit, 8bit, quoted-printable, base64",
                name);
}

/* RFC 2045, 6.7 (3): white space at the end of an encoded line is none of the text; GMime's
 * decoder keeps it, and with it an '=' before it. */
static char *
strip_line_ends(const char *content, gsize *length)
{
    char *text = g_malloc(*length + 1);
    gsize n = 0, kept = 0; /* kept: up to the last byte of the line that stays */
    for (gsize i = 0; i < *length; i++) {
        char c = content[i];
        if (c == '\n' || (c == '\r' && i + 1 < *length && content[i + 1] == '\n'))
            n = kept;
        text[n++] = c;
        if (c != ' ' && c != '\t')
            kept = n;
    }
    *length = kept;
    return text;
}

/* How many '=' are missing at the end of a text in base64, which GMime's decoder would not
 * forgive as readers do: it drops the bytes before them.  -1 where readers see different
 * texts: a cut letter, or more text behind the padding. */
static int
missing_padding(const char *content, gsize length)
{
    gsize n_letters = 0;
    int n_padding = 0;
    for (gsize i = 0; i < length; i++) {
        char c = content[i];
        if (c == '=')
            n_padding++;
        else if (g_ascii_isalnum(c) || c == '+' || c == '/')
            n_letters++;
        else
            continue;
        if (c != '=' && n_padding)
            return -1;
    }
    if (n_letters % 4 == 1)
        return -1;
    return n_letters % 4 ? MAX(0, 4 - (int) (n_letters % 4) - n_padding) : 0;
}

static GByteArray *
decode_transfer(const char *content, gsize length, GMimeContentEncoding encoding)
{
    GMimeEncoding state;
    g_autofree char *stripped = NULL;
    if (encoding == GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE)
        content = stripped = strip_line_ends(content, &length);
    g_mime_encoding_init_decode(&state, encoding);
    GByteArray *bytes = g_byte_array_new();
    g_byte_array_set_size(bytes, (guint) g_mime_encoding_outlen(&state, length) + 4);
    gsize n = g_mime_encoding_step(&state, content, length, (char *) bytes->data);
    int missing =
        encoding == GMIME_CONTENT_ENCODING_BASE64 ? missing_padding(content, length) : 0;
    if (missing > 0)
        n += g_mime_encoding_step(&state, "==", (gsize) missing, (char *) bytes->data + n);
    n += g_mime_encoding_flush(&state, "", 0, (char *) bytes->data + n);
    g_byte_array_set_size(bytes, (guint) n);
    return bytes;
}

/* CRLF and what is left of old CR line ends become LF. */
static gsize
normalise_line_ends(char *text, gsize length)
{
    gsize n = 0;
    for (gsize i = 0; i < length; i++) {
        if (text[i] == '\r' && i + 1 < length && text[i + 1] == '\n')
            continue;
        text[n++] = text[i] == '\r' ? '\n' : text[i];
    }
    text[n] = '\0';
    return n;
}

static gboolean
read_text(MrgLayout *layout, MrgPart *part, const MrgPiece *piece, const char *body,
          GError **error)
{
    GMimeContentEncoding encoding = GMIME_CONTENT_ENCODING_DEFAULT;
    if (!find_encoding(piece, part->name, &encoding, error))
        return FALSE;
    const char *content = body + part->content.start;
    gsize content_length = part->content.end - part->content.start;
    if (encoding == GMIME_CONTENT_ENCODING_BASE64 &&
        missing_padding(content, content_length) < 0)
        return fail(error, MRG_ERROR_STRUCTURE,
                    "%s: its base64 is cut or goes on behind its end", part->name);
    g_autoptr(GByteArray) bytes = decode_transfer(content, content_length, encoding);
    const char *charset = g_mime_content_type_get_parameter(piece->type, "charset");
    gsize length = 0;
    g_autofree char *text =
        mrg_charset_decode(charset, (const char *) bytes->data, bytes->len, &length, error);
    if (!text) {
        g_prefix_error(error, "%s: ", part->name);
        return FALSE;
    }
    length = normalise_line_ends(text, length);
    g_autofree char *meta = part->is_html ? mrg_meta_set_utf8(text, length, &length) : NULL;
    part->length = length;
    part->text = mrg_arena_dup(layout->arena, meta ? meta : text, length);
    const char *start = part->text + strspn(part->text, " \t\n");
    return !g_str_has_prefix(start, "-----BEGIN PGP") || refuse_signed(error, part->name);
}

/* Written by ourselves: GMime 3.2 never ends on a name that is longer than a line. */
static gboolean
is_kept_parameter(const char *name, const char *value)
{
    static const char *const replaced[] = {"charset", "format", "delsp"};
    for (gsize i = 0; i < G_N_ELEMENTS(replaced); i++)
        if (g_ascii_strcasecmp(name, replaced[i]) == 0)
            return FALSE;
    gsize length = strspn(name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-_.");
    if (length == 0 || length > PARAMETER_MAX || name[length])
        return FALSE;
    for (length = 0; value[length]; length++)
        if (!g_ascii_isprint(value[length]))
            return FALSE;
    return length <= PARAMETER_MAX;
}

static void
put_parameter(GString *out, const char *name, const char *value)
{
    g_string_append_printf(out, ";\n %s=\"", name);
    for (const char *c = value; *c; c++) {
        if (*c == '"' || *c == '\\')
            g_string_append_c(out, '\\');
        g_string_append_c(out, *c);
    }
    g_string_append_c(out, '"');
}

/* Values may now end a line in a space or begin it with '>', which format=flowed (RFC
 * 3676) gives a meaning; without the parameter the text reads as it stands. */
static const char *
type_value(MrgLayout *layout, const MrgPiece *piece, TemplateType type)
{
    GMimeParamList *params = g_mime_content_type_get_parameters(piece->type);
    g_autoptr(GString) out = g_string_new(NULL);
    g_string_printf(out, "%s; charset=utf-8", template_types[type]);
    for (int i = 0; i < g_mime_param_list_length(params); i++) {
        GMimeParam *param = g_mime_param_list_get_parameter_at(params, i);
        const char *name = g_mime_param_get_name(param);
        const char *value = g_mime_param_get_value(param);
        if (name && value && is_kept_parameter(name, value))
            put_parameter(out, name, value);
    }
    return mrg_arena_dup(layout->arena, out->str, out->len);
}

static gboolean
add_part(MrgLayout *layout, const MrgPiece *piece, const char *body, GError **error)
{
    TemplateType type = template_type(piece);
    MrgPart part = {
        .name = part_name(layout, type),
        .is_html = type != TYPE_PLAIN,
        .is_amp = type == TYPE_AMP,
        .is_top = piece->is_top,
        .content = piece->content,
        .type_field = piece->fields[MRG_FIELD_TYPE],
        .encoding_field = piece->fields[MRG_FIELD_ENCODING],
    };
    if (!read_text(layout, &part, piece, body, error))
        return FALSE;
    part.type_value = type_value(layout, piece, type);
    gsize escapes = mrg_encode_count_escapes(part.text, part.length);
    part.encoding_value = escapes > part.length / 3 ? "base64" : "quoted-printable";
    g_array_append_val(layout->parts, part);
    return TRUE;
}

/* A message that is nothing but text shows it, whatever its disposition says. */
static gboolean
is_template(const MrgPiece *piece)
{
    return template_type(piece) != TYPE_OTHER && (piece->is_top || !is_attachment(piece));
}

static gboolean
read_pieces(MrgLayout *layout, const GArray *pieces, const char *body, GError **error)
{
    for (guint i = 0; i < pieces->len; i++)
        if (is_signed_type(g_array_index(pieces, MrgPiece, i).type))
            return refuse_signed(error, "message");
    for (guint i = 0; i < pieces->len; i++) {
        const MrgPiece *piece = &g_array_index(pieces, MrgPiece, i);
        if (is_template(piece) && !add_part(layout, piece, body, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean
read_subject(MrgLayout *layout, const MrgEnvelope *envelope, GError **error)
{
    if (mrg_envelope_count(envelope, "Subject") > 1)
        return fail(error, MRG_ERROR_STRUCTURE, "the message has several Subject fields");
    const char *value = mrg_envelope_header(envelope, "Subject");
    if (!value)
        return TRUE;
    g_autofree char *decoded = mrg_words_decode(value, error);
    if (!decoded) {
        g_prefix_error(error, "subject: ");
        return FALSE;
    }
    layout->subject = mrg_arena_strdup(layout->arena, decoded);
    return TRUE;
}

static gboolean
read_layout(MrgLayout *layout, const MrgEnvelope *envelope, GError **error)
{
    const GByteArray *body = envelope->body;
    if (body->len && body->data[body->len - 1] == '\r')
        return fail(error, MRG_ERROR_DEFECT, "the body ends within a line end");
    g_autoptr(GArray) pieces = mrg_split(envelope, error);
    return pieces &&
           read_pieces(layout, pieces, body->len ? (const char *) body->data : "", error) &&
           read_subject(layout, envelope, error);
}

MrgLayout *
mrg_layout_new(const MrgEnvelope *envelope, GError **error)
{
    g_autoptr(MrgLayout) layout = g_new0(MrgLayout, 1);
    layout->references = 1;
    layout->arena = mrg_arena_new();
    layout->parts = g_array_new(FALSE, FALSE, sizeof(MrgPart));
    return read_layout(layout, envelope, error) ? g_steal_pointer(&layout) : NULL;
}

MrgLayout *
mrg_layout_ref(MrgLayout *layout)
{
    g_atomic_int_inc(&layout->references);
    return layout;
}

void
mrg_layout_unref(MrgLayout *layout)
{
    if (!layout || !g_atomic_int_dec_and_test(&layout->references))
        return;
    g_array_unref(layout->parts);
    mrg_arena_free(layout->arena);
    g_free(layout);
}

const MrgPart *
mrg_layout_parts(const MrgLayout *layout, gsize *n_parts)
{
    *n_parts = layout->parts->len;
    return (const MrgPart *) (gpointer) layout->parts->data;
}

const char *
mrg_layout_subject(const MrgLayout *layout)
{
    return layout->subject;
}

/* ---- what goes out as it is ---- */

/* Readers show these where they stand. */
static gboolean
is_shown(const MrgPiece *piece)
{
    return !piece->is_multipart && !is_attachment(piece) &&
           (g_mime_content_type_is_type(piece->type, "text", "*") ||
            g_mime_content_type_is_type(piece->type, "message", "*") ||
            g_mime_content_type_is_type(piece->type, "application", "xhtml+xml"));
}

/* Who looks at the texts that stay. */
typedef struct Look {
    MrgFixedVisit visit;
    gpointer context;
} Look;

static gboolean
show(const Look *look, const char *name, const char *text, gsize length)
{
    const MrgFixedText fixed = {name, text, length};
    return !length || !memchr(text, '{', length) || look->visit(&fixed, look->context);
}

/* Fields and all between two contents, as they stand and with their encoded words read. */
static gboolean
show_gap(const Look *look, const char *body, gsize start, gsize end)
{
    static const char name[] = "fields of a part, or text between parts";
    if (!show(look, name, body + start, end - start))
        return FALSE;
    if (start == end || !g_strstr_len(body + start, (gssize) (end - start), "=?"))
        return TRUE;
    g_autofree char *text = g_strndup(body + start, end - start);
    g_autofree char *decoded = mrg_words_decode(text, NULL);
    return !decoded || show(look, name, decoded, strlen(decoded));
}

static gboolean
is_base64(const MrgPiece *piece)
{
    const char *encoding = piece->values[MRG_FIELD_ENCODING];
    return encoding && g_ascii_strcasecmp(encoding, "base64") == 0;
}

/* What a reader makes of it.  Such a part can be as large as the message, so nothing is
 * decoded that shows the same without. */
static gboolean
show_decoded(const Look *look, const MrgPiece *piece, const char *name, const char *content,
             gsize length)
{
    GMimeContentEncoding encoding = GMIME_CONTENT_ENCODING_DEFAULT;
    const char *charset = g_mime_content_type_get_parameter(piece->type, "charset");
    gboolean keeps_ascii = mrg_charset_keeps_ascii(charset);
    if (!read_encoding(piece, &encoding))
        return TRUE;
    gboolean is_encoded = encoding == GMIME_CONTENT_ENCODING_BASE64 ||
                          encoding == GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE;
    if (!is_encoded && keeps_ascii)
        return TRUE;
    g_autoptr(GByteArray) bytes = decode_transfer(content, length, encoding);
    const char *decoded = (const char *) bytes->data;
    if (keeps_ascii)
        return show(look, name, decoded, bytes->len);
    gsize text_length = 0;
    g_autofree char *text =
        mrg_charset_decode(charset, decoded, bytes->len, &text_length, NULL);
    return !text || show(look, name, text, text_length);
}

static gboolean
show_part(const Look *look, const MrgPiece *piece, const char *content, gsize length)
{
    char name[80];
    g_snprintf(name, sizeof name, "part %.32s/%.32s",
               g_mime_content_type_get_media_type(piece->type),
               g_mime_content_type_get_media_subtype(piece->type));
    /* Some readers show what they cannot decode, so this comes always. */
    return show(look, name, content, length) &&
           (is_template(piece) || show_decoded(look, piece, name, content, length));
}

gboolean
mrg_mime_visit_fixed(const MrgEnvelope *envelope, MrgFixedVisit visit, gpointer context)
{
    const Look look = {visit, context};
    const char *body = envelope->body->len ? (const char *) envelope->body->data : "";
    g_autoptr(GArray) pieces = mrg_split(envelope, NULL);
    gsize at = 0;
    for (guint i = 0; pieces && i < pieces->len; i++) {
        const MrgPiece *piece = &g_array_index(pieces, MrgPiece, i);
        const MrgSpan *content = &piece->content;
        gboolean is_kept = is_template(piece) ? is_base64(piece) : is_shown(piece);
        if (!show_gap(&look, body, at, content->start) ||
            (is_kept && !show_part(&look, piece, body + content->start,
                                   content->end - content->start)))
            return FALSE;
        at = content->end;
    }
    return !pieces || show_gap(&look, body, at, envelope->body->len);
}
