/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/classify.h"

#include "base/clock.h"

#include <stdio.h>
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

/* The first row that fits decides. A status or code of 0 fits all. */
static const struct row {
    long status_from, status_to;
    int64_t code;         /* error_code of the body */
    enum shape shape;     /* SHAPE_ANY: all */
    const char *msg_part; /* in the error's own words; NULL: whatever they are */
    enum answer_class class;
    bool can_retry;
    const char *mend;
} table[] = {
    /* the code says more than the status, with which it often disagrees */
    {0, 0, 429, SHAPE_ERROR, NULL, ANSWER_RATE_LIMITED, true, NULL},
    {0, 0, 1020, SHAPE_ERROR, NULL, ANSWER_TRANSIENT, true, NULL},
    {0, 0, 10002, SHAPE_ERROR, NULL, ANSWER_PERMANENT, false,
     "the API key is missing or wrong: check GECKOTAPE_API_KEY and --api-plan"},
    {0, 0, 10005, SHAPE_ERROR, NULL, ANSWER_PERMANENT, false, "this needs a paid plan"},
    {0, 0, 10010, SHAPE_ERROR, NULL, ANSWER_PERMANENT, false,
     "a Pro key belongs to the Pro host: --api-plan pro"},
    {0, 0, 10011, SHAPE_ERROR, NULL, ANSWER_PERMANENT, false,
     "a Demo key belongs to the public host: --api-plan demo"},
    {0, 0, 10012, SHAPE_ERROR, NULL, ANSWER_PERMANENT, false, "the plan does not allow this much"},

    {200, 200, 0, SHAPE_ROWS, NULL, ANSWER_OK, false, NULL},
    {200, 200, 0, SHAPE_NOT_JSON, NULL, ANSWER_NOT_JSON, true, NULL},
    {200, 200, 0, SHAPE_ANY, NULL, ANSWER_DRIFT, true, NULL},

    {300, 399, 0, SHAPE_ANY, NULL, ANSWER_PERMANENT, false,
     "redirects are not followed: check --api-url"},
    {429, 429, 0, SHAPE_ANY, NULL, ANSWER_RATE_LIMITED, true, NULL},
    {401, 401, 0, SHAPE_ANY, NULL, ANSWER_PERMANENT, false, "check the API key and --api-plan"},
    {403, 403, 0, SHAPE_ERROR, "User-Agent", ANSWER_PERMANENT, false,
     "something on the way removes the User-Agent"},
    {403, 403, 0, SHAPE_ANY, NULL, ANSWER_TRANSIENT, true, NULL}, /* also an outage's status */
    {404, 404, 0, SHAPE_ANY, NULL, ANSWER_PERMANENT, false, "check --api-url: it ends in /api/v3"},
    {408, 408, 0, SHAPE_ANY, NULL, ANSWER_TRANSIENT, true, NULL},
    {400, 499, 0, SHAPE_ANY, NULL, ANSWER_PERMANENT, false, "check the job's options"},
    {0, 0, 0, SHAPE_ANY, NULL, ANSWER_TRANSIENT, true, NULL},
};

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

#define MAX_ERROR_DEPTH 3 /* {"error":{"status":{"error_code":…}}} */

/* Read the members of an object at this depth; the inside of "error" and "status" too. Shapes:
 * {"error":"…"}, {"status":{"error_code":…,"error_message":…}}, that inside "error", error_code
 * beside status, {"status":500,"error":"…"}. A coin called "status" is no error: it has no
 * error_… inside. */
static enum st read_object(struct json *json, int depth, struct answer_facts *facts,
                           struct err *err)
{
    struct json_token key, value;
    enum st st;

    while ((st = json_next(json, &key, err)) == ST_OK && key.event == JSON_KEY) {
        if ((st = json_next(json, &value, err)) != ST_OK)
            return st;
        bool is_error = str_eq(key.text, STR("error"));
        if (value.event == JSON_OBJECT_BEGIN && depth < MAX_ERROR_DEPTH &&
            (is_error || str_eq(key.text, STR("status")))) {
            st = read_object(json, depth + 1, facts, err);
        } else if (value.event == JSON_NUMBER && str_eq(key.text, STR("error_code"))) {
            facts->has_error = true;
            if (!str_to_i64(value.text, 0, INT64_MAX, &facts->error_code))
                facts->error_code = 0;
        } else if (value.event == JSON_STRING &&
                   (is_error || str_eq(key.text, STR("error_message")))) {
            facts->has_error = true;
            facts->error_msg = value.text;
        } else {
            st = json_skip(json, &value, NULL, err);
        }
        if (st != ST_OK)
            return st;
    }
    return st;
}

/* The rest of an object and the hash of its id; 0 when it has none. */
static enum st read_id(struct json *json, const struct json_token *object, uint64_t *ret_id,
                       struct err *err)
{
    struct json_token key, value;
    enum st st;

    *ret_id = 0;
    while ((st = json_next(json, &key, err)) == ST_OK && key.event == JSON_KEY) {
        if ((st = json_next(json, &value, err)) != ST_OK)
            return st;
        if (value.event == JSON_STRING && str_eq(key.text, STR("id"))) {
            *ret_id = XXH3_64bits(value.text.p, value.text.len);
            return json_skip(json, object, NULL, err);
        }
        if ((st = json_skip(json, &value, NULL, err)) != ST_OK)
            return st;
    }
    return st;
}

static enum st read_array(struct json *json, struct answer_facts *facts, struct err *err)
{
    struct json_token element;
    uint64_t id;
    enum st st;

    while ((st = json_next(json, &element, err)) == ST_OK && element.event != JSON_ARRAY_END) {
        id = 0;
        if (element.event == JSON_OBJECT_BEGIN)
            st = read_id(json, &element, &id, err);
        else
            st = json_skip(json, &element, NULL, err);
        if (st != ST_OK)
            return st;
        if (facts->n_elements++ == 0)
            facts->first_id = id;
        facts->n_objects += element.event == JSON_OBJECT_BEGIN;
        facts->all_ids += id; /* a sum: rows may change places between two pages */
    }
    return st;
}

void answer_read(struct json *json, struct str body, struct arena *arena,
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
        st = token.event == JSON_OBJECT_BEGIN ? read_object(json, 1, &facts, &err)
                                              : read_array(json, &facts, &err);
    }
    if (st == ST_OK)
        st = json_next(json, &token, &err);
    facts.is_json = st == ST_OK && token.event == JSON_DONE;
    *ret_facts = facts.is_json ? facts : (struct answer_facts){.top = JSON_DONE};
}

static enum shape shape_of(const struct answer_facts *facts, const struct endpoint *ep,
                           bool can_be_empty)
{
    if (!facts->is_json)
        return SHAPE_NOT_JSON;
    if (facts->has_error)
        return SHAPE_ERROR;
    if (facts->top != ep->top)
        return SHAPE_OTHER;
    if (facts->top == JSON_ARRAY_BEGIN && facts->n_elements == 0)
        return can_be_empty ? SHAPE_ROWS : SHAPE_NO_ROWS;
    if (facts->top == JSON_ARRAY_BEGIN && facts->n_objects == 0)
        return SHAPE_OTHER;
    return SHAPE_ROWS;
}

struct answer_verdict answer_classify(long status, const struct answer_facts *facts,
                                      const struct endpoint *ep, bool can_be_empty)
{
    enum shape shape = shape_of(facts, ep, can_be_empty);
    const struct row *r = table;

    for (;; r++) {
        if (r->status_to != 0 && (status < r->status_from || status > r->status_to))
            continue;
        if (r->code != 0 && r->code != facts->error_code)
            continue;
        if (r->shape != SHAPE_ANY && r->shape != shape)
            continue;
        if (r->msg_part &&
            (facts->error_msg.len == 0 || memmem(facts->error_msg.p, facts->error_msg.len,
                                                 r->msg_part, strlen(r->msg_part)) == NULL))
            continue;
        break; /* at the latest in the last row, which fits all */
    }
    return (struct answer_verdict){r->class, r->can_retry, r->mend};
}

/* What the answer itself says, or what it is. */
static void add_cause(struct buf *out, const struct answer_facts *facts,
                      const struct answer_verdict *verdict, const struct endpoint *ep,
                      struct str body, size_t max)
{
    if (facts->has_error && facts->error_msg.len > 0) {
        buf_add_clean(out, facts->error_msg, max);
    } else if (!facts->is_json && body.len == 0) {
        buf_add_z(out, "an empty body");
    } else if (!facts->is_json) {
        buf_add_z(out, "not JSON: \"");
        buf_add_clean(out, body, 40);
        buf_add_char(out, '"');
    } else if (verdict->class == ANSWER_DRIFT && facts->top != ep->top) {
        buf_addf(out, "an %s instead of %s", json_event_name(facts->top), ep->is_what);
    } else if (verdict->class == ANSWER_DRIFT && facts->n_elements == 0) {
        buf_addf(out, "nothing in %s", ep->is_what);
    } else if (verdict->class == ANSWER_DRIFT) {
        buf_addf(out, "an array of other things instead of %s", ep->is_what);
    } else {
        buf_add_z(out, "no reason given");
    }
}

void answer_describe(long status, const struct answer_facts *facts,
                     const struct answer_verdict *verdict, const struct endpoint *ep,
                     struct str body, int64_t wait_us, char ret_text[ANSWER_MAX_TEXT])
{
    char tail[128] = "", duration[TIME_TEXT];
    struct buf text = BUF_INIT(ANSWER_MAX_TEXT - 1);

    if (verdict->mend)
        snprintf(tail, sizeof(tail), "; %s", verdict->mend);
    else if (wait_us > 0 && duration_format(wait_us / US_PER_S * US_PER_S, duration) > 0)
        snprintf(tail, sizeof(tail), " (retry after %s)", duration);
    buf_addf(&text, "HTTP %ld", status);
    if (facts->error_code != 0 && facts->error_code != status)
        buf_addf(&text, " (%lld)", (long long)facts->error_code);
    buf_add_z(&text, ": ");
    add_cause(&text, facts, verdict, ep, body, text.max - text.len - strlen(tail));
    buf_add_z(&text, tail);
    snprintf(ret_text, ANSWER_MAX_TEXT, "%s", buf_z(&text));
    buf_release(&text);
}
