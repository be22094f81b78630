/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postfix: what a Postfix is configured to do, as postconf(1) tells it.
 *
 * A snapshot holds main.cf with its defaults and the services of master.cf, each value as
 * it is written and with its $names expanded.  The parsers take any text: what makes no
 * sense is left out, and no value is trusted to be well formed.
 *
 * OWNERSHIP  a snapshot owns what it returns, unless a function says otherwise.
 * THREADS    one.
 * ERRORS     MRG_ERROR_CONFIG: postconf refuses, or says more than it may; G_SPAWN_ERROR:
 * it is not there.
 */
#ifndef MRG_POSTFIX_H
#define MRG_POSTFIX_H

#include <glib.h>

/* Most bytes that a program is let say. */
#define MRG_POSTCONF_OUTPUT_MAX (4u << 20)

typedef struct MrgService {
    char *key;                      /* "submission/inet" */
    char *name, *type;              /* "submission", "inet" */
    char *head;                     /* the eight columns, "smtpd" the last */
    char *chroot, *limit, *command; /* three of them */
    GPtrArray *arguments;           /* the rest: "-o", "NAME=VALUE" or "{NAME=VALUE}" */
    GHashTable *options;            /* -o by name, as written; the last one counts */
    GHashTable *expanded;
} MrgService;

typedef struct MrgPostfix {
    char *directory;      /* absolute; NULL where it was parsed from texts */
    GHashTable *own;      /* what main.cf says, as written, used or not */
    GHashTable *expanded; /* that and all defaults */
    GPtrArray *services;  /* MrgService */
} MrgPostfix;

/* What a snapshot is made from: the output of postconf with each of these. */
typedef struct MrgPostconfTexts {
    char *own;               /* -n */
    char *expanded;          /* -x */
    char *services;          /* -M */
    char *expanded_services; /* -Mx */
} MrgPostconfTexts;

MrgPostfix *mrg_postfix_parse(const MrgPostconfTexts *texts);

/* The same from the Postfix in directory, or from the machine's own for NULL. */
MrgPostfix *mrg_postfix_read(const char *directory, GError **error);
void mrg_postfix_free(MrgPostfix *postfix);

/* NULL where there is none; "" is a value. */
const MrgService *mrg_postfix_service(const MrgPostfix *postfix, const char *key);
const char *mrg_postfix_own(const MrgPostfix *postfix, const char *name);

/* What counts for a service: its own -o, else main.cf, expanded; never NULL. */
const char *mrg_postfix_effective(const MrgPostfix *postfix, const MrgService *service,
                                  const char *name);
gboolean mrg_postfix_is_chrooted(const MrgPostfix *postfix, const MrgService *service);

/* Most processes of the service at a time; G_MAXUINT for no limit. */
guint mrg_postfix_process_limit(const MrgPostfix *postfix, const MrgService *service);

/* A service from a line of master.cf; NULL where it is none, or ends within braces or
 * after -o.  The caller frees. */
MrgService *mrg_service_parse(const char *line);
void mrg_service_free(MrgService *service);

/* The line with the options set (NULL: taken away); the caller frees. */
char *mrg_service_line(const MrgService *service, GHashTable *changes);

/* "-o name=value", in braces where it needs them; the caller frees. */
char *mrg_service_option(const char *name, const char *value);

/* The lines of a file of Postfix without comments, continuations joined; the caller frees.
 */
GPtrArray *mrg_postfix_lines(const char *text);

/* Splits at commas and white space outside of braces; the caller frees. */
GStrv mrg_postfix_list(const char *text);

/* Whether each brace of a value has its other half: else what follows would be within. */
gboolean mrg_postfix_is_closed(const char *text);

/* ---- milters ---- */

/* Where a milter listens. */
typedef struct MrgPlace {
    char *path;        /* absolute, or NULL */
    char *host, *port; /* host is "" for all */
} MrgPlace;

/* As merganser.conf writes it: unix:/PATH, inet:PORT@HOST; FALSE where it is neither. */
gboolean mrg_place_from_conf(MrgPlace *place, const char *socket);

/* As Postfix writes it: unix:PATH, inet:HOST:PORT, { ADDRESS, NAME=VALUE... }, and seen
 * from where it runs: root is its queue directory. */
gboolean mrg_place_from_milter(MrgPlace *place, const char *milter, const char *root,
                               gboolean is_chrooted);
gboolean mrg_place_equal(const MrgPlace *a, const MrgPlace *b);
void mrg_place_clear(MrgPlace *place);

/* How Postfix, whose queue directory is root, writes it; the caller frees. */
char *mrg_place_print(const MrgPlace *place, const char *root);

/* The address in an element of smtpd_milters; the caller frees. */
char *mrg_milter_address(const char *milter);

/* NAME=VALUE in its braces, or NULL; the caller frees. */
char *mrg_milter_attribute(const char *milter, const char *name);

/* ---- programs ---- */

/* Runs a program of Postfix without a shell and returns what it printed, at most
 * MRG_POSTCONF_OUTPUT_MAX bytes; NULL when it failed, with what it said. */
char *mrg_postfix_run(const char *program, const char *directory,
                      const char *const *arguments, GError **error);

/* The same with output of any length, passed on in pieces as it comes; what visit says
 * FALSE to, or is silent for too long, is ended and failed. */
typedef gboolean (*MrgOutputVisit)(const char *piece, gsize length, gpointer context);
gboolean mrg_postfix_run_through(const char *program, const char *directory,
                                 const char *const *arguments, MrgOutputVisit visit,
                                 gpointer context, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgPostfix, mrg_postfix_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgService, mrg_service_free)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MrgPlace, mrg_place_clear)

#endif
