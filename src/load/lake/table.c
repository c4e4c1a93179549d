/* SPDX-License-Identifier: Apache-2.0 */
#include "load/lake/table.h"

#include "base/clock.h"
#include "parquet/writer.h"

#include <assert.h>
#include <stdio.h>

#define MAX_SCHEMA ((size_t)4 * 1024 * 1024)
#define MAX_ARENA  ((size_t)64 * 1024 * 1024)

static const struct column keys[N_LAKE_KEYS] = {
    [LAKE_SLOT] = {.name = "slot", .kind = CELL_TIME, .help = "when the poll was scheduled"},
    [LAKE_JOB] = {.name = "job", .kind = CELL_TEXT, .help = "the job's name"},
    [LAKE_VS_CURRENCY] = {.name = "vs_currency",
                          .kind = CELL_TEXT,
                          .help = "currency of the job's prices; null: it has none"},
};

static void take_columns(struct lake_table *t, const struct column *columns, size_t n)
{
    assert(t->n_columns + n <= LAKE_MAX_COLUMNS);
    for (size_t i = 0; i < n; i++) {
        t->columns[t->n_columns++] = columns[i];
        t->has_numbers |= columns[i].kind == CELL_NUM;
    }
}

void lake_table_init(struct lake_table *t, size_t which)
{
    *t = (struct lake_table){.slot = LAKE_SLOT};
    if (which == LAKE_POLL) {
        t->name = "poll";
        t->help = "Every poll: when it was, how it ended, what became of its rows";
        take_columns(t, poll_table.columns, poll_table.n_columns);
        t->slot = t->sort[1] = POLL_COLUMN_SLOT;
        t->sort[0] = POLL_COLUMN_JOB;
        t->n_sort = 2;
        return;
    }
    const struct table *rows = row_tables[which];
    t->name = rows->name;
    t->help = "Rows of CoinGecko's answers";
    take_columns(t, keys, N_LAKE_KEYS);
    take_columns(t, rows->columns, rows->n_columns);
    t->sort[0] = LAKE_JOB;
    t->sort[1] = N_LAKE_KEYS + ROW_ID;
    t->sort[2] = LAKE_SLOT;
    t->n_sort = 3;
}

/* ---- the schema, which is JSON in a text ---- */

static const char *type_of(enum cell_kind kind)
{
    switch (kind) {
    case CELL_NUM:
        return "double";
    case CELL_INT:
        return "long";
    case CELL_TIME:
        return "timestamp";
    case CELL_TEXT:
    case CELL_NULL:
        break;
    }
    return "string";
}

static void add_field(struct buf *b, const char *name, const char *type, const char *help)
{
    buf_addf(b,
             "{\"name\":\"%s\",\"type\":\"%s\",\"nullable\":true,\"metadata\":{\"comment\":", name,
             type);
    buf_add_json_str(b, str_of(help));
    buf_add_z(b, "}}");
}

/* A column of ours by its place: date, those of the files, exact. */
struct field {
    const char *name, *type, *help;
};

static size_t count_fields(const struct lake_table *t)
{
    return 1 + t->n_columns + t->has_numbers;
}

static struct field field_of(const struct lake_table *t, size_t i)
{
    if (i == 0)
        return (struct field){"date", "date", "the day of slot, UTC"};
    if (i > t->n_columns)
        return (struct field){PARQUET_EXACT, "string",
                              "digits of this row's numbers that a double does not give back, as a "
                              "JSON object; null: it has none"};
    const struct column *c = &t->columns[i - 1];
    return (struct field){c->name, type_of(c->kind), c->help};
}

static void add_schema(struct buf *b, const struct lake_table *t)
{
    buf_add_z(b, "{\"type\":\"struct\",\"fields\":[");
    for (size_t i = 0; i < count_fields(t); i++) {
        const struct field field = field_of(t, i);
        if (i > 0)
            buf_add_char(b, ',');
        add_field(b, field.name, field.type, field.help);
    }
    buf_add_z(b, "]}");
}

static void add_uuid(struct buf *b)
{
    char id[DELTA_ID];

    delta_make_id(id);
    buf_addf(b, "\"%.8s-%.4s-4%.3s-8%.3s-%.12s\"", id, id + 8, id + 13, id + 17, id + 20);
}

void lake_table_add_meta(struct buf *lines, const struct lake_table *t, bool is_simulated,
                         int64_t now_us)
{
    struct buf schema = BUF_INIT(MAX_SCHEMA);

    add_schema(&schema, t);
    buf_add_z(lines, "{\"metaData\":{\"id\":");
    add_uuid(lines);
    buf_addf(lines, ",\"name\":\"%s\",\"description\":\"%s%s\",", t->name,
             is_simulated ? "SIMULATED, no market data. " : "", t->help);
    buf_add_z(lines, "\"format\":{\"provider\":\"parquet\",\"options\":{}},\"schemaString\":");
    buf_add_json_str(lines, buf_str(&schema));
    buf_addf(lines,
             ",\"partitionColumns\":[\"date\"],\"configuration\":{\"" LAKE_SIMULATED "\":\"%s\","
             "\"delta.enableExpiredLogCleanup\":\"false\"},\"createdTime\":%lld}}\n",
             is_simulated ? "true" : "false", (long long)(now_us / US_PER_MS));
    buf_release(&schema);
}

/* ---- a table that is there ---- */

static const struct node *find_field(const struct node *fields, const char *name)
{
    const struct node *n = node_first(fields);

    while (n && !str_eq(node_text(node_get(n, "name")), str_of(name)))
        n = n->next;
    return n;
}

/* The node as JSON; a text of that key is replaced. */
static void add_node(struct buf *b, const struct node *n, const char *key, struct str text)
{
    const bool is_object = n->event == JSON_OBJECT_BEGIN;

    if (is_object || n->event == JSON_ARRAY_BEGIN) {
        buf_add_char(b, is_object ? '{' : '[');
        for (const struct node *c = n->child; c; c = c->next) {
            if (is_object) {
                buf_add_json_str(b, c->key);
                buf_add_char(b, ':');
            }
            if (is_object && key && str_eq(c->key, str_of(key)))
                buf_add_json_str(b, text);
            else
                add_node(b, c, key, text); /* not deeper than JSON_MAX_DEPTH */
            if (c->next)
                buf_add_char(b, ',');
        }
        buf_add_char(b, is_object ? '}' : ']');
    } else if (n->event == JSON_STRING) {
        buf_add_json_str(b, n->text);
    } else if (n->event == JSON_NUMBER) {
        buf_add_str(b, n->text);
    } else {
        buf_add_z(b, n->event == JSON_TRUE ? "true" : n->event == JSON_FALSE ? "false" : "null");
    }
}

static enum st check_type(const struct lake_table *t, const struct delta_log *log,
                          const struct node *has, const struct field *field, struct err *err)
{
    const struct node *type = node_get(has, "type"), *metadata = node_get(has, "metadata");

    if (!str_eq(node_text(type), str_of(field->type)))
        return err_set(err, ST_FATAL,
                       "%s: the column %s of the table %s is no %s there; give the sink another "
                       "place",
                       object_shown(log->store), field->name, t->name, field->type);
    if (node_get(metadata, "delta.invariants"))
        return err_set(err, ST_FATAL,
                       "%s: the column %s of the table %s has an invariant; drop that, or give "
                       "the sink another place",
                       object_shown(log->store), field->name, t->name);
    return ST_OK;
}

/* Our columns that are not among the fields, as more of them. */
static enum st merge(const struct lake_table *t, const struct delta_log *log,
                     const struct node *fields, struct buf *ret_more, struct err *err)
{
    enum st st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < count_fields(t); i++) {
        const struct field field = field_of(t, i);
        const struct node *has = find_field(fields, field.name);
        if (has) {
            st = check_type(t, log, has, &field, err);
            continue;
        }
        buf_add_char(ret_more, ',');
        add_field(ret_more, field.name, field.type, field.help);
    }
    return st;
}

/* The schema with more fields behind those it has. */
static void add_merged(struct buf *b, const struct node *fields, const struct buf *more)
{
    buf_add_z(b, "{\"type\":\"struct\",\"fields\":[");
    for (const struct node *n = node_first(fields); n; n = n->next) {
        if (n != node_first(fields))
            buf_add_char(b, ',');
        add_node(b, n, NULL, STR_NONE);
    }
    buf_add_str(b, buf_str(more));
    buf_add_z(b, "]}");
}

static enum st check_meta(const struct lake_table *t, struct delta_log *log, bool is_simulated,
                          struct arena *arena, struct buf *ret_meta, struct err *err)
{
    struct buf more = BUF_INIT(MAX_SCHEMA), merged = BUF_INIT(MAX_SCHEMA);
    struct node *action, *schema;

    enum st st = node_parse(log->json, str_of(log->meta), arena, &action, err);
    if (st != ST_OK)
        return st;
    const struct node *meta = node_first(action);
    const struct str is = node_text(node_get(node_get(meta, "configuration"), LAKE_SIMULATED));
    if (str_eq(is, STR("true")) != is_simulated)
        return err_set(err, ST_REJECT, "%s: holds %s rows; %s ones need another place",
                       object_shown(log->store), is_simulated ? "real" : "SIMULATED",
                       is_simulated ? "simulated" : "real");
    st = node_parse(log->json, node_text(node_get(meta, "schemaString")), arena, &schema, err);
    const struct node *fields = st == ST_OK ? node_get(schema, "fields") : NULL;
    if (st == ST_OK)
        st = merge(t, log, fields, &more, err);
    if (st == ST_OK && more.len > 0) {
        add_merged(&merged, fields, &more);
        add_node(ret_meta, action, "schemaString", buf_str(&merged));
        buf_add_char(ret_meta, '\n');
        st = buf_check(&merged, "a table's schema", err);
    }
    buf_release(&more);
    buf_release(&merged);
    return st == ST_OK ? buf_check(ret_meta, "a table's schema", err) : st;
}

enum st lake_table_check(const struct lake_table *t, struct delta_log *log, bool is_simulated,
                         struct buf *ret_meta, struct err *err)
{
    struct arena arena;

    if (log->meta == NULL)
        return err_set(err, ST_FATAL,
                       "%s: the table %s has no metadata; give the sink another "
                       "place",
                       object_shown(log->store), t->name);
    arena_init(&arena, MAX_ARENA);
    enum st st = check_meta(t, log, is_simulated, &arena, ret_meta, err);
    arena_release(&arena);
    return st;
}
