/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/polls.h"

#include "tap.h"

static uint64_t next_ticket;

/* In place of the extractor. */
uint64_t extract_poll_chart(struct extract *e, const char *job, const struct chart_ask *chart)
{
    (void)e, (void)chart;
    if (strcmp(job, "waits already") == 0)
        return next_ticket;
    return strcmp(job, "none") == 0 ? 0 : ++next_ticket;
}

static void who_waits_gets_the_outcome_of_its_own_poll(void)
{
    struct asked_poll done;
    struct polls polls = {.asked = {{.ticket = 0}}};

    polls_init(&polls);
    int first = polls_ask(&polls, NULL, "a", NULL), second = polls_ask(&polls, NULL, "b", NULL);
    CHECK(first >= 0 && second >= 0 && first != second);
    CHECK(!polls_wait(&polls, first, 0, &done));
    polls_on_done(&polls, next_ticket, POLL_FAILED, "why");
    CHECK(!polls_wait(&polls, first, 1000, &done));
    CHECK(polls_wait(&polls, second, US_PER_S, &done));
    CHECK_EQ(done.outcome, POLL_FAILED);
    CHECK_Z(done.error, "why");
    polls_on_done(&polls, next_ticket - 1, POLL_OK, NULL);
    CHECK(polls_wait(&polls, first, US_PER_S, &done));
    CHECK_EQ(done.outcome, POLL_OK);
    CHECK_Z(done.error, "");
    polls_release(&polls);
}

static void all_who_wait_for_one_poll_get_its_outcome(void)
{
    struct asked_poll done;
    struct polls polls = {.asked = {{.ticket = 0}}};

    polls_init(&polls);
    int first = polls_ask(&polls, NULL, "a", NULL),
        second = polls_ask(&polls, NULL, "waits already", NULL);
    CHECK(first >= 0 && second >= 0 && first != second);
    polls_on_done(&polls, next_ticket, POLL_PARTIAL, "why");
    CHECK(polls_wait(&polls, second, US_PER_S, &done));
    CHECK_EQ(done.outcome, POLL_PARTIAL);
    CHECK(polls_wait(&polls, first, US_PER_S, &done));
    CHECK_EQ(done.outcome, POLL_PARTIAL);
    polls_release(&polls);
}

static void there_are_so_many_places_and_those_who_leave_give_theirs_back(void)
{
    struct polls polls = {.asked = {{.ticket = 0}}};

    polls_init(&polls);
    CHECK_EQ(polls_ask(&polls, NULL, "none", NULL), -1);
    for (int i = 0; i < POLLS_MAX; i++)
        CHECK_EQ(polls_ask(&polls, NULL, "a", NULL), i);
    CHECK_EQ(polls_ask(&polls, NULL, "a", NULL), -1);
    polls_leave(&polls, 5);
    polls_on_done(&polls, next_ticket + 7, POLL_OK, NULL); /* nobody's */
    CHECK_EQ(polls_ask(&polls, NULL, "a", NULL), 5);
    polls_release(&polls);
}

TAP_MAIN(TAP_CASE(who_waits_gets_the_outcome_of_its_own_poll),
         TAP_CASE(all_who_wait_for_one_poll_get_its_outcome),
         TAP_CASE(there_are_so_many_places_and_those_who_leave_give_theirs_back))
