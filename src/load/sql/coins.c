/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sql/coins.h"

#include "base/clock.h"
#include "base/mem.h"

#include <xxhash.h>

#define FIRST_PLACES 1024
#define HOUR_US      (3600 * US_PER_S)
#define DAY_US       (24 * HOUR_US)
#define FEW          8                 /* coins are looked up one by one */
#define MAX_IDS      ((size_t)8 << 20) /* bytes of them that are asked for at once */

void coin_cache_init(struct coin_cache *cache)
{
    *cache = (struct coin_cache){0};
    arena_init(&cache->ids, COIN_CACHE_BYTES);
}

void coin_cache_release(struct coin_cache *cache)
{
    mem_free(cache->places);
    arena_release(&cache->ids);
    seen_release(&cache->seen);
    coin_cache_init(cache);
}

static void forget_coins(struct coin_cache *cache)
{
    if (cache->n > 0)
        memset(cache->places, 0, cache->n_places * sizeof(*cache->places));
    cache->n = 0;
    arena_reset(&cache->ids);
}

void coin_cache_clear(struct coin_cache *cache)
{
    forget_coins(cache);
    cache->seen.n = 0;
}

/* The place of an id: its own, or the free one where it belongs. */
static struct coin *find_place(struct coin *places, size_t n_places, uint64_t hash, struct str id)
{
    size_t at = (size_t)hash & (n_places - 1);

    while (places[at].id.p && (places[at].hash != hash || !str_eq(places[at].id, id)))
        at = (at + 1) & (n_places - 1);
    return &places[at];
}

static enum st make_room(struct coin_cache *cache, struct err *err)
{
    if (cache->n_places > 0 && cache->n < cache->n_places / 2)
        return ST_OK;
    if (cache->n >= COIN_CACHE_MAX) {
        forget_coins(cache);
        return ST_OK;
    }
    size_t n_places = cache->n_places > 0 ? cache->n_places * 2 : FIRST_PLACES;
    struct coin *places = mem_try(NULL, n_places * sizeof(*places));
    if (places == NULL)
        return err_set(err, ST_AGAIN, "no memory for %zu coins", cache->n);
    memset(places, 0, n_places * sizeof(*places));
    for (size_t i = 0; i < cache->n_places; i++) {
        const struct coin *c = &cache->places[i];
        if (c->id.p)
            *find_place(places, n_places, c->hash, c->id) = *c;
    }
    mem_free(cache->places);
    cache->places = places;
    cache->n_places = n_places;
    return ST_OK;
}

/* What a row tells of its coin. */
struct told {
    struct str id, symbol, name, image;
    bool has_image; /* its table has logos */
    bool is_from_market;
    bool is_past; /* as in coin_of_row() */
    int64_t seen;
    uint64_t name_hash, image_hash;
};

static uint64_t hash_name(struct str symbol, struct str name)
{
    return XXH3_64bits_withSeed(name.p, name.len, XXH3_64bits(symbol.p, symbol.len));
}

static uint64_t hash_image(struct str image)
{
    return XXH3_64bits(image.p, image.len);
}

static struct told read_row(const struct table *t, const struct cell *row, bool is_past)
{
    struct told told = {
        .id = cell_text(&row[ROW_ID]),
        .symbol = cell_text(&row[ROW_SYMBOL]),
        .name = cell_text(&row[ROW_NAME]),
        .has_image = table_has_image(t),
        .is_from_market = t == row_tables[TABLE_MARKET],
        .is_past = is_past,
        .seen = row[t->first_stored].number,
    };
    if (told.has_image)
        told.image = cell_text(&row[ROW_IMAGE]);
    told.name_hash = hash_name(told.symbol, told.name);
    told.image_hash = hash_image(told.image);
    return told;
}

static void bind_name(struct stmt *stmt, const struct told *told)
{
    db_bind_text(stmt, ":symbol", told->symbol);
    db_bind_text(stmt, ":name", told->name);
    db_bind_text_or_null(stmt, ":image", told->image);
}

/* which: one of the statements that say what a coin is called since then. */
static enum st set_name(struct db *db, enum db_statement which, const struct told *told,
                        struct coin *coin, struct err *err)
{
    struct stmt *stmt;

    enum st st = db_prepare(db, which, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":coin_id", coin->coin_id);
    db_bind_int(stmt, ":since", told->seen);
    db_bind_text(stmt, ":symbol", told->symbol);
    db_bind_text(stmt, ":name", told->name);
    return db_run_later(db, stmt, err);
}

static void bind_coin(struct stmt *stmt, const struct told *told)
{
    db_bind_text(stmt, ":id", told->id);
    bind_name(stmt, told);
    db_bind_int(stmt, ":seen", told->seen);
}

static enum st add_coin(struct db *db, const struct told *told, struct coin *coin, struct err *err)
{
    struct stmt *stmt;
    bool has_row = false;

    enum st st = db_prepare(db, DB_ADD_COIN, &stmt, err);
    if (st != ST_OK)
        return st;
    bind_coin(stmt, told);
    st = db_step(db, stmt, &has_row, err);
    if (st != ST_OK)
        return st;
    coin->coin_id = db_int(stmt, 0);
    db_reset(stmt);
    coin->first_seen = coin->last_seen = coin->named_at = told->seen;
    coin->name_hash = told->name_hash;
    coin->image_hash = told->image_hash;
    return set_name(db, DB_SET_NAME, told, coin, err);
}

/* As find_coin.sql, find_coins.sql and list_coins.sql answer. */
static void read_coin(struct stmt *stmt, struct coin *coin)
{
    coin->coin_id = db_int(stmt, 0);
    coin->name_hash = hash_name(db_text(stmt, 1), db_text(stmt, 2));
    coin->image_hash = hash_image(db_text(stmt, 3));
    coin->first_seen = db_int(stmt, 4);
    coin->last_seen = db_int(stmt, 5);
    coin->named_at = db_int(stmt, 6);
}

/* A coin that was added among others has no name so far. */
static enum st name_added(struct db *db, const struct told *told, struct coin *coin,
                          struct err *err)
{
    coin->named_at = told->seen;
    return set_name(db, DB_ADD_NAMES, told, coin, err);
}

static enum st find_or_add(struct db *db, const struct told *told, struct coin *coin,
                           struct err *err)
{
    struct stmt *stmt;
    bool has_row;

    enum st st = db_prepare(db, DB_FIND_COIN, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_text(stmt, ":id", told->id);
    st = db_step(db, stmt, &has_row, err);
    if (st != ST_OK || !has_row)
        return st == ST_OK ? add_coin(db, told, coin, err) : st;
    read_coin(stmt, coin);
    db_reset(stmt);
    return coin->named_at != 0 ? ST_OK : name_added(db, told, coin, err);
}

/* coin shows what the row tells. */
static enum st show_name(struct db *db, const struct told *told, struct coin *coin, struct err *err)
{
    struct stmt *stmt;

    enum st st = db_prepare(db, DB_NAME_COIN, &stmt, err);
    if (st != ST_OK)
        return st;
    bind_name(stmt, told);
    db_bind_int(stmt, ":has_image", told->has_image);
    db_bind_int(stmt, ":coin_id", coin->coin_id);
    coin->name_hash = told->name_hash;
    if (told->has_image)
        coin->image_hash = told->image_hash;
    return db_run_later(db, stmt, err);
}

static bool is_shown(const struct told *told, const struct coin *coin)
{
    return told->name_hash == coin->name_hash &&
           (!told->has_image || told->image_hash == coin->image_hash);
}

/* Does the row know the coin's name? Other answers than coins/markets come from caches of minutes,
 * and would bring back a name that a coin in a market has no more. Of the past nobody can tell how
 * old they were: there they name only coins that were never in a market. */
static enum st knows_name(struct db *db, const struct told *told, const struct coin *coin,
                          bool *ret_knows, struct err *err)
{
    struct stmt *stmt;
    bool has_row = false;

    *ret_knows = true;
    if (told->is_from_market)
        return ST_OK;
    enum st st = db_prepare(db, DB_MARKET_HAS_COIN, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":coin_id", coin->coin_id);
    db_bind_int(stmt, ":since", told->is_past ? INT64_MIN : told->seen - DAY_US);
    st = db_step(db, stmt, &has_row, err);
    if (st == ST_OK && has_row)
        db_reset(stmt);
    *ret_knows = !has_row;
    return st;
}

/* The logo's URL changes without being news: coin_name is for symbol and name. */
static enum st rename_coin(struct db *db, const struct told *told, struct coin *coin,
                           struct err *err)
{
    bool is_news = told->name_hash != coin->name_hash, knows;

    enum st st = knows_name(db, told, coin, &knows, err);
    if (st != ST_OK || !knows)
        return st;
    st = show_name(db, told, coin, err);
    if (st == ST_OK && is_news)
        st = set_name(db, DB_SET_NAME, told, coin, err);
    coin->named_at = told->seen;
    return st;
}

static enum st note_seen(struct coin_cache *cache, int64_t seen, struct coin *coin, struct err *err)
{
    if (seen >= coin->first_seen &&
        time_floor(seen, HOUR_US) <= time_floor(coin->last_seen, HOUR_US))
        return ST_OK;
    coin->first_seen = seen < coin->first_seen ? seen : coin->first_seen;
    coin->last_seen = seen > coin->last_seen ? seen : coin->last_seen;
    return seen_add(&cache->seen, coin->coin_id, seen, err);
}

static enum st join_name(struct db *db, const struct coin *coin, int64_t since, struct err *err)
{
    struct stmt *stmt;

    enum st st = db_prepare(db, DB_JOIN_NAME, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":coin_id", coin->coin_id);
    db_bind_int(stmt, ":since", since);
    return db_run_later(db, stmt, err);
}

/* Bring the name that the coin has in the row into what is remembered of that time. */
static enum st rename_past(struct db *db, const struct told *told, struct coin *coin,
                           struct err *err)
{
    struct stmt *find;
    bool has_row, knows = true;

    if (told->seen > coin->past_from && told->seen < coin->past_until &&
        told->name_hash == coin->past_hash)
        return ST_OK;
    enum st st = db_prepare(db, DB_FIND_NAME, &find, err);
    if (st != ST_OK)
        return st;
    db_bind_int(find, ":coin_id", coin->coin_id);
    db_bind_int(find, ":at", told->seen);
    st = db_step(db, find, &has_row, err);
    if (st != ST_OK || !has_row) /* older than any name: what came late told no names */
        return st;
    int64_t since = db_int(find, 0);
    bool is_last = db_is_null(find, 3);
    bool is_other = told->name_hash != hash_name(db_text(find, 1), db_text(find, 2));
    int64_t until = is_last ? INT64_MAX : db_int(find, 3);
    db_reset(find);
    if (is_other)
        st = knows_name(db, told, coin, &knows, err);
    if (st != ST_OK || !knows)
        return st;
    coin->past_from = is_other ? told->seen : since;
    coin->past_until = until;
    coin->past_hash = told->name_hash;
    if (is_other)
        st = set_name(db, DB_SET_NAME, told, coin, err);
    if (st == ST_OK && is_other && is_last)
        st = show_name(db, told, coin, err);
    return st == ST_OK && since == told->seen ? join_name(db, coin, told->seen, err) : st;
}

/* The same, and where the row is among the coin's newest, its logo. */
static enum st rename_remade(struct db *db, const struct told *told, struct coin *coin,
                             struct err *err)
{
    enum st st = rename_past(db, told, coin, err);

    if (st == ST_OK && told->seen >= coin->last_seen && coin->past_until == INT64_MAX &&
        told->name_hash == coin->past_hash && !is_shown(told, coin))
        st = show_name(db, told, coin, err);
    return st;
}

static struct coin *find_id(const struct coin_cache *cache, struct str id, uint64_t *ret_hash)
{
    *ret_hash = XXH3_64bits(id.p, id.len);
    return find_place(cache->places, cache->n_places, *ret_hash, id);
}

const struct coin *coin_cache_find(const struct coin_cache *cache, struct str id)
{
    uint64_t hash;
    const struct coin *coin = cache->n_places > 0 ? find_id(cache, id, &hash) : NULL;

    return coin && coin->id.p ? coin : NULL;
}

int64_t coin_cache_number(const struct coin_cache *cache, struct str id)
{
    const struct coin *coin = coin_cache_find(cache, id);

    return coin ? coin->coin_id : 0;
}

/* Add the coin that a list of them stands at, as far as there is room. */
static enum st add_listed(struct coin_cache *cache, struct stmt *stmt, struct err *err)
{
    struct coin found = {.id = db_text(stmt, 7)};

    if (cache->n + 1 >= COIN_CACHE_MAX)
        return ST_OK;
    enum st st = make_room(cache, err);
    if (st != ST_OK)
        return st;
    struct coin *place = find_id(cache, found.id, &found.hash);
    found.id = place->id.p ? STR_NONE : arena_str(&cache->ids, found.id);
    if (found.id.p == NULL)
        return ST_OK;
    read_coin(stmt, &found);
    *place = found;
    cache->n++;
    return ST_OK;
}

static enum st add_all_listed(struct coin_cache *cache, struct db *db, struct stmt *stmt,
                              struct err *err)
{
    bool has_row;
    enum st st;

    while ((st = db_step(db, stmt, &has_row, err)) == ST_OK && has_row) {
        st = add_listed(cache, stmt, err);
        if (st != ST_OK) {
            db_reset(stmt);
            break;
        }
    }
    return st;
}

static enum st list_coins(struct coin_cache *cache, struct db *db, int64_t job_id, struct err *err)
{
    struct stmt *stmt;

    enum st st = db_prepare(db, DB_LIST_COINS, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", job_id);
    return add_all_listed(cache, db, stmt, err);
}

/* ---- many at once ---- */

/* The row's coin is not remembered, and its id is a text for every engine. */
static bool is_missing(const struct coin_cache *cache, const struct cell *row)
{
    struct str id = cell_text(&row[ROW_ID]);
    uint64_t hash;

    return find_id(cache, id, &hash)->id.p == NULL && str_is_utf8(id) &&
           memchr(id.p, '\0', id.len) == NULL;
}

static size_t count_missing(const struct coin_cache *cache, const struct rows *rows)
{
    size_t n = 0;

    for (size_t i = 0; i < rows->n && n <= FEW; i++)
        n += is_missing(cache, rows_at(rows, i));
    return n;
}

static enum st find_missing(struct coin_cache *cache, struct db *db, const struct rows *rows,
                            struct err *err)
{
    struct buf ids = BUF_INIT(MAX_IDS);
    struct stmt *stmt;

    enum st st = db_prepare(db, DB_FIND_COINS, &stmt, err);
    for (size_t i = 0; st == ST_OK && i < rows->n; i++) {
        if (!is_missing(cache, rows_at(rows, i)))
            continue;
        buf_add_char(&ids, ids.len > 0 ? ',' : '[');
        buf_add_json_str(&ids, cell_text(&rows_at(rows, i)[ROW_ID]));
    }
    buf_add_char(&ids, ']');
    if (st == ST_OK && !ids.is_overflow) { /* or else one by one */
        db_bind_text(stmt, ":ids", buf_str(&ids));
        st = add_all_listed(cache, db, stmt, err);
    }
    buf_release(&ids);
    return st;
}

static enum st add_missing(struct coin_cache *cache, struct db *db, const struct rows *rows,
                           struct err *err)
{
    enum st st = ST_OK;
    struct stmt *stmt;

    for (size_t i = 0; st == ST_OK && i < rows->n; i++) {
        const struct told told = read_row(db_table(db), rows_at(rows, i), false);
        if (!is_missing(cache, rows_at(rows, i)))
            continue;
        st = db_prepare(db, DB_ADD_COINS, &stmt, err);
        if (st != ST_OK)
            break;
        bind_coin(stmt, &told);
        st = db_run_later(db, stmt, err);
    }
    return st;
}

static enum st name_missing(struct coin_cache *cache, struct db *db, const struct rows *rows,
                            struct err *err)
{
    enum st st = ST_OK;
    uint64_t hash;

    for (size_t i = 0; st == ST_OK && i < rows->n; i++) {
        const struct told told = read_row(db_table(db), rows_at(rows, i), false);
        struct coin *coin = find_id(cache, told.id, &hash);
        if (coin->id.p && coin->named_at == 0)
            st = name_added(db, &told, coin, err);
    }
    return st;
}

enum st coin_cache_fill(struct coin_cache *cache, struct db *db, int64_t job_id,
                        const struct rows *rows, struct err *err)
{
    enum st st = make_room(cache, err);

    if (st == ST_OK && count_missing(cache, rows) > FEW)
        st = list_coins(cache, db, job_id, err);
    if (st == ST_OK && count_missing(cache, rows) > FEW)
        st = find_missing(cache, db, rows, err);
    if (st != ST_OK || count_missing(cache, rows) <= FEW)
        return st;
    st = add_missing(cache, db, rows, err);
    if (st == ST_OK)
        st = find_missing(cache, db, rows, err);
    return st == ST_OK ? name_missing(cache, db, rows, err) : st;
}

/* ---- one by one ---- */

/* The place of the coin in the cache, to which it is added. */
static enum st find_coin(struct coin_cache *cache, struct db *db, const struct told *told,
                         struct coin **ret_coin, struct err *err)
{
    uint64_t hash;

    enum st st = make_room(cache, err);
    if (st != ST_OK)
        return st;
    struct coin *place = find_id(cache, told->id, &hash);
    *ret_coin = place;
    if (place->id.p)
        return ST_OK;
    struct coin found = {.hash = hash, .id = arena_str(&cache->ids, told->id)};
    if (found.id.p == NULL) { /* full of long ids: start again */
        forget_coins(cache);
        found.id = arena_str(&cache->ids, told->id);
        *ret_coin = place = find_place(cache->places, cache->n_places, hash, told->id);
    }
    if (found.id.p == NULL)
        return err_set(err, cache->ids.is_full ? ST_REJECT : ST_AGAIN,
                       "no memory for a coin's id of %zu bytes", told->id.len);
    st = find_or_add(db, told, &found, err);
    if (st != ST_OK)
        return st;
    *place = found;
    cache->n++;
    return ST_OK;
}

enum st coin_of_row(struct coin_cache *cache, struct db *db, const struct cell *row, bool is_past,
                    struct coin **ret_coin, struct err *err)
{
    const struct told told = read_row(db_table(db), row, is_past);
    struct coin *coin;

    enum st st = find_coin(cache, db, &told, &coin, err);
    if (st != ST_OK)
        return st;
    *ret_coin = coin;
    st = note_seen(cache, told.seen, coin, err);
    if (is_past)
        return st == ST_OK ? rename_remade(db, &told, coin, err) : st;
    /* a row that comes late has an old name, not a new one */
    if (st == ST_OK && told.seen > coin->named_at && !is_shown(&told, coin))
        st = rename_coin(db, &told, coin, err);
    return st;
}
