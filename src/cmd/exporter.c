/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/exporter.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define MAX_TEXT  (UINT64_C(512) * 1024 * 1024)
#define MAX_ARENA ((size_t)64 * 1024 * 1024)
#define MAX_NOTE  ((size_t)64 * 1024)

/* ---- which format ---- */

/* What a file's name says; OUTPUT_AUTO: nothing. */
static int format_of(struct str name)
{
    if (str_ends(name, STR(".csv")))
        return OUTPUT_CSV;
    if (str_ends(name, STR(".jsonl")) || str_ends(name, STR(".ndjson")))
        return OUTPUT_JSONL;
    return str_ends(name, STR(".parquet")) ? OUTPUT_PARQUET : OUTPUT_AUTO;
}

enum st exporter_init(struct exporter *e, const struct config *config, struct err *err)
{
    const char *file = config->output_file;
    const struct str name = output_unpacked(file);
    const int named = format_of(name);

    *e = (struct exporter){.config = config,
                           .format = config->output,
                           .output = OUTPUT_NONE,
                           .text = BUF_INIT(MAX_TEXT)};
    if (e->format == OUTPUT_JSON || e->format == OUTPUT_TABLE)
        return err_set(err, ST_REJECT,
                       "--format: export writes csv, jsonl or parquet; geckotape query prints %s",
                       e->format == OUTPUT_TABLE ? "tables" : "JSON");
    if (e->format == OUTPUT_AUTO)
        e->format = named != OUTPUT_AUTO ? named : OUTPUT_CSV;
    if (named != OUTPUT_AUTO && named != e->format)
        return err_set(err, ST_REJECT,
                       "--output %s: --format says otherwise; leave one of them out", file);
    if (e->format == OUTPUT_PARQUET && name.len < strlen(file))
        return err_set(err, ST_REJECT,
                       "--output %s: Parquet is compressed inside, and read only as it is; name it "
                       "%.*s",
                       file, STR_ARG(name));
    if (e->format == OUTPUT_PARQUET && file[0] == '\0' && isatty(STDOUT_FILENO))
        return err_set(err, ST_REJECT, "--format parquet: not to a terminal; give --output FILE");
    return ST_OK;
}

void exporter_release(struct exporter *e)
{
    parquet_free(e->parquet);
    output_close(&e->output);
    buf_release(&e->text);
    mem_free(e->columns);
}

/* ---- rows ---- */

static enum st put_parquet(void *ctx, struct str bytes, struct err *err)
{
    struct exporter *e = ctx;

    return output_write(&e->output, bytes, err);
}

static enum st put_text(struct exporter *e, struct err *err)
{
    enum st st = buf_check(&e->text, "output", err);
    if (st == ST_OK)
        st = output_write(&e->output, buf_str(&e->text), err);
    buf_clear(&e->text);
    return st;
}

static void begin_parquet(struct exporter *e, const size_t *sort, size_t n_sort)
{
    struct parquet_options options = {
        .n_columns = e->shown->n, .n_sort = n_sort, .write = put_parquet, .ctx = e};

    e->columns = mem_new(e->shown->n + 1, sizeof(*e->columns));
    for (size_t i = 0; i < e->shown->n; i++)
        e->columns[i] = e->shown->table->columns[e->shown->index[i]];
    for (size_t i = 0; i < n_sort; i++)
        options.sort[i] = sort[i];
    options.columns = e->columns;
    e->parquet = parquet_new(&options);
}

enum st exporter_begin(struct exporter *e, const struct columns *shown, const size_t *sort,
                       size_t n_sort, struct err *err)
{
    e->shown = shown;
    if (e->format == OUTPUT_PARQUET)
        begin_parquet(e, sort, n_sort);
    enum st st = output_open(&e->output, e->config->output_file, err);
    if (st != ST_OK || e->format == OUTPUT_PARQUET)
        return st;
    print_head(&e->text, shown, e->format);
    return put_text(e, err);
}

enum st exporter_add(struct exporter *e, const struct rows *rows, struct err *err)
{
    e->n_rows += rows->n;
    if (e->format != OUTPUT_PARQUET) {
        print_more(&e->text, rows, e->shown, e->format);
        return put_text(e, err);
    }
    return parquet_add_rows(e->parquet, rows->cells, rows->n, rows->table->n_columns,
                            e->shown->index, err);
}

enum st exporter_cut(struct exporter *e, struct err *err)
{
    return e->parquet ? parquet_cut(e->parquet, err) : ST_OK;
}

/* ---- what the file says of itself ---- */

static void add_word(struct buf *b, struct str word)
{
    if (b->len > 0)
        buf_add_char(b, ',');
    buf_add_str(b, word);
}

/* The jobs whose rows it may hold, and which versions of the transform made rows of the span. */
static enum st find_origin(const struct exporter *e, struct query *query, const struct span *span,
                           struct arena *arena, struct buf *names, struct buf *versions,
                           struct err *err)
{
    struct rows jobs = {.n = 0}, spans = {.n = 0};
    bool is_seen[64] = {false};
    enum st st = ST_OK;

    if (query->driver->jobs)
        st = query->driver->jobs(query, arena, &jobs, err);
    if (st == ST_OK && query->driver->spans)
        st = query->driver->spans(query, arena, &spans, err);
    for (size_t i = 0; st == ST_OK && i < jobs.n; i++) {
        const struct cell *job = rows_at(&jobs, i);
        const struct str name = cell_text(&job[KNOWN_JOB_NAME]);
        if (!str_eq(cell_text(&job[KNOWN_JOB_ENDPOINT]), STR("coins/markets")) ||
            !str_eq(cell_text(&job[KNOWN_JOB_VS_CURRENCY]), str_of(e->config->job.vs)))
            continue;
        add_word(names, name);
        for (size_t k = 0; k < spans.n; k++) {
            const struct cell *made = rows_at(&spans, k);
            const int64_t version = made[SPAN_TRANSFORM_VERSION].number;
            if (str_eq(cell_text(&made[SPAN_JOB]), name) && version >= 0 &&
                version < (int64_t)(sizeof(is_seen) / sizeof(is_seen[0])) &&
                made[SPAN_LAST_SLOT].number >= span->from_us &&
                made[SPAN_FIRST_SLOT].number < span->until_us)
                is_seen[version] = true;
        }
    }
    for (size_t i = 0; i < sizeof(is_seen) / sizeof(is_seen[0]); i++)
        if (is_seen[i])
            buf_addf(versions, "%s%zu", versions->len > 0 ? "," : "", i);
    return st;
}

static enum st finish_parquet(struct exporter *e, struct query *query,
                              const struct export_what *what, struct err *err)
{
    struct buf names = BUF_INIT(MAX_NOTE), versions = BUF_INIT(MAX_NOTE);
    char since[TIME_TEXT], until[TIME_TEXT], step[24];
    struct arena arena;

    arena_init(&arena, MAX_ARENA);
    time_format(what->span.from_us, since);
    time_format(what->span.until_us, until);
    snprintf(step, sizeof(step), "%" PRId64, what->step_us / US_PER_S);
    enum st st = find_origin(e, query, &what->span, &arena, &names, &versions, err);
    if (st == ST_OK) {
        const struct parquet_note notes[] = {
            {"geckotape.version", GECKOTAPE_VERSION},
            {"geckotape.content", what->name},
            {"geckotape.vs_currency", e->config->job.vs},
            {"geckotape.since", since},
            {"geckotape.until", until},
            {"geckotape.jobs", buf_z(&names)},
            {"geckotape.transform_versions", buf_z(&versions)},
            {"geckotape.step_seconds", step},
        };
        const size_t n = sizeof(notes) / sizeof(notes[0]);
        st = parquet_finish(e->parquet, notes, what->step_us > 0 ? n : n - 1, err);
    }
    buf_release(&names);
    buf_release(&versions);
    arena_release(&arena);
    return st;
}

enum st exporter_finish(struct exporter *e, struct query *query, const struct export_what *what,
                        struct err *err)
{
    enum st st = ST_OK;

    if (e->format == OUTPUT_PARQUET)
        st = finish_parquet(e, query, what, err);
    return st == ST_OK ? output_finish(&e->output, err) : st;
}
