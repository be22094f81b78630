/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "ctl/advice.h"
#include "ctl/mail.h"
#include "milter/nearest.h"
#include "milter/stamp/places.h"
#include "milter/stamp/url.h"
#include "render/helper.h"
#include "render/limits.h"
#include "render/remarks.h"
#include "render/source.h"

typedef struct Advice {
    const MrgAdvised *about;
    MrgArena *arena;
    GArray *findings;
} Advice;

/* ---- findings ---- */

/* name is that of a template, of a block, or of a header field; NULL for the whole. */
static void
warn(const Advice *advice, const char *name, guint line, guint column, const char *message)
{
    const MrgAdvised *about = advice->about;
    MrgFinding finding = {.where = name,
                          .line = line,
                          .column = column,
                          .message = mrg_arena_strdup(advice->arena, message)};
    for (gsize i = 0; name && i < about->n_templates; i++) {
        if (strcmp(about->templates[i].name, name) != 0)
            continue;
        finding.text = about->templates[i].text;
        finding.length = about->templates[i].length;
        break;
    }
    if (about->path)
        finding.where = name ? mrg_arena_printf(advice->arena, "%s: %s", about->path, name)
                             : about->path;
    g_array_append_val(advice->findings, finding);
}

/* ---- templates ---- */

static void
advise_remarks(const Advice *advice, const MrgTemplate *template)
{
    const MrgCompileOptions options = {.declared = advice->about->schema->names};
    g_autoptr(GArray) remarks = mrg_template_remarks(template, &options);
    for (guint i = 0; i < remarks->len; i++) {
        const MrgRemark *remark = &g_array_index(remarks, MrgRemark, i);
        warn(advice, template->name, remark->line, remark->column, remark->message);
    }
}

/* What is only not tracked is no fault of a link that is not to be. */
static const char *
link_fault(MrgUrlKind kind, gboolean is_tracked, gboolean has_base)
{
    if (kind == MRG_URL_CODE)
        return "a link with code or data for an address: programs that show mail do not "
               "open it";
    if (kind == MRG_URL_RELATIVE && !has_base)
        return "a relative address, and no <base> in front of it: it leads nowhere from a "
               "mail; is https:// missing?";
    if (kind == MRG_URL_REFERENCE && is_tracked)
        return "a link with a character reference that is not read: it is not tracked; "
               "write & as &amp;";
    if (kind == MRG_URL_BROKEN)
        return is_tracked ? "a link whose address cannot be read: it is not tracked"
                          : "a link whose address cannot be read";
    return NULL;
}

/* Links that lead nowhere, or that the stamp leaves as they are. */
static void
advise_links(const Advice *advice, const MrgTemplate *template)
{
    gboolean is_html = template->escape == MRG_ESCAPE_HTML, has_base = FALSE;
    g_autoptr(GArray) places = g_array_new(FALSE, FALSE, sizeof(MrgStampPlace));
    g_auto(MrgSource) source = {0};
    guint n_warned = 0;
    if (template->escape == MRG_ESCAPE_HEADER || !mrg_source_init(&source, template, NULL))
        return;
    mrg_places_to_judge(template->text, template->length, is_html, places);
    for (guint i = 0; i < places->len && n_warned < MRG_LIMIT_REMARKS; i++) {
        const MrgStampPlace *place = &g_array_index(places, MrgStampPlace, i);
        MrgUrlKind kind =
            mrg_url_kind(template->text + place->start, place->length, is_html);
        gboolean is_tracked = is_html && place->kind == MRG_PLACE_LINK;
        const char *fault = link_fault(kind, is_tracked, has_base);
        guint line, column;
        if (place->kind == MRG_PLACE_BASE)
            has_base |= kind == MRG_URL_WEB || kind == MRG_URL_LEFT;
        if ((place->kind != MRG_PLACE_LINK && place->kind != MRG_PLACE_LINK_LEFT) || !fault)
            continue;
        mrg_source_locate(&source, place->start, &line, &column);
        warn(advice, template->name, line, column, fault);
        n_warned++;
    }
}

MrgTemplate *
mrg_advice_templates(const MrgHeaderField *fields, gsize n_fields, const MrgPart *parts,
                     gsize n_parts, MrgDialect dialect)
{
    MrgTemplate *templates = g_new0(MrgTemplate, n_fields + n_parts + 1);
    for (gsize i = 0; i < n_fields; i++)
        templates[i] = (MrgTemplate){
            fields[i].label, fields[i].text, fields[i].length,
            fields[i].kind == MRG_FIELD_RECIPIENT ? MRG_DIALECT_HANDLEBARS : dialect,
            MRG_ESCAPE_HEADER};
    for (gsize i = 0; i < n_parts; i++)
        templates[n_fields + i] =
            (MrgTemplate){parts[i].name, parts[i].text, parts[i].length, dialect,
                          parts[i].is_html ? MRG_ESCAPE_HTML : MRG_ESCAPE_TEXT};
    return templates;
}

/* ---- fields ---- */

gboolean
mrg_advice_knows(const MrgAdvised *about, const MrgProgramField *field)
{
    const char *name = field->name;
    const MrgHelper *helper = mrg_helper_find(name, strlen(name));
    const MrgValue *data = about->campaign ? about->campaign->data : NULL;
    if (helper && !helper->max_args && field->has_default)
        return TRUE;
    return !about->schema->n_fields || mrg_schema_field(about->schema, name) ||
           strcmp(name, "data") == 0 ||
           (data && mrg_value_member(data, name, strlen(name))->type != MRG_VALUE_MISSING);
}

static void
advise_fields(const Advice *advice)
{
    const MrgSchema *schema = advice->about->schema;
    gsize n, n_names = 0;
    const MrgProgramField *fields = mrg_program_fields(advice->about->program, &n);
    while (schema->names[n_names])
        n_names++;
    for (gsize i = 0; i < n; i++) {
        const MrgProgramField *field = &fields[i];
        const MrgSchemaField *declared = mrg_schema_field(schema, field->name);
        if (declared && !(declared->uses & MRG_USE_MAIL)) {
            g_autofree char *use = g_strdup_printf(
                "field '%s' is not kept for mail: the schema's used_for says otherwise",
                field->name);
            warn(advice, field->template, field->line, field->column, use);
        }
        if (mrg_advice_knows(advice->about, field))
            continue;
        const char *near = mrg_nearest(field->name, schema->names, n_names);
        g_autofree char *message = g_strdup_printf(
            "field '%s' is not declared in the schema%s%s%s", field->name,
            near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
        warn(advice, field->template, field->line, field->column, message);
    }
}

/* ---- the message ---- */

static gboolean
is_blank(const char *text, gsize length)
{
    while (length && g_ascii_isspace(text[length - 1]))
        length--;
    return !length;
}

static gboolean
has_subject(const MrgLayout *layout)
{
    const char *subject = mrg_layout_subject(layout);
    return subject && !is_blank(subject, strlen(subject));
}

static void
advise_alternative(const Advice *advice)
{
    gsize n;
    gboolean has_html = FALSE;
    const MrgPart *parts = mrg_layout_parts(advice->about->layout, &n), *empty = NULL;
    for (gsize i = 0; i < n; i++) {
        has_html |= parts[i].is_html && !parts[i].is_amp;
        if (parts[i].is_html)
            continue;
        if (!is_blank(parts[i].text, parts[i].length))
            return;
        empty = empty ? empty : &parts[i];
    }
    if (has_html && empty)
        warn(advice, empty->name, 1, 1,
             "the plain text beside the HTML is empty: whoever reads text alone gets an "
             "empty mail");
    else if (has_html)
        warn(advice, NULL, 0, 0,
             "there is HTML and no text/plain beside it: whoever reads text alone gets "
             "what their program makes of it, and filters count it against the mail");
}

/* Whether a text may say how to leave: in the languages of the collector's pages, or in a
 * block, into which nobody looks here. */
static gboolean
may_offer_leave(const MrgTemplate *template)
{
    static const char *const words[] = {
        "unsub",     "opt-out",   "optout",        "opt_out", "preferences",
        "abmeld",    "abbestell", "désab",         "desab",   "désinscri",
        "desinscri", "de baja",   "darse-de-baja", "لغو",     "block_for",
        "{{>",       "{{#>",      "{{~>",          "{{~#>"};
    g_autofree char *valid = g_utf8_make_valid(template->text, (gssize) template->length);
    g_autofree char *text = g_utf8_strdown(valid, -1);
    for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
        if (strstr(text, words[i]))
            return TRUE;
    return FALSE;
}

/* The stamp has a header of its own for every class that one can leave. */
static void
advise_leave(const Advice *advice)
{
    static const char header[] = "List-Unsubscribe";
    const MrgAdvised *about = advice->about;
    gboolean has_own = mrg_envelope_header(about->envelope, header) != NULL;
    if (!about->conf || strcmp(about->campaign->class_name, "transactional") == 0)
        return;
    if (*about->conf->stamp_base_url && has_own)
        warn(advice, "header List-Unsubscribe", 0, 0,
             "no copy keeps this: Merganser's own, which leads to base_url in [stamp], "
             "takes its place");
    if (*about->conf->stamp_base_url || has_own || mrg_program_uses_urls(about->program))
        return;
    for (gsize i = 0; i < about->n_templates; i++)
        if (about->templates[i].escape != MRG_ESCAPE_HEADER &&
            may_offer_leave(&about->templates[i]))
            return;
    warn(advice, NULL, 0, 0,
         "nobody can unsubscribe: there is no link to do so, no List-Unsubscribe, and "
         "without base_url in [stamp] none is added");
}

static void
advise_message(const Advice *advice)
{
    if (!has_subject(advice->about->layout))
        warn(advice, NULL, 0, 0, "the message has no Subject");
    advise_alternative(advice);
    advise_leave(advice);
}

GArray *
mrg_advice_find(const MrgAdvised *about, MrgArena *arena)
{
    const Advice advice = {about, arena, g_array_new(FALSE, FALSE, sizeof(MrgFinding))};
    for (gsize i = 0; i < about->n_templates; i++) {
        advise_remarks(&advice, &about->templates[i]);
        advise_links(&advice, &about->templates[i]);
    }
    advise_fields(&advice);
    if (about->envelope)
        advise_message(&advice);
    return advice.findings;
}

/* ---- rehearsals ---- */

GArray *
mrg_advice_rehearse(const MrgRehearsal *rehearsal, const MrgScene *scene, MrgArena *arena)
{
    const MrgPlan *plan = scene->merge.plan;
    MrgDialect dialect = MRG_DIALECT_HANDLEBARS;
    if (!plan)
        return g_array_new(FALSE, FALSE, sizeof(MrgFinding));
    mrg_dialect_parse(scene->merge.campaign.dialect, &dialect);
    g_autofree MrgTemplate *templates = mrg_advice_templates(
        plan->fields, plan->n_fields, plan->parts, plan->n_parts, dialect);
    const MrgAdvised about = {.templates = templates,
                              .n_templates = plan->n_fields + plan->n_parts,
                              .program = plan->program,
                              .schema = rehearsal->conf->schema,
                              .conf = rehearsal->conf,
                              .path = rehearsal->path,
                              .campaign = &scene->merge.campaign,
                              .envelope = scene->envelope,
                              .layout = plan->layout};
    return mrg_advice_find(&about, arena);
}

const char *
mrg_advice_of_copy(const MrgScene *scene)
{
    const GArray *headers = scene->merge.copy.headers;
    if (!scene->is_out || !has_subject(scene->merge.plan->layout))
        return NULL;
    for (guint i = 0; i < headers->len; i++) {
        const MrgCopyHeader *header = &g_array_index(headers, MrgCopyHeader, i);
        if (g_ascii_strcasecmp(header->name, "Subject") != 0)
            continue;
        g_autofree char *subject = mrg_mail_header(header->value);
        return *subject ? NULL : "the Subject is empty for this person";
    }
    return NULL;
}
