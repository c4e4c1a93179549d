/* A tape in a temporary directory, on a clock of the test's own. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_TAPE_FIXTURE_H
#define TESTS_UNIT_TAPE_FIXTURE_H

#include "base/buf.h"
#include "base/file.h"
#include "tap.h"
#include "tape/reader.h"
#include "tape/segment.h"
#include "tape/verify.h"
#include "tape/writer.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOB       "markets-usd"
#define NOON      INT64_C(1795435200000000) /* 2026-11-23T12:00:00Z, the first slot */
#define POLL_STEP (30 * US_PER_S)

struct test_clock {
    struct clock clock;
    int64_t now_us;
};

static inline int64_t test_now(struct clock *c)
{
    int64_t now;
    memcpy(&now, (char *)c + offsetof(struct test_clock, now_us), sizeof(now));
    return now;
}

struct fixture {
    char data[64], dir[FILE_MAX_PATH];
    struct test_clock clock;
    struct tape *tape;
    struct tape_writer *writer;
    struct tape_recovery recovery;
    int64_t slot_us;
    uint64_t max_bytes;
    struct err err;
};

static inline struct stream_id test_id(void)
{
    return (struct stream_id){
        .job = JOB, .endpoint = "coins/markets", .vs_currency = "usd", .selection = "top=250"};
}

static inline enum st fixture_open_as(struct fixture *f, struct stream_id id)
{
    enum st st = ST_OK;

    if (f->tape == NULL)
        st = tape_open(f->data, &f->tape, &f->err);
    struct tape_writer_setup setup = {
        .tape = f->tape,
        .clock = &f->clock.clock,
        .id = id,
        .segment_span_us = 3600 * US_PER_S,
        .segment_max_bytes = f->max_bytes,
    };
    return st == ST_OK ? tape_writer_open(&setup, &f->writer, &f->recovery, &f->err) : st;
}

static inline enum st fixture_open(struct fixture *f)
{
    return fixture_open_as(f, test_id());
}

static inline void fixture_close(struct fixture *f)
{
    tape_writer_close(f->writer);
    tape_close(f->tape);
    f->writer = NULL;
    f->tape = NULL;
}

/* A new tape, open; exits when that fails, as nothing can be tested then. */
static inline void fixture_init(struct fixture *f)
{
    *f = (struct fixture){
        .data = "/tmp/geckotape-test-XXXXXX",
        .clock = {.clock = {.wall_us = test_now, .mono_us = test_now}, .now_us = NOON},
        .slot_us = NOON,
        .max_bytes = 64 * 1024 * 1024,
    };
    if (mkdtemp(f->data) == NULL || tape_stream_dir(f->data, JOB, f->dir, &f->err) != ST_OK ||
        fixture_open(f) != ST_OK) {
        printf("Bail out! %s: %s\n", f->data, f->err.msg);
        exit(1);
    }
}

static inline void remove_tree(const char *path)
{
    char child[FILE_MAX_PATH];
    struct err err;
    DIR *d = opendir(path);

    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
            file_path(child, &err, "%s/%s", path, e->d_name) == ST_OK)
            remove_tree(child);
    if (d != NULL)
        closedir(d);
    remove(path);
}

static inline void fixture_release(struct fixture *f)
{
    fixture_close(f);
    remove_tree(f->data);
}

static inline enum st put_page(struct fixture *f, uint32_t page, struct str body,
                               uint64_t *ret_offset)
{
    struct tape_record r = {
        .is_json = body.len > 0 && (body.p[0] == '[' || body.p[0] == '{'),
        .slot_us = f->slot_us,
        .page = page,
        .attempt = 1,
        .fetched_at_us = f->clock.now_us,
        .status = 200,
        .latency_us = 1234,
        .target = STR("/api/v3/coins/markets?vs_currency=usd"),
        .headers = STR("date: Mon, 23 Nov 2026 12:00:00 GMT\nage: 3\n"),
    };
    return tape_append_page(f->writer, &r, body, ret_offset, &f->err);
}

static inline enum st put_end(struct fixture *f, enum poll_outcome outcome, const uint64_t *pages,
                              uint32_t n_pages, uint64_t *ret_offset)
{
    struct tape_record r = {
        .slot_us = f->slot_us,
        .fetched_at_us = f->clock.now_us,
        .outcome = outcome,
        .started_us = f->slot_us,
        .next_due_us = f->slot_us + POLL_STEP,
        .pages = pages,
        .n_pages = n_pages,
        .attempts = n_pages,
        .bytes = 77,
        .credits_key = 5,
        .credits_from_us = NOON,
        .credits_spent = 9,
        .error = outcome == POLL_OK ? STR_NONE : STR("no answer"),
    };
    enum st st = tape_append_end(f->writer, &r, ret_offset, &f->err);
    f->slot_us += POLL_STEP;
    f->clock.now_us += POLL_STEP;
    return st;
}

/* One whole poll of one page, whose body tells its offset: records 2k+1 and 2k+2. */
static inline enum st put_poll(struct fixture *f)
{
    char body[64];
    uint64_t page, end;

    int n = snprintf(body, sizeof(body), "[{\"id\":\"coin\",\"at\":%llu}]",
                     (unsigned long long)tape_head_get(tape_writer_head(f->writer)) + 1);
    enum st st = put_page(f, 1, (struct str){body, (size_t)n}, &page);
    return st == ST_OK ? put_end(f, POLL_OK, &page, 1, &end) : st;
}

/* What a reader makes of the whole tape. */
struct reading {
    uint64_t n, n_holes, n_bad_bodies, first, last;
    bool is_wrong; /* an offset came twice or went back, or a body is not the one written */
    enum st st;    /* of the last call */
    struct err err;
};

static inline void read_body(struct tape_reader *r, const struct tape_record *record,
                             struct reading *ret)
{
    struct arena arena;
    struct str body;
    char want[64];

    arena_init(&arena, 100 * 1024 * 1024);
    enum st st = tape_reader_body(r, record, &arena, &body, &ret->err);
    int n = snprintf(want, sizeof(want), "[{\"id\":\"coin\",\"at\":%llu}]",
                     (unsigned long long)record->offset);
    if (st != ST_OK)
        ret->n_bad_bodies++;
    else if (!str_eq(body, (struct str){want, (size_t)n}))
        ret->is_wrong = true;
    arena_release(&arena);
}

/* Reads a tape of put_poll()s from its begin. */
static inline struct reading read_all(const char *dir)
{
    struct reading got = {.n = 0};
    struct tape_record record;
    struct tape_reader *r;

    got.st = tape_reader_open(dir, &r, &got.err);
    while (got.st == ST_OK || got.st == ST_REJECT) {
        got.st = tape_reader_next(r, UINT64_MAX, &record, &got.err);
        got.n_holes += got.st == ST_REJECT;
        if (got.st != ST_OK)
            continue;
        if (record.offset <= got.last)
            got.is_wrong = true;
        got.first = got.first ? got.first : record.offset;
        got.last = record.offset;
        got.n++;
        if (record.type == TAPE_PAGE)
            read_body(r, &record, &got);
    }
    tape_reader_close(r);
    return got;
}

/* The path of the nth segment, from 0; false when there are fewer. */
static inline bool segment_path_at(const char *dir, size_t nth, char ret_path[FILE_MAX_PATH])
{
    struct segment s = SEGMENT_NONE;
    char name[SEGMENT_NAME];
    struct err err;

    for (size_t i = 0; i <= nth; i++)
        if (segment_around(dir, s, NULL, &s, &err) != ST_OK || s.first == 0)
            return false;
    segment_name(&s, name);
    return file_path(ret_path, &err, "%s/%s", dir, name) == ST_OK;
}

static inline size_t count_segments(const char *dir)
{
    char path[FILE_MAX_PATH];
    size_t n = 0;

    while (segment_path_at(dir, n, path))
        n++;
    return n;
}

static inline enum st read_file(const char *path, struct buf *ret)
{
    struct err err;
    buf_clear(ret);
    return file_read(path, ret, &err);
}

/* In place: the same file, an old one, so that nobody takes it for one being written. */
static inline void write_file(const char *path, const void *bytes, size_t len)
{
    static const struct timespec old[2];
    FILE *file = fopen(path, "w");

    if (file == NULL || fwrite(bytes, 1, len, file) != len || fclose(file) != 0 ||
        utimensat(AT_FDCWD, path, old, 0) != 0)
        abort();
}

static inline uint64_t count_problems(const char *dir)
{
    struct tape_verify_setup setup = {.dir = dir, .has_bodies = true};
    struct tape_summary sum;
    struct err err;

    return tape_verify(&setup, &sum, &err) == ST_OK ? sum.n_problems : UINT64_MAX;
}

#endif
