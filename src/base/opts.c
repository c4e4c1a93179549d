/* SPDX-License-Identifier: Apache-2.0 */
#include "base/opts.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_NAME        64
#define MAX_SECRET_FILE ((size_t)4096) /* bytes */
#define MAX_VALUE       ((size_t)65536)
#define MAX_SHOWN       60 /* bytes of a value that a message repeats */
#define MAX_LINE        ((size_t)1000)

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

const struct setting *settings_find(const struct settings *s, const char *name)
{
    const struct setting *found = NULL;

    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->all[i].name, name) == 0 && (found == NULL || s->all[i].rank >= found->rank))
            found = &s->all[i];
    return found;
}

/* Whole lines only: what has no room is left out. */
static void PRINTF(2, 0) add_line(struct buf *b, const char *fmt, va_list ap)
{
    struct buf line = BUF_INIT(4 * MAX_VALUE);

    buf_vaddf(&line, fmt, ap);
    if (b->len + MAX_LINE + 1 <= b->max) {
        buf_add_clean(b, buf_str(&line), MAX_LINE);
        buf_add_char(b, '\n');
    }
    buf_release(&line);
}

void opt_problem(struct opt_problems *p, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add_line(&p->text, fmt, ap);
    va_end(ap);
    p->n++;
}

void opt_warning(struct opt_problems *p, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add_line(&p->warnings, fmt, ap);
    va_end(ap);
}

void opt_problems_release(struct opt_problems *p)
{
    buf_release(&p->text);
    buf_release(&p->warnings);
    p->n = 0;
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
            if (*ret_n_words < max_words)
                ret_words[*ret_n_words] = argv[i];
            (*ret_n_words)++;
            continue;
        }
        if (!str_starts(arg, STR("--"))) {
            value = arg;
            str_cut(&value, '=', &name); /* behind it there may be a secret */
            opt_problem(problems, "%.*s: options start with two dashes; --help lists them",
                        STR_ARG(name));
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

void opts_from_secret_file(const struct opt_def *def, struct str path, struct str origin, int rank,
                           struct settings *settings, struct opt_problems *problems)
{
    struct buf bytes = BUF_INIT(MAX_SECRET_FILE);
    struct err err = ERR_INIT;
    char *z = mem_strndup(path.p, path.len);
    struct str line = STR_NONE;

    if (file_read(z, &bytes, &err) != ST_OK) {
        opt_problem(problems, "%.*s: %s", STR_ARG(origin), err.msg);
    } else {
        struct str rest = buf_str(&bytes);
        str_cut(&rest, '\n', &line);
        line = str_trim(line);
        if (line.len == 0 || memchr(line.p, '\0', line.len))
            opt_problem(problems, "%.*s: the first line of %s is no secret; write it there",
                        STR_ARG(origin), z);
        else
            settings_add(settings, str_of(def->name), line, origin, rank);
    }
    buf_release(&bytes);
    mem_free(z);
}

/* `place`: the variable with where it stands. */
static void unknown_variable(const struct opt_def *defs, size_t n_defs, struct str place,
                             const char *name, struct opt_problems *problems)
{
    char upper[MAX_NAME];
    const struct opt_def *def = nearest(defs, n_defs, UINT32_MAX, str_of(name));

    if (def == NULL) {
        opt_problem(problems, "%.*s: no such setting; unset it, or see geckotape run --help",
                    STR_ARG(place));
        return;
    }
    const char *near = env_name(def);
    size_t i = 0;
    for (; near[i] && i + 1 < sizeof(upper); i++)
        upper[i] = near[i] == '-' ? '_' : (char)toupper((unsigned char)near[i]);
    upper[i] = '\0';
    opt_problem(problems, "%.*s: no such setting; did you mean " OPT_ENV_PREFIX "%s?",
                STR_ARG(place), upper);
}

/* `name`: what follows GECKOTAPE_, as an option's name. */
static void from_ours(const struct opt_def *defs, size_t n_defs, uint32_t verb, const char *name,
                      struct str value, struct str place, int rank, struct settings *settings,
                      struct opt_problems *problems)
{
    const struct opt_def *def = find_env(defs, n_defs, str_of(name));
    struct str stem = str_of(name);

    if (def) {
        if ((def->verbs & verb) && value.len > 0)
            settings_add(settings, str_of(def->name), value, place, rank);
        return;
    }
    if (stem.len > 5 && strcmp(name + stem.len - 5, "-file") == 0)
        def = find_env(defs, n_defs, (struct str){name, stem.len - 5});
    if (def == NULL || !def->is_secret)
        unknown_variable(defs, n_defs, place, name, problems);
    else if ((def->verbs & verb) && value.len > 0)
        opts_from_secret_file(def, value, place, rank, settings, problems);
}

void opts_from_variable(const struct opt_def *defs, size_t n_defs, uint32_t verb,
                        struct str variable, struct str value, struct str place, int rank,
                        struct settings *settings, struct opt_problems *problems)
{
    static const struct str prefix = {OPT_ENV_PREFIX, sizeof(OPT_ENV_PREFIX) - 1};
    char name[MAX_NAME];

    if (!str_starts(variable, prefix))
        return;
    if (name_of_env((struct str){variable.p + prefix.len, variable.len - prefix.len}, name))
        from_ours(defs, n_defs, verb, name, value, place, rank, settings, problems);
    else
        opt_problem(problems, "%.*s: no such setting; unset it", STR_ARG(place));
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

/* A value for a message: not more of it than tells which one it is. */
#define SHOWN(s)                                                          \
    (int)((s).len > MAX_SHOWN ? MAX_SHOWN : (s).len), (s).p ? (s).p : "", \
        (s).len > MAX_SHOWN ? "…" : ""

static void bind_number(const struct opt_def *def, struct str value, const char *origin,
                        int64_t *ret_field, struct opt_problems *problems)
{
    const char *also = def->choices ? ", or " : "", *word = def->choices ? def->choices : "";
    char low[TIME_TEXT], high[TIME_TEXT];
    int64_t number;

    if (def->choices && str_eq(value, str_of(def->choices))) {
        *ret_field = 0;
    } else if (def->kind == OPT_INT && str_to_i64(value, def->min, def->max, &number)) {
        *ret_field = number;
    } else if (def->kind == OPT_INT) {
        opt_problem(problems, "%s: \"%.*s%s\" is not a number from %lld to %lld%s%s", origin,
                    SHOWN(value), (long long)def->min, (long long)def->max, also, word);
    } else if (duration_parse(value, &number) && number >= def->min && number <= def->max) {
        *ret_field = number;
    } else {
        duration_format(def->min, low);
        duration_format(def->max, high);
        opt_problem(
            problems,
            "%s: \"%.*s%s\" is not a duration from %s to %s; write it like 30s, 5m or 1h%s%s",
            origin, SHOWN(value), low, high, also, word);
    }
}

/* What could garble messages, end a string early or be no name at all. */
static bool is_plain_text(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7F)
            return false;
    return s.len <= MAX_VALUE && str_is_utf8(s);
}

static bool text_fits(struct str value, const char *origin, struct opt_problems *problems)
{
    if (is_plain_text(value))
        return true;
    opt_problem(problems, "%s: holds control characters, is not UTF-8, or is longer than %zu bytes",
                origin, MAX_VALUE);
    return false;
}

static void bind_list(const struct opt_def *def, struct str value, const char *origin,
                      char separator, void *target, struct opt_problems *problems)
{
    struct str one;

    if (!text_fits(value, origin, problems))
        return;
    if (separator == '\0') {
        append(field(def, target), value);
        return;
    }
    while (value.len > 0) {
        str_cut(&value, separator, &one);
        one = str_trim(one);
        if (one.len > 0)
            append(field(def, target), one);
        else if (separator != ' ')
            opt_problem(problems, "%s: nothing between two \"%c\"; leave one out", origin,
                        separator);
    }
}

/* Bind one value; a problem when it does not fit. A list grows by it. */
static void bind(const struct opt_def *def, struct str value, const char *origin, int rank,
                 void *target, struct opt_problems *problems)
{
    bool is_variable = rank == RANK_DOTENV || rank == RANK_ENVIRONMENT;

    switch (def->kind) {
    case OPT_FLAG:
        if (str_eq(value, STR("true")) || str_eq(value, STR("1")))
            *(bool *)field(def, target) = true;
        else if (str_eq(value, STR("false")) || str_eq(value, STR("0")))
            *(bool *)field(def, target) = false;
        else
            opt_problem(problems, "%s: \"%.*s%s\" is neither true nor false", origin, SHOWN(value));
        break;
    case OPT_TEXT:
        if (!text_fits(value, origin, problems))
            break;
        release_field(def, target);
        *(char **)field(def, target) = mem_strndup(value.p, value.len);
        break;
    case OPT_INT:
    case OPT_DURATION:
        bind_number(def, value, origin, field(def, target), problems);
        break;
    case OPT_CHOICE:
        if (!choose(def->choices, value, field(def, target)))
            opt_problem(problems, "%s: \"%.*s%s\" is not one of %s", origin, SHOWN(value),
                        def->choices);
        break;
    case OPT_LIST:
        bind_list(def, value, origin,
                  (char)(def->separator ? def->separator
                         : is_variable  ? ' '
                                        : '\0'),
                  target, problems);
        break;
    }
}

/* Bind all of one rank. A list of a lower rank is replaced, not extended; of a secret, two
 * different places of one rank leave open which is meant. */
static void bind_rank(const struct opt_def *def, const struct settings *settings, int rank,
                      void *target, struct opt_problems *problems)
{
    const char *before = NULL;

    for (size_t i = 0; i < settings->n; i++) {
        const struct setting *s = &settings->all[i];
        if (s->rank != rank || strcmp(s->name, def->name) != 0)
            continue;
        if (def->kind == OPT_LIST && before == NULL)
            release_field(def, target);
        if (def->is_secret && def->kind != OPT_LIST && before && strcmp(before, s->origin) != 0)
            opt_problem(problems, "%s: is given by %s already; leave one out", s->origin, before);
        before = s->origin;
        if (s->value[0] == '\0' && rank == RANK_FLAG)
            opt_problem(problems, "%s: is empty; give it a value, or leave it out", s->origin);
        else
            bind(def, str_of(s->value), s->origin, rank, target, problems);
    }
}

void opts_bind(const struct opt_def *defs, size_t n_defs, uint32_t verb,
               const struct settings *settings, void *target, struct opt_problems *problems)
{
    for (size_t d = 0; d < n_defs; d++) {
        const struct opt_def *def = &defs[d];
        if (def->fallback)
            bind(def, str_of(def->fallback), "default", RANK_DEFAULT, target, problems);
        if (!(def->verbs & verb))
            continue;
        for (int rank = RANK_FILE; rank <= RANK_FLAG; rank++)
            bind_rank(def, settings, rank, target, problems);
    }
}

void opts_release(const struct opt_def *defs, size_t n_defs, void *target)
{
    for (size_t i = 0; i < n_defs; i++)
        release_field(&defs[i], target);
}

static void add_choice(const char *choices, int index, struct buf *b)
{
    struct str rest = str_of(choices), one = STR_NONE;

    for (int i = 0; i <= index; i++)
        str_cut(&rest, '|', &one);
    buf_add_str(b, one);
}

void opts_add_value(const struct opt_def *def, const void *target, struct buf *b)
{
    const void *at = (const char *)target + def->offset;
    const struct opt_list *list = at;
    char text[TIME_TEXT];

    switch (def->kind) {
    case OPT_FLAG:
        buf_add_z(b, *(const bool *)at ? "true" : "false");
        break;
    case OPT_TEXT:
        buf_add_z(b, def->is_secret && **(char *const *)at ? "***" : *(char *const *)at);
        break;
    case OPT_INT:
    case OPT_DURATION:
        duration_format(*(const int64_t *)at, text);
        if (*(const int64_t *)at == 0 && def->choices)
            buf_add_z(b, def->choices);
        else if (def->kind == OPT_DURATION)
            buf_add_z(b, text);
        else
            buf_add_i64(b, *(const int64_t *)at);
        break;
    case OPT_CHOICE:
        add_choice(def->choices, *(const int *)at, b);
        break;
    case OPT_LIST:
        for (size_t i = 0; i < list->n; i++)
            buf_addf(b, "%s%s",
                     i == 0                  ? ""
                     : def->separator == ',' ? ","
                                             : " ",
                     def->is_secret ? "***" : list->items[i]);
        break;
    }
}

/* Append text wrapped to 100 columns, continued at `indent`. */
static void wrap(struct buf *b, const char *text, size_t column, size_t indent)
{
    struct str rest = str_of(text), word;

    while (rest.len > 0) {
        str_cut(&rest, ' ', &word);
        if (column + 1 + word.len > 99) {
            buf_addf(b, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            buf_add_char(b, ' ');
            column++;
        }
        buf_add_str(b, word);
        column += word.len;
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
        /* a default that is computed is in the help */
        bool has_default =
            defs[i].fallback && defs[i].fallback[0] && !strstr(defs[i].help, "(default");
        snprintf(help, sizeof(help), "%s%s%s%s", defs[i].help, has_default ? " (default: " : "",
                 has_default ? defs[i].fallback : "", has_default ? ")" : "");
        if (strlen(left) + 2 > indent)
            buf_addf(b, "%s\n%*s", left, (int)indent, "");
        else
            buf_addf(b, "%-*s", (int)indent, left);
        wrap(b, help, indent, indent);
    }
}
