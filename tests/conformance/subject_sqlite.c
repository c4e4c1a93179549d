/* SPDX-License-Identifier: Apache-2.0 */
#include "subject.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

static void make_url(const char *dir, char *ret_url, size_t size)
{
    snprintf(ret_url, size, "sqlite:%s/market.db", dir);
}

/* A number as CoinGecko's lexemes in polls.h write it. */
static void add_number(sqlite3_stmt *stmt, struct buf *b)
{
    if (sqlite3_column_double(stmt, 1) == 2e-9)
        buf_add_z(b, "2e-9");
    else if (sqlite3_column_type(stmt, 1) != SQLITE_NULL)
        buf_add_z(b, (const char *)sqlite3_column_text(stmt, 1));
}

/* sql: of a job and a slot. */
static void show_answer(const struct sink_url *url, const char *sql, const char *job,
                        int64_t slot_us, struct buf *ret_text)
{
    sqlite3 *db;
    sqlite3_stmt *stmt;

    if (sqlite3_open_v2(url->rest, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK) {
        sqlite3_close(db);
        return; /* no store yet */
    }
    sqlite3_bind_text(stmt, 1, job, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, slot_us);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        buf_addf(ret_text, "%s=", (const char *)sqlite3_column_text(stmt, 0));
        add_number(stmt, ret_text);
        buf_add_char(ret_text, ' ');
    }
    sqlite3_finalize(stmt);
    sqlite3_close(db);
}

static void show(const char *dir, const struct sink_url *url, const char *job, int64_t slot_us,
                 struct buf *ret_text)
{
    const char *sql =
        strstr(job, "list") ? "SELECT coin.id, coin.name FROM listing JOIN coin USING (coin_id) "
                              "JOIN job USING (job_id) WHERE job.name = ? AND slot = ? ORDER BY 1"
        : strstr(job, "global") ? "SELECT id, value FROM global JOIN job USING (job_id) "
                                  "WHERE job.name = ? AND slot = ? ORDER BY 1"
        : strstr(job, "currencies")
            ? "SELECT id, '' FROM vs_currency JOIN job USING (job_id) "
              "WHERE job.name = ? AND slot = ? ORDER BY 1"
            : "SELECT coin.id, current_price FROM market JOIN coin USING (coin_id) "
              "JOIN job USING (job_id) WHERE job.name = ? AND slot = ? ORDER BY 1";

    (void)dir;
    show_answer(url, sql, job, slot_us, ret_text);
}

static void show_flags(const struct sink_url *url, const char *job, int64_t slot_us,
                       struct buf *ret_text)
{
    show_answer(url, "SELECT id, detail FROM quality WHERE job = ? AND slot = ? ORDER BY 1", job,
                slot_us, ret_text);
}

static void show_drift(const struct sink_url *url, const char *job, int64_t slot_us,
                       struct buf *ret_text)
{
    show_answer(url,
                "SELECT loaded, drift FROM poll JOIN job USING (job_id) "
                "WHERE job.name = ? AND slot = ? ORDER BY 1, 2",
                job, slot_us, ret_text);
}

const struct subject subject = {.scheme = "sqlite",
                                .has_store = true,
                                .is_persistent = true,
                                .shows_texts = true,
                                .make_url = make_url,
                                .show = show,
                                .show_flags = show_flags,
                                .show_drift = show_drift};
