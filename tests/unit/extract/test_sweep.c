/* Polls of many pages: where they end, what ends them, and who else has a turn meanwhile. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include "sim/sim.h"

#define MAX_PAGES 40

static struct http_step steps[MAX_PAGES];
static char texts[MAX_PAGES][16384];

/* A page of n coins, whole with its headers: their numbers from `first` on. */
static struct http_step page(size_t at, int first, int n)
{
    static char body[16000];
    size_t len = 0;

    for (int i = 0; i < n; i++)
        len +=
            (size_t)snprintf(body + len, sizeof(body) - len,
                             "%s{\"id\":\"coin-%05d\",\"image\":{}}", i > 0 ? "," : "", first + i);
    snprintf(texts[at], sizeof(texts[at]), OK_HEAD "Content-Length: %zu\r\n\r\n[%.*s]", len + 2,
             (int)len, body);
    return (struct http_step){.answer = texts[at]};
}

/* Pages of so many coins each, up to and without -1, which follow each other. */
static size_t make_pages(const int *sizes)
{
    size_t n = 0;
    int first = 0;

    for (; sizes[n] >= 0; n++) {
        steps[n] = page(n, first, sizes[n]);
        first += sizes[n];
    }
    return n;
}

static void poll_selection(struct selection selection, size_t n_steps)
{
    prepare(steps, n_steps);
    w.job.selection = selection;
    w.setup.api.max_attempts = 2;
    begin();
    poll_once(0, BUDGET_US);
    end();
}

#define ALL      {.kind = SELECT_ALL}
#define LAYER    {.kind = SELECT_CATEGORY, .category = "layer-1"}
#define LAYER_N  {.kind = SELECT_CATEGORY, .category = "layer-1", .top = 500}
#define FIRST(n) {.kind = SELECT_TOP, .top = (n)}

static void a_sweep_ends_at_an_empty_or_clearly_short_page(void)
{
    static const struct {
        struct selection selection;
        int sizes[8];
        uint32_t n_pages;
    } rows[] = {
        {ALL, {250, 250, 0, -1}, 3},
        {ALL, {250, 249, 250, 0, -1}, 4},
        {ALL, {250, 225, 0, -1}, 3},
        {ALL, {250, 224, 250, 0, -1}, 2},
        {ALL, {10, 250, -1}, 1},
        {LAYER, {250, 225, 225, 9, 0, -1}, 4},
        {LAYER, {250, 0, -1}, 2},
        {LAYER_N, {250, 250, 250, -1}, 2},
        {LAYER_N, {100, 250, -1}, 1},
        {FIRST(750), {250, 10, 250, 250, -1}, 3},
        {FIRST(750), {250, 0, 250, -1}, 2},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        poll_selection(rows[i].selection, make_pages(rows[i].sizes));
        CHECK_OK(w.st, err);
        CHECK_EQ(w.outcome, POLL_OK);
        CHECK_EQ(last()->r.n_pages, rows[i].n_pages);
        CHECK_EQ(w.server.n_requests, rows[i].n_pages);
        for (uint32_t page = 0; page < rows[i].n_pages; page++)
            CHECK_EQ(last()->pages[page], page + 1);
    }
}

static void a_server_that_ignores_the_page_is_found_out(void)
{
    static const struct {
        struct selection selection;
        int firsts[4]; /* of the pages' coins */
        uint32_t n_pages;
        bool is_found;
    } rows[] = {
        {ALL, {0, 0, 0, 0}, 2, true},
        {ALL, {0, 250, 250, 0}, 3, true},
        {LAYER, {0, 0, 0, 0}, 2, true},
        {FIRST(750), {0, 0, 0, 0}, 2, true},
        {FIRST(750), {0, 249, 498, 0}, 3, false}, /* ranks moved between two pages */
        {FIRST(750), {250, 0, 500, 0}, 3, false}, /* no order of ids is expected */
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t at = 0; at < 4; at++)
            steps[at] = page(at, rows[i].firsts[at], 250);
        poll_selection(rows[i].selection, 4);
        CHECK_EQ(w.outcome, rows[i].is_found ? POLL_PARTIAL : POLL_OK);
        CHECK_EQ(last()->r.n_pages, rows[i].selection.kind == SELECT_TOP ? 3 : rows[i].n_pages);
        CHECK_EQ(w.server.n_requests, rows[i].n_pages);
        CHECK_EQ(last()->pages[rows[i].n_pages - 1] == 0, rows[i].is_found);
        if (rows[i].is_found)
            CHECK(strstr(last()->text, ": the coins of the page before again: the server ignores "
                                       "the parameter page"));
    }
}

/* The same coins, but for the first, in another order. */
static void a_page_that_came_again_in_another_order_is_found_out(void)
{
    int sizes[] = {250, -1};

    make_pages(sizes);
    steps[1] = page(1, 0, 250);
    memcpy(strstr(texts[1], "coin-00000"), "coin-00249", 10);
    char *tail = strrchr(texts[1], '[');
    for (char *at = tail + 20; (at = strstr(at, "coin-00249")) != NULL; at++)
        memcpy(at, "coin-00000", 10);
    poll_selection((struct selection)ALL, 2);
    CHECK_EQ(w.outcome, POLL_PARTIAL);
    CHECK_EQ(last()->r.n_pages, 2);
}

static void a_sweep_survives_a_lost_page_but_not_two_in_a_row(void)
{
    const struct http_step bad = {.answer = BROKEN};

    steps[0] = page(0, 0, 250);
    steps[1] = steps[2] = bad;
    steps[3] = page(3, 500, 250);
    steps[4] = page(4, 750, 3);
    poll_selection((struct selection)ALL, 5);
    CHECK_EQ(w.outcome, POLL_PARTIAL);
    CHECK_EQ(last()->r.n_pages, 4);
    CHECK_EQ(last()->pages[1], 0);
    CHECK(last()->pages[0] > 0 && last()->pages[2] > 0 && last()->pages[3] > 0);
    CHECK_Z(last()->text, "page 2: HTTP 500: not JSON: \"oops\"");

    steps[3] = steps[4] = bad;
    steps[5] = page(5, 750, 250);
    poll_selection((struct selection)ALL, 6);
    CHECK_EQ(w.outcome, POLL_PARTIAL);
    CHECK_EQ(last()->r.n_pages, 3);
    CHECK_EQ(w.server.n_requests, 5);
}

/* 250 things without ids: nothing shows that they are the same ones again. */
static const char *nameless_page(void)
{
    static char text[1024];
    char body[768] = "[{\"image\":0}";
    size_t n = strlen(body);

    for (int i = 1; i < 250; i++)
        n += (size_t)snprintf(body + n, sizeof(body) - n, ",{}");
    snprintf(text, sizeof(text), OK_HEAD "Content-Length: %zu\r\n\r\n%s]", n + 1, body);
    return text;
}

static void a_sweep_without_an_end_ends_at_its_ceiling(void)
{
    steps[0] = (struct http_step){.answer = nameless_page()};
    poll_selection((struct selection)ALL, 1);
    CHECK_EQ(w.outcome, POLL_PARTIAL);
    CHECK_EQ(w.server.n_requests, 400);
    CHECK_EQ(last()->r.n_pages, 401);
    CHECK_EQ(last()->pages[399], 400);
    CHECK_EQ(last()->pages[400], 0);
    CHECK_Z(last()->text, "page 401: 100000 coins and no end; a sweep has at most 400 pages");
}

static void a_list_may_lack_coins_but_not_all(void)
{
    static const char *ids[300];
    static char names[300][16];
    static const struct {
        size_t n_ids;
        int sizes[3];
        enum poll_outcome outcome;
        const char *error;
    } rows[] = {
        {300, {250, 50, -1}, POLL_OK, ""},
        {300, {3, 0, -1}, POLL_OK, ""},
        {300, {0, 3, -1}, POLL_OK, ""},
        {300, {0, 0, -1}, POLL_FAILED, "none of 300 ids is known to the API; check --ids"},
        {2, {0, 0, -1}, POLL_FAILED, "HTTP 200: nothing in an array of coins"},
    };

    for (size_t i = 0; i < 300; i++) {
        snprintf(names[i], sizeof(names[i]), "%03zu", i);
        ids[i] = names[i];
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t n = make_pages(rows[i].sizes);
        poll_selection((struct selection){.kind = SELECT_IDS, .ids = ids, .n_ids = rows[i].n_ids},
                       n);
        CHECK_EQ(w.outcome, rows[i].outcome);
        CHECK_Z(last()->text, rows[i].error);
        CHECK_EQ(last()->r.n_pages, rows[i].n_ids > 250 ? 2 : 1);
    }
    CHECK(strstr(w.server.asked, "&page=1&ids=000,001 HTTP"));
}

static struct sim *start_sim(const char *fault)
{
    struct sim_setup setup = {
        .address = "127.0.0.1", .n_coins = 17000, .seed = 1, .clock = clock_system()};
    struct sim *sim;

    if (fault && fault_parse(str_of(fault), &setup.faults[setup.n_faults++], &err) != ST_OK)
        abort();
    if (sim_start(&setup, &sim, &err) != ST_OK)
        abort();
    prepare(NULL, 0);
    snprintf(w.setup.api.base_url, sizeof(w.setup.api.base_url), "http://127.0.0.1:%u/api/v3",
             (unsigned)sim_port(sim));
    w.job.selection = (struct selection)ALL;
    return sim;
}

static void the_whole_simulated_market_is_one_poll(void)
{
    struct sim *sim = start_sim(NULL);
    uint64_t bytes = 0;

    w.setup.api.calls_per_minute = 0;
    begin();
    poll_once(0, 120 * US_PER_S);
    end();
    sim_stop(sim);
    CHECK_EQ(w.outcome, POLL_OK);
    CHECK_EQ(last()->r.n_pages, 69);
    CHECK_EQ(last()->r.attempts, 69);
    for (size_t i = 0; i < w.n_seen - 1; i++)
        bytes += w.seen[i].r.body_len;
    CHECK_EQ(last()->r.bytes, bytes);
    CHECK(bytes > 17000 * 600);
    CHECK_Z(w.seen[68].text, "[]");
    printf("# %.1f MB in %.1f s\n", (double)bytes / 1e6, (double)w.took_us / 1e6);
}

static void a_simulated_server_that_ignores_the_page_makes_the_poll_partial(void)
{
    struct sim *sim = start_sim("samepage");

    begin();
    poll_once(0, BUDGET_US);
    end();
    sim_stop(sim);
    CHECK_EQ(w.outcome, POLL_PARTIAL);
    CHECK_EQ(last()->r.n_pages, 2);
}

/* ---- several jobs ---- */

static struct extract_job jobs[2]; /* a sweep; one page, often */
static int n_ended[2];
static pthread_mutex_t ended_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_t thread;
static enum st run_st;
static struct status *job_status;

static void job_ended(void *ctx, const struct extract_job *job, const struct tape_record *end)
{
    (void)ctx;
    (void)end;
    pthread_mutex_lock(&ended_lock);
    n_ended[job->status]++;
    pthread_mutex_unlock(&ended_lock);
}

static int ended(size_t job)
{
    pthread_mutex_lock(&ended_lock);
    int n = n_ended[job];
    pthread_mutex_unlock(&ended_lock);
    return n;
}

/* A sweep of n_pages at 10 ms each (0: without an end), later ones of one page; and, as a second
 * job, a page every 100 ms. */
static void start_jobs(size_t n_jobs, int n_pages, int64_t sweep_every_us)
{
    struct tape_recovery recovery;
    struct tape_writer_setup setup = {
        .clock = clock_system(), .segment_span_us = 3600 * US_PER_S, .segment_max_bytes = 1 << 30};

    n_ended[0] = n_ended[1] = 0;
    steps[0] = (struct http_step){.answer = nameless_page()};
    for (int i = 0; i < n_pages; i++)
        steps[i] = i + 1 < n_pages ? steps[0] : page((size_t)i, 0, 3);
    prepare(steps, n_pages > 0 ? (size_t)n_pages : 1);
    jobs[0] = jobs[1] = w.job;
    jobs[0].selection = (struct selection)ALL;
    jobs[0].grid.every_us = sweep_every_us;
    jobs[1].grid.every_us = 100 * US_PER_MS;
    jobs[1].status = 1;
    snprintf(jobs[1].id.job, sizeof(jobs[1].id.job), "often");
    setup.tape = w.tape;
    setup.id = jobs[1].id;
    if (tape_writer_open(&setup, &jobs[1].writer, &recovery, &err) != ST_OK)
        abort();
    w.setup.jobs = jobs;
    w.setup.n_jobs = n_jobs;
    w.setup.api.calls_per_minute = 6000;
    w.setup.events.poll_ended = job_ended;
    w.setup.status = job_status;
    begin();
    pthread_create(&thread, NULL, run_extract, &run_st);
}

static void stop_jobs(void)
{
    extract_stop(w.extract);
    pthread_join(thread, NULL);
    extract_free(w.extract);
    w.extract = NULL;
    tape_writer_close(jobs[1].writer);
    end();
}

static void other_jobs_have_their_turn_between_the_pages_of_a_sweep(void)
{
    start_jobs(2, 0, 86400 * US_PER_S);
    AWAIT(ended(1) >= 4);
    int n_sweeps = ended(0);
    stop_jobs();
    CHECK_OK(run_st, err);
    CHECK_EQ(n_sweeps, 0); /* it was under way all the time … */
    CHECK_EQ(last()->r.outcome, POLL_ABORTED);
    CHECK(last()->r.n_pages >= 4); /* … and went on */
    for (size_t i = 0; i + 1 < w.n_seen; i++)
        CHECK_EQ(w.seen[i].r.page, i + 1);
}

static void a_sweep_whose_job_goes_is_finished_first(void)
{
    start_jobs(1, 20, 86400 * US_PER_S);
    AWAIT(atomic_load(&w.server.n_requests) >= 2);
    extract_set_jobs(w.extract, NULL, 0);
    AWAIT(ended(0) == 1);
    stop_jobs();
    CHECK_EQ(last()->r.outcome, POLL_OK);
    CHECK_EQ(last()->r.n_pages, 20);
}

static void a_job_that_goes_and_comes_back_goes_on_with_its_sweep(void)
{
    start_jobs(1, 20, 86400 * US_PER_S);
    AWAIT(atomic_load(&w.server.n_requests) >= 2);
    extract_set_jobs(w.extract, NULL, 0);
    usleep(30000);
    extract_set_jobs(w.extract, jobs, 2);
    AWAIT(ended(0) == 1 && ended(1) >= 1);
    stop_jobs();
    CHECK_EQ(last()->r.outcome, POLL_OK);
    CHECK_EQ(w.n_seen, last()->r.n_pages + 1);
}

static void a_sweep_longer_than_its_interval_misses_slots_and_counts_them(void)
{
    static struct status_snapshot snapshot;
    const int64_t every_us = 50 * US_PER_MS;
    int64_t n_missed = 0, slot_us = 0;

    snapshot = (struct status_snapshot){.n_jobs = 2};
    job_status = status_new(&snapshot);
    start_jobs(1, 30, every_us);
    AWAIT(ended(0) >= 4);
    stop_jobs();
    status_copy(job_status, &snapshot);
    status_free(job_status);
    job_status = NULL;
    for (size_t i = 0; i < w.n_seen; i++) {
        if (w.seen[i].r.type != TAPE_END)
            continue;
        if (slot_us != 0)
            n_missed += (w.seen[i].r.slot_us - slot_us) / every_us - 1;
        slot_us = w.seen[i].r.slot_us;
    }
    CHECK(n_missed >= 4);
    CHECK_EQ(metric_get(METRIC_MISSED_SLOTS, "markets-usd", NULL), n_missed);
    const struct status_job *shown = &snapshot.jobs[0];
    CHECK_EQ(shown->n_gaps, n_missed);
    CHECK_EQ(shown->n_polls, ended(0));
    CHECK_EQ(shown->polls[(shown->n_polls - 1) % STATUS_MAX_POLLS].slot_us, slot_us);
    CHECK_Z(shown->polls[0].outcome, "ok");
}

TAP_MAIN(TAP_CASE(a_sweep_ends_at_an_empty_or_clearly_short_page),
         TAP_CASE(a_server_that_ignores_the_page_is_found_out),
         TAP_CASE(a_page_that_came_again_in_another_order_is_found_out),
         TAP_CASE(a_sweep_survives_a_lost_page_but_not_two_in_a_row),
         TAP_CASE(a_sweep_without_an_end_ends_at_its_ceiling),
         TAP_CASE(a_list_may_lack_coins_but_not_all),
         TAP_CASE(the_whole_simulated_market_is_one_poll),
         TAP_CASE(a_simulated_server_that_ignores_the_page_makes_the_poll_partial),
         TAP_CASE(other_jobs_have_their_turn_between_the_pages_of_a_sweep),
         TAP_CASE(a_sweep_whose_job_goes_is_finished_first),
         TAP_CASE(a_job_that_goes_and_comes_back_goes_on_with_its_sweep),
         TAP_CASE(a_sweep_longer_than_its_interval_misses_slots_and_counts_them))
