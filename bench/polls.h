/* Polls for the benchmarks of sinks: loaded and made anew by a driver, and what that costs.
 *
 * Threads: one. A failure ends the program.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_POLLS_H
#define BENCH_POLLS_H

#include "base/arena.h"
#include "load/sink.h"

#define COINS    250
#define VARIANTS 8  /* polls that differ in every row */
#define BATCH    80 /* polls of a transaction that catches up */

#define N_MARKET (N_MARKET_COLUMNS - MARKET_FETCHED_AT) /* columns that market has of a row */

extern const char *bench_name;   /* in messages; set it first */
extern struct arena bench_arena; /* what is made once */
extern int n_polls;              /* of a run */
extern bool has_unchanged;       /* every other coin's row, but in the first poll of an hour */

_Noreturn void die(const char *why);

/* Fill the arena. argc, argv: [POLLS]. */
void polls_make(int argc, char **argv);

int64_t slot_of(int i);
bool is_left_out(int i, int coin);
const struct cell *row_of(int i, int coin); /* of the i-th poll: equal in every VARIANTS-th */

/* The i-th poll, as the load that follows `at`; borrows end. */
struct sink_load make_load(int i, struct tape_record *end, struct position at);

struct cost {
    double wall_s, cpu_s; /* CPU: of this process */
    double server_s;      /* CPU of the server's, where there is one */
    double median_s;      /* of what cost_lap() ended */
};

#define COST_NONE ((struct cost){.wall_s = 1e9})

/* CPU that a server has used so far; NULL: there is none. */
extern double (*bench_server_cpu_s)(void);

struct cost cost_start(void);
void cost_lap(void); /* a transaction is over, and the next begins */
struct cost cost_since(struct cost begin);
struct cost cost_better(struct cost a, struct cost b);
void cost_print(const char *what, struct cost cost, struct cost bare);

/* Open a sink and attach it to the stream; close it. */
void open_sink(struct sink *s, struct sink_url *url, const char *text);
void close_sink(struct sink *s);

/* Load all polls into the sink of this URL, in transactions of `batch`; make all of them anew. */
struct cost load_by_driver(const char *url, int batch);
struct cost replay_by_driver(const char *url, int batch);

#endif
