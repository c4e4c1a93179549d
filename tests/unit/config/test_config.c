/* Every option against wrong type, out of range, empty, huge and hostile values; precedence; the
 * environment. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "sources.h"
#include <ctype.h>

static void defaults_are_what_the_help_says(void)
{
    CHECK_EQ(load(VERB_RUN, NULL, NULL), 0);
    CHECK_Z(config.job.vs, "usd");
    CHECK_EQ(config_top(&config.job), 250);
    CHECK_EQ(config_pages(&config.job), 1);
    CHECK_EQ(config_rate(&config), 4);
    CHECK_Z(config.listen, "127.0.0.1:8080");
    CHECK_EQ(config.sinks.n, 0);
    CHECK(!config.is_simulated);
    finish();
}

/* ---- every option, from every source; the rows are the table's own ---- */

enum source { FLAG, VARIABLE, DOTENV, FILE_KEY };

static char huge[100001];
static const struct hostile {
    const char *what, *value;
    bool is_text; /* fine where any text is */
} hostile[] = {
    {"empty", "", false},
    {"a negative number", "-1", true},
    {"a wrong type", "nonsense", true},
    {"a float", "1e9", true},
    {"hexadecimal", "0x10", true},
    {"a number beyond 64 bits", "99999999999999999999999", true},
    {"a duration beyond all bounds", "9223372036854775807d", true},
    {"a duration without a unit", "30 ", true},
    {"an escape sequence", "\x1b[31mred", false},
    {"a format", "%s%n", true},
    {"what is not UTF-8", "a\xff\xfe", false},
    {"another line", "a\nb: c", false},
    {"a path out of here", "../../etc/passwd", true},
    {"huge", huge, false},
};

/* Give one option one value from one source; false where that source cannot say it. */
static bool give(const struct opt_def *def, enum source source, const char *value)
{
    struct buf b = BUF_INIT(1 << 20);
    const char *name = def->env_name ? def->env_name : def->name;
    uint32_t verb = def->verbs & -def->verbs;
    char flag[64];

    if (source == FLAG) {
        snprintf(flag, sizeof(flag), "--%s=", def->name);
        buf_addf(&b, "--%s=%s", def->name, value);
        load(verb, ARGS(b.p), NULL);
    } else if (source == FILE_KEY && def->path) {
        struct str rest = str_of(def->path), group;
        bool is_nested = str_cut(&rest, '.', &group);
        buf_addf(&b, "%.*s: %s", STR_ARG(group), is_nested ? "{" : "");
        if (is_nested)
            buf_addf(&b, "%.*s: ", STR_ARG(rest));
        buf_add_char(&b, '"');
        for (const char *c = value; *c; c++)
            if ((unsigned char)*c < ' ')
                buf_addf(&b, "\\x%02x", (unsigned)*c); /* past libyaml, which refuses them raw */
            else
                buf_add_char(&b, *c);
        buf_add_z(&b, is_nested ? "\"}\n" : "\"\n");
        put("geckotape.yaml", b.p);
        load(verb, NULL, NULL);
        put("geckotape.yaml", NULL);
    } else if (source != FILE_KEY) {
        buf_add_z(&b, "GECKOTAPE_");
        for (const char *c = name; *c; c++)
            buf_add_char(&b, *c == '-' ? '_' : (char)toupper((unsigned char)*c));
        buf_addf(&b, source == DOTENV ? "='%s'\n" : "=%s", value);
        put(".env", source == DOTENV ? b.p : NULL);
        load(verb, NULL, source == VARIABLE ? ARGS(b.p) : NULL);
        put(".env", NULL);
    } else {
        buf_release(&b);
        return false;
    }
    buf_release(&b);
    return true;
}

static void every_option_refuses_what_does_not_fit(void)
{
    memset(huge, '9', sizeof(huge) - 1);
    for (size_t i = 0; i < n_config_options * 4; i++) {
        const struct opt_def *def = &config_options[i / 4];
        enum source source = (enum source)(i % 4);
        bool is_text = def->kind == OPT_TEXT || def->kind == OPT_LIST;
        if (strcmp(def->name, "config") == 0)
            continue; /* names a file: see test_file.c */
        for (size_t k = 0; k < sizeof(hostile) / sizeof(hostile[0]); k++) {
            const struct hostile *h = &hostile[k];
            /* an empty variable is one that is not set */
            bool is_unset = h->value[0] == '\0' && (source == VARIABLE || source == DOTENV);
            if (!give(def, source, h->value))
                continue;
            bool is_named = says(source == FILE_KEY ? "geckotape.yaml:1: "
                                 : source == FLAG   ? def->name
                                                    : "GECKOTAPE_");
            if (!is_clean(&problems.text) || !is_clean(&problems.warnings))
                TAP_FAIL("--%s, source %d, %s: the messages are garbled", def->name, (int)source,
                         h->what);
            if (is_unset && problems.n > 0)
                TAP_FAIL("--%s, source %d: empty is not as if unset", def->name, (int)source);
            if (!is_unset && !(is_text && h->is_text) && !is_named)
                TAP_FAIL("--%s, source %d: took %s", def->name, (int)source, h->what);
        }
    }
    finish();
}

/* A value that fits, by kind; NULL for text, whose form is another test's matter. */
static const char *good_value(const struct opt_def *def, char ret[64])
{
    switch (def->kind) {
    case OPT_FLAG:
        return "true";
    case OPT_INT:
        snprintf(ret, 64, "%lld", (long long)def->max);
        return ret;
    case OPT_DURATION:
        duration_format(def->max, ret);
        return ret;
    case OPT_CHOICE:
        snprintf(ret, 64, "%.*s", (int)strcspn(def->choices, "|"), def->choices);
        return ret;
    case OPT_TEXT:
    case OPT_LIST:
        return NULL;
    }
    return NULL;
}

static void every_option_takes_its_largest_value_from_every_source(void)
{
    for (size_t i = 0; i < n_config_options * 4; i++) {
        const struct opt_def *def = &config_options[i / 4];
        struct buf b = BUF_INIT(1024);
        char text[64];
        const char *value = good_value(def, text);
        if (value == NULL || !give(def, (enum source)(i % 4), value))
            continue;
        /* alone it may not fit the others, but it is bound */
        opts_add_value(def, &config, &b);
        if (strcmp(buf_z(&b), value) != 0)
            TAP_FAIL("--%s, source %zu: %s became %s", def->name, i % 4, value, buf_z(&b));
        buf_release(&b);
    }
    finish();
}

static void every_option_of_the_file_has_a_place_of_its_own(void)
{
    for (size_t i = 0; i < n_config_options; i++) {
        const struct opt_def *def = &config_options[i];
        bool is_job = def->offset >= offsetof(struct config, job) &&
                      def->offset < offsetof(struct config, job) + sizeof(struct job_config);
        CHECK_EQ(is_job, i < n_config_job_options);
        CHECK(!is_job || def->path == NULL);
        for (size_t k = 0; k < i; k++) {
            CHECK(strcmp(def->name, config_options[k].name) != 0);
            CHECK(!def->path || !config_options[k].path ||
                  strcmp(def->path, config_options[k].path) != 0);
        }
    }
}

static void the_nearer_source_wins(void)
{
    put("geckotape.yaml", "api:\n  rate: 1\nsinks: [\"null:\", 'json:a']\n");
    CHECK_EQ(load(VERB_ONCE, NULL, NULL), 0);
    CHECK_EQ(config.api_rate, 1);
    CHECK_EQ(config.sinks.n, 2);
    put(".env", "GECKOTAPE_API_RATE=2\nGECKOTAPE_SINKS='json:b'\n");
    CHECK_EQ(load(VERB_ONCE, NULL, NULL), 0);
    CHECK_EQ(config.api_rate, 2);
    CHECK_EQ(config.sinks.n, 1);
    CHECK_EQ(load(VERB_ONCE, NULL, ARGS("GECKOTAPE_API_RATE=3")), 0);
    CHECK_EQ(config.api_rate, 3);
    CHECK_EQ(load(VERB_ONCE, ARGS("--api-rate", "4"), ARGS("GECKOTAPE_API_RATE=3")), 0);
    CHECK_EQ(config.api_rate, 4);
    CHECK_Z(settings_find(&settings, "api-rate")->origin, "--api-rate");
    finish();
}

static void a_reload_of_the_same_needs_no_restart_and_names_what_does(void)
{
    struct buf b = BUF_INIT(1024);
    struct config old;

    put("geckotape.yaml", "data: ./d\nsinks: ['null:']\njobs: {a: {ids: [x, y]}}\n");
    CHECK_EQ(load(VERB_RUN, ARGS("--log-level", "warn"), NULL), 0);
    old = config;
    config = (struct config){.data = NULL};
    CHECK_EQ(load(VERB_RUN, ARGS("--log-level", "warn"), NULL), 0);
    config_add_restart(&old, &config, &b);
    CHECK_Z(buf_z(&b), "");
    CHECK_EQ(config.n_jobs, 1);
    CHECK(config.sources == &sources);
    /* jobs, sinks and the log level can be taken over */
    put("geckotape.yaml", "data: ./d\njobs: {b: {}}\nlog: {level: debug}\n");
    CHECK_EQ(load(VERB_RUN, NULL, NULL), 0);
    config_add_restart(&old, &config, &b);
    CHECK_Z(buf_z(&b), "");
    put("geckotape.yaml", "data: ./e\nhttp: {listen: none}\napi: {timeout: 5s}\n");
    CHECK_EQ(load(VERB_RUN, NULL, NULL), 0);
    config_add_restart(&old, &config, &b);
    CHECK_Z(buf_z(&b), "--data, --api-timeout, --listen");
    config_release(&old);
    buf_release(&b);
    finish();
}

static void bounds_are_inclusive(void)
{
    CHECK_EQ(load(VERB_ONCE, ARGS("--top", "1"), NULL), 0);
    CHECK_EQ(load(VERB_ONCE, ARGS("--top=20000"), NULL), 0);
    CHECK_EQ(load(VERB_ONCE, ARGS("--top", "20001"), NULL), 1);
    CHECK_EQ(load(VERB_ONCE, ARGS("--every", "1s"), NULL), 0);
    CHECK_EQ(load(VERB_ONCE, ARGS("--every", "7d"), NULL), 0);
    CHECK_EQ(config.job.every_us, 7 * 86400 * US_PER_S);
    CHECK_EQ(load(VERB_ONCE, ARGS("--every", "999ms"), NULL), 1);
    finish();
}

static void a_flag_wins_and_lists_replace_lists(void)
{
    CHECK_EQ(load(VERB_RUN, ARGS("--vs", "eur", "--vs", "btc"), ARGS("GECKOTAPE_VS=gbp")), 0);
    CHECK_Z(config.job.vs, "btc");
    CHECK_EQ(load(VERB_RUN, NULL, ARGS("GECKOTAPE_SINKS=null:  json:a", "OTHER=x")), 0);
    CHECK_EQ(config.sinks.n, 2);
    CHECK_Z(config.sinks.items[1], "json:a");
    CHECK_EQ(load(VERB_RUN, ARGS("--sink", "null:"), ARGS("GECKOTAPE_SINKS=json:a json:b")), 0);
    CHECK_EQ(config.sinks.n, 1);
    CHECK_Z(config.sinks.items[0], "null:");
    finish();
}

static void variables_of_other_verbs_are_left_alone_and_unknown_ones_are_not(void)
{
    CHECK_EQ(load(VERB_TAPE, NULL, ARGS("GECKOTAPE_TOP=9", "GECKOTAPE_API_KEY_FILE=/nowhere")), 0);
    CHECK_EQ(load(VERB_RUN, NULL, ARGS("GECKOTAPE_SINK=null:")), 1);
    CHECK(says("did you mean GECKOTAPE_SINKS?"));
    CHECK_EQ(load(VERB_RUN, NULL, ARGS("GECKOTAPE_=x", "GECKOTAPE_TOP_FILE=/x")), 2);
    finish();
}

static void what_cannot_work_together_is_refused(void)
{
    CHECK_EQ(load(VERB_RUN, ARGS("--api-key", "CG-x"), NULL), 1);
    CHECK_EQ(load(VERB_RUN, ARGS("--api-plan", "pro"), NULL), 1);
    CHECK_EQ(load(VERB_RUN, ARGS("--api-plan", "pro", "--api-key", "CG-x y"), NULL), 1);
    CHECK(!says("CG-x y"));
    CHECK_EQ(load(VERB_RUN, ARGS("--simulate", "--api-url", "http://127.0.0.1/api/v3"), NULL), 1);
    CHECK_EQ(load(VERB_RUN, ARGS("--top", "1000"), NULL), 1);
    CHECK(says("--every 1m fits"));
    CHECK_EQ(load(VERB_RUN, ARGS("--top", "1000", "--every", "1m"), NULL), 0);
    CHECK_EQ(load(VERB_RUN, ARGS("--vs", "../../etc"), NULL), 1);
    CHECK_EQ(load(VERB_RUN, ARGS("--api-url", "http://user:secret@host/api/v3"), NULL), 1);
    CHECK(!says("secret"));
    finish();
}

static void an_address_that_everybody_reaches_is_warned_of(void)
{
    static const char *const open[] = {"0.0.0.0:8080", "[::]:8080", "192.0.2.1:80"};
    static const char *const loopback[] = {"127.0.0.1:8080", "127.1.2.3:80", "[::1]:8080", "none"};

    for (size_t i = 0; i < 3; i++) {
        CHECK_EQ(load(VERB_RUN, ARGS("--listen", open[i]), NULL), 0);
        CHECK(warns("whoever reaches this address can read all that is served"));
        CHECK_EQ(load(VERB_RUN, ARGS("--listen", open[i], "--http-open"), NULL), 0);
        CHECK(!warns("whoever"));
    }
    for (size_t i = 0; i < 4; i++) {
        CHECK_EQ(load(VERB_RUN, ARGS("--listen", loopback[i]), NULL), 0);
        CHECK(!warns("whoever"));
    }
    CHECK_EQ(load(VERB_RUN, ARGS("--listen", "0.0.0.0:1", "--http-login", "me:password"), NULL), 0);
    CHECK(!warns("whoever") && warns("without TLS the network reads"));
    CHECK_EQ(load(VERB_RUN, ARGS("--listen", "0.0.0.0:1", "--http-read-token", "0123456789abcdef"),
                  NULL),
             0);
    CHECK(!warns("whoever"));
    finish();
}

static void certificate_and_key_go_together(void)
{
    CHECK_EQ(load(VERB_RUN, ARGS("--http-tls-cert", "a.pem"), NULL), 1);
    CHECK(says("goes with http.tls_key only"));
    CHECK_EQ(load(VERB_SERVE, ARGS("--http-tls-key", "a.pem"), NULL), 1);
    CHECK(says("goes with http.tls_cert only"));
    CHECK_EQ(load(VERB_RUN,
                  ARGS("--http-tls-cert", "a", "--http-tls-key", "b", "--listen", "0.0.0.0:1",
                       "--http-login", "me:password"),
                  NULL),
             0);
    CHECK(!warns("TLS"));
    finish();
}

static void secrets_of_readers_are_not_to_be_guessed(void)
{
    CHECK_EQ(load(VERB_RUN, ARGS("--http-read-token", "short"), NULL), 1);
    CHECK_EQ(load(VERB_RUN, ARGS("--http-login", "no-colon-in-it"), NULL), 1);
    CHECK(says("is not USER:PASSWORD") && !says("no-colon-in-it"));
    CHECK_EQ(load(VERB_RUN, ARGS("--http-login", ":password"), NULL), 1);
    CHECK_EQ(load(VERB_RUN, ARGS("--http-login", "me:1234567"), NULL), 1);
    CHECK(says("less than 8 characters") && !says("1234567"));
    CHECK_EQ(load(VERB_RUN, ARGS("--http-login", "me:12345678"), NULL), 0);
    CHECK_Z(config.http_login, "me:12345678");
    finish();
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

int main(void)
{
    static const struct tap_case cases[] = {
        TAP_CASE(defaults_are_what_the_help_says),
        TAP_CASE(every_option_refuses_what_does_not_fit),
        TAP_CASE(every_option_takes_its_largest_value_from_every_source),
        TAP_CASE(every_option_of_the_file_has_a_place_of_its_own),
        TAP_CASE(the_nearer_source_wins),
        TAP_CASE(a_reload_of_the_same_needs_no_restart_and_names_what_does),
        TAP_CASE(bounds_are_inclusive),
        TAP_CASE(a_flag_wins_and_lists_replace_lists),
        TAP_CASE(variables_of_other_verbs_are_left_alone_and_unknown_ones_are_not),
        TAP_CASE(what_cannot_work_together_is_refused),
        TAP_CASE(an_address_that_everybody_reaches_is_warned_of),
        TAP_CASE(certificate_and_key_go_together),
        TAP_CASE(secrets_of_readers_are_not_to_be_guessed),
        TAP_CASE(listen_takes_addresses_of_both_families),
        TAP_CASE(help_is_made_from_the_table)};
    begin();
    return tap_run(cases, sizeof(cases) / sizeof(cases[0]));
}
