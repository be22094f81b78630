/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf: what conf/settings.def says, as a sample file and as a manual page.
 */
#include "config.h"

#include "ctl/owner.h"
#include "ctl/verb.h"
#include "milter/plugin.h"

#define COMMENT_COLUMNS 88

/* The plugins that come with the program, for the sample and the manual page. */
static const char *const own_plugins[] = {"store-sqlite", "store-pgsql", "sink-jsonl"};

static void
print_comment(const char *text)
{
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    gsize column = 0;
    for (char **word = words; *word; word++) {
        gsize length = strlen(*word);
        if (column && column + 1 + length > COMMENT_COLUMNS) {
            g_print("\n");
            column = 0;
        }
        g_print("%s%s", column ? " " : "# ", *word);
        column += (column ? 1 : 2) + length;
    }
    g_print("\n");
}

static void
sample_setting(const char *section, const char *key, const char *fallback, const char *help,
               gpointer context G_GNUC_UNUSED)
{
    gboolean is_repeated = strchr(section, ' ') != NULL;
    if (!key) {
        g_print("\n");
        print_comment(help);
        g_print("%s[%s]\n", is_repeated ? "#" : "", section);
        return;
    }
    print_comment(help);
    g_print("#%s =%s%s\n", key, fallback && *fallback ? " " : "", fallback ? fallback : "");
}

static void
man_setting(const char *section, const char *key, const char *fallback, const char *help,
            gpointer context G_GNUC_UNUSED)
{
    if (!key) {
        g_print(".SS [%s]\n%s\n", section, help);
        return;
    }
    g_print(".TP\n.B %s\n%s", key, help);
    if (!fallback)
        g_print(" Must be given.\n");
    else
        g_print(" Default: %s%s%s.\n", *fallback ? "\\fB" : "",
                *fallback ? fallback : "not set", *fallback ? "\\fR" : "");
}

static void
describe_plugin(const char *name, const MrgPlugin *plugin, MrgConfVisit visit)
{
    g_autofree char *section = g_strdup_printf("plugin %s", strchr(name, '-') + 1);
    g_autofree char *help =
        g_strdup_printf("Settings of the %s plugin %s.", plugin->store ? "store" : "sink",
                        strchr(name, '-') + 1);
    visit(section, NULL, NULL, help, NULL);
    for (const MrgSettingInfo *info = plugin->settings; info && info->name; info++)
        visit(section, info->name, info->fallback, info->help, NULL);
}

static int
describe(const char *plugin_dir, MrgConfVisit visit)
{
    mrg_conf_describe(visit, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(own_plugins); i++) {
        g_autoptr(GError) error = NULL;
        const MrgPlugin *plugin = mrg_plugin_load(plugin_dir, own_plugins[i], &error);
        if (!plugin)
            return mrg_verb_fail(error);
        describe_plugin(own_plugins[i], plugin, visit);
    }
    return EX_OK;
}

static GString *described;

static void
collect(const char *text)
{
    g_string_append(described, text);
}

static int
run_describe(MrgTool *tool, int argc, char **argv, const char *head, MrgConfVisit visit)
{
    g_autofree char *plugin_dir = NULL;
    const GOptionEntry entries[] = {{"plugin-dir", 0, 0, G_OPTION_ARG_FILENAME, &plugin_dir,
                                     "folder of the plugins, instead of " MRG_PLUGIN_DIR,
                                     "DIR"},
                                    {0}};
    int code = mrg_verb_parse(tool, &argc, &argv, entries, 0);
    if (code)
        return code;
    /* Kept until all is there: half a sample would pass for a whole one. */
    g_autoptr(GString) text = g_string_new(head);
    described = text;
    GPrintFunc print = g_set_print_handler(collect);
    code = describe(plugin_dir ? plugin_dir : MRG_PLUGIN_DIR, visit);
    g_set_print_handler(print);
    if (code)
        return code;
    if (tool->is_json)
        mrg_print_json(json_pack("{s:s}", "text", text->str));
    else
        g_print("%s", text->str);
    return EX_OK;
}

int
mrg_verb_conf_sample(MrgTool *tool, int argc, char **argv)
{
    return run_describe(tool, argc, argv,
                        "# merganser.conf: every setting with its default.\n"
                        "# Made by 'merganser conf sample'; the manual page is "
                        "merganser.conf(5).\n",
                        sample_setting);
}

int
mrg_verb_conf_man(MrgTool *tool, int argc, char **argv)
{
    return run_describe(
        tool, argc, argv,
        ".TH MERGANSER.CONF 5 \"\" \"merganser " PACKAGE_VERSION "\" \"File formats\"\n"
        ".SH NAME\nmerganser.conf \\- configuration of the mail merge milter\n"
        ".SH DESCRIPTION\nSections in brackets, then settings as \\fIkey = value\\fR. A "
        "line that "
        "begins with # is a comment. An unknown section or setting, and one given twice, "
        "is an "
        "error: the daemon does not start, and a reload keeps what was. Sizes take K or M, "
        "durations s, m, h, d or w.\n.SH SETTINGS\n",
        man_setting);
}

int
mrg_verb_conf_check(MrgTool *tool, int argc, char **argv)
{
    int code = mrg_verb_parse(tool, &argc, &argv, NULL, 0);
    g_autoptr(MrgConf) conf = code ? NULL : mrg_verb_conf(tool, &code);
    if (!conf)
        return code;
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgPipeline) pipeline = NULL;
    if (mrg_owner_become(conf->keys_file, &error))
        pipeline = mrg_pipeline_new(conf, &error);
    if (!pipeline)
        return mrg_verb_fail(error);
    if (tool->is_json)
        mrg_print_json(json_pack("{s:s,s:b}", "file", conf->path, "ok", 1));
    else
        g_print("%s: ok\n", conf->path);
    return EX_OK;
}
