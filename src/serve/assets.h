/* The files of the page: those of web/, built by npm, or web/plain/ in a build without it. Made by
 * tools/dashboard.py.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_ASSETS_H
#define SERVE_ASSETS_H

#include "base/str.h"

struct asset {
    const char *path; /* of the URL: "/", "/assets/index-4f1c.js" */
    const char *content_type;
    bool is_fixed; /* another content would have another path */
    struct str bytes;
};

extern const struct asset assets[];
extern const size_t n_assets;

#endif
