/* SPDX-License-Identifier: Apache-2.0 */
#include "load/json/position.h"

#include "base/file.h"
#include "tape/tape.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_POSITION 2048 /* bytes */
#define FORMAT       "geckotape-json 1"

static bool parse_u64(struct str s, int base, uint64_t *ret_value)
{
    char text[24], *end;

    if (s.len == 0 || s.len >= sizeof(text))
        return false;
    memcpy(text, s.p, s.len);
    text[s.len] = '\0';
    errno = 0;
    *ret_value = strtoull(text, &end, base);
    return errno == 0 && *end == '\0' && text[0] != '-';
}

static bool copy_text(struct str s, char *ret, size_t size)
{
    if (s.len == 0 || s.len >= size)
        return false;
    memcpy(ret, s.p, s.len);
    ret[s.len] = '\0';
    return true;
}

static bool parse(struct str text, struct json_position *p)
{
    struct str line, key;
    unsigned seen = 0;

    if (!str_cut(&text, '\n', &line) || !str_eq(line, STR(FORMAT)))
        return false;
    while (str_cut(&text, '\n', &line)) {
        if (!str_cut(&line, ' ', &key))
            return false;
        if (str_eq(key, STR("stream")) && copy_text(line, p->stream, sizeof(p->stream)))
            seen |= 1;
        else if (str_eq(key, STR("job")) && copy_text(line, p->job, sizeof(p->job)))
            seen |= 2;
        else if (str_eq(key, STR("name")) && tape_job_name_is_valid(line) &&
                 copy_text(line, p->name, sizeof(p->name)))
            seen |= 4;
        else if (str_eq(key, STR("offset")) && parse_u64(line, 10, &p->at.offset))
            seen |= 8;
        else if (str_eq(key, STR("hash")) && parse_u64(line, 16, &p->at.hash))
            seen |= 16;
        else if (str_eq(key, STR("epoch")) && parse_u64(line, 10, &p->epoch))
            seen |= 32;
        else if (str_eq(key, STR("newest"))) /* old ones lack it */
            (void)str_to_i64(line, 0, INT64_MAX, &p->newest_us);
    }
    return seen == 63;
}

static enum st position_path(const char *dir, const char *stream, char ret_path[FILE_MAX_PATH],
                             struct err *err)
{
    return file_path(ret_path, err, "%s/.geckotape/%s.position", dir, stream);
}

enum st json_position_read(const char *dir, const char *stream, bool *ret_is_there,
                           struct json_position *ret_position, struct err *err)
{
    struct buf text = BUF_INIT(MAX_POSITION);
    struct json_position position = {.epoch = 0};
    char path[FILE_MAX_PATH];
    struct err why = ERR_INIT;

    enum st st = position_path(dir, stream, path, err);
    if (st != ST_OK)
        return st;
    st = file_read(path, &text, &why);
    *ret_is_there = st == ST_OK;
    if (st == ST_OK && (!parse(buf_str(&text), &position) || strcmp(position.stream, stream) != 0))
        st = err_set(err, ST_FATAL,
                     "%s: is damaged, or of a newer geckotape; when it is deleted, the stream is "
                     "loaded again from the tape",
                     path);
    else if (st == ST_OK)
        *ret_position = position;
    else if (st == ST_REJECT && why.sys == ENOENT)
        st = ST_OK;
    else
        *err = why;
    buf_release(&text);
    return st;
}

enum st json_position_write(const char *dir, const struct json_position *p, struct err *err)
{
    struct buf text = BUF_INIT(MAX_POSITION);
    char path[FILE_MAX_PATH];

    buf_addf(&text,
             FORMAT "\nstream %s\njob %s\nname %s\noffset %" PRIu64 "\nhash %016" PRIx64
                    "\nepoch %" PRIu64 "\nnewest %" PRId64 "\n",
             p->stream, p->job, p->name, p->at.offset, p->at.hash, p->epoch, p->newest_us);
    enum st st = position_path(dir, p->stream, path, err);
    if (st == ST_OK)
        st = file_replace(path, buf_str(&text), err);
    buf_release(&text);
    return st;
}

/* Who has which name in dir? */
struct names {
    bool is_market_taken, is_job_taken; /* by another job */
    char own[TAPE_MAX_JOB + 1];         /* of an earlier stream of this job */
};

static void note_name(struct names *names, const struct json_position *p,
                      const struct json_position *other)
{
    if (strcmp(p->job, other->job) == 0) {
        memcpy(names->own, other->name, sizeof(names->own));
        return;
    }
    names->is_market_taken |= strcmp(other->name, "market") == 0;
    names->is_job_taken |= strcmp(other->name, p->job) == 0;
}

static enum st read_names(const char *dir, const struct json_position *p, struct names *names,
                          struct err *err)
{
    char folder[FILE_MAX_PATH];
    struct json_position other;
    struct dirent *entry;

    enum st st = file_path(folder, err, "%s/.geckotape", dir);
    if (st != ST_OK)
        return st;
    DIR *positions = opendir(folder);
    if (positions == NULL)
        return err_sys(err, ST_AGAIN, errno, "%s", folder);
    while (st == ST_OK && (entry = readdir(positions)) != NULL) {
        char stream[SINK_UUID_TEXT];
        bool is_there;
        if (strlen(entry->d_name) != SINK_UUID_TEXT - 1 + strlen(".position") ||
            strcmp(entry->d_name + SINK_UUID_TEXT - 1, ".position") != 0)
            continue;
        memcpy(stream, entry->d_name, sizeof(stream) - 1);
        stream[sizeof(stream) - 1] = '\0';
        st = json_position_read(dir, stream, &is_there, &other, err);
        if (st == ST_OK && is_there)
            note_name(names, p, &other);
    }
    closedir(positions);
    return st;
}

enum st json_position_choose_name(const char *dir, struct json_position *p, struct err *err)
{
    /* names of that form are made of the selection: config_job_name() */
    bool is_made_by_flags = str_starts(str_of(p->job), STR("markets-"));
    struct names names = {.own = ""};

    enum st st = read_names(dir, p, &names, err);
    if (st != ST_OK)
        return st;
    if (names.own[0] != '\0')
        snprintf(p->name, sizeof(p->name), "%s", names.own);
    else if (is_made_by_flags && !names.is_market_taken)
        snprintf(p->name, sizeof(p->name), "market");
    else if (!names.is_job_taken)
        snprintf(p->name, sizeof(p->name), "%s", p->job);
    else
        st = err_set(err, ST_FATAL,
                     "%s: another job's files are called %s there; give this sink a directory of "
                     "its own",
                     dir, p->job);
    return st;
}
