/* SPDX-License-Identifier: Apache-2.0 */
#include "load/lake/log.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define MAX_TREE  ((size_t)256 * 1024 * 1024)
#define MAX_TRIES 5 /* of a commit whose answers are lost */

#define READER          1 /* protocol versions that we know all of */
#define WRITER          2
#define FEATURES_READER 3 /* from these on features are named */
#define FEATURES_WRITER 7

void delta_init(struct delta_log *log, struct object_store *store, struct json *json,
                const char *dir)
{
    *log = (struct delta_log){.store = store, .json = json, .version = -1};
    snprintf(log->dir, sizeof(log->dir), "%s", dir);
    arena_init(&log->arena, MAX_TREE);
}

void delta_release(struct delta_log *log)
{
    for (size_t i = 0; i < log->n_txns; i++)
        mem_free(log->txns[i].app);
    mem_free(log->txns);
    mem_free(log->meta);
    arena_release(&log->arena);
    *log = (struct delta_log){.version = -1};
}

void delta_make_id(char ret_id[DELTA_ID])
{
    uint8_t bytes[(DELTA_ID - 1) / 2];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        abort(); /* does not happen: short requests are not interrupted */
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(ret_id + 2 * i, 3, "%02x", bytes[i]);
}

/* ---- the state that actions make ---- */

static struct delta_txn *find_txn(const struct delta_log *log, struct str app)
{
    for (size_t i = 0; i < log->n_txns; i++)
        if (str_eq(str_of(log->txns[i].app), app))
            return &log->txns[i];
    return NULL;
}

int64_t delta_txn(const struct delta_log *log, const char *app, int64_t otherwise)
{
    const struct delta_txn *txn = find_txn(log, str_of(app));

    return txn ? txn->version : otherwise;
}

static void take_txn(struct delta_log *log, const struct node *txn)
{
    const struct str app = node_text(node_get(txn, "appId"));
    struct delta_txn *place = find_txn(log, app);

    if (place == NULL) {
        log->txns = mem_grow(log->txns, log->n_txns + 1, sizeof(*log->txns));
        place = &log->txns[log->n_txns++];
        place->app = mem_strndup(app.p ? app.p : "", app.len);
    }
    place->version = node_int(node_get(txn, "version"), 0);
}

static enum st refuse_feature(const struct delta_log *log, struct str feature, struct err *err)
{
    return err_set(err, ST_FATAL,
                   "%s: the table %s asks of those who write it the feature \"%.*s\", which "
                   "geckotape does not know; drop that, or give the sink another place",
                   object_shown(log->store), log->dir, STR_ARG(feature));
}

/* Writers of version 7 name their features; of these we keep all promises: no rows but ours are
 * ever changed, and no column of ours has an invariant. */
static enum st check_features(const struct delta_log *log, const struct node *features,
                              struct err *err)
{
    static const char *const known[] = {"appendOnly", "invariants"};

    for (const struct node *n = node_first(features); n; n = n->next) {
        bool is_known = false;
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
            is_known |= str_eq(node_text(n), str_of(known[i]));
        if (!is_known)
            return refuse_feature(log, node_text(n), err);
    }
    return ST_OK;
}

static enum st check_protocol(const struct delta_log *log, const struct node *protocol,
                              struct err *err)
{
    const int64_t reader = node_int(node_get(protocol, "minReaderVersion"), 0),
                  writer = node_int(node_get(protocol, "minWriterVersion"), 0);

    if ((reader > READER && reader != FEATURES_READER) ||
        (writer > WRITER && writer != FEATURES_WRITER))
        return err_set(err, ST_FATAL,
                       "%s: the table %s wants readers of version %lld and writers of version "
                       "%lld of Delta's protocol; geckotape knows 1 and 2, and the named features "
                       "of 3 and 7; give the sink another place",
                       object_shown(log->store), log->dir, (long long)reader, (long long)writer);
    enum st st = check_features(log, node_get(protocol, "readerFeatures"), err);
    return st == ST_OK ? check_features(log, node_get(protocol, "writerFeatures"), err) : st;
}

static enum st take_meta(struct delta_log *log, const struct node *meta, struct str line,
                         struct err *err)
{
    const struct node *partitions = node_get(meta, "partitionColumns");
    const struct node *mode = node_get(node_get(meta, "configuration"), "delta.columnMapping.mode");

    if (mode && !str_eq(node_text(mode), STR("none")))
        return refuse_feature(log, STR("columnMapping"), err);
    if (!str_eq(node_text(node_first(partitions)), STR("date")) || node_first(partitions)->next)
        return err_set(err, ST_FATAL,
                       "%s: the table %s is not partitioned by date alone, and so none of "
                       "geckotape's; give the sink another place",
                       object_shown(log->store), log->dir);
    mem_free(log->meta);
    log->meta = mem_strndup(line.p, line.len);
    return ST_OK;
}

static enum st take_action(struct delta_log *log, int64_t version, struct str line,
                           delta_each *each, void *ctx, bool is_new, struct err *err)
{
    struct node *action, *inner;

    arena_reset(&log->arena);
    enum st st = node_parse(log->json, line, &log->arena, &action, err);
    inner = st == ST_OK ? action->child : NULL;
    if (st == ST_OK && inner == NULL)
        return ST_OK;
    if (st == ST_OK && is_new && str_eq(inner->key, STR("txn")))
        take_txn(log, inner);
    if (st == ST_OK && is_new && str_eq(inner->key, STR("protocol")))
        st = check_protocol(log, inner, err);
    if (st == ST_OK && is_new && str_eq(inner->key, STR("metaData")))
        st = take_meta(log, inner, line, err);
    if (st == ST_OK && is_new && str_eq(inner->key, STR("commitInfo")) && log->awaited[0] != '\0')
        log->has_come |= str_eq(node_text(node_get(inner, "txnId")), str_of(log->awaited));
    if (st == ST_OK && each)
        st = each(ctx, version, inner, line, err);
    return st;
}

static enum st take_commit(struct delta_log *log, int64_t version, struct str text,
                           delta_each *each, void *ctx, bool is_new, struct err *err)
{
    struct str line;
    enum st st = ST_OK;

    while (st == ST_OK && text.len > 0) {
        str_cut(&text, '\n', &line);
        line = str_trim(line);
        if (line.len > 0)
            st = take_action(log, version, line, each, ctx, is_new, err);
    }
    if (st == ST_REJECT)
        st = ST_FATAL; /* a log that is no log is none the next time */
    if (st != ST_OK)
        return err_wrap(err, st, "%s: commit %lld of the table %s: ", object_shown(log->store),
                        (long long)version, log->dir);
    if (is_new)
        log->version = version;
    return ST_OK;
}

/* ---- reading ---- */

static void commit_name(const struct delta_log *log, int64_t version,
                        char ret_name[OBJECT_MAX_NAME])
{
    snprintf(ret_name, OBJECT_MAX_NAME, "%s/_delta_log/%020lld.json", log->dir, (long long)version);
}

static enum st note_commit(void *ctx, const char *name, const struct object_info *info,
                           bool *ret_is_enough, struct err *err)
{
    (void)info, (void)err;
    *(bool *)ctx = *ret_is_enough = str_ends(str_of(name), STR(".json"));
    return ST_OK;
}

/* There is no commit 0: is there a later one? */
static enum st check_absent(struct delta_log *log, struct err *err)
{
    char prefix[OBJECT_MAX_NAME];
    bool is_there = false;

    snprintf(prefix, sizeof(prefix), "%s/_delta_log/0", log->dir);
    enum st st = object_list(log->store, prefix, NULL, note_commit, &is_there, err);
    if (st != ST_OK || !is_there)
        return st;
    return err_set(err, ST_FATAL,
                   "%s: the oldest commits of the table %s were removed from its log; give the "
                   "sink another place",
                   object_shown(log->store), log->dir);
}

static enum st read_commit(struct delta_log *log, int64_t version, struct buf *ret_text,
                           bool *ret_is_there, struct err *err)
{
    char name[OBJECT_MAX_NAME];

    commit_name(log, version, name);
    return object_get(log->store, name, ret_text, NULL, ret_is_there, err);
}

enum st delta_refresh(struct delta_log *log, struct err *err)
{
    struct buf text = BUF_INIT(DELTA_MAX_COMMIT);
    bool is_there = true;
    enum st st = ST_OK;

    while (st == ST_OK && is_there) {
        buf_clear(&text);
        st = read_commit(log, log->version + 1, &text, &is_there, err);
        if (st == ST_OK && is_there)
            st = take_commit(log, log->version + 1, buf_str(&text), log->each, log->ctx, true, err);
    }
    buf_release(&text);
    return st == ST_OK && log->version < 0 ? check_absent(log, err) : st;
}

enum st delta_read(struct delta_log *log, int64_t version, delta_each *each, void *ctx,
                   struct err *err)
{
    struct buf text = BUF_INIT(DELTA_MAX_COMMIT);
    bool is_there = true;

    enum st st = read_commit(log, version, &text, &is_there, err);
    if (st == ST_OK && !is_there)
        st = err_set(err, ST_REJECT, "%s: commit %lld of the table %s is gone",
                     object_shown(log->store), (long long)version, log->dir);
    if (st == ST_OK)
        st = take_commit(log, version, buf_str(&text), each, ctx, false, err);
    buf_release(&text);
    return st;
}

/* ---- writing ---- */

void delta_add_txn(struct buf *lines, const char *app, int64_t version, int64_t now_us)
{
    buf_add_z(lines, "{\"txn\":{\"appId\":");
    buf_add_json_str(lines, str_of(app));
    buf_addf(lines, ",\"version\":%lld,\"lastUpdated\":%lld}}\n", (long long)version,
             (long long)(now_us / US_PER_MS));
}

void delta_add_protocol(struct buf *lines)
{
    buf_addf(lines, "{\"protocol\":{\"minReaderVersion\":%d,\"minWriterVersion\":%d}}\n", READER,
             WRITER);
}

static enum st make_commit(const struct delta_log *log, const char *id, int64_t now_us,
                           delta_write *write, void *ctx, struct buf *text, struct err *err)
{
    struct buf lines = BUF_INIT(DELTA_MAX_COMMIT), info = BUF_INIT(DELTA_MAX_COMMIT);

    write(ctx, log->version + 1, &lines, &info);
    buf_addf(text,
             "{\"commitInfo\":{\"timestamp\":%lld,\"operation\":\"WRITE\",\"operationParameters\":"
             "{\"mode\":\"Append\",\"partitionBy\":\"[\\\"date\\\"]\"},"
             "\"engineInfo\":\"geckotape/" GECKOTAPE_VERSION "\",\"txnId\":\"%s\"",
             (long long)(now_us / US_PER_MS), id);
    buf_add_str(text, buf_str(&info));
    buf_add_z(text, "}}\n");
    buf_add_str(text, buf_str(&lines));
    enum st st = buf_check(&lines, "a commit", err);
    if (st == ST_OK)
        st = buf_check(&info, "a commit", err);
    if (st == ST_OK)
        st = buf_check(text, "a commit", err);
    buf_release(&lines);
    buf_release(&info);
    return st;
}

/* Put it, or find out what became of it. */
static enum st put_commit(struct delta_log *log, struct str text, bool *ret_is_done,
                          struct err *err)
{
    const int64_t version = log->version + 1;
    struct object_put_result result;
    char name[OBJECT_MAX_NAME];
    enum st st = ST_AGAIN;

    commit_name(log, version, name);
    for (int i = 0; i < MAX_TRIES; i++) {
        struct err why = ERR_INIT;
        st = object_put(log->store, name, text, OBJECT_ABSENT, NULL, &result, &why);
        if (st == ST_OK && !result.is_refused) {
            *ret_is_done = true;
            return take_commit(log, version, text, log->each, log->ctx, true, err);
        }
        *err = why;
        if (st != ST_OK && !result.is_unknown)
            return st;
        log->has_come = false;
        enum st look_st = delta_refresh(log, err);
        if (look_st != ST_OK)
            return look_st;
        *ret_is_done = log->has_come;
        if (log->version >= version)
            return ST_OK;
    }
    return st == ST_OK ? err_set(err, ST_AGAIN, "%s: %s is there and is not to be read",
                                 object_shown(log->store), name)
                       : st;
}

enum st delta_commit(struct delta_log *log, const char *id, int64_t now_us, delta_write *write,
                     void *ctx, bool *ret_is_done, struct err *err)
{
    struct buf text = BUF_INIT(DELTA_MAX_COMMIT);

    snprintf(log->awaited, sizeof(log->awaited), "%s", id);
    enum st st = make_commit(log, id, now_us, write, ctx, &text, err);
    if (st == ST_OK)
        st = put_commit(log, buf_str(&text), ret_is_done, err);
    log->awaited[0] = '\0';
    buf_release(&text);
    return st;
}
