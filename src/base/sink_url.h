/* Sinks are URLs: scheme:rest[?name=value&…]. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_SINK_URL_H
#define BASE_SINK_URL_H

#include "base/err.h"
#include "base/str.h"

#define SINK_URL_MAX     1024 /* bytes, NUL included */
#define SINK_URL_OPTIONS 16

struct sink_url {
    char text[SINK_URL_MAX];  /* as given: may hold secrets, never shown */
    char shown[SINK_URL_MAX]; /* for logs, metrics and errors: passwords are *** */
    char scheme[32];
    char rest[SINK_URL_MAX]; /* between "scheme:" and "?", percent-decoded */
    struct sink_url_option {
        char name[32];
        char value[512]; /* percent-decoded */
    } options[SINK_URL_OPTIONS];
    size_t n_options;
    void *given; /* what the program gives the driver beside the text; NULL: people wrote it */
};

/* ST_REJECT with the place and the mend. */
enum st sink_url_parse(struct str text, struct sink_url *ret_url, struct err *err) MUST_USE;

/* The option's value, NULL when not given. */
const char *sink_url_option(const struct sink_url *url, const char *name);

/* Refuse options that are not in the NULL-ended list. */
enum st sink_url_check_options(const struct sink_url *url, const char *const *known,
                               struct err *err) MUST_USE;

#endif
