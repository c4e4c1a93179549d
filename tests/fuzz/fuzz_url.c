/* Sink URLs: whatever parses can be shown, and shows no password. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sink_url.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct sink_url url;
    struct err err = ERR_INIT;

    if (sink_url_parse(text, &url, &err) != ST_OK)
        return 0;
    assert(strlen(url.shown) < SINK_URL_MAX && strlen(url.rest) < SINK_URL_MAX &&
           url.n_options <= SINK_URL_OPTIONS);
    for (size_t i = 0; i < url.n_options; i++)
        assert(sink_url_option(&url, url.options[i].name) != NULL);
    return 0;
}
