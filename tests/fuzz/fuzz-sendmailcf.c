/* SPDX-License-Identifier: Apache-2.0 */
/* A sendmail.cf of any bytes: every answer is a text or a number within bounds. */
#include "config.h"

#include <glib.h>
#include <stdint.h>
#include <string.h>

#include "ctl/sendmail-cf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *) data, size);
    g_autoptr(MrgSendmailCf) cf = mrg_sendmail_cf_parse(text);
    for (guint i = 0; i < cf->filters->len; i++) {
        const MrgCfFilter *filter = cf->filters->pdata[i];
        g_assert_nonnull(mrg_sendmail_cf_filter(cf, filter->name));
        for (const char *which = "CSRE"; *which; which++)
            g_assert_cmpuint(mrg_sendmail_cf_wait_s(filter, *which), <=, 366 * 86400);
    }
    for (guint i = 0; i < cf->daemons->len; i++) {
        GStrv filters = mrg_sendmail_cf_filters_of(cf, cf->daemons->pdata[i]);
        for (char **name = filters; *name; name++)
            g_assert_true(**name && !strpbrk(*name, ",;"));
    }
    for (guint i = 0; i < cf->mailers->len; i++) {
        const MrgCfMailer *mailer = cf->mailers->pdata[i];
        g_assert_nonnull(mrg_sendmail_cf_mailer(cf, mailer->name));
        g_assert_cmpuint(mailer->n_recipients, >, 0);
    }
    return 0;
}
