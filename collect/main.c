/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <sysexits.h>

#include "collect/reply.h"
#include "collect/server.h"
#include "milter/clock.h"
#include "milter/error.h"
#include "milter/log.h"

static int
fail(const GError *error)
{
    g_printerr("merganser-collector: %s\n", error->message);
    return g_error_matches(error, MRG_ERROR, MRG_ERROR_CONFIG) ? EX_CONFIG : EX_UNAVAILABLE;
}

static void
block_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGHUP);
    sigaddset(signals, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, signals, NULL);
}

static void
reopen_log(MrgCollector *collector)
{
    g_autoptr(GError) error = NULL;
    if (!mrg_access_log_reopen(collector->access_log, &error))
        g_warning("%s", error->message);
}

static MrgCollector *
read_again(const MrgCollector *before, GError **error)
{
    g_autoptr(MrgConf) conf = mrg_conf_load(before->conf->path, error);
    return conf ? mrg_collector_renew(before, conf, error) : NULL;
}

/* All of the new configuration, or all of the old one. */
static void
reload(MrgCollector **collector, MrgServer *server)
{
    g_autoptr(GError) error = NULL;
    MrgCollector *renewed = read_again(*collector, &error);
    if (!renewed) {
        g_warning("the configuration stays as it was: %s", error->message);
        return;
    }
    mrg_server_renew(server, renewed);
    mrg_collector_unref(*collector);
    *collector = renewed;
    g_message("the configuration is read again");
}

/* Until it is told to end. */
static void
run(MrgCollector **collector, MrgServer *server, const sigset_t *signals)
{
    const struct timespec second = {1, 0};
    for (;;) {
        int number = sigtimedwait(signals, NULL, &second);
        if (number == SIGTERM || number == SIGINT)
            return;
        if (number == SIGHUP)
            reopen_log(*collector);
        if (number == SIGUSR1)
            reload(collector, server);
        mrg_access_log_flush((*collector)->access_log);
        mrg_server_tick(server);
    }
}

static int
serve(MrgConf *conf, gboolean is_trial, const sigset_t *signals)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgCollector) collector = mrg_collector_new(conf, &error);
    if (!collector)
        return fail(error);
    if (is_trial) {
        g_print("%s: ok\n", conf->path);
        return EX_OK;
    }
    mrg_replies_init();
    MrgServer *server = mrg_server_start(collector, &error);
    if (!server) {
        mrg_replies_clear();
        return fail(error);
    }
    g_message("merganser-collector " PACKAGE_VERSION " listens on port %u",
              mrg_server_port(server));
    run(&collector, server, signals);
    mrg_server_stop(server);
    MrgJournalState state;
    mrg_journal_state(collector->lasting->journal, &state);
    g_message("merganser-collector ends: recorded=%" G_GUINT64_FORMAT
              " refused=%" G_GUINT64_FORMAT,
              state.n_records, state.n_refused);
    mrg_replies_clear();
    return EX_OK;
}

int
main(int argc, char **argv)
{
    g_autofree char *path = NULL;
    gboolean is_trial = FALSE, is_version = FALSE;
    const GOptionEntry entries[] = {
        {"config", 'c', 0, G_OPTION_ARG_FILENAME, &path,
         "read FILE instead of " MRG_SYSCONF_DIR "/merganser.conf", "FILE"},
        {"test", 't', 0, G_OPTION_ARG_NONE, &is_trial,
         "read the configuration, open what it names, and end", NULL},
        {"version", 'V', 0, G_OPTION_ARG_NONE, &is_version, "print the version", NULL},
        {0}};
    g_autoptr(GOptionContext) options =
        g_option_context_new("- answers pixels, links, unsubscriptions and event tags");
    g_autoptr(GError) error = NULL;
    sigset_t signals;

    setlocale(LC_ALL, "");
    block_signals(&signals);
    mrg_clock_init();
    g_option_context_add_main_entries(options, entries, NULL);
    g_option_context_set_summary(options, "Runs in the foreground until SIGTERM; SIGUSR1 "
                                          "reads the configuration again, SIGHUP opens the "
                                          "access log anew.");
    if (!g_option_context_parse(options, &argc, &argv, &error)) {
        g_printerr("merganser-collector: %s\n", error->message);
        return EX_USAGE;
    }
    if (is_version) {
        g_print("merganser-collector " PACKAGE_VERSION "\n");
        return EX_OK;
    }
    g_autoptr(MrgConf) conf =
        mrg_conf_load(path ? path : MRG_SYSCONF_DIR "/merganser.conf", &error);
    if (!conf)
        return fail(error);
    mrg_log_open("merganser-collector", conf->milter_log == MRG_LOG_STDERR);
    return serve(conf, is_trial, &signals);
}
