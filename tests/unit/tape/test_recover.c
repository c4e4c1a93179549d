/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "tape/format.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>

/* A closed tape of `n` polls; the bytes of its only segment. */
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

/* Open the tape, add a poll, read it all: `want` records, none lost in between. */
static const char *reopened(struct fixture *f, uint64_t want)
{
    fixture_close(f);
    if (fixture_open(f) != ST_OK)
        return f->err.msg;
    if (put_poll(f) != ST_OK)
        return f->err.msg;
    fixture_close(f);
    struct reading got = read_all(f->dir);
    if (got.n != want || got.n_holes > 0 || got.n_bad_bodies > 0 || got.is_wrong)
        return "records are lost or wrong";
    return count_problems(f->dir) == 0 ? NULL : "verify finds problems";
}

static void remove_torn(const struct fixture *f, struct buf *ret_bytes)
{
    char path[FILE_MAX_PATH];
    struct err err;

    if (file_path(path, &err, "%s/%s", f->dir, f->recovery.torn_file) != ST_OK ||
        read_file(path, ret_bytes) != ST_OK || unlink(path) != 0)
        abort();
}

static void a_tail_torn_at_any_byte_is_cut_and_kept(void)
{
    struct fixture f;
    struct buf bytes = BUF_INIT(1 << 20), torn = BUF_INIT(1 << 20);
    char path[FILE_MAX_PATH];
    size_t ends[5] = {0}; /* of the records */

    make_tape(&f, 2, path, &bytes);
    for (size_t len = 0; len <= bytes.len; len++) {
        write_file(path, bytes.p, len);
        CHECK_EQ(read_all(f.dir).n_holes, 0); /* a reader beside the writer just waits */
        f.slot_us = f.clock.now_us = NOON + POLL_STEP * 5;
        CHECK_OK(fixture_open(&f), f.err);
        uint64_t head = f.recovery.head;
        size_t whole = len - f.recovery.torn_bytes;
        bool is_aborted = f.recovery.is_poll_aborted;
        if (f.recovery.torn_bytes == 0 && !ends[head - is_aborted])
            ends[head - is_aborted] = len;
        CHECK_EQ(is_aborted, (head - is_aborted) % 2);
        CHECK_EQ(whole, ends[head - is_aborted]);
        if (f.recovery.torn_bytes > 0) {
            remove_torn(&f, &torn);
            CHECK_EQ(torn.len, len - whole);
            CHECK(memcmp(torn.p, bytes.p + whole, torn.len) == 0);
        }
        const char *problem = reopened(&f, head + 2);
        if (problem)
            TAP_FAIL("cut at byte %zu: %s", len, problem);
    }
    CHECK_EQ(ends[4], bytes.len);
    buf_release(&bytes);
    buf_release(&torn);
    fixture_release(&f);
}

/* Stands in front of the C library's: the disk refuses to cut the file. */
static bool is_cut_refused;

int ftruncate(int fd, off_t len)
{
    if (is_cut_refused) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_ftruncate, fd, len);
}

static void a_tail_is_kept_once_however_often_the_start_fails(void)
{
    struct fixture f;
    struct buf bytes = BUF_INIT(1 << 20), torn = BUF_INIT(1 << 20);
    char path[FILE_MAX_PATH], want[FILE_MAX_PATH + 64];
    size_t whole;

    make_tape(&f, 2, path, &bytes);
    whole = bytes.len;
    buf_add_z(&bytes, "half a record");
    write_file(path, bytes.p, bytes.len);
    CHECK_OK(tape_open(f.data, &f.tape, &f.err), f.err); /* its lock file is cut, too */
    is_cut_refused = true;
    for (int i = 0; i < 3; i++)
        CHECK_EQ(fixture_open(&f), ST_AGAIN);
    is_cut_refused = false;
    CHECK_OK(fixture_open(&f), f.err);
    snprintf(want, sizeof(want), "%s.%zu.torn", strrchr(path, '/') + 1, whole);
    CHECK_Z(f.recovery.torn_file, want);
    CHECK_EQ(f.recovery.torn_bytes, strlen("half a record"));
    remove_torn(&f, &torn);
    CHECK_STR(buf_str(&torn), "half a record");
    CHECK(reopened(&f, 6) == NULL);
    buf_release(&bytes);
    buf_release(&torn);
    fixture_release(&f);
}

static void zeros_that_a_power_cut_leaves_are_cut(void)
{
    struct fixture f;
    struct buf bytes = BUF_INIT(1 << 20);
    char path[FILE_MAX_PATH];
    static const char zeros[10000];

    make_tape(&f, 2, path, &bytes);
    size_t len = bytes.len;
    buf_add(&bytes, zeros, sizeof(zeros));
    write_file(path, bytes.p, bytes.len);
    CHECK_OK(fixture_open(&f), f.err);
    CHECK_EQ(f.recovery.head, 4);
    CHECK_EQ(f.recovery.torn_bytes, bytes.len - len);
    CHECK(reopened(&f, 6) == NULL);
    /* the same where nothing else is */
    write_file(path, zeros, sizeof(zeros));
    f.slot_us = NOON;
    CHECK_OK(fixture_open(&f), f.err);
    CHECK_EQ(f.recovery.head, 0);
    CHECK(reopened(&f, 2) == NULL);
    buf_release(&bytes);
    fixture_release(&f);
}

static void a_last_page_whose_body_is_half_there_is_cut(void)
{
    struct fixture f;
    struct buf bytes = BUF_INIT(1 << 20);
    char path[FILE_MAX_PATH];
    uint64_t offset;

    fixture_init(&f);
    CHECK_OK(put_poll(&f), f.err);
    CHECK_OK(put_page(&f, 1, STR("[\"a page that is the last record of the tape\"]"), &offset),
             f.err);
    fixture_close(&f);
    CHECK(segment_path_at(f.dir, 0, path));
    CHECK_EQ(read_file(path, &bytes), ST_OK);
    memset(bytes.p + bytes.len - 16, 0, 16); /* a block that never reached the disk */
    write_file(path, bytes.p, bytes.len);
    CHECK_OK(fixture_open(&f), f.err);
    CHECK_EQ(f.recovery.head, 2);
    CHECK(f.recovery.torn_bytes > 100);
    CHECK(reopened(&f, 4) == NULL);
    buf_release(&bytes);
    fixture_release(&f);
}

static void damage_before_a_whole_record_is_left_as_a_hole(void)
{
    struct fixture f;
    struct buf bytes = BUF_INIT(1 << 20), after = BUF_INIT(1 << 20);
    char path[FILE_MAX_PATH];

    make_tape(&f, 3, path, &bytes);
    bytes.p[bytes.len / 2] ^= 1;
    write_file(path, bytes.p, bytes.len);
    CHECK_OK(fixture_open(&f), f.err);
    CHECK_EQ(f.recovery.head, 6);
    CHECK_EQ(f.recovery.torn_bytes, 0);
    CHECK_OK(put_poll(&f), f.err);
    CHECK_EQ(read_file(path, &after), ST_OK);
    CHECK(memcmp(bytes.p, after.p, bytes.len) == 0);
    struct reading got = read_all(f.dir);
    CHECK(got.last == 8 && got.n + got.n_bad_bodies >= 7 && !got.is_wrong);
    buf_release(&bytes);
    buf_release(&after);
    fixture_release(&f);
}

static void an_open_poll_is_ended_as_aborted(void)
{
    struct fixture f;
    struct tape_record end;
    uint64_t offset;

    fixture_init(&f);
    CHECK_OK(put_poll(&f), f.err);
    CHECK_OK(put_page(&f, 1, STR("[1]"), &offset), f.err);
    CHECK_OK(put_page(&f, 2, STR("[2]"), &offset), f.err);
    fixture_close(&f);
    CHECK_OK(fixture_open(&f), f.err);
    CHECK(f.recovery.is_poll_aborted);
    CHECK_EQ(f.recovery.head, 5);
    CHECK(tape_writer_last_end(f.writer, &end));
    CHECK_EQ(end.outcome, POLL_ABORTED);
    CHECK_EQ(end.slot_us, f.slot_us);
    CHECK_EQ(end.first_offset, 3);
    CHECK_EQ(end.started_us, f.clock.now_us - 1234);
    CHECK_EQ(end.prev_rows_end, 2);
    CHECK_EQ(count_problems(f.dir), 0);
    fixture_release(&f);
}

static void a_poll_that_began_segments_ago_is_found(void)
{
    struct fixture f;
    struct tape_record end;
    uint64_t offset;

    fixture_init(&f);
    CHECK_OK(put_poll(&f), f.err);
    fixture_close(&f);
    f.max_bytes = 1; /* one record a segment */
    CHECK_OK(fixture_open(&f), f.err);
    for (uint32_t page = 1; page <= 4; page++)
        CHECK_OK(put_page(&f, page, STR("[1]"), &offset), f.err);
    fixture_close(&f);
    CHECK_EQ(count_segments(f.dir), 5);
    CHECK_OK(fixture_open(&f), f.err);
    CHECK(f.recovery.is_poll_aborted);
    CHECK(tape_writer_last_end(f.writer, &end));
    CHECK_EQ(end.offset, 7);
    CHECK_EQ(end.first_offset, 3);
    CHECK_EQ(end.attempts, 4);
    CHECK_EQ(end.prev_ok_end, 2);
    CHECK_EQ(count_problems(f.dir), 0);
    fixture_release(&f);
}

static void an_empty_last_segment_is_continued(void)
{
    struct fixture f;
    struct segment next = segment_make(3, NOON + 60 * US_PER_S);
    char path[FILE_MAX_PATH], name[SEGMENT_NAME];

    fixture_init(&f);
    CHECK_OK(put_poll(&f), f.err);
    fixture_close(&f);
    segment_name(&next, name);
    CHECK_OK(file_path(path, &f.err, "%s/%s", f.dir, name), f.err);
    write_file(path, "", 0);
    struct reading got = read_all(f.dir);
    CHECK(got.n == 2 && got.st == ST_AGAIN);
    CHECK(reopened(&f, 4) == NULL);
    CHECK_EQ(count_segments(f.dir), 2);
    fixture_release(&f);
}

/* The record at `at` as a later version would write it. */
static void make_newer(struct buf *bytes, size_t at)
{
    struct envelope e;

    if (format_get_envelope((const uint8_t *)bytes->p + at, &e) != ENVELOPE_OK)
        abort();
    e.version = FORMAT_VERSION + 1;
    format_put_envelope((uint8_t *)bytes->p + at, &e);
}

static void a_newer_tape_is_refused_with_both_versions(void)
{
    struct fixture f;
    struct buf bytes = BUF_INIT(1 << 20);
    char path[FILE_MAX_PATH];

    make_tape(&f, 1, path, &bytes);
    make_newer(&bytes, 0);
    write_file(path, bytes.p, bytes.len);
    CHECK_EQ(fixture_open(&f), ST_REJECT);
    CHECK(strstr(f.err.msg, "format 3") != NULL);
    CHECK(strstr(f.err.msg, "up to 2") != NULL);
    CHECK_EQ(read_all(f.dir).st, ST_FATAL);
    CHECK(count_problems(f.dir) > 0);
    struct buf after = BUF_INIT(1 << 20);
    CHECK_EQ(read_file(path, &after), ST_OK);
    CHECK(str_eq(buf_str(&bytes), buf_str(&after))); /* nothing was cut */
    buf_release(&bytes);
    buf_release(&after);
    fixture_release(&f);
}

static void files_of_others_are_refused_by_name(void)
{
    struct fixture f;
    struct buf bytes = BUF_INIT(1 << 20);
    struct segment next = segment_make(3, NOON + 60 * US_PER_S);
    char path[FILE_MAX_PATH], name[SEGMENT_NAME];

    make_tape(&f, 1, path, &bytes);
    segment_name(&next, name);
    CHECK_OK(file_path(path, &f.err, "%s/%s", f.dir, name), f.err);
    write_file(path, "my shopping list, in the wrong folder", 37);
    CHECK_EQ(fixture_open(&f), ST_REJECT);
    CHECK(strstr(f.err.msg, name) != NULL);

    /* a segment of another stream */
    struct fixture other;
    char other_path[FILE_MAX_PATH];
    make_tape(&other, 1, other_path, &bytes);
    write_file(path, bytes.p, bytes.len);
    CHECK_EQ(fixture_open(&f), ST_REJECT);
    CHECK(strstr(f.err.msg, name) != NULL);
    CHECK(strstr(f.err.msg, "another stream") != NULL);
    CHECK_EQ(read_all(f.dir).st, ST_FATAL);
    CHECK_EQ(unlink(path), 0);
    CHECK(reopened(&f, 4) == NULL);
    buf_release(&bytes);
    fixture_release(&other);
    fixture_release(&f);
}

static void other_names_in_the_directory_are_left_alone(void)
{
    struct fixture f;
    char path[FILE_MAX_PATH];

    fixture_init(&f);
    CHECK_OK(put_poll(&f), f.err);
    fixture_close(&f);
    CHECK_OK(file_path(path, &f.err, "%s/README", f.dir), f.err);
    write_file(path, "mine", 4);
    CHECK_OK(
        file_path(path, &f.err, "%s/00000000000000000009-20261123T120000Z.jsonl.zst.torn", f.dir),
        f.err);
    write_file(path, "mine", 4);
    CHECK(reopened(&f, 4) == NULL);
    CHECK_EQ(access(path, F_OK), 0);
    fixture_release(&f);
}

TAP_MAIN(TAP_CASE(a_tail_torn_at_any_byte_is_cut_and_kept),
         TAP_CASE(a_tail_is_kept_once_however_often_the_start_fails),
         TAP_CASE(zeros_that_a_power_cut_leaves_are_cut),
         TAP_CASE(a_last_page_whose_body_is_half_there_is_cut),
         TAP_CASE(damage_before_a_whole_record_is_left_as_a_hole),
         TAP_CASE(an_open_poll_is_ended_as_aborted),
         TAP_CASE(a_poll_that_began_segments_ago_is_found),
         TAP_CASE(an_empty_last_segment_is_continued),
         TAP_CASE(a_newer_tape_is_refused_with_both_versions),
         TAP_CASE(files_of_others_are_refused_by_name),
         TAP_CASE(other_names_in_the_directory_are_left_alone))
