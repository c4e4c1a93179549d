/* geckotape extract: the first stage alone: poll, write the tape, serve the health endpoints. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/collect.h"

static int run(const struct config *config, const char *const *words, size_t n_words)
{
    (void)words, (void)n_words;
    return collect(config, VERB_EXTRACT);
}

const struct verb verb_extract = {
    .name = "extract",
    .bit = VERB_EXTRACT,
    .summary = "Poll and write the tape, until stopped; loading is for others.",
    .form = "geckotape extract [options]",
    .examples =
        "  geckotape extract --data /var/lib/geckotape\n"
        "      polls land on the tape alone; /healthz, /readyz and /metrics are served\n"
        "  geckotape load --follow --from tape:/var/lib/geckotape --sink sqlite:./market.db\n"
        "      the other stage, as a process of its own\n",
    .run = run,
};
