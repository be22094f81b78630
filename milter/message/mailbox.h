/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailbox: an address field that holds a single mailbox with a name (RFC 5322, 3.4):
 * "News" <news@example.com>.
 */
#ifndef MRG_MAILBOX_H
#define MRG_MAILBOX_H

#include "base/arena.h"

/* Takes such a value (as MrgHeader.value) apart: the name decoded, without the quotes
 * around it, and the address with its angle brackets; both in the arena.  FALSE for other
 * values. */
gboolean mrg_mailbox_split(const char *value, MrgArena *arena, const char **name,
                           const char **address);

/* The value of the field, folded; a name of white space only is none. */
const char *mrg_mailbox_value(MrgArena *arena, gsize field_length, const char *name,
                              gsize length, const char *address);

#endif
