/* SPDX-License-Identifier: Apache-2.0 */
/* mta postfix: joins a Postfix, and leaves it as it was. */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "ctl/join.h"
#include "ctl/verb.h"

#define PORT_MAX 65535

typedef struct Request {
    gboolean is_split, is_direct, is_dry, is_applying, is_removing, is_reloading;
    char *directory;
    char **doors;
    int port;
} Request;

/* What a run ends with. */
typedef struct Report {
    const MrgTool *tool;
    const Request *request;
    const char *directory;
    GPtrArray *changes; /* those that are real */
    GPtrArray *notes;
    gboolean is_done, is_reloaded;
    gboolean is_waiting; /* the rest goes after a reload */
} Report;

static int
fail(const GError *error)
{
    int code = mrg_verb_fail(error);
    return error->domain == G_SPAWN_ERROR ? EX_UNAVAILABLE : code;
}

static guint
shape_of(const Request *request)
{
    return (request->is_split ? MRG_SHAPE_SPLIT : 0) |
           (request->is_direct ? MRG_SHAPE_DIRECT : 0);
}

/* ---- printing ---- */

static void
print_service(const char *sign, const char *line)
{
    g_autoptr(MrgService) service = mrg_service_parse(line);
    g_print("%s %s\n", sign, service ? service->head : line);
    for (guint i = 0; service && i < service->arguments->len; i++) {
        const char *word = service->arguments->pdata[i];
        gboolean is_option = g_str_equal(word, "-o") && i + 1 < service->arguments->len;
        g_print("%s   %s%s%s\n", sign, word, is_option ? " " : "",
                is_option ? (const char *) service->arguments->pdata[++i] : "");
    }
}

static void
print_value(const char *sign, const MrgChange *change, const char *value)
{
    g_autofree char *option = NULL;
    if (!value)
        return;
    switch (change->kind) {
    case MRG_CHANGE_FILE:
        g_print("%s %s\n", sign, change->name);
        break;
    case MRG_CHANGE_SETTING:
        g_print("%s %s = %s\n", sign, change->name, value);
        break;
    case MRG_CHANGE_SERVICE:
        print_service(sign, value);
        break;
    case MRG_CHANGE_OPTION:
        option = mrg_service_option(change->name, value);
        g_print("%s   %s\n", sign, option);
        break;
    }
}

static void
print_changes(const Report *report)
{
    static const char *const files[] = {NULL, "main.cf", "master.cf", "master.cf"};
    const char *file = NULL, *service = "";
    for (guint i = 0; i < report->changes->len; i++) {
        const MrgChange *change = report->changes->pdata[i];
        const char *in = files[change->kind];
        if (in && g_strcmp0(in, file) != 0)
            g_print("%s/%s\n", report->directory, in);
        file = in ? in : file;
        if (change->kind == MRG_CHANGE_OPTION && !g_str_equal(service, change->service))
            g_print("  %s\n", change->service);
        service = change->service;
        print_value("-", change, change->before);
        print_value("+", change, change->after);
    }
}

static gboolean
has_services(const GPtrArray *changes)
{
    for (guint i = 0; i < changes->len; i++) {
        const MrgChange *change = changes->pdata[i];
        if (change->kind == MRG_CHANGE_SERVICE || change->kind == MRG_CHANGE_OPTION)
            return TRUE;
    }
    return FALSE;
}

static gboolean
needs_reload(const Report *report)
{
    if (!report->is_done || report->is_reloaded)
        return FALSE;
    return !report->request->is_removing || report->is_waiting ||
           has_services(report->changes);
}

static const char *
next_step(const Report *report)
{
    if (!report->is_done)
        return report->request->is_removing
                   ? "nothing was changed: leave --dry-run out to do it"
                   : "nothing was changed: --apply does it";
    if (report->is_reloaded)
        return "done, and Postfix has reloaded";
    return needs_reload(report) ? "done; now type:" : "done";
}

static void
print_text_report(const Report *report)
{
    print_changes(report);
    for (guint i = 0; i < report->notes->len; i++)
        g_print("note: %s\n", (char *) report->notes->pdata[i]);
    if (!report->changes->len && !report->is_waiting) {
        g_print("nothing to do\n");
        return;
    }
    g_print("%s\n", next_step(report));
    if (needs_reload(report))
        g_print("    postfix %s%s%sreload\n", report->request->directory ? "-c " : "",
                report->request->directory ? report->directory : "",
                report->request->directory ? " " : "");
}

static json_t *
change_json(const MrgChange *change)
{
    return json_pack("{s:s,s:s,s:s,s:s?,s:s?}", "kind", mrg_change_kind_name(change->kind),
                     "service", change->service, "name", change->name, "before",
                     change->before, "after", change->after);
}

static void
print_json_report(const Report *report)
{
    json_t *changes = json_array(), *notes = json_array();
    for (guint i = 0; i < report->changes->len; i++)
        json_array_append_new(changes, change_json(report->changes->pdata[i]));
    for (guint i = 0; i < report->notes->len; i++)
        json_array_append_new(notes, json_string(report->notes->pdata[i]));
    mrg_print_json(json_pack("{s:s,s:o,s:o,s:b,s:b}", "directory", report->directory,
                             "changes", changes, "notes", notes, "done", report->is_done,
                             "reloaded", report->is_reloaded));
}

static void
print_report(const Report *report)
{
    if (report->tool->is_json)
        print_json_report(report);
    else
        print_text_report(report);
}

static int
print_texts(const MrgTool *tool, const MrgJoin *join)
{
    static const char *const names[] = {"main", "master", "header_checks"};
    const guint n = join->shape == MRG_SHAPE_SPLIT ? 3 : 2;
    g_autoptr(GError) error = NULL;
    json_t *all = json_object();
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < n; i++) {
        g_autofree char *one = mrg_join_text(join, i, &error);
        if (!one) {
            json_decref(all);
            return fail(error);
        }
        json_object_set_new(all, names[i], json_string(one));
        g_string_append_printf(text, "%s%s", i ? "\n" : "", one);
    }
    if (tool->is_json) {
        mrg_print_json(all);
        return EX_OK;
    }
    json_decref(all);
    g_print("%s", text->str);
    return EX_OK;
}

/* ---- doing ---- */

static void
keep_real(Report *report, GPtrArray *plan)
{
    for (guint i = 0; i < plan->len; i++) {
        const MrgChange *change = plan->pdata[i];
        if (mrg_change_is_real(change))
            g_ptr_array_add(report->changes, plan->pdata[i]);
    }
}

static gboolean
has_real(const GPtrArray *plan)
{
    for (guint i = 0; i < plan->len; i++)
        if (mrg_change_is_real(plan->pdata[i]))
            return TRUE;
    return FALSE;
}

static int
check_writable(const char *directory)
{
    if (access(directory, W_OK) == 0)
        return EX_OK;
    g_printerr(
        "merganser: %s cannot be written: %s; run this as root, or see with --dry-run "
        "what would change\n",
        directory, g_strerror(errno));
    return EX_NOPERM;
}

static int
reload(Report *report)
{
    static const char *const arguments[] = {"reload", NULL};
    g_autoptr(GError) error = NULL;
    g_autofree char *said = NULL;
    if (!report->request->is_reloading || !report->is_done)
        return EX_OK;
    said = mrg_postfix_run("postfix", report->directory, arguments, &error);
    report->is_reloaded = said != NULL;
    return said ? EX_OK : fail(error);
}

static int
finish(Report *report)
{
    int code = report->changes->len ? reload(report) : EX_OK;
    print_report(report);
    return code;
}

static int
apply(Report *report, const MrgPostfix *postfix, GPtrArray *plan, GPtrArray *records,
      MrgShape shape)
{
    g_autoptr(GError) error = NULL;
    int code = check_writable(report->directory);
    if (code)
        return code;
    mrg_undo_note(records, plan, shape);
    if (!mrg_undo_write(report->directory, records, &error) ||
        !mrg_changes_apply(plan, postfix, FALSE, &error))
        return fail(error);
    report->is_done = TRUE;
    return EX_OK;
}

static int
join_postfix(Report *report, MrgJoin *join, GPtrArray *records)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) plan = mrg_join_plan(join, &error);
    if (!plan)
        return fail(error);
    keep_real(report, plan);
    int code = EX_OK;
    if (report->request->is_applying && !report->request->is_dry)
        code = apply(report, join->postfix, plan, records, join->shape);
    if (!code)
        code = finish(report);
    return code;
}

/* The records go last: what was interrupted can be done again. */
static int
take_back(Report *report, const MrgPostfix *postfix, const GPtrArray *plan,
          const GPtrArray *records)
{
    g_autoptr(GError) error = NULL;
    int code = check_writable(report->directory);
    if (code)
        return code;
    if (!mrg_changes_apply(plan, postfix, TRUE, &error) ||
        !mrg_undo_write(report->directory, records, &error))
        return fail(error);
    report->is_done = TRUE;
    return EX_OK;
}

static void
note_rest(Report *report, const GPtrArray *rest)
{
    for (guint i = 0; i < rest->len; i++) {
        const MrgChange *change = rest->pdata[i];
        if (mrg_change_is_real(change))
            g_ptr_array_add(
                report->notes,
                g_strdup_printf("%s stays while a Postfix that has not reloaded needs it: "
                                "type mta postfix --remove again after the reload",
                                change->name));
    }
}

static int
leave_postfix(Report *report, const MrgPostfix *postfix, GPtrArray *records)
{
    const Request *request = report->request;
    guint shapes = shape_of(request);
    shapes = shapes ? shapes : MRG_SHAPE_SPLIT | MRG_SHAPE_DIRECT;
    g_autoptr(GPtrArray) services =
        mrg_undo_plan(records, shapes, MRG_UNDO_SERVICES, postfix, report->notes);
    keep_real(report, services);
    int code = request->is_dry ? EX_OK : take_back(report, postfix, services, records);
    if (code)
        return code;
    g_autoptr(GPtrArray) rest =
        mrg_undo_plan(records, shapes, MRG_UNDO_NAMED, postfix, report->notes);
    gboolean has_rest = has_real(rest);
    if (report->changes->len || has_rest)
        code = reload(report);
    report->is_waiting = report->is_done && has_rest && !report->is_reloaded &&
                         (report->changes->len || request->is_reloading);
    if (report->is_waiting) {
        note_rest(report, rest);
    } else {
        int taken = request->is_dry ? EX_OK : take_back(report, postfix, rest, records);
        keep_real(report, rest);
        code = code ? code : taken;
    }
    print_report(report);
    return code;
}

/* Port and doors of an earlier run: what is not said again is meant again. */
static int
remember(MrgJoin *join, const GPtrArray *records, GPtrArray *doors)
{
    for (guint i = 0; i < records->len; i++) {
        const MrgChange *record = records->pdata[i];
        const char *end = strrchr(record->service, '/'),
                   *colon = strrchr(record->service, ':');
        if (!(record->shapes & join->shape) || g_strcmp0(end, "/inet") != 0)
            continue;
        guint port = colon ? (guint) g_ascii_strtoull(colon + 1, NULL, 10) : 0;
        if (record->kind == MRG_CHANGE_OPTION)
            g_ptr_array_add(doors,
                            g_strndup(record->service, (gsize) (end - record->service)));
        else if (join->port && join->port != port)
            return mrg_verb_usage("the service is %s already; --remove first",
                                  record->service);
        else
            join->port = port;
    }
    if (join->doors || !doors->len)
        return EX_OK;
    g_ptr_array_add(doors, NULL);
    join->doors = (const char *const *) doors->pdata;
    return EX_OK;
}

static int
with_postfix(Report *report, MrgJoin *join)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgPostfix) postfix = mrg_postfix_read(report->request->directory, &error);
    g_autoptr(GPtrArray) records =
        postfix ? mrg_undo_read(postfix->directory, &error) : NULL;
    if (!records)
        return fail(error);
    report->directory = join->directory = postfix->directory;
    join->postfix = postfix;
    join->records = records;
    g_autoptr(GPtrArray) doors = g_ptr_array_new_with_free_func(g_free);
    int code = report->request->is_removing ? EX_OK : remember(join, records, doors);
    if (code)
        return code;
    return report->request->is_removing ? leave_postfix(report, postfix, records)
                                        : join_postfix(report, join, records);
}

static int
run(const MrgTool *tool, const Request *request)
{
    int code = EX_OK;
    g_autoptr(MrgConf) conf = request->is_removing ? NULL : mrg_verb_conf(tool, &code);
    if (code)
        return code;
    g_autoptr(GPtrArray) changes = g_ptr_array_new();
    g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
    Report report = {.tool = tool, .request = request, .changes = changes, .notes = notes};
    MrgJoin join = {.directory = request->directory ? request->directory : "/etc/postfix",
                    .shape = shape_of(request),
                    .doors = (const char *const *) request->doors,
                    .port = (guint) request->port,
                    .notes = notes};
    if (conf) {
        join.socket = conf->milter_socket;
        join.merge_daemons = conf->trust_merge_daemons;
        join.check_daemons = conf->trust_check_daemons;
    }
    gboolean needs_postfix =
        request->is_dry || request->is_applying || request->is_removing;
    return needs_postfix ? with_postfix(&report, &join) : print_texts(tool, &join);
}

static int
check_request(const Request *request)
{
    gboolean is_both = request->is_split && request->is_direct;
    if (request->is_removing ? request->is_applying
                             : is_both || (!request->is_split && !request->is_direct))
        return mrg_verb_usage(request->is_removing
                                  ? "--remove and --apply exclude each other"
                                  : "say --split or --direct, one at a time");
    if (request->port < 0 || request->port > PORT_MAX)
        return mrg_verb_usage("--port is a number up to %d", PORT_MAX);
    if (request->doors && !request->is_split)
        return mrg_verb_usage("--submission belongs to --split");
    return EX_OK;
}

int
mrg_verb_mta_postfix(MrgTool *tool, int argc, char **argv)
{
    Request request = {0};
    const GOptionEntry entries[] = {
        {"split", 0, 0, G_OPTION_ARG_NONE, &request.is_split,
         "Postfix makes one message per recipient, for any sender", NULL},
        {"direct", 0, 0, G_OPTION_ARG_NONE, &request.is_direct,
         "a service for a tool that sends one recipient per message", NULL},
        {"dry-run", 0, 0, G_OPTION_ARG_NONE, &request.is_dry,
         "show what would change, and change nothing", NULL},
        {"apply", 0, 0, G_OPTION_ARG_NONE, &request.is_applying, "change the Postfix",
         NULL},
        {"remove", 0, 0, G_OPTION_ARG_NONE, &request.is_removing,
         "bring back what was before --apply", NULL},
        {"reload", 0, 0, G_OPTION_ARG_NONE, &request.is_reloading,
         "then make the Postfix read it", NULL},
        {"config-dir", 0, 0, G_OPTION_ARG_FILENAME, &request.directory,
         "folder of main.cf, instead of the machine's own", "DIR"},
        {"submission", 0, 0, G_OPTION_ARG_STRING_ARRAY, &request.doors,
         "service of master.cf that people submit to, instead of submission, submissions "
         "and "
         "smtps; may be repeated",
         "NAME"},
        {"port", 0, 0, G_OPTION_ARG_INT, &request.port,
         "of the new service on 127.0.0.1, instead of 10026 (split) or 2525 (direct)",
         "PORT"},
        {0}};
    int code = mrg_verb_parse(tool, &argc, &argv, entries, 0);
    if (!code)
        code = check_request(&request);
    if (!code)
        code = run(tool, &request);
    g_free(request.directory);
    g_strfreev(request.doors);
    return code;
}
