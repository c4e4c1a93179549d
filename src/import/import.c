/* SPDX-License-Identifier: Apache-2.0 */
#include "import/import.h"

#include "base/mem.h"
#include "import/detect.h"
#include "import/present.h"
#include "import/source.h"
#include "tape/writer.h"

#include <stdio.h>
#include <stdlib.h>

#define SEGMENT_SPAN_US   (3600 * US_PER_S)
#define SEGMENT_MAX_BYTES (UINT64_C(256) * 1024 * 1024)
#define MAX_SHOWN         200 /* bytes of a file's name in a record's target */

struct run {
    struct source source;
    struct present present;
    struct tape_writer *writer; /* NULL: not opened yet, or a dry run */

    /* the poll at hand */
    int64_t slot_us;
    struct poll_hash hash;
    uint64_t pages[TAPE_MAX_PAGES]; /* offsets; 0: not there */
    uint32_t n_pages;
    uint64_t bytes;
};

/* ---- the stream ---- */

static enum st open_writer(struct run *run, struct err *err)
{
    const struct import_setup *setup = run->source.setup;
    struct tape_writer_setup w = {
        .tape = setup->tape,
        .clock = setup->clock,
        .id = {.endpoint = "coins/markets", .selection = TAPE_IMPORT},
        .segment_span_us = SEGMENT_SPAN_US,
        .segment_max_bytes = SEGMENT_MAX_BYTES,
    };
    struct tape_recovery recovery = {.head = 0};

    snprintf(w.id.job, sizeof(w.id.job), "%s", run->source.result->job);
    snprintf(w.id.vs_currency, sizeof(w.id.vs_currency), "%s", setup->vs_currency);
    enum st st = setup->open ? setup->open(setup->ctx, &w.id, &run->writer, err)
                             : tape_writer_open(&w, &run->writer, &recovery, err);
    if (st != ST_OK)
        return err_wrap(err, st, "import: ");
    if (recovery.torn_bytes > 0)
        source_note(&run->source, "a torn tail of %llu bytes was cut off the tape and kept as %s",
                    (unsigned long long)recovery.torn_bytes, recovery.torn_file);
    if (recovery.unreadable_file[0] != '\0')
        source_note(&run->source, "the disk cannot read all of %s, which is left as it is",
                    recovery.unreadable_file);
    return ST_OK;
}

/* ---- a poll ---- */

/* A page that is only looked at. */
static enum st count_page(struct source *s, uint32_t page, struct str target, struct str body,
                          struct err *err)
{
    struct run *run = s->take_ctx;
    uint8_t hash[16];

    (void)target, (void)err;
    poll_hash_body(body, hash);
    poll_hash_add(&run->hash, hash);
    run->bytes += body.len;
    run->n_pages = page > run->n_pages ? page : run->n_pages;
    return ST_OK;
}

static enum st append_page(struct source *s, uint32_t page, struct str shown, struct str body,
                           struct err *err)
{
    struct buf target = BUF_INIT(1024);
    struct run *run = s->take_ctx;

    enum st st = run->writer ? ST_OK : open_writer(run, err);
    if (st != ST_OK)
        return st;
    buf_add_z(&target, "import:");
    buf_add_clean(&target, shown, MAX_SHOWN);
    const struct tape_record r = {
        .is_json = true,
        .slot_us = run->slot_us,
        .page = page,
        .attempt = 1,
        .fetched_at_us = run->slot_us,
        .status = 200,
        .target = buf_str(&target),
    };
    st = tape_append_page(run->writer, &r, body, &run->pages[page - 1], err);
    buf_release(&target);
    return st == ST_OK ? count_page(s, page, shown, body, err) : st;
}

static enum st append_end(struct run *run, struct err *err)
{
    struct buf why = BUF_INIT(256);
    uint32_t n_missing = 0;
    uint64_t offset;

    for (uint32_t i = 0; i < run->n_pages; i++)
        if (run->pages[i] == 0 && n_missing++ == 0)
            buf_addf(&why, "page %u was not there to import", i + 1);
    const struct tape_record end = {
        .slot_us = run->slot_us,
        .fetched_at_us = run->slot_us,
        .outcome = n_missing > 0 ? POLL_PARTIAL : POLL_OK,
        .started_us = run->slot_us,
        .pages = run->pages,
        .n_pages = run->n_pages,
        .attempts = run->n_pages - n_missing,
        .bytes = run->bytes,
        .error = buf_str(&why),
    };
    enum st st = tape_append_end(run->writer, &end, &offset, err);
    buf_release(&why);
    return st;
}

/* Read the poll of these items; take says what becomes of its pages. */
static enum st read_poll(struct run *run, const struct item *items, size_t n, bool is_quiet,
                         bool is_kept, struct err *err)
{
    struct source *s = &run->source;

    for (uint32_t i = 0; i < run->n_pages; i++)
        run->pages[i] = 0;
    run->n_pages = 0;
    run->bytes = 0;
    run->hash = (struct poll_hash){{0}};
    run->slot_us = items[0].time_us;
    s->n_taken = s->n_coins = 0;
    s->is_quiet = is_quiet;
    s->take = is_kept && s->setup->tape ? append_page : count_page;
    enum st st = s->kind->read(s, items, n, err);
    s->is_quiet = false;
    return st;
}

static void note_poll(struct run *run)
{
    struct import_result *r = run->source.result;

    if (r->n_polls++ == 0)
        r->first_us = run->slot_us;
    r->last_us = run->slot_us;
    r->n_pages += run->source.n_taken;
    r->n_coins = run->source.n_coins;
    r->bytes += run->bytes;
}

static enum st import_poll(struct run *run, const struct item *items, size_t n, struct err *err)
{
    struct source *s = &run->source;
    enum st st = ST_OK;

    if (s->setup->skip_equal) {
        st = read_poll(run, items, n, true, false, err);
        if (st == ST_OK && s->n_taken > 0 &&
            memcmp(&run->hash, &run->present.last, sizeof(run->hash)) == 0) {
            s->result->n_skipped[IMPORT_EQUAL]++;
            return ST_OK;
        }
    }
    if (st == ST_OK)
        st = read_poll(run, items, n, false, true, err);
    if (st != ST_OK || s->n_taken == 0)
        return st;
    if (run->writer)
        st = append_end(run, err);
    if (st == ST_OK) {
        note_poll(run);
        run->present.last = run->hash;
    }
    return st;
}

/* A poll that is not on the stream, but older than its end. */
static enum st report_late(struct run *run, const struct item *items, size_t n, struct err *err)
{
    struct source *s = &run->source;
    char text[TIME_TEXT];

    enum st st = read_poll(run, items, n, false, false, err);
    if (st != ST_OK || s->n_taken == 0)
        return st;
    if (s->setup->skip_equal && memcmp(&run->hash, &run->present.last, sizeof(run->hash)) == 0) {
        s->result->n_skipped[IMPORT_EQUAL]++;
        return ST_OK;
    }
    time_format(items[0].time_us, text);
    source_skip(s, IMPORT_LATE, items[0].name ? str_of(items[0].name) : str_of(text),
                "%s is older than the newest on the tape; another --name imports it", text);
    return ST_OK;
}

/* ---- all polls ---- */

static int compare_names(const struct item *a, const struct item *b)
{
    if (a->name == NULL || b->name == NULL || (a->stem == 0 && b->stem == 0))
        return 0;
    return str_cmp((struct str){a->name, a->stem}, (struct str){b->name, b->stem});
}

static int compare_items(const void *left, const void *right)
{
    const struct item *a = left, *b = right;
    int names;

    if (a->time_us != b->time_us)
        return a->time_us < b->time_us ? -1 : 1;
    names = compare_names(a, b);
    if (names != 0)
        return names;
    if (a->page != b->page)
        return a->page < b->page ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

static enum st run_poll(struct run *run, const struct item *items, size_t n, struct err *err)
{
    enum present_state state;

    enum st st = present_find(&run->present, items[0].time_us, &state, err);
    if (st != ST_OK)
        return st;
    if (state == PRESENT_ON_TAPE) {
        run->source.result->n_skipped[IMPORT_ON_TAPE]++;
        return ST_OK;
    }
    return state == PRESENT_LATE ? report_late(run, items, n, err)
                                 : import_poll(run, items, n, err);
}

static enum st run_polls(struct run *run, struct err *err)
{
    struct source *s = &run->source;
    struct item *items = s->items;
    size_t n = s->n_items;
    enum st st = ST_OK;

    if (n > 1)
        qsort(items, n, sizeof(*items), compare_items);
    for (size_t from = 0, to; st == ST_OK && from < n; from = to) {
        for (to = from + 1; to < n && items[to].time_us == items[from].time_us; to++)
            ;
        s->result->n_found++;
        char text[TIME_TEXT];
        time_format(items[from].time_us, text);
        if (!source_go_on(s, from, n, items[from].name ? items[from].name : text))
            return source_stopped(s, err);
        st = run_poll(run, items + from, to - from, err);
    }
    return st;
}

/* ---- open and close ---- */

static const struct source_kind *const kinds[] = {
    [IMPORT_FOLDER] = &source_folder,
    [IMPORT_GIT] = &source_git,
    [IMPORT_JSONL] = &source_jsonl,
    [IMPORT_CSV] = &source_csv,
};

static void source_init(struct source *s, const struct import_setup *setup,
                        struct import_result *result)
{
    size_t max_body = (size_t)TAPE_MAX_BODY + JSON_PADDING + ((size_t)1024 * 1024);

    s->setup = setup;
    s->result = result;
    s->when.zone = &s->zone;
    s->now_us = clock_wall_us(setup->clock);
    arena_init(&s->names, SOURCE_MAX_NAMES);
    arena_init(&s->arena, 3 * max_body);
    buf_init(&s->raw, max_body);
    buf_init(&s->unpacked, (size_t)TAPE_MAX_BODY + JSON_PADDING);
    buf_init(&s->made, max_body);
}

static void source_release(struct source *s)
{
    if (s->kind && s->kind->close)
        s->kind->close(s);
    json_free(s->json);
    mem_free(s->items);
    arena_release(&s->names);
    arena_release(&s->arena);
    buf_release(&s->raw);
    buf_release(&s->unpacked);
    buf_release(&s->made);
}

static enum st open_source(struct source *s, struct err *err)
{
    const struct import_setup *setup = s->setup;
    const char *zone = setup->time_zone;

    s->result->kind = setup->kind;
    enum st st = zone_open(zone && zone[0] ? zone : "UTC", &s->zone, err);
    if (st != ST_OK)
        err_ignore(err_wrap(err, st, "--time-zone: "));
    if (st == ST_OK && setup->kind == IMPORT_DETECT)
        st = detect_kind(setup->source, &s->result->kind, err);
    if (st == ST_OK)
        st = detect_job(setup, s->result->job, err);
    if (st != ST_OK)
        return st;
    s->json = json_new();
    if (s->json == NULL)
        return err_set(err, ST_AGAIN, "import: no memory for a JSON reader");
    s->kind = kinds[s->result->kind];
    st = s->kind->list(s, err);
    if (st == ST_OK && s->when.n_twice > 0)
        source_note(s,
                    "%zu times are of an hour that the clock of %s showed twice; they are taken "
                    "as of the first",
                    s->when.n_twice, zone);
    return st;
}

/* Nothing is there that this or an earlier import could take. */
static bool is_in_vain(const struct import_result *r)
{
    return r->n_polls == 0 && r->n_skipped[IMPORT_ON_TAPE] == 0 && r->n_skipped[IMPORT_EQUAL] == 0;
}

enum st import_run(const struct import_setup *setup, struct import_result *ret_result,
                   struct err *err)
{
    struct run *run = mem_new(1, sizeof(*run));

    *ret_result = (struct import_result){.kind = setup->kind};
    source_init(&run->source, setup, ret_result);
    run->source.take_ctx = run;
    enum st st = open_source(&run->source, err);
    if (st == ST_OK)
        st = present_open(&run->present, setup->data_dir, ret_result->job, err);
    /* a stream that is there must be this one; a new one begins with its first page */
    if (st == ST_OK && setup->tape && run->present.is_there)
        st = open_writer(run, err);
    if (st == ST_OK)
        st = run_polls(run, err);
    if (st == ST_OK && is_in_vain(ret_result))
        st = err_set(err, ST_REJECT, "%.200s: nothing in it could be imported%s", setup->source,
                     ret_result->n_found == 0 ? ": no snapshot with a time was found" : "");
    present_close(&run->present);
    if (setup->open == NULL)
        tape_writer_close(run->writer);
    source_release(&run->source);
    mem_free(run);
    return st;
}

/* ---- the setup as words, the result as text ---- */

static bool read_flag(const char *text)
{
    return text && strcmp(text, "true") == 0;
}

enum st import_setup_read(const char *(*get)(void *ctx, const char *name), void *ctx,
                          struct import_setup *ret_setup, struct err *err)
{
    static const char *const names[] = {"", "folder", "git", "jsonl", "csv"};
    const char *kind = get(ctx, "as");
    size_t i = 0;

    ret_setup->source = get(ctx, "path");
    if (ret_setup->source == NULL || ret_setup->source[0] == '\0')
        return err_set(err, ST_REJECT, "import: no source; geckotape import SOURCE");
    while (i < 5 && strcmp(kind ? kind : "", names[i]) != 0)
        i++;
    if (i == 5)
        return err_set(err, ST_REJECT, "--as: \"%.40s\" is none of folder, git, jsonl and csv",
                       kind);
    ret_setup->kind = (enum import_kind)i;
    ret_setup->name = get(ctx, "name");
    ret_setup->vs_currency = get(ctx, "vs");
    ret_setup->in_path = get(ctx, "in_path");
    ret_setup->time_zone = get(ctx, "time_zone");
    ret_setup->map = get(ctx, "map");
    ret_setup->use_mtime = read_flag(get(ctx, "mtime"));
    ret_setup->skip_equal = read_flag(get(ctx, "skip_equal"));
    if (ret_setup->vs_currency == NULL || ret_setup->vs_currency[0] == '\0')
        ret_setup->vs_currency = "usd";
    return ST_OK;
}

const char *import_skip_text(enum import_skip why)
{
    static const char *const texts[N_IMPORT_SKIPS] = {
        [IMPORT_ON_TAPE] = "on the tape already",
        [IMPORT_EQUAL] = "equal to the one before",
        [IMPORT_SAME_TIME] = "of a time that another one has",
        [IMPORT_LATE] = "older than the tape's newest; import them under another --name",
        [IMPORT_NO_TIME] = "without a time",
        [IMPORT_BAD_TIME] = "of an impossible time",
        [IMPORT_NOT_COINS] = "not an array of coins",
        [IMPORT_TOO_LARGE] = "too large",
        [IMPORT_UNREADABLE] = "unreadable",
    };
    return texts[why];
}

void import_summary(const struct import_setup *setup, const struct import_result *r, struct buf *b)
{
    char first[TIME_TEXT], last[TIME_TEXT];

    buf_addf(b, "%s: %zu poll%s %simported", r->job, r->n_polls, r->n_polls == 1 ? "" : "s",
             setup->tape ? "" : "would be ");
    if (r->n_polls > 0) {
        time_format(r->first_us, first);
        time_format(r->last_us, last);
        buf_addf(b, ", %s to %s, %zu coins in the last, %llu bytes, prices in %s", first, last,
                 r->n_coins, (unsigned long long)r->bytes, setup->vs_currency);
    }
    buf_add_char(b, '\n');
    for (enum import_skip why = 0; why < N_IMPORT_SKIPS; why++)
        if (r->n_skipped[why] > 0)
            buf_addf(b, "skipped: %zu %s\n", r->n_skipped[why], import_skip_text(why));
    if (setup->tape && r->n_polls > 0)
        buf_addf(b, "sinks load it %s\n",
                 setup->open ? "now" : "at the next geckotape load, once or run");
}
