/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/stamp/links.h"
#include "milter/stamp/places.h"
#include "milter/stamp/stamp.h"

/* Where a link leads. */
typedef struct Link {
    const char *target;   /* with campaign parameters */
    gboolean is_extended; /* by these */
    gboolean is_static;
    gsize index; /* of a static one */
} Link;

/* A place of a template. */
typedef struct Mark {
    MrgStampPlace place; /* where in the template */
    const char *written; /* what stands there in every copy; NULL: values make it */
} Mark;

struct MrgLinks {
    GArray *marks; /* Mark; the ids of the program's count them */
    MrgArena *arena;
    const char *base_url;
    const char
        *prefix[2]; /* of a tracked address, in text and in HTML; as all pairs here */
    gsize prefix_length[2];
    MrgUtm utm;
    GHashTable *by_written[2]; /* as the template writes it, to Link */
    GHashTable *by_target;     /* to Link */
    GPtrArray *targets;
    guint32 **numbers; /* a cell, atomic; NULL in it until they are known */
};

MrgLinks *
mrg_links_new(const char *base_url, const MrgUtm *utm)
{
    MrgLinks *links = g_new0(MrgLinks, 1);
    links->arena = mrg_arena_new();
    links->base_url = base_url;
    links->utm = *utm;
    for (gsize i = 0; i < G_N_ELEMENTS(links->prefix) && base_url; i++) {
        g_autofree char *escaped =
            i ? g_markup_escape_text(base_url, -1) : g_strdup(base_url);
        links->prefix[i] = mrg_arena_printf(links->arena, "%s/c/", escaped);
        links->prefix_length[i] = strlen(links->prefix[i]);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(links->by_written); i++)
        links->by_written[i] = g_hash_table_new(g_str_hash, g_str_equal);
    links->by_target = g_hash_table_new(g_str_hash, g_str_equal);
    links->targets = g_ptr_array_new();
    links->marks = g_array_new(FALSE, FALSE, sizeof(Mark));
    links->numbers = mrg_arena_array(links->arena, guint32 *, 1);
    return links;
}

void
mrg_links_free(MrgLinks *links)
{
    if (!links)
        return;
    for (gsize i = 0; i < G_N_ELEMENTS(links->by_written); i++)
        g_hash_table_unref(links->by_written[i]);
    g_hash_table_unref(links->by_target);
    g_ptr_array_unref(links->targets);
    g_array_unref(links->marks);
    g_free(*links->numbers);
    mrg_arena_free(links->arena);
    g_free(links);
}

static gboolean
is_ours(const MrgLinks *links, const char *url)
{
    gsize n = links->base_url ? strlen(links->base_url) : 0;
    return n && strncmp(url, links->base_url, n) == 0 && (url[n] == '/' || !url[n]);
}

/* FALSE for a link that is left alone. */
static gboolean
read_link(const MrgLinks *links, MrgArena *arena, const char *written, gsize length,
          gboolean is_html, const char *base, Link *link)
{
    const char *url = mrg_url_read(arena, written, length, is_html, base);
    if (!url || is_ours(links, url))
        return FALSE;
    *link = (Link){.target = mrg_url_add_utm(arena, url, &links->utm)};
    link->is_extended = link->target != url;
    return TRUE;
}

/* ---- static links ---- */

/* A link that is tracked and in which nothing varies, else NULL. */
static const Link *
add_static(MrgLinks *links, const char *written, gsize length, gboolean is_html)
{
    GHashTable *by_written = links->by_written[is_html ? 1 : 0];
    const char *key = mrg_arena_dup(links->arena, written, length);
    Link *link = g_hash_table_lookup(by_written, key);
    if (link || memchr(written, '{', length))
        return link;
    link = mrg_arena_array(links->arena, Link, 1);
    if (!read_link(links, links->arena, written, length, is_html, NULL, link))
        return NULL;
    const Link *same = g_hash_table_lookup(links->by_target, link->target);
    link->is_static = TRUE;
    link->index = same ? same->index : links->targets->len;
    g_hash_table_insert(by_written, (gpointer) key, link);
    if (same)
        return link;
    g_hash_table_insert(links->by_target, (gpointer) link->target, link);
    g_ptr_array_add(links->targets, (gpointer) link->target);
    return link;
}

MrgStampPlaces
mrg_links_add(MrgLinks *links, const char *text, gsize length, gboolean is_html)
{
    g_autoptr(GArray) places = g_array_new(FALSE, FALSE, sizeof(MrgStampPlace));
    (is_html ? mrg_places_of_html : mrg_places_of_text)(text, length, places);
    MrgStampPlace *items = mrg_arena_array(links->arena, MrgStampPlace, places->len);
    for (guint i = 0; i < places->len; i++) {
        items[i] = g_array_index(places, MrgStampPlace, i);
        if (items[i].kind == MRG_PLACE_LINK)
            items[i].link =
                add_static(links, text + items[i].start, items[i].length, is_html);
    }
    return (MrgStampPlaces){items, places->len};
}

/* ---- templates ---- */

static void
mark(MrgLinks *links, const char *text, MrgStampPlace place, GArray *marks)
{
    const char *written = text + place.start;
    gboolean is_fixed = !memchr(written, '{', place.length);
    const MrgLandmark landmark = {.at = place.start, .id = links->marks->len};
    if (place.kind == MRG_PLACE_LINK)
        place.link = add_static(links, written, place.length, TRUE);
    const Mark mark = {place, is_fixed ? mrg_arena_dup(links->arena, written, place.length)
                                       : NULL};
    g_array_append_val(links->marks, mark);
    g_array_append_val(marks, landmark);
}

static void
find_marks(gpointer context, const char *text, gsize length, GArray *marks)
{
    MrgLinks *links = context;
    const MrgLandmark lost = {.id = MRG_LANDMARK_LOST};
    g_autoptr(GArray) places = g_array_new(FALSE, FALSE, sizeof(MrgStampPlace));
    if (!mrg_places_of_template(text, length, places))
        g_array_append_val(marks, lost);
    for (guint i = 0; i < places->len; i++)
        mark(links, text, g_array_index(places, MrgStampPlace, i), marks);
}

MrgMarker
mrg_links_marker(MrgLinks *links)
{
    return (MrgMarker){find_marks, links};
}

/* Whether the place is in the finished text where the mark says, and how long it is. */
static gboolean
is_there(const Mark *mark, const char *text, gsize length, MrgStampPlace *place)
{
    if (!mark->written)
        return mrg_places_measure(text, length, place);
    return place->length <= length - place->start &&
           memcmp(text + place->start, mark->written, place->length) == 0;
}

gboolean
mrg_links_find(const MrgLinks *links, MrgArena *arena, const MrgLandmark *marks, gsize n,
               gsize start, const char *text, gsize length, MrgStampPlaces *places)
{
    gsize end = 0, n_items = 0;
    MrgStampPlace *items = mrg_arena_alloc(arena, n * sizeof *items);
    for (gsize i = 0; i < n; i++) {
        gsize at = marks[i].at - start;
        if (marks[i].id == MRG_LANDMARK_LOST || at < end || at > length)
            return FALSE;
        if (marks[i].id == MRG_LANDMARK_RAW) {
            end = at + marks[i].length;
            if (end > length || !mrg_places_are_none(text + at, marks[i].length))
                return FALSE;
            continue;
        }
        const Mark *mark = &g_array_index(links->marks, Mark, marks[i].id);
        MrgStampPlace *place = &items[n_items++];
        *place = mark->place;
        place->start = at;
        if (!is_there(mark, text, length, place))
            return FALSE;
        end = at + place->length;
    }
    *places = (MrgStampPlaces){items, n_items};
    return TRUE;
}

/* ---- what the store numbers ---- */

const char *const *
mrg_links_targets(const MrgLinks *links, gsize *n)
{
    *n = links->targets->len;
    return (const char *const *) links->targets->pdata;
}

gboolean
mrg_links_need_numbers(const MrgLinks *links)
{
    return links->targets->len && !g_atomic_pointer_get(links->numbers);
}

void
mrg_links_set_numbers(MrgLinks *links, const guint32 *numbers)
{
    guint32 *copy = g_memdup2(numbers, links->targets->len * sizeof *numbers);
    if (!g_atomic_pointer_compare_and_exchange(links->numbers, NULL, copy))
        g_free(copy);
}

/* ---- a copy ---- */

typedef struct Writer {
    const MrgStampContext *context;
    const guint32 *numbers; /* of static links; NULL: not known yet */
    MrgTokenPurpose purpose;
    MrgProposal *proposal;
    gsize part;
    guint is_html;    /* 0 or 1 */
    const char *base; /* of relative addresses, or NULL */
    gboolean is_tracking;
    gboolean has_acted;
} Writer;

static void
propose(Writer *writer, const MrgStampPlace *place, const char *text, gsize length)
{
    *mrg_proposal_splice(writer->proposal, writer->part) =
        (MrgSplice){place->start, place->length, text, length};
    writer->has_acted = TRUE;
}

/* The number of a static link; 0 for one that has none.  Inert tokens need none. */
static guint16
number_of(const Writer *writer, const Link *link)
{
    guint32 number = link->is_static && writer->numbers ? writer->numbers[link->index] : 0;
    return number <= G_MAXUINT16 ? (guint16) number : 0;
}

/* The address with its campaign parameters, as the text writes addresses. */
static void
extend(Writer *writer, const MrgStampPlace *place, const Link *link)
{
    const char *quote = writer->is_html && !place->quote ? "\"" : "";
    const char *escaped = writer->is_html
                              ? mrg_stamp_escape(writer->context->arena, link->target)
                              : link->target;
    const char *text =
        mrg_arena_printf(writer->context->arena, "%s%s%s", quote, escaped, quote);
    if (link->is_extended)
        propose(writer, place, text, strlen(text));
}

/* An attribute without quotes gets some.  number is the link's. */
static void
track(Writer *writer, const MrgStampPlace *place, const Link *link, guint16 number)
{
    const MrgStampContext *context = writer->context;
    const MrgLinks *links = context->links;
    gboolean is_numbered = number || (context->is_inert && link->is_static);
    gsize n_prefix = links->prefix_length[writer->is_html];
    gsize n_target = is_numbered ? 0 : strlen(link->target);
    gsize n_token = MRG_TOKEN_LENGTH + (n_target * 4 + 2) / 3;
    gsize n_quote = writer->is_html && !place->quote ? 1 : 0;
    char *text = mrg_arena_alloc(context->arena, n_prefix + n_token + 2 * n_quote + 1);
    char *token = text + n_quote + n_prefix;
    memset(text, '"', n_quote);
    memcpy(text + n_quote, links->prefix[writer->is_html], n_prefix);
    if (is_numbered)
        mrg_sealer_seal(context->sealer, writer->purpose, number, token);
    else
        n_token = mrg_sealer_seal_target(context->sealer, writer->purpose, link->target,
                                         n_target, token);
    memset(token + n_token, '"', n_quote);
    propose(writer, place, text, 2 * n_quote + n_prefix + n_token);
    writer->proposal->tracked |= MRG_TRACKED_CLICKS;
}

static const Link *
find_static(const MrgStampContext *context, const char *written, gsize length,
            guint is_html)
{
    const char *key = mrg_arena_dup(context->arena, written, length);
    return g_hash_table_lookup(context->links->by_written[is_html], key);
}

static void
write_link(Writer *writer, const MrgStampPlace *place, const char *written)
{
    const MrgStampContext *context = writer->context;
    const Link *known = place->link;
    Link link;
    if (!known)
        known = find_static(context, written, place->length, writer->is_html);
    if (!known && !read_link(context->links, context->arena, written, place->length,
                             writer->is_html, writer->base, &link))
        return;
    if (!known)
        known = &link;
    guint16 number = number_of(writer, known);
    if (writer->is_tracking && (number || strlen(known->target) <= MRG_TARGET_MAX))
        track(writer, place, known, number);
    else
        extend(writer, place, known);
}

static void
write_part(Writer *writer)
{
    const MrgRendered *text = &writer->proposal->texts[writer->part];
    const MrgStampPlaces places =
        mrg_proposal_places(writer->context, writer->proposal, writer->part);
    writer->base = NULL;
    for (gsize i = 0; i < places.n; i++) {
        const MrgStampPlace *place = &places.items[i];
        const char *written = text->text + place->start;
        if (place->kind == MRG_PLACE_LINK)
            write_link(writer, place, written);
        else if (place->kind == MRG_PLACE_BASE && !writer->base)
            writer->base =
                mrg_url_read(writer->context->arena, written, place->length, TRUE, NULL);
        else if (place->kind == MRG_PLACE_NO_TRACK && writer->is_tracking)
            propose(writer, place, "", 0);
    }
}

static gboolean
may_track(const MrgStampContext *context, const MrgPart *part)
{
    return context->may_track_click && context->links->base_url &&
           (part->is_html || context->may_track_text);
}

/* The parts in which links are tracked, or those in which they are not. */
static gboolean
write_links(const MrgStampContext *context, MrgProposal *proposal, gboolean is_tracking)
{
    Writer writer = {.context = context,
                     .numbers = g_atomic_pointer_get(context->links->numbers),
                     .purpose = context->is_inert ? MRG_TOKEN_INERT : MRG_TOKEN_CLICK,
                     .proposal = proposal,
                     .is_tracking = is_tracking};
    for (gsize i = 0; i < proposal->n_parts; i++) {
        const MrgPart *part = &proposal->parts[i];
        if (part->is_amp || may_track(context, part) != is_tracking)
            continue;
        writer.part = i;
        writer.is_html = part->is_html ? 1 : 0;
        write_part(&writer);
    }
    return writer.has_acted;
}

gboolean
mrg_stamp_links(const MrgStampContext *context, MrgProposal *proposal)
{
    return context->links && write_links(context, proposal, TRUE);
}

gboolean
mrg_stamp_utm(const MrgStampContext *context, MrgProposal *proposal)
{
    const char *const *domains = context->links ? context->links->utm.domains : NULL;
    return domains && *domains && write_links(context, proposal, FALSE);
}
