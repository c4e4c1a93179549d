/* SPDX-License-Identifier: Apache-2.0 */
#include "alert/machine.h"

#include "base/clock.h"
#include "base/mem.h"

#define SET_BACK_US (3600 * US_PER_S) /* by less a clock catches up: no earlier slot is polled */

static bool holds(enum alert_op op, int order)
{
    switch (op) {
    case ALERT_LT:
        return order < 0;
    case ALERT_LE:
        return order <= 0;
    case ALERT_GT:
        return order > 0;
    case ALERT_GE:
        return order >= 0;
    }
    return false;
}

/* 100 + percent, exactly: it has at most 6 decimals. */
static struct dec hundred_plus(struct dec percent)
{
    int64_t millionths = percent.mant;

    for (int exp = percent.exp; exp > -6; exp--)
        millionths *= 10;
    struct dec sum = dec_of(millionths + 100000000);
    if (sum.mant != 0)
        sum.exp = (int16_t)(sum.exp - 6);
    return sum;
}

/* ---- values of the past ---- */

void alert_state_add_sample(struct alert_state *state, const struct alert_sample *sample)
{
    if (state->n_samples == state->cap_samples) {
        state->cap_samples = state->cap_samples ? 2 * state->cap_samples : 16;
        state->samples = mem_grow(state->samples, state->cap_samples, sizeof(*state->samples));
    }
    state->samples[state->n_samples++] = *sample;
}

static void drop_first(struct alert_state *state, size_t n)
{
    state->n_samples -= n;
    memmove(state->samples, state->samples + n, state->n_samples * sizeof(*state->samples));
}

/* The newest value from at least a span ago; of more than two it says nothing of one. */
static const struct alert_sample *find_before(const struct alert_rule *rule,
                                              const struct alert_state *state, int64_t at_us)
{
    const struct alert_sample *found = NULL;

    for (size_t i = 0; i < state->n_samples; i++)
        if (state->samples[i].at_us <= at_us - rule->span_us)
            found = &state->samples[i];
    return found && found->at_us >= at_us - 2 * rule->span_us ? found : NULL;
}

void alert_note(const struct alert_rule *rule, struct alert_state *state,
                const struct alert_seen *seen)
{
    size_t n_old = 0;

    if (rule->kind != ALERT_CHANGE || !seen->has_value)
        return;
    const int64_t last_us =
        state->n_samples > 0 ? state->samples[state->n_samples - 1].at_us : INT64_MIN;
    if (state->n_samples > 0 && seen->at_us < last_us + rule->span_us / ALERT_SAMPLES)
        return;
    if (seen->at_us > last_us) {
        alert_state_add_sample(state,
                               &(struct alert_sample){.at_us = seen->at_us, .value = seen->value});
        state->has_new_sample = true;
    }
    while (n_old + 1 < state->n_samples &&
           state->samples[n_old + 1].at_us <= seen->at_us - rule->span_us)
        n_old++;
    drop_first(state, n_old);
}

void alert_state_release(struct alert_state *state)
{
    mem_free(state->samples);
    *state = (struct alert_state){.since_us = 0};
}

/* ---- conditions ---- */

enum truth { UNKNOWN, FALSE, TRUE };

static enum truth truth_of(bool is_true)
{
    return is_true ? TRUE : FALSE;
}

static enum truth judge_change(const struct alert_rule *rule, struct alert_state *state,
                               const struct alert_seen *seen, struct alert_event *event)
{
    const struct alert_sample *before =
        seen->has_value ? find_before(rule, state, seen->at_us) : NULL;
    enum truth truth = UNKNOWN;

    if (before && before->value.mant > 0) {
        event->before = *before;
        /* (value - before) / before > p%   <=>   value * 100 > before * (100 + p) */
        truth =
            truth_of(holds(rule->op, dec_compare_products(seen->value, dec_of(100), before->value,
                                                          hundred_plus(rule->limit))));
    }
    alert_note(rule, state, seen);
    return truth;
}

static enum truth judge_stale(const struct alert_rule *rule, struct alert_state *state,
                              const struct alert_seen *seen, struct alert_event *event)
{
    if (seen->updated_us > state->mark_us)
        state->mark_us = seen->updated_us;
    if (state->mark_us == 0)
        return UNKNOWN;
    event->from_us = state->mark_us;
    event->late_us = seen->at_us - state->mark_us;
    return truth_of(event->late_us > rule->limit_us);
}

/* As the view `gap` has it: an aborted poll neither keeps nor makes a promise. */
static enum truth judge_gap(const struct alert_rule *rule, struct alert_state *state,
                            const struct alert_seen *seen, struct alert_event *event)
{
    enum truth truth = UNKNOWN;

    if (seen->slot_us == 0)
        return UNKNOWN;
    if (state->mark_us > 0) {
        event->from_us = state->mark_us;
        event->late_us = seen->slot_us - state->mark_us;
        truth = truth_of(event->late_us > rule->limit_us);
    }
    /* a promise of a clock that was wrong would hide each gap until then */
    const bool is_set_back =
        seen->next_due_us != 0 && seen->next_due_us < state->mark_us - SET_BACK_US;
    if (seen->next_due_us > state->mark_us || is_set_back)
        state->mark_us = seen->next_due_us;
    return truth;
}

static enum truth judge_condition(const struct alert_rule *rule, struct alert_state *state,
                                  const struct alert_seen *seen, struct alert_event *event)
{
    switch (rule->kind) {
    case ALERT_VALUE:
        return seen->has_value ? truth_of(holds(rule->op, dec_compare(seen->value, rule->limit)))
                               : UNKNOWN;
    case ALERT_CHANGE:
        return judge_change(rule, state, seen, event);
    case ALERT_STALE:
        return judge_stale(rule, state, seen, event);
    case ALERT_GAP:
        return judge_gap(rule, state, seen, event);
    case ALERT_BUDGET: /* left * 100 < budget * limit */
        return seen->has_value && seen->budget > 0
                   ? truth_of(
                         holds(rule->op, dec_compare_products(seen->value, dec_of(100),
                                                              dec_of(seen->budget), rule->limit)))
                   : UNKNOWN;
    }
    return UNKNOWN;
}

bool alert_judge(const struct alert_rule *rule, struct alert_state *state,
                 const struct alert_seen *seen, struct alert_event *ret_event)
{
    struct alert_event event = {.at_us = seen->at_us, .value = seen->value};

    const enum truth truth = judge_condition(rule, state, seen, &event);
    if (truth == UNKNOWN)
        return false;
    if (truth == FALSE) {
        state->since_us = 0;
        state->has_fired = false;
        return false;
    }
    if (rule->kind == ALERT_GAP)
        state->has_fired = false; /* each is one of its own */
    /* a clock that was set back makes a wait longer, never shorter */
    if (state->since_us == 0 || seen->at_us < state->since_us)
        state->since_us = seen->at_us;
    if (state->has_fired || seen->at_us - state->since_us < rule->for_us)
        return false;
    state->has_fired = true;
    *ret_event = event;
    return true;
}
