/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb: what each verb of the merganser tool has at hand, and how it ends.
 *
 * A verb parses its own options, prints results to stdout (JSON with --json) and errors to
 * stderr, and returns a sysexits code.  ctl/verbs.def lists them; a file of the same name
 * holds each.
 */
#ifndef MRG_VERB_H
#define MRG_VERB_H

#include <jansson.h>
#include <sysexits.h>

#include "milter/pipeline.h"

typedef struct MrgTool {
    const char *conf_path;
    gboolean is_json;
} MrgTool;

typedef int (*MrgVerbRun)(MrgTool *tool, int argc, char **argv);

#define VERB(name, run, arguments, help) int run(MrgTool *tool, int argc, char **argv);
#include "ctl/verbs.def"

/* Parses a verb's options, --json among them, and checks how many arguments remain. entries
 * may be NULL.  EX_OK, or the exit code after the message was printed. */
int mrg_verb_parse(MrgTool *tool, int *argc, char ***argv, const GOptionEntry *entries,
                   int n_arguments);

/* Prints the error and returns the exit code that fits it. */
int mrg_verb_fail(const GError *error);
int mrg_verb_usage(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* The configuration, and what it names.  NULL after the message was printed; then *code is
 * the exit code. */
MrgConf *mrg_verb_conf(const MrgTool *tool, int *code);

/* Key ring and store of the configuration, opened as the daemon's user (owner.h). */
typedef struct MrgPeople {
    MrgConf *conf;
    MrgKeyring *keyring;
    MrgStore *store;
    MrgArena *arena;
} MrgPeople;

int mrg_people_open(MrgPeople *people, const MrgTool *tool);
void mrg_people_close(MrgPeople *people);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MrgPeople, mrg_people_close)

/* The person of an address given on the command line. */
int mrg_people_find(MrgPeople *people, const char *address, MrgPerson *person);

/* The state of a person, as a decision is taken on; prints what is wrong. */
int mrg_people_load(MrgPeople *people, const MrgPersonKey *person, MrgState *state);

/* A person as a decision is taken on them. */
typedef struct MrgStanding {
    MrgState state;
    MrgShared shared;
    MrgStateView view;
    MrgCandidate candidate; /* zone and preference; the rest is the caller's */
} MrgStanding;

/* Reads it; address is NULL where it is not known, and then no domain's account is read;
 * message as for mrg_store_load().  Prints what is wrong; EX_DATAERR: what is recorded of
 * this person cannot be read. */
int mrg_people_standing(MrgPeople *people, const MrgPersonKey *person, const char *address,
                        const MrgMessageKey *message, MrgStanding *standing);

/* What a profile says in a field, as text; NULL for nothing. */
const char *mrg_people_text(const MrgField *field, MrgArena *arena);

/* A key in hex, as mrg_key_print() writes it; FALSE where the text is none. */
gboolean mrg_key_parse(const char *text, MrgPersonKey *key);
/* The person of an address, or of a key in hex as 'suppress list' prints it. */
int mrg_people_find_key(MrgPeople *people, const char *text, MrgPersonKey *key);

/* One person's rows of the ledger, or a profile, through the store's import. */
int mrg_people_write(MrgPeople *people, const MrgProfile *profile);

/* Prints and frees. */
void mrg_print_json(json_t *json);

/* Adds the bytes as a text, or as NAME_base64 where they are no UTF-8. */
void mrg_json_set_bytes(json_t *object, const char *name, const char *bytes, gsize length);

/* "2026-11-23T22:55:00Z"; the caller frees. */
char *mrg_print_time(gint64 at_us);

/* The whole of a file, or of stdin for "-"; at most limit bytes. */
gboolean mrg_read_file(const char *path, gsize limit, char **text, gsize *length,
                       GError **error);

#endif
