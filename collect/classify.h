/* SPDX-License-Identifier: Apache-2.0 */
/*
 * classify: whether it was a person who opened or clicked, and how we know.
 *
 * In this order, and the first that says something counts:
 *
 *     method       HEAD is nobody's way to read                            scanner
 *     header       Purpose, Sec-Purpose and X-Moz say it is ahead          prefetch
 *     trap         a link that nobody can see was followed, by this copy   scanner
 *     agent        a line of agents.conf that is not `human`
 *     network      a line of networks.conf
 *     burst        three links of one copy or more within a second         scanner
 *     time         sooner after the copy was made than anybody reads       prefetch,
 * scanner agent        a line of agents.conf that is `human`                   human
 *
 * and else unknown.  Gmail's proxy is `proxy`: it fetches when a person opens, so that is
 * an open; what is prefetched is none, for it says nothing of a person.
 *
 * THREADS    immutable.
 * ERRORS     MRG_ERROR_CONFIG "FILE:LINE:1: what".
 */
#ifndef MRG_CLASSIFY_H
#define MRG_CLASSIFY_H

#include "plugins/merganser-plugin.h"

typedef struct MrgSigns MrgSigns;

/* The two lists; "" for the one that is built in. */
MrgSigns *mrg_signs_load(const char *agents, const char *networks, GError **error);
/* The lists as texts, named in errors by paths. */
MrgSigns *mrg_signs_parse(const char *agents_path, const char *agents,
                          const char *networks_path, const char *networks, GError **error);
void mrg_signs_free(MrgSigns *signs);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgSigns, mrg_signs_free)

/* What other hits of the same copy say. */
typedef struct MrgSurroundings {
    guint n_links; /* different ones that were followed within a second around this hit */
    gboolean is_trapped; /* a link that nobody can see is among them */
} MrgSurroundings;

#define MRG_BURST_LINKS 3
#define MRG_BURST_US G_USEC_PER_SEC
#define MRG_QUICK_S 3 /* sooner after the copy was made nobody reads */

typedef struct MrgSign {
    MrgHitClass hit_class;
    const char *reason; /* borrowed from the signs, or static: "agent: GoogleImageProxy" */
} MrgSign;

/* hit's own class and reason are not read. */
MrgSign mrg_classify(const MrgSigns *signs, const MrgHitRow *hit,
                     const MrgSurroundings *around);

/* phone, tablet, desktop; "" where the agent does not say.  Static. */
const char *mrg_device_of(const MrgSigns *signs, const char *agent);

/* human, proxy, prefetch, scanner, unknown. */
const char *mrg_class_name(MrgHitClass hit_class);

#endif
