/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/streams.h"

#include "base/file.h"
#include "pipeline/ship.h"
#include "tape/reader.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_NAMES (size_t)(4 * 1024 * 1024) /* bytes of all jobs' names */

static char fetched[FILE_MAX_PATH]; /* "": nothing was */

static int remove_one(const char *path, const struct stat *about, int flag, struct FTW *at)
{
    (void)about, (void)flag, (void)at;
    return remove(path);
}

static void remove_fetched(void)
{
    nftw(fetched, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A tape in an object store, into a directory that lasts as long as the process. */
static enum st fetch_tape(const char *url, const char **ret_data_dir, struct err *err)
{
    const char *tmp = getenv("TMPDIR");
    enum st st = file_path(fetched, err, "%s/geckotape-tape-XXXXXX", tmp && tmp[0] ? tmp : "/tmp");

    if (st != ST_OK)
        return st;
    if (mkdtemp(fetched) == NULL)
        return err_sys(err, ST_FATAL, errno, "%s", fetched);
    if (atexit(remove_fetched) != 0) {
        remove_fetched();
        return err_set(err, ST_FATAL, "atexit");
    }
    *ret_data_dir = fetched;
    st = ship_fetch(url, fetched, err);
    return st == ST_OK ? st : err_wrap(err, st, "--from: ");
}

enum st cmd_tape_source(const char *from, const char **ret_data_dir, struct err *err)
{
    const struct str scheme = STR("tape:"), given = str_of(from);

    if (str_starts(given, STR("tape+")))
        return fetch_tape(from + 5, ret_data_dir, err);
    if (given.len > 0 && (!str_starts(given, scheme) || given.len == scheme.len))
        return err_set(err, ST_REJECT,
                       "--from: \"%.80s\" is no source; write tape:DIR, where DIR is a data "
                       "directory, as tape:./data, or tape+URL of an object store",
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
