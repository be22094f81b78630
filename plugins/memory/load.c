/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "plugins/memory/memory.h"

static const char *
copy_text(const MrgMemory *memory, const char *text, gsize length)
{
    char *copy = memory->alloc(memory->context, length + 1);
    if (length)
        memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

static const char *
copy_string(const MrgMemory *memory, const char *text)
{
    return copy_text(memory, text, strlen(text));
}

/* ---- profiles ---------------------------------------------------------- */

static MrgField
copy_field(const MrgMemoryPerson *person, const char *name, const MrgMemory *memory)
{
    const MrgMemoryValue *value = g_hash_table_lookup(person->fields, name);
    if (!value)
        return (MrgField){.type = MRG_FIELD_MISSING};
    return (MrgField){value->type, copy_text(memory, value->text, value->length),
                      value->length};
}

static MrgFetch
fetch(const MrgMemoryStore *self, const MrgPersonKey *key, const char *const *names,
      gsize n_names, MrgField *fields, const MrgMemory *memory)
{
    const MrgMemoryPerson *person = mrg_memory_find(self, key);
    if (!person || !person->address)
        return MRG_FETCH_MISS;
    for (gsize i = 0; i < n_names; i++)
        fields[i] = copy_field(person, names[i], memory);
    return MRG_FETCH_HIT;
}

MrgFetch
mrg_memory_fetch(gpointer store, const MrgPersonKey *person, const char *const *names,
                 gsize n_names, MrgField *fields, const MrgMemory *memory,
                 gint64 deadline_us G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
    MrgMemoryStore *self = store;
    pthread_mutex_lock(&self->lock);
    MrgFetch found = fetch(self, person, names, n_names, fields, memory);
    pthread_mutex_unlock(&self->lock);
    return found;
}

/* ---- states ------------------------------------------------------------ */

static void
copy_consents(const MrgMemoryPerson *person, MrgState *state, const MrgMemory *memory)
{
    g_autoptr(GPtrArray) current = mrg_memory_current_consents(person);
    gsize n = current->len;
    MrgConsent *consents = memory->alloc(memory->context, n * sizeof *consents);
    for (gsize i = 0; i < n; i++) {
        consents[i] = *(const MrgConsent *) g_ptr_array_index(current, i);
        consents[i].purpose = copy_string(memory, consents[i].purpose);
        consents[i].source = copy_string(memory, consents[i].source);
    }
    state->consents = consents;
    state->n_consents = n;
}

static void
copy_suppressions(const MrgMemoryPerson *person, MrgState *state, const MrgMemory *memory)
{
    gsize n = person->suppressions->len;
    MrgSuppression *copies = memory->alloc(memory->context, n * sizeof *copies);
    for (gsize i = 0; i < n; i++) {
        copies[i] = *(const MrgSuppression *) g_ptr_array_index(person->suppressions, i);
        copies[i].scope = copy_string(memory, copies[i].scope);
        copies[i].reason = copy_string(memory, copies[i].reason);
    }
    state->suppressions = copies;
    state->n_suppressions = n;
}

static void
copy_engagement(const MrgMemoryPerson *person, MrgState *state, const MrgMemory *memory)
{
    g_autoptr(GString) lines = g_string_new(NULL);
    for (guint i = 0; i < person->engagements->len; i++) {
        const MrgEngagement *row = g_ptr_array_index(person->engagements, i);
        g_string_append_printf(lines, "%" G_GINT64_FORMAT " %s\n", row->at_us, row->kind);
    }
    state->engagement = copy_text(memory, lines->str, lines->len);
    state->engagement_length = lines->len;
}

static MrgAccount
copy_account(const MrgMemoryStore *self, const MrgPersonKey *key, const MrgMemory *memory)
{
    const MrgMemoryPerson *person = mrg_memory_find(self, key);
    if (!person)
        return (MrgAccount){.key = *key, .history = ""};
    return (MrgAccount){*key, person->version,
                        copy_text(memory, person->history->str, person->history->len),
                        person->history->len};
}

static void
load(const MrgMemoryStore *self, const MrgPersonKey *key, const MrgMessageKey *message,
     const MrgPersonKey *shared, gsize n_shared, MrgState *state, const MrgMemory *memory)
{
    *state = (MrgState){
        .own = copy_account(self, key, memory), .n_shared = n_shared, .engagement = ""};
    for (gsize i = 0; i < n_shared; i++)
        state->shared[i] = copy_account(self, &shared[i], memory);
    const MrgMemoryPerson *person = mrg_memory_find(self, key);
    if (person) {
        copy_consents(person, state, memory);
        copy_suppressions(person, state, memory);
        copy_engagement(person, state, memory);
    }
    const MrgMemoryEvent *recorded =
        message ? g_hash_table_lookup(self->messages, message) : NULL;
    if (recorded) {
        state->is_repeat = TRUE;
        state->repeat_verdict = recorded->event.verdict;
        state->repeat_reason = copy_string(memory, recorded->event.reason);
        state->repeat_until_us = recorded->until_us;
    }
}

gboolean
mrg_memory_load(gpointer store, const MrgPersonKey *person, const MrgMessageKey *message,
                const MrgPersonKey *shared, gsize n_shared, MrgState *state,
                const MrgMemory *memory, gint64 deadline_us G_GNUC_UNUSED,
                GError **error G_GNUC_UNUSED)
{
    MrgMemoryStore *self = store;
    pthread_mutex_lock(&self->lock);
    load(self, person, message, shared, n_shared, state, memory);
    pthread_mutex_unlock(&self->lock);
    return TRUE;
}

MrgFetch
mrg_memory_fetch_and_load(gpointer store, const MrgPersonKey *person,
                          const char *const *names, gsize n_names, MrgField *fields,
                          const MrgMessageKey *message, const MrgPersonKey *shared,
                          gsize n_shared, MrgState *state, const MrgMemory *memory,
                          gint64 deadline_us G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
    MrgMemoryStore *self = store;
    pthread_mutex_lock(&self->lock);
    MrgFetch found = fetch(self, person, names, n_names, fields, memory);
    load(self, person, message, shared, n_shared, state, memory);
    pthread_mutex_unlock(&self->lock);
    return found;
}
