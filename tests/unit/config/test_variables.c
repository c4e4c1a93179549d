/* `.env` among other programs, and the names of the program that geckotape takes the place of. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "sources.h"

static void a_shared_dotenv_works(void)
{
    put(".env", "\xEF\xBB\xBF# shared by compose, a database and us\r\n"
                "DATABASE_URL=postgres://u:p@h/db?x=${Y}\r\n"
                "PRIVATE_KEY=\"-----BEGIN\n"
                "GECKOTAPE_NONSENSE=inside another program's value\n"
                "-----END\"\n"
                "this is no assignment at all\n"
                "=nor this\n"
                "export  GECKOTAPE_VS = eur   # of the branch office\n"
                "GECKOTAPE_TOP='100'\r\n"
                "GECKOTAPE_LOG_FILE=\"a \\\"b\\\" #c\"\n"
                "GECKOTAPE_DATA=\n"
                "GECKOTAPE_EVERY=1m#5\n"
                "GECKOTAPE_EVERY=5m");
    CHECK_EQ(load(VERB_RUN, NULL, NULL), 0);
    CHECK_Z(config.jobs[0].vs, "eur");
    CHECK_EQ(config.jobs[0].top, 100);
    CHECK_EQ(config.jobs[0].every_us, 300 * US_PER_S);
    CHECK_Z(config.log_file, "a \"b\" #c");
    CHECK_Z(config.data, "");
    CHECK_Z(settings_find(&settings, "vs")->origin, ".env:8: GECKOTAPE_VS");
    CHECK(warns(".env:13: GECKOTAPE_EVERY: takes the place of .env:12: GECKOTAPE_EVERY"));
    finish();
}

static void each_mistake_in_dotenv_has_its_line(void)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"GECKOTAPE_TOPP=5",
         ".env:1: GECKOTAPE_TOPP: no such setting; did you mean GECKOTAPE_TOP?"},
        {"\n\nGECKOTAPE_TOP=many", ".env:3: GECKOTAPE_TOP: \"many\" is not a number"},
        {"GECKOTAPE_TOP", ".env:1: GECKOTAPE_TOP: no = behind the name"},
        {"GECKOTAPE_TOP: 5", ".env:1: GECKOTAPE_TOP: no = behind the name"},
        {"GECKOTAPE_TOP=\"5", ".env:1: GECKOTAPE_TOP: nothing closes the quote"},
        {"GECKOTAPE_TOP='5' 6", ".env:1: GECKOTAPE_TOP: something follows"},
        {"GECKOTAPE_DATA=$HOME/x", ".env:1: GECKOTAPE_DATA: variables are not expanded"},
        {"GECKOTAPE_DATA=\"${HOME}/x\"", ".env:1: GECKOTAPE_DATA: variables are not expanded"},
        {"GECKOTAPE_DATA=\"a\\nb\"", ".env:1: GECKOTAPE_DATA: holds control characters"},
        {"X=\"a\nb\"\nGECKOTAPE_TOP=x", ".env:3: GECKOTAPE_TOP: "},
        {"GECKOTAPE_API_KEY_FILE=/nowhere/k",
         ".env:1: GECKOTAPE_API_KEY_FILE: /nowhere/k: No such"},
        {"GECKOTAPE_API_KEY=a\nGECKOTAPE_API_KEY_FILE=secret",
         "is given by .env:1: GECKOTAPE_API_KEY"},
        {"PER_PAGE=251", ".env:1: PER_PAGE: \"251\" is not a number from 1 to 250"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        put("secret", "x\n");
        put(".env", rows[i].text);
        size_t n = load(VERB_RUN, NULL, NULL);
        if (n == 0 || !says(rows[i].want) || !is_clean(&problems.text))
            TAP_FAIL("%s: got %s, want %s", rows[i].text, buf_z(&problems.text), rows[i].want);
    }
    finish();
}

static void a_dollar_is_kept_where_no_variable_is_meant(void)
{
    put(".env", "GECKOTAPE_LOG_FILE='$a ${b}'\nGECKOTAPE_DATA=\"\\$x 5$ $5\"\n");
    CHECK_EQ(load(VERB_RUN, NULL, NULL), 0);
    CHECK_Z(config.log_file, "$a ${b}");
    CHECK_Z(config.data, "$x 5$ $5");
    finish();
}

static void a_dotenv_that_is_a_directory_is_somebody_elses(void)
{
    static char *none[] = {NULL};

    forget();
    sources = (struct config_sources){.env = none, .dotenv = "/tmp"};
    config_load(&sources, VERB_RUN, &config, &settings, words, 4, &n_words, &problems);
    CHECK_EQ(problems.n, 0);
    finish();
}

static void the_seeds_names_work(void)
{
    static const struct {
        const char *url, *vs, *page, *own; /* own: one of ours beside them */
        const char *want_url, *want_vs;
        int64_t want_top;
        const char *want_name;
    } rows[] = {
        {"", "", "", "X=", "", "usd", 0, "markets-usd"},
        {"https://h/api/v3", "", "", "X=", "https://h/api/v3", "usd", 0, "markets-usd"},
        {"https://h/api/v3/", "eur", "", "X=", "https://h/api/v3", "eur", 0, "markets-eur"},
        {"", "eur", "100", "X=", "", "eur", 100, "markets-eur-top100"},
        {"https://h/api/v3/coins/markets", "", "", "X=", "https://h/api/v3", "usd", 0,
         "markets-usd"},
        {"https://h/api/v3/coins/markets?vs_currency=eur&order=market_cap_desc&per_page=50&page=1"
         "&sparkline=false",
         "", "", "X=", "https://h/api/v3", "eur", 50, "markets-eur-top50"},
        {"https://h/api/v3/coins/markets?vs_currency=eur&per_page=50", "gbp", "7",
         "X=", "https://h/api/v3", "gbp", 7, "markets-gbp-top7"},
        {"https://h/api/v3/coins/markets?vs_currency=eur", "gbp", "7", "GECKOTAPE_TOP=9",
         "https://h/api/v3", "gbp", 9, "markets-gbp-top9"},
        {"https://h/api/v3", "", "", "GECKOTAPE_API_URL=https://i", "https://i", "usd", 0,
         "markets-usd"},
        {"https://h/coins/markets?ids=b%2Ca", "", "", "X=", "https://h", "usd", 0,
         "markets-usd-ids-08876b46"},
        {"https://h/coins/markets?category=layer-1", "", "5", "X=", "https://h", "usd", 5,
         "markets-usd-cat-layer-1-top5"},
    };
    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        const char *const *texts[] = {&rows[i / 2].url, &rows[i / 2].vs, &rows[i / 2].page};
        static const char *const names[] = {"COINGECKO_URL", "VS_CURRENCY", "PER_PAGE"};
        struct buf lines[4] = {BUF_INIT(4096), BUF_INIT(4096), BUF_INIT(4096), BUF_INIT(16384)};
        char name[64];
        for (size_t k = 0; k < 3; k++) {
            buf_addf(&lines[k], "%s=%s", names[k], *texts[k]);
            buf_addf(&lines[3], "%s\n", lines[k].p);
        }
        buf_add_z(&lines[3], rows[i / 2].own);
        put(".env", i % 2 ? lines[3].p : NULL);
        size_t n = load(VERB_RUN, NULL,
                        i % 2 ? NULL : ARGS(lines[0].p, lines[1].p, lines[2].p, rows[i / 2].own));
        config_job_name(&config.jobs[0], name);
        if (n > 0 || strcmp(config.api_url, rows[i / 2].want_url) != 0 ||
            strcmp(config.jobs[0].vs, rows[i / 2].want_vs) != 0 ||
            config.jobs[0].top != rows[i / 2].want_top || strcmp(name, rows[i / 2].want_name) != 0)
            TAP_FAIL("row %zu: %s %s %lld %s: %s", i, config.api_url, config.jobs[0].vs,
                     (long long)config.jobs[0].top, name, buf_z(&problems.text));
        for (size_t k = 0; k < 4; k++)
            buf_release(&lines[k]);
    }
    finish();
}

static void a_wrong_url_is_not_repeated(void)
{
    static const char *const urls[] = {
        "ftp://u:SECRET@h/api",
        "x_cg_pro_api_key=SECRET",
        "SECRET",
        "http://u:SECRET@h/api",
        "https://h/api?x_cg_pro_api_key=SECRET",
        "https://h/api#SECRET",
    };
    char variable[128];

    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        CHECK_EQ(load(VERB_RUN, ARGS("--api-url", urls[i]), NULL), 1);
        CHECK(says("--api-url: ") && !says("SECRET"));
        snprintf(variable, sizeof(variable), "COINGECKO_URL=%s", urls[i]);
        CHECK_EQ(load(VERB_RUN, NULL, ARGS(variable)), 1);
        CHECK(says("COINGECKO_URL: ") && !says("SECRET"));
    }
    CHECK_EQ(load(VERB_RUN, ARGS("-api-key=SECRET"), NULL), 1);
    CHECK(says("-api-key: options start with two dashes") && !says("SECRET"));
    finish();
}

static void what_a_url_of_the_seed_cannot_have_is_said(void)
{
    CHECK_EQ(load(VERB_RUN, NULL, ARGS("COINGECKO_URL=https://h/api?x=y")), 1);
    CHECK(says("COINGECKO_URL: only …/coins/markets may have a query"));
    CHECK_EQ(load(VERB_RUN, NULL, ARGS("COINGECKO_URL=https://h/coins/markets?per_page=251")), 1);
    CHECK(says("from 1 to 250"));
    CHECK_EQ(load(VERB_RUN, NULL, ARGS("COINGECKO_URL=ftp://h/api")), 1);
    CHECK(says("COINGECKO_URL: not a URL of http or https; write https://"));
    CHECK_EQ(load(VERB_RUN, NULL, ARGS("COINGECKO_URL=https://h/coins/markets?ids=%zz")), 1);
    CHECK_EQ(
        load(VERB_RUN, NULL, ARGS("COINGECKO_URL=https://h/coins/markets?order=id_asc&page=2")), 0);
    CHECK(warns("order is not asked for") && warns("page is not asked for"));
    finish();
}

static void a_key_in_the_seeds_url_is_taken_and_not_shown(void)
{
    CHECK_EQ(load(VERB_RUN, ARGS("--every", "1h"),
                  ARGS("COINGECKO_URL=https://h/coins/markets?x_cg_demo_api_key=CG-geheim")),
             0);
    CHECK_Z(config.api_key, "CG-geheim");
    CHECK_EQ(config.api_plan, PLAN_DEMO);
    CHECK_Z(config.api_url, "https://h");
    CHECK(!warns("geheim"));
    finish();
}

static void postgres_makes_a_sink_beside_the_default_ones(void)
{
    put(".env", "POSTGRES_HOST=db\nPOSTGRES_PASSWORD='pa$$word /@'\nPOSTGRES_DB=\n");
    CHECK_EQ(load(VERB_RUN, NULL, ARGS("POSTGRES_USER=me")), 0);
    CHECK_Z(buf_z(&problems.warnings), "");
    CHECK_EQ(config.sinks.n, 0);
    CHECK_Z(config.seed_sink, "postgres://me:pa%24%24word%20%2F%40@db:5432/me");
    CHECK_EQ(
        load(VERB_RUN, NULL, ARGS("POSTGRES_HOST=::1", "POSTGRES_PORT=6432", "POSTGRES_DB=a b")),
        0);
    CHECK_Z(config.seed_sink, "postgres://postgres:pa%24%24word%20%2F%40@[::1]:6432/a%20b");
    put("secret", "from a file\n");
    put(".env", "POSTGRES_HOST=/run/pg\nPOSTGRES_PASSWORD_FILE=secret\n");
    CHECK_EQ(load(VERB_RUN, NULL, NULL), 0);
    CHECK_Z(config.seed_sink, "postgres://postgres:from%20a%20file@%2Frun%2Fpg:5432/postgres");
    CHECK_EQ(load(VERB_RUN, NULL, ARGS("POSTGRES_PORT=99999")), 1);
    finish();
}

static void postgres_without_a_host_is_one_warning_and_no_sink(void)
{
    put(".env", "POSTGRES_PASSWORD=\"pa$$word ${x}\"\nPOSTGRES_DB=\n");
    CHECK_EQ(load(VERB_RUN, NULL, ARGS("POSTGRES_USER=me")), 0);
    CHECK_Z(buf_z(&problems.warnings),
            "POSTGRES_USER, POSTGRES_PASSWORD: without POSTGRES_HOST they make no sink\n");
    CHECK(config.seed_sink == NULL);
    CHECK_EQ(load(VERB_QUERY, NULL, NULL), 0);
    CHECK_Z(buf_z(&problems.warnings), "");
    finish();
}

static void the_simulator_leaves_a_configured_api_alone(void)
{
    CHECK_EQ(load(VERB_RUN, ARGS("--simulate"), ARGS("COINGECKO_URL=https://h/api")), 0);
    CHECK_Z(config.api_url, "");
    CHECK_EQ(load(VERB_RUN, ARGS("--simulate", "--api-url", "http://h"), NULL), 1);
    finish();
}

int main(void)
{
    static const struct tap_case cases[] = {
        TAP_CASE(a_shared_dotenv_works),
        TAP_CASE(each_mistake_in_dotenv_has_its_line),
        TAP_CASE(a_dollar_is_kept_where_no_variable_is_meant),
        TAP_CASE(a_dotenv_that_is_a_directory_is_somebody_elses),
        TAP_CASE(the_seeds_names_work),
        TAP_CASE(a_wrong_url_is_not_repeated),
        TAP_CASE(what_a_url_of_the_seed_cannot_have_is_said),
        TAP_CASE(a_key_in_the_seeds_url_is_taken_and_not_shown),
        TAP_CASE(postgres_makes_a_sink_beside_the_default_ones),
        TAP_CASE(postgres_without_a_host_is_one_warning_and_no_sink),
        TAP_CASE(the_simulator_leaves_a_configured_api_alone),
    };
    begin();
    return tap_run(cases, sizeof(cases) / sizeof(cases[0]));
}
