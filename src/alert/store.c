/* SPDX-License-Identifier: Apache-2.0 */
#include "alert/store.h"

#include "base/file.h"
#include "base/mem.h"

#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#define APPLICATION_ID  0x67746c61 /* "gtal" */
#define VERSION         2
#define BUSY_TIMEOUT_MS 2000
#define MAX_WAITING     100 /* messages of one rule */

static const char schema[] =
    "CREATE TABLE position (stream TEXT PRIMARY KEY, job TEXT NOT NULL, offset INTEGER NOT NULL,"
    " hash INTEGER NOT NULL, credits_key INTEGER NOT NULL, credits_from INTEGER NOT NULL,"
    " credits_spent INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE state (rule TEXT, stream TEXT, since INTEGER NOT NULL, has_fired INTEGER NOT "
    "NULL,"
    " mark INTEGER NOT NULL, PRIMARY KEY (rule, stream)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE sample (rule TEXT, stream TEXT, at INTEGER, mant INTEGER NOT NULL, exp INTEGER"
    " NOT NULL, is_exact INTEGER NOT NULL, PRIMARY KEY (rule, stream, at)) STRICT, WITHOUT ROWID;"
    /* number: the order they go out in */
    "CREATE TABLE outbox (number INTEGER PRIMARY KEY AUTOINCREMENT, rule TEXT NOT NULL, is_held"
    " INTEGER NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL, said TEXT NOT NULL, value TEXT NOT"
    " NULL, before TEXT NOT NULL, job TEXT NOT NULL, currency TEXT NOT NULL, is_simulated INTEGER"
    " NOT NULL, n_earlier INTEGER NOT NULL) STRICT;";

/* refused: why it is tried no more; "": it is */
static const char schema_2[] = "ALTER TABLE outbox ADD COLUMN n_tries INTEGER NOT NULL DEFAULT 0;"
                               "ALTER TABLE outbox ADD COLUMN retry_at INTEGER NOT NULL DEFAULT 0;"
                               "ALTER TABLE outbox ADD COLUMN refused TEXT NOT NULL DEFAULT '';"
                               "CREATE INDEX outbox_rule ON outbox (rule, number);"
                               "PRAGMA application_id = 1735683169; PRAGMA user_version = 2";

struct alert_store {
    sqlite3 *handle;
    bool is_in_transaction;
    char path[FILE_MAX_PATH];
};

/* ---- statements ---- */

static enum st failed(const struct alert_store *s, int code, struct err *err)
{
    const int basic = code & 0xff;
    const bool is_final =
        basic == SQLITE_NOTADB || basic == SQLITE_CORRUPT || basic == SQLITE_ERROR;

    return err_set(err, is_final ? ST_REJECT : ST_AGAIN, "%s: %s%s", s->path,
                   s->handle ? sqlite3_errmsg(s->handle) : sqlite3_errstr(code),
                   is_final ? "; move the file away, and alerts begin anew" : "");
}

static enum st run_sql(struct alert_store *s, const char *sql, struct err *err)
{
    int code = sqlite3_exec(s->handle, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? ST_OK : failed(s, code, err);
}

/* Prepare, and bind what follows by its letters: i int64_t, t const char * (borrowed). */
static enum st prepare(struct alert_store *s, sqlite3_stmt **ret_stmt, struct err *err,
                       const char *sql, const char *letters, ...)
{
    va_list ap;

    *ret_stmt = NULL;
    int code = sqlite3_prepare_v2(s->handle, sql, -1, ret_stmt, NULL);
    va_start(ap, letters);
    for (int i = 1; letters[i - 1] && code == SQLITE_OK; i++) {
        if (letters[i - 1] == 'i')
            code = sqlite3_bind_int64(*ret_stmt, i, va_arg(ap, int64_t));
        else
            code = sqlite3_bind_text(*ret_stmt, i, va_arg(ap, const char *), -1, SQLITE_STATIC);
    }
    va_end(ap);
    if (code == SQLITE_OK)
        return ST_OK;
    enum st st = failed(s, code, err);
    sqlite3_finalize(*ret_stmt);
    *ret_stmt = NULL;
    return st;
}

/* Run to the end what gives no rows, and finalize it. */
static enum st finish(struct alert_store *s, enum st st, sqlite3_stmt *stmt, struct err *err)
{
    if (st != ST_OK)
        return st;
    int code = sqlite3_step(stmt);
    if (code != SQLITE_DONE)
        st = failed(s, code, err);
    sqlite3_finalize(stmt);
    return st;
}

/* Step to the next row. */
static enum st step(struct alert_store *s, sqlite3_stmt *stmt, bool *ret_has_row, struct err *err)
{
    int code = sqlite3_step(stmt);

    *ret_has_row = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE ? ST_OK : failed(s, code, err);
}

static void get_text(sqlite3_stmt *stmt, int column, char *ret, size_t size)
{
    const char *text = (const char *)sqlite3_column_text(stmt, column);

    snprintf(ret, size, "%s", text ? text : "");
}

/* ---- opening ---- */

static enum st get_number(struct alert_store *s, const char *sql, int64_t *ret, struct err *err)
{
    sqlite3_stmt *stmt;
    bool has_row;

    enum st st = prepare(s, &stmt, err, sql, "");
    if (st == ST_OK)
        st = step(s, stmt, &has_row, err);
    if (st == ST_OK)
        *ret = has_row ? sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_finalize(stmt);
    return st;
}

static enum st make_schema(struct alert_store *s, struct err *err)
{
    int64_t id = 0, version = 0, n_tables = 0;

    enum st st = get_number(s, "PRAGMA application_id", &id, err);
    if (st == ST_OK)
        st = get_number(s, "PRAGMA user_version", &version, err);
    if (st == ST_OK)
        st = get_number(s, "SELECT count(*) FROM sqlite_schema", &n_tables, err);
    if (st != ST_OK)
        return st;
    if (n_tables > 0 && (id != APPLICATION_ID || version > VERSION))
        return err_set(err, ST_REJECT, "%s: %s", s->path,
                       id != APPLICATION_ID ? "another program's file; move it away"
                                            : "a newer geckotape's; use that, or move it away");
    if (version == VERSION)
        return ST_OK;
    if (version == 0)
        st = run_sql(s, schema, err);
    return st == ST_OK ? run_sql(s, schema_2, err) : st;
}

static enum st open_store(struct alert_store *s, struct err *err)
{
    int code = sqlite3_open_v2(s->path, &s->handle,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                                   SQLITE_OPEN_EXRESCODE,
                               NULL);
    if (code != SQLITE_OK)
        return failed(s, code, err);
    sqlite3_busy_timeout(s->handle, BUSY_TIMEOUT_MS);
    enum st st = run_sql(s, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", err);
    if (st == ST_OK)
        st = alert_store_begin(s, err); /* two that come at once make it once */
    if (st == ST_OK)
        st = make_schema(s, err);
    return st == ST_OK ? alert_store_commit(s, err) : st;
}

enum st alert_store_open(const char *path, struct alert_store **ret_store, struct err *err)
{
    struct alert_store *s = mem_new(1, sizeof(*s));

    /* no name is special to SQLite behind a "./" */
    enum st st = file_path(s->path, err, "%s%s", path[0] == '/' ? "" : "./", path);
    if (st == ST_OK)
        st = open_store(s, err);
    if (st == ST_OK)
        *ret_store = s;
    else
        alert_store_close(s);
    return st;
}

void alert_store_close(struct alert_store *s)
{
    if (s == NULL)
        return;
    alert_store_rollback(s);
    sqlite3_close(s->handle);
    mem_free(s);
}

enum st alert_store_begin(struct alert_store *s, struct err *err)
{
    enum st st = run_sql(s, "BEGIN IMMEDIATE", err);
    s->is_in_transaction = st == ST_OK;
    return st;
}

enum st alert_store_commit(struct alert_store *s, struct err *err)
{
    enum st st = run_sql(s, "COMMIT", err);
    s->is_in_transaction = st != ST_OK;
    return st;
}

void alert_store_rollback(struct alert_store *s)
{
    if (s->is_in_transaction) /* an error may have rolled back already, which makes this one fail */
        sqlite3_exec(s->handle, "ROLLBACK", NULL, NULL, NULL);
    s->is_in_transaction = false;
}

/* ---- positions ---- */

enum st alert_store_position(struct alert_store *s, const char *stream, bool *ret_is_there,
                             struct alert_position *ret, struct err *err)
{
    sqlite3_stmt *stmt;

    enum st st = prepare(s, &stmt, err,
                         "SELECT offset, hash, credits_key, credits_from, credits_spent"
                         " FROM position WHERE stream = ?",
                         "t", stream);
    if (st == ST_OK)
        st = step(s, stmt, ret_is_there, err);
    if (st == ST_OK && *ret_is_there)
        *ret = (struct alert_position){
            .offset = (uint64_t)sqlite3_column_int64(stmt, 0),
            .hash = (uint64_t)sqlite3_column_int64(stmt, 1),
            .credits_key = (uint64_t)sqlite3_column_int64(stmt, 2),
            .credits_from_us = sqlite3_column_int64(stmt, 3),
            .credits_spent = (uint64_t)sqlite3_column_int64(stmt, 4),
        };
    sqlite3_finalize(stmt);
    return st;
}

enum st alert_store_set_position(struct alert_store *s, const char *stream, const char *job,
                                 const struct alert_position *p, struct err *err)
{
    sqlite3_stmt *stmt;

    enum st st = prepare(s, &stmt, err, "REPLACE INTO position VALUES (?, ?, ?, ?, ?, ?, ?)",
                         "ttiiiii", stream, job, (int64_t)p->offset, (int64_t)p->hash,
                         (int64_t)p->credits_key, p->credits_from_us, (int64_t)p->credits_spent);
    return finish(s, st, stmt, err);
}

enum st alert_store_spent(struct alert_store *s, const char *but, uint64_t key, int64_t from_us,
                          int64_t *ret_spent, struct err *err)
{
    sqlite3_stmt *stmt;
    bool has_row = false;

    enum st st = prepare(s, &stmt, err,
                         "SELECT coalesce(sum(credits_spent), 0) FROM position"
                         " WHERE stream <> ? AND credits_key = ? AND credits_from = ?",
                         "tii", but, (int64_t)key, from_us);
    if (st == ST_OK)
        st = step(s, stmt, &has_row, err);
    if (st == ST_OK)
        *ret_spent = has_row ? sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_finalize(stmt);
    return st;
}

/* ---- states ---- */

static enum st read_samples(struct alert_store *s, const char *rule, const char *stream,
                            struct alert_state *state, struct err *err)
{
    sqlite3_stmt *stmt;
    bool has_row = true;

    enum st st = prepare(s, &stmt, err,
                         "SELECT at, mant, exp, is_exact FROM sample WHERE rule = ? AND stream = ?"
                         " ORDER BY at",
                         "tt", rule, stream);
    while (st == ST_OK && has_row && state->n_samples < ALERT_SAMPLES + 2) {
        st = step(s, stmt, &has_row, err);
        if (st == ST_OK && has_row)
            alert_state_add_sample(
                state,
                &(struct alert_sample){.at_us = sqlite3_column_int64(stmt, 0),
                                       .value = {.mant = sqlite3_column_int64(stmt, 1),
                                                 .exp = (int16_t)sqlite3_column_int(stmt, 2),
                                                 .is_exact = sqlite3_column_int(stmt, 3) != 0}});
    }
    sqlite3_finalize(stmt);
    return st;
}

enum st alert_store_state(struct alert_store *s, const char *rule, const char *stream,
                          bool *ret_is_there, struct alert_state *ret_state, struct err *err)
{
    sqlite3_stmt *stmt;

    enum st st = prepare(s, &stmt, err,
                         "SELECT since, has_fired, mark FROM state WHERE rule = ? AND stream = ?",
                         "tt", rule, stream);
    if (st == ST_OK)
        st = step(s, stmt, ret_is_there, err);
    if (st == ST_OK && *ret_is_there) {
        ret_state->since_us = sqlite3_column_int64(stmt, 0);
        ret_state->has_fired = sqlite3_column_int(stmt, 1) != 0;
        ret_state->mark_us = sqlite3_column_int64(stmt, 2);
    }
    sqlite3_finalize(stmt);
    return st == ST_OK ? read_samples(s, rule, stream, ret_state, err) : st;
}

static enum st write_samples(struct alert_store *s, const char *rule, const char *stream,
                             const struct alert_state *state, struct err *err)
{
    sqlite3_stmt *stmt;
    const struct alert_sample *last = &state->samples[state->n_samples - 1];

    enum st st =
        prepare(s, &stmt, err, "DELETE FROM sample WHERE rule = ? AND stream = ? AND at < ?", "tti",
                rule, stream, state->samples[0].at_us);
    st = finish(s, st, stmt, err);
    if (st != ST_OK)
        return st;
    st = prepare(s, &stmt, err, "REPLACE INTO sample VALUES (?, ?, ?, ?, ?, ?)", "ttiiii", rule,
                 stream, last->at_us, last->value.mant, (int64_t)last->value.exp,
                 (int64_t)last->value.is_exact);
    return finish(s, st, stmt, err);
}

enum st alert_store_set_state(struct alert_store *s, const char *rule, const char *stream,
                              const struct alert_state *state, struct err *err)
{
    sqlite3_stmt *stmt;

    enum st st = prepare(s, &stmt, err, "REPLACE INTO state VALUES (?, ?, ?, ?, ?)", "ttiii", rule,
                         stream, state->since_us, (int64_t)state->has_fired, state->mark_us);
    st = finish(s, st, stmt, err);
    return st == ST_OK && state->has_new_sample ? write_samples(s, rule, stream, state, err) : st;
}

/* ---- the outbox ---- */

/* The message of the rule that gives way to a new one; 0: none does. */
static enum st find_place(struct alert_store *s, const char *rule, bool is_held,
                          int64_t *ret_number, int64_t *ret_n_earlier, struct err *err)
{
    sqlite3_stmt *stmt;
    bool has_row = false;

    *ret_number = *ret_n_earlier = 0;
    enum st st = prepare(s, &stmt, err,
                         "SELECT number, n_earlier, count(*) OVER () FROM outbox"
                         " WHERE rule = ? AND is_held >= ? AND refused = ''"
                         " ORDER BY number DESC LIMIT 1",
                         "ti", rule, (int64_t)is_held);
    if (st == ST_OK)
        st = step(s, stmt, &has_row, err);
    if (st == ST_OK && has_row && (is_held || sqlite3_column_int64(stmt, 2) >= MAX_WAITING)) {
        *ret_number = sqlite3_column_int64(stmt, 0);
        *ret_n_earlier = sqlite3_column_int64(stmt, 1) + 1;
    }
    sqlite3_finalize(stmt);
    return st;
}

enum st alert_store_add(struct alert_store *s, const char *rule, bool is_held,
                        const struct alert_fact *f, struct err *err)
{
    int64_t number, n_earlier;
    sqlite3_stmt *stmt;

    enum st st = find_place(s, rule, is_held, &number, &n_earlier, err);
    if (st == ST_OK && number != 0)
        st = alert_store_delete(s, number, err);
    if (st != ST_OK)
        return st;
    st = prepare(s, &stmt, err,
                 "INSERT INTO outbox (rule, is_held, id, at, said, value, before, job, currency,"
                 " is_simulated, n_earlier) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                 "tititttttii", rule, (int64_t)is_held, f->id, f->at_us, f->said, f->value,
                 f->before, f->job, f->currency, (int64_t)f->is_simulated, n_earlier);
    return finish(s, st, stmt, err);
}

enum st alert_store_release(struct alert_store *s, struct err *err)
{
    return run_sql(s, "UPDATE outbox SET is_held = 0 WHERE is_held", err);
}

enum st alert_store_next(struct alert_store *s, const char *rule, int64_t now_us,
                         struct alert_waiting *ret_message, struct err *err)
{
    struct alert_fact *f = &ret_message->fact;
    sqlite3_stmt *stmt;
    bool has_row = false;

    *ret_message = (struct alert_waiting){.number = 0};
    /* a time that lies beyond all backoffs is of a clock that was wrong */
    enum st st = prepare(s, &stmt, err,
                         "SELECT number, id, at, said, value, before, job, currency, is_simulated,"
                         " n_earlier, n_tries, CASE WHEN retry_at > ?2 + ?3 THEN 0"
                         " ELSE max(retry_at - ?2, 0) END AS due FROM outbox WHERE rule = ?1 AND "
                         "NOT is_held AND refused = ''"
                         " ORDER BY due, number LIMIT 1",
                         "tii", rule, now_us, ALERT_BACKOFF_MAX_US);
    if (st == ST_OK)
        st = step(s, stmt, &has_row, err);
    if (st == ST_OK && has_row) {
        ret_message->number = sqlite3_column_int64(stmt, 0);
        get_text(stmt, 1, f->id, sizeof(f->id));
        f->at_us = sqlite3_column_int64(stmt, 2);
        get_text(stmt, 3, f->said, sizeof(f->said));
        get_text(stmt, 4, f->value, sizeof(f->value));
        get_text(stmt, 5, f->before, sizeof(f->before));
        get_text(stmt, 6, f->job, sizeof(f->job));
        get_text(stmt, 7, f->currency, sizeof(f->currency));
        f->is_simulated = sqlite3_column_int(stmt, 8) != 0;
        f->n_earlier = sqlite3_column_int64(stmt, 9);
        ret_message->n_tries = sqlite3_column_int64(stmt, 10);
        ret_message->due_in_us = sqlite3_column_int64(stmt, 11);
    }
    sqlite3_finalize(stmt);
    return st;
}

enum st alert_store_count(struct alert_store *s, size_t *ret_n, struct err *err)
{
    int64_t n = 0;

    enum st st =
        get_number(s, "SELECT count(*) FROM outbox WHERE NOT is_held AND refused = ''", &n, err);
    if (st == ST_OK)
        *ret_n = (size_t)n;
    return st;
}

enum st alert_store_put_off(struct alert_store *s, int64_t number, int64_t n_tries, int64_t at_us,
                            struct err *err)
{
    sqlite3_stmt *stmt;

    enum st st =
        prepare(s, &stmt, err, "UPDATE outbox SET n_tries = ?, retry_at = ? WHERE number = ?",
                "iii", n_tries, at_us, number);
    return finish(s, st, stmt, err);
}

enum st alert_store_retry(struct alert_store *s, struct err *err)
{
    return run_sql(s, "UPDATE outbox SET retry_at = 0 WHERE retry_at > 0", err);
}

enum st alert_store_put_aside(struct alert_store *s, int64_t number, const char *why,
                              struct err *err)
{
    sqlite3_stmt *stmt;

    enum st st =
        prepare(s, &stmt, err, "UPDATE outbox SET refused = ? WHERE number = ?", "ti", why, number);
    st = finish(s, st, stmt, err);
    if (st != ST_OK)
        return st;
    st = prepare(s, &stmt, err,
                 "DELETE FROM outbox WHERE rule = (SELECT rule FROM outbox WHERE number = ?1)"
                 " AND refused <> '' AND number NOT IN (SELECT number FROM outbox AS o"
                 " WHERE o.rule = outbox.rule AND refused <> '' ORDER BY number DESC LIMIT ?2)",
                 "ii", number, (int64_t)ALERT_ASIDE_MAX);
    return finish(s, st, stmt, err);
}

static enum st read_asides(struct alert_store *s, const char *rule,
                           struct alert_aside ret_asides[ALERT_ASIDE_MAX], size_t *ret_n,
                           struct err *err)
{
    int64_t version = 0;
    sqlite3_stmt *stmt;
    bool has_row = true;

    sqlite3_busy_timeout(s->handle, BUSY_TIMEOUT_MS);
    enum st st = get_number(s, "PRAGMA user_version", &version, err);
    if (st != ST_OK || version != VERSION) /* one of before knows none */
        return st;
    st = prepare(s, &stmt, err,
                 "SELECT at, said, refused FROM outbox WHERE rule = ? AND refused <> ''"
                 " ORDER BY number DESC LIMIT ?",
                 "ti", rule, (int64_t)ALERT_ASIDE_MAX);
    while (st == ST_OK) {
        st = step(s, stmt, &has_row, err);
        if (st != ST_OK || !has_row)
            break;
        struct alert_aside *one = &ret_asides[(*ret_n)++];
        one->at_us = sqlite3_column_int64(stmt, 0);
        get_text(stmt, 1, one->said, sizeof(one->said));
        get_text(stmt, 2, one->why, sizeof(one->why));
    }
    sqlite3_finalize(stmt);
    return st;
}

enum st alert_store_aside(const char *path, const char *rule,
                          struct alert_aside ret_asides[ALERT_ASIDE_MAX], size_t *ret_n,
                          struct err *err)
{
    struct alert_store s = {.handle = NULL};

    *ret_n = 0;
    enum st st = file_path(s.path, err, "%s%s", path[0] == '/' ? "" : "./", path);
    if (st != ST_OK || access(s.path, F_OK) != 0)
        return st;
    int code =
        sqlite3_open_v2(s.path, &s.handle,
                        SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    st = code == SQLITE_OK ? read_asides(&s, rule, ret_asides, ret_n, err) : failed(&s, code, err);
    sqlite3_close(s.handle);
    return st;
}

enum st alert_store_delete(struct alert_store *s, int64_t number, struct err *err)
{
    sqlite3_stmt *stmt;

    enum st st = prepare(s, &stmt, err, "DELETE FROM outbox WHERE number = ?", "i", number);
    return finish(s, st, stmt, err);
}

/* The stored rule that a new one takes over from; "": none. Before names had a hash, those of one
 * condition were called by it alone, "… #2", "… #3". */
static enum st find_heir(struct alert_store *s, const struct alert_name *rule,
                         char ret_from[ALERT_KEY_MAX], struct err *err)
{
    sqlite3_stmt *stmt;
    bool has_row = false;

    ret_from[0] = '\0';
    enum st st = prepare(s, &stmt, err,
                         "WITH stored AS (SELECT rule FROM state UNION SELECT rule FROM outbox)"
                         " SELECT rule FROM stored WHERE ?1 NOT IN stored AND rule NOT IN kept"
                         " AND (rule = ?2 OR substr(rule, 1, length(?2) + 2) IN (?2 || ' @',"
                         " ?2 || ' #')) ORDER BY length(rule), rule LIMIT 1",
                         "tt", rule->key, rule->when);
    if (st == ST_OK)
        st = step(s, stmt, &has_row, err);
    if (st == ST_OK && has_row)
        get_text(stmt, 0, ret_from, ALERT_KEY_MAX);
    sqlite3_finalize(stmt);
    return st;
}

static enum st take_over(struct alert_store *s, const struct alert_name *rule, struct err *err)
{
    static const char *const tables[] = {"UPDATE state SET rule = ? WHERE rule = ?",
                                         "UPDATE sample SET rule = ? WHERE rule = ?",
                                         ("UPDATE outbox SET rule = ?, n_tries = 0, retry_at = 0,"
                                          " refused = '' WHERE rule = ?")};
    char from[ALERT_KEY_MAX];
    sqlite3_stmt *stmt;

    enum st st = find_heir(s, rule, from, err);
    for (size_t i = 0; st == ST_OK && from[0] && i < 3; i++) {
        st = prepare(s, &stmt, err, tables[i], "tt", rule->key, from);
        st = finish(s, st, stmt, err);
    }
    return st;
}

enum st alert_store_keep(struct alert_store *s, const struct alert_name *rules, size_t n,
                         int64_t *ret_n_dropped, struct err *err)
{
    sqlite3_stmt *stmt;
    enum st st = run_sql(s,
                         "CREATE TEMP TABLE IF NOT EXISTS kept (rule TEXT PRIMARY KEY);"
                         "DELETE FROM kept",
                         err);

    for (size_t i = 0; st == ST_OK && i < n; i++) {
        st = prepare(s, &stmt, err, "REPLACE INTO kept VALUES (?)", "t", rules[i].key);
        st = finish(s, st, stmt, err);
    }
    for (size_t i = 0; st == ST_OK && i < n; i++)
        st = take_over(s, &rules[i], err);
    if (st == ST_OK)
        st = run_sql(s,
                     "DELETE FROM state WHERE rule NOT IN kept;"
                     "DELETE FROM sample WHERE rule NOT IN kept;"
                     "DELETE FROM outbox WHERE rule NOT IN kept",
                     err);
    if (st == ST_OK)
        *ret_n_dropped = sqlite3_changes64(s->handle);
    return st;
}
