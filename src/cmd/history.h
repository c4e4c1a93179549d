/* What the store tells of gaps and versions, for `status`. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_HISTORY_H
#define CMD_HISTORY_H

#include "config/config.h"

/* Append sections to the screen: gaps of the last 30 days, and by which version of the transform
 * the rows were made; from the first of the configured sinks that can tell. Nothing where there is
 * no store yet; a store that cannot be read is named. */
void history_add(struct buf *b, const struct config *config, const char *data_dir, int64_t now_us);

#endif
