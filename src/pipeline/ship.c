/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/ship.h"

#include "base/file.h"
#include "base/mem.h"
#include "object/object.h"
#include "tape/tape.h"
#include "tape/upkeep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE      (size_t)(1024 * 1024)     /* of a file at a time */
#define COMPARED   (size_t)(4 * 1024 * 1024) /* of what is read back at a time */
#define MAX_MARKER (size_t)4096
#define MARKER     "shipped"
#define SIMULATED  "simulated\n" /* second line of the object "stream" */

struct ship {
    struct object_store *store;
    const char *url;
    const atomic_bool *is_stopping;
    struct buf file, back; /* pieces of the segment here, and of the one there */
};

enum st ship_new(const char *url, const atomic_bool *is_stopping, struct ship **ret_ship,
                 struct err *err)
{
    /* the housekeeper has other things to do, and comes again in a minute */
    const struct object_setup setup = {.n_tries = 3};
    struct ship *s = mem_new(1, sizeof(*s));

    s->url = url;
    s->is_stopping = is_stopping;
    buf_init(&s->file, COMPARED);
    buf_init(&s->back, COMPARED);
    enum st st = object_open(url, &setup, &s->store, err);
    if (st == ST_OK)
        *ret_ship = s;
    else
        ship_free(s);
    return st;
}

void ship_free(struct ship *s)
{
    if (s == NULL)
        return;
    object_close(s->store);
    buf_release(&s->file);
    buf_release(&s->back);
    mem_free(s);
}

void ship_cancel(struct ship *s)
{
    if (s)
        object_cancel(s->store);
}

/* ---- how far it is ---- */

enum st ship_below(const char *dir, const char *url, uint64_t *ret_below, struct err *err)
{
    struct buf bytes = BUF_INIT(MAX_MARKER);
    char path[FILE_MAX_PATH];
    struct str rest, line;
    struct err why = ERR_INIT;
    int64_t below = 0;

    *ret_below = 0;
    enum st st = file_path(path, err, "%s/" MARKER, dir);
    if (st != ST_OK)
        return st;
    st = file_read(path, &bytes, &why);
    if (st != ST_OK && why.sys != ENOENT) {
        *err = why;
        buf_release(&bytes);
        return ST_AGAIN;
    }
    rest = buf_str(&bytes);
    if (st == ST_OK && str_cut(&rest, '\n', &line) && str_eq(line, str_of(url)) &&
        str_cut(&rest, '\n', &line) && str_to_i64(line, 1, INT64_MAX, &below))
        *ret_below = (uint64_t)below;
    buf_release(&bytes);
    return ST_OK;
}

enum st ship_hold(const char *dir, const char *url, uint64_t *below, char *holder, size_t size,
                  struct err *err)
{
    uint64_t there;

    if (url[0] == '\0')
        return ST_OK;
    enum st st = ship_below(dir, url, &there, err);
    if (st == ST_OK && there < *below) {
        *below = there;
        snprintf(holder, size, "the store of tape.ship");
    }
    return st;
}

static enum st note(const struct ship *s, const char *dir, uint64_t below, struct err *err)
{
    struct buf text = BUF_INIT(MAX_MARKER);
    char path[FILE_MAX_PATH];

    buf_addf(&text, "%s\n%llu\n", s->url, (unsigned long long)below);
    enum st st = file_path(path, err, "%s/" MARKER, dir);
    if (st == ST_OK)
        st = buf_check(&text, MARKER, err);
    if (st == ST_OK)
        st = file_replace(path, buf_str(&text), err);
    buf_release(&text);
    return st;
}

/* ---- there ---- */

static enum st check_stopping(const struct ship *s, struct err *err)
{
    return s->is_stopping && atomic_load(s->is_stopping) ? err_set(err, ST_AGAIN, "stopping")
                                                         : ST_OK;
}

/* Who else ships a stream of this name there? */
static enum st claim(struct ship *s, const struct ship_stream *stream, struct err *err)
{
    char name[OBJECT_MAX_NAME], text[128];
    struct object_put_result put;
    bool is_there = false;

    snprintf(name, sizeof(name), "%s/stream", stream->job);
    snprintf(text, sizeof(text), "%s\n%s", stream->uuid, stream->is_simulated ? SIMULATED : "");
    enum st st = object_put(s->store, name, str_of(text), OBJECT_ABSENT, NULL, &put, err);
    if (st != ST_OK || (!put.is_refused && !put.is_unknown))
        return st;
    buf_clear(&s->back);
    st = object_get(s->store, name, &s->back, NULL, &is_there, err);
    if (st == ST_OK && (!is_there || !str_eq(buf_str(&s->back), str_of(text))))
        st = err_set(err, ST_FATAL,
                     "%s: %s is another collector's stream of that name; ship to another prefix",
                     object_shown(s->store), stream->job);
    return st;
}

static enum st read_piece(struct ship *s, int fd, int64_t at, size_t len, const char *path,
                          struct err *err)
{
    buf_clear(&s->file);
    char *to = buf_room(&s->file, len);
    if (to == NULL)
        return err_set(err, ST_AGAIN, "no memory");
    enum st st = file_read_at(fd, to, len, at, path, err);
    if (st == ST_OK)
        buf_added(&s->file, len);
    return st == ST_REJECT ? ST_AGAIN : st;
}

static enum st send_file(struct ship *s, int fd, int64_t size, const char *name, const char *path,
                         struct err *err)
{
    struct object_put_result put = {.is_refused = false};
    struct object_upload *upload;
    enum st st = object_upload_start(s->store, name, &upload, err);

    if (st != ST_OK)
        return st;
    for (int64_t at = 0; st == ST_OK && at < size; at += (int64_t)PIECE) {
        const int64_t left = size - at;
        st = check_stopping(s, err);
        if (st == ST_OK)
            st = read_piece(s, fd, at, left < (int64_t)PIECE ? (size_t)left : PIECE, path, err);
        if (st == ST_OK)
            st = object_upload_add(upload, buf_str(&s->file), err);
    }
    if (st != ST_OK) {
        object_upload_abort(upload);
        return st;
    }
    /* refused: it is there already, which the comparison looks at */
    return object_upload_finish(upload, OBJECT_ABSENT, NULL, &put, err);
}

/* *ret_is_there: there is an object of that name. It is the file's, or that is an error. */
static enum st compare(struct ship *s, int fd, int64_t size, const char *name, const char *path,
                       bool *ret_is_there, struct err *err)
{
    struct object_info info;
    bool is_same = true;
    enum st st = object_stat(s->store, name, &info, ret_is_there, err);

    if (st != ST_OK || !*ret_is_there)
        return st;
    is_same = info.size == size;
    for (int64_t at = 0; st == ST_OK && is_same && at < size; at += (int64_t)COMPARED) {
        const size_t len = size - at < (int64_t)COMPARED ? (size_t)(size - at) : COMPARED;
        buf_clear(&s->back);
        st = check_stopping(s, err);
        if (st == ST_OK)
            st = read_piece(s, fd, at, len, path, err);
        if (st == ST_OK)
            st = object_get_range(s->store, name, at, len, &s->back, ret_is_there, err);
        is_same = st != ST_OK || (*ret_is_there && str_eq(buf_str(&s->file), buf_str(&s->back)));
    }
    if (st == ST_OK && !is_same)
        return err_set(err, ST_REJECT, "%s: %s is not what is here: remove one of them",
                       object_shown(s->store), name);
    return st;
}

static enum st ship_file(struct ship *s, const struct ship_stream *stream, const char *segment,
                         int64_t *ret_bytes, struct err *err)
{
    char path[FILE_MAX_PATH], name[OBJECT_MAX_NAME];
    struct stat about;
    bool is_there = false;

    enum st st = file_path(path, err, "%s/%s", stream->dir, segment);
    if (st != ST_OK)
        return st;
    snprintf(name, sizeof(name), "%s/%s", stream->job, segment);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &about) != 0) {
        int why = errno;
        if (fd >= 0)
            close(fd);
        return err_sys(err, ST_AGAIN, why, "%s", path);
    }
    st = compare(s, fd, about.st_size, name, path, &is_there, err);
    if (st == ST_OK && !is_there) {
        st = send_file(s, fd, about.st_size, name, path, err);
        if (st == ST_OK)
            st = compare(s, fd, about.st_size, name, path, &is_there, err);
        if (st == ST_OK && !is_there)
            st = err_set(err, ST_AGAIN, "%s: %s is not there, although it was written",
                         object_shown(s->store), name);
    }
    close(fd);
    *ret_bytes = about.st_size;
    return st;
}

enum st ship_next(struct ship *s, const struct ship_stream *stream, struct shipped *ret,
                  struct err *err)
{
    struct tape_closed closed;
    uint64_t below = 0;

    *ret = (struct shipped){.segment = ""};
    enum st st = ship_below(stream->dir, s->url, &below, err);
    if (st == ST_OK)
        st = tape_closed_next(stream->dir, below, &closed, err);
    if (st != ST_OK || closed.name[0] == '\0' ||
        (!closed.is_sealed && strcmp(closed.name, stream->sealed_upto) > 0))
        return st;
    if (below == 0)
        st = claim(s, stream, err);
    if (st == ST_OK)
        st = ship_file(s, stream, closed.name, &ret->bytes, err);
    if (st == ST_OK)
        st = note(s, stream->dir, closed.limit, err);
    if (st == ST_OK)
        snprintf(ret->segment, sizeof(ret->segment), "%s", closed.name);
    return st;
}

/* ---- and back ---- */

struct fetch {
    struct object_store *from, *lists; /* one is asked while the other lists */
    const char *data_dir;
    size_t n, n_streams, n_simulated;
};

static enum st fetch_file(const struct fetch *f, const char *name, const char *path, int64_t size,
                          struct err *err)
{
    struct buf piece = BUF_INIT(COMPARED);
    enum st st = ST_OK;
    bool is_there = true;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

    if (fd < 0)
        return err_sys(err, ST_FATAL, errno, "%s", path);
    for (int64_t at = 0; st == ST_OK && at < size; at += (int64_t)COMPARED) {
        const int64_t left = size - at;
        const size_t len = left < (int64_t)COMPARED ? (size_t)left : COMPARED;
        buf_clear(&piece);
        st = object_get_range(f->from, name, at, len, &piece, &is_there, err);
        if (st == ST_OK && (!is_there || piece.len != len))
            st = err_set(err, ST_AGAIN, "%s: %s changed meanwhile", object_shown(f->from), name);
        if (st == ST_OK)
            st = file_write_all(fd, piece.p, piece.len, path, err);
    }
    close(fd);
    buf_release(&piece);
    return st;
}

static enum st fetch_kind(struct fetch *f, const char *name, struct err *err)
{
    struct buf text = BUF_INIT(MAX_MARKER);
    bool is_there = false;
    enum st st = object_get(f->from, name, &text, NULL, &is_there, err);

    f->n_streams++;
    if (st == ST_OK && is_there && str_ends(buf_str(&text), STR("\n" SIMULATED)))
        f->n_simulated++;
    buf_release(&text);
    return st;
}

/* What is made up says so wherever it goes. */
static enum st mark_simulated(const struct fetch *f, struct err *err)
{
    char path[FILE_MAX_PATH];

    if (f->n_simulated == 0)
        return ST_OK;
    if (f->n_simulated < f->n_streams)
        return err_set(err, ST_FATAL, "%s: real and simulated tapes lie there together",
                       object_shown(f->from));
    enum st st = file_path(path, err, "%s/SIMULATED", f->data_dir);
    return st == ST_OK ? file_replace(path, STR(""), err) : st;
}

static enum st fetch_one(void *ctx, const char *name, const struct object_info *info,
                         bool *ret_is_enough, struct err *err)
{
    struct fetch *f = ctx;
    char dir[FILE_MAX_PATH], path[FILE_MAX_PATH], job[TAPE_MAX_JOB + 1];
    struct str rest = str_of(name), first;
    (void)ret_is_enough;

    if (str_ends(rest, STR("/stream")))
        return fetch_kind(f, name, err);
    if (!str_cut(&rest, '/', &first) || !tape_job_name_is_valid(first) || !tape_is_segment(rest.p))
        return ST_OK;
    snprintf(job, sizeof(job), "%.*s", STR_ARG(first));
    enum st st = tape_stream_dir(f->data_dir, job, dir, err);
    if (st == ST_OK)
        st = file_mkdirs(dir, err);
    if (st == ST_OK)
        st = file_path(path, err, "%s/%s", dir, rest.p);
    f->n++;
    return st == ST_OK ? fetch_file(f, name, path, info->size, err) : st;
}

enum st ship_fetch(const char *url, const char *data_dir, struct err *err)
{
    struct fetch f = {.data_dir = data_dir};
    enum st st = object_open(url, NULL, &f.from, err);

    if (st == ST_OK)
        st = object_open(url, NULL, &f.lists, err);
    if (st == ST_OK)
        st = object_list(f.lists, "", NULL, fetch_one, &f, err);
    if (st == ST_OK && f.n == 0)
        st = err_set(err, ST_FATAL, "%s: no tape is there", object_shown(f.from));
    if (st == ST_OK)
        st = mark_simulated(&f, err);
    object_close(f.lists);
    object_close(f.from);
    return st;
}
