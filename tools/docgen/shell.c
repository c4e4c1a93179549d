/* SPDX-License-Identifier: Apache-2.0 */
#include "docgen.h"

#include <stdio.h>

#define FIRST_LINE \
    "made by tools/docgen of the option table; nothing but the shell runs at completion\n"

enum operand { OPERAND_NONE, OPERAND_ANY, OPERAND_CHOICE, OPERAND_FILE, OPERAND_DIR };

static enum operand operand(const struct opt_def *def)
{
    if (def->kind == OPT_FLAG)
        return OPERAND_NONE;
    if (def->kind == OPT_CHOICE)
        return OPERAND_CHOICE;
    if (strcmp(def->metavar, "DIR") == 0)
        return OPERAND_DIR;
    if (strcmp(def->metavar, "FILE") == 0 || strcmp(def->metavar, "PATH") == 0)
        return OPERAND_FILE;
    return OPERAND_ANY;
}

/* "a|b" as "a b" */
static void spaced(struct str words)
{
    for (size_t i = 0; i < words.len; i++)
        putchar(words.p[i] == '|' ? ' ' : words.p[i]);
}

/* Text within '…': a quote ends it, stands escaped, and begins it again. */
static void quoted(struct str text, const char *specials)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] == '\'') {
            printf("'\\''");
            continue;
        }
        if (strchr(specials, text.p[i]))
            putchar('\\');
        putchar(text.p[i]);
    }
}

/* What an option is for, without the details: up to the first ';' or '('. */
static struct str gist(const char *help)
{
    size_t len = strcspn(help, ";(");

    while (len > 0 && help[len - 1] == ' ')
        len--;
    return (struct str){help, len};
}

static void verb_names(void)
{
    for (size_t i = 0; i < n_cmd_verbs; i++)
        printf("%s%s", i ? " " : "", cmd_verbs[i]->name);
}

static void bash_operands(enum operand wanted, const char *action)
{
    const char *between = "    ";

    for (size_t i = 0; i < n_config_options; i++) {
        if (operand(&config_options[i]) != wanted)
            continue;
        printf("%s--%s", between, config_options[i].name);
        between = " | ";
    }
    if (between[0] == ' ' && between[1] == '|')
        printf(") %s ;;\n", action);
}

static void bash_verb(const struct verb *verb)
{
    printf("            %s)\n                words='", verb->name);
    spaced(text_verb_words(verb));
    for (size_t i = 0; i < n_config_options; i++)
        if (config_options[i].verbs & verb->bit)
            printf(" --%s", config_options[i].name);
    printf(" --help'\n");
    if (text_takes_files(verb))
        printf("                [[ $current == -* ]] || files=-f\n");
    printf("                ;;\n");
}

void shell_bash(void)
{
    printf("# geckotape completion for bash, " FIRST_LINE "_geckotape() {\n"
           "    local current=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]} "
           "words='' files=''\n"
           "    # bash parts --name=value into three words\n"
           "    [[ $option == = ]] && option=${COMP_WORDS[COMP_CWORD - 2]}\n"
           "    [[ $current == = ]] && current=''\n"
           "    COMPREPLY=()\n"
           "    case $option in\n");
    for (size_t i = 0; i < n_config_options; i++)
        if (operand(&config_options[i]) == OPERAND_CHOICE) {
            printf("    --%s) words='", config_options[i].name);
            spaced(str_of(config_options[i].choices));
            printf("' ;;\n");
        }
    bash_operands(OPERAND_DIR, "files=-d");
    bash_operands(OPERAND_FILE, "files=-f");
    bash_operands(OPERAND_ANY, "return");
    printf("    esac\n"
           "    if [[ -z $words$files ]]; then\n"
           "        if ((COMP_CWORD == 1)); then\n"
           "            words='");
    verb_names();
    printf(" --help --version'\n"
           "        else\n"
           "            case ${COMP_WORDS[1]} in\n");
    for (size_t i = 0; i < n_cmd_verbs; i++)
        bash_verb(cmd_verbs[i]);
    printf("            esac\n"
           "        fi\n"
           "    fi\n"
           "    if [[ -n $files ]]; then\n"
           "        compopt -o filenames 2>/dev/null\n"
           "        mapfile -t COMPREPLY < <(compgen $files -- \"$current\")\n"
           "    else\n"
           "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
           "    fi\n"
           "}\n"
           "complete -F _geckotape geckotape\n");
}

static void zsh_option(const struct opt_def *def)
{
    static const char *const actions[] = {
        [OPERAND_ANY] = " ", [OPERAND_FILE] = "_files", [OPERAND_DIR] = "_directories"};
    enum operand kind = operand(def);

    printf(" \\\n            '%s--%s%s[", def->kind == OPT_LIST ? "*" : "", def->name,
           kind == OPERAND_NONE ? "" : "=");
    quoted(gist(def->help), "[]\\:");
    printf("]");
    if (kind == OPERAND_CHOICE) {
        printf(":%s:(", def->name);
        spaced(str_of(def->choices));
        printf(")");
    } else if (kind != OPERAND_NONE) {
        printf(":");
        quoted(str_of(def->metavar), ":\\");
        printf(":%s", actions[kind]);
    }
    printf("'");
}

void shell_zsh(void)
{
    printf("#compdef geckotape\n# " FIRST_LINE "_geckotape() {\n"
           "    local -a verbs\n"
           "    local verb=$words[2]\n"
           "    if ((CURRENT == 2)); then\n"
           "        verbs=(\n");
    for (size_t i = 0; i < n_cmd_verbs; i++) {
        printf("            '%s:", cmd_verbs[i]->name);
        quoted(str_of(cmd_verbs[i]->summary), "\\:");
        printf("'\n");
    }
    printf("        )\n"
           "        _describe verb verbs\n"
           "        return\n"
           "    fi\n"
           "    shift words\n"
           "    ((CURRENT--))\n"
           "    case $verb in\n");
    for (size_t v = 0; v < n_cmd_verbs; v++) {
        struct str words = text_verb_words(cmd_verbs[v]);
        printf("    %s)\n        _arguments '--help[its options, with examples]'",
               cmd_verbs[v]->name);
        if (words.len > 0) {
            printf(" \\\n            '1:what:(");
            spaced(words);
            printf(")'");
        }
        if (text_takes_files(cmd_verbs[v]))
            printf(" \\\n            '*:file:_files'");
        for (size_t i = 0; i < n_config_options; i++)
            if (config_options[i].verbs & cmd_verbs[v]->bit)
                zsh_option(&config_options[i]);
        printf("\n        ;;\n");
    }
    printf("    esac\n}\n_geckotape \"$@\"\n");
}

static void fish_option(const struct opt_def *def)
{
    enum operand kind = operand(def);

    printf("complete -c geckotape -n '__fish_seen_subcommand_from");
    for (size_t i = 0; i < n_cmd_verbs; i++)
        if (def->verbs & cmd_verbs[i]->bit)
            printf(" %s", cmd_verbs[i]->name);
    printf("' -l %s", def->name);
    if (kind == OPERAND_ANY) {
        printf(" -x");
    } else if (kind == OPERAND_FILE) {
        printf(" -rF");
    } else if (kind == OPERAND_DIR) {
        printf(" -xa '(__fish_complete_directories)'");
    } else if (kind == OPERAND_CHOICE) {
        printf(" -xa '");
        spaced(str_of(def->choices));
        printf("'");
    }
    printf(" -d '");
    quoted(gist(def->help), "\\");
    printf("'\n");
}

void shell_fish(void)
{
    printf("# geckotape completion for fish, " FIRST_LINE "complete -c geckotape -f\n"
           "complete -c geckotape -n __fish_use_subcommand -l version -d 'which version this is'\n"
           "complete -c geckotape -l help -d 'verbs, or the options of a verb, with examples'\n");
    for (size_t v = 0; v < n_cmd_verbs; v++) {
        struct str words = text_verb_words(cmd_verbs[v]);
        printf("complete -c geckotape -n __fish_use_subcommand -a %s -d '", cmd_verbs[v]->name);
        quoted(str_of(cmd_verbs[v]->summary), "\\");
        printf("'\n");
        if (words.len > 0) {
            printf("complete -c geckotape -n '__fish_seen_subcommand_from %s' -a '",
                   cmd_verbs[v]->name);
            spaced(words);
            printf("'\n");
        }
        if (text_takes_files(cmd_verbs[v]))
            printf("complete -c geckotape -n '__fish_seen_subcommand_from %s' -F\n",
                   cmd_verbs[v]->name);
    }
    for (size_t i = 0; i < n_config_options; i++)
        fish_option(&config_options[i]);
}
