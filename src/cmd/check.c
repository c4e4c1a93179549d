/* geckotape check: what a configuration comes to, and where each setting comes from. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/cmd.h"

#include "base/clock.h"
#include "base/mem.h"
#include "pipeline/alerts.h"
#include "pipeline/setup.h"
#include "status/render.h"

#include <stdio.h>

#define MAX_OUTPUT ((size_t)4 * 1024 * 1024)
#define MAX_SHOWN  60 /* bytes of a value in the table */

struct report {
    const struct config *config;
    const struct settings *settings;
    const struct sink_url *sinks;
    size_t n_sinks;
    const struct alerts *alerts; /* NULL: none */
};

/* ---- what there is to say ---- */

/* "top 250 in usd", "3 ids in btc", "coins/list". */
static void add_what(struct buf *b, const struct job_config *job)
{
    if (job->endpoint != ENDPOINT_MARKETS) {
        buf_addf(b, "%s%s", job->is_inactive ? "inactive of " : "", config_endpoint(job));
        return;
    }
    if (job->is_all)
        buf_add_z(b, "all coins");
    else if (job->ids.n > 0)
        buf_addf(b, "%zu id%s", job->ids.n, job->ids.n == 1 ? "" : "s");
    else if (job->category[0] && job->top > 0)
        buf_addf(b, "top %lld of %s", (long long)job->top, job->category);
    else if (job->category[0])
        buf_addf(b, "category %s", job->category);
    else
        buf_addf(b, "top %lld", (long long)config_top(job));
    buf_addf(b, " in %s", job->vs);
}

static void add_duration(struct buf *b, int64_t us)
{
    char text[TIME_TEXT];

    duration_format(us, text);
    buf_add_z(b, text);
}

static void add_url(struct buf *b, const struct config *config)
{
    if (config->is_simulated)
        buf_add_z(b, "the simulator");
    else
        buf_add_z(b, config->api_url[0] ? config->api_url : config_plan(config->api_plan)->url);
}

/* The value of an option as it takes effect: what is left empty is computed. */
static void add_value(struct buf *b, const struct report *report, const struct opt_def *def)
{
    const struct config *config = report->config;

    if (strcmp(def->name, "data") == 0)
        buf_add_z(b, cmd_data_dir(config));
    else if (strcmp(def->name, "api-url") == 0)
        add_url(b, config);
    else if (strcmp(def->name, "api-rate") == 0)
        buf_add_i64(b, config_rate(config));
    else if (strcmp(def->name, "top") == 0 && config_top(&config->job) > 0)
        buf_add_i64(b, config_top(&config->job));
    else if (strcmp(def->name, "every") == 0)
        add_duration(b, config_every_us(&config->job));
    else if (strcmp(def->name, "sink") == 0)
        for (size_t i = 0; i < report->n_sinks; i++)
            buf_addf(b, "%s%s", i > 0 ? " " : "", report->sinks[i].shown);
    else if (strcmp(def->name, "alert") != 0)
        opts_add_value(def, config, b);
    else if (config->alerts.n > 0)
        buf_addf(b, "%zu", config->alerts.n); /* they hold secrets */
}

/* "geckotape.yaml:3", ".env:2: GECKOTAPE_TOP", "GECKOTAPE_TOP", "--top". */
static void add_origin(struct buf *b, const struct setting *s)
{
    struct str origin = str_of(s ? s->origin : "default");
    const char *end = s && s->rank == RANK_FILE ? strstr(s->origin, ": ") : NULL;

    if (end)
        origin.len = (size_t)(end - origin.p);
    buf_add_str(b, origin);
}

typedef void add_setting(struct buf *b, const char *name, struct str value, struct str origin);

/* Every setting with its value and origin; those of the file's jobs as they were written. */
static void add_settings(struct buf *b, const struct report *report, add_setting *add)
{
    const struct settings *settings = report->settings;
    bool has_file_jobs = report->config->jobs[0].name != NULL;
    struct buf value = BUF_INIT(MAX_OUTPUT), origin = BUF_INIT(MAX_OUTPUT);

    for (size_t i = has_file_jobs ? n_config_job_options : 0; i < n_config_options; i++) {
        const struct opt_def *def = &config_options[i];
        if (!(def->verbs & VERB_CHECK) || strcmp(def->name, "format") == 0)
            continue;
        buf_clear(&value);
        buf_clear(&origin);
        add_value(&value, report, def);
        add_origin(&origin, settings_find(settings, def->name));
        add(b, def->path ? def->path : def->name, buf_str(&value), buf_str(&origin));
    }
    for (size_t i = 0; i < settings->n; i++) {
        const struct setting *s = &settings->all[i];
        if (strncmp(s->name, "jobs.", 5) != 0)
            continue;
        buf_clear(&origin);
        add_origin(&origin, s);
        add(b, s->name, str_of(s->value), buf_str(&origin));
    }
    buf_release(&value);
    buf_release(&origin);
}

/* ---- as a table ---- */

static void add_cell(struct buf *b, struct str text, size_t width)
{
    size_t at = b->len;

    buf_add_clean(b, text, MAX_SHOWN);
    size_t n = b->len - at;
    buf_addf(b, "%*s", n < width ? (int)(width - n) : 0, "");
}

static void add_setting_row(struct buf *b, const char *name, struct str value, struct str origin)
{
    buf_add_z(b, "  ");
    add_cell(b, str_of(name), 18);
    buf_add_z(b, "  ");
    add_cell(b, value.len > 0 ? value : STR("-"), 40);
    buf_add_z(b, "  ");
    buf_add_clean(b, origin, MAX_OUTPUT);
    buf_add_char(b, '\n');
}

/* "; the budget leaves one slot in 8.6, about every 4m 19s". */
static void add_share(struct buf *b, const struct forecast_job *of)
{
    if (of->share >= 1)
        return;
    buf_addf(b, "; the budget leaves %lld polls, one slot in %.1f, about every ",
             (long long)of->kept, 1 / of->share);
    status_add_span(b, of->apart_us);
}

static void add_job_row(struct buf *b, const struct job_config *job, const struct forecast_job *of)
{
    struct buf what = BUF_INIT(256);
    char name[64];

    config_job_name(job, name);
    add_what(&what, job);
    buf_addf(b, "  %-20s  %s, ", name, buf_z(&what));
    config_add_times(job, b);
    buf_addf(b, ": %s%s%lld call%s a poll, %lld a day, %lld a month",
             job->adaptive[0] ? "at most " : "", job->is_all || job->category[0] ? "about " : "",
             (long long)config_pages(job), config_pages(job) == 1 ? "" : "s",
             (long long)config_calls(job, 1), (long long)config_calls(job, 30));
    add_share(b, of);
    buf_add_char(b, '\n');
    buf_release(&what);
}

static void add_budget(struct buf *b, const struct config *config, const struct forecast *f)
{
    if (f->budget == 0) {
        buf_addf(b, "budget\n  no bound%s\n",
                 config->api_plan == PLAN_KEYLESS && strcmp(config->api_budget, "plan") == 0
                     ? ": calls without a key are not counted by the month"
                 : strcmp(config->api_budget, "plan") == 0 ? " known: the API tells at the start"
                                                           : "");
        return;
    }
    buf_addf(b,
             "budget\n  %lld calls a period, which begins on day %lld of the month; all slots "
             "make %lld in 30 days: ",
             (long long)f->budget, (long long)config->api_budget_day, (long long)f->calls);
    if (f->calls <= f->budget)
        buf_add_z(b, "fits\n");
    else
        buf_addf(b,
                 "they would last %.1f days, so slots are left out, those of the lowest "
                 "priority first\n",
                 f->days);
}

static void add_table(struct buf *b, const struct report *report)
{
    const struct config *config = report->config;
    const char *file = config->config_file;
    int64_t at_us;
    double calls = config_calls_per_minute(config, &at_us);
    struct forecast f;

    config_forecast(config, &f);
    buf_addf(b, "file\n  %s\n",
             file[0] ? file : "none: no geckotape.yaml here nor in /etc/geckotape");
    buf_add_z(b, "jobs\n");
    for (size_t i = 0; i < config->n_jobs; i++)
        add_job_row(b, &config->jobs[i], &f.jobs[i]);
    if (config->n_jobs_replaced > 0)
        buf_addf(b, "  (in place of the %zu of the file)\n", config->n_jobs_replaced);
    buf_add_z(b, "sinks\n");
    for (size_t i = 0; i < report->n_sinks; i++)
        buf_addf(b, "  %s\n", report->sinks[i].shown);
    if (report->alerts)
        buf_add_z(b, "alerts\n");
    for (size_t i = 0; report->alerts && i < alerts_count(report->alerts); i++) {
        const struct alert *alert = alerts_at(report->alerts, i);
        buf_addf(b, "  %s: job %s, to %s\n", alert->rule.when, alert->rule.job, alert->to.shown);
    }
    buf_add_z(b, "api\n  ");
    add_url(b, config);
    buf_addf(b, ", %s: at most %u calls a minute, the jobs make %.1f: fits\n",
             config_plan(config->api_plan)->name, config_rate(config), calls);
    add_budget(b, config, &f);
    buf_addf(b, "data\n  %s\nsettings\n", cmd_data_dir(config));
    add_settings(b, report, add_setting_row);
}

/* ---- as JSON ---- */

static void add_setting_json(struct buf *b, const char *name, struct str value, struct str origin)
{
    bool is_first = b->len > 0 && b->p[b->len - 1] == '[';

    buf_add_z(b, is_first ? "\n  {\"name\": " : ",\n  {\"name\": ");
    buf_add_json_str(b, str_of(name));
    buf_add_z(b, ", \"value\": ");
    buf_add_json_str(b, value);
    buf_add_z(b, ", \"origin\": ");
    buf_add_json_str(b, origin);
    buf_add_char(b, '}');
}

static void add_job_json(struct buf *b, const struct job_config *job, const struct forecast_job *of)
{
    struct buf what = BUF_INIT(256);
    char name[64], every[TIME_TEXT];

    config_job_name(job, name);
    duration_format(config_every_us(job), every);
    add_what(&what, job);
    buf_addf(b, "\n  {\"name\": \"%s\", \"what\": ", name);
    buf_add_json_str(b, buf_str(&what));
    buf_addf(b, ", \"every\": \"%s\", \"between\": ", every);
    buf_add_json_str(b, str_of(job->between));
    buf_add_z(b, ", \"cron\": ");
    buf_add_json_str(b, str_of(job->cron));
    buf_add_z(b, ", \"adaptive\": ");
    buf_add_json_str(b, str_of(job->adaptive));
    buf_add_z(b, ", \"offpeak\": ");
    buf_add_json_str(b, str_of(job->offpeak));
    buf_addf(b,
             ", \"priority\": %lld, \"calls_per_poll\": %lld, \"calls_per_day\": %lld, "
             "\"calls_per_month\": %lld, \"polls_kept\": %lld, \"share\": %.4f}",
             (long long)job->priority, (long long)config_pages(job),
             (long long)config_calls(job, 1), (long long)config_calls(job, 30), (long long)of->kept,
             of->share);
    buf_release(&what);
}

static void add_json(struct buf *b, const struct report *report)
{
    const struct config *config = report->config;
    struct buf url = BUF_INIT(1024);
    struct forecast f;
    int64_t at_us;

    config_forecast(config, &f);

    buf_add_z(b, "{\"file\": ");
    buf_add_json_str(b, str_of(config->config_file));
    buf_add_z(b, ",\n \"jobs\": [");
    for (size_t i = 0; i < config->n_jobs; i++) {
        buf_add_z(b, i > 0 ? "," : "");
        add_job_json(b, &config->jobs[i], &f.jobs[i]);
    }
    buf_addf(b, "],\n \"jobs_replaced\": %zu,\n \"sinks\": [", config->n_jobs_replaced);
    for (size_t i = 0; i < report->n_sinks; i++) {
        buf_add_z(b, i > 0 ? ", " : "");
        buf_add_json_str(b, str_of(report->sinks[i].shown));
    }
    buf_add_z(b, "],\n \"alerts\": [");
    for (size_t i = 0; report->alerts && i < alerts_count(report->alerts); i++) {
        const struct alert *alert = alerts_at(report->alerts, i);
        buf_add_z(b, i > 0 ? ", {\"when\": " : "{\"when\": ");
        buf_add_json_str(b, str_of(alert->rule.when));
        buf_addf(b, ", \"job\": \"%s\", \"to\": ", alert->rule.job);
        /* not str_of(): gcc 12 at -O3 takes its test for NULL for a sign that there may be one */
        /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): an array is never NULL */
        buf_add_json_str(b, (struct str){alert->to.shown, strlen(alert->to.shown)});
        buf_add_char(b, '}');
    }
    add_url(&url, config);
    buf_add_z(b, "],\n \"api\": {\"url\": ");
    buf_add_json_str(b, buf_str(&url));
    buf_addf(b, ", \"plan\": \"%s\", \"calls_per_minute\": %u, \"jobs_calls_per_minute\": %.2f},\n",
             config_plan(config->api_plan)->name, config_rate(config),
             config_calls_per_minute(config, &at_us));
    buf_addf(b,
             " \"budget\": {\"calls\": %lld, \"day\": %lld, \"jobs_calls\": %lld, "
             "\"days_without_leaving_out\": %.1f},\n",
             (long long)f.budget, (long long)config->api_budget_day, (long long)f.calls, f.days);
    buf_add_z(b, " \"data\": ");
    buf_add_json_str(b, str_of(cmd_data_dir(config)));
    buf_add_z(b, ",\n \"settings\": [");
    add_settings(b, report, add_setting_json);
    buf_add_z(b, "]}\n");
    buf_release(&url);
}

static enum st print_report(const struct report *report, struct err *err)
{
    struct buf out = BUF_INIT(MAX_OUTPUT);

    if (report->config->output == OUTPUT_JSON)
        add_json(&out, report);
    else
        add_table(&out, report);
    enum st st = buf_check(&out, "output", err);
    if (st == ST_OK && (fwrite(out.p, 1, out.len, stdout) != out.len || fflush(stdout) != 0))
        st = err_set(err, ST_FATAL, "cannot write the output");
    buf_release(&out);
    return st;
}

static int explain(const struct config *config, const struct settings *settings)
{
    struct sink_url *sinks = mem_new(STATUS_MAX_SINKS, sizeof(*sinks));
    struct report report = {.config = config, .settings = settings, .sinks = sinks};
    struct alerts *alerts = NULL;
    struct err err = ERR_INIT;
    int code = EXIT_CONFIG;

    enum st st = setup_sinks(config, cmd_data_dir(config), sinks, &report.n_sinks, &err);
    if (st == ST_OK)
        st = setup_alerts(config, cmd_data_dir(config), clock_system(), &alerts, &err);
    report.alerts = alerts;
    if (st == ST_OK && alerts)
        cmd_hint_coins(config, alerts);
    if (st == ST_OK && config->output != OUTPUT_TABLE && config->output != OUTPUT_JSON) {
        st = err_set(&err, ST_REJECT, "--format: check prints table or json");
        code = EXIT_USAGE;
    }
    if (st == ST_OK) {
        code = EXIT_FAILED;
        st = print_report(&report, &err);
    }
    alerts_free(alerts);
    mem_free(sinks);
    return st == ST_OK ? EXIT_DONE : cmd_fail(st, &err, code);
}

const struct verb verb_check = {
    .name = "check",
    .bit = VERB_CHECK,
    .summary = "Check a configuration without running it: jobs, sinks, calls, every setting.",
    .form = "geckotape check [options]",
    .examples = "  geckotape check\n"
                "      what geckotape run would do here, and where each setting comes from\n"
                "  geckotape check --config geckotape.yaml\n"
                "      every mistake of the file at once; exit 78 when there is one\n"
                "  geckotape check --all --every 20m --api-plan demo --format json\n"
                "      would the calls fit?\n",
    .explain = explain,
};
