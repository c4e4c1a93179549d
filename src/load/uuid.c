/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sink.h"

void sink_uuid_text(const struct stream_id *stream, char ret_text[SINK_UUID_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    char *p = ret_text;

    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = digits[stream->uuid[i] >> 4];
        *p++ = digits[stream->uuid[i] & 15];
    }
    *p = '\0';
}
