/* The URL of a postgres: sink: any URI of libpq's, and options of ours among its own. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_POSTGRES_URL_H
#define LOAD_POSTGRES_URL_H

#include "base/sink_url.h"

#include <stdbool.h>

#define POSTGRES_MAX_NAME 64 /* bytes of an identifier, NUL included */

/* How tables of rows are cut into partitions. */
enum postgres_layout { LAYOUT_UNSAID, LAYOUT_MONTH, LAYOUT_DAY, LAYOUT_COIN_HASH, N_LAYOUTS };
extern const char *const postgres_layout_names[N_LAYOUTS]; /* as ?partition= has them */

struct postgres_url {
    char schema[POSTGRES_MAX_NAME];
    enum postgres_layout layout;
    bool has_raw;     /* bodies are stored, too */
    bool may_migrate; /* else the schema must be there */
    /* what libpq is given: keywords and values, NULL-ended; owned */
    char **keywords, **values;
};

/* ST_REJECT with the mend. Connects to nobody. is_reader: a server that cannot be written is as
 * good. Release with postgres_url_release(). */
enum st postgres_url_read(const struct sink_url *url, bool is_reader, struct postgres_url *ret,
                          struct err *err) MUST_USE;
struct postgres_url postgres_url_copy(const struct postgres_url *url);
void postgres_url_release(struct postgres_url *url); /* zeroed is fine */

#endif
