/* SPDX-License-Identifier: Apache-2.0 */
#include "load/json/json.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define HOUR_US      (3600 * US_PER_S)
#define HOUR_TEXT    13                  /* bytes: "2026-11-23T14" */
#define MAX_JOURNAL  (64u * 1024 * 1024) /* bytes of one hour: 70 pages each second fit */
#define END_OF_ENTRY STR(" ;")           /* an entry that is cut short lacks it */

static enum st journal_path(const char *dir, const char *name, int64_t slot_us,
                            char ret_path[FILE_MAX_PATH], struct err *err)
{
    char hour[TIME_TEXT];

    time_format_file(time_floor(slot_us, HOUR_US), hour);
    return file_path(ret_path, err, "%s/.geckotape/%s/%.*s.journal", dir, name, HOUR_TEXT, hour);
}

enum st json_journal_read(const char *dir, const char *name, int64_t slot_us, struct buf *ret_text,
                          struct err *err)
{
    char path[FILE_MAX_PATH];
    struct err why = ERR_INIT;

    enum st st = journal_path(dir, name, slot_us, path, err);
    if (st != ST_OK)
        return st;
    st = file_read(path, ret_text, &why);
    if (st == ST_OK || (st == ST_REJECT && why.sys == ENOENT))
        return ST_OK;
    *err = why;
    return st == ST_REJECT ? ST_FATAL : st;
}

static bool parse_outcome(struct str word, enum poll_outcome *ret_outcome)
{
    for (enum poll_outcome outcome = POLL_OK; outcome <= POLL_ABORTED; outcome++)
        if (str_eq(word, str_of(poll_outcome_name(outcome)))) {
            *ret_outcome = outcome;
            return true;
        }
    return false;
}

/* "-", or a file directly in raw/ or processed/. */
static bool is_path(struct str path)
{
    struct str file = path, folder;

    if (str_eq(path, STR("-")))
        return true;
    return str_cut(&file, '/', &folder) &&
           (str_eq(folder, STR("raw")) || str_eq(folder, STR("processed"))) && file.len > 0 &&
           file.p[0] != '.' && memchr(file.p, '/', file.len) == NULL;
}

static bool parse_entry(struct str line, struct json_entry *ret_entry)
{
    struct str slot, outcome, stream, offset;
    int64_t end;

    if (line.len < END_OF_ENTRY.len ||
        memcmp(line.p + line.len - END_OF_ENTRY.len, END_OF_ENTRY.p, END_OF_ENTRY.len) != 0)
        return false;
    line.len -= END_OF_ENTRY.len;
    if (!str_cut(&line, ' ', &slot) ||
        !str_to_i64(slot, INT64_MIN, INT64_MAX, &ret_entry->slot_us) ||
        !str_cut(&line, ' ', &outcome) || !parse_outcome(outcome, &ret_entry->outcome) ||
        !str_cut(&line, ' ', &stream) || !str_cut(&line, ' ', &offset) ||
        !str_to_i64(offset, 1, INT64_MAX, &end) || !is_path(line))
        return false;
    ret_entry->stream = stream;
    ret_entry->offset = (uint64_t)end;
    ret_entry->path = line;
    return true;
}

bool json_journal_next(struct str *text, struct json_entry *ret_entry)
{
    struct str line;

    while (str_cut(text, '\n', &line))
        if (parse_entry(line, ret_entry))
            return true;
    return false;
}

void json_journal_format(struct buf *b, const struct json_entry *e)
{
    buf_addf(b, "%lld %s %.*s %llu %.*s%.*s\n", (long long)e->slot_us,
             poll_outcome_name(e->outcome), STR_ARG(e->stream), (unsigned long long)e->offset,
             STR_ARG(e->path), STR_ARG(END_OF_ENTRY));
}

static enum st append(int fd, const char *path, struct str lines, struct err *err)
{
    /* a line that a crash cut short must not swallow the next one */
    enum st st = file_write_all(fd, "\n", 1, path, err);
    if (st == ST_OK)
        st = file_write_all(fd, lines.p, lines.len, path, err);
    if (st == ST_OK && fdatasync(fd) != 0)
        st = err_sys(err, ST_AGAIN, errno, "sync %s", path);
    return st;
}

enum st json_journal_append(const char *dir, const char *name, int64_t slot_us, struct str lines,
                            struct err *err)
{
    char path[FILE_MAX_PATH], folder[FILE_MAX_PATH];

    enum st st = journal_path(dir, name, slot_us, path, err);
    if (st == ST_OK)
        st = file_path(folder, err, "%s/.geckotape/%s", dir, name);
    if (st == ST_OK)
        st = file_mkdirs(folder, err);
    if (st != ST_OK)
        return st;
    bool is_new = access(path, F_OK) != 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_sys(err, ST_AGAIN, errno, "%s", path);
    st = append(fd, path, lines, err);
    close(fd);
    return st == ST_OK && is_new ? file_sync_dir(folder, err) : st;
}

/* The hour of a journal's file name; false for other files. */
static bool parse_hour(const char *file, int64_t *ret_hour_us)
{
    char text[TIME_TEXT];

    if (strlen(file) != HOUR_TEXT + strlen(".journal") || strcmp(file + HOUR_TEXT, ".journal") != 0)
        return false;
    int n = snprintf(text, sizeof(text), "%.*s:00:00Z", HOUR_TEXT, file);
    return time_parse((struct str){text, (size_t)n}, ret_hour_us);
}

/* Delete a file that a journal names, and what a kill before its rename left; true when it is gone.
 */
static bool expire_file(const char *dir, struct str file)
{
    char path[FILE_MAX_PATH], temporary[FILE_MAX_PATH];
    struct err err = ERR_INIT;

    return file_path(path, &err, "%s/%.*s", dir, STR_ARG(file)) == ST_OK &&
           file_path(temporary, &err, "%s.tmp", path) == ST_OK &&
           (unlink(temporary) == 0 || errno == ENOENT) && (unlink(path) == 0 || errno == ENOENT);
}

/* Delete what an hour's journal names and is old enough; true when nothing is left of it. */
static bool expire_hour(const char *dir, const char *name, int64_t hour_us, int64_t before_us)
{
    struct buf text = BUF_INIT(MAX_JOURNAL);
    struct err err = ERR_INIT;
    struct json_entry entry;
    bool is_through = hour_us + HOUR_US <= before_us;

    enum st st = json_journal_read(dir, name, hour_us, &text, &err);
    struct str rest = buf_str(&text);
    while (st == ST_OK && json_journal_next(&rest, &entry)) {
        if (entry.slot_us >= before_us || entry.path.p[0] == '-')
            continue;
        is_through &= expire_file(dir, entry.path);
    }
    buf_release(&text);
    return st == ST_OK && is_through;
}

bool json_journal_hour(const char *dir, const char *name, int64_t from_us, int64_t *ret_hour_us)
{
    char folder[FILE_MAX_PATH];
    struct err err = ERR_INIT;
    int64_t hour_us;
    bool is_there = false;

    if (file_path(folder, &err, "%s/.geckotape/%s", dir, name) != ST_OK)
        return false;
    DIR *journals = opendir(folder);
    for (struct dirent *entry; journals && (entry = readdir(journals)) != NULL;)
        if (parse_hour(entry->d_name, &hour_us) && hour_us >= time_floor(from_us, HOUR_US) &&
            (!is_there || hour_us < *ret_hour_us)) {
            *ret_hour_us = hour_us;
            is_there = true;
        }
    if (journals)
        closedir(journals);
    return is_there;
}

void json_journal_expire(const char *dir, const char *name, int64_t before_us)
{
    char folder[FILE_MAX_PATH], path[FILE_MAX_PATH];
    struct err err = ERR_INIT;
    int64_t hour_us;

    if (file_path(folder, &err, "%s/.geckotape/%s", dir, name) != ST_OK)
        return;
    DIR *journals = opendir(folder);
    for (struct dirent *entry; journals && (entry = readdir(journals)) != NULL;)
        if (parse_hour(entry->d_name, &hour_us) && hour_us < before_us &&
            expire_hour(dir, name, hour_us, before_us) &&
            file_path(path, &err, "%s/%s", folder, entry->d_name) == ST_OK)
            unlink(path);
    if (journals)
        closedir(journals);
}
