/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/budget.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>

void budget_init(struct budget *b, uint64_t calls, bool is_by_key, int day, uint64_t key_hash)
{
    *b = (struct budget){.calls = calls, .is_by_key = is_by_key, .key_hash = key_hash};
    b->day = day > 0 ? day : 1;
}

void budget_release(struct budget *b)
{
    for (size_t i = 0; i < b->n; i++)
        mem_free(b->all[i]);
    mem_free(b->all);
    *b = (struct budget){.day = 1};
}

struct credits *budget_of(struct budget *b, const char *job, int64_t now_us,
                          const struct tape_record *end)
{
    for (size_t i = 0; i < b->n; i++)
        if (strcmp(b->all[i]->job, job) == 0)
            return &b->all[i]->credits;
    struct budget_entry *entry = mem_new(1, sizeof(*entry));
    snprintf(entry->job, sizeof(entry->job), "%s", job);
    credits_init(&entry->credits, b->key_hash, b->day, now_us, end);
    b->all = mem_grow(b->all, b->n + 1, sizeof(*b->all));
    b->all[b->n++] = entry;
    return &entry->credits;
}

void budget_count(const struct budget *b, struct credits *credits, int64_t now_us,
                  bool is_clock_good, uint64_t n)
{
    credits_count(credits, b->day, now_us, is_clock_good, n);
}

struct budget_state budget_now(const struct budget *b, int64_t now_us)
{
    struct budget_state now = {.period = period_of(now_us, b->day), .left = UINT64_MAX};

    for (size_t i = 0; i < b->n; i++)
        now.own += credits_spent(&b->all[i]->credits, now.period.from_us);
    if (b->others_from_us == now.period.from_us)
        now.others = b->others;
    if (b->calls > 0)
        now.left = now.own + now.others < b->calls ? b->calls - now.own - now.others : 0;
    return now;
}

void budget_explain(const struct budget *b, const struct budget_state *now,
                    char ret_text[BUDGET_MAX_TEXT])
{
    char from[TIME_TEXT], until[TIME_TEXT], others[80] = "";

    time_format(now->period.from_us, from);
    time_format(now->period.until_us, until);
    if (now->others > 0)
        snprintf(others, sizeof(others), ", %llu of them by others with this key",
                 (unsigned long long)now->others);
    snprintf(ret_text, BUDGET_MAX_TEXT,
             "the budget of %llu calls since %.10s is spent%s; it goes on at %.10s",
             (unsigned long long)b->calls, from, others, until);
}

void budget_key_says(struct budget *b, int64_t now_us, uint64_t credits, int64_t left)
{
    const struct budget_state now = budget_now(b, now_us);

    if (credits == 0)
        return;
    if (b->is_by_key)
        b->calls = credits;
    if (left < 0)
        return;
    const uint64_t used = (uint64_t)left < credits ? credits - (uint64_t)left : 0;
    b->others = used > now.own ? used - now.own : 0;
    b->others_from_us = now.period.from_us;
}
