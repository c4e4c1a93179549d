/* What stands in a store of SQLite's. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_LOAD_ASK_H
#define TESTS_UNIT_LOAD_ASK_H

#include "store_dir.h"

#include <sqlite3.h>

/* The answer of a query, cells parted by '|' and rows by '\n'; "NULL" for NULL. */
static inline const char *store_ask(const struct test_store *t, const char *sql)
{
    static char text[8192];
    sqlite3 *db;
    sqlite3_stmt *stmt;
    size_t n = 0;

    text[0] = '\0';
    if (sqlite3_open_v2(t->url.rest, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK) {
        snprintf(text, sizeof(text), "error: %s", sqlite3_errmsg(db));
        sqlite3_close(db);
        return text;
    }
    for (int row = 0; sqlite3_step(stmt) == SQLITE_ROW; row++)
        for (int i = 0; i < sqlite3_column_count(stmt) && n < sizeof(text) - 256; i++) {
            const char *cell = (const char *)sqlite3_column_text(stmt, i);
            n += (size_t)snprintf(text + n, 256, "%s%s",
                                  i > 0     ? "|"
                                  : row > 0 ? "\n"
                                            : "",
                                  cell ? cell : "NULL");
        }
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return text;
}

#endif
