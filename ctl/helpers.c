/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "ctl/verb.h"
#include "render/helper.h"

static json_t *
helper_json(const MrgHelper *helper)
{
    return json_pack("{s:s,s:i,s:i,s:s,s:s,s:s,s:s}", "name", helper->name,
                     "least_arguments", (int) helper->min_args, "most_arguments",
                     (int) helper->max_args, "help", helper->help, "example",
                     helper->template, "data", helper->data, "output", helper->output);
}

static void
print_helper(const MrgHelper *helper)
{
    gboolean has_data = !g_str_equal(helper->data, "{}");
    g_print("%s\n    %s\n    %s%s%s  ->  %s\n\n", helper->name, helper->help,
            helper->template, has_data ? "  with " : "", has_data ? helper->data : "",
            helper->output);
}

int
mrg_verb_helpers(MrgTool *tool, int argc, char **argv)
{
    int code = mrg_verb_parse(tool, &argc, &argv, NULL, 0);
    if (code)
        return code;
    json_t *json = tool->is_json ? json_array() : NULL;
    for (guint i = 0; i < mrg_helper_count(); i++) {
        if (json)
            json_array_append_new(json, helper_json(mrg_helper_by_id(i)));
        else
            print_helper(mrg_helper_by_id(i));
    }
    if (json)
        mrg_print_json(json);
    return EX_OK;
}
