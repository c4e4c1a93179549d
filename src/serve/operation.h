/* What an operation of the API takes and gives, said beside the code that does it: serve/openapi.h
 * makes the document of it. http_query() knows no parameter that its operation does not name, so
 * none can be forgotten.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_OPERATION_H
#define SERVE_OPERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum parameter_kind {
    PARAMETER_TEXT,
    PARAMETER_WORDS,   /* "a,b,c" */
    PARAMETER_FLAG,    /* "true" or "false" */
    PARAMETER_NUMBER,  /* an integer from 1 to max, `usual` when it is not there */
    PARAMETER_CHOICE,  /* one of of */
    PARAMETER_CHOICES, /* some of of, comma-separated */
    PARAMETER_PATTERN, /* what matches of */
    PARAMETER_TIME,    /* RFC 3339 */
};

struct parameter {
    const char *name; /* NULL ends a list */
    enum parameter_kind kind;
    const char *help;
    const char
        *of; /* "a|b|c"; a regular expression (ECMA 262); of texts and words an example, or NULL */
    int64_t max;    /* 0: none */
    int64_t usual;  /* 0: none */
    bool is_needed; /* else it may be left out */
};

#define TAKES_END {NULL, PARAMETER_TEXT, NULL, NULL, 0, 0, false}

#define MAX_REFUSALS 6

struct operation {
    const char *summary;
    const struct parameter *takes; /* of the query; NULL: none */
    const char *body;              /* shape (serve/shape.h) of a request's; NULL: none is read */
    const char *gives;             /* shape of the answer; NULL: it is no JSON */
    const char *type;              /* of an answer that is no JSON; NULL: there is no such answer */
    int status;                    /* of the answer; 0: 200 */
    short refuses[MAX_REFUSALS];   /* further statuses: beside those that every operation has */
    const char *later;             /* shape of a 503; NULL: an error as all others */
    bool has_spans;      /* 401 may also be a span that is refused, in CoinGecko's words */
    bool is_not_guarded; /* whoever reaches the server may ask */
};

/* Does it take a parameter of this name? */
bool operation_takes(const struct operation *op, const char *name);

#endif
