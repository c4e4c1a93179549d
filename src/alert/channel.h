/* Where alerts go: a webhook, ntfy, Slack, mail, MQTT.
 *
 * https://host/path                          POST of a JSON object
 * ntfy://topic  ntfy://host/topic[?token=]   POST of a text; of ntfy.sh without a host; ntfy+http
 * slack:https://hooks.slack.com/…            POST of {"text": …}, which others take too
 * smtp://[user:password@]host[:port]/?from=&to=[,…]   smtps: TLS from the start; smtp: STARTTLS
 *                                            where it is offered, and always with a password
 * mqtt[s]://[user:password@]host[:port]/topic[?…]  a message with the JSON object, of qos 1 or 2
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ALERT_CHANNEL_H
#define ALERT_CHANNEL_H

#include "base/err.h"
#include "base/str.h"

#define ALERT_URL_MAX 1024 /* bytes, NUL included */

enum alert_channel_kind {
    CHANNEL_WEBHOOK,
    CHANNEL_NTFY,
    CHANNEL_SLACK,
    CHANNEL_SMTP,
    CHANNEL_MQTT
};

struct alert_channel {
    enum alert_channel_kind kind;
    char text[ALERT_URL_MAX]; /* as given: holds secrets, never shown */
    char url[ALERT_URL_MAX];  /* for libcurl */
    char shown[160];          /* for logs and errors: no path, no password */
    char user[128], password[256];
    char token[256];         /* ntfy */
    char from[256], to[256]; /* smtp; to: addresses with commas between */
};

/* ST_REJECT with the mend; quotes nothing that may be a secret. */
enum st alert_channel_parse(struct str text, struct alert_channel *ret_channel,
                            struct err *err) MUST_USE;

struct alert_message {
    const char *id;     /* the same for each try */
    struct str subject; /* one line */
    struct str text;
    struct str json; /* an object */
    int64_t now_us;
};

/* A message on its way, for at most 30 s. Owner: alert_send_free(). */
struct alert_send;

/* NULL: no memory. The channel outlives it; of the message all is copied. */
struct alert_send *alert_send_new(const struct alert_channel *channel,
                                  const struct alert_message *message);

/* libcurl's, to be performed. NULL: it is sent by a thread of its own once alert_send_begin() has
 * been called, which calls wake(ctx) when it is over. False: no thread. */
void *alert_send_handle(const struct alert_send *send);
bool alert_send_begin(struct alert_send *send, void (*wake)(void *ctx), void *ctx) MUST_USE;
bool alert_send_is_over(const struct alert_send *send); /* … of that thread */

/* With the code that libcurl gave. ST_AGAIN: nobody took it now; ST_REJECT: its receiver works, and
 * does not want it. */
enum st alert_send_result(const struct alert_send *send, int code, struct err *err) MUST_USE;

/* The mail server's last word against one of the addresses; "": it took all. */
const char *alert_send_refusal(const struct alert_send *send);
void alert_send_free(struct alert_send *send); /* NULL is fine */

/* All of it at once. */
enum st alert_channel_send(const struct alert_channel *channel, const struct alert_message *message,
                           struct err *err) MUST_USE;

#endif
