/* Any words as a command line and as an environment: mistakes are named, nothing else happens. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "config/config.h"

#define MAX_ARGS 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct opt_problems problems = {.text = BUF_INIT(1 << 20)};
    struct settings settings = {.all = NULL, .n = 0};
    struct config config = {.data = NULL};
    const char *words[8];
    char *args[MAX_ARGS + 1];
    int n_args = 0;
    size_t n_words;

    if (size < 1)
        return 0;
    uint32_t verb = 1u << (data[0] % 5);
    char *copy = mem_strndup((const char *)data + 1, size - 1);
    for (char *p = copy; p < copy + size - 1 && n_args < MAX_ARGS; p += strlen(p) + 1)
        args[n_args++] = p;
    args[n_args] = NULL;
    opts_from_args(config_options, n_config_options, verb, n_args, args, &settings, words, 8,
                   &n_words, &problems);
    /* a secret's file would be opened: leave that to the tests that own a directory */
    if (memmem(copy, size - 1, "_FILE", 5) == NULL)
        opts_from_env(config_options, n_config_options, verb, args, &settings, &problems);
    opts_bind(config_options, n_config_options, verb, &settings, &config, &problems);
    config_check(&config, verb, &problems);
    opts_release(config_options, n_config_options, &config);
    settings_release(&settings);
    buf_release(&problems.text);
    mem_free(copy);
    return 0;
}
