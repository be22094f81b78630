/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store-memory: people in hash tables, for tests, previews and dry runs.
 *
 * Nothing is kept when the store is closed; deadlines are always met, for nothing waits.
 *
 * THREADS    one lock around everything.
 */
#include "config.h"

#include <pthread.h>
#include <string.h>

#include "plugins/merganser-plugin.h"

typedef struct Person {
    guint64 version;
    gboolean has_profile;
    char *address;           /* NULL: no profile */
    GBytes *history;         /* NULL: none */
    GHashTable *fields;      /* name -> Value */
    GPtrArray *consents;     /* of Consent, one of each purpose */
    GPtrArray *suppressions; /* of Suppression */
    GPtrArray *events;       /* of Event, oldest first */
} Person;

typedef struct Value {
    MrgFieldType type;
    GBytes *text;
} Value;

typedef struct Event {
    gint64 at_us;
    MrgVerdict verdict;
    char *campaign, *class_name, *reason;
} Event;

typedef struct Memory {
    pthread_mutex_t lock;
    GHashTable *people;    /* MrgPersonKey -> Person */
    GHashTable *messages;  /* MrgMessageKey -> Event, borrowed from its person */
    GHashTable *campaigns; /* name -> number */
} Memory;

G_STATIC_ASSERT(sizeof(MrgPersonKey) == sizeof(MrgMessageKey));

/* ---- tables ------------------------------------------------------------ */

/* Both kinds of key are hashes already. */
static guint
key_hash(gconstpointer key)
{
    guint hash;
    memcpy(&hash, key, sizeof hash);
    return hash;
}

static gboolean
key_equal(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, MRG_KEY_BYTES) == 0;
}

static void
value_free(gpointer data)
{
    Value *value = data;
    g_bytes_unref(value->text);
    g_free(value);
}

static void
consent_free(gpointer data)
{
    MrgConsent *consent = data;
    g_free((gpointer) consent->purpose);
    g_free((gpointer) consent->source);
    g_free(consent);
}

static void
suppression_free(gpointer data)
{
    MrgSuppression *suppression = data;
    g_free((gpointer) suppression->scope);
    g_free((gpointer) suppression->reason);
    g_free(suppression);
}

static void
event_free(gpointer data)
{
    Event *event = data;
    g_free(event->campaign);
    g_free(event->class_name);
    g_free(event->reason);
    g_free(event);
}

static void
person_free(gpointer data)
{
    Person *person = data;
    g_clear_pointer(&person->history, g_bytes_unref);
    g_free(person->address);
    g_hash_table_unref(person->fields);
    g_ptr_array_unref(person->consents);
    g_ptr_array_unref(person->suppressions);
    g_ptr_array_unref(person->events);
    g_free(person);
}

static Person *
person_new(void)
{
    Person *person = g_new0(Person, 1);
    person->fields = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, value_free);
    person->consents = g_ptr_array_new_with_free_func(consent_free);
    person->suppressions = g_ptr_array_new_with_free_func(suppression_free);
    person->events = g_ptr_array_new_with_free_func(event_free);
    return person;
}

static Person *
person_ensure(GHashTable *people, const MrgPersonKey *key)
{
    Person *person = g_hash_table_lookup(people, key);
    if (!person) {
        person = person_new();
        g_hash_table_insert(people, g_memdup2(key, sizeof *key), person);
    }
    return person;
}

/* ---- results ----------------------------------------------------------- */

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

static void
copy_field(const Person *person, const char *name, MrgField *field, const MrgMemory *memory)
{
    const Value *value = g_hash_table_lookup(person->fields, name);
    *field = (MrgField){.type = MRG_FIELD_MISSING};
    if (!value)
        return;
    gsize length;
    const char *text = g_bytes_get_data(value->text, &length);
    *field = (MrgField){value->type, copy_text(memory, text, length), length};
}

static MrgFetch
memory_fetch(gpointer store, const MrgPersonKey *key, const char *const *names,
             gsize n_names, MrgField *fields, const MrgMemory *memory,
             gint64 deadline_us G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
    Memory *self = store;
    pthread_mutex_lock(&self->lock);
    const Person *person = g_hash_table_lookup(self->people, key);
    gboolean is_hit = person && person->has_profile;
    for (gsize i = 0; is_hit && i < n_names; i++)
        copy_field(person, names[i], &fields[i], memory);
    pthread_mutex_unlock(&self->lock);
    return is_hit ? MRG_FETCH_HIT : MRG_FETCH_MISS;
}

static void
copy_consents(const Person *person, MrgState *state, const MrgMemory *memory)
{
    gsize n = person->consents->len;
    MrgConsent *consents = memory->alloc(memory->context, n * sizeof *consents);
    for (gsize i = 0; i < n; i++) {
        consents[i] = *(const MrgConsent *) g_ptr_array_index(person->consents, i);
        consents[i].purpose = copy_string(memory, consents[i].purpose);
        consents[i].source = copy_string(memory, consents[i].source);
    }
    state->consents = consents;
    state->n_consents = n;
}

static void
copy_suppressions(const Person *person, MrgState *state, const MrgMemory *memory)
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
copy_person(const Person *person, MrgState *state, const MrgMemory *memory)
{
    gsize length = 0;
    const char *history = person->history ? g_bytes_get_data(person->history, &length) : "";
    state->own.version = person->version;
    state->own.history = copy_text(memory, history, length);
    state->own.history_length = length;
    copy_consents(person, state, memory);
    copy_suppressions(person, state, memory);
}

static gboolean
memory_load(gpointer store, const MrgPersonKey *key, const MrgMessageKey *message,
            const MrgPersonKey *shared G_GNUC_UNUSED, gsize n_shared G_GNUC_UNUSED,
            MrgState *state, const MrgMemory *memory, gint64 deadline_us G_GNUC_UNUSED,
            GError **error G_GNUC_UNUSED)
{
    Memory *self = store;
    *state = (MrgState){.own.history = ""};
    pthread_mutex_lock(&self->lock);
    const Person *person = g_hash_table_lookup(self->people, key);
    const Event *recorded = message ? g_hash_table_lookup(self->messages, message) : NULL;
    if (person)
        copy_person(person, state, memory);
    if (recorded) {
        state->is_repeat = TRUE;
        state->repeat_verdict = recorded->verdict;
        state->repeat_reason = copy_string(memory, recorded->reason);
    }
    pthread_mutex_unlock(&self->lock);
    return TRUE;
}

/* ---- commit ------------------------------------------------------------ */

static void
record(Memory *self, Person *person, const MrgOutcome *outcome)
{
    Event *event = g_new(Event, 1);
    *event = (Event){outcome->event.at_us, outcome->event.verdict,
                     g_strdup(outcome->event.campaign), g_strdup(outcome->event.class_name),
                     g_strdup(outcome->event.reason)};
    g_ptr_array_add(person->events, event);
    if (outcome->is_final)
        g_hash_table_insert(self->messages,
                            g_memdup2(&outcome->message, sizeof outcome->message), event);
    if (outcome->history) {
        g_clear_pointer(&person->history, g_bytes_unref);
        person->history = g_bytes_new(outcome->history, outcome->history_length);
    }
    person->version++;
}

static MrgCommit
memory_commit(gpointer store, const MrgOutcome *outcome, gint64 deadline_us G_GNUC_UNUSED,
              GError **error G_GNUC_UNUSED)
{
    Memory *self = store;
    pthread_mutex_lock(&self->lock);
    const Person *known = g_hash_table_lookup(self->people, &outcome->person);
    gboolean is_current = (known ? known->version : 0) == outcome->version &&
                          !g_hash_table_contains(self->messages, &outcome->message);
    if (is_current)
        record(self, person_ensure(self->people, &outcome->person), outcome);
    pthread_mutex_unlock(&self->lock);
    return is_current ? MRG_COMMIT_DONE : MRG_COMMIT_CONFLICT;
}

static gboolean
memory_campaign_number(gpointer store, const char *campaign, guint32 *number,
                       gint64 deadline_us G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
    Memory *self = store;
    pthread_mutex_lock(&self->lock);
    guint found = GPOINTER_TO_UINT(g_hash_table_lookup(self->campaigns, campaign));
    if (!found) {
        found = g_hash_table_size(self->campaigns) + 1;
        g_hash_table_insert(self->campaigns, g_strdup(campaign), GUINT_TO_POINTER(found));
    }
    pthread_mutex_unlock(&self->lock);
    *number = found;
    return TRUE;
}

/* ---- administration ---------------------------------------------------- */

static gboolean
memory_create(gpointer store G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
    return TRUE;
}

static void
put_field(Person *person, const MrgProfileField *field)
{
    if (field->value.type == MRG_FIELD_MISSING || field->value.type == MRG_FIELD_NULL) {
        g_hash_table_remove(person->fields, field->name);
        return;
    }
    Value *value = g_new(Value, 1);
    *value =
        (Value){field->value.type, g_bytes_new(field->value.text, field->value.length)};
    g_hash_table_replace(person->fields, g_strdup(field->name), value);
}

static void
put_consent(Person *person, const MrgConsent *consent)
{
    for (guint i = 0; i < person->consents->len; i++) {
        MrgConsent *current = g_ptr_array_index(person->consents, i);
        if (strcmp(current->purpose, consent->purpose) != 0)
            continue;
        if (current->state == consent->state || consent->at_us < current->at_us)
            return;
        g_ptr_array_remove_index(person->consents, i);
        break;
    }
    MrgConsent *copy = g_new(MrgConsent, 1);
    *copy = *consent;
    copy->purpose = g_strdup(consent->purpose);
    copy->source = g_strdup(consent->source ? consent->source : "");
    g_ptr_array_add(person->consents, copy);
    person->version++;
}

/* 0 is for good, later than any time. */
static gint64
later(gint64 a_us, gint64 b_us)
{
    return a_us && b_us ? MAX(a_us, b_us) : 0;
}

static void
put_suppression(Person *person, const MrgSuppression *suppression)
{
    for (guint i = 0; i < person->suppressions->len; i++) {
        MrgSuppression *current = g_ptr_array_index(person->suppressions, i);
        if (strcmp(current->scope, suppression->scope) != 0 ||
            strcmp(current->reason, suppression->reason) != 0)
            continue;
        gint64 until_us = later(current->until_us, suppression->until_us);
        person->version += until_us != current->until_us;
        current->until_us = until_us;
        return;
    }
    MrgSuppression *copy = g_new(MrgSuppression, 1);
    *copy = *suppression;
    copy->scope = g_strdup(suppression->scope);
    copy->reason = g_strdup(suppression->reason);
    g_ptr_array_add(person->suppressions, copy);
    person->version++;
}

static void
put_profile(Memory *self, const MrgProfile *profile)
{
    Person *person = person_ensure(self->people, &profile->person);
    person->has_profile = TRUE;
    g_free(person->address);
    person->address = g_strdup(profile->address);
    for (gsize i = 0; i < profile->n_fields; i++)
        put_field(person, &profile->fields[i]);
    for (gsize i = 0; i < profile->n_consents; i++)
        put_consent(person, &profile->consents[i]);
    for (gsize i = 0; i < profile->n_suppressions; i++)
        put_suppression(person, &profile->suppressions[i]);
}

static void
profile_free(gpointer data)
{
    MrgProfile *profile = data;
    for (gsize i = 0; i < profile->n_fields; i++) {
        g_free((gpointer) profile->fields[i].name);
        g_free((gpointer) profile->fields[i].value.text);
    }
    for (gsize i = 0; i < profile->n_consents; i++) {
        g_free((gpointer) profile->consents[i].purpose);
        g_free((gpointer) profile->consents[i].source);
    }
    for (gsize i = 0; i < profile->n_suppressions; i++) {
        g_free((gpointer) profile->suppressions[i].scope);
        g_free((gpointer) profile->suppressions[i].reason);
    }
    g_free((gpointer) profile->address);
    g_free((gpointer) profile->fields);
    g_free((gpointer) profile->consents);
    g_free((gpointer) profile->suppressions);
    g_free(profile);
}

static MrgProfile *
profile_copy(const MrgProfile *from)
{
    MrgProfile *copy = g_memdup2(from, sizeof *from);
    MrgProfileField *fields = g_memdup2(from->fields, from->n_fields * sizeof *fields);
    for (gsize i = 0; i < from->n_fields; i++) {
        fields[i].name = g_strdup(fields[i].name);
        fields[i].value.text = g_memdup2(fields[i].value.text, fields[i].value.length);
    }
    MrgConsent *consents = g_memdup2(from->consents, from->n_consents * sizeof *consents);
    for (gsize i = 0; i < from->n_consents; i++) {
        consents[i].purpose = g_strdup(consents[i].purpose);
        consents[i].source = g_strdup(consents[i].source);
    }
    MrgSuppression *suppressions =
        g_memdup2(from->suppressions, from->n_suppressions * sizeof *suppressions);
    for (gsize i = 0; i < from->n_suppressions; i++) {
        suppressions[i].scope = g_strdup(suppressions[i].scope);
        suppressions[i].reason = g_strdup(suppressions[i].reason);
    }
    copy->address = g_strdup(from->address);
    copy->fields = fields;
    copy->consents = consents;
    copy->suppressions = suppressions;
    return copy;
}

/* All are read before the first is put, and so nothing has to be rolled back. */
static gboolean
memory_import(gpointer store, MrgProfileNext next, gpointer context, guint64 *n_imported,
              GError **error)
{
    Memory *self = store;
    g_autoptr(GPtrArray) profiles = g_ptr_array_new_with_free_func(profile_free);
    g_autoptr(GError) problem = NULL;
    const MrgProfile *profile;
    while ((profile = next(context, &problem)))
        g_ptr_array_add(profiles, profile_copy(profile));
    if (problem) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    pthread_mutex_lock(&self->lock);
    for (guint i = 0; i < profiles->len; i++)
        put_profile(self, g_ptr_array_index(profiles, i));
    pthread_mutex_unlock(&self->lock);
    *n_imported = profiles->len;
    return TRUE;
}

static gboolean
memory_events(gpointer store, const MrgPersonKey *key, gsize limit, MrgEventVisit visit,
              gpointer context, GError **error G_GNUC_UNUSED)
{
    Memory *self = store;
    pthread_mutex_lock(&self->lock);
    const Person *person = g_hash_table_lookup(self->people, key);
    gboolean is_wanted = TRUE;
    for (guint i = person ? person->events->len : 0; i > 0 && limit > 0 && is_wanted;
         limit--) {
        const Event *event = g_ptr_array_index(person->events, --i);
        MrgEvent view = {.at_us = event->at_us,
                         .campaign = event->campaign,
                         .class_name = event->class_name,
                         .sender = "",
                         .tags = "",
                         .verdict = event->verdict,
                         .reason = event->reason};
        is_wanted = visit(key, &view, context);
    }
    pthread_mutex_unlock(&self->lock);
    return TRUE;
}

static gint
compare_keys(gconstpointer a, gconstpointer b)
{
    return memcmp(*(const MrgPersonKey *const *) a, *(const MrgPersonKey *const *) b,
                  MRG_KEY_BYTES);
}

static gboolean
memory_list(gpointer store, gsize limit, MrgPersonVisit visit, gpointer context,
            GError **error G_GNUC_UNUSED)
{
    Memory *self = store;
    guint n;
    pthread_mutex_lock(&self->lock);
    g_autofree gpointer *keys = g_hash_table_get_keys_as_array(self->people, &n);
    if (n)
        qsort(keys, n, sizeof *keys, compare_keys);
    for (guint i = 0; i < n && limit > 0; i++) {
        const Person *person = g_hash_table_lookup(self->people, keys[i]);
        if (!person->has_profile)
            continue;
        limit--;
        if (!visit(person->address, context))
            break;
    }
    pthread_mutex_unlock(&self->lock);
    return TRUE;
}

/* ---- plugin ------------------------------------------------------------ */

static gpointer
memory_open(const MrgSetting *settings G_GNUC_UNUSED, gsize n G_GNUC_UNUSED,
            GError **error G_GNUC_UNUSED)
{
    Memory *self = g_new0(Memory, 1);
    pthread_mutex_init(&self->lock, NULL);
    self->people = g_hash_table_new_full(key_hash, key_equal, g_free, person_free);
    self->messages = g_hash_table_new_full(key_hash, key_equal, g_free, NULL);
    self->campaigns = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return self;
}

static void
memory_close(gpointer store)
{
    Memory *self = store;
    g_hash_table_unref(self->messages);
    g_hash_table_unref(self->people);
    g_hash_table_unref(self->campaigns);
    pthread_mutex_destroy(&self->lock);
    g_free(self);
}

static const MrgSettingInfo settings_known[] = {{NULL, NULL, NULL}};

static const MrgStoreApi api = {
    .size = sizeof(MrgStoreApi),
    .fetch = memory_fetch,
    .load = memory_load,
    .commit = memory_commit,
    .campaign_number = memory_campaign_number,
    .create = memory_create,
    .import = memory_import,
    .events = memory_events,
    .list = memory_list,
};

static const MrgPlugin plugin = {
    .size = sizeof(MrgPlugin),
    .major = MRG_ABI_MAJOR,
    .minor = MRG_ABI_MINOR,
    .name = "store-memory",
    .settings = settings_known,
    .open = memory_open,
    .close = memory_close,
    .store = &api,
};

const MrgPlugin *
mrg_plugin_entry(const MrgHost *host)
{
    return host->major == MRG_ABI_MAJOR ? &plugin : NULL;
}
