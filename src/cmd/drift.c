/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/drift.h"

#include "base/clock.h"
#include "cmd/progress.h"
#include "cmd/streams.h"
#include "load/gather.h"

#include <stdio.h>

#define MAX_LINE ((size_t)64 * 1024)

/* ---- reading ---- */

struct reading {
    struct drift_report *report;
    struct tape_reader *reader;
    struct gather gather;
    struct stream_id id;
    struct progress progress;
    uint64_t first, last; /* offsets there are */
    uint64_t n_rows;
};

static void tell_problem(struct reading *r, const struct err *err)
{
    progress_end(&r->progress);
    fprintf(stderr, "geckotape: %s\n", err->msg);
    r->report->n_problems++;
}

static enum st take_poll(struct reading *r, uint64_t end_offset, struct err *err)
{
    struct gathered *poll;

    enum st st = gather_poll(&r->gather, end_offset, &poll, err);
    if (st == ST_OK && poll->is_lost)
        st = err_set(err, ST_REJECT, "%s: the poll that ends at offset %llu: %.*s", r->id.job,
                     (unsigned long long)end_offset, STR_ARG(poll->error));
    if (st == ST_REJECT)
        tell_problem(r, err);
    if (st == ST_REJECT || (st == ST_OK && !poll->has_rows)) {
        r->report->n_without++;
        return ST_OK;
    }
    if (st != ST_OK)
        return st;
    r->n_rows += poll->rows.rows.n;
    drift_history_poll(&r->report->history, &poll->rows);
    return ST_OK;
}

static enum st read_polls(struct reading *r, struct err *err)
{
    struct tape_record record;

    for (;;) {
        enum st st = tape_reader_next(r->reader, UINT64_MAX, &record, err);
        if (st == ST_AGAIN && err->sys == 0)
            return ST_OK;
        if (st == ST_REJECT) {
            tell_problem(r, err);
            continue;
        }
        if (st != ST_OK)
            return st;
        r->id = *record.stream;
        progress_show(&r->progress, record.offset - r->first, r->last + 1 - r->first, r->n_rows);
        if (record.type != TAPE_END || !outcome_bears_rows(record.outcome) ||
            record.slot_us < r->report->since_us)
            continue;
        st = take_poll(r, record.offset, err);
        if (st != ST_OK)
            return st;
    }
}

enum st drift_read(struct drift_report *report, const char *job, const char *dir, struct err *err)
{
    struct reading r = {.report = report};
    struct json *json = json_new();

    gather_init(&r.gather, json, CMD_MAX_POLL_BYTES);
    progress_begin(&r.progress, "tape drift", "records");
    enum st st = tape_reader_open(dir, &r.reader, err);
    if (st == ST_OK)
        st = tape_reader_bounds(r.reader, &r.first, &r.last, err);
    if (st == ST_OK) {
        r.gather.reader = r.reader;
        r.gather.stream = &r.id;
        drift_history_begin(&report->history, str_of(job));
        st = read_polls(&r, err);
        drift_history_end(&report->history);
    }
    progress_end(&r.progress);
    tape_reader_close(r.reader);
    gather_release(&r.gather);
    json_free(json);
    return st;
}

/* ---- printing ---- */

static void add_time(struct buf *b, int64_t ts_us)
{
    char text[TIME_TEXT];

    time_format(time_floor(ts_us, US_PER_S), text);
    buf_add_z(b, text);
}

static void add_key(struct buf *b, const char *key, const char *text)
{
    buf_addf(b, ",\"%s\":", key);
    buf_add_json_str(b, str_of(text));
}

static void add_json(struct buf *b, const struct drift_line *line)
{
    const struct drift_span *span = &line->span;

    buf_add_z(b, "{\"first\":\"");
    add_time(b, span->first_us);
    buf_add_z(b, "\",\"last\":\"");
    add_time(b, span->last_us);
    buf_addf(b, "\",\"polls\":%llu,\"times\":%llu,\"lasts\":%s,\"job\":",
             (unsigned long long)span->n_polls, (unsigned long long)line->n_times,
             line->lasts ? "true" : "false");
    buf_add_json_str(b, line->job);
    add_key(b, "kind", drift_kinds[span->kind].name);
    add_key(b, "field", span->field);
    add_key(b, "from", span->from);
    add_key(b, "to", span->to);
    buf_add_z(b, "}\n");
}

static void add_text(struct buf *b, const struct drift_line *line)
{
    const struct drift_span *span = &line->span;
    const char *lasts = span->is_event ? "-" : line->lasts ? "yes" : "no";

    add_time(b, span->first_us);
    buf_add_z(b, "  ");
    add_time(b, span->last_us);
    buf_addf(b, "  %7llu %7llu  %-5s  %-24.*s  %-11s  ", (unsigned long long)span->n_polls,
             (unsigned long long)line->n_times, lasts, STR_ARG(line->job),
             drift_kinds[span->kind].name);
    buf_add_clean(b, str_of(span->field), sizeof(span->field));
    buf_addf(b, "%s%s%s", span->from[0] || span->to[0] ? ": " : "", span->from,
             span->from[0] ? " → " : "");
    buf_add_clean(b, span->to[0] || !span->from[0] ? str_of(span->to) : STR("gone"),
                  sizeof(span->to));
    buf_add_char(b, '\n');
}

static void add_summary(struct buf *b, const struct drift_report *r)
{
    const struct drift_history *h = &r->history;

    buf_addf(b, "%llu poll%s, ", (unsigned long long)h->n_polls, h->n_polls == 1 ? "" : "s");
    if (r->n_without > 0)
        buf_addf(b, "and %llu without rows, ", (unsigned long long)r->n_without);
    buf_addf(b, "%llu change%s", (unsigned long long)(h->n + h->n_left_out),
             h->n + h->n_left_out == 1 ? "" : "s");
    if (h->n_left_out > 0)
        buf_addf(b, ", the last %llu of each job left out: --since shows them",
                 (unsigned long long)h->n_left_out);
    buf_add_char(b, '\n');
}

enum st drift_print(struct drift_report *r, bool is_json, struct err *err)
{
    struct drift_history *h = &r->history;
    struct buf b = BUF_INIT(MAX_LINE);
    bool is_whole = true;

    drift_history_sort(h);
    if (!is_json && h->n > 0)
        printf("%-20s  %-20s  %7s %7s  %-5s  %-24s  %-11s  %s\n", "first", "last", "polls", "times",
               "lasts", "job", "kind", "field: from → to");
    for (size_t i = 0; i <= h->n; i++) {
        buf_clear(&b);
        if (i < h->n)
            (is_json ? add_json : add_text)(&b, &h->lines[i]);
        else if (!is_json)
            add_summary(&b, r);
        is_whole = is_whole && fwrite(buf_z(&b), 1, b.len, stdout) == b.len;
    }
    buf_release(&b);
    return is_whole ? ST_OK : err_set(err, ST_FATAL, "cannot write the output");
}
