/* From the configuration to the structs that the stages take. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_SETUP_H
#define PIPELINE_SETUP_H

#include "base/sink_url.h"
#include "config/config.h"
#include "extract/extract.h"
#include "serve/guard.h"
#include "sim/sim.h"

void setup_api(const struct config *config, struct extract_api *ret_api);

/* Who the job is; see config_job_name(). */
void setup_stream_id(const struct job_config *config, struct stream_id *ret_id);

/* What a job selects, copied out of a configuration that may go: top, is_all, category and ids. */
void setup_copy_selection(const struct job_config *config, struct job_config *ret_selected);
void setup_release_selection(struct job_config *selected);

/* Fill in selection (borrowed from `selected`), grid and hours. */
enum st setup_job(const struct job_config *config, const struct job_config *selected,
                  struct extract_job *job, struct err *err) MUST_USE;
void setup_status_job(const struct extract_job *job, struct status_job *ret_job);

/* How long a poll of `once` may take: its calls at the limiter's pace, and two minutes for retries.
 */
int64_t setup_poll_budget_us(const struct config *config, const struct job_config *job);

/* The sinks of --sink, else the default ones below data_dir. ret_urls has room for
 * STATUS_MAX_SINKS. */
enum st setup_sinks(const struct config *config, const char *data_dir, struct sink_url *ret_urls,
                    size_t *ret_n, struct err *err) MUST_USE;

/* Name every sink of the settings that cannot be one, each by where it was given; for after
 * config_load(), which does not know the drivers. */
void setup_check_sinks(const struct settings *settings, struct opt_problems *problems);

enum st setup_simulator(const struct config *config, struct sim_setup *setup,
                        struct err *err) MUST_USE;

/* Real and simulated data never share a directory: DATA/SIMULATED marks the simulated ones. */
enum st setup_mark_simulated(const struct config *config, const char *data_dir,
                             struct err *err) MUST_USE;

/* Who may read and write by HTTP; borrows from config. */
struct guard setup_guard(const struct config *config);

#endif
