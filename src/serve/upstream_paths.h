/* What upstream may be asked for. Private to serve/upstream.c. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_UPSTREAM_PATHS_H
#define SERVE_UPSTREAM_PATHS_H

#include "base/str.h"

struct upstream_path {
    const char *pattern;    /* below /api/v3; {} stands for any one part */
    const char *parameters; /* in the order in which they are sent; the others are left out */
};

/* NULL when nobody may ask for it. A fixed path comes before one with a {}. */
const struct upstream_path *upstream_path_find(struct str path);

#endif
