/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/cache.h"

#include "base/mem.h"

#include <sys/queue.h>
#include <xxhash.h>

#define MAX_ENTRIES 512
#define MAX_BYTES   ((size_t)24 * 1024 * 1024)
#define N_BUCKETS   256

struct entry {
    TAILQ_ENTRY(entry) age;  /* in `all`, asked for longest ago first */
    LIST_ENTRY(entry) place; /* in its bucket */
    uint64_t hash;
    int64_t until_us;
    struct http_page *page;
    size_t len;
    char key[];
};

TAILQ_HEAD(entry_ages, entry);
LIST_HEAD(entry_bucket, entry);

struct cache {
    uint64_t version;
    size_t n;
    struct entry_ages all;
    struct entry_bucket buckets[N_BUCKETS];
};

struct cache *cache_new(void)
{
    struct cache *c = mem_new(1, sizeof(*c));

    TAILQ_INIT(&c->all);
    return c;
}

static void drop(struct cache *c, struct entry *entry)
{
    TAILQ_REMOVE(&c->all, entry, age);
    LIST_REMOVE(entry, place);
    c->n--;
    page_set_kept(entry->page, false);
    page_drop(entry->page);
    mem_free(entry);
}

void cache_clear(struct cache *c)
{
    while (!TAILQ_EMPTY(&c->all))
        drop(c, TAILQ_FIRST(&c->all));
}

void cache_free(struct cache *c)
{
    if (!c)
        return;
    cache_clear(c);
    mem_free(c);
}

void cache_set_version(struct cache *c, uint64_t version)
{
    if (version != c->version)
        cache_clear(c);
    c->version = version;
}

static struct entry *find(struct cache *c, struct str key, uint64_t hash)
{
    struct entry *entry;

    LIST_FOREACH(entry, &c->buckets[hash % N_BUCKETS], place)
    if (entry->hash == hash && str_eq(key, (struct str){entry->key, entry->len}))
        return entry;
    return NULL;
}

struct http_page *cache_find(struct cache *c, struct str key, int64_t now_us)
{
    struct entry *entry = find(c, key, XXH3_64bits(key.p, key.len));

    if (!entry)
        return NULL;
    if (now_us >= entry->until_us) {
        drop(c, entry);
        return NULL;
    }
    TAILQ_REMOVE(&c->all, entry, age);
    TAILQ_INSERT_TAIL(&c->all, entry, age);
    return page_share(entry->page);
}

/* Bodies grow when they are packed for the first time, so what they are now is counted anew. */
static size_t bytes_of_all(const struct cache *c)
{
    const struct entry *entry;
    size_t n = 0;

    TAILQ_FOREACH(entry, &c->all, age)
    n += page_bytes(entry->page);
    return n;
}

void cache_add(struct cache *c, struct str key, struct http_page *page, int64_t until_us)
{
    const uint64_t hash = XXH3_64bits(key.p, key.len);
    struct entry *entry = find(c, key, hash);

    if (entry)
        drop(c, entry);
    entry = mem_try(NULL, sizeof(*entry) + key.len);
    if (!entry)
        return; /* it is made anew then */
    *entry = (struct entry){
        .hash = hash, .until_us = until_us, .page = page_share(page), .len = key.len};
    memcpy(entry->key, key.p, key.len);
    page_set_kept(page, true);
    TAILQ_INSERT_TAIL(&c->all, entry, age);
    LIST_INSERT_HEAD(&c->buckets[hash % N_BUCKETS], entry, place);
    c->n++;
    while (c->n > MAX_ENTRIES || (c->n > 0 && bytes_of_all(c) > MAX_BYTES))
        drop(c, TAILQ_FIRST(&c->all));
}
