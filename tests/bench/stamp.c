/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stamp: what stamping a copy costs beside rendering it.
 *
 *   stamp N [scan|values]
 *
 * Makes a message of $BENCH_BUILD's text.hbs and html.hbs, with 20 links in the HTML, and
 * takes N copies of it through render() and stamp(): pixel, 20 links, one-click
 * unsubscription and report reference.  With scan the HTML is looked through instead of
 * going by the marks of the program, and with values each link holds a value of the person.
 * stamp.py counts the instructions of both.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "milter/json.h"
#include "milter/stamp/chain.h"
#include "render/render.h"

#define LINKS 20
#define PEOPLE_MAX 1000
#define OUTPUT_MAX (16 * 1024 * 1024)

typedef struct Bench {
    MrgEnvelope *envelope;
    MrgLayout *layout;
    MrgKeyring *keyring;
    MrgLinks *links;
    MrgProgram *program;
    const MrgPart *parts;
    gsize n_parts;
    MrgArena *people;
    MrgValue *slots[PEOPLE_MAX];
    gsize n_people;
    MrgArena *arena; /* of one copy */
    MrgBuffer out;
    gsize starts[3];
    MrgLandmarks marks;
    guint64 n_bytes;
    guint tracked;
} Bench;

static char *
read_input(const char *name)
{
    const char *folder = g_getenv("BENCH_BUILD");
    g_autofree char *path = g_build_filename(folder ? folder : "build", name, NULL);
    g_autoptr(GError) error = NULL;
    char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, &error))
        g_error("%s", error->message);
    return text;
}

/* The addresses of the template's links, and further links behind them. */
static GString *
with_links(const char *html, gboolean has_values)
{
    const char *value = has_values ? "?u={{uid}}" : "?u=all";
    GString *out = g_string_new(NULL);
    guint n = 0;
    for (const char *found; (found = strstr(html, "href=\"")); n++) {
        const char *start = found + strlen("href=\"");
        g_string_append_len(out, html, start - html);
        g_string_append_printf(out, "https://shop.example.com/picks/%u%s", n, value);
        html = strchr(start, '"');
    }
    const char *end = strstr(html, "</body>");
    g_string_append_len(out, html, end - html);
    for (; n < LINKS; n++)
        g_string_append_printf(
            out, "<p><a href=\"https://shop.example.com/picks/%u%s\">More</a></p>", n,
            value);
    return g_string_append(out, end);
}

static void
read_message(Bench *bench, gboolean has_values)
{
    static const MrgEnvelopeLimits limits = {100, 1 << 16, 1 << 22, 1};
    g_autofree char *text = read_input("text.hbs");
    g_autofree char *template = read_input("html.hbs");
    g_autoptr(GString) html = with_links(template, has_values);
    g_autoptr(GError) error = NULL;
    g_autofree char *message =
        g_strdup_printf("X-Campaign: bench\nMIME-Version: 1.0\n"
                        "Content-Type: multipart/alternative; boundary=\"=_b\"\n\n"
                        "--=_b\nContent-Type: text/plain; charset=utf-8\n\n%s\n"
                        "--=_b\nContent-Type: text/html; charset=utf-8\n\n%s\n--=_b--\n",
                        text, html->str);
    bench->envelope = mrg_envelope_new(MRG_ROLE_MERGE, "");
    if (!mrg_envelope_read(bench->envelope, &limits, message, strlen(message), &error) ||
        !(bench->layout = mrg_layout_new(bench->envelope, &error)))
        g_error("%s", error->message);
    bench->parts = mrg_layout_parts(bench->layout, &bench->n_parts);
    g_assert(bench->n_parts == 2);
}

static void
compile(Bench *bench)
{
    const MrgUtm utm = {0};
    MrgTemplate templates[2];
    guint32 numbers[LINKS];
    gsize n;
    g_autoptr(GError) error = NULL;
    bench->links = mrg_links_new("https://news.shop.example", &utm);
    for (gsize i = 0; i < bench->n_parts; i++)
        templates[i] = (MrgTemplate){bench->parts[i].name, bench->parts[i].text,
                                     bench->parts[i].length, MRG_DIALECT_HANDLEBARS,
                                     i ? MRG_ESCAPE_HTML : MRG_ESCAPE_TEXT};
    const MrgMarker marker = mrg_links_marker(bench->links);
    const MrgCompileOptions options = {.marker = &marker};
    bench->program = mrg_program_compile(templates, bench->n_parts, &options, &error);
    if (!bench->program)
        g_error("%s", error->message);
    mrg_links_targets(bench->links, &n);
    for (gsize i = 0; i < n; i++)
        numbers[i] = (guint32) i + 1;
    mrg_links_set_numbers(bench->links, numbers);
}

static void
read_people(Bench *bench)
{
    gsize n;
    const MrgProgramField *fields = mrg_program_fields(bench->program, &n);
    g_autofree char *all = read_input("profiles.ndjson");
    g_auto(GStrv) lines = g_strsplit(all, "\n", -1);
    bench->people = mrg_arena_new();
    for (char **line = lines; *line && **line && bench->n_people < PEOPLE_MAX; line++) {
        MrgValue profile;
        g_autoptr(GError) error = NULL;
        if (!mrg_json_read(&profile, *line, strlen(*line), bench->people, &error))
            g_error("%s", error->message);
        MrgValue *slots = mrg_arena_array(bench->people, MrgValue, n);
        for (gsize i = 0; i < n; i++)
            slots[i] = *mrg_value_member(&profile, fields[i].name, strlen(fields[i].name));
        bench->slots[bench->n_people++] = slots;
    }
}

/* Both parts. */
static G_GNUC_NO_INLINE void
render(Bench *bench, gsize person)
{
    const MrgRenderInput input = {
        .slots = bench->slots[person], .arena = bench->arena, .marks = &bench->marks};
    g_autoptr(GError) error = NULL;
    for (gsize i = 0; i < bench->n_parts; i++) {
        bench->starts[i] = bench->out.length;
        if (!mrg_program_run(bench->program, i, &input, &bench->out, &error))
            g_error("%s", error->message);
    }
    bench->starts[bench->n_parts] = bench->out.length;
}

static G_GNUC_NO_INLINE void
stamp(Bench *bench, MrgStampContext *context, MrgRendered *texts, MrgCopy *copy,
      gboolean is_scan)
{
    MrgStampPlaces places[2] = {{NULL, G_MAXSIZE}, {NULL, G_MAXSIZE}};
    const MrgToken token = {.campaign = 1, .message = bench->n_bytes, .at_s = 1};
    MrgSealer sealer;
    mrg_sealer_init(&sealer, bench->keyring, &token);
    context->sealer = &sealer;
    if (!is_scan &&
        !mrg_links_find(bench->links, bench->arena, bench->marks.items, bench->marks.n,
                        bench->starts[1], texts[1].text, texts[1].length, &places[1]))
        g_error("the marks do not tell all");
    context->places = places;
    mrg_stamp_apply(context, bench->layout, texts, copy);
}

static void
make_copy(Bench *bench, gsize person, gboolean is_scan)
{
    const MrgCampaign campaign = {.id = "bench", .class_name = "promo"};
    MrgStampContext context = {.arena = bench->arena,
                               .base_url = "https://news.shop.example",
                               .campaign = &campaign,
                               .links = bench->links,
                               .may_track_open = TRUE,
                               .may_track_click = TRUE};
    MrgRendered texts[2];
    MrgCopy copy;
    mrg_arena_reset(bench->arena);
    mrg_buffer_reset(&bench->out);
    bench->marks = (MrgLandmarks){0};
    render(bench, person);
    for (gsize i = 0; i < bench->n_parts; i++)
        texts[i] = (MrgRendered){TRUE, bench->out.data + bench->starts[i],
                                 bench->starts[i + 1] - bench->starts[i]};
    mrg_copy_init(&copy, OUTPUT_MAX);
    stamp(bench, &context, texts, &copy, is_scan);
    bench->n_bytes += texts[1].length;
    bench->tracked = context.tracked;
    mrg_copy_clear(&copy);
}

int
main(int argc, char **argv)
{
    gboolean is_scan = argc > 2 && g_str_equal(argv[2], "scan");
    gboolean has_values = argc > 2 && g_str_equal(argv[2], "values");
    guint64 n = argc > 1 ? g_ascii_strtoull(argv[1], NULL, 10) : 1000;
    Bench bench = {.arena = mrg_arena_new()};
    mrg_mime_init();
    read_message(&bench, has_values);
    compile(&bench);
    read_people(&bench);
    bench.keyring = mrg_keyring_new_ephemeral(NULL);
    mrg_buffer_init(&bench.out, OUTPUT_MAX);
    for (guint64 i = 0; i < n; i++)
        make_copy(&bench, i % bench.n_people, is_scan);
    printf("{\"copies\":%" G_GUINT64_FORMAT ",\"bytes\":%" G_GUINT64_FORMAT
           ",\"tracked\":%u}\n",
           n, bench.n_bytes / MAX(n, 1), bench.tracked);
    mrg_buffer_clear(&bench.out);
    mrg_keyring_unref(bench.keyring);
    mrg_program_unref(bench.program);
    mrg_links_free(bench.links);
    mrg_layout_unref(bench.layout);
    mrg_envelope_free(bench.envelope);
    mrg_arena_free(bench.people);
    mrg_arena_free(bench.arena);
    return 0;
}
