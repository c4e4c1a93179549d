/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void err_set_at(struct err *err, const char *file, int line, int sys, const char *fmt, ...)
{
    va_list ap;

    err->sys = sys;
    err->file = file;
    err->line = line;
    va_start(ap, fmt);
    int n = vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
    va_end(ap);
    if (sys != 0 && n >= 0 && (size_t)n < sizeof(err->msg)) {
        const char *why = strerrordesc_np(sys);
        snprintf(err->msg + n, sizeof(err->msg) - (size_t)n, ": %s", why ? why : "unknown error");
    }
}

void err_wrap_at(struct err *err, const char *fmt, ...)
{
    char inner[ERR_MSG_SIZE];
    va_list ap;

    memcpy(inner, err->msg, sizeof(inner));
    va_start(ap, fmt);
    int n = vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof(err->msg))
        snprintf(err->msg + n, sizeof(err->msg) - (size_t)n, "%s", inner);
}
