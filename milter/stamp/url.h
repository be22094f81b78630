/* SPDX-License-Identifier: Apache-2.0 */
/*
 * url: where a link leads, and what is added to its address.
 *
 * An attribute's value is read as browsers read it: of the character references (HTML
 * standard, 13.5) those by number and &amp; &lt; &gt; &quot; &apos;.  A value with another
 * name in it leads who knows where, and such a link is left alone.
 *
 * OWNERSHIP  arena.
 * THREADS    no state.
 */
#ifndef MRG_URL_H
#define MRG_URL_H

#include "base/arena.h"

#define MRG_URL_MAX 8192 /* bytes of an address that is rewritten */

/* The absolute http or https address behind a value: references read if is_html, a relative
 * one resolved if there is a base (RFC 3986, 5.2), the host in ASCII, and what may not
 * stand in an address percent-encoded.  NULL for every other scheme, for what is no
 * address, for a place within the document and for one over the bound. */
const char *mrg_url_read(MrgArena *arena, const char *value, gsize length, gboolean is_html,
                         const char *base);

typedef enum {
    MRG_URL_LEFT,      /* another scheme, a place in the mail, or what values decide */
    MRG_URL_WEB,       /* http or https: read */
    MRG_URL_CODE,      /* javascript, vbscript, data: readers of mail open none of them */
    MRG_URL_RELATIVE,  /* read where there is a base */
    MRG_URL_REFERENCE, /* there is a character reference in it that is not read */
    MRG_URL_BROKEN     /* http or https by its looks, and no address */
} MrgUrlKind;

/* What a value, of an attribute if is_html, is in a template, where braces and what they
 * hold stand for anything; as far as its beginning tells. */
MrgUrlKind mrg_url_kind(const char *value, gsize length, gboolean is_html);

#define MRG_UTM_MAX 4

/* Campaign parameters, the same for everybody. */
typedef struct MrgUtm {
    const char *const *domains;          /* with all below them; NULL or empty: of none */
    const char *parameters[MRG_UTM_MAX]; /* "utm_source=news", percent-encoded; or NULL */
} MrgUtm;

/* A parameter; {campaign} and {class} in value are replaced.  NULL for an empty value. */
const char *mrg_utm_parameter(MrgArena *arena, const char *name, const char *value,
                              const char *campaign, const char *class_name);

/* The address with those parameters that it lacks, in front of its fragment; the same
 * pointer where none is added. */
const char *mrg_url_add_utm(MrgArena *arena, const char *url, const MrgUtm *utm);

#endif
