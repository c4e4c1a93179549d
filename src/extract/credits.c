/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/credits.h"

#include "base/clock.h"

void credits_init(struct credits *c, uint64_t key_hash, const struct tape_record *end)
{
    *c = (struct credits){.key_hash = key_hash};
    if (end && end->credits_key == key_hash) {
        c->from_us = end->credits_from_us;
        c->spent = end->credits_spent;
    }
}

static int64_t month_start(int64_t ts_us)
{
    char text[TIME_TEXT];

    time_format(ts_us, text);
    memcpy(text + 8, "01T00:00:00Z", sizeof("01T00:00:00Z"));
    return time_parse(str_of(text), &ts_us) ? ts_us : 0;
}

void credits_count(struct credits *c, int64_t now_us, bool is_clock_off)
{
    int64_t from_us = month_start(now_us);

    if (!is_clock_off && from_us != c->from_us) {
        c->from_us = from_us;
        c->spent = 0;
    }
    c->spent++;
}
