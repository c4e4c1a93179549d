/* SPDX-License-Identifier: Apache-2.0 */
#include "load/postgres/statement.h"

#include "base/mem.h"
#include "load/postgres/binary.h"
#include "load/postgres/numeric.h"

#include <assert.h>

#define MAX_SQL  (16 * 1024)
#define MAX_MADE (64 * 1024)

/* types of pg_type.dat, which never change */
enum {
    TYPE_UNKNOWN = 0,
    TYPE_BOOL = 16,
    TYPE_INT8 = 20,
    TYPE_INT4 = 23,
    TYPE_TEXT = 25,
    TYPE_TIMESTAMPTZ = 1184,
    TYPE_NUMERIC = 1700,
    TYPE_INT8S = 1016,
    TYPE_TIMESTAMPTZS = 1185,
};

static struct postgres_stmt *own(struct stmt *stmt)
{
    return (struct postgres_stmt *)stmt;
}

/* ---- making ---- */

static Oid type_by_name(struct str name)
{
    static const char *const times[] = {":after_slot", ":applied_at", ":at",        ":before",
                                        ":due",        ":fetched_at", ":finished",  ":first_slot",
                                        ":last_seen",  ":from",       ":from_slot", ":last_slot",
                                        ":next_due",   ":now",        ":seen",      ":since",
                                        ":slot",       ":started",    ":until",     ":until_slot"};

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        if (str_eq(name, str_of(times[i])))
            return TYPE_TIMESTAMPTZ;
    return str_starts(name, STR(":is_")) || str_starts(name, STR(":has_")) ? TYPE_BOOL
                                                                           : TYPE_UNKNOWN;
}

/* The number of the parameter, from 1. */
static int find_or_add(struct postgres_stmt *stmt, struct str name)
{
    for (int i = 0; i < stmt->n_params; i++)
        if (str_eq(stmt->params[i].name, name))
            return i + 1;
    assert(stmt->n_params < POSTGRES_MAX_PARAMS);
    stmt->params[stmt->n_params] = (struct postgres_param){
        .name = name, .type = type_by_name(name), .made = BUF_INIT(MAX_MADE)};
    return ++stmt->n_params;
}

/* How long what begins here is: a comment, a string, a parameter's name, else one byte. */
static size_t token_len(struct str rest)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz_";

    if (str_starts(rest, STR("--"))) {
        const char *end = memchr(rest.p, '\n', rest.len);
        return end ? (size_t)(end - rest.p) : rest.len;
    }
    if (rest.p[0] == '\'') {
        const char *end = memchr(rest.p + 1, '\'', rest.len - 1);
        return end ? (size_t)(end - rest.p) + 1 : rest.len;
    }
    return rest.p[0] == ':' ? 1 + strspn(rest.p + 1, letters) : 1;
}

/* More rows may follow the one of a plain INSERT … VALUES (…); which ends with it. */
static struct str find_values(const char *sql)
{
    static const char words[] = "VALUES ";
    const char *at = strncmp(sql, "INSERT INTO ", 12) == 0 ? strstr(sql, words) : NULL;

    if (at == NULL)
        return STR_NONE;
    at += sizeof(words) - 1;
    size_t len = strspn(at, "($0123456789, \n)");
    return at[len] == ';' ? (struct str){at, len} : STR_NONE;
}

void postgres_stmt_make(struct postgres_stmt *stmt, struct db *db, struct str source)
{
    struct buf sql = BUF_INIT(MAX_SQL);

    stmt->base.engine = db->engine;
    db_write(db, source, &sql);
    stmt->source = mem_strndup(buf_z(&sql), sql.len);
    buf_clear(&sql);
    struct str text = str_of(stmt->source);
    while (text.len > 0) {
        struct str token = {text.p, token_len(text)};
        if (token.p[0] == ':' && token.len > 1)
            buf_addf(&sql, "$%d", find_or_add(stmt, token));
        else
            buf_add_str(&sql, token);
        text = (struct str){text.p + token.len, text.len - token.len};
    }
    stmt->sql = mem_strndup(buf_z(&sql), sql.len);
    stmt->values = find_values(stmt->sql);
    buf_release(&sql);
}

void postgres_stmt_release(struct postgres_stmt *stmt)
{
    PQclear(stmt->answer);
    mem_free(stmt->sql);
    mem_free(stmt->source);
    for (int i = 0; i < stmt->n_params; i++)
        buf_release(&stmt->params[i].made);
}

/* ---- parameters ---- */

void postgres_stmt_clear(struct postgres_stmt *stmt)
{
    postgres_reset(&stmt->base);
    for (int i = 0; i < stmt->n_params; i++)
        stmt->params[i].value = NULL;
}

static struct postgres_param *find(struct stmt *base, const char *name)
{
    struct postgres_stmt *stmt = own(base);

    for (int i = 0; i < stmt->n_params; i++)
        if (str_eq(stmt->params[i].name, str_of(name)))
            return &stmt->params[i];
    assert(false && "no such parameter");
    return NULL;
}

void postgres_bind_int(struct stmt *stmt, const char *name, int64_t value)
{
    struct postgres_param *p = find(stmt, name);

    p->value = p->number;
    p->len = 8;
    if (p->type == TYPE_TIMESTAMPTZ) {
        put_u64(p->number, (uint64_t)timestamp_of_us(value));
    } else if (p->type == TYPE_BOOL) {
        p->number[0] = value != 0;
        p->len = 1;
    } else {
        p->type = TYPE_INT8;
        put_u64(p->number, (uint64_t)value);
    }
}

/* Values that were refused may be anything: U+0000 and what is not UTF-8 become U+FFFD. */
static struct str clean_text(struct postgres_param *p, struct str text)
{
    if (text.p == NULL || (str_is_utf8(text) && memchr(text.p, '\0', text.len) == NULL))
        return text;
    buf_clear(&p->made);
    while (text.len > 0) {
        const char *nul = memchr(text.p, '\0', text.len);
        struct str good = {text.p, nul ? (size_t)(nul - text.p) : text.len};
        good.len = str_utf8_prefix(good);
        buf_add_str(&p->made, good);
        text = (struct str){text.p + good.len, text.len - good.len};
        if (text.len > 0) {
            buf_add_z(&p->made, "\xef\xbf\xbd");
            text = (struct str){text.p + 1, text.len - 1};
        }
    }
    return buf_str(&p->made);
}

void postgres_bind_text(struct stmt *stmt, const char *name, struct str text)
{
    struct postgres_param *p = find(stmt, name);

    text = clean_text(p, text);
    p->type = TYPE_TEXT;
    p->value = text.p ? text.p : "";
    p->len = (int)text.len;
}

void postgres_bind_null(struct stmt *stmt, const char *name)
{
    find(stmt, name)->value = NULL;
}

/* An array of one dimension, its first element the first, none of them null. */
bool postgres_bind_list(struct stmt *stmt, const char *name, const int64_t *values, size_t n)
{
    struct postgres_param *p = find(stmt, name);
    bool is_time = p->type == TYPE_TIMESTAMPTZ || p->type == TYPE_TIMESTAMPTZS;
    const uint32_t head[] = {1, 0, is_time ? TYPE_TIMESTAMPTZ : TYPE_INT8, (uint32_t)n, 1};

    assert(n <= POSTGRES_MAX_LIST);
    buf_clear(&p->made);
    char *at = buf_room(&p->made, sizeof(head) + 12 * n);
    if (at == NULL)
        return false;
    p->type = is_time ? TYPE_TIMESTAMPTZS : TYPE_INT8S;
    p->value = at;
    p->len = (int)(sizeof(head) + 12 * n);
    for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++, at += 4)
        put_u32(at, head[i]);
    for (size_t i = 0; i < n; i++, at += 12) {
        put_u32(at, 8);
        put_u64(at + 4, (uint64_t)(is_time ? timestamp_of_us(values[i]) : values[i]));
    }
    return true;
}

/* ---- the answer ---- */

void postgres_reset(struct stmt *stmt)
{
    PQclear(own(stmt)->answer);
    own(stmt)->answer = NULL;
    own(stmt)->is_sent = false;
    own(stmt)->row = -1;
}

bool postgres_is_null(struct stmt *stmt, int column)
{
    return PQgetisnull(own(stmt)->answer, own(stmt)->row, column) != 0;
}

int64_t postgres_get_int(struct stmt *stmt, int column)
{
    const PGresult *answer = own(stmt)->answer;
    const char *value = PQgetvalue(answer, own(stmt)->row, column);

    if (postgres_is_null(stmt, column))
        return 0;
    switch (PQftype(answer, column)) {
    case TYPE_BOOL:
        return value[0];
    case TYPE_INT4:
        return (int32_t)get_u32(value);
    case TYPE_TIMESTAMPTZ:
        return timestamp_to_us((int64_t)get_u64(value));
    default:
        assert(PQftype(answer, column) == TYPE_INT8);
        return (int64_t)get_u64(value);
    }
}

struct str postgres_get_text(struct stmt *stmt, int column)
{
    const struct postgres_stmt *s = own(stmt);

    return (struct str){PQgetvalue(s->answer, s->row, column),
                        (size_t)PQgetlength(s->answer, s->row, column)};
}

int postgres_find_column(struct stmt *stmt, const char *name)
{
    return PQfnumber(own(stmt)->answer, name);
}

static bool number_cell(struct stmt *stmt, int column, struct arena *arena, struct cell *ret_cell)
{
    char text[NUMERIC_MAX_TEXT];

    if (PQftype(own(stmt)->answer, column) != TYPE_NUMERIC) {
        *ret_cell = cell_of_dec(dec_of(postgres_get_int(stmt, column)), STR_NONE);
        return true;
    }
    size_t len = numeric_read(postgres_get_text(stmt, column), text, ret_cell);
    if (len == 0)
        return true;
    struct str lexeme = arena_str(arena, (struct str){text, len});
    return lexeme.p && cell_of_num(lexeme, ret_cell) == DEC_OK;
}

bool postgres_get_cell(struct stmt *stmt, int column, enum cell_kind kind, struct arena *arena,
                       struct cell *ret_cell)
{
    *ret_cell = CELL_NONE;
    if (postgres_is_null(stmt, column))
        return true;
    switch (kind) {
    case CELL_NUM:
        return number_cell(stmt, column, arena, ret_cell);
    case CELL_INT:
        *ret_cell = cell_of_int(postgres_get_int(stmt, column));
        break;
    case CELL_TIME:
        *ret_cell = cell_of_time(postgres_get_int(stmt, column));
        break;
    case CELL_TEXT: {
        const struct str text = arena_str(arena, postgres_get_text(stmt, column));
        *ret_cell = cell_of_text(text);
        return text.p != NULL;
    }
    case CELL_NULL:
        break;
    }
    return true;
}
