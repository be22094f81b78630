/* SPDX-License-Identifier: Apache-2.0 */
/*
 * render: how fast templates render, in a form that a harness can set beside other engines.
 *
 *   render --harness             a JSON line per template: html.hbs, text.hbs
 *   render --harness --dump PATH the first 200 outputs, to PATH.html and PATH.text
 *   render --compile             compilations of html.hbs
 *   render --json                from a profile's JSON text to output, and JSON alone
 *   render --allocations         calls of malloc per render, after warming up
 *
 * Reads html.hbs, text.hbs and profiles.ndjson from $BENCH_BUILD (default: build); runs for
 * at least $SEC seconds (1) and 10,000 renders.
 */
#include "config.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "milter/json.h"
#include "render/render.h"

#define PROFILES_MAX 1000
#define RENDERS_MIN 10000
#define DUMPED 200
#define BATCH 200
#define OUTPUT_MAX (16 * 1024 * 1024)

typedef struct Bench {
    const char *kind; /* html, text */
    char *text;
    gsize length;
    MrgProgram *program;
    MrgValue *slots[PROFILES_MAX];
    MrgArena *arena; /* of one render */
    MrgBuffer out;
} Bench;

static MrgArena *profile_arena;
static char *lines[PROFILES_MAX];
static MrgValue profiles[PROFILES_MAX];
static gsize n_profiles;

static char *
read_input(const char *name, gsize *length)
{
    const char *folder = g_getenv("BENCH_BUILD");
    g_autofree char *path = g_build_filename(folder ? folder : "build", name, NULL);
    g_autoptr(GError) error = NULL;
    char *text = NULL;
    if (!g_file_get_contents(path, &text, length, &error))
        g_error("%s", error->message);
    return text;
}

static void
read_profiles(void)
{
    g_autofree char *all = read_input("profiles.ndjson", NULL);
    g_auto(GStrv) split = g_strsplit(all, "\n", -1);
    profile_arena = mrg_arena_new();
    for (char **line = split; *line && n_profiles < PROFILES_MAX; line++) {
        g_autoptr(GError) error = NULL;
        if (!**line)
            continue;
        if (!mrg_json_read(&profiles[n_profiles], *line, strlen(*line), profile_arena,
                           &error))
            g_error("%s", error->message);
        lines[n_profiles++] = g_strdup(*line);
    }
}

static MrgProgram *
compile(const Bench *bench)
{
    gboolean is_html = g_str_equal(bench->kind, "html");
    const MrgTemplate template = {bench->kind, bench->text, bench->length,
                                  MRG_DIALECT_HANDLEBARS,
                                  is_html ? MRG_ESCAPE_HTML : MRG_ESCAPE_TEXT};
    g_autoptr(GError) error = NULL;
    MrgProgram *program = mrg_program_compile(&template, 1, NULL, &error);
    if (!program)
        g_error("%s", error->message);
    return program;
}

/* What the store's fetch does: the fields by name, once per person. */
static void
fill_slots(MrgValue *slots, const MrgProgram *program, const MrgValue *profile)
{
    gsize n;
    const MrgProgramField *fields = mrg_program_fields(program, &n);
    for (gsize i = 0; i < n; i++)
        slots[i] = *mrg_value_member(profile, fields[i].name, strlen(fields[i].name));
}

static void
bench_init(Bench *bench, const char *kind)
{
    g_autofree char *name = g_strconcat(kind, ".hbs", NULL);
    *bench = (Bench){.kind = kind, .arena = mrg_arena_new()};
    bench->text = read_input(name, &bench->length);
    bench->program = compile(bench);
    mrg_buffer_init(&bench->out, OUTPUT_MAX);
    gsize n;
    mrg_program_fields(bench->program, &n);
    for (gsize i = 0; i < n_profiles; i++) {
        bench->slots[i] = mrg_arena_array(profile_arena, MrgValue, n);
        fill_slots(bench->slots[i], bench->program, &profiles[i]);
    }
}

static void
bench_clear(Bench *bench)
{
    mrg_buffer_clear(&bench->out);
    mrg_arena_free(bench->arena);
    mrg_program_unref(bench->program);
    g_free(bench->text);
}

static void
render_slots(Bench *bench, const MrgValue *slots)
{
    const MrgRenderInput input = {.slots = slots, .arena = bench->arena};
    g_autoptr(GError) error = NULL;
    mrg_buffer_reset(&bench->out);
    if (!mrg_program_run(bench->program, 0, &input, &bench->out, &error))
        g_error("%s", error->message);
}

static gsize
run_render(Bench *bench, gsize i)
{
    mrg_arena_reset(bench->arena);
    render_slots(bench, bench->slots[i]);
    return bench->out.length;
}

static gsize
run_json_and_render(Bench *bench, gsize i)
{
    MrgValue profile;
    gsize n;
    mrg_arena_reset(bench->arena);
    mrg_json_read(&profile, lines[i], strlen(lines[i]), bench->arena, NULL);
    mrg_program_fields(bench->program, &n);
    MrgValue *slots = mrg_arena_array(bench->arena, MrgValue, n);
    fill_slots(slots, bench->program, &profile);
    render_slots(bench, slots);
    return bench->out.length;
}

static gsize
run_json(Bench *bench G_GNUC_UNUSED, gsize i)
{
    gsize length = strlen(lines[i]);
    json_t *json = json_loadb(lines[i], length, 0, NULL);
    json_decref(json);
    return length;
}

static gsize
run_compile(Bench *bench, gsize i G_GNUC_UNUSED)
{
    mrg_program_unref(compile(bench));
    return bench->length;
}

static void
measure(Bench *bench, const char *peer, gsize (*run)(Bench *bench, gsize i))
{
    const char *wanted = g_getenv("SEC");
    gint64 least_us = (gint64) (1e6 * (wanted ? g_ascii_strtod(wanted, NULL) : 1));
    guint64 bytes = 0, n = 0;
    gsize at = 0;
    for (gsize i = 0; i < n_profiles; i++)
        run(bench, i);
    gint64 began_us = g_get_monotonic_time(), took_us;
    do {
        for (int i = 0; i < BATCH; i++, n++) {
            bytes += run(bench, at);
            at = at + 1 == n_profiles ? 0 : at + 1;
        }
        took_us = g_get_monotonic_time() - began_us;
    } while (took_us < least_us || n < RENDERS_MIN);
    printf("{\"peer\":\"%s\",\"tpl\":\"%s\",\"run\":0,\"renders\":%" G_GUINT64_FORMAT
           ",\"sec\":%.6f,\"bytes\":%" G_GUINT64_FORMAT "}\n",
           peer, bench->kind, n, (double) took_us / 1e6, bytes);
    fflush(stdout);
}

static void
dump(Bench *bench, const char *path)
{
    g_autofree char *name = g_strdup_printf("%s.%s", path, bench->kind);
    FILE *file = fopen(name, "wbe");
    if (!file)
        g_error("%s cannot be written", name);
    for (gsize i = 0; i < MIN(DUMPED, n_profiles); i++) {
        run_render(bench, i);
        fwrite(bench->out.data, 1, bench->out.length, file);
        fputs("\n\f\n", file);
    }
    fclose(file);
}

static void
harness(const char *dump_path)
{
    static const char *const kinds[] = {"html", "text"};
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
        Bench bench;
        bench_init(&bench, kinds[i]);
        if (dump_path)
            dump(&bench, dump_path);
        else
            measure(&bench, "merganser", run_render);
        bench_clear(&bench);
    }
}

/* glibc's entry points: what the program itself defines is called instead of them, by GLib
 * too, so that every allocation is counted. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *block, size_t size);

static gsize n_allocations;

void *
malloc(size_t size)
{
    n_allocations++;
    return __libc_malloc(size);
}

void *
calloc(size_t n, size_t size)
{
    n_allocations++;
    return __libc_calloc(n, size);
}

void *
realloc(void *block, size_t size)
{
    n_allocations++;
    return __libc_realloc(block, size);
}

static void
count_allocations(void)
{
    Bench bench;
    bench_init(&bench, "html");
    for (gsize i = 0; i < n_profiles; i++)
        run_render(&bench, i);
    gsize before = n_allocations;
    for (gsize i = 0; i < n_profiles; i++)
        run_render(&bench, i);
    printf("{\"renders\":%" G_GSIZE_FORMAT ",\"allocations\":%" G_GSIZE_FORMAT "}\n",
           n_profiles, n_allocations - before);
    bench_clear(&bench);
}

static void
measure_one(const char *peer, gsize (*run)(Bench *bench, gsize i))
{
    Bench bench;
    bench_init(&bench, "html");
    measure(&bench, peer, run);
    bench_clear(&bench);
}

int
main(int argc, char **argv)
{
    gboolean is_harness = FALSE, is_compile = FALSE, is_json = FALSE, is_count = FALSE;
    g_autofree char *dump_path = NULL;
    const GOptionEntry entries[] = {
        {"harness", 0, 0, G_OPTION_ARG_NONE, &is_harness, "a line per template", NULL},
        {"dump", 0, 0, G_OPTION_ARG_FILENAME, &dump_path, "outputs instead", "PATH"},
        {"compile", 0, 0, G_OPTION_ARG_NONE, &is_compile, "time compiling", NULL},
        {"json", 0, 0, G_OPTION_ARG_NONE, &is_json, "time JSON text to output", NULL},
        {"allocations", 0, 0, G_OPTION_ARG_NONE, &is_count, "count allocations", NULL},
        {0}};
    g_autoptr(GOptionContext) options = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;
    g_option_context_add_main_entries(options, entries, NULL);
    if (!g_option_context_parse(options, &argc, &argv, &error))
        g_error("%s", error->message);
    read_profiles();
    if (is_harness)
        harness(dump_path);
    if (is_compile)
        measure_one("merganser compile", run_compile);
    if (is_json) {
        measure_one("jansson alone", run_json);
        measure_one("merganser from JSON", run_json_and_render);
    }
    if (is_count)
        count_allocations();
    for (gsize i = 0; i < n_profiles; i++)
        g_free(lines[i]);
    mrg_arena_free(profile_arena);
    return 0;
}
