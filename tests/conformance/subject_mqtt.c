/* A broker keeps the newest state of each coin alone; it is asked by libmosquitto itself. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "subject.h"

#include <mosquitto.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_KEPT 64

struct kept {
    char topics[MAX_KEPT][256], texts[MAX_KEPT][2048];
    size_t n;
    bool is_done;
};

static int port(void)
{
    const char *text = getenv("MQTT_TEST_PORT");
    return text ? atoi(text) : 0; // NOLINT(cert-err34-c)
}

static const char *prefix_of(const char *dir)
{
    return strrchr(dir, '/') + 1;
}

static void make_url(const char *dir, char *ret_url, size_t size)
{
    snprintf(ret_url, size, "mqtt://127.0.0.1:%d/%s?coins=bitcoin,ethereum,ripple,a,b,c,d", port(),
             prefix_of(dir));
}

static void on_message(struct mosquitto *m, void *ctx, const struct mosquitto_message *message)
{
    struct kept *kept = ctx;

    (void)m;
    if (strcmp(message->topic, "fence") == 0)
        kept->is_done = true;
    else if (message->retain && kept->n < MAX_KEPT) {
        snprintf(kept->topics[kept->n], sizeof(kept->topics[0]), "%s", message->topic);
        snprintf(kept->texts[kept->n++], sizeof(kept->texts[0]), "%.*s", message->payloadlen,
                 (const char *)message->payload);
    }
}

/* All that is kept below the prefix: what comes in front of a message of our own. */
static void ask(const char *prefix, struct kept *kept)
{
    char filter[256];
    struct mosquitto *m = mosquitto_new(NULL, true, kept);

    snprintf(filter, sizeof(filter), "%s/#", prefix);
    mosquitto_message_callback_set(m, on_message);
    if (mosquitto_connect(m, "127.0.0.1", port(), 60) != 0 ||
        mosquitto_subscribe(m, NULL, filter, 0) != 0 ||
        mosquitto_subscribe(m, NULL, "fence", 0) != 0 ||
        mosquitto_publish(m, NULL, "fence", 1, "x", 1, false) != 0)
        abort();
    while (!kept->is_done)
        if (mosquitto_loop(m, 100, 1) != 0)
            abort();
    mosquitto_disconnect(m);
    mosquitto_destroy(m);
}

/* The value of "key": up to a comma or brace; quotes are dropped. */
static struct str value_of(const char *text, const char *key)
{
    char pattern[64];

    snprintf(pattern, sizeof(pattern), "\"%s\":", key);
    const char *at = strstr(text, pattern);
    if (at == NULL)
        return STR_NONE;
    at += strlen(pattern);
    size_t n = strcspn(at, ",}");
    return at[0] == '"' ? (struct str){at + 1, n - 2} : (struct str){at, n};
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* The states of the slot: those of an ok poll, if it had one. What a partial poll had and the ok
 * one has not stays with the broker, where it grows old. */
static void show(const char *dir, const struct sink_url *url, const char *job, int64_t slot_us,
                 struct buf *ret_text)
{
    struct kept *kept = calloc(1, sizeof(*kept));
    char slot[TIME_TEXT], lines[MAX_KEPT][256];
    bool is_of_slot[MAX_KEPT] = {false}, has_ok = false;
    size_t n = 0;

    (void)url;
    if (kept == NULL)
        abort();
    ask(prefix_of(dir), kept);
    time_format(slot_us, slot);
    for (size_t i = 0; i < kept->n; i++) {
        const char *text = kept->texts[i];
        is_of_slot[i] = strstr(kept->topics[i], "/state") &&
                        str_eq(value_of(text, "job"), str_of(job)) &&
                        str_eq(value_of(text, "slot"), str_of(slot));
        has_ok |= is_of_slot[i] && str_eq(value_of(text, "outcome"), STR("ok"));
    }
    for (size_t i = 0; i < kept->n; i++)
        if (is_of_slot[i] && (!has_ok || str_eq(value_of(kept->texts[i], "outcome"), STR("ok"))))
            snprintf(lines[n++], sizeof(lines[0]), "%.*s=%.*s ",
                     STR_ARG(value_of(kept->texts[i], "id")),
                     STR_ARG(value_of(kept->texts[i], "current_price")));
    qsort(lines, n, sizeof(lines[0]), compare);
    for (size_t i = 0; i < n; i++)
        buf_add_z(ret_text, lines[i]);
    free(kept);
}

const struct subject subject = {.scheme = "mqtt",
                                .has_store = true,
                                .is_persistent = true,
                                .is_of_markets = true,
                                .unreachable = "mqtt://127.0.0.1:1/x?coins=bitcoin",
                                .make_url = make_url,
                                .show = show};
