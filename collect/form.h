/* SPDX-License-Identifier: Apache-2.0 */
/*
 * form: names and values as forms and queries send them
 * (application/x-www-form-urlencoded, URL Standard, 5.1).
 *
 * OWNERSHIP  arena.
 */
#ifndef MRG_FORM_H
#define MRG_FORM_H

#include "base/arena.h"

#define MRG_FORM_FIELDS_MAX 128

typedef struct MrgFormField {
    const char *name, *value;
} MrgFormField;

typedef struct MrgForm {
    const MrgFormField *fields;
    gsize n;
} MrgForm;

/* FALSE for too many fields, and for text that is no UTF-8 or has a NUL in it. */
gboolean mrg_form_parse(MrgForm *form, const char *text, gsize length, MrgArena *arena);

/* One name or value; NULL where it is no text. */
const char *mrg_form_decode(const char *text, gsize length, MrgArena *arena);

/* The first of that name; NULL: there is none. */
const char *mrg_form_get(const MrgForm *form, const char *name);

#endif
