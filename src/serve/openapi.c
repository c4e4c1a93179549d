/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/openapi.h"

#include "query/history.h"
#include "row/market.h"
#include "serve/api_v3.h"
#include "serve/json.h"
#include "serve/shape.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#define MAX_SHAPE ((size_t)64 * 1024)

static const struct parameter at = {
    "at",
    PARAMETER_TEXT,
    "the moment that the answer is of: RFC 3339, a day, seconds since 1970, or -2h",
    NULL,
    0,
    0,
    false};

/* What every operation may answer beside its own. */
static const short refusals_of_all[] = {400, 414, 431, 500, 503};

bool operation_takes(const struct operation *op, const char *name)
{
    for (const struct parameter *p = op->takes; p && p->name; p++)
        if (strcmp(p->name, name) == 0)
            return true;
    return false;
}

/* ---- schemas ---- */

/* The members of own_add_rows(). */
static void add_table_shape(struct buf *b, const struct table *t)
{
    for (size_t i = 0; i < t->n_columns; i++)
        buf_addf(b, "%s%s:%s", i > 0 ? "," : "{", t->columns[i].name,
                 shape_of_column(&t->columns[i]));
    buf_add_char(b, '}');
}

static void add_schema(struct buf *b, const char *name, const char *shape)
{
    json_add_key(b, name);
    shape_add_schema(b, shape);
}

static void add_tables(struct buf *b)
{
    const struct table *const tables[] = {&poll_table, &gap_table, &refusal_table, &flag_table,
                                          &coverage_table};
    struct buf shape = BUF_INIT(MAX_SHAPE);

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        buf_clear(&shape);
        add_table_shape(&shape, tables[i]);
        add_schema(b, tables[i]->name, buf_z(&shape));
    }
    buf_clear(&shape);
    api_v3_market_shape(&shape);
    add_schema(b, market_table.name, buf_z(&shape));
    buf_clear(&shape);
    api_v3_market_data_shape(&shape);
    add_schema(b, "market_data", buf_z(&shape));
    buf_release(&shape);
}

static void add_schemas(struct buf *b)
{
    buf_add_z(b, "\"schemas\":{");
    add_schema(b, "error", "{error:s}");
    add_schema(b, "span_error", "{error:{status:{timestamp:t,error_code:i,error_message:s}}}");
    add_tables(b);
    buf_add_char(b, '}');
}

/* ---- parameters ---- */

/* "a|b" as ["a","b"] */
static void add_choices(struct buf *b, const char *of)
{
    struct str left = str_of(of), one;

    buf_add_z(b, "{\"type\":\"string\",\"enum\":[");
    for (int i = 0; left.len > 0; i++) {
        str_cut(&left, '|', &one);
        buf_add_z(b, i > 0 ? "," : "");
        buf_add_json_str(b, one);
    }
    buf_add_z(b, "]}");
}

static void add_list(struct buf *b, const char *of)
{
    buf_add_z(b, "\"style\":\"form\",\"explode\":false,\"schema\":{\"type\":\"array\",\"items\":");
    if (of)
        add_choices(b, of);
    else
        buf_add_z(b, "{\"type\":\"string\"}");
    buf_add_char(b, '}');
}

/* An example of a list. */
static void add_words(struct buf *b, const char *words)
{
    struct str left = str_of(words), one;

    json_add_key(b, "example");
    buf_add_char(b, '[');
    for (int i = 0; left.len > 0; i++) {
        str_cut(&left, ',', &one);
        buf_add_z(b, i > 0 ? "," : "");
        buf_add_json_str(b, one);
    }
    buf_add_char(b, ']');
}

static void add_number(struct buf *b, const struct parameter *p)
{
    buf_add_z(b, "\"schema\":{\"type\":\"integer\",\"minimum\":1");
    if (p->max > 0)
        buf_addf(b, ",\"maximum\":%" PRId64, p->max);
    if (p->usual > 0)
        buf_addf(b, ",\"default\":%" PRId64, p->usual);
    buf_add_char(b, '}');
}

static void add_parameter_schema(struct buf *b, const struct parameter *p)
{
    switch (p->kind) {
    case PARAMETER_TEXT:
        buf_add_z(b, "\"schema\":{\"type\":\"string\"}");
        if (p->of)
            json_add_text(b, "example", str_of(p->of));
        break;
    case PARAMETER_WORDS:
        add_list(b, NULL);
        if (p->of)
            add_words(b, p->of);
        break;
    case PARAMETER_FLAG:
        buf_add_z(b, "\"schema\":{\"type\":\"boolean\"}");
        break;
    case PARAMETER_NUMBER:
        add_number(b, p);
        break;
    case PARAMETER_CHOICE:
        buf_add_z(b, "\"schema\":");
        add_choices(b, p->of);
        break;
    case PARAMETER_CHOICES:
        add_list(b, p->of);
        break;
    case PARAMETER_PATTERN:
        buf_add_z(b, "\"schema\":{\"type\":\"string\",\"pattern\":");
        buf_add_json_str(b, str_of(p->of));
        buf_add_char(b, '}');
        break;
    case PARAMETER_TIME:
        buf_add_z(b, "\"schema\":{\"type\":\"string\",\"format\":\"date-time\"}");
        break;
    }
}

static void add_parameter(struct buf *b, const struct parameter *p)
{
    buf_add_z(b, b->p[b->len - 1] == '[' ? "{" : ",{");
    json_add_text(b, "name", str_of(p->name));
    json_add_text(b, "in", STR("query"));
    json_add_text(b, "description", str_of(p->help));
    buf_addf(b, ",\"required\":%s,", p->is_needed ? "true" : "false");
    add_parameter_schema(b, p);
    buf_add_char(b, '}');
}

static void add_parameters(struct buf *b, const struct openapi_path *path,
                           const struct operation *op)
{
    json_add_key(b, "parameters");
    buf_add_char(b, '[');
    if (strstr(path->pattern, "{id}"))
        buf_add_z(
            b,
            "{\"name\":\"id\",\"in\":\"path\",\"description\":\"CoinGecko's id of the "
            "coin\",\"required\":true,\"schema\":{\"type\":\"string\"},\"example\":\"bitcoin\"}");
    for (const struct parameter *p = op->takes; p && p->name; p++)
        add_parameter(b, p);
    if (path->has_at)
        add_parameter(b, &at);
    buf_add_char(b, ']');
}

/* ---- answers ---- */

/* The name of what the answer is, among the document's. */
static const char *refusal_of(const struct operation *op, int status)
{
    switch (status) {
    case 414:
    case 431:
        return "too_long";
    case 401:
        return op->has_spans ? "refused_span" : "refused";
    case 429:
    case 503:
        return "later";
    default:
        return "refused";
    }
}

static void add_refusal(struct buf *b, const struct operation *op, int status)
{
    json_add_comma(b);
    if (status == 503 && op->later) {
        buf_add_z(b, "\"503\":{\"description\":\"it is not\",\"content\":{\"application/json\":{"
                     "\"schema\":");
        shape_add_schema(b, op->later);
        buf_add_z(b, "}}}");
    } else {
        buf_addf(b, "\"%d\":{\"$ref\":\"#/components/responses/%s\"}", status,
                 refusal_of(op, status));
    }
}

static void add_content(struct buf *b, const struct operation *op)
{
    json_add_key(b, "content");
    buf_add_char(b, '{');
    if (op->gives) {
        json_add_key(b, "application/json");
        buf_add_z(b, "{\"schema\":");
        shape_add_schema(b, op->gives);
        buf_add_char(b, '}');
    }
    if (op->type) {
        json_add_key(b, op->type);
        buf_add_z(b, "{\"schema\":{\"type\":\"string\"}}");
    }
    buf_add_char(b, '}');
}

static void add_answer(struct buf *b, const struct operation *op)
{
    const int status = op->status ? op->status : 200;

    if (!op->gives && !op->type)
        return;
    buf_addf(b, "\"%d\":{\"description\":\"the answer\"", status);
    add_content(b, op);
    buf_add_char(b, '}');
    if (status == 200)
        buf_add_z(b, ",\"304\":{\"description\":\"as If-None-Match says\"}");
}

static void add_answers(struct buf *b, const struct operation *op)
{
    json_add_key(b, "responses");
    buf_add_char(b, '{');
    add_answer(b, op);
    if (!op->is_not_guarded)
        add_refusal(b, op, 401);
    for (size_t i = 0; i < sizeof(refusals_of_all) / sizeof(refusals_of_all[0]); i++)
        add_refusal(b, op, refusals_of_all[i]);
    for (size_t i = 0; i < MAX_REFUSALS && op->refuses[i]; i++)
        add_refusal(b, op, op->refuses[i]);
    buf_add_char(b, '}');
}

/* ---- operations ---- */

/* "get_api_v3_coins_id" */
static void add_id(struct buf *b, const char *method, const struct openapi_path *path)
{
    json_add_key(b, "operationId");
    buf_addf(b, "\"%s", method);
    for (int i = 0; i < 2; i++)
        for (const char *p = i == 0 ? path->root : path->pattern; *p; p++)
            if (isalnum((unsigned char)*p) || *p == '/' || *p == '_')
                buf_add_char(b, *p == '/' ? '_' : *p);
    buf_add_char(b, '"');
}

static void add_operation(struct buf *b, const char *method, const struct openapi_path *path,
                          const struct operation *op)
{
    if (!op)
        return;
    json_add_key(b, method);
    buf_add_char(b, '{');
    add_id(b, method, path);
    json_add_text(b, "summary", str_of(op->summary));
    json_add_key(b, "tags");
    buf_addf(b, "[\"%s\"]", path->tag);
    add_parameters(b, path, op);
    if (op->body) {
        buf_add_z(b, ",\"requestBody\":{\"content\":{\"application/json\":{\"schema\":");
        shape_add_schema(b, op->body);
        buf_add_z(b, "}}}");
    }
    json_add_key(b, "security");
    buf_add_z(b, op->is_not_guarded            ? "[]"
                 : strcmp(method, "post") == 0 ? "[{\"token\":[]}]"
                                               : "[{},{\"token\":[]},{\"login\":[]}]");
    add_answers(b, op);
    buf_add_char(b, '}');
}

void openapi_add_path(struct buf *b, const struct openapi_path *path)
{
    json_add_comma(b);
    buf_addf(b, "\"%s%s\":{", path->root, path->pattern);
    add_operation(b, "get", path, path->get);
    add_operation(b, "post", path, path->post);
    buf_add_char(b, '}');
}

/* ---- the document ---- */

static void add_response(struct buf *b, const char *name, const char *description,
                         const char *shape, const char *more)
{
    json_add_key(b, name);
    buf_add_char(b, '{');
    json_add_text(b, "description", str_of(description));
    buf_add_z(b, more);
    buf_add_z(b, ",\"content\":{\"application/json\":{\"schema\":");
    shape_add_schema(b, shape);
    buf_add_z(b, "}}}");
}

static void add_responses(struct buf *b)
{
    json_add_key(b, "responses");
    buf_add_char(b, '{');
    add_response(b, "refused", "refused, and why", "@error", "");
    add_response(b, "refused_span", "no right to read, or too long a span", "@error|@span_error",
                 "");
    add_response(b, "later", "not now; ask again", "@error",
                 ",\"headers\":{\"Retry-After\":{\"schema\":{\"type\":\"integer\"}}}");
    buf_add_z(b, ",\"too_long\":{\"description\":\"line and headers do not fit\",\"content\":"
                 "{\"text/html\":{\"schema\":{\"type\":\"string\"}}}}}");
}

void openapi_begin(struct buf *b)
{
    buf_add_z(b, "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"geckotape\",\"version\":"
                 "\"" GECKOTAPE_VERSION "\",\"description\":\"CoinGecko's API below /api/v3, from "
                 "the store, and what geckotape tells of itself.\",\"license\":{\"name\":"
                 "\"Apache-2.0\",\"identifier\":\"Apache-2.0\"}},\"servers\":[{\"url\":\"/\"}],"
                 "\"paths\":{");
}

void openapi_end(struct buf *b)
{
    buf_add_z(b, "},\"components\":{\"securitySchemes\":{\"token\":{\"type\":\"http\",\"scheme\":"
                 "\"bearer\"},\"login\":{\"type\":\"http\",\"scheme\":\"basic\"}}");
    json_add_comma(b);
    add_schemas(b);
    add_responses(b);
    buf_add_z(b, "}}\n");
}
