/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/stamp/stamp.h"

#define SPLICES_USUAL 64 /* room from the start */
#define PIECES_MAX 16    /* of a text that is joined */

typedef enum {
    NEEDS_NOTHING, /* or asks for itself, for each part */
    NEEDS_OPEN_CONSENT,
    NEEDS_NO_TRANSACTION /* marketing mail only */
} Need;

typedef struct Stamp {
    const char *name;
    Need need;
    MrgStampFunction *propose;
} Stamp;

/* In the order in which they look at the copy. */
static const Stamp stamps[] = {
    {"links", NEEDS_NOTHING, mrg_stamp_links},
    {"utm", NEEDS_NOTHING, mrg_stamp_utm},
    {"pixel", NEEDS_OPEN_CONSENT, mrg_stamp_pixel},
    {"unsubscribe", NEEDS_NO_TRANSACTION, mrg_stamp_unsubscribe},
    {"list", NEEDS_NO_TRANSACTION, mrg_stamp_list},
    {"report", NEEDS_NOTHING, mrg_stamp_report},
};

const char *
mrg_stamp_token(const MrgStampContext *context, MrgTokenPurpose purpose)
{
    char *text = mrg_arena_alloc(context->arena, MRG_TOKEN_LENGTH + 1);
    mrg_sealer_seal(context->sealer, context->is_inert ? MRG_TOKEN_INERT : purpose, 0,
                    text);
    return text;
}

const char *
mrg_stamp_escape(MrgArena *arena, const char *text)
{
    if (!strpbrk(text, "&<>\"'"))
        return text;
    g_autofree char *escaped = g_markup_escape_text(text, -1);
    return mrg_arena_strdup(arena, escaped);
}

const char *
mrg_stamp_join(MrgArena *arena, const char *const *pieces)
{
    gsize lengths[PIECES_MAX], length = 0, n = 0;
    for (; pieces[n]; n++) {
        g_assert(n < PIECES_MAX);
        lengths[n] = strlen(pieces[n]);
        length += lengths[n];
    }
    char *text = mrg_arena_alloc(arena, length + 1);
    char *out = text;
    for (gsize i = 0; i < n; i++) {
        memcpy(out, pieces[i], lengths[i]);
        out += lengths[i];
    }
    *out = '\0';
    return text;
}

const char *
mrg_stamp_url(const MrgStampContext *context, MrgTokenPurpose purpose)
{
    static const char letters[] = {
        [MRG_TOKEN_INERT] = '-',       [MRG_TOKEN_OPEN] = 'o',
        [MRG_TOKEN_CLICK] = 'c',       [MRG_TOKEN_UNSUBSCRIBE] = 'u',
        [MRG_TOKEN_PREFERENCES] = 'p', [MRG_TOKEN_VIEW] = 'v'};
    if (!context->base_url)
        return NULL;
    const char slash[] = {'/', letters[purpose], '/', '\0'};
    const char *const pieces[] = {context->base_url, slash,
                                  mrg_stamp_token(context, purpose), NULL};
    return mrg_stamp_join(context->arena, pieces);
}

MrgStampPlaces
mrg_proposal_places(const MrgStampContext *context, MrgProposal *proposal, gsize part)
{
    if (context->places && context->places[part].n != G_MAXSIZE)
        return context->places[part];
    GArray *places = proposal->places[part];
    const MrgRendered *text = &proposal->texts[part];
    if (!places) {
        places = g_array_new(FALSE, FALSE, sizeof(MrgStampPlace));
        (proposal->parts[part].is_html ? mrg_places_of_html : mrg_places_of_text)(
            text->text, text->length, places);
        proposal->places[part] = places;
    }
    return (MrgStampPlaces){(const MrgStampPlace *) (gpointer) places->data, places->len};
}

static void
forget_places(MrgProposal *proposal)
{
    for (gsize i = 0; i < proposal->n_parts; i++)
        g_clear_pointer(&proposal->places[i], g_array_unref);
}

static void
make_room(MrgArena *arena, MrgSplices *splices)
{
    gsize n = splices->n_max ? 2 * splices->n_max : SPLICES_USUAL;
    MrgSplice *items = mrg_arena_alloc(arena, n * sizeof *items);
    if (splices->n)
        memcpy(items, splices->items, splices->n * sizeof *items);
    splices->items = items;
    splices->n_max = n;
}

MrgSplice *
mrg_proposal_splice(MrgProposal *proposal, gsize part)
{
    MrgSplices *splices = &proposal->splices[part];
    if (splices->n == splices->n_max)
        make_room(proposal->arena, splices);
    return &splices->items[splices->n++];
}

void
mrg_proposal_set_header(MrgProposal *proposal, const char *name, const char *value)
{
    g_assert(proposal->n_headers < G_N_ELEMENTS(proposal->headers));
    proposal->headers[proposal->n_headers++] = (MrgStampHeader){name, value};
}

static gboolean
is_met(const MrgStampContext *context, Need need)
{
    switch (need) {
    case NEEDS_NOTHING:
        return TRUE;
    case NEEDS_OPEN_CONSENT:
        return context->may_track_open;
    case NEEDS_NO_TRANSACTION:
        return !context->is_transactional;
    }
    return FALSE;
}

/* What each part says now; the layout's text where nothing was rendered. */
static MrgRendered *
current_texts(MrgArena *arena, const MrgPart *parts, const MrgRendered *rendered, gsize n)
{
    MrgRendered *texts = mrg_arena_array(arena, MrgRendered, n);
    for (gsize i = 0; i < n; i++)
        texts[i] = rendered[i].is_changed
                       ? rendered[i]
                       : (MrgRendered){FALSE, parts[i].text, parts[i].length};
    return texts;
}

static gint
compare_splices(gconstpointer a, gconstpointer b, G_GNUC_UNUSED gpointer data)
{
    const MrgSplice *one = a;
    const MrgSplice *other = b;
    return one->start < other->start ? -1 : one->start > other->start;
}

static gboolean
is_sorted(const MrgSplices *splices)
{
    for (gsize i = 1; i < splices->n; i++)
        if (splices->items[i - 1].start > splices->items[i].start)
            return FALSE;
    return TRUE;
}

static void
append(char **out, const char *text, gsize length)
{
    memcpy(*out, text, length);
    *out += length;
}

static void
splice_text(MrgArena *arena, MrgRendered *part, const MrgRendered *text,
            const MrgSplices *splices)
{
    gsize length = text->length;
    for (gsize i = 0; i < splices->n; i++)
        length += splices->items[i].length;
    char *start = mrg_arena_alloc(arena, length + 1);
    char *out = start;
    gsize at = 0;
    for (gsize i = 0; i < splices->n; i++) {
        const MrgSplice *splice = &splices->items[i];
        g_assert(at <= splice->start && splice->start <= text->length &&
                 splice->removed <= text->length - splice->start);
        append(&out, text->text + at, splice->start - at);
        append(&out, splice->text, splice->length);
        at = splice->start + splice->removed;
    }
    append(&out, text->text + at, text->length - at);
    *out = '\0';
    *part = (MrgRendered){TRUE, start, (gsize) (out - start)};
}

static void
apply_splices(MrgArena *arena, const MrgProposal *proposal, MrgRendered *parts)
{
    for (gsize i = 0; i < proposal->n_parts; i++) {
        const MrgSplices *splices = &proposal->splices[i];
        if (!is_sorted(splices))
            g_qsort_with_data(splices->items, (gint) splices->n, sizeof *splices->items,
                              compare_splices, NULL);
        if (splices->n)
            splice_text(arena, &parts[i], &proposal->texts[i], splices);
    }
}

static void
apply_headers(MrgArena *arena, const MrgProposal *proposal, MrgCopy *copy)
{
    for (gsize i = 0; i < proposal->n_headers; i++)
        mrg_copy_set_header(copy, arena, proposal->headers[i].name,
                            proposal->headers[i].value);
}

static const char *
run_stamps(const MrgStampContext *context, MrgProposal *proposal)
{
    const char *pieces[2 * G_N_ELEMENTS(stamps) + 1] = {NULL};
    G_STATIC_ASSERT(G_N_ELEMENTS(pieces) <= PIECES_MAX);
    gsize n = 0;
    for (gsize i = 0; i < G_N_ELEMENTS(stamps); i++) {
        if (!is_met(context, stamps[i].need) || !stamps[i].propose(context, proposal))
            continue;
        if (n)
            pieces[n++] = ",";
        pieces[n++] = stamps[i].name;
    }
    return mrg_stamp_join(context->arena, pieces);
}

void
mrg_stamp_apply(MrgStampContext *context, const MrgLayout *layout, MrgRendered *parts,
                MrgCopy *copy)
{
    MrgProposal proposal = {.copy = copy, .arena = context->arena};
    proposal.parts = mrg_layout_parts(layout, &proposal.n_parts);
    proposal.texts = current_texts(context->arena, proposal.parts, parts, proposal.n_parts);
    proposal.places = mrg_arena_array(context->arena, GArray *, proposal.n_parts);
    proposal.splices = mrg_arena_array(context->arena, MrgSplices, proposal.n_parts);
    context->names = run_stamps(context, &proposal);
    context->tracked = proposal.tracked;
    forget_places(&proposal);
    apply_splices(context->arena, &proposal, parts);
    apply_headers(context->arena, &proposal, copy);
}

const char *
mrg_stamp_names(const MrgStampContext *context)
{
    return context->names ? context->names : "";
}
