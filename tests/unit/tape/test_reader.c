/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "base/json.h"
#include "base/mem.h"
#include "tape/body.h"
#include "tape/upkeep.h"

#include <pthread.h>
#include <sys/wait.h>

/* A closed tape of `n` polls in one segment, and its bytes. */
static void make_tape(struct fixture *f, int n, char path[FILE_MAX_PATH], struct buf *bytes)
{
    fixture_init(f);
    for (int i = 0; i < n; i++)
        if (put_poll(f) != ST_OK)
            abort();
    fixture_close(f);
    if (!segment_path_at(f->dir, 0, path) || read_file(path, bytes) != ST_OK)
        abort();
}

/* Where each record begins, by walking the bytes; returns how many there are. */
static size_t find_records(const struct buf *bytes, size_t *ret_at, size_t room)
{
    struct envelope e;
    size_t n = 0;

    for (size_t at = 0; at + FORMAT_ENVELOPE <= bytes->len && n < room; n++) {
        if (format_get_envelope((const uint8_t *)bytes->p + at, &e) != ENVELOPE_OK)
            abort();
        ret_at[n] = at;
        at += FORMAT_ENVELOPE + e.header_len + e.body_frame_len;
    }
    return n;
}

#define N_POLLS 3
#define N       (2 * (size_t)N_POLLS)

/* What may be lost when one byte of record `hit` (from 0) is not what it was: that record. */
static const char *check_flip(const struct fixture *f, size_t hit)
{
    struct reading got = read_all(f->dir);

    if (got.is_wrong)
        return "a wrong body or a wrong order";
    if (got.st != ST_AGAIN)
        return "the reader stops";
    if (got.n + 1 < N || (got.n < N && got.n_bad_bodies > 0))
        return "more is lost than one record";
    if (hit + 1 < N && got.last != N)
        return "later records are not readable";
    if (got.n < N && hit > 0 && hit + 1 < N && got.n_holes != 1)
        return "a hole is not told";
    if (count_problems(f->dir) == 0)
        return "verify finds nothing";
    return NULL;
}

static void every_flipped_byte_is_found_and_costs_one_record(void)
{
    static const uint8_t masks[] = {0x01, 0x80, 0xFF};
    struct fixture f;
    struct buf bytes = BUF_INIT(1 << 20);
    char path[FILE_MAX_PATH];
    size_t at[N + 1] = {0}, hit = 0;

    make_tape(&f, N_POLLS, path, &bytes);
    CHECK_EQ(find_records(&bytes, at, N), N);
    at[N] = bytes.len;
    CHECK_EQ(count_problems(f.dir), 0);
    for (size_t i = 0; i < bytes.len; i++) {
        hit += i == at[hit + 1];
        for (size_t m = 0; m < sizeof(masks); m++) {
            bytes.p[i] = (char)(bytes.p[i] ^ masks[m]);
            write_file(path, bytes.p, bytes.len);
            bytes.p[i] = (char)(bytes.p[i] ^ masks[m]);
            const char *problem = check_flip(&f, hit);
            if (problem)
                TAP_FAIL("byte %zu of record %zu, mask %02x: %s", i - at[hit], hit + 1, masks[m],
                         problem);
        }
    }
    buf_release(&bytes);
    fixture_release(&f);
}

static void garbage_between_records_costs_nothing(void)
{
    struct fixture f;
    struct buf bytes = BUF_INIT(1 << 20), damaged = BUF_INIT(1 << 20);
    char path[FILE_MAX_PATH];
    size_t at[N];

    make_tape(&f, N_POLLS, path, &bytes);
    find_records(&bytes, at, N);
    for (size_t i = 0; i < N; i++) {
        buf_clear(&damaged);
        buf_add(&damaged, bytes.p, at[i]);
        for (int k = 0; k < 100000; k++)
            buf_add_char(&damaged, (char)(k * 7));
        buf_add(&damaged, bytes.p + at[i], bytes.len - at[i]);
        write_file(path, damaged.p, damaged.len);
        struct reading got = read_all(f.dir);
        CHECK(got.n == N && got.n_holes == 0 && got.n_bad_bodies == 0 && !got.is_wrong);
        CHECK_EQ(count_problems(f.dir), 1);
    }
    buf_release(&bytes);
    buf_release(&damaged);
    fixture_release(&f);
}

/* Bytes cut out of the file: what they held is lost, and at most the record before them. */
static void bytes_cut_out_cost_what_they_held(void)
{
    struct fixture f;
    struct buf bytes = BUF_INIT(1 << 20), damaged = BUF_INIT(1 << 20);
    char path[FILE_MAX_PATH];
    size_t at[N];

    make_tape(&f, N_POLLS, path, &bytes);
    find_records(&bytes, at, N);
    for (size_t from = 0; from < at[3]; from += 13) {
        buf_clear(&damaged);
        buf_add(&damaged, bytes.p, from);
        buf_add(&damaged, bytes.p + at[4] - 20, bytes.len - at[4] + 20);
        write_file(path, damaged.p, damaged.len);
        struct reading got = read_all(f.dir);
        CHECK(got.last == N && !got.is_wrong && got.st == ST_AGAIN);
        CHECK(got.n >= 2);
        CHECK(count_problems(f.dir) > 0);
    }
    buf_release(&bytes);
    buf_release(&damaged);
    fixture_release(&f);
}

static void a_hole_is_told_once_with_its_offsets(void)
{
    struct fixture f;
    struct buf bytes = BUF_INIT(1 << 20);
    struct tape_record record;
    struct tape_reader *r;
    char path[FILE_MAX_PATH], want[128];
    size_t at[N];

    make_tape(&f, N_POLLS, path, &bytes);
    find_records(&bytes, at, N);
    memset(bytes.p + at[1] + 5, 'x', at[3] - at[1]); /* offsets 2, 3 and 4 */
    write_file(path, bytes.p, bytes.len);
    CHECK_OK(tape_reader_open(f.dir, &r, &f.err), f.err);
    CHECK_OK(tape_reader_next(r, UINT64_MAX, &record, &f.err), f.err);
    CHECK_EQ(tape_reader_next(r, UINT64_MAX, &record, &f.err), ST_REJECT);
    snprintf(want, sizeof(want), "bytes %zu to %zu are damaged: offsets 2 to 4 are lost", at[1],
             at[4] - 1);
    if (strstr(f.err.msg, want) == NULL)
        TAP_FAIL("\"%s\" is not in \"%s\"", want, f.err.msg);
    CHECK(strstr(f.err.msg, ".jsonl.zst") != NULL);
    CHECK_OK(tape_reader_next(r, UINT64_MAX, &record, &f.err), f.err);
    CHECK_EQ(record.offset, 5);
    CHECK_EQ(tape_reader_get(r, 3, &record, &f.err), ST_REJECT);
    CHECK_OK(tape_reader_get(r, 6, &record, &f.err), f.err);
    tape_reader_close(r);
    buf_release(&bytes);
    fixture_release(&f);
}

static void a_segment_that_is_gone_is_a_hole(void)
{
    struct fixture f;
    char path[FILE_MAX_PATH];

    fixture_init(&f);
    fixture_close(&f);
    f.max_bytes = 1;
    CHECK_OK(fixture_open(&f), f.err);
    for (int i = 0; i < 3; i++)
        CHECK_OK(put_poll(&f), f.err);
    fixture_close(&f);
    CHECK(segment_path_at(f.dir, 2, path));
    CHECK_EQ(unlink(path), 0);
    struct reading got = read_all(f.dir);
    CHECK(got.n == 5 && got.n_holes == 1 && !got.is_wrong);
    CHECK(count_problems(f.dir) > 0);
    /* the oldest are gone: that is retention, and no hole */
    CHECK(segment_path_at(f.dir, 0, path));
    CHECK_EQ(unlink(path), 0);
    CHECK(segment_path_at(f.dir, 0, path));
    CHECK_EQ(unlink(path), 0);
    got = read_all(f.dir);
    CHECK(got.n == 3 && got.first == 4 && got.n_holes == 0);
    CHECK_EQ(count_problems(f.dir), 0);
    fixture_release(&f);
}

/* A record such as a hostile body could hold: all of it valid, but for the stream's UUID. */
static void add_lie(struct buf *out, uint64_t offset)
{
    struct stream_id id = test_id();
    struct tape_record r = {
        .type = TAPE_PAGE, .offset = offset, .stream = &id, .page = 1, .slot_us = NOON};
    struct buf header = BUF_INIT(FORMAT_MAX_HEADER);
    struct err err;

    memset(id.uuid, 7, sizeof(id.uuid));
    if (format_put_header(&header, &r, &err) != ST_OK)
        abort();
    struct envelope e = {.version = FORMAT_VERSION,
                         .header_len = (uint32_t)header.len,
                         .hash = format_hash(header.p, header.len)};
    uint8_t bytes[FORMAT_ENVELOPE];
    format_put_envelope(bytes, &e);
    buf_add(out, bytes, sizeof(bytes));
    buf_add_str(out, buf_str(&header));
    buf_release(&header);
}

static void headers_inside_of_a_body_fool_nobody(void)
{
    struct fixture f;
    struct buf lies = BUF_INIT(1 << 20), bytes = BUF_INIT(1 << 20);
    struct tape_record record;
    struct tape_reader *r;
    char path[FILE_MAX_PATH];
    size_t at[6];
    uint64_t offset;

    fixture_init(&f);
    for (uint64_t i = 3; i < 8; i++)
        add_lie(&lies, i);
    CHECK_OK(put_poll(&f), f.err);
    CHECK_OK(put_page(&f, 1, buf_str(&lies), &offset), f.err);
    CHECK_OK(put_end(&f, POLL_FAILED, NULL, 0, &offset), f.err);
    CHECK_OK(put_poll(&f), f.err);
    fixture_close(&f);
    CHECK(segment_path_at(f.dir, 0, path));
    CHECK_EQ(read_file(path, &bytes), ST_OK);
    find_records(&bytes, at, 6);
    /* the page's header is damaged, and its body stands there uncompressed for all to see */
    struct buf damaged = BUF_INIT(1 << 20);
    buf_add(&damaged, bytes.p, at[2] + 60);
    buf_add_str(&damaged, buf_str(&lies));
    buf_add(&damaged, bytes.p + at[3], bytes.len - at[3]);
    write_file(path, damaged.p, damaged.len);
    CHECK_OK(tape_reader_open(f.dir, &r, &f.err), f.err);
    CHECK_OK(tape_reader_next(r, UINT64_MAX, &record, &f.err), f.err);
    CHECK_OK(tape_reader_next(r, UINT64_MAX, &record, &f.err), f.err);
    CHECK_EQ(tape_reader_next(r, UINT64_MAX, &record, &f.err), ST_REJECT);
    CHECK_OK(tape_reader_next(r, UINT64_MAX, &record, &f.err), f.err);
    CHECK_EQ(record.offset, 4);
    CHECK_EQ(record.type, TAPE_END);
    tape_reader_close(r);

    /* at the end of the tape they do not keep a torn tail alive either */
    write_file(path, damaged.p, at[2] + 60 + lies.len);
    CHECK_OK(fixture_open(&f), f.err);
    CHECK_EQ(f.recovery.head, 2);
    CHECK_EQ(f.recovery.torn_bytes, 60 + lies.len);
    buf_release(&lies);
    buf_release(&bytes);
    buf_release(&damaged);
    fixture_release(&f);
}

static void lengths_that_lie_take_no_memory(void)
{
    struct fixture f;
    struct tape_reader *r;
    struct tape_record record;
    struct buf bytes = BUF_INIT(1 << 20), frame = BUF_INIT(1 << 20);
    struct arena arena;
    struct str body;
    char path[FILE_MAX_PATH];
    size_t at[2];
    struct envelope e;
    ZSTD_CCtx *zstd = body_compressor();

    /* a frame of 8 MB of zeros, a few hundred bytes long, in the place of a small body */
    make_tape(&f, 1, path, &bytes);
    find_records(&bytes, at, 2);
    char *zeros = mem_new(8 * 1024 * 1024, 1);
    struct buf big = BUF_INIT(16 * 1024 * 1024);
    CHECK_OK(body_put(&big, zstd, true, (struct str){zeros, 8 * 1024 * 1024}, &f.err), f.err);
    uint8_t *p = (uint8_t *)bytes.p;
    CHECK_EQ(format_get_envelope(p, &e), ENVELOPE_OK);
    e.body_frame_len = (uint32_t)big.len;
    format_put_envelope(p, &e);
    buf_add(&frame, p, FORMAT_ENVELOPE + e.header_len);
    buf_add(&frame, big.p, big.len);
    buf_add(&frame, bytes.p + at[1], bytes.len - at[1]);
    write_file(path, frame.p, frame.len);
    CHECK_OK(tape_reader_open(f.dir, &r, &f.err), f.err);
    CHECK_OK(tape_reader_next(r, UINT64_MAX, &record, &f.err), f.err);
    arena_init(&arena, 1024 * 1024);
    CHECK_EQ(tape_reader_body(r, &record, &arena, &body, &f.err), ST_REJECT);
    CHECK(strstr(f.err.msg, "offset 1") != NULL);
    CHECK_OK(tape_reader_next(r, UINT64_MAX, &record, &f.err), f.err);
    CHECK_EQ(record.offset, 2);
    tape_reader_close(r);
    arena_release(&arena);
    ZSTD_freeCCtx(zstd);
    mem_free(zeros);
    buf_release(&big);
    buf_release(&frame);
    buf_release(&bytes);
    fixture_release(&f);
}

static void any_record_can_be_fetched(void)
{
    static const uint64_t order[] = {1, 2, 3, 3, 40, 39, 40, 1, 25, 26, 26, 2, 41, 60, 59};
    struct fixture f;
    struct tape_reader *r;
    struct tape_record record;
    struct arena arena;
    struct str body;
    char want[64];

    fixture_init(&f);
    fixture_close(&f);
    f.max_bytes = 4096; /* several segments */
    CHECK_OK(fixture_open(&f), f.err);
    CHECK_OK(tape_reader_open(f.dir, &r, &f.err), f.err);
    CHECK_EQ(tape_reader_get(r, 1, &record, &f.err), ST_REJECT);
    for (int i = 0; i < 30; i++)
        CHECK_OK(put_poll(&f), f.err);
    CHECK(count_segments(f.dir) > 3);
    arena_init(&arena, 1024 * 1024);
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        CHECK_OK(tape_reader_get(r, order[i], &record, &f.err), f.err);
        CHECK_EQ(record.offset, order[i]);
        if (record.type == TAPE_END)
            continue;
        arena_reset(&arena);
        CHECK_OK(tape_reader_body(r, &record, &arena, &body, &f.err), f.err);
        snprintf(want, sizeof(want), "[{\"id\":\"coin\",\"at\":%d}]", (int)order[i]);
        CHECK_STR(body, want);
        for (size_t k = 0; k < JSON_PADDING; k++)
            CHECK_EQ(body.p[body.len + k], 0);
    }
    CHECK_EQ(tape_reader_get(r, 61, &record, &f.err), ST_REJECT);
    CHECK_EQ(tape_reader_get(r, 0, &record, &f.err), ST_REJECT);
    CHECK_EQ(tape_reader_get(r, UINT64_MAX, &record, &f.err), ST_REJECT);
    /* the position of next() is where it was */
    CHECK_OK(tape_reader_next(r, UINT64_MAX, &record, &f.err), f.err);
    CHECK_EQ(record.offset, 1);
    CHECK_OK(put_poll(&f), f.err);
    CHECK_OK(tape_reader_get(r, 61, &record, &f.err), f.err);
    arena_release(&arena);
    tape_reader_close(r);
    fixture_release(&f);
}

static void what_was_passed_not_long_ago_is_found_at_once(void)
{
    const uint64_t last = CURSOR_PASSED + 64; /* within an hour */
    struct scratch scratch;
    struct segment segment;
    struct fixture f;
    struct cursor c;
    struct found found;

    fixture_init(&f);
    for (uint64_t i = 0; i < last / 2; i++)
        CHECK_OK(put_poll(&f), f.err);
    CHECK_OK(segment_around(f.dir, SEGMENT_NEWEST, &segment, NULL, &f.err), f.err);
    scratch_init(&scratch);
    cursor_init(&c, f.dir);
    CHECK_OK(cursor_open(&c, segment, UINT64_MAX, &f.err), f.err);
    CHECK(!cursor_seek(&c, 0) && !cursor_seek(&c, 1));
    for (uint64_t i = 1; i <= last; i++)
        CHECK_OK(cursor_step(&c, NULL, &scratch, &found, &f.err), f.err);
    for (uint64_t i = last; i > last - CURSOR_PASSED; i--) {
        CHECK(cursor_seek(&c, i));
        CHECK_OK(cursor_step(&c, NULL, &scratch, &found, &f.err), f.err);
        CHECK_EQ(found.record.offset, i);
    }
    CHECK(!cursor_seek(&c, last - CURSOR_PASSED) && !cursor_seek(&c, last + 1));
    CHECK_OK(cursor_open(&c, segment, UINT64_MAX, &f.err), f.err);
    CHECK(!cursor_seek(&c, last)); /* it may be another file */
    cursor_close(&c);
    scratch_release(&scratch);
    fixture_release(&f);
}

static void a_reader_can_be_put_anywhere(void)
{
    static const uint64_t order[] = {1, 7, 8, 3, 40, 2, 20, 0};
    struct fixture f;
    struct tape_reader *r;
    struct tape_record record;

    fixture_init(&f);
    fixture_close(&f);
    f.max_bytes = 4096;
    CHECK_OK(fixture_open(&f), f.err);
    CHECK_OK(tape_reader_open(f.dir, &r, &f.err), f.err);
    for (int i = 0; i < 20; i++)
        CHECK_OK(put_poll(&f), f.err);
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        tape_reader_seek(r, order[i]);
        CHECK_OK(tape_reader_next(r, UINT64_MAX, &record, &f.err), f.err);
        CHECK_EQ(record.offset, order[i] ? order[i] : 1);
    }
    tape_reader_seek(r, 41);
    CHECK_EQ(tape_reader_next(r, UINT64_MAX, &record, &f.err), ST_AGAIN);
    CHECK_OK(put_poll(&f), f.err);
    CHECK_EQ(tape_reader_next(r, 40, &record, &f.err), ST_AGAIN); /* beyond the head */
    CHECK_OK(tape_reader_next(r, 41, &record, &f.err), f.err);
    CHECK_EQ(record.offset, 41);
    CHECK_EQ(tape_reader_next(r, 41, &record, &f.err), ST_AGAIN);
    tape_reader_close(r);
    fixture_release(&f);
}

static void bounds_are_what_is_on_disk(void)
{
    struct fixture f;
    struct tape_reader *r;
    uint64_t first, last;
    char path[FILE_MAX_PATH];

    fixture_init(&f);
    CHECK_OK(tape_reader_open("/nonexistent", &r, &f.err), f.err);
    CHECK_OK(tape_reader_bounds(r, &first, &last, &f.err), f.err);
    CHECK(first == 0 && last == 0);
    tape_reader_close(r);
    CHECK_OK(tape_reader_open(f.dir, &r, &f.err), f.err);
    CHECK_OK(tape_reader_bounds(r, &first, &last, &f.err), f.err);
    CHECK(first == 0 && last == 0);
    fixture_close(&f);
    f.max_bytes = 1;
    CHECK_OK(fixture_open(&f), f.err);
    CHECK_OK(put_poll(&f), f.err);
    CHECK_OK(put_poll(&f), f.err);
    CHECK_OK(tape_reader_bounds(r, &first, &last, &f.err), f.err);
    CHECK(first == 1 && last == 4);
    CHECK(segment_path_at(f.dir, 0, path) && unlink(path) == 0);
    CHECK_OK(tape_reader_bounds(r, &first, &last, &f.err), f.err);
    CHECK(first == 2 && last == 4);
    tape_reader_close(r);
    fixture_release(&f);
}

static void a_reader_follows_a_segment_that_takes_the_place_of_another(void)
{
    struct fixture f;
    struct tape_reader *r;
    struct tape_record record;
    struct segment next = segment_make(3, NOON + 60 * US_PER_S);
    char path[FILE_MAX_PATH], name[SEGMENT_NAME];

    fixture_init(&f);
    CHECK_OK(put_poll(&f), f.err);
    segment_name(&next, name);
    CHECK_OK(file_path(path, &f.err, "%s/%s", f.dir, name), f.err);
    write_file(path, "torn", 4); /* as an append that is about to fail leaves it */
    CHECK_OK(tape_reader_open(f.dir, &r, &f.err), f.err);
    for (int i = 0; i < 2; i++)
        CHECK_OK(tape_reader_next(r, UINT64_MAX, &record, &f.err), f.err);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(tape_reader_next(r, UINT64_MAX, &record, &f.err), ST_AGAIN);
    CHECK_EQ(unlink(path), 0);
    CHECK_OK(put_poll(&f), f.err); /* to the first segment, as after a new start */
    for (int i = 0; i < 2; i++)
        CHECK_OK(tape_reader_next(r, UINT64_MAX, &record, &f.err), f.err);
    CHECK_EQ(record.offset, 4);
    tape_reader_close(r);
    fixture_release(&f);
}

/* ---- side by side with the writer ---- */

#define LIVE_POLLS 300

struct live {
    struct fixture *f;
    const char *problem;
    bool has_head; /* in the writer's process: stay behind the head */
};

/* Read to offset 2 * LIVE_POLLS; every body must be the one written. */
static const char *follow(const char *dir, struct tape_head *head)
{
    struct reading got = {.n = 0};
    struct tape_record record;
    struct tape_reader *r;
    uint64_t seen = 0;

    if (tape_reader_open(dir, &r, &got.err) != ST_OK)
        return "open";
    while (got.n < 2 * LIVE_POLLS) {
        if (head)
            seen = tape_head_wait(head, got.n, 60 * US_PER_S);
        enum st st = tape_reader_next(r, head ? seen : UINT64_MAX, &record, &got.err);
        if (st == ST_AGAIN && !head)
            continue;
        if (st != ST_OK || record.offset != got.n + 1)
            break;
        got.n++;
        if (record.type == TAPE_PAGE)
            read_body(r, &record, &got);
    }
    tape_reader_close(r);
    bool is_good = got.n == 2 * LIVE_POLLS && !got.is_wrong && got.n_bad_bodies == 0;
    if (!is_good)
        printf("# after offset %llu: %s\n", (unsigned long long)got.n, got.err.msg);
    return is_good ? NULL : "not all records came once, in order and whole";
}

static void *follow_thread(void *arg)
{
    struct live *live = arg;
    live->problem = follow(live->f->dir, live->has_head ? tape_writer_head(live->f->writer) : NULL);
    return NULL;
}

static void readers_in_threads_see_whole_records_only(void)
{
    struct fixture f;
    pthread_t threads[2];

    fixture_init(&f);
    fixture_close(&f);
    f.max_bytes = 8 * 1024; /* rolls all the time */
    CHECK_OK(fixture_open(&f), f.err);
    struct live live[2] = {{&f, NULL, true}, {&f, NULL, false}};
    for (int i = 0; i < 2; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, follow_thread, &live[i]), 0);
    enum st st = ST_OK;
    for (int i = 0; i < LIVE_POLLS && st == ST_OK; i++)
        st = put_poll(&f);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    CHECK_OK(st, f.err);
    for (int i = 0; i < 2; i++)
        if (live[i].problem)
            TAP_FAIL("reader %d: %s", i, live[i].problem);
    fixture_release(&f);
}

static void a_reader_in_another_process_sees_whole_records_only(void)
{
    struct fixture f;
    int status;

    fixture_init(&f);
    fixture_close(&f);
    f.max_bytes = 8 * 1024;
    CHECK_OK(fixture_open(&f), f.err);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        const char *problem = follow(f.dir, NULL);
        fflush(stdout);
        _exit(problem != NULL);
    }
    CHECK(pid > 0);
    enum st st = ST_OK;
    for (int i = 0; i < LIVE_POLLS && st == ST_OK; i++)
        st = put_poll(&f);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_OK(st, f.err);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    fixture_release(&f);
}

static void stock_tools_print_the_bodies(void)
{
    struct fixture f;
    char command[2 * FILE_MAX_PATH], line[64];
    uint64_t offset;
    int n = 0;

    if (system("command -v zstdcat >/dev/null && command -v jq >/dev/null") != 0)
        SKIP("zstdcat or jq is not installed");
    fixture_init(&f);
    CHECK_OK(put_poll(&f), f.err);
    CHECK_OK(put_page(&f, 1, STR("<html>not JSON</html>"), &offset), f.err);
    CHECK_OK(put_end(&f, POLL_FAILED, NULL, 0, &offset), f.err);
    CHECK_OK(put_poll(&f), f.err);
    snprintf(command, sizeof(command), "zstdcat %s/*.zst | jq -c '.[0].at'", f.dir);
    FILE *out = popen(command, "r");
    CHECK(out != NULL);
    while (fgets(line, sizeof(line), out) != NULL)
        CHECK_Z(line, n++ == 0 ? "1\n" : "5\n");
    CHECK_EQ(pclose(out), 0);
    CHECK_EQ(n, 2);
    fixture_release(&f);
}

static void the_documented_program_reads_a_tape(void)
{
    static const char *const want[] = {"1 page 1 200 22\n", "2 end ok (1,)\n",
                                       "3 page 1 200 21\n", "4 end failed ()\n",
                                       "5 page 1 200 22\n", "6 end ok (5,)\n"};
    struct fixture f;
    char command[2 * FILE_MAX_PATH], line[128];
    const char *doc = getenv("GECKOTAPE_TAPE_MD");
    uint64_t offset;
    size_t n = 0;

    if (doc == NULL || system("command -v zstd >/dev/null && command -v python3 >/dev/null") != 0)
        SKIP("zstd or python3 is not installed, or GECKOTAPE_TAPE_MD is not set");
    fixture_init(&f);
    fixture_close(&f);
    f.max_bytes = 1;
    CHECK_OK(fixture_open(&f), f.err);
    CHECK_OK(put_poll(&f), f.err);
    struct tape_record latin = {
        .slot_us = f.slot_us, .page = 1, .status = 200, .headers = STR("etag: \"\xFF\"\n")};
    CHECK_OK(tape_append_page(f.writer, &latin, STR("<html>no JSON</html>\n"), &offset, &f.err),
             f.err);
    CHECK_OK(put_end(&f, POLL_FAILED, NULL, 0, &offset), f.err);
    CHECK_OK(put_poll(&f), f.err);
    snprintf(command, sizeof(command),
             "sed -n '/^```python/,/^```$/{/^```/!p}' '%s' | python3 - '%s'", doc, f.dir);
    for (int is_sealed = 0; is_sealed < 2; is_sealed++) {
        FILE *out = popen(command, "r");
        CHECK(out != NULL);
        for (n = 0; fgets(line, sizeof(line), out) != NULL && n < sizeof(want) / sizeof(want[0]);)
            CHECK_Z(line, want[n++]);
        CHECK_EQ(pclose(out), 0);
        CHECK_EQ(n, sizeof(want) / sizeof(want[0]));
        const struct tape_seal_setup setup = {.dir = f.dir};
        struct tape_sealed sealed;
        char after[64] = "";
        for (int i = 0; i < 5 && !is_sealed; i++) {
            CHECK_OK(tape_seal_next(&setup, after, &sealed, &f.err), f.err);
            CHECK(sealed.segment[0] != '\0');
        }
    }
    fixture_release(&f);
}

TAP_MAIN(TAP_CASE(every_flipped_byte_is_found_and_costs_one_record),
         TAP_CASE(garbage_between_records_costs_nothing),
         TAP_CASE(bytes_cut_out_cost_what_they_held),
         TAP_CASE(a_hole_is_told_once_with_its_offsets), TAP_CASE(a_segment_that_is_gone_is_a_hole),
         TAP_CASE(headers_inside_of_a_body_fool_nobody), TAP_CASE(lengths_that_lie_take_no_memory),
         TAP_CASE(any_record_can_be_fetched),
         TAP_CASE(what_was_passed_not_long_ago_is_found_at_once),
         TAP_CASE(a_reader_can_be_put_anywhere), TAP_CASE(bounds_are_what_is_on_disk),
         TAP_CASE(a_reader_follows_a_segment_that_takes_the_place_of_another),
         TAP_CASE(readers_in_threads_see_whole_records_only),
         TAP_CASE(a_reader_in_another_process_sees_whole_records_only),
         TAP_CASE(stock_tools_print_the_bodies), TAP_CASE(the_documented_program_reads_a_tape))
