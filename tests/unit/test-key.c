/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "milter/error.h"
#include "milter/person/key.h"

/* The bytes 0 to 31, and 32 zeros. */
#define COUNTING "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define ZEROS "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

typedef struct Fixture {
    char *folder;
    char *file;
} Fixture;

static void
set_up(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    fixture->folder = g_dir_make_tmp("merganser-key-XXXXXX", &error);
    g_assert_no_error(error);
    fixture->file = g_build_filename(fixture->folder, "keys", NULL);
}

static void
tear_down(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_unlink(fixture->file);
    g_assert_cmpint(g_rmdir(fixture->folder), ==, 0); /* nothing else was left behind */
    g_free(fixture->file);
    g_free(fixture->folder);
}

static MrgKeyring *
load_text(const Fixture *fixture, const char *text, GError **error)
{
    g_unlink(fixture->file);
    g_assert_true(g_file_set_contents_full(fixture->file, text, -1,
                                           G_FILE_SET_CONTENTS_NONE, 0600, NULL));
    return mrg_keyring_load(fixture->file, error);
}

static char *
hex(const guint8 *bytes)
{
    GString *text = g_string_new(NULL);
    for (gsize i = 0; i < MRG_KEY_BYTES; i++)
        g_string_append_printf(text, "%02x", bytes[i]);
    return g_string_free(text, FALSE);
}

/* Expected: Python, hashlib.blake2b(b"ann@example.com", key=bytes(range(32)),
 * digest_size=16).hexdigest() */
static void
a_person_is_a_keyed_hash(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgKeyring) keyring =
        load_text(fixture, "person 1 " COUNTING "\ntoken 1 " ZEROS "\n", &error);
    g_assert_no_error(error);
    MrgPersonKey key;
    mrg_person_key(keyring, "ann@example.com", &key);
    g_autofree char *text = hex(key.bytes);
    g_assert_cmpstr(text, ==, "25429da17fedf36d5198bbd3a6498f31");
    char pseudonym[MRG_PSEUDONYM_BYTES];
    mrg_person_pseudonym(&key, pseudonym);
    g_assert_cmpstr(pseudonym, ==, "25429da17fedf36d");
}

/* Two spellings of a mailbox meet the same suppressions; two mailboxes never share a key.
 */
static void
a_domain_has_one_key(Fixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
    static const struct {
        const char *one, *other;
        gboolean is_same;
    } cases[] = {
        {"a@m\xc3\xbcnchen.de", "a@xn--mnchen-3ya.de", TRUE},
        {"a@M\xc3\x9cNCHEN.de", "a@xn--mnchen-3ya.de", TRUE},
        {"a@mu\xcc\x88nchen.de", "a@xn--mnchen-3ya.de", TRUE},
        {"a@m\xc3\xbcnchen.de", "b@xn--mnchen-3ya.de", FALSE},
        {"a@stra\xc3\x9f"
         "e.de",
         "a@strasse.de", FALSE},
        {"a@example.com", "a@xn--example-.com", FALSE},
        {"a@example.com", "a@xn--example-com-.", FALSE},
        {"a@xn--.com", "a@.com", FALSE},
        {"xn--mnchen-3ya@x.de", "m\xc3\xbcnchen@x.de", FALSE},
    };
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgKeyring) keyring = mrg_keyring_new_ephemeral(&error);
    g_assert_no_error(error);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(MrgArena) arena = mrg_arena_new();
        MrgPersonKey keys[2];
        g_test_message("%s and %s", cases[i].one, cases[i].other);
        const char *one = mrg_address_normalise(cases[i].one, arena);
        const char *other = mrg_address_normalise(cases[i].other, arena);
        mrg_person_key(keyring, one, &keys[0]);
        mrg_person_key(keyring, other, &keys[1]);
        g_assert_cmpint(mrg_key_equal(&keys[0], &keys[1]), ==, cases[i].is_same);
    }
}

static void
message_keys_do_not_run_together(Fixture *fixture G_GNUC_UNUSED,
                                 gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgKeyring) keyring = mrg_keyring_new_ephemeral(&error);
    g_assert_no_error(error);
    static const struct {
        const char *texts[2];
        gsize lengths[2];
        gsize n;
    } cases[] = {
        {{"ab", "c"}, {2, 1}, 2},   {{"a", "bc"}, {1, 2}, 2},   {{"abc", ""}, {3, 0}, 2},
        {{"", "abc"}, {0, 3}, 2},   {{"abc", NULL}, {3, 0}, 1}, {{NULL, NULL}, {0, 0}, 0},
        {{"a\0b", "c"}, {3, 1}, 2}, {{"a\0x", "c"}, {3, 1}, 2},
    };
    MrgMessageKey keys[G_N_ELEMENTS(cases)], again;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        mrg_message_key(keyring, cases[i].texts, cases[i].lengths, cases[i].n, &keys[i]);
        mrg_message_key(keyring, cases[i].texts, cases[i].lengths, cases[i].n, &again);
        g_assert_cmpmem(&keys[i], sizeof again, &again, sizeof again);
        for (gsize j = 0; j < i; j++)
            g_assert_true(memcmp(&keys[i], &keys[j], sizeof again) != 0);
    }
    MrgPersonKey person;
    mrg_person_key(keyring, "abc", &person);
    g_assert_true(memcmp(&keys[4], &person, sizeof person) != 0);
}

static void
the_last_token_key_seals(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgKeyring) keyring = load_text(fixture,
                                              "# keys\n\n token 255 " ZEROS " # old\r\n"
                                              "person\t1 " ZEROS "\n"
                                              "token 7 " COUNTING,
                                              &error);
    g_assert_no_error(error);
    g_assert_cmpuint(mrg_keyring_sealing_id(keyring), ==, 7);
    g_assert_cmpint(mrg_keyring_token_state(keyring, 7), ==, MRG_KEY_SEALS);
    g_assert_cmpint(mrg_keyring_token_state(keyring, 255), ==, MRG_KEY_OPENS);
    g_assert_cmpint(mrg_keyring_token_state(keyring, 1), ==, MRG_KEY_ABSENT);
    g_assert_null(mrg_keyring_token_keys(keyring, 1));
    g_assert_null(mrg_keyring_token_keys(keyring, 0));
    const MrgTokenKeys *keys = mrg_keyring_token_keys(keyring, 7);
    g_assert_cmpint(
        memcmp(keys, mrg_keyring_token_keys(keyring, 255), sizeof(MrgTokenKeys)), !=, 0);
    g_assert_cmpint(memcmp(keys->seal, keys->hash, sizeof keys->seal), !=, 0);
    MrgKeyring *other = mrg_keyring_ref(keyring);
    mrg_keyring_unref(other);
    g_assert_true(mrg_keyring_token_keys(keyring, 7) == keys);
}

static void
a_retired_key_opens_and_does_not_seal(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgKeyring) keyring = load_text(fixture,
                                              "person 1 " ZEROS "\n"
                                              "token 1 " ZEROS "\n"
                                              "retired 2 " COUNTING,
                                              &error);
    g_assert_no_error(error);
    g_assert_cmpuint(mrg_keyring_sealing_id(keyring), ==, 1);
    g_assert_cmpint(mrg_keyring_token_state(keyring, 2), ==, MRG_KEY_RETIRED);
    g_assert_nonnull(mrg_keyring_token_keys(keyring, 2));
}

static void
keys_retire_but_for_the_last(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgKeyring) before = load_text(fixture,
                                             "person 1 " ZEROS "\n"
                                             "  token 1 " ZEROS " # old\n"
                                             "token 12 " COUNTING,
                                             &error);
    g_assert_true(mrg_keyring_retire(fixture->file, 12, &error));
    g_autoptr(MrgKeyring) ring = mrg_keyring_load(fixture->file, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(mrg_keyring_sealing_id(ring), ==, 1);
    g_assert_cmpint(mrg_keyring_token_state(ring, 12), ==, MRG_KEY_RETIRED);
    g_assert_cmpmem(mrg_keyring_token_keys(ring, 12), sizeof(MrgTokenKeys),
                    mrg_keyring_token_keys(before, 12), sizeof(MrgTokenKeys));
    static const guint8 refused[] = {0, 1, 2, 12};
    for (gsize i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_assert_false(mrg_keyring_retire(fixture->file, refused[i], &error));
        g_assert_error(error, MRG_ERROR, MRG_ERROR_CONFIG);
        g_clear_error(&error);
    }
}

static void
a_malformed_file_is_refused(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    static const struct {
        const char *text;
        const char *where;
    } cases[] = {
        {"", ":1:1: "},
        {"person 1 " ZEROS "\n", ":2:1: "},
        {"token 1 " ZEROS "\n", ":2:1: "},
        {"person 2 " ZEROS "\n", ":1:1: "},
        {"person 1 " ZEROS "\nperson 1 " ZEROS "\n", ":2:1: "},
        {"person 1 " ZEROS "\ntoken 3 " ZEROS "\ntoken 3 " ZEROS "\n", ":3:1: "},
        {"person 1 " ZEROS "\ntoken 0 " ZEROS "\n", ":2:1: "},
        {"person 1 " ZEROS "\ntoken 256 " ZEROS "\n", ":2:1: "},
        {"person 1 " ZEROS "\ntoken 00001 " ZEROS "\n", ":2:1: "},
        {"person 1 " ZEROS "\ntoken x " ZEROS "\n", ":2:1: "},
        {"person 1 " ZEROS "\ntoken 1 " ZEROS " more\n", ":2:1: "},
        {"person 1 " ZEROS "\nlink 1 " ZEROS "\n", ":2:1: "},
        {"person 1 " ZEROS "\ntoken 1\n", ":2:1: "},
        {"person 1 " ZEROS "\nretired 1 " ZEROS "\n", ":3:1: "},
        {"person 1 " ZEROS "\ntoken 1 " ZEROS "\nretired 1 " ZEROS "\n", ":3:1: "},
        {"person 1 " ZEROS "\ntoken 1 SECRETSECRET\n", ":2:1: "},
        {"person 1 " ZEROS "\ntoken 1 SECRET" ZEROS "\n", ":2:1: "},
        {"person 1 " ZEROS "\ntoken 1 !SECRET\n", ":2:1: "},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_test_message("case %u", (guint) i);
        g_assert_null(load_text(fixture, cases[i].text, &error));
        g_assert_error(error, MRG_ERROR, MRG_ERROR_CONFIG);
        g_autofree char *where = g_strconcat(fixture->file, cases[i].where, NULL);
        g_assert_true(g_str_has_prefix(error->message, where));
        g_assert_null(strstr(error->message, "SECRET"));
    }
}

static void
a_file_that_others_read_is_refused(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    static const int modes[] = {0640, 0604, 0620, 0602, 0601, 0777};
    guint8 id;
    g_autoptr(GError) error = NULL;
    g_assert_true(mrg_keyring_create(fixture->file, &id, &error));
    for (gsize i = 0; i < G_N_ELEMENTS(modes); i++) {
        g_chmod(fixture->file, modes[i]);
        g_assert_null(mrg_keyring_load(fixture->file, &error));
        g_assert_error(error, MRG_ERROR, MRG_ERROR_CONFIG);
        g_clear_error(&error);
        g_assert_false(mrg_keyring_create(fixture->file, &id, &error));
        g_clear_error(&error);
    }
    g_unlink(fixture->file);
    g_assert_null(mrg_keyring_load(fixture->file, &error));
    g_assert_error(error, MRG_ERROR, MRG_ERROR_CONFIG);
    g_clear_error(&error);
    g_assert_cmpint(mkfifo(fixture->file, 0600), ==, 0);
    g_assert_null(mrg_keyring_load(fixture->file, &error));
    g_assert_error(error, MRG_ERROR, MRG_ERROR_CONFIG);
    g_clear_error(&error);
    g_unlink(fixture->file);
    g_assert_null(mrg_keyring_load(fixture->folder, &error));
    g_assert_error(error, MRG_ERROR, MRG_ERROR_CONFIG);
}

static void
create_makes_and_then_adds(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    guint8 id = 0;
    MrgPersonKey before, after;
    g_assert_true(mrg_keyring_create(fixture->file, &id, &error));
    g_assert_cmpuint(id, ==, 1);
    GStatBuf status;
    g_assert_cmpint(g_stat(fixture->file, &status), ==, 0);
    g_assert_cmpint(status.st_mode & 0777, ==, 0600);
    g_autoptr(MrgKeyring) first = mrg_keyring_load(fixture->file, &error);
    g_assert_no_error(error);
    mrg_person_key(first, "a@b.c", &before);

    for (guint expected = 2; expected <= 255; expected++) {
        g_assert_true(mrg_keyring_create(fixture->file, &id, &error));
        g_assert_cmpuint(id, ==, expected);
    }
    g_autoptr(MrgKeyring) last = mrg_keyring_load(fixture->file, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(mrg_keyring_sealing_id(last), ==, 255);
    const MrgTokenKeys *one = mrg_keyring_token_keys(last, 1);
    g_assert_cmpmem(mrg_keyring_token_keys(first, 1), sizeof *one, one, sizeof *one);
    g_assert_cmpint(memcmp(one, mrg_keyring_token_keys(last, 2), sizeof *one), !=, 0);
    mrg_person_key(last, "a@b.c", &after);
    g_assert_cmpmem(&before, sizeof before, &after, sizeof after);

    g_assert_false(mrg_keyring_create(fixture->file, &id, &error));
    g_assert_error(error, MRG_ERROR, MRG_ERROR_CONFIG);
}

static void
a_key_is_added_to_a_file_without_a_last_newline(Fixture *fixture,
                                                gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;
    guint8 id;
    mrg_keyring_unref(
        load_text(fixture, "person 1 " ZEROS "\ntoken 255 " ZEROS " # mine", &error));
    g_assert_true(mrg_keyring_create(fixture->file, &id, &error));
    g_assert_cmpuint(id, ==, 1);
    g_autoptr(MrgKeyring) keyring = mrg_keyring_load(fixture->file, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(mrg_keyring_sealing_id(keyring), ==, 1);
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(fixture->file, &text, NULL, NULL));
    g_assert_nonnull(strstr(text, "# mine\n"));
}

static void
addresses_are_normalised(Fixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
    g_autofree char *local = g_strnfill(250, 'l');
    g_autofree char *longest = g_strconcat(local, "@b.c", NULL);
    g_autofree char *too_long = g_strconcat(local, "@b.cd", NULL);
    const struct {
        const char *in, *out;
    } cases[] = {
        {"ann@example.com", "ann@example.com"},
        {"  <Ann.B+Tag@Example.COM>\r\n", "ann.b+tag@example.com"},
        {"< a@b >", "a@b"},
        {"\"A b\"@x.y", "\"a b\"@x.y"},
        {"\"a@b\"@x.y", "\"a@b\"@x.y"},
        {"\"Ann\"@x.y", "ann@x.y"},
        {"\"an\\n.b\"@x.y", "ann.b@x.y"},
        {"\"a\\ b\"@x.y", "\"a b\"@x.y"},
        {"\"a\\\\\"@x.y", "\"a\\\\\"@x.y"},
        {"\".a\"@x.y", "\".a\"@x.y"},
        {"\"a.\"@x.y", "\"a.\"@x.y"},
        {"\"\"@x.y", "\"\"@x.y"},
        {"\"a\".\"b\"@x.y", "\"a\".\"b\"@x.y"},
        {"ann@x.y.", "ann@x.y"},
        {"a@.", "a@."},
        {"\"a\\\"@b\"@x.y", "\"a\\\"@b\"@x.y"},
        {"J\xc3\x96RG@EX.DE", "j\xc3\x96rg@ex.de"},
        {longest, longest},
        {too_long, NULL},
        {"", NULL},
        {"<>", NULL},
        {"a@", NULL},
        {"@b", NULL},
        {"ab", NULL},
        {"a@b@c", NULL},
        {"\"a@b", NULL},
        {"\"a@b\"", NULL},
        {"a@b\\", NULL},
        {"\"a@b\\", NULL},
        {"a b@c.d", NULL},
        {"a@b,c@d", NULL},
        {"<a@b", NULL},
        {"<<a@b>>", NULL},
        {"a\x01@b", NULL},
        {"a@b\x7f", NULL},
        {"\"a\nb\"@c", NULL},
        {"a\xc2\x85@b", NULL},
        {"a\xff@b", NULL},
    };
    g_autoptr(MrgArena) arena = mrg_arena_new();
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_message("case %u", (guint) i);
        g_assert_cmpstr(mrg_address_normalise(cases[i].in, arena), ==, cases[i].out);
    }
}

static void
add(const char *path, void (*test)(Fixture *fixture, gconstpointer data))
{
    g_test_add(path, Fixture, NULL, set_up, test, tear_down);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add("/person/key/hash", a_person_is_a_keyed_hash);
    add("/person/key/domain", a_domain_has_one_key);
    add("/person/key/message", message_keys_do_not_run_together);
    add("/person/ring/seals", the_last_token_key_seals);
    add("/person/ring/retired", a_retired_key_opens_and_does_not_seal);
    add("/person/ring/retire", keys_retire_but_for_the_last);
    add("/person/ring/malformed", a_malformed_file_is_refused);
    add("/person/ring/secrecy", a_file_that_others_read_is_refused);
    add("/person/ring/create", create_makes_and_then_adds);
    add("/person/ring/no-newline", a_key_is_added_to_a_file_without_a_last_newline);
    add("/person/address", addresses_are_normalised);
    return g_test_run();
}
