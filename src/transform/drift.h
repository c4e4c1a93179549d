/* What a poll's answers are not as the transform knows them: how the API drifts.
 *
 * Most kinds are states: they are told of every poll that has them, so that a poll's drift says by
 * itself how its answers were. Events are told of the poll that differs from the one before it.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSFORM_DRIFT_H
#define TRANSFORM_DRIFT_H

#include "base/buf.h"

#define DRIFT_MAX_TEXT 2048 /* bytes that drift_write() appends at most */

/*  id, name, EVENT or STATE, help */
/* clang-format off */
#define DRIFT_KINDS(X)                                                                                         \
    X(RENAMED, "renamed", EVENT, "a field is gone, and a new one has its values")                              \
    X(MISSING, "missing", STATE, "a field that was always sent is not in most rows")                           \
    X(NEW, "new", STATE, "a field that no column has")                                                         \
    X(RETYPED, "retyped", STATE, "half of a field's values or more are of another type; their cells are NULL") \
    X(TEXT_NUMBER, "text_number", STATE, "numbers in quotes; taken as the numbers they are")                   \
    X(TIMES, "times", STATE, "times that are rounded, or the same in nearly all rows")                         \
    X(SHIFTED, "shifted", EVENT, "times that moved by the same whole hours in most rows")                      \
    X(DIGITS, "digits", STATE, "percentages that are rounded to one decimal")                                  \
    X(MEMBERSHIP, "membership", EVENT, "more coins left than a market's own motion takes")                     \
    X(BOM, "bom", STATE, "a byte order mark before the answer")

/* clang-format on */

enum drift_kind {
#define DRIFT_ENUM(id, ...) DRIFT_##id,
    DRIFT_KINDS(DRIFT_ENUM)
#undef DRIFT_ENUM
        N_DRIFT_KINDS
};

struct drift_kind_def {
    const char *name, *help;
    bool is_event;
};

extern const struct drift_kind_def drift_kinds[N_DRIFT_KINDS];

struct drift {
    enum drift_kind kind;
    bool is_event;
    struct str field;
    struct str from, to; /* what it was, what it is; empty where there is nothing to say */
};

/* Append one line: "missing: c; new: a, b; times: last_updated (whole 10 s)". Clean for a terminal,
 * cut with "…" at DRIFT_MAX_TEXT. */
void drift_write(struct buf *b, const struct drift *drifts, size_t n);

/* Append one of them without its kind: "a", "a -> b", "a (number -> text)". */
void drift_write_one(struct buf *b, const struct drift *drift);

#endif
