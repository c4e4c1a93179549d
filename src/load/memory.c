/* The memory: driver: the latest row of each coin, for readers in this process.
 *
 * A store belongs to its name; sinks and queries that give the same name share it, and the last to
 * leave frees it. Each load builds the job's next table beside the present one, and the end of a
 * batch puts it in its place: so a batch is all or nothing, and readers never see half of one.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "load/drivers.h"
#include "row/tables.h"
#include "transform/coins.h"

#include <pthread.h>
#include <stdlib.h>

#define MAX_TABLE ((size_t)256 << 20) /* bytes of one job's table */
#define N_TABLES  3                   /* the present one, the staged one, and the one being built */

struct memory_table {
    struct arena arena;
    struct rows rows;
    int64_t *slots;  /* of each row */
    bool *is_absent; /* the last ok poll lacked this row's coin */
    bool has_poll;
    int64_t slot_us; /* of the newest poll */
    uint64_t end_offset;
    uint8_t uuid[16]; /* of its stream */
    enum poll_outcome outcome;
    int64_t finished_us;
};

struct memory_job {
    struct stream_id id; /* of its first stream */
    struct memory_table tables[N_TABLES];
    size_t present, staged; /* staged == present: nothing is */
};

struct memory_stream {
    uint8_t uuid[16];
    size_t job;
    uint64_t epoch;
    struct position position;
};

struct memory_store {
    struct memory_store *next;
    char *name;
    size_t n_users;
    pthread_mutex_t lock; /* guards all below */
    struct memory_job *jobs;
    struct memory_stream *streams;
    size_t n_jobs, n_streams;
    uint64_t version; /* raised by each commit */
};

struct memory_attached {
    size_t stream;
    uint64_t epoch;
};

struct memory_sink {
    struct memory_store *store;
    struct memory_attached *attached;
    size_t n_attached;
    bool is_staging;          /* a batch is open: */
    size_t stream;            /* of this stream, */
    struct position position; /* it is here */
};

static pthread_mutex_t stores_lock = PTHREAD_MUTEX_INITIALIZER;
static struct memory_store *stores;

static struct memory_store *store_join(const char *name)
{
    pthread_mutex_lock(&stores_lock);
    struct memory_store *store = stores;
    while (store && strcmp(store->name, name) != 0)
        store = store->next;
    if (store == NULL) {
        store = mem_new(1, sizeof(*store));
        store->name = mem_strdup(name);
        pthread_mutex_init(&store->lock, NULL);
        store->next = stores;
        stores = store;
    }
    store->n_users++;
    pthread_mutex_unlock(&stores_lock);
    return store;
}

static void store_free(struct memory_store *store)
{
    for (size_t i = 0; i < store->n_jobs; i++)
        for (size_t k = 0; k < N_TABLES; k++)
            arena_release(&store->jobs[i].tables[k].arena);
    mem_free(store->jobs);
    mem_free(store->streams);
    mem_free(store->name);
    pthread_mutex_destroy(&store->lock);
    mem_free(store);
}

static void store_leave(struct memory_store *store)
{
    pthread_mutex_lock(&stores_lock);
    bool is_last = --store->n_users == 0;
    for (struct memory_store **at = &stores; is_last && *at; at = &(*at)->next)
        if (*at == store) {
            *at = store->next;
            break;
        }
    pthread_mutex_unlock(&stores_lock);
    if (is_last)
        store_free(store);
}

static size_t find_job(const struct memory_store *store, const char *name)
{
    size_t i = 0;
    while (i < store->n_jobs && strcmp(store->jobs[i].id.job, name) != 0)
        i++;
    return i;
}

static size_t find_stream(const struct memory_store *store, const uint8_t uuid[16])
{
    size_t i = 0;
    while (i < store->n_streams && memcmp(store->streams[i].uuid, uuid, 16) != 0)
        i++;
    return i;
}

static size_t add_job(struct memory_store *store, const struct stream_id *id)
{
    store->jobs = mem_grow(store->jobs, store->n_jobs + 1, sizeof(*store->jobs));
    struct memory_job *job = &store->jobs[store->n_jobs];
    memset(job, 0, sizeof(*job));
    job->id = *id;
    enum row_table table = row_table_of(id->endpoint);
    for (size_t i = 0; i < N_TABLES; i++) {
        arena_init(&job->tables[i].arena, MAX_TABLE);
        if (table < N_ROW_TABLES) /* else no poll has rows */
            job->tables[i].rows.table = row_tables[table];
    }
    return store->n_jobs++;
}

static size_t add_stream(struct memory_store *store, const struct stream_id *id)
{
    size_t job = find_job(store, id->job);

    if (job == store->n_jobs)
        add_job(store, id);
    store->streams = mem_grow(store->streams, store->n_streams + 1, sizeof(*store->streams));
    struct memory_stream *stream = &store->streams[store->n_streams];
    *stream = (struct memory_stream){.job = job};
    memcpy(stream->uuid, id->uuid, sizeof(stream->uuid));
    return store->n_streams++;
}

static enum st memory_check(const struct sink_url *url, struct err *err)
{
    return sink_url_check_options(url, (const char *const[]){NULL}, err);
}

static enum st memory_open(struct sink *s, struct err *err)
{
    struct memory_sink *me = s->state;

    (void)err;
    me->store = store_join(s->url->rest);
    return ST_OK;
}

/* The lock is held. */
static void drop_staged(struct memory_sink *me)
{
    if (!me->is_staging)
        return;
    struct memory_job *job = &me->store->jobs[me->store->streams[me->stream].job];
    job->staged = job->present;
    me->is_staging = false;
}

static void memory_close(struct sink *s)
{
    struct memory_sink *me = s->state;

    if (me->store) {
        pthread_mutex_lock(&me->store->lock);
        drop_staged(me);
        pthread_mutex_unlock(&me->store->lock);
        store_leave(me->store);
    }
    mem_free(me->attached);
    *me = (struct memory_sink){0};
}

static enum st memory_attach(struct sink *s, const struct stream_id *id,
                             struct position *ret_position, struct err *err)
{
    struct memory_sink *me = s->state;
    struct memory_store *store = me->store;

    (void)err;
    pthread_mutex_lock(&store->lock);
    drop_staged(me);
    size_t stream = find_stream(store, id->uuid), i = 0;
    if (stream == store->n_streams)
        add_stream(store, id);
    while (i < me->n_attached && me->attached[i].stream != stream)
        i++;
    if (i == me->n_attached)
        me->attached = mem_grow(me->attached, ++me->n_attached, sizeof(*me->attached));
    me->attached[i] = (struct memory_attached){stream, ++store->streams[stream].epoch};
    *ret_position = store->streams[stream].position;
    pthread_mutex_unlock(&store->lock);
    return ST_OK;
}

/* Copy a row and its texts. */
static bool copy_row(struct arena *arena, const struct cell *from, size_t n, struct cell *ret_to)
{
    for (size_t i = 0; i < n; i++) {
        ret_to[i] = from[i];
        if (from[i].text)
            ret_to[i].text = arena_str(arena, cell_text(&from[i])).p;
        if (from[i].text && ret_to[i].text == NULL)
            return false;
    }
    return true;
}

static bool copy_polled(struct memory_table *to, const struct poll_rows *poll)
{
    for (size_t i = 0; i < poll->rows.n; i++) {
        if (!copy_row(&to->arena, rows_at(&poll->rows, i), to->rows.table->n_columns,
                      rows_at(&to->rows, to->rows.n)))
            return false;
        to->slots[to->rows.n++] = poll->slot_us;
    }
    return true;
}

/* The rows that stay: of coins that the poll lacks, but for those of a poll that it replaces. What
 * an ok poll lacks is absent, whatever polls it was compared with. */
static bool copy_kept(struct memory_table *to, const struct memory_table *from, int64_t replaced,
                      const struct poll_rows *poll, bool is_ok)
{
    uint32_t row = COINS_NO_ROW;

    for (size_t i = 0; i < from->rows.n; i++) {
        const struct cell *cells = rows_at(&from->rows, i);
        struct str id = cell_text(&cells[ROW_ID]);
        bool is_polled = coins_find(poll->coins, id, &row);
        if (from->slots[i] == replaced || (is_polled && row != COINS_NO_ROW))
            continue;
        to->is_absent[to->rows.n] = from->is_absent[i] || (is_ok && !is_polled);
        if (!copy_row(&to->arena, cells, to->rows.table->n_columns, rows_at(&to->rows, to->rows.n)))
            return false;
        to->slots[to->rows.n++] = from->slots[i];
    }
    return true;
}

/* The table after a poll, from the one before it. */
static bool build_table(struct memory_table *to, const struct memory_table *from,
                        const struct poll_rows *poll, bool is_ok)
{
    const size_t max = from->rows.n + poll->rows.n;

    arena_reset(&to->arena);
    to->rows.n = 0;
    to->rows.cells =
        arena_alloc(&to->arena, max * to->rows.table->n_columns, sizeof(*to->rows.cells));
    to->slots = arena_alloc(&to->arena, max, sizeof(*to->slots));
    to->is_absent = arena_zalloc(&to->arena, max, sizeof(*to->is_absent));
    if (!to->rows.cells || !to->slots || !to->is_absent)
        return false;
    if (to->rows.table->latest == NULL) /* nothing of it is the latest */
        return true;
    int64_t replaced = from->has_poll && from->slot_us == poll->slot_us ? poll->slot_us : INT64_MIN;
    return copy_polled(to, poll) && copy_kept(to, from, replaced, poll, is_ok);
}

/* Stage the table that a poll with rows makes. */
static enum st stage_rows(struct memory_job *job, const struct sink_load *load,
                          struct sink_result *result, struct err *err)
{
    const struct memory_table *from = &job->tables[job->staged];
    const struct poll_rows *poll = load->rows;
    size_t next = 0;

    bool is_same_slot = from->has_poll && from->slot_us == poll->slot_us;
    bool is_replacing =
        is_same_slot && from->outcome == POLL_PARTIAL && load->end->outcome == POLL_OK;
    result->is_duplicate = is_same_slot && !is_replacing;
    /* a poll that comes late has no row that is the latest */
    if (result->is_duplicate || (from->has_poll && poll->slot_us < from->slot_us))
        return ST_OK;
    while (next == job->present || next == job->staged)
        next++;
    struct memory_table *to = &job->tables[next];
    if (!build_table(to, from, poll, load->end->outcome == POLL_OK))
        return err_set(err, to->arena.is_full ? ST_REJECT : ST_AGAIN,
                       "memory: the table of job %s needs more than %zu bytes", job->id.job,
                       MAX_TABLE);
    if (poll->unchanged_since != 0 && poll->unchanged_since == from->end_offset &&
        memcmp(from->uuid, load->stream->uuid, sizeof(from->uuid)) == 0)
        result->n_unchanged = poll->n_unchanged;
    result->n_stored = poll->rows.n - result->n_unchanged;
    to->has_poll = true;
    to->slot_us = poll->slot_us;
    to->end_offset = load->end->offset;
    to->outcome = load->end->outcome;
    to->finished_us = load->end->fetched_at_us;
    memcpy(to->uuid, load->stream->uuid, sizeof(to->uuid));
    job->staged = next;
    return ST_OK;
}

/* Is the stream ours, and where the load begins? The lock is held. */
static enum st check_fence(struct sink *s, size_t stream, const struct sink_load *load,
                           struct err *err)
{
    struct memory_sink *me = s->state;
    const struct memory_store *store = me->store;
    size_t i = 0;

    while (i < me->n_attached && me->attached[i].stream != stream)
        i++;
    if (stream == store->n_streams || i == me->n_attached)
        return err_set(err, ST_AGAIN, "%s: the stream is not attached", s->url->shown);
    if (store->streams[stream].epoch != me->attached[i].epoch)
        return err_set(err, ST_FATAL, "%s: stream of job %s was taken over by another loader",
                       s->url->shown, load->stream->job);
    struct position at = me->is_staging ? me->position : store->streams[stream].position;
    if (at.offset != load->old.offset || at.hash != load->old.hash)
        return err_set(err, ST_AGAIN, "%s: is at offset %llu, not where this load begins",
                       s->url->shown, (unsigned long long)at.offset);
    return ST_OK;
}

static enum st memory_load(struct sink *s, const struct sink_load *load,
                           struct sink_result *ret_result, struct err *err)
{
    struct memory_sink *me = s->state;
    struct memory_store *store = me->store;
    struct sink_result result = {0};

    pthread_mutex_lock(&store->lock);
    size_t stream = find_stream(store, load->stream->uuid);
    enum st st = check_fence(s, stream, load, err);
    if (st == ST_OK) {
        me->is_staging = true;
        me->stream = stream;
        me->position = load->new;
    }
    if (st == ST_OK && load->rows)
        st = stage_rows(&store->jobs[store->streams[stream].job], load, &result, err);
    if (st != ST_OK) {
        drop_staged(me);
    } else if (load->is_last) {
        struct memory_job *job = &store->jobs[store->streams[stream].job];
        job->present = job->staged;
        store->version++;
        store->streams[stream].position = load->new;
        me->is_staging = false;
    }
    pthread_mutex_unlock(&store->lock);
    if (st == ST_OK)
        *ret_result = result;
    return st;
}

static const struct memory_table *present_of(const struct memory_job *job)
{
    return &job->tables[job->present];
}

/* All present rows of market in a currency, the newest of each coin; the lock is held. */
static bool gather_market(const struct memory_store *store, struct str vs_currency,
                          struct arena *arena, struct rows *rows)
{
    const size_t row_size = N_MARKET_COLUMNS * sizeof(*rows->cells);
    size_t max = 0;
    uint32_t at;

    for (size_t i = 0; i < store->n_jobs; i++)
        max += present_of(&store->jobs[i])->rows.n;
    rows->cells = arena_alloc(arena, max, row_size);
    struct coin_index *coins = coins_new(arena, max);
    if (rows->cells == NULL || coins == NULL)
        return false;
    for (size_t i = 0; i < store->n_jobs; i++) {
        const struct memory_job *job = &store->jobs[i];
        const struct memory_table *table = present_of(job);
        if (table->rows.table != &market_table || !str_eq(vs_currency, str_of(job->id.vs_currency)))
            continue;
        for (size_t k = 0; k < table->rows.n; k++) {
            struct cell *to = rows_at(rows, rows->n);
            if (table->is_absent[k])
                continue;
            if (!copy_row(arena, rows_at(&table->rows, k), N_MARKET_COLUMNS, to))
                return false;
            if (coins_add(coins, cell_text(&to[MARKET_ID]), (uint32_t)rows->n))
                rows->n++;
            else if (coins_find(coins, cell_text(&to[MARKET_ID]), &at) &&
                     rows_at(rows, at)[MARKET_FETCHED_AT].number < to[MARKET_FETCHED_AT].number)
                memcpy(rows_at(rows, at), to, row_size);
        }
    }
    return true;
}

/* Does the job collect the coins that are listed, and has them? */
static bool is_list(const struct memory_job *job)
{
    const struct rows *rows = &present_of(job)->rows;

    return rows->table == row_tables[TABLE_LISTING] && rows->n > 0 &&
           strcmp(job->id.selection, "all") == 0;
}

/* The coins that are listed, where a job collects the list, else those of whatever job; each by its
 * newest names. The lock is held. */
static bool gather_coins(const struct memory_store *store, struct arena *arena, struct rows *rows)
{
    size_t max = 0;
    bool has_list = false;
    uint32_t at;

    for (size_t i = 0; i < store->n_jobs; i++) {
        max += present_of(&store->jobs[i])->rows.n;
        has_list |= is_list(&store->jobs[i]);
    }
    rows->cells = arena_alloc(arena, max, N_COIN_COLUMNS * sizeof(*rows->cells));
    int64_t *named_at = arena_alloc(arena, max, sizeof(*named_at));
    struct coin_index *coins = coins_new(arena, max);
    if (!rows->cells || !named_at || !coins)
        return false;
    for (size_t i = 0; i < store->n_jobs; i++) {
        const struct rows *from = &present_of(&store->jobs[i])->rows;
        if (has_list && !is_list(&store->jobs[i]))
            continue;
        for (size_t k = 0; k < from->n && from->table->is_of_coins; k++) {
            const struct cell *row = rows_at(from, k);
            if (has_list && present_of(&store->jobs[i])->is_absent[k])
                continue;
            int64_t seen = row[from->table->first_stored].number;
            bool is_known = coins_find(coins, cell_text(&row[ROW_ID]), &at);
            if (is_known && named_at[at] >= seen)
                continue;
            at = is_known ? at : (uint32_t)rows->n++;
            if (!copy_row(arena, row, N_COIN_COLUMNS, rows_at(rows, at)))
                return false;
            named_at[at] = seen;
            if (!is_known)
                coins_add(coins, cell_text(&rows_at(rows, at)[COIN_ID]), at);
        }
    }
    return true;
}

static enum st no_room(const struct arena *arena, struct err *err)
{
    return err_set(err, ST_AGAIN, "the answer needs more than %zu bytes", arena->max);
}

static enum st query_market(struct query *q, const struct market_query *args, struct arena *arena,
                            struct rows *ret_rows, struct err *err)
{
    struct memory_store *store = q->state;
    struct rows rows = {.table = &market_table};

    pthread_mutex_lock(&store->lock);
    bool is_ok = gather_market(store, args->vs_currency, arena, &rows);
    pthread_mutex_unlock(&store->lock);
    if (!is_ok)
        return no_room(arena, err);
    query_arrange(args, &rows);
    *ret_rows = rows;
    return ST_OK;
}

static enum st query_coins(struct query *q, struct arena *arena, struct rows *ret_rows,
                           struct err *err)
{
    struct memory_store *store = q->state;
    struct rows rows = {.table = &coin_table};

    pthread_mutex_lock(&store->lock);
    bool is_ok = gather_coins(store, arena, &rows);
    pthread_mutex_unlock(&store->lock);
    if (!is_ok)
        return no_room(arena, err);
    query_arrange(&(struct market_query){.order = ORDER_ID_ASC}, &rows);
    *ret_rows = rows;
    return ST_OK;
}

static int compare_texts(const void *a, const void *b)
{
    const struct str *left = a, *right = b;
    return str_cmp(*left, *right);
}

static enum st query_currencies(struct query *q, struct arena *arena, struct str **ret_currencies,
                                size_t *ret_n, struct err *err)
{
    struct memory_store *store = q->state;
    size_t n = 0;

    pthread_mutex_lock(&store->lock);
    struct str *currencies = arena_alloc(arena, store->n_jobs, sizeof(*currencies));
    for (size_t i = 0; currencies && i < store->n_jobs; i++) {
        const struct memory_job *job = &store->jobs[i];
        struct str currency = arena_str(arena, str_of(job->id.vs_currency));
        size_t k = 0;
        while (k < n && !str_eq(currencies[k], currency))
            k++;
        bool is_market = present_of(job)->rows.table == &market_table;
        if (k == n && is_market && present_of(job)->rows.n > 0)
            currencies[n++] = currency;
    }
    pthread_mutex_unlock(&store->lock);
    if (currencies == NULL)
        return no_room(arena, err);
    qsort(currencies, n, sizeof(*currencies), compare_texts);
    *ret_currencies = currencies;
    *ret_n = n;
    return ST_OK;
}

static enum st query_version(struct query *q, uint64_t *ret_version, struct err *err)
{
    struct memory_store *store = q->state;

    (void)err;
    pthread_mutex_lock(&store->lock);
    *ret_version = store->version;
    pthread_mutex_unlock(&store->lock);
    return ST_OK;
}

static enum st query_known_at(struct query *q, struct str vs_currency, int64_t *ret_us,
                              struct err *err)
{
    struct memory_store *store = q->state;
    int64_t known_us = 0;

    (void)err;
    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < store->n_jobs; i++) {
        const struct memory_table *table = present_of(&store->jobs[i]);
        if (table->rows.table == &market_table && table->finished_us > known_us &&
            str_eq(vs_currency, str_of(store->jobs[i].id.vs_currency)))
            known_us = table->finished_us;
    }
    pthread_mutex_unlock(&store->lock);
    *ret_us = known_us;
    return ST_OK;
}

static void query_close(struct query *q)
{
    store_leave(q->state);
    mem_free(q);
}

static const struct query_driver memory_query = {
    .market = query_market,
    .coins = query_coins,
    .currencies = query_currencies,
    .version = query_version,
    .known_at = query_known_at,
    .close = query_close,
};

static enum st memory_open_query(const struct sink_url *url, struct query **ret_query,
                                 struct err *err)
{
    struct query *q = mem_new(1, sizeof(*q));

    (void)err;
    *q = (struct query){.driver = &memory_query, .state = store_join(url->rest)};
    *ret_query = q;
    return ST_OK;
}

const struct sink_driver sink_memory = {
    .scheme = "memory",
    .summary = "the latest rows in this process's memory, gone when it ends",
    .example = "memory:",
    .state_size = sizeof(struct memory_sink),
    .check = memory_check,
    .open = memory_open,
    .attach = memory_attach,
    .load = memory_load,
    .close = memory_close,
    .open_query = memory_open_query,
};
