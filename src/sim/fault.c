/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "sim/sim.h"

static const char *const names[N_FAULTS] = {
    [FAULT_429] = "429",           [FAULT_429_BARE] = "throttled",
    [FAULT_500] = "500",           [FAULT_502] = "502",
    [FAULT_503] = "503",           [FAULT_HTML] = "html",
    [FAULT_403] = "403",           [FAULT_CUT] = "cut",
    [FAULT_TRUNCATE] = "truncate", [FAULT_STALL] = "stall",
    [FAULT_SLOW] = "slow",         [FAULT_TYPE] = "type",
    [FAULT_EMPTY] = "empty",       [FAULT_NULLS] = "nulls",
    [FAULT_SAMEPAGE] = "samepage",
};

static enum st unknown_name(struct str name, struct err *err)
{
    char known[128];
    size_t len = 0;

    for (size_t i = 0; i < N_FAULTS; i++) {
        size_t n = strlen(names[i]);
        memcpy(known + len, names[i], n);
        known[len + n] = ' ';
        len += n + 1;
    }
    return err_set(err, ST_REJECT, "\"%.*s\": no such fault; known: %.*s", STR_ARG(name),
                   (int)len - 1, known);
}

/* "every=3" */
static enum st parse_part(struct str part, struct fault *f, struct err *err)
{
    const struct str whole = part;
    struct str key;
    int64_t n;

    str_cut(&part, '=', &key);
    if (!str_to_i64(part, 0, UINT32_MAX, &n) || (n == 0 && !str_eq(key, STR("from"))))
        return err_set(err, ST_REJECT, "\"%.*s\": write every=N, from=N or until=N with a number",
                       STR_ARG(whole));
    if (str_eq(key, STR("every")))
        f->every = (uint32_t)n;
    else if (str_eq(key, STR("from")))
        f->from = (uint64_t)n;
    else if (str_eq(key, STR("until")))
        f->until = (uint64_t)n;
    else
        return err_set(err, ST_REJECT, "\"%.*s\": known are every=N, from=N and until=N",
                       STR_ARG(whole));
    return ST_OK;
}

enum st fault_parse(struct str text, struct fault *ret_fault, struct err *err)
{
    struct fault f = {.every = 1};
    struct str name, part;
    size_t kind = 0;

    str_cut(&text, ':', &name);
    while (kind < N_FAULTS && !str_eq(name, str_of(names[kind])))
        kind++;
    if (kind == N_FAULTS)
        return unknown_name(name, err);
    f.kind = (enum fault_kind)kind;
    while (text.len > 0) {
        str_cut(&text, ',', &part);
        enum st st = parse_part(part, &f, err);
        if (st != ST_OK)
            return st;
    }
    if (f.until != 0 && f.until <= f.from)
        return err_set(err, ST_REJECT, "%.*s: until=%llu does not lie behind from=%llu",
                       STR_ARG(name), (unsigned long long)f.until, (unsigned long long)f.from);
    *ret_fault = f;
    return ST_OK;
}
