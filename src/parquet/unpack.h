/* What Parquet's pages are compressed with, undone. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PARQUET_UNPACK_H
#define PARQUET_UNPACK_H

#include "base/err.h"
#include "parquet/decode.h"

#include <zstd.h>

/* As the format numbers them. */
enum codec { CODEC_NONE = 0, CODEC_SNAPPY = 1, CODEC_GZIP = 2, CODEC_ZSTD = 6 };

/* "LZ4_RAW": also of those that cannot be unpacked; NULL: of a number that the format does not
 * know. */
const char *codec_name(int codec);
bool codec_is_known(int codec);

/* Exactly len bytes, not a byte more is written. NULL, or why not. */
const char *unpack(enum codec codec, ZSTD_DCtx *zstd, struct bytes packed, uint8_t *ret,
                   size_t len) MUST_USE;

#endif
