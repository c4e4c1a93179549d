/* Any bytes as geckotape.yaml or as .env: all mistakes are named in clean lines, or all values are
 * within their bounds. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dotenv[] = "/tmp/geckotape-fuzz-XXXXXX", yaml[] = "/tmp/geckotape-fuzz-XXXXXX";

static void put(char *path, const uint8_t *data, size_t size)
{
    int fd = strstr(path, "XXXXXX") ? mkstemp(path) : open(path, O_WRONLY | O_TRUNC);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    close(fd);
}

static void remove_files(void)
{
    unlink(dotenv);
    unlink(yaml);
}

static void check_lines(const struct buf *b)
{
    assert(str_is_utf8(buf_str(b)));
    for (size_t i = 0; i < b->len; i++)
        assert((unsigned char)b->p[i] >= ' ' || b->p[i] == '\n');
    assert(b->len == 0 || b->p[b->len - 1] == '\n');
}

/* first byte: which of the two, and the verb; secrets' files are not opened: they could be any */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char *none[] = {NULL};
    struct opt_problems problems = OPT_PROBLEMS_INIT;
    struct settings settings = {.all = NULL, .n = 0};
    struct config config;
    char name[64];
    size_t n_words;

    if (data == NULL || size < 1)
        return 0;
    if (memmem(data, size, "_file", 5) || memmem(data, size, "_FILE", 5))
        return 0;
    if (strstr(yaml, "XXXXXX"))
        atexit(remove_files);
    bool is_yaml = data[0] & 1;
    put(is_yaml ? yaml : dotenv, data + 1, size - 1);
    put(is_yaml ? dotenv : yaml, data, 0);
    char option[] = "--config", *args[] = {option, yaml};
    const struct config_sources sources = {.argc = 2, .argv = args, .env = none, .dotenv = dotenv};
    uint32_t verb = data[0] & 2 ? VERB_CHECK : VERB_ONCE;
    config_load(&sources, verb, &config, &settings, NULL, 0, &n_words, &problems);
    check_lines(&problems.text);
    check_lines(&problems.warnings);
    assert((problems.n > 0) == (problems.text.len > 0));
    assert(config.n_jobs >= 1 && (problems.n > 0 || config.n_jobs <= CONFIG_MAX_JOBS));
    for (size_t i = 0; i < config.n_jobs && problems.n == 0; i++) {
        config_job_name(&config.jobs[i], name);
        assert(config_pages(&config.jobs[i]) >= 1 && name[0]);
    }
    config_release(&config);
    settings_release(&settings);
    opt_problems_release(&problems);
    return 0;
}
