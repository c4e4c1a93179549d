/* SPDX-License-Identifier: Apache-2.0 */
#include "load/postgres/pipe.h"

#include "base/mem.h"
#include "load/postgres/statement.h"

#include <stdio.h>

#define MAX_SENT 1024        /* parameters of one statement */
#define MAX_SQL  (64 * 1024) /* of that */
#define MAX_USES 200         /* of a plan, which is as good as what was known when it was made */

void pipe_init(struct pipe *p)
{
    p->n = p->n_params = p->max_params = 0;
    p->params = NULL;
    buf_init(&p->bytes, COPY_MAX_BYTES);
}

void pipe_release(struct pipe *p)
{
    mem_free(p->params);
    buf_release(&p->bytes);
    pipe_init(p);
}

void pipe_clear(struct pipe *p)
{
    p->n = p->n_params = 0;
    if (p->bytes.cap > 2 * PIPE_MAX_BYTES)
        buf_release(&p->bytes);
    buf_clear(&p->bytes);
}

bool pipe_is_full(const struct pipe *p)
{
    return p->n == PIPE_MAX_STATEMENTS || p->bytes.len > PIPE_MAX_BYTES;
}

static enum st no_memory(struct err *err)
{
    return err_set(err, ST_AGAIN, "no memory for statements that wait");
}

static enum st add_bytes(struct pipe *p, const char *bytes, size_t len, struct err *err)
{
    if (len > p->bytes.max - p->bytes.len)
        return err_set(err, ST_REJECT, "a text of %zu bytes", len);
    buf_add(&p->bytes, bytes, len);
    return p->bytes.is_overflow ? no_memory(err) : ST_OK;
}

/* ---- adding ---- */

static enum st add_params(struct pipe *p, const struct postgres_stmt *stmt, struct err *err)
{
    const size_t n = (size_t)stmt->n_params;
    enum st st = ST_OK;

    if (p->n_params + n > p->max_params) {
        size_t max = p->max_params + n > 256 ? 2 * (p->max_params + n) : 256;
        struct pipe_param *params = mem_try(p->params, max * sizeof(*params));
        if (params == NULL)
            return no_memory(err);
        p->params = params;
        p->max_params = max;
    }
    for (size_t i = 0; st == ST_OK && i < n; i++) {
        const struct postgres_param *from = &stmt->params[i];
        p->params[p->n_params++] = (struct pipe_param){
            .type = from->type, .len = from->len, .at = from->value ? p->bytes.len : SIZE_MAX};
        if (from->value)
            st = add_bytes(p, from->value, (size_t)from->len, err);
    }
    return st;
}

/* May it be one more row of the statement before? */
static bool joins(const struct pipe *p, const struct postgres_stmt *stmt)
{
    const struct pipe_statement *last = p->n > 0 ? &p->statements[p->n - 1] : NULL;

    return last && last->stmt == stmt && stmt->values.p &&
           (last->n_runs + 1) * stmt->n_params <= MAX_SENT;
}

enum st pipe_add(struct pipe *p, struct postgres_stmt *stmt, PGresult **ret_answer, struct err *err)
{
    size_t first = p->n_params;
    bool is_joined = ret_answer == NULL && joins(p, stmt);

    enum st st = add_params(p, stmt, err);
    if (st != ST_OK)
        return st;
    if (is_joined)
        p->statements[p->n - 1].n_runs++;
    else
        p->statements[p->n++] = (struct pipe_statement){
            .stmt = stmt, .ret_answer = ret_answer, .first_param = first, .n_runs = 1};
    return ST_OK;
}

enum st pipe_add_text(struct pipe *p, const char *sql, PGresult **ret_answer, struct err *err)
{
    size_t at = p->bytes.len;

    enum st st = add_bytes(p, sql, strlen(sql) + 1, err);
    if (st != ST_OK)
        return st;
    p->statements[p->n++] =
        (struct pipe_statement){.ret_answer = ret_answer, .text_at = at, .n_runs = 1};
    return ST_OK;
}

/* ---- sending ---- */

/* The row of VALUES once more, its parameters counted on. */
static void add_row(struct buf *sql, struct str row, int n_before)
{
    struct str part;

    while (row.len > 0) {
        bool has_number = str_cut(&row, '$', &part);
        buf_add_str(sql, part);
        if (!has_number)
            break;
        size_t len = 0;
        int64_t n = 0;
        while (len < row.len && row.p[len] >= '0' && row.p[len] <= '9')
            len++;
        (void)str_to_i64((struct str){row.p, len}, 0, MAX_SENT, &n);
        buf_addf(sql, "$%d", (int)n + n_before);
        row = (struct str){row.p + len, row.len - len};
    }
}

static void write_rows(struct buf *sql, const struct pipe_statement *s)
{
    const struct str row = s->stmt->values;

    buf_add_str(sql, (struct str){s->stmt->sql, (size_t)(row.p - s->stmt->sql)});
    for (int i = 0; i < s->n_runs; i++) {
        buf_add_z(sql, i > 0 ? ", " : "");
        add_row(sql, row, i * s->stmt->n_params);
    }
}

/* ---- prepared statements ---- */

/* Nobody has bound what is NULL: it is of any type. */
static bool has_types(const struct postgres_stmt *stmt, const Oid *types, const char *const *values)
{
    for (int i = 0; i < stmt->n_params; i++)
        if (values[i] && types[i] != stmt->prepared[i])
            return false;
    return true;
}

static bool deallocate(PGconn *pg, struct pipe_statement *s, const char *name)
{
    char sql[64];

    snprintf(sql, sizeof(sql), "DEALLOCATE %s", name);
    s->n_preparing++;
    return PQsendQueryParams(pg, sql, 0, NULL, NULL, NULL, NULL, 1) == 1;
}

/* Is it to be sent by its name? The second time in a session it is prepared. */
static bool prepare(struct postgres_connection *c, struct pipe_statement *s, const char *name,
                    const Oid *types, const char *const *values, bool *ret_is_prepared)
{
    struct postgres_stmt *stmt = s->stmt;
    bool is_good = true;

    *ret_is_prepared = false;
    if (c->whose != SESSION_OWN)
        return true;
    if (stmt->session != c->session) {
        stmt->session = c->session;
        stmt->n_uses = 0;
        return true;
    }
    *ret_is_prepared = true;
    if (stmt->n_uses > 0 && stmt->n_uses < MAX_USES && has_types(stmt, types, values)) {
        stmt->n_uses++;
        return true;
    }
    if (stmt->n_uses > 0)
        is_good = deallocate(c->pg, s, name);
    memcpy(stmt->prepared, types, (size_t)stmt->n_params * sizeof(*types));
    stmt->n_uses = 1;
    s->n_preparing++;
    return is_good && PQsendPrepare(c->pg, name, stmt->sql, stmt->n_params, types) == 1;
}

static bool send_bound(const struct pipe *p, struct postgres_connection *c,
                       struct pipe_statement *s, const char *sql)
{
    bool is_prepared = false, is_good = true;
    char name[32];
    const int n = s->stmt->n_params * s->n_runs;
    const char *values[MAX_SENT];
    int lens[MAX_SENT], formats[MAX_SENT];
    Oid types[MAX_SENT];

    for (int i = 0; i < n; i++) {
        const struct pipe_param *param = &p->params[s->first_param + (size_t)i];
        types[i] = param->type;
        values[i] = param->at == SIZE_MAX ? NULL : buf_z(&p->bytes) + param->at;
        lens[i] = param->len;
        formats[i] = 1;
    }
    snprintf(name, sizeof(name), "s%d", (int)(s->stmt - c->statements));
    if (s->n_runs == 1)
        is_good = prepare(c, s, name, types, values, &is_prepared);
    if (is_good && is_prepared)
        return PQsendQueryPrepared(c->pg, name, n, values, lens, formats, 1) == 1;
    return is_good && PQsendQueryParams(c->pg, sql, n, types, values, lens, formats, 1) == 1;
}

static bool send_one(const struct pipe *p, struct postgres_connection *c, struct pipe_statement *s)
{
    struct buf sql = BUF_INIT(MAX_SQL);

    s->n_preparing = 0;
    if (s->stmt == NULL)
        return PQsendQueryParams(c->pg, p->bytes.p + s->text_at, 0, NULL, NULL, NULL, NULL, 1) == 1;
    if (s->n_runs == 1)
        return send_bound(p, c, s, s->stmt->sql);
    write_rows(&sql, s);
    bool is_sent = !sql.is_overflow && send_bound(p, c, s, buf_z(&sql));
    buf_release(&sql);
    return is_sent;
}

/* ---- answers ---- */

/* The answer to one statement, and the NULL that ends it. */
static PGresult *take_answer(struct postgres_connection *c)
{
    PGresult *answer = postgres_wait_for_result(c), *more;

    while (answer && (more = postgres_wait_for_result(c)) != NULL)
        PQclear(more);
    return answer;
}

/* Those to what prepares it. */
static void take_preparing(struct postgres_connection *c, const struct pipe_statement *s,
                           PGresult **bad)
{
    for (int i = 0; i < s->n_preparing; i++) {
        PGresult *answer = take_answer(c);
        if (*bad == NULL && !postgres_is_good(answer))
            *bad = answer;
        else
            PQclear(answer);
    }
}

/* It goes to whoever asked, or away; a bad one stays, the first of them. */
static void give_answer(const struct pipe_statement *s, PGresult *answer, PGresult **bad)
{
    if (!postgres_is_good(answer)) {
        if (*bad == NULL)
            *bad = answer;
        else
            PQclear(answer);
    } else if (s->ret_answer) {
        PQclear(*s->ret_answer);
        *s->ret_answer = answer;
    } else {
        PQclear(answer);
    }
}

PGresult *pipe_exchange(struct pipe *p, struct postgres_connection *c, bool *ret_is_lost)
{
    bool is_sent = PQenterPipelineMode(c->pg) == 1, is_over = false;
    PGresult *bad = NULL;

    for (size_t i = 0; is_sent && i < p->n; i++)
        is_sent = send_one(p, c, &p->statements[i]);
    is_sent = is_sent && PQpipelineSync(c->pg) == 1;
    for (size_t i = 0; is_sent && i < p->n && PQstatus(c->pg) == CONNECTION_OK; i++) {
        take_preparing(c, &p->statements[i], &bad);
        give_answer(&p->statements[i], take_answer(c), &bad);
    }
    if (is_sent && PQstatus(c->pg) == CONNECTION_OK) {
        PGresult *sync = postgres_wait_for_result(c);
        is_over = PQresultStatus(sync) == PGRES_PIPELINE_SYNC && PQexitPipelineMode(c->pg) == 1;
        PQclear(sync);
    }
    *ret_is_lost = !is_over;
    return bad;
}
