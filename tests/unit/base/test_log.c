/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "tap.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[64];

/* Log to an empty file of our own. */
static void start(enum log_format format, enum log_level level, bool is_simulated)
{
    struct log_setup setup = {
        .level = level, .format = format, .fd = -1, .file = path, .is_simulated = is_simulated};
    struct err err = ERR_INIT;

    if (path[0] == '\0') {
        snprintf(path, sizeof(path), "/tmp/geckotape-log-XXXXXX");
        int fd = mkstemp(path);
        if (fd >= 0)
            close(fd);
    }
    if (truncate(path, 0) != 0 || log_setup(&setup, &err) != ST_OK)
        abort();
}

/* What was written, without the time stamps at the lines' begins. */
static struct str written(struct buf *text, size_t stamp)
{
    struct err err = ERR_INIT;

    log_close();
    if (file_read(path, text, &err) != ST_OK)
        abort();
    struct str s = buf_str(text);
    return s.len > stamp ? (struct str){s.p + stamp, s.len - stamp} : STR_NONE;
}

#define TEXT_STAMP (sizeof("2026-11-23T14:30:00.123Z") - 1)
#define JSON_STAMP (sizeof("{\"ts\":\"2026-11-23T14:30:00.123Z\"") - 1)

static void a_text_line_has_its_fields(void)
{
    struct buf text = BUF_INIT(100000);
    int64_t ts_us;

    start(LOG_TEXT, LOG_INFO, false);
    log_info("extract", "poll done", LOG_Z("job", "markets-usd"), LOG_I("rows", -250));
    log_warn("x", "m", LOG_Z("a", ""), LOG_Z("b", "two words"), LOG_Z("c", "q\"\n"),
             LOG_Z("d", NULL));
    log_debug("x", "not shown");
    struct str got = written(&text, TEXT_STAMP);
    CHECK(time_parse((struct str){text.p, TEXT_STAMP}, &ts_us));
    struct str line;
    CHECK(str_cut(&got, '\n', &line));
    CHECK_STR(line, " INFO  extract: poll done job=markets-usd rows=-250");
    got.p += TEXT_STAMP;
    got.len -= TEXT_STAMP;
    CHECK_STR(got, " WARN  x: m a=\"\" b=\"two words\" c=\"q\\\"\\n\" d=\"\"\n");
    buf_release(&text);
}

static void a_json_line_is_json_whatever_it_says(void)
{
    struct buf text = BUF_INIT(100000);
    struct arena arena;
    struct json *json = json_new();
    struct err err = ERR_INIT;
    enum json_event top;

    start(LOG_JSON, LOG_DEBUG, true);
    log_error("a", "m\"\n", LOG_S("s", STR("\xFF\0\x01")), LOG_I("i", INT64_MIN));
    struct str got = written(&text, JSON_STAMP);
    CHECK_STR(got, ",\"level\":\"error\",\"area\":\"a\",\"msg\":\"m\\\"\\n\","
                   "\"s\":\"\xEF\xBF\xBD\\u0000\\u0001\",\"i\":-9223372036854775808,"
                   "\"simulated\":true}\n");
    arena_init(&arena, 100000);
    CHECK_OK(json_validate(json, json_pad(&arena, buf_str(&text)), &arena, &top, &err), err);
    CHECK_EQ(top, JSON_OBJECT_BEGIN);
    arena_release(&arena);
    json_free(json);
    buf_release(&text);
}

static void a_simulated_market_says_so_in_text_too(void)
{
    struct buf text = BUF_INIT(100000);

    start(LOG_TEXT, LOG_INFO, true);
    log_info("a", "m");
    CHECK_STR(written(&text, TEXT_STAMP), " INFO  a: m SIMULATED\n");
    buf_release(&text);
}

static void an_event_that_is_too_long_keeps_its_message(void)
{
    static char huge[40000];
    struct buf text = BUF_INIT(100000);

    start(LOG_TEXT, LOG_INFO, false);
    memset(huge, 'x', sizeof(huge) - 1);
    log_info("a", "m", LOG_Z("huge", huge));
    CHECK_STR(written(&text, TEXT_STAMP), " INFO  a: m\n");
    buf_release(&text);
}

static void a_file_that_cannot_be_opened_is_named(void)
{
    struct log_setup setup = {.fd = -1, .file = "/proc/geckotape.log"};
    struct err err = ERR_INIT;

    CHECK_EQ(log_setup(&setup, &err), ST_FATAL);
    CHECK_Z(err.msg, "--log-file /proc/geckotape.log: No such file or directory");
    setup.file = "/proc/none/geckotape.log";
    CHECK_EQ(log_setup(&setup, &err), ST_FATAL);
    CHECK(strstr(err.msg, "--log-file /proc/none/geckotape.log: cannot create the directory"));
    CHECK_Z(log_level_name(LOG_WARN), "warn");
    unlink(path);
}

static size_t size_of(const char *file)
{
    struct stat st;
    return stat(file, &st) == 0 ? (size_t)st.st_size : 0;
}

static void a_renamed_file_is_opened_again_and_its_directory_made(void)
{
    char dir[] = "/tmp/geckotape-logs-XXXXXX", file[64], old[64], logs[64];
    struct log_setup setup = {.level = LOG_WARN, .fd = -1, .file = file};
    struct err err = ERR_INIT;

    CHECK(mkdtemp(dir) != NULL);
    snprintf(logs, sizeof(logs), "%s/logs", dir);
    snprintf(file, sizeof(file), "%s/logs/etl.log", dir);
    snprintf(old, sizeof(old), "%s/logs/etl.log.1", dir);
    CHECK_OK(log_setup(&setup, &err), err);
    log_warn("a", "first");
    size_t first = size_of(file);
    CHECK(first > 0 && rename(file, old) == 0);
    log_warn("a", "still to the old one");
    CHECK(size_of(old) > first);
    CHECK_OK(log_reopen(&err), err);
    log_warn("a", "to the new one");
    log_info("a", "not shown");
    CHECK_EQ(size_of(file), first + sizeof("to the new one") - sizeof("first"));
    log_set_level(LOG_INFO);
    log_info("a", "shown");
    CHECK(size_of(file) > first + sizeof("to the new one"));

    CHECK(unlink(file) == 0 && unlink(old) == 0 && rmdir(logs) == 0);
    int fd = open(logs, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    CHECK(fd >= 0 && close(fd) == 0);
    CHECK_EQ(log_reopen(&err), ST_FATAL); /* the old one is kept */
    log_warn("a", "nobody is hurt");
    log_close();
    CHECK(unlink(logs) == 0 && rmdir(dir) == 0);
}

TAP_MAIN(TAP_CASE(a_text_line_has_its_fields), TAP_CASE(a_json_line_is_json_whatever_it_says),
         TAP_CASE(a_simulated_market_says_so_in_text_too),
         TAP_CASE(an_event_that_is_too_long_keeps_its_message),
         TAP_CASE(a_file_that_cannot_be_opened_is_named),
         TAP_CASE(a_renamed_file_is_opened_again_and_its_directory_made))
