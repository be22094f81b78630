/* SPDX-License-Identifier: Apache-2.0 */
/*
 * helpers: what render/helpers.def says, as a list, as JSON and as the manual page
 * merganser-templates(5).
 */
#include "config.h"

#include "ctl/verb.h"
#include "render/helper.h"

/* ---- merganser helpers ---- */

static void
print_brief(const MrgHelper *helper)
{
    g_autofree char *usage = g_strdup_printf("%s %s", helper->name, helper->arguments);
    g_print("  %-28s %s\n", usage, helper->help);
}

static void
print_all(void)
{
    for (guint subject = 0; subject < MRG_SUBJECT_COUNT; subject++) {
        g_print("%s%s\n", subject ? "\n" : "", mrg_subject_name((MrgSubject) subject));
        for (guint i = 0; i < mrg_helper_count(); i++)
            if (mrg_helper_by_id(i)->subject == subject)
                print_brief(mrg_helper_by_id(i));
    }
}

static void
print_whole(const MrgHelper *helper)
{
    g_print("{{%s%s%s}}\n  %s\n\n  template  %s\n  data      %s\n  gives     %s\n",
            helper->name, *helper->arguments ? " " : "", helper->arguments, helper->help,
            helper->template, helper->data, helper->output);
}

static json_t *
describe(const MrgHelper *helper)
{
    return json_pack("{s:s,s:s,s:s,s:s,s:i,s:i,s:b,s:{s:s,s:s,s:s}}", "name", helper->name,
                     "subject", mrg_subject_name(helper->subject), "arguments",
                     helper->arguments, "help", helper->help, "fewest_arguments",
                     (int) helper->min_args, "most_arguments", (int) helper->max_args,
                     "opens_block", (helper->flags & MRG_HELPER_PREDICATE) != 0, "example",
                     "template", helper->template, "data", helper->data, "output",
                     helper->output);
}

static int
print_named(const MrgTool *tool, int n_names, char **names)
{
    g_autofree const MrgHelper **found = g_new0(const MrgHelper *, (gsize) n_names + 1);
    for (int i = 0; i < n_names; i++) {
        found[i] = mrg_helper_find(names[i], strlen(names[i]));
        if (!found[i])
            return mrg_verb_usage("there is no helper '%s'; the nearest is '%s'", names[i],
                                  mrg_helper_nearest(names[i], strlen(names[i])));
    }
    json_t *list = json_array();
    for (int i = 0; i < n_names; i++) {
        json_array_append_new(list, describe(found[i]));
        if (!tool->is_json) {
            g_print("%s", i ? "\n" : "");
            print_whole(found[i]);
        }
    }
    if (tool->is_json)
        mrg_print_json(list);
    else
        json_decref(list);
    return EX_OK;
}

int
mrg_verb_helpers(MrgTool *tool, int argc, char **argv)
{
    int code = mrg_verb_parse(tool, &argc, &argv, NULL, -1);
    if (code)
        return code;
    if (argc > 1)
        return print_named(tool, argc - 1, argv + 1);
    if (!tool->is_json) {
        print_all();
        return EX_OK;
    }
    json_t *list = json_array();
    for (guint i = 0; i < mrg_helper_count(); i++)
        json_array_append_new(list, describe(mrg_helper_by_id(i)));
    mrg_print_json(list);
    return EX_OK;
}

/* ---- merganser conf man-templates ---- */

/* Text that roff takes as it is. */
static void
append_roff(GString *page, const char *text)
{
    if (*text == '.' || *text == '\'')
        g_string_append(page, "\\&");
    for (; *text; text++) {
        if (*text == '\\')
            g_string_append(page, "\\e");
        else if (*text == '-')
            g_string_append(page, "\\-");
        else if (*text == '\n')
            g_string_append(page, "\n\\&");
        else
            g_string_append_c(page, *text);
    }
}

static void
append_example(GString *page, const MrgHelper *helper)
{
    gboolean has_data = strlen(helper->data) > strlen("{}");
    g_string_append(page, ".RS\n.PP\n.EX\n");
    append_roff(page, helper->template);
    g_string_append_c(page, '\n');
    if (has_data) {
        append_roff(page, helper->data);
        g_string_append_c(page, '\n');
    }
    append_roff(page, helper->output);
    g_string_append(page, "\n.EE\n.RE\n");
}

static void
append_helper(GString *page, const MrgHelper *helper)
{
    g_string_append_printf(page, ".TP\n.B %s\\fR ", helper->name);
    append_roff(page, helper->arguments);
    g_string_append_c(page, '\n');
    append_roff(page, helper->help);
    if (helper->flags & MRG_HELPER_PREDICATE)
        g_string_append(page, " Also a block.");
    g_string_append_c(page, '\n');
    append_example(page, helper);
}

int
mrg_verb_conf_man_templates(MrgTool *tool, int argc, char **argv)
{
    int code = mrg_verb_parse(tool, &argc, &argv, NULL, 0);
    if (code)
        return code;
    g_autoptr(GString) page = g_string_new(NULL);
    for (guint subject = 0; subject < MRG_SUBJECT_COUNT; subject++) {
        g_string_append_printf(page, ".SS %s\n", mrg_subject_name((MrgSubject) subject));
        for (guint i = 0; i < mrg_helper_count(); i++)
            if (mrg_helper_by_id(i)->subject == subject)
                append_helper(page, mrg_helper_by_id(i));
    }
    if (tool->is_json)
        mrg_print_json(json_pack("{s:s}", "text", page->str));
    else
        g_print("%s", page->str);
    return EX_OK;
}
