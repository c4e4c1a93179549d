/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/drift.h"

#include "base/clock.h"
#include "transform/walk.h"

#include <assert.h>
#include <stdio.h>

#define MIN_ROWS       10 /* fewer values are no evidence of how times are made */
#define MIN_PERCENTS   20 /* nor of digits */
#define MIN_LEFT       3  /* coins */
#define MAX_LEFT_NAMED 8
#define MAX_NAME       64 /* bytes of a field or a coin in drift_write() */
#define DAY_US         (86400 * US_PER_S)

#define EVENT true
#define STATE false

const struct drift_kind_def drift_kinds[N_DRIFT_KINDS] = {
#define DRIFT_ROW(id, name_, is_event_, help_) \
    {.name = name_, .help = help_, .is_event = is_event_},
    DRIFT_KINDS(DRIFT_ROW)
#undef DRIFT_ROW
};

/* What is found is kept here until it is known how much it is: each field is there at most once in
 * each kind, as `new` at most once for each unknown one. */
#define MAX_FOUND (4 * WALK_MAX_COLUMNS + WALK_MAX_UNKNOWN + 4)

struct finder {
    const struct walk *walk;
    const struct transform_input *in;
    struct poll_rows *p;
    struct drift *found;
    size_t n;
    bool is_full; /* the arena */
};

static struct drift *add(struct finder *f, enum drift_kind kind, struct str field, struct str to)
{
    assert(f->n < MAX_FOUND);
    f->found[f->n] = (struct drift){
        .kind = kind, .is_event = drift_kinds[kind].is_event, .field = field, .to = to};
    return &f->found[f->n++];
}

/* As add(), with a text that is made: at most 127 bytes of it. */
static void add_made(struct finder *f, enum drift_kind kind, struct str field, const char *to)
{
    struct str text = arena_str(f->walk->arena, str_of(to));

    f->is_full |= text.p == NULL;
    add(f, kind, field, text);
}

static struct str event_name(enum json_event event)
{
    static const char *const names[] = {
        [JSON_NUMBER] = "number", [JSON_STRING] = "text",         [JSON_TRUE] = "boolean",
        [JSON_FALSE] = "boolean", [JSON_OBJECT_BEGIN] = "object", [JSON_ARRAY_BEGIN] = "array",
        [JSON_NULL] = "null",
    };

    return str_of(names[event]);
}

/* What the API sends for a column. */
static struct str column_type(const struct column *c)
{
    static const char *const names[] = {[CELL_NUM] = "number",
                                        [CELL_INT] = "whole number",
                                        [CELL_TEXT] = "text",
                                        [CELL_TIME] = "time"};

    return c->json_key ? str_of(names[c->kind]) : STR("object");
}

static const struct cell *cell_at(const struct rows *rows, size_t row, size_t column)
{
    return &rows_at(rows, row)[column];
}

/* ---- fields that came, went, changed their name or type ---- */

/* Numbers of which the larger is at most twice the smaller; times within a week; equal texts. */
static bool is_near(const struct cell *a, const struct cell *b)
{
    bool is_same;

    if (a->kind != b->kind)
        return false;
    if (a->kind == CELL_TIME)
        return a->number - b->number <= 7 * DAY_US && b->number - a->number <= 7 * DAY_US;
    if (a->kind != CELL_NUM && a->kind != CELL_INT)
        return cell_equal(a, b);
    double x = a->kind == CELL_INT ? (double)a->number
                                   : dec_to_double(cell_dec(a), cell_text(a), &is_same);
    double y = b->kind == CELL_INT ? (double)b->number
                                   : dec_to_double(cell_dec(b), cell_text(b), &is_same);
    return (x <= 2 * y && y <= 2 * x) || (x >= 2 * y && y >= 2 * x);
}

/* Does the unknown field have the values that the column had in the poll before? */
static bool has_its_values(const struct finder *f, const struct walk_extra *u, size_t column)
{
    const struct poll_rows *prev = f->in->prev_rows;
    const struct column *c = &f->p->rows.table->columns[column];
    size_t n = 0, n_near = 0;

    for (size_t i = 0; i < u->n_samples; i++) {
        struct cell cell = CELL_NONE;
        uint32_t row = u->samples[i].row;
        if (row >= f->p->rows.n || f->p->prev_row[row] == COINS_NO_ROW)
            continue;
        const struct cell *before = cell_at(&prev->rows, f->p->prev_row[row], column);
        if (before->kind == CELL_NULL)
            continue;
        n++;
        n_near += walk_read(&u->samples[i].value, c->kind, &cell) == NULL && is_near(&cell, before);
    }
    return 2 * n_near > n;
}

static bool is_lacking(const struct walk_shape *shape, size_t column)
{
    return 2 * shape->n_lacking[column] >= shape->n_rows;
}

/* The unknown field that the missing column goes by now; n_unknown: none. */
static size_t find_new_name(const struct finder *f, size_t column, uint64_t taken)
{
    const struct walk_shape *shape = &f->walk->shape;

    if (f->in->prev_rows == NULL || f->p->rows.table->columns[column].json_key == NULL)
        return shape->n_unknown;
    for (size_t i = 0; i < shape->n_unknown; i++)
        if (!(taken >> i & 1) && shape->unknown[i].field.parent.len == 0 &&
            has_its_values(f, &shape->unknown[i], column))
            return i;
    return shape->n_unknown;
}

/* Columns that are sent on request only, or that some coins only have: against the poll before. */
static void compare_optional(struct finder *f, size_t column)
{
    const uint64_t seen = f->walk->shape.seen, changed = seen ^ f->in->prev_rows->seen;
    const struct column *c = &f->p->rows.table->columns[column];
    const bool is_there = seen >> column & 1;

    if (!(changed >> column & 1))
        return;
    struct drift *d = add(f, is_there ? DRIFT_NEW : DRIFT_MISSING, f->walk->keys[column],
                          is_there ? column_type(c) : STR(""));
    d->from = is_there ? STR("") : column_type(c);
    d->is_event = true;
}

static void find_fields(struct finder *f)
{
    const struct table *t = f->p->rows.table;
    const struct walk_shape *shape = &f->walk->shape;
    uint64_t taken = 0;

    for (size_t i = 0; shape->n_rows > 0 && i < t->n_columns; i++) {
        if (f->walk->keys[i].len == 0)
            continue;
        if (i >= f->walk->endpoint->first_optional) {
            if (f->in->prev_rows)
                compare_optional(f, i);
            continue;
        }
        if (!is_lacking(shape, i))
            continue;
        size_t unknown = find_new_name(f, i, taken);
        if (unknown < shape->n_unknown) {
            taken |= UINT64_C(1) << unknown;
            add(f, DRIFT_RENAMED, f->walk->keys[i], shape->unknown[unknown].name);
        } else {
            add(f, DRIFT_MISSING, f->walk->keys[i], STR(""))->from = column_type(&t->columns[i]);
        }
    }
    for (size_t i = 0; i < shape->n_unknown; i++)
        if (!(taken >> i & 1))
            add(f, DRIFT_NEW, shape->unknown[i].name, event_name(shape->unknown[i].event));
}

static void find_types(struct finder *f)
{
    const struct table *t = f->p->rows.table;
    const struct walk_shape *shape = &f->walk->shape;

    for (size_t i = 0; i < t->n_columns; i++) {
        size_t n_good = 0;
        if (shape->n_quoted[i] > 0)
            add(f, DRIFT_TEXT_NUMBER, str_of(t->columns[i].name), STR("number in quotes"))->from =
                STR("number");
        for (size_t row = 0; shape->n_wrong[i] > 0 && row < f->p->rows.n; row++)
            n_good += cell_at(&f->p->rows, row, i)->kind != CELL_NULL;
        if (shape->n_wrong[i] > 0 && shape->n_wrong[i] >= n_good)
            add(f, DRIFT_RETYPED,
                f->walk->keys[i].len > 0 ? f->walk->keys[i] : str_of(t->columns[i].name),
                event_name((enum json_event)shape->wrong_event[i]))
                ->from = column_type(&t->columns[i]);
    }
}

/* ---- how values are made ---- */

static void find_times(struct finder *f, size_t column)
{
    size_t n = 0, n_whole = 0, n_tens = 0, n_same = 0;
    ptrdiff_t n_votes = 0;
    const struct rows *rows = &f->p->rows;
    int64_t common = 0;
    char to[64];

    for (size_t i = 0; i < rows->n; i++) {
        const struct cell *c = cell_at(rows, i, column);
        if (c->kind == CELL_NULL)
            continue;
        n++;
        n_whole += c->number % US_PER_S == 0;
        n_tens += c->number % (10 * US_PER_S) == 0;
        if (n_votes == 0) /* the value that most have, if there is one */
            common = c->number;
        n_votes += c->number == common ? 1 : -1;
    }
    for (size_t i = 0; n_votes > 0 && i < rows->n; i++)
        n_same += cell_at(rows, i, column)->kind != CELL_NULL &&
                  cell_at(rows, i, column)->number == common;
    const char *grain = 10 * n_tens >= 9 * n    ? "whole 10 s"
                        : 10 * n_whole >= 9 * n ? "whole seconds"
                                                : "";
    const char *same = 10 * n_same >= 9 * n ? "nearly all the same" : "";
    snprintf(to, sizeof(to), "%s%s%s", grain, grain[0] && same[0] ? ", " : "", same);
    if (n >= MIN_ROWS && to[0])
        add_made(f, DRIFT_TIMES, str_of(rows->table->columns[column].name), to);
}

/* Times of a past that stays: they do not move together. */
static void find_shift(struct finder *f, size_t column)
{
    const struct poll_rows *p = f->p, *prev = f->in->prev_rows;
    size_t n = 0, n_moved = 0, n_same = 0;
    ptrdiff_t n_votes = 0;
    int64_t common = 0;
    char to[64];

    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < p->rows.n; i++) {
            if (p->prev_row[i] == COINS_NO_ROW)
                continue;
            const struct cell *now = cell_at(&p->rows, i, column),
                              *before = cell_at(&prev->rows, p->prev_row[i], column);
            if (now->kind == CELL_NULL || before->kind == CELL_NULL)
                continue;
            int64_t by = time_floor(now->number, US_PER_S) - time_floor(before->number, US_PER_S);
            if (round == 1) {
                n_same += by == common;
                continue;
            }
            n++;
            n_moved += by != 0;
            if (n_votes == 0)
                common = by;
            n_votes += by == common ? 1 : -1;
        }
        if (2 * n_moved < n || common == 0 || common % (3600 * US_PER_S) != 0)
            return;
    }
    if (n < MIN_ROWS || 2 * n_same <= n)
        return;
    snprintf(to, sizeof(to), "%+lld h", (long long)(common / (3600 * US_PER_S)));
    add_made(f, DRIFT_SHIFTED, str_of(p->rows.table->columns[column].name), to);
}

static void find_digits(struct finder *f, size_t column)
{
    const struct rows *rows = &f->p->rows;
    size_t n = 0, n_rounded = 0;

    for (size_t i = 0; i < rows->n; i++) {
        const struct cell *c = cell_at(rows, i, column);
        if (c->kind != CELL_NUM || c->number == 0)
            continue;
        n++;
        n_rounded += c->is_exact && c->exp >= -1;
    }
    if (n >= MIN_PERCENTS && 10 * n_rounded >= 9 * n)
        add(f, DRIFT_DIGITS, str_of(rows->table->columns[column].name), STR("1 decimal"));
}

static void find_making(struct finder *f)
{
    const struct table *t = f->p->rows.table;

    for (size_t i = 0; i < t->n_columns; i++) {
        const struct column *c = &t->columns[i];
        if (c->kind == CELL_TIME && c->json_key) {
            find_times(f, i);
            if (f->in->prev_rows && i != f->walk->endpoint->clock_column)
                find_shift(f, i);
        } else if (c->kind == CELL_NUM && strcmp(c->unit, "percent") == 0) {
            find_digits(f, i);
        }
    }
}

/* ---- which coins ---- */

/* In a market's own motion about 2 % x sqrt(days) of the first coins are replaced: of 100 coins 6
 * to 23 between captures 39 to 115 days apart, 2023 to 2026. Another 2 % is given to the border,
 * where coins come and go with each poll. */
static bool is_beyond_motion(size_t n_left, size_t n, int64_t us)
{
    double beyond = 50.0 * (double)n_left - (double)n;
    double days = us > 0 ? (double)us / (double)DAY_US : 0;

    return n_left >= MIN_LEFT && beyond > 0 && beyond * beyond > (double)n * (double)n * days;
}

static void find_membership(struct finder *f)
{
    const struct poll_rows *p = f->p, *ok = f->in->prev_ok;
    const size_t n = ok ? coins_count(ok->coins) : 0;
    struct buf b = BUF_INIT(1024);

    if (ok == NULL || !is_beyond_motion(p->n_absent, n, p->slot_us - ok->slot_us))
        return;
    buf_addf(&b, "%zu of %zu left: ", p->n_absent, n);
    for (size_t i = 0; i < p->n_absent && i < MAX_LEFT_NAMED; i++) {
        buf_add_z(&b, i > 0 ? ", " : "");
        buf_add_clean(&b, p->absent[i], MAX_NAME);
    }
    if (p->n_absent > MAX_LEFT_NAMED)
        buf_addf(&b, " and %zu more", p->n_absent - MAX_LEFT_NAMED);
    add_made(f, DRIFT_MEMBERSHIP, STR("coins"), buf_z(&b));
    buf_release(&b);
}

/* ---- the whole ---- */

enum st drift_find(const struct walk *w, const struct transform_input *in, struct poll_rows *p,
                   struct err *err)
{
    struct drift found[MAX_FOUND];
    struct finder f = {.walk = w, .in = in, .p = p, .found = found};

    p->seen = w->shape.seen;
    find_fields(&f);
    find_types(&f);
    find_making(&f);
    find_membership(&f);
    if (w->shape.has_bom)
        add(&f, DRIFT_BOM, STR("answer"), STR(""));
    struct drift *kept = arena_alloc(w->arena, f.n, sizeof(*kept));
    if (kept == NULL || f.is_full)
        return walk_no_room(w->arena, err);
    memcpy(kept, found, f.n * sizeof(*kept));
    p->drifts = kept;
    p->n_drifts = f.n;
    return ST_OK;
}

void drift_write_one(struct buf *b, const struct drift *d)
{
    buf_add_clean(b, d->field, MAX_NAME);
    if (d->kind == DRIFT_NEW || d->kind == DRIFT_MISSING || d->to.len == 0)
        return;
    buf_add_z(b, d->kind == DRIFT_RENAMED ? " -> " : " (");
    if (d->from.len > 0) {
        buf_add_str(b, d->from);
        buf_add_z(b, " -> ");
    }
    buf_add_clean(b, d->to, d->to.len);
    buf_add_z(b, d->kind == DRIFT_RENAMED ? "" : ")");
}

void drift_write(struct buf *b, const struct drift *drifts, size_t n)
{
    const size_t begin = b->len;
    struct buf one = BUF_INIT(4096);

    for (int kind = 0; kind < N_DRIFT_KINDS; kind++) {
        const char *separator = begin == b->len ? "" : "; ", *name = drift_kinds[kind].name;
        for (size_t i = 0; i < n; i++) {
            if (drifts[i].kind != (enum drift_kind)kind)
                continue;
            buf_clear(&one);
            buf_addf(&one, "%s%s%s", separator, name, name[0] ? ": " : "");
            drift_write_one(&one, &drifts[i]);
            if (b->len - begin + one.len + sizeof("…") > DRIFT_MAX_TEXT) {
                buf_add_z(b, "…");
                buf_release(&one);
                return;
            }
            buf_add_str(b, buf_str(&one));
            separator = ", ";
            name = "";
        }
    }
    buf_release(&one);
}
