/* Every option against wrong type, out of range, empty, huge and hostile values; precedence; the
 * environment. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"
#include "tap.h"

#include "base/clock.h"
#include "base/mem.h"

static struct config config;
static struct opt_problems problems;
static struct settings settings;
static const char *words[4];
static size_t n_words;

static void forget(void)
{
    config_release(&config);
    settings_release(&settings);
    opt_problems_release(&problems);
    config = (struct config){.data = NULL};
    problems = (struct opt_problems)OPT_PROBLEMS_INIT;
}

/* Load NULL-ended arguments and variables for a verb; returns the number of problems. */
static size_t read_all(uint32_t verb, char **args, char **env)
{
    static char *none[] = {NULL};
    struct config_sources sources = {.argv = args, .env = env ? env : none, .dotenv = "/dev/null"};

    forget();
    for (; args && args[sources.argc]; sources.argc++)
        continue;
    config_load(&sources, verb, &config, &settings, words, 4, &n_words, &problems);
    return problems.n;
}

/* argv is only read, but its type says otherwise */
#define ARGS(...) ((char **)(uintptr_t)(const char *const[]){__VA_ARGS__, NULL})

static void defaults_are_what_the_help_says(void)
{
    CHECK_EQ(read_all(VERB_RUN, NULL, NULL), 0);
    CHECK_Z(config.job.vs, "usd");
    CHECK_EQ(config_top(&config.job), 250);
    CHECK_EQ(config_pages(&config.job), 1);
    CHECK_EQ(config_rate(&config), 4);
    CHECK_Z(config.listen, "127.0.0.1:8080");
    CHECK_EQ(config.sinks.n, 0);
    CHECK(!config.is_simulated);
    forget();
}

static void every_option_refuses_what_does_not_fit(void)
{
    static char huge[100001];
    memset(huge, '9', sizeof(huge) - 1);
    static const char *const hostile[] = {"",   "-1",       "nonsense", "1e9",      "0x10", " 5",
                                          "5 ", "\x1b[31m", "%s",       "\xff\xfe", huge};
    for (size_t i = 0; i < n_config_options; i++) {
        const struct opt_def *def = &config_options[i];
        char name[64], *value;
        if (def->kind == OPT_TEXT || def->kind == OPT_LIST || def->kind == OPT_FLAG)
            continue;
        snprintf(name, sizeof(name), "--%s", def->name);
        for (size_t k = 0; k < sizeof(hostile) / sizeof(hostile[0]); k++) {
            value = mem_strdup(hostile[k]);
            size_t n = read_all(def->verbs & -def->verbs, ARGS(name, value), NULL);
            mem_free(value);
            if (n == 0 || strstr(buf_z(&problems.text), name) == NULL)
                TAP_FAIL("%s took \"%.20s\"", name, hostile[k]);
        }
    }
    forget();
}

static void bounds_are_inclusive(void)
{
    CHECK_EQ(read_all(VERB_ONCE, ARGS("--top", "1"), NULL), 0);
    CHECK_EQ(read_all(VERB_ONCE, ARGS("--top=20000"), NULL), 0);
    CHECK_EQ(read_all(VERB_ONCE, ARGS("--top", "20001"), NULL), 1);
    CHECK_EQ(read_all(VERB_ONCE, ARGS("--every", "1s"), NULL), 0);
    CHECK_EQ(read_all(VERB_ONCE, ARGS("--every", "7d"), NULL), 0);
    CHECK_EQ(config.job.every_us, 7 * 86400 * US_PER_S);
    CHECK_EQ(read_all(VERB_ONCE, ARGS("--every", "999ms"), NULL), 1);
    forget();
}

static void a_flag_wins_and_lists_replace_lists(void)
{
    CHECK_EQ(read_all(VERB_RUN, ARGS("--vs", "eur", "--vs", "btc"), ARGS("GECKOTAPE_VS=gbp")), 0);
    CHECK_Z(config.job.vs, "btc");
    CHECK_EQ(read_all(VERB_RUN, NULL, ARGS("GECKOTAPE_SINKS=null:  json:a", "OTHER=x")), 0);
    CHECK_EQ(config.sinks.n, 2);
    CHECK_Z(config.sinks.items[1], "json:a");
    CHECK_EQ(read_all(VERB_RUN, ARGS("--sink", "null:"), ARGS("GECKOTAPE_SINKS=json:a json:b")), 0);
    CHECK_EQ(config.sinks.n, 1);
    CHECK_Z(config.sinks.items[0], "null:");
    forget();
}

static void variables_of_other_verbs_are_left_alone_and_unknown_ones_are_not(void)
{
    CHECK_EQ(read_all(VERB_TAPE, NULL, ARGS("GECKOTAPE_TOP=9", "GECKOTAPE_API_KEY_FILE=/nowhere")),
             0);
    CHECK_EQ(read_all(VERB_RUN, NULL, ARGS("GECKOTAPE_SINK=null:")), 1);
    CHECK(strstr(buf_z(&problems.text), "did you mean GECKOTAPE_SINKS?"));
    CHECK_EQ(read_all(VERB_RUN, NULL, ARGS("GECKOTAPE_=x", "GECKOTAPE_TOP_FILE=/x")), 2);
    forget();
}

static void what_cannot_work_together_is_refused(void)
{
    CHECK_EQ(read_all(VERB_RUN, ARGS("--api-key", "CG-x"), NULL), 1);
    CHECK_EQ(read_all(VERB_RUN, ARGS("--api-plan", "pro"), NULL), 1);
    CHECK_EQ(read_all(VERB_RUN, ARGS("--api-plan", "pro", "--api-key", "CG-x y"), NULL), 1);
    CHECK(strstr(buf_z(&problems.text), "CG-x y") == NULL);
    CHECK_EQ(read_all(VERB_RUN, ARGS("--simulate", "--api-url", "http://127.0.0.1/api/v3"), NULL),
             1);
    CHECK_EQ(read_all(VERB_RUN, ARGS("--top", "1000"), NULL), 1);
    CHECK(strstr(buf_z(&problems.text), "--every 1m fits"));
    CHECK_EQ(read_all(VERB_RUN, ARGS("--top", "1000", "--every", "1m"), NULL), 0);
    CHECK_EQ(read_all(VERB_RUN, ARGS("--vs", "../../etc"), NULL), 1);
    CHECK_EQ(read_all(VERB_RUN, ARGS("--api-url", "http://user:secret@host/api/v3"), NULL), 1);
    CHECK(strstr(buf_z(&problems.text), "secret") == NULL);
    forget();
}

static void listen_takes_addresses_of_both_families(void)
{
    static const struct {
        const char *text, *address;
        int port;
    } rows[] = {
        {"127.0.0.1:8080", "127.0.0.1", 8080},
        {"[::1]:0", "::1", 0},
        {":80", "0.0.0.0", 80},
    };
    static const char *const bad[] = {"", "8080", "127.0.0.1:", "a:65536", "a:-1", "a:x"};
    struct err err = ERR_INIT;
    char address[64];
    int port;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CHECK_OK(config_listen(rows[i].text, address, &port, &err), err);
        CHECK_Z(address, rows[i].address);
        CHECK_EQ(port, rows[i].port);
    }
    CHECK_OK(config_listen("none", address, &port, &err), err);
    CHECK_EQ(port, -1);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK_EQ(config_listen(bad[i], address, &port, &err), ST_REJECT);
}

static void help_is_made_from_the_table(void)
{
    struct buf b = BUF_INIT(1 << 20);
    char name[64];

    opts_help(config_options, n_config_options, VERB_RUN, &b);
    for (size_t i = 0; i < n_config_options; i++) {
        snprintf(name, sizeof(name), "  --%s", config_options[i].name);
        bool is_listed = strstr(buf_z(&b), name) != NULL;
        CHECK_EQ(is_listed, (config_options[i].verbs & VERB_RUN) != 0);
    }
    struct str rest = buf_str(&b), line;
    while (str_cut(&rest, '\n', &line))
        CHECK(line.len <= 104); /* bytes: an ellipsis has three */
    buf_release(&b);
}

TAP_MAIN(TAP_CASE(defaults_are_what_the_help_says),
         TAP_CASE(every_option_refuses_what_does_not_fit), TAP_CASE(bounds_are_inclusive),
         TAP_CASE(a_flag_wins_and_lists_replace_lists),
         TAP_CASE(variables_of_other_verbs_are_left_alone_and_unknown_ones_are_not),
         TAP_CASE(what_cannot_work_together_is_refused),
         TAP_CASE(listen_takes_addresses_of_both_families), TAP_CASE(help_is_made_from_the_table))
