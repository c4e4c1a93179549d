/* The json: driver: the bodies as they came, and fields of each row, as files. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "load/json/json.h"

#include "base/mem.h"
#include "load/drivers.h"
#include "row/market.h"

#include <assert.h>
#include <stdio.h>
#include <unistd.h>

#define MAX_JOURNAL   (64u * 1024 * 1024) /* bytes of an hour's journal */
#define MAX_LINES     (1024u * 1024)      /* of it, for one poll */
#define MAX_PROCESSED (512u * 1024 * 1024)

static const char simulated_note[] =
    "SIMULATED: the files in this directory were made by `geckotape simulate`.\n"
    "They are no market data.\n";

/* The meaning of the URL's options; outputs may be set half on ST_REJECT. */
static enum st parse_options(const struct sink_url *url, enum json_compress *ret_compress,
                             int64_t *ret_keep_us, struct err *err)
{
    static const char *const names[] = {
        [JSON_PLAIN] = "none", [JSON_GZIP] = "gzip", [JSON_ZSTD] = "zstd"};
    const char *compress = sink_url_option(url, "compress"), *keep = sink_url_option(url, "keep");

    *ret_compress = JSON_PLAIN;
    while (compress && *ret_compress <= JSON_ZSTD && strcmp(compress, names[*ret_compress]) != 0)
        ++*ret_compress;
    if (*ret_compress > JSON_ZSTD)
        return err_set(err, ST_REJECT, "%s: compress is none, gzip or zstd", url->shown);
    *ret_keep_us = 0;
    if (keep && (!duration_parse(str_of(keep), ret_keep_us) || *ret_keep_us == 0))
        return err_set(err, ST_REJECT, "%s: keep is a duration, as 30m, 12h or 7d", url->shown);
    return ST_OK;
}

static enum st json_sink_check(const struct sink_url *url, struct err *err)
{
    static const char *const known[] = {"compress", "keep", NULL};
    enum json_compress compress;
    int64_t keep_us;

    if (url->rest[0] == '\0')
        return err_set(err, ST_REJECT, "%s: names no directory, as json:./data does", url->shown);
    enum st st = sink_url_check_options(url, known, err);
    return st == ST_OK ? parse_options(url, &compress, &keep_us, err) : st;
}

/* Made-up files must not pass for real ones: a directory is of one kind, and says so. */
static enum st check_simulated(struct sink *s, bool is_new, struct err *err)
{
    struct json_sink *me = s->state;
    char path[FILE_MAX_PATH];

    enum st st = file_path(path, err, "%s/SIMULATED", me->files.dir);
    if (st != ST_OK)
        return st;
    bool is_marked = access(path, F_OK) == 0;
    if (s->is_simulated && is_new && !is_marked)
        return file_replace(path, STR(simulated_note), err);
    if (s->is_simulated == is_marked)
        return ST_OK;
    return err_set(err, ST_REJECT, "%s: holds %s files; %s ones need another directory",
                   s->url->shown, is_marked ? "SIMULATED" : "real",
                   s->is_simulated ? "simulated" : "real");
}

static enum st json_sink_open(struct sink *s, struct err *err)
{
    static const char *const folders[] = {"raw", "processed", ".geckotape"};
    struct json_sink *me = s->state;
    char path[FILE_MAX_PATH];

    buf_init(&me->files.pending, JSON_MAX_PENDING);
    buf_init(&me->files.scratch, MAX_PROCESSED);
    buf_init(&me->files.packed, MAX_PROCESSED);
    buf_init(&me->journal, MAX_JOURNAL);
    buf_init(&me->slot, MAX_JOURNAL);
    buf_init(&me->lines, MAX_LINES);
    enum st st = parse_options(s->url, &me->files.compress, &me->keep_us, err);
    if (st != ST_OK)
        return st;
    memcpy(me->files.dir, s->url->rest, sizeof(me->files.dir));
    st = file_path(path, err, "%s/.geckotape", me->files.dir);
    bool is_new = st == ST_OK && access(path, F_OK) != 0;
    for (size_t i = 0; st == ST_OK && i < 3; i++) {
        st = file_path(path, err, "%s/%s", me->files.dir, folders[i]);
        if (st == ST_OK && i == 2)
            st = check_simulated(s, is_new, err);
        if (st == ST_OK)
            st = file_mkdirs(path, err);
    }
    return st;
}

static void json_sink_close(struct sink *s)
{
    struct json_sink *me = s->state;

    json_files_abandon(&me->files);
    buf_release(&me->files.pending);
    buf_release(&me->files.scratch);
    buf_release(&me->files.packed);
    buf_release(&me->journal);
    buf_release(&me->slot);
    buf_release(&me->lines);
    mem_free(me->streams);
    *me = (struct json_sink){.n_streams = 0};
}

enum st json_lock_dir(struct sink *s, int *ret_fd, struct err *err)
{
    struct json_sink *me = s->state;
    char path[FILE_MAX_PATH];
    pid_t holder;

    enum st st = file_path(path, err, "%s/.geckotape/lock", me->files.dir);
    if (st == ST_OK)
        st = file_lock(path, ret_fd, &holder, err);
    return st == ST_REJECT ? ST_AGAIN : st;
}

struct json_position *json_find_stream(struct json_sink *me, const char *stream)
{
    for (size_t i = 0; i < me->n_streams; i++)
        if (strcmp(me->streams[i].stream, stream) == 0)
            return &me->streams[i];
    return NULL;
}

void json_drop_batch(struct json_sink *me)
{
    json_files_abandon(&me->files);
    me->is_in_batch = false;
}

static enum st take_over(struct json_sink *me, const struct stream_id *stream,
                         struct json_position *p, struct err *err)
{
    bool is_there;

    sink_uuid_text(stream, p->stream);
    snprintf(p->job, sizeof(p->job), "%s", stream->job);
    enum st st = json_position_read(me->files.dir, p->stream, &is_there, p, err);
    if (st == ST_OK && !is_there)
        st = json_position_choose_name(me->files.dir, p, err);
    p->epoch++;
    return st == ST_OK ? json_position_write(me->files.dir, p, err) : st;
}

static enum st json_sink_attach(struct sink *s, const struct stream_id *stream,
                                struct position *ret_position, struct err *err)
{
    struct json_sink *me = s->state;
    struct json_position p = {.epoch = 0};
    int lock;

    json_drop_batch(me);
    enum st st = json_lock_dir(s, &lock, err);
    if (st != ST_OK)
        return st;
    st = take_over(me, stream, &p, err);
    close(lock);
    if (st != ST_OK)
        return st;
    struct json_position *place = json_find_stream(me, p.stream);
    if (place == NULL) {
        me->streams = mem_grow(me->streams, me->n_streams + 1, sizeof(*me->streams));
        place = &me->streams[me->n_streams++];
    }
    *place = p;
    *ret_position = p.at;
    return ST_OK;
}

enum st json_check_owner(struct sink *s, const struct json_position *mine,
                         struct json_position *ret_now, struct err *err)
{
    struct json_sink *me = s->state;
    struct json_position now;
    bool is_there;

    enum st st = json_position_read(me->files.dir, mine->stream, &is_there, &now, err);
    if (st != ST_OK)
        return st;
    if (!is_there)
        return err_set(err, ST_AGAIN, "%s: the position of stream %s is gone", s->url->shown,
                       mine->stream);
    if (now.epoch != mine->epoch)
        return err_set(err, ST_FATAL,
                       "%s: stream %s was taken over by another geckotape (epoch %llu, ours was "
                       "%llu); one loader is enough for a sink",
                       s->url->shown, mine->stream, (unsigned long long)now.epoch,
                       (unsigned long long)mine->epoch);
    *ret_now = now;
    return ST_OK;
}

/* Is the stream still ours, and where the load begins? */
static enum st check_fence(struct sink *s, const struct json_position *mine,
                           const struct sink_load *load, struct err *err)
{
    struct json_sink *me = s->state;
    struct json_position now;

    enum st st = json_check_owner(s, mine, &now, err);
    if (st != ST_OK)
        return st;
    struct position at = me->is_in_batch ? me->at : now.at;
    if (at.offset != load->old.offset || at.hash != load->old.hash)
        return err_set(err, ST_AGAIN, "%s: stream %s is at offset %llu, not where this load begins",
                       s->url->shown, mine->stream, (unsigned long long)at.offset);
    return ST_OK;
}

void json_file_name(struct json_sink *me, const struct json_position *p,
                    const struct sink_load *load, const char *folder, uint32_t page,
                    char ret_path[JSON_MAX_FILE])
{
    char utc[TIME_TEXT], part[16] = "";

    time_format_file(load->end->slot_us, utc);
    if (page > 1)
        snprintf(part, sizeof(part), "_p%u", page);
    snprintf(ret_path, JSON_MAX_FILE, "%s/%s_%s%s%s", folder, p->name, utc, part,
             json_suffix(me->files.compress));
}

enum st json_read_slot(struct json_sink *me, const struct json_position *p, int64_t slot_us,
                       struct err *err)
{
    struct json_entry entry;

    buf_clear(&me->journal);
    buf_clear(&me->slot);
    enum st st = json_journal_read(me->files.dir, p->name, slot_us, &me->journal, err);
    struct str journal = buf_str(&me->journal);
    while (st == ST_OK && json_journal_next(&journal, &entry))
        if (entry.slot_us == slot_us)
            json_journal_format(&me->slot, &entry);
    return st == ST_OK ? buf_check(&me->slot, "a slot's entries of the journal", err) : st;
}

bool json_has_path(const struct buf *entries, struct str path)
{
    struct str rest = buf_str(entries);
    struct json_entry entry;

    while (json_journal_next(&rest, &entry))
        if (str_eq(entry.path, path))
            return true;
    return false;
}

static void note(struct json_sink *me, const struct json_position *p, const struct sink_load *load,
                 const char *path)
{
    json_journal_format(&me->lines, &(struct json_entry){
                                        .slot_us = load->end->slot_us,
                                        .outcome = load->end->outcome,
                                        .stream = str_of(p->stream),
                                        .offset = load->end->offset,
                                        .path = str_of(path),
                                    });
}

bool json_file_exists(const struct json_sink *me, struct str path)
{
    char full[FILE_MAX_PATH];
    struct err err = ERR_INIT;

    return file_path(full, &err, "%s/%.*s", me->files.dir, STR_ARG(path)) != ST_OK ||
           access(full, F_OK) == 0;
}

/* Note a file that is to be written. *is_foreign: there is such a file, and it is none of ours. */
static void note_file(struct json_sink *me, const struct json_position *p,
                      const struct sink_load *load, const char *file, bool *is_foreign)
{
    *is_foreign |= !json_has_path(&me->slot, str_of(file)) && json_file_exists(me, str_of(file));
    note(me, p, load, file);
}

static enum st note_files(struct json_sink *me, const struct json_position *p,
                          const struct sink_load *load, bool *is_foreign, struct err *err)
{
    char file[JSON_MAX_FILE];

    buf_clear(&me->lines);
    for (size_t i = 0; i < load->n_pages; i++) {
        json_file_name(me, p, load, "raw", load->pages[i].record.page, file);
        note_file(me, p, load, file, is_foreign);
    }
    if (load->rows) {
        json_file_name(me, p, load, "processed", 1, file);
        note_file(me, p, load, file, is_foreign);
    }
    return buf_check(&me->lines, "a poll's entries of the journal", err);
}

/* Has the slot another poll's files? Not when they are ours from an earlier try, or of a partial
 * poll that this one replaces, or were noted by a loader that died before it wrote them. */
static bool is_taken(struct json_sink *me, const struct json_position *p,
                     const struct sink_load *load)
{
    struct str slot = buf_str(&me->slot);
    struct json_entry entry, holder = {.offset = 0};

    while (json_journal_next(&slot, &entry))
        if (entry.path.p[0] != '-')
            holder = entry;
    if (holder.offset == 0)
        return false;
    bool is_own_stream = str_eq(holder.stream, str_of(p->stream));
    if (is_own_stream && holder.offset == load->end->offset)
        return false;
    if (holder.outcome == POLL_PARTIAL && load->end->outcome == POLL_OK)
        return false;
    bool is_pending = me->is_in_batch && is_own_stream && holder.offset > p->at.offset;
    return is_pending || json_file_exists(me, holder.path);
}

/* Files of the slot that this poll does not overwrite: of another compression. */
static void remove_others(struct json_sink *me)
{
    struct str slot = buf_str(&me->slot);
    struct json_entry entry;

    while (json_journal_next(&slot, &entry))
        if (entry.path.p[0] != '-' && !json_has_path(&me->lines, entry.path))
            json_files_remove(&me->files, entry.path);
}

/* Which columns of a table a processed file has: of market the old collector's seven, else all but
 * the time of fetching. */
static size_t choose_fields(const struct table *t, size_t ret_fields[N_MARKET_COLUMNS])
{
    static const enum market_column of_market[] = {
        MARKET_ID,         MARKET_SYMBOL,       MARKET_NAME,        MARKET_CURRENT_PRICE,
        MARKET_MARKET_CAP, MARKET_TOTAL_VOLUME, MARKET_LAST_UPDATED};
    size_t n = 0;

    assert(t->n_columns <= N_MARKET_COLUMNS);
    if (t == &market_table)
        for (; n < sizeof(of_market) / sizeof(of_market[0]); n++)
            ret_fields[n] = of_market[n];
    for (size_t i = 0; t != &market_table && i < t->n_columns; i++)
        if (i != t->first_stored)
            ret_fields[n++] = i;
    return n;
}

/* As the old collector writes it: an array of objects, indented by two; numbers as they were sent.
 */
static enum st write_processed(struct json_sink *me, const struct poll_rows *rows, struct err *err)
{
    const struct table *t = rows->rows.table;
    struct buf *b = &me->files.scratch;
    size_t fields[N_MARKET_COLUMNS], n = choose_fields(t, fields);

    buf_clear(b);
    buf_add_char(b, '[');
    for (size_t i = 0; i < rows->rows.n; i++) {
        const struct cell *row = rows_at(&rows->rows, i);
        buf_add_z(b, i > 0 ? ",\n  {" : "\n  {");
        for (size_t k = 0; k < n; k++) {
            buf_addf(b, "%s\n    \"%s\": ", k > 0 ? "," : "", t->columns[fields[k]].name);
            cell_add_json(b, &row[fields[k]]);
        }
        buf_add_z(b, "\n  }");
    }
    buf_add_z(b, rows->rows.n > 0 ? "\n]\n" : "]\n");
    return buf_check(b, "a processed file", err);
}

enum st json_write_files(struct json_sink *me, const struct json_position *p,
                         const struct sink_load *load, struct err *err)
{
    char file[JSON_MAX_FILE];
    enum st st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < load->n_pages; i++) {
        json_file_name(me, p, load, "raw", load->pages[i].record.page, file);
        st = json_files_add(&me->files, file, load->pages[i].body, err);
    }
    if (st != ST_OK || load->rows == NULL)
        return st;
    st = write_processed(me, load->rows, err);
    json_file_name(me, p, load, "processed", 1, file);
    return st == ST_OK ? json_files_add(&me->files, file, buf_str(&me->files.scratch), err) : st;
}

/* Journal first, so that nothing of ours is ever on disk without being known as ours. */
static enum st store_poll(struct json_sink *me, const struct json_position *p,
                          const struct sink_load *load, struct sink_result *result, struct err *err)
{
    const int64_t slot = load->end->slot_us;
    bool is_foreign = false;

    enum st st = json_read_slot(me, p, slot, err);
    if (st == ST_OK)
        st = note_files(me, p, load, &is_foreign, err);
    if (st != ST_OK)
        return st;
    result->is_duplicate = is_foreign || is_taken(me, p, load);
    if (result->is_duplicate) {
        buf_clear(&me->lines);
        note(me, p, load, "-");
    }
    st = json_journal_append(me->files.dir, p->name, slot, buf_str(&me->lines), err);
    if (st != ST_OK || result->is_duplicate)
        return st;
    remove_others(me);
    result->n_stored = load->rows ? load->rows->rows.n : 0;
    return json_write_files(me, p, load, err);
}

int64_t json_expires_before(struct sink *s, const struct json_position *p)
{
    struct json_sink *me = s->state;
    int64_t newest_us = 0;

    for (size_t i = 0; i < me->n_streams; i++)
        if (strcmp(me->streams[i].name, p->name) == 0 && me->streams[i].newest_us > newest_us)
            newest_us = me->streams[i].newest_us;
    int64_t now_us = clock_wall_us(s->clock);
    return (newest_us < now_us ? newest_us : now_us) - me->keep_us;
}

static enum st commit(struct sink *s, struct json_position *p, const struct position *at,
                      struct err *err)
{
    struct json_sink *me = s->state;
    struct json_position next = *p;

    next.at = *at;
    enum st st = json_files_commit(&me->files, err);
    if (st == ST_OK)
        st = json_position_write(me->files.dir, &next, err);
    if (st != ST_OK)
        return st;
    *p = next;
    me->is_in_batch = false;
    if (me->keep_us > 0)
        json_journal_expire(me->files.dir, p->name, json_expires_before(s, p));
    return ST_OK;
}

static enum st load_locked(struct sink *s, struct json_position *p, const struct sink_load *load,
                           struct sink_result *result, struct err *err)
{
    struct json_sink *me = s->state;

    enum st st = check_fence(s, p, load, err);
    if (st != ST_OK)
        return st;
    if (load->rows && load->end->slot_us > p->newest_us)
        p->newest_us = load->end->slot_us;
    /* what `keep` would delete at once is not written */
    bool is_expired = me->keep_us > 0 && load->end->slot_us < json_expires_before(s, p);
    if (load->n_pages > 0 && !is_expired)
        st = store_poll(me, p, load, result, err);
    me->is_in_batch = true;
    me->at = load->new;
    return st == ST_OK && load->is_last ? commit(s, p, &load->new, err) : st;
}

static enum st json_sink_load(struct sink *s, const struct sink_load *load,
                              struct sink_result *ret_result, struct err *err)
{
    struct json_sink *me = s->state;
    struct sink_result result = {0};
    char stream[SINK_UUID_TEXT];
    int lock;

    sink_uuid_text(load->stream, stream);
    struct json_position *p = json_find_stream(me, stream);
    if (p == NULL)
        return err_set(err, ST_AGAIN, "%s: stream %s is not attached", s->url->shown, stream);
    enum st st = json_lock_dir(s, &lock, err);
    if (st == ST_OK) {
        st = load_locked(s, p, load, &result, err);
        close(lock);
    }
    if (st != ST_OK)
        json_drop_batch(me);
    else
        *ret_result = result;
    return st;
}

const struct sink_driver sink_json = {
    .scheme = "json",
    .summary = "files: the bodies as they came, and fields of each row",
    .example = "json:./data?compress=zstd&keep=7d",
    .state_size = sizeof(struct json_sink),
    .is_path = true,
    .check = json_sink_check,
    .open = json_sink_open,
    .attach = json_sink_attach,
    .load = json_sink_load,
    .close = json_sink_close,
    .replay = &json_replay,
};
