/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "plugins/memory/memory.h"

#define SCHEMA_VERSION 1

static gpointer
memory_open(const MrgSetting *settings G_GNUC_UNUSED, gsize n G_GNUC_UNUSED,
            GError **error G_GNUC_UNUSED)
{
    return mrg_memory_new();
}

static void
memory_close(gpointer store)
{
    mrg_memory_free(store);
}

/* The tables are there as soon as the store is open. */
static gboolean
memory_create(gpointer store G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
    return TRUE;
}

static gboolean
memory_schema_version(gpointer store G_GNUC_UNUSED, guint *is, guint *needed,
                      GError **error G_GNUC_UNUSED)
{
    *is = *needed = SCHEMA_VERSION;
    return TRUE;
}

static const MrgSettingInfo settings_known[] = {{NULL, NULL, NULL}};

static const MrgStoreApi api = {
    .size = sizeof(MrgStoreApi),
    .fetch = mrg_memory_fetch,
    .load = mrg_memory_load,
    .fetch_and_load = mrg_memory_fetch_and_load,
    .commit = mrg_memory_commit,
    .move_hold = mrg_memory_move_hold,
    .campaign_number = mrg_memory_campaign_number,
    .link_numbers = mrg_memory_link_numbers,
    .create = memory_create,
    .schema_version = memory_schema_version,
    .retain = mrg_memory_retain,
    .import = mrg_memory_import,
    .list = mrg_memory_list,
    .homes = mrg_memory_homes,
    .engagements = mrg_memory_engagements,
    .rows_of = mrg_memory_rows_of,
    .erase = mrg_memory_erase,
    .search = mrg_memory_search,
    .suppressions = mrg_memory_suppressions,
    .end_suppression = mrg_memory_end_suppression,
    .put_history = mrg_memory_put_history,
    .events = mrg_memory_events,
    .events_since = mrg_memory_events_since,
    .holds = mrg_memory_holds,
    .settle_hold = mrg_memory_settle_hold,
    .end_holds = mrg_memory_end_holds,
    .record_hits = mrg_memory_record_hits,
    .journal_position = mrg_memory_journal_position,
    .hits = mrg_memory_hits,
    .put_classes = mrg_memory_put_classes,
    .deliveries = mrg_memory_deliveries,
    .campaign_events = mrg_memory_campaign_events,
    .links = mrg_memory_links,
    .campaign_name = mrg_memory_campaign_name,
    .link_target = mrg_memory_link_target,
};

static const MrgPlugin plugin = {
    .size = sizeof(MrgPlugin),
    .major = MRG_ABI_MAJOR,
    .minor = MRG_ABI_MINOR,
    .name = "store-memory",
    .settings = settings_known,
    .open = memory_open,
    .close = memory_close,
    .store = &api,
};

const MrgPlugin *
mrg_plugin_entry(const MrgHost *host)
{
    return host->major == MRG_ABI_MAJOR ? &plugin : NULL;
}
