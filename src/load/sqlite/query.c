/* Reading a store of the sqlite: driver, over a read-only connection of its own. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "base/mem.h"
#include "load/sqlite/db.h"
#include "load/sqlite/sqlite.h"
#include "sqlite_sql.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define BUSY_TIMEOUT_MS 1000

struct reader {
    struct query query;
    char path[FILE_MAX_PATH];
    char shown[SINK_URL_MAX];
    sqlite3 *handle; /* NULL: not open */
    dev_t device;    /* of the file that is open */
    ino_t inode;
};

static void hang_up(struct reader *r)
{
    sqlite3_close(r->handle);
    r->handle = NULL;
}

/* Also when somebody moved the file away: a connection would read the old one for ever. */
static enum st connect_reader(struct reader *r, struct err *err)
{
    struct stat file;

    if (stat(r->path, &file) != 0 || file.st_size == 0) {
        hang_up(r);
        return err_set(err, ST_AGAIN, "%s: nothing is loaded yet", r->shown);
    }
    if (r->handle && file.st_dev == r->device && file.st_ino == r->inode)
        return ST_OK;
    hang_up(r);
    int code =
        sqlite3_open_v2(r->path, &r->handle, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK) {
        enum st st = db_error(r->handle, r->shown, code, err);
        hang_up(r);
        return st;
    }
    sqlite3_busy_timeout(r->handle, BUSY_TIMEOUT_MS);
    /* a failure shows when the view is asked */
    sqlite3_exec(r->handle, sql_query_present.p, NULL, NULL, NULL);
    sqlite3_exec(r->handle, "PRAGMA cache_size = -512", NULL, NULL, NULL);
    r->device = file.st_dev;
    r->inode = file.st_ino;
    return ST_OK;
}

static enum st reader_prepare(struct reader *r, struct str sql, sqlite3_stmt **ret_stmt,
                              struct err *err)
{
    enum st st = connect_reader(r, err);
    if (st != ST_OK)
        return st;
    int code = sqlite3_prepare_v2(r->handle, sql.p, (int)sql.len, ret_stmt, NULL);
    if (code == SQLITE_OK)
        return ST_OK;
    if (code == SQLITE_ERROR) /* a table is missing: the writer has not made it so far */
        st = err_set(err, ST_AGAIN, "%s: %s", r->shown, sqlite3_errmsg(r->handle));
    else
        st = db_error(r->handle, r->shown, code, err);
    hang_up(r);
    return st;
}

/* Text of a result column as a cell in the arena; is_ok turns false when there is no room. */
static struct cell text_cell(sqlite3_stmt *stmt, int at, struct arena *arena, bool *is_ok)
{
    struct str text = arena_str(arena, db_text(stmt, at));

    *is_ok &= text.p != NULL;
    return cell_of_text(text);
}

/* The number with the shortest text that reads back as x. */
static struct cell real_cell(double x, struct arena *arena, bool *is_ok)
{
    char text[40];
    struct dec d;
    struct cell cell;

    for (int precision = DBL_DIG; precision <= DBL_DECIMAL_DIG; precision++) {
        int n = snprintf(text, sizeof(text), "%.*e", precision - 1, x);
        if (strtod(text, NULL) != x || dec_parse((struct str){text, (size_t)n}, &d) != DEC_OK)
            continue;
        char nice[DEC_MAX_TEXT];
        struct str lexeme = arena_str(arena, (struct str){nice, dec_format(d, nice)});
        *is_ok &= lexeme.p != NULL;
        return lexeme.p && cell_of_num(lexeme, &cell) == DEC_OK ? cell : CELL_NONE;
    }
    return CELL_NONE;
}

static struct cell number_cell(sqlite3_stmt *stmt, int at, struct arena *arena, bool *is_ok)
{
    switch (sqlite3_column_type(stmt, at)) {
    case SQLITE_INTEGER: {
        struct dec d = dec_of(sqlite3_column_int64(stmt, at));
        return (struct cell){.kind = CELL_NUM, .is_exact = true, .exp = d.exp, .number = d.mant};
    }
    case SQLITE_FLOAT:
        return real_cell(sqlite3_column_double(stmt, at), arena, is_ok);
    case SQLITE_TEXT: {
        struct cell text = text_cell(stmt, at, arena, is_ok), cell;
        return cell_of_num(cell_text(&text), &cell) == DEC_OK ? cell : CELL_NONE;
    }
    default:
        return CELL_NONE;
    }
}

static struct cell result_cell(sqlite3_stmt *stmt, int at, enum cell_kind kind, struct arena *arena,
                               bool *is_ok)
{
    if (sqlite3_column_type(stmt, at) == SQLITE_NULL)
        return CELL_NONE;
    switch (kind) {
    case CELL_NUM:
        return number_cell(stmt, at, arena, is_ok);
    case CELL_INT:
        return cell_of_int(sqlite3_column_int64(stmt, at));
    case CELL_TIME:
        return cell_of_time(sqlite3_column_int64(stmt, at));
    case CELL_TEXT:
        return text_cell(stmt, at, arena, is_ok);
    case CELL_NULL:
        break;
    }
    return CELL_NONE;
}

/* Rows that grow in an arena. */
struct collected {
    struct rows *rows;
    size_t max;
    struct arena *arena;
};

static enum st collect_row(struct collected *c, sqlite3_stmt *stmt, const int *columns,
                           struct err *err)
{
    const struct table *table = c->rows->table;
    bool is_ok = true;

    if (c->rows->n == c->max) {
        size_t max = c->max > 0 ? c->max * 2 : 64;
        struct cell *cells = arena_alloc(c->arena, max * table->n_columns, sizeof(*cells));
        if (cells && c->rows->n > 0)
            memcpy(cells, c->rows->cells, c->rows->n * table->n_columns * sizeof(*cells));
        c->rows->cells = cells ? cells : c->rows->cells;
        c->max = cells ? max : c->max;
        is_ok = cells != NULL;
    }
    for (size_t i = 0; is_ok && i < table->n_columns; i++)
        rows_at(c->rows, c->rows->n)[i] =
            result_cell(stmt, columns[i], table->columns[i].kind, c->arena, &is_ok);
    c->rows->n += is_ok;
    return is_ok ? ST_OK
                 : err_set(err, ST_AGAIN, "the answer needs more than %zu bytes", c->arena->max);
}

static enum st collect(struct reader *r, sqlite3_stmt *stmt, struct collected *c, struct err *err)
{
    int columns[N_MARKET_COLUMNS] = {0}, code;
    enum st st = ST_OK;

    for (size_t i = 0; i < c->rows->table->n_columns; i++)
        for (int at = sqlite3_column_count(stmt) - 1; at >= 0; at--)
            if (strcmp(sqlite3_column_name(stmt, at), c->rows->table->columns[i].name) == 0)
                columns[i] = at;
    while ((code = sqlite3_step(stmt)) == SQLITE_ROW && st == ST_OK)
        st = collect_row(c, stmt, columns, err);
    if (st == ST_OK && code != SQLITE_DONE)
        st = db_error(r->handle, r->shown, code, err);
    sqlite3_reset(stmt);
    return st;
}

/* One look-up per id, in one snapshot; then all are sorted and cut here. */
static enum st collect_ids(struct reader *r, sqlite3_stmt *stmt, const struct market_query *args,
                           struct collected *c, struct err *err)
{
    enum st st = ST_OK;

    sqlite3_exec(r->handle, "BEGIN", NULL, NULL, NULL);
    for (size_t i = 0; st == ST_OK && i < args->n_ids; i++) {
        db_bind_text(stmt, ":id", args->ids[i]);
        size_t k = 0;
        while (k < i && !str_eq(args->ids[k], args->ids[i]))
            k++;
        if (k == i)
            st = collect(r, stmt, c, err);
    }
    sqlite3_exec(r->handle, "COMMIT", NULL, NULL, NULL);
    if (st == ST_OK)
        query_arrange(args, c->rows);
    return st;
}

static enum st collect_page(struct reader *r, sqlite3_stmt *stmt, const struct market_query *args,
                            struct collected *c, struct err *err)
{
    db_bind_int(stmt, ":order", args->order);
    db_bind_int(stmt, ":limit", args->per_page > 0 ? (int64_t)args->per_page : -1);
    db_bind_int(stmt, ":skip", args->page > 1 ? (int64_t)(args->page - 1) * args->per_page : 0);
    return collect(r, stmt, c, err);
}

static enum st reader_market(struct query *q, const struct market_query *args, struct arena *arena,
                             struct rows *ret_rows, struct err *err)
{
    struct reader *r = q->state;
    struct rows rows = {.table = &market_table};
    struct collected c = {.rows = &rows, .arena = arena};
    sqlite3_stmt *stmt;

    enum st st = reader_prepare(r, args->n_ids > 0 ? sql_query_coin : sql_query_market, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_text(stmt, ":vs_currency", args->vs_currency);
    st = args->n_ids > 0 ? collect_ids(r, stmt, args, &c, err)
                         : collect_page(r, stmt, args, &c, err);
    sqlite3_finalize(stmt);
    if (st == ST_OK)
        *ret_rows = rows;
    return st;
}

/* All rows of a statement that takes no parameters. */
static enum st collect_all(struct reader *r, struct str sql, struct collected *c, struct err *err)
{
    sqlite3_stmt *stmt;

    enum st st = reader_prepare(r, sql, &stmt, err);
    if (st != ST_OK)
        return st;
    st = collect(r, stmt, c, err);
    sqlite3_finalize(stmt);
    return st;
}

static enum st reader_coins(struct query *q, struct arena *arena, struct rows *ret_rows,
                            struct err *err)
{
    struct rows rows = {.table = &coin_table};
    struct collected c = {.rows = &rows, .arena = arena};

    enum st st = collect_all(q->state, sql_query_coins, &c, err);
    if (st == ST_OK)
        *ret_rows = rows;
    return st;
}

static enum st reader_currencies(struct query *q, struct arena *arena, struct str **ret_currencies,
                                 size_t *ret_n, struct err *err)
{
    static const struct column column = {.name = "vs_currency", .kind = CELL_TEXT};
    static const struct table table = {.name = "job", .columns = &column, .n_columns = 1};
    struct rows rows = {.table = &table};
    struct collected c = {.rows = &rows, .arena = arena};

    enum st st = collect_all(q->state, sql_query_currencies, &c, err);
    if (st != ST_OK)
        return st;
    struct str *currencies = arena_alloc(arena, rows.n, sizeof(*currencies));
    if (currencies == NULL)
        return err_set(err, ST_AGAIN, "the answer needs more than %zu bytes", arena->max);
    for (size_t i = 0; i < rows.n; i++)
        currencies[i] = cell_text(&rows.cells[i]);
    *ret_currencies = currencies;
    *ret_n = rows.n;
    return ST_OK;
}

static enum st reader_polls(struct query *q, const struct poll_query *args, struct arena *arena,
                            struct rows *ret_rows, struct err *err)
{
    struct reader *r = q->state;
    struct rows rows = {.table = &poll_table};
    struct collected c = {.rows = &rows, .arena = arena};
    sqlite3_stmt *stmt;

    enum st st = reader_prepare(r, sql_query_polls, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_text(stmt, ":job", args->job);
    db_bind_int(stmt, ":before", args->before_us);
    db_bind_int(stmt, ":limit", args->limit);
    st = collect(r, stmt, &c, err);
    sqlite3_finalize(stmt);
    if (st == ST_OK)
        *ret_rows = rows;
    return st;
}

static enum st reader_gaps(struct query *q, const struct gap_query *args, struct arena *arena,
                           struct rows *ret_rows, struct err *err)
{
    struct reader *r = q->state;
    struct rows rows = {.table = &gap_table};
    struct collected c = {.rows = &rows, .arena = arena};
    sqlite3_stmt *stmt;

    enum st st = reader_prepare(r, sql_query_gaps, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_text(stmt, ":job", args->job);
    db_bind_int(stmt, ":since", args->since_us);
    db_bind_int(stmt, ":now", args->now_us);
    st = collect(r, stmt, &c, err);
    sqlite3_finalize(stmt);
    if (st == ST_OK)
        *ret_rows = rows;
    return st;
}

static enum st reader_spans(struct query *q, struct arena *arena, struct rows *ret_rows,
                            struct err *err)
{
    struct rows rows = {.table = &span_table};
    struct collected c = {.rows = &rows, .arena = arena};

    enum st st = collect_all(q->state, sql_query_spans, &c, err);
    if (st == ST_OK)
        *ret_rows = rows;
    return st;
}

static void reader_close(struct query *q)
{
    hang_up(q->state);
    mem_free(q->state);
}

static const struct query_driver reader_driver = {
    .market = reader_market,
    .coins = reader_coins,
    .currencies = reader_currencies,
    .polls = reader_polls,
    .gaps = reader_gaps,
    .spans = reader_spans,
    .close = reader_close,
};

enum st sqlite_open_query(const struct sink_url *url, struct query **ret_query, struct err *err)
{
    char path[FILE_MAX_PATH];

    enum st st = db_path(url->rest, path, err);
    if (st != ST_OK)
        return st;
    struct reader *r = mem_new(1, sizeof(*r));
    memcpy(r->path, path, sizeof(path));
    memcpy(r->shown, url->shown, sizeof(r->shown));
    r->query = (struct query){.driver = &reader_driver, .state = r};
    *ret_query = &r->query;
    return ST_OK;
}
