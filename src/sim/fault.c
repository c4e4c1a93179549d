/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/fault.h"

#include "base/clock.h"
#include "sim/mangle.h"

#include <stdio.h>
#include <xxhash.h>

#define SLOW_US (5 * US_PER_S)
#define AGED_US (600 * US_PER_S)
#define DAY_US  (86400 * US_PER_S)

/* ---- how long to wait after a 429 ---- */

static void wait_seconds(struct http_response *res, int64_t now_us)
{
    (void)now_us;
    http_add_header(res, "Retry-After", "60");
}

static void wait_date(struct http_response *res, int64_t now_us)
{
    char text[TIME_TEXT];

    time_format_http(now_us + 60 * US_PER_S, text);
    http_add_header(res, "Retry-After", "%s", text);
}

/* "2026-03-09 03:28:00 +0000" */
static void wait_reset(struct http_response *res, int64_t now_us)
{
    char text[TIME_TEXT];

    time_format(time_floor(now_us, US_PER_S) + 60 * US_PER_S, text);
    http_add_header(res, "x-ratelimit-reset", "%.10s %.8s +0000", text, text + 11);
}

static void wait_absurd(struct http_response *res, int64_t now_us)
{
    (void)now_us;
    http_add_header(res, "Retry-After", "31536000");
}

static void wait_junk(struct http_response *res, int64_t now_us)
{
    (void)now_us;
    http_add_header(res, "Retry-After", "-1, soon");
}

/* ---- the answer on its way ---- */

static void move_away(struct http_response *res, int64_t now_us)
{
    (void)now_us;
    http_add_header(res, "Location", "/moved");
}

static void cut(struct http_response *res, int64_t now_us)
{
    (void)now_us;
    res->faults.cut_after = res->body.len > 2 ? res->body.len / 2 : 1;
}

static void truncate_body(struct http_response *res, int64_t now_us)
{
    (void)now_us;
    res->body.len /= 2;
}

static void promise_more(struct http_response *res, int64_t now_us)
{
    (void)now_us;
    res->faults.n_promised = 100;
}

static void cut_gzip(struct http_response *res, int64_t now_us)
{
    (void)now_us;
    res->faults.is_gzip_cut = true;
}

static void reset(struct http_response *res, int64_t now_us)
{
    (void)now_us;
    res->faults.is_reset = true;
}

static void stall(struct http_response *res, int64_t now_us)
{
    (void)now_us;
    res->faults.delay_us = -1;
}

static void slow(struct http_response *res, int64_t now_us)
{
    (void)now_us;
    res->faults.delay_us = SLOW_US;
}

/* The Date that is there already. */
static void wrong_date(struct http_response *res, int64_t now_us)
{
    char text[TIME_TEXT];

    time_format_http(now_us + DAY_US, text);
    for (size_t i = 0; i < res->n_headers; i++)
        if (strcmp(res->headers[i].name, "Date") == 0)
            snprintf(res->headers[i].value, sizeof(res->headers[i].value), "%s", text);
}

/* ---- the table ---- */

const struct fault_kind fault_kinds[] = {
    {.name = "400", .help = "400, a flat error: invalid vs_currency", .error = ERROR_CURRENCY},
    {.name = "403", .help = "403 in an outage, as on 2023-03-30", .error = ERROR_OUTAGE},
    {.name = "404", .help = "404, a flat error: coin not found", .error = ERROR_COIN},
    {.name = "408", .help = "408, a page", .error = ERROR_TIMEOUT},
    {.name = "414", .help = "414, a page", .error = ERROR_LONG_URL},
    {.name = "422", .help = "422, a flat error: missing parameter", .error = ERROR_PARAMETER},
    {.name = "429",
     .help = "429 with Retry-After: 60",
     .error = ERROR_LIMIT,
     .answer = wait_seconds},
    {.name = "429date",
     .help = "429 with a date in Retry-After, a minute ahead",
     .error = ERROR_LIMIT,
     .answer = wait_date},
    {.name = "429reset",
     .help = "429 with x-ratelimit-reset alone, a minute ahead",
     .error = ERROR_LIMIT,
     .answer = wait_reset},
    {.name = "429absurd",
     .help = "429 with a Retry-After of a year",
     .error = ERROR_LIMIT,
     .answer = wait_absurd},
    {.name = "429junk",
     .help = "429 with a Retry-After that means nothing",
     .error = ERROR_LIMIT,
     .answer = wait_junk},
    {.name = "throttled",
     .help = "429 without Retry-After, the plain text \"Throttled\"",
     .error = ERROR_THROTTLED},
    {.name = "200error", .help = "the body of a 429 with status 200", .error = ERROR_LIMIT_AS_200},
    {.name = "500", .help = "500, whose body's status is a number", .error = ERROR_500},
    {.name = "502", .help = "502, plain text", .error = ERROR_502},
    {.name = "503", .help = "503, a page", .error = ERROR_503},
    {.name = "1020", .help = "403, Cloudflare's page \"Access denied\"", .error = ERROR_FIREWALL},
    {.name = "html", .help = "the same page with status 200", .error = ERROR_PAGE},
    {.name = "10002", .help = "401: API key missing, sent for a wrong one too", .error = ERROR_KEY},
    {.name = "10005", .help = "401: only for paid plans", .error = ERROR_PAID_ENDPOINT},
    {.name = "10010", .help = "400: a Pro key on the public host", .error = ERROR_PRO_KEY_HERE},
    {.name = "10011", .help = "400: a Demo key on the Pro host", .error = ERROR_DEMO_KEY_HERE},
    {.name = "10012", .help = "401: further back than the plan goes", .error = ERROR_HISTORY},
    {.name = "redirect",
     .help = "301 to a place without an API",
     .error = ERROR_MOVED,
     .answer = move_away},
    {.name = "type", .help = "an object where an array belongs", .error = ERROR_TYPE},
    {.name = "empty", .help = "[]", .error = ERROR_EMPTY},
    {.name = "cut", .help = "half the body, then the connection ends", .answer = cut},
    {.name = "truncate",
     .help = "half the body, with a Content-Length that fits it",
     .answer = truncate_body},
    {.name = "length",
     .help = "a Content-Length of 100 bytes more than come",
     .answer = promise_more},
    {.name = "gzip", .help = "half of a gzip stream", .answer = cut_gzip},
    {.name = "reset", .help = "the connection is reset without an answer", .answer = reset},
    {.name = "stall", .help = "an answer never comes", .answer = stall},
    {.name = "slow", .help = "the answer comes 5 s late", .answer = slow},
    {.name = "date", .help = "a Date header of tomorrow", .answer = wrong_date},
    {.name = "aged", .help = "an answer of ten minutes ago, with its Age", .age_us = AGED_US},
    {.name = "bom", .help = "a byte order mark in front of the JSON", .text = mangle_bom},
    {.name = "utf8", .help = "a name in Latin-1, so that the JSON is none", .text = mangle_utf8},
    {.name = "newfield", .help = "coins have a field liquidity_score", .text = mangle_new_field},
    {.name = "missing",
     .help = "coins have no fully_diluted_valuation",
     .text = mangle_missing_field},
    {.name = "renamed", .help = "total_volume is called volume_24h", .text = mangle_renamed_field},
    {.name = "retyped", .help = "total_supply is an object", .text = mangle_retyped_field},
    {.name = "strings",
     .help = "current_price, market_cap and total_volume are strings",
     .text = mangle_strings},
    {.name = "samepage",
     .help = "the first page, whatever page was asked for",
     .is_first_page = true},
    {.name = "nulls", .help = "every number is null", .rows = liar_nulls},
    {.name = "duplicate", .help = "a coin twice in a page, another not", .rows = liar_duplicate},
    {.name = "bogus",
     .help = "a coin worth 20 trillion above bitcoin, as on 2026-03-11",
     .rows = liar_bogus},
    {.name = "badquote", .help = "a tenth of the coins at prices up to 1e37", .rows = liar_huge},
    {.name = "flap",
     .help = "14 of 250 coins missing, in turns with 14 others",
     .leaves = liar_leaves_in_turns},
    {.name = "rehypo",
     .help = "wrapped and staked coins off the list, as on 2026-02-04",
     .leaves = liar_leaves_rehypo,
     .rows = liar_unrank},
    {.name = "backend",
     .help = "the other back end of July 2026: dates shifted, digits rounded, 14 of 250 coins gone",
     .leaves = liar_leaves_backend,
     .rows = liar_backend},
};

const size_t n_fault_kinds = sizeof(fault_kinds) / sizeof(fault_kinds[0]);

void fault_help(struct buf *b)
{
    for (size_t i = 0; i < n_fault_kinds; i++)
        buf_addf(b, "  %-10s %s\n", fault_kinds[i].name, fault_kinds[i].help);
}

/* ---- when ---- */

bool fault_is_due(const struct fault *f, uint64_t request, int64_t elapsed_us, uint64_t seed)
{
    const uint64_t lot[2] = {request, seed};
    const char *name = f->kind->name;

    if ((request + 1) % f->every != 0 || request < f->from ||
        (f->until != 0 && request >= f->until))
        return false;
    if (elapsed_us < f->after_us || (f->for_us != 0 && elapsed_us - f->after_us >= f->for_us))
        return false;
    return f->rate >= 1 ||
           (double)(XXH3_64bits_withSeed(lot, sizeof(lot), XXH3_64bits(name, strlen(name))) >> 11) *
                   0x1p-53 <
               f->rate;
}

static enum st unknown_name(struct str name, struct err *err)
{
    struct buf known = BUF_INIT(ERR_MSG_SIZE);

    for (size_t i = 0; i < n_fault_kinds; i++)
        buf_addf(&known, " %s", fault_kinds[i].name);
    err_ignore(err_set(err, ST_REJECT, "\"%.*s\": no such fault; known:%s",
                       name.len > 60 ? 60 : (int)name.len, name.p ? name.p : "", buf_z(&known)));
    buf_release(&known);
    return ST_REJECT;
}

static bool parse_count(struct str text, int64_t min, uint64_t *ret_n)
{
    int64_t n;

    if (!str_to_i64(text, min, UINT32_MAX, &n))
        return false;
    *ret_n = (uint64_t)n;
    return true;
}

/* "0.2" */
static bool parse_rate(struct str text, double *ret_rate)
{
    struct dec dec;
    bool is_same;

    if (dec_parse(text, &dec) != DEC_OK)
        return false;
    *ret_rate = dec_to_double(dec, text, &is_same);
    return *ret_rate >= 0 && *ret_rate <= 1;
}

#define KNOWN_PARTS "every=N, from=N, until=N, rate=0.2, after=10s and for=30s"

/* "every=3" */
static enum st parse_part(struct str part, struct fault *f, struct err *err)
{
    struct str value = part, key;
    uint64_t n = 0;
    bool is_good;

    str_cut(&value, '=', &key);
    if (str_eq(key, STR("every"))) {
        is_good = parse_count(value, 1, &n);
        f->every = (uint32_t)n;
    } else if (str_eq(key, STR("from"))) {
        is_good = parse_count(value, 0, &f->from);
    } else if (str_eq(key, STR("until"))) {
        is_good = parse_count(value, 1, &f->until);
    } else if (str_eq(key, STR("rate"))) {
        is_good = parse_rate(value, &f->rate);
    } else if (str_eq(key, STR("after"))) {
        is_good = duration_parse(value, &f->after_us);
    } else if (str_eq(key, STR("for"))) {
        is_good = duration_parse(value, &f->for_us) && f->for_us > 0;
    } else {
        return err_set(err, ST_REJECT, "\"%.*s\": known are " KNOWN_PARTS, STR_ARG(part));
    }
    return is_good ? ST_OK : err_set(err, ST_REJECT, "\"%.*s\": write " KNOWN_PARTS, STR_ARG(part));
}

enum st fault_parse(struct str text, struct fault *ret_fault, struct err *err)
{
    struct fault f = {.every = 1, .rate = 1};
    struct str name, part;
    size_t i = 0;

    str_cut(&text, ':', &name);
    while (i < n_fault_kinds && !str_eq(name, str_of(fault_kinds[i].name)))
        i++;
    if (i == n_fault_kinds)
        return unknown_name(name, err);
    f.kind = &fault_kinds[i];
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
