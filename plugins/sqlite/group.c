/* SPDX-License-Identifier: Apache-2.0 */
/*
 * group: commits of many threads in one transaction.
 *
 * What a commit costs is the fsync, so those that wait for the writer share one.  The first
 * of them leads: it takes all that wait, in the order they came, writes each in a savepoint
 * of its own, commits once, and tells them; the next that comes leads the next group.
 */
#include "config.h"

#include "plugins/sqlite/sqlite.h"

typedef struct MrgSqliteJob {
    const MrgOutcome *outcome;
    gint64 deadline_us;
    MrgCommit result; /* DONE until something else comes of it */
    GError *problem;  /* of ERROR */
    enum { WAITS, IS_TAKEN, IS_DONE } state;
} MrgSqliteJob;

void
mrg_sqlite_init_group(MrgSqliteGroup *group)
{
    pthread_mutex_init(&group->lock, NULL);
    mrg_sqlite_init_condition(&group->is_over);
    g_queue_init(&group->waiting);
}

void
mrg_sqlite_clear_group(MrgSqliteGroup *group)
{
    g_queue_clear(&group->waiting);
    pthread_cond_destroy(&group->is_over);
    pthread_mutex_destroy(&group->lock);
}

/* ---- the work of a leader ---------------------------------------------- */

static gboolean
run(const MrgSqliteConnection *connection, MrgSqliteStatement which, GError **error)
{
    return mrg_sqlite_run(mrg_sqlite_fresh(connection, which), "savepoint", error);
}

/* FALSE where the transaction as a whole is lost. */
static gboolean
write_job(const MrgSqliteConnection *connection, MrgSqliteJob *job, GError **error)
{
    if (!run(connection, MRG_SQL_SAVEPOINT, error))
        return FALSE;
    job->result = mrg_sqlite_write_outcome(connection, job->outcome, &job->problem);
    /* A disk that is full or fails may have rolled back everything. */
    if (sqlite3_get_autocommit(connection->db)) {
        *error = g_error_copy(job->problem);
        return FALSE;
    }
    return (job->result == MRG_COMMIT_DONE ||
            run(connection, MRG_SQL_ROLLBACK_TO, error)) &&
           run(connection, MRG_SQL_RELEASE, error);
}

static MrgCommit
write_group(const MrgSqliteConnection *connection, GQueue *group, GError **error)
{
    if (!mrg_sqlite_begin(connection, error))
        return MRG_COMMIT_ERROR;
    for (GList *link = group->head; link; link = link->next)
        if (!write_job(connection, link->data, error))
            return MRG_COMMIT_ERROR;
    return mrg_sqlite_end_commit(connection, error);
}

/* The deadline of the group is the latest of its members', so that one that came late has
 * its time; another may wait longer than it asked for by the difference. */
static void
lead(MrgSqlite *self, GQueue *group)
{
    g_autoptr(GError) problem = NULL;
    MrgCommit result = MRG_COMMIT_ERROR;
    gint64 deadline_us = 0;
    for (GList *link = group->head; link; link = link->next)
        deadline_us = MAX(deadline_us, ((MrgSqliteJob *) link->data)->deadline_us);
    MrgSqliteConnection *connection = mrg_sqlite_borrow(self, TRUE, deadline_us, &problem);
    if (connection) {
        result = write_group(connection, group, &problem);
        mrg_sqlite_return(self, connection);
    }
    /* A job that came to nothing on its own account keeps its answer. */
    for (GList *link = group->head; link; link = link->next) {
        MrgSqliteJob *job = link->data;
        if (job->result != MRG_COMMIT_DONE)
            continue;
        job->result = result;
        job->problem = problem ? g_error_copy(problem) : NULL;
    }
}

/* ---- waiting ----------------------------------------------------------- */

static void
lead_those_that_wait(MrgSqlite *self)
{
    MrgSqliteGroup *group = &self->group;
    GQueue taken = group->waiting;
    g_queue_init(&group->waiting);
    for (GList *link = taken.head; link; link = link->next)
        ((MrgSqliteJob *) link->data)->state = IS_TAKEN;
    group->has_leader = TRUE;
    pthread_mutex_unlock(&group->lock);
    lead(self, &taken);
    pthread_mutex_lock(&group->lock);
    group->has_leader = FALSE;
    while (!g_queue_is_empty(&taken))
        ((MrgSqliteJob *) g_queue_pop_head_link(&taken)->data)->state = IS_DONE;
    pthread_cond_broadcast(&group->is_over);
}

/* A job that a leader has taken is waited for: what it comes to is not known before. */
static void
wait_or_lead(MrgSqlite *self, MrgSqliteJob *job, GList *link)
{
    MrgSqliteGroup *group = &self->group;
    struct timespec until = mrg_sqlite_timespec(job->deadline_us);
    int rc = 0;
    while (job->state != IS_DONE) {
        if (job->state == IS_TAKEN) {
            pthread_cond_wait(&group->is_over, &group->lock);
        } else if (!group->has_leader) {
            lead_those_that_wait(self);
        } else if (rc == 0) {
            rc = pthread_cond_timedwait(&group->is_over, &group->lock, &until);
        } else {
            g_queue_unlink(&group->waiting, link);
            job->state = IS_DONE;
            job->result = MRG_COMMIT_ERROR;
            g_set_error(&job->problem, MRG_STORE_ERROR, MRG_STORE_ERROR_TIMEOUT,
                        "%s: the writer is busy", self->file);
        }
    }
}

MrgCommit
mrg_sqlite_commit(gpointer store, const MrgOutcome *outcome, gint64 deadline_us,
                  GError **error)
{
    MrgSqlite *self = store;
    MrgSqliteJob job = {outcome, deadline_us, MRG_COMMIT_DONE, NULL, WAITS};
    GList link = {.data = &job};
    pthread_mutex_lock(&self->group.lock);
    g_queue_push_tail_link(&self->group.waiting, &link);
    wait_or_lead(self, &job, &link);
    pthread_mutex_unlock(&self->group.lock);
    if (job.problem)
        g_propagate_error(error, job.problem);
    return job.result;
}
