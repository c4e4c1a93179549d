/* A request to a store over HTTP until there is an answer that settles it: which failures are tried
 * again, how often, how long between, and what is known of a request whose answer was lost. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBJECT_CLOUD_H
#define OBJECT_CLOUD_H

#include "base/http_client.h"
#include "object/object.h"

struct cloud;

#define CLOUD_MAX_XML (size_t)(16 * 1024 * 1024) /* bytes of a list's page */

/* Owner: cloud_free(). `setup` is borrowed. */
enum st cloud_new(const struct object_setup *setup, struct cloud **ret_cloud,
                  struct err *err) MUST_USE;
void cloud_free(struct cloud *c); /* NULL is fine */

/* Any thread: the running and every later request end in ST_AGAIN. */
void cloud_cancel(struct cloud *c);

/* An environment variable; NULL when it is not there or empty. */
const char *cloud_env(const struct cloud *c, const char *name);

struct cloud_request {
    const char *method;
    struct str path;    /* percent-encoded, with its '/' */
    struct str query;   /* percent-encoded, sorted by name */
    struct str headers; /* "name: value\n", names in lower case */
    struct str body;
    size_t max_body;    /* ceiling of the answer's; 0: CLOUD_MAX_XML */
    bool is_once;       /* done twice it would do something else: a condition would not hold */
    bool may_fail_late; /* an answer of 200 may hold an error */
};

/* Makes a request of it that can be sent, anew for each try. */
struct cloud_signer {
    void *ctx;
    enum st (*sign)(void *ctx, const struct cloud_request *request, struct buf *ret_url,
                    struct buf *ret_headers, struct err *err);
    /* the store calls the credentials outdated; true: others may be had */
    bool (*renew)(void *ctx);
};

struct cloud_answer {
    struct http_answer http;
    bool is_unknown; /* an earlier try may have been heeded */
    char code[80];   /* the error's, as the store names it; "" when it does not */
    char text[200];  /* its words */
    char region[48]; /* that it names */
    char server_time[64];
};

void cloud_answer_init(struct cloud_answer *a);
void cloud_answer_release(struct cloud_answer *a);

/* ST_OK for an answer that trying again will not change: a success, a refusal (cloud_refused()).
 * ST_AGAIN when the tries are used up: answer->is_unknown is told then, too. */
enum st cloud_send(struct cloud *c, const struct cloud_request *request,
                   const struct cloud_signer *signer, struct cloud_answer *answer,
                   struct err *err) MUST_USE;

static inline bool cloud_is_done(const struct cloud_answer *a)
{
    return a->http.status >= 200 && a->http.status < 300 && a->code[0] == '\0';
}

bool cloud_has_code(const struct cloud_answer *a, const char *code);

/* Name a refusal and its mend. */
enum st cloud_refused(const struct cloud_answer *a, struct err *err) MUST_USE;

/* A request to who gives credentials: one try, short, no proxy where is_local. ST_OK for a status
 * of 200 only. */
enum st cloud_ask(struct cloud *c, const struct http_call *request, struct http_answer *answer,
                  struct err *err) MUST_USE;

/* Some fields of a JSON object, as texts; those that are not there stay "". */
struct cloud_field {
    const char *name;
    char *ret;
    size_t size;
};
enum st cloud_fields(struct str json, const struct cloud_field *fields, size_t n,
                     struct err *err) MUST_USE;

/* Size, time and etag by an answer's headers. */
void cloud_info(const struct cloud_answer *a, struct object_info *ret_info);

/* A header's value as text, "" when it is not there or too long. */
void cloud_header(const struct cloud_answer *a, const char *name, char *ret, size_t size);

/* Append an answer's body to ret_bytes, without a copy where that is empty. */
enum st cloud_take_body(struct cloud_answer *a, struct buf *ret_bytes, struct err *err) MUST_USE;

/* Append the part that the answer to a ranged GET has. */
enum st cloud_take_range(struct cloud_answer *a, int64_t from, int64_t len, struct buf *ret_bytes,
                         struct err *err) MUST_USE;

/* The parts of an endpoint's URL, "https://host:port/base"; they lie in it. */
enum st cloud_endpoint(struct str url, struct str *ret_scheme, struct str *ret_host,
                       struct str *ret_base, struct err *err) MUST_USE;

#endif
