/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leak-check: a message rendered for invented people, whose every value says whose it is,
 * on many threads at once; then each copy, log line and reply is looked through for values
 * that have no business there.
 *
 * It is the daemon's pipeline, commit included, with a store in memory and keys that nobody
 * keeps.
 */
#include "config.h"

#include <pthread.h>

#include "ctl/leak.h"
#include "ctl/rehearsal.h"
#include "milter/witness/logline.h"

#define PEOPLE_DEFAULT 50
#define THREADS_DEFAULT 8
#define THREADS_MAX 64
#define WORDS_MAX 100
#define LACKS_ONE_IN 5
#define DOMAIN "@leak-check.invalid"

typedef struct Invented {
    const char *name;
    MrgSchemaType type;
} Invented;

typedef struct Check {
    const MrgRehearsal *rehearsal;
    MrgMarks marks;
    GArray *fields;   /* Invented; field i + 1 of the marks */
    GPtrArray *words; /* names that the templates say: of members */
    guint next;       /* atomic: the next person to render for */

    pthread_mutex_t lock; /* over what follows */
    MrgLeakScan scan;
    guint n_copies, n_lines;
    GHashTable *withheld; /* reason -> count */
} Check;

/* ---- fields ------------------------------------------------------------ */

static gboolean
is_name_character(char c)
{
    return g_ascii_isalnum(c) || c == '_';
}

static void
add_word(Check *check, const char *text, gsize length)
{
    g_autofree char *word = g_strndup(text, length);
    if (check->words->len >= WORDS_MAX || !mrg_field_is_name(word) ||
        g_ptr_array_find_with_equal_func(check->words, word, g_str_equal, NULL))
        return;
    g_ptr_array_add(check->words, g_steal_pointer(&word));
}

/* Every name between braces: nobody says which members the objects of a profile have. */
static void
add_words(Check *check, const char *text, gsize length)
{
    guint depth = 0;
    for (gsize i = 0; i < length; i++) {
        if (text[i] == '{' || text[i] == '}') {
            depth = text[i] == '{' ? depth + 1 : depth ? depth - 1 : 0;
            continue;
        }
        gsize start = i;
        while (depth && i < length && is_name_character(text[i]))
            i++;
        if (i == start)
            continue;
        add_word(check, text + start, i - start);
        i--;
    }
}

/* What a field that no schema declares is used as. */
static MrgSchemaType
guess_type(const MrgPlan *plan, const char *name)
{
    g_autofree char *each = g_strconcat("#each ", name, NULL);
    g_autofree char *member = g_strconcat(name, ".", NULL);
    for (gsize i = 0; i < plan->n_parts; i++) {
        const MrgPart *part = &plan->parts[i];
        if (g_strstr_len(part->text, (gssize) part->length, each))
            return MRG_TYPE_LIST;
        if (g_strstr_len(part->text, (gssize) part->length, member))
            return MRG_TYPE_OBJECT;
    }
    return MRG_TYPE_STRING;
}

static void
add_field(Check *check, const char *name, MrgSchemaType type)
{
    Invented field = {name, type};
    if (check->fields->len + 1 < MRG_MARK_FIELDS_MAX && mrg_field_is_name(name))
        g_array_append_val(check->fields, field);
}

/* Those of the schema, the sensitive ones too, and those that the templates read. */
static void
find_fields(Check *check, const MrgPlan *plan)
{
    const MrgSchema *schema = check->rehearsal->conf->schema;
    for (gsize i = 0; i < schema->n_fields; i++)
        add_field(check, schema->fields[i].name, schema->fields[i].type);
    for (gsize i = 0; i < plan->n_names; i++)
        if (!mrg_schema_field(schema, plan->names[i]))
            add_field(check, plan->names[i], guess_type(plan, plan->names[i]));
    for (gsize i = 0; i < plan->n_fields; i++)
        add_words(check, plan->fields[i].text, plan->fields[i].length);
    for (gsize i = 0; i < plan->n_parts; i++)
        add_words(check, plan->parts[i].text, plan->parts[i].length);
}

/* ---- people ------------------------------------------------------------ */

typedef struct Feed {
    Check *check;
    guint next;
    MrgArena *arena;
    MrgProfile profile;
    MrgConsent consents[3];
} Feed;

/* The same dice for the same person and field in every run. */
static guint
dice(guint person, guint field)
{
    guint n = person * 2246822519U ^ (field + 1) * 3266489917U;
    n ^= n >> 15;
    n *= 2654435761U;
    return n ^ n >> 13;
}

static json_t *
members(const Check *check, const char *mark)
{
    json_t *object = json_object();
    for (guint i = 0; i < check->words->len; i++)
        json_object_set_new(object, g_ptr_array_index(check->words, i), json_string(mark));
    return object;
}

static MrgField
json_field(json_t *json, MrgArena *arena)
{
    g_autofree char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return (MrgField){MRG_FIELD_JSON, mrg_arena_strdup(arena, text), strlen(text)};
}

static MrgField
invent(const Check *check, guint person, guint field, MrgSchemaType type, MrgArena *arena)
{
    char text[MRG_MARK_BYTES], number[MRG_MARK_BYTES + 2];
    gboolean is_odd = (dice(person, field) >> 8) & 1;
    const char *value = text;
    MrgFieldType kind = MRG_FIELD_STRING;
    mrg_mark_text(&check->marks, person, field, text);
    mrg_mark_number(person, field, number);
    switch (type) {
    case MRG_TYPE_LIST:
        return json_field(
            json_pack("[o,o,s]", members(check, text), members(check, text), text), arena);
    case MRG_TYPE_OBJECT:
        return json_field(members(check, text), arena);
    case MRG_TYPE_BOOLEAN:
        kind = MRG_FIELD_BOOLEAN;
        value = is_odd ? "true" : "false";
        break;
    case MRG_TYPE_NUMBER: /* large and small ones, so that templates take both ways */
        kind = MRG_FIELD_NUMBER;
        value = mrg_arena_printf(arena, "%s%s", is_odd ? "0." : "", number);
        break;
    case MRG_TYPE_STRING:
        break;
    }
    return (MrgField){kind, mrg_arena_strdup(arena, value), strlen(value)};
}

static char *
invent_address(const Check *check, guint person, MrgArena *arena)
{
    char mark[MRG_MARK_BYTES];
    mrg_mark_text(&check->marks, person, MRG_MARK_ADDRESS, mark);
    return mrg_arena_printf(arena, "%s%s", mark, DOMAIN);
}

/* Some fields are left out for some people: a value that stayed from somebody else would
 * show there. */
static const MrgProfile *
next_profile(gpointer context, GError **error G_GNUC_UNUSED)
{
    Feed *feed = context;
    const Check *check = feed->check;
    guint person = feed->next++;
    if (person >= check->marks.n_people)
        return NULL;
    mrg_arena_reset(feed->arena);
    MrgProfileField *fields =
        mrg_arena_array(feed->arena, MrgProfileField, check->fields->len);
    gsize n = 0;
    for (guint i = 0; i < check->fields->len; i++) {
        const Invented *field = &g_array_index(check->fields, Invented, i);
        if (person && dice(person, i) % LACKS_ONE_IN == 0)
            continue;
        fields[n++] = (MrgProfileField){
            field->name, invent(check, person, i + 1, field->type, feed->arena)};
    }
    feed->consents[0] = (MrgConsent){"receive", MRG_CONSENT_GRANTED, 1, "leak-check"};
    feed->consents[1] = (MrgConsent){"track_open", MRG_CONSENT_GRANTED, 1, "leak-check"};
    feed->consents[2] = (MrgConsent){"track_click", MRG_CONSENT_GRANTED, 1, "leak-check"};
    feed->profile = (MrgProfile){.address = invent_address(check, person, feed->arena),
                                 .fields = fields,
                                 .n_fields = n,
                                 .consents = feed->consents,
                                 .n_consents = 1 + person % 3};
    mrg_person_key(check->rehearsal->keyring, feed->profile.address, &feed->profile.person);
    return &feed->profile;
}

static int
fill_store(Check *check)
{
    g_autoptr(GError) error = NULL;
    Feed feed = {.check = check, .arena = mrg_arena_new()};
    gboolean is_done =
        mrg_store_import(check->rehearsal->store, next_profile, &feed, NULL, &error);
    mrg_arena_free(feed.arena);
    return is_done ? EX_OK : mrg_verb_fail(error);
}

/* ---- copies ------------------------------------------------------------ */

/* The headers of the message that are templates; To where the name in it is one. */
static const char *const *
rendered_headers(const MrgScene *scene)
{
    const MrgPlan *plan = scene->merge.plan;
    MrgArena *arena = scene->envelope->arena;
    const char **names = mrg_arena_array(arena, const char *, plan->n_fields + 1);
    for (gsize i = 0; i < plan->n_fields; i++)
        names[i] =
            plan->fields[i].kind == MRG_FIELD_RECIPIENT ? "To" : plan->fields[i].name;
    return names;
}

static void
look_through(MrgLeakScan *scan, guint person, const MrgScene *scene)
{
    MrgRecord record = mrg_merge_record(&scene->merge, 1);
    g_autofree char *line = mrg_logline_format(&record);
    mrg_leak_scan_told(scan, "log line", line);
    mrg_leak_scan_told(scan, "reply to the MTA",
                       scene->merge.reply ? scene->merge.reply : "");
    if (scene->is_out)
        mrg_leak_scan_copy(scan, person, rendered_headers(scene), scene->message.data,
                           scene->message.length);
}

static void
count(Check *check, const MrgScene *scene)
{
    pthread_mutex_lock(&check->lock);
    check->n_copies += scene->is_out;
    check->n_lines++;
    if (!scene->is_out) {
        char *reason =
            g_strdup_printf("%s (%s)", mrg_scene_verdict(scene), scene->merge.reason);
        guint n = GPOINTER_TO_UINT(g_hash_table_lookup(check->withheld, reason));
        g_hash_table_replace(check->withheld, reason, GUINT_TO_POINTER(n + 1));
    }
    pthread_mutex_unlock(&check->lock);
}

static void *
work(void *context)
{
    Check *check = context;
    MrgLeakScan scan;
    MrgArena *arena = mrg_arena_new();
    mrg_leak_scan_init(&scan, &check->marks);
    for (;;) {
        guint person = (guint) g_atomic_int_add(&check->next, 1);
        if (person >= check->marks.n_people)
            break;
        mrg_arena_reset(arena);
        g_autoptr(MrgScene) scene = mrg_scene_new(
            check->rehearsal, invent_address(check, person, arena), MRG_MODE_MERGE);
        look_through(&scan, person, scene);
        count(check, scene);
    }
    pthread_mutex_lock(&check->lock);
    mrg_leak_scan_take(&check->scan, &scan);
    pthread_mutex_unlock(&check->lock);
    mrg_leak_scan_clear(&scan);
    mrg_arena_free(arena);
    return NULL;
}

/* Whatever the pipeline logs meanwhile is looked through, too. */
static void
take_log(const char *domain G_GNUC_UNUSED, GLogLevelFlags level G_GNUC_UNUSED,
         const char *text, gpointer context)
{
    Check *check = context;
    pthread_mutex_lock(&check->lock);
    check->n_lines++;
    mrg_leak_scan_told(&check->scan, "log line", text);
    pthread_mutex_unlock(&check->lock);
}

static void
run_threads(Check *check, guint n_threads)
{
    pthread_t threads[THREADS_MAX];
    guint n = 0;
    g_log_set_default_handler(take_log, check);
    while (n < n_threads && pthread_create(&threads[n], NULL, work, check) == 0)
        n++;
    if (!n)
        work(check);
    while (n > 0)
        pthread_join(threads[--n], NULL);
    g_log_set_default_handler(g_log_default_handler, NULL);
}

/* ---- what is printed --------------------------------------------------- */

static const char *const kinds[] = {[MRG_LEAK_OTHER] = "holds somebody else's value",
                                    [MRG_LEAK_HEADER] =
                                        "is no template, but holds the person's value",
                                    [MRG_LEAK_ADDRESS] = "holds the person's address",
                                    [MRG_LEAK_TOLD] = "tells a person's value"};

static const char *
field_name(const Check *check, guint field)
{
    if (field == MRG_MARK_ADDRESS)
        return "address";
    if (field == MRG_MARK_CUT || field > check->fields->len)
        return "(the end is cut off)";
    return g_array_index(check->fields, Invented, field - 1).name;
}

static json_t *
findings_json(const Check *check)
{
    json_t *list = json_array();
    for (guint i = 0; i < check->scan.leaks->len; i++) {
        const MrgLeak *leak = g_ptr_array_index(check->scan.leaks, i);
        json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:i}", "where", leak->where,
                                              "what", kinds[leak->kind], "field",
                                              field_name(check, leak->field), "count",
                                              (int) leak->count));
    }
    return list;
}

static json_t *
withheld_json(const Check *check)
{
    json_t *object = json_object();
    GHashTableIter at;
    gpointer reason, n;
    g_hash_table_iter_init(&at, check->withheld);
    while (g_hash_table_iter_next(&at, &reason, &n))
        json_object_set_new(object, reason, json_integer(GPOINTER_TO_UINT(n)));
    return object;
}

static void
print_check(const Check *check, guint n_threads)
{
    const char *reason;
    json_t *n;
    json_t *withheld = withheld_json(check);
    for (guint i = 0; i < check->scan.leaks->len; i++) {
        const MrgLeak *leak = g_ptr_array_index(check->scan.leaks, i);
        g_print("leak: %s %s: field '%s', %u times\n", leak->where, kinds[leak->kind],
                field_name(check, leak->field), leak->count);
    }
    json_object_foreach(withheld, reason, n) g_print(
        "withheld: %" JSON_INTEGER_FORMAT " by %s\n", json_integer_value(n), reason);
    json_decref(withheld);
    g_print("%u people on %u threads: %u copies with %" G_GUINT64_FORMAT
            " values of their own, %u log lines, %s\n",
            check->marks.n_people, n_threads, check->n_copies, check->scan.n_own,
            check->n_lines, check->scan.leaks->len ? "LEAKS" : "no leak");
}

static int
report(const MrgTool *tool, const Check *check, guint n_threads)
{
    if (tool->is_json)
        mrg_print_json(json_pack(
            "{s:i,s:i,s:i,s:I,s:i,s:o,s:o}", "people", (int) check->marks.n_people,
            "threads", (int) n_threads, "copies", (int) check->n_copies, "own_values",
            (json_int_t) check->scan.n_own, "log_lines", (int) check->n_lines, "withheld",
            withheld_json(check), "leaks", findings_json(check)));
    else
        print_check(check, n_threads);
    if (!check->n_copies)
        g_printerr("merganser: no copy went out, so nothing is proved; 'merganser check' "
                   "tells more of the message\n");
    return check->scan.leaks->len || !check->n_copies ? EX_DATAERR : EX_OK;
}

/* ---- the verb ---------------------------------------------------------- */

static int
run_check(Check *check, const MrgPlan *plan, guint n_people, guint n_threads)
{
    find_fields(check, plan);
    mrg_marks_init(&check->marks, n_people, check->fields->len + 1, check->rehearsal->text,
                   check->rehearsal->length);
    mrg_leak_scan_init(&check->scan, &check->marks);
    int code = fill_store(check);
    if (!code)
        run_threads(check, n_threads);
    return code;
}

static int
leak_check(const MrgTool *tool, const MrgRehearsal *rehearsal, guint n_people,
           guint n_threads)
{
    g_autoptr(MrgScene) compiled =
        mrg_scene_new(rehearsal, "nobody" DOMAIN, MRG_MODE_CHECK);
    if (compiled->merge.disposition->verdict != MRG_VERDICT_DELIVER) {
        g_printerr("merganser: %s: %s\n", rehearsal->path, compiled->merge.reason);
        return EX_DATAERR;
    }
    Check check = {.rehearsal = rehearsal,
                   .fields = g_array_new(FALSE, FALSE, sizeof(Invented)),
                   .words = g_ptr_array_new_with_free_func(g_free),
                   .withheld = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
                   .lock = PTHREAD_MUTEX_INITIALIZER};
    int code = run_check(&check, compiled->merge.plan, n_people, n_threads);
    if (!code)
        code = report(tool, &check, n_threads);
    mrg_leak_scan_clear(&check.scan);
    g_array_unref(check.fields);
    g_ptr_array_unref(check.words);
    g_hash_table_unref(check.withheld);
    return code;
}

int
mrg_verb_leak_check(MrgTool *tool, int argc, char **argv)
{
    int n_people = PEOPLE_DEFAULT, n_threads = THREADS_DEFAULT;
    const GOptionEntry entries[] = {
        {"people", 'n', 0, G_OPTION_ARG_INT, &n_people, "how many are invented (50)", "N"},
        {"threads", 0, 0, G_OPTION_ARG_INT, &n_threads, "how many render at once (8)", "N"},
        {0}};
    g_auto(MrgRehearsal) rehearsal = {0};
    int code = mrg_verb_parse(tool, &argc, &argv, entries, 1);
    if (!code && (n_people < 2 || n_people > MRG_MARK_PEOPLE_MAX))
        return mrg_verb_usage("--people takes a number from 2 to %d", MRG_MARK_PEOPLE_MAX);
    if (!code && (n_threads < 1 || n_threads > THREADS_MAX))
        return mrg_verb_usage("--threads takes a number from 1 to %d", THREADS_MAX);
    if (!code)
        code = mrg_rehearsal_open(&rehearsal, tool, argv[1], MRG_PEOPLE_INVENTED);
    return code ? code : leak_check(tool, &rehearsal, (guint) n_people, (guint) n_threads);
}
