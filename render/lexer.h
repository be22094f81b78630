/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lexer: a handlebars template, token by token.
 *
 * Follows the lexical grammar of handlebars.js 4.7 (its documentation and its
 * published test data), with two kind exceptions: {{elsewhere}} is a name, and
 * list.0 needs no brackets.
 *
 * OWNERSHIP  tokens point into the template, or into the arena where an escape
 *            had to be taken out.
 * ERRORS     mrg_lexer_next() is FALSE and the source has failed.
 */
#ifndef MRG_RENDER_LEXER_H
#define MRG_RENDER_LEXER_H

#include "render/source.h"

typedef enum {
    MRG_TOKEN_END,
    MRG_TOKEN_CONTENT,
    MRG_TOKEN_COMMENT,
    MRG_TOKEN_INVERSE, /* {{^}} and {{else}}, whole */
    MRG_TOKEN_OPEN,    /* {{ and {{& */
    MRG_TOKEN_OPEN_UNESCAPED,
    MRG_TOKEN_OPEN_BLOCK,
    MRG_TOKEN_OPEN_INVERSE, /* {{^name */
    MRG_TOKEN_OPEN_CHAIN,   /* {{else name */
    MRG_TOKEN_OPEN_END,
    MRG_TOKEN_OPEN_PARTIAL,
    MRG_TOKEN_OPEN_PARTIAL_BLOCK,
    MRG_TOKEN_OPEN_DECORATOR,
    MRG_TOKEN_OPEN_DECORATOR_BLOCK,
    MRG_TOKEN_OPEN_RAW,  /* {{{{ */
    MRG_TOKEN_CLOSE_RAW, /* }}}} */
    MRG_TOKEN_END_RAW,   /* {{{{/name}}}}, whole */
    MRG_TOKEN_CLOSE,
    MRG_TOKEN_CLOSE_UNESCAPED,
    MRG_TOKEN_NAME,
    MRG_TOKEN_SEPARATOR,
    MRG_TOKEN_DATA,
    MRG_TOKEN_EQUALS,
    MRG_TOKEN_STRING,
    MRG_TOKEN_NUMBER,
    MRG_TOKEN_TRUE,
    MRG_TOKEN_FALSE,
    MRG_TOKEN_NULL,
    MRG_TOKEN_UNDEFINED,
    MRG_TOKEN_OPEN_CALL,
    MRG_TOKEN_CLOSE_CALL,
    MRG_TOKEN_OPEN_PARAMS, /* as | */
    MRG_TOKEN_PIPE
} MrgTokenType;

typedef struct MrgToken {
    MrgTokenType type;
    gsize offset;
    MrgSlice slice;          /* content, name or string, without its quotes */
    gboolean has_left_strip; /* {{~ */
    gboolean has_right_strip;
    gboolean is_raw;     /* {{& */
    gboolean is_literal; /* a name in [brackets] */
    gboolean is_escaped; /* content that an escape \{{ begins */
} MrgToken;

typedef struct MrgLexer {
    MrgSource *source;
    MrgArena *arena;
    gsize at;
    gsize tag;              /* where the tag began */
    gboolean is_in_tag;     /* between {{ and }} */
    gboolean is_escaped;    /* behind \ of \{{ */
    gboolean opens_raw;     /* the tag began with {{{{ */
    gboolean is_raw;        /* between {{{{name}}}} and {{{{/name}}}} */
    gboolean is_expression; /* the text is the inside of a tag */
    MrgTokenType last;
} MrgLexer;

void mrg_lexer_init(MrgLexer *lexer, MrgSource *source, MrgArena *arena);
gboolean mrg_lexer_next(MrgLexer *lexer, MrgToken *token);

#endif
