/* A lexeme as decimal: what is exact reads back from its own text, and a double that claims to be
 * the same number is. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/dec.h"

#include <assert.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str lexeme = {(const char *)data, size};
    char text[DEC_MAX_TEXT], shortest[64];
    struct dec d, again;
    bool is_same;
    int64_t integer;

    if (dec_parse(lexeme, &d) != DEC_OK)
        return 0;
    size_t n = dec_format(d, text);
    assert(n < DEC_MAX_TEXT);
    enum dec_result result = dec_parse((struct str){text, n}, &again);
    assert(result == DEC_OK && again.mant == d.mant && again.exp == d.exp);
    double x = dec_to_double(d, lexeme, &is_same);
    if (is_same) {
        int len = snprintf(shortest, sizeof(shortest), "%.17g", x);
        result = dec_parse((struct str){shortest, (size_t)len}, &again);
        assert(result == DEC_OK);
    }
    if (dec_to_i64(d, &integer)) {
        again = dec_of(integer);
        assert(again.mant == d.mant && again.exp == d.exp);
    }
    return 0;
}
