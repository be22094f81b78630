/* SPDX-License-Identifier: Apache-2.0 */
/*
 * suite: conformance data of others, which is not ours and not here.
 *
 * It is looked for in $MERGANSER_SUITES, else beside the project in
 * shared/conformance; where it is not, the tests skip.  Each case renders twice
 * where it can: from the slots alone, and with the whole object at hand.
 *
 * OWNERSHIP  what is read lives in the arena given.
 */
#ifndef MRG_TESTS_SUITE_H
#define MRG_TESTS_SUITE_H

#include "render/helper.h"

typedef struct SuiteCase {
    const MrgValue *template; /* a string */
    const MrgValue *data;     /* anything; MISSING counts as {} */
    const MrgValue *partials; /* an object of strings, or MISSING */
    const MrgValue *values;   /* @values of the run: an object, or MISSING */
    MrgDialect dialect;
    guint options;
    const MrgHelper *helpers;
    gsize n_helpers;
} SuiteCase;

/* Ends the test program with a skip where the data is not there. */
void suite_need(const char *folder);

/* The value in a file of the folder; a broken file ends the program. */
MrgValue suite_read(MrgArena *arena, const char *folder, const char *file);

const MrgValue *suite_member(const MrgValue *object, const char *name);
char *suite_text(const MrgValue *object, const char *name); /* "" if missing; to free */

/* The text, or the message of the error behind "error: "; NULL without the root where that
 * is asked for.  The caller frees. */
char *suite_render(const SuiteCase *suite_case, gboolean has_root);

/* NULL and an error, or a program. */
MrgProgram *suite_compile(const SuiteCase *suite_case, GError **error);

#endif
