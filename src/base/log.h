/* The program's log: one line per event, as text or as JSON with one schema.
 *
 * text  2026-11-23T14:30:00.123Z INFO  extract: poll done job=markets-usd rows=250
 * json  {"ts":"…","level":"info","area":"extract","msg":"poll done","job":"markets-usd","rows":250}
 *
 * Only stage loops and verbs log; libraries fill struct err. Secrets are never passed in.
 * A line that its reader does not take at once is dropped and counted: nobody who reads the log may
 * stop the collector.
 *
 * Threads: log_event() may be called from any; setting up happens before threads start.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/err.h"
#include "base/str.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

struct log_field {
    const char *key;
    enum { LOG_FIELD_INT, LOG_FIELD_STR } kind;
    int64_t i;
    struct str s;
};

#define LOG_I(key_, value_) \
    ((struct log_field){.key = (key_), .kind = LOG_FIELD_INT, .i = (int64_t)(value_)})
#define LOG_S(key_, value_) \
    ((struct log_field){.key = (key_), .kind = LOG_FIELD_STR, .s = (value_)})
#define LOG_Z(key_, value_) LOG_S(key_, str_of(value_))

struct log_setup {
    enum log_level level; /* the most talkative level that is written */
    enum log_format format;
    int fd;            /* 1 or 2; -1: nothing but the file */
    const char *file;  /* also append here; NULL: no file; outlives logging */
    bool is_simulated; /* every line is marked simulated=1 */
};

/* Start (or change) logging; the file's directory is made. Fails when the file cannot be opened.
 * Before it: text to stderr. */
enum st log_setup(const struct log_setup *setup, struct err *err) MUST_USE;

/* Any thread: open the file again, which somebody may have renamed. When that fails the old one is
 * kept. */
enum st log_reopen(struct err *err) MUST_USE;

/* Any thread. */
void log_set_level(enum log_level level);

void log_close(void);

/* Write one event. fields ends with a NULL key; use the macros. */
void log_event(enum log_level level, const char *area, const char *msg,
               const struct log_field *fields);

/* Write one line for people (with its newline, at most 4096 bytes) as it is, where the log goes but
 * not to its file. Like log lines it is dropped when the reader does not take it at once. */
void log_say(struct str line);

#define LOG_FIELDS(...)           ((const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){.key = NULL}})
#define log_error(area, msg, ...) log_event(LOG_ERROR, area, msg, LOG_FIELDS(__VA_ARGS__))
#define log_warn(area, msg, ...)  log_event(LOG_WARN, area, msg, LOG_FIELDS(__VA_ARGS__))
#define log_info(area, msg, ...)  log_event(LOG_INFO, area, msg, LOG_FIELDS(__VA_ARGS__))
#define log_debug(area, msg, ...) log_event(LOG_DEBUG, area, msg, LOG_FIELDS(__VA_ARGS__))

/* "error" "warn" "info" "debug" */
const char *log_level_name(enum log_level level);

#endif
