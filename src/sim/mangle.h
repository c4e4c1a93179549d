/* Answers whose text is changed: fields that drift, bytes that are no JSON. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_MANGLE_H
#define SIM_MANGLE_H

#include "base/buf.h"

/* A field nobody has seen in each coin. */
void mangle_new_field(struct buf *body);
/* No fully_diluted_valuation any more. */
void mangle_missing_field(struct buf *body);
/* total_volume is now called volume_24h. */
void mangle_renamed_field(struct buf *body);
/* total_supply is an object. */
void mangle_retyped_field(struct buf *body);
/* current_price, market_cap and total_volume are strings. */
void mangle_strings(struct buf *body);
/* A byte order mark in front. */
void mangle_bom(struct buf *body);
/* The first name is in Latin-1. */
void mangle_utf8(struct buf *body);

#endif
