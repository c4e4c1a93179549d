/* SPDX-License-Identifier: Apache-2.0 */
#include "load/lake/lake.h"

#include "base/mem.h"
#include "load/drivers.h"

#include <stdio.h>

#define EVERY_US  (600 * US_PER_S)
#define MAX_BYTES ((size_t)64 << 20)
/* Far less than vacuum's seven days: stores date an upload by its beginning. */
#define MAX_EVERY_US LAKE_DAY_US
#define MAX_POLLS    10000 /* with rows */
#define MAX_FILES    8     /* each may hold a row group in memory */

/* ---- options ---- */

static enum st parse_every(const struct sink_url *url, int64_t *ret_us, struct err *err)
{
    const char *text = sink_url_option(url, "commit");

    *ret_us = EVERY_US;
    if (text && (!duration_parse(str_of(text), ret_us) || *ret_us == 0 || *ret_us > MAX_EVERY_US))
        return err_set(err, ST_REJECT, "%s: commit is a duration up to 1d, as 30s, 10m or 1h",
                       url->shown);
    return ST_OK;
}

/* *ret: rows that have not changed are left out. */
static enum st parse_rows(const struct sink_url *url, bool *ret_may_skip, struct err *err)
{
    const char *text = sink_url_option(url, "rows");

    *ret_may_skip = text == NULL || strcmp(text, "changed") == 0;
    return *ret_may_skip || strcmp(text, "all") == 0
               ? ST_OK
               : err_set(err, ST_REJECT, "%s: rows is changed or all", url->shown);
}

static enum st lake_check(const struct sink_url *url, struct err *err)
{
    const char *known[SINK_URL_OPTIONS * 4] = {"commit", "rows"};
    struct object_store *store = NULL;
    int64_t every_us;
    bool may_skip;
    size_t n = 2;

    for (size_t i = 0; object_options[i] && n + 1 < sizeof(known) / sizeof(known[0]); i++)
        known[n++] = object_options[i];
    if (url->rest[0] == '\0')
        return err_set(err, ST_REJECT, "%s: names no place, as lake:./lake does", url->shown);
    enum st st = sink_url_check_options(url, known, err);
    if (st == ST_OK)
        st = parse_every(url, &every_us, err);
    if (st == ST_OK)
        st = parse_rows(url, &may_skip, err);
    if (st == ST_OK && strcmp(url->scheme, "lake") != 0) {
        st = object_open_url(url, "lake+", NULL, &store, err);
        object_close(store);
        /* credentials may come later */
        st = st == ST_REJECT ? ST_REJECT : ST_OK;
    }
    return st;
}

/* ---- opening ---- */

void lake_app(char ret_app[LAKE_APP_MAX], const char *of, const char *what)
{
    snprintf(ret_app, LAKE_APP_MAX, "%s/%s", of, what);
}

/* A store that does not know "only if it is absent" would let two writers overwrite each other. */
static enum st probe(struct lake *l, struct err *err)
{
    static const char name[] = "_geckotape/probe";
    static const struct str text = {"geckotape asks whether this is written twice\n", 45};
    struct object_put_result result = {.is_refused = false};
    enum st st = ST_OK;

    for (int i = 0; st == ST_OK && !result.is_refused && i < 2; i++)
        st = object_put(l->store, name, text, OBJECT_ABSENT, NULL, &result, err);
    if (st != ST_OK || result.is_refused)
        return st;
    return err_set(err, ST_FATAL,
                   "%s: this store overwrites what is only to be written where nothing is "
                   "(If-None-Match: *): a lake needs one that does not",
                   object_shown(l->store));
}

static enum st lake_open(struct sink *s, struct err *err)
{
    struct lake *l = s->state;

    l->sink = s;
    l->json = json_new();
    l->max_bytes = MAX_BYTES;
    l->row = mem_new(LAKE_MAX_COLUMNS, sizeof(*l->row));
    poll_row_init(&l->poll_row);
    enum st st = parse_every(s->url, &l->every_us, err);
    if (st == ST_OK)
        st = parse_rows(s->url, &l->may_skip, err);
    if (st == ST_OK)
        st = object_open_url(s->url, "lake+", NULL, &l->store, err);
    if (st != ST_OK)
        return st;
    s->gathers_us = l->every_us;
    for (size_t i = 0; i < LAKE_TABLES; i++) {
        lake_table_init(&l->tables[i], i);
        delta_init(&l->logs[i], l->store, l->json, l->tables[i].name);
    }
    st = probe(l, err);
    if (st == ST_OK)
        st = lake_open_polls(l, err);
    return st == ST_OK ? lake_roll_forward(l, err) : st;
}

void lake_forget(struct lake *l)
{
    for (size_t i = 0; i < l->n_files; i++)
        lake_file_free(l->files[i].file);
    l->n_files = l->n_whole_files = l->n_polls = l->n_whole_polls = 0;
    l->began_us = 0;
    l->is_broken = false;
    for (size_t i = 0; i < l->n_streams; i++)
        l->streams[i].now = l->streams[i].whole = l->streams[i].done;
}

static void lake_close(struct sink *s)
{
    struct lake *l = s->state;

    if (l->json == NULL)
        return;
    lake_forget(l);
    mem_free(l->files);
    mem_free(l->polls);
    mem_free(l->streams);
    mem_free(l->row);
    poll_row_release(&l->poll_row);
    held_release(&l->held);
    for (size_t i = 0; i < LAKE_TABLES; i++)
        if (l->logs[i].store)
            delta_release(&l->logs[i]);
    object_close(l->store);
    json_free(l->json);
    *l = (struct lake){.n_streams = 0};
}

/* ---- batches ---- */

/* What was loaded since the last whole batch is not there any more. */
static void drop_batch(struct lake *l)
{
    for (size_t i = l->n_whole_files; i < l->n_files; i++)
        lake_file_free(l->files[i].file);
    l->n_files = l->n_whole_files;
    l->n_polls = l->n_whole_polls;
    for (size_t i = 0; i < l->n_files; i++)
        lake_file_drop(l->files[i].file);
    for (size_t i = 0; i < l->n_polls; i++) {
        struct lake_poll *poll = &l->polls[i];
        if (poll->replaced_by == SIZE_MAX || poll->replaced_by < l->n_polls)
            continue;
        poll->replaced_by = SIZE_MAX;
        l->files[poll->file].is_void = false;
    }
    for (size_t i = 0; i < l->n_streams; i++)
        l->streams[i].now = l->streams[i].whole;
}

static enum st keep_batch(struct lake *l, struct err *err)
{
    enum st st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < l->n_files; i++)
        st = lake_file_keep(l->files[i].file, err);
    l->n_whole_files = l->n_files;
    l->n_whole_polls = l->n_polls;
    for (size_t i = 0; i < l->n_streams; i++)
        l->streams[i].whole = l->streams[i].now;
    l->is_broken = st != ST_OK;
    return st;
}

static bool is_in_batch(const struct lake *l)
{
    for (size_t i = 0; i < l->n_streams; i++)
        if (l->streams[i].now.at.offset != l->streams[i].whole.at.offset)
            return true;
    return false;
}

/* ---- streams ---- */

static struct lake_stream *find_stream(struct lake *l, const char *uuid)
{
    for (size_t i = 0; i < l->n_streams; i++)
        if (strcmp(l->streams[i].uuid, uuid) == 0)
            return &l->streams[i];
    return NULL;
}

void lake_read_place(const struct lake *l, const char *uuid, struct lake_place *ret)
{
    const struct delta_log *log = &l->logs[LAKE_POLL];
    char app[LAKE_APP_MAX];

    *ret = (struct lake_place){.at.offset = (uint64_t)delta_txn(log, uuid, 0)};
    lake_app(app, uuid, "hash");
    ret->at.hash = (uint64_t)delta_txn(log, app, 0);
    lake_app(app, uuid, "base");
    ret->base = (uint64_t)delta_txn(log, app, 0);
    lake_app(app, uuid, "base_slot");
    ret->base_slot_us = delta_txn(log, app, 0);
    lake_app(app, uuid, "transform");
    ret->transform = delta_txn(log, app, 0);
}

static enum st lake_attach(struct sink *s, const struct stream_id *id,
                           struct position *ret_position, struct err *err)
{
    struct lake *l = s->state;
    struct lake_stream stream = {.id = *id, .table = row_table_of(id->endpoint)};

    if (l->is_broken)
        lake_forget(l);
    drop_batch(l);
    sink_uuid_text(id, stream.uuid);
    enum st st = lake_commit(l, err);
    if (st == ST_OK)
        st = lake_take_over(l, &stream, err);
    if (st != ST_OK)
        return st;
    struct lake_stream *place = find_stream(l, stream.uuid);
    if (place == NULL) {
        l->streams = mem_grow(l->streams, l->n_streams + 1, sizeof(*l->streams));
        place = &l->streams[l->n_streams++];
    }
    *place = stream;
    *ret_position = stream.done.at;
    return ST_OK;
}

/* ---- loading ---- */

static struct lake_file *file_of(struct lake *l, size_t table, int64_t slot_us, bool is_partial,
                                 size_t *ret_index)
{
    const int64_t day_us = time_floor(slot_us, LAKE_DAY_US);

    for (size_t i = 0; !is_partial && i < l->n_files; i++) {
        *ret_index = i;
        if (!l->files[i].is_partial && lake_file_is_of(l->files[i].file, &l->tables[table], day_us))
            return l->files[i].file;
    }
    l->files = mem_grow(l->files, l->n_files + 1, sizeof(*l->files));
    *ret_index = l->n_files;
    l->files[l->n_files++] =
        (struct lake_new_file){.file = lake_file_new(l->store, &l->tables[table], day_us),
                               .table = table,
                               .is_partial = is_partial};
    return l->files[*ret_index].file;
}

/* The poll that has the slot's rows now, of those that are not committed. */
static struct lake_poll *find_poll(struct lake *l, const char *job, int64_t slot_us)
{
    for (size_t i = l->n_polls; i-- > 0;) {
        struct lake_poll *poll = &l->polls[i];
        if (poll->slot_us == slot_us && poll->replaced_by == SIZE_MAX &&
            strcmp(l->streams[poll->stream].id.job, job) == 0)
            return poll;
    }
    return NULL;
}

static int64_t newest_slot(const struct lake *l, const char *job)
{
    int64_t newest_us = held_newest(&l->held, job);

    for (size_t i = 0; i < l->n_polls; i++)
        if (l->polls[i].slot_us > newest_us &&
            strcmp(l->streams[l->polls[i].stream].id.job, job) == 0)
            newest_us = l->polls[i].slot_us;
    return newest_us;
}

static void add_poll(struct lake *l, const struct lake_poll *poll)
{
    if (l->n_polls == l->max_polls) {
        l->max_polls = l->max_polls > 0 ? l->max_polls * 2 : 64;
        l->polls = mem_grow(l->polls, l->max_polls, sizeof(*l->polls));
    }
    l->polls[l->n_polls++] = *poll;
}

/* The file of a partial poll may have been merged with others by another program, and cannot be
 * taken away then. */
static enum st check_partial(struct lake *l, size_t table, const struct held_poll *held,
                             bool *ret_is_there, struct err *err)
{
    const struct sink *s = l->sink;

    *ret_is_there = true;
    if (strcmp(held->partial, HELD_NO_FILE) == 0)
        return ST_OK;
    enum st st = lake_has_file(l, table, held->partial, ret_is_there, err);
    if (st == ST_OK && !*ret_is_there && s->tell)
        s->tell(s->tell_ctx, "the rows of a partial poll are in a file that another program made: "
                             "they stay, and the ok poll of that slot is a duplicate");
    return st;
}

/* *ret_is_taken: the slot has rows that these must not join. Else what they take the place of goes.
 */
static enum st take_slot(struct lake *l, struct lake_poll *poll, bool *ret_is_taken,
                         struct err *err)
{
    const struct lake_stream *stream = &l->streams[poll->stream];
    const char *job = stream->id.job;
    bool is_there = true;
    enum st st = ST_OK;

    struct lake_poll *before = find_poll(l, job, poll->slot_us);
    const struct held_poll *held = before ? NULL : held_find(&l->held, job, poll->slot_us);

    *ret_is_taken = before ? !before->is_partial || poll->is_partial
                           : held && (held->partial == NULL || poll->is_partial);
    if (*ret_is_taken)
        return ST_OK;
    if (held) {
        st = check_partial(l, stream->table, held, &is_there, err);
        *ret_is_taken = !is_there;
        snprintf(poll->replaces, sizeof(poll->replaces), "%s", held->partial);
    }
    if (before) {
        before->replaced_by = l->n_polls;
        l->files[before->file].is_void = true;
        /* what it was to take the place of goes all the same */
        memcpy(poll->replaces, before->replaces, sizeof(poll->replaces));
    }
    return st;
}

static enum st add_rows(struct lake *l, const struct lake_stream *stream, struct lake_file *file,
                        const struct poll_rows *rows, bool may_skip, struct sink_result *result,
                        struct err *err)
{
    const size_t n_columns = rows->rows.table->n_columns;
    enum st st = ST_OK;

    l->row[LAKE_SLOT] = cell_of_time(rows->slot_us);
    l->row[LAKE_JOB] = cell_of_text(str_of(stream->id.job));
    l->row[LAKE_VS_CURRENCY] =
        stream->id.vs_currency[0] ? cell_of_text(str_of(stream->id.vs_currency)) : CELL_NONE;
    for (size_t i = 0; st == ST_OK && i < rows->rows.n; i++) {
        if (may_skip && rows->is_unchanged[i]) {
            result->n_unchanged++;
            continue;
        }
        memcpy(&l->row[N_LAKE_KEYS], rows_at(&rows->rows, i), n_columns * sizeof(*l->row));
        st = lake_file_add(file, l->row, err);
        result->n_stored++;
    }
    return st;
}

static enum st load_rows(struct lake *l, struct lake_stream *stream, const struct sink_load *load,
                         struct sink_result *result, struct err *err)
{
    const struct poll_rows *rows = load->rows;
    const bool is_ok = load->end->outcome == POLL_OK;
    struct lake_place *now = &stream->now;
    struct lake_poll poll = {.stream = (size_t)(stream - l->streams),
                             .slot_us = rows->slot_us,
                             .is_partial = !is_ok,
                             .replaced_by = SIZE_MAX};
    const int64_t newest_us = newest_slot(l, stream->id.job);

    const bool may_skip = l->may_skip && is_ok && rows->unchanged_since != 0 &&
                          rows->unchanged_since == now->base &&
                          now->transform == TRANSFORM_VERSION && newest_us == now->base_slot_us &&
                          rows->slot_us > newest_us;
    enum st st = take_slot(l, &poll, &result->is_duplicate, err);
    if (st != ST_OK || result->is_duplicate)
        return st;
    struct lake_file *file = file_of(l, stream->table, rows->slot_us, poll.is_partial, &poll.file);
    st = add_rows(l, stream, file, rows, may_skip, result, err);
    add_poll(l, &poll);
    if (rows->slot_us < newest_us)
        return st;
    now->base = is_ok ? load->end->offset : 0;
    now->base_slot_us = rows->slot_us;
    now->transform = TRANSFORM_VERSION;
    return st;
}

static enum st load_poll(struct lake *l, struct lake_stream *stream, const struct sink_load *load,
                         struct sink_result *result, struct err *err)
{
    size_t index;
    enum st st = ST_OK;

    if (load->rows)
        st = load_rows(l, stream, load, result, err);
    if (st != ST_OK)
        return st;
    poll_row_fill(&l->poll_row, load, result);
    st = buf_check(&l->poll_row.error, "why a poll is not ok", err);
    if (st == ST_OK)
        st = lake_file_add(file_of(l, LAKE_POLL, load->end->slot_us, false, &index),
                           l->poll_row.cells, err);
    stream->now.at = load->new;
    return st;
}

static enum st lake_load(struct sink *s, const struct sink_load *load,
                         struct sink_result *ret_result, struct err *err)
{
    struct lake *l = s->state;
    struct sink_result result = {0};
    char uuid[SINK_UUID_TEXT];
    enum st st = ST_OK;

    sink_uuid_text(load->stream, uuid);
    struct lake_stream *stream = find_stream(l, uuid);
    if (stream && (l->is_broken || l->began_us == 0))
        st = lake_look(l, stream, err);
    if (st == ST_OK && (stream == NULL || l->is_broken))
        st = err_set(err, ST_AGAIN, "%s: stream %s is not attached", s->url->shown, uuid);
    if (st != ST_OK)
        return st;
    if (load->old.offset != stream->now.at.offset || load->old.hash != stream->now.at.hash)
        st = err_set(err, ST_AGAIN, "%s: stream %s is at offset %llu, not where this load begins",
                     s->url->shown, uuid, (unsigned long long)stream->now.at.offset);
    if (st == ST_OK && l->began_us == 0)
        l->began_us = clock_mono_us(s->clock);
    if (st == ST_OK)
        st = load_poll(l, stream, load, &result, err);
    if (st != ST_OK)
        drop_batch(l);
    else if (load->is_last)
        st = keep_batch(l, err);
    if (st == ST_OK)
        *ret_result = result;
    return st;
}

/* ---- committing ---- */

static bool is_due(struct sink *s)
{
    const struct lake *l = s->state;

    return clock_mono_us(s->clock) - l->began_us >= l->every_us || l->n_polls >= MAX_POLLS ||
           l->n_files >= MAX_FILES || lake_uncommitted_bytes(l) >= l->max_bytes;
}

static enum st lake_settle(struct sink *s, bool is_forced, bool *ret_is_settled, struct err *err)
{
    struct lake *l = s->state;
    enum st st = ST_OK;

    if (l->is_broken)
        return err_set(err, ST_AGAIN, "%s: what was gathered could not be written", s->url->shown);
    *ret_is_settled = false;
    if (is_in_batch(l))
        return ST_OK;
    if (lake_has_uncommitted(l) && !is_forced && !is_due(s))
        return ST_OK;
    st = lake_commit(l, err);
    l->is_broken = st != ST_OK;
    *ret_is_settled = st == ST_OK;
    return st;
}

#define LAKE_DRIVER                                                            \
    .state_size = sizeof(struct lake), .check = lake_check, .open = lake_open, \
    .attach = lake_attach, .load = lake_load, .settle = lake_settle, .close = lake_close

const struct sink_driver sink_lake = {
    .scheme = "lake",
    .summary = "Delta tables of Parquet files, for DuckDB, Spark, pandas, polars",
    .example = "lake:./data/lake",
    .is_path = true,
    LAKE_DRIVER,
};

static const char *const which[] = {"endpoint", NULL};

const struct sink_driver sink_lake_s3 = {
    .scheme = "lake+s3",
    .summary = "the same in S3, or in what speaks its protocol",
    .example = "lake+s3://BUCKET/PREFIX",
    .which = which,
    LAKE_DRIVER,
};

const struct sink_driver sink_lake_az = {
    .scheme = "lake+az",
    .alias = "lake+abfss",
    .summary = "the same in Azure's Blob Storage",
    .example = "lake+az://ACCOUNT/CONTAINER/PREFIX",
    .which = which,
    LAKE_DRIVER,
};
