/* Object stores: named bytes that are written whole and never changed in place, in a directory, in
 * S3 and what speaks its protocol, in Azure's Blob Storage.
 *
 *     DIR, file:DIR
 *     s3://BUCKET[/PREFIX][?endpoint=URL&region=NAME&…]
 *     az://ACCOUNT/CONTAINER[/PREFIX][?…], abfss://CONTAINER@ACCOUNT.dfs.core.windows.net[/PREFIX]
 *
 * An object is there whole or not at all, whenever anything is killed; who reads after a put sees
 * it.
 *
 * Names are relative to the prefix: "a/b=1/c.parquet"; UTF-8, no control characters or '\', no
 * empty part, no part "." or "..", at most OBJECT_MAX_NAME bytes, no first part ".geckotape" (a
 * directory's own folder).
 *
 * Thread:  a store is used by one thread at a time; open one for each.
 * Returns: ST_AGAIN  the store does not answer, throttles, is full: tried again here already, as
 *                    often as the setup says; wait, then the same call may succeed
 *          ST_REJECT this name or this request: the next one may be fine
 *          ST_FATAL  credentials, bucket, region, clock, address: waiting does not help
 * Errors name the store and the object, never a secret.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBJECT_OBJECT_H
#define OBJECT_OBJECT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/sink_url.h"

struct object_store;

#define OBJECT_MAX_NAME 768 /* bytes */
#define OBJECT_MAX_ETAG 128 /* bytes, NUL included */

/* All zero is the usual one. */
struct object_setup {
    const char *(*env)(const char *name); /* NULL: the environment */
    const char *ca_file;                  /* certificates to trust; NULL: the system's */
    int64_t connect_timeout_us;           /* 0: 10 s */
    int64_t stall_timeout_us;             /* no byte for so long; 0: 30 s */
    int64_t pause_us;                     /* before the first retry, doubled for each; 0: 200 ms */
    unsigned n_tries;                     /* of each request; 0: 6 */
    size_t part_bytes;                    /* of an upload; 0: 8 MiB; S3 wants 5 MiB at least */
};

/* Take a store in hand. A directory need not be there: the first put makes it; no request is sent.
 *
 * Owner:   object_close(). The setup is copied, what it points to is borrowed until then.
 * Returns: ST_REJECT for what is no such URL, or has options that are not in object_options;
 *          ST_FATAL when this build lacks the store, or there are no credentials. */
enum st object_open(const char *url, const struct object_setup *setup,
                    struct object_store **ret_store, struct err *err) MUST_USE;

/* The same of a URL that is part of another one: "lake+s3://…" with skip "lake+". Its options that
 * are not in object_options are the caller's and left alone. A scheme that is `skip` without its
 * '+' ("lake:DIR") is a directory. */
enum st object_open_url(const struct sink_url *url, const char *skip,
                        const struct object_setup *setup, struct object_store **ret_store,
                        struct err *err) MUST_USE;

void object_close(struct object_store *store); /* NULL is fine */

/* Any thread: the running and every later call that needs a server return ST_AGAIN soon. */
void object_cancel(struct object_store *store);

/* Names of all options that URLs of stores may have; NULL ends them. */
extern const char *const object_options[];

/* For people: the URL with secrets as ***. Lives as long as the store. */
const char *object_shown(const struct object_store *store);

struct object_info {
    int64_t size;
    int64_t modified_us;
    char etag[OBJECT_MAX_ETAG]; /* another one after each put; "" in lists that do not tell it */
};

enum object_if {
    OBJECT_ALWAYS,
    OBJECT_ABSENT, /* only if there is no object of that name */
    OBJECT_MATCH,  /* only if the object there has this etag */
};

/* Filled whatever a put returns. */
struct object_put_result {
    bool is_refused; /* with ST_OK: the condition did not hold, nothing was written */
    bool is_unknown; /* with ST_OK is_refused, or ST_AGAIN: an answer was lost, so that the bytes
                        may be there, or may come to be there; look before anything else is done */
    char etag[OBJECT_MAX_ETAG]; /* of what was written */
};

/* Write an object: whole, lasting and to be seen by all when this returns ST_OK, not is_refused.
 * etag: for OBJECT_MATCH, else NULL. */
enum st object_put(struct object_store *store, const char *name, struct str bytes,
                   enum object_if condition, const char *etag, struct object_put_result *ret,
                   struct err *err) MUST_USE;

/* Write an object piece by piece with the memory of one part (setup.part_bytes). Nothing is to be
 * seen of it before object_upload_finish(); what is left of a killed one is removed by a later
 * upload (directory) or by the store's own rules (docs/object-stores.md). */
struct object_upload;
enum st object_upload_start(struct object_store *store, const char *name,
                            struct object_upload **ret_upload, struct err *err) MUST_USE;
enum st object_upload_add(struct object_upload *upload, struct str bytes, struct err *err) MUST_USE;

/* As object_put(). The upload is gone then, whatever is returned. */
enum st object_upload_finish(struct object_upload *upload, enum object_if condition,
                             const char *etag, struct object_put_result *ret,
                             struct err *err) MUST_USE;
void object_upload_abort(struct object_upload *upload); /* NULL is fine; frees it */

/* Append the whole object to ret_bytes (its ceiling holds: ST_REJECT). ret_info may be NULL.
 * *ret_is_there is false, with ST_OK, when there is none. */
enum st object_get(struct object_store *store, const char *name, struct buf *ret_bytes,
                   struct object_info *ret_info, bool *ret_is_there, struct err *err) MUST_USE;

/* Append the bytes [from, from + len) of it, fewer where it ends before. */
enum st object_get_range(struct object_store *store, const char *name, int64_t from, size_t len,
                         struct buf *ret_bytes, bool *ret_is_there, struct err *err) MUST_USE;

enum st object_stat(struct object_store *store, const char *name, struct object_info *ret_info,
                    bool *ret_is_there, struct err *err) MUST_USE;

/* Told of an object; `name` and `info` last for the call. *ret_is_enough = true ends the list
 * early. Anything but ST_OK ends it, too, and object_list() returns that. */
typedef enum st object_each(void *ctx, const char *name, const struct object_info *info,
                            bool *ret_is_enough, struct err *err);

/* Tell of all objects whose names begin with `prefix` ("": all; it need not end at a '/') and are
 * greater than `start_after` (NULL: from the first), in the order of their bytes. Names that no put
 * would take are left out. */
enum st object_list(struct object_store *store, const char *prefix, const char *start_after,
                    object_each *each, void *ctx, struct err *err) MUST_USE;

/* ST_OK also when there was none. */
enum st object_delete(struct object_store *store, const char *name, struct err *err) MUST_USE;

#endif
