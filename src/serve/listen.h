/* A listening TCP socket, with errors that say who is in the way. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_LISTEN_H
#define SERVE_LISTEN_H

#include "base/err.h"

#include <stdint.h>

/* Bind and listen, non-blocking. port 0: any free one; *ret_port is the one it got. ST_FATAL when
 * the address cannot be had: the message names the process that holds it where /proc tells. */
enum st listen_open(const char *address, uint16_t port, int *ret_fd, uint16_t *ret_port,
                    struct err *err) MUST_USE;

#endif
