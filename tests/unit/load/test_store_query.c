/* What the stores answer through query.h: every store the same. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store_dir.h"
#include "tap.h"

#include <arpa/inet.h>
#include <sys/stat.h>

enum where { IN_MEMORY, IN_FILE, ON_SERVER };

static struct test_store t;
static struct query *query;
static struct arena arena;

static void begin(enum where where)
{
    if (where == ON_SERVER)
        store_make_on_server(&t);
    else if (where == IN_FILE)
        store_make(&t, "sqlite:", "/market.db");
    else
        store_make(&t, "memory:", "");
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

/* "2, then": how many of the coins are there, and whether the moment lies in this slot. */
static const char *ask_seen(const char *coins, const char *vs_currency, int64_t slot_us)
{
    static char text[128];
    struct str ids[8], rest = str_of(coins);
    size_t n_ids = 0, n = 77;
    int64_t seen_us = 77;

    while (rest.len > 0)
        str_cut(&rest, ' ', &ids[n_ids++]);
    if (query->driver->seen(query, str_of(vs_currency), ids, n_ids, &arena, &n, &seen_us, &t.err) !=
        ST_OK)
        return t.err.msg;
    snprintf(text, sizeof(text), "%zu, %s", n,
             seen_us == 0                                                  ? "never"
             : seen_us >= slot_us && seen_us < slot_us + SLOT(1) - SLOT(0) ? "then"
             : seen_us < slot_us                                           ? "before"
                                                                           : "later");
    return text;
}

static void what_was_seen_longest_ago_of_some_coins_is_told(void)
{
    struct made_stream usd = made_stream("markets-usd", 1), eur = made_stream("markets-eur", 2),
                       top = made_stream("markets-usd-top100", 3);

    if (!query->driver->seen)
        SKIP("cannot say");
    CHECK_OK(store_attach(&t, &usd), t.err);
    CHECK_OK(store_attach(&t, &eur), t.err);
    CHECK_OK(store_attach(&t, &top), t.err);
    CHECK_Z(ask_seen("a", "usd", SLOT(0)), "0, never");
    CHECK_OK(load_caps(&top, SLOT(0), "a=1 only=2"), t.err);
    CHECK_OK(load_caps(&eur, SLOT(1), "a=7"), t.err);
    CHECK_OK(load_caps(&usd, SLOT(2), "a=1 b=2 gone=3"), t.err);
    CHECK_OK(load_caps(&usd, SLOT(3), "*a=1 b=4 -gone"), t.err);
    CHECK_Z(ask_seen("a", "usd", SLOT(3)), "1, then"); /* unchanged, but seen; in both jobs */
    CHECK_Z(ask_seen("a b", "usd", SLOT(3)), "2, then");
    CHECK_Z(ask_seen("b only a", "usd", SLOT(0)), "3, then");
    CHECK_Z(ask_seen("a", "eur", SLOT(1)), "1, then");
    CHECK_Z(ask_seen("a b", "eur", SLOT(1)), "1, then");
    CHECK_Z(ask_seen("gone none", "usd", SLOT(3)), "0, never");
    CHECK_Z(ask_seen("a", "gbp", SLOT(3)), "0, never");
    CHECK_Z(ask_seen("b none", "usd", SLOT(3)), "1, then");
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

/* The coins' ids, each with its name. */
static const char *ask_coins(void)
{
    static char text[1024];
    size_t n = 0;
    struct rows rows = {.n = 0};

    text[0] = '\0';
    if (query->driver->coins(query, &arena, &rows, &t.err) != ST_OK)
        return t.err.msg;
    for (size_t i = 0; i < rows.n; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%.*s=%.*s ",
                              STR_ARG(cell_text(&rows_at(&rows, i)[COIN_ID])),
                              STR_ARG(cell_text(&rows_at(&rows, i)[COIN_NAME])));
    return text;
}

static void coins_are_those_of_the_list_where_there_is_one(void)
{
    struct made_stream list = made_stream("coins-list", 1), market = made_stream("markets-usd", 2),
                       gone = made_stream("coins-list-inactive", 3);

    snprintf(list.id.selection, sizeof(list.id.selection), "all");
    snprintf(gone.id.selection, sizeof(gone.id.selection), "inactive");
    CHECK_OK(store_attach(&t, &list), t.err);
    CHECK_OK(store_attach(&t, &market), t.err);
    CHECK_OK(store_attach(&t, &gone), t.err);
    CHECK_OK(store_load(&t, &market, SLOT(0), POLL_OK, "bitcoin=1 left=2", NULL), t.err);
    CHECK_Z(ask_coins(), "bitcoin=bitcoin left=left ");
    CHECK_OK(store_load(&t, &gone, SLOT(1), POLL_OK, "left=Left lost=Lost", NULL), t.err);
    CHECK_OK(store_load(&t, &list, SLOT(1), POLL_OK, "bitcoin=bitcoin new=New", NULL), t.err);
    CHECK_Z(ask_coins(), "bitcoin=bitcoin new=New ");
    CHECK_OK(store_load(&t, &list, SLOT(2), POLL_OK, "bitcoin=bitcoin -new", NULL), t.err);
    CHECK_Z(ask_coins(), "bitcoin=bitcoin ");
}

static void what_no_job_collects_is_not_known(void)
{
    struct made_stream globe = made_stream("global", 1), gone = made_stream("coins-list", 2);
    struct figure *figures;
    struct rows rows;
    size_t n;

    if (!query->driver->global)
        SKIP("keeps no figures");
    snprintf(globe.id.selection, sizeof(globe.id.selection), "all");
    snprintf(gone.id.selection, sizeof(gone.id.selection), "all");
    CHECK_OK(store_attach(&t, &gone), t.err); /* a list, but of those that are there */
    CHECK_OK(query->driver->global(query, &arena, &figures, &n, &t.err), t.err);
    CHECK_EQ(n, 0);
    CHECK_OK(query->driver->inactive(query, &arena, &rows, &t.err), t.err);
    CHECK_EQ(rows.n, 0);
    gone = made_stream("coins-list-gone", 3);
    snprintf(gone.id.selection, sizeof(gone.id.selection), "inactive");
    CHECK_OK(store_attach(&t, &globe), t.err);
    CHECK_OK(store_attach(&t, &gone), t.err);
    CHECK_EQ(query->driver->global(query, &arena, &figures, &n, &t.err), ST_AGAIN);
    CHECK(strstr(t.err.msg, "nothing of global is loaded yet"));
    CHECK_EQ(query->driver->inactive(query, &arena, &rows, &t.err), ST_AGAIN);
    CHECK_OK(store_load(&t, &globe, SLOT(0), POLL_OK, "a.usd=1 gone=1", NULL), t.err);
    CHECK_OK(store_load(&t, &globe, SLOT(1), POLL_OK, "b=7 a.usd=2.5 a.eur=2", NULL), t.err);
    CHECK_OK(query->driver->global(query, &arena, &figures, &n, &t.err), t.err);
    CHECK_EQ(n, 3);
    CHECK_STR(figures[0].name, "a");
    CHECK_STR(figures[0].part, "eur");
    CHECK_STR(figures[1].part, "usd");
    CHECK_EQ(figures[1].value.number, 25);
    CHECK_EQ(figures[1].value.exp, -1);
    CHECK_STR(figures[2].name, "b");
    CHECK_EQ(figures[2].part.len, 0);
    CHECK_OK(store_load(&t, &gone, SLOT(0), POLL_OK, "left=Left", NULL), t.err);
    CHECK_OK(query->driver->inactive(query, &arena, &rows, &t.err), t.err);
    CHECK_EQ(rows.n, 1);
    CHECK_STR(cell_text(&rows_at(&rows, 0)[COIN_NAME]), "Left");
}

static void a_store_that_is_not_there_yet_answers_later(void)
{
    struct made_stream s = made_stream("markets-usd", 1);
    struct market_query args = {.vs_currency = STR("usd")};
    struct rows rows;

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

static void a_schema_that_is_not_there_yet_answers_later(void)
{
    struct made_stream s = made_stream("markets-usd", 1);
    struct market_query args = {.vs_currency = STR("usd")};
    struct test_store other;
    struct query *early;
    struct rows rows;

    store_make_on_server(&other);
    CHECK_OK(t.sink.driver->open_query(&other.url, &early, &t.err), t.err);
    CHECK_EQ(early->driver->market(early, &args, &arena, &rows, &t.err), ST_AGAIN);
    CHECK(strstr(t.err.msg, "nothing is loaded yet"));
    CHECK_OK(store_open(&other), other.err);
    CHECK_OK(store_attach(&other, &s), other.err);
    CHECK_OK(store_load(&other, &s, SLOT(0), POLL_OK, "a=1", NULL), other.err);
    CHECK_OK(early->driver->market(early, &args, &arena, &rows, &t.err), t.err);
    CHECK_EQ(rows.n, 1);
    early->driver->close(early);
    store_remove(&other);
}

/* What does not answer, and never will, keeps no bounded question longer than its bound; libpq
 * alone would wait for ten seconds. */
static void a_server_that_says_nothing_keeps_nobody_waiting(void)
{
    struct market_query args = {.vs_currency = STR("usd")};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    struct sink_url silent;
    struct query *asked;
    struct rows rows;
    char text[128];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK_EQ(bind(fd, (struct sockaddr *)&address, len), 0);
    CHECK_EQ(listen(fd, 8), 0);
    CHECK_EQ(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    snprintf(text, sizeof(text), "postgres://etl@127.0.0.1:%u/etl", ntohs(address.sin_port));
    CHECK_OK(sink_url_parse(str_of(text), &silent, &t.err), t.err);
    CHECK_OK(t.sink.driver->open_query(&silent, &asked, &t.err), t.err);
    asked->timeout_us = US_PER_S;
    const int64_t began_us = clock_mono_us(clock_system());
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(asked->driver->market(asked, &args, &arena, &rows, &t.err), ST_AGAIN);
        CHECK(strstr(t.err.msg, "does not answer so far"));
    }
    asked->driver->close(asked);
    close(fd);
    CHECK(clock_mono_us(clock_system()) - began_us < 8 * US_PER_S);
}

/* Digits as they were sent, as far as a number has them. */
static void numbers_come_back_exactly(void)
{
    static const char *const lexemes[] = {
        "0",
        "-7",
        "1e21",
        "0.1",
        "2.6e-9",
        "420690000000000000",
        "9223372036854775807",
        "-9223372036854775808",
        "0.30000000000000004",
        "10453287998377596000000000000000000000",
        "123456789012345678901.25",
        "-0.0000000000000000000001234567890123456789012",
        "1.7e-900",
        "98765432109876543210e900",
    };
    struct made_stream s = made_stream("markets-usd", 1);
    struct market_query args = {.vs_currency = STR("usd"), .order = ORDER_ID_ASC};
    const size_t n = sizeof(lexemes) / sizeof(lexemes[0]);
    struct rows rows = {.n = 0};
    char text[2048];
    size_t len = 0;

    for (size_t i = 0; i < n; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%sc%02zu=%s", i > 0 ? " " : "", i,
                                lexemes[i]);
    CHECK_OK(store_attach(&t, &s), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(0), POLL_OK, text, NULL), t.err);
    CHECK_OK(query->driver->market(query, &args, &arena, &rows, &t.err), t.err);
    CHECK_EQ(rows.n, n);
    for (size_t i = 0; i < rows.n; i++) {
        const struct cell *got = &rows_at(&rows, i)[MARKET_CURRENT_PRICE];
        struct buf shown = BUF_INIT(256);
        struct cell want, back;
        cell_add_json(&shown, got);
        CHECK_EQ(cell_of_num(str_of(lexemes[i]), &want), DEC_OK);
        CHECK_EQ(cell_of_num(buf_str(&shown), &back), DEC_OK);
        CHECK_EQ(got->kind, CELL_NUM);
        /* inexact ones are equal by their texts alone, which may be another form of the number */
        CHECK(back.number == want.number && back.exp == want.exp);
        CHECK(back.is_exact == want.is_exact);
        buf_release(&shown);
    }
}

static uint64_t version(void)
{
    uint64_t is = 0;

    return query->driver->version(query, &is, &t.err) == ST_OK ? is : UINT64_MAX;
}

static int64_t known_at(const char *currency)
{
    int64_t is_us;

    return query->driver->known_at(query, str_of(currency), &is_us, &t.err) == ST_OK ? is_us : -1;
}

/* A server is asked once a second at most: see there. */
static void a_store_tells_of_changes_and_how_new_it_is(void)
{
    struct made_stream usd = made_stream("markets-usd", 1), eur = made_stream("markets-eur", 2);
    struct made_stream more = made_stream("markets-usd-more", 3);
    const bool is_exact = getenv("PGTEST_URL") == NULL;

    CHECK_OK(store_attach(&t, &usd), t.err);
    CHECK_OK(store_attach(&t, &eur), t.err);
    CHECK_OK(store_attach(&t, &more), t.err);
    CHECK_EQ(known_at("usd"), 0);
    const uint64_t before = version();
    CHECK(!is_exact || version() == before);
    CHECK_OK(store_load(&t, &usd, SLOT(0), POLL_OK, "a=1", NULL), t.err);
    CHECK(!is_exact || version() != before);
    const int64_t first_us = known_at("usd");
    CHECK(first_us >= SLOT(0) && first_us < SLOT(1));
    CHECK_EQ(known_at("eur"), 0);
    CHECK_OK(store_load(&t, &more, SLOT(4), POLL_OK, "b=1", NULL), t.err);
    CHECK_OK(store_load(&t, &usd, SLOT(2), POLL_OK, "a=1", NULL), t.err);
    CHECK_EQ(known_at("usd"), first_us + SLOT(4) - SLOT(0));
    CHECK_OK(store_load(&t, &more, SLOT(5), POLL_FAILED, NULL, NULL), t.err);
    CHECK_EQ(known_at("usd"), first_us + SLOT(4) - SLOT(0));
    CHECK_EQ(known_at("nothing"), 0);
}

#define CASES(X)                                                    \
    X(the_market_is_sorted_filtered_and_cut)                        \
    X(the_market_is_that_of_the_last_polls)                         \
    X(what_was_seen_longest_ago_of_some_coins_is_told)              \
    X(coins_that_left_are_gone_though_the_transform_could_not_tell) \
    X(coins_and_currencies_are_listed)                              \
    X(coins_are_those_of_the_list_where_there_is_one)               \
    X(what_no_job_collects_is_not_known)                            \
    X(a_store_tells_of_changes_and_how_new_it_is)                   \
    X(numbers_come_back_exactly)                                    \
    X(an_answer_beyond_the_arena_fails_alone)

#define CASE_IN(function, name, where)  \
    static void name##_##function(void) \
    {                                   \
        begin(where);                   \
        function();                     \
        finish();                       \
    }
#define CASE(function)                   \
    CASE_IN(function, memory, IN_MEMORY) \
    CASE_IN(function, sqlite, IN_FILE)   \
    CASE_IN(function, postgres, ON_SERVER)
CASES(CASE)
CASE_IN(a_store_that_is_not_there_yet_answers_later, sqlite, IN_FILE)
CASE_IN(a_schema_that_is_not_there_yet_answers_later, postgres, ON_SERVER)
CASE_IN(a_server_that_says_nothing_keeps_nobody_waiting, postgres, ON_SERVER)

#define HERE(function)  TAP_CASE(memory_##function), TAP_CASE(sqlite_##function),
#define THERE(function) TAP_CASE(postgres_##function),

/* With a server, those that need one. */
int main(void)
{
    static const struct tap_case here[] = {
        CASES(HERE) TAP_CASE(sqlite_a_store_that_is_not_there_yet_answers_later)};
    static const struct tap_case there[] = {
        CASES(THERE) TAP_CASE(postgres_a_schema_that_is_not_there_yet_answers_later),
        TAP_CASE(postgres_a_server_that_says_nothing_keeps_nobody_waiting)};

    return getenv("PGTEST_URL") ? tap_run(there, sizeof(there) / sizeof(there[0]))
                                : tap_run(here, sizeof(here) / sizeof(here[0]));
}
