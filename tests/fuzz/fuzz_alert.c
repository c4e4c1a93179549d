/* Alerts as people write them: what is a rule reads as the same one again, as it is shown; what a
 * channel's URL hides is in no message. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "alert/alerts.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct str text = {(const char *)data, size};
    struct alert_rule rule, again;
    struct err err = ERR_INIT;
    struct alert alert;

    if (alert_rule_parse(text, &rule, &err) == ST_OK) {
        assert(alert_rule_parse(str_of(rule.when), &again, &err) == ST_OK);
        assert(strcmp(rule.when, again.when) == 0 && rule.kind == again.kind &&
               rule.column == again.column && rule.limit.mant == again.limit.mant &&
               rule.limit.exp == again.limit.exp && rule.for_us == again.for_us);
    }
    if (alert_parse(text, &alert, &err) == ST_OK)
        assert(str_is_utf8(str_of(alert.to.shown)) && strlen(alert.to.url) < ALERT_URL_MAX);
    return 0;
}
