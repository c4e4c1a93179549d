/* Parts that several answers of the API have. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_API_V3_PARTS_H
#define SERVE_API_V3_PARTS_H

#include "query/query.h"
#include "serve/json.h"

#define PLACES_ALL (-1)

/* A number of at most so many decimal places; PLACES_ALL: as it is. */
void add_rounded(struct buf *b, const struct cell *value, int places);

/* "key":value */
void add_cell(struct buf *b, const char *key, const struct cell *value);

/* "key":["text",…] */
void add_texts(struct buf *b, const char *key, const struct str *texts, size_t n);

/* "roi":{…}, or null. row: of market_table */
void add_roi(struct buf *b, const struct cell *row);

/* "key":{"price":[…]}. prices: a JSON array, or null */
void add_sparkline(struct buf *b, const char *key, const struct cell *prices);

/* The URL of a logo in another size ("thumb", "small"): a JSON string. */
void add_image(struct buf *b, struct str url, const char *size);

/* "image":{"thumb":…,"small":…} and large */
void add_images(struct buf *b, struct str url, bool has_large);

/* {"ethereum":"0x…"}; has_own_chain: also what is no token of a platform. */
void add_contracts(struct buf *b, const struct coin_info *info, bool has_own_chain);

#endif
