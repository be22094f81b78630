/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "ctl/mail-log.h"
#include "milter/clock.h"

/* ---- times ------------------------------------------------------------- */

static int
find_month(const char *text)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12; i++)
        if (strncmp(months + 3 * i, text, 3) == 0)
            return i + 1;
    return 0;
}

/* "Nov 27 02:15:31" */
static gboolean
read_old_time(const char *line, gint64 now_us, gint64 *at_us)
{
    int day, hour, minute, second, month = find_month(line);
    g_autoptr(GDateTime) now = g_date_time_new_from_unix_local(now_us / MRG_SECOND_US);
    if (!month || sscanf(line + 3, "%2d %2d:%2d:%2d", &day, &hour, &minute, &second) != 4)
        return FALSE;
    for (int back = 0; back < 2; back++) {
        g_autoptr(GDateTime) at = g_date_time_new_local(g_date_time_get_year(now) - back,
                                                        month, day, hour, minute, second);
        if (!at)
            continue;
        *at_us = g_date_time_to_unix(at) * MRG_SECOND_US;
        if (*at_us <= now_us + 24 * 3600 * MRG_SECOND_US)
            return TRUE;
    }
    return FALSE;
}

static gboolean
read_time(const char *line, gint64 now_us, gint64 *at_us)
{
    gsize length = strcspn(line, " ");
    if (!g_ascii_isdigit(line[0]))
        return strlen(line) > 15 && read_old_time(line, now_us, at_us);
    g_autofree char *text = g_strndup(line, MIN(length, 40));
    g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
    g_autoptr(GDateTime) at = g_date_time_new_from_iso8601(text, utc);
    if (at)
        *at_us = g_date_time_to_unix(at) * MRG_SECOND_US;
    return at && *at_us >= 0;
}

/* ---- words ------------------------------------------------------------- */

/* The value behind ", NAME=" or at the start of text, up to a comma or white space. */
static gboolean
take_value(const char *text, const char *name, char *value, gsize size)
{
    gsize length = strlen(name);
    for (const char *at = strstr(text, name); at; at = strstr(at + 1, name)) {
        if (at != text && at[-1] != ' ')
            continue;
        gsize n = strcspn(at + length, ", ");
        if (n == 0 || n >= size)
            return FALSE;
        memcpy(value, at + length, n);
        value[n] = '\0';
        return TRUE;
    }
    return FALSE;
}

static gboolean
take_queue_id(const char *text, MrgLogLine *read, const char **rest)
{
    gsize n = 0;
    while (g_ascii_isalnum(text[n]))
        n++;
    if (n < 5 || n > MRG_MAIL_LOG_WORD_MAX || strncmp(text + n, ": ", 2) != 0)
        return FALSE;
    memcpy(read->queue_id, text, n);
    read->queue_id[n] = '\0';
    *rest = text + n + 2;
    return TRUE;
}

static gboolean
take_copy(const char *text, MrgLogLine *read)
{
    char hex[2 * MRG_KEY_BYTES + 1];
    read->is_queued = g_str_has_prefix(text, "verdict=deliver,") ||
                      g_str_has_prefix(text, "verdict=hold,");
    if (!take_value(text, "campaign=", read->campaign, sizeof read->campaign) ||
        !take_value(text, "copy=", hex, sizeof hex) || strlen(hex) != 2 * MRG_KEY_BYTES)
        return FALSE;
    for (gsize i = 0; i < MRG_KEY_BYTES; i++) {
        int high = g_ascii_xdigit_value(hex[2 * i]);
        int low = g_ascii_xdigit_value(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return FALSE;
        read->copy.bytes[i] = (guint8) (high << 4 | low);
    }
    return TRUE;
}

static gboolean
take_state(const char *text, MrgLogLine *read)
{
    static const char *const states[] = {"sent", "deferred", "bounced"};
    char state[16];
    if (!take_value(text, "status=", state, sizeof state))
        return FALSE;
    for (gsize i = 0; i < G_N_ELEMENTS(states); i++)
        if (strcmp(states[i], state) == 0) {
            read->state = (MrgDeliveryState) i;
            return TRUE;
        }
    return FALSE;
}

/* orig_to is whom the sender named, where an alias leads elsewhere. */
static void
take_address(const char *text, MrgLogLine *read)
{
    char address[sizeof read->address];
    if (!take_value(text, "orig_to=<", address, sizeof address) &&
        !take_value(text, "to=<", address, sizeof address))
        return;
    address[strcspn(address, ">")] = '\0';
    g_strlcpy(read->address, address, sizeof read->address);
}

/* Who has no mailbox, by the codes of RFC 3463. */
static gboolean
is_hard(const char *code)
{
    return g_str_has_prefix(code, "5.1.") || strcmp(code, "5.2.1") == 0;
}

static gboolean
take_delivery(const char *text, MrgLogLine *read)
{
    /* The reply is a stranger's: nothing is read of it. */
    g_autofree char *own = g_strndup(text, strcspn(text, "("));
    if (!g_str_has_prefix(own, "to=<") || !take_state(own, read))
        return FALSE;
    if (!take_value(own, "dsn=", read->code, sizeof read->code))
        read->code[0] = '\0';
    if (read->state == MRG_DELIVERY_SOFT_BOUNCE && is_hard(read->code))
        read->state = MRG_DELIVERY_HARD_BOUNCE;
    take_address(own, read);
    return TRUE;
}

/* ---- lines ------------------------------------------------------------- */

static gboolean
is_of_agent(const char *program)
{
    static const char *const agents[] = {"/smtp[", "/lmtp[",  "/local[",  "/virtual[",
                                         "/pipe[", "/error[", "/discard["};
    for (gsize i = 0; i < G_N_ELEMENTS(agents); i++)
        if (strstr(program, agents[i]))
            return TRUE;
    return FALSE;
}

static gboolean
is_of_queue(const char *program)
{
    return strstr(program, "/qmgr[") || strstr(program, "/postsuper[");
}

void
mrg_log_line_read(MrgLogLine *read, const char *line, gint64 now_us)
{
    *read = (MrgLogLine){.kind = MRG_LOG_OTHER};
    const char *bracket = strstr(line, "]: "), *text;
    if (!bracket || strnlen(line, MRG_MAIL_LOG_LINE_MAX + 1) > MRG_MAIL_LOG_LINE_MAX ||
        !read_time(line, now_us, &read->at_us) || !take_queue_id(bracket + 3, read, &text))
        return;
    g_autofree char *head = g_strndup(line, (gsize) (bracket - line));
    if (strstr(head, "merganser") && g_str_has_prefix(text, "verdict=")) {
        if (take_copy(text, read))
            read->kind = MRG_LOG_COPY;
    } else if (is_of_agent(head) && take_delivery(text, read)) {
        read->kind = MRG_LOG_DELIVERY;
    } else if (g_str_equal(text, "removed") && is_of_queue(head)) {
        read->kind = MRG_LOG_GONE;
    }
}
