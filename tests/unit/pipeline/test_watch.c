/* What the polls of a stream say of the API: once, wherever somebody looks. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/watch.h"

#include "base/log.h"
#include "base/metric.h"
#include "tap.h"
#include "transform/drift.h"
#include "transform/quality.h"

#include <unistd.h>

#define SLOT   INT64_C(1795442400000000) /* 2026-11-23T14:00:00Z */
#define MINUTE (60 * US_PER_S)

static int64_t the_time(struct clock *c)
{
    (void)c;
    return SLOT;
}

static const struct stream_id stream = {.job = "markets-usd", .uuid = {1}};
static struct clock now = {.wall_us = the_time, .mono_us = the_time};
static struct status *status;
static struct watch *w;
static char log_path[] = "/tmp/geckotape-watch-XXXXXX";

static const struct drift moon = {.kind = DRIFT_NEW, .field = {"moon", 4}},
                          sun = {.kind = DRIFT_NEW, .field = {"sun", 3}},
                          left = {.kind = DRIFT_MEMBERSHIP,
                                  .is_event = true,
                                  .field = {"coins", 5},
                                  .to = {"3 of 9 left", 11}};

static void start(void)
{
    static const struct status_snapshot initial = {
        .n_jobs = 2, .jobs = {{.name = "markets-eur"}, {.name = "markets-usd"}}};
    struct err err = ERR_INIT;

    metric_reset();
    const struct log_setup log = {.level = LOG_INFO, .fd = -1, .file = log_path};
    if (truncate(log_path, 0) != 0 || log_setup(&log, &err) != ST_OK)
        abort();
    status = status_new(&initial);
    w = watch_new(status, &now);
}

static void stop(void)
{
    watch_free(w);
    status_free(status);
    log_close();
}

/* The poll of so many minutes later. */
static void poll(int minute, const struct drift *drifts, size_t n_drifts,
                 const struct quality_flag *flags, size_t n_flags)
{
    const struct tape_record end = {.offset = (uint64_t)(1000 + minute),
                                    .slot_us = SLOT + minute * MINUTE};
    const struct poll_rows rows = {.slot_us = end.slot_us,
                                   .rows_in = 250,
                                   .drifts = drifts,
                                   .n_drifts = n_drifts,
                                   .flags = flags,
                                   .n_flags = n_flags};

    watch_poll(w, &(struct sink_load){.stream = &stream, .end = &end, .rows = &rows});
}

static void drifts(int minute, const struct drift *d)
{
    poll(minute, d, d ? 1 : 0, NULL, 0);
}

static struct status_job job(void)
{
    struct status_job copy = status_lock(status)->jobs[1];

    status_unlock(status);
    return copy;
}

/* How many lines of the log have this in them. */
static int lines_with(const char *text)
{
    char line[4096];
    FILE *f = fopen(log_path, "r");
    int n = 0;

    while (f && fgets(line, sizeof(line), f))
        n += strstr(line, text) != NULL;
    if (f)
        fclose(f);
    return n;
}

static void a_drift_is_told_once_and_shown_while_it_lasts(void)
{
    start();
    drifts(0, NULL);
    CHECK_Z(job().drift, "");
    for (int minute = 1; minute < 5; minute++)
        drifts(minute, &moon);
    CHECK_Z(job().drift, "new: moon");
    CHECK_EQ(job().drift_since_us, SLOT + MINUTE);
    CHECK_EQ(lines_with("WARN  load: the API's answers drift job=markets-usd drift=\"new: moon\" "
                        "slot=2026-11-23T14:01:00Z"),
             1);
    drifts(5, NULL);
    drifts(6, NULL);
    CHECK_Z(job().drift, "");
    CHECK_EQ(lines_with("INFO  load: a drift of the API's answers is over job=markets-usd "
                        "drift=\"new: moon\" slot=2026-11-23T14:05:00Z"),
             1);
    CHECK_EQ(lines_with(""), 2);
    CHECK_EQ(metric_get(METRIC_DRIFT, "markets-usd", "new"), 1);
    stop();
}

static void what_happened_is_told_and_not_shown(void)
{
    start();
    drifts(0, &left);
    CHECK_Z(job().drift, "");
    CHECK_EQ(lines_with("the API's answers changed"), 1);
    CHECK_EQ(metric_get(METRIC_DRIFT, "markets-usd", "membership"), 1);
    stop();
}

static void a_poll_that_several_sinks_load_is_told_once(void)
{
    start();
    drifts(0, &left);
    drifts(0, &left);
    drifts(-1, &sun); /* of a sink that is behind */
    CHECK_EQ(lines_with(""), 1);
    CHECK_Z(job().drift, "");
    watch_poll(w, &(struct sink_load){.stream = &stream}); /* failed: it has no rows */
    stop();
}

static void what_is_long_past_warns_nobody(void)
{
    start();
    drifts(-3 * 24 * 60, &left);
    CHECK_EQ(lines_with(""), 0);
    CHECK_EQ(metric_get(METRIC_DRIFT, "markets-usd", "membership"), 1);
    stop();
}

static void flags_are_counted_and_shown_by_the_hour(void)
{
    static const struct quality_flag flags[] = {{.row = 1, .rule = QUALITY_STALE},
                                                {.row = 2, .rule = QUALITY_STALE},
                                                {.row = 2, .rule = QUALITY_PRICE_JUMP}};

    start();
    poll(0, NULL, 0, flags, 3);
    poll(59, NULL, 0, flags, 1);
    CHECK_Z(job().flagged, "price_jump 1, stale 3");
    poll(60, NULL, 0, flags, 1);
    CHECK_Z(job().flagged, "stale 1");
    CHECK_EQ(metric_get(METRIC_QUALITY_FLAGS, "markets-usd", "stale"), 4);
    CHECK_EQ(metric_get(METRIC_QUALITY_FLAGS, "markets-usd", "price_jump"), 1);
    CHECK_EQ(lines_with(""), 0);
    CHECK_Z(status_lock(status)->jobs[0].flagged, ""); /* of another job */
    status_unlock(status);
    stop();
}

int main(void)
{
    static const struct tap_case cases[] = {
        TAP_CASE(a_drift_is_told_once_and_shown_while_it_lasts),
        TAP_CASE(what_happened_is_told_and_not_shown),
        TAP_CASE(a_poll_that_several_sinks_load_is_told_once),
        TAP_CASE(what_is_long_past_warns_nobody),
        TAP_CASE(flags_are_counted_and_shown_by_the_hour),
    };
    const int fd = mkstemp(log_path);

    if (fd < 0)
        abort();
    close(fd);
    int code = tap_run(cases, sizeof(cases) / sizeof(cases[0]));
    unlink(log_path);
    return code;
}
