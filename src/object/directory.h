/* The two files of the directory store. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBJECT_DIRECTORY_H
#define OBJECT_DIRECTORY_H

#include "object/object.h"

#include <sys/stat.h>

void directory_etag(const struct stat *about, char ret_etag[OBJECT_MAX_ETAG]);
void directory_info(const struct stat *about, struct object_info *ret_info);

/* object_list() of what is below root, which need not be there. */
enum st directory_list(const char *root, const char *prefix, const char *start_after,
                       object_each *each, void *ctx, struct err *err) MUST_USE;

#endif
