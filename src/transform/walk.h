/* What the transforms of all endpoints share: the walk over the pages of one poll.
 *
 * A page is an array with one element per row. The endpoint reads an element into a row's cells;
 * what it finds wrong it reports with walk_refuse(), reads on to the element's end, and the row is
 * left out. Only the first cause of a row is kept.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSFORM_WALK_H
#define TRANSFORM_WALK_H

#include "transform/coins.h"
#include "transform/transform.h"

/* Ceilings against hostile pages; CoinGecko sends 250 rows a page and 40 fields a row. */
#define WALK_MAX_PAGE_ROWS 10000 /* a longer page is refused */
#define WALK_MAX_UNKNOWN   64    /* unknown fields beyond are passed over unnamed */
#define WALK_MAX_VALUE     200   /* bytes of a refused value or of a field's name that are kept */

struct walk;

struct walk_endpoint {
    const char *name;
    const struct table *table;
    size_t id_column;
    /* Name the JSON key of each column; empty where it has none. */
    void (*name_keys)(struct str *ret_keys);
    /* Read the element that `first` began into zeroed cells, to its end. */
    enum st (*read_row)(struct walk *w, const struct json_token *first, struct cell *cells,
                        struct err *err) MUST_USE;
};

extern const struct walk_endpoint walk_markets;

struct walk_field {
    struct str parent; /* empty: a field of the row itself */
    struct str key;
};

struct walk {
    const struct walk_endpoint *endpoint;
    struct json *json;
    struct arena *arena;
    struct poll_rows *rows; /* what is being made */
    const struct str *keys; /* of the table's columns */
    size_t max_rows;
    struct refusal *refusals;
    size_t max_refusals;
    struct walk_field unknown[WALK_MAX_UNKNOWN];
    size_t n_unknown;

    const struct poll_page *page; /* at hand */
    uint32_t index;               /* of the row at hand in it */
    struct refusal cause;         /* why that row is refused; its reason is NULL: it is not */
    uint64_t unknown_seen;        /* which of `unknown` the row at hand had */
};

/* Walk all pages into ret_rows: rows, refusals, unknown fields and the index of coins. Returns as
 * transform_poll(). */
enum st walk_pages(const struct walk_endpoint *endpoint, const struct transform_input *in,
                   struct json *json, struct arena *arena, struct poll_rows *ret_rows,
                   struct err *err) MUST_USE;

/* Refuse the row at hand for the value that `value` began (NULL: for something that is not there),
 * and step over that value. reason: one of struct refusal's. */
enum st walk_refuse(struct walk *w, struct walk_field field, const char *reason,
                    const struct json_token *value, struct err *err) MUST_USE;

/* An object whose keys are read one by one with walk_key(). */
struct walk_object {
    struct str parent;      /* as in struct walk_field */
    const struct str *keys; /* the known ones, at most 64; empty where an index has no key */
    size_t n_keys;
    size_t next;   /* keys mostly come in our order: the one expected now */
    uint64_t seen; /* bit i: keys[i] was there */
};

/* The object's next known key, whose value comes next from the cursor; n_keys at its end. Keys that
 * are unknown, no text, or there for the second time are dealt with here. */
enum st walk_key(struct walk *w, struct walk_object *object, size_t *ret_key,
                 struct err *err) MUST_USE;

/* Read the next value into a cell of `kind`, or refuse the row for it. null leaves the cell NULL.
 */
enum st walk_cell(struct walk *w, struct walk_field field, enum cell_kind kind,
                  struct cell *ret_cell, struct err *err) MUST_USE;

#endif
