/* SPDX-License-Identifier: Apache-2.0 */
#include "subject.h"

#include <stdio.h>
#include <stdlib.h>

static void make_url(const char *dir, char *ret_url, size_t size)
{
    snprintf(ret_url, size, "lake:%s/lake", dir);
}

/* By tests/lake_table.py, which shares nothing with the driver, and checks all that it reads. */
static void show_by(const char *what, const struct sink_url *url, const char *job, int64_t slot_us,
                    struct buf *ret_text)
{
    char command[2048], text[4096];

    snprintf(command, sizeof(command), "/usr/bin/python3 '%s' %s '%s' '%s' %lld",
             getenv("LAKE_TABLE"), what, url->rest, job, (long long)slot_us);
    FILE *pipe = popen(command, "r");
    if (pipe == NULL)
        abort();
    size_t n = fread(text, 1, sizeof(text), pipe);
    buf_add(ret_text, text, n);
    if (pclose(pipe) != 0)
        buf_add_z(ret_text, "the table is damaged");
}

static void show(const char *dir, const struct sink_url *url, const char *job, int64_t slot_us,
                 struct buf *ret_text)
{
    (void)dir;
    show_by("rows", url, job, slot_us, ret_text);
}

const struct subject subject = {.scheme = "lake",
                                .has_store = true,
                                .is_persistent = true,
                                .shows_texts = true,
                                .make_url = make_url,
                                .show = show};
