/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/classify.h"

#include "base/clock.h"
#include "base/http_client.h"

#include <stdio.h>
#include <strings.h>
#include <xxhash.h>

/* What a body is, as far as the table asks. */
enum shape {
    SHAPE_ANY,
    SHAPE_ROWS,     /* the endpoint's type */
    SHAPE_NO_ROWS,  /* the same, but empty where rows must be */
    SHAPE_ERROR,    /* an error object */
    SHAPE_OTHER,    /* other JSON */
    SHAPE_NOT_JSON, /* HTML, text, a cut body, nothing */
};

#define ANY     0, 0 /* status */
#define ONE(s)  (s), (s)
#define PAID    "this needs a paid plan"
#define FEWER   "ask for fewer ids: split them over several jobs"
#define BLOCKED "Cloudflare refuses this address or wants a browser: try another network, or a key"

/* The first rule that fits decides; under each stands where such an answer was seen. A status or
 * code of 0 fits all. What an error says counts for more than its code, and its code for more than
 * the status, with which it often disagrees. */
/* clang-format off */
static const struct rule {
    const char *name;
    long status_from, status_to;
    int64_t code; /* error_code of the body */
    enum shape shape;
    const char *words; /* one of these, divided by '|', is among the answer's; NULL: whatever */
    enum answer_class class;
    bool can_retry;
    const char *mend;
} rules[] = {
    {"credits-spent", ANY, 0, SHAPE_ERROR, "credit", ANSWER_RATE_LIMITED, false,
     "the plan's calls of this month may be spent: look at the dashboard"},
    /* nowhere: nobody has published what a plan without credits is told */
    {"too-many-ids", ANY, 0, SHAPE_ERROR, "too_many_coin_ids", ANSWER_PERMANENT, false, FEWER},
    /* hummingbot, issue 1469 */
    {"paid-parameter", ANY, 0, SHAPE_ERROR, "exclusive to paid plan", ANSWER_PERMANENT, false, PAID},
    /* tests of CoinGecko's own command line client */
    {"rate-limit", ANY, 429, SHAPE_ERROR, NULL, ANSWER_RATE_LIMITED, true, NULL},
    /* captures of 2026; PostHog's client knows it with status 200 */
    {"firewall-code", ANY, 1020, SHAPE_ERROR, NULL, ANSWER_TRANSIENT, false, BLOCKED},
    /* CoinGecko's docs, errors and rate limits */
    {"bad-key", ANY, 10002, SHAPE_ERROR, NULL, ANSWER_PERMANENT, false,
     "the API key is missing or wrong: check GECKOTAPE_API_KEY and --api-plan"},
    /* the same docs; a recorded test of 2024: an invalid key is "missing" */
    {"paid-endpoint", ANY, 10005, SHAPE_ERROR, NULL, ANSWER_PERMANENT, false, PAID},
    /* the same docs; seen without a key in 2026-09 */
    {"pro-key-on-public-host", ANY, 10010, SHAPE_ERROR, NULL, ANSWER_PERMANENT, false,
     "a Pro key belongs to the Pro host: --api-plan pro"},
    /* the same docs; one team meets it as a throttle: true for the poll, not for the next one */
    {"demo-key-on-pro-host", ANY, 10011, SHAPE_ERROR, NULL, ANSWER_PERMANENT, false,
     "a Demo key belongs to the public host: --api-plan demo"},
    /* the same docs */
    {"history-wall", ANY, 10012, SHAPE_ERROR, "time range", ANSWER_PERMANENT, false,
     "the plan's history does not go back so far; the key is fine"},
    /* waxtax, issue 8: with status 401 */
    {"plan-limit", ANY, 10012, SHAPE_ERROR, NULL, ANSWER_PERMANENT, false,
     "the plan does not allow this much in one request"},
    /* MetaMask, issue 3573: too many contract addresses */

    {"cdn-rate-limit", ANY, 0, SHAPE_NOT_JSON, "being rate limited|error code: 1015",
     ANSWER_RATE_LIMITED, true, NULL},
    /* Cloudflare's docs, error 1015 */
    {"throttled", ANY, 0, SHAPE_NOT_JSON, "throttled", ANSWER_RATE_LIMITED, true, NULL},
    /* l2beat, issue 4730: plain text with 429 */
    {"cdn-challenge", ANY, 0, SHAPE_NOT_JSON, "just a moment|attention required|challenge-platform",
     ANSWER_TRANSIENT, false, BLOCKED},
    /* Cloudflare's docs, challenges */
    {"cdn-firewall", ANY, 0, SHAPE_NOT_JSON, "used cloudflare to restrict access|error code: 1020",
     ANSWER_TRANSIENT, false, BLOCKED},
    /* telliot-feeds, issue 170 */

    {"rows", ONE(200), 0, SHAPE_ROWS, NULL, ANSWER_OK, false, NULL},
    /* captures */
    {"not-json", ONE(200), 0, SHAPE_NOT_JSON, NULL, ANSWER_NOT_JSON, true, NULL},
    /* portals, proxies, bodies cut short */
    {"error-200", ONE(200), 0, SHAPE_ERROR, NULL, ANSWER_TRANSIENT, true, NULL},
    /* some clients report error bodies with 200 */
    {"other-json", ONE(200), 0, SHAPE_ANY, NULL, ANSWER_DRIFT, true, NULL},
    /* nowhere yet */

    {"not-modified", ONE(304), 0, SHAPE_ANY, NULL, ANSWER_TRANSIENT, true, NULL},
    /* nowhere yet: a cache on the way, as we ask for none */
    {"redirect", 300, 399, 0, SHAPE_ANY, NULL, ANSWER_PERMANENT, false,
     "redirects are not followed: check --api-url"},
    /* http:// in place of https://, portals */
    {"status-429", ONE(429), 0, SHAPE_ANY, NULL, ANSWER_RATE_LIMITED, true, NULL},
    /* CoinGecko's docs, errors and rate limits */
    {"unauthorized", ONE(401), 0, SHAPE_ANY, NULL, ANSWER_PERMANENT, false,
     "check the API key and --api-plan"},
    /* the same docs */
    {"no-user-agent", ONE(403), 0, SHAPE_ERROR, "user-agent", ANSWER_PERMANENT, false,
     "something on the way removes the User-Agent"},
    /* oracle-core, issue 340: since 2026-01-09 */
    {"forbidden", ONE(403), 0, SHAPE_ANY, NULL, ANSWER_TRANSIENT, true, NULL},
    /* captures of 2023-03-30: the status of an outage */
    {"unknown-id", ONE(404), 0, SHAPE_ERROR, "not found|could not find", ANSWER_PERMANENT, false,
     "check what the job selects, and --api-url: it ends in /api/v3"},
    /* pycoingecko, issue 67 */
    {"no-such-path", ONE(404), 0, SHAPE_ANY, NULL, ANSWER_PERMANENT, false,
     "check --api-url: it ends in /api/v3"},
    /* any other server */
    {"proxy-password", ONE(407), 0, SHAPE_ANY, NULL, ANSWER_PERMANENT, false,
     "the proxy wants a password: see http_proxy"},
    /* RFC 9110 */
    {"try-again", 408, 409, 0, SHAPE_ANY, NULL, ANSWER_TRANSIENT, true, NULL},
    /* the same docs: 408; CoinGecko's own client tries both again */
    {"long-url", ONE(414), 0, SHAPE_ANY, NULL, ANSWER_PERMANENT, false, FEWER},
    /* balancer-sdk, issue 361 */
    {"bad-request", 400, 499, 0, SHAPE_ANY, NULL, ANSWER_PERMANENT, false,
     "check the job's options"},
    /* recorded tests of 2021: 422 */
    {"server-trouble", ANY, 0, SHAPE_ANY, NULL, ANSWER_TRANSIENT, true, NULL},
    /* the same docs: 500, 503; Cloudflare's: 502, 504, 520 to 524 */
};
/* clang-format on */

#define N_RULES (sizeof(rules) / sizeof(rules[0]))

const char *answer_rule_name(size_t i)
{
    return i < N_RULES ? rules[i].name : NULL;
}

const char *answer_class_name(enum answer_class class)
{
    static const char *const names[N_ANSWER_CLASSES] = {
        [ANSWER_OK] = "ok",
        [ANSWER_RATE_LIMITED] = "rate_limited",
        [ANSWER_TRANSIENT] = "transient",
        [ANSWER_PERMANENT] = "permanent",
        [ANSWER_DRIFT] = "drift",
        [ANSWER_NOT_JSON] = "not_json",
    };
    return names[class];
}

#define MAX_WORDS                                                                     \
    ((size_t)16 * 1024)   /* of an answer looked through: Cloudflare's pages are long \
                           */
#define MAX_ERROR_DEPTH 3 /* {"error":{"status":{"error_code":…}}} */

static void read_code(struct str number, struct answer_facts *facts)
{
    if (!str_to_i64(number, 0, INT64_MAX, &facts->error_code))
        facts->error_code = 0;
}

/* Read the members of an object at this depth; the inside of "error" and "status" too. Shapes:
 * {"error":"…"}, {"status":{"error_code":…,"error_message":…}}, that inside "error", error_code
 * beside status, {"status":500,"error":"…"}. A coin called "status" is no error: it has no
 * error_… inside. */
static enum st read_object(struct json *json, const struct endpoint *ep, int depth,
                           struct answer_facts *facts, struct err *err)
{
    struct json_token key, value;
    enum st st;

    while ((st = json_next(json, &key, err)) == ST_OK && key.event == JSON_KEY) {
        if ((st = json_next(json, &value, err)) != ST_OK)
            return st;
        bool is_error = str_eq(key.text, STR("error"));
        if (value.event == JSON_OBJECT_BEGIN && depth < MAX_ERROR_DEPTH &&
            (is_error || str_eq(key.text, STR("status")))) {
            st = read_object(json, ep, depth + 1, facts, err);
        } else if (value.event == ep->of && depth == 1 &&
                   str_eq(key.text, str_of(ep->key ? ep->key : "data"))) {
            facts->has_data = true;
            st = json_skip(json, &value, NULL, err);
        } else if (value.event == JSON_NUMBER && str_eq(key.text, STR("error_code"))) {
            facts->has_error = true;
            read_code(value.text, facts);
        } else if (value.event == JSON_NUMBER && str_eq(key.text, STR("status")) &&
                   facts->error_code == 0) {
            read_code(value.text, facts); /* counts only beside an "error" */
        } else if (value.event == JSON_STRING &&
                   (is_error || str_eq(key.text, STR("error_message")))) {
            facts->has_error = true;
            facts->words = value.text;
        } else {
            st = json_skip(json, &value, NULL, err);
        }
        if (st != ST_OK)
            return st;
    }
    return st;
}

static bool is_mark(const struct endpoint *ep, struct str key)
{
    for (const char *const *mark = ep->marks; *mark; mark++)
        if (str_eq(key, str_of(*mark)))
            return true;
    return false;
}

/* The rest of an object: the hash of its id, 0 when it has none, and whether it is a row of the
 * endpoint. Ends with the object, or once both are known. */
static enum st read_element(struct json *json, const struct json_token *object,
                            const struct endpoint *ep, uint64_t *ret_id, bool *ret_is_row,
                            struct err *err)
{
    struct json_token key, value;
    enum st st;

    *ret_id = 0;
    *ret_is_row = ep->marks[0] == NULL;
    while ((st = json_next(json, &key, err)) == ST_OK && key.event == JSON_KEY) {
        *ret_is_row = *ret_is_row || is_mark(ep, key.text);
        if ((st = json_next(json, &value, err)) != ST_OK)
            return st;
        if (*ret_id == 0 && value.event == JSON_STRING && str_eq(key.text, STR("id")))
            *ret_id = XXH3_64bits(value.text.p, value.text.len);
        else
            st = json_skip(json, &value, NULL, err);
        if (st == ST_OK && *ret_id != 0 && *ret_is_row)
            return json_skip(json, object, NULL, err);
        if (st != ST_OK)
            return st;
    }
    return st;
}

static enum st read_array(struct json *json, const struct endpoint *ep, struct answer_facts *facts,
                          struct err *err)
{
    struct json_token element;
    uint64_t id;
    bool is_row;
    enum st st;

    while ((st = json_next(json, &element, err)) == ST_OK && element.event != JSON_ARRAY_END) {
        id = 0;
        is_row = false;
        if (element.event == JSON_OBJECT_BEGIN)
            st = read_element(json, &element, ep, &id, &is_row, err);
        else
            st = json_skip(json, &element, NULL, err);
        if (st != ST_OK)
            return st;
        if (facts->n_elements++ == 0)
            facts->first_id = id;
        facts->n_rows += is_row;
        facts->n_plain += element.event == ep->of && ep->of != JSON_OBJECT_BEGIN;
        facts->all_ids += id; /* a sum: rows may change places between two pages */
    }
    return st;
}

void answer_read(struct json *json, struct str body, const struct endpoint *ep, struct arena *arena,
                 struct answer_facts *ret_facts)
{
    struct answer_facts facts = {.top = JSON_DONE};
    struct json_token token;
    struct err err;

    enum st st = json_open(json, body, arena, &err);
    if (st == ST_OK)
        st = json_next(json, &token, &err);
    if (st == ST_OK) {
        facts.top = token.event;
        st = token.event == JSON_OBJECT_BEGIN ? read_object(json, ep, 1, &facts, &err)
                                              : read_array(json, ep, &facts, &err);
    }
    if (st == ST_OK)
        st = json_next(json, &token, &err);
    facts.is_json = st == ST_OK && token.event == JSON_DONE;
    if (!facts.is_json)
        facts = (struct answer_facts){.top = JSON_DONE, .words = body};
    else if (!facts.has_error)
        facts.error_code = 0;
    if (facts.words.len > MAX_WORDS)
        facts.words.len = MAX_WORDS;
    *ret_facts = facts;
}

/* Does it hold what the endpoint's answers do? One such element will do: rows are judged later. */
static bool has_rows(const struct answer_facts *facts, const struct endpoint *ep)
{
    if (ep->top == JSON_OBJECT_BEGIN)
        return facts->has_data || ep->of == JSON_DONE;
    return (ep->of == JSON_OBJECT_BEGIN ? facts->n_rows : facts->n_plain) > 0;
}

static enum shape shape_of(const struct answer_facts *facts, const struct endpoint *ep,
                           bool can_be_empty)
{
    if (!facts->is_json)
        return SHAPE_NOT_JSON;
    if (facts->has_error)
        return SHAPE_ERROR;
    if (ep->top == JSON_DONE)
        return SHAPE_ROWS;
    if (facts->top != ep->top)
        return SHAPE_OTHER;
    if (facts->top == JSON_ARRAY_BEGIN && facts->n_elements == 0)
        return can_be_empty ? SHAPE_ROWS : SHAPE_NO_ROWS;
    return has_rows(facts, ep) ? SHAPE_ROWS : SHAPE_OTHER;
}

/* Case does not matter. */
static bool has_word(struct str text, struct str word)
{
    for (size_t i = 0; i + word.len <= text.len; i++)
        if (strncasecmp(text.p + i, word.p, word.len) == 0)
            return true;
    return false;
}

static bool has_any_word(struct str text, const char *words)
{
    struct str rest = str_of(words), word;

    while (rest.len > 0) {
        str_cut(&rest, '|', &word);
        if (has_word(text, word))
            return true;
    }
    return false;
}

static bool fits(const struct rule *r, long status, enum shape shape,
                 const struct answer_facts *facts)
{
    return (r->status_to == 0 || (status >= r->status_from && status <= r->status_to)) &&
           (r->code == 0 || r->code == facts->error_code) &&
           (r->shape == SHAPE_ANY || r->shape == shape) &&
           (r->words == NULL || has_any_word(facts->words, r->words));
}

struct answer_verdict answer_classify(long status, const struct answer_facts *facts,
                                      const struct endpoint *ep, bool can_be_empty)
{
    enum shape shape = shape_of(facts, ep, can_be_empty);
    const struct rule *r = rules;

    /* an error that came as 200 is what it says it is */
    if (status == 200 && shape == SHAPE_ERROR && facts->error_code >= 400 &&
        facts->error_code <= 599)
        status = (long)facts->error_code;
    while (!fits(r, status, shape, facts)) /* the last one fits all */
        r++;
    return (struct answer_verdict){r->name, r->class, r->can_retry, r->mend};
}

/* What the answer itself says, or what it is. */
static void add_cause(struct buf *out, const struct answer_reply *reply,
                      const struct answer_facts *facts, const struct answer_verdict *verdict,
                      const struct endpoint *ep, size_t max)
{
    struct str location = http_answer_header(reply->headers, "location");

    if (reply->status >= 300 && reply->status <= 399 && location.len > 0) {
        buf_add_z(out, "to ");
        buf_add_clean(out, location, max - 3);
    } else if (facts->has_error && facts->words.len > 0) {
        buf_add_clean(out, facts->words, max);
    } else if (!facts->is_json && reply->body.len == 0) {
        buf_add_z(out, "an empty body");
    } else if (!facts->is_json) {
        buf_add_z(out, "not JSON: \"");
        buf_add_clean(out, reply->body, 40);
        buf_add_char(out, '"');
    } else if (verdict->class == ANSWER_DRIFT && facts->top != ep->top) {
        buf_addf(out, "an %s instead of %s", json_event_name(facts->top), ep->is_what);
    } else if (verdict->class == ANSWER_DRIFT && facts->top == JSON_ARRAY_BEGIN &&
               facts->n_elements == 0) {
        buf_addf(out, "nothing in %s", ep->is_what);
    } else if (verdict->class == ANSWER_DRIFT) {
        buf_addf(out, "an %s of other things instead of %s", json_event_name(facts->top),
                 ep->is_what);
    } else {
        buf_add_z(out, "no reason given");
    }
}

void answer_describe(const struct answer_reply *reply, const struct answer_facts *facts,
                     const struct answer_verdict *verdict, const struct endpoint *ep,
                     char ret_text[ANSWER_MAX_TEXT])
{
    char tail[128] = "", duration[TIME_TEXT];
    struct buf text = BUF_INIT(ANSWER_MAX_TEXT - 1);
    int64_t wait_us = reply->wait_us;

    if (wait_us > US_PER_S)
        wait_us = time_floor(wait_us, US_PER_S);
    if (verdict->mend)
        snprintf(tail, sizeof(tail), "; %s", verdict->mend);
    else if (wait_us > 0 && duration_format(wait_us, duration) > 0)
        snprintf(tail, sizeof(tail), " (retry after %s)", duration);
    buf_addf(&text, "HTTP %ld", reply->status);
    if (facts->error_code != 0 && facts->error_code != reply->status)
        buf_addf(&text, " (%lld)", (long long)facts->error_code);
    buf_add_z(&text, ": ");
    add_cause(&text, reply, facts, verdict, ep, text.max - text.len - strlen(tail));
    buf_add_z(&text, tail);
    snprintf(ret_text, ANSWER_MAX_TEXT, "%s", buf_z(&text));
    buf_release(&text);
}
