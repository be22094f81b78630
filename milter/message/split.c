/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/error.h"
#include "milter/message/split.h"

#define FIELD_MAX_BYTES 8192
/* RFC 2046, 5.1.1 */
#define BOUNDARY_MAX 70

static const char *const field_names[MRG_N_FIELDS] = {
    [MRG_FIELD_TYPE] = "Content-Type",
    [MRG_FIELD_ENCODING] = "Content-Transfer-Encoding",
    [MRG_FIELD_DISPOSITION] = "Content-Disposition",
};

/* A multipart that is open. */
typedef struct Level {
    const char *boundary; /* of its piece's type */
    gsize length;
    gboolean is_digest;
    guint n_parts;
} Level;

typedef enum {
    SKIP, /* before the first and behind the last boundary */
    HEADER,
    CONTENT
} State;

typedef struct Splitter {
    const char *body;
    gsize length;
    GArray *pieces;
    Level levels[MRG_SPLIT_DEPTH_MAX];
    guint n_levels;
    State state;
    int field; /* of the piece whose lines are read, or -1 */
} Splitter;

typedef struct Line {
    gsize start;
    gsize end;  /* without the line end */
    gsize next; /* start of the next line */
} Line;

G_GNUC_PRINTF(2, 3)
static gboolean
fail(GError **error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (error && !*error)
        *error = g_error_new_valist(MRG_ERROR, MRG_ERROR_STRUCTURE, format, args);
    va_end(args);
    return FALSE;
}

static void
clear_piece(gpointer data)
{
    MrgPiece *piece = data;
    g_clear_object(&piece->type);
    for (int i = 0; i < MRG_N_FIELDS; i++)
        g_free(piece->values[i]);
}

static MrgPiece *
last_piece(const Splitter *splitter)
{
    return &g_array_index(splitter->pieces, MrgPiece, splitter->pieces->len - 1);
}

static MrgPiece *
add_piece(Splitter *splitter, gsize block_start, GError **error)
{
    if (splitter->pieces->len > MRG_SPLIT_PARTS_MAX) {
        fail(error, "the message has more than %d parts", MRG_SPLIT_PARTS_MAX);
        return NULL;
    }
    MrgPiece piece = {.block_start = block_start, .depth = splitter->n_levels};
    for (int i = 0; i < MRG_N_FIELDS; i++)
        piece.fields[i].start = piece.fields[i].end = block_start;
    piece.content.start = piece.content.end = block_start;
    g_array_append_val(splitter->pieces, piece);
    splitter->state = HEADER;
    splitter->field = -1;
    return last_piece(splitter);
}

static gboolean
is_token_character(char c)
{
    return g_ascii_isgraph(c) && !strchr("()<>@,;:\\\"/[]?=", c);
}

/* type/subtype and then parameters or nothing (RFC 2045, 5.1). */
static gboolean
is_type_value(const char *value)
{
    const char *at = value;
    while (is_token_character(*at))
        at++;
    if (at == value || *at != '/')
        return FALSE;
    const char *subtype = ++at;
    while (is_token_character(*at))
        at++;
    const char *end = at;
    at += strspn(at, " \t");
    return end > subtype && (*at == '\0' || *at == ';' || *at == '(');
}

static gboolean
read_type(MrgPiece *piece, gboolean is_in_digest, GError **error)
{
    const char *value = piece->values[MRG_FIELD_TYPE];
    if (!value) {
        piece->type = g_mime_content_type_new(is_in_digest ? "message" : "text",
                                              is_in_digest ? "rfc822" : "plain");
        return TRUE;
    }
    if (!is_type_value(value))
        return fail(error, "a Content-Type field is malformed");
    piece->type = g_mime_content_type_parse(NULL, value);
    if (!piece->type || !g_mime_content_type_get_media_type(piece->type) ||
        !g_mime_content_type_get_media_subtype(piece->type))
        return fail(error, "a Content-Type field is malformed");
    piece->is_multipart = g_mime_content_type_is_type(piece->type, "multipart", "*");
    return TRUE;
}

static gboolean
is_identity(const char *encoding)
{
    static const char *const names[] = {"7bit", "8bit", "binary"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        if (g_ascii_strcasecmp(encoding, names[i]) == 0)
            return TRUE;
    return FALSE;
}

static gboolean
is_boundary_text(const char *boundary)
{
    gsize length = 0;
    for (; boundary[length]; length++)
        if ((guchar) boundary[length] < ' ' || (guchar) boundary[length] > 126)
            return FALSE;
    return length > 0 && length <= BOUNDARY_MAX && boundary[length - 1] != ' ';
}

/* One line would be the boundary of both: "a" closes with "--a--", and so begins "a--". */
static gboolean
is_ambiguous(const char *a, const char *b)
{
    gsize length = MIN(strlen(a), strlen(b));
    return strncmp(a, b, length) == 0 &&
           (strcmp(a + length, b + length) == 0 || strcmp(a + length, "--") == 0 ||
            strcmp(b + length, "--") == 0);
}

static gboolean
open_level(Splitter *splitter, const MrgPiece *piece, GError **error)
{
    const char *encoding = piece->values[MRG_FIELD_ENCODING];
    if (encoding && !is_identity(encoding))
        return fail(error, "a multipart has a transfer encoding");
    const char *boundary = g_mime_content_type_get_parameter(piece->type, "boundary");
    if (!boundary || !is_boundary_text(boundary))
        return fail(error, "a multipart has no boundary, or a malformed one");
    if (splitter->n_levels == MRG_SPLIT_DEPTH_MAX)
        return fail(error, "parts are nested more than %d deep", MRG_SPLIT_DEPTH_MAX);
    for (guint i = 0; i < splitter->n_levels; i++)
        if (is_ambiguous(splitter->levels[i].boundary, boundary))
            return fail(error, "a multipart has the boundary of one around it");
    splitter->levels[splitter->n_levels++] = (Level){
        .boundary = boundary,
        .length = strlen(boundary),
        .is_digest = g_mime_content_type_is_type(piece->type, "multipart", "digest"),
    };
    splitter->state = SKIP;
    return TRUE;
}

/* The fields of the last piece are known. */
static gboolean
end_header(Splitter *splitter, gsize content_start, GError **error)
{
    MrgPiece *piece = last_piece(splitter);
    const Level *level =
        splitter->n_levels ? &splitter->levels[splitter->n_levels - 1] : NULL;
    piece->content.start = content_start;
    piece->content.end = MAX(content_start, piece->content.end);
    if (!read_type(piece, level && level->is_digest, error))
        return FALSE;
    splitter->state = CONTENT;
    return !piece->is_multipart || open_level(splitter, piece, error);
}

/* Behind the comment that begins at at; at itself where it is not closed. */
static const char *
skip_comment(const char *at)
{
    guint depth = 0;
    for (const char *c = at; *c; c++) {
        if (*c == '\\' && c[1])
            c++;
        else if (*c == '(')
            depth++;
        else if (*c == ')' && --depth == 0)
            return c + 1;
    }
    return at;
}

/* RFC 2045, 5.1, allows comments as in "charset=us-ascii (Plain text)", GMime does not.  A
 * parenthesis within a word is none of theirs: some boundaries have it. */
static void
drop_comments(char *value)
{
    gboolean is_quoted = FALSE;
    char *out = value;
    for (const char *at = value; *at;) {
        gboolean may_begin = at == value || at[-1] == ' ' || at[-1] == ';';
        const char *behind = *at == '(' && !is_quoted && may_begin ? skip_comment(at) : at;
        if (behind > at) {
            at = behind;
            continue;
        }
        if (*at == '"')
            is_quoted = !is_quoted;
        else if (is_quoted && *at == '\\' && at[1])
            *out++ = *at++;
        *out++ = *at++;
    }
    *out = '\0';
}

/* A value with its folds, as one trimmed line without comments. */
static gboolean
set_value(MrgPiece *piece, int field, const char *text, gsize length, GError **error)
{
    if (length > FIELD_MAX_BYTES)
        return fail(error, "a %s field is too long", field_names[field]);
    char *value = g_strndup(text, length);
    for (char *c = value; *c; c++)
        if (*c == '\r' || *c == '\n' || *c == '\t')
            *c = ' ';
    drop_comments(value);
    g_free(piece->values[field]);
    piece->values[field] = g_strstrip(value);
    return TRUE;
}

static gboolean
end_field(Splitter *splitter, GError **error)
{
    if (splitter->field < 0)
        return TRUE;
    MrgPiece *piece = last_piece(splitter);
    const MrgSpan *span = &piece->fields[splitter->field];
    const char *text = splitter->body + span->start;
    gsize length = span->end - span->start;
    const char *colon = memchr(text, ':', length);
    g_assert(colon);
    gsize name = (gsize) (colon + 1 - text);
    int field = splitter->field;
    splitter->field = -1;
    return set_value(piece, field, colon + 1, length - name, error);
}

/* Which of our fields a line begins; white space before the colon is tolerated as
 * others do (RFC 5322, 4.5). */
static int
find_field(const char *line, gsize length)
{
    for (int i = 0; i < MRG_N_FIELDS; i++) {
        gsize n = strlen(field_names[i]);
        if (length <= n || g_ascii_strncasecmp(line, field_names[i], n) != 0)
            continue;
        while (n < length && (line[n] == ' ' || line[n] == '\t'))
            n++;
        if (n < length && line[n] == ':')
            return i;
    }
    return -1;
}

static gboolean
read_header_line(Splitter *splitter, const Line *line, GError **error)
{
    const char *text = splitter->body + line->start;
    gsize length = line->end - line->start;
    MrgPiece *piece = last_piece(splitter);
    if (length && (*text == ' ' || *text == '\t')) {
        if (line->start == piece->block_start)
            return fail(error, "the fields of a part begin with white space");
        if (splitter->field >= 0)
            piece->fields[splitter->field].end = line->next;
        return TRUE;
    }
    if (!end_field(splitter, error))
        return FALSE;
    if (length == 0)
        return end_header(splitter, line->next, error);
    int field = find_field(text, length);
    if (field >= 0 && piece->values[field])
        return fail(error, "a part has several %s fields", field_names[field]);
    if (field >= 0)
        piece->fields[field] = (MrgSpan){line->start, line->next};
    splitter->field = field;
    return TRUE;
}

/* The level whose boundary a line is, or -1. */
static int
find_boundary(const Splitter *splitter, const Line *line, gboolean *is_final)
{
    const char *text = splitter->body + line->start + 2;
    gsize length = line->end - line->start - 2;
    while (length && (text[length - 1] == ' ' || text[length - 1] == '\t'))
        length--;
    for (guint i = splitter->n_levels; i-- > 0;) {
        const Level *level = &splitter->levels[i];
        if (length < level->length || memcmp(text, level->boundary, level->length) != 0)
            continue;
        gsize rest = length - level->length;
        *is_final = rest == 2 && memcmp(text + level->length, "--", 2) == 0;
        if (rest == 0 || *is_final)
            return (int) i;
    }
    return -1;
}

static gboolean
pop_levels(Splitter *splitter, guint n, GError **error)
{
    while (splitter->n_levels > n)
        if (splitter->levels[--splitter->n_levels].n_parts == 0)
            return fail(error, "a multipart has no parts");
    return TRUE;
}

/* The line end before a boundary belongs to it (RFC 2046, 5.1.1). */
static void
end_content(Splitter *splitter, gsize end, gboolean is_at_boundary)
{
    MrgPiece *piece = last_piece(splitter);
    if (is_at_boundary && end > piece->content.start && splitter->body[end - 1] == '\n') {
        end--;
        if (end > piece->content.start && splitter->body[end - 1] == '\r')
            end--;
    }
    piece->content.end = end;
}

/* Ends whatever is open before the boundary, or the body's end, at that place. */
static gboolean
end_piece(Splitter *splitter, gsize end, gboolean is_at_boundary, GError **error)
{
    if (splitter->state == CONTENT)
        end_content(splitter, end, is_at_boundary);
    /* Some readers would take what follows for fields, some for text. */
    if (splitter->state == HEADER)
        return fail(error, "a part has no empty line behind its fields");
    return TRUE;
}

static gboolean
read_boundary(Splitter *splitter, guint level, const Line *line, gboolean is_final,
              GError **error)
{
    if (!end_piece(splitter, line->start, TRUE, error) ||
        !pop_levels(splitter, level + 1, error))
        return FALSE;
    if (is_final) {
        splitter->state = SKIP;
        return pop_levels(splitter, level, error);
    }
    splitter->levels[level].n_parts++;
    return add_piece(splitter, line->next, error) != NULL;
}

static gboolean
read_line(Splitter *splitter, const Line *line, GError **error)
{
    const char *text = splitter->body + line->start;
    if (line->end - line->start >= 2 && text[0] == '-' && text[1] == '-') {
        gboolean is_final = FALSE;
        int level = find_boundary(splitter, line, &is_final);
        if (level >= 0)
            return read_boundary(splitter, (guint) level, line, is_final, error);
    }
    return splitter->state != HEADER || read_header_line(splitter, line, error);
}

static Line
next_line(const Splitter *splitter, gsize start)
{
    const char *text = splitter->body + start;
    const char *end = memchr(text, '\n', splitter->length - start);
    if (!end)
        return (Line){start, splitter->length, splitter->length};
    gsize at = (gsize) (end - splitter->body);
    gsize text_end = at > start && end[-1] == '\r' ? at - 1 : at;
    return (Line){start, text_end, at + 1};
}

static gboolean
split_top(Splitter *splitter, const MrgEnvelope *envelope, GError **error)
{
    MrgPiece *top = add_piece(splitter, 0, error);
    top->is_top = TRUE;
    for (guint i = 0; i < envelope->headers->len; i++) {
        const MrgHeader *header = &g_array_index(envelope->headers, MrgHeader, i);
        for (int field = 0; field < MRG_N_FIELDS; field++) {
            if (g_ascii_strcasecmp(header->name, field_names[field]) != 0)
                continue;
            if (top->values[field])
                return fail(error, "the message has several %s fields", field_names[field]);
            if (!set_value(top, field, header->value, strlen(header->value), error))
                return FALSE;
        }
    }
    return end_header(splitter, 0, error);
}

static gboolean
split(Splitter *splitter, const MrgEnvelope *envelope, GError **error)
{
    if (!split_top(splitter, envelope, error))
        return FALSE;
    for (gsize at = 0; at < splitter->length && splitter->n_levels;) {
        Line line = next_line(splitter, at);
        if (!read_line(splitter, &line, error))
            return FALSE;
        at = line.next;
    }
    return end_piece(splitter, splitter->length, FALSE, error) &&
           pop_levels(splitter, 0, error);
}

GArray *
mrg_split(const MrgEnvelope *envelope, GError **error)
{
    g_autoptr(GArray) pieces = g_array_new(FALSE, TRUE, sizeof(MrgPiece));
    g_array_set_clear_func(pieces, clear_piece);
    Splitter splitter = {
        .body = envelope->body->len ? (const char *) envelope->body->data : "",
        .length = envelope->body->len,
        .pieces = pieces,
        .field = -1,
    };
    return split(&splitter, envelope, error) ? g_steal_pointer(&pieces) : NULL;
}
