/* What the snapshot and the metrics show of budget and key. Inside extract/ only. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXTRACT_SHOWN_H
#define EXTRACT_SHOWN_H

#include "extract/task.h"

/* What is spent, and what of their slots it leaves the tasks; those behind the governed ones are
 * leaving. All is reckoned before the snapshot is locked: others wait for that. */
void shown_budget(const struct poller *p, struct task *const *tasks, size_t n_tasks);

void shown_key(const struct poller *p, const struct key_finding *f);

#endif
