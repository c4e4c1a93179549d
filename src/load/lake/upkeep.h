/* The upkeep of a lake beside its loaders: what its logs name is held against what is there, small
 * files become large ones, what no log names goes. Safe beside loaders, and other programs that
 * write. Threads: one. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_LAKE_UPKEEP_H
#define LOAD_LAKE_UPKEEP_H

#include "load/sink.h"

struct lake_upkeep;

struct lake_told {
    void (*say)(void *ctx, const char *line);      /* what was done or found */
    void (*complain)(void *ctx, const char *line); /* what is not as it should be */
    void *ctx;
};

/* Read the logs, and end what a killed loader left half done. url: of a sink lake:, checked.
 * Owner: lake_upkeep_close(), which takes NULL; url and told are borrowed. ST_REJECT: no lake. */
enum st lake_upkeep_open(const struct sink_url *url, struct clock *clock,
                         const struct lake_told *told, struct lake_upkeep **ret_upkeep,
                         struct err *err) MUST_USE;
void lake_upkeep_close(struct lake_upkeep *u);

/* Read every file: is it whole, are its rows of its day, as many as the log and the polls say, and
 * within the log's statistics? *ret_n: complaints. */
enum st lake_verify(struct lake_upkeep *u, size_t *ret_n, struct err *err) MUST_USE;

/* Make one file of the small ones of each day. */
enum st lake_optimize(struct lake_upkeep *u, bool is_dry_run, struct err *err) MUST_USE;

/* Remove files that no log names, or that were taken out of it, longer ago than that. */
enum st lake_vacuum(struct lake_upkeep *u, int64_t older_us, bool is_dry_run,
                    struct err *err) MUST_USE;

#endif
