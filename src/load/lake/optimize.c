/* Small files of a day become one; files that no log names any more go. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "load/lake/upkeep_inner.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

#define SMALL   (INT64_C(32) << 20) /* bytes; larger files stay */
#define ENOUGH  ((size_t)128 << 20) /* of a new one */
#define MAX_NEW 64

/* The files of a day that become others. */
struct merge {
    struct lake_upkeep *upkeep;
    size_t table;
    struct lake_entry **from;
    size_t n_from;
    struct lake_file *to[MAX_NEW];
    size_t n_to;
};

/* Rows of one partial poll stay alone: the ok one takes their place by taking the file away. */
static const char **list_partial(const struct lake_upkeep *u, size_t *ret_n)
{
    const struct held *h = &u->lake.held;
    const char **list = NULL;
    size_t n = 0, max = 0;

    for (size_t i = 0; i < h->n_jobs; i++)
        for (size_t k = 0; k < h->jobs[i].n; k++) {
            if (h->jobs[i].polls[k].partial == NULL)
                continue;
            if (n == max)
                list = mem_grow(list, max = max > 0 ? max * 2 : 16, sizeof(*list));
            list[n++] = h->jobs[i].polls[k].partial;
        }
    *ret_n = n;
    return list;
}

static bool is_among(const char *const *list, size_t n, const char *path)
{
    size_t i = 0;

    while (i < n && strcmp(list[i], path) != 0)
        i++;
    return i < n;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp((*(struct lake_entry *const *)a)->path, (*(struct lake_entry *const *)b)->path);
}

/* Those that may be merged, by day. */
static struct lake_entry **list_small(struct lake_upkeep *u, size_t table, size_t *ret_n)
{
    struct lake_entries *files = &u->files[table];
    struct lake_entry **list = mem_new(files->n + 1, sizeof(*list));
    size_t n = 0, n_partial;
    const char **partial = list_partial(u, &n_partial);

    for (size_t i = 0; i < files->n; i++) {
        struct lake_entry *entry = files->entries[i];
        if (entry->is_there && entry->size < SMALL && upkeep_is_of_day(entry->path) &&
            !is_among(partial, n_partial, entry->path))
            list[n++] = entry;
    }
    mem_free(partial);
    qsort(list, n, sizeof(*list), compare_paths);
    *ret_n = n;
    return list;
}

static bool is_same_day(const struct lake_entry *a, const struct lake_entry *b)
{
    return strncmp(a->path, b->path, strlen("date=YYYY-MM-DD")) == 0;
}

static int64_t day_of(const struct lake_entry *entry)
{
    char text[TIME_TEXT];
    int64_t day_us = 0;

    snprintf(text, sizeof(text), "%.10sT00:00:00Z", entry->path + strlen("date="));
    return time_parse(str_of(text), &day_us) ? day_us : 0;
}

static struct lake_file *file_to_fill(struct merge *m, int64_t day_us)
{
    if (m->n_to == 0 || (lake_file_bytes(m->to[m->n_to - 1]) >= ENOUGH && m->n_to < MAX_NEW))
        m->to[m->n_to++] =
            lake_file_new(m->upkeep->lake.store, &m->upkeep->lake.tables[m->table], day_us);
    return m->to[m->n_to - 1];
}

/* *ret_is_other: it has columns of somebody else, and stays. */
static enum st copy_rows(struct merge *m, const struct lake_entry *entry, bool *ret_is_other,
                         struct err *err)
{
    const struct lake_table *t = &m->upkeep->lake.tables[m->table];
    struct lake_reading reading;
    const struct cell *cells;
    size_t n = 1;

    enum st st = reading_open(&reading, m->upkeep, m->table, entry, err);
    *ret_is_other = st == ST_OK && reading_has_others(&reading, t);
    while (st == ST_OK && !*ret_is_other && n > 0) {
        st = reading_next(&reading, &cells, &n, err);
        struct lake_file *to = file_to_fill(m, day_of(entry));
        for (size_t i = 0; st == ST_OK && i < n; i++)
            st = lake_file_add(to, cells + i * t->n_columns, err);
        if (st == ST_OK)
            st = lake_file_keep(to, err);
    }
    reading_close(&reading);
    return st;
}

static void write_merge(void *ctx, int64_t version, struct buf *lines, struct buf *info)
{
    const struct merge *m = ctx;
    const int64_t now_us = clock_wall_us(m->upkeep->sink.clock);

    (void)version, (void)info;
    for (size_t i = 0; i < m->n_from; i++)
        lake_add_remove(lines, m->from[i]->path, false, now_us);
    for (size_t i = 0; i < m->n_to; i++)
        if (lake_file_rows(m->to[i]) > 0)
            lake_file_add_action(lines, m->to[i], false, now_us);
}

/* ST_AGAIN: others took one of the files meanwhile. */
static enum st commit_merge(struct merge *m, struct err *err)
{
    struct lake_upkeep *u = m->upkeep;
    struct delta_log *log = &u->logs[m->table];
    bool is_done = false;
    enum st st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < m->n_to; i++)
        if (lake_file_rows(m->to[i]) > 0)
            st = lake_file_finish(m->to[i], err);
    while (st == ST_OK && !is_done) {
        char id[DELTA_ID];
        for (size_t i = 0; st == ST_OK && i < m->n_from; i++)
            if (!m->from[i]->is_there)
                st = err_set(err, ST_AGAIN,
                             "%s: another program took %s/%s out of its table meanwhile; try again",
                             u->url->shown, log->dir, m->from[i]->path);
        delta_make_id(id);
        if (st == ST_OK)
            st = delta_commit(log, id, clock_wall_us(u->sink.clock), write_merge, m, &is_done, err);
    }
    return st;
}

static enum st merge_day(struct lake_upkeep *u, size_t table, struct lake_entry **day, size_t n,
                         bool is_dry_run, struct err *err)
{
    struct merge m = {.upkeep = u, .table = table, .from = mem_new(n, sizeof(*m.from))};
    const char *name = u->lake.tables[table].name;
    int64_t before = 0;
    size_t after = 0;
    enum st st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < n; i++) {
        bool is_other = false;
        if (!is_dry_run)
            st = copy_rows(&m, day[i], &is_other, err);
        if (is_other)
            continue;
        m.from[m.n_from++] = day[i];
        before += day[i]->size;
    }
    if (st == ST_OK && m.n_from > 1 && is_dry_run)
        upkeep_say(u, "%s/%.15s: %zu files, %lld bytes, would become one", name, day[0]->path,
                   m.n_from, (long long)before);
    if (st == ST_OK && m.n_from > 1 && !is_dry_run) {
        st = commit_merge(&m, err);
        for (size_t i = 0; i < m.n_to; i++)
            after += lake_file_bytes(m.to[i]);
        if (st == ST_OK)
            upkeep_say(u, "%s/%.15s: %zu files, %lld bytes, are %zu now, %zu bytes", name,
                       m.from[0]->path, m.n_from, (long long)before, m.n_to, after);
    }
    for (size_t i = 0; i < m.n_to; i++)
        lake_file_free(m.to[i]);
    mem_free(m.from);
    return st;
}

static enum st optimize_table(struct lake_upkeep *u, size_t table, bool is_dry_run, struct err *err)
{
    size_t n, first = 0;
    struct lake_entry **list = list_small(u, table, &n);
    enum st st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < n; i++) {
        if (i + 1 < n && is_same_day(list[first], list[i + 1]))
            continue;
        if (i > first)
            st = merge_day(u, table, &list[first], i + 1 - first, is_dry_run, err);
        first = i + 1;
    }
    mem_free(list);
    return st;
}

enum st lake_optimize(struct lake_upkeep *u, bool is_dry_run, struct err *err)
{
    enum st st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < LAKE_TABLES; i++)
        st = optimize_table(u, i, is_dry_run, err);
    return st;
}

/* ---- vacuum ---- */

struct vacuum {
    struct lake_upkeep *upkeep;
    size_t table;
    int64_t before_us;
    struct lake_entry **known; /* by path */
    size_t n_known;
    char **gone; /* objects */
    size_t n_gone, max_gone;
    int64_t n_bytes;
};

static bool is_kept(const struct vacuum *v, const char *path)
{
    struct lake_entry wanted = {.path = mem_strdup(path)}, *key = &wanted;
    struct lake_entry **found =
        bsearch(&key, v->known, v->n_known, sizeof(*v->known), compare_paths);

    mem_free(wanted.path);
    return found && ((*found)->is_there || (*found)->removed_us >= v->before_us);
}

/* Only what has the form of our data files: whatever else lies there is somebody's. */
static enum st each_object(void *ctx, const char *name, const struct object_info *info,
                           bool *ret_is_enough, struct err *err)
{
    struct vacuum *v = ctx;
    const char *path = name + strlen(v->upkeep->lake.tables[v->table].name) + 1;

    (void)ret_is_enough, (void)err;
    if (!upkeep_is_of_day(path) || !str_ends(str_of(path), STR(".parquet")) ||
        info->modified_us >= v->before_us || is_kept(v, path))
        return ST_OK;
    if (v->n_gone == v->max_gone) {
        v->max_gone = v->max_gone > 0 ? v->max_gone * 2 : 64;
        v->gone = mem_grow(v->gone, v->max_gone, sizeof(*v->gone));
    }
    v->gone[v->n_gone++] = mem_strdup(name);
    v->n_bytes += info->size;
    return ST_OK;
}

static enum st vacuum_table(struct lake_upkeep *u, size_t table, int64_t before_us, bool is_dry_run,
                            struct err *err)
{
    struct lake_entries *files = &u->files[table];
    struct vacuum v = {.upkeep = u,
                       .table = table,
                       .before_us = before_us,
                       .known = mem_new(files->n + 1, sizeof(*v.known)),
                       .n_known = files->n};
    char prefix[OBJECT_MAX_NAME];

    for (size_t i = 0; i < files->n; i++)
        v.known[i] = files->entries[i];
    qsort(v.known, v.n_known, sizeof(*v.known), compare_paths);
    snprintf(prefix, sizeof(prefix), "%s/date=", u->lake.tables[table].name);
    enum st st = object_list(u->lake.store, prefix, NULL, each_object, &v, err);
    for (size_t i = 0; st == ST_OK && i < v.n_gone; i++) {
        if (is_dry_run)
            upkeep_say(u, "%s would be removed", v.gone[i]);
        else
            st = object_delete(u->lake.store, v.gone[i], err);
    }
    if (st == ST_OK && v.n_gone > 0 && !is_dry_run)
        upkeep_say(u, "%s: %zu files, %lld bytes, removed", u->lake.tables[table].name, v.n_gone,
                   (long long)v.n_bytes);
    for (size_t i = 0; i < v.n_gone; i++)
        mem_free(v.gone[i]);
    mem_free(v.gone);
    mem_free(v.known);
    return st;
}

enum st lake_vacuum(struct lake_upkeep *u, int64_t older_us, bool is_dry_run, struct err *err)
{
    const int64_t before_us = clock_wall_us(u->sink.clock) - older_us;
    enum st st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < LAKE_TABLES; i++)
        if (u->logs[i].version >= 0)
            st = vacuum_table(u, i, before_us, is_dry_run, err);
    return st;
}
