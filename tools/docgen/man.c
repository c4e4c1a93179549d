/* SPDX-License-Identifier: Apache-2.0 */
#include "docgen.h"

#include <stdio.h>

#define SPECIALS "\\*_#`" /* what scdoc would take for its own */

/* Literal lines; scdoc wants them fenced. */
static void block(const char *text, size_t indent)
{
    struct str rest = str_of(text), line;

    printf("```\n");
    while (str_cut(&rest, '\n', &line) || line.len > 0) {
        size_t cut = 0;
        while (cut < indent && cut < line.len && line.p[cut] == ' ')
            cut++;
        text_escaped((struct str){line.p + cut, line.len - cut}, "\\");
        putchar('\n');
    }
    printf("```\n");
}

static void flag(const struct opt_def *def)
{
    const char *metavar = text_metavar(def);

    printf("*--%s*", def->name);
    if (metavar) {
        printf(" _");
        text_escaped(str_of(metavar), SPECIALS);
        printf("_");
    }
}

static void more_help(const struct verb *verb)
{
    struct buf text = BUF_INIT(64 * 1024);

    verb->add_help(&text);
    block(buf_z(&text), 0);
    printf("\n");
    buf_release(&text);
}

void man_verbs(void)
{
    for (size_t i = 0; i < n_cmd_verbs; i++) {
        const struct verb *verb = cmd_verbs[i];
        const char *between = "Options: ";

        printf("## %s\n\n*%s*\n\n", verb->name, verb->form);
        text_escaped(str_of(verb->summary), SPECIALS);
        printf("\n\n");
        for (size_t d = 0; d < n_config_options; d++) {
            if (!(config_options[d].verbs & verb->bit))
                continue;
            printf("%s*--%s*", between, config_options[d].name);
            between = ", ";
        }
        printf("\n\n");
        if (verb->add_help)
            more_help(verb);
        block(verb->examples, 2);
        printf("\n");
    }
}

void man_options(void)
{
    for (size_t i = 0; i < n_config_options; i++) {
        const struct opt_def *def = &config_options[i];
        flag(def);
        printf(", *");
        text_variable(def);
        printf("*\n\t");
        text_sentence(def->help, SPECIALS);
        if (text_has_values(def) && def->kind != OPT_FLAG && def->kind != OPT_CHOICE) {
            printf(" Values: ");
            text_values(def);
            printf(".");
        }
        if (text_has_default(def)) {
            printf(" Default: ");
            text_escaped(str_of(def->fallback), SPECIALS);
            printf(".");
        }
        printf(" Of ");
        text_verbs(def, "");
        printf(".\n\n");
    }
}

static void key(const struct opt_def *def, struct str name)
{
    const char *metavar = text_metavar(def);

    printf("*%.*s:* _", STR_ARG(name));
    text_escaped(str_of(metavar ? metavar : "true|false"), SPECIALS);
    printf("_\n\t");
    text_sentence(def->help, SPECIALS);
    if (def->kind == OPT_LIST) {
        printf(" A list, or one text with %s between.",
               def->separator == ',' ? "commas" : "spaces");
    } else if (text_has_values(def) && def->kind != OPT_FLAG && def->kind != OPT_CHOICE) {
        printf(" Values: ");
        text_values(def);
        printf(".");
    }
    if (text_has_default(def)) {
        printf(" Default: ");
        text_escaped(str_of(def->fallback), SPECIALS);
        printf(".");
    }
    if (def->is_reloadable)
        printf(" Taken over at SIGHUP.");
    printf("\n\n");
}

void man_job_keys(void)
{
    for (size_t i = 0; i < n_config_job_options; i++)
        key(&config_options[i], str_of(config_options[i].name));
}

/* The section that a key lies in; empty: none. */
static struct str section_of(const struct opt_def *def, struct str *ret_name)
{
    struct str section;

    *ret_name = str_of(def->path);
    if (strchr(def->path, '.') == NULL)
        return STR("");
    str_cut(ret_name, '.', &section);
    return section;
}

/* Is it the first of its section? Then the section's heading goes in front. */
static bool is_first_of(struct str section, size_t at)
{
    struct str name;

    for (size_t i = n_config_job_options; i < at; i++)
        if (config_options[i].path && str_eq(section_of(&config_options[i], &name), section))
            return false;
    return true;
}

static void section(struct str wanted)
{
    struct str name;

    for (size_t i = n_config_job_options; i < n_config_options; i++)
        if (config_options[i].path && str_eq(section_of(&config_options[i], &name), wanted))
            key(&config_options[i], name);
}

void man_keys(void)
{
    struct str name;

    section(STR(""));
    for (size_t i = n_config_job_options; i < n_config_options; i++) {
        if (config_options[i].path == NULL)
            continue;
        struct str found = section_of(&config_options[i], &name);
        if (found.len == 0 || !is_first_of(found, i))
            continue;
        printf("# KEYS BELOW %.*s:\n\n", STR_ARG(found));
        section(found);
    }
}
