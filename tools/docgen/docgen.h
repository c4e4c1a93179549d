/* The program that makes docs, man pages and completions of the tables of options, verbs and
 * metrics. Everything is printed on stdout.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOCGEN_DOCGEN_H
#define DOCGEN_DOCGEN_H

#include "cmd/cmd.h"

/* docs/options.md, docs/metrics.md, docs/quality.md, docs/simulator.md */
void markdown_options(void);
void markdown_metrics(void);
void markdown_quality(void);
void markdown_simulator(void);

/* Parts of geckotape(1) and geckotape.yaml(5), as scdoc. */
void man_verbs(void);
void man_options(void);
void man_keys(void);
void man_job_keys(void);

/* Completions; nothing but the shell's own words runs when they are used. */
void shell_bash(void);
void shell_zsh(void);
void shell_fish(void);

/* What is said of an option, in words. */
bool text_is_of_job(const struct opt_def *def);   /* a key of each job in the file */
bool text_has_default(const struct opt_def *def); /* else its help tells what happens without */
void text_variable(const struct opt_def *def);    /* "GECKOTAPE_API_URL" */
bool text_has_values(const struct opt_def *def);  /* is there a range or a choice to tell */
void text_values(const struct opt_def *def);      /* "a number from 1 to 20000" */
void text_verbs(const struct opt_def *def, const char *quote); /* "run, once", "every verb" */
const char *text_metavar(const struct opt_def *def); /* "N", "text|json"; NULL of a flag */

/* "Help as a sentence.", with a backslash in front of each of `specials`. */
void text_sentence(const char *help, const char *specials);
void text_escaped(struct str text, const char *specials);

/* The word that may follow the verb, "ls|cat|verify"; empty when it takes none of its own. And
 * whether it takes names of files. */
struct str text_verb_words(const struct verb *verb);
bool text_takes_files(const struct verb *verb);

#endif
