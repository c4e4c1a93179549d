/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sql/sink.h"

#include "base/mem.h"
#include "base/metric.h"
#include "load/sql/candles.h"
#include "load/sql/retain.h"

#include <stdarg.h>
#include <stdio.h>

#define RETAIN_EVERY_US (60 * US_PER_S)

enum st sql_sink_opened(struct sink *s, struct err *err)
{
    struct sql_sink *me = s->state;
    struct stmt *stmt;
    bool has_row;

    me->store.db.tell = s->tell;
    me->store.db.warn = s->warn;
    me->store.db.tell_ctx = s->tell_ctx;
    coin_cache_init(&me->store.coins);
    buf_init(&me->store.drift, DRIFT_MAX_TEXT);
    me->store.has_candles_due = true; /* as far as we know */
    enum st st = db_prepare(&me->store.db, DB_OTHER_SIMULATED, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":is_simulated", s->is_simulated);
    st = db_step(&me->store.db, stmt, &has_row, err);
    if (st == ST_OK && has_row) {
        const char *has = s->is_simulated ? "real" : "SIMULATED",
                   *gets = s->is_simulated ? "simulated" : "real";
        st = err_set(err, ST_REJECT, "%s: holds %s rows (job %.*s); %s ones need another place",
                     s->url->shown, has, STR_ARG(db_text(stmt, 0)), gets);
        db_reset(stmt);
    }
    return st;
}

void sql_sink_tell(const struct sink *s, const char *format, ...)
{
    char text[SQL_SINK_MAX_TOLD];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (s->tell)
        s->tell(s->tell_ctx, text);
}

void sql_sink_tell_schema(const struct sink *s, const struct sink_schema *schema)
{
    if (schema->from > 0 && schema->to > schema->from)
        sql_sink_tell(s, "its schema was brought from version %lld to %lld",
                      (long long)schema->from, (long long)schema->to);
}

void sql_sink_close(struct sink *s)
{
    struct sql_sink *me = s->state;

    db_close(&me->store.db);
    store_release(&me->store);
    mem_free(me->streams);
    *me = (struct sql_sink){0};
}

static void roll_back(struct sql_sink *me)
{
    db_rollback(&me->store.db);
    store_forget(&me->store);
}

/* What a job is of is fixed for ever: rows of two selections must not mix under one name. */
static enum st check_job(struct sink *s, struct stmt *stmt, const struct stream_id *stream,
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
                   "name, or the sink another place",
                   s->url->shown, stream->job, STR_ARG(endpoint), STR_ARG(currency),
                   STR_ARG(selection), stream->endpoint, stream->vs_currency, stream->selection);
}

static enum st find_or_add_job(struct sink *s, const struct stream_id *stream, int64_t *ret_job_id,
                               struct err *err)
{
    struct db *db = &((struct sql_sink *)s->state)->store.db;
    struct stmt *stmt;
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
        *ret_job_id = db_int(stmt, 0);
    db_reset(stmt);
    return st;
}

static enum st lost_position(struct sink *s, const struct sql_attached *a, struct err *err)
{
    return err_set(err, ST_AGAIN,
                   "%s: sink_offset does not say any more up to where stream %s is loaded; put its "
                   "row back, or drop all tables, and they are made again and loaded from the tape",
                   s->url->shown, a->stream);
}

/* A position that was lost must not be taken for a new stream's: its polls are here already. */
static enum st check_new(struct sink *s, const struct sql_attached *a, struct err *err)
{
    struct db *db = &((struct sql_sink *)s->state)->store.db;
    struct stmt *stmt;
    bool has_row;

    enum st st = db_prepare(db, DB_FIND_STREAM_POLL, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", a->job_id);
    db_bind_text(stmt, ":stream", str_of(a->stream));
    st = db_step(db, stmt, &has_row, err);
    db_reset(stmt);
    return st == ST_OK && has_row ? lost_position(s, a, err) : st;
}

static enum st take_over(struct sink *s, struct sql_attached *a, struct position *ret_position,
                         struct err *err)
{
    struct db *db = &((struct sql_sink *)s->state)->store.db;
    struct stmt *stmt;
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
    ret_position->offset = (uint64_t)db_int(stmt, 0);
    ret_position->hash = (uint64_t)db_int(stmt, 1);
    a->epoch = db_int(stmt, 2);
    db_reset(stmt);
    return ST_OK;
}

static struct sql_attached *find_attached(struct sql_sink *me, const char *stream)
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

enum st sql_sink_attach(struct sink *s, const struct stream_id *stream,
                        struct position *ret_position, struct err *err)
{
    struct sql_sink *me = s->state;
    struct position position;
    struct sql_attached attached;

    roll_back(me); /* what a failed load left */
    sink_uuid_text(stream, attached.stream);
    attached.table = row_table_of(stream->endpoint);
    enum st st = db_begin(&me->store.db, err);
    if (st == ST_OK)
        st = find_or_add_job(s, stream, &attached.job_id, err);
    if (st == ST_OK)
        st = take_over(s, &attached, &position, err);
    if (st == ST_OK && position.offset == 0)
        st = check_new(s, &attached, err);
    if (st == ST_OK)
        st = db_commit(&me->store.db, err);
    if (st != ST_OK) {
        db_rollback(&me->store.db);
        return st;
    }
    struct sql_attached *place = find_attached(me, attached.stream);
    if (place == NULL) {
        me->streams = mem_grow(me->streams, me->n_streams + 1, sizeof(*me->streams));
        place = &me->streams[me->n_streams++];
    }
    *place = attached;
    *ret_position = position;
    return ST_OK;
}

static enum st not_there(struct sink *s, const struct sql_attached *a, uint64_t offset,
                         struct err *err)
{
    return err_set(err, ST_AGAIN, "%s: stream %s is at offset %llu, not where this load begins",
                   s->url->shown, a->stream, (unsigned long long)offset);
}

/* The offset did not move from where we thought it was. Why? */
static enum st explain_lost(struct sink *s, const struct sql_attached *a, struct err *err)
{
    struct db *db = &((struct sql_sink *)s->state)->store.db;
    struct stmt *stmt;
    bool has_row;

    enum st st = db_prepare(db, DB_READ_OFFSET, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_text(stmt, ":stream", str_of(a->stream));
    st = db_step(db, stmt, &has_row, err);
    if (st != ST_OK)
        return st;
    if (!has_row)
        return lost_position(s, a, err);
    uint64_t offset = (uint64_t)db_int(stmt, 0);
    int64_t epoch = db_int(stmt, 1);
    db_reset(stmt);
    if (epoch == a->epoch)
        return not_there(s, a, offset, err);
    return err_set(err, ST_FATAL,
                   "%s: stream %s was taken over by another geckotape (epoch %lld, ours was %lld); "
                   "one loader is enough for a sink",
                   s->url->shown, a->stream, (long long)epoch, (long long)a->epoch);
}

static enum st move_offset(struct sink *s, const struct sql_attached *a, struct position old,
                           struct position new, struct err *err)
{
    struct sql_sink *me = s->state;
    struct db *db = &me->store.db;
    struct stmt *stmt;

    enum st st = db_prepare(db, DB_MOVE_OFFSET, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_text(stmt, ":stream", str_of(a->stream));
    db_bind_int(stmt, ":epoch", a->epoch);
    db_bind_int(stmt, ":old_offset", (int64_t)old.offset);
    db_bind_int(stmt, ":old_hash", (int64_t)old.hash);
    db_bind_int(stmt, ":new_offset", (int64_t)new.offset);
    db_bind_int(stmt, ":new_hash", (int64_t)new.hash);
    db_bind_int(stmt, ":now", clock_wall_us(s->clock));
    st = db_run(db, stmt, err);
    if (st == ST_OK && db->n_changed == 0)
        st = explain_lost(s, a, err);
    me->moved = me->at = new;
    return st;
}

/* The first poll of a transaction moves the offset, which others cannot do then, and the last one
 * moves it once more. */
static enum st begin_load(struct sink *s, const struct sql_attached *a,
                          const struct sink_load *load, struct err *err)
{
    struct sql_sink *me = s->state;
    struct store *store = &me->store;

    if (store->db.is_in_transaction) {
        if (load->old.offset != me->at.offset || load->old.hash != me->at.hash)
            return not_there(s, a, me->at.offset, err);
        me->at = load->new;
        return ST_OK;
    }
    enum st st = db_begin(&store->db, err);
    store_begin(store, a->job_id, a->table, load->is_last ? STORE_ONE : STORE_MANY);
    if (st == ST_OK)
        st = db_lock_job(&store->db, a->job_id, err);
    if (st == ST_OK)
        st = store_expect(store, load, err);
    return st == ST_OK ? move_offset(s, a, load->old, load->new, err) : st;
}

static enum st end_load(struct sink *s, const struct sql_attached *a, struct err *err)
{
    struct sql_sink *me = s->state;

    enum st st = store_finish(&me->store, err);
    if (st == ST_OK)
        st = candles_update(&me->store, err);
    if (st == ST_OK && me->at.offset != me->moved.offset)
        st = move_offset(s, a, me->moved, me->at, err);
    return st == ST_OK ? db_commit(&me->store.db, err) : st;
}

static enum st load_within(struct sink *s, const struct sql_attached *a,
                           const struct sink_load *load, struct sink_result *ret_result,
                           struct err *err)
{
    struct sql_sink *me = s->state;
    const struct store_poll poll = {.load = load, .stream = a->stream, .job_id = a->job_id};

    enum st st = begin_load(s, a, load, err);
    if (st == ST_OK)
        st = store_poll(&me->store, &poll, ret_result, err);
    return st == ST_OK && load->is_last ? end_load(s, a, err) : st;
}

enum st sql_sink_load(struct sink *s, const struct sink_load *load, struct sink_result *ret_result,
                      struct err *err)
{
    struct sql_sink *me = s->state;
    char stream[SINK_UUID_TEXT];

    sink_uuid_text(load->stream, stream);
    const struct sql_attached *a = find_attached(me, stream);
    if (a == NULL)
        return not_attached(s, stream, err);
    uint64_t n_text = me->store.db.n_text_numbers;
    enum st st = load_within(s, a, load, ret_result, err);
    if (st != ST_OK)
        roll_back(me);
    if (me->store.db.n_text_numbers > n_text)
        metric_add(METRIC_SINK_TEXT_NUMBERS, s->url->shown, NULL,
                   (double)(me->store.db.n_text_numbers - n_text));
    return st;
}

enum st sql_sink_tidy(struct sink *s, bool *ret_has_more, struct err *err)
{
    struct sql_sink *me = s->state;

    const struct retained keep = {s->retain_rows_us, s->retain_5m_us};

    enum st st = candles_step(&me->store, ret_has_more, err);
    if (st == ST_OK && !*ret_has_more && clock_mono_us(s->clock) >= me->retain_again_us) {
        st = retain_step(&me->store, &keep, ret_has_more, err);
        if (st == ST_OK && !*ret_has_more)
            me->retain_again_us = clock_mono_us(s->clock) + RETAIN_EVERY_US;
    }
    if (st != ST_OK)
        roll_back(me);
    return st;
}

/* The stream of a replay. */
static enum st find_replayed(struct sink *s, const struct stream_id *id,
                             const struct sql_attached **ret_attached,
                             struct store_batch *ret_batch, struct err *err)
{
    char stream[SINK_UUID_TEXT];

    sink_uuid_text(id, stream);
    const struct sql_attached *a = find_attached(s->state, stream);
    if (a == NULL)
        return not_attached(s, stream, err);
    *ret_attached = a;
    *ret_batch = (struct store_batch){.stream = a->stream, .job_id = a->job_id};
    return ST_OK;
}

static enum st count(struct sink *s, const struct sink_replay *what,
                     struct sink_stored_counts *ret_counts, struct err *err)
{
    struct sql_sink *me = s->state;
    const struct sql_attached *a;
    struct store_batch batch;

    enum st st = find_replayed(s, what->stream, &a, &batch, err);
    return st == ST_OK ? replace_count(&me->store, what, &batch, ret_counts, err) : st;
}

static enum st list(struct sink *s, const struct sink_replay *what, const struct sink_stored *after,
                    struct sink_stored *ret_polls, size_t max, size_t *ret_n, struct err *err)
{
    struct sql_sink *me = s->state;
    const struct sql_attached *a;
    struct store_batch batch;

    enum st st = find_replayed(s, what->stream, &a, &batch, err);
    return st == ST_OK ? replace_list(&me->store, what, &batch, after, ret_polls, max, ret_n, err)
                       : st;
}

/* Is the stream still ours? */
static enum st check_epoch(struct sink *s, const struct sql_attached *a, struct err *err)
{
    struct db *db = &((struct sql_sink *)s->state)->store.db;
    struct stmt *stmt;

    enum st st = db_prepare(db, DB_REPLAY_FENCE, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_text(stmt, ":stream", str_of(a->stream));
    db_bind_int(stmt, ":epoch", a->epoch);
    db_bind_int(stmt, ":now", clock_wall_us(s->clock));
    st = db_run(db, stmt, err);
    if (st == ST_OK && db->n_changed == 0)
        st = explain_lost(s, a, err);
    return st;
}

/* A row of several polls was refused: the batch is to come again. */
static enum st make_singly(struct sql_sink *me, struct err *err)
{
    const struct store_batch *batch = &me->batch;

    me->singly_job_id = batch->job_id;
    me->singly_from_us = batch->polls[0].slot_us;
    me->singly_until_us = batch->polls[batch->n - 1].slot_us;
    err->sys = SINK_OVERTAKEN;
    return ST_AGAIN;
}

static bool is_singly(const struct sql_sink *me)
{
    const struct store_batch *batch = &me->batch;

    return me->singly_job_id == batch->job_id && batch->polls[0].slot_us >= me->singly_from_us &&
           batch->polls[0].slot_us <= me->singly_until_us;
}

static enum st begin(struct sink *s, const struct sink_replay *what,
                     const struct sink_stored *polls, size_t n, struct err *err)
{
    struct sql_sink *me = s->state;
    const struct sql_attached *a;

    enum st st = find_replayed(s, what->stream, &a, &me->batch, err);
    if (st != ST_OK)
        return st;
    me->batch.polls = polls;
    me->batch.n = n;
    st = db_begin(&me->store.db, err);
    store_begin(&me->store, me->batch.job_id, a->table, STORE_PAST);
    if (st == ST_OK)
        st = db_lock_job(&me->store.db, me->batch.job_id, err);
    if (st == ST_OK)
        st = check_epoch(s, a, err);
    if (st == ST_OK)
        st = replace_prepare(&me->store, &me->batch, err);
    if (is_singly(me))
        me->store.remake.try_at = SIZE_MAX;
    if (st != ST_OK)
        roll_back(me);
    return st;
}

static enum st replace(struct sink *s, const struct sink_load *load, struct sink_result *ret_result,
                       struct err *err)
{
    struct sql_sink *me = s->state;

    enum st st = replace_poll(&me->store, &me->batch, load, ret_result, err);
    if (st == ST_REJECT && me->store.remake.is_on)
        st = make_singly(me, err);
    if (st == ST_OK && load->is_last)
        st = replace_finish(&me->store, &me->batch, err);
    if (st == ST_OK && load->is_last)
        st = db_commit(&me->store.db, err);
    if (st != ST_OK)
        roll_back(me);
    return st;
}

const struct sink_replay_driver sql_sink_replay = {
    .count = count,
    .list = list,
    .begin = begin,
    .replace = replace,
};
