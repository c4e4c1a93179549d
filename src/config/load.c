/* All sources become settings, one loop binds them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "config/parts.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

bool variable_is_ours(struct str name)
{
    return str_starts(name, STR(OPT_ENV_PREFIX)) || seed_has(name);
}

void variables_add(struct variables *v, struct str name, struct str value, struct str place,
                   int rank)
{
    v->all = mem_grow(v->all, v->n + 1, sizeof(*v->all));
    v->all[v->n++] = (struct variable){
        .name = mem_strndup(name.p, name.len),
        .value = mem_strndup(value.p, value.len),
        .place = mem_strndup(place.p, place.len),
        .rank = rank,
    };
}

static void variables_release(struct variables *v)
{
    for (size_t i = 0; i < v->n; i++) {
        mem_free(v->all[i].name);
        mem_free(v->all[i].value);
        mem_free(v->all[i].place);
    }
    mem_free(v->all);
}

static void read_variables(const struct config_sources *sources, struct config_read *read)
{
    struct variables *v = &read->variables;

    dotenv_read(sources->dotenv, read);
    for (char *const *env = sources->env; *env; env++) {
        struct str value = str_of(*env), name;
        if (str_cut(&value, '=', &name) && variable_is_ours(name))
            variables_add(v, name, value, name, RANK_ENVIRONMENT);
    }
    seed_read(read);
    for (size_t i = 0; i < v->n; i++)
        opts_from_variable(config_options, n_config_options, read->verb, str_of(v->all[i].name),
                           str_of(v->all[i].value), str_of(v->all[i].place), v->all[i].rank,
                           read->settings, read->problems);
}

/* The file that --config names, or one of the usual ones. */
static void read_file(struct config_read *read)
{
    const struct setting *config = settings_find(read->settings, "config");

    file_read_settings(config ? config->value : "", read);
}

static bool is_secret(const struct setting *s)
{
    struct str origin = str_of(s->origin);

    if (origin.len > 5 && strcasecmp(origin.p + origin.len - 5, "_file") == 0)
        return false; /* it is in a file of its own */
    for (size_t i = 0; i < n_config_options; i++)
        if (config_options[i].is_secret && strcmp(config_options[i].name, s->name) == 0)
            return true;
    return false;
}

/* A file that holds a secret and that everybody may read, once each. */
static void warn_of_readers(const struct config_read *read)
{
    char path[256], last[256] = "";
    struct stat st;

    for (size_t i = 0; i < read->settings->n; i++) {
        const struct setting *s = &read->settings->all[i];
        struct str rest = str_of(s->origin), head;
        if ((s->rank != RANK_FILE && s->rank != RANK_DOTENV) || !is_secret(s))
            continue;
        str_cut(&rest, ':', &head);
        snprintf(path, sizeof(path), "%.*s", STR_ARG(head));
        if (strcmp(path, last) == 0 || stat(path, &st) != 0 || !(st.st_mode & S_IROTH))
            continue;
        opt_warning(read->problems, "%s: holds a secret, and everybody may read it; chmod 600 %s",
                    path, path);
        snprintf(last, sizeof(last), "%s", path);
    }
}

/* The first option of a job that was given outside the file, NULL when there is none. */
static const struct setting *selecting(const struct settings *settings)
{
    for (size_t i = 0; i < n_config_job_options; i++) {
        const struct setting *s = settings_find(settings, config_options[i].name);
        if (s)
            return s;
    }
    return NULL;
}

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

/* Who selects a job outside the file means that one job. */
static void choose_jobs(struct config_read *read, struct config *config)
{
    const struct setting *by = selecting(read->settings);

    if (read->jobs.n == 0 || by == NULL)
        return;
    if (read->verb & COLLECTING)
        opt_warning(read->problems, "%s: selects one job; the %zu of %s are not used", by->origin,
                    read->jobs.n, read->file);
    config->n_jobs_replaced = read->jobs.n;
    file_jobs_release(&read->jobs);
}

/* For `check`: what the jobs of the file say, as settings "jobs.NAME.KEY". */
static void list_jobs(struct config_read *read)
{
    char name[256];

    for (size_t j = 0; j < read->jobs.n; j++) {
        const struct settings *settings = &read->jobs.all[j].settings;
        for (size_t i = 0; i < settings->n; i++) {
            const struct setting *s = &settings->all[i];
            snprintf(name, sizeof(name), "jobs.%s.%s", read->jobs.all[j].name, s->name);
            settings_add(read->settings, str_of(name), str_of(s->value), str_of(s->origin),
                         s->rank);
        }
    }
}

/* The jobs to collect: those of the file, else the one of the flags, whose mistakes were named when
 * config->job was bound. */
static void bind_jobs(const struct config_read *read, struct config *config)
{
    struct opt_problems named_before = {.n = 0};

    config->n_jobs = read->jobs.n > 0 ? read->jobs.n : 1;
    config->jobs = mem_new(config->n_jobs, sizeof(*config->jobs));
    if (read->jobs.n == 0)
        bind_job(read->settings, read->verb, &config->jobs[0], &named_before);
    for (size_t i = 0; i < read->jobs.n; i++) {
        bind_job(&read->jobs.all[i].settings, read->verb, &config->jobs[i], read->problems);
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
    struct config_read read = {.verb = verb, .settings = ret_settings, .problems = problems};

    *ret_config = (struct config){.sources = sources};
    opts_from_args(config_options, n_config_options, verb, sources->argc, sources->argv,
                   ret_settings, ret_words, max_words, ret_n_words, problems);
    read_variables(sources, &read);
    read_file(&read);
    warn_of_readers(&read);
    choose_jobs(&read, ret_config);
    list_jobs(&read);
    opts_bind(config_options, n_config_options, verb, ret_settings, ret_config, problems);
    if (ret_config->output == OUTPUT_AUTO && verb != VERB_EXPORT)
        ret_config->output = OUTPUT_TABLE;
    sort_ids(&ret_config->job.ids);
    bind_jobs(&read, ret_config);
    prefer_simulator(ret_settings, ret_config);
    mem_free(ret_config->config_file);
    ret_config->config_file = mem_strdup(read.file ? read.file : "");
    ret_config->seed_sink = read.seed_sink;
    config_check(ret_config, &read);
    file_jobs_release(&read.jobs);
    variables_release(&read.variables);
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
    mem_free(config->seed_sink);
    config->seed_sink = NULL;
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
