/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile import: rows of a file into the store, all of them or none.
 *
 * The first fault ends the store's part: no row is handed over any more, the rest of the
 * file is read for further faults, and the store takes back what it had.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "ctl/people-file.h"
#include "ctl/rehearsal.h"
#include "ctl/seen.h"
#include "ctl/terminal.h"
#include "milter/clock.h"
#include "milter/error.h"

#define FAULTS_SHOWN 50
#define STEP_ROWS 1024

typedef struct Import {
    MrgPeopleFile file;
    const MrgKeyring *keyring;
    MrgSeen *seen; /* a doubled address is an error */
    MrgProfile profile;
    guint64 n_rows, n_faults;
    GPtrArray *faults;    /* texts; the first ones */
    GPtrArray *addresses; /* NULL, or gets each */
    MrgProgress progress;
} Import;

static void
import_clear(Import *import)
{
    if (import->file.arena)
        mrg_people_file_clear(&import->file);
    mrg_seen_free(import->seen);
    g_ptr_array_unref(import->faults);
}

static gboolean
refuse_double(Import *import, const MrgPersonKey *key, GError **error)
{
    guint64 before = mrg_seen_add(import->seen, key, import->file.rows.line);
    return !before ||
           mrg_rows_fail(&import->file.rows, error,
                         "the address stands in line %" G_GUINT64_FORMAT " already",
                         before);
}

static gboolean
finish_row(Import *import, GError **error)
{
    MrgPeopleFile *file = &import->file;
    if (!file->address)
        return mrg_rows_fail(&file->rows, error, "the row has no address");
    const char *address = mrg_address_normalise(file->address, file->arena);
    if (!address)
        return mrg_rows_fail(&file->rows, error, "the address is malformed");
    MrgPersonKey key;
    mrg_person_key(import->keyring, address, &key);
    if (!refuse_double(import, &key, error))
        return FALSE;
    import->profile = (MrgProfile){
        .person = key,
        .address = address,
        .fields = (const MrgProfileField *) (gpointer) file->fields->data,
        .n_fields = file->fields->len,
        .consents = (const MrgConsent *) (gpointer) file->consents->data,
        .n_consents = file->consents->len,
        .suppressions = (const MrgSuppression *) (gpointer) file->suppressions->data,
        .n_suppressions = file->suppressions->len,
        .engagements = (const MrgEngagement *) (gpointer) file->engagements->data,
        .n_engagements = file->engagements->len,
    };
    return TRUE;
}

/* FALSE at the end of the file, or with error set. */
static gboolean
read_row(Import *import, GError **error)
{
    MrgPeopleFile *file = &import->file;
    g_autoptr(GError) problem = NULL;
    gboolean is_read = mrg_people_file_next(file, &problem);
    if (is_read || (problem && !file->rows.is_over))
        import->n_rows++;
    if (is_read)
        is_read = finish_row(import, &problem);
    if (problem)
        g_propagate_error(error, g_steal_pointer(&problem));
    if (import->n_rows % STEP_ROWS == 0)
        mrg_progress_step(&import->progress, import->n_rows, file->rows.n_bytes);
    return is_read;
}

static void
note_fault(Import *import, const GError *error)
{
    if (import->n_faults++ < FAULTS_SHOWN)
        g_ptr_array_add(import->faults, g_strdup(error->message));
}

/* Reads on to the end for what else is wrong; nothing more is taken. */
static void
collect_faults(Import *import)
{
    for (;;) {
        g_autoptr(GError) error = NULL;
        if (!read_row(import, &error) && !error)
            return;
        if (error)
            note_fault(import, error);
        if (import->file.rows.is_over)
            return;
    }
}

static const MrgProfile *
next_profile(gpointer context, GError **error)
{
    Import *import = context;
    g_autoptr(GError) problem = NULL;
    if (read_row(import, &problem)) {
        if (import->addresses)
            g_ptr_array_add(import->addresses, g_strdup(import->profile.address));
        return &import->profile;
    }
    if (!problem)
        return NULL;
    note_fault(import, problem);
    if (!import->file.rows.is_over)
        collect_faults(import);
    g_propagate_error(error, g_steal_pointer(&problem));
    return NULL;
}

/* store may be NULL: then the rows are only read. */
static gboolean
run_import(Import *import, const MrgStore *store, const char *path,
           const MrgPeopleRules *rules, GError **error)
{
    gboolean is_stdin = g_str_equal(path, "-");
    FILE *stream = is_stdin ? stdin : fopen(path, "re");
    if (!stream) {
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno),
                    "%s: cannot be read: %s", path, g_strerror(errno));
        return FALSE;
    }
    mrg_people_file_init(&import->file, stream, is_stdin ? "stdin" : path, rules);
    mrg_progress_begin(&import->progress, "profiles", stream);
    gboolean is_done = TRUE;
    if (store) {
        is_done = mrg_store_import(store, next_profile, import, NULL, error);
    } else {
        collect_faults(import);
        is_done = import->n_faults == 0;
    }
    mrg_progress_end(&import->progress);
    if (!is_stdin)
        fclose(stream);
    return is_done;
}

static Import
import_new(const MrgKeyring *keyring, GPtrArray *addresses)
{
    return (Import){.keyring = keyring,
                    .addresses = addresses,
                    .seen = mrg_seen_new(),
                    .faults = g_ptr_array_new_with_free_func(g_free)};
}

int
mrg_profiles_take(const MrgRehearsal *into, const char *path, GPtrArray *addresses)
{
    g_autoptr(GError) error = NULL;
    MrgPeopleRules rules = {.schema = into->conf->schema,
                            .now_us = mrg_clock_now_us(),
                            .takes_undeclared = TRUE};
    if (!mrg_people_format_guess(path, &rules.format))
        return mrg_verb_usage("the file of people must end in .jsonl or .csv");
    Import import = import_new(into->keyring, addresses);
    int code = EX_OK;
    if (!run_import(&import, into->store, path, &rules, &error))
        code = mrg_verb_fail(error);
    import_clear(&import);
    return code;
}

/* ---- the verb ---- */

typedef struct Request {
    char *format;
    gboolean is_dry, takes_undeclared;
} Request;

static int
choose_format(const Request *request, const char *path, MrgPeopleFormat *format)
{
    if (!request->format)
        return mrg_people_format_guess(path, format)
                   ? EX_OK
                   : mrg_verb_usage("the file of people must end in .jsonl or .csv, or "
                                    "--format must say which it is");
    *format = g_str_equal(request->format, "csv") ? MRG_PEOPLE_CSV : MRG_PEOPLE_JSONL;
    return *format == MRG_PEOPLE_CSV || g_str_equal(request->format, "jsonl")
               ? EX_OK
               : mrg_verb_usage("--format is csv or jsonl");
}

static void
print_result_json(const Import *import, const Request *request, gboolean is_done)
{
    json_t *faults = json_array();
    for (guint i = 0; i < import->faults->len; i++)
        json_array_append_new(faults, json_string(g_ptr_array_index(import->faults, i)));
    guint64 n = is_done && !request->is_dry ? import->n_rows : 0;
    mrg_print_json(json_pack("{s:I,s:I,s:b,s:I,s:o}", "imported", (json_int_t) n, "rows",
                             (json_int_t) import->n_rows, "dry_run", request->is_dry,
                             "n_faults", (json_int_t) import->n_faults, "faults", faults));
}

static void
print_faults(const Import *import)
{
    for (guint i = 0; i < import->faults->len; i++)
        g_printerr("merganser: %s\n", (char *) g_ptr_array_index(import->faults, i));
    if (import->n_faults > import->faults->len)
        g_printerr("merganser: and %" G_GUINT64_FORMAT " more faults\n",
                   import->n_faults - import->faults->len);
    g_printerr("merganser: nothing is imported (faults: %" G_GUINT64_FORMAT
               ", rows: %" G_GUINT64_FORMAT
               "); mend them and import the whole file again\n",
               import->n_faults, import->n_rows);
}

static int
tell(const Import *import, const MrgTool *tool, const Request *request, const GError *error,
     gboolean is_done)
{
    if (tool->is_json)
        print_result_json(import, request, is_done);
    else if (is_done)
        g_print("%" G_GUINT64_FORMAT " profiles %s\n", import->n_rows,
                request->is_dry ? "can be imported; nothing was changed" : "imported");
    if (is_done)
        return EX_OK;
    if (import->n_faults) {
        print_faults(import);
        return error && error->domain != MRG_ERROR && error->domain != MRG_STORE_ERROR
                   ? EX_IOERR
                   : EX_DATAERR;
    }
    g_printerr("merganser: nothing is imported\n");
    return mrg_verb_fail(error);
}

static int
run(MrgPeople *people, const MrgTool *tool, const Request *request, const char *path)
{
    MrgPeopleRules rules = {.schema = people->conf->schema,
                            .now_us = mrg_clock_now_us(),
                            .takes_undeclared = request->takes_undeclared};
    int code = choose_format(request, path, &rules.format);
    if (code)
        return code;
    g_autoptr(GError) error = NULL;
    Import import = import_new(people->keyring, NULL);
    gboolean is_done =
        run_import(&import, request->is_dry ? NULL : people->store, path, &rules, &error);
    code = tell(&import, tool, request, error, is_done);
    import_clear(&import);
    return code;
}

int
mrg_verb_profile_import(MrgTool *tool, int argc, char **argv)
{
    Request request = {0};
    const GOptionEntry entries[] = {
        {"format", 0, 0, G_OPTION_ARG_STRING, &request.format,
         "csv or jsonl, where the name does not say it", "NAME"},
        {"dry-run", 0, 0, G_OPTION_ARG_NONE, &request.is_dry,
         "read all of it and say what is wrong; change nothing", NULL},
        {"undeclared", 0, 0, G_OPTION_ARG_NONE, &request.takes_undeclared,
         "take fields that the schema does not declare", NULL},
        {0}};
    g_auto(MrgPeople) people = {0};
    int code = mrg_verb_parse(tool, &argc, &argv, entries, 1);
    MrgPeopleFormat format;
    if (!code)
        code = choose_format(&request, argv[1], &format);
    if (!code)
        code = mrg_people_open(&people, tool);
    if (!code)
        code = run(&people, tool, &request, argv[1]);
    g_free(request.format);
    return code;
}
