/* SPDX-License-Identifier: Apache-2.0 */
#include "alert/rule.h"

#include "base/clock.h"
#include "row/market.h"

#include <stdio.h>

#define MAX_WORDS 24
#define SHORT(s)  (int)((s).len < 80 ? (s).len : 80), (s).p
#define MAX_SPAN  (90 * 86400 * US_PER_S) /* of a change: what it was is kept in memory */
#define MAX_WAIT  (366 * 86400 * US_PER_S)

static const struct {
    const char *text;
    enum alert_op op;
} ops[] = {{"<=", ALERT_LE}, {">=", ALERT_GE}, {"<", ALERT_LT}, {">", ALERT_GT}};

/* What people say in place of a column's name. */
static const struct {
    const char *text;
    enum market_column column;
} short_names[] = {{"price", MARKET_CURRENT_PRICE},
                   {"volume", MARKET_TOTAL_VOLUME},
                   {"rank", MARKET_MARKET_CAP_RANK}};
#define N_SHORT_NAMES (sizeof(short_names) / sizeof(short_names[0]))

/* The words of a condition, and the one that is next. */
struct words {
    struct str all[MAX_WORDS];
    size_t n, at;
};

static bool is_op_char(char c)
{
    return c == '<' || c == '>' || c == '=';
}

/* Part at spaces, and around signs: "price<5" is three words. */
static bool cut_words(struct str text, struct words *ret)
{
    size_t i = 0;

    *ret = (struct words){.n = 0};
    while (i < text.len) {
        size_t from = i;
        const bool is_op = is_op_char(text.p[i]);
        if (text.p[i] == ' ' || text.p[i] == '\t') {
            i++;
            continue;
        }
        while (i < text.len && text.p[i] != ' ' && text.p[i] != '\t' &&
               is_op_char(text.p[i]) == is_op)
            i++;
        if (ret->n == MAX_WORDS)
            return false;
        ret->all[ret->n++] = (struct str){text.p + from, i - from};
    }
    return true;
}

static struct str peek(const struct words *w)
{
    return w->at < w->n ? w->all[w->at] : STR("");
}

static bool take(struct words *w, const char *word)
{
    const bool is_there = str_eq(peek(w), str_of(word));

    w->at += is_there;
    return is_there;
}

static struct str take_any(struct words *w)
{
    struct str word = peek(w);

    w->at += w->at < w->n;
    return word;
}

static enum st expected(const struct words *w, const char *what, struct err *err)
{
    struct str word = peek(w);

    if (word.len == 0)
        return err_set(err, ST_REJECT, "ends where %s should follow", what);
    return err_set(err, ST_REJECT, "\"%.*s\" stands where %s should", SHORT(word), what);
}

/* ---- parts ---- */

static enum st read_op(struct words *w, struct alert_rule *rule, struct err *err)
{
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
        if (take(w, ops[i].text)) {
            rule->op = ops[i].op;
            rule->op_text = ops[i].text;
            return ST_OK;
        }
    return expected(w, "one of < <= > >=", err);
}

static enum st read_span(struct words *w, const char *what, int64_t max_us, int64_t *ret_us,
                         struct err *err)
{
    struct str word = peek(w);
    char most[TIME_TEXT];

    if (!duration_parse(word, ret_us) || *ret_us == 0)
        return expected(w, "a time like 30s, 10m or 24h", err);
    duration_format(max_us, most);
    if (*ret_us > max_us)
        return err_set(err, ST_REJECT, "%s %.*s: at most %s", what, STR_ARG(word), most);
    w->at++;
    return ST_OK;
}

/* A number; *ret_is_percent: with a % behind it. */
static enum st read_number(struct words *w, struct dec *ret, bool *ret_is_percent, struct err *err)
{
    struct str word = peek(w);

    *ret_is_percent = word.len > 0 && word.p[word.len - 1] == '%';
    word.len -= *ret_is_percent;
    if (word.len > 0 && word.p[0] == '+')
        word = (struct str){word.p + 1, word.len - 1};
    if (dec_parse(word, ret) != DEC_OK)
        return expected(w, "a number like 60000, 0.5 or 2.5e9", err);
    if (!ret->is_exact)
        return err_set(err, ST_REJECT, "%.*s: at most 18 digits", STR_ARG(word));
    w->at++;
    return ST_OK;
}

static enum st no_column(struct str name, struct err *err)
{
    size_t best = 4;
    const char *nearest = NULL;

    for (size_t i = 0; i < N_SHORT_NAMES; i++) {
        const size_t distance = str_distance(name, str_of(short_names[i].text));
        if (distance < best) {
            best = distance;
            nearest = short_names[i].text;
        }
    }
    for (size_t i = 0; i < market_table.n_columns; i++) {
        const struct column *c = &market_table.columns[i];
        const size_t distance = str_distance(name, str_of(c->name));
        if ((c->kind == CELL_NUM || c->kind == CELL_INT) && distance < best) {
            best = distance;
            nearest = c->name;
        }
    }
    if (nearest)
        return err_set(err, ST_REJECT, "\"%.*s\" is no column; did you mean %s?", SHORT(name),
                       nearest);
    return err_set(err, ST_REJECT,
                   "\"%.*s\" is no column; write current_price, total_volume, market_cap, "
                   "market_cap_rank or another of coins/markets",
                   SHORT(name));
}

static enum st find_column(struct str name, size_t *ret_column, struct err *err)
{
    for (size_t i = 0; i < N_SHORT_NAMES; i++)
        if (str_eq(name, str_of(short_names[i].text))) {
            *ret_column = short_names[i].column;
            return ST_OK;
        }
    *ret_column = table_find(&market_table, name);
    if (*ret_column == market_table.n_columns)
        return no_column(name, err);
    const enum cell_kind kind = market_table.columns[*ret_column].kind;
    if (kind != CELL_NUM && kind != CELL_INT)
        return err_set(err, ST_REJECT, "%.*s holds no numbers; write current_price or its like",
                       STR_ARG(name));
    return ST_OK;
}

static enum st read_coin(struct str id, struct alert_rule *rule, struct err *err)
{
    if (id.len == 0 || id.len >= sizeof(rule->coin))
        return err_set(err, ST_REJECT, "a coin's id has 1 to %zu bytes; write bitcoin",
                       sizeof(rule->coin) - 1);
    snprintf(rule->coin, sizeof(rule->coin), "%.*s", STR_ARG(id));
    return ST_OK;
}

static enum st read_job(struct words *w, struct alert_rule *rule, struct err *err)
{
    struct str name = peek(w);

    if (name.len == 0 || name.len >= sizeof(rule->job))
        return expected(w, "the name of a job", err);
    snprintf(rule->job, sizeof(rule->job), "%.*s", STR_ARG(name));
    w->at++;
    return ST_OK;
}

/* ---- the forms ---- */

/* "COIN.COLUMN": the last dot parts them, as ids may hold some. */
static enum st read_value(struct words *w, struct alert_rule *rule, struct err *err)
{
    struct str word = take_any(w);
    const char *dot = memrchr(word.p, '.', word.len);
    bool is_percent;

    const struct str coin = {word.p, (size_t)(dot - word.p)};
    enum st st = read_coin(coin, rule, err);
    if (st == ST_OK)
        st = find_column((struct str){dot + 1, word.len - coin.len - 1}, &rule->column, err);
    if (st == ST_OK && take(w, "in")) {
        struct str currency = take_any(w);
        if (currency.len == 0 || currency.len >= sizeof(rule->currency))
            return err_set(err, ST_REJECT, "\"in\": a currency follows, like usd, eur or btc");
        snprintf(rule->currency, sizeof(rule->currency), "%.*s", STR_ARG(currency));
    }
    if (st == ST_OK && take(w, "change")) {
        rule->kind = ALERT_CHANGE;
        st = read_span(w, "change", MAX_SPAN, &rule->span_us, err);
    }
    if (st == ST_OK)
        st = read_op(w, rule, err);
    if (st == ST_OK)
        st = read_number(w, &rule->limit, &is_percent, err);
    if (st != ST_OK)
        return st;
    const bool has_percent = strcmp(market_table.columns[rule->column].unit, "percent") == 0;
    if (rule->kind == ALERT_CHANGE && !is_percent)
        return err_set(err, ST_REJECT, "a change is in percent; write %s 5%%", rule->op_text);
    if (rule->kind == ALERT_VALUE && is_percent && !has_percent)
        return err_set(err, ST_REJECT,
                       "%s is not in percent; write the number alone, or: change "
                       "1h %s 5%%",
                       market_table.columns[rule->column].name, rule->op_text);
    return ST_OK;
}

static enum st read_stale(struct words *w, struct alert_rule *rule, struct err *err)
{
    rule->kind = ALERT_STALE;
    rule->op = ALERT_GT;
    rule->op_text = ">";
    enum st st = read_coin(take_any(w), rule, err);
    w->at++; /* "stale" */
    if (st == ST_OK && !take(w, ">"))
        st = expected(w, "> and a time", err);
    return st == ST_OK ? read_span(w, "stale", MAX_WAIT, &rule->limit_us, err) : st;
}

static enum st read_gap(struct words *w, struct alert_rule *rule, struct err *err)
{
    rule->kind = ALERT_GAP;
    rule->op = ALERT_GT;
    rule->op_text = ">";
    if (!take(w, "of") || !take(w, "job"))
        return expected(w, "\"of job NAME\"", err);
    enum st st = read_job(w, rule, err);
    if (st == ST_OK && take(w, ">"))
        st = read_span(w, "gap", MAX_WAIT, &rule->limit_us, err);
    return st;
}

static enum st read_budget(struct words *w, struct alert_rule *rule, struct err *err)
{
    bool is_percent;

    rule->kind = ALERT_BUDGET;
    enum st st = read_op(w, rule, err);
    if (st == ST_OK)
        st = read_number(w, &rule->limit, &is_percent, err);
    if (st == ST_OK && (!is_percent || (rule->op != ALERT_LT && rule->op != ALERT_LE)))
        st = err_set(err, ST_REJECT,
                     "what is left of the budget is in percent; write budget < 10%%");
    return st;
}

/* ---- the whole ---- */

/* Prices and their like are never negative; changes and returns may be. */
static bool is_signed(const struct column *column)
{
    return strstr(column->name, "change") || strstr(column->name, "roi_");
}

/* A limit that the value cannot come to is a slip of the pen. */
static enum st check_value(const struct alert_rule *rule, struct err *err)
{
    const struct column *column = &market_table.columns[rule->column];
    const bool is_never = rule->limit.mant < 0 || (rule->limit.mant == 0 && rule->op == ALERT_LT);
    int64_t whole;

    if (is_never && !is_signed(column))
        return err_set(err, ST_REJECT, "%s is never below 0", column->name);
    if (column->kind == CELL_INT && !dec_to_i64(rule->limit, &whole))
        return err_set(err, ST_REJECT, "%s is a whole number", column->name);
    return ST_OK;
}

/* So few digits, that products of it are exact. */
static enum st check_percent(const struct alert_rule *rule, struct err *err)
{
    const struct column *column = &market_table.columns[rule->column];
    int64_t whole;

    if (rule->limit.exp < -6 || !dec_to_i64(dec_round(rule->limit, 0), &whole) || whole > 1000000)
        return err_set(err, ST_REJECT,
                       "a percentage has at most 6 decimals, and is at most 1000000");
    if (rule->kind == ALERT_BUDGET && (rule->limit.mant <= 0 || whole > 100))
        return err_set(err, ST_REJECT, "what is left of the budget is from 0%% to 100%%");
    if (rule->kind == ALERT_CHANGE && whole < -100)
        return err_set(err, ST_REJECT, "nothing falls by more than 100%%");
    if (rule->kind == ALERT_CHANGE && (is_signed(column) || column->kind != CELL_NUM))
        return err_set(err, ST_REJECT,
                       "%s: a change is taken of prices, volumes, market caps and supplies",
                       column->name);
    return ST_OK;
}

static enum st check_limit(const struct alert_rule *rule, struct err *err)
{
    switch (rule->kind) {
    case ALERT_VALUE:
        return check_value(rule, err);
    case ALERT_CHANGE:
    case ALERT_BUDGET:
        return check_percent(rule, err);
    case ALERT_STALE:
    case ALERT_GAP:
        break;
    }
    return ST_OK;
}

static enum st read_tail(struct words *w, struct alert_rule *rule, struct err *err)
{
    while (w->at < w->n) {
        enum st st = ST_OK;
        if (rule->for_us == 0 && rule->kind != ALERT_GAP && take(w, "for"))
            st = read_span(w, "for", MAX_WAIT, &rule->for_us, err);
        else if (rule->job[0] == '\0' && rule->kind != ALERT_BUDGET && take(w, "of"))
            st = take(w, "job") ? read_job(w, rule, err) : expected(w, "\"job NAME\"", err);
        else
            st = expected(w, "the end, \"for 2m\" or \"of job NAME\"", err);
        if (st != ST_OK)
            return st;
    }
    return ST_OK;
}

static enum st read_form(struct words *w, struct alert_rule *rule, struct err *err)
{
    const struct str first = peek(w), second = w->n > 1 ? w->all[1] : STR("");

    if (first.len == 0)
        return err_set(err, ST_REJECT, "is empty; write bitcoin.current_price < 60000");
    if (str_eq(first, STR("gap")) && take(w, "gap"))
        return read_gap(w, rule, err);
    if (str_eq(first, STR("budget")) && take(w, "budget"))
        return read_budget(w, rule, err);
    if (str_eq(second, STR("stale")))
        return read_stale(w, rule, err);
    if (memchr(first.p, '.', first.len) == NULL || is_op_char(first.p[0]))
        return err_set(err, ST_REJECT,
                       "\"%.*s\" is not COIN.COLUMN; write bitcoin.current_price < 60000, bitcoin "
                       "stale > 10m, gap of job NAME, or budget < 10%%",
                       SHORT(first));
    return read_value(w, rule, err);
}

static bool is_plain(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (((unsigned char)text.p[i] < ' ' && text.p[i] != '\t') || text.p[i] == 0x7f)
            return false;
    return str_is_utf8(text);
}

enum st alert_rule_parse(struct str text, struct alert_rule *ret_rule, struct err *err)
{
    struct alert_rule rule = {.kind = ALERT_VALUE, .column = MARKET_CURRENT_PRICE};
    struct buf when = BUF_INIT(sizeof(rule.when) - 1);
    struct words w;

    if (!is_plain(text) || !cut_words(text, &w))
        return err_set(err, ST_REJECT, "control characters, no UTF-8, or more than %d words",
                       MAX_WORDS);
    for (size_t i = 0; i < w.n; i++)
        buf_addf(&when, "%s%.*s", i > 0 ? " " : "", STR_ARG(w.all[i]));
    enum st st = buf_check(&when, "the condition", err);
    if (st == ST_OK)
        st = read_form(&w, &rule, err);
    if (st == ST_OK)
        st = read_tail(&w, &rule, err);
    if (st == ST_OK)
        st = check_limit(&rule, err);
    if (st == ST_OK) {
        snprintf(rule.when, sizeof(rule.when), "%s", buf_z(&when));
        *ret_rule = rule;
    }
    buf_release(&when);
    return st;
}

const char *alert_rule_what(const struct alert_rule *rule)
{
    switch (rule->kind) {
    case ALERT_VALUE:
    case ALERT_CHANGE:
        return market_table.columns[rule->column].name;
    case ALERT_STALE:
        return "stale";
    case ALERT_GAP:
        return "gap";
    case ALERT_BUDGET:
        return "budget";
    }
    return "";
}
