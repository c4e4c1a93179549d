/* SPDX-License-Identifier: Apache-2.0 */
#include "base/metric.h"

#include "base/clock.h"
#include "base/mem.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define N_BUCKETS 11
/* Upper bounds in seconds: from a local commit (1 ms) to the slowest answer worth waiting for. */
static const double bounds[N_BUCKETS] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                         0.1,   0.5,    1,     5,    30};

const struct metric_def metric_defs[N_METRICS] = {
#define METRIC_ROW(id, name_, kind_, labels_, help_) \
    {.name = "geckotape_" name_, .kind = METRIC_##kind_, .labels = labels_, .help = help_},
    METRICS(METRIC_ROW)
#undef METRIC_ROW
};

struct series {
    enum metric_id id;
    char *label[2]; /* NULL: the metric has no such label */
    double value;   /* histogram: the sum */
    uint64_t count;
    uint64_t *buckets; /* histograms only */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct series *all;
static size_t n_all;

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static struct series *find(enum metric_id id, const char *label1, const char *label2)
{
    for (size_t i = 0; i < n_all; i++)
        if (all[i].id == id && same(all[i].label[0], label1) && same(all[i].label[1], label2))
            return &all[i];
    return NULL;
}

/* The series, made at its first use; the one of METRIC_SERIES_DROPPED has a place of its own. */
static struct series *get(enum metric_id id, const char *label1, const char *label2)
{
    struct series *s = find(id, label1, label2);
    if (s)
        return s;
    if (n_all >= METRIC_MAX_SERIES - 1 && id != METRIC_SERIES_DROPPED) {
        get(METRIC_SERIES_DROPPED, NULL, NULL)->value++;
        return NULL;
    }
    if (all == NULL)
        all = mem_new(METRIC_MAX_SERIES, sizeof(*all));
    s = &all[n_all++];
    *s = (struct series){.id = id};
    s->label[0] = label1 ? mem_strdup(label1) : NULL;
    s->label[1] = label2 ? mem_strdup(label2) : NULL;
    if (metric_defs[id].kind == METRIC_HISTOGRAM)
        s->buckets = mem_new(N_BUCKETS, sizeof(*s->buckets));
    return s;
}

void metric_add(enum metric_id id, const char *label1, const char *label2, double delta)
{
    pthread_mutex_lock(&lock);
    struct series *s = get(id, label1, label2);
    if (s)
        s->value += delta;
    pthread_mutex_unlock(&lock);
}

void metric_set(enum metric_id id, const char *label1, const char *label2, double value)
{
    pthread_mutex_lock(&lock);
    struct series *s = get(id, label1, label2);
    if (s)
        s->value = value;
    pthread_mutex_unlock(&lock);
}

void metric_observe_us(enum metric_id id, const char *label1, int64_t duration_us)
{
    double seconds = (double)duration_us / 1e6;

    pthread_mutex_lock(&lock);
    struct series *s = get(id, label1, NULL);
    if (s) {
        s->value += seconds;
        s->count++;
        for (size_t i = 0; i < N_BUCKETS; i++)
            s->buckets[i] += seconds <= bounds[i];
    }
    pthread_mutex_unlock(&lock);
}

/* Which of a metric's labels has this name? 2: none. */
static size_t place_of(enum metric_id id, const char *label)
{
    struct str names = str_of(metric_defs[id].labels), name;
    size_t i = 0;

    while (i < 2 && names.len > 0) {
        str_cut(&names, ',', &name);
        if (str_eq(name, str_of(label)))
            return i;
        i++;
    }
    return 2;
}

static void release(struct series *s)
{
    mem_free(s->label[0]);
    mem_free(s->label[1]);
    mem_free(s->buckets);
}

void metric_drop(const char *label, const char *value)
{
    size_t n = 0;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n_all; i++) {
        size_t place = place_of(all[i].id, label);
        if (place < 2 && same(all[i].label[place], value))
            release(&all[i]);
        else
            all[n++] = all[i];
    }
    n_all = n;
    pthread_mutex_unlock(&lock);
}

double metric_get(enum metric_id id, const char *label1, const char *label2)
{
    pthread_mutex_lock(&lock);
    const struct series *s = find(id, label1, label2);
    double value = s == NULL ? 0 : s->buckets ? (double)s->count : s->value;
    pthread_mutex_unlock(&lock);
    return value;
}

static int64_t resident_bytes(void)
{
    long long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f == NULL)
        return 0;
    /* NOLINTNEXTLINE(cert-err34-c): the kernel wrote it */
    if (fscanf(f, "%*d %lld", &pages) != 1)
        pages = 0;
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

static int open_fds(void)
{
    int n = -3; /* ".", ".." and the directory itself */
    DIR *d = opendir("/proc/self/fd");
    if (d == NULL)
        return 0;
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static void read_process_figures(void)
{
    struct rusage usage;

    if (getrusage(RUSAGE_SELF, &usage) == 0)
        metric_set(METRIC_PROCESS_CPU, NULL, NULL,
                   (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    metric_set(METRIC_PROCESS_RSS, NULL, NULL, (double)resident_bytes());
    metric_set(METRIC_PROCESS_FDS, NULL, NULL, open_fds());
}

static void write_label_value(struct buf *b, const char *value)
{
    for (const char *p = value; *p; p++) {
        if (*p == '\n')
            buf_add_z(b, "\\n");
        else if (*p == '"' || *p == '\\')
            buf_addf(b, "\\%c", *p);
        else
            buf_add_char(b, *p);
    }
}

/* name{a="…",b="…",le="…"} value */
static void write_sample(struct buf *b, const struct series *s, const char *suffix, const char *le,
                         double value)
{
    const struct metric_def *def = &metric_defs[s->id];
    struct str names = str_of(def->labels), name;
    const char *separator = "{";

    buf_addf(b, "%s%s", def->name, suffix);
    for (int i = 0; i < 2 && s->label[i]; i++) {
        str_cut(&names, ',', &name);
        buf_addf(b, "%s%.*s=\"", separator, STR_ARG(name));
        write_label_value(b, s->label[i]);
        buf_add_char(b, '"');
        separator = ",";
    }
    if (le)
        buf_addf(b, "%sle=\"%s\"", separator, le);
    buf_addf(b, "%s %.15g\n", le || s->label[0] ? "}" : "", value);
}

static void write_series(struct buf *b, const struct series *s)
{
    char le[32];

    if (s->buckets == NULL) {
        write_sample(b, s, "", NULL, s->value);
        return;
    }
    for (size_t i = 0; i < N_BUCKETS; i++) {
        snprintf(le, sizeof(le), "%g", bounds[i]);
        write_sample(b, s, "_bucket", le, (double)s->buckets[i]);
    }
    write_sample(b, s, "_bucket", "+Inf", (double)s->count);
    write_sample(b, s, "_sum", NULL, s->value);
    write_sample(b, s, "_count", NULL, (double)s->count);
}

void metric_write(struct buf *b)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};

    read_process_figures();
    pthread_mutex_lock(&lock);
    for (int id = 0; id < N_METRICS; id++) {
        bool is_first = true;
        for (size_t i = 0; i < n_all; i++) {
            if ((int)all[i].id != id)
                continue;
            if (is_first)
                buf_addf(b, "# HELP %s %s\n# TYPE %s %s\n", metric_defs[id].name,
                         metric_defs[id].help, metric_defs[id].name, kinds[metric_defs[id].kind]);
            is_first = false;
            write_series(b, &all[i]);
        }
    }
    pthread_mutex_unlock(&lock);
}

void metric_reset(void)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n_all; i++)
        release(&all[i]);
    mem_free(all);
    all = NULL;
    n_all = 0;
    pthread_mutex_unlock(&lock);
}
