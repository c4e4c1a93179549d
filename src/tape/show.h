/* A record as people read it: its header as JSON. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAPE_SHOW_H
#define TAPE_SHOW_H

#include "base/buf.h"
#include "tape/record.h"

#define TAPE_SHOW_MAX ((size_t)1024 * 1024) /* bytes that tape_show() appends at most */

/* Append {"type":"page","offset":1,… without the closing brace, so that the caller can add to it.
 */
void tape_show(struct buf *b, const struct tape_record *r);

#endif
