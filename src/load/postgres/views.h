/* coin_market_raw and coin_market_processed in the schema public, for readers that know one table.
 *
 * Collectors of before have tables of these names there. One is never touched unasked: the views
 * are in our own schema, too.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_POSTGRES_VIEWS_H
#define LOAD_POSTGRES_VIEWS_H

#include "load/postgres/connection.h"
#include "load/sink.h"

/* Make them, as far as nobody else has these names; tell of it where that is so. how: as
 * `geckotape migrate` was asked, and tell what was done, too; NULL: while the sink opens. */
enum st postgres_offer_views(struct sink *s, struct db *db, const struct sink_migrate *how,
                             struct err *err) MUST_USE;

#endif
