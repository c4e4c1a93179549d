/* query --at-file: what each line of a file of trades was worth at its time. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_AT_FILE_H
#define CMD_AT_FILE_H

#include "config/config.h"
#include "query/query.h"

/* Write config->at_file to stdout, with the price of each line, who told it and how long before.
 * Lines without one are named on stderr, and counted in *ret_n_missing. ST_REJECT: the file, or an
 * option, is not as it should be; then nothing is written. */
enum st at_file_print(const struct config *config, struct query *query, size_t *ret_n_missing,
                      struct err *err) MUST_USE;

#endif
