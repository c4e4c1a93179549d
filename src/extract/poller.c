/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/poller.h"

#include "base/mem.h"
#include "extract/answer.h"
#include "extract/endpoints.h"

#include <stdio.h>
#include <sys/random.h>
#include <xxhash.h>

#define MAX_URL   (sizeof(((struct extract_api *)0)->base_url) + 2 * ENDPOINT_MAX_TARGET)
#define MAX_ARENA (2 * POLL_MAX_BODY + 1024 * 1024) /* strings unescaped, a body repaired */

enum st poller_init(struct poller *p, const struct extract_setup *setup, struct waiter *waiter,
                    struct err *err)
{
    const struct extract_api *api = &setup->api;
    struct str key = str_of(api->key);

    *p = (struct poller){.api = api, .clock = setup->clock, .status = setup->status};
    p->waiter = waiter;
    limiter_init(&p->limiter, api->calls_per_minute);
    http_answer_init(&p->answer, POLL_MAX_BODY);
    arena_init(&p->arena, MAX_ARENA);
    buf_init(&p->url, MAX_URL);
    buf_init(&p->kept, ANSWER_MAX_KEPT);
    p->random = setup->random_seed;
    if (p->random == 0 && getrandom(&p->random, sizeof(p->random), 0) < 0)
        p->random = (uint64_t)clock_mono_us(p->clock);
    if (key.len > 0 && api->key_header)
        snprintf(p->key_line, sizeof(p->key_line), "%s: %s", api->key_header, api->key);
    p->key_hash = key.len > 0 ? XXH3_64bits(key.p, key.len) : 0;
    budget_init(&p->budget, api->budget, api->is_budget_by_key, api->budget_day, p->key_hash);
    const char *host = strstr(api->base_url, "://");
    host = host ? host + 3 : api->base_url;
    p->base_path_at = (size_t)(host - api->base_url) + strcspn(host, "/");
    p->json = json_new();
    if (p->json == NULL)
        return err_set(err, ST_FATAL, "no memory for the JSON parser");
    return http_client_new(
        &(struct http_client_setup){.user_agent = EXTRACT_USER_AGENT,
                                    .connect_timeout_us = api->connect_timeout_us,
                                    .stall_timeout_us = api->stall_timeout_us,
                                    .max_body = POLL_MAX_BODY},
        &p->http, err);
}

void poller_release(struct poller *p)
{
    http_client_free(p->http);
    http_answer_release(&p->answer);
    json_free(p->json);
    arena_release(&p->arena);
    buf_release(&p->url);
    buf_release(&p->kept);
    budget_release(&p->budget);
    mem_free(p->governor.all);
}

/* splitmix64, S. Vigna */
uint64_t poller_random(struct poller *p)
{
    uint64_t z = p->random += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}
