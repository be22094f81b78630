/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugin: loads a shared object that is safe to load and speaks our ABI.
 *
 * Safe means: the file and the folder that it really lies in belong to root or to this
 * user, and neither group nor others can write them.  Whoever can write a plugin can read
 * every profile and the keys, so a doubtful file is refused and not warned about.
 *
 * OWNERSHIP  a plugin stays loaded until the program ends: the result is never freed.
 * THREADS    any; loading the same one twice gives the same result.
 * ERRORS     MRG_ERROR_CONFIG.
 */
#ifndef MRG_MILTER_PLUGIN_H
#define MRG_MILTER_PLUGIN_H

#include "plugins/merganser-plugin.h"

/* DIRECTORY/NAME.so; name is [a-z0-9-]+, as in "store-sqlite". */
const MrgPlugin *mrg_plugin_load(const char *directory, const char *name, GError **error);

#endif
