/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contents: the names of contents, by which plans are found: keyed hashes of all their
 * texts.
 *
 * The copies of a campaign have the same content, and to compare 20 KB costs a thirtieth of
 * hashing them: what was named last is remembered as it was.
 *
 * OWNERSHIP  the memory keeps copies of its own, no more than MRG_CONTENTS_KEPT of at most
 *            MRG_CONTENT_BYTES_MAX; larger ones are hashed each time.
 * THREADS    any; a lock is held for as long as it takes to compare.
 */
#ifndef MRG_CONTENTS_H
#define MRG_CONTENTS_H

#include "milter/person/key.h"

#define MRG_CONTENTS_KEPT 4
#define MRG_CONTENT_BYTES_MAX (256 * 1024)

typedef struct MrgContents MrgContents;

MrgContents *mrg_contents_new(void);
void mrg_contents_free(MrgContents *contents);

/* As mrg_message_key() with the same key ring each time. */
void mrg_contents_key(MrgContents *contents, const MrgKeyring *keyring,
                      const char *const *texts, const gsize *lengths, gsize n,
                      MrgMessageKey *key);

#endif
