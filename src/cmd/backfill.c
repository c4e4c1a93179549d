/* geckotape backfill: charts of the past, from CoinGecko onto the tape. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/cmd.h"

#include "base/log.h"
#include "base/mem.h"
#include "cmd/instant.h"
#include "control/control.h"
#include "pipeline/backfill.h"
#include "pipeline/pipeline.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define BAR       24  /* characters */
#define LISTEN_MS 100 /* so soon a signal ends the question */
#define REDRAW_US (200 * US_PER_MS)

struct show {
    bool is_terminal, has_bar; /* of stderr */
    int64_t drawn_us;
};

struct backfill_verb {
    const struct config *config;
    const char *data_dir;
    struct buf coins, grains;
    int64_t since_us, until_us;
    struct show show;
};

static enum st add_coins(struct backfill_verb *v, const char *const *words, size_t n_words,
                         struct err *err)
{
    const struct opt_list *ids = &v->config->job.ids;

    for (size_t i = 0; i < n_words + ids->n; i++) {
        const char *id = i < n_words ? words[i] : ids->items[i - n_words];
        buf_add_z(&v->coins, id);
        buf_add_char(&v->coins, '\n');
    }
    if (n_words + ids->n == 0 && !v->config->is_gaps)
        return err_set(err, ST_REJECT,
                       "backfill: of which coins? name them, as geckotape backfill bitcoin, or by "
                       "--ids bitcoin,ethereum");
    return buf_check(&v->coins, "the coins", err);
}

static enum st read_options(struct backfill_verb *v, const char *const *words, size_t n_words,
                            struct err *err)
{
    const struct config *config = v->config;
    const int64_t now_us = clock_wall_us(clock_system());

    for (size_t i = 0; i < config->granularity.n; i++)
        buf_addf(&v->grains, "%s%s", i > 0 ? "," : "", config->granularity.items[i]);
    enum st st = add_coins(v, words, n_words, err);
    v->since_us = INT64_MIN;
    v->until_us = INT64_MAX;
    if (st == ST_OK && config->since[0] != '\0')
        st = instant_parse("--since", config->since, now_us, &v->since_us, err);
    if (st == ST_OK && config->until[0] != '\0')
        st = instant_parse("--until", config->until, now_us, &v->until_us, err);
    if (st == ST_OK && config->is_gaps && (config->is_ohlc || config->granularity.n > 0))
        st = err_set(err, ST_REJECT,
                     "--gaps takes what the plan has finest; leave out --granularity and --ohlc");
    if (st == ST_OK && v->since_us >= v->until_us)
        st = err_set(err, ST_REJECT, "--since %s is not before --until %s", config->since,
                     config->until);
    return st;
}

/* ---- on the screen ---- */

static void wipe(struct show *show)
{
    if (show->has_bar)
        fputs("\r\033[K", stderr);
    show->has_bar = false;
}

static void print_line(void *ctx, const char *line)
{
    struct backfill_verb *v = ctx;

    wipe(&v->show);
    printf("%s\n", line);
    fflush(stdout);
}

/* A signal stops it between two requests. */
static bool draw(void *ctx, size_t n_done, size_t n_all)
{
    struct backfill_verb *v = ctx;
    int64_t now_us = clock_mono_us(clock_system());
    char bar[BAR + 1];

    if (cmd_poll_signal(0) != 0)
        return false;
    if (!v->show.is_terminal || n_all == 0 || now_us - v->show.drawn_us < REDRAW_US)
        return true;
    v->show.drawn_us = now_us;
    for (size_t i = 0; i < BAR; i++)
        bar[i] = i < n_done * BAR / n_all ? '#' : '.';
    bar[BAR] = '\0';
    fprintf(stderr, "\r\033[K%s %zu of %zu calls", bar, n_done, n_all);
    v->show.has_bar = true;
    return true;
}

/* ---- the question ---- */

/* False: *ret_code is what to exit with. */
static bool may_go_on(const struct config *config, int *ret_code)
{
    char answer[16] = "";

    if (config->is_yes)
        return true;
    *ret_code = EXIT_USAGE;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        fprintf(stderr,
                "geckotape: nothing was asked for yet; --yes does it, --dry-run is the plan "
                "alone\n");
        return false;
    }
    fputs("Go on? [y/N] ", stdout);
    fflush(stdout);
    *ret_code = EXIT_DONE;
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    while (poll(&input, 1, LISTEN_MS) <= 0) /* signals are blocked */
        if (cmd_poll_signal(0) != 0) {
            putchar('\n');
            return false;
        }
    return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

/* ---- by the process that holds the directory ---- */

static bool hand_over(const struct backfill_verb *v, bool is_dry_run, bool is_quiet, int *ret_code)
{
    struct buf request = BUF_INIT(CONTROL_MAX_REQUEST);
    char since[32], until[32];

    snprintf(since, sizeof(since), "%lld", (long long)v->since_us);
    snprintf(until, sizeof(until), "%lld", (long long)v->until_us);
    control_put(&request, "backfill", NULL);
    if (v->coins.len > 0)
        control_put(&request, "coins", buf_z(&v->coins));
    control_put(&request, "gaps", v->config->is_gaps ? "1" : "0");
    control_put(&request, "vs", v->config->job.vs);
    if (v->grains.len > 0)
        control_put(&request, "grains", buf_z(&v->grains));
    control_put(&request, "ohlc", v->config->is_ohlc ? "1" : "0");
    control_put(&request, "since_us", since);
    control_put(&request, "until_us", until);
    control_put(&request, "dry_run", is_dry_run ? "1" : "0");
    control_put(&request, "quiet", is_quiet ? "1" : "0");
    bool is_done = cmd_hand_over(v->data_dir, &request, ret_code);
    buf_release(&request);
    return is_done;
}

/* ---- alone ---- */

static enum st run_alone(struct backfill_verb *v, struct pipeline *p, bool is_dry_run,
                         bool is_quiet, size_t *ret_n_refused, struct err *err)
{
    const struct backfill what = {
        .coins = buf_z(&v->coins),
        .vs = v->config->job.vs,
        .grains = buf_z(&v->grains),
        .is_gaps = v->config->is_gaps,
        .is_candle = v->config->is_ohlc,
        .since_us = v->since_us,
        .until_us = v->until_us,
        .is_dry_run = is_dry_run,
        .is_quiet = is_quiet,
        .ctx = v,
        .say = print_line,
        .progress = draw,
    };
    struct backfill_result result = {.n_asks = 0};

    enum st st = pipeline_backfill(p, &what, &result, err);
    wipe(&v->show);
    if (!is_dry_run && (st == ST_OK || result.n_ok > 0))
        backfill_say_result(&what, &result);
    *ret_n_refused = result.n_refused;
    return st;
}

static int backfill_alone(struct backfill_verb *v)
{
    struct config config = *v->config; /* no job is polled meanwhile */
    const struct pipeline_setup setup = {
        .config = &config, .data_dir = v->data_dir, .verb = VERB_BACKFILL, .has_sinks = true};
    struct pipeline *p;
    struct err err = ERR_INIT;
    size_t n_refused = 0;
    int code = EXIT_DONE;

    config.n_jobs = 0;
    enum st st = cmd_start_log(v->config, STDERR_FILENO, v->config->is_simulated, &err);
    if (st == ST_OK)
        st = pipeline_open(&setup, &p, &err);
    if (st != ST_OK)
        return cmd_fail(st, &err, st == ST_REJECT ? EXIT_CONFIG : EXIT_FAILED);
    st = run_alone(v, p, true, false, &n_refused, &err);
    if (st == ST_OK && !v->config->is_dry_run && may_go_on(v->config, &code))
        st = run_alone(v, p, false, true, &n_refused, &err);
    pipeline_backfill_end(p);
    pipeline_close(p);
    log_close();
    if (st != ST_OK)
        return cmd_fail(st, &err, st == ST_REJECT ? EXIT_USAGE : EXIT_FAILED);
    return n_refused > 0 ? EXIT_FAILED : code;
}

static int backfill(struct backfill_verb *v)
{
    int code = EXIT_DONE;

    if (!hand_over(v, true, false, &code))
        return backfill_alone(v);
    if (code != EXIT_DONE || v->config->is_dry_run || !may_go_on(v->config, &code))
        return code;
    if (!hand_over(v, false, true, &code)) {
        fprintf(stderr, "geckotape: the collector stopped meanwhile; try again\n");
        return EXIT_AGAIN;
    }
    return code;
}

static int run(const struct config *config, const char *const *words, size_t n_words)
{
    struct backfill_verb v = {.config = config,
                              .data_dir = cmd_data_dir(config),
                              .coins = BUF_INIT((size_t)1024 * 1024),
                              .grains = BUF_INIT(256),
                              .show = {.is_terminal = isatty(STDERR_FILENO) != 0}};
    struct err err = ERR_INIT;

    cmd_block_signals();
    enum st st = read_options(&v, words, n_words, &err);
    int code = st == ST_OK ? backfill(&v) : cmd_fail(st, &err, EXIT_USAGE);
    buf_release(&v.coins);
    buf_release(&v.grains);
    return code;
}

const struct verb verb_backfill = {
    .name = "backfill",
    .bit = VERB_BACKFILL,
    .summary = "Fetch charts of the past: a plan first, then a question.",
    .form = "geckotape backfill COIN… [options]",
    .max_words = CMD_MAX_WORDS,
    .examples =
        "  geckotape backfill bitcoin ethereum --dry-run\n"
        "      the plan alone: calls, credits, time, and what CoinGecko's plan does not have\n"
        "  geckotape backfill bitcoin ethereum --since -365d --granularity daily,hourly --yes\n"
        "      points of a year; again, after a crash or a month: what is there is not asked "
        "again\n"
        "  geckotape backfill --ids bitcoin,ethereum,solana --vs eur --ohlc --granularity 4h\n"
        "      candles, as fine as the last 30 days have them\n"
        "  geckotape backfill --gaps\n"
        "      what the polls lack: each gap as fine as CoinGecko has it now\n",
    .run = run,
};
