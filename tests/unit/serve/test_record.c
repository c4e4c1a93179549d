/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/serve.h"
#include "tap.h"
#include "unit/serve/client.h"

static struct status_snapshot snapshot;
static struct status *status;
static struct serve *serve;
static struct str asked_stream;
static uint64_t asked_offset;
static struct serve_record record;
static enum st record_st;

static enum st read_record(void *ctx, struct str stream, uint64_t offset, struct arena *arena,
                           struct serve_record *ret_record, struct err *err)
{
    static char stream_text[64];

    (void)ctx, (void)arena;
    snprintf(stream_text, sizeof(stream_text), "%.*s", STR_ARG(stream));
    asked_stream = str_of(stream_text);
    asked_offset = offset;
    if (record_st != ST_OK)
        return err_set(err, record_st, "offset 7 is pruned");
    *ret_record = record;
    return ST_OK;
}

static bool start(bool has_tape)
{
    struct serve_setup setup = {.address = "127.0.0.1",
                                .read_record = has_tape ? read_record : NULL};
    struct err err = ERR_INIT;

    setup.status = status = status_new(&snapshot);
    record_st = ST_OK;
    record = (struct serve_record){.head = STR("{\"type\":\"page\",\"offset\":7"),
                                   .body = STR("[1.50,\n\"a\"]"),
                                   .is_json = true};
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

static void record_is_its_header_and_its_body_as_text(void)
{
    CHECK(start(true));
    struct client c = get("/api/record?stream=markets-usd&offset=7");
    CHECK_EQ(client_status(&c), 200);
    CHECK_STR(c.body, "{\"type\":\"page\",\"offset\":7,\"body\":\"[1.50,\\n\\\"a\\\"]\"}\n");
    CHECK_STR(asked_stream, "markets-usd");
    CHECK_EQ(asked_offset, 7);
    record.body = STR("\xff\xfe"); /* no text: raw=1 has it */
    c = get("/api/record?stream=x&offset=7");
    CHECK_STR(c.body, "{\"type\":\"page\",\"offset\":7,\"body\":null}\n");
    record.body = STR_NONE;
    c = get("/api/record?stream=x&offset=7");
    CHECK_STR(c.body, "{\"type\":\"page\",\"offset\":7,\"body\":null}\n");
    stop();
}

static void record_gives_the_body_byte_for_byte(void)
{
    CHECK(start(true));
    struct client c = get("/api/record?stream=x&offset=7&raw=1");
    CHECK_STR(c.body, "[1.50,\n\"a\"]");
    CHECK(client_has(&c, "\r\nContent-Type: application/json; charset=utf-8\r\n"));
    record =
        (struct serve_record){.head = record.head, .body = STR("<script>alert(1)</script>\xff")};
    c = get("/api/record?stream=x&offset=7&raw=1");
    CHECK_STR(c.body, "<script>alert(1)</script>\xff");
    CHECK(client_has(&c, "\r\nContent-Type: text/plain\r\n"));
    CHECK(client_has(&c, "\r\nX-Content-Type-Options: nosniff\r\n"));
    stop();
}

static void record_says_why_there_is_none(void)
{
    static const struct {
        const char *target;
        int status;
        const char *why;
    } cases[] = {
        {"/api/record", 400, "stream: which one?"},
        {"/api/record?stream=x", 400, "offset: not a number"},
        {"/api/record?stream=x&offset=0", 400, "offset: not a number"},
        {"/api/record?stream=x&offset=-1", 400, "offset: not a number"},
        {"/api/record?stream=x&offset=99999999999999999999", 400, "offset: not a number"},
        {"/api/record?stream=x&offset=8", 404, "offset 7 is pruned"},
    };

    CHECK(start(true));
    record_st = ST_REJECT;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct client c = get(cases[i].target);
        CHECK_EQ(client_status(&c), cases[i].status);
        CHECK(memmem(c.body.p, c.body.len, cases[i].why, strlen(cases[i].why)) != NULL);
    }
    record_st = ST_AGAIN;
    struct client c = get("/api/record?stream=x&offset=8");
    CHECK_EQ(client_status(&c), 503);
    stop();
    CHECK(start(false));
    c = get("/api/record?stream=x&offset=8");
    CHECK_EQ(client_status(&c), 404);
    CHECK(memmem(c.body.p, c.body.len, "no tape here", 12) != NULL);
    stop();
}

TAP_MAIN(TAP_CASE(record_is_its_header_and_its_body_as_text),
         TAP_CASE(record_gives_the_body_byte_for_byte), TAP_CASE(record_says_why_there_is_none))
