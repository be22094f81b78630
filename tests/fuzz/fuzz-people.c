/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-people: files of profiles: the first byte chooses CSV or JSON Lines.  What a row
 * gives is what an import may take.
 */
#include "config.h"

#include <stdint.h>

#include "ctl/people-file.h"
#include "milter/registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_row(const MrgPeopleFile *people)
{
    g_assert_true(!people->address || g_utf8_validate(people->address, -1, NULL));
    for (guint i = 0; i < people->fields->len; i++) {
        const MrgProfileField *field = &g_array_index(people->fields, MrgProfileField, i);
        g_assert_true(mrg_field_is_name(field->name));
        g_assert_true(
            field->value.type == MRG_FIELD_NULL ||
            g_utf8_validate(field->value.text, (gssize) field->value.length, NULL));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const MrgSchema schema = {NULL, 0, NULL};
    if (size < 2)
        return 0;
    g_autofree uint8_t *text = g_memdup2(data + 1, size - 1);
    FILE *file = fmemopen(text, size - 1, "rb");
    MrgPeopleFile people;
    g_autoptr(GError) error = NULL;
    const MrgPeopleRules rules = {.format = data[0] & 1 ? MRG_PEOPLE_CSV : MRG_PEOPLE_JSONL,
                                  .schema = &schema,
                                  .now_us = 1};
    mrg_people_file_init(&people, file, "x", &rules);
    while (!people.rows.is_over) {
        g_clear_error(&error);
        if (mrg_people_file_next(&people, &error))
            check_row(&people);
    }
    mrg_people_file_clear(&people);
    fclose(file);
    return 0;
}
