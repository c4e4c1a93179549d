/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/http_client.h"
#include "base/json.h"
#include "http_script.h"
#include "tap.h"

#include <zlib.h>

#define MAX_BODY (size_t)(1024 * 1024)
#define GOOD     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"

static struct http_script server;
static struct http_answer answer;
static struct err err;

static const struct http_client_setup usual = {
    .user_agent = "geckotape-test/1",
    .connect_timeout_us = 2 * US_PER_S,
    .stall_timeout_us = US_PER_S,
    .max_body = MAX_BODY,
};

/* One GET of the step's answer; the case goes on with st, answer, err. */
static enum st get_once(const struct http_step *step, const char *header, int64_t timeout_us)
{
    struct http_client *c;

    http_answer_release(&answer);
    http_answer_init(&answer, MAX_BODY);
    err = (struct err)ERR_INIT;
    http_script_start(&server, step, 1);
    enum st st = http_client_new(&usual, &c, &err);
    if (st == ST_OK) {
        st = http_client_get(c, server.url, header, timeout_us, &answer, &err);
        http_client_free(c);
    }
    http_script_stop(&server);
    return st;
}

static enum st get(const char *text)
{
    return get_once(&(struct http_step){.answer = text, .is_closed = true}, NULL, 5 * US_PER_S);
}

static void an_answer_comes_whole_with_padding_and_lower_case_headers(void)
{
    CHECK_OK(get("HTTP/1.1 429 Too Many\r\nRetry-AFTER:  60 \r\nX-Empty:\r\nDate: x: y\r\n"
                 "Content-Length: 9\r\n\r\nThrottled"),
             err);
    CHECK_EQ(answer.status, 429);
    CHECK_STR(buf_str(&answer.body), "Throttled");
    for (size_t i = 0; i < JSON_PADDING; i++)
        CHECK_EQ(answer.body.p[answer.body.len + i], 0);
    struct str headers = buf_str(&answer.headers);
    CHECK_STR(http_answer_header(headers, "retry-after"), "60");
    CHECK_STR(http_answer_header(headers, "date"), "x: y");
    CHECK_STR(http_answer_header(headers, "x-empty"), "");
    CHECK(http_answer_header(headers, "x-empty").p != NULL);
    CHECK(http_answer_header(headers, "etag").p == NULL);
    CHECK(answer.latency_us > 0);
}

static void a_request_names_us_asks_for_gzip_and_carries_the_key_as_a_header(void)
{
    CHECK_OK(
        get_once(&(struct http_step){.answer = GOOD}, "x-cg-demo-api-key: CG-secret", 5 * US_PER_S),
        err);
    CHECK(strstr(server.asked, "User-Agent: geckotape-test/1\r\n"));
    CHECK(strstr(server.asked, "Accept-Encoding: gzip\r\n"));
    CHECK(strstr(server.asked, "x-cg-demo-api-key: CG-secret\r\n"));
}

static void headers_of_an_interim_answer_are_forgotten(void)
{
    CHECK_OK(get("HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" GOOD), err);
    CHECK(http_answer_header(buf_str(&answer.headers), "link").p == NULL);
    CHECK_EQ(answer.status, 200);
}

static void a_redirect_is_an_answer_and_not_followed(void)
{
    CHECK_OK(get("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"), err);
    CHECK_EQ(answer.status, 302);
    CHECK_EQ(server.n_requests, 1);
}

static void an_answer_that_is_not_whole_is_none(void)
{
    static const struct {
        const char *answer, *why;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n[1,", "7 bytes remaining"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[1,", "outstanding read data"},
        {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 6\r\n\r\nnogzip", "error"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2147483648\r\n\r\n[", "larger than the ceiling"},
        {"garbage without end\r\n\r\n", "HTTP/0.9"},
        {"HTTP/2 2005555555555\r\n\r\n[]", "status is none"},
        {"", "empty reply"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CHECK_EQ(get(rows[i].answer), ST_AGAIN);
        if (strstr(err.msg, rows[i].why) == NULL)
            TAP_FAIL("\"%s\" does not say \"%s\"", err.msg, rows[i].why);
    }
}

static void a_body_beyond_the_ceiling_is_refused_whatever_its_length_says(void)
{
    CHECK_EQ(get_once(&(struct http_step){.answer = "HTTP/1.1 200 OK\r\n\r\n",
                                          .n_filler = 2 * MAX_BODY,
                                          .is_closed = true},
                      NULL, 5 * US_PER_S),
             ST_AGAIN);
    CHECK(strstr(err.msg, "larger than the ceiling of 1048576 bytes"));
    CHECK_OK(get_once(&(struct http_step){.answer = "HTTP/1.1 200 OK\r\n\r\n",
                                          .n_filler = MAX_BODY,
                                          .is_closed = true},
                      NULL, 5 * US_PER_S),
             err);
    CHECK_EQ(answer.body.len, MAX_BODY);
}

static void a_gzip_bomb_is_refused_at_the_ceiling(void)
{
    static char bomb[512 * 1024] = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n";
    static char zeros[64 * 1024];
    size_t head = strlen(bomb);
    z_stream z = {.next_out = (Bytef *)bomb + head, .avail_out = (uInt)(sizeof(bomb) - head)};

    CHECK_EQ(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
    for (int i = 0; i < 1600; i++) { /* 100 MiB */
        z.next_in = (Bytef *)zeros;
        z.avail_in = sizeof(zeros);
        CHECK_EQ(deflate(&z, i == 1599 ? Z_FINISH : Z_NO_FLUSH), i == 1599 ? Z_STREAM_END : Z_OK);
    }
    size_t len = sizeof(bomb) - z.avail_out;
    deflateEnd(&z);
    CHECK_EQ(get_once(&(struct http_step){.answer = bomb, .len = len, .is_closed = true}, NULL,
                      5 * US_PER_S),
             ST_AGAIN);
    CHECK(strstr(err.msg, "larger than the ceiling"));
    CHECK(answer.body.cap <= MAX_BODY + JSON_PADDING + 1);
}

static void headers_without_end_are_refused(void)
{
    static char many[128 * 1024] = "HTTP/1.1 200 OK\r\n";
    size_t n = strlen(many);

    for (int i = 0; n < sizeof(many) - 128; i++)
        n += (size_t)snprintf(many + n, 100, "X-%d: %060d\r\n", i, i);
    memcpy(many + n, "\r\n", 3);
    CHECK_EQ(get(many), ST_AGAIN);
    CHECK(strstr(err.msg, "headers are larger"));
}

static void an_answer_knows_nothing_of_the_one_before(void)
{
    static const struct http_step steps[] = {
        {.answer = "HTTP/1.1 200 OK\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\n[]"},
        {.answer = "HTTP/1.1 200 OK\r\n folded: at once\r\nContent-Length: 2\r\n\r\n[]"},
    };
    struct http_client *c;

    http_answer_release(&answer);
    http_answer_init(&answer, MAX_BODY);
    http_script_start(&server, steps, 2);
    CHECK_OK(http_client_new(&usual, &c, &err), err);
    CHECK_OK(http_client_get(c, server.url, NULL, 5 * US_PER_S, &answer, &err), err);
    /* libcurl refuses it or not, by version; what a sanitizer sees is which memory it reads */
    enum st st = http_client_get(c, server.url, NULL, 5 * US_PER_S, &answer, &err);
    http_client_free(c);
    http_script_stop(&server);
    CHECK(st == ST_OK || st == ST_AGAIN);
    CHECK(http_answer_header(buf_str(&answer.headers), "retry-after").p == NULL);
    http_answer_release(&answer);
}

static void silence_ends_by_stall_or_total_time(void)
{
    const int64_t start = clock_mono_us(clock_system());

    CHECK_EQ(get_once(&(struct http_step){.answer = NULL}, NULL, 600 * US_PER_S), ST_AGAIN);
    CHECK(clock_mono_us(clock_system()) - start < 300 * US_PER_S);
    CHECK(strstr(err.msg, "too slow"));

    CHECK_EQ(get_once(&(struct http_step){.answer = NULL}, NULL, 200 * US_PER_MS), ST_AGAIN);
    CHECK(strstr(err.msg, "timed out"));
}

static void a_connection_is_used_again(void)
{
    struct http_client *c;

    http_script_start(&server, &(struct http_step){.answer = GOOD}, 1);
    CHECK_OK(http_client_new(&usual, &c, &err), err);
    for (int i = 0; i < 3; i++)
        CHECK_OK(http_client_get(c, server.url, NULL, US_PER_S, &answer, &err), err);
    http_client_free(c);
    http_script_stop(&server);
    CHECK_EQ(server.n_requests, 3);
    CHECK_EQ(server.n_connections, 1);
}

static void no_key_is_sent_when_none_is_asked_for_any_more(void)
{
    struct http_client *c;

    http_script_start(&server, &(struct http_step){.answer = GOOD}, 1);
    CHECK_OK(http_client_new(&usual, &c, &err), err);
    CHECK_OK(http_client_get(c, server.url, "x-key: one", US_PER_S, &answer, &err), err);
    CHECK_OK(http_client_get(c, server.url, NULL, US_PER_S, &answer, &err), err);
    http_client_free(c);
    http_script_stop(&server);
    const char *first = strstr(server.asked, "x-key: one");
    CHECK(first != NULL);
    CHECK(strstr(first + 1, "x-key: one") == NULL);
}

static void what_can_never_work_is_fatal(void)
{
    static const struct {
        const char *url, *header, *why;
    } rows[] = {
        {"ftp://127.0.0.1/", NULL, "not an http:// or https:// URL"},
        {"file:///etc/passwd", NULL, "not an http:// or https:// URL"},
        {"http://", NULL, "not a URL"},
        {"http://a b/", NULL, "not a URL"},
        {"http://127.0.0.1:99999/", NULL, "not a URL"},
        {"http://127.0.0.1:1/", "x-key: CG-secret\r\nHost: evil", "control characters"},
    };
    struct http_client *c;

    CHECK_OK(http_client_new(&usual, &c, &err), err);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum st st = http_client_get(c, rows[i].url, rows[i].header, US_PER_S, &answer, &err);
        if (st != ST_FATAL || !strstr(err.msg, rows[i].why) || strstr(err.msg, "secret"))
            TAP_FAIL("%s: st %d, %s", rows[i].url, st, err.msg);
    }
    http_client_free(c);
}

static void nobody_there_says_so_without_the_key(void)
{
    struct http_client *c;
    char url[64], why[64];
    int fd;
    const int port = http_script_refuse(&fd);

    snprintf(url, sizeof(url), "http://127.0.0.1:%d/x", port);
    snprintf(why, sizeof(why), "failed to connect to 127.0.0.1 port %d", port);
    CHECK_OK(http_client_new(&usual, &c, &err), err);
    CHECK_EQ(http_client_get(c, url, "x-key: CG-secret", 30 * US_PER_S, &answer, &err), ST_AGAIN);
    CHECK(strstr(err.msg, why));
    CHECK(strstr(err.msg, "secret") == NULL);
    http_client_free(c);
    close(fd);
}

static void *cancel_soon(void *client)
{
    usleep(50000);
    http_client_cancel(client);
    return NULL;
}

static void a_cancel_from_another_thread_acts_at_once_and_for_good(void)
{
    struct http_client *c;
    pthread_t thread;

    http_script_start(&server, &(struct http_step){.answer = NULL}, 1);
    CHECK_OK(http_client_new(&usual, &c, &err), err);
    int64_t start = clock_mono_us(clock_system());
    CHECK_EQ(pthread_create(&thread, NULL, cancel_soon, c), 0);
    CHECK_EQ(http_client_get(c, server.url, NULL, 30 * US_PER_S, &answer, &err), ST_REJECT);
    CHECK(clock_mono_us(clock_system()) - start < 10 * US_PER_S); /* a third of its time */
    pthread_join(thread, NULL);
    CHECK_EQ(http_client_get(c, server.url, NULL, 30 * US_PER_S, &answer, &err), ST_REJECT);
    CHECK_EQ(server.n_requests, 1);
    http_client_free(c);
    http_script_stop(&server);
    http_answer_release(&answer);
}

TAP_MAIN(TAP_CASE(an_answer_comes_whole_with_padding_and_lower_case_headers),
         TAP_CASE(a_request_names_us_asks_for_gzip_and_carries_the_key_as_a_header),
         TAP_CASE(headers_of_an_interim_answer_are_forgotten),
         TAP_CASE(a_redirect_is_an_answer_and_not_followed),
         TAP_CASE(an_answer_that_is_not_whole_is_none),
         TAP_CASE(a_body_beyond_the_ceiling_is_refused_whatever_its_length_says),
         TAP_CASE(a_gzip_bomb_is_refused_at_the_ceiling), TAP_CASE(headers_without_end_are_refused),
         TAP_CASE(an_answer_knows_nothing_of_the_one_before),
         TAP_CASE(silence_ends_by_stall_or_total_time), TAP_CASE(a_connection_is_used_again),
         TAP_CASE(no_key_is_sent_when_none_is_asked_for_any_more),
         TAP_CASE(what_can_never_work_is_fatal), TAP_CASE(nobody_there_says_so_without_the_key),
         TAP_CASE(a_cancel_from_another_thread_acts_at_once_and_for_good))
