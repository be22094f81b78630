/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protocol: the words of the milter protocol, version 6.
 *
 * A packet is a length of four bytes, most significant first, then so many bytes: a command
 * and what belongs to it.  Texts end with a NUL.  The source is include/libmilter/mfdef.h
 * and mfapi.h of sendmail 8.17; Postfix's MILTER_README says what it does with them.
 */
#ifndef MRG_PROTOCOL_H
#define MRG_PROTOCOL_H

#define MRG_MILTER_VERSION 6
/* Neither side takes more of another's body or header in one packet. */
#define MRG_MILTER_DATA_MAX 65535

/* What the MTA says. */
typedef enum {
    MRG_TOLD_ABORT = 'A',
    MRG_TOLD_BODY = 'B',
    MRG_TOLD_CONNECT = 'C',
    MRG_TOLD_MACROS = 'D', /* for the command named by the first byte */
    MRG_TOLD_END = 'E',    /* of the message; may bring a last piece of the body */
    MRG_TOLD_HELO = 'H',
    MRG_TOLD_QUIT_NEXT = 'K', /* another SMTP connection follows on this one */
    MRG_TOLD_HEADER = 'L',
    MRG_TOLD_MAIL = 'M',
    MRG_TOLD_HEADERS_END = 'N',
    MRG_TOLD_OPTIONS = 'O',
    MRG_TOLD_QUIT = 'Q',
    MRG_TOLD_RECIPIENT = 'R',
    MRG_TOLD_DATA = 'T',
    MRG_TOLD_UNKNOWN = 'U'
} MrgTold;

/* What it is answered: one of these ends an event. */
typedef enum {
    MRG_SAY_ACCEPT = 'a',
    MRG_SAY_CONTINUE = 'c',
    MRG_SAY_DISCARD = 'd',
    MRG_SAY_REJECT = 'r',
    MRG_SAY_TEMPFAIL = 't',
    MRG_SAY_REPLY = 'y', /* an SMTP reply of our own */
    /* Edits, at the end of a message only. */
    MRG_SAY_ADD_RECIPIENT = '+',
    MRG_SAY_DELETE_RECIPIENT = '-',
    MRG_SAY_ADD_HEADER = 'h',
    MRG_SAY_CHANGE_HEADER = 'm',
    MRG_SAY_QUARANTINE = 'q',
    MRG_SAY_REPLACE_BODY = 'b'
} MrgSay;

/* Edits that the MTA offers and a milter wants (SMFIF_). */
enum {
    MRG_ACTION_ADD_HEADER = 0x001,
    MRG_ACTION_REPLACE_BODY = 0x002,
    MRG_ACTION_ADD_RECIPIENT = 0x004,
    MRG_ACTION_DELETE_RECIPIENT = 0x008,
    MRG_ACTION_CHANGE_HEADER = 0x010,
    MRG_ACTION_QUARANTINE = 0x020,
    MRG_ACTION_CHOOSE_MACROS = 0x100
};

/* Steps that the MTA can leave out, or that it can do without an answer to (SMFIP_). */
enum {
    MRG_STEP_NO_HELO = 0x2,
    MRG_STEP_SILENT_HEADER = 0x80,
    MRG_STEP_NO_UNKNOWN = 0x100,
    MRG_STEP_NO_DATA = 0x200,
    MRG_STEP_SILENT_MAIL = 0x4000,
    MRG_STEP_SILENT_BODY = 0x80000,
    MRG_STEP_EXACT_VALUE = 0x100000 /* header values begin right behind the colon */
};

/* Steps for which a milter chooses macros (SMFIM_). */
enum { MRG_MACROS_CONNECT = 0, MRG_MACROS_MAIL = 2, MRG_MACROS_END = 5 };

#endif
