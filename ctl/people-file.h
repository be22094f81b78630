/* SPDX-License-Identifier: Apache-2.0 */
/*
 * people-file: profiles from a JSON Lines or CSV file, one row at a time.
 *
 * A row has an address, fields, and two reserved names: "consent" (purpose to true or
 * false; in CSV a column "consent.PURPOSE") and "suppressed" (a reason).  In CSV an empty
 * cell says nothing, and what looks like a JSON number, true or false is one.
 *
 * OWNERSHIP  a row lives until the next one is read.
 * ERRORS     MRG_ERROR_CONTROL "FILE:LINE:1: what", never with a value in it.
 * BOUNDS     1 MiB a row.
 */
#ifndef MRG_PEOPLE_FILE_H
#define MRG_PEOPLE_FILE_H

#include <stdio.h>

#include "milter/person/key.h"
#include "milter/schema.h"

typedef struct MrgPeopleFile {
    FILE *file;
    const char *path;
    guint64 line; /* of the row read last */
    const MrgSchema *schema;
    gint64 now_us; /* of consents and suppressions */

    /* The row. */
    MrgArena *arena;
    const char *address; /* as written, or NULL */
    GArray *fields;      /* MrgProfileField */
    GArray *consents;
    GArray *suppressions;

    char **columns; /* CSV: the head, once it is read */
} MrgPeopleFile;

/* Borrows all of it; a path that ends in .csv is read as CSV, any other as JSON Lines. */
void mrg_people_file_init(MrgPeopleFile *people, FILE *file, const char *path,
                          const MrgSchema *schema, gint64 now_us);
void mrg_people_file_clear(MrgPeopleFile *people);

/* The next row; FALSE at the end, or with error set. */
gboolean mrg_people_file_next(MrgPeopleFile *people, GError **error);

/* The two formats, and what they call for each thing they find. */
gboolean mrg_jsonl_next(MrgPeopleFile *people, GError **error);
gboolean mrg_csv_next(MrgPeopleFile *people, GError **error);

/* FALSE, and the error at the row's line. */
gboolean mrg_people_fail(const MrgPeopleFile *people, GError **error, const char *format,
                         ...) G_GNUC_PRINTF(3, 4);
gboolean mrg_people_add_field(MrgPeopleFile *people, const char *name, MrgField value,
                              GError **error);
gboolean mrg_people_add_consent(MrgPeopleFile *people, const char *purpose,
                                gboolean is_granted, GError **error);
gboolean mrg_people_add_suppression(MrgPeopleFile *people, const char *reason,
                                    GError **error);

#endif
