/* SPDX-License-Identifier: Apache-2.0 */
/*
 * escape: values on their way into the text.
 *
 * Runs of bytes that need nothing are copied at once; how far one reaches is
 * found 16 bytes at a time where the processor can.
 */
#ifndef MRG_RENDER_ESCAPE_H
#define MRG_RENDER_ESCAPE_H

#include "render/render.h"

/* Appends text, escaped for its destination.  A raw text goes as it is, but into a header
 * no control character ever goes. */
void mrg_escape_append(MrgBuffer *out, MrgEscape escape, gboolean is_raw, const char *text,
                       gsize length);

/* What stands for that byte in HTML; NULL where it stands for itself. */
const char *mrg_escape_entity(char c, gsize *length);

#endif
