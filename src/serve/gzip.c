/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/gzip.h"

#include "base/mem.h"

#include <strings.h>

#define ZLIB_CONST
#include <zlib.h>

#define LEVEL       1 /* JSON shrinks 6 times at level 1; higher ones cost 3 times the CPU */
#define WINDOW_BITS (15 + 16) /* zlib's way to say gzip */
#define MEM_LEVEL   8

struct gzip {
    z_stream stream;
};

struct gzip *gzip_new(void)
{
    struct gzip *g = mem_new(1, sizeof(*g));

    if (deflateInit2(&g->stream, LEVEL, Z_DEFLATED, WINDOW_BITS, MEM_LEVEL, Z_DEFAULT_STRATEGY) ==
        Z_OK)
        return g;
    mem_free(g);
    return NULL;
}

void gzip_free(struct gzip *g)
{
    if (!g)
        return;
    deflateEnd(&g->stream);
    mem_free(g);
}

bool gzip_pack(struct gzip *g, struct str plain, struct buf *ret_packed)
{
    const size_t room = plain.len / 2 + 64; /* a smaller gain is not worth the client's work */
    char *to = buf_room(ret_packed, room);

    if (!to || plain.len > UINT32_MAX / 2 || deflateReset(&g->stream) != Z_OK)
        return false;
    g->stream.next_in = (const Bytef *)plain.p;
    g->stream.avail_in = (uInt)plain.len;
    g->stream.next_out = (Bytef *)to;
    g->stream.avail_out = (uInt)room;
    if (deflate(&g->stream, Z_FINISH) != Z_STREAM_END)
        return false;
    buf_added(ret_packed, room - g->stream.avail_out);
    return true;
}

/* "q=0", "q=0.000": not acceptable (RFC 9110, 12.4.2). */
static bool is_zero_weight(struct str parameter)
{
    parameter = str_trim(parameter);
    if (parameter.len < 3 || (parameter.p[0] | 0x20) != 'q' || parameter.p[1] != '=')
        return false;
    for (size_t i = 2; i < parameter.len; i++)
        if (parameter.p[i] != '0' && parameter.p[i] != '.')
            return false;
    return true;
}

bool gzip_is_accepted(struct str accept_encoding)
{
    struct str item, name;

    while (accept_encoding.len > 0) {
        str_cut(&accept_encoding, ',', &item);
        str_cut(&item, ';', &name);
        name = str_trim(name);
        if (name.len == 4 && strncasecmp(name.p, "gzip", 4) == 0)
            return !is_zero_weight(item);
    }
    return false;
}
