/* Signature Version 4 of AWS, as S3 wants it: the path is encoded once, the payload's hash is a
 * header. Google's stores know the same under other names.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBJECT_SIGV4_H
#define OBJECT_SIGV4_H

#include "base/buf.h"

struct sigv4_key {
    const char *id, *secret;
    const char *token; /* of temporary credentials; "" or NULL: none */
    const char *region, *service;
    bool is_google; /* GOOG4-… and x-goog-… */
};

struct sigv4_request {
    const char *method;
    struct str path;     /* percent-encoded, with its '/' */
    struct str query;    /* percent-encoded "a=1&b=", sorted by name; "" none */
    const char *payload; /* the body's SHA-256 in hex */
};

/* Add date, payload hash, token and Authorization to the headers, lines "name: value\n" with names
 * in lower case, "host" among them. All that are there are signed. */
void sigv4_sign(const struct sigv4_key *key, const struct sigv4_request *request, int64_t now_us,
                struct buf *headers);

#endif
