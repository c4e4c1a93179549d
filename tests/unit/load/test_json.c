/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "store_dir.h"
#include "tap.h"

#include <dirent.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

static struct test_store t;

static void begin(void)
{
    store_make(&t, "json:", "/d");
}

static const char *path_of(const char *file)
{
    static char path[FILE_MAX_PATH];
    snprintf(path, sizeof(path), "%s/d/%s", t.dir, file);
    return path;
}

static bool exists(const char *file)
{
    return access(path_of(file), F_OK) == 0;
}

/* The file's bytes; "" when there is none. */
static const char *content(const char *file)
{
    static char text[8192];
    struct buf bytes = BUF_INIT(sizeof(text) - 1);
    struct err err = ERR_INIT;

    err_ignore(file_read(path_of(file), &bytes, &err));
    memcpy(text, buf_z(&bytes), bytes.len);
    text[bytes.len] = '\0';
    buf_release(&bytes);
    return text;
}

static bool write_text(const char *file, const char *text)
{
    return file_replace(path_of(file), str_of(text), &t.err) == ST_OK;
}

/* Names in a folder, sorted, with a space behind each. */
static const char *list(const char *folder)
{
    static char text[4096];
    struct dirent **names;

    text[0] = '\0';
    int n = scandir(path_of(folder), &names, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        if (names[i]->d_name[0] != '.')
            snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s ", names[i]->d_name);
        free(names[i]);
    }
    if (n >= 0)
        free(names);
    return text;
}

#define RAW(utc)       "raw/market_" utc ".json"
#define PROCESSED(utc) "processed/market_" utc ".json"
#define UTC0           "2026-11-23T14-30-00Z"
#define UTC1           "2026-11-23T14-30-30Z"
#define UTC2           "2026-11-23T14-31-00Z"

static void files_are_named_and_laid_out_as_the_old_collectors(void)
{
    struct made_stream s = made_stream("markets-usd", 1);

    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(0), POLL_OK, "bitcoin=1.50 ripple=2E-9", NULL), t.err);
    CHECK_Z(content(RAW(UTC0)), "[{\"id\":\"bitcoin\",\"current_price\":1.50},"
                                "{\"id\":\"ripple\",\"current_price\":2E-9}]");
    CHECK_Z(content(PROCESSED(UTC0)), "[\n"
                                      "  {\n"
                                      "    \"id\": \"bitcoin\",\n"
                                      "    \"symbol\": \"bitcoin\",\n"
                                      "    \"name\": \"bitcoin\",\n"
                                      "    \"current_price\": 1.50,\n"
                                      "    \"market_cap\": null,\n"
                                      "    \"total_volume\": null,\n"
                                      "    \"last_updated\": \"2026-11-23T14:30:00.000Z\"\n"
                                      "  },\n"
                                      "  {\n"
                                      "    \"id\": \"ripple\",\n"
                                      "    \"symbol\": \"ripple\",\n"
                                      "    \"name\": \"ripple\",\n"
                                      "    \"current_price\": 2E-9,\n"
                                      "    \"market_cap\": null,\n"
                                      "    \"total_volume\": null,\n"
                                      "    \"last_updated\": \"2026-11-23T14:30:00.000Z\"\n"
                                      "  }\n"
                                      "]\n");
    CHECK_OK(store_load(&t, &s, SLOT(1) + 250000, POLL_OK, "", NULL), t.err);
    CHECK_Z(content(PROCESSED("2026-11-23T14-30-30.250Z")), "[]\n");
    CHECK_Z(list("raw"), "market_" UTC0 ".json market_2026-11-23T14-30-30.250Z.json ");
}

static void unchanged_rows_are_written_too(void)
{
    struct made_stream s = made_stream("markets-usd", 1);

    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(0), POLL_OK, "bitcoin=1", NULL), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(1), POLL_OK, "*bitcoin=1", NULL), t.err);
    CHECK(strstr(content(PROCESSED(UTC1)), "\"bitcoin\"") != NULL);
}

static void later_pages_have_files_of_their_own(void)
{
    struct made_stream s = made_stream("markets-usd", 1);
    struct sink_result result;
    struct made_poll poll;
    struct poll_page pages[2];

    CHECK_OK(store_begin(&t, &s), t.err);
    made_poll(&poll, &s, SLOT(0), POLL_PARTIAL, "bitcoin=1");
    pages[0] = pages[1] = poll.pages[0];
    pages[1].record.page = 3; /* page 2 is missing */
    pages[1].body = STR("[ ]");
    poll.load.pages = pages;
    poll.load.n_pages = 2;
    enum st st = t.sink.driver->load(&t.sink, &poll.load, &result, &t.err);
    made_release(&poll);
    CHECK_OK(st, t.err);
    CHECK_Z(list("raw"), "market_" UTC0 ".json market_" UTC0 "_p3.json ");
    CHECK_Z(content("raw/market_" UTC0 "_p3.json"), "[ ]");
    CHECK_Z(list("processed"), "market_" UTC0 ".json ");
}

static void refused_polls_keep_their_body(void)
{
    struct made_stream s = made_stream("markets-usd", 1);
    struct sink_result result;
    struct made_poll poll;

    CHECK_OK(store_begin(&t, &s), t.err);
    made_poll(&poll, &s, SLOT(0), POLL_OK, "bitcoin=1");
    poll.load.rows = NULL;
    poll.load.error = STR("transform: no");
    enum st st = t.sink.driver->load(&t.sink, &poll.load, &result, &t.err);
    made_release(&poll);
    CHECK_OK(st, t.err);
    CHECK_Z(list("raw"), "market_" UTC0 ".json ");
    CHECK_Z(list("processed"), "");
}

static void the_second_job_uses_its_name(void)
{
    struct made_stream usd = made_stream("markets-usd", 1), eur = made_stream("markets-eur", 2),
                       again = made_stream("markets-eur", 3);

    CHECK_OK(store_begin(&t, &usd), t.err);
    CHECK_OK(store_attach(&t, &eur), t.err);
    CHECK_OK(store_load(&t, &eur, SLOT(0), POLL_OK, "bitcoin=1", NULL), t.err);
    store_shut(&t);
    CHECK_OK(store_begin(&t, &again), t.err);
    CHECK_OK(store_load(&t, &again, SLOT(1), POLL_OK, "bitcoin=1", NULL), t.err);
    CHECK_Z(list("raw"), "markets-eur_" UTC0 ".json markets-eur_" UTC1 ".json ");
}

static bool unpacks_to(const char *file, const char *want)
{
    struct buf packed = BUF_INIT(8192);
    struct err err = ERR_INIT;
    char text[8192] = "";
    size_t n = 0;

    if (file_read(path_of(file), &packed, &err) != ST_OK)
        return false;
    if (strstr(file, ".zst")) {
        n = ZSTD_decompress(text, sizeof(text) - 1, packed.p, packed.len);
    } else {
        gzFile in = gzopen(path_of(file), "rb");
        n = (size_t)gzread(in, text, sizeof(text) - 1);
        gzclose(in);
    }
    buf_release(&packed);
    return n == strlen(want) && memcmp(text, want, n) == 0;
}

static void files_may_be_compressed(void)
{
    struct made_stream s = made_stream("markets-usd", 1);
    const char *body = "[{\"id\":\"bitcoin\",\"current_price\":1}]";

    store_remove(&t);
    store_make(&t, "json:", "/d?compress=gzip");
    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(0), POLL_OK, "bitcoin=1", NULL), t.err);
    CHECK(unpacks_to(RAW(UTC0) ".gz", body));
    store_shut(&t);
    snprintf(t.url.options[0].value, sizeof(t.url.options[0].value), "zstd");
    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(1), POLL_OK, "bitcoin=1", NULL), t.err);
    CHECK(unpacks_to(RAW(UTC1) ".zst", body));
    store_shut(&t);
    snprintf(t.url.options[0].value, sizeof(t.url.options[0].value), "rar");
    CHECK_EQ(store_open(&t), ST_REJECT);
    CHECK(strstr(t.err.msg, "none, gzip or zstd") != NULL);
}

static void a_kill_after_the_rename_writes_the_same_files_again(void)
{
    struct made_stream s = made_stream("markets-usd", 1), before = s;
    struct buf position = BUF_INIT(4096);
    const char *file = ".geckotape/01010101-0101-0101-0101-010101010101.position";
    struct sink_result result;

    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_OK(file_read(path_of(file), &position, &t.err), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(0), POLL_OK, "bitcoin=1", NULL), t.err);
    store_shut(&t);
    /* as if it had died before the position was written */
    CHECK(write_text(file, buf_z(&position)));
    buf_release(&position);
    s = before;
    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(0), POLL_OK, "bitcoin=1", &result), t.err);
    CHECK(!result.is_duplicate);
    CHECK_Z(list("raw"), "market_" UTC0 ".json ");
    CHECK_Z(content(RAW(UTC0)), "[{\"id\":\"bitcoin\",\"current_price\":1}]");
}

static void files_of_others_are_never_overwritten(void)
{
    struct made_stream s = made_stream("markets-usd", 1);
    struct sink_result result;

    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK(write_text(RAW(UTC0), "theirs"));
    CHECK_OK(store_load(&t, &s, SLOT(0), POLL_OK, "bitcoin=1", &result), t.err);
    CHECK(result.is_duplicate);
    CHECK_Z(content(RAW(UTC0)), "theirs");
    CHECK(!exists(PROCESSED(UTC0)));
}

/* ---- keep: a clock of our own ---- */

static int64_t now_us;

static int64_t test_wall(struct clock *c)
{
    (void)c;
    return now_us;
}

static struct clock test_clock = {.wall_us = test_wall, .mono_us = test_wall};

static void keep_deletes_its_own_files_and_no_others(void)
{
    struct made_stream s = made_stream("markets-usd", 1);
    const int64_t hour = 3600 * US_PER_S;

    store_remove(&t);
    store_make(&t, "json:", "/d?keep=1h");
    t.clock = &test_clock;
    now_us = T0;
    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK(write_text("raw/market_2026-01-01T00-00-00Z.json", "theirs"));
    CHECK(write_text(RAW(UTC1), "theirs too"));
    CHECK_OK(store_load(&t, &s, SLOT(0), POLL_OK, "bitcoin=1", NULL), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(1), POLL_OK, "bitcoin=2", NULL), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(2), POLL_OK, "bitcoin=3", NULL), t.err);
    CHECK_Z(list("processed"), "market_" UTC0 ".json market_" UTC2 ".json ");
    now_us = T0 + hour + 40 * US_PER_S;
    CHECK_OK(store_load(&t, &s, now_us, POLL_OK, "bitcoin=4", NULL), t.err);
    CHECK_Z(list("raw"), "market_2026-01-01T00-00-00Z.json market_" UTC1 ".json market_" UTC2
                         ".json market_2026-11-23T15-30-40Z.json ");
    CHECK_Z(list("processed"), "market_" UTC2 ".json market_2026-11-23T15-30-40Z.json ");
    now_us = T0 + 5 * hour;
    CHECK_OK(store_load(&t, &s, now_us, POLL_OK, "bitcoin=5", NULL), t.err);
    CHECK_Z(list("raw"), "market_2026-01-01T00-00-00Z.json market_" UTC1
                         ".json market_2026-11-23T19-30-00Z.json ");
    CHECK_Z(list(".geckotape/market"), "2026-11-23T19.journal ");
}

static void keep_survives_a_kill_before_the_files_are_there(void)
{
    struct made_stream s = made_stream("markets-usd", 1);
    const int64_t hour = 3600 * US_PER_S;

    store_remove(&t);
    store_make(&t, "json:", "/d?keep=1h");
    t.clock = &test_clock;
    now_us = T0;
    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(0), POLL_OK, "bitcoin=1", NULL), t.err);
    /* a line that was cut short, and one whose files were never made */
    FILE *journal = fopen(path_of(".geckotape/market/2026-11-23T14.journal"), "a");
    CHECK(journal != NULL);
    fputs("1795444230000000 ok 01010101-0101-0101-0101-010101010101 9 raw/none.json ;\n"
          "1795444230000000 ok 01010101-0101-0101-0101-010101010101 9 ../../escape ;\n"
          "1795444230000000 ok 01010101-0101-0101-0101-010101010101 9 raw/mine",
          journal);
    fclose(journal);
    CHECK(write_text("raw/mine", "a file whose name is the line's beginning"));
    CHECK(write_text("raw/none.json.tmp", "half a file"));
    CHECK_OK(store_load(&t, &s, SLOT(2), POLL_OK, "bitcoin=2", NULL), t.err);
    now_us = T0 + 3 * hour;
    CHECK_OK(store_load(&t, &s, now_us, POLL_OK, "bitcoin=3", NULL), t.err);
    CHECK_Z(list("raw"), "market_2026-11-23T17-30-00Z.json mine ");
    CHECK_Z(list(".geckotape/market"), "2026-11-23T17.journal ");
}

static void a_job_with_a_name_of_its_own_gives_it_to_its_files(void)
{
    struct made_stream own = made_stream("majors", 1), flags = made_stream("markets-usd", 2);

    CHECK_OK(store_begin(&t, &own), t.err);
    CHECK_OK(store_load(&t, &own, SLOT(0), POLL_OK, "bitcoin=1", NULL), t.err);
    store_shut(&t);
    CHECK_OK(store_begin(&t, &flags), t.err);
    CHECK_OK(store_load(&t, &flags, SLOT(0), POLL_OK, "bitcoin=1", NULL), t.err);
    CHECK_Z(list("raw"), "majors_" UTC0 ".json market_" UTC0 ".json ");
}

static void polls_older_than_keep_are_not_written_first(void)
{
    struct made_stream s = made_stream("markets-usd", 1);

    store_remove(&t);
    store_make(&t, "json:", "/d?keep=1h");
    t.clock = &test_clock;
    now_us = T0 + 7200 * US_PER_S;
    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_OK(store_load(&t, &s, now_us, POLL_OK, "bitcoin=1", NULL), t.err);
    store_shut(&t); /* what is the newest is remembered */
    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(0), POLL_OK, "bitcoin=1", NULL), t.err);
    CHECK_Z(list("raw"), "market_2026-11-23T16-30-00Z.json ");
    CHECK_Z(list(".geckotape/market"), "2026-11-23T16.journal ");
}

static void a_clock_that_is_wrong_deletes_nothing(void)
{
    struct made_stream s = made_stream("markets-usd", 1);
    const char *both = "market_" UTC0 ".json market_" UTC1 ".json ";

    store_remove(&t);
    store_make(&t, "json:", "/d?keep=1h");
    t.clock = &test_clock;
    now_us = T0;
    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(0), POLL_OK, "bitcoin=1", NULL), t.err);
    /* a day ahead: a poll of before is loaded, and one fails because of it */
    now_us = T0 + 86400 * US_PER_S;
    CHECK_OK(store_load(&t, &s, SLOT(1), POLL_OK, "bitcoin=1", NULL), t.err);
    CHECK_OK(store_load(&t, &s, now_us, POLL_FAILED, NULL, NULL), t.err);
    CHECK_Z(list("processed"), both);
    store_shut(&t);
    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_OK(store_load(&t, &s, now_us + 1, POLL_FAILED, NULL, NULL), t.err);
    CHECK_Z(list("processed"), both);
    /* and behind */
    now_us = T0 - 86400 * US_PER_S;
    CHECK_OK(store_load(&t, &s, SLOT(200), POLL_OK, "bitcoin=1", NULL), t.err);
    CHECK_Z(list("processed"),
            "market_" UTC0 ".json market_" UTC1 ".json market_2026-11-23T16-10-00Z.json ");
}

/* A disk of 256 kB, where root may mount one; else a limit on the size of files. */
static bool limit_space(bool *ret_is_mounted)
{
    struct rlimit limit = {.rlim_cur = 2048, .rlim_max = RLIM_INFINITY};

    *ret_is_mounted = mount("none", t.dir, "tmpfs", 0, "size=256k") == 0;
    if (*ret_is_mounted)
        return true;
    signal(SIGXFSZ, SIG_IGN);
    return setrlimit(RLIMIT_FSIZE, &limit) == 0;
}

static void a_full_disk_is_tried_again_and_leaves_no_half_files(void)
{
    struct made_stream s = made_stream("markets-usd", 1), before;
    struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    struct sink_result result;
    struct made_poll poll;
    bool is_mounted;

    CHECK(limit_space(&is_mounted));
    enum st open_st = store_begin(&t, &s);
    before = s;
    made_poll(&poll, &s, SLOT(0), POLL_OK, "bitcoin=1");
    struct str small = poll.pages[0].body;
    poll.pages[0].body = (struct str){arena_zalloc(&poll.arena, 1 << 20, 1), 1 << 20};
    enum st full = t.sink.driver->load(&t.sink, &poll.load, &result, &t.err);
    const char *names = list("raw");
    bool is_clean = names[0] == '\0';
    enum st attach = store_attach(&t, &before);
    poll.pages[0].body = small; /* there is room again */
    enum st again = t.sink.driver->load(&t.sink, &poll.load, &result, &t.err);
    bool is_there = exists(RAW(UTC0)) && exists(PROCESSED(UTC0));
    made_release(&poll);
    store_shut(&t);
    if (is_mounted)
        umount2(t.dir, MNT_DETACH);
    else
        setrlimit(RLIMIT_FSIZE, &unlimited);
    CHECK_OK(open_st, t.err);
    CHECK_EQ(full, ST_AGAIN);
    CHECK(is_clean);
    CHECK_OK(attach, t.err);
    CHECK_OK(again, t.err);
    CHECK(is_there);
}

static void a_damaged_position_is_fatal_with_the_mend(void)
{
    struct made_stream s = made_stream("markets-usd", 1);

    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK(write_text(".geckotape/01010101-0101-0101-0101-010101010101.position", "garbage\n"));
    CHECK_EQ(store_attach(&t, &s), ST_FATAL);
    CHECK(strstr(t.err.msg, "when it is deleted") != NULL);
}

static void real_and_simulated_files_do_not_share_a_directory(void)
{
    CHECK_OK(store_open(&t), t.err);
    CHECK(!exists("SIMULATED"));
    store_shut(&t);
    t.sink.is_simulated = true;
    CHECK_EQ(store_open(&t), ST_REJECT);
    CHECK(strstr(t.err.msg, "holds real files") != NULL);
    store_remove(&t);
    store_make(&t, "json:", "/d");
    t.sink.is_simulated = true;
    CHECK_OK(store_open(&t), t.err);
    CHECK(exists("SIMULATED"));
    store_shut(&t);
    CHECK_OK(store_open(&t), t.err);
    store_shut(&t);
    t.sink.is_simulated = false;
    CHECK_EQ(store_open(&t), ST_REJECT);
}

#define CASES(X)                                           \
    X(files_are_named_and_laid_out_as_the_old_collectors)  \
    X(unchanged_rows_are_written_too)                      \
    X(later_pages_have_files_of_their_own)                 \
    X(refused_polls_keep_their_body)                       \
    X(the_second_job_uses_its_name)                        \
    X(files_may_be_compressed)                             \
    X(a_kill_after_the_rename_writes_the_same_files_again) \
    X(files_of_others_are_never_overwritten)               \
    X(keep_deletes_its_own_files_and_no_others)            \
    X(keep_survives_a_kill_before_the_files_are_there)     \
    X(a_job_with_a_name_of_its_own_gives_it_to_its_files)  \
    X(polls_older_than_keep_are_not_written_first)         \
    X(a_clock_that_is_wrong_deletes_nothing)               \
    X(a_full_disk_is_tried_again_and_leaves_no_half_files) \
    X(a_damaged_position_is_fatal_with_the_mend)           \
    X(real_and_simulated_files_do_not_share_a_directory)

#define CASE(function)            \
    static void function##_(void) \
    {                             \
        begin();                  \
        function();               \
        store_remove(&t);         \
    }
CASES(CASE)

#define ROW(function) {#function, function##_},
int main(void)
{
    static const struct tap_case cases[] = {CASES(ROW)};
    return tap_run(cases, sizeof(cases) / sizeof(cases[0]));
}
