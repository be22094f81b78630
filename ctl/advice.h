/* SPDX-License-Identifier: Apache-2.0 */
/*
 * advice: what a marketer should be told of a message that compiles, before it is sent.
 *
 * What check and preview say alike.  Nothing here depends on a person but
 * mrg_advice_of_copy(), and nothing of it runs where mail is merged.
 *
 * OWNERSHIP  findings are borrowed from the arena and from what they are about.
 */
#ifndef MRG_ADVICE_H
#define MRG_ADVICE_H

#include "ctl/rehearsal.h"
#include "ctl/templates.h"

/* What the advice is about.  Of a template that is no message the last three are NULL. */
typedef struct MrgAdvised {
    const MrgTemplate *templates;
    gsize n_templates;
    const MrgProgram *program;
    const MrgSchema *schema;
    const MrgConf *conf; /* NULL: there is none, and nobody knows what is stamped */
    const char *path;    /* of the message, in front of the names of its parts; else NULL */
    const MrgCampaign *campaign;
    const MrgEnvelope *envelope;
    const MrgLayout *layout;
} MrgAdvised;

/* The templates of a message; the caller frees the array, not what is in it. */
MrgTemplate *mrg_advice_templates(const MrgHeaderField *fields, gsize n_fields,
                                  const MrgPart *parts, gsize n_parts, MrgDialect dialect);

/* Whether a field is declared, brought by the campaign, or what a helper says where the
 * person has no such field; where nothing is declared, every field is known. */
gboolean mrg_advice_knows(const MrgAdvised *about, const MrgProgramField *field);

/* Of MrgFinding, all of them warnings; the caller unrefs. */
GArray *mrg_advice_find(const MrgAdvised *about, MrgArena *arena);

/* The same about a rehearsed message, by anybody's turn: each gets as far as the program if
 * there is one; empty if there is none. */
GArray *mrg_advice_rehearse(const MrgRehearsal *rehearsal, const MrgScene *scene,
                            MrgArena *arena);

/* What is amiss in one person's copy alone, or NULL. */
const char *mrg_advice_of_copy(const MrgScene *scene);

#endif
