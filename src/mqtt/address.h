/* What an mqtt: URL says: mqtt[s]://[user:password@]host[:port][/PREFIX]?coins=a,b[&…] of a sink,
 * mqtt[s]://[user:password@]host[:port]/TOPIC[?…] of alerts. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MQTT_ADDRESS_H
#define MQTT_ADDRESS_H

#include "base/sink_url.h"

#define MQTT_MAX_COINS 64

enum mqtt_use { MQTT_SINK, MQTT_ALERTS };

struct mqtt_address {
    bool is_tls;
    char host[256];
    int port;
    char user[256], password[256]; /* "": none */
    char prefix[256];              /* of all topics, as it is sent: no wildcard, no blank; of alerts
                                    * the topic itself */
    const char *discovery;         /* prefix of Home Assistant's topics; NULL: off */
    const char *ca_file, *cert_file, *key_file; /* of TLS; NULL: the system's CAs, no certificate */
    const char *pass_file;                      /* NULL: none */
    struct str coins[MQTT_MAX_COINS];
    size_t n_coins;
    int64_t expire_us; /* a value is stale after this; 0: by the job's interval */
    int keepalive_s, qos, version;
    bool is_retained; /* states and polls; status and discovery always are */
};

/* Strings that are pointers belong to the URL. ST_REJECT with the mend, which shows no password. */
enum st mqtt_address_parse(const struct sink_url *url, enum mqtt_use use,
                           struct mqtt_address *ret_address, struct err *err) MUST_USE;

/* Read the password of passfile=, if there is one. */
enum st mqtt_address_read_password(const struct sink_url *url, struct mqtt_address *a,
                                   struct err *err) MUST_USE;

#endif
