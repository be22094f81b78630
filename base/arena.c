/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdarg.h>
#include <string.h>

#include "base/arena.h"
#include "base/sanitizer.h"

#define ALIGNMENT 16
#define FIRST_BLOCK_BYTES 16384

/* The head is as large as the alignment, so what follows it is aligned. */
typedef struct Block {
    struct Block *next;
    gsize capacity;
} Block;
G_STATIC_ASSERT(sizeof(Block) % ALIGNMENT == 0);

struct MrgArena {
    Block *blocks; /* the first one is in use; behind it are full ones */
    gsize filled;  /* bytes of the first block */
    gsize used;
};

MrgArena *
mrg_arena_new(void)
{
    return g_new0(MrgArena, 1);
}

static void
free_blocks(Block *block)
{
    while (block) {
        Block *next = block->next;
        g_free(block);
        block = next;
    }
}

void
mrg_arena_free(MrgArena *arena)
{
    if (!arena)
        return;
    free_blocks(arena->blocks);
    g_free(arena);
}

void
mrg_arena_reset(MrgArena *arena)
{
    if (MRG_IS_SANITIZED) {
        free_blocks(arena->blocks);
        arena->blocks = NULL;
    } else if (arena->blocks) {
        /* The newest block is the largest: it alone is enough next time. */
        free_blocks(arena->blocks->next);
        arena->blocks->next = NULL;
    }
    arena->filled = 0;
    arena->used = 0;
}

/* Its first bytes are taken.  Out of line: what it saves and restores would cost each
 * allocation more than the allocation itself. */
static G_GNUC_NO_INLINE gpointer
add_block(MrgArena *arena, gsize taken)
{
    gsize next = arena->blocks ? arena->blocks->capacity * 2 : FIRST_BLOCK_BYTES;
    gsize capacity = MRG_IS_SANITIZED ? taken : MAX(next, taken);
    Block *block = g_malloc(sizeof(Block) + capacity);
    block->next = arena->blocks;
    block->capacity = capacity;
    arena->blocks = block;
    arena->filled = taken;
    return block + 1;
}

gpointer
mrg_arena_alloc(MrgArena *arena, gsize size)
{
    g_assert(size <= G_MAXSIZE / 4);
    arena->used += size;
    if (MRG_IS_SANITIZED)
        return add_block(arena, size);
    gsize rounded = (size + ALIGNMENT - 1) & ~(gsize) (ALIGNMENT - 1);
    if (!arena->blocks || arena->blocks->capacity - arena->filled < rounded)
        return add_block(arena, rounded);
    char *result = (char *) (arena->blocks + 1) + arena->filled;
    arena->filled += rounded;
    return result;
}

gpointer
mrg_arena_alloc0(MrgArena *arena, gsize size)
{
    return memset(mrg_arena_alloc(arena, size), 0, size);
}

char *
mrg_arena_dup(MrgArena *arena, const char *text, gsize length)
{
    char *copy = mrg_arena_alloc(arena, length + 1);
    if (length)
        memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *
mrg_arena_strdup(MrgArena *arena, const char *text)
{
    return text ? mrg_arena_dup(arena, text, strlen(text)) : NULL;
}

char *
mrg_arena_printf(MrgArena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = g_vsnprintf(NULL, 0, format, args);
    char *text = mrg_arena_alloc(arena, (gsize) length + 1);
    g_vsnprintf(text, (gulong) length + 1, format, again);
    va_end(again);
    va_end(args);
    return text;
}

gsize
mrg_arena_used(const MrgArena *arena)
{
    return arena->used;
}
