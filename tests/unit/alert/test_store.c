/* SPDX-License-Identifier: Apache-2.0 */
#include "alert/store.h"
#include "tap.h"

#include <sqlite3.h>
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

/* How many are due, each put off once it was seen. */
static size_t count(struct alert_store *s, struct alert_fact *ret_last)
{
    static int64_t now_us = 0;
    struct err err = ERR_INIT;
    struct alert_waiting m;
    size_t n = 0, n_all;

    now_us += 10;
    for (size_t i = 0; i < 2; i++)
        while (alert_store_next(s, i == 0 ? "b" : "a", now_us, &m, &err) == ST_OK &&
               m.number != 0 && m.due_in_us == 0) {
            *ret_last = m.fact;
            if (alert_store_put_off(s, m.number, 0, now_us + 1, &err) != ST_OK)
                return SIZE_MAX;
            n++;
        }
    return alert_store_count(s, &n_all, &err) == ST_OK && n == n_all ? n : SIZE_MAX;
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
    CHECK(alert_store_keep(s, &(struct alert_name){"b", "b"}, 1, &n_dropped, &err) == ST_OK);
    CHECK_EQ(n_dropped, 2);
    CHECK_EQ(count(s, &last), 1);
    CHECK(alert_store_keep(s, NULL, 0, &n_dropped, &err) == ST_OK);
    CHECK_EQ(count(s, &last), 0);
    alert_store_close(s);
}

static void keep(struct alert_store *s, const struct alert_name *names, size_t n)
{
    struct err err = ERR_INIT;
    int64_t n_dropped;

    CHECK(alert_store_keep(s, names, n, &n_dropped, &err) == ST_OK);
}

static bool waits(struct alert_store *s, const char *rule, const char *id)
{
    struct err err = ERR_INIT;
    struct alert_waiting m;

    return alert_store_next(s, rule, 0, &m, &err) == ST_OK && m.number != 0 &&
           strcmp(m.fact.id, id) == 0;
}

static void a_rule_keeps_its_own_when_its_twin_goes(void)
{
    static const struct alert_name x = {"a < 5 @1", "a < 5"}, y = {"a < 5 @2", "a < 5"},
                                   z = {"a < 5 @3", "a < 5"}, other = {"a < 50 @1", "a < 50"};
    struct alert_store *s = open_store();
    struct alert_state state = {.since_us = 5}, again = {0};
    struct err err = ERR_INIT;
    bool is_there;

    /* of a store from before names had a hash: by their order */
    CHECK(alert_store_add(s, "a < 5", false, &(struct alert_fact){.id = "x"}, &err) == ST_OK);
    CHECK(alert_store_add(s, "a < 5 #2", false, &(struct alert_fact){.id = "y"}, &err) == ST_OK);
    CHECK(alert_store_set_state(s, "a < 5 #2", "stream", &state, &err) == ST_OK);
    keep(s, (const struct alert_name[]){other, x, y}, 3);
    CHECK(waits(s, x.key, "x") && waits(s, y.key, "y"));
    /* the first goes, with its message alone */
    keep(s, (const struct alert_name[]){other, y}, 2);
    CHECK(!waits(s, x.key, "x") && !waits(s, y.key, "x") && waits(s, y.key, "y"));
    /* another channel in its place is the same alert */
    keep(s, (const struct alert_name[]){other, z}, 2);
    CHECK(waits(s, z.key, "y"));
    CHECK(alert_store_state(s, z.key, "stream", &is_there, &again, &err) == ST_OK && is_there);
    CHECK(again.since_us == 5);
    /* one that comes beside it is new */
    keep(s, (const struct alert_name[]){x, z}, 2);
    CHECK(waits(s, z.key, "y") && !waits(s, x.key, "y"));
    CHECK(alert_store_state(s, x.key, "stream", &is_there, &again, &err) == ST_OK && !is_there);
    keep(s, NULL, 0);
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
    keep(s, NULL, 0);
    alert_store_close(s);
}

static void what_is_refused_lets_the_next_go_on_and_is_kept_to_be_looked_at(void)
{
    struct alert_store *s = open_store();
    struct alert_aside asides[ALERT_ASIDE_MAX];
    struct err err = ERR_INIT;
    struct alert_waiting m;
    size_t n;

    for (int i = 0; i < ALERT_ASIDE_MAX + 3; i++) {
        struct alert_fact fact = {.at_us = i};
        snprintf(fact.id, sizeof(fact.id), "%d", i);
        CHECK(alert_store_add(s, "r", false, &fact, &err) == ST_OK);
    }
    CHECK(alert_store_next(s, "r", 100, &m, &err) == ST_OK);
    CHECK_Z(m.fact.id, "0");
    CHECK(alert_store_put_off(s, m.number, 4, 150, &err) == ST_OK);
    CHECK(alert_store_next(s, "r", 100, &m, &err) == ST_OK && m.due_in_us == 0);
    CHECK_Z(m.fact.id, "1");
    while (m.due_in_us == 0) {
        CHECK(alert_store_put_aside(s, m.number, "it said no", &err) == ST_OK);
        CHECK(alert_store_next(s, "r", 100, &m, &err) == ST_OK);
    }
    CHECK_Z(m.fact.id, "0");
    CHECK_EQ(m.n_tries, 4);
    CHECK_EQ(m.due_in_us, 50);
    /* a clock that was an hour ahead */
    CHECK(alert_store_next(s, "r", 150 - 3600 * INT64_C(1000000), &m, &err) == ST_OK);
    CHECK_EQ(m.due_in_us, 0);
    CHECK(alert_store_count(s, &n, &err) == ST_OK && n == 1);
    CHECK(alert_store_retry(s, &err) == ST_OK);
    CHECK(alert_store_next(s, "r", 100, &m, &err) == ST_OK && m.due_in_us == 0 && m.n_tries == 4);

    CHECK(alert_store_aside(path, "other", asides, &n, &err) == ST_OK && n == 0);
    CHECK(alert_store_aside("/none/such", "r", asides, &n, &err) == ST_OK && n == 0);
    CHECK(alert_store_aside(path, "r", asides, &n, &err) == ST_OK && n == ALERT_ASIDE_MAX);
    CHECK_EQ(asides[0].at_us, ALERT_ASIDE_MAX + 2);
    CHECK_Z(asides[0].why, "it said no");
    /* what takes over tries them again: its channel is another */
    keep(s, &(struct alert_name){"r @1", "r"}, 1);
    CHECK(alert_store_count(s, &n, &err) == ST_OK && n == ALERT_ASIDE_MAX + 1);
    keep(s, NULL, 0);
    alert_store_close(s);
}

static void a_store_of_the_first_version_is_taken_over(void)
{
    static const char sql[] =
        "DROP INDEX outbox_rule; ALTER TABLE outbox DROP COLUMN n_tries; ALTER TABLE outbox DROP"
        " COLUMN retry_at; ALTER TABLE outbox DROP COLUMN refused; PRAGMA user_version = 1";
    struct alert_store *s = open_store();
    struct alert_aside asides[ALERT_ASIDE_MAX];
    struct err err = ERR_INIT;
    sqlite3 *db = NULL;
    size_t n;

    CHECK(alert_store_add(s, "r", false, &(struct alert_fact){.id = "x"}, &err) == ST_OK);
    alert_store_close(s);
    CHECK(sqlite3_open(path, &db) == SQLITE_OK);
    CHECK(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_close(db);
    CHECK(alert_store_aside(path, "r", asides, &n, &err) == ST_OK && n == 0);
    s = open_store();
    CHECK(s != NULL && waits(s, "r", "x"));
    keep(s, NULL, 0);
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
         TAP_CASE(a_rule_keeps_its_own_when_its_twin_goes),
         TAP_CASE(an_outbox_does_not_grow_without_end),
         TAP_CASE(what_is_refused_lets_the_next_go_on_and_is_kept_to_be_looked_at),
         TAP_CASE(a_store_of_the_first_version_is_taken_over),
         TAP_CASE(a_file_of_another_program_is_left_alone), TAP_CASE(that_goes_again))
