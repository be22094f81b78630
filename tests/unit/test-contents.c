/* SPDX-License-Identifier: Apache-2.0 */
/* A content has the name that hashing gives it, whether it is remembered or not. */
#include "config.h"

#include <string.h>

#include "milter/contents.h"

#define TEXTS 3

typedef struct Fixture {
    MrgKeyring *keyring;
    MrgContents *contents;
} Fixture;

static void
set_up(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    fixture->keyring = mrg_keyring_new_ephemeral(NULL);
    fixture->contents = mrg_contents_new();
}

static void
tear_down(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    mrg_contents_free(fixture->contents);
    mrg_keyring_unref(fixture->keyring);
}

static void
assert_named(Fixture *fixture, const char *const texts[TEXTS], const gsize lengths[TEXTS])
{
    MrgMessageKey expected, key;
    mrg_message_key(fixture->keyring, texts, lengths, TEXTS, &expected);
    mrg_contents_key(fixture->contents, fixture->keyring, texts, lengths, TEXTS, &key);
    g_assert_cmpmem(&key, sizeof key, &expected, sizeof expected);
}

static void
name(Fixture *fixture, const char *a, const char *b, const char *c)
{
    const char *texts[TEXTS] = {a, b, c};
    gsize lengths[TEXTS] = {strlen(a), strlen(b), strlen(c)};
    assert_named(fixture, texts, lengths);
}

static void
it_is_known_again_and_told_from_others(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    for (guint i = 0; i < 3; i++) {
        name(fixture, "Subject", "Hi", "body");
        name(fixture, "Subject", "Hi", "Body");
        name(fixture, "Subject", "Hi", "bod");
        name(fixture, "", "", "");
    }
}

/* The same bytes, cut elsewhere. */
static void
where_a_text_ends_counts(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    name(fixture, "ab", "c", "d");
    name(fixture, "a", "bc", "d");
    name(fixture, "a", "b", "cd");
    name(fixture, "", "abc", "d");
}

static void
more_than_are_kept_come_in_any_order(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    char text[2] = "";
    for (guint i = 0; i < 200; i++) {
        text[0] = (char) ('a' + i * i % 7);
        name(fixture, text, text, "x");
    }
}

static void
a_large_one_is_named_as_well(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autofree char *text = g_malloc0(MRG_CONTENT_BYTES_MAX + 1);
    const char *texts[TEXTS] = {text, text, NULL};
    const gsize small[TEXTS] = {MRG_CONTENT_BYTES_MAX - TEXTS * sizeof(gsize), 0, 0};
    const gsize large[TEXTS] = {MRG_CONTENT_BYTES_MAX, 1, 0};
    for (guint i = 0; i < 2; i++) {
        assert_named(fixture, texts, small);
        assert_named(fixture, texts, large);
        text[100]++;
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(path, function) \
    g_test_add("/contents/" path, Fixture, NULL, set_up, function, tear_down)
    ADD("known-again", it_is_known_again_and_told_from_others);
    ADD("ends", where_a_text_ends_counts);
    ADD("many", more_than_are_kept_come_in_any_order);
    ADD("large", a_large_one_is_named_as_well);
#undef ADD
    return g_test_run();
}
