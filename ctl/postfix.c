/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "ctl/postfix.h"

/* name, type, private, unprivileged, chroot, wakeup, process limit, command */
#define COLUMNS 8

/* ---- words ---- */

/* The end of the word at text: white space or one of also, outside of braces. */
static const char *
word_end(const char *text, const char *also)
{
    guint depth = 0;
    for (; *text; text++) {
        if (*text == '{')
            depth++;
        else if (*text == '}' && depth)
            depth--;
        else if (!depth && (g_ascii_isspace(*text) || strchr(also, *text)))
            break;
    }
    return text;
}

static GPtrArray *
split(const char *text, const char *also)
{
    GPtrArray *words = g_ptr_array_new_with_free_func(g_free);
    for (;;) {
        while (g_ascii_isspace(*text) || (*text && strchr(also, *text)))
            text++;
        if (!*text)
            return words;
        const char *end = word_end(text, also);
        g_ptr_array_add(words, g_strndup(text, (gsize) (end - text)));
        text = end;
    }
}

GStrv
mrg_postfix_list(const char *text)
{
    GPtrArray *words = split(text ? text : "", ",");
    g_ptr_array_add(words, NULL);
    return (GStrv) g_ptr_array_free(words, FALSE);
}

gboolean
mrg_postfix_is_closed(const char *text)
{
    int depth = 0;
    for (; *text && depth >= 0; text++)
        depth += (*text == '{') - (*text == '}');
    return depth == 0;
}

/* ---- services ---- */

static char *
without_braces(const char *word)
{
    gsize length = strlen(word);
    gboolean has_braces = length >= 2 && word[0] == '{' && word[length - 1] == '}';
    char *inner = has_braces ? g_strndup(word + 1, length - 2) : g_strdup(word);
    return g_strstrip(inner);
}

/* "NAME = VALUE" in two; FALSE where there is no name. */
static gboolean
split_pair(const char *text, char **name, char **value)
{
    const char *equals = strchr(text, '=');
    if (!equals)
        return FALSE;
    *name = g_strstrip(g_strndup(text, (gsize) (equals - text)));
    *value = g_strstrip(g_strdup(equals + 1));
    if (**name)
        return TRUE;
    g_clear_pointer(name, g_free);
    g_clear_pointer(value, g_free);
    return FALSE;
}

static GHashTable *
new_table(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

static void
take_option(GHashTable *options, const char *word)
{
    g_autofree char *text = without_braces(word);
    char *name, *value;
    if (split_pair(text, &name, &value))
        g_hash_table_replace(options, name, value);
}

static gboolean
is_option(const GPtrArray *words, guint i)
{
    return g_str_equal(words->pdata[i], "-o") && i + 1 < words->len;
}

/* An option added to another line would be within its last word, or the value of its last
 * -o; and no daemon of Postfix starts with such a line. */
static gboolean
is_complete(const GPtrArray *words)
{
    guint last = words->len - 1, i = COLUMNS;
    while (i < last)
        i += is_option(words, i) ? 2 : 1;
    return mrg_postfix_is_closed(words->pdata[last]) &&
           (i != last || !g_str_equal(words->pdata[last], "-o"));
}

MrgService *
mrg_service_parse(const char *line)
{
    g_autoptr(GPtrArray) words = split(line, "");
    if (words->len < COLUMNS || !is_complete(words))
        return NULL;
    char **columns = (char **) words->pdata;
    MrgService *service = g_new0(MrgService, 1);
    service->name = g_strdup(columns[0]);
    service->type = g_strdup(columns[1]);
    service->key = g_strconcat(columns[0], "/", columns[1], NULL);
    service->chroot = g_strdup(columns[4]);
    service->limit = g_strdup(columns[6]);
    service->command = g_strdup(columns[7]);
    service->options = new_table();
    service->arguments = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GString) head = g_string_new(columns[0]);
    for (guint i = 1; i < COLUMNS; i++)
        g_string_append_printf(head, " %s", columns[i]);
    service->head = g_string_free(g_steal_pointer(&head), FALSE);
    for (guint i = COLUMNS; i < words->len; i++)
        g_ptr_array_add(service->arguments, g_strdup(columns[i]));
    for (guint i = 0; i < service->arguments->len; i++)
        if (is_option(service->arguments, i))
            take_option(service->options, service->arguments->pdata[++i]);
    return service;
}

void
mrg_service_free(MrgService *service)
{
    if (!service)
        return;
    g_free(service->key);
    g_free(service->name);
    g_free(service->type);
    g_free(service->head);
    g_free(service->chroot);
    g_free(service->limit);
    g_free(service->command);
    g_ptr_array_unref(service->arguments);
    g_hash_table_unref(service->options);
    g_clear_pointer(&service->expanded, g_hash_table_unref);
    g_free(service);
}

char *
mrg_service_option(const char *name, const char *value)
{
    gboolean needs_braces = strpbrk(value, " \t\r\n") || *value == '{';
    return needs_braces ? g_strdup_printf("-o {%s=%s}", name, value)
                        : g_strdup_printf("-o %s=%s", name, value);
}

static void
append_option(GString *line, const char *name, const char *value)
{
    g_autofree char *option = mrg_service_option(name, value);
    g_string_append_printf(line, " %s", option);
}

char *
mrg_service_line(const MrgService *service, GHashTable *changes)
{
    GString *line = g_string_new(service->head);
    const GPtrArray *arguments = service->arguments;
    for (guint i = 0; i < arguments->len; i++) {
        const char *word = arguments->pdata[i];
        if (!is_option(arguments, i)) {
            g_string_append_printf(line, " %s", word);
            continue;
        }
        const char *pair = arguments->pdata[++i];
        g_autofree char *text = without_braces(pair);
        g_autofree char *name = NULL, *value = NULL;
        gpointer other;
        if (!split_pair(text, &name, &value) ||
            !g_hash_table_lookup_extended(changes, name, NULL, &other))
            g_string_append_printf(line, " -o %s", pair);
        else if (other)
            append_option(line, name, other);
    }
    /* New ones in the order of their names, so that the same comes out each time. */
    g_autoptr(GList) names =
        g_list_sort(g_hash_table_get_keys(changes), (GCompareFunc) strcmp);
    for (GList *one = names; one; one = one->next) {
        const char *value = g_hash_table_lookup(changes, one->data);
        if (value && !g_hash_table_contains(service->options, one->data))
            append_option(line, one->data, value);
    }
    return g_string_free(line, FALSE);
}

/* ---- snapshot ---- */

static GHashTable *
parse_settings(const char *text)
{
    GHashTable *table = new_table();
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        char *name, *value;
        if (split_pair(*line, &name, &value))
            g_hash_table_replace(table, name, value);
    }
    return table;
}

GPtrArray *
mrg_postfix_lines(const char *text)
{
    GPtrArray *logical = g_ptr_array_new_with_free_func(g_free);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        g_autofree char *bare = g_strstrip(g_strdup(*line));
        if (!*bare || *bare == '#')
            continue;
        if (g_ascii_isspace(**line) && logical->len) {
            char **last = (char **) &logical->pdata[logical->len - 1];
            char *joined = g_strconcat(*last, " ", bare, NULL);
            g_free(*last);
            *last = joined;
        } else {
            g_ptr_array_add(logical, g_steal_pointer(&bare));
        }
    }
    return logical;
}

static GPtrArray *
parse_services(const char *text)
{
    GPtrArray *services = g_ptr_array_new_with_free_func((GDestroyNotify) mrg_service_free);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        MrgService *service = mrg_service_parse(*line);
        if (service)
            g_ptr_array_add(services, service);
    }
    return services;
}

static MrgService *
find(const GPtrArray *services, const char *key)
{
    for (guint i = 0; i < services->len; i++) {
        MrgService *service = services->pdata[i];
        if (g_str_equal(service->key, key))
            return service;
    }
    return NULL;
}

MrgPostfix *
mrg_postfix_parse(const MrgPostconfTexts *texts)
{
    MrgPostfix *postfix = g_new0(MrgPostfix, 1);
    postfix->own = parse_settings(texts->own);
    postfix->expanded = parse_settings(texts->expanded);
    postfix->services = parse_services(texts->services);
    g_autoptr(GPtrArray) others = parse_services(texts->expanded_services);
    for (guint i = 0; i < postfix->services->len; i++) {
        MrgService *service = postfix->services->pdata[i];
        MrgService *other = find(others, service->key);
        service->expanded = g_hash_table_ref(other ? other->options : service->options);
    }
    return postfix;
}

void
mrg_postfix_free(MrgPostfix *postfix)
{
    if (!postfix)
        return;
    g_free(postfix->directory);
    g_hash_table_unref(postfix->own);
    g_hash_table_unref(postfix->expanded);
    g_ptr_array_unref(postfix->services);
    g_free(postfix);
}

static char *
find_directory(const char *directory, GError **error)
{
    static const char *const question[] = {"-h", "config_directory", NULL};
    if (directory)
        return g_canonicalize_filename(directory, NULL);
    char *said = mrg_postfix_run("postconf", NULL, question, error);
    return said ? g_strstrip(said) : NULL;
}

/* What nothing refers to, as a setting of a transport that is not there, postconf -n leaves
 * out. */
static void
add_unused(MrgPostfix *postfix)
{
    g_autofree char *path = g_build_filename(postfix->directory, "main.cf", NULL);
    g_autofree char *text = NULL;
    gsize length;
    if (!g_file_get_contents(path, &text, &length, NULL) ||
        length > MRG_POSTCONF_OUTPUT_MAX)
        return;
    g_autoptr(GPtrArray) lines = mrg_postfix_lines(text);
    g_autoptr(GHashTable) unused = new_table();
    for (guint i = 0; i < lines->len; i++) {
        char *name, *value;
        if (!split_pair(lines->pdata[i], &name, &value))
            continue;
        if (!g_hash_table_contains(postfix->own, name)) {
            g_hash_table_replace(unused, name, value);
            continue;
        }
        g_free(name);
        g_free(value);
    }
    GHashTableIter each;
    gpointer name, value;
    g_hash_table_iter_init(&each, unused);
    while (g_hash_table_iter_next(&each, &name, &value)) {
        g_hash_table_iter_steal(&each);
        g_hash_table_replace(postfix->own, name, value);
    }
}

static gboolean
ask(const char *directory, const char *option, char **text, GError **error)
{
    const char *const arguments[] = {option, NULL};
    *text = mrg_postfix_run("postconf", directory, arguments, error);
    if (!*text)
        g_prefix_error(
            error, "%s cannot be read (--config-dir names another folder): ", directory);
    return *text != NULL;
}

MrgPostfix *
mrg_postfix_read(const char *directory, GError **error)
{
    g_autofree char *where = find_directory(directory, error);
    MrgPostconfTexts texts = {0};
    MrgPostfix *postfix = NULL;
    if (where && ask(where, "-n", &texts.own, error) &&
        ask(where, "-x", &texts.expanded, error) &&
        ask(where, "-M", &texts.services, error) &&
        ask(where, "-Mx", &texts.expanded_services, error)) {
        postfix = mrg_postfix_parse(&texts);
        postfix->directory = g_steal_pointer(&where);
        add_unused(postfix);
    }
    g_free(texts.own);
    g_free(texts.expanded);
    g_free(texts.services);
    g_free(texts.expanded_services);
    return postfix;
}

const MrgService *
mrg_postfix_service(const MrgPostfix *postfix, const char *key)
{
    return find(postfix->services, key);
}

const char *
mrg_postfix_own(const MrgPostfix *postfix, const char *name)
{
    return g_hash_table_lookup(postfix->own, name);
}

const char *
mrg_postfix_effective(const MrgPostfix *postfix, const MrgService *service,
                      const char *name)
{
    const char *value = service ? g_hash_table_lookup(service->expanded, name) : NULL;
    if (!value)
        value = g_hash_table_lookup(postfix->expanded, name);
    return value ? value : "";
}

gboolean
mrg_postfix_is_chrooted(const MrgPostfix *postfix, const MrgService *service)
{
    if (!g_str_equal(service->chroot, "-"))
        return g_str_equal(service->chroot, "y");
    /* postconf(5), compatibility_level: from 1 on the default is n. */
    const char *level = mrg_postfix_effective(postfix, NULL, "compatibility_level");
    return g_ascii_strtoull(level, NULL, 10) < 1;
}

guint
mrg_postfix_process_limit(const MrgPostfix *postfix, const MrgService *service)
{
    const char *text = g_str_equal(service->limit, "-")
                           ? mrg_postfix_effective(postfix, NULL, "default_process_limit")
                           : service->limit;
    guint64 n = g_ascii_strtoull(text, NULL, 10);
    return n && n < G_MAXUINT ? (guint) n : G_MAXUINT;
}
