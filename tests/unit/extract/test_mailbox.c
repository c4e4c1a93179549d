/* What other threads ask of a running extractor. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/charts.h"
#include "world.h"

#define MAX_ANSWERS 64

static struct answers {
    pthread_mutex_t lock;
    uint64_t tickets[MAX_ANSWERS];
    enum poll_outcome outcomes[MAX_ANSWERS];
    char errors[MAX_ANSWERS][128];
    size_t n;
} answers = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void polled_now(void *ctx, uint64_t ticket, enum poll_outcome outcome, const char *error)
{
    (void)ctx;
    pthread_mutex_lock(&answers.lock);
    size_t i = answers.n % MAX_ANSWERS;
    answers.tickets[i] = ticket;
    answers.outcomes[i] = outcome;
    snprintf(answers.errors[i], sizeof(answers.errors[i]), "%s", error);
    answers.n++;
    pthread_mutex_unlock(&answers.lock);
}

static size_t n_answers(void)
{
    pthread_mutex_lock(&answers.lock);
    size_t n = answers.n;
    pthread_mutex_unlock(&answers.lock);
    return n;
}

static pthread_t thread;
static enum st run_st;

/* A running extractor whose grid is a day wide, with its slot taken or without jobs. */
static void start(size_t n_jobs)
{
    static const struct http_step good = {.answer = GOOD};

    prepare(&good, 1);
    answers.n = 0;
    w.job.grid.every_us = 86400 * US_PER_S;
    w.setup.n_jobs = n_jobs;
    w.setup.events.polled_now = polled_now;
    begin();
    pthread_create(&thread, NULL, run_extract, &run_st);
}

static void stop(void)
{
    extract_stop(w.extract);
    pthread_join(thread, NULL);
    end();
}

static void without_jobs_it_waits_until_there_are_some(void)
{
    start(0);
    usleep(50000);
    CHECK_EQ(w.server.n_requests, 0);
    CHECK_EQ(extract_poll_now(w.extract, "markets-usd"), 0);
    extract_set_jobs(w.extract, &w.job, 1);
    AWAIT(atomic_load(&w.server.n_requests) == 1);
    stop();
    CHECK_OK(run_st, err);
    CHECK_EQ(w.n_seen, 2);
    CHECK_EQ(last()->r.slot_us % w.job.grid.every_us, 0);
}

static void a_poll_out_of_turn_takes_no_slot_and_is_answered(void)
{
    start(1);
    AWAIT(atomic_load(&w.server.n_requests) == 1);
    uint64_t ticket = extract_poll_now(w.extract, "markets-usd");
    CHECK(ticket != 0);
    AWAIT(n_answers() == 1);
    stop();
    CHECK_EQ(answers.tickets[0], ticket);
    CHECK_EQ(answers.outcomes[0], POLL_OK);
    CHECK_Z(answers.errors[0], "");
    CHECK_EQ(w.n_seen, 4);
    CHECK(last()->r.slot_us % w.job.grid.every_us != 0);
    CHECK(last()->r.slot_us > w.seen[1].r.slot_us);
    CHECK_EQ(last()->r.next_due_us, w.seen[1].r.next_due_us);
}

static void a_poll_before_the_slot_was_polled_leaves_the_slot_to_the_grid(void)
{
    uint64_t ticket;

    start(0);
    extract_set_jobs(w.extract, &w.job, 1);
    ticket = extract_poll_now(w.extract, "markets-usd"); /* may well come first */
    CHECK(ticket != 0);
    AWAIT(n_answers() == 1);
    AWAIT(atomic_load(&w.server.n_requests) == 2);
    stop();
    CHECK_EQ(w.n_seen, 4);
    int n_on_grid = (w.seen[1].r.slot_us % w.job.grid.every_us == 0) +
                    (w.seen[3].r.slot_us % w.job.grid.every_us == 0);
    CHECK_EQ(n_on_grid, 1);
}

static void a_failed_poll_out_of_turn_says_why(void)
{
    prepare(SCRIPT({.answer = BROKEN}));
    answers.n = 0;
    w.job.grid.every_us = 86400 * US_PER_S;
    w.setup.api.max_attempts = 1;
    w.setup.events.polled_now = polled_now;
    begin();
    pthread_create(&thread, NULL, run_extract, &run_st);
    CHECK(extract_poll_now(w.extract, "markets-usd") != 0);
    AWAIT(n_answers() == 1);
    stop();
    CHECK_EQ(answers.outcomes[0], POLL_FAILED);
    CHECK_Z(answers.errors[0], "HTTP 500: not JSON: \"oops\"");
}

static void wishes_are_bounded_and_none_is_left_without_an_answer(void)
{
    struct extract_job jobs[20];
    size_t n_accepted = 0;
    uint64_t ticket;

    prepare(SCRIPT({.answer = NULL})); /* says nothing: the first poll hangs */
    answers.n = 0;
    w.setup.events.polled_now = polled_now;
    for (size_t i = 0; i < 20; i++) {
        jobs[i] = w.job;
        snprintf(jobs[i].id.job, sizeof(jobs[i].id.job), "job-%zu", i);
    }
    w.setup.jobs = jobs;
    w.setup.n_jobs = 20;
    begin();
    pthread_create(&thread, NULL, run_extract, &run_st);
    AWAIT(atomic_load(&w.server.n_requests) == 1);
    CHECK_EQ(extract_poll_now(w.extract, "markets-eur"), 0);
    ticket = extract_poll_now(w.extract, jobs[0].id.job);
    CHECK(ticket != 0);
    for (int i = 0; i < 40; i++) /* all wait for one poll */
        CHECK_EQ(extract_poll_now(w.extract, jobs[0].id.job), ticket);
    for (size_t i = 1; i < 20; i++)
        n_accepted += extract_poll_now(w.extract, jobs[i].id.job) != 0;
    stop();
    CHECK_EQ(n_accepted, 15);
    CHECK_EQ(answers.n, 16);
    CHECK_EQ(answers.outcomes[0], POLL_ABORTED);
    CHECK_Z(answers.errors[0], "stopped");
}

static void a_job_that_stays_keeps_its_slots_and_one_that_goes_is_left_alone(void)
{
    start(1);
    AWAIT(atomic_load(&w.server.n_requests) == 1);
    extract_set_jobs(w.extract, &w.job, 1);
    extract_set_jobs(w.extract, NULL, 0);
    CHECK_EQ(extract_poll_now(w.extract, "markets-usd"), 0);
    extract_set_jobs(w.extract, &w.job, 1); /* its slot is on the tape */
    CHECK(extract_poll_now(w.extract, "markets-usd") != 0);
    AWAIT(n_answers() == 1);
    stop();
    CHECK_EQ(w.n_seen, 4);
    CHECK_EQ(w.seen[1].r.slot_us % w.job.grid.every_us, 0);
    CHECK(w.seen[3].r.slot_us % w.job.grid.every_us != 0);
}

/* Whoever asks may leave, and what it asked with is gone, while the poll waits for its pace. */
static void a_chart_is_the_one_that_was_asked_for_whoever_left_since(void)
{
    static const char *const wanted[] = {
        "/coins/bitcoin/market_chart/range?vs_currency=usd&from=1700000000&to=1700000060",
        "/coins/solana/market_chart/range?vs_currency=usd&from=1700000000&to=1700000060"};
    struct chart_ask ask = {.coin = "bitcoin",
                            .path = CHART_RANGE,
                            .from_us = 1700000000 * US_PER_S,
                            .to_us = 1700000060 * US_PER_S};
    size_t n = 0;

    prepare(SCRIPT({.answer = OK_HEAD "Content-Length: 2\r\n\r\n{}"}));
    answers.n = 0;
    w.job.grid.every_us = 86400 * US_PER_S;
    snprintf(w.job.id.endpoint, sizeof(w.job.id.endpoint), "coins/market_chart");
    w.job.selection = (struct selection){.kind = SELECT_CHART};
    w.job.is_on_demand = true;
    w.setup.api.calls_per_minute = 600;
    w.setup.api.max_attempts = 1;
    w.setup.events.polled_now = polled_now;
    begin();
    pthread_create(&thread, NULL, run_extract, &run_st);
    CHECK_EQ(extract_poll_now(w.extract, "markets-usd"), 0); /* of which chart? */
    const uint64_t first = extract_poll_chart(w.extract, "markets-usd", &ask);
    snprintf(ask.coin, sizeof(ask.coin), "solana");
    const uint64_t second = extract_poll_chart(w.extract, "markets-usd", &ask);
    memset(&ask, 0x55, sizeof(ask));
    CHECK(first != 0 && second != 0 && first != second);
    AWAIT(n_answers() == 2);
    stop();
    for (size_t i = 0; i < w.n_seen; i++)
        if (w.seen[i].r.type == TAPE_PAGE && n++ < 2)
            CHECK(strstr(w.seen[i].target, wanted[n - 1]));
    CHECK_EQ(n, 2);
}

static void *pester(void *ctx)
{
    uint64_t *last_ticket = ctx;

    for (int i = 0; i < 50; i++) {
        extract_set_jobs(w.extract, &w.job, 1);
        *last_ticket = extract_poll_now(w.extract, "markets-usd");
        usleep(500);
    }
    return NULL;
}

static void many_threads_may_ask_at_once(void)
{
    pthread_t threads[3];
    uint64_t last_tickets[3], n_asked = 0; /* tickets count from 1 */

    start(0);
    for (size_t i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, pester, &last_tickets[i]);
    for (size_t i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        if (last_tickets[i] > n_asked)
            n_asked = last_tickets[i];
    }
    AWAIT(n_answers() == n_asked);
    AWAIT(atomic_load(&w.server.n_requests) == (int)n_asked + 1);
    stop();
    CHECK_OK(run_st, err);
    CHECK_EQ(w.n_ended, n_answers() + 1);
}

TAP_MAIN(TAP_CASE(without_jobs_it_waits_until_there_are_some),
         TAP_CASE(a_poll_out_of_turn_takes_no_slot_and_is_answered),
         TAP_CASE(a_poll_before_the_slot_was_polled_leaves_the_slot_to_the_grid),
         TAP_CASE(a_failed_poll_out_of_turn_says_why),
         TAP_CASE(wishes_are_bounded_and_none_is_left_without_an_answer),
         TAP_CASE(a_job_that_stays_keeps_its_slots_and_one_that_goes_is_left_alone),
         TAP_CASE(a_chart_is_the_one_that_was_asked_for_whoever_left_since),
         TAP_CASE(many_threads_may_ask_at_once))
