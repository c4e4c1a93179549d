/* In place of by_mqtt.c, in a build without libmosquitto. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "alert/by_mqtt.h"

enum st by_mqtt_check(struct alert_channel *channel, struct err *err)
{
    (void)channel;
    return err_set(err, ST_REJECT, "this geckotape is built without MQTT");
}

struct by_mqtt *by_mqtt_new(const struct alert_channel *channel, struct str payload,
                            void (*wake)(void *ctx), void *ctx)
{
    (void)channel, (void)payload, (void)wake, (void)ctx;
    return NULL;
}

bool by_mqtt_is_over(const struct by_mqtt *m)
{
    (void)m;
    return true;
}

enum st by_mqtt_result(struct by_mqtt *m, struct err *err)
{
    (void)m;
    return err_set(err, ST_AGAIN, "this geckotape is built without MQTT");
}

void by_mqtt_free(struct by_mqtt *m)
{
    (void)m;
}
