/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/upstream.h"

#include "base/log.h"
#include "base/mem.h"
#include "pipeline/setup.h"
#include "pipeline/streams.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

struct upstream_alone {
    struct tape *tape;
    struct streams streams;
    struct extract *extract;
    struct serve *serve;
    int64_t max_age_us;
    pthread_t thread;
    bool is_running;
    enum st st; /* of the thread, once that is over */
    struct err err;
};

void upstream_stream_id(struct stream_id *ret_id)
{
    *ret_id = (struct stream_id){.job = TAPE_UPSTREAM};
    snprintf(ret_id->endpoint, sizeof(ret_id->endpoint), "%s", TAPE_UPSTREAM);
    snprintf(ret_id->selection, sizeof(ret_id->selection), "all");
}

uint64_t upstream_fetch(void *extract, struct str target, int64_t wait_us)
{
    return extract_fetch(extract, target, wait_us);
}

void upstream_fetched(struct serve *s, uint64_t ticket, const struct extract_fetched *fetched)
{
    static const enum serve_fetch_end ends[] = {
        [FETCH_ANSWERED] = SERVE_ANSWERED, [FETCH_NO_ANSWER] = SERVE_NO_ANSWER,
        [FETCH_NO_TURN] = SERVE_NO_TURN,   [FETCH_NOT_KEPT] = SERVE_NOT_KEPT,
        [FETCH_STOPPED] = SERVE_STOPPED,
    };

    serve_fetched(s, ticket,
                  &(struct serve_fetched){.end = ends[fetched->end],
                                          .is_good = fetched->is_good,
                                          .status = (int)fetched->status,
                                          .headers = fetched->headers,
                                          .body = fetched->body,
                                          .wait_us = fetched->wait_us,
                                          .error = fetched->error});
}

/* ---- alone ---- */

static void on_fetched(void *ctx, uint64_t ticket, const struct extract_fetched *fetched)
{
    const struct upstream_alone *u = ctx;

    upstream_fetched(u->serve, ticket, fetched);
}

static enum st open_extract(struct upstream_alone *u, const struct config *config,
                            struct status *status, struct err *err)
{
    struct extract_setup setup = {
        .was_killed = tape_was_left(u->tape),
        .clock = clock_system(),
        .status = status,
        .events = {.ctx = u, .fetched = on_fetched},
    };
    struct stream_id id;
    struct stream *stream;
    bool is_new;

    setup_api(config, &setup.api);
    upstream_stream_id(&id);
    streams_init(&u->streams, u->tape, setup.clock, status);
    enum st st = streams_check_room(&u->streams, &id, err);
    if (st == ST_OK)
        st = streams_open(&u->streams, &id, &stream, &is_new, err);
    if (st != ST_OK)
        return st;
    setup.upstream = &stream->job;
    st = extract_new(&setup, &u->extract, err);
    if (st == ST_OK && extract_has_settled(u->extract))
        tape_settle(u->tape);
    return st;
}

enum st upstream_open(const struct config *config, const char *data_dir, struct status *status,
                      struct upstream_alone **ret_upstream, struct err *err)
{
    struct upstream_alone *u = mem_new(1, sizeof(*u));

    u->max_age_us = config->upstream_max_age_us;
    enum st st = setup_mark_simulated(config, data_dir, err);
    if (st == ST_OK)
        st = tape_open(data_dir, &u->tape, err);
    if (st == ST_OK)
        st = open_extract(u, config, status, err);
    if (st != ST_OK) {
        upstream_close(u);
        return st;
    }
    *ret_upstream = u;
    return ST_OK;
}

struct serve_upstream upstream_for_serve(struct upstream_alone *u)
{
    return (struct serve_upstream){
        .fetch = upstream_fetch, .ctx = u->extract, .max_age_us = u->max_age_us};
}

static void *extract_main(void *arg)
{
    struct upstream_alone *u = arg;

    u->st = extract_run(u->extract, &u->err);
    if (u->st != ST_OK) {
        log_error("extract", "cannot go on", LOG_Z("error", u->err.msg));
        kill(getpid(), SIGTERM);
    }
    return NULL;
}

enum st upstream_start(struct upstream_alone *u, struct serve *serve, struct err *err)
{
    u->serve = serve;
    int rc = pthread_create(&u->thread, NULL, extract_main, u);
    if (rc != 0)
        return err_sys(err, ST_FATAL, rc, "start a thread");
    u->is_running = true;
    return ST_OK;
}

bool upstream_is_stuck(const struct upstream_alone *u, int64_t patience_us)
{
    return u && u->is_running && pulse_is_late(extract_pulse(u->extract), patience_us);
}

enum st upstream_stop(struct upstream_alone *u, struct err *err)
{
    if (u == NULL || !u->is_running)
        return ST_OK;
    extract_stop(u->extract);
    pthread_join(u->thread, NULL);
    u->is_running = false;
    if (u->st != ST_OK)
        *err = u->err;
    return u->st;
}

void upstream_close(struct upstream_alone *u)
{
    if (u == NULL)
        return;
    extract_free(u->extract);
    streams_release(&u->streams);
    tape_close(u->tape);
    mem_free(u);
}
