/* SPDX-License-Identifier: Apache-2.0 */
#include "load/lake/upkeep_inner.h"

#include "base/mem.h"
#include "load/drivers.h"

#include <stdarg.h>
#include <stdio.h>

#define MAX_LINE  1024
#define MAX_WHOLE (INT64_C(64) << 20) /* bytes; larger files are read part by part */
#define MAX_PART  ((size_t)1 << 30)

static PRINTF(3, 0) void tell(void (*how)(void *, const char *), void *ctx, const char *format,
                              va_list args)
{
    char line[MAX_LINE];

    vsnprintf(line, sizeof(line), format, args);
    how(ctx, line);
}

void upkeep_say(struct lake_upkeep *u, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    tell(u->told->say, u->told->ctx, format, args);
    va_end(args);
}

void upkeep_complain(struct lake_upkeep *u, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    tell(u->told->complain, u->told->ctx, format, args);
    va_end(args);
}

/* ---- files of the logs ---- */

static struct lake_entry *find_entry(struct lake_entries *list, struct str path)
{
    for (size_t i = list->n; i-- > 0;) /* what goes came lately */
        if (str_eq(str_of(list->entries[i]->path), path))
            return list->entries[i];
    return NULL;
}

static void take_file(struct lake_entries *list, const struct node *add)
{
    const struct str path = node_text(node_get(add, "path")),
                     stats = node_text(node_get(add, "stats"));
    struct lake_entry *entry = find_entry(list, path);

    if (entry == NULL) {
        if (list->n == list->max) {
            list->max = list->max > 0 ? list->max * 2 : 64;
            list->entries = mem_grow(list->entries, list->max, sizeof(*list->entries));
        }
        entry = list->entries[list->n++] = mem_new(1, sizeof(*entry));
        entry->path = mem_strndup(path.p ? path.p : "", path.len);
    }
    mem_free(entry->stats);
    entry->stats = mem_strndup(stats.p ? stats.p : "", stats.len);
    entry->size = node_int(node_get(add, "size"), -1);
    entry->is_there = true;
}

static enum st each_file(void *ctx, int64_t version, const struct node *action, struct str line,
                         struct err *err)
{
    struct lake_entries *list = ctx;

    (void)version, (void)line, (void)err;
    if (str_eq(action->key, STR("add")))
        take_file(list, action);
    if (str_eq(action->key, STR("remove"))) {
        struct lake_entry *entry = find_entry(list, node_text(node_get(action, "path")));
        if (entry) {
            entry->is_there = false;
            entry->removed_us = node_int(node_get(action, "deletionTimestamp"), 0) * US_PER_MS;
        }
    }
    return ST_OK;
}

bool upkeep_is_of_day(const char *path)
{
    static const char form[] = "date=dddd-dd-dd/";

    for (size_t i = 0; form[i]; i++)
        if (form[i] == 'd' && i > 0 ? path[i] < '0' || path[i] > '9' : path[i] != form[i])
            return false;
    return strchr(path + strlen(form), '/') == NULL && strchr(path, '%') == NULL;
}

static enum st read_files(struct lake_upkeep *u, struct err *err)
{
    enum st st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < LAKE_TABLES; i++) {
        delta_init(&u->logs[i], u->lake.store, u->lake.json, u->lake.tables[i].name);
        u->logs[i].each = each_file;
        u->logs[i].ctx = &u->files[i];
        st = delta_refresh(&u->logs[i], err);
    }
    return st;
}

/* Looking at what is no lake must not make one; of which kind it is does not matter. */
static enum st check_there(const struct sink_url *url, bool *ret_is_simulated, struct err *err)
{
    struct buf text = BUF_INIT(DELTA_MAX_COMMIT);
    struct object_store *store = NULL;
    bool is_there = false;

    enum st st = object_open_url(url, "lake+", NULL, &store, err);
    if (st == ST_OK)
        st = object_get(store, "poll/_delta_log/00000000000000000000.json", &text, NULL, &is_there,
                        err);
    if (st == ST_OK && !is_there)
        st = err_set(err, ST_REJECT, "%s: there is no lake of geckotape", url->shown);
    *ret_is_simulated = strstr(buf_z(&text), "\"" LAKE_SIMULATED "\":\"true\"") != NULL;
    object_close(store);
    buf_release(&text);
    return st;
}

enum st lake_upkeep_open(const struct sink_url *url, struct clock *clock,
                         const struct lake_told *told, struct lake_upkeep **ret_upkeep,
                         struct err *err)
{
    bool is_simulated;

    enum st st = check_there(url, &is_simulated, err);
    if (st != ST_OK)
        return st;
    struct lake_upkeep *u = mem_new(1, sizeof(*u));
    u->url = url;
    u->told = told;
    u->sink = (struct sink){.driver = &sink_lake,
                            .url = url,
                            .clock = clock,
                            .is_simulated = is_simulated,
                            .state = &u->lake};
    st = sink_lake.open(&u->sink, err); /* those of other stores are the same */
    if (st == ST_OK)
        st = read_files(u, err);
    if (st == ST_OK)
        *ret_upkeep = u;
    else
        lake_upkeep_close(u);
    return st;
}

void lake_upkeep_close(struct lake_upkeep *u)
{
    if (u == NULL)
        return;
    for (size_t i = 0; i < LAKE_TABLES; i++) {
        for (size_t k = 0; k < u->files[i].n; k++) {
            mem_free(u->files[i].entries[k]->path);
            mem_free(u->files[i].entries[k]->stats);
            mem_free(u->files[i].entries[k]);
        }
        mem_free(u->files[i].entries);
        if (u->logs[i].store)
            delta_release(&u->logs[i]);
    }
    sink_lake.close(&u->sink);
    mem_free(u);
}

/* ---- reading a file ---- */

static enum st read_at(void *ctx, uint64_t offset, size_t len, void *ret_bytes, struct err *err)
{
    struct lake_reading *r = ctx;
    bool is_there = true;
    size_t from = (size_t)offset;

    if (!r->is_whole) {
        buf_clear(&r->bytes);
        enum st st =
            object_get_range(r->store, r->name, (int64_t)offset, len, &r->bytes, &is_there, err);
        if (st != ST_OK)
            return st;
        from = 0;
    }
    if (!is_there || r->bytes.len < from + len)
        return err_set(err, ST_REJECT, "%s: it ends before its end", r->name);
    memcpy(ret_bytes, r->bytes.p + from, len);
    return ST_OK;
}

static enum st check_size(struct lake_reading *r, const struct lake_entry *entry, struct err *err)
{
    struct object_info info;
    bool is_there;

    enum st st = object_stat(r->store, r->name, &info, &is_there, err);
    if (st == ST_OK && !is_there)
        st = err_set(err, ST_REJECT, "%s: it is not there", r->name);
    if (st == ST_OK && info.size != entry->size)
        st = err_set(err, ST_REJECT, "%s: has %lld bytes, and %lld by the log", r->name,
                     (long long)info.size, (long long)entry->size);
    return st;
}

enum st reading_open(struct lake_reading *r, struct lake_upkeep *u, size_t table,
                     const struct lake_entry *entry, struct err *err)
{
    const struct lake_table *t = &u->lake.tables[table];
    const struct parquet_source source = {
        .read_at = read_at, .ctx = r, .size = (uint64_t)entry->size, .name = r->name};
    bool is_there;

    *r = (struct lake_reading){.store = u->lake.store, .bytes = BUF_INIT(MAX_PART)};
    snprintf(r->name, sizeof(r->name), "%s/%s", t->name, entry->path);
    if (!upkeep_is_of_day(entry->path))
        return err_set(err, ST_REJECT, "%s: not where geckotape writes files", r->name);
    enum st st = check_size(r, entry, err);
    if (st == ST_OK && entry->size <= MAX_WHOLE)
        st = object_get(r->store, r->name, &r->bytes, NULL, &is_there, err);
    r->is_whole = entry->size <= MAX_WHOLE;
    if (st == ST_OK)
        st = parquet_open(&source, &r->file, err);
    return st == ST_OK ? parquet_rows_new(r->file, t->columns, t->n_columns, &r->rows, err) : st;
}

enum st reading_next(struct lake_reading *r, const struct cell **ret_cells, size_t *ret_n,
                     struct err *err)
{
    enum st st = ST_OK;

    *ret_n = 0;
    if (r->group > 0)
        st = parquet_rows_next(r->rows, PARQUET_MAX_BATCH, ret_cells, ret_n, err);
    while (st == ST_OK && *ret_n == 0 && r->group < parquet_n_groups(r->file)) {
        st = parquet_rows_group(r->rows, r->group++, err);
        if (st == ST_OK)
            st = parquet_rows_next(r->rows, PARQUET_MAX_BATCH, ret_cells, ret_n, err);
    }
    return st;
}

void reading_close(struct lake_reading *r)
{
    parquet_rows_free(r->rows);
    parquet_close(r->file);
    buf_release(&r->bytes);
}

bool reading_has_others(const struct lake_reading *r, const struct lake_table *t)
{
    for (size_t i = 0; i < parquet_n_columns(r->file); i++) {
        const char *name = parquet_field(r->file, i)->name;
        bool is_known = t->has_numbers && strcmp(name, "exact") == 0;
        for (size_t k = 0; k < t->n_columns; k++)
            is_known |= strcmp(t->columns[k].name, name) == 0;
        if (!is_known)
            return true;
    }
    return false;
}
