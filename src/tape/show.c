/* SPDX-License-Identifier: Apache-2.0 */
#include "tape/show.h"

#include "base/clock.h"

#include <assert.h>

static void add_time(struct buf *b, const char *key, int64_t ts_us)
{
    char text[TIME_TEXT];

    time_format(ts_us, text);
    buf_addf(b, ",\"%s\":\"%s\"", key, text);
}

static void add_text(struct buf *b, const char *key, struct str text)
{
    buf_addf(b, ",\"%s\":", key);
    buf_add_json_str(b, text);
}

static void add_number(struct buf *b, const char *key, uint64_t number)
{
    buf_addf(b, ",\"%s\":%llu", key, (unsigned long long)number);
}

static void add_hex(struct buf *b, const char *key, const uint8_t *bytes, size_t len)
{
    assert(bytes != NULL);
    buf_addf(b, ",\"%s\":\"", key);
    for (size_t i = 0; i < len; i++)
        buf_addf(b, "%02x", bytes[i]);
    buf_add_char(b, '"');
}

static void add_page(struct buf *b, const struct tape_record *r)
{
    add_number(b, "page", r->page);
    add_number(b, "attempt", r->attempt);
    add_time(b, "fetched_at", r->fetched_at_us);
    add_number(b, "status", r->status);
    add_number(b, "latency_us", r->latency_us);
    buf_addf(b, ",\"is_json\":%s,\"is_masked\":%s", r->is_json ? "true" : "false",
             r->is_masked ? "true" : "false");
    add_number(b, "body_len", r->body_len);
    add_hex(b, "body_xxh128", r->body_hash, sizeof(r->body_hash));
    add_text(b, "target", r->target);
    add_text(b, "headers", r->headers);
}

static void add_end(struct buf *b, const struct tape_record *r)
{
    buf_addf(b, ",\"outcome\":\"%s\"", poll_outcome_name(r->outcome));
    add_time(b, "started", r->started_us);
    add_time(b, "finished", r->fetched_at_us);
    if (r->next_due_us != 0)
        add_time(b, "next_due", r->next_due_us);
    if (r->n_skipped > 0)
        add_number(b, "skipped", r->n_skipped);
    add_number(b, "first_offset", r->first_offset);
    buf_add_z(b, ",\"pages\":[");
    for (uint32_t i = 0; i < r->n_pages; i++)
        buf_addf(b, "%s%llu", i > 0 ? "," : "", (unsigned long long)r->pages[i]);
    buf_add_char(b, ']');
    add_number(b, "attempts", r->attempts);
    add_number(b, "bytes", r->bytes);
    add_number(b, "prev_rows_end", r->prev_rows_end);
    add_number(b, "prev_ok_end", r->prev_ok_end);
    buf_addf(b, ",\"credits_key\":\"%016llx\"", (unsigned long long)r->credits_key);
    if (r->credits_from_us != 0)
        add_time(b, "credits_from", r->credits_from_us);
    add_number(b, "credits_spent", r->credits_spent);
    add_text(b, "error", r->error);
}

void tape_show(struct buf *b, const struct tape_record *r)
{
    buf_addf(b, "{\"type\":\"%s\"", r->type == TAPE_PAGE ? "page" : "end");
    add_number(b, "offset", r->offset);
    buf_addf(b, ",\"hash\":\"%016llx\"", (unsigned long long)r->hash);
    add_text(b, "job", str_of(r->stream->job));
    add_hex(b, "stream", r->stream->uuid, sizeof(r->stream->uuid));
    add_text(b, "endpoint", str_of(r->stream->endpoint));
    add_text(b, "vs_currency", str_of(r->stream->vs_currency));
    add_text(b, "selection", str_of(r->stream->selection));
    add_time(b, "slot", r->slot_us);
    buf_addf(b, ",\"slot_us\":%lld", (long long)r->slot_us);
    if (r->type == TAPE_PAGE)
        add_page(b, r);
    else
        add_end(b, r);
}
