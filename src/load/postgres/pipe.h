/* Statements on their way: they wait until somebody needs an answer, then all of them go to the
 * server at once, and all answers come back (libpq's pipeline mode). A statement costs no round
 * trip so, and the same INSERT several times in a row is one INSERT of several rows. In a session
 * of our own a statement is prepared when it is sent the second time, and anew after some hundred
 * uses: its plan is as good as what the server knew of the tables then.
 *
 * Limits: PIPE_MAX_STATEMENTS, and about PIPE_MAX_BYTES; whoever adds asks pipe_is_full().
 * Threads: that of the connection.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_POSTGRES_PIPE_H
#define LOAD_POSTGRES_PIPE_H

#include "load/sql/db.h"

#include <libpq-fe.h>

#define PIPE_MAX_STATEMENTS 256
#define PIPE_MAX_BYTES      ((size_t)1 << 20)

struct postgres_connection;
struct postgres_stmt;

struct pipe_param {
    Oid type;
    int len;
    size_t at; /* of its bytes; SIZE_MAX: NULL */
};

struct pipe_statement {
    struct postgres_stmt *stmt; /* NULL: the text at text_at, without parameters */
    PGresult **ret_answer;      /* NULL: nobody wants it */
    size_t text_at, first_param;
    int n_runs;      /* rows, of an INSERT */
    int n_preparing; /* answers in front of its own */
};

struct pipe {
    struct pipe_statement statements[PIPE_MAX_STATEMENTS];
    size_t n;
    struct pipe_param *params;
    size_t n_params, max_params;
    struct buf bytes;
};

void pipe_init(struct pipe *p);
void pipe_release(struct pipe *p);
void pipe_clear(struct pipe *p);
bool pipe_is_full(const struct pipe *p);

/* Add one, as it is bound now, or as it is written. Its answer goes to *ret_answer, in binary, in
 * place of what is there. ST_AGAIN: no memory; ST_REJECT: its texts are beyond all measure. */
enum st pipe_add(struct pipe *p, struct postgres_stmt *stmt, PGresult **ret_answer,
                 struct err *err) MUST_USE;
enum st pipe_add_text(struct pipe *p, const char *sql, PGresult **ret_answer,
                      struct err *err) MUST_USE;

/* Send all, and wait for all answers. The caller's is the first that is bad, NULL where all are
 * good; *ret_is_lost: the connection is of no use any more. They stay until pipe_clear(). */
PGresult *pipe_exchange(struct pipe *p, struct postgres_connection *c, bool *ret_is_lost);

#endif
