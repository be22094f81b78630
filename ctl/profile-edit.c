/* SPDX-License-Identifier: Apache-2.0 */
/* profile get and set: the fields of one person. */
#include "config.h"

#include <string.h>

#include "ctl/held.h"
#include "ctl/json-exact.h"
#include "ctl/people-file.h"

/* ---- get ---- */

static void
print_fields(json_t *fields)
{
    const char *name;
    json_t *value;
    json_object_foreach(fields, name, value)
    {
        g_autofree char *text = json_is_string(value) ? g_strdup(json_string_value(value))
                                                      : mrg_json_exact(value, JSON_COMPACT);
        g_print("%s=%s\n", name, text);
    }
}

/* Only those that are asked for, where any are. */
static json_t *
pick(json_t *fields, const MrgSchema *schema, char **names)
{
    if (!*names)
        return json_incref(fields);
    json_t *picked = json_object();
    for (char **name = names; *name; name++) {
        const char *declared = mrg_people_declared_name(schema, *name);
        json_t *value = json_object_get(fields, declared);
        if (value)
            json_object_set(picked, declared, value);
    }
    return picked;
}

static int
no_profile(void)
{
    g_printerr("merganser: there is no profile for this address; 'profile import' or "
               "'profile set' makes one\n");
    return EX_DATAERR;
}

int
mrg_verb_profile_get(MrgTool *tool, int argc, char **argv)
{
    g_auto(MrgPeople) people = {0};
    g_auto(MrgHeld) held = {0};
    MrgPerson person;
    int code = mrg_verb_parse(tool, &argc, &argv, NULL, -1);
    if (!code && argc < 2)
        return mrg_verb_usage("profile get takes an ADDRESS, and names of fields");
    if (!code)
        code = mrg_people_open(&people, tool);
    if (!code)
        code = mrg_people_find(&people, argv[1], &person);
    if (!code)
        code = mrg_held_read(&held, &people, &person.key);
    if (!code && !mrg_held_has_profile(&held))
        code = no_profile();
    if (code)
        return code;
    json_t *fields = mrg_held_fields(&held);
    json_t *picked = pick(fields, people.conf->schema, argv + 2);
    json_decref(fields);
    if (tool->is_json) {
        mrg_print_json(picked);
        return EX_OK;
    }
    print_fields(picked);
    json_decref(picked);
    return EX_OK;
}

/* ---- set ---- */

/* "NAME=VALUE"; "NAME=" removes the field. */
static int
read_assignment(const MrgPeople *people, const char *text, gboolean takes_undeclared,
                MrgProfileField *field)
{
    const MrgSchema *schema = people->conf->schema;
    const char *equals = strchr(text, '=');
    if (!equals)
        return mrg_verb_usage("a field is given as NAME=VALUE");
    g_autofree char *written = g_strndup(text, (gsize) (equals - text));
    const char *name = mrg_people_declared_name(schema, written);
    if (!mrg_field_is_name(name))
        return mrg_verb_usage("a field name is a letter or _, then at most 63 letters, "
                              "digits or _");
    const MrgSchemaField *declared = mrg_schema_field(schema, name);
    if (!declared && schema->n_fields && !takes_undeclared)
        return mrg_verb_usage("the schema declares no field '%s'; declare it, or give "
                              "--undeclared",
                              name);
    field->name = mrg_arena_strdup(people->arena, name);
    field->value = (MrgField){.type = MRG_FIELD_NULL};
    if (!equals[1])
        return EX_OK;
    if (!g_utf8_validate(equals + 1, -1, NULL))
        return mrg_verb_usage("the value of '%s' is not UTF-8", name);
    const char *fault =
        mrg_field_from_text(declared, equals + 1, people->arena, &field->value);
    return fault ? mrg_verb_usage("the value of '%s' %s", name, fault) : EX_OK;
}

static int
set_fields(MrgPeople *people, const MrgTool *tool, char **words, gboolean takes_undeclared)
{
    MrgPerson person;
    gsize n = g_strv_length(words + 1);
    MrgProfileField *fields = mrg_arena_array(people->arena, MrgProfileField, n);
    int code = mrg_people_find(people, words[0], &person);
    for (gsize i = 0; !code && i < n; i++)
        code = read_assignment(people, words[1 + i], takes_undeclared, &fields[i]);
    const MrgProfile profile = {
        .person = person.key, .address = person.address, .fields = fields, .n_fields = n};
    if (!code)
        code = mrg_people_write(people, &profile);
    if (code)
        return code;
    if (tool->is_json)
        mrg_print_json(
            json_pack("{s:s,s:I}", "person", person.pseudonym, "fields", (json_int_t) n));
    else
        g_print("%" G_GSIZE_FORMAT " fields set\n", n);
    return EX_OK;
}

int
mrg_verb_profile_set(MrgTool *tool, int argc, char **argv)
{
    gboolean takes_undeclared = FALSE;
    const GOptionEntry entries[] = {{"undeclared", 0, 0, G_OPTION_ARG_NONE,
                                     &takes_undeclared,
                                     "take fields that the schema does not declare", NULL},
                                    {0}};
    g_auto(MrgPeople) people = {0};
    int code = mrg_verb_parse(tool, &argc, &argv, entries, -1);
    if (!code && argc < 3)
        return mrg_verb_usage("profile set takes an ADDRESS and NAME=VALUE...");
    if (!code)
        code = mrg_people_open(&people, tool);
    return code ? code : set_fields(&people, tool, argv + 1, takes_undeclared);
}
