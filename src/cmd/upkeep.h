/* geckotape tape compact, tape prune: what changes the tape. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_UPKEEP_H
#define CMD_UPKEEP_H

#include "config/config.h"

/* By the process that holds the data directory, else here, under its lock. Return an enum
 * exit_code. */
int upkeep_compact(const struct config *config);
int upkeep_prune(const struct config *config);

#endif
