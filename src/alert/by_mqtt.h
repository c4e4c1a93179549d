/* An alert by MQTT: libmosquitto waits, so each message has a thread while it is on its way. Inside
 * alert/ only. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ALERT_BY_MQTT_H
#define ALERT_BY_MQTT_H

#include "alert/channel.h"

/* Look at channel->text, and fill in what is shown. ST_REJECT with the mend, also where this build
 * has no MQTT. */
enum st by_mqtt_check(struct alert_channel *channel, struct err *err) MUST_USE;

struct by_mqtt;

/* Send it; wake(ctx) is called on the thread when that is over. The channel outlives it, the
 * payload is copied. NULL: no thread. Owner: by_mqtt_free(), which makes it give up. */
struct by_mqtt *by_mqtt_new(const struct alert_channel *channel, struct str payload,
                            void (*wake)(void *ctx), void *ctx);
bool by_mqtt_is_over(const struct by_mqtt *m);

/* Waits for the end. ST_AGAIN: the broker has not said that it has it. */
enum st by_mqtt_result(struct by_mqtt *m, struct err *err) MUST_USE;
void by_mqtt_free(struct by_mqtt *m); /* NULL is fine */

#endif
