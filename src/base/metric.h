/* The program's numbers, as Prometheus sees them: every metric is one row of METRICS, everything
 * else
 * (/metrics, docs/metrics.md) is derived from it.
 *
 * Threads: any thread may count, set, observe and write. A series (metric + label values) appears
 * at its first use and stays until metric_drop(); at most METRIC_MAX_SERIES of them, later ones are
 * dropped and counted.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_METRIC_H
#define BASE_METRIC_H

#include "base/buf.h"

#define METRIC_MAX_SERIES 512

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/*  id, name without the "geckotape_" in front, kind, labels ("" or "a" or "a,b"), help */
/* clang-format off */
#define METRICS(X)                                                                                             \
    X(BUILD_INFO, "build_info", GAUGE, "version", "Always 1; the version is its label.")                       \
    X(POLLS, "polls_total", COUNTER, "job,outcome", "Polls ended, by outcome (ok, partial, failed, aborted).") \
    X(REQUESTS, "requests_total", COUNTER, "job,class", "API answers by class; no answer at all is class "     \
                                                        "\"transport\".")                                      \
    X(REQUEST_SECONDS, "request_seconds", HISTOGRAM, "job", "Time from sending a request to its last byte.")   \
    X(RESPONSE_BYTES, "response_bytes_total", COUNTER, "job", "Bytes of response bodies, decompressed.")       \
    X(RETRIES, "retries_total", COUNTER, "job", "Requests sent again within a poll.")                          \
    X(LIMITER_WAIT_SECONDS, "limiter_wait_seconds_total", COUNTER, "", "Time requests waited for the pace.")   \
    X(MISSED_SLOTS, "missed_slots_total", COUNTER, "job", "Slots that passed unpolled, as polls took too long.") \
    X(SKIPPED_SLOTS, "skipped_slots_total", COUNTER, "job", "Slots left out on purpose: so that the budget lasts, or as answers repeat.") \
    X(BUDGET_CALLS, "budget_calls", GAUGE, "", "Calls that may be made in the billing period; 0: no bound.")   \
    X(BUDGET_SPENT, "budget_spent_calls", GAUGE, "spender", "Calls spent in it, by this collector (own) and "  \
                                                            "others with the key (others).")                   \
    X(BUDGET_ENDS, "budget_period_end_timestamp_seconds", GAUGE, "", "When the billing period ends.")          \
    X(TAPE_HEAD, "tape_head_offset", GAUGE, "job", "Offset of the newest synced record.")                      \
    X(TAPE_BYTES, "tape_written_bytes_total", COUNTER, "job", "Bytes written to the tape.")                    \
    X(TAPE_ERRORS, "tape_errors_total", COUNTER, "job", "Failed writes or syncs of the tape.")                 \
    X(TAPE_TORN, "tape_torn_total", COUNTER, "job", "Torn tails cut off at start.")                            \
    X(TAPE_SEALED, "tape_sealed_total", COUNTER, "job", "Segments sealed.")                                    \
    X(TAPE_SEALED_BYTES, "tape_sealed_bytes_total", COUNTER, "job", "Bytes of sealed segments, as sealed.")    \
    X(TAPE_SHIPPED, "tape_shipped_total", COUNTER, "job", "Segments copied to the store of tape.ship.")        \
    X(TAPE_PRUNED_BYTES, "tape_pruned_bytes_total", COUNTER, "job", "Bytes of old segments removed.")          \
    X(TAPE_DISK_BYTES, "tape_disk_bytes", GAUGE, "job", "Bytes of the tape on disk.")                          \
    X(DISK_FREE, "disk_free_bytes", GAUGE, "", "Free bytes on the disk of the tape.")                          \
    X(TAPE_HOLES, "tape_holes_total", COUNTER, "job", "Damaged places that a reader skipped.")                 \
    X(FRESHNESS, "newest_row_timestamp_seconds", GAUGE, "job", "When the newest row was fetched.")             \
    X(SINK_OFFSET, "sink_offset", GAUGE, "sink,job", "Offset up to which the sink has committed.")             \
    X(SINK_LAG, "sink_lag_records", GAUGE, "sink,job", "Records between the sink and the last poll that ended.")   \
    X(SINK_UP, "sink_up", GAUGE, "sink", "1 while the sink works, 0 while it waits or has stopped.")           \
    X(SINK_ROWS, "sink_rows_total", COUNTER, "sink", "Rows stored.")                                           \
    X(SINK_UNCHANGED, "sink_rows_unchanged_total", COUNTER, "sink", "Rows not stored, as they had not "        \
                                                                    "changed.")                                \
    X(SINK_TEXT_NUMBERS, "sink_text_numbers_total", COUNTER, "sink", "Numbers stored as text, as no number " \
                                                                     "type of the sink holds them.")           \
    X(SINK_DEFAULT_ROWS, "sink_default_rows", GAUGE, "sink", "Rows in the default partition, as no other "      \
                                                             "could be made.")                                 \
    X(SINK_ERRORS, "sink_errors_total", COUNTER, "sink,disposition", "Failed loads: again, reject, fatal.")    \
    X(SINK_COMMIT_SECONDS, "sink_commit_seconds", HISTOGRAM, "sink", "Time one load took, commit included.")   \
    X(QUARANTINED, "quarantined_total", COUNTER, "sink", "Values that the transform or a sink refused.")       \
    X(DRIFT, "drift_total", COUNTER, "job,kind", "Changes of the API's answers that began or happened, by kind.") \
    X(QUALITY_FLAGS, "quality_flags_total", COUNTER, "job,rule", "Rows flagged as hardly true, by rule.")      \
    X(ALERTS_FIRED, "alerts_fired_total", COUNTER, "rule", "Alerts whose condition came true.")               \
    X(ALERTS_DELIVERED, "alerts_delivered_total", COUNTER, "rule", "Alerts that their receiver has taken.")    \
    X(ALERTS_FAILED, "alerts_failed_total", COUNTER, "rule", "Tries to deliver an alert that failed.")         \
    X(ALERTS_PUT_ASIDE, "alerts_put_aside_total", COUNTER, "rule", "Alerts that their receiver refused, also when tried again.") \
    X(HTTP_REQUESTS, "http_requests_total", COUNTER, "code", "Requests served, by status code.")               \
    X(UPSTREAM_ANSWERS, "upstream_answers_total", COUNTER, "from", "Answers of /api/v3 with --upstream, by what "  \
                                                        "they are: own, kept, fetched, stale.")                 \
    X(PROCESS_CPU, "process_cpu_seconds_total", COUNTER, "", "User and system time of the process.")           \
    X(PROCESS_RSS, "process_resident_memory_bytes", GAUGE, "", "Resident memory.")                             \
    X(PROCESS_FDS, "process_open_fds", GAUGE, "", "Open file descriptors.")                                    \
    X(PROCESS_START, "process_start_time_seconds", GAUGE, "", "When the process started.")                     \
    X(SERIES_DROPPED, "series_dropped_total", COUNTER, "", "Series beyond the limit, not kept.")

/* clang-format on */

enum metric_id {
#define METRIC_ENUM(id, name, kind, labels, help) METRIC_##id,
    METRICS(METRIC_ENUM)
#undef METRIC_ENUM
        N_METRICS
};

struct metric_def {
    const char *name;
    enum metric_kind kind;
    const char *labels;
    const char *help;
};

extern const struct metric_def metric_defs[N_METRICS];

/* Label values in the order of the row's labels; NULL where there is none. */
void metric_add(enum metric_id id, const char *label1, const char *label2, double delta);
void metric_set(enum metric_id id, const char *label1, const char *label2, double value);
void metric_observe_us(enum metric_id id, const char *label1, int64_t duration_us);

/* Forget the series in which the label of this name ("sink") has this value: what it was is no
 * more. One that is counted again begins anew. */
void metric_drop(const char *label, const char *value);

/* The present value (a histogram: its count); 0 for a series that is not there. */
double metric_get(enum metric_id id, const char *label1, const char *label2);

/* Append all series in the Prometheus text format 0.0.4; process figures are read at this moment.
 */
void metric_write(struct buf *b);

/* Tests: forget all series. */
void metric_reset(void);

#endif
