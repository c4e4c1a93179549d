/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/health.h"

#include "base/clock.h"
#include "serve/json.h"

#include <inttypes.h>
#include <stdio.h>

#define MAX_AGE_POLLS 3
#define MIN_AGE_US    (90 * US_PER_S)

/* ---- readiness ---- */

static void begin_reason(struct buf *b, size_t *n_reasons)
{
    if ((*n_reasons)++ > 0)
        buf_add_char(b, ',');
}

static void add_job_reason(struct buf *b, const struct status_job *job, int64_t started_us,
                           int64_t now_us, size_t *n_reasons)
{
    const int64_t interval_us = job->every_us * MAX_AGE_POLLS;
    const int64_t limit_us = interval_us > MIN_AGE_US ? interval_us : MIN_AGE_US;
    /* a restart after a long rest has time to poll before what it found counts as old */
    const int64_t since_us = job->last_ok_us > started_us ? job->last_ok_us : started_us;
    const char *separator = job->last_error[0] ? ": " : "";
    char age[TIME_TEXT], text[512];

    if (job->last_ok_us == 0) {
        snprintf(text, sizeof(text), "job %s: no ok poll yet%s%s", job->name, separator,
                 job->last_error);
    } else if (now_us - since_us > limit_us) {
        duration_format((now_us - since_us) / US_PER_S * US_PER_S, age);
        snprintf(text, sizeof(text), "job %s: no ok poll for %s%s%s", job->name, age, separator,
                 job->last_error);
    } else {
        return;
    }
    begin_reason(b, n_reasons);
    buf_add_json_str(b, str_of(text));
}

static void add_sink_reason(struct buf *b, const struct status_sink *sink, size_t *n_reasons)
{
    char text[600];

    if (sink->state != SINK_STOPPED)
        return;
    snprintf(text, sizeof(text), "sink %s: stopped%s%s", sink->url, sink->last_error[0] ? ": " : "",
             sink->last_error);
    begin_reason(b, n_reasons);
    buf_add_json_str(b, str_of(text));
}

bool health_add_ready(struct buf *b, const struct status_snapshot *now, int64_t now_us)
{
    struct buf reasons = BUF_INIT(256 * 1024);
    size_t n_reasons = 0;

    if (now->is_stopping) {
        begin_reason(&reasons, &n_reasons);
        buf_add_z(&reasons, "\"stopping\"");
    }
    for (size_t i = 0; i < now->n_jobs; i++)
        add_job_reason(&reasons, &now->jobs[i], now->started_us, now_us, &n_reasons);
    for (size_t i = 0; i < now->n_sinks; i++)
        add_sink_reason(&reasons, &now->sinks[i], &n_reasons);
    buf_addf(b, "{\"ready\":%s,\"reasons\":[", n_reasons == 0 ? "true" : "false");
    buf_add_str(b, buf_str(&reasons));
    buf_add_z(b, "]}\n");
    buf_release(&reasons);
    return n_reasons == 0;
}

/* ---- the snapshot ---- */

static void add_text(struct buf *b, const char *key, const char *value)
{
    json_add_key(b, key);
    buf_add_json_str(b, str_of(value));
}

static void add_number(struct buf *b, const char *key, uint64_t value)
{
    json_add_key(b, key);
    buf_addf(b, "%" PRIu64, value);
}

static void add_bool(struct buf *b, const char *key, bool value)
{
    json_add_key(b, key);
    buf_add_z(b, value ? "true" : "false");
}

static void add_time(struct buf *b, const char *key, int64_t ts_us)
{
    char text[TIME_TEXT] = "";

    json_add_key(b, key);
    if (ts_us == 0) {
        buf_add_z(b, "null");
        return;
    }
    time_format_ms(ts_us, text);
    buf_addf(b, "\"%s\"", text);
}

static void add_ms(struct buf *b, const char *key, int64_t us)
{
    add_number(b, key, us > 0 ? (uint64_t)((us + US_PER_MS / 2) / US_PER_MS) : 0);
}

static void add_job(struct buf *b, const struct status_job *job)
{
    buf_add_char(b, '{');
    add_text(b, "name", job->name);
    add_text(b, "vs_currency", job->vs_currency);
    add_text(b, "what", job->what);
    add_ms(b, "every_ms", job->every_us);
    add_bool(b, "polling", job->is_polling);
    add_time(b, "last_slot", job->last_slot_us);
    add_time(b, "last_ended", job->last_ended_us);
    add_time(b, "last_ok", job->last_ok_us);
    add_text(b, "last_outcome", job->last_outcome);
    add_text(b, "last_error", job->last_error);
    add_ms(b, "last_latency_ms", job->last_latency_us);
    add_number(b, "last_bytes", job->last_bytes);
    add_number(b, "last_attempts", job->last_attempts);
    add_number(b, "failed_in_row", job->failed_in_row);
    add_time(b, "next_due", job->next_due_us);
    add_number(b, "head", job->head);
    buf_add_char(b, '}');
}

static void add_sink(struct buf *b, const struct status_sink *sink)
{
    buf_add_char(b, '{');
    add_text(b, "url", sink->url);
    add_text(b, "state", sink_state_name(sink->state));
    add_number(b, "lag", sink->lag);
    add_number(b, "polls", sink->n_polls);
    add_number(b, "rows", sink->n_rows);
    add_number(b, "unchanged", sink->n_unchanged);
    add_number(b, "refused", sink->n_refused);
    add_time(b, "newest_row", sink->newest_row_us);
    add_time(b, "last_load", sink->last_load_us);
    add_ms(b, "last_load_ms", sink->last_load_duration_us);
    add_text(b, "last_error", sink->last_error);
    buf_add_char(b, '}');
}

void health_add_status(struct buf *b, const struct status_snapshot *now, int64_t now_us)
{
    buf_add_char(b, '{');
    add_text(b, "name", "geckotape");
    add_text(b, "version", now->version);
    add_bool(b, "simulated", now->is_simulated);
    add_bool(b, "stopping", now->is_stopping);
    add_text(b, "data_dir", now->data_dir);
    add_time(b, "started", now->started_us);
    add_time(b, "now", now_us);
    json_add_key(b, "jobs");
    buf_add_char(b, '[');
    for (size_t i = 0; i < now->n_jobs; i++) {
        if (i > 0)
            buf_add_char(b, ',');
        add_job(b, &now->jobs[i]);
    }
    buf_add_char(b, ']');
    json_add_key(b, "sinks");
    buf_add_char(b, '[');
    for (size_t i = 0; i < now->n_sinks; i++) {
        if (i > 0)
            buf_add_char(b, ',');
        add_sink(b, &now->sinks[i]);
    }
    buf_add_z(b, "]}\n");
}
