/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "cmd/doctor.h"
#include "load/sink.h"
#include "pipeline/setup.h"
#include "status/status.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_ANSWER ((size_t)16 * 1024 * 1024)

/* ---- what the running process says ---- */

static void say_state(struct doctor *d, struct str url, struct str state, struct str error)
{
    if (str_eq(state, STR("working")) || str_eq(state, STR("starting")))
        doctor_say(d, FINDING_OK, "sink", "%.*s is %.*s, says the running process", STR_ARG(url),
                   STR_ARG(state));
    else
        doctor_say(d, FINDING_FAIL, "sink",
                   "%.*s is %.*s: %.*s; one that waits is tried again, one that stopped needs a "
                   "restart once that is mended",
                   STR_ARG(url), STR_ARG(state), STR_ARG(error));
}

/* The members of one object of "sinks"; its begin was read. */
static enum st read_sink(struct doctor *d, struct json *json, struct err *err)
{
    struct str url = STR("?"), state = STR("?"), error = STR("");
    struct json_token key, value;
    enum st st;

    while ((st = json_next(json, &key, err)) == ST_OK && key.event == JSON_KEY) {
        st = json_next(json, &value, err);
        if (st != ST_OK)
            return st;
        if (value.event == JSON_STRING && str_eq(key.text, STR("url")))
            url = value.text;
        else if (value.event == JSON_STRING && str_eq(key.text, STR("state")))
            state = value.text;
        else if (value.event == JSON_STRING && str_eq(key.text, STR("last_error")))
            error = value.text;
        st = json_skip(json, &value, NULL, err);
        if (st != ST_OK)
            return st;
    }
    if (st == ST_OK)
        say_state(d, url, state, error);
    return st;
}

static enum st read_state(struct doctor *d, struct json *json, struct err *err)
{
    struct json_token token;
    enum st st = json_next(json, &token, err); /* the object's begin */

    while (st == ST_OK && (st = json_next(json, &token, err)) == ST_OK && token.event == JSON_KEY) {
        const bool is_sinks = str_eq(token.text, STR("sinks"));
        st = json_next(json, &token, err);
        if (st != ST_OK)
            return st;
        if (is_sinks && token.event == JSON_ARRAY_BEGIN)
            while ((st = json_next(json, &token, err)) == ST_OK &&
                   token.event == JSON_OBJECT_BEGIN && (st = read_sink(d, json, err)) == ST_OK)
                ;
        else
            st = json_skip(json, &token, NULL, err);
    }
    return st;
}

static void say_states(struct doctor *d)
{
    struct json *json = json_new();
    struct arena arena;
    struct err err = ERR_INIT;

    arena_init(&arena, MAX_ANSWER);
    const struct str padded = json_pad(&arena, buf_str(&d->state));
    enum st st =
        padded.p ? json_open(json, padded, &arena, &err) : err_set(&err, ST_AGAIN, "no memory");
    if (st == ST_OK)
        st = read_state(d, json, &err);
    if (st != ST_OK)
        doctor_say(d, FINDING_FAIL, "sinks", "the running process answers nonsense: %s", err.msg);
    arena_release(&arena);
    json_free(json);
}

/* ---- trying them ---- */

/* A store that is there: read from it, as the page does. */
static enum st try_reading(const struct sink_driver *driver, const struct sink_url *url,
                           struct err *err)
{
    struct query *query;
    struct str *currencies;
    struct arena arena;
    size_t n;

    if (access(url->rest, W_OK) != 0)
        return err_sys(err, ST_REJECT, errno, "%s cannot be written; run as its owner", url->rest);
    enum st st = driver->open_query(url, &query, err);
    if (st != ST_OK)
        return st;
    arena_init(&arena, MAX_ANSWER);
    st = query->driver->currencies(query, &arena, &currencies, &n, err);
    query->driver->close(query);
    arena_release(&arena);
    return st;
}

/* Looking makes no schema, and opening does: a sink is opened only where it has its own. */
static enum st try_opening(struct doctor *d, const struct sink_driver *driver,
                           const struct sink_url *url, struct sink_schema *ret_schema,
                           struct err *err)
{
    struct sink sink = {.driver = driver,
                        .url = url,
                        .clock = clock_system(),
                        .is_simulated = d->config->is_simulated,
                        .state = mem_new(driver->state_size + 1, 1)};
    enum st st = ST_OK;

    *ret_schema = (struct sink_schema){.from = 0, .to = 0};
    if (driver->migrate) {
        st = driver->migrate(&sink, &(struct sink_migrate){.is_dry_run = true}, ret_schema, err);
        driver->close(&sink);
    }
    if (st == ST_OK && ret_schema->from == ret_schema->to) {
        st = driver->open(&sink, err);
        driver->close(&sink);
    }
    mem_free(sink.state);
    return st;
}

/* A sink that is a path is not opened: that would make it, and another program may have it. */
static void try_path(struct doctor *d, const struct sink_driver *driver, const struct sink_url *url)
{
    char parent[FILE_MAX_PATH];
    struct stat info;
    int64_t sync_us;
    struct err err = ERR_INIT;

    if (stat(url->rest, &info) != 0) {
        if (doctor_can_make(url->rest, parent, &err))
            doctor_say(d, FINDING_OK, "sink", "%s will be made", url->shown);
        else
            doctor_say(d, FINDING_FAIL, "sink", "%s cannot be made: %s", url->shown, err.msg);
        return;
    }
    enum st st = ST_OK;
    if (S_ISDIR(info.st_mode))
        st = doctor_try_directory(url->rest, &sync_us, &err) ? ST_OK : ST_REJECT;
    else if (driver->open_query && info.st_size > 0)
        st = try_reading(driver, url, &err);
    if (st == ST_OK)
        doctor_say(d, FINDING_OK, "sink", "%s is there and can be written", url->shown);
    else
        doctor_say(d, st == ST_AGAIN ? FINDING_WARN : FINDING_FAIL, "sink", "%s: %s", url->shown,
                   err.msg);
}

static void try_sink(struct doctor *d, const struct sink_url *url)
{
    const struct sink_driver *driver;
    struct sink_schema schema;
    struct err err = ERR_INIT;

    enum st st = sink_driver_find(str_of(url->scheme), &driver, &err);
    if (st == ST_OK && driver->is_path) {
        try_path(d, driver, url);
        return;
    }
    if (st == ST_OK)
        st = try_opening(d, driver, url, &schema, &err);
    if (st != ST_OK)
        doctor_say(d, FINDING_FAIL, "sink", "%s: %s", url->shown, err.msg);
    else if (schema.from == schema.to)
        doctor_say(d, FINDING_OK, "sink", "%s opens", url->shown);
    else if (schema.from == 0)
        doctor_say(d, FINDING_OK, "sink", "%s answers; its schema will be made", url->shown);
    else
        doctor_say(d, FINDING_OK, "sink",
                   "%s answers; its schema will be brought from version %lld to %lld", url->shown,
                   (long long)schema.from, (long long)schema.to);
}

void doctor_sinks(struct doctor *d)
{
    struct sink_url *urls = mem_new(STATUS_MAX_SINKS, sizeof(*urls));
    size_t n = 0;
    struct err err = ERR_INIT;

    assert(urls != NULL);
    if (d->is_asked)
        say_states(d);
    else if (setup_sinks(d->config, d->data_dir, urls, &n, &err) != ST_OK)
        doctor_say(d, FINDING_FAIL, "sinks", "%s", err.msg);
    for (size_t i = 0; i < n; i++)
        try_sink(d, &urls[i]);
    mem_free(urls);
}
