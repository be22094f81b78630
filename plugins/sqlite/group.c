/* SPDX-License-Identifier: Apache-2.0 */
/*
 * group: commits of many threads in one transaction.
 *
 * What a commit costs is the fsync, so those that wait for the writer share one.  Who comes
 * when nobody leads, leads: it takes all that wait, in the order they came, writes them,
 * those that could leave half of their rows behind in savepoints, commits once, hands the
 * lead to the first that came meanwhile, and then tells its own.  Each waits on a condition
 * of its own, so that only those wake up whom it concerns.
 *
 * On a fast disk few come during an fsync, and each of them costs as much processor time as
 * the commit itself.  So a leader waits a little for others, as PostgreSQL does on request
 * (commit_delay), but only for as many as lately came together: who sends one mail after
 * the other never waits.  Where a wait was in vain, those who came together did so by
 * chance: the next try is put off, each time for twice as long.
 */
#include "config.h"

#include "plugins/sqlite/sqlite.h"

/* With more the fsync hardly counts any more, and those that wait send nothing. */
#define WANTED_MAX 4
#define GATHER_US 5000
#define PUT_OFF_MAX 255 /* groups */

/* On the stack of the thread that waits.  Whoever calls it keeps the job's lock until the
 * call is made, and does not look at it afterwards. */
typedef struct MrgSqliteJob {
    const MrgOutcome *outcome;
    gint64 deadline_us;
    MrgCommit result; /* DONE until something else comes of it */
    GError *problem;  /* of ERROR */
    GList link;
    gboolean is_waiting; /* in the queue, where its deadline may end it; the group's lock */
    pthread_mutex_t lock;
    pthread_cond_t called;
    enum { NOT_YET, TO_LEAD, TO_END } call; /* the job's lock */
} MrgSqliteJob;

void
mrg_sqlite_init_group(MrgSqliteGroup *group)
{
    pthread_mutex_init(&group->lock, NULL);
    g_queue_init(&group->waiting);
    mrg_sqlite_init_condition(&group->joined);
    group->wanted = 1;
}

void
mrg_sqlite_clear_group(MrgSqliteGroup *group)
{
    g_queue_clear(&group->waiting);
    pthread_cond_destroy(&group->joined);
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
write_job(const MrgSqliteConnection *connection, MrgSqliteJob *job, gboolean is_guarded,
          GError **error)
{
    if (is_guarded && !run(connection, MRG_SQL_SAVEPOINT, error))
        return FALSE;
    job->result = mrg_sqlite_write_outcome(connection, job->outcome, &job->problem);
    /* A disk that is full or fails may have rolled back everything. */
    if (sqlite3_get_autocommit(connection->db)) {
        *error = g_error_copy(job->problem);
        return FALSE;
    }
    return !is_guarded || ((job->result == MRG_COMMIT_DONE ||
                            run(connection, MRG_SQL_ROLLBACK_TO, error)) &&
                           run(connection, MRG_SQL_RELEASE, error));
}

/* A savepoint has SQLite copy each page that the job changes.  A job of one account needs
 * none to conflict, since it finds that out before it has written anything; only one that
 * fails leaves something behind, and spoils the transaction for the others. */
static gboolean
write_jobs(const MrgSqliteConnection *connection, GQueue *group, gboolean are_guarded,
           gboolean *is_spoilt, GError **error)
{
    *is_spoilt = FALSE;
    for (GList *link = group->head; link && !*is_spoilt; link = link->next) {
        MrgSqliteJob *job = link->data;
        gboolean is_guarded = are_guarded || job->outcome->n_shared > 0;
        if (!write_job(connection, job, is_guarded, error))
            return FALSE;
        *is_spoilt = !is_guarded && job->result == MRG_COMMIT_ERROR;
    }
    return TRUE;
}

static gboolean
start_again(const MrgSqliteConnection *connection, GQueue *group, GError **error)
{
    for (GList *link = group->head; link; link = link->next) {
        MrgSqliteJob *job = link->data;
        job->result = MRG_COMMIT_DONE;
        g_clear_error(&job->problem);
    }
    return run(connection, MRG_SQL_ROLLBACK, error) && mrg_sqlite_begin(connection, error);
}

static MrgCommit
write_group(const MrgSqliteConnection *connection, GQueue *group, GError **error)
{
    gboolean is_spoilt = FALSE;
    if (!mrg_sqlite_begin(connection, error) ||
        !write_jobs(connection, group, FALSE, &is_spoilt, error))
        return MRG_COMMIT_ERROR;
    if (is_spoilt && (!start_again(connection, group, error) ||
                      !write_jobs(connection, group, TRUE, &is_spoilt, error)))
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
call(MrgSqliteJob *job, int what)
{
    pthread_mutex_lock(&job->lock);
    job->call = what;
    pthread_cond_signal(&job->called);
    pthread_mutex_unlock(&job->lock);
}

static MrgSqliteJob *
take_first(GQueue *queue)
{
    GList *link = g_queue_pop_head_link(queue);
    return link ? link->data : NULL;
}

/* To one of those that came while this one led, or to nobody: then who comes next leads. */
static void
hand_on(MrgSqliteGroup *group, guint n_led)
{
    pthread_mutex_lock(&group->lock);
    if (n_led + group->waiting.length > group->wanted) {
        if (group->n_put_off)
            group->n_put_off--;
        else
            group->wanted = MIN(group->wanted + 1, WANTED_MAX);
    }
    MrgSqliteJob *next = take_first(&group->waiting);
    if (next)
        next->is_waiting = FALSE;
    group->has_leader = next != NULL;
    pthread_mutex_unlock(&group->lock);
    if (next)
        call(next, TO_LEAD);
}

/* Under the group's lock. */
static gboolean
is_complete(const MrgSqliteGroup *group)
{
    return group->waiting.length + 1 >= group->wanted;
}

/* Waits for others, for a small part of the time that there is; under the group's lock. */
static void
gather(MrgSqliteGroup *group, gint64 deadline_us)
{
    if (is_complete(group))
        return;
    gint64 now_us = g_get_monotonic_time();
    gint64 wait_us = MIN(GATHER_US, (deadline_us - now_us) / 4);
    struct timespec until = mrg_sqlite_timespec(now_us + wait_us);
    int rc = 0;
    while (!is_complete(group) && rc == 0)
        rc = pthread_cond_timedwait(&group->joined, &group->lock, &until);
    if (is_complete(group)) {
        group->put_off /= 2;
    } else {
        group->wanted--;
        group->put_off = MIN(2 * group->put_off + 1, PUT_OFF_MAX);
        group->n_put_off = group->put_off;
    }
}

static void
lead_those_that_wait(MrgSqlite *self, MrgSqliteJob *own)
{
    MrgSqliteGroup *group = &self->group;
    pthread_mutex_lock(&group->lock);
    gather(group, own->deadline_us);
    GQueue taken = group->waiting;
    g_queue_init(&group->waiting);
    for (GList *link = taken.head; link; link = link->next)
        ((MrgSqliteJob *) link->data)->is_waiting = FALSE;
    pthread_mutex_unlock(&group->lock);
    g_queue_push_head_link(&taken, &own->link);
    lead(self, &taken);
    hand_on(group, taken.length);
    for (MrgSqliteJob *job; (job = take_first(&taken));)
        if (job != own)
            call(job, TO_END);
}

/* TRUE when there is nobody to wait for. */
static gboolean
join(MrgSqliteGroup *group, MrgSqliteJob *job)
{
    pthread_mutex_lock(&group->lock);
    gboolean is_leader = !group->has_leader;
    group->has_leader = TRUE;
    job->is_waiting = !is_leader;
    if (job->is_waiting) {
        g_queue_push_tail_link(&group->waiting, &job->link);
        if (is_complete(group))
            pthread_cond_signal(&group->joined);
    }
    pthread_mutex_unlock(&group->lock);
    return is_leader;
}

/* FALSE when a leader has taken the job: what it comes to is not known before. */
static gboolean
leave(MrgSqliteGroup *group, MrgSqliteJob *job)
{
    pthread_mutex_lock(&group->lock);
    gboolean is_out = job->is_waiting;
    if (is_out)
        g_queue_unlink(&group->waiting, &job->link);
    pthread_mutex_unlock(&group->lock);
    return is_out;
}

/* What it is called for; NOT_YET when its deadline was first. */
static int
wait_for_call(MrgSqliteGroup *group, MrgSqliteJob *job)
{
    struct timespec until = mrg_sqlite_timespec(job->deadline_us);
    int rc = 0;
    pthread_mutex_lock(&job->lock);
    while (job->call == NOT_YET && rc == 0)
        rc = pthread_cond_timedwait(&job->called, &job->lock, &until);
    pthread_mutex_unlock(&job->lock);
    if (rc != 0 && leave(group, job))
        return NOT_YET;
    pthread_mutex_lock(&job->lock);
    while (job->call == NOT_YET)
        pthread_cond_wait(&job->called, &job->lock);
    int what = job->call;
    pthread_mutex_unlock(&job->lock);
    return what;
}

static void
wait_or_lead(MrgSqlite *self, MrgSqliteJob *job)
{
    int what = join(&self->group, job) ? TO_LEAD : wait_for_call(&self->group, job);
    if (what == TO_LEAD) {
        lead_those_that_wait(self, job);
    } else if (what == NOT_YET) {
        job->result = MRG_COMMIT_ERROR;
        g_set_error(&job->problem, MRG_STORE_ERROR, MRG_STORE_ERROR_TIMEOUT,
                    "%s: the writer is busy", self->file);
    }
}

MrgCommit
mrg_sqlite_commit(gpointer store, const MrgOutcome *outcome, gint64 deadline_us,
                  GError **error)
{
    MrgSqliteJob job = {.outcome = outcome, .deadline_us = deadline_us};
    job.result = MRG_COMMIT_DONE;
    job.link.data = &job;
    pthread_mutex_init(&job.lock, NULL);
    mrg_sqlite_init_condition(&job.called);
    wait_or_lead(store, &job);
    pthread_cond_destroy(&job.called);
    pthread_mutex_destroy(&job.lock);
    if (job.problem)
        g_propagate_error(error, job.problem);
    return job.result;
}
