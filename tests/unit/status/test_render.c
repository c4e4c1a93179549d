/* SPDX-License-Identifier: Apache-2.0 */
#include "status/render.h"

#include "base/clock.h"
#include "tap.h"

#define NOW INT64_C(1795444200000000) /* 2026-11-23T14:30:00Z */
#define S   US_PER_S

static struct status_snapshot snapshot;

static void add_poll(struct status_job *job, const char *outcome)
{
    struct status_poll *poll = &job->polls[job->n_polls++ % STATUS_MAX_POLLS];

    *poll = (struct status_poll){.slot_us = NOW};
    snprintf(poll->outcome, sizeof(poll->outcome), "%s", outcome);
}

static void a_running_collector(void)
{
    struct status_job *job = snapshot.jobs;

    snapshot = (struct status_snapshot){.version = "0.1.0",
                                        .data_dir = "./data",
                                        .started_us = NOW - 90061 * S,
                                        .pid = 4711,
                                        .n_jobs = 2,
                                        .n_sinks = 2};
    job[0] = (struct status_job){.name = "markets-usd",
                                 .what = "top 250 of coins/markets in usd, every 30s",
                                 .every_us = 30 * S,
                                 .last_ended_us = NOW - 12 * S,
                                 .last_ok_us = NOW - 12 * S,
                                 .last_outcome = "ok",
                                 .last_bytes = 250000,
                                 .last_latency_us = 340000,
                                 .next_due_us = NOW + 18 * S,
                                 .n_gaps = 3};
    for (int i = 0; i < 20; i++)
        add_poll(&job[0], i == 9 ? "failed" : i == 12 ? "partial" : i == 13 ? "aborted" : "ok");
    job[1] = (struct status_job){.name = "markets-eur-top100",
                                 .what = "top 100 of coins/markets in eur, every 5m",
                                 .every_us = 300 * S,
                                 .last_ended_us = NOW - 100 * S,
                                 .last_ok_us = NOW - 3700 * S,
                                 .last_outcome = "failed",
                                 .failed_in_row = 12,
                                 .last_cause = "rate_limited",
                                 .last_error = "HTTP 429: You've exceeded the Rate Limit. Please "
                                               "visit the pricing page (retry after 60s)",
                                 .next_due_us = NOW - 5 * S};
    add_poll(&job[1], "failed");
    snapshot.sinks[0] = (struct status_sink){
        .url = "sqlite:./data/market.db", .state = SINK_WORKING, .newest_row_us = NOW - 12 * S};
    snapshot.sinks[1] = (struct status_sink){.url = "json:./data?keep=1d",
                                             .state = SINK_WAITING,
                                             .state_since_us = NOW - 60 * S,
                                             .lag = 340,
                                             .n_refused = 2,
                                             .newest_row_us = NOW - 600 * S,
                                             .last_error = "./data/raw: No space left on device"};
    snapshot.disk = (struct status_disk){.checked_us = NOW,
                                         .tape_bytes = 1234000000,
                                         .free_bytes = 34000000000,
                                         .total_bytes = 100000000000,
                                         .day_bytes = 45000000,
                                         .oldest_us = NOW - 114 * 86400 * S};
}

static const char *shown(int width, bool has_color)
{
    static struct buf b = BUF_INIT(1 << 20);

    buf_clear(&b);
    status_render(&b, &snapshot, NOW, width, has_color);
    return buf_z(&b);
}

static void render_shows_all_on_one_screen(void)
{
    a_running_collector();
    CHECK_Z(shown(80, false),
            "geckotape 0.1.0  pid 4711  up 1d 1h  data ./data\n"
            "NOT READY\n"
            "  ! job markets-eur-top100: no ok poll for 1h 1m: HTTP 429: You've exceeded the\n"
            "    Rate Limit. Please visit the pricing page (retry after 60s); poll less\n"
            "    often, or take a plan with more calls\n"
            "\n"
            "JOBS   . ok  p partial  F failed  a aborted, the newest last\n"
            "  markets-usd  top 250 of coins/markets in usd, every 30s\n"
            "    ok 12s ago, 250 kB, 0.34 s; next in 18s\n"
            "    [.....F..pa......] newest ok 12s ago\n"
            "  markets-eur-top100  top 100 of coins/markets in eur, every 5m\n"
            "    failed 1m 40s ago; due since 5s\n"
            "    [F] newest ok 1h 1m ago\n"
            "    FAILING, 12 in a row, last ok 1h 1m ago: HTTP 429: You've exceeded the Rate\n"
            "    Limit. Please visit the pricing page (retry after 60s)\n"
            "\n"
            "SINKS\n"
            "  sqlite:./data/market.db\n"
            "    working, at the head of the tape, newest row 12s ago\n"
            "  json:./data?keep=1d\n"
            "    waiting for 1m, lag 340 records, newest row 10m ago, 2 values in quarantine\n"
            "    ./data/raw: No space left on device\n"
            "\n"
            "TAPE\n"
            "  1.2 GB; oldest record 2026-08-01T14:30:00Z; keeps all\n"
            "  disk: 34.0 GB free of 100 GB; 45.0 MB more a day: full in 755 days\n"
            "\n"
            "MISSED   slots that passed unpolled since the start\n"
            "  markets-usd  3\n");
}

static void render_tells_what_the_api_said_to_the_key(void)
{
    snapshot = (struct status_snapshot){.version = "0.1.0", .data_dir = "./data"};
    snapshot.key = (struct status_key){.checked_us = NOW - 60 * S,
                                       .is_good = true,
                                       .plan = "Analyst",
                                       .calls_per_minute = 500,
                                       .credits = 1000,
                                       .credits_left = 996};
    CHECK(strstr(shown(100, false), "KEY\n  good  plan Analyst  500 calls a minute  996 of 1000 "
                                    "credits left  asked 1m ago\n"));
    snapshot.key = (struct status_key){.checked_us = NOW - 60 * S};
    CHECK(strstr(shown(80, false), "KEY\n  not known to be good  asked 1m ago\n"));
    snprintf(snapshot.key.trouble, sizeof(snapshot.key.trouble), "HTTP 401: \x1b[2Jno; get one");
    CHECK(strstr(shown(80, false), "KEY\n  ! HTTP 401: ?[2Jno; get one\n"));
}

static void render_shows_what_the_answers_say(void)
{
    a_running_collector();
    snprintf(snapshot.jobs[0].drift, sizeof(snapshot.jobs[0].drift), "new: moon\x1b[2J, sun");
    snapshot.jobs[0].drift_since_us = NOW - 7260 * S;
    snprintf(snapshot.jobs[0].flagged, sizeof(snapshot.jobs[0].flagged), "price_jump 1, stale 3");
    const char *text = shown(80, false);
    CHECK(strstr(text, "    [.....F..pa......] newest ok 12s ago\n"
                       "    DRIFT for 2h 1m: new: moon?[2J, sun\n"
                       "    flagged in this hour: price_jump 1, stale 3\n"));
}

static void render_says_that_nobody_runs(void)
{
    snapshot = (struct status_snapshot){.version = "0.1.0", .data_dir = "./data"};
    CHECK_Z(shown(80, false), "geckotape 0.1.0  not running  data ./data\n"
                              "\n"
                              "JOBS   . ok  p partial  F failed  a aborted, the newest last\n"
                              "  none: there is no tape here\n"
                              "\n"
                              "SINKS\n"
                              "  none\n"
                              "\n"
                              "TAPE\n"
                              "  not measured yet\n");
}

static void render_leaves_out_what_is_gone(void)
{
    a_running_collector();
    snapshot.jobs[1].is_gone = true;
    snapshot.sinks[1].is_gone = true;
    const char *text = shown(80, false);
    CHECK(strstr(text, "\nready\n"));
    CHECK(!strstr(text, "eur") && !strstr(text, "json:"));
}

/* Every line of the text, without colours, is at most so wide and plain ASCII. */
static bool fits(const char *text, size_t width)
{
    size_t column = 0;

    for (const char *c = text; *c; c++) {
        if (*c == '\x1b') {
            c += strcspn(c, "m");
            continue;
        }
        column = *c == '\n' ? 0 : column + 1;
        if (column > width || (*c != '\n' && (*c < ' ' || *c > '~')))
            return false;
    }
    return true;
}

static void render_keeps_to_the_width(void)
{
    static const int widths[] = {-5, 0, 1, 40, 41, 57, 80, 133, 200, 100000};

    a_running_collector();
    for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
        int want = widths[i] < 40 ? 40 : widths[i] > 200 ? 200 : widths[i];
        CHECK(fits(shown(widths[i], false), (size_t)want));
        CHECK(fits(shown(widths[i], true), (size_t)want));
    }
}

static void render_cleans_what_servers_say(void)
{
    a_running_collector();
    snprintf(
        snapshot.jobs[1].last_error, sizeof(snapshot.jobs[1].last_error), "%s",
        "\x1b]0;owned\a \x1b[31mred\r\n\t\xE6\x97\xA5\xE6\x9C\xAC \xFF\xC3 \x7F\xC2\x9B"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    memset(snapshot.sinks[0].url, '\xE9', sizeof(snapshot.sinks[0].url) - 1);
    snprintf(snapshot.data_dir, sizeof(snapshot.data_dir), "%s", "./d\x1b[2J\n");
    const char *text = shown(80, false);
    CHECK(fits(text, 80));
    CHECK(strstr(text, "?]0;owned? ?[31mred ??"));
    CHECK(strstr(text, "data ./d?[2J"));
}

static void render_colors_only_when_asked(void)
{
    a_running_collector();
    CHECK(!strchr(shown(80, false), '\x1b'));
    const char *text = shown(80, true);
    CHECK(strstr(text, "\x1b[31mNOT READY\x1b[0m\n"));
    CHECK(strstr(text, "\x1b[32mok\x1b[0m 12s ago"));
}

static void spans_have_two_units_and_bytes_three_digits(void)
{
    static const struct {
        int64_t us;
        const char *want;
    } spans[] = {{-S, "0s"},           {0, "0s"},
                 {59 * S, "59s"},      {60 * S, "1m"},
                 {150 * S, "2m 30s"},  {3600 * S, "1h"},
                 {7260 * S, "2h 1m"},  {86400 * S, "1d"},
                 {90061 * S, "1d 1h"}, {INT64_MAX, "106751991d 4h"}};
    static const struct {
        uint64_t bytes;
        const char *want;
    } sizes[] = {{0, "0 B"},         {999, "999 B"},     {1000, "1.0 kB"},
                 {202113, "202 kB"}, {99940, "99.9 kB"}, {UINT64_MAX, "18446744 TB"}};
    struct buf b = BUF_INIT(64);

    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
        buf_clear(&b);
        status_add_span(&b, spans[i].us);
        CHECK_Z(buf_z(&b), spans[i].want);
    }
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        buf_clear(&b);
        status_add_bytes(&b, sizes[i].bytes);
        CHECK_Z(buf_z(&b), sizes[i].want);
    }
    buf_release(&b);
}

TAP_MAIN(TAP_CASE(render_shows_all_on_one_screen),
         TAP_CASE(render_tells_what_the_api_said_to_the_key),
         TAP_CASE(render_shows_what_the_answers_say), TAP_CASE(render_says_that_nobody_runs),
         TAP_CASE(render_leaves_out_what_is_gone), TAP_CASE(render_keeps_to_the_width),
         TAP_CASE(render_cleans_what_servers_say), TAP_CASE(render_colors_only_when_asked),
         TAP_CASE(spans_have_two_units_and_bytes_three_digits))
