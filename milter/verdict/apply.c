/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "milter/verdict/apply.h"
#include "milter/verdict/edits.h"

/* Headers first, then the whole body in one go: what Postfix expects. */
static gboolean
edit_message(const MrgMta *mta, const MrgEnvelope *envelope, const MrgCopy *copy)
{
    g_autoptr(GArray) edits = mrg_edits_new(envelope, copy);
    for (guint i = 0; i < edits->len; i++) {
        const MrgEdit *edit = &g_array_index(edits, MrgEdit, i);
        gboolean is_done =
            edit->index ? mta->api->change_header(mta->context, edit->name, edit->index,
                                                  edit->value)
                        : mta->api->add_header(mta->context, edit->name, edit->value);
        if (!is_done)
            return FALSE;
    }
    return !copy->is_body_changed ||
           mta->api->replace_body(mta->context, copy->body.data, copy->body.length);
}

MrgAnswer
mrg_apply(const MrgMta *mta, const MrgDisposition *disposition, const char *text,
          const MrgEnvelope *envelope, const MrgCopy *copy)
{
    switch (disposition->verdict) {
    case MRG_VERDICT_DELIVER:
    case MRG_VERDICT_HOLD:
        if (!edit_message(mta, envelope, copy))
            return MRG_ANSWER_TEMPFAIL;
        if (disposition->verdict == MRG_VERDICT_HOLD &&
            !mta->api->quarantine(mta->context, text))
            return MRG_ANSWER_TEMPFAIL;
        break;
    case MRG_VERDICT_REJECT:
    case MRG_VERDICT_DEFER:
        /* Without a text of ours the MTA has one of its own: not worth a failure. */
        (void) mta->api->set_reply(mta->context, disposition->code, disposition->enhanced,
                                   text);
        break;
    case MRG_VERDICT_DROP:
        break;
    }
    return disposition->answer;
}
