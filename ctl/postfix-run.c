/* SPDX-License-Identifier: Apache-2.0 */
/* Runs programs of Postfix: no shell, no more output than is bounded, no longer than
 * needed. */
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

/* FALSE at the end of both pipes, or where it went on for too long or said too much. */
static gboolean
read_more(Run *run, gint64 end_us)
{
    gint64 left_us = end_us - g_get_monotonic_time();
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
        if (got > 0)
            g_string_append_len(run->said[i], chunk, got);
        if (run->said[i]->len > MRG_POSTCONF_OUTPUT_MAX)
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
    gint64 end_us = g_get_monotonic_time() + RUN_SECONDS * G_USEC_PER_SEC;
    while (read_more(run, end_us)) {
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

static char *
result(Run *run, int status, const char *program, GError **error)
{
    if (status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return g_string_free(g_steal_pointer(&run->said[0]), FALSE);
    g_autofree char *complaint = last_complaint(run->said[1]->str);
    if (status == -1)
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG,
                    "%s did not end within %d seconds, or printed over %u bytes", program,
                    RUN_SECONDS, MRG_POSTCONF_OUTPUT_MAX);
    else
        g_set_error(error, MRG_ERROR, MRG_ERROR_CONFIG, "%s failed: %s", program,
                    *complaint ? complaint : "it does not say why");
    return NULL;
}

char *
mrg_postfix_run(const char *program, const char *directory, const char *const *arguments,
                GError **error)
{
    g_autofree char *path = find_program(program, error);
    if (!path)
        return NULL;
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
    Run run = {0};
    if (!g_spawn_async_with_pipes(NULL, (char **) argv->pdata, NULL,
                                  G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &run.pid, NULL,
                                  &out, &err, error))
        return NULL;
    run.pipes[0] = (GPollFD){.fd = out, .events = G_IO_IN};
    run.pipes[1] = (GPollFD){.fd = err, .events = G_IO_IN};
    run.said[0] = g_string_new(NULL);
    run.said[1] = g_string_new(NULL);
    char *said = result(&run, finish(&run), program, error);
    for (int i = 0; i < 2; i++)
        if (run.said[i])
            g_string_free(run.said[i], TRUE);
    return said;
}
