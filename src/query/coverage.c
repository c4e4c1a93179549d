/* SPDX-License-Identifier: Apache-2.0 */
#include "query/coverage.h"

#include "base/clock.h"

#define DAY_US      (86400 * US_PER_S)
#define PATIENCE_US (60 * US_PER_S) /* for a poll that is due now */

static void count(struct coverage *c, int64_t at_us, enum coverage_column column, int64_t n)
{
    if (at_us >= c->from_us && at_us < c->until_us)
        rows_at(&c->rows, (size_t)((at_us - c->from_us) / DAY_US))[column].number += n;
}

bool coverage_begin(struct coverage *c, int64_t from_us, int64_t until_us, struct arena *arena)
{
    const size_t n_days = (size_t)((until_us - from_us) / DAY_US);

    *c = (struct coverage){
        .from_us = from_us, .until_us = until_us, .rows = {.table = &coverage_table, .n = n_days}};
    c->rows.cells = arena_alloc(arena, n_days * N_COVERAGE_COLUMNS, sizeof(*c->rows.cells));
    if (!c->rows.cells)
        return false;
    for (size_t i = 0; i < n_days; i++)
        for (size_t column = 0; column < N_COVERAGE_COLUMNS; column++)
            rows_at(&c->rows, i)[column] = column == COVERAGE_DAY
                                               ? cell_of_time(from_us + (int64_t)i * DAY_US)
                                               : cell_of_int(0);
    return true;
}

/* Slots of the grid due, due + every, … in [from, to). */
static int64_t n_slots(int64_t due_us, int64_t every_us, int64_t from_us, int64_t to_us)
{
    const int64_t before = from_us > due_us ? (from_us - due_us + every_us - 1) / every_us : 0;
    const int64_t all = to_us > due_us ? (to_us - due_us + every_us - 1) / every_us : 0;

    return all - before;
}

/* What was due did not come before end_us. */
static void add_gap(struct coverage *c, int64_t end_us)
{
    const int64_t first_us = c->due_us > c->from_us ? time_floor(c->due_us, DAY_US) : c->from_us;
    const int64_t last_us = end_us < c->until_us ? end_us : c->until_us;

    for (int64_t day_us = first_us; day_us < last_us; day_us += DAY_US) {
        const int64_t from_us = c->due_us > day_us ? c->due_us : day_us;
        const int64_t to_us = end_us < day_us + DAY_US ? end_us : day_us + DAY_US;
        const int64_t n = n_slots(c->due_us, c->every_us, from_us, to_us);
        count(c, day_us, COVERAGE_PROMISED, n);
        count(c, day_us, COVERAGE_MISSED, n);
        count(c, day_us, COVERAGE_GAPS, 1);
        count(c, day_us, COVERAGE_GAP_MS, (to_us - from_us) / US_PER_MS);
    }
}

/* The first poll of a slot: what was due until then has come, or not. */
static void begin_slot(struct coverage *c, int64_t slot_us)
{
    if (c->due_us != 0 && c->due_us < slot_us)
        add_gap(c, slot_us);
    /* also where it ends a gap, unless somebody asked for it */
    if (c->due_us != 0 && c->due_us <= slot_us && (slot_us - c->due_us) % c->every_us == 0)
        count(c, slot_us, COVERAGE_PROMISED, 1);
    /* a poll that was asked for in between repeats the promise */
    if (c->due_us <= slot_us)
        c->due_us = 0;
    c->slot_us = slot_us;
}

static void promise(struct coverage *c, const struct coverage_poll *poll)
{
    const int64_t span_us = poll->next_due_us - poll->slot_us;

    if (poll->next_due_us == 0 || span_us <= 0 || poll->next_due_us <= c->due_us)
        return;
    c->due_us = poll->next_due_us;
    /* over night a grid with hours promises the next morning */
    c->every_us = c->last_every_us > 0 && c->last_every_us < span_us ? c->last_every_us : span_us;
    c->last_every_us = span_us;
}

void coverage_add(struct coverage *c, const struct coverage_poll *poll)
{
    static const struct {
        struct str outcome;
        enum coverage_column column;
    } outcomes[] = {
        {STR("ok"), COVERAGE_OK},
        {STR("partial"), COVERAGE_PARTIAL},
        {STR("failed"), COVERAGE_FAILED},
        {STR("aborted"), COVERAGE_ABORTED},
    };
    const bool is_aborted = str_eq(poll->outcome, outcomes[3].outcome);

    for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++)
        if (str_eq(poll->outcome, outcomes[i].outcome))
            count(c, poll->slot_us, outcomes[i].column, 1);
    if (is_aborted) /* as good as none: its slot may come again, or be missed */
        return;
    if (poll->slot_us != c->slot_us)
        begin_slot(c, poll->slot_us);
    promise(c, poll);
}

void coverage_end(struct coverage *c, int64_t now_us)
{
    if (c->due_us != 0 && c->due_us < now_us - PATIENCE_US)
        add_gap(c, now_us);
    c->due_us = 0;
}
