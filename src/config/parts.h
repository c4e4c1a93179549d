/* Between the files of config/. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_PARTS_H
#define CONFIG_PARTS_H

#include "config/config.h"

#define COLLECTING (VERB_RUN | VERB_ONCE | VERB_EXTRACT | VERB_CHECK | VERB_DOCTOR)

/* A variable of ours, of the environment or of `.env`. */
struct variable {
    char *name, *value;
    char *place; /* as messages name it: "GECKOTAPE_TOP", ".env:3: GECKOTAPE_TOP" */
    int rank;
};

struct variables {
    struct variable *all;
    size_t n;
};

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
    uint32_t verb;
    struct settings *settings;
    struct variables variables;
    const char *file;      /* that was read; NULL: none */
    char *seed_sink;       /* as in struct config */
    struct file_jobs jobs; /* of the file; none when the one of the flags takes their place */
    struct opt_problems *problems;
};

/* GECKOTAPE_… or one of the seed's names: everything else belongs to other programs. */
bool variable_is_ours(struct str name);
void variables_add(struct variables *v, struct str name, struct str value, struct str place,
                   int rank);

/* Add our variables of the file at `path`; none when there is no such file. */
void dotenv_read(const char *path, struct config_read *read);

/* The names of the program that geckotape takes the place of: their variables become settings. */
bool seed_has(struct str name);
void seed_read(struct config_read *read);

/* The file of settings: `path`, or when that is empty the first of the usual places that has one.
 */
void file_read_settings(const char *path, struct config_read *read);
void file_jobs_release(struct file_jobs *jobs);

/* What options alone cannot say: combinations and forms, each a problem with its mend. */
void config_check(const struct config *config, const struct config_read *read);

#endif
