/* Rows, columns, tables: the vocabulary between transform and everything that stores or shows rows.
 *
 * A row is an array of cells, a table an array of columns; DDL checks, JSON, binds, docs and
 * equality are loops over the table. Values keep the text they were sent as, so that no digit
 * changes on the way.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROW_ROW_H
#define ROW_ROW_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/dec.h"

enum cell_kind {
    CELL_NULL, /* only in cells, never a column's kind */
    CELL_NUM,  /* exact decimal */
    CELL_INT,  /* integer */
    CELL_TEXT, /* UTF-8 without U+0000 */
    CELL_TIME, /* microseconds UTC */
};

struct cell {
    uint8_t kind;     /* enum cell_kind */
    bool is_exact;    /* CELL_NUM: number/exp are the whole number; else only `text` is */
    int16_t exp;      /* CELL_NUM: decimal exponent of `number`, canonical as in struct dec */
    uint32_t len;     /* bytes of text */
    int64_t number;   /* CELL_NUM mantissa, CELL_INT value, CELL_TIME microseconds */
    const char *text; /* CELL_TEXT: the value. NUM, INT, TIME: the lexeme as sent, NULL when there
                       * is none. Borrowed from the batch's arena. */
};

struct column {
    const char *name; /* in every sink, in JSON and in docs */
    const char *
        json_key; /* CoinGecko's key; NULL when the value has no key of its own (flattened, ours) */
    const char *unit; /* "" "vs_currency" "percent" "coins" "UTC" "rank" "times" */
    const char *help;
    enum cell_kind kind;
    bool is_not_null;
};

/* What stores need to know of a table that they keep is said of those in row/tables.h only. */
struct table {
    const char *name; /* of its rows in every store */
    const struct column *columns;
    size_t n_columns;

    const char *latest;   /* of the last row of each key, in stores that keep a history; NULL: a key
                           * is a moment of the past, and stores keep no last ones */
    const char *endpoint; /* CoinGecko's, whose answers it holds */
    bool is_of_coins;     /* its key is a coin: stores number coins, and keep names and absences */
    size_t first_stored;  /* fetched_at, and what follows; before it the key, and a coin's names */
    size_t coin_column;   /* of the coin that a row is of, whose key it is not; 0: none */
    int64_t whole_us;     /* the first poll of each such span of UTC is stored whole, later ones
                           * without the rows that did not change; 0: all are whole */
};

/* What a table begins with: a coin's also with its names, and the logo where there is one. */
enum { ROW_ID, ROW_SYMBOL, ROW_NAME, ROW_IMAGE };

static inline bool table_has_image(const struct table *t)
{
    return t->is_of_coins && t->first_stored > ROW_IMAGE;
}

struct rows {
    const struct table *table;
    struct cell *cells; /* n * table->n_columns, row by row */
    size_t n;
};

static inline struct cell *rows_at(const struct rows *rows, size_t row)
{
    return rows->cells + row * rows->table->n_columns;
}

static inline struct str cell_text(const struct cell *c)
{
    return (struct str){c->text, c->len};
}

static inline struct dec cell_dec(const struct cell *c)
{
    return (struct dec){.mant = c->number, .exp = c->exp, .is_exact = c->is_exact};
}

#define CELL_NONE ((struct cell){.kind = CELL_NULL})

static inline struct cell cell_of_text(struct str text)
{
    return (struct cell){
        .kind = CELL_TEXT, .text = text.p ? text.p : "", .len = (uint32_t)text.len};
}

static inline struct cell cell_of_int(int64_t value)
{
    return (struct cell){.kind = CELL_INT, .number = value};
}

static inline struct cell cell_of_time(int64_t ts_us)
{
    return (struct cell){.kind = CELL_TIME, .number = ts_us};
}

/* A number, and the lexeme it was parsed from, which is borrowed. */
static inline struct cell cell_of_dec(struct dec d, struct str lexeme)
{
    return (struct cell){
        .kind = CELL_NUM,
        .is_exact = d.is_exact,
        .exp = d.exp,
        .number = d.mant,
        .text = lexeme.p,
        .len = (uint32_t)lexeme.len,
    };
}

/* A number from its JSON lexeme; the lexeme is borrowed. */
enum dec_result cell_of_num(struct str lexeme, struct cell *ret_cell) MUST_USE;

/* Same value: numbers numerically (inexact ones by lexeme), texts by bytes, NULL equals NULL only.
 */
bool cell_equal(const struct cell *a, const struct cell *b);

/* Append the value as JSON: numbers by their lexeme where there is one, times as CoinGecko writes
 * them (milliseconds and Z) when they have no lexeme. */
void cell_add_json(struct buf *b, const struct cell *c);

/* Append the value as plain text (CSV, terminal); NULL appends nothing. */
void cell_add_text(struct buf *b, const struct cell *c);

/* Index of the column called `name`; n_columns when there is none. */
size_t table_find(const struct table *t, struct str name);

#endif
