/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "ctl/owner.h"
#include "ctl/verb.h"

int
mrg_verb_key_new(MrgTool *tool, int argc, char **argv)
{
    int code = mrg_verb_parse(tool, &argc, &argv, NULL, 0);
    g_autoptr(MrgConf) conf = code ? NULL : mrg_verb_conf(tool, &code);
    if (!conf)
        return code;
    g_autoptr(GError) error = NULL;
    guint8 id;
    if (!mrg_owner_become(conf->keys_file, &error) ||
        !mrg_keyring_create(conf->keys_file, &id, &error))
        return mrg_verb_fail(error);
    if (tool->is_json)
        mrg_print_json(
            json_pack("{s:s,s:i}", "file", conf->keys_file, "token_key", (int) id));
    else if (id == 1)
        g_print(
            "%s: made; keep a copy in a safe place, without it nobody is recognised any "
            "more\n",
            conf->keys_file);
    else
        g_print("%s: token key %u added; it seals from the next reload on\n",
                conf->keys_file, id);
    return EX_OK;
}
