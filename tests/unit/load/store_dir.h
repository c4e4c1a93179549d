/* A sink of a store in a fresh directory, opened for one test. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_LOAD_STORE_DIR_H
#define TESTS_UNIT_LOAD_STORE_DIR_H

#include "base/mem.h"
#include "polls.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct test_store {
    char dir[64];
    struct sink_url url;
    struct sink sink;
    struct clock *clock; /* NULL: the system's */
    struct err err;
};

/* format: of the URL, with one %s for the directory. */
static inline void store_make(struct test_store *t, const char *before, const char *after)
{
    char text[256];

    *t = (struct test_store){.err = ERR_INIT};
    snprintf(t->dir, sizeof(t->dir), "/tmp/load-test-XXXXXX");
    if (mkdtemp(t->dir) == NULL)
        abort();
    snprintf(text, sizeof(text), "%s%s%s", before, t->dir, after);
    if (sink_url_parse(str_of(text), &t->url, &t->err) != ST_OK)
        abort();
}

/* In a schema of its own on the server of tests/postgres.py. */
static inline void store_make_on_server(struct test_store *t)
{
    static unsigned n;
    char after[64];
    const char *server = getenv("PGTEST_URL");

    if (server == NULL)
        abort();
    store_make(t, "memory:", ""); /* for its directory */
    snprintf(after, sizeof(after), "&schema=t%ld_%u", (long)getpid(), n++);
    char text[SINK_URL_MAX];
    snprintf(text, sizeof(text), "%s%s", server, after);
    if (sink_url_parse(str_of(text), &t->url, &t->err) != ST_OK)
        abort();
}

static inline void store_shut(struct test_store *t)
{
    if (t->sink.state) {
        t->sink.driver->close(&t->sink);
        mem_free(t->sink.state);
        t->sink.state = NULL;
    }
}

static inline void store_remove(struct test_store *t)
{
    char command[128];

    store_shut(t);
    snprintf(command, sizeof(command), "rm -rf %s", t->dir);
    if (system(command) != 0)
        printf("# %s stays\n", t->dir);
}

static inline enum st store_open(struct test_store *t)
{
    const struct sink_driver *driver;
    bool is_simulated = t->sink.is_simulated;

    if (sink_driver_find(str_of(t->url.scheme), &driver, &t->err) != ST_OK)
        abort();
    t->sink = (struct sink){.driver = driver,
                            .url = &t->url,
                            .clock = t->clock ? t->clock : clock_system(),
                            .is_simulated = is_simulated};
    t->sink.state = mem_new(driver->state_size + 1, 1);
    enum st st = driver->check(&t->url, &t->err);
    return st == ST_OK ? driver->open(&t->sink, &t->err) : st;
}

static inline enum st store_attach(struct test_store *t, const struct made_stream *stream)
{
    struct position at;
    return t->sink.driver->attach(&t->sink, &stream->id, &at, &t->err);
}

static inline enum st store_begin(struct test_store *t, const struct made_stream *stream)
{
    enum st st = store_open(t);
    return st == ST_OK ? store_attach(t, stream) : st;
}

/* Load the stream's next poll; *ret_result may be NULL. */
static inline enum st store_load(struct test_store *t, struct made_stream *stream, int64_t slot_us,
                                 enum poll_outcome outcome, const char *rows,
                                 struct sink_result *ret_result)
{
    struct sink_result result;
    struct made_poll poll;

    made_poll(&poll, stream, slot_us, outcome, rows);
    enum st st =
        t->sink.driver->load(&t->sink, &poll.load, ret_result ? ret_result : &result, &t->err);
    made_release(&poll);
    return st;
}

#endif
