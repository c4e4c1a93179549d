/* The composition: one data directory's tape, its jobs, its sinks, the web server, the control
 * socket, and their threads.
 *
 * Threads: extract · one per sink · housekeeper · HTTP · control, and while it lasts one for a
 * reload. Whoever calls these functions is the main thread.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_PIPELINE_H
#define PIPELINE_PIPELINE_H

#include "base/err.h"
#include "config/config.h"
#include "load/sink.h"
#include "status/status.h"

struct pipeline_setup {
    const struct config *config; /* outlives the pipeline, as do its sources */
    const char *data_dir;
    uint32_t verb;  /* enum verb_bit: whose options a reload reads */
    bool has_sinks; /* false: write the tape, and leave loading to others */
    /* Each poll once, when the first sink has taken it (on that sink's thread). May be NULL. */
    void (*poll_loaded)(void *ctx, const struct sink_load *load, const struct sink_result *result);
    void *ctx;
};

struct pipeline;

/* Open and recover the tape, check the sinks' URLs, start the simulator if asked for; no thread of
 * ours yet. ST_AGAIN: try later; ST_REJECT: configuration; ST_FATAL: will not work. Owner:
 * pipeline_close(). */
enum st pipeline_open(const struct pipeline_setup *setup, struct pipeline **ret_pipeline,
                      struct err *err) MUST_USE;
void pipeline_close(struct pipeline *p); /* NULL is fine; after pipeline_stop() when started */

/* Start all threads. When the extractor cannot go on later, the process gets SIGTERM and
 * pipeline_stop() tells why. */
enum st pipeline_start(struct pipeline *p, struct err *err) MUST_USE;

/* Stop in order: not ready, extract, sinks (they may finish what is on the tape until the stop
 * timeout), HTTP. ST_FATAL when the extractor had died, or a reload or a sink did not stop in
 * time. */
enum st pipeline_stop(struct pipeline *p, struct err *err) MUST_USE;

/* Read the configuration again, soon and in a thread of its own; what was done is logged. Jobs,
 * sinks and the log level apply, the log file is opened again; the rest takes a restart. A
 * configuration with mistakes changes nothing. */
void pipeline_reload(struct pipeline *p);

bool pipeline_is_reloading(struct pipeline *p);

/* Which part has not come round when it promised to, patience_us included: "extract", "housekeeper"
 * or "http"; NULL: none. Sinks promise nothing here: what they wait for a restart does not mend,
 * and the tape goes on without them. */
const char *pipeline_stuck(const struct pipeline *p, int64_t patience_us);

struct pipeline_poll {
    char job[64];
    size_t status;          /* its place in the snapshot */
    bool is_already_polled; /* the slot is on the tape: no call was made */
    bool is_out_of_hours;   /* … nor is one to be made now */
    enum poll_outcome outcome;
};

/* One poll of every job, or of the one named `only` (NULL: all), and all sinks loaded to the heads,
 * in this thread; the first failure is returned after all had their turn. ret_polls has room for
 * all jobs. */
enum st pipeline_once(struct pipeline *p, const char *only, struct pipeline_poll *ret_polls,
                      size_t *ret_n, struct err *err) MUST_USE;

struct status *pipeline_status(struct pipeline *p);
uint16_t pipeline_port(const struct pipeline *p); /* of the web server; 0: none */
const char *pipeline_api_url(const struct pipeline *p);

struct backfill;
struct backfill_result;

/* Fetch charts of the past (pipeline/backfill.h), or only plan to, then load all sinks; not beside
 * pipeline_start(). The extractor runs from the first call on until pipeline_backfill_end(), which
 * comes before pipeline_close(). */
enum st pipeline_backfill(struct pipeline *p, const struct backfill *what,
                          struct backfill_result *ret_result, struct err *err) MUST_USE;
void pipeline_backfill_end(struct pipeline *p);

#endif
