/* Replay of the json: driver. Which poll has a slot's files stands in the journals; which transform
 * made them does not, so that all are written again each time. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "load/json/json.h"

#include <unistd.h>

#define HOUR_US (3600 * US_PER_S)

/* The poll that has the files of a slot, as the journal tells. */
struct holder {
    int64_t slot_us;
    struct str stream;
    uint64_t offset; /* 0: none */
    bool has_rows;
};

/* The next slot's holder behind `after` among an hour's entries, which need not be in order. */
static bool next_holder(struct str journal, int64_t after_us, struct holder *ret_holder)
{
    struct holder found = {.slot_us = INT64_MAX};
    struct json_entry entry;

    while (json_journal_next(&journal, &entry)) {
        if (entry.slot_us <= after_us || entry.slot_us > found.slot_us || entry.path.p[0] == '-')
            continue;
        if (entry.slot_us < found.slot_us || entry.offset != found.offset ||
            !str_eq(entry.stream, found.stream))
            found = (struct holder){
                .slot_us = entry.slot_us, .stream = entry.stream, .offset = entry.offset};
        found.has_rows |= str_starts(entry.path, STR("processed/"));
    }
    *ret_holder = found;
    return found.offset != 0;
}

/* Walk the slots in [from, until) in order. Give each poll that is ours to ret_polls, at most max
 * (NULL: only count). */
static enum st walk(struct sink *s, const struct sink_replay *what, int64_t from_us,
                    struct sink_stored *ret_polls, size_t max, struct sink_stored_counts *counts,
                    struct err *err)
{
    struct json_sink *me = s->state;
    char stream[SINK_UUID_TEXT];
    struct holder h;
    int64_t hour_us;
    enum st st = ST_OK;

    sink_uuid_text(what->stream, stream);
    const struct json_position *p = json_find_stream(me, stream);
    if (p == NULL)
        return err_set(err, ST_AGAIN, "%s: stream %s is not attached", s->url->shown, stream);
    int64_t kept_us = me->keep_us > 0 ? json_expires_before(s, p) : INT64_MIN;
    from_us = from_us > kept_us ? from_us : kept_us;
    while (st == ST_OK && counts->n_due < max && from_us < what->until_us &&
           json_journal_hour(me->files.dir, p->name, from_us, &hour_us)) {
        int64_t after_us = from_us - 1;
        buf_clear(&me->journal);
        st = json_journal_read(me->files.dir, p->name, hour_us, &me->journal, err);
        while (st == ST_OK && counts->n_due < max &&
               next_holder(buf_str(&me->journal), after_us, &h) && h.slot_us < what->until_us) {
            after_us = h.slot_us;
            if (!str_eq(h.stream, str_of(stream)) || h.offset > what->below) {
                counts->n_other++;
                continue;
            }
            if (ret_polls)
                ret_polls[counts->n_due] = (struct sink_stored){
                    .slot_us = h.slot_us, .end_offset = h.offset, .has_rows = h.has_rows};
            counts->n_due++;
        }
        from_us = hour_us + HOUR_US;
    }
    return st;
}

static enum st json_count(struct sink *s, const struct sink_replay *what,
                          struct sink_stored_counts *ret_counts, struct err *err)
{
    struct sink_stored_counts counts = {0};

    enum st st = walk(s, what, what->since_us, NULL, SIZE_MAX, &counts, err);
    if (st == ST_OK)
        *ret_counts = counts;
    return st;
}

static enum st json_list(struct sink *s, const struct sink_replay *what,
                         const struct sink_stored *after, struct sink_stored *ret_polls, size_t max,
                         size_t *ret_n, struct err *err)
{
    struct sink_stored_counts counts = {0};
    /* one poll has a slot's files: with end_offset, that slot is done */
    int64_t from_us = after->slot_us + (after->end_offset > 0);

    enum st st = walk(s, what, from_us, ret_polls, max, &counts, err);
    *ret_n = counts.n_due;
    return st;
}

static enum st json_begin(struct sink *s, const struct sink_replay *what,
                          const struct sink_stored *polls, size_t n, struct err *err)
{
    (void)what, (void)polls, (void)n, (void)err; /* a file depends on no other poll */
    json_drop_batch(s->state);
    return ST_OK;
}

/* How the poll's files are compressed. *ret_is_there: it has files. */
static enum json_compress compress_of(const struct buf *slot, uint64_t offset, const char *stream,
                                      bool *ret_is_there)
{
    static const struct str suffixes[] = {[JSON_GZIP] = {".gz", 3}, [JSON_ZSTD] = {".zst", 4}};
    struct str rest = buf_str(slot);
    struct json_entry entry;
    enum json_compress compress = JSON_PLAIN;

    *ret_is_there = false;
    while (json_journal_next(&rest, &entry)) {
        if (entry.offset != offset || !str_eq(entry.stream, str_of(stream)) ||
            entry.path.p[0] == '-')
            continue;
        compress = JSON_PLAIN;
        for (enum json_compress c = JSON_GZIP; c <= JSON_ZSTD; c++)
            if (entry.path.len > suffixes[c].len &&
                memcmp(entry.path.p + entry.path.len - suffixes[c].len, suffixes[c].p,
                       suffixes[c].len) == 0)
                compress = c;
        *ret_is_there = true;
    }
    return compress;
}

/* A poll that had no rows gets a file that the journal does not know yet. */
static enum st note_processed(struct sink *s, const struct json_position *p,
                              const struct sink_load *load, struct err *err)
{
    struct json_sink *me = s->state;
    char file[JSON_MAX_FILE];

    json_file_name(me, p, load, "processed", 1, file);
    if (load->rows == NULL || json_has_path(&me->slot, str_of(file)))
        return ST_OK;
    if (json_file_exists(me, str_of(file)))
        return err_set(err, ST_REJECT, "%s: %s is there, and not this sink's", s->url->shown, file);
    buf_clear(&me->lines);
    json_journal_format(&me->lines, &(struct json_entry){.slot_us = load->end->slot_us,
                                                         .outcome = load->end->outcome,
                                                         .stream = str_of(p->stream),
                                                         .offset = load->end->offset,
                                                         .path = str_of(file)});
    return json_journal_append(me->files.dir, p->name, load->end->slot_us, buf_str(&me->lines),
                               err);
}

static enum st replace_locked(struct sink *s, const struct json_position *p,
                              const struct sink_load *load, struct sink_result *result,
                              struct err *err)
{
    struct json_sink *me = s->state;
    struct json_position now;
    const enum json_compress compress = me->files.compress;
    bool is_there;

    enum st st = json_check_owner(s, p, &now, err);
    if (st == ST_OK)
        st = json_read_slot(me, p, load->end->slot_us, err);
    if (st != ST_OK)
        return st;
    me->files.compress = compress_of(&me->slot, load->end->offset, p->stream, &is_there);
    if (!is_there)
        st = err_set(err, ST_REJECT, "%s: the poll that ends at offset %llu has no files there",
                     s->url->shown, (unsigned long long)load->end->offset);
    if (st == ST_OK)
        st = note_processed(s, p, load, err);
    if (st == ST_OK)
        st = json_write_files(me, p, load, err);
    me->files.compress = compress;
    if (st == ST_OK && load->is_last)
        st = json_files_commit(&me->files, err);
    if (st == ST_OK && load->rows)
        result->n_stored = load->rows->rows.n;
    return st;
}

static enum st json_replace(struct sink *s, const struct sink_load *load,
                            struct sink_result *ret_result, struct err *err)
{
    struct json_sink *me = s->state;
    struct sink_result result = {0};
    char stream[SINK_UUID_TEXT];
    int lock;

    sink_uuid_text(load->stream, stream);
    const struct json_position *p = json_find_stream(me, stream);
    if (p == NULL)
        return err_set(err, ST_AGAIN, "%s: stream %s is not attached", s->url->shown, stream);
    enum st st = json_lock_dir(s, &lock, err);
    if (st == ST_OK) {
        st = replace_locked(s, p, load, &result, err);
        close(lock);
    }
    if (st != ST_OK)
        json_drop_batch(me);
    else
        *ret_result = result;
    return st;
}

const struct sink_replay_driver json_replay = {
    .count = json_count, .list = json_list, .begin = json_begin, .replace = json_replace};
