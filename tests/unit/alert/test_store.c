/* SPDX-License-Identifier: Apache-2.0 */
#include "alert/store.h"
#include "tap.h"

#include <unistd.h>

static char dir[] = "/tmp/alerts-XXXXXX", path[64];

static struct alert_store *open_store(void)
{
    struct alert_store *s = NULL;
    struct err err = ERR_INIT;

    if (alert_store_open(path, &s, &err) != ST_OK)
        printf("# %s\n", err.msg);
    return s;
}

static void a_state_and_its_samples_come_back_as_they_were(void)
{
    struct alert_store *s = open_store();
    struct alert_state state = {.since_us = 5, .has_fired = true, .mark_us = 7}, again = {0};
    struct err err = ERR_INIT;
    bool is_there;

    CHECK(s != NULL);
    for (int i = 0; i < 3; i++) {
        alert_state_add_sample(
            &state,
            &(struct alert_sample){.at_us = i, .value = {.mant = -INT64_MAX + i, .exp = -900}});
        state.has_new_sample = true;
        CHECK(alert_store_set_state(s, "rule", "stream", &state, &err) == ST_OK);
    }
    alert_store_close(s);
    s = open_store();
    CHECK(alert_store_state(s, "rule", "stream", &is_there, &again, &err) == ST_OK && is_there);
    CHECK(again.since_us == 5 && again.has_fired && again.mark_us == 7 && again.n_samples == 3);
    for (int i = 0; i < 3; i++)
        CHECK(again.samples[i].at_us == i && again.samples[i].value.mant == -INT64_MAX + i &&
              again.samples[i].value.exp == -900 && !again.samples[i].value.is_exact);
    alert_state_release(&again);
    alert_state_release(&state);
    CHECK(alert_store_state(s, "rule", "other", &is_there, &again, &err) == ST_OK && !is_there);
    alert_store_close(s);
}

static void what_is_not_committed_is_not_there(void)
{
    struct alert_store *s = open_store();
    const struct alert_position at = {.offset = 1, .hash = UINT64_MAX};
    struct alert_position again;
    struct err err = ERR_INIT;
    bool is_there;

    CHECK(alert_store_begin(s, &err) == ST_OK);
    CHECK(alert_store_set_position(s, "a", "job", &at, &err) == ST_OK);
    alert_store_rollback(s);
    CHECK(alert_store_position(s, "a", &is_there, &again, &err) == ST_OK && !is_there);
    CHECK(alert_store_set_position(s, "a", "job", &at, &err) == ST_OK);
    CHECK(alert_store_position(s, "a", &is_there, &again, &err) == ST_OK && is_there);
    CHECK(again.offset == 1 && again.hash == UINT64_MAX);
    alert_store_close(s);
}

static size_t count(struct alert_store *s, struct alert_fact *ret_last)
{
    char rule[ALERT_WHEN_MAX + 8];
    struct err err = ERR_INIT;
    struct alert_fact fact;
    int64_t number = 0;
    size_t n = 0;

    while (alert_store_next(s, number, &number, rule, &fact, &err) == ST_OK && number != 0) {
        *ret_last = fact;
        n++;
    }
    return n;
}

static void of_a_backlog_the_last_one_goes_out_once_it_is_released(void)
{
    struct alert_store *s = open_store();
    struct alert_fact fact = {.id = "1"}, last = {.id = ""};
    struct err err = ERR_INIT;
    int64_t n_dropped = 0;

    CHECK(alert_store_add(s, "a", false, &fact, &err) == ST_OK);
    for (int i = 0; i < 5; i++) {
        snprintf(fact.id, sizeof(fact.id), "held %d", i);
        CHECK(alert_store_add(s, "a", true, &fact, &err) == ST_OK);
        CHECK(alert_store_add(s, "b", true, &fact, &err) == ST_OK);
    }
    CHECK_EQ(count(s, &last), 1);
    CHECK(alert_store_release(s, &err) == ST_OK);
    CHECK_EQ(count(s, &last), 3);
    CHECK_Z(last.id, "held 4");
    CHECK_EQ(last.n_earlier, 4);
    CHECK(alert_store_keep(s, (const char *const[]){"b"}, 1, &n_dropped, &err) == ST_OK);
    CHECK_EQ(n_dropped, 2);
    CHECK_EQ(count(s, &last), 1);
    CHECK(alert_store_keep(s, NULL, 0, &n_dropped, &err) == ST_OK);
    CHECK_EQ(count(s, &last), 0);
    alert_store_close(s);
}

static void an_outbox_does_not_grow_without_end(void)
{
    struct alert_store *s = open_store();
    struct alert_fact fact = {.id = "1"}, last = {.n_earlier = 0};
    struct err err = ERR_INIT;

    for (int i = 0; i < 250; i++)
        CHECK(alert_store_add(s, "a", false, &fact, &err) == ST_OK);
    CHECK_EQ(count(s, &last), 100);
    CHECK_EQ(last.n_earlier, 150);
    alert_store_close(s);
}

static void a_file_of_another_program_is_left_alone(void)
{
    char other[80];
    struct alert_store *s = NULL;
    struct err err = ERR_INIT;

    snprintf(other, sizeof(other), "%s/other", dir);
    FILE *f = fopen(other, "w");
    fputs("no database at all, of any kind, and long enough to be looked at as one", f);
    fclose(f);
    CHECK(alert_store_open(other, &s, &err) == ST_REJECT);
    CHECK(strstr(err.msg, "move the file away"));
}

static void in_a_directory_of_our_own(void)
{
    CHECK(mkdtemp(dir) != NULL);
    snprintf(path, sizeof(path), "%s/alerts.db", dir);
}

static void that_goes_again(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -r %s", dir);
    CHECK_EQ(system(command), 0);
}

TAP_MAIN(TAP_CASE(in_a_directory_of_our_own),
         TAP_CASE(a_state_and_its_samples_come_back_as_they_were),
         TAP_CASE(what_is_not_committed_is_not_there),
         TAP_CASE(of_a_backlog_the_last_one_goes_out_once_it_is_released),
         TAP_CASE(an_outbox_does_not_grow_without_end),
         TAP_CASE(a_file_of_another_program_is_left_alone), TAP_CASE(that_goes_again))
