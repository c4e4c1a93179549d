/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/record.h"

#include "serve/json.h"
#include "serve/serve.h"

static void answer_raw(const struct serve_record *record, struct http_response *res)
{
    /* an HTML page of some proxy stays text: nothing of it is run here */
    if (!record->is_json)
        res->content_type = "text/plain";
    buf_add_str(&res->body, record->body);
}

static void answer_whole(const struct serve_record *record, struct http_response *res)
{
    struct buf *b = &res->body;

    buf_add_str(b, record->head);
    json_add_key(b, "body");
    if (record->body.p && str_is_utf8(record->body))
        buf_add_json_str(b, record->body);
    else
        buf_add_z(b, "null");
    buf_add_z(b, "}\n");
}

void record_get(struct own *own, const struct http_request *req, struct http_response *res)
{
    const struct str stream = http_query(req, "stream"), raw = http_query(req, "raw");
    struct serve_record record;
    struct err err = ERR_INIT;
    int64_t offset;

    if (!own->read_record) {
        own_refuse(res, 404, "no tape here: this process serves a store alone; ask the collector");
        return;
    }
    if (stream.len == 0) {
        own_refuse(res, 400, "stream: which one? its UUID, as /api/polls tells it, or its job");
        return;
    }
    if (!str_to_i64(http_query(req, "offset"), 1, INT64_MAX, &offset)) {
        own_refuse(res, 400, "offset: not a number from 1 on");
        return;
    }
    enum st st =
        own->read_record(own->record_ctx, stream, (uint64_t)offset, own->arena, &record, &err);
    if (st == ST_REJECT)
        own_refuse(res, 404, "%s", err.msg);
    else if (st != ST_OK)
        own_fail(res, st, &err);
    else if (str_eq(raw, STR("1")))
        answer_raw(&record, res);
    else
        answer_whole(&record, res);
}

const struct operation op_record = {
    .summary = "the record of the tape behind a poll or a row",
    .takes =
        (const struct parameter[]){
            {"stream", PARAMETER_TEXT, "its UUID, or its job's name", NULL, 0, 0, true},
            {"offset", PARAMETER_NUMBER, "of the record there", NULL, 0, 0, true},
            {"raw", PARAMETER_CHOICE, "its body alone, byte for byte", "1", 0, 0, false},
            TAKES_END,
        },
    .gives = "*",
    .type = "text/plain",
    .refuses = {404},
};
