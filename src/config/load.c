/* All sources become settings, one loop binds them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "config/parts.h"

#include "base/mem.h"

#include <stdlib.h>

static int compare_ids(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* One list, one job: whatever the order it is written in. */
static void sort_ids(struct opt_list *ids)
{
    size_t n = 0;

    if (ids->n > 0)
        qsort(ids->items, ids->n, sizeof(*ids->items), compare_ids);
    for (size_t i = 0; i < ids->n; i++) {
        if (n > 0 && strcmp(ids->items[n - 1], ids->items[i]) == 0)
            mem_free(ids->items[i]);
        else
            ids->items[n++] = ids->items[i];
    }
    ids->n = n;
}

static void bind_job(const struct settings *settings, uint32_t verb, struct job_config *ret_job,
                     struct opt_problems *problems)
{
    struct config scratch = {.data = NULL};

    opts_bind(config_options, n_config_job_options, verb, settings, &scratch, problems);
    *ret_job = scratch.job;
    sort_ids(&ret_job->ids);
}

/* The jobs to collect: those of the file, else the one of the flags, whose mistakes were named when
 * config->job was bound. */
static void bind_jobs(const struct config_read *read, uint32_t verb, struct config *config)
{
    struct opt_problems named_before = {.n = 0};

    config->n_jobs = read->jobs.n > 0 ? read->jobs.n : 1;
    config->jobs = mem_new(config->n_jobs, sizeof(*config->jobs));
    if (read->jobs.n == 0)
        bind_job(read->settings, verb, &config->jobs[0], &named_before);
    for (size_t i = 0; i < read->jobs.n; i++) {
        bind_job(&read->jobs.all[i].settings, verb, &config->jobs[i], read->problems);
        config->jobs[i].name = mem_strdup(read->jobs.all[i].name);
    }
}

/* --simulate on top of a configuration for the real API means the simulator. */
static void prefer_simulator(const struct settings *settings, struct config *config)
{
    const struct setting *simulate = settings_find(settings, "simulate");
    const struct setting *url = settings_find(settings, "api-url");

    if (config->is_simulated && simulate && url && url->rank < simulate->rank)
        config->api_url[0] = '\0';
}

void config_load(const struct config_sources *sources, uint32_t verb, struct config *ret_config,
                 struct settings *ret_settings, const char **ret_words, size_t max_words,
                 size_t *ret_n_words, struct opt_problems *problems)
{
    struct config_read read = {.settings = ret_settings, .problems = problems};

    *ret_config = (struct config){.sources = sources};
    opts_from_args(config_options, n_config_options, verb, sources->argc, sources->argv,
                   ret_settings, ret_words, max_words, ret_n_words, problems);
    opts_from_env(config_options, n_config_options, verb, sources->env, ret_settings, problems);
    opts_bind(config_options, n_config_options, verb, ret_settings, ret_config, problems);
    sort_ids(&ret_config->job.ids);
    bind_jobs(&read, verb, ret_config);
    prefer_simulator(ret_settings, ret_config);
    if (problems->n == 0)
        config_check(ret_config, verb, &read);
}

static void release_job(struct job_config *job)
{
    struct config scratch = {.job = *job};

    mem_free(job->name);
    opts_release(config_options, n_config_job_options, &scratch);
}

void config_release(struct config *config)
{
    for (size_t i = 0; i < config->n_jobs; i++)
        release_job(&config->jobs[i]);
    mem_free(config->jobs);
    opts_release(config_options, n_config_options, config);
    config->jobs = NULL;
    config->n_jobs = 0;
}

static bool is_same(const struct opt_def *def, const struct config *a, const struct config *b)
{
    const void *x = (const char *)a + def->offset, *y = (const char *)b + def->offset;

    switch (def->kind) {
    case OPT_FLAG:
        return *(const bool *)x == *(const bool *)y;
    case OPT_TEXT:
        return strcmp(*(char *const *)x, *(char *const *)y) == 0;
    case OPT_INT:
    case OPT_DURATION:
        return *(const int64_t *)x == *(const int64_t *)y;
    case OPT_CHOICE:
        return *(const int *)x == *(const int *)y;
    case OPT_LIST:
        break;
    }
    const struct opt_list *p = x, *q = y;
    for (size_t i = 0; p->n == q->n && i < p->n; i++)
        if (strcmp(p->items[i], q->items[i]) != 0)
            return false;
    return p->n == q->n;
}

void config_add_restart(const struct config *old, const struct config *new, struct buf *b)
{
    size_t n = 0;

    for (size_t i = n_config_job_options; i < n_config_options; i++)
        if (!config_options[i].is_reloadable && !is_same(&config_options[i], old, new))
            buf_addf(b, "%s--%s", n++ > 0 ? ", " : "", config_options[i].name);
}
