/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ini: a configuration file as a list of entries, each with its line.
 *
 * "[section]" or "[section name]", "key = value"; '#' or ';' begins a comment at the start
 * of a line.  Stricter than GKeyFile where it matters for a daemon that must not start on
 * a slip: a doubled key or section is an error, and every entry knows its line.
 *
 * OWNERSHIP  the file owns its entries and all their texts.
 * ERRORS     MRG_ERROR_CONFIG "FILE:LINE:COLUMN: what".
 * BOUNDS     1 MiB.
 */
#ifndef MRG_INI_H
#define MRG_INI_H

#include <glib.h>

typedef struct MrgIniEntry {
    const char *section; /* first word in the brackets */
    const char *name;    /* the rest, or "" */
    const char *key;     /* NULL: the section's own line */
    const char *value;   /* without white space around it */
    guint line;
} MrgIniEntry;

typedef struct MrgIni {
    char *path;
    char *text; /* cut up in place; the entries point into it */
    GArray *entries;
} MrgIni;

MrgIni *mrg_ini_load(const char *path, GError **error);
MrgIni *mrg_ini_parse(const char *path, const char *text, GError **error);
void mrg_ini_free(MrgIni *ini);

/* Sets MRG_ERROR_CONFIG "FILE:LINE:1: ..." and returns FALSE. */
gboolean mrg_ini_fail(const MrgIni *ini, guint line, GError **error, const char *format,
                      ...) G_GNUC_PRINTF(4, 5);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgIni, mrg_ini_free)

#endif
