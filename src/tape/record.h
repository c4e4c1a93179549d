/* One record of a stream, as everyone sees it. Its bytes on disk: tape/format.h. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAPE_RECORD_H
#define TAPE_RECORD_H

#include "base/str.h"

#define TAPE_MAX_JOB   63 /* bytes of a job's name: [a-z0-9._-], not starting with '.' or '-' */
#define TAPE_MAX_BODY  (64u * 1024 * 1024) /* bytes; extract refuses larger answers */
#define TAPE_MAX_PAGES 4096                /* pages of a poll: a million coins at 250 a page */

enum tape_type {
    TAPE_PAGE = 1, /* one answer of the API, good or bad, body byte for byte */
    TAPE_END = 2,  /* the end of a poll; no body */
};

enum poll_outcome {
    POLL_OK = 1,  /* every page is there and readable */
    POLL_PARTIAL, /* some pages are */
    POLL_FAILED,  /* none is */
    POLL_ABORTED, /* the collector stopped or died before the end */
};

#define TAPE_UPSTREAM "upstream" /* endpoint, and job, of answers that callers asked for */
#define TAPE_IMPORT   "import"   /* selection of a stream of history that somebody had */
#define TAPE_BACKFILL \
    "backfill" /* … or that was asked for once: coin and span are in each target */

/* What a stream is a stream of: fixed for ever by the first record. */
struct stream_id {
    char job[TAPE_MAX_JOB + 1];
    uint8_t uuid[16];     /* random; made with the stream */
    char endpoint[64];    /* "coins/markets" */
    char vs_currency[32]; /* "usd"; "" where the endpoint has none */
    char selection[256];  /* canonical: "top=250" "all" "category=x" "ids=a,b" or "ids#<hash>"; of
                           * endpoints without pages "all" "inactive" */
};

struct tape_record {
    enum tape_type type;
    bool is_json;   /* page: the body is JSON (an array or object, see base/json.h) */
    bool is_masked; /* page: the body echoed the API key, its bytes are overwritten by '*' */
    uint64_t offset;
    uint64_t hash; /* of the header, which covers the body's hash: the record's fingerprint */
    const struct stream_id *stream;
    int64_t slot_us;
    uint32_t page;    /* from 1; end: 0 */
    uint32_t attempt; /* which try of this page, from 1; end: 0 */

    /* page */
    int64_t fetched_at_us; /* when its last byte came; end: when it was written */
    uint32_t status;       /* HTTP status */
    uint32_t latency_us;   /* from sending the request to the last byte */
    uint64_t body_len;
    uint8_t body_hash[16]; /* XXH3-128 */
    struct str target;     /* path and query of the request, without secrets */
    struct str headers; /* "name: value\n" of the answer's headers that matter, lower-case names */

    /* end */
    enum poll_outcome outcome;
    int64_t started_us;
    int64_t next_due_us;     /* when the next poll of the job was promised; 0: none was */
    uint64_t n_skipped;      /* slots before next_due that are left out for the budget */
    uint64_t first_offset;   /* of this poll's records; the end's own when it has no pages */
    const uint64_t *pages;   /* offset of the good answer of page i + 1; 0: missing */
    uint32_t n_pages;        /* pages that were wanted as far as known */
    uint32_t attempts;       /* requests sent */
    uint64_t bytes;          /* of all bodies received */
    uint64_t prev_rows_end;  /* offset of the `end` of the last row-bearing poll (ok or partial)
                                before; 0 */
    uint64_t prev_ok_end;    /* the same of the last ok poll */
    uint64_t credits_key;    /* hash of the API key; 0: keyless */
    int64_t credits_from_us; /* start of the credit period */
    uint64_t credits_spent;  /* in it, so far, by this stream */
    struct str error;        /* why not ok; empty when ok */
};

/* History, which no poll brings again: it does not grow old. */
static inline bool stream_is_history(const struct stream_id *id)
{
    return strcmp(id->selection, TAPE_IMPORT) == 0 || strcmp(id->selection, TAPE_BACKFILL) == 0;
}

static inline bool outcome_bears_rows(enum poll_outcome outcome)
{
    return outcome == POLL_OK || outcome == POLL_PARTIAL;
}

/* "ok" "partial" "failed" "aborted" */
const char *poll_outcome_name(enum poll_outcome outcome);

/* Offset and hash of a record: what a sink remembers of how far it is. */
struct position {
    uint64_t offset; /* 0: before the first record */
    uint64_t hash;
};

#endif
