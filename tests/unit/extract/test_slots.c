/* A slot is polled once: over restarts, reloads and polls out of turn. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include <stdatomic.h>

#define DAY_US (86400 * US_PER_S)

static struct extract_job jobs[2]; /* both with a grid a day wide */
static pthread_t thread;
static enum st run_st;
static atomic_uint_least64_t answered; /* ticket */

static void polled_now(void *ctx, uint64_t ticket, enum poll_outcome outcome, const char *error)
{
    (void)ctx, (void)outcome, (void)error;
    atomic_store(&answered, ticket);
}

static void set_up(void)
{
    static const struct http_step good = {.answer = GOOD};
    struct tape_writer_setup setup = {
        .clock = clock_system(), .segment_span_us = 3600 * US_PER_S, .segment_max_bytes = 1 << 30};
    struct tape_recovery recovery;

    prepare(&good, 1);
    w.job.grid.every_us = DAY_US;
    w.setup.events.polled_now = polled_now;
    w.setup.jobs = jobs;
    jobs[0] = jobs[1] = w.job;
    jobs[1].status = 1;
    snprintf(jobs[1].id.job, sizeof(jobs[1].id.job), "other");
    setup.tape = w.tape;
    setup.id = jobs[1].id;
    if (tape_writer_open(&setup, &jobs[1].writer, &recovery, &err) != ST_OK)
        abort();
}

static void start(void)
{
    begin();
    pthread_create(&thread, NULL, run_extract, &run_st);
}

static void stop(void)
{
    extract_stop(w.extract);
    pthread_join(thread, NULL);
    extract_free(w.extract);
    w.extract = NULL;
    CHECK_OK(run_st, err);
}

static void tear_down(void)
{
    tape_writer_close(jobs[1].writer);
    end();
}

/* Twice a poll out of turn: then the jobs are in force, and what was due has been polled. */
static void settle(const char *job)
{
    for (int i = 0; i < 2; i++) {
        uint64_t ticket = extract_poll_now(w.extract, job);
        AWAIT(atomic_load(&answered) == ticket);
    }
}

static void set_every(int64_t every_us)
{
    jobs[0].grid.every_us = every_us;
    extract_set_jobs(w.extract, jobs, 1);
    settle("markets-usd");
}

static int n_on_grid(void)
{
    int n = 0;

    for (size_t i = 0; i < w.n_seen; i++)
        n += w.seen[i].r.type == TAPE_END && w.seen[i].r.slot_us % DAY_US == 0;
    return n;
}

static void a_restart_after_a_poll_out_of_turn_finds_the_slot_taken(void)
{
    set_up();
    for (int i = 0; i < 2; i++) {
        start();
        settle("markets-usd");
        stop();
    }
    tear_down();
    CHECK_EQ(w.n_seen, 2 * (1 + 2 + 2));
    CHECK_EQ(n_on_grid(), 1);
}

static void a_job_that_comes_back_finds_its_slot_taken(void)
{
    set_up();
    start();
    settle("markets-usd");
    extract_set_jobs(w.extract, &jobs[1], 1);
    settle("other");
    extract_set_jobs(w.extract, &jobs[0], 1);
    settle("markets-usd");
    stop();
    tear_down();
    CHECK_EQ(n_on_grid(), 1);
}

static void a_job_that_comes_back_shows_its_last_poll_once(void)
{
    static struct status_snapshot snapshot;

    snapshot = (struct status_snapshot){.n_jobs = 2};
    set_up();
    w.setup.status = status_new(&snapshot);
    start();
    settle("markets-usd");
    for (int i = 0; i < 4; i++) {
        extract_set_jobs(w.extract, &jobs[i % 2], 1);
        settle(jobs[i % 2].id.job);
    }
    stop();
    tear_down();
    status_copy(w.setup.status, &snapshot);
    status_free(w.setup.status);
    CHECK_EQ(snapshot.jobs[0].n_polls, w.n_seen / 2);
}

/* Else a job whose next slot is hours away would pass for one that is late. */
static void a_restart_shows_what_the_last_poll_promised(void)
{
    static struct status_snapshot snapshot;

    set_up();
    start();
    settle("markets-usd");
    stop();
    snapshot = (struct status_snapshot){.n_jobs = 2};
    w.setup.status = status_new(&snapshot);
    begin();
    status_copy(w.setup.status, &snapshot);
    tear_down();
    status_free(w.setup.status);
    CHECK(last()->r.next_due_us > 0);
    CHECK_EQ(snapshot.jobs[0].next_due_us, last()->r.next_due_us);
    CHECK_EQ(snapshot.jobs[0].next_slot_us, last()->r.next_due_us);
}

/* As the view gap has it. */
static int n_gaps(void)
{
    int n = 0;

    for (size_t i = 0; i < w.n_seen; i++) {
        int64_t next_us = INT64_MAX;
        for (size_t k = 0; k < w.n_seen; k++)
            if (w.seen[k].r.type == TAPE_END && w.seen[k].r.slot_us > w.seen[i].r.slot_us &&
                w.seen[k].r.slot_us < next_us)
                next_us = w.seen[k].r.slot_us;
        n += w.seen[i].r.type == TAPE_END && next_us != INT64_MAX &&
             w.seen[i].r.next_due_us < next_us;
    }
    return n;
}

static void a_longer_interval_keeps_what_the_one_before_promised(void)
{
    set_up();
    jobs[0].grid.every_us = US_PER_S;
    start();
    AWAIT(tape_head_get(tape_writer_head(w.writer)) >= 4);
    uint64_t head = tape_head_get(tape_writer_head(w.writer));
    jobs[0].grid.every_us = 5 * US_PER_S;
    extract_set_jobs(w.extract, jobs, 1);
    AWAIT(tape_head_get(tape_writer_head(w.writer)) >= head + 4);
    stop();
    tear_down();
    CHECK_EQ(n_gaps(), 0);
}

static atomic_int_least64_t jump_us;

static int64_t jumped_wall(struct clock *c)
{
    (void)c;
    return clock_wall_us(clock_system()) + atomic_load(&jump_us);
}

static int64_t system_mono(struct clock *c)
{
    (void)c;
    return clock_mono_us(clock_system());
}

/* A cron line of once a month, and then one of every other: the time between is no gap. */
static void a_promise_of_a_month_ahead_is_kept_too(void)
{
    static struct clock clock = {.wall_us = jumped_wall, .mono_us = system_mono};
    const int64_t now_us = clock_wall_us(clock_system()), due_us = now_us + 30 * DAY_US;
    struct tape_record r = {.outcome = POLL_OK, .fetched_at_us = now_us, .next_due_us = due_us};
    uint64_t offset;
    bool is_kept = false;

    set_up();
    w.setup.clock = &clock;
    jobs[0].grid.every_us = 100 * DAY_US;
    r.slot_us = time_floor(now_us, jobs[0].grid.every_us);
    CHECK_OK(tape_append_end(w.writer, &r, &offset, &err), err);
    start();
    atomic_store(&jump_us, 30 * DAY_US + US_PER_S);
    AWAIT(tape_head_get(tape_writer_head(w.writer)) > offset);
    stop();
    tear_down();
    atomic_store(&jump_us, 0);
    for (size_t i = 0; i < w.n_seen; i++)
        is_kept |= w.seen[i].r.type == TAPE_END && w.seen[i].r.slot_us == due_us;
    CHECK(is_kept);
}

static void another_interval_and_back_finds_the_slot_taken(void)
{
    set_up();
    start();
    settle("markets-usd");
    set_every(10 * US_PER_MS);
    AWAIT(atomic_load(&w.server.n_requests) >= 20); /* more than a schedule remembers */
    set_every(DAY_US);
    stop();
    jobs[0].grid.every_us = 10 * US_PER_MS;
    start();
    settle("markets-usd");
    AWAIT(atomic_load(&w.server.n_requests) >= 40);
    stop();
    jobs[0].grid.every_us = DAY_US;
    start();
    settle("markets-usd");
    stop();
    tear_down();
    CHECK_EQ(n_on_grid(), 1);
}

static void a_slot_far_back_on_the_tape_is_found(void)
{
    struct tape_record r = {.outcome = POLL_OK};
    uint64_t offset;

    set_up();
    r.fetched_at_us = clock_wall_us(w.setup.clock);
    r.slot_us = time_floor(r.fetched_at_us, DAY_US);
    for (int i = 0; i < 400; i++) {
        CHECK_OK(tape_append_end(w.writer, &r, &offset, &err), err);
        r.slot_us = ++r.fetched_at_us;
    }
    start();
    settle("markets-usd");
    stop();
    tear_down();
    CHECK_EQ(w.n_seen, 400 + 4);
    CHECK_EQ(n_on_grid(), 1);
}

static void a_slot_that_brought_no_rows_is_not_taken(void)
{
    struct tape_record r = {.outcome = POLL_FAILED};
    uint64_t offset;

    set_up();
    r.fetched_at_us = clock_wall_us(w.setup.clock);
    r.slot_us = time_floor(r.fetched_at_us, DAY_US);
    CHECK_OK(tape_append_end(w.writer, &r, &offset, &err), err);
    start();
    settle("markets-usd");
    stop();
    tear_down();
    CHECK_EQ(n_on_grid(), 2);
}

/* As many wishes wait as may, all the time: the other job has its slots all the same. */
static void polls_out_of_turn_do_not_starve_the_grid(void)
{
    struct tape_head *head;

    set_up();
    jobs[1].grid.every_us = 10 * US_PER_MS;
    w.setup.n_jobs = 2;
    head = tape_writer_head(jobs[1].writer);
    start();
    for (int i = 0; i < 40000 && tape_head_get(head) < 2 * 10; i++) {
        extract_poll_now(w.extract, "markets-usd");
        usleep(100);
    }
    CHECK(tape_head_get(head) >= 2 * 10);
    stop();
    tear_down();
    CHECK(w.n_seen >= 2 * 5); /* … and neither do slots starve the wishes */
}

TAP_MAIN(TAP_CASE(a_restart_after_a_poll_out_of_turn_finds_the_slot_taken),
         TAP_CASE(a_job_that_comes_back_finds_its_slot_taken),
         TAP_CASE(a_job_that_comes_back_shows_its_last_poll_once),
         TAP_CASE(a_restart_shows_what_the_last_poll_promised),
         TAP_CASE(a_longer_interval_keeps_what_the_one_before_promised),
         TAP_CASE(a_promise_of_a_month_ahead_is_kept_too),
         TAP_CASE(another_interval_and_back_finds_the_slot_taken),
         TAP_CASE(a_slot_far_back_on_the_tape_is_found),
         TAP_CASE(a_slot_that_brought_no_rows_is_not_taken),
         TAP_CASE(polls_out_of_turn_do_not_starve_the_grid))
