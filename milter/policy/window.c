/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <pthread.h>
#include <string.h>

#include "milter/policy/window.h"

#define SECOND_US G_USEC_PER_SEC
#define ZONE_NAME_MAX 64
#define ZONES_MAX 1024

/* Known by heart: 1970 to 2070.  GLib goes through all changes of a zone each time. */
#define KNOWN_FROM_S G_GINT64_CONSTANT(0)
#define KNOWN_TO_S G_GINT64_CONSTANT(3155760000)

typedef struct Change {
    gint64 from_s, offset_s;
} Change;

struct MrgZone {
    GTimeZone *zone;
    GArray *changes; /* Change, the first one at KNOWN_FROM_S */
};

/* ---- zones ------------------------------------------------------------- */

/* IANA's names have no dots, so nothing leads out of their folder. */
static gboolean
is_zone_name(const char *name)
{
    gsize length = strspn(name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "/_+-");
    return length && length <= ZONE_NAME_MAX && !name[length] && g_ascii_isalpha(*name);
}

static gint64
floor_div(gint64 a, gint64 b)
{
    return a / b - (a % b < 0);
}

static gint
interval_at(GTimeZone *zone, gint64 at_s)
{
    return g_time_zone_find_interval(zone, G_TIME_TYPE_UNIVERSAL, at_s);
}

/* The first second from from_s on, up to to_s, that is not of this interval. */
static gint64
interval_end(GTimeZone *zone, gint interval, gint64 from_s, gint64 to_s)
{
    while (from_s < to_s) {
        gint64 middle_s = from_s + (to_s - from_s) / 2;
        if (interval_at(zone, middle_s) == interval)
            from_s = middle_s + 1;
        else
            to_s = middle_s;
    }
    return to_s;
}

/* Takes zone. */
static MrgZone *
zone_new(GTimeZone *zone)
{
    MrgZone *new = g_new(MrgZone, 1);
    *new = (MrgZone){zone, g_array_new(FALSE, FALSE, sizeof(Change))};
    for (gint64 at_s = KNOWN_FROM_S; at_s < KNOWN_TO_S;) {
        gint interval = interval_at(zone, at_s);
        const Change change = {at_s, g_time_zone_get_offset(zone, interval)};
        g_array_append_val(new->changes, change);
        at_s = interval_end(zone, interval, at_s, KNOWN_TO_S);
    }
    return new;
}

static const MrgZone *
find_zone(const char *name)
{
    /* A lock that ThreadSanitizer understands. */
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static GHashTable *zones;
    if (!name || !is_zone_name(name))
        return NULL;
    pthread_mutex_lock(&lock);
    if (!zones)
        zones = g_hash_table_new(g_str_hash, g_str_equal);
    MrgZone *found = g_hash_table_lookup(zones, name);
    GTimeZone *zone = found || g_hash_table_size(zones) >= ZONES_MAX
                          ? NULL
                          : g_time_zone_new_identifier(name);
    if (zone) {
        found = zone_new(zone);
        g_hash_table_insert(zones, g_strdup(name), found);
    }
    pthread_mutex_unlock(&lock);
    return found;
}

const MrgZone *
mrg_zone_find(const char *name, const char *fallback)
{
    static const MrgZone utc;
    const MrgZone *found = find_zone(name);
    if (!found)
        found = find_zone(fallback);
    return found ? found : &utc;
}

static gint64
offset_at(const MrgZone *zone, gint64 at_s)
{
    if (!zone || !zone->zone)
        return 0;
    if (at_s < KNOWN_FROM_S || at_s >= KNOWN_TO_S)
        return g_time_zone_get_offset(zone->zone, interval_at(zone->zone, at_s));
    const Change *changes = (const Change *) (gpointer) zone->changes->data;
    guint low = 0, high = zone->changes->len;
    while (high - low > 1) {
        guint middle = low + (high - low) / 2;
        if (changes[middle].from_s <= at_s)
            low = middle;
        else
            high = middle;
    }
    return changes[low].offset_s;
}

gint64
mrg_zone_wall(const MrgZone *zone, gint64 at_us)
{
    gint64 at_s = floor_div(at_us, SECOND_US);
    return at_s + offset_at(zone, at_s);
}

/* Where the offset stops being what it is at from_s; it is another one at to_s. */
static gint64
find_change(const MrgZone *zone, gint64 from_s, gint64 to_s)
{
    gint64 offset = offset_at(zone, from_s);
    while (to_s - from_s > 1) {
        gint64 middle_s = from_s + (to_s - from_s) / 2;
        if (offset_at(zone, middle_s) == offset)
            from_s = middle_s;
        else
            to_s = middle_s;
    }
    return to_s;
}

/* No zone changes twice within two days. */
gint64
mrg_zone_instant(const MrgZone *zone, gint64 wall_s)
{
    gint64 before = offset_at(zone, wall_s - MRG_DAY_S);
    gint64 after = offset_at(zone, wall_s + MRG_DAY_S);
    gint64 early_s = wall_s - MAX(before, after), late_s = wall_s - MIN(before, after);
    if (early_s + offset_at(zone, early_s) == wall_s)
        return early_s * SECOND_US;
    if (late_s + offset_at(zone, late_s) == wall_s)
        return late_s * SECOND_US;
    return find_change(zone, early_s, late_s) * SECOND_US;
}

/* ---- calendar ---------------------------------------------------------- */

guint
mrg_weekday(gint64 wall_s)
{
    gint64 day = floor_div(wall_s, MRG_DAY_S);
    return (guint) (((day + 3) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
}

/* Days since 1970 of a Gregorian date; months may go beyond 12. */
static gint64
day_of(gint64 year, gint64 month, gint64 day)
{
    static const guint16 before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    year += (month - 1) / 12;
    month = (month - 1) % 12 + 1;
    gint64 past = year - 1;
    gboolean is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return 365 * (year - 1970) + (past / 4 - 492) - (past / 100 - 19) + (past / 400 - 4) +
           before[month - 1] + (month > 2 && is_leap) + day - 1;
}

static gint64
month_start(gint64 day, int months_on)
{
    GDate date;
    g_date_clear(&date, 1);
    g_date_set_julian(&date, (guint32) (day + 719163)); /* 1970-01-01, from the year 1 */
    return day_of(g_date_get_year(&date), (gint64) g_date_get_month(&date) + months_on, 1);
}

static gint64
edge(MrgPeriod period, const MrgZone *zone, gint64 at_us, int periods_on)
{
    gint64 wall_s = MAX(mrg_zone_wall(zone, at_us), 0);
    gint64 day = floor_div(wall_s, MRG_DAY_S);
    switch (period) {
    case MRG_PERIOD_DAY:
    case MRG_PERIOD_ROLLING:
        day += periods_on;
        break;
    case MRG_PERIOD_WEEK:
        day += 7 * periods_on - (gint64) mrg_weekday(wall_s);
        break;
    case MRG_PERIOD_MONTH:
        day = month_start(day, periods_on);
        break;
    }
    return mrg_zone_instant(zone, day * MRG_DAY_S);
}

gint64
mrg_period_start(MrgPeriod period, const MrgZone *zone, gint64 at_us)
{
    return edge(period, zone, at_us, 0);
}

gint64
mrg_period_next(MrgPeriod period, const MrgZone *zone, gint64 at_us)
{
    return edge(period, zone, at_us, 1);
}

/* ---- texts ------------------------------------------------------------- */

/* As many digits as the pattern has '#'s; what stands between must be there. */
static gboolean
take_digits(const char **text, const char *pattern, int *numbers)
{
    for (; *pattern; pattern++, (*text)++) {
        if (*pattern == '#' && g_ascii_isdigit(**text))
            *numbers = *numbers * 10 + (**text - '0');
        else if (*pattern == '#' || **text != *pattern)
            return FALSE;
        if (*pattern == '#' && pattern[1] != '#')
            numbers++;
    }
    return TRUE;
}

gboolean
mrg_clock_time_parse(const char *text, gint64 *second)
{
    int numbers[2] = {0};
    if (!take_digits(&text, "##:##", numbers) || *text)
        return FALSE;
    *second = numbers[0] * 3600 + numbers[1] * 60;
    return numbers[1] < 60 && *second <= MRG_DAY_S;
}
