/* What the files of the json: driver have in common.
 *
 * DIR/raw/<name>_<UTC>.json            the exact body of page 1; page N: <name>_<UTC>_pN.json
 * DIR/processed/<name>_<UTC>.json      one object for each row: of a market seven fields of it,
 * else all DIR/SIMULATED                        only where the rows are made up DIR/.geckotape/lock
 * held during an attach or a load DIR/.geckotape/<uuid>.position       how far a stream is loaded;
 * written last DIR/.geckotape/<name>/<hour>.journal the files of the slots of an hour, written
 * before the files: only what stands here is ever overwritten or deleted
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_JSON_JSON_H
#define LOAD_JSON_JSON_H

#include "base/file.h"
#include "load/json/position.h"

#define JSON_MAX_FILE    256                 /* bytes of a file's path below the directory */
#define JSON_MAX_PENDING (16u * 1024 * 1024) /* bytes of the names of a batch's files */

enum json_compress { JSON_PLAIN, JSON_GZIP, JSON_ZSTD };

/* Files that are written under a temporary name and appear together. */
struct json_files {
    char dir[SINK_URL_MAX];
    enum json_compress compress;
    struct buf pending; /* paths below dir, each with its NUL; "-path": to be deleted */
    struct buf scratch; /* a file's bytes */
    struct buf packed;  /* and compressed */
};

struct json_sink {
    struct json_files files;
    int64_t keep_us;               /* 0: for ever */
    struct json_position *streams; /* as we wrote them last */
    size_t n_streams;
    struct buf journal; /* of an hour */
    struct buf slot;    /* its entries for the slot at hand */
    struct buf lines;   /* that are to be added */
    bool is_in_batch;
    struct position at; /* in the batch */
};

/* ".json" ".json.gz" ".json.zst" */
const char *json_suffix(enum json_compress compress);

/* Write path (below dir), to appear at json_files_commit(). */
enum st json_files_add(struct json_files *f, const char *path, struct str bytes,
                       struct err *err) MUST_USE;
/* Delete path at json_files_commit(). */
void json_files_remove(struct json_files *f, struct str path);
enum st json_files_commit(struct json_files *f, struct err *err) MUST_USE;
void json_files_abandon(struct json_files *f); /* removes what was not committed */

/* One line of a journal. */
struct json_entry {
    int64_t slot_us;
    enum poll_outcome outcome;
    struct str stream; /* UUID */
    uint64_t offset;   /* of the poll's end */
    struct str path;   /* below dir; "-": no file, a duplicate poll */
};

/* The journal of the hour that slot_us lies in; empty when there is none. */
enum st json_journal_read(const char *dir, const char *name, int64_t slot_us, struct buf *ret_text,
                          struct err *err) MUST_USE;

/* Take the next whole entry from *text, which ends up behind it; false at the end. */
bool json_journal_next(struct str *text, struct json_entry *ret_entry);

void json_journal_format(struct buf *b, const struct json_entry *entry);

/* Append lines and sync them. */
enum st json_journal_append(const char *dir, const char *name, int64_t slot_us, struct str lines,
                            struct err *err) MUST_USE;

/* Delete the files of slots before `before_us`, and journals that are through. What cannot be
 * deleted stays for the next time. */
void json_journal_expire(const char *dir, const char *name, int64_t before_us);

/* The hour of the first journal that is not before from_us; false when there is none. */
bool json_journal_hour(const char *dir, const char *name, int64_t from_us, int64_t *ret_hour_us);

/* ---- what load and replay share ---- */

/* Two loaders of one directory take turns: close(*ret_fd) ends ours. */
enum st json_lock_dir(struct sink *s, int *ret_fd, struct err *err) MUST_USE;

struct json_position *json_find_stream(struct json_sink *me, const char *stream);

/* Drop the batch that is open. */
void json_drop_batch(struct json_sink *me);

/* Is the stream still ours? Where it is now. */
enum st json_check_owner(struct sink *s, const struct json_position *mine,
                         struct json_position *ret_now, struct err *err) MUST_USE;

/* me->slot: the journal's entries for a slot. */
enum st json_read_slot(struct json_sink *me, const struct json_position *p, int64_t slot_us,
                       struct err *err) MUST_USE;
bool json_has_path(const struct buf *entries, struct str path);
bool json_file_exists(const struct json_sink *me, struct str path);

/* The name of a poll's file, of me->files.compress. */
void json_file_name(struct json_sink *me, const struct json_position *p,
                    const struct sink_load *load, const char *folder, uint32_t page,
                    char ret_path[JSON_MAX_FILE]);
enum st json_write_files(struct json_sink *me, const struct json_position *p,
                         const struct sink_load *load, struct err *err) MUST_USE;

/* `keep` counts from the newest poll with rows, whose clock the API's answers have proved right: a
 * clock that is set wrong deletes nothing. */
int64_t json_expires_before(struct sink *s, const struct json_position *p);

extern const struct sink_replay_driver json_replay; /* replay.c */

#endif
