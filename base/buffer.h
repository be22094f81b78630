/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buffer: growing output bytes with a hard limit.
 *
 * A buffer is kept from one render to the next, so that after the first few
 * no more memory is asked for.
 *
 * OWNERSHIP  the buffer owns its bytes; data is borrowed until the next append.
 * THREADS    one thread at a time.
 * ERRORS     past the limit nothing is appended and is_full stays set; the
 *            caller asks once, at the end or when it is convenient.
 */
#ifndef MRG_BUFFER_H
#define MRG_BUFFER_H

#include <glib.h>
#include <string.h>

typedef struct MrgBuffer {
    char *data; /* not NUL-terminated; NULL while capacity is 0 */
    gsize length;
    gsize capacity;
    gsize limit; /* bytes; never exceeded */
    gboolean is_full;
} MrgBuffer;

void mrg_buffer_init(MrgBuffer *buffer, gsize limit);
void mrg_buffer_clear(MrgBuffer *buffer);

/* Empties the buffer and keeps its memory. */
void mrg_buffer_reset(MrgBuffer *buffer);

/* Slow path of mrg_buffer_reserve(). */
char *mrg_buffer_grow(MrgBuffer *buffer, gsize length);

/* Room for length more bytes at the end, or NULL when the limit is hit. */
static inline char *
mrg_buffer_reserve(MrgBuffer *buffer, gsize length)
{
    if (G_LIKELY(buffer->capacity - buffer->length >= length && buffer->data))
        return buffer->data + buffer->length;
    return mrg_buffer_grow(buffer, length);
}

static inline void
mrg_buffer_append(MrgBuffer *buffer, const char *text, gsize length)
{
    char *room = mrg_buffer_reserve(buffer, length);
    if (G_UNLIKELY(!room))
        return;
    memcpy(room, text, length);
    buffer->length += length;
}

/* The same for a text that MRG_BUFFER_SLACK bytes can be read from: short ones are copied
 * without a call. */
#define MRG_BUFFER_SLACK 32

static inline void
mrg_buffer_append_padded(MrgBuffer *buffer, const char *text, gsize length)
{
    if (G_UNLIKELY(length > MRG_BUFFER_SLACK || !buffer->data ||
                   buffer->capacity - buffer->length < MRG_BUFFER_SLACK)) {
        mrg_buffer_append(buffer, text, length);
        return;
    }
    memcpy(buffer->data + buffer->length, text, MRG_BUFFER_SLACK);
    buffer->length += length;
}

/* Puts text over the bytes [start, start + removed). */
void mrg_buffer_splice(MrgBuffer *buffer, gsize start, gsize removed, const char *text,
                       gsize length);

/* The bytes with a NUL behind them; the caller frees. */
char *mrg_buffer_dup(const MrgBuffer *buffer);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MrgBuffer, mrg_buffer_clear)

#endif
