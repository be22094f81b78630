/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <math.h>
#include <string.h>

#include "render/helper.h"
#include "render/locale.h"
#include "render/text.h"

/* Numbers from here on are milliseconds: as seconds they would lie behind the year 5000. */
#define MILLISECONDS_FROM 1e11
#define AMOUNT_MAX 10000000

typedef struct When {
    double ms;
    const char *zone; /* to show it in */
    gboolean is_date; /* without a time of day */
} When;

/* ---- reading ---- */

/* What is still to be read of an ISO 8601 text. */
typedef struct Rest {
    const char *at, *end;
} Rest;

static gboolean
take_number(Rest *rest, gsize digits, int *number)
{
    if ((gsize) (rest->end - rest->at) < digits)
        return FALSE;
    *number = 0;
    for (; digits; digits--, rest->at++) {
        if (!g_ascii_isdigit(*rest->at))
            return FALSE;
        *number = *number * 10 + g_ascii_digit_value(*rest->at);
    }
    return TRUE;
}

static gboolean
take_one_of(Rest *rest, const char *chars)
{
    if (rest->at == rest->end || !*rest->at || !strchr(chars, *rest->at))
        return FALSE;
    rest->at++;
    return TRUE;
}

static gboolean
take_date(Rest *rest, MrgLocalTime *time)
{
    return take_number(rest, 4, &time->year) && take_one_of(rest, "-") &&
           take_number(rest, 2, &time->month) && take_one_of(rest, "-") &&
           take_number(rest, 2, &time->day) && time->month >= 1 && time->month <= 12 &&
           time->day >= 1 &&
           g_date_valid_dmy((GDateDay) time->day, (GDateMonth) time->month,
                            (GDateYear) time->year);
}

static void
take_fraction(Rest *rest, MrgLocalTime *time)
{
    int scale = 100;
    for (; rest->at < rest->end && g_ascii_isdigit(*rest->at); rest->at++, scale /= 10)
        time->millisecond += g_ascii_digit_value(*rest->at) * scale;
}

static gboolean
take_time(Rest *rest, MrgLocalTime *time)
{
    if (!take_number(rest, 2, &time->hour) || !take_one_of(rest, ":") ||
        !take_number(rest, 2, &time->minute))
        return FALSE;
    if (take_one_of(rest, ":") && !take_number(rest, 2, &time->second))
        return FALSE;
    if (take_one_of(rest, ".,"))
        take_fraction(rest, time);
    return time->hour < 24 && time->minute < 60 && time->second <= 60;
}

/* 2026-07-01, 2026-07-01T12:00[:00[.000]][Z|+02:00]; a blank for the T. */
static gboolean
read_iso(MrgHelperCall *call, const MrgValue *text, const char *zone, gboolean is_forced,
         When *when)
{
    Rest rest = {text->text, text->text + text->length};
    MrgLocalTime time = {0};
    *when = (When){.zone = zone};
    if (!take_date(&rest, &time))
        return FALSE;
    when->is_date = !take_one_of(&rest, "Tt ");
    if (!when->is_date && !take_time(&rest, &time))
        return FALSE;
    const char *written = zone;
    if (!when->is_date && rest.at < rest.end) {
        gboolean is_utc = rest.end - rest.at == 1;
        written = mrg_locale_zone(call, rest.at, (gsize) (rest.end - rest.at));
        when->zone = is_utc || is_forced ? zone : written;
        rest.at = rest.end;
    }
    return written && rest.at == rest.end &&
           mrg_locale_from_local(call, written, &time, &when->ms);
}

/* FALSE for what is no time; then call->failure says whether that is an error. */
static gboolean
read_when(MrgHelperCall *call, const MrgValue *value, When *when)
{
    const MrgValue *named = mrg_call_argument(call, "timezone", G_MAXUINT);
    const char *zone = mrg_locale_default_zone(call);
    double number;
    if (!zone || (value->type != MRG_VALUE_STRING && value->type != MRG_VALUE_NUMBER))
        return FALSE;
    if (!mrg_call_double(call, value, &number)) {
        MrgValue text = mrg_text_trim(value);
        return read_iso(call, &text, zone, named != NULL, when);
    }
    *when = (When){fabs(number) < MILLISECONDS_FROM ? number * 1000 : number, zone, FALSE};
    MrgLocalTime time;
    return mrg_locale_to_local(call, zone, when->ms, &time);
}

static When
read_now(MrgHelperCall *call)
{
    const char *zone = mrg_locale_default_zone(call);
    double ms = (double) (call->input->now_us / G_TIME_SPAN_SECOND) * 1000;
    return (When){ms, zone ? zone : "UTC", FALSE};
}

/* ---- writing ---- */

static MrgValue
write_iso(MrgHelperCall *call, const When *when)
{
    MrgLocalTime t;
    char text[64], zone[16] = "Z";
    if (!mrg_locale_to_local(call, when->zone, when->ms, &t))
        return mrg_call_nothing();
    if (t.offset || strcmp(when->zone, "UTC") != 0)
        g_snprintf(zone, sizeof zone, "%c%02d:%02d", t.offset < 0 ? '-' : '+',
                   ABS(t.offset) / 60, ABS(t.offset) % 60);
    int n = g_snprintf(text, sizeof text, "%04d-%02d-%02d", t.year, t.month, t.day);
    if (!when->is_date)
        n += g_snprintf(text + n, sizeof text - (gsize) n, "T%02d:%02d:%02d", t.hour,
                        t.minute, t.second);
    if (!when->is_date && t.millisecond)
        n += g_snprintf(text + n, sizeof text - (gsize) n, ".%03d", t.millisecond);
    if (!when->is_date)
        n += g_snprintf(text + n, sizeof text - (gsize) n, "%s", zone);
    return mrg_value_string(mrg_arena_dup(call->arena, text, (gsize) n), (gsize) n);
}

static MrgValue
write_date(MrgHelperCall *call, const When *when, const MrgValue *format)
{
    static const char *const styles[] = {
        [MRG_STYLE_SHORT] = "short", [MRG_STYLE_MEDIUM] = "medium",
        [MRG_STYLE_LONG] = "long",   [MRG_STYLE_FULL] = "full",
        [MRG_STYLE_TIME] = "time",   [MRG_STYLE_DATETIME] = "datetime",
        [MRG_STYLE_PATTERN] = NULL,
    };
    MrgValue text = format ? mrg_call_text(call, format) : mrg_value_cstring("medium");
    guint style = 0;
    if (!text.length)
        text = mrg_value_cstring("medium");
    if (text.length == 3 && memcmp(text.text, "iso", 3) == 0)
        return write_iso(call, when);
    while (styles[style] && (strlen(styles[style]) != text.length ||
                             memcmp(styles[style], text.text, text.length) != 0))
        style++;
    return mrg_locale_date(call, when->zone, when->ms, (MrgDateStyle) style, &text);
}

MrgValue
mrg_helper_date(MrgHelperCall *call)
{
    When when;
    if (!read_when(call, &call->args[0], &when))
        return mrg_call_nothing();
    return write_date(call, &when, mrg_call_argument(call, NULL, 1));
}

MrgValue
mrg_helper_now(MrgHelperCall *call)
{
    const MrgValue *format = mrg_call_argument(call, NULL, 0);
    When now = read_now(call);
    if (call->failure)
        return mrg_call_nothing();
    return format ? write_date(call, &now, format) : write_iso(call, &now);
}

/* ---- SendGrid's formats, which are those of moment.js ---- */

static const struct {
    const char *token, *pattern;
} tokens[] = {
    {"YYYY", "yyyy"}, {"YY", "yy"}, {"MMMM", "MMMM"}, {"MMM", "MMM"},   {"MM", "MM"},
    {"M", "M"},       {"DD", "dd"}, {"D", "d"},       {"dddd", "EEEE"}, {"ddd", "EEE"},
    {"HH", "HH"},     {"H", "H"},   {"hh", "hh"},     {"h", "h"},       {"mm", "mm"},
    {"m", "m"},       {"ss", "ss"}, {"s", "s"},       {"A", "a"},       {"a", "a"},
    {"ZZ", "xx"},     {"Z", "xxx"},
};

/* A pattern under way; literal text stands in apostrophes, and one in it is doubled. */
typedef struct Pattern {
    MrgText text;
    gboolean is_quoted;
} Pattern;

static void
append_to_pattern(Pattern *pattern, gboolean is_literal, const char *text, gsize length)
{
    if (!is_literal != !pattern->is_quoted)
        mrg_text_append(&pattern->text, "'", 1);
    pattern->is_quoted = is_literal;
    mrg_text_append(&pattern->text, text, length);
}

static void
append_literal(Pattern *pattern, const char *text, gsize length)
{
    for (gsize i = 0; i < length; i++) {
        if (text[i] == '\'')
            mrg_text_append(&pattern->text, "''", 2);
        else
            append_to_pattern(pattern, TRUE, text + i, 1);
    }
}

/* Bytes of the token at the start; 0 where none is. */
static gsize
append_token(Pattern *pattern, const char *text, gsize length)
{
    for (gsize i = 0; i < G_N_ELEMENTS(tokens); i++) {
        gsize n = strlen(tokens[i].token);
        if (n > length || memcmp(tokens[i].token, text, n) != 0)
            continue;
        append_to_pattern(pattern, FALSE, tokens[i].pattern, strlen(tokens[i].pattern));
        return n;
    }
    return 0;
}

static MrgValue
translate_format(MrgHelperCall *call, const MrgValue *format)
{
    Pattern pattern = {.text = mrg_text_begin(call, 64)};
    const char *text = format->text;
    for (gsize at = 0; at < format->length && !mrg_call_is_over(call);) {
        gsize left = format->length - at;
        const char *close = text[at] == '[' ? memchr(text + at, ']', left) : NULL;
        if (close) {
            append_literal(&pattern, text + at + 1, (gsize) (close - text) - at - 1);
            at = (gsize) (close - text) + 1;
            continue;
        }
        gsize taken = append_token(&pattern, text + at, left);
        if (!taken)
            append_literal(&pattern, text + at, 1);
        at += MAX(taken, 1);
    }
    append_to_pattern(&pattern, FALSE, "", 0);
    return mrg_text_end(&pattern.text);
}

MrgValue
mrg_helper_format_date(MrgHelperCall *call)
{
    const MrgValue *offset = mrg_call_argument(call, NULL, 2);
    When when;
    if (!read_when(call, &call->args[0], &when))
        return mrg_call_nothing();
    if (offset && !mrg_value_is_empty(offset)) {
        MrgValue name = mrg_call_text(call, offset);
        when.zone = mrg_locale_zone(call, name.text, name.length);
        if (!when.zone)
            return mrg_call_fail(call, "there is no time zone or offset of that name");
    }
    if (call->n_args < 2)
        return write_date(call, &when, NULL);
    MrgValue format = mrg_call_text(call, &call->args[1]);
    MrgValue pattern = translate_format(call, &format);
    return mrg_locale_date(call, when.zone, when.ms, MRG_STYLE_PATTERN, &pattern);
}

/* ---- reckoning ---- */

static gboolean
read_unit(MrgHelperCall *call, const MrgValue *value, MrgTimeUnit *unit)
{
    static const char *const names[] = {
        [MRG_UNIT_SECOND] = "seconds", [MRG_UNIT_MINUTE] = "minutes",
        [MRG_UNIT_HOUR] = "hours",     [MRG_UNIT_DAY] = "days",
        [MRG_UNIT_WEEK] = "weeks",     [MRG_UNIT_MONTH] = "months",
        [MRG_UNIT_YEAR] = "years",
    };
    MrgValue text = mrg_call_text(call, value);
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        gsize n = strlen(names[i]);
        if ((text.length == n || text.length == n - 1) &&
            memcmp(names[i], text.text, text.length) == 0) {
            *unit = (MrgTimeUnit) i;
            return TRUE;
        }
    }
    mrg_call_fail(call,
                  "a unit is one of seconds, minutes, hours, days, weeks, months, years");
    return FALSE;
}

MrgValue
mrg_helper_dateadd(MrgHelperCall *call)
{
    When when;
    MrgTimeUnit unit;
    gint64 amount;
    if (!read_unit(call, &call->args[2], &unit) ||
        !read_when(call, &call->args[0], &when) ||
        !mrg_call_integer(call, &call->args[1], &amount) || ABS(amount) > AMOUNT_MAX ||
        !mrg_locale_add(call, when.zone, &when.ms, unit, (int) amount))
        return mrg_call_nothing();
    when.is_date = when.is_date && unit >= MRG_UNIT_DAY;
    return write_iso(call, &when);
}

MrgValue
mrg_helper_datediff(MrgHelperCall *call)
{
    When from, to;
    MrgTimeUnit unit = MRG_UNIT_DAY;
    double amount;
    if ((call->n_args > 2 && !read_unit(call, &call->args[2], &unit)) ||
        !read_when(call, &call->args[0], &from) || !read_when(call, &call->args[1], &to) ||
        !mrg_locale_difference(call, from.zone, from.ms, to.ms, unit, &amount))
        return mrg_call_nothing();
    return mrg_call_number(call, amount);
}

MrgValue
mrg_helper_timezone(MrgHelperCall *call)
{
    const MrgValue *zone = mrg_call_argument(call, "timezone", 1);
    When when;
    if (!read_when(call, &call->args[0], &when))
        return mrg_call_nothing();
    if (zone) {
        MrgValue name = mrg_call_text(call, zone);
        when.zone = mrg_locale_zone(call, name.text, name.length);
        if (!when.zone)
            return mrg_call_fail(call, "there is no time zone of that name");
    }
    when.is_date = FALSE;
    return write_iso(call, &when);
}

/* ---- seasons ---- */

/* Countries whose people live south of the equator, most of them (ISO 3166-1). */
static const char southern[] = "AO AR AS AU BI BO BR BW CC CD CG CK CL CX EC FJ FK GA GS "
                               "ID IO KM LS MG MU MW MZ NA NC "
                               "NF NR NU NZ PE PF PG PN PY RE RW SB SC SH SZ TF TK TL TO "
                               "TV TZ UY VU WF WS YT ZA ZM ZW";

static gboolean
is_southern(MrgHelperCall *call)
{
    const MrgValue *latitude = mrg_call_argument(call, "latitude", G_MAXUINT);
    const MrgValue *country = mrg_call_argument(call, "country", G_MAXUINT);
    double degrees;
    if (latitude && mrg_call_double(call, latitude, &degrees))
        return degrees < 0;
    if (!country || country->type != MRG_VALUE_STRING || country->length != 2)
        return FALSE;
    const char code[] = {g_ascii_toupper(country->text[0]),
                         g_ascii_toupper(country->text[1]), '\0'};
    return g_ascii_isalpha(code[0]) && g_ascii_isalpha(code[1]) && strstr(southern, code);
}

/* The meteorological ones: whole months. */
MrgValue
mrg_helper_season(MrgHelperCall *call)
{
    static const char *const names[] = {"winter", "spring", "summer", "autumn"};
    When when;
    MrgLocalTime local;
    if (call->n_args == 0)
        when = read_now(call);
    else if (!read_when(call, &call->args[0], &when))
        return mrg_call_nothing();
    if (call->failure || !mrg_locale_to_local(call, when.zone, when.ms, &local))
        return mrg_call_nothing();
    guint quarter = (guint) local.month % 12 / 3;
    return mrg_value_cstring(names[(quarter + (is_southern(call) ? 2 : 0)) % 4]);
}
