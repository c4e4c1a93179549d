/* One HTTP request at a time, over libcurl, that can be cancelled from another thread and cannot be
 * flooded.
 *
 * TLS is verified, redirects are not followed (a key must not travel elsewhere), body and headers
 * have ceilings, there are time limits for connecting, for silence and in total; keep-alive and
 * gzip are on. Proxies come from the environment, as in every program over libcurl, and so do
 * SSL_CERT_FILE and SSL_CERT_DIR in place of the system's certificates, as with curl(1).
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_HTTP_CLIENT_H
#define BASE_HTTP_CLIENT_H

#include "base/buf.h"
#include "base/err.h"

struct http_client;

#define HTTP_CLIENT_MAX_HEADERS (64u * 1024) /* bytes of all header lines of an answer */

struct http_client_setup {
    const char *user_agent; /* always sent; copied */
    int64_t connect_timeout_us;
    int64_t stall_timeout_us; /* no byte for so long; whole seconds, rounded up */
    size_t max_body;          /* ceiling of a body, compressed and decompressed */
    const char *ca_file;      /* NULL or "": SSL_CERT_FILE, else the system's */
};

/* Owner: http_client_free(). ST_FATAL when libcurl cannot start. Also makes the process ignore
 * SIGPIPE where nobody handles it: a peer that hangs up must not end the collector. */
enum st http_client_new(const struct http_client_setup *setup, struct http_client **ret_client,
                        struct err *err) MUST_USE;
void http_client_free(struct http_client *c); /* NULL is fine; nobody may be about to cancel */

struct http_answer {
    long status;
    bool is_sent;       /* also when no answer came: the server may have had the request */
    bool is_too_large;  /* no answer was taken, since its body is beyond the ceiling */
    int64_t latency_us; /* from the call to the last byte */
    struct buf body;    /* decompressed; JSON_PADDING bytes of room follow it */
    struct buf headers; /* "name: value\n", names in lower case, as sent */
};

void http_answer_init(struct http_answer *a, size_t max_body);
void http_answer_release(struct http_answer *a);

/* Value of a header in `headers` of the form above, trimmed; p is NULL when it is not there. */
struct str http_answer_header(struct str headers, const char *name);

/* How long a cache had the answer, by its Age; 0: it says nothing. */
int64_t http_answer_age_us(struct str headers);

/* GET url within timeout_us. extra_header: one "Name: value" or NULL (a key: never logged, never in
 * errors).
 * Returns: ST_OK for every complete answer, whatever its status; ST_AGAIN when no or no whole
 * answer came (timeouts, resets, TLS, a body beyond the ceiling, bad gzip): err ends in what helps;
 * ST_REJECT when cancelled; ST_FATAL for a URL or header that can never work. */
enum st http_client_get(struct http_client *c, const char *url, const char *extra_header,
                        int64_t timeout_us, struct http_answer *ret_answer,
                        struct err *err) MUST_USE;

struct http_call {
    const char *method; /* "GET", "HEAD", "PUT", "POST", "DELETE" */
    const char *url;
    struct str headers; /* "Name: value\n" for each; may hold secrets */
    struct str body;    /* of PUT and POST: sent with its length, also when it is empty */
    size_t max_body;    /* ceiling of the answer's; 0: the client's */
    bool is_plain;      /* do not ask for compression: the bytes are wanted as they are stored */
    bool is_once;   /* by a connection of its own: by a kept one that turns out to be dead libcurl
                     * sends a request again, and who did what it asks for is not known */
    bool is_direct; /* past any proxy: for addresses that mean this very machine */
};

/* As http_client_get(). */
enum st http_client_send(struct http_client *c, const struct http_call *request, int64_t timeout_us,
                         struct http_answer *ret_answer, struct err *err) MUST_USE;

/* Any thread: the running and every later call return ST_REJECT at once. */
void http_client_cancel(struct http_client *c);

#endif
