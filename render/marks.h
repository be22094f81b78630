/* SPDX-License-Identifier: Apache-2.0 */
/*
 * marks: places of a template's text that somebody wants to find again in its output.
 *
 * OWNERSHIP  the items of a run are made in its arena.
 */
#ifndef MRG_RENDER_MARKS_H
#define MRG_RENDER_MARKS_H

#include <glib.h>

/* A place in a text, and what it is to whoever marked it. */
typedef struct MrgLandmark {
    gsize at;
    guint32 id;
    guint32 length; /* of MRG_LANDMARK_RAW */
} MrgLandmark;

/* Other landmarks are not where they say, or do not tell all of the text. */
#define MRG_LANDMARK_LOST G_MAXUINT32
/* A value was printed raw there, and holds a '<': what would be marked in it nobody knows.
 */
#define MRG_LANDMARK_RAW (G_MAXUINT32 - 1)

/* Asked for the marks (MrgLandmark items, ascending) of each HTML template and each
 * partial; a run then tells where the output has them. */
typedef struct MrgMarker {
    void (*find)(gpointer context, const char *text, gsize length, GArray *marks);
    gpointer context;
} MrgMarker;

/* What a run noted, in the order of the output; items are made in the run's arena. */
typedef struct MrgLandmarks {
    MrgLandmark *items; /* at: bytes of out */
    gsize n, room;
} MrgLandmarks;

#endif
