/* What stores and AWS's shared files say: XML, JSON, sections. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "object/aws_profile.h"
#include "object/cloud.h"
#include "object/driver.h"
#include "object/hash.h"
#include "object/xml.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum st on_end(void *ctx, const char *path, struct str text, bool is_encoded,
                      struct err *err)
{
    size_t *n = ctx;
    (void)is_encoded, (void)err;
    assert(text.len <= XML_MAX_TEXT && strlen(path) < 1024);
    for (size_t i = 0; i < text.len; i++)
        *n += (unsigned char)text.p[i];
    return ST_OK;
}

static void as_names(struct str text)
{
    char prefix[OBJECT_MAX_NAME + 1];
    struct err err = ERR_INIT;
    struct str rest = text, part;

    if (!object_is_name(text))
        return;
    assert(text.len <= OBJECT_MAX_NAME && text.p[0] != '/');
    while (str_cut(&rest, '/', &part))
        assert(part.len > 0 && !str_eq(part, STR("..")) && !str_eq(part, STR(".")));
    if (object_prefix(text, prefix, sizeof(prefix), &err) == ST_OK)
        assert(prefix[strlen(prefix) - 1] == '/');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct str text = {(const char *)data, size};
    char value[AWS_PROFILE_VALUE], id[20], secret[20];
    const struct cloud_field fields[] = {{"AccessKeyId", id, sizeof(id)},
                                         {"SecretAccessKey", secret, sizeof(secret)}};
    struct err err = ERR_INIT;
    unsigned char bytes[64];
    size_t n = 0;

    err_ignore(xml_walk(text, on_end, &n, &err));
    if (cloud_fields(text, fields, 2, &err) == ST_OK)
        assert(strlen(id) < sizeof(id) && strlen(secret) < sizeof(secret));
    if (aws_profile_value(text, "profile x", "region", value))
        assert(value[0] && strlen(value) < sizeof(value));
    if (hash_unbase64(text, bytes, sizeof(bytes), &n))
        assert(n <= sizeof(bytes));
    as_names(text);
    return 0;
}
