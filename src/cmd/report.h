/* One poll in one line, for people. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_REPORT_H
#define CMD_REPORT_H

#include "load/sink.h"

/* "14:30:00  ok  250 rows: 131 new, 119 unchanged, 0 absent · 202 kB · 0.31 s · bitcoin 77074 usd"
 */
void report_poll(struct buf *b, const struct sink_load *load, const struct sink_result *result);

#endif
