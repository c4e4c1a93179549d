/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/api_v3/call.h"

void answer_ping(struct call *call)
{
    buf_add_z(&call->res->body, "{\"gecko_says\":\"(V3) To the Moon!\"}");
}

static void add_number(struct buf *b, const char *key, uint64_t value)
{
    json_add_key(b, key);
    buf_add_i64(b, (int64_t)value);
}

void answer_key(struct call *call)
{
    const struct api_v3_plan *plan = &call->api->plan;
    const uint64_t used = plan->credits_used, all = plan->credits_per_month;
    struct buf *b = &call->res->body;

    if (plan->host != HOST_PRO) {
        call_no_path(call);
        return;
    }
    buf_add_char(b, '{');
    json_add_text(b, "plan", str_of(plan->name));
    add_number(b, "rate_limit_request_per_minute", plan->calls_per_minute);
    add_number(b, "monthly_call_credit", all);
    add_number(b, "current_total_monthly_calls", used);
    add_number(b, "current_remaining_monthly_calls", used < all ? all - used : 0);
    add_number(b, "api_key_rate_limit_request_per_minute", plan->calls_per_minute);
    add_number(b, "api_key_monthly_call_credit", all);
    add_number(b, "api_key_current_total_monthly_calls", used);
    buf_add_char(b, '}');
}

const struct operation op_ping = {.summary = "a sign of life", .gives = "{gecko_says:s}"};

const struct operation op_key = {.summary = "the plan: this server has none", .refuses = {404}};
