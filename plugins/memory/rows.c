/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "plugins/memory/memory.h"

#define COLUMNS_MAX 12

typedef struct Rows {
    const char *text; /* wanted in a column; NULL: every row */
    MrgRowVisit visit;
    gpointer context;
    gboolean is_over;
} Rows;

/* A row under way: columns in their order. */
typedef struct Row {
    const char *table;
    const char *names[COLUMNS_MAX];
    char *values[COLUMNS_MAX];
    gsize n;
} Row;

static void
add_text(Row *row, const char *name, const char *value)
{
    row->names[row->n] = name;
    row->values[row->n++] = g_strdup(value);
}

static void
add_number(Row *row, const char *name, gint64 value)
{
    row->names[row->n] = name;
    row->values[row->n++] = g_strdup_printf("%" G_GINT64_FORMAT, value);
}

static void
add_key(Row *row, const char *name, const guint8 *bytes)
{
    char hex[2 * MRG_KEY_BYTES + 1];
    for (gsize i = 0; i < MRG_KEY_BYTES; i++)
        g_snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    add_text(row, name, hex);
}

static Row
row_of(const char *table, const MrgPersonKey *person)
{
    Row row = {.table = table};
    add_key(&row, "key", person->bytes);
    return row;
}

static gboolean
has_text(const Row *row, const char *text)
{
    for (gsize i = 0; i < row->n; i++)
        if (row->values[i] && strstr(row->values[i], text))
            return TRUE;
    return FALSE;
}

/* Ends the row. */
static void
emit(Rows *rows, Row *row)
{
    if (!rows->is_over && (!rows->text || has_text(row, rows->text)))
        rows->is_over =
            !rows->visit(row->table, row->names, (const char *const *) row->values, row->n,
                         rows->context);
    for (gsize i = 0; i < row->n; i++)
        g_free(row->values[i]);
}

/* ---- tables ------------------------------------------------------------ */

static void
emit_profile(Rows *rows, const MrgPersonKey *key, const MrgMemoryPerson *person)
{
    if (!person->address)
        return;
    Row profile = row_of("profile", key);
    add_text(&profile, "address", person->address);
    emit(rows, &profile);
    GHashTableIter each;
    gpointer name, data;
    g_hash_table_iter_init(&each, person->fields);
    while (g_hash_table_iter_next(&each, &name, &data)) {
        const MrgMemoryValue *value = data;
        Row row = row_of("field", key);
        add_text(&row, "name", name);
        add_number(&row, "type", value->type);
        add_text(&row, "value", value->text);
        emit(rows, &row);
    }
}

static void
emit_account(Rows *rows, const MrgPersonKey *key, const MrgMemoryPerson *person)
{
    Row row = row_of("person", key);
    add_number(&row, "version", (gint64) person->version);
    add_text(&row, "history", person->history->str);
    emit(rows, &row);
}

static void
emit_consents(Rows *rows, const MrgPersonKey *key, const MrgMemoryPerson *person)
{
    for (guint i = 0; i < person->consents->len; i++) {
        const MrgConsent *consent = g_ptr_array_index(person->consents, i);
        Row row = row_of("consent_log", key);
        add_text(&row, "purpose", consent->purpose);
        add_number(&row, "state", consent->state);
        add_number(&row, "at", consent->at_us);
        add_text(&row, "source", consent->source);
        emit(rows, &row);
    }
}

static void
emit_suppressions(Rows *rows, const MrgPersonKey *key, const MrgMemoryPerson *person)
{
    for (guint i = 0; i < person->suppressions->len; i++) {
        const MrgSuppression *suppression = g_ptr_array_index(person->suppressions, i);
        Row row = row_of("suppression", key);
        add_text(&row, "scope", suppression->scope);
        add_text(&row, "reason", suppression->reason);
        add_number(&row, "at", suppression->at_us);
        add_number(&row, "until", suppression->until_us);
        emit(rows, &row);
    }
}

static void
emit_engagements(Rows *rows, const MrgPersonKey *key, const MrgMemoryPerson *person)
{
    for (guint i = 0; i < person->engagements->len; i++) {
        const MrgEngagement *engagement = g_ptr_array_index(person->engagements, i);
        Row row = row_of("engagement", key);
        add_number(&row, "at", engagement->at_us);
        add_text(&row, "kind", engagement->kind);
        emit(rows, &row);
    }
}

static void
emit_events(Rows *rows, const MrgPersonKey *key, const MrgMemoryPerson *person)
{
    for (guint i = 0; i < person->events->len; i++) {
        const MrgMemoryEvent *event = g_ptr_array_index(person->events, i);
        Row row = row_of("event", key);
        add_key(&row, "message", event->event.message.bytes);
        add_number(&row, "at", event->event.at_us);
        add_text(&row, "campaign", event->event.campaign);
        add_text(&row, "class", event->event.class_name);
        add_text(&row, "sender", event->event.sender);
        add_text(&row, "tags", event->event.tags);
        add_number(&row, "verdict", event->event.verdict);
        add_text(&row, "reason", event->event.reason);
        add_number(&row, "until", event->until_us);
        add_number(&row, "tracked", event->event.tracked);
        emit(rows, &row);
    }
}

static void
emit_person(Rows *rows, const MrgPersonKey *key, const MrgMemoryPerson *person)
{
    emit_profile(rows, key, person);
    emit_account(rows, key, person);
    emit_consents(rows, key, person);
    emit_suppressions(rows, key, person);
    emit_engagements(rows, key, person);
    emit_events(rows, key, person);
}

/* person NULL: of all. */
static void
emit_holds(Rows *rows, const MrgMemoryStore *self, const MrgPersonKey *person)
{
    GHashTableIter each;
    gpointer data;
    g_hash_table_iter_init(&each, self->holds);
    while (g_hash_table_iter_next(&each, NULL, &data)) {
        const MrgHold *hold = &((const MrgMemoryHold *) data)->hold;
        if (person && memcmp(person, &hold->person, sizeof *person) != 0)
            continue;
        Row row = row_of("hold", &hold->person);
        add_key(&row, "message", hold->message.bytes);
        add_text(&row, "host", hold->host);
        add_text(&row, "queue_id", hold->queue_id);
        add_text(&row, "campaign", hold->campaign);
        add_text(&row, "class", hold->class_name);
        add_text(&row, "list", hold->list);
        add_number(&row, "at", hold->at_us);
        add_number(&row, "until", hold->until_us);
        add_number(&row, "settled", hold->is_settled);
        add_number(&row, "settlement", hold->settlement);
        emit(rows, &row);
    }
}

static void
add_person(Row *row, const MrgPersonKey *person, gboolean has_person)
{
    if (has_person)
        add_key(row, "key", person->bytes);
    else
        add_text(row, "key", NULL);
}

static gboolean
is_of(const MrgPersonKey *asked, const MrgPersonKey *person, gboolean has_person)
{
    return !asked || (has_person && memcmp(asked, person, sizeof *person) == 0);
}

static void
emit_hits(Rows *rows, const MrgMemoryStore *self, const MrgPersonKey *person)
{
    for (guint i = 0; i < self->hits->len; i++) {
        const MrgHitRow *hit = g_ptr_array_index(self->hits, i);
        if (!is_of(person, &hit->person, hit->has_person))
            continue;
        Row row = {.table = "hit"};
        add_person(&row, &hit->person, hit->has_person);
        add_number(&row, "id", (gint64) hit->id);
        add_number(&row, "at", hit->at_us);
        add_number(&row, "campaign", hit->campaign);
        add_number(&row, "link", hit->link);
        add_number(&row, "message", (gint64) hit->message);
        add_number(&row, "kind", hit->kind);
        add_number(&row, "flags", hit->flags);
        add_number(&row, "since", hit->since_s);
        add_text(&row, "agent", hit->agent);
        add_number(&row, "class", hit->hit_class);
        add_text(&row, "reason", hit->reason);
        emit(rows, &row);
    }
}

static void
emit_web_events(Rows *rows, const MrgMemoryStore *self, const MrgPersonKey *person)
{
    for (guint i = 0; i < self->web_events->len; i++) {
        const MrgWebEvent *event = g_ptr_array_index(self->web_events, i);
        if (!is_of(person, &event->person, event->has_person))
            continue;
        Row row = {.table = "web_event"};
        add_person(&row, &event->person, event->has_person);
        add_number(&row, "at", event->at_us);
        add_text(&row, "site", event->site);
        add_text(&row, "anonymous", event->anonymous_id);
        add_number(&row, "kind", event->kind);
        add_text(&row, "name", event->name);
        add_text(&row, "data", event->data);
        emit(rows, &row);
    }
}

static void
emit_identities(Rows *rows, const MrgMemoryStore *self, const MrgPersonKey *person)
{
    GHashTableIter each;
    gpointer name, key;
    g_hash_table_iter_init(&each, self->identities);
    while (g_hash_table_iter_next(&each, &name, &key)) {
        const char *anonymous_id = strchr(name, '\n') + 1;
        if (!is_of(person, key, TRUE))
            continue;
        Row row = row_of("web_identity", key);
        add_text(&row, "anonymous", anonymous_id);
        emit(rows, &row);
    }
}

static void
emit_deliveries(Rows *rows, const MrgMemoryStore *self, const MrgPersonKey *person)
{
    for (guint i = 0; i < self->deliveries->len; i++) {
        const MrgDelivery *delivery = g_ptr_array_index(self->deliveries, i);
        if (!is_of(person, &delivery->person, delivery->has_person))
            continue;
        Row row = {.table = "delivery"};
        add_person(&row, &delivery->person, delivery->has_person);
        add_number(&row, "message", (gint64) delivery->message);
        add_number(&row, "state", delivery->state);
        add_number(&row, "at", delivery->at_us);
        add_number(&row, "campaign", delivery->campaign);
        add_text(&row, "code", delivery->code);
        emit(rows, &row);
    }
}

/* person NULL: of all. */
static void
emit_answers(Rows *rows, const MrgMemoryStore *self, const MrgPersonKey *person)
{
    emit_hits(rows, self, person);
    emit_web_events(rows, self, person);
    emit_identities(rows, self, person);
    emit_deliveries(rows, self, person);
}

/* campaign 0: the names are campaigns. */
static void
emit_numbers(Rows *rows, GHashTable *numbers, guint campaign)
{
    GHashTableIter each;
    gpointer name, number;
    g_hash_table_iter_init(&each, numbers);
    while (g_hash_table_iter_next(&each, &name, &number)) {
        Row row = {.table = campaign ? "link" : "campaign"};
        if (campaign)
            add_number(&row, "campaign", campaign);
        add_number(&row, "number", GPOINTER_TO_UINT(number));
        add_text(&row, campaign ? "target" : "name", name);
        emit(rows, &row);
    }
}

/* ---- calls ------------------------------------------------------------- */

gboolean
mrg_memory_rows_of(gpointer store, const MrgPersonKey *key, MrgRowVisit visit,
                   gpointer context, GError **error G_GNUC_UNUSED)
{
    MrgMemoryStore *self = store;
    Rows rows = {.visit = visit, .context = context};
    pthread_mutex_lock(&self->lock);
    const MrgMemoryPerson *person = mrg_memory_find(self, key);
    if (person)
        emit_person(&rows, key, person);
    emit_holds(&rows, self, key);
    emit_answers(&rows, self, key);
    pthread_mutex_unlock(&self->lock);
    return TRUE;
}

gboolean
mrg_memory_search(gpointer store, const char *text, MrgRowVisit visit, gpointer context,
                  GError **error G_GNUC_UNUSED)
{
    MrgMemoryStore *self = store;
    Rows rows = {.text = text, .visit = visit, .context = context};
    GHashTableIter each;
    gpointer key, value;
    pthread_mutex_lock(&self->lock);
    g_hash_table_iter_init(&each, self->people);
    while (g_hash_table_iter_next(&each, &key, &value))
        emit_person(&rows, key, value);
    emit_holds(&rows, self, NULL);
    emit_answers(&rows, self, NULL);
    emit_numbers(&rows, self->campaigns, 0);
    g_hash_table_iter_init(&each, self->links);
    while (g_hash_table_iter_next(&each, &key, &value))
        emit_numbers(&rows, value, GPOINTER_TO_UINT(key));
    pthread_mutex_unlock(&self->lock);
    return TRUE;
}
