/* What an mqtt: sink remembers, in a file of the data directory: how far each stream is, which poll
 * has the newest slot of each job, and what the broker was given to keep, so that a broker that
 * forgot it gets it again.
 *
 * DATA/mqtt/<16 hex: XXH3-64 of the sink's name (load/known.h)>, replaced as a whole:
 *
 *     geckotape-mqtt 1
 *     stream <uuid> <job> <epoch> <offset> <hash, hex>
 *     job <name> <slot, us> <outcome> <uuid> <offset of the poll's end>
 *     message <as of, us> <topic> <payload>
 *     end
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_MQTT_LEDGER_H
#define LOAD_MQTT_LEDGER_H

#include "load/sink.h"

struct mqtt_stream {
    char uuid[SINK_UUID_TEXT];
    char job[TAPE_MAX_JOB + 1];
    uint64_t epoch; /* raised by each loader that takes the stream over */
    struct position at;
};

struct mqtt_job {
    char name[TAPE_MAX_JOB + 1];
    int64_t slot_us; /* the newest of a poll with rows */
    enum poll_outcome outcome;
    char uuid[SINK_UUID_TEXT];
    uint64_t end; /* of that poll */
};

struct mqtt_message {
    char *topic, *payload;
    int64_t as_of_us; /* one that is older does not replace it */
    bool is_due;      /* the broker has yet to be given it; not in the file */
};

struct mqtt_ledger {
    struct mqtt_stream *streams;
    struct mqtt_job *jobs;
    struct mqtt_message *messages;
    size_t n_streams, n_jobs, n_messages;
};

/* An empty ledger when there is no file. ST_FATAL when it is damaged, ST_AGAIN when it cannot be
 * read. Owner: mqtt_ledger_clear(). */
enum st mqtt_ledger_read(const char *path, struct mqtt_ledger *ret_ledger,
                         struct err *err) MUST_USE;
enum st mqtt_ledger_write(const char *path, const struct mqtt_ledger *l, struct err *err) MUST_USE;
void mqtt_ledger_clear(struct mqtt_ledger *l);

/* By name; made, zeroed, when it is not there. Valid until the next one is made. */
struct mqtt_stream *mqtt_ledger_stream(struct mqtt_ledger *l, const char *uuid);
struct mqtt_job *mqtt_ledger_job(struct mqtt_ledger *l, const char *name);

/* Note a message; it is due when it differs from what is noted. False: a newer one is there. */
bool mqtt_ledger_note(struct mqtt_ledger *l, const char *topic, const char *payload,
                      int64_t as_of_us);
void mqtt_ledger_drop(struct mqtt_ledger *l, size_t message);

#endif
