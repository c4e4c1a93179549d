/* The logs of the tables of rows, which follow that of polls commit by commit. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "load/lake/lake.h"

#include <stdio.h>

#define MAX_META ((size_t)4 * 1024 * 1024)
#define APPLIED  "geckotape/poll" /* in a table of rows: up to which version of `poll` it is */

/* ---- what a commit of polls says of them ---- */

/* Of a poll whose rows take the place of a partial one's: is there something to take away? */
static bool is_removing(const struct lake *l, const struct lake_poll *poll, size_t table)
{
    return poll->replaces[0] != '\0' && strcmp(poll->replaces, HELD_NO_FILE) != 0 &&
           poll->replaced_by == SIZE_MAX && l->streams[poll->stream].table == table;
}

static bool has_rows(const struct lake *l, size_t table)
{
    for (size_t i = 0; i < l->n_polls; i++)
        if (is_removing(l, &l->polls[i], table))
            return true;
    for (size_t i = 0; i < l->n_files; i++)
        if (l->files[i].table == table && !l->files[i].is_void)
            return true;
    return false;
}

static void rows_app(char ret_app[LAKE_APP_MAX], const char *what, const struct lake_table *t)
{
    lake_app(ret_app, what, t->name);
}

void lake_add_rows_txns(struct buf *lines, const struct lake *l, int64_t version, int64_t now_us)
{
    char app[LAKE_APP_MAX];

    for (size_t i = 0; i < LAKE_POLL; i++) {
        if (!has_rows(l, i))
            continue;
        rows_app(app, "rows", &l->tables[i]);
        delta_add_txn(lines, app, version, now_us);
        rows_app(app, "first", &l->tables[i]);
        if (delta_txn(&l->logs[LAKE_POLL], app, -1) < 0)
            delta_add_txn(lines, app, version, now_us);
    }
}

static void add_actions(struct buf *lines, const struct lake *l, size_t table, int64_t now_us)
{
    for (size_t i = 0; i < l->n_polls; i++)
        if (is_removing(l, &l->polls[i], table))
            lake_add_remove(lines, l->polls[i].replaces, true, now_us);
    for (size_t i = 0; i < l->n_files; i++)
        if (l->files[i].table == table && !l->files[i].is_void)
            lake_file_add_action(lines, l->files[i].file, true, now_us);
    for (size_t i = 0; i < l->n_streams; i++)
        if (l->streams[i].table == table &&
            l->streams[i].whole.at.offset != l->streams[i].done.at.offset)
            delta_add_txn(lines, l->streams[i].uuid, (int64_t)l->streams[i].whole.at.offset,
                          now_us);
}

void lake_add_rows_info(struct buf *info, const struct lake *l, int64_t now_us)
{
    struct buf lines = BUF_INIT(DELTA_MAX_COMMIT);
    const char *before = "";

    buf_add_z(info, ",\"rows\":[");
    for (size_t i = 0; i < LAKE_POLL; i++) {
        if (!has_rows(l, i))
            continue;
        buf_clear(&lines);
        add_actions(&lines, l, i, now_us);
        buf_addf(info, "%s{\"table\":\"%s\",\"actions\":", before, l->tables[i].name);
        buf_add_json_str(info, buf_str(&lines));
        buf_add_char(info, '}');
        before = ",";
    }
    buf_add_char(info, ']');
    buf_release(&lines);
}

/* ---- following it ---- */

struct follow {
    const struct lake *lake;
    size_t table;
    int64_t version; /* of polls */
    struct buf actions;
    struct buf meta; /* of the table, where it lacks columns */
};

static enum st each_of_polls(void *ctx, int64_t version, const struct node *action, struct str line,
                             struct err *err)
{
    struct follow *f = ctx;
    const char *name = f->lake->tables[f->table].name;

    (void)version, (void)line;
    if (!str_eq(action->key, STR("commitInfo")))
        return ST_OK;
    const struct node *rows = node_first(node_get(node_get(action, "geckotape"), "rows"));
    for (; rows; rows = rows->next)
        if (str_eq(node_text(node_get(rows, "table")), str_of(name)))
            buf_add_str(&f->actions, node_text(node_get(rows, "actions")));
    return buf_check(&f->actions, "a commit", err);
}

static void write_rows(void *ctx, int64_t version, struct buf *lines, struct buf *info)
{
    const struct follow *f = ctx;
    const struct lake *l = f->lake;
    const int64_t now_us = clock_wall_us(l->sink->clock);

    (void)info;
    if (version == 0) {
        delta_add_protocol(lines);
        lake_table_add_meta(lines, &l->tables[f->table], l->sink->is_simulated, now_us);
    }
    buf_add_str(lines, buf_str(&f->meta));
    delta_add_txn(lines, APPLIED, f->version, now_us);
    buf_add_str(lines, buf_str(&f->actions));
}

static enum st gone(const struct lake *l, const struct lake_table *t, struct err *err)
{
    return err_set(err, ST_FATAL,
                   "%s: the table %s is gone, and that of polls says that it had rows: bring it "
                   "back, or remove %s too, and all is loaded from the tape again",
                   l->sink->url->shown, t->name, l->tables[LAKE_POLL].name);
}

/* One commit, unless another did it meanwhile. */
static enum st follow_one(struct lake *l, struct follow *f, struct err *err)
{
    struct delta_log *log = &l->logs[f->table];
    char id[DELTA_ID];
    bool is_done = false;
    enum st st = ST_OK;

    buf_clear(&f->meta);
    if (log->version >= 0)
        st = lake_table_check(&l->tables[f->table], log, l->sink->is_simulated, &f->meta, err);
    delta_make_id(id);
    return st == ST_OK
               ? delta_commit(log, id, clock_wall_us(l->sink->clock), write_rows, f, &is_done, err)
               : st;
}

static enum st follow_to(struct lake *l, struct follow *f, int64_t wanted, struct err *err)
{
    struct delta_log *polls = &l->logs[LAKE_POLL], *log = &l->logs[f->table];
    const struct lake_table *t = &l->tables[f->table];
    char app[LAKE_APP_MAX];

    rows_app(app, "first", t);
    const int64_t first = delta_txn(polls, app, 0);
    enum st st = delta_refresh(log, err);
    if (st == ST_OK && log->version < 0 && wanted != first)
        st = gone(l, t, err);
    f->version = first;
    while (st == ST_OK) {
        const int64_t applied = delta_txn(log, APPLIED, -1);
        if (applied >= wanted)
            break;
        if (f->version <= applied)
            f->version = applied + 1;
        buf_clear(&f->actions);
        st = delta_read(polls, f->version, each_of_polls, f, err);
        if (st == ST_OK && f->actions.len > 0)
            st = follow_one(l, f, err);
        else
            f->version++;
    }
    return st == ST_REJECT ? ST_FATAL : st;
}

enum st lake_roll_forward(struct lake *l, struct err *err)
{
    enum st st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < LAKE_POLL; i++) {
        struct follow f = {.lake = l,
                           .table = i,
                           .actions = BUF_INIT(DELTA_MAX_COMMIT),
                           .meta = BUF_INIT(MAX_META)};
        char app[LAKE_APP_MAX];
        rows_app(app, "rows", &l->tables[i]);
        const int64_t wanted = delta_txn(&l->logs[LAKE_POLL], app, -1);
        if (wanted > delta_txn(&l->logs[i], APPLIED, -1))
            st = follow_to(l, &f, wanted, err);
        buf_release(&f.actions);
        buf_release(&f.meta);
    }
    return st;
}

/* ---- one file ---- */

struct sought {
    const char *path;
    bool is_there;
};

static enum st each_sought(void *ctx, int64_t version, const struct node *action, struct str line,
                           struct err *err)
{
    struct sought *sought = ctx;
    const bool is_add = str_eq(action->key, STR("add"));

    (void)version, (void)line, (void)err;
    if ((is_add || str_eq(action->key, STR("remove"))) &&
        str_eq(node_text(node_get(action, "path")), str_of(sought->path)))
        sought->is_there = is_add;
    return ST_OK;
}

enum st lake_has_file(struct lake *l, size_t table, const char *path, bool *ret_is_there,
                      struct err *err)
{
    struct sought sought = {.path = path};
    struct delta_log log;

    delta_init(&log, l->store, l->json, l->tables[table].name);
    log.each = each_sought;
    log.ctx = &sought;
    enum st st = delta_refresh(&log, err);
    delta_release(&log);
    *ret_is_there = sought.is_there;
    return st;
}
