/* A folder of timestamped JSON files, plain or compressed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "import/source.h"

#include "base/mem.h"
#include "tape/record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_AT_ONCE ((size_t)64 * 1024)
#define MAX_SERIES   256 /* bytes of what stands before the time in a name */

struct folder {
    int fd;
    char series[MAX_SERIES]; /* of the first file with a time */
    bool has_series;
    size_t n_others; /* entries that are no JSON files */
};

/* The name without ".json", ".json.gz", ".json.zst"; false when it has none of them. */
static bool is_json_name(struct str name, struct str *ret_stem)
{
    static const struct str suffixes[] = {STR(".json"), STR(".json.gz"), STR(".json.zst")};

    if (name.len == 0 || name.p[0] == '.')
        return false;
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        size_t n = suffixes[i].len;
        if (name.len > n && strncasecmp(name.p + name.len - n, suffixes[i].p, n) == 0) {
            *ret_stem = (struct str){name.p, name.len - n};
            return true;
        }
    }
    return false;
}

/* "market_2026-11-23T14-30-00Z_p2": the second page of the poll that the stem before names. */
static uint32_t cut_page(struct str *stem)
{
    size_t i = stem->len;
    int64_t page;

    while (i > 0 && stem->p[i - 1] >= '0' && stem->p[i - 1] <= '9')
        i--;
    struct str number = {stem->p + i, stem->len - i};
    if (i < 2 || stem->p[i - 1] != 'p' || stem->p[i - 2] != '_' ||
        !str_to_i64(number, 2, TAPE_MAX_PAGES, &page))
        return 1;
    stem->len = i - 2;
    return (uint32_t)page;
}

/* What stands before the time, each number as '*': also a pattern that finds its like. */
static void read_series(struct str before, char ret_series[MAX_SERIES])
{
    struct buf series = BUF_INIT(MAX_SERIES - 1);

    for (size_t i = 0; i < before.len && series.len < MAX_SERIES - 1; i++) {
        bool is_digit = before.p[i] >= '0' && before.p[i] <= '9';
        if (!is_digit)
            buf_add_char(&series, before.p[i]);
        else if (series.len == 0 || series.p[series.len - 1] != '*')
            buf_add_char(&series, '*');
    }
    snprintf(ret_series, MAX_SERIES, "%s", buf_z(&series));
    buf_release(&series);
}

/* Files of two series (two jobs, two currencies) in one folder are not one history. */
static enum st check_series(struct folder *f, const struct source *s, struct str before,
                            struct err *err)
{
    struct buf first = BUF_INIT(1024), other = BUF_INIT(1024);
    char series[MAX_SERIES];
    enum st st = ST_OK;

    read_series(before, series);
    if (!f->has_series)
        memcpy(f->series, series, sizeof(series));
    f->has_series = true;
    if (strcmp(series, f->series) != 0) {
        buf_add_clean(&first, str_of(f->series), 60);
        buf_add_clean(&other, str_of(series), 60);
        st =
            err_set(err, ST_REJECT,
                    "%.200s: files of several series, '%s[0-9]*' and '%s[0-9]*' among them; import "
                    "one at a time by such a pattern in --path, each with a --name",
                    s->setup->source, buf_z(&first), buf_z(&other));
    }
    buf_release(&first);
    buf_release(&other);
    return st;
}

static enum st add_file(struct source *s, struct folder *f, const char *name, struct str stem,
                        struct err *err)
{
    struct item item = {.name = name, .page = cut_page(&stem)};
    struct str whole = str_of(name);
    size_t at, end;
    struct stat there;

    item.stem = (uint32_t)stem.len;
    if (when_find(&s->when, stem, &item.time_us, &at, &end)) {
        enum st st = check_series(f, s, (struct str){name, at}, err);
        return st == ST_OK ? source_add(s, &item, whole, err) : st;
    }
    if (!s->setup->use_mtime) {
        source_skip(s, IMPORT_NO_TIME, whole, "no time in its name; --mtime takes the file's");
        return ST_OK;
    }
    if (fstatat(f->fd, name, &there, 0) != 0) {
        source_skip(s, IMPORT_UNREADABLE, whole, "%s", strerror(errno));
        return ST_OK;
    }
    item.time_us = (int64_t)there.st_mtim.tv_sec * US_PER_S + there.st_mtim.tv_nsec / 1000;
    return source_add(s, &item, whole, err);
}

static enum st add_entry(struct source *s, struct folder *f, const char *name, struct err *err)
{
    const char *pattern = s->setup->in_path;
    struct str stem;

    if (pattern && pattern[0] != '\0' && fnmatch(pattern, name, 0) != 0)
        return ST_OK;
    if (!is_json_name(str_of(name), &stem)) {
        f->n_others += name[0] != '.';
        return ST_OK;
    }
    return add_file(s, f, name, stem, err);
}

static enum st read_entries(struct source *s, struct folder *f, DIR *dir, struct err *err)
{
    for (size_t n = 0;; n++) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (entry == NULL && errno != 0)
            return err_sys(err, ST_AGAIN, errno, "%.200s", s->setup->source);
        if (entry == NULL)
            return ST_OK;
        if (n % 1024 == 0 && !source_go_on(s, n, 0, entry->d_name))
            return source_stopped(s, err);
        enum st st = add_entry(s, f, entry->d_name, err);
        if (st != ST_OK)
            return st;
    }
}

static enum st list(struct source *s, struct err *err)
{
    struct folder *f = mem_new(1, sizeof(*f));

    s->state = f;
    f->fd = open(s->setup->source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int copy = f->fd < 0 ? -1 : fcntl(f->fd, F_DUPFD_CLOEXEC, 0);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    if (dir == NULL) {
        int why = errno;
        if (copy >= 0)
            close(copy);
        return err_sys(err, ST_REJECT, why, "%.200s", s->setup->source);
    }
    enum st st = read_entries(s, f, dir, err);
    closedir(dir);
    if (st == ST_OK && f->n_others > 0)
        source_note(s, "%zu entries of %s are no .json, .json.gz or .json.zst files; %s",
                    f->n_others, s->setup->source,
                    s->n_items > 0 ? "they are left alone"
                                   : "folders in it are imported one by one");
    return st;
}

/* Read the whole of a regular file into s->raw. */
static enum st read_file(struct source *s, int fd, struct err *err)
{
    struct stat there;

    buf_clear(&s->raw);
    if (fstat(fd, &there) != 0)
        return err_sys(err, ST_REJECT, errno, "stat");
    if (!S_ISREG(there.st_mode))
        return err_set(err, ST_REJECT, "not a file");
    for (;;) {
        char *room = s->raw.len <= TAPE_MAX_BODY ? buf_room(&s->raw, READ_AT_ONCE) : NULL;
        if (room == NULL && s->raw.len <= TAPE_MAX_BODY)
            return err_set(err, ST_AGAIN, "no memory for a file of more than %zu bytes",
                           s->raw.len);
        if (room == NULL)
            return err_sys(err, ST_REJECT, EFBIG, "more than %u bytes", TAPE_MAX_BODY);
        ssize_t n = read(fd, room, READ_AT_ONCE);
        if (n == 0)
            return ST_OK;
        if (n > 0)
            buf_added(&s->raw, (size_t)n);
        else if (errno != EINTR)
            return err_sys(err, ST_REJECT, errno, "read");
    }
}

static enum st read_item(struct source *s, const struct item *item, bool is_only, struct err *err)
{
    const struct folder *f = s->state;
    struct str shown = str_of(item->name), body;
    struct err why = ERR_INIT;
    enum st st = ST_OK;

    /* a pipe of that name must not stop us */
    int fd = openat(f->fd, item->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        st = err_sys(&why, ST_REJECT, errno, "open");
    if (st == ST_OK)
        st = read_file(s, fd, &why);
    if (st == ST_OK)
        st = source_unpack(s, &body, &why);
    if (fd >= 0)
        close(fd);
    if (st == ST_AGAIN)
        return err_set(err, ST_AGAIN, "%s", why.msg);
    if (st != ST_OK) {
        source_skip(s, why.sys == EFBIG ? IMPORT_TOO_LARGE : IMPORT_UNREADABLE, shown, "%s",
                    why.msg);
        return ST_OK;
    }
    return source_page(s, item->page, is_only, shown, body, err);
}

static bool is_same_poll(const struct item *a, const struct item *b)
{
    return a->stem == b->stem && memcmp(a->name, b->name, a->stem) == 0;
}

/* The first stem of a time that has a good page is the poll; of two files of one page (one of them
 * compressed) the first good one counts. */
static enum st read_poll(struct source *s, const struct item *items, size_t n, struct err *err)
{
    uint32_t last_page = 0;
    enum st st = ST_OK;

    for (size_t i = 0, from = 0; st == ST_OK && i < n; i++) {
        if (!is_same_poll(&items[from], &items[i]))
            from = s->n_taken > 0 ? from : i;
        if (s->n_taken > 0 &&
            (!is_same_poll(&items[from], &items[i]) || items[i].page == last_page)) {
            source_skip(s, IMPORT_SAME_TIME, str_of(items[i].name),
                        "another file of the same time came first");
            continue;
        }
        size_t before = s->n_taken;
        st = read_item(s, &items[i], n == 1, err);
        if (s->n_taken > before)
            last_page = items[i].page;
    }
    return st;
}

static void close_folder(struct source *s)
{
    struct folder *f = s->state;

    if (f && f->fd >= 0)
        close(f->fd);
    mem_free(f);
}

const struct source_kind source_folder = {
    .name = "folder", .list = list, .read = read_poll, .close = close_folder};
