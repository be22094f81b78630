/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <math.h>
#include <pthread.h>
#include <string.h>
#include <unicode/ucal.h>
#include <unicode/ucasemap.h>
#include <unicode/ucurr.h>
#include <unicode/udat.h>
#include <unicode/uloc.h>
#include <unicode/unum.h>
#include <unicode/upluralrules.h>
#include <unicode/ustring.h>
#include <unicode/utrans.h>

#include "render/limits.h"
#include "render/locale.h"

/* Measured with ICU 72: 100 to 600 us to open one, 0.1 to 2 us to use it, 0.4 us for a
 * character to transliterate; a step is meant to be a few nanoseconds. */
#define STEPS_TO_OPEN 10000
#define STEPS_TO_USE 40
#define STEPS_PER_ASCII_BYTE 8
#define BYTES_PER_STEP 4

#define KEY_BYTES 256
#define LOCALE_BYTES 32
#define ZONE_BYTES 64
#define PATTERN_BYTES 128
#define NUMBER_BYTES 64 /* longer texts of digits go through a double */
#define OUT_UNITS 256
#define FALLBACK_LOCALE "en"
/* ISO 8601 without a sign has four digits. */
#define YEAR_MAX 9999

typedef enum {
    KIND_NUMBER,
    KIND_PERCENT,
    KIND_CURRENCY,
    KIND_ORDINAL,
    KIND_PLURAL,
    KIND_CASE,
    KIND_ASCII,
    KIND_CALENDAR,
    KIND_DATE
} Kind;

/* What a formatter is opened with; names it in the table too. */
typedef struct Wanted {
    Kind kind;
    const char *locale;
    int digits;           /* numbers; the style, for dates */
    const char *currency; /* or the zone, or the pattern; "" for none */
} Wanted;

/* ---- the table ---- */

typedef struct Kept {
    char key[KEY_BYTES];
    gpointer formatter; /* NULL: the place is free */
    Kind kind;
    guint64 used_at;
} Kept;

static struct {
    pthread_mutex_t mutex;
    Kept places[MRG_LIMIT_FORMATTERS];
    guint64 clock;
} table = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* For a language it lacks, ICU asks the environment otherwise. */
static void
set_default_locale(void)
{
    UErrorCode status = U_ZERO_ERROR;
    uloc_setDefault(FALLBACK_LOCALE, &status);
}

static void
close_formatter(Kind kind, gpointer formatter)
{
    switch (kind) {
    case KIND_NUMBER:
    case KIND_PERCENT:
    case KIND_CURRENCY:
    case KIND_ORDINAL:
        unum_close(formatter);
        break;
    case KIND_PLURAL:
        uplrules_close(formatter);
        break;
    case KIND_CASE:
        ucasemap_close(formatter);
        break;
    case KIND_ASCII:
        utrans_close(formatter);
        break;
    case KIND_CALENDAR:
        ucal_close(formatter);
        break;
    case KIND_DATE:
        udat_close(formatter);
        break;
    }
}

static gpointer
take_kept(const char *key)
{
    gpointer formatter = NULL;
    pthread_mutex_lock(&table.mutex);
    for (gsize i = 0; i < G_N_ELEMENTS(table.places) && !formatter; i++)
        if (table.places[i].formatter && strcmp(table.places[i].key, key) == 0)
            formatter = g_steal_pointer(&table.places[i].formatter);
    pthread_mutex_unlock(&table.mutex);
    return formatter;
}

/* Into a free place, or that of the one that has lain there longest. */
static void
put_back(Kind kind, const char *key, gpointer formatter)
{
    pthread_mutex_lock(&table.mutex);
    Kept *place = &table.places[0];
    for (gsize i = 0; i < G_N_ELEMENTS(table.places) && place->formatter; i++)
        if (!table.places[i].formatter || table.places[i].used_at < place->used_at)
            place = &table.places[i];
    Kept evicted = {.kind = place->kind, .formatter = place->formatter};
    g_strlcpy(place->key, key, sizeof place->key);
    place->formatter = formatter;
    place->kind = kind;
    place->used_at = ++table.clock;
    pthread_mutex_unlock(&table.mutex);
    if (evicted.formatter)
        close_formatter(evicted.kind, evicted.formatter);
}

/* ---- opening ---- */

static int32_t
to_units(const char *text, gsize length, UChar *units, int32_t capacity)
{
    int32_t n = 0;
    UErrorCode status = U_ZERO_ERROR;
    u_strFromUTF8WithSub(units, capacity, &n, text, (int32_t) length, 0xfffd, NULL,
                         &status);
    return U_SUCCESS(status) ? n : 0;
}

static gpointer
open_number(const Wanted *wanted, UErrorCode *status)
{
    static const UNumberFormatStyle styles[] = {
        [KIND_NUMBER] = UNUM_DECIMAL,
        [KIND_PERCENT] = UNUM_PERCENT,
        [KIND_CURRENCY] = UNUM_CURRENCY,
        [KIND_ORDINAL] = UNUM_ORDINAL,
    };
    UChar code[4];
    UNumberFormat *format =
        unum_open(styles[wanted->kind], NULL, 0, wanted->locale, NULL, status);
    if (U_FAILURE(*status) || wanted->kind == KIND_ORDINAL)
        return format;
    unum_setAttribute(format, UNUM_ROUNDING_MODE, UNUM_ROUND_HALFUP);
    if (*wanted->currency)
        unum_setTextAttribute(format, UNUM_CURRENCY_CODE, code,
                              to_units(wanted->currency, strlen(wanted->currency), code, 4),
                              status);
    if (wanted->digits >= 0)
        unum_setAttribute(format, UNUM_FRACTION_DIGITS, wanted->digits);
    return format;
}

static gpointer
open_date(const Wanted *wanted, UErrorCode *status)
{
    static const struct {
        UDateFormatStyle time, date;
    } styles[] = {
        [MRG_STYLE_SHORT] = {UDAT_NONE, UDAT_SHORT},
        [MRG_STYLE_MEDIUM] = {UDAT_NONE, UDAT_MEDIUM},
        [MRG_STYLE_LONG] = {UDAT_NONE, UDAT_LONG},
        [MRG_STYLE_FULL] = {UDAT_NONE, UDAT_FULL},
        [MRG_STYLE_TIME] = {UDAT_SHORT, UDAT_NONE},
        [MRG_STYLE_DATETIME] = {UDAT_SHORT, UDAT_MEDIUM},
        [MRG_STYLE_PATTERN] = {UDAT_PATTERN, UDAT_PATTERN},
    };
    UChar pattern[PATTERN_BYTES];
    int32_t n =
        to_units(wanted->currency, strlen(wanted->currency), pattern, PATTERN_BYTES);
    return udat_open(styles[wanted->digits].time, styles[wanted->digits].date,
                     wanted->locale, u"UTC", -1, pattern, n, status);
}

static gpointer
open_calendar(const Wanted *wanted, UErrorCode *status)
{
    UChar zone[ZONE_BYTES];
    int32_t n = to_units(wanted->currency, strlen(wanted->currency), zone, ZONE_BYTES);
    UCalendar *calendar = ucal_open(zone, n, FALLBACK_LOCALE, UCAL_GREGORIAN, status);
    if (U_SUCCESS(*status))
        ucal_setGregorianChange(calendar, -1e18, status);
    return calendar;
}

static gpointer
open_formatter(const Wanted *wanted)
{
    static const UChar to_ascii[] = u"Cyrillic-Latin; Greek-Latin; Latin-ASCII";
    UErrorCode status = U_ZERO_ERROR;
    gpointer opened = NULL;
    switch (wanted->kind) {
    case KIND_NUMBER:
    case KIND_PERCENT:
    case KIND_CURRENCY:
    case KIND_ORDINAL:
        opened = open_number(wanted, &status);
        break;
    case KIND_PLURAL:
        opened = uplrules_open(wanted->locale, &status);
        break;
    case KIND_CASE:
        opened = ucasemap_open(wanted->locale, 0, &status);
        break;
    case KIND_ASCII:
        opened = utrans_openU(to_ascii, -1, UTRANS_FORWARD, NULL, 0, NULL, &status);
        break;
    case KIND_CALENDAR:
        opened = open_calendar(wanted, &status);
        break;
    case KIND_DATE:
        opened = open_date(wanted, &status);
        break;
    }
    if (U_SUCCESS(status))
        return opened;
    if (opened)
        close_formatter(wanted->kind, opened);
    return NULL;
}

/* ---- taking one ---- */

typedef struct InHand {
    Kind kind;
    char key[KEY_BYTES];
    gpointer formatter; /* NULL: there is none to have */
} InHand;

/* The first of a kind is dear, in every run the same. */
static void
charge_for(MrgHelperCall *call, const char *key)
{
    MrgFormatters *seen = call->formatters;
    mrg_call_charge(call, STEPS_TO_USE);
    for (guint i = 0; i < seen->n_keys; i++)
        if (strcmp(seen->keys[i], key) == 0)
            return;
    mrg_call_charge(call, STEPS_TO_OPEN);
    if (!seen->keys)
        seen->keys = mrg_arena_array(call->arena, const char *, MRG_LIMIT_FORMATTERS);
    if (seen->n_keys < MRG_LIMIT_FORMATTERS)
        seen->keys[seen->n_keys++] = mrg_arena_strdup(call->arena, key);
}

static gpointer
take(MrgHelperCall *call, const Wanted *wanted, InHand *in_hand)
{
    pthread_once(&once, set_default_locale);
    in_hand->kind = wanted->kind;
    in_hand->formatter = NULL;
    g_snprintf(in_hand->key, sizeof in_hand->key, "%d %d %s %s", (int) wanted->kind,
               wanted->digits, wanted->locale, wanted->currency);
    charge_for(call, in_hand->key);
    if (mrg_call_is_over(call))
        return NULL;
    in_hand->formatter = take_kept(in_hand->key);
    if (!in_hand->formatter)
        in_hand->formatter = open_formatter(wanted);
    return in_hand->formatter;
}

static void
give_back(InHand *in_hand)
{
    if (in_hand->formatter)
        put_back(in_hand->kind, in_hand->key, in_hand->formatter);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(InHand, give_back)

static MrgValue
from_units(MrgHelperCall *call, const UChar *units, int32_t length)
{
    UErrorCode status = U_ZERO_ERROR;
    int32_t n = 0, capacity = length * 3;
    mrg_call_charge(call, (gsize) length / BYTES_PER_STEP);
    if (mrg_call_is_over(call))
        return mrg_call_nothing();
    char *text = mrg_arena_alloc(call->arena, (gsize) capacity + 1);
    u_strToUTF8WithSub(text, capacity + 1, &n, units, length, 0xfffd, NULL, &status);
    return U_SUCCESS(status) ? mrg_value_string(text, (gsize) n) : mrg_call_nothing();
}

/* ---- which locale ---- */

/* "pt_BR", "zh-Hant-TW", "de_DE.UTF-8": letters, digits and hyphens up to the first other
 * character, the language first. */
static gboolean
read_locale(const char *name, gsize length, char locale[LOCALE_BYTES])
{
    gsize n = 0, letters = 0;
    while (n < length && (g_ascii_isalnum(name[n]) || name[n] == '-' || name[n] == '_')) {
        if (n + 1 == LOCALE_BYTES)
            return FALSE;
        locale[n] = name[n] == '-' ? '_' : name[n];
        letters += letters == n && g_ascii_isalpha(name[n]);
        n++;
    }
    locale[n] = '\0';
    gboolean is_ended = n == length || name[n] == '.' || name[n] == '@';
    return is_ended && (letters == 2 || letters == 3) &&
           (n == letters || locale[letters] == '_');
}

static const char *
locale_of(MrgHelperCall *call)
{
    char *locale = mrg_arena_alloc(call->arena, LOCALE_BYTES);
    const MrgValue *named = mrg_call_argument(call, "locale", G_MAXUINT);
    const char *set = call->input->locale;
    if (named && named->type == MRG_VALUE_STRING &&
        read_locale(named->text, named->length, locale))
        return locale;
    if (set && read_locale(set, strlen(set), locale))
        return locale;
    return FALLBACK_LOCALE;
}

/* ---- texts ---- */

static gboolean
is_ascii(const MrgValue *text)
{
    guchar all = 0;
    for (guint32 i = 0; i < text->length; i++)
        all |= (guchar) text->text[i];
    return all < 0x80;
}

/* Turkish, Azeri and Lithuanian have letters i of their own (Unicode, SpecialCasing.txt).
 */
static gboolean
is_plain_language(const char *locale)
{
    static const char *const others[] = {"tr", "az", "lt", "tur", "aze", "lit"};
    gsize n = strcspn(locale, "_");
    for (gsize i = 0; i < G_N_ELEMENTS(others); i++)
        if (strlen(others[i]) == n && g_ascii_strncasecmp(locale, others[i], n) == 0)
            return FALSE;
    return TRUE;
}

static MrgValue
change_ascii(MrgHelperCall *call, const MrgValue *text, MrgCase wanted)
{
    char *out = mrg_arena_alloc(call->arena, text->length);
    for (guint32 i = 0; i < text->length; i++)
        out[i] = wanted == MRG_CASE_UPPER ? g_ascii_toupper(text->text[i])
                                          : g_ascii_tolower(text->text[i]);
    return mrg_value_string(out, text->length);
}

typedef int32_t (*CaseFunction)(UCaseMap *map, char *out, int32_t capacity,
                                const char *text, int32_t length, UErrorCode *status);

static int32_t
to_upper(UCaseMap *map, char *out, int32_t capacity, const char *text, int32_t length,
         UErrorCode *status)
{
    return ucasemap_utf8ToUpper(map, out, capacity, text, length, status);
}

static int32_t
to_lower(UCaseMap *map, char *out, int32_t capacity, const char *text, int32_t length,
         UErrorCode *status)
{
    return ucasemap_utf8ToLower(map, out, capacity, text, length, status);
}

static MrgValue
change_case(MrgHelperCall *call, UCaseMap *map, const MrgValue *text, MrgCase wanted)
{
    static const CaseFunction functions[] = {
        [MRG_CASE_UPPER] = to_upper,
        [MRG_CASE_LOWER] = to_lower,
        [MRG_CASE_TITLE] = ucasemap_utf8ToTitle,
    };
    int32_t capacity = (int32_t) text->length + (int32_t) text->length / 2 + 8, n = 0;
    for (int try = 0; try < 2; try++) {
        UErrorCode status = U_ZERO_ERROR;
        char *out = mrg_arena_alloc(call->arena, (gsize) capacity);
        n = functions[wanted](map, out, capacity, text->text, (int32_t) text->length,
                              &status);
        if (U_SUCCESS(status))
            return mrg_value_string(out, (gsize) n);
        capacity = n + 1;
    }
    return mrg_call_nothing();
}

MrgValue
mrg_locale_case(MrgHelperCall *call, const MrgValue *text, MrgCase wanted)
{
    mrg_call_charge(call,
                    text->length / BYTES_PER_STEP * (wanted == MRG_CASE_TITLE ? 8 : 1));
    if (mrg_call_is_over(call) || !text->length || text->length > G_MAXINT32 / 4)
        return mrg_value_string("", 0);
    Wanted map = {KIND_CASE, locale_of(call), 0, ""};
    if (wanted != MRG_CASE_TITLE && is_ascii(text) && is_plain_language(map.locale))
        return change_ascii(call, text, wanted);
    g_auto(InHand) in_hand = {0};
    return take(call, &map, &in_hand) ? change_case(call, in_hand.formatter, text, wanted)
                                      : mrg_call_nothing();
}

static MrgValue
transliterate(MrgHelperCall *call, const UTransliterator *to_ascii, const MrgValue *text)
{
    /* One letter may become several. */
    int32_t capacity = (int32_t) text->length * 4 + 16, n = 0;
    UErrorCode status = U_ZERO_ERROR;
    UChar *units = mrg_arena_alloc(call->arena, sizeof(UChar) * (gsize) capacity);
    n = to_units(text->text, text->length, units, capacity);
    int32_t limit = n;
    utrans_transUChars(to_ascii, units, &n, capacity, 0, &limit, &status);
    return U_SUCCESS(status) ? from_units(call, units, n) : *text;
}

MrgValue
mrg_locale_ascii(MrgHelperCall *call, const MrgValue *text)
{
    if (is_ascii(text))
        return *text;
    mrg_call_charge(call, (gsize) text->length * STEPS_PER_ASCII_BYTE);
    if (mrg_call_is_over(call))
        return mrg_call_nothing();
    g_auto(InHand) in_hand = {0};
    return take(call, &(Wanted){KIND_ASCII, "", 0, ""}, &in_hand)
               ? transliterate(call, in_hand.formatter, text)
               : *text;
}

/* ---- numbers ---- */

static int32_t
format_number(const UNumberFormat *format, const MrgValue *value, double number, UChar *out,
              UErrorCode *status)
{
    /* Digits as written, so that long ids and prices stay what they are. */
    if (value->length <= NUMBER_BYTES)
        return unum_formatDecimal(format, value->text, (int32_t) value->length, out,
                                  OUT_UNITS, NULL, status);
    return unum_formatDouble(format, number, out, OUT_UNITS, NULL, status);
}

static const char *
currency_of(MrgHelperCall *call, const char *locale)
{
    UErrorCode status = U_ZERO_ERROR;
    UChar units[4];
    int32_t n = ucurr_forLocale(locale, units, G_N_ELEMENTS(units), &status);
    if (U_FAILURE(status) || n != 3) {
        mrg_call_fail(call, "name the currency, as in {{currency price \"EUR\"}}");
        return "";
    }
    MrgValue code = from_units(call, units, n);
    return mrg_arena_dup(call->arena, code.text, code.length);
}

MrgValue
mrg_locale_number(MrgHelperCall *call, MrgNumberFormat format, const MrgValue *value,
                  int digits, const char *currency)
{
    static const Kind kinds[] = {
        [MRG_FORMAT_NUMBER] = KIND_NUMBER,
        [MRG_FORMAT_PERCENT] = KIND_PERCENT,
        [MRG_FORMAT_CURRENCY] = KIND_CURRENCY,
        [MRG_FORMAT_ORDINAL] = KIND_ORDINAL,
    };
    UErrorCode status = U_ZERO_ERROR;
    UChar out[OUT_UNITS];
    double number;
    if (!mrg_call_double(call, value, &number) || ABS(number) > 1e100)
        return mrg_call_nothing();
    Wanted wanted = {kinds[format], locale_of(call), digits, currency ? currency : ""};
    if (format == MRG_FORMAT_CURRENCY && !currency)
        wanted.currency = currency_of(call, wanted.locale);
    g_auto(InHand) in_hand = {0};
    if (call->failure || !take(call, &wanted, &in_hand))
        return mrg_call_nothing();
    int32_t n =
        format == MRG_FORMAT_ORDINAL
            ? unum_formatDouble(in_hand.formatter, number, out, OUT_UNITS, NULL, &status)
            : format_number(in_hand.formatter, value, number, out, &status);
    return U_SUCCESS(status) ? from_units(call, out, n) : mrg_call_nothing();
}

const char *
mrg_locale_plural(MrgHelperCall *call, double number)
{
    UErrorCode status = U_ZERO_ERROR;
    UChar word[16];
    const Wanted wanted = {KIND_PLURAL, locale_of(call), 0, ""};
    g_auto(InHand) in_hand = {0};
    if (!take(call, &wanted, &in_hand))
        return "other";
    int32_t n =
        uplrules_select(in_hand.formatter, number, word, G_N_ELEMENTS(word), &status);
    MrgValue text = U_SUCCESS(status) ? from_units(call, word, n) : mrg_call_nothing();
    return text.type == MRG_VALUE_STRING
               ? mrg_arena_dup(call->arena, text.text, text.length)
               : "other";
}

/* ---- time ---- */

/* "+02:00", "-0800", "Z". */
static gboolean
read_offset(const char *name, gsize length, char zone[ZONE_BYTES])
{
    char digits[5] = "";
    gsize n = 0;
    if (length == 1 && (*name == 'Z' || *name == 'z')) {
        g_strlcpy(zone, "UTC", ZONE_BYTES);
        return TRUE;
    }
    if (length < 5 || length > 6 || (*name != '+' && *name != '-'))
        return FALSE;
    for (gsize i = 1; i < length; i++) {
        if (g_ascii_isdigit(name[i]) && n < 4)
            digits[n++] = name[i];
        else if (name[i] != ':' || i != 3)
            return FALSE;
    }
    g_snprintf(zone, ZONE_BYTES, "GMT%c%.2s:%s", *name, digits, digits + 2);
    return n == 4 && memcmp(digits, "24", 2) < 0 && digits[2] < '6';
}

const char *
mrg_locale_zone(MrgHelperCall *call, const char *name, gsize length)
{
    char *zone = mrg_arena_alloc(call->arena, ZONE_BYTES);
    UChar units[ZONE_BYTES], canonical[ZONE_BYTES];
    UErrorCode status = U_ZERO_ERROR;
    UBool is_known = FALSE;
    mrg_call_charge(call, STEPS_TO_USE);
    if (read_offset(name, length, zone))
        return zone;
    if (!length || length >= ZONE_BYTES)
        return NULL;
    memcpy(zone, name, length);
    zone[length] = '\0';
    int32_t n = to_units(name, length, units, ZONE_BYTES);
    ucal_getCanonicalTimeZoneID(units, n, canonical, ZONE_BYTES, &is_known, &status);
    return U_SUCCESS(status) && is_known ? zone : NULL;
}

const char *
mrg_locale_default_zone(MrgHelperCall *call)
{
    const MrgValue *named = mrg_call_argument(call, "timezone", G_MAXUINT);
    const char *set = call->input->timezone, *zone = NULL;
    if (named && !mrg_value_is_empty(named)) {
        MrgValue name = mrg_call_text(call, named);
        zone = mrg_locale_zone(call, name.text, name.length);
        if (!zone)
            mrg_call_fail(call, "there is no time zone of that name");
        return zone;
    }
    if (set)
        zone = mrg_locale_zone(call, set, strlen(set));
    return zone ? zone : "UTC";
}

static gboolean
is_in_range(double ms)
{
    /* From the year 1 to the year 9999. */
    return ms >= -62135596800000.0 && ms < 253402300800000.0;
}

static UCalendar *
take_calendar(MrgHelperCall *call, const char *zone, InHand *in_hand)
{
    return take(call, &(Wanted){KIND_CALENDAR, "", 0, zone}, in_hand);
}

gboolean
mrg_locale_from_local(MrgHelperCall *call, const char *zone, const MrgLocalTime *local,
                      double *ms)
{
    UErrorCode status = U_ZERO_ERROR;
    g_auto(InHand) in_hand = {0};
    UCalendar *calendar = take_calendar(call, zone, &in_hand);
    if (!calendar)
        return FALSE;
    ucal_clear(calendar);
    ucal_setDateTime(calendar, local->year, local->month - 1, local->day, local->hour,
                     local->minute, local->second, &status);
    double found = ucal_getMillis(calendar, &status) + local->millisecond;
    if (U_FAILURE(status) || !is_in_range(found))
        return FALSE;
    *ms = found;
    return TRUE;
}

gboolean
mrg_locale_to_local(MrgHelperCall *call, const char *zone, double ms, MrgLocalTime *local)
{
    UErrorCode status = U_ZERO_ERROR;
    g_auto(InHand) in_hand = {0};
    UCalendar *calendar = take_calendar(call, zone, &in_hand);
    if (!calendar)
        return FALSE;
    ucal_setMillis(calendar, ms, &status);
    local->year = ucal_get(calendar, UCAL_EXTENDED_YEAR, &status);
    local->month = ucal_get(calendar, UCAL_MONTH, &status) + 1;
    local->day = ucal_get(calendar, UCAL_DATE, &status);
    local->hour = ucal_get(calendar, UCAL_HOUR_OF_DAY, &status);
    local->minute = ucal_get(calendar, UCAL_MINUTE, &status);
    local->second = ucal_get(calendar, UCAL_SECOND, &status);
    local->millisecond = ucal_get(calendar, UCAL_MILLISECOND, &status);
    local->offset = (ucal_get(calendar, UCAL_ZONE_OFFSET, &status) +
                     ucal_get(calendar, UCAL_DST_OFFSET, &status)) /
                    60000;
    return U_SUCCESS(status) && local->year > 0 && local->year <= YEAR_MAX;
}

/* Milliseconds of a unit that is always as long; 0 for the others. */
static double
unit_ms(MrgTimeUnit unit)
{
    return unit == MRG_UNIT_SECOND   ? 1e3
           : unit == MRG_UNIT_MINUTE ? 6e4
           : unit == MRG_UNIT_HOUR   ? 36e5
                                     : 0;
}

static UCalendarDateFields
unit_field(MrgTimeUnit unit)
{
    return unit == MRG_UNIT_DAY     ? UCAL_DATE
           : unit == MRG_UNIT_WEEK  ? UCAL_WEEK_OF_YEAR
           : unit == MRG_UNIT_MONTH ? UCAL_MONTH
                                    : UCAL_YEAR;
}

gboolean
mrg_locale_add(MrgHelperCall *call, const char *zone, double *ms, MrgTimeUnit unit,
               int amount)
{
    UErrorCode status = U_ZERO_ERROR;
    double sum = *ms + amount * unit_ms(unit);
    if (!unit_ms(unit)) {
        g_auto(InHand) in_hand = {0};
        UCalendar *calendar = take_calendar(call, zone, &in_hand);
        if (!calendar)
            return FALSE;
        ucal_setMillis(calendar, *ms, &status);
        ucal_add(calendar, unit_field(unit), amount, &status);
        sum = ucal_getMillis(calendar, &status);
    }
    if (U_FAILURE(status) || !is_in_range(sum))
        return FALSE;
    *ms = sum;
    return TRUE;
}

gboolean
mrg_locale_difference(MrgHelperCall *call, const char *zone, double from, double to,
                      MrgTimeUnit unit, double *amount)
{
    UErrorCode status = U_ZERO_ERROR;
    if (unit_ms(unit)) {
        *amount = trunc((to - from) / unit_ms(unit));
        return TRUE;
    }
    g_auto(InHand) in_hand = {0};
    UCalendar *calendar = take_calendar(call, zone, &in_hand);
    if (!calendar)
        return FALSE;
    ucal_setMillis(calendar, from, &status);
    *amount = ucal_getFieldDifference(calendar, to, unit_field(unit), &status);
    return U_SUCCESS(status);
}

MrgValue
mrg_locale_date(MrgHelperCall *call, const char *zone, double ms, MrgDateStyle style,
                const MrgValue *pattern)
{
    UErrorCode status = U_ZERO_ERROR;
    UChar out[OUT_UNITS * 2];
    const char *text = "";
    if (style == MRG_STYLE_PATTERN) {
        if (pattern->length >= PATTERN_BYTES)
            return mrg_call_fail(call, "the format is longer than 127 bytes");
        text = mrg_arena_dup(call->arena, pattern->text, pattern->length);
    }
    const Wanted wanted = {KIND_DATE, locale_of(call), (int) style, text};
    g_auto(InHand) calendar = {0};
    g_auto(InHand) format = {0};
    if (!take_calendar(call, zone, &calendar) || !take(call, &wanted, &format))
        return mrg_call_nothing();
    ucal_setMillis(calendar.formatter, ms, &status);
    int32_t n = udat_formatCalendar(format.formatter, calendar.formatter, out,
                                    G_N_ELEMENTS(out), NULL, &status);
    return U_SUCCESS(status) ? from_units(call, out, n) : mrg_call_nothing();
}
