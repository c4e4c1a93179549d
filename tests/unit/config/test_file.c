/* geckotape.yaml: what it can hold, and every mistake by its line. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "sources.h"

#include <sys/stat.h>

static void a_file_of_all_shapes_is_read(void)
{
    put("geckotape.yaml", "\xEF\xBB\xBF# a comment\n"
                          "---\n"
                          "data: \"./my data\"\n"
                          "sinks:\n"
                          "  - sqlite:./x.db\n"
                          "  - 'null:'\n"
                          "api: {plan: demo, key: CG-abc, rate: 12}\n"
                          "tape:\n"
                          "  keep: 30d\n"
                          "http:\n"
                          "  token: 0123456789abcdef\n"
                          "stop_timeout: 3s\n"
                          "jobs:\n"
                          "  norway: {vs: nok, top: 100, every: 10m}\n"
                          "  few:\n"
                          "    ids:\n"
                          "      - ethereum\n"
                          "      - bitcoin\n"
                          "      - bitcoin\n"
                          "    between: 22:00-04:00\n"
                          "    every: 1m\n"
                          "...\n");
    CHECK_EQ(load(VERB_RUN, NULL, NULL), 0);
    CHECK_Z(config.data, "./my data");
    CHECK_EQ(config.sinks.n, 2);
    CHECK_Z(config.sinks.items[0], "sqlite:./x.db");
    CHECK_EQ(config.api_plan, PLAN_DEMO);
    CHECK_EQ(config.api_rate, 12);
    CHECK_EQ(config.tape_keep_us, 30 * 86400 * US_PER_S);
    CHECK_Z(config.http_token, "0123456789abcdef");
    CHECK_EQ(config.n_jobs, 2);
    CHECK_Z(config.jobs[0].name, "norway");
    CHECK_EQ(config.jobs[0].every_us, 600 * US_PER_S);
    CHECK_EQ(config.jobs[1].ids.n, 2);
    CHECK_Z(config.jobs[1].ids.items[0], "bitcoin");
    CHECK_Z(settings_find(&settings, "jobs.few.every")->origin,
            "geckotape.yaml:21: jobs.few.every");
    CHECK_Z(config.config_file, "geckotape.yaml");
    finish();
}

static void nothing_in_the_file_is_fine(void)
{
    static const char *const files[] = {"", "\n", "# only a comment\n", "---\n", "{}\n"};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        put("geckotape.yaml", files[i]);
        CHECK_EQ(load(VERB_RUN, NULL, NULL), 0);
        CHECK_EQ(config.n_jobs, 1);
    }
    finish();
}

static void five_mistakes_are_named_at_once(void)
{
    put("geckotape.yaml", "api:\n"
                          "  rate: many\n"
                          "  plna: demo\n"
                          "data: a\n"
                          "data: b\n"
                          "sinks: {a: b}\n"
                          "jobs:\n"
                          "  eur: {vs: EURO!}\n");
    CHECK_EQ(load(VERB_RUN, NULL, NULL), 5);
    CHECK(says("geckotape.yaml:2: api.rate: \"many\" is not a number from 0 to 100000\n"));
    CHECK(says("geckotape.yaml:3: api.plna: no such key; did you mean api.plan?\n"));
    CHECK(says("geckotape.yaml:5: data: is given twice; keep one of them\n"));
    CHECK(says("geckotape.yaml:6: sinks: takes a list"));
    CHECK(says("geckotape.yaml:8: jobs.eur.vs: \"EURO!\" is not a currency"));
    finish();
}

static void each_mistake_has_its_line_and_mend(void)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"data: a\n\tb: c\n", ":2: not YAML: "},
        {"data: \"a\n", "not YAML: "},
        {"a\n", ":1: not a map"},
        {"- a\n", ":1: not a map"},
        {"data: a\n---\ndata: b\n", ":2: a second document begins"},
        {"data: a\nstop_timeout: \xff\n", ":2: not UTF-8"},
        {"data: a\nlog: {file: \x01}\n", ":2: not YAML: control characters"},
        {"data: &x a\n", ":1: anchors and aliases"},
        {"data: *x\n", ":1: anchors and aliases"},
        {"jobs: {a: &x {vs: eur}, b: {<<: *x}}\n", ":1: anchors and aliases"},
        {"data: !!str a\n", ":1: tags (!) are not read"},
        {"data: !x a\n", ":1: tags (!) are not read"},
        {"data:\n", ":1: data: has no value"},
        {"data: ~\n", ":1: data: has no value"},
        {"data: ''\n", ":1: data: has no value"},
        {"data: \"a\\0b\"\n", ":1: data: holds a zero byte"},
        {"data: \"a\\nb\"\n", ":1: data: holds control characters"},
        {"data: [a]\n", ":1: data: takes one value"},
        {"data: {a: b}\n", ":1: data: takes one value"},
        {"api: demo\n", ":1: api: takes a map"},
        {"api: [demo]\n", ":1: api: takes a map"},
        {"jobs: [a]\n", ":1: jobs: takes a map"},
        {"jobs: {}\n", ":1: jobs: has no job"},
        {"jobs: {a: 5}\n", ":1: jobs.a: takes a map"},
        {"jobs: {a: }\n", ":1: jobs.a: takes a map"},
        {"jobs: {A: {}}\n", ":1: jobs.A: cannot be a job's name"},
        {"jobs: {../a: {}}\n", ":1: jobs.../a: cannot be a job's name"},
        {"jobs: {a: {}, a: {}}\n", ":1: jobs.a: is given twice"},
        {"jobs: {a: {sinks: x}}\n", ":1: jobs.a.sinks: no such key"},
        {"jobs: {a: {toop: 5}}\n", "did you mean top?"},
        {"jobs: {a: {top: 5, all: true}}\n", ":1: jobs.a.all and top: one or the other"},
        {"jobs: {a: {ids: [x], category: y}}\n", "one or the other"},
        {"jobs: {a: {ids: [x, [y]]}}\n", ":1: jobs.a.ids: an item is one value"},
        {"jobs: {a: {ids: [x, {y: z}]}}\n", ":1: jobs.a.ids: an item is one value"},
        {"jobs: {a: {ids: ['x,,y']}}\n", "nothing between two"},
        {"jobs: {a: {between: 8-18}}\n", ":1: jobs.a.between: \"8-18\" are no hours"},
        {"jobs: {a: {category: A B}}\n", ":1: jobs.a.category: \"A B\" is no id"},
        {"api.url: 'http://a'\napi: {url: 'http://b'}\n",
         ":1: api.url: a key holds no dot; write api: {url: …}\n"},
        {"log: {level.format: json}\n", ":1: log.level.format: a key holds no dot; write level: {"},
        {"jobs.eur.vs: eur\n", "no dot; write jobs: {eur: {vs: …}}\n"},
        {"jobs: {a: {b.vs: eur}}\n", ":1: jobs.a.b.vs: a key holds no dot; write b: {vs: …}\n"},
        {"...: a\n", ":1: "},
        {"sinks: []\n", ":1: sinks: is empty"},
        {"sinks:\n  - null:\n", ":2: sinks: an item is one value, not a list or a map; quote it"},
        {"vs: eur\n", "did you mean jobs.NAME.vs?"},
        {"listen: none\n", "did you mean http.listen?"},
        {"tape: {seal-level: 3}\n", "did you mean tape.seal_level?"},
        {"job: {}\n", "did you mean jobs?"},
        {"lgo: {level: info}\n", "did you mean log?"},
        {"? [a]\n: b\n", ":1: a key is one word"},
        {"zzzzzzzz: {a: {b: [c, {d: e}]}}\n", ":1: zzzzzzzz: no such key"},
        {"zz: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[x\n", "nested deeper than 32"},
        {"api: {key_file: /nowhere/at/all}\n", ":1: api.key_file: /nowhere/at/all: No such file"},
        {"api: {key_file: /dev/null}\n", "is no secret"},
        {"api: {plan: demo, key: a, key_file: secret}\n", "is given by geckotape.yaml:1: api.key"},
        {"api: {key: abcdef}\n", ":1: api.key: a key needs its plan"},
        {"http: {token: short}\n", ":1: http.token: less than 16"},
        {"http: {listen: nowhere}\n", ":1: http.listen: \"nowhere\" is not ADDRESS:PORT"},
        {"api: {url: 'http://u:p@h/api'}\n", ":1: api.url: a base URL has no"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        put("secret", "hidden\n");
        put("geckotape.yaml", rows[i].text);
        size_t n = load(VERB_RUN, NULL, NULL);
        if (n == 0 || !says(rows[i].want) || !is_clean(&problems.text))
            TAP_FAIL("%s: got %s, want %s", rows[i].text, buf_z(&problems.text), rows[i].want);
    }
    finish();
}

static void secrets_are_shown_nowhere(void)
{
    put("secret", "CG-geheim \nsecond line\n");
    put("geckotape.yaml", "api: {plan: demo, key_file: secret}\n");
    CHECK_EQ(load(VERB_RUN, NULL, NULL), 0);
    CHECK_Z(config.api_key, "CG-geheim");
    CHECK(!warns("secret, and everybody"));
    put("geckotape.yaml", "api: {plan: demo, key: \"geheim und\"}\nhttp: {token: geheim}\n");
    CHECK_EQ(load(VERB_RUN, NULL, NULL), 2);
    CHECK(!says("geheim"));
    finish();
}

static void a_secret_that_everybody_may_read_is_one_warning(void)
{
    put("geckotape.yaml", "api: {plan: demo, key: CG-abc}\nhttp: {token: 0123456789abcdef}\n");
    chmod("geckotape.yaml", 0644);
    CHECK_EQ(load(VERB_TAPE, NULL, NULL), 0);
    CHECK_EQ(load(VERB_RUN, ARGS("--every", "1h"), NULL), 0);
    CHECK_Z(buf_z(&problems.warnings), "geckotape.yaml: holds a secret, and everybody may read it; "
                                       "chmod 600 geckotape.yaml\n");
    chmod("geckotape.yaml", 0600);
    CHECK_EQ(load(VERB_RUN, ARGS("--every", "1h"), NULL), 0);
    CHECK_Z(buf_z(&problems.warnings), "");
    finish();
}

static void the_file_that_is_asked_for_must_be_there(void)
{
    put("geckotape.yaml", "data: usual\n");
    put("other.yaml", "data: other\n");
    CHECK_EQ(load(VERB_RUN, ARGS("--config", "other.yaml"), NULL), 0);
    CHECK_Z(config.data, "other");
    CHECK_EQ(load(VERB_RUN, NULL, ARGS("GECKOTAPE_CONFIG=other.yaml")), 0);
    CHECK_Z(config.data, "other");
    CHECK_EQ(load(VERB_RUN, ARGS("--config", "nowhere.yaml"), NULL), 1);
    CHECK(says("nowhere.yaml: No such file or directory; "));
    CHECK_EQ(load(VERB_RUN, ARGS("--config", "."), NULL), 1);
    finish();
}

static void a_file_beyond_all_bounds_is_refused(void)
{
    struct buf b = BUF_INIT((size_t)4 << 20);

    for (int i = 0; i < 200000; i++)
        buf_addf(&b, "k%d: 1\n", i);
    put_bytes("geckotape.yaml", b.p, b.len);
    CHECK_EQ(load(VERB_RUN, NULL, NULL), 1);
    CHECK(says("geckotape.yaml: more than 1048576 bytes"));
    put_bytes("geckotape.yaml", b.p, 500000);
    CHECK(load(VERB_RUN, NULL, NULL) > 0);
    CHECK(says("more than 128 keys"));
    buf_clear(&b);
    buf_add_z(&b, "jobs:\n");
    for (int i = 0; i < 65; i++)
        buf_addf(&b, "  j%d: {top: 1, every: 7d}\n", i);
    put_bytes("geckotape.yaml", b.p, b.len);
    CHECK_EQ(load(VERB_RUN, NULL, NULL), 1);
    CHECK(says("more than 64 jobs"));
    buf_release(&b);
    finish();
}

int main(void)
{
    static const struct tap_case cases[] = {
        TAP_CASE(a_file_of_all_shapes_is_read),
        TAP_CASE(nothing_in_the_file_is_fine),
        TAP_CASE(five_mistakes_are_named_at_once),
        TAP_CASE(each_mistake_has_its_line_and_mend),
        TAP_CASE(secrets_are_shown_nowhere),
        TAP_CASE(a_secret_that_everybody_may_read_is_one_warning),
        TAP_CASE(the_file_that_is_asked_for_must_be_there),
        TAP_CASE(a_file_beyond_all_bounds_is_refused),
    };
    begin();
    return tap_run(cases, sizeof(cases) / sizeof(cases[0]));
}
