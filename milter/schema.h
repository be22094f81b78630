/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema: the declared profile fields, from schema.conf.
 *
 *     [field first_name]
 *     type = string            string, number, boolean, list, object
 *     purpose = Salutation.
 *     sensitive = no           yes: no template may read it
 *     used_for = mail          mail, caps, predict; mail where it is not given
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

/* What a field is kept for. */
typedef enum {
    MRG_USE_MAIL = 1 << 0,   /* templates, the block map, language and time zone */
    MRG_USE_CAPS = 1 << 1,   /* who shares a cap, what a person wants at most */
    MRG_USE_PREDICT = 1 << 2 /* guessing what a person will do */
} MrgSchemaUse;

typedef struct MrgSchemaField {
    const char *name; /* [A-Za-z_][A-Za-z0-9_]{0,63} */
    MrgSchemaType type;
    const char *purpose;
    gboolean is_sensitive;
    guint uses; /* MrgSchemaUse */
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

/* "string" and the like. */
const char *mrg_schema_type_name(MrgSchemaType type);

/* "mail caps", in the arena; "" for none. */
const char *mrg_schema_uses_text(const MrgSchemaField *field, MrgArena *arena);

#endif
