/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blocks: the block library, a folder of partials that templates may call, and the
 * block map that chooses among them (render/slots.h).
 *
 * FOLDER/NAME.hbs is the block NAME, which may contain "/".  A comment that
 * begins the file may give it tags: {{!-- tags: hero, winter --}}.
 *
 * OWNERSHIP  a snapshot is reference-counted and owns its texts.
 * THREADS    a snapshot is immutable; the library locks.
 * ERRORS     MRG_ERROR_CONFIG "FILE: what", or "FILE:LINE:COLUMN: what" in the map.
 * BOUNDS     4096 blocks of 1 MiB and 64 MiB in all, folders 16 deep; UTF-8.
 */
#ifndef MRG_BLOCKS_H
#define MRG_BLOCKS_H

#include "render/render.h"

typedef struct MrgBlockFile {
    const char *name;
    const char *text;
    gsize length;
    const char *const *tags; /* NULL-terminated */
} MrgBlockFile;

typedef struct MrgBlocks MrgBlocks;

/* All there is now.  A folder that is not there, or of the name "", gives a library without
 * blocks; the same holds for the map.  New reference. */
MrgBlocks *mrg_blocks_read(const char *folder, const char *map, GError **error);
MrgBlocks *mrg_blocks_ref(MrgBlocks *blocks);
void mrg_blocks_unref(MrgBlocks *blocks);

/* In the order of their names. */
const MrgBlockFile *mrg_blocks_files(const MrgBlocks *blocks, gsize *n_files);

/* For mrg_program_compile(). */
const MrgPartialSource *mrg_blocks_partials(const MrgBlocks *blocks);
const MrgSlots *mrg_blocks_slots(const MrgBlocks *blocks);

/* A library that is read again when it has changed.  Files that were written less than two
 * seconds ago may be half written: they wait. */
typedef struct MrgLibrary MrgLibrary;

MrgLibrary *mrg_library_new(const char *folder, const char *map, GError **error);
void mrg_library_free(MrgLibrary *library);

/* The snapshot in force; looks at the folder at most once a second.  When it cannot be
 * read, the old one stays and *error says so, once for each state of the folder.  now_us is
 * the wall clock's.  New reference. */
MrgBlocks *mrg_library_get(MrgLibrary *library, gint64 now_us, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgBlocks, mrg_blocks_unref)

#endif
