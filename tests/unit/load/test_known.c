/* SPDX-License-Identifier: Apache-2.0 */
#include "load/known.h"

#include "tap.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define LITE "sqlite:./data/market.db"
#define JSON "json:./data"
#define A    "00000000-0000-0000-0000-00000000000a"
#define B    "00000000-0000-0000-0000-00000000000b"

static char dir[64], holder[256];
static struct arena arena;
static struct known_sink *sinks;
static size_t n_sinks;
static uint64_t below;
static struct err err;

static enum st note(const char *url, const char *uuid, uint64_t offset)
{
    struct known_stream stream = {.job = "markets-usd", .offset = offset};

    snprintf(stream.uuid, sizeof(stream.uuid), "%s", uuid);
    return known_note(dir, url, &stream, 1, &err);
}

static enum st get_below(const char *uuid)
{
    return known_below(dir, uuid, &below, holder, sizeof(holder), &err);
}

static enum st list(void)
{
    arena_reset(&arena);
    return known_list(dir, &arena, &sinks, &n_sinks, &err);
}

/* Make the one known sink's file hold this. */
static void overwrite(const char *bytes)
{
    char path[512];

    if (list() != ST_OK || n_sinks != 1)
        abort();
    snprintf(path, sizeof(path), "%.*s", STR_ARG(sinks[0].file));
    int fd = open(path, O_WRONLY | O_TRUNC);
    if (fd < 0 || write(fd, bytes, strlen(bytes)) != (ssize_t)strlen(bytes))
        abort();
    close(fd);
}

static void nothing_is_known_without_a_directory(void)
{
    CHECK_OK(get_below(A), err);
    CHECK(below == UINT64_MAX);
    CHECK_Z(holder, "");
    CHECK_OK(list(), err);
    CHECK_EQ(n_sinks, 0);
    CHECK_EQ(known_forget(dir, LITE, &err), ST_REJECT);
    CHECK(strstr(err.msg, "sink ls") != NULL);
}

static void the_slowest_sink_of_a_stream_counts(void)
{
    CHECK_OK(note(LITE, A, 100), err);
    CHECK_OK(note(JSON, A, 70), err);
    CHECK_OK(note(JSON, B, 5), err);
    CHECK_OK(get_below(A), err);
    CHECK_EQ(below, 70);
    CHECK_Z(holder, JSON);
    CHECK_OK(note(JSON, A, 120), err); /* and what is known of B stays */
    CHECK_OK(get_below(A), err);
    CHECK_EQ(below, 100);
    CHECK_Z(holder, LITE);
    CHECK_OK(get_below(B), err);
    CHECK_EQ(below, 5);
    CHECK_OK(note(LITE, A, 0), err); /* it was made anew */
    CHECK_OK(get_below(A), err);
    CHECK_EQ(below, 0);
}

static void what_a_sink_will_load_counts_from_nothing(void)
{
    struct known_stream streams[2] = {{.uuid = A, .job = "a"}, {.uuid = B, .job = "b"}};

    CHECK_OK(note(LITE, A, 100), err);
    CHECK_OK(known_expect(dir, LITE, streams, 2, &err), err);
    CHECK_OK(get_below(A), err);
    CHECK_EQ(below, 100);
    CHECK_OK(get_below(B), err);
    CHECK_EQ(below, 0);
    CHECK_Z(holder, LITE);
}

static void sinks_are_listed_and_forgotten(void)
{
    CHECK_OK(note(LITE, A, 100), err);
    CHECK_OK(note(JSON, A, 70), err);
    CHECK_OK(list(), err);
    CHECK_EQ(n_sinks, 2);
    CHECK_STR(sinks[0].url, JSON);
    CHECK_EQ(sinks[1].n_streams, 1);
    CHECK_Z(sinks[1].streams[0].uuid, A);
    CHECK_Z(sinks[1].streams[0].job, "markets-usd");
    CHECK_EQ(sinks[1].streams[0].offset, 100);
    CHECK(sinks[1].noted_us > 0);
    CHECK_OK(known_forget(dir, JSON, &err), err);
    CHECK_OK(get_below(A), err);
    CHECK_EQ(below, 100);
}

static void what_is_known_is_not_written_again(void)
{
    struct stat before, after;
    char path[512];

    CHECK_OK(note(LITE, A, 100), err);
    CHECK_OK(list(), err);
    snprintf(path, sizeof(path), "%.*s", STR_ARG(sinks[0].file));
    CHECK_EQ(stat(path, &before), 0);
    CHECK_OK(note(LITE, A, 100), err);
    CHECK_EQ(stat(path, &after), 0);
    CHECK_EQ(before.st_ino, after.st_ino);
    CHECK_OK(note(LITE, A, 101), err);
    CHECK_EQ(stat(path, &after), 0);
    CHECK(before.st_ino != after.st_ino);
}

static void a_damaged_file_counts_as_nothing_loaded(void)
{
#define HEAD "geckotape-sink 1\nurl " LITE "\n"
    static const char *const rows[] = {
        "",
        "x",
        "geckotape-sink 2\nurl " LITE "\nend\n",
        "geckotape-sink 1\nurl " JSON "\nend\n",
        "geckotape-sink 1\nurl \xff\nend\n",
        "geckotape-sink 1\n",
        HEAD,
        HEAD "stream " A " markets-usd 100\n",
        HEAD "stream " A " markets-usd 100\nend",
        HEAD "stream " A " markets-usd 100\nend\nend\n",
        HEAD "stream " A " markets-usd\nend\n",
        HEAD "stream " A " markets-usd -1\nend\n",
        HEAD "stream " A " markets-usd 1e3\nend\n",
        HEAD "stream " A " markets-usd 99999999999999999999\nend\n",
        HEAD "stream " A " ../../etc 1\nend\n",
        HEAD "stream 0000000a markets-usd 1\nend\n",
        HEAD "stream 00000000-0000-0000-0000-00000000000G markets-usd 1\nend\n",
        HEAD "sink " A " markets-usd 1\nend\n",
        HEAD "\nend\n",
    };

    CHECK_OK(note(LITE, A, 100), err);
    overwrite(HEAD "stream " A " markets-usd 100\nend\n");
    CHECK_OK(get_below(A), err);
    CHECK_EQ(below, 100);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        printf("# row %zu\n", i);
        overwrite(rows[i]);
        CHECK_OK(get_below(B), err); /* of any stream: who knows what it listed */
        CHECK_EQ(below, 0);
        CHECK(strstr(holder, "/sinks/") != NULL);
        CHECK_OK(list(), err);
        CHECK_EQ(sinks[0].url.len, 0);
        CHECK(sinks[0].problem.len > 0);
        CHECK_EQ(note(LITE, A, 101), ST_REJECT);
        CHECK(strstr(err.msg, "delete it") != NULL);
    }
    CHECK_OK(known_forget(dir, LITE, &err), err);
    CHECK_OK(get_below(A), err);
    CHECK(below == UINT64_MAX);
}

static void other_files_are_nobodys(void)
{
    char path[512];

    CHECK_OK(note(LITE, A, 100), err);
    CHECK_OK(list(), err);
    snprintf(path, sizeof(path), "%.*s.tmp", STR_ARG(sinks[0].file));
    close(open(path, O_WRONLY | O_CREAT, 0644));
    CHECK_OK(list(), err);
    CHECK_EQ(n_sinks, 1);
    CHECK_EQ(sinks[0].problem.len, 0);
}

static void a_directory_in_a_files_place_holds_everything(void)
{
    char path[512];

    CHECK_OK(note(LITE, A, 100), err);
    snprintf(path, sizeof(path), "%s/sinks/0123456789abcdef", dir);
    CHECK_EQ(mkdir(path, 0755), 0);
    CHECK_OK(get_below(A), err);
    CHECK_EQ(below, 0);
    CHECK(strstr(holder, "0123456789abcdef") != NULL);
}

#define CASES(X)                                 \
    X(nothing_is_known_without_a_directory)      \
    X(the_slowest_sink_of_a_stream_counts)       \
    X(what_a_sink_will_load_counts_from_nothing) \
    X(sinks_are_listed_and_forgotten)            \
    X(what_is_known_is_not_written_again)        \
    X(a_damaged_file_counts_as_nothing_loaded)   \
    X(other_files_are_nobodys)                   \
    X(a_directory_in_a_files_place_holds_everything)

static void begin(void)
{
    snprintf(dir, sizeof(dir), "/tmp/known-test-XXXXXX");
    if (mkdtemp(dir) == NULL)
        abort();
    arena_init(&arena, 1 << 20);
    err = (struct err)ERR_INIT;
}

static void finish(void)
{
    char command[128];

    arena_release(&arena);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    if (system(command) != 0)
        printf("# %s stays\n", dir);
}

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
