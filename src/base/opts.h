/* Options: each is one row of a table; parsing, checking, --help and the docs are derived from it.
 *
 * Every source (command line, environment, later files) yields settings (name, value, origin); one
 * loop binds them to a struct, so that all mistakes are reported at once, each with its place and
 * mend.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_OPTS_H
#define BASE_OPTS_H

#include "base/buf.h"
#include "base/err.h"

enum opt_kind {
    OPT_FLAG,     /* bool: given or not; "true"/"false" from the environment */
    OPT_TEXT,     /* char *: owned by the bound struct */
    OPT_INT,      /* int64_t in [min, max] */
    OPT_DURATION, /* int64_t microseconds in [min, max] */
    OPT_CHOICE,   /* int: index in choices */
    OPT_LIST,     /* struct opt_list: repeatable; see separator */
};

struct opt_list {
    char **items;
    size_t n;
};

struct opt_def {
    const char *name;     /* "api-url": --api-url, GECKOTAPE_API_URL */
    const char *env_name; /* "sinks": GECKOTAPE_SINKS; NULL: as name */
    const char *path;     /* "api.url": where it is in the file; NULL: not there */
    enum opt_kind kind;
    const char *metavar;  /* "URL" in --help; NULL for flags */
    const char *fallback; /* default as text; NULL: zero, empty or computed (help says how) */
    int64_t min, max;     /* OPT_INT, OPT_DURATION */
    const char *choices;  /* OPT_CHOICE: "text|json"; OPT_INT, OPT_DURATION: a word that means 0 */
    uint32_t verbs;       /* bits of the verbs that take it */
    bool is_reloadable;
    bool is_secret;    /* shown as ***; also read from the file that NAME_FILE names */
    char separator;    /* OPT_LIST: ',' parts items from any source; 0: spaces do, in variables */
    const char *parts; /* OPT_TEXT: in the file it may be a map of these keys, "from-to every": what
                          is between two of them stands between their values; NULL: it may not */
    const char *help;
    size_t offset; /* of the field in the bound struct */
};

struct setting {
    char *name;
    char *value;
    char *origin; /* "--every", "GECKOTAPE_EVERY": for messages */
    int rank;     /* higher wins: see enum setting_rank */
};

enum setting_rank {
    RANK_DEFAULT,
    RANK_FILE,
    RANK_URL, /* what the query of a full URL implies */
    RANK_DOTENV,
    RANK_ENVIRONMENT,
    RANK_FLAG,
};

struct settings {
    struct setting *all;
    size_t n;
};

void settings_release(struct settings *s);
void settings_add(struct settings *s, struct str name, struct str value, struct str origin,
                  int rank);

/* The setting of this name that wins, NULL when there is none. */
const struct setting *settings_find(const struct settings *s, const char *name);

/* Collects every problem as a line of its own: "place: cause; mend\n", and likewise what is only
 * worth a warning. Lines are clean text, whatever went into them; where a buffer is full, the lines
 * that found no room are only counted. */
struct opt_problems {
    struct buf text;
    size_t n;
    struct buf warnings;
};

#define OPT_PROBLEMS_INIT \
    {.text = BUF_INIT((size_t)64 * 1024), .n = 0, .warnings = BUF_INIT((size_t)64 * 1024)}

void opt_problem(struct opt_problems *p, const char *fmt, ...) PRINTF(2, 3);
void opt_warning(struct opt_problems *p, const char *fmt, ...) PRINTF(2, 3);
void opt_problems_release(struct opt_problems *p);

/* Read the command line behind the verb: --name VALUE, --name=VALUE, --flag, -- (the rest are
 * words). Words that are no options go to ret_words (borrowed from argv); of more than max_words
 * the rest are only counted. */
void opts_from_args(const struct opt_def *defs, size_t n_defs, uint32_t verb, int argc, char **argv,
                    struct settings *settings, const char **ret_words, size_t max_words,
                    size_t *ret_n_words, struct opt_problems *problems);

#define OPT_ENV_PREFIX "GECKOTAPE_"

/* Read one variable. GECKOTAPE_<NAME> of an option of this verb becomes a setting (empty: as if it
 * were not set), GECKOTAPE_<NAME>_FILE of a secret the first line of that file; options of other
 * verbs are left alone, a GECKOTAPE_… that no option has is a problem, all else is not ours.
 * place: how messages name it, like the variable itself or ".env:3: GECKOTAPE_TOP". */
void opts_from_variable(const struct opt_def *defs, size_t n_defs, uint32_t verb,
                        struct str variable, struct str value, struct str place, int rank,
                        struct settings *settings, struct opt_problems *problems);

/* The first line of the file at `path` is the value of a secret: a setting with this origin. */
void opts_from_secret_file(const struct opt_def *def, struct str path, struct str origin, int rank,
                           struct settings *settings, struct opt_problems *problems);

/* Fill target: defaults first, then the settings by rank. */
void opts_bind(const struct opt_def *defs, size_t n_defs, uint32_t verb,
               const struct settings *settings, void *target, struct opt_problems *problems);

/* Free what opts_bind() put into target. */
void opts_release(const struct opt_def *defs, size_t n_defs, void *target);

/* Append the value that target holds, as it would be written; of a secret "***". */
void opts_add_value(const struct opt_def *def, const void *target, struct buf *b);

/* The options of a verb as aligned help lines of at most 100 columns. */
void opts_help(const struct opt_def *defs, size_t n_defs, uint32_t verb, struct buf *b);

#endif
