/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sql/before.h"

#include <stdio.h>

int64_t before_span_start(const struct table *t, int64_t slot_us)
{
    return t->whole_us > 0 ? time_floor(slot_us, t->whole_us) : slot_us;
}

enum st before_read(struct db *db, struct stmt *stmt, int64_t since_us, struct before *ret,
                    struct err *err)
{
    bool has_row;

    enum st st = db_step(db, stmt, &has_row, err);
    *ret = (struct before){.is_there = false};
    if (st != ST_OK || !has_row)
        return st;
    *ret = (struct before){.is_there = true,
                           .slot_us = db_int(stmt, 0),
                           .is_ok = str_eq(db_text(stmt, 1), STR("ok")),
                           .end_offset = (uint64_t)db_int(stmt, 3),
                           .version = db_int(stmt, 4),
                           .has_refused = db_int(stmt, 5) != 0,
                           .rows_since_us = db_int(stmt, 6) ? since_us : INT64_MIN};
    snprintf(ret->stream, sizeof(ret->stream), "%.*s", STR_ARG(db_text(stmt, 2)));
    db_reset(stmt);
    return ST_OK;
}

void before_move(struct before *b, const struct sink_load *load, size_t n_stored, size_t n_refused)
{
    const struct tape_record *end = load->end;

    *b = (struct before){.is_there = true,
                         .slot_us = end->slot_us,
                         .is_ok = end->outcome == POLL_OK,
                         .end_offset = end->offset,
                         .version = TRANSFORM_VERSION,
                         .has_refused = n_refused > 0,
                         .rows_since_us = n_stored > 0 ? end->slot_us : b->rows_since_us};
    sink_uuid_text(load->stream, b->stream);
}

static void tell_of_gone(const struct db *db)
{
    char text[160];

    snprintf(text, sizeof(text),
             "rows of %s are gone, so a poll is stored whole; geckotape replay --force makes those "
             "of before anew",
             db_table(db)->name);
    if (db->tell)
        db->tell(db->tell_ctx, text);
}

struct before_relation before_relate(const struct before *b, struct db *db,
                                     const struct sink_load *load)
{
    struct before_relation relation = {.is_late = false};
    char stream[SINK_UUID_TEXT];

    if (!b->is_there)
        return relation;
    sink_uuid_text(load->stream, stream);
    relation.is_late = load->end->slot_us < b->slot_us;
    if (load->end->slot_us <= b->slot_us || load->end->outcome != POLL_OK || !b->is_ok ||
        strcmp(b->stream, stream) != 0)
        return relation;
    relation.is_compared = load->rows->absent_since == b->end_offset;
    if (load->rows->unchanged_since != b->end_offset || b->version != TRANSFORM_VERSION ||
        b->has_refused)
        return relation;
    relation.is_base = b->rows_since_us >= before_span_start(db_table(db), load->end->slot_us);
    if (!relation.is_base)
        tell_of_gone(db);
    return relation;
}
