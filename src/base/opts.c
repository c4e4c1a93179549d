/* SPDX-License-Identifier: Apache-2.0 */
#include "base/opts.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define ENV_PREFIX      "GECKOTAPE_"
#define MAX_NAME        64
#define MAX_SECRET_FILE (size_t)4096 /* bytes */

void settings_release(struct settings *s)
{
    for (size_t i = 0; i < s->n; i++) {
        mem_free(s->all[i].name);
        mem_free(s->all[i].value);
        mem_free(s->all[i].origin);
    }
    mem_free(s->all);
    *s = (struct settings){.all = NULL, .n = 0};
}

void settings_add(struct settings *s, struct str name, struct str value, struct str origin,
                  int rank)
{
    s->all = mem_grow(s->all, s->n + 1, sizeof(*s->all));
    s->all[s->n++] = (struct setting){
        .name = mem_strndup(name.p, name.len),
        .value = mem_strndup(value.p, value.len),
        .origin = mem_strndup(origin.p, origin.len),
        .rank = rank,
    };
}

void opt_problem(struct opt_problems *p, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    buf_vaddf(&p->text, fmt, ap);
    va_end(ap);
    buf_add_char(&p->text, '\n');
    p->n++;
}

static const struct opt_def *find(const struct opt_def *defs, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(name, str_of(defs[i].name)))
            return &defs[i];
    return NULL;
}

/* The name that follows GECKOTAPE_, in lower case. */
static const char *env_name(const struct opt_def *def)
{
    return def->env_name ? def->env_name : def->name;
}

static const struct opt_def *find_env(const struct opt_def *defs, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(name, str_of(env_name(&defs[i]))))
            return &defs[i];
    return NULL;
}

static const struct opt_def *nearest(const struct opt_def *defs, size_t n, uint32_t verb,
                                     struct str name)
{
    const struct opt_def *best = NULL;
    size_t best_distance = 4; /* more typing mistakes than that are another word */

    for (size_t i = 0; i < n; i++) {
        size_t distance = str_distance(name, str_of(defs[i].name));
        if ((defs[i].verbs & verb) && distance < best_distance) {
            best = &defs[i];
            best_distance = distance;
        }
    }
    return best;
}

static void unknown_option(const struct opt_def *defs, size_t n, uint32_t verb, struct str name,
                           struct opt_problems *problems)
{
    const struct opt_def *near = nearest(defs, n, verb, name);
    if (near)
        opt_problem(problems, "--%.*s: no such option; did you mean --%s?", STR_ARG(name),
                    near->name);
    else
        opt_problem(problems, "--%.*s: no such option; --help lists them", STR_ARG(name));
}

void opts_from_args(const struct opt_def *defs, size_t n_defs, uint32_t verb, int argc, char **argv,
                    struct settings *settings, const char **ret_words, size_t max_words,
                    size_t *ret_n_words, struct opt_problems *problems)
{
    bool is_words_only = false;

    *ret_n_words = 0;
    for (int i = 0; i < argc; i++) {
        struct str arg = str_of(argv[i]), name, value;
        char origin[MAX_NAME + 3];

        if (!is_words_only && str_eq(arg, STR("--"))) {
            is_words_only = true;
            continue;
        }
        if (is_words_only || arg.len < 2 || arg.p[0] != '-') {
            if (*ret_n_words == max_words)
                opt_problem(problems, "%s: one word too many; --help shows the form", argv[i]);
            else
                ret_words[(*ret_n_words)++] = argv[i];
            continue;
        }
        if (!str_starts(arg, STR("--"))) {
            opt_problem(problems, "%s: options start with two dashes; --help lists them", argv[i]);
            continue;
        }
        value = (struct str){arg.p + 2, arg.len - 2};
        bool has_value = str_cut(&value, '=', &name);
        const struct opt_def *def = find(defs, n_defs, name);
        if (def == NULL || !(def->verbs & verb)) {
            unknown_option(defs, n_defs, verb, name, problems);
            if (def && def->kind != OPT_FLAG && !has_value)
                i++; /* its value is not a word */
            continue;
        }
        if (def->kind == OPT_FLAG && !has_value) {
            value = STR("true");
        } else if (!has_value) {
            if (i + 1 == argc) {
                opt_problem(problems, "--%s: needs a value: --%s %s", def->name, def->name,
                            def->metavar);
                continue;
            }
            value = str_of(argv[++i]);
        }
        snprintf(origin, sizeof(origin), "--%s", def->name);
        settings_add(settings, name, value, str_of(origin), RANK_FLAG);
    }
}

/* "API_URL" → "api-url"; false when it cannot be an option's name. */
static bool name_of_env(struct str upper, char ret_name[MAX_NAME])
{
    if (upper.len == 0 || upper.len >= MAX_NAME)
        return false;
    for (size_t i = 0; i < upper.len; i++)
        ret_name[i] = upper.p[i] == '_' ? '-' : (char)tolower((unsigned char)upper.p[i]);
    ret_name[upper.len] = '\0';
    return true;
}

/* A secret's file: its first line is the value. */
static void setting_from_file(const struct opt_def *def, struct str variable, struct str path,
                              struct settings *settings, struct opt_problems *problems)
{
    struct buf bytes = BUF_INIT(MAX_SECRET_FILE);
    struct err err = ERR_INIT;
    char *z = mem_strndup(path.p, path.len);
    struct str line;

    if (file_read(z, &bytes, &err) != ST_OK) {
        opt_problem(problems, "%.*s: %s", STR_ARG(variable), err.msg);
    } else {
        struct str rest = buf_str(&bytes);
        str_cut(&rest, '\n', &line);
        if (line.len > 0 && line.p[line.len - 1] == '\r')
            line.len--;
        settings_add(settings, str_of(def->name), line, variable, RANK_ENVIRONMENT);
    }
    buf_release(&bytes);
    mem_free(z);
}

static void unknown_variable(const struct opt_def *defs, size_t n_defs, struct str variable,
                             const char *name, struct opt_problems *problems)
{
    char upper[MAX_NAME];
    const struct opt_def *def = nearest(defs, n_defs, UINT32_MAX, str_of(name));

    if (def == NULL) {
        opt_problem(problems, "%.*s: no such setting; unset it, or see geckotape run --help",
                    STR_ARG(variable));
        return;
    }
    const char *near = env_name(def);
    size_t i = 0;
    for (; near[i] && i + 1 < sizeof(upper); i++)
        upper[i] = near[i] == '-' ? '_' : (char)toupper((unsigned char)near[i]);
    upper[i] = '\0';
    opt_problem(problems, "%.*s: no such setting; did you mean " ENV_PREFIX "%s?",
                STR_ARG(variable), upper);
}

void opts_from_env(const struct opt_def *defs, size_t n_defs, uint32_t verb, char *const *env,
                   struct settings *settings, struct opt_problems *problems)
{
    static const struct str prefix = {ENV_PREFIX, sizeof(ENV_PREFIX) - 1};

    for (; *env; env++) {
        struct str value = str_of(*env), variable;
        char name[MAX_NAME];

        if (!str_starts(value, prefix) || !str_cut(&value, '=', &variable))
            continue;
        struct str upper = {variable.p + prefix.len, variable.len - prefix.len};
        if (!name_of_env(upper, name)) {
            opt_problem(problems, "%.*s: no such setting; unset it", STR_ARG(variable));
            continue;
        }
        const struct opt_def *def = find_env(defs, n_defs, str_of(name));
        size_t len = strlen(name);
        if (def && (def->verbs & verb)) {
            settings_add(settings, str_of(def->name), value, variable, RANK_ENVIRONMENT);
        } else if (def == NULL) {
            if (len > 5 && strcmp(name + len - 5, "-file") == 0)
                def = find_env(defs, n_defs, (struct str){name, len - 5});
            if (def == NULL || !def->is_secret)
                unknown_variable(defs, n_defs, variable, name, problems);
            else if (def->verbs & verb)
                setting_from_file(def, variable, value, settings, problems);
        }
    }
}

static void *field(const struct opt_def *def, void *target)
{
    return (char *)target + def->offset;
}

static void release_field(const struct opt_def *def, void *target)
{
    if (def->kind == OPT_TEXT) {
        char **text = field(def, target);
        mem_free(*text);
        *text = NULL;
    } else if (def->kind == OPT_LIST) {
        struct opt_list *list = field(def, target);
        for (size_t i = 0; i < list->n; i++)
            mem_free(list->items[i]);
        mem_free(list->items);
        *list = (struct opt_list){.items = NULL, .n = 0};
    }
}

static void append(struct opt_list *list, struct str item)
{
    list->items = mem_grow(list->items, list->n + 1, sizeof(*list->items));
    list->items[list->n++] = mem_strndup(item.p, item.len);
}

static bool choose(const char *choices, struct str value, int *ret_index)
{
    struct str rest = str_of(choices), one;

    for (int i = 0; rest.len > 0; i++) {
        str_cut(&rest, '|', &one);
        if (str_eq(one, value)) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

static void bind_number(const struct opt_def *def, struct str value, const char *origin,
                        int64_t *ret_field, struct opt_problems *problems)
{
    char low[TIME_TEXT], high[TIME_TEXT];
    int64_t number;

    if (def->kind == OPT_INT && str_to_i64(value, def->min, def->max, &number)) {
        *ret_field = number;
    } else if (def->kind == OPT_INT) {
        opt_problem(problems, "%s: \"%.*s\" is not a number from %lld to %lld", origin,
                    STR_ARG(value), (long long)def->min, (long long)def->max);
    } else if (duration_parse(value, &number) && number >= def->min && number <= def->max) {
        *ret_field = number;
    } else {
        duration_format(def->min, low);
        duration_format(def->max, high);
        opt_problem(problems,
                    "%s: \"%.*s\" is not a duration from %s to %s; write it like 30s, 5m or 1h",
                    origin, STR_ARG(value), low, high);
    }
}

/* Bind one value; a problem when it does not fit. */
static void bind(const struct opt_def *def, struct str value, const char *origin, void *target,
                 struct opt_problems *problems)
{
    switch (def->kind) {
    case OPT_FLAG:
        if (str_eq(value, STR("true")) || str_eq(value, STR("1")))
            *(bool *)field(def, target) = true;
        else if (str_eq(value, STR("false")) || str_eq(value, STR("0")))
            *(bool *)field(def, target) = false;
        else
            opt_problem(problems, "%s: \"%.*s\" is neither true nor false", origin, STR_ARG(value));
        break;
    case OPT_TEXT:
        release_field(def, target);
        *(char **)field(def, target) = mem_strndup(value.p, value.len);
        break;
    case OPT_INT:
    case OPT_DURATION:
        bind_number(def, value, origin, field(def, target), problems);
        break;
    case OPT_CHOICE:
        if (!choose(def->choices, value, field(def, target)))
            opt_problem(problems, "%s: \"%.*s\" is not one of %s", origin, STR_ARG(value),
                        def->choices);
        break;
    case OPT_LIST:
        append(field(def, target), value);
        break;
    }
}

/* A list from a lower rank is replaced, not extended, by one of a higher rank. */
static void bind_list(const struct opt_def *def, const struct settings *settings, int rank,
                      void *target)
{
    bool is_first = true;

    for (size_t i = 0; i < settings->n; i++) {
        const struct setting *s = &settings->all[i];
        struct str rest = str_of(s->value), one;
        if (s->rank != rank || strcmp(s->name, def->name) != 0)
            continue;
        if (is_first)
            release_field(def, target);
        is_first = false;
        if (rank == RANK_FLAG) {
            append(field(def, target), rest);
            continue;
        }
        while (rest.len > 0) {
            str_cut(&rest, ' ', &one);
            if (one.len > 0)
                append(field(def, target), one);
        }
    }
}

void opts_bind(const struct opt_def *defs, size_t n_defs, uint32_t verb,
               const struct settings *settings, void *target, struct opt_problems *problems)
{
    for (size_t d = 0; d < n_defs; d++) {
        const struct opt_def *def = &defs[d];
        if (def->fallback)
            bind(def, str_of(def->fallback), "default", target, problems);
        if (!(def->verbs & verb))
            continue;
        for (int rank = RANK_FILE; rank <= RANK_FLAG; rank++) {
            if (def->kind == OPT_LIST) {
                bind_list(def, settings, rank, target);
                continue;
            }
            for (size_t i = 0; i < settings->n; i++)
                if (settings->all[i].rank == rank && strcmp(settings->all[i].name, def->name) == 0)
                    bind(def, str_of(settings->all[i].value), settings->all[i].origin, target,
                         problems);
        }
    }
}

void opts_release(const struct opt_def *defs, size_t n_defs, void *target)
{
    for (size_t i = 0; i < n_defs; i++)
        release_field(&defs[i], target);
}

/* Append text wrapped to 100 columns, continued at `indent`. */
static void wrap(struct buf *b, const char *text, size_t column, size_t indent)
{
    struct str rest = str_of(text), word;

    while (rest.len > 0) {
        str_cut(&rest, ' ', &word);
        if (column + word.len > 99) {
            buf_addf(b, "\n%*s", (int)indent, "");
            column = indent;
        }
        buf_add_str(b, word);
        column += word.len + 1;
        if (rest.len > 0 && column + 1 < 100)
            buf_add_char(b, ' ');
    }
    buf_add_char(b, '\n');
}

void opts_help(const struct opt_def *defs, size_t n_defs, uint32_t verb, struct buf *b)
{
    const size_t indent = 30;
    char left[80], help[512];

    for (size_t i = 0; i < n_defs; i++) {
        if (!(defs[i].verbs & verb))
            continue;
        const char *value = defs[i].kind == OPT_CHOICE ? defs[i].choices : defs[i].metavar;
        snprintf(left, sizeof(left), "  --%s%s%s", defs[i].name, value ? " " : "",
                 value ? value : "");
        bool has_default = defs[i].fallback && defs[i].kind != OPT_FLAG;
        snprintf(help, sizeof(help), "%s%s%s%s", defs[i].help, has_default ? " (default: " : "",
                 has_default ? defs[i].fallback : "", has_default ? ")" : "");
        if (strlen(left) + 2 > indent)
            buf_addf(b, "%s\n%*s", left, (int)indent, "");
        else
            buf_addf(b, "%-*s", (int)indent, left);
        wrap(b, help, indent, indent);
    }
}
