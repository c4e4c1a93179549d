/* geckotape alerts: what is watched, what it would have told, and whether anybody hears. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/cmd.h"

#include "base/mem.h"
#include "cmd/instant.h"
#include "cmd/streams.h"
#include "load/alerts/past.h"
#include "load/alerts/see.h"
#include "pipeline/alerts.h"
#include "tape/tape.h"

#include <stdio.h>

#define TEST_US    (30 * 86400 * US_PER_S)
#define MAX_OUTPUT ((size_t)16 * 1024 * 1024)

/* A rule over the polls of its job. */
struct trial {
    const struct alert *alert;
    struct alert_state state;
    struct buf lines; /* of each time it fires */
    size_t n_fired;
};

/* All rules; those of one job go over its polls together. */
struct trials {
    struct trial *all;
    size_t n;
    const char *data_dir;
    int64_t since_us, until_us;
    int64_t budget;
    bool is_simulated;
};

/* What nobody will hear of: its receiver refused it. */
static int list_asides(const struct alerts *alerts, const struct alert *alert)
{
    struct alert_aside asides[ALERT_ASIDE_MAX];
    struct err err = ERR_INIT;
    char at[TIME_TEXT];
    size_t n;

    enum st st = alert_store_aside(alerts_path(alerts), alert->key, asides, &n, &err);
    if (st != ST_OK)
        return cmd_fail(st, &err, EXIT_FAILED);
    for (size_t i = 0; i < n; i++) {
        time_format(asides[i].at_us - asides[i].at_us % US_PER_S, at);
        printf("    NOT DELIVERED %s: %s (%s)\n", at, asides[i].said, asides[i].why);
    }
    return EXIT_DONE;
}

static int list(const struct alerts *alerts)
{
    int code = EXIT_DONE;

    for (size_t i = 0; i < alerts_count(alerts); i++) {
        const struct alert *alert = alerts_at(alerts, i);
        printf("%s\n    job %s, to %s\n", alert->rule.when, alert->rule.job, alert->to.shown);
        if (code == EXIT_DONE) /* else the file cannot be read */
            code = list_asides(alerts, alert);
    }
    return code;
}

/* ---- test ---- */

static void try_poll(struct trial *t, const struct alerts_poll *poll, int64_t since_us)
{
    struct alert_event event;
    struct alert_seen seen;
    struct alert_fact fact;
    char at[TIME_TEXT];

    if (!alerts_see(&t->alert->rule, poll, &seen))
        return;
    if (seen.at_us < since_us) {
        alert_note(&t->alert->rule, &t->state, &seen);
        return;
    }
    if (!alert_judge(&t->alert->rule, &t->state, &seen, &event))
        return;
    alerts_fact(t->alert, poll, &event, &fact);
    time_format(fact.at_us, at);
    buf_addf(&t->lines, "    %s  %s%s\n", at, fact.said, fact.is_simulated ? "  SIMULATED" : "");
    t->n_fired++;
}

static void try_rules(struct trials *t, const struct stream_id *stream, const struct gathered *poll)
{
    const struct alerts_poll what = {.stream = stream,
                                     .end = &poll->end,
                                     .pages = poll->pages,
                                     .n_pages = poll->n_pages,
                                     .rows = poll->has_rows ? &poll->rows : NULL,
                                     .budget = t->budget,
                                     .spent = (int64_t)poll->end.credits_spent,
                                     .is_simulated = t->is_simulated};

    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->all[i].alert->rule.job, stream->job) == 0)
            try_poll(&t->all[i], &what, t->since_us);
}

/* Where to begin: what a change compares with lies before. */
static int64_t begin_of(const struct trials *t, const char *job)
{
    int64_t span_us = 0;

    for (size_t i = 0; i < t->n; i++) {
        const struct alert_rule *rule = &t->all[i].alert->rule;
        if (strcmp(rule->job, job) == 0 && rule->span_us > span_us)
            span_us = rule->span_us;
    }
    return t->since_us - 2 * span_us;
}

/* *ret_n: polls since then. */
static enum st try_job(struct trials *t, const char *job, size_t *ret_n, struct err *err)
{
    const struct stream_id *stream;
    struct gathered *poll = NULL;
    struct alerts_past *past = NULL;
    char dir[1024];

    *ret_n = 0;
    enum st st = tape_stream_dir(t->data_dir, job, dir, err);
    if (st == ST_OK)
        st = alerts_past_open(dir, begin_of(t, job), UINT64_MAX, &past, err);
    while (st == ST_OK) {
        st = alerts_past_next(past, &stream, &poll, err);
        if (st != ST_OK || poll == NULL || poll->end.fetched_at_us >= t->until_us)
            break;
        try_rules(t, stream, poll);
        *ret_n += poll->end.fetched_at_us >= t->since_us;
    }
    alerts_past_close(past);
    return st;
}

static void print_job(const struct trials *t, const char *job, size_t n_polls)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct trial *one = &t->all[i];
        if (strcmp(one->alert->rule.job, job) == 0)
            printf("%s, job %s: would have fired %zu time%s in %zu poll%s\n%s",
                   one->alert->rule.when, job, one->n_fired, one->n_fired == 1 ? "" : "s", n_polls,
                   n_polls == 1 ? "" : "s", buf_z(&one->lines));
    }
}

/* Has a rule before this one the same job? */
static bool is_done(const struct trials *t, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (strcmp(t->all[i].alert->rule.job, t->all[at].alert->rule.job) == 0)
            return true;
    return false;
}

static enum st read_span(const struct config *config, struct trials *t, struct err *err)
{
    const int64_t now_us = clock_wall_us(clock_system());
    enum st st = ST_OK;

    t->since_us = now_us - TEST_US;
    t->until_us = INT64_MAX;
    if (config->since[0] != '\0')
        st = instant_parse("--since", config->since, now_us, &t->since_us, err);
    if (st == ST_OK && config->until[0] != '\0')
        st = instant_parse("--until", config->until, now_us, &t->until_us, err);
    return st;
}

static enum st try_all(struct trials *t, struct err *err)
{
    enum st st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < t->n; i++) {
        const char *job = t->all[i].alert->rule.job;
        size_t n_polls;
        if (is_done(t, i))
            continue;
        st = try_job(t, job, &n_polls, err);
        if (st == ST_OK)
            print_job(t, job, n_polls);
    }
    return st;
}

static int test(const struct config *config, const struct alerts *alerts)
{
    struct trials t = {.n = alerts_count(alerts),
                       .data_dir = cmd_data_dir(config),
                       .budget = alerts_budget(alerts)};
    struct err err = ERR_INIT;

    enum st st = read_span(config, &t, &err);
    if (st != ST_OK)
        return cmd_fail(st, &err, EXIT_USAGE);
    t.is_simulated = cmd_is_simulated(t.data_dir);
    t.all = mem_new(t.n, sizeof(*t.all));
    for (size_t i = 0; i < t.n; i++)
        t.all[i] = (struct trial){.alert = alerts_at(alerts, i), .lines = BUF_INIT(MAX_OUTPUT)};
    st = try_all(&t, &err);
    for (size_t i = 0; i < t.n; i++) {
        buf_release(&t.all[i].lines);
        alert_state_release(&t.all[i].state);
    }
    mem_free(t.all);
    return st == ST_OK ? EXIT_DONE : cmd_fail(st, &err, EXIT_FAILED);
}

/* ---- send-test ---- */

static int send_test(const struct alerts *alerts)
{
    struct buf text = BUF_INIT(ALERT_TEXT_MAX), json = BUF_INIT(ALERT_TEXT_MAX);
    int code = EXIT_DONE;

    for (size_t i = 0; i < alerts_count(alerts); i++) {
        const struct alert *alert = alerts_at(alerts, i);
        const int64_t now_us = clock_wall_us(clock_system());
        struct alert_fact fact = {.id = "test", .at_us = now_us, .said = "a test of the channel"};
        struct err err = ERR_INIT;
        alert_fact_write(&alert->rule, &fact, now_us, &text, &json);
        const struct alert_message message = {.id = fact.id,
                                              .subject = buf_str(&text),
                                              .text = buf_str(&text),
                                              .json = buf_str(&json),
                                              .now_us = now_us};
        if (alert_channel_send(&alert->to, &message, &err) == ST_OK)
            printf("%s: sent to %s\n", alert->rule.when, alert->to.shown);
        else
            code = cmd_fail(ST_FATAL, &err, EXIT_FAILED);
    }
    buf_release(&text);
    buf_release(&json);
    return code;
}

static int run(const struct config *config, const char *const *words, size_t n_words)
{
    struct alerts *alerts = NULL;
    struct err err = ERR_INIT;
    int code = EXIT_USAGE;

    (void)n_words;
    enum st st = setup_alerts(config, cmd_data_dir(config), clock_system(), &alerts, &err);
    if (st == ST_OK && alerts == NULL)
        st = err_set(&err, ST_REJECT,
                     "no alerts are set; write them under alerts: in geckotape.yaml, or give one "
                     "by --alert");
    if (st != ST_OK)
        return cmd_fail(st, &err, EXIT_CONFIG);
    cmd_block_signals();
    cmd_hint_coins(config, alerts);
    if (strcmp(words[0], "ls") == 0)
        code = list(alerts);
    else if (strcmp(words[0], "test") == 0)
        code = test(config, alerts);
    else if (strcmp(words[0], "send-test") == 0)
        code = send_test(alerts);
    else
        fprintf(stderr, "geckotape: alerts: \"%.40s\" is none of ls, test, send-test\n", words[0]);
    alerts_free(alerts);
    return code;
}

static void add_help(struct buf *b)
{
    buf_add_z(
        b,
        "\nConditions, in front of \"to CHANNEL\" (docs/alerts.md):\n"
        "  COIN.COLUMN < NUMBER          a value of coins/markets (<= > >= too); price, volume "
        "and\n"
        "                                rank are short names\n"
        "  COIN.COLUMN change 1h > 5%    against what it was\n"
        "  COIN stale > 10m              CoinGecko's own time of the coin is older\n"
        "  gap of job NAME > 1h          polls that were promised did not come; \"> 1h\" may lack\n"
        "  budget < 10%                  what is left of the billing period's calls\n"
        "  … for 2m  … in eur  … of job NAME\n"
        "\nChannels: https://…  ntfy://[HOST/]TOPIC  slack:https://…\n"
        "          smtps://USER:PASSWORD@HOST/?from=A&to=B  (smtp:// too)\n");
}

const struct verb verb_alerts = {
    .name = "alerts",
    .bit = VERB_ALERTS,
    .summary = "Alerts: which there are, what they would have told, whether they arrive.",
    .form = "geckotape alerts ls|test|send-test [options]",
    .examples =
        "  geckotape alerts ls\n"
        "      the alerts of geckotape.yaml, the job that each watches, and where it goes\n"
        "  geckotape alerts test --since -30d\n"
        "      how often, when and with which values each would have fired; sends nothing\n"
        "  geckotape alerts test --alert \"bitcoin.current_price change 1h < -5% to ntfy://me\"\n"
        "      one that is not in the file yet\n"
        "  geckotape alerts send-test\n"
        "      one message to every channel\n",
    .add_help = add_help,
    .min_words = 1,
    .max_words = 1,
    .run = run,
};
