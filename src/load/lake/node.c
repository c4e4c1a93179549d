/* SPDX-License-Identifier: Apache-2.0 */
#include "load/lake/node.h"

#include <assert.h>

/* The value of a token, whose place is *at; containers are stacked. */
struct builder {
    struct arena *arena;
    struct node **at[JSON_MAX_DEPTH + 1]; /* where the next child goes */
    size_t depth;
    struct str key;
};

static bool add(struct builder *b, const struct json_token *token)
{
    struct node *n = arena_zalloc(b->arena, 1, sizeof(*n));

    if (n == NULL)
        return false;
    n->event = token->event;
    n->key = b->key;
    n->text = token->text;
    b->key = STR_NONE;
    assert(b->at[b->depth]); /* simdjson's events nest */
    *b->at[b->depth] = n;
    b->at[b->depth] = &n->next;
    if (token->event == JSON_OBJECT_BEGIN || token->event == JSON_ARRAY_BEGIN)
        b->at[++b->depth] = &n->child;
    return true;
}

enum st node_parse(struct json *j, struct str text, struct arena *arena, struct node **ret_node,
                   struct err *err)
{
    struct node *root = NULL;
    struct builder b = {.arena = arena, .at = {&root}};
    struct json_token token = {.event = JSON_NULL};
    const struct str padded = json_pad(arena, text);

    if (padded.p == NULL)
        return err_set(err, ST_AGAIN, "no memory for %zu bytes of JSON", text.len);
    enum st st = json_open(j, padded, arena, err);
    while (st == ST_OK) {
        st = json_next(j, &token, err);
        if (st != ST_OK || token.event == JSON_DONE)
            break;
        if (token.event == JSON_KEY)
            b.key = token.text;
        else if (token.event == JSON_OBJECT_END || token.event == JSON_ARRAY_END)
            b.depth--;
        else if (!add(&b, &token))
            st = err_set(err, ST_AGAIN, "no memory for %zu bytes of JSON", text.len);
    }
    if (st == ST_OK)
        *ret_node = root;
    return st;
}

const struct node *node_first(const struct node *container)
{
    return container ? container->child : NULL;
}

const struct node *node_get(const struct node *object, const char *key)
{
    const struct node *n = object && object->event == JSON_OBJECT_BEGIN ? object->child : NULL;

    while (n && !str_eq(n->key, str_of(key)))
        n = n->next;
    return n;
}

struct str node_text(const struct node *n)
{
    return n && n->event == JSON_STRING ? n->text : STR_NONE;
}

bool node_is_true(const struct node *n)
{
    return n && n->event == JSON_TRUE;
}

int64_t node_int(const struct node *n, int64_t otherwise)
{
    int64_t value;

    return n && n->event == JSON_NUMBER && str_to_i64(n->text, INT64_MIN, INT64_MAX, &value)
               ? value
               : otherwise;
}
