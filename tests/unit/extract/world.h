/* An extractor with a tape of its own and a scripted server, and what is on the tape afterwards.
 *
 *     prepare(SCRIPT({.answer = GOOD})); … change w.setup and w.job …
 *     begin(); poll_once(0, BUDGET_US); end();
 *     … w.outcome, w.seen[0 … w.n_seen - 1] …
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_EXTRACT_WORLD_H
#define TESTS_EXTRACT_WORLD_H

#include "base/metric.h"
#include "extract/extract.h"
#include "http_script.h"
#include "tap.h"
#include "tape/reader.h"

#include <dirent.h>
#include <sys/stat.h>

#define OK_HEAD   "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nServer: x\r\n"
#define GOOD_BODY "[{\"id\":\"bitcoin\",\"image\":\"\"}]"
#define GOOD      OK_HEAD "Content-Length: 29\r\n\r\n" GOOD_BODY
#define BROKEN    "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops"
#define BUDGET_US (20 * US_PER_S)
#define MAX_SEEN  512

/* A record as read back. */
struct seen {
    struct tape_record r;
    uint64_t pages[TAPE_MAX_PAGES / 8];
    char text[512]; /* page: the body's beginning; end: the error */
    char target[256], headers[512];
};

static struct world {
    char dir[64];
    struct http_script server;
    struct tape *tape;
    struct tape_writer *writer;
    struct extract_job job;
    struct extract_setup setup;
    struct extract *extract;
    enum poll_outcome outcome;
    enum st st;
    int64_t took_us;
    int n_ended;
    struct seen seen[MAX_SEEN];
    size_t n_seen;
} w;
static struct err err;

static void poll_ended(void *ctx, const struct extract_job *job, const struct tape_record *end)
{
    (void)job;
    if (end->offset == tape_head_get(tape_writer_head(w.writer)))
        ++*(int *)ctx;
}

static inline void open_tape(void)
{
    struct tape_writer_setup setup = {
        .tape = w.tape,
        .clock = clock_system(),
        .id = w.job.id,
        .segment_span_us = 3600 * US_PER_S,
        .segment_max_bytes = 1 << 30,
    };
    struct tape_recovery recovery;

    if (tape_open(w.dir, &w.tape, &err) != ST_OK)
        abort();
    setup.tape = w.tape;
    if (tape_writer_open(&setup, &w.writer, &recovery, &err) != ST_OK)
        abort();
    w.job.writer = w.writer;
}

/* A data directory, a job of the top 1, a server with this script; change w.setup and w.job, then
 * begin(). */
static inline void prepare(const struct http_step *steps, size_t n_steps)
{
    memset(&w, 0, sizeof(w));
    err = (struct err)ERR_INIT;
    snprintf(w.dir, sizeof(w.dir), "/tmp/geckotape-test-XXXXXX");
    if (mkdtemp(w.dir) == NULL)
        abort();
    metric_reset();
    w.job = (struct extract_job){
        .id = {.job = "markets-usd",
               .endpoint = "coins/markets",
               .vs_currency = "usd",
               .selection = "top=1"},
        .selection = {.top = 1},
        .grid = {.every_us = 30 * US_PER_S},
    };
    open_tape();
    w.setup = (struct extract_setup){
        .api = {.calls_per_minute = 60000,
                .connect_timeout_us = US_PER_S,
                .stall_timeout_us = US_PER_S,
                .total_timeout_us = 5 * US_PER_S,
                .max_attempts = 3},
        .jobs = &w.job,
        .n_jobs = 1,
        .clock = clock_system(),
        .events = {.ctx = &w.n_ended, .poll_ended = poll_ended},
        .random_seed = 28571, /* its first delays are of a few ms */
    };
    if (n_steps > 0)
        http_script_start(&w.server, steps, n_steps);
    snprintf(w.setup.api.base_url, sizeof(w.setup.api.base_url), "%s/api/v3",
             n_steps > 0 ? w.server.url : "http://127.0.0.1:1");
}

static inline void begin(void)
{
    if (extract_new(&w.setup, &w.extract, &err) != ST_OK)
        abort();
}

static inline void poll_once(int64_t slot_us, int64_t budget_us)
{
    int64_t start_us = clock_mono_us(clock_system());

    w.st = extract_once(w.extract, 0, slot_us, budget_us, &w.outcome, &err);
    w.took_us = clock_mono_us(clock_system()) - start_us;
}

static void read_tape(void)
{
    char dir[1024];
    struct tape_reader *reader;
    struct arena arena;
    struct tape_record r;

    arena_init(&arena, 64 << 20);
    if (tape_stream_dir(w.dir, "markets-usd", dir, &err) != ST_OK ||
        tape_reader_open(dir, &reader, &err) != ST_OK)
        abort();
    for (w.n_seen = 0;
         w.n_seen < MAX_SEEN && tape_reader_next(reader, UINT64_MAX, &r, &err) == ST_OK;
         w.n_seen++) {
        struct seen *s = &w.seen[w.n_seen];
        struct str text = r.error;
        arena_reset(&arena);
        if (r.type == TAPE_PAGE && tape_reader_body(reader, &r, &arena, &text, &err) != ST_OK)
            abort();
        s->r = r;
        for (uint32_t i = 0; i < r.n_pages && i < TAPE_MAX_PAGES / 8; i++)
            s->pages[i] = r.pages[i];
        snprintf(s->text, sizeof(s->text), "%.*s", STR_ARG(text));
        snprintf(s->target, sizeof(s->target), "%.*s", STR_ARG(r.target));
        snprintf(s->headers, sizeof(s->headers), "%.*s", STR_ARG(r.headers));
    }
    tape_reader_close(reader);
    arena_release(&arena);
}

static void remove_tree(const char *path)
{
    DIR *d = opendir(path);
    char name[1024];

    for (const struct dirent *e; d && (e = readdir(d)) != NULL;) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
        if (e->d_type == DT_DIR)
            remove_tree(name);
        else
            unlink(name);
    }
    if (d)
        closedir(d);
    rmdir(path);
}

/* Stop everything and read the tape into w.seen. */
static inline void end(void)
{
    extract_free(w.extract);
    w.extract = NULL;
    tape_writer_close(w.writer);
    tape_close(w.tape);
    if (w.server.n_steps > 0)
        http_script_stop(&w.server);
    read_tape();
    remove_tree(w.dir);
}

#define SCRIPT(...)                          \
    (const struct http_step[]){__VA_ARGS__}, \
        sizeof((const struct http_step[]){__VA_ARGS__}) / sizeof(struct http_step)

static inline const struct seen *last(void)
{
    return &w.seen[w.n_seen > 0 ? w.n_seen - 1 : 0];
}

static void *run_extract(void *ctx)
{
    *(enum st *)ctx = extract_run(w.extract, &err);
    return NULL;
}

/* extract_run() for so long in a thread of its own. */
static inline enum st run_for(int64_t us)
{
    enum st st = ST_FATAL;
    pthread_t thread;

    begin();
    pthread_create(&thread, NULL, run_extract, &st);
    usleep((useconds_t)us);
    extract_stop(w.extract);
    pthread_join(thread, NULL);
    extract_free(w.extract);
    w.extract = NULL;
    return st;
}

/* Wait until it is true, at most 20 s. */
#define AWAIT(condition)                                  \
    do {                                                  \
        for (int i_ = 0; i_ < 4000 && !(condition); i_++) \
            usleep(5000);                                 \
        CHECK(condition);                                 \
    } while (0)

#endif
