/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "render/tree.h"

/*
 * The rules are those of handlebars.js 4.7, its oddities included, since templates
 * rely on them: the text is always judged as it was written ("original"), but taken
 * from what is left ("slice"), and a line is only taken once from either side.
 */

typedef struct Verdict {
    MrgStrip strip;
    gboolean is_tag; /* comments and blocks: may stand alone */
    gboolean opens_line, closes_line, is_inline;
} Verdict;

/* Where the run of white space at the start of the text ends; whether it holds a newline.
 */
static gboolean
leading_newline(MrgSlice text, gboolean *is_all)
{
    gsize at = 0, n;
    while ((n = mrg_space_first(text.text + at, text.length - at))) {
        if (text.text[at] == '\n')
            return TRUE;
        at += n;
    }
    *is_all = at == text.length;
    return FALSE;
}

static gboolean
trailing_newline(MrgSlice text, gboolean *is_all)
{
    gsize end = text.length, n;
    while ((n = mrg_space_last(text.text, end))) {
        if (text.text[end - 1] == '\n')
            return TRUE;
        end -= n;
    }
    *is_all = end == 0;
    return FALSE;
}

/* Whether a new line begins behind node; the root's first line begins without one. */
static gboolean
ends_line(const MrgNode *node, gboolean is_root)
{
    if (!node)
        return is_root;
    if (node->type != MRG_NODE_CONTENT)
        return FALSE;
    gboolean is_all = FALSE;
    return trailing_newline(node->original, &is_all) ||
           (is_all && is_root && !node->previous);
}

static gboolean
starts_line(const MrgNode *node, gboolean is_root)
{
    if (!node)
        return is_root;
    if (node->type != MRG_NODE_CONTENT)
        return FALSE;
    gboolean is_all = FALSE;
    return leading_newline(node->original, &is_all) || (is_all && is_root && !node->next);
}

static gboolean
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void
take_all_right_of(MrgNode *node)
{
    gsize n, before = node->slice.length;
    while ((n = mrg_space_first(node->slice.text, node->slice.length)))
        node->slice = (MrgSlice){node->slice.text + n, node->slice.length - n};
    node->is_right_stripped = node->slice.length != before;
}

/* Takes white space from the start of node, which stands right of a tag. */
static void
omit_right(MrgNode *node, gboolean takes_all)
{
    if (!node || node->type != MRG_NODE_CONTENT)
        return;
    if (takes_all) {
        take_all_right_of(node);
        return;
    }
    if (node->is_right_stripped)
        return;
    const char *text = node->slice.text;
    gsize at = 0, end = node->slice.length;
    while (at < end && is_blank(text[at]))
        at++;
    if (at < end && text[at] == '\r')
        at++;
    if (at < end && text[at] == '\n')
        at++;
    node->slice = (MrgSlice){text + at, end - at};
    node->is_right_stripped = at > 0;
}

/* Takes white space from the end of node, which stands left of a tag. */
static void
omit_left(MrgNode *node, gboolean takes_all)
{
    if (!node || node->type != MRG_NODE_CONTENT || (!takes_all && node->is_left_stripped))
        return;
    gsize n, before = node->slice.length;
    const char *text = node->slice.text;
    while (takes_all && (n = mrg_space_last(text, node->slice.length)))
        node->slice.length -= n;
    while (node->slice.length && is_blank(text[node->slice.length - 1]))
        node->slice.length--;
    node->is_left_stripped = node->slice.length != before;
}

static MrgNode *
first_of(const MrgBody *body)
{
    return body ? body->first : NULL;
}

static MrgNode *
last_of(const MrgBody *body)
{
    return body ? body->last : NULL;
}

static void strip_body(MrgBody *body, gboolean is_root, gboolean ignores_lines);

/* The text around {{else}}. */
static void
strip_middle(MrgBlock *block, MrgBody *program, MrgBody *branch, gboolean ignores_lines)
{
    if (block->middle.left)
        omit_left(last_of(program), TRUE);
    if (block->middle.right)
        omit_right(first_of(branch), TRUE);
    if (block->close.left)
        omit_left(last_of(branch), TRUE);
    if (!ignores_lines && ends_line(last_of(program), FALSE) &&
        starts_line(first_of(branch), FALSE)) {
        omit_left(last_of(program), FALSE);
        omit_right(first_of(branch), FALSE);
    }
}

static Verdict
strip_block(MrgBlock *block, gboolean ignores_lines)
{
    if (block->program)
        strip_body(block->program, FALSE, ignores_lines);
    if (block->inverse)
        strip_body(block->inverse, FALSE, ignores_lines);
    MrgBody *program = block->program ? block->program : block->inverse;
    MrgBody *inverse = block->program ? block->inverse : NULL;
    MrgBody *branch = inverse;
    if (inverse && inverse->is_chained)
        branch = inverse->first->block->program;
    Verdict verdict = {.strip = {block->open.left, block->close.right},
                       .is_tag = TRUE,
                       .opens_line = starts_line(first_of(program), FALSE),
                       .closes_line = ends_line(last_of(branch ? branch : program), FALSE)};
    if (block->open.right)
        omit_right(first_of(program), TRUE);
    if (inverse)
        strip_middle(block, program, branch, ignores_lines);
    else if (block->close.left)
        omit_left(last_of(program), TRUE);
    return verdict;
}

static Verdict
strip_inside(MrgNode *node, gboolean ignores_lines)
{
    if (node->block)
        return strip_block(node->block, ignores_lines);
    return (Verdict){.strip = node->strip,
                     .is_tag = node->type != MRG_NODE_CONTENT,
                     .is_inline =
                         node->type == MRG_NODE_COMMENT || node->type == MRG_NODE_PARTIAL};
}

/* The white space at the end of the text before a partial that stands alone. */
static MrgSlice
indent_of(const MrgNode *before)
{
    if (!before || before->type != MRG_NODE_CONTENT)
        return (MrgSlice){"", 0};
    gsize start = before->original.length;
    while (start && is_blank(before->original.text[start - 1]))
        start--;
    return (MrgSlice){before->original.text + start, before->original.length - start};
}

static void
take_lines(MrgNode *node, const Verdict *verdict, gboolean is_after_line,
           gboolean is_before_line)
{
    if (verdict->is_inline && is_after_line && is_before_line) {
        gboolean was_taken = node->previous && node->previous->is_left_stripped;
        omit_right(node->next, FALSE);
        omit_left(node->previous, FALSE);
        if (!was_taken && node->previous && node->previous->is_left_stripped)
            node->indent = indent_of(node->previous);
    }
    const MrgBlock *block = node->block;
    if (verdict->opens_line && is_after_line) {
        omit_right(first_of(block->program ? block->program : block->inverse), FALSE);
        omit_left(node->previous, FALSE);
    }
    if (verdict->closes_line && is_before_line) {
        omit_right(node->next, FALSE);
        omit_left(last_of(block->inverse ? block->inverse : block->program), FALSE);
    }
}

static void
strip_node(MrgNode *node, gboolean is_root, gboolean ignores_lines)
{
    Verdict verdict = strip_inside(node, ignores_lines);
    if (!verdict.is_tag)
        return;
    gboolean is_after_line = ends_line(node->previous, is_root);
    gboolean is_before_line = starts_line(node->next, is_root);
    if (verdict.strip.right)
        omit_right(node->next, TRUE);
    if (verdict.strip.left)
        omit_left(node->previous, TRUE);
    if (!ignores_lines)
        take_lines(node, &verdict, is_after_line, is_before_line);
}

static void
strip_body(MrgBody *body, gboolean is_root, gboolean ignores_lines)
{
    for (MrgNode *node = body->first; node; node = node->next)
        strip_node(node, is_root, ignores_lines);
}

void
mrg_tree_strip(MrgBody *root, gboolean ignores_lines)
{
    strip_body(root, TRUE, ignores_lines);
}
