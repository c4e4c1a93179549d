/* geckotape run: extract, load every sink, serve, until a signal. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/collect.h"

static int run(const struct config *config, const char *const *words, size_t n_words)
{
    (void)words, (void)n_words;
    return collect(config, VERB_RUN);
}

const struct verb verb_run = {
    .name = "run",
    .bit = VERB_RUN,
    .summary = "Collect, store and serve, until stopped.",
    .form = "geckotape run [options]",
    .examples =
        "  geckotape run --simulate\n"
        "      watch it work on made-up data, without a network\n"
        "  geckotape run\n"
        "      the top 250 coins in usd every 30 s into ./data; page on http://127.0.0.1:8080/\n"
        "  geckotape run --top 100 --vs eur --every 5m --data /var/lib/geckotape\n"
        "      another selection is another stream beside the first\n"
        "  geckotape run --api-plan demo --sink sqlite:./market.db --listen none\n"
        "      with a key in GECKOTAPE_API_KEY, one sink, no web server\n",
    .run = run,
};
