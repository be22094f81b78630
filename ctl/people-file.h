/* SPDX-License-Identifier: Apache-2.0 */
/*
 * people-file: profiles from a JSON Lines or CSV file, one row at a time.
 *
 * A row has an address, fields, and reserved names:
 *
 *   consent      JSON: {PURPOSE: RECORD or list of them}, a RECORD is true, false or
 *                {"granted": true, "at": TIME, "source": TEXT, "text_version": TEXT};
 *                CSV: a column "consent.PURPOSE" with true or false
 *   suppressed   a reason; JSON also: a list of
 *                {"scope": SCOPE, "reason": REASON, "at": TIME, "until": TIME}
 *   opens, clicks, complaints   JSON only: lists of TIME
 *
 * A TIME is a text (ISO 8601); a consent without one is dated by mrg_consent_undated().
 * Fields are typed by the schema; where it does not declare one, in CSV what looks like a
 * JSON number, true or false is one.  An empty cell says nothing.
 *
 * OWNERSHIP  a row lives until the next one is read.
 * ERRORS     MRG_ERROR_CONTROL "FILE:LINE:1: what", never with a value in it.  The next
 * call reads on behind the fault, unless rows.is_over. BOUNDS     as rows.h.
 */
#ifndef MRG_PEOPLE_FILE_H
#define MRG_PEOPLE_FILE_H

#include "ctl/rows.h"
#include "milter/person/key.h"
#include "milter/schema.h"

typedef enum { MRG_PEOPLE_JSONL, MRG_PEOPLE_CSV } MrgPeopleFormat;

typedef struct MrgPeopleRules {
    MrgPeopleFormat format;
    const MrgSchema *schema;
    gint64 now_us;             /* of consents and suppressions; no time may be later */
    gboolean takes_undeclared; /* fields that the schema does not declare; where it declares
                                * none, all are taken */
} MrgPeopleRules;

typedef struct MrgPeopleFile {
    MrgRows rows;
    MrgPeopleRules rules;

    /* The row. */
    MrgArena *arena;
    const char *address; /* as written, or NULL */
    GArray *fields;      /* MrgProfileField */
    GArray *consents;
    GArray *suppressions;
    GArray *engagements;

    GArray *columns; /* CSV: what the head says, once it is read */
} MrgPeopleFile;

/* Borrows all of it. */
void mrg_people_file_init(MrgPeopleFile *people, FILE *file, const char *path,
                          const MrgPeopleRules *rules);
void mrg_people_file_clear(MrgPeopleFile *people);

/* By the end of the name; FALSE where that says nothing. */
gboolean mrg_people_format_guess(const char *path, MrgPeopleFormat *format);

/* The next row; FALSE at the end, or with error set. */
gboolean mrg_people_file_next(MrgPeopleFile *people, GError **error);

/* ---- the two formats, and what they call for each thing they find ---- */

gboolean mrg_jsonl_next(MrgPeopleFile *people, GError **error);
gboolean mrg_csv_next(MrgPeopleFile *people, GError **error);

/* The declared spelling: FirstName and first_name are one name; as written where nothing of
 * the kind is declared. */
const char *mrg_people_declared_name(const MrgSchema *schema, const char *name);
/* Whether a column or member may have this name. */
gboolean mrg_people_check_name(const MrgPeopleFile *people, const char *name,
                               GError **error);
gboolean mrg_people_add_field(MrgPeopleFile *people, const char *name, MrgField value,
                              GError **error);
/* Borrows the texts for the row; source may be NULL. */
gboolean mrg_people_add_consent(MrgPeopleFile *people, const MrgConsent *consent,
                                GError **error);
gboolean mrg_people_add_suppression(MrgPeopleFile *people,
                                    const MrgSuppression *suppression, GError **error);

/* ---- values ---- */

/* What a text, which is borrowed, says for a field that is declared so (NULL: undeclared).
 * NULL, or what the value must be: "must be a number". */
const char *mrg_field_from_text(const MrgSchemaField *declared, const char *text,
                                MrgArena *arena, MrgField *value);
/* The same of a value that has its type already. */
const char *mrg_field_fault(const MrgSchemaField *declared, const MrgField *value,
                            MrgArena *arena);

#endif
