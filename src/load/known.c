/* SPDX-License-Identifier: Apache-2.0 */
#include "load/known.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "tape/tape.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define FORMAT    "geckotape-sink 1"
#define MAX_FILE  (1024u * 1024) /* bytes: KNOWN_MAX_STREAMS fit */
#define MAX_ARENA (size_t)(64 * 1024 * 1024)
#define NAME_LEN  16

static void name_of(struct str url, char ret_name[NAME_LEN + 1])
{
    snprintf(ret_name, NAME_LEN + 1, "%016" PRIx64, (uint64_t)XXH3_64bits(url.p, url.len));
}

static enum st path_of(const char *data_dir, const char *url, char ret_path[FILE_MAX_PATH],
                       struct err *err)
{
    char name[NAME_LEN + 1];

    name_of(str_of(url), name);
    return file_path(ret_path, err, "%s/sinks/%s", data_dir, name);
}

/* ---- what a sink is called ---- */

/* Cut one "." or ".." from the front of a relative path; false when there is none. Behind a name
 * they stay: that may be a link to anywhere. */
static bool cut_dots(struct str *path, struct str *dir)
{
    size_t dots = str_starts(*path, STR("..")) ? 2 : str_starts(*path, STR(".")) ? 1 : 0;

    if (dots == 0 || (path->len > dots && path->p[dots] != '/'))
        return false;
    while (dots < path->len && path->p[dots] == '/')
        dots++;
    if (str_starts(*path, STR("..")))
        while (dir->len > 0 && dir->p[--dir->len] != '/')
            ;
    *path = (struct str){path->p + dots, path->len - dots};
    return true;
}

/* A text as a URL has it. */
static void add_escaped(struct buf *b, struct str dir)
{
    bool is_utf8 = str_is_utf8(dir);

    for (size_t i = 0; i < dir.len; i++) {
        unsigned char c = (unsigned char)dir.p[i];
        if (c <= ' ' || c == '%' || c == '?' || c == 0x7f || (c >= 0x80 && !is_utf8))
            buf_addf(b, "%%%02X", c);
        else
            buf_add_char(b, (char)c);
    }
}

/* A store on this machine: the whole path. Its options say how it is written, not which it is. */
static enum st add_path(struct buf *b, const struct sink_url *url, struct err *err)
{
    struct str tail = str_of(url->shown + str_of(url->scheme).len + 1), path, dir;
    char cwd[FILE_MAX_PATH];

    str_cut(&tail, '?', &path);
    buf_addf(b, "%s:", url->scheme);
    if (url->rest[0] != '/') {
        if (getcwd(cwd, sizeof(cwd)) == NULL)
            return err_sys(err, ST_AGAIN, errno, "%s: the working directory", url->shown);
        dir = str_of(strcmp(cwd, "/") == 0 ? "" : cwd);
        while (cut_dots(&path, &dir))
            ;
        add_escaped(b, dir);
        if (path.len > 0 || dir.len == 0)
            buf_add_char(b, '/');
    }
    buf_add_str(b, path);
    return ST_OK;
}

/* An address, with those options that say which of its stores it is, in the driver's order. */
static void add_address(struct buf *b, const struct sink_url *url, const char *const *which)
{
    struct str options = str_of(url->shown), head;
    char before = '?';

    str_cut(&options, '?', &head);
    buf_add_str(b, head);
    for (; which && *which; which++) {
        const char *value = sink_url_option(url, *which);
        if (value == NULL)
            continue;
        buf_addf(b, "%c%s=", before, *which);
        add_escaped(b, str_of(value));
        before = '&';
    }
}

enum st known_name(const struct sink_url *url, char ret_name[KNOWN_NAME_MAX], struct err *err)
{
    struct buf b = BUF_INIT(KNOWN_NAME_MAX - 1);
    const struct sink_driver *driver;
    struct err why = ERR_INIT;
    enum st st = ST_OK;

    if (sink_driver_find(str_of(url->scheme), &driver, &why) != ST_OK)
        buf_add_z(&b, url->shown);
    else if (driver->is_path)
        st = add_path(&b, url, err);
    else
        add_address(&b, url, driver->which);
    if (st == ST_OK)
        st = buf_check(&b, url->shown, err);
    if (st == ST_OK)
        snprintf(ret_name, KNOWN_NAME_MAX, "%s", buf_z(&b));
    buf_release(&b);
    return st;
}

bool known_has(const char *data_dir, const char *name)
{
    struct err why = ERR_INIT;
    char path[FILE_MAX_PATH];

    return path_of(data_dir, name, path, &why) == ST_OK && access(path, F_OK) == 0;
}

/* ---- one file ---- */

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool is_uuid(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (is_dash ? s.p[i] != '-' : !is_hex(s.p[i]))
            return false;
    }
    return s.len == SINK_UUID_TEXT - 1;
}

static bool parse_stream(struct str line, struct known_stream *ret)
{
    struct str uuid, job;
    int64_t offset;

    if (!str_cut(&line, ' ', &uuid) || !is_uuid(uuid) || !str_cut(&line, ' ', &job) ||
        !tape_job_name_is_valid(job) || !str_to_i64(line, 0, INT64_MAX, &offset))
        return false;
    *ret = (struct known_stream){.offset = (uint64_t)offset};
    memcpy(ret->uuid, uuid.p, uuid.len);
    memcpy(ret->job, job.p, job.len);
    return true;
}

/* How many streams a file can list at most. */
static size_t count_lines(const struct buf *text)
{
    size_t n = 0;

    for (size_t i = 0; i < text->len; i++)
        n += text->p[i] == '\n';
    return n;
}

/* NULL, or what is wrong. Texts in *ret are borrowed; streams has room for a stream a line. */
static const char *parse(struct str text, const char *name, struct str *ret_url,
                         struct known_stream *streams, size_t *ret_n)
{
    char expected[NAME_LEN + 1];
    struct str line, key;
    size_t n = 0;

    if (!str_cut(&text, '\n', &line) || !str_eq(line, STR(FORMAT)))
        return "is no list of what a sink has loaded, or of a newer geckotape";
    if (!str_cut(&text, '\n', &line) || !str_cut(&line, ' ', &key) || !str_eq(key, STR("url")) ||
        line.len >= KNOWN_NAME_MAX || !str_is_utf8(line))
        return "names no sink";
    *ret_url = line;
    name_of(line, expected);
    if (strcmp(expected, name) != 0)
        return "is not named after its sink";
    bool is_ended = false;
    while (!is_ended && str_cut(&text, '\n', &line)) {
        is_ended = str_eq(line, STR("end"));
        if (!is_ended && (n == KNOWN_MAX_STREAMS || !str_cut(&line, ' ', &key) ||
                          !str_eq(key, STR("stream")) || !parse_stream(line, &streams[n++])))
            return "has a line that is no stream";
    }
    if (!is_ended || text.len > 0)
        return "is cut short, or goes on behind its end";
    *ret_n = n;
    return NULL;
}

static void format(struct buf *b, const char *url, const struct known_stream *streams, size_t n)
{
    buf_addf(b, FORMAT "\nurl %s\n", url);
    for (size_t i = 0; i < n; i++)
        buf_addf(b, "stream %s %s %" PRIu64 "\n", streams[i].uuid, streams[i].job,
                 streams[i].offset);
    buf_add_z(b, "end\n");
}

/* ---- noting ---- */

/* Put a stream into the list, or only where it is not there; false when the list is full. */
static bool put_stream(struct known_stream *list, size_t *n, const struct known_stream *stream,
                       bool is_expected)
{
    size_t i = 0;

    while (i < *n && strcmp(list[i].uuid, stream->uuid) != 0)
        i++;
    if (i == KNOWN_MAX_STREAMS)
        return false;
    if (i == *n || !is_expected)
        list[i] = *stream;
    *n += i == *n;
    return true;
}

static enum st damaged(const char *path, const char *what, struct err *err)
{
    return err_set(err, ST_REJECT,
                   "%s: %s; while it is there nothing is removed from the tape: delete it, and it "
                   "is written again when the sink is loaded",
                   path, what);
}

/* text: what the file holds; list: room for a stream a line, and n more. */
static enum st write_merged(const char *path, const char *url, const struct buf *text,
                            struct known_stream *list, const struct known_stream *streams, size_t n,
                            bool is_expected, struct err *err)
{
    struct buf merged = BUF_INIT(MAX_FILE);
    const char *what = NULL;
    size_t n_list = 0;
    struct str known_url;

    if (text)
        what = parse(buf_str(text), strrchr(path, '/') + 1, &known_url, list, &n_list);
    if (what)
        return damaged(path, what, err);
    for (size_t i = 0; i < n; i++)
        if (!put_stream(list, &n_list, &streams[i], is_expected))
            return err_set(err, ST_REJECT,
                           "%s: a sink of more than %d streams; forget it (geckotape sink forget), "
                           "then those that it loads are noted again",
                           url, KNOWN_MAX_STREAMS);
    format(&merged, url, list, n_list);
    enum st st = buf_check(&merged, path, err);
    if (st == ST_OK && !(text && str_eq(buf_str(&merged), buf_str(text))))
        st = file_replace(path, buf_str(&merged), err);
    buf_release(&merged);
    return st;
}

static enum st note(const char *data_dir, const struct sink_url *url,
                    const struct known_stream *streams, size_t n, bool is_expected, struct err *err)
{
    struct buf text = BUF_INIT(MAX_FILE);
    char path[FILE_MAX_PATH], dir[FILE_MAX_PATH], name[KNOWN_NAME_MAX];
    struct err why = ERR_INIT;

    enum st st = known_name(url, name, err);
    if (st == ST_OK)
        st = path_of(data_dir, name, path, err);
    if (st == ST_OK)
        st = file_path(dir, err, "%s/sinks", data_dir);
    if (st == ST_OK)
        st = file_mkdirs(dir, err);
    if (st != ST_OK)
        return st;
    st = file_read(path, &text, &why);
    if (st == ST_OK || (st == ST_REJECT && why.sys == ENOENT)) {
        struct known_stream *list = mem_new(count_lines(&text) + n, sizeof(*list));
        st = write_merged(path, name, st == ST_OK ? &text : NULL, list, streams, n, is_expected,
                          err);
        mem_free(list);
    } else {
        *err = why;
    }
    buf_release(&text);
    return st;
}

enum st known_note(const char *data_dir, const struct sink_url *url,
                   const struct known_stream *streams, size_t n, struct err *err)
{
    return note(data_dir, url, streams, n, false, err);
}

enum st known_expect(const char *data_dir, const struct sink_url *url,
                     const struct known_stream *streams, size_t n, struct err *err)
{
    return note(data_dir, url, streams, n, true, err);
}

/* ---- listing ---- */

static enum st no_room(const char *dir, struct err *err)
{
    return err_sys(err, ST_AGAIN, ENOMEM, "%s: too many known sinks", dir);
}

/* Read one file into sink, its problem when it has one; false without memory. */
static bool read_sink(const char *path, struct arena *arena, struct known_sink *sink)
{
    struct buf text = BUF_INIT(MAX_FILE);
    struct err why = ERR_INIT;
    struct stat about;
    size_t n = 0;

    *sink = (struct known_sink){.file = arena_str(arena, str_of(path))};
    if (stat(path, &about) == 0)
        sink->noted_us = about.st_mtim.tv_sec * US_PER_S + about.st_mtim.tv_nsec / 1000;
    const char *what = NULL;
    if (file_read(path, &text, &why) == ST_OK) {
        struct known_stream *list = mem_new(count_lines(&text), sizeof(*list));
        what = parse(buf_str(&text), strrchr(path, '/') + 1, &sink->url, list, &n);
        struct known_stream *streams = arena_alloc(arena, n, sizeof(*list));
        if (streams && n > 0)
            memcpy(streams, list, n * sizeof(*list));
        mem_free(list);
        sink->streams = streams;
        sink->n_streams = n;
    }
    if (what)
        err_ignore(damaged(path, what, &why));
    sink->url = why.msg[0] ? STR_NONE : arena_str(arena, sink->url);
    sink->problem = arena_str(arena, str_of(why.msg));
    buf_release(&text);
    return sink->file.p && sink->problem.p && (why.msg[0] || (sink->url.p && sink->streams));
}

static bool is_name(const char *name)
{
    size_t i = 0;

    while (is_hex(name[i]))
        i++;
    return i == NAME_LEN && name[i] == '\0';
}

/* Read the files of the directory into at most `room` sinks. */
static enum st list_files(const char *dir, struct arena *arena, struct known_sink *sinks,
                          size_t room, size_t *ret_n, struct err *err)
{
    DIR *d = opendir(dir);
    enum st st = ST_OK;
    size_t n = 0;

    *ret_n = 0;
    if (d == NULL)
        return errno == ENOENT ? ST_OK : err_sys(err, ST_AGAIN, errno, "%s", dir);
    for (struct dirent *e; st == ST_OK && (e = readdir(d)) != NULL;) {
        char path[FILE_MAX_PATH];
        if (!is_name(e->d_name))
            continue;
        if (n < room) {
            st = file_path(path, err, "%s/%s", dir, e->d_name);
            if (st == ST_OK && !read_sink(path, arena, &sinks[n]))
                st = no_room(dir, err);
        }
        n++;
    }
    closedir(d);
    *ret_n = sinks == NULL || n < room ? n : room;
    return st;
}

static int compare_sinks(const void *a, const void *b)
{
    const struct known_sink *left = a, *right = b;
    int order = str_cmp(left->url, right->url);
    return order != 0 ? order : str_cmp(left->file, right->file);
}

enum st known_list(const char *data_dir, struct arena *arena, struct known_sink **ret_sinks,
                   size_t *ret_n, struct err *err)
{
    char dir[FILE_MAX_PATH];
    size_t room = 0, n = 0;

    enum st st = file_path(dir, err, "%s/sinks", data_dir);
    if (st == ST_OK)
        st = list_files(dir, arena, NULL, 0, &room, err);
    if (st != ST_OK)
        return st;
    struct known_sink *sinks = arena_alloc(arena, room + 1, sizeof(*sinks));
    if (sinks == NULL)
        return no_room(dir, err);
    /* one more than there were: a sink may become known meanwhile */
    st = list_files(dir, arena, sinks, room + 1, &n, err);
    if (st != ST_OK)
        return st;
    qsort(sinks, n, sizeof(*sinks), compare_sinks);
    *ret_sinks = sinks;
    *ret_n = n;
    return ST_OK;
}

static void take_smaller(const struct known_sink *sink, uint64_t offset, uint64_t *below,
                         char *holder, size_t size)
{
    struct str name = sink->problem.len > 0 ? sink->file : sink->url;

    if (offset >= *below)
        return;
    *below = offset;
    snprintf(holder, size, "%.*s", STR_ARG(name));
}

enum st known_below(const char *data_dir, const char *uuid, uint64_t *ret_below, char *ret_holder,
                    size_t size, struct err *err)
{
    struct known_sink *sinks;
    struct arena arena;
    size_t n;

    arena_init(&arena, MAX_ARENA);
    enum st st = known_list(data_dir, &arena, &sinks, &n, err);
    if (st == ST_OK) {
        *ret_below = UINT64_MAX;
        snprintf(ret_holder, size, "%s", "");
    }
    for (size_t i = 0; st == ST_OK && i < n; i++) {
        if (sinks[i].problem.len > 0)
            take_smaller(&sinks[i], 0, ret_below, ret_holder, size);
        for (size_t k = 0; k < sinks[i].n_streams; k++)
            if (strcmp(sinks[i].streams[k].uuid, uuid) == 0)
                take_smaller(&sinks[i], sinks[i].streams[k].offset, ret_below, ret_holder, size);
    }
    arena_release(&arena);
    return st;
}

enum st known_forget(const char *data_dir, const char *name, struct err *err)
{
    char path[FILE_MAX_PATH], dir[FILE_MAX_PATH];

    enum st st = path_of(data_dir, name, path, err);
    if (st == ST_OK)
        st = file_path(dir, err, "%s/sinks", data_dir);
    if (st != ST_OK)
        return st;
    if (unlink(path) != 0)
        return errno == ENOENT
                   ? err_set(err, ST_REJECT,
                             "%s: no sink of %s that is known; geckotape sink ls shows those", name,
                             data_dir)
                   : err_sys(err, ST_AGAIN, errno, "%s", path);
    return file_sync_dir(dir, err);
}
