/* SPDX-License-Identifier: Apache-2.0 */
#include "import/source.h"

#include "base/mem.h"
#include "tape/record.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <zlib.h>
#include <zstd.h>

#define FIRST_US       INT64_C(1367107200000000)  /* 2013-04-28, the first day CoinGecko knows */
#define MAX_SHOWN      200                        /* bytes of a name that are shown */
#define MAX_MADE       ((size_t)32 * 1024 * 1024) /* a page that is made here is closed beyond */
#define UNPACK_AT_ONCE ((size_t)1024 * 1024)

/* ---- what is said of it ---- */

static void tell(const struct source *s, bool is_skip, enum import_skip why, const char *text)
{
    const struct import_setup *setup = s->setup;

    if (is_skip && setup->skipped)
        setup->skipped(setup->ctx, why, text);
    else if (!is_skip && setup->note)
        setup->note(setup->ctx, text);
}

void source_skip(struct source *s, enum import_skip why, struct str shown, const char *fmt, ...)
{
    struct buf text = BUF_INIT(4096);
    va_list ap;

    if (s->is_quiet)
        return;
    s->result->n_skipped[why]++;
    buf_add_clean(&text, shown, MAX_SHOWN);
    buf_add_z(&text, ": ");
    va_start(ap, fmt);
    buf_vaddf(&text, fmt, ap);
    va_end(ap);
    tell(s, true, why, buf_z(&text));
    buf_release(&text);
}

void source_note(const struct source *s, const char *fmt, ...)
{
    struct buf text = BUF_INIT(4096), line = BUF_INIT(4096);
    va_list ap;

    va_start(ap, fmt);
    buf_vaddf(&text, fmt, ap);
    va_end(ap);
    buf_add_clean(&line, buf_str(&text), 1000);
    tell(s, false, IMPORT_ON_TAPE, buf_z(&line));
    buf_release(&text);
    buf_release(&line);
}

bool source_go_on(const struct source *s, size_t n_done, size_t n_total, const char *name)
{
    const struct import_progress p = {
        .n_done = n_done, .n_total = n_total, .bytes = s->result->bytes, .name = name};

    return s->setup->progress == NULL || s->setup->progress(s->setup->ctx, &p);
}

enum st source_stopped(struct source *s, struct err *err)
{
    s->result->is_stopped = true;
    return err_set(err, ST_AGAIN, "import: stopped after %zu polls; the same import goes on there",
                   s->result->n_polls);
}

/* ---- the index ---- */

static bool check_time(struct source *s, const struct item *item, struct str shown)
{
    char text[TIME_TEXT];

    if (item->time_us >= FIRST_US && item->time_us <= s->now_us)
        return true;
    time_format(item->time_us > -US_PER_S * 62135596800 && item->time_us < US_PER_S * 253402300800
                    ? item->time_us
                    : 0,
                text);
    source_skip(s, IMPORT_BAD_TIME, shown, "its time %s is %s", text,
                item->time_us > s->now_us ? "in the future"
                                          : "before 2013-04-28, when CoinGecko "
                                            "began");
    return false;
}

/* The run that the last item is goes on with this one. */
static bool extends(const struct item *last, const struct item *item)
{
    return item->is_coin && last->is_coin && last->time_us == item->time_us &&
           last->at + last->len == item->at;
}

static bool make_room(struct source *s)
{
    size_t max = s->max_items > 0 ? s->max_items * 2 : 1024;
    struct item *items = max <= SOURCE_MAX_ITEMS ? mem_try(s->items, max * sizeof(*items)) : NULL;

    if (items == NULL)
        return false;
    s->items = items;
    s->max_items = max;
    return true;
}

enum st source_add(struct source *s, const struct item *item, struct str shown, struct err *err)
{
    struct item copy = *item;
    size_t n = s->n_items;

    if (!check_time(s, item, shown))
        return ST_OK;
    if (n > 0 && extends(&s->items[n - 1], item)) {
        s->items[n - 1].len += item->len;
        return ST_OK;
    }
    if (item->name) {
        copy.name = arena_str(&s->names, str_of(item->name)).p;
        if (copy.name == NULL)
            return err_set(err, ST_REJECT,
                           "%.200s: the names of its snapshots take more than "
                           "%zu MB; import it in parts",
                           s->setup->source, SOURCE_MAX_NAMES >> 20);
    }
    if (n == s->max_items && !make_room(s))
        return err_set(err, ST_REJECT,
                       "%.200s: more than %zu snapshots, or no memory for more; import it in parts",
                       s->setup->source, n);
    s->items[s->n_items++] = copy;
    return ST_OK;
}

/* ---- bodies ---- */

struct found {
    size_t n_coins, n_ids, n_figures;
    const char *problem; /* NULL: none */
};

static bool is_figure(struct str key)
{
    return str_eq(key, STR("current_price")) || str_eq(key, STR("market_cap")) ||
           str_eq(key, STR("total_volume"));
}

static enum st look_at_coin(struct source *s, struct found *f, struct err *err)
{
    struct json_token key, value;
    bool has_id = false, has_figure = false;
    enum st st;

    while ((st = json_next(s->json, &key, err)) == ST_OK && key.event == JSON_KEY) {
        st = json_next(s->json, &value, err);
        if (st != ST_OK)
            return st;
        has_id |= str_eq(key.text, STR("id")) && value.event == JSON_STRING && value.text.len > 0;
        has_figure |= is_figure(key.text);
        st = json_skip(s->json, &value, NULL, err);
        if (st != ST_OK)
            return st;
    }
    f->n_coins++;
    f->n_ids += has_id;
    f->n_figures += has_figure;
    return st;
}

static enum st look_at_array(struct source *s, struct found *f, struct err *err)
{
    struct json_token token;
    enum st st = json_next(s->json, &token, err);

    if (st == ST_OK && token.event != JSON_ARRAY_BEGIN)
        f->problem = "an object, not an array of coins";
    while (st == ST_OK && f->problem == NULL) {
        st = json_next(s->json, &token, err);
        if (st != ST_OK || token.event == JSON_ARRAY_END)
            break;
        if (token.event == JSON_OBJECT_BEGIN)
            st = look_at_coin(s, f, err);
        else
            f->problem = "an array of other things than coins";
    }
    if (st == ST_OK && f->problem == NULL)
        st = json_next(s->json, &token, err); /* what follows must be nothing */
    if (st == ST_OK && f->problem == NULL && f->n_coins == 0)
        f->problem = "an empty array";
    else if (st == ST_OK && f->problem == NULL && f->n_ids == 0)
        f->problem = "an array of objects without a coin's \"id\"";
    else if (st == ST_OK && f->problem == NULL && f->n_figures == 0)
        f->problem = "an array without a price, market cap or volume: not of coins/markets";
    return st;
}

/* Is it an array of coins? False when not, which is reported then. */
static enum st look_at_body(struct source *s, struct str shown, struct str body, struct found *f,
                            bool *ret_is_good, struct err *err)
{
    struct buf start = BUF_INIT(256);
    struct err why = ERR_INIT;

    *ret_is_good = false;
    *f = (struct found){.problem = str_trim(body).len == 0 ? "empty" : NULL};
    arena_reset(&s->arena);
    enum st st = f->problem ? ST_OK : json_open(s->json, body, &s->arena, &why);
    if (st == ST_OK && f->problem == NULL)
        st = look_at_array(s, f, &why);
    if (st == ST_AGAIN && !s->arena.is_full)
        return err_set(err, ST_AGAIN, "%s", why.msg);
    if (st == ST_AGAIN)
        source_skip(s, IMPORT_TOO_LARGE, shown, "%s", why.msg);
    buf_add_clean(&start, body, 60);
    if (st == ST_REJECT || st == ST_FATAL)
        source_skip(s, IMPORT_NOT_COINS, shown, "%s: \"%s\"", why.msg, buf_z(&start));
    else if (f->problem)
        source_skip(s, IMPORT_NOT_COINS, shown, "%s%s%s", f->problem, start.len > 0 ? ": " : "",
                    buf_z(&start));
    else
        *ret_is_good = st == ST_OK;
    buf_release(&start);
    return ST_OK;
}

/* More coins than a page may hold, in one array: several pages, each coin's bytes as they are. */
static enum st split(struct source *s, struct str shown, struct str body, struct err *err)
{
    struct json *json = json_new();
    struct arena arena;
    struct json_token token;
    struct str raw;

    if (json == NULL)
        return err_set(err, ST_AGAIN, "no memory for a JSON reader");
    arena_init(&arena, s->arena.max);
    source_made_begin(s);
    enum st st = json_open(json, body, &arena, err);
    if (st == ST_OK)
        st = json_next(json, &token, err);
    while (st == ST_OK && (st = json_next(json, &token, err)) == ST_OK &&
           token.event != JSON_ARRAY_END) {
        st = json_skip(json, &token, &raw, err);
        if (st == ST_OK)
            st = source_made_room(s, shown, err);
        if (st == ST_OK) {
            buf_add_str(&s->made, raw);
            source_made_added(s);
        }
    }
    if (st == ST_OK)
        st = source_made_end(s, shown, err);
    arena_release(&arena);
    json_free(json);
    return st;
}

enum st source_page(struct source *s, uint32_t page, bool can_split, struct str shown,
                    struct str body, struct err *err)
{
    struct found f;
    bool is_good;

    enum st st = look_at_body(s, shown, body, &f, &is_good, err);
    if (st != ST_OK || !is_good)
        return st;
    if (f.n_coins > SOURCE_MAX_ROWS && can_split)
        return split(s, shown, body, err);
    if (f.n_coins > SOURCE_MAX_ROWS || body.len > TAPE_MAX_BODY || page > TAPE_MAX_PAGES) {
        source_skip(s, IMPORT_TOO_LARGE, shown, "%zu coins in %zu bytes on page %u", f.n_coins,
                    body.len, page);
        return ST_OK;
    }
    st = s->take(s, page, shown, body, err);
    if (st == ST_OK) {
        s->n_taken++;
        s->n_coins += f.n_coins;
    }
    return st;
}

void source_made_begin(struct source *s)
{
    buf_clear(&s->made);
    buf_add_char(&s->made, '[');
    s->n_made = 0;
}

void source_made_added(struct source *s)
{
    buf_add_char(&s->made, ',');
    s->n_made++;
}

enum st source_made_end(struct source *s, struct str shown, struct err *err)
{
    if (s->n_made == 0)
        return ST_OK;
    if (s->made.is_overflow || buf_room(&s->made, JSON_PADDING) == NULL)
        return err_set(err, ST_AGAIN, "no memory for the rows of a poll");
    s->made.p[s->made.len - 1] = ']'; /* was the last comma */
    enum st st = source_page(s, (uint32_t)s->n_taken + 1, false, shown, buf_str(&s->made), err);
    source_made_begin(s);
    return st;
}

enum st source_made_room(struct source *s, struct str shown, struct err *err)
{
    bool is_full = s->n_made == SOURCE_PAGE_ROWS || s->made.len > MAX_MADE;

    return is_full ? source_made_end(s, shown, err) : ST_OK;
}

/* ---- compression ---- */

/* Where the next unpacked bytes go; NULL when the ceiling is reached, or no memory is there. */
static char *unpack_room(struct buf *to, size_t *ret_len)
{
    size_t left = to->max - JSON_PADDING - to->len;

    *ret_len = left < UNPACK_AT_ONCE ? left : UNPACK_AT_ONCE;
    return *ret_len > 0 ? buf_room(to, *ret_len) : NULL;
}

enum unpacked { UNPACKED, UNPACK_TOO_LARGE, UNPACK_BAD };

static enum unpacked gunzip(struct str packed, struct buf *to)
{
    union {
        const char *in;
        Bytef *out; /* zlib does not write there */
    } cast = {.in = packed.p};
    z_stream z = {.next_in = cast.out, .avail_in = (uInt)packed.len};
    int rc = inflateInit2(&z, 15 + 16);
    size_t len = 0;
    char *room = NULL;

    if (rc != Z_OK)
        return UNPACK_BAD;
    do {
        if (rc == Z_STREAM_END && inflateReset(&z) != Z_OK) /* members follow each other */
            break;
        room = unpack_room(to, &len);
        if (room == NULL)
            break;
        z.next_out = (Bytef *)room;
        z.avail_out = (uInt)len;
        rc = inflate(&z, Z_NO_FLUSH);
        buf_added(to, len - z.avail_out);
    } while (rc == Z_OK || (rc == Z_STREAM_END && z.avail_in > 0));
    inflateEnd(&z);
    return room == NULL ? UNPACK_TOO_LARGE : rc == Z_STREAM_END ? UNPACKED : UNPACK_BAD;
}

static enum unpacked unzstd(struct str packed, struct buf *to)
{
    ZSTD_DCtx *zstd = ZSTD_createDCtx();
    ZSTD_inBuffer in = {packed.p, packed.len, 0};
    size_t rest = 1, len = 0;
    char *room = NULL;

    if (zstd == NULL)
        return UNPACK_BAD;
    do {
        room = unpack_room(to, &len);
        if (room == NULL)
            break;
        ZSTD_outBuffer out = {room, len, 0};
        rest = ZSTD_decompressStream(zstd, &out, &in);
        buf_added(to, out.pos);
        if (out.pos < len && in.pos == in.size)
            break; /* all is read, and all of it written */
    } while (!ZSTD_isError(rest));
    ZSTD_freeDCtx(zstd);
    return room == NULL ? UNPACK_TOO_LARGE : rest == 0 ? UNPACKED : UNPACK_BAD;
}

enum st source_unpack(struct source *s, struct str *ret_body, struct err *err)
{
    struct str raw = buf_str(&s->raw);
    bool is_gzip = str_starts(raw, STR("\x1F\x8B"));
    bool is_zstd = str_starts(raw, STR("\x28\xB5\x2F\xFD"));

    if (!is_gzip && !is_zstd) {
        if (buf_room(&s->raw, JSON_PADDING) == NULL)
            return err_set(err, ST_AGAIN, "no memory for a body of %zu bytes", raw.len);
        *ret_body = buf_str(&s->raw); /* making room may have moved it */
        return ST_OK;
    }
    buf_clear(&s->unpacked);
    enum unpacked done = is_gzip ? gunzip(raw, &s->unpacked) : unzstd(raw, &s->unpacked);
    if (done == UNPACK_BAD)
        return err_set(err, ST_REJECT, "its %s compression is damaged or cut short",
                       is_gzip ? "gzip" : "zstd");
    if (done == UNPACK_TOO_LARGE || buf_room(&s->unpacked, JSON_PADDING) == NULL)
        return err_sys(err, ST_REJECT, EFBIG, "more than %u bytes unpacked", TAPE_MAX_BODY);
    *ret_body = buf_str(&s->unpacked);
    return ST_OK;
}

/* ---- names of columns and keys ---- */

struct str source_mapped(const struct source *s, struct str name)
{
    struct str rest = str_of(s->setup->map), line, from;

    while (rest.len > 0) {
        str_cut(&rest, '\n', &line);
        bool is_pair = str_cut(&line, '=', &from);
        if (is_pair && str_eq(str_trim(from), name))
            return str_trim(line);
    }
    return STR_NONE;
}
