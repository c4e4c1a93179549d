/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/pack.h"

#include "base/mem.h"

#include <strings.h>

#define ZLIB_CONST
#include <zlib.h>
#include <zstd.h>

/* JSON shrinks 6 times at level 1 of either; higher ones cost 3 times the CPU */
#define GZIP_LEVEL  1
#define ZSTD_LEVEL  1
#define WINDOW_BITS (15 + 16) /* zlib's way to say gzip */
#define MEM_LEVEL   8

struct packer {
    bool has_gzip;
    z_stream gzip;
    ZSTD_CCtx *zstd; /* NULL: not needed so far */
};

const char *const encoding_names[N_ENCODINGS] = {"", "gzip", "zstd"};

struct packer *packer_new(void)
{
    return mem_new(1, sizeof(struct packer));
}

void packer_free(struct packer *p)
{
    if (!p)
        return;
    if (p->has_gzip)
        deflateEnd(&p->gzip);
    ZSTD_freeCCtx(p->zstd);
    mem_free(p);
}

static size_t pack_gzip(struct packer *p, struct str plain, char *to, size_t room)
{
    if (!p->has_gzip)
        p->has_gzip = deflateInit2(&p->gzip, GZIP_LEVEL, Z_DEFLATED, WINDOW_BITS, MEM_LEVEL,
                                   Z_DEFAULT_STRATEGY) == Z_OK;
    if (!p->has_gzip || plain.len > UINT32_MAX / 2 || deflateReset(&p->gzip) != Z_OK)
        return 0;
    p->gzip.next_in = (const Bytef *)plain.p;
    p->gzip.avail_in = (uInt)plain.len;
    p->gzip.next_out = (Bytef *)to;
    p->gzip.avail_out = (uInt)room;
    return deflate(&p->gzip, Z_FINISH) == Z_STREAM_END ? room - p->gzip.avail_out : 0;
}

static size_t pack_zstd(struct packer *p, struct str plain, char *to, size_t room)
{
    if (!p->zstd)
        p->zstd = ZSTD_createCCtx();
    if (!p->zstd)
        return 0;
    const size_t n = ZSTD_compressCCtx(p->zstd, to, room, plain.p, plain.len, ZSTD_LEVEL);
    return ZSTD_isError(n) ? 0 : n;
}

bool packer_pack(struct packer *p, enum encoding encoding, struct str plain, struct buf *ret_packed)
{
    const size_t room = plain.len / 2 + 64; /* a smaller gain is not worth the client's work */
    char *to = encoding != ENCODING_NONE ? buf_room(ret_packed, room) : NULL;

    if (!to)
        return false;
    const size_t n =
        encoding == ENCODING_GZIP ? pack_gzip(p, plain, to, room) : pack_zstd(p, plain, to, room);
    buf_added(ret_packed, n);
    return n > 0;
}

/* ---- Accept-Encoding (RFC 9110, 12.5.3) ---- */

/* "q=0.5" in thousandths; 1000 where there is none. */
static int weight(struct str parameter)
{
    int thousandths = 0, unit = 1000;

    parameter = str_trim(parameter);
    if (parameter.len < 3 || (parameter.p[0] | 0x20) != 'q' || parameter.p[1] != '=')
        return 1000;
    for (size_t i = 2; i < parameter.len; i++) {
        if (parameter.p[i] < '0' || parameter.p[i] > '9')
            continue;
        thousandths += (parameter.p[i] - '0') * unit;
        unit /= 10;
    }
    return thousandths;
}

enum encoding encoding_choose(struct str accept_encoding)
{
    enum encoding best = ENCODING_NONE;
    struct str item, name;
    int best_weight = 0;

    while (accept_encoding.len > 0) {
        str_cut(&accept_encoding, ',', &item);
        str_cut(&item, ';', &name);
        name = str_trim(name);
        const int w = weight(item);
        for (int i = ENCODING_GZIP; i < N_ENCODINGS; i++)
            if (name.len == 4 && strncasecmp(name.p, encoding_names[i], 4) == 0 && w > 0 &&
                (w > best_weight || (w == best_weight && i > (int)best))) {
                best = (enum encoding)i;
                best_weight = w;
            }
    }
    return best;
}
