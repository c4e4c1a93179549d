/* Sealing: the records of a closed segment first, then its bodies packed over many polls; see
 * format.h. The new file is read back whole before it takes the place of the old one.
 *
 * Memory: 24 bytes a record, two bodies (the largest there are), and what zstd takes: 15 MB where a
 * poll is a page, 80 MB for whole markets, at level 9.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tape/seal.h"

#include "base/file.h"
#include "base/mem.h"
#include "tape/sealed.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define DEFAULT_LEVEL 9
#define SLICE         ((size_t)1024 * 1024) /* bytes given to zstd between two looks whether to stop */
#define OUT           ((size_t)256 * 1024) /* bytes written at a time */
#define MAX_RECORDS   (1024u * 1024)       /* of a segment; one with more stays as it is */
#define MIN_WINDOW    20                   /* log2 of bytes */
#define MIN_CONTENT   ((uint64_t)16 * 1024 * 1024)
#define MAX_CONTENT   ((uint64_t)96 * 1024 * 1024)

/* What is known of a record after the first pass. */
struct plan {
    uint64_t hash;
    uint32_t body_len;
    uint8_t kind; /* 0: no body */
};

enum { BODY_JSON = 1, BODY_OTHER = 2 };

struct seal {
    const struct tape_seal_setup *setup;
    struct stream_id id;
    struct segment segment;
    char path[FILE_MAX_PATH], temporary[FILE_MAX_PATH];

    struct cursor in;
    struct scratch scratch;
    struct unpacker unpacker;
    struct arena arena; /* one body */

    int fd;         /* of the temporary file */
    uint64_t at;    /* written to it */
    struct buf out; /* to be written at `at` */

    struct index index;
    struct buf plans;                    /* struct plan of each record */
    struct buf records;                  /* struct index_record */
    struct buf frames;                   /* struct index_frame */
    uint64_t poll_bytes, max_poll_bytes; /* of JSON */
    uint64_t raw_bytes;                  /* of all bodies */

    ZSTD_CCtx *zstd;
    XXH3_state_t *hash; /* of the frame under way */
    uint32_t frame;     /* its number */
};

static struct plan *plan_at(struct seal *s, uint32_t i)
{
    return (struct plan *)s->plans.p + i;
}

static struct index_record *record_at(struct seal *s, uint32_t i)
{
    return (struct index_record *)s->records.p + i;
}

static struct index_frame *frame_at(struct seal *s, uint32_t i)
{
    return (struct index_frame *)s->frames.p + i;
}

static enum st check_stop(const struct seal *s, struct err *err)
{
    if (s->setup->is_stopping != NULL && atomic_load(s->setup->is_stopping))
        return err_set(err, ST_AGAIN, "%s: sealing was stopped", s->path);
    return ST_OK;
}

static enum st no_memory(const struct seal *s, struct err *err)
{
    return err_sys(err, ST_AGAIN, ENOMEM, "%s: %u records", s->path, s->index.n_records);
}

static enum st flush(struct seal *s, struct err *err)
{
    enum st st = file_write_all(s->fd, s->out.p, s->out.len, s->temporary, err);
    if (st == ST_OK)
        s->at += s->out.len;
    buf_clear(&s->out);
    return st;
}

/* ---- first pass: the records ---- */

static void count_poll(struct seal *s, const struct tape_record *r)
{
    if (r->type == TAPE_PAGE && r->is_json)
        s->poll_bytes += r->body_len + 1;
    if (s->poll_bytes > s->max_poll_bytes)
        s->max_poll_bytes = s->poll_bytes;
    if (r->type == TAPE_END)
        s->poll_bytes = 0;
}

static enum st copy_record(struct seal *s, const struct found *f, struct err *err)
{
    uint8_t bytes[FORMAT_ENVELOPE];
    const struct envelope e = {
        .version = FORMAT_SEALED,
        .header_len = (uint32_t)(f->body_at - f->at - FORMAT_ENVELOPE),
        .hash = f->record.hash,
    };
    const struct index_record record = {(uint32_t)(s->at + s->out.len), INDEX_NO_FRAME, 0};
    const struct plan plan = {f->record.hash, (uint32_t)f->record.body_len,
                              f->record.type == TAPE_END ? 0
                              : f->record.is_json        ? BODY_JSON
                                                         : BODY_OTHER};

    format_put_envelope(bytes, &e);
    buf_add(&s->out, bytes, sizeof(bytes));
    buf_add(&s->out, s->scratch.bytes.p + FORMAT_ENVELOPE, e.header_len);
    buf_add(&s->plans, &plan, sizeof(plan));
    buf_add(&s->records, &record, sizeof(record));
    if (s->out.is_overflow || s->plans.is_overflow || s->records.is_overflow)
        return no_memory(s, err);
    s->index.n_records++;
    s->raw_bytes += f->record.body_len;
    count_poll(s, &f->record);
    return s->out.len >= OUT ? flush(s, err) : ST_OK;
}

static enum st check_record(const struct seal *s, const struct found *f, struct err *err)
{
    uint64_t want = s->index.first + s->index.n_records;

    if (f->damage_at >= 0)
        return err_set(err, ST_REJECT, "%s: byte %lld: damaged; it is left as it is", s->path,
                       (long long)f->damage_at);
    if (f->record.offset != want)
        return err_set(err, ST_REJECT, "%s: offset %llu is missing; it is left as it is", s->path,
                       (unsigned long long)want);
    if (s->index.n_records == MAX_RECORDS)
        return err_set(err, ST_REJECT, "%s: more than %u records; it is left as it is", s->path,
                       MAX_RECORDS);
    return ST_OK;
}

static enum st copy_records(struct seal *s, struct err *err)
{
    struct found f;
    enum st st;

    do {
        st = cursor_step(&s->in, s->id.uuid, &s->scratch, &f, err);
        if (st == ST_OK)
            st = check_record(s, &f, err);
        if (st == ST_OK)
            st = copy_record(s, &f, err);
        if (st == ST_OK)
            st = check_stop(s, err);
    } while (st == ST_OK);
    if (st == ST_FATAL)
        return ST_REJECT; /* another stream's, or newer: not ours to seal */
    if (st != ST_AGAIN || err->sys != 0 || check_stop(s, err) != ST_OK)
        return st;
    if (s->index.first + s->index.n_records != s->in.limit || s->in.n_unreadable > 0)
        return err_set(err, ST_REJECT, "%s: offsets from %llu on are missing; it is left as it is",
                       s->path, (unsigned long long)(s->index.first + s->index.n_records));
    s->index.records_len = (uint32_t)(s->at + s->out.len);
    return s->at + s->out.len <= UINT32_MAX ? ST_OK
                                            : err_set(err, ST_REJECT, "%s: too large", s->path);
}

/* ---- what goes into which frame ---- */

/* The window must reach back to the same coin in the poll before: that is what makes the ratio. */
static int window_log(const struct seal *s)
{
    int log = MIN_WINDOW;

    while (log < FORMAT_MAX_WINDOW && (UINT64_C(1) << log) < 2 * s->max_poll_bytes)
        log++;
    return log;
}

/* Bytes of a frame before compression: larger ones compress better, but a body read out of order
 * costs a frame. */
static uint64_t content_max(const struct seal *s)
{
    uint64_t max = UINT64_C(3) << window_log(s);

    return max < MIN_CONTENT ? MIN_CONTENT : max > MAX_CONTENT ? MAX_CONTENT : max;
}

static void add_frame(struct seal *s, bool is_packed)
{
    const struct index_frame frame = {.is_packed = is_packed};

    buf_add(&s->frames, &frame, sizeof(frame));
    s->index.n_frames++;
}

static enum st plan_frames(struct seal *s, struct err *err)
{
    uint64_t content = 0, max = content_max(s);

    for (uint32_t i = 0; i < s->index.n_records && !s->frames.is_overflow; i++) {
        const struct plan *p = plan_at(s, i);
        if (p->kind != BODY_JSON)
            continue;
        if (content == 0 || content + p->body_len + 1 > max) {
            add_frame(s, true);
            content = 0;
        }
        record_at(s, i)->frame = s->index.n_frames - 1;
        record_at(s, i)->body_at = (uint32_t)content;
        content += p->body_len + 1;
        if (!s->frames.is_overflow)
            frame_at(s, s->index.n_frames - 1)->content = (uint32_t)content;
    }
    for (uint32_t i = 0; i < s->index.n_records && !s->frames.is_overflow; i++) {
        const struct plan *p = plan_at(s, i);
        if (p->kind != BODY_OTHER)
            continue;
        add_frame(s, false);
        record_at(s, i)->frame = s->index.n_frames - 1;
        if (!s->frames.is_overflow)
            frame_at(s, s->index.n_frames - 1)->content = p->body_len;
    }
    if (s->frames.is_overflow)
        return no_memory(s, err);
    s->index.len = (size_t)format_index_len(s->index.n_records, s->index.n_frames);
    return ST_OK;
}

/* ---- second and third pass: the bodies ---- */

/* Write what is in s->out as bytes of the frame under way. */
static enum st write_frame(struct seal *s, struct err *err)
{
    struct index_frame *frame = frame_at(s, s->frame);

    XXH3_64bits_update(s->hash, s->out.p, s->out.len);
    frame->len += (uint32_t)s->out.len;
    return flush(s, err);
}

static void begin_frame(struct seal *s, uint32_t number)
{
    struct index_frame *frame = frame_at(s, number);

    s->frame = number;
    frame->at = (int64_t)s->at;
    XXH3_64bits_reset(s->hash);
    ZSTD_CCtx_reset(s->zstd, ZSTD_reset_session_only);
    ZSTD_CCtx_setPledgedSrcSize(s->zstd, frame->content);
}

static enum st compress(struct seal *s, struct str bytes, ZSTD_EndDirective how, struct err *err)
{
    ZSTD_inBuffer in = {bytes.p, bytes.len, 0};
    size_t rc;

    do {
        char *room = buf_room(&s->out, OUT);
        if (room == NULL)
            return no_memory(s, err);
        ZSTD_outBuffer out = {room, OUT, 0};
        rc = ZSTD_compressStream2(s->zstd, &out, &in, how);
        if (ZSTD_isError(rc))
            return err_set(err, ST_AGAIN, "%s: zstd: %s", s->path, ZSTD_getErrorName(rc));
        buf_added(&s->out, out.pos);
        enum st st = out.pos > 0 ? write_frame(s, err) : ST_OK;
        if (st != ST_OK)
            return st;
    } while (in.pos < in.size || (how == ZSTD_e_end && rc != 0));
    return ST_OK;
}

static enum st pack_body(struct seal *s, uint32_t i, struct str body, struct err *err)
{
    const struct index_record *r = record_at(s, i);
    bool is_last = r->body_at + body.len + 1 == frame_at(s, r->frame)->content;
    enum st st = ST_OK;

    if (r->body_at == 0)
        begin_frame(s, r->frame);
    while (st == ST_OK && body.len > 0) {
        size_t n = body.len < SLICE ? body.len : SLICE;
        st = compress(s, (struct str){body.p, n}, ZSTD_e_continue, err);
        body.p += n;
        body.len -= n;
        if (st == ST_OK)
            st = check_stop(s, err);
    }
    if (st == ST_OK)
        st = compress(s, STR("\n"), is_last ? ZSTD_e_end : ZSTD_e_continue, err);
    if (st == ST_OK && is_last)
        frame_at(s, r->frame)->hash = XXH3_64bits_digest(s->hash);
    return st;
}

static enum st put_single(struct seal *s, uint32_t i, struct str body, ZSTD_CCtx *zstd,
                          struct err *err)
{
    uint32_t number = record_at(s, i)->frame;

    begin_frame(s, number);
    enum st st = body_put(&s->out, zstd, false, body, err);
    if (st == ST_OK)
        st = write_frame(s, err);
    frame_at(s, number)->hash = XXH3_64bits_digest(s->hash);
    if (s->out.cap > 4 * OUT)
        buf_release(&s->out);
    return st;
}

/* Write the bodies of one kind. zstd: for single ones. */
static enum st put_bodies(struct seal *s, uint8_t kind, ZSTD_CCtx *zstd, struct err *err)
{
    enum st st = ST_OK;
    struct found f;
    struct str body;

    cursor_rewind(&s->in);
    for (uint32_t i = 0; st == ST_OK && i < s->index.n_records; i++) {
        st = cursor_step(&s->in, s->id.uuid, &s->scratch, &f, err);
        if (st == ST_OK && plan_at(s, i)->kind != kind)
            continue;
        arena_reset(&s->arena);
        if (st == ST_OK)
            st = cursor_body(&s->in, &f, &s->unpacker, &s->arena, &body, err);
        if (st == ST_REJECT)
            return err_wrap(err, st, "%s: byte %lld: the body of offset %llu: ", s->path,
                            (long long)f.body_at, (unsigned long long)f.record.offset);
        if (st == ST_OK)
            st = kind == BODY_JSON ? pack_body(s, i, body, err) : put_single(s, i, body, zstd, err);
        if (st == ST_OK)
            st = check_stop(s, err);
    }
    return st;
}

static enum st put_all_bodies(struct seal *s, struct err *err)
{
    int level = s->setup->level > 0 ? s->setup->level : DEFAULT_LEVEL, log = window_log(s);
    ZSTD_CCtx *single = body_compressor();

    s->zstd = ZSTD_createCCtx();
    s->hash = XXH3_createState();
    assert(s->zstd != NULL && s->hash != NULL);
    ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_checksumFlag, 1);
    ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_windowLog, log);
    ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_enableLongDistanceMatching, log > MIN_WINDOW);
    enum st st = put_bodies(s, BODY_JSON, NULL, err);
    if (st == ST_OK)
        st = put_bodies(s, BODY_OTHER, single, err);
    ZSTD_freeCCtx(single);
    return st;
}

/* ---- the index ---- */

static enum st put_index(struct seal *s, struct err *err)
{
    uint64_t end = s->at;
    struct buf bytes = BUF_INIT(FORMAT_MAX_INDEX);

    s->index.file_size = end + s->index.len;
    enum st st = format_put_index(&bytes, &s->index, frame_at(s, 0), record_at(s, 0), err);
    if (st == ST_OK)
        st = file_write_all(s->fd, bytes.p, bytes.len, s->temporary, err);
    if (st == ST_OK && lseek(s->fd, s->index.records_len, SEEK_SET) < 0)
        st = err_sys(err, ST_AGAIN, errno, "%s", s->temporary);
    if (st == ST_OK)
        st = file_write_all(s->fd, bytes.p, bytes.len, s->temporary, err);
    buf_release(&bytes);
    if (st == ST_OK && fsync(s->fd) != 0)
        st = err_sys(err, ST_AGAIN, errno, "sync %s", s->temporary);
    return st;
}

/* Leave room for the first copy, which is known last. */
static enum st skip_index(struct seal *s, struct err *err)
{
    enum st st = flush(s, err);
    if (st == ST_OK)
        s->at += s->index.len;
    if (st == ST_OK && lseek(s->fd, (off_t)s->at, SEEK_SET) < 0)
        st = err_sys(err, ST_AGAIN, errno, "%s", s->temporary);
    return st;
}

/* ---- reading it back ---- */

static void count_problem(void *context, int64_t byte, const char *what)
{
    (void)byte, (void)what;
    ++*(size_t *)context;
}

static enum st not_what_was_written(const struct seal *s, const char *what, struct err *err)
{
    return err_set(err, ST_AGAIN,
                   "%s: what is read back is not what was written: %s; check the disk",
                   s->temporary, what);
}

static enum st check_bodies(struct seal *s, struct cursor *c, struct err *err)
{
    struct found f;
    struct str body;

    for (uint32_t i = 0; i < s->index.n_records; i++) {
        enum st st = cursor_step(c, s->id.uuid, &s->scratch, &f, err);
        if ((st == ST_AGAIN && err->sys == 0) ||
            (st == ST_OK && (f.record.hash != plan_at(s, i)->hash || f.damage_at >= 0)))
            return not_what_was_written(s, "a header", err);
        arena_reset(&s->arena);
        if (st == ST_OK && f.record.type == TAPE_PAGE)
            st = cursor_body(c, &f, &s->unpacker, &s->arena, &body, err);
        if (st == ST_REJECT)
            return not_what_was_written(s, "a body", err);
        if (st == ST_OK)
            st = check_stop(s, err);
        if (st != ST_OK)
            return st;
    }
    return ST_OK;
}

/* From the disk, not from memory, where the system can do that. */
static enum st read_back(struct seal *s, struct err *err)
{
    size_t n_problems = 0;
    const struct sealed_check check = {
        .uuid = s->id.uuid, .has_frames = true, .tell = count_problem, .context = &n_problems};
    struct cursor c;

    posix_fadvise(s->fd, 0, 0, POSIX_FADV_DONTNEED);
    cursor_init(&c, s->setup->dir);
    enum st st = cursor_open_file(&c, s->temporary, s->segment, s->in.limit, err);
    if (st == ST_OK)
        st = check_bodies(s, &c, err);
    if (st == ST_OK && c.sealed == NULL)
        n_problems++;
    if (st == ST_OK)
        st = sealed_check(&c, &check, err);
    cursor_close(&c);
    return st == ST_OK && n_problems > 0 ? not_what_was_written(s, "index or frames", err) : st;
}

/* ---- a segment ---- */

static enum st write_sealed(struct seal *s, struct err *err)
{
    enum st st = copy_records(s, err);
    if (st == ST_OK)
        st = plan_frames(s, err);
    if (st == ST_OK)
        st = skip_index(s, err);
    if (st == ST_OK)
        st = put_all_bodies(s, err);
    if (st == ST_OK)
        st = put_index(s, err);
    return st == ST_OK ? read_back(s, err) : st;
}

static enum st replace(struct seal *s, struct tape_sealed *ret_sealed, struct err *err)
{
    struct stat before;

    if (fstat(s->in.fd, &before) != 0)
        return err_sys(err, ST_AGAIN, errno, "%s", s->path);
    s->fd = open(s->temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (s->fd < 0)
        return err_sys(err, ST_AGAIN, errno, "%s", s->temporary);
    enum st st = write_sealed(s, err);
    if (st == ST_OK && fchmod(s->fd, before.st_mode & 0777) != 0)
        st = err_sys(err, ST_AGAIN, errno, "%s", s->temporary);
    if (close(s->fd) != 0 && st == ST_OK)
        st = err_sys(err, ST_AGAIN, errno, "close %s", s->temporary);
    if (st == ST_OK && rename(s->temporary, s->path) != 0)
        st = err_sys(err, ST_AGAIN, errno, "rename %s", s->temporary);
    if (st != ST_OK) {
        unlink(s->temporary);
        return st;
    }
    segment_name(&s->segment, ret_sealed->segment);
    ret_sealed->bytes_before = (uint64_t)before.st_size;
    ret_sealed->bytes_after = s->index.file_size;
    ret_sealed->bytes_raw = s->raw_bytes;
    ret_sealed->n_records = s->index.n_records;
    return file_sync_dir(s->setup->dir, err);
}

static enum st open_and_replace(struct seal *s, uint64_t limit, struct tape_sealed *ret_sealed,
                                struct err *err)
{
    char name[SEGMENT_NAME];
    bool has_id;

    segment_name(&s->segment, name);
    enum st st = file_path(s->path, err, "%s/%s", s->setup->dir, name);
    if (st == ST_OK)
        st = file_path(s->temporary, err, "%s%s", s->path, SEAL_SUFFIX);
    if (st == ST_OK)
        st = segment_identity(s->setup->dir, &s->scratch, &has_id, &s->id, err);
    if (st == ST_OK && !has_id)
        st = err_set(err, ST_REJECT, "%s: there is no whole record", s->path);
    if (st == ST_OK)
        st = cursor_open(&s->in, s->segment, limit, err);
    memcpy(s->index.uuid, s->id.uuid, 16);
    s->index.first = s->segment.first;
    return st == ST_OK ? replace(s, ret_sealed, err) : st;
}

enum st seal_segment(const struct tape_seal_setup *setup, struct segment segment, uint64_t limit,
                     struct tape_sealed *ret_sealed, struct err *err)
{
    struct seal *s = mem_new(1, sizeof(*s));

    s->setup = setup;
    s->segment = segment;
    cursor_init(&s->in, setup->dir);
    scratch_init(&s->scratch);
    unpacker_init(&s->unpacker);
    arena_init(&s->arena, TAPE_MAX_BODY + 1024 * 1024);
    buf_init(&s->out, body_frame_max(TAPE_MAX_BODY) + OUT);
    buf_init(&s->plans, MAX_RECORDS * sizeof(struct plan));
    buf_init(&s->records, MAX_RECORDS * sizeof(struct index_record));
    buf_init(&s->frames, MAX_RECORDS * sizeof(struct index_frame));
    enum st st = open_and_replace(s, limit, ret_sealed, err);
    cursor_close(&s->in);
    scratch_release(&s->scratch);
    unpacker_release(&s->unpacker);
    arena_release(&s->arena);
    buf_release(&s->out);
    buf_release(&s->plans);
    buf_release(&s->records);
    buf_release(&s->frames);
    ZSTD_freeCCtx(s->zstd);
    XXH3_freeState(s->hash);
    mem_free(s);
    return st;
}
