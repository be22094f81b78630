/* SPDX-License-Identifier: Apache-2.0 */
/*
 * join: what a Postfix needs to pass campaigns through Merganser, and what it had before.
 *
 * The fragments of conf/postfix are compiled in; they are filled in with the paths and
 * names of merganser.conf, compared with a snapshot, and become a list of changes.  What
 * was changed is kept in a file beside main.cf, and taken back from it.
 *
 * OWNERSHIP  a list of changes owns its texts; a request borrows.
 * ERRORS     MRG_ERROR_CONFIG, with the next step.
 */
#ifndef MRG_JOIN_H
#define MRG_JOIN_H

#include "ctl/postfix.h"

typedef enum { MRG_SHAPE_SPLIT = 1, MRG_SHAPE_DIRECT = 2 } MrgShape;

typedef enum {
    MRG_CHANGE_FILE,    /* name is its path, the values its content */
    MRG_CHANGE_SETTING, /* of main.cf */
    MRG_CHANGE_SERVICE, /* a line of master.cf, for service */
    MRG_CHANGE_OPTION   /* -o name, of service */
} MrgChangeKind;

typedef struct MrgChange {
    MrgChangeKind kind;
    char *service, *name; /* "" where the kind has none */
    char *before, *after; /* NULL: not there */
    guint shapes;         /* whose it is, in a record */
} MrgChange;

typedef struct MrgJoin {
    const MrgPostfix *postfix; /* NULL: for the texts alone */
    const char *directory;     /* of the Postfix */
    MrgShape shape;
    const char *const *doors; /* names of submission services; NULL: the usual ones */
    guint port;               /* of the new service; 0: the usual one */
    const char *socket;       /* of merganser.conf */
    const char *const *merge_daemons;
    const char *const *check_daemons;
    const GPtrArray *records; /* from mrg_undo_read(), or NULL */
    GPtrArray *notes;         /* filled: what a person should know */
} MrgJoin;

/* MAIN, MASTER or CHECKS of the shape, filled in, with their comments; the caller frees. */
typedef enum { MRG_FRAGMENT_MAIN, MRG_FRAGMENT_MASTER, MRG_FRAGMENT_CHECKS } MrgFragment;
char *mrg_join_text(const MrgJoin *join, MrgFragment which, GError **error);

/* Everything that the shape needs; before equals after where it is so already. */
GPtrArray *mrg_join_plan(const MrgJoin *join, GError **error);

/* A list of changes. */
GPtrArray *mrg_changes_new(void);
MrgChange *mrg_changes_add(GPtrArray *changes, MrgChangeKind kind, const char *service,
                           const char *name, const char *before, const char *after);
gboolean mrg_change_is_real(const MrgChange *change);
const char *mrg_change_kind_name(MrgChangeKind kind);

/* Does them by postconf; undoing goes the other way round. */
gboolean mrg_changes_apply(const GPtrArray *changes, const MrgPostfix *postfix,
                           gboolean is_undoing, GError **error);

/* ---- what was before ---- */

/* Records of earlier changes, none where there is no file. */
GPtrArray *mrg_undo_read(const char *directory, GError **error);
gboolean mrg_undo_write(const char *directory, const GPtrArray *records, GError **error);

/* Adds what the changes do to the records. */
void mrg_undo_note(GPtrArray *records, const GPtrArray *changes, MrgShape shape);

/* A running Postfix reads master.cf when it reloads; what its services name, settings of
 * main.cf and the table, each new process of theirs reads.  So the latter goes after that.
 */
typedef enum { MRG_UNDO_SERVICES, MRG_UNDO_NAMED } MrgUndoPart;

/* The changes that take a part of the shapes back; what nobody needs any more leaves the
 * records.  What was changed by others since stays, with a note. */
GPtrArray *mrg_undo_plan(GPtrArray *records, guint shapes, MrgUndoPart part,
                         const MrgPostfix *postfix, GPtrArray *notes);

/* The fragments, line by line; made from conf/postfix. */
extern const char *const mrg_fragment_main_cf_split[],
    *const mrg_fragment_main_cf_direct[], *const mrg_fragment_master_cf_split[],
                                              *const mrg_fragment_master_cf_direct[],
                                                  *const mrg_fragment_header_checks[];

#endif
