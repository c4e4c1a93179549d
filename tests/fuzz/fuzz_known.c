/* Notes of how far a sink is: what is refused counts as nothing loaded, what is not can be noted
 * again. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "load/known.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sink_url url = {.text = "null:", .shown = "null:", .scheme = "null"};
static char dir[64], path[512];

static void remove_dir(void)
{
    unlink(path);
    *strrchr(path, '/') = '\0';
    rmdir(path);
    rmdir(dir);
}

/* The note of "null:" in a directory of ours. */
static void make_note(void)
{
    struct known_stream stream = {.uuid = "00000000-0000-0000-0000-00000000000a", .job = "a"};
    struct err err = ERR_INIT;
    struct known_sink *sinks;
    struct arena arena;
    size_t n;

    snprintf(dir, sizeof(dir), "/tmp/fuzz-known-XXXXXX");
    if (mkdtemp(dir) == NULL || known_note(dir, &url, &stream, 1, &err) != ST_OK)
        abort();
    arena_init(&arena, 1 << 20);
    if (known_list(dir, &arena, &sinks, &n, &err) != ST_OK || n != 1)
        abort();
    snprintf(path, sizeof(path), "%.*s", STR_ARG(sinks[0].file));
    arena_release(&arena);
    atexit(remove_dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct known_stream stream = {.uuid = "00000000-0000-0000-0000-00000000000b", .job = "b"};
    struct err err = ERR_INIT;
    uint64_t below;
    char holder[64];

    if (dir[0] == '\0')
        make_note();
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    close(fd);
    bool is_fine = known_note(dir, &url, &stream, 1, &err) == ST_OK;
    if (known_below(dir, stream.uuid, &below, holder, sizeof(holder), &err) != ST_OK)
        abort();
    assert(below == 0 && (is_fine ? strcmp(holder, "null:") == 0 : holder[0] == '/'));
    (void)is_fine;
    return 0;
}
