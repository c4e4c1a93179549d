/* SPDX-License-Identifier: Apache-2.0 */
#include "load/known.h"

#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define LITE "sqlite:/srv/data/market.db"
#define JSON "json:/srv/data"
#define A    "00000000-0000-0000-0000-00000000000a"
#define B    "00000000-0000-0000-0000-00000000000b"

static char dir[64], holder[256];
static struct arena arena;
static struct known_sink *sinks;
static size_t n_sinks;
static uint64_t below;
static struct err err;

static struct sink_url url_of(const char *text)
{
    struct sink_url url;

    if (sink_url_parse(str_of(text), &url, &err) != ST_OK)
        abort();
    return url;
}

static enum st note(const char *text, const char *uuid, uint64_t offset)
{
    struct known_stream stream = {.job = "markets-usd", .offset = offset};
    const struct sink_url url = url_of(text);

    snprintf(stream.uuid, sizeof(stream.uuid), "%s", uuid);
    return known_note(dir, &url, &stream, 1, &err);
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
    const struct sink_url lite = url_of(LITE);

    CHECK_OK(note(LITE, A, 100), err);
    CHECK_OK(known_expect(dir, &lite, streams, 2, &err), err);
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

static void a_path_is_known_by_the_whole_of_it(void)
{
    static const struct {
        const char *cwd, *url, *want;
    } rows[] = {
        {"a", "sqlite:x.db", "sqlite:%s/a/x.db"},
        {"a", "sqlite:./x.db", "sqlite:%s/a/x.db"},
        {"a", "sqlite:.//./x.db", "sqlite:%s/a/x.db"},
        {"a", "sqlite:../b/x.db", "sqlite:%s/b/x.db"},
        {"b", "sqlite:x.db", "sqlite:%s/b/x.db"},
        {"a", "sqlite:sub/../x.db", "sqlite:%s/a/sub/../x.db"}, /* sub may be a link */
        {"a", "sqlite:.x.db", "sqlite:%s/a/.x.db"},
        {"a", "sqlite:..x.db", "sqlite:%s/a/..x.db"},
        {"a", "json:.", "json:%s/a"},
        {"a", "json:..?keep=7d", "json:%s"},
        {"a", "json:./out?keep=7d", "json:%s/a/out"},
        {"a", "sqlite:a%20b.db", "sqlite:%s/a/a%20b.db"},
        {"a", "sqlite:/x.db", "sqlite:/x.db"},
        {"a", "sqlite:%2Fx.db", "sqlite:%2Fx.db"},
        {"a", "json:/out?keep=7d&compress=zstd", "json:/out"},
        {"a", "null:./x", "null:./x"},
        {"a", "null:./x?option=1", "null:./x"},
        {"a", "postgres://a:secret@h/db?raw=on", "postgres://a:***@h/db"},
        {"a", "postgres://a@h:1/db?partition=day&schema=s&migrate=off",
         "postgres://a@h:1/db?schema=s"},
        {"a", "postgres:///db?port=2&raw=on&host=/run/p%20q",
         "postgres:///db?host=/run/p%20q&port=2"},
        {"a", "unheard:./x", "unheard:./x"},
        {"c d%?\n\xff", "sqlite:x.db", "sqlite:%s/c%20d%25%3F%0A%FF/x.db"},
        {"/", "sqlite:tmp/x.db", "sqlite:/tmp/x.db"},
        {"/", "sqlite:../../x.db", "sqlite:/x.db"},
        {"/", "json:.", "json:/"},
    };
    char cwd[512], want[512], got[KNOWN_NAME_MAX];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *mark = strstr(rows[i].want, "%s");
        printf("# row %zu\n", i);
        snprintf(cwd, sizeof(cwd), "%s/%s", dir, rows[i].cwd);
        if (rows[i].cwd[0] == '/')
            snprintf(cwd, sizeof(cwd), "/");
        if (mark)
            snprintf(want, sizeof(want), "%.*s%s%s", (int)(mark - rows[i].want), rows[i].want, dir,
                     mark + 2);
        else
            snprintf(want, sizeof(want), "%s", rows[i].want);
        CHECK(mkdir(cwd, 0755) == 0 || errno == EEXIST || errno == EISDIR);
        CHECK_EQ(chdir(cwd), 0);
        const struct sink_url url = url_of(rows[i].url);
        CHECK_OK(known_name(&url, got, &err), err);
        CHECK_Z(got, want);
    }
    CHECK_EQ(chdir("/"), 0);
}

static void two_stores_of_one_relative_path_are_two_sinks(void)
{
    char a[128], b[128];

    snprintf(a, sizeof(a), "%s/a", dir);
    snprintf(b, sizeof(b), "%s/b", dir);
    CHECK(mkdir(a, 0755) == 0 && mkdir(b, 0755) == 0);
    CHECK_EQ(chdir(a), 0);
    CHECK_OK(note("sqlite:./copy.db", A, 100), err);
    CHECK_EQ(chdir(b), 0);
    CHECK_OK(note("sqlite:./copy.db", A, 3), err);
    CHECK_EQ(chdir(a), 0);
    CHECK_OK(note("sqlite:./copy.db", A, 101), err);
    CHECK_EQ(chdir("/"), 0);
    CHECK_OK(list(), err);
    CHECK_EQ(n_sinks, 2);
    CHECK_OK(get_below(A), err);
    CHECK_EQ(below, 3);
    CHECK(strstr(holder, "/b/copy.db") != NULL);
    CHECK(known_has(dir, holder));
    CHECK_OK(known_forget(dir, holder, &err), err);
    CHECK(!known_has(dir, holder));
}

static void a_directory_that_is_gone_has_no_names(void)
{
    const struct sink_url url = url_of("sqlite:./x.db");
    char got[KNOWN_NAME_MAX], gone[128];

    snprintf(gone, sizeof(gone), "%s/gone", dir);
    CHECK(mkdir(gone, 0755) == 0 && chdir(gone) == 0 && rmdir(gone) == 0);
    CHECK_EQ(known_name(&url, got, &err), ST_AGAIN);
    CHECK(strstr(err.msg, "working directory") != NULL);
    CHECK_EQ(chdir("/"), 0);
}

#define CASES(X)                                     \
    X(nothing_is_known_without_a_directory)          \
    X(the_slowest_sink_of_a_stream_counts)           \
    X(what_a_sink_will_load_counts_from_nothing)     \
    X(sinks_are_listed_and_forgotten)                \
    X(what_is_known_is_not_written_again)            \
    X(a_damaged_file_counts_as_nothing_loaded)       \
    X(other_files_are_nobodys)                       \
    X(a_directory_in_a_files_place_holds_everything) \
    X(a_path_is_known_by_the_whole_of_it)            \
    X(two_stores_of_one_relative_path_are_two_sinks) \
    X(a_directory_that_is_gone_has_no_names)

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
