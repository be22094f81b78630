/* SPDX-License-Identifier: Apache-2.0 */
/*
 * held: everything that the store holds on a person, in the words of merganser(1).
 *
 * OWNERSHIP  JSON values are new references.
 * ERRORS     printed; the exit code is returned.
 */
#ifndef MRG_HELD_H
#define MRG_HELD_H

#include "ctl/verb.h"

typedef struct MrgHeld {
    MrgPersonKey person;
    json_t *rows;   /* {TABLE: [{COLUMN: text or null}]}, as they are stored */
    MrgState state; /* in people's arena */
} MrgHeld;

int mrg_held_read(MrgHeld *held, MrgPeople *people, const MrgPersonKey *person);
void mrg_held_clear(MrgHeld *held);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MrgHeld, mrg_held_clear)

/* Whether there is a profile. */
gboolean mrg_held_has_profile(const MrgHeld *held);

/* {NAME: value} */
json_t *mrg_held_fields(const MrgHeld *held);
/* [{"purpose", "granted", "at", "source", "text_version"}], the whole record, oldest first
 */
json_t *mrg_held_consents(const MrgHeld *held);
/* [{"scope", "reason", "at", "until"}], ended ones too */
json_t *mrg_held_suppressions(const MrgHeld *held);
/* [TIME] of one kind: open, click, complaint */
json_t *mrg_held_engagement(const MrgHeld *held, const char *kind);

#endif
