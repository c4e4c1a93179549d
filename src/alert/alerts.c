/* SPDX-License-Identifier: Apache-2.0 */
#include "alert/alerts.h"

#include "alert/inner.h"
#include "base/mem.h"

#include <stdio.h>

#define HASH_FIRST UINT64_C(14695981039346656037)

/* What may hold a secret is no word of a condition, which errors quote. */
static bool has_url(struct str text)
{
    return text.len > 0 && memmem(text.p, text.len, "://", 3) != NULL;
}

enum st alert_parse(struct str line, struct alert *ret_alert, struct err *err)
{
    struct str all = str_trim(line), when;
    struct alert alert = {.key = ""};
    size_t at = all.len;

    while (at > 0 && all.p[at - 1] != ' ')
        at--;
    const struct str to = {all.p + at, all.len - at};
    when = str_trim((struct str){all.p, at});
    if (when.len > 3 && memcmp(when.p + when.len - 3, " to", 3) == 0)
        when = str_trim((struct str){when.p, when.len - 3});
    if (when.len == 0)
        return err_set(err, ST_REJECT,
                       "an alert is a condition and where it goes; write "
                       "bitcoin.current_price < 60000 to https://…");
    if (has_url(when))
        return err_set(err, ST_REJECT,
                       "one alert goes to one channel, without blanks and at its end; write the "
                       "alert once more for another");
    if (memchr(to.p, ':', to.len) == NULL)
        return err_set(err, ST_REJECT, "where should it go? add: to https://…");
    enum st st = alert_rule_parse(when, &alert.rule, err);
    if (st == ST_OK)
        st = alert_channel_parse(to, &alert.to, err);
    if (st == ST_OK)
        *ret_alert = alert;
    return st;
}

struct alerts *alerts_new(const char *data_dir, struct clock *clock)
{
    struct alerts *a = mem_new(1, sizeof(*a));

    a->clock = clock;
    snprintf(a->data_dir, sizeof(a->data_dir), "%s", data_dir);
    snprintf(a->path, sizeof(a->path), "%.*s/alerts.db", (int)sizeof(a->path) - 12, data_dir);
    deliver_init(a);
    return a;
}

void alerts_free(struct alerts *a)
{
    if (a == NULL)
        return;
    deliver_release(a);
    mem_free(a->all);
    mem_free(a);
}

/* FNV-1a, 64 bit. */
static uint64_t add_hash(uint64_t hash, struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.p[i]) * UINT64_C(1099511628211);
    return (hash ^ '\n') * UINT64_C(1099511628211);
}

/* Where it goes, without user, password and token: the store shall not help to guess them. */
static uint64_t hash_of_channel(const struct alert_channel *c)
{
    struct str rest = str_of(c->url[0] ? c->url : c->text), scheme; /* MQTT has no url */
    size_t end = strlen("//");

    str_cut(&rest, ':', &scheme);
    while (end < rest.len && memchr("/?#", rest.p[end], 3) == NULL)
        end++;
    const char *at = rest.p && end <= rest.len ? memrchr(rest.p, '@', end) : NULL;
    const size_t begin = at ? (size_t)(at + 1 - rest.p) : strlen("//");
    if (begin <= rest.len)
        rest = (struct str){rest.p + begin, rest.len - begin};
    const uint64_t hash = add_hash(add_hash(HASH_FIRST ^ (uint64_t)c->kind, scheme), rest);
    return add_hash(add_hash(hash, str_of(c->from)), str_of(c->to));
}

enum st alerts_add(struct alerts *a, const struct alert *alert, struct err *err)
{
    const uint32_t hash = (uint32_t)hash_of_channel(&alert->to);
    size_t n_same = 1;

    if (a->n == ALERTS_MAX)
        return err_set(err, ST_REJECT, "more than %d alerts", ALERTS_MAX);
    for (size_t i = 0; i < a->n; i++)
        n_same += strcmp(a->all[i].rule.when, alert->rule.when) == 0 &&
                  (uint32_t)hash_of_channel(&a->all[i].to) == hash;
    a->all = mem_grow(a->all, a->n + 1, sizeof(*a->all));
    struct alert *mine = &a->all[a->n++];
    *mine = *alert;
    snprintf(mine->key, sizeof(mine->key), "%s @%08x", mine->rule.when, (unsigned)hash);
    if (n_same > 1)
        snprintf(mine->key, sizeof(mine->key), "%s @%08x #%zu", mine->rule.when, (unsigned)hash,
                 n_same % 100);
    return ST_OK;
}

size_t alerts_count(const struct alerts *a)
{
    return a->n;
}

const struct alert *alerts_at(const struct alerts *a, size_t i)
{
    return &a->all[i];
}

const char *alerts_data_dir(const struct alerts *a)
{
    return a->data_dir;
}

const char *alerts_path(const struct alerts *a)
{
    return a->path;
}

void alerts_set_budget(struct alerts *a, int64_t calls)
{
    a->budget = calls;
}

int64_t alerts_budget(const struct alerts *a)
{
    return a->budget;
}

void alerts_fingerprint(const struct alerts *a, char ret_text[17])
{
    uint64_t hash = add_hash(HASH_FIRST, str_of(a->path));

    for (size_t i = 0; i < a->n; i++) {
        hash = add_hash(add_hash(hash, str_of(a->all[i].key)), str_of(a->all[i].to.text));
        hash = add_hash(hash, str_of(a->all[i].rule.job));
        hash = add_hash(hash, str_of(a->all[i].rule.currency));
    }
    hash = (hash ^ (uint64_t)a->budget) * UINT64_C(1099511628211);
    snprintf(ret_text, 17, "%016llx", (unsigned long long)hash);
}
