/* The loader over a real tape and the real transform, with a driver that does as it is told. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "base/metric.h"
#include "load/loader.h"
#include "tap.h"
#include "tape/reader.h"
#include "tape/upkeep.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#define T0 INT64_C(1795444200000000) /* 2026-11-23T14:30:00Z */

/* ---- the driver: remembers what it was given, and answers as planned ---- */

struct seen {
    uint64_t end, old;
    bool has_rows, is_last;
    size_t n_rows, n_unchanged, n_absent;
    uint32_t http_status;
    uint64_t credits;
    char error[128];
};

static struct told {
    struct position at, staged; /* committed, and in the batch; of the stream attached last */
    struct seen loads[256];     /* that returned ST_OK, in order */
    size_t n_loads, n_committed, n_attached, n_opened;
    enum st answers[16]; /* of the next loads; ST_OK when they are used up */
    size_t n_answers, next_answer;
    int fails_by; /* err->sys of those that are not ST_OK */
    enum st open_answer;
    uint64_t bad[4];         /* ends of polls whose rows are refused, each time */
    int64_t now_us, load_us; /* the loader's monotonic clock, and how long a load takes */
} told;

static int64_t wall_us(struct clock *c)
{
    (void)c;
    return clock_wall_us(clock_system());
}

static int64_t mono_us(struct clock *c)
{
    (void)c;
    return told.now_us;
}

static struct clock loader_clock = {.wall_us = wall_us, .mono_us = mono_us};

static enum st told_check(const struct sink_url *checked, struct err *why)
{
    (void)checked, (void)why;
    return ST_OK;
}

static enum st told_open(struct sink *s, struct err *err)
{
    (void)s;
    told.n_opened++;
    enum st st = told.open_answer;
    told.open_answer = ST_OK;
    return st == ST_OK ? st : err_set(err, st, "told to fail to open");
}

static enum st told_attach(struct sink *s, const struct stream_id *id, struct position *ret_at,
                           struct err *err)
{
    (void)s, (void)id, (void)err;
    told.n_attached++;
    told.n_loads = told.n_committed; /* what was not committed is gone */
    *ret_at = told.staged = told.at;
    return ST_OK;
}

static enum st told_load(struct sink *s, const struct sink_load *load,
                         struct sink_result *ret_result, struct err *err)
{
    (void)s;
    enum st st = told.next_answer < told.n_answers ? told.answers[told.next_answer++] : ST_OK;
    for (size_t i = 0; i < 4; i++)
        if (load->rows && told.bad[i] == load->end->offset)
            st = ST_REJECT;
    told.now_us += told.load_us;
    if (st != ST_OK) {
        err_set_at(err, __FILE__, __LINE__, 0, "told to fail");
        err->sys = told.fails_by;
        return st;
    }
    if (load->old.offset != told.staged.offset || load->old.hash != told.staged.hash)
        return err_set(err, ST_FATAL, "not where the sink is");
    struct seen *seen = &told.loads[told.n_loads++ % 256];
    *seen = (struct seen){.end = load->end->offset,
                          .old = load->old.offset,
                          .has_rows = load->rows != NULL,
                          .is_last = load->is_last,
                          .http_status = load->http_status,
                          .credits = load->credits};
    if (load->rows) {
        seen->n_rows = load->rows->rows.n;
        seen->n_unchanged = load->rows->n_unchanged;
        seen->n_absent = load->rows->n_absent;
    }
    snprintf(seen->error, sizeof(seen->error), "%.*s", STR_ARG(load->error));
    told.staged = load->new;
    if (load->is_last) {
        told.at = load->new;
        told.n_committed = told.n_loads;
    }
    *ret_result = (struct sink_result){.n_stored = seen->n_rows};
    return ST_OK;
}

static void told_close(struct sink *s)
{
    (void)s;
}

static const struct sink_driver driver = {.scheme = "told",
                                          .check = told_check,
                                          .open = told_open,
                                          .attach = told_attach,
                                          .load = told_load,
                                          .close = told_close};

enum st sink_driver_find(struct str scheme, const struct sink_driver **ret_driver, struct err *err)
{
    (void)scheme, (void)err;
    *ret_driver = &driver;
    return ST_OK;
}

/* ---- a tape in a fresh directory, and a loader of it ---- */

static char dir[64];
static struct tape *tape;
static struct tape_writer *writer;
static struct sink_url url;
static struct loader *loader;
static struct err err;
static size_t n_failed[4], n_recovered, n_loaded;
static size_t n_open, n_counted; /* as who counts what is committed */
static char last_failure[ERR_MSG_SIZE];

static void on_loaded(void *ctx, const struct sink_load *load, const struct sink_result *result,
                      int64_t duration_us)
{
    (void)ctx, (void)result, (void)duration_us;
    n_loaded++;
    n_open++;
    if (load->is_last) {
        n_counted += n_open;
        n_open = 0;
    }
}

static void on_undone(void *ctx)
{
    (void)ctx;
    n_open = 0;
}

static void on_failed(void *ctx, const char *job, enum st st, const struct err *why)
{
    (void)ctx, (void)job;
    n_failed[st]++;
    snprintf(last_failure, sizeof(last_failure), "%s", why->msg);
}

static void on_recovered(void *ctx)
{
    (void)ctx;
    n_recovered++;
}

static enum st open_tape(uint64_t segment_max_bytes)
{
    struct tape_writer_setup setup = {.clock = clock_system(),
                                      .id = {.job = "markets-usd",
                                             .endpoint = "coins/markets",
                                             .vs_currency = "usd",
                                             .selection = "top=250"},
                                      .segment_span_us = 3600 * US_PER_S,
                                      .segment_max_bytes = segment_max_bytes};
    struct tape_recovery recovery;

    enum st st = tape_open(dir, &tape, &err);
    setup.tape = tape;
    return st == ST_OK ? tape_writer_open(&setup, &writer, &recovery, &err) : st;
}

static void close_tape(void)
{
    tape_writer_close(writer);
    tape_close(tape);
    writer = NULL;
    tape = NULL;
}

static bool accepts_gap;

static void make_loader(uint64_t max_poll_bytes)
{
    struct loader_stream stream = {.head = writer ? tape_writer_head(writer) : NULL,
                                   .job = "markets-usd"};
    struct loader_setup setup = {.url = &url,
                                 .streams = &stream,
                                 .n_streams = 1,
                                 .clock = &loader_clock,
                                 .events = {.loaded = on_loaded,
                                            .undone = on_undone,
                                            .failed = on_failed,
                                            .recovered = on_recovered},
                                 .accepts_gap = accepts_gap,
                                 .max_poll_bytes = max_poll_bytes};

    if (tape_stream_dir(dir, "markets-usd", stream.dir, &err) != ST_OK)
        abort();
    loader_free(loader);
    loader = loader_new(&setup);
}

static void begin(void)
{
    told = (struct told){.n_loads = 0};
    err = (struct err)ERR_INIT;
    memset(n_failed, 0, sizeof(n_failed));
    n_recovered = n_loaded = n_open = n_counted = 0;
    accepts_gap = false;
    metric_reset();
    snprintf(dir, sizeof(dir), "/tmp/loader-test-XXXXXX");
    if (mkdtemp(dir) == NULL || sink_url_parse(STR("told:"), &url, &err) != ST_OK ||
        open_tape(64 << 20) != ST_OK) {
        fprintf(stderr, "%s\n", err.msg);
        abort();
    }
    make_loader(8 << 20);
}

static void finish(void)
{
    char command[128];

    loader_free(loader);
    loader = NULL;
    close_tape();
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    if (system(command) != 0)
        printf("# %s stays\n", dir);
}

static uint64_t add_page(int64_t slot_us, uint32_t page, const char *body)
{
    uint64_t offset = 0;
    struct tape_record record = {.type = TAPE_PAGE,
                                 .is_json = true,
                                 .slot_us = slot_us,
                                 .page = page,
                                 .attempt = 1,
                                 .fetched_at_us = slot_us + US_PER_S,
                                 .status = body[0] == '[' ? 200 : 429,
                                 .target = STR("/coins/markets")};

    if (tape_append_page(writer, &record, str_of(body), &offset, &err) != ST_OK)
        abort();
    return offset;
}

static uint64_t add_end(int64_t slot_us, enum poll_outcome outcome, const uint64_t *pages,
                        uint32_t n_pages, uint64_t credits)
{
    uint64_t offset = 0;
    struct tape_record end = {.type = TAPE_END,
                              .slot_us = slot_us,
                              .fetched_at_us = slot_us + 2 * US_PER_S,
                              .outcome = outcome,
                              .pages = pages,
                              .n_pages = n_pages,
                              .attempts = 1,
                              .credits_key = 1,
                              .credits_spent = credits};

    if (tape_append_end(writer, &end, &offset, &err) != ST_OK)
        abort();
    return offset;
}

/* A poll of one page: "bitcoin=1 ripple=2". */
static uint64_t add_poll(int i, const char *rows)
{
    struct buf body = BUF_INIT(64 * 1024);
    struct str rest = str_of(rows), price, id;

    buf_add_char(&body, '[');
    while (rest.len > 0) {
        str_cut(&rest, ' ', &price);
        str_cut(&price, '=', &id);
        buf_addf(&body,
                 "%s{\"id\":\"%.*s\",\"symbol\":\"x\",\"name\":\"X\",\"current_price\":%.*s}",
                 body.len > 1 ? "," : "", STR_ARG(id), STR_ARG(price));
    }
    buf_add_char(&body, ']');
    uint64_t page = add_page(T0 + i * 30 * US_PER_S, 1, buf_z(&body));
    buf_release(&body);
    return add_end(T0 + i * 30 * US_PER_S, POLL_OK, &page, 1, (uint64_t)i + 1);
}

/* ---- the cases ---- */

static void loads_every_poll_once_in_order(void)
{
    uint64_t ends[3] = {add_poll(0, "bitcoin=1"), add_poll(1, "bitcoin=2"), 0};

    CHECK_OK(loader_catch_up(loader, &err), err);
    ends[2] = add_poll(2, "bitcoin=3");
    CHECK_OK(loader_catch_up(loader, &err), err);
    CHECK_OK(loader_catch_up(loader, &err), err);
    CHECK_EQ(told.n_loads, 3);
    for (size_t i = 0; i < 3; i++) {
        CHECK_EQ(told.loads[i].end, ends[i]);
        CHECK_EQ(told.loads[i].old, i > 0 ? ends[i - 1] : 0);
        CHECK_EQ(told.loads[i].n_rows, 1);
        CHECK_EQ(told.loads[i].http_status, 200);
        CHECK_EQ(told.loads[i].credits, 1);
    }
    CHECK_EQ(loader_offset(loader, 0), ends[2]);
    CHECK_EQ(n_loaded, 3);
    CHECK(metric_get(METRIC_SINK_ROWS, "told:", NULL) == 3);
    CHECK(metric_get(METRIC_SINK_OFFSET, "told:", "markets-usd") == (double)ends[2]);
    CHECK(metric_get(METRIC_SINK_LAG, "told:", "markets-usd") == 0);
}

static void a_batch_ends_at_the_head_and_at_its_limit(void)
{
    for (int i = 0; i < 103; i++)
        add_poll(i, "bitcoin=1");
    add_page(T0 + 103 * 30 * US_PER_S, 1, "[]"); /* the next poll has begun, and not ended */
    CHECK_OK(loader_catch_up(loader, &err), err);
    CHECK_EQ(told.n_loads, 103);
    for (size_t i = 0; i < 103; i++)
        CHECK_EQ(told.loads[i].is_last, i == 99 || i == 102);
}

static void a_batch_is_over_soon_where_a_sink_is_slow(void)
{
    told.load_us = 700 * US_PER_MS;
    for (int i = 0; i < 7; i++)
        add_poll(i, "bitcoin=1");
    CHECK_OK(loader_catch_up(loader, &err), err);
    CHECK_EQ(told.n_loads, 7);
    for (size_t i = 0; i < 7; i++)
        CHECK_EQ(told.loads[i].is_last, i == 3 || i == 6);
}

static void an_empty_tape_is_fine(void)
{
    CHECK_OK(loader_open(loader, &err), err);
    CHECK_OK(loader_catch_up(loader, &err), err);
    CHECK_EQ(told.n_attached, 0);
    add_poll(0, "bitcoin=1");
    CHECK_OK(loader_catch_up(loader, &err), err);
    CHECK_EQ(told.n_loads, 1);
}

static void marks_unchanged_and_absent_also_after_a_restart(void)
{
    add_poll(0, "bitcoin=1 ripple=2");
    CHECK_OK(loader_catch_up(loader, &err), err);
    make_loader(8 << 20); /* remembers nothing: reads the earlier poll from the tape again */
    add_poll(1, "bitcoin=1");
    CHECK_OK(loader_catch_up(loader, &err), err);
    add_poll(2, "bitcoin=1");
    CHECK_OK(loader_catch_up(loader, &err), err);
    CHECK_EQ(told.n_loads, 3);
    CHECK_EQ(told.loads[1].n_unchanged, 1);
    CHECK_EQ(told.loads[1].n_absent, 1);
    CHECK_EQ(told.loads[2].n_unchanged, 1);
    CHECK_EQ(told.loads[2].n_absent, 0);
}

static void absences_look_behind_partial_polls(void)
{
    uint64_t pages[2];

    add_poll(0, "bitcoin=1 ripple=2");
    pages[0] =
        add_page(T0 + 30 * US_PER_S, 1, "[{\"id\":\"bitcoin\",\"symbol\":\"x\",\"name\":\"X\"}]");
    pages[1] = 0;
    add_end(T0 + 30 * US_PER_S, POLL_PARTIAL, pages, 2, 2);
    add_poll(2, "bitcoin=1");
    CHECK_OK(loader_catch_up(loader, &err), err);
    CHECK_EQ(told.loads[1].n_rows, 1);
    CHECK_EQ(told.loads[1].n_absent, 0);
    CHECK_EQ(told.loads[2].n_absent, 1);
}

static void failed_polls_and_refused_bodies_load_without_rows(void)
{
    add_page(T0, 1, "{\"status\":{\"error_code\":429}}");
    add_end(T0, POLL_FAILED, NULL, 0, 0);
    uint64_t page = add_page(T0 + 30 * US_PER_S, 1, "{\"error\":\"an object\"}");
    add_end(T0 + 30 * US_PER_S, POLL_OK, &page, 1, 0);
    add_poll(2, "bitcoin=1");
    CHECK_OK(loader_catch_up(loader, &err), err);
    CHECK_EQ(told.n_loads, 3);
    CHECK(!told.loads[0].has_rows);
    CHECK_Z(told.loads[0].error, "");
    CHECK_EQ(told.loads[0].http_status, 429);
    CHECK(!told.loads[1].has_rows);
    CHECK(strncmp(told.loads[1].error, "transform: ", 11) == 0);
    CHECK_EQ(told.loads[2].n_rows, 1);
}

static void a_sink_that_fails_is_asked_again_from_its_position(void)
{
    for (int i = 0; i < 4; i++)
        add_poll(i, "bitcoin=1");
    told.answers[2] = ST_AGAIN; /* in the middle of a batch */
    told.n_answers = 3;
    CHECK_EQ(loader_catch_up(loader, &err), ST_AGAIN);
    CHECK_EQ(told.n_committed, 0);
    CHECK(metric_get(METRIC_SINK_LAG, "told:", "markets-usd") == 8);
    CHECK_OK(loader_catch_up(loader, &err), err);
    CHECK_EQ(told.n_loads, 4);
    for (size_t i = 1; i < 4; i++)
        CHECK_EQ(told.loads[i].old, told.loads[i - 1].end);
    CHECK_EQ(told.loads[3].credits, 1);
    CHECK_EQ(told.loads[0].credits, 1);
}

static void a_sink_that_is_overtaken_is_asked_again_at_once_but_not_for_ever(void)
{
    for (int i = 0; i < 4; i++)
        add_poll(i, "bitcoin=1");
    told.fails_by = SINK_OVERTAKEN;
    told.answers[2] = ST_AGAIN; /* in the middle of a batch */
    told.n_answers = 3;
    CHECK_OK(loader_catch_up(loader, &err), err);
    CHECK_EQ(told.n_loads, 4);
    CHECK_EQ(n_counted, 4);
    CHECK_EQ(n_failed[ST_AGAIN], 0);
    add_poll(4, "bitcoin=1");
    told.answers[0] = told.answers[1] = ST_AGAIN;
    told.answers[2] = ST_OK;
    told.next_answer = 0;
    CHECK_EQ(loader_catch_up(loader, &err), ST_AGAIN);
    CHECK_EQ(told.next_answer, 2);
    CHECK_OK(loader_catch_up(loader, &err), err);
    CHECK_EQ(told.n_loads, 5);
}

static void a_poll_that_the_sink_refuses_is_loaded_without_rows(void)
{
    for (int i = 0; i < 3; i++) {
        uint64_t end = add_poll(i, "bitcoin=1");
        if (i == 1)
            told.bad[0] = end;
    }
    CHECK_OK(loader_catch_up(loader, &err), err);
    CHECK_EQ(told.n_loads, 3);
    CHECK(told.loads[0].has_rows && !told.loads[1].has_rows && told.loads[2].has_rows);
    CHECK_Z(told.loads[1].error, "told to fail");
    CHECK_EQ(n_failed[ST_REJECT], 1);
    CHECK(metric_get(METRIC_SINK_ERRORS, "told:", "reject") == 1);
}

static void a_batch_that_is_refused_is_loaded_poll_by_poll(void)
{
    for (int i = 0; i < 4; i++)
        add_poll(i, "bitcoin=1");
    told.answers[2] = ST_REJECT; /* a poll of before may be meant */
    told.n_answers = 3;
    CHECK_OK(loader_catch_up(loader, &err), err);
    CHECK_EQ(told.n_loads, 4);
    for (size_t i = 0; i < 4; i++)
        CHECK(told.loads[i].has_rows);
    for (size_t i = 0; i < 3; i++)
        CHECK(told.loads[i].is_last);
    CHECK_EQ(n_counted, 4);
    CHECK_EQ(n_failed[ST_REJECT], 0);
}

static void polls_of_one_batch_may_be_refused_all(void)
{
    for (size_t i = 0; i < 6; i++) {
        uint64_t end = add_poll((int)i, "bitcoin=1");
        if (i > 0 && i < 5)
            told.bad[i - 1] = end;
    }
    CHECK_OK(loader_catch_up(loader, &err), err);
    CHECK_EQ(told.n_loads, 6);
    CHECK_EQ(n_failed[ST_REJECT], 4);
    for (size_t i = 0; i < 6; i++)
        CHECK_EQ(told.loads[i].has_rows, i == 0 || i == 5);
}

static void a_sink_that_refuses_even_the_record_is_fatal(void)
{
    add_poll(0, "bitcoin=1");
    told.answers[0] = told.answers[1] = ST_REJECT;
    told.n_answers = 2;
    CHECK_EQ(loader_catch_up(loader, &err), ST_FATAL);
}

static void a_fatal_sink_stops_the_loader(void)
{
    add_poll(0, "bitcoin=1");
    told.answers[0] = ST_FATAL;
    told.n_answers = 1;
    CHECK_EQ(loader_run(loader, &err), ST_FATAL);
    CHECK_EQ(n_failed[ST_FATAL], 1);
    CHECK_EQ(told.n_committed, 0);
    CHECK(metric_get(METRIC_SINK_UP, "told:", NULL) == 0);
}

static void a_forked_tape_is_fatal_and_nothing_is_skipped(void)
{
    add_poll(0, "bitcoin=1");
    uint64_t end = add_poll(1, "bitcoin=2");
    told.at = (struct position){.offset = end, .hash = 12345};
    CHECK_EQ(loader_catch_up(loader, &err), ST_FATAL);
    CHECK(strstr(err.msg, "tape forked") != NULL);
    told.at = (struct position){.offset = end + 100, .hash = 1};
    make_loader(8 << 20);
    CHECK_EQ(loader_catch_up(loader, &err), ST_FATAL);
    CHECK(strstr(err.msg, "tape forked") != NULL);
    CHECK_EQ(told.n_loads, 0);
}

/* Apply to each segment of the stream in order of name; n counts them. */
static size_t each_segment(void (*apply)(const char *path, size_t i))
{
    char stream[1024], path[2048];
    struct dirent **names;

    if (tape_stream_dir(dir, "markets-usd", stream, &err) != ST_OK)
        abort();
    int n = scandir(stream, &names, NULL, alphasort);
    size_t n_segments = 0;
    for (int i = 0; i < n; i++) {
        if (strstr(names[i]->d_name, ".jsonl.zst") != NULL) {
            snprintf(path, sizeof(path), "%s/%s", stream, names[i]->d_name);
            if (apply)
                apply(path, n_segments);
            n_segments++;
        }
        free(names[i]);
    }
    free(names);
    return n_segments;
}

static void remove_first(const char *path, size_t i)
{
    if (i == 0)
        unlink(path);
}

static void remove_two(const char *path, size_t i)
{
    if (i < 2)
        unlink(path);
}

static void earlier_polls_are_read_from_a_sealed_tape_or_are_gone(void)
{
    struct tape_seal_setup setup = {.level = 1};
    struct tape_sealed sealed;
    char stream[1024], after[64] = "";

    add_poll(0, "bitcoin=1 ripple=2");
    CHECK_OK(loader_catch_up(loader, &err), err);
    close_tape();
    CHECK_OK(open_tape(1), err); /* a segment for each record */
    add_poll(1, "bitcoin=1");
    CHECK_OK(tape_stream_dir(dir, "markets-usd", stream, &err), err);
    setup.dir = stream;
    CHECK_OK(tape_seal_next(&setup, after, &sealed, &err), err);
    CHECK_EQ(sealed.n_records, 2);
    make_loader(8 << 20); /* remembers nothing */
    CHECK_OK(loader_catch_up(loader, &err), err);
    CHECK_EQ(told.loads[1].n_unchanged, 1);
    CHECK_EQ(told.loads[1].n_absent, 1);
    /* all before the sink's own record has been removed */
    each_segment(remove_two);
    make_loader(8 << 20);
    add_poll(2, "bitcoin=1");
    CHECK_OK(loader_catch_up(loader, &err), err);
    CHECK_EQ(told.n_loads, 3);
    CHECK_EQ(told.loads[2].n_rows, 1);
    CHECK_EQ(told.loads[2].n_unchanged, 0);
    CHECK_EQ(told.loads[2].n_absent, 0);
}

static void a_sink_behind_the_oldest_record_needs_accept_gap(void)
{
    add_poll(0, "bitcoin=1");
    CHECK_OK(loader_catch_up(loader, &err), err);
    add_poll(1, "bitcoin=2");
    close_tape();
    CHECK_OK(open_tape(1), err); /* every record is too much for the segment */
    add_poll(2, "bitcoin=3");
    add_poll(3, "bitcoin=4");
    CHECK(each_segment(NULL) > 1);
    each_segment(remove_first);
    make_loader(8 << 20);
    CHECK_EQ(loader_catch_up(loader, &err), ST_FATAL);
    CHECK(strstr(err.msg, "bring back the segments") != NULL);
    CHECK(strstr(err.msg, "--accept-gap") != NULL);
    CHECK_EQ(told.n_loads, 1);
    accepts_gap = true;
    make_loader(8 << 20);
    told.answers[0] = ST_AGAIN; /* which makes it attach twice */
    told.n_answers = 1;
    CHECK_EQ(loader_catch_up(loader, &err), ST_AGAIN);
    CHECK_OK(loader_catch_up(loader, &err), err);
    CHECK_EQ(told.loads[1].old, 2);
    CHECK_EQ(told.loads[1].end, 6);
    CHECK_EQ(told.loads[told.n_loads - 1].end, 8);
    CHECK_EQ(loader_offset(loader, 0), 8);
    CHECK_EQ(n_failed[ST_REJECT], 1);
    CHECK(strstr(last_failure, "the oldest record kept is 5") != NULL);
}

/* Flip a byte in the middle of the first segment: of a body, that is. */
static void flip_middle(const char *path, size_t i)
{
    char byte;

    int fd = open(path, O_RDWR);
    off_t at = lseek(fd, 0, SEEK_END) / 2;
    if (i == 0 && pread(fd, &byte, 1, at) == 1) {
        byte ^= 0x55;
        if (pwrite(fd, &byte, 1, at) != 1)
            abort();
    }
    close(fd);
}

static void damage_is_counted_and_the_rest_is_loaded(void)
{
    char rows[4096] = "";

    for (int i = 0; i < 100; i++) /* a body that is most of the segment */
        snprintf(rows + strlen(rows), sizeof(rows) - strlen(rows), "%scoin%d-%d=%d.%d",
                 i > 0 ? " " : "", i * 7919 % 1000, i, i * 31 % 977, i * 17 % 89);
    add_poll(0, "bitcoin=1");
    add_poll(1, rows);
    add_poll(2, "bitcoin=3");
    each_segment(flip_middle);
    CHECK_OK(loader_catch_up(loader, &err), err);
    CHECK(told.n_loads >= 2);
    CHECK(told.loads[0].has_rows);
    CHECK(told.loads[told.n_loads - 1].has_rows);
    CHECK_EQ(told.loads[told.n_loads - 1].end, 6);
    bool is_known =
        told.n_loads == 2 || (!told.loads[1].has_rows && told.loads[1].error[0] != '\0');
    CHECK(is_known);
    CHECK_EQ(loader_offset(loader, 0), 6);
}

static void a_poll_that_is_too_large_loads_without_rows(void)
{
    char rows[4096] = "";

    for (int i = 0; i < 200; i++)
        snprintf(rows + strlen(rows), sizeof(rows) - strlen(rows), "%sc%d=1", i > 0 ? " " : "", i);
    make_loader(64 * 1024);
    add_poll(0, "bitcoin=1");
    add_poll(1, rows);
    add_poll(2, "bitcoin=2");
    CHECK_OK(loader_catch_up(loader, &err), err);
    CHECK_EQ(told.n_loads, 3);
    CHECK(told.loads[0].has_rows && !told.loads[1].has_rows && told.loads[2].has_rows);
    CHECK(told.loads[1].error[0] != '\0');
}

static void a_page_beyond_the_cap_loads_without_rows_too(void)
{
    struct buf body = BUF_INIT(256 * 1024);

    make_loader(64 * 1024);
    add_poll(0, "bitcoin=1");
    buf_addf(&body, "[%*s]", 100 * 1024, "");
    uint64_t page = add_page(T0 + 30 * US_PER_S, 1, buf_z(&body));
    buf_release(&body);
    add_end(T0 + 30 * US_PER_S, POLL_OK, &page, 1, 2);
    add_poll(2, "bitcoin=2");
    CHECK_OK(loader_catch_up(loader, &err), err);
    CHECK_EQ(told.n_loads, 3);
    CHECK(told.loads[0].has_rows && !told.loads[1].has_rows && told.loads[2].has_rows);
}

/* Memory runs short at each place once. */
static void a_tape_that_cannot_be_read_is_no_end_of_it(void)
{
    size_t n_again = 0;

    for (int i = 0; i < 3; i++)
        add_poll(i, "bitcoin=1");
    for (long nth = 1; nth < 60; nth++) {
        told = (struct told){.n_loads = 0};
        make_loader(8 << 20);
        mem_fail_nth(nth);
        enum st st = loader_open(loader, &err);
        if (st == ST_OK)
            st = loader_catch_up(loader, &err);
        mem_fail_nth(0);
        CHECK((st == ST_OK || st == ST_AGAIN));
        if (st == ST_OK)
            CHECK_EQ(told.n_committed, 3);
        n_again += st == ST_AGAIN;
        CHECK_OK(loader_catch_up(loader, &err), err);
        CHECK_EQ(told.n_committed, 3);
    }
    CHECK(n_again > 5);
}

static void memory_that_the_system_lacks_costs_no_rows(void)
{
    char rows[1024] = "";

    for (int i = 0; i < 30; i++)
        snprintf(rows + strlen(rows), sizeof(rows) - strlen(rows), "%sc%d=1", i > 0 ? " " : "", i);
    add_poll(0, rows);
    for (long nth = 1; nth < 40; nth++) {
        told = (struct told){.n_loads = 0};
        make_loader(160 * 1024);
        mem_fail_nth(nth);
        enum st st = loader_catch_up(loader, &err);
        mem_fail_nth(0);
        CHECK((st == ST_OK || st == ST_AGAIN));
        CHECK_OK(loader_catch_up(loader, &err), err);
        CHECK_EQ(told.n_loads, 1);
        CHECK_EQ(told.loads[0].n_rows, 30);
    }
}

static void a_steady_load_allocates_nothing_that_stays(void)
{
    unsigned long n[12];
    char rows[2][8192] = {"", ""};

    for (int i = 0; i < 200; i++)
        for (int k = 0; k < 2; k++)
            snprintf(rows[k] + strlen(rows[k]), sizeof(rows[k]) - strlen(rows[k]), "%scoin-%d=%d",
                     i > 0 ? " " : "", i, i + k);
    for (int i = 0; i < 12; i++) {
        add_poll(i, rows[i % 2]);
        unsigned long before = mem_count();
        CHECK_OK(loader_catch_up(loader, &err), err);
        n[i] = mem_count() - before;
    }
    CHECK_EQ(told.n_loads, 12);
    printf("# %lu allocations for each poll\n", n[11]);
    for (int i = 7; i < 12; i++)
        CHECK_EQ(n[i], n[6]);
}

static void *run_loader(void *result)
{
    struct err why = ERR_INIT;
    *(enum st *)result = loader_run(loader, &why);
    return NULL;
}

static void runs_until_it_is_stopped_and_waits_for_sinks(void)
{
    enum st st = ST_FATAL;
    pthread_t thread;

    told.open_answer = ST_AGAIN;
    add_poll(0, "bitcoin=1");
    CHECK_EQ(pthread_create(&thread, NULL, run_loader, &st), 0);
    for (int i = 0; i < 500 && loader_offset(loader, 0) < 2; i++)
        usleep(10 * 1000);
    add_poll(1, "bitcoin=2");
    for (int i = 0; i < 500 && loader_offset(loader, 0) < 4; i++)
        usleep(1000);
    uint64_t offset = loader_offset(loader, 0);
    loader_stop(loader);
    tape_head_wake(tape_writer_head(writer));
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(st, ST_OK);
    CHECK_EQ(offset, 4);
    CHECK_EQ(told.n_opened, 2);
    CHECK_EQ(n_failed[ST_AGAIN], 1);
    CHECK_EQ(n_recovered, 1);
    CHECK(metric_get(METRIC_SINK_UP, "told:", NULL) == 1);
}

#define CASES(X)                                                        \
    X(loads_every_poll_once_in_order)                                   \
    X(a_batch_ends_at_the_head_and_at_its_limit)                        \
    X(a_batch_is_over_soon_where_a_sink_is_slow)                        \
    X(an_empty_tape_is_fine)                                            \
    X(marks_unchanged_and_absent_also_after_a_restart)                  \
    X(earlier_polls_are_read_from_a_sealed_tape_or_are_gone)            \
    X(absences_look_behind_partial_polls)                               \
    X(failed_polls_and_refused_bodies_load_without_rows)                \
    X(a_sink_that_fails_is_asked_again_from_its_position)               \
    X(a_sink_that_is_overtaken_is_asked_again_at_once_but_not_for_ever) \
    X(a_poll_that_the_sink_refuses_is_loaded_without_rows)              \
    X(a_batch_that_is_refused_is_loaded_poll_by_poll)                   \
    X(polls_of_one_batch_may_be_refused_all)                            \
    X(a_sink_that_refuses_even_the_record_is_fatal)                     \
    X(a_fatal_sink_stops_the_loader)                                    \
    X(a_forked_tape_is_fatal_and_nothing_is_skipped)                    \
    X(a_sink_behind_the_oldest_record_needs_accept_gap)                 \
    X(damage_is_counted_and_the_rest_is_loaded)                         \
    X(a_poll_that_is_too_large_loads_without_rows)                      \
    X(a_page_beyond_the_cap_loads_without_rows_too)                     \
    X(a_tape_that_cannot_be_read_is_no_end_of_it)                       \
    X(memory_that_the_system_lacks_costs_no_rows)                       \
    X(a_steady_load_allocates_nothing_that_stays)                       \
    X(runs_until_it_is_stopped_and_waits_for_sinks)

#define CASE(function)            \
    static void function##_(void) \
    {                             \
        begin();                  \
        function();               \
        finish();                 \
    }
CASES(CASE)

#define ROW(function) {#function, function##_},
int main(void)
{
    static const struct tap_case cases[] = {CASES(ROW)};
    return tap_run(cases, sizeof(cases) / sizeof(cases[0]));
}
