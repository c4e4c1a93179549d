/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http_client.h"

#include "base/json.h"
#include "base/mem.h"

#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct http_client {
    CURLM *multi;    /* keeps the connections */
    CURL *model;     /* what is the same for all requests; makes none itself */
    size_t max_body; /* of the client */
    size_t ceiling;  /* of the request at hand */
    atomic_bool is_cancelled;

    /* the request at hand */
    struct http_answer *answer;
    const char *refusal; /* why a callback of ours stopped it; NULL: none did */
    char curl_text[CURL_ERROR_SIZE];
};

void http_answer_init(struct http_answer *a, size_t max_body)
{
    *a = (struct http_answer){.status = 0};
    buf_init(&a->body, max_body + JSON_PADDING);
    buf_init(&a->headers, HTTP_CLIENT_MAX_HEADERS);
}

void http_answer_release(struct http_answer *a)
{
    buf_release(&a->body);
    buf_release(&a->headers);
}

struct str http_answer_header(struct str headers, const char *name)
{
    struct str line, key;

    while (headers.len > 0) {
        str_cut(&headers, '\n', &line);
        if (str_cut(&line, ':', &key) && str_eq(key, str_of(name)))
            return str_trim(line.p ? line : STR(""));
    }
    return STR_NONE;
}

int64_t http_answer_age_us(struct str headers)
{
    int64_t seconds = 0;

    if (!str_to_i64(http_answer_header(headers, "age"), 0, INT32_MAX, &seconds))
        return 0;
    return seconds * INT64_C(1000000);
}

/* One call per header line; also for those of a 1xx answer before the real one. */
static size_t on_header(char *bytes, size_t size, size_t n, void *ctx)
{
    struct http_client *c = ctx;
    struct buf *headers = &c->answer->headers;
    struct str line = str_trim((struct str){bytes, size * n}), name;

    if (str_starts(line, STR("HTTP/"))) {
        buf_clear(headers);
        return size * n;
    }
    struct str value = line;
    if (!str_cut(&value, ':', &name))
        return size * n;
    for (size_t i = 0; i < name.len; i++)
        buf_add_char(headers, (char)(name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] + ('a' - 'A')
                                                                          : name.p[i]));
    buf_add_z(headers, ": ");
    buf_add_str(headers, str_trim(value));
    buf_add_char(headers, '\n');
    if (!headers->is_overflow)
        return size * n;
    c->refusal = "the answer's headers are larger than 64 KiB";
    return 0;
}

#define UPLOAD_BUFFER 524288L /* libcurl's own 64 KiB are many calls for parts of megabytes */

static const char too_large[] = "the answer is larger than the ceiling";

static size_t on_body(char *bytes, size_t size, size_t n, void *ctx)
{
    struct http_client *c = ctx;
    struct buf *body = &c->answer->body;

    if (size * n > c->ceiling - body->len) {
        c->refusal = too_large;
        return 0;
    }
    buf_add(body, bytes, size * n);
    if (body->is_overflow) {
        c->refusal = "no memory for the answer";
        return 0;
    }
    return size * n;
}

static CURLcode global_result;

static void init_once(void)
{
    struct sigaction now;

    global_result = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
        signal(SIGPIPE, SIG_IGN);
}

static long ms_of(int64_t us)
{
    int64_t ms = us / 1000;
    return ms < 1 ? 1 : (long)ms;
}

/* Everything that is the same for all requests of the client. */
static CURLcode set_up(struct http_client *c, const struct http_client_setup *setup)
{
    const struct {
        CURLoption option;
        long value;
    } numbers[] = {
        {CURLOPT_NOSIGNAL, 1},
        {CURLOPT_FOLLOWLOCATION, 0},
        {CURLOPT_SSL_VERIFYPEER, 1},
        {CURLOPT_SSL_VERIFYHOST, 2},
        {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1}, /* one request at a time gains nothing */
        {CURLOPT_SUPPRESS_CONNECT_HEADERS, 1},
        {CURLOPT_QUICK_EXIT, 1}, /* do not wait for a name server that is silent */
        {CURLOPT_CONNECTTIMEOUT_MS, ms_of(setup->connect_timeout_us)},
        {CURLOPT_LOW_SPEED_LIMIT, 1},
        {CURLOPT_LOW_SPEED_TIME, (ms_of(setup->stall_timeout_us) + 999) / 1000},
    };
    const struct {
        CURLoption option;
        const char *value;
    } texts[] = {
        {CURLOPT_PROTOCOLS_STR, "http,https"},
        {CURLOPT_ACCEPT_ENCODING, "gzip"},
        {CURLOPT_USERAGENT, setup->user_agent},
        {CURLOPT_CAINFO,
         setup->ca_file && setup->ca_file[0] ? setup->ca_file : getenv("SSL_CERT_FILE")},
        {CURLOPT_CAPATH, getenv("SSL_CERT_DIR")},
    };
    CURLcode code = CURLE_OK;

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]) && code == CURLE_OK; i++)
        code = curl_easy_setopt(c->model, numbers[i].option, numbers[i].value);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && code == CURLE_OK; i++)
        if (texts[i].value && texts[i].value[0])
            code = curl_easy_setopt(c->model, texts[i].option, texts[i].value);
    if (code == CURLE_OK)
        code = curl_easy_setopt(c->model, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)setup->max_body);
    if (code == CURLE_OK)
        code = curl_easy_setopt(c->model, CURLOPT_WRITEFUNCTION, on_body);
    if (code == CURLE_OK)
        code = curl_easy_setopt(c->model, CURLOPT_WRITEDATA, c);
    if (code == CURLE_OK)
        code = curl_easy_setopt(c->model, CURLOPT_HEADERFUNCTION, on_header);
    if (code == CURLE_OK)
        code = curl_easy_setopt(c->model, CURLOPT_HEADERDATA, c);
    if (code == CURLE_OK)
        code = curl_easy_setopt(c->model, CURLOPT_ERRORBUFFER, c->curl_text);
    return code;
}

enum st http_client_new(const struct http_client_setup *setup, struct http_client **ret_client,
                        struct err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, init_once);
    if (global_result != CURLE_OK)
        return err_set(err, ST_FATAL, "libcurl: %s", curl_easy_strerror(global_result));
    struct http_client *c = mem_new(1, sizeof(*c));
    c->max_body = setup->max_body;
    atomic_init(&c->is_cancelled, false);
    c->multi = curl_multi_init();
    c->model = curl_easy_init();
    CURLcode code = c->multi && c->model ? set_up(c, setup) : CURLE_OUT_OF_MEMORY;
    if (code != CURLE_OK) {
        http_client_free(c);
        return err_set(err, ST_FATAL, "libcurl: %s", curl_easy_strerror(code));
    }
    *ret_client = c;
    return ST_OK;
}

void http_client_free(struct http_client *c)
{
    if (c == NULL)
        return;
    curl_easy_cleanup(c->model);
    curl_multi_cleanup(c->multi);
    mem_free(c);
}

void http_client_cancel(struct http_client *c)
{
    atomic_store(&c->is_cancelled, true);
    curl_multi_wakeup(c->multi);
}

/* A URL that libcurl cannot take apart, or another scheme, will never work. */
static enum st check_url(const char *url, struct err *err)
{
    char *scheme = NULL;
    CURLU *u = curl_url();
    CURLUcode code = u ? curl_url_set(u, CURLUPART_URL, url, 0) : CURLUE_OUT_OF_MEMORY;
    if (code == CURLUE_OK)
        code = curl_url_get(u, CURLUPART_SCHEME, &scheme, 0);
    bool is_http = scheme && (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    curl_free(scheme);
    curl_url_cleanup(u);
    if (code == CURLUE_OUT_OF_MEMORY)
        return err_set(err, ST_AGAIN, "no memory for the request");
    if (code != CURLUE_OK)
        return err_set(err, ST_FATAL, "not a URL: %s", curl_url_strerror(code));
    if (!is_http)
        return err_set(err, ST_FATAL, "not an http:// or https:// URL");
    return ST_OK;
}

static enum st check_headers(struct str headers, struct err *err)
{
    for (size_t i = 0; i < headers.len; i++)
        if (((unsigned char)headers.p[i] < ' ' && headers.p[i] != '\n') || headers.p[i] == 0x7f)
            return err_set(err, ST_FATAL, "the extra header has control characters in it");
    return ST_OK;
}

/* Drive the transfer to its end, or to the cancellation. */
static CURLcode transfer(struct http_client *c, CURL *easy)
{
    CURLcode result = CURLE_ABORTED_BY_CALLBACK;
    int n_running = 1, n_left;

    CURLMcode code = curl_multi_add_handle(c->multi, easy);
    while (code == CURLM_OK && n_running > 0 && !atomic_load(&c->is_cancelled)) {
        code = curl_multi_perform(c->multi, &n_running);
        if (code == CURLM_OK && n_running > 0)
            code = curl_multi_poll(c->multi, NULL, 0, 1000, NULL);
    }
    if (code != CURLM_OK)
        result = code == CURLM_OUT_OF_MEMORY ? CURLE_OUT_OF_MEMORY : CURLE_FAILED_INIT;
    for (const CURLMsg *m; (m = curl_multi_info_read(c->multi, &n_left)) != NULL;)
        if (m->msg == CURLMSG_DONE)
            result = m->data.result;
    curl_multi_remove_handle(c->multi, easy);
    return result;
}

#define MAX_CURL_TEXT 110 /* of its words, so that the mend has room in an error of a poll */

static const char *mend_of(CURLcode code)
{
    static const struct {
        CURLcode code;
        const char *mend;
    } mends[] = {
        {CURLE_COULDNT_RESOLVE_HOST, "look at the host's name and at DNS (/etc/resolv.conf)"},
        {CURLE_COULDNT_RESOLVE_PROXY, "look at https_proxy and at DNS (/etc/resolv.conf)"},
        {CURLE_PROXY, "look at https_proxy"},
        {CURLE_PEER_FAILED_VERIFICATION, "look at the clock, at the CA certificates "
                                         "(SSL_CERT_FILE), and for a proxy that opens TLS"},
        {CURLE_SSL_CACERT_BADFILE, "look at SSL_CERT_FILE, or install ca-certificates"},
        {CURLE_SSL_CONNECT_ERROR, "look at scheme and port, and for a proxy that opens TLS"},
        {CURLE_UNSUPPORTED_PROTOCOL, "what answers is no HTTP/1.1 server: look at host and port"},
    };

    for (size_t i = 0; i < sizeof(mends) / sizeof(mends[0]); i++)
        if (mends[i].code == code)
            return mends[i].mend;
    return "look at the network, a firewall, https_proxy";
}

/* Why no whole answer came; libcurl's texts begin with a capital, ours do not. */
static enum st no_answer(struct http_client *c, CURLcode code, struct err *err)
{
    c->answer->is_too_large = code == CURLE_FILESIZE_EXCEEDED || c->refusal == too_large;
    if (c->answer->is_too_large)
        return err_set(err, ST_AGAIN, "%s of %zu bytes", too_large, c->ceiling);
    if (c->refusal)
        return err_set(err, ST_AGAIN, "%s", c->refusal);
    char *text = c->curl_text;
    if (text[0] == '\0')
        snprintf(text, sizeof(c->curl_text), "%s", curl_easy_strerror(code));
    if (text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a' && text[1] <= 'z')
        text[0] = (char)(text[0] + ('a' - 'A'));
    return err_set(err, ST_AGAIN, "%.*s; %s", MAX_CURL_TEXT, text, mend_of(code));
}

/* What a request has of its own. */
static CURLcode fit(struct http_client *c, CURL *easy, const struct http_call *r)
{
    const bool is_head = strcmp(r->method, "HEAD") == 0;
    const bool has_body = strcmp(r->method, "PUT") == 0 || strcmp(r->method, "POST") == 0;
    /* the length of what HEAD asks about is no body's */
    const curl_off_t max_size = is_head ? 0 : (curl_off_t)c->ceiling;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, r->url);

    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, max_size);
    if (code == CURLE_OK && is_head)
        code = curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    if (code == CURLE_OK && has_body)
        code = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
    if (code == CURLE_OK && has_body)
        code = curl_easy_setopt(easy, CURLOPT_POSTFIELDS, r->body.len > 0 ? r->body.p : "");
    if (code == CURLE_OK && has_body && r->body.len > 0)
        code = curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER);
    if (code == CURLE_OK && !is_head && strcmp(r->method, "GET") != 0)
        code = curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, r->method);
    if (code == CURLE_OK && r->is_plain)
        code = curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, NULL);
    if (code == CURLE_OK && r->is_once)
        code = curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    if (code == CURLE_OK && r->is_direct)
        code = curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    return code;
}

/* One request by a handle of its own: what an answer leaves behind in one can be read after it was
 * freed when the next answer begins with a folded header (libcurl before 8.1.1). */
static CURLcode request(struct http_client *c, const struct http_call *r,
                        struct curl_slist *headers, int64_t timeout_us, struct http_answer *answer)
{
    curl_off_t latency_us = 0;
    CURL *easy = curl_easy_duphandle(c->model);
    CURLcode code = easy ? fit(c, easy, r) : CURLE_OUT_OF_MEMORY;

    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, ms_of(timeout_us));
    if (code == CURLE_OK)
        code = transfer(c, easy);
    answer->is_sent = false;
    if (easy) {
        long sent_bytes = 0;
        curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &sent_bytes);
        answer->is_sent = sent_bytes > 0;
    }
    if (code == CURLE_OK) {
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer->status);
        curl_easy_getinfo(easy, CURLINFO_TOTAL_TIME_T, &latency_us);
        answer->latency_us = latency_us;
        if (answer->status < 100 || answer->status > 999) { /* libcurl takes digits without end */
            c->refusal = "the answer's status is none of HTTP's";
            code = CURLE_WEIRD_SERVER_REPLY;
        }
    }
    curl_easy_cleanup(easy);
    return code;
}

/* libcurl sends no header of its own that is named here without a value. */
static bool list_headers(const struct http_call *r, struct curl_slist **ret_list)
{
    struct curl_slist *list = r->body.len > 0 ? curl_slist_append(NULL, "Expect:") : NULL;
    struct str rest = r->headers, line;
    bool is_whole = list || r->body.len == 0;

    while (is_whole && rest.len > 0) {
        str_cut(&rest, '\n', &line);
        char *text = mem_strndup(line.p, line.len);
        struct curl_slist *longer = line.len > 0 ? curl_slist_append(list, text) : list;
        is_whole = longer || line.len == 0;
        list = is_whole ? longer : list;
        mem_free(text);
    }
    *ret_list = list;
    return is_whole;
}

enum st http_client_send(struct http_client *c, const struct http_call *r, int64_t timeout_us,
                         struct http_answer *ret_answer, struct err *err)
{
    struct curl_slist *headers;

    if (atomic_load(&c->is_cancelled))
        return err_set(err, ST_REJECT, "cancelled");
    enum st st = check_url(r->url, err);
    if (st == ST_OK)
        st = check_headers(r->headers, err);
    if (st != ST_OK)
        return st;
    buf_clear(&ret_answer->body);
    buf_clear(&ret_answer->headers);
    ret_answer->is_sent = ret_answer->is_too_large = false;
    c->answer = ret_answer;
    c->ceiling = r->max_body ? r->max_body : c->max_body;
    c->refusal = NULL;
    c->curl_text[0] = '\0';
    CURLcode code = list_headers(r, &headers) ? request(c, r, headers, timeout_us, ret_answer)
                                              : CURLE_OUT_OF_MEMORY;
    curl_slist_free_all(headers);
    if (code == CURLE_ABORTED_BY_CALLBACK)
        return err_set(err, ST_REJECT, "cancelled");
    if (code != CURLE_OK)
        return no_answer(c, code, err);
    char *padding = buf_room(&ret_answer->body, JSON_PADDING);
    if (padding == NULL)
        return err_set(err, ST_AGAIN, "no memory for the answer");
    memset(padding, 0, JSON_PADDING);
    return ST_OK;
}

enum st http_client_get(struct http_client *c, const char *url, const char *extra_header,
                        int64_t timeout_us, struct http_answer *ret_answer, struct err *err)
{
    const struct http_call r = {.method = "GET", .url = url, .headers = str_of(extra_header)};

    if (extra_header && strchr(extra_header, '\n'))
        return err_set(err, ST_FATAL, "the extra header has control characters in it");
    return http_client_send(c, &r, timeout_us, ret_answer, err);
}
