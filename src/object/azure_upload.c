/* Uploads to Azure in blocks; what fits into one is a plain put. Blocks that no list ever names are
 * removed by the store after a week. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/mem.h"
#include "object/azure.h"
#include "object/hash.h"

#include <stdio.h>
#include <sys/random.h>

#define MAX_BLOCKS 50000 /* of a blob */
#define ID_BYTES   12
#define ID_B64     17

struct upload {
    struct azure *a;
    char name[OBJECT_MAX_NAME + 1];
    uint64_t
        dice; /* blocks belong to a blob's name, not to who sends them: ours are told by this */
    struct hash_md5_run *md5;
    struct buf block; /* not sent yet */
    unsigned n_blocks;
};

static void block_id(const struct upload *u, unsigned i, char ret_id[ID_B64])
{
    unsigned char bytes[ID_BYTES];

    memcpy(bytes, &u->dice, sizeof(u->dice));
    memcpy(bytes + sizeof(u->dice), &i, 4);
    hash_base64(bytes, sizeof(bytes), ret_id);
}

enum st azure_upload_start(void *state, const char *name, void **ret_upload, struct err *err)
{
    struct azure *a = state;
    struct upload *u = mem_new(1, sizeof(*u));
    (void)err;

    u->a = a;
    snprintf(u->name, sizeof(u->name), "%s", name);
    if (getrandom(&u->dice, sizeof(u->dice), 0) != (ssize_t)sizeof(u->dice))
        u->dice = (uint64_t)clock_wall_us(clock_system());
    u->md5 = hash_md5_start();
    buf_init(&u->block, a->part_bytes);
    *ret_upload = u;
    return ST_OK;
}

static void drop(struct upload *u)
{
    unsigned char ignored[MD5_BYTES];

    if (u->md5)
        hash_md5_end(u->md5, ignored);
    buf_release(&u->block);
    mem_free(u);
}

static enum st send_block(struct upload *u, struct err *err)
{
    struct buf query = BUF_INIT(256), headers = BUF_INIT(256);
    unsigned char hash[MD5_BYTES];
    char md5[MD5_B64], id[ID_B64];

    if (u->n_blocks == MAX_BLOCKS)
        return err_set(err, ST_REJECT, "more than %d blocks of %zu bytes", MAX_BLOCKS,
                       u->a->part_bytes);
    block_id(u, u->n_blocks, id);
    buf_add_z(&query, "blockid=");
    hash_percent(&query, str_of(id), false);
    buf_add_z(&query, "&comp=block");
    hash_md5(buf_str(&u->block), hash);
    hash_base64(hash, sizeof(hash), md5);
    buf_addf(&headers, "content-type: application/octet-stream\ncontent-md5: %s\n", md5);
    const struct azure_request request = {.method = "PUT",
                                          .name = u->name,
                                          .query = buf_str(&query),
                                          .headers = buf_str(&headers),
                                          .body = buf_str(&u->block)};
    enum st st = azure_send(u->a, &request, err);
    if (st == ST_OK && !cloud_is_done(&u->a->answer))
        st = cloud_refused(&u->a->answer, err);
    if (st == ST_OK) {
        hash_md5_add(u->md5, buf_str(&u->block));
        u->n_blocks++;
        buf_clear(&u->block);
    }
    buf_release(&query);
    buf_release(&headers);
    return st;
}

enum st azure_upload_add(void *upload, struct str bytes, struct err *err)
{
    struct upload *u = upload;
    enum st st = ST_OK;

    while (st == ST_OK && bytes.len > 0) {
        const size_t room = u->block.max - u->block.len;
        const size_t n = bytes.len < room ? bytes.len : room;
        if (n == 0) {
            st = send_block(u, err);
            continue;
        }
        buf_add(&u->block, bytes.p, n);
        st = buf_check(&u->block, "a block", err);
        bytes = (struct str){bytes.p + n, bytes.len - n};
    }
    return st;
}

static enum st commit(struct upload *u, enum object_if condition, const char *etag,
                      struct object_put_result *ret, struct err *err)
{
    struct buf headers = BUF_INIT(512), body = BUF_INIT((size_t)MAX_BLOCKS * 64);
    unsigned char hash[MD5_BYTES];
    char md5[MD5_B64], id[ID_B64];

    hash_md5_end(u->md5, hash);
    u->md5 = NULL;
    hash_base64(hash, sizeof(hash), md5);
    buf_addf(&headers,
             "content-type: application/xml\nx-ms-blob-content-md5: %s\n"
             "x-ms-blob-content-type: application/octet-stream\n",
             md5);
    azure_add_condition(&headers, condition, etag);
    buf_add_z(&body, "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>");
    for (unsigned i = 0; i < u->n_blocks; i++) {
        block_id(u, i, id);
        buf_addf(&body, "<Latest>%s</Latest>", id);
    }
    buf_add_z(&body, "</BlockList>");
    const struct azure_request request = {.method = "PUT",
                                          .name = u->name,
                                          .query = STR("comp=blocklist"),
                                          .headers = buf_str(&headers),
                                          .body = buf_str(&body),
                                          .is_once = true};
    enum st st = buf_check(&body, "the list of blocks", err);
    if (st == ST_OK)
        st = azure_send(u->a, &request, err);
    ret->is_unknown = u->a->answer.is_unknown;
    if (st == ST_OK && cloud_is_done(&u->a->answer)) {
        ret->is_unknown = false;
        cloud_header(&u->a->answer, "etag", ret->etag, sizeof(ret->etag));
    } else if (st == ST_OK && cloud_has_code(&u->a->answer, "InvalidBlockList")) {
        st = err_set(err, ST_AGAIN, "the blocks are gone: another writer took the name");
    } else if (st == ST_OK) {
        st = azure_not_written(u->a, condition, ret, err);
    }
    buf_release(&headers);
    buf_release(&body);
    return st;
}

enum st azure_upload_finish(void *upload, enum object_if condition, const char *etag,
                            struct object_put_result *ret, struct err *err)
{
    struct upload *u = upload;
    enum st st = ST_OK;

    if (u->n_blocks == 0) {
        st = azure_put(u->a, u->name, buf_str(&u->block), condition, etag, ret, err);
    } else {
        st = u->block.len > 0 ? send_block(u, err) : ST_OK;
        if (st == ST_OK)
            st = commit(u, condition, etag, ret, err);
    }
    drop(u);
    return st;
}

void azure_upload_abort(void *upload)
{
    drop(upload);
}
