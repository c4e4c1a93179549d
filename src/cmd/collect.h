/* What run and extract share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_COLLECT_H
#define CMD_COLLECT_H

#include "cmd/cmd.h"

/* Collect until a signal; verb: VERB_RUN, or VERB_EXTRACT: without sinks. */
int collect(const struct config *config, uint32_t verb);

#endif
