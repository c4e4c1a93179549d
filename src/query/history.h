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
    X(ROWS_QUARANTINED, "rows_quarantined", INT, NOT_NULL, "rows", "rows refused")                             \
    X(BYTES, "bytes", INT, NOT_NULL, "bytes", "of all bodies")                                                 \
    X(CREDITS, "credits", INT, NOT_NULL, "", "what it cost of the plan")                                       \
    X(TRANSFORM_VERSION, "transform_version", INT, MAYBE, "", "of the transform that made its rows")           \
    X(STREAM, "stream", TEXT, NOT_NULL, "", "the tape's stream it is on")                                      \
    X(FIRST_OFFSET, "first_offset", INT, NOT_NULL, "", "of its records there")                                 \
    X(LAST_OFFSET, "last_offset", INT, NOT_NULL, "", "of its end there")                                       \
    X(ERROR, "error", TEXT, MAYBE, "", "why it is not ok, or what was unusual")

#define GAP_COLUMNS(X)                                                                                         \
    X(JOB, "job", TEXT, NOT_NULL, "", "the job's name")                                                        \
    X(FROM_SLOT, "from_slot", TIME, NOT_NULL, "UTC", "the promised poll that did not happen")                  \
    X(UNTIL_SLOT, "until_slot", TIME, MAYBE, "UTC", "the next poll that did; null: none so far")

#define SPAN_COLUMNS(X)                                                                                        \
    X(JOB, "job", TEXT, NOT_NULL, "", "the job's name")                                                        \
    X(TRANSFORM_VERSION, "transform_version", INT, NOT_NULL, "", "of the transform that made the rows")        \
    X(FIRST_SLOT, "first_slot", TIME, NOT_NULL, "UTC", "of the oldest poll")                                   \
    X(LAST_SLOT, "last_slot", TIME, NOT_NULL, "UTC", "of the newest poll")                                     \
    X(POLLS, "polls", INT, NOT_NULL, "", "that have rows of this version")

/* clang-format on */

#define POLL_ENUM(id, ...) POLL_COLUMN_##id,
#define GAP_ENUM(id, ...)  GAP_##id,
#define SPAN_ENUM(id, ...) SPAN_##id,
enum poll_column { POLL_COLUMNS(POLL_ENUM) N_POLL_COLUMNS };
enum gap_column { GAP_COLUMNS(GAP_ENUM) N_GAP_COLUMNS };
enum span_column { SPAN_COLUMNS(SPAN_ENUM) N_SPAN_COLUMNS };
#undef POLL_ENUM
#undef GAP_ENUM
#undef SPAN_ENUM

extern const struct table poll_table, gap_table, span_table;

#endif
