/* Borrowed byte strings: pointer and length, not NUL-terminated, not owned. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *p; /* NULL only when len is 0 */
    size_t len;    /* bytes */
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
#define STR_NONE     ((struct str){NULL, 0})
/* For printf: "%.*s", STR_ARG(s) */
#define STR_ARG(s) (int)((s).len > 4096 ? 4096 : (s).len), (s).p ? (s).p : ""

static inline struct str str_of(const char *z)
{
    return z ? (struct str){z, strlen(z)} : STR_NONE;
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* str_eq() that takes as long for a wrong guess as for a nearly right one. */
bool str_eq_secret(struct str guess, struct str secret);

/* Order by bytes, shorter first on a common prefix: <0, 0, >0. */
int str_cmp(struct str a, struct str b);

bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);

/* Cut s at the first `sep`: the part before goes to *ret_head, the part after stays in *s.
 * Returns false, with the whole of *s in *ret_head and *s empty, when there is no `sep`. */
bool str_cut(struct str *s, char sep, struct str *ret_head);

/* s without the spaces and control characters around it. */
struct str str_trim(struct str s);

/* Parse the whole of s as a decimal integer in [min, max]. */
bool str_to_i64(struct str s, int64_t min, int64_t max, int64_t *ret_value);

/* True when s is well-formed UTF-8 (no overlongs, surrogates, or values above U+10FFFF). */
bool str_is_utf8(struct str s);

/* Length in bytes of the longest well-formed UTF-8 prefix of s. */
size_t str_utf8_prefix(struct str s);

/* Undo %XX into `ret` of `size` bytes; false when it is malformed, holds U+0000 or has no room. */
bool str_percent_decode(struct str s, char *ret, size_t size);

/* Edit distance of two short words (<= 63 bytes each; longer: 64): for "did you mean". */
size_t str_distance(struct str a, struct str b);

#endif
