/* What some coins cost from hour to hour: a look, where a chart would read every poll. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sql/query.h"

#include "base/clock.h"

struct spark_args {
    const struct reader_job *job;
    struct str ids;
    int64_t since_us, until_us; /* slots */
};

static void bind_sparks(struct stmt *stmt, const void *of)
{
    const struct spark_args *args = of;

    db_bind_int(stmt, ":job_id", args->job->job_id);
    db_bind_int(stmt, ":at", args->job->at_us);
    db_bind_int(stmt, ":since", args->since_us);
    db_bind_int(stmt, ":until", args->until_us);
    db_bind_text(stmt, ":ids", args->ids);
}

/* A statement for each step: the first poll of each is looked up, however many there are. */
static enum st read_job(struct reader *r, const struct spark_query *args, struct spark_args *bound,
                        struct collected *c, struct err *err)
{
    enum st st = ST_OK;

    for (int64_t from_us = args->from_us; st == ST_OK && from_us < args->to_us;
         from_us += args->step_us) {
        bound->since_us = from_us;
        bound->until_us = from_us + args->step_us;
        st = reader_ask(r, DB_QUERY_SPARKS, bind_sparks, bound, c, err);
    }
    return st;
}

enum st reader_sparks(struct query *q, const struct spark_query *args, struct arena *arena,
                      struct rows *ret_rows, struct err *err)
{
    struct reader *r = q->state;
    struct rows rows = {.table = &spark_table};
    struct collected c = {.rows = &rows, .arena = arena};
    struct spark_args bound = {.job = NULL};
    struct reader_job *jobs = NULL;
    size_t n = 0;

    enum st st = reader_ids(args->ids, args->n_ids, arena, &bound.ids, err);
    if (st == ST_OK)
        st = reader_begin(r, err);
    if (st != ST_OK)
        return st;
    st = reader_jobs(r, TABLE_MARKET, args->vs_currency,
                     args->at_us != 0 ? args->at_us : reader_moment(r), arena, &jobs, &n, err);
    for (size_t i = 0; st == ST_OK && i < n; i++) {
        bound.job = &jobs[i];
        st = read_job(r, args, &bound, &c, err);
    }
    st = reader_end(r, st, err);
    if (st == ST_OK)
        *ret_rows = rows;
    return st;
}
