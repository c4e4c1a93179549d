/* SPDX-License-Identifier: Apache-2.0 */
#include "docgen.h"

#include "base/clock.h"

#include <ctype.h>
#include <stdio.h>

bool text_is_of_job(const struct opt_def *def)
{
    return (size_t)(def - config_options) < n_config_job_options;
}

bool text_has_default(const struct opt_def *def)
{
    return def->kind != OPT_FLAG && def->fallback && def->fallback[0] != '\0' &&
           strstr(def->help, "(default: ") == NULL;
}

void text_variable(const struct opt_def *def)
{
    printf("GECKOTAPE_");
    for (const char *p = def->env_name ? def->env_name : def->name; *p; p++)
        putchar(*p == '-' ? '_' : toupper((unsigned char)*p));
}

bool text_has_values(const struct opt_def *def)
{
    return def->kind != OPT_TEXT;
}

void text_values(const struct opt_def *def)
{
    char low[TIME_TEXT], high[TIME_TEXT];

    switch (def->kind) {
    case OPT_FLAG:
        printf("true or false");
        break;
    case OPT_INT:
        printf("a number from %lld to %lld", (long long)def->min, (long long)def->max);
        break;
    case OPT_DURATION:
        duration_format(def->min, low);
        duration_format(def->max, high);
        printf("a duration from %s to %s", low, high);
        break;
    case OPT_CHOICE:
        printf("one of ");
        for (const char *p = def->choices; *p; p++)
            *p == '|' ? printf(", ") : putchar(*p);
        break;
    case OPT_LIST:
        printf(def->separator == ',' ? "several, with commas between them"
                                     : "repeatable; several in a variable have spaces between");
        break;
    case OPT_TEXT:
        break;
    }
    if (def->choices && def->kind != OPT_CHOICE)
        printf(", or %s", def->choices);
}

void text_verbs(const struct opt_def *def, const char *quote)
{
    uint32_t all = 0;

    for (size_t i = 0; i < n_cmd_verbs; i++)
        all |= cmd_verbs[i]->bit;
    if ((def->verbs & all) == all) {
        printf("every verb");
        return;
    }
    const char *between = "";
    for (size_t i = 0; i < n_cmd_verbs; i++) {
        if (!(def->verbs & cmd_verbs[i]->bit))
            continue;
        printf("%s%s%s%s", between, quote, cmd_verbs[i]->name, quote);
        between = ", ";
    }
}

const char *text_metavar(const struct opt_def *def)
{
    return def->kind == OPT_CHOICE ? def->choices : def->metavar;
}

void text_escaped(struct str text, const char *specials)
{
    for (size_t i = 0; i < text.len; i++) {
        if (strchr(specials, text.p[i]))
            putchar('\\');
        putchar(text.p[i]);
    }
}

void text_sentence(const char *help, const char *specials)
{
    char first = help[0];
    size_t len = strlen(help);

    putchar(toupper((unsigned char)first));
    text_escaped((struct str){help + 1, len - 1}, specials);
    if (help[len - 1] != '.')
        putchar('.');
}

/* What follows "geckotape VERB " in its form. */
static struct str behind_verb(const struct verb *verb)
{
    struct str rest = str_of(verb->form), word;

    str_cut(&rest, ' ', &word);
    str_cut(&rest, ' ', &word);
    return rest;
}

struct str text_verb_words(const struct verb *verb)
{
    struct str rest = behind_verb(verb), word;

    str_cut(&rest, ' ', &word);
    if (word.len == 0 || !islower((unsigned char)word.p[0]))
        word.len = 0;
    return word;
}

bool text_takes_files(const struct verb *verb)
{
    struct str rest = behind_verb(verb), word;

    while (rest.len > 0) {
        str_cut(&rest, ' ', &word);
        while (word.len > 0 && word.p[0] == '[')
            word = (struct str){word.p + 1, word.len - 1};
        if (str_starts(word, STR("PATH")) || str_starts(word, STR("FILE")) ||
            str_starts(word, STR("DIR")) || str_starts(word, STR("SOURCE")))
            return true;
    }
    return false;
}
