/* SPDX-License-Identifier: Apache-2.0 */
#include "load/postgres/partitions.h"

#include "base/clock.h"
#include "base/metric.h"
#include "postgres_sql.h"

#include <stdio.h>

#define HOUR_US (3600 * US_PER_S)
#define DAY_US  (24 * HOUR_US)
#define MAX_SQL (16 * 1024)

/* ---- the layout ---- */

static enum st cut_by_coin(struct db *db, struct err *err)
{
    struct buf sql = BUF_INIT(MAX_SQL);
    enum st st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < N_ROW_TABLES; i++) {
        if (!row_tables[i]->is_of_coins)
            continue;
        db->table = (enum row_table)i;
        buf_clear(&sql);
        db_write(db, postgres_sql_cut_by_coin, &sql);
        st = postgres_run(db, buf_z(&sql), err);
    }
    buf_release(&sql);
    return st;
}

enum st postgres_layout_choose(struct db *db, struct err *err)
{
    enum postgres_layout layout = postgres_of(db)->url.layout;
    char sql[96];

    if (layout == LAYOUT_UNSAID)
        return ST_OK; /* the migration's, month */
    snprintf(sql, sizeof(sql), "UPDATE layout SET partition = '%s'", postgres_layout_names[layout]);
    enum st st = postgres_run(db, sql, err);
    return st == ST_OK && layout == LAYOUT_COIN_HASH ? cut_by_coin(db, err) : st;
}

static bool has_word(struct str words, const char *name)
{
    struct str word;

    while (words.len > 0) {
        str_cut(&words, ' ', &word);
        if (str_eq(word, str_of(name)))
            return true;
    }
    return false;
}

/* One that is not said, as the row is gone, is what it is without a choice. */
static enum postgres_layout find_layout(const char *name)
{
    for (size_t i = LAYOUT_MONTH; i < N_LAYOUTS; i++)
        if (strcmp(postgres_layout_names[i], name) == 0)
            return (enum postgres_layout)i;
    return LAYOUT_MONTH;
}

static enum st compare_layout(struct db *db, struct err *err)
{
    const struct postgres_connection *c = postgres_of(db);

    if (c->url.layout == LAYOUT_UNSAID || c->url.layout == c->cuts.layout)
        return ST_OK;
    return err_set(err, ST_REJECT,
                   "%s: its tables are cut by %s since they were made, and not by %s; take "
                   "partition= out, or load into a new schema: ?schema=",
                   db->shown, postgres_layout_names[c->cuts.layout],
                   postgres_layout_names[c->url.layout]);
}

enum st postgres_layout_read(struct db *db, struct err *err)
{
    struct postgres_cuts *cuts = &postgres_of(db)->cuts;
    PGresult *answer;

    enum st st = db_begin(db, err);
    if (st == ST_OK)
        st =
            postgres_ask(db, postgres_sql_read_layout.p, (const char *const[]){NULL}, &answer, err);
    if (st != ST_OK)
        return st;
    cuts->layout = find_layout(PQgetvalue(answer, 0, 0));
    for (size_t i = 0; i < N_ROW_TABLES; i++)
        cuts->is_by_coin[i] = has_word(str_of(PQgetvalue(answer, 0, 1)), row_tables[i]->name);
    PQclear(answer);
    st = compare_layout(db, err);
    return st == ST_OK ? db_commit(db, err) : st;
}

/* ---- making ---- */

static const char *name_of(enum postgres_cut table)
{
    return table == CUT_RAW ? "raw" : row_tables[table]->name;
}

/* Without the sink, which is said where it is told. */
static void note_why(const struct db *db, const struct err *failure, char *why, size_t size)
{
    struct str text = str_of(failure->msg);
    size_t n = strlen(db->shown);

    if (str_starts(text, str_of(db->shown)) && text.len > n + 2)
        text = (struct str){text.p + n + 2, text.len - n - 2};
    text.len = str_utf8_prefix((struct str){text.p, text.len < size ? text.len : size - 1});
    snprintf(why, size, "%.*s", STR_ARG(text));
}

/* Run within a savepoint. *ret_is_done false: it failed, for this reason, and changed nothing. */
static enum st try_run(struct db *db, const char *sql, bool *ret_is_done, char *why, size_t size,
                       struct err *err)
{
    struct err failure = ERR_INIT;

    enum st st = postgres_run(db, "SAVEPOINT trial", err);
    if (st != ST_OK)
        return st;
    *ret_is_done = postgres_run(db, sql, &failure) == ST_OK;
    if (!*ret_is_done)
        note_why(db, &failure, why, size);
    return postgres_run(
        db, *ret_is_done ? "RELEASE SAVEPOINT trial" : "ROLLBACK TO SAVEPOINT trial", err);
}

static void write_make(const struct postgres_cuts *cuts, enum postgres_cut table, int64_t slot_us,
                       char *sql, size_t size)
{
    bool is_by_day = cuts->layout == LAYOUT_DAY;
    const char *name = name_of(table), *by_day = is_by_day ? "true" : "false";
    char at[TIME_TEXT];

    time_format(slot_us, at);
    snprintf(sql, size,
             "SELECT make_partition('%s', at, %s), make_partition('%s', at + '1 %s', %s) "
             "FROM (SELECT timestamptz '%s' AS at) AS slot",
             name, by_day, name, is_by_day ? "day" : "month", by_day, at);
}

/* Asked once for each day of slots: a day lies in one partition. Where it fails (not allowed,
 * locked, in the way of one made by hand) once for each hour. */
enum st postgres_make_partitions(struct db *db, enum postgres_cut table, int64_t slot_us,
                                 struct err *err)
{
    struct postgres_cuts *cuts = &postgres_of(db)->cuts;
    struct postgres_made *made = &cuts->made[table];
    bool is_made;
    char sql[256];

    if (slot_us >= made->from_us && slot_us < made->until_us)
        return ST_OK;
    if (table != CUT_RAW && cuts->is_by_coin[table]) {
        *made = (struct postgres_made){.from_us = INT64_MIN, .until_us = INT64_MAX};
        return ST_OK;
    }
    write_make(cuts, table, slot_us, sql, sizeof(sql));
    enum st st = try_run(db, sql, &is_made, cuts->why, sizeof(cuts->why), err);
    if (st != ST_OK)
        return st;
    int64_t span_us = is_made ? DAY_US : HOUR_US;
    made->from_us = time_floor(slot_us, span_us);
    made->until_us = made->from_us + span_us;
    cuts->must_watch = true;
    return ST_OK;
}

/* ---- watching ---- */

struct default_rows {
    struct str table, partition;
    int64_t n;
};

#define MAX_DEFAULTS N_CUTS

/* What is in them is counted at once: PostgreSQL has no other way than to look. */
static enum st count_rows(struct db *db, struct default_rows *found, size_t n, struct err *err)
{
    struct buf sql = BUF_INIT(MAX_SQL);
    PGresult *answer;

    for (size_t i = 0; i < n; i++)
        buf_addf(&sql, "%s (SELECT count(*) FROM %.*s)", i > 0 ? "," : "SELECT",
                 STR_ARG(found[i].partition));
    enum st st = postgres_ask(db, buf_z(&sql), (const char *const[]){NULL}, &answer, err);
    buf_release(&sql);
    if (st != ST_OK)
        return st;
    for (size_t i = 0; i < n; i++)
        (void)str_to_i64(str_of(PQgetvalue(answer, 0, (int)i)), 0, INT64_MAX, &found[i].n);
    PQclear(answer);
    return ST_OK;
}

/* Try to make the partitions that they want. */
static enum st empty_one(struct db *db, const struct default_rows *rows, struct err *err)
{
    struct postgres_cuts *cuts = &postgres_of(db)->cuts;
    char sql[192], why[sizeof(cuts->why)] = "one made by hand has the name";
    bool is_emptied;

    snprintf(sql, sizeof(sql), "SELECT empty_default('%.*s')", STR_ARG(rows->table));
    enum st st = try_run(db, sql, &is_emptied, why, sizeof(why), err);
    if (cuts->why[0] == '\0') /* else it is why they are there */
        snprintf(cuts->why, sizeof(cuts->why), "%s", why);
    return st;
}

static int64_t sum_rows(const struct default_rows *found, size_t n)
{
    int64_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += found[i].n;
    return sum;
}

static void warn(struct db *db, const struct default_rows *found, size_t n)
{
    struct buf text = BUF_INIT(1024);

    for (size_t i = 0; i < n; i++)
        if (found[i].n > 0)
            buf_addf(&text, "%s%.*s (%lld)", text.len > 0 ? ", " : "rows are in ",
                     STR_ARG(found[i].partition), (long long)found[i].n);
    if (text.len > 0)
        buf_addf(&text,
                 ", as their partitions cannot be made: %s; docs/postgres.md says how they move",
                 postgres_of(db)->cuts.why);
    metric_set(METRIC_SINK_DEFAULT_ROWS, db->shown, NULL, (double)sum_rows(found, n));
    if (text.len == 0)
        postgres_of(db)->cuts.why[0] = '\0';
    if (db->warn)
        db->warn(db->tell_ctx, buf_z(&text));
    buf_release(&text);
}

static enum st watch(struct db *db, const PGresult *list, struct err *err)
{
    struct default_rows found[MAX_DEFAULTS];
    size_t n = 0;
    enum st st = ST_OK;

    for (int i = 0; i < PQntuples(list) && n < MAX_DEFAULTS; i++)
        found[n++] = (struct default_rows){.table = str_of(PQgetvalue(list, i, 0)),
                                           .partition = str_of(PQgetvalue(list, i, 1))};
    if (n > 0)
        st = count_rows(db, found, n, err);
    for (size_t i = 0; st == ST_OK && i < n; i++)
        if (found[i].n > 0)
            st = empty_one(db, &found[i], err);
    if (st == ST_OK && sum_rows(found, n) > 0)
        st = count_rows(db, found, n, err);
    if (st == ST_OK)
        warn(db, found, n);
    return st;
}

enum st postgres_watch_defaults(struct db *db, struct err *err)
{
    PGresult *list;

    if (!postgres_of(db)->cuts.must_watch)
        return ST_OK;
    postgres_of(db)->cuts.must_watch = false;
    enum st st =
        postgres_ask(db, postgres_sql_list_defaults.p, (const char *const[]){NULL}, &list, err);
    if (st != ST_OK)
        return st;
    st = watch(db, list, err);
    PQclear(list);
    return st;
}
