/* SPDX-License-Identifier: Apache-2.0 */
#include "subject.h"

#include <stdio.h>

static void make_url(const char *dir, char *ret_url, size_t size)
{
    (void)dir;
    snprintf(ret_url, size, "null:");
}

const struct subject subject = {.scheme = "null", .make_url = make_url};
