/* Files onto a tape, and what is on it then. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "import/import.h"

#include "base/file.h"
#include "base/json.h"
#include "row/market.h"
#include "tap.h"
#include "tape/reader.h"
#include "transform/drift.h"
#include "transform/transform.h"

#include <fcntl.h>
#include <ftw.h>
#include <unistd.h>

#define DAY_1 "2024-01-01T00:00:00Z"
#define DAY_2 "2024-01-02T00:00:00Z"
#define COIN  "\"symbol\":\"s\",\"name\":\"n\""

#define ZEROS "000000000000000000000000000000000000000000000000000000000000"

struct fixture {
    char dir[64];
    char source[128];
    struct import_setup setup;
    struct import_result result;
    struct buf told; /* skips and notes, a line each */
    struct err err, reading;
};

static void tell_skip(void *ctx, enum import_skip why, const char *text)
{
    struct fixture *f = ctx;
    (void)why;
    buf_addf(&f->told, "%s\n", text);
}

static void tell_note(void *ctx, const char *text)
{
    tell_skip(ctx, IMPORT_ON_TAPE, text);
}

static void start(struct fixture *f, enum import_kind kind, const char *text)
{
    *f = (struct fixture){.dir = "/tmp/import-XXXXXX", .told = BUF_INIT(1 << 20), .err = ERR_INIT};
    if (mkdtemp(f->dir) == NULL)
        abort();
    snprintf(f->source, sizeof(f->source), "%s/source", f->dir);
    int fd = open(f->source, O_WRONLY | O_CREAT, 0644);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || close(fd) != 0)
        abort();
    f->setup = (struct import_setup){
        .source = f->source,
        .kind = kind,
        .name = "x",
        .vs_currency = "usd",
        .data_dir = f->dir,
        .clock = clock_system(),
        .ctx = f,
        .skipped = tell_skip,
        .note = tell_note,
    };
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void stop(struct fixture *f)
{
    nftw(f->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    buf_release(&f->told);
}

static enum st import(struct fixture *f)
{
    struct tape *tape;

    buf_clear(&f->told);
    enum st st = tape_open(f->dir, &tape, &f->err);
    if (st != ST_OK)
        return st;
    f->setup.tape = tape;
    st = import_run(&f->setup, &f->result, &f->err);
    tape_close(tape);
    return st;
}

/* "2024-01-01T00:00:00Z [body] [body]\n" for each poll; nothing the transform would refuse. */
static void read_tape(struct fixture *f, struct buf *ret_text)
{
    static struct poll_page pages[16];
    struct json *json = json_new();
    struct tape_reader *reader;
    struct tape_record r;
    struct arena arena;
    char dir[FILE_MAX_PATH], time[TIME_TEXT];
    size_t n = 0;

    arena_init(&arena, (size_t)256 << 20);
    if (tape_stream_dir(f->dir, "import-x", dir, &f->reading) != ST_OK ||
        tape_reader_open(dir, &reader, &f->reading) != ST_OK)
        abort();
    while (tape_reader_next(reader, UINT64_MAX, &r, &f->reading) == ST_OK) {
        if (r.type == TAPE_PAGE) {
            pages[n].record = r;
            if (tape_reader_body(reader, &r, &arena, &pages[n].body, &f->reading) != ST_OK)
                abort();
            pages[n].body = json_pad(&arena, pages[n].body);
            n++;
            continue;
        }
        struct transform_input in = {.end = &r, .pages = pages, .n_pages = n};
        struct poll_rows rows;
        enum st st = transform_poll(&in, json, &arena, &rows, &f->reading);
        time_format(r.slot_us, time);
        buf_addf(ret_text, "%s", time);
        for (size_t i = 0; i < n && pages[i].body.len < 4096; i++)
            buf_addf(ret_text, " %.*s", STR_ARG(pages[i].body));
        if (st != ST_OK)
            buf_addf(ret_text, " refused: %s", f->reading.msg);
        else if (rows.n_refusals > 0)
            buf_addf(ret_text, " %zu of %u refused", rows.n_refusals, rows.rows_in);
        for (size_t i = 0; st == ST_OK && rows.n_refusals == 0 && i < rows.n_drifts; i++)
            if (rows.drifts[i].kind == DRIFT_NEW)
                buf_addf(ret_text, " unknown: %.*s", STR_ARG(rows.drifts[i].field));
        if (r.outcome != POLL_OK)
            buf_addf(ret_text, " %s", poll_outcome_name(r.outcome));
        buf_add_char(ret_text, '\n');
        n = 0;
    }
    tape_reader_close(reader);
    arena_release(&arena);
    json_free(json);
}

struct row {
    const char *source;
    const char *tape; /* what read_tape() gives */
    const char *told; /* a part of the reports; NULL: there are none */
};

static void check_rows(enum import_kind kind, const char *map, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct buf text = BUF_INIT(1 << 20);
        struct fixture f;
        start(&f, kind, rows[i].source);
        f.setup.map = map;
        enum st st = import(&f);
        read_tape(&f, &text);
        bool is_told = rows[i].told ? strstr(buf_z(&f.told), rows[i].told) != NULL ||
                                          (st != ST_OK && strstr(f.err.msg, rows[i].told))
                                    : f.told.len == 0 && st == ST_OK;
        bool is_same = strcmp(buf_z(&text), rows[i].tape) == 0;
        if (!is_told || !is_same)
            printf("# source: %s\n# tape: %s\n# want: %s\n# told: %s\n# err: %s\n", rows[i].source,
                   buf_z(&text), rows[i].tape, buf_z(&f.told), st == ST_OK ? "" : f.err.msg);
        stop(&f);
        buf_release(&text);
        CHECK(is_told && is_same);
    }
}

static void csv_rows_become_polls(void)
{
    static const struct row rows[] = {
        {"time,id,symbol,name,current_price\n2024-01-01,bitcoin,btc,Bitcoin,42000.10\n",
         DAY_1 " [{\"id\":\"bitcoin\",\"symbol\":\"btc\",\"name\":\"Bitcoin\",\"current_price\":"
               "42000.10}]\n",
         NULL},
        /* rows of one time are one poll, also when they do not follow each other; times are sorted;
         * names are made where there are none; CRLF; no newline at the end; byte order mark */
        {"\xEF\xBB\xBFtimestamp,ID,price\r\n1704153600,a,1\r\n1704067200,a,2\r\n1704153600,b,3",
         DAY_1 " [{\"id\":\"a\",\"symbol\":\"\",\"name\":\"a\",\"current_price\":2}]\n" DAY_2
               " [{\"id\":\"a\",\"symbol\":\"\",\"name\":\"a\",\"current_price\":1},"
               "{\"id\":\"b\",\"symbol\":\"\",\"name\":\"b\",\"current_price\":3}]\n",
         NULL},
        /* quotes, separators and newlines in fields; an empty field is null */
        {"date,id,name,market_cap,price\n2024-01-01,a,\"x, \"\"y\"\"\nz\",,\"7\"\n",
         DAY_1 " [{\"id\":\"a\",\"symbol\":\"\",\"name\":\"x, \\\"y\\\"\\nz\",\"current_price\":7,"
               "\"market_cap\":null}]\n",
         NULL},
        /* digits stay as they are; what JSON does not allow is mended without touching them */
        {"time,id,price,ath,atl,high_24h,low_24h,total_supply\n"
         "2024-01-01,a,0.123456789012345678901234567890,1e-7,.5,+3.10,-.25,7.\n",
         DAY_1 " [{\"id\":\"a\",\"symbol\":\"\",\"name\":\"a\",\"current_price\":"
               "0.123456789012345678901234567890,\"high_24h\":3.10,\"low_24h\":-0.25,"
               "\"total_supply\":7,\"ath\":1e-7,\"atl\":0.5}]\n",
         NULL},
        {"time;id;price\n2024-01-01;a;NaN\n",
         DAY_1 " [{\"id\":\"a\",\"symbol\":\"\",\"name\":\"a\",\"current_price\":null}]\n", NULL},
        {"time,id,price,roi_times,roi_currency,roi_percentage\n2024-01-01,a,1,2.5,btc,\n",
         DAY_1 " [{\"id\":\"a\",\"symbol\":\"\",\"name\":\"a\",\"current_price\":1,\"roi\":"
               "{\"times\":2.5,\"currency\":\"btc\"}}]\n",
         NULL},
        /* no number: the transform shall refuse it, by name */
        {"time,id,price\n2024-01-01,a,\"1,234\"\n",
         DAY_1 " [{\"id\":\"a\",\"symbol\":\"\",\"name\":\"a\",\"current_price\":\"1,234\"}] "
               "1 of 1 refused\n",
         NULL},
        {"time,id,price\n2024-01-01,a,1\n\n2024-01-01,b,2,3\nsoon,c,1\n2024-01-01,,1\n",
         DAY_1 " [{\"id\":\"a\",\"symbol\":\"\",\"name\":\"a\",\"current_price\":1}]\n",
         "line 4: 4 fields, where the header has 3\nline 5: \"soon\" is not a time that can be "
         "read\nline 6: its id is empty\n"},
        /* an open quote: no line of its inside is a row; that of a file cut short has none */
        {"time,id,price\n2024-01-01,\"a,1\n2024-01-01,b,2\n", "",
         "line 2: its record does not end before the file does, and what follows may be its "
         "inside; close its quote"},
        {"time,id,price\n2024-01-01,b,2\n2024-01-01,\"a,1",
         DAY_1 " [{\"id\":\"b\",\"symbol\":\"\",\"name\":\"b\",\"current_price\":2}]\n",
         "line 3: its record does not end"},
        {"time,id,price\n2024-01-01,\"a\"x,1\n2024-01-01,b,2\n",
         DAY_1 " [{\"id\":\"b\",\"symbol\":\"\",\"name\":\"b\",\"current_price\":2}]\n",
         "line 2: text behind a closing quote"},
        {"time,id,price,Time,ID,x\n2024-01-01,a,1,2024-01-02,b,2\n",
         DAY_1 " [{\"id\":\"a\",\"symbol\":\"\",\"name\":\"a\",\"current_price\":1}]\n",
         "given twice, of which the first is used: Time, ID\ncolumns that are not used: x;"},
        {"time,id,price\n2010-01-01,a,1\n2199-01-01,a,1\n", "", "before 2013-04-28"},
        {"id,price\na,1\n", "", "--map COLUMN=time"},
        {"time,price\n2024-01-01,1\n", "", "--map COLUMN=id"},
        {"time,id,price\n", "", "nothing in it could be imported"},
        {"", "", "empty"},
        {"\n\n\n", "", "--map"},
    };

    check_rows(IMPORT_CSV, NULL, rows, sizeof(rows) / sizeof(rows[0]));
}

static void csv_columns_are_mapped(void)
{
    static const struct row rows[] = {
        {"when,what,how much,price\n2024-01-01,a,5,6\n",
         DAY_1 " [{\"id\":\"a\",\"symbol\":\"\",\"name\":\"a\",\"current_price\":5}]\n",
         "not used: price"},
    };

    check_rows(IMPORT_CSV, "when=time\nwhat=id\nhow much=current_price\n", rows, 1);
}

static void json_lines_become_polls(void)
{
    static const struct row rows[] = {
        /* a whole answer, byte for byte */
        {"{\"time\":\"2024-01-01T00:00:00Z\",\"data\":[ {\"id\":\"a\"," COIN
         ",\"current_price\":1.50} ]}\n",
         DAY_1 " [ {\"id\":\"a\"," COIN ",\"current_price\":1.50} ]\n", NULL},
        {"{\"coins\":[{\"id\":\"a\"," COIN ",\"market_cap\":1}],\"ts\":1704067200123}\n",
         "2024-01-01T00:00:00.123Z [{\"id\":\"a\"," COIN ",\"market_cap\":1}]\n", NULL},
        {"{\"timestamp\":1704067200,\"body\":\"[{\\\"id\\\":\\\"a\\\",\\\"symbol\\\":\\\"s\\\","
         "\\\"name\\\":\\\"\\\\u00e9\\\",\\\"total_volume\\\":1}]\"}",
         DAY_1 " [{\"id\":\"a\",\"symbol\":\"s\",\"name\":\"\\u00e9\",\"total_volume\":1}]\n",
         NULL},
        /* coins one by one: their time is no field of a coin */
        {"{\"id\":\"a\",\"time\":\"2024-01-01\"," COIN ",\"current_price\":1.0}\n"
         "{\"fetched_at\" : 1704067200 , \"id\":\"b\"," COIN ",\"current_price\":2}\n"
         "{\"id\":\"c\"," COIN ",\"current_price\":3 , \"date\":\"2024-01-01\" }\n"
         "{\"id\":\"d\",\"current_price\":4,\"ts\":1704153600}\n",
         DAY_1 " [{\"id\":\"a\"," COIN ",\"current_price\":1.0},{ \"id\":\"b\"," COIN
               ",\"current_price\":2},{\"id\":\"c\"," COIN ",\"current_price\":3 }]\n" DAY_2
               " [{\"symbol\":\"\",\"name\":\"d\",\"id\":\"d\",\"current_price\":4}]\n",
         NULL},
        /* the coin's own time is not the snapshot's */
        {"{\"id\":\"a\"," COIN ",\"current_price\":1,\"last_updated\":\"2024-01-01T00:00:00Z\"}\n",
         "", "no time in it"},
        {"{\"time\":1704067200,\"data\":[{\"id\":\"a\"," COIN ",\"current_price\":1}]}\n"
         "{\"time\":1704067200,\"data\":[{\"id\":\"a\"," COIN ",\"current_price\":2}]}\n"
         "[1]\nnull\n{\"a\":\n\n{\"time\":1704067201,\"data\":{\"error\":\"x\"}}\n"
         "{\"time\":1704067202,\"data\":[]}\n{\"time\":1704067203,\"data\":[1]}\n"
         "{\"time\":1704067204,\"data\":[{\"id\":7,\"current_price\":1}]}\n"
         "{\"time\":1704067205,\"data\":[{\"id\":\"a\",\"symbol\":\"s\"}]}\n",
         DAY_1 " [{\"id\":\"a\"," COIN ",\"current_price\":1}]\n", "line 2: another line"},
    };

    check_rows(IMPORT_JSONL, NULL, rows, sizeof(rows) / sizeof(rows[0]));
}

static void many_coins_become_several_pages(void)
{
    struct buf text = BUF_INIT(8 << 20), tape = BUF_INIT(1 << 20);
    struct fixture f;

    buf_add_z(&text, "{\"time\":1704067200,\"data\":[");
    for (int i = 0; i < 10001; i++)
        buf_addf(&text, "%s{\"id\":\"c%d\"," COIN ",\"current_price\":%d.0}", i ? "," : "", i, i);
    buf_add_z(&text, "]}\n");
    start(&f, IMPORT_JSONL, buf_z(&text));
    enum st st = import(&f);
    read_tape(&f, &tape);
    stop(&f);
    buf_release(&text);
    CHECK_EQ(st, ST_OK);
    CHECK_EQ(f.result.n_polls, 1);
    CHECK_EQ(f.result.n_pages, 3);
    CHECK_EQ(f.result.n_coins, 10001);
    CHECK(strstr(buf_z(&tape), "refused") == NULL);
    buf_release(&tape);
}

/* "before, a record that is too long, after", imported. */
static enum st import_long(struct fixture *f, enum import_kind kind, const char *before,
                           const char *filler, size_t n_fillers, const char *after)
{
    struct buf text = BUF_INIT((size_t)80 << 20);

    buf_add_z(&text, before);
    for (size_t i = 0; i < n_fillers; i++)
        buf_add_z(&text, filler);
    buf_add_z(&text, after);
    start(f, kind, buf_z(&text));
    buf_release(&text);
    return import(f);
}

static void nothing_inside_a_line_that_is_too_long_is_a_line(void)
{
    struct buf filler = BUF_INIT(1 << 20), tape = BUF_INIT(1 << 20);
    struct fixture f;

    for (size_t i = 0; i < 64 * 1024; i++)
        buf_add_char(&filler, ' ');
    enum st st = import_long(&f, IMPORT_JSONL,
                             "{\"time\":1704067200,\"id\":\"a\"," COIN ",\"current_price\":1}\n",
                             buf_z(&filler), 1100,
                             "{\"time\":1704067200,\"id\":\"evil\"," COIN "}\n"
                             "{\"time\":1704153600,\"id\":\"b\"," COIN ",\"current_price\":2}\n");
    read_tape(&f, &tape);
    stop(&f);
    buf_release(&filler);
    CHECK_EQ(st, ST_OK);
    CHECK_EQ(f.result.n_skipped[IMPORT_TOO_LARGE], 1);
    CHECK_Z(buf_z(&tape), DAY_1 " [{\"id\":\"a\"," COIN ",\"current_price\":1}]\n" DAY_2
                                " [{\"id\":\"b\"," COIN ",\"current_price\":2}]\n");
    buf_release(&tape);
}

static void nothing_inside_a_field_that_is_too_long_is_a_row(void)
{
    struct buf tape = BUF_INIT(1 << 20);
    struct fixture f;

    enum st st = import_long(&f, IMPORT_CSV, "time,id,price\n2024-01-01,a,1\n2024-01-01,\"b\n",
                             "2024-01-02,evil,1" ZEROS "\n", 70000, "\",2\n2024-01-03,c,3\n");
    read_tape(&f, &tape);
    stop(&f);
    CHECK_EQ(st, ST_REJECT);
    CHECK(strstr(f.err.msg, "line 3: its record has more than") != NULL);
    CHECK_Z(buf_z(&tape), "");
    buf_release(&tape);
}

static bool stop_at_two(void *ctx, const struct import_progress *p)
{
    (void)ctx;
    return p->n_total == 0 || p->n_done < 2;
}

static void an_import_goes_on_where_it_stopped(void)
{
    struct fixture f;

    start(&f, IMPORT_CSV, "time,id,price\n2024-01-01,a,1\n2024-01-02,a,2\n2024-01-03,a,3\n");
    f.setup.progress = stop_at_two;
    enum st st = import(&f);
    bool is_stopped = f.result.is_stopped;
    size_t n_first = f.result.n_polls;
    f.setup.progress = NULL;
    enum st again = import(&f);
    stop(&f);
    CHECK_EQ(st, ST_AGAIN);
    CHECK(is_stopped);
    CHECK_EQ(n_first, 2);
    CHECK_EQ(again, ST_OK);
    CHECK_EQ(f.result.n_polls, 1);
    CHECK_EQ(f.result.n_skipped[IMPORT_ON_TAPE], 2);
}

static const char *get_word(void *ctx, const char *name)
{
    const char *const *words = ctx;

    for (; *words; words += 2)
        if (strcmp(*words, name) == 0)
            return words[1];
    return NULL;
}

static void words_fill_a_setup(void)
{
    const char *all[] = {"path",       "/x",      "as",  "git",       "name", "n",     "vs",
                         "eur",        "in_path", "p",   "time_zone", "+1",   "mtime", "true",
                         "skip_equal", "true",    "map", "a=b",       NULL};
    const char *bad[] = {"path", "/x", "as", "tar", NULL}, *none[] = {NULL};
    struct import_setup s = {.source = NULL};
    struct err err = ERR_INIT;

    CHECK_EQ(import_setup_read(get_word, all, &s, &err), ST_OK);
    CHECK(s.kind == IMPORT_GIT && s.use_mtime && s.skip_equal);
    CHECK_Z(s.source, "/x");
    CHECK_Z(s.vs_currency, "eur");
    CHECK_Z(s.in_path, "p");
    CHECK_Z(s.map, "a=b");
    CHECK_EQ(import_setup_read(get_word, bad, &s, &err), ST_REJECT);
    CHECK(strstr(err.msg, "tar") != NULL);
    CHECK_EQ(import_setup_read(get_word, none, &s, &err), ST_REJECT);
}

TAP_MAIN(TAP_CASE(csv_rows_become_polls), TAP_CASE(csv_columns_are_mapped),
         TAP_CASE(json_lines_become_polls), TAP_CASE(many_coins_become_several_pages),
         TAP_CASE(nothing_inside_a_line_that_is_too_long_is_a_line),
         TAP_CASE(nothing_inside_a_field_that_is_too_long_is_a_row),
         TAP_CASE(an_import_goes_on_where_it_stopped), TAP_CASE(words_fill_a_setup))
