/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <unistd.h>

#include "ctl/people-file.h"
#include "ctl/rehearsal.h"
#include "milter/clock.h"
#include "milter/error.h"

#define PROGRESS_EVERY 10000

typedef struct Import {
    MrgPeopleFile file;
    const MrgKeyring *keyring;
    GHashTable *seen; /* MrgPersonKey; a doubled address is an error */
    MrgProfile profile;
    guint64 n_read;
    GPtrArray *addresses; /* NULL, or gets each */
    gboolean is_terminal;
} Import;

static gboolean
finish_row(Import *import, GError **error)
{
    MrgPeopleFile *file = &import->file;
    if (!file->address)
        return mrg_people_fail(file, error, "the row has no address");
    const char *address = mrg_address_normalise(file->address, file->arena);
    if (!address)
        return mrg_people_fail(file, error, "the address is malformed");
    MrgPersonKey key;
    mrg_person_key(import->keyring, address, &key);
    if (!g_hash_table_add(import->seen, g_memdup2(&key, sizeof key)))
        return mrg_people_fail(file, error, "the address stands in an earlier row already");
    import->profile = (MrgProfile){
        .person = key,
        .address = address,
        .fields = (const MrgProfileField *) (gpointer) file->fields->data,
        .n_fields = file->fields->len,
        .consents = (const MrgConsent *) (gpointer) file->consents->data,
        .n_consents = file->consents->len,
        .suppressions = (const MrgSuppression *) (gpointer) file->suppressions->data,
        .n_suppressions = file->suppressions->len,
    };
    return TRUE;
}

static const MrgProfile *
next_profile(gpointer context, GError **error)
{
    Import *import = context;
    MrgPeopleFile *file = &import->file;
    if (!mrg_people_file_next(file, error) || !finish_row(import, error))
        return NULL;
    if (++import->n_read % PROGRESS_EVERY == 0 && import->is_terminal)
        g_printerr("\r%" G_GUINT64_FORMAT " profiles", import->n_read);
    if (import->addresses)
        g_ptr_array_add(import->addresses, g_strdup(import->profile.address));
    return &import->profile;
}

static gboolean
run_import(Import *import, const MrgStore *store, const MrgSchema *schema, const char *path,
           guint64 *n, GError **error)
{
    FILE *stream = fopen(path, "re");
    if (!stream) {
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno),
                    "%s: cannot be read: %s", path, g_strerror(errno));
        return FALSE;
    }
    import->seen = g_hash_table_new_full(mrg_key_hash, mrg_key_equal, g_free, NULL);
    import->is_terminal = isatty(STDERR_FILENO);
    mrg_people_file_init(&import->file, stream, path, schema, mrg_clock_now_us());
    gboolean is_done = mrg_store_import(store, next_profile, import, n, error);
    if (import->is_terminal && import->n_read >= PROGRESS_EVERY)
        g_printerr("\n");
    mrg_people_file_clear(&import->file);
    g_hash_table_unref(import->seen);
    fclose(stream);
    return is_done;
}

static int
check_name(const char *path)
{
    if (g_str_has_suffix(path, ".csv") || g_str_has_suffix(path, ".jsonl"))
        return EX_OK;
    return mrg_verb_usage("the file of people must end in .jsonl or .csv");
}

int
mrg_profiles_take(const MrgRehearsal *into, const char *path, GPtrArray *addresses)
{
    g_autoptr(GError) error = NULL;
    Import import = {.keyring = into->keyring, .addresses = addresses};
    int code = check_name(path);
    if (!code && !run_import(&import, into->store, into->conf->schema, path, NULL, &error))
        code = mrg_verb_fail(error);
    return code;
}

int
mrg_verb_profile_import(MrgTool *tool, int argc, char **argv)
{
    g_auto(MrgPeople) people = {0};
    int code = mrg_verb_parse(tool, &argc, &argv, NULL, 1);
    if (!code)
        code = check_name(argv[1]);
    if (!code)
        code = mrg_people_open(&people, tool);
    if (code)
        return code;
    guint64 n = 0;
    g_autoptr(GError) error = NULL;
    Import import = {.keyring = people.keyring};
    if (!run_import(&import, people.store, people.conf->schema, argv[1], &n, &error)) {
        g_printerr("merganser: nothing is imported\n");
        return mrg_verb_fail(error);
    }
    if (tool->is_json)
        mrg_print_json(json_pack("{s:I}", "imported", (json_int_t) n));
    else
        g_print("%" G_GUINT64_FORMAT " profiles imported\n", n);
    return EX_OK;
}
