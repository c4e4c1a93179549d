/* Any bytes as an HTTP answer, through the client: a whole answer or an error, never a hang; its
 * headers are clean lines, what is kept of them is bounded and what they ask for too. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http_client.h"
#include "extract/answer.h"
#include "http_script.h"

#include <assert.h>
#include <stdint.h>

#define NOW_US   INT64_C(1795444200000000)
#define MAX_BODY ((size_t)64 << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct http_script script;
static char
    bytes[MAX_BODY]; /* the server's thread may still be sending when the client has seen enough */
static struct http_step step = {.answer = bytes, .is_closed = true};
static struct http_client *client;
static struct http_answer answer;

static void stop(void)
{
    http_client_free(client);
    http_answer_release(&answer);
    http_script_stop(&script);
}

static void start(void)
{
    const struct http_client_setup setup = {.user_agent = "fuzz/1",
                                            .connect_timeout_us = 5000000,
                                            .stall_timeout_us = 5000000,
                                            .max_body = MAX_BODY};
    struct err err = ERR_INIT;

    http_script_start(&script, &step, 1);
    if (http_client_new(&setup, &client, &err) != ST_OK)
        abort();
    http_answer_init(&answer, MAX_BODY);
    atexit(stop);
}

/* "name: value\n", the name without capitals. */
static void check_headers(struct str headers)
{
    struct str line, name;

    assert(headers.len == 0 || headers.p[headers.len - 1] == '\n');
    while (headers.len > 0) {
        str_cut(&headers, '\n', &line);
        bool has_value = str_cut(&line, ':', &name);
        assert(has_value && line.len > 0 && line.p[0] == ' ');
        for (size_t i = 0; i < name.len; i++)
            assert(name.p[i] < 'A' || name.p[i] > 'Z');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf kept = BUF_INIT(ANSWER_MAX_KEPT);
    struct err err = ERR_INIT;
    struct str asked;
    int64_t date_us;

    if (size == 0 || size > MAX_BODY)
        return 0;
    if (!client)
        start();
    script.n_asked = 0;
    memcpy(bytes, data, size);
    step.len = size;
    enum st st = http_client_get(client, script.url, NULL, 10000000, &answer, &err);
    if (st == ST_OK) {
        struct str headers = buf_str(&answer.headers);
        assert(answer.status >= 100 && answer.status <= 999 && answer.body.len <= MAX_BODY);
        check_headers(headers);
        answer_keep_headers(headers, &kept);
        check_headers(buf_str(&kept));
        int64_t wait_us = answer_wait_us(headers, NOW_US, &asked);
        assert(wait_us >= 0 && wait_us <= ANSWER_MAX_WAIT_US);
        (void)answer_clock_is_off(headers, NOW_US, &date_us);
    } else {
        assert(st == ST_AGAIN && err.msg[0] != '\0');
    }
    buf_release(&kept);
    return 0;
}
