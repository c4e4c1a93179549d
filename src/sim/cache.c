/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/cache.h"

#include "base/clock.h"
#include "serve/etag.h"

#include <xxhash.h>

#define MAX_TARGET (64u * 1024)

/* Seconds: s-maxage as captured 2024-25 (on the public host where it was seen there), and the
 * period on which the documentation says data is updated. */
struct policy {
    const char *path;               /* below /api/v3; "*x": ends with x */
    unsigned public_max, pro_max;   /* s-maxage; 0: private */
    unsigned public_kept, pro_kept; /* 0: never */
};

static const struct policy policies[] = {
    {"/ping", 0, 0, 0, 0},
    {"/key", 0, 0, 0, 0},
    {"/global", 0, 0, 0, 0},
    {"/simple/price", 60, 30, 60, 20},
    {"/coins/markets", 60, 30, 60, 45},
    {"/coins/list", 300, 300, 300, 300},
    {"/coins/list/new", 30, 30, 30, 30},
    {"/coins/categories", 300, 300, 300, 300},
    {"*/market_chart", 30, 30, 30, 30},
    {"*/market_chart/range", 300, 300, 300, 300},
    {"*/ohlc", 1800, 1800, 900, 900},
    {"*/history", 1800, 1800, 1800, 1800},
    {"/search", 600, 600, 600, 600},
    {"/search/trending", 600, 600, 600, 600},
    {"*", 60, 60, 60, 60}, /* tickers, exchanges, vs_currencies; not seen: the others */
};

static const struct policy *find_policy(struct str path)
{
    const struct str root = STR("/api/v3");
    const struct policy *p = policies;

    if (str_starts(path, root))
        path = (struct str){path.p + root.len, path.len - root.len};
    for (;; p++) {
        const struct str want = str_of(p->path + (p->path[0] == '*'));
        const bool is_end = p->path[0] == '*' && path.len >= want.len &&
                            memcmp(path.p + path.len - want.len, want.p, want.len) == 0;
        if (is_end || str_eq(path, want))
            return p; /* the last is every path */
    }
}

static uint64_t hash_target(const struct http_request *req)
{
    struct buf target = BUF_INIT(MAX_TARGET);

    http_add_target(req, &target);
    const uint64_t hash = XXH3_64bits(buf_z(&target), target.len);
    buf_release(&target);
    return hash;
}

struct cached cache_meet(struct cache *c, const struct http_request *req, enum api_v3_host host,
                         bool is_kept, int64_t now_us)
{
    const struct policy *policy = find_policy(http_path(req));
    const bool is_pro = host == HOST_PRO;
    const int64_t kept_us =
        is_kept ? (is_pro ? policy->pro_kept : policy->public_kept) * US_PER_S : 0;
    struct cached cached = {.status = "MISS",
                            .s_maxage = is_pro ? policy->pro_max : policy->public_max};

    if (cached.s_maxage == 0)
        cached.status = "DYNAMIC";
    if (kept_us == 0)
        return cached;
    const uint64_t target = hash_target(req);
    const size_t slot = target % CACHE_SLOTS;
    if (c->slots[slot].target == target) {
        const int64_t age_us = now_us - c->slots[slot].made_us;
        const bool is_fresh = age_us >= 0 && age_us < kept_us; /* a clock may go backwards */
        cached.status = is_fresh ? "HIT" : "EXPIRED";
        cached.age_us = is_fresh ? age_us : 0;
    }
    c->slots[slot].target = target;
    c->slots[slot].made_us = now_us - cached.age_us;
    return cached;
}

void cache_label(const struct cached *cached, const struct http_request *req,
                 struct http_response *res)
{
    char etag[ETAG_TEXT];

    if (res->status != 200)
        return;
    etag_write(buf_str(&res->body), etag);
    http_add_header(res, "ETag", "%s", etag);
    if (cached->s_maxage > 0)
        http_add_header(res, "Cache-Control", "max-age=30, public, must-revalidate, s-maxage=%u",
                        cached->s_maxage);
    else
        http_add_header(res, "Cache-Control", "max-age=0, private, must-revalidate");
    http_add_header(res, "CF-Cache-Status", "%s", cached->status);
    if (strcmp(cached->status, "HIT") == 0 || cached->age_us > 0)
        http_add_header(res, "Age", "%lld", (long long)(cached->age_us / US_PER_S));
    if (etag_is_among(http_header(req, "If-None-Match"), etag)) {
        buf_clear(&res->body);
        res->status = 304;
    }
}
