/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/error.h"
#include "milter/json.h"
#include "milter/person/lookup.h"

gboolean
mrg_person_identify(MrgPerson *person, const MrgKeyring *keyring, const char *address,
                    MrgArena *arena, GError **error)
{
    const char *normal = mrg_address_normalise(address, arena);
    if (!normal) {
        g_set_error(error, MRG_ERROR, MRG_ERROR_ADDRESS, "the address is malformed");
        return FALSE;
    }
    person->address = normal;
    mrg_person_key(keyring, normal, &person->key);
    mrg_person_pseudonym(&person->key, person->pseudonym);
    return TRUE;
}

gboolean
mrg_field_value(MrgValue *value, const MrgField *field, const char *name, MrgArena *arena,
                GError **error)
{
    g_autoptr(GError) problem = NULL;
    switch (field->type) {
    case MRG_FIELD_MISSING:
        *value = (MrgValue) MRG_VALUE_MISSING_INIT;
        return TRUE;
    case MRG_FIELD_NULL:
        *value = mrg_value_null();
        return TRUE;
    case MRG_FIELD_BOOLEAN:
        *value =
            mrg_value_boolean(field->length == 4 && memcmp(field->text, "true", 4) == 0);
        return TRUE;
    case MRG_FIELD_NUMBER:
        *value = mrg_value_number_text(field->text, field->length, arena);
        return TRUE;
    case MRG_FIELD_STRING:
        *value = mrg_value_string(field->text, field->length);
        return TRUE;
    case MRG_FIELD_JSON:
        if (mrg_json_read(value, field->text, field->length, arena, &problem))
            return TRUE;
    }
    g_set_error(error, MRG_STORE_ERROR, MRG_STORE_ERROR_CORRUPT,
                "field '%s' cannot be read: %s", name,
                problem ? problem->message : "unknown type");
    return FALSE;
}

static void
fall_back(MrgValue *value, const char *name, const MrgValue *data)
{
    if (!data)
        return;
    if (g_str_equal(name, "data"))
        *value = *data;
    else if (value->type == MRG_VALUE_MISSING)
        *value = *mrg_value_member(data, name, strlen(name));
}

gboolean
mrg_person_fetch(MrgPerson *person, const MrgStore *store, const MrgPersonAsked *asked,
                 MrgValue *slots, MrgState *state, MrgArena *arena, gint64 deadline_us,
                 GError **error)
{
    MrgField *fields = mrg_arena_array(arena, MrgField, asked->n_names);
    MrgFetch found = mrg_store_fetch_and_load(
        store, &person->key, asked->names, asked->n_names, fields, asked->message,
        asked->shared, asked->n_shared, state, arena, deadline_us, error);
    if (found == MRG_FETCH_ERROR)
        return FALSE;
    MrgValue *values =
        asked->data ? mrg_arena_array(arena, MrgValue, asked->n_names) : slots;
    for (gsize i = 0; i < asked->n_names; i++) {
        if (!mrg_field_value(&values[i], &fields[i], asked->names[i], arena, error))
            return FALSE;
        slots[i] = values[i];
        fall_back(&slots[i], asked->names[i], asked->data);
    }
    person->has_profile = found == MRG_FETCH_HIT;
    person->values = values;
    return TRUE;
}
