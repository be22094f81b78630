/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "ctl/people-file.h"
#include "ctl/words.h"
#include "milter/nearest.h"
#include "milter/registry.h"

#define FIELD_NAME_SHOWN 64
#define FIELDS_MAX 1000

void
mrg_people_file_init(MrgPeopleFile *people, FILE *file, const char *path,
                     const MrgPeopleRules *rules)
{
    *people = (MrgPeopleFile){
        .rules = *rules,
        .arena = mrg_arena_new(),
        .fields = g_array_new(FALSE, FALSE, sizeof(MrgProfileField)),
        .consents = g_array_new(FALSE, FALSE, sizeof(MrgConsent)),
        .suppressions = g_array_new(FALSE, FALSE, sizeof(MrgSuppression)),
        .engagements = g_array_new(FALSE, FALSE, sizeof(MrgEngagement)),
    };
    mrg_rows_init(&people->rows, file, path);
}

void
mrg_people_file_clear(MrgPeopleFile *people)
{
    mrg_rows_clear(&people->rows);
    mrg_arena_free(people->arena);
    g_array_unref(people->fields);
    g_array_unref(people->consents);
    g_array_unref(people->suppressions);
    g_array_unref(people->engagements);
    g_clear_pointer(&people->columns, g_array_unref);
}

gboolean
mrg_people_format_guess(const char *path, MrgPeopleFormat *format)
{
    gboolean is_csv = g_str_has_suffix(path, ".csv");
    *format = is_csv ? MRG_PEOPLE_CSV : MRG_PEOPLE_JSONL;
    return is_csv || g_str_has_suffix(path, ".jsonl");
}

gboolean
mrg_people_file_next(MrgPeopleFile *people, GError **error)
{
    mrg_arena_reset(people->arena);
    g_array_set_size(people->fields, 0);
    g_array_set_size(people->consents, 0);
    g_array_set_size(people->suppressions, 0);
    g_array_set_size(people->engagements, 0);
    people->address = NULL;
    return people->rules.format == MRG_PEOPLE_CSV ? mrg_csv_next(people, error)
                                                  : mrg_jsonl_next(people, error);
}

/* ---- fields ---- */

const char *
mrg_people_declared_name(const MrgSchema *schema, const char *name)
{
    for (gsize i = 0; i < schema->n_fields; i++) {
        const char *a = schema->fields[i].name, *b = name;
        while (*a && *b && g_ascii_tolower(*a) == g_ascii_tolower(*b)) {
            a++;
            b++;
            a += *a == '_';
            b += *b == '_';
        }
        if (!*a && !*b)
            return schema->fields[i].name;
    }
    return name;
}

/* As it may stand on a terminal; a file without a head has an address where a name should
 * be, and those are not shown. */
static char *
printable_name(const char *name)
{
    char *text = g_strndup(name, FIELD_NAME_SHOWN);
    return g_strcanon(text, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS " _-.", '?');
}

static const char *
nearest_field(const MrgSchema *schema, const char *name)
{
    g_autofree const char **names = g_new(const char *, schema->n_fields);
    for (gsize i = 0; i < schema->n_fields; i++)
        names[i] = schema->fields[i].name;
    return mrg_nearest(name, names, schema->n_fields);
}

static gboolean
fail_undeclared(const MrgPeopleFile *people, const char *shown, GError **error)
{
    const char *near = nearest_field(people->rules.schema, shown);
    return mrg_rows_fail(&people->rows, error,
                         "the schema declares no field '%s'%s%s%s; declare it, or take it "
                         "with --undeclared",
                         shown, near ? "; did you mean '" : "", near ? near : "",
                         near ? "'" : "");
}

gboolean
mrg_people_check_name(const MrgPeopleFile *people, const char *name, GError **error)
{
    const MrgSchema *schema = people->rules.schema;
    g_autofree char *shown = printable_name(name);
    if (!mrg_field_is_name(name))
        return mrg_rows_fail(&people->rows, error,
                             "'%s' cannot be a field name: a letter or _, "
                             "then at most 63 letters, digits or _",
                             shown);
    if (!schema->n_fields || people->rules.takes_undeclared ||
        mrg_schema_field(schema, mrg_people_declared_name(schema, name)))
        return TRUE;
    return fail_undeclared(people, shown, error);
}

gboolean
mrg_people_add_field(MrgPeopleFile *people, const char *name, MrgField value,
                     GError **error)
{
    const MrgSchema *schema = people->rules.schema;
    MrgProfileField field = {
        mrg_arena_strdup(people->arena, mrg_people_declared_name(schema, name)), value};
    if (people->fields->len >= FIELDS_MAX)
        return mrg_rows_fail(&people->rows, error, "over %d fields in a row", FIELDS_MAX);
    for (guint i = 0; i < people->fields->len; i++)
        if (g_str_equal(g_array_index(people->fields, MrgProfileField, i).name, field.name))
            return mrg_rows_fail(&people->rows, error, "the field '%s' is given twice",
                                 field.name);
    const char *fault =
        mrg_field_fault(mrg_schema_field(schema, field.name), &value, people->arena);
    if (fault)
        return mrg_rows_fail(&people->rows, error, "the value of '%s' %s", field.name,
                             fault);
    g_array_append_val(people->fields, field);
    return TRUE;
}

/* ---- the ledger ---- */

gboolean
mrg_people_add_consent(MrgPeopleFile *people, const MrgConsent *consent, GError **error)
{
    if (!mrg_word_is_purpose(consent->purpose))
        return mrg_rows_fail(&people->rows, error,
                             "unknown purpose of a consent; there are " MRG_PURPOSES_TEXT);
    if (consent->at_us > people->rules.now_us)
        return mrg_rows_fail(&people->rows, error, "a consent lies in the future");
    MrgConsent kept = *consent;
    kept.purpose = mrg_arena_strdup(people->arena, consent->purpose);
    kept.source =
        consent->source ? mrg_arena_strdup(people->arena, consent->source) : "import";
    g_array_append_val(people->consents, kept);
    return TRUE;
}

gboolean
mrg_people_add_suppression(MrgPeopleFile *people, const MrgSuppression *suppression,
                           GError **error)
{
    if (!mrg_word_is_reason(suppression->reason))
        return mrg_rows_fail(&people->rows, error,
                             "the reason of a suppression must be " MRG_REASONS_TEXT);
    if (!mrg_word_is_scope(suppression->scope))
        return mrg_rows_fail(&people->rows, error,
                             "the scope of a suppression must be all, class:NAME or "
                             "list:NAME");
    if (suppression->at_us > people->rules.now_us)
        return mrg_rows_fail(&people->rows, error, "a suppression lies in the future");
    MrgSuppression kept = *suppression;
    kept.scope = mrg_arena_strdup(people->arena, suppression->scope);
    kept.reason = mrg_arena_strdup(people->arena, suppression->reason);
    g_array_append_val(people->suppressions, kept);
    return TRUE;
}
