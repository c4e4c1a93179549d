/* A connection to an MQTT broker, by libmosquitto, without a thread of its own: whoever holds it
 * calls mqtt_client_turn() more often than its keepalive.
 *
 * Threads: one. Every failure is ST_AGAIN, and the connection is then of no more use.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MQTT_CLIENT_H
#define MQTT_CLIENT_H

#include "mqtt/address.h"

#include <stdatomic.h>

struct mqtt_client;

/* Connect, and wait until the broker has let us in. status_topic: where the broker says "offline"
 * in our place when the connection is lost, and which is listened to; NULL: nowhere. is_cancelled:
 * nobody waits any more; NULL: it never gets true. Address, shown and is_cancelled must live as
 * long. Owner: mqtt_client_free(). ST_AGAIN names what is to be mended. */
enum st mqtt_client_new(const struct mqtt_address *address, const char *shown,
                        const char *status_topic, const atomic_bool *is_cancelled,
                        struct mqtt_client **ret_client, struct err *err) MUST_USE;

/* Hand a message over; payload "" with is_retained removes the one that the broker keeps. */
enum st mqtt_client_publish(struct mqtt_client *c, const char *topic, struct str payload,
                            bool is_retained, struct err *err) MUST_USE;

/* Wait until the broker has taken all of them (qos 0: until they are sent). */
enum st mqtt_client_flush(struct mqtt_client *c, struct err *err) MUST_USE;

/* What has come, and what keeps the connection up; does not wait. */
enum st mqtt_client_turn(struct mqtt_client *c, struct err *err) MUST_USE;

/* Has somebody else written to our status topic since we asked last? */
bool mqtt_client_is_contradicted(struct mqtt_client *c);

/* With a good-bye, after which the broker says nothing in our place. NULL is fine. */
void mqtt_client_free(struct mqtt_client *c);

#endif
