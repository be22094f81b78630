/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "ctl/join.h"

static const char *const merge_names[] = {"merganser", NULL};
static const char *const check_names[] = {"campaign-check", NULL};

static MrgPostfix *
postfix(const char *own, const char *services)
{
    g_autofree char *expanded = g_strconcat("queue_directory = /q\n", own, NULL);
    const MrgPostconfTexts texts = {(char *) own, expanded, (char *) services,
                                    (char *) services};
    return mrg_postfix_parse(&texts);
}

static MrgJoin
join_of(const MrgPostfix *other, MrgShape shape, GPtrArray *notes)
{
    return (MrgJoin){.postfix = other,
                     .directory = "/nowhere",
                     .shape = shape,
                     .socket = "unix:/q/merganser/milter",
                     .merge_daemons = merge_names,
                     .check_daemons = check_names,
                     .notes = notes};
}

static const char *
planned(const GPtrArray *plan, const char *service, const char *name)
{
    for (guint i = 0; i < plan->len; i++) {
        const MrgChange *change = plan->pdata[i];
        if (g_str_equal(change->service, service) && g_str_equal(change->name, name))
            return change->after;
    }
    return NULL;
}

static void
line_of_a_service_is_read_and_written_back(void)
{
    const char *line = "smtps inet n - y - 7 smtpd -v -o a=b -o {c = d e} -o f=";
    g_autoptr(MrgService) service = mrg_service_parse(line);
    g_assert_cmpstr(service->key, ==, "smtps/inet");
    g_assert_cmpstr(service->limit, ==, "7");
    g_assert_cmpstr(g_hash_table_lookup(service->options, "c"), ==, "d e");
    g_assert_cmpstr(g_hash_table_lookup(service->options, "f"), ==, "");
    g_autoptr(GHashTable) changes = g_hash_table_new(g_str_hash, g_str_equal);
    g_autofree char *same = mrg_service_line(service, changes);
    g_assert_cmpstr(same, ==, line);
    g_hash_table_insert(changes, (char *) "a", NULL);
    g_hash_table_insert(changes, (char *) "c", (char *) "x");
    g_hash_table_insert(changes, (char *) "z", (char *) "1 2");
    g_autofree char *other = mrg_service_line(service, changes);
    g_assert_cmpstr(other, ==, "smtps inet n - y - 7 smtpd -v -o c=x -o f= -o {z=1 2}");
}

static void
lists_split_outside_of_braces(void)
{
    g_auto(GStrv) list = mrg_postfix_list(" a, { b, c=d } ,,e\t{f");
    g_assert_cmpuint(g_strv_length(list), ==, 4);
    g_assert_cmpstr(list[1], ==, "{ b, c=d }");
    g_assert_cmpstr(list[3], ==, "{f");
    g_autofree char *address = mrg_milter_address(list[1]);
    g_autofree char *value = mrg_milter_attribute(list[1], "c");
    g_assert_cmpstr(address, ==, "b");
    g_assert_cmpstr(value, ==, "d");
}

static void
hostile_output_is_survived(void)
{
    static const char *const texts[] = {
        "",
        "\n\n",
        "=",
        "= x",
        "a",
        "{",
        "}",
        "{{{{",
        "a = {",
        "x y z",
        "a b c d e f g h -o",
        "a b c d e f g smtpd -o =",
        "a b c d e f g smtpd -o {",
        "a inet n - y - - smtpd -o smtpd_milters={ -o x",
        "\xff\xfe = \x01",
        "smtpd_milters = { , , {",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        const char *text = texts[i];
        g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(MrgPostfix) other = postfix(text, text);
        MrgJoin join = join_of(other, MRG_SHAPE_SPLIT, notes);
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) plan = mrg_join_plan(&join, &error);
        g_autofree char *address = mrg_milter_address(text);
        g_autofree char *value = mrg_milter_attribute(text, "x");
        g_auto(MrgPlace) place = {0};
        g_assert_true(!plan == (error != NULL));
        g_assert_true(!address || strlen(address) <= strlen(text));
        g_assert_true(!value || strlen(value) <= strlen(text));
        if (mrg_place_from_milter(&place, text, "/q", TRUE))
            g_assert_true(place.path || place.port);
    }
}

/* What is added behind it would be taken for a part of it. */
static void
open_braces_are_an_error(void)
{
    static const struct {
        const char *own, *services, *words;
    } cases[] = {
        {"smtpd_milters = { inet:a:1", "submission inet n - n - - smtpd\n",
         "smtpd_milters of"},
        {"header_checks = a} {b", "", "header_checks of campaign-cleanup/unix"},
    };
    g_assert_null(mrg_service_parse("smtps inet n - y - 7 smtpd -o {a=b -o c=d"));
    g_assert_null(mrg_service_parse("smtps inet n - y - 7 smtpd -o a=b -o"));
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GError) error = NULL;
        g_autoptr(MrgPostfix) other = postfix(cases[i].own, cases[i].services);
        MrgJoin join = join_of(other, MRG_SHAPE_SPLIT, notes);
        g_assert_null(mrg_join_plan(&join, &error));
        g_assert_nonnull(strstr(error->message, cases[i].words));
    }
}

static void
places_are_the_same_however_they_are_written(void)
{
    static const struct {
        const char *conf, *milter;
        gboolean is_chrooted, is_same;
    } cases[] = {
        {"unix:/q/m/s", "unix:m/s", TRUE, TRUE},
        {"unix:/q/m/s", "unix:m/s", FALSE, TRUE},
        {"local:/q/m/s", "unix:/q/m/s", FALSE, TRUE},
        {"unix:/q/m/s", "unix:/q/m/s", TRUE, FALSE},
        {"unix:/q/m/s", "unix:/m/s", TRUE, TRUE},
        {"unix:/q/m/s", "{ unix:m//s, default_action=accept }", FALSE, TRUE},
        {"unix:/q/m/s", "inet:localhost:9", FALSE, FALSE},
        {"inet:9@127.0.0.1", "inet:localhost:9", FALSE, TRUE},
        {"inet:9", "inet:127.0.0.1:9", FALSE, TRUE},
        {"inet:9@10.0.0.1", "inet:127.0.0.1:9", FALSE, FALSE},
        {"inet6:9@::1", "inet:[::1]:9", FALSE, TRUE},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(MrgPlace) a = {0};
        g_auto(MrgPlace) b = {0};
        g_assert_true(mrg_place_from_conf(&a, cases[i].conf));
        g_assert_true(
            mrg_place_from_milter(&b, cases[i].milter, "/q", cases[i].is_chrooted));
        g_assert_cmpint(mrg_place_equal(&a, &b), ==, cases[i].is_same);
    }
    g_auto(MrgPlace) none = {0};
    g_assert_false(mrg_place_from_conf(&none, "elsewhere"));
}

static void
fragments_hold_all_that_is_filled_in(void)
{
    g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
    const MrgShape shapes[] = {MRG_SHAPE_SPLIT, MRG_SHAPE_DIRECT};
    static const char *const merge[] = {"m1", NULL}, *const check[] = {"c1", NULL};
    for (gsize i = 0; i < G_N_ELEMENTS(shapes); i++) {
        MrgJoin join = join_of(NULL, shapes[i], notes);
        join.socket = "unix:/var/spool/postfix/other";
        join.merge_daemons = merge;
        join.check_daemons = check;
        join.port = 9999;
        g_autofree char *main_cf = mrg_join_text(&join, MRG_FRAGMENT_MAIN, NULL);
        g_autofree char *master = mrg_join_text(&join, MRG_FRAGMENT_MASTER, NULL);
        g_autofree char *checks = mrg_join_text(&join, MRG_FRAGMENT_CHECKS, NULL);
        g_assert_nonnull(strstr(main_cf, "\nmerganser_milter = unix:other\n"));
        g_assert_nonnull(strstr(master, "\n127.0.0.1:9999 inet"));
        g_assert_nonnull(strstr(master, "milter_macro_daemon_name=m1\n"));
        if (shapes[i] == MRG_SHAPE_DIRECT)
            continue;
        g_assert_nonnull(strstr(master, "milter_macro_daemon_name=c1\n"));
        g_assert_nonnull(strstr(master, "regexp:/nowhere/merganser_header_checks\n"));
        g_assert_nonnull(strstr(checks, "FILTER merganser:[127.0.0.1]:9999\n"));
    }
}

static void
signer_comes_behind_us_and_chroot_is_that_of_the_others(void)
{
    g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(MrgPostfix) other =
        postfix("smtpd_milters = inet:localhost:8891 unix:merganser/milter\n",
                "smtp inet n - y - - smtpd\n"
                "submission inet n - y - - smtpd -o syslog_name=mine\n"
                "pickup unix n - y 60 1 pickup\n");
    MrgJoin join = join_of(other, MRG_SHAPE_SPLIT, notes);
    g_autoptr(GPtrArray) plan = mrg_join_plan(&join, NULL);
    g_assert_cmpstr(planned(plan, "submission/inet", "smtpd_milters"), ==,
                    "$merganser_milter,inet:localhost:8891");
    g_assert_null(planned(plan, "submission/inet", "syslog_name"));
    const char *hop = planned(plan, "127.0.0.1:10026/inet", "");
    g_assert_true(g_str_has_prefix(hop, "127.0.0.1:10026 inet n - y - - smtpd "));
    g_assert_nonnull(strstr(hop, "smtpd_milters=$merganser_milter,inet:localhost:8891 "));
    /* Nothing of port 25 changes. */
    g_assert_null(planned(plan, "smtp/inet", "smtpd_milters"));
}

static void
socket_that_a_chroot_hides_is_an_error(void)
{
    g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgPostfix) other = postfix("", "submission inet n - y - - smtpd\n");
    MrgJoin join = join_of(other, MRG_SHAPE_SPLIT, notes);
    join.socket = "unix:/run/milter";
    g_assert_null(mrg_join_plan(&join, &error));
    g_assert_nonnull(strstr(error->message, "submission/inet is chrooted in /q"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(test) g_test_add_func("/join/" #test, test)
    ADD(line_of_a_service_is_read_and_written_back);
    ADD(lists_split_outside_of_braces);
    ADD(hostile_output_is_survived);
    ADD(open_braces_are_an_error);
    ADD(places_are_the_same_however_they_are_written);
    ADD(fragments_hold_all_that_is_filled_in);
    ADD(signer_comes_behind_us_and_chroot_is_that_of_the_others);
    ADD(socket_that_a_chroot_hides_is_an_error);
    return g_test_run();
}
