/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "base/mem.h"
#include "tape/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PEEK  4096        /* bytes: an envelope and nearly every header come with one read */
#define CHUNK (64 * 1024) /* bytes searched at a time */
#define BLOCK 4096        /* bytes that a disk reads, or cannot read, together */

void scratch_init(struct scratch *s)
{
    *s = (struct scratch){.pages = NULL, .pages_room = 0};
    buf_init(&s->bytes, FORMAT_ENVELOPE + FORMAT_MAX_HEADER + PEEK);
    buf_init(&s->haystack, CHUNK);
}

void scratch_release(struct scratch *s)
{
    buf_release(&s->bytes);
    buf_release(&s->haystack);
    mem_free(s->pages);
    scratch_init(s);
}

void cursor_init(struct cursor *c, const char *dir)
{
    *c = (struct cursor){.dir = dir, .segment = SEGMENT_NONE, .fd = -1, .records_end = -1};
}

void cursor_close(struct cursor *c)
{
    if (c->fd >= 0)
        close(c->fd);
    sealed_close(c->sealed);
    cursor_init(c, c->dir);
}

static enum st wrap_segment(const struct cursor *c, enum st st, struct err *err)
{
    char name[SEGMENT_NAME];

    segment_name(&c->segment, name);
    return err_wrap(err, st, "%s/%s: ", c->dir, name);
}

static enum st refresh_size(struct cursor *c, struct err *err)
{
    struct stat s;

    if (fstat(c->fd, &s) != 0)
        return wrap_segment(c, err_sys(err, ST_AGAIN, errno, "size"), err);
    c->size = c->file_size = s.st_size;
    if (c->records_end >= 0 && c->records_end < c->size)
        c->size = c->records_end;
    return ST_OK;
}

/* pread() that takes a block which the disk cannot read for zeros. */
static ssize_t read_some(struct cursor *c, char *ret_bytes, size_t len, int64_t at)
{
    size_t block = BLOCK - (size_t)(at % BLOCK);
    struct stat s;

    ssize_t n = pread(c->fd, ret_bytes, len, at);
    if (n >= 0 || errno != EIO)
        return n;
    if (len > block) { /* the first block of them may be fine */
        len = block;
        n = pread(c->fd, ret_bytes, len, at);
        if (n >= 0 || errno != EIO)
            return n;
    }
    if (fstat(c->fd, &s) != 0)
        return -1;
    if (at >= s.st_size)
        return 0;
    if ((int64_t)len > s.st_size - at)
        len = (size_t)(s.st_size - at);
    memset(ret_bytes, 0, len);
    c->n_unreadable++;
    return (ssize_t)len;
}

enum st cursor_read(struct cursor *c, struct buf *bytes, int64_t at, size_t len, struct err *err)
{
    while (bytes->len < len) {
        char *room = buf_room(bytes, len - bytes->len);
        if (room == NULL)
            return err_sys(err, ST_AGAIN, ENOMEM, "%zu bytes of a segment", len);
        ssize_t n = read_some(c, room, len - bytes->len, at + (int64_t)bytes->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return wrap_segment(c, err_sys(err, ST_AGAIN, errno, "byte %lld", (long long)at), err);
        if (n == 0)
            break;
        buf_added(bytes, (size_t)n);
    }
    return ST_OK;
}

/* A sealed segment tells so by its first envelope. When that is damaged, its index does. */
static enum st detect_seal(struct cursor *c, struct err *err)
{
    struct buf bytes = BUF_INIT(FORMAT_ENVELOPE);
    struct envelope e;

    enum st st = cursor_read(c, &bytes, 0, FORMAT_ENVELOPE, err);
    enum envelope_state state = ENVELOPE_BAD;
    if (st == ST_OK && bytes.len == FORMAT_ENVELOPE)
        state = format_get_envelope((const uint8_t *)bytes.p, &e);
    buf_release(&bytes);
    if (st != ST_OK || state == ENVELOPE_NEWER ||
        (state == ENVELOPE_OK && e.version == FORMAT_OPEN))
        return st;
    c->is_sealed = state == ENVELOPE_OK;
    st = sealed_open(c, err);
    if (st == ST_OK && c->sealed != NULL) {
        c->is_sealed = true;
        st = refresh_size(c, err);
    }
    return st;
}

enum st cursor_open_file(struct cursor *c, const char *path, struct segment s, uint64_t limit,
                         struct err *err)
{
    cursor_close(c);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, errno == ENOENT ? ST_REJECT : ST_AGAIN, errno, "%s", path);
    c->segment = s;
    c->fd = fd;
    c->limit = limit;
    c->searched_size = -1;
    enum st st = refresh_size(c, err);
    if (st == ST_OK)
        st = detect_seal(c, err);
    if (st != ST_OK)
        cursor_close(c);
    return st;
}

enum st cursor_open(struct cursor *c, struct segment s, uint64_t limit, struct err *err)
{
    char path[FILE_MAX_PATH], name[SEGMENT_NAME];

    cursor_close(c);
    segment_name(&s, name);
    enum st st = file_path(path, err, "%s/%s", c->dir, name);
    return st == ST_OK ? cursor_open_file(c, path, s, limit, err) : st;
}

enum parse {
    PARSE_BAD,   /* not a valid record, or not all of it */
    PARSE_OK,    /* envelope and header are valid; the body was not looked at */
    PARSE_NEWER, /* record.offset is then the version */
    PARSE_OTHER, /* valid, of another stream */
};

/* Room for the pages that a header of this length may list. */
static bool pages_room(struct scratch *s, size_t header_len)
{
    size_t need = header_len / 8;

    if (need <= s->pages_room)
        return true;
    uint64_t *p = mem_try(s->pages, need * sizeof(*p));
    if (p == NULL)
        return false;
    s->pages = p;
    s->pages_room = need;
    return true;
}

static enum st parse_at(struct cursor *c, int64_t at, const uint8_t *uuid, struct scratch *s,
                        enum parse *ret_parse, struct found *ret_found, struct err *err)
{
    struct envelope e;

    *ret_parse = PARSE_BAD;
    *ret_found = (struct found){.at = at, .damage_at = -1};
    buf_clear(&s->bytes);
    enum st st = cursor_read(c, &s->bytes, at, PEEK, err);
    if (st != ST_OK || s->bytes.len < FORMAT_ENVELOPE)
        return st;
    enum envelope_state state = format_get_envelope((const uint8_t *)s->bytes.p, &e);
    if (state == ENVELOPE_NEWER) {
        *ret_parse = PARSE_NEWER;
        ret_found->record.offset = e.version;
    }
    if (state != ENVELOPE_OK)
        return ST_OK;
    st = cursor_read(c, &s->bytes, at, FORMAT_ENVELOPE + e.header_len, err);
    if (st != ST_OK || s->bytes.len < FORMAT_ENVELOPE + e.header_len)
        return st;
    const uint8_t *header = (const uint8_t *)s->bytes.p + FORMAT_ENVELOPE;
    /* the UUID first: it is secret, so a body full of made-up headers costs no hashing */
    bool is_other = uuid != NULL && memcmp(uuid, format_header_uuid(header), 16) != 0;
    if (is_other && at != 0)
        return ST_OK;
    if (!pages_room(s, e.header_len))
        return err_sys(err, ST_AGAIN, ENOMEM, "a header of %u bytes", e.header_len);
    if (format_hash(header, e.header_len) != e.hash ||
        !format_get_header(header, &e, &s->id, s->pages, &ret_found->record))
        return ST_OK;
    *ret_parse = is_other ? PARSE_OTHER : PARSE_OK;
    ret_found->version = e.version;
    ret_found->body_at = at + FORMAT_ENVELOPE + e.header_len;
    ret_found->body_frame_len = e.body_frame_len;
    ret_found->end = ret_found->body_at + e.body_frame_len;
    return ST_OK;
}

/* Try every place in the haystack, which begins at byte `at` of the file, that has the magic. */
static enum st search_chunk(struct cursor *c, int64_t at, const uint8_t *uuid, struct scratch *s,
                            enum parse *ret_parse, struct found *ret_found, struct err *err)
{
    const char *p = s->haystack.p, *end = p + s->haystack.len, *hit;

    while ((hit = memmem(p, (size_t)(end - p), FORMAT_MAGIC, strlen(FORMAT_MAGIC))) != NULL) {
        int64_t envelope_at = at + (hit - s->haystack.p) - FORMAT_MAGIC_AT;
        enum st st = parse_at(c, envelope_at, uuid, s, ret_parse, ret_found, err);
        if (st != ST_OK || (*ret_parse == PARSE_OK && ret_found->record.offset > c->last_offset))
            return st;
        p = hit + 1;
    }
    *ret_parse = PARSE_BAD;
    return ST_OK;
}

/* The first valid record of the stream at or after `from`, beyond last_offset. *ret_parse is
 * PARSE_BAD when there is none. */
static enum st search(struct cursor *c, int64_t from, const uint8_t *uuid, struct scratch *s,
                      enum parse *ret_parse, struct found *ret_found, struct err *err)
{
    const size_t overlap = strlen(FORMAT_MAGIC) - 1;
    int64_t at = from + FORMAT_MAGIC_AT;
    enum st st;

    *ret_parse = PARSE_BAD;
    do {
        buf_clear(&s->haystack);
        st = cursor_read(c, &s->haystack, at, CHUNK, err);
        if (st != ST_OK || s->haystack.len <= overlap)
            break;
        st = search_chunk(c, at, uuid, s, ret_parse, ret_found, err);
        at += (int64_t)(s->haystack.len - overlap);
    } while (st == ST_OK && *ret_parse != PARSE_OK);
    buf_release(&s->haystack);
    return st;
}

static enum st refuse(const struct cursor *c, enum parse parse, const struct found *f,
                      struct err *err)
{
    if (parse == PARSE_NEWER)
        err_ignore(err_set(err, ST_FATAL,
                           "byte %lld is of tape format %llu, this geckotape reads up to %d; use a "
                           "newer geckotape",
                           (long long)f->at, (unsigned long long)f->record.offset, FORMAT_VERSION));
    else
        err_ignore(err_set(err, ST_FATAL,
                           "belongs to another stream (of job %s); move this file away",
                           f->record.stream->job));
    return wrap_segment(c, ST_FATAL, err);
}

static enum st at_end(const struct cursor *c, struct err *err)
{
    return wrap_segment(c, err_set(err, ST_AGAIN, "nothing more after byte %lld", (long long)c->at),
                        err);
}

/* Find the next record after damage at c->at. */
static enum st search_on(struct cursor *c, const uint8_t *uuid, struct scratch *scratch,
                         struct found *ret_found, struct err *err)
{
    enum parse parse;

    enum st st = search(c, c->search_from, uuid, scratch, &parse, ret_found, err);
    if (st != ST_OK)
        return st;
    if (parse != PARSE_OK) {
        c->searched_size = c->size;
        return at_end(c, err);
    }
    ret_found->damage_at = c->at < ret_found->at ? c->at : ret_found->at;
    return ST_OK;
}

/* The records of a sealed segment whose end nobody has told end where an index begins. */
static enum st find_records_end(struct cursor *c, struct err *err)
{
    struct buf bytes = BUF_INIT(FORMAT_INDEX_HEAD);

    enum st st = cursor_read(c, &bytes, c->at, FORMAT_INDEX_HEAD, err);
    if (st == ST_OK && bytes.len == FORMAT_INDEX_HEAD && sealed_is_index(bytes.p)) {
        c->records_end = c->at;
        st = refresh_size(c, err);
    }
    buf_release(&bytes);
    return st;
}

/* What stands at c->at is no valid record: the end, or damage. */
static enum st step_over(struct cursor *c, const uint8_t *uuid, struct scratch *scratch,
                         struct found *ret_found, struct err *err)
{
    enum st st = refresh_size(c, err);
    if (st == ST_OK && c->is_sealed && c->records_end < 0)
        st = find_records_end(c, err);
    if (st != ST_OK)
        return st;
    if (c->at > c->size) /* the writer has cut the file: read it again, past what was given out */
        c->at = c->search_from = 0;
    else if (c->at < c->size && c->size != c->searched_size)
        return search_on(c, uuid, scratch, ret_found, err);
    return at_end(c, err);
}

/* A valid header whose body the file does not (yet) hold: a write under way or cut short, unless
 * there are records behind it or the segment is closed; then only its body is lost. */
static enum st step_short(struct cursor *c, const uint8_t *uuid, struct scratch *scratch,
                          struct found *f, struct err *err)
{
    enum parse parse;
    struct found behind;

    if (f->end > c->size) {
        enum st st = refresh_size(c, err);
        if (st != ST_OK)
            return st;
    }
    if (f->end <= c->size || c->limit != UINT64_MAX)
        return ST_OK;
    if (c->size == c->searched_size)
        return at_end(c, err);
    uint64_t last = c->last_offset;
    c->last_offset = f->record.offset;
    enum st st = search(c, f->body_at, uuid, scratch, &parse, &behind, err);
    c->last_offset = last;
    if (st != ST_OK)
        return st;
    if (parse != PARSE_OK) {
        c->searched_size = c->size;
        return at_end(c, err);
    }
    /* the search has read over f's header: read it again */
    int64_t damage_at = f->damage_at;
    st = parse_at(c, f->at, uuid, scratch, &parse, f, err);
    f->damage_at = damage_at;
    return st == ST_OK && parse != PARSE_OK ? at_end(c, err) : st;
}

/* A record that came after the last look at the directory may be the leftover of a failed write, of
 * which only the segment begun since tells. */
static enum st refresh_limit(struct cursor *c, const struct found *f, struct err *err)
{
    struct segment after;

    if (c->limit != UINT64_MAX || f->end <= c->limited_size)
        return ST_OK;
    int64_t size = c->size;
    enum st st = segment_around(c->dir, c->segment, NULL, &after, err);
    if (st == ST_OK && after.first != 0)
        cursor_limit(c, after.first);
    c->limited_size = size;
    return st;
}

void cursor_limit(struct cursor *c, uint64_t limit)
{
    c->limit = limit;
    c->searched_size = -1; /* a record cut short counts now, or no longer */
}

enum st cursor_step(struct cursor *c, const uint8_t *uuid, struct scratch *scratch,
                    struct found *ret_found, struct err *err)
{
    enum parse parse;
    struct found f;

    for (;;) {
        enum st st = parse_at(c, c->at, uuid, scratch, &parse, &f, err);
        if (st == ST_OK && (parse == PARSE_NEWER || parse == PARSE_OTHER))
            return refuse(c, parse, &f, err);
        if (st == ST_OK && parse == PARSE_BAD)
            st = step_over(c, uuid, scratch, &f, err);
        if (st == ST_OK)
            st = step_short(c, uuid, scratch, &f, err);
        if (st == ST_OK)
            st = refresh_limit(c, &f, err);
        if (st != ST_OK)
            return st;
        if (f.record.offset >= c->limit)
            return at_end(c, err);
        c->at = f.end;
        c->search_from = f.body_at;
        c->is_sealed = c->is_sealed || f.version == FORMAT_SEALED;
        if (f.record.offset <= c->last_offset)
            continue; /* a repetition */
        c->last_offset = f.record.offset;
        c->passed[f.record.offset % CURSOR_PASSED].offset = f.record.offset;
        c->passed[f.record.offset % CURSOR_PASSED].at = f.at;
        *ret_found = f;
        return ST_OK;
    }
}

void cursor_unstep(struct cursor *c, const struct found *f)
{
    c->at = c->search_from = f->at;
    c->last_offset = f->record.offset - 1;
}

void cursor_rewind(struct cursor *c)
{
    c->at = c->search_from = 0;
    c->last_offset = 0;
}

bool cursor_seek(struct cursor *c, uint64_t offset)
{
    const size_t place = offset % CURSOR_PASSED;
    uint32_t at;

    if (offset != 0 && c->passed[place].offset == offset)
        c->at = c->passed[place].at;
    else if (c->sealed != NULL && sealed_find(c->sealed, offset, &at))
        c->at = at;
    else
        return false;
    c->search_from = c->at;
    c->last_offset = offset - 1;
    return true;
}

/* A header at the very start of a segment cannot be a lie inside of a body: those come first. */
enum st segment_identity(const char *dir, struct scratch *scratch, bool *ret_has,
                         struct stream_id *ret_id, struct err *err)
{
    struct segment key = SEGMENT_NONE, s;
    struct cursor c;
    struct found f;
    enum parse parse = PARSE_BAD;
    enum st st;
    bool is_searching = false, is_unreadable = false;

    *ret_has = false;
    cursor_init(&c, dir);
    while ((st = segment_around(dir, key, NULL, &s, err)) == ST_OK) {
        if (s.first == 0 && is_searching)
            break;
        key = s;
        is_searching = is_searching || s.first == 0;
        if (s.first == 0)
            continue;
        st = cursor_open(&c, s, UINT64_MAX, err);
        if (st == ST_OK)
            st = is_searching ? search(&c, 0, NULL, scratch, &parse, &f, err)
                              : parse_at(&c, 0, NULL, scratch, &parse, &f, err);
        is_unreadable = is_unreadable || c.n_unreadable > 0;
        if (st == ST_OK && parse == PARSE_NEWER)
            st = refuse(&c, parse, &f, err);
        if (st == ST_REJECT)
            continue; /* just removed */
        if (st != ST_OK)
            break;
        if (parse == PARSE_OK) {
            *ret_has = true;
            *ret_id = scratch->id;
            break;
        }
    }
    cursor_close(&c);
    /* a new identity would make another stream of what may be readable again */
    if (st == ST_OK && !*ret_has && is_unreadable)
        st = err_sys(err, ST_AGAIN, EIO,
                     "%s: the disk cannot read whose stream it is; repair it, or move the "
                     "directory away to begin a new one",
                     dir);
    return st;
}
