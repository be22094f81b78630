/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fixtures: the helpers that the cases of handlebars.js bring as JavaScript, in C.
 */
#ifndef MRG_TESTS_FIXTURES_H
#define MRG_TESTS_FIXTURES_H

#include "render/helper.h"

/* Appends an MrgHelper for each of the test's helpers. */
void fixtures_add(GArray *helpers, const MrgValue *javascript);

/* Some count how often they are called. */
void fixtures_reset(void);

#endif
