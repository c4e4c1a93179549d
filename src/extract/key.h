/* Whether the API knows the key: asked before the first poll, as each of its answers may lie.
 *
 * A Demo key is tried at /ping, then a made-up one, which must be refused: else the key is ignored,
 * and calls count as those of nobody. A paid plan's key is shown by /key, with its limits. A
 * refusal stops no poll.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXTRACT_KEY_H
#define EXTRACT_KEY_H

#include <stdint.h>

enum key_state {
    KEY_UNASKED,
    KEY_UNKNOWN, /* the API says nothing about it: no answer, or another refusal */
    KEY_GOOD,
    KEY_REFUSED,
    KEY_IGNORED,
};

#define KEY_MAX_TEXT 256

struct key_finding {
    enum key_state state;
    char text[KEY_MAX_TEXT];   /* for people, with the mend; empty when good */
    char plan[32];             /* by the API's name; "": not known, and so are the following, 0 */
    uint32_t calls_per_minute; /* the limit */
    uint64_t credits, credits_left; /* of this month; 0 and 0 unless both are told */
};

struct poller;

/* By p's connection, pace and memory. Inside extract/ only. */
void key_check(struct poller *p, struct key_finding *ret_finding);

#endif
