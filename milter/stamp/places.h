/* SPDX-License-Identifier: Apache-2.0 */
/*
 * places: where in a text something of ours may go.
 *
 * Looks at markup as it is written, templates too, and changes nothing.  A link is the href
 * of <a>, <area> and VML's shapes (<v:roundrect href>), inside conditional comments too.
 *
 * OWNERSHIP  the text is borrowed.
 * THREADS    no state.
 */
#ifndef MRG_PLACES_H
#define MRG_PLACES_H

#include <glib.h>

typedef enum {
    MRG_PLACE_LINK,     /* an address: the value of an attribute, or in plain text */
    MRG_PLACE_NO_TRACK, /* the attribute data-no-track of a link, with the space before it;
                         * its link is no place */
    MRG_PLACE_BASE,     /* the value of <base href> */
    MRG_PLACE_BODY,     /* behind <body>; empty */
    MRG_PLACE_BODY_END, /* before </body>; empty */
    MRG_PLACE_LINK_LEFT /* the address of a link with data-no-track, to those who judge */
} MrgStampPlaceKind;

typedef struct MrgStampPlace {
    MrgStampPlaceKind kind;
    gsize start, length; /* of a value without its quotes */
    char quote;          /* around a value: '"', '\'', or 0; a text has none */
    gconstpointer link;  /* what is known of it already, or NULL */
} MrgStampPlace;

typedef struct MrgStampPlaces {
    const MrgStampPlace *items; /* ascending */
    gsize n;
} MrgStampPlaces;

/* Appended to MrgStampPlace items, ascending. */
void mrg_places_of_html(const char *text, gsize length, GArray *places);
void mrg_places_of_text(const char *text, gsize length, GArray *places);

/* Those of a template's text.  FALSE where a tag of it may not be what becomes of it: parts
 * of the tag itself are made by the template, not its values alone.  Places in what the
 * template leaves out are places, too. */
gboolean mrg_places_of_template(const char *text, gsize length, GArray *places);

/* The places of a template for those who judge its links and change nothing: every address
 * that a reader can follow, and of HTML the base.  None where a NUL is in the text. */
void mrg_places_to_judge(const char *text, gsize length, gboolean is_html, GArray *places);

/* Whether a piece of HTML has none, and begins no markup that does not end in it.  FALSE
 * also for what is seldom without one: links without an address, conditional comments. */
gboolean mrg_places_are_none(const char *text, gsize length);

/* Where a value that begins at start ends: at its quote, or without one where an unquoted
 * one does.  FALSE for none. */
gboolean mrg_places_measure(const char *text, gsize length, MrgStampPlace *place);

#endif
