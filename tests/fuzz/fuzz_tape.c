/* A segment of any bytes: the reader gives whole, verified records in order or names the damage; it
 * always ends. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tape/reader.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[128];
    struct tape_reader *reader;
    struct tape_record record;
    struct err err = ERR_INIT;
    struct arena arena;
    uint64_t last = 0;
    size_t n = 0;

    snprintf(path, sizeof(path), "%s/00000000000000000001-20261123T140000Z.jsonl.zst",
             segment_dir());
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    close(fd);
    arena_init(&arena, 16 << 20);
    if (tape_reader_open(segment_dir(), &reader, &err) == ST_OK) {
        enum st st;
        do {
            st = tape_reader_next(reader, UINT64_MAX, &record, &err);
            if (st != ST_OK)
                continue;
            assert(record.offset > last);
            last = record.offset;
            struct str body;
            arena_reset(&arena);
            if (record.type == TAPE_PAGE &&
                tape_reader_body(reader, &record, &arena, &body, &err) == ST_OK)
                assert(body.len == record.body_len);
        } while ((st == ST_OK || st == ST_REJECT) && ++n <= size + 2);
        assert(n <= size + 2);
        tape_reader_close(reader);
    }
    arena_release(&arena);
    unlink(path);
    return 0;
}
