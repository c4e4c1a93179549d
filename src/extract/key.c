/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/key.h"

#include "extract/answer.h"
#include "extract/poller.h"

#include <stdio.h>

#define MAX_PLAN 31

static const struct endpoint an_object = {
    .top = JSON_OBJECT_BEGIN, .of = JSON_DONE, .is_what = "an object"};

enum reply {
    REPLY_GOOD,
    REPLY_REFUSED, /* for the key's sake */
    REPLY_NOT_FOUND,
    REPLY_NOTHING, /* about the key */
};

static bool is_for_the_key(long status, const struct answer_facts *facts,
                           const struct answer_verdict *verdict)
{
    const bool is_code =
        facts->error_code == 10002 || facts->error_code == 10010 || facts->error_code == 10011;

    return verdict->class == ANSWER_PERMANENT && (is_code || status == 401);
}

/* What came, in p->answer, judged; ret_text says what is wrong with it. */
static enum reply judge(struct poller *p, char ret_text[KEY_MAX_TEXT])
{
    struct http_answer *answer = &p->answer;
    char text[ANSWER_MAX_TEXT];
    struct answer_facts facts;
    struct str asked;

    answer_mask_key(answer->headers.p, answer->headers.len, str_of(p->api->key));
    answer_mask_key(answer->body.p, answer->body.len, str_of(p->api->key));
    arena_reset(&p->arena);
    answer_read(p->json, buf_str(&answer->body), &an_object, &p->arena, &facts);
    const struct answer_verdict verdict =
        answer_classify(answer->status, &facts, &an_object, false);
    if (verdict.class == ANSWER_OK)
        return REPLY_GOOD;
    const struct answer_reply reply = {answer->status, buf_str(&answer->headers),
                                       buf_str(&answer->body), 0};
    answer_describe(&reply, &facts, &verdict, &an_object, text);
    snprintf(ret_text, KEY_MAX_TEXT, "%s", text);
    if (verdict.class == ANSWER_RATE_LIMITED)
        limiter_refused(&p->limiter, clock_mono_us(p->clock),
                        answer_wait_us(reply.headers, clock_wall_us(p->clock), &asked));
    return is_for_the_key(answer->status, &facts, &verdict) ? REPLY_REFUSED
           : answer->status == 404                          ? REPLY_NOT_FOUND
                                                            : REPLY_NOTHING;
}

/* The tape's next `end` says it. */
static void charge(struct poller *p)
{
    if (p->budget.n > 0)
        budget_count(&p->budget, &p->budget.all[0]->credits, clock_wall_us(p->clock), false, 1);
}

/* No call beyond the budget, but /key: it alone can say that there is more. */
static enum reply ask(struct poller *p, const char *path, const char *key,
                      char ret_text[KEY_MAX_TEXT])
{
    char line[sizeof(p->key_line)];
    struct err err = ERR_INIT;

    if (strcmp(path, "/ping") == 0 && budget_now(&p->budget, clock_wall_us(p->clock)).left == 0) {
        snprintf(ret_text, KEY_MAX_TEXT, "no call is left to ask with in this period");
        return REPLY_NOTHING;
    }

    buf_clear(&p->url);
    buf_addf(&p->url, "%s%s", p->api->base_url, path);
    snprintf(line, sizeof(line), "%s: %s", p->api->key_header, key);
    snprintf(ret_text, KEY_MAX_TEXT, "stopped");
    if (!waiter_until(p->waiter, limiter_ready_at(&p->limiter, clock_mono_us(p->clock))))
        return REPLY_NOTHING;
    limiter_take(&p->limiter, clock_mono_us(p->clock));
    pulse_expect(&p->waiter->pulse, p->api->total_timeout_us);
    enum st st =
        http_client_get(p->http, buf_z(&p->url), line, p->api->total_timeout_us, &p->answer, &err);
    if (st == ST_OK ? p->answer.status == 200 : p->answer.is_sent) /* as request.c has it */
        charge(p);
    if (st == ST_OK)
        return judge(p, ret_text);
    if (st != ST_REJECT)
        snprintf(ret_text, KEY_MAX_TEXT, "no answer: %.*s", KEY_MAX_TEXT - 16, err.msg);
    return REPLY_NOTHING;
}

/* ---- /ping ---- */

/* As long as the key, in its form, and nobody's. */
static void make_up_key(const char *key, char ret_key[sizeof(((struct extract_api *)0)->key)])
{
    static const char start[] = "CG-invalid";
    size_t len = strlen(key);

    if (len < sizeof(start))
        len = sizeof(start);
    memset(ret_key, '0', len);
    memcpy(ret_key, start, sizeof(start) - 1);
    ret_key[len] = '\0';
}

static enum key_state of_reply(enum reply reply)
{
    return reply == REPLY_GOOD ? KEY_GOOD : reply == REPLY_REFUSED ? KEY_REFUSED : KEY_UNKNOWN;
}

static enum key_state check_by_ping(struct poller *p, char ret_text[KEY_MAX_TEXT])
{
    char nobodys[sizeof(p->api->key)], why[KEY_MAX_TEXT];
    const enum key_state state = of_reply(ask(p, "/ping", p->api->key, ret_text));

    if (state != KEY_GOOD)
        return state;
    make_up_key(p->api->key, nobodys);
    if (ask(p, "/ping", nobodys, why) != REPLY_GOOD)
        return KEY_GOOD;
    snprintf(
        ret_text, KEY_MAX_TEXT,
        "a made-up key is taken as well: yours is ignored, and calls count as those of nobody; "
        "look for a proxy that removes %s, and at --api-url",
        p->api->key_header);
    return KEY_IGNORED;
}

/* ---- /key ---- */

/* The numbers of the plan and those of this key alone; -1: not told, or none that can be read. */
struct limits {
    int64_t per_minute, key_per_minute;
    int64_t credits, left, used, key_credits, key_used;
};

static void read_number(struct str name, struct str number, struct limits *l)
{
    const struct {
        const char *name;
        int64_t *value;
    } numbers[] = {
        {"rate_limit_request_per_minute", &l->per_minute},
        {"api_key_rate_limit_request_per_minute", &l->key_per_minute},
        {"monthly_call_credit", &l->credits},
        {"current_remaining_monthly_calls", &l->left},
        {"current_total_monthly_calls", &l->used},
        {"api_key_monthly_call_credit", &l->key_credits},
        {"api_key_current_total_monthly_calls", &l->key_used},
    };

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (str_eq(name, str_of(numbers[i].name)) &&
            !str_to_i64(number, 0, INT64_MAX, numbers[i].value))
            *numbers[i].value = -1;
}

static enum st walk_limits(struct json *json, struct limits *l, struct str *ret_plan,
                           struct err *err)
{
    struct json_token key, value;
    enum st st = json_next(json, &value, err); /* the object */

    while (st == ST_OK && (st = json_next(json, &key, err)) == ST_OK && key.event == JSON_KEY) {
        st = json_next(json, &value, err);
        if (st == ST_OK && value.event == JSON_NUMBER)
            read_number(key.text, value.text, l);
        else if (st == ST_OK && value.event == JSON_STRING && str_eq(key.text, STR("plan")))
            *ret_plan = value.text;
        else if (st == ST_OK)
            st = json_skip(json, &value, NULL, err);
    }
    return st;
}

/* 0: neither is told. */
static int64_t tighter(int64_t a, int64_t b)
{
    if (a <= 0 || b <= 0)
        return a > 0 ? a : b > 0 ? b : 0;
    return a < b ? a : b;
}

/* -1: not told. */
static int64_t left_of(int64_t credits, int64_t used)
{
    return used < 0 ? -1 : used < credits ? credits - used : 0;
}

/* A month's calls, of plan and key the tighter ones. */
static void take_credits(struct poller *p, const struct limits *l, struct key_finding *f)
{
    int64_t credits = l->credits > 0 ? l->credits : 0;
    int64_t left = credits > 0 && l->left < 0 ? left_of(credits, l->used) : l->left;

    if (l->key_credits > 0) {
        const int64_t key_left = left_of(l->key_credits, l->key_used);
        const bool is_told = left >= 0 && key_left >= 0;
        if (credits == 0 || (is_told ? key_left < left : l->key_credits < credits)) {
            credits = l->key_credits;
            left = key_left;
        }
    }
    budget_key_says(&p->budget, clock_wall_us(p->clock), (uint64_t)credits, left);
    if (credits > 0 && left >= 0) {
        f->credits = (uint64_t)credits;
        f->credits_left = (uint64_t)left;
    }
}

/* A body that answer_read() walked to its end. */
static void read_limits(struct poller *p, struct key_finding *f)
{
    struct limits l = {-1, -1, -1, -1, -1, -1, -1};
    struct str plan = STR_NONE;
    struct err err = ERR_INIT;
    struct buf name = BUF_INIT(MAX_PLAN);

    arena_reset(&p->arena);
    if (json_open(p->json, buf_str(&p->answer.body), &p->arena, &err) != ST_OK ||
        walk_limits(p->json, &l, &plan, &err) != ST_OK)
        return;
    const int64_t limit = tighter(l.per_minute, l.key_per_minute);
    f->calls_per_minute = limit < UINT32_MAX ? (uint32_t)limit : UINT32_MAX;
    take_credits(p, &l, f);
    buf_add_clean(&name, plan, MAX_PLAN);
    snprintf(f->plan, sizeof(f->plan), "%s", buf_z(&name));
    buf_release(&name);
}

void key_check(struct poller *p, struct key_finding *ret_finding)
{
    const struct extract_api *api = p->api;

    *ret_finding = (struct key_finding){.state = KEY_UNASKED};
    if (api->key[0] == '\0' || api->key_header == NULL || api->key_path == NULL)
        return;
    enum reply reply = REPLY_NOT_FOUND;
    if (strcmp(api->key_path, "/ping") != 0)
        reply = ask(p, api->key_path, api->key, ret_finding->text);
    if (reply == REPLY_NOT_FOUND) /* of a server that has no /key, too */
        ret_finding->state = check_by_ping(p, ret_finding->text);
    else
        ret_finding->state = of_reply(reply);
    if (reply == REPLY_GOOD)
        read_limits(p, ret_finding);
    if (ret_finding->calls_per_minute > 0 && !api->is_pace_fixed)
        limiter_set_pace(&p->limiter, limiter_pace(ret_finding->calls_per_minute));
    if (ret_finding->state == KEY_GOOD)
        ret_finding->text[0] = '\0';
}
