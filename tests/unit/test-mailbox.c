/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/message/mailbox.h"

static void
names_are_taken_off(void)
{
    static const struct {
        const char *value, *name, *address;
    } cases[] = {
        {" News <a@b.example>", "News", "<a@b.example>"},
        {" \"News, \\\"big\\\" ones\" <a@b>", "News, \"big\" ones", "<a@b>"},
        {" =?utf-8?Q?N=C3=A9?= =?utf-8?Q?ws?=\n <a@b> ", "N\303\251ws", "<a@b>"},
        {" \"=?utf-8?Q?=7B=7Bx?= =?utf-8?Q?}}?=\" <a@b>", "{{x}}", "<a@b>"},
        {" {{default a \"b\"}} <a@b>", "{{default a \"b\"}}", "<a@b>"},
        {"<a@b>", "", "<a@b>"},
        {" a@b", NULL, NULL},
        {" A <a@b>, B <c@d>", NULL, NULL},
        {" A <a@b>, c@d", NULL, NULL},
        {" A <{{x}}@b>", NULL, NULL},
        {" A <a@b> (comment)", NULL, NULL},
        {" A <a b@c>", NULL, NULL},
        {" > <", NULL, NULL},
        {"", NULL, NULL},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(MrgArena) arena = mrg_arena_new();
        const char *name = NULL, *address = NULL;
        gboolean is_split = mrg_mailbox_split(cases[i].value, arena, &name, &address);
        g_test_message("%s", cases[i].value);
        g_assert_true(is_split == (cases[i].name != NULL));
        if (!is_split)
            continue;
        g_assert_cmpstr(name, ==, cases[i].name);
        g_assert_cmpstr(address, ==, cases[i].address);
    }
}

static void
names_end_nothing(void)
{
    static const char *const names[] = {"a\r\nBcc: x",   "a\" <x@y>, \"b", "\\", "a\\\"",
                                        "=?utf-8?Q?x?=", "\303\251\n\n",   "(a", "a,b;c"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autoptr(MrgArena) arena = mrg_arena_new();
        const char *value =
            mrg_mailbox_value(arena, strlen("From"), names[i], strlen(names[i]), "<a@b>");
        const char *name, *address;
        g_assert_null(strchr(value, '\r'));
        for (const char *end = value; (end = strchr(end, '\n')); end++)
            g_assert_true(end[1] == ' ');
        g_assert_true(mrg_mailbox_split(value, arena, &name, &address) ||
                      strpbrk(names[i], "<>"));
        g_assert_true(g_str_has_suffix(value, " <a@b>"));
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/mailbox/split", names_are_taken_off);
    g_test_add_func("/mailbox/value", names_end_nothing);
    return g_test_run();
}
