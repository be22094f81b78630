/* SPDX-License-Identifier: Apache-2.0 */
/*
 * words: the words of the ledger as people and files write them: purposes, scopes, reasons,
 * times, and where a consent comes from.
 *
 * The store keeps one text as the source of a consent.  It is "SOURCE", or where the words
 * are known that the person agreed to, "SOURCE; text=VERSION".
 */
#ifndef MRG_WORDS_OF_LEDGER_H
#define MRG_WORDS_OF_LEDGER_H

#include <glib.h>

#include "plugins/merganser-plugin.h"

#define MRG_SOURCE_BYTES_MAX 128 /* and of a text version */

/* receive, receive:CLASS, track_open, track_click, profile, predict. */
gboolean mrg_word_is_purpose(const char *text);
#define MRG_PURPOSES_TEXT \
    "receive, receive:CLASS, track_open, track_click, profile and predict"

/* all, class:NAME, list:NAME. */
gboolean mrg_word_is_scope(const char *text);
/* What may be given as one; "erased" comes from erasing alone. */
gboolean mrg_word_is_reason(const char *text);
#define MRG_REASONS_TEXT "unsubscribed, complained, bounced or manual"

/* Printable, without ";" and not too long. */
gboolean mrg_word_is_source(const char *text);

/* "SOURCE; text=VERSION"; text_version may be NULL. The caller frees. */
char *mrg_source_join(const char *source, const char *text_version);
/* The two; *text_version is NULL where there is none.  The caller frees both. */
void mrg_source_split(const char *joined, char **source, char **text_version);

/* When a consent was given that nobody knows the time of: before all others, so that it
 * never takes back what a person withdrew.  One that denies counts from now on. */
#define MRG_UNDATED_US 0
gint64 mrg_consent_undated(MrgConsentState state, gint64 now_us);

const char *mrg_consent_word(MrgConsentState state); /* granted, denied, unknown */

/* ISO 8601: a date, or a date and a time with its zone; microseconds are kept. */
gboolean mrg_time_parse(const char *text, gint64 *at_us);
/* "2026-11-23T22:55:00.123456Z", without the fraction where it is none; the caller frees.
 */
char *mrg_time_exact(gint64 at_us);
/* A time, or how long from now on: "2026-12-24" or "30d". */
gboolean mrg_until_parse(const char *text, gint64 now_us, gint64 *until_us);

#endif
