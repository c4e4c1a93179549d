/* Growing bytes with a mandatory ceiling.
 *
 * An append that would pass the ceiling, or that finds no memory, drops its bytes and marks the
 * buffer as overflowed; every later append does nothing. So a formatter appends freely and asks
 * once at its end: buf_check().
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/err.h"
#include "base/str.h"

#include <stdarg.h>

struct buf {
    char *p; /* NULL until the first append; otherwise a NUL stands at p[len] */
    size_t len, cap;
    size_t max;       /* ceiling of len in bytes */
    bool is_overflow; /* an append was dropped */
};

#define BUF_INIT(ceiling) {.p = NULL, .len = 0, .cap = 0, .max = (ceiling), .is_overflow = false}

void buf_init(struct buf *b, size_t max);
void buf_release(struct buf *b); /* frees; the ceiling stays, the buffer can be used again */
void buf_clear(struct buf *b);   /* len = 0, keeps the memory, forgets an overflow */

void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_add_str(struct buf *b, struct str s);
void buf_add_z(struct buf *b, const char *z);
void buf_add_char(struct buf *b, char c);
void buf_add_i64(struct buf *b, int64_t value);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_vaddf(struct buf *b, const char *fmt, va_list ap) PRINTF(2, 0);

/* Append s as a JSON string with its quotes; ill-formed UTF-8 becomes U+FFFD. */
void buf_add_json_str(struct buf *b, struct str s);

/* Append at most max bytes of s as one line that can steer no terminal: cut at a character, runs of
 * white space as one space, control characters and what is no UTF-8 as '?'. */
void buf_add_clean(struct buf *b, struct str s, size_t max);

/* Make room for `len` more bytes and return where they go; NULL on overflow. Then buf_added(). */
char *buf_room(struct buf *b, size_t len);
void buf_added(struct buf *b, size_t len);

/* ST_OK, or ST_REJECT naming `what` and the ceiling when anything was dropped. */
enum st buf_check(const struct buf *b, const char *what, struct err *err) MUST_USE;

static inline struct str buf_str(const struct buf *b)
{
    return (struct str){b->p, b->len};
}

/* The bytes as a C string; "" when empty. */
static inline const char *buf_z(const struct buf *b)
{
    return b->p ? b->p : "";
}

#endif
