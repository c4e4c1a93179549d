/* SPDX-License-Identifier: Apache-2.0 */
#include "object/cloud.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "object/xml.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TOTAL_US     (600 * US_PER_S) /* of one try */
#define ASK_US       (5 * US_PER_S)
#define MAX_PAUSE_US (20 * US_PER_S)
#define SLICE_US     (50 * US_PER_MS) /* after which a pause looks whether it is cancelled */
#define MAX_URL      (size_t)(8 * 1024)

struct cloud {
    struct http_client *http;
    const struct object_setup *setup;
    atomic_bool is_cancelled;
    unsigned dice;
};

enum st cloud_new(const struct object_setup *setup, struct cloud **ret_cloud, struct err *err)
{
    struct cloud *c = mem_new(1, sizeof(*c));
    const struct http_client_setup http = {
        .user_agent = "geckotape/" GECKOTAPE_VERSION,
        .connect_timeout_us = setup->connect_timeout_us ? setup->connect_timeout_us : 10 * US_PER_S,
        .stall_timeout_us = setup->stall_timeout_us ? setup->stall_timeout_us : 30 * US_PER_S,
        .max_body = CLOUD_MAX_XML,
        .ca_file = setup->ca_file,
    };

    c->setup = setup;
    c->dice = (unsigned)clock_mono_us(clock_system());
    atomic_init(&c->is_cancelled, false);
    enum st st = http_client_new(&http, &c->http, err);
    if (st == ST_OK)
        *ret_cloud = c;
    else
        cloud_free(c);
    return st;
}

void cloud_free(struct cloud *c)
{
    if (c == NULL)
        return;
    http_client_free(c->http);
    mem_free(c);
}

void cloud_cancel(struct cloud *c)
{
    atomic_store(&c->is_cancelled, true);
    http_client_cancel(c->http);
}

const char *cloud_env(const struct cloud *c, const char *name)
{
    const char *value = c->setup->env ? c->setup->env(name) : getenv(name);
    return value && value[0] ? value : NULL;
}

static enum st on_error_end(void *ctx, const char *path, struct str text, bool is_encoded,
                            struct err *err)
{
    struct cloud_answer *a = ctx;
    const struct {
        const char *path;
        char *ret;
        size_t size;
    } rows[] = {
        {"Error/Code", a->code, sizeof(a->code)},
        {"Error/Message", a->text, sizeof(a->text)},
        {"Error/Region", a->region, sizeof(a->region)},
        {"Error/ServerTime", a->server_time, sizeof(a->server_time)},
        {"ErrorResponse/Error/Code", a->code, sizeof(a->code)}, /* STS */
        {"ErrorResponse/Error/Message", a->text, sizeof(a->text)},
    };
    (void)is_encoded, (void)err;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(path, rows[i].path) != 0)
            continue;
        struct buf clean = BUF_INIT(1024);
        buf_add_clean(&clean, str_trim(text), rows[i].size - 1);
        snprintf(rows[i].ret, rows[i].size, "%s", buf_z(&clean));
        buf_release(&clean);
    }
    return ST_OK;
}

/* What the store says of a failure: XML, or Azure's headers where an answer has no body. */
static void read_error(const struct cloud_request *r, struct cloud_answer *a)
{
    struct err ignored = ERR_INIT;

    a->code[0] = a->text[0] = a->region[0] = a->server_time[0] = '\0';
    if (a->http.status < 300 && !r->may_fail_late)
        return;
    err_ignore(xml_walk(buf_str(&a->http.body), on_error_end, a, &ignored));
    if (a->http.status < 300)
        return;
    if (a->code[0] == '\0')
        cloud_header(a, "x-ms-error-code", a->code, sizeof(a->code));
    if (a->region[0] == '\0')
        cloud_header(a, "x-amz-bucket-region", a->region, sizeof(a->region));
}

enum verdict {
    SETTLED,
    LOST,     /* again; it may have been heeded */
    UNHEEDED, /* again; it was not */
    OUTDATED, /* again with other credentials; it was not heeded */
};

static enum verdict judge(const struct cloud_answer *a)
{
    static const struct {
        const char *code;
        enum verdict verdict;
    } codes[] = {
        {"SlowDown", UNHEEDED},
        {"ServerBusy", UNHEEDED},
        {"TooManyRequests", UNHEEDED},
        {"RequestLimitExceeded", UNHEEDED},
        {"ThrottlingException", UNHEEDED},
        {"RequestTimeout", UNHEEDED}, /* it waited for the body */
        {"ConditionalRequestConflict", UNHEEDED},
        {"OperationAborted", UNHEEDED},
        {"BadDigest", UNHEEDED}, /* changed on the way */
        {"XAmzContentSHA256Mismatch", UNHEEDED},
        {"XAmzContentChecksumMismatch", UNHEEDED},
        {"Md5Mismatch", UNHEEDED},
        {"InternalError", LOST},
        {"OperationTimedOut", LOST},
        {"ExpiredToken", OUTDATED},
        {"ExpiredTokenException", OUTDATED},
        {"TokenRefreshRequired", OUTDATED},
    };

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (cloud_has_code(a, codes[i].code))
            return codes[i].verdict;
    switch (a->http.status) {
    case 401:
        return OUTDATED;
    case 408:
    case 429:
        return UNHEEDED;
    case 501:
    case 505:
        return SETTLED;
    default:
        return a->http.status >= 500 ? LOST : SETTLED;
    }
}

/* The time between two tries: doubled each time, or what the store asks for, half of it by chance,
 * so that many that were refused together do not come back together. */
static int64_t pause_of(struct cloud *c, const struct cloud_answer *a, unsigned n_tried)
{
    int64_t us = c->setup->pause_us ? c->setup->pause_us : 200 * US_PER_MS, seconds;
    struct str wanted = http_answer_header(buf_str(&a->http.headers), "retry-after");

    for (unsigned i = 1; i < n_tried && us < MAX_PAUSE_US; i++)
        us *= 2;
    if (str_to_i64(wanted, 1, 3600, &seconds) && us < seconds * US_PER_S)
        us = seconds * US_PER_S;
    if (us > MAX_PAUSE_US)
        us = MAX_PAUSE_US;
    return us / 2 + (int64_t)rand_r(&c->dice) % (us / 2 + 1);
}

static void pause_for(struct cloud *c, int64_t us)
{
    const int64_t end_us = clock_mono_us(clock_system()) + us;

    for (int64_t left_us = us; left_us > 0 && !atomic_load(&c->is_cancelled);
         left_us = end_us - clock_mono_us(clock_system())) {
        const int64_t now_us = left_us < SLICE_US ? left_us : SLICE_US;
        nanosleep(&(struct timespec){.tv_nsec = now_us * 1000}, NULL);
    }
}

/* One try. ST_OK: an answer came. */
static enum st try_once(struct cloud *c, const struct cloud_request *r,
                        const struct cloud_signer *signer, struct cloud_answer *a, struct err *err)
{
    struct buf url = BUF_INIT(MAX_URL), headers = BUF_INIT(HTTP_CLIENT_MAX_HEADERS);
    enum st st = signer->sign(signer->ctx, r, &url, &headers, err);

    if (st == ST_OK)
        st = buf_check(&url, "a request's URL", err);
    if (st == ST_OK)
        st = buf_check(&headers, "a request's headers", err);
    a->http.is_sent = false;
    a->http.body.max = (r->max_body ? r->max_body : CLOUD_MAX_XML) + JSON_PADDING;
    const struct http_call request = {
        .method = r->method,
        .url = buf_z(&url),
        .headers = buf_str(&headers),
        .body = r->body,
        .max_body = r->max_body,
        .is_plain = true,
        .is_once = r->is_once,
    };
    if (st == ST_OK)
        st = http_client_send(c->http, &request, TOTAL_US, &a->http, err);
    if (headers.p)
        explicit_bzero(headers.p, headers.len);
    if (url.p)
        explicit_bzero(url.p, url.len); /* a signature may be in it */
    buf_release(&headers);
    buf_release(&url);
    return st;
}

/* The last failure, once the tries are used up. */
static enum st give_up(const struct cloud_answer *a, unsigned n_tried, struct err *err)
{
    const bool is_throttled = a->http.status == 503 || a->http.status == 429;

    if (a->code[0] || a->text[0])
        return err_set(err, ST_AGAIN, "%s after %u tries: %s: %s",
                       is_throttled ? "the store throttles" : "the store fails", n_tried, a->code,
                       a->text);
    return err_set(err, ST_AGAIN, "%s after %u tries: status %ld",
                   is_throttled ? "the store throttles" : "the store fails", n_tried,
                   a->http.status);
}

enum st cloud_send(struct cloud *c, const struct cloud_request *r,
                   const struct cloud_signer *signer, struct cloud_answer *a, struct err *err)
{
    const unsigned n_tries = c->setup->n_tries ? c->setup->n_tries : 6;
    bool is_renewed = false;

    a->is_unknown = false;
    for (unsigned n_tried = 1;; n_tried++) {
        struct err why = ERR_INIT;
        enum st st = try_once(c, r, signer, a, &why);
        const bool has_answer = st == ST_OK;
        enum verdict verdict = a->http.is_sent ? LOST : UNHEEDED;
        if (has_answer) {
            read_error(r, a);
            verdict = judge(a);
            if (verdict == SETTLED ||
                (verdict == OUTDATED && (is_renewed || !signer->renew(signer->ctx))))
                return ST_OK;
            is_renewed = is_renewed || verdict == OUTDATED;
        }
        if (a->http.is_too_large)
            return err_set(err, ST_REJECT, "%s", why.msg);
        a->is_unknown = a->is_unknown || verdict == LOST;
        if (has_answer || st == ST_AGAIN)
            if (n_tried < n_tries && !atomic_load(&c->is_cancelled)) {
                if (!has_answer)
                    buf_clear(&a->http.headers);
                pause_for(c, verdict == OUTDATED ? 0 : pause_of(c, a, n_tried));
                continue;
            }
        if (has_answer)
            return give_up(a, n_tried, err);
        *err = why;
        return atomic_load(&c->is_cancelled) ? ST_AGAIN : st;
    }
}

enum st cloud_ask(struct cloud *c, const struct http_call *request, struct http_answer *answer,
                  struct err *err)
{
    enum st st = http_client_send(c->http, request, ASK_US, answer, err);

    if (st != ST_OK)
        return st == ST_REJECT ? ST_AGAIN : st;
    if (answer->status == 200)
        return ST_OK;
    return err_set(err, answer->status >= 500 || answer->status == 429 ? ST_AGAIN : ST_FATAL,
                   "status %ld", answer->status);
}
