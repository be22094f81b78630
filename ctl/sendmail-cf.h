/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sendmail-cf: what a sendmail.cf says of filters, daemons and mailers.
 *
 * Lines as the Sendmail Installation and Operation Guide (doc/op/op.me of 8.17) has them:
 * X for a filter, O for an option, M for a mailer, DS for the smart host; what begins with
 * white space goes on with the line before.  Any text is read: what makes no sense is left
 * out.
 *
 * OWNERSHIP  a configuration owns what it holds.
 * THREADS    one.
 */
#ifndef MRG_SENDMAIL_CF_H
#define MRG_SENDMAIL_CF_H

#include <glib.h>

typedef struct MrgCfFilter {
    char *name;
    char *socket; /* S=, "" for none: "local:/run/merganser/milter" */
    char *flags;  /* F=, "" for none */
    char *times;  /* T=, "" for none: "C:10s;S:30s;R:5m;E:5m" */
} MrgCfFilter;

typedef struct MrgCfDaemon {
    char *name, *address, *port; /* "" where it is not said */
    GStrv filters;               /* its own, in their order; NULL: those of all daemons */
} MrgCfDaemon;

typedef struct MrgCfMailer {
    char *name;
    guint n_recipients; /* r=, of one message; Sendmail's 100 where it is not said */
    char *arguments;    /* A=, "" for none: "TCP $h 10026" */
} MrgCfMailer;

typedef struct MrgSendmailCf {
    GPtrArray *filters, *daemons, *mailers;
    GStrv input_filters;  /* of daemons that name none; empty for none */
    char *smart_host;     /* DS, "" for none: "esmtp:[127.0.0.1]" */
    char *connect_macros; /* that filters are told at the beginning; "" for none */
} MrgSendmailCf;

MrgSendmailCf *mrg_sendmail_cf_parse(const char *text);
void mrg_sendmail_cf_free(MrgSendmailCf *cf);

/* NULL where there is none of the name. */
const MrgCfFilter *mrg_sendmail_cf_filter(const MrgSendmailCf *cf, const char *name);
const MrgCfMailer *mrg_sendmail_cf_mailer(const MrgSendmailCf *cf, const char *name);

/* The filters that mail to a daemon passes; borrowed. */
GStrv mrg_sendmail_cf_filters_of(const MrgSendmailCf *cf, const MrgCfDaemon *daemon);

/* How long a filter is waited for, in seconds; which is C, S, R or E.  Sendmail's own time
 * where it is not said. */
guint64 mrg_sendmail_cf_wait_s(const MrgCfFilter *filter, char which);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MrgSendmailCf, mrg_sendmail_cf_free)

#endif
