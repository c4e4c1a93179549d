/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/http.h"

#include "base/clock.h"
#include "serve/connections.h"
#include "serve/listen.h"
#include "serve/pack.h"
#include "tap.h"
#include "unit/serve/client.h"

#include <poll.h>
#include <sys/resource.h>
#include <zlib.h>
#include <zstd.h>

#define BIG  (8u * 1024 * 1024)
#define SOME (100u * 1024)

static struct http_server *server;
static uint16_t port;
static struct err err;
static int64_t as_of_us;

/* The path says what to answer. */
static void handle(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct str path = http_path(req), size = http_query(req, "size");
    int64_t n = 0;

    (void)ctx;
    err_ignore(str_to_i64(size, 0, BIG, &n) ? ST_OK : ST_REJECT);
    if (str_eq(path, STR("/fill")))
        for (int64_t i = 0; i < n; i++)
            buf_add_char(&res->body, (char)('a' + i % 13));
    else if (str_eq(path, STR("/big")))
        memset(buf_room(&res->body, BIG), 'x', BIG), buf_added(&res->body, BIG);
    else if (str_eq(path, STR("/some")))
        memset(buf_room(&res->body, SOME), 'x', SOME), buf_added(&res->body, SOME);
    else if (str_eq(path, STR("/overflow")))
        buf_room(&res->body, HTTP_MAX_BODY + 1);
    else if (str_eq(path, STR("/old")))
        res->as_of_us = as_of_us, buf_add_z(&res->body, "old");
    else if (str_eq(path, STR("/late")))
        res->faults.delay_us = 300 * US_PER_MS, buf_add_z(&res->body, "late");
    else if (str_eq(path, STR("/never")))
        res->faults.delay_us = -1;
    else if (str_eq(path, STR("/cut")))
        res->faults.cut_after = 10, buf_add_z(&res->body, "0123456789abcdefghij");
    else if (str_eq(path, STR("/promise")))
        res->faults.n_promised = 5, buf_add_z(&res->body, "0123456789");
    else if (str_eq(path, STR("/reset")))
        res->faults.is_reset = true, buf_add_z(&res->body, "0123456789");
    else if (str_eq(path, STR("/half-gzip")))
        res->faults.is_gzip_cut = true, buf_add_z(&res->body, "0123456789");
    else {
        res->status = 203;
        http_add_header(res, "X-Test", "%d", 7);
        buf_addf(&res->body, "path=%.*s", STR_ARG(path));
        if (http_is_post(req))
            buf_addf(&res->body, " post=%zu:%.*s", http_request_body(req).len,
                     STR_ARG(http_request_body(req)));
        if (http_query(req, "q").p)
            buf_addf(&res->body, " q=%.*s", STR_ARG(http_query(req, "q")));
        buf_addf(&res->body, " agent=%.*s", STR_ARG(http_header(req, "user-agent")));
    }
}

static bool takes_post(void *ctx, struct str path)
{
    (void)ctx;
    return str_eq(path, STR("/post"));
}

static bool start(void)
{
    const struct http_setup setup = {
        .address = "127.0.0.1", .port = 0, .takes_post = takes_post, .handler = handle};

    if (http_start(&setup, &server, &err) != ST_OK)
        return false;
    port = http_port(server);
    return port != 0;
}

static void stop(void)
{
    http_stop(server);
    server = NULL;
}

static void http_serves_path_query_and_headers_decoded(void)
{
    CHECK(start());
    struct client c = client_get(port, "/a%20b/%C3%A9+?x=1&q=%22+%2B%26", "");
    CHECK_EQ(client_status(&c), 203);
    CHECK(client_has(&c, "\r\nX-Test: 7\r\n"));
    CHECK(client_has(&c, "\r\nDate: "));
    CHECK_STR(c.body, "path=/a b/\xC3\xA9+ q=\" +& agent=test");
    c = client_get(port, "/?q", "");
    CHECK_STR(c.body, "path=/ q= agent=test");
    c = client_get(port, "/?q=", "");
    CHECK_STR(c.body, "path=/ q= agent=test");
    stop();
}

static void http_puts_security_headers_on_answers(void)
{
    CHECK(start());
    struct client c = client_get(port, "/", "");
    CHECK(client_has(&c, "\r\nX-Content-Type-Options: nosniff\r\n"));
    CHECK(client_has(&c, "\r\nContent-Security-Policy: default-src 'none'"));
    CHECK(client_has(&c, "\r\nContent-Type: application/json; charset=utf-8\r\n"));
    stop();
}

static void http_answers_head_without_a_body(void)
{
    CHECK(start());
    struct client c = client_exchange(
        port, STR("HEAD /fill?size=500 HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"));
    CHECK_EQ(client_status(&c), 200);
    CHECK(client_has(&c, "\r\nContent-Length: 500\r\n"));
    CHECK_EQ(c.body.len, 0);
    stop();
}

static void http_keeps_connections_and_takes_pipelined_requests(void)
{
    CHECK(start());
    int fd = client_connect(port);
    client_send(fd, STR("GET /1 HTTP/1.1\r\nHost: t\r\n\r\n"));
    struct client c = client_read(fd, false);
    CHECK_STR(c.body, "path=/1 agent=");
    client_send(fd, STR("GET /2 HTTP/1.1\r\nHost: t\r\n\r\n"
                        "GET /3 HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"));
    char seen[4096] = "";
    for (size_t len = 0; len < sizeof(seen) - 1;) {
        ssize_t n = recv(fd, seen + len, sizeof(seen) - 1 - len, 0);
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    CHECK(strstr(seen, "path=/2") && strstr(seen, "path=/3"));
    close(fd);
    stop();
}

static void http_refuses_other_methods_without_reading_on(void)
{
    static const char *const methods[] = {"POST", "PUT", "DELETE", "TRACE", "BREW"};
    char request[200];

    CHECK(start());
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        snprintf(request, sizeof(request),
                 "%s / HTTP/1.1\r\nHost: t\r\nContent-Length: 99999999999\r\n\r\nabc", methods[i]);
        struct client c = client_exchange(port, str_of(request));
        CHECK_EQ(client_status(&c), 405);
        CHECK(client_has(&c, "\r\nAllow: GET, HEAD, OPTIONS\r\n"));
    }
    stop();
}

static void http_says_what_may_be_asked(void)
{
    CHECK(start());
    struct client c = client_exchange(
        port, STR("OPTIONS /post HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"));
    CHECK_EQ(client_status(&c), 204);
    CHECK(client_has(&c, "\r\nAllow: GET, HEAD, OPTIONS, POST\r\n"));
    CHECK(!client_has(&c, "\r\nContent-Type: "));
    CHECK(!client_has(&c, "\r\nAccess-Control-"));
    CHECK_EQ(c.body.len, 0);
    c = client_exchange(port, STR("OPTIONS /x HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\n\r\nx"));
    CHECK_EQ(client_status(&c), 400);
    stop();
}

static void http_refuses_a_get_with_a_body(void)
{
    CHECK(start());
    struct client c = client_get(port, "/", "Content-Length: 3\r\n");
    CHECK_EQ(client_status(&c), 400);
    c = client_get(port, "/", "Transfer-Encoding: chunked\r\n");
    CHECK_EQ(client_status(&c), 400);
    c = client_get(port, "/", "Content-Length: 0\r\n");
    CHECK_EQ(client_status(&c), 203);
    stop();
}

/* A POST of these headers and this body, each in a packet of its own. */
static struct client post(const char *headers, struct str body)
{
    char head[400];
    int fd = client_connect(port);

    snprintf(head, sizeof(head), "POST /post HTTP/1.1\r\nHost: t\r\n%s\r\n", headers);
    client_send(fd, str_of(head));
    poll(NULL, 0, 20);
    client_send(fd, body);
    struct client c = client_read(fd, false);
    close(fd);
    return c;
}

static void http_takes_a_post_on_its_one_path(void)
{
    static const struct {
        const char *headers;
        struct str body;
        const char *want;
    } posts[] = {
        {"", STR(""), "path=/post post=0: agent="},
        {"Content-Length: 0\r\n", STR(""), "path=/post post=0: agent="},
        {"Content-Length: 3\r\n", STR("abc"), "path=/post post=3:abc agent="},
        {"Transfer-Encoding: chunked\r\n", STR("1\r\na\r\n2;x=y\r\nbc\r\n0\r\n\r\n"),
         "path=/post post=3:abc agent="},
    };

    CHECK(start());
    for (size_t i = 0; i < sizeof(posts) / sizeof(posts[0]); i++) {
        struct client c = post(posts[i].headers, posts[i].body);
        CHECK_EQ(client_status(&c), 203);
        CHECK_STR(c.body, posts[i].want);
    }
    struct client c = client_get(port, "/post", "");
    CHECK_EQ(client_status(&c), 203);
    c = client_exchange(port, STR("DELETE /post HTTP/1.1\r\nHost: t\r\n\r\n"));
    CHECK_EQ(client_status(&c), 405);
    CHECK(client_has(&c, "\r\nAllow: GET, HEAD, OPTIONS, POST\r\n"));
    c = client_exchange(port, STR("POST /post/ HTTP/1.1\r\nHost: t\r\n\r\n"));
    CHECK_EQ(client_status(&c), 405);
    CHECK(client_has(&c, "\r\nAllow: GET, HEAD, OPTIONS\r\n"));
    stop();
}

static void http_keeps_posts_of_one_connection_apart(void)
{
    const struct str both = STR("POST /post HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\nab"
                                "POST /post HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\n"
                                "Connection: close\r\n\r\nc");
    char seen[4096] = "";

    CHECK(start());
    int fd = client_connect(port);
    client_send(fd, both);
    for (size_t len = 0; len < sizeof(seen) - 1;) {
        ssize_t n = recv(fd, seen + len, sizeof(seen) - 1 - len, 0);
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    close(fd);
    CHECK(strstr(seen, "post=2:ab ") && strstr(seen, "post=1:c "));
    stop();
}

static void http_bounds_the_body_of_a_post(void)
{
    static char body[200 * 1024];
    struct buf chunk = BUF_INIT(400 * 1024);

    CHECK(start());
    memset(body, 'x', sizeof(body));
    struct client c = post("Content-Length: 4096\r\n", (struct str){body, 4096});
    CHECK_EQ(client_status(&c), 203);
    CHECK(str_starts(c.body, STR("path=/post post=4096:xxx")));
    /* said before any of it came */
    static const char *const lengths[] = {"4097", "99999999999", "18446744073709551615"};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        char header[80];
        snprintf(header, sizeof(header), "Content-Length: %s\r\n", lengths[i]);
        c = post(header, STR(""));
        CHECK_EQ(client_status(&c), 413);
    }
    /* of unknown length: read to its end, or hung up when it goes on and on */
    buf_add_z(&chunk, "1001\r\n");
    buf_add(&chunk, body, 4097);
    buf_add_z(&chunk, "\r\n0\r\n\r\n");
    c = post("Transfer-Encoding: chunked\r\n", buf_str(&chunk));
    CHECK_EQ(client_status(&c), 413);
    buf_clear(&chunk);
    buf_add_z(&chunk, "32000\r\n");
    buf_add(&chunk, body, sizeof(body));
    c = post("Transfer-Encoding: chunked\r\n", buf_str(&chunk));
    CHECK_EQ(client_status(&c), 0);
    c = post("", STR(""));
    CHECK_EQ(client_status(&c), 203);
    buf_release(&chunk);
    stop();
}

static void http_refuses_bodies_that_contradict_themselves(void)
{
    static const struct {
        const char *headers;
        struct str body;
    } posts[] = {
        {"Content-Length: -1\r\n", STR("a")},
        {"Content-Length: 1x\r\n", STR("a")},
        {"Content-Length: 99999999999999999999999\r\n", STR("a")},
        {"Transfer-Encoding: chunked\r\n", STR("zz\r\na\r\n0\r\n\r\n")},
        {"Transfer-Encoding: chunked\r\n", STR("ffffffffffffffffff\r\na")},
        {"Transfer-Encoding: chunked\r\n", STR("-1\r\na")},
    };

    CHECK(start());
    for (size_t i = 0; i < sizeof(posts) / sizeof(posts[0]); i++) {
        struct client c = post(posts[i].headers, posts[i].body);
        CHECK(client_status(&c) == 0 || client_status(&c) >= 400);
    }
    struct client c = post("", STR(""));
    CHECK_EQ(client_status(&c), 203);
    stop();
}

static void http_serves_others_while_a_post_comes_slowly(void)
{
    CHECK(start());
    int slow = client_connect(port);
    client_send(slow, STR("POST /post HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\na"));
    struct client c = client_get(port, "/", "");
    CHECK_EQ(client_status(&c), 203);
    client_send(slow, STR("b"));
    c = client_get(port, "/", "");
    CHECK_EQ(client_status(&c), 203);
    int gone = client_connect(port);
    client_send(gone, STR("POST /post HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\na"));
    close(gone);
    client_send(slow, STR("cd"));
    c = client_read(slow, false);
    CHECK_STR(c.body, "path=/post post=4:abcd agent=");
    close(slow);
    stop();
}

static void http_refuses_targets_that_do_not_decode(void)
{
    static const char *const bad[] = {"/%",       "/%4",     "/%zz",    "/%00",
                                      "/%ff",     "/?q=%ff", "/?%00=1", "/?q=%c3%28",
                                      "/a%00.js", "*",       "no-slash"};

    CHECK(start());
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct client c = client_get(port, bad[i], "");
        CHECK_EQ(client_status(&c), 400);
    }
    struct client c = client_get(port, "/%7e", "");
    CHECK_STR(c.body, "path=/~ agent=test");
    stop();
}

static void http_survives_garbage(void)
{
    static const struct str garbage[] = {
        STR("\r\n\r\n\r\n"),
        STR("\0\0\0\0\0\0\0\0\r\n\r\n"),
        STR("GET\r\n\r\n"),
        STR("GET / HTTP/9.9\r\n\r\n"),
        STR("GET / HTTP/1.1\r\nHost t\r\n\r\n"),
        STR("GET / HTTP/1.1\r\n: x\r\n\r\n"),
        STR("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
        STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        STR("GET / HTTP/1.1\r\nHost: t\r\nContent-Length: -1\r\n\r\n"),
        STR("GET / HTTP/1.1\r\nHost: t\r\nContent-Length: 99999999999999999999999\r\n\r\n"),
    };

    CHECK(start());
    for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
        int fd = client_connect(port);
        client_send(fd, garbage[i]);
        close(fd);
        struct client c = client_get(port, "/", "");
        CHECK_EQ(client_status(&c), 203);
    }
    stop();
}

static void http_refuses_floods_of_headers_parameters_and_long_targets(void)
{
    struct buf flood = BUF_INIT(4 * 1024 * 1024);

    CHECK(start());
    buf_add_z(&flood, "GET / HTTP/1.1\r\nHost: t\r\n");
    for (int i = 0; i < 20000; i++)
        buf_addf(&flood, "X-Flood-%d: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", i);
    buf_add_z(&flood, "\r\n");
    struct client c = client_exchange(port, buf_str(&flood));
    CHECK(client_status(&c) == 431 || c.error == ECONNRESET);

    buf_clear(&flood);
    buf_add_z(&flood, "GET /?ids=");
    for (int i = 0; i < 1000000; i++)
        buf_add_char(&flood, 'a');
    buf_add_z(&flood, " HTTP/1.1\r\nHost: t\r\n\r\n");
    c = client_exchange(port, buf_str(&flood));
    CHECK(client_status(&c) == 414 || client_status(&c) == 431 || c.error == ECONNRESET);

    static const int n_params[] = {100, 400, 1600, 6400};
    for (size_t k = 0; k < sizeof(n_params) / sizeof(n_params[0]); k++) {
        buf_clear(&flood);
        buf_add_z(&flood, "GET /?");
        for (int i = 0; i < n_params[k]; i++)
            buf_add_char(&flood, '&');
        buf_add_z(&flood, " HTTP/1.1\r\nHost: t\r\n\r\n");
        c = client_exchange(port, buf_str(&flood));
        if (n_params[k] == 100)
            CHECK_EQ(client_status(&c), 203);
        else
            CHECK(client_status(&c) == 431 || c.all.len == 0);
        c = client_get(port, "/", "");
        CHECK_EQ(client_status(&c), 203);
    }
    buf_release(&flood);
    stop();
}

/* What a client that reads slowly enough is told, too: the refusal itself, not only a reset. */
static void http_says_431_when_the_headers_just_do_not_fit(void)
{
    static char headers[20000];

    CHECK(start());
    size_t len = 0;
    while (len < 17000)
        len += (size_t)snprintf(headers + len, sizeof(headers) - len, "X-%zu: aaaaaaaaaaaaaaaa\r\n",
                                len);
    struct client c = client_get(port, "/", headers);
    CHECK_EQ(client_status(&c), 431);
    stop();
}

static bool inflate_equals(struct str packed, const char *want, size_t want_len)
{
    static char plain[200000];
    z_stream z = {.next_in = (Bytef *)(uintptr_t)packed.p,
                  .avail_in = (uInt)packed.len,
                  .next_out = (Bytef *)plain,
                  .avail_out = sizeof(plain)};

    if (inflateInit2(&z, 15 + 16) != Z_OK)
        return false;
    int result = inflate(&z, Z_FINISH);
    inflateEnd(&z);
    return result == Z_STREAM_END && z.total_out == want_len && memcmp(plain, want, want_len) == 0;
}

static void http_compresses_for_clients_that_ask(void)
{
    static const struct {
        const char *target, *header;
        bool is_packed;
    } cases[] = {
        {"/fill?size=100000", "Accept-Encoding: gzip\r\n", true},
        {"/fill?size=1024", "Accept-Encoding: br, GZIP;q=0.5\r\n", true},
        {"/fill?size=1023", "Accept-Encoding: gzip\r\n", false},
        {"/fill?size=100000", "", false},
        {"/fill?size=100000", "Accept-Encoding: gzip;q=0\r\n", false},
        {"/fill?size=100000", "Accept-Encoding: br, deflate\r\n", false},
    };
    static char want[100000];

    for (size_t i = 0; i < sizeof(want); i++)
        want[i] = (char)('a' + i % 13);
    CHECK(start());
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct client c = client_get(port, cases[i].target, cases[i].header);
        size_t size = strtoul(strchr(cases[i].target, '=') + 1, NULL, 10);
        CHECK_EQ(client_status(&c), 200);
        CHECK_EQ(client_has(&c, "\r\nContent-Encoding: gzip\r\n"), cases[i].is_packed);
        CHECK(client_has(&c, "\r\nVary: Accept-Encoding\r\n"));
        if (cases[i].is_packed)
            CHECK(inflate_equals(c.body, want, size));
        else
            CHECK(c.body.len == size && memcmp(c.body.p, want, size) == 0);
    }
    stop();
}

static void http_packs_with_zstd_for_clients_that_know_it(void)
{
    static char plain[100000];

    CHECK(start());
    struct client c =
        client_get(port, "/fill?size=100000", "Accept-Encoding: gzip, deflate, br, zstd\r\n");
    CHECK(client_has(&c, "\r\nContent-Encoding: zstd\r\n"));
    CHECK_EQ(ZSTD_decompress(plain, sizeof(plain), c.body.p, c.body.len), sizeof(plain));
    CHECK(plain[0] == 'a' && plain[14] == 'b' && plain[sizeof(plain) - 1] == 'd');
    stop();
}

/* The value of a header of what was read. */
static const char *value_of(const struct client *c, const char *name)
{
    static char value[100];
    const char *found = c->all.p ? strcasestr(c->all.p, name) : NULL;

    value[0] = '\0';
    if (found)
        snprintf(value, sizeof(value), "%.*s", (int)strcspn(found + strlen(name), "\r"),
                 found + strlen(name));
    return value;
}

static void who_has_an_answer_gets_304_without_it(void)
{
    static const char *const encodings[] = {"", "Accept-Encoding: gzip\r\n",
                                            "Accept-Encoding: zstd\r\n"};
    char etag[100], request[400], length[100];

    CHECK(start());
    struct client c = client_get(port, "/fill?size=5000", "");
    snprintf(etag, sizeof(etag), "%s", value_of(&c, "\r\nETag: "));
    CHECK(strncmp(etag, "W/\"", 3) == 0);
    for (size_t i = 0; i < 3; i++) {
        c = client_get(port, "/fill?size=5000", encodings[i]);
        CHECK_EQ(client_status(&c), 200);
        CHECK_Z(value_of(&c, "\r\nETag: "), etag);
        snprintf(length, sizeof(length), "%s", value_of(&c, "\r\nContent-Length: "));
        /* two on one connection: the first has no body, whatever length it tells */
        snprintf(request, sizeof(request),
                 "GET /fill?size=5000 HTTP/1.1\r\nHost: t\r\n%sIf-None-Match: \"x\", %s\r\n\r\n"
                 "GET /end HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n",
                 encodings[i], etag);
        int fd = client_connect(port);
        client_send(fd, str_of(request));
        c = client_read(fd, true);
        while (recv(fd, client_bytes + c.all.len, 1, MSG_DONTWAIT | MSG_PEEK) > 0 ||
               !memmem(c.all.p, c.all.len, "path=/end", 9)) {
            ssize_t n = recv(fd, client_bytes + c.all.len, 4096, 0);
            if (n <= 0)
                break;
            c.all.len += (size_t)n;
        }
        CHECK_EQ(client_status(&c), 304);
        CHECK_Z(value_of(&c, "\r\nETag: "), etag);
        CHECK_Z(value_of(&c, "\r\nContent-Length: "), length);
        CHECK(memmem(c.all.p, c.all.len, "\r\n\r\nHTTP/1.1 203 ", 17) != NULL);
        close(fd);
    }
    c = client_get(port, "/fill?size=5000", "If-None-Match: *\r\n");
    CHECK_EQ(client_status(&c), 304);
    c = client_get(port, "/fill?size=5001", "If-None-Match: W/\"0123\"\r\n");
    CHECK_EQ(client_status(&c), 200);
    c = client_get(port, "/", "If-None-Match: *\r\n"); /* its status is another: no ETag */
    CHECK_EQ(client_status(&c), 203);
    stop();
}

static void an_answer_tells_how_old_it_is(void)
{
    char date[TIME_TEXT];

    CHECK(start());
    as_of_us = time_floor(clock_wall_us(clock_system()), US_PER_S) - 100 * US_PER_S;
    struct client c = client_get(port, "/old", "");
    time_format_http(as_of_us, date);
    CHECK_Z(value_of(&c, "\r\nDate: "), date);
    CHECK_Z(value_of(&c, "\r\nLast-Modified: "), date);
    const long age = strtol(value_of(&c, "\r\nAge: "), NULL, 10);
    CHECK(age >= 100 && age < 150);
    as_of_us = clock_wall_us(clock_system()) + 100 * US_PER_S; /* a clock was set back */
    c = client_get(port, "/old", "");
    CHECK_Z(value_of(&c, "\r\nAge: "), "0");
    stop();
}

static void the_encoding_is_what_the_client_likes_best(void)
{
    static const struct {
        const char *header;
        enum encoding encoding;
    } cases[] = {
        {"gzip", ENCODING_GZIP},
        {"deflate, gzip, br", ENCODING_GZIP},
        {"gzip, deflate, br, zstd", ENCODING_ZSTD},
        {"zstd;q=0.5, gzip;q=0.51", ENCODING_GZIP},
        {"zstd;q=0.5, gzip;q=0.5", ENCODING_ZSTD},
        {"ZSTD, gzip;q=1.0", ENCODING_ZSTD},
        {"gzip; q=0.001", ENCODING_GZIP},
        {"gzip ;q=0.0", ENCODING_NONE},
        {"zstd;q=0, gzip", ENCODING_GZIP},
        {", ,gzip", ENCODING_GZIP},
        {"xgzip", ENCODING_NONE},
        {"gzipx", ENCODING_NONE},
        {"", ENCODING_NONE},
        {"*", ENCODING_NONE},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        CHECK_EQ(encoding_choose(str_of(cases[i].header)), cases[i].encoding);
}

static void http_says_500_when_a_body_does_not_fit(void)
{
    CHECK(start());
    struct client c = client_get(port, "/overflow", "");
    CHECK_EQ(client_status(&c), 500);
    CHECK(memmem(c.body.p, c.body.len, "too large", 9) != NULL);
    stop();
}

static void http_delays_one_answer_and_no_other(void)
{
    CHECK(start());
    int64_t began_us = clock_mono_us(clock_system());
    int late = client_connect(port);
    client_send(late, STR("GET /late HTTP/1.1\r\nHost: t\r\n\r\n"));
    struct client c = client_get(port, "/", "");
    CHECK_EQ(client_status(&c), 203);
    CHECK(clock_mono_us(clock_system()) - began_us < 250 * US_PER_MS);
    c = client_read(late, false);
    CHECK(clock_mono_us(clock_system()) - began_us >= 300 * US_PER_MS);
    CHECK(clock_mono_us(clock_system()) - began_us < 900 * US_PER_MS);
    CHECK_STR(c.body, "late");
    /* the connection goes on after it */
    client_send(late, STR("GET /next HTTP/1.1\r\nHost: t\r\n\r\n"));
    c = client_read(late, false);
    CHECK_STR(c.body, "path=/next agent=");
    close(late);
    stop();
}

static void http_stalls_one_client_until_it_gives_up(void)
{
    char byte;

    CHECK(start());
    int stalled[3];
    for (int i = 0; i < 3; i++) {
        stalled[i] = client_connect(port);
        client_send(stalled[i], STR("GET /never HTTP/1.1\r\nHost: t\r\n\r\n"));
    }
    struct client c = client_get(port, "/", "");
    CHECK_EQ(client_status(&c), 203);
    CHECK(recv(stalled[0], &byte, 1, MSG_DONTWAIT) < 0);
    close(stalled[0]); /* gives up; the others are there when the server stops */
    c = client_get(port, "/", "");
    CHECK_EQ(client_status(&c), 203);
    stop();
    CHECK_EQ(recv(stalled[1], &byte, 1, 0), 0);
    close(stalled[1]);
    close(stalled[2]);
}

static void http_cuts_a_body_and_the_connection(void)
{
    CHECK(start());
    struct client c = client_get(port, "/cut", "Accept-Encoding: gzip\r\n");
    CHECK_EQ(client_status(&c), 200);
    CHECK(client_has(&c, "\r\nContent-Length: 20\r\n"));
    CHECK_STR(c.body, "0123456789");
    c = client_get(port, "/", "");
    CHECK_EQ(client_status(&c), 203);
    stop();
}

static void http_promises_more_than_comes(void)
{
    CHECK(start());
    struct client c = client_get(port, "/promise", "Accept-Encoding: gzip\r\n");
    CHECK_EQ(client_status(&c), 200);
    CHECK(client_has(&c, "\r\nContent-Length: 15\r\n"));
    CHECK_STR(c.body, "0123456789");
    stop();
}

static void http_resets_instead_of_answering(void)
{
    CHECK(start());
    struct client c = client_get(port, "/reset", "");
    CHECK_EQ(c.all.len, 0);
    CHECK_EQ(c.error, ECONNRESET);
    c = client_get(port, "/", "");
    CHECK_EQ(client_status(&c), 203);
    stop();
}

static void http_sends_half_of_a_gzip_stream(void)
{
    unsigned char plain[64];
    z_stream z = {0};

    CHECK(start());
    struct client c = client_get(port, "/half-gzip", "");
    CHECK(client_has(&c, "\r\nContent-Encoding: gzip\r\n"));
    CHECK_EQ(c.all.len, client_answer_len(c.all, false));
    CHECK_EQ(inflateInit2(&z, 15 + 16), Z_OK);
    z.next_in = (unsigned char *)(uintptr_t)c.body.p;
    z.avail_in = (unsigned)c.body.len;
    z.next_out = plain;
    z.avail_out = sizeof(plain);
    int result = inflate(&z, Z_FINISH);
    inflateEnd(&z);
    CHECK_EQ(result, Z_BUF_ERROR);
    stop();
}

static void http_serves_while_many_slow_clients_hold_connections(void)
{
    enum { N = 900 };
    static int slow[N];
    const struct rlimit many = {.rlim_cur = 4096, .rlim_max = 4096};

    if (setrlimit(RLIMIT_NOFILE, &many) != 0)
        SKIP("no 4096 file descriptors here");
    CHECK(start());
    for (int i = 0; i < N; i++) {
        slow[i] = client_connect(port);
        client_send(slow[i], STR("GET / HTTP/1.1\r\nX-Slow: "));
    }
    for (int i = 0; i < 20; i++) {
        struct client c = client_get(port, "/", "");
        CHECK_EQ(client_status(&c), 203);
    }
    for (int i = 0; i < N; i++)
        close(slow[i]);
    stop();
}

/* A client that asks, as often as `n`, and reads nothing: nor does its kernel, with a buffer so
 * small. */
static int greedy_connect(const char *target, int n)
{
    char request[200];
    const int small = 1024;
    int fd = client_connect(port);

    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    int len = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: t\r\n\r\n", target);
    for (int i = 0; i < n; i++)
        client_send(fd, (struct str){request, (size_t)len});
    return fd;
}

static void http_serves_while_many_clients_do_not_read(void)
{
    enum { N = 600 };
    static int greedy[N];
    const struct rlimit many = {.rlim_cur = 4096, .rlim_max = 4096};

    if (setrlimit(RLIMIT_NOFILE, &many) != 0)
        SKIP("no 4096 file descriptors here");
    CHECK(start());
    for (int i = 0; i < N; i++) {
        greedy[i] = greedy_connect("/some", 20); /* more than the kernel buffers */
        usleep(1000); /* its answer begins before the next one connects */
        struct client c = client_get(port, "/", "");
        CHECK_EQ(client_status(&c), 203);
    }
    for (int i = 0; i < N; i++)
        close(greedy[i]);
    stop();
}

static bool is_hung_up(int fd, int wait_ms)
{
    struct pollfd p = {.fd = fd, .events = 0};

    return poll(&p, 1, wait_ms) > 0;
}

/* The first is the older, although its answer that does not end began after the second's. */
static void http_hangs_up_first_who_has_taken_nothing_for_longest(void)
{
    enum { N = 600 };
    static int idle[N];
    int n = 0;

    CHECK(start());
    int first = greedy_connect("/some", 1);
    usleep(100000);
    client_send(first, STR("GET / HTTP/1.1\r\nHost: t\r\n\r\n"));
    usleep(100000);
    int second = greedy_connect("/big", 1);
    usleep(100000);
    client_send(first, STR("GET /big HTTP/1.1\r\nHost: t\r\n\r\n"));
    usleep(100000);
    while (n < N && !is_hung_up(first, 1) && !is_hung_up(second, 0))
        idle[n++] = client_connect(port);
    CHECK(is_hung_up(first, 0));
    CHECK(!is_hung_up(second, 0));
    while (n > 0)
        close(idle[--n]);
    close(first);
    close(second);
    stop();
}

/* Whoever floods, another address keeps what it has. */
static void http_lets_no_address_crowd_others_out(void)
{
    enum { N = 900, N_OTHERS = 3 };
    static int flood[N];
    int others[N_OTHERS];
    char byte;
    const struct rlimit many = {.rlim_cur = 4096, .rlim_max = 4096};

    if (setrlimit(RLIMIT_NOFILE, &many) != 0)
        SKIP("no 4096 file descriptors here");
    CHECK(start());
    for (int i = 0; i < N_OTHERS; i++) { /* the oldest of all, and idle */
        others[i] = client_connect_from(port, i > 0 ? "127.0.0.3" : "127.0.0.1");
        client_send(others[i], STR("GET / HTTP/1.1\r\nHost: t\r\n"));
    }
    for (int i = 0; i < N; i++) {
        flood[i] = client_connect_from(port, "127.0.0.2");
        client_send(flood[i], STR("GET / HTTP/1.1\r\nX-Slow: "));
    }
    CHECK_EQ(recv(flood[0], &byte, 1, 0), 0); /* is hung up */
    for (int i = 0; i < N_OTHERS; i++) {
        client_send(others[i], STR("\r\n"));
        struct client c = client_read(others[i], false);
        CHECK_EQ(client_status(&c), 203);
        close(others[i]);
    }
    for (int i = 0; i < N; i++)
        close(flood[i]);
    stop();
}

static void http_leaves_descriptors_to_others(void)
{
    static struct connections all;

    connections_init(&all, 100000);
    CHECK_EQ(all.max, MAX_CONNECTIONS);
    CHECK_EQ(all.max_streams, HTTP_MAX_STREAMS);
    connections_init(&all, 1024);
    CHECK_EQ(all.max, 1024 - SPARED_DESCRIPTORS);
    CHECK(all.max_streams > 400 && all.max_streams < all.max - 200);
    connections_init(&all, 64);
    CHECK(all.max > 100 && all.max_streams > 50 && all.max_streams < all.max - 100);
}

static void http_bounds_the_memory_of_clients_that_do_not_read(void)
{
    enum { N = 12 };
    int greedy[N];

    CHECK(start());
    for (int i = 0; i < N; i++) {
        int small = 4096;
        greedy[i] = client_connect(port);
        setsockopt(greedy[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
        client_send(greedy[i], STR("GET /big HTTP/1.1\r\nHost: t\r\n\r\n"));
    }
    struct client last = client_read(greedy[N - 1], false);
    CHECK_EQ(client_status(&last), 503);
    CHECK(client_has(&last, "\r\nRetry-After: 1\r\n"));
    for (int i = 0; i < N; i++)
        close(greedy[i]);
    struct client c = client_get(port, "/", "");
    for (int i = 0; i < 100 && client_status(&c) == 503; i++) {
        usleep(10000);
        c = client_get(port, "/", "");
    }
    CHECK_EQ(client_status(&c), 203);
    stop();
}

/* Those who do not read have filled what there is, and go on not to read. */
static void http_drops_who_does_not_read_where_others_want_to(void)
{
    enum { N = 12 };
    int greedy[N];
    const int64_t until_us = clock_mono_us(clock_system()) + 30 * US_PER_S;
    struct client c;

    CHECK(start());
    for (int i = 0; i < N; i++) {
        const int small = 4096;
        greedy[i] = client_connect_from(port, "127.0.0.2");
        setsockopt(greedy[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
        client_send(greedy[i], STR("GET /big HTTP/1.1\r\nHost: t\r\n\r\n"));
    }
    c = client_read(greedy[N - 1], false);
    CHECK_EQ(client_status(&c), 503);
    while (client_status(&c) == 503 && clock_mono_us(clock_system()) < until_us) {
        usleep(20000);
        c = client_get(port, "/big", "");
    }
    CHECK_EQ(client_status(&c), 200);
    CHECK_EQ(c.body.len, BIG);
    for (int i = 0; i < N; i++)
        close(greedy[i]);
    stop();
}

static void connections_have_a_send_buffer_of_fixed_size(void)
{
    int listen_fd, size = 0;
    uint16_t at;
    socklen_t len = sizeof(size);

    CHECK_EQ(listen_open("127.0.0.1", 0, &listen_fd, &at, &err), ST_OK);
    int client = client_connect(at);
    int fd = accept(listen_fd, NULL, NULL);
    CHECK(fd >= 0);
    CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &len), 0);
    CHECK(size <= 256 * 1024); /* Linux doubles what it was told, for its own bookkeeping */
    close(fd);
    close(client);
    close(listen_fd);
}

static void http_names_the_process_that_holds_the_port(void)
{
    struct http_setup setup = {.address = "127.0.0.1", .handler = handle};
    struct http_server *second;
    char pid[32];

    CHECK(start());
    setup.port = port;
    CHECK_EQ(http_start(&setup, &second, &err), ST_FATAL);
    snprintf(pid, sizeof(pid), "process %d ", (int)getpid());
    CHECK(strstr(err.msg, pid) != NULL);
    CHECK(strstr(err.msg, "--listen") != NULL);
    stop();
}

static void http_refuses_addresses_that_are_not_here(void)
{
    static const char *const bad[] = {"192.0.2.1", "not an address", "999.1.1.1"};
    struct http_setup setup = {.handler = handle};
    struct http_server *none;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(setup.address, sizeof(setup.address), "%s", bad[i]);
        CHECK_EQ(http_start(&setup, &none, &err), ST_FATAL);
        CHECK(strstr(err.msg, bad[i]) != NULL);
        CHECK(strstr(err.msg, "--listen") != NULL);
    }
}

TAP_MAIN(
    TAP_CASE(http_serves_path_query_and_headers_decoded),
    TAP_CASE(http_puts_security_headers_on_answers), TAP_CASE(http_answers_head_without_a_body),
    TAP_CASE(http_keeps_connections_and_takes_pipelined_requests),
    TAP_CASE(http_refuses_other_methods_without_reading_on), TAP_CASE(http_says_what_may_be_asked),
    TAP_CASE(http_refuses_a_get_with_a_body), TAP_CASE(http_takes_a_post_on_its_one_path),
    TAP_CASE(http_keeps_posts_of_one_connection_apart), TAP_CASE(http_bounds_the_body_of_a_post),
    TAP_CASE(http_refuses_bodies_that_contradict_themselves),
    TAP_CASE(http_serves_others_while_a_post_comes_slowly),
    TAP_CASE(http_refuses_targets_that_do_not_decode), TAP_CASE(http_survives_garbage),
    TAP_CASE(http_refuses_floods_of_headers_parameters_and_long_targets),
    TAP_CASE(http_says_431_when_the_headers_just_do_not_fit),
    TAP_CASE(http_compresses_for_clients_that_ask),
    TAP_CASE(http_packs_with_zstd_for_clients_that_know_it),
    TAP_CASE(who_has_an_answer_gets_304_without_it), TAP_CASE(an_answer_tells_how_old_it_is),
    TAP_CASE(the_encoding_is_what_the_client_likes_best),
    TAP_CASE(http_says_500_when_a_body_does_not_fit), TAP_CASE(http_delays_one_answer_and_no_other),
    TAP_CASE(http_stalls_one_client_until_it_gives_up),
    TAP_CASE(http_cuts_a_body_and_the_connection), TAP_CASE(http_promises_more_than_comes),
    TAP_CASE(http_resets_instead_of_answering), TAP_CASE(http_sends_half_of_a_gzip_stream),
    TAP_CASE(http_serves_while_many_slow_clients_hold_connections),
    TAP_CASE(http_serves_while_many_clients_do_not_read),
    TAP_CASE(http_hangs_up_first_who_has_taken_nothing_for_longest),
    TAP_CASE(http_lets_no_address_crowd_others_out), TAP_CASE(http_leaves_descriptors_to_others),
    TAP_CASE(http_bounds_the_memory_of_clients_that_do_not_read),
    TAP_CASE(http_drops_who_does_not_read_where_others_want_to),
    TAP_CASE(connections_have_a_send_buffer_of_fixed_size),
    TAP_CASE(http_names_the_process_that_holds_the_port),
    TAP_CASE(http_refuses_addresses_that_are_not_here))
