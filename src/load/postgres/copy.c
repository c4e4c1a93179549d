/* SPDX-License-Identifier: Apache-2.0 */
#include "load/postgres/copy.h"

#include "base/mem.h"
#include "load/postgres/binary.h"

#include <assert.h>

void copy_init(struct copy *c)
{
    *c = (struct copy){.bytes = BUF_INIT(COPY_MAX_BYTES)};
}

void copy_release(struct copy *c)
{
    buf_release(&c->bytes);
    mem_free(c->rows);
    copy_init(c);
}

void copy_clear(struct copy *c)
{
    buf_clear(&c->bytes);
    c->n = 0;
}

/* ---- numbers: digits of base 10000, the first of them at 10000^weight ---- */

#define MAX_GROUPS 36 /* DEC_MAX_LEXEME digits, and one not full at either end */

struct groups {
    uint16_t digits[MAX_GROUPS]; /* the last first */
    int n;
    int last_weight; /* of digits[0] */
    int scale;       /* decimal places */
    bool is_negative;
};

static size_t write_groups(const struct groups *g, char *out)
{
    int n = g->n, skip = 0;

    while (n > 0 && g->digits[n - 1] == 0)
        n--;
    while (skip < n && g->digits[skip] == 0)
        skip++;
    put_u16(out, (uint16_t)(n - skip));
    put_u16(out + 2, (uint16_t)(n > 0 ? g->last_weight + n - 1 : 0));
    put_u16(out + 4, g->is_negative && n > 0 ? 0x4000 : 0);
    put_u16(out + 6, (uint16_t)g->scale);
    for (int i = n; i > skip; i--)
        put_u16(out + 8 + 2 * (n - i), g->digits[i - 1]);
    return 8 + 2 * (size_t)(n - skip);
}

/* Floor of a division by 4, and what is left. */
static int split_exponent(int exp, int *ret_left)
{
    int weight = exp >= 0 ? exp / 4 : -((3 - exp) / 4);

    *ret_left = exp - 4 * weight;
    return weight;
}

static void groups_of_dec(struct dec d, struct groups *g)
{
    static const uint16_t powers[] = {1, 10, 100, 1000, 10000};
    uint64_t rest = d.mant < 0 ? -(uint64_t)d.mant : (uint64_t)d.mant;
    int left;

    g->is_negative = d.mant < 0;
    g->last_weight = split_exponent(d.exp, &left);
    g->scale = d.exp < 0 ? -d.exp : 0;
    g->digits[g->n++] = (uint16_t)(rest % powers[4 - left] * powers[left]);
    rest /= powers[4 - left];
    for (; rest > 0; rest /= 10000)
        g->digits[g->n++] = (uint16_t)(rest % 10000);
}

/* A JSON number that no struct dec holds, as dec_parse() lets it through. */
static void groups_of_lexeme(struct str lexeme, struct groups *g)
{
    char digits[DEC_MAX_LEXEME];
    int n = 0, exp = 0, left;
    bool is_fraction = false;
    int64_t power = 0;

    for (size_t i = 0; i < lexeme.len; i++) {
        char c = lexeme.p[i];
        if (c == 'e' || c == 'E') {
            bool has_plus = lexeme.p[i + 1] == '+';
            struct str rest = {lexeme.p + i + 1 + has_plus, lexeme.len - i - 1 - has_plus};
            bool is_number = str_to_i64(rest, -2 * DEC_MAX_LEXEME - DEC_MAX_EXP,
                                        2 * DEC_MAX_LEXEME + DEC_MAX_EXP, &power);
            assert(is_number);
            (void)is_number;
            break;
        }
        if (c == '.')
            is_fraction = true;
        else if (c != '-')
            digits[n++] = c;
        exp -= is_fraction && c != '.';
    }
    exp += (int)power;
    g->is_negative = lexeme.p[0] == '-';
    g->last_weight = split_exponent(exp, &left);
    g->scale = exp < 0 ? -exp : 0;
    for (int at = n, places = left; at > 0; places = 0) { /* `places` zeros behind the last digit */
        unsigned group = 0, power_of = 1;
        for (int i = 0; i < places; i++)
            power_of *= 10;
        for (int i = places; i < 4 && at > 0; i++, power_of *= 10)
            group += (unsigned)(digits[--at] - '0') * power_of;
        g->digits[g->n++] = (uint16_t)group;
    }
}

size_t copy_write_number(const struct cell *c, char *out)
{
    struct groups g = {.n = 0};

    if (c->is_exact)
        groups_of_dec(cell_dec(c), &g);
    else
        groups_of_lexeme(cell_text(c), &g);
    return write_groups(&g, out);
}

/* ---- rows ---- */

static char *add_i64(char *p, int64_t value)
{
    put_u32(p, 8);
    put_u64(p + 4, (uint64_t)value);
    return p + 12;
}

static char *add_i32(char *p, int32_t value)
{
    put_u32(p, 4);
    put_u32(p + 4, (uint32_t)value);
    return p + 8;
}

static char *add_cell(char *p, const struct cell *c)
{
    switch ((enum cell_kind)c->kind) {
    case CELL_NULL:
        put_u32(p, UINT32_MAX);
        return p + 4;
    case CELL_NUM: {
        size_t len = copy_write_number(c, p + 4);
        put_u32(p, (uint32_t)len);
        return p + 4 + len;
    }
    case CELL_INT:
        return add_i64(p, c->number);
    case CELL_TIME:
        return add_i64(p, timestamp_of_us(c->number));
    case CELL_TEXT:
        put_u32(p, c->len);
        memcpy(p + 4, c->text, c->len);
        return p + 4 + c->len;
    }
    return p;
}

static enum st note_row(struct copy *c, size_t index, struct err *err)
{
    if (c->n == c->max) {
        size_t max = c->max > 0 ? c->max * 2 : 256;
        struct copy_row *rows = mem_try(c->rows, max * sizeof(*rows));
        if (rows == NULL)
            return err_set(err, ST_AGAIN, "no memory for %zu rows", max);
        c->rows = rows;
        c->max = max;
    }
    c->rows[c->n++] = (struct copy_row){.start = c->bytes.len, .index = index};
    return ST_OK;
}

static size_t room_of(const struct cell *c)
{
    return 4 + (c->kind == CELL_TEXT ? c->len : COPY_MAX_NUMBER);
}

/* A coin's number is an integer there, whatever cells hold. */
static char *add_key(char *p, const struct cell *key)
{
    return key->kind == CELL_INT ? add_i32(p, (int32_t)key->number) : add_cell(p, key);
}

enum st copy_add(struct copy *c, const struct table *t, const struct db_row *row, struct err *err)
{
    size_t room = 2 + 3 * 12 + room_of(&row->key);

    for (size_t i = t->first_stored; i < t->n_columns; i++)
        room += room_of(&row->cells[i]);
    if (room > COPY_MAX_BYTES - c->bytes.len)
        return err_set(err, ST_REJECT, "more than %zu bytes of rows", COPY_MAX_BYTES);
    enum st st = note_row(c, row->index, err);
    if (st != ST_OK)
        return st;
    char *start = buf_room(&c->bytes, room), *p = start;
    if (start == NULL)
        return err_set(err, ST_AGAIN, "no memory for %zu bytes of rows", c->bytes.len + room);
    put_u16(p, (uint16_t)(3 + t->n_columns - t->first_stored));
    p = add_i64(p + 2, timestamp_of_us(row->slot_us));
    p = add_i32(p, (int32_t)row->job_id);
    p = add_key(p, &row->key);
    for (size_t i = t->first_stored; i < t->n_columns; i++)
        p = add_cell(p, &row->cells[i]);
    buf_added(&c->bytes, (size_t)(p - start));
    return ST_OK;
}

enum st copy_add_candle(struct buf *b, const struct db_candle *candle, struct err *err)
{
    const size_t room = 2 + DB_N_CANDLE_COLUMNS * (4 + COPY_MAX_NUMBER);

    char *start = buf_room(b, room), *p = start;
    if (start == NULL)
        return err_set(err, ST_AGAIN, "no memory for %zu bytes of candles", b->len + room);
    put_u16(p, DB_N_CANDLE_COLUMNS);
    p = add_i32(p + 2, (int32_t)candle->step);
    p = add_i64(p, timestamp_of_us(candle->start_us));
    p = add_i32(p, (int32_t)candle->job_id);
    p = add_i32(p, (int32_t)candle->coin_id);
    for (int i = 0; i < N_CANDLE_VALUES; i++)
        p = add_cell(p, &candle->values[i]);
    p = add_cell(p, &candle->first_at);
    p = add_cell(p, &candle->last_at);
    p = add_i32(p, (int32_t)candle->n_rows);
    p = add_i32(p, (int32_t)candle->n_unpriced);
    buf_added(b, (size_t)(p - start));
    return ST_OK;
}

struct str copy_rows(const struct copy *c, size_t first, size_t end)
{
    size_t from = c->rows[first].start, until = end < c->n ? c->rows[end].start : c->bytes.len;

    return (struct str){c->bytes.p + from, until - from};
}
