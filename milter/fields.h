/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fields: the header fields of a campaign message that are templates.
 *
 * The Subject is one always; those that the setting [render] headers names are where they
 * hold a marker.  Of an address field the display name is rendered, and only where the
 * field holds a single mailbox; of others the whole value.
 *
 * OWNERSHIP  arena; a layout's subject is borrowed from the layout.
 * ERRORS     MRG_RENDER_ERROR_MARKER "header NAME:1:1: ...".
 */
#ifndef MRG_FIELDS_H
#define MRG_FIELDS_H

#include "milter/message/mime.h"
#include "milter/schema.h"

typedef enum {
    MRG_FIELD_SUBJECT,
    MRG_FIELD_TEXT,
    MRG_FIELD_MAILBOX,
    MRG_FIELD_RECIPIENT /* no field of the message: the recipient's name in To */
} MrgFieldKind;

typedef struct MrgHeaderField {
    MrgFieldKind kind;
    const char *name;  /* of the header field */
    guint nth;         /* of those of that name, from 0 */
    const char *label; /* for error positions: "subject", "header From" */
    const char *text;  /* the template, UTF-8 */
    gsize length;
    const char *address; /* MAILBOX: what follows the name */
} MrgHeaderField;

typedef struct MrgFieldRules {
    const char *const *names; /* "From", "List-*"; NULL-terminated */
    const char *recipient;    /* template of the recipient's name, or "" */
    const MrgSchema *schema;
} MrgFieldRules;

/* Whether what a plan makes of a header field may depend on this one. */
gboolean mrg_fields_have(const MrgFieldRules *rules, const char *name);

const MrgHeaderField *mrg_fields_read(const MrgFieldRules *rules,
                                      const MrgEnvelope *envelope, const MrgLayout *layout,
                                      MrgArena *arena, gsize *n_fields);

/* FALSE when a header field that is none of these, and that the copy would keep, holds a
 * marker: it must not carry a template out of the house. */
gboolean mrg_fields_refuse_stray(const MrgHeaderField *fields, gsize n_fields,
                                 const MrgEnvelope *envelope, const MrgSchema *schema,
                                 GError **error);

#endif
