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
    MRG_PLACE_BODY_END  /* before </body>; empty */
} MrgPlaceKind;

typedef struct MrgPlace {
    MrgPlaceKind kind;
    gsize start, length; /* of a value without its quotes */
    char quote;          /* around a value: '"', '\'', or 0; a text has none */
} MrgPlace;

/* Appended to MrgPlace items, ascending. */
void mrg_places_of_html(const char *text, gsize length, GArray *places);
void mrg_places_of_text(const char *text, gsize length, GArray *places);

#endif
