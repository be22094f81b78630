/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leak: values that say whose they are, and where they turn up.
 *
 * A text mark is a prefix that the message does not hold, four letters for the person,
 * three for the field; a number mark is 7, four digits, three digits and five to check
 * them.  So upper case, separators of thousands, a cut end and neighbours do not hide one.
 * What a helper makes another value of (a date, a rounded number, a hash) carries none.
 *
 * OWNERSHIP  a scan owns its leaks; marks are copied.
 * THREADS    one scan, one thread; mrg_leak_scan_take() joins them.
 */
#ifndef MRG_LEAK_H
#define MRG_LEAK_H

#include <glib.h>

#define MRG_MARK_BYTES 12
#define MRG_MARK_PEOPLE_MAX 5000
#define MRG_MARK_FIELDS_MAX 900
#define MRG_MARK_ADDRESS 0       /* the field that is the address */
#define MRG_MARK_CUT (G_MAXUINT) /* the end of the mark, with the field, is not there */

typedef struct MrgMarks {
    char prefix[5]; /* lower-case letters */
    guint n_people, n_fields;
} MrgMarks;

/* text is the message that will be rendered. */
void mrg_marks_init(MrgMarks *marks, guint n_people, guint n_fields, const char *text,
                    gsize length);

/* Letters, or 13 digits; and a NUL. */
void mrg_mark_text(const MrgMarks *marks, guint person, guint field,
                   char mark[MRG_MARK_BYTES]);
void mrg_mark_number(guint person, guint field, char mark[MRG_MARK_BYTES + 2]);

typedef void (*MrgMarkVisit)(guint person, guint field, gpointer context);
void mrg_marks_find(const MrgMarks *marks, const char *text, gsize length,
                    MrgMarkVisit visit, gpointer context);

typedef enum {
    MRG_LEAK_OTHER,   /* of somebody else, in a copy */
    MRG_LEAK_HEADER,  /* one's own, in a header that is no template */
    MRG_LEAK_ADDRESS, /* one's own address, anywhere but in To */
    MRG_LEAK_TOLD     /* anybody's, in a log line or a reply to the MTA */
} MrgLeakKind;

typedef struct MrgLeak {
    MrgLeakKind kind;
    char *where; /* "header Subject", "part text/html", "log line" */
    guint field, count;
} MrgLeak;

typedef struct MrgLeakScan {
    MrgMarks marks;
    GPtrArray *leaks; /* MrgLeak, each kind, place and field once */
    guint64 n_own;    /* marks that were where they belong */
} MrgLeakScan;

void mrg_leak_scan_init(MrgLeakScan *scan, const MrgMarks *marks);
void mrg_leak_scan_clear(MrgLeakScan *scan);

/* A person's copy with CRLF; rendered names the headers that are templates. */
void mrg_leak_scan_copy(MrgLeakScan *scan, guint person, const char *const *rendered,
                        const char *message, gsize length);

/* A text for operators or the MTA; where says which. */
void mrg_leak_scan_told(MrgLeakScan *scan, const char *where, const char *text);

/* Adds what the other has found. */
void mrg_leak_scan_take(MrgLeakScan *scan, const MrgLeakScan *other);

#endif
