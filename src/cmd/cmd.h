/* The verbs: one file each, one row each in cmd.c's table. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_CMD_H
#define CMD_CMD_H

#include "base/buf.h"
#include "config/config.h"

/* What scripts can rely on (sysexits.h where it has a number). */
enum exit_code {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_AGAIN = 75,
    EXIT_CONFIG = 78,
};

#define CMD_MAX_WORDS 8

struct alerts;
struct query;
struct sink_url;

struct verb {
    const char *name;
    uint32_t bit; /* enum verb_bit */
    const char *summary;
    const char *form;     /* "geckotape tape ls|cat|verify [options]" */
    const char *examples; /* lines, indented by two */
    /* Appends what --help says after the options, with its headline; NULL: nothing. */
    void (*add_help)(struct buf *b);
    size_t min_words, max_words;
    /* words: what stood behind the verb and is no option. Returns an enum exit_code. */
    int (*run)(const struct config *config, const char *const *words, size_t n_words);
    /* In place of run, for who tells where each setting comes from. */
    int (*explain)(const struct config *config, const struct settings *settings);
};

extern const struct verb verb_run, verb_once, verb_query, verb_export, verb_tape, verb_import,
    verb_simulate, verb_check, verb_status, verb_doctor;
extern const struct verb verb_alerts, verb_lake, verb_load, verb_replay, verb_backfill, verb_sink,
    verb_migrate;
extern const struct verb verb_serve, verb_extract, verb_run_now, verb_reload, verb_log_level;

/* All of them, in the order of --help. */
extern const struct verb *const cmd_verbs[];
extern const size_t n_cmd_verbs;

/* Print "geckotape: <message>" on stderr and return the exit code that fits st: ST_AGAIN 75, else
 * `code`. */
int cmd_fail(enum st st, const struct err *err, int code);

/* Log as config says, to fd (1 or 2) and to its file. */
enum st cmd_start_log(const struct config *config, int fd, bool is_simulated,
                      struct err *err) MUST_USE;

/* The data directory that config means. */
const char *cmd_data_dir(const struct config *config);

/* The store of --from, else that of the data directory, for reading. ST_REJECT: it is none, or
 * cannot be read back. */
enum st cmd_open_store(const struct config *config, struct sink_url *url, struct query **ret_query,
                       struct err *err) MUST_USE;

/* ST_REJECT names the first coin that the store does not know, with what is nearest to it. Stores
 * that cannot tell know all. */
enum st cmd_check_coins(struct query *query, const struct str *ids, size_t n_ids,
                        struct err *err) MUST_USE;

/* Warn on stderr of coins that alerts name and that a store on this machine, if there is one, has
 * never seen. */
void cmd_hint_coins(const struct config *config, const struct alerts *alerts);

/* Block SIGINT, SIGTERM, SIGHUP and SIGPIPE in this and all later threads; cmd_wait_signal() takes
 * them. */
void cmd_block_signals(void);

/* Wait for SIGINT, SIGTERM or SIGHUP and return which it was. */
int cmd_wait_signal(void);

/* The same for at most timeout_us; 0 when none came. */
int cmd_poll_signal(int64_t timeout_us);

/* Give the work to the process that holds data_dir: its lines come out on stdout, what went wrong
 * on stderr, *ret_code is what to exit with. False when nobody holds it: do the work alone. A
 * holder that takes no requests, or does not answer, is named: EXIT_AGAIN. */
bool cmd_hand_over(const char *data_dir, const struct buf *request, int *ret_code);

#endif
