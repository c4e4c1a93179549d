/* Where results go: stdout, or a file that appears whole or not at all; packed if its name says so.
 *
 * A file is written beside its place as NAME.tmp, synced, renamed. Who is killed leaves NAME.tmp,
 * which the next one with that name writes anew. What is there and no file (a pipe, a device) is
 * written to as it is.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_OUTPUT_H
#define CMD_OUTPUT_H

#include "base/buf.h"
#include "base/file.h"

struct output {
    char path[FILE_MAX_PATH], temporary[FILE_MAX_PATH]; /* empty: not to a file; not to rename */
    int fd;                                             /* -1: not open */
    struct packer *packer;                              /* NULL: as it comes */
};

#define OUTPUT_NONE {.fd = -1}

/* path empty or "-": stdout. .gz and .zst at its end: packed so. */
enum st output_open(struct output *o, const char *path, struct err *err) MUST_USE;
enum st output_write(struct output *o, struct str bytes, struct err *err) MUST_USE;

/* What was written is whole: it appears. */
enum st output_finish(struct output *o, struct err *err) MUST_USE;

/* Always; what was not finished is gone. */
void output_close(struct output *o);

/* path without .gz or .zst. */
struct str output_unpacked(const char *path);

#endif
