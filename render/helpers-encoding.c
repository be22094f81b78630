/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <math.h>
#include <string.h>

#include "render/helper.h"
#include "render/limits.h"
#include "render/text.h"

/* A step pays for so many bytes that are hashed. */
#define BYTES_PER_STEP 2
#define LINE_SEPARATOR 0x2028
#define PARAGRAPH_SEPARATOR 0x2029

static const char hex[] = "0123456789ABCDEF";

/* What is done to a byte here costs more than a look at it. */
static MrgValue
costly_argument(MrgHelperCall *call, guint i)
{
    MrgValue text = mrg_text_argument(call, i);
    mrg_call_charge(call, text.length / BYTES_PER_STEP);
    return mrg_call_is_over(call) ? mrg_value_string("", 0) : text;
}

/* ---- byte by byte ---- */

MrgValue
mrg_helper_urlencode(MrgHelperCall *call)
{
    MrgValue text = costly_argument(call, 0);
    MrgText out = mrg_text_begin(call, text.length);
    for (guint32 i = 0; i < text.length && !mrg_call_is_over(call); i++) {
        guchar c = (guchar) text.text[i];
        const char code[] = {'%', hex[c >> 4], hex[c & 15]};
        /* RFC 3986, 2.3: unreserved characters. */
        gboolean is_plain = g_ascii_isalnum(c) || (c && strchr("-._~", c));
        mrg_text_append(&out, is_plain ? text.text + i : code, is_plain ? 1 : sizeof code);
    }
    return mrg_text_end(&out);
}

MrgValue
mrg_helper_base64(MrgHelperCall *call)
{
    MrgValue text = costly_argument(call, 0);
    int state = 0, save = 0;
    char *out = mrg_arena_alloc(call->arena, ((gsize) text.length / 3 + 1) * 4 + 4);
    gsize n = g_base64_encode_step((const guchar *) text.text, text.length, FALSE, out,
                                   &state, &save);
    n += g_base64_encode_close(FALSE, out + n, &state, &save);
    return mrg_value_string(out, n);
}

MrgValue
mrg_helper_safe(MrgHelperCall *call)
{
    MrgValue text = mrg_call_text(call, &call->args[0]);
    text.is_safe = text.type == MRG_VALUE_STRING;
    return text;
}

MrgValue
mrg_helper_escape(MrgHelperCall *call)
{
    MrgValue text = costly_argument(call, 0);
    if (text.is_safe)
        return text;
    MrgText out = mrg_text_begin(call, text.length);
    mrg_text_append_html(&out, text.text, text.length);
    return mrg_text_end_safe(&out);
}

/* ---- character by character ---- */

/* Writes a character that could mean something where the text goes. */
typedef void (*Spell)(MrgText *out, gunichar c);

static void
spell_attribute(MrgText *out, gunichar c)
{
    char code[16];
    gsize n = (gsize) g_snprintf(code, sizeof code, "&#x%X;", c);
    mrg_text_append(out, code, n);
}

/* Six digits need no space behind them (CSS Syntax, "consume an escaped code point"). */
static void
spell_css(MrgText *out, gunichar c)
{
    char code[16];
    gsize n = (gsize) g_snprintf(code, sizeof code, "\\%06x", c);
    mrg_text_append(out, code, n);
}

static void
spell_script(MrgText *out, gunichar c)
{
    char code[16];
    gsize n = (gsize) g_snprintf(code, sizeof code, "\\u%04x", c);
    mrg_text_append(out, code, n);
}

/* Letters and digits stay, and so does what is not ASCII but for the ends of line that
 * JavaScript knows; a NUL and bytes that are no UTF-8 become U+FFFD. */
static MrgValue
spell_out(MrgHelperCall *call, Spell spell)
{
    MrgValue text = costly_argument(call, 0);
    MrgText out = mrg_text_begin(call, text.length);
    for (gsize at = 0, n; at < text.length && !mrg_call_is_over(call); at += n) {
        gunichar c;
        n = mrg_text_char(text.text + at, text.length - at, &c);
        if (c == MRG_NO_CHARACTER || !c)
            mrg_text_append_char(&out, 0xfffd);
        else if (c < 0x80 ? g_ascii_isalnum((char) c)
                          : c > 0x9f && c != LINE_SEPARATOR && c != PARAGRAPH_SEPARATOR)
            mrg_text_append(&out, text.text + at, n);
        else
            spell(&out, c);
    }
    return mrg_text_end_safe(&out);
}

MrgValue
mrg_helper_attr(MrgHelperCall *call)
{
    return spell_out(call, spell_attribute);
}

MrgValue
mrg_helper_css(MrgHelperCall *call)
{
    return spell_out(call, spell_css);
}

MrgValue
mrg_helper_jsstr(MrgHelperCall *call)
{
    return spell_out(call, spell_script);
}

/* ---- hashes ---- */

MrgValue
mrg_helper_md5(MrgHelperCall *call)
{
    MrgValue text = costly_argument(call, 0);
    g_autofree char *sum = g_compute_checksum_for_data(
        G_CHECKSUM_MD5, (const guchar *) text.text, text.length);
    return mrg_value_cstring(mrg_arena_strdup(call->arena, sum));
}

MrgValue
mrg_helper_sha256(MrgHelperCall *call)
{
    MrgValue text = costly_argument(call, 0);
    g_autofree char *sum = g_compute_checksum_for_data(
        G_CHECKSUM_SHA256, (const guchar *) text.text, text.length);
    return mrg_value_cstring(mrg_arena_strdup(call->arena, sum));
}

MrgValue
mrg_helper_hmac_sha256(MrgHelperCall *call)
{
    MrgValue text = costly_argument(call, 0), key = costly_argument(call, 1);
    if (!key.length)
        return mrg_call_nothing();
    g_autofree char *sum =
        g_compute_hmac_for_data(G_CHECKSUM_SHA256, (const guchar *) key.text, key.length,
                                (const guchar *) text.text, text.length);
    return mrg_value_cstring(mrg_arena_strdup(call->arena, sum));
}

/* ---- JSON (RFC 8259) ---- */

static void
append_json_string(MrgText *out, const char *text, gsize length)
{
    mrg_text_append(out, "\"", 1);
    for (gsize at = 0, n; at < length && !mrg_call_is_over(out->call); at += n) {
        gunichar c;
        n = mrg_text_char(text + at, length - at, &c);
        if (c == MRG_NO_CHARACTER)
            mrg_text_append_char(out, 0xfffd);
        else if (c == '"' || c == '\\') {
            mrg_text_append(out, "\\", 1);
            mrg_text_append(out, text + at, 1);
        } else if (c < 0x20 || c == '<' || c == '>' || c == '&' || c == LINE_SEPARATOR ||
                   c == PARAGRAPH_SEPARATOR)
            spell_script(out, c);
        else
            mrg_text_append(out, text + at, n);
    }
    mrg_text_append(out, "\"", 1);
}

static void
append_json_scalar(MrgText *out, const MrgValue *value)
{
    switch ((MrgValueType) value->type) {
    case MRG_VALUE_BOOLEAN:
        mrg_text_append_value(out, value);
        break;
    case MRG_VALUE_NUMBER:
        if (isfinite(value->number))
            mrg_text_append(out, value->text, value->length);
        else
            mrg_text_append(out, "null", 4);
        break;
    case MRG_VALUE_STRING:
        append_json_string(out, value->text, value->length);
        break;
    default:
        mrg_text_append(out, "null", 4);
        break;
    }
}

/* Lists and objects that are open. */
typedef struct Open {
    const MrgValue *value;
    guint32 at;
} Open;

/* Opens a list or an object, or writes the rest; what lies too deep is null. */
static void
append_json_start(MrgText *out, const MrgValue *value, Open *open, guint *depth)
{
    gboolean is_inner = value->type >= MRG_VALUE_LIST && *depth < MRG_LIMIT_LIST_DEPTH;
    if (is_inner) {
        mrg_text_append(out, value->type == MRG_VALUE_LIST ? "[" : "{", 1);
        open[(*depth)++] = (Open){value, 0};
    } else {
        append_json_scalar(out, value);
    }
}

MrgValue
mrg_helper_json(MrgHelperCall *call)
{
    Open open[MRG_LIMIT_LIST_DEPTH];
    guint depth = 0;
    MrgText out = mrg_text_begin(call, 64);
    append_json_start(&out, &call->args[0], open, &depth);
    while (depth && !mrg_call_is_over(call)) {
        Open *top = &open[depth - 1];
        gboolean is_list = top->value->type == MRG_VALUE_LIST;
        if (top->at == top->value->length) {
            mrg_text_append(&out, is_list ? "]" : "}", 1);
            depth--;
            continue;
        }
        mrg_call_charge(call, 1);
        guint32 at = top->at++;
        if (at)
            mrg_text_append(&out, ",", 1);
        if (!is_list) {
            const MrgMember *member = &top->value->members[at];
            append_json_string(&out, member->name, member->name_length);
            mrg_text_append(&out, ":", 1);
        }
        append_json_start(&out,
                          is_list ? &top->value->items[at] : &top->value->members[at].value,
                          open, &depth);
    }
    return mrg_text_end(&out);
}
