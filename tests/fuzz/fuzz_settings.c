/* Any words as a command line and as an environment: mistakes are named, nothing else happens. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "config/config.h"

#define MAX_ARGS 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct opt_problems problems = OPT_PROBLEMS_INIT;
    struct settings settings = {.all = NULL, .n = 0};
    struct config config;
    const char *words[8];
    char *args[MAX_ARGS + 1];
    int n_args = 0;
    size_t n_words;

    if (size < 1)
        return 0;
    uint32_t verb = 1u << (data[0] % 13);
    char *copy = mem_strndup((const char *)data + 1, size - 1);
    for (char *p = copy; p < copy + size - 1 && n_args < MAX_ARGS; p += strlen(p) + 1)
        args[n_args++] = p;
    args[n_args] = NULL;
    /* a secret's file would be opened: leave that to the tests that own a directory */
    char *none[] = {NULL};
    bool opens_files = memmem(copy, size - 1, "_FILE", 5) || memmem(copy, size - 1, "onfig", 5) ||
                       memmem(copy, size - 1, "ONFIG", 5);
    struct config_sources sources = {
        .argc = n_args, .argv = args, .env = opens_files ? none : args, .dotenv = "/dev/null"};
    config_load(&sources, verb, &config, &settings, words, 8, &n_words, &problems);
    config_release(&config);
    settings_release(&settings);
    opt_problems_release(&problems);
    mem_free(copy);
    return 0;
}
