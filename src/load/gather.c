/* SPDX-License-Identifier: Apache-2.0 */
#include "load/gather.h"

#include "base/buf.h"

void gather_init(struct gather *g, struct json *json, size_t max_poll_bytes)
{
    *g = (struct gather){.json = json};
    for (size_t i = 0; i < GATHER_POLLS; i++)
        arena_init(&g->polls[i].arena, max_poll_bytes);
}

void gather_release(struct gather *g)
{
    for (size_t i = 0; i < GATHER_POLLS; i++)
        arena_release(&g->polls[i].arena);
}

/* Remember why the poll has no rows; without room for the text, shorter. */
static void give_up(struct gathered *p, const char *what, const struct err *err)
{
    struct buf b = BUF_INIT(ERR_MSG_SIZE + 32);

    buf_addf(&b, "%s%s", what, err->msg);
    p->error = arena_str(&p->arena, buf_str(&b));
    if (p->error.p == NULL)
        p->error = STR("the poll is too large");
    buf_release(&b);
}

static enum st no_memory(const struct gathered *p, struct err *err)
{
    return err_set(err, ST_AGAIN, "the poll needs more than the %zu bytes there are", p->arena.max);
}

/* Copy a record out of the reader's hands. */
static enum st copy_record(struct gathered *p, const struct gather *g,
                           const struct tape_record *from, struct tape_record *ret_to,
                           struct err *err)
{
    struct tape_record to = *from;

    to.stream = g->stream;
    to.target = arena_str(&p->arena, from->target);
    to.headers = arena_str(&p->arena, from->headers);
    to.error = arena_str(&p->arena, from->error);
    if (!to.target.p || !to.headers.p || !to.error.p)
        return no_memory(p, err);
    if (from->n_pages > 0) {
        uint64_t *pages = arena_alloc(&p->arena, from->n_pages, sizeof(*pages));
        if (pages == NULL)
            return no_memory(p, err);
        memcpy(pages, from->pages, from->n_pages * sizeof(*pages));
        to.pages = pages;
    }
    *ret_to = to;
    return ST_OK;
}

static enum st read_page(struct gather *g, struct gathered *p, uint64_t offset,
                         struct poll_page *ret_page, struct err *err)
{
    struct tape_record record;

    enum st st = tape_reader_get(g->reader, offset, &record, err);
    if (st == ST_OK && record.type != TAPE_PAGE)
        st = err_set(err, ST_REJECT, "offset %llu is no page", (unsigned long long)offset);
    if (st == ST_OK)
        st = copy_record(p, g, &record, &ret_page->record, err);
    if (st == ST_OK)
        st = tape_reader_body(g->reader, &record, &p->arena, &ret_page->body, err);
    return st;
}

/* ST_REJECT when a page is lost: a poll takes effect whole or not at all. */
static enum st read_pages(struct gather *g, struct gathered *p, struct err *err)
{
    enum st st = ST_OK;

    p->pages = arena_alloc(&p->arena, p->end.n_pages, sizeof(*p->pages));
    if (p->pages == NULL)
        return no_memory(p, err);
    for (uint32_t i = 0; st == ST_OK && i < p->end.n_pages; i++) {
        if (p->end.pages[i] == 0)
            continue;
        st = read_page(g, p, p->end.pages[i], &p->pages[p->n_pages], err);
        if (st == ST_OK)
            p->n_pages++;
        else
            err_wrap(err, st, "page %u: ", i + 1);
    }
    return st;
}

static enum st read_end(struct gather *g, struct gathered *p, uint64_t offset, struct err *err)
{
    struct tape_record record;

    arena_reset(&p->arena);
    p->end.offset = 0;
    p->pages = NULL;
    p->n_pages = 0;
    p->has_rows = p->is_lost = false;
    p->error = STR_NONE;
    enum st st = tape_reader_get(g->reader, offset, &record, err);
    if (st == ST_OK && record.type != TAPE_END)
        st = err_set(err, ST_REJECT, "offset %llu ends no poll", (unsigned long long)offset);
    return st == ST_OK ? copy_record(p, g, &record, &p->end, err) : st;
}

static struct gathered *find_poll(struct gather *g, uint64_t end_offset)
{
    for (size_t i = 0; end_offset != 0 && i < GATHER_POLLS; i++)
        if (g->polls[i].end.offset == end_offset)
            return &g->polls[i];
    return NULL;
}

/* A place for a poll, among those that the poll at hand and its history do not need. */
static struct gathered *free_place(struct gather *g, const struct gathered *current)
{
    for (size_t i = 0; i < GATHER_POLLS; i++) {
        struct gathered *p = &g->polls[i];
        bool is_needed = p == current || (current && p->end.offset != 0 &&
                                          (p->end.offset == current->end.prev_rows_end ||
                                           p->end.offset == current->end.prev_ok_end));
        if (!is_needed)
            return p;
    }
    return NULL; /* not reached: a poll and two before it are three */
}

/* Read pages and make rows; the poll ends up with rows or with an error. */
static enum st make_rows(struct gather *g, struct gathered *p, const struct poll_rows *prev_rows,
                         const struct poll_rows *prev_ok, struct err *err)
{
    const char *what = "tape: ";
    struct err why = ERR_INIT;

    if (strcmp(p->end.stream->endpoint, TAPE_UPSTREAM) ==
        0) /* of any endpoint, for callers alone */
        return ST_OK;
    enum st st = read_pages(g, p, &why);
    if (st == ST_OK) {
        const struct transform_input in = {
            .end = &p->end,
            .pages = p->pages,
            .n_pages = p->n_pages,
            .prev_rows = prev_rows,
            .prev_ok = prev_ok,
        };
        what = "transform: ";
        st = transform_poll(&in, g->json, &p->arena, &p->rows, &why);
    } else
        p->is_lost = st == ST_REJECT;
    p->has_rows = st == ST_OK;
    if (st == ST_FATAL || (st == ST_AGAIN && !p->arena.is_full)) {
        *err = why;
        return st;
    }
    if (st != ST_OK)
        give_up(p, what, &why);
    return ST_OK;
}

/* The rows of an earlier poll, from the tape again when they are not at hand. NULL when there are
 * none: then nothing counts as unchanged or absent. */
static enum st earlier(struct gather *g, const struct gathered *current, uint64_t end_offset,
                       const struct poll_rows **ret_rows, struct err *err)
{
    struct gathered *p = find_poll(g, end_offset);
    struct err why = ERR_INIT;

    *ret_rows = NULL;
    if (end_offset == 0)
        return ST_OK;
    if (p == NULL) {
        p = free_place(g, current);
        enum st st = read_end(g, p, end_offset, &why);
        if (st == ST_OK)
            st = make_rows(g, p, NULL, NULL, &why);
        if (st != ST_OK && st != ST_REJECT) {
            p->end.offset = 0;
            *err = why;
            return st;
        }
    }
    if (p->end.offset == end_offset && p->has_rows)
        *ret_rows = &p->rows;
    return ST_OK;
}

enum st gather_poll(struct gather *g, uint64_t end_offset, struct gathered **ret_poll,
                    struct err *err)
{
    const struct poll_rows *prev_rows = NULL, *prev_ok = NULL;
    struct tape_record record;

    /* what to keep is known from the end alone */
    enum st st = tape_reader_get(g->reader, end_offset, &record, err);
    if (st != ST_OK)
        return st;
    struct gathered wanted = {
        .end = {.prev_rows_end = record.prev_rows_end, .prev_ok_end = record.prev_ok_end}};
    struct gathered *p = find_poll(g, end_offset);
    p = p ? p : free_place(g, &wanted);
    st = read_end(g, p, end_offset, err);
    if (st == ST_OK && outcome_bears_rows(p->end.outcome)) {
        st = earlier(g, p, p->end.prev_rows_end, &prev_rows, err);
        if (st == ST_OK)
            st = earlier(g, p, p->end.prev_ok_end, &prev_ok, err);
        if (st == ST_OK)
            st = make_rows(g, p, prev_rows, prev_ok, err);
    }
    if (st != ST_OK)
        p->end.offset = 0;
    else
        *ret_poll = p;
    return st;
}
