/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json-exact: JSON as text, with numbers as people write them: 89.9 and not
 * 89.900000000000006, which is the same double.
 */
#ifndef MRG_JSON_EXACT_H
#define MRG_JSON_EXACT_H

#include <jansson.h>

/* As json_dumps(), with the fewest digits that read back as the same; to be freed with
 * g_free(). */
char *mrg_json_exact(const json_t *json, size_t flags);

#endif
