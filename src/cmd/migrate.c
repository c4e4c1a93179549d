/* geckotape migrate: the schemas of the sinks, brought to this program's version. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/cmd.h"

#include "base/mem.h"
#include "load/sink.h"
#include "pipeline/setup.h"
#include "status/status.h"

#include <assert.h>
#include <stdio.h>

static void tell(void *ctx, const char *text)
{
    const struct sink_url *url = ctx;

    printf("%s: %s\n", url->shown, text);
}

static void say(const struct sink_url *url, const struct sink_schema *schema, bool is_dry_run)
{
    const char *would = is_dry_run ? "would be " : "";

    if (schema->from == schema->to)
        printf("%s: schema version %lld, nothing to do\n", url->shown, (long long)schema->to);
    else if (schema->from == 0)
        printf("%s: schema %smade, version %lld\n", url->shown, would, (long long)schema->to);
    else
        printf("%s: schema %sbrought from version %lld to %lld\n", url->shown, would,
               (long long)schema->from, (long long)schema->to);
}

static enum st migrate(struct sink_url *url, const struct sink_migrate *how, struct err *err)
{
    const struct sink_driver *driver;
    struct sink_schema schema;

    enum st st = sink_driver_find(str_of(url->scheme), &driver, err);
    if (st != ST_OK)
        return st;
    if (driver->migrate == NULL) {
        printf("%s: has no schema, nothing to do\n", url->shown);
        return ST_OK;
    }
    struct sink sink = {.driver = driver,
                        .url = url,
                        .clock = clock_system(),
                        .state = mem_new(driver->state_size, 1),
                        .tell = tell,
                        .tell_ctx = url};
    st = driver->migrate(&sink, how, &schema, err);
    if (st == ST_OK)
        say(url, &schema, how->is_dry_run);
    driver->close(&sink);
    mem_free(sink.state);
    return st;
}

/* Each by itself: what is wrong with one is no reason to leave another as it is. */
static int run(const struct config *config, const char *const *words, size_t n_words)
{
    const struct sink_migrate how = {.is_dry_run = config->is_dry_run,
                                     .is_renaming = config->is_renaming_old};
    struct sink_url *urls = mem_new(STATUS_MAX_SINKS, sizeof(*urls));
    int code = EXIT_DONE;
    size_t n = 0;
    struct err err = ERR_INIT;

    (void)words, (void)n_words;
    assert(urls != NULL);
    enum st st = setup_sinks(config, cmd_data_dir(config), urls, &n, &err);
    if (st != ST_OK)
        code = cmd_fail(st, &err, EXIT_CONFIG);
    for (size_t i = 0; i < n; i++) {
        err = (struct err)ERR_INIT;
        st = migrate(&urls[i], &how, &err);
        if (st != ST_OK && code != EXIT_FAILED)
            code = cmd_fail(st, &err, EXIT_FAILED);
        else if (st != ST_OK)
            (void)cmd_fail(st, &err, EXIT_FAILED);
    }
    mem_free(urls);
    return code;
}

const struct verb verb_migrate = {
    .name = "migrate",
    .bit = VERB_MIGRATE,
    .summary = "Bring the schemas of the sinks to this program's version.",
    .form = "geckotape migrate [options]",
    .examples =
        "  geckotape migrate\n"
        "      of the sinks that run would have; it does the same when it opens them\n"
        "  geckotape migrate --sink postgres://owner@db.example.com/market --dry-run\n"
        "      what the owner would do, for writers with ?migrate=off; without --dry-run it "
        "is done\n"
        "  geckotape migrate --sink postgres://etl@db.example.com/market --rename-old\n"
        "      a table public.coin_market_raw of another collector makes room for the "
        "view\n",
    .run = run,
};
