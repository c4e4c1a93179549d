/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/alerts.h"

#include "base/log.h"
#include "base/mem.h"
#include "load/known.h"
#include "pipeline/setup.h"

#include <stdio.h>

/* ---- which job a rule watches ---- */

/* ids of a job that lists them: whether the coin is one, and which is nearest to it. */
static bool has_coin(const struct job_config *job, const char *coin, size_t *best,
                     const char **nearest)
{
    for (size_t i = 0; i < job->ids.n; i++) {
        const size_t distance = str_distance(str_of(coin), str_of(job->ids.items[i]));
        if (distance < *best) {
            *best = distance;
            *nearest = job->ids.items[i];
        }
        if (strcmp(job->ids.items[i], coin) == 0)
            return true;
    }
    return job->ids.n == 0;
}

static void add_jobs(const struct config *config, struct buf *b)
{
    for (size_t i = 0; i < config->n_jobs; i++) {
        char name[64];
        config_job_name(&config->jobs[i], name);
        buf_addf(b, "%s%s", i > 0 ? ", " : "", name);
        if (config->jobs[i].endpoint == ENDPOINT_MARKETS)
            buf_addf(b, " (%s)", config->jobs[i].vs);
    }
}

/* Why no job fits: what people mistake most comes first. */
static enum st no_job(const struct config *config, const struct alert_rule *rule, bool has_name,
                      const char *nearest, struct err *err)
{
    struct buf jobs = BUF_INIT(300);
    enum st st;

    add_jobs(config, &jobs);
    if (rule->job[0] && !has_name)
        st = err_set(err, ST_REJECT, "no job is called \"%s\"; there are: %s", rule->job,
                     buf_z(&jobs));
    else if (nearest)
        st = err_set(err, ST_REJECT, "no job collects the coin \"%s\"; did you mean %s?",
                     rule->coin, nearest);
    else if (rule->currency[0])
        st = err_set(err, ST_REJECT, "no job collects coins/markets with it in %s; there are: %s",
                     rule->currency, buf_z(&jobs));
    else
        st = err_set(err, ST_REJECT, "no job collects coins/markets with it; there are: %s",
                     buf_z(&jobs));
    buf_release(&jobs);
    return st;
}

/* The first job that has the coin in the currency; of gaps and budgets any will do. */
static enum st find_job(const struct config *config, struct alert_rule *rule, struct err *err)
{
    const char *nearest = NULL;
    bool has_name = false;
    size_t best = 4;

    for (size_t i = 0; i < config->n_jobs; i++) {
        const struct job_config *job = &config->jobs[i];
        char name[64];
        config_job_name(job, name);
        if (rule->job[0] && strcmp(rule->job, name) != 0)
            continue;
        has_name = true;
        const bool is_fit = rule->coin[0] == '\0' ||
                            (job->endpoint == ENDPOINT_MARKETS &&
                             (rule->currency[0] == '\0' || strcmp(rule->currency, job->vs) == 0) &&
                             has_coin(job, rule->coin, &best, &nearest));
        if (!is_fit)
            continue;
        snprintf(rule->job, sizeof(rule->job), "%s", name);
        return ST_OK;
    }
    return no_job(config, rule, has_name, nearest, err);
}

static enum st check_budget(const struct config *config, struct err *err)
{
    int64_t calls = 0;

    enum st st = config_budget(config, &calls, err);
    if (st == ST_OK && calls == 0)
        st = err_set(err, ST_REJECT,
                     "how much the budget is, is not known here; say it: --api-budget 100000");
    return st;
}

static enum st add_alert(const struct config *config, struct str line, struct alerts *alerts,
                         struct err *err)
{
    struct alert *alert = mem_new(1, sizeof(*alert));

    enum st st = alert_parse(line, alert, err);
    if (st == ST_OK)
        st = find_job(config, &alert->rule, err);
    if (st == ST_OK && alert->rule.kind == ALERT_BUDGET)
        st = check_budget(config, err);
    if (st == ST_OK)
        st = alerts_add(alerts, alert, err);
    if (st != ST_OK && alert->rule.when[0])
        st = err_wrap(err, st, "%s: ", alert->rule.when);
    mem_free(alert);
    return st;
}

/* ---- all of them ---- */

enum st setup_alerts(const struct config *config, const char *data_dir, struct clock *clock,
                     struct alerts **ret_alerts, struct err *err)
{
    struct err ignored = ERR_INIT;
    int64_t calls = 0;
    enum st st = ST_OK;

    *ret_alerts = NULL;
    if (config->alerts.n == 0)
        return ST_OK;
    struct alerts *alerts = alerts_new(data_dir, clock);
    if (config_budget(config, &calls, &ignored) == ST_OK)
        alerts_set_budget(alerts, calls);
    for (size_t i = 0; st == ST_OK && i < config->alerts.n; i++)
        st = add_alert(config, str_of(config->alerts.items[i]), alerts, err);
    if (st == ST_OK)
        *ret_alerts = alerts;
    else
        alerts_free(alerts);
    return st == ST_OK ? ST_OK : err_wrap(err, st, "--alert: ");
}

void setup_check_alerts(const struct config *config, const struct settings *settings,
                        struct opt_problems *problems)
{
    const struct setting *wins = settings_find(settings, "alert");
    struct alerts *alerts = alerts_new(".", clock_system());

    for (size_t i = 0; wins && i < settings->n; i++) {
        const struct setting *s = &settings->all[i];
        struct str rest = str_of(s->value), line;
        if (s->rank != wins->rank || strcmp(s->name, wins->name) != 0)
            continue;
        while (rest.len > 0) {
            struct err err = ERR_INIT;
            str_cut(&rest, '|', &line);
            if (add_alert(config, line, alerts, &err) != ST_OK)
                opt_problem(problems, "%s: %s", s->origin, err.msg);
        }
    }
    alerts_free(alerts);
}

/* The path of a URL: what would end or escape it is percent-encoded. */
static void add_path(struct buf *b, const char *path)
{
    for (const char *c = path; *c; c++) {
        if (*c == '%' || *c == '?' || *c == '&' || *c == '#')
            buf_addf(b, "%%%02X", (unsigned)*c);
        else
            buf_add_char(b, *c);
    }
}

static enum st parse_sink(const char *path, const char *option, struct sink_url *ret_url,
                          struct err *err)
{
    struct buf text = BUF_INIT(SINK_URL_MAX - 1);

    buf_add_z(&text, "alerts:");
    add_path(&text, path);
    buf_add_z(&text, option);
    enum st st = buf_check(&text, "--data", err);
    if (st == ST_OK)
        st = sink_url_parse(buf_str(&text), ret_url, err);
    buf_release(&text);
    return st;
}

enum st setup_alerts_sink(struct alerts *alerts, struct sink_url *ret_url, struct err *err)
{
    char fingerprint[17], option[32];

    alerts_fingerprint(alerts, fingerprint);
    snprintf(option, sizeof(option), "?rules=%s", fingerprint);
    enum st st = parse_sink(alerts_path(alerts), option, ret_url, err);
    if (st != ST_OK)
        return st;
    ret_url->given = alerts;
    char *options = strchr(ret_url->shown, '?'); /* of use to a reload alone */
    if (options)
        *options = '\0';
    return ST_OK;
}

void setup_forget_alerts(const char *data_dir)
{
    struct sink_url *url = mem_new(1, sizeof(*url));
    struct alerts *none = alerts_new(data_dir, clock_system());
    struct err err = ERR_INIT;
    char name[KNOWN_NAME_MAX];

    enum st st = parse_sink(alerts_path(none), "", url, &err);
    if (st == ST_OK)
        st = known_name(url, name, &err);
    if (st == ST_OK && known_has(data_dir, name))
        st = known_forget(data_dir, name, &err);
    if (st != ST_OK)
        log_warn("alert", "the tape is still kept for alerts", LOG_Z("error", err.msg));
    alerts_free(none);
    mem_free(url);
}
