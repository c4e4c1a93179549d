/* Print what the transform makes of raw bodies, as JSON lines, for test_transform.py.
 *
 *     transform_dump [endpoint:NAME] [target:PATH] [fetched:US] POLL…      POLL: FILE, or
 * FILE,FILE,… for several pages; "partial:" in front
 *
 * The polls follow each other on one stream, one every 5 minutes from 2026-11-23T14:00:00Z; a page
 * is fetched page-number seconds after its slot, or when it is said to be. Lines: {"poll":…} with
 * its counts or its error, then its {"row":…}, {"refusal":…}, {"drift":…}, {"flag":…},
 * {"absent":…}.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/file.h"
#include "transform/coins.h"
#include "transform/drift.h"
#include "transform/quality.h"

#include <stdio.h>
#include <stdlib.h>

#define FIRST_SLOT INT64_C(1795442400000000) /* 2026-11-23T14:00:00Z */
#define EVERY      (300 * US_PER_S)
#define MAX_PAGES  16
#define MAX_BYTES  ((size_t)1 << 31)

static void put_line(struct buf *line)
{
    struct err err = ERR_INIT;

    buf_add_char(line, '\n');
    if (buf_check(line, "a line", &err) != ST_OK ||
        fwrite(line->p, 1, line->len, stdout) != line->len)
        abort();
    buf_clear(line);
}

static void put_str(struct buf *line, const char *what, struct str value)
{
    buf_addf(line, "{\"%s\":", what);
    buf_add_json_str(line, value);
    buf_add_char(line, '}');
    put_line(line);
}

static void put_row(struct buf *line, const struct poll_rows *p, size_t i)
{
    const struct table *t = p->rows.table;
    const char *separator = "{\"row\":{";

    for (size_t c = 0; c < t->n_columns; c++, separator = ",") {
        buf_addf(line, "%s\"%s\":", separator, t->columns[c].name);
        cell_add_json(line, &rows_at(&p->rows, i)[c]);
    }
    buf_addf(line, "},\"unchanged\":%s}", p->is_unchanged[i] ? "true" : "false");
    put_line(line);
}

static void put_refusal(struct buf *line, const struct refusal *r)
{
    buf_addf(line, "{\"refusal\":{\"offset\":%llu,\"index\":%u,\"reason\":\"%s\",\"coin\":",
             (unsigned long long)r->offset, r->index, r->reason);
    buf_add_json_str(line, r->coin);
    buf_add_z(line, ",\"field\":");
    buf_add_json_str(line, r->field);
    buf_add_z(line, ",\"value\":");
    buf_add_json_str(line, r->value);
    buf_add_z(line, "}}");
    put_line(line);
}

static void put_drift(struct buf *line, const struct drift *d)
{
    buf_addf(line, "{\"drift\":[\"%s\",", drift_kinds[d->kind].name);
    buf_add_json_str(line, d->field);
    buf_add_char(line, ',');
    buf_add_json_str(line, d->from);
    buf_add_char(line, ',');
    buf_add_json_str(line, d->to);
    buf_add_z(line, "]}");
    put_line(line);
}

static void put_flag(struct buf *line, const struct poll_rows *p, const struct quality_flag *flag)
{
    buf_add_z(line, "{\"flag\":[");
    buf_add_json_str(line, cell_text(&rows_at(&p->rows, flag->row)[ROW_ID]));
    buf_addf(line, ",\"%s\",", quality_rules[flag->rule].name);
    buf_add_json_str(line, flag->detail);
    buf_add_z(line, "]}");
    put_line(line);
}

static void put_poll(struct buf *line, const struct poll_rows *p)
{
    buf_addf(line, "{\"poll\":{\"rows_in\":%u,\"rows\":%zu,\"unchanged\":%zu,\"since\":%llu}}",
             p->rows_in, p->rows.n, p->n_unchanged, (unsigned long long)p->unchanged_since);
    put_line(line);
    for (size_t i = 0; i < p->rows.n; i++)
        put_row(line, p, i);
    for (size_t i = 0; i < p->n_refusals; i++)
        put_refusal(line, &p->refusals[i]);
    for (size_t i = 0; i < p->n_drifts; i++)
        put_drift(line, &p->drifts[i]);
    for (size_t i = 0; i < p->n_flags; i++)
        put_flag(line, p, &p->flags[i]);
    for (size_t i = 0; i < p->n_absent; i++)
        put_str(line, "absent", p->absent[i]);
}

struct asked {
    struct str target;
    int64_t fetched_us; /* 0: by its slot */
};

/* What stands behind "name:" in the next argument, which is taken. */
static struct str take_option(int *argc, char ***argv, const char *name)
{
    struct str arg = str_of(*argc > 1 ? (*argv)[1] : NULL);

    if (!str_starts(arg, str_of(name)))
        return STR_NONE;
    --*argc, ++*argv;
    return (struct str){arg.p + strlen(name), arg.len - strlen(name)};
}

/* Read the files of one poll; the records are numbered on from *offset. */
static size_t read_pages(struct str files, struct arena *arena, const struct asked *asked,
                         int64_t slot_us, uint64_t *offset, struct poll_page pages[MAX_PAGES])
{
    size_t n = 0;
    struct str file;

    while (files.len > 0 && n < MAX_PAGES) {
        struct buf body = BUF_INIT(TAPE_MAX_BODY);
        struct err err = ERR_INIT;
        char path[FILE_MAX_PATH];
        str_cut(&files, ',', &file);
        if (file_path(path, &err, "%.*s", STR_ARG(file)) != ST_OK ||
            file_read(path, &body, &err) != ST_OK) {
            fprintf(stderr, "%s\n", err.msg);
            exit(EXIT_FAILURE);
        }
        pages[n] = (struct poll_page){
            .record = {.type = TAPE_PAGE,
                       .offset = ++*offset,
                       .page = (uint32_t)n + 1,
                       .target = asked->target,
                       .fetched_at_us = asked->fetched_us ? asked->fetched_us
                                                          : slot_us + (int64_t)(n + 1) * US_PER_S},
            .body = json_pad(arena, buf_str(&body)),
        };
        n++;
        buf_release(&body);
    }
    return n;
}

int main(int argc, char **argv)
{
    struct stream_id stream = {.job = "test", .endpoint = "coins/markets"};
    static const struct str partial = STR("partial:");
    struct asked asked = {.fetched_us = 0};
    struct json *json = json_new();
    struct buf line = BUF_INIT(MAX_BYTES);
    struct poll_rows *polls, *prev_rows = NULL, *prev_ok = NULL;
    struct poll_page pages[MAX_PAGES];
    struct arena arena;
    uint64_t offset = 0;

    struct str endpoint = take_option(&argc, &argv, "endpoint:");
    if (endpoint.len > 0)
        snprintf(stream.endpoint, sizeof(stream.endpoint), "%.*s", STR_ARG(endpoint));
    asked.target = take_option(&argc, &argv, "target:");
    struct str fetched = take_option(&argc, &argv, "fetched:");
    if (fetched.len > 0 && !str_to_i64(fetched, 0, INT64_MAX, &asked.fetched_us))
        return EXIT_FAILURE;
    arena_init(&arena, MAX_BYTES);
    polls = arena_zalloc(&arena, (size_t)argc, sizeof(*polls));
    for (int i = 1; i < argc; i++) {
        struct str files = str_of(argv[i]);
        bool is_partial = str_starts(files, partial);
        int64_t slot_us = FIRST_SLOT + (i - 1) * EVERY;
        struct err err = ERR_INIT;
        if (is_partial)
            files = (struct str){files.p + partial.len, files.len - partial.len};
        size_t n_pages = read_pages(files, &arena, &asked, slot_us, &offset, pages);
        struct tape_record end = {.type = TAPE_END,
                                  .offset = ++offset,
                                  .stream = &stream,
                                  .slot_us = slot_us,
                                  .outcome = is_partial ? POLL_PARTIAL : POLL_OK};
        struct transform_input in = {&end, pages, n_pages, prev_rows, prev_ok};
        if (transform_poll(&in, json, &arena, &polls[i], &err) != ST_OK) {
            buf_add_z(&line, "{\"poll\":{\"error\":");
            buf_add_json_str(&line, str_of(err.msg));
            buf_add_z(&line, "}}");
            put_line(&line);
            continue;
        }
        put_poll(&line, &polls[i]);
        prev_rows = &polls[i];
        if (!is_partial)
            prev_ok = &polls[i];
    }
    buf_release(&line);
    arena_release(&arena);
    json_free(json);
    return EXIT_SUCCESS;
}
