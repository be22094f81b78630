/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policy and commit are in outcome.c.  The steps stand in the table at the end, in the
 * order mail flows; each takes the merge a stage further, or sets the verdict, or fails
 * with an error that disposition.c turns into one.
 */
#include "config.h"

#include <string.h>

#include "milter/clock.h"
#include "milter/counters.h"
#include "milter/error.h"
#include "milter/outcome.h"
#include "milter/stamp/chain.h"
#include "milter/witness/outbox.h"

/* Contents in flight at once: far more than an MTA's process limit. */
#define PLANS_KEPT 256
#define PLAN_LIFE_US (10 * 60 * MRG_SECOND_US)
/* libmilter sends no header of 64 KiB or more, and encoded words take up to twice the room:
 * a longer one would be tried again until the MTA gives up. */
#define FIELD_MAX 16384

/* ---- message ---- */

static gboolean
refuse_defect(const MrgEnvelope *envelope, GError **error)
{
    MrgDefect defect = envelope->defect;
    if (defect == MRG_DEFECT_NONE)
        return TRUE;
    gboolean is_malformed = defect == MRG_DEFECT_NUL || defect == MRG_DEFECT_BARE_CR;
    g_set_error(error, MRG_ERROR, is_malformed ? MRG_ERROR_STRUCTURE : MRG_ERROR_DEFECT,
                "the message cannot be merged: %s", mrg_defect_text(defect));
    return FALSE;
}

static gboolean
step_campaign(MrgMerge *merge, GError **error)
{
    const MrgEnvelope *envelope = merge->envelope;
    if (!refuse_defect(envelope, error) ||
        !mrg_campaign_read(&merge->campaign, envelope,
                           merge->pipeline->conf->policy_default_class, error))
        return FALSE;
    if (merge->mode != MRG_MODE_CHECK && envelope->recipients->len != 1) {
        g_set_error(
            error, MRG_ERROR, MRG_ERROR_RECIPIENTS,
            "a campaign message must reach the merge with one recipient, not %u: send "
            "it once per recipient, or set up the split shape",
            envelope->recipients->len);
        return FALSE;
    }
    return TRUE;
}

/* Everything that a plan is made from, and no more: copies share it. */
static void
hash_content(const MrgMerge *merge, const MrgFieldRules *rules, MrgMessageKey *content)
{
    const GArray *headers = merge->envelope->headers;
    g_autoptr(GPtrArray) texts = g_ptr_array_new();
    g_autoptr(GArray) lengths = g_array_new(FALSE, FALSE, sizeof(gsize));
    for (guint i = 0; i < headers->len; i++) {
        const MrgHeader *header = &g_array_index(headers, MrgHeader, i);
        if (!mrg_header_is_control(header->name) && !mrg_fields_have(rules, header->name) &&
            g_ascii_strncasecmp(header->name, "Content-", 8) != 0)
            continue;
        gsize length[2] = {strlen(header->name), strlen(header->value)};
        g_ptr_array_add(texts, (gpointer) header->name);
        g_ptr_array_add(texts, (gpointer) header->value);
        g_array_append_vals(lengths, length, 2);
    }
    gsize body_length = merge->envelope->body->len;
    g_ptr_array_add(texts, merge->envelope->body->data);
    g_array_append_val(lengths, body_length);
    mrg_contents_key(merge->pipeline->contents, merge->pipeline->keyring,
                     (const char *const *) texts->pdata,
                     (const gsize *) (gpointer) lengths->data, texts->len, content);
}

/* A message that compiled and does not any more: somebody changed a block, and can mend it
 * while the copies wait.  At the door its sender hears what is wrong. */
static void
blame_blocks(const MrgMerge *merge, const MrgMessageKey *content, GError **error)
{
    if (merge->mode == MRG_MODE_CHECK ||
        !mrg_plan_was_made(merge->pipeline->plans, content))
        return;
    g_autoptr(GError) cause = g_steal_pointer(error);
    g_set_error(error, MRG_ERROR, MRG_ERROR_BLOCKS,
                "what compiled before does not with the blocks as they are now: %s",
                cause->message);
}

static gboolean
step_plan(MrgMerge *merge, GError **error)
{
    const MrgConf *conf = merge->pipeline->conf;
    g_autoptr(GError) stale = NULL;
    g_autoptr(MrgBlocks) blocks =
        mrg_library_get(merge->pipeline->library, mrg_clock_now_us(), &stale);
    if (stale)
        g_warning("the block library stays as it was: %s", stale->message);
    const MrgPlanRules rules = mrg_plan_rules(conf, blocks);
    MrgMessageKey content;
    hash_content(merge, &rules.fields, &content);
    merge->plan = mrg_plan_get(merge->pipeline->plans, &content, merge->envelope,
                               &merge->campaign, &rules, error);
    if (!merge->plan)
        blame_blocks(merge, &content, error);
    return merge->plan &&
           mrg_fields_refuse_stray(merge->plan->fields, merge->plan->n_fields,
                                   merge->envelope, conf->schema, error);
}

/* ---- person ---- */

/* DESIGN: a reused Message-ID evades no cap, since content and recipient count too. */
static void
make_message_key(MrgMerge *merge)
{
    const char *message_id = mrg_envelope_header(merge->envelope, "Message-ID");
    const char *date = mrg_envelope_header(merge->envelope, "Date");
    const char *texts[] = {merge->campaign.id, (const char *) merge->plan->content.bytes,
                           message_id ? message_id : "", message_id || !date ? "" : date,
                           (const char *) merge->person.key.bytes};
    gsize lengths[] = {strlen(texts[0]), MRG_KEY_BYTES, strlen(texts[2]), strlen(texts[3]),
                       MRG_KEY_BYTES};
    mrg_message_key(merge->pipeline->keyring, texts, lengths, G_N_ELEMENTS(texts),
                    &merge->key);
}

/* Asked of the store for the first copy of a content only. */
static gboolean
number_campaign(MrgMerge *merge, GError **error)
{
    const MrgStore *store = merge->pipeline->store;
    guint32 number;
    if (g_atomic_int_get(&merge->plan->campaign_number))
        return TRUE;
    mrg_merge_start_deadline(merge);
    if (!mrg_store_campaign_number(store, merge->campaign.id, &number, merge->deadline_us,
                                   error))
        return FALSE;
    g_atomic_int_set(&merge->plan->campaign_number, number);
    return TRUE;
}

static gboolean
number_links(MrgMerge *merge, GError **error)
{
    gsize n;
    MrgLinks *links = merge->plan->links;
    const char *const *targets = mrg_links_targets(links, &n);
    if (!(merge->campaign.track & merge->pipeline->track & MRG_TRACK_CLICKS) ||
        !*merge->pipeline->conf->stamp_base_url || !mrg_links_need_numbers(links))
        return TRUE;
    guint32 *numbers = mrg_arena_array(merge->envelope->arena, guint32, n);
    mrg_merge_start_deadline(merge);
    if (!mrg_store_link_numbers(merge->pipeline->store,
                                (guint32) g_atomic_int_get(&merge->plan->campaign_number),
                                targets, n, numbers, merge->deadline_us, error))
        return FALSE;
    mrg_links_set_numbers(links, numbers);
    return TRUE;
}

/* What nobody gets makes no campaign. */
static gboolean
number_all(MrgMerge *merge, GError **error)
{
    return !mrg_merge_commits(merge) ||
           (number_campaign(merge, error) && number_links(merge, error));
}

void
mrg_merge_decide(MrgMerge *merge, MrgVerdict verdict, const char *reason)
{
    merge->disposition = mrg_disposition_of_verdict(verdict);
    merge->reason = reason;
    merge->reply = reason;
}

static gboolean
step_person(MrgMerge *merge, GError **error)
{
    MrgPipeline *pipeline = merge->pipeline;
    MrgArena *arena = merge->envelope->arena;
    const char *address = g_ptr_array_index(merge->envelope->recipients, 0);
    if (!mrg_person_identify(&merge->person, pipeline->keyring, address, arena, error))
        return FALSE;
    make_message_key(merge);
    if (!number_all(merge, error))
        return FALSE;
    merge->slots = mrg_arena_array(arena, MrgValue, merge->plan->n_names);
    mrg_shared_find(&merge->shared, &pipeline->conf->policy, pipeline->keyring,
                    merge->person.address, NULL);
    merge->state = (MrgState){0};
    mrg_merge_start_deadline(merge);
    const MrgPersonAsked asked = {.names = merge->plan->names,
                                  .n_names = merge->plan->n_names,
                                  .data = merge->campaign.data,
                                  .message = &merge->key,
                                  .shared = merge->shared.keys,
                                  .n_shared = merge->shared.n};
    return mrg_person_fetch(&merge->person, pipeline->store, &asked, merge->slots,
                            &merge->state, arena, merge->deadline_us, error);
}

/* ---- render ---- */

static guint64
message_number(const MrgMessageKey *key)
{
    guint64 number;
    memcpy(&number, key->bytes, sizeof number);
    return GUINT64_FROM_BE(number);
}

static gboolean
may_track(const MrgMerge *merge, guint track)
{
    return merge->person.has_profile &&
           (merge->campaign.track & merge->pipeline->track & track) != 0;
}

static MrgStampContext
stamp_context(const MrgMerge *merge)
{
    const MrgConf *conf = merge->pipeline->conf;
    const MrgDecision *decision = &merge->decision;
    const MrgToken token = {.person = merge->person.key,
                            .campaign =
                                (guint32) g_atomic_int_get(&merge->plan->campaign_number),
                            .message = message_number(&merge->key),
                            .at_s = (guint32) (merge->now_us / MRG_SECOND_US)};
    MrgStampContext context = {
        .arena = merge->envelope->arena,
        .base_url = *conf->stamp_base_url ? conf->stamp_base_url : NULL,
        .list_domain = *conf->stamp_list_domain ? conf->stamp_list_domain : NULL,
        .campaign = &merge->campaign,
        .links = merge->plan->links,
        .places = merge->places,
        .is_inert = !mrg_merge_commits(merge),
        .may_track_open = decision->may_track_open && may_track(merge, MRG_TRACK_OPENS),
        .may_track_click = decision->may_track_click && may_track(merge, MRG_TRACK_CLICKS),
        .may_track_text = may_track(merge, MRG_TRACK_TEXT),
        .is_pixel_on_top = conf->stamp_pixel_position == MRG_PIXEL_TOP,
        .is_transactional = g_str_equal(merge->campaign.class_name, "transactional"),
    };
    context.sealer = mrg_arena_alloc(context.arena, sizeof *context.sealer);
    mrg_sealer_init(context.sealer, merge->pipeline->keyring, &token);
    return context;
}

static void
fill_urls(const MrgMerge *merge, MrgRenderInput *input)
{
    MrgStampContext context = stamp_context(merge);
    input->urls.unsubscribe = mrg_stamp_url(&context, MRG_TOKEN_UNSUBSCRIBE);
    input->urls.preferences = mrg_stamp_url(&context, MRG_TOKEN_PREFERENCES);
    input->urls.view = mrg_stamp_url(&context, MRG_TOKEN_VIEW);
}

static MrgRenderInput
render_input(MrgMerge *merge)
{
    const MrgConf *conf = merge->pipeline->conf;
    MrgArena *arena = merge->envelope->arena;
    gsize key_bytes = sizeof merge->person.key.bytes;
    gsize id_length = strlen(merge->campaign.id);
    guint8 *seed = mrg_arena_alloc(arena, key_bytes + id_length);
    memcpy(seed, merge->person.key.bytes, key_bytes);
    memcpy(seed + key_bytes, merge->campaign.id, id_length);
    MrgRenderInput input = {
        .slots = merge->slots,
        .now_us = mrg_merge_out_us(merge),
        .arena = arena,
        .locale = mrg_merge_own_text(merge, merge->plan->locale_name, conf->render_locale),
        .timezone =
            mrg_merge_own_text(merge, merge->plan->timezone_name, conf->render_timezone),
        .seed = seed,
        .seed_length = key_bytes + id_length,
        .marks = &merge->marks};
    if (merge->plan->uses_urls)
        fill_urls(merge, &input);
    return input;
}

/* About what they come to: no text grows step by step. */
static gsize
templates_length(const MrgPlan *plan)
{
    gsize length = 0;
    for (gsize i = 0; i < plan->n_fields; i++)
        length += plan->fields[i].length;
    for (gsize i = 0; i < plan->n_parts; i++)
        length += plan->parts[i].length;
    return length;
}

/* Runs the templates one behind the other; starts gets where the text of each begins, and
 * where the last one ends. */
static gboolean
run_templates(MrgMerge *merge, const MrgRenderInput *input, gsize *starts, gsize n,
              GError **error)
{
    const MrgProgram *program = merge->plan->program;
    mrg_buffer_reset(&merge->texts);
    (void) mrg_buffer_reserve(&merge->texts,
                              MIN(templates_length(merge->plan), merge->texts.limit));
    merge->marks.n = 0;
    for (gsize i = 0; i < n; i++) {
        starts[i] = merge->texts.length;
        if (!mrg_program_is_constant(program, i) &&
            !mrg_program_run(program, i, input, &merge->texts, error))
            return FALSE;
    }
    starts[n] = merge->texts.length;
    return TRUE;
}

static void
withhold(MrgMerge *merge, MrgVerdict verdict, const GError *failure)
{
    merge->withheld = mrg_disposition_of_verdict(verdict);
    merge->withheld_reason =
        mrg_arena_printf(merge->envelope->arena, "%s: %s",
                         mrg_disposition_of_error(failure)->gate, failure->message);
    mrg_merge_decide(merge, verdict, merge->withheld_reason);
}

/* Some failures mean that this person gets no mail, or not yet: decisions, and recorded as
 * such.  FALSE for all others. */
static gboolean
withhold_for(MrgMerge *merge, MrgRenderInput *input, gsize *starts, gsize n,
             const GError *failure)
{
    guint missing_field = merge->pipeline->conf->policy_missing_field;
    gboolean is_missing =
        g_error_matches(failure, MRG_RENDER_ERROR, MRG_RENDER_ERROR_REQUIRED);
    if (mrg_disposition_of_error(failure)->verdict == MRG_VERDICT_DROP ||
        (is_missing && missing_field == MRG_MISSING_DROP)) {
        withhold(merge, MRG_VERDICT_DROP, failure);
        return TRUE;
    }
    if (!is_missing || missing_field != MRG_MISSING_HOLD)
        return FALSE;
    /* What is held must be final: made without the value. */
    g_autoptr(GError) other = NULL;
    input->may_lack_required = TRUE;
    if (run_templates(merge, input, starts, n, &other)) {
        withhold(merge, MRG_VERDICT_HOLD, failure);
        return TRUE;
    }
    if (mrg_disposition_of_error(other)->verdict != MRG_VERDICT_DROP)
        return FALSE;
    withhold(merge, MRG_VERDICT_DROP, other);
    return TRUE;
}

/* Of the parts, whose texts begin at starts; the marks come in the same order. */
static void
find_places(MrgMerge *merge, const gsize *starts)
{
    const MrgPlan *plan = merge->plan;
    const MrgLandmark *mark = merge->marks.items;
    const MrgLandmark *end = mark ? mark + merge->marks.n : mark;
    merge->places = mrg_arena_array(merge->envelope->arena, MrgStampPlaces, plan->n_parts);
    for (gsize i = 0; i < plan->n_parts; i++) {
        const MrgRendered *text = &merge->parts[i];
        while (mark < end && mark->at < starts[i])
            mark++;
        const MrgLandmark *first = mark;
        while (mark < end && mark->at < starts[i + 1])
            mark++;
        merge->places[i] = plan->places[i];
        if (plan->places[i].n == G_MAXSIZE && plan->parts[i].is_html)
            mrg_links_find(plan->links, merge->envelope->arena, first,
                           (gsize) (mark - first), starts[i], text->text, text->length,
                           &merge->places[i]);
    }
}

/* Only now does the buffer stay where it is. */
static void
take_texts(MrgMerge *merge, const gsize *starts, gsize n)
{
    const MrgPlan *plan = merge->plan;
    MrgRendered *all = mrg_arena_array(merge->envelope->arena, MrgRendered, n);
    for (gsize i = 0; i < n; i++) {
        if (!mrg_program_is_constant(plan->program, i))
            all[i] = (MrgRendered){TRUE, merge->texts.data + starts[i],
                                   starts[i + 1] - starts[i]};
        else if (i < plan->n_fields)
            all[i] = (MrgRendered){FALSE, plan->fields[i].text, plan->fields[i].length};
        else
            all[i] = (MrgRendered){FALSE, plan->parts[i - plan->n_fields].text,
                                   plan->parts[i - plan->n_fields].length};
    }
    merge->fields = all;
    merge->parts = all + plan->n_fields;
    find_places(merge, starts + plan->n_fields);
}

static gboolean
refuse_long_fields(const MrgMerge *merge, GError **error)
{
    for (gsize i = 0; i < merge->plan->n_fields; i++) {
        if (merge->fields[i].length <= FIELD_MAX)
            continue;
        g_set_error(error, MRG_RENDER_ERROR, MRG_RENDER_ERROR_LIMIT,
                    "%s:1:1: for this person it is longer than %d bytes",
                    merge->plan->fields[i].label, FIELD_MAX);
        return FALSE;
    }
    return TRUE;
}

static gboolean
step_render(MrgMerge *merge, GError **error)
{
    g_autoptr(GError) failure = NULL;
    if (!mrg_merge_is_going_out(merge))
        return TRUE;
    gsize n = merge->plan->n_fields + merge->plan->n_parts;
    gsize *starts = mrg_arena_array(merge->envelope->arena, gsize, n + 1);
    MrgRenderInput input = render_input(merge);
    if (!run_templates(merge, &input, starts, n, &failure) &&
        !withhold_for(merge, &input, starts, n, failure)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    if (!mrg_merge_is_going_out(merge))
        return TRUE;
    take_texts(merge, starts, n);
    return refuse_long_fields(merge, error);
}

/* ---- stamp ---- */

static void
set_fields(MrgMerge *merge)
{
    const MrgPlan *plan = merge->plan;
    const MrgEnvelope *envelope = merge->envelope;
    const char *display = NULL;
    for (gsize i = 0; i < plan->n_fields; i++)
        if (plan->fields[i].kind == MRG_FIELD_RECIPIENT)
            display = mrg_arena_dup(envelope->arena, merge->fields[i].text,
                                    merge->fields[i].length);
    mrg_copy_address(&merge->copy, envelope, merge->person.address, display);
    for (gsize i = 0; i < plan->n_fields; i++) {
        const MrgHeaderField *field = &plan->fields[i];
        if (field->kind == MRG_FIELD_SUBJECT)
            mrg_copy_set_subject(&merge->copy, envelope, &merge->fields[i]);
        else if (field->kind != MRG_FIELD_RECIPIENT)
            mrg_copy_set_field(&merge->copy, envelope, field->name, field->nth,
                               field->address, &merge->fields[i]);
    }
}

static gboolean
step_stamp(MrgMerge *merge, GError **error)
{
    if (!mrg_merge_is_going_out(merge))
        return TRUE;
    const MrgEnvelope *envelope = merge->envelope;
    MrgStampContext context = stamp_context(merge);
    set_fields(merge);
    mrg_stamp_apply(&context, merge->plan->layout, merge->parts, &merge->copy);
    merge->stamps = mrg_stamp_names(&context);
    merge->tracked = context.tracked;
    return mrg_copy_set_parts(&merge->copy, envelope, merge->plan->layout, merge->parts,
                              error);
}

/* ---- the way ---- */

typedef struct Step {
    const char *name;
    gboolean (*run)(MrgMerge *merge, GError **error);
    gboolean is_for_check;
} Step;

static const Step steps[] = {
    {"campaign", step_campaign, TRUE},  {"plan", step_plan, TRUE},
    {"person", step_person, FALSE},     {"policy", mrg_step_policy, FALSE},
    {"render", step_render, FALSE},     {"stamp", step_stamp, FALSE},
    {"commit", mrg_step_commit, FALSE},
};
G_STATIC_ASSERT(G_N_ELEMENTS(steps) <= MRG_STEPS_MAX);

const char *
mrg_step_name(gsize i)
{
    return i < G_N_ELEMENTS(steps) ? steps[i].name : NULL;
}

void
mrg_merge_init(MrgMerge *merge, MrgPipeline *pipeline, MrgEnvelope *envelope, MrgMode mode,
               gint64 now_us)
{
    *merge = (MrgMerge){
        .pipeline = pipeline, .envelope = envelope, .mode = mode, .now_us = now_us};
    mrg_buffer_init(&merge->texts, pipeline->conf->milter_max_body);
    mrg_copy_init(&merge->copy, pipeline->conf->milter_max_body);
}

void
mrg_merge_clear(MrgMerge *merge)
{
    mrg_plan_unref(merge->plan);
    mrg_buffer_clear(&merge->texts);
    mrg_copy_clear(&merge->copy);
}

void
mrg_merge_run(MrgMerge *merge)
{
    for (gsize i = 0; i < G_N_ELEMENTS(steps); i++) {
        g_autoptr(GError) error = NULL;
        if (merge->mode == MRG_MODE_CHECK && !steps[i].is_for_check)
            continue;
        gint64 began_us = g_get_monotonic_time();
        gboolean is_done = steps[i].run(merge, &error);
        merge->n_steps = i + 1;
        merge->took_us[i] = g_get_monotonic_time() - began_us;
        if (!is_done) {
            mrg_merge_fail(merge, error);
            return;
        }
    }
    if (merge->mode == MRG_MODE_CHECK)
        mrg_merge_decide(merge, MRG_VERDICT_DELIVER, "ok: the template compiles");
}

/* ---- pipeline ---- */

static void
take_rules(MrgPipeline *pipeline)
{
    const MrgConf *conf = pipeline->conf;
    pipeline->rules = (MrgIntakeRules){
        .merge_daemons = conf->trust_merge_daemons,
        .check_daemons = conf->trust_check_daemons,
        .senders = conf->trust_senders,
        .is_answered_late = conf->milter_answers == MRG_ANSWERS_LATE,
        .limits = {.headers = conf->milter_max_headers,
                   .header_bytes = conf->milter_max_header_bytes,
                   .body_bytes = conf->milter_max_body,
                   .recipients = conf->milter_max_recipients},
    };
}

static gboolean
open_outbox(MrgPipeline *pipeline, GError **error)
{
    const MrgConf *conf = pipeline->conf;
    g_autoptr(GPtrArray) sinks =
        g_ptr_array_new_with_free_func((GDestroyNotify) mrg_sink_close);
    for (const char *const *name = conf->witness_sinks; *name; name++) {
        const MrgPluginConf *plugin = mrg_conf_plugin(conf, *name);
        MrgSink *sink = mrg_sink_open(conf->milter_plugin_dir, *name, plugin->settings,
                                      plugin->n_settings, error);
        if (!sink)
            return FALSE;
        g_ptr_array_add(sinks, sink);
    }
    pipeline->outbox = mrg_outbox_new(g_steal_pointer(&sinks), conf->witness_backlog);
    return TRUE;
}

static gboolean
check_stage(const MrgConf *conf, GError **error)
{
    const char *address = conf->milter_stage_address;
    const char *at = strrchr(address, '@');
    if (!*address || (at && at > address && at[1] && !strpbrk(address, " \t<>,;\"")))
        return TRUE;
    g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG,
                "%s: [milter] stage_address is no plain address", conf->path);
    return FALSE;
}

static guint
allowed_tracking(const MrgConf *conf)
{
    static const struct {
        const char *word;
        MrgTrack track;
    } kinds[] = {
        {"opens", MRG_TRACK_OPENS}, {"clicks", MRG_TRACK_CLICKS}, {"text", MRG_TRACK_TEXT}};
    guint track = 0;
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (g_strv_contains(conf->stamp_track, kinds[i].word))
            track |= kinds[i].track;
    return track;
}

MrgPipeline *
mrg_pipeline_new_with(MrgConf *conf, MrgKeyring *keyring, MrgStore *store, GError **error)
{
    if (!store)
        return NULL;
    g_autoptr(MrgPipeline) pipeline = g_new0(MrgPipeline, 1);
    g_atomic_int_set(&pipeline->references, 1);
    pipeline->conf = mrg_conf_ref(conf);
    pipeline->counts_attempts = mrg_policy_counts_attempts(&conf->policy);
    pipeline->turns = mrg_turns_new();
    pipeline->contents = mrg_contents_new();
    pipeline->plans = mrg_plan_cache_new(PLANS_KEPT, PLAN_LIFE_US);
    pipeline->track = allowed_tracking(conf);
    take_rules(pipeline);
    pipeline->keyring = mrg_keyring_ref(keyring);
    pipeline->store = store;
    if (!check_stage(conf, error))
        return NULL;
    pipeline->library = mrg_library_new(conf->render_blocks, conf->render_block_map, error);
    return pipeline->library ? g_steal_pointer(&pipeline) : NULL;
}

MrgPipeline *
mrg_pipeline_new(MrgConf *conf, GError **error)
{
    g_autoptr(MrgKeyring) keyring = mrg_keyring_load(conf->keys_file, error);
    MrgStore *store = keyring ? mrg_conf_open_store(conf, error) : NULL;
    g_autoptr(MrgPipeline) pipeline = mrg_pipeline_new_with(conf, keyring, store, error);
    return pipeline && open_outbox(pipeline, error) ? g_steal_pointer(&pipeline) : NULL;
}

MrgPipeline *
mrg_pipeline_ref(MrgPipeline *pipeline)
{
    g_atomic_int_inc(&pipeline->references);
    return pipeline;
}

void
mrg_pipeline_unref(MrgPipeline *pipeline)
{
    if (!pipeline || !g_atomic_int_dec_and_test(&pipeline->references))
        return;
    mrg_outbox_free(pipeline->outbox);
    mrg_plan_cache_free(pipeline->plans);
    mrg_contents_free(pipeline->contents);
    mrg_turns_free(pipeline->turns);
    mrg_library_free(pipeline->library);
    g_clear_pointer(&pipeline->store, mrg_store_close);
    g_clear_pointer(&pipeline->keyring, mrg_keyring_unref);
    mrg_conf_unref(pipeline->conf);
    g_free(pipeline);
}

const MrgIntakeRules *
mrg_pipeline_rules(const MrgPipeline *pipeline)
{
    return &pipeline->rules;
}

MrgConf *
mrg_pipeline_conf(const MrgPipeline *pipeline)
{
    return pipeline->conf;
}

MrgOutbox *
mrg_pipeline_outbox(const MrgPipeline *pipeline)
{
    return pipeline->outbox;
}
