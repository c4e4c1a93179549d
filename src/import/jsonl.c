/* A file of JSON lines: each a whole answer with its time beside it, or one coin with a time. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "import/source.h"

#include "base/mem.h"
#include "import/feed.h"
#include "tape/record.h"

#include <inttypes.h>
#include <stdio.h>

#define MAX_LINE ((size_t)TAPE_MAX_BODY + (size_t)64 * 1024)

struct line {
    struct str text; /* the object as sent */
    bool has_time;
    size_t time_rank;
    int64_t time_us;
    struct str answer; /* the array of coins; p NULL: none */
    struct str id;     /* p NULL: none */
    bool has_symbol, has_name;
    struct str key; /* the time's, as in the text; p NULL: it cannot be cut out */
    const char *value_end;
};

static bool is_inside(struct str text, struct str part)
{
    return part.p >= text.p && part.p + part.len <= text.p + text.len;
}

static bool is_data_name(struct str name)
{
    static const char *const names[] = {"data",     "coins",   "markets", "body",
                                        "response", "payload", "result"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (str_eq(name, str_of(names[i])))
            return true;
    return false;
}

static void note_time(struct source *s, struct line *l, struct str key, size_t rank,
                      const struct json_token *value)
{
    bool is_text = value->event == JSON_STRING;

    if ((!is_text && value->event != JSON_NUMBER) || (l->has_time && rank >= l->time_rank))
        return;
    if (!when_parse(&s->when, value->text, &l->time_us))
        return;
    l->has_time = true;
    l->time_rank = rank;
    bool is_here = is_inside(l->text, key) && is_inside(l->text, value->text);
    l->key = is_here ? key : STR_NONE;
    l->value_end = is_here ? value->text.p + value->text.len + is_text : NULL;
}

static enum st note_member(struct source *s, struct line *l, struct str key,
                           const struct json_token *value, struct err *err)
{
    struct str mapped = source_mapped(s, key), raw = STR_NONE;
    size_t rank = 0;
    bool is_time = mapped.len > 0 ? str_eq(mapped, STR("time")) : when_is_name(key, &rank);
    bool is_data = mapped.len > 0 ? str_eq(mapped, STR("data")) : is_data_name(key);

    rank += mapped.len == 0; /* what the user says comes first */
    enum st st = json_skip(s->json, value, &raw, err);
    if (st != ST_OK)
        return st;
    if (is_time)
        note_time(s, l, key, rank, value);
    else if (is_data && value->event == JSON_ARRAY_BEGIN)
        l->answer = raw;
    else if (is_data && value->event == JSON_STRING && str_starts(value->text, STR("[")))
        l->answer = value->text;
    else if (str_eq(key, STR("id")) && value->event == JSON_STRING && value->text.len > 0)
        l->id = value->text;
    l->has_symbol |= str_eq(key, STR("symbol"));
    l->has_name |= str_eq(key, STR("name"));
    return ST_OK;
}

/* What a line is; texts are borrowed from it and the arena. ST_REJECT when it is no JSON object. */
static enum st read_line(struct source *s, struct str text, struct line *ret_line, struct err *err)
{
    struct json_token token, value;
    struct line l = {.text = text};

    arena_reset(&s->arena);
    enum st st = json_open(s->json, text, &s->arena, err);
    if (st == ST_OK)
        st = json_next(s->json, &token, err);
    if (st == ST_OK && token.event != JSON_OBJECT_BEGIN)
        return err_set(err, ST_REJECT, "an array without a time beside it");
    while (st == ST_OK && (st = json_next(s->json, &token, err)) == ST_OK &&
           token.event == JSON_KEY) {
        st = json_next(s->json, &value, err);
        if (st == ST_OK)
            st = note_member(s, &l, token.text, &value, err);
    }
    if (st == ST_OK)
        st = json_next(s->json, &token, err);
    if (st == ST_AGAIN && s->arena.is_full)
        return err_set(err, ST_REJECT, "too large to be read");
    if (st == ST_OK)
        *ret_line = l;
    return st;
}

static struct str shown_line(uint64_t number, char text[40])
{
    snprintf(text, 40, "line %" PRIu64, number);
    return str_of(text);
}

static enum st add_line(struct source *s, struct str record, struct item *item, struct err *err)
{
    struct str text = str_trim(record), shown;
    struct err why = ERR_INIT;
    char name[40];
    struct line l;

    shown = shown_line(item->order, name);
    if (text.len == 0)
        return ST_OK;
    enum st st = read_line(s, text, &l, &why);
    if (st == ST_AGAIN)
        return err_set(err, ST_AGAIN, "%s", why.msg);
    if (st != ST_OK)
        source_skip(s, IMPORT_NOT_COINS, shown, "%s", why.msg);
    else if (l.answer.p == NULL && l.id.p == NULL)
        source_skip(s, IMPORT_NOT_COINS, shown,
                    "neither an array of coins nor a coin's \"id\" in "
                    "it");
    else if (!l.has_time)
        source_skip(s, IMPORT_NO_TIME, shown,
                    "no time in it that can be read; --map KEY=time names one");
    else {
        item->time_us = l.time_us;
        item->is_coin = l.answer.p == NULL;
        return source_add(s, item, shown, err);
    }
    return ST_OK;
}

static enum st list(struct source *s, struct err *err)
{
    struct feed *f = mem_new(1, sizeof(*f));
    struct err why = ERR_INIT;
    char name[40];

    s->state = f;
    enum st st = feed_open(f, s->setup->source, MAX_LINE, feed_line, err);
    if (st != ST_OK)
        return st;
    for (size_t n = 0;; n++) {
        struct item item = {.page = 1};
        struct str record;
        st = feed_next(f, &record, &item.at, &item.order, &why);
        if (st == ST_REJECT) {
            source_skip(s, IMPORT_TOO_LARGE, shown_line(item.order, name), "%s", why.msg);
            continue;
        }
        if (st != ST_OK)
            return err_set(err, st, "%s", why.msg);
        if (record.len == 0)
            return ST_OK;
        if (n % 256 == 0 && !source_go_on(s, n, 0, shown_line(item.order, name).p))
            return source_stopped(s, err);
        item.len = record.len;
        st = add_line(s, record, &item, err);
        if (st != ST_OK)
            return st;
    }
}

/* The coin without the member that is its time, which no answer of CoinGecko has. */
static void add_coin(struct buf *b, const struct line *l)
{
    const char *from = l->text.p, *to = l->text.p + l->text.len, *cut = NULL, *rest = NULL;

    if (l->key.p) {
        cut = l->key.p - 1; /* its quote */
        for (rest = l->value_end; rest < to && (unsigned char)*rest <= ' '; rest++)
            ;
        if (rest < to && *rest == ',')
            rest++;
        else /* the last member: the comma before it goes */
            while (cut > from && cut[-1] != '{' && *cut != ',')
                cut--;
    }
    buf_add_char(b, '{');
    if (!l->has_symbol)
        buf_add_z(b, "\"symbol\":\"\",");
    if (!l->has_name) {
        buf_add_z(b, "\"name\":");
        buf_add_json_str(b, l->id);
        buf_add_char(b, ',');
    }
    from++; /* its brace */
    buf_add(b, from, cut ? (size_t)(cut - from) : (size_t)(to - from));
    if (cut)
        buf_add(b, rest, (size_t)(to - rest));
}

/* A whole answer: its array, as it is. */
static enum st put_answer(struct source *s, const struct line *l, struct str shown, struct err *err)
{
    buf_clear(&s->raw); /* the arena will be used to look at it */
    buf_add_str(&s->raw, l->answer);
    if (buf_room(&s->raw, JSON_PADDING) == NULL)
        return err_set(err, ST_AGAIN, "no memory for a body of %zu bytes", l->answer.len);
    return source_page(s, 1, true, shown, buf_str(&s->raw), err);
}

static enum st put_line(struct source *s, bool is_coin, struct str record, struct str shown,
                        struct err *err)
{
    struct str text = str_trim(record);
    struct err why = ERR_INIT;
    struct line l;

    if (text.len == 0)
        return ST_OK;
    enum st st = is_coin ? source_made_room(s, shown, err) : ST_OK;
    if (st != ST_OK)
        return st;
    st = read_line(s, text, &l, &why);
    if (st == ST_AGAIN)
        return err_set(err, st, "%s", why.msg);
    if (st != ST_OK || (is_coin ? l.id.p : l.answer.p) == NULL) {
        source_skip(s, IMPORT_NOT_COINS, shown, "the file has changed while it was read");
        return ST_OK;
    }
    if (!is_coin)
        return put_answer(s, &l, shown, err);
    add_coin(&s->made, &l);
    source_made_added(s);
    return ST_OK;
}

static enum st read_run(struct source *s, const struct item *run, struct err *err)
{
    struct feed *f = s->state;
    struct str record;
    uint64_t at, number;
    char name[40];

    feed_seek(f, run->at, run->order);
    for (;;) {
        struct err why = ERR_INIT;
        enum st st = feed_next(f, &record, &at, &number, &why);
        if (st == ST_AGAIN || st == ST_FATAL)
            return err_set(err, st, "%s", why.msg);
        if (st == ST_REJECT || record.len == 0 || at >= run->at + run->len)
            return ST_OK;
        st = put_line(s, run->is_coin, record, shown_line(number, name), err);
        if (st != ST_OK)
            return st;
    }
}

/* Whole answers: the first good one of a time. Else all coins of that time. */
static enum st read_poll(struct source *s, const struct item *items, size_t n, struct err *err)
{
    enum st st = ST_OK;
    char name[40];

    for (size_t i = 0; st == ST_OK && i < n; i++) {
        if (items[i].is_coin)
            continue;
        if (s->n_taken > 0)
            source_skip(s, IMPORT_SAME_TIME, shown_line(items[i].order, name),
                        "another line of the same time came first");
        else
            st = read_run(s, &items[i], err);
    }
    if (s->n_taken > 0)
        return st;
    source_made_begin(s);
    for (size_t i = 0; st == ST_OK && i < n; i++)
        if (items[i].is_coin)
            st = read_run(s, &items[i], err);
    return st == ST_OK ? source_made_end(s, shown_line(items[0].order, name), err) : st;
}

static void close_lines(struct source *s)
{
    if (s->state)
        feed_close(s->state);
    mem_free(s->state);
}

const struct source_kind source_jsonl = {
    .name = "jsonl", .list = list, .read = read_poll, .close = close_lines};
