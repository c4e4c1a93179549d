/* SPDX-License-Identifier: Apache-2.0 */
#include "parquet/unpack.h"

#include <zlib.h>

const char *codec_name(int codec)
{
    static const char *const names[] = {"UNCOMPRESSED", "SNAPPY", "GZIP", "LZO",
                                        "BROTLI",       "LZ4",    "ZSTD", "LZ4_RAW"};

    return codec >= 0 && codec < (int)(sizeof(names) / sizeof(names[0])) ? names[codec] : NULL;
}

bool codec_is_known(int codec)
{
    return codec == CODEC_NONE || codec == CODEC_SNAPPY || codec == CODEC_GZIP ||
           codec == CODEC_ZSTD;
}

/* ---- snappy: a length, then literals and copies of what stands before ---- */

struct snappy {
    struct bytes in;
    uint8_t *begin, *at, *end; /* of what comes out */
};

static bool take_literal(struct snappy *s, uint8_t tag)
{
    struct bytes part;
    size_t len = tag >> 2;

    if (len >= 60) {
        if (!bytes_take(&s->in, len - 59, &part))
            return false;
        len = 0;
        for (int shift = 0; part.at < part.end; shift += 8)
            len |= (size_t)*part.at++ << shift;
    }
    len++;
    if (len > (size_t)(s->end - s->at) || !bytes_take(&s->in, len, &part))
        return false;
    memcpy(s->at, part.at, len);
    s->at += len;
    return true;
}

static bool take_copy(struct snappy *s, uint8_t tag)
{
    const size_t n_more = (tag & 3) == 3 ? 4 : tag & 3;
    size_t len = (tag & 3) == 1 ? ((tag >> 2) & 7) + 4U : (tag >> 2) + 1U, back = 0;
    struct bytes part;

    if (!bytes_take(&s->in, n_more, &part))
        return false;
    for (int shift = 0; part.at < part.end; shift += 8)
        back |= (size_t)*part.at++ << shift;
    if ((tag & 3) == 1)
        back |= (size_t)(tag >> 5) << 8;
    if (back == 0 || back > (size_t)(s->at - s->begin) || len > (size_t)(s->end - s->at))
        return false;
    for (; len > 0; len--, s->at++) /* it may copy what it has just made */
        *s->at = *(s->at - back);
    return true;
}

static bool take_length(struct bytes *in, uint64_t *ret)
{
    *ret = 0;
    for (int shift = 0; shift < 35 && in->at < in->end; shift += 7) {
        const uint8_t byte = *in->at++;
        *ret |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

static const char *unpack_snappy(struct bytes packed, uint8_t *ret, size_t len)
{
    struct snappy s = {.in = packed, .begin = ret, .at = ret, .end = ret + len};
    uint64_t says;

    if (!take_length(&s.in, &says) || says != len)
        return "snappy: another length than the page's";
    while (s.in.at < s.in.end) {
        const uint8_t tag = *s.in.at++;
        if (!((tag & 3) == 0 ? take_literal(&s, tag) : take_copy(&s, tag)))
            return "snappy: damaged";
    }
    return s.at == s.end ? NULL : "snappy: ends early";
}

/* ---- the others ---- */

/* Members one behind the other are one stream, as Hadoop writes them. */
static const char *unpack_gzip(struct bytes packed, uint8_t *ret, size_t len)
{
    z_stream z = {.next_in = (z_const Bytef *)(uintptr_t)packed.at,
                  .avail_in = (uInt)bytes_left(&packed),
                  .next_out = ret,
                  .avail_out = (uInt)len};

    if (inflateInit2(&z, 15 + 32) != Z_OK)
        return "gzip: no memory";
    int rc = inflate(&z, Z_FINISH);
    while (rc == Z_STREAM_END && z.avail_in > 0 && inflateReset(&z) == Z_OK)
        rc = inflate(&z, Z_FINISH);
    const bool is_whole = rc == Z_STREAM_END && z.avail_out == 0;
    inflateEnd(&z);
    return is_whole ? NULL : "gzip: damaged, or of another length than the page's";
}

const char *unpack(enum codec codec, ZSTD_DCtx *zstd, struct bytes packed, uint8_t *ret, size_t len)
{
    size_t got;

    switch (codec) {
    case CODEC_NONE:
        if (bytes_left(&packed) != len)
            return "of another length than the page's";
        if (len > 0)
            memcpy(ret, packed.at, len);
        return NULL;
    case CODEC_SNAPPY:
        return unpack_snappy(packed, ret, len);
    case CODEC_GZIP:
        return unpack_gzip(packed, ret, len);
    case CODEC_ZSTD:
        break;
    }
    got = ZSTD_decompressDCtx(zstd, ret, len, packed.at, bytes_left(&packed));
    if (ZSTD_isError(got))
        return "zstd: damaged";
    return got == len ? NULL : "zstd: of another length than the page's";
}
