/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>

#include "ctl/owner.h"
#include "ctl/verb.h"

/* The configuration, as the owner of the key ring that it names. */
static MrgConf *
open_conf(MrgTool *tool, int *argc, char ***argv, int n_arguments, int *code)
{
    g_autoptr(GError) error = NULL;
    *code = mrg_verb_parse(tool, argc, argv, NULL, n_arguments);
    g_autoptr(MrgConf) conf = *code ? NULL : mrg_verb_conf(tool, code);
    if (conf && mrg_owner_become(conf->keys_file, &error))
        return g_steal_pointer(&conf);
    if (conf)
        *code = mrg_verb_fail(error);
    return NULL;
}

int
mrg_verb_key_new(MrgTool *tool, int argc, char **argv)
{
    int code;
    g_autoptr(MrgConf) conf = open_conf(tool, &argc, &argv, 0, &code);
    if (!conf)
        return code;
    g_autoptr(GError) error = NULL;
    guint8 id;
    if (!mrg_keyring_create(conf->keys_file, &id, &error))
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
        g_print("%s: token key %u added; reload merganser-collector, which opens with it, "
                "and then merganser-milter, which seals with it from then on\n",
                conf->keys_file, id);
    return EX_OK;
}

int
mrg_verb_key_list(MrgTool *tool, int argc, char **argv)
{
    static const char *const states[] = {[MRG_KEY_OPENS] = "opens",
                                         [MRG_KEY_SEALS] = "seals",
                                         [MRG_KEY_RETIRED] = "retired"};
    int code;
    g_autoptr(MrgConf) conf = open_conf(tool, &argc, &argv, 0, &code);
    if (!conf)
        return code;
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgKeyring) keyring = mrg_keyring_load(conf->keys_file, &error);
    if (!keyring)
        return mrg_verb_fail(error);
    json_t *keys = json_array();
    for (guint id = 1; id <= G_MAXUINT8; id++) {
        MrgKeyState state = mrg_keyring_token_state(keyring, (guint8) id);
        if (state == MRG_KEY_ABSENT)
            continue;
        json_array_append_new(
            keys, json_pack("{s:i,s:s}", "id", (int) id, "state", states[state]));
        if (!tool->is_json)
            g_print("token key %3u  %s\n", id, states[state]);
    }
    if (tool->is_json)
        mrg_print_json(json_pack("{s:s,s:O}", "file", conf->keys_file, "token_keys", keys));
    json_decref(keys);
    return EX_OK;
}

int
mrg_verb_key_retire(MrgTool *tool, int argc, char **argv)
{
    int code;
    g_autoptr(MrgConf) conf = open_conf(tool, &argc, &argv, 1, &code);
    if (!conf)
        return code;
    g_autoptr(GError) error = NULL;
    guint64 id;
    if (!g_ascii_string_to_unsigned(argv[1], 10, 1, G_MAXUINT8, &id, NULL))
        return mrg_verb_usage("key retire takes the number of a token key, 1 to 255, as "
                              "'merganser key list' shows it");
    if (!mrg_keyring_retire(conf->keys_file, (guint8) id, &error))
        return mrg_verb_fail(error);
    if (tool->is_json)
        mrg_print_json(
            json_pack("{s:s,s:i}", "file", conf->keys_file, "retired", (int) id));
    else
        g_print("%s: token key %u retired; it still opens, and seals no more from the next "
                "reload on\n",
                conf->keys_file, (guint) id);
    return EX_OK;
}
