/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "collect/hit.h"
#include "ctl/load.h"
#include "milter/clock.h"
#include "milter/person/key.h"

/* What a person agrees to. */
typedef struct Wishes {
    gboolean may_open, may_click, may_profile;
} Wishes;

/* A batch that is put together. */
typedef struct Batch {
    MrgArena *arena;    /* all texts */
    GHashTable *wishes; /* MrgPersonKey -> Wishes */
    GArray *hits, *web_events, *people;
    MrgLoadCounts counts;
} Batch;

struct MrgLoad {
    MrgLoadOptions options;
    MrgJournalPosition position; /* as the store has it */
    MrgBursts *young, *old;      /* of this batch and the last */
    GHashTable *traps;           /* campaign and link -> whether nobody sees it */
    MrgLoadCounts counts;
};

/* ---- the store's position ---------------------------------------------- */

static gboolean
find_position(MrgLoad *load, GError **error)
{
    MrgJournalPosition *position = &load->position;
    if (!mrg_store_journal_position(load->options.store,
                                    mrg_journal_reader_id(load->options.reader),
                                    &position->segment, &position->offset, error))
        return FALSE;
    mrg_journal_reader_seek(load->options.reader, *position);
    return TRUE;
}

MrgLoad *
mrg_load_new(const MrgLoadOptions *options, GError **error)
{
    g_autoptr(MrgLoad) load = g_new0(MrgLoad, 1);
    load->options = *options;
    load->young = mrg_bursts_new();
    load->old = mrg_bursts_new();
    load->traps = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    return find_position(load, error) ? g_steal_pointer(&load) : NULL;
}

void
mrg_load_free(MrgLoad *load)
{
    mrg_bursts_free(load->young);
    mrg_bursts_free(load->old);
    g_hash_table_unref(load->traps);
    g_free(load);
}

const MrgLoadCounts *
mrg_load_counts(const MrgLoad *load)
{
    return &load->counts;
}

/* ---- batches ----------------------------------------------------------- */

static void
batch_init(Batch *batch)
{
    *batch = (Batch){
        .arena = mrg_arena_new(),
        .wishes = g_hash_table_new_full(mrg_key_hash, mrg_key_equal, NULL, NULL),
        .hits = g_array_new(FALSE, FALSE, sizeof(MrgHitRow)),
        .web_events = g_array_new(FALSE, FALSE, sizeof(MrgWebEvent)),
        .people = g_array_new(FALSE, FALSE, sizeof(MrgProfile)),
    };
}

static void
batch_clear(Batch *batch)
{
    g_hash_table_unref(batch->wishes);
    g_array_unref(batch->hits);
    g_array_unref(batch->web_events);
    g_array_unref(batch->people);
    mrg_arena_free(batch->arena);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Batch, batch_clear)

/* ---- people ------------------------------------------------------------ */

static gboolean
is_erased(const MrgState *state)
{
    for (gsize i = 0; i < state->n_suppressions; i++)
        if (strcmp(state->suppressions[i].reason, "erased") == 0)
            return TRUE;
    return FALSE;
}

static gboolean
is_granted(const MrgState *state, const char *purpose)
{
    for (gsize i = 0; i < state->n_consents; i++)
        if (strcmp(state->consents[i].purpose, purpose) == 0)
            return state->consents[i].state == MRG_CONSENT_GRANTED;
    return FALSE;
}

/* NULL on error.  Who was erased agrees to nothing. */
static const Wishes *
wishes_of(const MrgLoad *load, Batch *batch, const MrgPersonKey *person, GError **error)
{
    Wishes *wishes = g_hash_table_lookup(batch->wishes, person);
    if (wishes)
        return wishes;
    MrgState state;
    gint64 deadline_us = g_get_monotonic_time() + load->options.store_deadline_us;
    if (!mrg_store_load(load->options.store, person, NULL, NULL, 0, &state, batch->arena,
                        deadline_us, error))
        return NULL;
    wishes = mrg_arena_alloc0(batch->arena, sizeof *wishes);
    if (!is_erased(&state) && !load->options.is_anonymous)
        *wishes =
            (Wishes){is_granted(&state, "track_open"), is_granted(&state, "track_click"),
                     is_granted(&state, "profile")};
    MrgPersonKey *key = mrg_arena_alloc0(batch->arena, sizeof *key);
    *key = *person;
    g_hash_table_insert(batch->wishes, key, wishes);
    return wishes;
}

static gboolean
is_unsubscription(MrgHitKind kind)
{
    return kind == MRG_HIT_UNSUBSCRIBE || kind == MRG_HIT_ONE_CLICK;
}

/* Whether the person is recorded with a hit of this kind. */
static gboolean
may_record(const Wishes *wishes, const MrgHit *hit)
{
    switch (hit->kind) {
    case MRG_HIT_OPEN:
        return wishes->may_open;
    case MRG_HIT_CLICK:
        return wishes->may_click;
    case MRG_HIT_UNSUBSCRIBE:
    case MRG_HIT_ONE_CLICK:
    case MRG_HIT_PREFERENCES:
        return TRUE;
    case MRG_HIT_TRACK:
    case MRG_HIT_PAGE:
    case MRG_HIT_IDENTIFY:
        return wishes->may_profile && !(hit->flags & MRG_HIT_OPT_OUT);
    default: /* pages that were looked at */
        return FALSE;
    }
}

static void
add_person(Batch *batch, const MrgPersonKey *person, MrgProfile profile)
{
    profile.person = *person;
    g_array_append_val(batch->people, profile);
}

/* What was noted while the store was away. */
static void
add_suppression(Batch *batch, const MrgHit *hit)
{
    MrgSuppression *left = mrg_arena_alloc0(batch->arena, sizeof *left);
    *left = (MrgSuppression){.scope = mrg_arena_strdup(batch->arena, hit->scope),
                             .reason = "unsubscribed",
                             .at_us = hit->at_us};
    add_person(batch, &hit->person,
               (MrgProfile){.suppressions = left, .n_suppressions = 1});
    batch->counts.n_suppressed++;
}

/* What adaptive caps and segments go by. */
static void
add_engagement(Batch *batch, const MrgHitRow *row)
{
    gboolean is_open = row->kind == MRG_HIT_OPEN && (row->hit_class == MRG_CLASS_HUMAN ||
                                                     row->hit_class == MRG_CLASS_PROXY);
    gboolean is_click = row->kind == MRG_HIT_CLICK && row->hit_class == MRG_CLASS_HUMAN;
    if (!row->has_person || (!is_open && !is_click))
        return;
    MrgEngagement *did = mrg_arena_alloc0(batch->arena, sizeof *did);
    *did = (MrgEngagement){is_open ? "open" : "click", row->at_us};
    add_person(batch, &row->person, (MrgProfile){.engagements = did, .n_engagements = 1});
}

/* ---- links that nobody sees -------------------------------------------- */

static gboolean
ask_trap(const MrgLoad *load, Batch *batch, const MrgHit *hit, gboolean *is_trap,
         GError **error)
{
    const char *target = "";
    gint64 deadline_us = g_get_monotonic_time() + load->options.store_deadline_us;
    MrgFetch found = mrg_store_link_target(load->options.store, hit->campaign, hit->link,
                                           &target, batch->arena, deadline_us, error);
    *is_trap = found == MRG_FETCH_HIT && strcmp(target, load->options.trap) == 0;
    return found != MRG_FETCH_ERROR;
}

static gboolean
find_trap(MrgLoad *load, Batch *batch, const MrgHit *hit, gboolean *is_trap, GError **error)
{
    gint64 key = (gint64) ((guint64) hit->campaign << 32 | hit->link);
    gpointer known;
    *is_trap = *load->options.trap && strcmp(hit->target, load->options.trap) == 0;
    if (!*load->options.trap || !hit->link)
        return TRUE;
    if (g_hash_table_lookup_extended(load->traps, &key, NULL, &known)) {
        *is_trap = GPOINTER_TO_INT(known);
        return TRUE;
    }
    if (!ask_trap(load, batch, hit, is_trap, error))
        return FALSE;
    g_hash_table_insert(load->traps, g_memdup2(&key, sizeof key),
                        GINT_TO_POINTER(*is_trap));
    return TRUE;
}

/* ---- hits -------------------------------------------------------------- */

static guint32
since_token(const MrgHit *hit)
{
    gint64 since_s = hit->at_us / MRG_SECOND_US - hit->token_at_s;
    return (guint32) CLAMP(since_s, 0, (gint64) G_MAXUINT32);
}

/* Judged and stripped later, when the whole batch is known. */
static gboolean
add_hit(MrgLoad *load, Batch *batch, const MrgHit *hit, GError **error)
{
    gboolean is_trap = FALSE;
    MrgHitRow row = {
        .at_us = hit->at_us,
        .campaign = hit->campaign,
        .link = hit->link,
        .message = hit->message,
        .person = hit->person,
        .has_person = TRUE,
        .kind = hit->kind,
        .flags = hit->flags,
        .since_s = since_token(hit),
        .network_bytes = hit->network_bytes,
        .agent = mrg_arena_strdup(batch->arena, hit->agent),
    };
    memcpy(row.network, hit->network, sizeof row.network);
    if (hit->kind == MRG_HIT_CLICK) {
        guint32 link = hit->link ? hit->link : g_str_hash(hit->target);
        if (!find_trap(load, batch, hit, &is_trap, error))
            return FALSE;
        mrg_bursts_add(load->young, hit->message, link, hit->at_us, is_trap);
    }
    const Wishes *wishes = wishes_of(load, batch, &hit->person, error);
    if (!wishes)
        return FALSE;
    row.has_person = may_record(wishes, hit);
    g_array_append_val(batch->hits, row);
    if (is_unsubscription(hit->kind) && !(hit->flags & MRG_HIT_APPLIED))
        add_suppression(batch, hit);
    return TRUE;
}

static gboolean
add_web_event(const MrgLoad *load, Batch *batch, const MrgHit *hit, GError **error)
{
    MrgArena *arena = batch->arena;
    MrgWebEvent event = {
        .at_us = hit->at_us,
        .kind = hit->kind,
        .site = mrg_arena_strdup(arena, hit->site),
        .name = mrg_arena_strdup(arena, hit->name),
        .anonymous_id = mrg_arena_strdup(arena, hit->anonymous_id),
        .event_id = mrg_arena_strdup(arena, hit->event_id),
        .data = mrg_arena_strdup(arena, hit->data),
        .person = hit->person,
    };
    const Wishes *wishes =
        hit->has_token ? wishes_of(load, batch, &hit->person, error) : NULL;
    if (hit->has_token && !wishes)
        return FALSE;
    event.has_person = wishes && may_record(wishes, hit);
    event.identifies = event.has_person;
    batch->counts.n_nobody += wishes && !event.has_person;
    batch->counts.n_web_events++;
    g_array_append_val(batch->web_events, event);
    return TRUE;
}

static gboolean
add_record(MrgLoad *load, Batch *batch, const guint8 *payload, gsize length, GError **error)
{
    MrgHit hit;
    if (!mrg_hit_decode(&hit, payload, length)) {
        batch->counts.n_unreadable++;
        return TRUE;
    }
    if (*hit.site)
        return add_web_event(load, batch, &hit, error);
    return !hit.has_token || add_hit(load, batch, &hit, error);
}

/* ---- judging ----------------------------------------------------------- */

static MrgSurroundings
look_around(const MrgLoad *load, const MrgHitRow *row)
{
    MrgSurroundings now = mrg_bursts_around(load->young, row->message, row->at_us);
    MrgSurroundings before = mrg_bursts_around(load->old, row->message, row->at_us);
    return (MrgSurroundings){MIN(now.n_links + before.n_links, MRG_BURST_LINKS),
                             now.is_trapped || before.is_trapped};
}

/* Nobody's hit has a class, a kind and a time. */
static void
strip(MrgHitRow *row)
{
    row->message = 0;
    row->network_bytes = 0;
    row->agent = "";
    row->person = (MrgPersonKey){{0}};
}

static void
judge_hits(const MrgLoad *load, Batch *batch)
{
    for (guint i = 0; i < batch->hits->len; i++) {
        MrgHitRow *row = &g_array_index(batch->hits, MrgHitRow, i);
        MrgSurroundings around = look_around(load, row);
        MrgSign sign = mrg_classify(load->options.signs, row, &around);
        row->hit_class = sign.hit_class;
        row->reason = sign.reason;
        if (!row->has_person)
            strip(row);
        else if (is_unsubscription(row->kind)) {
            row->network_bytes = 0;
            row->agent = "";
        }
        add_engagement(batch, row);
        batch->counts.n_hits++;
        batch->counts.n_nobody += !row->has_person;
        batch->counts.n_of[row->hit_class]++;
    }
}

/* ---- a step ------------------------------------------------------------ */

/* Reads up to a full batch; *to is where it ends. */
static MrgJournalRead
fill(MrgLoad *load, Batch *batch, gint64 until_us, MrgJournalPosition *to, GError **error)
{
    MrgJournalRead read = MRG_JOURNAL_RECORD;
    for (guint n = 0; n < MRG_LOAD_BATCH; n++) {
        const guint8 *payload;
        gsize length;
        MrgJournalPosition after;
        MrgHit hit;
        read = mrg_journal_read(load->options.reader, &payload, &length, &after, error);
        if (read != MRG_JOURNAL_RECORD)
            return read;
        if (mrg_hit_decode(&hit, payload, length) && hit.at_us >= until_us)
            return MRG_JOURNAL_END;
        if (!add_record(load, batch, payload, length, error))
            return MRG_JOURNAL_ERROR;
        *to = after;
    }
    return read;
}

static MrgCommit
record(const MrgLoad *load, const Batch *batch, MrgJournalPosition to, GError **error)
{
    const MrgHitBatch all = {
        .journal = mrg_journal_reader_id(load->options.reader),
        .from_segment = load->position.segment,
        .from_offset = load->position.offset,
        .to_segment = to.segment,
        .to_offset = to.offset,
        .hits = (const MrgHitRow *) (gpointer) batch->hits->data,
        .n_hits = batch->hits->len,
        .web_events = (const MrgWebEvent *) (gpointer) batch->web_events->data,
        .n_web_events = batch->web_events->len,
        .people = (const MrgProfile *) (gpointer) batch->people->data,
        .n_people = batch->people->len,
    };
    return mrg_store_record_hits(load->options.store, &all, error);
}

static void
add_counts(MrgLoadCounts *sum, const MrgLoadCounts *counts)
{
    sum->n_hits += counts->n_hits;
    sum->n_web_events += counts->n_web_events;
    sum->n_nobody += counts->n_nobody;
    sum->n_suppressed += counts->n_suppressed;
    sum->n_unreadable += counts->n_unreadable;
    for (gsize i = 0; i < G_N_ELEMENTS(sum->n_of); i++)
        sum->n_of[i] += counts->n_of[i];
}

/* The batch is in the store; what is before it in the journal goes. */
static gboolean
go_on(MrgLoad *load, const Batch *batch, MrgJournalPosition to, GError **error)
{
    add_counts(&load->counts, &batch->counts);
    load->position = to;
    mrg_bursts_free(load->old);
    load->old = g_steal_pointer(&load->young);
    load->young = mrg_bursts_new();
    return mrg_journal_remove_loaded(load->options.reader, to, error);
}

/* The batch is read again. */
static MrgLoadResult
give_up(MrgLoad *load)
{
    mrg_journal_reader_seek(load->options.reader, load->position);
    g_clear_pointer(&load->young, mrg_bursts_free);
    load->young = mrg_bursts_new();
    return MRG_LOAD_ERROR;
}

static MrgLoadResult
finish(MrgLoad *load, const Batch *batch, MrgJournalPosition to, gboolean is_end,
       GError **error)
{
    MrgCommit commit = record(load, batch, to, error);
    if (commit == MRG_COMMIT_ERROR)
        return give_up(load);
    if (commit == MRG_COMMIT_DONE) {
        if (!go_on(load, batch, to, error))
            return MRG_LOAD_ERROR;
        mrg_journal_reader_seek(load->options.reader, to);
        return is_end ? MRG_LOAD_END : MRG_LOAD_MORE;
    }
    /* Another loader was faster, or the answer was lost: the store knows. */
    g_clear_pointer(&load->young, mrg_bursts_free);
    load->young = mrg_bursts_new();
    return find_position(load, error) ? MRG_LOAD_MORE : MRG_LOAD_ERROR;
}

MrgLoadResult
mrg_load_step(MrgLoad *load, gint64 until_us, GError **error)
{
    g_auto(Batch) batch;
    batch_init(&batch);
    MrgJournalPosition to = load->position;
    MrgJournalRead read = fill(load, &batch, until_us, &to, error);
    if (read == MRG_JOURNAL_ERROR)
        return give_up(load);
    gboolean is_end = read == MRG_JOURNAL_END;
    if (to.segment == load->position.segment && to.offset == load->position.offset) {
        mrg_journal_reader_seek(load->options.reader, to);
        return MRG_LOAD_END;
    }
    judge_hits(load, &batch);
    return finish(load, &batch, to, is_end, error);
}
