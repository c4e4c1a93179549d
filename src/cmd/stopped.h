/* What the disk says where nobody runs. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_STOPPED_H
#define CMD_STOPPED_H

#include "base/err.h"
#include "config/config.h"
#include "status/status.h"

/* Fill the snapshot (pid 0) from DATA/tape and DATA/sinks. A directory that is not there has no
 * jobs. ST_AGAIN when it cannot be read. */
enum st stopped_read(const struct config *config, const char *data_dir,
                     struct status_snapshot *ret_snapshot, struct err *err) MUST_USE;

/* The disk under data_dir, or under its nearest parent that exists. */
enum st stopped_disk(const char *data_dir, uint64_t *ret_free, uint64_t *ret_total,
                     struct err *err) MUST_USE;

#endif
