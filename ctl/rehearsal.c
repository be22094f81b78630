/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "ctl/owner.h"
#include "ctl/rehearsal.h"
#include "milter/clock.h"

/* The message is read again for each scene, since a merge works in its envelope's arena. */
static MrgEnvelope *
read_envelope(const MrgRehearsal *rehearsal, GError **error)
{
    const MrgIntakeRules *rules = mrg_pipeline_rules(rehearsal->pipeline);
    g_autoptr(MrgEnvelope) envelope = mrg_envelope_new(MRG_ROLE_MERGE, "");
    if (!mrg_envelope_read(envelope, &rules->limits, rehearsal->text, rehearsal->length,
                           error)) {
        g_prefix_error(error, "%s:", rehearsal->path);
        return NULL;
    }
    return g_steal_pointer(&envelope);
}

static gboolean
open_pipeline(MrgRehearsal *rehearsal, MrgPeopleKind kind, GError **error)
{
    MrgConf *conf = rehearsal->conf;
    if (kind != MRG_PEOPLE_INVENTED && !mrg_owner_become(conf->keys_file, error))
        return FALSE;
    rehearsal->keyring = kind == MRG_PEOPLE_INVENTED
                             ? mrg_keyring_new_ephemeral(error)
                             : mrg_keyring_load(conf->keys_file, error);
    if (!rehearsal->keyring)
        return FALSE;
    MrgStore *store = kind == MRG_PEOPLE_STORED ? mrg_conf_open_store(conf, error)
                                                : mrg_store_open(conf->milter_plugin_dir,
                                                                 "memory", NULL, 0, error);
    rehearsal->pipeline = mrg_pipeline_new_with(conf, rehearsal->keyring, store, error);
    rehearsal->store = rehearsal->pipeline ? store : NULL;
    return rehearsal->pipeline != NULL;
}

static gboolean
read_message(MrgRehearsal *rehearsal, gboolean *is_campaign, GError **error)
{
    const MrgIntakeRules *rules = mrg_pipeline_rules(rehearsal->pipeline);
    /* Twice the body: room for the headers; the bounds of the milter still hold inside. */
    gsize limit = rules->limits.body_bytes * 2 + rules->limits.header_bytes;
    if (!mrg_read_file(rehearsal->path, limit, &rehearsal->text, &rehearsal->length, error))
        return FALSE;
    g_autoptr(MrgEnvelope) envelope = read_envelope(rehearsal, error);
    *is_campaign = envelope && envelope->is_campaign;
    return envelope != NULL;
}

int
mrg_rehearsal_open(MrgRehearsal *rehearsal, const MrgTool *tool, const char *path,
                   MrgPeopleKind kind)
{
    int code = EX_OK;
    gboolean is_campaign;
    g_autoptr(GError) error = NULL;
    *rehearsal = (MrgRehearsal){.path = path, .now_us = mrg_clock_now_us()};
    rehearsal->conf = mrg_verb_conf(tool, &code);
    if (!rehearsal->conf)
        return code;
    if (!open_pipeline(rehearsal, kind, &error) ||
        !read_message(rehearsal, &is_campaign, &error))
        return mrg_verb_fail(error);
    if (is_campaign)
        return EX_OK;
    g_printerr("merganser: %s: no X-Campaign header: the milter would pass it untouched\n",
               path);
    return EX_DATAERR;
}

void
mrg_rehearsal_close(MrgRehearsal *rehearsal)
{
    g_clear_pointer(&rehearsal->pipeline, mrg_pipeline_unref);
    g_clear_pointer(&rehearsal->keyring, mrg_keyring_unref);
    g_clear_pointer(&rehearsal->conf, mrg_conf_unref);
    g_clear_pointer(&rehearsal->text, g_free);
}

MrgScene *
mrg_scene_new(const MrgRehearsal *rehearsal, const char *address, MrgMode mode)
{
    const MrgIntakeRules *rules = mrg_pipeline_rules(rehearsal->pipeline);
    MrgScene *scene = g_new0(MrgScene, 1);
    scene->address = address;
    scene->envelope = read_envelope(rehearsal, NULL);
    g_assert(scene->envelope); /* it could be read when the rehearsal was opened */
    mrg_envelope_add_recipient(scene->envelope, &rules->limits, address);
    mrg_merge_init(&scene->merge, rehearsal->pipeline, scene->envelope, mode,
                   rehearsal->now_us);
    mrg_merge_run(&scene->merge);
    MrgVerdict verdict = scene->merge.disposition->verdict;
    scene->is_out = mode != MRG_MODE_CHECK &&
                    (verdict == MRG_VERDICT_DELIVER || verdict == MRG_VERDICT_HOLD);
    mrg_buffer_init(&scene->message, G_MAXINT32);
    if (scene->is_out)
        mrg_copy_write(&scene->merge.copy, scene->envelope, &scene->message);
    return scene;
}

void
mrg_scene_free(MrgScene *scene)
{
    if (!scene)
        return;
    mrg_buffer_clear(&scene->message);
    mrg_merge_clear(&scene->merge);
    mrg_envelope_free(scene->envelope);
    g_free(scene);
}

const char *
mrg_scene_verdict(const MrgScene *scene)
{
    return mrg_verdict_name(scene->merge.disposition->verdict);
}

int
mrg_scene_code(const MrgScene *scene)
{
    switch (scene->merge.disposition->verdict) {
    case MRG_VERDICT_DEFER:
        return EX_TEMPFAIL;
    case MRG_VERDICT_REJECT:
        return EX_DATAERR;
    default:
        return EX_OK;
    }
}

json_t *
mrg_scene_times(const MrgScene *scene)
{
    json_t *steps = json_object();
    for (gsize i = 0; mrg_step_name(i); i++)
        json_object_set_new(steps, mrg_step_name(i), json_integer(scene->merge.took_us[i]));
    return steps;
}
