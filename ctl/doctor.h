/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor: what is wrong between a Postfix or Sendmail and Merganser, and what to type.
 *
 * OWNERSHIP  the doctor borrows configuration and snapshot and owns the findings.
 */
#ifndef MRG_DOCTOR_H
#define MRG_DOCTOR_H

#include "ctl/postfix.h"
#include "ctl/verb.h"
#include "milter/conf.h"

typedef enum { MRG_LEVEL_OK, MRG_LEVEL_WARNING, MRG_LEVEL_ERROR } MrgLevel;

typedef struct MrgFinding {
    MrgLevel level;
    char *what, *remedy; /* remedy is NULL for ok */
} MrgFinding;

typedef struct MrgDoctor {
    const MrgConf *conf;
    const MrgPostfix *postfix;
    MrgPlace place;      /* where the daemon listens */
    GPtrArray *findings; /* MrgFinding */
} MrgDoctor;

/* One finding: "WHAT", or "WHAT — WHAT TO TYPE". */
void mrg_doctor_say(MrgDoctor *doctor, MrgLevel level, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/* How the Postfix passes mail to the milter (doctor-postfix.c). */
void mrg_doctor_postfix(MrgDoctor *doctor);

/* How a Sendmail does, by its configuration files (doctor-sendmail.c). */
void mrg_doctor_sendmail(MrgDoctor *doctor, const char *const *paths);

/* What runs from timers, and the loader (doctor-timers.c). */
void mrg_doctor_timers(MrgDoctor *doctor, MrgPeople *people);

#endif
