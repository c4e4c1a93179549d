/* What the tests of config/ share: a directory of their own, and one load from all sources in it.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CONFIG_SOURCES_H
#define TESTS_CONFIG_SOURCES_H

#include "base/clock.h"
#include "base/mem.h"
#include "config/config.h"
#include "tap.h"

#include <unistd.h>

static struct config config;
static struct opt_problems problems;
static struct settings settings;
static const char *words[4];
static size_t n_words;
static struct config_sources sources;

static char own_dir[] = "/tmp/geckotape-config-XXXXXX";

static inline void end(void)
{
    rmdir(own_dir);
}

/* Work in a new directory, which goes with the program. */
static inline void begin(void)
{
    if (mkdtemp(own_dir) == NULL || chdir(own_dir) != 0 || atexit(end) != 0)
        abort();
}

static inline void put_bytes(const char *path, const void *bytes, size_t len)
{
    FILE *f = fopen(path, "wb");
    if (f == NULL || fwrite(bytes, 1, len, f) != len || fclose(f) != 0)
        abort();
}

/* A file in the directory; NULL: not there. */
static inline void put(const char *path, const char *text)
{
    if (text)
        put_bytes(path, text, strlen(text));
    else
        unlink(path);
}

static inline void forget(void)
{
    config_release(&config);
    settings_release(&settings);
    opt_problems_release(&problems);
    config = (struct config){.data = NULL};
    problems = (struct opt_problems)OPT_PROBLEMS_INIT;
}

/* Load NULL-ended arguments and variables, `.env` and geckotape.yaml; returns the number of
 * problems. */
static inline size_t load(uint32_t verb, char **args, char **env)
{
    static char *none[] = {NULL};

    forget();
    sources = (struct config_sources){.argv = args, .env = env ? env : none, .dotenv = ".env"};
    for (; args && args[sources.argc]; sources.argc++)
        continue;
    config_load(&sources, verb, &config, &settings, words, 4, &n_words, &problems);
    return problems.n;
}

/* argv is only read, but its type says otherwise */
#define ARGS(...) ((char **)(uintptr_t)(const char *const[]){__VA_ARGS__, NULL})

static inline bool says(const char *what)
{
    return strstr(buf_z(&problems.text), what) != NULL;
}

static inline bool warns(const char *what)
{
    return strstr(buf_z(&problems.warnings), what) != NULL;
}

/* Whatever went in, what comes out are lines of clean text. */
static inline bool is_clean(const struct buf *b)
{
    for (size_t i = 0; i < b->len; i++)
        if (((unsigned char)b->p[i] < ' ' && b->p[i] != '\n') || b->p[i] == 0x7F)
            return false;
    return str_is_utf8(buf_str(b));
}

/* Every test leaves the directory as it was. */
static inline void finish(void)
{
    forget();
    unlink(".env");
    unlink("geckotape.yaml");
    unlink("other.yaml");
    unlink("secret");
}

#endif
