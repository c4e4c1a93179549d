/* A segment of any bytes, open or sealed: the reader gives whole, verified records in order or
 * names the damage; it always ends. The checksums of an index are made to fit first, so that its
 * lies are believed. What can be sealed reads the same afterwards. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tape/format.h"
#include "tape/reader.h"
#include "tape/upkeep.h"
#include "tape/verify.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *segment_dir(void)
{
    static char dir[] = "/tmp/geckotape-fuzz-XXXXXX";
    static bool is_made;

    if (!is_made && mkdtemp(dir) == NULL)
        abort();
    is_made = true;
    return dir;
}

#define SEGMENT "00000000000000000001-20261123T140000Z.jsonl.zst"

static void write_segment(const char *name, const uint8_t *data, size_t size)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", segment_dir(), name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    close(fd);
}

/* Both copies of the index at the end of data get lengths and sums that fit. */
static void mend_index(uint8_t *data, size_t size)
{
    struct index index;

    if (size < FORMAT_INDEX_HEAD + FORMAT_INDEX_TAIL)
        return;
    size_t len = format_index_tail(data + size - FORMAT_INDEX_TAIL);
    if (len < FORMAT_INDEX_HEAD + FORMAT_INDEX_TAIL || len > size / 2)
        return;
    uint8_t *last = data + size - len;
    uint64_t sum = format_hash(last, len - 8);
    for (size_t i = 0; i < 8; i++)
        last[len - 8 + i] = (uint8_t)(sum >> 8 * i);
    if (format_get_index(last, len, &index) && index.records_len <= size - 2 * len)
        memcpy(data + index.records_len, last, len);
}

struct seen {
    uint64_t n, last, sum;
    bool is_whole; /* no damage, and every body is there */
};

static uint64_t fold(uint64_t sum, uint64_t value)
{
    return (sum ^ value) * UINT64_C(0x9E3779B97F4A7C15);
}

static struct seen read_all(size_t max_calls)
{
    struct tape_reader *reader;
    struct tape_record record;
    struct err err = ERR_INIT;
    struct arena arena;
    struct str body;
    struct seen seen = {.is_whole = true};
    enum st st;

    arena_init(&arena, 16 << 20);
    if (tape_reader_open(segment_dir(), &reader, &err) != ST_OK)
        abort();
    do {
        st = tape_reader_next(reader, UINT64_MAX, &record, &err);
        seen.is_whole = seen.is_whole && (st == ST_OK || st == ST_AGAIN);
        if (st != ST_OK)
            continue;
        assert(record.offset > seen.last);
        seen.last = record.offset;
        seen.sum = fold(seen.sum, record.hash);
        arena_reset(&arena);
        if (record.type != TAPE_PAGE)
            continue;
        if (tape_reader_body(reader, &record, &arena, &body, &err) != ST_OK) {
            seen.is_whole = false;
            continue;
        }
        assert(body.len == record.body_len);
        seen.sum = fold(seen.sum, format_hash(body.p, body.len));
    } while ((st == ST_OK || st == ST_REJECT) && ++seen.n <= max_calls);
    assert(seen.n <= max_calls);
    for (uint64_t back = seen.last, n = 0; back > 0 && n < 8; back--, n++) { /* out of order */
        arena_reset(&arena);
        if (tape_reader_get(reader, back, &record, &err) == ST_OK && record.type == TAPE_PAGE &&
            tape_reader_body(reader, &record, &arena, &body, &err) == ST_OK)
            assert(body.len == record.body_len);
    }
    tape_reader_close(reader);
    arena_release(&arena);
    return seen;
}

static void try_to_seal(const struct seen *before, size_t max_calls)
{
    const struct tape_seal_setup setup = {.dir = segment_dir()};
    struct tape_verify_setup verify = {.dir = segment_dir(), .has_bodies = true};
    struct tape_summary sum;
    struct tape_sealed sealed;
    struct err err = ERR_INIT;
    char after[64] = "", next[64];

    snprintf(next, sizeof(next), "%020llu-20261123T150000Z.jsonl.zst",
             (unsigned long long)before->last + 1);
    write_segment(next, (const uint8_t *)"", 0);
    enum st st = tape_seal_next(&setup, after, &sealed, &err);
    if (st == ST_OK && sealed.segment[0] != '\0') {
        struct seen now = read_all(max_calls);
        assert(now.is_whole && now.last == before->last && now.sum == before->sum);
        assert(tape_verify(&verify, &sum, &err) == ST_OK);
    }
    char path[192];
    snprintf(path, sizeof(path), "%s/%s", segment_dir(), next);
    unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1);
    char path[128];

    if (copy == NULL)
        return 0;
    memcpy(copy, data, size);
    mend_index(copy, size);
    write_segment(SEGMENT, copy, size);
    struct seen seen = read_all(size + 2);
    if (seen.last > 0 && seen.last < 1000)
        try_to_seal(&seen, size + 2);
    snprintf(path, sizeof(path), "%s/%s", segment_dir(), SEGMENT);
    unlink(path);
    free(copy);
    return 0;
}
