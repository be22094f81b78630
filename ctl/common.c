/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "ctl/json-exact.h"
#include "ctl/owner.h"
#include "ctl/verb.h"
#include "milter/clock.h"

#define READ_CHUNK 65536

MrgConf *
mrg_verb_conf(const MrgTool *tool, int *code)
{
    g_autoptr(GError) error = NULL;
    MrgConf *conf = mrg_conf_load(tool->conf_path, &error);
    if (!conf)
        *code = mrg_verb_fail(error);
    return conf;
}

int
mrg_people_open(MrgPeople *people, const MrgTool *tool)
{
    g_autoptr(GError) error = NULL;
    people->arena = mrg_arena_new();
    people->conf = mrg_conf_load(tool->conf_path, &error);
    if (people->conf && mrg_owner_become(people->conf->keys_file, &error))
        people->keyring = mrg_keyring_load(people->conf->keys_file, &error);
    if (people->keyring)
        people->store = mrg_conf_open_store(people->conf, &error);
    return people->store ? EX_OK : mrg_verb_fail(error);
}

void
mrg_people_close(MrgPeople *people)
{
    g_clear_pointer(&people->store, mrg_store_close);
    g_clear_pointer(&people->keyring, mrg_keyring_unref);
    g_clear_pointer(&people->conf, mrg_conf_unref);
    g_clear_pointer(&people->arena, mrg_arena_free);
}

int
mrg_people_find(MrgPeople *people, const char *address, MrgPerson *person)
{
    g_autoptr(GError) error = NULL;
    *person = (MrgPerson){0};
    if (mrg_person_identify(person, people->keyring, address, people->arena, &error))
        return EX_OK;
    return mrg_verb_fail(error);
}

int
mrg_people_load(MrgPeople *people, const MrgPersonKey *person, MrgState *state)
{
    g_autoptr(GError) error = NULL;
    gint64 deadline_us = g_get_monotonic_time() + people->conf->store_deadline;
    *state = (MrgState){0};
    if (mrg_store_load(people->store, person, NULL, NULL, 0, state, people->arena,
                       deadline_us, &error))
        return EX_OK;
    return mrg_verb_fail(error);
}

const char *
mrg_people_text(const MrgField *field, MrgArena *arena)
{
    gboolean is_text = field->type == MRG_FIELD_STRING || field->type == MRG_FIELD_NUMBER;
    return is_text && field->length ? mrg_arena_dup(arena, field->text, field->length)
                                    : NULL;
}

static int
read_habits(MrgPeople *people, const MrgPersonKey *person, MrgCandidate *candidate,
            const char **household)
{
    g_autoptr(GError) error = NULL;
    const MrgConf *conf = people->conf;
    /* A setting that is empty is no name, and so MISSING. */
    const char *names[] = {conf->render_timezone_field, conf->policy_frequency_field,
                           conf->policy_household_field};
    MrgField fields[G_N_ELEMENTS(names)] = {0}; /* somebody unknown has none */
    MrgValue wish;
    gint64 deadline_us = g_get_monotonic_time() + conf->store_deadline;
    if (mrg_store_fetch(people->store, person, names, G_N_ELEMENTS(names), fields,
                        people->arena, deadline_us, &error) == MRG_FETCH_ERROR ||
        !mrg_field_value(&wish, &fields[1], names[1], people->arena, &error))
        return mrg_verb_fail(error);
    candidate->zone =
        mrg_zone_find(mrg_people_text(&fields[0], people->arena), conf->render_timezone);
    candidate->preference = mrg_preference_read(&wish);
    *household = mrg_people_text(&fields[2], people->arena);
    return EX_OK;
}

int
mrg_people_standing(MrgPeople *people, const MrgPersonKey *person, const char *address,
                    const MrgMessageKey *message, MrgStanding *standing)
{
    g_autoptr(GError) error = NULL;
    const MrgConf *conf = people->conf;
    const char *household = NULL;
    *standing = (MrgStanding){.candidate = {.campaign = ""}};
    int code = read_habits(people, person, &standing->candidate, &household);
    if (code)
        return code;
    mrg_shared_find(&standing->shared, &conf->policy, people->keyring, address, household);
    if (!mrg_store_load(people->store, person, message, standing->shared.keys,
                        standing->shared.n, &standing->state, people->arena,
                        g_get_monotonic_time() + conf->store_deadline, &error))
        return mrg_verb_fail(error);
    if (mrg_state_read(&standing->view, &standing->state, standing->shared.scopes,
                       people->arena, &error))
        return EX_OK;
    char key[MRG_KEY_TEXT_BYTES];
    mrg_key_print(person, key);
    g_printerr("merganser: person %s: %s; mail to them waits until 'merganser cap "
               "reset' forgets it\n",
               key, error->message);
    return EX_DATAERR;
}

gboolean
mrg_key_parse(const char *text, MrgPersonKey *key)
{
    if (strlen(text) != MRG_KEY_TEXT_BYTES - 1)
        return FALSE;
    for (gsize i = 0; i < MRG_KEY_BYTES; i++) {
        int high = g_ascii_xdigit_value(text[2 * i]);
        int low = g_ascii_xdigit_value(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return FALSE;
        key->bytes[i] = (guint8) (high * 16 + low);
    }
    return TRUE;
}

int
mrg_people_find_key(MrgPeople *people, const char *text, MrgPersonKey *key)
{
    MrgPerson person;
    if (mrg_key_parse(text, key))
        return EX_OK;
    int code = mrg_people_find(people, text, &person);
    if (!code)
        *key = person.key;
    return code;
}

static const MrgProfile *
next_of_one(gpointer context, GError **error G_GNUC_UNUSED)
{
    const MrgProfile **profile = context;
    const MrgProfile *next = *profile;
    *profile = NULL;
    return next;
}

int
mrg_people_write(MrgPeople *people, const MrgProfile *profile)
{
    g_autoptr(GError) error = NULL;
    if (mrg_store_import(people->store, next_of_one, &profile, NULL, &error))
        return EX_OK;
    return mrg_verb_fail(error);
}

void
mrg_print_json(json_t *json)
{
    g_autofree char *text = mrg_json_exact(json, JSON_INDENT(2));
    g_print("%s\n", text);
    json_decref(json);
}

void
mrg_json_set_bytes(json_t *object, const char *name, const char *bytes, gsize length)
{
    if (!length || g_utf8_validate(bytes, (gssize) length, NULL)) {
        json_object_set_new(object, name, json_stringn(length ? bytes : "", length));
        return;
    }
    g_autofree char *other = g_strconcat(name, "_base64", NULL);
    g_autofree char *encoded = g_base64_encode((const guchar *) bytes, length);
    json_object_set_new(object, other, json_string(encoded));
}

char *
mrg_print_time(gint64 at_us)
{
    g_autoptr(GDateTime) at = g_date_time_new_from_unix_utc(at_us / MRG_SECOND_US);
    return at ? g_date_time_format(at, "%Y-%m-%dT%H:%M:%SZ") : g_strdup("?");
}

gboolean
mrg_read_file(const char *path, gsize limit, char **text, gsize *length, GError **error)
{
    gboolean is_stdin = g_str_equal(path, "-");
    g_autoptr(GString) all = g_string_new(NULL);
    FILE *file = is_stdin ? stdin : fopen(path, "rbe");
    if (!file) {
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno),
                    "%s: cannot be read: %s", path, g_strerror(errno));
        return FALSE;
    }
    g_autofree char *chunk = g_malloc(READ_CHUNK);
    for (gsize n; all->len <= limit && (n = fread(chunk, 1, READ_CHUNK, file)) > 0;)
        g_string_append_len(all, chunk, (gssize) n);
    gboolean is_broken = ferror(file);
    if (!is_stdin)
        fclose(file);
    if (is_broken || all->len > limit) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_IO, "%s: %s", path,
                    is_broken ? "reading failed" : "the file is too long");
        return FALSE;
    }
    *length = all->len;
    *text = g_string_free(g_steal_pointer(&all), FALSE);
    return TRUE;
}
