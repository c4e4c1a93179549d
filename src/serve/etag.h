/* Entity tags: what a client has already need not be sent again. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_ETAG_H
#define SERVE_ETAG_H

#include "base/str.h"

#define ETAG_TEXT 40 /* bytes, NUL included */

/* Of a body, the same for each way to pack it: W/"…", weak as CoinGecko's are. */
void etag_write(struct str body, char ret_etag[ETAG_TEXT]);

/* Is it among those of an If-None-Match header? */
bool etag_is_among(struct str if_none_match, const char *etag);

#endif
