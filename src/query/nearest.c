/* SPDX-License-Identifier: Apache-2.0 */
#include "query/nearest.h"

#define NEAREST 3

/* Less is nearer; SIZE_MAX: not near. A symbol first (of its coins those with the plainest names),
 * then what is typed wrong, then what goes on so. */
static size_t score(struct str wrong, const struct nearest_name *name)
{
    /* below 64, which str_distance() says of what is too long for it */
    const size_t most = wrong.len < 3 ? 1 : wrong.len < 6 ? 2 : wrong.len < 64 ? wrong.len / 3 : 21;
    const size_t distance = str_distance(wrong, name->id), length = name->id.len % 64;

    if (name->symbol.len > 0 && str_eq(wrong, name->symbol))
        return length;
    if (distance <= most)
        return 64 * distance;
    return wrong.len >= 4 && str_starts(name->id, wrong) ? 64 * 64 + length : SIZE_MAX;
}

void nearest_add(struct buf *b, struct str wrong, const struct nearest_name *names, size_t n)
{
    size_t best[NEAREST] = {0}, scores[NEAREST], n_best = 0;

    for (size_t i = 0; i < n; i++) {
        const size_t own = score(wrong, &names[i]);
        size_t at = n_best;
        if (own == SIZE_MAX)
            continue;
        while (at > 0 && own < scores[at - 1])
            at--;
        if (at == NEAREST)
            continue;
        n_best += n_best < NEAREST;
        for (size_t k = n_best - 1; k > at; k--) {
            best[k] = best[k - 1];
            scores[k] = scores[k - 1];
        }
        best[at] = i;
        scores[at] = own;
    }
    for (size_t i = 0; i < n_best; i++) {
        buf_add_z(b, i == 0 ? "" : i + 1 < n_best ? ", " : " or ");
        buf_add_clean(b, names[best[i]].id, 64);
    }
}
