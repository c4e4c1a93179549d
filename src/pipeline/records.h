/* Single records of the tape, for those who ask by HTTP. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_RECORDS_H
#define PIPELINE_RECORDS_H

#include "pipeline/streams.h"
#include "serve/serve.h"

/* As serve_setup.read_record; streams as its context. Any thread. */
enum st records_read(void *streams, struct str stream, uint64_t offset, struct arena *arena,
                     struct serve_record *ret_record, struct err *err) MUST_USE;

#endif
