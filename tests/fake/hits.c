/* SPDX-License-Identifier: Apache-2.0 */
/* hits: prints the hits of a journal, a line each, for tests. */
#include "config.h"

#include "collect/hit.h"
#include "collect/journal.h"

static void
print_hit(const MrgHit *hit)
{
    g_print("kind=%d\tflags=%u\tat=%" G_GINT64_FORMAT "\tcampaign=%u"
            "\tmessage=%" G_GUINT64_FORMAT "\tlink=%u\ttoken=%d\tperson=",
            hit->kind, hit->flags, hit->at_us, hit->campaign, hit->message, hit->link,
            hit->has_token);
    for (gsize i = 0; i < MRG_KEY_BYTES; i++)
        g_print("%02x", hit->person.bytes[i]);
    g_print("\tnetwork=");
    for (guint i = 0; i < hit->network_bytes; i++)
        g_print("%02x", hit->network[i]);
    g_print("\ttarget=%s\tsite=%s\tanonymous=%s\tevent=%s\tname=%s\tscope=%s\tdata=%s"
            "\tagent=%s\tlanguage=%s\treferrer=%s\n",
            hit->target, hit->site, hit->anonymous_id, hit->event_id, hit->name, hit->scope,
            hit->data, hit->agent, hit->language, hit->referrer_host);
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MrgJournalReader) reader =
        argc == 2 ? mrg_journal_reader_open(argv[1], &error) : NULL;
    const guint8 *record;
    gsize length;
    MrgJournalPosition after;
    if (!reader) {
        g_printerr("hits: %s\n", error ? error->message : "which journal?");
        return 1;
    }
    MrgHit hit;
    while (mrg_journal_read(reader, &record, &length, &after, &error) ==
           MRG_JOURNAL_RECORD) {
        if (!mrg_hit_decode(&hit, record, length)) {
            g_printerr("hits: a record cannot be read\n");
            return 1;
        }
        print_hit(&hit);
    }
    if (error)
        g_printerr("hits: %s\n", error->message);
    return error != NULL;
}
