/* SPDX-License-Identifier: Apache-2.0 */
/*
 * person: what the store knows of who came with a token, and what changes there.
 *
 * All of it may wait for the store: only where a thread may.
 *
 * OWNERSHIP  arena.
 * ERRORS     the store's.
 */
#ifndef MRG_VISITOR_H
#define MRG_VISITOR_H

#include <jansson.h>

#include "collect/collector.h"

typedef struct MrgVisitor {
    MrgCollector *collector; /* borrowed */
    MrgArena *arena;
    const MrgToken *token;
    MrgState state;
    const char *locale;    /* "" where none is known */
    const char *frequency; /* as the field has it; "" for none */
    gboolean has_profile;
} MrgVisitor;

gboolean mrg_visitor_load(MrgVisitor *visitor, MrgCollector *collector,
                          const MrgToken *token, MrgArena *arena, GError **error);

/* The class of the copy that the token stands in; NULL where it is not recorded. */
gboolean mrg_visitor_class(MrgCollector *collector, const MrgToken *token,
                           const char **class_name, MrgArena *arena, GError **error);

/* A suppression of scope by this reason that holds now; NULL: there is none. */
const MrgSuppression *mrg_visitor_suppression(const MrgVisitor *visitor, const char *scope,
                                              gint64 now_us);

/* Adds to the ledger of the token's person; durable when it returns. */
gboolean mrg_visitor_suppress(MrgCollector *collector, const MrgPersonKey *person,
                              const char *scope, gint64 at_us, gint64 until_us,
                              GError **error);
gboolean mrg_visitor_consent(MrgCollector *collector, const MrgPersonKey *person,
                             const char *const *purposes, gboolean is_granted, gint64 at_us,
                             GError **error);

/* Writes the wish of how often; "" for none.  Needs a profile. */
gboolean mrg_visitor_set_frequency(const MrgVisitor *visitor, const char *frequency,
                                   GError **error);

/* Every row on the person: {"TABLE": [{"COLUMN": ...}]}; the caller releases. */
json_t *mrg_visitor_rows(MrgCollector *collector, const MrgPersonKey *person,
                         GError **error);

#endif
