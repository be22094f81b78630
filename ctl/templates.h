/* SPDX-License-Identifier: Apache-2.0 */
/*
 * templates: what the verbs that compile templates share: their options, and how they say
 * what is wrong: FILE:LINE:COLUMN, then the line itself and a caret.
 */
#ifndef MRG_CTL_TEMPLATES_H
#define MRG_CTL_TEMPLATES_H

#include "ctl/verb.h"
#include "milter/blocks.h"

#define MRG_TEMPLATE_BYTES_MAX (16 * 1024 * 1024)

typedef struct MrgTemplateArgs {
    char *dialect_name, *schema_path, *partials_path, *map_path;
    char **option_names;
    gboolean is_strict;
    /* read by mrg_template_args_read() */
    MrgDialect dialect;
    MrgArena *arena;
    const MrgSchema *schema;
    MrgBlocks *blocks;
    MrgCompileOptions options;
} MrgTemplateArgs;

/* Rows for an array of GOptionEntry. */
#define MRG_TEMPLATE_ENTRIES(args)                                                     \
    {"dialect",                                                                        \
     0,                                                                                \
     0,                                                                                \
     G_OPTION_ARG_STRING,                                                              \
     &(args)->dialect_name,                                                            \
     "handlebars (default), mustache or tokens",                                       \
     "NAME"},                                                                          \
        {"schema",                                                                     \
         0,                                                                            \
         0,                                                                            \
         G_OPTION_ARG_FILENAME,                                                        \
         &(args)->schema_path,                                                         \
         "declared fields, for tokens such as {FirstName}",                            \
         "FILE"},                                                                      \
        {"partials",                                                                   \
         0,                                                                            \
         0,                                                                            \
         G_OPTION_ARG_FILENAME,                                                        \
         &(args)->partials_path,                                                       \
         "folder of blocks: NAME.hbs is {{> NAME}}",                                   \
         "DIR"},                                                                       \
        {"map",                                                                        \
         0,                                                                            \
         0,                                                                            \
         G_OPTION_ARG_FILENAME,                                                        \
         &(args)->map_path,                                                            \
         "block map, which {{block_for \"slot\"}} goes by",                            \
         "FILE"},                                                                      \
        {"strict",                                                                     \
         0,                                                                            \
         0,                                                                            \
         G_OPTION_ARG_NONE,                                                            \
         &(args)->is_strict,                                                           \
         "a name without a value is an error",                                         \
         NULL},                                                                        \
    {                                                                                  \
        "option", 0, 0, G_OPTION_ARG_STRING_ARRAY, &(args)->option_names,              \
            "compile option of handlebars.js, such as compat; may be repeated", "NAME" \
    }

/* What was not asked for comes from the configuration. */
void mrg_template_args_default(MrgTemplateArgs *args, const MrgConf *conf);

/* EX_OK, or the exit code after the message was printed; clear either way. */
int mrg_template_args_read(MrgTemplateArgs *args);
void mrg_template_args_clear(MrgTemplateArgs *args);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MrgTemplateArgs, mrg_template_args_clear)

/* Something to say about a place. */
typedef struct MrgFinding {
    gboolean is_error;  /* else a warning */
    const char *where;  /* "welcome.hbs", "mail.eml: part text/html" */
    guint line, column; /* 0: about the whole */
    const char *message;
    const char *text; /* that the line is shown of, or NULL */
    gsize length;
} MrgFinding;

/* To stderr. */
void mrg_finding_print(const MrgFinding *finding);
json_t *mrg_finding_json(const MrgFinding *finding);

/* Takes "NAME:LINE:COLUMN: message" apart; FALSE where it has no such form.  The caller
 * frees name; *message points into text. */
gboolean mrg_position_parse(const char *text, char **name, guint *line, guint *column,
                            const char **message);

/* An error of compiling or running one template file; finds the text of a partial, too. */
void mrg_template_error_print(const MrgTemplateArgs *args, const GError *error,
                              const MrgTemplate *template);

/* The same as a finding for each template in question; where is for the caller to free. */
void mrg_template_error_find(const MrgTemplateArgs *args, const GError *error,
                             const MrgTemplate *templates, gsize n_templates,
                             const char *prefix, MrgFinding *finding, char **where);

#endif
