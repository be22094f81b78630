/* SPDX-License-Identifier: Apache-2.0 */
/*
 * html: where tags, comments and raw text stand in an HTML text.
 *
 * A tokenizer after the HTML standard (13.2.5), reduced to spans: it copies nothing, knows
 * no tree, takes anything, and every byte is in exactly one token.  A comment (MSO's
 * conditional ones too) and the inside of script, style, title and their like hold no
 * tags.
 *
 * OWNERSHIP  the text is borrowed.
 * THREADS    no state but the scanner's.
 */
#ifndef MRG_HTML_H
#define MRG_HTML_H

#include <glib.h>

typedef enum {
    MRG_HTML_TEXT,
    MRG_HTML_START_TAG,
    MRG_HTML_END_TAG,
    MRG_HTML_COMMENT, /* also doctype, <? ... > and whatever reads as a comment */
    MRG_HTML_RAW      /* text inside script, style, ... */
} MrgHtmlType;

typedef struct MrgHtmlToken {
    MrgHtmlType type;
    gsize start, end;  /* bytes of the text, [start, end) */
    gsize name_length; /* of a tag; the name begins behind "<" or "</" */
} MrgHtmlToken;

typedef struct MrgHtml {
    const char *text;
    gsize length;
    gsize at;
    const char *raw_name; /* the element whose raw text comes next, or NULL */
} MrgHtml;

void mrg_html_init(MrgHtml *html, const char *text, gsize length);

/* FALSE at the end of the text. */
gboolean mrg_html_next(MrgHtml *html, MrgHtmlToken *token);

typedef struct MrgHtmlAttribute {
    gsize start, name_end, end; /* of all of it; a value stands behind the name */
    gsize value, value_end;     /* without quotes, references as written; empty for none */
    char quote;                 /* '"', '\'', or 0 */
    gboolean has_value;
} MrgHtmlAttribute;

/* The next attribute of a start tag: from *at on, which begins as 0; FALSE behind the last.
 * Of two with one name the first counts to a reader. */
gboolean mrg_html_next_attribute(const MrgHtml *html, const MrgHtmlToken *token, gsize *at,
                                 MrgHtmlAttribute *attribute);

/* name in lower case. */
gboolean mrg_html_is_attribute(const MrgHtml *html, const MrgHtmlAttribute *attribute,
                               const char *name);

/* The inside of a conditional comment, "<!--[if mso]> inside <![endif]-->", which some
 * readers take for markup: a scanner over it, of the same text.  FALSE for other tokens. */
gboolean mrg_html_conditional(const MrgHtml *html, const MrgHtmlToken *token,
                              MrgHtml *inside);

/* name in lower case. */
gboolean mrg_html_is_tag(const MrgHtml *html, const MrgHtmlToken *token, MrgHtmlType type,
                         const char *name);

#endif
