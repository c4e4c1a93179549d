/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sqlite/coins.h"

#include "base/mem.h"
#include "row/market.h"

#include <xxhash.h>

#define FIRST_PLACES 1024
#define HOUR_US      (3600 * US_PER_S)

void coin_cache_init(struct coin_cache *cache)
{
    *cache = (struct coin_cache){0};
    arena_init(&cache->ids, COIN_CACHE_BYTES);
}

void coin_cache_release(struct coin_cache *cache)
{
    mem_free(cache->places);
    arena_release(&cache->ids);
    coin_cache_init(cache);
}

void coin_cache_clear(struct coin_cache *cache)
{
    if (cache->n > 0)
        memset(cache->places, 0, cache->n_places * sizeof(*cache->places));
    cache->n = 0;
    arena_reset(&cache->ids);
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
        coin_cache_clear(cache);
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

static uint64_t hash_name(struct str symbol, struct str name, struct str image)
{
    uint64_t hash = XXH3_64bits(symbol.p, symbol.len);
    hash = XXH3_64bits_withSeed(name.p, name.len, hash);
    return XXH3_64bits_withSeed(image.p, image.len, hash);
}

static uint64_t hash_row_name(const struct cell *row)
{
    return hash_name(cell_text(&row[MARKET_SYMBOL]), cell_text(&row[MARKET_NAME]),
                     cell_text(&row[MARKET_IMAGE]));
}

static void bind_name(sqlite3_stmt *stmt, const struct cell *row)
{
    db_bind_text(stmt, ":symbol", cell_text(&row[MARKET_SYMBOL]));
    db_bind_text(stmt, ":name", cell_text(&row[MARKET_NAME]));
    db_bind_text_or_null(stmt, ":image", cell_text(&row[MARKET_IMAGE]));
}

static enum st set_name(struct db *db, int64_t coin_id, const struct cell *row, struct err *err)
{
    sqlite3_stmt *stmt;

    enum st st = db_prepare(db, DB_SET_NAME, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":coin_id", coin_id);
    db_bind_int(stmt, ":since", row[MARKET_FETCHED_AT].number);
    db_bind_text(stmt, ":symbol", cell_text(&row[MARKET_SYMBOL]));
    db_bind_text(stmt, ":name", cell_text(&row[MARKET_NAME]));
    return db_run(db, stmt, err);
}

static enum st add_coin(struct db *db, const struct cell *row, struct coin *coin, struct err *err)
{
    sqlite3_stmt *stmt;
    bool has_row = false;

    enum st st = db_prepare(db, DB_ADD_COIN, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_text(stmt, ":id", cell_text(&row[MARKET_ID]));
    bind_name(stmt, row);
    db_bind_int(stmt, ":seen", row[MARKET_FETCHED_AT].number);
    st = db_step(db, stmt, &has_row, err);
    if (st != ST_OK)
        return st;
    coin->coin_id = sqlite3_column_int64(stmt, 0);
    sqlite3_reset(stmt);
    coin->first_seen = coin->last_seen = coin->named_at = row[MARKET_FETCHED_AT].number;
    coin->name_hash = hash_row_name(row);
    return set_name(db, coin->coin_id, row, err);
}

static enum st find_or_add(struct db *db, const struct cell *row, struct coin *coin,
                           struct err *err)
{
    sqlite3_stmt *stmt;
    bool has_row;

    enum st st = db_prepare(db, DB_FIND_COIN, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_text(stmt, ":id", cell_text(&row[MARKET_ID]));
    st = db_step(db, stmt, &has_row, err);
    if (st != ST_OK || !has_row)
        return st == ST_OK ? add_coin(db, row, coin, err) : st;
    coin->coin_id = sqlite3_column_int64(stmt, 0);
    coin->name_hash = hash_name(db_text(stmt, 1), db_text(stmt, 2), db_text(stmt, 3));
    coin->first_seen = sqlite3_column_int64(stmt, 4);
    coin->last_seen = sqlite3_column_int64(stmt, 5);
    coin->named_at = sqlite3_column_int64(stmt, 6);
    sqlite3_reset(stmt);
    return ST_OK;
}

/* coin shows what the row tells. */
static enum st show_name(struct db *db, const struct cell *row, struct coin *coin, struct err *err)
{
    sqlite3_stmt *stmt;

    enum st st = db_prepare(db, DB_NAME_COIN, &stmt, err);
    if (st != ST_OK)
        return st;
    bind_name(stmt, row);
    db_bind_int(stmt, ":coin_id", coin->coin_id);
    coin->name_hash = hash_row_name(row);
    return db_run(db, stmt, err);
}

/* The logo's URL changes without being news: coin_name is for symbol and name. */
static enum st rename_coin(struct db *db, const struct cell *row, struct coin *coin,
                           struct err *err)
{
    sqlite3_stmt *find;
    bool has_row, is_news = false;

    enum st st = db_prepare(db, DB_FIND_COIN, &find, err);
    if (st != ST_OK)
        return st;
    db_bind_text(find, ":id", coin->id);
    st = db_step(db, find, &has_row, err);
    if (st == ST_OK && has_row) {
        is_news = !str_eq(db_text(find, 1), cell_text(&row[MARKET_SYMBOL])) ||
                  !str_eq(db_text(find, 2), cell_text(&row[MARKET_NAME]));
        sqlite3_reset(find);
    }
    if (st == ST_OK)
        st = show_name(db, row, coin, err);
    if (st == ST_OK && is_news)
        st = set_name(db, coin->coin_id, row, err);
    coin->named_at = row[MARKET_FETCHED_AT].number;
    return st;
}

static enum st note_seen(struct db *db, int64_t seen, struct coin *coin, struct err *err)
{
    sqlite3_stmt *stmt;

    if (seen >= coin->first_seen &&
        time_floor(seen, HOUR_US) <= time_floor(coin->last_seen, HOUR_US))
        return ST_OK;
    enum st st = db_prepare(db, DB_SEEN_COIN, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":seen", seen);
    db_bind_int(stmt, ":coin_id", coin->coin_id);
    coin->first_seen = seen < coin->first_seen ? seen : coin->first_seen;
    coin->last_seen = seen > coin->last_seen ? seen : coin->last_seen;
    return db_run(db, stmt, err);
}

static enum st join_name(struct db *db, const struct coin *coin, int64_t since, struct err *err)
{
    sqlite3_stmt *stmt;

    enum st st = db_prepare(db, DB_JOIN_NAME, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":coin_id", coin->coin_id);
    db_bind_int(stmt, ":since", since);
    return db_run(db, stmt, err);
}

/* Bring the name that the coin has in `row` into what is remembered of that time. */
static enum st rename_past(struct db *db, const struct cell *row, struct coin *coin,
                           struct err *err)
{
    const int64_t seen = row[MARKET_FETCHED_AT].number;
    const uint64_t hash =
        hash_name(cell_text(&row[MARKET_SYMBOL]), cell_text(&row[MARKET_NAME]), STR_NONE);
    sqlite3_stmt *find;
    bool has_row;

    if (seen > coin->past_from && seen < coin->past_until && hash == coin->past_hash)
        return ST_OK;
    enum st st = db_prepare(db, DB_FIND_NAME, &find, err);
    if (st != ST_OK)
        return st;
    db_bind_int(find, ":coin_id", coin->coin_id);
    db_bind_int(find, ":at", seen);
    st = db_step(db, find, &has_row, err);
    if (st != ST_OK || !has_row) /* older than any name: what came late told no names */
        return st;
    int64_t since = sqlite3_column_int64(find, 0);
    bool is_last = sqlite3_column_type(find, 3) == SQLITE_NULL;
    bool is_other = hash != hash_name(db_text(find, 1), db_text(find, 2), STR_NONE);
    coin->past_from = is_other ? seen : since;
    coin->past_until = is_last ? INT64_MAX : sqlite3_column_int64(find, 3);
    coin->past_hash = hash;
    sqlite3_reset(find);
    if (is_other)
        st = set_name(db, coin->coin_id, row, err);
    if (st == ST_OK && is_other && is_last)
        st = show_name(db, row, coin, err);
    return st == ST_OK && since == seen ? join_name(db, coin, seen, err) : st;
}

/* The same, and where the row is among the coin's newest, its logo. */
static enum st rename_remade(struct db *db, const struct cell *row, struct coin *coin,
                             struct err *err)
{
    enum st st = rename_past(db, row, coin, err);

    if (st == ST_OK && row[MARKET_FETCHED_AT].number >= coin->last_seen &&
        coin->past_until == INT64_MAX && hash_row_name(row) != coin->name_hash)
        st = show_name(db, row, coin, err);
    return st;
}

enum st coin_of_row(struct coin_cache *cache, struct db *db, const struct cell *row, bool is_past,
                    struct coin **ret_coin, struct err *err)
{
    const struct str id = cell_text(&row[MARKET_ID]);
    const int64_t seen = row[MARKET_FETCHED_AT].number;
    const uint64_t hash = XXH3_64bits(id.p, id.len);

    enum st st = make_room(cache, err);
    if (st != ST_OK)
        return st;
    struct coin *place = find_place(cache->places, cache->n_places, hash, id);
    if (place->id.p == NULL) {
        struct coin found = {.hash = hash, .id = arena_str(&cache->ids, id)};
        if (found.id.p == NULL) { /* full of long ids: start again */
            coin_cache_clear(cache);
            found.id = arena_str(&cache->ids, id);
            place = find_place(cache->places, cache->n_places, hash, id);
        }
        if (found.id.p == NULL)
            return err_set(err, cache->ids.is_full ? ST_REJECT : ST_AGAIN,
                           "no memory for a coin's id of %zu bytes", id.len);
        st = find_or_add(db, row, &found, err);
        if (st != ST_OK)
            return st;
        *place = found;
        cache->n++;
    }
    *ret_coin = place;
    st = note_seen(db, seen, place, err);
    if (is_past)
        return st == ST_OK ? rename_remade(db, row, place, err) : st;
    /* a row that comes late has an old name, not a new one */
    if (st == ST_OK && seen > place->named_at && hash_row_name(row) != place->name_hash)
        st = rename_coin(db, row, place, err);
    return st;
}
