/* Large answers that are given again, which the kernel sends from a file. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/serve.h"
#include "tap.h"
#include "unit/serve/client.h"

#define MARKET "/api/market"
#define GET    "GET " MARKET " HTTP/1.1\r\nHost: t\r\n\r\n"

static struct status_snapshot snapshot;
static struct status *status;
static struct serve *serve;
static size_t n_rows;

static enum st fake_version(struct query *q, uint64_t *ret_version, struct err *err)
{
    (void)q, (void)err;
    *ret_version = 1;
    return ST_OK;
}

static enum st fake_market(struct query *q, const struct market_query *args, struct arena *arena,
                           struct rows *ret_rows, struct err *err)
{
    (void)q, (void)err, (void)args;
    struct rows rows = {.table = &market_table, .n = n_rows};

    rows.cells = arena_zalloc(arena, rows.n * N_MARKET_COLUMNS, sizeof(*rows.cells));
    for (size_t i = 0; i < rows.n; i++) {
        rows_at(&rows, i)[MARKET_ID] = cell_of_text(STR("bitcoin"));
        rows_at(&rows, i)[MARKET_CURRENT_PRICE] = cell_of_int((int64_t)i);
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

static enum st fake_known_at(struct query *q, struct str vs_currency, int64_t *ret_us,
                             struct err *err)
{
    (void)q, (void)err, (void)vs_currency;
    *ret_us = 1700000000000000;
    return ST_OK;
}

static const struct query_driver driver = {.market = fake_market,
                                           .currencies = fake_currencies,
                                           .version = fake_version,
                                           .known_at = fake_known_at};

static bool start(const char *directory, size_t n)
{
    static struct query query = {.driver = &driver};
    struct serve_setup setup = {.address = "127.0.0.1", .query = &query};
    struct err err = ERR_INIT;

    setenv("TMPDIR", directory, 1);
    setup.status = status = status_new(&snapshot);
    n_rows = n;
    return serve_start(&setup, &serve, &err) == ST_OK;
}

static void stop(void)
{
    serve_stop(serve);
    status_free(status);
}

static struct client ask(const char *method, const char *version, const char *headers)
{
    char request[512];
    const int n = snprintf(request, sizeof(request), "%s " MARKET " %s\r\nHost: t\r\n%s\r\n",
                           method, version, headers);

    return client_exchange(serve_port(serve), (struct str){request, (size_t)n});
}

static struct client get(void)
{
    return ask("GET", "HTTP/1.1", "");
}

/* Bytes until the last chunk of the n-th answer; at most `step` at once. */
static size_t read_chunked(int fd, unsigned n, size_t step)
{
    size_t len = 0, from = 0;

    while (n > 0) {
        ssize_t got = recv(fd, client_bytes + len, step, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return 0;
        len += (size_t)got;
        const char *end;
        while (n > 0 && (end = memmem(client_bytes + from, len - from, "\r\n0\r\n\r\n", 7))) {
            from = (size_t)(end + 7 - client_bytes);
            n--;
        }
    }
    return from == len ? len : 0;
}

/* The one chunk of an answer at the begin of what was read. */
static struct str chunk_of(size_t len)
{
    const char *size = memmem(client_bytes, len, "\r\n\r\n", 4);
    char *line_end;

    if (!size)
        return STR_NONE;
    const size_t n = strtoul(size + 4, &line_end, 16);
    return memcmp(line_end, "\r\n", 2) == 0 && line_end + 2 + n < client_bytes + len
               ? (struct str){line_end + 2, n}
               : STR_NONE;
}

/* As a client of HTTP/1.1 has it after the first times; a copy, NULL when it is none in chunks. */
static char *from_file(size_t *ret_len)
{
    const int fd = client_connect(serve_port(serve));

    client_send(fd, STR(GET));
    const size_t len = read_chunked(fd, 1, 65536);
    const struct str body = chunk_of(len);
    close(fd);
    *ret_len = body.len;
    return body.p ? memcpy(malloc(body.len), body.p, body.len) : NULL;
}

static void what_is_asked_for_again_comes_from_a_file(void)
{
    size_t len;

    CHECK(start("/var/tmp", 2000));
    struct client c = get();
    CHECK_EQ(client_status(&c), 200);
    CHECK(client_has(&c, "\r\nContent-Length: "));
    CHECK(c.body.len > 128 * 1024);
    char *first = memcpy(malloc(c.body.len), c.body.p, c.body.len);
    const size_t n = c.body.len;
    char *again = from_file(&len);
    CHECK(again != NULL && len == n && memcmp(again, first, n) == 0);
    CHECK(memmem(client_bytes, 2048, "\r\nTransfer-Encoding: chunked\r\n", 30) != NULL);
    CHECK(memmem(client_bytes, 2048, "\r\nETag: ", 8) != NULL);
    free(first);
    free(again);
    stop();
}

static void who_takes_no_chunks_has_it_from_memory(void)
{
    static const struct {
        const char *method, *version, *headers, *has;
        bool has_body;
    } cases[] = {
        {"HEAD", "HTTP/1.1", "", "\r\nContent-Length: ", false},
        {"GET", "HTTP/1.0", "", "\r\nContent-Length: ", true},
        {"GET", "HTTP/1.1", "Accept-Encoding: gzip\r\n", "\r\nContent-Encoding: gzip\r\n", true},
    };
    char tag[160];
    size_t len;

    CHECK(start("/var/tmp", 2000));
    get();
    free(from_file(&len));
    CHECK(len > 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct client c = ask(cases[i].method, cases[i].version, cases[i].headers);
        CHECK_EQ(client_status(&c), 200);
        CHECK(client_has(&c, cases[i].has));
        CHECK(!client_has(&c, "\r\nTransfer-Encoding: "));
        CHECK_EQ(c.body.len > 0, cases[i].has_body);
        const char *etag = strstr(c.all.p, "ETag: ");
        snprintf(tag, sizeof(tag), "If-None-Match: %.*s\r\n", (int)strcspn(etag + 6, "\r"),
                 etag + 6);
    }
    const int fd = client_connect(serve_port(serve));
    char request[256];
    const int n =
        snprintf(request, sizeof(request), "GET " MARKET " HTTP/1.1\r\nHost: t\r\n%s\r\n", tag);
    client_send(fd, (struct str){request, (size_t)n});
    CHECK(recv(fd, client_bytes, 1000, 0) > 13);
    CHECK(strncmp(client_bytes, "HTTP/1.1 304 ", 13) == 0);
    close(fd);
    stop();
}

static void one_connection_has_it_many_times(void)
{
    size_t len;

    CHECK(start("/var/tmp", 2000));
    get();
    free(from_file(&len));
    const int fd = client_connect(serve_port(serve));
    client_send(fd, STR(GET GET GET));
    CHECK(read_chunked(fd, 3, 65536) > 3 * len);
    client_send(fd, STR("GET " MARKET " HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"));
    CHECK(read_chunked(fd, 1, 65536) > len);
    CHECK(chunk_of(len + 2048).len == len);
    CHECK_EQ(recv(fd, client_bytes, 1, 0), 0);
    close(fd);
    stop();
}

static void clients_that_read_slowly_hold_up_nobody(void)
{
    size_t len;

    CHECK(start("/var/tmp", 25000));
    get();
    free(from_file(&len));
    CHECK(len > 1024 * 1024); /* more than the kernel takes at once */
    const int slow = client_connect(serve_port(serve)), gone = client_connect(serve_port(serve));
    client_send(slow, STR(GET));
    client_send(gone, STR(GET));
    recv(gone, client_bytes, 1000, 0);
    close(gone);
    for (int i = 0; i < 3; i++) {
        size_t other;
        free(from_file(&other));
        CHECK_EQ(other, len);
    }
    CHECK(read_chunked(slow, 1, 65536) > len);
    CHECK(chunk_of(len + 4096).len == len);
    close(slow);
    stop();
}

static void a_stop_waits_for_no_client(void)
{
    size_t len;

    CHECK(start("/var/tmp", 25000));
    get();
    free(from_file(&len));
    CHECK(len > 1024 * 1024);
    const int fd = client_connect(serve_port(serve));
    client_send(fd, STR(GET));
    CHECK(recv(fd, client_bytes, 1000, 0) > 0);
    stop();
    while (recv(fd, client_bytes, 65536, 0) > 0)
        ;
    close(fd);
}

static void without_a_directory_it_comes_from_memory(void)
{
    CHECK(start("/nonexistent", 2000));
    for (int i = 0; i < 3; i++) {
        struct client c = get();
        CHECK(client_has(&c, "\r\nContent-Length: "));
        CHECK(c.body.len > 128 * 1024);
    }
    stop();
}

TAP_MAIN(TAP_CASE(what_is_asked_for_again_comes_from_a_file),
         TAP_CASE(who_takes_no_chunks_has_it_from_memory),
         TAP_CASE(one_connection_has_it_many_times),
         TAP_CASE(clients_that_read_slowly_hold_up_nobody), TAP_CASE(a_stop_waits_for_no_client),
         TAP_CASE(without_a_directory_it_comes_from_memory))
