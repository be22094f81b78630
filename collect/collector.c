/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <glib/gstdio.h>
#include <string.h>

#include "collect/collector.h"
#include "milter/error.h"

#define SECRET_BYTES_MIN 32

static gboolean
fail(const MrgConf *conf, const char *key, const char *problem, GError **error)
{
    g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG, "%s:1:1: '%s' in [collector] %s",
                conf->path, key, problem);
    return FALSE;
}

static gboolean
open_proxies(MrgCollector *collector, GError **error)
{
    const char *wrong = NULL;
    collector->proxies =
        mrg_networks_parse(collector->conf->collector_trusted_proxies, &wrong);
    return collector->proxies || fail(collector->conf, "trusted_proxies",
                                      "must be networks such as 192.0.2.0/24", error);
}

static gboolean
check(const MrgConf *conf, GError **error)
{
    const char *base = conf->collector_base_path;
    if (conf->collector_threads < 1 || conf->collector_threads > 64)
        return fail(conf, "threads", "must be 1 to 64", error);
    if (*base && (*base != '/' || g_str_has_suffix(base, "/")))
        return fail(conf, "base_path", "must begin with a slash and end with none", error);
    if (conf->collector_timeout < G_USEC_PER_SEC)
        return fail(conf, "timeout", "must be 1s at least", error);
    return conf->collector_connections >= 16 ||
           fail(conf, "connections", "must be 16 at least", error);
}

/* Read by this user alone, as the key ring is. */
static gboolean
read_secret(MrgCollector *collector, GError **error)
{
    const MrgConf *conf = collector->conf;
    const char *path = conf->collector_webhook_secret_file;
    GStatBuf status;
    if (!*path)
        return TRUE;
    if (g_stat(path, &status) != 0 || status.st_mode & 077)
        return fail(conf, "webhook_secret_file",
                    "must name a file that its owner alone can read", error);
    g_autoptr(GError) problem = NULL;
    if (!g_file_get_contents(path, &collector->webhook_secret, NULL, &problem))
        return fail(conf, "webhook_secret_file", "cannot be read", error);
    g_strstrip(collector->webhook_secret);
    return strlen(collector->webhook_secret) >= SECRET_BYTES_MIN ||
           fail(conf, "webhook_secret_file", "must hold 32 bytes at least", error);
}

/* All but the key ring and what lasts. */
static MrgCollector *
read_files(MrgConf *conf, GError **error)
{
    g_autoptr(MrgCollector) collector = g_new0(MrgCollector, 1);
    g_atomic_int_set(&collector->references, 1);
    collector->conf = mrg_conf_ref(conf);
    if (!check(conf, error) || !open_proxies(collector, error))
        return NULL;
    collector->base_length = strlen(conf->collector_base_path);
    collector->pages = mrg_pages_load(conf->collector_pages, conf->render_locale, error);
    if (!collector->pages || !read_secret(collector, error))
        return NULL;
    collector->access_log = mrg_access_log_open(conf->collector_access_log, error);
    return collector->access_log ? g_steal_pointer(&collector) : NULL;
}

MrgCollector *
mrg_collector_new(MrgConf *conf, GError **error)
{
    g_autoptr(MrgKeyring) keyring = mrg_keyring_load(conf->keys_file, error);
    g_autoptr(MrgCollector) collector = keyring ? read_files(conf, error) : NULL;
    if (!collector)
        return NULL;
    collector->keyring = g_steal_pointer(&keyring);
    collector->lasting = mrg_lasting_open(conf, error);
    return collector->lasting ? g_steal_pointer(&collector) : NULL;
}

/* Whether both know people by the same key: with another, nobody's unsubscription holds any
 * more. */
static gboolean
check_person(const MrgConf *conf, const MrgKeyring *was, const MrgKeyring *is,
             GError **error)
{
    static const char address[] = "anybody@example.com";
    MrgPersonKey old, new;
    mrg_person_key(was, address, &old);
    mrg_person_key(is, address, &new);
    if (mrg_key_equal(&old, &new))
        return TRUE;
    g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG,
                "%s:1:1: the key for people is another one now, and would recognise nobody",
                conf->keys_file);
    return FALSE;
}

MrgCollector *
mrg_collector_renew(const MrgCollector *before, MrgConf *conf, GError **error)
{
    if (!mrg_lasting_fits(before->conf, conf, error))
        return NULL;
    g_autoptr(MrgKeyring) keyring = mrg_keyring_load(conf->keys_file, error);
    if (!keyring || !check_person(conf, before->keyring, keyring, error))
        return NULL;
    MrgCollector *collector = read_files(conf, error);
    if (!collector)
        return NULL;
    collector->keyring = g_steal_pointer(&keyring);
    collector->lasting = mrg_lasting_ref(before->lasting);
    return collector;
}

MrgCollector *
mrg_collector_ref(MrgCollector *collector)
{
    g_atomic_int_inc(&collector->references);
    return collector;
}

void
mrg_collector_unref(MrgCollector *collector)
{
    if (!collector || !g_atomic_int_dec_and_test(&collector->references))
        return;
    mrg_lasting_unref(collector->lasting);
    mrg_pages_free(collector->pages);
    g_free(collector->webhook_secret);
    g_clear_pointer(&collector->access_log, mrg_access_log_close);
    g_clear_pointer(&collector->keyring, mrg_keyring_unref);
    mrg_networks_free(collector->proxies);
    mrg_conf_unref(collector->conf);
    g_free(collector);
}

gint64
mrg_collector_deadline(const MrgCollector *collector)
{
    return g_get_monotonic_time() + collector->conf->store_deadline;
}

void
mrg_collector_store_failed(MrgCollector *collector, const GError *error)
{
    mrg_collector_count(collector, MRG_COUNT_store_errors);
    g_warning("the store does not answer: %s", error->message);
}

/* ---- metrics */

static const char *const route_names[] = {
#define ROUTE(id, name, path, methods, body_max, handler, kind) name,
#include "collect/routes.def"
    "none"};

static void
print_metric(GString *out, const char *name, const char *type, const char *help,
             guint64 value)
{
    g_string_append_printf(out,
                           "# HELP merganser_collector_%s %s\n"
                           "# TYPE merganser_collector_%s %s\n"
                           "merganser_collector_%s %" G_GUINT64_FORMAT "\n",
                           name, help, name, type, name, value);
}

static void
print_answers(GString *out, MrgCollector *collector)
{
    g_string_append(out, "# HELP merganser_collector_answers_total Answers by route and "
                         "class of status.\n"
                         "# TYPE merganser_collector_answers_total counter\n");
    for (gsize route = 0; route <= MRG_N_ROUTES; route++) {
        for (guint class = 1; class < MRG_STATUS_CLASSES; class ++) {
            guint64 n = __atomic_load_n(&collector->lasting->answers[route][class],
                                        __ATOMIC_RELAXED);
            if (n)
                g_string_append_printf(out,
                                       "merganser_collector_answers_total{route=\"%s\","
                                       "status=\"%uxx\"} %" G_GUINT64_FORMAT "\n",
                                       route_names[route], class, n);
        }
    }
}

char *
mrg_collector_metrics(MrgCollector *collector)
{
    static const char *const help[][2] = {
#define COUNT(name, help) {#name "_total", help},
#include "collect/counts.def"
    };
    GString *out = g_string_new(NULL);
    print_answers(out, collector);
    for (gsize i = 0; i < MRG_N_COUNTS; i++)
        print_metric(out, help[i][0], "counter", help[i][1],
                     __atomic_load_n(&collector->lasting->counts[i], __ATOMIC_RELAXED));
    MrgJournalState state;
    mrg_journal_state(collector->lasting->journal, &state);
    print_metric(out, "journal_records_total", "counter", "Hits that were recorded.",
                 state.n_records);
    print_metric(out, "journal_refused_total", "counter",
                 "Hits that the journal did not take, answered 503.", state.n_refused);
    print_metric(out, "journal_syncs_total", "counter", "Files synced.", state.n_syncs);
    print_metric(out, "journal_bytes", "gauge", "Bytes of hits that are not removed yet.",
                 state.used_bytes);
    return g_string_free(out, FALSE);
}
