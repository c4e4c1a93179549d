/* What every sink driver promises in load/sink.h. One program for each driver. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "polls.h"
#include "row/market.h"
#include "subject.h"
#include "tap.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* One store and up to two openers of it. */
static char dir[64];
static struct sink_url url;
static struct sink first, second;
static struct err err;

static void begin(void)
{
    char text[SINK_URL_MAX];

    err = (struct err)ERR_INIT;
    snprintf(dir, sizeof(dir), "/tmp/conformance-XXXXXX");
    if (mkdtemp(dir) == NULL)
        abort();
    subject.make_url(dir, text, sizeof(text));
    if (sink_url_parse(str_of(text), &url, &err) != ST_OK)
        abort();
    if (subject.hold)
        subject.hold(&url);
}

static void shut(struct sink *s)
{
    if (s->state) {
        s->driver->close(s);
        mem_free(s->state);
    }
    *s = (struct sink){0};
}

static void finish(void)
{
    char command[128];

    shut(&first);
    shut(&second);
    if (subject.hold)
        subject.let_go();
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    if (system(command) != 0)
        printf("# %s stays\n", dir);
}

static enum st open_sink(struct sink *s)
{
    const struct sink_driver *driver;

    if (sink_driver_find(str_of(url.scheme), &driver, &err) != ST_OK)
        abort();
    *s = (struct sink){.driver = driver, .url = &url, .clock = clock_system(), .data_dir = dir};
    s->state = mem_new(driver->state_size + 1, 1);
    enum st st = driver->check(&url, &err);
    return st == ST_OK ? driver->open(s, &err) : st;
}

static enum st open_and_attach(struct sink *s, const struct made_stream *stream,
                               struct position *ret_at)
{
    enum st st = open_sink(s);
    return st == ST_OK ? s->driver->attach(s, &stream->id, ret_at, &err) : st;
}

/* What whole batches brought is there, also of a sink that gathers them. */
static enum st settle(struct sink *s)
{
    bool is_settled = false;

    if (s->driver->settle == NULL)
        return ST_OK;
    enum st st = s->driver->settle(s, true, &is_settled, &err);
    return st == ST_OK && !is_settled ? ST_FATAL : st;
}

/* Make the stream's next poll and load it. */
static enum st load(struct sink *s, struct made_stream *stream, int64_t slot_us,
                    enum poll_outcome outcome, const char *rows, bool is_last,
                    struct sink_result *ret_result)
{
    struct made_poll poll;

    made_poll(&poll, stream, slot_us, outcome, rows);
    poll.load.is_last = is_last;
    enum st st = s->driver->load(s, &poll.load, ret_result, &err);
    made_release(&poll);
    return st == ST_OK && is_last ? settle(s) : st;
}

#define CHECK_SHOWS(job, slot, want)                          \
    do {                                                      \
        struct buf shown_ = BUF_INIT(4096);                   \
        char copy_[256];                                      \
        subject.show(dir, &url, job, slot, &shown_);          \
        snprintf(copy_, sizeof(copy_), "%s", buf_z(&shown_)); \
        buf_release(&shown_);                                 \
        CHECK_Z(copy_, want);                                 \
    } while (0)

#define CHECK_TEXT(show, job, slot, want)                     \
    do {                                                      \
        struct buf shown_ = BUF_INIT(4096);                   \
        char copy_[256];                                      \
        show(&url, job, slot, &shown_);                       \
        snprintf(copy_, sizeof(copy_), "%s", buf_z(&shown_)); \
        buf_release(&shown_);                                 \
        CHECK_Z(copy_, want);                                 \
    } while (0)
#define CHECK_FLAGS(job, slot, want) CHECK_TEXT(subject.show_flags, job, slot, want)
#define CHECK_DRIFT(job, slot, want) CHECK_TEXT(subject.show_drift, job, slot, want)

#define CHECK_AT(got, want)                    \
    do {                                       \
        CHECK_EQ((got).offset, (want).offset); \
        CHECK(((got).hash == (want).hash));    \
    } while (0)

static void loads_polls_in_order(void)
{
    struct made_stream s = made_stream("markets-usd", 1);
    struct position at;
    struct sink_result result;

    CHECK_OK(open_and_attach(&first, &s, &at), err);
    CHECK_EQ(at.offset, 0);
    CHECK_OK(load(&first, &s, SLOT(0), POLL_OK, "bitcoin=1.5 ethereum=2e-9", true, &result), err);
    CHECK_EQ(result.n_stored, 2);
    CHECK(!result.is_duplicate);
    if (subject.has_store)
        CHECK_SHOWS("markets-usd", SLOT(0), "bitcoin=1.5 ethereum=2e-9 ");
    CHECK_OK(load(&first, &s, SLOT(1), POLL_OK, "bitcoin=1.6 ethereum=0", true, &result), err);
    if (subject.has_store)
        CHECK_SHOWS("markets-usd", SLOT(1), "bitcoin=1.6 ethereum=0 ");
}

static void goes_on_where_it_was_after_a_reopen(void)
{
    struct made_stream s = made_stream("markets-usd", 1);
    struct position at;
    struct sink_result result;

    if (!subject.has_store)
        SKIP("keeps no position");
    CHECK_OK(open_and_attach(&first, &s, &at), err);
    CHECK_OK(load(&first, &s, SLOT(0), POLL_OK, "bitcoin=1", true, &result), err);
    shut(&first);
    CHECK_OK(open_and_attach(&first, &s, &at), err);
    CHECK_AT(at, s.at);
    CHECK_OK(load(&first, &s, SLOT(1), POLL_OK, "bitcoin=2", true, &result), err);
    CHECK_SHOWS("markets-usd", SLOT(1), "bitcoin=2 ");
}

static void a_batch_that_is_not_ended_leaves_nothing(void)
{
    struct made_stream s = made_stream("markets-usd", 1), before;
    struct position at;
    struct sink_result result;

    if (!subject.has_store)
        SKIP("keeps nothing");
    CHECK_OK(open_and_attach(&first, &s, &at), err);
    CHECK_OK(load(&first, &s, SLOT(0), POLL_OK, "bitcoin=1", true, &result), err);
    before = s;
    CHECK_OK(load(&first, &s, SLOT(1), POLL_OK, "bitcoin=2", false, &result), err);
    CHECK_OK(load(&first, &s, SLOT(2), POLL_OK, "bitcoin=3 ripple=1", false, &result), err);
    shut(&first);
    CHECK_SHOWS("markets-usd", SLOT(1), "");
    CHECK_SHOWS("markets-usd", SLOT(2), "");
    CHECK_OK(open_and_attach(&first, &s, &at), err);
    CHECK_AT(at, before.at);
    CHECK_SHOWS("markets-usd", SLOT(2), "");
    s = before;
    CHECK_OK(load(&first, &s, SLOT(1), POLL_OK, "bitcoin=2", false, &result), err);
    CHECK_SHOWS("markets-usd", SLOT(1), "");
    CHECK_OK(load(&first, &s, SLOT(2), POLL_OK, "bitcoin=3 ripple=1", true, &result), err);
    CHECK_SHOWS("markets-usd", SLOT(2), "bitcoin=3 ripple=1 ");
    CHECK_OK(first.driver->attach(&first, &s.id, &at, &err), err);
    CHECK_AT(at, s.at);
}

static void a_kill_between_write_and_commit_leaves_nothing(void)
{
    struct made_stream s = made_stream("markets-usd", 1);
    struct position at;
    struct sink_result result;
    int status = 0;

    if (!subject.is_persistent)
        SKIP("its store dies with the process");
    pid_t child = fork();
    if (child == 0) {
        if (open_and_attach(&first, &s, &at) != ST_OK ||
            load(&first, &s, SLOT(0), POLL_OK, "bitcoin=1", false, &result) != ST_OK)
            _exit(1);
        kill(getpid(), SIGKILL);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status));
    CHECK_SHOWS("markets-usd", SLOT(0), "");
    CHECK_OK(open_and_attach(&first, &s, &at), err);
    CHECK_EQ(at.offset, 0);
    CHECK_SHOWS("markets-usd", SLOT(0), "");
    s = made_stream("markets-usd", 1);
    CHECK_OK(load(&first, &s, SLOT(0), POLL_OK, "bitcoin=1", true, &result), err);
    CHECK(!result.is_duplicate);
    CHECK_SHOWS("markets-usd", SLOT(0), "bitcoin=1 ");
}

static void a_batch_repeated_after_an_unknown_outcome_is_not_doubled(void)
{
    struct made_stream s = made_stream("markets-usd", 1), before;
    struct position at;
    struct sink_result result;

    if (!subject.has_store)
        SKIP("keeps no position");
    CHECK_OK(open_and_attach(&first, &s, &at), err);
    before = s;
    CHECK_OK(load(&first, &s, SLOT(0), POLL_OK, "bitcoin=1", true, &result), err);
    s = before; /* as if the answer had been lost */
    CHECK_EQ(load(&first, &s, SLOT(0), POLL_OK, "bitcoin=1", true, &result), ST_AGAIN);
    CHECK_OK(first.driver->attach(&first, &s.id, &at, &err), err);
    CHECK_AT(at, s.at);
    CHECK_SHOWS("markets-usd", SLOT(0), "bitcoin=1 ");
}

static void a_load_from_elsewhere_changes_nothing(void)
{
    struct made_stream s = made_stream("markets-usd", 1), ahead;
    struct position at;
    struct sink_result result;

    if (!subject.has_store)
        SKIP("keeps no position");
    CHECK_OK(open_and_attach(&first, &s, &at), err);
    ahead = s;
    ahead.at.offset = 7;
    CHECK_EQ(load(&first, &ahead, SLOT(0), POLL_OK, "bitcoin=9", true, &result), ST_AGAIN);
    CHECK_SHOWS("markets-usd", SLOT(0), "");
    CHECK_OK(first.driver->attach(&first, &s.id, &at, &err), err);
    CHECK_EQ(at.offset, 0);
    CHECK_OK(load(&first, &s, SLOT(0), POLL_OK, "bitcoin=1", true, &result), err);
    CHECK_SHOWS("markets-usd", SLOT(0), "bitcoin=1 ");
}

static void a_failed_load_drops_the_batch_it_was_in(void)
{
    struct made_stream s = made_stream("markets-usd", 1), wrong;
    struct position at;
    struct sink_result result;

    if (!subject.has_store)
        SKIP("keeps no position");
    CHECK_OK(open_and_attach(&first, &s, &at), err);
    CHECK_OK(load(&first, &s, SLOT(0), POLL_OK, "bitcoin=1", false, &result), err);
    wrong = s;
    wrong.at.hash ^= 1;
    CHECK_EQ(load(&first, &wrong, SLOT(1), POLL_OK, "bitcoin=2", true, &result), ST_AGAIN);
    CHECK_OK(first.driver->attach(&first, &s.id, &at, &err), err);
    CHECK_EQ(at.offset, 0);
    CHECK_SHOWS("markets-usd", SLOT(0), "");
    CHECK_SHOWS("markets-usd", SLOT(1), "");
}

static void the_one_who_was_taken_over_stores_nothing_more(void)
{
    struct made_stream s = made_stream("markets-usd", 1), mine;
    struct position at;
    struct sink_result result;

    if (!subject.has_store)
        SKIP("knows no owner");
    CHECK_OK(open_and_attach(&first, &s, &at), err);
    CHECK_OK(load(&first, &s, SLOT(0), POLL_OK, "bitcoin=1", true, &result), err);
    CHECK_OK(open_and_attach(&second, &s, &at), err);
    CHECK_AT(at, s.at);
    mine = s;
    CHECK_EQ(load(&first, &mine, SLOT(1), POLL_OK, "bitcoin=6", true, &result), ST_FATAL);
    CHECK(strstr(err.msg, "taken over") != NULL);
    CHECK_SHOWS("markets-usd", SLOT(1), "");
    CHECK_OK(load(&second, &s, SLOT(1), POLL_OK, "bitcoin=7", true, &result), err);
    CHECK_SHOWS("markets-usd", SLOT(1), "bitcoin=7 ");
    CHECK_EQ(load(&first, &mine, SLOT(2), POLL_OK, "bitcoin=8", true, &result), ST_FATAL);
    CHECK_SHOWS("markets-usd", SLOT(2), "");
}

static void the_first_poll_of_a_slot_wins_whole(void)
{
    struct made_stream s = made_stream("markets-usd", 1), other = made_stream("markets-usd", 2);
    struct position at;
    struct sink_result result;

    if (!subject.has_store)
        SKIP("knows no slots");
    CHECK_OK(open_and_attach(&first, &s, &at), err);
    CHECK_OK(open_and_attach(&second, &other, &at), err);
    CHECK_OK(load(&first, &s, SLOT(0), POLL_OK, "bitcoin=1 ethereum=2", true, &result), err);
    CHECK_OK(load(&second, &other, SLOT(0), POLL_OK, "bitcoin=3 ripple=4", true, &result), err);
    CHECK(result.is_duplicate);
    CHECK_EQ(result.n_stored, 0);
    CHECK_SHOWS("markets-usd", SLOT(0), "bitcoin=1 ethereum=2 ");
    CHECK_OK(second.driver->attach(&second, &other.id, &at, &err), err);
    CHECK_AT(at, other.at);
    CHECK_OK(load(&second, &other, SLOT(1), POLL_OK, "bitcoin=5", true, &result), err);
    CHECK(!result.is_duplicate);
    CHECK_SHOWS("markets-usd", SLOT(1), "bitcoin=5 ");
}

static void an_ok_poll_replaces_a_partial_one(void)
{
    struct made_stream s = made_stream("markets-usd", 1), other = made_stream("markets-usd", 2);
    struct position at;
    struct sink_result result;

    if (!subject.has_store)
        SKIP("knows no slots");
    CHECK_OK(open_and_attach(&first, &s, &at), err);
    CHECK_OK(open_and_attach(&second, &other, &at), err);
    CHECK_OK(load(&first, &s, SLOT(0), POLL_PARTIAL, "bitcoin=1 ethereum=2", true, &result), err);
    CHECK_SHOWS("markets-usd", SLOT(0), "bitcoin=1 ethereum=2 ");
    CHECK_OK(load(&second, &other, SLOT(0), POLL_PARTIAL, "bitcoin=7", true, &result), err);
    CHECK(result.is_duplicate);
    CHECK_OK(load(&second, &other, SLOT(0), POLL_OK, "bitcoin=3 ripple=4", true, &result), err);
    CHECK(!result.is_duplicate);
    CHECK_SHOWS("markets-usd", SLOT(0), "bitcoin=3 ripple=4 ");
    CHECK_OK(load(&first, &s, SLOT(0), POLL_OK, "bitcoin=5", true, &result), err);
    CHECK(result.is_duplicate);
    CHECK_SHOWS("markets-usd", SLOT(0), "bitcoin=3 ripple=4 ");
}

static void a_partial_poll_and_the_ok_one_may_share_a_batch(void)
{
    struct made_stream s = made_stream("markets-usd", 1);
    struct position at;
    struct sink_result result;

    CHECK_OK(open_and_attach(&first, &s, &at), err);
    CHECK_OK(load(&first, &s, SLOT(0), POLL_PARTIAL, "bitcoin=1", false, &result), err);
    CHECK_OK(load(&first, &s, SLOT(0), POLL_OK, "bitcoin=2 ripple=3", true, &result), err);
    CHECK(!result.is_duplicate);
    if (subject.has_store)
        CHECK_SHOWS("markets-usd", SLOT(0), "bitcoin=2 ripple=3 ");
}

static void polls_without_rows_move_the_position(void)
{
    struct made_stream s = made_stream("markets-usd", 1);
    struct position at;
    struct sink_result result;
    struct made_poll poll;

    CHECK_OK(open_and_attach(&first, &s, &at), err);
    CHECK_OK(load(&first, &s, SLOT(0), POLL_FAILED, NULL, true, &result), err);
    CHECK_EQ(result.n_stored, 0);
    made_poll(&poll, &s, SLOT(1), POLL_OK, "bitcoin=1");
    poll.load.rows = NULL;
    poll.load.error = STR("transform: not an array");
    enum st st = first.driver->load(&first, &poll.load, &result, &err);
    made_release(&poll);
    CHECK_OK(st, err);
    CHECK_EQ(result.n_stored, 0);
    if (!subject.has_store)
        return;
    CHECK_SHOWS("markets-usd", SLOT(1), "");
    CHECK_OK(first.driver->attach(&first, &s.id, &at, &err), err);
    CHECK_AT(at, s.at);
    /* the slot is still free for a poll with rows */
    struct made_stream other = made_stream("markets-usd", 2);
    CHECK_OK(first.driver->attach(&first, &other.id, &at, &err), err);
    CHECK_OK(load(&first, &other, SLOT(0), POLL_OK, "bitcoin=4", true, &result), err);
    CHECK(!result.is_duplicate);
    CHECK_SHOWS("markets-usd", SLOT(0), "bitcoin=4 ");
}

static void jobs_do_not_mix(void)
{
    struct made_stream usd = made_stream("markets-usd", 1), eur = made_stream("markets-eur", 2);
    struct position at;
    struct sink_result result;

    CHECK_OK(open_and_attach(&first, &usd, &at), err);
    CHECK_OK(first.driver->attach(&first, &eur.id, &at, &err), err);
    CHECK_OK(load(&first, &usd, SLOT(0), POLL_OK, "bitcoin=1", true, &result), err);
    CHECK_OK(load(&first, &eur, SLOT(0), POLL_OK, "bitcoin=2", true, &result), err);
    CHECK(!result.is_duplicate);
    if (!subject.has_store)
        return;
    CHECK_SHOWS("markets-usd", SLOT(0), "bitcoin=1 ");
    CHECK_SHOWS("markets-eur", SLOT(0), "bitcoin=2 ");
}

/* ---- replay ---- */

struct remade {
    struct made_stream before; /* the stream in front of the poll */
    const char *rows;
};

#define MAX_REMADE 8

static struct sink_replay replay_of(const struct made_stream *s)
{
    return (struct sink_replay){
        .stream = &s->id, .until_us = INT64_MAX, .below = s->at.offset, .is_forced = true};
}

/* Replace all polls of the stream that the sink lists, as far as `polls` has them in that order;
 * is_whole: commit. */
static enum st replay(struct sink *sink, const struct made_stream *s, const struct remade *polls,
                      bool is_whole)
{
    const struct sink_replay_driver *driver = sink->driver->replay;
    const struct sink_replay what = replay_of(s);
    struct sink_stored after = {0}, list[MAX_REMADE];
    struct sink_result result;
    size_t n;

    enum st st = driver->list(sink, &what, &after, list, MAX_REMADE, &n, &err);
    if (st == ST_OK)
        st = driver->begin(sink, &what, list, n, &err);
    for (size_t i = 0; st == ST_OK && i < n; i++) {
        struct made_stream stream = polls[i].before;
        struct made_poll poll;
        made_poll(&poll, &stream, list[i].slot_us, POLL_OK, polls[i].rows);
        if (poll.end.offset != list[i].end_offset)
            abort();
        poll.load.is_last = is_whole && i + 1 == n;
        st = driver->replace(sink, &poll.load, &result, &err);
        made_release(&poll);
    }
    return st;
}

/* Three polls, and what a replay will make of them. */
static enum st load_three(struct sink *sink, struct made_stream *s, struct remade *remade)
{
    static const char *const old[] = {"bitcoin=1 ripple=5", "bitcoin=2 ripple=6", "bitcoin=3"},
                             *const new[] = {"bitcoin=10 ripple=5", "bitcoin=20",
                                             "bitcoin=30 ethereum=7"};
    struct sink_result result;
    enum st st = ST_OK;

    for (int i = 0; st == ST_OK && i < 3; i++) {
        remade[i] = (struct remade){.before = *s, .rows = new[i]};
        st = load(sink, s, SLOT(i), POLL_OK, old[i], true, &result);
    }
    return st;
}

/* A history of a table beside market's: in order, late, doubled, replaced, reopened. */
static void take_polls(const char *job, const char *rows, const char *more, const char *less)
{
    struct made_stream s = made_stream(job, 1), other = made_stream(job, 2), before;
    struct position at;
    struct sink_result result;
    char both[128], rest[128];

    snprintf(both, sizeof(both), "%s %s ", rows, more);
    snprintf(rest, sizeof(rest), "%s ", less);
    CHECK_OK(open_and_attach(&first, &s, &at), err);
    CHECK_OK(first.driver->attach(&first, &other.id, &at, &err), err);
    CHECK_OK(load(&first, &s, SLOT(0), POLL_OK, rows, true, &result), err);
    CHECK_OK(load(&first, &other, SLOT(0), POLL_OK, less, true, &result), err);
    CHECK(result.is_duplicate);
    CHECK_OK(load(&first, &s, SLOT(4), POLL_PARTIAL, less, true, &result), err);
    snprintf(both, sizeof(both), "%s %s", rows, more);
    CHECK_OK(load(&first, &s, SLOT(4), POLL_OK, both, true, &result), err);
    CHECK(!result.is_duplicate);
    snprintf(both, sizeof(both), "%s %s ", rows, more);
    CHECK_SHOWS(job, SLOT(4), both);
    CHECK_OK(load(&first, &other, SLOT(2), POLL_OK, less, true, &result), err);
    CHECK_SHOWS(job, SLOT(4), both); /* a late poll changes nothing behind it */
    before = s;
    CHECK_OK(load(&first, &s, SLOT(5), POLL_OK, less, false, &result), err);
    CHECK_OK(first.driver->attach(&first, &s.id, &at, &err), err);
    CHECK_AT(at, before.at);
    CHECK_SHOWS(job, SLOT(4), both);
    if (subject.is_persistent) {
        CHECK_SHOWS(job, SLOT(5), "");
        CHECK_SHOWS(job, SLOT(2), rest);
        shut(&first);
        CHECK_OK(open_and_attach(&first, &s, &at), err);
        CHECK_AT(at, before.at);
    }
}

static void every_table_takes_polls(void)
{
    if (!subject.has_store)
        SKIP("keeps nothing");
    if (subject.is_of_markets)
        SKIP("shows markets alone");
    take_polls("coins-list", "bitcoin=Bitcoin ethereum=Ether", "ripple=XRP", "bitcoin=Bitcoin");
    if (!subject.shows_texts)
        return;
    finish();
    begin();
    take_polls("global", "a.eur=1.5 a.usd=2e-9", "b=7", "a.usd=3");
    finish();
    begin();
    take_polls("vs-currencies", "eur= usd=", "xau=", "usd=");
}

static void rows_of_several_tables_share_a_store(void)
{
    struct made_stream market = made_stream("markets-usd", 1), list = made_stream("coins-list", 2),
                       global = made_stream("global", 3);
    struct position at;
    struct sink_result result;

    if (!subject.has_store)
        SKIP("keeps nothing");
    CHECK_OK(open_and_attach(&first, &list, &at), err);
    CHECK_OK(first.driver->attach(&first, &global.id, &at, &err), err);
    CHECK_OK(first.driver->attach(&first, &market.id, &at, &err), err);
    CHECK_OK(load(&first, &list, SLOT(0), POLL_OK, "bitcoin=Bitcoin", true, &result), err);
    CHECK_OK(load(&first, &global, SLOT(0), POLL_OK, "a=1", true, &result), err);
    CHECK_OK(load(&first, &market, SLOT(0), POLL_OK, "bitcoin=5", true, &result), err);
    CHECK(!result.is_duplicate);
    CHECK_EQ(result.n_stored, 1);
    CHECK_SHOWS("markets-usd", SLOT(0), "bitcoin=5 ");
    if (subject.shows_texts)
        CHECK_SHOWS("global", SLOT(0), "a=1 ");
}

static void a_replay_makes_its_polls_anew(void)
{
    struct made_stream s = made_stream("markets-usd", 1);
    struct remade remade[3];
    struct position at;
    struct sink_result result;

    CHECK_OK(open_and_attach(&first, &s, &at), err);
    if (first.driver->replay == NULL)
        SKIP("cannot be replayed");
    CHECK_OK(load_three(&first, &s, remade), err);
    for (int i = 0; i < 2; i++) { /* again gives the same */
        CHECK_OK(replay(&first, &s, remade, true), err);
        CHECK_SHOWS("markets-usd", SLOT(0), "bitcoin=10 ripple=5 ");
        CHECK_SHOWS("markets-usd", SLOT(1), "bitcoin=20 ");
        CHECK_SHOWS("markets-usd", SLOT(2), "bitcoin=30 ethereum=7 ");
    }
    /* the position stays, and loading goes on */
    CHECK_OK(load(&first, &s, SLOT(3), POLL_OK, "bitcoin=4", true, &result), err);
    CHECK_SHOWS("markets-usd", SLOT(3), "bitcoin=4 ");
    CHECK_OK(first.driver->attach(&first, &s.id, &at, &err), err);
    CHECK_AT(at, s.at);
}

static void flags_are_those_of_the_poll_that_has_the_slot(void)
{
    struct made_stream s = made_stream("markets-usd", 1), other = made_stream("markets-usd", 2);
    struct remade remade[2];
    struct position at;
    struct sink_result result;

    if (!subject.show_flags)
        SKIP("keeps no flags");
    CHECK_OK(open_and_attach(&first, &other, &at), err);
    CHECK_OK(first.driver->attach(&first, &s.id, &at, &err), err);
    CHECK_OK(load(&first, &other, SLOT(0), POLL_PARTIAL, "a=-1 b=-2", true, &result), err);
    CHECK_FLAGS("markets-usd", SLOT(0), "a=-1 b=-2 ");
    remade[0] = (struct remade){.before = s, .rows = "a=-4 b=1"};
    CHECK_OK(load(&first, &s, SLOT(0), POLL_OK, "a=1 b=-3", true, &result), err);
    CHECK_FLAGS("markets-usd", SLOT(0), "b=-3 ");
    CHECK_OK(load(&first, &other, SLOT(0), POLL_OK, "a=-7", true, &result), err);
    CHECK(result.is_duplicate);
    remade[1] = (struct remade){.before = s, .rows = "a=1 b=1"};
    CHECK_OK(load(&first, &s, SLOT(1), POLL_OK, "a=1 *b=-3", true, &result), err);
    CHECK_EQ(result.n_unchanged, 1);
    CHECK_FLAGS("markets-usd", SLOT(0), "b=-3 ");
    CHECK_FLAGS("markets-usd", SLOT(1), "b=-3 "); /* though the row is not */
    CHECK_OK(replay(&first, &s, remade, true), err);
    CHECK_FLAGS("markets-usd", SLOT(0), "a=-4 ");
    CHECK_FLAGS("markets-usd", SLOT(1), "");
}

/* Each poll says by itself how its answers were: also one whose rows are not there. */
static void drift_stands_with_its_poll(void)
{
    struct made_stream s = made_stream("markets-usd", 1), other = made_stream("markets-usd", 2);
    struct remade remade[4];
    struct position at;
    struct sink_result result;

    if (!subject.show_drift)
        SKIP("keeps no polls");
    CHECK_OK(open_and_attach(&first, &other, &at), err);
    CHECK_OK(first.driver->attach(&first, &s.id, &at, &err), err);
    remade[0] = (struct remade){.before = s, .rows = "a=1"};
    CHECK_OK(load(&first, &s, SLOT(0), POLL_OK, "a=1 ~moon ~mars", true, &result), err);
    CHECK_DRIFT("markets-usd", SLOT(0), "rows=new: moon, mars ");
    remade[1] = (struct remade){.before = s, .rows = "a=1 ~sun"};
    CHECK_OK(load(&first, &s, SLOT(1), POLL_OK, "*a=1", true, &result), err);
    CHECK_DRIFT("markets-usd", SLOT(1), "rows= ");
    remade[2] = (struct remade){.before = s, .rows = "a=1 ~sun"};
    CHECK_OK(load(&first, &s, SLOT(2), POLL_OK, "a=2 ~moon", true, &result), err);
    CHECK_OK(load(&first, &other, SLOT(2), POLL_OK, "a=1 ~venus", true, &result), err);
    CHECK(result.is_duplicate);
    CHECK_DRIFT("markets-usd", SLOT(2), "duplicate=new: venus rows=new: moon ");
    CHECK_OK(load(&first, &s, SLOT(3), POLL_FAILED, NULL, true, &result), err);
    CHECK_DRIFT("markets-usd", SLOT(3), "none= ");
    remade[3] = (struct remade){.before = s, .rows = "a=1"};
    CHECK_OK(load(&first, &other, SLOT(4), POLL_PARTIAL, "a=1 ~moon", true, &result), err);
    CHECK_OK(load(&first, &s, SLOT(4), POLL_OK, "a=1 ~mars", true, &result), err);
    CHECK_DRIFT("markets-usd", SLOT(4), "duplicate=new: moon rows=new: mars ");
    CHECK_OK(replay(&first, &s, remade, true), err);
    CHECK_DRIFT("markets-usd", SLOT(0), "rows= ");
    CHECK_DRIFT("markets-usd", SLOT(1), "rows=new: sun ");
    CHECK_DRIFT("markets-usd", SLOT(2), "duplicate=new: venus rows=new: sun ");
    CHECK_DRIFT("markets-usd", SLOT(4), "duplicate=new: moon rows= ");
}

static void a_replay_that_is_not_ended_leaves_all_as_it_was(void)
{
    struct made_stream s = made_stream("markets-usd", 1);
    struct remade remade[3];
    struct position at;

    CHECK_OK(open_and_attach(&first, &s, &at), err);
    if (first.driver->replay == NULL)
        SKIP("cannot be replayed");
    CHECK_OK(load_three(&first, &s, remade), err);
    CHECK_OK(replay(&first, &s, remade, false), err);
    CHECK_OK(first.driver->attach(&first, &s.id, &at, &err), err);
    CHECK_AT(at, s.at);
    CHECK_SHOWS("markets-usd", SLOT(0), "bitcoin=1 ripple=5 ");
    CHECK_SHOWS("markets-usd", SLOT(1), "bitcoin=2 ripple=6 ");
    CHECK_SHOWS("markets-usd", SLOT(2), "bitcoin=3 ");
}

static void a_kill_within_a_replay_leaves_all_as_it_was(void)
{
    struct made_stream s = made_stream("markets-usd", 1);
    struct remade remade[3];
    struct position at;
    int status = 0;

    CHECK_OK(open_and_attach(&first, &s, &at), err);
    if (first.driver->replay == NULL)
        SKIP("cannot be replayed");
    CHECK_OK(load_three(&first, &s, remade), err);
    shut(&first);
    pid_t child = fork();
    if (child == 0) {
        if (open_and_attach(&first, &s, &at) != ST_OK || replay(&first, &s, remade, false) != ST_OK)
            _exit(1);
        kill(getpid(), SIGKILL);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status));
    CHECK_OK(open_and_attach(&first, &s, &at), err);
    CHECK_SHOWS("markets-usd", SLOT(1), "bitcoin=2 ripple=6 ");
    CHECK_OK(replay(&first, &s, remade, true), err);
    CHECK_SHOWS("markets-usd", SLOT(1), "bitcoin=20 ");
}

static void a_replay_of_the_one_who_was_taken_over_changes_nothing(void)
{
    struct made_stream s = made_stream("markets-usd", 1);
    struct remade remade[3];
    struct position at;

    CHECK_OK(open_and_attach(&first, &s, &at), err);
    if (first.driver->replay == NULL)
        SKIP("cannot be replayed");
    CHECK_OK(load_three(&first, &s, remade), err);
    CHECK_OK(open_and_attach(&second, &s, &at), err);
    CHECK_EQ(replay(&first, &s, remade, true), ST_FATAL);
    CHECK(strstr(err.msg, "taken over") != NULL);
    CHECK_SHOWS("markets-usd", SLOT(0), "bitcoin=1 ripple=5 ");
}

/* A partial poll that an ok one replaced, another stream's, one of another time, one that is not
 * loaded as far as the loader knows. */
static void a_replay_knows_which_polls_have_their_rows_there(void)
{
    struct made_stream s = made_stream("markets-usd", 1), other = made_stream("markets-usd", 2);
    struct sink_stored after = {0}, list[MAX_REMADE];
    struct sink_stored_counts counts;
    struct position at;
    struct sink_result result;
    size_t n, n_rows = 0;

    CHECK_OK(open_and_attach(&first, &s, &at), err);
    if (first.driver->replay == NULL)
        SKIP("cannot be replayed");
    CHECK_OK(first.driver->attach(&first, &other.id, &at, &err), err);
    CHECK_OK(load(&first, &s, SLOT(0), POLL_PARTIAL, "bitcoin=1", true, &result), err);
    CHECK_OK(load(&first, &s, SLOT(0), POLL_OK, "bitcoin=2", true, &result), err);
    uint64_t replacing = s.at.offset;
    CHECK_OK(load(&first, &other, SLOT(1), POLL_OK, "bitcoin=3", true, &result), err);
    CHECK_OK(load(&first, &s, SLOT(1), POLL_OK, "bitcoin=4", true, &result), err);
    CHECK_OK(load(&first, &s, SLOT(2), POLL_FAILED, NULL, true, &result), err);
    CHECK_OK(load(&first, &s, SLOT(200), POLL_OK, "bitcoin=5", true, &result), err);
    uint64_t later = s.at.offset;
    CHECK_OK(load(&first, &s, SLOT(201), POLL_OK, "bitcoin=6", true, &result), err);
    struct sink_replay what = replay_of(&s);
    what.below = later;
    CHECK_OK(first.driver->replay->list(&first, &what, &after, list, MAX_REMADE, &n, &err), err);
    for (size_t i = 0; i < n; i++)
        if (list[i].has_rows)
            list[n_rows++] = list[i];
    CHECK_EQ(n_rows, 2);
    CHECK_EQ(list[0].end_offset, replacing);
    CHECK_EQ(list[1].end_offset, later);
    CHECK_OK(first.driver->replay->count(&first, &what, &counts, &err), err);
    CHECK_EQ(counts.n_due, n);
    CHECK_EQ(counts.n_other, 2);
    what.since_us = SLOT(1);
    what.until_us = SLOT(200);
    after.slot_us = SLOT(1);
    CHECK_OK(first.driver->replay->list(&first, &what, &after, list, MAX_REMADE, &n, &err), err);
    for (size_t i = 0; i < n; i++)
        CHECK(!list[i].has_rows);
}

static void rows_that_the_store_refuses_cost_no_others(void)
{
    struct made_stream s = made_stream("markets-usd", 1);
    struct position at;
    struct sink_result result;

    if (!subject.forbid)
        SKIP("refuses no rows");
    CHECK_OK(open_and_attach(&first, &s, &at), err);
    subject.forbid(&url, "13");
    CHECK_OK(load(&first, &s, SLOT(0), POLL_OK, "a=1 b=13 c=3 d=13", true, &result), err);
    CHECK_EQ(result.n_stored, 2);
    CHECK_EQ(result.n_refused, 2);
    CHECK_SHOWS("markets-usd", SLOT(0), "a=1 c=3 ");
    /* what equals a row that is not there is no unchanged row */
    CHECK_OK(load(&first, &s, SLOT(1), POLL_OK, "*a=1 *b=13 c=4 *d=13", true, &result), err);
    CHECK_EQ(result.n_unchanged, 0);
    CHECK_EQ(result.n_refused, 2);
    CHECK_SHOWS("markets-usd", SLOT(1), "a=1 c=4 ");
    CHECK_OK(load(&first, &s, SLOT(2), POLL_OK, "*a=1 b=2 *c=4 d=4", true, &result), err);
    CHECK_SHOWS("markets-usd", SLOT(2), "a=1 b=2 c=4 d=4 ");
    CHECK_OK(load(&first, &s, SLOT(3), POLL_OK, "*a=1 *b=2 c=5 *d=4", true, &result), err);
    CHECK_EQ(result.n_unchanged, 3);
}

/* Of a batch, one of whose rows is refused, nothing is stored; poll by poll, all the others are. */
static void a_row_that_is_refused_sends_its_batch_back(void)
{
    static const char *const rows[] = {"a=1 b=2", "a=2 b=13", "a=3 b=4"};
    struct made_stream s = made_stream("markets-usd", 1), before;
    struct position at;
    struct sink_result result;
    enum st st = ST_OK;

    if (!subject.forbid)
        SKIP("refuses no rows");
    CHECK_OK(open_and_attach(&first, &s, &at), err);
    subject.forbid(&url, "13");
    before = s;
    for (int i = 0; st == ST_OK && i < 3; i++)
        st = load(&first, &s, SLOT(i), POLL_OK, rows[i], i == 2, &result);
    CHECK_EQ(st, ST_REJECT);
    CHECK_OK(first.driver->attach(&first, &s.id, &at, &err), err);
    CHECK_AT(at, before.at);
    CHECK_SHOWS("markets-usd", SLOT(0), "");
    s = before;
    for (int i = 0; i < 3; i++)
        CHECK_OK(load(&first, &s, SLOT(i), POLL_OK, rows[i], true, &result), err);
    CHECK_SHOWS("markets-usd", SLOT(0), "a=1 b=2 ");
    CHECK_SHOWS("markets-usd", SLOT(1), "a=2 ");
    CHECK_SHOWS("markets-usd", SLOT(2), "a=3 b=4 ");
}

/* Never ST_AGAIN, which would be tried for ever. */
static void a_text_beyond_its_memory_is_refused(void)
{
    const size_t len = (size_t)257 << 20;
    struct made_stream s = made_stream("markets-usd", 1), before;
    struct position at;
    struct sink_result result;
    struct made_poll poll;

    if (strcmp(subject.scheme, "memory") != 0 && strcmp(subject.scheme, "sqlite") != 0 &&
        strcmp(subject.scheme, "postgres") != 0)
        SKIP("keeps no ids in memory");
    CHECK_OK(open_and_attach(&first, &s, &at), err);
    before = s;
    made_poll(&poll, &s, SLOT(0), POLL_OK, "bitcoin=1");
    char *id = mem_new(len, 1);
    rows_at(&poll.rows.rows, 0)[MARKET_ID] = cell_of_text((struct str){id, len});
    enum st st = first.driver->load(&first, &poll.load, &result, &err);
    mem_free(id);
    made_release(&poll);
    CHECK_EQ(st, ST_REJECT);
    CHECK_OK(first.driver->attach(&first, &s.id, &at, &err), err);
    s = before;
    CHECK_OK(load(&first, &s, SLOT(0), POLL_OK, "bitcoin=1", true, &result), err);
}

static void an_option_it_does_not_know_is_refused(void)
{
    char text[SINK_URL_MAX + 16];

    snprintf(text, sizeof(text), "%s%ccolour=blue", url.text, strchr(url.text, '?') ? '&' : '?');
    CHECK_OK(sink_url_parse(str_of(text), &url, &err), err);
    CHECK_EQ(open_sink(&first), ST_REJECT);
    CHECK(strstr(err.msg, "colour") != NULL);
}

static void close_is_fine_after_a_failed_open(void)
{
    if (!subject.is_persistent)
        SKIP("its open does not fail");
    if (subject.unreachable) {
        CHECK_OK(sink_url_parse(str_of(subject.unreachable), &url, &err), err);
        CHECK_EQ(open_sink(&first), ST_AGAIN);
        shut(&first);
        CHECK(first.state == NULL);
        return;
    }
    snprintf(url.rest, sizeof(url.rest), "/dev/null/no/store");
    CHECK_EQ(open_sink(&first), ST_FATAL);
    CHECK(strstr(err.msg, "/dev/null") != NULL);
    shut(&first);
    CHECK(first.state == NULL);
}

#define CASE(function)            \
    static void function##_(void) \
    {                             \
        begin();                  \
        function();               \
        finish();                 \
    }
#define CASES(X)                                                \
    X(loads_polls_in_order)                                     \
    X(goes_on_where_it_was_after_a_reopen)                      \
    X(a_batch_that_is_not_ended_leaves_nothing)                 \
    X(a_kill_between_write_and_commit_leaves_nothing)           \
    X(a_batch_repeated_after_an_unknown_outcome_is_not_doubled) \
    X(a_load_from_elsewhere_changes_nothing)                    \
    X(a_failed_load_drops_the_batch_it_was_in)                  \
    X(the_one_who_was_taken_over_stores_nothing_more)           \
    X(the_first_poll_of_a_slot_wins_whole)                      \
    X(an_ok_poll_replaces_a_partial_one)                        \
    X(a_partial_poll_and_the_ok_one_may_share_a_batch)          \
    X(polls_without_rows_move_the_position)                     \
    X(every_table_takes_polls)                                  \
    X(rows_of_several_tables_share_a_store)                     \
    X(jobs_do_not_mix)                                          \
    X(a_replay_makes_its_polls_anew)                            \
    X(flags_are_those_of_the_poll_that_has_the_slot)            \
    X(drift_stands_with_its_poll)                               \
    X(a_replay_that_is_not_ended_leaves_all_as_it_was)          \
    X(a_kill_within_a_replay_leaves_all_as_it_was)              \
    X(a_replay_of_the_one_who_was_taken_over_changes_nothing)   \
    X(a_replay_knows_which_polls_have_their_rows_there)         \
    X(rows_that_the_store_refuses_cost_no_others)               \
    X(a_row_that_is_refused_sends_its_batch_back)               \
    X(a_text_beyond_its_memory_is_refused)                      \
    X(an_option_it_does_not_know_is_refused)                    \
    X(close_is_fine_after_a_failed_open)

CASES(CASE)

#define ROW(function) {#function, function##_},
int main(void)
{
    static const struct tap_case cases[] = {CASES(ROW)};
    return tap_run(cases, sizeof(cases) / sizeof(cases[0]));
}
