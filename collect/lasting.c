/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "collect/lasting.h"
#include "milter/error.h"

#define JOURNAL_SEGMENT_BYTES (16u << 20)
#define LINK_CACHE_BYTES (32u << 20)
#define STORE_THREADS 4
#define WAITING_MAX 512

static MrgJournal *
open_journal(const MrgConf *conf, GError **error)
{
    const MrgJournalOptions options = {
        .max_bytes = conf->collector_journal_max_bytes,
        .segment_bytes =
            MIN(JOURNAL_SEGMENT_BYTES, conf->collector_journal_max_bytes / 4 + 1),
        .sync_us = conf->collector_journal_sync};
    return mrg_journal_open(conf->collector_journal, &options, error);
}

MrgLasting *
mrg_lasting_open(const MrgConf *conf, GError **error)
{
    g_autoptr(MrgLasting) lasting = g_new0(MrgLasting, 1);
    g_atomic_int_set(&lasting->references, 1);
    lasting->store = mrg_conf_open_store(conf, error);
    if (!lasting->store)
        return NULL;
    lasting->journal = open_journal(conf, error);
    if (!lasting->journal)
        return NULL;
    lasting->webhooks = mrg_once_new();
    lasting->by_address = mrg_limit_new();
    lasting->by_token = mrg_limit_new();
    lasting->links = mrg_links_new(LINK_CACHE_BYTES);
    lasting->jobs = mrg_jobs_new(STORE_THREADS, WAITING_MAX);
    return g_steal_pointer(&lasting);
}

MrgLasting *
mrg_lasting_ref(MrgLasting *lasting)
{
    g_atomic_int_inc(&lasting->references);
    return lasting;
}

void
mrg_lasting_unref(MrgLasting *lasting)
{
    if (!lasting || !g_atomic_int_dec_and_test(&lasting->references))
        return;
    mrg_jobs_free(lasting->jobs);
    mrg_links_free(lasting->links);
    mrg_once_free(lasting->webhooks);
    mrg_limit_free(lasting->by_address);
    mrg_limit_free(lasting->by_token);
    g_clear_pointer(&lasting->journal, mrg_journal_close);
    g_clear_pointer(&lasting->store, mrg_store_close);
    g_free(lasting);
}

/* ---- what stays */

static gboolean
has_setting(const MrgPluginConf *plugin, const MrgSetting *wanted)
{
    for (gsize i = 0; i < plugin->n_settings; i++)
        if (g_str_equal(plugin->settings[i].name, wanted->name))
            return g_str_equal(plugin->settings[i].value, wanted->value);
    return FALSE;
}

static gboolean
is_same_store(const MrgConf *was, const MrgConf *is)
{
    const MrgPluginConf *old = mrg_conf_plugin(was, was->store_plugin);
    const MrgPluginConf *new = mrg_conf_plugin(is, is->store_plugin);
    gboolean is_same = old->n_settings == new->n_settings;
    for (gsize i = 0; i < new->n_settings &&is_same; i++)
        is_same = has_setting(old, &new->settings[i]);
    return is_same;
}

gboolean
mrg_lasting_fits(const MrgConf *was, const MrgConf *is, GError **error)
{
    const struct {
        const char *section, *key;
        gboolean is_same;
    } rows[] = {
#define SAME_TEXT(section, key) \
    {#section, #key, g_str_equal(was->section##_##key, is->section##_##key)}
#define SAME_NUMBER(section, key)                                   \
    {                                                               \
#section, #key, was->section##_##key == is->section##_##key \
    }
        SAME_TEXT(milter, plugin_dir),
        SAME_NUMBER(milter, log),
        SAME_TEXT(store, plugin),
        SAME_TEXT(collector, listen),
        SAME_NUMBER(collector, threads),
        SAME_NUMBER(collector, connections),
        SAME_NUMBER(collector, timeout),
        SAME_TEXT(collector, journal),
        SAME_NUMBER(collector, journal_max_bytes),
        SAME_NUMBER(collector, journal_sync),
#undef SAME_TEXT
#undef SAME_NUMBER
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (rows[i].is_same)
            continue;
        g_set_error(
            error, MRG_ERROR, MRG_ERROR_CONFIG,
            "%s:1:1: '%s' in [%s] is another one now, and only a restart changes it",
            is->path, rows[i].key, rows[i].section);
        return FALSE;
    }
    if (is_same_store(was, is))
        return TRUE;
    g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG,
                "%s:1:1: [plugin %s] is another one now, and only a restart changes it",
                is->path, is->store_plugin);
    return FALSE;
}
