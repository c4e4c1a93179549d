/* What the transforms of all endpoints share: the walk over the pages of one poll.
 *
 * A page is an array with one element per row, or an object that the endpoint makes rows of. The
 * endpoint reads an element into a row's cells.
 * What is wrong about a value that may be null costs that value (walk_drop()); what makes the row
 * unusable costs the row (walk_refuse()): the endpoint reads on to the element's end, and of such a
 * row only its first cause is kept.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSFORM_WALK_H
#define TRANSFORM_WALK_H

#include "transform/coins.h"
#include "transform/transform.h"

/* Ceilings against hostile pages; CoinGecko sends 40 fields a row at most. */
#define WALK_MAX_UNKNOWN 64  /* unknown fields beyond are passed over unnamed */
#define WALK_MAX_COLUMNS 64  /* of a table */
#define WALK_MAX_SAMPLES 8   /* values of an unknown field that are kept */
#define WALK_MAX_ID      256 /* bytes of a key; the longest real one has 70 */
#define WALK_MAX_VALUE   200 /* bytes of a refused value or of a field's name that are kept */

struct walk;

struct walk_endpoint {
    const struct table *table;
    uint32_t max_page_rows; /* a longer page is refused */
    uint32_t row_bytes;     /* of JSON, a little less than a row's: so much room is made at first */
    size_t clock_column;    /* when the API says a row is of: moves with every poll; 0: none */
    size_t first_optional;  /* the columns before it that have a key are in every row */
    enum json_event top;    /* what a page is: JSON_ARRAY_BEGIN or JSON_OBJECT_BEGIN */
    /* Name the JSON key of each column, in zeroed strings; NULL: read_row needs no w->keys. */
    void (*name_keys)(struct str *ret_keys);
    /* Read the element of an array that `first` began into a begun row, to its end. */
    enum st (*read_row)(struct walk *w, const struct json_token *first, struct cell *cells,
                        struct err *err) MUST_USE;
    /* Read an object to its end, with walk_begin_row() and walk_end_row() around each row. */
    enum st (*read_object)(struct walk *w, struct err *err) MUST_USE;
};

extern const struct walk_endpoint walk_markets, walk_listing, walk_global, walk_vs_currencies,
    walk_chart_points, walk_chart_candles;

struct walk_field {
    struct str parent; /* empty: a field of the row itself */
    struct str key;
};

/* A field that no column has. */
struct walk_extra {
    struct walk_field field;
    struct str name;       /* "key" or "parent.key"; when all pages are walked */
    enum json_event event; /* of its first value that is not null */
    size_t n_samples;
    struct {
        uint32_t row; /* of rows; of the one that comes there, if that is refused */
        struct json_token value;
    } samples[WALK_MAX_SAMPLES];
};

/* How the poll's answers were: what drift_find() looks at. */
struct walk_shape {
    uint64_t seen;                         /* columns whose key was in any row */
    uint32_t n_rows;                       /* whose keys were read */
    uint32_t n_lacking[WALK_MAX_COLUMNS];  /* rows that had no such key, of those always sent */
    uint32_t n_wrong[WALK_MAX_COLUMNS];    /* values of a wrong type, */
    uint8_t wrong_event[WALK_MAX_COLUMNS]; /* which the last one was */
    uint32_t n_quoted[WALK_MAX_COLUMNS];   /* numbers that came as strings */
    bool has_bom;
    struct walk_extra unknown[WALK_MAX_UNKNOWN];
    size_t n_unknown;
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
    size_t n_refused_rows;
    uint64_t always; /* columns whose key every row has */
    struct walk_shape shape;

    const struct poll_page *page; /* at hand */
    uint32_t index;               /* of the row at hand in it */
    struct refusal cause;         /* why that row is refused; its reason is NULL: it is not */
    size_t first_refusal;         /* of its values */
    uint64_t unknown_seen;        /* which of the unknown fields the row at hand had */
};

/* Walk all pages into w->rows: rows, refusals and the index of coins; and into w->shape. The caller
 * has set endpoint, json, arena and rows, the rest is zero. Returns as transform_poll(). */
enum st walk_pages(struct walk *w, const struct transform_input *in, struct err *err) MUST_USE;

/* What the walk found to be other than it is known: p->drifts. After the coins that are absent. */
enum st drift_find(const struct walk *w, const struct transform_input *in, struct poll_rows *p,
                   struct err *err) MUST_USE;

/* The arena is full: ST_AGAIN, and why. */
enum st walk_no_room(const struct arena *arena, struct err *err) MUST_USE;

/* Begin a row; its cells are NULL but for fetched_at. */
enum st walk_begin_row(struct walk *w, struct cell **ret_cells, struct err *err) MUST_USE;

/* Take the row, or keep why not. */
enum st walk_end_row(struct walk *w, struct err *err) MUST_USE;

/* A row's id is its identity in every store: short, and not empty. Refuse the row for another. */
enum st walk_check_id(struct walk *w, struct walk_field field, struct cell *id,
                      struct err *err) MUST_USE;

/* The reason "wrong type"; values that are refused for it count for their columns in the shape. */
extern const char walk_wrong_type[];

/* Refuse the row at hand for the value that `value` began (NULL: for something that is not there),
 * and step over that value. reason: one of struct refusal's. */
enum st walk_refuse(struct walk *w, struct walk_field field, const char *reason,
                    const struct json_token *value, struct err *err) MUST_USE;

/* The same, but the row stays: its cell is to be NULL. */
enum st walk_drop(struct walk *w, struct walk_field field, const char *reason,
                  const struct json_token *value, struct err *err) MUST_USE;

/* "parent.key" made in the arena; p is NULL when there is no room. */
struct str walk_join(struct walk *w, struct str parent, struct str key);

/* An object whose keys are read one by one with walk_key(). */
struct walk_object {
    struct str parent;      /* as in struct walk_field */
    const struct str *keys; /* the known ones, at most 64; empty where an index has no key */
    size_t n_keys;
    size_t next;   /* keys mostly come in our order: the one expected now */
    uint64_t seen; /* bit i: keys[i] was there */
};

/* Begin the object that is the next value. *ret_has: there is one; else it was null, or dropped. */
enum st walk_object_begin(struct walk *w, struct walk_field field, bool *ret_has,
                          struct err *err) MUST_USE;

/* Note a key that is not known, once per poll, and step over its value, which `value` began. A row
 * that has it twice is refused. */
enum st walk_unknown(struct walk *w, struct walk_field field, const struct json_token *value,
                     struct err *err) MUST_USE;

/* The object's next known key, whose value comes next from the cursor; n_keys at its end. Keys that
 * are unknown, no text, or there for the second time are dealt with here. */
enum st walk_key(struct walk *w, struct walk_object *object, size_t *ret_key,
                 struct err *err) MUST_USE;

/* A value as a cell of `kind`, which null leaves as it is. NULL, or why it is refused. */
const char *walk_read(const struct json_token *value, enum cell_kind kind,
                      struct cell *ret_cell) MUST_USE;

/* Read a value, or the next one, into a column's cell. null leaves the cell NULL; so does what is
 * wrong, which is dropped or, where the column is NOT NULL, costs the row. */
enum st walk_value(struct walk *w, struct walk_field field, const struct json_token *value,
                   const struct column *column, struct cell *ret_cell, struct err *err) MUST_USE;
enum st walk_cell(struct walk *w, struct walk_field field, const struct column *column,
                  struct cell *ret_cell, struct err *err) MUST_USE;

#endif
