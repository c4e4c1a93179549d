/* Streams that no job polls, polled for as long as somebody asks for it. Private to pipeline/. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_DEMAND_H
#define PIPELINE_DEMAND_H

#include "pipeline/inner.h"

/* Open the stream, or find it; have the extractor know it, and the sinks load it. A stream that a
 * job polls stays as it is. Any thread but the extractor's. ST_REJECT: the name is taken, or there
 * is no room for one more. */
enum st demand_begin(struct pipeline *p, const struct stream_id *id,
                     const struct selection *selection, struct stream **ret_stream,
                     struct err *err) MUST_USE;
void demand_end(struct pipeline *p, struct stream *stream);

/* Poll it, for this chart unless it is NULL, and wait. go_on is asked several times a second; when
 * it says no, nobody waits any more, and the poll goes on alone. ST_AGAIN: stopped.
 * *ret_is_permanent: the same would be answered again. */
enum st demand_poll(struct pipeline *p, const struct stream *stream, const struct chart_ask *chart,
                    bool (*go_on)(void *ctx), void *ctx, struct asked_poll *ret_poll,
                    bool *ret_is_permanent, struct err *err) MUST_USE;

#endif
