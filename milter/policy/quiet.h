/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quiet: hours of the person's wall clock in which no mail goes out.
 *
 * OWNERSHIP  the name is borrowed from the policy.
 */
#ifndef MRG_QUIET_H
#define MRG_QUIET_H

#include "milter/policy/decide.h"

/* The first of the rules that is quiet at this time; NULL for none.  *until_us is the
 * instant at which that one ends. */
const MrgQuiet *mrg_quiet_at(const MrgPolicy *policy, const MrgCandidate *candidate,
                             gint64 at_us, gint64 *until_us);

#endif
