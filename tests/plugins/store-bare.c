/* SPDX-License-Identifier: Apache-2.0 */
/* Stores that lack what their ABI asks for: one member, and the end of the table. */
#include "config.h"

#include "plugins/merganser-plugin.h"

static MrgFetch
bare_fetch(gpointer store G_GNUC_UNUSED, const MrgPersonKey *person G_GNUC_UNUSED,
           const char *const *names G_GNUC_UNUSED, gsize n_names G_GNUC_UNUSED,
           MrgField *fields G_GNUC_UNUSED, const MrgMemory *memory G_GNUC_UNUSED,
           gint64 deadline_us G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
    return MRG_FETCH_MISS;
}

static gpointer
bare_open(const MrgSetting *settings G_GNUC_UNUSED, gsize n G_GNUC_UNUSED,
          GError **error G_GNUC_UNUSED)
{
    g_assert_not_reached();
}

static void
bare_close(gpointer store G_GNUC_UNUSED)
{
    g_assert_not_reached();
}

static const MrgSettingInfo settings_known[] = {{NULL, NULL, NULL}};

static const MrgStoreApi api = {
#ifdef MRG_TEST_SHORT
    .size = G_STRUCT_OFFSET(MrgStoreApi, fetch),
#else
    .size = sizeof(MrgStoreApi),
#endif
    .fetch = bare_fetch,
};

static const MrgPlugin plugin = {
    .size = sizeof(MrgPlugin),
    .major = MRG_ABI_MAJOR,
    .minor = MRG_ABI_MINOR,
#ifdef MRG_TEST_SHORT
    .name = "store-short",
#else
    .name = "store-bare",
#endif
    .settings = settings_known,
    .open = bare_open,
    .close = bare_close,
    .store = &api,
};

const MrgPlugin *
mrg_plugin_entry(const MrgHost *host G_GNUC_UNUSED)
{
    return &plugin;
}
