/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include "base/mem.h"

#include <stdio.h>

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf)BUF_INIT(max);
}

void buf_release(struct buf *b)
{
    size_t max = b->max;
    mem_free(b->p);
    buf_init(b, max);
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->is_overflow = false;
    if (b->p)
        b->p[0] = '\0';
}

char *buf_room(struct buf *b, size_t len)
{
    if (b->is_overflow || len > b->max - b->len) {
        b->is_overflow = true;
        return NULL;
    }
    size_t need = b->len + len + 1;
    if (need > b->cap) {
        size_t cap = b->cap < 64 ? 64 : b->cap;
        while (cap < need)
            cap += cap / 2;
        if (cap > b->max + 1)
            cap = b->max + 1;
        char *p = mem_try(b->p, cap);
        if (p == NULL) {
            b->is_overflow = true;
            return NULL;
        }
        b->p = p;
        b->cap = cap;
    }
    return b->p + b->len;
}

void buf_added(struct buf *b, size_t len)
{
    b->len += len;
    b->p[b->len] = '\0';
}

void buf_add(struct buf *b, const void *bytes, size_t len)
{
    char *at = buf_room(b, len);
    if (at == NULL)
        return;
    if (len > 0)
        memcpy(at, bytes, len);
    buf_added(b, len);
}

void buf_add_str(struct buf *b, struct str s)
{
    buf_add(b, s.p, s.len);
}

void buf_add_z(struct buf *b, const char *z)
{
    buf_add(b, z, strlen(z));
}

void buf_add_char(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_add_i64(struct buf *b, int64_t value)
{
    char digits[24], *at = digits + sizeof(digits);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do
        *--at = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (value < 0)
        *--at = '-';
    buf_add(b, at, (size_t)(digits + sizeof(digits) - at));
}

void buf_vaddf(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;

    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    char *at = n >= 0 ? buf_room(b, (size_t)n) : NULL;
    if (at == NULL)
        return;
    vsnprintf(at, (size_t)n + 1, fmt, ap);
    b->len += (size_t)n;
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    buf_vaddf(b, fmt, ap);
    va_end(ap);
}

static void add_escaped(struct buf *b, unsigned char c)
{
    if (c == '"' || c == '\\')
        buf_addf(b, "\\%c", c);
    else if (c == '\n')
        buf_add_z(b, "\\n");
    else
        buf_addf(b, "\\u%04x", c);
}

void buf_add_json_str(struct buf *b, struct str s)
{
    size_t at = 0;

    buf_add_char(b, '"');
    while (at < s.len) {
        size_t good = at + str_utf8_prefix((struct str){s.p + at, s.len - at});
        while (at < good) {
            size_t plain = at;
            while (plain < good && (unsigned char)s.p[plain] >= 0x20 && s.p[plain] != '"' &&
                   s.p[plain] != '\\')
                plain++;
            buf_add(b, s.p + at, plain - at);
            if (plain < good)
                add_escaped(b, (unsigned char)s.p[plain++]);
            at = plain;
        }
        if (at < s.len) {
            buf_add_z(b, "\xEF\xBF\xBD");
            at++;
        }
    }
    buf_add_char(b, '"');
}

/* Take the first character off s, as it may stand in a line for people. */
static struct str take_clean(struct str *s)
{
    struct str c = {s->p, 1};

    while (c.len <= 4 && c.len <= s->len && !str_is_utf8(c))
        c.len++;
    bool is_text = c.len <= 4 && c.len <= s->len;
    if (!is_text)
        c.len = 1;
    *s = (struct str){s->p + c.len, s->len - c.len};
    unsigned char lead = (unsigned char)c.p[0];
    if (lead == ' ' || (lead >= '\t' && lead <= '\r'))
        return STR(" ");
    bool is_c1 = lead == 0xC2 && is_text && (unsigned char)c.p[1] < 0xA0; /* U+0080 .. U+009F */
    return !is_text || lead < ' ' || lead == 0x7F || is_c1 ? STR("?") : c;
}

void buf_add_clean(struct buf *out, struct str s, size_t max)
{
    bool was_space = true;

    if (max > out->max - out->len)
        max = out->max - out->len;
    while (s.len > 0) {
        struct str c = take_clean(&s);
        bool is_space = c.p[0] == ' ';
        if (is_space && was_space)
            continue;
        if (c.len > max)
            break;
        buf_add_str(out, c);
        max -= c.len;
        was_space = is_space;
    }
}

enum st buf_check(const struct buf *b, const char *what, struct err *err)
{
    if (b->is_overflow)
        return err_set(err, ST_REJECT, "%s: more than %zu bytes, or no memory", what, b->max);
    return ST_OK;
}
