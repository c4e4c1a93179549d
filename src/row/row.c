/* SPDX-License-Identifier: Apache-2.0 */
#include "row/row.h"

#include "base/clock.h"

enum dec_result cell_of_num(struct str lexeme, struct cell *ret_cell)
{
    struct dec d;
    enum dec_result result = dec_parse(lexeme, &d);
    if (result == DEC_OK)
        *ret_cell = cell_of_dec(d, lexeme);
    return result;
}

bool cell_equal(const struct cell *a, const struct cell *b)
{
    if (a->kind != b->kind)
        return false;
    switch ((enum cell_kind)a->kind) {
    case CELL_NULL:
        return true;
    case CELL_NUM:
        if (a->is_exact && b->is_exact)
            return a->number == b->number && a->exp == b->exp;
        return a->is_exact == b->is_exact && str_eq(cell_text(a), cell_text(b));
    case CELL_INT:
    case CELL_TIME:
        return a->number == b->number;
    case CELL_TEXT:
        return str_eq(cell_text(a), cell_text(b));
    }
    return false;
}

static void add_value(struct buf *b, const struct cell *c)
{
    char text[TIME_TEXT > DEC_MAX_TEXT ? TIME_TEXT : DEC_MAX_TEXT];

    if (c->text)
        buf_add_str(b, cell_text(c));
    else if (c->kind == CELL_INT)
        buf_add_i64(b, c->number);
    else if (c->kind == CELL_TIME)
        buf_add(b, text, time_format_ms(c->number, text));
    else if (c->kind == CELL_NUM)
        buf_add(b, text, dec_format(cell_dec(c), text));
}

void cell_add_json(struct buf *b, const struct cell *c)
{
    switch ((enum cell_kind)c->kind) {
    case CELL_NULL:
        buf_add_z(b, "null");
        break;
    case CELL_NUM:
    case CELL_INT:
        add_value(b, c);
        break;
    case CELL_TEXT:
        buf_add_json_str(b, cell_text(c));
        break;
    case CELL_TIME:
        buf_add_char(b, '"');
        add_value(b, c);
        buf_add_char(b, '"');
        break;
    }
}

void cell_add_text(struct buf *b, const struct cell *c)
{
    if (c->kind != CELL_NULL)
        add_value(b, c);
}

size_t table_find(const struct table *t, struct str name)
{
    size_t i = 0;
    while (i < t->n_columns && !str_eq(name, str_of(t->columns[i].name)))
        i++;
    return i;
}
