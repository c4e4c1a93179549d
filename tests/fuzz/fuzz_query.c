/* Any path and parameters of CoinGecko's API: a JSON answer, which is no failure of the server.
 * First byte: which path; then what stands behind it, percent-encoded unless it is part of a query.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "simulator.h"

#define MAX_TAIL   2048
#define MAX_PARAMS 100 /* beyond them a connection's memory may be full: see http.h */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_flood(struct str target)
{
    size_t n = 0;

    for (size_t i = 0; i < target.len; i++)
        n += target.p[i] == '&';
    return n > MAX_PARAMS;
}

/* Append what stands behind the path; only what separates parts and words is left as it is. */
static void add_tail(struct buf *target, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        bool is_plain = (data[i] >= '0' && data[i] <= '9') || (data[i] >= 'a' && data[i] <= 'z') ||
                        (data[i] >= 'A' && data[i] <= 'Z') || strchr("/?&=,._-+%", data[i]);
        if (is_plain && data[i] != '\0')
            buf_add_char(target, (char)data[i]);
        else
            buf_addf(target, "%%%02X", data[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const paths[] = {
        "/coins/markets?vs_currency=usd&",
        "/simple/price?",
        "/coins/list?",
        "/coins/bitcoin",
        "/coins/bitcoin/market_chart?vs_currency=usd&",
        "/coins/bitcoin/ohlc?vs_currency=usd&",
        "/coins/bitcoin/history?",
        "/global",
        "/simple/",
        "/coins/",
        "/exchanges?",
        "/",
    };
    struct buf target = BUF_INIT(4 * MAX_TAIL);

    if (size < 1 || size > MAX_TAIL)
        return 0;
    buf_addf(&target, "/api/v3%s", paths[data[0] % (sizeof(paths) / sizeof(paths[0]))]);
    add_tail(&target, data + 1, size - 1);
    struct client c = simulator_get(buf_z(&target));
    int status = client_status(&c);
    if (status == 0 && is_flood(buf_str(&target)))
        status = 431; /* it had no room to say so */
    if (status < 200 || (status >= 500 && status != 501)) {
        fprintf(stderr, "%s: \"%.*s\" %s\n", buf_z(&target), STR_ARG(c.all), strerror(c.error));
        abort();
    }
    if (c.body.len > 0 && client_has(&c, "\r\nContent-Type: application/json"))
        check_is_json(c.body);
    assert(status != 200 || c.body.len > 0);
    buf_release(&target);
    return 0;
}
