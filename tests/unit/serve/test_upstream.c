/* Answers that are fetched: what is told of one that there is no room for. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/http.h"
#include "serve/serve.h"
#include "tap.h"
#include "unit/serve/client.h"

#define PRICE "/api/v3/simple/price?ids=bitcoin&vs_currencies=usd"
#define STALE "Warning: 110 geckotape \"Response is Stale\"\r\n"

static struct status_snapshot snapshot;
static struct status *status;
static struct serve *serve;
static uint64_t n_asked;
static struct str body; /* of the next answer */

/* It is there at once. */
static uint64_t fake_fetch(void *ctx, struct str target, int64_t wait_us)
{
    const struct serve_fetched fetched = {.end = SERVE_ANSWERED,
                                          .is_good = true,
                                          .status = 200,
                                          .headers = STR("content-type: application/json\r\n"),
                                          .body = body,
                                          .error = ""};

    (void)ctx, (void)target, (void)wait_us;
    serve_fetched(serve, ++n_asked, &fetched);
    return n_asked;
}

static bool start(void)
{
    struct serve_setup setup = {.address = "127.0.0.1", .upstream = {.fetch = fake_fetch}};
    struct err err = ERR_INIT;

    setup.status = status = status_new(&snapshot);
    n_asked = 0;
    return serve_start(&setup, &serve, &err) == ST_OK;
}

static void stop(void)
{
    serve_stop(serve);
    status_free(status);
}

static struct client get(const char *target)
{
    return client_get(serve_port(serve), target, "Cache-Control: max-age=0\r\n");
}

static void an_answer_without_room_leaves_the_one_before_stale(void)
{
    static char too_long[HTTP_MAX_BODY + 1];

    CHECK(start());
    body = STR("{\"a\":1}");
    struct client c = get(PRICE);
    CHECK_STR(c.body, "{\"a\":1}");
    CHECK(!client_has(&c, "Warning:"));
    body = (struct str){too_long, sizeof(too_long)};
    c = get(PRICE);
    CHECK_EQ(n_asked, 2);
    CHECK_EQ(client_status(&c), 200);
    CHECK_STR(c.body, "{\"a\":1}");
    CHECK(client_has(&c, STALE));
    c = get("/api/v3/coins/bitcoin");
    CHECK_EQ(client_status(&c), 503);
    CHECK_STR(c.body, "{\"error\":\"no memory for the answer; try again\"}");
    stop();
}

TAP_MAIN(TAP_CASE(an_answer_without_room_leaves_the_one_before_stale))
