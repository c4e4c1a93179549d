/* A request's words and the socket's address. Private to control/. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_WORDS_H
#define CONTROL_WORDS_H

#include "control/control.h"

#include <sys/un.h>

#define CONTROL_MAX_WORDS 64

struct control_request {
    size_t n_words;
    char *names[CONTROL_MAX_WORDS];  /* the first is the verb */
    char *values[CONTROL_MAX_WORDS]; /* "" of a word without '=' */
};

/* Decode a line, in place: the words point into it. False when it is no request. */
bool control_parse(char *line, struct control_request *ret_request);

/* The address of DATA/control.sock. A path too long for sun_path is reached through a descriptor of
 * DATA: *ret_dir_fd, -1 when there is no need for one; the caller closes it. */
enum st control_address(const char *data_dir, struct sockaddr_un *ret_address, int *ret_dir_fd,
                        struct err *err) MUST_USE;

#endif
