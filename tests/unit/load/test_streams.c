/* A loader of several streams, which come while it runs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "load/known.h"
#include "load/loader.h"
#include "tap.h"

#include <pthread.h>
#include <unistd.h>

#define T0        INT64_C(1795444200000000) /* 2026-11-23T14:30:00Z */
#define N_STREAMS 8
#define N_POLLS   5

static char dir[64];
static struct tape *tape;
static struct tape_writer *writers[N_STREAMS];
static struct err err;

static enum st make_stream(int i, struct loader_stream *ret_stream)
{
    struct tape_writer_setup setup = {.tape = tape,
                                      .clock = clock_system(),
                                      .id = {.endpoint = "coins/markets", .selection = "top=1"},
                                      .segment_span_us = 3600 * US_PER_S,
                                      .segment_max_bytes = 1 << 20};
    struct tape_recovery recovery;

    snprintf(setup.id.job, sizeof(setup.id.job), "job%d", i);
    snprintf(setup.id.vs_currency, sizeof(setup.id.vs_currency), "c%d", i);
    enum st st = tape_writer_open(&setup, &writers[i], &recovery, &err);
    if (st != ST_OK)
        return st;
    *ret_stream = (struct loader_stream){.head = tape_writer_head(writers[i])};
    snprintf(ret_stream->job, sizeof(ret_stream->job), "job%d", i);
    return tape_stream_dir(dir, setup.id.job, ret_stream->dir, &err);
}

static void add_poll(int i, int slot)
{
    static const char body[] = "[{\"id\":\"bitcoin\",\"symbol\":\"btc\",\"name\":\"Bitcoin\"}]";
    uint64_t page = 0, end = 0;
    int64_t slot_us = T0 + slot * 30 * US_PER_S;
    struct tape_record record = {.slot_us = slot_us,
                                 .is_json = true,
                                 .page = 1,
                                 .attempt = 1,
                                 .fetched_at_us = slot_us,
                                 .status = 200},
                       last = {.slot_us = slot_us,
                               .fetched_at_us = slot_us,
                               .outcome = POLL_OK,
                               .pages = &page,
                               .n_pages = 1};

    if (tape_append_page(writers[i], &record, str_of(body), &page, &err) != ST_OK ||
        tape_append_end(writers[i], &last, &end, &err) != ST_OK)
        abort();
}

static void *run(void *loader)
{
    struct err why = ERR_INIT;
    err_ignore(loader_run(loader, &why));
    return NULL;
}

static void wait_until_loaded(struct loader *l, size_t stream, uint64_t offset)
{
    for (int i = 0; i < 3000 && loader_offset(l, stream) < offset; i++)
        usleep(10 * 1000);
}

static void streams_are_added_while_it_runs(void)
{
    struct loader_stream streams[N_STREAMS];
    struct sink_url url;
    pthread_t thread;

    CHECK_OK(tape_open(dir, &tape, &err), err);
    CHECK_OK(sink_url_parse(STR("memory:streams"), &url, &err), err);
    CHECK_OK(make_stream(0, &streams[0]), err);
    struct loader *l = loader_new(&(struct loader_setup){
        .url = &url, .streams = streams, .n_streams = 1, .tape = tape, .clock = clock_system()});
    CHECK_EQ(pthread_create(&thread, NULL, run, l), 0);
    for (int i = 0; i < N_STREAMS; i++) {
        if (i > 0) {
            CHECK_OK(make_stream(i, &streams[i]), err);
            CHECK_OK(loader_add_stream(l, &streams[i], &err), err);
        }
        for (int k = 0; k < N_POLLS; k++)
            add_poll(i, k);
    }
    for (size_t i = 0; i < N_STREAMS; i++) {
        wait_until_loaded(l, i, 2 * (uint64_t)N_POLLS);
        CHECK_EQ(loader_offset(l, i), 2 * N_POLLS);
    }
    CHECK_EQ(loader_offset(l, N_STREAMS), 0);
    CHECK_OK(loader_note(l, dir, &err), err);
    loader_stop(l);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    loader_free(l);
    char uuid[SINK_UUID_TEXT], holder[64];
    uint64_t below;
    sink_uuid_text(tape_writer_stream(writers[3]), uuid);
    CHECK_OK(known_below(dir, uuid, &below, holder, sizeof(holder), &err), err);
    CHECK_EQ(below, 2 * N_POLLS);
    CHECK_Z(holder, "memory:streams");
}

static void beyond_the_limit_they_are_refused(void)
{
    struct loader_stream stream = {.job = "job", .dir = "/nowhere"};
    struct sink_url url;

    CHECK_OK(sink_url_parse(STR("null:"), &url, &err), err);
    struct loader *l = loader_new(&(struct loader_setup){.url = &url, .clock = clock_system()});
    for (int i = 0; i < LOADER_MAX_STREAMS; i++)
        CHECK_OK(loader_add_stream(l, &stream, &err), err);
    CHECK_EQ(loader_add_stream(l, &stream, &err), ST_REJECT);
    CHECK(strstr(err.msg, "256 streams") != NULL);
    loader_free(l);
}

int main(void)
{
    static const struct tap_case cases[] = {TAP_CASE(streams_are_added_while_it_runs),
                                            TAP_CASE(beyond_the_limit_they_are_refused)};
    char command[128];

    snprintf(dir, sizeof(dir), "/tmp/streams-test-XXXXXX");
    if (mkdtemp(dir) == NULL)
        abort();
    int code = tap_run(cases, 2);
    for (int i = 0; i < N_STREAMS; i++)
        tape_writer_close(writers[i]);
    tape_close(tape);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command) == 0 ? code : EXIT_FAILURE;
}
