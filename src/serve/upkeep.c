/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/upkeep.h"

#include "base/clock.h"
#include "query/coverage.h"
#include "serve/json.h"

#define DAY_US (86400 * US_PER_S)

/* A function of the driver that gives the newest rows of something. */
typedef enum st newest(struct query *q, uint32_t limit, struct arena *arena, struct rows *ret_rows,
                       struct err *err);

static void answer_newest(struct own *own, newest *ask, const char *key,
                          const struct http_request *req, struct http_response *res)
{
    uint32_t limit = UPKEEP_LIMIT;
    struct rows rows;
    struct err err = ERR_INIT;

    if (!ask) {
        own_refuse_store(own, key, res);
        return;
    }
    if (!own_read_limit(req, UPKEEP_MAX_LIMIT, &limit, res))
        return;
    enum st st = ask(own->query, limit, own->arena, &rows, &err);
    if (st != ST_OK) {
        own_fail(res, st, &err);
        return;
    }
    buf_add_char(&res->body, '{');
    own_add_rows(&res->body, key, &rows);
    buf_add_z(&res->body, "}\n");
}

void quarantine_get(struct own *own, const struct http_request *req, struct http_response *res)
{
    answer_newest(own, own->query ? own->query->driver->refusals : NULL, "quarantine", req, res);
}

void quality_get(struct own *own, const struct http_request *req, struct http_response *res)
{
    answer_newest(own, own->query ? own->query->driver->flags : NULL, "quality", req, res);
}

/* ---- coverage ---- */

/* Whole days. False: refused. */
static bool read_days(const struct http_request *req, struct coverage_query *args,
                      struct http_response *res)
{
    const int64_t max_us = COVERAGE_MAX_DAYS * DAY_US;
    int64_t from_us = INT64_MIN, until_us = args->now_us;

    if (!own_read_time(req, "from", &from_us, res) || !own_read_time(req, "until", &until_us, res))
        return false;
    if (from_us == INT64_MIN)
        from_us = until_us - COVERAGE_SINCE_US;
    if (until_us > args->now_us + max_us || from_us >= until_us || until_us - from_us > max_us) {
        own_refuse(res, 400, "from, until: not a span of at most %d days", COVERAGE_MAX_DAYS);
        return false;
    }
    args->from_us = time_floor(from_us, DAY_US);
    args->until_us = time_floor(until_us - 1, DAY_US) + DAY_US;
    return true;
}

static bool has_polls(const struct rows *rows)
{
    for (size_t i = 0; i < rows->n; i++)
        for (size_t column = COVERAGE_OK; column < N_COVERAGE_COLUMNS; column++)
            if (rows_at(rows, i)[column].number > 0)
                return true;
    return false;
}

void coverage_get(struct own *own, const struct http_request *req, struct http_response *res)
{
    struct coverage_query args = {.job = http_query(req, "job"),
                                  .now_us = clock_wall_us(clock_system())};
    struct rows rows;
    struct err err = ERR_INIT;

    if (!own->query || !own->query->driver->coverage) {
        own_refuse_store(own, "polls", res);
        return;
    }
    if (!read_days(req, &args, res) || !own_choose_job(own, &args.job, res))
        return;
    enum st st = own->query->driver->coverage(own->query, &args, own->arena, &rows, &err);
    if (st != ST_OK) {
        own_fail(res, st, &err);
        return;
    }
    if (!has_polls(&rows) && !own_check_job(own, args.job, res))
        return;
    own_add_job(&res->body, args.job);
    own_add_rows(&res->body, "days", &rows);
    buf_add_z(&res->body, "}\n");
}

const struct operation op_quarantine = {
    .summary = "what was refused, newest first",
    .takes = (const struct parameter[]){TAKES_LIMIT(UPKEEP_LIMIT, UPKEEP_MAX_LIMIT), TAKES_END},
    .gives = "{quarantine:[@quarantine]}",
    .refuses = {501},
};

const struct operation op_quality = {
    .summary = "values that are hardly true, newest first",
    .takes = (const struct parameter[]){TAKES_LIMIT(UPKEEP_LIMIT, UPKEEP_MAX_LIMIT), TAKES_END},
    .gives = "{quality:[@quality]}",
    .refuses = {501},
};

const struct operation op_coverage = {
    .summary = "polls and promises of a job by UTC days, the oldest first",
    .takes = (const struct parameter[]){TAKES_JOB,
                                        TAKES_TIME("from", "30 days before until unless said"),
                                        TAKES_TIME("until", "now unless said"), TAKES_END},
    .gives = "{job:s,days:[@coverage]}",
    .refuses = {404, 501},
};
