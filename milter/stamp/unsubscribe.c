/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "milter/stamp/stamp.h"

/* Google's Feedback-ID: "a:b:c:SenderId", and 5 to 15 characters for the last. */
#define SENDER_ID_MAX 15

/* One click, by POST (RFC 8058, 3.1); a GET shows a page. */
gboolean
mrg_stamp_unsubscribe(const MrgStampContext *context, MrgProposal *proposal)
{
    if (!context->base_url)
        return FALSE;
    const char *const pieces[] = {"<", mrg_stamp_url(context, MRG_TOKEN_UNSUBSCRIBE), ">",
                                  NULL};
    mrg_proposal_set_header(proposal, "List-Unsubscribe",
                            mrg_stamp_join(context->arena, pieces));
    mrg_proposal_set_header(proposal, "List-Unsubscribe-Post",
                            "List-Unsubscribe=One-Click");
    return TRUE;
}

static gboolean
has_header(const MrgCopy *copy, const char *name)
{
    for (guint i = 0; i < copy->headers->len; i++)
        if (g_ascii_strcasecmp(g_array_index(copy->headers, MrgCopyHeader, i).name, name) ==
            0)
            return TRUE;
    return FALSE;
}

/* The class as a label of a list id (RFC 2919, 2): a list is what one can leave. */
static const char *
list_label(const MrgStampContext *context)
{
    char *label = mrg_arena_strdup(context->arena, context->campaign->class_name);
    return g_strcanon(label, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-", '-');
}

static const char *
sender_id(const MrgStampContext *context)
{
    char *id = mrg_arena_strdup(context->arena, context->list_domain);
    if (strlen(id) > SENDER_ID_MAX)
        id[SENDER_ID_MAX] = '\0';
    return g_strcanon(id, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-", '-');
}

/* Fields that the sender chose stay. */
gboolean
mrg_stamp_list(const MrgStampContext *context, MrgProposal *proposal)
{
    if (!context->list_domain)
        return FALSE;
    const char *label = list_label(context);
    gboolean has_id = has_header(proposal->copy, "List-Id");
    gboolean has_feedback = has_header(proposal->copy, "Feedback-ID");
    if (!has_id)
        mrg_proposal_set_header(
            proposal, "List-Id",
            mrg_arena_printf(context->arena, "<%s.%s>", label, context->list_domain));
    if (!has_feedback)
        mrg_proposal_set_header(proposal, "Feedback-ID",
                                mrg_arena_printf(context->arena, "%s:%s:merganser:%s",
                                                 context->campaign->id, label,
                                                 sender_id(context)));
    return !has_id || !has_feedback;
}

/* Complaints and bounces quote the headers, and often no recipient: the reference says
 * whose copy it was, to us alone. */
gboolean
mrg_stamp_report(const MrgStampContext *context, MrgProposal *proposal)
{
    if (!context->base_url)
        return FALSE;
    mrg_proposal_set_header(proposal, "X-Report-Ref",
                            mrg_stamp_token(context, MRG_TOKEN_REPORT));
    return TRUE;
}
