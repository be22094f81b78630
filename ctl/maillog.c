/* SPDX-License-Identifier: Apache-2.0 */
/*
 * maillog: what remote servers said of each copy, out of Postfix's log.
 *
 * Reading a log twice changes nothing: a delivery is known by its copy and state.  Which
 * copy a queue file holds, our own line says; the ones that have not gone yet are
 * remembered for as long as the program reads, so that a log is to be read from where its
 * copies begin.  Who follows a log writes down that place together with the deliveries, as
 * the position of a journal, and begins there the next time.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "ctl/log-file.h"
#include "ctl/mail-log.h"
#include "ctl/verb.h"
#include "milter/clock.h"
#include "milter/hits.h"

#define BATCH 1000
#define COPIES_MAX 1000000 /* remembered; beyond them the log is too far behind */
#define WAIT_US (G_USEC_PER_SEC / 2)

/* Postfix returns what it could not deliver for 5 days (maximal_queue_lifetime); a copy
 * that is older holds the place no more. */
#define OPEN_MAX_US (7 * 24 * 3600 * MRG_SECOND_US)

/* Counted references: by queue id, and in the order of the log. */
typedef struct Copy {
    guint64 message;
    guint32 campaign;
    gboolean is_done; /* nothing more will be said of it */
    gint64 at_us;
    MrgLogPlace place;
} Copy;

typedef struct Reading {
    MrgPeople *people;
    MrgLogFile *file; /* that is followed, or NULL */
    char *journal;    /* its name, and how far it is recorded */
    MrgLogPlace recorded;
    GQueue *open;          /* Copy, from the oldest that is not done */
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

static void
end_copy(Reading *reading, const char *queue_id)
{
    Copy *copy = g_hash_table_lookup(reading->copies, queue_id);
    if (copy)
        copy->is_done = TRUE;
    g_hash_table_remove(reading->copies, queue_id);
}

static void
forget_copies(Reading *reading)
{
    g_hash_table_remove_all(reading->copies);
    g_queue_clear_full(reading->open, g_rc_box_release);
}

/* A queue id is used again in time: the last copy counts. */
static gboolean
take_copy(Reading *reading, const MrgLogLine *line, const MrgLogPlace *place,
          GError **error)
{
    guint32 campaign;
    if (!find_campaign(reading, line->campaign, &campaign, error))
        return FALSE;
    end_copy(reading, line->queue_id);
    reading->n_copies++;
    if (!line->is_queued)
        return TRUE;
    if (g_hash_table_size(reading->copies) >= COPIES_MAX)
        forget_copies(reading);
    Copy *copy = g_rc_box_new(Copy);
    *copy = (Copy){mrg_message_number(&line->copy), campaign, FALSE, line->at_us, *place};
    g_hash_table_insert(reading->copies, g_strdup(line->queue_id), copy);
    if (reading->file)
        g_queue_push_tail(reading->open, g_rc_box_acquire(copy));
    return TRUE;
}

static void
take_delivery(Reading *reading, const MrgLogLine *line)
{
    Copy *copy = g_hash_table_lookup(reading->copies, line->queue_id);
    if (!copy || !copy->message) {
        reading->n_strange++;
        return;
    }
    copy->is_done = line->state != MRG_DELIVERY_DEFERRED;
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

/* Where the oldest copy stands of which more will be said. */
static MrgLogPlace
find_place(Reading *reading)
{
    gint64 since_us = mrg_clock_now_us() - OPEN_MAX_US;
    Copy *copy;
    while ((copy = g_queue_peek_head(reading->open)) &&
           (copy->is_done || copy->at_us < since_us))
        g_rc_box_release(g_queue_pop_head(reading->open));
    return copy ? copy->place : mrg_log_file_place(reading->file);
}

static gboolean
write_down(Reading *reading, const MrgHitBatch *batch, GError **error)
{
    MrgCommit commit = mrg_store_record_hits(reading->people->store, batch, error);
    if (commit == MRG_COMMIT_CONFLICT)
        g_set_error_literal(error, MRG_STORE_ERROR, MRG_STORE_ERROR_UNAVAILABLE,
                            "another process follows this log");
    else if (commit == MRG_COMMIT_UNCERTAIN)
        g_set_error_literal(error, MRG_STORE_ERROR, MRG_STORE_ERROR_UNAVAILABLE,
                            "the store cannot say whether it wrote; read the log again");
    return commit == MRG_COMMIT_DONE;
}

/* A place alone is written down only where it stands in another file, or at the end: lines
 * may be read twice. */
static gboolean
record(Reading *reading, gboolean is_end, GError **error)
{
    MrgLogPlace was = reading->recorded, is = was;
    MrgHitBatch batch = {
        .deliveries = (const MrgDelivery *) (gpointer) reading->deliveries->data,
        .n_deliveries = reading->deliveries->len,
    };
    if (reading->file)
        is = find_place(reading);
    if (!batch.n_deliveries && is.file == was.file && (!is_end || is.offset == was.offset))
        return TRUE;
    if (reading->file) {
        batch.journal = reading->journal;
        batch.from_segment = was.file;
        batch.from_offset = was.offset;
        batch.to_segment = is.file;
        batch.to_offset = is.offset;
    }
    if (!write_down(reading, &batch, error))
        return FALSE;
    reading->recorded = is;
    reading->n_recorded += batch.n_deliveries;
    g_array_set_size(reading->deliveries, 0);
    g_clear_pointer(&reading->arena, mrg_arena_free);
    reading->arena = mrg_arena_new();
    return TRUE;
}

static gboolean
take_line(Reading *reading, const char *text, const MrgLogPlace *place, GError **error)
{
    MrgLogLine line;
    mrg_log_line_read(&line, text, mrg_clock_now_us());
    if (line.kind == MRG_LOG_COPY)
        return take_copy(reading, &line, place, error);
    if (line.kind == MRG_LOG_DELIVERY)
        take_delivery(reading, &line);
    else if (line.kind == MRG_LOG_GONE)
        end_copy(reading, line.queue_id);
    return reading->deliveries->len < BATCH || record(reading, FALSE, error);
}

/* ---- files ------------------------------------------------------------- */

/* Lines that are too long, or hold a NUL, are none of ours; nor is one that has no end. */
static gboolean
read_once(Reading *reading, const char *path, GError **error)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    gboolean is_fine = TRUE;
    FILE *file = g_str_equal(path, "-") ? stdin : fopen(path, "rbe");
    if (!file) {
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno),
                    "%s: cannot be read: %s", path, g_strerror(errno));
        return FALSE;
    }
    while (is_fine && !is_stopped && (length = getline(&line, &size, file)) > 0 &&
           line[length - 1] == '\n') {
        line[length - 1] = '\0';
        is_fine = take_line(reading, line, &(MrgLogPlace){0}, error);
    }
    free(line);
    if (file != stdin)
        fclose(file);
    return is_fine && record(reading, TRUE, error);
}

static void
warn_of_lost(const char *path, guint *n_told, guint n_lost)
{
    if (n_lost > *n_told)
        g_printerr("merganser: %s: was rotated away before all of it was read\n", path);
    *n_told = n_lost;
}

static gboolean
follow_lines(Reading *reading, const char *path, GError **error)
{
    MrgLogRead read = MRG_LOG_READ_LINE;
    guint n_told = 0;
    while (!is_stopped) {
        char *line;
        MrgLogPlace place;
        read = mrg_log_file_read(reading->file, &line, &place, error);
        warn_of_lost(path, &n_told, mrg_log_file_n_lost(reading->file));
        if (read == MRG_LOG_READ_ERROR ||
            (read == MRG_LOG_READ_LINE && !take_line(reading, line, &place, error)) ||
            (read == MRG_LOG_READ_END && !record(reading, FALSE, error)))
            return FALSE;
        if (read == MRG_LOG_READ_END)
            g_usleep(WAIT_US);
    }
    return record(reading, TRUE, error);
}

/* Of a host and a file: what they are called is the admin's own. */
static char *
name_journal(const Reading *reading, const char *path)
{
    g_autofree char *whole = g_canonicalize_filename(path, NULL);
    g_autofree char *text =
        g_strconcat(reading->people->conf->policy_host, ":", whole, NULL);
    g_autofree char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
    return g_strdup_printf("maillog-%.32s", hash);
}

static gboolean
follow(Reading *reading, const char *path, GError **error)
{
    MrgLogPlace *place = &reading->recorded;
    g_autofree char *journal = name_journal(reading, path);
    if (!mrg_store_journal_position(reading->people->store, journal, &place->file,
                                    &place->offset, error))
        return FALSE;
    g_autoptr(MrgLogFile) file = mrg_log_file_open(path, place, error);
    reading->journal = journal;
    reading->file = file;
    return file && follow_lines(reading, path, error);
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
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_rc_box_release);
    g_autoptr(GHashTable) campaigns =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GArray) deliveries = g_array_new(FALSE, FALSE, sizeof(MrgDelivery));
    Reading reading = {.people = people,
                       .open = g_queue_new(),
                       .copies = copies,
                       .campaigns = campaigns,
                       .deliveries = deliveries,
                       .arena = mrg_arena_new()};
    gboolean is_fine =
        follows ? follow(&reading, path, &error) : read_once(&reading, path, &error);
    mrg_arena_free(reading.arena);
    g_queue_free_full(reading.open, g_rc_box_release);
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
