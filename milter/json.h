/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json: JSON text from outside, turned into a value at once.
 *
 * OWNERSHIP  the value is made in the arena.
 * ERRORS     MRG_ERROR_CONTROL "LINE:COLUMN: what"; never the text itself.
 * BOUNDS     nesting at most 64 deep; a doubled member is an error.
 */
#ifndef MRG_JSON_H
#define MRG_JSON_H

#include "base/value.h"

gboolean mrg_json_read(MrgValue *value, const char *text, gsize length, MrgArena *arena,
                       GError **error);

#endif
