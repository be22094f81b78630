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

static const char head[] =
    ".TH MERGANSER-TEMPLATES 5 \"\" \"merganser " PACKAGE_VERSION "\" \"File formats\"\n"
    ".SH NAME\nmerganser-templates \\- the language of templates in campaign mail\n"
    ".SH DESCRIPTION\n"
    "The Subject and every text part of a campaign message are templates. The language is "
    "Handlebars', and single-brace tokens of declared fields work beside it.\n"
    ".SS Values\n"
    ".TP\n.B {{first_name}}\nA field of the person, else a value of X-Campaign-Data; "
    "nothing where there is neither. In HTML the characters & < > \" ' ` = are escaped.\n"
    ".TP\n.B {{address.city}} {{list.0}} {{list.length}} {{[odd name]}}\n"
    "Members, items and names with other characters.\n"
    ".TP\n.B {{{html}}} {{&html}}\nNot escaped.\n"
    ".TP\n.B {FirstName} {Interest|gear}\nA declared field, and one with a fallback. Case "
    "and "
    "underscores make no difference.\n"
    ".SS Blocks\n"
    ".TP\n.B {{#if a}} ... {{else if b}} ... {{else}} ... {{/if}}\n"
    "A choice; {{#unless}} is its opposite. False are: false, null, what is missing, \"\", "
    "0 "
    "and the empty list.\n"
    ".TP\n.B {{#each list}} ... {{else}} ... {{/each}}\n"
    "Once for each item or member, which {{this}} is. {{@index}}, {{@key}}, {{@first}}, "
    "{{@last}}; {{../name}} is outside of it, {{@root.name}} the person's. "
    "{{#each list as |item i|}} names them.\n"
    ".TP\n.B {{#with address}} ... {{/with}}\nInside of a value.\n"
    ".TP\n.B {{#name}} ... {{/name}} {{^name}} ... {{/name}}\n"
    "If, each or with, by what the field holds; and where it is false or empty.\n"
    ".TP\n.B {{#*inline \"name\"}} ... {{/inline}} {{> name}}\n"
    "A piece to be used in several places of one part; {{> name context value=x}} brings "
    "another context, and values.\n"
    ".SS The rest\n"
    ".TP\n.B {{! comment }} {{!-- comment --}}\nNothing.\n"
    ".TP\n.B {{~name~}}\nTakes the white space around it away. A tag that opens or closes "
    "a "
    "block and stands alone on its line takes the line with it.\n"
    ".TP\n.B \\e{{\nTwo braces.\n"
    ".TP\n.B {{{{raw}}}} ... {{{{/raw}}}}\nThe text as it is, braces and all.\n"
    ".TP\n.B {{helper value (helper value) name=value}}\nHelpers take values, texts in "
    "quotes, numbers, true, false, null, other helpers in parentheses, and named arguments "
    "at the end.\n"
    ".SH HELPERS\n"
    "A field comes first: {{title}} and {{#empty}} ask for fields of these names, and only "
    "with arguments for the helpers. Those that need no argument, such as now and "
    "unsubscribe_url, are used alone where no field has their name. An unknown helper is "
    "an "
    "error, and so is an unknown argument.\n"
    ".PP\n"
    "Arguments in [brackets] may be left out; those that end in = are given by name. What "
    "a "
    "helper can make no sense of, such as a price that is no number, a division by 0 or a "
    "date that does not exist, prints nothing; default and required see it. Numbers may be "
    "texts, as JSON writes numbers. Languages are such as de or pt-BR, else those of "
    "[render] "
    "locale; time zones those of IANA, else [render] timezone; both may be a field of the "
    "profile. Times are seconds or milliseconds since 1970, or ISO 8601.\n"
    ".PP\nThe examples are a template, its data where it has any, and what it renders.\n";

static const char tail[] = ".SH SEE ALSO\n.BR merganser (1),\n.BR merganser.conf (5)\n";

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
    g_autoptr(GString) page = g_string_new(head);
    for (guint subject = 0; subject < MRG_SUBJECT_COUNT; subject++) {
        g_string_append_printf(page, ".SS %s\n", mrg_subject_name((MrgSubject) subject));
        for (guint i = 0; i < mrg_helper_count(); i++)
            if (mrg_helper_by_id(i)->subject == subject)
                append_helper(page, mrg_helper_by_id(i));
    }
    g_string_append(page, tail);
    if (tool->is_json)
        mrg_print_json(json_pack("{s:s}", "text", page->str));
    else
        g_print("%s", page->str);
    return EX_OK;
}
