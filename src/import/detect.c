/* What a source is, by what it looks like; and the name of its job. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "import/detect.h"

#include "base/file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_there(const char *dir, const char *name, mode_t type)
{
    char path[FILE_MAX_PATH];
    struct stat there;
    struct err err;

    return file_path(path, &err, "%s/%s", dir, name) == ST_OK && stat(path, &there) == 0 &&
           (type == 0 || (there.st_mode & S_IFMT) == type);
}

static bool ends_with(struct str s, struct str end)
{
    return s.len > end.len && strncasecmp(s.p + s.len - end.len, end.p, end.len) == 0;
}

static enum import_kind kind_of_directory(const char *path)
{
    bool is_bare = is_there(path, "HEAD", S_IFREG) && is_there(path, "objects", S_IFDIR) &&
                   is_there(path, "refs", S_IFDIR);

    return is_bare || is_there(path, ".git", 0) ? IMPORT_GIT : IMPORT_FOLDER;
}

static enum st kind_of_file(const char *path, enum import_kind *ret_kind, struct err *err)
{
    static const struct {
        struct str end;
        enum import_kind kind;
    } ends[] = {{STR(".csv"), IMPORT_CSV},
                {STR(".tsv"), IMPORT_CSV},
                {STR(".jsonl"), IMPORT_JSONL},
                {STR(".ndjson"), IMPORT_JSONL}};
    struct str name = str_of(path);
    char start[256];

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        if (ends_with(name, ends[i].end)) {
            *ret_kind = ends[i].kind;
            return ST_OK;
        }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : read(fd, start, sizeof(start));
    int why = errno;
    if (fd >= 0)
        close(fd);
    if (n < 0)
        return err_sys(err, ST_REJECT, why, "%.200s", path);
    struct str bytes = {start, (size_t)n}, text = str_trim(bytes);
    if (str_starts(bytes, STR("\x1F\x8B")) || str_starts(bytes, STR("\x28\xB5\x2F\xFD")))
        return err_set(err, ST_REJECT, "%.200s: is compressed; unpack it first (gunzip, unzstd)",
                       path);
    if (str_starts(text, STR("[")))
        return err_set(err, ST_REJECT,
                       "%.200s: one JSON array, without a time; name it like "
                       "market_2026-11-23T14-30-00.json and import the folder it is in",
                       path);
    *ret_kind = str_starts(text, STR("{")) ? IMPORT_JSONL : IMPORT_CSV;
    return ST_OK;
}

enum st detect_kind(const char *path, enum import_kind *ret_kind, struct err *err)
{
    struct stat there;

    if (stat(path, &there) != 0)
        return err_sys(err, ST_REJECT, errno, "%.200s", path);
    if (S_ISDIR(there.st_mode)) {
        *ret_kind = kind_of_directory(path);
        return ST_OK;
    }
    if (!S_ISREG(there.st_mode))
        return err_set(err, ST_REJECT,
                       "%.200s: neither a file nor a folder; write it into a file first", path);
    return kind_of_file(path, ret_kind, err);
}

/* "My Prices.csv" -> "my-prices" */
static struct str clean(struct str name, char text[TAPE_MAX_JOB + 1])
{
    static const char *const ends[] = {".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".git"};
    size_t n = 0;

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        if (ends_with(name, str_of(ends[i])))
            name.len -= strlen(ends[i]);
    for (size_t i = 0; i < name.len && n < TAPE_MAX_JOB; i++) {
        char c = (char)tolower((unsigned char)name.p[i]);
        bool is_good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
        if (is_good || (n > 0 && text[n - 1] != '-'))
            text[n++] = is_good ? c : '-';
    }
    while (n > 0 && text[n - 1] == '-')
        n--;
    return (struct str){text, n};
}

enum st detect_job(const struct import_setup *setup, char ret_job[TAPE_MAX_JOB + 1],
                   struct err *err)
{
    char text[TAPE_MAX_JOB + 1], job[2 * TAPE_MAX_JOB];
    struct str name = str_of(setup->name);
    bool is_given = name.len > 0;

    if (!is_given) {
        char path[PATH_MAX];
        if (realpath(setup->source, path) == NULL)
            return err_sys(err, ST_REJECT, errno, "%.200s", setup->source);
        const char *slash = strrchr(path, '/');
        name = clean(str_of(slash ? slash + 1 : path), text);
        if (name.len == 0)
            name = STR("history");
        if (name.len > TAPE_MAX_JOB - strlen("import-"))
            name.len = TAPE_MAX_JOB - strlen("import-");
    }
    snprintf(job, sizeof(job), "import-%.*s", name.len > 100 ? 100 : (int)name.len, name.p);
    if (!tape_job_name_is_valid(str_of(job)))
        return err_set(err, ST_REJECT,
                       "--name: \"%.60s\" cannot be a job's name; use a-z, 0-9, '.', '_' and '-', "
                       "at most %zu of them",
                       setup->name, TAPE_MAX_JOB - strlen("import-"));
    snprintf(ret_job, TAPE_MAX_JOB + 1, "%s", job);
    return ST_OK;
}
