/* Answers that are given again until the store changes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "serve/cache.h"
#include "serve/serve.h"
#include "tap.h"
#include "unit/serve/client.h"

#include <semaphore.h>

static struct status_snapshot snapshot;
static struct status *status;
static struct serve *serve;
static uint64_t version;
static unsigned n_looked; /* how often it was asked for */
static enum st version_st;
static unsigned n_asked; /* how often the store was asked for the market */
static int64_t known_us;
static size_t n_rows;
static bool is_held; /* the next answer waits until it is let go */
static sem_t held, let_go;

static enum st fake_version(struct query *q, uint64_t *ret_version, struct err *err)
{
    (void)q;
    *ret_version = version;
    n_looked++;
    return version_st == ST_OK ? ST_OK : err_set(err, version_st, "a.db: locked");
}

static enum st fake_known_at(struct query *q, struct str vs_currency, int64_t *ret_us,
                             struct err *err)
{
    (void)q, (void)err, (void)vs_currency;
    *ret_us = known_us;
    return ST_OK;
}

static enum st fake_market(struct query *q, const struct market_query *args, struct arena *arena,
                           struct rows *ret_rows, struct err *err)
{
    (void)q, (void)err;
    struct rows rows = {.table = &market_table, .n = args->n_ids > 0 ? args->n_ids : n_rows};

    if (is_held) {
        is_held = false;
        sem_post(&held);
        sem_wait(&let_go);
    }
    rows.cells = arena_zalloc(arena, rows.n * N_MARKET_COLUMNS, sizeof(*rows.cells));
    for (size_t i = 0; i < rows.n; i++) {
        rows_at(&rows, i)[MARKET_ID] =
            cell_of_text(args->n_ids > 0 ? args->ids[i] : STR("bitcoin"));
        rows_at(&rows, i)[MARKET_CURRENT_PRICE] = cell_of_int(++n_asked);
    }
    *ret_rows = rows;
    return ST_OK;
}

static enum st fake_currencies(struct query *q, struct arena *arena, struct str **ret_currencies,
                               size_t *ret_n, struct err *err)
{
    static struct str usd[] = {STR("usd")};

    (void)q, (void)arena, (void)err;
    *ret_currencies = usd;
    *ret_n = 1;
    return ST_OK;
}

static const struct query_driver driver = {.market = fake_market,
                                           .currencies = fake_currencies,
                                           .version = fake_version,
                                           .known_at = fake_known_at};

static bool start(void)
{
    static struct query query = {.driver = &driver};
    struct serve_setup setup = {.address = "127.0.0.1", .query = &query};
    struct err err = ERR_INIT;

    setup.status = status = status_new(&snapshot);
    version = 1;
    version_st = ST_OK;
    n_asked = 0;
    known_us = 0;
    n_rows = 1;
    return serve_start(&setup, &serve, &err) == ST_OK;
}

static void stop(void)
{
    serve_stop(serve);
    status_free(status);
}

static struct client get(const char *target)
{
    return client_get(serve_port(serve), target, "");
}

#define PRICE "/api/v3/simple/price?ids=bitcoin&vs_currencies=usd"

static void an_answer_is_given_again_until_the_store_changes(void)
{
    static const char *const targets[] = {PRICE, "/api/v3/coins/markets?vs_currency=usd",
                                          "/api/market", "/api/market?vs_currency=usd"};
    char first[8192];

    CHECK(start());
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        struct client c = get(targets[i]);
        CHECK_EQ(client_status(&c), 200);
        snprintf(first, sizeof(first), "%.*s", STR_ARG(c.body));
        const unsigned n = n_asked;
        c = get(targets[i]);
        CHECK_STR(c.body, first);
        CHECK_EQ(n_asked, n);
        version++;
        c = get(targets[i]);
        CHECK_EQ(n_asked, n + 1);
        CHECK(!str_eq(c.body, str_of(first)));
    }
    stop();
}

static void requests_that_differ_in_anything_are_not_taken_for_each_other(void)
{
    static const char *const targets[] = {
        PRICE,
        "/api/v3/simple/price?vs_currencies=usd&ids=bitcoin",
        "/api/v3/simple/price?ids=bitcoin%26vs_currencies%3Dusd&vs_currencies=usd",
        "/api/v3/simple/price?ids=bitcoin&vs_currencies=usd&precision=2",
        "/api/v3/simple/price?ids=bitcoin%22%22&vs_currencies=usd",
        "/api/v3/simple/price?ids=bitcoin,&vs_currencies=usd",
        "/api/v3/simple/price/?ids=bitcoin&vs_currencies=usd",
    };

    CHECK(start());
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        const unsigned n = n_asked;
        struct client c = get(targets[i]);
        CHECK_EQ(client_status(&c), 200);
        CHECK_EQ(n_asked, n + 1);
    }
    stop();
}

static void ask(int fd, const char *target)
{
    char request[256];

    int len = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: t\r\n\r\n", target);
    client_send(fd, (struct str){request, (size_t)len});
}

/* They all come while the server is busy, and none of them is answered as of before. */
static void requests_that_come_together_take_one_look_at_the_store(void)
{
    enum { N = 8 };
    int all[N];
    char before[256];

    CHECK(start());
    sem_init(&held, 0, 0);
    sem_init(&let_go, 0, 0);
    for (int i = 0; i < N; i++) {
        all[i] = client_connect(serve_port(serve));
        ask(all[i], PRICE);
        struct client c = client_read(all[i], false);
        snprintf(before, sizeof(before), "%.*s", STR_ARG(c.body));
    }
    is_held = true;
    int busy = client_connect(serve_port(serve));
    ask(busy, PRICE "&precision=2");
    sem_wait(&held);
    version++;
    n_looked = 0;
    for (int i = 0; i < N; i++)
        ask(all[i], PRICE);
    sem_post(&let_go);
    for (int i = 0; i < N; i++) {
        struct client c = client_read(all[i], false);
        CHECK_EQ(client_status(&c), 200);
        CHECK(!str_eq(c.body, str_of(before)));
    }
    CHECK_EQ(n_looked, 1);
    for (int i = 0; i < 2; i++) {
        get(PRICE); /* by a new connection, whose request may come later than the look */
        CHECK_EQ(n_looked, 2 + i);
    }
    version++;
    ask(all[0], PRICE);
    struct client c = client_read(all[0], false);
    snprintf(before, sizeof(before), "%.*s", STR_ARG(c.body));
    version++;
    ask(all[0], PRICE);
    c = client_read(all[0], false);
    CHECK(!str_eq(c.body, str_of(before)));
    for (int i = 0; i < N; i++)
        close(all[i]);
    close(busy);
    stop();
}

static void an_answer_under_way_outlives_the_version_it_is_of(void)
{
    CHECK(start());
    n_rows = 12000; /* more than sockets take */
    int slow = client_connect(serve_port(serve));
    ask(slow, "/api/v3/coins/markets?vs_currency=usd");
    char first;
    CHECK_EQ(recv(slow, &first, 1, MSG_PEEK), 1);
    version++;
    struct client c = get("/api/v3/coins/markets?vs_currency=usd");
    CHECK_EQ(client_status(&c), 200);
    c = client_read(slow, false);
    CHECK_EQ(client_status(&c), 200);
    CHECK_EQ(c.all.len, client_answer_len(c.all, false));
    CHECK(strstr(c.body.p, "\"current_price\":12000,") != NULL);
    CHECK_EQ(c.body.p[c.body.len - 1], ']');
    close(slow);
    stop();
}

/* Answers that are kept, but for others than those which take them. */
static void what_slow_clients_take_is_bounded_also_where_answers_are_kept(void)
{
    enum { N = 24 };
    int greedy[N];
    char request[128];
    struct client c;

    CHECK(start());
    n_rows = 12000; /* some 8 MB */
    for (int i = 0; i < N; i++) {
        const int small = 4096;
        greedy[i] = client_connect(serve_port(serve));
        setsockopt(greedy[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
        snprintf(request, sizeof(request),
                 "GET /api/v3/coins/markets?vs_currency=usd&n=%d HTTP/1.1\r\nHost: t\r\n\r\n", i);
        client_send(greedy[i], str_of(request));
    }
    const struct timeval patience = {.tv_sec = 60}; /* all before it are made first */
    setsockopt(greedy[N - 1], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    c = client_read(greedy[N - 1], false);
    for (int i = 0; i < N; i++)
        close(greedy[i]);
    CHECK_EQ(client_status(&c), 503);
    stop();
}

static void nothing_is_kept_where_nobody_knows_of_changes(void)
{
    CHECK(start());
    version_st = ST_AGAIN;
    get(PRICE);
    get(PRICE);
    CHECK_EQ(n_asked, 2);
    stop();
}

static void refusals_are_not_kept(void)
{
    CHECK(start());
    for (int i = 0; i < 2; i++) {
        struct client c = get("/api/v3/simple/price?ids=bitcoin");
        CHECK_EQ(client_status(&c), 422);
        c = get("/api/v3/nothing");
        CHECK_EQ(client_status(&c), 404);
    }
    stop();
}

static void an_answer_of_the_store_is_as_old_as_what_it_knows(void)
{
    char date[TIME_TEXT], line[64];

    CHECK(start());
    struct client c = get(PRICE);
    CHECK(!client_has(&c, "\r\nAge: "));
    version++;
    known_us = clock_wall_us(clock_system()) - 3600 * US_PER_S;
    c = get(PRICE);
    time_format_http(known_us, date);
    snprintf(line, sizeof(line), "\r\nLast-Modified: %s\r\n", date);
    CHECK(client_has(&c, line));
    CHECK(client_has(&c, "\r\nAge: 360"));
    stop();
}

static long age_of(const struct client *c)
{
    const char *line = memmem(c->all.p, c->all.len, "\r\nAge: ", 7);

    return line ? strtol(line + 7, NULL, 10) : -1;
}

static void a_kept_answer_grows_older(void)
{
    CHECK(start());
    known_us = clock_wall_us(clock_system()) - 9 * US_PER_S;
    struct client c = get(PRICE);
    const long first = age_of(&c);
    CHECK(first >= 9);
    usleep(1100000);
    c = get(PRICE);
    CHECK(age_of(&c) > first);
    CHECK_EQ(n_asked, 1);
    const char *line = memmem(c.all.p, c.all.len, "\r\nAge: ", 7);
    CHECK(line && !strstr(line + 1, "\r\nAge: "));
    stop();
}

/* ---- the cache itself ---- */

static struct replies replies;

static struct http_page *page_of(size_t n_bytes)
{
    struct http_response res = {.status = 200, .body = BUF_INIT(HTTP_MAX_BODY)};

    if (buf_room(&res.body, n_bytes))
        buf_added(&res.body, n_bytes);
    return page_new(&replies, &res);
}

static bool is_kept(struct cache *c, const char *key, int64_t now_us)
{
    struct http_page *page = cache_find(c, str_of(key), now_us);

    page_drop(page);
    return page != NULL;
}

static void keep(struct cache *c, const char *key, size_t n_bytes, int64_t until_us)
{
    struct http_page *page = page_of(n_bytes);

    cache_add(c, str_of(key), page, until_us);
    page_drop(page);
}

static void the_cache_has_bounds(void)
{
    struct cache *c = cache_new();
    char key[16];

    for (int i = 0; i < 600; i++) {
        snprintf(key, sizeof(key), "%d", i);
        keep(c, key, 100, INT64_MAX);
        CHECK(is_kept(c, "0", 0)); /* asked for, so it stays */
    }
    CHECK(!is_kept(c, "1", 0));
    CHECK(is_kept(c, "599", 0));
    CHECK_EQ(replies.pending_bytes, 0);
    keep(c, "big", 20 << 20, INT64_MAX);
    CHECK(is_kept(c, "599", 0));
    keep(c, "big2", 20 << 20, INT64_MAX);
    CHECK(!is_kept(c, "big", 0));
    CHECK(is_kept(c, "big2", 0));
    keep(c, "huge", 30 << 20, INT64_MAX); /* larger than all there is room for */
    CHECK(!is_kept(c, "huge", 0));
    cache_free(c);
    CHECK_EQ(replies.pending_bytes, 0);
}

static void the_cache_forgets_by_time_and_version(void)
{
    struct cache *c = cache_new();

    cache_set_version(c, 7);
    keep(c, "a", 10, 1000);
    keep(c, "a", 11, 2000); /* in place of the other */
    CHECK(is_kept(c, "a", 1999));
    CHECK(!is_kept(c, "a", 2000));
    keep(c, "b", 10, INT64_MAX);
    cache_set_version(c, 7);
    CHECK(is_kept(c, "b", 0));
    struct http_page *page = cache_find(c, STR("b"), 0);
    cache_set_version(c, 8);
    CHECK(!is_kept(c, "b", 0));
    CHECK_EQ(replies.pending_bytes, 10); /* under way to somebody */
    page_drop(page);
    CHECK_EQ(replies.pending_bytes, 0);
    cache_free(c);
}

TAP_MAIN(TAP_CASE(an_answer_is_given_again_until_the_store_changes),
         TAP_CASE(requests_that_differ_in_anything_are_not_taken_for_each_other),
         TAP_CASE(requests_that_come_together_take_one_look_at_the_store),
         TAP_CASE(an_answer_under_way_outlives_the_version_it_is_of),
         TAP_CASE(what_slow_clients_take_is_bounded_also_where_answers_are_kept),
         TAP_CASE(nothing_is_kept_where_nobody_knows_of_changes), TAP_CASE(refusals_are_not_kept),
         TAP_CASE(an_answer_of_the_store_is_as_old_as_what_it_knows),
         TAP_CASE(a_kept_answer_grows_older), TAP_CASE(the_cache_has_bounds),
         TAP_CASE(the_cache_forgets_by_time_and_version))
