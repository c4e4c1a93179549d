/* SPDX-License-Identifier: Apache-2.0 */
#define ZLIB_CONST
#include "cmd/output.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define PACKED_BYTES (128 * 1024)
#define GZIP_BITS    (15 + 16) /* zlib's way to say gzip, with the largest window */
#define ZSTD_LEVEL   3

struct packer {
    ZSTD_CCtx *zstd; /* NULL: gzip */
    z_stream gzip;
    char packed[PACKED_BYTES];
};

struct str output_unpacked(const char *path)
{
    struct str s = str_of(path);

    if (str_ends(s, STR(".gz")))
        s.len -= strlen(".gz");
    else if (str_ends(s, STR(".zst")))
        s.len -= strlen(".zst");
    return s;
}

static struct packer *packer_new(struct str path)
{
    const bool is_zstd = str_ends(path, STR(".zst"));

    if (!is_zstd && !str_ends(path, STR(".gz")))
        return NULL;
    struct packer *p = mem_new(1, sizeof(*p));
    if (is_zstd) {
        p->zstd = ZSTD_createCCtx();
        assert(p->zstd);
        ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL);
        ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_checksumFlag, 1);
    } else {
        int result = deflateInit2(&p->gzip, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_BITS, 8,
                                  Z_DEFAULT_STRATEGY);
        assert(result == Z_OK);
        (void)result;
    }
    return p;
}

static void packer_free(struct packer *p)
{
    if (p && p->zstd)
        ZSTD_freeCCtx(p->zstd);
    else if (p)
        deflateEnd(&p->gzip);
    mem_free(p);
}

/* ---- files ---- */

static bool is_same_file(int fd, const char *path)
{
    struct stat a, b;

    return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

/* Ours alone and empty, and no link that somebody laid there. Who had it before may have renamed it
 * meanwhile: then once more. */
static enum st open_temporary(struct output *o, struct err *err)
{
    for (;;) {
        o->fd = open(o->temporary, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (o->fd < 0)
            return err_sys(err, ST_FATAL, errno, "%s", o->temporary);
        if (flock(o->fd, LOCK_EX | LOCK_NB) != 0)
            return err_set(err, ST_FATAL,
                           "%s: another process is writing it; wait, or name another file",
                           o->temporary);
        if (is_same_file(o->fd, o->temporary))
            break;
        close(o->fd);
    }
    if (ftruncate(o->fd, 0) != 0)
        return err_sys(err, ST_FATAL, errno, "%s", o->temporary);
    return ST_OK;
}

static enum st open_path(struct output *o, const char *path, struct err *err)
{
    struct stat there;

    enum st st = file_path(o->path, err, "%s", path);
    if (st != ST_OK)
        return st;
    if (stat(path, &there) == 0 && S_ISDIR(there.st_mode))
        return err_set(err, ST_REJECT, "%s: that is a directory; name a file in it", path);
    if (stat(path, &there) == 0 && !S_ISREG(there.st_mode)) {
        o->fd = open(path, O_WRONLY | O_CLOEXEC);
        return o->fd >= 0 ? ST_OK : err_sys(err, ST_FATAL, errno, "%s", path);
    }
    st = file_path(o->temporary, err, "%s.tmp", path);
    if (st == ST_OK)
        st = open_temporary(o, err);
    if (st != ST_OK && o->fd >= 0) { /* not ours to remove */
        close(o->fd);
        o->fd = -1;
    }
    return st;
}

enum st output_open(struct output *o, const char *path, struct err *err)
{
    *o = (struct output)OUTPUT_NONE;
    if (path[0] == '\0' || strcmp(path, "-") == 0) {
        o->fd = STDOUT_FILENO;
        return ST_OK;
    }
    enum st st = open_path(o, path, err);
    if (st != ST_OK)
        return err_wrap(err, st, "--output: ");
    o->packer = packer_new(str_of(path));
    return ST_OK;
}

static enum st put(struct output *o, const void *bytes, size_t len, struct err *err)
{
    const char *name = o->temporary[0] ? o->temporary : o->path[0] ? o->path : "stdout";

    enum st st = file_write_all(o->fd, bytes, len, name, err);
    if (st == ST_OK)
        return ST_OK;
    err_ignore(st);
    if (err->sys == ENOSPC || err->sys == EDQUOT || err->sys == EFBIG)
        return err_wrap(err, ST_FATAL, "--output: no room; make some, or name a file elsewhere: ");
    return ST_FATAL; /* nobody tries it again */
}

static enum st put_zstd(struct output *o, struct str bytes, ZSTD_EndDirective how, struct err *err)
{
    struct packer *p = o->packer;
    ZSTD_inBuffer in = {.src = bytes.p, .size = bytes.len};
    enum st st = ST_OK;
    size_t left;

    do {
        ZSTD_outBuffer out = {.dst = p->packed, .size = sizeof(p->packed)};
        left = ZSTD_compressStream2(p->zstd, &out, &in, how);
        if (ZSTD_isError(left))
            return err_set(err, ST_FATAL, "zstd: %s", ZSTD_getErrorName(left));
        st = put(o, p->packed, out.pos, err);
    } while (st == ST_OK && (how == ZSTD_e_end ? left > 0 : in.pos < in.size));
    return st;
}

static enum st put_gzip(struct output *o, struct str bytes, int how, struct err *err)
{
    struct packer *p = o->packer;
    enum st st = ST_OK;

    p->gzip.next_in = (const Bytef *)bytes.p;
    p->gzip.avail_in = (unsigned)bytes.len;
    do {
        p->gzip.next_out = (unsigned char *)p->packed;
        p->gzip.avail_out = sizeof(p->packed);
        deflate(&p->gzip, how); /* fails only when it is used wrongly */
        st = put(o, p->packed, sizeof(p->packed) - p->gzip.avail_out, err);
    } while (st == ST_OK && p->gzip.avail_out == 0);
    return st;
}

enum st output_write(struct output *o, struct str bytes, struct err *err)
{
    if (o->packer == NULL)
        return put(o, bytes.p, bytes.len, err);
    return o->packer->zstd ? put_zstd(o, bytes, ZSTD_e_continue, err)
                           : put_gzip(o, bytes, Z_NO_FLUSH, err);
}

static enum st sync_and_rename(struct output *o, struct err *err)
{
    char copy[FILE_MAX_PATH];

    if (fsync(o->fd) != 0)
        return err_sys(err, ST_FATAL, errno, "sync %s", o->temporary);
    if (rename(o->temporary, o->path) != 0)
        return err_sys(err, ST_FATAL, errno, "rename %s", o->temporary);
    o->temporary[0] = '\0';
    memcpy(copy, o->path, sizeof(copy));
    return file_sync_dir(dirname(copy), err);
}

enum st output_finish(struct output *o, struct err *err)
{
    enum st st = ST_OK;

    if (o->packer)
        st = o->packer->zstd ? put_zstd(o, STR_NONE, ZSTD_e_end, err)
                             : put_gzip(o, STR_NONE, Z_FINISH, err);
    return st == ST_OK && o->temporary[0] ? sync_and_rename(o, err) : st;
}

void output_close(struct output *o)
{
    if (o->fd >= 0 && o->temporary[0])
        unlink(o->temporary);
    if (o->fd >= 0 && o->path[0])
        close(o->fd);
    packer_free(o->packer);
    *o = (struct output)OUTPUT_NONE;
}
