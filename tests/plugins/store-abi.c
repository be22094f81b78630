/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin of another ABI, and one that says no: for tests of the loader. */
#include "config.h"

#include "plugins/merganser-plugin.h"

#ifdef MRG_TEST_SAYS_NO
const MrgPlugin *
mrg_plugin_entry(const MrgHost *host G_GNUC_UNUSED)
{
    return NULL;
}
#else
static const MrgPlugin plugin = {
    .size = sizeof(MrgPlugin),
    .major = MRG_ABI_MAJOR + 1,
    .name = "store-abi",
};

const MrgPlugin *
mrg_plugin_entry(const MrgHost *host)
{
    host->log(G_LOG_LEVEL_DEBUG, "loaded");
    return &plugin;
}
#endif
