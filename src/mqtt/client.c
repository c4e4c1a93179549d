/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/client.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <poll.h>
#include <pthread.h>

#define PATIENCE  (10 * US_PER_S) /* without a word of the broker that we wait for */
#define GOOD_BYE  US_PER_S
#define TURN_MS   100
#define MAX_WORDS 200 /* bytes of the library's own words in a message */
#define MAX_OPEN  64  /* messages on their way: the library's queue stays small */

struct mqtt_client {
    struct mosquitto *mosquitto;
    const struct mqtt_address *address;
    const char *shown;
    const atomic_bool *is_cancelled; /* may be NULL */
    bool is_in;                      /* the broker has let us in */
    int refusal;                     /* its reason not to, 0: none */
    int message_refusal;             /* of a message: MQTT 5's reason, 0: none */
    size_t n_open;                   /* messages on their way */
    bool is_contradicted;
    char words[MAX_WORDS]; /* the last error that the library told, as of TLS */
};

static void init_library(void)
{
    mosquitto_lib_init();
}

static void on_connect(struct mosquitto *m, void *ctx, int reason, int flags,
                       const mosquitto_property *properties)
{
    struct mqtt_client *c = ctx;

    (void)m, (void)flags, (void)properties;
    c->is_in = reason == 0;
    c->refusal = reason;
}

static void on_publish(struct mosquitto *m, void *ctx, int mid, int reason,
                       const mosquitto_property *properties)
{
    struct mqtt_client *c = ctx;

    (void)m, (void)mid, (void)properties;
    if (c->n_open > 0)
        c->n_open--;
    if (reason >= 0x80)
        c->message_refusal = reason;
}

static void on_message(struct mosquitto *m, void *ctx, const struct mosquitto_message *message)
{
    struct mqtt_client *c = ctx;
    struct str said = {message->payload, (size_t)message->payloadlen};

    (void)m;
    c->is_contradicted |= !str_eq(said, STR("online"));
}

static void on_log(struct mosquitto *m, void *ctx, int level, const char *text)
{
    struct mqtt_client *c = ctx;
    struct buf words = BUF_INIT(MAX_WORDS);

    (void)m;
    if (level != MOSQ_LOG_ERR)
        return;
    buf_add_clean(&words, str_of(text), MAX_WORDS - 1);
    memcpy(c->words, buf_z(&words), words.len + 1);
    buf_release(&words);
}

/* MQTT 5's reasons, and those of 3.1.1, which are below 6. */
static const char *mend_of(int reason)
{
    switch (reason) {
    case 1:
    case MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION:
        return "the broker does not speak this version of MQTT; try version=3 (3.1.1) or 5";
    case 4:
    case 5:
    case MQTT_RC_BAD_USERNAME_OR_PASSWORD:
    case MQTT_RC_NOT_AUTHORIZED:
        return "the broker does not let us in; see user and password";
    case MQTT_RC_BANNED:
        return "the broker has banned us";
    default:
        return "the broker refuses the connection";
    }
}

static enum st refused(const struct mqtt_client *c, struct err *err)
{
    const struct mqtt_address *a = c->address;

    return err_set(err, ST_AGAIN, "%s: %s (%s%s%s)", c->shown, mend_of(c->refusal),
                   c->refusal >= 0x80 ? mosquitto_reason_string(c->refusal)
                                      : mosquitto_connack_string(c->refusal),
                   a->user[0] ? "; user " : "; no user is given", a->user);
}

/* What the library's answer means. errnum: errno after the call. */
static enum st failed(const struct mqtt_client *c, int rc, int errnum, struct err *err)
{
    const bool is_tls = c->address->is_tls && !c->is_in;

    if (c->refusal != 0)
        return refused(c, err);
    if (c->words[0] && is_tls)
        return err_set(err, ST_AGAIN, "%s: TLS: %s; see the broker's certificate, cafile=, and %s",
                       c->shown, c->words, "that this port speaks TLS");
    if (rc == MOSQ_ERR_ERRNO && errnum != 0)
        return err_sys(err, ST_AGAIN, errnum, "%s", c->shown);
    if (rc == MOSQ_ERR_EAI || rc == MOSQ_ERR_LOOKUP)
        return err_set(err, ST_AGAIN, "%s: the host's name cannot be resolved", c->shown);
    if (!c->is_in && rc == MOSQ_ERR_CONN_LOST)
        return err_set(err, ST_AGAIN,
                       "%s: the broker hung up before it let us in; is it this port, and does it "
                       "speak %sTLS?",
                       c->shown, is_tls ? "" : "no ");
    return err_set(err, ST_AGAIN, "%s: %s", c->shown, mosquitto_strerror(rc));
}

/* One round of reading, writing and keeping alive; waits at most that long for something to do. */
static enum st turn(struct mqtt_client *c, int timeout_ms, struct err *err)
{
    struct mosquitto *m = c->mosquitto;
    struct pollfd fd = {.fd = mosquitto_socket(m), .events = POLLIN};

    if (fd.fd < 0)
        return failed(c, MOSQ_ERR_NO_CONN, 0, err);
    if (c->is_cancelled && atomic_load(c->is_cancelled))
        return err_set(err, ST_AGAIN, "%s: stopped", c->shown);
    if (mosquitto_want_write(m))
        fd.events |= POLLOUT;
    int n = poll(&fd, 1, timeout_ms);
    if (n < 0 && errno != EINTR)
        return err_sys(err, ST_AGAIN, errno, "%s: poll", c->shown);
    /* also where nothing is said to have come: TLS may have read it already */
    errno = 0;
    int rc = mosquitto_loop_read(m, 1);
    if (rc == MOSQ_ERR_SUCCESS && mosquitto_want_write(m))
        rc = mosquitto_loop_write(m, 1);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_loop_misc(m);
    if (rc != MOSQ_ERR_SUCCESS || c->refusal != 0)
        return failed(c, rc, errno, err);
    if (c->message_refusal != 0)
        return err_set(
            err, ST_AGAIN,
            "%s: the broker does not take a message (%s); let user %s write below %s%s%s", c->shown,
            mosquitto_reason_string(c->message_refusal),
            c->address->user[0] ? c->address->user : "(none)", c->address->prefix,
            c->address->discovery ? " and " : "",
            c->address->discovery ? c->address->discovery : "");
    return ST_OK;
}

/* Until no more than that many messages are on their way; each that arrives buys time. */
static enum st drain(struct mqtt_client *c, size_t n_left, int64_t patience_us, struct err *err)
{
    struct clock *clock = clock_system();
    int64_t since_us = clock_mono_us(clock);
    enum st st = ST_OK;

    while (st == ST_OK && c->n_open > n_left) {
        size_t before = c->n_open;
        st = turn(c, TURN_MS, err);
        if (c->n_open < before)
            since_us = clock_mono_us(clock);
        else if (st == ST_OK && clock_mono_us(clock) - since_us > patience_us)
            st = err_set(err, ST_AGAIN, "%s: the broker acknowledges nothing", c->shown);
    }
    return st;
}

static enum st set_up(struct mqtt_client *c, const char *status_topic, struct err *err)
{
    const struct mqtt_address *a = c->address;
    struct mosquitto *m = c->mosquitto;

    mosquitto_connect_v5_callback_set(m, on_connect);
    mosquitto_publish_v5_callback_set(m, on_publish);
    mosquitto_message_callback_set(m, on_message);
    mosquitto_log_callback_set(m, on_log);
    int rc = mosquitto_int_option(m, MOSQ_OPT_PROTOCOL_VERSION,
                                  a->version == 5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_int_option(m, MOSQ_OPT_TCP_NODELAY, 1);
    if (rc == MOSQ_ERR_SUCCESS && a->user[0])
        rc = mosquitto_username_pw_set(m, a->user, a->password[0] ? a->password : NULL);
    if (rc == MOSQ_ERR_SUCCESS && status_topic)
        rc = mosquitto_will_set(m, status_topic, 7, "offline", a->qos, true);
    if (rc == MOSQ_ERR_SUCCESS && a->is_tls && !a->ca_file)
        rc = mosquitto_int_option(m, MOSQ_OPT_TLS_USE_OS_CERTS, 1);
    /* "." where the system's are used: only so the library takes a certificate of ours */
    if (rc == MOSQ_ERR_SUCCESS && a->is_tls && (a->ca_file || a->cert_file))
        rc = mosquitto_tls_set(m, a->ca_file, a->ca_file ? NULL : "/etc/ssl/certs", a->cert_file,
                               a->key_file, NULL);
    if (rc == MOSQ_ERR_INVAL)
        return err_set(err, ST_AGAIN, "%s: cafile, certfile or keyfile cannot be read", c->shown);
    return rc == MOSQ_ERR_SUCCESS ? ST_OK : failed(c, rc, errno, err);
}

static enum st dial(struct mqtt_client *c, const char *status_topic, struct err *err)
{
    const struct mqtt_address *a = c->address;
    const int64_t began_us = clock_mono_us(clock_system());

    errno = 0;
    int rc = mosquitto_connect_async(c->mosquitto, a->host, a->port, a->keepalive_s);
    enum st st = rc == MOSQ_ERR_SUCCESS ? ST_OK : failed(c, rc, errno, err);
    while (st == ST_OK && !c->is_in) {
        st = turn(c, TURN_MS, err);
        if (st == ST_OK && !c->is_in && clock_mono_us(clock_system()) - began_us > PATIENCE)
            st = err_set(err, ST_AGAIN, "%s: the broker does not answer", c->shown);
    }
    if (st != ST_OK || status_topic == NULL)
        return st;
    rc = mosquitto_subscribe(c->mosquitto, NULL, status_topic, 0);
    return rc == MOSQ_ERR_SUCCESS ? ST_OK : failed(c, rc, errno, err);
}

enum st mqtt_client_new(const struct mqtt_address *address, const char *shown,
                        const char *status_topic, const atomic_bool *is_cancelled,
                        struct mqtt_client **ret_client, struct err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct mqtt_client *c = mem_new(1, sizeof(*c));

    pthread_once(&once, init_library);
    c->address = address;
    c->shown = shown;
    c->is_cancelled = is_cancelled;
    c->mosquitto = mosquitto_new(NULL, true, c);
    enum st st =
        c->mosquitto ? set_up(c, status_topic, err) : err_sys(err, ST_AGAIN, errno, "%s", shown);
    if (st == ST_OK)
        st = dial(c, status_topic, err);
    if (st == ST_OK) {
        *ret_client = c;
        return ST_OK;
    }
    c->is_in = false;
    mqtt_client_free(c);
    return st;
}

enum st mqtt_client_publish(struct mqtt_client *c, const char *topic, struct str payload,
                            bool is_retained, struct err *err)
{
    enum st st = drain(c, MAX_OPEN, PATIENCE, err);

    if (st != ST_OK)
        return st;
    errno = 0;
    c->n_open++; /* before: of qos 0 it is told at once */
    int rc = mosquitto_publish(c->mosquitto, NULL, topic, (int)payload.len, payload.p,
                               c->address->qos, is_retained);
    if (rc == MOSQ_ERR_SUCCESS)
        return ST_OK;
    c->n_open--;
    return failed(c, rc, errno, err);
}

enum st mqtt_client_flush(struct mqtt_client *c, struct err *err)
{
    return drain(c, 0, PATIENCE, err);
}

enum st mqtt_client_turn(struct mqtt_client *c, struct err *err)
{
    return turn(c, 0, err);
}

bool mqtt_client_is_contradicted(struct mqtt_client *c)
{
    bool is_contradicted = c->is_contradicted;

    c->is_contradicted = false;
    return is_contradicted;
}

void mqtt_client_free(struct mqtt_client *c)
{
    struct err err = ERR_INIT;

    if (c == NULL)
        return;
    if (c->mosquitto && c->is_in && drain(c, 0, GOOD_BYE, &err) == ST_OK &&
        mosquitto_disconnect(c->mosquitto) == MOSQ_ERR_SUCCESS)
        for (int i = 0; i < 10 && mosquitto_want_write(c->mosquitto); i++)
            if (turn(c, TURN_MS, &err) != ST_OK)
                break;
    mosquitto_destroy(c->mosquitto);
    mem_free(c);
}
