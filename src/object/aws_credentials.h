/* Who we are to AWS, found where all of its tools look, in this order: the environment, a web
 * identity (STS), the shared files, a container's endpoint (ECS, EKS), an instance's metadata
 * (version 2). What runs out is fetched anew five minutes before. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBJECT_AWS_CREDENTIALS_H
#define OBJECT_AWS_CREDENTIALS_H

#include "object/cloud.h"

struct aws_credentials;

struct aws_keys {
    char id[256], secret[256], token[4096];
};

/* Owner: aws_credentials_free(); cloud is borrowed. profile: NULL: AWS_PROFILE, else "default". */
struct aws_credentials *aws_credentials_new(struct cloud *cloud, const char *profile,
                                            const char *region);
void aws_credentials_free(struct aws_credentials *c); /* NULL is fine */

/* Lasts until the next call. ST_FATAL when there are none, ST_AGAIN when who gives them fails. */
enum st aws_credentials_get(struct aws_credentials *c, const struct aws_keys **ret_keys,
                            struct err *err) MUST_USE;

/* The store calls them outdated; true when others may be had. */
bool aws_credentials_renew(struct aws_credentials *c);

/* The region that environment or shared file name; "" none. */
void aws_credentials_region(struct cloud *cloud, const char *profile, char *ret, size_t size);

#endif
