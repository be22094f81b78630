/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "collect/lasting.h"

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
