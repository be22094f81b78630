/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <pthread.h>

#include "collect/jobs.h"

typedef struct Job {
    void (*run)(gpointer);
    gpointer data;
} Job;

struct MrgJobs {
    pthread_mutex_t mutex; /* for all below */
    pthread_cond_t wake;
    Job *ring;
    guint max, first, n;
    gboolean is_ending;
    pthread_t *threads;
    guint n_threads;
};

static gpointer
work(gpointer data)
{
    MrgJobs *jobs = data;
    pthread_mutex_lock(&jobs->mutex);
    for (;;) {
        while (!jobs->n && !jobs->is_ending)
            pthread_cond_wait(&jobs->wake, &jobs->mutex);
        if (!jobs->n)
            break;
        Job job = jobs->ring[jobs->first];
        jobs->first = (jobs->first + 1) % jobs->max;
        jobs->n--;
        pthread_mutex_unlock(&jobs->mutex);
        job.run(job.data);
        pthread_mutex_lock(&jobs->mutex);
    }
    pthread_mutex_unlock(&jobs->mutex);
    return NULL;
}

MrgJobs *
mrg_jobs_new(guint n_threads, guint max_waiting)
{
    MrgJobs *jobs = g_new0(MrgJobs, 1);
    pthread_mutex_init(&jobs->mutex, NULL);
    pthread_cond_init(&jobs->wake, NULL);
    jobs->max = max_waiting;
    jobs->ring = g_new0(Job, max_waiting);
    jobs->threads = g_new0(pthread_t, n_threads);
    for (; jobs->n_threads < n_threads; jobs->n_threads++)
        if (pthread_create(&jobs->threads[jobs->n_threads], NULL, work, jobs) != 0)
            g_error("cannot start a thread");
    return jobs;
}

void
mrg_jobs_end(MrgJobs *jobs)
{
    pthread_mutex_lock(&jobs->mutex);
    jobs->is_ending = TRUE;
    pthread_cond_broadcast(&jobs->wake);
    pthread_mutex_unlock(&jobs->mutex);
    for (guint i = 0; i < jobs->n_threads; i++)
        pthread_join(jobs->threads[i], NULL);
    jobs->n_threads = 0;
}

void
mrg_jobs_free(MrgJobs *jobs)
{
    if (!jobs)
        return;
    mrg_jobs_end(jobs);
    pthread_cond_destroy(&jobs->wake);
    pthread_mutex_destroy(&jobs->mutex);
    g_free(jobs->threads);
    g_free(jobs->ring);
    g_free(jobs);
}

gboolean
mrg_jobs_add(MrgJobs *jobs, void (*run)(gpointer), gpointer data)
{
    pthread_mutex_lock(&jobs->mutex);
    gboolean is_taken = jobs->n < jobs->max && !jobs->is_ending;
    if (is_taken) {
        jobs->ring[(jobs->first + jobs->n++) % jobs->max] = (Job){run, data};
        pthread_cond_signal(&jobs->wake);
    }
    pthread_mutex_unlock(&jobs->mutex);
    return is_taken;
}
