/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/errors.h"

#include "base/clock.h"

#define TYPE_HTML "text/html; charset=utf-8"
#define TYPE_TEXT "text/plain; charset=utf-8"
#define PRICING   "https://www.coingecko.com/en/api/pricing"

/* How the words are wrapped. */
enum shape {
    SHAPE_JSON, /* they are the body */
    SHAPE_TEXT,
    SHAPE_HTML,
    SHAPE_STATUS, /* {"status":{"error_code":…,"error_message":…}} */
    SHAPE_TIMED,  /* the same with a timestamp in front */
    SHAPE_NESTED, /* the timed one within {"error":…} */
    SHAPE_ON_TOP, /* {"timestamp":…,"error_code":…,"status":{"error_message":…}} */
};

#define LIMIT_WORDS                                                                               \
    "You've exceeded the Rate Limit. Please visit " PRICING " to subscribe to our API plans for " \
    "higher rate limits."
#define FIREWALL_PAGE                                                                           \
    "<!DOCTYPE html>\n<html><head><title>Access denied | api.coingecko.com used Cloudflare to " \
    "restrict access</title></head><body><h1>Error 1020</h1></body></html>\n"

static const struct {
    int status;
    enum shape shape;
    int code;
    const char *words;
} errors[N_ERRORS] = {
    [ERROR_NONE] = {200, SHAPE_JSON, 0, ""},
    /* our own words: no body of a 400 for a parameter has been seen */
    [ERROR_CURRENCY] = {400, SHAPE_JSON, 0, "{\"error\":\"invalid vs_currency\"}"},
    /* reported live */
    [ERROR_COIN] = {404, SHAPE_JSON, 0, "{\"error\":\"coin not found\"}"},
    /* "slow network on your end", says the documentation; no body has been seen */
    [ERROR_TIMEOUT] = {408, SHAPE_HTML, 0,
                       "<html><head><title>408 Request Time-out</title></head></html>"},
    /* hummingbot, balancer-sdk and others; no body has been seen */
    [ERROR_LONG_URL] = {414, SHAPE_HTML, 0,
                        "<html><head><title>414 Request-URI Too Large</title></head></html>"},
    /* captured 2021 */
    [ERROR_PARAMETER] = {422, SHAPE_JSON, 0, "{\"error\":\"Missing parameter vs_currency\"}"},
    /* captured 2026 */
    [ERROR_LIMIT] = {429, SHAPE_STATUS, 429, LIMIT_WORDS},
    /* as some clients report it */
    [ERROR_LIMIT_AS_200] = {200, SHAPE_STATUS, 429, LIMIT_WORDS},
    /* no body of it has been seen; it comes without Retry-After */
    [ERROR_CREDITS] = {429, SHAPE_STATUS, 429, LIMIT_WORDS},
    /* l2beat#4730 */
    [ERROR_THROTTLED] = {429, SHAPE_TEXT, 0, "Throttled"},
    /* captured, /coins/bitcoin/ohlc without vs_currency */
    [ERROR_500] = {500, SHAPE_JSON, 0, "{\"status\":500,\"error\":\"Internal Server Error\"}"},
    [ERROR_502] = {502, SHAPE_TEXT, 0, "Bad Gateway"},
    [ERROR_503] = {503, SHAPE_HTML, 0,
                   "<html><body><h1>503 Service Unavailable</h1></body></html>"},
    /* captured 2023-03-30 */
    [ERROR_OUTAGE] = {403, SHAPE_STATUS, 403,
                      "This endpoint is temporarily unavailable due to ongoing issues. Please "
                      "visit " PRICING " to subscribe to our API plans with higher availability "
                      "and https://status.coingecko.com for API status. "},
    /* oracle-core#340, since 2026-01-09 */
    [ERROR_NO_AGENT] = {403, SHAPE_STATUS, 403,
                        "Please add a descriptive User-Agent to your request. For higher rate "
                        "limits & stable integration, please subscribe to our API plans: " PRICING
                        " . If you think this is a mistake, please report here: "
                        "https://forms.gle/3V2z8Mb3k2RMu5S2A"},
    /* telliot-feeds#170 */
    [ERROR_FIREWALL] = {403, SHAPE_HTML, 0, FIREWALL_PAGE},
    [ERROR_PAGE] = {200, SHAPE_HTML, 0, FIREWALL_PAGE},
    /* captured 2024, sent for a wrong key too */
    [ERROR_KEY] = {401, SHAPE_TIMED, 10002, "API Key Missing"},
    /* reported live 2026-09 */
    [ERROR_PAID_ENDPOINT] = {401, SHAPE_STATUS, 10005,
                             "This request is limited to PRO API subscribers. Please visit " PRICING
                             " to subscribe to our API plans for higher rate limits."},
    /* reported 2025-10 */
    [ERROR_PRO_KEY_HERE] = {400, SHAPE_ON_TOP, 10010,
                            "If you are using Pro API key, please change your root URL from "
                            "api.coingecko.com to pro-api.coingecko.com"},
    [ERROR_DEMO_KEY_HERE] = {400, SHAPE_ON_TOP, 10011,
                             "If you are using Demo API key, please change your root URL from "
                             "pro-api.coingecko.com to api.coingecko.com"},
    /* waxtax#8 */
    [ERROR_HISTORY] = {401, SHAPE_NESTED, 10012,
                       "Your request exceeds the allowed time range. Public API users are limited "
                       "to querying historical data within the past 365 days. Upgrade to a paid "
                       "plan to enjoy full historical data access: " PRICING ". "},
    [ERROR_MOVED] = {301, SHAPE_HTML, 0,
                     "<html><body><h1>301 Moved Permanently</h1></body></html>"},
    [ERROR_TYPE] = {200, SHAPE_JSON, 0, "{\"data\":[]}"},
    [ERROR_EMPTY] = {200, SHAPE_JSON, 0, "[]"},
};

/* "timestamp":"2024-01-09T07:14:10.135+00:00", */
static void add_timestamp(struct buf *b, int64_t now_us)
{
    char text[TIME_TEXT];
    size_t len = time_format_ms(now_us, text);

    buf_addf(b, "\"timestamp\":\"%.*s+00:00\",", (int)len - 1, text);
}

static void add_code(struct buf *b, int code, const char *words)
{
    buf_addf(b, "\"error_code\":%d,\"error_message\":", code);
    buf_add_json_str(b, str_of(words));
}

void errors_answer(struct http_response *res, enum sim_error error, int64_t now_us)
{
    const enum shape shape = errors[error].shape;
    const char *words = errors[error].words;
    struct buf *b = &res->body;

    buf_clear(b);
    res->status = errors[error].status;
    if (shape == SHAPE_TEXT || shape == SHAPE_HTML)
        res->content_type = shape == SHAPE_TEXT ? TYPE_TEXT : TYPE_HTML;
    if (shape == SHAPE_JSON || shape == SHAPE_TEXT || shape == SHAPE_HTML) {
        buf_add_z(b, words);
    } else if (shape == SHAPE_ON_TOP) {
        buf_add_char(b, '{');
        add_timestamp(b, now_us);
        buf_addf(b, "\"error_code\":%d,\"status\":{\"error_message\":", errors[error].code);
        buf_add_json_str(b, str_of(words));
        buf_add_z(b, "}}");
    } else {
        buf_add_z(b, shape == SHAPE_NESTED ? "{\"error\":{\"status\":{" : "{\"status\":{");
        if (shape != SHAPE_STATUS)
            add_timestamp(b, now_us);
        add_code(b, errors[error].code, words);
        buf_add_z(b, shape == SHAPE_NESTED ? "}}}" : "}}");
    }
}
