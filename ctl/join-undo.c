/* SPDX-License-Identifier: Apache-2.0 */
/* What a Postfix had before: the file merganser_before.json beside main.cf. */
#include "config.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/join.h"
#include "milter/error.h"

#define UNDO_NAME "merganser_before.json"
#define UNDO_MAX (1u << 20)
#define ALL_SHAPES (MRG_SHAPE_SPLIT | MRG_SHAPE_DIRECT)

/* ---- lists of changes ---- */

static const char *const kinds[] = {"file", "setting", "service", "option"};

const char *
mrg_change_kind_name(MrgChangeKind kind)
{
    return kinds[kind];
}

static void
change_free(gpointer data)
{
    MrgChange *change = data;
    g_free(change->service);
    g_free(change->name);
    g_free(change->before);
    g_free(change->after);
    g_free(change);
}

GPtrArray *
mrg_changes_new(void)
{
    return g_ptr_array_new_with_free_func(change_free);
}

MrgChange *
mrg_changes_add(GPtrArray *changes, MrgChangeKind kind, const char *service,
                const char *name, const char *before, const char *after)
{
    MrgChange *change = g_new0(MrgChange, 1);
    change->kind = kind;
    change->service = g_strdup(service);
    change->name = g_strdup(name);
    change->before = g_strdup(before);
    change->after = g_strdup(after);
    g_ptr_array_add(changes, change);
    return change;
}

gboolean
mrg_change_is_real(const MrgChange *change)
{
    return g_strcmp0(change->before, change->after) != 0;
}

static MrgChange *
find(const GPtrArray *records, MrgChangeKind kind, const char *service, const char *name)
{
    for (guint i = 0; i < records->len; i++) {
        MrgChange *record = records->pdata[i];
        if (record->kind == kind && g_str_equal(record->service, service) &&
            g_str_equal(record->name, name))
            return record;
    }
    return NULL;
}

/* ---- the file ---- */

static gboolean
take_record(GPtrArray *records, json_t *one)
{
    const char *kind, *service, *name, *after;
    int shapes;
    /* null where it was not there */
    const char *before = json_string_value(json_object_get(one, "before"));
    if (json_unpack(one, "{s:s,s:s,s:s,s:s,s:i}", "kind", &kind, "service", &service,
                    "name", &name, "after", &after, "shapes", &shapes) ||
        shapes <= 0 || shapes > ALL_SHAPES)
        return FALSE;
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (g_str_equal(kinds[i], kind)) {
            MrgChange *record = mrg_changes_add(records, i, service, name, before, after);
            record->shapes = (guint) shapes;
            return TRUE;
        }
    return FALSE;
}

GPtrArray *
mrg_undo_read(const char *directory, GError **error)
{
    g_autoptr(GPtrArray) records = mrg_changes_new();
    g_autofree char *path = g_build_filename(directory, UNDO_NAME, NULL);
    g_autofree char *text = NULL;
    gsize length;
    struct stat status;
    if (stat(path, &status) != 0)
        return g_steal_pointer(&records);
    if (status.st_size <= UNDO_MAX && !g_file_get_contents(path, &text, &length, error))
        return NULL;
    json_t *list = text ? json_loadb(text, length, 0, NULL) : NULL, *one;
    gboolean is_fine = json_is_array(list);
    size_t i;
    json_array_foreach(list, i, one)
    {
        is_fine = is_fine && take_record(records, one);
    }
    json_decref(list);
    if (is_fine)
        return g_steal_pointer(&records);
    g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG,
                "%s is damaged: what was before is not known; move it away, and take the "
                "settings out by hand",
                path);
    return NULL;
}

gboolean
mrg_undo_write(const char *directory, const GPtrArray *records, GError **error)
{
    g_autofree char *path = g_build_filename(directory, UNDO_NAME, NULL);
    if (!records->len && (unlink(path) == 0 || errno == ENOENT))
        return TRUE;
    json_t *list = json_array();
    for (guint i = 0; i < records->len; i++) {
        const MrgChange *record = records->pdata[i];
        json_array_append_new(
            list,
            json_pack("{s:s,s:s,s:s,s:s?,s:s,s:i}", "kind", kinds[record->kind], "service",
                      record->service, "name", record->name, "before", record->before,
                      "after", record->after, "shapes", (int) record->shapes));
    }
    g_autofree char *text = json_dumps(list, JSON_INDENT(2));
    json_decref(list);
    if (!text) {
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG,
                    "a value in %s is not UTF-8: write it in UTF-8 first", directory);
        return FALSE;
    }
    /* A value may hold what the administrator keeps to himself. */
    return g_file_set_contents_full(
        path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0600,
        error);
}

/* ---- the records ---- */

void
mrg_undo_note(GPtrArray *records, const GPtrArray *changes, MrgShape shape)
{
    for (guint i = 0; i < changes->len; i++) {
        const MrgChange *change = changes->pdata[i];
        MrgChange *record = find(records, change->kind, change->service, change->name);
        gboolean is_of_our_service =
            change->kind == MRG_CHANGE_OPTION &&
            find(records, MRG_CHANGE_SERVICE, change->service, "") != NULL;
        if (!record && (is_of_our_service || !mrg_change_is_real(change)))
            continue;
        if (!record)
            record = mrg_changes_add(records, change->kind, change->service, change->name,
                                     change->before, NULL);
        record->shapes |= shape;
        if (change->kind == MRG_CHANGE_SERVICE && record->after)
            continue;
        g_free(record->after);
        record->after = g_strdup(change->after);
    }
}

/* What the record is about, as it is now; NULL where it is not there. */
static char *
value_now(const MrgChange *record, const MrgPostfix *postfix)
{
    char *text = NULL;
    const char *own = mrg_postfix_own(postfix, record->name);
    const MrgService *service = mrg_postfix_service(postfix, record->service);
    g_autoptr(GHashTable) nothing = g_hash_table_new(g_str_hash, g_str_equal);
    switch (record->kind) {
    case MRG_CHANGE_FILE:
        g_file_get_contents(record->name, &text, NULL, NULL);
        return text;
    case MRG_CHANGE_SETTING:
        return g_strdup(own);
    case MRG_CHANGE_SERVICE:
        return service ? mrg_service_line(service, nothing) : NULL;
    case MRG_CHANGE_OPTION:
        return service ? g_strdup(g_hash_table_lookup(service->options, record->name))
                       : NULL;
    }
    return NULL;
}

/* Milters that others added since stay; only ours goes. */
static char *
without_us(const char *milters)
{
    g_auto(GStrv) list = mrg_postfix_list(milters);
    g_autoptr(GString) rest = g_string_new(NULL);
    for (char **one = list; *one; one++)
        if (!g_str_equal(*one, "$merganser_milter"))
            g_string_append_printf(rest, "%s%s", rest->len ? "," : "", *one);
    return g_string_free(g_steal_pointer(&rest), FALSE);
}

static void
take_back(const MrgChange *record, const MrgPostfix *postfix, GPtrArray *plan,
          GPtrArray *notes)
{
    g_autofree char *now = value_now(record, postfix);
    gboolean is_ours = record->kind == MRG_CHANGE_SERVICE ||
                       record->kind == MRG_CHANGE_FILE ||
                       g_strcmp0(now, record->after) == 0;
    if (g_strcmp0(now, record->before) == 0)
        return;
    if (is_ours) {
        mrg_changes_add(plan, record->kind, record->service, record->name, now,
                        record->before);
    } else if (now && g_str_equal(record->name, "smtpd_milters")) {
        g_autofree char *rest = without_us(now);
        mrg_changes_add(plan, record->kind, record->service, record->name, now, rest);
    } else if (now) {
        g_ptr_array_add(notes,
                        g_strdup_printf("%s%s%s was changed since and stays as it is",
                                        record->service, *record->service ? " " : "",
                                        record->name));
    }
}

static MrgUndoPart
part_of(const MrgChange *record)
{
    return record->kind == MRG_CHANGE_SERVICE || record->kind == MRG_CHANGE_OPTION
               ? MRG_UNDO_SERVICES
               : MRG_UNDO_NAMED;
}

GPtrArray *
mrg_undo_plan(GPtrArray *records, guint shapes, MrgUndoPart part, const MrgPostfix *postfix,
              GPtrArray *notes)
{
    GPtrArray *plan = mrg_changes_new();
    for (guint i = records->len; i > 0; i--) {
        MrgChange *record = records->pdata[i - 1];
        if (!(record->shapes & shapes) || part_of(record) != part)
            continue;
        record->shapes &= ~shapes;
        if (record->shapes)
            continue;
        take_back(record, postfix, plan, notes);
        g_ptr_array_remove_index(records, i - 1);
    }
    return plan;
}
