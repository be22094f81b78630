/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mta: an MTA that keeps a message's headers and body and does what it is asked, as
 * Postfix does: header indexes count per name from 1 in what stands there now.
 */
#ifndef MRG_FAKE_MTA_H
#define MRG_FAKE_MTA_H

#include "milter/intake/envelope.h"
#include "milter/intake/mta.h"

typedef struct FakeMta {
    GPtrArray *names, *values; /* char * */
    GByteArray *body;
    GString *calls; /* "change|body|..." */
    char *reply, *quarantine, *redirected;
    int fail_at; /* the call, from 0, that is refused; -1: none */
    int n_calls;
} FakeMta;

FakeMta *fake_mta_new(const MrgEnvelope *envelope);
void fake_mta_free(FakeMta *fake);
MrgMta fake_mta_handle(FakeMta *fake);

/* "Name: value" and line end for each header; the caller frees. */
char *fake_mta_headers(const FakeMta *fake);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FakeMta, fake_mta_free)

#endif
