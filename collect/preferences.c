/* SPDX-License-Identifier: Apache-2.0 */
/* The preference centre: what somebody gets, how often, what may be measured, a pause, all
 * that is held on them, and its end. */
#include "config.h"

#include <string.h>

#include "collect/form.h"
#include "collect/pages.h"
#include "collect/person.h"
#include "collect/request.h"
#include "milter/clock.h"

#define PAUSE_US (30 * 86400 * MRG_SECOND_US)
#define ROWS_SHOWN_MAX 500

static const char *const tracking_purposes[] = {"track_open", "track_click", NULL};
static const char *const frequencies[] = {"", "daily", "weekly", "monthly"};

typedef struct Centre {
    MrgRequest *request;
    MrgCollector *collector;
    MrgArena *arena;
    const MrgToken *token;
    MrgVisitor visitor;
    MrgForm form;
    MrgPage page;
} Centre;

static MrgReply
away(Centre *centre, const GError *error)
{
    mrg_collector_store_failed(centre->collector, error);
    return mrg_page_notice(&centre->page, "away", 503);
}

/* ---- the form, filled in */

static MrgValue
choice(Centre *centre, const char *name_key, const char *name, const char *title,
       const char *mark, gboolean is_marked)
{
    MrgMember *members = mrg_arena_array(centre->arena, MrgMember, 3);
    members[0] = (MrgMember){name_key, (guint32) strlen(name_key), mrg_value_cstring(name)};
    members[1] = (MrgMember){"title", 5, mrg_value_cstring(title)};
    members[2] = (MrgMember){mark, (guint32) strlen(mark), mrg_value_boolean(is_marked)};
    return mrg_value_object(members, 3);
}

static const char *
class_title(Centre *centre, const char *name)
{
    const char *key = mrg_arena_printf(centre->arena, "class_%s", name);
    const char *title = mrg_page_text(&centre->page, key);
    return *title ? title : name;
}

static void
set_classes(Centre *centre)
{
    MrgConfLIST classes = centre->collector->conf->collector_classes;
    guint n = g_strv_length((char **) classes);
    MrgValue *items = mrg_arena_array(centre->arena, MrgValue, n);
    for (guint i = 0; i < n; i++) {
        const char *scope = mrg_arena_printf(centre->arena, "class:%s", classes[i]);
        items[i] = choice(
            centre, "name", classes[i], class_title(centre, classes[i]), "wanted",
            !mrg_visitor_suppression(&centre->visitor, scope, centre->request->at_us));
    }
    mrg_page_set(&centre->page, "classes", mrg_value_list(items, n));
}

static void
set_frequencies(Centre *centre)
{
    static const char *const keys[] = {"frequency_any", "frequency_daily",
                                       "frequency_weekly", "frequency_monthly"};
    gboolean is_asked =
        centre->visitor.has_profile && *centre->collector->conf->policy_frequency_field;
    gsize n = is_asked ? G_N_ELEMENTS(frequencies) : 0;
    MrgValue *items = mrg_arena_array(centre->arena, MrgValue, G_N_ELEMENTS(frequencies));
    for (gsize i = 0; i < n; i++)
        items[i] =
            choice(centre, "value", frequencies[i], mrg_page_text(&centre->page, keys[i]),
                   "chosen", g_str_equal(centre->visitor.frequency, frequencies[i]));
    mrg_page_set(&centre->page, "frequencies", mrg_value_list(items, n));
}

static gboolean
is_tracked(const Centre *centre)
{
    for (gsize i = 0; i < centre->visitor.state.n_consents; i++) {
        const MrgConsent *each = &centre->visitor.state.consents[i];
        if (g_strv_contains(tracking_purposes, each->purpose) &&
            each->state == MRG_CONSENT_GRANTED)
            return TRUE;
    }
    return FALSE;
}

static void
set_all(Centre *centre)
{
    const MrgSuppression *all =
        mrg_visitor_suppression(&centre->visitor, "all", centre->request->at_us);
    mrg_page_set(&centre->page, "left_all", mrg_value_boolean(all && !all->until_us));
    if (all && all->until_us) {
        g_autoptr(GDateTime) until =
            g_date_time_new_from_unix_utc(all->until_us / MRG_SECOND_US);
        g_autofree char *text = g_date_time_format_iso8601(until);
        mrg_page_set_text(&centre->page, "paused_until",
                          mrg_arena_strdup(centre->arena, text));
    }
}

static MrgReply
show_form(Centre *centre, gboolean is_saved)
{
    mrg_page_set_text(&centre->page, "title",
                      mrg_page_text(&centre->page, "preferences_title"));
    mrg_page_set(&centre->page, "saved", mrg_value_boolean(is_saved));
    mrg_page_set(&centre->page, "tracking", mrg_value_boolean(is_tracked(centre)));
    set_classes(centre);
    set_frequencies(centre);
    set_all(centre);
    return mrg_page_reply(&centre->page, MRG_PAGE_PREFERENCES, 200);
}

/* ---- everything that is held */

static MrgValue
row_value(Centre *centre, json_t *row)
{
    gsize n = 0;
    const char *name;
    json_t *value;
    MrgValue *cells = mrg_arena_array(centre->arena, MrgValue, json_object_size(row));
    json_object_foreach(row, name, value)
    {
        MrgMember *members = mrg_arena_array(centre->arena, MrgMember, 2);
        const char *text = json_string_value(value);
        members[0] = (MrgMember){"name", 4,
                                 mrg_value_cstring(mrg_arena_strdup(centre->arena, name))};
        members[1] = (MrgMember){
            "value", 5,
            mrg_value_cstring(mrg_arena_strdup(centre->arena, text ? text : ""))};
        cells[n++] = mrg_value_object(members, 2);
    }
    MrgMember *members = mrg_arena_array(centre->arena, MrgMember, 1);
    members[0] = (MrgMember){"cells", 5, mrg_value_list(cells, n)};
    return mrg_value_object(members, 1);
}

static MrgValue
table_value(Centre *centre, const char *name, json_t *rows, gsize *n_left)
{
    gsize n = MIN(json_array_size(rows), *n_left);
    MrgValue *items = mrg_arena_array(centre->arena, MrgValue, n);
    for (gsize i = 0; i < n; i++)
        items[i] = row_value(centre, json_array_get(rows, i));
    *n_left -= n;
    MrgMember *members = mrg_arena_array(centre->arena, MrgMember, 2);
    members[0] =
        (MrgMember){"name", 4, mrg_value_cstring(mrg_arena_strdup(centre->arena, name))};
    members[1] = (MrgMember){"rows", 4, mrg_value_list(items, n)};
    return mrg_value_object(members, 2);
}

static MrgReply
show_data(Centre *centre)
{
    g_autoptr(GError) error = NULL;
    json_t *tables = mrg_visitor_rows(centre->collector, &centre->token->person, &error);
    if (!tables)
        return away(centre, error);
    gsize n = 0, n_left = ROWS_SHOWN_MAX;
    const char *name;
    json_t *rows;
    MrgValue *items = mrg_arena_array(centre->arena, MrgValue, json_object_size(tables));
    json_object_foreach(tables, name, rows) items[n++] =
        table_value(centre, name, rows, &n_left);
    json_decref(tables);
    mrg_page_set_text(&centre->page, "title", mrg_page_text(&centre->page, "data_title"));
    mrg_page_set(&centre->page, "tables", mrg_value_list(items, n));
    mrg_page_set(&centre->page, "is_cut", mrg_value_boolean(n_left == 0));
    return mrg_page_reply(&centre->page, MRG_PAGE_DATA, 200);
}

static MrgReply
show_json(Centre *centre)
{
    g_autoptr(GError) error = NULL;
    json_t *tables = mrg_visitor_rows(centre->collector, &centre->token->person, &error);
    if (!tables)
        return away(centre, error);
    char *text = json_dumps(tables, JSON_INDENT(2));
    json_decref(tables);
    char *copy = g_strdup(text);
    free(text);
    MrgReply reply = mrg_reply_text(200, "application/json", copy, strlen(copy));
    mrg_reply_header(&reply, "Content-Disposition", "attachment; filename=my-data.json");
    return reply;
}

static MrgReply
show_erase(Centre *centre)
{
    mrg_page_set_text(&centre->page, "title", mrg_page_text(&centre->page, "erase_title"));
    return mrg_page_reply(&centre->page, MRG_PAGE_ERASE, 200);
}

/* ---- what was chosen */

static gboolean
end_suppression(Centre *centre, const char *scope, GError **error)
{
    return mrg_store_end_suppression(centre->collector->lasting->store,
                                     &centre->token->person, scope, "unsubscribed",
                                     centre->request->at_us, NULL, error);
}

static gboolean
save_classes(Centre *centre, json_t *chosen, GError **error)
{
    MrgCollector *collector = centre->collector;
    gint64 now_us = centre->request->at_us;
    for (MrgConfLIST class = collector->conf->collector_classes; *class; class ++) {
        const char *scope = mrg_arena_printf(centre->arena, "class:%s", *class);
        const char *field = mrg_arena_printf(centre->arena, "class_%s", *class);
        gboolean is_wanted = mrg_form_get(&centre->form, field) != NULL;
        gboolean was_wanted = !mrg_visitor_suppression(&centre->visitor, scope, now_us);
        json_object_set_new(chosen, scope, json_boolean(is_wanted));
        if (is_wanted == was_wanted)
            continue;
        if (is_wanted ? !end_suppression(centre, scope, error)
                      : !mrg_visitor_suppress(collector, &centre->token->person, scope,
                                              now_us, 0, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean
save_tracking(Centre *centre, json_t *chosen, GError **error)
{
    gboolean is_granted = mrg_form_get(&centre->form, "tracking") != NULL;
    json_object_set_new(chosen, "tracking", json_boolean(is_granted));
    if (is_granted == is_tracked(centre))
        return TRUE;
    return mrg_visitor_consent(centre->collector, &centre->token->person, tracking_purposes,
                               is_granted, centre->request->at_us, error);
}

static gboolean
save_frequency(Centre *centre, json_t *chosen, GError **error)
{
    const char *wish = mrg_form_get(&centre->form, "frequency");
    gboolean is_known = FALSE;
    for (gsize i = 0; i < G_N_ELEMENTS(frequencies) && wish; i++)
        is_known |= g_str_equal(wish, frequencies[i]);
    if (!is_known || !*centre->collector->conf->policy_frequency_field ||
        g_str_equal(wish, centre->visitor.frequency))
        return TRUE;
    json_object_set_new(chosen, "frequency", json_string(wish));
    return mrg_visitor_set_frequency(&centre->visitor, wish, error);
}

static gboolean
save(Centre *centre, json_t *chosen, GError **error)
{
    return save_classes(centre, chosen, error) && save_tracking(centre, chosen, error) &&
           save_frequency(centre, chosen, error);
}

static gboolean
pause_mail(Centre *centre, json_t *chosen, GError **error)
{
    gint64 now_us = centre->request->at_us;
    json_object_set_new(chosen, "pause_days", json_integer(30));
    return mrg_visitor_suppress(centre->collector, &centre->token->person, "all", now_us,
                                now_us + PAUSE_US, error);
}

static gboolean
leave(Centre *centre, json_t *chosen, GError **error)
{
    json_object_set_new(chosen, "all", json_false());
    return mrg_visitor_suppress(centre->collector, &centre->token->person, "all",
                                centre->request->at_us, 0, error);
}

static gboolean
return_to_mail(Centre *centre, json_t *chosen, GError **error)
{
    json_object_set_new(chosen, "all", json_true());
    return end_suppression(centre, "all", error);
}

static const struct {
    const char *action;
    gboolean (*change)(Centre *centre, json_t *chosen, GError **error);
} changes[] = {{"save", save},
               {"pause", pause_mail},
               {"unpause", return_to_mail},
               {"leave", leave},
               {"return", return_to_mail}};

static void
record(Centre *centre, MrgHitKind kind, json_t *chosen)
{
    char *text = chosen ? json_dumps(chosen, JSON_COMPACT) : NULL;
    /* Who is erased is not written down again. */
    MrgHit hit = mrg_request_hit(centre->request, kind,
                                 kind == MRG_HIT_ERASE ? NULL : centre->token);
    hit.flags |= MRG_HIT_APPLIED;
    hit.data = text;
    /* The store has it already: what the journal cannot take is not lost. */
    if (!mrg_request_record(centre->request, &hit))
        g_warning("a change of preferences is in the store and not in the journal");
    free(text);
}

static MrgReply
change(Centre *centre, gsize which)
{
    g_autoptr(GError) error = NULL;
    json_t *chosen = json_object();
    gboolean is_done = changes[which].change(centre, chosen, &error);
    if (is_done)
        record(centre, MRG_HIT_PREFERENCES, chosen);
    json_decref(chosen);
    if (!is_done)
        return away(centre, error);
    mrg_collector_count(centre->collector, MRG_COUNT_applied);
    if (!mrg_visitor_load(&centre->visitor, centre->collector, centre->token, centre->arena,
                          &error))
        return away(centre, error);
    return show_form(centre, TRUE);
}

static MrgReply
erase(Centre *centre)
{
    g_autoptr(GError) error = NULL;
    if (!mrg_form_get(&centre->form, "confirm"))
        return show_erase(centre);
    if (!mrg_store_erase(centre->collector->lasting->store, &centre->token->person,
                         centre->request->at_us, &error))
        return away(centre, error);
    mrg_collector_count(centre->collector, MRG_COUNT_applied);
    record(centre, MRG_HIT_ERASE, NULL);
    return mrg_page_notice(&centre->page, "erased", 200);
}

static MrgReply
act(Centre *centre)
{
    const GByteArray *body = centre->request->body;
    if (!mrg_form_parse(&centre->form, body ? (const char *) body->data : "",
                        body ? body->len : 0, centre->arena))
        return mrg_reply_fixed(MRG_FIXED_BAD_REQUEST);
    const char *action = mrg_form_get(&centre->form, "action");
    if (!action)
        return mrg_reply_fixed(MRG_FIXED_BAD_REQUEST);
    if (g_str_equal(action, "erase"))
        return erase(centre);
    for (gsize i = 0; i < G_N_ELEMENTS(changes); i++)
        if (g_str_equal(changes[i].action, action))
            return change(centre, i);
    return mrg_reply_fixed(MRG_FIXED_BAD_REQUEST);
}

static MrgReply
show(Centre *centre)
{
    if (!mrg_request_query(centre->request, &centre->form, centre->arena))
        return mrg_reply_fixed(MRG_FIXED_BAD_REQUEST);
    const char *view = mrg_form_get(&centre->form, "view");
    MrgHit hit = mrg_request_hit(centre->request, MRG_HIT_PREFERENCES_VIEW, centre->token);
    if (!mrg_request_record(centre->request, &hit))
        return mrg_reply_fixed(MRG_FIXED_UNAVAILABLE);
    return !view                        ? show_form(centre, FALSE)
           : g_str_equal(view, "data")  ? show_data(centre)
           : g_str_equal(view, "json")  ? show_json(centre)
           : g_str_equal(view, "erase") ? show_erase(centre)
                                        : show_form(centre, FALSE);
}

MrgReply
mrg_serve_preferences(MrgRequest *request)
{
    MrgToken token;
    char target[MRG_TARGET_MAX + 1];
    g_autoptr(MrgArena) arena = mrg_arena_new();
    g_autoptr(GError) error = NULL;
    if (!mrg_request_open(request, strlen(request->tail), MRG_TOKEN_PREFERENCES, &token,
                          target))
        return mrg_reply_fixed(MRG_FIXED_NOT_FOUND);
    if (!mrg_request_may(request, &token))
        return mrg_reply_fixed(MRG_FIXED_TOO_MANY);
    Centre centre = {.request = request,
                     .collector = request->collector,
                     .arena = arena,
                     .token = &token};
    gboolean is_loaded =
        mrg_visitor_load(&centre.visitor, request->collector, &token, arena, &error);
    mrg_page_init(&centre.page, request->collector->pages,
                  is_loaded ? centre.visitor.locale : NULL, request->headers.language,
                  arena);
    if (!is_loaded)
        return away(&centre, error);
    return request->method == MRG_METHOD_POST ? act(&centre) : show(&centre);
}
