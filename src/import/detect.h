/* What a source is, and the name of its job. Private to import/. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMPORT_DETECT_H
#define IMPORT_DETECT_H

#include "import/import.h"

/* By what stands there: a folder, a repository, or a file by its name's end or its first byte.
 * ST_REJECT with the mend when it is none of them. */
enum st detect_kind(const char *path, enum import_kind *ret_kind, struct err *err) MUST_USE;

/* "import-" and the setup's name, or one made of the source's. */
enum st detect_job(const struct import_setup *setup, char ret_job[TAPE_MAX_JOB + 1],
                   struct err *err) MUST_USE;

#endif
