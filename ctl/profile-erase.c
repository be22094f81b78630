/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile erase: all that is held on a person goes, but the mark that nothing may be sent
 * to them (GDPR article 17); then the whole store is searched for the address.
 */
#include "config.h"

#include <string.h>

#include "ctl/held.h"
#include "ctl/terminal.h"
#include "milter/clock.h"

typedef struct Count {
    const char *address; /* count only rows that hold it; NULL: all */
    guint64 n;
    json_t *tables; /* {TABLE: rows} */
} Count;

/* joann@example.com is somebody else than ann@example.com. */
static gboolean
holds(const char *value, const char *address)
{
    gsize length = strlen(address);
    for (const char *hit = value; (hit = strstr(hit, address)); hit++) {
        gboolean begins = hit == value || strchr(" \t\n\"'<>(),;:=[]{}", hit[-1]);
        gboolean ends = !g_ascii_isalnum(hit[length]) && hit[length] != '-' &&
                        !(hit[length] == '.' && g_ascii_isalnum(hit[length + 1]));
        if (begins && ends)
            return TRUE;
    }
    return FALSE;
}

static gboolean
count_row(const char *table, const char *const *names G_GNUC_UNUSED,
          const char *const *values, gsize n, gpointer context)
{
    Count *count = context;
    gboolean is_hit = !count->address;
    for (gsize i = 0; i < n && !is_hit; i++)
        is_hit = values[i] && holds(values[i], count->address);
    if (!is_hit)
        return TRUE;
    json_int_t rows = json_integer_value(json_object_get(count->tables, table));
    json_object_set_new(count->tables, table, json_integer(rows + 1));
    count->n++;
    return TRUE;
}

static gboolean
erase_and_look(const MrgPeople *people, const MrgPerson *person, Count *found, Count *left,
               GError **error)
{
    return mrg_store_erase(people->store, &person->key, mrg_clock_now_us(), error) &&
           mrg_store_search(people->store, person->address, count_row, found, error) &&
           mrg_store_rows_of(people->store, &person->key, count_row, left, error);
}

static void
print_tables(json_t *tables)
{
    const char *table;
    json_t *n;
    json_object_foreach(tables, table, n)
        g_print("  %-20s %" JSON_INTEGER_FORMAT "\n", table, json_integer_value(n));
}

static int
tell(const MrgTool *tool, const MrgPerson *person, const Count *before, const Count *found,
     const Count *left)
{
    if (tool->is_json) {
        mrg_print_json(json_pack("{s:s,s:O,s:O,s:I}", "person", person->pseudonym, "before",
                                 before->tables, "left", left->tables, "address_found",
                                 (json_int_t) found->n));
    } else {
        g_print("erased; before, there were %" G_GUINT64_FORMAT " rows:\n", before->n);
        print_tables(before->tables);
        g_print("what is left, so that nothing is sent again:\n");
        print_tables(left->tables);
        g_print("rows in the whole store that hold the address: %" G_GUINT64_FORMAT "\n",
                found->n);
    }
    if (!found->n)
        return EX_OK;
    g_printerr("merganser: the address still stands in the store; look at these tables "
               "and run this again\n");
    print_tables(found->tables);
    return EX_SOFTWARE;
}

static int
erase(MrgPeople *people, const MrgTool *tool, const MrgPerson *person, gboolean is_yes)
{
    g_autoptr(GError) error = NULL;
    Count before = {NULL, 0, json_object()}, left = {NULL, 0, json_object()};
    Count found = {person->address, 0, json_object()};
    int code = EX_OK;
    if (!mrg_store_rows_of(people->store, &person->key, count_row, &before, &error))
        code = mrg_verb_fail(error);
    if (!code)
        code = mrg_confirm(is_yes,
                           "This removes %" G_GUINT64_FORMAT
                           " rows about this person for good; it cannot be undone.",
                           before.n);
    if (!code && !erase_and_look(people, person, &found, &left, &error))
        code = mrg_verb_fail(error);
    if (!code)
        code = tell(tool, person, &before, &found, &left);
    json_decref(before.tables);
    json_decref(found.tables);
    json_decref(left.tables);
    return code;
}

int
mrg_verb_profile_erase(MrgTool *tool, int argc, char **argv)
{
    gboolean is_yes = FALSE;
    const GOptionEntry entries[] = {
        {"yes", 'y', 0, G_OPTION_ARG_NONE, &is_yes, "do not ask", NULL}, {0}};
    g_auto(MrgPeople) people = {0};
    MrgPerson person;
    int code = mrg_verb_parse(tool, &argc, &argv, entries, 1);
    if (!code)
        code = mrg_people_open(&people, tool);
    if (!code)
        code = mrg_people_find(&people, argv[1], &person);
    return code ? code : erase(&people, tool, &person, is_yes);
}
