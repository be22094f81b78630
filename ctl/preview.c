/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preview: the bytes that would leave for one person, through the same pipeline as the
 * daemon's, without a commit and with tokens that mean nothing.
 */
#include "config.h"

#include "ctl/verb.h"
#include "milter/clock.h"

static json_t *
steps_json(const MrgMerge *merge)
{
    json_t *steps = json_object();
    for (gsize i = 0; mrg_step_name(i); i++)
        json_object_set_new(steps, mrg_step_name(i), json_integer(merge->took_us[i]));
    return steps;
}

static int
print_result(const MrgTool *tool, const MrgMerge *merge)
{
    MrgVerdict verdict = merge->disposition->verdict;
    gboolean is_out = verdict == MRG_VERDICT_DELIVER || verdict == MRG_VERDICT_HOLD;
    g_auto(MrgBuffer) message;
    mrg_buffer_init(&message, G_MAXINT32);
    if (is_out)
        mrg_copy_write(&merge->copy, merge->envelope, &message);
    if (tool->is_json) {
        json_t *result = json_pack(
            "{s:s,s:s,s:s?,s:o}", "verdict", mrg_verdict_name(verdict), "reason",
            merge->reason, "stamps", merge->stamps, "microseconds", steps_json(merge));
        if (is_out)
            mrg_json_set_bytes(result, "message", message.data, message.length);
        mrg_print_json(result);
        return EX_OK;
    }
    if (is_out)
        fwrite(message.data, 1, message.length, stdout);
    else
        g_printerr("merganser: %s (%s): nothing would be sent\n", mrg_verdict_name(verdict),
                   merge->reason);
    if (is_out || verdict == MRG_VERDICT_DROP)
        return EX_OK;
    return verdict == MRG_VERDICT_DEFER ? EX_TEMPFAIL : EX_DATAERR;
}

static MrgEnvelope *
read_message(const char *path, const MrgIntakeRules *rules, const char *to, GError **error)
{
    g_autofree char *text = NULL;
    gsize length;
    g_autoptr(MrgEnvelope) envelope = mrg_envelope_new(MRG_ROLE_MERGE, "");
    /* Twice the body: room for the headers; the bounds of the milter still hold inside. */
    gsize limit = rules->limits.body_bytes * 2 + rules->limits.header_bytes;
    if (!mrg_read_file(path, limit, &text, &length, error))
        return NULL;
    if (!mrg_envelope_read(envelope, &rules->limits, text, length, error)) {
        g_prefix_error(error, "%s:", path);
        return NULL;
    }
    mrg_envelope_add_recipient(envelope, &rules->limits, to);
    return g_steal_pointer(&envelope);
}

int
mrg_verb_preview(MrgTool *tool, int argc, char **argv)
{
    g_autofree char *to = NULL;
    const GOptionEntry entries[] = {
        {"to", 0, 0, G_OPTION_ARG_STRING, &to, "the recipient", "ADDRESS"}, {0}};
    int code = mrg_verb_parse(tool, &argc, &argv, entries, 1);
    if (!code && !to)
        return mrg_verb_usage("--to ADDRESS is missing");
    g_autoptr(MrgConf) conf = code ? NULL : mrg_verb_conf(tool, &code);
    if (!conf)
        return code;
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgPipeline) pipeline = mrg_pipeline_new(conf, &error);
    g_autoptr(MrgEnvelope) envelope =
        pipeline ? read_message(argv[1], mrg_pipeline_rules(pipeline), to, &error) : NULL;
    if (!envelope)
        return mrg_verb_fail(error);
    if (!envelope->is_campaign) {
        g_printerr(
            "merganser: %s: no X-Campaign header: the milter would pass it untouched\n",
            argv[1]);
        return EX_DATAERR;
    }
    MrgMerge merge;
    mrg_merge_init(&merge, pipeline, envelope, MRG_MODE_PREVIEW, mrg_clock_now_us());
    mrg_merge_run(&merge);
    code = print_result(tool, &merge);
    mrg_merge_clear(&merge);
    return code;
}
