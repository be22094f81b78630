/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "ctl/postfix.h"
#include "ctl/sendmail-cf.h"

#define RECIPIENTS_USUAL 100
#define WAIT_MAX_S (366 * 86400)

static void
filter_free(gpointer data)
{
    MrgCfFilter *filter = data;
    g_free(filter->name);
    g_free(filter->socket);
    g_free(filter->flags);
    g_free(filter->times);
    g_free(filter);
}

static void
daemon_free(gpointer data)
{
    MrgCfDaemon *daemon = data;
    g_free(daemon->name);
    g_free(daemon->address);
    g_free(daemon->port);
    g_strfreev(daemon->filters);
    g_free(daemon);
}

static void
mailer_free(gpointer data)
{
    MrgCfMailer *mailer = data;
    g_free(mailer->name);
    g_free(mailer->arguments);
    g_free(mailer);
}

void
mrg_sendmail_cf_free(MrgSendmailCf *cf)
{
    g_ptr_array_unref(cf->filters);
    g_ptr_array_unref(cf->daemons);
    g_ptr_array_unref(cf->mailers);
    g_strfreev(cf->input_filters);
    g_free(cf->smart_host);
    g_free(cf->connect_macros);
    g_free(cf);
}

/* ---- words ---- */

/* The value of the last "KEY=VALUE" whose key begins with the letter, as Sendmail looks at
 * no more of it; "" for none. */
static char *
value_of(const char *text, char key, gboolean is_any_case)
{
    g_auto(GStrv) words = g_strsplit(text, ",", -1);
    char *found = g_strdup("");
    for (char **word = words; *word; word++) {
        const char *start = g_strchug(*word), *equals = strchr(start, '=');
        char first = is_any_case ? g_ascii_tolower(*start) : *start;
        if (!equals || first != key)
            continue;
        g_free(found);
        found = g_strstrip(g_strdup(equals + 1));
    }
    return found;
}

/* Names with commas or semicolons between. */
static GStrv
names_of(const char *text)
{
    g_auto(GStrv) words = g_strsplit_set(text, ",;", -1);
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (char **word = words; *word; word++)
        if (*g_strstrip(*word))
            g_ptr_array_add(names, g_strdup(*word));
    g_ptr_array_add(names, NULL);
    return (GStrv) g_ptr_array_steal(names, NULL);
}

/* "merganser, S=..., F=T" in the name and the rest. */
static char *
split_name(const char *text, const char **rest)
{
    gsize length = strcspn(text, ",");
    *rest = text + length + (text[length] == ',');
    return g_strstrip(g_strndup(text, length));
}

/* ---- lines ---- */

static void
take_filter(MrgSendmailCf *cf, const char *text)
{
    MrgCfFilter *filter = g_new0(MrgCfFilter, 1);
    filter->name = split_name(text, &text);
    filter->socket = value_of(text, 'S', FALSE);
    filter->flags = value_of(text, 'F', FALSE);
    filter->times = value_of(text, 'T', FALSE);
    g_ptr_array_add(cf->filters, filter);
}

static void
take_daemon(MrgSendmailCf *cf, const char *text)
{
    MrgCfDaemon *daemon = g_new0(MrgCfDaemon, 1);
    daemon->name = value_of(text, 'n', TRUE);
    daemon->address = value_of(text, 'a', TRUE);
    daemon->port = value_of(text, 'p', TRUE);
    g_autofree char *filters = value_of(text, 'i', TRUE);
    if (*filters)
        daemon->filters = names_of(filters);
    g_ptr_array_add(cf->daemons, daemon);
}

static void
take_mailer(MrgSendmailCf *cf, const char *text)
{
    MrgCfMailer *mailer = g_new0(MrgCfMailer, 1);
    mailer->name = split_name(text, &text);
    mailer->arguments = value_of(text, 'A', FALSE);
    g_autofree char *most = value_of(text, 'r', FALSE);
    guint64 n = g_ascii_strtoull(most, NULL, 10);
    mailer->n_recipients = n && n < G_MAXUINT ? (guint) n : RECIPIENTS_USUAL;
    g_ptr_array_add(cf->mailers, mailer);
}

static void
set(char **text, const char *value)
{
    g_free(*text);
    *text = g_strstrip(g_strdup(value));
}

/* "O Name=VALUE"; options of one letter say nothing that is asked for. */
static void
take_option(MrgSendmailCf *cf, const char *text)
{
    const char *equals = strchr(text, '=');
    if (*text != ' ' || !equals)
        return;
    g_autofree char *name = g_strstrip(g_strndup(text, (gsize) (equals - text)));
    if (g_ascii_strcasecmp(name, "DaemonPortOptions") == 0) {
        take_daemon(cf, equals + 1);
    } else if (g_ascii_strcasecmp(name, "InputMailFilters") == 0) {
        g_strfreev(cf->input_filters);
        cf->input_filters = names_of(equals + 1);
    } else if (g_ascii_strcasecmp(name, "Milter.macros.connect") == 0) {
        set(&cf->connect_macros, equals + 1);
    }
}

MrgSendmailCf *
mrg_sendmail_cf_parse(const char *text)
{
    MrgSendmailCf *cf = g_new0(MrgSendmailCf, 1);
    cf->filters = g_ptr_array_new_with_free_func(filter_free);
    cf->daemons = g_ptr_array_new_with_free_func(daemon_free);
    cf->mailers = g_ptr_array_new_with_free_func(mailer_free);
    cf->input_filters = g_new0(char *, 1);
    cf->smart_host = g_strdup("");
    cf->connect_macros = g_strdup("");
    g_autoptr(GPtrArray) lines = mrg_postfix_lines(text); /* continued in the same way */
    for (guint i = 0; i < lines->len; i++) {
        const char *line = lines->pdata[i];
        if (*line == 'X')
            take_filter(cf, line + 1);
        else if (*line == 'O')
            take_option(cf, line + 1);
        else if (*line == 'M')
            take_mailer(cf, line + 1);
        else if (g_str_has_prefix(line, "DS"))
            set(&cf->smart_host, line + 2);
    }
    return cf;
}

/* ---- questions ---- */

const MrgCfFilter *
mrg_sendmail_cf_filter(const MrgSendmailCf *cf, const char *name)
{
    for (guint i = 0; i < cf->filters->len; i++) {
        const MrgCfFilter *filter = cf->filters->pdata[i];
        if (g_str_equal(filter->name, name))
            return filter;
    }
    return NULL;
}

const MrgCfMailer *
mrg_sendmail_cf_mailer(const MrgSendmailCf *cf, const char *name)
{
    for (guint i = 0; i < cf->mailers->len; i++) {
        const MrgCfMailer *mailer = cf->mailers->pdata[i];
        if (g_str_equal(mailer->name, name))
            return mailer;
    }
    return NULL;
}

GStrv
mrg_sendmail_cf_filters_of(const MrgSendmailCf *cf, const MrgCfDaemon *daemon)
{
    return daemon->filters ? daemon->filters : cf->input_filters;
}

/* "1m30s"; a number alone is seconds. */
static guint64
seconds_of(const char *text)
{
    static const char units[] = "smhdw";
    static const guint64 seconds[] = {1, 60, 3600, 86400, 7 * 86400};
    guint64 sum = 0;
    while (g_ascii_isdigit(*text)) {
        char *end;
        guint64 n = MIN(g_ascii_strtoull(text, &end, 10), WAIT_MAX_S);
        const char *unit = *end ? strchr(units, g_ascii_tolower(*end)) : NULL;
        sum += n * (unit ? seconds[unit - units] : 1);
        text = end + (unit != NULL);
    }
    return MIN(sum, WAIT_MAX_S);
}

guint64
mrg_sendmail_cf_wait_s(const MrgCfFilter *filter, char which)
{
    g_auto(GStrv) times = g_strsplit(filter->times, ";", -1);
    for (char **time = times; *time; time++) {
        const char *one = g_strstrip(*time);
        if (*one == which && one[1] == ':')
            return seconds_of(one + 2);
    }
    return which == 'C' || which == 'E' ? 300 : 10;
}
