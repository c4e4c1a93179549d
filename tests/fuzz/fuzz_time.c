/* Times and durations: what parses, formats to a text that parses to the same time. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str s = {(const char *)data, size};
    char text[TIME_TEXT];
    int64_t ts_us, again_us, duration_us;

    if (time_parse(s, &ts_us)) {
        size_t n = time_format(ts_us, text);
        bool is_good = time_parse((struct str){text, n}, &again_us);
        /* an offset can move a time out of the years that have four digits */
        assert(is_good && (again_us == ts_us || ts_us < INT64_C(-62135596800000000) ||
                           ts_us > INT64_C(253402300799999999)));
    }
    if (time_parse_http(s, &ts_us))
        time_format_ms(ts_us, text);
    if (duration_parse(s, &duration_us)) {
        assert(duration_us >= 0);
        duration_format(duration_us, text);
    }
    return 0;
}
