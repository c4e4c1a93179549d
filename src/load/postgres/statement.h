/* A statement of load/sql/: from ":name" to "$1", its parameters in binary, its answer.
 *
 * The type of a parameter is known by its name where that is a time's or a truth's ("is_…",
 * "has_…"); every other is a bigint or a text, by what is bound to it. One that nobody has bound is
 * NULL.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_POSTGRES_STATEMENT_H
#define LOAD_POSTGRES_STATEMENT_H

#include "load/postgres/connection.h"

struct postgres_param {
    struct str name; /* with its colon; borrowed from source */
    Oid type;
    const char *value; /* NULL: it is */
    int len;
    char number[8];  /* value, where it is not borrowed */
    struct buf made; /* value, where it is a list or was no text for PostgreSQL */
};

struct postgres_stmt {
    struct stmt base;
    char *source, *sql; /* as it was written, and as it is sent; NULL: not made yet */
    struct str values;  /* in sql, "(…)" of a plain INSERT … VALUES; p is NULL: it is none */
    struct postgres_param params[POSTGRES_MAX_PARAMS];
    int n_params;
    uint32_t session;                  /* that it is prepared in, or was sent in; 0: in none */
    uint32_t n_uses;                   /* there; 0: it is not prepared so far */
    Oid prepared[POSTGRES_MAX_PARAMS]; /* types of its parameters there */
    bool is_sent;                      /* it is in the pipe */
    PGresult *answer;                  /* NULL: not there yet */
    int row;
};

void postgres_stmt_make(struct postgres_stmt *stmt, struct db *db, struct str source);
void postgres_stmt_release(struct postgres_stmt *stmt);
void postgres_stmt_clear(struct postgres_stmt *stmt); /* unbind all, forget the answer */

/* db_engine's */
void postgres_bind_int(struct stmt *stmt, const char *name, int64_t value);
void postgres_bind_text(struct stmt *stmt, const char *name, struct str text);
void postgres_bind_null(struct stmt *stmt, const char *name);

#define POSTGRES_MAX_LIST 4096

/* Bind many values, which the statement takes as an array. False: no memory. */
bool postgres_bind_list(struct stmt *stmt, const char *name, const int64_t *values,
                        size_t n) MUST_USE;
void postgres_reset(struct stmt *stmt);
int64_t postgres_get_int(struct stmt *stmt, int column);
struct str postgres_get_text(struct stmt *stmt, int column);
bool postgres_is_null(struct stmt *stmt, int column);
int postgres_find_column(struct stmt *stmt, const char *name);
bool postgres_get_cell(struct stmt *stmt, int column, enum cell_kind kind, struct arena *arena,
                       struct cell *ret_cell) MUST_USE;

#endif
