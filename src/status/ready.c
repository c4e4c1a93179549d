/* SPDX-License-Identifier: Apache-2.0 */
#include "status/ready.h"

#include "base/clock.h"
#include "status/render.h"

#include <inttypes.h>

#define INTERVALS       3
#define MIN_AGE_US      (90 * US_PER_S)
#define SINK_PATIENCE   (300 * US_PER_S)
#define MIN_FREE_BYTES  (UINT64_C(100) * 1000 * 1000)
#define DAY_US          (86400 * US_PER_S)
#define MAX_REASON_TEXT 400

static int64_t at_least(int64_t value, int64_t floor)
{
    return value > floor ? value : floor;
}

static void add_place(struct buf *b, const char *what, const char *name)
{
    buf_addf(b, "%s ", what);
    buf_add_clean(b, str_of(name), MAX_REASON_TEXT);
    buf_add_z(b, ": ");
}

/* ": " and what a server or the system said. */
static void add_error(struct buf *b, const char *error)
{
    if (error[0] == '\0')
        return;
    buf_add_z(b, ": ");
    buf_add_clean(b, str_of(error), MAX_REASON_TEXT);
}

/* ---- jobs ---- */

static bool is_always(const struct status_job *job)
{
    return job->from_us == job->to_us;
}

/* How much of the time from 1970 to ts lies in [from, to) of each day; from <= to. */
static int64_t time_within(int64_t from_us, int64_t to_us, int64_t ts_us)
{
    const int64_t day_us = time_floor(ts_us, DAY_US);
    int64_t today_us = ts_us - day_us;

    today_us = today_us < to_us ? today_us : to_us;
    return day_us / DAY_US * (to_us - from_us) + at_least(today_us - from_us, 0);
}

int64_t ready_job_age_us(const struct status_job *job, int64_t since_us, int64_t now_us)
{
    const bool is_over_midnight = job->to_us < job->from_us;
    const int64_t from_us = is_over_midnight ? job->to_us : job->from_us;
    const int64_t to_us = is_over_midnight ? job->from_us : job->to_us;

    if (is_always(job) || now_us <= since_us)
        return at_least(now_us - since_us, 0);
    int64_t within_us = time_within(from_us, to_us, now_us) - time_within(from_us, to_us, since_us);
    return is_over_midnight ? now_us - since_us - within_us : within_us;
}

/* extract's word for why polls fail, and what helps. */
static const char *mend_of(const char *cause)
{
    static const struct {
        const char *cause, *mend;
    } mends[] = {
        {"clock", "set this machine's clock, with NTP if it can be"},
        {"transport", "geckotape doctor tries the network"},
        {"permanent", "look at key, plan and selection; geckotape doctor tries them"},
        {"rate_limited", "poll less often, or take a plan with more calls"},
        {"pace", "poll less often, or raise --api-rate if the plan allows"},
        {"drift", "the API has changed; look for a newer geckotape"},
        {"not_json", "look at what stands between here and the API: proxy, portal, --api-url"},
        {"budget", "raise --api-budget if the plan has more, or wait"},
        {"tape", "look at the disk: space, permissions, errors"},
    };

    for (size_t i = 0; i < sizeof(mends) / sizeof(mends[0]); i++)
        if (strcmp(cause, mends[i].cause) == 0)
            return mends[i].mend;
    return "it will be tried again; geckotape doctor tries all there is";
}

/* The slot of the newest poll, whatever came of it; 0: none is known of. */
static int64_t newest_slot(const struct status_job *job)
{
    if (job->n_polls > 0)
        return job->polls[(job->n_polls - 1) % STATUS_MAX_POLLS].slot_us;
    return job->failed_in_row > 0 ? 0 : job->last_ok_us;
}

/* How old data may be: as long as the newest poll promised that there would be none, which off-peak
 * hours or a cron line may have made long; the budget up to a day, unless there is no slot. */
static int64_t limit_of(const struct status_job *job)
{
    const int64_t usual_us = at_least(job->every_us * INTERVALS, MIN_AGE_US);
    const int64_t newest_us = newest_slot(job);
    int64_t promised_us = job->next_due_us - newest_us;

    if (job->next_due_us == 0 || newest_us == 0 || promised_us <= job->every_us)
        return usual_us;
    const int64_t most_us = at_least(DAY_US, job->next_slot_us - newest_us);
    if (job->calls_per_poll > 0 && job->share < 1 && promised_us > most_us)
        promised_us = most_us;
    return at_least(usual_us, promised_us + MIN_AGE_US);
}

static bool is_failing_by(const struct status_job *job, const char *cause)
{
    return job->failed_in_row > 0 && strcmp(job->last_cause, cause) == 0;
}

static size_t add_job(struct buf *b, const struct status_job *job, int64_t started_us,
                      int64_t now_us)
{
    const int64_t limit_us = limit_of(job);
    /* a restart after a long rest has time to poll before what it found counts as old */
    const int64_t age_us = ready_job_age_us(job, at_least(job->last_ok_us, started_us), now_us);
    const bool is_clock = is_failing_by(job, "clock"), is_spent = is_failing_by(job, "budget");

    if (job->is_gone || job->is_idle || !time_is_in_hours(now_us, job->from_us, job->to_us))
        return 0;
    if (job->last_ok_us != 0 && age_us <= limit_us && !is_clock && !is_spent)
        return 0;
    add_place(b, "job", job->name);
    if (job->last_ok_us == 0)
        buf_add_z(b, "no ok poll yet");
    else if (age_us > limit_us)
        buf_add_z(b, "no ok poll for "), status_add_span(b, age_us);
    else
        buf_add_z(b, is_clock ? "clocks differ" : "no calls are left");
    add_error(b, job->last_error);
    if (job->last_ok_us == 0 && job->last_error[0] == '\0')
        buf_add_z(b, "; the first one is under way or due");
    else
        buf_addf(b, "; %s", mend_of(job->last_cause));
    buf_add_char(b, '\n');
    return 1;
}

/* A key that was refused, until a poll shows that it does all the same. */
static size_t add_key(struct buf *b, const struct status_snapshot *now)
{
    if (now->key.trouble[0] == '\0')
        return 0;
    for (size_t i = 0; i < now->n_jobs; i++)
        if (now->jobs[i].last_ok_us > now->key.checked_us)
            return 0;
    buf_add_z(b, "API key: ");
    buf_add_clean(b, str_of(now->key.trouble), MAX_REASON_TEXT);
    buf_add_char(b, '\n');
    return 1;
}

/* ---- sinks ---- */

static int64_t slowest_us(const struct status_snapshot *now)
{
    int64_t every_us = 0;

    for (size_t i = 0; i < now->n_jobs; i++)
        if (!now->jobs[i].is_gone && !now->jobs[i].is_idle)
            every_us = at_least(now->jobs[i].every_us, every_us);
    return every_us;
}

static size_t add_sink(struct buf *b, const struct status_sink *sink,
                       const struct status_snapshot *now, int64_t now_us)
{
    const int64_t since_us = sink->state_since_us ? sink->state_since_us : now->started_us;
    const int64_t state_us = now_us - since_us;
    const int64_t behind_us = sink->behind_since_us ? now_us - sink->behind_since_us : 0;
    const char *mend;

    if (sink->is_gone)
        return 0;
    if (sink->state == SINK_STOPPED) {
        add_place(b, "sink", sink->url);
        buf_add_z(b, "stopped");
        mend = "mend that and restart; the tape keeps everything until then";
    } else if (sink->state != SINK_WORKING && state_us > SINK_PATIENCE) {
        add_place(b, "sink", sink->url);
        buf_add_z(b, sink->state == SINK_WAITING ? "waiting for " : "not open for ");
        status_add_span(b, state_us);
        mend = "it is tried again by itself; the tape keeps everything until then";
    } else if (behind_us >
               at_least(slowest_us(now) * INTERVALS, SINK_PATIENCE) + sink->gathers_us) {
        add_place(b, "sink", sink->url);
        buf_add_z(b, "behind the tape for ");
        status_add_span(b, behind_us);
        buf_addf(b, ", now by %" PRIu64 " records", sink->lag);
        mend = "it catches up by itself unless it is slower than the jobs: poll less, or give it "
               "more";
    } else {
        return 0;
    }
    add_error(b, sink->last_error);
    buf_addf(b, "; %s\n", mend);
    return 1;
}

/* What a process reads that does not write it. */
static size_t add_stores(struct buf *b, const struct status_snapshot *now)
{
    size_t n = 0;

    for (size_t i = 0; i < now->n_sinks; i++) {
        const struct status_sink *store = &now->sinks[i];
        if (store->state == SINK_WORKING)
            continue;
        buf_add_z(b, "store: ");
        buf_add_clean(b, str_of(store->last_error[0] ? store->last_error : "not read so far"),
                      MAX_REASON_TEXT);
        buf_add_z(b, "; it is tried again by itself\n");
        n++;
    }
    return n;
}

/* ---- the whole ---- */

static size_t add_disk(struct buf *b, const struct status_snapshot *now)
{
    const struct status_disk *disk = &now->disk;
    const bool is_full = disk->free_bytes < MIN_FREE_BYTES;
    const bool fills = disk->day_bytes > 0 && disk->free_bytes < disk->day_bytes;

    if (disk->checked_us == 0 || (!is_full && !fills))
        return 0;
    add_place(b, "disk of", now->data_dir);
    buf_addf(b, "%" PRIu64 " MB free", disk->free_bytes / 1000 / 1000);
    if (fills)
        buf_addf(b, ", %" PRIu64 " MB written a day", disk->day_bytes / 1000 / 1000);
    buf_add_z(b, "; make room, or let the tape keep less (--tape-keep)\n");
    return 1;
}

bool ready_add_reasons(struct buf *b, const struct status_snapshot *now, int64_t now_us)
{
    size_t n = 0;

    if (now->pid == 0) {
        add_place(b, "data directory", now->data_dir);
        buf_add_z(b, "nobody runs here; start it with geckotape run\n");
        return false;
    }
    if (now->is_stopping) {
        buf_add_z(b, "process: it is stopping; start it again if nobody meant that\n");
        n++;
    }
    if (now->is_reader)
        return add_stores(b, now) + n == 0;
    n += add_key(b, now);
    for (size_t i = 0; i < now->n_jobs; i++)
        n += add_job(b, &now->jobs[i], now->started_us, now_us);
    for (size_t i = 0; i < now->n_sinks; i++)
        n += add_sink(b, &now->sinks[i], now, now_us);
    n += add_disk(b, now);
    return n == 0;
}

static void add_sink_warnings(struct buf *b, const struct status_snapshot *now)
{
    for (size_t i = 0; i < now->n_sinks; i++) {
        const struct status_sink *sink = &now->sinks[i];
        if (sink->is_gone || sink->warning[0] == '\0')
            continue;
        add_place(b, "sink", sink->url);
        buf_add_clean(b, str_of(sink->warning), MAX_REASON_TEXT);
        buf_add_char(b, '\n');
    }
}

void ready_add_warnings(struct buf *b, const struct status_snapshot *now)
{
    char since[TIME_TEXT];

    for (size_t i = 0; i < now->n_jobs; i++) {
        const struct status_job *job = &now->jobs[i];
        if (job->is_gone || job->drift[0] == '\0')
            continue;
        time_format(time_floor(job->drift_since_us, US_PER_S), since);
        add_place(b, "job", job->name);
        buf_addf(b, "CoinGecko's answers drift since %s", since);
        add_error(b, job->drift);
        buf_add_z(b,
                  "; the tape keeps them as they come, and a geckotape that knows them makes the "
                  "rows anew (replay)\n");
    }
    add_sink_warnings(b, now);
}
