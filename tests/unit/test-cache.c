/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/pgsql/cache.c */
#include "config.h"

#include <string.h>

#include "base/arena.h"
#include "plugins/pgsql/cache.h"

static const char *const names[] = {"a", "bc"};

static void *
alloc_in_arena(void *context, gsize size)
{
    return mrg_arena_alloc0(context, size);
}

static MrgPersonKey
person(guint n)
{
    MrgPersonKey key = {{0}};
    memcpy(key.bytes, &n, sizeof n);
    return key;
}

static void
put(MrgPgsqlCache *cache, guint64 ticket, guint who, gsize n_names, const char *text)
{
    MrgPersonKey key = person(who);
    MrgField fields[] = {{MRG_FIELD_STRING, text, strlen(text)},
                         {.type = MRG_FIELD_MISSING}};
    mrg_pgsql_cache_put(cache, ticket, &key, names, n_names, fields);
}

/* NULL: not there. */
static char *
get(MrgPgsqlCache *cache, guint who, gsize n_names)
{
    MrgArena *arena = mrg_arena_new();
    MrgMemory memory = {alloc_in_arena, arena};
    MrgPersonKey key = person(who);
    MrgField fields[2];
    char *text = NULL;
    if (mrg_pgsql_cache_get(cache, &key, names, n_names, fields, &memory)) {
        text = n_names ? g_strdup(fields[0].text) : g_strdup("");
        if (n_names == 2)
            g_assert_cmpint(fields[1].type, ==, MRG_FIELD_MISSING);
    }
    mrg_arena_free(arena);
    return text;
}

static void
assert_got(MrgPgsqlCache *cache, guint who, gsize n_names, const char *expected)
{
    g_autofree char *is = get(cache, who, n_names);
    g_assert_cmpstr(is, ==, expected);
}

static MrgPgsqlCache *
new_open(gsize bytes)
{
    MrgPgsqlCache *cache = mrg_pgsql_cache_new(bytes);
    mrg_pgsql_cache_open(cache);
    return cache;
}

static void
it_keeps_each_set_of_names_apart(void)
{
    MrgPgsqlCache *cache = new_open(100000);
    guint64 ticket = mrg_pgsql_cache_ticket(cache);
    put(cache, ticket, 1, 2, "both");
    put(cache, ticket, 1, 1, "one");
    put(cache, ticket, 1, 0, "");
    put(cache, ticket, 2, 2, "");
    assert_got(cache, 1, 2, "both");
    assert_got(cache, 1, 1, "one");
    assert_got(cache, 1, 0, "");
    assert_got(cache, 2, 2, "");
    assert_got(cache, 2, 1, NULL);
    assert_got(cache, 3, 2, NULL);
    MrgPersonKey key = person(1);
    mrg_pgsql_cache_forget(cache, &key);
    for (gsize n = 0; n <= 2; n++)
        assert_got(cache, 1, n, NULL);
    assert_got(cache, 2, 2, "");
    mrg_pgsql_cache_forget(cache, NULL);
    assert_got(cache, 2, 2, NULL);
    mrg_pgsql_cache_free(cache);
}

static void
it_keeps_nothing_that_a_change_overtook(void)
{
    MrgPgsqlCache *cache = mrg_pgsql_cache_new(100000);
    MrgPersonKey other = person(2);
    put(cache, mrg_pgsql_cache_ticket(cache), 1, 2, "closed");
    assert_got(cache, 1, 2, NULL);
    guint64 before = mrg_pgsql_cache_ticket(cache);
    mrg_pgsql_cache_open(cache);
    put(cache, before, 1, 2, "asked before");
    assert_got(cache, 1, 2, NULL);
    guint64 ticket = mrg_pgsql_cache_ticket(cache);
    mrg_pgsql_cache_forget(cache, &other);
    put(cache, ticket, 1, 2, "overtaken");
    assert_got(cache, 1, 2, NULL);
    put(cache, mrg_pgsql_cache_ticket(cache), 1, 2, "kept");
    assert_got(cache, 1, 2, "kept");
    mrg_pgsql_cache_close(cache);
    assert_got(cache, 1, 2, NULL);
    mrg_pgsql_cache_free(cache);
}

static void
it_stays_within_its_bytes(void)
{
    g_autofree char *big = g_strnfill(1000, 'x');
    MrgPgsqlCache *cache = new_open(10 * 1000);
    guint64 ticket = mrg_pgsql_cache_ticket(cache);
    for (guint i = 0; i < 1000; i++) {
        put(cache, ticket, i, 1, big);
        assert_got(cache, 0, 1, big); /* the one that is used stays */
    }
    guint n = 0;
    for (guint i = 0; i < 1000; i++) {
        g_autofree char *is = get(cache, i, 1);
        n += is != NULL;
    }
    g_assert_cmpuint(n, >=, 6);
    g_assert_cmpuint(n, <=, 10);
    g_autofree char *bigger = g_strnfill(20000, 'x');
    put(cache, ticket, 5000, 1, bigger);
    assert_got(cache, 5000, 1, NULL);
    mrg_pgsql_cache_free(cache);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cache/names", it_keeps_each_set_of_names_apart);
    g_test_add_func("/cache/overtaken", it_keeps_nothing_that_a_change_overtook);
    g_test_add_func("/cache/bytes", it_stays_within_its_bytes);
    return g_test_run();
}
