/* The control socket: verbs reach the process that holds the data directory.
 *
 * DATA/control.sock, mode 0600. A request is one line of words, percent-encoded and separated by
 * spaces ("replay sink=sqlite:… since=…"); the answer is a line "." at once (somebody is there),
 * lines of text as the work goes on, then one line ".done", ".again WHY" or ".failed WHY". Between
 * them may be lines ".progress TEXT", each in place of the one before. A line of text that begins
 * with '.' is sent as "..…". Only the user who runs the process (and root) can
 * connect: the mode and SO_PEERCRED see to it. A client has 5 s to send its request; one that reads
 * nothing for 5 s has gone.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "base/buf.h"
#include "base/err.h"

#define CONTROL_MAX_REQUEST (16 * 1024) /* bytes of a request */
#define CONTROL_MAX_CLIENTS 8           /* one thread each; a further one is told to try later */

struct control_request; /* words of a request, decoded */

/* The first word; and the value of NAME=VALUE among the others, NULL when it is not there. */
const char *control_verb(const struct control_request *r);
const char *control_arg(const struct control_request *r, const char *name);

struct control_reply;

/* Send text (any number of whole lines). False when the client has gone or the server stops: give
 * up the work where that does no harm. From the client's thread only. */
bool control_say(struct control_reply *reply, const char *fmt, ...) PRINTF(2, 3);
bool control_is_open(struct control_reply *reply);

/* Say how far the work is, in one line, now and then. Returns as control_say(). */
bool control_progress(struct control_reply *reply, const char *text);

struct control_setup {
    const char *data_dir;
    /* On the client's thread, which has until control_is_open() says no. The return value and err
     * make the last line. */
    enum st (*handle)(void *ctx, const struct control_request *r, struct control_reply *reply,
                      struct err *err);
    void *ctx;
};

struct control;

/* Called by the holder of DATA/lock: a socket of before is replaced. ST_FATAL when there can be
 * none (a file system without sockets, another file of this name): work goes on without. */
enum st control_start(const struct control_setup *setup, struct control **ret_control,
                      struct err *err) MUST_USE;
void control_stop(struct control *c); /* waits for the clients' threads; NULL is fine */

/* ---- the client ---- */

/* Build a request: control_put(&b, "replay", NULL); control_put(&b, "sink", url). */
void control_put(struct buf *request, const char *name, const char *value);

/* Send it and hand every line of the answer to `line`. ST_REJECT with err->sys ECONNREFUSED when
 * nobody listens there; ST_AGAIN and ST_FATAL as the holder says; ST_AGAIN also when it does not
 * answer at all (10 s), or went away before it was done. */
enum st control_call(const char *data_dir, const struct buf *request,
                     void (*line)(void *ctx, struct str text), void *ctx, struct err *err) MUST_USE;

/* The same with the lines of progress, which control_call() leaves out. */
struct control_watch {
    void *ctx;
    void (*line)(void *ctx, struct str text);
    void (*progress)(void *ctx, struct str text);
};
enum st control_watch(const char *data_dir, const struct buf *request,
                      const struct control_watch *watch, struct err *err) MUST_USE;

#endif
