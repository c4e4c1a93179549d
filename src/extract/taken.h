/* Which slots of a grid the tape has already. Inside extract/ only. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXTRACT_TAKEN_H
#define EXTRACT_TAKEN_H

#include "extract/schedule.h"
#include "tape/writer.h"

/* Tell the schedule the slots of its grid that polls on the tape brought rows for: all since the
 * slot of the moment wall_us began, and some before it. Polls off the grid (run now, once, another
 * interval) take none.
 *
 * Thread: the writer's. Limits: looks at the headers of the last 65,536 records at most. What the
 * disk cannot read is logged and left out. */
void taken_find(struct tape_writer *writer, int64_t wall_us, struct schedule *s);

#endif
