/* One stream of coins/markets, polled by the cases of a test; and what was found in a poll, as
 * text. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_TRANSFORM_POLLS_H
#define TESTS_TRANSFORM_POLLS_H

#include "base/clock.h"
#include "transform/coins.h"
#include "transform/drift.h"
#include "transform/quality.h"
#include "transform/transform.h"

#include <stdio.h>
#include <stdlib.h>

#define SLOT      INT64_C(1795442400000000) /* 2026-11-23T14:00:00Z */
#define HOUR      (3600 * US_PER_S)
#define DAY       (24 * HOUR)
#define COIN      "\"symbol\":\"s\",\"name\":\"n\""
#define MAX_ARENA ((size_t)64 << 20)

static struct arena arena, bodies;
static struct json *json;
static struct err err;
static uint64_t offset;

static inline void start(void)
{
    arena_release(&arena);
    arena_init(&arena, MAX_ARENA);
    arena_release(&bodies);
    arena_init(&bodies, MAX_ARENA);
    if (json == NULL)
        json = json_new();
    err = (struct err)ERR_INIT;
    offset = 0;
}

static inline void stop(void)
{
    arena_release(&arena);
    arena_release(&bodies);
    json_free(json);
    json = NULL;
}

struct poll {
    const char *pages[4]; /* ended by NULL */
    int64_t slot_us;
    enum poll_outcome outcome; /* 0: ok */
    const struct poll_rows *prev_rows, *prev_ok;
    const char *endpoint; /* NULL: coins/markets */
};

static inline enum st transform(const struct poll *poll, struct poll_rows *ret_rows)
{
    struct stream_id stream = {.endpoint = "coins/markets"};
    struct poll_page pages[4];
    size_t n = 0;

    if (poll->endpoint)
        snprintf(stream.endpoint, sizeof(stream.endpoint), "%s", poll->endpoint);
    for (; n < 4 && poll->pages[n]; n++)
        pages[n] = (struct poll_page){
            .record = {.offset = ++offset,
                       .page = (uint32_t)n + 1,
                       .fetched_at_us = poll->slot_us + (int64_t)n + 1},
            .body = json_pad(&bodies, str_of(poll->pages[n])),
        };
    struct tape_record end = {.stream = &stream,
                              .offset = ++offset,
                              .slot_us = poll->slot_us,
                              .outcome = poll->outcome ? poll->outcome : POLL_OK};
    struct transform_input in = {&end, pages, n, poll->prev_rows, poll->prev_ok};
    return transform_poll(&in, json, &arena, ret_rows, &err);
}

#define POLL(...) transform(&(struct poll){__VA_ARGS__}, &p)
#define PAGE(...) .pages = {__VA_ARGS__}, .slot_us = SLOT

static inline const char *kept_text(struct buf *b)
{
    struct str text = arena_str(&bodies, buf_str(b));
    buf_release(b);
    return text.p ? text.p : "";
}

/* The poll's drift of the kinds of a mask, as it is stored. */
#define EVERY_KIND    ((1u << N_DRIFT_KINDS) - 1)
#define ONLY(kind)    (1u << DRIFT_##kind)
#define ALL_BUT(kind) (EVERY_KIND & ~ONLY(kind))

static inline const char *drift_of(const struct poll_rows *p, unsigned kinds)
{
    struct drift some[256];
    struct buf b = BUF_INIT(2 * DRIFT_MAX_TEXT);
    size_t n = 0;

    for (size_t i = 0; i < p->n_drifts; i++)
        if (kinds >> p->drifts[i].kind & 1)
            some[n++] = p->drifts[i];
    drift_write(&b, some, n);
    return kept_text(&b);
}

/* Its flags: "coin rule: detail", parted by line ends. */
static inline const char *flags_of(const struct poll_rows *p)
{
    struct buf b = BUF_INIT(64 * 1024);

    for (size_t i = 0; i < p->n_flags; i++) {
        const struct quality_flag *flag = &p->flags[i];
        buf_addf(&b, "%s%.*s %s: %.*s", i > 0 ? "\n" : "",
                 STR_ARG(cell_text(&rows_at(&p->rows, flag->row)[ROW_ID])),
                 quality_rules[flag->rule].name, STR_ARG(flag->detail));
    }
    return kept_text(&b);
}

#endif
