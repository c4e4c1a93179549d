/* What the kinds of sources share: an index of snapshots first, then one after the other read, in
 * the order of time. Private to import/.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMPORT_SOURCE_H
#define IMPORT_SOURCE_H

#include "base/arena.h"
#include "base/file.h"
#include "base/json.h"
#include "import/import.h"
#include "import/when.h"

#define SOURCE_MAX_ITEMS (1024 * 4096) /* snapshots, or runs of lines of one time */
#define SOURCE_MAX_NAMES ((size_t)1024 * 1024 * 1024)
#define SOURCE_PAGE_ROWS 5000  /* coins a page that is made here holds */
#define SOURCE_MAX_ROWS  10000 /* coins an answer may hold to stay one page */

/* A snapshot or a part of one; parts of one time follow each other after sorting. */
struct item {
    int64_t time_us;
    const char *name; /* file or commit; NULL: a run of lines */
    uint64_t at, len; /* a run's bytes in the file */
    uint64_t order;   /* of the find: the number of a run's first line */
    uint32_t page;    /* from 1 */
    uint32_t stem;    /* bytes of name that the pages of one poll share */
    bool is_coin;     /* a run of single coins, not a whole answer */
};

struct source;

/* A kind: how its snapshots are found and read. */
struct source_kind {
    const char *name;
    /* Find all snapshots: source_add() for each. */
    enum st (*list)(struct source *s, struct err *err) MUST_USE;
    /* Read the n items of one time: source_page() for each page that is there, source_skip() for
     * what is not. Only what stops the import is an error. */
    enum st (*read)(struct source *s, const struct item *items, size_t n, struct err *err) MUST_USE;
    void (*close)(struct source *s); /* also after a failed list; may be NULL */
};

extern const struct source_kind source_folder, source_git, source_jsonl, source_csv;

struct source {
    const struct import_setup *setup;
    struct import_result *result;
    const struct source_kind *kind;
    void *state; /* the kind's */
    struct zone zone;
    struct when when;
    int64_t now_us;
    struct item *items;
    size_t n_items, max_items;
    struct arena names; /* of items */
    struct json *json;
    struct arena arena;             /* of the text at hand */
    struct buf raw, unpacked, made; /* bodies: as read, without compression, put together */
    size_t n_made;                  /* rows in `made` */
    bool is_quiet;                  /* skips are not reported: they will be read again */

    /* What becomes of pages; set by import_run(). */
    enum st (*take)(struct source *s, uint32_t page, struct str target, struct str body,
                    struct err *err);
    void *take_ctx;
    size_t n_taken, n_coins; /* pages and coins of the poll at hand */
};

/* Add a found snapshot unless its time is out of the question; name is copied. shown: for people.
 * A run of lines that goes on where the last item ended, with the same time, becomes part of it.
 * ST_REJECT when there are too many. */
enum st source_add(struct source *s, const struct item *item, struct str shown,
                   struct err *err) MUST_USE;

/* Report that something is left out. shown may hold any bytes. */
void source_skip(struct source *s, enum import_skip why, struct str shown, const char *fmt, ...)
    PRINTF(4, 5);
void source_note(const struct source *s, const char *fmt, ...) PRINTF(2, 3);

/* Tell how far the work is; false: stop it. */
bool source_go_on(const struct source *s, size_t n_done, size_t n_total, const char *name);
enum st source_stopped(struct source *s, struct err *err) MUST_USE; /* ST_AGAIN */

/* Put a body onto the tape as page `page` of the poll at hand, if it is an array of coins, else
 * report it. body must lie in a buffer with room for JSON_PADDING behind it. can_split: one with
 * more coins than a page holds may become several pages. */
enum st source_page(struct source *s, uint32_t page, bool can_split, struct str shown,
                    struct str body, struct err *err) MUST_USE;

/* The same for bodies put together row by row, as many pages as they need: begin; before each row
 * room; then the row's JSON into s->made, and added; end. room and end use s->json and s->arena. */
void source_made_begin(struct source *s);
enum st source_made_room(struct source *s, struct str shown, struct err *err) MUST_USE;
void source_made_added(struct source *s);
enum st source_made_end(struct source *s, struct str shown, struct err *err) MUST_USE;

/* Unpack s->raw (gzip, zstd or neither, by its first bytes). ST_REJECT when it cannot be unpacked
 * or is too large (err->sys EFBIG). *ret_body has room for padding behind it. */
enum st source_unpack(struct source *s, struct str *ret_body, struct err *err) MUST_USE;

/* The name that a column or key is mapped to by setup->map; empty: none. */
struct str source_mapped(const struct source *s, struct str name);

#endif
