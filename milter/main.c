/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <locale.h>
#include <malloc.h>
#include <sched.h>
#include <sysexits.h>

#include "milter/clock.h"
#include "milter/counters.h"
#include "milter/log.h"
#include "milter/service.h"

static int
fail(int code, const GError *error)
{
    g_printerr("merganser-milter: %s\n", error->message);
    return code;
}

/* Reads the configuration and opens all it names, so that a daemon that runs can work. */
static MrgPipeline *
start(const char *path, GError **error)
{
    g_autoptr(MrgConf) conf = mrg_conf_load(path, error);
    if (!conf)
        return NULL;
    mrg_log_open("merganser", conf->milter_log == MRG_LOG_STDERR);
    return mrg_pipeline_new(conf, error);
}

/* glibc raises its own limit for what it maps apart with every large block that goes, up to
 * 32 MiB; then large bodies grow by copies on the heap, which it keeps.  Held down, they
 * are moved by the kernel and given back with the message. */
#define LARGE_BLOCK_BYTES (1 << 20)

static void
give_large_blocks_back(void)
{
#ifdef M_MMAP_THRESHOLD
    mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES);
#endif
}

/* An MTA writes a message in pieces.  Under the usual policy the first of them has us take
 * the processor from it, to find nothing more and sleep again; a batch process waits its
 * turn, and finds all of them (sched(7)).  What somebody chose for us stays. */
static void
let_the_mta_finish(void)
{
#ifdef SCHED_BATCH
    const struct sched_param none = {0};
    if (sched_getscheduler(0) == SCHED_OTHER)
        (void) sched_setscheduler(0, SCHED_BATCH, &none);
#endif
}

static int
serve(MrgPipeline *pipeline, const char *path)
{
    /* Of its own: a reload may come while the socket is being opened. */
    g_autoptr(MrgConf) conf = mrg_conf_ref(mrg_pipeline_conf(pipeline));
    const MrgIntakeSocket where = {conf->milter_socket, conf->milter_socket_group,
                                   conf->milter_socket_mode};
    g_autoptr(GError) error = NULL;
    let_the_mta_finish();
    mrg_service_start(pipeline, path);
    if (!mrg_intake_open(&where, mrg_service_handler(), &error)) {
        mrg_service_stop();
        return fail(EX_CONFIG, error);
    }
    g_message("merganser-milter " PACKAGE_VERSION " listens on %s", where.address);
    gboolean is_done = mrg_intake_run();
    mrg_service_stop();
    g_autofree char *counts = mrg_counters_print();
    g_message("merganser-milter ends: %s", counts);
    return is_done ? EX_OK : EX_SOFTWARE;
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
        g_option_context_new("- mail merge for Postfix and Sendmail");
    g_autoptr(GError) error = NULL;

    setlocale(LC_ALL, "");
    give_large_blocks_back();
    mrg_service_block_signals();
    mrg_clock_init();
    mrg_mime_init();
    g_option_context_add_main_entries(options, entries, NULL);
    g_option_context_set_summary(options,
                                 "Runs in the foreground until SIGTERM; SIGUSR1 reads "
                                 "the configuration again.");
    if (!g_option_context_parse(options, &argc, &argv, &error))
        return fail(EX_USAGE, error);
    if (is_version) {
        g_print("merganser-milter " PACKAGE_VERSION "\n");
        return EX_OK;
    }
    if (!path)
        path = g_strdup(MRG_SYSCONF_DIR "/merganser.conf");
    MrgPipeline *pipeline = start(path, &error);
    if (!pipeline)
        return fail(EX_CONFIG, error);
    if (!is_trial)
        return serve(pipeline, path);
    mrg_pipeline_unref(pipeline);
    g_print("%s: ok\n", path);
    return EX_OK;
}
