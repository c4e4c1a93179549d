/* What the writer asks of the world: values are compared by golden/test_parquet.py. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "parquet/writer.h"
#include "tap.h"

static const struct column columns[] = {
    {.name = "id", .kind = CELL_TEXT},
    {.name = "price", .kind = CELL_NUM},
    {.name = "rank", .kind = CELL_INT},
    {.name = "at", .kind = CELL_TIME},
};

struct taken {
    size_t len, max, n;
};

static enum st take(void *ctx, struct str bytes, struct err *err)
{
    struct taken *t = ctx;

    if (t->len + bytes.len > t->max)
        return err_set(err, ST_FATAL, "no room");
    t->len += bytes.len;
    t->n++;
    return ST_OK;
}

static struct parquet *make(struct taken *taken, size_t group_rows)
{
    return parquet_new(&(struct parquet_options){
        .columns = columns,
        .n_columns = 4,
        .n_sort = 1,
        .group_rows = group_rows,
        .page_rows = group_rows / 4 + 1,
        .write = take,
        .ctx = taken,
    });
}

static enum st add(struct parquet *p, int64_t i, struct err *err)
{
    char id[32];
    snprintf(id, sizeof(id), "coin-%03d", (int)(i / 100));
    const struct cell row[] = {
        cell_of_text(str_of(id)),
        cell_of_dec(dec_of(i * 37), STR_NONE),
        i % 7 == 0 ? CELL_NONE : cell_of_int(i % 50),
        cell_of_time(i * 1000000),
    };
    return parquet_add(p, row, err);
}

static void rows_leave_memory_a_group_at_a_time(void)
{
    struct taken taken = {.max = SIZE_MAX};
    struct parquet *p = make(&taken, 1000);
    struct err err = ERR_INIT;

    for (int64_t i = 0; i < 999; i++)
        CHECK_OK(add(p, i, &err), err);
    CHECK_EQ(taken.n, 0);
    CHECK_OK(add(p, 999, &err), err);
    CHECK_EQ(taken.n, 1 + 5); /* the magic, and each column with that of exact numbers */
    const size_t after_one = taken.len;
    for (int64_t i = 1000; i < 3000; i++)
        CHECK_OK(add(p, i, &err), err);
    CHECK_EQ(taken.n, 1 + 3 * 5);
    CHECK(taken.len < 4 * after_one);
    parquet_free(p);
}

static void what_cannot_be_written_is_told_and_ends_it(void)
{
    struct err err = ERR_INIT;

    for (size_t max = 0; max < 3000; max += 50) {
        struct taken taken = {.max = max};
        struct parquet *p = make(&taken, 100);
        enum st st = ST_OK;
        for (int64_t i = 0; st == ST_OK && i < 1000; i++)
            st = add(p, i, &err);
        if (st == ST_OK)
            st = parquet_finish(p, NULL, 0, &err);
        CHECK_EQ(st, ST_FATAL);
        CHECK_Z(err.msg, "no room");
        parquet_free(p);
    }
}

/* A steady load allocates nothing but for what the footer keeps of each group. */
static void groups_use_memory_again(void)
{
    struct taken taken = {.max = SIZE_MAX};
    struct parquet *p = make(&taken, 500);
    struct err err = ERR_INIT;

    for (int64_t i = 0; i < 2000; i++)
        CHECK_OK(add(p, i, &err), err);
    const unsigned long before = mem_count();
    for (int64_t i = 2000; i < 20000; i++)
        CHECK_OK(add(p, i, &err), err);
    CHECK(mem_count() - before < 36);
    parquet_free(p);
}

TAP_MAIN(TAP_CASE(rows_leave_memory_a_group_at_a_time),
         TAP_CASE(what_cannot_be_written_is_told_and_ends_it), TAP_CASE(groups_use_memory_again))
