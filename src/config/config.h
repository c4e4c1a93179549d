/* The configuration of every verb: one option table, one struct. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/grid.h"
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
    VERB_MIGRATE = 1 << 14,
    VERB_SERVE = 1 << 15,
    VERB_BACKFILL = 1 << 16,
    VERB_EXPORT = 1 << 17,
    VERB_ALERTS = 1 << 18,
    VERB_LAKE = 1 << 19,
};

enum api_plan { PLAN_KEYLESS, PLAN_DEMO, PLAN_BASIC, PLAN_ANALYST, PLAN_LITE, PLAN_PRO };
/* OUTPUT_AUTO: export's alone; all others have OUTPUT_TABLE then. */
enum output_format {
    OUTPUT_TABLE,
    OUTPUT_CSV,
    OUTPUT_JSON,
    OUTPUT_JSONL,
    OUTPUT_PARQUET,
    OUTPUT_AUTO
};

/* What of the API a job fetches: id, CoinGecko's name, begin of the job's name, how often. */
#define CONFIG_ENDPOINTS(X)                    \
    X(MARKETS, "coins/markets", "markets", 30) \
    X(LIST, "coins/list", "coins-list", 3600)  \
    X(GLOBAL, "global", "global", 600)         \
    X(CURRENCIES, "simple/supported_vs_currencies", "vs-currencies", 3600)

enum job_endpoint {
#define ENDPOINT_ENUM(id, ...) ENDPOINT_##id,
    CONFIG_ENDPOINTS(ENDPOINT_ENUM) N_JOB_ENDPOINTS
#undef ENDPOINT_ENUM
};

/* One job: what to fetch and when. Its options are the same as flags and as keys in the file. */
struct job_config {
    char *name;   /* as the file calls it; NULL: made of the selection, see config_job_name() */
    int endpoint; /* enum job_endpoint */
    char *vs;     /* this and all down to category: of coins/markets only */
    int64_t top;  /* 0: CONFIG_TOP unless something else selects; query: all */
    bool is_all;
    struct opt_list ids; /* sorted, without repetition */
    char *category;      /* empty: none; at most `top` of it unless that is 0 */
    bool is_inactive;    /* coins/list: the coins that are listed no more */
    int64_t every_us;    /* 0: run: as CONFIG_ENDPOINTS says, once: now */
    char *between;       /* "08:00-18:00", UTC; empty: always */
    char *adaptive;      /* "30s-10m"; empty: none, then every slot is polled */
    char *offpeak;       /* "22:00-06:00 1h Europe/Berlin"; empty: none */
    char *cron;          /* five fields; empty: none, then every holds */
    char *tz;            /* of cron, and of offpeak when it names none; empty: UTC */
    int64_t priority;    /* 0 … 9: who keeps slots longest when the budget is short */
};

struct config {
    const struct config_sources *sources; /* where all this came from: for a reload */
    char *config_file;                    /* that was read; empty: none */

    /* what to keep, and where */
    char *data; /* empty: ./data, or ./data-sim with --simulate */
    struct opt_list sinks;
    struct opt_list alerts; /* "CONDITION to CHANNEL": pipeline/alerts.h; hold secrets */
    char *seed_sink;        /* the URL that POSTGRES_… make, beside the default sinks; NULL: none */
    int64_t tape_keep_us;   /* 0: for ever */
    char *tape_ship;        /* an object store's URL; empty: none */
    int64_t retain_rows_us, retain_5m_us; /* in SQL stores; 0: for ever */
    int64_t tape_seal_level;
    bool is_gap_accepted;

    /* the API */
    char *api_url; /* empty: the plan's host */
    int api_plan;  /* enum api_plan */
    char *api_key;
    int64_t api_rate;       /* calls per minute; 0: by plan */
    char *api_budget;       /* "plan", "none" or a number: see config_budget() */
    int64_t api_budget_day; /* 1 … 31 */
    int64_t api_timeout_us;

    /* the job of the flags, the environment and the seed's names; of readers: what to read */
    struct job_config job;
    /* what to collect: that job, or those of the file; never none after config_load() */
    struct job_config *jobs;
    size_t n_jobs;
    size_t n_jobs_replaced; /* so many jobs of the file gave way to that one job */

    /* the process */
    char *listen;
    char *http_token;            /* empty: nobody may write */
    char *http_read_token;       /* empty, and no login: everybody may read */
    char *http_login;            /* "user:password" */
    bool is_upstream;            /* callers' requests may take calls */
    int64_t upstream_max_age_us; /* of answers to them, when they do not say otherwise */
    bool is_http_open;           /* that everybody may read is meant */
    struct opt_list http_hosts;
    char *http_tls_cert, *http_tls_key; /* files; empty: plain HTTP */
    int log_format;                     /* enum log_format */
    int log_level;                      /* enum log_level */
    char *log_file;
    int64_t stop_timeout_us;

    /* the simulator */
    bool is_simulated;
    int64_t sim_coins, sim_seed, sim_rate, sim_credits;
    int64_t speed; /* 0: simulator: 1; serve: the moment stands still */
    int sim_plan;  /* as the option's choices, and sim/plan.h, have them */
    struct opt_list sim_faults;

    /* reading */
    char *only_job;     /* --job */
    char *from;         /* the store's URL */
    char *at;           /* empty: now; simulate: the tape's first poll */
    char *first, *last; /* offsets; empty: no bound */
    char *columns;
    char *at_file;     /* empty: none */
    int output;        /* enum output_format */
    char *output_file; /* empty: stdout */
    bool has_headers;
    bool is_json, is_watching, is_healthcheck; /* status */
    bool is_offline;                           /* doctor */
    bool is_dry_run;                           /* import, tape prune, migrate, lake */

    /* upkeep of the tape */
    bool is_deep;
    int64_t level;   /* 0: tape_seal_level */
    int64_t keep_us; /* 0: tape_keep_us */

    /* loading and replaying */
    bool is_following, is_forced;
    char *since, *until; /* cmd/instant.h; empty: no bound */

    bool is_renaming_old; /* migrate */

    /* export */
    char *panel;          /* columns */
    char *universe;       /* "all", "top100" */
    int64_t max_stale_us; /* 0: any */

    /* backfill */
    struct opt_list granularity;
    bool is_ohlc, is_yes, is_gaps;

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

/* One of CoinGecko's plans: its figures are defaults, as they change; a key of a paid plan is asked
 * for its own. */
struct plan {
    const char *name, *url, *key_header;
    const char *key_path; /* what tells whether a key is good; NULL: there is none */
    uint32_t calls_per_minute;
    int64_t calls_per_month; /* 0: no such bound, or it depends */
};
const struct plan *config_plan(int api_plan);

#define CONFIG_TOP          250
#define CONFIG_MAX_JOBS     64
#define CONFIG_MAX_PRIORITY 9
#define CONFIG_PER_PAGE     250 /* CoinGecko's largest page */
#define CONFIG_SIM_RATE     600 /* nobody limits the built-in simulator */

/* CoinGecko's name of what it fetches. */
const char *config_endpoint(const struct job_config *job);

/* How many coins at most, 0: no bound; and what the grid is when nothing is said. */
int64_t config_top(const struct job_config *job);
int64_t config_interval_us(const struct job_config *job); /* of the grid, where one holds */
int64_t config_every_us(const struct job_config *job);    /* the shortest between two polls */

/* The slots of a job. ST_REJECT with the mend: hours, a zone or a cron line that are none, or in
 * which no slot lies. */
enum st config_grid(const struct job_config *job, struct grid *ret_grid, struct err *err) MUST_USE;

/* The shortest and the longest time between two polls of an adaptive job; 0 and 0 when it is none.
 * ST_REJECT with the mend. */
enum st config_adaptive(const struct job_config *job, int64_t *ret_least_us, int64_t *ret_most_us,
                        struct err *err) MUST_USE;

/* Neither off-peak hours nor a cron line. */
bool config_is_plain(const struct job_config *job);

/* Slots in so many days from a day of a sample on: that of a year, of which it is the day-th. */
#define CONFIG_SAMPLE_DAYS 365
int64_t config_slots(const struct job_config *job, int64_t day, int64_t days);

/* "every 30s between 08:00-18:00 UTC". */
void config_add_times(const struct job_config *job, struct buf *b);

/* Coins of coins/markets, and neither all, ids nor a category: the top ones. */
bool config_is_default_selection(const struct job_config *job);

/* Calls that one poll takes (of a sweep and of a category: about as many as there are coins today),
 * and the pace in calls a minute. */
int64_t config_pages(const struct job_config *job);
uint32_t config_rate(const struct config *config);

/* Calls that may be made in a billing period; 0: no bound, or one that /key tells. ST_REJECT, with
 * the mend, when api_budget is none of its forms. */
enum st config_budget(const struct config *config, int64_t *ret_calls, struct err *err) MUST_USE;

/* Whether any slot k * every of the UTC days lies in the hours of the job; *ret_next_us is the time
 * of the day of the first one at or after their begin. */
bool config_has_slot(const struct job_config *job, int64_t *ret_next_us);

/* Calls of a job in so many days, of the slots in its hours, rounded up: from this day of the
 * sample on, or in those of the year that have most. */
int64_t config_calls_from(const struct job_config *job, int64_t day, int64_t days);
int64_t config_calls(const struct job_config *job, int64_t days);

/* How the budget is shared out, by priority and then in equal parts of all slots. */
struct forecast_job {
    /* In the period of 30 days of a year that leaves it least: */
    int64_t calls;      /* of all its slots */
    double share;       /* of them that the budget leaves: 0 … 1 */
    int64_t kept;       /* polls that are left */
    int64_t apart_us;   /* what is then between two, on average; 0: none is left */
    int64_t fitting_us; /* every as long as this fits beside the others; 0: none does */
    bool is_starved;    /* it has slots, and in no period is a poll left */
};

struct forecast {
    int64_t budget; /* 0: no bound */
    int64_t calls;  /* of all slots, in the period of a year that has most */
    double days;    /* that it would last if no slot was left out; 30 when it fits */
    struct forecast_job jobs[CONFIG_MAX_JOBS];
};

void config_forecast(const struct config *config, struct forecast *ret_forecast);

/* What lies between two polls of a job at this moment; 0: it is not polled then. */
int64_t config_apart_us(const struct job_config *job, int64_t at_us);

/* The calls a minute that all jobs make together at the busiest time of a year, and when that
 * begins, by a sample: a moment for config_apart_us(). */
double config_calls_per_minute(const struct config *config, int64_t *ret_at_us);

/* The hours of --between in microseconds since midnight UTC: from included, to not; from beyond to:
 * over midnight; "" gives 0 and 0: always. ST_REJECT with the mend. */
enum st config_between(const char *text, int64_t *ret_from_us, int64_t *ret_to_us,
                       struct err *err) MUST_USE;

/* The name of the job's stream: the file's, or "markets-usd" for the default selection,
 * "markets-usd-top100", "-all", "-cat-<category>", "-cat-<category>-top100", "-ids-<8 hex>": FNV-1a
 * of the sorted list. Of other endpoints "coins-list", "coins-list-inactive", "global",
 * "vs-currencies". */
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
