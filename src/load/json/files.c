/* SPDX-License-Identifier: Apache-2.0 */
#include "load/json/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define GZIP_LEVEL 6
#define ZSTD_LEVEL 3

const char *json_suffix(enum json_compress compress)
{
    static const char *const suffixes[] = {
        [JSON_PLAIN] = ".json", [JSON_GZIP] = ".json.gz", [JSON_ZSTD] = ".json.zst"};
    return suffixes[compress];
}

/* Neither writes a time or a name into the file: the same bytes give the same file. */
static bool gzip(struct buf *to, struct str bytes)
{
    z_stream z = {0};

    if (deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    size_t max = deflateBound(&z, bytes.len);
    z.next_out = (Bytef *)buf_room(to, max);
    z.avail_out = (uInt)max;
    union {
        const char *in;
        Bytef *out; /* zlib does not write there */
    } cast = {.in = bytes.p};
    z.next_in = cast.out;
    z.avail_in = (uInt)bytes.len;
    bool is_ok = z.next_out && deflate(&z, Z_FINISH) == Z_STREAM_END;
    if (is_ok)
        buf_added(to, z.total_out);
    deflateEnd(&z);
    return is_ok;
}

static bool zstd(struct buf *to, struct str bytes)
{
    size_t max = ZSTD_compressBound(bytes.len), n = 0;
    char *room = buf_room(to, max);
    ZSTD_CCtx *ctx = room ? ZSTD_createCCtx() : NULL;

    if (ctx == NULL)
        return false;
    bool is_ok = !ZSTD_isError(ZSTD_CCtx_setParameter(ctx, ZSTD_c_compressionLevel, ZSTD_LEVEL)) &&
                 !ZSTD_isError(ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag, 1)) &&
                 !ZSTD_isError(n = ZSTD_compress2(ctx, room, max, bytes.p, bytes.len));
    if (is_ok)
        buf_added(to, n);
    ZSTD_freeCCtx(ctx);
    return is_ok;
}

static enum st pack(struct json_files *f, struct str bytes, struct str *ret_packed, struct err *err)
{
    buf_clear(&f->packed);
    *ret_packed = bytes;
    if (f->compress == JSON_PLAIN)
        return ST_OK;
    bool is_ok = f->compress == JSON_GZIP ? gzip(&f->packed, bytes) : zstd(&f->packed, bytes);
    *ret_packed = buf_str(&f->packed);
    return is_ok ? ST_OK : err_set(err, ST_AGAIN, "no memory to compress %zu bytes", bytes.len);
}

static enum st write_file(const char *path, struct str bytes, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) /* also when the directory is gone: it is made again at the next open */
        return err_sys(err, ST_AGAIN, errno, "%s", path);
    enum st st = file_write_all(fd, bytes.p, bytes.len, path, err);
    if (st == ST_OK && fsync(fd) != 0)
        st = err_sys(err, ST_AGAIN, errno, "sync %s", path);
    if (close(fd) != 0 && st == ST_OK)
        st = err_sys(err, ST_AGAIN, errno, "close %s", path);
    return st;
}

/* The next pending path, NULL at the end. */
static const char *next_pending(const struct json_files *f, size_t *at)
{
    if (*at >= f->pending.len)
        return NULL;
    const char *path = f->pending.p + *at;
    *at += strlen(path) + 1;
    return path;
}

enum st json_files_add(struct json_files *f, const char *path, struct str bytes, struct err *err)
{
    char temporary[FILE_MAX_PATH];
    const char *other = NULL;
    struct str packed;

    enum st st = file_path(temporary, err, "%s/%s.tmp", f->dir, path);
    if (st == ST_OK)
        st = pack(f, bytes, &packed, err);
    if (st != ST_OK)
        return st;
    /* a batch may hold a partial poll and the ok one that replaces it */
    for (size_t at = 0; (other = next_pending(f, &at)) != NULL && strcmp(other, path) != 0;)
        ;
    if (other == NULL)
        buf_add(&f->pending, path, strlen(path) + 1);
    st = buf_check(&f->pending, "the names of a batch's files", err);
    return st == ST_OK ? write_file(temporary, packed, err) : st;
}

void json_files_remove(struct json_files *f, struct str path)
{
    buf_add_char(&f->pending, '-');
    buf_add_str(&f->pending, path);
    buf_add_char(&f->pending, '\0');
}

enum st json_files_commit(struct json_files *f, struct err *err)
{
    static const char *const folders[] = {"raw", "processed"};
    char from[FILE_MAX_PATH], to[FILE_MAX_PATH];
    const char *path;
    enum st st = ST_OK;

    for (size_t at = 0; st == ST_OK && (path = next_pending(f, &at)) != NULL;) {
        bool is_removal = path[0] == '-';
        st = file_path(from, err, "%s/%s.tmp", f->dir, path);
        if (st == ST_OK)
            st = file_path(to, err, "%s/%s", f->dir, path + is_removal);
        if (st == ST_OK && is_removal)
            unlink(to);
        else if (st == ST_OK && rename(from, to) != 0)
            st = err_sys(err, ST_AGAIN, errno, "rename %s", from);
    }
    for (size_t i = 0; st == ST_OK && f->pending.len > 0 && i < 2; i++) {
        st = file_path(to, err, "%s/%s", f->dir, folders[i]);
        if (st == ST_OK)
            st = file_sync_dir(to, err);
    }
    if (st == ST_OK)
        buf_clear(&f->pending);
    return st;
}

void json_files_abandon(struct json_files *f)
{
    char temporary[FILE_MAX_PATH];
    struct err err = ERR_INIT;
    const char *path;

    for (size_t at = 0; (path = next_pending(f, &at)) != NULL;)
        if (path[0] != '-' && file_path(temporary, &err, "%s/%s.tmp", f->dir, path) == ST_OK)
            unlink(temporary);
    buf_clear(&f->pending);
}
