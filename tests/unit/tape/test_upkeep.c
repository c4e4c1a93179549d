/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "tape/upkeep.h"

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
    /* other files are not the tape's */
    CHECK_OK(file_path(path, &f.err, "%s/x.torn", f.dir), f.err);
    write_file(path, "torn", 4);
    CHECK_OK(tape_usage(f.dir, NOON, &u, &f.err), f.err);
    CHECK_EQ(u.bytes, bytes);
    fixture_release(&f);
}

TAP_MAIN(TAP_CASE(usage_counts_segments_and_what_the_last_day_took))
