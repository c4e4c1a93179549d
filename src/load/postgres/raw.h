/* The table raw: the answers themselves, beside the rows that were made of them. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_POSTGRES_RAW_H
#define LOAD_POSTGRES_RAW_H

#include "load/postgres/connection.h"

/* db_engine's */
enum st postgres_keep_pages(struct db *db, const struct db_pages *pages, struct err *err) MUST_USE;

#endif
