/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "ctl/clip.h"
#include "ctl/mail.h"

char *
mrg_clip_size(gsize n)
{
    return g_strdup_printf("%" G_GSIZE_FORMAT " kB", (n + 1023) / 1024);
}

const char *
mrg_clip_remedy(const MrgConf *conf)
{
    if (conf && conf->stamp_pixel_position == MRG_PIXEL_TOP)
        return "less HTML helps";
    return "less HTML helps, and with pixel_position = top in [stamp] opens count all the "
           "same";
}

gsize
mrg_clip_html_bytes(const MrgPart *parts, gsize n_parts)
{
    gsize most = 0;
    for (gsize i = 0; i < n_parts; i++)
        if (parts[i].is_html && !parts[i].is_amp)
            most = MAX(most, parts[i].length);
    return most;
}

gsize
mrg_clip_scene_bytes(const MrgScene *scene)
{
    MrgMail mail = {0};
    if (!scene->is_out)
        return 0;
    mrg_mail_read(&mail, scene->message.data, scene->message.length);
    gsize n = mrg_clip_html_bytes(mail.parts, mail.n_parts);
    mrg_mail_clear(&mail);
    return n;
}

char *
mrg_clip_scene_warning(const MrgConf *conf, gsize n)
{
    g_autofree char *size = mrg_clip_size(n);
    if (n <= MRG_CLIP_BYTES)
        return NULL;
    return g_strdup_printf("the HTML has %s, and Gmail cuts it off at 102 kB: %s", size,
                           mrg_clip_remedy(conf));
}
