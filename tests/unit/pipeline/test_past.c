/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/past.h"

#include "unit/tape/fixture.h"

static struct fixture f;
static struct past *past;
static struct test_clock clock_of_past; /* monotonic: from 0 on */

/* One poll of a page; coins like "bitcoin=1.5 ethereum=2", NULL: there is no answer. Takes a second
 * of its slot. */
static void poll(enum poll_outcome outcome, const char *coins)
{
    struct buf body = BUF_INIT(4096);
    uint64_t page = 0, end;
    enum st st = ST_OK;

    for (struct str rest = str_of(coins ? coins : ""), value, id; rest.len > 0;) {
        str_cut(&rest, ' ', &value);
        str_cut(&value, '=', &id);
        buf_addf(&body,
                 "%s{\"id\":\"%.*s\",\"symbol\":\"s\",\"name\":\"n\",\"current_price\":%.*s}",
                 body.len > 0 ? "," : "[", STR_ARG(id), STR_ARG(value));
    }
    buf_add_char(&body, ']');
    f.clock.now_us = f.slot_us + US_PER_S;
    if (coins)
        st = put_page(&f, 1, buf_str(&body), &page);
    if (st == ST_OK)
        st = put_end(&f, outcome, &page, 1, &end);
    buf_release(&body);
    if (st != ST_OK) {
        printf("Bail out! %s\n", f.err.msg);
        exit(1);
    }
}

static enum st open_at(int64_t at_us, uint32_t speed)
{
    const struct past_setup setup = {
        .data_dir = f.data, .at_us = at_us, .speed = speed, .clock = &clock_of_past.clock};

    clock_of_past.now_us = 7;
    return past_open(&setup, &past, &f.err);
}

/* When the nth poll, from 0, was on the tape. */
static int64_t poll_ended(int n)
{
    return NOON + n * POLL_STEP + US_PER_S;
}

/* What is known `passed_us` after the begin: "bitcoin=1.5 ", ids sorted. */
static const char *knows(int64_t passed_us)
{
    static char text[512];
    const struct market_query args = {.vs_currency = STR("usd"), .order = ORDER_ID_ASC};
    struct buf b = BUF_INIT(sizeof(text));
    struct query *q = past_query(past);
    struct arena arena;
    struct rows rows = {.n = 0};

    clock_of_past.now_us = 7 + passed_us;
    past_advance(past);
    arena_init(&arena, 1 << 20);
    if (q->driver->market(q, &args, &arena, &rows, &f.err) != ST_OK)
        return f.err.msg;
    for (size_t i = 0; i < rows.n; i++)
        buf_addf(&b, "%.*s=%.*s ", STR_ARG(cell_text(&rows_at(&rows, i)[MARKET_ID])),
                 STR_ARG(cell_text(&rows_at(&rows, i)[MARKET_CURRENT_PRICE])));
    snprintf(text, sizeof(text), "%s", buf_z(&b));
    buf_release(&b);
    arena_release(&arena);
    return text;
}

static void begin(void)
{
    clock_of_past = (struct test_clock){.clock = {.wall_us = test_now, .mono_us = test_now}};
    fixture_init(&f);
}

static void finish(void)
{
    past_close(past);
    past = NULL;
    fixture_release(&f);
}

static void a_poll_is_known_from_the_moment_it_was_on_the_tape(void)
{
    begin();
    poll(POLL_OK, "bitcoin=1");
    poll(POLL_OK, "bitcoin=2.50 ethereum=7e-9");
    CHECK_OK(open_at(PAST_FIRST, 1), f.err);
    CHECK_EQ(past_advance(past), poll_ended(0));
    CHECK_Z(knows(0), "bitcoin=1 ");
    CHECK_Z(knows(POLL_STEP - 1), "bitcoin=1 ");
    CHECK_Z(knows(POLL_STEP), "bitcoin=2.50 ethereum=7e-9 ");
    CHECK_Z(knows(1000 * POLL_STEP), "bitcoin=2.50 ethereum=7e-9 "); /* its end: the state stays */
    finish();
}

static void before_the_first_poll_nothing_is_known(void)
{
    begin();
    poll(POLL_OK, "bitcoin=1");
    CHECK_OK(open_at(poll_ended(0) - 5, 1), f.err);
    CHECK_Z(knows(4), "");
    CHECK_Z(knows(5), "bitcoin=1 ");
    finish();
}

static void it_is_as_much_faster_as_it_is_told_to_be(void)
{
    begin();
    for (int i = 1; i <= 9; i++)
        poll(POLL_OK, i % 2 ? "bitcoin=1" : "bitcoin=2");
    CHECK_OK(open_at(PAST_FIRST, 3), f.err);
    CHECK_Z(knows(POLL_STEP / 3 - 1), "bitcoin=1 ");
    CHECK_Z(knows(POLL_STEP / 3), "bitcoin=2 ");
    CHECK_EQ(past_advance(past), poll_ended(1));
    past_close(past);
    CHECK_OK(open_at(PAST_FIRST, UINT32_MAX), f.err);
    CHECK_Z(knows(INT64_MAX / 2),
            "bitcoin=1 "); /* the last of nine; no time beyond the end of it */
    CHECK_EQ(past_advance(past), INT64_MAX);
    finish();
}

static void polls_without_rows_change_nothing(void)
{
    begin();
    poll(POLL_FAILED, NULL);
    poll(POLL_OK, "bitcoin=1");
    poll(POLL_FAILED, "bitcoin=2");
    poll(POLL_ABORTED, "bitcoin=3");
    poll(POLL_PARTIAL, "ethereum=4");
    CHECK_OK(open_at(PAST_FIRST, 1), f.err);
    CHECK_EQ(past_advance(past), poll_ended(1));
    CHECK_Z(knows(2 * POLL_STEP), "bitcoin=1 ");
    CHECK_Z(knows(3 * POLL_STEP), "bitcoin=1 ethereum=4 "); /* a part takes nothing away */
    finish();
}

/* Whoever begins in the middle knows what one knows who has come so far. */
static void it_begins_with_the_last_whole_poll_and_what_came_behind_it(void)
{
    begin();
    poll(POLL_OK, "bitcoin=1 gone=1");
    poll(POLL_OK, "bitcoin=2 left=2");
    poll(POLL_PARTIAL, "bitcoin=3");
    poll(POLL_OK, "bitcoin=4");
    CHECK_OK(open_at(poll_ended(2), 1), f.err);
    CHECK_Z(knows(0), "bitcoin=3 left=2 ");
    CHECK_Z(knows(POLL_STEP), "bitcoin=4 ");
    past_close(past);
    CHECK_OK(open_at(PAST_FIRST, 1), f.err);
    CHECK_Z(knows(2 * POLL_STEP), "bitcoin=3 left=2 ");
    finish();
}

static void a_tape_that_is_still_written_goes_on(void)
{
    begin();
    poll(POLL_OK, "bitcoin=1");
    CHECK_OK(open_at(PAST_FIRST, 1), f.err);
    CHECK_Z(knows(5 * POLL_STEP), "bitcoin=1 ");
    poll(POLL_OK, "bitcoin=2");
    CHECK_Z(knows(5 * POLL_STEP), "bitcoin=2 ");
    finish();
}

/* What is damaged is stepped over; what comes behind it is known. */
static void damage_is_stepped_over(void)
{
    char path[FILE_MAX_PATH];
    struct err err = ERR_INIT;

    begin();
    for (int i = 1; i <= 3; i++) { /* in segments of their own */
        poll(POLL_OK, i == 1 ? "bitcoin=1" : i == 2 ? "bitcoin=2" : "bitcoin=3");
        f.clock.now_us = f.slot_us += 2 * 3600 * US_PER_S;
    }
    fixture_close(&f);
    DIR *dir = opendir(f.dir);
    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;)
        if (strncmp(e->d_name, "00000000000000000003-", 21) == 0 &&
            file_path(path, &err, "%s/%s", f.dir, e->d_name) == ST_OK)
            CHECK_EQ(truncate(path, 150), 0);
    closedir(dir);
    CHECK_OK(open_at(PAST_FIRST, 1), f.err);
    CHECK_Z(knows(POLL_STEP + 3 * 3600 * US_PER_S), "bitcoin=1 ");
    CHECK_Z(knows(POLL_STEP + 5 * 3600 * US_PER_S), "bitcoin=3 ");
    finish();
}

static void where_nothing_is_there_is_nothing_to_play(void)
{
    begin();
    CHECK_EQ(open_at(PAST_FIRST, 1), ST_REJECT);
    CHECK(strstr(f.err.msg, "no tape with answers") != NULL);
    poll(POLL_FAILED, NULL);
    CHECK_EQ(open_at(PAST_FIRST, 1), ST_REJECT);
    finish();
}

int main(void)
{
    static const struct tap_case cases[] = {
        TAP_CASE(a_poll_is_known_from_the_moment_it_was_on_the_tape),
        TAP_CASE(before_the_first_poll_nothing_is_known),
        TAP_CASE(it_is_as_much_faster_as_it_is_told_to_be),
        TAP_CASE(polls_without_rows_change_nothing),
        TAP_CASE(it_begins_with_the_last_whole_poll_and_what_came_behind_it),
        TAP_CASE(a_tape_that_is_still_written_goes_on),
        TAP_CASE(damage_is_stepped_over),
        TAP_CASE(where_nothing_is_there_is_nothing_to_play),
    };

    return tap_run(cases, sizeof(cases) / sizeof(cases[0]));
}
