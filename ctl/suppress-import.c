/* SPDX-License-Identifier: Apache-2.0 */
/*
 * suppress import: somebody else's list of whom not to write to.
 *
 * A line is an address, or a key as 'suppress list' prints it; in CSV a column holds them.
 * What is kept is the key: the addresses are hashed as they are read, and stored nowhere.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "ctl/people-file.h"
#include "ctl/suppress.h"
#include "ctl/terminal.h"
#include "milter/clock.h"
#include "milter/error.h"

#define FAULTS_SHOWN 50
#define STEP_ROWS 1024

typedef struct Import {
    MrgRows rows;
    const MrgKeyring *keyring;
    const MrgSuppression *suppression;
    const char *column; /* CSV: the wanted one, or NULL */
    gboolean is_csv, skips_faults;
    gboolean is_broken; /* reading failed: what is not read cannot be left out */
    gsize at;           /* CSV: its place */
    GHashTable *seen;
    MrgArena *arena;
    MrgProfile profile;
    guint64 n_people, n_doubled, n_faults;
    MrgProgress progress;
} Import;

/* What such columns are called in the wild. */
static gboolean
is_address_column(const char *name)
{
    static const char *const names[] = {"address",   "email", "emailaddress", "mail", "key",
                                        "recipient", NULL};
    g_autofree char *plain = g_ascii_strdown(name, -1);
    char *out = plain;
    for (const char *c = plain; *c; c++)
        if (!strchr(" _-", *c))
            *out++ = *c;
    *out = '\0';
    return g_strv_contains(names, plain);
}

static gboolean
read_head(Import *import, GError **error)
{
    MrgRows *rows = &import->rows;
    if (!mrg_rows_csv(rows, error))
        return FALSE;
    for (import->at = 0; import->at < rows->cells->len; import->at++) {
        const char *name = g_ptr_array_index(rows->cells, import->at);
        if (import->column ? g_str_equal(name, import->column) : is_address_column(name))
            return TRUE;
    }
    return mrg_rows_fail(rows, error,
                         "no column of addresses is found; name it with --column");
}

/* The text of the next row; NULL at the end, or with error set. */
static const char *
next_text(Import *import, GError **error)
{
    MrgRows *rows = &import->rows;
    if (!import->is_csv)
        return mrg_rows_line(rows, error) ? rows->row->str : NULL;
    if (!mrg_rows_csv(rows, error))
        return NULL;
    if (import->at < rows->cells->len)
        return g_ptr_array_index(rows->cells, import->at);
    mrg_rows_fail(rows, error, "the row has no cell in the column of addresses");
    return NULL;
}

static gboolean
read_key(Import *import, const char *text, MrgPersonKey *key, GError **error)
{
    g_autofree char *word = g_strstrip(g_strdup(text));
    if (mrg_key_parse(word, key))
        return TRUE;
    const char *address = mrg_address_normalise(word, import->arena);
    if (!address)
        return mrg_rows_fail(&import->rows, error, "neither an address nor a key");
    mrg_person_key(import->keyring, address, key);
    return TRUE;
}

static void
note_fault(Import *import, const GError *error)
{
    if (import->n_faults++ < FAULTS_SHOWN)
        g_printerr("merganser: %s\n", error->message);
}

/* The next person who has not come yet; FALSE at the end. */
static gboolean
next_person(Import *import, MrgPersonKey *key)
{
    while (!import->rows.is_over) {
        g_autoptr(GError) error = NULL;
        mrg_arena_reset(import->arena);
        const char *text = next_text(import, &error);
        gboolean is_read = text && read_key(import, text, key, &error);
        if (error)
            note_fault(import, error);
        import->is_broken |= error && error->domain == G_FILE_ERROR;
        if (!is_read)
            continue;
        if (!g_hash_table_add(import->seen, g_memdup2(key, sizeof *key))) {
            import->n_doubled++;
            continue;
        }
        if (++import->n_people % STEP_ROWS == 0)
            mrg_progress_step(&import->progress, import->n_people, import->rows.n_bytes);
        return TRUE;
    }
    return FALSE;
}

static const MrgProfile *
next_profile(gpointer context, GError **error)
{
    Import *import = context;
    MrgPersonKey key;
    gboolean is_there = next_person(import, &key);
    gboolean is_refused = import->is_broken || (import->n_faults && !import->skips_faults);
    if (is_refused) {
        while (next_person(import, &key))
            continue;
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONTROL,
                    "nothing is imported: %" G_GUINT64_FORMAT " lines cannot be read; %s",
                    import->n_faults,
                    import->is_broken ? "see to the file and import it again"
                                      : "mend them, or leave them out with --skip-faults");
    }
    if (!is_there || is_refused)
        return NULL;
    import->profile = (MrgProfile){
        .person = key, .suppressions = import->suppression, .n_suppressions = 1};
    return &import->profile;
}

static int
tell(const Import *import, const MrgTool *tool)
{
    if (tool->is_json)
        mrg_print_json(json_pack(
            "{s:I,s:I,s:I,s:s,s:s}", "suppressed", (json_int_t) import->n_people, "doubled",
            (json_int_t) import->n_doubled, "faults", (json_int_t) import->n_faults,
            "scope", import->suppression->scope, "reason", import->suppression->reason));
    else
        g_print("%" G_GUINT64_FORMAT " people suppressed (%s, %s); %" G_GUINT64_FORMAT
                " doubled, %" G_GUINT64_FORMAT " lines left out\n",
                import->n_people, import->suppression->scope, import->suppression->reason,
                import->n_doubled, import->n_faults);
    return EX_OK;
}

static int
run_import(Import *import, MrgPeople *people, const MrgTool *tool, const char *path)
{
    gboolean is_stdin = g_str_equal(path, "-");
    FILE *stream = is_stdin ? stdin : fopen(path, "re");
    if (!stream) {
        g_printerr("merganser: %s: cannot be read: %s\n", path, g_strerror(errno));
        return EX_NOINPUT;
    }
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgArena) arena = mrg_arena_new();
    import->keyring = people->keyring;
    import->arena = arena;
    import->seen = g_hash_table_new_full(mrg_key_hash, mrg_key_equal, g_free, NULL);
    mrg_rows_init(&import->rows, stream, is_stdin ? "stdin" : path);
    mrg_progress_begin(&import->progress, "people", stream);
    gboolean is_done = (!import->is_csv || read_head(import, &error)) &&
                       mrg_store_import(people->store, next_profile, import, NULL, &error);
    mrg_progress_end(&import->progress);
    mrg_rows_clear(&import->rows);
    g_hash_table_unref(import->seen);
    if (!is_stdin)
        fclose(stream);
    if (is_done)
        return tell(import, tool);
    return error ? mrg_verb_fail(error) : mrg_verb_usage("the file is empty");
}

typedef struct Request {
    MrgSuppressArgs args;
    char *column, *format;
    gboolean skips_faults;
} Request;

static int
run(const Request *request, const MrgSuppression *suppression, const MrgTool *tool,
    const char *path)
{
    g_auto(MrgPeople) people = {0};
    if (request->format && !g_str_equal(request->format, "csv") &&
        !g_str_equal(request->format, "lines"))
        return mrg_verb_usage("--format is csv or lines");
    int code = mrg_people_open(&people, tool);
    if (code)
        return code;
    Import import = {.suppression = suppression,
                     .column = request->column,
                     .skips_faults = request->skips_faults};
    import.is_csv = request->format ? g_str_equal(request->format, "csv")
                                    : g_str_has_suffix(path, ".csv");
    return run_import(&import, &people, tool, path);
}

int
mrg_verb_suppress_import(MrgTool *tool, int argc, char **argv)
{
    Request request = {0};
    const GOptionEntry entries[] = {MRG_SUPPRESS_ENTRIES(&request.args),
                                    {"column", 0, 0, G_OPTION_ARG_STRING, &request.column,
                                     "CSV: the column of addresses or keys", "NAME"},
                                    {"format", 0, 0, G_OPTION_ARG_STRING, &request.format,
                                     "csv, or lines with one address or key each", "NAME"},
                                    {"skip-faults", 0, 0, G_OPTION_ARG_NONE,
                                     &request.skips_faults,
                                     "leave out lines that cannot be read", NULL},
                                    {0}};
    MrgSuppression suppression;
    int code = mrg_verb_parse(tool, &argc, &argv, entries, 1);
    if (!code)
        code = mrg_suppress_read(&request.args, mrg_clock_now_us(), &suppression);
    if (!code)
        code = run(&request, &suppression, tool, argv[1]);
    mrg_suppress_clear(&request.args);
    g_free(request.column);
    g_free(request.format);
    return code;
}
