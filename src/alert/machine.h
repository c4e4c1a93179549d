/* Whether a rule's condition holds, and when that is worth a word.
 *
 * A rule fires when its condition has held for `for`; then not again before a poll in which it does
 * not hold. A poll that does not tell (the coin is not in it, its value is null, it failed) changes
 * nothing. Times are the polls' own, so a tape gives the same each time. No floats: decimals are
 * compared exactly.
 *
 * State lives here between polls and in a store between starts; see store.h.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ALERT_MACHINE_H
#define ALERT_MACHINE_H

#include "alert/rule.h"

/* Values kept for one span: one every span/1000 or more. */
#define ALERT_SAMPLES 1000

struct alert_sample {
    int64_t at_us;
    struct dec value;
};

struct alert_state {
    int64_t since_us;              /* the condition has held from then on; 0: it does not hold */
    bool has_fired;                /* since then */
    int64_t mark_us;               /* STALE: the newest last_updated; GAP: when the next poll was
                                    * promised; 0: not known */
    struct alert_sample *samples;  /* CHANGE: oldest first; only one is older than the span */
    size_t n_samples, cap_samples; /* at most ALERT_SAMPLES + 2 */
    bool has_new_sample;           /* the last one is not stored yet */
};

/* What a poll says about a rule. */
struct alert_seen {
    int64_t at_us;       /* when it was known */
    bool has_value;      /* VALUE, CHANGE: the coin's; BUDGET */
    struct dec value;    /* … BUDGET: calls that are left */
    int64_t updated_us;  /* STALE: the row's last_updated; 0: no row */
    int64_t slot_us;     /* GAP: of a poll that was not aborted; 0: it was */
    int64_t next_due_us; /* GAP; 0: none was promised */
    int64_t budget;      /* BUDGET: calls in the period */
};

/* What is worth a word. */
struct alert_event {
    int64_t at_us;
    struct dec value;           /* VALUE, CHANGE, BUDGET */
    struct alert_sample before; /* CHANGE: what it is compared with */
    int64_t late_us;            /* STALE: its age; GAP: from promised to polled */
    int64_t from_us;            /* STALE: last_updated; GAP: promised */
};

/* Take in a poll; true when the rule fires with it. The polls of one stream, in their order. */
bool alert_judge(const struct alert_rule *rule, struct alert_state *state,
                 const struct alert_seen *seen, struct alert_event *ret_event);

/* CHANGE: only note the value, of a poll before the first one that is judged. */
void alert_note(const struct alert_rule *rule, struct alert_state *state,
                const struct alert_seen *seen);

void alert_state_add_sample(struct alert_state *state, const struct alert_sample *sample);
void alert_state_release(struct alert_state *state); /* and back to the beginning */

#endif
