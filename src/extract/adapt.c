/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/adapt.h"

#include "base/clock.h"
#include "base/http_client.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <xxhash.h>

#define MAX_PIECES  (1u << 17) /* a sweep of all coins has some 20,000 */
#define MAX_SHARED  (86400 * INT64_C(7))
#define WIDEN       2   /* times at once, at most */
#define MOVES_SHARE 0.5 /* of the pieces is new: the market moves */

void adapt_release(struct adapt *a)
{
    mem_free(a->known.all);
    mem_free(a->seen.all);
}

void adapt_begin(struct adapt *a)
{
    a->seen.n = 0;
    a->same_until_us = INT64_MAX;
}

/* Those beyond the bound share the last place. */
static void add_piece(struct adapt_pieces *p, uint64_t hash)
{
    if (p->n == MAX_PIECES) {
        p->all[MAX_PIECES - 1] ^= hash;
        return;
    }
    if (p->n == p->max) {
        p->max = p->max > 0 ? 2 * p->max : 256;
        p->all = mem_grow(p->all, p->max, sizeof(p->all[0]));
    }
    p->all[p->n++] = hash;
}

void adapt_see(struct adapt *a, struct str headers, struct str body, int64_t now_us)
{
    const int64_t same_us = now_us + adapt_same_for_us(headers);

    while (body.len > 0) {
        const char *end = body.len > 1 ? memchr(body.p + 1, '{', body.len - 1) : NULL;
        const size_t len = end ? (size_t)(end - body.p) : body.len;
        add_piece(&a->seen, XXH3_64bits(body.p, len));
        body = (struct str){body.p + len, body.len - len};
    }
    if (same_us < a->same_until_us) /* one page that is new is worth a poll */
        a->same_until_us = same_us;
}

static int compare(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Of those seen; both are sorted. */
static size_t count_new(const struct adapt_pieces *known, const struct adapt_pieces *seen)
{
    size_t n = 0, k = 0;

    for (size_t i = 0; i < seen->n; i++) {
        while (k < known->n && known->all[k] < seen->all[i])
            k++;
        n += k == known->n || known->all[k] != seen->all[i];
    }
    return n;
}

/* Where a share of the rows changes in each slot, rows are known freshest at a price when the polls
 * are as many as the root of that share: four times as many changes, twice as many polls. */
double adapt_stride(double apart, size_t n_new, size_t n)
{
    const double most = WIDEN * apart;

    if (n_new == 0)
        return most;
    if ((double)n_new >= MOVES_SHARE * (double)n)
        return 1;
    const double stride = round(sqrt(apart * (double)n / (double)n_new));
    return stride < 1 ? 1 : stride < most ? stride : most;
}

int64_t adapt_settle(struct adapt *a, int64_t slot_us, int64_t least_us, int64_t most_us)
{
    const int64_t most = most_us / least_us;
    const int64_t apart_us = slot_us - a->known_slot_us;
    double stride = 1;

    if (a->seen.n > 0)
        qsort(a->seen.all, a->seen.n, sizeof(a->seen.all[0]), compare);
    if (a->known_slot_us != 0) {
        double apart = (double)apart_us / (double)least_us;
        apart = apart < 1 ? 1 : apart < (double)most ? apart : (double)most;
        stride = adapt_stride(apart, count_new(&a->known, &a->seen), a->seen.n);
    }
    const struct adapt_pieces before = a->known;
    a->known = a->seen;
    a->seen = before;
    a->known_slot_us = slot_us;
    int64_t next_us = slot_us + (int64_t)(stride * (double)least_us);
    if (next_us < a->same_until_us)
        next_us = a->same_until_us;
    return next_us < slot_us + most * least_us ? next_us : slot_us + most * least_us;
}

/* "s-maxage=60" among the words of Cache-Control; -1: it is not there. */
static int64_t seconds_of(struct str control, struct str name)
{
    struct str word;
    int64_t seconds;

    while (control.len > 0) {
        str_cut(&control, ',', &word);
        struct str value = str_trim(word), key;
        if (str_cut(&value, '=', &key) && str_eq(key, name) &&
            str_to_i64(value, 0, MAX_SHARED, &seconds))
            return seconds;
    }
    return -1;
}

static bool has_word(struct str control, struct str name)
{
    struct str word;

    while (control.len > 0) {
        str_cut(&control, ',', &word);
        if (str_eq(str_trim(word), name))
            return true;
    }
    return false;
}

/* An answer older than it may be is about to be made anew: nothing is known of it. */
int64_t adapt_same_for_us(struct str headers)
{
    static const char *const never[] = {"DYNAMIC", "BYPASS", "STALE", "UPDATING"};
    static const char *const words[] = {"private", "no-store", "no-cache"};
    const struct str control = http_answer_header(headers, "cache-control");
    const struct str status = http_answer_header(headers, "cf-cache-status");
    int64_t age = 0;

    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
        if (str_eq(status, str_of(never[i])))
            return 0;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (has_word(control, str_of(words[i])))
            return 0;
    int64_t seconds = seconds_of(control, STR("s-maxage"));
    if (seconds < 0)
        seconds = seconds_of(control, STR("max-age"));
    if (!str_to_i64(http_answer_header(headers, "age"), 0, MAX_SHARED, &age))
        age = 0;
    return seconds > age ? (seconds - age) * US_PER_S : 0;
}
