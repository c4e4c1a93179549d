/* A database as the stores in SQL use it: statements by name, over an engine (SQLite, PostgreSQL).
 *
 * What a store does is written once, for every engine, in the files beside this one. Times are
 * microseconds since 1970 wherever they are bound or read, whatever the engine keeps.
 *
 * Threads: everything here belongs to the thread that has the connection.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_SQL_DB_H
#define LOAD_SQL_DB_H

#include "base/err.h"
#include "base/str.h"
#include "row/tables.h"
#include "transform/transform.h"

/* The statements of a writer: each a file statements/<name>.sql beside this one. */
#define DB_STATEMENTS(X)                    \
    X(ADD_ABSENCE, add_absence)             \
    X(ADD_COIN, add_coin)                   \
    X(ADD_COINS, add_coins)                 \
    X(ADD_FLAG, add_flag)                   \
    X(ADD_JOB, add_job)                     \
    X(ADD_NAMES, add_names)                 \
    X(ADD_POLL, add_poll)                   \
    X(ADD_QUARANTINE, add_quarantine)       \
    X(ADD_VERSION, add_version)             \
    X(CANDLE_POLLS, candle_polls)           \
    X(CARRY_CANDLES, carry_candles)         \
    X(CLOSE_ABSENCE, close_absence)         \
    X(COUNT_KEPT, count_kept)               \
    X(DELETE_ABSENCES, delete_absences)     \
    X(DELETE_FLAGS, delete_flags)           \
    X(DELETE_QUARANTINE, delete_quarantine) \
    X(DROP_CANDLES, drop_candles)           \
    X(FIND_ABSENCE, find_absence)           \
    X(FIND_COIN, find_coin)                 \
    X(FIND_COINS, find_coins)               \
    X(FIND_JOB, find_job)                   \
    X(FIND_FROZEN, find_frozen)             \
    X(FIND_NAME, find_name)                 \
    X(FIND_OWN_POLL, find_own_poll)         \
    X(FIND_POLL, find_poll)                 \
    X(FIND_STREAM_POLL, find_stream_poll)   \
    X(JOIN_NAME, join_name)                 \
    X(LAST_SEEN_ABSENT, last_seen_absent)   \
    X(LIST_ABSENCES_AT, list_absences_at)   \
    X(LIST_ABSENT, list_absent)             \
    X(LIST_CANDLE_JOBS, list_candle_jobs)   \
    X(MARKET_HAS_COIN, market_has_coin)     \
    X(MOVE_CANDLES, move_candles)           \
    X(MOVE_OFFSET, move_offset)             \
    X(MOVE_RETAINED, move_retained)         \
    X(NAME_COIN, name_coin)                 \
    X(NEXT_CANDLES, next_candles)           \
    X(NEXT_LACK, next_lack)                 \
    X(NEXT_OK_POLL, next_ok_poll)           \
    X(NEXT_POLL, next_poll)                 \
    X(NEXT_POLLS, next_polls)               \
    X(OTHER_SIMULATED, other_simulated)     \
    X(POLL_TIMES, poll_times)               \
    X(READ_CANDLES, read_candles)           \
    X(READ_OFFSET, read_offset)             \
    X(READ_RETAINED, read_retained)         \
    X(READ_VERSION, read_version)           \
    X(REMAKE_ABSENCES, remake_absences)     \
    X(REMAKE_FLAGS, remake_flags)           \
    X(REMAKE_POLLS, remake_polls)           \
    X(REMOVE_CANDLES, remove_candles)       \
    X(REMOVE_ROWS, remove_rows)             \
    X(REPLACE_POLL, replace_poll)           \
    X(REPLAY_COUNT, replay_count)           \
    X(REPLAY_FENCE, replay_fence)           \
    X(REPLAY_LIST, replay_list)             \
    X(SET_NAME, set_name)                   \
    X(TAKE_OVER, take_over)                 \
    X(UPDATE_POLL, update_poll)

/* What readers ask, of all tables: each a file queries/<name>.sql beside this one. */
#define DB_QUERIES(X)                             \
    X(QUERY_ABSENCES, query_absences)             \
    X(QUERY_COIN, query_coin)                     \
    X(QUERY_COINS, query_coins)                   \
    X(QUERY_COIN_NAMES, query_coin_names)         \
    X(QUERY_COLLECTED, query_collected)           \
    X(QUERY_COVERAGE, query_coverage)             \
    X(QUERY_CURRENCIES, query_currencies)         \
    X(QUERY_FILLED, query_filled)                 \
    X(QUERY_FILLED_CANDLES, query_filled_candles) \
    X(QUERY_FLAGS, query_flags)                   \
    X(QUERY_GAPS, query_gaps)                     \
    X(QUERY_GLOBAL, query_global)                 \
    X(QUERY_JOBS, query_jobs)                     \
    X(QUERY_KNOWN_AT, query_known_at)             \
    X(QUERY_KNOWN_JOBS, query_known_jobs)         \
    X(QUERY_LISTED, query_listed)                 \
    X(QUERY_MADE_CANDLES, query_made_candles)     \
    X(QUERY_MARKET, query_market)                 \
    X(QUERY_MARKET_OF, query_market_of)           \
    X(QUERY_MEMBERS, query_members)               \
    X(QUERY_NAMES, query_names)                   \
    X(QUERY_NEWEST, query_newest)                 \
    X(QUERY_PAST_COINS, query_past_coins)         \
    X(QUERY_PAST_LISTED, query_past_listed)       \
    X(QUERY_PAST_REFUSED, query_past_refused)     \
    X(QUERY_PAST_MARKET, query_past_market)       \
    X(QUERY_PAST_MARKET_OF, query_past_market_of) \
    X(QUERY_PAST_PRESENT, query_past_present)     \
    X(QUERY_POINTS, query_points)                 \
    X(QUERY_POLLS, query_polls)                   \
    X(QUERY_PRICED, query_priced)                 \
    X(QUERY_REFUSALS, query_refusals)             \
    X(QUERY_ROOM, query_room)                     \
    X(QUERY_ROWS, query_rows)                     \
    X(QUERY_ROWS_OF, query_rows_of)               \
    X(QUERY_SEEN, query_seen)                     \
    X(QUERY_SPANS, query_spans)                   \
    X(QUERY_SPARKS, query_sparks)

/* As the former, but each engine has its own, in sql/<name>.sql. */
#define DB_ENGINE_STATEMENTS(X)         \
    X(BUILD_CANDLES, build_candles)     \
    X(CHART_CANDLES, chart_candles)     \
    X(FLATTEN_CANDLES, flatten_candles) \
    X(SUM_CANDLES, sum_candles)         \
    X(UPDATE_POLLS, update_polls)

/* Those of a table of rows, one of each for each table; see db_write() for the words in braces. */
#define DB_TABLE_STATEMENTS(X)          \
    X(DELETE_ROWS, delete_rows)         \
    X(DROP_LATEST, drop_latest)         \
    X(HAS_ROW_BEFORE, has_row_before)   \
    X(JOIN_ABSENCES, join_absences)     \
    X(KEEP_ROWS, keep_rows)             \
    X(LAST_POLL, last_poll)             \
    X(LIST_COINS, list_coins)           \
    X(LIST_PRESENT, list_present)       \
    X(LIST_PRESENT_AT, list_present_at) \
    X(LIST_THERE, list_there)           \
    X(NEXT_ROW, next_row)               \
    X(OPEN_ABSENCE, open_absence)       \
    X(PREV_POLL, prev_poll)             \
    X(REMAKE_ROWS, remake_rows)         \
    X(REOPEN_ABSENCES, reopen_absences) \
    X(UNSEE_ABSENCES, unsee_absences)

/* Of a table too, and each engine has its own, in sql/<name>.sql. */
#define DB_OWN_STATEMENTS(X)                            \
    X(SEEN_COIN, seen_coin)                             \
    X(SET_LATEST, set_latest)                           \
    X(SET_LATEST_ALL, set_latest_all)                   \
    X(SET_LATEST_ALL_IF_NEWER, set_latest_all_if_newer) \
    X(SET_LATEST_BEFORE, set_latest_before)             \
    X(SET_LATEST_IF_NEWER, set_latest_if_newer)

enum db_statement {
#define DB_ENUM(id, name) DB_##id,
    DB_STATEMENTS(DB_ENUM) DB_QUERIES(DB_ENUM) DB_ENGINE_STATEMENTS(DB_ENUM) N_DB_STATEMENTS,
    DB_BEFORE_TABLES = N_DB_STATEMENTS - 1, /* these go on where those end */
    DB_TABLE_STATEMENTS(DB_ENUM) DB_OWN_STATEMENTS(DB_ENUM) DB_END
#undef DB_ENUM
};
#define N_DB_TABLE_STATEMENTS (DB_END - N_DB_STATEMENTS)
#define N_DB_PLACES           (N_DB_STATEMENTS + N_ROW_TABLES * N_DB_TABLE_STATEMENTS)

/* A statement that is ready; engines put what is theirs behind it. */
struct stmt {
    const struct db_engine *engine;
};

struct db {
    const struct db_engine *engine; /* NULL: not open */
    void *own;                      /* the engine's */
    const char *shown;              /* the sink's URL, for messages */
    enum row_table table; /* whose statements are asked for; N_ROW_TABLES: of none that we know */
    bool is_in_transaction;
    bool is_bulk;                              /* rows go out as they come: see db_end_rows() */
    int64_t n_changed;                         /* rows, by the last db_run() or db_run_each() */
    void (*tell)(void *ctx, const char *text); /* sink.h's, as warn; NULL: nobody listens */
    void (*warn)(void *ctx, const char *text);
    void *tell_ctx;
    int64_t timeout_us;      /* of what one transaction of a reader may take; 0: no bound */
    uint64_t n_text_numbers; /* stored as text, as the engine has no number that is exact */
};

/* What a parameter is in each of many runs. */
struct db_list {
    const char *name; /* NULL: behind the last list */
    const int64_t *values;
};

/* A row for the table. */
struct db_row {
    int64_t slot_us, job_id;
    struct cell key;          /* INT: the coin's number; TEXT, TIME */
    const struct cell *cells; /* of db_table() */
    size_t index;             /* of the row in its poll */
};

/* A row that the engine would not take. */
struct db_refused {
    size_t index; /* of its db_row */
    char why[200];
};

/* The values of a candle, in the order of the table's columns. */
enum db_candle_value {
    CANDLE_OPEN,
    CANDLE_HIGH,
    CANDLE_LOW,
    CANDLE_CLOSE,
    CANDLE_OPEN_MARKET_CAP,
    CANDLE_OPEN_TOTAL_VOLUME,
    CANDLE_MARKET_CAP,
    CANDLE_TOTAL_VOLUME,
    N_CANDLE_VALUES
};

#define DB_CANDLE_COLUMNS                                                                        \
    "step, start, job_id, coin_id, open, high, low, close, open_market_cap, open_total_volume, " \
    "market_cap, total_volume, first_at, last_at, rows, unpriced"
#define DB_N_CANDLE_COLUMNS 16

struct db_candle {
    int64_t step, start_us, job_id, coin_id;
    struct cell values[N_CANDLE_VALUES]; /* NUM that are exact, without a text; NULL */
    struct cell first_at, last_at;       /* TIME; NULL: it has no price */
    int64_t n_rows, n_unpriced;
};

/* Whose rows had a slot before? */
enum db_had { DB_HAD_NONE, DB_HAD_OWN, DB_HAD_OTHER };

/* The answers of the poll whose rows it has now. */
struct db_pages {
    int64_t slot_us, job_id;
    enum db_had had;
    const struct poll_page *pages;
    size_t n;
};

/* What an engine does. See the functions below, which call these. */
struct db_engine {
    enum st (*prepare)(struct db *db, enum db_statement which, struct stmt **ret_stmt,
                       struct err *err) MUST_USE;
    void (*bind_int)(struct stmt *stmt, const char *name, int64_t value);
    void (*bind_text)(struct stmt *stmt, const char *name, struct str text);
    void (*bind_null)(struct stmt *stmt, const char *name);
    enum st (*step)(struct db *db, struct stmt *stmt, bool *ret_has_row, struct err *err) MUST_USE;
    /* NULL: step() is soon enough */
    enum st (*run_later)(struct db *db, struct stmt *stmt, struct err *err) MUST_USE;
    enum st (*send)(struct db *db, struct stmt *stmt, struct err *err) MUST_USE;
    /* NULL: one after the other; sets db->n_changed */
    enum st (*run_each)(struct db *db, struct stmt *stmt, const struct db_list *lists, size_t n,
                        struct err *err) MUST_USE;
    void (*reset)(struct stmt *stmt);
    int64_t (*get_int)(struct stmt *stmt, int column);
    struct str (*get_text)(struct stmt *stmt, int column);
    bool (*is_null)(struct stmt *stmt, int column);
    int (*find_column)(struct stmt *stmt, const char *name);
    bool (*get_cell)(struct stmt *stmt, int column, enum cell_kind kind, struct arena *arena,
                     struct cell *ret_cell);
    const char *texts_of_ids;          /* SQL: the texts of the JSON array :ids, one a row */
    const struct str *join_candles;    /* SQL of its own: {join_candles}; NULL: there is none */
    int64_t (*changes)(struct db *db); /* rows, by the last statement */
    enum st (*run_script)(struct db *db, const char *sql, struct err *err) MUST_USE;
    enum st (*insert_row)(struct db *db, const struct db_row *row, struct err *err) MUST_USE;
    /* NULL: insert_row() was all */
    enum st (*settle_rows)(struct db *db, struct err *err) MUST_USE;
    enum st (*end_rows)(struct db *db, const struct db_refused **ret_refused, size_t *ret_n,
                        struct err *err) MUST_USE;
    /* NULL: a reader makes none */
    enum st (*insert_candle)(struct db *db, const struct db_candle *candle,
                             struct err *err) MUST_USE;
    /* NULL: insert_candle() was all */
    enum st (*end_candles)(struct db *db, struct err *err) MUST_USE;
    /* NULL: it keeps none */
    enum st (*keep_pages)(struct db *db, const struct db_pages *pages, struct err *err) MUST_USE;
    enum st (*begin)(struct db *db, struct err *err) MUST_USE;
    /* NULL: begin() keeps every other writer out */
    enum st (*lock_job)(struct db *db, int64_t job_id, struct err *err) MUST_USE;
    enum st (*commit)(struct db *db, struct err *err) MUST_USE;
    void (*rollback)(struct db *db);
    /* Of readers: query.h's, outside of a transaction. */
    enum st (*version)(struct db *db, uint64_t *ret_version, struct err *err) MUST_USE;
    void (*close)(struct db *db);
};

/* The table of rows that db->table is, which must be one that we know. */
const struct table *db_table(const struct db *db);

/* For engines: where a statement has its place among N_DB_PLACES, and its text with the table's
 * words: {history} and {latest} are its names, {key} is coin_id, id or at, {columns} are those it
 * stores, {marks} as many "?", {others} ", m.<name>" for each of them but fetched_at, {replaced}
 * ", <name> = excluded.<name>" for each. {ids} is a query of the texts of
 * :ids; {present}, {told}, {name_at} and {there_at} are the files of these names in
 * queries/. */
size_t db_place(const struct db *db, enum db_statement which);
void db_write(const struct db *db, struct str text, struct buf *sql);

/* The statement, prepared at its first use, reset, without bindings of before; NULL sets err and
 * *ret_st. */
enum st db_prepare(struct db *db, enum db_statement which, struct stmt **ret_stmt,
                   struct err *err) MUST_USE;

/* Bind by parameter name; that it exists is asserted. Texts are borrowed until the next reset. */
void db_bind_int(struct stmt *stmt, const char *name, int64_t value);
void db_bind_text(struct stmt *stmt, const char *name, struct str text);
void db_bind_null(struct stmt *stmt, const char *name);
/* As NULL when it is 0, or empty. */
void db_bind_int_or_null(struct stmt *stmt, const char *name, int64_t value);
void db_bind_text_or_null(struct stmt *stmt, const char *name, struct str text);

/* Run a statement that gives no rows, and reset it. */
enum st db_run(struct db *db, struct stmt *stmt, struct err *err) MUST_USE;

/* The same, of which nobody waits for the outcome: an engine may run it later, in the order of
 * these calls, at the latest before a statement that is waited for, or the commit; those say then
 * what was wrong. In bulk it neither reads nor changes rows of the table, which may be on their
 * way: db_settle_rows(). Else it stands in the order of the rows, too. */
enum st db_run_later(struct db *db, struct stmt *stmt, struct err *err) MUST_USE;

/* Have it on its way, for a db_step() that follows when others were sent, too. What it answers is
 * of now, or of then. */
enum st db_send(struct db *db, struct stmt *stmt, struct err *err) MUST_USE;

/* Run such a statement n times, beside what is bound with the i-th value of each list: of those
 * that engines have of their own, which may run them all at once. */
enum st db_run_each(struct db *db, struct stmt *stmt, const struct db_list *lists, size_t n,
                    struct err *err) MUST_USE;

/* Step to the next row. At the end *ret_has_row is false and the statement reset. Statements may be
 * stepped within each other's rows. */
enum st db_step(struct db *db, struct stmt *stmt, bool *ret_has_row, struct err *err) MUST_USE;
void db_reset(struct stmt *stmt);

/* Result columns. Texts are borrowed until the next step or reset; NULL is 0, or empty. */
int64_t db_int(struct stmt *stmt, int column);
struct str db_text(struct stmt *stmt, int column);
bool db_is_null(struct stmt *stmt, int column);

/* The column of that name, once there is a row; -1: there is none. */
int db_find_column(struct stmt *stmt, const char *name);

/* A value of a column of that kind, its digits exact, its text in the arena. False: no room. */
bool db_cell(struct stmt *stmt, int column, enum cell_kind kind, struct arena *arena,
             struct cell *ret_cell) MUST_USE;

/* Run statements that change the schema, with ; between. */
enum st db_run_script(struct db *db, const char *sql, struct err *err) MUST_USE;

/* Rows of one poll; they are there after db_end_rows(), but for those that were refused. The list
 * is borrowed until the next row. In bulk (db->is_bulk, from the transaction's begin on) rows of
 * many polls are on their way until they are settled, which all but db_run_later() and db_send() do
 * by themselves; a row that is refused then is ST_REJECT for all of the transaction. */
enum st db_insert_row(struct db *db, const struct db_row *row, struct err *err) MUST_USE;
enum st db_end_rows(struct db *db, const struct db_refused **ret_refused, size_t *ret_n,
                    struct err *err) MUST_USE;
enum st db_settle_rows(struct db *db, struct err *err) MUST_USE;

/* Candles that are not there yet; they are after db_end_candles(), which rows do not wait for. */
enum st db_insert_candle(struct db *db, const struct db_candle *candle, struct err *err) MUST_USE;
enum st db_end_candles(struct db *db, struct err *err) MUST_USE;

/* Keep the answers beside the rows, where the sink was told to; those of another poll go. */
enum st db_keep_pages(struct db *db, const struct db_pages *pages, struct err *err) MUST_USE;

/* ST_AGAIN also when the connection is of no use any more: then close and open. */
enum st db_begin(struct db *db, struct err *err) MUST_USE;
/* Keep other writers of the job out until the transaction ends. */
enum st db_lock_job(struct db *db, int64_t job_id, struct err *err) MUST_USE;
enum st db_commit(struct db *db, struct err *err) MUST_USE;
void db_rollback(struct db *db); /* also where nothing was begun, or after a failure */

void db_close(struct db *db); /* rolls back; a half-built or closed one is fine */

#endif
