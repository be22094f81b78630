/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-form: what comes in a request: the first byte chooses a form, a body of events,
 * X-Forwarded-For, or a target.  What is taken is text, and within its bounds.
 */
#include "config.h"

#include <stdint.h>
#include <string.h>

#include "collect/client.h"
#include "collect/events.h"
#include "collect/form.h"
#include "collect/links.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_form(const char *text, gsize length, MrgArena *arena)
{
    MrgForm form;
    if (!mrg_form_parse(&form, text, length, arena))
        return;
    g_assert_cmpuint(form.n, <=, MRG_FORM_FIELDS_MAX);
    for (gsize i = 0; i < form.n; i++) {
        g_assert_true(g_utf8_validate(form.fields[i].name, -1, NULL));
        g_assert_true(g_utf8_validate(form.fields[i].value, -1, NULL));
        g_assert_nonnull(mrg_form_get(&form, form.fields[i].name));
    }
}

static void
check_event(json_t *object, MrgArena *arena)
{
    static guint8 record[MRG_HIT_BYTES_MAX];
    MrgTagEvent event;
    if (!mrg_tag_event_read(&event, object, NULL, arena))
        return;
    const MrgHit hit = {.kind = event.kind,
                        .name = event.name,
                        .anonymous_id = event.anonymous_id,
                        .event_id = event.event_id,
                        .data = event.data};
    MrgHit read;
    g_assert_true(mrg_hit_decode(&read, record, mrg_hit_encode(&hit, record)));
}

static void
check_events(const char *text, gsize length, MrgArena *arena)
{
    json_t *root = mrg_events_parse(text, length);
    gsize i;
    json_t *each;
    if (!root)
        return;
    check_event(root, arena);
    json_array_foreach(json_object_get(root, "batch"), i, each) check_event(each, arena);
    json_decref(root);
}

static void
check_client(const char *text)
{
    static const char *const words[] = {"127.0.0.0/8", "::1", NULL};
    const char *wrong;
    MrgNetworks *networks = mrg_networks_parse(words, &wrong);
    MrgClient client = {{127, 0, 0, 1}, 4};
    guint8 prefix[6];
    mrg_client_forwarded(&client, text, networks);
    g_assert_true(client.n == 4 || client.n == 16);
    g_assert_cmpuint(mrg_client_prefix(&client, prefix), >, 0);
    mrg_networks_free(networks);
}

static void
check_target(const char *text)
{
    static const char *const origins[] = {"https://shop.example.com", NULL};
    static const MrgSiteConf site = {"shop", "key", origins};
    if (!mrg_target_is_good(text) || !mrg_target_site(text, &site, 1))
        return;
    gsize n = strlen(origins[0]);
    g_assert_cmpint(g_ascii_strncasecmp(text, origins[0], n), ==, 0);
    g_assert_true(!text[n] || strchr("/?#\\", text[n]));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    g_autoptr(MrgArena) arena = mrg_arena_new();
    /* Exactly as long as it says: a byte read behind it is seen. */
    g_autofree char *bytes = g_memdup2(data + 1, size - 1);
    g_autofree char *text = g_strndup(bytes ? bytes : "", size - 1);
    switch (data[0] % 4) {
    case 0:
        check_form(bytes, size - 1, arena);
        break;
    case 1:
        check_events(bytes, size - 1, arena);
        break;
    case 2:
        check_client(text);
        break;
    default:
        check_target(text);
    }
    return 0;
}
