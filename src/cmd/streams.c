/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/streams.h"

#include "base/file.h"
#include "tape/reader.h"

#include <stdio.h>
#include <unistd.h>

#define MAX_NAMES (size_t)(4 * 1024 * 1024) /* bytes of all jobs' names */

enum st cmd_tape_source(const char *from, const char **ret_data_dir, struct err *err)
{
    const struct str scheme = STR("tape:"), given = str_of(from);

    if (given.len > 0 && (!str_starts(given, scheme) || given.len == scheme.len))
        return err_set(err, ST_REJECT,
                       "--from: \"%.80s\" is no source; write tape:DIR, where DIR is a data "
                       "directory, as tape:./data",
                       from);
    *ret_data_dir = given.len > 0 ? from + scheme.len : "./data";
    return ST_OK;
}

enum st cmd_list_streams(const char *data_dir, const char *only_job,
                         struct loader_stream ret_streams[LOADER_MAX_STREAMS], size_t *ret_n,
                         struct err *err)
{
    struct arena arena;
    const char **jobs;
    size_t n_jobs, n = 0;

    arena_init(&arena, MAX_NAMES);
    enum st st = tape_jobs(data_dir, &arena, &jobs, &n_jobs, err);
    for (size_t i = 0; st == ST_OK && i < n_jobs; i++) {
        if (only_job[0] != '\0' && strcmp(only_job, jobs[i]) != 0)
            continue;
        if (n == LOADER_MAX_STREAMS) {
            st = err_set(err, ST_FATAL, "%s: more than %d streams; load one by one with --job",
                         data_dir, LOADER_MAX_STREAMS);
            break;
        }
        struct loader_stream *stream = &ret_streams[n++];
        *stream = (struct loader_stream){.head = NULL};
        snprintf(stream->job, sizeof(stream->job), "%s", jobs[i]);
        st = tape_stream_dir(data_dir, jobs[i], stream->dir, err);
    }
    arena_release(&arena);
    *ret_n = n;
    return st;
}

bool cmd_is_simulated(const char *data_dir)
{
    char path[FILE_MAX_PATH];
    struct err err = ERR_INIT;

    return file_path(path, &err, "%s/SIMULATED", data_dir) == ST_OK && access(path, F_OK) == 0;
}

uint64_t cmd_last_offset(const struct loader_stream *stream)
{
    struct tape_reader *reader;
    struct err err = ERR_INIT;
    uint64_t first = 0, last = 0;

    if (tape_reader_open(stream->dir, &reader, &err) != ST_OK)
        return 0;
    if (tape_reader_bounds(reader, &first, &last, &err) != ST_OK)
        last = 0;
    tape_reader_close(reader);
    return last;
}
