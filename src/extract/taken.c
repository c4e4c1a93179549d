/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/taken.h"

#include "base/clock.h"
#include "base/log.h"
#include "tape/reader.h"

#define FIRST_LOOK 256   /* records back from the head */
#define LAST_LOOK  65536 /* 9 hours of polls of one page, a second apart */

static enum st next_readable(struct tape_reader *r, uint64_t head, struct tape_record *ret_record,
                             struct err *err)
{
    enum st st;

    do
        st = tape_reader_next(r, head, ret_record, err);
    while (st == ST_REJECT); /* damage, stepped over */
    return st;
}

/* Go back from the head, ever farther, to a record from before since_us. */
static enum st seek_back(struct tape_reader *r, uint64_t head, int64_t since_us, struct err *err)
{
    struct tape_record record;
    enum st st = ST_OK;

    for (uint64_t n = FIRST_LOOK; st == ST_OK && n <= LAST_LOOK; n *= 4) {
        uint64_t offset = head > n ? head - n : 1;
        tape_reader_seek(r, offset);
        st = next_readable(r, head, &record, err);
        tape_reader_seek(r, offset);
        if (st == ST_OK && (offset == 1 || record.fetched_at_us < since_us))
            break;
    }
    return st;
}

static enum st find(struct tape_reader *r, uint64_t head, int64_t wall_us, struct schedule *s,
                    struct err *err)
{
    struct tape_record record;
    int64_t since_us;

    if (!grid_slot(&s->grid, wall_us, &since_us))
        since_us = wall_us;
    enum st st = seek_back(r, head, since_us, err);
    while (st == ST_OK) {
        st = next_readable(r, head, &record, err);
        if (st == ST_OK && record.type == TAPE_END && outcome_bears_rows(record.outcome) &&
            grid_has(&s->grid, record.slot_us))
            schedule_took(s, record.slot_us);
    }
    return st == ST_AGAIN && err->sys == 0 ? ST_OK : st; /* the head */
}

void taken_find(struct tape_writer *writer, int64_t wall_us, struct schedule *s)
{
    uint64_t head = tape_head_get(tape_writer_head(writer));
    struct tape_reader *r = NULL;
    struct err err = ERR_INIT;

    if (head == 0)
        return;
    enum st st = tape_reader_open(tape_writer_dir(writer), &r, &err);
    if (st == ST_OK)
        st = find(r, head, wall_us, s, &err);
    tape_reader_close(r);
    if (st != ST_OK)
        log_warn("extract", "cannot look back on the tape; a slot may be polled again",
                 LOG_Z("job", tape_writer_stream(writer)->job), LOG_Z("error", err.msg));
}
