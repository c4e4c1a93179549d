/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/health.h"

#include "base/clock.h"
#include "serve/json.h"
#include "status/ready.h"

#include <inttypes.h>

#define MAX_REASONS ((size_t)256 * 1024)

/* "key":["line",…] */
static void add_lines(struct buf *b, const char *key, struct str lines)
{
    struct str line;

    json_add_key(b, key);
    buf_add_char(b, '[');
    for (size_t i = 0; lines.len > 0; i++) {
        str_cut(&lines, '\n', &line);
        buf_add_z(b, i > 0 ? "," : "");
        buf_add_json_str(b, line);
    }
    buf_add_char(b, ']');
}

/* "ready":…,"reasons":[…],"warnings":[…] without a comma before it */
static bool add_readiness(struct buf *b, const struct status_snapshot *now, int64_t now_us)
{
    struct buf lines = BUF_INIT(MAX_REASONS);
    const bool is_ready = ready_add_reasons(&lines, now, now_us);

    json_add_key(b, "ready");
    buf_add_z(b, is_ready ? "true" : "false");
    add_lines(b, "reasons", buf_str(&lines));
    buf_clear(&lines);
    ready_add_warnings(&lines, now);
    add_lines(b, "warnings", buf_str(&lines));
    buf_release(&lines);
    return is_ready;
}

bool health_add_ready(struct buf *b, const struct status_snapshot *now, int64_t now_us)
{
    buf_add_char(b, '{');
    const bool is_ready = add_readiness(b, now, now_us);
    buf_add_z(b, "}\n");
    return is_ready;
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

static void add_polls(struct buf *b, const struct status_job *job)
{
    const uint64_t n = job->n_polls < STATUS_MAX_POLLS ? job->n_polls : STATUS_MAX_POLLS;

    json_add_key(b, "polls");
    buf_add_char(b, '[');
    for (uint64_t i = 1; i <= n; i++) {
        const struct status_poll *poll = &job->polls[(job->n_polls - i) % STATUS_MAX_POLLS];
        buf_add_z(b, i > 1 ? ",{" : "{");
        add_time(b, "slot", poll->slot_us);
        add_time(b, "ended", poll->ended_us);
        add_text(b, "outcome", poll->outcome);
        buf_add_char(b, '}');
    }
    buf_add_char(b, ']');
}

/* Of a job's slots, as the budget allows; null: not known. */
static void add_share(struct buf *b, const struct status_job *job)
{
    json_add_key(b, "share");
    if (job->calls_per_poll > 0)
        buf_addf(b, "%.4f", job->share);
    else
        buf_add_z(b, "null");
}

static void add_job(struct buf *b, const struct status_job *job)
{
    buf_add_char(b, '{');
    add_text(b, "name", job->name);
    add_text(b, "vs_currency", job->vs_currency);
    add_text(b, "what", job->what);
    add_ms(b, "every_ms", job->every_us);
    add_ms(b, "interval_ms", job->apart_us);
    add_bool(b, "idle", job->is_idle);
    add_bool(b, "polling", job->is_polling);
    add_time(b, "last_slot", job->last_slot_us);
    add_time(b, "last_ended", job->last_ended_us);
    add_time(b, "last_ok", job->last_ok_us);
    add_text(b, "last_outcome", job->last_outcome);
    add_text(b, "last_error", job->last_error);
    add_text(b, "last_cause", job->last_cause);
    add_ms(b, "last_latency_ms", job->last_latency_us);
    add_number(b, "last_bytes", job->last_bytes);
    add_number(b, "last_attempts", job->last_attempts);
    add_number(b, "failed_in_row", job->failed_in_row);
    add_time(b, "next_due", job->next_due_us);
    add_number(b, "head", job->head);
    add_number(b, "missed_slots", job->n_gaps);
    add_number(b, "calls_per_poll", job->calls_per_poll);
    add_share(b, job);
    add_number(b, "calls_left", job->calls_left);
    add_text(b, "drift", job->drift);
    add_time(b, "drift_since", job->drift_since_us);
    add_text(b, "flagged", job->flagged);
    add_polls(b, job);
    buf_add_char(b, '}');
}

static void add_sink(struct buf *b, const struct status_sink *sink)
{
    buf_add_char(b, '{');
    add_text(b, "url", sink->url);
    add_text(b, "state", sink_state_name(sink->state));
    add_time(b, "state_since", sink->state_since_us);
    add_number(b, "lag", sink->lag);
    add_time(b, "behind_since", sink->behind_since_us);
    add_number(b, "polls", sink->n_polls);
    add_number(b, "rows", sink->n_rows);
    add_number(b, "unchanged", sink->n_unchanged);
    add_number(b, "refused", sink->n_refused);
    add_time(b, "newest_row", sink->newest_row_us);
    add_time(b, "last_load", sink->last_load_us);
    add_ms(b, "last_load_ms", sink->last_load_duration_us);
    add_text(b, "last_error", sink->last_error);
    add_text(b, "warning", sink->warning);
    buf_add_char(b, '}');
}

static void add_key(struct buf *b, const struct status_key *key)
{
    json_add_key(b, "key");
    buf_add_char(b, '{');
    add_time(b, "checked", key->checked_us);
    add_bool(b, "good", key->is_good);
    add_text(b, "trouble", key->trouble);
    add_text(b, "plan", key->plan);
    add_number(b, "calls_per_minute", key->calls_per_minute);
    add_number(b, "credits", key->credits);
    add_number(b, "credits_left", key->credits_left);
    buf_add_char(b, '}');
}

static void add_budget(struct buf *b, const struct status_budget *budget)
{
    json_add_key(b, "budget");
    buf_add_char(b, '{');
    add_number(b, "calls", budget->calls);
    add_time(b, "from", budget->from_us);
    add_time(b, "until", budget->until_us);
    add_number(b, "own", budget->own);
    add_number(b, "others", budget->others);
    add_number(b, "wanted", budget->wanted);
    add_time(b, "runs_out", budget->runs_out_us);
    buf_add_char(b, '}');
}

static void add_disk(struct buf *b, const struct status_disk *disk)
{
    json_add_key(b, "disk");
    buf_add_char(b, '{');
    add_time(b, "checked", disk->checked_us);
    add_number(b, "tape_bytes", disk->tape_bytes);
    add_number(b, "free_bytes", disk->free_bytes);
    add_number(b, "total_bytes", disk->total_bytes);
    add_number(b, "day_bytes", disk->day_bytes);
    add_time(b, "oldest", disk->oldest_us);
    add_ms(b, "keep_ms", disk->keep_us);
    add_text(b, "last_error", disk->last_error);
    buf_add_char(b, '}');
}

void health_add_status(struct buf *b, const struct status_snapshot *now, int64_t now_us)
{
    size_t n = 0;

    buf_add_char(b, '{');
    add_text(b, "name", "geckotape");
    add_text(b, "version", now->version);
    add_number(b, "pid", (uint64_t)now->pid);
    add_bool(b, "simulated", now->is_simulated);
    add_bool(b, "stopping", now->is_stopping);
    add_bool(b, "reader", now->is_reader);
    add_time(b, "at", now->at_us);
    add_number(b, "speed", (uint64_t)now->speed);
    add_readiness(b, now, now_us);
    add_text(b, "data_dir", now->data_dir);
    add_time(b, "started", now->started_us);
    add_time(b, "now", now_us);
    add_key(b, &now->key);
    add_budget(b, &now->budget);
    add_disk(b, &now->disk);
    json_add_key(b, "jobs");
    buf_add_char(b, '[');
    for (size_t i = 0; i < now->n_jobs; i++) {
        if (now->jobs[i].is_gone)
            continue;
        buf_add_z(b, n++ > 0 ? "," : "");
        add_job(b, &now->jobs[i]);
    }
    buf_add_char(b, ']');
    json_add_key(b, "sinks");
    buf_add_char(b, '[');
    n = 0;
    for (size_t i = 0; i < now->n_sinks; i++) {
        if (now->sinks[i].is_gone)
            continue;
        buf_add_z(b, n++ > 0 ? "," : "");
        add_sink(b, &now->sinks[i]);
    }
    buf_add_z(b, "]}\n");
}

#define READINESS "ready:b,reasons:[s],warnings:[s]"

const struct operation op_ready = {
    .summary = "whether what is stored is as fresh as promised; 503: it is not, and why",
    .gives = "{" READINESS "}",
    .later = "{" READINESS "}",
    .is_not_guarded = true,
};

const struct operation op_status = {
    .summary = "the state of jobs, sinks, key and disk",
    .gives =
        "{name:s,version:s,pid:i,simulated:b,stopping:b,reader:b,at:t?,speed:i," READINESS
        ",data_dir:s,started:t?,now:t,"
        "key:{checked:t?,good:b,trouble:s,plan:s,calls_per_minute:i,credits:i,"
        "credits_left:i},"
        "budget:{calls:i,from:t?,until:t?,own:i,others:i,wanted:i,runs_out:t?},"
        "disk:{checked:t?,tape_bytes:i,free_bytes:i,total_bytes:i,day_bytes:i,oldest:t?,"
        "keep_ms:i,last_error:s},"
        "jobs:[{name:s,vs_currency:s,what:s,every_ms:i,interval_ms:i,idle:b,polling:b,last_slot:t?,"
        "last_ended:t?,last_ok:t?,last_outcome:s,last_error:s,last_cause:s,"
        "last_latency_ms:i,last_bytes:i,last_attempts:i,failed_in_row:i,next_due:t?,head:i,"
        "missed_slots:i,calls_per_poll:i,share:n?,calls_left:i,drift:s,drift_since:t?,flagged:s,"
        "polls:[{slot:t?,ended:t?,outcome:s}]}],"
        "sinks:[{url:s,state:s,state_since:t?,lag:i,behind_since:t?,polls:i,rows:i,"
        "unchanged:i,refused:i,newest_row:t?,last_load:t?,last_load_ms:i,last_error:s,"
        "warning:s}]}",
};
