/* SPDX-License-Identifier: Apache-2.0 */
#include "status/ready.h"

#include "base/clock.h"
#include "tap.h"

#define NOW    INT64_C(1795444200000000) /* 2026-11-23T14:30:00Z */
#define S      US_PER_S
#define MINUTE (60 * US_PER_S)
#define HOUR   (3600 * US_PER_S)

static struct status_snapshot snapshot;
static struct status_job *job = &snapshot.jobs[0];
static struct status_sink *sink = &snapshot.sinks[0];

static void all_is_well(void)
{
    snapshot = (struct status_snapshot){
        .started_us = NOW - HOUR, .pid = 7, .data_dir = "./data", .n_jobs = 1, .n_sinks = 1};
    *job =
        (struct status_job){.name = "markets-usd", .every_us = MINUTE, .last_ok_us = NOW - 10 * S};
    *sink = (struct status_sink){
        .url = "sqlite:a.db", .state = SINK_WORKING, .state_since_us = NOW - HOUR};
}

static void fail(const char *cause, const char *error)
{
    job->failed_in_row = 3;
    snprintf(job->last_cause, sizeof(job->last_cause), "%s", cause);
    snprintf(job->last_error, sizeof(job->last_error), "%s", error);
}

/* ---- what turns it red, and what does not ---- */

static void nothing(void)
{
}
static void polls_as_old_as_allowed(void)
{
    job->last_ok_us = NOW - 180 * S;
}
static void polls_too_old(void)
{
    job->last_ok_us = NOW - 181 * S;
}

static void polls_too_old_by_the_network(void)
{
    polls_too_old();
    fail("transport", "connection \"refused\"");
}

static void short_interval(void)
{
    job->every_us = 5 * S;
    job->last_ok_us = NOW - 90 * S;
}

static void short_interval_too_old(void)
{
    short_interval();
    job->last_ok_us = NOW - 91 * S;
}

static void old_tape_new_process(void)
{
    job->last_ok_us = NOW - 24 * HOUR;
    snapshot.started_us = NOW - 180 * S;
}

static void old_tape_process_of_a_while(void)
{
    old_tape_new_process();
    snapshot.started_us = NOW - 181 * S;
}

static void never_polled(void)
{
    job->last_ok_us = 0;
    snapshot.started_us = NOW;
}

static void only_failures(void)
{
    never_polled();
    fail("permanent", "HTTP 401: no key");
}

static void one_failure(void)
{
    fail("transient", "HTTP 500");
}
static void wrong_clock(void)
{
    fail("clock", "Date is 1h off");
}

static void wrong_clock_of_before(void)
{
    wrong_clock();
    job->failed_in_row = 0;
}

static void idle_and_gone_jobs(void)
{
    snapshot.n_jobs = 3;
    snapshot.jobs[1] = (struct status_job){.name = "idle", .is_idle = true};
    snapshot.jobs[2] = (struct status_job){.name = "gone", .is_gone = true};
}

static void outside_of_its_hours(void)
{
    job->from_us = 8 * HOUR, job->to_us = 14 * HOUR;
    job->last_ok_us = 0;
}

static void its_hours_begin(void)
{
    job->from_us = 14 * HOUR + 28 * MINUTE, job->to_us = 18 * HOUR;
    job->last_ok_us = NOW - 20 * HOUR; /* 18:30 of yesterday: before the end there was no time */
    snapshot.started_us = NOW - 30 * HOUR;
}

static void its_hours_began_a_while_ago(void)
{
    its_hours_begin();
    job->from_us -= 2 * MINUTE;
}

static void its_hours_are_over_midnight(void)
{
    job->from_us = 22 * HOUR, job->to_us = 6 * HOUR;
    job->last_ok_us = NOW - 20 * HOUR;
    snapshot.started_us = NOW - 30 * HOUR;
}

/* Of 3 days ago, as its newest poll promised. */
static void a_line_of_rare_times(void)
{
    job->last_ok_us = NOW - 72 * HOUR;
    job->next_due_us = job->next_slot_us = NOW + 96 * HOUR;
    snapshot.started_us = NOW - 100 * HOUR;
}

static void a_line_of_rare_times_that_is_late(void)
{
    a_line_of_rare_times();
    job->next_due_us = job->next_slot_us = NOW - 91 * S;
}

static void a_line_of_rare_times_though_the_budget_is_short(void)
{
    a_line_of_rare_times();
    job->calls_per_poll = 1, job->share = 0.5;
    job->next_due_us += 168 * HOUR;
}

static void many_slots_left_out_by_the_budget(void)
{
    a_line_of_rare_times_though_the_budget_is_short();
    job->next_slot_us = job->last_ok_us + MINUTE;
}

static void sink_stopped(void)
{
    sink->state = SINK_STOPPED;
    snprintf(sink->last_error, sizeof(sink->last_error), "not a database");
}

static void sink_waits(void)
{
    sink->state = SINK_WAITING;
    sink->state_since_us = NOW - 300 * S;
}

static void sink_waits_long(void)
{
    sink_waits();
    sink->state_since_us -= S;
}

static void sink_does_not_open(void)
{
    sink->state = SINK_STARTING;
    sink->state_since_us = 0;
}

static void sink_is_behind(void)
{
    sink->lag = 12;
    sink->behind_since_us = NOW - 300 * S;
}

static void sink_is_behind_for_long(void)
{
    sink_is_behind();
    sink->behind_since_us -= S;
}

static void sink_is_behind_a_slow_job(void)
{
    sink_is_behind_for_long();
    job->every_us = 2 * MINUTE;
    job->last_ok_us = NOW - 10 * S;
}

static void sink_is_behind_a_slow_job_for_long(void)
{
    sink_is_behind_a_slow_job();
    sink->behind_since_us = NOW - 361 * S;
}

static void sink_is_gone(void)
{
    sink_stopped();
    sink->is_gone = true;
}

static void disk_is_fine(void)
{
    snapshot.disk = (struct status_disk){.checked_us = NOW,
                                         .free_bytes = 100000000,
                                         .total_bytes = 1000000000,
                                         .day_bytes = 100000000};
}

static void disk_not_looked_at(void)
{
    disk_is_fine();
    snapshot.disk.checked_us = 0;
    snapshot.disk.free_bytes = 0;
}

static void disk_is_full(void)
{
    disk_is_fine();
    snapshot.disk.free_bytes--;
    snapshot.disk.day_bytes = 0;
}

static void disk_fills_today(void)
{
    disk_is_fine();
    snapshot.disk.free_bytes = 500000000;
    snapshot.disk.day_bytes = 700000000;
}

static void stopping(void)
{
    snapshot.is_stopping = true;
}

static void nobody_runs(void)
{
    never_polled(); /* which needs no saying */
    snapshot.pid = 0;
}

static void a_clock_that_was_set_back(void)
{
    job->last_ok_us = NOW + HOUR;
    sink->state_since_us = NOW + HOUR;
    sink->behind_since_us = NOW + HOUR;
    snapshot.started_us = NOW + HOUR;
}

static void hostile_texts(void)
{
    polls_too_old();
    fail("transport", "\x1b[2J\r\nready\nxx");
}

static void key_refused(void)
{
    snapshot.key.checked_us = NOW;
    snprintf(snapshot.key.trouble, sizeof(snapshot.key.trouble), "HTTP 401: \x1b[2Jno; get one");
}

static void key_refused_before_an_ok_poll(void)
{
    key_refused();
    snapshot.key.checked_us = NOW - 60 * S;
}

static const struct {
    void (*change)(void);
    const char *want;
} cases[] = {
    {nothing, ""},
    {polls_as_old_as_allowed, ""},
    {polls_too_old,
     "job markets-usd: no ok poll for 3m 1s; it will be tried again; geckotape doctor "
     "tries all there is\n"},
    {polls_too_old_by_the_network, "job markets-usd: no ok poll for 3m 1s: connection \"refused\"; "
                                   "geckotape doctor tries the network\n"},
    {key_refused, "API key: HTTP 401: ?[2Jno; get one\n"},
    {key_refused_before_an_ok_poll, ""},
    {short_interval, ""},
    {short_interval_too_old, "job markets-usd: no ok poll for 1m 31s; it will be tried again; "
                             "geckotape doctor tries all there is\n"},
    {old_tape_new_process, ""},
    {old_tape_process_of_a_while, "job markets-usd: no ok poll for 3m 1s; it will be tried again; "
                                  "geckotape doctor tries all there is\n"},
    {never_polled, "job markets-usd: no ok poll yet; the first one is under way or due\n"},
    {only_failures, "job markets-usd: no ok poll yet: HTTP 401: no key; look at key, plan and "
                    "selection; geckotape doctor tries them\n"},
    {one_failure, ""},
    {wrong_clock, "job markets-usd: clocks differ: Date is 1h off; set this machine's clock, with "
                  "NTP if it can be\n"},
    {wrong_clock_of_before, ""},
    {idle_and_gone_jobs, ""},
    {outside_of_its_hours, ""},
    {its_hours_begin, ""},
    {its_hours_began_a_while_ago, "job markets-usd: no ok poll for 4m; it will be tried again; "
                                  "geckotape doctor tries all there is\n"},
    {its_hours_are_over_midnight, ""},
    {a_line_of_rare_times, ""},
    {a_line_of_rare_times_that_is_late,
     "job markets-usd: no ok poll for 3d; it will be tried again; geckotape doctor tries all "
     "there is\n"},
    {a_line_of_rare_times_though_the_budget_is_short, ""},
    {many_slots_left_out_by_the_budget,
     "job markets-usd: no ok poll for 3d; it will be tried again; geckotape doctor tries all "
     "there is\n"},
    {sink_stopped, "sink sqlite:a.db: stopped: not a database; mend that and restart; the tape "
                   "keeps everything until then\n"},
    {sink_waits, ""},
    {sink_waits_long, "sink sqlite:a.db: waiting for 5m 1s; it is tried again by itself; the tape "
                      "keeps everything until then\n"},
    {sink_does_not_open, "sink sqlite:a.db: not open for 1h; it is tried again by itself; the tape "
                         "keeps everything until then\n"},
    {sink_is_behind, ""},
    {sink_is_behind_for_long, "sink sqlite:a.db: behind the tape for 5m 1s, now by 12 records; it "
                              "catches up by itself unless "
                              "it is slower than the jobs: poll less, or give it more\n"},
    {sink_is_behind_a_slow_job, ""},
    {sink_is_behind_a_slow_job_for_long,
     "sink sqlite:a.db: behind the tape for 6m 1s, now by 12 records; it catches up by itself "
     "unless "
     "it is slower than the jobs: poll less, or give it more\n"},
    {sink_is_gone, ""},
    {disk_is_fine, ""},
    {disk_not_looked_at, ""},
    {disk_is_full, "disk of ./data: 99 MB free; make room, or let the tape keep less "
                   "(--tape-keep)\n"},
    {disk_fills_today, "disk of ./data: 500 MB free, 700 MB written a day; make room, or let the "
                       "tape keep less (--tape-keep)\n"},
    {nobody_runs, "data directory ./data: nobody runs here; start it with geckotape run\n"},
    {stopping, "process: it is stopping; start it again if nobody meant that\n"},
    {a_clock_that_was_set_back, ""},
    {hostile_texts, "job markets-usd: no ok poll for 3m 1s: ?[2J ready xx; "
                    "geckotape doctor tries the network\n"},
};

static void ready_gives_the_reasons_of_its_table(void)
{
    struct buf b = BUF_INIT(1 << 16);

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        all_is_well();
        cases[i].change();
        buf_clear(&b);
        bool is_ready = ready_add_reasons(&b, &snapshot, NOW);
        CHECK_Z(buf_z(&b), cases[i].want);
        CHECK_EQ(is_ready, cases[i].want[0] == '\0');
    }
    buf_release(&b);
}

static void ready_counts_all_reasons_though_few_fit(void)
{
    struct buf b = BUF_INIT(64);

    all_is_well();
    snapshot.n_jobs = STATUS_MAX_JOBS;
    for (size_t i = 0; i < STATUS_MAX_JOBS; i++)
        snapshot.jobs[i] = *job, snapshot.jobs[i].last_ok_us = 0;
    CHECK(!ready_add_reasons(&b, &snapshot, NOW));
    buf_release(&b);
}

static void age_counts_only_the_hours_of_a_job(void)
{
    static const struct {
        int64_t from, to, since, now, want; /* hours */
    } ages[] = {
        {0, 0, 5, 50, 45},    {8, 18, 9, 10, 1},  {8, 18, 17, 33, 2},  {8, 18, 19, 30, 0},
        {8, 18, 0, 240, 100}, {22, 6, 21, 23, 1}, {22, 6, 23, 47, 8},  {22, 6, 7, 21, 0},
        {22, 6, 0, 240, 80},  {8, 18, 10, 9, 0},  {0, 12, -24, 0, 12},
    };

    for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
        const struct status_job j = {.from_us = ages[i].from * HOUR, .to_us = ages[i].to * HOUR};
        CHECK_EQ(ready_job_age_us(&j, ages[i].since * HOUR, ages[i].now * HOUR) / HOUR,
                 ages[i].want);
    }
}

static void sinks_warn_while_they_are_there(void)
{
    struct buf b = BUF_INIT(4096);

    all_is_well();
    ready_add_warnings(&b, &snapshot);
    CHECK_Z(buf_z(&b), "");
    snprintf(sink->url, sizeof(sink->url), "postgres:");
    snprintf(sink->warning, sizeof(sink->warning), "a wall\nis wet; see to it");
    ready_add_warnings(&b, &snapshot);
    CHECK_Z(buf_z(&b), "sink postgres:: a wall is wet; see to it\n");
    buf_clear(&b);
    sink->is_gone = true;
    ready_add_warnings(&b, &snapshot);
    CHECK_Z(buf_z(&b), "");
    buf_release(&b);
}

TAP_MAIN(TAP_CASE(ready_gives_the_reasons_of_its_table),
         TAP_CASE(ready_counts_all_reasons_though_few_fit),
         TAP_CASE(sinks_warn_while_they_are_there), TAP_CASE(age_counts_only_the_hours_of_a_job))
