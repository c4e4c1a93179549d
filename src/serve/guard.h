/* Who may read, and who may write.
 *
 * Reading is open unless a token or a login is configured; /healthz and /readyz always are, for
 * probes. Writing takes the token of writers, and never comes from a page of another origin: a
 * browser says where a request comes from, and by which name it found us, which must be one that is
 * ours, as any name of an attacker can lead here (DNS rebinding).
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_GUARD_H
#define SERVE_GUARD_H

#include "serve/http.h"

struct guard {
    const char *token;        /* of writers, who may read too; "": nobody may write */
    const char *read_token;   /* "": none */
    const char *login;        /* "user:password"; "": none */
    const char *const *hosts; /* names that are ours beside addresses and localhost */
    size_t n_hosts;
};

/* Both: false is refused. */
bool guard_may_read(const struct guard *g, const struct http_request *req,
                    struct http_response *res) MUST_USE;
bool guard_may_write(const struct guard *g, const struct http_request *req,
                     struct http_response *res) MUST_USE;

#endif
