/* SPDX-License-Identifier: Apache-2.0 */
#include "alert/by_mqtt.h"

#include "base/buf.h"
#include "base/mem.h"
#include "mqtt/client.h"

#include <pthread.h>
#include <stdio.h>

#define MAX_PAYLOAD ((size_t)64 * 1024)

struct by_mqtt {
    const struct alert_channel *channel;
    struct sink_url url;
    struct mqtt_address address;
    struct buf payload;
    void (*wake)(void *ctx);
    void *ctx;
    pthread_t thread;
    bool is_joined;
    atomic_bool is_over, is_cancelled;
    enum st st; /* once it is over */
    struct err err;
};

static enum st read_url(const struct alert_channel *channel, struct sink_url *url,
                        struct mqtt_address *address, struct err *err)
{
    enum st st = sink_url_parse(str_of(channel->text), url, err);

    return st == ST_OK ? mqtt_address_parse(url, MQTT_ALERTS, address, err) : st;
}

enum st by_mqtt_check(struct alert_channel *channel, struct err *err)
{
    struct sink_url url;
    struct mqtt_address address;

    enum st st = read_url(channel, &url, &address, err);
    if (st != ST_OK)
        return st;
    const bool is_v6 = strchr(address.host, ':') != NULL;
    snprintf(channel->shown, sizeof(channel->shown),
             is_v6 ? "%s://[%.90s]:%d/…" : "%s://%.90s:%d/…", url.scheme, address.host,
             address.port);
    return ST_OK;
}

/* A connection for one message: the next may be weeks away. */
static enum st publish(struct by_mqtt *m, struct err *err)
{
    struct mqtt_client *client = NULL;

    enum st st = read_url(m->channel, &m->url, &m->address, err);
    if (st == ST_OK)
        st = mqtt_address_read_password(&m->url, &m->address, err);
    if (st == ST_OK)
        st = mqtt_client_new(&m->address, m->channel->shown, NULL, &m->is_cancelled, &client, err);
    if (st == ST_OK)
        st = mqtt_client_publish(client, m->address.prefix, buf_str(&m->payload),
                                 m->address.is_retained, err);
    if (st == ST_OK)
        st = mqtt_client_flush(client, err);
    mqtt_client_free(client);
    return st == ST_OK ? ST_OK : ST_AGAIN; /* also a file of the password: it may come back */
}

static void *publish_main(void *arg)
{
    struct by_mqtt *m = arg;

    m->st = publish(m, &m->err);
    atomic_store(&m->is_over, true);
    if (m->wake)
        m->wake(m->ctx);
    return NULL;
}

struct by_mqtt *by_mqtt_new(const struct alert_channel *channel, struct str payload,
                            void (*wake)(void *ctx), void *ctx)
{
    struct by_mqtt *m = mem_new(1, sizeof(*m));

    m->channel = channel;
    m->wake = wake;
    m->ctx = ctx;
    m->err = (struct err)ERR_INIT;
    buf_init(&m->payload, MAX_PAYLOAD);
    buf_add_str(&m->payload, payload);
    m->is_joined = pthread_create(&m->thread, NULL, publish_main, m) != 0;
    if (!m->is_joined)
        return m;
    by_mqtt_free(m);
    return NULL;
}

bool by_mqtt_is_over(const struct by_mqtt *m)
{
    return atomic_load(&m->is_over);
}

static void join(struct by_mqtt *m)
{
    if (!m->is_joined)
        pthread_join(m->thread, NULL);
    m->is_joined = true;
}

enum st by_mqtt_result(struct by_mqtt *m, struct err *err)
{
    join(m);
    if (m->st != ST_OK)
        *err = m->err;
    return m->st;
}

void by_mqtt_free(struct by_mqtt *m)
{
    if (m == NULL)
        return;
    atomic_store(&m->is_cancelled, true);
    join(m);
    buf_release(&m->payload);
    mem_free(m);
}
