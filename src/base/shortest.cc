/* SPDX-License-Identifier: Apache-2.0 */
extern "C" {
#include "base/shortest.h"
}

#include <charconv>
#include <limits>

size_t shortest_format(double x, char ret_text[SHORTEST_TEXT])
{
    return (size_t)(std::to_chars(ret_text, ret_text + SHORTEST_TEXT, x).ptr - ret_text);
}

size_t shortest_format_e(double x, char ret_text[SHORTEST_TEXT])
{
    return (
        size_t)(std::to_chars(ret_text, ret_text + SHORTEST_TEXT, x, std::chars_format::scientific)
                    .ptr -
                ret_text);
}

double shortest_parse(struct str number)
{
    double x = 0;

    auto result = std::from_chars(number.p, number.p + number.len, x);
    if (result.ec != std::errc::result_out_of_range)
        return x;
    /* which of the two ends it is beyond, from_chars does not say: the exponent's sign does */
    const char *e = (const char *)memrchr(number.p, '-', number.len);
    return e != nullptr && e != number.p ? 0 : std::numeric_limits<double>::infinity();
}
