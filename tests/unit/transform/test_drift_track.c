/* Each drift is told once, when it begins and when it ends. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/drift_track.h"

#include "base/mem.h"
#include "tap.h"

#include <stdio.h>

static struct drift_track *track;
static char told[4096];
static int64_t slot_us;

static void tell(void *ctx, enum drift_change change, const struct drift_span *span)
{
    static const char *const names[] = {"+", "-", "!"};
    struct drift drift = drift_of_span(span);
    struct buf b = BUF_INIT(1024);
    size_t len = strlen(told);

    (void)ctx;
    drift_write(&b, &drift, 1);
    snprintf(told + len, sizeof(told) - len, "%s%s%s", len > 0 ? " | " : "", names[change], b.p);
    len = strlen(told);
    if (change == DRIFT_ENDS)
        snprintf(told + len, sizeof(told) - len, " %d-%d x%d", (int)span->first_us,
                 (int)span->last_us, (int)span->n_polls);
    buf_release(&b);
}

static void start(void)
{
    mem_free(track);
    track = mem_new(1, sizeof(*track));
    slot_us = 0;
}

/* What is told of the next poll. */
static const char *poll(const struct drift *drifts, size_t n, uint32_t rows_in)
{
    const struct poll_rows rows = {
        .slot_us = ++slot_us, .rows_in = rows_in, .drifts = drifts, .n_drifts = n};

    told[0] = '\0';
    drift_track_poll(track, &rows, tell, NULL);
    return told;
}

#define POLL(...)                             \
    poll((const struct drift[]){__VA_ARGS__}, \
         sizeof((const struct drift[]){__VA_ARGS__}) / sizeof(struct drift), 250)
#define SOUND() poll(NULL, 0, 250)

static const struct drift moon = {.kind = DRIFT_NEW, .field = {"moon", 4}},
                          no_ath = {.kind = DRIFT_MISSING, .field = {"ath", 3}},
                          peak = {.kind = DRIFT_NEW, .field = {"peak", 4}},
                          renamed = {.kind = DRIFT_RENAMED,
                                     .is_event = true,
                                     .field = {"ath", 3},
                                     .to = {"peak", 4}},
                          left = {.kind = DRIFT_MEMBERSHIP,
                                  .is_event = true,
                                  .field = {"coins", 5},
                                  .to = {"3 of 9 left", 11}};

static void a_state_is_told_when_it_begins_and_when_it_ends(void)
{
    start();
    CHECK_Z(SOUND(), "");
    CHECK_Z(POLL(moon, no_ath), "+new: moon | +missing: ath");
    CHECK_Z(POLL(no_ath, moon), "");
    CHECK_Z(POLL(no_ath), "-new: moon 2-3 x2");
    CHECK_Z(SOUND(), "-missing: ath 2-4 x3");
    CHECK_Z(POLL(moon), "+new: moon");
    CHECK_EQ(track->n_open, 1);
}

static void an_event_is_told_each_time(void)
{
    start();
    CHECK_Z(POLL(left), "!membership: coins (3 of 9 left)");
    CHECK_Z(POLL(left), "!membership: coins (3 of 9 left)");
    CHECK_Z(SOUND(), "");
}

static void a_rename_stands_for_what_is_missing_and_what_is_new(void)
{
    start();
    CHECK_Z(POLL(renamed), "+renamed: ath -> peak");
    CHECK_Z(POLL(no_ath, peak), "");
    CHECK_Z(POLL(no_ath, peak, moon), "+new: moon");
    CHECK_Z(POLL(no_ath, moon), "-renamed: ath -> peak 1-3 x3 | +missing: ath");
    CHECK_Z(SOUND(), "-new: moon 3-4 x2 | -missing: ath 4-4 x1");
}

static void how_a_state_varies_is_not_told(void)
{
    struct drift times = {
        .kind = DRIFT_TIMES, .field = STR("last_updated"), .to = STR("whole 10 s")};

    start();
    CHECK_Z(POLL(times), "+times: last_updated (whole 10 s)");
    times.to = STR("whole seconds");
    CHECK_Z(POLL(times), "");
    CHECK_Z(SOUND(), "-times: last_updated (whole 10 s) 1-2 x2");
}

static void a_poll_without_rows_says_nothing(void)
{
    start();
    CHECK_Z(POLL(moon), "+new: moon");
    CHECK_Z(poll(NULL, 0, 0), "");
    CHECK_Z(POLL(moon), "");
}

static void more_than_it_has_room_for_is_not_followed(void)
{
    static struct drift many[DRIFT_MAX_OPEN + 2];
    static char names[DRIFT_MAX_OPEN + 2][300];

    start();
    for (size_t i = 0; i < DRIFT_MAX_OPEN + 2; i++) { /* longer than it keeps */
        snprintf(names[i], sizeof(names[i]), "%zu %0250d", i, 0);
        many[i] = (struct drift){.kind = DRIFT_NEW, .field = str_of(names[i])};
    }
    poll(many, DRIFT_MAX_OPEN + 2, 1);
    CHECK_EQ(track->n_open, DRIFT_MAX_OPEN);
    CHECK_Z(poll(many, DRIFT_MAX_OPEN + 2, 1), "");
    SOUND();
    CHECK_EQ(track->n_open, 0);
    mem_free(track);
    track = NULL;
}

TAP_MAIN(TAP_CASE(a_state_is_told_when_it_begins_and_when_it_ends),
         TAP_CASE(an_event_is_told_each_time),
         TAP_CASE(a_rename_stands_for_what_is_missing_and_what_is_new),
         TAP_CASE(how_a_state_varies_is_not_told), TAP_CASE(a_poll_without_rows_says_nothing),
         TAP_CASE(more_than_it_has_room_for_is_not_followed))
