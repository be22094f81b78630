/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena: memory that is freed all at once.
 *
 * One arena serves one message: everything that is made while the message is
 * in hand is allocated here and freed at its end, in one step, whichever way
 * the message ended.
 *
 * OWNERSHIP  the arena owns what it hands out; results live until the next
 *            reset or free.
 * THREADS    one thread at a time; no locks.
 * ERRORS     none: like g_malloc(), running out of memory ends the program.
 *
 * In a sanitized build each allocation is a malloc() of its own, so that an
 * overrun by one byte is seen.
 */
#ifndef MRG_ARENA_H
#define MRG_ARENA_H

#include <glib.h>

typedef struct MrgArena MrgArena;

MrgArena *mrg_arena_new(void);
void mrg_arena_free(MrgArena *arena);

/* Takes everything back, but keeps the memory for the next use. */
void mrg_arena_reset(MrgArena *arena);

/* size bytes, aligned to 16, not initialised; size 0 gives a valid pointer. */
gpointer mrg_arena_alloc(MrgArena *arena, gsize size);
gpointer mrg_arena_alloc0(MrgArena *arena, gsize size);

/* A copy of length bytes with a NUL behind it. */
char *mrg_arena_dup(MrgArena *arena, const char *text, gsize length);

/* A copy of a NUL-terminated string; NULL stays NULL. */
char *mrg_arena_strdup(MrgArena *arena, const char *text);

char *mrg_arena_printf(MrgArena *arena, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Bytes handed out since the last reset. */
gsize mrg_arena_used(const MrgArena *arena);

#define mrg_arena_array(arena, Type, n) \
    ((Type *) mrg_arena_alloc0((arena), sizeof(Type) * (gsize) (n)))

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgArena, mrg_arena_free)

#endif
