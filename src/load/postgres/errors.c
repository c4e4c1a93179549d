/* SPDX-License-Identifier: Apache-2.0 */
#include "load/postgres/errors.h"

#include "base/buf.h"
#include "load/sink.h"

#define MAX_WORDS 300 /* bytes of the server's own words in a message */

static const char by_hand[] =
    "the schema was changed by hand: put it back, or drop it whole, and it is made again and "
    "loaded from the tape";

/* By SQLSTATE or its first letters, the longest first. What can be put right on the server's side
 * while we wait is ST_AGAIN, whoever has to do it. */
static const struct state {
    const char *prefix;
    enum st st;     /* of a statement */
    bool is_of_row; /* of rows that are sent, it may lie in one */
    const char *mend;
} states[] = {
    {"22001", ST_AGAIN, true, by_hand},  /* too long for a type that is not ours */
    {"22003", ST_AGAIN, true, by_hand},  /* too large for one */
    {"22P03", ST_AGAIN, false, by_hand}, /* what is sent is of another type */
    {"22", ST_REJECT, true, NULL},       /* data exception */
    {"23503", ST_AGAIN, false, by_hand}, /* a job or a coin is gone */
    {"23505", ST_AGAIN, true, NULL},     /* another one was quicker */
    {"23", ST_AGAIN, true, by_hand},     /* constraint made by hand */
    {"P0", ST_AGAIN, true, by_hand},     /* raised by a trigger */
    {"54", ST_REJECT, true, NULL},       /* too large for an index, a row … */
    /* what poolers say of themselves */
    {"08P01", ST_AGAIN, false, "see the pooler's log; its pool_mode is transaction or session"},
    {"08", ST_AGAIN, false, NULL}, /* connection */
    {"25006", ST_AGAIN, false, "is it a standby, or out of disk?"},
    {"25", ST_AGAIN, false, NULL}, /* transaction state: ended by a timeout */
    {"28", ST_AGAIN, false, "see user and password"},
    {"3D", ST_AGAIN, false, "create the database"},
    {"3F", ST_AGAIN, false, by_hand},
    {"40", ST_AGAIN, false, NULL}, /* deadlock, serialisation */
    {"42501", ST_AGAIN, false, "grant it: docs/postgres.md has the roles"},
    {"42601", ST_FATAL, false, "this is a bug of geckotape's"},
    {"42", ST_AGAIN, false, by_hand},
    {"53100", ST_AGAIN, false, "make room on the server's disk"},
    {"53300", ST_AGAIN, false, "raise max_connections, or close some"},
    {"53", ST_AGAIN, false, NULL}, /* resources */
    {"55P03", ST_AGAIN, false, "somebody holds a lock: see pg_stat_activity"},
    {"55", ST_AGAIN, false, NULL},
    {"57014", ST_AGAIN, false, "it took longer than it may"},
    {"57", ST_AGAIN, false, NULL},    /* shutdown, start, time-out, cancelled */
    {"58", ST_AGAIN, false, NULL},    /* the server's own I/O */
    {"XX000", ST_AGAIN, false, NULL}, /* of poolers also */
    {"", ST_FATAL, false, NULL},
};

static const struct state *find_state(const PGresult *result)
{
    const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const struct state *state = states;

    while (strncmp(code ? code : "08", state->prefix, strlen(state->prefix)) != 0)
        state++;
    return state;
}

static bool has_column(const struct table *t, const char *name)
{
    size_t i = 0;

    while (i < t->n_columns && strcmp(t->columns[i].name, name) != 0)
        i++;
    return i < t->n_columns;
}

/* No partition takes a row; a column that we do not know wants a value: so it is with every row. */
static bool is_of_table(const PGresult *result, const struct table *t)
{
    const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *column = PQresultErrorField(result, PG_DIAG_COLUMN_NAME);

    if (strcmp(code ? code : "", "23514") == 0)
        return PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME) == NULL;
    return strcmp(code ? code : "", "23502") == 0 && column && !has_column(t, column);
}

bool postgres_is_of_row(const PGresult *result, const struct table *t)
{
    return result && find_state(result)->is_of_row && !is_of_table(result, t);
}

enum st postgres_error(PGconn *conn, const PGresult *result, const char *shown, struct err *err)
{
    const struct state *state = find_state(result);
    const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    struct buf words = BUF_INIT(MAX_WORDS + 8);

    buf_add_clean(&words, str_of(primary ? primary : PQerrorMessage(conn)), MAX_WORDS);
    if (words.len == 0)
        buf_add_z(&words, "the connection was lost");
    enum st st = err_set(err, state->st, "%s: %s%s%s%s%s%s", shown, buf_z(&words), code ? " (" : "",
                         code ? code : "", code ? ")" : "", state->mend ? "; " : "",
                         state->mend ? state->mend : "");
    if (code && (strcmp(code, "23505") == 0 || strncmp(code, "40", 2) == 0))
        err->sys = SINK_OVERTAKEN;
    buf_release(&words);
    return st;
}

/* libpq has no codes for these; a server that speaks another language gets no mend. */
static const struct {
    const char *words, *mend;
} mends[] = {
    {"password authentication failed", "see user and password"},
    {"SASL authentication failed", "see user and password"},
    {"no password supplied", "give one: in the URL, ?passfile=, or POSTGRES_PASSWORD_FILE"},
    {"no pg_hba.conf entry",
     "allow this user and host in the server's pg_hba.conf; sslmode=require "
     "where it wants TLS"},
    {"certificate verify failed",
     "give the CA that signed the server's certificate: ?sslrootcert=; or has it expired?"},
    {"root certificate file", "give the CA that signed the server's certificate: ?sslrootcert="},
    {"does not match host name", "write the host as its certificate does"},
    {"SSL required", "write sslmode=verify-full, or at least require"},
    {"does not support SSL", "turn TLS on there, or take sslmode out"},
    {"translate host name", "see the host's name"},
    {"Connection refused", "does it run, and is it this host and port?"},
    {"timeout expired", "see network and firewall"},
    {"unreachable", "see network and firewall"},
    {"No route to host", "see network and firewall"},
    {"too many clients", "raise max_connections, or close some"},
    {"max_client_conn", "raise the pooler's max_client_conn, or close some"},
    {"query_wait_timeout", "does the server behind the pooler run, and has its pool room?"},
    {"unsupported startup parameter",
     "leave it out of the URL, as the pooler does not pass it on; to act as another role, log in "
     "as that one"},
    {"connection slots", "raise max_connections, or close some"},
    {"too many connections for", "raise its connection limit, or close some"},
    {"permission denied for database", "grant it: GRANT CONNECT ON DATABASE"},
    {"not currently accepting connections", "ALTER DATABASE … ALLOW_CONNECTIONS true"},
    {"not permitted to log in", "ALTER ROLE … LOGIN"},
    {"role \"", "create the role: docs/postgres.md"},
    {"database \"", "create the database"},
    {"session is read-only", "is it a standby, or out of disk?"},
    {"read-write", "name the primary too: postgres://user@one,two/database"},
};

enum st postgres_connect_error(PGconn *conn, const char *shown, struct err *err)
{
    struct buf words = BUF_INIT(MAX_WORDS + 8);
    const char *mend = NULL;

    buf_add_clean(&words, str_trim(str_of(PQerrorMessage(conn))), MAX_WORDS);
    for (size_t i = 0; mend == NULL && i < sizeof(mends) / sizeof(mends[0]); i++)
        if (strstr(buf_z(&words), mends[i].words))
            mend = mends[i].mend;
    enum st st = err_set(err, ST_AGAIN, "%s: %s%s%s", shown, buf_z(&words), mend ? "; " : "",
                         mend ? mend : "");
    buf_release(&words);
    return st;
}
