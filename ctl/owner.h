/* SPDX-License-Identifier: Apache-2.0 */
/*
 * owner: root goes on as the user whom the key ring belongs to, which is the daemon's.
 *
 * What root made would lock the daemon out, and what the daemon's user can write is not to
 * be read with the rights of root.
 */
#ifndef MRG_OWNER_H
#define MRG_OWNER_H

#include <glib.h>

/* For good, with that user's groups.  Nothing happens to anybody but root, and where there
 * is no such file or it is root's: loading it says then what is wrong. */
gboolean mrg_owner_become(const char *keys_path, GError **error);

#endif
