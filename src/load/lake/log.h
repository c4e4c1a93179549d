/* The log of one Delta table, in any object store: DIR/_delta_log/<version, 20 digits>.json, each a
 * commit, put only where there is none, of actions, one JSON object a line
 * (https://github.com/delta-io/delta/blob/master/PROTOCOL.md).
 *
 * Kept in memory: the version, the table's metadata and its `txn` actions. Threads: one.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_LAKE_LOG_H
#define LOAD_LAKE_LOG_H

#include "load/lake/node.h"
#include "object/object.h"

#define DELTA_MAX_COMMIT (64u * 1024 * 1024) /* bytes */
#define DELTA_ID         33                  /* of a commit: 32 hex and NUL */

struct delta_txn {
    char *app;
    int64_t version;
};

/* Told of each action as it is read, ours too. `line`: its text. */
typedef enum st delta_each(void *ctx, int64_t version, const struct node *action, struct str line,
                           struct err *err);

struct delta_log {
    struct object_store *store; /* borrowed */
    struct json *json;          /* borrowed */
    char dir[64];               /* of the table, in the store */
    int64_t version;            /* -1: there is no table */
    struct delta_txn *txns;
    size_t n_txns;
    char *meta;       /* the metaData action, as text; NULL: none yet */
    delta_each *each; /* NULL: nobody listens */
    void *ctx;

    char awaited[DELTA_ID]; /* the commit that may be ours */
    bool has_come;
    struct arena arena; /* of an action at hand */
};

void delta_init(struct delta_log *log, struct object_store *store, struct json *json,
                const char *dir);
void delta_release(struct delta_log *log); /* zeroed is fine */

/* Read the commits that are new. ST_FATAL: a table that is not for us, by name. */
enum st delta_refresh(struct delta_log *log, struct err *err) MUST_USE;

/* The version of an application's last transaction. */
int64_t delta_txn(const struct delta_log *log, const char *app, int64_t otherwise);

/* Append the lines of a commit of this id and version, all but commitInfo, and what commitInfo is
 * to have beside the usual: `,"key":value` */
typedef void delta_write(void *ctx, int64_t version, struct buf *lines, struct buf *info);

/* Try to be the next version. *ret_is_done: false when others were quicker; theirs are read then,
 * and the caller decides whether it still holds what it was to commit. id: DELTA_ID - 1 hex digits
 * that nobody else has. now_us: for people. */
enum st delta_commit(struct delta_log *log, const char *id, int64_t now_us, delta_write *write,
                     void *ctx, bool *ret_is_done, struct err *err) MUST_USE;

/* Call `each` again for the actions of one commit. ST_REJECT when it is not there any more. */
enum st delta_read(struct delta_log *log, int64_t version, delta_each *each, void *ctx,
                   struct err *err) MUST_USE;

/* DELTA_ID - 1 random hex digits. */
void delta_make_id(char ret_id[DELTA_ID]);

/* Actions, a line each. */
void delta_add_txn(struct buf *lines, const char *app, int64_t version, int64_t now_us);
void delta_add_protocol(struct buf *lines);

#endif
