/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits: the hard bounds of compiling and rendering.
 *
 * Hitting one is MRG_RENDER_ERROR_LIMIT with the position, never a truncated
 * text.  The output is bounded by the limit of its buffer.
 */
#ifndef MRG_RENDER_LIMITS_H
#define MRG_RENDER_LIMITS_H

/* Instructions of one run, and what helpers and long values are charged for: a few
 * nanoseconds each, so that the worst template ends within some ten milliseconds. */
#define MRG_LIMIT_STEPS 1000000
#define MRG_LIMIT_TEMPLATE_BYTES (1u << 20)
#define MRG_LIMIT_TEMPLATES 1024
#define MRG_LIMIT_POOL_BYTES (64u << 20) /* literal text of all templates together */
#define MRG_LIMIT_CODE (2u << 20) /* instructions of one program; 64 bytes read are one */
#define MRG_LIMIT_TAGS 50000      /* of one template */
#define MRG_LIMIT_DEPTH 64        /* blocks inside blocks */
#define MRG_LIMIT_CHAIN 512       /* the same, else-if branches counted too */
#define MRG_LIMIT_CALL_DEPTH 16   /* subexpressions inside subexpressions */
#define MRG_LIMIT_ARGUMENTS 16    /* of one call, named ones counted too */
#define MRG_LIMIT_BLOCK_PARAMS 8
#define MRG_LIMIT_PATH_SEGMENTS 32
#define MRG_LIMIT_PATH_UP 32 /* "../" of one path */
#define MRG_LIMIT_NAME_BYTES 256
#define MRG_LIMIT_FALLBACK_BYTES 256  /* {Name|fallback} */
#define MRG_LIMIT_FIELDS 4096         /* of one program */
#define MRG_LIMIT_STACK 256           /* values in hand at once */
#define MRG_LIMIT_DELIMITER_BYTES 16  /* {{=<% %>=}} */
#define MRG_LIMIT_PARTIALS 4096       /* compiled into one program, variants counted */
#define MRG_LIMIT_PARTIAL_DEPTH 128   /* partials inside partials, at run time */
#define MRG_LIMIT_PARTIAL_CALLS 65535 /* of one program */
#define MRG_LIMIT_SLOT_RULES 4096     /* of a block map */
#define MRG_LIMIT_REMARKS 100         /* on one template */
#define MRG_LIMIT_FORMATTERS 64       /* of ICU, kept open */
#define MRG_LIMIT_LIST_DEPTH 64       /* lists inside a list that is printed */

#endif
