/* Times as people write them in options. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_INSTANT_H
#define CMD_INSTANT_H

#include "base/clock.h"
#include "base/err.h"

/* RFC 3339 ("2026-11-23T14:30:00Z"), a day ("2026-11-23": its beginning, UTC), or back from now
 * ("-2h", "2h ago"). option, like "--since", is for the message of ST_REJECT. */
enum st instant_parse(const char *option, const char *text, int64_t now_us, int64_t *ret_us,
                      struct err *err) MUST_USE;

#endif
