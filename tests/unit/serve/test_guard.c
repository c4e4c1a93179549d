/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/serve.h"
#include "tap.h"
#include "unit/serve/client.h"

static struct status_snapshot snapshot;
static struct status *status;
static struct serve *serve;
static unsigned n_polled;

static uint64_t poll_now(void *ctx, const char *job)
{
    (void)ctx, (void)job;
    return ++n_polled;
}

static bool start(struct guard guard)
{
    struct serve_setup setup = {.address = "127.0.0.1", .guard = guard, .poll_now = poll_now};
    struct err err = ERR_INIT;

    snapshot = (struct status_snapshot){.n_jobs = 1};
    snprintf(snapshot.jobs[0].name, sizeof(snapshot.jobs[0].name), "markets-usd");
    setup.status = status = status_new(&snapshot);
    n_polled = 0;
    return serve_start(&setup, &serve, &err) == ST_OK;
}

static void stop(void)
{
    serve_stop(serve);
    status_free(status);
}

/* What a read of this path with these header lines gets. */
static int read_as(const char *path, const char *headers)
{
    struct client c = client_get(serve_port(serve), path, headers);

    return client_status(&c);
}

#define TOKEN "Authorization: Bearer read-token-0123456\r\n"
/* of "me:pass word€" */
#define LOGIN "Authorization: Basic bWU6cGFzcyB3b3Jk4oKs\r\n"

static void reading_is_open_where_nothing_else_is_said(void)
{
    CHECK(start((struct guard){.token = "write-token-0123456"}));
    CHECK_EQ(read_as("/api/status", ""), 200);
    CHECK_EQ(read_as("/metrics", "Authorization: Bearer wrong\r\n"), 200);
    stop();
}

static void reading_takes_a_token_or_a_login_where_they_are_set(void)
{
    static const char *const paths[] = {"/",           "/metrics", "/api/status", "/api/v3/ping",
                                        "/api/events", "/nothing"};
    static const char *const wrong[] = {
        "",
        "Authorization: \r\n",
        "Authorization: Bearer\r\n",
        "Authorization: Bearer read-token-012345\r\n",
        "Authorization: Bearer read-token-01234567\r\n",
        "Authorization: Basic read-token-0123456\r\n",
        "Authorization: Basic bWU6cGFzcyB3b3Jk\r\n",
        "Authorization: Basic bWU6cGFzcyB3b3Jk4oKsAA==\r\n",
        "Authorization: Basic me:pass word\xe2\x82\xac\r\n",
        "Authorization: Bearer bWU6cGFzcyB3b3Jk4oKs\r\n",
    };

    CHECK(start((struct guard){.token = "write-token-0123456",
                               .read_token = "read-token-0123456",
                               .login = "me:pass word\xe2\x82\xac"}));
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        for (size_t k = 0; k < sizeof(wrong) / sizeof(wrong[0]); k++)
            CHECK_EQ(read_as(paths[i], wrong[k]), 401);
    CHECK_EQ(read_as("/api/status", TOKEN), 200);
    CHECK_EQ(read_as("/api/status", LOGIN), 200);
    CHECK_EQ(read_as("/api/status", "Authorization: basic bWU6cGFzcyB3b3Jk4oKs\r\n"), 200);
    CHECK_EQ(read_as("/api/status", "Authorization: Bearer write-token-0123456\r\n"), 200);
    CHECK_EQ(read_as("/nothing", LOGIN), 404);
    CHECK_EQ(read_as("/healthz", ""), 200);
    CHECK_EQ(read_as("/readyz", ""), 503);
    stop();
}

static void a_refusal_says_what_is_asked_for(void)
{
    CHECK(start((struct guard){.login = "me:password"}));
    struct client c = client_get(serve_port(serve), "/", "");
    CHECK(client_has(&c, "\r\nWWW-Authenticate: Basic realm=\"geckotape\", charset=\"UTF-8\"\r\n"));
    CHECK(!client_has(&c, "Bearer"));
    CHECK(!memmem(c.all.p, c.all.len, "password\"", 9));
    stop();
    CHECK(start((struct guard){.read_token = "read-token-0123456"}));
    c = client_get(serve_port(serve), "/", "");
    CHECK(client_has(&c, "\r\nWWW-Authenticate: Bearer realm=\"geckotape\"\r\n"));
    CHECK(!client_has(&c, "Basic"));
    stop();
}

/* ---- writing ---- */

static int write_as(const char *headers)
{
    char request[600];

    snprintf(request, sizeof(request),
             "POST /api/polls HTTP/1.1\r\n%sAuthorization: Bearer write-token-0123456\r\n"
             "Content-Length: 0\r\n\r\n",
             headers);
    struct client c = client_exchange(serve_port(serve), str_of(request));
    return client_status(&c);
}

static void no_page_of_another_origin_writes(void)
{
    static const struct {
        const char *headers;
        int status;
    } cases[] = {
        {"Host: 127.0.0.1:8080\r\n", 202}, /* no browser */
        {"Host: tape.example\r\n", 202},
        {"Host: 127.0.0.1:8080\r\nOrigin: http://127.0.0.1:8080\r\n", 202},
        {"Host: 127.0.0.1:8080\r\nOrigin: http://127.0.0.1:8080\r\nSec-Fetch-Site: same-origin\r\n",
         202},
        {"Host: localhost:8080\r\nOrigin: http://localhost:8080\r\n", 202},
        {"Host: LOCALHOST\r\nSec-Fetch-Site: none\r\n", 202},
        {"Host: [::1]:8080\r\nOrigin: http://[::1]:8080\r\n", 202},
        {"Host: mine.example:8080\r\nOrigin: https://mine.example:8080\r\n", 202},
        {"Host: Mine.Example\r\nOrigin: https://Mine.Example\r\n", 202},

        {"Host: 127.0.0.1:8080\r\nOrigin: http://evil.example\r\n", 403},
        {"Host: 127.0.0.1:8080\r\nOrigin: null\r\n", 403},
        {"Host: 127.0.0.1:8080\r\nOrigin: \r\n", 403},
        {"Host: 127.0.0.1:8080\r\nOrigin: http://127.0.0.1:9090\r\n", 403},
        {"Host: 127.0.0.1:8080\r\nSec-Fetch-Site: cross-site\r\n", 403},
        {"Host: 127.0.0.1:8080\r\nSec-Fetch-Site: same-site\r\n", 403},
        {"Host: 127.0.0.1:8080\r\nOrigin: http://127.0.0.1:8080\r\nSec-Fetch-Site: cross-site\r\n",
         403},
        /* a name of somebody else's that was made to lead here */
        {"Host: evil.example:8080\r\nOrigin: http://evil.example:8080\r\n", 403},
        {"Host: evil.example\r\nSec-Fetch-Site: same-origin\r\n", 403},
        {"Host: 127.0.0.1.evil.example\r\nSec-Fetch-Site: same-origin\r\n", 403},
        {"Host: localhost.evil.example\r\nSec-Fetch-Site: same-origin\r\n", 403},
        {"Host: \r\nSec-Fetch-Site: same-origin\r\n", 403},
        {"Host: [\r\nSec-Fetch-Site: same-origin\r\n", 403},
    };
    static const char *const hosts[] = {"mine.example"};

    CHECK(start((struct guard){.token = "write-token-0123456", .hosts = hosts, .n_hosts = 1}));
    unsigned n = 0;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK_EQ(write_as(cases[i].headers), cases[i].status);
        n += cases[i].status == 202;
        CHECK_EQ(n_polled, n);
    }
    stop();
}

static void who_may_read_may_not_write(void)
{
    CHECK(start((struct guard){.read_token = "write-token-0123456", .login = "me:password"}));
    CHECK_EQ(write_as("Host: t\r\n"), 403); /* no token of writers is set */
    stop();
    CHECK(
        start((struct guard){.token = "another-token-01234", .read_token = "write-token-0123456"}));
    CHECK_EQ(write_as("Host: t\r\n"), 401);
    CHECK_EQ(n_polled, 0);
    stop();
}

TAP_MAIN(TAP_CASE(reading_is_open_where_nothing_else_is_said),
         TAP_CASE(reading_takes_a_token_or_a_login_where_they_are_set),
         TAP_CASE(a_refusal_says_what_is_asked_for), TAP_CASE(no_page_of_another_origin_writes),
         TAP_CASE(who_may_read_may_not_write))
