/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "serve/events.h"
#include "tap.h"
#include "unit/serve/client.h"

#include <sys/resource.h>

#define T0 INT64_C(1795444200000000) /* 2026-11-23T14:30:00Z */

static struct status_snapshot snapshot;
static struct status *status;
static struct serve *serve;

static bool start(void)
{
    struct serve_setup setup = {.address = "127.0.0.1"};
    struct err err = ERR_INIT;

    snapshot = (struct status_snapshot){.n_jobs = 1, .n_sinks = 1};
    snprintf(snapshot.jobs[0].name, sizeof(snapshot.jobs[0].name), "markets-usd");
    setup.status = status = status_new(&snapshot);
    return serve_start(&setup, &serve, &err) == ST_OK;
}

static void stop(void)
{
    serve_stop(serve);
    status_free(status);
}

/* ---- a client ---- */

struct listener {
    int fd;
    size_t len, seen; /* bytes read, and how far they were looked at */
    char text[400000];
};

static struct listener one, other;

static bool listen_from(struct listener *l, const char *last_id)
{
    char request[300];

    *l = (struct listener){.fd = client_connect(serve_port(serve))};
    snprintf(request, sizeof(request), "GET /api/events HTTP/1.1\r\nHost: t\r\n%s%s%s\r\n",
             last_id ? "Last-Event-ID: " : "", last_id ? last_id : "", last_id ? "\r\n" : "");
    client_send(l->fd, str_of(request));
    return l->fd >= 0;
}

/* Read on until the text comes, behind what was waited for before. */
static bool hears(struct listener *l, const char *text)
{
    for (;;) {
        const char *found = strstr(l->text + l->seen, text);
        if (found) {
            l->seen = (size_t)(found - l->text) + strlen(text);
            return true;
        }
        ssize_t n = recv(l->fd, l->text + l->len, sizeof(l->text) - 1 - l->len, 0);
        if (n <= 0)
            return false;
        l->len += (size_t)n;
    }
}

/* The id of the event that was heard last: that of the line before. */
static const char *last_id(const struct listener *l)
{
    static char id[64];
    const char *found = NULL;

    for (const char *at = l->text; (at = strstr(at, "id: ")) != NULL && at < l->text + l->seen;
         at++)
        found = at;
    snprintf(id, sizeof(id), "%.*s", found ? (int)strcspn(found + 4, "\n") : 0,
             found ? found + 4 : "");
    return id;
}

/* ---- what is told ---- */

static struct cell cells[3 * N_MARKET_COLUMNS];
static struct rows rows;

static void make_rows(const char *const *ids, size_t n)
{
    rows = (struct rows){.table = &market_table, .cells = cells, .n = n};
    memset(cells, 0, sizeof(cells));
    for (size_t i = 0; i < n; i++) {
        struct cell *row = rows_at(&rows, i);
        row[MARKET_ID] = cell_of_text(str_of(ids[i]));
        row[MARKET_FETCHED_AT] = cell_of_time(T0 + (int64_t)i * US_PER_S);
    }
}

/* A poll of this slot's second, of three coins the middle one of which did not change. */
static void tell(int slot, bool is_behind)
{
    static const char *const ids[] = {"bitcoin", "tether", "dust"};
    static const bool is_unchanged[] = {false, true, false};
    static const struct str absent[] = {STR("gone-coin")};
    struct cell poll[N_POLL_COLUMNS] = {0};
    const struct serve_loaded loaded = {
        .poll = poll,
        .latency_us = 1500,
        .vs_currency = "usd",
        .rows = &rows,
        .is_unchanged = is_unchanged,
        .absent = absent,
        .n_absent = 1,
        .is_behind = is_behind,
    };

    make_rows(ids, 3);
    poll[POLL_COLUMN_JOB] = cell_of_text(STR("markets-usd"));
    poll[POLL_COLUMN_SLOT] = cell_of_time(T0 + slot * US_PER_S);
    serve_tell(serve, &loaded);
}

/* Long after the last client: as a poll of nothing, but of `bytes` in all. */
static void tell_much(size_t bytes)
{
    static char error[1024 * 1024];
    struct cell poll[N_POLL_COLUMNS] = {0};

    memset(error, 'x', sizeof(error));
    poll[POLL_COLUMN_ERROR] = cell_of_text((struct str){error, bytes});
    serve_tell(serve, &(struct serve_loaded){.poll = poll, .vs_currency = ""});
}

static void events_tell_of_a_poll_and_what_it_changed(void)
{
    CHECK(start());
    CHECK(!serve_is_watched(serve));
    CHECK(listen_from(&one, NULL));
    CHECK(hears(&one, "HTTP/1.1 200 OK\r\n"));
    CHECK(hears(&one, "Content-Type: text/event-stream; charset=utf-8\r\n"));
    CHECK(hears(&one, "retry: 2000\nid: "));
    CHECK(serve_is_watched(serve));
    tell(1, false);
    CHECK(hears(&one,
                "event: poll\ndata: {\"job\":\"markets-usd\",\"slot\":\"2026-11-23T14:30:01Z\","
                "\"outcome\":null,"));
    CHECK(hears(&one, ",\"latency_ms\":2}\n\n"));
    CHECK(hears(&one, "event: market\ndata: {\"vs_currency\":\"usd\",\"time\":1795444202000,"
                      "\"columns\":[\"id\",\"symbol\","));
    CHECK(hears(&one, "],\"rows\":[[\"bitcoin\",null,"));
    CHECK(hears(&one, "],[\"dust\",null,"));
    CHECK(hears(&one, "]],\"gone\":[\"gone-coin\"]}\n\n"));
    CHECK(strstr(one.text, "tether") == NULL);
    close(one.fd);
    stop();
}

static void events_tell_when_a_state_changes(void)
{
    CHECK(start());
    CHECK(listen_from(&one, NULL));
    CHECK(hears(&one, "event: status\ndata: {\"name\":\"geckotape\","));
    status_lock(status)->jobs[0].is_polling = true;
    status_unlock(status);
    CHECK(hears(&one, "event: status\n"));
    CHECK(hears(&one, "\"polling\":true,"));
    status_lock(status)->sinks[0].state = SINK_WAITING;
    status_unlock(status);
    CHECK(hears(&one, "event: status\n"));
    CHECK(hears(&one, "\"state\":\"waiting\""));
    close(one.fd);
    stop();
}

static void who_comes_back_goes_on_where_it_was(void)
{
    char id[64];

    CHECK(start());
    CHECK(listen_from(&one, NULL));
    CHECK(hears(&one, "retry: 2000\nid: "));
    CHECK(hears(&one, "event: status\n"));
    tell(1, false);
    CHECK(hears(&one, "event: poll\n"));
    snprintf(id, sizeof(id), "%s", last_id(&one));
    close(one.fd);
    tell(2, false);
    CHECK(listen_from(&other, id));
    CHECK(hears(&other, "event: market\n")); /* of the first poll */
    CHECK(hears(&other, "event: poll\n"));
    CHECK(hears(&other, "\"slot\":\"2026-11-23T14:30:02Z\""));
    CHECK(strstr(other.text, "event: reset") == NULL);
    CHECK(strstr(other.text, "14:30:01Z") == NULL);
    close(other.fd);
    stop();
}

static void who_missed_something_is_told(void)
{
    char id[64];
    static const char *const foreign[] = {"1-1", "x", "", "5f-99999999999999999999", "-1"};

    CHECK(start());
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
        CHECK(listen_from(&one, foreign[i]));
        CHECK(hears(&one, "\nevent: reset\ndata: {}\n\n"));
        close(one.fd);
    }
    CHECK(listen_from(&one, NULL));
    CHECK(hears(&one, "retry: 2000\nid: "));
    CHECK(hears(&one, "\n"));
    snprintf(id, sizeof(id), "%s", last_id(&one));
    for (int i = 0; i < 40; i++) /* 80 events */
        tell(i, false);
    CHECK(listen_from(&other, id));
    CHECK(hears(&other, "event: reset\n"));
    close(other.fd);
    close(one.fd); /* fell behind as well */
    CHECK(listen_from(&one, NULL));
    CHECK(hears(&one, "retry: 2000\nid: "));
    /* a sink that caught up told the last poll of many */
    tell(99, true);
    CHECK(hears(&one, "14:31:39Z"));
    CHECK(hears(&one, "event: reset\n"));
    close(one.fd);
    stop();
}

static void a_client_that_does_not_read_is_hung_up_on(void)
{
    const int small = 1024;
    char byte;

    CHECK(start());
    CHECK(listen_from(&one, NULL));
    CHECK(hears(&one, "event: status\n"));
    int slow = client_connect(serve_port(serve));
    setsockopt(slow, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    client_send(slow, STR("GET /api/events HTTP/1.1\r\nHost: t\r\n\r\n"));
    CHECK(recv(slow, &byte, 1, 0) == 1);
    for (int i = 0; i < 20; i++) {
        one.len = one.seen = 0; /* its text has room for less */
        memset(one.text, 0, sizeof(one.text));
        tell_much(300000);
        CHECK(hears(&one, "xxx\",\"latency_ms\":0}\n\n"));
    }
    for (int i = 0; i < 16; i++)
        tell_much(1000000);
    char sink[65536];
    ssize_t n, total = 0;
    while ((n = recv(slow, sink, sizeof(sink), 0)) > 0)
        total += n;
    CHECK(n == 0 || errno == ECONNRESET);
    CHECK(total < 8 * 1024 * 1024);
    close(slow);
    close(one.fd);
    stop();
}

static void events_have_many_listeners(void)
{
    enum { N = HTTP_MAX_STREAMS };
    static int fds[N];
    static char text[65536];
    const struct rlimit many = {.rlim_cur = 4096, .rlim_max = 4096};

    if (setrlimit(RLIMIT_NOFILE, &many) != 0)
        SKIP("no 4096 file descriptors here");
    CHECK(start());
    for (int i = 0; i < N; i++) {
        fds[i] = client_connect(serve_port(serve));
        client_send(fds[i], STR("GET /api/events HTTP/1.1\r\nHost: t\r\n\r\n"));
        CHECK(recv(fds[i], text, sizeof(text), 0) > 0);
    }
    struct client c = client_get(serve_port(serve), "/api/events", "");
    CHECK_EQ(client_status(&c), 503);
    CHECK(client_has(&c, "\r\nRetry-After: 10\r\n"));
    c = client_get(serve_port(serve), "/healthz", "");
    CHECK_EQ(client_status(&c), 200);
    tell(1, false);
    for (int i = 0; i < N; i++) {
        size_t len = 0;
        ssize_t n = 1;
        text[0] = '\0';
        while (!strstr(text, "event: market\n") && n > 0) {
            n = recv(fds[i], text + len, sizeof(text) - 1 - len, 0);
            len += n > 0 ? (size_t)n : 0;
            text[len] = '\0';
        }
        CHECK(strstr(text, "event: market\n") != NULL);
    }
    for (int i = 0; i < N; i++)
        close(fds[i]);
    CHECK(listen_from(&one, NULL)); /* there is room again */
    CHECK(hears(&one, "HTTP/1.1 200"));
    close(one.fd);
    stop();
}

/* An address that has all of them makes room for another's. */
static void no_address_has_all_streams_to_itself(void)
{
    enum { N = HTTP_MAX_STREAMS };
    static int fds[N];
    static char text[65536];
    const struct rlimit many = {.rlim_cur = 4096, .rlim_max = 4096};

    if (setrlimit(RLIMIT_NOFILE, &many) != 0)
        SKIP("no 4096 file descriptors here");
    CHECK(start());
    for (int i = 0; i < N; i++) {
        fds[i] = client_connect_from(serve_port(serve), "127.0.0.2");
        client_send(fds[i], STR("GET /api/events HTTP/1.1\r\nHost: t\r\n\r\n"));
        CHECK(recv(fds[i], text, sizeof(text), 0) > 0);
    }
    CHECK(listen_from(&one, NULL));
    CHECK(hears(&one, "HTTP/1.1 200"));
    while (recv(fds[0], text, sizeof(text), 0) > 0) /* ends, as it makes room */
        ;
    CHECK(errno != EAGAIN);
    tell(1, false);
    CHECK(hears(&one, "event: market\n"));
    for (int i = 0; i < N; i++)
        close(fds[i]);
    close(one.fd);
    stop();
}

/* ---- with a clock of our own ---- */

static void a_comment_comes_every_15_seconds_and_silence_ends_it(void)
{
    struct events *e = events_new((status = status_new(&snapshot)), NULL);
    struct own own = {.events = e, .status = status};
    struct http_response res = {.body = BUF_INIT(1024)};
    char text[65536];
    bool is_wake;

    CHECK_EQ(events_tick(e, &snapshot, 0, &is_wake), INT64_MAX);
    CHECK(!is_wake);
    events_open(&own, STR_NONE, &res);
    CHECK_EQ(events_tick(e, &snapshot, 1, &is_wake), 1 + US_PER_S);
    CHECK(is_wake);
    while (res.stream.read(res.stream.ctx, text, sizeof(text)) > 0)
        ;
    CHECK_EQ(events_tick(e, &snapshot, 1 + US_PER_S, &is_wake), 1 + 2 * US_PER_S);
    CHECK(!is_wake);
    events_tick(e, &snapshot, 1 + 15 * US_PER_S, &is_wake);
    CHECK(is_wake);
    CHECK_EQ(res.stream.read(res.stream.ctx, text, sizeof(text)), 3);
    CHECK(memcmp(text, ":\n\n", 3) == 0);
    CHECK_EQ(res.stream.read(res.stream.ctx, text, sizeof(text)), 0);
    res.stream.closed(res.stream.ctx);
    events_tick(e, &snapshot, 20 * US_PER_S, &is_wake);
    CHECK(events_are_heard(e));
    CHECK_EQ(events_tick(e, &snapshot, 80 * US_PER_S, &is_wake), INT64_MAX);
    CHECK(!events_are_heard(e));
    events_free(e);
    status_free(status);
}

TAP_MAIN(TAP_CASE(events_tell_of_a_poll_and_what_it_changed),
         TAP_CASE(events_tell_when_a_state_changes), TAP_CASE(who_comes_back_goes_on_where_it_was),
         TAP_CASE(who_missed_something_is_told),
         TAP_CASE(a_client_that_does_not_read_is_hung_up_on), TAP_CASE(events_have_many_listeners),
         TAP_CASE(no_address_has_all_streams_to_itself),
         TAP_CASE(a_comment_comes_every_15_seconds_and_silence_ends_it))
