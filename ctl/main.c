/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <locale.h>
#include <stdarg.h>

#include "ctl/verb.h"
#include "milter/clock.h"
#include "milter/error.h"
#include "milter/nearest.h"

typedef struct Verb {
    const char *name; /* one or two words */
    MrgVerbRun run;
    const char *arguments, *help;
} Verb;

static const Verb verbs[] = {
#define VERB(name, run, arguments, help) {name, run, arguments, help},
#include "ctl/verbs.def"
};

static const Verb *current_verb;

int
mrg_verb_usage(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *what = g_strdup_vprintf(format, args);
    va_end(args);
    g_printerr("merganser: %s; see 'merganser %s --help'\n", what,
               current_verb ? current_verb->name : "");
    return EX_USAGE;
}

int
mrg_verb_fail(const GError *error)
{
    g_printerr("merganser: %s\n", error->message);
    if (error->domain == MRG_STORE_ERROR)
        return error->code == MRG_STORE_ERROR_SETTING   ? EX_CONFIG
               : error->code == MRG_STORE_ERROR_TIMEOUT ? EX_TEMPFAIL
                                                        : EX_UNAVAILABLE;
    if (g_error_matches(error, MRG_ERROR, MRG_ERROR_CONFIG))
        return EX_CONFIG;
    return error->domain == G_FILE_ERROR ? EX_NOINPUT : EX_DATAERR;
}

int
mrg_verb_parse(MrgTool *tool, int *argc, char ***argv, const GOptionEntry *entries,
               int n_arguments)
{
    const GOptionEntry json[] = {
        {"json", 0, 0, G_OPTION_ARG_NONE, &tool->is_json, "print JSON", NULL}, {0}};
    g_autofree char *usage = g_strdup_printf("%s", current_verb->arguments);
    g_autoptr(GOptionContext) options = g_option_context_new(usage);
    g_autoptr(GError) error = NULL;
    g_option_context_set_summary(options, current_verb->help);
    if (entries)
        g_option_context_add_main_entries(options, entries, NULL);
    g_option_context_add_main_entries(options, json, NULL);
    if (!g_option_context_parse(options, argc, argv, &error))
        return mrg_verb_usage("%s", error->message);
    if (n_arguments >= 0 && *argc - 1 != n_arguments)
        return mrg_verb_usage("%s takes %s", current_verb->name,
                              *current_verb->arguments ? current_verb->arguments
                                                       : "no arguments");
    return EX_OK;
}

static int
print_verbs(void)
{
    json_t *list = json_array();
    for (gsize i = 0; i < G_N_ELEMENTS(verbs); i++)
        json_array_append_new(list,
                              json_pack("{s:s,s:s,s:s}", "name", verbs[i].name, "arguments",
                                        verbs[i].arguments, "help", verbs[i].help));
    mrg_print_json(list);
    return EX_OK;
}

int
mrg_verb_help(MrgTool *tool, int argc, char **argv)
{
    int code = current_verb ? mrg_verb_parse(tool, &argc, &argv, NULL, 0) : EX_OK;
    if (code || tool->is_json)
        return code ? code : print_verbs();
    g_print(
        "usage: merganser [-c FILE] VERB [OPTION...] [ARGUMENT...]\n\nMail merge at the "
        "MTA. Verbs:\n\n");
    for (gsize i = 0; i < G_N_ELEMENTS(verbs); i++)
        g_print("  %-19s %s\n", verbs[i].name, verbs[i].help);
    g_print(
        "\n  -c FILE         read FILE instead of " MRG_SYSCONF_DIR "/merganser.conf\n"
        "  --version       print the version\n\n'merganser VERB --help' tells more of one. "
        "Exit codes are those of sysexits(3): 0 done,\n64 wrong usage, 65 bad input, 69 "
        "store away, 75 try later, 78 bad configuration.\n");
    return EX_OK;
}

/* The verb that begins at argv[1]; *words is how many words it has. */
static const Verb *
find_verb(int argc, char **argv, int *words)
{
    g_autofree char *two = g_strconcat(argv[1], " ", argc > 2 ? argv[2] : NULL, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(verbs); i++) {
        gboolean is_pair = strchr(verbs[i].name, ' ') != NULL;
        if (g_str_equal(verbs[i].name, is_pair ? two : argv[1])) {
            *words = is_pair ? 2 : 1;
            return &verbs[i];
        }
    }
    return NULL;
}

static int
fail_unknown(int argc, char **argv)
{
    const char *names[G_N_ELEMENTS(verbs)];
    g_autofree char *two = g_strconcat(argv[1], " ", argc > 2 ? argv[2] : NULL, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(verbs); i++)
        names[i] = verbs[i].name;
    const char *near = mrg_nearest(two, names, G_N_ELEMENTS(names));
    if (!near)
        near = mrg_nearest(argv[1], names, G_N_ELEMENTS(names));
    g_printerr("merganser: there is no verb '%s'%s%s%s; see 'merganser help'\n", argv[1],
               near ? "; did you mean '" : "", near ? near : "", near ? "'" : "");
    return EX_USAGE;
}

/* GLib's own would turn UTF-8 into question marks where the locale is not UTF-8. */
static void
print_bytes(const char *text)
{
    fputs(text, stdout);
}

static void
print_error_bytes(const char *text)
{
    fputs(text, stderr);
}

int
main(int argc, char **argv)
{
    MrgTool tool = {.conf_path = MRG_SYSCONF_DIR "/merganser.conf"};
    int words;
    setlocale(LC_ALL, "");
    g_set_print_handler(print_bytes);
    g_set_printerr_handler(print_error_bytes);
    mrg_clock_init();
    mrg_mime_init();
    if (argc > 2 && g_str_equal(argv[1], "-c")) {
        tool.conf_path = argv[2];
        argc -= 2;
        argv += 2;
    }
    if (argc > 1 && g_str_equal(argv[1], "--version")) {
        g_print("merganser " PACKAGE_VERSION "\n");
        return EX_OK;
    }
    if (argc < 2 || g_str_equal(argv[1], "--help") || g_str_equal(argv[1], "-h")) {
        mrg_verb_help(&tool, argc, argv);
        return argc < 2 ? EX_USAGE : EX_OK;
    }
    current_verb = find_verb(argc, argv, &words);
    if (!current_verb)
        return fail_unknown(argc, argv);
    g_autofree char *program = g_strdup_printf("merganser %s", current_verb->name);
    g_set_prgname(program);
    int code = current_verb->run(&tool, argc - words, argv + words);
    /* What was printed must have got there: a disk may be full. */
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    g_printerr("merganser: the output cannot be written: %s\n", g_strerror(errno));
    return code ? code : EX_IOERR;
}
