/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/instant.h"

#include <stdio.h>

#define DAY_TEXT 10 /* bytes: "2026-11-23" */

/* The duration of "-2h" or "2h ago". */
static bool parse_back(struct str s, int64_t *ret_us)
{
    static const struct str ago = {" ago", 4};

    if (s.len > 0 && s.p[0] == '-')
        return duration_parse((struct str){s.p + 1, s.len - 1}, ret_us);
    if (s.len <= ago.len || memcmp(s.p + s.len - ago.len, ago.p, ago.len) != 0)
        return false;
    return duration_parse((struct str){s.p, s.len - ago.len}, ret_us);
}

enum st instant_parse(const char *option, const char *text, int64_t now_us, int64_t *ret_us,
                      struct err *err)
{
    char day[TIME_TEXT];
    int64_t back_us;
    struct str s = str_of(text);

    if (time_parse(s, ret_us))
        return ST_OK;
    if (s.len == DAY_TEXT) {
        int n = snprintf(day, sizeof(day), "%.*sT00:00:00Z", STR_ARG(s));
        if (time_parse((struct str){day, (size_t)n}, ret_us))
            return ST_OK;
    }
    if (parse_back(s, &back_us) && back_us <= now_us) {
        *ret_us = now_us - back_us;
        return ST_OK;
    }
    return err_set(err, ST_REJECT,
                   "%s: \"%.40s\" is no time; write 2026-11-23T14:30:00Z, 2026-11-23, or -2h",
                   option, text);
}
