/* What must fit together, and the forms that a table of options cannot say. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "config/parts.h"

#include "base/clock.h"

#include <stdio.h>

#define MAX_IDS      5000
#define MAX_ID       128 /* bytes; the longest of today has 70 */
#define MAX_KEY      200
#define MIN_TOKEN    16
#define MIN_PASSWORD 8

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
                       "\"%.80s\" is not ADDRESS:PORT; write 127.0.0.1:8080, or none", text);
    if (!str_to_i64(str_of(colon + 1), 0, 65535, &port))
        return err_set(err, ST_REJECT, "\"%.20s\" is not a port from 0 to 65535", colon + 1);
    struct str address = {text, (size_t)(colon - text)};
    if (address.len >= 2 && address.p[0] == '[' && address.p[address.len - 1] == ']')
        address = (struct str){address.p + 1, address.len - 2};
    if (address.len >= 64)
        return err_set(err, ST_REJECT, "an address of more than 63 bytes");
    snprintf(ret_address, 64, "%.*s", STR_ARG(address.len > 0 ? address : STR("0.0.0.0")));
    *ret_port = (int)port;
    return ST_OK;
}

/* Where the value of an option was given, in messages; of a job: in its part of the file. */
struct place {
    char text[256];
};

static struct place place_of(const struct config_read *read, const struct file_job *job,
                             const char *name)
{
    const struct setting *s = settings_find(job ? &job->settings : read->settings, name);
    struct place place;

    if (s)
        snprintf(place.text, sizeof(place.text), "%s", s->origin);
    else if (job)
        snprintf(place.text, sizeof(place.text), "%s.%s", job->origin, name);
    else
        snprintf(place.text, sizeof(place.text), "--%s", name);
    return place;
}

/* Something that ends up in a URL's query or a directory's name as it is. */
static bool is_currency(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9')))
            return false;
    return s.len >= 1 && s.len <= 15;
}

/* As tape/ takes it for a job. */
static bool is_name(struct str s)
{
    if (s.len == 0 || s.len > 63 || s.p[0] == '.' || s.p[0] == '-')
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-')
            return false;
    }
    return true;
}

/* Never shown when it is wrong: it may be, or hold, a key or a password. */
static void check_url(const struct config *config, const struct config_read *read)
{
    struct str url = str_of(config->api_url);
    const struct place place = place_of(read, NULL, "api-url");

    if (url.len == 0)
        return;
    if (config->is_simulated)
        opt_problem(read->problems, "%s and --simulate: one or the other", place.text);
    if (url.len > 500)
        opt_problem(read->problems, "%s: more than 500 bytes", place.text);
    else if (!str_starts(url, STR("http://")) && !str_starts(url, STR("https://")))
        opt_problem(read->problems,
                    "%s: not a URL of http or https; write https://api.coingecko.com/api/v3",
                    place.text);
    else if (memchr(url.p, '?', url.len) || memchr(url.p, '#', url.len) ||
             memchr(url.p, '@', url.len))
        opt_problem(read->problems,
                    "%s: a base URL has no query, fragment or user; write https://host/api/v3",
                    place.text);
}

/* A secret that goes into a header: never shown, not even when it is wrong. */
static void check_secret(const struct config_read *read, const char *name, const char *value,
                         size_t min)
{
    const struct place place = place_of(read, NULL, name);
    struct str secret = str_of(value);

    if (secret.len > MAX_KEY)
        opt_problem(read->problems, "%s: more than %d bytes; copy it again", place.text, MAX_KEY);
    else if (secret.len > 0 && secret.len < min)
        opt_problem(read->problems,
                    "%s: less than %zu characters can be guessed; openssl rand -hex 16 makes a "
                    "good one",
                    place.text, min);
    for (size_t i = 0; i < secret.len; i++)
        if ((unsigned char)secret.p[i] <= ' ' || (unsigned char)secret.p[i] >= 0x7F) {
            opt_problem(read->problems,
                        "%s: holds a space, a control character or is not ASCII; copy it again",
                        place.text);
            break;
        }
}

static void check_plan(const struct config *config, const struct config_read *read)
{
    bool has_key = config->api_key[0] != '\0';

    if (config->api_plan == PLAN_KEYLESS && has_key)
        opt_problem(read->problems,
                    "%s: a key needs its plan; add --api-plan demo (or pro, for any paid one)",
                    place_of(read, NULL, "api-key").text);
    if (config->api_plan != PLAN_KEYLESS && !has_key && !config->is_simulated)
        opt_problem(read->problems, "%s %s: needs a key; set GECKOTAPE_API_KEY",
                    place_of(read, NULL, "api-plan").text, config_plan(config->api_plan)->name);
}

/* What is not said of an endpoint has no meaning there: it would be taken for heeded. */
static void check_endpoint(const struct job_config *job, const struct file_job *file,
                           const struct config_read *read)
{
    static const char *const of_markets[] = {"vs", "top", "all", "ids", "category"};
    const struct settings *settings = file ? &file->settings : read->settings;

    for (size_t i = 0; i < sizeof(of_markets) / sizeof(of_markets[0]); i++)
        if (job->endpoint != ENDPOINT_MARKETS && settings_find(settings, of_markets[i]))
            opt_problem(read->problems,
                        "%s: of coins/markets only, and the job is of %s; leave it out",
                        place_of(read, file, of_markets[i]).text, config_endpoint(job));
    if (job->is_inactive && job->endpoint != ENDPOINT_LIST)
        opt_problem(read->problems, "%s: of coins/list only, and the job is of %s; add %s",
                    place_of(read, file, "inactive").text, config_endpoint(job),
                    file ? "endpoint: coins/list" : "--endpoint coins/list");
}

static void check_selection(const struct job_config *job, const struct file_job *file,
                            const struct config_read *read)
{
    const struct {
        const char *name;
        bool is_given;
    } ways[] = {{"all", job->is_all}, {"ids", job->ids.n > 0}, {"category", job->category[0]}};
    const char *first = NULL;

    for (size_t i = 0; i < 3; i++) {
        if (ways[i].is_given && first)
            opt_problem(read->problems, "%s and %s: one or the other",
                        place_of(read, file, first).text, ways[i].name);
        first = ways[i].is_given ? ways[i].name : first;
    }
    if (job->top > 0 && (job->is_all || job->ids.n > 0))
        opt_problem(read->problems, "%s and top: one or the other",
                    place_of(read, file, first).text);
    if (job->ids.n > MAX_IDS)
        opt_problem(read->problems, "%s: more than %d; take --all, or several jobs",
                    place_of(read, file, "ids").text, MAX_IDS);
    for (size_t i = 0; i < job->ids.n; i++)
        if (strlen(job->ids.items[i]) > MAX_ID || strchr(job->ids.items[i], ',')) {
            opt_problem(read->problems, "%s: \"%.60s\" is no id of a coin; write bitcoin,ethereum",
                        place_of(read, file, "ids").text, job->ids.items[i]);
            break;
        }
    if (job->category[0] && !is_name(str_of(job->category)))
        opt_problem(read->problems,
                    "%s: \"%.60s\" is no id of a category; write it like layer-1 or "
                    "decentralized-finance-defi",
                    place_of(read, file, "category").text, job->category);
}

/* False: what is wrong is told. */
static bool check_adaptive(const struct job_config *job, const struct file_job *file,
                           const struct config_read *read)
{
    const struct place place = place_of(read, file, "adaptive");
    const char *other = job->every_us != 0 ? "every" : job->cron[0] ? "cron" : NULL;
    struct err err = ERR_INIT;
    int64_t least_us, most_us;

    if (job->adaptive[0] == '\0')
        return true;
    if (other)
        opt_problem(read->problems, "%s and %s: one or the other", place.text, other);
    else if (config_adaptive(job, &least_us, &most_us, &err) != ST_OK)
        opt_problem(read->problems, "%s: %s", place.text, err.msg);
    else
        return true;
    return false;
}

static void check_hours(const struct job_config *job, const struct file_job *file,
                        const struct config_read *read)
{
    const struct place place = place_of(read, file, "between");
    struct err err = ERR_INIT;
    int64_t from_us, to_us, next_us;
    char every[TIME_TEXT];

    struct grid grid;

    if (!check_adaptive(job, file, read))
        return;
    if (!config_is_plain(job)) {
        const bool is_cron = job->cron[0] != '\0';
        if (is_cron && job->offpeak[0])
            opt_problem(read->problems, "%s and offpeak: one or the other",
                        place_of(read, file, "cron").text);
        else if (is_cron && job->every_us != 0)
            opt_problem(read->problems, "%s and every: one or the other",
                        place_of(read, file, "cron").text);
        else if (config_grid(job, &grid, &err) != ST_OK)
            opt_problem(read->problems, "%s: %s",
                        place_of(read, file, is_cron ? "cron" : "offpeak").text, err.msg);
        return;
    }
    if (job->tz[0])
        opt_problem(read->problems, "%s: of cron and offpeak only; leave it out",
                    place_of(read, file, "tz").text);
    if (config_between(job->between, &from_us, &to_us, &err) != ST_OK) {
        opt_problem(read->problems, "%s: %s", place.text, err.msg);
    } else if (!config_has_slot(job, &next_us)) {
        duration_format(config_every_us(job), every);
        opt_problem(read->problems,
                    "%s: no poll of every %s falls in %.40s, the next one is at %02d:%02d UTC; let "
                    "the hours hold it, or poll more often",
                    place.text, every, job->between, (int)(next_us / (3600 * US_PER_S)),
                    (int)(next_us / (60 * US_PER_S) % 60));
    }
}

static void check_job(const struct job_config *job, const struct file_job *file,
                      const struct config_read *read)
{
    char name[64];

    if (!is_currency(str_of(job->vs)))
        opt_problem(read->problems,
                    "%s: \"%.60s\" is not a currency; write it like usd, eur or btc",
                    place_of(read, file, "vs").text, job->vs);
    check_endpoint(job, file, read);
    check_selection(job, file, read);
    check_hours(job, file, read);
    config_job_name(job, name);
    if (file && !is_name(str_of(file->name)))
        opt_problem(
            read->problems,
            "%s: cannot be a job's name; up to 63 of a-z 0-9 . _ -, not beginning with . or -",
            file->origin);
    else if (!file && strlen(name) == 63)
        opt_problem(read->problems,
                    "%s: too long for the name of a job; name one under jobs: in "
                    "the file",
                    place_of(read, NULL, "category").text);
}

static void pace_of_one(const struct config *config, const struct config_read *read, int64_t at_us)
{
    const struct file_job *file = read->jobs.n > 0 ? &read->jobs.all[0] : NULL;
    const struct job_config *job = &config->jobs[0];
    char what[64] = "", wanted[TIME_TEXT], fitting[TIME_TEXT];
    uint32_t rate = config_rate(config);
    int64_t calls = config_pages(job), minutes = (calls + rate - 1) / rate;

    const int64_t apart_us = config_apart_us(job, at_us);
    duration_format(apart_us, wanted);
    duration_format(minutes * 60 * US_PER_S, fitting);
    if (file == NULL && config_is_default_selection(job))
        snprintf(what, sizeof(what), "--top %lld --every %s", (long long)config_top(job), wanted);
    else if (file == NULL)
        snprintf(what, sizeof(what), "--every %s", wanted);
    opt_problem(read->problems,
                "%s: a poll takes %lld calls, every %s, and the pace is %u calls a minute; %s %s "
                "fits, or a plan with a higher --api-rate",
                file ? file->origin : what, (long long)calls, wanted, rate,
                job->cron[0]                          ? "a line whose times are apart by"
                : apart_us != config_interval_us(job) ? "an off-peak interval of"
                                                      : "--every",
                fitting);
}

/* Polls that cannot end before the next ones begin would only ever miss slots. */
static void check_pace(const struct config *config, const struct config_read *read)
{
    struct buf list = BUF_INIT(400);
    char every[TIME_TEXT], name[64];
    uint32_t rate = config_rate(config);
    int64_t at_us;
    double calls = config_calls_per_minute(config, &at_us);

    if (calls <= rate * 1.000001)
        return;
    if (config->n_jobs == 1) {
        pace_of_one(config, read, at_us);
        return;
    }
    for (size_t i = 0; i < config->n_jobs && list.len + 120 < list.max; i++) {
        const int64_t apart_us = config_apart_us(&config->jobs[i], at_us);
        if (apart_us == 0)
            continue;
        config_job_name(&config->jobs[i], name);
        duration_format(apart_us, every);
        buf_addf(&list, "%s%s (%lld call%s every %s)", list.len > 0 ? ", " : "", name,
                 (long long)config_pages(&config->jobs[i]),
                 config_pages(&config->jobs[i]) == 1 ? "" : "s", every);
    }
    opt_problem(
        read->problems,
        "%s: %s together make %.1f calls a minute, and the pace is %u; make every of them %.1f "
        "times as long, have fewer jobs, or a plan with a higher --api-rate",
        read->jobs.all[0].origin, buf_z(&list), calls, rate, calls / rate);
    buf_release(&list);
}

/* A job of which the budget leaves nothing would never be polled: that is none. */
static void check_starved(const struct config *config, const struct config_read *read,
                          const struct forecast *f, size_t i)
{
    const struct job_config *job = &config->jobs[i];
    const char *place = read->jobs.n > 0 ? read->jobs.all[i].origin : "--every";
    char name[64], fitting[TIME_TEXT];

    config_job_name(job, name);
    if (config_pages(job) > f->budget) {
        opt_problem(read->problems,
                    "%s: one poll of %s takes %lld calls, and the budget is %lld; select fewer "
                    "coins, or raise api.budget",
                    place, name, (long long)config_pages(job), (long long)f->budget);
        return;
    }
    duration_format(f->jobs[i].fitting_us, fitting);
    opt_problem(read->problems,
                "%s: the budget of %lld calls leaves no poll of %s: jobs of its priority and above "
                "take them; %s%s, or give it a higher priority",
                place, (long long)f->budget, name,
                f->jobs[i].fitting_us > 0 ? "all fit with every as many times as long, here "
                                          : "have fewer jobs",
                f->jobs[i].fitting_us > 0 ? fitting : "");
}

/* One that is none would be taken for no bound. */
static void check_budget_form(const struct config *config, const struct config_read *read)
{
    struct err err = ERR_INIT;
    int64_t budget;

    if (config_budget(config, &budget, &err) != ST_OK)
        opt_problem(read->problems, "%s: %s", place_of(read, NULL, "api-budget").text, err.msg);
}

/* The pace fits, but what a plan gives for a month does not last: slots will be left out. */
static void check_budget(const struct config *config, const struct config_read *read)
{
    struct forecast f;
    size_t n = read->problems->n;
    char fitting[TIME_TEXT] = "";

    config_forecast(config, &f);
    if (f.budget == 0)
        return;
    for (size_t i = 0; i < config->n_jobs; i++)
        if (f.jobs[i].is_starved || config_pages(&config->jobs[i]) > f.budget)
            check_starved(config, read, &f, i);
    if (f.calls <= f.budget || read->problems->n > n)
        return;
    if (config->n_jobs == 1 && f.jobs[0].fitting_us > 0)
        duration_format(f.jobs[0].fitting_us, fitting);
    const bool is_plan = strcmp(config->api_budget, "plan") == 0;
    opt_warning(
        read->problems,
        "%s: a period of 30 days has %lld calls, and all slots of the jobs make %lld, which "
        "would last %.1f days: only one slot in %.1f is polled; %s%s fits whole",
        place_of(read, NULL, is_plan ? "api-plan" : "api-budget").text, (long long)f.budget,
        (long long)f.calls, f.days, (double)f.calls / (double)f.budget, fitting[0] ? "every " : "",
        fitting[0] ? fitting : "polling more rarely");
}

static void check_listen(const struct config *config, const struct config_read *read)
{
    struct err err = ERR_INIT;
    char address[64];
    int port;

    if (config_listen(config->listen, address, &port, &err) != ST_OK)
        opt_problem(read->problems, "%s: %s", place_of(read, NULL, "listen").text, err.msg);
}

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

static void check_login(const struct config *config, const struct config_read *read)
{
    const char *colon = strchr(config->http_login, ':');
    const struct place place = place_of(read, NULL, "http-login");

    check_secret(read, "http-login", config->http_login, 0);
    if (config->http_login[0] && (colon == NULL || colon == config->http_login))
        opt_problem(read->problems, "%s: is not USER:PASSWORD", place.text);
    else if (colon && strlen(colon + 1) < MIN_PASSWORD)
        opt_problem(read->problems, "%s: a password of less than %d characters can be guessed",
                    place.text, MIN_PASSWORD);
}

static void check_tls(const struct config *config, const struct config_read *read)
{
    if (!config->http_tls_cert[0] != !config->http_tls_key[0])
        opt_problem(
            read->problems, "%s: goes with %s only; name both files",
            place_of(read, NULL, config->http_tls_cert[0] ? "http-tls-cert" : "http-tls-key").text,
            config->http_tls_cert[0] ? "http.tls_key" : "http.tls_cert");
}

/* Reading is open where nothing else is said, so say where that is. */
static void check_exposure(const struct config *config, const struct config_read *read)
{
    const bool has_secret = config->http_read_token[0] || config->http_login[0];
    struct err err = ERR_INIT;
    char address[64];
    int port;

    if (config_listen(config->listen, address, &port, &err) != ST_OK || port < 0 ||
        is_loopback(address) || config->is_http_open)
        return;
    if (!has_secret)
        opt_warning(read->problems,
                    "%s %s: whoever reaches this address can read all that is served; set "
                    "--http-login or --http-read-token, or --http-open where that is meant",
                    place_of(read, NULL, "listen").text, config->listen);
    else if (!config->http_tls_cert[0])
        opt_warning(read->problems,
                    "%s %s: without TLS the network reads logins and tokens along; set "
                    "--http-tls-cert and --http-tls-key, or listen on 127.0.0.1 behind a proxy",
                    place_of(read, NULL, "listen").text, config->listen);
}

static void check_only_job(const struct config *config, const struct config_read *read)
{
    struct buf list = BUF_INIT(600);
    bool is_there = false;
    char name[64];

    for (size_t i = 0; i < config->n_jobs; i++) {
        config_job_name(&config->jobs[i], name);
        is_there = is_there || strcmp(name, config->only_job) == 0;
        buf_addf(&list, "%s%s", i > 0 ? ", " : "", name);
    }
    if (config->only_job[0] && !is_there)
        opt_problem(read->problems, "%s: there is no job \"%.63s\"; there are %s",
                    place_of(read, NULL, "job").text, config->only_job, buf_z(&list));
    buf_release(&list);
}

void config_check(const struct config *config, const struct config_read *read)
{
    uint32_t verb = read->verb;
    bool is_whole = read->problems->n == 0; /* else what was not understood would be missed */

    if (verb & COLLECTING) {
        if (config->n_jobs > CONFIG_MAX_JOBS)
            opt_problem(read->problems,
                        "%s: more than %d jobs; take them together, or run two of us",
                        read->jobs.all[CONFIG_MAX_JOBS].origin, CONFIG_MAX_JOBS);
        for (size_t i = 0; i < config->n_jobs; i++)
            check_job(&config->jobs[i], read->jobs.n > 0 ? &read->jobs.all[i] : NULL, read);
        check_url(config, read);
        check_secret(read, "api-key", config->api_key, 0);
        if (is_whole)
            check_plan(config, read);
        check_secret(read, "http-token", config->http_token, MIN_TOKEN);
        check_budget_form(config, read);
    } else if (verb & VERB_ALERTS) {
        for (size_t i = 0; i < config->n_jobs; i++)
            check_job(&config->jobs[i], read->jobs.n > 0 ? &read->jobs.all[i] : NULL, read);
    } else if (verb & (VERB_QUERY | VERB_EXPORT | VERB_IMPORT)) {
        check_job(&config->job, NULL, read);
    }
    if ((verb & VERB_SERVE) && config->is_upstream) {
        check_url(config, read);
        check_budget_form(config, read);
        check_secret(read, "api-key", config->api_key, 0);
        if (is_whole)
            check_plan(config, read);
    }
    if (verb & (COLLECTING | VERB_SERVE)) {
        check_secret(read, "http-read-token", config->http_read_token, MIN_TOKEN);
        check_login(config, read);
        check_tls(config, read);
    }
    if (verb & VERB_ONCE)
        check_only_job(config, read);
    if ((verb & (VERB_RUN | VERB_EXTRACT | VERB_CHECK | VERB_DOCTOR)) && read->problems->n == 0)
        check_pace(config, read);
    if ((verb & (VERB_RUN | VERB_EXTRACT | VERB_CHECK | VERB_DOCTOR)) && read->problems->n == 0)
        check_budget(config, read);
    if (verb & (VERB_RUN | VERB_SIMULATE | VERB_CHECK | VERB_DOCTOR))
        check_listen(config, read);
    if (verb & (VERB_RUN | VERB_EXTRACT | VERB_CHECK | VERB_SERVE))
        check_exposure(config, read);
}
