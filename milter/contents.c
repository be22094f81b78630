/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <pthread.h>
#include <string.h>

#include "milter/contents.h"

/* The lengths of the texts and then the texts, behind each other. */
typedef struct Content {
    MrgMessageKey key;
    gsize n_texts, n_bytes;
    guint8 bytes[];
} Content;

struct MrgContents {
    pthread_mutex_t lock;
    Content *kept[MRG_CONTENTS_KEPT]; /* the one used last in front */
};

static Content *
content_new(const char *const *texts, const gsize *lengths, gsize n, gsize n_bytes)
{
    Content *content = g_malloc(sizeof *content + n_bytes);
    guint8 *at = content->bytes;
    content->n_texts = n;
    content->n_bytes = n_bytes;
    memcpy(at, lengths, n * sizeof *lengths);
    at += n * sizeof *lengths;
    for (gsize i = 0; i < n; at += lengths[i++])
        if (lengths[i])
            memcpy(at, texts[i], lengths[i]);
    return content;
}

static gboolean
is_equal(const Content *content, const char *const *texts, const gsize *lengths, gsize n,
         gsize n_bytes)
{
    const guint8 *at = content->bytes;
    if (content->n_bytes != n_bytes || content->n_texts != n ||
        memcmp(at, lengths, n * sizeof *lengths) != 0)
        return FALSE;
    at += n * sizeof *lengths;
    for (gsize i = 0; i < n; at += lengths[i++])
        if (lengths[i] && memcmp(at, texts[i], lengths[i]) != 0)
            return FALSE;
    return TRUE;
}

MrgContents *
mrg_contents_new(void)
{
    MrgContents *contents = g_new0(MrgContents, 1);
    pthread_mutex_init(&contents->lock, NULL);
    return contents;
}

void
mrg_contents_free(MrgContents *contents)
{
    if (!contents)
        return;
    for (gsize i = 0; i < MRG_CONTENTS_KEPT; i++)
        g_free(contents->kept[i]);
    pthread_mutex_destroy(&contents->lock);
    g_free(contents);
}

/* Takes the content; the one used longest ago goes.  Two threads that miss at once both put
 * theirs, which costs a place and nothing else. */
static void
put_in_front(MrgContents *contents, Content *content)
{
    gsize at = 0;
    while (at < MRG_CONTENTS_KEPT - 1 && contents->kept[at] != content)
        at++;
    if (contents->kept[at] != content)
        g_free(contents->kept[at]);
    memmove(contents->kept + 1, contents->kept, at * sizeof *contents->kept);
    contents->kept[0] = content;
}

static gboolean
recall(MrgContents *contents, const char *const *texts, const gsize *lengths, gsize n,
       gsize n_bytes, MrgMessageKey *key)
{
    gboolean is_found = FALSE;
    pthread_mutex_lock(&contents->lock);
    for (gsize i = 0; i < MRG_CONTENTS_KEPT && contents->kept[i] && !is_found; i++) {
        Content *content = contents->kept[i];
        is_found = is_equal(content, texts, lengths, n, n_bytes);
        if (!is_found)
            continue;
        *key = content->key;
        put_in_front(contents, content);
    }
    pthread_mutex_unlock(&contents->lock);
    return is_found;
}

void
mrg_contents_key(MrgContents *contents, const MrgKeyring *keyring, const char *const *texts,
                 const gsize *lengths, gsize n, MrgMessageKey *key)
{
    gsize n_bytes = n * sizeof *lengths;
    for (gsize i = 0; i < n; i++)
        n_bytes += lengths[i];
    gboolean is_small = n_bytes <= MRG_CONTENT_BYTES_MAX;
    if (is_small && recall(contents, texts, lengths, n, n_bytes, key))
        return;
    mrg_message_key(keyring, texts, lengths, n, key);
    if (!is_small)
        return;
    Content *content = content_new(texts, lengths, n, n_bytes);
    content->key = *key;
    pthread_mutex_lock(&contents->lock);
    put_in_front(contents, content);
    pthread_mutex_unlock(&contents->lock);
}
