/* SPDX-License-Identifier: Apache-2.0 */
/* db: the tables of the store: made, upgraded, looked at, and rid of what is too old. */
#include "config.h"

#include "ctl/owner.h"
#include "ctl/verb.h"
#include "milter/clock.h"

/* Of [events] mode. */
enum { FULL, DELIVERABILITY };
#define MRG_DAY_US (24 * 3600 * MRG_SECOND_US)

typedef struct Database {
    MrgConf *conf;
    MrgStore *store;
} Database;

static void
database_clear(Database *database)
{
    g_clear_pointer(&database->store, mrg_store_close);
    g_clear_pointer(&database->conf, mrg_conf_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Database, database_clear)

static int
database_open(Database *database, MrgTool *tool, int argc, char **argv)
{
    int code = mrg_verb_parse(tool, &argc, &argv, NULL, 0);
    database->conf = code ? NULL : mrg_verb_conf(tool, &code);
    if (!database->conf)
        return code;
    g_autoptr(GError) error = NULL;
    if (mrg_owner_become(database->conf->keys_file, &error))
        database->store = mrg_conf_open_store(database->conf, &error);
    return database->store ? EX_OK : mrg_verb_fail(error);
}

int
mrg_verb_db_init(MrgTool *tool, int argc, char **argv)
{
    g_auto(Database) database = {0};
    g_autoptr(GError) error = NULL;
    int code = database_open(&database, tool, argc, argv);
    if (code)
        return code;
    if (!mrg_store_create(database.store, &error))
        return mrg_verb_fail(error);
    if (tool->is_json)
        mrg_print_json(json_pack("{s:s}", "store", database.conf->store_plugin));
    else
        g_print("the tables of store %s are ready\n", database.conf->store_plugin);
    return EX_OK;
}

int
mrg_verb_db_migrate(MrgTool *tool, int argc, char **argv)
{
    g_auto(Database) database = {0};
    g_autoptr(GError) error = NULL;
    guint before, after, needed;
    int code = database_open(&database, tool, argc, argv);
    if (code)
        return code;
    if (!mrg_store_schema_version(database.store, &before, &needed, &error) ||
        !mrg_store_create(database.store, &error) ||
        !mrg_store_schema_version(database.store, &after, &needed, &error))
        return mrg_verb_fail(error);
    if (tool->is_json)
        mrg_print_json(
            json_pack("{s:i,s:i}", "before", (int) before, "version", (int) after));
    else if (before == after)
        g_print("the tables have version %u already\n", after);
    else
        g_print("the tables went from version %u to %u\n", before, after);
    return EX_OK;
}

int
mrg_verb_db_status(MrgTool *tool, int argc, char **argv)
{
    g_auto(Database) database = {0};
    g_autoptr(GError) error = NULL;
    guint is, needed;
    int code = database_open(&database, tool, argc, argv);
    if (code)
        return code;
    if (!mrg_store_schema_version(database.store, &is, &needed, &error))
        return mrg_verb_fail(error);
    if (tool->is_json)
        mrg_print_json(json_pack("{s:s,s:i,s:i,s:b}", "store", database.conf->store_plugin,
                                 "version", (int) is, "needed", (int) needed, "ok",
                                 is == needed));
    else
        g_print("store %s: version %u%s%s\n", database.conf->store_plugin, is,
                is == needed ? ", as needed" : "",
                is < needed   ? "; run 'merganser db migrate'"
                : is > needed ? "; a newer merganser made these tables: upgrade this one"
                              : "");
    return is == needed ? EX_OK : EX_UNAVAILABLE;
}

int
mrg_verb_db_retain(MrgTool *tool, int argc, char **argv)
{
    g_auto(Database) database = {0};
    g_autoptr(GError) error = NULL;
    guint64 n = 0;
    int code = database_open(&database, tool, argc, argv);
    if (code)
        return code;
    gint64 now_us = mrg_clock_now_us();
    gint64 events = database.conf->retention_events;
    gint64 engagement = database.conf->retention_engagement;
    gint64 hits = database.conf->events_mode == DELIVERABILITY
                      ? MRG_DAY_US
                      : database.conf->retention_hits;
    const MrgRetention retention = {events ? now_us - events : 0,
                                    engagement ? now_us - engagement : 0,
                                    hits ? now_us - hits : 0};
    if (!mrg_store_retain(database.store, &retention, &n, &error))
        return mrg_verb_fail(error);
    if (tool->is_json)
        mrg_print_json(json_pack("{s:I}", "removed", (json_int_t) n));
    else
        g_print("%" G_GUINT64_FORMAT " rows removed\n", n);
    return EX_OK;
}
