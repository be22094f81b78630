/* SPDX-License-Identifier: Apache-2.0 */
/* Runs programs of Postfix: no shell, no more output than is bounded, no longer than
 * needed.  What is passed on as it comes has no bound; its silence has. */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl/postfix.h"
#include "milter/error.h"

#define RUN_SECONDS 60
#define CHUNK 8192

typedef struct Run {
    GPollFD pipes[2]; /* stdout, stderr */
    GPid pid;
    GString *said[2];
    gint64 end_us;
    MrgOutputVisit visit; /* NULL: stdout is kept */
    gpointer context;
} Run;

/* An administrator's PATH need not hold sbin. */
static char *
find_program(const char *name, GError **error)
{
    static const char *const folders[] = {"/usr/sbin", "/usr/local/sbin", "/sbin"};
    char *path = g_find_program_in_path(name);
    for (gsize i = 0; !path && i < G_N_ELEMENTS(folders); i++) {
        g_autofree char *file = g_build_filename(folders[i], name, NULL);
        if (g_file_test(file, G_FILE_TEST_IS_EXECUTABLE))
            path = g_steal_pointer(&file);
    }
    if (!path)
        g_set_error(
            error, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT,
            "%s is not on this machine: install Postfix (apt-get install postfix), or "
            "add the folder of %s to PATH",
            name, name);
    return path;
}

static gint64
deadline_us(void)
{
    return g_get_monotonic_time() + RUN_SECONDS * G_USEC_PER_SEC;
}

/* FALSE where that is enough. */
static gboolean
take(Run *run, int i, const char *chunk, gsize length)
{
    if (i == 0 && run->visit) {
        run->end_us = deadline_us();
        return run->visit(chunk, length, run->context);
    }
    g_string_append_len(run->said[i], chunk, (gssize) length);
    return run->said[i]->len <= MRG_POSTCONF_OUTPUT_MAX;
}

/* FALSE at the end of both pipes, or where it went on for too long or said too much. */
static gboolean
read_more(Run *run)
{
    gint64 left_us = run->end_us - g_get_monotonic_time();
    gboolean is_open = run->pipes[0].fd >= 0 || run->pipes[1].fd >= 0;
    if (!is_open || left_us <= 0)
        return FALSE;
    int n = g_poll(run->pipes, G_N_ELEMENTS(run->pipes), (int) (left_us / 1000) + 1);
    if (n < 0)
        return errno == EINTR;
    for (int i = 0; i < 2; i++) {
        char chunk[CHUNK];
        if (!run->pipes[i].revents)
            continue;
        ssize_t got = read(run->pipes[i].fd, chunk, sizeof chunk);
        if (got > 0 && !take(run, i, chunk, (gsize) got))
            return FALSE;
        if (got == 0 || (got < 0 && errno != EINTR)) {
            close(run->pipes[i].fd);
            run->pipes[i].fd = -1;
        }
    }
    return TRUE;
}

/* Reads all there is; the exit status, or -1 where the program had to be ended. */
static int
finish(Run *run)
{
    run->end_us = deadline_us();
    while (read_more(run)) {
    }
    gboolean is_done = run->pipes[0].fd < 0 && run->pipes[1].fd < 0;
    if (!is_done)
        kill(run->pid, SIGKILL);
    for (int i = 0; i < 2; i++)
        if (run->pipes[i].fd >= 0)
            close(run->pipes[i].fd);
    int status = -1;
    while (waitpid(run->pid, &status, 0) < 0 && errno == EINTR) {
    }
    g_spawn_close_pid(run->pid);
    return is_done ? status : -1;
}

/* The last line that is no warning: fatal errors come last. */
static char *
last_complaint(const char *said)
{
    g_autofree char *text = g_utf8_make_valid(said, -1);
    g_auto(GStrv) lines = g_strsplit(g_strstrip(text), "\n", -1);
    guint n = g_strv_length(lines);
    return g_strdup(n ? lines[n - 1] : "");
}

static gboolean
check_end(const Run *run, int status, const char *program, GError **error)
{
    if (status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return TRUE;
    g_autofree char *complaint = last_complaint(run->said[1]->str);
    if (status == -1)
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG,
                    "%s did not end within %d seconds, or printed over %u bytes", program,
                    RUN_SECONDS, MRG_POSTCONF_OUTPUT_MAX);
    else
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG, "%s failed: %s", program,
                    *complaint ? complaint : "it does not say why");
    return FALSE;
}

static gboolean
start(Run *run, const char *program, const char *directory, const char *const *arguments,
      GError **error)
{
    g_autofree char *path = find_program(program, error);
    if (!path)
        return FALSE;
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_ptr_array_add(argv, path);
    if (directory) {
        g_ptr_array_add(argv, (gpointer) "-c");
        g_ptr_array_add(argv, (gpointer) directory);
    }
    for (; arguments && *arguments; arguments++)
        g_ptr_array_add(argv, (gpointer) *arguments);
    g_ptr_array_add(argv, NULL);
    int out, err;
    if (!g_spawn_async_with_pipes(NULL, (char **) argv->pdata, NULL,
                                  G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &run->pid, NULL,
                                  &out, &err, error))
        return FALSE;
    run->pipes[0] = (GPollFD){.fd = out, .events = G_IO_IN};
    run->pipes[1] = (GPollFD){.fd = err, .events = G_IO_IN};
    return TRUE;
}

/* What it printed, "" where that was visited. */
static char *
run_to_end(Run *run, const char *program, const char *directory,
           const char *const *arguments, GError **error)
{
    if (!start(run, program, directory, arguments, error))
        return NULL;
    for (int i = 0; i < 2; i++)
        run->said[i] = g_string_new(NULL);
    gboolean is_done = check_end(run, finish(run), program, error);
    g_string_free(run->said[1], TRUE);
    return g_string_free(run->said[0], !is_done);
}

char *
mrg_postfix_run(const char *program, const char *directory, const char *const *arguments,
                GError **error)
{
    Run run = {0};
    return run_to_end(&run, program, directory, arguments, error);
}

gboolean
mrg_postfix_run_through(const char *program, const char *directory,
                        const char *const *arguments, MrgOutputVisit visit,
                        gpointer context, GError **error)
{
    Run run = {.visit = visit, .context = context};
    g_autofree char *said = run_to_end(&run, program, directory, arguments, error);
    return said != NULL;
}
