/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rendering: what the tests of render/ share: a template and JSON in, text or
 * error out.
 */
#ifndef MRG_TESTS_RENDERING_H
#define MRG_TESTS_RENDERING_H

#include "render/render.h"

typedef struct RenderingPartial {
    const char *name, *text;
} RenderingPartial;

typedef struct Rendering {
    MrgDialect dialect;
    MrgEscape escape;
    const char *const *declared;
    gboolean has_root;                /* gives the whole object, too */
    gsize limit;                      /* bytes; 0 for 1 MiB */
    guint options;                    /* MrgOption */
    const RenderingPartial *partials; /* up to one without a name; or NULL */
    const MrgSlots *slots;
    const MrgRenderInput *input; /* time, locale, seed, URLs; NULL for none */
} Rendering;

/* The text, or the message of the error behind "error: "; the caller frees. */
char *rendering_run(const Rendering *how, const char *text, gssize length,
                    const char *json);

/* Handlebars into HTML, from the slots alone. */
char *rendering_html(const char *text, const char *json);

/* The same as rendering_run() would run. */
MrgProgram *rendering_compile_with(const Rendering *how, const char *text, GError **error);

/* One handlebars template named "t"; NULL and *error when it does not compile. */
MrgProgram *rendering_compile(const char *text, GError **error);

#define g_assert_renders(text, json, expected)                   \
    do {                                                         \
        g_autofree char *rendered_ = rendering_html(text, json); \
        g_assert_cmpstr(rendered_, ==, expected);                \
    } while (0)

#endif
