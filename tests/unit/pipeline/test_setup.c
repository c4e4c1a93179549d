/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/setup.h"

#include "base/buf.h"
#include "base/clock.h"
#include "extract/endpoints.h"
#include "row/tables.h"
#include "tap.h"
#include "transform/transform.h"

#define MINUTE (60 * US_PER_S)

static char usd[] = "usd", layer[] = "layer-1", none[] = "";
static char a[] = "aave", b[] = "bitcoin";
static char *two[] = {a, b};

/* A job is known by its name, and its stream by what it selects: in words that never change. */
static void a_stream_is_told_by_what_it_selects(void)
{
    const struct {
        struct job_config job;
        const char *name; /* NULL: a hash of the ids is in it */
        const char *selection;
    } rows[] = {
        {{.vs = usd}, "markets-usd", "top=250"},
        {{.vs = usd, .top = 7}, "markets-usd-top7", "top=7"},
        {{.vs = usd, .is_all = true}, "markets-usd-all", "all"},
        {{.vs = usd, .category = layer}, "markets-usd-cat-layer-1", "category=layer-1"},
        {{.vs = usd, .category = layer, .top = 9},
         "markets-usd-cat-layer-1-top9",
         "category=layer-1&top=9"},
        {{.vs = usd, .ids = {two, 2}}, NULL, "ids=aave,bitcoin"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct job_config job = rows[i].job;
        struct stream_id id;
        job.category = job.category ? job.category : none;
        setup_stream_id(&job, &id);
        CHECK_Z(id.selection, rows[i].selection);
        CHECK_Z(id.endpoint, "coins/markets");
        CHECK_Z(id.vs_currency, "usd");
        if (rows[i].name)
            CHECK_Z(id.job, rows[i].name);
    }
}

static void a_stream_of_another_endpoint_has_no_currency(void)
{
    static const struct {
        struct job_config job;
        const char *endpoint, *name, *selection, *what;
    } rows[] = {
        {{.endpoint = ENDPOINT_LIST, .vs = usd},
         "coins/list",
         "coins-list",
         "all",
         "all of coins/list, every 1h"},
        {{.endpoint = ENDPOINT_LIST, .vs = usd, .is_inactive = true},
         "coins/list",
         "coins-list-inactive",
         "inactive",
         "inactive of coins/list, every 1h"},
        {{.endpoint = ENDPOINT_GLOBAL, .vs = usd},
         "global",
         "global",
         "all",
         "all of global, every 10m"},
        {{.endpoint = ENDPOINT_CURRENCIES, .vs = usd},
         "simple/supported_vs_currencies",
         "vs-currencies",
         "all",
         "all of simple/supported_vs_currencies, every 1h"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct job_config config = rows[i].job, selected;
        struct extract_job job = {.status = 0};
        struct status_job shown;
        struct err err = ERR_INIT;

        config.category = none;
        setup_stream_id(&config, &job.id);
        CHECK_Z(job.id.endpoint, rows[i].endpoint);
        CHECK_Z(job.id.job, rows[i].name);
        CHECK_Z(job.id.selection, rows[i].selection);
        CHECK_Z(job.id.vs_currency, "");
        setup_copy_selection(&config, &selected);
        CHECK_OK(setup_job(&config, &selected, &job, &err), err);
        CHECK_EQ(job.selection.kind, SELECT_WHOLE);
        CHECK_EQ(job.selection.is_inactive, config.is_inactive);
        setup_status_job(&job, &shown);
        CHECK_Z(shown.what, rows[i].what);
        setup_release_selection(&selected);
    }
}

/* What can be asked for can be fetched, made into rows and stored. */
static void every_endpoint_is_known_in_each_stage(void)
{
    for (int i = 0; i < N_JOB_ENDPOINTS; i++) {
        const char *name = config_endpoint(&(struct job_config){.endpoint = i});
        CHECK(endpoint_find(name) != NULL);
        CHECK(transform_knows(name));
        CHECK(row_table_of(name) < N_ROW_TABLES);
    }
    /* charts are of one coin, and asked for once: no job does */
    CHECK_EQ(N_JOB_ENDPOINTS, N_ROW_TABLES - 2);
}

static void a_list_too_long_for_an_identity_is_told_by_its_hash(void)
{
    static char texts[400][16];
    static char *ids[400];
    struct job_config job = {.vs = usd, .category = none, .ids = {ids, 400}};
    struct stream_id id, other;

    for (size_t i = 0; i < 400; i++) {
        snprintf(texts[i], sizeof(texts[i]), "coin-%04zu", i);
        ids[i] = texts[i];
    }
    setup_stream_id(&job, &id);
    CHECK(str_starts(str_of(id.selection), STR("ids#")));
    CHECK_EQ(strlen(id.selection), 4 + 16);
    setup_stream_id(&job, &other);
    CHECK_Z(other.selection, id.selection);
    texts[399][5] = '9';
    setup_stream_id(&job, &other);
    CHECK(strcmp(other.selection, id.selection) != 0);
    job.ids.n = 25; /* 4 + 25 * 10 - 1 = 253 bytes */
    setup_stream_id(&job, &id);
    CHECK(str_starts(str_of(id.selection), STR("ids=coin-0000,")));
    CHECK_EQ(strlen(id.selection), 253);
    job.ids.n = 26;
    setup_stream_id(&job, &id);
    CHECK(str_starts(str_of(id.selection), STR("ids#")));
}

static void a_job_has_its_own_copy_and_hours(void)
{
    struct job_config config = {
        .vs = usd, .category = none, .ids = {two, 2}, .every_us = MINUTE, .between = none};
    char evening[] = "22:00-06:30";
    struct job_config selected;
    struct extract_job job = {.status = 0};
    struct status_job shown;
    struct err err = ERR_INIT;

    setup_stream_id(&config, &job.id);
    setup_copy_selection(&config, &selected);
    CHECK(selected.ids.items[0] != two[0]);
    CHECK_OK(setup_job(&config, &selected, &job, &err), err);
    CHECK_EQ(job.selection.kind, SELECT_IDS);
    CHECK_EQ(job.selection.n_ids, 2);
    CHECK_Z(job.selection.ids[1], "bitcoin");
    CHECK_EQ(job.grid.from_us, job.grid.to_us);
    setup_status_job(&job, &shown);
    CHECK_Z(shown.what, "2 ids of coins/markets in usd, every 1m");
    config.between = evening;
    CHECK_OK(setup_job(&config, &selected, &job, &err), err);
    setup_status_job(&job, &shown);
    CHECK_Z(shown.what, "2 ids of coins/markets in usd, every 1m between 22:00-06:30 UTC");
    config.between = b;
    CHECK_EQ(setup_job(&config, &selected, &job, &err), ST_REJECT);
    setup_release_selection(&selected);
    CHECK_EQ(selected.ids.n, 0);
}

/* config/ may not know the simulator's table. */
static void plans_of_the_option_are_those_of_the_simulator(void)
{
    struct str left = STR_NONE, name;
    size_t n = 0;

    for (size_t i = 0; i < n_config_options; i++)
        if (strcmp(config_options[i].name, "plan") == 0)
            left = str_of(config_options[i].choices);
    for (; left.len > 0; n++) {
        str_cut(&left, '|', &name);
        CHECK(n < n_sim_plans);
        CHECK_STR(name, sim_plans[n].api.name);
    }
    CHECK_EQ(n, n_sim_plans);
}

TAP_MAIN(TAP_CASE(a_stream_is_told_by_what_it_selects),
         TAP_CASE(a_stream_of_another_endpoint_has_no_currency),
         TAP_CASE(every_endpoint_is_known_in_each_stage),
         TAP_CASE(a_list_too_long_for_an_identity_is_told_by_its_hash),
         TAP_CASE(a_job_has_its_own_copy_and_hours),
         TAP_CASE(plans_of_the_option_are_those_of_the_simulator))
