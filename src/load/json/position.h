/* How far a stream is loaded into a directory: DIR/.geckotape/<uuid>.position, lines "key value".
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_JSON_POSITION_H
#define LOAD_JSON_POSITION_H

#include "load/sink.h"

struct json_position {
    char stream[SINK_UUID_TEXT];
    char job[TAPE_MAX_JOB + 1];
    char name[TAPE_MAX_JOB + 1]; /* what its files begin with */
    struct position at;
    uint64_t epoch;    /* raised by each loader that takes the stream over */
    int64_t newest_us; /* newest slot of a poll with rows; 0: none yet */
};

/* *ret_is_there is false when the stream was never loaded into dir. */
enum st json_position_read(const char *dir, const char *stream, bool *ret_is_there,
                           struct json_position *ret_position, struct err *err) MUST_USE;

enum st json_position_write(const char *dir, const struct json_position *p,
                            struct err *err) MUST_USE;

/* Choose what the files of a new stream begin with: "market", or the job's name when that is
 * another job's; streams of one job share their names. */
enum st json_position_choose_name(const char *dir, struct json_position *p,
                                  struct err *err) MUST_USE;

#endif
