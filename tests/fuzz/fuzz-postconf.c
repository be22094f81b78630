/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-postconf: what postconf says with -n, -x, -M and -Mx, one after the other with a
 * line "--" between.  It is read, a service's line is read again as it was written, and
 * what would be changed is planned for both shapes.
 */
#include "config.h"

#include <stdint.h>
#include <string.h>

#include "ctl/join.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define N_TEXTS 4

static void
check_line(const MrgService *service)
{
    g_autoptr(GHashTable) nothing = g_hash_table_new(g_str_hash, g_str_equal);
    g_autofree char *line = mrg_service_line(service, nothing);
    g_autoptr(MrgService) again = mrg_service_parse(line);
    g_assert_nonnull(again);
    g_assert_cmpstr(again->key, ==, service->key);
    g_assert_cmpuint(g_hash_table_size(again->options), ==,
                     g_hash_table_size(service->options));
    GHashTableIter iter;
    gpointer name, value;
    g_hash_table_iter_init(&iter, service->options);
    while (g_hash_table_iter_next(&iter, &name, &value))
        g_assert_cmpstr(g_hash_table_lookup(again->options, name), ==, value);
}

/* An option that is set is read back as it was set. */
static void
check_change(const MrgService *service)
{
    g_autoptr(GHashTable) changes = g_hash_table_new(g_str_hash, g_str_equal);
    g_hash_table_insert(changes, (char *) "milter_macro_daemon_name", (char *) "a b");
    g_hash_table_insert(changes, (char *) "smtpd_milters", NULL);
    g_autofree char *line = mrg_service_line(service, changes);
    g_autoptr(MrgService) again = mrg_service_parse(line);
    g_assert_nonnull(again);
    g_assert_cmpstr(g_hash_table_lookup(again->options, "milter_macro_daemon_name"), ==,
                    "a b");
    g_assert_false(g_hash_table_contains(again->options, "smtpd_milters"));
}

static void
check_milters(const MrgPostfix *postfix, const MrgService *service)
{
    const char *text = mrg_postfix_effective(postfix, service, "smtpd_milters");
    g_auto(GStrv) milters = mrg_postfix_list(text);
    for (char **milter = milters; *milter; milter++) {
        g_autofree char *address = mrg_milter_address(*milter);
        g_autofree char *action = mrg_milter_attribute(*milter, "default_action");
        g_auto(MrgPlace) place = {0};
        g_assert_cmpuint(strlen(address), <=, strlen(*milter));
        g_assert_true(!action || strlen(action) <= strlen(*milter));
        if (mrg_place_from_milter(&place, *milter, "/q", TRUE)) {
            g_autofree char *printed = mrg_place_print(&place, "/q");
            g_assert_true(place.path || place.port);
            g_assert_nonnull(printed);
        }
    }
    g_assert_cmpuint(mrg_postfix_process_limit(postfix, service), >, 0);
    mrg_postfix_is_chrooted(postfix, service);
}

/* A line that is to be added says what was meant. */
static void
check_added(const MrgChange *change)
{
    g_autoptr(MrgService) service = mrg_service_parse(change->after);
    g_assert_nonnull(service);
    g_assert_cmpstr(service->key, ==, change->service);
    if (g_str_equal(service->command, "smtpd"))
        g_assert_true(g_str_has_prefix(
            g_hash_table_lookup(service->options, "smtpd_milters"), "$merganser_milter"));
    for (guint i = 0; i < service->arguments->len; i += 2)
        g_assert_cmpstr(service->arguments->pdata[i], ==, "-o");
}

/* What is planned for a shape, or why it is not. */
static void
check_plan(const MrgPostfix *postfix, MrgShape shape)
{
    static const char *const merge[] = {"merganser", NULL}, *const check[] = {"check",
                                                                              NULL};
    g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) error = NULL;
    const MrgJoin join = {.postfix = postfix,
                          .directory = "/nowhere",
                          .shape = shape,
                          .socket = "unix:/q/merganser/milter",
                          .merge_daemons = merge,
                          .check_daemons = check,
                          .notes = notes};
    g_autoptr(GPtrArray) plan = mrg_join_plan(&join, &error);
    g_assert_true((plan == NULL) == (error != NULL));
    g_autoptr(GPtrArray) records = mrg_changes_new();
    if (!plan)
        return;
    for (guint i = 0; i < plan->len; i++) {
        const MrgChange *change = plan->pdata[i];
        if (change->kind == MRG_CHANGE_SERVICE && mrg_change_is_real(change))
            check_added(change);
    }
    mrg_undo_note(records, plan, shape);
    for (MrgUndoPart part = MRG_UNDO_SERVICES; part <= MRG_UNDO_NAMED; part++) {
        g_autoptr(GPtrArray) back = mrg_undo_plan(records, shape, part, postfix, notes);
        g_assert_nonnull(back);
    }
    g_assert_cmpuint(records->len, ==, 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *) data, size);
    g_auto(GStrv) parts = g_strsplit(text, "\n--\n", N_TEXTS);
    char *texts[N_TEXTS] = {(char *) "", (char *) "", (char *) "", (char *) ""};
    for (guint i = 0; parts[i]; i++)
        texts[i] = parts[i];
    const MrgPostconfTexts said = {texts[0], texts[1], texts[2], texts[3]};
    g_autoptr(MrgPostfix) postfix = mrg_postfix_parse(&said);
    for (guint i = 0; i < postfix->services->len; i++) {
        const MrgService *service = postfix->services->pdata[i];
        check_line(service);
        check_change(service);
        check_milters(postfix, service);
    }
    check_plan(postfix, MRG_SHAPE_SPLIT);
    check_plan(postfix, MRG_SHAPE_DIRECT);
    return 0;
}
