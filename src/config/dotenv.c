/* `.env`: KEY=VALUE lines that several programs share. Only our names are looked at; what others
 * write, however they write it, is passed over. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "config/parts.h"

#include "base/file.h"
#include "base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#define MAX_FILE  ((size_t)1 << 20)
#define MAX_PLACE 300

struct scan {
    const char *path;
    struct str rest;
    size_t line; /* of the first byte of rest, from 1 */
    struct config_read *read;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static void skip(struct scan *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        s->line += s->rest.p[i] == '\n';
    s->rest = (struct str){s->rest.p + n, s->rest.len - n};
}

static void skip_blanks(struct scan *s)
{
    while (s->rest.len > 0 && is_blank(s->rest.p[0]))
        skip(s, 1);
}

static size_t line_len(struct str s)
{
    const char *end = s.len > 0 ? memchr(s.p, '\n', s.len) : NULL;
    return end ? (size_t)(end - s.p) : s.len;
}

/* A letter behind a dollar: shells and compose would put a variable's value there. */
static bool is_expansion(struct str s, size_t i)
{
    return s.p[i] == '$' && i + 1 < s.len &&
           (isalpha((unsigned char)s.p[i + 1]) || strchr("_{(", s.p[i + 1]));
}

/* What stands between double quotes, unescaped; false when something would have to be expanded. */
static bool unescape(struct str raw, struct buf *ret)
{
    static const char from[] = "nrt\"\\$", to[] = "\n\r\t\"\\$";

    for (size_t i = 0; i < raw.len; i++) {
        const char *escape =
            raw.p[i] == '\\' && i + 1 < raw.len ? memchr(from, raw.p[i + 1], 6) : NULL;
        if (is_expansion(raw, i))
            return false;
        buf_add_char(ret, escape ? to[escape - from] : raw.p[i]);
        i += escape != NULL;
    }
    return true;
}

/* The length of a quoted value with its quotes, 0 when nothing closes it. */
static size_t quoted_len(struct str s)
{
    for (size_t i = 1; i < s.len; i++) {
        if (s.p[i] == s.p[0])
            return i + 1;
        if (s.p[0] == '"' && s.p[i] == '\\')
            i++;
    }
    return 0;
}

/* Up to a comment (a # behind a blank) or the end of the line. */
static struct str unquoted(struct str line)
{
    for (size_t i = 0; i < line.len; i++)
        if (line.p[i] == '#' && (i == 0 || is_blank(line.p[i - 1])))
            line.len = i;
    return str_trim(line);
}

static void problem(struct scan *s, const char *place, const char *what)
{
    opt_problem(s->read->problems, "%s: %s", place, what);
}

static void found(struct scan *s, struct str name, struct str value, const char *place)
{
    struct variables *all = &s->read->variables;
    size_t before = all->n;

    /* as for a shell the last one counts; two are hardly meant */
    for (size_t i = 0; i < before; i++)
        if (all->all[i].rank == RANK_DOTENV && str_eq(name, str_of(all->all[i].name))) {
            opt_warning(s->read->problems, "%s: takes the place of %s", place, all->all[i].place);
            mem_free(all->all[i].value);
            mem_free(all->all[i].place);
            all->all[i].value = mem_strndup(value.p, value.len);
            all->all[i].place = mem_strdup(place);
            return;
        }
    variables_add(all, name, value, str_of(place), RANK_DOTENV);
}

/* A password may hold a dollar: nobody would look for a variable there. */
static bool is_literal(struct str name)
{
    return str_starts(name, STR("POSTGRES_"));
}

/* A value of ours; `raw` is what follows the '=', up to the end of its line or its last quote. */
static void take(struct scan *s, struct str name, struct str raw, const char *place)
{
    struct buf text = BUF_INIT(MAX_FILE);
    bool is_quoted = raw.len > 0 && (raw.p[0] == '"' || raw.p[0] == '\'');
    bool is_whole = true;
    struct str value = unquoted(raw);

    if (is_quoted) {
        value = (struct str){raw.p + 1, raw.len - 2};
        if (raw.p[0] == '"') {
            is_whole = unescape(value, &text);
            value = buf_str(&text);
        }
    }
    for (size_t i = 0; !is_quoted && i < value.len; i++)
        is_whole = is_whole && !is_expansion(value, i);
    if (!is_whole && !is_literal(name))
        problem(s, place,
                "variables are not expanded here; write the value out, or put it between single "
                "quotes");
    else if (value.len > 0 && memchr(value.p, '\0', value.len))
        problem(s, place, "holds a zero byte");
    else
        found(s, name, value, place);
    buf_release(&text);
}

/* The value behind `name=`, over several lines where a quote says so. */
static void read_value(struct scan *s, struct str name, bool is_ours, const char *place)
{
    bool is_quote = s->rest.len > 0 && (s->rest.p[0] == '"' || s->rest.p[0] == '\'');
    size_t len = is_quote ? quoted_len(s->rest) : line_len(s->rest);
    struct str raw = {s->rest.p, len};

    if (is_quote && len == 0) {
        if (is_ours)
            problem(s, place, "nothing closes the quote; add one behind the value");
        return;
    }
    if (is_ours)
        take(s, name, raw, place);
    skip(s, len);
    struct str behind = unquoted((struct str){s->rest.p, line_len(s->rest)});
    if (is_ours && is_quote && behind.len > 0)
        problem(s, place, "something follows the closing quote; take it away, or quote all of it");
}

static void read_line(struct scan *s)
{
    static const struct str export = {"export", 6};
    char place[MAX_PLACE];
    struct str name = {NULL, 0};

    skip_blanks(s);
    if (str_starts(s->rest, export) && s->rest.len > 6 && is_blank(s->rest.p[6])) {
        skip(s, 6);
        skip_blanks(s);
    }
    name = (struct str){s->rest.p, 0};
    while (name.len < s->rest.len && is_name_char(s->rest.p[name.len]))
        name.len++;
    bool is_ours = variable_is_ours(name);
    snprintf(place, sizeof(place), "%s:%zu: %.*s", s->path, s->line,
             (int)(name.len < 100 ? name.len : 100), name.p);
    skip(s, name.len);
    skip_blanks(s);
    if (s->rest.len > 0 && s->rest.p[0] == '=') {
        skip(s, 1);
        skip_blanks(s);
        read_value(s, name, is_ours, place);
    } else if (is_ours) {
        problem(s, place, "no = behind the name; write NAME=value");
    }
    skip(s, line_len(s->rest));
    if (s->rest.len > 0)
        skip(s, 1);
}

void dotenv_read(const char *path, struct config_read *read)
{
    struct buf bytes = BUF_INIT(MAX_FILE);
    struct err err = ERR_INIT;
    enum st st = file_read(path, &bytes, &err);

    /* a directory of that name is somebody's Python */
    if (st != ST_OK && err.sys != ENOENT && err.sys != EISDIR && err.sys != ENOTDIR)
        opt_problem(read->problems, "%s", err.msg);
    struct scan scan = {.path = path, .rest = buf_str(&bytes), .line = 1, .read = read};
    if (str_starts(scan.rest, STR("\xEF\xBB\xBF")))
        skip(&scan, 3);
    while (st == ST_OK && scan.rest.len > 0)
        read_line(&scan);
    buf_release(&bytes);
}
