/* What a kind of store implements. Names are checked and err_wrap()ped by object.c. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBJECT_DRIVER_H
#define OBJECT_DRIVER_H

#include "object/object.h"

struct object_driver {
    const char *scheme;
    /* rest: of the URL, behind the scheme's ':'; *ret_state goes to all others, close() frees it */
    enum st (*open)(struct str rest, const struct sink_url *url, const struct object_setup *setup,
                    void **ret_state, struct err *err);
    void (*close)(void *state);
    void (*cancel)(void *state); /* any thread; NULL: nothing lasts */
    enum st (*put)(void *state, const char *name, struct str bytes, enum object_if condition,
                   const char *etag, struct object_put_result *ret, struct err *err);
    enum st (*upload_start)(void *state, const char *name, void **ret_upload, struct err *err);
    enum st (*upload_add)(void *upload, struct str bytes, struct err *err);
    /* both free the upload */
    enum st (*upload_finish)(void *upload, enum object_if condition, const char *etag,
                             struct object_put_result *ret, struct err *err);
    void (*upload_abort)(void *upload);
    /* len -1: to the end */
    enum st (*get)(void *state, const char *name, int64_t from, int64_t len, struct buf *ret_bytes,
                   struct object_info *ret_info, bool *ret_is_there, struct err *err);
    enum st (*stat)(void *state, const char *name, struct object_info *ret_info, bool *ret_is_there,
                    struct err *err);
    enum st (*list)(void *state, const char *prefix, const char *start_after, object_each *each,
                    void *ctx, struct err *err);
    enum st (*remove)(void *state, const char *name, struct err *err);
};

/* Whether a put takes it. */
bool object_is_name(struct str name);

/* "a/b" as "a/b/", "" as "". */
enum st object_prefix(struct str rest, char *ret, size_t size, struct err *err) MUST_USE;

extern const struct object_driver object_directory, object_s3, object_azure, object_azure_abfss;

#endif
