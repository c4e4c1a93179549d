/* A poll that a sink has taken, as those who watch the web server are told of it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_TOLD_H
#define PIPELINE_TOLD_H

#include "load/sink.h"
#include "serve/serve.h"

/* On the sink's thread. is_behind: polls before it were loaded and not told. */
void told_poll(struct serve *serve, const struct sink_load *load, const struct sink_result *result,
               bool is_behind);

#endif
