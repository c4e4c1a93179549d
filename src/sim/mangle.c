/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/mangle.h"

/* One field whose value is no object, wherever it stands in the body. Our own writer made it: no
 * spaces, and quotes within strings are escaped, so that "key": can stand nowhere else. */
struct field {
    const char *key;            /* with quotes and colon */
    const char *name;           /* written in its place, likewise; NULL: it is left out */
    const char *before, *after; /* of a value that is not null */
};

/* Length of the scalar at p: none of the fields here is text. */
static size_t value_len(const char *p, const char *end)
{
    size_t len = 0;

    while (p + len < end && p[len] != ',' && p[len] != '}' && p[len] != ']')
        len++;
    return len;
}

/* The comma of a field that is left out: the one behind it, or in front of the last. */
static const char *skip_comma(struct buf *to, const char *p, const char *end)
{
    if (p < end && *p == ',')
        return p + 1;
    if (to->len > 0 && to->p[to->len - 1] == ',')
        to->len--;
    return p;
}

static void rewrite(struct buf *body, const struct field *f)
{
    const struct str key = str_of(f->key);
    struct buf to = BUF_INIT(body->max);
    const char *at = body->p, *end = body->p + body->len, *found;

    while (at && (found = memmem(at, (size_t)(end - at), key.p, key.len)) != NULL) {
        const struct str value = {found + key.len, value_len(found + key.len, end)};
        const bool is_null = str_eq(value, STR("null"));
        buf_add(&to, at, (size_t)(found - at));
        at = found + key.len;
        if (str_starts(value, STR("{")) || str_starts(value, STR("["))) {
            buf_add_str(&to, key);
            continue;
        }
        at += value.len;
        if (!f->name) {
            at = skip_comma(&to, at, end);
            continue;
        }
        buf_add_z(&to, f->name);
        buf_add_z(&to, is_null ? "" : f->before);
        buf_add_str(&to, value);
        buf_add_z(&to, is_null ? "" : f->after);
    }
    if (at)
        buf_add(&to, at, (size_t)(end - at));
    buf_release(body);
    *body = to;
}

/* Put `text` in front of what stands at `at`. */
static void insert(struct buf *body, size_t at, struct str text)
{
    struct buf to = BUF_INIT(body->max);

    buf_add(&to, body->p, at);
    buf_add_str(&to, text);
    buf_add(&to, body->p + at, body->len - at);
    buf_release(body);
    *body = to;
}

void mangle_new_field(struct buf *body)
{
    rewrite(body, &(struct field){"\"symbol\":", "\"liquidity_score\":12.5,\"symbol\":", "", ""});
}

void mangle_missing_field(struct buf *body)
{
    rewrite(body, &(struct field){"\"fully_diluted_valuation\":", NULL, "", ""});
}

void mangle_renamed_field(struct buf *body)
{
    rewrite(body, &(struct field){"\"total_volume\":", "\"volume_24h\":", "", ""});
}

void mangle_retyped_field(struct buf *body)
{
    rewrite(body, &(struct field){"\"total_supply\":", "\"total_supply\":", "{\"value\":", "}"});
}

void mangle_strings(struct buf *body)
{
    rewrite(body, &(struct field){"\"current_price\":", "\"current_price\":", "\"", "\""});
    rewrite(body, &(struct field){"\"market_cap\":", "\"market_cap\":", "\"", "\""});
    rewrite(body, &(struct field){"\"total_volume\":", "\"total_volume\":", "\"", "\""});
}

void mangle_bom(struct buf *body)
{
    insert(body, 0, STR("\xEF\xBB\xBF"));
}

void mangle_utf8(struct buf *body)
{
    const char *name = body->p ? memmem(body->p, body->len, "\"name\":\"", 8) : NULL;

    if (name)
        insert(body, (size_t)(name - body->p) + 8, STR("Caf\xE9 "));
}
