/* The configuration of every verb: one option table, one struct. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/log.h"
#include "base/opts.h"

enum verb_bit {
    VERB_RUN = 1 << 0,
    VERB_ONCE = 1 << 1,
    VERB_QUERY = 1 << 2,
    VERB_TAPE = 1 << 3,
    VERB_SIMULATE = 1 << 4,
    VERB_EXTRACT = 1 << 5,
    VERB_LOAD = 1 << 6,
    VERB_REPLAY = 1 << 7,
    VERB_IMPORT = 1 << 8,
    VERB_STATUS = 1 << 9,
    VERB_CHECK = 1 << 10,
    VERB_DOCTOR = 1 << 11,
    VERB_SINK = 1 << 12,
    VERB_CONTROL = 1 << 13, /* run-now, reload, log-level */
};

enum api_plan { PLAN_KEYLESS, PLAN_DEMO, PLAN_PRO };
enum output_format { OUTPUT_TABLE, OUTPUT_CSV, OUTPUT_JSON, OUTPUT_JSONL };

/* One job: what to fetch and when. Its options are the same as flags and as keys in the file. */
struct job_config {
    char *name; /* as the file calls it; NULL: made of the selection, see config_job_name() */
    char *vs;
    int64_t top; /* 0: CONFIG_TOP unless something else selects; query: all */
    bool is_all;
    struct opt_list ids; /* sorted, without repetition */
    char *category;      /* empty: none; at most `top` of it unless that is 0 */
    int64_t every_us;    /* 0: run: CONFIG_EVERY_US, once: now */
    char *between;       /* "08:00-18:00", UTC; empty: always */
};

struct config {
    const struct config_sources *sources; /* where all this came from: for a reload */
    char *config_file;                    /* that was read; empty: none */

    /* what to keep, and where */
    char *data; /* empty: ./data, or ./data-sim with --simulate */
    struct opt_list sinks;
    int64_t tape_keep_us; /* 0: for ever */
    int64_t tape_seal_level;
    bool is_gap_accepted;

    /* the API */
    char *api_url; /* empty: the plan's host */
    int api_plan;  /* enum api_plan */
    char *api_key;
    int64_t api_rate; /* calls per minute; 0: by plan */
    int64_t api_timeout_us;

    /* the job of the flags, the environment and the seed's names; of readers: what to read */
    struct job_config job;
    /* what to collect: that job, or those of the file; never none after config_load() */
    struct job_config *jobs;
    size_t n_jobs;
    size_t n_jobs_replaced; /* so many jobs of the file gave way to that one job */

    /* the process */
    char *listen;
    char *http_token; /* empty: nobody may write */
    int log_format;   /* enum log_format */
    int log_level;    /* enum log_level */
    char *log_file;
    int64_t stop_timeout_us;

    /* the simulator */
    bool is_simulated;
    int64_t sim_coins, sim_seed, sim_speed, sim_rate;
    struct opt_list sim_faults;

    /* reading */
    char *only_job;     /* --job */
    char *from;         /* the store's URL */
    char *first, *last; /* offsets; empty: no bound */
    char *columns;
    int output; /* enum output_format */
    bool has_headers;
    bool is_json, is_watching, is_healthcheck; /* status */
    bool is_offline;                           /* doctor */
    bool is_dry_run;                           /* import, tape prune */

    /* upkeep of the tape */
    bool is_deep;
    int64_t level;   /* 0: tape_seal_level */
    int64_t keep_us; /* 0: tape_keep_us */

    /* loading and replaying */
    bool is_following, is_forced;
    char *since, *until; /* cmd/instant.h; empty: no bound */

    /* importing */
    int import_as; /* enum import_kind, of import/ */
    char *import_name, *import_path, *import_zone;
    bool import_mtime, import_skip_equal;
    struct opt_list import_map;
};

/* Those of a job come first: as keys of a job in the file, bound to config.job. */
extern const struct opt_def config_options[];
extern const size_t n_config_options, n_config_job_options;

/* "127.0.0.1:8080", "[::1]:8080", ":8080" (all addresses), "none" (port -1). ST_REJECT with the
 * mend. */
enum st config_listen(const char *text, char ret_address[64], int *ret_port,
                      struct err *err) MUST_USE;

/* The plan's host, header, pace and budget. Sources: CoinGecko's documentation as of 2026-11
 * (keyless 5 calls a minute, demo 100, the smallest paid plan 250); the pace leaves 40 % of it to
 * retries and other programs behind the same key or address. */
struct plan {
    const char *name, *url, *key_header;
    uint32_t calls_per_minute;
    int64_t calls_per_month; /* 0: no such bound, or it depends */
};
const struct plan *config_plan(int api_plan);

#define CONFIG_EVERY_US (30 * INT64_C(1000000))
#define CONFIG_TOP      250
#define CONFIG_MAX_JOBS 64
#define CONFIG_PER_PAGE 250 /* CoinGecko's largest page */
#define CONFIG_SIM_RATE 600 /* nobody limits the built-in simulator */

/* How many coins at most, 0: no bound; and what the grid is when nothing is said. */
int64_t config_top(const struct job_config *job);
int64_t config_every_us(const struct job_config *job);

/* Neither all, ids nor a category: the top ones. */
bool config_is_default_selection(const struct job_config *job);

/* Calls that one poll takes (of a sweep and of a category: about as many as there are coins today),
 * and the pace in calls a minute. */
int64_t config_pages(const struct job_config *job);
uint32_t config_rate(const struct config *config);

/* Whether any slot k * every of the UTC days lies in the hours of the job; *ret_next_us is the time
 * of the day of the first one at or after their begin. */
bool config_has_slot(const struct job_config *job, int64_t *ret_next_us);

/* Calls of a job in so many days, of the slots in its hours; rounded up. */
int64_t config_calls(const struct job_config *job, int64_t days);

/* The calls a minute that all jobs make together at the busiest time of the day, and when that
 * begins, in microseconds since midnight UTC. */
double config_calls_per_minute(const struct config *config, int64_t *ret_at_us);

/* The hours of --between in microseconds since midnight UTC: from included, to not; from beyond to:
 * over midnight; "" gives 0 and 0: always. ST_REJECT with the mend. */
enum st config_between(const char *text, int64_t *ret_from_us, int64_t *ret_to_us,
                       struct err *err) MUST_USE;

/* The name of the job's stream: the file's, or "markets-usd" for the default selection,
 * "markets-usd-top100", "-all", "-cat-<category>", "-cat-<category>-top100", "-ids-<8 hex>": FNV-1a
 * of the sorted list. */
void config_job_name(const struct job_config *job, char ret_name[64]);

/* Where settings come from, to be read again at a reload. */
struct config_sources {
    int argc; /* behind the verb */
    char **argv;
    char *const *env;
    const char *dotenv; /* ".env" */
};

/* Priorities: flag > GECKOTAPE_… and the seed's names of the environment > those of `.env` > the
 * query of the seed's URL > the file > default.
 *
 * Read all sources, bind them, check the whole; *ret_config is zeroed before, and keeps a pointer
 * to the sources. Words that are no options go to ret_words. ret_settings (for `check`) and
 * problems are added to; jobs of the file are settings "jobs.NAME.KEY". Owner: config_release(),
 * also when there were problems. Reads the files anew each time, keeps nothing else. */
void config_load(const struct config_sources *sources, uint32_t verb, struct config *ret_config,
                 struct settings *ret_settings, const char **ret_words, size_t max_words,
                 size_t *ret_n_words, struct opt_problems *problems);
void config_release(struct config *config);

/* What a reload cannot apply: the options (not jobs, sinks and those that are reloadable) whose
 * values differ, as "--listen, --data"; nothing when there are none. */
void config_add_restart(const struct config *old, const struct config *new, struct buf *b);

#endif
