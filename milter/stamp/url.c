/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/stamp/url.h"

/* ---- character references ---- */

static const struct {
    const char *name;
    char character;
} references[] = {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};

/* "#38;" or "#x26;", of which the semicolon may be missing (13.2.5.80). */
static gsize
read_number(const char *text, gsize length, GString *out)
{
    gboolean is_hex = length > 1 && (text[1] == 'x' || text[1] == 'X');
    gsize at = is_hex ? 2 : 1;
    gsize digits = at;
    guint32 number = 0;
    for (; at < length && (is_hex ? g_ascii_isxdigit(text[at]) : g_ascii_isdigit(text[at]));
         at++)
        number = MIN(number * (is_hex ? 16 : 10) + (guint32) g_ascii_xdigit_value(text[at]),
                     0x110000);
    if (at == digits || !number || !g_unichar_validate(number))
        return 0;
    g_string_append_unichar(out, number);
    return at + (at < length && text[at] == ';' ? 1 : 0);
}

/* Behind the '&': how many bytes the reference has, 0 when it is a name that we do not
 * know. */
static gsize
read_reference(const char *text, gsize length, GString *out)
{
    gsize n = 0;
    if (length && *text == '#')
        return read_number(text, length, out);
    while (n < length && g_ascii_isalnum(text[n]))
        n++;
    gboolean is_closed = n < length && text[n] == ';';
    for (gsize i = 0; is_closed && i < G_N_ELEMENTS(references); i++)
        if (n == strlen(references[i].name) && memcmp(text, references[i].name, n) == 0) {
            g_string_append_c(out, references[i].character);
            return n + 1;
        }
    return 0;
}

/* An "&" that begins no reference: in an attribute "&copy=" and "&copyright=" are what they
 * look like (13.2.5.73).  FALSE where only a table of all names could tell. */
static gboolean
is_ampersand(const char *text, gsize length)
{
    gsize n = 0;
    while (n < length && (g_ascii_isalnum(text[n]) || text[n] == '#'))
        n++;
    return !n || (n < length && text[n] == '=');
}

static gboolean
decode_references(const char *text, gsize length, GString *out)
{
    for (gsize at = 0; at < length;) {
        const char *found = memchr(text + at, '&', length - at);
        gsize next = found ? (gsize) (found - text) : length;
        g_string_append_len(out, text + at, (gssize) (next - at));
        if (next == length)
            break;
        at = next + 1;
        gsize n = read_reference(text + at, length - at, out);
        if (!n && !is_ampersand(text + at, length - at))
            return FALSE;
        if (!n)
            g_string_append_c(out, '&');
        at += n;
    }
    return TRUE;
}

/* ---- the address ---- */

/* Browsers take controls and spaces off both ends, and line ends and tabs out of the
 * middle. */
static void
strip(GString *url)
{
    gsize n = 0;
    gsize end = url->len;
    gsize start = 0;
    while (start < end && (guchar) url->str[start] <= ' ')
        start++;
    while (end > start && (guchar) url->str[end - 1] <= ' ')
        end--;
    for (gsize i = start; i < end; i++)
        if (!strchr("\t\r\n", url->str[i]) || !url->str[i])
            url->str[n++] = url->str[i];
    g_string_truncate(url, n);
}

/* Behind "http://" or "https://", or NULL. */
static const char *
behind_scheme(const char *url)
{
    if (g_ascii_strncasecmp(url, "https://", 8) == 0)
        return url + 8;
    return g_ascii_strncasecmp(url, "http://", 7) == 0 ? url + 7 : NULL;
}

static gboolean
has_scheme(const char *url)
{
    gsize n = strspn(url, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "+-.");
    return n > 0 && url[n] == ':';
}

static void
append_encoded(GString *out, const char *text)
{
    for (; *text; text++)
        if ((guchar) *text <= ' ' || (guchar) *text >= 0x7f || strchr("\"<>^`{|}", *text))
            g_string_append_printf(out, "%%%02X", (guchar) *text);
        else
            g_string_append_c(out, *text);
}

/* The authority with its host in ASCII; FALSE when it names none. */
static gboolean
append_authority(GString *out, const char *text, gsize length)
{
    g_autofree char *authority = g_strndup(text, length);
    char *at = strrchr(authority, '@');
    char *host = at ? at + 1 : authority;
    char *port = *host == '[' ? strchr(host, ']') : NULL;
    port = strchr(port ? port : host, ':');
    gsize n_host = port ? (gsize) (port - host) : strlen(host);
    g_autofree char *name = g_strndup(host, n_host);
    g_autofree char *ascii = NULL;
    if (!n_host || strpbrk(name, " \"<>^`{|}%\\"))
        return FALSE;
    if (!g_str_is_ascii(name) && !(ascii = g_hostname_to_ascii(name)))
        return FALSE;
    g_autofree char *user = g_strndup(authority, (gsize) (host - authority));
    append_encoded(out, user);
    g_string_append(out, ascii ? ascii : name);
    append_encoded(out, port ? port : "");
    return TRUE;
}

/* Of an absolute address, in the form in which it may stand in a header. */
static const char *
normalise(MrgArena *arena, const char *url)
{
    const char *authority = behind_scheme(url);
    g_autoptr(GString) out = g_string_new(NULL);
    /* Some readers take "\" for "/": then host and path are not where they seem. */
    if (!authority || strchr(url, '\\') || !g_utf8_validate(url, -1, NULL))
        return NULL;
    gsize n = strcspn(authority, "/?#");
    g_string_append_len(out, url, authority - url);
    if (!append_authority(out, authority, n))
        return NULL;
    append_encoded(out, authority + n);
    return out->len <= MRG_URL_MAX ? mrg_arena_dup(arena, out->str, out->len) : NULL;
}

const char *
mrg_url_read(MrgArena *arena, const char *value, gsize length, gboolean is_html,
             const char *base)
{
    g_autoptr(GString) url = g_string_new(NULL);
    if (length > MRG_URL_MAX || memchr(value, '\0', length))
        return NULL;
    if (!is_html)
        g_string_append_len(url, value, (gssize) length);
    else if (!decode_references(value, length, url))
        return NULL;
    strip(url);
    if (behind_scheme(url->str))
        return normalise(arena, url->str);
    if (!base || !url->len || *url->str == '#' || has_scheme(url->str))
        return NULL;
    g_autofree char *absolute = g_uri_resolve_relative(
        base, url->str, G_URI_FLAGS_ENCODED | G_URI_FLAGS_PARSE_RELAXED, NULL);
    return absolute ? normalise(arena, absolute) : NULL;
}

/* ---- templates ---- */

static gboolean
is_of_scheme(const char *url, const char *const *schemes)
{
    for (; *schemes; schemes++)
        if (g_ascii_strncasecmp(url, *schemes, strlen(*schemes)) == 0)
            return TRUE;
    return FALSE;
}

/* Of all of a value, or of its beginning, behind which values follow. */
static MrgUrlKind
kind_of(const char *url, gboolean is_beginning)
{
    static const char *const code[] = {"javascript:", "vbscript:", "data:", NULL};
    static const char *const web[] = {"https:", "http:", NULL};
    g_autoptr(MrgArena) arena = mrg_arena_new();
    if (is_of_scheme(url, code))
        return MRG_URL_CODE;
    if (is_beginning && (behind_scheme(url) || !strpbrk(url, "/?#")))
        return behind_scheme(url) ? MRG_URL_WEB : MRG_URL_LEFT;
    if (is_of_scheme(url, web))
        return normalise(arena, url) ? MRG_URL_WEB : MRG_URL_BROKEN;
    return *url == '#' || has_scheme(url) ? MRG_URL_LEFT : MRG_URL_RELATIVE;
}

/* Where the braces that open here have all closed. */
static gsize
skip_braces(const char *text, gsize length)
{
    gsize at = 0, depth = 0;
    do {
        depth += text[at] == '{';
        depth -= text[at] == '}';
    } while (++at < length && depth);
    return at;
}

/* FALSE for a reference that is not read; plain text has none. */
static gboolean
append_written(GString *out, const char *text, gsize length, gboolean is_html)
{
    if (is_html)
        return decode_references(text, length, out);
    g_string_append_len(out, text, (gssize) length);
    return TRUE;
}

MrgUrlKind
mrg_url_kind(const char *value, gsize length, gboolean is_html)
{
    g_autoptr(GString) url = g_string_new(NULL), rest = g_string_new(NULL);
    const char *brace = memchr(value, '{', length);
    gboolean is_beginning = brace != NULL;
    gsize n = brace ? (gsize) (brace - value) : length;
    if (length > MRG_URL_MAX && !is_beginning)
        return MRG_URL_BROKEN;
    if (!append_written(url, value, n, is_html))
        return MRG_URL_REFERENCE;
    for (gsize at = n; at < length; at += n) {
        at += skip_braces(value + at, length - at);
        brace = memchr(value + at, '{', length - at);
        n = brace ? (gsize) (brace - value) - at : length - at;
        if (!append_written(rest, value + at, n, is_html))
            return MRG_URL_REFERENCE;
    }
    strip(url);
    return kind_of(url->str, is_beginning);
}

/* ---- campaign parameters ---- */

const char *
mrg_utm_parameter(MrgArena *arena, const char *name, const char *value,
                  const char *campaign, const char *class_name)
{
    if (!*value)
        return NULL;
    g_autoptr(GString) text = g_string_new(value);
    g_string_replace(text, "{campaign}", campaign, 0);
    g_string_replace(text, "{class}", class_name, 0);
    g_autofree char *escaped = g_uri_escape_string(text->str, NULL, FALSE);
    return mrg_arena_printf(arena, "%s=%s", name, escaped);
}

static gboolean
is_of_domains(const char *url, const char *const *domains)
{
    const char *host = behind_scheme(url);
    gsize n = host ? strcspn(host, "/?#") : 0;
    for (gsize i = n; i-- > 0;)
        if (host[i] == '@') {
            host += i + 1;
            n -= i + 1;
            break;
        }
    n = MIN(n, strcspn(host ? host : "", ":"));
    for (; host && domains && *domains; domains++) {
        gsize length = strlen(*domains);
        if (length && n >= length &&
            g_ascii_strncasecmp(host + n - length, *domains, length) == 0 &&
            (n == length || host[n - length - 1] == '.'))
            return TRUE;
    }
    return FALSE;
}

/* Whether the query, n bytes, has a parameter of the name that this one begins with. */
static gboolean
has_parameter(const char *query, gsize n, const char *parameter)
{
    gsize name = strcspn(parameter, "=");
    for (gsize at = 0; at < n;) {
        gsize length = strcspn(query + at, "&;");
        length = MIN(length, n - at);
        if (length >= name && g_ascii_strncasecmp(query + at, parameter, name) == 0 &&
            (length == name || query[at + name] == '='))
            return TRUE;
        at += length + 1;
    }
    return FALSE;
}

const char *
mrg_url_add_utm(MrgArena *arena, const char *url, const MrgUtm *utm)
{
    if (!is_of_domains(url, utm->domains))
        return url;
    gsize end = strcspn(url, "#");
    gsize query = MIN(strcspn(url, "?"), end);
    gboolean has_query = query < end;
    g_autoptr(GString) out = g_string_new_len(url, (gssize) end);
    for (gsize i = 0; i < MRG_UTM_MAX; i++) {
        const char *parameter = utm->parameters[i];
        if (!parameter ||
            (has_query && has_parameter(url + query + 1, end - query - 1, parameter)))
            continue;
        if (!memchr(out->str, '?', out->len))
            g_string_append_c(out, '?');
        else if (!strchr("?&", out->str[out->len - 1]))
            g_string_append_c(out, '&');
        g_string_append(out, parameter);
    }
    if (out->len == end)
        return url;
    g_string_append(out, url + end);
    return mrg_arena_dup(arena, out->str, out->len);
}
