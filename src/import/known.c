/* SPDX-License-Identifier: Apache-2.0 */
#include "import/known.h"

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
static enum st advance(struct known *k, struct err *err)
{
    struct poll_hash hash = {{0}};
    struct err why = ERR_INIT;
    struct tape_record r;

    if (k->has_any)
        k->last = k->hash;
    for (;;) {
        enum st st = tape_reader_next(k->reader, UINT64_MAX, &r, &why);
        if (st == ST_REJECT)
            continue; /* damage: tape verify tells; what is lost can be imported again */
        if (st == ST_AGAIN && why.sys == 0) {
            k->is_over = true;
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
    if (!k->has_any)
        k->first_us = r.slot_us;
    k->has_any = true;
    k->slot_us = r.slot_us;
    k->hash = hash;
    return ST_OK;
}

enum st known_open(struct known *k, const char *data_dir, const char *job, struct err *err)
{
    char dir[FILE_MAX_PATH];
    uint64_t first, last;

    *k = (struct known){.reader = NULL};
    enum st st = tape_stream_dir(data_dir, job, dir, err);
    if (st == ST_OK)
        st = tape_reader_open(dir, &k->reader, err);
    if (st == ST_OK)
        st = tape_reader_bounds(k->reader, &first, &last, err);
    if (st != ST_OK)
        return st;
    k->is_there = last > 0;
    k->is_pruned = first > 1;
    tape_reader_seek(k->reader, 1);
    return advance(k, err);
}

void known_close(struct known *k)
{
    tape_reader_close(k->reader);
    k->reader = NULL;
}

enum st known_find(struct known *k, int64_t slot_us, enum known_state *ret_state, struct err *err)
{
    while (!k->is_over && k->slot_us < slot_us) {
        enum st st = advance(k, err);
        if (st != ST_OK)
            return st;
    }
    bool is_there = !k->is_over && k->slot_us == slot_us;
    bool is_removed = k->is_pruned && k->has_any && slot_us < k->first_us;
    if (is_there)
        k->last = k->hash;
    *ret_state = is_there || is_removed ? KNOWN_ON_TAPE : k->is_over ? KNOWN_NEW : KNOWN_LATE;
    return ST_OK;
}
