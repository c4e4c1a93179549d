/* A simulator of a small market for fuzz targets, and one answer of it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_SIMULATOR_H
#define TESTS_FUZZ_SIMULATOR_H

#include "base/json.h"
#include "sim/sim.h"
#include "unit/serve/client.h"

#include <assert.h>

static struct sim *simulator;

static inline void simulator_stop(void)
{
    sim_stop(simulator);
}

/* The port of the one simulator of this process. */
static inline uint16_t simulator_port(void)
{
    const struct sim_setup setup = {
        .address = "127.0.0.1", .n_coins = 12, .seed = 1, .speed = 1, .clock = clock_system()};
    struct err err = ERR_INIT;

    if (!simulator) {
        if (sim_start(&setup, &simulator, &err) != ST_OK)
            abort();
        atexit(simulator_stop);
    }
    return sim_port(simulator);
}

/* Closing resets the connection: else each one keeps its port for a minute, and none are left. */
static inline int simulator_connect(void)
{
    const struct linger reset = {.l_onoff = 1};
    int fd = client_connect(simulator_port());

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    return fd;
}

static inline struct client simulator_get(const char *target)
{
    char request[16384];
    int len = snprintf(request, sizeof(request),
                       "GET %s HTTP/1.1\r\nHost: t\r\nUser-Agent: fuzz\r\n\r\n", target);
    int fd = simulator_connect();

    client_send(fd, (struct str){request, (size_t)len});
    struct client c = client_read(fd, false);
    close(fd);
    return c;
}

/* Abort unless the text is one whole JSON document of an array or an object. */
static inline void check_is_json(struct str text)
{
    struct json *json = json_new();
    struct json_token token;
    struct err err = ERR_INIT;
    struct arena arena;

    arena_init(&arena, 64 << 20);
    enum st st = json_open(json, json_pad(&arena, text), &arena, &err);
    do {
        st = st == ST_OK ? json_next(json, &token, &err) : st;
        assert(st == ST_OK);
        assert(!token.is_bad);
    } while (token.event != JSON_DONE);
    json_free(json);
    arena_release(&arena);
}

#endif
