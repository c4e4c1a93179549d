/* What the stores answer through query.h: every store the same. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store_dir.h"
#include "tap.h"

#include <sys/stat.h>

static const char *const schemes[][2] = {{"memory:", ""}, {"sqlite:", "/market.db"}};

static struct test_store t;
static struct query *query;
static struct arena arena;

static void begin(size_t scheme)
{
    store_make(&t, schemes[scheme][0], schemes[scheme][1]);
    arena_init(&arena, 4 << 20);
    if (store_open(&t) != ST_OK || t.sink.driver->open_query(&t.url, &query, &t.err) != ST_OK)
        abort();
}

static void finish(void)
{
    query->driver->close(query);
    store_remove(&t);
    arena_release(&arena);
}

/* "id=price@currency order" of the answer. */
static const char *ask(const struct market_query *args)
{
    static char text[1024];
    struct buf b = BUF_INIT(sizeof(text) - 1);
    struct rows rows = {.n = 0};

    if (query->driver->market(query, args, &arena, &rows, &t.err) != ST_OK)
        return t.err.msg;
    for (size_t i = 0; i < rows.n; i++) {
        const struct cell *row = rows_at(&rows, i);
        cell_add_text(&b, &row[MARKET_ID]);
        buf_add_char(&b, '=');
        cell_add_text(&b, &row[MARKET_CURRENT_PRICE]);
        buf_add_char(&b, ' ');
    }
    snprintf(text, sizeof(text), "%s", buf_z(&b));
    buf_release(&b);
    return text;
}

/* Load a poll whose market caps are ten times the prices; none where the price is 0. */
static enum st load_caps(struct made_stream *s, int64_t slot_us, const char *text)
{
    struct made_poll poll;
    struct sink_result result;
    char lexeme[64];

    made_poll(&poll, s, slot_us, POLL_OK, text);
    for (size_t i = 0; i < poll.rows.rows.n; i++) {
        struct cell *row = rows_at(&poll.rows.rows, i);
        struct str price = cell_text(&row[MARKET_CURRENT_PRICE]);
        int n = snprintf(lexeme, sizeof(lexeme), "%.*se1", STR_ARG(price));
        if (row[MARKET_CURRENT_PRICE].number != 0 &&
            cell_of_num(arena_str(&poll.arena, (struct str){lexeme, (size_t)n}),
                        &row[MARKET_MARKET_CAP]) != DEC_OK)
            abort();
    }
    enum st st = t.sink.driver->load(&t.sink, &poll.load, &result, &t.err);
    made_release(&poll);
    return st;
}

static void the_market_is_sorted_filtered_and_cut(void)
{
    struct made_stream s = made_stream("markets-usd", 1);
    const struct str ids[] = {STR("none"), STR("c"), STR("a"), STR("c")};
    struct market_query args = {.vs_currency = STR("usd")};

    CHECK_OK(store_attach(&t, &s), t.err);
    CHECK_OK(load_caps(&s, SLOT(0), "a=1.5 b=20 c=0.0000003 d=0 e=100"), t.err);
    CHECK_Z(ask(&args), "e=100 b=20 a=1.5 c=0.0000003 d=0 ");
    args.order = ORDER_MARKET_CAP_ASC;
    CHECK_Z(ask(&args), "c=0.0000003 a=1.5 b=20 e=100 d=0 ");
    args.order = ORDER_ID_DESC;
    CHECK_Z(ask(&args), "e=100 d=0 c=0.0000003 b=20 a=1.5 ");
    args.order = ORDER_ID_ASC;
    args.per_page = 2;
    args.page = 2;
    CHECK_Z(ask(&args), "c=0.0000003 d=0 ");
    args.page = 9;
    CHECK_Z(ask(&args), "");
    args = (struct market_query){.vs_currency = STR("usd"), .ids = ids, .n_ids = 4};
    CHECK_Z(ask(&args), "a=1.5 c=0.0000003 ");
    args.vs_currency = STR("eur");
    CHECK_Z(ask(&args), "");
}

static void the_market_is_that_of_the_last_polls(void)
{
    struct made_stream usd = made_stream("markets-usd", 1), eur = made_stream("markets-eur", 2),
                       top = made_stream("markets-usd-top100", 3);
    struct market_query args = {.vs_currency = STR("usd"), .order = ORDER_ID_ASC};

    CHECK_OK(store_attach(&t, &usd), t.err);
    CHECK_OK(store_attach(&t, &eur), t.err);
    CHECK_OK(store_attach(&t, &top), t.err);
    CHECK_OK(load_caps(&usd, SLOT(0), "a=1 b=2 gone=3"), t.err);
    CHECK_OK(load_caps(&eur, SLOT(1), "a=7"), t.err);
    CHECK_OK(load_caps(&usd, SLOT(1), "a=4 *b=2 -gone"), t.err);
    CHECK_OK(load_caps(&top, SLOT(2), "a=5"), t.err);
    CHECK_Z(ask(&args), "a=5 b=2 ");
    args.vs_currency = STR("eur");
    CHECK_Z(ask(&args), "a=7 ");
}

static void coins_that_left_are_gone_though_the_transform_could_not_tell(void)
{
    struct made_stream s = made_stream("markets-usd", 1), other = made_stream("markets-usd", 2);
    struct market_query args = {.vs_currency = STR("usd"), .order = ORDER_ID_ASC};

    CHECK_OK(store_attach(&t, &s), t.err);
    CHECK_OK(store_attach(&t, &other), t.err);
    CHECK_OK(load_caps(&s, SLOT(0), "a=1 b=2 c=3 d=4"), t.err);
    /* the first poll of a new tape */
    CHECK_OK(load_caps(&other, SLOT(1), "a=1 b=2 c=3"), t.err);
    CHECK_Z(ask(&args), "a=1 b=2 c=3 ");
    /* the ok poll before was not loaded */
    s.last_ok_end = 0;
    CHECK_OK(load_caps(&s, SLOT(2), "a=1 b=2"), t.err);
    CHECK_Z(ask(&args), "a=1 b=2 ");
    /* another collector's poll was between, in which it was back */
    CHECK_OK(load_caps(&other, SLOT(3), "a=1 b=2 d=4"), t.err);
    CHECK_OK(load_caps(&s, SLOT(4), "a=1 b=2"), t.err);
    CHECK_Z(ask(&args), "a=1 b=2 ");
    /* a partial poll says nothing of what it lacks */
    CHECK_OK(store_load(&t, &s, SLOT(5), POLL_PARTIAL, "a=1", NULL), t.err);
    CHECK_Z(ask(&args), "a=1 b=2 ");
}

static void coins_and_currencies_are_listed(void)
{
    struct made_stream usd = made_stream("markets-usd", 1), eur = made_stream("markets-eur", 2);
    struct str *currencies;
    struct rows coins;
    size_t n;

    CHECK_OK(store_attach(&t, &usd), t.err);
    CHECK_OK(store_attach(&t, &eur), t.err);
    CHECK_OK(load_caps(&usd, SLOT(0), "b=1 a=2"), t.err);
    CHECK_OK(query->driver->currencies(query, &arena, &currencies, &n, &t.err), t.err);
    CHECK_EQ(n, 1);
    CHECK_STR(currencies[0], "usd");
    CHECK_OK(load_caps(&eur, SLOT(0), "b=1 c=2"), t.err);
    CHECK_OK(query->driver->currencies(query, &arena, &currencies, &n, &t.err), t.err);
    CHECK_EQ(n, 2);
    CHECK_STR(currencies[0], "eur");
    CHECK_OK(query->driver->coins(query, &arena, &coins, &t.err), t.err);
    CHECK_EQ(coins.n, 3);
    CHECK(coins.table == &coin_table);
    CHECK_STR(cell_text(&rows_at(&coins, 0)[COIN_ID]), "a");
    CHECK_STR(cell_text(&rows_at(&coins, 2)[COIN_NAME]), "c");
}

static void a_store_that_is_not_there_yet_answers_later(void)
{
    struct made_stream s = made_stream("markets-usd", 1);
    struct market_query args = {.vs_currency = STR("usd")};
    struct rows rows;

    if (strcmp(t.url.scheme, "sqlite") != 0)
        SKIP("it is there with its first user");
    store_remove(&t);
    CHECK_EQ(query->driver->market(query, &args, &arena, &rows, &t.err), ST_AGAIN);
    if (mkdir(t.dir, 0755) != 0 || store_open(&t) != ST_OK)
        abort();
    CHECK_OK(store_attach(&t, &s), t.err);
    CHECK_OK(load_caps(&s, SLOT(0), "a=1"), t.err);
    CHECK_Z(ask(&args), "a=1 ");
    store_remove(&t); /* and a new one in its place is found */
    CHECK_EQ(query->driver->market(query, &args, &arena, &rows, &t.err), ST_AGAIN);
    if (mkdir(t.dir, 0755) != 0 || store_open(&t) != ST_OK)
        abort();
    s = made_stream("markets-usd", 1);
    CHECK_OK(store_attach(&t, &s), t.err);
    CHECK_OK(load_caps(&s, SLOT(0), "a=2"), t.err);
    CHECK_Z(ask(&args), "a=2 ");
}

static void an_answer_beyond_the_arena_fails_alone(void)
{
    struct made_stream s = made_stream("markets-usd", 1);
    struct market_query args = {.vs_currency = STR("usd")};
    struct arena small;
    struct rows rows;

    CHECK_OK(store_attach(&t, &s), t.err);
    CHECK_OK(load_caps(&s, SLOT(0), "a=1.25 b=2"), t.err);
    arena_init(&small, 1024);
    enum st st = query->driver->market(query, &args, &small, &rows, &t.err);
    arena_release(&small);
    CHECK_EQ(st, ST_AGAIN);
    CHECK_Z(ask(&args), "b=2 a=1.25 ");
}

#define CASES(X)                                                    \
    X(the_market_is_sorted_filtered_and_cut)                        \
    X(the_market_is_that_of_the_last_polls)                         \
    X(coins_that_left_are_gone_though_the_transform_could_not_tell) \
    X(coins_and_currencies_are_listed)                              \
    X(a_store_that_is_not_there_yet_answers_later)                  \
    X(an_answer_beyond_the_arena_fails_alone)

#define CASE(function)                  \
    static void memory_##function(void) \
    {                                   \
        begin(0);                       \
        function();                     \
        finish();                       \
    }                                   \
    static void sqlite_##function(void) \
    {                                   \
        begin(1);                       \
        function();                     \
        finish();                       \
    }
CASES(CASE)

#define ROW(function) TAP_CASE(memory_##function), TAP_CASE(sqlite_##function),
int main(void)
{
    static const struct tap_case cases[] = {CASES(ROW)};
    return tap_run(cases, sizeof(cases) / sizeof(cases[0]));
}
