/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/sim.h"

#include "base/mem.h"
#include "serve/api_v3.h"
#include "sim/cache.h"
#include "sim/market.h"

#include <stdatomic.h>
#include <xxhash.h>

#define PAGE_SIMULATED \
    "SIMULATED market by geckotape " GECKOTAPE_VERSION ": no price here is real.\n\n"
#define PAGE_REPLAYED                                                                     \
    "SIMULATED API by geckotape " GECKOTAPE_VERSION ", REPLAYED from a tape: the market " \
    "of the moment that X-Simulated-Time tells.\n\n"
#define PAGE_WHERE                            \
    "The API is below /api/v3, for example\n" \
    "/api/v3/coins/markets?vs_currency=usd&per_page=250\n"
#define MAX_ANSWER_MEMORY (128u * 1024 * 1024) /* the whole market of 20,000 coins: 70 MB */

/* The clock of the setup, some time ago. */
struct late_clock {
    struct clock clock;
    struct clock *inner;
    int64_t lag_us;
};

struct sim {
    struct sim_setup setup;
    struct late_clock market_clock;
    struct market *market; /* NULL: there is another source */
    struct liar liar;
    struct api_v3 api;
    struct http_server *http;
    atomic_uint_fast64_t n_requests;
    struct account account;
    struct cache cache;
    int64_t started_us;
    int64_t source_us; /* the source's moment */
};

/* The faults of one request. */
struct due {
    const struct fault_kind *kinds[SIM_MAX_FAULTS];
    size_t n;
    const struct fault_kind *error; /* the first that is one; NULL */
};

static struct due find_faults(const struct sim *s, uint64_t request)
{
    const int64_t elapsed_us = clock_mono_us(s->setup.clock) - s->started_us;
    struct due due = {.n = 0};

    for (size_t i = 0; i < s->setup.n_faults; i++) {
        const struct fault *f = &s->setup.faults[i];
        const bool is_error = f->kind->error != ERROR_NONE;
        if (!fault_is_due(f, request, elapsed_us, s->setup.seed) || (is_error && due.error))
            continue;
        if (is_error)
            due.error = f->kind;
        due.kinds[due.n++] = f->kind;
    }
    return due;
}

/* What the market is to be asked like, as of age_us ago. */
static void begin_lies(struct sim *s, const struct due *due, uint64_t request, int64_t age_us)
{
    struct liar *l = &s->liar;

    s->market_clock.lag_us = age_us;
    liar_begin(l, request, clock_wall_us(&s->market_clock.clock));
    for (size_t i = 0; i < due->n; i++) {
        const struct fault_kind *kind = due->kinds[i];
        l->is_first_page |= kind->is_first_page;
        if (kind->leaves)
            l->leaves[l->n_leaves++] = kind->leaves;
        if (kind->rows)
            l->rows[l->n_rows++] = kind->rows;
    }
}

static void answer_data(struct sim *s, const struct http_request *req, struct http_response *res,
                        const struct due *due, uint64_t request)
{
    const struct api_v3_plan plan = account_plan(&s->account);
    const bool is_kept = plan.host != HOST_OWN && !s->setup.source.query;
    const int64_t now_us = clock_wall_us(s->setup.clock);
    struct cached cached = cache_meet(&s->cache, req, plan.host, is_kept, now_us);

    for (size_t i = 0; i < due->n; i++)
        cached.age_us += due->kinds[i]->age_us;
    begin_lies(s, due, request, s->setup.source.query ? now_us - s->source_us : cached.age_us);
    s->api.plan = plan;
    api_v3_handle(&s->api, req, res);
    for (size_t i = 0; i < due->n; i++)
        if (due->kinds[i]->text && res->status == 200)
            due->kinds[i]->text(&res->body);
    cache_label(&cached, req, res);
}

/* What every answer has, good or bad. */
static void add_headers(const struct sim *s, struct http_response *res, uint64_t request)
{
    const uint64_t of[3] = {s->setup.seed, (uint64_t)s->started_us, request};
    const XXH128_hash_t id = XXH3_128bits(of, sizeof(of));
    char date[TIME_TEXT];

    http_add_header(res, "X-Request-Id", "%08x-%04x-4%03x-a%03x-%012llx",
                    (unsigned)(id.high64 >> 32), (unsigned)(id.high64 >> 16 & 0xffff),
                    (unsigned)(id.high64 & 0xfff), (unsigned)(id.low64 >> 52),
                    (unsigned long long)(id.low64 & UINT64_C(0xffffffffffff)));
    time_format_http(clock_wall_us(s->setup.clock), date);
    http_add_header(res, "Date", "%s", date);
}

/* A source has a time of its own, which is told. */
static void advance_source(struct sim *s, struct http_response *res)
{
    const struct sim_source *source = &s->setup.source;
    char text[TIME_TEXT];

    if (!source->query)
        return;
    s->source_us = source->advance(source->ctx);
    time_format(s->source_us, text);
    http_add_header(res, "X-Simulated-Time", "%s", text);
}

static void handle_api(struct sim *s, const struct http_request *req, struct http_response *res)
{
    const uint64_t request = atomic_fetch_add(&s->n_requests, 1);
    const int64_t now_us = clock_wall_us(s->setup.clock);
    const enum sim_error refusal = account_admit(&s->account, req, s->setup.clock);
    const struct due due = find_faults(s, request);

    add_headers(s, res, request);
    advance_source(s, res);
    if (refusal != ERROR_NONE) {
        errors_answer(res, refusal, now_us);
        if (refusal == ERROR_LIMIT)
            http_add_header(res, "Retry-After", "60");
        return;
    }
    if (due.error)
        errors_answer(res, due.error->error, now_us);
    else
        answer_data(s, req, res, &due, request);
    account_charge(&s->account, res->status);
    for (size_t i = 0; i < due.n; i++)
        if (due.kinds[i]->answer)
            due.kinds[i]->answer(res, now_us);
}

static void answer_text(struct http_response *res, int status, const char *text)
{
    buf_add_z(&res->body, text);
    res->status = status;
    res->content_type = "text/plain; charset=utf-8";
}

static void handle(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct sim *s = ctx;

    http_add_header(res, "X-Simulated", "geckotape");
    if (str_starts(http_path(req), STR("/api/v3/")))
        handle_api(s, req, res);
    else if (str_eq(http_path(req), STR("/")))
        answer_text(res, 200,
                    s->setup.source.query ? PAGE_REPLAYED PAGE_WHERE : PAGE_SIMULATED PAGE_WHERE);
    else
        answer_text(res, 404, "SIMULATED by geckotape: the API is below /api/v3\n");
}

static void options(void *ctx, const struct http_request *req, struct http_response *res)
{
    (void)ctx;
    http_add_header(res, "X-Simulated", "geckotape");
    api_v3_options(req, res);
}

static int64_t late_wall(struct clock *c)
{
    struct late_clock *late = (struct late_clock *)c; /* its first member */

    return clock_wall_us(late->inner) - late->lag_us;
}

static int64_t late_mono(struct clock *c)
{
    return clock_mono_us(((struct late_clock *)c)->inner);
}

/* A tape cannot be turned back for one answer. */
static enum st check_source(const struct sim_setup *setup, struct err *err)
{
    for (size_t i = 0; setup->source.query && i < setup->n_faults; i++)
        if (setup->faults[i].kind->age_us > 0)
            return err_set(err, ST_REJECT,
                           "--fault %s: needs the made-up market, a tape does not run backwards; "
                           "leave it out",
                           setup->faults[i].kind->name);
    return ST_OK;
}

static struct query *open_source(struct sim *s)
{
    const struct market_setup market = {.n_coins = s->setup.n_coins,
                                        .seed = s->setup.seed,
                                        .speed = s->setup.speed,
                                        .clock = &s->market_clock.clock};

    if (s->setup.source.query)
        return s->setup.source.query;
    s->market = market_new(&market);
    return market_query(s->market);
}

enum st sim_start(const struct sim_setup *setup, struct sim **ret_sim, struct err *err)
{
    enum st st = check_source(setup, err);

    if (st != ST_OK)
        return st;
    struct sim *s = mem_new(1, sizeof(*s));
    struct http_setup http = {.port = setup->port, .handler = handle, .options = options, .ctx = s};
    s->setup = *setup;
    s->started_us = clock_mono_us(setup->clock);
    account_init(&s->account, setup->plan, setup->calls_per_minute, setup->credits_per_month);
    s->market_clock = (struct late_clock){.clock = {.wall_us = late_wall, .mono_us = late_mono},
                                          .inner = setup->clock};
    liar_init(&s->liar, open_source(s));
    s->api.query = &s->liar.query;
    s->api.clock = &s->market_clock.clock;
    arena_init(&s->api.arena, MAX_ANSWER_MEMORY);
    memcpy(http.address, setup->address, sizeof(http.address));
    st = http_start(&http, &s->http, err);
    if (st != ST_OK) {
        sim_stop(s);
        return st;
    }
    *ret_sim = s;
    return ST_OK;
}

uint16_t sim_port(const struct sim *s)
{
    return http_port(s->http);
}

uint64_t sim_requests(const struct sim *s)
{
    return atomic_load(&s->n_requests);
}

void sim_stop(struct sim *s)
{
    if (!s)
        return;
    http_stop(s->http);
    arena_release(&s->api.arena);
    market_free(s->market);
    mem_free(s);
}
