/* A CSV file (RFC 4180) with a header: a time column, and columns of coins/markets. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "import/source.h"

#include "base/mem.h"
#include "import/feed.h"
#include "import/record.h"
#include "row/market.h"
#include "tape/record.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

#define MAX_NAME 64

#define NO_COLUMN SIZE_MAX

struct csv {
    struct feed feed;
    struct record record; /* the one at hand */
    size_t n_columns;
    size_t target[RECORD_MAX_FIELDS]; /* column of market_table, or NO_COLUMN */
    size_t source[N_MARKET_COLUMNS];  /* the other way round */
    size_t time;
};

/* ---- the header ---- */

/* "Market Cap" -> "market_cap" */
static struct str plain_name(struct str name, char text[MAX_NAME])
{
    size_t n = 0;

    name = str_trim(name);
    for (size_t i = 0; i < name.len && n < MAX_NAME; i++) {
        char c = name.p[i];
        text[n++] = c == ' ' || c == '-' || c == '.' ? '_' : (char)tolower((unsigned char)c);
    }
    return (struct str){text, n};
}

static struct str without_alias(struct str name)
{
    static const struct {
        const char *alias, *name;
    } aliases[] = {
        {"coin", "id"},
        {"coin_id", "id"},
        {"coingecko_id", "id"},
        {"slug", "id"},
        {"ticker", "symbol"},
        {"coin_symbol", "symbol"},
        {"coin_name", "name"},
        {"price", "current_price"},
        {"price_usd", "current_price"},
        {"close", "current_price"},
        {"marketcap", "market_cap"},
        {"mcap", "market_cap"},
        {"market_cap_usd", "market_cap"},
        {"rank", "market_cap_rank"},
        {"volume", "total_volume"},
        {"volume_24h", "total_volume"},
        {"volume_usd", "total_volume"},
        {"fdv", "fully_diluted_valuation"},
        {"high", "high_24h"},
        {"low", "low_24h"},
        {"change_24h", "price_change_24h"},
        {"change_percentage_24h", "price_change_percentage_24h"},
        {"supply", "circulating_supply"},
    };

    for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
        if (str_eq(name, str_of(aliases[i].alias)))
            return str_of(aliases[i].name);
    return name;
}

/* Columns that a row of CSV can fill: those with a key of their own, and roi's. */
static bool can_fill(size_t column)
{
    return market_table.columns[column].json_key != NULL || column == MARKET_ROI_TIMES ||
           column == MARKET_ROI_CURRENCY || column == MARKET_ROI_PERCENTAGE;
}

/* Give a field of the header its place; false when it has none. */
static bool place(struct source *s, struct csv *c, size_t field, size_t *time_rank)
{
    char text[MAX_NAME];
    struct str name = plain_name(c->record.fields[field], text);
    struct str mapped = source_mapped(s, str_trim(c->record.fields[field]));
    size_t rank = 0, column = table_find(&market_table, without_alias(name));
    bool is_time = mapped.len > 0 ? str_eq(mapped, STR("time")) : when_is_name(name, &rank);

    if (mapped.len > 0)
        column = table_find(&market_table, mapped);
    if (is_time && (c->time == NO_COLUMN || rank + (mapped.len == 0) < *time_rank)) {
        *time_rank = rank + (mapped.len == 0);
        c->time = field;
        return true;
    }
    if (column >= N_MARKET_COLUMNS || !can_fill(column) ||
        (c->source[column] != NO_COLUMN && mapped.len == 0))
        return false;
    if (c->source[column] != NO_COLUMN)
        c->target[c->source[column]] = NO_COLUMN; /* the user's word comes first */
    c->source[column] = field;
    c->target[field] = column;
    return true;
}

static bool is_given_before(const struct csv *c, size_t field)
{
    char text[MAX_NAME], other[MAX_NAME];
    struct str name = plain_name(c->record.fields[field], text);
    size_t i = 0;

    while (i < field && !str_eq(plain_name(c->record.fields[i], other), name))
        i++;
    return i < field;
}

static void add_name(struct buf *names, struct str name)
{
    buf_add_z(names, names->len > 0 ? ", " : "");
    buf_add_clean(names, name, 40);
}

/* Give all fields their places, and tell of those that have none. */
static void place_all(struct source *s, struct csv *c)
{
    struct buf unused = BUF_INIT(400), twice = BUF_INIT(400);
    size_t time_rank = 0;

    for (size_t i = 0; i < c->n_columns; i++)
        if (!place(s, c, i, &time_rank) && str_trim(c->record.fields[i]).len > 0)
            add_name(is_given_before(c, i) ? &twice : &unused, c->record.fields[i]);
    if (twice.len > 0)
        source_note(s, "columns that are given twice, of which the first is used: %s",
                    buf_z(&twice));
    if (unused.len > 0)
        source_note(s, "columns that are not used: %s; --map COLUMN=FIELD names their field",
                    buf_z(&unused));
    buf_release(&unused);
    buf_release(&twice);
}

static enum st read_header(struct source *s, struct csv *c, struct str record, struct err *err)
{
    const char *problem = record_cut_header(&c->record, record);

    if (problem)
        return err_set(err, ST_REJECT, "%.200s: its header: %s", s->setup->source, problem);
    c->n_columns = c->record.n_fields;
    c->time = NO_COLUMN;
    for (size_t i = 0; i < N_MARKET_COLUMNS; i++)
        c->source[i] = NO_COLUMN;
    for (size_t i = 0; i < c->n_columns; i++)
        c->target[i] = NO_COLUMN;
    place_all(s, c);
    if (c->time == NO_COLUMN)
        return err_set(err, ST_REJECT,
                       "%.200s: no column of its header is a time; --map COLUMN=time names it",
                       s->setup->source);
    if (c->source[MARKET_ID] == NO_COLUMN)
        return err_set(err, ST_REJECT,
                       "%.200s: no column of its header is \"id\", CoinGecko's name of the coin; "
                       "--map COLUMN=id names it",
                       s->setup->source);
    return ST_OK;
}

/* ---- the index ---- */

static struct str shown_line(uint64_t number, char text[40])
{
    snprintf(text, 40, "line %" PRIu64, number);
    return str_of(text);
}

static enum st add_record(struct source *s, struct csv *c, struct str record, struct item *item,
                          struct err *err)
{
    char name[40];
    struct str shown = shown_line(item->order, name);

    if (str_trim(record).len == 0)
        return ST_OK;
    const char *problem = record_cut(&c->record, record);
    if (problem)
        source_skip(s, IMPORT_NOT_COINS, shown, "%s", problem);
    else if (c->record.n_fields != c->n_columns)
        source_skip(s, IMPORT_NOT_COINS, shown, "%zu fields, where the header has %zu",
                    c->record.n_fields, c->n_columns);
    else if (str_trim(c->record.fields[c->source[MARKET_ID]]).len == 0)
        source_skip(s, IMPORT_NOT_COINS, shown, "its id is empty");
    else if (!when_parse(&s->when, c->record.fields[c->time], &item->time_us)) {
        struct buf text = BUF_INIT(256);
        buf_add_clean(&text, c->record.fields[c->time], 60);
        source_skip(s, IMPORT_NO_TIME, shown, "\"%s\" is not a time that can be read",
                    buf_z(&text));
        buf_release(&text);
    } else
        return source_add(s, item, shown, err);
    return ST_OK;
}

static enum st list(struct source *s, struct err *err)
{
    struct csv *c = mem_new(1, sizeof(*c));
    struct err why = ERR_INIT;
    char name[40];

    s->state = c;
    record_init(&c->record);
    enum st st = feed_open(&c->feed, s->setup->source, RECORD_MAX_BYTES, record_measure, err);
    for (size_t n = 0; st == ST_OK; n++) {
        struct item item = {.page = 1, .is_coin = true};
        struct str record = STR_NONE;
        st = feed_next(&c->feed, &record, &item.at, &item.order, &why);
        if (st == ST_REJECT && n > 0 && !feed_is_at_end(&c->feed))
            return err_set(err, ST_REJECT,
                           "%.200s: line %" PRIu64 ": %s, and what follows may be its inside; "
                           "close its quote, or take it out",
                           s->setup->source, item.order, why.msg);
        if (st == ST_REJECT && n > 0) { /* a file that is cut short */
            source_skip(s, IMPORT_NOT_COINS, shown_line(item.order, name), "%s", why.msg);
            st = ST_OK;
            continue;
        }
        if (st != ST_OK)
            return err_set(err, st, "%.200s: %s", s->setup->source, why.msg);
        if (record.len == 0 && n == 0)
            return err_set(err, ST_REJECT, "%.200s: empty", s->setup->source);
        if (record.len == 0)
            return ST_OK;
        if (n % 1024 == 0 && !source_go_on(s, n, 0, shown_line(item.order, name).p))
            return source_stopped(s, err);
        item.len = record.len;
        st = n == 0 ? read_header(s, c, record, err) : add_record(s, c, record, &item, err);
    }
    return st;
}

/* ---- rows ---- */

static bool is_null(struct str s)
{
    static const char *const nulls[] = {"null", "none", "nan", "n/a", "na", "\\n", "-"};

    for (size_t i = 0; i < sizeof(nulls) / sizeof(nulls[0]); i++)
        if (s.len == strlen(nulls[i]) && strncasecmp(s.p, nulls[i], s.len) == 0)
            return true;
    return s.len == 0;
}

/* JSON wants a digit on each side of the point, and no plus; the digits stay. */
static void add_number(struct buf *b, struct str text)
{
    char fixed[DEC_MAX_LEXEME + 4];
    size_t n = 0;
    struct dec d;
    struct str s = text;

    if (s.len > 1 && s.p[0] == '+')
        s = (struct str){s.p + 1, s.len - 1};
    if (s.len > 1 && s.p[0] == '-') {
        fixed[n++] = '-';
        s = (struct str){s.p + 1, s.len - 1};
    }
    if (s.len > 1 && s.p[0] == '.')
        fixed[n++] = '0';
    if (s.len > DEC_MAX_LEXEME) {
        buf_add_json_str(b, text);
        return;
    }
    if (s.len > 0)
        memcpy(fixed + n, s.p, s.len);
    n += s.len;
    if (s.len > 1 && fixed[n - 1] == '.')
        n--;
    /* what is no number goes as a text: then the transform refuses it and names it */
    if (dec_parse((struct str){fixed, n}, &d) == DEC_NOT_A_NUMBER)
        buf_add_json_str(b, text);
    else
        buf_add(b, fixed, n);
}

static void add_value(struct buf *b, size_t column, struct str text)
{
    enum cell_kind kind = market_table.columns[column].kind;

    if (kind == CELL_NUM || kind == CELL_INT)
        add_number(b, str_trim(text));
    else
        buf_add_json_str(b, text);
}

static void add_key(struct buf *b, size_t *n, const char *key)
{
    buf_add_z(b, (*n)++ > 0 ? ",\"" : "\"");
    buf_add_z(b, key);
    buf_add_z(b, "\":");
}

static struct str value_of(const struct csv *c, size_t column)
{
    return c->source[column] == NO_COLUMN ? STR_NONE : c->record.fields[c->source[column]];
}

static void add_roi(struct buf *b, size_t *n, const struct csv *c)
{
    static const struct {
        size_t column;
        const char *key;
    } parts[] = {{MARKET_ROI_TIMES, "times"},
                 {MARKET_ROI_CURRENCY, "currency"},
                 {MARKET_ROI_PERCENTAGE, "percentage"}};
    bool has_any = false;
    size_t n_parts = 0;

    for (size_t i = 0; i < 3; i++)
        has_any |= !is_null(str_trim(value_of(c, parts[i].column)));
    if (!has_any)
        return;
    add_key(b, n, "roi");
    buf_add_char(b, '{');
    for (size_t i = 0; i < 3; i++) {
        struct str value = value_of(c, parts[i].column);
        if (is_null(str_trim(value)))
            continue;
        add_key(b, &n_parts, parts[i].key);
        add_value(b, parts[i].column, value);
    }
    buf_add_char(b, '}');
}

/* The row as CoinGecko would have sent it. A coin needs a symbol and a name to be a row. */
static void add_row(struct buf *b, const struct csv *c)
{
    struct str id = str_trim(value_of(c, MARKET_ID));
    size_t n = 0;

    buf_add_char(b, '{');
    for (size_t i = 0; i < N_MARKET_COLUMNS; i++) {
        const struct column *column = &market_table.columns[i];
        struct str value = value_of(c, i);
        bool is_needed = i == MARKET_ID || i == MARKET_SYMBOL || i == MARKET_NAME;
        if (column->json_key == NULL || (c->source[i] == NO_COLUMN && !is_needed))
            continue;
        add_key(b, &n, column->json_key);
        if (i == MARKET_ID || (i == MARKET_NAME && value.len == 0))
            buf_add_json_str(b, id);
        else if (is_needed)
            buf_add_json_str(b, value);
        else if (is_null(str_trim(value)))
            buf_add_z(b, "null");
        else
            add_value(b, i, value);
    }
    add_roi(b, &n, c);
    buf_add_char(b, '}');
}

static enum st read_run(struct source *s, const struct item *run, struct err *err)
{
    struct csv *c = s->state;
    struct str record;
    uint64_t at, number;
    char name[40];

    feed_seek(&c->feed, run->at, run->order);
    for (;;) {
        struct err why = ERR_INIT;
        enum st st = feed_next(&c->feed, &record, &at, &number, &why);
        if (st == ST_AGAIN || st == ST_FATAL)
            return err_set(err, st, "%s", why.msg);
        if (st == ST_REJECT || record.len == 0 || at >= run->at + run->len)
            return ST_OK;
        if (record_cut(&c->record, record) != NULL || c->record.n_fields != c->n_columns)
            continue; /* reported when it was found */
        st = source_made_room(s, shown_line(number, name), err);
        if (st != ST_OK)
            return st;
        add_row(&s->made, c);
        source_made_added(s);
    }
}

static enum st read_poll(struct source *s, const struct item *items, size_t n, struct err *err)
{
    enum st st = ST_OK;
    char name[40];

    source_made_begin(s);
    for (size_t i = 0; st == ST_OK && i < n; i++)
        st = read_run(s, &items[i], err);
    return st == ST_OK ? source_made_end(s, shown_line(items[0].order, name), err) : st;
}

static void close_csv(struct source *s)
{
    struct csv *c = s->state;

    if (c == NULL)
        return;
    feed_close(&c->feed);
    record_release(&c->record);
    mem_free(c);
}

const struct source_kind source_csv = {
    .name = "csv", .list = list, .read = read_poll, .close = close_csv};
