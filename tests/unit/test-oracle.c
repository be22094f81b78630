/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decide() against a slow judge that shares nothing with it but the headers.
 *
 * The judge looks at every send for every instant it asks about, finds the time at which a
 * copy passes by trying one instant after the other, and does its calendar by counting days
 * from 1970 and offsets from a table of its own, and its levels of engagement hour by hour.
 * Times are whole hours, so that edges are met often.  $MRG_ORACLE_CASES says how many
 * cases, 20,000 by default.
 */
#include "config.h"

#include <string.h>

#include "milter/policy/decide.h"

#define HOUR G_GINT64_CONSTANT(3600000000)
#define N_SENDS_MAX 14
#define N_CAPS_MAX 3
#define N_QUIETS_MAX 2
#define SPAN_HOURS (24 * 60)

/* ---- zones: offsets in hours, and when they change, in hours since 1970 -------- */

typedef struct Place {
    const char *name;
    int winter, summer;
    gint64 spring, autumn; /* of 2026: Europe 29 March and 25 October, 01:00 UTC */
    gint64 around;         /* an hour in whose neighbourhood something happens */
} Place;

#define DAY_2026(n) ((gint64) (20454 + (n)) * 24) /* 2026-01-01 is day 20454 */

/* Day numbers of 2026 from 0: 29 March is 87, 25 October 297, 8 March 66, 1 November 304.
 */
static const Place places[] = {
    {"UTC", 0, 0, 0, 0, DAY_2026(30)},
    {"Europe/Oslo", 1, 2, DAY_2026(87) + 1, DAY_2026(297) + 1, DAY_2026(87)},
    {"Europe/Berlin", 1, 2, DAY_2026(87) + 1, DAY_2026(297) + 1, DAY_2026(297)},
    {"America/New_York", -5, -4, DAY_2026(66) + 7, DAY_2026(304) + 6, DAY_2026(66)},
    {"America/New_York", -5, -4, DAY_2026(66) + 7, DAY_2026(304) + 6, DAY_2026(304)},
    {"Asia/Tokyo", 9, 9, 0, 0, DAY_2026(58)},
};

static int
offset_at(const Place *place, gint64 hour)
{
    return hour >= place->spring && hour < place->autumn ? place->summer : place->winter;
}

static gint64
wall_at(const Place *place, gint64 hour)
{
    return hour + offset_at(place, hour);
}

/* The number of the period that an hour of the wall belongs to. */
static gint64
period_number(MrgPeriod period, gint64 wall)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    gint64 day = wall / 24, month = 0, year = 2020;
    if (period == MRG_PERIOD_DAY)
        return day;
    if (period == MRG_PERIOD_WEEK)
        return (day + 3) / 7; /* day 4 was the first Monday */
    day -= 18262;             /* 2020-01-01 */
    for (;; year++) {
        gboolean is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        if (day < 365 + is_leap)
            break;
        day -= 365 + is_leap;
    }
    gboolean is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    while (day >= lengths[month] + (is_leap && month == 1)) {
        day -= lengths[month] + (is_leap && month == 1);
        month++;
    }
    return year * 12 + month;
}

/* ---- the world ----------------------------------------------------------- */

#define N_ACTS_MAX 8
#define N_CONSENTS_MAX 5
#define N_SUPPRESSIONS_MAX 2

typedef struct Act {
    gint64 at; /* hours */
    int kind;  /* of act_names */
} Act;

/* Where the going through the hours has come to, for one cap. */
typedef struct Memo {
    gint64 hour;
    int level;
} Memo;

typedef struct World {
    Memo *memos; /* of each cap; the judge asks for later and later hours */
    MrgCap caps[N_CAPS_MAX], wish;
    MrgQuiet quiets[N_QUIETS_MAX];
    MrgSend sends[3][N_SENDS_MAX]; /* by scope */
    MrgSends accounts[3];
    gboolean has_account[3];
    Act acts[N_ACTS_MAX];
    gsize n_acts;
    char engagement[N_ACTS_MAX * 32];
    MrgConsent consents[N_CONSENTS_MAX];
    MrgSuppression suppressions[N_SUPPRESSIONS_MAX];
    MrgPolicy policy;
    MrgState state;
    MrgStateView view;
    MrgCandidate candidate;
    const Place *place;
    gint64 now; /* hours */
} World;

static const char *const act_names[] = {"open", "click", "complaint"};
static const char *const classes[] = {"promo", "news", "transactional"};
static const char *const senders[] = {"a.example", "b.example", ""};
static const char *const tag_lists[] = {"", "sale", "sale,new", "new"};
static const char *const only_promo[] = {"promo", NULL};
static const char *const begins_n[] = {"n*", NULL};
static const char *const all[] = {"*", NULL};
static const char *const only_a[] = {"a.*", NULL};
static const char *const tag_new[] = {"new", NULL};
static const char *const campaign_x[] = {"x?", NULL};
static const char *const campaigns[] = {"x1", "y1"};

/* Below n; half of the time 0. */
static int
seldom(GRand *random, int n)
{
    return g_rand_boolean(random) ? 0 : g_rand_int_range(random, 0, n);
}

static MrgPatterns
pick(GRand *random, MrgPatterns one, MrgPatterns other)
{
    int which = g_rand_int_range(random, 0, 6);
    return which == 0 ? one : which == 1 ? other : NULL;
}

static MrgSend
make_send(GRand *random, gint64 hour)
{
    return (MrgSend){.at_us = hour * HOUR,
                     .class_name = classes[g_rand_int(random) % 3],
                     .campaign = campaigns[g_rand_int(random) % 2],
                     .sender = senders[g_rand_int(random) % 3],
                     .tags = tag_lists[g_rand_int(random) % 4],
                     .kind = (MrgSendKind) seldom(random, 3)};
}

static MrgCap
make_cap(GRand *random, const char *name)
{
    static const gint64 windows[] = {1, 5, 24, 48, 168};
    MrgPeriod period = (MrgPeriod) g_rand_int_range(random, 0, 4);
    return (MrgCap){
        .name = name,
        .limit =
            g_rand_int(random) % 8 ? (guint) g_rand_int_range(random, 0, 5) : MRG_UNLIMITED,
        .per_us = period == MRG_PERIOD_ROLLING ? windows[g_rand_int(random) % 5] * HOUR : 0,
        .min_gap_us = g_rand_int(random) % 3 ? 0 : g_rand_int_range(random, 1, 30) * HOUR,
        .classes = pick(random, only_promo, all),
        .on_exceed = (MrgVerdict) g_rand_int_range(random, 1, 5),
        .period = period,
        .campaigns = pick(random, campaign_x, campaign_x),
        .senders = pick(random, only_a, only_a),
        .tags = pick(random, tag_new, tag_new),
        .exempt = pick(random, begins_n, only_promo),
        .counts = pick(random, begins_n, all),
        .counts_attempts = g_rand_boolean(random),
        .scope = (MrgScope) seldom(random, 3),
        .reserve = g_rand_int(random) % 3 ? 0 : 1,
        .reserve_for = begins_n,
    };
}

static void
make_adaptive(MrgCap *cap, GRand *random)
{
    static const gint64 windows[] = {12, 48, 120};
    if (cap->limit == MRG_UNLIMITED)
        return;
    cap->is_adaptive = TRUE;
    cap->limit_min = (guint) g_rand_int_range(random, 0, (int) cap->limit + 1);
    cap->limit_max = cap->limit + (guint) g_rand_int_range(random, 0, 3);
    cap->adaptive_window_us = windows[g_rand_int(random) % 3] * HOUR;
}

static int
by_time(gconstpointer a, gconstpointer b)
{
    const MrgSend *left = a, *right = b;
    return (left->at_us > right->at_us) - (left->at_us < right->at_us);
}

static int
by_hour(gconstpointer a, gconstpointer b)
{
    const Act *left = a, *right = b;
    return left->at == right->at ? left->kind - right->kind
                                 : (left->at > right->at) - (left->at < right->at);
}

/* Some of them were told by a clock that is ahead. */
static void
make_acts(World *world, GRand *random)
{
    gsize length = 0;
    world->n_acts = (gsize) g_rand_int_range(random, 0, N_ACTS_MAX + 1);
    for (gsize i = 0; i < world->n_acts; i++)
        world->acts[i] = (Act){world->now + g_rand_int_range(random, -150, 4),
                               g_rand_int_range(random, 0, 11) / 5};
    qsort(world->acts, world->n_acts, sizeof *world->acts, by_hour);
    for (gsize i = 0; i < world->n_acts; i++)
        length += (gsize) g_snprintf(world->engagement + length,
                                     sizeof world->engagement - length,
                                     "%" G_GINT64_FORMAT " %s\n", world->acts[i].at * HOUR,
                                     act_names[world->acts[i].kind]);
    world->state.engagement = world->engagement;
    world->state.engagement_length = length;
}

/* What is on record of the person; most people have little. */
static void
make_person(World *world, GRand *random)
{
    static const char *const purposes[N_CONSENTS_MAX] = {
        "profile", "track_open", "receive", "receive:promo", "receive:transactional"};
    static const char *const scopes[] = {"all", "class:promo", "class:news", "list:one",
                                         "galaxy"};
    static const char *const reasons[] = {"unsubscribed", "complained", "manual"};
    gsize n_purposes = g_rand_int(random) % 4 ? 2 : N_CONSENTS_MAX;
    for (gsize i = 0; i < n_purposes; i++)
        if (g_rand_int(random) % 4)
            world->consents[world->state.n_consents++] =
                (MrgConsent){purposes[i], (MrgConsentState) (1 + seldom(random, 2)),
                             g_rand_int_range(random, 0, 3), ""};
    gsize n = g_rand_int(random) % 6 ? 0 : (gsize) g_rand_int_range(random, 1, 3);
    for (gsize i = 0; i < n; i++) {
        gint64 at = world->now - g_rand_int_range(random, 0, 100);
        gint64 until = g_rand_boolean(random) ? 0 : at + g_rand_int_range(random, 0, 120);
        world->suppressions[i] =
            (MrgSuppression){scopes[g_rand_int(random) % 5],
                             reasons[g_rand_int(random) % 3], at * HOUR, until * HOUR};
    }
    world->state.consents = world->consents;
    world->state.suppressions = world->suppressions;
    world->state.n_suppressions = n;
}

static void
make_account(World *world, MrgScope scope, GRand *random)
{
    MrgSend *sends = world->sends[scope];
    gsize n = (gsize) g_rand_int_range(random, 0, N_SENDS_MAX + 1);
    for (gsize i = 0; i < n; i++)
        sends[i] = make_send(random, world->now + g_rand_int_range(random, -200, 60));
    qsort(sends, n, sizeof *sends, by_time);
    world->has_account[scope] = TRUE;
    world->accounts[scope] = (MrgSends){.list = sends, .n = n, .scope = scope};
    if (n && g_rand_int(random) % 4 == 0)
        world->accounts[scope].copy = &sends[g_rand_int(random) % n];
}

static void
make_accounts(World *world, GRand *random)
{
    gsize n_shared = 0;
    world->view.state = &world->state;
    make_account(world, MRG_SCOPE_PERSON, random);
    world->view.own = world->accounts[MRG_SCOPE_PERSON];
    for (MrgScope scope = MRG_SCOPE_DOMAIN; scope <= MRG_SCOPE_HOUSEHOLD; scope++) {
        if (g_rand_int(random) % 3 == 0)
            continue;
        make_account(world, scope, random);
        world->view.shared[n_shared++] = world->accounts[scope];
    }
}

static void
make_policy(World *world, GRand *random)
{
    static const char *const names[] = {"one", "two", "three"};
    gboolean has_pause = g_rand_int(random) % 4 == 0;
    world->policy = (MrgPolicy){
        .caps = world->caps,
        .n_caps = (gsize) g_rand_int_range(random, 0, N_CAPS_MAX + 1),
        .consent_default =
            g_rand_int(random) % 16 ? MRG_CONSENT_GRANTED : MRG_CONSENT_DENIED,
        .quiets = world->quiets,
        .n_quiets = (gsize) g_rand_int_range(random, 0, 3),
        .pause_complaint_us = has_pause ? g_rand_int_range(random, 0, 80) * HOUR : 0,
        .pause_unsubscribe_us = has_pause ? g_rand_int_range(random, 0, 80) * HOUR : 0};
    for (gsize i = 0; i < N_CAPS_MAX; i++) {
        world->caps[i] = make_cap(random, names[i]);
        if (g_rand_int(random) % 3 == 0)
            make_adaptive(&world->caps[i], random);
    }
    for (gsize i = 0; i < N_QUIETS_MAX; i++)
        world->quiets[i] = (MrgQuiet){.name = i ? "second" : "first",
                                      .from_s = g_rand_int_range(random, 0, 24) * 3600,
                                      .to_s = g_rand_int_range(random, 0, 25) * 3600,
                                      .days = g_rand_int(random) & 0x7f,
                                      .classes = pick(random, only_promo, all)};
}

static void
make_candidate(World *world, GRand *random)
{
    static const gint64 spans[] = {24, 168, 720};
    MrgSend like = make_send(random, 0);
    world->candidate = (MrgCandidate){
        .campaign = like.campaign,
        .class_name = like.class_name,
        .sender = like.sender,
        .tags = like.tags,
        .list = g_rand_boolean(random) ? "one" : NULL,
        .zone = mrg_zone_find(world->place->name, NULL),
        .preference = {.limit = MRG_UNLIMITED},
        .send_at_us = g_rand_int(random) % 3
                          ? 0
                          : (world->now + g_rand_int_range(random, -5, 60)) * HOUR};
    if (g_rand_int(random) % 4 == 0)
        world->candidate.preference = (MrgPreference){
            (guint) g_rand_int_range(random, 0, 4), spans[g_rand_int(random) % 3] * HOUR};
    world->wish = (MrgCap){.name = "preference",
                           .limit = world->candidate.preference.limit,
                           .per_us = world->candidate.preference.per_us,
                           .on_exceed = MRG_VERDICT_DROP};
}

static void
make_world(World *world, GRand *random)
{
    memset(world, 0, sizeof *world);
    world->place = &places[g_rand_int(random) % G_N_ELEMENTS(places)];
    world->now = world->place->around + g_rand_int_range(random, -72, 72);
    make_accounts(world, random);
    make_policy(world, random);
    make_person(world, random);
    make_acts(world, random);
    make_candidate(world, random);
}

/* ---- the judge ------------------------------------------------------------- */

/* The patterns that occur: a text, "*", a text and "*", a text and "?". */
static gboolean
fits_one(const char *pattern, const char *text)
{
    gsize length = strlen(pattern);
    char last = pattern[length - 1];
    if (last == '*')
        return strncmp(pattern, text, length - 1) == 0;
    if (last == '?')
        return strlen(text) == length && strncmp(pattern, text, length - 1) == 0;
    return strcmp(pattern, text) == 0;
}

static gboolean
is_class(MrgPatterns wanted, const char *class_name)
{
    return wanted ? fits_one(wanted[0], class_name)
                  : strcmp(class_name, "transactional") != 0;
}

static gboolean
is_like(const MrgCap *cap, const char *campaign, const char *sender, const char *tags)
{
    return (!cap->campaigns || fits_one(cap->campaigns[0], campaign)) &&
           (!cap->senders || fits_one(cap->senders[0], sender)) &&
           (!cap->tags || strstr(tags, cap->tags[0]));
}

static const MrgSends *
account_of(const MrgCap *cap, const World *world)
{
    return &world->accounts[world->has_account[cap->scope] ? cap->scope : MRG_SCOPE_PERSON];
}

static gboolean
is_counted(const MrgCap *cap, const MrgSend *send)
{
    MrgPatterns wanted = cap->counts ? cap->counts : cap->classes;
    if (send->kind == MRG_SEND_ATTEMPTED && !cap->counts_attempts)
        return FALSE;
    return is_class(wanted, send->class_name) &&
           is_like(cap, send->campaign, send->sender, send->tags);
}

static gboolean
is_in_window(const MrgCap *cap, const World *world, const MrgSend *send, gint64 hour)
{
    gint64 sent = send->at_us / HOUR;
    gboolean is_planned = send->kind == MRG_SEND_HELD;
    if (cap->period == MRG_PERIOD_ROLLING) {
        gint64 hours = cap->per_us / HOUR;
        return sent > hour - hours && !(is_planned && sent >= hour + hours);
    }
    gint64 then = period_number(cap->period, wall_at(world->place, sent));
    gint64 here = period_number(cap->period, wall_at(world->place, hour));
    return is_planned ? then == here : then >= here;
}

/* ---- engagement ---- */

static MrgConsentState
recorded(const World *world, const char *purpose, gint64 *at_us)
{
    for (gsize i = 0; i < world->state.n_consents; i++)
        if (strcmp(world->consents[i].purpose, purpose) == 0) {
            *at_us = world->consents[i].at_us;
            return world->consents[i].state;
        }
    *at_us = 0;
    return MRG_CONSENT_UNKNOWN;
}

/* What the acts up to that hour are worth then, times the window's hours. */
static gint64
worth(const World *world, gint64 window, gint64 until, gint64 hour)
{
    static const int weights[] = {1, 3, 0};
    gint64 sum = 0;
    for (gsize i = 0; i < world->n_acts && world->acts[i].at <= until; i++)
        sum += weights[world->acts[i].kind] *
               MAX(0, window - MAX(0, hour - world->acts[i].at));
    return sum;
}

/* 1, 0 or -1: above, at or below the limit. */
static int
next_level(int level, gint64 sum, gint64 window)
{
    if (sum >= (level == 1 ? 2 : 4) * window)
        return 1;
    return 10 * sum < 2 * window ? -1 : 0;
}

static int
level_at(const World *world, gint64 window, gint64 hour, Memo *memo)
{
    if (!memo->hour)
        memo->hour = world->n_acts ? world->acts[0].at : hour;
    for (; memo->hour < hour; memo->hour++) {
        gint64 h = memo->hour;
        memo->level = next_level(memo->level, worth(world, window, h - 1, h), window);
        memo->level = next_level(memo->level, worth(world, window, h, h), window);
    }
    int level = next_level(memo->level, worth(world, window, hour - 1, hour), window);
    return next_level(level, worth(world, window, G_MAXINT64, hour), window);
}

static guint
limit_at(const MrgCap *cap, const World *world, gint64 hour)
{
    gint64 when, window = cap->adaptive_window_us / HOUR;
    if (!cap->is_adaptive || recorded(world, "profile", &when) != MRG_CONSENT_GRANTED)
        return cap->limit;
    for (gsize i = 0; i < world->n_acts; i++)
        if (world->acts[i].kind == 2 && world->acts[i].at + window > hour)
            return cap->limit_min;
    int level = level_at(world, window, hour, &world->memos[cap - world->caps]);
    if (level >= 0)
        return level ? cap->limit_max : cap->limit;
    for (gsize i = 0; i < world->accounts[0].n; i++) {
        const MrgSend *send = &world->sends[0][i];
        if (send->kind == MRG_SEND_SENT && is_counted(cap, send) &&
            send->at_us / HOUR + window / 2 <= hour)
            return cap->limit_min;
    }
    return cap->limit;
}

static guint
allowed_at(const MrgCap *cap, const World *world, gint64 hour)
{
    guint limit = limit_at(cap, world, hour);
    if (limit == MRG_UNLIMITED || !cap->reserve ||
        fits_one(cap->reserve_for[0], world->candidate.class_name))
        return limit;
    return limit > cap->reserve ? limit - cap->reserve : 0;
}

/* ---- caps ---- */

static gboolean
is_over(const MrgCap *cap, const World *world, gint64 hour)
{
    guint n = 0;
    const MrgSends *account = account_of(cap, world);
    for (gsize i = 0; i < account->n; i++) {
        const MrgSend *send = &account->list[i];
        gint64 apart = hour - send->at_us / HOUR;
        if (send == account->copy || !is_counted(cap, send))
            continue;
        n += is_in_window(cap, world, send, hour);
        if (cap->min_gap_us && apart < cap->min_gap_us / HOUR &&
            (send->kind != MRG_SEND_HELD || -apart < cap->min_gap_us / HOUR))
            return TRUE;
    }
    return n + cap->reserve >= cap->limit_min && n >= allowed_at(cap, world, hour);
}

static gboolean
is_about(const MrgCap *cap, const MrgCandidate *candidate)
{
    return is_class(cap->classes, candidate->class_name) &&
           !(cap->exempt && fits_one(cap->exempt[0], candidate->class_name)) &&
           is_like(cap, candidate->campaign, candidate->sender, candidate->tags);
}

static gint64
first_pass(const MrgCap *cap, const World *world, gint64 hour)
{
    guint most = cap->is_adaptive ? cap->limit_max : cap->limit;
    if (!most || (most <= cap->reserve &&
                  !fits_one(cap->reserve_for[0], world->candidate.class_name)))
        return 0;
    for (gint64 later = hour + 1; later < hour + SPAN_HOURS; later++)
        if (!is_over(cap, world, later))
            return later;
    return 0;
}

/* Whether the hour is quiet, by walking back to where the stretch would have begun. */
static gboolean
is_quiet(const MrgQuiet *quiet, const World *world, gint64 hour, gint64 *end_wall)
{
    gint64 wall = wall_at(world->place, hour);
    gint64 from = quiet->from_s / 3600, to = quiet->to_s / 3600;
    gint64 length = to > from ? to - from : to - from + 24;
    if (!is_class(quiet->classes, world->candidate.class_name))
        return FALSE;
    for (gint64 ago = length - 1; ago >= 0; ago--) {
        gint64 begin = wall - ago;
        if (begin % 24 == from % 24 && from < 24 &&
            (quiet->days >> ((begin / 24 + 3) % 7) & 1)) {
            *end_wall = begin + length;
            return TRUE;
        }
    }
    return FALSE;
}

/* The first hour at which the wall shows that time, or has passed it in a gap. */
static gint64
hour_of_wall(const World *world, gint64 wall)
{
    gint64 hour = wall - 30;
    while (wall_at(world->place, hour) < wall)
        hour++;
    return hour;
}

static const MrgQuiet *
first_quiet(const World *world, gint64 hour, gint64 *until)
{
    for (gsize i = 0; i < world->policy.n_quiets; i++) {
        gint64 wall;
        if (!is_quiet(&world->quiets[i], world, hour, &wall))
            continue;
        *until = hour_of_wall(world, wall);
        if (*until > hour)
            return &world->quiets[i];
    }
    return NULL;
}

typedef struct Judgement {
    MrgVerdict verdict;
    const char *name; /* of the rule; NULL for none */
    gint64 retry;     /* hour; 0 none */
} Judgement;

static const MrgCap *
first_over(const World *world, gint64 hour)
{
    for (gsize i = 0; i < world->policy.n_caps; i++)
        if (is_about(&world->caps[i], &world->candidate) &&
            is_over(&world->caps[i], world, hour))
            return &world->caps[i];
    return world->wish.per_us && is_about(&world->wish, &world->candidate) &&
                   is_over(&world->wish, world, hour)
               ? &world->wish
               : NULL;
}

/* ---- people ---- */

static gboolean
is_receipt(const World *world)
{
    return strcmp(world->candidate.class_name, "transactional") == 0;
}

static const char *
suppressed(const World *world)
{
    for (gsize i = 0; i < world->state.n_suppressions; i++) {
        const MrgSuppression *one = &world->suppressions[i];
        g_auto(GStrv) words = g_strsplit(one->scope, ":", 2);
        const char *about = strcmp(words[0], "class") == 0  ? world->candidate.class_name
                            : strcmp(words[0], "list") == 0 ? world->candidate.list
                                                            : NULL;
        gboolean is_hit = words[1] ? g_strcmp0(words[1], about) == 0
                                   : !is_receipt(world) || !strcmp(one->reason, "manual");
        if (is_hit && !(one->until_us && one->until_us / HOUR <= world->now))
            return one->reason;
    }
    return NULL;
}

static gboolean
is_within(gint64 at_us, gint64 pause_us, const World *world)
{
    return pause_us && world->now - at_us / HOUR < pause_us / HOUR;
}

static const char *
paused(const World *world)
{
    const MrgPolicy *policy = &world->policy;
    for (gsize i = 0; i < world->state.n_suppressions && !is_receipt(world); i++) {
        const MrgSuppression *one = &world->suppressions[i];
        if (strcmp(one->reason, "manual") &&
            is_within(one->at_us,
                      *one->reason == 'c' ? policy->pause_complaint_us
                                          : policy->pause_unsubscribe_us,
                      world))
            return one->reason;
    }
    for (gsize i = 0; i < world->n_acts && !is_receipt(world); i++)
        if (world->acts[i].kind == 2 &&
            is_within(world->acts[i].at * HOUR, policy->pause_complaint_us, world))
            return "complained";
    return NULL;
}

static const char *
unwanted(const World *world)
{
    gint64 class_at, all_at;
    g_autofree char *purpose = g_strdup_printf("receive:%s", world->candidate.class_name);
    MrgConsentState of_class = recorded(world, purpose, &class_at);
    MrgConsentState of_all = recorded(world, "receive", &all_at);
    if (of_class == MRG_CONSENT_DENIED)
        return "denied for this class";
    if (of_all == MRG_CONSENT_DENIED)
        return of_class == MRG_CONSENT_GRANTED && class_at >= all_at ? NULL
                                                                     : "receive denied";
    if (of_class == MRG_CONSENT_GRANTED || of_all == MRG_CONSENT_GRANTED ||
        is_receipt(world) || world->policy.consent_default == MRG_CONSENT_GRANTED)
        return NULL;
    return "not granted";
}

/* ---- all of it ---- */

static Judgement
judge(const World *world)
{
    Judgement result = {MRG_VERDICT_DELIVER, NULL, 0};
    memset(world->memos, 0, N_CAPS_MAX * sizeof *world->memos);
    const char *(*const gates[])(const World *) = {suppressed, paused, unwanted};
    for (gsize i = 0; i < G_N_ELEMENTS(gates); i++) {
        const char *why = gates[i](world);
        if (why)
            return (Judgement){MRG_VERDICT_DROP, why, 0};
    }
    gint64 hour = MAX(world->now, world->candidate.send_at_us / HOUR);
    for (int round = 0; round < 32; round++) {
        gint64 until;
        const MrgCap *cap = first_over(world, hour);
        if (cap) {
            gboolean is_put_off =
                cap->on_exceed == MRG_VERDICT_HOLD || cap->on_exceed == MRG_VERDICT_DEFER;
            gint64 pass = is_put_off ? first_pass(cap, world, hour) : 0;
            if (cap->on_exceed != MRG_VERDICT_HOLD || !pass)
                return (Judgement){cap->on_exceed, cap->name, pass};
            result.name = cap->name;
            hour = pass;
            continue;
        }
        const MrgQuiet *quiet = first_quiet(world, hour, &until);
        if (!quiet)
            break;
        result.name = quiet->name;
        hour = until;
    }
    if (hour > world->now)
        return (Judgement){MRG_VERDICT_HOLD, result.name ? result.name : "to be sent later",
                           hour};
    return (Judgement){MRG_VERDICT_DELIVER, NULL, 0};
}

/* ---- the test --------------------------------------------------------------- */

static MrgVerdict
check_world(const World *world, guint64 which, MrgArena *arena)
{
    MrgDecision decision;
    mrg_decide(&world->policy, &world->view, &world->candidate, world->now * HOUR, arena,
               &decision);
    Judgement expected = judge(world);
    gint64 when;
    g_assert_cmpint(decision.may_track_open, ==,
                    recorded(world, "track_open", &when) == MRG_CONSENT_GRANTED);
    gboolean is_same = decision.verdict == expected.verdict &&
                       decision.retry_at_us == expected.retry * HOUR &&
                       (!expected.name || strstr(decision.reason, expected.name));
    if (!is_same)
        g_error("case %" G_GUINT64_FORMAT " in %s: %d %s at %" G_GINT64_FORMAT
                ", expected %d %s at %" G_GINT64_FORMAT ", now %" G_GINT64_FORMAT,
                which, world->place->name, (int) decision.verdict, decision.reason,
                decision.retry_at_us / HOUR, (int) expected.verdict,
                expected.name ? expected.name : "-", expected.retry, world->now);
    return expected.verdict;
}

static void
decide_agrees_with_the_oracle(void)
{
    const char *wanted = g_getenv("MRG_ORACLE_CASES");
    guint64 n_cases = wanted ? g_ascii_strtoull(wanted, NULL, 10) : 20000;
    guint64 n_of[5] = {0};
    g_autoptr(GRand) random = g_rand_new_with_seed((guint32) g_test_rand_int());
    g_autoptr(MrgArena) arena = mrg_arena_new();
    for (guint64 i = 0; i < n_cases; i++) {
        World world;
        Memo memos[N_CAPS_MAX];
        make_world(&world, random);
        world.memos = memos;
        n_of[check_world(&world, i, arena)]++;
        mrg_arena_reset(arena);
    }
    g_test_message("%" G_GUINT64_FORMAT " cases", n_cases);
    for (gsize i = 0; n_cases > 1000 && i < G_N_ELEMENTS(n_of); i++)
        g_assert_cmpuint(n_of[i], >, n_cases / 100);
}

/* Every hour of the year, there and back, in every zone. */
static void
zones_agree_with_the_oracle(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(places); i++) {
        const MrgZone *zone = mrg_zone_find(places[i].name, NULL);
        const World world = {.place = &places[i]};
        for (gint64 hour = DAY_2026(1); hour < DAY_2026(364); hour++) {
            gint64 wall = wall_at(&places[i], hour);
            g_assert_cmpint(mrg_zone_wall(zone, hour * HOUR), ==, wall * 3600);
            g_assert_cmpint(mrg_zone_instant(zone, wall * 3600), ==,
                            hour_of_wall(&world, wall) * HOUR);
        }
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/oracle/decide", decide_agrees_with_the_oracle);
    g_test_add_func("/oracle/zones", zones_agree_with_the_oracle);
    return g_test_run();
}
