/* SPDX-License-Identifier: Apache-2.0 */
/* Changes a Postfix by postconf alone, but for the table, which is a file of our own. */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "ctl/join.h"
#include "milter/error.h"

typedef struct Work {
    const GPtrArray *changes;
    const MrgPostfix *postfix;
    GError **error;
} Work;

typedef gboolean (*Step)(const Work *work);

static gboolean
run(const Work *work, GPtrArray *arguments)
{
    g_ptr_array_add(arguments, NULL);
    g_autofree char *said =
        mrg_postfix_run("postconf", work->postfix->directory,
                        (const char *const *) arguments->pdata, work->error);
    return said != NULL;
}

static GPtrArray *
command(const char *first, const char *second)
{
    GPtrArray *arguments = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(arguments, g_strdup(first));
    if (second)
        g_ptr_array_add(arguments, g_strdup(second));
    return arguments;
}

/* ---- the table ---- */

static gboolean
change_file(const Work *work, const MrgChange *change)
{
    if (change->after)
        return g_file_set_contents_full(change->name, change->after, -1,
                                        G_FILE_SET_CONTENTS_CONSISTENT |
                                            G_FILE_SET_CONTENTS_DURABLE,
                                        0644, work->error);
    if (unlink(change->name) == 0 || errno == ENOENT)
        return TRUE;
    g_set_error(work->error, MRG_ERROR, MRG_ERROR_CONFIG, "%s cannot be removed: %s",
                change->name, g_strerror(errno));
    return FALSE;
}

static gboolean
change_files(const Work *work)
{
    gboolean is_done = TRUE;
    for (guint i = 0; is_done && i < work->changes->len; i++) {
        const MrgChange *change = work->changes->pdata[i];
        if (change->kind == MRG_CHANGE_FILE && mrg_change_is_real(change))
            is_done = change_file(work, change);
    }
    return is_done;
}

/* ---- main.cf, and whole services ---- */

static gboolean
change_names(const Work *work, MrgChangeKind kind)
{
    gboolean is_setting = kind == MRG_CHANGE_SETTING;
    g_autoptr(GPtrArray) edits = is_setting ? command("-e", NULL) : command("-M", "-e");
    g_autoptr(GPtrArray) removals = command(is_setting ? "-X" : "-MX", NULL);
    guint n_edits = edits->len, n_removals = removals->len;
    for (guint i = 0; i < work->changes->len; i++) {
        const MrgChange *change = work->changes->pdata[i];
        const char *name = is_setting ? change->name : change->service;
        if (change->kind != kind || !mrg_change_is_real(change))
            continue;
        if (change->after)
            g_ptr_array_add(edits, g_strconcat(name, "=", change->after, NULL));
        else
            g_ptr_array_add(removals, g_strdup(name));
    }
    return (edits->len == n_edits || run(work, edits)) &&
           (removals->len == n_removals || run(work, removals));
}

static gboolean
change_settings(const Work *work)
{
    return change_names(work, MRG_CHANGE_SETTING);
}

static gboolean
change_services(const Work *work)
{
    return change_names(work, MRG_CHANGE_SERVICE);
}

/* ---- options of services ---- */

/* postconf -P takes no value with white space; then the whole line is written anew. */
static gboolean
rewrite_line(const Work *work, const MrgService *service, GHashTable *values)
{
    g_autofree char *line = mrg_service_line(service, values);
    g_autoptr(GPtrArray) edit = command("-M", "-e");
    g_ptr_array_add(edit, g_strconcat(service->key, "=", line, NULL));
    return run(work, edit);
}

static gboolean
change_options_of(const Work *work, const MrgService *service)
{
    g_autoptr(GHashTable) values = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GPtrArray) edits = command("-P", "-e");
    g_autoptr(GPtrArray) removals = command("-PX", NULL);
    gboolean has_space = FALSE;
    for (guint i = 0; i < work->changes->len; i++) {
        const MrgChange *change = work->changes->pdata[i];
        if (change->kind != MRG_CHANGE_OPTION ||
            !g_str_equal(change->service, service->key) || !mrg_change_is_real(change))
            continue;
        g_hash_table_insert(values, change->name, change->after);
        has_space = has_space || (change->after && strpbrk(change->after, " \t{"));
        if (change->after)
            g_ptr_array_add(edits, g_strdup_printf("%s/%s=%s", service->key, change->name,
                                                   change->after));
        else
            g_ptr_array_add(removals, g_strdup_printf("%s/%s", service->key, change->name));
    }
    if (has_space)
        return rewrite_line(work, service, values);
    return (edits->len == 2 || run(work, edits)) &&
           (removals->len == 1 || run(work, removals));
}

static gboolean
change_options(const Work *work)
{
    gboolean is_done = TRUE;
    for (guint i = 0; is_done && i < work->postfix->services->len; i++)
        is_done = change_options_of(work, work->postfix->services->pdata[i]);
    return is_done;
}

/* What is new must be there before a service names it, and go after the last that does. */
gboolean
mrg_changes_apply(const GPtrArray *changes, const MrgPostfix *postfix, gboolean is_undoing,
                  GError **error)
{
    static const Step steps[] = {change_files, change_settings, change_services,
                                 change_options};
    const Work work = {changes, postfix, error};
    const gsize n = G_N_ELEMENTS(steps);
    for (gsize i = 0; i < n; i++)
        if (!steps[is_undoing ? n - 1 - i : i](&work))
            return FALSE;
    return TRUE;
}
