/* Real polls against a scripted server, and what is on the tape afterwards. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/mem.h"
#include "world.h"

#include <signal.h>
#include <sys/resource.h>

#define KEY "CG-s3cr3ts3cr3t"

/* The whole of it: one poll with this script. */
static void run_script(const struct http_step *steps, size_t n_steps)
{
    prepare(steps, n_steps);
    begin();
    poll_once(0, BUDGET_US);
    end();
}

static void a_good_answer_is_kept_byte_for_byte_with_its_end(void)
{
    int64_t before_us = clock_wall_us(clock_system());

    run_script(SCRIPT({.answer = GOOD, .has_date = true}));
    CHECK_OK(w.st, err);
    CHECK_EQ(w.outcome, POLL_OK);
    CHECK_EQ(w.n_ended, 1);
    CHECK_EQ(w.n_seen, 2);
    CHECK_Z(w.seen[0].text, GOOD_BODY);
    CHECK(w.seen[0].r.is_json && !w.seen[0].r.is_masked);
    CHECK_EQ(w.seen[0].r.status, 200);
    CHECK_EQ(w.seen[0].r.page, 1);
    CHECK_EQ(w.seen[0].r.attempt, 1);
    CHECK(w.seen[0].r.fetched_at_us >= before_us && w.seen[0].r.latency_us > 0);
    CHECK_Z(w.seen[0].target,
            "/api/v3/coins/markets?vs_currency=usd&order=market_cap_desc&per_page=1&page=1");
    CHECK(strstr(w.seen[0].headers, "content-type: application/json\n"));
    CHECK(strstr(w.seen[0].headers, "date: "));
    CHECK(strstr(w.seen[0].headers, "server") == NULL);

    const struct tape_record *e = &last()->r;
    CHECK_EQ(e->type, TAPE_END);
    CHECK_EQ(e->outcome, POLL_OK);
    CHECK_EQ(e->n_pages, 1);
    CHECK_EQ(last()->pages[0], 1);
    CHECK_EQ(e->attempts, 1);
    CHECK_EQ(e->bytes, 29);
    CHECK_EQ(e->credits_spent, 1);
    CHECK_EQ(e->credits_key, 0);
    CHECK(e->credits_from_us > before_us - 32 * 86400 * US_PER_S);
    CHECK_EQ(e->credits_from_us % (86400 * US_PER_S), 0);
    CHECK(e->started_us >= before_us && e->slot_us >= before_us);
    CHECK_Z(last()->text, "");
    CHECK(strstr(w.server.asked, "User-Agent: geckotape/"));
    CHECK(strstr(w.server.asked, "x-cg-") == NULL);
}

static void what_may_be_over_in_a_moment_is_tried_again_and_kept_too(void)
{
    static const struct {
        const char *answer, *body; /* body NULL: nothing of it is kept */
        bool is_json;
    } rows[] = {
        {"HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 9\r\n\r\nThrottled", "Throttled",
         false},
        {BROKEN, "oops", false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", "<html>", false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "{}", true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", "[]", true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n[{\"id\":", NULL, false},
        {NULL, NULL, false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t at = rows[i].body ? 1 : 0;
        run_script(SCRIPT({.answer = rows[i].answer, .is_closed = rows[i].answer != NULL},
                          {.answer = GOOD}));
        CHECK_EQ(w.outcome, POLL_OK);
        CHECK_EQ(w.n_seen, 2 + at);
        if (at > 0) {
            CHECK_Z(w.seen[0].text, rows[i].body);
            CHECK_EQ(w.seen[0].r.is_json, rows[i].is_json);
            CHECK_EQ(w.seen[0].r.attempt, 1);
        }
        CHECK_EQ(w.seen[at].r.attempt, 2);
        CHECK_Z(w.seen[at].text, GOOD_BODY);
        CHECK_EQ(last()->pages[0], at + 1);
        CHECK_EQ(last()->r.attempts, 2);
        CHECK_Z(last()->text, "");
        CHECK_EQ(metric_get(METRIC_RETRIES, "markets-usd", NULL), 1);
        if (i == 0)
            CHECK(w.took_us >= US_PER_S);
    }
}

static void what_will_not_change_is_asked_once(void)
{
    static const struct {
        const char *answer, *error;
    } rows[] = {
        {"HTTP/1.1 401 No\r\n\r\n"
         "{\"status\":{\"error_code\":10002,\"error_message\":\"API Key Missing\"}}",
         "HTTP 401 (10002): API Key Missing; the API key is missing or wrong: check "
         "GECKOTAPE_API_KEY and --api-plan"},
        {"HTTP/1.1 302 Found\r\nLocation: /api/v3/x\r\nContent-Length: 0\r\n\r\n",
         "HTTP 302: to /api/v3/x; redirects are not followed: check --api-url"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        run_script(SCRIPT({.answer = rows[i].answer, .is_closed = true}));
        CHECK_EQ(w.outcome, POLL_FAILED);
        CHECK_EQ(w.server.n_requests, 1);
        CHECK_EQ(w.n_seen, 2);
        CHECK_Z(last()->text, rows[i].error);
        CHECK_EQ(last()->pages[0], 0);
        CHECK_EQ(last()->r.credits_spent, 0);
    }
}

/* One team meets 10010 as a throttle: it is the end of a poll, not of polling. */
static void what_is_permanent_is_so_for_one_poll(void)
{
    prepare(SCRIPT({.answer = "HTTP/1.1 400 No\r\nContent-Length: 82\r\n\r\n"
                              "{\"error_code\":10010,\"status\":{\"error_message\":\"If you are "
                              "using Pro API key\"}}      "},
                   {.answer = GOOD}));
    begin();
    poll_once(0, BUDGET_US);
    CHECK_EQ(w.outcome, POLL_FAILED);
    poll_once(0, BUDGET_US);
    end();
    CHECK_EQ(w.outcome, POLL_OK);
    CHECK_EQ(w.server.n_requests, 2);
}

/* A page of 250 coins, whole with its headers. */
static const char *full_page(void)
{
    static char text[4096];
    char body[1024] = "[{\"image\":0}";
    size_t n = strlen(body);

    for (int i = 1; i < 250; i++)
        n += (size_t)snprintf(body + n, sizeof(body) - n, ",{}");
    snprintf(body + n, sizeof(body) - n, "]");
    snprintf(text, sizeof(text), OK_HEAD "Content-Length: %zu\r\n\r\n%s", n + 1, body);
    return text;
}

static void pages_follow_each_other_to_the_top_or_the_first_empty_one(void)
{
    const struct http_step full = {.answer = full_page()}, some = {.answer = GOOD},
                           none = {.answer = OK_HEAD "Content-Length: 2\r\n\r\n[]"};
    const struct {
        struct http_step steps[4];
        uint32_t top, n_pages;
    } rows[] = {
        {{full, full, full, full}, 750, 3}, {{full, some, full, full}, 750, 3},
        {{full, none, full, full}, 750, 2}, {{full, full, full, full}, 1000, 4},
        {{full, full, full, full}, 501, 3},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        prepare(rows[i].steps, 4);
        w.job.selection.top = rows[i].top;
        begin();
        poll_once(0, BUDGET_US);
        end();
        CHECK_EQ(w.outcome, POLL_OK);
        CHECK_EQ(last()->r.n_pages, rows[i].n_pages);
        CHECK_EQ(w.server.n_requests, rows[i].n_pages);
        for (uint32_t page = 0; page < rows[i].n_pages; page++)
            CHECK_EQ(last()->pages[page], page + 1);
        CHECK(strstr(w.seen[1].target,
                     rows[i].top == 501 ? "per_page=167&page=2" : "per_page=250&page=2"));
    }
}

static void a_lost_page_makes_the_poll_partial_and_says_which(void)
{
    const struct http_step full = {.answer = full_page()}, bad = {.answer = BROKEN};
    const struct http_step steps[] = {full, bad, bad, full};

    prepare(steps, 4);
    w.job.selection.top = 750;
    w.setup.api.max_attempts = 2;
    begin();
    poll_once(0, BUDGET_US);
    end();
    CHECK_OK(w.st, err);
    CHECK_EQ(w.outcome, POLL_PARTIAL);
    CHECK_EQ(last()->r.n_pages, 3);
    CHECK_EQ(last()->pages[0], 1);
    CHECK_EQ(last()->pages[1], 0);
    CHECK_EQ(last()->pages[2], 4);
    CHECK_EQ(last()->r.attempts, 4);
    CHECK_EQ(last()->r.credits_spent, 2);
    CHECK_Z(last()->text, "page 2: HTTP 500: not JSON: \"oops\"");
}

static void a_lost_page_before_an_empty_one_is_no_poll(void)
{
    const struct http_step bad = {.answer = BROKEN},
                           none = {.answer = OK_HEAD "Content-Length: 2\r\n\r\n[]"};
    const struct http_step steps[] = {bad, bad, none};

    prepare(steps, 3);
    w.job.selection.top = 750;
    w.setup.api.max_attempts = 2;
    begin();
    poll_once(0, BUDGET_US);
    end();
    CHECK_OK(w.st, err);
    CHECK_EQ(w.outcome, POLL_FAILED);
    for (uint32_t page = 0; page < last()->r.n_pages; page++)
        CHECK_EQ(last()->pages[page], 0);
    CHECK_Z(last()->text, "page 1: HTTP 500: not JSON: \"oops\"");
}

static void nobody_there_is_an_end_without_pages(void)
{
    run_script(NULL, 0);
    CHECK_OK(w.st, err);
    CHECK_EQ(w.outcome, POLL_FAILED);
    CHECK_EQ(w.n_seen, 1);
    CHECK_EQ(last()->r.attempts, 3);
    CHECK_EQ(last()->r.first_offset, 1);
    CHECK(strstr(last()->text, "no answer: failed to connect to 127.0.0.1 port 1"));
    CHECK_EQ(metric_get(METRIC_REQUESTS, "markets-usd", "transport"), 3);
    CHECK_EQ(metric_get(METRIC_POLLS, "markets-usd", "failed"), 1);
}

static void a_body_beyond_the_ceiling_is_no_answer(void)
{
    prepare(SCRIPT({.answer = "HTTP/1.1 200 OK\r\n\r\n", .n_filler = 25 << 20, .is_closed = true}));
    w.setup.api.max_attempts = 1;
    begin();
    poll_once(0, BUDGET_US);
    end();
    CHECK_EQ(w.outcome, POLL_FAILED);
    CHECK_EQ(w.n_seen, 1);
    CHECK(strstr(last()->text, "no answer: the answer is larger than the ceiling of 25165824"));
}

static void a_wrong_clock_fails_the_poll_and_says_both_times(void)
{
    run_script(SCRIPT({.answer = OK_HEAD "Date: Mon, 01 Jan 2018 00:00:00 GMT\r\n"
                                         "Content-Length: 29\r\n\r\n" GOOD_BODY}));
    CHECK_EQ(w.outcome, POLL_FAILED);
    CHECK_EQ(w.server.n_requests, 1);
    CHECK_EQ(w.n_seen, 2);
    CHECK_EQ(last()->pages[0], 0);
    CHECK(strstr(last()->text, "clock: the API says 2018-01-01T00:00:00Z, this machine 20"));
}

static void a_long_silence_asked_for_ends_the_poll_and_holds_the_next(void)
{
    prepare(SCRIPT({.answer = "HTTP/1.1 429 Slow\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n"},
                   {.answer = GOOD}));
    begin();
    poll_once(0, BUDGET_US);
    CHECK(w.took_us < BUDGET_US / 2); /* not the minute */
    CHECK_EQ(w.outcome, POLL_FAILED);
    poll_once(0, BUDGET_US);
    CHECK(w.took_us < BUDGET_US / 2);
    end();
    CHECK_EQ(w.server.n_requests, 1);
    CHECK_EQ(w.n_seen, 3);
    CHECK_Z(w.seen[1].text, "HTTP 429: an empty body (retry after 1m)");
    CHECK_EQ(last()->r.attempts, 0);
    CHECK_Z(last()->text, "the slot ends before the next request may start, in 1m");
}

static void *stop_soon(void *extract)
{
    usleep(50000);
    extract_stop(extract);
    return NULL;
}

static void a_stop_aborts_at_once_whether_it_waits_or_fetches(void)
{
    const struct http_step silent = {.answer = NULL};
    const struct http_step slow = {
        .answer = "HTTP/1.1 429 Slow\r\nRetry-After: 10\r\nContent-Length: 0\r\n\r\n"};

    for (int i = 0; i < 2; i++) {
        pthread_t thread;
        prepare(i == 0 ? &silent : &slow, 1);
        begin();
        pthread_create(&thread, NULL, stop_soon, w.extract);
        poll_once(0, BUDGET_US);
        pthread_join(thread, NULL);
        end();
        CHECK_OK(w.st, err);
        CHECK(w.took_us < 5 * US_PER_S); /* not the 10 s that were asked for, nor a timeout */
        CHECK_EQ(w.outcome, POLL_ABORTED);
        CHECK_EQ(last()->r.outcome, POLL_ABORTED);
        CHECK_Z(last()->text, "stopped");
    }
}

static bool file_holds(const char *path, const char *needle)
{
    struct buf all = BUF_INIT(16 << 20);
    FILE *f = fopen(path, "re");
    char chunk[4096];

    for (size_t n; f && (n = fread(chunk, 1, sizeof(chunk), f)) > 0;)
        buf_add(&all, chunk, n);
    if (f)
        fclose(f);
    bool is_there = all.len > 0 && memmem(all.p, all.len, needle, strlen(needle)) != NULL;
    buf_release(&all);
    return is_there;
}

static void the_key_travels_as_a_header_and_is_written_nowhere(void)
{
    char log_file[] = "/tmp/geckotape-log-XXXXXX";

    close(mkstemp(log_file));
    prepare(SCRIPT({.answer = "HTTP/1.1 400 No\r\nETag: " KEY "\r\nContent-Length: 38\r\n\r\n"
                              "{\"error\":\"bad key " KEY "!\"}  "}));
    snprintf(w.setup.api.key, sizeof(w.setup.api.key), KEY);
    w.setup.api.key_header = "x-cg-demo-api-key";
    CHECK_OK(log_setup(&(struct log_setup){.level = LOG_DEBUG, .fd = -1, .file = log_file}, &err),
             err);
    begin();
    poll_once(0, BUDGET_US);
    end();
    log_close();
    bool is_logged = file_holds(log_file, "request"), is_leaked = file_holds(log_file, "s3cr3t");
    unlink(log_file);
    CHECK(is_logged && !is_leaked);
    CHECK(strstr(w.server.asked, "x-cg-demo-api-key: " KEY "\r\n"));
    CHECK(strstr(w.server.asked, "GET /api/v3/coins/markets?vs_currency=usd&order=market_cap_desc"
                                 "&per_page=1&page=1 HTTP/1.1"));
    CHECK(w.seen[0].r.is_masked);
    CHECK_Z(w.seen[0].text, "{\"error\":\"bad key ***************!\"}  ");
    CHECK(strstr(w.seen[0].headers, "etag: ***************\n"));
    CHECK_Z(last()->text, "HTTP 400: bad key ***************!; check the job's options");
    CHECK(last()->r.credits_key != 0);
}

/* How many lines of the file hold the needle. */
static int count_lines(const char *path, const char *needle)
{
    char line[2048];
    FILE *f = fopen(path, "re");
    int n = 0;

    while (f && fgets(line, sizeof(line), f))
        n += strstr(line, needle) != NULL;
    if (f)
        fclose(f);
    return n;
}

static void an_outage_is_logged_at_its_start_and_end_and_when_its_cause_changes(void)
{
    char log_file[] = "/tmp/geckotape-log-XXXXXX";
    const struct http_step bad = {.answer = BROKEN}, good = {.answer = GOOD},
                           junk = {.answer = "HTTP/1.1 500 No\r\nRetry-After: soon\r\n"
                                             "Content-Length: 0\r\n\r\n"},
                           slow = {.answer = "HTTP/1.1 429 Slow\r\nRetry-After-Ms: 1\r\n"
                                             "Content-Length: 0\r\n\r\n"};
    const struct http_step steps[] = {good, bad, junk, bad, slow, slow, good, good};

    close(mkstemp(log_file));
    prepare(steps, 8);
    w.setup.api.max_attempts = 1;
    CHECK_OK(log_setup(&(struct log_setup){.level = LOG_INFO, .fd = -1, .file = log_file}, &err),
             err);
    begin();
    for (int i = 0; i < 8; i++)
        poll_once(0, BUDGET_US);
    end();
    log_close();
    int n = count_lines(log_file, ""), n_bad = count_lines(log_file, "cause=transient"),
        n_slow = count_lines(log_file, "cause=rate_limited"),
        n_pause = count_lines(log_file, "no request for a while job=markets-usd status=429 asked=1 "
                                        "wait_ms=1"),
        n_over = count_lines(log_file, "polls are ok again job=markets-usd after=rate_limited "
                                       "polls=5");
    unlink(log_file);
    CHECK_EQ(n, 4);
    CHECK_EQ(n_pause, 1);
    CHECK_EQ(n_bad, 1);
    CHECK_EQ(n_slow, 1);
    CHECK_EQ(n_over, 1);
}

static void the_snapshot_tells_how_it_went_also_after_a_restart(void)
{
    static struct status_snapshot snapshot;

    prepare(SCRIPT({.answer = GOOD}, {.answer = BROKEN}));
    snapshot = (struct status_snapshot){.n_jobs = 1};
    w.setup.status = status_new(&snapshot);
    w.setup.api.max_attempts = 1;
    begin();
    for (int i = 0; i < 3; i++)
        poll_once(1000 + i, BUDGET_US);
    status_copy(w.setup.status, &snapshot);
    struct status_job now = snapshot.jobs[0];
    extract_free(w.extract);
    status_free(w.setup.status);
    snapshot = (struct status_snapshot){.n_jobs = 1};
    w.setup.status = status_new(&snapshot);
    begin();
    status_copy(w.setup.status, &snapshot);
    end();
    status_free(w.setup.status);
    CHECK(!now.is_polling);
    CHECK_EQ(now.last_slot_us, 1002);
    CHECK_EQ(now.failed_in_row, 2);
    CHECK_EQ(now.head, 6);
    CHECK_EQ(now.last_bytes, 4);
    CHECK(now.last_ok_us > 0 && now.last_ok_us < now.last_ended_us);
    CHECK_Z(now.last_outcome, "failed");
    CHECK_Z(now.last_error, "HTTP 500: not JSON: \"oops\"");
    CHECK_EQ(snapshot.jobs[0].last_slot_us, 1002);
    CHECK_EQ(snapshot.jobs[0].head, 6);
    CHECK_Z(snapshot.jobs[0].last_outcome, "failed");
}

static void credits_go_on_where_the_tape_left_them_while_the_key_is_the_same(void)
{
    static const uint64_t want[] = {1, 2, 1, 2};

    prepare(SCRIPT({.answer = GOOD}));
    for (int i = 0; i < 4; i++) {
        snprintf(w.setup.api.key, sizeof(w.setup.api.key), i < 2 ? "CG-key-one" : "CG-key-two");
        w.setup.api.key_header = "x-cg-demo-api-key";
        begin();
        poll_once(0, BUDGET_US);
        extract_free(w.extract);
        w.extract = NULL;
        tape_writer_close(w.writer);
        tape_close(w.tape);
        open_tape();
    }
    end();
    CHECK_EQ(w.n_seen, 8);
    for (size_t i = 0; i < 4; i++)
        CHECK_EQ(w.seen[2 * i + 1].r.credits_spent, want[i]);
}

/* A stop may come within a poll: then its slot is polled again. */
static void a_run_polls_each_slot_of_the_grid_once_also_over_restarts(void)
{
    const int64_t every_us = 400 * US_PER_MS, began_us = clock_wall_us(clock_system());
    int64_t last_us = 0, n_slots = 0;

    prepare(SCRIPT({.answer = GOOD}));
    w.job.grid.every_us = every_us;
    CHECK_EQ(run_for(900 * US_PER_MS), ST_OK);
    CHECK_EQ(run_for(10 * US_PER_MS), ST_OK);
    CHECK_EQ(run_for(900 * US_PER_MS), ST_OK);
    end();
    for (size_t i = 0; i < w.n_seen; i++) {
        const struct tape_record *e = &w.seen[i].r;
        if (e->type != TAPE_END || e->outcome == POLL_ABORTED)
            continue;
        CHECK_EQ(e->outcome, POLL_OK);
        CHECK_EQ(e->slot_us % every_us, 0);
        CHECK(e->next_due_us > e->slot_us && e->next_due_us % every_us == 0);
        CHECK(e->slot_us > last_us);
        last_us = e->slot_us;
        n_slots++;
    }
    CHECK(n_slots >= 3);
    CHECK(n_slots <= clock_wall_us(clock_system()) / every_us - began_us / every_us + 1);
}

static void a_full_disk_fails_polls_without_spinning_and_work_resumes(void)
{
    struct rlimit all, none;

    prepare(SCRIPT({.answer = GOOD}));
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &all);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = all.rlim_max};
    setrlimit(RLIMIT_FSIZE, &none);
    w.job.grid.every_us = 300 * US_PER_MS;
    enum st st = run_for(1000 * US_PER_MS);
    setrlimit(RLIMIT_FSIZE, &all);
    CHECK_EQ(st, ST_OK);
    CHECK(w.server.n_requests >= 3 && w.server.n_requests <= 5);
    CHECK_EQ(w.n_ended, 0);
    CHECK(metric_get(METRIC_TAPE_ERRORS, "markets-usd", NULL) > 0);
    CHECK_EQ(run_for(400 * US_PER_MS), ST_OK);
    end();
    CHECK(w.n_ended >= 1);
    CHECK_EQ(last()->r.outcome, POLL_OK);
}

static void polls_use_the_same_memory_again(void)
{
    unsigned long before[2];

    prepare(SCRIPT({.answer = GOOD}));
    begin();
    for (int i = 0; i < 10; i++) {
        before[i % 2] = mem_count();
        poll_once(0, BUDGET_US);
    }
    unsigned long in_last = mem_count() - before[1], in_one_before = before[1] - before[0];
    end();
    CHECK_EQ(w.outcome, POLL_OK);
    CHECK_EQ(in_last, in_one_before);
    CHECK(in_last <= 8);
}

TAP_MAIN(TAP_CASE(a_good_answer_is_kept_byte_for_byte_with_its_end),
         TAP_CASE(what_may_be_over_in_a_moment_is_tried_again_and_kept_too),
         TAP_CASE(what_will_not_change_is_asked_once),
         TAP_CASE(what_is_permanent_is_so_for_one_poll),
         TAP_CASE(pages_follow_each_other_to_the_top_or_the_first_empty_one),
         TAP_CASE(a_lost_page_makes_the_poll_partial_and_says_which),
         TAP_CASE(a_lost_page_before_an_empty_one_is_no_poll),
         TAP_CASE(nobody_there_is_an_end_without_pages),
         TAP_CASE(a_body_beyond_the_ceiling_is_no_answer),
         TAP_CASE(a_wrong_clock_fails_the_poll_and_says_both_times),
         TAP_CASE(a_long_silence_asked_for_ends_the_poll_and_holds_the_next),
         TAP_CASE(a_stop_aborts_at_once_whether_it_waits_or_fetches),
         TAP_CASE(the_key_travels_as_a_header_and_is_written_nowhere),
         TAP_CASE(an_outage_is_logged_at_its_start_and_end_and_when_its_cause_changes),
         TAP_CASE(the_snapshot_tells_how_it_went_also_after_a_restart),
         TAP_CASE(credits_go_on_where_the_tape_left_them_while_the_key_is_the_same),
         TAP_CASE(a_run_polls_each_slot_of_the_grid_once_also_over_restarts),
         TAP_CASE(a_full_disk_fails_polls_without_spinning_and_work_resumes),
         TAP_CASE(polls_use_the_same_memory_again))
