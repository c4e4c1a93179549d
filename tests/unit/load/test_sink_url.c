/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sink.h"
#include "tap.h"

static struct sink_url url;
static struct err err;

static void url_has_scheme_place_and_options(void)
{
    CHECK_OK(sink_url_parse(STR("json:./my%20data?compress=zstd&keep=7d"), &url, &err), err);
    CHECK_Z(url.scheme, "json");
    CHECK_Z(url.rest, "./my data");
    CHECK_EQ(url.n_options, 2);
    CHECK_Z(sink_url_option(&url, "compress"), "zstd");
    CHECK_Z(sink_url_option(&url, "keep"), "7d");
    CHECK(sink_url_option(&url, "other") == NULL);
    CHECK_Z(url.shown, "json:./my%20data?compress=zstd&keep=7d");
}

static void url_may_be_a_scheme_alone(void)
{
    CHECK_OK(sink_url_parse(STR("null:"), &url, &err), err);
    CHECK_Z(url.scheme, "null");
    CHECK_Z(url.rest, "");
    CHECK_Z(url.shown, "null:");
}

static void url_shows_no_secrets(void)
{
    static const struct {
        const char *text, *shown;
    } rows[] = {
        {"postgres://me:s3cret@host/db", "postgres://me:***@host/db"},
        {"postgres://me:a%40b@host:5432/db?password=x&sslmode=require",
         "postgres://me:***@host:5432/db?password=***&sslmode=require"},
        {"postgres://me:s3/cr@et@host/db", "postgres://me:***@host/db"},
        {"postgres://me@host/a:b", "postgres://me@host/a:b"},
        {"lake+s3://bucket/prefix?secret_key=abc", "lake+s3://bucket/prefix?secret_key=***"},
        {"kafka://u:p@b:1/topic?token=t", "kafka://u:***@b:1/topic?token=***"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CHECK_OK(sink_url_parse(str_of(rows[i].text), &url, &err), err);
        CHECK_Z(url.shown, rows[i].shown);
        CHECK_Z(url.text, rows[i].text);
    }
}

static void url_errors_name_the_place_and_no_secret(void)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "scheme:place"},
        {"market.db", "\"market.db\": a sink is written scheme:place"},
        {"Postgres://u:hidden@h", "\"Postgres:…\": a sink"},
        {"SQLite:x", "scheme:place"},
        {":x", "scheme:place"},
        {"sqlite:100%", "write %25 for %"},
        {"sqlite:a%00b", "write %25 for %"},
        {"json:d?keep", "name=value"},
        {"json:d?=1", "name=value"},
        {"json:d?keep=1d&keep=2d", "given twice"},
        {"json:d?keep=%zz", "write %25 for %"},
        {"json:d\n", "control characters"},
        {"postgres://u:hidden@h/db?x", "name=value"},
        {"postgres://u:p?hidden@h/db", "name=value"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CHECK_EQ(sink_url_parse(str_of(rows[i].text), &url, &err), ST_REJECT);
        if (strstr(err.msg, rows[i].says) == NULL)
            TAP_FAIL("\"%s\": %s", rows[i].text, err.msg);
        CHECK(strstr(err.msg, "hidden") == NULL);
    }
}

static void url_refuses_what_is_too_long(void)
{
    char text[SINK_URL_MAX + 1] = "json:";

    memset(text + 5, 'a', sizeof(text) - 5);
    CHECK_EQ(sink_url_parse((struct str){text, SINK_URL_MAX}, &url, &err), ST_REJECT);
    CHECK_OK(sink_url_parse((struct str){text, SINK_URL_MAX - 1}, &url, &err), err);
}

static void unknown_options_are_refused_by_name(void)
{
    static const char *const known[] = {"keep", "compress", NULL};

    CHECK_OK(sink_url_parse(STR("json:d?keep=1d&kep=2d"), &url, &err), err);
    CHECK_EQ(sink_url_check_options(&url, known, &err), ST_REJECT);
    CHECK(strstr(err.msg, "\"kep\"") && strstr(err.msg, "keep, compress"));
}

static void a_driver_that_is_missing_is_refused_with_those_there_are(void)
{
    const struct sink_driver *driver;

    CHECK_EQ(sink_driver_find(STR("mongodb"), &driver, &err), ST_REJECT);
    CHECK(strstr(err.msg, "\"mongodb:\"") && strstr(err.msg, "it has sqlite:, ") &&
          strstr(err.msg, "json:, ") && strstr(err.msg, "memory:, null:") &&
          !strstr(err.msg, "alerts"));
    for (size_t i = 0; sink_drivers[i]; i++) {
        CHECK_OK(sink_driver_find(str_of(sink_drivers[i]->scheme), &driver, &err), err);
        CHECK(driver == sink_drivers[i]);
        if (driver->example == NULL) /* nobody can name it */
            continue;
        CHECK_OK(sink_url_parse(str_of(driver->example), &url, &err), err);
        CHECK_Z(url.scheme, driver->scheme);
    }
}

TAP_MAIN(TAP_CASE(url_has_scheme_place_and_options), TAP_CASE(url_may_be_a_scheme_alone),
         TAP_CASE(url_shows_no_secrets), TAP_CASE(url_errors_name_the_place_and_no_secret),
         TAP_CASE(url_refuses_what_is_too_long), TAP_CASE(unknown_options_are_refused_by_name),
         TAP_CASE(a_driver_that_is_missing_is_refused_with_those_there_are))
