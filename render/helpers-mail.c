/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "render/helper.h"

/* FNV-1a, 64 bits (draft-eastlake-fnv): the seed is a secret's hash already, this only
 * mixes in the salt. */
#define FNV_OFFSET G_GUINT64_CONSTANT(0xcbf29ce484222325)
#define FNV_PRIME G_GUINT64_CONSTANT(0x100000001b3)

static guint64
mix(guint64 hash, const void *bytes, gsize length)
{
    const guint8 *at = bytes;
    for (gsize i = 0; i < length; i++)
        hash = (hash ^ at[i]) * FNV_PRIME;
    return hash;
}

/* The last step of MurmurHash3's 64 bits, so that every bit of the hash counts. */
static guint64
finish(guint64 hash)
{
    hash = (hash ^ hash >> 33) * G_GUINT64_CONSTANT(0xff51afd7ed558ccd);
    hash = (hash ^ hash >> 33) * G_GUINT64_CONSTANT(0xc4ceb9fe1a85ec53);
    return hash ^ hash >> 33;
}

MrgValue
mrg_helper_hash_pick(MrgHelperCall *call)
{
    const MrgValue *salt = mrg_call_argument(call, "salt", G_MAXUINT);
    gboolean is_list = call->n_args == 1 && call->args[0].type == MRG_VALUE_LIST;
    const MrgValue *choices = is_list ? call->args[0].items : call->args;
    guint32 n = is_list ? call->args[0].length : call->n_args;
    guint64 hash = mix(FNV_OFFSET, call->input->seed, call->input->seed_length);
    if (!n)
        return mrg_call_nothing();
    if (salt) {
        MrgValue text = mrg_call_text(call, salt);
        mrg_call_charge(call, text.length);
        hash = mix(hash, text.text, mrg_call_is_over(call) ? 0 : text.length);
    }
    return choices[finish(hash) % n];
}

static MrgValue
give_url(MrgHelperCall *call, const char *url)
{
    if (!url || !*url)
        return mrg_call_fail(call,
                             "there is no such link here: [stamp] base_url is not set");
    return mrg_value_cstring(url);
}

MrgValue
mrg_helper_unsubscribe_url(MrgHelperCall *call)
{
    return give_url(call, call->input->urls.unsubscribe);
}

MrgValue
mrg_helper_preferences_url(MrgHelperCall *call)
{
    return give_url(call, call->input->urls.preferences);
}

MrgValue
mrg_helper_view_url(MrgHelperCall *call)
{
    return give_url(call, call->input->urls.view);
}
