/* The files of the Azure store. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBJECT_AZURE_H
#define OBJECT_AZURE_H

#include "object/azure_auth.h"
#include "object/cloud.h"

struct azure {
    struct cloud *cloud;
    struct azure_auth *auth;
    struct cloud_answer answer; /* of the request at hand */
    char account[64];
    char origin[320]; /* "https://host:port" */
    char base[320];   /* what every path begins with: "/container" */
    char prefix[OBJECT_MAX_NAME + 1];
    size_t part_bytes;
};

struct azure_request {
    const char *method, *name; /* name NULL: the container itself */
    struct str query, headers, body;
    size_t max_body;
    bool is_once;
};

/* Fill the address from "//ACCOUNT/CONTAINER/PREFIX", or from "//CONTAINER@ACCOUNT.dfs…/PREFIX". */
enum st azure_address(struct azure *a, struct str rest, const struct sink_url *url,
                      struct err *err) MUST_USE;

/* a->answer is then an answer that settles it. */
enum st azure_send(struct azure *a, const struct azure_request *r, struct err *err) MUST_USE;

void azure_add_condition(struct buf *headers, enum object_if condition, const char *etag);
enum st azure_not_written(struct azure *a, enum object_if condition, struct object_put_result *ret,
                          struct err *err) MUST_USE;

enum st azure_put(void *state, const char *name, struct str bytes, enum object_if condition,
                  const char *etag, struct object_put_result *ret, struct err *err) MUST_USE;

enum st azure_list(void *state, const char *prefix, const char *start_after, object_each *each,
                   void *ctx, struct err *err) MUST_USE;

enum st azure_upload_start(void *state, const char *name, void **ret_upload,
                           struct err *err) MUST_USE;
enum st azure_upload_add(void *upload, struct str bytes, struct err *err) MUST_USE;
enum st azure_upload_finish(void *upload, enum object_if condition, const char *etag,
                            struct object_put_result *ret, struct err *err) MUST_USE;
void azure_upload_abort(void *upload);

#endif
