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
    OPT_LIST,     /* struct opt_list: repeatable; from the environment separated by spaces */
};

struct opt_list {
    char **items;
    size_t n;
};

struct opt_def {
    const char *name;     /* "api-url": --api-url, GECKOTAPE_API_URL */
    const char *env_name; /* "sinks": GECKOTAPE_SINKS; NULL: as name */
    enum opt_kind kind;
    const char *metavar;  /* "URL" in --help; NULL for flags */
    const char *fallback; /* default as text; NULL: zero, empty or computed (help says how) */
    int64_t min, max;     /* OPT_INT, OPT_DURATION */
    const char *choices;  /* OPT_CHOICE: "text|json" */
    uint32_t verbs;       /* bits of the verbs that take it */
    bool is_reloadable;
    bool is_secret; /* shown as ***; also read from the file that NAME_FILE names */
    const char *help;
    size_t offset; /* of the field in the bound struct */
};

struct setting {
    char *name;
    char *value;
    char *origin; /* "--every", "GECKOTAPE_EVERY": for messages */
    int rank;     /* higher wins: see enum setting_rank */
};

enum setting_rank { RANK_DEFAULT, RANK_FILE, RANK_DOTENV, RANK_ENVIRONMENT, RANK_FLAG };

struct settings {
    struct setting *all;
    size_t n;
};

void settings_release(struct settings *s);
void settings_add(struct settings *s, struct str name, struct str value, struct str origin,
                  int rank);

/* Collects every problem as a line of its own: "place: cause; mend\n". */
struct opt_problems {
    struct buf text;
    size_t n;
};

void opt_problem(struct opt_problems *p, const char *fmt, ...) PRINTF(2, 3);

/* Read the command line behind the verb: --name VALUE, --name=VALUE, --flag, -- (the rest are
 * words). Words that are no options go to ret_words (borrowed from argv; at most max_words). */
void opts_from_args(const struct opt_def *defs, size_t n_defs, uint32_t verb, int argc, char **argv,
                    struct settings *settings, const char **ret_words, size_t max_words,
                    size_t *ret_n_words, struct opt_problems *problems);

/* Read GECKOTAPE_<NAME> (and GECKOTAPE_<NAME>_FILE of secrets) from environ-like `env`. Options of
 * other verbs are left alone, names that no option has are problems. */
void opts_from_env(const struct opt_def *defs, size_t n_defs, uint32_t verb, char *const *env,
                   struct settings *settings, struct opt_problems *problems);

/* Fill target: defaults first, then the settings by rank. */
void opts_bind(const struct opt_def *defs, size_t n_defs, uint32_t verb,
               const struct settings *settings, void *target, struct opt_problems *problems);

/* Free what opts_bind() put into target. */
void opts_release(const struct opt_def *defs, size_t n_defs, void *target);

/* The options of a verb as aligned help lines of at most 100 columns. */
void opts_help(const struct opt_def *defs, size_t n_defs, uint32_t verb, struct buf *b);

#endif
