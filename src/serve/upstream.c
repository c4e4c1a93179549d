/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/upstream.h"

#include "base/clock.h"
#include "base/http_client.h"
#include "base/mem.h"
#include "base/metric.h"
#include "serve/api_v3.h"
#include "serve/page.h"
#include "serve/request.h"
#include "serve/upstream_paths.h"

#include <pthread.h>
#include <stdio.h>
#include <strings.h>
#include <sys/queue.h>
#include <xxhash.h>

#define MAX_ENTRIES 1024
#define MAX_BYTES   ((size_t)64 * 1024 * 1024)
#define MAX_TARGET  2000 /* bytes: servers answer 414 beyond theirs */
#define N_BUCKETS   512

/* How long a caller waits for a fresh answer: long, or, when there is an older one, not for long.
 */
#define PATIENCE_US       (20 * US_PER_S)
#define PATIENCE_OLDER_US (3 * US_PER_S)
#define BEGIN_US          (15 * US_PER_S) /* no call is begun that nobody is likely to wait for */

#define LONGEST_OWN_US \
    (60 * US_PER_S)                 /* that an answer's own max-age is believed: as CoinGecko's */
#define AHEAD_US   (120 * US_PER_S) /* that clocks may differ: what was seen later is not fresh */
#define REFUSED_US (60 * US_PER_S)  /* a request that was wrong is not asked again for so long */
#define TROUBLE_US (2 * US_PER_S)   /* nor one that upstream had trouble with */

/* Where it is known for how long there is trouble, a refusal is told again for so long, but no
 * longer than this: the Retry-After in it grows old. */
#define LIMITED_US (5 * US_PER_S)

/* What callers are told to wait for at most: by then a budget may have been raised. */
#define LONGEST_WAIT_US (3600 * US_PER_S)

#define LOST_US (120 * US_PER_S) /* a call that was never told of */

/* As RFC 7234, 5.5 has them; of our own answers nobody knows whether upstream would say more. */
static const char stale[] = "110 geckotape \"Response is Stale\"";
static const char unsure[] = "199 geckotape \"The API could not be asked; this is what is here\"";

/* What is known of a target. */
struct entry {
    TAILQ_ENTRY(entry) age;  /* in `all`, asked for longest ago first */
    LIST_ENTRY(entry) place; /* in its bucket */
    uint64_t hash;
    uint64_t ticket;  /* of the call under way; 0: there is none */
    int64_t asked_us; /* when it was asked for; monotonic */

    struct http_page *good; /* the last answer that was data; NULL: there was none */
    uint64_t good_ticket;   /* of the call that brought it */
    int64_t good_us;        /* when it was made, by upstream's word; monotonic */
    int64_t good_wall_us;
    int64_t own_until_us; /* so long upstream would say the same; monotonic */

    struct http_page *bad; /* the last call brought this instead; NULL: it did not */
    bool is_wrong;         /* as it would for ever: the request itself is wrong */
    int64_t bad_until_us;  /* … and will so long; monotonic */

    size_t len;
    char target[];
};

/* What was told, and not yet taken in. */
struct told {
    STAILQ_ENTRY(told) link;
    uint64_t ticket;
    struct serve_fetched fetched; /* its texts are below */
    char error[256];
    char texts[];
};

TAILQ_HEAD(entry_ages, entry);
LIST_HEAD(entry_bucket, entry);
STAILQ_HEAD(told_list, told);

struct upstream {
    struct serve_upstream setup;
    struct replies *replies; /* of the server's requests */
    size_t n;
    struct entry_ages all;
    struct entry_bucket buckets[N_BUCKETS];

    pthread_mutex_t lock;
    struct told_list told; /* under the lock */
};

/* ---- entries ---- */

struct upstream *upstream_new(const struct serve_upstream *setup)
{
    struct upstream *u = mem_new(1, sizeof(*u));

    u->setup = *setup;
    TAILQ_INIT(&u->all);
    STAILQ_INIT(&u->told);
    pthread_mutex_init(&u->lock, NULL);
    return u;
}

static void set_page(struct http_page **to, struct http_page *page)
{
    if (*to) {
        page_set_kept(*to, false);
        page_drop(*to);
    }
    *to = page;
    if (page)
        page_set_kept(page, true);
}

static void drop(struct upstream *u, struct entry *entry)
{
    TAILQ_REMOVE(&u->all, entry, age);
    LIST_REMOVE(entry, place);
    u->n--;
    set_page(&entry->good, NULL);
    set_page(&entry->bad, NULL);
    mem_free(entry);
}

void upstream_clear(struct upstream *u)
{
    while (!TAILQ_EMPTY(&u->all))
        drop(u, TAILQ_FIRST(&u->all));
}

void upstream_free(struct upstream *u)
{
    struct told *told;

    if (!u)
        return;
    upstream_clear(u);
    while ((told = STAILQ_FIRST(&u->told)) != NULL) {
        STAILQ_REMOVE_HEAD(&u->told, link);
        mem_free(told);
    }
    pthread_mutex_destroy(&u->lock);
    mem_free(u);
}

static size_t bytes_of_all(const struct upstream *u)
{
    const struct entry *entry;
    size_t n = 0;

    TAILQ_FOREACH(entry, &u->all, age)
    n += (entry->good ? page_bytes(entry->good) : 0) + (entry->bad ? page_bytes(entry->bad) : 0);
    return n;
}

/* Those that wait for a call are not dropped: there are few. */
static void make_room(struct upstream *u)
{
    size_t bytes = bytes_of_all(u);
    struct entry *entry = TAILQ_FIRST(&u->all), *next;

    for (; entry && (u->n > MAX_ENTRIES || bytes > MAX_BYTES); entry = next) {
        next = TAILQ_NEXT(entry, age);
        if (entry->ticket != 0 || next == NULL)
            continue;
        drop(u, entry);
        bytes = bytes_of_all(u);
    }
}

/* The target's entry, made where it is new; NULL when there is no memory. */
static struct entry *find_entry(struct upstream *u, struct str target)
{
    const uint64_t hash = XXH3_64bits(target.p, target.len);
    struct entry_bucket *bucket = &u->buckets[hash % N_BUCKETS];
    struct entry *entry;

    LIST_FOREACH(entry, bucket, place)
    if (entry->hash == hash && str_eq(target, (struct str){entry->target, entry->len})) {
        TAILQ_REMOVE(&u->all, entry, age);
        TAILQ_INSERT_TAIL(&u->all, entry, age);
        return entry;
    }
    entry = mem_try(NULL, sizeof(*entry) + target.len);
    if (!entry)
        return NULL;
    *entry = (struct entry){.hash = hash, .len = target.len};
    memcpy(entry->target, target.p, target.len);
    TAILQ_INSERT_TAIL(&u->all, entry, age);
    LIST_INSERT_HEAD(bucket, entry, place);
    u->n++;
    make_room(u);
    return entry;
}

/* ---- what the caller accepts ---- */

struct wish {
    int64_t max_age_us;
    bool is_only_cached;
};

static struct wish read_wish(const struct upstream *u, const struct http_request *req)
{
    struct wish wish = {.max_age_us = u->setup.max_age_us};
    struct str words = http_header(req, "Cache-Control"), word, name;
    int64_t seconds;

    while (words.len > 0) {
        str_cut(&words, ',', &word);
        struct str value = str_trim(word);
        str_cut(&value, '=', &name);
        name = str_trim(name);
        if (name.len == 7 && strncasecmp(name.p, "max-age", 7) == 0 &&
            str_to_i64(str_trim(value), 0, 365 * 86400, &seconds))
            wish.max_age_us = seconds * US_PER_S;
        else if (name.len == 8 && (strncasecmp(name.p, "no-cache", 8) == 0 ||
                                   strncasecmp(name.p, "no-store", 8) == 0))
            wish.max_age_us = 0;
        else if (name.len == 14 && strncasecmp(name.p, "only-if-cached", 14) == 0)
            wish.is_only_cached = true;
    }
    return wish;
}

/* ---- answers ---- */

static const struct http_response *head_of(const struct http_response *res)
{
    return res->page ? page_head(res->page) : res;
}

/* In place of our own answer. */
static void take_page(struct http_response *res, struct http_page *page, const char *warning)
{
    struct http_page *own = res->page;

    res->page = page_share(page);
    page_warn(page, warning);
    page_drop(own);
    buf_release(&res->body);
}

static void warn_own(struct http_response *res, const char *warning)
{
    if (res->page)
        page_warn(res->page, warning);
    else if (warning)
        http_add_header(res, "Warning", "%s", warning);
}

static void add_retry_after(struct http_response *res, int64_t wait_us)
{
    const int64_t us = wait_us < LONGEST_WAIT_US ? wait_us : LONGEST_WAIT_US;
    const int64_t wait_s = (us + US_PER_S - 1) / US_PER_S;

    http_add_header(res, "Retry-After", "%lld", (long long)(wait_s > 0 ? wait_s : 1));
}

/* In place of our own answer too: why there is none. */
static void refuse(struct http_response *res, int status, int64_t wait_us, const char *fmt, ...)
    PRINTF(4, 5);
static void refuse(struct http_response *res, int status, int64_t wait_us, const char *fmt, ...)
{
    char why[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    page_drop(res->page);
    buf_release(&res->body);
    *res = (struct http_response){.status = status,
                                  .content_type = "application/json; charset=utf-8",
                                  .body = BUF_INIT(HTTP_MAX_BODY)};
    http_add_header(res, "Cache-Control", "no-cache");
    api_v3_add_origin(res);
    if (status == 429 || status == 503)
        add_retry_after(res, wait_us);
    if (status == 429) /* as CoinGecko says it */
        buf_add_z(&res->body, "{\"status\":{\"error_code\":429,\"error_message\":");
    else
        buf_add_z(&res->body, "{\"error\":");
    buf_add_json_str(&res->body, str_of(why));
    buf_add_z(&res->body, status == 429 ? "}}" : "}");
}

/* There can be no call, or it brought no data: the newest of what is there, else why. entry may be
 * NULL. */
static void fall_back(struct http_response *res, struct entry *entry, const char *why)
{
    const struct http_response *own = head_of(res);
    const bool has_own = own->status == 200 && own->part != ANSWER_LACKS;
    const int64_t own_us = own->part == ANSWER_WHOLE ? own->seen_us : own->as_of_us;

    metric_add(METRIC_UPSTREAM_ANSWERS, "stale", NULL, 1);
    if (entry && entry->bad && entry->is_wrong)
        take_page(res, entry->bad, NULL);
    else if (entry && entry->good && (!has_own || own_us <= entry->good_wall_us))
        take_page(res, entry->good, stale);
    else if (has_own)
        warn_own(res, own->part == ANSWER_WHOLE ? stale : unsure);
    else if (entry && entry->bad)
        take_page(res, entry->bad, NULL);
    else
        refuse(res, 429, TROUBLE_US, "%s", why);
}

static bool is_fresh(const struct entry *entry, int64_t max_age_us, int64_t now_us)
{
    return entry->good && (now_us < entry->own_until_us || now_us - entry->good_us <= max_age_us);
}

/* Ask for it, or join those who did. */
static void call(struct upstream *u, struct entry *entry, struct http_response *res)
{
    const struct http_response *own = head_of(res);
    const bool has_older = entry->good || (own->status == 200 && own->part != ANSWER_LACKS);
    const int64_t now_us = clock_mono_us(clock_system());
    uint64_t ticket = now_us - entry->asked_us < LOST_US ? entry->ticket : 0;

    if (ticket == 0) {
        entry->asked_us = now_us;
        ticket = u->setup.fetch(u->setup.ctx, (struct str){entry->target, entry->len}, BEGIN_US);
    }
    if (ticket == 0) {
        fall_back(res, entry, "too many requests wait for the API already; try again");
        return;
    }
    entry->ticket = ticket;
    page_drop(res->page);
    res->page = NULL;
    res->wait_for = ticket;
    res->wait_us = has_older ? PATIENCE_OLDER_US : PATIENCE_US;
}

static void answer_by(struct upstream *u, const struct http_request *req, struct entry *entry,
                      const struct wish *wish, struct http_response *res)
{
    const int64_t now_us = clock_mono_us(clock_system());
    const bool has_waited = http_waited_for(req) != 0;
    const bool is_brought = has_waited && entry->good_ticket >= http_waited_for(req);

    if (is_brought || is_fresh(entry, wish->max_age_us, now_us)) {
        metric_add(METRIC_UPSTREAM_ANSWERS, has_waited ? "fetched" : "kept", NULL, 1);
        take_page(res, entry->good, NULL);
    } else if (entry->bad && (has_waited || now_us < entry->bad_until_us)) {
        fall_back(res, entry, "");
    } else if (has_waited) {
        fall_back(res, entry, "the API, or the limit of calls to it, takes too long; try again");
    } else if (wish->is_only_cached) {
        if (entry->good)
            fall_back(res, entry, "");
        else if (head_of(res)->status != 200)
            refuse(res, 504, 0, "only-if-cached: there is no answer to this yet");
    } else {
        call(u, entry, res);
    }
}

void upstream_answer(struct upstream *u, const struct http_request *req, struct http_response *res)
{
    const struct wish wish = read_wish(u, req);
    const int64_t wall_us = clock_wall_us(clock_system());
    struct buf target = BUF_INIT(MAX_TARGET);
    const struct http_response *own = head_of(res);

    u->replies = req->replies;
    warn_own(res, NULL);
    if (own->status == 422 || !upstream_write_target(req, &target)) {
        metric_add(METRIC_UPSTREAM_ANSWERS, "own", NULL, 1);
    } else if (own->part == ANSWER_WHOLE && wall_us - own->seen_us <= wish.max_age_us &&
               own->seen_us - wall_us <= AHEAD_US) {
        metric_add(METRIC_UPSTREAM_ANSWERS, "own", NULL, 1);
    } else if (target.is_overflow) {
        if (own->status != 200 || own->part == ANSWER_LACKS)
            refuse(res, 414, 0, "this is too long to be asked upstream: %d bytes at most",
                   MAX_TARGET);
    } else {
        struct entry *entry = find_entry(u, buf_str(&target));
        if (entry)
            answer_by(u, req, entry, &wish, res);
        else
            fall_back(res, NULL, "no memory for this; try again");
    }
    buf_release(&target);
}

/* ---- what comes back ---- */

void upstream_tell(struct upstream *u, uint64_t ticket, const struct serve_fetched *fetched)
{
    const size_t n_headers = fetched->headers.len, n_body = fetched->body.len;
    struct told *told = mem_try(NULL, sizeof(*told) + n_headers + n_body);

    if (!told) /* who waits for it gives up in time */
        return;
    *told = (struct told){.ticket = ticket, .fetched = *fetched};
    snprintf(told->error, sizeof(told->error), "%s", fetched->error ? fetched->error : "");
    if (n_headers > 0)
        memcpy(told->texts, fetched->headers.p, n_headers);
    if (n_body > 0)
        memcpy(told->texts + n_headers, fetched->body.p, n_body);
    told->fetched.headers = (struct str){told->texts, n_headers};
    told->fetched.body = (struct str){told->texts + n_headers, n_body};
    told->fetched.error = told->error;
    pthread_mutex_lock(&u->lock);
    STAILQ_INSERT_TAIL(&u->told, told, link);
    pthread_mutex_unlock(&u->lock);
}

/* Seconds of a directive of Cache-Control; 0: it has none, or forbids to keep it. */
static int64_t own_max_age_s(struct str headers)
{
    struct str words = http_answer_header(headers, "cache-control"), word, name;
    int64_t seconds, max_age_s = 0;

    while (words.len > 0) {
        str_cut(&words, ',', &word);
        struct str value = str_trim(word);
        str_cut(&value, '=', &name);
        if (str_eq(name, STR("no-store")) || str_eq(name, STR("no-cache")))
            return 0;
        if (str_eq(name, STR("max-age")) && str_to_i64(str_trim(value), 0, 86400, &seconds))
            max_age_s = seconds;
    }
    return max_age_s;
}

static void copy_header(struct http_response *res, struct str headers, const char *name)
{
    const struct str value = http_answer_header(headers, name);

    if (value.len > 0 && value.len < sizeof(res->headers[0].value))
        http_add_header(res, name, "%.*s", STR_ARG(value));
}

/* Upstream's answer as one of ours: its bytes as they are. What is not JSON is shown as text: a
 * page of somebody else's is none of this host's. */
static struct http_page *make_page(const struct upstream *u, const struct serve_fetched *f,
                                   int64_t as_of_us)
{
    const struct str type = http_answer_header(f->headers, "content-type");
    const bool is_json = type.p && memmem(type.p, type.len, "json", 4);
    struct http_response res = {.status = f->status,
                                .content_type = is_json ? "application/json; charset=utf-8"
                                                        : "text/plain; charset=utf-8",
                                .body = BUF_INIT(HTTP_MAX_BODY),
                                .as_of_us = as_of_us};

    http_add_header(&res, "Cache-Control", "no-cache");
    api_v3_add_origin(&res);
    copy_header(&res, f->headers, "per-page");
    copy_header(&res, f->headers, "total");
    if (f->status == 429 || f->status == 503)
        add_retry_after(&res, f->wait_us);
    buf_add_str(&res.body, f->body);
    struct http_page *page = res.body.is_overflow ? NULL : page_new(u->replies, &res);
    buf_release(&res.body);
    return page;
}

/* Why there was no answer, in the same place. */
static struct http_page *make_refusal(const struct upstream *u, const struct serve_fetched *f)
{
    struct http_response res = {.body = BUF_INIT(HTTP_MAX_BODY)};

    switch (f->end) {
    case SERVE_NO_TURN:
        refuse(&res, 429, f->wait_us, "You've exceeded the Rate Limit: %s", f->error);
        break;
    case SERVE_NOT_KEPT:
        refuse(&res, 503, TROUBLE_US, "the answer cannot be kept, and so is not told: %s",
               f->error);
        break;
    case SERVE_STOPPED:
        refuse(&res, 503, TROUBLE_US, "this server is about to stop");
        break;
    case SERVE_NO_ANSWER:
    case SERVE_ANSWERED:
        if (f->is_good)
            refuse(&res, 503, TROUBLE_US, "no memory for the answer; try again");
        else
            refuse(&res, 502, 0, "no answer from the API: %s", f->error);
        break;
    }
    return page_new(u->replies, &res);
}

/* False: there is no memory for it; what was there before stays, as old as it is. */
static bool take_good(const struct upstream *u, struct entry *entry, uint64_t ticket,
                      const struct serve_fetched *f, int64_t now_us)
{
    const int64_t wall_us = clock_wall_us(clock_system());
    int64_t age_s = 0, own_us = own_max_age_s(f->headers) * US_PER_S;

    if (!str_to_i64(http_answer_header(f->headers, "age"), 0, 7 * 86400, &age_s))
        age_s = 0;
    own_us = own_us < LONGEST_OWN_US ? own_us : LONGEST_OWN_US;
    struct http_page *page = make_page(u, f, wall_us - age_s * US_PER_S);
    if (!page)
        return false;
    set_page(&entry->good, page);
    set_page(&entry->bad, NULL);
    entry->good_ticket = ticket;
    entry->good_us = now_us - age_s * US_PER_S;
    entry->good_wall_us = wall_us - age_s * US_PER_S;
    entry->own_until_us = entry->good_us + own_us;
    return true;
}

static void take_told(struct upstream *u, struct entry *entry, const struct serve_fetched *f)
{
    const int64_t now_us = clock_mono_us(clock_system());
    /* a page of somebody else's that calls itself 200 is no answer */
    const bool is_answer =
        f->end == SERVE_ANSWERED && (f->is_good || (f->status >= 400 && f->status <= 599));

    const uint64_t ticket = entry->ticket;

    entry->ticket = 0;
    entry->is_wrong = is_answer && (f->status == 400 || f->status == 404 || f->status == 422);
    if (is_answer && f->is_good && take_good(u, entry, ticket, f, now_us))
        return;
    set_page(&entry->bad, is_answer && !f->is_good ? make_page(u, f, 0) : make_refusal(u, f));
    entry->bad_until_us = now_us + (entry->is_wrong ? REFUSED_US : TROUBLE_US);
    if (!entry->is_wrong && f->wait_us > TROUBLE_US)
        entry->bad_until_us = now_us + (f->wait_us < LIMITED_US ? f->wait_us : LIMITED_US);
}

void upstream_tick(struct upstream *u, struct http_server *http)
{
    struct told_list all = STAILQ_HEAD_INITIALIZER(all);
    struct entry *entry;
    struct told *told;

    pthread_mutex_lock(&u->lock);
    STAILQ_CONCAT(&all, &u->told);
    pthread_mutex_unlock(&u->lock);
    while ((told = STAILQ_FIRST(&all)) != NULL) {
        STAILQ_REMOVE_HEAD(&all, link);
        TAILQ_FOREACH(entry, &u->all, age)
        if (entry->ticket == told->ticket)
            take_told(u, entry, &told->fetched);
        make_room(u);
        http_resume(http, told->ticket);
        mem_free(told);
    }
}
