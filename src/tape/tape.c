/* SPDX-License-Identifier: Apache-2.0 */
#include "tape/tape.h"

#include "base/file.h"
#include "base/mem.h"
#include "tape/head.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct tape {
    char data_dir[FILE_MAX_PATH];
    int lock;
    bool was_left;
    struct bell bell;
};

bool tape_job_name_is_valid(struct str name)
{
    if (name.len == 0 || name.len > TAPE_MAX_JOB || name.p[0] == '.' || name.p[0] == '-')
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.p[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-')
            return false;
    }
    return true;
}

enum st tape_stream_dir(const char *data_dir, const char *job, char *ret_path, struct err *err)
{
    if (!tape_job_name_is_valid(str_of(job)))
        return err_set(err, ST_FATAL,
                       "\"%.80s\" cannot be a job's name: 1 to %d of a-z 0-9 . _ -, "
                       "not beginning with . or -",
                       job, TAPE_MAX_JOB);
    return file_path(ret_path, err, "%s/tape/%s", data_dir, job);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names of directories that can be a job's; at most `room` of them are kept. */
static enum st list_jobs(const char *dir, struct arena *arena, const char **jobs, size_t room,
                         size_t *ret_n, struct err *err)
{
    DIR *d = opendir(dir);
    size_t n = 0;

    *ret_n = 0;
    if (d == NULL)
        return errno == ENOENT ? ST_OK : err_sys(err, ST_AGAIN, errno, "%s", dir);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        bool is_dir = e->d_type == DT_DIR || e->d_type == DT_LNK || e->d_type == DT_UNKNOWN;
        if (!is_dir || !tape_job_name_is_valid(str_of(e->d_name)))
            continue;
        if (n < room)
            jobs[n] = arena_str(arena, str_of(e->d_name)).p;
        n++;
    }
    closedir(d);
    *ret_n = n;
    return ST_OK;
}

enum st tape_jobs(const char *data_dir, struct arena *arena, const char ***ret_jobs,
                  size_t *ret_n_jobs, struct err *err)
{
    char dir[FILE_MAX_PATH];
    size_t room = 0, n = 0;

    enum st st = file_path(dir, err, "%s/tape", data_dir);
    if (st == ST_OK)
        st = list_jobs(dir, arena, NULL, 0, &room, err);
    if (st != ST_OK)
        return st;
    const char **jobs = arena_alloc(arena, room + 1, sizeof(*jobs));
    if (jobs == NULL)
        return err_sys(err, ST_AGAIN, ENOMEM, "%s: %zu jobs", dir, room);
    st = list_jobs(dir, arena, jobs, room, &n, err);
    if (st != ST_OK)
        return st;
    if (n > room)
        n = room; /* one was made in between */
    for (size_t i = 0; i < n; i++)
        if (jobs[i] == NULL)
            return err_sys(err, ST_AGAIN, ENOMEM, "%s: %zu jobs", dir, n);
    qsort(jobs, n, sizeof(*jobs), compare_names);
    *ret_jobs = jobs;
    *ret_n_jobs = n;
    return ST_OK;
}

enum st tape_open(const char *data_dir, struct tape **ret_tape, struct err *err)
{
    char dir[FILE_MAX_PATH], lock[FILE_MAX_PATH], who[32] = "another process";
    pid_t holder = 0;
    int fd = -1;

    enum st st = file_path(dir, err, "%s", data_dir);
    if (st == ST_OK)
        st = file_path(lock, err, "%s/lock", data_dir);
    if (st == ST_OK)
        st = file_mkdirs(dir, err);
    if (st == ST_OK)
        st = file_lock(lock, &fd, &holder, err);
    if (st != ST_OK && holder != 0)
        snprintf(who, sizeof(who), "process %ld", (long)holder);
    if (st == ST_REJECT)
        return err_set(err, ST_AGAIN, "%s: %s is writing this tape; stop it, or use another --data",
                       dir, who);
    if (st != ST_OK)
        return st;
    struct tape *t = mem_new(1, sizeof(*t));
    memcpy(t->data_dir, dir, sizeof(dir));
    t->lock = fd;
    t->was_left = holder != 0;
    if (fdatasync(fd) != 0) /* a power cut shall not look like a stop */
        t->was_left = true;
    bell_init(&t->bell);
    *ret_tape = t;
    return ST_OK;
}

void tape_close(struct tape *t)
{
    if (t == NULL)
        return;
    bell_release(&t->bell);
    /* the file stays: removing it would race with the next holder */
    if (t->was_left)
        close(t->lock);
    else
        file_unlock(t->lock);
    mem_free(t);
}

bool tape_was_left(const struct tape *t)
{
    return t->was_left;
}

void tape_settle(struct tape *t)
{
    t->was_left = false;
}

const char *tape_data_dir(const struct tape *t)
{
    return t->data_dir;
}

struct bell *tape_bell(struct tape *t)
{
    return &t->bell;
}
