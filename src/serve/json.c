/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/json.h"

void json_add_comma(struct buf *b)
{
    if (b->len > 0 && b->p[b->len - 1] != '{')
        buf_add_char(b, ',');
}

void json_add_key(struct buf *b, const char *key)
{
    json_add_comma(b);
    buf_add_char(b, '"');
    buf_add_z(b, key);
    buf_add_z(b, "\":");
}

void json_add_text(struct buf *b, const char *key, struct str text)
{
    json_add_key(b, key);
    if (text.p)
        buf_add_json_str(b, text);
    else
        buf_add_z(b, "null");
}
