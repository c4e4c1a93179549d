/* Between the files of config/. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_PARTS_H
#define CONFIG_PARTS_H

#include "config/config.h"

/* A job as the file has it: its keys as settings of the job options. */
struct file_job {
    char *name;
    char *origin; /* "geckotape.yaml:7: jobs.eur" */
    struct settings settings;
};

struct file_jobs {
    struct file_job *all;
    size_t n;
};

/* What was read, before it is bound. */
struct config_read {
    struct settings *settings;
    struct file_jobs jobs; /* of the file; none when those of the flags take their place */
    struct opt_problems *problems;
};

/* What options alone cannot say: combinations and forms, each a problem with its mend. */
void config_check(const struct config *config, uint32_t verb, const struct config_read *read);

#endif
