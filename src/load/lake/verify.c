/* A lake read whole, and held against its logs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "load/lake/stats.h"
#include "load/lake/upkeep_inner.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_STATS ((size_t)4 * 1024 * 1024)
#define MAX_TREE  ((size_t)64 * 1024 * 1024)
#define MAX_SHOWN 20 /* polls whose rows are too few or too many; the others are counted */

/* A slot of a job, whose rows some poll stored. */
struct slot {
    size_t job;
    int64_t slot_us;
    bool is_ok;
    int64_t want, got;
};

struct verify {
    struct lake_upkeep *upkeep;
    size_t n_problems;
    char **jobs;
    size_t n_jobs;
    struct slot *slots; /* sorted when all polls are read */
    size_t n_slots, max_slots;
    struct stats_column stats[LAKE_MAX_COLUMNS];
    size_t last; /* the slot looked up last: rows that follow each other often share it */
};

/* What of a table was read. */
struct totals {
    size_t n_files, n_days;
    uint64_t n_rows, n_bytes;
    char day[16];
};

static void complain(struct verify *v, const char *text)
{
    v->n_problems++;
    upkeep_complain(v->upkeep, "%s", text);
}

/* ---- the log's statistics against those of the rows ---- */

/* Each value that the log has must be the one that was found, where that is known. */
static bool is_same(const struct node *said, const struct node *found)
{
    for (const struct node *n = node_first(said); n; n = n->next)
        for (const struct node *f = node_first(found); f; f = f->next)
            if (str_eq(n->key, f->key) && (n->event != f->event || !str_eq(n->text, f->text)))
                return false;
    return true;
}

static enum st check_stats(struct verify *v, size_t table, const struct lake_entry *entry,
                           uint64_t n_rows, bool is_ours, struct err *err)
{
    static const char *const parts[] = {"minValues", "maxValues", "nullCount"};
    const struct lake_table *t = &v->upkeep->lake.tables[table];
    struct json *json = v->upkeep->lake.json;
    struct buf text = BUF_INIT(MAX_STATS);
    struct node *said, *found;
    struct arena arena;
    bool is_right = true;

    if (entry->stats[0] == '\0')
        return ST_OK;
    arena_init(&arena, MAX_TREE);
    stats_write(&text, v->stats, t->columns, t->n_columns, n_rows);
    enum st st = node_parse(json, str_of(entry->stats), &arena, &said, err);
    if (st == ST_OK)
        st = node_parse(json, buf_str(&text), &arena, &found, err);
    if (st == ST_OK) {
        is_right = node_int(node_get(said, "numRecords"), -1) == (int64_t)n_rows;
        /* others write the same values in other ways */
        for (size_t i = 0; is_ours && i < 3; i++)
            is_right &= is_same(node_get(said, parts[i]), node_get(found, parts[i]));
    }
    if (st == ST_OK && !is_right)
        st = err_set(err, ST_REJECT, "%s/%s: its rows are not what the log says of them", t->name,
                     entry->path);
    buf_release(&text);
    arena_release(&arena);
    return st;
}

/* ---- slots ---- */

static size_t job_index(struct verify *v, struct str name)
{
    size_t i = 0;

    while (i < v->n_jobs && !str_eq(str_of(v->jobs[i]), name))
        i++;
    if (i < v->n_jobs)
        return i;
    v->jobs = mem_grow(v->jobs, v->n_jobs + 1, sizeof(*v->jobs));
    v->jobs[v->n_jobs++] = mem_strndup(name.p ? name.p : "", name.len);
    return i;
}

static void note_poll(struct verify *v, const struct cell *row)
{
    if (!str_eq(cell_text(&row[POLL_COLUMN_LOADED]), STR("rows")))
        return;
    if (v->n_slots == v->max_slots) {
        v->max_slots = v->max_slots > 0 ? v->max_slots * 2 : 1024;
        v->slots = mem_grow(v->slots, v->max_slots, sizeof(*v->slots));
    }
    v->slots[v->n_slots++] =
        (struct slot){.job = job_index(v, cell_text(&row[POLL_COLUMN_JOB])),
                      .slot_us = row[POLL_COLUMN_SLOT].number,
                      .is_ok = str_eq(cell_text(&row[POLL_COLUMN_OUTCOME]), STR("ok")),
                      .want = row[POLL_COLUMN_ROWS_NEW].number};
}

static int compare_keys(const struct slot *a, const struct slot *b)
{
    return a->job != b->job ? (a->job > b->job) - (a->job < b->job)
                            : (a->slot_us > b->slot_us) - (a->slot_us < b->slot_us);
}

/* The ok poll of a slot comes before the partial one that it took the place of. */
static int compare_slots(const void *a, const void *b)
{
    const struct slot *x = a, *y = b;
    const int order = compare_keys(x, y);

    return order != 0 ? order : y->is_ok - x->is_ok;
}

static int compare_to_key(const void *key, const void *slot)
{
    return compare_keys(key, slot);
}

/* All polls are read: one entry for each slot. */
static void sort_slots(struct verify *v)
{
    size_t n = 0;

    if (v->n_slots > 0)
        qsort(v->slots, v->n_slots, sizeof(*v->slots), compare_slots);
    for (size_t i = 0; i < v->n_slots; i++) {
        if (n == 0 || compare_keys(&v->slots[n - 1], &v->slots[i]) != 0) {
            v->slots[n++] = v->slots[i];
        } else if (v->slots[n - 1].is_ok == v->slots[i].is_ok) {
            v->n_problems++;
            upkeep_complain(v->upkeep,
                            "two polls of job %s say that they have the rows of slot %lld",
                            v->jobs[v->slots[i].job], (long long)v->slots[i].slot_us);
        }
    }
    v->n_slots = n;
}

static bool count_row(struct verify *v, const struct cell *row)
{
    const struct slot key = {.job = job_index(v, cell_text(&row[LAKE_JOB])),
                             .slot_us = row[LAKE_SLOT].number};
    struct slot *slot = v->n_slots == 0 ? NULL : &v->slots[v->last];

    if (slot && compare_keys(&key, slot) != 0)
        slot = bsearch(&key, v->slots, v->n_slots, sizeof(*slot), compare_to_key);
    if (slot == NULL)
        return false;
    v->last = (size_t)(slot - v->slots);
    slot->got++;
    return true;
}

static void check_slots(struct verify *v)
{
    size_t n = 0;

    for (size_t i = 0; i < v->n_slots; i++) {
        const struct slot *slot = &v->slots[i];
        char at[TIME_TEXT];
        if (slot->got == slot->want || n++ >= MAX_SHOWN)
            continue;
        time_format(slot->slot_us, at);
        upkeep_complain(v->upkeep, "job %s, slot %s: %lld rows, and %lld by its poll",
                        v->jobs[slot->job], at, (long long)slot->got, (long long)slot->want);
    }
    if (n > MAX_SHOWN)
        upkeep_complain(v->upkeep, "… and of %zu more polls", n - MAX_SHOWN);
    v->n_problems += n;
}

/* ---- files ---- */

static bool is_of_day(const struct lake_entry *entry, int64_t slot_us)
{
    char text[TIME_TEXT];

    time_format(slot_us, text);
    return strncmp(text, entry->path + strlen("date="), 10) == 0;
}

static enum st read_row(struct verify *v, size_t table, const struct lake_entry *entry,
                        const struct cell *row, struct err *err)
{
    const struct lake_table *t = &v->upkeep->lake.tables[table];

    for (size_t i = 0; i < t->n_columns; i++)
        stats_add(&v->stats[i], &t->columns[i], &row[i]);
    if (!is_of_day(entry, row[t->slot].number))
        return err_set(err, ST_REJECT, "%s/%s: has a row of another day", t->name, entry->path);
    if (table == LAKE_POLL)
        note_poll(v, row);
    else if (!count_row(v, row))
        return err_set(err, ST_REJECT, "%s/%s: has a row of no poll", t->name, entry->path);
    return ST_OK;
}

static enum st read_file(struct verify *v, size_t table, const struct lake_entry *entry,
                         struct totals *totals, struct err *err)
{
    const struct lake_table *t = &v->upkeep->lake.tables[table];
    struct lake_reading reading;
    const struct cell *cells;
    uint64_t n_rows = 0;
    size_t n = 1;

    memset(v->stats, 0, sizeof(v->stats));
    enum st st = reading_open(&reading, v->upkeep, table, entry, err);
    while (st == ST_OK && n > 0) {
        st = reading_next(&reading, &cells, &n, err);
        for (size_t i = 0; st == ST_OK && i < n; i++)
            st = read_row(v, table, entry, cells + i * t->n_columns, err);
        n_rows += st == ST_OK ? n : 0;
    }
    const bool is_ours =
        st == ST_OK && str_starts(parquet_created_by(reading.file), STR("geckotape"));
    if (st == ST_OK)
        st = check_stats(v, table, entry, n_rows, is_ours, err);
    totals->n_rows += n_rows;
    reading_close(&reading);
    return st;
}

static int compare_entries(const void *a, const void *b)
{
    return strcmp((*(struct lake_entry *const *)a)->path, (*(struct lake_entry *const *)b)->path);
}

/* A file that is damaged is told, and the others are read. */
static enum st read_table(struct verify *v, size_t table, struct err *err)
{
    struct lake_entries *files = &v->upkeep->files[table];
    struct totals totals = {.n_files = 0};
    enum st st = ST_OK;

    if (v->upkeep->logs[table].version < 0)
        return ST_OK;
    if (files->n > 0)
        qsort(files->entries, files->n, sizeof(*files->entries), compare_entries);
    for (size_t i = 0; st == ST_OK && i < files->n; i++) {
        const struct lake_entry *entry = files->entries[i];
        struct err why = ERR_INIT;
        if (!entry->is_there)
            continue;
        st = read_file(v, table, entry, &totals, &why);
        if (st == ST_REJECT)
            complain(v, why.msg);
        else if (st != ST_OK)
            *err = why;
        st = st == ST_REJECT ? ST_OK : st;
        totals.n_files++;
        totals.n_bytes += (uint64_t)(entry->size > 0 ? entry->size : 0);
        totals.n_days += strncmp(totals.day, entry->path, sizeof(totals.day) - 1) != 0;
        snprintf(totals.day, sizeof(totals.day), "%.15s", entry->path);
    }
    if (st == ST_OK)
        upkeep_say(v->upkeep, "%s: %llu rows of %zu days in %zu files, %llu bytes",
                   v->upkeep->lake.tables[table].name, (unsigned long long)totals.n_rows,
                   totals.n_days, totals.n_files, (unsigned long long)totals.n_bytes);
    return st;
}

enum st lake_verify(struct lake_upkeep *u, size_t *ret_n, struct err *err)
{
    struct verify *v = mem_new(1, sizeof(*v));

    v->upkeep = u;
    enum st st = read_table(v, LAKE_POLL, err);
    sort_slots(v);
    for (size_t i = 0; st == ST_OK && i < LAKE_POLL; i++)
        st = read_table(v, i, err);
    if (st == ST_OK)
        check_slots(v);
    *ret_n = v->n_problems;
    for (size_t i = 0; i < v->n_jobs; i++)
        mem_free(v->jobs[i]);
    mem_free(v->jobs);
    mem_free(v->slots);
    mem_free(v);
    return st;
}
