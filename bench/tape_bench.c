/* What sealing makes of the tape: how small, at what CPU, and what its readers need.
 *
 *     tape_bench          polls of a made-up market, and of real captures where there are some:
 *                         GECKOTAPE_CAPTURES, else ../shared/captures
 *     tape_bench --read DIR | --open DIR | --seal DIR     (of its own) read the bodies of a stream,
 *                         or read it without them, or seal its first segment
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/file.h"
#include "base/mem.h"
#include "serve/json.h"
#include "sim/market.h"
#include "tape/reader.h"
#include "tape/upkeep.h"
#include "tape/writer.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define T0        INT64_C(1795435200000000) /* 2026-11-23T12:00:00Z */
#define HOUR_US   (3600 * US_PER_S)
#define PAGE_ROWS 250
#define JOB       "bench"

static char data_dir[64];

static _Noreturn void die(const char *why)
{
    fprintf(stderr, "tape_bench: %s\n", why);
    exit(EXIT_FAILURE);
}

static void must(enum st st, const struct err *err)
{
    if (st != ST_OK)
        die(err->msg);
}

/* ---- a clock that the bench moves ---- */

static int64_t now_us;

static int64_t get_now(struct clock *c)
{
    (void)c;
    return now_us;
}

static struct clock bench_clock = {.wall_us = get_now, .mono_us = get_now};

static double cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- polls ---- */

struct feed {
    const char *name, *goal;
    int64_t step_us;
    int n_polls;
    struct market *market; /* NULL: the files */
    glob_t files;
    bool is_shown_per_hour;
};

struct writing {
    struct tape_writer *writer;
    int64_t slot_us;
    uint64_t pages[TAPE_MAX_PAGES];
    uint32_t n_pages;
};

static void put_page(struct writing *w, struct str body)
{
    struct tape_record r = {
        .is_json = true,
        .slot_us = w->slot_us,
        .page = w->n_pages + 1,
        .attempt = 1,
        .fetched_at_us = now_us,
        .status = 200,
        .target = STR("/api/v3/coins/markets?vs_currency=usd&order=market_cap_desc&per_page=250"),
        .headers = STR("date: Mon, 23 Nov 2026 12:00:00 GMT\nage: 3\ncache-control: max-age=30\n"),
    };
    struct err err = ERR_INIT;

    must(tape_append_page(w->writer, &r, body, &w->pages[w->n_pages++], &err), &err);
}

static void add_row(struct buf *b, const struct cell *row)
{
    buf_add_char(b, '{');
    for (size_t i = 0; i <= MARKET_LAST_UPDATED; i++) {
        if (i == MARKET_ROI_TIMES)
            buf_add_z(b, ",\"roi\":null");
        if (market_table.columns[i].json_key == NULL)
            continue;
        json_add_key(b, market_table.columns[i].json_key);
        cell_add_json(b, &row[i]);
    }
    buf_add_char(b, '}');
}

static void put_market(struct writing *w, struct market *market)
{
    const struct market_query args = {
        .vs_currency = STR("usd"), .order = ORDER_MARKET_CAP_DESC, .per_page = 0, .page = 1};
    struct query *q = market_query(market);
    struct buf body = BUF_INIT(1024 * 1024);
    struct arena arena;
    struct rows rows;
    struct err err = ERR_INIT;

    arena_init(&arena, (size_t)256 << 20);
    must(q->driver->market(q, &args, &arena, &rows, &err), &err);
    for (size_t i = 0; i < rows.n; i++) {
        buf_add_char(&body, i % PAGE_ROWS == 0 ? '[' : ',');
        add_row(&body, rows_at(&rows, i));
        if (i % PAGE_ROWS == PAGE_ROWS - 1 || i + 1 == rows.n) {
            buf_add_char(&body, ']');
            put_page(w, buf_str(&body));
            buf_clear(&body);
        }
    }
    buf_release(&body);
    arena_release(&arena);
}

static void put_file(struct writing *w, const char *path)
{
    struct buf body = BUF_INIT(TAPE_MAX_BODY);
    struct err err = ERR_INIT;

    must(file_read(path, &body, &err), &err);
    put_page(w, str_trim(buf_str(&body)));
    buf_release(&body);
}

static void write_tape(const struct feed *feed)
{
    const struct stream_id id = {
        .job = JOB, .endpoint = "coins/markets", .vs_currency = "usd", .selection = "bench"};
    struct writing w = {.slot_us = T0};
    struct tape_recovery recovery;
    struct tape *tape;
    struct err err = ERR_INIT;
    uint64_t offset;

    now_us = T0;
    must(tape_open(data_dir, &tape, &err), &err);
    const struct tape_writer_setup setup = {.tape = tape,
                                            .clock = &bench_clock,
                                            .id = id,
                                            .segment_span_us = 24 * HOUR_US,
                                            .segment_max_bytes = UINT64_C(1) << 40};
    must(tape_writer_open(&setup, &w.writer, &recovery, &err), &err);
    for (int i = 0; i <= feed->n_polls; i++) {
        w.n_pages = 0;
        w.slot_us = now_us;
        if (i == feed->n_polls) /* begins another segment: the first one is closed */
            w.slot_us = now_us += 48 * HOUR_US;
        else if (feed->market)
            put_market(&w, feed->market);
        else
            put_file(&w, feed->files.gl_pathv[i]);
        struct tape_record end = {.slot_us = w.slot_us,
                                  .fetched_at_us = now_us,
                                  .outcome = w.n_pages ? POLL_OK : POLL_FAILED,
                                  .started_us = w.slot_us,
                                  .pages = w.pages,
                                  .n_pages = w.n_pages,
                                  .attempts = w.n_pages};
        must(tape_append_end(w.writer, &end, &offset, &err), &err);
        now_us += feed->step_us;
    }
    tape_writer_close(w.writer);
    tape_close(tape);
}

/* ---- readers and sealing, in processes of their own, so that their memory can be told ---- */

static void read_stream(const char *dir, bool has_bodies)
{
    struct tape_reader *reader;
    struct tape_record record;
    struct arena arena;
    struct err err = ERR_INIT;
    struct str body;
    enum st st;

    arena_init(&arena, (size_t)64 << 20);
    must(tape_reader_open(dir, &reader, &err), &err);
    while ((st = tape_reader_next(reader, UINT64_MAX, &record, &err)) == ST_OK) {
        arena_reset(&arena);
        /* the body's own room is the caller's, and the same for both */
        if (record.type == TAPE_PAGE && !has_bodies)
            memset(arena_alloc(&arena, record.body_len + 1, 1), 1, record.body_len + 1);
        else if (record.type == TAPE_PAGE)
            must(tape_reader_body(reader, &record, &arena, &body, &err), &err);
    }
    if (st != ST_AGAIN || err.sys != 0)
        die(err.msg);
    tape_reader_close(reader);
    arena_release(&arena);
}

static void seal_stream(const char *dir)
{
    const struct tape_seal_setup setup = {.dir = dir};
    struct tape_sealed sealed;
    struct err err = ERR_INIT;
    char after[64] = "";

    must(tape_seal_next(&setup, after, &sealed, &err), &err);
    printf("%llu %llu %llu\n", (unsigned long long)sealed.bytes_raw,
           (unsigned long long)sealed.bytes_before, (unsigned long long)sealed.bytes_after);
}

static int run_part(const char *option, const char *dir)
{
    char line[256];
    long peak_kb = 0;

    if (strcmp(option, "--seal") == 0)
        seal_stream(dir);
    else
        read_stream(dir, strcmp(option, "--read") == 0);
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof(line), status))
        if (strncmp(line, "VmHWM:", 6) == 0)
            peak_kb = strtol(line + 6, NULL, 10);
    if (status)
        fclose(status);
    printf("%ld %.6f\n", peak_kb, cpu_s());
    return EXIT_SUCCESS;
}

struct cost {
    double raw, before, after; /* bytes; of sealing only */
    double peak_mb, cpu_s;
};

static struct cost run(const char *option, const char *dir)
{
    char self[FILE_MAX_PATH], command[3 * FILE_MAX_PATH];
    struct cost c = {.raw = 0};

    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n < 0)
        die("/proc is needed");
    self[n] = '\0';
    snprintf(command, sizeof(command), "'%s' %s '%s'", self, option, dir);
    FILE *out = popen(command, "r");
    if (out == NULL)
        die(command);
    if (strcmp(option, "--seal") == 0 &&
        fscanf(out, "%lf %lf %lf", &c.raw, &c.before, &c.after) != 3)
        die(command);
    if (fscanf(out, "%lf %lf", &c.peak_mb, &c.cpu_s) != 2 || pclose(out) != 0)
        die(command);
    c.peak_mb /= 1024;
    return c;
}

/* ---- a line of the report ---- */

static void bench(const struct feed *feed)
{
    struct err err = ERR_INIT;
    char dir[FILE_MAX_PATH], command[FILE_MAX_PATH];

    snprintf(data_dir, sizeof(data_dir), "/tmp/geckotape-bench-XXXXXX");
    if (mkdtemp(data_dir) == NULL)
        die("no directory in /tmp");
    write_tape(feed);
    must(tape_stream_dir(data_dir, JOB, dir, &err), &err);
    struct cost seal = run("--seal", dir), open = run("--open", dir), read = run("--read", dir);
    printf("tape, %s: open 1/%.1f, sealed 1/%.1f%s; ", feed->name, seal.raw / seal.before,
           seal.raw / seal.after, feed->goal);
    if (feed->is_shown_per_hour)
        printf("%.2f s CPU to seal an hour, ",
               seal.cpu_s * (double)HOUR_US / (double)feed->step_us / feed->n_polls);
    printf("%.0f MB to seal; bodies read at %.0f MB/s with %.1f MB\n", seal.peak_mb - open.peak_mb,
           seal.raw / 1e6 / read.cpu_s, read.peak_mb - open.peak_mb);
    fflush(stdout);
    snprintf(command, sizeof(command), "rm -r '%s'", data_dir);
    if (system(command) != 0)
        die(command);
}

static void bench_market(const char *name, uint32_t n_coins, int n_polls, const char *goal)
{
    const struct market_setup setup = {
        .n_coins = n_coins, .seed = 1, .speed = 1, .clock = &bench_clock};
    struct feed feed = {.name = name,
                        .goal = goal,
                        .step_us = 30 * US_PER_S,
                        .n_polls = n_polls,
                        .is_shown_per_hour = true};

    now_us = T0;
    feed.market = market_new(&setup);
    bench(&feed);
    market_free(feed.market);
}

static void bench_captures(void)
{
    const char *from = getenv("GECKOTAPE_CAPTURES");
    char pattern[FILE_MAX_PATH];
    struct feed feed = {.name = "100 real coins, months apart",
                        .goal = " (a lower bound)",
                        .step_us = 60 * US_PER_S};

    snprintf(pattern, sizeof(pattern), "%s/markets/madjin_*.json",
             from ? from : "../shared/captures");
    if (glob(pattern, 0, NULL, &feed.files) != 0) {
        printf("tape, real captures: skipped, there are none in %s\n", pattern);
        return;
    }
    feed.n_polls = (int)feed.files.gl_pathc;
    bench(&feed);
    globfree(&feed.files);
}

int main(int argc, char **argv)
{
    if (argc == 3)
        return run_part(argv[1], argv[2]);
    bench_market("250 coins, 30 s apart", 250, 120, " (goal 15)");
    bench_market("500 coins on 2 pages, 30 s apart", 500, 120, "");
    bench_market("2,000 coins, 30 s apart", 2000, 60, "");
    bench_market("17,000 coins, 30 s apart", 17000, 40, " (goal 12)");
    bench_captures();
    return EXIT_SUCCESS;
}
