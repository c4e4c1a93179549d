/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/api_v3/parts.h"

#include <stdio.h>

void add_rounded(struct buf *b, const struct cell *value, int places)
{
    char text[DEC_MAX_TEXT];

    if (value->kind == CELL_NUM && places != PLACES_ALL && value->exp < -places)
        buf_add(b, text, dec_format(dec_round(cell_dec(value), places), text));
    else
        cell_add_json(b, value);
}

void add_cell(struct buf *b, const char *key, const struct cell *value)
{
    json_add_key(b, key);
    cell_add_json(b, value);
}

void add_texts(struct buf *b, const char *key, const struct str *texts, size_t n)
{
    json_add_key(b, key);
    buf_add_char(b, '[');
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_add_char(b, ',');
        buf_add_json_str(b, texts[i]);
    }
    buf_add_char(b, ']');
}

void add_roi(struct buf *b, const struct cell *row)
{
    json_add_key(b, "roi");
    if (row[MARKET_ROI_TIMES].kind == CELL_NULL && row[MARKET_ROI_CURRENCY].kind == CELL_NULL &&
        row[MARKET_ROI_PERCENTAGE].kind == CELL_NULL) {
        buf_add_z(b, "null");
        return;
    }
    buf_add_z(b, "{\"times\":");
    cell_add_json(b, &row[MARKET_ROI_TIMES]);
    buf_add_z(b, ",\"currency\":");
    cell_add_json(b, &row[MARKET_ROI_CURRENCY]);
    buf_add_z(b, ",\"percentage\":");
    cell_add_json(b, &row[MARKET_ROI_PERCENTAGE]);
    buf_add_char(b, '}');
}

void add_sparkline(struct buf *b, const char *key, const struct cell *prices)
{
    json_add_key(b, key);
    buf_add_z(b, "{\"price\":");
    buf_add_str(b, prices->kind == CELL_TEXT ? cell_text(prices) : STR("[]"));
    buf_add_char(b, '}');
}

void add_image(struct buf *b, struct str url, const char *size)
{
    static const char large[] = "/large/";
    const char *part = url.p ? memmem(url.p, url.len, large, sizeof(large) - 1) : NULL;
    char whole[512];

    if (!part || url.len + strlen(size) >= sizeof(whole)) {
        buf_add_json_str(b, url);
        return;
    }
    const size_t head = (size_t)(part - url.p), tail = head + sizeof(large) - 1;
    const int len = snprintf(whole, sizeof(whole), "%.*s/%s/%.*s", (int)head, url.p, size,
                             (int)(url.len - tail), url.p + tail);
    buf_add_json_str(b, (struct str){whole, (size_t)len});
}

void add_images(struct buf *b, struct str url, bool has_large)
{
    static const char *const sizes[] = {"thumb", "small", "large"};

    json_add_key(b, "image");
    buf_add_char(b, '{');
    for (size_t i = 0; i < (has_large ? 3 : 2); i++) {
        json_add_key(b, sizes[i]);
        add_image(b, url, sizes[i]);
    }
    buf_add_char(b, '}');
}

void add_contracts(struct buf *b, const struct coin_info *info, bool has_own_chain)
{
    buf_add_char(b, '{');
    for (size_t i = 0; i < info->n_contracts; i++) {
        const struct coin_contract *contract = &info->contracts[i];
        if (contract->platform.len == 0 && !has_own_chain)
            continue;
        json_add_comma(b);
        buf_add_json_str(b, contract->platform);
        buf_add_char(b, ':');
        buf_add_json_str(b, contract->address);
    }
    buf_add_char(b, '}');
}
