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

/* A rule, judged alone over the polls of its job. */
struct trial {
    const struct alert *alert;
    struct alert_state state;
    struct buf lines; /* of each time it fires */
    size_t n_fired;
};

static int list(const struct alerts *alerts)
{
    for (size_t i = 0; i < alerts_count(alerts); i++) {
        const struct alert *alert = alerts_at(alerts, i);
        printf("%s\n    job %s, to %s\n", alert->rule.when, alert->rule.job, alert->to.shown);
    }
    return EXIT_DONE;
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

/* What a change compares with lies before. */
static int64_t begin_of(const struct alert *alert, int64_t since_us)
{
    return since_us - 2 * alert->rule.span_us;
}

static enum st try_rule(struct trial *t, const char *data_dir, bool is_simulated, int64_t budget,
                        int64_t since_us, int64_t until_us, struct err *err)
{
    const struct stream_id *stream;
    struct gathered *poll = NULL;
    struct alerts_past *past = NULL;
    char dir[1024];

    enum st st = tape_stream_dir(data_dir, t->alert->rule.job, dir, err);
    if (st == ST_OK)
        st = alerts_past_open(dir, begin_of(t->alert, since_us), UINT64_MAX, &past, err);
    while (st == ST_OK) {
        st = alerts_past_next(past, &stream, &poll, err);
        if (st != ST_OK || poll == NULL || poll->end.fetched_at_us >= until_us)
            break;
        try_poll(t,
                 &(struct alerts_poll){.stream = stream,
                                       .end = &poll->end,
                                       .pages = poll->pages,
                                       .n_pages = poll->n_pages,
                                       .rows = poll->has_rows ? &poll->rows : NULL,
                                       .budget = budget,
                                       .spent = (int64_t)poll->end.credits_spent,
                                       .is_simulated = is_simulated},
                 since_us);
    }
    alerts_past_close(past);
    return st;
}

static enum st read_span(const struct config *config, int64_t *ret_since_us, int64_t *ret_until_us,
                         struct err *err)
{
    const int64_t now_us = clock_wall_us(clock_system());
    enum st st = ST_OK;

    *ret_since_us = now_us - TEST_US;
    *ret_until_us = INT64_MAX;
    if (config->since[0] != '\0')
        st = instant_parse("--since", config->since, now_us, ret_since_us, err);
    if (st == ST_OK && config->until[0] != '\0')
        st = instant_parse("--until", config->until, now_us, ret_until_us, err);
    return st;
}

static int test(const struct config *config, const struct alerts *alerts)
{
    const char *data_dir = cmd_data_dir(config);
    const bool is_simulated = cmd_is_simulated(data_dir);
    struct err err = ERR_INIT;
    int64_t since_us, until_us;

    enum st st = read_span(config, &since_us, &until_us, &err);
    if (st != ST_OK)
        return cmd_fail(st, &err, EXIT_USAGE);
    for (size_t i = 0; st == ST_OK && i < alerts_count(alerts); i++) {
        struct trial t = {.alert = alerts_at(alerts, i), .lines = BUF_INIT(MAX_OUTPUT)};
        st = try_rule(&t, data_dir, is_simulated, alerts_budget(alerts), since_us, until_us, &err);
        if (st == ST_OK)
            printf("%s, job %s: would have fired %zu time%s\n%s", t.alert->rule.when,
                   t.alert->rule.job, t.n_fired, t.n_fired == 1 ? "" : "s", buf_z(&t.lines));
        buf_release(&t.lines);
        alert_state_release(&t.state);
    }
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
        if (alert_channel_send(&alert->to, &message, NULL, &err) == ST_OK)
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
    .min_words = 1,
    .max_words = 1,
    .run = run,
};
