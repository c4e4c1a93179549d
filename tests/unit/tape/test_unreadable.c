/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "base/mem.h"
#include "tape/upkeep.h"

#include <errno.h>
#include <sys/syscall.h>

#define BLOCK   4096
#define N_POLLS 60
#define N       ((uint64_t)2 * N_POLLS)

/* Bytes that the disk answers with an error instead. */
static struct {
    char path[FILE_MAX_PATH]; /* "": none */
    off_t from, to;
    int sys;
} bad;

/* Stands in front of the C library's. Like a file system, it reads up to the bad place first. */
ssize_t pread(int fd, void *ret_bytes, size_t len, off_t at)
{
    char link[64], path[FILE_MAX_PATH];

    if (bad.path[0] != '\0' && at < bad.to && at + (off_t)len > bad.from) {
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, path, sizeof(path) - 1);
        path[n > 0 ? n : 0] = '\0';
        if (strcmp(path, bad.path) == 0) {
            if (at >= bad.from) {
                errno = bad.sys;
                return -1;
            }
            len = (size_t)(bad.from - at);
        }
    }
    return syscall(SYS_pread64, fd, ret_bytes, len, at);
}

static void make_bad(const char *path, off_t from, off_t to)
{
    snprintf(bad.path, sizeof(bad.path), "%s", path);
    bad.from = from;
    bad.to = to;
    bad.sys = EIO;
}

static void make_good(void)
{
    bad.path[0] = '\0';
}

/* A closed tape of N records in one segment of many blocks. */
static void make_tape(struct fixture *f, char path[FILE_MAX_PATH], off_t *ret_size)
{
    struct stat s;

    fixture_init(f);
    for (int i = 0; i < N_POLLS; i++)
        if (put_poll(f) != ST_OK)
            abort();
    fixture_close(f);
    if (!segment_path_at(f->dir, 0, path) || stat(path, &s) != 0)
        abort();
    *ret_size = s.st_size;
}

/* What a block costs: the records that have bytes in it, told as one hole. */
static const char *check_block(const struct reading *got, uint64_t want_last)
{
    if (got->is_wrong)
        return "a wrong body or a wrong order";
    if (got->st != ST_AGAIN || got->err.sys != 0)
        return "the reader stops";
    if (got->last != want_last)
        return "what stands behind it is not readable";
    if (got->n_holes > 1 || got->n_bad_bodies > 1)
        return "it is told more than once";
    return NULL;
}

static void an_unreadable_block_of_an_older_segment_is_one_hole(void)
{
    struct fixture f;
    char path[FILE_MAX_PATH];
    off_t size;

    make_tape(&f, path, &size);
    f.max_bytes = 1;
    CHECK_OK(fixture_open(&f), f.err);
    CHECK_OK(put_poll(&f), f.err);
    fixture_close(&f);
    CHECK_EQ(count_problems(f.dir), 0);
    for (off_t at = 0; at < size; at += BLOCK) {
        make_bad(path, at, at + BLOCK);
        struct reading got = read_all(f.dir);
        const char *problem = check_block(&got, N + 2);
        if (problem == NULL && got.n + BLOCK / 120 + 2 < N + 2)
            problem = "more is lost than the block held";
        if (problem == NULL && (got.n_holes == 0 || count_problems(f.dir) == 0))
            problem = "it is not told";
        if (problem)
            TAP_FAIL("block at byte %lld: %s", (long long)at, problem);
    }
    make_good();
    fixture_release(&f);
}

static void an_unreadable_block_is_told_with_segment_and_bytes(void)
{
    static const struct {
        const char *what;
        bool is_tail;
    } rows[] = {{"in the middle", false}, {"at the end", true}};
    struct fixture f;
    char path[FILE_MAX_PATH], want[FILE_MAX_PATH + 80];
    struct tape_record record;
    struct tape_reader *r;
    off_t size;

    make_tape(&f, path, &size);
    f.max_bytes = 1;
    CHECK_OK(fixture_open(&f), f.err);
    CHECK_OK(put_poll(&f), f.err);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        off_t at = rows[i].is_tail ? (size - 1) / BLOCK * BLOCK : BLOCK;
        enum st st;
        make_bad(path, at, at + BLOCK);
        CHECK_OK(tape_reader_open(f.dir, &r, &f.err), f.err);
        while ((st = tape_reader_next(r, UINT64_MAX, &record, &f.err)) == ST_OK)
            continue;
        CHECK_EQ(st, ST_REJECT);
        snprintf(want, sizeof(want), "%s: bytes ", path);
        if (strstr(f.err.msg, want) == NULL || strstr(f.err.msg, "cannot be read") == NULL ||
            strstr(f.err.msg, "are lost") == NULL)
            TAP_FAIL("%s: \"%s\"", rows[i].what, f.err.msg);
        tape_reader_close(r);
    }
    make_good();
    fixture_release(&f);
}

static void a_body_that_cannot_be_read_costs_that_body(void)
{
    struct fixture f;
    struct buf body = BUF_INIT(1 << 20);
    struct arena arena;
    char path[FILE_MAX_PATH];
    struct tape_record record;
    struct tape_reader *r;
    struct str got;
    uint64_t page, end, seed = 1;

    fixture_init(&f);
    arena_init(&arena, 1 << 20);
    buf_add_z(&body, "[");
    while (body.len < 40 * 1000) { /* hardly to be compressed */
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        buf_addf(&body, "%llu,", (unsigned long long)seed);
    }
    buf_add_z(&body, "0]");
    CHECK_OK(put_page(&f, 1, buf_str(&body), &page), f.err);
    CHECK_OK(put_end(&f, POLL_OK, &page, 1, &end), f.err);
    CHECK(segment_path_at(f.dir, 0, path));
    make_bad(path, 2L * BLOCK, 3L * BLOCK);
    CHECK_OK(tape_reader_open(f.dir, &r, &f.err), f.err);
    CHECK_OK(tape_reader_next(r, UINT64_MAX, &record, &f.err), f.err);
    CHECK_EQ(tape_reader_body(r, &record, &arena, &got, &f.err), ST_REJECT);
    CHECK(strstr(f.err.msg, "the disk cannot read it") != NULL);
    CHECK_EQ(f.err.sys, EIO);
    bad.sys = ENOMEM; /* that will pass */
    CHECK_EQ(tape_reader_body(r, &record, &arena, &got, &f.err), ST_AGAIN);
    CHECK_EQ(f.err.sys, ENOMEM);
    CHECK_OK(tape_reader_next(r, UINT64_MAX, &record, &f.err), f.err);
    CHECK_EQ(record.offset, end);
    make_good();
    CHECK_OK(tape_reader_get(r, page, &record, &f.err), f.err);
    CHECK_OK(tape_reader_body(r, &record, &arena, &got, &f.err), f.err);
    CHECK(str_eq(got, buf_str(&body)));
    tape_reader_close(r);
    arena_release(&arena);
    buf_release(&body);
    fixture_release(&f);
}

static void other_errors_of_the_disk_are_a_reason_to_try_again(void)
{
    struct fixture f;
    char path[FILE_MAX_PATH];
    off_t size;

    make_tape(&f, path, &size);
    make_bad(path, BLOCK, 2L * BLOCK);
    bad.sys = ENOMEM;
    struct reading got = read_all(f.dir);
    CHECK(got.st == ST_AGAIN && got.err.sys == ENOMEM && got.n_holes == 0);
    CHECK_EQ(fixture_open(&f), ST_AGAIN);
    CHECK_EQ(f.err.sys, ENOMEM);
    make_good();
    CHECK_EQ(count_segments(f.dir), 1);
    CHECK_EQ(read_all(f.dir).n, N);
    fixture_release(&f);
}

/* The start after the newest segment got a bad block: nothing is cut, no offset comes twice. */
static const char *check_start(struct fixture *f, const char *path, off_t size)
{
    uint64_t first, last;
    struct tape_reader *r;
    struct stat s;

    if (fixture_open(f) != ST_OK)
        return f->err.msg;
    if (strstr(path, f->recovery.unreadable_file) == NULL || f->recovery.unreadable_file[0] == '\0')
        return "the segment is not named";
    if (stat(path, &s) != 0 || s.st_size != size || count_segments(f->dir) != 2)
        return "the segment is not left, or no other begun";
    if (f->recovery.head < N)
        return "offsets will be used again";
    /* sinks may be at any of the old offsets: a tape that ends before would look forked to them */
    if (tape_reader_open(f->dir, &r, &f->err) != ST_OK)
        return f->err.msg;
    enum st st = tape_reader_bounds(r, &first, &last, &f->err);
    tape_reader_close(r);
    if (st != ST_OK || last < N)
        return "the tape looks shorter than it was";
    if (put_poll(f) != ST_OK)
        return f->err.msg;
    fixture_close(f);
    if (fixture_open(f) != ST_OK || put_poll(f) != ST_OK)
        return f->err.msg;
    return count_segments(f->dir) == 2 ? NULL : "the new segment is not continued";
}

static void a_newest_segment_with_an_unreadable_block_is_left_as_it_is(void)
{
    struct fixture f;
    char path[FILE_MAX_PATH];
    off_t size = BLOCK;

    for (off_t at = 0; at < size; at += BLOCK) {
        make_tape(&f, path, &size);
        CHECK(size > 4L * BLOCK);
        make_bad(path, at, at + BLOCK);
        const char *problem = check_start(&f, path, size);
        uint64_t head = tape_head_get(tape_writer_head(f.writer));
        struct reading got = read_all(f.dir);
        problem = problem ? problem : check_block(&got, head);
        if (problem)
            TAP_FAIL("block at byte %lld: %s", (long long)at, problem);
        make_good(); /* what can be read again counts again */
        got = read_all(f.dir);
        CHECK(!got.is_wrong && got.n >= N + 4 && got.n_bad_bodies == 0);
        fixture_release(&f);
    }
}

static void a_newest_segment_that_is_unreadable_throughout_is_left(void)
{
    struct fixture f;
    char path[FILE_MAX_PATH];
    uint64_t offset;
    off_t size;

    make_tape(&f, path, &size);
    f.max_bytes = 1;
    CHECK_OK(fixture_open(&f), f.err);
    CHECK_OK(put_page(&f, 1, STR("[1]"), &offset), f.err);
    fixture_close(&f);
    CHECK(segment_path_at(f.dir, 1, path));
    make_bad(path, 0, BLOCK);
    CHECK_OK(fixture_open(&f), f.err);
    CHECK(f.recovery.head > offset);
    CHECK(!f.recovery.is_poll_aborted);
    CHECK_OK(put_poll(&f), f.err);
    struct reading got = read_all(f.dir);
    CHECK(got.n == N + 2 && got.n_holes == 1 && !got.is_wrong);
    CHECK(strstr(got.err.msg, "at the end") != NULL);
    make_good();
    fixture_release(&f);
}

static void a_tape_of_which_nothing_is_readable_gets_no_new_identity(void)
{
    struct fixture f;
    char path[FILE_MAX_PATH];
    off_t size;

    make_tape(&f, path, &size);
    make_bad(path, 0, size);
    CHECK_EQ(fixture_open(&f), ST_AGAIN);
    CHECK_EQ(f.err.sys, EIO);
    CHECK(strstr(f.err.msg, f.dir) != NULL);
    struct reading got = read_all(f.dir);
    CHECK(got.st == ST_AGAIN && got.err.sys == EIO && got.n == 0);
    CHECK_EQ(count_problems(f.dir), 1);
    make_good();
    CHECK_EQ(count_segments(f.dir), 1);
    CHECK_EQ(read_all(f.dir).n, N);
    fixture_release(&f);
}

/* What cannot be read may be what the next poll refers to. */
static void nothing_goes_while_what_is_needed_is_unreadable(void)
{
    struct fixture f;
    struct tape_prune_setup setup = {.dir = f.dir, .reference_us = INT64_MAX, .below = UINT64_MAX};
    struct tape_pruned pruned;
    char path[FILE_MAX_PATH];
    uint64_t offset;
    off_t size;

    make_tape(&f, path, &size);
    f.max_bytes = 1;
    CHECK_OK(fixture_open(&f), f.err);
    CHECK_OK(put_end(&f, POLL_FAILED, NULL, 0, &offset), f.err);
    make_bad(path, (size - 1) / BLOCK * BLOCK, size); /* the last ok poll */
    CHECK_EQ(tape_prune(&setup, &pruned, &f.err), ST_AGAIN);
    CHECK_EQ(f.err.sys, EIO);
    CHECK_EQ(count_segments(f.dir), 2);
    make_good();
    CHECK_OK(tape_prune(&setup, &pruned, &f.err), f.err);
    CHECK_EQ(count_segments(f.dir), 2);
    fixture_release(&f);
}

TAP_MAIN(TAP_CASE(an_unreadable_block_of_an_older_segment_is_one_hole),
         TAP_CASE(an_unreadable_block_is_told_with_segment_and_bytes),
         TAP_CASE(a_body_that_cannot_be_read_costs_that_body),
         TAP_CASE(other_errors_of_the_disk_are_a_reason_to_try_again),
         TAP_CASE(a_newest_segment_with_an_unreadable_block_is_left_as_it_is),
         TAP_CASE(a_newest_segment_that_is_unreadable_throughout_is_left),
         TAP_CASE(nothing_goes_while_what_is_needed_is_unreadable),
         TAP_CASE(a_tape_of_which_nothing_is_readable_gets_no_new_identity))
