/* The snapshot as one screen for people. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATUS_RENDER_H
#define STATUS_RENDER_H

#include "base/buf.h"
#include "status/status.h"

#define STATUS_MIN_WIDTH 40 /* narrower terminals get lines of this many columns */
#define STATUS_WIDTH     80 /* where nobody says how wide */
#define STATUS_MAX_WIDTH 200

/* Append the screen: process, readiness with its reasons, jobs, sinks, tape, gaps. Lines of at most
 * `width` columns; ASCII only, whatever servers put into error messages; ANSI colours when
 * has_color. now->pid 0: nobody runs, and what the snapshot says was read from the disk. */
void status_render(struct buf *b, const struct status_snapshot *now, int64_t now_us, int width,
                   bool has_color);

/* Append "1.2 GB", "45 kB", "7 B". */
void status_add_bytes(struct buf *b, uint64_t bytes);

/* Append the two largest units of a duration: "12s", "2m 30s", "3h 4m", "9d 2h". */
void status_add_span(struct buf *b, int64_t us);

#endif
