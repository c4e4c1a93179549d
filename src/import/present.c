/* SPDX-License-Identifier: Apache-2.0 */
#include "import/present.h"

#include "base/file.h"
#include "tape/tape.h"

#include <xxhash.h>

void poll_hash_body(struct str body, uint8_t ret_hash[16])
{
    XXH128_canonical_t canonical; /* as the tape has it, see docs/formats/tape.md */

    XXH128_canonicalFromHash(&canonical, XXH3_128bits(body.p, body.len));
    memcpy(ret_hash, canonical.digest, 16);
}

void poll_hash_add(struct poll_hash *h, const uint8_t body_hash[16])
{
    uint8_t both[32];

    memcpy(both, h->bytes, 16);
    memcpy(both + 16, body_hash, 16);
    poll_hash_body((struct str){(const char *)both, sizeof(both)}, h->bytes);
}

/* Go to the next poll that has rows. */
static enum st advance(struct present *p, struct err *err)
{
    struct poll_hash hash = {{0}};
    struct err why = ERR_INIT;
    struct tape_record r;

    if (p->has_any)
        p->last = p->hash;
    for (;;) {
        enum st st = tape_reader_next(p->reader, UINT64_MAX, &r, &why);
        if (st == ST_REJECT)
            continue; /* damage: tape verify tells; what is lost can be imported again */
        if (st == ST_AGAIN && why.sys == 0) {
            p->is_over = true;
            return ST_OK;
        }
        if (st != ST_OK)
            return err_set(err, st, "%s", why.msg);
        if (r.type == TAPE_PAGE) {
            poll_hash_add(&hash, r.body_hash);
            continue;
        }
        if (outcome_bears_rows(r.outcome))
            break;
        hash = (struct poll_hash){{0}};
    }
    if (!p->has_any)
        p->first_us = r.slot_us;
    p->has_any = true;
    p->slot_us = r.slot_us;
    p->hash = hash;
    return ST_OK;
}

enum st present_open(struct present *p, const char *data_dir, const char *job, struct err *err)
{
    char dir[FILE_MAX_PATH];
    uint64_t first, last;

    *p = (struct present){.reader = NULL};
    enum st st = tape_stream_dir(data_dir, job, dir, err);
    if (st == ST_OK)
        st = tape_reader_open(dir, &p->reader, err);
    if (st == ST_OK)
        st = tape_reader_bounds(p->reader, &first, &last, err);
    if (st != ST_OK)
        return st;
    p->is_there = last > 0;
    p->is_pruned = first > 1;
    tape_reader_seek(p->reader, 1);
    return advance(p, err);
}

void present_close(struct present *p)
{
    tape_reader_close(p->reader);
    p->reader = NULL;
}

enum st present_find(struct present *p, int64_t slot_us, enum present_state *ret_state,
                     struct err *err)
{
    while (!p->is_over && p->slot_us < slot_us) {
        enum st st = advance(p, err);
        if (st != ST_OK)
            return st;
    }
    bool is_there = !p->is_over && p->slot_us == slot_us;
    bool is_removed = p->is_pruned && p->has_any && slot_us < p->first_us;
    if (is_there)
        p->last = p->hash;
    *ret_state = is_there || is_removed ? PRESENT_ON_TAPE : p->is_over ? PRESENT_NEW : PRESENT_LATE;
    return ST_OK;
}
