/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema: the declared profile fields, from schema.conf.
 *
 *     [field first_name]
 *     type = string            string, number, boolean, list, object
 *     purpose = Salutation.
 *     sensitive = no           yes: no template may read it
 *
 * OWNERSHIP  made in the arena of its configuration.
 * ERRORS     MRG_ERROR_CONFIG "FILE:LINE:1: ...".
 */
#ifndef MRG_SCHEMA_H
#define MRG_SCHEMA_H

#include <glib.h>

#include "base/arena.h"

typedef enum {
    MRG_TYPE_STRING,
    MRG_TYPE_NUMBER,
    MRG_TYPE_BOOLEAN,
    MRG_TYPE_LIST,
    MRG_TYPE_OBJECT
} MrgSchemaType;

typedef struct MrgSchemaField {
    const char *name; /* [A-Za-z_][A-Za-z0-9_]{0,63} */
    MrgSchemaType type;
    const char *purpose;
    gboolean is_sensitive;
} MrgSchemaField;

typedef struct MrgSchema {
    const MrgSchemaField *fields;
    gsize n_fields;
    const char *const *names; /* of the fields that templates may read; NULL-terminated */
} MrgSchema;

/* path "" gives a schema without fields. */
const MrgSchema *mrg_schema_load(const char *path, MrgArena *arena, GError **error);

/* The field of that name, or NULL. */
const MrgSchemaField *mrg_schema_field(const MrgSchema *schema, const char *name);

#endif
