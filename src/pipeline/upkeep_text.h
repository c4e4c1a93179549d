/* What upkeep of a stream did, in one line for people: of the verb alone, and of requests. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_UPKEEP_TEXT_H
#define PIPELINE_UPKEEP_TEXT_H

#include "base/buf.h"
#include "tape/upkeep.h"

struct sealed_totals {
    uint64_t n, before, after, raw; /* segments; bytes: as open ones, sealed, of the bodies */
};

void sealed_totals_add(struct sealed_totals *t, const struct tape_sealed *sealed);

/* n_open: segments there were to seal. No line feed, as all here. */
void upkeep_add_progress(struct buf *b, const char *job, const struct sealed_totals *t,
                         uint64_t n_open);
void upkeep_add_sealed(struct buf *b, const char *job, const struct sealed_totals *t);

/* holder: who keeps back more, "" when no sink of it is known. */
void upkeep_add_pruned(struct buf *b, const char *job, const struct tape_pruned *p, bool is_dry_run,
                       const char *holder);

/* Why an import is left alone. */
void upkeep_add_import(struct buf *b, const char *job);

#endif
