/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/upkeep_text.h"

#include "status/render.h"

void sealed_totals_add(struct sealed_totals *t, const struct tape_sealed *sealed)
{
    t->n++;
    t->before += sealed->bytes_before;
    t->after += sealed->bytes_after;
    t->raw += sealed->bytes_raw;
}

void upkeep_add_progress(struct buf *b, const char *job, const struct sealed_totals *t,
                         uint64_t n_open)
{
    buf_addf(b, "%s: %llu of %llu segments · ", job, (unsigned long long)t->n,
             (unsigned long long)n_open);
    status_add_bytes(b, t->before);
    buf_add_z(b, " → ");
    status_add_bytes(b, t->after);
}

void upkeep_add_sealed(struct buf *b, const char *job, const struct sealed_totals *t)
{
    buf_addf(b, "%s: ", job);
    if (t->n == 0) {
        buf_add_z(b, "nothing to seal");
        return;
    }
    buf_addf(b, "%llu segment%s sealed: ", (unsigned long long)t->n, t->n == 1 ? "" : "s");
    status_add_bytes(b, t->before);
    buf_add_z(b, " → ");
    status_add_bytes(b, t->after);
    buf_addf(b, ", 1/%.1f of what came", (double)t->raw / (double)t->after);
}

void upkeep_add_pruned(struct buf *b, const char *job, const struct tape_pruned *p, bool is_dry_run,
                       const char *holder)
{
    buf_addf(b, "%s: ", job);
    if (p->n_segments == 0) {
        buf_add_z(b, "nothing to remove");
    } else {
        buf_addf(b, "%zu segment%s, ", p->n_segments, p->n_segments == 1 ? "" : "s");
        status_add_bytes(b, p->bytes);
        buf_addf(b, "%s; the tape %s at offset %llu", is_dry_run ? " to remove" : " removed",
                 is_dry_run ? "would begin" : "begins", (unsigned long long)p->first_kept);
        if (holder[0] == '\0')
            buf_add_z(b, "; no sink of it is known");
    }
    if (p->is_held_by_sinks)
        buf_addf(b, "; the rest stays until %s has loaded it", holder);
}

void upkeep_add_import(struct buf *b, const char *job)
{
    buf_addf(b, "%s: history, which stays; --job %s removes of it", job, job);
}
