/* Errors: the return value says what the caller must do, struct err says why.
 *
 * Every function that can fail is MUST_USE, returns enum st and takes `struct err *err` last.
 * `err` is untouched on ST_OK. The first cause keeps its place; callers put context in front.
 * Messages: lower case, no full stop; "place: cause; mend" where a user can mend it.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

enum st {
    ST_OK = 0,
    ST_AGAIN,  /* transient: wait, then the same call may succeed */
    ST_REJECT, /* this input is bad; the next one may be fine */
    ST_FATAL,  /* this part of the program must stop */
};

#define MUST_USE           __attribute__((warn_unused_result))
#define PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))

#define ERR_MSG_SIZE 512

struct err {
    int sys;          /* errno of the first cause, 0 when there is none */
    const char *file; /* where in our source */
    int line;
    char msg[ERR_MSG_SIZE];
};

#define ERR_INIT {.sys = 0, .file = "", .line = 0, .msg = ""}

void err_set_at(struct err *err, const char *file, int line, int sys, const char *fmt, ...)
    PRINTF(5, 6);
void err_wrap_at(struct err *err, const char *fmt, ...) PRINTF(2, 3);

/* Lets the compiler see which value a failing function returns. */
static inline enum st err_st(enum st st)
{
    return st;
}

/* A cause of our own: fill err and return st. */
#define err_set(err, st, ...) (err_set_at(err, __FILE__, __LINE__, 0, __VA_ARGS__), err_st(st))

/* A failed system call: errnum is passed, never guessed; its text is appended after ": ". */
#define err_sys(err, st, errnum, ...) \
    (err_set_at(err, __FILE__, __LINE__, errnum, __VA_ARGS__), err_st(st))

/* Put context in front of the message ("sink sqlite: " + …); returns st unchanged. */
#define err_wrap(err, st, ...) (err_wrap_at(err, __VA_ARGS__), err_st(st))

/* Say that a failure is without consequence here. */
static inline void err_ignore(enum st st)
{
    (void)st;
}

#endif
