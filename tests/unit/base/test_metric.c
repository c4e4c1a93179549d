/* SPDX-License-Identifier: Apache-2.0 */
#include "base/metric.h"

#include "tap.h"

static bool has_line(const struct buf *b, const char *line)
{
    struct str rest = buf_str(b), got;

    while (rest.len > 0) {
        str_cut(&rest, '\n', &got);
        if (str_eq(got, str_of(line)))
            return true;
    }
    return false;
}

static void a_counter_adds_up_by_labels(void)
{
    metric_reset();
    metric_add(METRIC_POLLS, "a", "ok", 1);
    metric_add(METRIC_POLLS, "a", "ok", 2);
    metric_add(METRIC_POLLS, "a", "failed", 1);
    CHECK_EQ(metric_get(METRIC_POLLS, "a", "ok"), 3);
    CHECK_EQ(metric_get(METRIC_POLLS, "a", "failed"), 1);
    CHECK_EQ(metric_get(METRIC_POLLS, "b", "ok"), 0);
    metric_set(METRIC_TAPE_HEAD, "a", NULL, 7);
    metric_set(METRIC_TAPE_HEAD, "a", NULL, 5);
    CHECK_EQ(metric_get(METRIC_TAPE_HEAD, "a", NULL), 5);
}

static void what_is_no_more_is_dropped_by_its_label(void)
{
    struct buf b = BUF_INIT((size_t)1 << 20);

    metric_reset();
    metric_set(METRIC_SINK_UP, "null:", NULL, 1);
    metric_set(METRIC_SINK_LAG, "null:", "a", 3);
    metric_observe_us(METRIC_SINK_COMMIT_SECONDS, "null:", 1000);
    metric_set(METRIC_SINK_LAG, "json:x", "a", 4);
    metric_add(METRIC_SINK_ERRORS, "json:x", "fatal", 5);
    metric_add(METRIC_POLLS, "fatal", "ok", 6);
    metric_drop("sink", "null:");
    CHECK_EQ(metric_get(METRIC_SINK_UP, "null:", NULL), 0);
    CHECK_EQ(metric_get(METRIC_SINK_LAG, "json:x", "a"), 4);
    metric_drop("job", "fatal"); /* a disposition is no job */
    CHECK_EQ(metric_get(METRIC_POLLS, "fatal", "ok"), 0);
    CHECK_EQ(metric_get(METRIC_SINK_ERRORS, "json:x", "fatal"), 5);
    metric_drop("job", "a");
    CHECK_EQ(metric_get(METRIC_SINK_LAG, "json:x", "a"), 0);
    metric_write(&b);
    CHECK(strstr(buf_z(&b), "null:") == NULL);
    buf_release(&b);
}

static void the_text_is_what_prometheus_reads(void)
{
    struct buf b = BUF_INIT((size_t)1 << 20);

    metric_reset();
    metric_add(METRIC_POLLS, "a\"\\\nb", "ok", 2.5);
    metric_set(METRIC_TAPE_HEAD, "j", NULL, 123456789012);
    metric_observe_us(METRIC_REQUEST_SECONDS, "j", 1000);
    metric_observe_us(METRIC_REQUEST_SECONDS, "j", 200000);
    metric_observe_us(METRIC_REQUEST_SECONDS, "j", 60000000);
    metric_write(&b);
    CHECK(!b.is_overflow);
    CHECK(has_line(&b, "# TYPE geckotape_polls_total counter"));
    CHECK(has_line(&b, "geckotape_polls_total{job=\"a\\\"\\\\\\nb\",outcome=\"ok\"} 2.5"));
    CHECK(has_line(&b, "# TYPE geckotape_tape_head_offset gauge"));
    CHECK(has_line(&b, "geckotape_tape_head_offset{job=\"j\"} 123456789012"));
    CHECK(has_line(&b, "# TYPE geckotape_request_seconds histogram"));
    CHECK(has_line(&b, "geckotape_request_seconds_bucket{job=\"j\",le=\"0.001\"} 1"));
    CHECK(has_line(&b, "geckotape_request_seconds_bucket{job=\"j\",le=\"0.1\"} 1"));
    CHECK(has_line(&b, "geckotape_request_seconds_bucket{job=\"j\",le=\"0.5\"} 2"));
    CHECK(has_line(&b, "geckotape_request_seconds_bucket{job=\"j\",le=\"30\"} 2"));
    CHECK(has_line(&b, "geckotape_request_seconds_bucket{job=\"j\",le=\"+Inf\"} 3"));
    CHECK(has_line(&b, "geckotape_request_seconds_sum{job=\"j\"} 60.201"));
    CHECK(has_line(&b, "geckotape_request_seconds_count{job=\"j\"} 3"));
    CHECK_EQ(metric_get(METRIC_REQUEST_SECONDS, "j", NULL), 3);
    buf_release(&b);
}

static void every_family_is_announced_once(void)
{
    struct buf b = BUF_INIT((size_t)1 << 20);
    struct str rest, line;
    int n = 0;

    metric_reset();
    metric_add(METRIC_POLLS, "a", "ok", 1);
    metric_add(METRIC_RETRIES, "a", NULL, 1);
    metric_add(METRIC_POLLS, "b", "ok", 1);
    metric_write(&b);
    rest = buf_str(&b);
    while (rest.len > 0) {
        str_cut(&rest, '\n', &line);
        n += str_starts(line, STR("# TYPE geckotape_polls_total "));
    }
    CHECK_EQ(n, 1);
    buf_release(&b);
}

static void process_figures_are_read_when_written(void)
{
    struct buf b = BUF_INIT((size_t)1 << 20);

    metric_reset();
    metric_write(&b);
    CHECK(metric_get(METRIC_PROCESS_RSS, NULL, NULL) > 100000);
    CHECK(metric_get(METRIC_PROCESS_FDS, NULL, NULL) >= 3);
    CHECK(metric_get(METRIC_PROCESS_FDS, NULL, NULL) < 100);
    buf_release(&b);
}

static void series_beyond_the_limit_are_dropped_and_counted(void)
{
    char job[16];

    metric_reset();
    for (int i = 0; i < 2 * METRIC_MAX_SERIES; i++) {
        snprintf(job, sizeof(job), "%d", i);
        metric_add(METRIC_RETRIES, job, NULL, 1);
    }
    CHECK_EQ(metric_get(METRIC_RETRIES, "0", NULL), 1);
    CHECK_EQ(metric_get(METRIC_RETRIES, "1023", NULL), 0);
    CHECK_EQ(metric_get(METRIC_SERIES_DROPPED, NULL, NULL), METRIC_MAX_SERIES + 1);
    metric_add(METRIC_RETRIES, "0", NULL, 1);
    CHECK_EQ(metric_get(METRIC_RETRIES, "0", NULL), 2);
}

static void every_metric_has_a_good_name_and_help(void)
{
    metric_reset();
    for (int i = 0; i < N_METRICS; i++) {
        const struct metric_def *def = &metric_defs[i];
        struct str name = str_of(def->name);
        bool is_total = name.len > 6 && strcmp(name.p + name.len - 6, "_total") == 0;
        CHECK(str_starts(name, STR("geckotape_")));
        CHECK_EQ(strspn(name.p, "abcdefghijklmnopqrstuvwxyz_"), name.len);
        CHECK_EQ(is_total, def->kind == METRIC_COUNTER);
        CHECK(strchr(def->help, '\n') == NULL && strlen(def->help) > 10);
        for (int k = 0; k < i; k++)
            CHECK(strcmp(metric_defs[k].name, def->name) != 0);
    }
}

TAP_MAIN(TAP_CASE(a_counter_adds_up_by_labels), TAP_CASE(what_is_no_more_is_dropped_by_its_label),
         TAP_CASE(the_text_is_what_prometheus_reads), TAP_CASE(every_family_is_announced_once),
         TAP_CASE(process_figures_are_read_when_written),
         TAP_CASE(series_beyond_the_limit_are_dropped_and_counted),
         TAP_CASE(every_metric_has_a_good_name_and_help))
