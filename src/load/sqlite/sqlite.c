/* The sqlite: driver: one writing connection, one transaction for each poll or batch of polls. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sqlite/sqlite.h"

#include "base/mem.h"
#include "base/metric.h"
#include "load/drivers.h"
#include "load/sqlite/replace.h"

#include <stdio.h>

struct attached {
    char stream[SINK_UUID_TEXT];
    int64_t job_id, epoch;
};

struct sqlite_sink {
    struct store store;
    struct attached *streams;
    size_t n_streams;
    struct store_batch batch; /* that is made anew */
};

/* A simulated market beside the real one would be taken for it. */
static enum st check_simulated(struct sink *s, struct err *err)
{
    struct sqlite_sink *me = s->state;
    sqlite3_stmt *stmt;
    bool has_row;

    enum st st = db_prepare(&me->store.db, DB_OTHER_SIMULATED, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":is_simulated", s->is_simulated);
    st = db_step(&me->store.db, stmt, &has_row, err);
    if (st == ST_OK && has_row) {
        const char *has = s->is_simulated ? "real" : "SIMULATED",
                   *gets = s->is_simulated ? "simulated" : "real";
        st = err_set(err, ST_REJECT, "%s: holds %s rows (job %.*s); %s ones need another file",
                     s->url->shown, has, STR_ARG(db_text(stmt, 0)), gets);
        sqlite3_reset(stmt);
    }
    return st;
}

static enum st sqlite_check(const struct sink_url *url, struct err *err)
{
    if (url->rest[0] == '\0')
        return err_set(err, ST_REJECT, "%s: names no file, as sqlite:./data/market.db does",
                       url->shown);
    return sink_url_check_options(url, (const char *const[]){NULL}, err);
}

static enum st sqlite_open(struct sink *s, struct err *err)
{
    struct sqlite_sink *me = s->state;

    coin_cache_init(&me->store.coins);
    enum st st = db_open(&me->store.db, s->url->rest, s->url->shown, s->clock, err);
    return st == ST_OK ? check_simulated(s, err) : st;
}

static void sqlite_close(struct sink *s)
{
    struct sqlite_sink *me = s->state;

    db_close(&me->store.db);
    store_release(&me->store);
    mem_free(me->streams);
    *me = (struct sqlite_sink){0};
}

static void roll_back(struct sqlite_sink *me)
{
    db_rollback(&me->store.db);
    store_forget(&me->store);
}

/* What a job is of is fixed for ever: rows of two selections must not mix under one name. */
static enum st check_job(struct sink *s, sqlite3_stmt *stmt, const struct stream_id *stream,
                         struct err *err)
{
    struct str endpoint = db_text(stmt, 1), currency = db_text(stmt, 2),
               selection = db_text(stmt, 3);

    if (str_eq(endpoint, str_of(stream->endpoint)) &&
        str_eq(currency, str_of(stream->vs_currency)) &&
        str_eq(selection, str_of(stream->selection)))
        return ST_OK;
    return err_set(err, ST_FATAL,
                   "%s: job %s is %.*s %.*s %.*s there, and %s %s %s here; give the job another "
                   "name, or the sink another file",
                   s->url->shown, stream->job, STR_ARG(endpoint), STR_ARG(currency),
                   STR_ARG(selection), stream->endpoint, stream->vs_currency, stream->selection);
}

static enum st find_or_add_job(struct sink *s, const struct stream_id *stream, int64_t *ret_job_id,
                               struct err *err)
{
    struct db *db = &((struct sqlite_sink *)s->state)->store.db;
    sqlite3_stmt *stmt;
    bool has_row;

    enum st st = db_prepare(db, DB_FIND_JOB, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_text(stmt, ":name", str_of(stream->job));
    st = db_step(db, stmt, &has_row, err);
    if (st == ST_OK && has_row)
        st = check_job(s, stmt, stream, err);
    if (st == ST_OK && !has_row)
        st = db_prepare(db, DB_ADD_JOB, &stmt, err);
    if (st == ST_OK && !has_row) {
        db_bind_text(stmt, ":name", str_of(stream->job));
        db_bind_text(stmt, ":endpoint", str_of(stream->endpoint));
        db_bind_text(stmt, ":vs_currency", str_of(stream->vs_currency));
        db_bind_text(stmt, ":selection", str_of(stream->selection));
        db_bind_int(stmt, ":is_simulated", s->is_simulated);
        st = db_step(db, stmt, &has_row, err);
    }
    if (st == ST_OK)
        *ret_job_id = sqlite3_column_int64(stmt, 0);
    sqlite3_reset(stmt);
    return st;
}

static enum st take_over(struct sink *s, struct attached *a, struct position *ret_position,
                         struct err *err)
{
    struct db *db = &((struct sqlite_sink *)s->state)->store.db;
    sqlite3_stmt *stmt;
    bool has_row;

    enum st st = db_prepare(db, DB_TAKE_OVER, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_text(stmt, ":stream", str_of(a->stream));
    db_bind_int(stmt, ":job_id", a->job_id);
    db_bind_int(stmt, ":now", clock_wall_us(s->clock));
    st = db_step(db, stmt, &has_row, err);
    if (st != ST_OK)
        return st;
    ret_position->offset = (uint64_t)sqlite3_column_int64(stmt, 0);
    ret_position->hash = (uint64_t)sqlite3_column_int64(stmt, 1);
    a->epoch = sqlite3_column_int64(stmt, 2);
    sqlite3_reset(stmt);
    return ST_OK;
}

static struct attached *find_attached(struct sqlite_sink *me, const char *stream)
{
    for (size_t i = 0; i < me->n_streams; i++)
        if (strcmp(me->streams[i].stream, stream) == 0)
            return &me->streams[i];
    return NULL;
}

static enum st not_attached(struct sink *s, const char *stream, struct err *err)
{
    return err_set(err, ST_AGAIN, "%s: stream %s is not attached", s->url->shown, stream);
}

static enum st sqlite_attach(struct sink *s, const struct stream_id *stream,
                             struct position *ret_position, struct err *err)
{
    struct sqlite_sink *me = s->state;
    struct position position;
    struct attached attached;

    roll_back(me); /* what a failed load left */
    sink_uuid_text(stream, attached.stream);
    enum st st = db_begin(&me->store.db, err);
    if (st == ST_OK)
        st = find_or_add_job(s, stream, &attached.job_id, err);
    if (st == ST_OK)
        st = take_over(s, &attached, &position, err);
    if (st == ST_OK)
        st = db_commit(&me->store.db, err);
    if (st != ST_OK) {
        db_rollback(&me->store.db);
        return st;
    }
    struct attached *place = find_attached(me, attached.stream);
    if (place == NULL) {
        me->streams = mem_grow(me->streams, me->n_streams + 1, sizeof(*me->streams));
        place = &me->streams[me->n_streams++];
    }
    *place = attached;
    *ret_position = position;
    return ST_OK;
}

/* The offset did not move from where we thought it was. Why? */
static enum st explain_lost(struct sink *s, const struct attached *a, struct err *err)
{
    struct db *db = &((struct sqlite_sink *)s->state)->store.db;
    sqlite3_stmt *stmt;
    bool has_row;

    enum st st = db_prepare(db, DB_READ_OFFSET, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_text(stmt, ":stream", str_of(a->stream));
    st = db_step(db, stmt, &has_row, err);
    if (st != ST_OK)
        return st;
    int64_t offset = has_row ? sqlite3_column_int64(stmt, 0) : 0;
    int64_t epoch = has_row ? sqlite3_column_int64(stmt, 1) : a->epoch;
    sqlite3_reset(stmt);
    if (epoch == a->epoch)
        return err_set(err, ST_AGAIN, "%s: stream %s is at offset %lld, not where this load begins",
                       s->url->shown, a->stream, (long long)offset);
    return err_set(err, ST_FATAL,
                   "%s: stream %s was taken over by another geckotape (epoch %lld, ours was %lld); "
                   "one loader is enough for a sink",
                   s->url->shown, a->stream, (long long)epoch, (long long)a->epoch);
}

static enum st move_offset(struct sink *s, const struct attached *a, const struct sink_load *load,
                           struct err *err)
{
    struct db *db = &((struct sqlite_sink *)s->state)->store.db;
    sqlite3_stmt *stmt;

    enum st st = db_prepare(db, DB_MOVE_OFFSET, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_text(stmt, ":stream", str_of(a->stream));
    db_bind_int(stmt, ":epoch", a->epoch);
    db_bind_int(stmt, ":old_offset", (int64_t)load->old.offset);
    db_bind_int(stmt, ":old_hash", (int64_t)load->old.hash);
    db_bind_int(stmt, ":new_offset", (int64_t)load->new.offset);
    db_bind_int(stmt, ":new_hash", (int64_t)load->new.hash);
    db_bind_int(stmt, ":now", clock_wall_us(s->clock));
    st = db_run(db, stmt, err);
    if (st == ST_OK && sqlite3_changes(db->handle) == 0)
        st = explain_lost(s, a, err);
    return st;
}

static enum st load_within(struct sink *s, const struct attached *a, const struct sink_load *load,
                           struct sink_result *ret_result, struct err *err)
{
    struct sqlite_sink *me = s->state;
    struct store *store = &me->store;
    enum st st = ST_OK;

    if (!store->db.is_in_transaction) {
        st = db_begin(&store->db, err);
        store_begin(store, a->job_id, false);
    }
    if (st == ST_OK)
        st = move_offset(s, a, load, err);
    if (st == ST_OK)
        st = store_poll(
            store, &(struct store_poll){.load = load, .stream = a->stream, .job_id = a->job_id},
            ret_result, err);
    if (st == ST_OK && load->is_last)
        st = store_finish(store, err);
    if (st == ST_OK && load->is_last)
        st = db_commit(&store->db, err);
    return st;
}

static enum st sqlite_load(struct sink *s, const struct sink_load *load,
                           struct sink_result *ret_result, struct err *err)
{
    struct sqlite_sink *me = s->state;
    char stream[SINK_UUID_TEXT];

    sink_uuid_text(load->stream, stream);
    const struct attached *a = find_attached(me, stream);
    if (a == NULL)
        return not_attached(s, stream, err);
    uint64_t n_text = me->store.n_text_numbers;
    enum st st = load_within(s, a, load, ret_result, err);
    if (st != ST_OK)
        roll_back(me);
    if (me->store.n_text_numbers > n_text)
        metric_add(METRIC_SINK_TEXT_NUMBERS, s->url->shown, NULL,
                   (double)(me->store.n_text_numbers - n_text));
    return st;
}

/* The stream of a replay. */
static enum st find_replayed(struct sink *s, const struct stream_id *id,
                             const struct attached **ret_attached, struct store_batch *ret_batch,
                             struct err *err)
{
    char stream[SINK_UUID_TEXT];

    sink_uuid_text(id, stream);
    const struct attached *a = find_attached(s->state, stream);
    if (a == NULL)
        return not_attached(s, stream, err);
    *ret_attached = a;
    *ret_batch = (struct store_batch){.stream = a->stream, .job_id = a->job_id};
    return ST_OK;
}

static enum st sqlite_count(struct sink *s, const struct sink_replay *what,
                            struct sink_stored_counts *ret_counts, struct err *err)
{
    struct sqlite_sink *me = s->state;
    const struct attached *a;
    struct store_batch batch;

    enum st st = find_replayed(s, what->stream, &a, &batch, err);
    return st == ST_OK ? replace_count(&me->store, what, &batch, ret_counts, err) : st;
}

static enum st sqlite_list(struct sink *s, const struct sink_replay *what,
                           const struct sink_stored *after, struct sink_stored *ret_polls,
                           size_t max, size_t *ret_n, struct err *err)
{
    struct sqlite_sink *me = s->state;
    const struct attached *a;
    struct store_batch batch;

    enum st st = find_replayed(s, what->stream, &a, &batch, err);
    return st == ST_OK ? replace_list(&me->store, what, &batch, after, ret_polls, max, ret_n, err)
                       : st;
}

/* Is the stream still ours? */
static enum st check_epoch(struct sink *s, const struct attached *a, struct err *err)
{
    struct db *db = &((struct sqlite_sink *)s->state)->store.db;
    sqlite3_stmt *stmt;

    enum st st = db_prepare(db, DB_REPLAY_FENCE, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_text(stmt, ":stream", str_of(a->stream));
    db_bind_int(stmt, ":epoch", a->epoch);
    db_bind_int(stmt, ":now", clock_wall_us(s->clock));
    st = db_run(db, stmt, err);
    if (st == ST_OK && sqlite3_changes(db->handle) == 0)
        st = explain_lost(s, a, err);
    return st;
}

static enum st sqlite_begin(struct sink *s, const struct sink_replay *what,
                            const struct sink_stored *polls, size_t n, struct err *err)
{
    struct sqlite_sink *me = s->state;
    const struct attached *a;

    enum st st = find_replayed(s, what->stream, &a, &me->batch, err);
    if (st != ST_OK)
        return st;
    me->batch.polls = polls;
    me->batch.n = n;
    st = db_begin(&me->store.db, err);
    store_begin(&me->store, me->batch.job_id, true);
    if (st == ST_OK)
        st = check_epoch(s, a, err);
    if (st == ST_OK)
        st = replace_prepare(&me->store, &me->batch, err);
    if (st != ST_OK)
        roll_back(me);
    return st;
}

static enum st sqlite_replace(struct sink *s, const struct sink_load *load,
                              struct sink_result *ret_result, struct err *err)
{
    struct sqlite_sink *me = s->state;

    enum st st = replace_poll(&me->store, &me->batch, load, ret_result, err);
    if (st == ST_OK && load->is_last)
        st = replace_finish(&me->store, &me->batch, err);
    if (st == ST_OK && load->is_last)
        st = db_commit(&me->store.db, err);
    if (st != ST_OK)
        roll_back(me);
    return st;
}

static const struct sink_replay_driver sqlite_replay = {
    .count = sqlite_count,
    .list = sqlite_list,
    .begin = sqlite_begin,
    .replace = sqlite_replace,
};

const struct sink_driver sink_sqlite = {
    .scheme = "sqlite",
    .summary = "a SQLite database: every row, exactly, with views for common questions",
    .example = "sqlite:./data/market.db",
    .state_size = sizeof(struct sqlite_sink),
    .is_path = true,
    .needs_history = true,
    .check = sqlite_check,
    .open = sqlite_open,
    .attach = sqlite_attach,
    .load = sqlite_load,
    .close = sqlite_close,
    .open_query = sqlite_open_query,
    .replay = &sqlite_replay,
};
