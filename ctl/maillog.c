/* SPDX-License-Identifier: Apache-2.0 */
/*
 * maillog: what remote servers said of each copy, out of Postfix's log.
 *
 * Reading a log twice changes nothing: a delivery is known by its copy and state.  Which
 * copy a queue file holds, our own line says; the ones that have not gone yet are
 * remembered for as long as the program reads, so that a log is to be read from where its
 * copies begin.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "ctl/mail-log.h"
#include "ctl/verb.h"
#include "milter/clock.h"
#include "milter/hits.h"

#define BATCH 1000
#define COPIES_MAX 1000000 /* remembered; beyond them the log is too far behind */
#define WAIT_US (G_USEC_PER_SEC / 2)

typedef struct Copy {
    guint64 message;
    guint32 campaign;
} Copy;

typedef struct Reading {
    MrgPeople *people;
    GHashTable *copies;    /* queue id -> Copy */
    GHashTable *campaigns; /* name -> number */
    GArray *deliveries;
    MrgArena *arena; /* of the batch */
    guint64 n_copies, n_recorded, n_strange;
} Reading;

static volatile sig_atomic_t is_stopped;

static void
stop(int signal G_GNUC_UNUSED)
{
    is_stopped = 1;
}

/* ---- lines ------------------------------------------------------------- */

static gboolean
find_campaign(Reading *reading, const char *name, guint32 *number, GError **error)
{
    *number = GPOINTER_TO_UINT(g_hash_table_lookup(reading->campaigns, name));
    if (*number)
        return TRUE;
    gint64 deadline_us = g_get_monotonic_time() + reading->people->conf->store_deadline;
    if (!mrg_store_campaign_number(reading->people->store, name, number, deadline_us,
                                   error))
        return FALSE;
    g_hash_table_insert(reading->campaigns, g_strdup(name), GUINT_TO_POINTER(*number));
    return TRUE;
}

/* A queue id is used again in time: the last copy counts. */
static gboolean
take_copy(Reading *reading, const MrgLogLine *line, GError **error)
{
    Copy copy = {mrg_message_number(&line->copy), 0};
    if (!find_campaign(reading, line->campaign, &copy.campaign, error))
        return FALSE;
    if (g_hash_table_size(reading->copies) >= COPIES_MAX)
        g_hash_table_remove_all(reading->copies);
    g_hash_table_replace(reading->copies, g_strdup(line->queue_id),
                         g_memdup2(&copy, sizeof copy));
    reading->n_copies++;
    return TRUE;
}

static void
take_delivery(Reading *reading, const MrgLogLine *line)
{
    const Copy *copy = g_hash_table_lookup(reading->copies, line->queue_id);
    if (!copy || !copy->message) {
        reading->n_strange++;
        return;
    }
    MrgDelivery delivery = {.message = copy->message,
                            .campaign = copy->campaign,
                            .state = line->state,
                            .at_us = line->at_us,
                            .code = mrg_arena_strdup(reading->arena, line->code)};
    const char *address = mrg_address_normalise(line->address, reading->arena);
    delivery.has_person = address != NULL;
    if (address)
        mrg_person_key(reading->people->keyring, address, &delivery.person);
    g_array_append_val(reading->deliveries, delivery);
}

static gboolean
record(Reading *reading, GError **error)
{
    const MrgHitBatch batch = {
        .deliveries = (const MrgDelivery *) (gpointer) reading->deliveries->data,
        .n_deliveries = reading->deliveries->len,
    };
    if (!batch.n_deliveries)
        return TRUE;
    MrgCommit commit = mrg_store_record_hits(reading->people->store, &batch, error);
    if (commit == MRG_COMMIT_ERROR)
        return FALSE;
    if (commit != MRG_COMMIT_DONE) {
        g_set_error_literal(error, MRG_STORE_ERROR, MRG_STORE_ERROR_UNAVAILABLE,
                            "the store cannot say whether it wrote; read the log again");
        return FALSE;
    }
    reading->n_recorded += batch.n_deliveries;
    g_array_set_size(reading->deliveries, 0);
    g_clear_pointer(&reading->arena, mrg_arena_free);
    reading->arena = mrg_arena_new();
    return TRUE;
}

static gboolean
take_line(Reading *reading, const char *text, GError **error)
{
    MrgLogLine line;
    mrg_log_line_read(&line, text, mrg_clock_now_us());
    if (line.kind == MRG_LOG_COPY)
        return take_copy(reading, &line, error);
    if (line.kind == MRG_LOG_DELIVERY)
        take_delivery(reading, &line);
    return reading->deliveries->len < BATCH || record(reading, error);
}

/* ---- files ------------------------------------------------------------- */

/* Lines that are too long, or hold a NUL, are none of ours; a line that has no end yet is
 * given back. */
static gboolean
read_lines(Reading *reading, FILE *file, GString *rest, GError **error)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    gboolean is_fine = TRUE;
    while (is_fine && !is_stopped && (length = getline(&line, &size, file)) > 0) {
        if (line[length - 1] != '\n') {
            if (rest->len <= MRG_MAIL_LOG_LINE_MAX)
                g_string_append_len(rest, line, length);
            break;
        }
        line[length - 1] = '\0';
        g_string_append(rest, line);
        is_fine = take_line(reading, rest->str, error);
        g_string_truncate(rest, 0);
    }
    free(line);
    return is_fine && record(reading, error);
}

/* Whether another file has been put in the place of the one that is read. */
static gboolean
is_rotated(const char *path, FILE *file)
{
    struct stat named, open;
    return stat(path, &named) == 0 && fstat(fileno(file), &open) == 0 &&
           (named.st_ino != open.st_ino || named.st_size < open.st_size);
}

static FILE *
open_log(const char *path, GError **error)
{
    FILE *file = g_str_equal(path, "-") ? stdin : fopen(path, "rbe");
    if (!file)
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno),
                    "%s: cannot be read: %s", path, g_strerror(errno));
    return file;
}

static gboolean
read_log(Reading *reading, const char *path, gboolean follows, GError **error)
{
    g_autoptr(GString) rest = g_string_new(NULL);
    FILE *file = open_log(path, error);
    gboolean is_fine = file && read_lines(reading, file, rest, error);
    while (is_fine && follows && !is_stopped) {
        g_usleep(WAIT_US);
        clearerr(file);
        is_fine = read_lines(reading, file, rest, error);
        if (!is_fine || !is_rotated(path, file))
            continue;
        fclose(file);
        g_string_truncate(rest, 0);
        file = open_log(path, error);
        is_fine = file != NULL;
    }
    if (file && file != stdin)
        fclose(file);
    return is_fine;
}

/* ---- the verb ---------------------------------------------------------- */

static void
print_read(const MrgTool *tool, const Reading *reading)
{
    if (tool->is_json)
        mrg_print_json(json_pack("{s:I,s:I,s:I}", "copies", (json_int_t) reading->n_copies,
                                 "deliveries", (json_int_t) reading->n_recorded, "others",
                                 (json_int_t) reading->n_strange));
    else
        g_print("%" G_GUINT64_FORMAT " copies, %" G_GUINT64_FORMAT
                " deliveries recorded; %" G_GUINT64_FORMAT " of other mail\n",
                reading->n_copies, reading->n_recorded, reading->n_strange);
}

static int
run(const MrgTool *tool, MrgPeople *people, const char *path, gboolean follows)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GHashTable) copies =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autoptr(GHashTable) campaigns =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GArray) deliveries = g_array_new(FALSE, FALSE, sizeof(MrgDelivery));
    Reading reading = {.people = people,
                       .copies = copies,
                       .campaigns = campaigns,
                       .deliveries = deliveries,
                       .arena = mrg_arena_new()};
    gboolean is_fine = read_log(&reading, path, follows, &error);
    mrg_arena_free(reading.arena);
    if (!is_fine)
        return mrg_verb_fail(error);
    print_read(tool, &reading);
    return EX_OK;
}

int
mrg_verb_maillog(MrgTool *tool, int argc, char **argv)
{
    gboolean follows = FALSE;
    const GOptionEntry entries[] = {
        {"follow", 0, 0, G_OPTION_ARG_NONE, &follows, "Go on until stopped", NULL},
        {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL}};
    g_auto(MrgPeople) people = {0};
    int code = mrg_verb_parse(tool, &argc, &argv, entries, 1);
    if (!code && follows && g_str_equal(argv[1], "-"))
        code = mrg_verb_usage("--follow needs a file");
    if (!code)
        code = mrg_people_open(&people, tool);
    if (code)
        return code;
    signal(SIGTERM, stop);
    signal(SIGINT, stop);
    return run(tool, &people, argv[1], follows);
}
