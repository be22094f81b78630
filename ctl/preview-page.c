/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "ctl/advice.h"
#include "ctl/clip.h"
#include "ctl/diff.h"
#include "ctl/mail.h"
#include "ctl/preview.h"

#define POLICY                                                                       \
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; " \
    "base-uri 'none'; form-action 'none'"
#define NO_PREFETCH "<meta http-equiv=\"x-dns-prefetch-control\" content=\"off\">"
#define DESKTOP_WIDTH 600
#define PHONE_WIDTH 375

/* A person's turn, and the mail as a reader sees it. */
typedef struct Card {
    const MrgScene *scene;
    MrgMail mail;
    char **texts;   /* of the parts; NULL-terminated */
    GArray **words; /* of texts, then of the preheader and the subject */
    gsize n_texts;
} Card;

typedef struct Page {
    GString *out;
    const MrgConf *conf;
    Card *cards;
    gsize n_cards;
} Page;

/* ---- text -------------------------------------------------------------- */

static void
put(Page *page, const char *html)
{
    g_string_append(page->out, html);
}

/* Whatever comes from a message or a profile: never a tag, an attribute's end or a control
 * character. */
static void
put_text(Page *page, const char *text, gsize length)
{
    for (const char *at = text; at < text + length; at++) {
        const char *entity = *at == '&'    ? "&amp;"
                             : *at == '<'  ? "&lt;"
                             : *at == '>'  ? "&gt;"
                             : *at == '"'  ? "&quot;"
                             : *at == '\'' ? "&#39;"
                                           : NULL;
        if (entity)
            put(page, entity);
        else if ((guchar) *at < 0x20 && *at != '\n' && *at != '\t')
            put(page, "\xef\xbf\xbd");
        else
            g_string_append_c(page->out, *at);
    }
}

static void
put_string(Page *page, const char *text)
{
    put_text(page, text, strlen(text));
}

/* The text with runs of words that others lack in <mark>. */
static void
put_marked(Page *page, const char *text, const GArray *words)
{
    const char *at = text;
    gboolean is_open = FALSE;
    for (guint i = 0; i < words->len; i++) {
        const MrgWord *word = &g_array_index(words, MrgWord, i);
        gsize gap = (gsize) (word->text - at);
        gboolean is_joined = is_open && word->is_other && !memchr(at, '\n', gap);
        if (is_open && !is_joined)
            put(page, "</mark>");
        put_text(page, at, gap);
        if (word->is_other && !is_joined)
            put(page, "<mark>");
        put_text(page, word->text, word->length);
        is_open = word->is_other;
        at = word->text + word->length;
    }
    if (is_open)
        put(page, "</mark>");
    put_string(page, at);
}

/* ---- cards ------------------------------------------------------------- */

static void
card_init(Card *card, const MrgScene *scene)
{
    card->scene = scene;
    if (!scene->is_out)
        return;
    mrg_mail_read(&card->mail, scene->message.data, scene->message.length);
    card->n_texts = card->mail.n_parts;
    card->texts = g_new0(char *, card->n_texts + 1);
    card->words = g_new0(GArray *, card->n_texts + 2);
    for (gsize i = 0; i < card->n_texts; i++) {
        const MrgPart *part = &card->mail.parts[i];
        card->texts[i] = part->is_html ? mrg_html_to_text(part->text, part->length)
                                       : g_strndup(part->text, part->length);
        card->words[i] = mrg_diff_words(card->texts[i]);
    }
    card->words[card->n_texts] = mrg_diff_words(card->mail.preheader);
    card->words[card->n_texts + 1] = mrg_diff_words(card->mail.subject);
}

static void
card_clear(Card *card)
{
    if (!card->scene->is_out)
        return;
    for (gsize i = 0; i < card->n_texts + 2; i++)
        g_array_unref(card->words[i]);
    g_free(card->words);
    g_strfreev(card->texts);
    mrg_mail_clear(&card->mail);
}

/* Copies of one message have the same parts; those that do not are left out. */
static void
compare_cards(Page *page)
{
    const Card *first = NULL;
    g_autoptr(GPtrArray) cards = g_ptr_array_new();
    g_autofree GArray **texts = g_new0(GArray *, page->n_cards);
    for (gsize i = 0; i < page->n_cards; i++) {
        Card *card = &page->cards[i];
        if (!card->scene->is_out || (first && card->n_texts != first->n_texts))
            continue;
        first = first ? first : card;
        g_ptr_array_add(cards, card);
    }
    for (gsize k = 0; first && k < first->n_texts + 2; k++) {
        for (guint i = 0; i < cards->len; i++)
            texts[i] = ((const Card *) g_ptr_array_index(cards, i))->words[k];
        mrg_diff_compare_all(texts, cards->len);
    }
}

/* ---- frames ------------------------------------------------------------ */

/* What no policy covers is not there at all: links that look up names ahead, refreshes,
 * another base. */
static GString *
disarm(const char *html, gsize length)
{
    static const char *const names[] = {"<link", "<meta", "<base"};
    GString *out = g_string_sized_new(length + 64);
    for (gsize i = 0; i < length; i++) {
        g_string_append_c(out, html[i]);
        for (gsize k = 0; html[i] == '<' && k < G_N_ELEMENTS(names); k++)
            if (length - i >= 5 && g_ascii_strncasecmp(html + i, names[k], 5) == 0)
                g_string_append(out, "x-");
    }
    return out;
}

static const MrgPart *
shown_part(const MrgMail *mail)
{
    for (gsize i = 0; i < mail->n_parts; i++)
        if (mail->parts[i].is_html && !mail->parts[i].is_amp)
            return &mail->parts[i];
    return mail->n_parts ? &mail->parts[0] : NULL;
}

static void
put_frame(Page *page, const Card *card, int width, const char *device)
{
    const MrgPart *part = shown_part(&card->mail);
    g_string_append_printf(page->out,
                           "<iframe sandbox=\"\" loading=\"lazy\" "
                           "referrerpolicy=\"no-referrer\" width=\"%d\" title=\"",
                           width);
    put_string(page, card->scene->address);
    g_string_append_printf(page->out, ", %s\" srcdoc=\"", device);
    put_string(page, "<meta http-equiv=\"Content-Security-Policy\" content=\"" POLICY
                     "\">" NO_PREFETCH "<style>a{pointer-events:none}</style>");
    if (part && part->is_html) {
        g_autoptr(GString) html = disarm(part->text, part->length);
        put_text(page, html->str, html->len);
    } else if (part) {
        g_autofree char *text = g_markup_escape_text(part->text, (gssize) part->length);
        put_string(page, "<pre style=\"white-space:pre-wrap;font:14px/1.5 sans-serif\">");
        put_string(page, text);
    }
    put(page, "\"></iframe>\n");
}

static void
put_caption(Page *page, const Card *card)
{
    put(page, "<figcaption><bdi>");
    put_string(page, card->scene->address);
    put(page, "</bdi></figcaption>\n");
}

static void
put_withheld(Page *page, const Card *card)
{
    put(page, "<p class=\"none\"><b>Nothing would be sent.</b><br><bdi>");
    put_string(page, card->scene->merge.reason);
    put(page, "</bdi></p>\n");
}

static void
put_strip_head(Page *page, const char *id, const char *title, const char *note)
{
    g_string_append_printf(page->out,
                           "<section id=\"%s\" aria-labelledby=\"%s-h\">"
                           "<h2 id=\"%s-h\">%s <small>%s</small></h2>\n"
                           "<div class=\"strip %s\" role=\"group\" tabindex=\"0\" "
                           "aria-labelledby=\"%s-h\">\n",
                           id, id, id, title, note, id, id);
}

static void
put_frames(Page *page, const char *device, const char *title, int width)
{
    g_autofree char *note = g_strdup_printf("%d px wide", width);
    put_strip_head(page, device, title, note);
    for (gsize i = 0; i < page->n_cards; i++) {
        const Card *card = &page->cards[i];
        put(page, "<figure>");
        put_caption(page, card);
        if (card->scene->is_out)
            put_frame(page, card, width, device);
        else
            put_withheld(page, card);
        put(page, "</figure>\n");
    }
    put(page, "</div></section>\n");
}

/* ---- the page ---------------------------------------------------------- */

static void
put_size(Page *page, const Card *card)
{
    gsize n = mrg_clip_html_bytes(card->mail.parts, card->mail.n_parts);
    g_autofree char *size = mrg_clip_size(n);
    g_autofree char *warning = mrg_clip_scene_warning(page->conf, n);
    if (warning)
        g_string_append_printf(page->out, "<br><b>Warning: %s.</b>", warning);
    else if (n)
        g_string_append_printf(page->out, "<br>HTML: %s", size);
}

static void
put_own_advice(Page *page, const Card *card)
{
    const char *own = mrg_advice_of_copy(card->scene);
    if (own)
        g_string_append_printf(page->out, "<br><b>Warning: %s.</b>", own);
}

static void
put_verdict(Page *page, const Card *card)
{
    const char *verdict = mrg_scene_verdict(card->scene);
    g_string_append_printf(page->out,
                           "<p class=\"verdict\"><span class=\"%s\">%s</span> <bdi>",
                           verdict, verdict);
    put_string(page, card->scene->merge.reason);
    put(page, "</bdi>");
    if (card->scene->merge.stamps && *card->scene->merge.stamps) {
        /* With spaces, so that a narrow column can break the line between them. */
        g_auto(GStrv) names = g_strsplit(card->scene->merge.stamps, ",", -1);
        g_autofree char *list = g_strjoinv(", ", names);
        put(page, "<br>stamps: ");
        put_string(page, list);
    }
    put_own_advice(page, card);
    put_size(page, card);
    put(page, "</p>");
}

static void
put_inbox_row(Page *page, const Card *card)
{
    put(page, "<li><p class=\"to\"><bdi>");
    put_string(page, card->scene->address);
    put(page, "</bdi></p><div class=\"line\">");
    if (card->scene->is_out) {
        put(page, "<b class=\"from\"><bdi>");
        put_string(page, card->mail.from);
        put(page, "</bdi></b><p class=\"what\"><b class=\"subject\"><bdi>");
        put_marked(page, card->mail.subject, card->words[card->n_texts + 1]);
        put(page, "</bdi></b> <span class=\"preheader\"><bdi>");
        put_marked(page, card->mail.preheader, card->words[card->n_texts]);
        put(page, "</bdi></span></p>");
    } else {
        put(page, "<p class=\"what dim\">No mail.</p>");
    }
    put(page, "</div>");
    put_verdict(page, card);
    put(page, "</li>\n");
}

static void
put_texts(Page *page)
{
    put_strip_head(page, "text", "As text", "marked: what not everybody reads");
    for (gsize i = 0; i < page->n_cards; i++) {
        const Card *card = &page->cards[i];
        put(page, "<figure>");
        put_caption(page, card);
        for (gsize k = 0; card->scene->is_out && k < card->n_texts; k++) {
            put(page, "<h3>");
            put_string(page, card->mail.parts[k].name);
            put(page, "</h3><pre dir=\"auto\">");
            put_marked(page, card->texts[k], card->words[k]);
            put(page, "</pre>\n");
        }
        if (!card->scene->is_out)
            put_withheld(page, card);
        put(page, "</figure>\n");
    }
    put(page, "</div></section>\n");
}

static void
put_head(Page *page, const MrgRehearsal *rehearsal)
{
    const MrgScene *scene = page->cards[0].scene;
    g_autofree char *file = g_path_get_basename(rehearsal->path);
    g_autofree char *shown = g_utf8_make_valid(file, -1);
    const char *subject = mrg_envelope_header(scene->envelope, "Subject");
    g_autofree char *template = mrg_mail_header(subject ? subject : "");
    put(page, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
              "<meta http-equiv=\"Content-Security-Policy\" content=\"" POLICY "\">\n"
              "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
              "<meta name=\"referrer\" content=\"no-referrer\">\n" NO_PREFETCH "\n<title>");
    put_string(page, shown);
    g_string_append_printf(page->out,
                           ", %" G_GSIZE_FORMAT " people</title>\n<style>%s</style>\n",
                           page->n_cards, mrg_preview_css);
    g_string_append_printf(
        page->out,
        "</head>\n<body>\n<main>\n<header><h1>One message, %" G_GSIZE_FORMAT
        " %s</h1>\n<p class=\"dim\"><code>",
        page->n_cards, page->n_cards == 1 ? "person" : "people");
    put_string(page, shown);
    put(page, "</code> · subject <code>");
    put_string(page, template);
    put(page, "</code>");
    if (scene->merge.campaign.id) {
        put(page, " · campaign <code>");
        put_string(page, scene->merge.campaign.id);
        put(page, "</code>");
    }
    put(page, "</p>\n<p class=\"dim\">A preview: nothing was sent or counted, links and "
              "pixels lead nowhere, and foreign images are not loaded.</p>\n"
              "<nav><a href=\"#inbox\">Inbox</a> <a href=\"#desktop\">Desktop</a> "
              "<a href=\"#phone\">Phone</a> <a href=\"#text\">Text</a></nav></header>\n");
}

/* Names of fields come from the message: they are text like all else.  Where the file lies
 * is nothing to whom the page is shown. */
static void
put_advice(Page *page, const MrgRehearsal *rehearsal, const GArray *advice)
{
    const char *slash = strrchr(rehearsal->path, '/');
    gsize folder = slash ? (gsize) (slash + 1 - rehearsal->path) : 0;
    if (!advice->len)
        return;
    put(page, "<section id=\"advice\" aria-labelledby=\"advice-h\"><h2 id=\"advice-h\">"
              "Before it is sent</h2>\n<ul class=\"advice\">\n");
    for (guint i = 0; i < advice->len; i++) {
        const MrgFinding *finding = &g_array_index(advice, MrgFinding, i);
        g_autofree char *where = g_utf8_make_valid(finding->where + folder, -1);
        g_autofree char *message = g_utf8_make_valid(finding->message, -1);
        put(page, "<li><code><bdi>");
        put_string(page, where);
        if (finding->line)
            g_string_append_printf(page->out, ":%u:%u", finding->line, finding->column);
        put(page, "</bdi></code><br><bdi>");
        put_string(page, message);
        put(page, "</bdi></li>\n");
    }
    put(page, "</ul></section>\n");
}

GString *
mrg_preview_page(const MrgRehearsal *rehearsal, const GPtrArray *scenes,
                 const GArray *advice)
{
    Page page = {g_string_new(NULL), rehearsal->conf, g_new0(Card, scenes->len),
                 scenes->len};
    for (gsize i = 0; i < page.n_cards; i++)
        card_init(&page.cards[i], g_ptr_array_index(scenes, i));
    compare_cards(&page);
    put_head(&page, rehearsal);
    put_advice(&page, rehearsal, advice);
    put(&page,
        "<section id=\"inbox\" aria-labelledby=\"inbox-h\"><h2 id=\"inbox-h\">In the "
        "inbox</h2>\n<ol class=\"inbox\">\n");
    for (gsize i = 0; i < page.n_cards; i++)
        put_inbox_row(&page, &page.cards[i]);
    put(&page, "</ol></section>\n");
    put_frames(&page, "desktop", "Desktop", DESKTOP_WIDTH);
    put_frames(&page, "phone", "Phone", PHONE_WIDTH);
    put_texts(&page);
    put(&page, "</main>\n</body>\n</html>\n");
    for (gsize i = 0; i < page.n_cards; i++)
        card_clear(&page.cards[i]);
    g_free(page.cards);
    return page.out;
}
