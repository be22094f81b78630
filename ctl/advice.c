/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "ctl/advice.h"
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

/* name is that of a template or of a block. */
static void
warn(const Advice *advice, const char *name, guint line, guint column, const char *message)
{
    const MrgAdvised *about = advice->about;
    MrgFinding finding = {.where = name,
                          .line = line,
                          .column = column,
                          .message = mrg_arena_strdup(advice->arena, message)};
    for (gsize i = 0; i < about->n_templates; i++) {
        if (strcmp(about->templates[i].name, name) != 0)
            continue;
        finding.text = about->templates[i].text;
        finding.length = about->templates[i].length;
        break;
    }
    if (about->path)
        finding.where = mrg_arena_printf(advice->arena, "%s: %s", about->path, name);
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

GArray *
mrg_advice_find(const MrgAdvised *about, MrgArena *arena)
{
    const Advice advice = {about, arena, g_array_new(FALSE, FALSE, sizeof(MrgFinding))};
    for (gsize i = 0; i < about->n_templates; i++) {
        advise_remarks(&advice, &about->templates[i]);
        advise_links(&advice, &about->templates[i]);
    }
    advise_fields(&advice);
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
                              .path = rehearsal->path,
                              .campaign = &scene->merge.campaign};
    return mrg_advice_find(&about, arena);
}
