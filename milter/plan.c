/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <pthread.h>
#include <string.h>

#include "milter/counters.h"
#include "milter/error.h"
#include "milter/person/key.h"
#include "milter/plan.h"

struct MrgPlanCache {
    pthread_mutex_t mutex;
    GHashTable *plans; /* MrgMessageKey to Entry, which lies in by_use too */
    GQueue by_use;     /* the one used last comes first */
    guint capacity;
    gint64 life_us;
    MrgBlocks *blocks;  /* that the plans are made with */
    GHashTable *former; /* set of MrgMessageKey: had a plan with other blocks */
};

typedef struct Entry {
    MrgPlan *plan;
    gint64 until_us;
    GList link;
} Entry;

static MrgPlan *
plan_ref(MrgPlan *plan)
{
    g_atomic_int_inc(&plan->references);
    return plan;
}

void
mrg_plan_unref(MrgPlan *plan)
{
    if (!plan || !g_atomic_int_dec_and_test(&plan->references))
        return;
    if (plan->program)
        mrg_program_unref(plan->program);
    if (plan->layout)
        mrg_layout_unref(plan->layout);
    mrg_links_free(plan->links);
    mrg_arena_free(plan->arena);
    g_free(plan->names);
    g_free(plan->places);
    g_free(plan);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgPlan, mrg_plan_unref)

static void
entry_free(gpointer data)
{
    Entry *entry = data;
    mrg_plan_unref(entry->plan);
    g_free(entry);
}

MrgPlanCache *
mrg_plan_cache_new(guint capacity, gint64 life_us)
{
    MrgPlanCache *cache = g_new0(MrgPlanCache, 1);
    pthread_mutex_init(&cache->mutex, NULL);
    g_queue_init(&cache->by_use);
    cache->capacity = capacity;
    cache->life_us = life_us;
    cache->former = g_hash_table_new_full(mrg_key_hash, mrg_key_equal, g_free, NULL);
    cache->plans = g_hash_table_new_full(mrg_key_hash, mrg_key_equal, NULL, entry_free);
    return cache;
}

void
mrg_plan_cache_free(MrgPlanCache *cache)
{
    if (!cache)
        return;
    g_hash_table_unref(cache->plans);
    g_hash_table_unref(cache->former);
    mrg_blocks_unref(cache->blocks);
    pthread_mutex_destroy(&cache->mutex);
    g_free(cache);
}

static void
remember_plans(MrgPlanCache *cache)
{
    if (g_hash_table_size(cache->former) >= cache->capacity)
        g_hash_table_remove_all(cache->former);
    for (const GList *link = cache->by_use.head; link; link = link->next) {
        const Entry *entry = link->data;
        g_hash_table_add(cache->former,
                         g_memdup2(&entry->plan->content, sizeof entry->plan->content));
    }
}

/* Other blocks make other plans. */
static void
use_blocks(MrgPlanCache *cache, MrgBlocks *blocks)
{
    if (cache->blocks == blocks)
        return;
    remember_plans(cache);
    g_queue_init(&cache->by_use);
    g_hash_table_remove_all(cache->plans);
    mrg_blocks_unref(cache->blocks);
    cache->blocks = mrg_blocks_ref(blocks);
}

static MrgPlan *
cache_find(MrgPlanCache *cache, const MrgMessageKey *content, MrgBlocks *blocks)
{
    pthread_mutex_lock(&cache->mutex);
    use_blocks(cache, blocks);
    Entry *entry = g_hash_table_lookup(cache->plans, content);
    MrgPlan *plan = NULL;
    if (entry)
        g_queue_unlink(&cache->by_use, &entry->link);
    if (entry && g_get_monotonic_time() < entry->until_us) {
        g_queue_push_head_link(&cache->by_use, &entry->link);
        plan = plan_ref(entry->plan);
    } else if (entry) {
        g_hash_table_remove(cache->plans, content);
    }
    pthread_mutex_unlock(&cache->mutex);
    return plan;
}

gboolean
mrg_plan_was_made(MrgPlanCache *cache, const MrgMessageKey *content)
{
    pthread_mutex_lock(&cache->mutex);
    gboolean was_made = g_hash_table_contains(cache->former, content) ||
                        g_hash_table_contains(cache->plans, content);
    pthread_mutex_unlock(&cache->mutex);
    return was_made;
}

static void
cache_keep(MrgPlanCache *cache, MrgPlan *plan, const MrgBlocks *blocks)
{
    pthread_mutex_lock(&cache->mutex);
    if (cache->blocks == blocks && !g_hash_table_contains(cache->plans, &plan->content)) {
        Entry *entry = g_new0(Entry, 1);
        entry->plan = plan_ref(plan);
        entry->until_us = g_get_monotonic_time() + cache->life_us;
        entry->link.data = entry;
        g_queue_push_head_link(&cache->by_use, &entry->link);
        g_hash_table_insert(cache->plans, &plan->content, entry);
    }
    if (g_queue_get_length(&cache->by_use) > cache->capacity) {
        GList *oldest = g_queue_pop_tail_link(&cache->by_use);
        g_hash_table_remove(cache->plans, &((Entry *) oldest->data)->plan->content);
    }
    pthread_mutex_unlock(&cache->mutex);
}

static void
make_links(MrgPlan *plan, const MrgPlanRules *rules, const MrgCampaign *campaign)
{
    static const char *const names[MRG_UTM_MAX] = {"utm_source", "utm_medium",
                                                   "utm_campaign", "utm_content"};
    const char *base_url = rules->base_url && *rules->base_url ? rules->base_url : NULL;
    MrgUtm utm = {.domains = rules->utm_domains};
    for (gsize i = 0; i < MRG_UTM_MAX; i++)
        utm.parameters[i] =
            mrg_utm_parameter(plan->arena, names[i], rules->utm[i] ? rules->utm[i] : "",
                              campaign->id, campaign->class_name);
    plan->links = mrg_links_new(base_url, &utm);
}

/* The program's marks tell of the other HTML; text is looked through where links in it are
 * tracked, for which the static ones are wanted. */
static void
add_fixed_links(MrgPlan *plan)
{
    plan->places = g_new0(MrgStampPlaces, plan->n_parts);
    for (gsize i = 0; i < plan->n_parts; i++) {
        const MrgPart *part = &plan->parts[i];
        gboolean is_fixed = mrg_program_is_constant(plan->program, plan->n_fields + i);
        if (!part->is_amp && (is_fixed || !part->is_html))
            plan->places[i] =
                mrg_links_add(plan->links, part->text, part->length, part->is_html);
        if (!is_fixed)
            plan->places[i].n = G_MAXSIZE;
    }
}

static gboolean
compile(MrgPlan *plan, const MrgCampaign *campaign, const MrgPlanRules *rules,
        GError **error)
{
    MrgDialect dialect;
    if (!mrg_dialect_parse(campaign->dialect, &dialect)) {
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONTROL,
                    "X-Campaign-Syntax: there is no dialect of that name");
        return FALSE;
    }
    g_autofree MrgTemplate *templates =
        g_new0(MrgTemplate, plan->n_fields + plan->n_parts + 1);
    gsize n = 0;
    for (gsize i = 0; i < plan->n_fields; i++) {
        const MrgHeaderField *field = &plan->fields[i];
        gboolean is_ours = field->kind == MRG_FIELD_RECIPIENT;
        templates[n++] =
            (MrgTemplate){field->label, field->text, field->length,
                          is_ours ? MRG_DIALECT_HANDLEBARS : dialect, MRG_ESCAPE_HEADER};
    }
    for (gsize i = 0; i < plan->n_parts; i++) {
        const MrgPart *part = &plan->parts[i];
        templates[n++] = (MrgTemplate){part->name, part->text, part->length, dialect,
                                       part->is_html ? MRG_ESCAPE_HTML : MRG_ESCAPE_TEXT};
    }
    const MrgMarker marker = mrg_links_marker(plan->links);
    const MrgCompileOptions options = {.declared = rules->schema->names,
                                       .partials = mrg_blocks_partials(rules->blocks),
                                       .slots = mrg_blocks_slots(rules->blocks),
                                       .marker = &marker};
    plan->program = mrg_program_compile(templates, n, &options, error);
    return plan->program != NULL;
}

typedef struct MarkerLook {
    const MrgSchema *schema;
    GError **error;
} MarkerLook;

static gboolean
refuse_fixed_marker(const MrgFixedText *fixed, gpointer context)
{
    const MarkerLook *look = context;
    if (!mrg_text_has_marker(fixed->text, fixed->length, look->schema->names))
        return TRUE;
    g_set_error(look->error, MRG_RENDER_ERROR, MRG_RENDER_ERROR_MARKER,
                "%s:1:1: a template marker in what is not rendered; only text/plain "
                "and text/html are",
                fixed->name);
    return FALSE;
}

/* The fields are all that is asked of the store: a template that goes over the whole person
 * would see a part and take it for everything. */
static gboolean
refuse_whole_person(const MrgPlan *plan, GError **error)
{
    if (!mrg_program_reads_root(plan->program))
        return TRUE;
    g_set_error_literal(
        error, MRG_ERROR, MRG_ERROR_FIELD,
        "a template reads the person as a whole ({{this}} or {{#each this}} "
        "outside of any block): name the fields instead");
    return FALSE;
}

static gboolean
list_names(MrgPlan *plan, const MrgSchema *schema, GError **error)
{
    const MrgProgramField *fields = mrg_program_fields(plan->program, &plan->n_names);
    /* Four more: what the program's helpers and the policy ask for. */
    plan->names = g_new0(const char *, plan->n_names + 5);
    for (gsize i = 0; i < plan->n_names; i++) {
        const MrgSchemaField *declared = mrg_schema_field(schema, fields[i].name);
        if (declared && declared->is_sensitive) {
            g_set_error(error, MRG_ERROR, MRG_ERROR_FIELD,
                        "%s:%u:%u: field '%s' is marked sensitive: no template may read it",
                        fields[i].template, fields[i].line, fields[i].column,
                        fields[i].name);
            return FALSE;
        }
        plan->names[i] = fields[i].name;
    }
    return TRUE;
}

/* The place of a name that the configuration gives, added where the program does not read
 * it; G_MAXSIZE where there is none. */
static gsize
add_name(MrgPlan *plan, const char *name)
{
    gsize i = 0;
    if (!*name)
        return G_MAXSIZE;
    while (i < plan->n_names && !g_str_equal(plan->names[i], name))
        i++;
    plan->names[i] = name;
    plan->n_names = MAX(plan->n_names, i + 1);
    return i;
}

MrgPlanRules
mrg_plan_rules(const MrgConf *conf, MrgBlocks *blocks)
{
    return (MrgPlanRules){
        .schema = conf->schema,
        .fields = {conf->render_headers, conf->render_recipient_name, conf->schema},
        .locale_field = conf->render_locale_field,
        .timezone_field = conf->render_timezone_field,
        .frequency_field = conf->policy_frequency_field,
        .household_field = conf->policy_household_field,
        .base_url = conf->stamp_base_url,
        .utm_domains = conf->stamp_utm_domains,
        .utm = {conf->stamp_utm_source, conf->stamp_utm_medium, conf->stamp_utm_campaign,
                conf->stamp_utm_content},
        .needs_zone = mrg_policy_needs_zone(&conf->policy),
        .blocks = blocks};
}

static void
add_habits(MrgPlan *plan, const MrgPlanRules *rules, const MrgCampaign *campaign)
{
    gboolean uses_locale = mrg_program_uses_locale(plan->program);
    plan->locale_name = plan->timezone_name = G_MAXSIZE;
    plan->uses_urls = mrg_program_uses_urls(plan->program);
    if (uses_locale)
        plan->locale_name = add_name(plan, rules->locale_field);
    if (uses_locale || rules->needs_zone || campaign->send_local_s)
        plan->timezone_name = add_name(plan, rules->timezone_field);
    plan->frequency_name = add_name(plan, rules->frequency_field);
    plan->household_name = add_name(plan, rules->household_field);
}

static MrgPlan *
plan_new(const MrgMessageKey *content, const MrgEnvelope *envelope,
         const MrgCampaign *campaign, const MrgPlanRules *rules, GError **error)
{
    g_autoptr(MrgPlan) plan = g_new0(MrgPlan, 1);
    g_atomic_int_set(&plan->references, 1);
    plan->content = *content;
    plan->layout = mrg_layout_new(envelope, error);
    if (!plan->layout)
        return NULL;
    plan->parts = mrg_layout_parts(plan->layout, &plan->n_parts);
    plan->arena = mrg_arena_new();
    plan->fields = mrg_fields_read(&rules->fields, envelope, plan->layout, plan->arena,
                                   &plan->n_fields);
    MarkerLook look = {rules->schema, error};
    make_links(plan, rules, campaign);
    if (!mrg_mime_visit_fixed(envelope, refuse_fixed_marker, &look) ||
        !compile(plan, campaign, rules, error) || !refuse_whole_person(plan, error) ||
        !list_names(plan, rules->schema, error))
        return NULL;
    add_habits(plan, rules, campaign);
    add_fixed_links(plan);
    return g_steal_pointer(&plan);
}

MrgPlan *
mrg_plan_get(MrgPlanCache *cache, const MrgMessageKey *content, const MrgEnvelope *envelope,
             const MrgCampaign *campaign, const MrgPlanRules *rules, GError **error)
{
    MrgPlan *plan = cache_find(cache, content, rules->blocks);
    if (plan) {
        mrg_count(MRG_COUNTER_plans_reused);
        return plan;
    }
    plan = plan_new(content, envelope, campaign, rules, error);
    if (plan) {
        mrg_count(MRG_COUNTER_plans_made);
        cache_keep(cache, plan, rules->blocks);
    }
    return plan;
}
