/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seen: the people that a file has named so far, and the line of each.
 *
 * BOUNDS     32 to 64 bytes a person, and half as much again while it grows.
 */
#ifndef MRG_SEEN_H
#define MRG_SEEN_H

#include "plugins/merganser-plugin.h"

typedef struct MrgSeen MrgSeen;

MrgSeen *mrg_seen_new(void);
void mrg_seen_free(MrgSeen *seen);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgSeen, mrg_seen_free)

/* 0, and from now on line, which is not 0; or the line that was given for this key first.
 */
guint64 mrg_seen_add(MrgSeen *seen, const MrgPersonKey *key, guint64 line);

#endif
