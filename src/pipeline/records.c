/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/records.h"

#include "tape/reader.h"
#include "tape/show.h"

#include <stdio.h>

/* A UUID with or without its dashes, as stores and the tape's headers write it. */
static bool is_uuid(struct str text, const uint8_t uuid[16])
{
    char hex[33];
    size_t n = 0;

    for (size_t i = 0; i < 16; i++)
        snprintf(hex + 2 * i, 3, "%02x", uuid[i]);
    for (size_t i = 0; i < text.len; i++)
        if (text.p[i] != '-' && text.p[i] != hex[n++]) /* the NUL ends what is too long */
            return false;
    return n == 32;
}

/* By its UUID, or its job's name. */
static const struct stream *find_stream(const struct streams *streams, struct str wanted)
{
    for (size_t i = 0; i < streams_count(streams); i++) {
        const struct stream *stream = streams_at(streams, i);
        if (is_uuid(wanted, stream->job.id.uuid) || str_eq(wanted, str_of(stream->job.id.job)))
            return stream;
    }
    return NULL;
}

static enum st read_record(struct tape_reader *reader, uint64_t offset, struct arena *arena,
                           struct serve_record *ret_record, struct err *err)
{
    struct buf head = BUF_INIT(TAPE_SHOW_MAX);
    struct serve_record found = {.body = STR_NONE};
    struct tape_record record;

    enum st st = tape_reader_get(reader, offset, &record, err);
    if (st != ST_OK)
        return st;
    tape_show(&head, &record);
    found.is_json = record.is_json;
    st = buf_check(&head, "a record's header", err);
    if (st == ST_OK) {
        found.head = arena_str(arena, buf_str(&head));
        if (!found.head.p)
            st = err_set(err, ST_AGAIN, "no memory for the record");
    }
    if (st == ST_OK && record.type == TAPE_PAGE)
        st = tape_reader_body(reader, &record, arena, &found.body, err);
    buf_release(&head);
    if (st == ST_OK)
        *ret_record = found;
    return st;
}

enum st records_read(void *streams, struct str stream, uint64_t offset, struct arena *arena,
                     struct serve_record *ret_record, struct err *err)
{
    const struct stream *found = find_stream(streams, stream);
    struct tape_reader *reader;

    if (!found)
        return err_set(err, ST_REJECT, "stream: the tape here has none of that UUID or job");
    /* what the disk has beyond the head may not be there after a crash */
    if (offset > tape_head_get(tape_writer_head(found->job.writer)))
        return err_set(err, ST_REJECT, "offset: the tape of job %s does not go so far",
                       found->job.id.job);
    enum st st = tape_reader_open(found->dir, &reader, err);
    if (st != ST_OK)
        return st;
    st = read_record(reader, offset, arena, ret_record, err);
    tape_reader_close(reader);
    return st;
}
