/* SPDX-License-Identifier: Apache-2.0 */
#include "docgen.h"

#include "base/metric.h"

#include <stdio.h>

#define SPECIALS "\\*<[|" /* what Markdown would take for its own */

static void file_key(const struct opt_def *def)
{
    struct str rest = str_of(def->path ? def->path : ""), section;

    if (text_is_of_job(def))
        printf(", in the file `%s` of a job", def->path ? def->path : def->name);
    else if (def->path && strchr(def->path, '.') && str_cut(&rest, '.', &section))
        printf(", in the file `%.*s` below `%.*s`", STR_ARG(rest), STR_ARG(section));
    else if (def->path)
        printf(", in the file `%s`", def->path);
}

static void option(const struct opt_def *def)
{
    const char *metavar = text_metavar(def);

    printf("\n### --%s\n\n", def->name);
    text_sentence(def->help, SPECIALS);
    printf("\n\n- `--%s%s%s`, `", def->name, metavar ? " " : "", metavar ? metavar : "");
    text_variable(def);
    printf("`");
    file_key(def);
    printf("\n");
    if (text_has_values(def)) {
        printf("- Values: ");
        text_values(def);
        printf("\n");
    }
    if (text_has_default(def))
        printf("- Default: `%s`\n", def->fallback);
    printf("- Of ");
    text_verbs(def, "`");
    printf("\n");
    if (def->is_reloadable)
        printf("- A change in the file is taken over at SIGHUP\n");
    if (def->is_secret) {
        printf("- A secret: shown as `***`; also the first line of the file that `");
        text_variable(def);
        printf("_FILE` names\n");
    }
}

void markdown_options(void)
{
    printf("# Options\n\n"
           "Made of the option table by `make docs`; edit `src/config/` instead.\n\n"
           "An option is a flag, an environment variable, a line of `.env` in the working "
           "directory, or a key in the\n"
           "configuration file (`--config`, else `./geckotape.yaml`, else "
           "`/etc/geckotape/geckotape.yaml`); the first of these\n"
           "that has it wins. `geckotape check` shows the value and the origin of each. Durations "
           "are `30s`, `5m`, `1h`, `7d`.\n");
    for (size_t i = 0; i < n_config_options; i++) {
        if (i == 0)
            printf("\n## Of a job: what to fetch and when\n");
        if (i == n_config_job_options)
            printf("\n## Of the program\n");
        option(&config_options[i]);
    }
}

void markdown_metrics(void)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    struct str name, unit;

    printf("# Metrics\n\n"
           "Made of the table in `src/base/metric.h` by `make docs`. They are served as "
           "`/metrics` in Prometheus' text format.\n"
           "A series appears at its first use. Names end in their unit; `_total` counts since the "
           "start of the process.\n\n"
           "| name | kind | unit | labels | what |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < N_METRICS; i++) {
        const struct metric_def *def = &metric_defs[i];
        name = str_of(def->name);
        unit = STR("");
        if (strstr(def->name, "_seconds"))
            unit = STR("seconds");
        else if (strstr(def->name, "_bytes"))
            unit = STR("bytes");
        printf("| `%.*s` | %s | %.*s | %s | ", STR_ARG(name), kinds[def->kind], STR_ARG(unit),
               def->labels);
        text_escaped(str_of(def->help), SPECIALS);
        printf(" |\n");
    }
}
