/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/keep.h"

#include "base/log.h"
#include "base/metric.h"
#include "extract/answer.h"

static void count_tape(struct poll_job *j, uint64_t offset)
{
    uint64_t bytes = tape_writer_bytes(j->job->writer);

    metric_set(METRIC_TAPE_HEAD, j->job->id.job, NULL, (double)offset);
    metric_add(METRIC_TAPE_BYTES, j->job->id.job, NULL, (double)(bytes - j->tape_bytes));
    j->tape_bytes = bytes;
}

/* Append a record. After a refusal the writer goes on in a new segment, so what an I/O error hit
 * is tried once more, at once; a full disk refuses that too. */
static enum st append(struct poll_job *j, const struct tape_record *record, struct str body,
                      uint64_t *ret_offset, struct err *err)
{
    struct tape_writer *w = j->job->writer;
    enum st st = ST_AGAIN;

    for (int try = 0; try < 2 && st == ST_AGAIN; try++) {
        st = record->type == TAPE_PAGE ? tape_append_page(w, record, body, ret_offset, err)
                                       : tape_append_end(w, record, ret_offset, err);
        if (st != ST_OK)
            metric_add(METRIC_TAPE_ERRORS, j->job->id.job, NULL, 1);
        else if (try > 0)
            log_warn("extract", "the tape took a record only at the second try",
                     LOG_Z("job", j->job->id.job), LOG_I("offset", *ret_offset),
                     LOG_Z("error", err->msg));
    }
    if (st == ST_OK)
        count_tape(j, *ret_offset);
    return st;
}

enum st keep_answer(struct poller *p, struct poll_job *j, uint32_t page, uint32_t attempt,
                    int64_t now_us, struct answer_facts *ret_facts, uint64_t *ret_offset,
                    struct err *err)
{
    struct http_answer *answer = &p->answer;
    struct str key = str_of(p->api->key);
    uint32_t latency_us =
        answer->latency_us < UINT32_MAX ? (uint32_t)answer->latency_us : UINT32_MAX;

    bool is_masked = answer_mask_key(answer->body.p, answer->body.len, key);
    answer_mask_key(answer->headers.p, answer->headers.len, key);
    arena_reset(&p->arena);
    answer_read(p->json, buf_str(&answer->body), j->endpoint, &p->arena, ret_facts);
    buf_clear(&p->kept);
    answer_keep_headers(buf_str(&answer->headers), &p->kept);
    struct tape_record record = {
        .type = TAPE_PAGE,
        .is_json = ret_facts->is_json,
        .is_masked = is_masked,
        .slot_us = j->poll.plan.slot_us,
        .page = page,
        .attempt = attempt,
        .fetched_at_us = now_us,
        .status = (uint32_t)answer->status,
        .latency_us = latency_us,
        .target = {p->url.p + p->base_path_at, p->url.len - p->base_path_at},
        .headers = buf_str(&p->kept),
    };
    return append(j, &record, buf_str(&answer->body), ret_offset, err);
}

enum st keep_end(struct poll_job *j, const struct tape_record *end, uint64_t *ret_offset,
                 struct err *err)
{
    return append(j, end, STR_NONE, ret_offset, err);
}
