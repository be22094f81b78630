/* SPDX-License-Identifier: Apache-2.0 */
/* doctor: the configuration, the socket, and what to print of the findings. */
#include "config.h"

#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl/doctor.h"
#include "ctl/owner.h"

#define GROUPS_MAX 256
#define SEPARATOR " — "

static void
finding_free(gpointer data)
{
    MrgFinding *finding = data;
    g_free(finding->what);
    g_free(finding->remedy);
    g_free(finding);
}

/* Values of main.cf are any bytes; terminals and JSON are not to meet all of them. */
static char *
printable(const char *text)
{
    char *valid = g_utf8_make_valid(text ? text : "", -1);
    for (char *c = valid; *c; c++)
        if (g_ascii_iscntrl(*c))
            *c = '?';
    return valid;
}

void
mrg_doctor_say(MrgDoctor *doctor, MrgLevel level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    MrgFinding *finding = g_new0(MrgFinding, 1);
    g_auto(GStrv) halves = g_strsplit(text, SEPARATOR, 2);
    finding->level = level;
    finding->what = printable(halves[0]);
    finding->remedy = halves[0] && halves[1] ? printable(halves[1]) : NULL;
    for (guint i = 0; i < doctor->findings->len; i++) {
        const MrgFinding *other = doctor->findings->pdata[i];
        if (g_str_equal(other->what, finding->what)) {
            finding_free(finding);
            return;
        }
    }
    g_ptr_array_add(doctor->findings, finding);
}

/* ---- the socket ---- */

/* Who Postfix's daemons are when they connect. */
typedef struct Visitor {
    const char *name;
    uid_t uid;
    gid_t groups[GROUPS_MAX];
    int n_groups;
} Visitor;

static gboolean
find_visitor(const MrgDoctor *doctor, Visitor *visitor)
{
    visitor->name = mrg_postfix_effective(doctor->postfix, NULL, "mail_owner");
    const struct passwd *entry = getpwnam(visitor->name);
    if (!entry)
        return FALSE;
    visitor->uid = entry->pw_uid;
    visitor->n_groups = GROUPS_MAX;
    return getgrouplist(visitor->name, entry->pw_gid, visitor->groups,
                        &visitor->n_groups) >= 0;
}

/* Whether the permissions let somebody do what the bits of "others" say. */
static gboolean
may(const Visitor *visitor, const struct stat *status, mode_t bits)
{
    if (status->st_uid == visitor->uid)
        return (status->st_mode & (bits << 6)) == bits << 6;
    for (int i = 0; i < visitor->n_groups; i++)
        if (visitor->groups[i] == status->st_gid)
            return (status->st_mode & (bits << 3)) == bits << 3;
    return (status->st_mode & bits) == bits;
}

static void
check_permissions(MrgDoctor *doctor, const struct stat *status)
{
    Visitor visitor = {0};
    const char *path = doctor->place.path;
    if (!find_visitor(doctor, &visitor)) {
        mrg_doctor_say(
            doctor, MRG_LEVEL_WARNING,
            "mail_owner = %s is no user of this machine — postconf -e mail_owner=postfix",
            visitor.name);
        return;
    }
    if (!may(&visitor, status, S_IROTH | S_IWOTH))
        mrg_doctor_say(
            doctor, MRG_LEVEL_ERROR,
            "%s may not connect to %s (mode %04o) — say socket_group = postfix and "
            "socket_mode = 0660 in [milter] of %s, and type: systemctl restart "
            "merganser-milter",
            visitor.name, path, (guint) status->st_mode & 07777, doctor->conf->path);
    g_autofree char *folder = g_path_get_dirname(path);
    for (;;) {
        struct stat of_folder;
        if (stat(folder, &of_folder) == 0 && !may(&visitor, &of_folder, S_IXOTH))
            mrg_doctor_say(doctor, MRG_LEVEL_ERROR,
                           "%s may not pass %s (mode %04o) — chgrp %s %s && chmod g+x %s",
                           visitor.name, folder, (guint) of_folder.st_mode & 07777,
                           visitor.name, folder, folder);
        if (strlen(folder) <= 1)
            break;
        char *above = g_path_get_dirname(folder);
        g_free(folder);
        folder = above;
    }
}

static int
connect_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (g_strlcpy(address.sun_path, path, sizeof address.sun_path) >=
        sizeof address.sun_path)
        return ENAMETOOLONG;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int result = connect(fd, (struct sockaddr *) &address, sizeof address) == 0 ? 0 : errno;
    close(fd);
    return result;
}

static void
check_unix(MrgDoctor *doctor)
{
    const char *path = doctor->place.path;
    struct stat status;
    int found = stat(path, &status) == 0 ? 0 : errno;
    if (found == EACCES) {
        mrg_doctor_say(doctor, MRG_LEVEL_WARNING,
                       "%s cannot be looked at by this user — run doctor as root", path);
        return;
    }
    int result = found ? found : connect_unix(path);
    /* A full backlog is a busy daemon. */
    if (result && result != EAGAIN && result != EACCES)
        mrg_doctor_say(doctor, MRG_LEVEL_ERROR,
                       "nobody listens on %s (%s) — systemctl start merganser-milter", path,
                       g_strerror(result));
    else
        mrg_doctor_say(doctor, MRG_LEVEL_OK, "the daemon listens on %s", path);
    if (!found && doctor->postfix)
        check_permissions(doctor, &status);
}

static void
check_inet(MrgDoctor *doctor)
{
    mrg_doctor_say(
        doctor, MRG_LEVEL_WARNING,
        "socket = %s is TCP, where each message can wait 40 ms for delayed "
        "acknowledgements — say socket = unix:/var/spool/postfix/merganser/milter "
        "in [milter] of %s, restart the daemon and apply mta postfix again",
        doctor->conf->milter_socket, doctor->conf->path);
    guint64 port = g_ascii_strtoull(doctor->place.port, NULL, 10);
    gboolean is_local = !*doctor->place.host ||
                        g_str_has_prefix(doctor->place.host, "127.") ||
                        g_str_equal(doctor->place.host, "localhost");
    if (!is_local)
        return;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = g_htons((guint16) port),
                                  .sin_addr.s_addr = g_htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *) &address, sizeof address) != 0)
        mrg_doctor_say(doctor, MRG_LEVEL_ERROR,
                       "nobody listens on %s (%s) — systemctl start merganser-milter",
                       doctor->conf->milter_socket, g_strerror(errno));
    close(fd);
}

static void
check_socket(MrgDoctor *doctor)
{
    if (!mrg_place_from_conf(&doctor->place, doctor->conf->milter_socket))
        mrg_doctor_say(
            doctor, MRG_LEVEL_ERROR,
            "socket = %s is neither unix:/PATH nor inet:PORT@HOST — say socket = "
            "unix:/var/spool/postfix/merganser/milter in [milter] of %s",
            doctor->conf->milter_socket, doctor->conf->path);
    else if (doctor->place.path)
        check_unix(doctor);
    else
        check_inet(doctor);
}

/* ---- the configuration ---- */

/* As the daemon does when it starts, as its user and with the same errors. */
static gboolean
check_pipeline(MrgDoctor *doctor, MrgConf *conf)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgPipeline) pipeline = NULL;
    if (mrg_owner_become(conf->keys_file, &error))
        pipeline = mrg_pipeline_new(conf, &error);
    if (pipeline)
        mrg_doctor_say(doctor, MRG_LEVEL_OK, "key ring, store, schema and blocks of %s",
                       conf->path);
    else
        mrg_doctor_say(doctor, MRG_LEVEL_ERROR, "%s — merganser -c %s conf check",
                       error->message, conf->path);
    return pipeline != NULL;
}

/* ---- printing ---- */

static guint
count(const MrgDoctor *doctor, MrgLevel level)
{
    guint n = 0;
    for (guint i = 0; i < doctor->findings->len; i++) {
        const MrgFinding *finding = doctor->findings->pdata[i];
        n += finding->level == level;
    }
    return n;
}

static const char *const level_names[] = {"ok", "warning", "error"};

static void
print_text(const MrgDoctor *doctor, gboolean is_verbose)
{
    for (guint i = 0; i < doctor->findings->len; i++) {
        const MrgFinding *finding = doctor->findings->pdata[i];
        if (finding->level != MRG_LEVEL_OK || is_verbose)
            g_print("%s: %s%s%s\n", level_names[finding->level], finding->what,
                    finding->remedy ? SEPARATOR : "",
                    finding->remedy ? finding->remedy : "");
    }
    guint errors = count(doctor, MRG_LEVEL_ERROR),
          warnings = count(doctor, MRG_LEVEL_WARNING);
    if (!errors && !warnings)
        g_print("nothing is wrong\n");
}

static void
print_json(const MrgDoctor *doctor, gboolean is_verbose)
{
    json_t *list = json_array();
    for (guint i = 0; i < doctor->findings->len; i++) {
        const MrgFinding *finding = doctor->findings->pdata[i];
        if (finding->level != MRG_LEVEL_OK || is_verbose)
            json_array_append_new(list, json_pack("{s:s,s:s,s:s?}", "level",
                                                  level_names[finding->level], "what",
                                                  finding->what, "type", finding->remedy));
    }
    mrg_print_json(json_pack("{s:o,s:i,s:i}", "findings", list, "errors",
                             (int) count(doctor, MRG_LEVEL_ERROR), "warnings",
                             (int) count(doctor, MRG_LEVEL_WARNING)));
}

typedef struct Request {
    char *directory;
    char **sendmail; /* files of a Sendmail; NULL: look for an MTA */
    gboolean is_verbose;
} Request;

/* Those of the usual ones that are there; conf/sendmail says what the second is. */
static GStrv
find_sendmail(void)
{
    static const char *const usual[] = {"/etc/mail/sendmail.cf", "/etc/mail/campaign.cf"};
    g_autoptr(GPtrArray) found = g_ptr_array_new();
    for (gsize i = 0; i < G_N_ELEMENTS(usual); i++)
        if (g_file_test(usual[i], G_FILE_TEST_IS_REGULAR))
            g_ptr_array_add(found, g_strdup(usual[i]));
    g_ptr_array_add(found, NULL);
    return (GStrv) g_ptr_array_steal(found, NULL);
}

static void
say_no_postfix(MrgDoctor *doctor, const GError *error)
{
    if (g_error_matches(error, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT))
        mrg_doctor_say(
            doctor, MRG_LEVEL_WARNING,
            "there is no Postfix on this machine, and no /etc/mail/sendmail.cf — for a "
            "Sendmail that is elsewhere, set up as in " MRG_DATA_DIR
            "/sendmail/split.mc, type: merganser doctor --sendmail FILE");
    else
        mrg_doctor_say(doctor, MRG_LEVEL_ERROR,
                       "the settings of Postfix cannot be read: %s — name its folder with "
                       "--config-dir, as in: merganser doctor --config-dir /etc/postfix",
                       error->message);
}

/* What asks for root's rights comes before what is not done with them. */
static void
examine(MrgDoctor *doctor, const MrgTool *tool, MrgConf *conf, const Request *request)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgPostfix) postfix =
        request->sendmail ? NULL : mrg_postfix_read(request->directory, &error);
    g_auto(GStrv) found = NULL;
    if (g_error_matches(error, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT))
        found = find_sendmail();
    GStrv files = request->sendmail ? request->sendmail : found;
    gboolean is_sendmail = files && *files;
    doctor->conf = conf;
    doctor->postfix = postfix;
    if (!postfix && !is_sendmail)
        say_no_postfix(doctor, error);
    check_socket(doctor);
    gboolean has_place = doctor->place.path || doctor->place.port;
    if (postfix && has_place)
        mrg_doctor_postfix(doctor);
    else if (is_sendmail && has_place)
        mrg_doctor_sendmail(doctor, (const char *const *) files);
    doctor->postfix = NULL;
    g_auto(MrgPeople) people = {0};
    if (check_pipeline(doctor, conf) && mrg_people_open(&people, tool) == EX_OK)
        mrg_doctor_timers(doctor, &people);
}

static int
run(const Request *request, const MrgTool *tool)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) findings = g_ptr_array_new_with_free_func(finding_free);
    MrgDoctor doctor = {.findings = findings};
    g_autoptr(MrgConf) conf = mrg_conf_load(tool->conf_path, &error);
    if (conf)
        examine(&doctor, tool, conf, request);
    else
        mrg_doctor_say(&doctor, MRG_LEVEL_ERROR,
                       "%s — mend %s, then type: merganser -c %s doctor", error->message,
                       tool->conf_path, tool->conf_path);
    if (tool->is_json)
        print_json(&doctor, request->is_verbose);
    else
        print_text(&doctor, request->is_verbose);
    mrg_place_clear(&doctor.place);
    return count(&doctor, MRG_LEVEL_ERROR) ? EX_CONFIG : EX_OK;
}

int
mrg_verb_doctor(MrgTool *tool, int argc, char **argv)
{
    Request request = {0};
    const GOptionEntry entries[] = {
        {"config-dir", 0, 0, G_OPTION_ARG_FILENAME, &request.directory,
         "folder of main.cf, instead of the machine's own", "DIR"},
        {"sendmail", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &request.sendmail,
         "a configuration file of Sendmail, instead of a Postfix; may be repeated", "FILE"},
        {"verbose", 0, 0, G_OPTION_ARG_NONE, &request.is_verbose, "also say what is right",
         NULL},
        {0}};
    int code = mrg_verb_parse(tool, &argc, &argv, entries, 0);
    if (!code && request.directory && request.sendmail)
        code = mrg_verb_usage("--config-dir and --sendmail exclude each other");
    if (!code)
        code = run(&request, tool);
    g_free(request.directory);
    g_strfreev(request.sendmail);
    return code;
}
