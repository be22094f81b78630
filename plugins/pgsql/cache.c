/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <pthread.h>
#include <string.h>

#include "plugins/pgsql/cache.h"

#define OVERHEAD_BYTES 96 /* of malloc and of the table, for each entry */

/* Names, then values, stand behind the fields in the same piece of memory. */
typedef struct Entry {
    MrgPersonKey person;
    struct Entry *sibling; /* the same person, other names */
    GList link;            /* in order of use */
    gsize bytes, n_names, names_bytes;
    const char *names; /* each with its NUL */
    MrgField fields[];
} Entry;

struct MrgPgsqlCache {
    pthread_mutex_t lock;
    GHashTable *people; /* MrgPersonKey in the entry to its first Entry */
    GQueue used;        /* the latest first */
    gsize bytes, max_bytes;
    guint64 ticket;
    gboolean is_open;
};

/* Keys are hashes already. */
static guint
hash_key(gconstpointer key)
{
    guint hash;
    memcpy(&hash, key, sizeof hash);
    return hash;
}

static gboolean
is_same_key(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, sizeof(MrgPersonKey)) == 0;
}

MrgPgsqlCache *
mrg_pgsql_cache_new(gsize max_bytes)
{
    MrgPgsqlCache *self = g_new0(MrgPgsqlCache, 1);
    pthread_mutex_init(&self->lock, NULL);
    self->people = g_hash_table_new(hash_key, is_same_key);
    g_queue_init(&self->used);
    self->max_bytes = max_bytes;
    return self;
}

/* ---- entries, under the lock -------------------------------------------- */

static void
free_entry(MrgPgsqlCache *self, Entry *entry)
{
    g_queue_unlink(&self->used, &entry->link);
    self->bytes -= entry->bytes;
    g_free(entry);
}

static void
drop_person(MrgPgsqlCache *self, const MrgPersonKey *person)
{
    Entry *entry = g_hash_table_lookup(self->people, person);
    if (entry)
        g_hash_table_remove(self->people, person);
    while (entry) {
        Entry *next = entry->sibling;
        free_entry(self, entry);
        entry = next;
    }
}

static void
drop_all(MrgPgsqlCache *self)
{
    g_hash_table_remove_all(self->people);
    while (self->used.head)
        free_entry(self, self->used.head->data);
}

static gboolean
has_names(const Entry *entry, const char *const *names, gsize n_names)
{
    const char *at = entry->names;
    if (entry->n_names != n_names)
        return FALSE;
    for (gsize i = 0; i < n_names; i++, at += strlen(at) + 1)
        if (strcmp(at, names[i]) != 0)
            return FALSE;
    return TRUE;
}

static Entry *
find(MrgPgsqlCache *self, const MrgPersonKey *person, const char *const *names,
     gsize n_names)
{
    Entry *entry = g_hash_table_lookup(self->people, person);
    while (entry && !has_names(entry, names, n_names))
        entry = entry->sibling;
    return entry;
}

/* ---- copies -------------------------------------------------------------- */

static void
add_bytes(char **at, const char *bytes, gsize length)
{
    if (length)
        memcpy(*at, bytes, length);
    *at += length;
    *(*at)++ = '\0';
}

static Entry *
new_entry(const MrgPersonKey *person, const char *const *names, gsize n_names,
          const MrgField *fields)
{
    gsize names_bytes = 0, values_bytes = 0,
          head = sizeof(Entry) + n_names * sizeof *fields;
    for (gsize i = 0; i < n_names; i++) {
        names_bytes += strlen(names[i]) + 1;
        values_bytes += fields[i].length + 1;
    }
    Entry *entry = g_malloc0(head + names_bytes + values_bytes);
    char *at = (char *) entry + head;
    *entry = (Entry){.person = *person,
                     .link.data = entry,
                     .bytes = head + names_bytes + values_bytes + OVERHEAD_BYTES,
                     .n_names = n_names,
                     .names_bytes = names_bytes,
                     .names = at};
    for (gsize i = 0; i < n_names; i++)
        add_bytes(&at, names[i], strlen(names[i]));
    for (gsize i = 0; i < n_names; i++) {
        entry->fields[i] = fields[i];
        entry->fields[i].text = fields[i].text ? at : NULL;
        add_bytes(&at, fields[i].text, fields[i].length);
    }
    return entry;
}

static void
copy_fields(const Entry *entry, MrgField *fields, const MrgMemory *memory)
{
    for (gsize i = 0; i < entry->n_names; i++) {
        fields[i] = entry->fields[i];
        if (!fields[i].text)
            continue;
        char *copy = memory->alloc(memory->context, fields[i].length + 1);
        memcpy(copy, fields[i].text, fields[i].length + 1);
        fields[i].text = copy;
    }
}

/* ---- the cache ----------------------------------------------------------- */

static void
start_anew(MrgPgsqlCache *self, gboolean is_open)
{
    pthread_mutex_lock(&self->lock);
    drop_all(self);
    self->is_open = is_open;
    self->ticket++;
    pthread_mutex_unlock(&self->lock);
}

void
mrg_pgsql_cache_free(MrgPgsqlCache *self)
{
    if (!self)
        return;
    start_anew(self, FALSE);
    g_hash_table_unref(self->people);
    pthread_mutex_destroy(&self->lock);
    g_free(self);
}

void
mrg_pgsql_cache_open(MrgPgsqlCache *self)
{
    start_anew(self, TRUE);
}

void
mrg_pgsql_cache_close(MrgPgsqlCache *self)
{
    start_anew(self, FALSE);
}

void
mrg_pgsql_cache_forget(MrgPgsqlCache *self, const MrgPersonKey *person)
{
    pthread_mutex_lock(&self->lock);
    if (person)
        drop_person(self, person);
    else
        drop_all(self);
    self->ticket++;
    pthread_mutex_unlock(&self->lock);
}

guint64
mrg_pgsql_cache_ticket(MrgPgsqlCache *self)
{
    pthread_mutex_lock(&self->lock);
    guint64 ticket = self->ticket;
    pthread_mutex_unlock(&self->lock);
    return ticket;
}

gboolean
mrg_pgsql_cache_get(MrgPgsqlCache *self, const MrgPersonKey *person,
                    const char *const *names, gsize n_names, MrgField *fields,
                    const MrgMemory *memory)
{
    pthread_mutex_lock(&self->lock);
    Entry *entry = find(self, person, names, n_names);
    if (entry) {
        copy_fields(entry, fields, memory);
        g_queue_unlink(&self->used, &entry->link);
        g_queue_push_head_link(&self->used, &entry->link);
    }
    pthread_mutex_unlock(&self->lock);
    return entry != NULL;
}

static void
add_entry(MrgPgsqlCache *self, Entry *entry)
{
    Entry *first = g_hash_table_lookup(self->people, &entry->person);
    entry->sibling = first ? first->sibling : NULL;
    if (first)
        first->sibling = entry;
    else
        g_hash_table_insert(self->people, &entry->person, entry);
    g_queue_push_head_link(&self->used, &entry->link);
    self->bytes += entry->bytes;
    /* The others of a person whose turn it is go along. */
    while (self->bytes > self->max_bytes)
        drop_person(self, &((Entry *) self->used.tail->data)->person);
}

void
mrg_pgsql_cache_put(MrgPgsqlCache *self, guint64 ticket, const MrgPersonKey *person,
                    const char *const *names, gsize n_names, const MrgField *fields)
{
    Entry *entry = new_entry(person, names, n_names, fields);
    pthread_mutex_lock(&self->lock);
    gboolean is_wanted =
        self->is_open && self->ticket == ticket && !find(self, person, names, n_names);
    if (is_wanted)
        add_entry(self, entry);
    pthread_mutex_unlock(&self->lock);
    if (!is_wanted)
        g_free(entry);
}
