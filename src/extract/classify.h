/* What an answer is, and what to do about it: one table over status, shape, error code and words.
 *
 * CoinGecko reports errors in at least five shapes, some of them with status 200, and what stands
 * in front of it answers in HTML or plain text. Nothing counts as data before its top-level type is
 * the endpoint's. Permanent is meant for one poll: the next one asks again.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXTRACT_CLASSIFY_H
#define EXTRACT_CLASSIFY_H

#include "extract/endpoints.h"

enum answer_class {
    ANSWER_OK,
    ANSWER_RATE_LIMITED,
    ANSWER_TRANSIENT, /* their trouble: may be over in a moment */
    ANSWER_PERMANENT, /* our request, key or plan: the same again would get the same answer */
    ANSWER_DRIFT,     /* 200 and JSON, but not what the endpoint gives */
    ANSWER_NOT_JSON,
    N_ANSWER_CLASSES
};

/* "ok" "rate_limited" "transient" "permanent" "drift" "not_json": for metrics and logs. */
const char *answer_class_name(enum answer_class class);

/* What was found in a body. */
struct answer_facts {
    bool is_json;
    enum json_event top; /* JSON_ARRAY_BEGIN or JSON_OBJECT_BEGIN; JSON_DONE when not JSON */
    uint32_t n_elements; /* of a top-level array */
    uint32_t n_rows;     /* of these, objects that are rows of the endpoint */
    uint32_t n_plain;    /* and what else the endpoint's array is of: strings, arrays */
    bool has_data;       /* a top-level object has under the endpoint's key what it should */
    uint64_t first_id;   /* hash of the first element's "id"; 0: it has none */
    uint64_t all_ids;    /* of all ids in whatever order; 0: there is none */
    bool has_error;      /* it is one of the known error shapes */
    int64_t error_code;  /* 0: it has none */
    /* An error's message; of what is not JSON, its beginning. In the body or the arena. */
    struct str words;
};

/* Walk the whole body (followed by JSON_PADDING bytes). A body too nested or too large for the
 * arena counts as not JSON. */
void answer_read(struct json *json, struct str body, const struct endpoint *ep, struct arena *arena,
                 struct answer_facts *ret_facts);

struct answer_verdict {
    const char *rule; /* the name of the one that fits, for the log */
    enum answer_class class;
    bool can_retry;   /* within the same poll */
    const char *mend; /* what the user can do; NULL: nothing but wait */
};

/* can_be_empty: an answer without a single row is fine (a page behind the last one). */
struct answer_verdict answer_classify(long status, const struct answer_facts *facts,
                                      const struct endpoint *ep, bool can_be_empty);

/* The ith rule of the table, in its order; NULL behind the last one. */
const char *answer_rule_name(size_t i);

/* The answer as it came. */
struct answer_reply {
    long status;
    struct str headers; /* as in struct http_answer */
    struct str body;
    int64_t wait_us; /* that the API asked for, or 0 */
};

#define ANSWER_MAX_TEXT 201 /* bytes, NUL included */

/* One line for people, always valid UTF-8 without control characters: "HTTP 429: You've exceeded
 * the Rate Limit. … (retry after 60s)". */
void answer_describe(const struct answer_reply *reply, const struct answer_facts *facts,
                     const struct answer_verdict *verdict, const struct endpoint *ep,
                     char ret_text[ANSWER_MAX_TEXT]);

#endif
