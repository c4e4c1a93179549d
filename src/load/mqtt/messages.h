/* Topics and payloads of an mqtt: sink. All of it is described in docs/mqtt.md. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_MQTT_MESSAGES_H
#define LOAD_MQTT_MESSAGES_H

#include "load/mqtt/ledger.h"
#include "mqtt/address.h"

#define MQTT_MAX_TOPIC   2048 /* bytes, NUL included; a coin's id has at most 512 in a URL */
#define MQTT_MAX_PAYLOAD (64u * 1024)

/* Where the sink says whether it is there: PREFIX/status, PREFIX/simulated/status. */
void mqtt_status_topic(const struct mqtt_address *a, bool is_simulated,
                       char ret_topic[MQTT_MAX_TOPIC]);

/* Is it the topic of something that the sink shows today? Else an older configuration left it. */
bool mqtt_is_wanted(const struct mqtt_address *a, bool is_simulated, const char *topic);

/* Is it a topic of Home Assistant's? */
bool mqtt_is_discovery(const struct mqtt_address *a, const char *topic);

/* Note the states of the chosen coins that a poll has, and how they are to be shown.
 * *ret_n: of those coins. ST_REJECT when a coin's texts are beyond all measure. */
enum st mqtt_note_coins(struct mqtt_ledger *l, const struct mqtt_address *a, bool is_simulated,
                        const struct sink_load *load, size_t *ret_n, struct err *err) MUST_USE;

/* Note what became of the poll itself. */
enum st mqtt_note_poll(struct mqtt_ledger *l, const struct mqtt_address *a, bool is_simulated,
                       const struct sink_load *load, struct err *err) MUST_USE;

#endif
