/* SPDX-License-Identifier: Apache-2.0 */
/* Whether what is to be done behind the mail is done: held copies, old records, hits. */
#include "config.h"

#include <string.h>

#include "ctl/doctor.h"
#include "ctl/holds.h"
#include "milter/clock.h"

/* The timer runs every minute, and a run may be long. */
#define OVERDUE_US (10 * 60 * MRG_SECOND_US)

typedef enum { TIMER_NO_SYSTEMD, TIMER_OFF, TIMER_ON } Timer;

/* A systemd that does not run says nothing on stdout, and one that runs answers for units
 * that it does not know, too. */
static Timer
ask_systemd(const char *unit)
{
    const char *const command[] = {
        "systemctl", "show", "--property=ActiveState", "--property=UnitFileState",
        unit,        NULL};
    g_autofree char *said = NULL;
    if (!g_spawn_sync(NULL, (char **) command, NULL,
                      G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &said,
                      NULL, NULL, NULL) ||
        !*said)
        return TIMER_NO_SYSTEMD;
    return strstr(said, "ActiveState=active\n") && strstr(said, "UnitFileState=enabled")
               ? TIMER_ON
               : TIMER_OFF;
}

typedef struct Overdue {
    guint n;
    gint64 first_us;
    const char *example; /* another host that has some */
    guint n_elsewhere;
} Overdue;

static void
count(Overdue *overdue, const GPtrArray *copies, const MrgConf *conf, gint64 before_us)
{
    for (guint i = 0; i < copies->len; i++) {
        const MrgHold *hold = &((MrgHeldCopy *) g_ptr_array_index(copies, i))->hold;
        if (!hold->until_us || hold->until_us > before_us)
            continue;
        if (!g_str_equal(hold->host, conf->policy_host)) {
            overdue->n_elsewhere++;
            overdue->example = hold->host;
            continue;
        }
        if (!overdue->n || hold->until_us < overdue->first_us)
            overdue->first_us = hold->until_us;
        overdue->n++;
    }
}

static void
say_overdue(MrgDoctor *doctor, const Overdue *overdue, Timer timer)
{
    static const char *const remedies[] = {
        [TIMER_NO_SYSTEMD] = "let root's cron run 'merganser release' every minute",
        [TIMER_OFF] = "systemctl enable --now merganser-release.timer",
        [TIMER_ON] = "journalctl -u merganser-release",
    };
    if (overdue->n) {
        g_autofree char *first = mrg_print_time(overdue->first_us);
        mrg_doctor_say(doctor, MRG_LEVEL_ERROR,
                       "held copies of this host are past due: %u, the first since %s — %s",
                       overdue->n, first, remedies[timer]);
    }
    if (overdue->n_elsewhere)
        mrg_doctor_say(
            doctor, MRG_LEVEL_WARNING,
            "held copies of other hosts, such as %s, are past due: %u — there, or "
            "with that name as [policy] host where the host was renamed: "
            "merganser release",
            overdue->example, overdue->n_elsewhere);
}

static void
check_holds(MrgDoctor *doctor, MrgPeople *people, Timer timer)
{
    g_autoptr(GError) error = NULL;
    Overdue overdue = {0};
    const MrgHoldFilter filter = {.due_us = mrg_clock_now_us() - OVERDUE_US};
    g_autoptr(GPtrArray) copies = mrg_holds_read(people, &filter, &error);
    if (!copies) {
        mrg_doctor_say(doctor, MRG_LEVEL_ERROR, "%s — merganser -c %s db status",
                       error->message, doctor->conf->path);
        return;
    }
    count(&overdue, copies, doctor->conf, filter.due_us);
    say_overdue(doctor, &overdue, timer);
    if (timer == TIMER_OFF && !overdue.n)
        mrg_doctor_say(
            doctor, MRG_LEVEL_WARNING,
            "merganser-release.timer does not run, so that held copies stay held "
            "— systemctl enable --now merganser-release.timer");
    else if (!overdue.n)
        mrg_doctor_say(doctor, MRG_LEVEL_OK, "no held copy is past due");
}

/* The journal is where the collector runs, which may be another machine. */
static void
check_loader(MrgDoctor *doctor)
{
    const MrgConf *conf = doctor->conf;
    if (*conf->stamp_base_url && g_file_test(conf->collector_journal, G_FILE_TEST_IS_DIR) &&
        ask_systemd("merganser-loader.service") == TIMER_OFF)
        mrg_doctor_say(doctor, MRG_LEVEL_WARNING,
                       "merganser-loader does not run, so that opens, clicks and web "
                       "events stay in %s — systemctl enable --now merganser-loader",
                       conf->collector_journal);
}

void
mrg_doctor_timers(MrgDoctor *doctor, MrgPeople *people)
{
    check_holds(doctor, people, ask_systemd("merganser-release.timer"));
    if (ask_systemd("merganser-retain.timer") == TIMER_OFF)
        mrg_doctor_say(doctor, MRG_LEVEL_WARNING,
                       "merganser-retain.timer does not run, so that [retention] of %s "
                       "removes nothing — systemctl enable --now merganser-retain.timer",
                       doctor->conf->path);
    check_loader(doctor);
}
