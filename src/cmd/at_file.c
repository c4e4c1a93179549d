/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/at_file.h"

#include "base/clock.h"
#include "base/mem.h"
#include "import/feed.h"
#include "import/record.h"
#include "import/when.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define MAX_OUTPUT  (UINT64_C(512) * 1024 * 1024)
#define MAX_NAMES   ((size_t)64 * 1024 * 1024) /* 17,000 coins' take 4 MB */
#define MAX_LINE    ((size_t)16 * 1024 * 1024) /* memory of one answer */
#define MAX_PROBLEM 512
#define MAX_NAMED   10 /* candidates that are named */
#define NO_COLUMN   SIZE_MAX

/* What is added to each line. */
#define ADDED_COLUMNS 5
static const char *const added[ADDED_COLUMNS] = {"market_price", "market_job", "market_poll",
                                                 "market_known_at", "market_distance_s"};

/* How a column names coins. */
enum coin_names {
    BY_ID = 1,
    BY_SYMBOL = 2,
    BY_EITHER = BY_ID | BY_SYMBOL,
};

struct at_file {
    const struct config *config;
    const char *path;
    struct query *query;
    struct feed feed;
    struct record record;
    struct zone zone;
    struct when when;
    struct arena names_arena, arena; /* of all names; of the line at hand */
    struct rows by_id, by_symbol;    /* coin_table */
    int64_t now_us;

    size_t n_columns, time, coin; /* of the header; which of them */
    enum coin_names by;
    struct str *header; /* its names, in names_arena */

    struct buf out;
    size_t n_lines, n_missing;
};

/* What is known of a line. */
struct priced_line {
    bool is_known;
    struct known_price price;
    int64_t at_us;
};

/* ---- names ---- */

static int compare_ids(const void *left, const void *right)
{
    const struct cell *a = left, *b = right;
    return str_cmp(cell_text(&a[COIN_ID]), cell_text(&b[COIN_ID]));
}

static int compare_case(struct str a, struct str b)
{
    const size_t n = a.len < b.len ? a.len : b.len;
    const int order = n > 0 ? strncasecmp(a.p, b.p, n) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_symbols(const void *left, const void *right)
{
    const struct cell *a = left, *b = right;
    const int order = compare_case(cell_text(&a[COIN_SYMBOL]), cell_text(&b[COIN_SYMBOL]));
    return order != 0 ? order : compare_ids(left, right);
}

static enum st read_names(struct at_file *f, struct err *err)
{
    const size_t row_size = N_COIN_COLUMNS * sizeof(struct cell);

    enum st st = f->query->driver->names(f->query, &f->names_arena, &f->by_id, err);
    if (st != ST_OK)
        return st;
    f->by_symbol = f->by_id;
    f->by_symbol.cells = arena_alloc(&f->names_arena, f->by_id.n + 1, row_size);
    if (f->by_symbol.cells == NULL)
        return err_set(err, ST_AGAIN, "no memory for the coins' names");
    if (f->by_id.n > 0) {
        memcpy(f->by_symbol.cells, f->by_id.cells, f->by_id.n * row_size);
        qsort(f->by_id.cells, f->by_id.n, row_size, compare_ids);
        qsort(f->by_symbol.cells, f->by_symbol.n, row_size, compare_symbols);
    }
    return ST_OK;
}

/* The first row whose column is not before the text. */
static size_t lower_bound(const struct rows *rows, size_t column, struct str text)
{
    size_t from = 0, to = rows->n;

    while (from < to) {
        const size_t mid = from + (to - from) / 2;
        const struct str name = cell_text(&rows_at(rows, mid)[column]);
        const int order = column == COIN_ID ? str_cmp(name, text) : compare_case(name, text);
        if (order < 0)
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

static void add_candidate(struct str id, struct str *found, size_t *n)
{
    size_t i = 0;

    while (i < *n && i < MAX_NAMED && !str_eq(found[i], id))
        i++;
    if (i < *n && i < MAX_NAMED)
        return;
    if (*n < MAX_NAMED)
        found[*n] = id;
    ++*n;
}

/* The coins that the text may mean, each once; MAX_NAMED of them are there. */
static size_t find_candidates(const struct at_file *f, struct str text, struct str *found)
{
    const size_t id_at = lower_bound(&f->by_id, COIN_ID, text);
    struct str last = STR(""); /* no id is empty */
    size_t n = 0;

    if ((f->by & BY_ID) && id_at < f->by_id.n &&
        str_eq(cell_text(&rows_at(&f->by_id, id_at)[COIN_ID]), text))
        add_candidate(cell_text(&rows_at(&f->by_id, id_at)[COIN_ID]), found, &n);
    for (size_t i = lower_bound(&f->by_symbol, COIN_SYMBOL, text);
         (f->by & BY_SYMBOL) && i < f->by_symbol.n &&
         compare_case(cell_text(&rows_at(&f->by_symbol, i)[COIN_SYMBOL]), text) == 0;
         i++) {
        const struct str id = cell_text(&rows_at(&f->by_symbol, i)[COIN_ID]);
        if (!str_eq(last, id)) /* a coin may have had a symbol twice */
            add_candidate(id, found, &n);
        last = id;
    }
    return n;
}

/* ---- problems of a line ---- */

static void tell(struct at_file *f, uint64_t line, const struct buf *problem)
{
    f->n_missing++;
    fprintf(stderr, "geckotape: %s:%" PRIu64 ": %.*s\n", f->path, line, (int)problem->len,
            problem->len > 0 ? problem->p : "");
}

/* What the text is, and why it names no coin; false then. */
static bool find_coin(const struct at_file *f, struct str text, struct str *ret_id,
                      struct buf *problem)
{
    static const char *const words[] = {
        [BY_ID] = "id", [BY_SYMBOL] = "symbol", [BY_EITHER] = "coin"};
    struct str found[MAX_NAMED];

    const size_t n = text.len > 0 ? find_candidates(f, text, found) : 0;
    if (n == 1) {
        *ret_id = found[0];
        return true;
    }
    buf_addf(problem, "%s \"", words[f->by]);
    buf_add_clean(problem, text, 60);
    buf_add_z(problem, n == 0 ? "\": the store knows no such coin" : "\" is of several coins: ");
    for (size_t i = 0; i < n && i < MAX_NAMED; i++) {
        buf_add_z(problem, i > 0 ? ", " : "");
        buf_add_clean(problem, found[i], 60);
    }
    if (n > MAX_NAMED)
        buf_addf(problem, " and %zu more", n - MAX_NAMED);
    if (n > 0)
        buf_add_z(problem, "; write its id, and --map COLUMN=id");
    return false;
}

static bool find_time(struct at_file *f, struct str text, int64_t *ret_us, struct buf *problem)
{
    const bool is_time = when_parse(&f->when, text, ret_us);

    if (is_time && *ret_us > 0 && *ret_us <= f->now_us)
        return true;
    buf_add_z(problem, "\"");
    buf_add_clean(problem, text, 60);
    buf_add_z(problem, is_time ? "\" is not yet, or before 1970"
                               : "\" is not a time that can be read; write it like "
                                 "2026-11-23T14:30:00Z");
    return false;
}

static enum st price_line(struct at_file *f, uint64_t number, struct priced_line *ret_line,
                          struct err *err)
{
    struct buf problem = BUF_INIT(MAX_PROBLEM);
    struct price_query args = {.vs_currency = str_of(f->config->job.vs)};
    struct priced_line line = {.is_known = false};
    enum st st = ST_OK;

    if (find_coin(f, str_trim(f->record.fields[f->coin]), &args.id, &problem) &&
        find_time(f, str_trim(f->record.fields[f->time]), &args.at_us, &problem)) {
        line.at_us = args.at_us;
        st = f->query->driver->price(f->query, &args, &f->arena, &line.price, &line.is_known, err);
        if (st == ST_OK && !line.is_known)
            buf_addf(&problem, "no price of %.*s in %s was known by then", STR_ARG(args.id),
                     f->config->job.vs);
    }
    if (st == ST_OK && !line.is_known)
        tell(f, number, &problem);
    buf_release(&problem);
    *ret_line = line;
    return st;
}

/* ---- output ---- */

static void add_seconds(struct buf *b, int64_t us)
{
    int64_t part = us % US_PER_S;
    int digits = 6;

    buf_add_i64(b, us / US_PER_S);
    if (part == 0)
        return;
    for (; part % 10 == 0; digits--)
        part /= 10;
    buf_addf(b, ".%0*" PRId64, digits, part);
}

/* The ith of the added columns, as text. */
static void add_value(struct buf *b, const struct priced_line *line, size_t i)
{
    const struct known_price *price = &line->price;
    const struct cell poll = cell_of_time(price->slot_us), known = cell_of_time(price->known_us);

    if (!line->is_known)
        return;
    if (i == 0)
        cell_add_text(b, &price->price);
    else if (i == 1)
        buf_add_str(b, price->job);
    else if (i == 2 || i == 3)
        cell_add_text(b, i == 2 ? &poll : &known);
    else
        add_seconds(b, line->at_us - price->known_us);
}

static size_t end_of_line(struct str record)
{
    size_t n = 0;

    while (n < record.len &&
           (record.p[record.len - n - 1] == '\n' || record.p[record.len - n - 1] == '\r'))
        n++;
    return n;
}

/* The line as it is, and ours behind it. line NULL: the header. */
static void add_csv(struct at_file *f, struct str record, const struct priced_line *line)
{
    const size_t n_end = end_of_line(record);

    buf_add_str(&f->out, (struct str){record.p, record.len - n_end});
    for (size_t i = 0; i < ADDED_COLUMNS; i++) {
        buf_add_char(&f->out, f->record.separator);
        if (line)
            add_value(&f->out, line, i); /* names of jobs need no quotes */
        else
            buf_add_z(&f->out, added[i]);
    }
    buf_add_str(&f->out, (struct str){record.p + record.len - n_end, n_end});
}

static void add_json(struct at_file *f, const struct priced_line *line)
{
    const bool is_list = f->config->output == OUTPUT_JSON;
    const size_t n = f->n_columns;

    buf_add_z(&f->out, !is_list ? "{" : f->n_lines > 1 ? ",\n {" : "\n {");
    for (size_t i = 0; i < n; i++) {
        buf_add_json_str(&f->out, f->header[i]);
        buf_add_char(&f->out, ':');
        buf_add_json_str(&f->out, f->record.fields[i]);
        buf_add_char(&f->out, ',');
    }
    for (size_t i = 0; i < ADDED_COLUMNS; i++) {
        const bool is_text = line->is_known && i > 0 && i < ADDED_COLUMNS - 1;
        buf_addf(&f->out, "%s\"%s\":%s", i > 0 ? "," : "", added[i], is_text ? "\"" : "");
        add_value(&f->out, line, i);
        buf_add_z(&f->out, is_text ? "\"" : line->is_known ? "" : "null");
    }
    buf_add_z(&f->out, is_list ? "}" : "}\n");
}

/* ---- the header ---- */

/* The usual names of a coin's column, the surest first: an "id" may be the trade's. */
static const struct {
    const char *name;
    enum coin_names by;
} coin_columns[] = {
    {"coingecko_id", BY_ID}, {"coin_id", BY_ID},  {"symbol", BY_SYMBOL}, {"coin_symbol", BY_SYMBOL},
    {"ticker", BY_SYMBOL},   {"coin", BY_EITHER}, {"asset", BY_EITHER},  {"base", BY_EITHER},
    {"currency", BY_EITHER}, {"slug", BY_ID},     {"id", BY_ID},
};

#define N_COIN_NAMES (sizeof(coin_columns) / sizeof(coin_columns[0]))

static size_t coin_rank(struct str name)
{
    size_t rank = 0;

    while (rank < N_COIN_NAMES && (name.len != strlen(coin_columns[rank].name) ||
                                   strncasecmp(name.p, coin_columns[rank].name, name.len) != 0))
        rank++;
    return rank;
}

/* By what the columns are called. */
static void choose_columns(struct at_file *f)
{
    size_t time_rank = SIZE_MAX, best_rank = N_COIN_NAMES, rank;

    for (size_t i = 0; i < f->n_columns; i++) {
        const struct str name = str_trim(f->header[i]);
        if (when_is_name(name, &rank) && rank < time_rank) {
            time_rank = rank;
            f->time = i;
        }
        rank = coin_rank(name);
        if (rank < best_rank) {
            best_rank = rank;
            f->coin = i;
            f->by = coin_columns[rank].by;
        }
    }
}

static size_t find_column(const struct at_file *f, struct str name)
{
    size_t i = 0;

    while (i < f->n_columns && !str_eq(str_trim(f->header[i]), name))
        i++;
    return i < f->n_columns ? i : NO_COLUMN;
}

/* COLUMN=time|id|symbol. The user's word comes first. */
static enum st map_columns(struct at_file *f, struct err *err)
{
    for (size_t i = 0; i < f->config->import_map.n; i++) {
        const char *text = f->config->import_map.items[i], *equals = strrchr(text, '=');
        const struct str field = str_of(equals ? equals + 1 : "");
        const size_t column =
            find_column(f, equals ? (struct str){text, (size_t)(equals - text)} : STR(""));
        if (equals && column == NO_COLUMN)
            return err_set(err, ST_REJECT, "--map %.100s: %s has no such column", text, f->path);
        if (str_eq(field, STR("time"))) {
            f->time = column;
        } else if (str_eq(field, STR("id")) || str_eq(field, STR("symbol"))) {
            f->coin = column;
            f->by = str_eq(field, STR("id")) ? BY_ID : BY_SYMBOL;
        } else {
            return err_set(err, ST_REJECT,
                           "--map %.100s: write COLUMN=time, COLUMN=id or COLUMN=symbol", text);
        }
    }
    return ST_OK;
}

static enum st check_columns(const struct at_file *f, struct err *err)
{
    if (f->time == NO_COLUMN)
        return err_set(err, ST_REJECT,
                       "%.200s:1: no column is a time, such as date or timestamp; name it with "
                       "--map COLUMN=time",
                       f->path);
    if (f->coin == NO_COLUMN)
        return err_set(err, ST_REJECT,
                       "%.200s:1: no column names a coin, such as symbol or coin; name it with "
                       "--map COLUMN=symbol, or COLUMN=id where it has CoinGecko's ids",
                       f->path);
    for (size_t i = 0; i < ADDED_COLUMNS; i++)
        if (find_column(f, str_of(added[i])) != NO_COLUMN)
            return err_set(err, ST_REJECT, "%.200s:1: it has a column %s already; take it out",
                           f->path, added[i]);
    return ST_OK;
}

static enum st take_header(struct at_file *f, struct str record, struct err *err)
{
    const char *problem = record_cut_header(&f->record, record);

    if (problem)
        return err_set(err, ST_REJECT, "%.200s:1: %s", f->path, problem);
    f->n_columns = f->record.n_fields;
    f->header = arena_alloc(&f->names_arena, f->n_columns, sizeof(*f->header));
    for (size_t i = 0; f->header && i < f->n_columns; i++) {
        f->header[i] = arena_str(&f->names_arena, f->record.fields[i]);
        if (f->header[i].p == NULL)
            f->header = NULL;
    }
    if (f->header == NULL)
        return err_set(err, ST_AGAIN, "%.200s:1: no memory for its header", f->path);
    f->time = f->coin = NO_COLUMN;
    choose_columns(f);
    enum st st = map_columns(f, err);
    if (st == ST_OK)
        st = check_columns(f, err);
    if (st == ST_OK && f->config->output == OUTPUT_JSON)
        buf_add_char(&f->out, '[');
    else if (st == ST_OK && f->config->output != OUTPUT_JSONL)
        add_csv(f, record, NULL);
    return st;
}

/* ---- lines ---- */

static enum st take_line(struct at_file *f, struct str record, uint64_t number, struct err *err)
{
    const bool is_json = f->config->output == OUTPUT_JSON || f->config->output == OUTPUT_JSONL;
    struct priced_line line;

    if (str_trim(record).len == 0) {
        if (!is_json)
            buf_add_str(&f->out, record);
        return ST_OK;
    }
    const char *problem = record_cut(&f->record, record);
    if (problem)
        return err_set(err, ST_REJECT, "%.200s:%" PRIu64 ": %s", f->path, number, problem);
    if (f->record.n_fields != f->n_columns)
        return err_set(err, ST_REJECT, "%.200s:%" PRIu64 ": %zu fields, where the header has %zu",
                       f->path, number, f->record.n_fields, f->n_columns);
    f->n_lines++;
    enum st st = price_line(f, number, &line, err);
    if (st == ST_OK && is_json)
        add_json(f, &line);
    else if (st == ST_OK)
        add_csv(f, record, &line);
    arena_reset(&f->arena);
    return st == ST_OK ? buf_check(&f->out, "output", err) : st;
}

static enum st take_all(struct at_file *f, struct err *err)
{
    enum st st = feed_open(&f->feed, f->path, RECORD_MAX_BYTES, record_measure, err);

    for (size_t n = 0; st == ST_OK; n++) {
        struct err why = ERR_INIT;
        struct str record = STR_NONE;
        uint64_t at, number = 0;
        st = feed_next(&f->feed, &record, &at, &number, &why);
        if (st != ST_OK)
            return err_set(err, st, "%.200s:%" PRIu64 ": %s", f->path, number, why.msg);
        if (record.len == 0 && n == 0)
            return err_set(err, ST_REJECT, "%.200s: empty", f->path);
        if (record.len == 0)
            break;
        st = n == 0 ? take_header(f, record, err) : take_line(f, record, number, err);
    }
    if (st == ST_OK && f->config->output == OUTPUT_JSON)
        buf_add_z(&f->out, "\n]\n");
    return st == ST_OK ? buf_check(&f->out, "output", err) : st;
}

static enum st check_options(const struct at_file *f, struct err *err)
{
    const struct config *config = f->config;

    if (config->at[0] || config->columns[0] || config->job.top > 0)
        return err_set(err, ST_REJECT,
                       "--at-file: each line has a time of its own, and stays whole; leave --at, "
                       "--columns and --top out");
    if (f->query->driver->price == NULL)
        return err_set(err, ST_REJECT,
                       "--at-file: this store keeps no past; sqlite: and postgres: do");
    return ST_OK;
}

enum st at_file_print(const struct config *config, struct query *query, size_t *ret_n_missing,
                      struct err *err)
{
    struct at_file *f = mem_new(1, sizeof(*f));

    *f = (struct at_file){.config = config,
                          .path = config->at_file,
                          .query = query,
                          .feed.fd = -1,
                          .now_us = clock_wall_us(clock_system())};
    f->when.zone = &f->zone;
    record_init(&f->record);
    arena_init(&f->names_arena, MAX_NAMES);
    arena_init(&f->arena, MAX_LINE);
    buf_init(&f->out, MAX_OUTPUT);
    enum st st = check_options(f, err);
    if (st == ST_OK)
        st = zone_open(config->import_zone, &f->zone, err);
    if (st == ST_OK)
        st = read_names(f, err);
    if (st == ST_OK)
        st = take_all(f, err);
    if (st == ST_OK && f->out.len > 0 &&
        (fwrite(f->out.p, 1, f->out.len, stdout) != f->out.len || fflush(stdout) != 0))
        st = err_set(err, ST_FATAL, "cannot write the output");
    if (st == ST_OK && f->n_missing > 0)
        fprintf(stderr, "geckotape: %s: %zu of %zu lines have no price\n", f->path, f->n_missing,
                f->n_lines);
    *ret_n_missing = f->n_missing;
    feed_close(&f->feed);
    record_release(&f->record);
    arena_release(&f->names_arena);
    arena_release(&f->arena);
    buf_release(&f->out);
    mem_free(f);
    return st;
}
