/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preview: the bytes that would leave for some people, through the same pipeline as the
 * daemon's, without a commit and with tokens that mean nothing.
 */
#include "config.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <fcntl.h>
#include <unistd.h>

#include "ctl/advice.h"
#include "ctl/clip.h"
#include "ctl/preview.h"

#define PEOPLE_MAX 1000
#define PAGE_PEOPLE_MAX 200

typedef struct Options {
    char **to;
    char *profiles, *output;
    int all;
    gboolean is_page, may_replace;
} Options;

/* What is shown, and how. */
typedef struct Show {
    const MrgTool *tool;
    const MrgRehearsal *rehearsal;
    const Options *options;
    const GPtrArray *scenes;
    const GArray *advice; /* about the message, whoever gets it */
} Show;

/* ---- who --------------------------------------------------------------- */

static gboolean
add_address(const char *address, gpointer context)
{
    g_ptr_array_add(context, g_strdup(address));
    return TRUE;
}

static int
check_options(const MrgTool *tool, const Options *options)
{
    if (!options->to && !options->all && !options->profiles)
        return mrg_verb_usage("whose mail? --to ADDRESS, --all N or --profile FILE is "
                              "missing");
    if (options->to && options->all)
        return mrg_verb_usage("--to and --all do not go together");
    if (options->all < 0 || options->all > PEOPLE_MAX)
        return mrg_verb_usage("--all takes a number from 1 to %d", PEOPLE_MAX);
    if (options->is_page && tool->is_json)
        return mrg_verb_usage("--html and --json do not go together");
    if (options->may_replace && !options->output)
        return mrg_verb_usage("--force is for what -o names");
    return EX_OK;
}

/* Whose mail is asked for, in the order given; those of a file are put into the store. */
static int
find_people(const MrgRehearsal *rehearsal, const Options *options, GPtrArray *people)
{
    g_autoptr(GError) error = NULL;
    gsize limit = options->all ? (gsize) options->all : PEOPLE_MAX;
    g_autoptr(GPtrArray) filed = g_ptr_array_new_with_free_func(g_free);
    int code =
        options->profiles ? mrg_profiles_take(rehearsal, options->profiles, filed) : EX_OK;
    if (code)
        return code;
    for (char **to = options->to; to && *to; to++)
        add_address(*to, people);
    if (!options->to)
        for (guint i = 0; i < filed->len && i < limit; i++)
            add_address(g_ptr_array_index(filed, i), people);
    if (!options->to && !options->profiles &&
        !mrg_store_list(rehearsal->store, limit, add_address, people, &error)) {
        code = mrg_verb_fail(error);
        g_printerr("merganser: name people with --to, or give some with --profile\n");
        return code;
    }
    if (people->len)
        return EX_OK;
    g_printerr("merganser: %s\n",
               options->profiles
                   ? "there is nobody in the file"
                   : "there is nobody in the store; 'merganser profile import' takes "
                     "people in, --profile FILE shows some without");
    return EX_DATAERR;
}

/* ---- warnings ----------------------------------------------------------- */

/* "warnings" are those of the message and then this copy's own. */
static void
set_warnings(json_t *json, const Show *show, const MrgScene *scene)
{
    gsize n = mrg_clip_scene_bytes(scene);
    g_autofree char *clip = mrg_clip_scene_warning(show->rehearsal->conf, n);
    json_t *warnings = json_array();
    const MrgFinding own = {.where = "subject", .message = mrg_advice_of_copy(scene)};
    for (guint i = 0; i < show->advice->len; i++)
        json_array_append_new(
            warnings, mrg_finding_json(&g_array_index(show->advice, MrgFinding, i)));
    if (own.message)
        json_array_append_new(warnings, mrg_finding_json(&own));
    json_object_set_new(json, "warnings", warnings);
    if (n)
        json_object_set_new(json, "html_bytes", json_integer((json_int_t) n));
    if (clip)
        json_object_set_new(json, "warning", json_string(clip));
}

static void
warn_of_message(const Show *show)
{
    for (guint i = 0; i < show->advice->len; i++)
        mrg_finding_print(&g_array_index(show->advice, MrgFinding, i));
}

static void
warn_of_copy(const Show *show, const MrgScene *scene)
{
    g_autofree char *clip =
        mrg_clip_scene_warning(show->rehearsal->conf, mrg_clip_scene_bytes(scene));
    const char *own = mrg_advice_of_copy(scene);
    if (own)
        g_printerr("merganser: warning: %s: %s\n", scene->address, own);
    if (clip)
        g_printerr("merganser: warning: %s: %s\n", scene->address, clip);
}

/* ---- files ------------------------------------------------------------- */

char *
mrg_preview_file_name(const MrgScene *scene)
{
    static const char safe[] = G_CSET_a_2_z G_CSET_DIGITS "@.+-_";
    const char *address = scene->merge.person.address;
    if (!address)
        return g_strdup("malformed.eml");
    if (*address != '.' && *address != '-' && strlen(address) <= 200 &&
        !address[strspn(address, safe)])
        return g_strconcat(address, ".eml", NULL);
    g_autofree char *name = g_strcanon(g_strndup(address, 100), safe, '_');
    if (*name == '.' || *name == '-')
        *name = '_';
    return g_strconcat(name, "=", scene->merge.person.pseudonym, ".eml", NULL);
}

static int
fail_file(const char *path, int error)
{
    g_printerr("merganser: %s: cannot be written: %s%s\n", path, g_strerror(error),
               error == EEXIST ? "; --force replaces it" : "");
    return EX_CANTCREAT;
}

/* Written under another name beside it and then put in its place in one step: link() finds
 * the name taken where rename() would replace. */
int
mrg_preview_write(const char *path, const char *bytes, gsize length, gboolean may_replace)
{
    g_autofree char *other = g_strconcat(path, ".XXXXXX", NULL);
    int fd = g_mkstemp_full(other, O_WRONLY | O_CLOEXEC, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file)
        return fail_file(path, errno);
    gboolean is_written = fwrite(bytes, 1, length, file) == length;
    is_written &= fclose(file) == 0;
    int saved = errno;
    if (is_written) {
        is_written = (may_replace ? g_rename(other, path) : link(other, path)) == 0;
        saved = errno;
    }
    if (!is_written || !may_replace)
        g_unlink(other);
    return is_written ? EX_OK : fail_file(path, saved);
}

static int
write_copies(const Show *show)
{
    const Options *options = show->options;
    const GPtrArray *scenes = show->scenes;
    json_t *list = show->tool->is_json ? json_array() : NULL;
    int code = EX_OK;
    if (!list)
        warn_of_message(show);
    if (g_mkdir(options->output, 0700) < 0 && errno != EEXIST)
        code = fail_file(options->output, errno);
    for (guint i = 0; !code && i < scenes->len; i++) {
        const MrgScene *scene = g_ptr_array_index(scenes, i);
        g_autofree char *name = mrg_preview_file_name(scene);
        g_autofree char *path = g_build_filename(options->output, name, NULL);
        if (scene->is_out)
            code = mrg_preview_write(path, scene->message.data, scene->message.length,
                                     options->may_replace);
        if (code)
            break;
        const char *verdict = mrg_scene_verdict(scene);
        if (list) {
            json_t *json = json_pack("{s:s,s:s,s:s,s:s?}", "to", scene->address, "verdict",
                                     verdict, "reason", scene->merge.reason, "file",
                                     scene->is_out ? path : NULL);
            set_warnings(json, show, scene);
            json_array_append_new(list, json);
            continue;
        }
        g_print("%-7s  %s  %s\n", verdict, scene->is_out ? path : scene->address,
                scene->merge.reason);
        warn_of_copy(show, scene);
    }
    if (list && !code)
        mrg_print_json(list);
    else
        json_decref(list);
    return code;
}

static int
write_page(const Show *show)
{
    const Options *options = show->options;
    g_autoptr(GString) page = mrg_preview_page(show->rehearsal, show->scenes, show->advice);
    if (options->output)
        return mrg_preview_write(options->output, page->str, page->len,
                                 options->may_replace);
    fwrite(page->str, 1, page->len, stdout);
    return EX_OK;
}

/* ---- what is printed --------------------------------------------------- */

static json_t *
scene_json(const Show *show, const MrgScene *scene)
{
    json_t *result =
        json_pack("{s:s,s:s,s:s,s:s?,s:o}", "to", scene->address, "verdict",
                  mrg_scene_verdict(scene), "reason", scene->merge.reason, "stamps",
                  scene->merge.stamps, "microseconds", mrg_scene_times(scene));
    set_warnings(result, show, scene);
    if (scene->is_out)
        mrg_json_set_bytes(result, "message", scene->message.data, scene->message.length);
    return result;
}

static int
print_json(const Show *show, gboolean is_list)
{
    const GPtrArray *scenes = show->scenes;
    json_t *list = json_array();
    if (!is_list) {
        json_decref(list);
        mrg_print_json(scene_json(show, g_ptr_array_index(scenes, 0)));
        return EX_OK;
    }
    for (guint i = 0; i < scenes->len; i++)
        json_array_append_new(list, scene_json(show, g_ptr_array_index(scenes, i)));
    mrg_print_json(list);
    return EX_OK;
}

static void
print_copy(const Show *show, const MrgScene *scene)
{
    warn_of_message(show);
    warn_of_copy(show, scene);
    if (scene->is_out)
        fwrite(scene->message.data, 1, scene->message.length, stdout);
    else
        g_printerr("merganser: %s (%s): nothing would be sent\n", mrg_scene_verdict(scene),
                   scene->merge.reason);
}

/* The worst of them: refused, then to be tried again. */
static int
verdict_code(const GPtrArray *scenes)
{
    int worst = EX_OK;
    for (guint i = 0; i < scenes->len; i++) {
        int code = mrg_scene_code(g_ptr_array_index(scenes, i));
        if (code && worst != EX_DATAERR)
            worst = code;
    }
    return worst;
}

static int
print_show(const Show *show)
{
    const Options *options = show->options;
    gboolean is_one = options->to && show->scenes->len == 1;
    int code = EX_OK;
    if (options->is_page)
        code = write_page(show);
    else if (options->output)
        code = write_copies(show);
    else if (show->tool->is_json)
        return print_json(show, !is_one);
    else
        print_copy(show, g_ptr_array_index(show->scenes, 0));
    return code ? code : verdict_code(show->scenes);
}

static int
show_people(const MrgTool *tool, const MrgRehearsal *rehearsal, const Options *options,
            const GPtrArray *people)
{
    if (options->is_page && people->len > PAGE_PEOPLE_MAX)
        return mrg_verb_usage("a page holds %d people at most: choose with --all N or --to",
                              PAGE_PEOPLE_MAX);
    if (people->len > 1 && !options->is_page && !options->output && !tool->is_json)
        return mrg_verb_usage("the mails of %u people need -o DIR, --html or --json",
                              people->len);
    g_autoptr(MrgArena) arena = mrg_arena_new();
    g_autoptr(GPtrArray) scenes =
        g_ptr_array_new_with_free_func((GDestroyNotify) mrg_scene_free);
    for (guint i = 0; i < people->len; i++)
        g_ptr_array_add(scenes, mrg_scene_new(rehearsal, g_ptr_array_index(people, i),
                                              MRG_MODE_PREVIEW));
    g_autoptr(GArray) advice =
        mrg_advice_rehearse(rehearsal, g_ptr_array_index(scenes, 0), arena);
    const Show show = {tool, rehearsal, options, scenes, advice};
    return print_show(&show);
}

static void
options_clear(Options *options)
{
    g_strfreev(options->to);
    g_free(options->profiles);
    g_free(options->output);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

int
mrg_verb_preview(MrgTool *tool, int argc, char **argv)
{
    g_auto(Options) options = {0};
    const GOptionEntry entries[] = {
        {"to", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options.to,
         "the recipient; may be repeated", "ADDRESS"},
        {"all", 0, 0, G_OPTION_ARG_INT, &options.all,
         "the first N people of the store, or of the file", "N"},
        {"profile", 0, 0, G_OPTION_ARG_FILENAME, &options.profiles,
         "people from a file as import reads it; the store is not asked", "FILE"},
        {"output", 'o', 0, G_OPTION_ARG_FILENAME, &options.output,
         "write a file for each into this folder, or the page to this file", "PATH"},
        {"html", 0, 0, G_OPTION_ARG_NONE, &options.is_page,
         "one page with all of them side by side", NULL},
        {"force", 0, 0, G_OPTION_ARG_NONE, &options.may_replace,
         "replace files that are there", NULL},
        {0}};
    g_auto(MrgRehearsal) rehearsal = {0};
    int code = mrg_verb_parse(tool, &argc, &argv, entries, 1);
    if (!code)
        code = check_options(tool, &options);
    if (!code)
        code = mrg_rehearsal_open(&rehearsal, tool, argv[1],
                                  options.profiles ? MRG_PEOPLE_FILED : MRG_PEOPLE_STORED);
    g_autoptr(GPtrArray) people = g_ptr_array_new_with_free_func(g_free);
    if (!code)
        code = find_people(&rehearsal, &options, people);
    return code ? code : show_people(tool, &rehearsal, &options, people);
}
