/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/etag.h"

#include <stdio.h>
#include <xxhash.h>

void etag_write(struct str body, char ret_etag[ETAG_TEXT])
{
    const XXH128_hash_t hash = XXH3_128bits(body.p ? body.p : "", body.len);

    snprintf(ret_etag, ETAG_TEXT, "W/\"%016llx%016llx\"", (unsigned long long)hash.high64,
             (unsigned long long)hash.low64);
}

bool etag_is_among(struct str if_none_match, const char *etag)
{
    const char *quoted = etag + 2; /* weak ones are compared by what stands in quotes */

    return str_eq(str_trim(if_none_match), STR("*")) ||
           (if_none_match.p &&
            memmem(if_none_match.p, if_none_match.len, quoted, strlen(quoted)) != NULL);
}
