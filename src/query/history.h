/* What a store knows of its polls: rows of these tables, each column listed once. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUERY_HISTORY_H
#define QUERY_HISTORY_H

#include "row/row.h"

/*  id, name, kind, NOT_NULL or MAYBE, unit, help */
/* clang-format off */
#define POLL_COLUMNS(X)                                                                                        \
    X(JOB, "job", TEXT, NOT_NULL, "", "the job's name")                                                        \
    X(SLOT, "slot", TIME, NOT_NULL, "UTC", "when the poll was scheduled")                                      \
    X(OUTCOME, "outcome", TEXT, NOT_NULL, "", "ok, partial, failed, aborted")                                  \
    X(LOADED, "loaded", TEXT, NOT_NULL, "", "what the store has of it: rows, duplicate (of its slot), none")    \
    X(STARTED, "started", TIME, MAYBE, "UTC", "when the poll began")                                           \
    X(FINISHED, "finished", TIME, NOT_NULL, "UTC", "when it was over")                                         \
    X(NEXT_DUE, "next_due", TIME, MAYBE, "UTC", "when the next one was promised")                              \
    X(ATTEMPTS, "attempts", INT, NOT_NULL, "", "requests sent")                                                \
    X(HTTP_STATUS, "http_status", INT, MAYBE, "", "of the last answer")                                        \
    X(PAGES, "pages", INT, NOT_NULL, "", "pages received")                                                     \
    X(PAGES_MISSING, "pages_missing", INT, NOT_NULL, "", "pages wanted and not received")                      \
    X(ROWS_IN, "rows_in", INT, NOT_NULL, "rows", "rows in its pages")                                          \
    X(ROWS_NEW, "rows_new", INT, NOT_NULL, "rows", "rows stored")                                              \
    X(ROWS_UNCHANGED, "rows_unchanged", INT, NOT_NULL, "rows", "rows left out, as they had not changed")       \
    X(ROWS_ABSENT, "rows_absent", INT, NOT_NULL, "rows", "coins of the poll before that it lacks")             \
    X(ROWS_QUARANTINED, "rows_quarantined", INT, NOT_NULL, "", "values refused, alone or with their row")      \
    X(BYTES, "bytes", INT, NOT_NULL, "bytes", "of all bodies")                                                 \
    X(CREDITS, "credits", INT, NOT_NULL, "", "what it cost of the plan")                                       \
    X(TRANSFORM_VERSION, "transform_version", INT, MAYBE, "", "of the transform that made its rows")           \
    X(STREAM, "stream", TEXT, NOT_NULL, "", "the tape's stream it is on")                                      \
    X(FIRST_OFFSET, "first_offset", INT, NOT_NULL, "", "of its records there")                                 \
    X(LAST_OFFSET, "last_offset", INT, NOT_NULL, "", "of its end there")                                       \
    X(DRIFT, "drift", TEXT, MAYBE, "", "how its answers are not as CoinGecko's were known to be")               \
    X(ERROR, "error", TEXT, MAYBE, "", "why it is not ok, or has no rows")

#define GAP_COLUMNS(X)                                                                                         \
    X(JOB, "job", TEXT, NOT_NULL, "", "the job's name")                                                        \
    X(FROM_SLOT, "from_slot", TIME, NOT_NULL, "UTC", "the promised poll that did not happen")                  \
    X(UNTIL_SLOT, "until_slot", TIME, MAYBE, "UTC", "the next poll that did; null: none so far")

#define MEMBER_COLUMNS(X)                                                                                      \
    X(COIN, "coin", TEXT, NOT_NULL, "", "CoinGecko's id of a coin that the job has or had")                    \
    X(FROM_SLOT, "from_slot", TIME, MAYBE, "UTC", "of the first poll without it; null: it was in all")         \
    X(UNTIL_SLOT, "until_slot", TIME, MAYBE, "UTC", "of the next poll with it; null: none so far")

#define SPAN_COLUMNS(X)                                                                                        \
    X(JOB, "job", TEXT, NOT_NULL, "", "the job's name")                                                        \
    X(TRANSFORM_VERSION, "transform_version", INT, NOT_NULL, "", "of the transform that made the rows")        \
    X(FIRST_SLOT, "first_slot", TIME, NOT_NULL, "UTC", "of the oldest poll")                                   \
    X(LAST_SLOT, "last_slot", TIME, NOT_NULL, "UTC", "of the newest poll")                                     \
    X(POLLS, "polls", INT, NOT_NULL, "", "that have rows of this version")

#define REFUSAL_COLUMNS(X)                                                                                     \
    X(JOB, "job", TEXT, NOT_NULL, "", "the job's name")                                                        \
    X(SLOT, "slot", TIME, NOT_NULL, "UTC", "of the poll")                                                      \
    X(STREAM, "stream", TEXT, NOT_NULL, "", "the tape's stream")                                               \
    X(OFFSET, "offset", INT, NOT_NULL, "", "of the record there that has it")                                  \
    X(IDX, "idx", INT, MAYBE, "", "of the row in its page, from 0; null: the poll as a whole")                 \
    X(COIN, "coin", TEXT, MAYBE, "", "CoinGecko's id of it, where it could be read")                           \
    X(FIELD, "field", TEXT, MAYBE, "", "of the answer; null: the row as a whole")                              \
    X(REASON, "reason", TEXT, NOT_NULL, "", "why it was refused")                                              \
    X(VALUE, "value", TEXT, MAYBE, "", "as sent, cut to 200 bytes")                                            \
    X(STAGE, "stage", TEXT, NOT_NULL, "", "who refused it: transform, load")

#define FLAG_COLUMNS(X)                                                                                        \
    X(JOB, "job", TEXT, NOT_NULL, "", "the job's name")                                                        \
    X(SLOT, "slot", TIME, NOT_NULL, "UTC", "of the poll")                                                      \
    X(COIN, "coin", TEXT, NOT_NULL, "", "CoinGecko's id of it")                                                \
    X(RULE, "rule", TEXT, NOT_NULL, "", "that its values break")                                               \
    X(DETAIL, "detail", TEXT, NOT_NULL, "", "the values, as sent")

#define COVERAGE_COLUMNS(X)                                                                                    \
    X(DAY, "day", TIME, NOT_NULL, "UTC", "when the day begins")                                                \
    X(OK, "ok", INT, NOT_NULL, "", "polls that were whole")                                                    \
    X(PARTIAL, "partial", INT, NOT_NULL, "", "polls that lack pages")                                          \
    X(FAILED, "failed", INT, NOT_NULL, "", "polls without rows")                                               \
    X(ABORTED, "aborted", INT, NOT_NULL, "", "polls that a stop or a kill ended")                              \
    X(PROMISED, "promised", INT, NOT_NULL, "", "slots that polls before them promised")                        \
    X(MISSED, "missed", INT, NOT_NULL, "", "of them: those without a poll")                                    \
    X(GAPS, "gaps", INT, NOT_NULL, "", "times without promised polls that touch the day")                      \
    X(GAP_MS, "gap_ms", INT, NOT_NULL, "ms", "how long they were, within the day")

#define KNOWN_JOB_COLUMNS(X)                                                                                   \
    X(NAME, "name", TEXT, NOT_NULL, "", "the job's name")                                                      \
    X(ENDPOINT, "endpoint", TEXT, NOT_NULL, "", "CoinGecko's name of what it collects")                        \
    X(VS_CURRENCY, "vs_currency", TEXT, NOT_NULL, "", "the currency of its prices; empty: it has none")        \
    X(SLOT, "slot", TIME, MAYBE, "UTC", "of its newest poll")                                                  \
    X(OUTCOME, "outcome", TEXT, MAYBE, "", "of its newest poll")                                               \
    X(FINISHED, "finished", TIME, MAYBE, "UTC", "when that was over")                                          \
    X(NEXT_DUE, "next_due", TIME, MAYBE, "UTC", "when it promised the next; null: it did not")

/* clang-format on */

#define REFUSAL_ENUM(id, ...)   REFUSAL_##id,
#define FLAG_ENUM(id, ...)      FLAG_##id,
#define COVERAGE_ENUM(id, ...)  COVERAGE_##id,
#define POLL_ENUM(id, ...)      POLL_COLUMN_##id,
#define GAP_ENUM(id, ...)       GAP_##id,
#define MEMBER_ENUM(id, ...)    MEMBER_##id,
#define SPAN_ENUM(id, ...)      SPAN_##id,
#define KNOWN_JOB_ENUM(id, ...) KNOWN_JOB_##id,
enum poll_column { POLL_COLUMNS(POLL_ENUM) N_POLL_COLUMNS };
enum gap_column { GAP_COLUMNS(GAP_ENUM) N_GAP_COLUMNS };
enum member_column { MEMBER_COLUMNS(MEMBER_ENUM) N_MEMBER_COLUMNS };
enum span_column { SPAN_COLUMNS(SPAN_ENUM) N_SPAN_COLUMNS };
enum refusal_column { REFUSAL_COLUMNS(REFUSAL_ENUM) N_REFUSAL_COLUMNS };
enum flag_column { FLAG_COLUMNS(FLAG_ENUM) N_FLAG_COLUMNS };
enum coverage_column { COVERAGE_COLUMNS(COVERAGE_ENUM) N_COVERAGE_COLUMNS };
enum known_job_column { KNOWN_JOB_COLUMNS(KNOWN_JOB_ENUM) N_KNOWN_JOB_COLUMNS };
#undef KNOWN_JOB_ENUM
#undef REFUSAL_ENUM
#undef FLAG_ENUM
#undef COVERAGE_ENUM
#undef POLL_ENUM
#undef GAP_ENUM
#undef MEMBER_ENUM
#undef SPAN_ENUM

extern const struct table poll_table, gap_table, member_table, span_table, refusal_table,
    flag_table, coverage_table, known_job_table;

#endif
