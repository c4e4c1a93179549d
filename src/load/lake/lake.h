/* The lake: driver: Delta tables in a directory or an object store.
 *
 *     DIR/poll/                 every poll, and how far each stream is loaded
 *     DIR/market/, DIR/global/… rows, a folder for each table (row/tables.h), made with its first
 * row DIR/_geckotape/probe      whether the store keeps its promises
 *
 * Polls are gathered, by day and table, and committed together (sink.h: settle). The log of `poll`
 * is where a commit happens or does not: it has, as `txn` actions, the stream's offset ("<uuid>"),
 * its record's hash, its epoch and what later polls are compared with ("<uuid>/hash", "/epoch",
 * "/base", "/base_slot", "/transform"), and what a job is of ("<job>/of"). Its commitInfo lists, as
 * "geckotape", which slots of which jobs it has rows of, and the actions of the other tables. Those
 * are then copied into their logs, up to the commit that "rows/<table>" names, with that version as
 * the txn "geckotape/poll": by who made the commit, or, if he was killed before, by the next one.
 *
 * So an owner is fenced by one log, a poll counts in all tables or in none, and no two polls of a
 * slot have rows, however many loaders there are.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_LAKE_LAKE_H
#define LOAD_LAKE_LAKE_H

#include "load/lake/file.h"
#include "load/lake/held.h"
#include "load/poll_row.h"

#define LAKE_APP_MAX 128 /* bytes of a txn's appId of ours, NUL included */

#define LAKE_DAY_US (24 * 3600 * US_PER_S)

/* How far a stream is, and what its next rows are compared with: the newest poll of its job that
 * has rows, if that is of this stream and ok. */
struct lake_place {
    struct position at;
    uint64_t base; /* offset of its end; 0: there is no such */
    int64_t base_slot_us, transform;
};

struct lake_stream {
    char uuid[SINK_UUID_TEXT];
    struct stream_id id;
    enum row_table table; /* N_ROW_TABLES: no poll has rows */
    int64_t epoch;
    struct lake_place done, whole,
        now; /* committed; with whole batches; with all that was loaded */
};

/* A poll with rows that is not committed yet. */
struct lake_poll {
    size_t stream;
    int64_t slot_us;
    bool is_partial;
    size_t file;                  /* that holds the rows of a partial one */
    size_t replaced_by;           /* a later one; SIZE_MAX: by none */
    char replaces[LAKE_MAX_PATH]; /* a committed partial one's file; "": none */
};

struct lake_new_file {
    struct lake_file *file;
    size_t table;
    bool is_partial; /* of one partial poll alone */
    bool is_void;    /* that was replaced before it was committed */
};

struct lake {
    struct object_store *store;
    struct json *json;
    struct lake_table tables[LAKE_TABLES];
    struct delta_log logs[LAKE_TABLES];
    struct held held;

    struct lake_stream *streams;
    size_t n_streams;

    /* not committed: */
    struct lake_poll *polls;
    size_t n_polls, n_whole_polls, max_polls;
    struct lake_new_file *files;
    size_t n_files, n_whole_files;
    int64_t began_us; /* on the monotonic clock, when the oldest of it came; 0: there is none */
    bool is_broken;   /* a file could not be written: all of it is lost */

    int64_t every_us; /* a commit */
    size_t max_bytes;
    bool may_skip; /* rows that have not changed */
    struct poll_row poll_row;
    struct cell *row; /* of LAKE_MAX_COLUMNS */
    const struct sink *sink;
};

/* lake.c */
void lake_forget(struct lake *l); /* all that is not committed */
void lake_app(char ret_app[LAKE_APP_MAX], const char *of, const char *what);
void lake_read_place(const struct lake *l, const char *uuid, struct lake_place *ret);

/* commit.c */
bool lake_has_uncommitted(const struct lake *l);
size_t lake_uncommitted_bytes(const struct lake *l);

/* Make the table of polls, or check it. */
enum st lake_open_polls(struct lake *l, struct err *err) MUST_USE;

/* Raise the stream's epoch, and read where it is. */
enum st lake_take_over(struct lake *l, struct lake_stream *stream, struct err *err) MUST_USE;

/* Read what others have committed, before more is gathered: is the stream still ours (else
 * ST_FATAL), and where it was (ST_AGAIN)? */
enum st lake_look(struct lake *l, const struct lake_stream *stream, struct err *err) MUST_USE;

/* Commit what whole batches brought. */
enum st lake_commit(struct lake *l, struct err *err) MUST_USE;

/* rows.c: bring the other tables up to the last commit of polls. */
enum st lake_roll_forward(struct lake *l, struct err *err) MUST_USE;
/* Is the file in the table? Reads its whole log. */
enum st lake_has_file(struct lake *l, size_t table, const char *path, bool *ret_is_there,
                      struct err *err) MUST_USE;
/* Append `,"rows":[…]`: for each table the actions, a text each. */
void lake_add_rows_info(struct buf *info, const struct lake *l, int64_t now_us);
void lake_add_rows_txns(struct buf *lines, const struct lake *l, int64_t version, int64_t now_us);

#endif
