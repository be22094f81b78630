/* SPDX-License-Identifier: Apache-2.0 */
/* Consent to receive: in general and for a class of mail. */
#include "config.h"

#include "milter/policy/consent.h"

#define GRANTED MRG_CONSENT_GRANTED
#define DENIED MRG_CONSENT_DENIED

static void
the_class_counts_before_the_whole(void)
{
    static const struct {
        MrgConsent consents[2];
        MrgConsentState fallback;
        const char *class_name, *reason;
    } cases[] = {
        {{{"receive:promo", DENIED, 1, ""}, {"receive", GRANTED, 2, ""}},
         GRANTED,
         "promo",
         "consent: receive denied for this class"},
        {{{"receive:promo", DENIED, 1, ""}, {"receive", GRANTED, 2, ""}},
         DENIED,
         "digest",
         NULL},
        {{{"receive:promo", GRANTED, 2, ""}, {"receive", DENIED, 1, ""}},
         DENIED,
         "promo",
         NULL},
        {{{"receive:promo", GRANTED, 2, ""}, {"receive", DENIED, 2, ""}},
         DENIED,
         "promo",
         NULL},
        {{{"receive:promo", GRANTED, 1, ""}, {"receive", DENIED, 2, ""}},
         GRANTED,
         "promo",
         "consent: receive denied"},
        {{{"receive:promo", GRANTED, 1, ""}, {"receive:promo", DENIED, 2, ""}},
         GRANTED,
         "promo",
         "consent: receive denied for this class"},
        {{{"receive:promo", GRANTED, 1, ""}, {"profile", DENIED, 2, ""}},
         DENIED,
         "promo",
         NULL},
        {{{"receive:promo", GRANTED, 1, ""}, {"profile", DENIED, 2, ""}},
         DENIED,
         "digest",
         "consent: receive not granted"},
        {{{"receive:promo", GRANTED, 1, ""}, {"profile", DENIED, 2, ""}},
         DENIED,
         "promotion",
         "consent: receive not granted"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const MrgState state = {.consents = cases[i].consents, .n_consents = 2};
        const MrgStateView view = {.state = &state};
        g_test_message("case %" G_GSIZE_FORMAT, i);
        g_assert_cmpstr(mrg_consent_reason(&view, cases[i].class_name, cases[i].fallback),
                        ==, cases[i].reason);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/policy/consent/class", the_class_counts_before_the_whole);
    return g_test_run();
}
