/* What libpq is given of a postgres: URL. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "load/postgres/url.h"
#include "tap.h"

static struct sink_url url;
static struct postgres_url got;
static struct err err;

/* NULL: libpq decides. */
static const char *value_of(const char *keyword)
{
    for (size_t i = 0; got.keywords && got.keywords[i]; i++)
        if (strcmp(got.keywords[i], keyword) == 0)
            return got.values[i];
    return NULL;
}

static bool read_as(const char *text, bool is_reader)
{
    postgres_url_release(&got);
    return sink_url_parse(str_of(text), &url, &err) == ST_OK &&
           postgres_url_read(&url, is_reader, &got, &err) == ST_OK;
}

static bool read_url(const char *text)
{
    return read_as(text, false);
}

static void a_connection_that_hangs_is_given_up_by_default(void)
{
    CHECK(read_url("postgres://etl@db/market"));
    CHECK_Z(value_of("connect_timeout"), "10");
    CHECK_Z(value_of("keepalives_idle"), "30");
    CHECK_Z(value_of("keepalives_interval"), "10");
    CHECK_Z(value_of("keepalives_count"), "3");
    CHECK_Z(value_of("tcp_user_timeout"), "30000");
    CHECK_Z(value_of("target_session_attrs"), "read-write");
    CHECK_Z(value_of("fallback_application_name"), "geckotape");
}

static void the_url_and_the_environment_come_before_our_defaults(void)
{
    setenv("PGCONNECT_TIMEOUT", "3", 1);
    setenv("PGTARGETSESSIONATTRS", "any", 1);
    CHECK(read_url("postgres://etl@db/market?keepalives_idle=5&application_name=mine"));
    CHECK(value_of("connect_timeout") == NULL && value_of("target_session_attrs") == NULL);
    CHECK_Z(value_of("keepalives_idle"), "5");
    CHECK_Z(value_of("application_name"), "mine");
    CHECK(read_url("postgres://etl@db/market?connect_timeout=4"));
    CHECK_Z(value_of("connect_timeout"), "4");
    unsetenv("PGCONNECT_TIMEOUT");
    unsetenv("PGTARGETSESSIONATTRS");
}

static void who_reads_takes_a_standby_too(void)
{
    CHECK(read_as("postgres://etl@one,two/market", true));
    CHECK_Z(value_of("target_session_attrs"), "any");
    CHECK(read_as("postgres://etl@one,two/market?target_session_attrs=standby", true));
    CHECK_Z(value_of("target_session_attrs"), "standby");
}

static void our_options_are_not_libpqs_wherever_they_stand(void)
{
    static const char *const texts[] = {
        "postgres://etl@db/market?schema=s1&migrate=off&raw=on&partition=day&sslmode=require",
        "postgres://etl@db/market?sslmode=require&schema=s1&migrate=off&partition=day&raw=on",
        "postgres://etl@db/market?raw=on&schema=s1&sslmode=require&partition=day&migrate=off",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        CHECK(read_url(texts[i]));
        CHECK_Z(value_of("sslmode"), "require");
        CHECK_Z(got.schema, "s1");
        CHECK(got.layout == LAYOUT_DAY && got.has_raw && !got.may_migrate);
    }
    CHECK(read_url("postgres://etl@db/market"));
    CHECK_Z(got.schema, "geckotape");
    CHECK(got.layout == LAYOUT_UNSAID && !got.has_raw && got.may_migrate);
}

static void texts_are_utf8_whatever_the_url_says(void)
{
    CHECK(read_url("postgres://etl@db/market?client_encoding=LATIN1"));
    CHECK_Z(value_of("client_encoding"), "UTF8");
}

static void several_hosts_have_their_ports(void)
{
    CHECK(read_url("postgresql://etl@one:5432,two:5433,[::1]:5434/market"));
    CHECK_Z(value_of("host"), "one,two,::1");
    CHECK_Z(value_of("port"), "5432,5433,5434");
}

static void what_is_escaped_reaches_libpq_as_it_is_meant(void)
{
    CHECK(read_url("postgres://et%40l:s3%2Fcr%40et%3F%25@/my%20market?host=/run/pg%20sock"));
    CHECK_Z(value_of("user"), "et@l");
    CHECK_Z(value_of("password"), "s3/cr@et?%");
    CHECK_Z(value_of("dbname"), "my market");
    CHECK_Z(value_of("host"), "/run/pg sock");
    postgres_url_release(&got);
}

TAP_MAIN(TAP_CASE(a_connection_that_hangs_is_given_up_by_default),
         TAP_CASE(the_url_and_the_environment_come_before_our_defaults),
         TAP_CASE(who_reads_takes_a_standby_too),
         TAP_CASE(our_options_are_not_libpqs_wherever_they_stand),
         TAP_CASE(texts_are_utf8_whatever_the_url_says), TAP_CASE(several_hosts_have_their_ports),
         TAP_CASE(what_is_escaped_reaches_libpq_as_it_is_meant))
