/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "tape/upkeep.h"

#define HOUR (3600 * US_PER_S)

static void usage_counts_segments_and_what_the_last_day_took(void)
{
    struct fixture f;
    struct tape_usage u;
    char path[FILE_MAX_PATH];
    uint64_t bytes = 0;
    struct stat s;

    CHECK_OK(tape_usage("/nonexistent", NOON, &u, &f.err), f.err);
    CHECK(u.n_segments == 0 && u.bytes == 0 && u.first_offset == 0 && u.oldest_us == 0);
    fixture_init(&f);
    for (int i = 0; i < 3; i++) { /* a segment at noon, one 20 and one 40 hours later */
        CHECK_OK(put_poll(&f), f.err);
        f.clock.now_us += 20 * 3600 * US_PER_S;
    }
    for (size_t i = 0; segment_path_at(f.dir, i, path); i++)
        bytes += stat(path, &s) == 0 ? (uint64_t)s.st_size : 0;
    CHECK_OK(tape_usage(f.dir, NOON + 41 * 3600 * US_PER_S, &u, &f.err), f.err);
    CHECK_EQ(u.n_segments, 3);
    CHECK_EQ(u.n_sealed, 0);
    CHECK_EQ(u.bytes, bytes);
    CHECK(u.day_bytes > bytes / 2 && u.day_bytes < bytes);
    CHECK_EQ(u.first_offset, 1);
    CHECK_EQ(u.oldest_us, NOON);
    /* a young tape tells nothing, one of half a day half of a day's */
    CHECK_EQ(tape_growth(1000, 0, NOON), 0);
    CHECK_EQ(tape_growth(1000, NOON, NOON + 3599 * US_PER_S), 0);
    CHECK_EQ(tape_growth(1000, NOON, NOON + 12 * 3600 * US_PER_S), 2000);
    CHECK_EQ(tape_growth(1000, NOON, NOON + 48 * 3600 * US_PER_S), 1000);
    CHECK_EQ(tape_growth(1000, NOON, NOON - US_PER_S), 0);
    /* other files are not the tape's */
    CHECK_OK(file_path(path, &f.err, "%s/x.torn", f.dir), f.err);
    write_file(path, "torn", 4);
    CHECK_OK(tape_usage(f.dir, NOON, &u, &f.err), f.err);
    CHECK_EQ(u.bytes, bytes);
    fixture_release(&f);
}

/* A tape of one poll an hour from noon on, each in a segment of its own: k has 2k+1 and 2k+2. */
static void make_hours(struct fixture *f, int n)
{
    fixture_init(f);
    for (int i = 0; i < n; i++) {
        if (put_poll(f) != ST_OK)
            abort();
        f->clock.now_us = NOON + (i + 1) * 3600 * US_PER_S;
    }
}

static struct tape_pruned prune(struct fixture *f, int hours, uint64_t below, bool is_dry_run)
{
    const struct tape_prune_setup setup = {.dir = f->dir,
                                           .reference_us = NOON + 2000 * HOUR,
                                           .keep_us = (2000 - hours) * HOUR,
                                           .below = below,
                                           .is_dry_run = is_dry_run};
    struct tape_pruned pruned;

    if (tape_prune(&setup, &pruned, &f->err) != ST_OK)
        abort();
    return pruned;
}

static void old_segments_go_from_the_oldest_on(void)
{
    struct fixture f;
    struct tape_reader *r;
    struct tape_record record;
    uint64_t first, last;

    make_hours(&f, 6);
    struct tape_pruned p = prune(&f, 0, UINT64_MAX, false);
    CHECK(p.n_segments == 0 && p.first_kept == 1);
    p = prune(&f, 2, UINT64_MAX, true);
    CHECK(p.n_segments == 2 && p.bytes > 0 && p.first_kept == 5 && !p.is_held_by_sinks);
    CHECK_EQ(count_segments(f.dir), 6);
    /* a reader that stands in what goes is told what it has missed */
    CHECK_OK(tape_reader_open(f.dir, &r, &f.err), f.err);
    CHECK_OK(tape_reader_next(r, UINT64_MAX, &record, &f.err), f.err);
    uint64_t bytes = p.bytes;
    p = prune(&f, 2, UINT64_MAX, false);
    CHECK(p.n_segments == 2 && p.bytes == bytes && p.first_kept == 5);
    CHECK_EQ(count_segments(f.dir), 4);
    CHECK_OK(tape_reader_next(r, UINT64_MAX, &record, &f.err), f.err); /* of the file it has open */
    CHECK_EQ(record.offset, 2);
    CHECK_EQ(tape_reader_next(r, UINT64_MAX, &record, &f.err), ST_REJECT);
    CHECK(strstr(f.err.msg, "has been removed: offsets 3 to 4") != NULL);
    CHECK_OK(tape_reader_next(r, UINT64_MAX, &record, &f.err), f.err);
    CHECK_EQ(record.offset, 5);
    CHECK_EQ(tape_reader_get(r, 2, &record, &f.err), ST_REJECT);
    CHECK_OK(tape_reader_bounds(r, &first, &last, &f.err), f.err);
    CHECK(first == 5 && last == 12);
    tape_reader_close(r);
    struct reading got = read_all(f.dir);
    CHECK(got.n == 8 && got.first == 5 && got.n_holes == 0);
    CHECK_EQ(count_problems(f.dir), 0);
    fixture_release(&f);
}

static void what_a_sink_has_not_loaded_stays(void)
{
    struct fixture f;

    make_hours(&f, 6);
    struct tape_pruned p = prune(&f, 5, 0, false);
    CHECK(p.n_segments == 0 && p.is_held_by_sinks);
    /* the record at the sink's own offset stays: by it the sink knows the tape again */
    p = prune(&f, 5, 4, false);
    CHECK(p.n_segments == 1 && p.first_kept == 3 && p.is_held_by_sinks);
    p = prune(&f, 5, 5, true);
    CHECK(p.n_segments == 1 && p.first_kept == 5 && p.is_held_by_sinks);
    /* nothing is held that is too young to go */
    p = prune(&f, 1, 4, true);
    CHECK(p.n_segments == 0 && !p.is_held_by_sinks);
    fixture_release(&f);
}

static void what_the_next_poll_refers_to_stays(void)
{
    struct fixture f;
    struct tape_record end;
    uint64_t offset;

    make_hours(&f, 3);
    for (int i = 3; i < 6; i++) { /* an outage */
        CHECK_OK(put_page(&f, 1, STR("<html>"), &offset), f.err);
        CHECK_OK(put_end(&f, POLL_FAILED, NULL, 0, &offset), f.err);
        f.clock.now_us = NOON + (i + 1) * 3600 * US_PER_S;
    }
    struct tape_pruned p = prune(&f, 1000, UINT64_MAX, false);
    CHECK(p.n_segments == 2 && p.first_kept == 5); /* the last ok poll: 5 and 6 */
    fixture_close(&f);
    CHECK_OK(fixture_open(&f), f.err);
    CHECK(tape_writer_last_end(f.writer, &end) && end.offset == 12 && end.prev_ok_end == 6);
    CHECK_OK(put_poll(&f), f.err);
    p = prune(&f, 1000, UINT64_MAX, false);
    CHECK(p.n_segments == 4 && p.first_kept == 13);
    CHECK_EQ(count_segments(f.dir), 1);
    fixture_release(&f);
}

/* The newest segment may be empty: the identity of the stream and its credits are in older ones. */
static void an_empty_segment_at_the_end_saves_the_one_before(void)
{
    struct fixture f;
    char path[FILE_MAX_PATH], name[SEGMENT_NAME];
    struct segment empty = segment_make(7, NOON + 9 * 3600 * US_PER_S);
    struct tape_record end;

    make_hours(&f, 3);
    uint8_t uuid[16];
    memcpy(uuid, tape_writer_stream(f.writer)->uuid, 16);
    fixture_close(&f);
    segment_name(&empty, name);
    CHECK_OK(file_path(path, &f.err, "%s/%s", f.dir, name), f.err);
    write_file(path, "", 0);
    struct tape_pruned p = prune(&f, 1000, UINT64_MAX, false);
    CHECK(p.n_segments == 2 && p.first_kept == 5);
    CHECK_OK(fixture_open(&f), f.err);
    CHECK(memcmp(uuid, tape_writer_stream(f.writer)->uuid, 16) == 0);
    CHECK(tape_writer_last_end(f.writer, &end) && end.offset == 6);
    fixture_release(&f);
}

static void sealed_and_damaged_segments_can_go(void)
{
    struct fixture f;
    char path[FILE_MAX_PATH], after[64] = "";
    struct tape_sealed sealed;

    make_hours(&f, 5);
    const struct tape_seal_setup setup = {.dir = f.dir};
    CHECK_OK(tape_seal_next(&setup, after, &sealed, &f.err), f.err);
    CHECK(sealed.segment[0] != '\0');
    CHECK(segment_path_at(f.dir, 1, path));
    write_file(path, "no record at all", 16); /* its age is told by its successor's name: 14:00 */
    struct tape_pruned p = prune(&f, 2, UINT64_MAX, true);
    CHECK_EQ(p.n_segments, 1);
    p = prune(&f, 4, UINT64_MAX, false);
    CHECK_EQ(p.n_segments, 4);
    fixture_release(&f);
}

static void an_empty_tape_is_not_pruned(void)
{
    const struct tape_prune_setup setup = {
        .dir = "/nonexistent", .reference_us = INT64_MAX, .below = UINT64_MAX};
    struct tape_pruned p;
    struct fixture f;

    fixture_init(&f);
    CHECK_OK(tape_prune(&setup, &p, &f.err), f.err);
    CHECK(p.n_segments == 0 && p.first_kept == 0);
    p = prune(&f, 1000, UINT64_MAX, false);
    CHECK_EQ(p.n_segments, 0);
    fixture_release(&f);
}

static int64_t reference(struct fixture *f, int64_t now_us)
{
    int64_t us = -1;

    if (tape_reference(f->data, now_us, &us, &f->err) != ST_OK)
        abort();
    return us;
}

static enum st put_failed(struct fixture *f)
{
    uint64_t offset;
    return put_end(f, POLL_FAILED, NULL, 0, &offset);
}

static void open_another(struct fixture *f, const char *job, const char *selection)
{
    struct stream_id id = test_id();

    tape_writer_close(f->writer);
    f->writer = NULL;
    snprintf(id.job, sizeof(id.job), "%s", job);
    snprintf(id.selection, sizeof(id.selection), "%s", selection);
    if (fixture_open_as(f, id) != ST_OK)
        abort();
}

static void old_counts_from_the_newest_poll_with_rows(void)
{
    struct fixture f;

    fixture_init(&f);
    int64_t later = NOON + 100000 * HOUR;
    CHECK_EQ(reference(&f, later), 0); /* a stream without a record: who knows */
    CHECK_OK(put_failed(&f), f.err);
    CHECK_EQ(reference(&f, later), 0);
    int64_t ok_us = f.clock.now_us;
    CHECK_OK(put_poll(&f), f.err);
    CHECK_EQ(reference(&f, later), ok_us); /* a clock that jumped makes nothing old */
    CHECK_EQ(reference(&f, NOON - HOUR), NOON - HOUR);
    f.clock.now_us = later;
    CHECK_OK(put_failed(&f), f.err);
    CHECK_EQ(reference(&f, later + HOUR), ok_us);
    /* another stream goes on: the first ages by it */
    open_another(&f, "other", "top=250");
    f.clock.now_us = ok_us + 50 * HOUR;
    CHECK_OK(put_poll(&f), f.err);
    CHECK_EQ(reference(&f, later), ok_us + 50 * HOUR);
    /* an import does not count beside them */
    open_another(&f, "import-x", TAPE_IMPORT);
    f.clock.now_us = ok_us + 60 * HOUR;
    CHECK_OK(put_poll(&f), f.err);
    CHECK_EQ(reference(&f, later), ok_us + 50 * HOUR);
    fixture_release(&f);
}

static void imports_alone_count_from_now(void)
{
    struct fixture f;

    CHECK_EQ(reference(&(struct fixture){.data = "/nonexistent"}, NOON), NOON);
    fixture_init(&f);
    CHECK_EQ(rmdir(f.dir), 0);
    open_another(&f, "import-x", TAPE_IMPORT);
    CHECK_OK(put_poll(&f), f.err);
    CHECK_EQ(reference(&f, NOON + 5 * HOUR), NOON + 5 * HOUR);
    fixture_release(&f);
}

/* Prune by what the tape itself says. */
static size_t prune_by_reference(struct fixture *f, int hours)
{
    const struct tape_prune_setup setup = {.dir = f->dir,
                                           .reference_us = reference(f, INT64_MAX),
                                           .keep_us = hours * HOUR,
                                           .below = UINT64_MAX};
    struct tape_pruned pruned;

    if (tape_prune(&setup, &pruned, &f->err) != ST_OK)
        abort();
    return pruned.n_segments;
}

static void records_of_the_future_hold_back_nothing(void)
{
    struct fixture f;

    make_hours(&f, 2);
    for (int i = 0; i < 2; i++) { /* years ahead, polls fail */
        f.clock.now_us = NOON + (90000 + i) * HOUR;
        CHECK_OK(put_failed(&f), f.err);
    }
    for (int i = 4; i < 8; i++) {
        f.clock.now_us = NOON + i * HOUR;
        CHECK_OK(put_poll(&f), f.err);
    }
    CHECK_EQ(count_segments(f.dir), 8);
    /* the newest is of 19:00; those of the future were before 16:00 */
    CHECK_EQ(prune_by_reference(&f, 3), 2);
    CHECK_EQ(prune_by_reference(&f, 2), 3);
    CHECK_EQ(prune_by_reference(&f, 1), 1);
    CHECK_EQ(count_segments(f.dir), 2);
    fixture_release(&f);
}

static void without_a_poll_with_rows_nothing_is_old(void)
{
    struct fixture f;

    fixture_init(&f);
    for (int i = 0; i < 4; i++) {
        f.clock.now_us = NOON + i * HOUR;
        CHECK_OK(put_failed(&f), f.err);
    }
    CHECK_EQ(prune_by_reference(&f, 1), 0);
    fixture_release(&f);
}

TAP_MAIN(TAP_CASE(usage_counts_segments_and_what_the_last_day_took),
         TAP_CASE(old_segments_go_from_the_oldest_on), TAP_CASE(what_a_sink_has_not_loaded_stays),
         TAP_CASE(what_the_next_poll_refers_to_stays),
         TAP_CASE(an_empty_segment_at_the_end_saves_the_one_before),
         TAP_CASE(sealed_and_damaged_segments_can_go), TAP_CASE(an_empty_tape_is_not_pruned),
         TAP_CASE(old_counts_from_the_newest_poll_with_rows),
         TAP_CASE(imports_alone_count_from_now), TAP_CASE(records_of_the_future_hold_back_nothing),
         TAP_CASE(without_a_poll_with_rows_nothing_is_old))
