/* SPDX-License-Identifier: Apache-2.0 */
/*
 * banned: calls that this project does not make; each is a compile error.
 *
 * Included before every source file by the build.  Use g_strlcpy, g_string_append,
 * g_snprintf, g_strsplit, g_date_time, g_ascii_string_to_signed, a keyed hash, and
 * milter/clock.h.
 */
#ifndef MRG_BANNED_H
#define MRG_BANNED_H

/* What config.h asks of the system's headers must come before the first of them. */
#include "config.h"

/* The libraries' own headers may mention them: they come first. */
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Under clang, _FORTIFY_SOURCE makes these two macros. */
#undef sprintf
#undef vsprintf

#pragma GCC poison strcpy strcat sprintf vsprintf strtok gmtime localtime atoi rand

#endif
