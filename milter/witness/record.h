/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record: what happened to one copy, as far as it may be told.
 *
 * OWNERSHIP  borrowed texts; lives as long as the message.
 */
#ifndef MRG_RECORD_H
#define MRG_RECORD_H

#include "plugins/merganser-plugin.h"

typedef enum {
    MRG_RECORD_MERGED,
    MRG_RECORD_CHECKED, /* at the door: nothing was merged */
    MRG_RECORD_STAGED   /* nothing left for its recipient */
} MrgRecordKind;

typedef struct MrgRecord {
    const char *queue_id; /* NULL where the MTA gave none */
    const char *campaign; /* NULL before the control headers are read */
    const char *class_name;
    const char *pseudonym;     /* NULL before the recipient is known */
    MrgPersonKey person;       /* valid with pseudonym */
    const MrgMessageKey *copy; /* the event's; NULL before the recipient is known */
    MrgVerdict verdict;
    const char *reason;
    const char *stamps; /* "pixel,unsubscribe", or NULL */
    guint n_unsigned;   /* signatures of others that were taken off */
    gboolean is_repeat;
    MrgRecordKind kind;
    gint64 at_us; /* since 1970 */
    gint64 took_us;
} MrgRecord;

#endif
