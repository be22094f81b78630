/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <glib/gstdio.h>

#include "milter/clock.h"
#include "milter/conf.h"
#include "milter/duration.h"
#include "milter/error.h"
#include "milter/ini.h"

#define NO_SCHEMA "[schema]\nfile =\n"

static MrgConf *
parse(const char *text, GError **error)
{
    g_autofree char *whole = g_strconcat(text, NO_SCHEMA, NULL);
    return mrg_conf_parse("t.conf", whole, error);
}

static void
fallbacks_are_those_of_the_table(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgConf) conf = parse("", &error);
    g_assert_no_error(error);
    g_assert_cmpuint(conf->milter_socket_mode, ==, 0660);
    g_assert_cmpuint(conf->milter_max_body, ==, 25u << 20);
    g_assert_cmpint(conf->store_deadline, ==, 5 * MRG_SECOND_US);
    g_assert_cmpstr(conf->trust_merge_daemons[0], ==, "merganser");
    g_assert_null(conf->trust_merge_daemons[1]);
    g_assert_null(conf->trust_senders[0]);
    g_assert_cmpuint(conf->policy.n_caps, ==, 0);
    g_assert_cmpint(conf->policy.consent_default, ==, MRG_CONSENT_GRANTED);
}

static void
caps_and_plugins_are_read(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgConf) conf = parse("[cap daily]\nlimit = 1\nper = 24h\n"
                                    "[cap weekly]\nlimit = 3\nper=7d\nmin_gap = 90m\n"
                                    "class = news\non_exceed = hold\n"
                                    "[plugin sqlite]\nfile = /x y\n",
                                    &error);
    g_assert_no_error(error);
    g_assert_cmpuint(conf->policy.n_caps, ==, 2);
    const MrgCap *weekly = &conf->policy.caps[1];
    g_assert_cmpstr(weekly->name, ==, "weekly");
    g_assert_cmpuint(weekly->limit, ==, 3);
    g_assert_cmpint(weekly->per_us, ==, 7 * 86400 * MRG_SECOND_US);
    g_assert_cmpint(weekly->min_gap_us, ==, 5400 * MRG_SECOND_US);
    g_assert_cmpstr(weekly->classes[0], ==, "news");
    g_assert_null(weekly->classes[1]);
    g_assert_cmpint(weekly->on_exceed, ==, MRG_VERDICT_HOLD);
    g_assert_null(conf->policy.caps[0].classes);
    g_assert_cmpstr(mrg_conf_plugin(conf, "sqlite")->settings[0].value, ==, "/x y");
    g_assert_cmpuint(mrg_conf_plugin(conf, "other")->n_settings, ==, 0);
}

static void
rules_are_read(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgConf) conf =
        parse("[cap month]\nlimit = 8\nper = calendar-month\nclass = promo, news*\n"
              "exempt = news\ncounts = *\ncount = attempted\nscope = household\n"
              "reserve = 2\nreserve_for = news\nlimit_min = 4\nlimit_max = 12\n"
              "campaign = a*\nsender = *.example\ntag = sale\n"
              "[cap gap]\nmin_gap = 4h\n"
              "[quiet night]\nfrom = 21:30\nto = 08:00\ndays = sat sun\n"
              "[pause]\non_complaint = 90d\non_unsubscribe = 30d\n"
              "[policy]\nhost = mx1\n",
              &error);
    g_assert_no_error(error);
    const MrgCap *month = &conf->policy.caps[0], *gap = &conf->policy.caps[1];
    g_assert_cmpint(month->period, ==, MRG_PERIOD_MONTH);
    g_assert_cmpstr(month->classes[1], ==, "news*");
    g_assert_cmpstr(month->exempt[0], ==, "news");
    g_assert_cmpstr(month->counts[0], ==, "*");
    g_assert_true(month->counts_attempts && month->is_adaptive);
    g_assert_cmpint(month->scope, ==, MRG_SCOPE_HOUSEHOLD);
    g_assert_cmpuint(month->reserve, ==, 2);
    g_assert_cmpuint(month->limit_min, ==, 4);
    g_assert_cmpuint(month->limit_max, ==, 12);
    g_assert_cmpstr(month->tags[0], ==, "sale");
    g_assert_cmpuint(gap->limit, ==, MRG_UNLIMITED);
    g_assert_false(gap->is_adaptive);
    const MrgQuiet *night = &conf->policy.quiets[0];
    g_assert_cmpint(night->from_s, ==, 21 * 3600 + 1800);
    g_assert_cmpint(night->to_s, ==, 8 * 3600);
    g_assert_cmpuint(night->days, ==, 1u << 5 | 1u << 6);
    g_assert_cmpint(conf->policy.pause_complaint_us, ==, 90 * 86400 * MRG_SECOND_US);
    g_assert_cmpint(conf->policy.pause_unsubscribe_us, ==, 30 * 86400 * MRG_SECOND_US);
    g_assert_cmpstr(conf->policy_host, ==, "mx1");
}

static void
mistakes_name_line_and_remedy(void)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"[milter]\nsokcet = x\n",
         "t.conf:2:1: unknown setting 'sokcet' in [milter]; did you mean 'socket'?"},
        {"[mitler]\n", "t.conf:1:1: unknown section [mitler]; did you mean 'milter'?"},
        {"[milter]\n\nlog = file\n", "t.conf:3:1: 'log' in [milter] must be syslog|stderr"},
        {"[store]\ndeadline = 5\n",
         "t.conf:2:1: 'deadline' in [store] must be a duration such as 30s, 24h or 7d"},
        {"[milter]\nmax_body = 25X\n",
         "t.conf:2:1: 'max_body' in [milter] must be a size such as 256K or 25M, under 2G"},
        {"[milter]\nlog = stderr\nlog = stderr\n",
         "t.conf:3:1: 'log' stands in line 2 already"},
        {"[cap]\nlimit = 1\n", "t.conf:1:1: a cap needs a name: [cap daily]"},
        {"[cap a]\nlimit = 1\n", "t.conf:1:1: [cap a]: it needs 'per'"},
        {"[cap a]\nlimit = 1\nper = 0s\n",
         "t.conf:1:1: [cap a]: 'per' must be a duration above zero such as 24h or 7d, or "
         "calendar-day|calendar-week|calendar-month"},
        {"[cap a]\nlimit = -1\nper = 1d\n", "t.conf:1:1: [cap a]: 'limit' must be a whole "
                                            "number up to 512 (so many copies are "
                                            "remembered), or unlimited"},
        {"[cap a]\nlimit = 513\nper = 1d\n", "t.conf:1:1: [cap a]: 'limit' must be a whole "
                                             "number up to 512 (so many copies are "
                                             "remembered), or unlimited"},
        {"[cap a]\nlimit = 2\nper = 1d\nlimit_min = 3\nlimit_max = 4\n",
         "t.conf:1:1: [cap a]: an adaptive limit needs limit_min, limit and limit_max, in "
         "this order of size, up to 512"},
        {"[cap a]\nlimit = 2\nper = 1d\nreserve = 1\n",
         "t.conf:1:1: [cap a]: 'reserve' needs 'reserve_for'"},
        {"[quiet]\nfrom = 21:00\n", "t.conf:1:1: a quiet needs a name: [quiet night]"},
        {"[quiet n]\nfrom = 21:00\n", "t.conf:1:1: [quiet n] needs 'to'"},
        {"[quiet n]\nfrom = 21:00\nto = 24:01\n",
         "t.conf:1:1: 'from' and 'to' in [quiet n] must be times such as 21:00"},
        {"[quiet n]\nfrom = 21:00\nto = 08:00\ndays = mon tuesday\n",
         "t.conf:1:1: 'days' in [quiet n] must be some of mon tue wed thu fri sat sun"},
        {"[milter x]\n", "t.conf:1:1: section [milter] takes no name"},
        {"[milter\n", "t.conf:1:1: section is not closed by ]"},
        {"log = x\n", "t.conf:1:1: setting before the first [section]"},
        {"[milter]\nlog\n", "t.conf:2:1: expected 'key = value'"},
        {"[retention]\nevents = 3d\n",
         "t.conf:1:1: 'events' in [retention] must be 7d at least, or 0s"},
        {"[stamp]\nbase_url = ftp://x\n",
         "t.conf:1:1: 'base_url' in [stamp] must begin with https://"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(parse(cases[i].text, &error));
        g_assert_error(error, MRG_ERROR, MRG_ERROR_CONFIG);
        g_assert_cmpstr(error->message, ==, cases[i].message);
    }
}

static void
durations_go_both_ways(void)
{
    static const struct {
        const char *text;
        gint64 seconds;
        const char *printed;
    } cases[] = {{"0s", 0, "0s"},       {"90s", 90, "90s"},   {"30m", 1800, "30m"},
                 {"24h", 86400, "24h"}, {"7d", 604800, "7d"}, {"4w", 2419200, "28d"},
                 {"36h", 129600, "36h"}};
    g_autoptr(MrgArena) arena = mrg_arena_new();
    gint64 us;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_assert_true(mrg_duration_parse(cases[i].text, &us));
        g_assert_cmpint(us, ==, cases[i].seconds * MRG_SECOND_US);
        g_assert_cmpstr(mrg_duration_print(us, arena), ==, cases[i].printed);
    }
    const char *const wrong[] = {"",    "s",   "5",  "-5s",
                                 "5s ", "5 s", "1y", "99999999999999999d"};
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++)
        g_assert_false(mrg_duration_parse(wrong[i], &us));
}

static void
hostile_files_are_refused(void)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(mrg_ini_parse("t.conf", "[a]\n\xff=1\n", &error));
    g_assert_error(error, MRG_ERROR, MRG_ERROR_CONFIG);
    g_clear_error(&error);
    g_assert_null(mrg_ini_load("/nonexistent/t.conf", &error));
    g_assert_error(error, MRG_ERROR, MRG_ERROR_CONFIG);
    g_clear_error(&error);
    g_assert_null(mrg_ini_load("/", &error));
    g_assert_error(error, MRG_ERROR, MRG_ERROR_CONFIG);
}

static const MrgSchema *
load_schema(const char *text, MrgArena *arena, GError **error)
{
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("schema-XXXXXX", &path, NULL);
    g_assert_cmpint(fd, >=, 0);
    g_close(fd, NULL);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    const MrgSchema *schema = mrg_schema_load(path, arena, error);
    g_remove(path);
    return schema;
}

static void
sensitive_fields_are_not_for_templates(void)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    g_autoptr(GError) error = NULL;
    const MrgSchema *schema = load_schema(
        "[field a]\ntype = number\npurpose = Why.\n[field b]\nsensitive = yes\n", arena,
        &error);
    g_assert_no_error(error);
    g_assert_cmpuint(schema->n_fields, ==, 2);
    g_assert_cmpstr(schema->names[0], ==, "a");
    g_assert_null(schema->names[1]);
    g_assert_true(mrg_schema_field(schema, "b")->is_sensitive);
    g_assert_cmpint(mrg_schema_field(schema, "a")->type, ==, MRG_TYPE_NUMBER);
    g_assert_null(mrg_schema_field(schema, "c"));
}

static void
uses_are_those_that_are_named(void)
{
    g_autoptr(MrgArena) arena = mrg_arena_new();
    g_autoptr(GError) error = NULL;
    const MrgSchema *schema = load_schema("[field a]\n[field b]\nused_for = predict, caps\n"
                                          "[field c]\nused_for =\n",
                                          arena, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(schema->fields[0].uses, ==, MRG_USE_MAIL);
    g_assert_cmpuint(schema->fields[1].uses, ==, MRG_USE_CAPS | MRG_USE_PREDICT);
    g_assert_cmpuint(schema->fields[2].uses, ==, 0);
    g_assert_cmpstr(mrg_schema_uses_text(&schema->fields[1], arena), ==, "caps predict");
}

static void
schema_mistakes_are_named(void)
{
    static const char *const cases[] = {"[field 1x]\n",
                                        "[fields a]\n",
                                        "[field a]\ntype = text\n",
                                        "[field a]\ntyp = string\n",
                                        "[field a]\nsensitive = maybe\n",
                                        "[field a]\nused_for = mail ads\n"};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(MrgArena) arena = mrg_arena_new();
        g_autoptr(GError) error = NULL;
        g_assert_null(load_schema(cases[i], arena, &error));
        g_assert_error(error, MRG_ERROR, MRG_ERROR_CONFIG);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/conf/fallbacks", fallbacks_are_those_of_the_table);
    g_test_add_func("/conf/caps-and-plugins", caps_and_plugins_are_read);
    g_test_add_func("/conf/rules", rules_are_read);
    g_test_add_func("/conf/mistakes", mistakes_name_line_and_remedy);
    g_test_add_func("/conf/durations", durations_go_both_ways);
    g_test_add_func("/conf/hostile-files", hostile_files_are_refused);
    g_test_add_func("/schema/sensitive", sensitive_fields_are_not_for_templates);
    g_test_add_func("/schema/uses", uses_are_those_that_are_named);
    g_test_add_func("/schema/mistakes", schema_mistakes_are_named);
    return g_test_run();
}
