/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan: everything that one distinct content needs worked out once: its layout, its
 * compiled program, and the names of the fields it reads.
 *
 * A campaign of a million copies has one body: its plan is made for the first copy and
 * found by content hash for all others.
 *
 * OWNERSHIP  reference-counted; the cache keeps the plans used last.
 * THREADS    a plan is immutable but for campaign_number and the links' numbers; the cache
 * locks briefly. Two threads that miss at once both compile, and the first one's plan
 * stays. ERRORS     those of the layout and of render; MRG_ERROR_FIELD.
 */
#ifndef MRG_PLAN_H
#define MRG_PLAN_H

#include "milter/blocks.h"
#include "milter/conf.h"
#include "milter/fields.h"
#include "milter/conf.h"
#include "milter/message/campaign.h"
#include "milter/message/mime.h"
#include "milter/stamp/links.h"
#include "render/render.h"

typedef struct MrgPlan {
    gint references;       /* atomic */
    MrgMessageKey content; /* of everything the plan depends on */
    MrgLayout *layout;
    MrgProgram *program;
    MrgArena *arena;
    const MrgHeaderField
        *fields; /* field i is template i, part i is template n_fields + i */
    gsize n_fields;
    const MrgPart *parts;
    gsize n_parts;
    const char **names; /* of the fields: those that the program reads, and behind them */
    gsize n_names;
    /* Places in names of what the configuration asks for; G_MAXSIZE for none. */
    gsize locale_name, timezone_name, frequency_name, household_name;
    MrgLinks *links;
    MrgStampPlaces *places; /* of each part that is the same for everybody; n G_MAXSIZE: of
                          another */
    gboolean uses_urls;
    guint campaign_number; /* atomic; 0 until a copy has asked the store */
} MrgPlan;

/* What a plan depends on beside the content; borrowed for as long as the cache lives. */
typedef struct MrgPlanRules {
    const MrgSchema *schema;
    MrgFieldRules fields;
    const char *locale_field, *timezone_field; /* "" for none */
    const char *frequency_field, *household_field;
    const char *base_url; /* of the collector; "" or NULL for none */
    const char *const *utm_domains;
    const char *utm[MRG_UTM_MAX]; /* source, medium, campaign, content; may be NULL */
    gboolean needs_zone;          /* the policy does, whatever the template says */
    MrgBlocks *blocks;            /* a change of it drops all plans */
} MrgPlanRules;

/* Those of a configuration. */
MrgPlanRules mrg_plan_rules(const MrgConf *conf, MrgBlocks *blocks);

typedef struct MrgPlanCache MrgPlanCache;

/* A plan is used for life_us and then made anew: what stands in it of the store's, numbers
 * of campaign and links, is no older than that should the database be another one. */
MrgPlanCache *mrg_plan_cache_new(guint capacity, gint64 life_us);
void mrg_plan_cache_free(MrgPlanCache *cache);

/* Whether that content has had a plan, with these blocks or those before them: then it is
 * not its sender's fault if it has none now. */
gboolean mrg_plan_was_made(MrgPlanCache *cache, const MrgMessageKey *content);

/* The plan of that content, found or made.  New reference. */
MrgPlan *mrg_plan_get(MrgPlanCache *cache, const MrgMessageKey *content,
                      const MrgEnvelope *envelope, const MrgCampaign *campaign,
                      const MrgPlanRules *rules, GError **error);
void mrg_plan_unref(MrgPlan *plan);

#endif
