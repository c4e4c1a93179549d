/* A store of objects, driven by lines from stdin: object_tool URL [tries=N] [pause_ms=N]
 * [stall_ms=N] [part=BYTES]
 *
 * A line is a command and its arguments with tabs between them; contents are files:
 *     put NAME always|absent|match ETAG FILE          upload NAME COND ETAG FILE CHUNK
 *     get NAME OUT CEILING                            range NAME FROM LEN OUT
 *     stat NAME    delete NAME    list PREFIX AFTER MAX    abort NAME FILE
 * Each is answered by a line of JSON.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/file.h"
#include "object/object.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_BYTES (size_t)(1024 * 1024 * 1024)

static struct object_store *store;
static struct object_put_result put;
static struct object_info info;
static bool is_there;
static struct buf content = BUF_INIT(MAX_BYTES), names = BUF_INIT(MAX_BYTES);
static struct err err;

struct names_of {
    long n, max;
};

static enum st note(void *ctx, const char *name, const struct object_info *of, bool *ret_is_enough,
                    struct err *e)
{
    struct names_of *list = ctx;
    (void)e;
    buf_add_z(&names, list->n > 0 ? ",[" : "[");
    buf_add_json_str(&names, str_of(name));
    buf_addf(&names, ",%lld,%lld,", (long long)of->size, (long long)of->modified_us);
    buf_add_json_str(&names, str_of(of->etag));
    buf_add_char(&names, ']');
    list->n++;
    *ret_is_enough = list->n == list->max;
    return ST_OK;
}

static enum object_if condition_of(const char *word)
{
    return strcmp(word, "absent") == 0  ? OBJECT_ABSENT
           : strcmp(word, "match") == 0 ? OBJECT_MATCH
                                        : OBJECT_ALWAYS;
}

static enum st read_content(const char *path)
{
    buf_clear(&content);
    return file_read(path, &content, &err);
}

static enum st write_content(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_set(&err, ST_FATAL, "%s", path);
    enum st st = file_write_all(fd, buf_z(&content), content.len, path, &err);
    close(fd);
    return st;
}

static enum st upload(char **a, bool is_finished)
{
    struct object_upload *u;
    const char *etag = a[3] && a[3][0] ? a[3] : NULL;
    const size_t chunk = a[5] ? strtoul(a[5], NULL, 10) : 1000;
    enum st st = object_upload_start(store, a[1], &u, &err);

    if (st != ST_OK)
        return st;
    for (size_t at = 0; st == ST_OK && at < content.len; at += chunk) {
        const size_t left = content.len - at;
        st = object_upload_add(u, (struct str){content.p + at, left < chunk ? left : chunk}, &err);
    }
    if (st == ST_OK && is_finished)
        return object_upload_finish(u, condition_of(a[2]), etag, &put, &err);
    object_upload_abort(u);
    return st;
}

static enum st run(char **a, int n)
{
    struct names_of list = {.n = 0};
    struct buf got = BUF_INIT(MAX_BYTES);
    enum st st = ST_FATAL;

    if (strcmp(a[0], "put") == 0 && n == 5 && (st = read_content(a[4])) == ST_OK)
        return object_put(store, a[1], buf_str(&content), condition_of(a[2]), a[3][0] ? a[3] : NULL,
                          &put, &err);
    if (strcmp(a[0], "upload") == 0 && n == 6 && (st = read_content(a[4])) == ST_OK)
        return upload(a, true);
    if (strcmp(a[0], "abort") == 0 && n == 3 && (st = read_content(a[2])) == ST_OK)
        return upload((char *[]){a[0], a[1], NULL, NULL, NULL, NULL}, false);
    if (strcmp(a[0], "stat") == 0 && n == 2)
        return object_stat(store, a[1], &info, &is_there, &err);
    if (strcmp(a[0], "delete") == 0 && n == 2)
        return object_delete(store, a[1], &err);
    if (strcmp(a[0], "list") == 0 && n == 4) {
        list.max = strtol(a[3], NULL, 10);
        return object_list(store, a[1], a[2][0] ? a[2] : NULL, note, &list, &err);
    }
    if (strcmp(a[0], "get") == 0 && n == 4) {
        got.max = strtoul(a[3], NULL, 10);
        st = object_get(store, a[1], &got, &info, &is_there, &err);
    } else if (strcmp(a[0], "range") == 0 && n == 5) {
        st = object_get_range(store, a[1], strtoll(a[2], NULL, 10), strtoul(a[3], NULL, 10), &got,
                              &is_there, &err);
    } else {
        return err_set(&err, ST_FATAL, "what is %s?", a[0]);
    }
    buf_clear(&content);
    buf_add_str(&content, buf_str(&got));
    buf_release(&got);
    return st == ST_OK ? write_content(a[0][0] == 'g' ? a[2] : a[4]) : st;
}

static void answer(enum st st)
{
    struct buf b = BUF_INIT(MAX_BYTES);

    buf_addf(&b, "{\"st\":%d,\"there\":%s,\"refused\":%s,\"unknown\":%s,\"size\":%lld,", st,
             is_there ? "true" : "false", put.is_refused ? "true" : "false",
             put.is_unknown ? "true" : "false", (long long)info.size);
    buf_addf(&b, "\"modified\":%lld,\"put_etag\":", (long long)info.modified_us);
    buf_add_json_str(&b, str_of(put.etag));
    buf_add_z(&b, ",\"etag\":");
    buf_add_json_str(&b, str_of(info.etag));
    buf_add_z(&b, ",\"error\":");
    buf_add_json_str(&b, str_of(st == ST_OK ? "" : err.msg));
    buf_add_z(&b, ",\"names\":[");
    buf_add_str(&b, buf_str(&names));
    buf_add_z(&b, "]}\n");
    fwrite(b.p, 1, b.len, stdout);
    fflush(stdout);
    buf_release(&b);
}

static bool number(const char *arg, const char *name, long long *ret)
{
    const size_t len = strlen(name);
    if (strncmp(arg, name, len) != 0 || arg[len] != '=')
        return false;
    *ret = strtoll(arg + len + 1, NULL, 10);
    return true;
}

int main(int argc, char **argv)
{
    struct object_setup setup = {.env = NULL};
    char line[16384], *words[8];
    long long v;

    for (int i = 2; i < argc; i++) {
        if (number(argv[i], "tries", &v))
            setup.n_tries = (unsigned)v;
        if (number(argv[i], "pause_ms", &v))
            setup.pause_us = v * US_PER_MS;
        if (number(argv[i], "stall_ms", &v))
            setup.stall_timeout_us = v * US_PER_MS;
        if (number(argv[i], "part", &v))
            setup.part_bytes = (size_t)v;
    }
    enum st st = object_open(argc > 1 ? argv[1] : "", &setup, &store, &err);
    answer(st);
    while (st == ST_OK && fgets(line, sizeof(line), stdin)) {
        int n = 0;
        char *rest = line;
        line[strcspn(line, "\n")] = '\0';
        while (rest && n < 8)
            words[n++] = strsep(&rest, "\t");
        put = (struct object_put_result){.is_refused = false};
        info = (struct object_info){.size = 0};
        is_there = false;
        buf_clear(&names);
        answer(run(words, n));
    }
    object_close(store);
    buf_release(&content);
    buf_release(&names);
    return 0;
}
