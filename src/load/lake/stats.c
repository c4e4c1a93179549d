/* SPDX-License-Identifier: Apache-2.0 */
#include "load/lake/stats.h"

#include "base/clock.h"
#include "base/shortest.h"

#include <math.h>

static void add_int(struct stats_column *s, int64_t value)
{
    if (!s->has_bounds || value < s->min)
        s->min = value;
    if (!s->has_bounds || value > s->max)
        s->max = value;
    s->has_bounds = true;
}

/* As Parquet's writer has it: what no double is near to is null. */
static void add_num(struct stats_column *s, const struct cell *cell)
{
    bool is_same;
    const double value = dec_to_double(cell_dec(cell), cell_text(cell), &is_same);

    if (!isfinite(value)) {
        s->n_nulls++;
        return;
    }
    if (!s->has_bounds || value < s->least)
        s->least = value;
    if (!s->has_bounds || value > s->greatest)
        s->greatest = value;
    s->has_bounds = true;
}

static void add_text(struct stats_column *s, struct str text)
{
    if (text.len > sizeof(s->first.p))
        s->is_unbounded = true;
    if (s->is_unbounded)
        return;
    if (!s->has_bounds || str_cmp(text, (struct str){s->first.p, s->first.len}) < 0) {
        memcpy(s->first.p, text.p, text.len);
        s->first.len = text.len;
    }
    if (!s->has_bounds || str_cmp(text, (struct str){s->last.p, s->last.len}) > 0) {
        memcpy(s->last.p, text.p, text.len);
        s->last.len = text.len;
    }
    s->has_bounds = true;
}

void stats_add(struct stats_column *s, const struct column *column, const struct cell *cell)
{
    if (cell->kind == CELL_NULL)
        s->n_nulls++;
    else if (column->kind == CELL_NUM)
        add_num(s, cell);
    else if (column->kind == CELL_TEXT)
        add_text(s, cell_text(cell));
    else
        add_int(s, cell->number);
}

/* Times have milliseconds there: the bounds must not become tighter by that. */
static void write_time(struct buf *b, int64_t ts_us, bool is_max)
{
    char text[TIME_TEXT];

    time_format_ms(time_floor(is_max ? ts_us + US_PER_MS - 1 : ts_us, US_PER_MS), text);
    buf_addf(b, "\"%s\"", text);
}

static void write_bound(struct buf *b, const struct stats_column *s, enum cell_kind kind,
                        bool is_max)
{
    char text[SHORTEST_TEXT];

    switch (kind) {
    case CELL_NUM:
        buf_add(b, text, shortest_format_e(is_max ? s->greatest : s->least, text));
        return;
    case CELL_TEXT:
        buf_add_json_str(b, is_max ? (struct str){s->last.p, s->last.len}
                                   : (struct str){s->first.p, s->first.len});
        return;
    case CELL_TIME:
        write_time(b, is_max ? s->max : s->min, is_max);
        return;
    case CELL_INT:
    case CELL_NULL:
        break;
    }
    buf_add_i64(b, is_max ? s->max : s->min);
}

static bool has_bounds(const struct stats_column *s, enum cell_kind kind)
{
    const bool is_sayable = kind != CELL_TIME || s->max <= TIME_LAST_US - US_PER_MS;

    return s->has_bounds && !s->is_unbounded && is_sayable;
}

void stats_write(struct buf *b, const struct stats_column *s, const struct column *columns,
                 size_t n, uint64_t n_rows)
{
    buf_addf(b, "{\"numRecords\":%llu", (unsigned long long)n_rows);
    for (int which = 0; which < 2; which++) {
        const char *before = "";
        buf_addf(b, ",\"%s\":{", which == 0 ? "minValues" : "maxValues");
        for (size_t i = 0; i < n; i++) {
            if (!has_bounds(&s[i], columns[i].kind))
                continue;
            buf_addf(b, "%s\"%s\":", before, columns[i].name);
            write_bound(b, &s[i], columns[i].kind, which == 1);
            before = ",";
        }
        buf_add_char(b, '}');
    }
    buf_add_z(b, ",\"nullCount\":{");
    for (size_t i = 0; i < n; i++)
        buf_addf(b, "%s\"%s\":%llu", i > 0 ? "," : "", columns[i].name,
                 (unsigned long long)s[i].n_nulls);
    buf_add_z(b, "}}");
}
