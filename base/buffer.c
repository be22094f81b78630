/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "base/buffer.h"

#define FIRST_CAPACITY 4096

void
mrg_buffer_init(MrgBuffer *buffer, gsize limit)
{
    *buffer = (MrgBuffer){.limit = limit};
}

void
mrg_buffer_clear(MrgBuffer *buffer)
{
    g_free(buffer->data);
    *buffer = (MrgBuffer){.limit = buffer->limit};
}

void
mrg_buffer_reset(MrgBuffer *buffer)
{
    buffer->length = 0;
    buffer->is_full = FALSE;
}

char *
mrg_buffer_grow(MrgBuffer *buffer, gsize length)
{
    if (buffer->is_full || length > buffer->limit ||
        buffer->length > buffer->limit - length) {
        buffer->is_full = TRUE;
        return NULL;
    }
    gsize roomy = MIN(MAX(buffer->capacity * 2, FIRST_CAPACITY), buffer->limit);
    buffer->capacity = MAX(buffer->length + length, roomy);
    buffer->data = g_realloc(buffer->data, buffer->capacity);
    return buffer->data + buffer->length;
}

void
mrg_buffer_splice(MrgBuffer *buffer, gsize start, gsize removed, const char *text,
                  gsize length)
{
    g_assert(start <= buffer->length && removed <= buffer->length - start);
    if (length > removed && !mrg_buffer_reserve(buffer, length - removed))
        return;
    char *at = buffer->data + start;
    memmove(at + length, at + removed, buffer->length - start - removed);
    if (length)
        memcpy(at, text, length);
    buffer->length = buffer->length - removed + length;
}

char *
mrg_buffer_dup(const MrgBuffer *buffer)
{
    char *copy = g_malloc(buffer->length + 1);
    if (buffer->length)
        memcpy(copy, buffer->data, buffer->length);
    copy[buffer->length] = '\0';
    return copy;
}
