/* The sink of a store in SQL: what a driver is made of but for check, open and open_query.
 *
 * One writing connection, one transaction for each poll or batch of polls.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_SQL_SINK_H
#define LOAD_SQL_SINK_H

#include "load/sql/replace.h"

struct sql_attached {
    char stream[SINK_UUID_TEXT];
    int64_t job_id, epoch;
    enum row_table table;
};

/* A driver's state. Its open fills store.db and ends with sql_sink_opened(). */
struct sql_sink {
    struct store store;
    struct sql_attached *streams;
    size_t n_streams;
    struct store_batch batch; /* that is made anew */
    /* polls of a job that are made anew one by one, as a row of them was refused */
    int64_t singly_job_id, singly_from_us, singly_until_us;
    int64_t retain_again_us;   /* monotonic: not before this does retain.c look again */
    struct position moved, at; /* in the open transaction: as stored, and behind its last poll */
};

/* What is left to do for an open whose connection stands. ST_REJECT: a simulated market beside the
 * real one would be taken for it. */
enum st sql_sink_opened(struct sink *s, struct err *err) MUST_USE;

#define SQL_SINK_MAX_TOLD 512 /* bytes, NUL included */

/* Say something to whoever listens. */
void sql_sink_tell(const struct sink *s, const char *format, ...) PRINTF(2, 3);

/* Say it when a store that was there has a new schema. */
void sql_sink_tell_schema(const struct sink *s, const struct sink_schema *schema);

/* sink_driver's */
enum st sql_sink_attach(struct sink *s, const struct stream_id *stream,
                        struct position *ret_position, struct err *err) MUST_USE;
enum st sql_sink_load(struct sink *s, const struct sink_load *load, struct sink_result *ret_result,
                      struct err *err) MUST_USE;
enum st sql_sink_tidy(struct sink *s, bool *ret_has_more, struct err *err) MUST_USE;
void sql_sink_close(struct sink *s);
extern const struct sink_replay_driver sql_sink_replay;

#endif
