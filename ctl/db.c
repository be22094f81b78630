/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "ctl/verb.h"

int
mrg_verb_db_init(MrgTool *tool, int argc, char **argv)
{
    int code = mrg_verb_parse(tool, &argc, &argv, NULL, 0);
    g_autoptr(MrgConf) conf = code ? NULL : mrg_verb_conf(tool, &code);
    if (!conf)
        return code;
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgStore) store = mrg_conf_open_store(conf, &error);
    if (!store || !mrg_store_create(store, &error))
        return mrg_verb_fail(error);
    if (tool->is_json)
        mrg_print_json(json_pack("{s:s}", "store", conf->store_plugin));
    else
        g_print("the tables of store %s are ready\n", conf->store_plugin);
    return EX_OK;
}
