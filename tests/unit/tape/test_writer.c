/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>

/* Stands in front of the C library's: the disk's answer to the nth sync from now is EIO. */
static int fail_sync_nth;

int fdatasync(int fd)
{
    if (fail_sync_nth > 0 && --fail_sync_nth == 0) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

static void writer_numbers_records_from_1_and_moves_the_head(void)
{
    struct fixture f;
    uint64_t offset;

    fixture_init(&f);
    CHECK_EQ(f.recovery.head, 0);
    CHECK_OK(put_page(&f, 1, STR("[1]"), &offset), f.err);
    CHECK_EQ(offset, 1);
    CHECK_EQ(tape_head_get(tape_writer_head(f.writer)), 1);
    CHECK_EQ(tape_head_ended(tape_writer_head(f.writer)), 0);
    CHECK_OK(put_end(&f, POLL_OK, &offset, 1, &offset), f.err);
    CHECK_EQ(offset, 2);
    CHECK_EQ(tape_head_get(tape_writer_head(f.writer)), 2);
    CHECK_EQ(tape_head_ended(tape_writer_head(f.writer)), 2);
    CHECK(tape_writer_bytes(f.writer) > 500);
    fixture_release(&f);
}

static void writer_keeps_every_field(void)
{
    struct fixture f;
    struct tape_reader *r;
    struct tape_record page, end;
    uint64_t offset, pages[3] = {1, 0, 2};

    fixture_init(&f);
    CHECK_OK(put_page(&f, 1, STR("[1]"), &offset), f.err);
    CHECK_OK(put_page(&f, 3, STR("<html>"), &offset), f.err);
    CHECK_OK(put_end(&f, POLL_PARTIAL, pages, 3, &offset), f.err);
    CHECK_OK(put_end(&f, POLL_OK, NULL, 0, &offset), f.err);
    CHECK_OK(tape_reader_open(f.dir, &r, &f.err), f.err);

    CHECK_OK(tape_reader_next(r, 4, &page, &f.err), f.err);
    CHECK_EQ(page.type, TAPE_PAGE);
    CHECK(page.is_json && !page.is_masked);
    CHECK_EQ(page.offset, 1);
    CHECK_EQ(page.slot_us, NOON);
    CHECK_EQ(page.page, 1);
    CHECK_EQ(page.attempt, 1);
    CHECK_EQ(page.fetched_at_us, NOON);
    CHECK_EQ(page.status, 200);
    CHECK_EQ(page.latency_us, 1234);
    CHECK_EQ(page.body_len, 3);
    CHECK_STR(page.target, "/api/v3/coins/markets?vs_currency=usd");
    CHECK_STR(page.headers, "date: Mon, 23 Nov 2026 12:00:00 GMT\nage: 3\n");
    CHECK_Z(page.stream->job, JOB);
    CHECK_Z(page.stream->endpoint, "coins/markets");
    CHECK_Z(page.stream->vs_currency, "usd");
    CHECK_Z(page.stream->selection, "top=250");
    CHECK(memcmp(page.stream->uuid, tape_writer_stream(f.writer)->uuid, 16) == 0);

    CHECK_OK(tape_reader_next(r, 4, &page, &f.err), f.err);
    CHECK(!page.is_json);
    CHECK_OK(tape_reader_next(r, 4, &end, &f.err), f.err);
    CHECK_EQ(end.type, TAPE_END);
    CHECK_EQ(end.outcome, POLL_PARTIAL);
    CHECK_EQ(end.first_offset, 1);
    CHECK_EQ(end.n_pages, 3);
    CHECK(end.pages[0] == 1 && end.pages[1] == 0 && end.pages[2] == 2);
    CHECK_EQ(end.started_us, NOON);
    CHECK_EQ(end.next_due_us, NOON + POLL_STEP);
    CHECK_EQ(end.attempts, 3);
    CHECK_EQ(end.bytes, 77);
    CHECK_EQ(end.credits_key, 5);
    CHECK_EQ(end.credits_from_us, NOON);
    CHECK_EQ(end.credits_spent, 9);
    CHECK_STR(end.error, "no answer");
    CHECK_EQ(end.prev_rows_end, 0);

    CHECK_OK(tape_reader_next(r, 4, &end, &f.err), f.err);
    CHECK_EQ(end.first_offset, 4); /* no pages: its own */
    CHECK_EQ(end.prev_rows_end, 3);
    CHECK_EQ(end.prev_ok_end, 0);
    tape_reader_close(r);
    CHECK_EQ(count_problems(f.dir), 0);
    fixture_release(&f);
}

/* Bytes that do not compress away. */
static void fill_noise(char *p, size_t len)
{
    uint32_t x = 2463534242;

    for (size_t i = 0; i < len; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        p[i] = (char)x;
    }
}

static void writer_keeps_bodies_byte_for_byte(void)
{
    static const size_t sizes[] = {0, 1, 3, 4096, 200 * 1000, 8 * 1024 * 1024};
    char *noise = mem_new(8 * 1024 * 1024, 1);
    struct fixture f;
    struct tape_reader *r;
    struct tape_record record;
    struct arena arena;
    struct str body;
    uint64_t offset;

    fixture_init(&f);
    fill_noise(noise, 8 * 1024 * 1024);
    arena_init(&arena, 16 * 1024 * 1024);
    CHECK_OK(tape_reader_open(f.dir, &r, &f.err), f.err);
    for (size_t i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct str written = {noise, sizes[i / 2]};
        noise[0] = i % 2 ? '[' : '<';
        CHECK_OK(put_page(&f, 1, written, &offset), f.err);
        CHECK_OK(tape_reader_next(r, offset, &record, &f.err), f.err);
        CHECK_EQ(record.is_json, written.len > 0 && i % 2 == 1);
        arena_reset(&arena);
        CHECK_OK(tape_reader_body(r, &record, &arena, &body, &f.err), f.err);
        CHECK(str_eq(body, written));
    }
    arena_release(&arena);
    tape_reader_close(r);
    mem_free(noise);
    CHECK_EQ(count_problems(f.dir), 0);
    fixture_release(&f);
}

static void writer_refuses_what_a_tape_cannot_hold(void)
{
    struct fixture f;
    uint64_t offset = 0;
    char *big = mem_new(TAPE_MAX_BODY + 1, 1);

    fixture_init(&f);
    CHECK_EQ(put_page(&f, 1, (struct str){big, TAPE_MAX_BODY + 1}, &offset), ST_REJECT);
    CHECK_EQ(put_page(&f, 0, STR("[]"), &offset), ST_REJECT);
    CHECK_EQ(put_page(&f, TAPE_MAX_PAGES + 1, STR("[]"), &offset), ST_REJECT);
    struct tape_record r = {.page = 1, .target = {big, 100 * 1000}};
    CHECK_EQ(tape_append_page(f.writer, &r, STR("[]"), &offset, &f.err), ST_REJECT);
    CHECK_OK(put_page(&f, TAPE_MAX_PAGES, STR("[]"), &offset), f.err);
    CHECK_EQ(offset, 1);
    mem_free(big);
    fixture_release(&f);
}

static void writer_ends_an_open_poll_before_another_begins(void)
{
    struct fixture f;
    struct tape_record end;
    uint64_t offset;

    fixture_init(&f);
    CHECK_OK(put_poll(&f), f.err);
    CHECK_OK(put_page(&f, 1, STR("[1]"), &offset), f.err);
    CHECK_OK(put_page(&f, 2, STR("<h>"), &offset), f.err);
    f.slot_us += POLL_STEP;
    CHECK_OK(put_page(&f, 1, STR("[3]"), &offset), f.err);
    CHECK_EQ(offset, 6);
    CHECK(tape_writer_last_end(f.writer, &end));
    CHECK_EQ(end.offset, 5);
    CHECK_EQ(end.outcome, POLL_ABORTED);
    CHECK_EQ(end.slot_us, f.slot_us - POLL_STEP);
    CHECK_EQ(end.first_offset, 3);
    CHECK_EQ(end.attempts, 2);
    CHECK_EQ(end.prev_ok_end, 2);
    CHECK_EQ(end.credits_spent, 11);
    CHECK_EQ(end.n_pages, 2);
    CHECK_OK(put_end(&f, POLL_OK, &offset, 1, &offset), f.err);
    CHECK_EQ(count_problems(f.dir), 0);
    fixture_release(&f);
}

static void writer_rolls_by_hour_between_polls_and_by_size(void)
{
    struct fixture f;
    uint64_t offset;

    fixture_init(&f);
    CHECK_OK(put_poll(&f), f.err);
    CHECK_OK(put_page(&f, 1, STR("[1]"), &offset), f.err);
    f.clock.now_us += 3600 * US_PER_S;
    CHECK_OK(put_page(&f, 2, STR("[2]"), &offset), f.err);
    CHECK_EQ(count_segments(f.dir), 1); /* the poll stays together */
    CHECK_OK(put_end(&f, POLL_FAILED, NULL, 0, &offset), f.err);
    CHECK_OK(put_poll(&f), f.err);
    CHECK_EQ(count_segments(f.dir), 2);
    fixture_close(&f);
    f.max_bytes = 1; /* also a segment that is continued */
    CHECK_OK(fixture_open(&f), f.err);
    CHECK_OK(put_poll(&f), f.err);
    CHECK_EQ(count_segments(f.dir), 4);
    CHECK_EQ(count_problems(f.dir), 0);
    fixture_release(&f);
}

static void writer_goes_on_where_it_stopped(void)
{
    struct fixture f;
    struct tape_record end;
    uint8_t uuid[16];

    fixture_init(&f);
    memcpy(uuid, tape_writer_stream(f.writer)->uuid, 16);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(put_poll(&f), f.err);
        fixture_close(&f);
        CHECK_OK(fixture_open(&f), f.err);
        CHECK_EQ(f.recovery.head, 2 * (i + 1));
        CHECK_EQ(f.recovery.torn_bytes, 0);
        CHECK(!f.recovery.is_poll_aborted);
        CHECK(tape_writer_last_end(f.writer, &end));
        CHECK_EQ(end.offset, 2 * (i + 1));
        CHECK_EQ(tape_head_ended(tape_writer_head(f.writer)), end.offset);
        CHECK_EQ(end.outcome, POLL_OK);
        CHECK(memcmp(uuid, tape_writer_stream(f.writer)->uuid, 16) == 0);
    }
    CHECK_EQ(count_segments(f.dir), 1);
    CHECK_EQ(count_problems(f.dir), 0);
    fixture_release(&f);
}

static void writer_survives_a_failed_sync(void)
{
    struct fixture f;

    fixture_init(&f);
    CHECK_OK(put_poll(&f), f.err);
    for (int i = 1; i <= 3; i++) {
        uint64_t offset = 0;
        fail_sync_nth = 1;
        CHECK_EQ(put_page(&f, 1, STR("[]"), &offset), ST_AGAIN);
        CHECK_EQ(offset, 0);
        CHECK_EQ(f.err.sys, EIO);
        CHECK_EQ(tape_head_get(tape_writer_head(f.writer)), 2);
        CHECK_EQ(count_segments(f.dir), 1); /* each try makes one, and removes it */
    }
    fail_sync_nth = 0;
    CHECK_OK(put_poll(&f), f.err);
    CHECK_EQ(count_segments(f.dir), 2);
    struct reading got = read_all(f.dir);
    CHECK(got.n == 4 && got.n_holes == 0 && !got.is_wrong);
    CHECK_EQ(count_problems(f.dir), 0);
    fixture_release(&f);
}

static void writer_survives_a_full_disk(void)
{
    struct fixture f;
    struct rlimit old, small;
    uint64_t offset = 0;
    char *noise = mem_new(100 * 1000, 1);

    fixture_init(&f);
    fill_noise(noise, 100 * 1000);
    noise[0] = '<';
    CHECK_OK(put_poll(&f), f.err);
    signal(SIGXFSZ, SIG_IGN);
    CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
    small = old;
    small.rlim_cur = 20 * 1000; /* the write stops in the middle */
    CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
    enum st first = put_page(&f, 1, (struct str){noise, 100 * 1000}, &offset);
    enum st second = put_page(&f, 1, (struct str){noise, 100 * 1000}, &offset);
    setrlimit(RLIMIT_FSIZE, &old);
    CHECK_EQ(first, ST_AGAIN);
    CHECK_EQ(second, ST_AGAIN);
    CHECK_EQ(f.err.sys, EFBIG);
    CHECK_EQ(offset, 0);
    CHECK_EQ(count_problems(f.dir), 0);
    CHECK_OK(put_poll(&f), f.err);
    struct reading got = read_all(f.dir);
    CHECK(got.n == 4 && got.n_holes == 0 && !got.is_wrong);
    mem_free(noise);
    fixture_release(&f);
}

static void writer_names_a_segment_behind_what_it_could_not_remove(void)
{
    struct fixture f;
    struct segment left = segment_make(3, NOON + 100 * US_PER_S), last;
    char path[FILE_MAX_PATH], name[SEGMENT_NAME];

    fixture_init(&f);
    CHECK_OK(put_poll(&f), f.err);
    segment_name(&left, name);
    CHECK_OK(file_path(path, &f.err, "%s/%s", f.dir, name), f.err);
    write_file(path, "left over", 9);
    fail_sync_nth = 1;
    CHECK_EQ(put_poll(&f), ST_AGAIN);
    fail_sync_nth = 0;
    CHECK_OK(put_poll(&f), f.err);
    CHECK_OK(segment_around(f.dir, SEGMENT_NEWEST, &last, NULL, &f.err), f.err);
    CHECK_EQ(last.first, 3);
    CHECK(last.start > left.start);
    struct reading got = read_all(f.dir);
    CHECK(got.n == 4 && got.n_holes == 0 && !got.is_wrong);
    fixture_release(&f);
}

static void readers_ignore_a_leftover_that_the_next_segment_replaces(void)
{
    struct segment next = segment_make(3, NOON + 60 * US_PER_S);
    struct buf good = BUF_INIT(1 << 20), with_leftover = BUF_INIT(1 << 20);
    char path[FILE_MAX_PATH], next_path[FILE_MAX_PATH], name[SEGMENT_NAME];
    struct tape_record record;
    struct tape_reader *r;
    struct fixture f;

    fixture_init(&f);
    CHECK_OK(put_poll(&f), f.err);
    CHECK(segment_path_at(f.dir, 0, path));
    CHECK_EQ(read_file(path, &good), ST_OK);
    CHECK_OK(put_poll(&f), f.err);
    CHECK_EQ(read_file(path, &with_leftover), ST_OK);
    write_file(path, good.p, good.len);
    CHECK_OK(tape_reader_open(f.dir, &r, &f.err), f.err);
    for (int i = 0; i < 2; i++)
        CHECK_OK(tape_reader_next(r, UINT64_MAX, &record, &f.err), f.err);
    CHECK_OK(tape_reader_get(r, 2, &record, &f.err), f.err);

    /* a sync failed, cutting too, and the writer went on: offsets 3 and 4 do not count, for … */
    segment_name(&next, name);
    CHECK_OK(file_path(next_path, &f.err, "%s/%s", f.dir, name), f.err);
    write_file(path, with_leftover.p, with_leftover.len);
    write_file(next_path, "", 0);
    /* … a reader that is there already, … */
    CHECK_EQ(tape_reader_next(r, UINT64_MAX, &record, &f.err), ST_AGAIN);
    CHECK_EQ(tape_reader_get(r, 3, &record, &f.err), ST_REJECT);
    tape_reader_close(r);
    /* … a new one, and the next start */
    CHECK_EQ(read_all(f.dir).n, 2);
    fixture_close(&f);
    CHECK_OK(fixture_open(&f), f.err);
    CHECK_EQ(f.recovery.head, 2);
    CHECK_OK(put_poll(&f), f.err);
    struct reading got = read_all(f.dir);
    CHECK(got.n == 4 && got.n_holes == 0 && !got.is_wrong);
    CHECK_EQ(count_problems(f.dir), 0);
    buf_release(&good);
    buf_release(&with_leftover);
    fixture_release(&f);
}

static void writer_refuses_another_identity(void)
{
    static const struct {
        const char *what;
        struct stream_id id;
    } rows[] = {
        {"eur", {JOB, {0}, "coins/markets", "eur", "top=250"}},
        {"top=100", {JOB, {0}, "coins/markets", "usd", "top=100"}},
        {"coins/list", {JOB, {0}, "coins/list", "usd", "top=250"}},
    };
    struct fixture f;

    fixture_init(&f);
    CHECK_OK(put_poll(&f), f.err);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        tape_writer_close(f.writer);
        f.writer = NULL;
        CHECK_EQ(fixture_open_as(&f, rows[i].id), ST_REJECT);
        CHECK(strstr(f.err.msg, rows[i].what) != NULL);
        CHECK(strstr(f.err.msg, "coins/markets usd top=250") != NULL);
        CHECK(strstr(f.err.msg, "give the job another name") != NULL);
    }
    CHECK_OK(fixture_open(&f), f.err);
    fixture_release(&f);
}

static void a_second_writer_is_refused_with_the_pid_of_the_first(void)
{
    struct fixture f;
    struct tape *second;
    char want[64], path[FILE_MAX_PATH];

    fixture_init(&f);
    CHECK_EQ(tape_open(f.data, &second, &f.err), ST_AGAIN); /* it may be gone when tried again */
    snprintf(want, sizeof(want), ": process %ld is writing", (long)getpid());
    CHECK(strstr(f.err.msg, want) != NULL);
    CHECK_OK(file_path(path, &f.err, "%s/lock", f.data), f.err);
    CHECK_EQ(truncate(path, 0), 0); /* as a full disk leaves it */
    CHECK_EQ(tape_open(f.data, &second, &f.err), ST_AGAIN);
    CHECK(strstr(f.err.msg, ": another process is writing") != NULL);
    fixture_close(&f);
    CHECK_OK(tape_open(f.data, &second, &f.err), f.err);
    tape_close(second);
    fixture_release(&f);
}

static void appending_allocates_nothing_in_steady_state(void)
{
    struct fixture f;

    fixture_init(&f);
    CHECK_OK(put_poll(&f), f.err);
    unsigned long before = mem_count();
    for (int i = 0; i < 20; i++)
        CHECK_OK(put_poll(&f), f.err);
    CHECK_EQ(mem_count() - before, 0);
    fixture_release(&f);
}

static void no_memory_is_a_reason_to_try_again(void)
{
    struct fixture f;
    char *noise = mem_new(300 * 1000, 1);
    uint64_t offset = 0;

    fixture_init(&f);
    noise[0] = '[';
    mem_fail_nth(2);
    enum st st = put_page(&f, 1, (struct str){noise, 300 * 1000}, &offset);
    mem_fail_nth(0);
    CHECK_EQ(st, ST_AGAIN);
    CHECK_EQ(f.err.sys, ENOMEM);
    CHECK_OK(put_page(&f, 1, (struct str){noise, 300 * 1000}, &offset), f.err);
    CHECK_EQ(offset, 1);
    mem_free(noise);
    fixture_release(&f);
}

static void the_head_can_be_waited_for(void)
{
    struct fixture f;

    fixture_init(&f);
    struct tape_head *h = tape_writer_head(f.writer);
    CHECK_EQ(tape_head_wait(h, 0, 20 * US_PER_MS), 0); /* time is over */
    CHECK_OK(put_poll(&f), f.err);
    CHECK_EQ(tape_head_wait(h, 1, 60 * US_PER_S), 2); /* it is there already */
    tape_head_wake(h);
    CHECK_EQ(tape_head_wait(h, 2, 60 * US_PER_S), 2); /* woken, now and later */
    CHECK_EQ(tape_head_wait(h, 2, 60 * US_PER_S), 2);
    fixture_release(&f);
}

struct bell_waiter {
    struct tape *tape;
    uint64_t seen;
};

static void *wait_for_bell(void *arg)
{
    struct bell_waiter *w = arg;
    w->seen = tape_wait(w->tape, w->seen, 60 * US_PER_S);
    return NULL;
}

static void all_heads_of_a_tape_ring_one_bell(void)
{
    struct fixture f;
    struct tape_writer *first;
    struct stream_id other = test_id();
    pthread_t thread;

    fixture_init(&f);
    memcpy(other.job, "other", 6);
    first = f.writer;
    CHECK_OK(fixture_open_as(&f, other), f.err);
    uint64_t seen = tape_moves(f.tape);
    CHECK_EQ(tape_wait(f.tape, seen, 20 * US_PER_MS), seen); /* time is over */
    CHECK_OK(put_poll(&f), f.err);
    CHECK_EQ(tape_wait(f.tape, seen, 60 * US_PER_S), seen + 2);
    struct tape_writer *second = f.writer;
    f.writer = first;
    CHECK_OK(put_poll(&f), f.err);
    CHECK_EQ(tape_moves(f.tape), seen + 4);
    /* a call between the look and the wait is not missed, and counts once */
    seen = tape_moves(f.tape);
    tape_wake(f.tape);
    CHECK_EQ(tape_wait(f.tape, seen, 60 * US_PER_S), seen + 1);
    CHECK_EQ(tape_wait(f.tape, seen + 1, 20 * US_PER_MS), seen + 1);
    struct bell_waiter waiter = {f.tape, tape_moves(f.tape)};
    CHECK_EQ(pthread_create(&thread, NULL, wait_for_bell, &waiter), 0);
    tape_wake(f.tape);
    pthread_join(thread, NULL);
    CHECK_EQ(waiter.seen, seen + 2);
    tape_writer_close(second);
    fixture_release(&f);
}

static void jobs_with_a_tape_are_listed_in_order(void)
{
    struct fixture f;
    struct arena arena;
    const char **jobs;
    size_t n;
    char path[FILE_MAX_PATH];

    fixture_init(&f);
    arena_init(&arena, 1 << 20);
    CHECK_OK(file_path(path, &f.err, "%s/tape/a.b", f.data), f.err);
    CHECK_OK(file_mkdirs(path, &f.err), f.err);
    CHECK_OK(file_path(path, &f.err, "%s/tape/.hidden", f.data), f.err);
    CHECK_OK(file_mkdirs(path, &f.err), f.err);
    CHECK_OK(tape_jobs(f.data, &arena, &jobs, &n, &f.err), f.err);
    CHECK_EQ(n, 2);
    CHECK_Z(jobs[0], "a.b");
    CHECK_Z(jobs[1], JOB);
    CHECK_OK(tape_jobs("/nonexistent", &arena, &jobs, &n, &f.err), f.err);
    CHECK_EQ(n, 0);
    arena_release(&arena);
    fixture_release(&f);
}

static void job_names_are_safe_as_directories(void)
{
    static const struct {
        const char *name;
        bool is_valid;
    } rows[] = {
        {"a", true},
        {"markets-usd", true},
        {"a.b_c-9", true},
        {"", false},
        {".", false},
        {"..", false},
        {"-a", false},
        {"a/b", false},
        {"A", false},
        {"a b", false},
        {"\xC3\xA4", false},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CHECK_EQ(tape_job_name_is_valid(str_of(rows[i].name)), rows[i].is_valid);
}

TAP_MAIN(TAP_CASE(writer_numbers_records_from_1_and_moves_the_head),
         TAP_CASE(writer_keeps_every_field), TAP_CASE(writer_keeps_bodies_byte_for_byte),
         TAP_CASE(writer_refuses_what_a_tape_cannot_hold),
         TAP_CASE(writer_ends_an_open_poll_before_another_begins),
         TAP_CASE(writer_rolls_by_hour_between_polls_and_by_size),
         TAP_CASE(writer_goes_on_where_it_stopped), TAP_CASE(writer_survives_a_failed_sync),
         TAP_CASE(writer_survives_a_full_disk),
         TAP_CASE(writer_names_a_segment_behind_what_it_could_not_remove),
         TAP_CASE(readers_ignore_a_leftover_that_the_next_segment_replaces),
         TAP_CASE(writer_refuses_another_identity),
         TAP_CASE(a_second_writer_is_refused_with_the_pid_of_the_first),
         TAP_CASE(appending_allocates_nothing_in_steady_state),
         TAP_CASE(no_memory_is_a_reason_to_try_again), TAP_CASE(the_head_can_be_waited_for),
         TAP_CASE(all_heads_of_a_tape_ring_one_bell),
         TAP_CASE(jobs_with_a_tape_are_listed_in_order),
         TAP_CASE(job_names_are_safe_as_directories))
