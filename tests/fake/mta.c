/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "tests/fake/mta.h"

FakeMta *
fake_mta_new(const MrgEnvelope *envelope)
{
    FakeMta *fake = g_new0(FakeMta, 1);
    fake->names = g_ptr_array_new_with_free_func(g_free);
    fake->values = g_ptr_array_new_with_free_func(g_free);
    fake->body = g_byte_array_new();
    fake->calls = g_string_new(NULL);
    fake->fail_at = -1;
    for (guint i = 0; i < envelope->headers->len; i++) {
        const MrgHeader *header = &g_array_index(envelope->headers, MrgHeader, i);
        g_ptr_array_add(fake->names, g_strdup(header->name));
        g_ptr_array_add(fake->values, g_strdup(header->value));
    }
    g_byte_array_append(fake->body, envelope->body->data, envelope->body->len);
    return fake;
}

void
fake_mta_free(FakeMta *fake)
{
    g_ptr_array_unref(fake->names);
    g_ptr_array_unref(fake->values);
    g_byte_array_unref(fake->body);
    g_string_free(fake->calls, TRUE);
    g_free(fake->reply);
    g_free(fake->quarantine);
    g_free(fake->redirected);
    g_free(fake);
}

char *
fake_mta_headers(const FakeMta *fake)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < fake->names->len; i++) {
        const char *value = g_ptr_array_index(fake->values, i);
        g_string_append_printf(text, "%s: %s\n", (char *) g_ptr_array_index(fake->names, i),
                               value + (*value == ' '));
    }
    return g_string_free(text, FALSE);
}

static gboolean
is_taken(FakeMta *fake, const char *what)
{
    g_string_append_printf(fake->calls, "%s%s", fake->calls->len ? "|" : "", what);
    return fake->n_calls++ != fake->fail_at;
}

static gboolean
change_header(void *mta, const char *name, guint index, const char *value)
{
    FakeMta *fake = mta;
    if (!is_taken(fake, value ? "change" : "delete"))
        return FALSE;
    for (guint i = 0; i < fake->names->len; i++) {
        if (g_ascii_strcasecmp(g_ptr_array_index(fake->names, i), name) != 0 || --index)
            continue;
        if (value) {
            g_free(fake->values->pdata[i]);
            fake->values->pdata[i] = g_strdup(value);
        } else {
            g_ptr_array_remove_index(fake->names, i);
            g_ptr_array_remove_index(fake->values, i);
        }
        return TRUE;
    }
    g_error("there is no such header: %s", name);
}

static gboolean
add_header(void *mta, const char *name, const char *value)
{
    FakeMta *fake = mta;
    g_ptr_array_add(fake->names, g_strdup(name));
    g_ptr_array_add(fake->values, g_strdup(value));
    return is_taken(fake, "add");
}

static gboolean
replace_body(void *mta, const char *body, gsize length)
{
    FakeMta *fake = mta;
    g_byte_array_set_size(fake->body, 0);
    g_byte_array_append(fake->body, (const guint8 *) body, (guint) length);
    return is_taken(fake, "body");
}

static gboolean
quarantine(void *mta, const char *reason)
{
    FakeMta *fake = mta;
    g_free(fake->quarantine);
    fake->quarantine = g_strdup(reason);
    return is_taken(fake, "quarantine");
}

static gboolean
redirect(void *mta, const char *from, const char *to)
{
    FakeMta *fake = mta;
    g_assert_nonnull(from);
    g_free(fake->redirected);
    fake->redirected = g_strdup(to);
    return is_taken(fake, "redirect");
}

static gboolean
set_reply(void *mta, const char *code, const char *enhanced, const char *text)
{
    FakeMta *fake = mta;
    g_free(fake->reply);
    fake->reply = g_strdup_printf("%s %s %s", code, enhanced, text);
    return is_taken(fake, "reply");
}

MrgMta
fake_mta_handle(FakeMta *fake)
{
    static const MrgMtaApi api = {change_header, add_header, replace_body,
                                  quarantine,    redirect,   set_reply};
    return (MrgMta){&api, fake};
}
