/* SPDX-License-Identifier: Apache-2.0 */
/*
 * render: templates in, programs out; values in, text out.
 *
 * No mail, no I/O and no clock but the one passed in.  All templates of one
 * message (subject, headers, parts) compile into one program, which knows the
 * fields that any of them reads; the caller fetches just these, puts them
 * into slots in the same order, and runs template after template.
 *
 * OWNERSHIP  a program is immutable and reference-counted; it copies what it
 *            needs from the template texts.
 * THREADS    a program may run in any number of threads at once, each with an
 *            input, an arena and an output of its own.
 * ERRORS     GError of MRG_RENDER_ERROR; the message begins with the position,
 *            "part text/html:12:5: {{#if}} is not closed"; line and column count
 *            from 1, the column in bytes.  No value ever stands in a message.
 * BOUNDS     render/limits.h; hitting one is an error, never a truncated text.
 */
#ifndef MRG_RENDER_H
#define MRG_RENDER_H

#include <glib.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/value.h"
#include "render/marks.h"

#define MRG_RENDER_ERROR (mrg_render_error_quark())
GQuark mrg_render_error_quark(void);

typedef enum {
    MRG_RENDER_ERROR_SYNTAX,         /* the template is not well formed */
    MRG_RENDER_ERROR_UNKNOWN_HELPER, /* the message names the nearest */
    MRG_RENDER_ERROR_MARKER,         /* a template marker would be left in the text */
    MRG_RENDER_ERROR_LIMIT,          /* steps, depth, size */
    MRG_RENDER_ERROR_VALUE,          /* a helper refused this person's values */
    MRG_RENDER_ERROR_REQUIRED,       /* this person lacks a value: {{required code}} */
    MRG_RENDER_ERROR_ABORT           /* no mail for this person: {{abort "reason"}} */
} MrgRenderError;
#define MRG_RENDER_ERROR_LAST MRG_RENDER_ERROR_ABORT

typedef enum {
    MRG_DIALECT_HANDLEBARS,
    MRG_DIALECT_TOKENS,
    MRG_DIALECT_MUSTACHE
} MrgDialect;

/* FALSE when there is no dialect of that name. */
gboolean mrg_dialect_parse(const char *name, MrgDialect *dialect);

/* "handlebars, ...", for messages. */
const char *mrg_dialect_names(void);

/* Where the text goes decides how values are escaped. */
typedef enum {
    MRG_ESCAPE_HTML,  /* & < > " ' ` = become entities, as in handlebars.js */
    MRG_ESCAPE_TEXT,  /* as it is */
    MRG_ESCAPE_HEADER /* control characters, so also CR, LF and NUL, become a space */
} MrgEscape;

typedef struct MrgTemplate {
    const char *name; /* stands in error positions: "subject", "part text/html" */
    const char *text; /* UTF-8 */
    gsize length;
    MrgDialect dialect;
    MrgEscape escape;
} MrgTemplate;

typedef struct MrgProgramField {
    const char *name;     /* NUL-terminated: the first segment of a path */
    const char *template; /* where it is read first */
    guint line, column;
    gboolean has_default; /* every place that reads it brings a fallback */
} MrgProgramField;

typedef struct MrgProgram MrgProgram;

/* Where partials come from; what is given out must live until the compilation ends. */
typedef struct MrgPartialSource {
    const char *(*find)(gpointer context, const char *name, gsize *length); /* or NULL */
    gpointer context;
    const char *const
        *names; /* what an expression may name: {{> (expr)}}; NULL-terminated */
} MrgPartialSource;

/* The block map: which block or text {{block_for "slot"}} gives to whom; render/slots.h
 * describes the text.  name stands in errors.  NULL and an error, or a table. */
typedef struct MrgSlots MrgSlots;
MrgSlots *mrg_slots_parse(const char *name, const char *text, gsize length, GError **error);
void mrg_slots_free(MrgSlots *slots);

/* The compile options of handlebars.js, by these names in lower camel case. */
typedef enum {
    MRG_OPTION_STRICT = 1,             /* a missing name is an error when printed */
    MRG_OPTION_ASSUME_OBJECTS = 2,     /* a missing object is an error when looked into */
    MRG_OPTION_COMPAT = 4,             /* names are looked for in outer contexts, too */
    MRG_OPTION_KNOWN_HELPERS_ONLY = 8, /* a name without arguments is a field, always */
    MRG_OPTION_IGNORE_STANDALONE = 16, /* lines of block tags stay */
    MRG_OPTION_PREVENT_INDENT = 32,    /* partials are not indented */
    MRG_OPTION_EXPLICIT_PARTIAL_CONTEXT = 64, /* a partial sees what it is given only */
    MRG_OPTION_NO_ESCAPE = 128
} MrgOption;

/* FALSE when there is no option of that name. */
gboolean mrg_option_parse(const char *name, MrgOption *option);

/* "strict, compat, ...", for messages. */
const char *mrg_option_names(void);

typedef struct MrgCompileOptions {
    const char *const
        *declared; /* names of single-brace tokens; NULL-terminated, or NULL */
    const MrgPartialSource *partials; /* NULL: there are none */
    const MrgSlots *slots;            /* NULL: there is no block map */
    guint options;                    /* MrgOption */
    const char *const *data;          /* names of the @values a run brings, as declared */
    const MrgMarker *marker;          /* NULL: nothing is marked */
    const struct MrgHelper *helpers;  /* further ones, which win over fields; for tests */
    gsize n_helpers;
} MrgCompileOptions;

/* options may be NULL.  New reference, or NULL and the first error. */
MrgProgram *mrg_program_compile(const MrgTemplate *templates, gsize n_templates,
                                const MrgCompileOptions *options, GError **error);
MrgProgram *mrg_program_ref(MrgProgram *program);
void mrg_program_unref(MrgProgram *program);

/* Whether a text that nobody renders holds "{{", or a single-brace token of a declared
 * name: it must not go out. */
gboolean mrg_text_has_marker(const char *text, gsize length, const char *const *declared);

/* The fields read by any of the templates, each once: slot i holds fields[i].
 * Borrowed from the program. */
const MrgProgramField *mrg_program_fields(const MrgProgram *program, gsize *n_fields);

/* Whether a template may ask for the whole object ({{#each this}}, {{lookup @root key}}),
 * so that what it reads cannot be told from the fields. */
gboolean mrg_program_reads_root(const MrgProgram *program);

/* Whether this template prints the same text for everybody: its own. */
gboolean mrg_program_is_constant(const MrgProgram *program, gsize template_index);

/* The program in readable form, an instruction a line; the caller frees. */
char *mrg_program_disassemble(const MrgProgram *program);

/* What a template may ask of the input beyond its fields. */
gboolean mrg_program_uses_locale(const MrgProgram *program);
gboolean mrg_program_uses_urls(const MrgProgram *program);

/* All but slots and arena may be 0 or NULL. */
typedef struct MrgRenderInput {
    const MrgValue *slots; /* one per field; MISSING where the person has none */
    const MrgValue *root;  /* the whole object, or NULL: then one is made of the slots */
    const MrgValue *data;  /* an object of @values, or NULL */
    gint64 now_us;         /* microseconds since 1970-01-01 UTC */
    MrgArena *arena;       /* scratch; what is made here must outlive the output only */

    /* What helpers fall back to: "de" or "pt-BR", else "en"; an IANA time zone, else UTC.
     * An unknown one counts as none. */
    const char *locale, *timezone;
    /* Bytes that are this person's and campaign's own, for {{hash_pick}}. */
    const guint8 *seed;
    gsize seed_length;
    struct {
        const char *unsubscribe, *preferences, *view;
    } urls;
    MrgLandmarks *marks;        /* appended to; NULL: none are noted */
    guint max_steps;            /* fewer than MRG_LIMIT_STEPS; 0 for as many */
    gboolean may_lack_required; /* {{required}} prints nothing instead of failing */
} MrgRenderInput;

/* Appends the text to out, whose limit bounds it.  On an error out holds a part
 * of the text: throw it away. */
gboolean mrg_program_run(const MrgProgram *program, gsize template_index,
                         const MrgRenderInput *input, MrgBuffer *out, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgProgram, mrg_program_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgSlots, mrg_slots_free)

#endif
