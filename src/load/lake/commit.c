/* The log of polls, where a commit happens or does not. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "load/lake/lake.h"

#include <stdio.h>
#include <xxhash.h>

#define MAX_META ((size_t)4 * 1024 * 1024)

static int64_t now_of(const struct lake *l)
{
    return clock_wall_us(l->sink->clock);
}

/* ---- reading ---- */

/* Of a commit of ours: which polls have their rows there. */
static enum st each_action(void *ctx, int64_t version, const struct node *action, struct str line,
                           struct err *err)
{
    struct lake *l = ctx;

    (void)version, (void)line, (void)err;
    if (str_eq(action->key, STR("commitInfo")))
        held_take(&l->held, node_get(node_get(action, "geckotape"), "polls"));
    return ST_OK;
}

/* ---- the table itself ---- */

struct new_table {
    const struct lake *lake;
    const char *meta; /* of one that is there, with the columns it lacked; NULL: make it */
};

static void write_table(void *ctx, int64_t version, struct buf *lines, struct buf *info)
{
    const struct new_table *new = ctx;
    const struct lake *l = new->lake;

    (void)version, (void)info;
    if (new->meta) {
        buf_add_z(lines, new->meta);
        return;
    }
    delta_add_protocol(lines);
    lake_table_add_meta(lines, &l->tables[LAKE_POLL], l->sink->is_simulated, now_of(l));
}

enum st lake_open_polls(struct lake *l, struct err *err)
{
    struct delta_log *log = &l->logs[LAKE_POLL];
    struct buf meta = BUF_INIT(MAX_META);
    bool is_done = false;

    log->each = each_action;
    log->ctx = l;
    enum st st = delta_refresh(log, err);
    while (st == ST_OK && !is_done) {
        struct new_table new = {.lake = l};
        char id[DELTA_ID];
        buf_clear(&meta);
        if (log->version >= 0) {
            st = lake_table_check(&l->tables[LAKE_POLL], log, l->sink->is_simulated, &meta, err);
            new.meta = buf_z(&meta);
            is_done = meta.len == 0;
        }
        delta_make_id(id);
        if (st == ST_OK && !is_done)
            st = delta_commit(log, id, now_of(l), write_table, &new, &is_done, err);
    }
    buf_release(&meta);
    return st;
}

/* ---- taking a stream over ---- */

static enum st taken_over(const struct lake *l, const struct lake_stream *stream, int64_t epoch,
                          struct err *err)
{
    return err_set(err, ST_FATAL,
                   "%s: stream %s was taken over by another geckotape (epoch %lld, ours was %lld); "
                   "one loader is enough for a sink",
                   l->sink->url->shown, stream->uuid, (long long)epoch, (long long)stream->epoch);
}

static int64_t epoch_of(const struct lake *l, const struct lake_stream *stream)
{
    char app[LAKE_APP_MAX];

    lake_app(app, stream->uuid, "epoch");
    return delta_txn(&l->logs[LAKE_POLL], app, 0);
}

static enum st overtaken(const struct lake *l, const char *job, struct err *err)
{
    return err_sys(err, ST_AGAIN, SINK_OVERTAKEN, "%s: job %s was loaded by another geckotape",
                   l->sink->url->shown, job);
}

static enum st check_stream(const struct lake *l, const struct lake_stream *stream, struct err *err)
{
    const int64_t epoch = epoch_of(l, stream);
    struct lake_place place;

    if (epoch != stream->epoch)
        return taken_over(l, stream, epoch, err);
    lake_read_place(l, stream->uuid, &place);
    return place.at.offset == stream->done.at.offset ? ST_OK : overtaken(l, stream->id.job, err);
}

enum st lake_look(struct lake *l, const struct lake_stream *stream, struct err *err)
{
    enum st st = delta_refresh(&l->logs[LAKE_POLL], err);

    return st == ST_OK ? check_stream(l, stream, err) : st;
}

/* What a job is of is fixed for ever: rows of two selections must not mix under one name. */
static int64_t of_stream(const struct stream_id *id)
{
    char text[sizeof(id->endpoint) + sizeof(id->vs_currency) + sizeof(id->selection) + 3];

    const int n =
        snprintf(text, sizeof(text), "%s\n%s\n%s", id->endpoint, id->vs_currency, id->selection);
    return (int64_t)(XXH3_64bits(text, (size_t)n) >> 1);
}

struct take_over {
    const struct lake *lake;
    const struct lake_stream *stream;
};

static void write_take_over(void *ctx, int64_t version, struct buf *lines, struct buf *info)
{
    const struct take_over *take = ctx;
    const struct lake_stream *stream = take->stream;
    char app[LAKE_APP_MAX];

    (void)version, (void)info;
    lake_app(app, stream->uuid, "epoch");
    delta_add_txn(lines, app, epoch_of(take->lake, stream) + 1, now_of(take->lake));
    lake_app(app, stream->id.job, "of");
    delta_add_txn(lines, app, of_stream(&stream->id), now_of(take->lake));
}

enum st lake_take_over(struct lake *l, struct lake_stream *stream, struct err *err)
{
    struct delta_log *log = &l->logs[LAKE_POLL];
    struct take_over take = {.lake = l, .stream = stream};
    char id[DELTA_ID], app[LAKE_APP_MAX];
    bool is_done = false;

    lake_app(app, stream->id.job, "of");
    enum st st = delta_refresh(log, err);
    while (st == ST_OK && !is_done) {
        const int64_t of = of_stream(&stream->id);
        if (delta_txn(log, app, of) != of)
            return err_set(err, ST_FATAL,
                           "%s: job %s is of something else there than %s %s %s; give the job "
                           "another name, or the sink another place",
                           l->sink->url->shown, stream->id.job, stream->id.endpoint,
                           stream->id.vs_currency, stream->id.selection);
        delta_make_id(id);
        st = delta_commit(log, id, now_of(l), write_take_over, &take, &is_done, err);
    }
    if (st != ST_OK)
        return st;
    stream->epoch = epoch_of(l, stream);
    lake_read_place(l, stream->uuid, &stream->done);
    stream->now = stream->whole = stream->done;
    return lake_roll_forward(l, err);
}

/* ---- committing ---- */

bool lake_has_uncommitted(const struct lake *l)
{
    for (size_t i = 0; i < l->n_streams; i++)
        if (l->streams[i].whole.at.offset != l->streams[i].done.at.offset)
            return true;
    return false;
}

size_t lake_uncommitted_bytes(const struct lake *l)
{
    size_t n = 0;

    for (size_t i = 0; i < l->n_files; i++)
        n += lake_file_bytes(l->files[i].file);
    return n;
}

static void add_place(struct buf *lines, const struct lake *l, const struct lake_stream *stream)
{
    const struct lake_place *to = &stream->whole;
    const struct {
        const char *what;
        int64_t value;
    } parts[] = {{"hash", (int64_t)to->at.hash},
                 {"base", (int64_t)to->base},
                 {"base_slot", to->base_slot_us},
                 {"transform", to->transform}};
    char app[LAKE_APP_MAX];

    delta_add_txn(lines, stream->uuid, (int64_t)to->at.offset, now_of(l));
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        lake_app(app, stream->uuid, parts[i].what);
        delta_add_txn(lines, app, parts[i].value, now_of(l));
    }
}

static bool is_of_job(const struct lake *l, const struct lake_poll *poll, const char *job)
{
    return poll->replaced_by == SIZE_MAX && strcmp(l->streams[poll->stream].id.job, job) == 0;
}

static void add_job(struct buf *info, const struct lake *l, const char *job)
{
    for (int which = 0; which < 2; which++) {
        const char *before = "";
        buf_add_z(info, which == 0 ? "{\"ok\":[" : "],\"partial\":[");
        for (size_t i = 0; i < l->n_polls; i++) {
            const struct lake_poll *poll = &l->polls[i];
            if (!is_of_job(l, poll, job) || poll->is_partial != (which == 1))
                continue;
            buf_add_z(info, before);
            if (poll->is_partial)
                buf_addf(info, "[%lld,\"%s\"]", (long long)poll->slot_us,
                         l->files[poll->file].is_void ? HELD_NO_FILE
                                                      : lake_file_path(l->files[poll->file].file));
            else
                buf_add_i64(info, poll->slot_us);
            before = ",";
        }
    }
    buf_add_z(info, "]}");
}

/* Streams of one job are one entry. */
static void add_polls(struct buf *info, const struct lake *l)
{
    const char *before = "";

    buf_add_z(info, ",\"geckotape\":{\"polls\":{");
    for (size_t i = 0; i < l->n_streams; i++) {
        const char *job = l->streams[i].id.job;
        size_t first = 0;
        while (strcmp(l->streams[first].id.job, job) != 0)
            first++;
        if (first < i)
            continue;
        buf_add_z(info, before);
        buf_add_json_str(info, str_of(job));
        buf_add_char(info, ':');
        add_job(info, l, job);
        before = ",";
    }
    buf_add_char(info, '}');
}

static void write_commit(void *ctx, int64_t version, struct buf *lines, struct buf *info)
{
    const struct lake *l = ctx;
    const int64_t now_us = now_of(l);

    for (size_t i = 0; i < l->n_streams; i++)
        if (l->streams[i].whole.at.offset != l->streams[i].done.at.offset)
            add_place(lines, l, &l->streams[i]);
    lake_add_rows_txns(lines, l, version, now_us);
    for (size_t i = 0; i < l->n_files; i++)
        if (l->files[i].table == LAKE_POLL)
            lake_file_add_action(lines, l->files[i].file, true, now_us);
    add_polls(info, l);
    lake_add_rows_info(info, l, now_us);
    buf_add_char(info, '}');
}

/* Others have committed: is all that we have to commit still what it should be? */
static enum st check_overtaken(struct lake *l, struct err *err)
{
    enum st st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < l->n_streams; i++)
        if (l->streams[i].whole.at.offset != l->streams[i].done.at.offset)
            st = check_stream(l, &l->streams[i], err);
    if (st != ST_OK)
        return st;
    for (size_t i = 0; i < l->n_polls; i++) {
        const struct lake_poll *poll = &l->polls[i];
        const char *job = l->streams[poll->stream].id.job;
        const struct held_poll *held = held_find(&l->held, job, poll->slot_us);
        if (poll->replaced_by == SIZE_MAX &&
            (held ? held->partial == NULL || strcmp(held->partial, poll->replaces) != 0
                  : poll->replaces[0] != '\0'))
            return overtaken(l, job, err);
        /* unchanged rows were left out because the newest poll was another one */
        if (held_newest(&l->held, job) > poll->slot_us)
            return overtaken(l, job, err);
    }
    return ST_OK;
}

static enum st finish_files(struct lake *l, struct err *err)
{
    enum st st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < l->n_files; i++) {
        struct lake_new_file *new = &l->files[i];
        new->is_void |= lake_file_rows(new->file) == 0;
        if (!new->is_void)
            st = lake_file_finish(new->file, err);
    }
    return st;
}

enum st lake_commit(struct lake *l, struct err *err)
{
    struct delta_log *log = &l->logs[LAKE_POLL];
    char id[DELTA_ID];
    bool is_done = false;

    if (!lake_has_uncommitted(l))
        return lake_roll_forward(l, err);
    enum st st = lake_roll_forward(l, err);
    if (st == ST_OK)
        st = finish_files(l, err);
    delta_make_id(id);
    while (st == ST_OK && !is_done) {
        st = delta_commit(log, id, now_of(l), write_commit, l, &is_done, err);
        if (st == ST_OK && !is_done)
            st = check_overtaken(l, err);
        if (st == ST_OK && !is_done)
            st = lake_roll_forward(l, err);
    }
    if (st != ST_OK)
        return st;
    for (size_t i = 0; i < l->n_streams; i++)
        l->streams[i].done = l->streams[i].whole;
    lake_forget(l);
    return lake_roll_forward(l, err);
}
