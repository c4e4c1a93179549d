/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/setup.h"

#include "base/file.h"
#include "base/mem.h"
#include "load/sink.h"

#include <assert.h>
#include <stdio.h>
#include <unistd.h>

#define MAX_ATTEMPTS       5 /* per page and poll: with full jitter about 15 s */
#define CONNECT_TIMEOUT_US (10 * US_PER_S)
#define STALL_TIMEOUT_US   (15 * US_PER_S)
#define MINUTE_US          (60 * US_PER_S)
#define HOUR_US            (60 * MINUTE_US)
#define MAX_IDS_TEXT       ((size_t)4 * 1024 * 1024)

static int64_t at_most(int64_t value, int64_t ceiling)
{
    return value < ceiling ? value : ceiling;
}

void setup_api(const struct config *config, struct extract_api *ret_api)
{
    const struct plan *plan = config_plan(config->api_plan);
    const char *url = config->api_url[0] ? config->api_url : plan->url;
    struct err err = ERR_INIT;
    size_t len = strlen(url);
    int64_t calls = 0;

    *ret_api = (struct extract_api){
        .key_header = config->api_key[0] ? plan->key_header : NULL,
        .key_path = config->is_simulated ? NULL : plan->key_path, /* it takes any key */
        .calls_per_minute = config_rate(config),
        .is_pace_fixed = config->api_rate > 0,
        .is_budget_by_key = strcmp(config->api_budget, "plan") == 0,
        .budget_day = (int)config->api_budget_day,
        .connect_timeout_us = at_most(CONNECT_TIMEOUT_US, config->api_timeout_us),
        .stall_timeout_us = at_most(STALL_TIMEOUT_US, config->api_timeout_us),
        .total_timeout_us = config->api_timeout_us,
        .max_attempts = MAX_ATTEMPTS,
    };
    if (config_budget(config, &calls, &err) == ST_OK) /* config_check() has seen to that */
        ret_api->budget = (uint64_t)calls;
    while (len > 0 && url[len - 1] == '/')
        len--;
    snprintf(ret_api->base_url, sizeof(ret_api->base_url), "%.*s", (int)len, url);
    snprintf(ret_api->key, sizeof(ret_api->key), "%s", config->api_key);
}

void setup_copy_selection(const struct job_config *config, struct job_config *ret_selected)
{
    *ret_selected = (struct job_config){
        .endpoint = config->endpoint,
        .is_inactive = config->is_inactive,
        .top = config_top(config),
        .is_all = config->is_all,
        .category = mem_strdup(config->category ? config->category : ""),
        .ids = {.items = mem_new(config->ids.n, sizeof(char *)), .n = config->ids.n},
    };
    for (size_t i = 0; i < config->ids.n; i++)
        ret_selected->ids.items[i] = mem_strdup(config->ids.items[i]);
}

void setup_release_selection(struct job_config *selected)
{
    for (size_t i = 0; i < selected->ids.n; i++)
        mem_free(selected->ids.items[i]);
    mem_free(selected->ids.items);
    mem_free(selected->category);
    *selected = (struct job_config){.top = 0};
}

static enum selection_kind selection_of(const struct job_config *job)
{
    return job->endpoint != ENDPOINT_MARKETS   ? SELECT_WHOLE
           : job->is_all                       ? SELECT_ALL
           : job->ids.n > 0                    ? SELECT_IDS
           : job->category && job->category[0] ? SELECT_CATEGORY
                                               : SELECT_TOP;
}

/* FNV-1a, 64 bit. */
static uint64_t hash_of(struct str text)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.p[i]) * UINT64_C(1099511628211);
    return hash;
}

/* "ids=a,b"; a list too long for a stream's identity is told by its hash. */
static void write_ids(const struct opt_list *ids, char *ret_text, size_t size)
{
    struct buf list = BUF_INIT(MAX_IDS_TEXT);

    for (size_t i = 0; i < ids->n; i++)
        buf_addf(&list, "%s%s", i > 0 ? "," : "", ids->items[i]);
    if (list.len + sizeof("ids=") <= size)
        snprintf(ret_text, size, "ids=%s", buf_z(&list));
    else
        snprintf(ret_text, size, "ids#%016llx", (unsigned long long)hash_of(buf_str(&list)));
    buf_release(&list);
}

void setup_stream_id(const struct job_config *config, struct stream_id *ret_id)
{
    long long top = config_top(config);

    *ret_id = (struct stream_id){.job = ""};
    config_job_name(config, ret_id->job);
    snprintf(ret_id->endpoint, sizeof(ret_id->endpoint), "%s", config_endpoint(config));
    if (config->endpoint == ENDPOINT_MARKETS)
        snprintf(ret_id->vs_currency, sizeof(ret_id->vs_currency), "%s", config->vs);
    switch (selection_of(config)) {
    case SELECT_TOP:
        snprintf(ret_id->selection, sizeof(ret_id->selection), "top=%lld", top);
        break;
    case SELECT_ALL:
        snprintf(ret_id->selection, sizeof(ret_id->selection), "all");
        break;
    case SELECT_CATEGORY:
        if (top > 0)
            snprintf(ret_id->selection, sizeof(ret_id->selection), "category=%.200s&top=%lld",
                     config->category, top);
        else
            snprintf(ret_id->selection, sizeof(ret_id->selection), "category=%.200s",
                     config->category);
        break;
    case SELECT_IDS:
        write_ids(&config->ids, ret_id->selection, sizeof(ret_id->selection));
        break;
    case SELECT_CHART: /* of no job */
    case SELECT_WHOLE:
        snprintf(ret_id->selection, sizeof(ret_id->selection), "%s",
                 config->is_inactive ? "inactive" : "all");
        break;
    }
}

enum st setup_job(const struct job_config *config, const struct job_config *selected,
                  struct extract_job *job, struct err *err)
{
    struct buf times = BUF_INIT(sizeof(job->times) - 1);
    int64_t least_us, most_us;

    enum st st = config_grid(config, &job->grid, err);
    if (st == ST_OK)
        st = config_adaptive(config, &least_us, &most_us, err);
    if (st != ST_OK)
        return err_wrap(err, st, "job %s: ", job->id.job);
    job->selection = (struct selection){
        .kind = selection_of(selected),
        .top = (uint32_t)selected->top,
        .category = selected->category,
        .ids = (const char *const *)selected->ids.items,
        .n_ids = selected->ids.n,
        .is_inactive = selected->is_inactive,
    };
    config_add_times(config, &times);
    snprintf(job->times, sizeof(job->times), "%s", buf_z(&times));
    buf_release(&times);
    job->every_us = config_every_us(config);
    job->most_us = most_us;
    job->priority = (int)config->priority;
    job->calls = (uint32_t)config_pages(config);
    return ST_OK;
}

static void add_selection(struct buf *b, const struct selection *s)
{
    switch (s->kind) {
    case SELECT_TOP:
        buf_addf(b, "top %u", s->top);
        break;
    case SELECT_ALL:
        buf_add_z(b, "all");
        break;
    case SELECT_CATEGORY:
        if (s->top > 0)
            buf_addf(b, "top %u in %s", s->top, s->category);
        else
            buf_addf(b, "all in %s", s->category);
        break;
    case SELECT_IDS:
        buf_addf(b, "%zu id%s", s->n_ids, s->n_ids == 1 ? "" : "s");
        break;
    case SELECT_CHART: /* of no job */
    case SELECT_WHOLE:
        buf_add_z(b, s->is_inactive ? "inactive" : "all");
        break;
    }
}

void setup_status_job(const struct extract_job *job, struct status_job *ret_job)
{
    struct buf what = BUF_INIT(sizeof(ret_job->what) - 1);

    *ret_job = (struct status_job){
        .every_us = job->every_us,
        .from_us = job->grid.from_us,
        .to_us = job->grid.to_us,
    };
    snprintf(ret_job->name, sizeof(ret_job->name), "%s", job->id.job);
    snprintf(ret_job->vs_currency, sizeof(ret_job->vs_currency), "%s", job->id.vs_currency);
    add_selection(&what, &job->selection);
    buf_addf(&what, " of %s", job->id.endpoint);
    if (job->id.vs_currency[0])
        buf_addf(&what, " in %s", job->id.vs_currency);
    buf_addf(&what, ", %s", job->times);
    snprintf(ret_job->what, sizeof(ret_job->what), "%s", buf_z(&what));
    buf_release(&what);
}

int64_t setup_poll_budget_us(const struct config *config, const struct job_config *job)
{
    return config_pages(job) * MINUTE_US / config_rate(config) + 2 * MINUTE_US;
}

static enum st add_sink(struct str text, struct sink_url *urls, size_t *n, struct err *err)
{
    const struct sink_driver *driver;

    assert(urls != NULL);
    if (*n == STATUS_MAX_SINKS)
        return err_set(err, ST_REJECT, "more than %d sinks", STATUS_MAX_SINKS);
    enum st st = sink_url_parse(text, &urls[*n], err);
    if (st == ST_OK)
        st = sink_driver_find(str_of(urls[*n].scheme), &driver, err);
    if (st == ST_OK)
        st = driver->check(&urls[*n], err);
    for (size_t i = 0; st == ST_OK && i < *n; i++)
        if (strcmp(urls[i].text, urls[*n].text) == 0)
            st = err_set(err, ST_REJECT, "%s: given twice", urls[*n].shown);
    *n += st == ST_OK;
    return st;
}

void setup_check_sinks(const struct settings *settings, struct opt_problems *problems)
{
    const struct setting *wins = settings_find(settings, "sink");
    struct sink_url *urls = mem_new(STATUS_MAX_SINKS, sizeof(*urls));
    size_t n = 0;

    for (size_t i = 0; wins && i < settings->n; i++) {
        const struct setting *s = &settings->all[i];
        const bool is_variable = s->rank == RANK_DOTENV || s->rank == RANK_ENVIRONMENT;
        struct str rest = str_of(s->value), text;
        if (s->rank != wins->rank || strcmp(s->name, wins->name) != 0)
            continue;
        while (rest.len > 0) {
            struct err err = ERR_INIT;
            str_cut(&rest, is_variable ? ' ' : '\0', &text);
            if (text.len > 0 && add_sink(text, urls, &n, &err) != ST_OK)
                opt_problem(problems, "%s: %s", s->origin, err.msg);
        }
    }
    mem_free(urls);
}

enum st setup_sinks(const struct config *config, const char *data_dir, struct sink_url *ret_urls,
                    size_t *ret_n, struct err *err)
{
    static const char *const defaults[] = {"sqlite:%s/market.db", "json:%s?keep=1d"};
    char text[FILE_MAX_PATH];
    enum st st = ST_OK;

    *ret_n = 0;
    for (size_t i = 0; st == ST_OK && i < config->sinks.n; i++)
        st = add_sink(str_of(config->sinks.items[i]), ret_urls, ret_n, err);
    for (size_t i = 0; st == ST_OK && config->sinks.n == 0 && i < 2; i++) {
        struct buf url = BUF_INIT(FILE_MAX_PATH - 1);
        struct str format = str_of(defaults[i]), head;
        str_cut(&format, '%', &head);
        buf_add_str(&url, head);
        /* the path of a URL: what would end or escape it is percent-encoded */
        for (const char *c = data_dir; *c; c++) {
            if (*c == '%' || *c == '?' || *c == '&' || *c == '#')
                buf_addf(&url, "%%%02X", (unsigned)*c);
            else
                buf_add_char(&url, *c);
        }
        buf_add(&url, format.p + 1, format.len - 1);
        st = buf_check(&url, "--data", err);
        snprintf(text, sizeof(text), "%s", buf_z(&url));
        buf_release(&url);
        if (st == ST_OK)
            st = add_sink(str_of(text), ret_urls, ret_n, err);
    }
    if (st != ST_OK)
        return err_wrap(err, st, "--sink: ");
    /* made-up data has no place in a database that was named for real data */
    if (config->sinks.n == 0 && config->seed_sink && !config->is_simulated) {
        st = add_sink(str_of(config->seed_sink), ret_urls, ret_n, err);
        if (st != ST_OK)
            return err_wrap(err, st, "POSTGRES_HOST and its like: ");
    }
    return ST_OK;
}

enum st setup_simulator(const struct config *config, struct sim_setup *setup, struct err *err)
{
    setup->n_coins = (uint32_t)config->sim_coins;
    setup->seed = (uint64_t)config->sim_seed;
    setup->speed = config->speed > 0 ? (uint32_t)config->speed : 1;
    setup->plan = &sim_plans[config->sim_plan];
    setup->calls_per_minute = (uint32_t)config->sim_rate;
    setup->credits_per_month = (uint64_t)config->sim_credits;
    if (config->sim_faults.n > SIM_MAX_FAULTS)
        return err_set(err, ST_REJECT, "--fault: more than %d", SIM_MAX_FAULTS);
    for (size_t i = 0; i < config->sim_faults.n; i++) {
        enum st st = fault_parse(str_of(config->sim_faults.items[i]), &setup->faults[i], err);
        if (st != ST_OK)
            return err_wrap(err, st, "--fault: ");
    }
    setup->n_faults = config->sim_faults.n;
    return ST_OK;
}

enum st setup_mark_simulated(const struct config *config, const char *data_dir, struct err *err)
{
    char marker[FILE_MAX_PATH], tape[FILE_MAX_PATH];

    enum st st = file_path(marker, err, "%s/SIMULATED", data_dir);
    if (st == ST_OK)
        st = file_path(tape, err, "%s/tape", data_dir);
    if (st != ST_OK)
        return st;
    bool is_marked = access(marker, F_OK) == 0, has_tape = access(tape, F_OK) == 0;
    if (!config->is_simulated && is_marked)
        return err_set(err, ST_REJECT,
                       "%s: holds simulated data; give --data another directory, or add --simulate",
                       data_dir);
    if (!config->is_simulated || is_marked)
        return ST_OK;
    if (has_tape)
        return err_set(err, ST_REJECT,
                       "%s: holds real data, simulated data may not mix with it; leave --data out "
                       "or name another",
                       data_dir);
    st = file_mkdirs(data_dir, err);
    if (st != ST_OK)
        return st;
    return file_replace(
        marker, STR("The data in this directory is made up by geckotape's simulator.\n"), err);
}

struct guard setup_guard(const struct config *config)
{
    return (struct guard){.token = config->http_token,
                          .read_token = config->http_read_token,
                          .login = config->http_login,
                          .hosts = (const char *const *)config->http_hosts.items,
                          .n_hosts = config->http_hosts.n};
}
