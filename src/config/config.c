/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include "base/clock.h"

#include <stddef.h>
#include <stdio.h>

#define AT(field) offsetof(struct config, field)
#define COLLECT   (VERB_RUN | VERB_ONCE)
#define DAY       (86400 * US_PER_S)

const struct opt_def config_options[] = {
    {.name = "data",
     .kind = OPT_TEXT,
     .metavar = "DIR",
     .fallback = "",
     .verbs = COLLECT | VERB_QUERY | VERB_TAPE,
     .help =
         "where the tape and the default sinks live (default: ./data, with --simulate ./data-sim)",
     .offset = AT(data)},
    {.name = "sink",
     .env_name = "sinks",
     .kind = OPT_LIST,
     .metavar = "URL",
     .verbs = COLLECT,
     .help = "where rows go; repeat it for several, it replaces the default sinks (default: "
             "sqlite:DATA/market.db and json:DATA?keep=1d)",
     .offset = AT(sinks)},
    {.name = "vs",
     .kind = OPT_TEXT,
     .metavar = "CURRENCY",
     .fallback = "usd",
     .verbs = COLLECT | VERB_QUERY,
     .help = "the currency prices are quoted in",
     .offset = AT(job.vs)},
    {.name = "top",
     .kind = OPT_INT,
     .metavar = "N",
     .min = 1,
     .max = 20000,
     .verbs = COLLECT | VERB_QUERY,
     .help = "this many coins, by market cap (default: 250; query: all)",
     .offset = AT(job.top)},
    {.name = "every",
     .kind = OPT_DURATION,
     .metavar = "TIME",
     .min = US_PER_S,
     .max = 7 * DAY,
     .verbs = COLLECT,
     .help = "how often to poll, on a fixed grid of UTC (run: default 30s; once: default now; with "
             "it, the present slot "
             "of the grid unless it is on the tape)",
     .offset = AT(job.every_us)},
    {.name = "api-url",
     .kind = OPT_TEXT,
     .metavar = "URL",
     .fallback = "",
     .verbs = COLLECT,
     .help = "base of the API, up to and with /api/v3 (default: CoinGecko's host of the plan)",
     .offset = AT(api_url)},
    {.name = "api-plan",
     .kind = OPT_CHOICE,
     .fallback = "keyless",
     .choices = "keyless|demo|pro",
     .verbs = COLLECT,
     .help = "which of CoinGecko's plans the key is of",
     .offset = AT(api_plan)},
    {.name = "api-key",
     .kind = OPT_TEXT,
     .metavar = "KEY",
     .fallback = "",
     .verbs = COLLECT,
     .is_secret = true,
     .help = "the key; better in GECKOTAPE_API_KEY or the file GECKOTAPE_API_KEY_FILE names, where "
             "ps does not show it",
     .offset = AT(api_key)},
    {.name = "api-rate",
     .kind = OPT_INT,
     .metavar = "N",
     .fallback = "0",
     .min = 0,
     .max = 100000,
     .verbs = COLLECT,
     .help =
         "at most N calls a minute, evenly paced (default: by plan: keyless 4, demo 60, pro 150)",
     .offset = AT(api_rate)},
    {.name = "api-timeout",
     .kind = OPT_DURATION,
     .metavar = "TIME",
     .fallback = "30s",
     .min = 100 * US_PER_MS,
     .max = 600 * US_PER_S,
     .verbs = COLLECT,
     .help = "how long one answer may take",
     .offset = AT(api_timeout_us)},
    {.name = "listen",
     .kind = OPT_TEXT,
     .metavar = "ADDR:PORT",
     .fallback = "127.0.0.1:8080",
     .verbs = VERB_RUN | VERB_SIMULATE,
     .help = "where the web page, the API, /healthz and /metrics are; none: nowhere",
     .offset = AT(listen)},
    {.name = "stop-timeout",
     .kind = OPT_DURATION,
     .metavar = "TIME",
     .fallback = "10s",
     .min = 0,
     .max = 600 * US_PER_S,
     .verbs = VERB_RUN,
     .help = "how long sinks may take to finish when stopping",
     .offset = AT(stop_timeout_us)},
    {.name = "job",
     .kind = OPT_TEXT,
     .metavar = "NAME",
     .fallback = "",
     .verbs = VERB_TAPE,
     .help = "only this job's stream",
     .offset = AT(only_job)},
    {.name = "from",
     .kind = OPT_TEXT,
     .metavar = "SINK",
     .fallback = "",
     .verbs = VERB_QUERY,
     .help = "the store, as sqlite:PATH (default: sqlite:DATA/market.db)",
     .offset = AT(from)},
    {.name = "first",
     .kind = OPT_TEXT,
     .metavar = "OFFSET",
     .fallback = "",
     .verbs = VERB_TAPE,
     .help = "cat: begin with this record",
     .offset = AT(first)},
    {.name = "last",
     .kind = OPT_TEXT,
     .metavar = "OFFSET",
     .fallback = "",
     .verbs = VERB_TAPE,
     .help = "cat: end with this record",
     .offset = AT(last)},
    {.name = "columns",
     .kind = OPT_TEXT,
     .metavar = "A,B,…",
     .fallback = "",
     .verbs = VERB_QUERY,
     .help = "these columns (default: a readable choice; all: every one)",
     .offset = AT(columns)},
    {.name = "format",
     .kind = OPT_CHOICE,
     .fallback = "table",
     .choices = "table|csv|json|jsonl",
     .verbs = VERB_QUERY,
     .help = "how to print rows",
     .offset = AT(output)},
    {.name = "headers",
     .kind = OPT_FLAG,
     .verbs = VERB_TAPE,
     .help = "cat: print each record's header as a line of JSON",
     .offset = AT(has_headers)},
    {.name = "simulate",
     .kind = OPT_FLAG,
     .verbs = COLLECT,
     .help =
         "collect from the built-in simulator instead of CoinGecko, in a data directory of its own",
     .offset = AT(is_simulated)},
    {.name = "coins",
     .kind = OPT_INT,
     .metavar = "N",
     .fallback = "1000",
     .min = 1,
     .max = 20000,
     .verbs = COLLECT | VERB_SIMULATE,
     .help = "simulator: this many coins",
     .offset = AT(sim_coins)},
    {.name = "seed",
     .kind = OPT_INT,
     .metavar = "N",
     .fallback = "1",
     .min = 0,
     .max = INT64_MAX,
     .verbs = COLLECT | VERB_SIMULATE,
     .help = "simulator: the same seed gives the same market",
     .offset = AT(sim_seed)},
    {.name = "speed",
     .kind = OPT_INT,
     .metavar = "N",
     .fallback = "1",
     .min = 1,
     .max = 1000000,
     .verbs = COLLECT | VERB_SIMULATE,
     .help = "simulator: the market moves N times faster",
     .offset = AT(sim_speed)},
    {.name = "limit",
     .kind = OPT_INT,
     .metavar = "N",
     .fallback = "0",
     .min = 0,
     .max = 1000000,
     .verbs = COLLECT | VERB_SIMULATE,
     .help = "simulator: answer 429 beyond N calls a minute (0: never)",
     .offset = AT(sim_rate)},
    {.name = "fault",
     .kind = OPT_LIST,
     .metavar = "SPEC",
     .verbs = COLLECT | VERB_SIMULATE,
     .help = "simulator: misbehave: 403 429 500 502 503 html cut truncate stall slow type empty "
             "nulls throttled, as "
             "KIND[:every=N][,from=N][,until=N]; "
             "repeatable",
     .offset = AT(sim_faults)},
    {.name = "log-level",
     .kind = OPT_CHOICE,
     .fallback = "info",
     .choices = "error|warn|info|debug",
     .is_reloadable = true,
     .verbs = COLLECT | VERB_SIMULATE,
     .help = "how much to log",
     .offset = AT(log_level)},
    {.name = "log-format",
     .kind = OPT_CHOICE,
     .fallback = "text",
     .choices = "text|json",
     .verbs = COLLECT | VERB_SIMULATE,
     .help = "lines for people or for machines",
     .offset = AT(log_format)},
    {.name = "log-file",
     .kind = OPT_TEXT,
     .metavar = "PATH",
     .fallback = "",
     .verbs = COLLECT | VERB_SIMULATE,
     .help = "also append the log to this file",
     .offset = AT(log_file)},
};

const size_t n_config_options = sizeof(config_options) / sizeof(config_options[0]);

const struct plan *config_plan(int api_plan)
{
    static const struct plan plans[] = {
        [PLAN_KEYLESS] = {"keyless", "https://api.coingecko.com/api/v3", NULL, 4},
        [PLAN_DEMO] = {"demo", "https://api.coingecko.com/api/v3", "x-cg-demo-api-key", 60},
        [PLAN_PRO] = {"pro", "https://pro-api.coingecko.com/api/v3", "x-cg-pro-api-key", 150},
    };
    return &plans[api_plan];
}

int64_t config_top(const struct job_config *job)
{
    return job->top ? job->top : CONFIG_TOP;
}

int64_t config_every_us(const struct job_config *job)
{
    return job->every_us ? job->every_us : CONFIG_EVERY_US;
}

int64_t config_pages(const struct job_config *job)
{
    return (config_top(job) + CONFIG_PER_PAGE - 1) / CONFIG_PER_PAGE;
}

void config_job_name(const struct job_config *job, char ret_name[64])
{
    if (config_top(job) == CONFIG_TOP)
        snprintf(ret_name, 64, "markets-%s", job->vs);
    else
        snprintf(ret_name, 64, "markets-%s-top%lld", job->vs, (long long)config_top(job));
}

uint32_t config_rate(const struct config *config)
{
    if (config->api_rate > 0)
        return (uint32_t)config->api_rate;
    return config->is_simulated ? CONFIG_SIM_RATE : config_plan(config->api_plan)->calls_per_minute;
}

enum st config_listen(const char *text, char ret_address[64], int *ret_port, struct err *err)
{
    struct str all = str_of(text);
    int64_t port;

    if (str_eq(all, STR("none"))) {
        *ret_port = -1;
        return ST_OK;
    }
    const char *colon = strrchr(text, ':');
    if (colon == NULL)
        return err_set(err, ST_REJECT,
                       "--listen: \"%s\" is not ADDRESS:PORT; write 127.0.0.1:8080, or none", text);
    if (!str_to_i64(str_of(colon + 1), 0, 65535, &port))
        return err_set(err, ST_REJECT, "--listen: \"%s\" is not a port from 0 to 65535", colon + 1);
    struct str address = {text, (size_t)(colon - text)};
    if (address.len >= 2 && address.p[0] == '[' && address.p[address.len - 1] == ']')
        address = (struct str){address.p + 1, address.len - 2};
    if (address.len >= 64)
        return err_set(err, ST_REJECT, "--listen: an address of more than 63 bytes");
    snprintf(ret_address, 64, "%.*s", STR_ARG(address.len > 0 ? address : STR("0.0.0.0")));
    *ret_port = (int)port;
    return ST_OK;
}

/* Something that would end up in a URL's query or a directory's name as it is. */
static bool is_currency(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9')))
            return false;
    return s.len >= 1 && s.len <= 15;
}

static void check_api(const struct config *config, struct opt_problems *problems)
{
    struct str url = str_of(config->api_url), key = str_of(config->api_key);
    bool has_url = url.len > 0;

    if (has_url && !str_starts(url, STR("http://")) && !str_starts(url, STR("https://")))
        opt_problem(problems,
                    "--api-url: \"%.*s\" is not a URL; write https://api.coingecko.com/api/v3",
                    STR_ARG(url));
    else if (has_url && (memchr(url.p, '?', url.len) || memchr(url.p, '#', url.len) ||
                         memchr(url.p, '@', url.len)))
        opt_problem(
            problems,
            "--api-url: a base URL has no query, fragment or user; write https://host/api/v3");
    else if (url.len > 500)
        opt_problem(problems, "--api-url: more than 500 bytes");
    if (has_url && config->is_simulated)
        opt_problem(problems, "--api-url and --simulate: one or the other");
    if (config->api_plan == PLAN_KEYLESS && key.len > 0)
        opt_problem(problems, "--api-key: a key needs its plan; add --api-plan demo (or pro)");
    if (config->api_plan != PLAN_KEYLESS && key.len == 0 && !config->is_simulated)
        opt_problem(problems, "--api-plan %s: needs a key; set GECKOTAPE_API_KEY",
                    config_plan(config->api_plan)->name);
    for (size_t i = 0; i < key.len; i++)
        if ((unsigned char)key.p[i] <= ' ' || (unsigned char)key.p[i] >= 0x7F) {
            opt_problem(problems, "--api-key: holds a space or a control character; copy it again");
            break;
        }
    if (key.len > 200)
        opt_problem(problems, "--api-key: more than 200 bytes; copy it again");
}

/* A poll that cannot end before the next one begins would only ever miss slots. */
static void check_pace(const struct config *config, struct opt_problems *problems)
{
    int64_t calls = config_pages(&config->job), every_us = config_every_us(&config->job);
    uint32_t rate = config_rate(config);
    char wanted[TIME_TEXT], fitting[TIME_TEXT];

    if (calls * 60 * US_PER_S <= every_us * rate)
        return;
    int64_t minutes = (calls + rate - 1) / rate;
    duration_format(every_us, wanted);
    duration_format(minutes * 60 * US_PER_S, fitting);
    opt_problem(
        problems,
        "--top %lld --every %s: a poll takes %lld calls, and the pace is %u calls a minute; "
        "--every %s fits, or a plan with a higher --api-rate",
        (long long)config_top(&config->job), wanted, (long long)calls, rate, fitting);
}

void config_check(const struct config *config, uint32_t verb, struct opt_problems *problems)
{
    struct err err = ERR_INIT;
    char address[64];
    int port;

    if ((verb & (VERB_RUN | VERB_ONCE | VERB_QUERY)) && !is_currency(str_of(config->job.vs)))
        opt_problem(problems, "--vs: \"%s\" is not a currency; write it like usd, eur or btc",
                    config->job.vs);
    if (verb & (VERB_RUN | VERB_ONCE))
        check_api(config, problems);
    if (verb & VERB_RUN)
        check_pace(config, problems);
    if ((verb & (VERB_RUN | VERB_SIMULATE)) &&
        config_listen(config->listen, address, &port, &err) != ST_OK)
        opt_problem(problems, "%s", err.msg);
}
