/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <pthread.h>
#include <signal.h>

#include "milter/service.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static MrgPipeline *current;
static char *conf_path;

void
mrg_service_stop(void)
{
    pthread_mutex_lock(&mutex);
    g_clear_pointer(&current, mrg_pipeline_unref);
    g_clear_pointer(&conf_path, g_free);
    pthread_mutex_unlock(&mutex);
}

static char *
dup_conf_path(void)
{
    pthread_mutex_lock(&mutex);
    char *path = g_strdup(conf_path);
    pthread_mutex_unlock(&mutex);
    return path;
}

gboolean
mrg_service_reload(GError **error)
{
    g_autofree char *path = dup_conf_path();
    if (!path)
        return TRUE; /* the end has begun */
    g_autoptr(MrgConf) conf = mrg_conf_load(path, error);
    MrgPipeline *other = conf ? mrg_pipeline_new(conf, error) : NULL;
    if (!other)
        return FALSE;
    pthread_mutex_lock(&mutex);
    if (current) {
        MrgPipeline *old = current;
        current = other;
        other = old;
    }
    pthread_mutex_unlock(&mutex);
    mrg_pipeline_unref(other);
    return TRUE;
}

static gpointer
watch(gpointer data G_GNUC_UNUSED)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    for (int number; sigwait(&signals, &number) == 0;) {
        g_autoptr(GError) error = NULL;
        if (mrg_service_reload(&error))
            g_message("the configuration is read again");
        else
            g_warning("the configuration stays as it was: %s", error->message);
    }
    return NULL;
}

void
mrg_service_block_signals(void)
{
    static const int numbers[] = {SIGUSR1, SIGTERM, SIGINT, SIGHUP};
    sigset_t signals;
    sigemptyset(&signals);
    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++)
        sigaddset(&signals, numbers[i]);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

void
mrg_service_start(MrgPipeline *pipeline, const char *path)
{
    pthread_mutex_lock(&mutex);
    current = pipeline;
    conf_path = g_strdup(path);
    pthread_mutex_unlock(&mutex);
    /* It waits for signals until the program ends: nobody joins it. */
    g_thread_unref(g_thread_new("signals", watch, NULL));
}

static const MrgIntakeRules *
acquire(gpointer *hold)
{
    pthread_mutex_lock(&mutex);
    MrgPipeline *pipeline = current ? mrg_pipeline_ref(current) : NULL;
    pthread_mutex_unlock(&mutex);
    *hold = pipeline;
    return pipeline ? mrg_pipeline_rules(pipeline) : NULL;
}

static void
release(gpointer hold)
{
    mrg_pipeline_unref(hold);
}

static MrgAnswer
serve(gpointer hold, MrgEnvelope *envelope, const MrgMta *mta)
{
    return mrg_pipeline_serve(hold, envelope, mta);
}

const MrgIntakeHandler *
mrg_service_handler(void)
{
    static const MrgIntakeHandler handler = {acquire, release, serve};
    return &handler;
}
