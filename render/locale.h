/* SPDX-License-Identifier: Apache-2.0 */
/*
 * locale: what ICU knows of languages, countries and time zones.
 *
 * The only user of ICU.  Locale and zone come from the call's arguments "locale" and
 * "timezone", else from its input, else they are "en" and UTC.
 *
 * Opening a formatter costs a hundred times what using it does, so they are kept: a
 * process-wide table of bounded size, from which a call takes one for itself and puts it
 * back.  A run is charged for each distinct one it asks for, kept or not, so that what
 * it may do does not depend on what others did before.
 *
 * OWNERSHIP  arena of the call.
 * THREADS    any number; a formatter in hand is nobody else's.
 * ERRORS     FALSE, NULL or MISSING where ICU says no; mrg_call_fail() where the author of
 *            the template is to blame.
 */
#ifndef MRG_RENDER_LOCALE_H
#define MRG_RENDER_LOCALE_H

#include "render/helper.h"

typedef enum { MRG_CASE_UPPER, MRG_CASE_LOWER, MRG_CASE_TITLE } MrgCase;

MrgValue mrg_locale_case(MrgHelperCall *call, const MrgValue *text, MrgCase wanted);

/* Latin, Greek and Cyrillic letters in ASCII; the rest as it is. */
MrgValue mrg_locale_ascii(MrgHelperCall *call, const MrgValue *text);

typedef enum {
    MRG_FORMAT_NUMBER,
    MRG_FORMAT_PERCENT,
    MRG_FORMAT_CURRENCY,
    MRG_FORMAT_ORDINAL
} MrgNumberFormat;

/* digits below 0: as many as is usual.  currency: three capitals, or NULL. */
MrgValue mrg_locale_number(MrgHelperCall *call, MrgNumberFormat format,
                           const MrgValue *value, int digits, const char *currency);

/* "one", "few", ... "other". */
const char *mrg_locale_plural(MrgHelperCall *call, double number);

/* ---- time; milliseconds since 1970-01-01 UTC, proleptic Gregorian calendar ---- */

typedef struct MrgLocalTime {
    int year, month, day, hour, minute, second, millisecond; /* month 1 to 12 */
    int offset;                                              /* minutes east of UTC */
} MrgLocalTime;

typedef enum {
    MRG_UNIT_SECOND,
    MRG_UNIT_MINUTE,
    MRG_UNIT_HOUR,
    MRG_UNIT_DAY,
    MRG_UNIT_WEEK,
    MRG_UNIT_MONTH,
    MRG_UNIT_YEAR
} MrgTimeUnit;

/* The zone of a name or of an offset, "+02:00" or "-0800"; NULL for an unknown one. */
const char *mrg_locale_zone(MrgHelperCall *call, const char *name, gsize length);

/* The zone to use where a value brings none; NULL after a failure. */
const char *mrg_locale_default_zone(MrgHelperCall *call);

gboolean mrg_locale_from_local(MrgHelperCall *call, const char *zone,
                               const MrgLocalTime *local, double *ms);
gboolean mrg_locale_to_local(MrgHelperCall *call, const char *zone, double ms,
                             MrgLocalTime *local);
gboolean mrg_locale_add(MrgHelperCall *call, const char *zone, double *ms, MrgTimeUnit unit,
                        int amount);

/* Whole units from one time to another. */
gboolean mrg_locale_difference(MrgHelperCall *call, const char *zone, double from,
                               double to, MrgTimeUnit unit, double *amount);

typedef enum {
    MRG_STYLE_SHORT,
    MRG_STYLE_MEDIUM,
    MRG_STYLE_LONG,
    MRG_STYLE_FULL,
    MRG_STYLE_TIME,
    MRG_STYLE_DATETIME,
    MRG_STYLE_PATTERN
} MrgDateStyle;

/* The pattern is CLDR's, and counts for its own style only. */
MrgValue mrg_locale_date(MrgHelperCall *call, const char *zone, double ms,
                         MrgDateStyle style, const MrgValue *pattern);

#endif
